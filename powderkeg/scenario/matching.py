"""Who can do what to whom, and which acts can a mechanism link?

In: a Scenario. Out: the channels of its moves, and the ways in which a mechanism's patterns hold together. Everything
is found by following ties and names, never by looking at all pairs: the work grows with the matches. A search that
finds nothing for long gives up: `model` counts exactly; here the question is whether a file says something impossible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from powderkeg.scenario.asked import EventPattern
from powderkeg.scenario.declared import Move, Scenario
from powderkeg.scenario.language import ANY, SYMMETRIC, VARIABLES, Pattern, TiePattern

Pair = tuple[str, str]


class PossibleAct(NamedTuple):
    """One act in one ordered pair of actors, and the move that makes it possible."""

    actor: str
    act: str
    target: str
    move: str


@dataclass(frozen=True)
class MoveReach:
    """The pairs of one move, without a list of them: who, to whom, and the tied pairs it is limited to, if any."""

    move: str
    who: Mapping[str, None]
    to: Mapping[str, None]
    tied: Mapping[Pair, None] | None

    def __contains__(self, pair: object) -> bool:
        if not isinstance(pair, tuple) or pair[0] == pair[1] or pair[0] not in self.who or pair[1] not in self.to:
            return False
        return self.tied is None or pair in self.tied

    @property
    def size(self) -> int:
        """At most so many pairs."""
        every = len(self.who) * len(self.to)
        return every if self.tied is None else min(every, len(self.tied))

    @cached_property
    def _by_end(self) -> dict[tuple[int, str], list[Pair]]:
        """(0 for the source or 1 for the target, actor) -> its tied pairs."""
        found: dict[tuple[int, str], list[Pair]] = {}
        for pair in self.tied or ():
            found.setdefault((0, pair[0]), []).append(pair)
            found.setdefault((1, pair[1]), []).append(pair)
        return found

    def pairs(self, source: str | None = None, target: str | None = None) -> Iterator[Pair]:
        """Its pairs, in order of who and to; only those with a given source or target, if any is given."""
        if source is not None and target is not None:
            if (source, target) in self:
                yield source, target
        elif self.tied is not None:
            end = (0, source) if source is not None else (1, target or "")
            tied = self.tied if source is target is None else self._by_end.get(end, ())
            yield from (pair for pair in tied if pair in self)
        else:
            for a in self.who if source is None else (source,) * (source in self.who):
                for b in self.to if target is None else (target,) * (target in self.to):
                    if a != b:
                        yield a, b

    def meets(self, other: MoveReach) -> Pair | None:
        """A pair that both have, or None."""
        first, second = (self, other) if self.tied is not None else (other, self)
        if first.tied is not None:
            return next((pair for pair in first.pairs() if pair in second), None)
        who = [a for a in self.who if a in other.who]
        to = [b for b in self.to if b in other.to]
        return next(((a, b) for a in who[:2] for b in to[:2] if a != b), None)


class Cast:
    """Actors, classes, ties and moves of a scenario, indexed for matching. Raises GaveUp after `most_steps` steps."""

    def __init__(self, scenario: Scenario, most_steps: float = math.inf) -> None:
        self.scenario = scenario
        self.steps_left = most_steps
        self.members: dict[str, dict[str, None]] = {ANY: dict.fromkeys(scenario.actors)}
        for name in scenario.actors:
            self.members[name] = {name: None}
        for name, actor in scenario.actors.items():
            for group in actor.classes:
                self.members.setdefault(group, {})[name] = None

    def actors(self, names: Sequence[str]) -> Mapping[str, None]:
        """The actors that names of actors and classes stand for; no names stand for all."""
        if len(names) <= 1:
            return self.members.get(names[0] if names else ANY, {})
        return {actor: None for name in names for actor in self.members.get(name, ())}

    def spend(self, steps: int = 1) -> None:
        """Counts steps of a search. Raises GaveUp if there were too many."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise GaveUp

    @cached_property
    def ties(self) -> dict[str, dict[Pair, None]]:
        """Declared ties by kind, whether they hold at the start or not; symmetric kinds in both orders."""
        found: dict[str, dict[Pair, None]] = {}
        for tie in self.scenario.ties.values():
            pairs = found.setdefault(tie.kind, {})
            pairs[tie.from_, tie.to] = None
            if tie.kind in SYMMETRIC:
                pairs[tie.to, tie.from_] = None
        return found

    @cached_property
    def neighbours(self) -> dict[tuple[str, str, str], list[Pair]]:
        """(kind, "from" or "to", actor) -> tied pairs with that actor at that end."""
        found: dict[tuple[str, str, str], list[Pair]] = {}
        for kind, pairs in self.ties.items():
            for pair in pairs:
                found.setdefault((kind, "from", pair[0]), []).append(pair)
                found.setdefault((kind, "to", pair[1]), []).append(pair)
        return found

    @cached_property
    def reaches(self) -> dict[str, list[MoveReach]]:
        """What the moves of each act reach."""
        found: dict[str, list[MoveReach]] = {}
        for name, move in self.scenario.moves.items():
            found.setdefault(move.does, []).append(self.reach(name, move))
        return found

    def reach(self, name: str, move: Move) -> MoveReach:
        """The pairs of a move. A tie that must hold limits them to declared ties; one that must not does not."""
        who, to = self.actors(move.who), self.actors(move.to)
        tied: Mapping[Pair, None] | None = None
        for pattern in (tie for tie in move.given if tie.holds):
            ends = {pattern.subject: 0, pattern.object: 1}
            pairs = [pair for pair in self.ties.get(pattern.kind, {}) if self._names_fit(pattern, pair)]
            if "who" in ends and "to" in ends:
                here = {(pair[ends["who"]], pair[ends["to"]]): None for pair in pairs}
                tied = here if tied is None else {pair: None for pair in tied if pair in here}
            elif "to" in ends:
                here_to = {pair[ends["to"]] for pair in pairs}
                to = {actor: None for actor in to if actor in here_to}
            else:
                here_who = {pair[ends["who"]] for pair in pairs} if "who" in ends else set(who if pairs else ())
                who = {actor: None for actor in who if actor in here_who}
        return MoveReach(name, who, to, tied)

    def _names_fit(self, pattern: TiePattern, pair: Pair) -> bool:
        """Whether the names in a tie pattern of a move stand for the actors of a tie."""
        ends = zip((pattern.subject, pattern.object), pair, strict=True)
        return all(end in ("who", "to") or actor in self.members.get(end, ()) for end, actor in ends)

    def channels(self, act: str, source: str | None = None, target: str | None = None) -> Iterator[Pair]:
        """The pairs in which an act is possible."""
        for reach in self.reaches.get(act, ()):
            self.spend()
            yield from reach.pairs(source, target)

    def tied(self, kind: str, source: str | None = None, target: str | None = None) -> Iterator[Pair]:
        """The declared ties of a kind, as pairs."""
        if source is not None and target is not None:
            if (source, target) in self.ties.get(kind, {}):
                yield source, target
        elif source is not None:
            yield from self.neighbours.get((kind, "from", source), ())
        elif target is not None:
            yield from self.neighbours.get((kind, "to", target), ())
        else:
            yield from self.ties.get(kind, {})

    def can_happen(self, pattern: EventPattern) -> bool:
        """Whether some move makes such an event possible."""
        who, to = self.actors(pattern.who), self.actors(pattern.to)
        for act in pattern.does or tuple(self.scenario.acts):
            declared = self.scenario.acts[act]
            # Under a law of deaths an act in which nobody dies counts as one that injures.
            spares = declared.deaths is not None and float(declared.deaths.none) > 0.0
            harms = (declared.hurts, *(("injury",) if spares else ()))
            if pattern.hurts and not any(harm in pattern.hurts for harm in harms):
                continue
            wanted = MoveReach("", who, to, None)
            for reach in self.reaches.get(act, ()):
                self.spend(min(reach.size, len(reach.who) + len(reach.to)))
                if reach.meets(wanted):
                    return True
        return False


class GaveUp(Exception):
    """The search took too many steps."""


class _Atom(NamedTuple):
    subject: str
    name: str
    object: str
    is_tie: bool


def matches(
    cast: Cast, when: Pattern | None, then: Pattern | None, given: Sequence[TiePattern] = ()
) -> Iterator[dict[str, str]]:
    """Every way in which an act, an answer and ties go together: what each letter stands for. Raises GaveUp."""
    atoms = [_Atom(*pattern, False) for pattern in (when, then) if pattern is not None]
    atoms += [_Atom(tie.subject, tie.kind, tie.object, True) for tie in given if tie.holds]
    yield from _solutions(cast, atoms, {})


def _solutions(cast: Cast, atoms: list[_Atom], bound: dict[str, str]) -> Iterator[dict[str, str]]:
    if not atoms:
        yield dict(bound)
        return

    def openness(atom: _Atom) -> tuple[int, bool]:
        return sum(end in VARIABLES and end not in bound for end in (atom.subject, atom.object)), not atom.is_tie

    atom = min(atoms, key=openness)
    rest = [other for other in atoms if other is not atom]
    find = cast.tied if atom.is_tie else cast.channels
    for source, target in _ends(cast, atom, bound):
        for pair in find(atom.name, source, target):
            cast.spend()
            new = _bind(cast, atom, pair, bound)
            if new is not None:
                yield from _solutions(cast, rest, new)


def _ends(cast: Cast, atom: _Atom, bound: Mapping[str, str]) -> Iterator[tuple[str | None, str | None]]:
    """What is known of an atom's ends before it is looked up; a class of few is looked up one by one."""

    def known(end: str) -> list[str | None]:
        if end in VARIABLES:
            return [bound.get(end)]
        members = cast.members.get(end, {})
        return [*members] if len(members) <= 3 else [None]

    for source in known(atom.subject):
        for target in known(atom.object):
            yield source, target


def _bind(cast: Cast, atom: _Atom, pair: Pair, bound: dict[str, str]) -> dict[str, str] | None:
    new = bound
    for end, actor in zip((atom.subject, atom.object), pair, strict=True):
        if end not in VARIABLES:
            if actor not in cast.members.get(end, {}):
                return None
        elif end in new:
            if new[end] != actor:
                return None
        elif actor in new.values():
            return None
        else:
            new = {**new, end: actor}
    return new


def expand_moves(scenario: Scenario) -> list[PossibleAct]:
    """All channels, in order of moves, then of actors."""
    cast = Cast(scenario)
    return [
        PossibleAct(a, move.does, b, name)
        for name, move in scenario.moves.items()
        for a, b in cast.reach(name, move).pairs()
    ]
