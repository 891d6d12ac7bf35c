"""Systems of very many actors: only the channels that occur are listed, the others are counted.

In: a `Scenario` whose classes span more pairs of actors than a machine can hold, and the events that are to be fitted.
Out: a `Model` of the channels that occur, and for each move one channel more that stands for all the others: its rate
is their number times the rate, and links into it carry what goes to all of them. No event is ever of it, so only its
expected count matters, and a sum over like channels is one number: the likelihood is that of the whole system, to the
last digit.

The work follows events and links. An answer is found from the act: both its actors are known from the act or by a tie
("y hits x", "z hits x given z allies y"), or one is known and the other is anyone of a class, who is then counted. A
pattern that names nobody, or that would link every pair of seen channels, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault
from powderkeg.model.compiling import assemble, collect, compile_scenario, draft_with, error_of
from powderkeg.model.gates import Literal
from powderkeg.model.links import ChannelTable, IndexedCast, Links, Misfit, expand_move, literals_of, reasons_of
from powderkeg.model.matching import MOST_MATCHES, Atom, Matches, Pairs, PatternEnd, TooManyMatches, match_all
from powderkeg.model.parts import Model
from powderkeg.model.states import States
from powderkeg.scenario import VARIABLES, Given, Mechanism, Move, Pattern, Scenario, scenario_of, third_person

if TYPE_CHECKING:  # Polars comes with it, and models of whole scenarios do without
    from powderkeg.events.table import EventTable

MOST_CHANNELS = 200_000
"""Channels up to which a system is compiled whole, whatever its events."""
OTHERS = "(others)"
"""Both actors of a channel that stands for all that are not listed; no actor can be called so."""
FEW = 2_000
"""Channels up to which those of a move are all listed."""
EXAMPLES = 32
"""Channels that are looked at to say what one that is not listed sets off: it matters to the branching ratio alone."""


def compile_for(scenario: Given | Model, events: EventTable | None = None) -> Model:
    """The model that a scenario describes: of a `Scenario`, a name or a path. A model is given back as it is.

    events  the events that it will be fitted to: where the classes of the scenario span more than 200,000 channels,
            only those that occur are listed, and one channel for each move stands for the rest. Such a model is fitted
            and attributes like any other; it cannot be simulated

    Raises ModelError, with every fault, if there is nothing to run, a move or a mechanism fits no actors, or a pattern
    fits more of them than a machine can hold.
    """
    if isinstance(scenario, Model):
        return scenario
    scenario = scenario_of(scenario)
    if events is None or n_channels(scenario) <= MOST_CHANNELS:
        return compile_scenario(scenario)
    return restricted(scenario, events)


def n_channels(scenario: Scenario) -> int:
    """Channels that the classes of a scenario span, ties left aside: more than there are where ties are asked for."""
    cast = IndexedCast(scenario, first_tie=len(scenario.facts))
    return sum(_span(cast.mask(m.who), cast.mask(m.to)) for m in scenario.moves.values() if not _tied(m))


def restricted(scenario: Scenario, events: EventTable, few: int = FEW) -> Model:
    """The model of the channels that occur in `events`, with one channel for each move that stands for the others.

    few  channels up to which those of a move are all listed

    Raises ModelError for patterns that cannot be followed from events, with what to write instead.
    """
    cast = IndexedCast(scenario, first_tie=len(scenario.facts))
    states = States(scenario)
    space = _Space(scenario, cast, states, few)
    table = space.table(*_seen(space, events))
    found = collect(scenario, scenario.mechanisms, lambda name, one: _Linker(name, one, table).links())
    n = table.n_channels
    draft = draft_with(
        scenario, cast, states, ChannelTable(table.move[:n], table.source[:n], table.target[:n], table.terms)
    )
    model = assemble(draft, found, table.stands_for)
    others = [replace(c, source=OTHERS, target=OTHERS) for c in model.channels[table.n_listed : n]]
    return replace(model, channels=(*model.channels[: table.n_listed], *others, *model.channels[n:]))


def _span(who: NDArray[np.bool_], to: NDArray[np.bool_]) -> int:
    """Ordered pairs of different actors."""
    return int(who.sum()) * int(to.sum()) - int((who & to).sum())


def _tied(move: Move) -> bool:
    return any(pattern.holds for pattern in move.given)


def _nothing() -> list[tuple[int, int, int, int]]:
    return []


def _keyed(act: Ints, source: Ints, target: Ints, size: int) -> Ints:
    return (act * size + source) * size + target


def _seen(space: _Space, events: EventTable) -> tuple[Ints, Ints, Ints]:
    """Act, source and target of every channel that occurs, as far as the scenario knows them."""
    import polars as pl

    actors = pl.DataFrame({"name": list(space.cast.actors), "number": np.arange(space.cast.size)})
    acts = pl.DataFrame({"name": list(space.acts), "number": np.arange(len(space.acts))})
    frame = events.frame.select(pl.col("source", "act", "target").cast(pl.String)).unique()
    for column, known in (("source", actors), ("act", acts), ("target", actors)):
        frame = frame.join(known.rename({"name": column, "number": f"_{column}"}), on=column, how="inner")
    return tuple(frame[f"_{column}"].to_numpy().astype(np.int64) for column in ("act", "source", "target"))  # type: ignore[return-value]


@dataclass(frozen=True)
class _Wide:
    """A move by class: everyone of `who` may do its act to everyone else of `to`."""

    move: int
    who: NDArray[np.bool_]
    to: NDArray[np.bool_]


@dataclass(frozen=True)
class _Table:
    """Channels: `n_listed` of them as they are, then one for each wide move that stands for its others.

    Rows from `n_channels` on are further examples of what the latter stand for, chosen at random.
    """

    space: _Space
    move: Ints
    act: Ints
    source: Ints
    target: Ints
    terms: list[frozenset[Literal]]
    n_listed: int
    n_channels: int
    stands_for: Ints
    rest_of_move: Ints
    examples: Ints
    key: Ints
    order: Ints

    def find(self, act: int, source: Ints, target: Ints) -> Ints:
        """Channel of each pair for an act: listed, or the one that stands for it; -1 where no move allows it."""
        wanted = _keyed(np.full(len(source), act, np.int64), source, target, self.space.cast.size)
        at = np.minimum(np.searchsorted(self.key, wanted), len(self.key) - 1)
        hit = self.key[at] == wanted if len(self.key) else np.zeros(len(wanted), bool)
        result = np.where(hit, self.order[at] if len(self.key) else -1, -1)
        for wide in self.space.wide.get(act, []):
            open_ = ~hit & wide.who[source] & wide.to[target] & (source != target)
            result[open_] = self.rest_of_move[wide.move]
        return result.astype(np.int64)


class _Space:
    """All channels that a scenario's moves make: those of small or tied moves listed, those of wide moves by class."""

    def __init__(self, scenario: Scenario, cast: IndexedCast, states: States, few: int) -> None:
        self.scenario, self.cast = scenario, cast
        self.acts = {name: index for index, name in enumerate(scenario.acts)}
        self.wide: dict[int, list[_Wide]] = {}
        parts: list[tuple[int, int, Ints, Ints, list[frozenset[Literal]]]] = []
        faults = []
        for index, (name, move) in enumerate(scenario.moves.items()):
            who, to, act = cast.mask(move.who), cast.mask(move.to), self.acts[move.does]
            if not _tied(move) and _span(who, to) > few:
                if move.given:
                    faults.append(
                        Fault.at(f"moves.{name}.given",
                              f"a tie that must be absent, among {_span(who, to):,} pairs of actors",
                              "a smaller class, or no such tie: at this size channels are counted, not listed")
                    )  # fmt: skip
                self.wide.setdefault(act, []).append(_Wide(index, who, to))
                continue
            try:
                source, target, terms = expand_move(name, move, cast, states.names)
            except Misfit as misfit:
                faults.append(misfit.fault)
                continue
            parts.append((index, act, source, target, terms))
        faults += self._overlaps(parts)
        if faults:
            raise error_of(scenario, faults)
        none = np.zeros(0, np.int64)
        self.listed_move = np.concatenate([none, *(np.full(len(p[2]), p[0]) for p in parts)])
        self.listed_act = np.concatenate([none, *(np.full(len(p[2]), p[1]) for p in parts)])
        self.listed_source = np.concatenate([none, *(p[2] for p in parts)])
        self.listed_target = np.concatenate([none, *(p[3] for p in parts)])
        self.listed_terms = [term for p in parts for term in p[4]]

    def _overlaps(self, parts: list[tuple[int, int, Ints, Ints, list[frozenset[Literal]]]]) -> list[Fault]:
        """A fault for every move that makes a channel which an earlier move made."""
        names, faults = list(self.scenario.moves), []

        def fault(later: int, earlier: int) -> Fault:
            found = f"some {self.scenario.moves[names[later]].does} which moves.{names[earlier]} makes possible too"
            return Fault.at(f"moves.{names[later]}", found, "each actor, act and target in one move only")

        for act, wides in self.wide.items():
            for k, one in enumerate(wides):
                faults += [
                    fault(one.move, other.move)
                    for other in wides[:k]
                    if _span(one.who & other.who, one.to & other.to) > 0
                ]
                for move, its_act, source, target, _ in parts:
                    if its_act == act and (one.who[source] & one.to[target]).any():
                        faults.append(fault(max(move, one.move), min(move, one.move)))
        for k, (move, act, source, target, _) in enumerate(parts):
            key = source * self.cast.size + target
            for earlier, its_act, its_source, its_target, _ in parts[:k]:
                if act == its_act and np.isin(key, its_source * self.cast.size + its_target).any():
                    faults.append(fault(move, earlier))
        return faults

    def table(self, act: Ints, source: Ints, target: Ints) -> _Table:
        """The table in which these channels of wide moves are listed; what no move allows is left out."""
        size, n_moves = self.cast.size, len(self.scenario.moves)
        rows: list[tuple[Ints, Ints, Ints, Ints]] = []
        for its_act, wides in self.wide.items():
            for wide in wides:
                own = (act == its_act) & wide.who[source] & wide.to[target] & (source != target)
                pair = np.unique(source[own] * size + target[own])
                rows.append((np.full(len(pair), wide.move), np.full(len(pair), its_act), pair // size, pair % size))
        columns = [
            np.concatenate([own, *(row[k] for row in rows)]).astype(np.int64)
            for k, own in enumerate((self.listed_move, self.listed_act, self.listed_source, self.listed_target))
        ]
        terms = [*self.listed_terms, *(frozenset[Literal]() for _ in range(len(columns[0]) - len(self.listed_terms)))]
        order = np.argsort(columns[0], kind="stable")  # by move, then as they came: by source and target
        columns = [column[order] for column in columns]
        terms = [terms[k] for k in order]
        n_listed = len(order)
        key = _keyed(columns[1], columns[2], columns[3], size)
        sort = np.argsort(key)
        stands, rest_of_move, first, further = (
            [np.ones(n_listed, np.int64)],
            np.full(n_moves, -1, np.int64),
            _nothing(),
            _nothing(),
        )
        examples = np.ones(n_moves, np.int64)
        for its_act, wides in sorted(self.wide.items()):
            for wide in wides:
                left = _span(wide.who, wide.to) - int((columns[0] == wide.move).sum())
                if left > 0:
                    rest_of_move[wide.move] = n_listed + len(first)
                    found = [(wide.move, its_act, *pair) for pair in self._some(wide, its_act, key[sort])]
                    first.append(found[0])
                    further += found[1:]
                    examples[wide.move] = len(found)
                    stands.append(np.array([left], np.int64))
        added = np.array(first + further, np.int64).reshape(-1, 4)
        columns = [np.concatenate([column, added[:, k]]) for k, column in enumerate(columns)]
        terms += [frozenset[Literal]() for _ in first]
        return _Table(
            self, columns[0], columns[1], columns[2], columns[3], terms, n_listed, n_listed + len(first),
            np.concatenate(stands), rest_of_move, examples, key[sort], sort,
        )  # fmt: skip

    def _some(self, wide: _Wide, act: int, listed: Ints) -> list[tuple[int, int]]:
        """Some pairs of a wide move that are not listed."""
        sources, targets = np.flatnonzero(wide.who), np.flatnonzero(wide.to)
        draw = np.random.default_rng(1)
        found: dict[tuple[int, int], None] = {}
        for _ in range(20):
            source, target = draw.choice(sources, 64), draw.choice(targets, 64)
            key = _keyed(np.full(64, act, np.int64), source, target, self.cast.size)
            good = (source != target) & ~np.isin(key, listed)
            found |= dict.fromkeys(zip(source[good].tolist(), target[good].tolist(), strict=True))
            if len(found) >= EXAMPLES:
                return list(found)[:EXAMPLES]
        for one_source in sources.tolist():
            key = _keyed(np.full(len(targets), act), np.full(len(targets), one_source), targets, self.cast.size)
            for one in targets[(targets != one_source) & ~np.isin(key, listed)].tolist():
                found[int(one_source), int(one)] = None
                if len(found) >= EXAMPLES:
                    return list(found)
        return list(found)


class _Linker:
    """The links of one mechanism from the channels of a table."""

    def __init__(self, name: str, mechanism: Mechanism, table: _Table) -> None:
        self.path, self.mechanism, self.table = f"mechanisms.{name}", mechanism, table
        self.cast, self.space = table.space.cast, table.space

    def links(self) -> Links:
        """All links. Raises Misfit."""
        known: list[tuple[Ints, Ints]] = []  # replies whose two actors are known: key, literals
        counted: list[tuple[Ints, Ints, Floats, int, Ints]] = []  # event, reply, weight, way, literals
        size, n = self.cast.size, len(self.table.move)
        try:
            for way, (reply, _) in enumerate(self.mechanism.then):
                used = np.zeros(n, bool)
                for event in self.mechanism.when:
                    matches, literals = self._matches(event)
                    rows = matches.kept["event"]
                    source, target = self._place(reply.subject, matches), self._place(reply.object, matches)
                    if isinstance(source, np.ndarray) and isinstance(target, np.ndarray):
                        channel = self.table.find(self.space.acts[reply.act], source, target)
                        ok = channel >= 0
                        known.append((((way * n + rows) * size + source) * size + target, literals))
                        known[-1] = (known[-1][0][ok], literals[ok])
                        continue
                    if not isinstance(source, np.ndarray) and not isinstance(target, np.ndarray):
                        raise Misfit(self._nobody(reply))
                    if used[rows].any() or len(np.unique(rows)) < len(rows):
                        raise Misfit(self._several(event, reply))
                    used[rows] = True
                    counted += self._count(way, reply, matches, source, target, literals)
        except TooManyMatches as found:
            raise Misfit(
                Fault.at(
                    self.path, f"{found.count:,} links between channels that occur",
                    f"at most {MOST_MATCHES:,}: name the one who answers by the act or by a tie, or a smaller class",
                )
            ) from None  # fmt: skip
        return self._gather(known, counted)

    def _matches(self, event: Pattern) -> tuple[Matches, Ints]:
        """Acts that set the mechanism off, with the ties it asks for; ties that each match depends on."""
        table, cast = self.table, self.cast
        index = np.flatnonzero(table.act == self.space.acts[event.act])
        atoms = [
            Atom(
                cast.place(event.subject), cast.place(event.object),
                Pairs(table.source[index], table.target[index], index), "event",
            ),
            *cast.tie_atoms(self.mechanism.given, VARIABLES),
        ]  # fmt: skip
        matches = match_all(atoms, cast.size)
        for pattern in self.mechanism.given:
            for word in (pattern.subject, pattern.object):
                if not pattern.holds and word in VARIABLES and word not in matches.letters:
                    raise Misfit(
                        Fault.at(
                            f"{self.path}.given",
                            f"a tie of {word} that must be absent, where {word} is anyone",
                            "a letter that the act or another tie settles: at this size anyone is counted, not listed",
                        )
                    )  # fmt: skip
        return matches, literals_of(matches, self.mechanism.given, VARIABLES, cast)

    def _place(self, word: str, matches: Matches) -> Ints | PatternEnd:
        """The actor in a place of the answer in every match, or the class or letter that he is anyone of."""
        place = self.cast.place(word)
        if place.letter is not None:
            return matches.letters.get(word, place)
        actors = np.flatnonzero(place.actors) if place.actors is not None else np.zeros(0, np.int64)
        return np.full(matches.n_rows, actors[0], np.int64) if len(actors) == 1 else place

    def _count(
        self,
        way: int,
        reply: Pattern,
        matches: Matches,
        source: Ints | PatternEnd,
        target: Ints | PatternEnd,
        literals: Ints,
    ) -> list[tuple[Ints, Ints, Floats, int, Ints]]:
        """Links to answers of which one actor is anyone: listed channels one by one, all others together."""
        table, act = self.table, self.space.acts[reply.act]
        to_anyone = isinstance(source, np.ndarray)
        one = source if isinstance(source, np.ndarray) else target
        place = target if to_anyone else source
        assert isinstance(one, np.ndarray) and isinstance(place, PatternEnd)
        everyone = np.ones(self.cast.size, bool) if place.actors is None else place.actors
        # Who is not meant: the known actor himself, and for a letter all that other letters stand for.
        others = [one, *(matches.letters.values() if place.letter is not None else [])]
        different = np.sort(np.stack(others, axis=1), axis=1)
        again = np.zeros(different.shape, bool)
        again[:, 1:] = different[:, 1:] == different[:, :-1]

        index = np.flatnonzero(table.act[: table.n_listed] == act)
        ends = (table.source[index], table.target[index])
        near, far = ends if to_anyone else ends[::-1]
        index, near, far = index[everyone[far]], near[everyone[far]], far[everyone[far]]
        order = np.argsort(near, kind="stable")
        low = np.searchsorted(near[order], one, side="left")
        count = np.searchsorted(near[order], one, side="right") - low
        if int(count.sum()) > MOST_MATCHES:
            raise TooManyMatches(int(count.sum()))
        row = np.repeat(np.arange(len(one)), count)
        hit = order[np.repeat(low, count) + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)]
        meant = np.ones(len(row), bool)
        for column in others:
            meant &= far[hit] != column[row]
        row, channel = row[meant], index[hit[meant]]

        parts = [(row, channel, np.ones(len(row)))]
        ways = np.bincount(row, minlength=len(one)).astype(np.float64)
        for wide in self.space.wide.get(act, []):
            rest = table.rest_of_move[wide.move]
            if rest < 0:
                continue
            here = (wide.who if to_anyone else wide.to)[one]
            anyone = (wide.to if to_anyone else wide.who) & everyone
            total = int(anyone.sum()) - (anyone[different] & ~again).sum(axis=1)
            listed = np.bincount(row[table.move[channel] == wide.move], minlength=len(one))
            left = np.where(here, total - listed, 0).astype(np.float64)
            some = np.flatnonzero(left > 0)
            parts.append((some, np.full(len(some), rest), left[some]))
            ways += left
        split = ways if to_anyone else np.ones(len(one))  # each who can answer answers; one splits among his targets
        event = matches.kept["event"]
        share = float(self.mechanism.then[way][1])
        return [
            (event[row], channel.astype(np.int64), share * weight / split[row], way, literals[row])
            for row, channel, weight in parts
        ]

    def _gather(self, known: list[tuple[Ints, Ints]], counted: list[tuple[Ints, Ints, Floats, int, Ints]]) -> Links:
        table, size, n = self.table, self.cast.size, len(self.table.move)
        none = np.zeros(0, np.int64)
        width = max([part.shape[1] for _, part in known] + [part[4].shape[1] for part in counted] + [0])

        def wide(part: Ints) -> Ints:
            return np.pad(part, ((0, 0), (0, width - part.shape[1])))

        key = np.concatenate([none, *(part[0] for part in known)])
        literals = np.concatenate([np.zeros((0, width), np.int64), *(wide(part[1]) for part in known)])
        linked, at, reason, reasons = reasons_of(key, literals)
        rest, target = np.divmod(linked, size)
        rest, source = np.divmod(rest, size)
        way, event = np.divmod(rest, n)
        acts = np.array([self.space.acts[reply.act] for reply, _ in self.mechanism.then], np.int64)
        channel = np.full(len(linked), -1, np.int64)
        for its_act in np.unique(acts[way]):
            own = acts[way] == its_act
            channel[own] = table.find(int(its_act), source[own], target[own])
        _, group, ways = np.unique(rest * size + source, return_inverse=True, return_counts=True)
        weight = np.array([float(share) for _, share in self.mechanism.then])[way] / ways[group.reshape(-1)]

        # counted links: their reasons are single, because each act has one match
        c_event = np.concatenate([none, *(part[0] for part in counted)])
        c_reply = np.concatenate([none, *(part[1] for part in counted)])
        c_weight = np.concatenate([np.zeros(0), *(part[2] for part in counted)])
        c_way = np.concatenate([none, *(np.full(len(part[0]), part[3]) for part in counted)])
        c_literals = np.concatenate([np.zeros((0, width), np.int64), *(wide(part[4]) for part in counted)])
        _, c_at, c_reason, c_reasons = reasons_of(np.arange(len(c_event)), c_literals)
        links = Links(
            event=np.concatenate([event[at], c_event[c_at]]),
            reply=np.concatenate([channel[at], c_reply[c_at]]),
            answer=np.concatenate([way[at], c_way[c_at]]),
            weight=np.concatenate([weight[at], c_weight[c_at]]),
            terms=np.concatenate([reason, c_reason + len(reasons)]).astype(np.int64),
            reasons=[*reasons, *c_reasons],
        )
        if not len(links.event):
            raise Misfit(
                Fault.at(self.path, "links no act that occurs to an answer that a move allows",
                      "moves and ties that fit when, given and then, or `answers: 0`")
            )  # fmt: skip
        # What a channel that stands for many sets off is the mean of its examples, and goes to others like it.
        from_rest = links.event >= table.n_listed
        its_rest = table.rest_of_move[table.move[links.reply]]
        of = table.move[links.event]
        return Links(
            event=np.where(from_rest, table.rest_of_move[of], links.event),
            reply=np.where(from_rest & (its_rest >= 0), its_rest, links.reply),
            answer=links.answer,
            weight=links.weight / np.where(from_rest, table.examples[of], 1),
            terms=links.terms,
            reasons=links.reasons,
        )

    def _nobody(self, reply: Pattern) -> Fault:
        said = f"{reply.subject} {third_person(reply.act)} {reply.object}"
        return Fault.at(
            f"{self.path}.then", f"'{said}' names nobody whom the act or a tie settles",
            "at least one actor of the answer known: a letter of `when`, one bound by a tie, or an actor by name",
        )  # fmt: skip

    def _several(self, event: Pattern, reply: Pattern) -> Fault:
        said = f"{reply.subject} {third_person(reply.act)} {reply.object}"
        when = f"{event.subject} {third_person(event.act)} {event.object}"
        return Fault.at(
            self.path, f"several ways in which '{when}' sets off '{said}' with anyone in it",
            "one: bind the letter that stands for anyone by a tie, or ask for no tie",
        )  # fmt: skip
