"""Links: which channels the moves of a scenario make, and which channel pairs its mechanisms link.

In: a Scenario. Out: `ChannelTable`, one row per (source, act, target), and for each mechanism the `Links`, one row per
(event channel, answering channel, reason). Both follow ties and classes through joins (`matching`), never all dyads.

How a pattern is read. A letter stands for any actor, different letters for different actors. An act sets its mechanism
off once, however many of the `when` patterns it fits. Each actor who can answer gives `answers` answers, split by the
shares of the `then` patterns, and within one pattern evenly over the acts that fit it (also over those whose ties do
not hold at the moment). Whoever else makes the patterns true (any patron of y) does not multiply the answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault
from powderkeg.model.gates import Literal, disjoint
from powderkeg.model.matching import MOST_MATCHES, Atom, Matches, Pairs, PatternEnd, TooManyMatches, fits, match_all
from powderkeg.scenario import (
    ANY,
    SYMMETRIC,
    VARIABLES,
    Mechanism,
    Move,
    Pattern,
    Scenario,
    TiePattern,
    third_person,
    tie_verb,
)

MOVE_LETTERS = ("who", "to")


class Misfit(Exception):
    """Patterns that cannot be made into arrays; `fault` says which and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True)
class ChannelTable:
    """Channels that are acts, in order of moves and then of actors. `terms`: the ties that must (not) hold."""

    move: Ints
    source: Ints
    target: Ints
    terms: list[frozenset[Literal]]


@dataclass(frozen=True)
class Links:
    """Channel pairs that a mechanism links: in which channel the event is, which answers, weight per unit of answers.

    answer  index of the `then` pattern
    terms   index into `reasons`: the ties that must (not) hold
    """

    event: Ints
    reply: Ints
    answer: Ints
    weight: Floats
    terms: Ints
    reasons: list[frozenset[Literal]]


class IndexedCast:
    """Actors, classes and ties of a scenario as tables of indices."""

    def __init__(self, scenario: Scenario, first_tie: int) -> None:
        self.actors = tuple(scenario.actors)
        self.size = len(self.actors)
        number = {name: index for index, name in enumerate(self.actors)}
        members: dict[str, list[int]] = {ANY: list(range(self.size))}
        for name, actor in scenario.actors.items():
            members[name] = [number[name]]
            for group in actor.classes:
                members.setdefault(group, []).append(number[name])
        self.members = {name: np.array(found, dtype=np.int64) for name, found in members.items()}
        kinds: dict[str, list[tuple[int, int, int]]] = {}
        for index, tie in enumerate(scenario.ties.values()):
            ends = number[tie.from_], number[tie.to]
            kinds.setdefault(tie.kind, []).append((*ends, first_tie + index))
            if tie.kind in SYMMETRIC:
                kinds[tie.kind].append((ends[1], ends[0], first_tie + index))
        self.ties = {kind: _pairs(rows) for kind, rows in kinds.items()}
        self.no_pairs = _pairs([])

    def place(self, word: str, letters: Iterable[str] = VARIABLES) -> PatternEnd:
        """A word of a pattern as a letter, or as the actors it names."""
        return PatternEnd(word) if word in letters else PatternEnd(None, self.mask([word]))

    def mask(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """(actors,) True where one of the names, actors or classes, stands for the actor."""
        mask = np.zeros(self.size, dtype=np.bool_)
        for name in names:
            mask[self.members.get(name, [])] = True
        return mask

    def tie_atoms(self, patterns: Sequence[TiePattern], letters: Sequence[str], holds: bool = True) -> list[Atom]:
        """The patterns that ask for a tie (or that ask for none), as atoms that keep the tie's fact."""
        return [
            Atom(
                self.place(pattern.subject, letters),
                self.place(pattern.object, letters),
                self.ties.get(pattern.kind, self.no_pairs),
                f"tie {index}",
            )
            for index, pattern in enumerate(patterns)
            if pattern.holds == holds
        ]


def _pairs(rows: list[tuple[int, int, int]]) -> Pairs:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Pairs(table[:, 0], table[:, 1], table[:, 2])


def expand_move(
    name: str, move: Move, cast: IndexedCast, facts: Sequence[str]
) -> tuple[Ints, Ints, list[frozenset[Literal]]]:
    """Sources, targets and required ties of one move, in order of source and target. Raises Misfit."""
    path = f"moves.{name}"
    allowed = {"who": cast.mask(move.who), "to": cast.mask(move.to)}
    try:
        matches = match_all(cast.tie_atoms(move.given, MOVE_LETTERS), cast.size)
        for letter in MOVE_LETTERS:
            if letter in matches.letters:
                matches = matches.take(allowed[letter][matches.letters[letter]])
            else:
                matches = _cross(matches, letter, np.flatnonzero(allowed[letter]))
    except TooManyMatches as found:
        raise Misfit(_too_many(path, found)) from None
    literals = literals_of(matches, move.given, MOVE_LETTERS, cast)
    pair = matches.letters["who"] * cast.size + matches.letters["to"]
    pairs, key, reason, reasons = reasons_of(pair, literals)
    if not len(pairs):
        raise Misfit(Fault.at(path, "fits no two actors", "who, to and given that fit some pair"))
    twice = np.flatnonzero(np.diff(key) == 0)
    if len(twice):
        one, other = divmod(int(pairs[key[twice[0]]]), cast.size)
        source, target = cast.actors[one], cast.actors[other]
        ties = sorted({facts[fact] for at in (0, 1) for fact, _ in reasons[reason[twice[0] + at]]})
        raise Misfit(
            Fault.at(
                f"{path}.given",
                f"several ways to allow {source} and {target} ({', '.join(ties)})",
                "one: name actors instead of a class, or declare one tie instead of several of a kind",
            )
        )
    return pairs // cast.size, pairs % cast.size, [reasons[index] for index in reason]


def link(name: str, mechanism: Mechanism, cast: IndexedCast, channels: ChannelTable, of_act: dict[str, Ints]) -> Links:
    """All channel pairs that a mechanism links; `of_act` lists the channels of each act. Raises Misfit."""
    path = f"mechanisms.{name}"
    n_channels = len(channels.source)

    def acts(act: str) -> Pairs:
        index = of_act.get(act, np.zeros(0, dtype=np.int64))
        return Pairs(channels.source[index], channels.target[index], index)

    keys, parts = [], []
    try:
        for way, (reply, _) in enumerate(mechanism.then):
            for event in mechanism.when:
                atoms = [
                    Atom(cast.place(event.subject), cast.place(event.object), acts(event.act), "event"),
                    Atom(cast.place(reply.subject), cast.place(reply.object), acts(reply.act), "reply"),
                    *cast.tie_atoms(mechanism.given, VARIABLES),
                ]
                matches = match_all(atoms, cast.size)
                _must_be_someone(path, mechanism.given, event, reply, matches)
                literals = literals_of(matches, mechanism.given, VARIABLES, cast)
                keys.append((way * n_channels + matches.kept["event"]) * n_channels + matches.kept["reply"])
                parts.append(literals)
    except TooManyMatches as found:
        raise Misfit(_too_many(path, found)) from None
    width = max(part.shape[1] for part in parts)
    literals = np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])
    linked, key, reason, reasons = reasons_of(np.concatenate(keys), literals)
    if not len(linked):
        raise Misfit(_unlinked(path, mechanism, cast, acts))

    replies, answer_and_event = linked % n_channels, linked // n_channels
    # Each actor who can answer splits its answers evenly over the acts that fit one pattern.
    split = answer_and_event * cast.size + channels.source[replies]
    _, group, n_ways = np.unique(split, return_inverse=True, return_counts=True)
    answer = answer_and_event // n_channels
    weight = np.array([float(share) for _, share in mechanism.then])[answer] / n_ways[group]
    return Links(answer_and_event[key] % n_channels, replies[key], answer[key], weight[key], reason, reasons)


def reasons_of(key: Ints, literals: Ints) -> tuple[Ints, Ints, Ints, list[frozenset[Literal]]]:
    """The distinct keys, and for each the distinct reasons why it matches, rewritten so that no two hold at once.

    key       (rows,) what matches
    literals  (rows, width) ties that must hold (fact + 1) or must not (-fact - 1), 0 for nothing
    returns   distinct keys; and for every reason of every key: position of the key, index of the reason; the reasons
    """
    if literals.shape[1] == 0:  # no tie is asked for
        keys = np.unique(key)
        return keys, np.arange(len(keys)), np.zeros(len(keys), np.int64), [frozenset()]
    literals = np.sort(literals, axis=1)
    again = np.zeros(literals.shape, dtype=np.bool_)
    again[:, 1:] = literals[:, 1:] == literals[:, :-1]
    literals[again] = 0
    literals.sort(axis=1)
    # One column, as nearly always, sorts ten times as fast as rows do.
    terms, term_of = np.unique(literals, axis=0 if literals.shape[1] > 1 else None, return_inverse=True)
    terms, term_of = terms.reshape(len(terms), literals.shape[1]), term_of.reshape(-1)
    reasons = [frozenset((abs(int(one)) - 1, bool(one > 0)) for one in row if one) for row in terms]
    possible = np.array([not any((fact, not on) in term for fact, on in term) for term in reasons], dtype=np.bool_)
    rows, _ = distinct_rows(np.stack([key, term_of], axis=1)[possible[term_of]])
    keys, first, count = np.unique(rows[:, 0], return_index=True, return_counts=True)

    single = count == 1
    positions, indices = [np.flatnonzero(single)], [rows[first[single], 1]]
    index_of = {term: index for index, term in enumerate(reasons)}
    rewritten: dict[tuple[int, ...], list[int]] = {}
    for position in np.flatnonzero(~single):
        several = tuple(rows[first[position] : first[position] + count[position], 1].tolist())
        if several not in rewritten:
            rewritten[several] = []
            for term in disjoint(reasons[index] for index in several):
                if term not in index_of:
                    index_of[term] = len(reasons)
                    reasons.append(term)
                rewritten[several].append(index_of[term])
        found = rewritten[several]
        positions.append(np.full(len(found), position))
        indices.append(np.array(found))
    key_of, reason_of = np.concatenate(positions), np.concatenate(indices)
    order = np.argsort(key_of, kind="stable")
    return keys, key_of[order], reason_of[order], reasons


def distinct_rows(rows: Ints) -> tuple[Ints, Ints]:
    """The distinct rows of numbers >= 0, in order, and for each row which of them it is; as numpy.unique, in a fifth
    of the time where a row can be packed into one number."""
    most = [int(column.max(initial=0)) + 1 for column in rows.T]
    if math.prod(most) >= 2**62:
        found, which = np.unique(rows, axis=0, return_inverse=True)
        return found, which.reshape(-1)
    packed = np.zeros(len(rows), dtype=np.int64)
    for column, n in zip(rows.T, most, strict=True):
        packed = packed * n + column
    numbers, which = np.unique(packed, return_inverse=True)
    columns = []
    for n in reversed(most):
        numbers, column = np.divmod(numbers, n)
        columns.append(column)
    return np.stack(columns[::-1], axis=1), which


def literals_of(matches: Matches, given: Sequence[TiePattern], letters: Sequence[str], cast: IndexedCast) -> Ints:
    """(rows, width) ties that each match depends on: fact + 1 if it must hold, -fact - 1 if it must not, 0 for none.

    A tie that must not hold is asked for only where one is declared: what is not declared is absent for good. With the
    name of a class in it, a pattern such as "state does not back y" says that no state does.
    """
    columns = [matches.kept[f"tie {index}"][:, None] + 1 for index, pattern in enumerate(given) if pattern.holds]
    for atom in cast.tie_atoms(given, letters, holds=False):
        rows, facts = fits(matches, atom, cast.size)
        order = np.argsort(rows, kind="stable")
        rows, facts = rows[order], facts[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left")
        block = np.zeros((matches.n_rows, int(rank.max(initial=-1)) + 1), dtype=np.int64)
        block[rows, rank] = -facts - 1
        columns.append(block)
    return np.concatenate([np.zeros((matches.n_rows, 0), dtype=np.int64), *columns], axis=1)


def _cross(matches: Matches, letter: str, actors: Ints) -> Matches:
    """Every match with each of the actors that no other letter of it stands for. Raises TooManyMatches."""
    count = matches.n_rows * len(actors)
    if count > MOST_MATCHES:
        raise TooManyMatches(count)
    crossed = matches.take(np.repeat(np.arange(matches.n_rows), len(actors)))
    column = np.tile(actors, matches.n_rows)
    keep = np.ones(count, dtype=np.bool_)
    for other in crossed.letters.values():
        keep &= other != column
    crossed.letters[letter] = column
    return crossed.take(keep)


def _too_many(path: str, found: TooManyMatches) -> Fault:
    return Fault.at(path, f"{found.count:,} matches", f"at most {MOST_MATCHES:,}: ask for a tie, or name fewer actors")


def _must_be_someone(path: str, given: Sequence[TiePattern], event: Pattern, reply: Pattern, matches: Matches) -> None:
    """Raises Misfit if a tie that must not hold has a letter that stands for nobody in this event and this answer."""
    for pattern in given:
        for word in (pattern.subject, pattern.object):
            if not pattern.holds and word in VARIABLES and word not in matches.letters:
                found = f"{word} is nobody when {_act(event)} and {_act(reply)}, so no tie of {word} can be absent"
                expected = f"a mechanism of its own for acts and answers without {word}"
                raise Misfit(Fault.at(f"{path}.given", found, expected))


def _act(pattern: Pattern) -> str:
    return f"{pattern.subject} {third_person(pattern.act)} {pattern.object}"


def _unlinked(path: str, mechanism: Mechanism, cast: IndexedCast, acts: Callable[[str], Pairs]) -> Fault:
    """Why a mechanism links nothing: the first pattern that nothing fits by itself, or none by itself."""
    nobody = Matches({}, {}, 1)
    for key, patterns in (("when", mechanism.when), ("then", [pattern for pattern, _ in mechanism.then])):
        atoms = [Atom(cast.place(p.subject), cast.place(p.object), acts(p.act), "it") for p in patterns]
        if not any(len(fits(nobody, atom, cast.size)[0]) for atom in atoms):
            said = " or ".join(map(_act, patterns))
            return Fault.at(f"{path}.{key}", f"no move makes {said} possible", "an act that some move allows")
    for pattern, atom in zip(
        [pattern for pattern in mechanism.given if pattern.holds],
        cast.tie_atoms(mechanism.given, VARIABLES),
        strict=True,
    ):
        if not len(fits(nobody, atom, cast.size)[0]):
            said = f"{pattern.subject} {tie_verb(pattern.kind)} {pattern.object}"
            return Fault.at(f"{path}.given", f"no tie says that {said}", "a tie that is declared")
    return Fault.at(path, "links nothing: no acts fit all its patterns together", "moves that fit when, given and then")
