"""What a source shows of what happens, laid over a system while it is fitted.

In: what `fit.laying` finds in the window and its events. Out: a `Layer`: how much each day shows, and a system, sources
and a calendar in which that is a factor on every row of the likelihood.

A day shows a share of what happens, background and answers alike. Kinds of day (days of the week, holidays) are a fact
with a known path whose factors are log parameters; a usual working day is taken to show all. Epochs of the source
are another such fact, and coverage is known; both are relative, with mean 1, because nothing says what is missed at
the best of times.

What was not seen is a cause like the rest. A seen act counts as one, and beside it stand the acts that the fit itself
expects to have happened unseen on that day, channel by channel: what days show less of has the same weight as causes,
but without the noise of a few acts that count double. What acts seen later tell of them is added where it is seen
(`engine.likelihood.hindsight`). All rests on the estimates, so the fit takes a few rounds and ends where they no longer
move.

Further reports of an act are a mechanism of its own channel whose answers all come on the same day, so numbers of
reports have Borel's law (mean 1 / (1 - repeats)). A report counts for the chance that it is the first of its act, as
the likelihood of its day has it: one report is one act, five may be one act or five. Known detection by class scales
rates and answers, and a seen act stands for 1 / detection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.likelihood.design import Calendar, Shape, Sources
from powderkeg.fit.likelihood.asked import ReportingAsked
from powderkeg.fit.likelihood.objective import Data, Unseen

NEVER = 1e-6
"""Share that stands for none: of days on which the source never reports."""
SELDOM = 1e-4
"""Share below which a kind of day is taken to show nothing."""
MOST_UNSEEN = 20_000_000
"""Pieces of time times channels whose unseen acts are kept."""
AT_ONCE = 1e9
"""Decay, 1/day, of further reports: all on the day of the first."""
SETTLED = 1e-3
"""Largest move of a log factor, or of the share of repeats, in a round that counts as settled."""

Tell = Callable[[Floats, Floats, Floats], Floats]
"""Of the share that each piece shows, and (pieces, acts) unseen and of them foretold: `Unseen.told`."""


@dataclass(frozen=True)
class Layer:
    """How much of what happens each day shows. D days from `origin` on, before the window where there is history.

    start          day 0 of the window
    origin         first day of the record, 0 or below
    kinds          names of the kinds of day: days of the week, "holiday"; none where they are not asked for
    kind           (D,) kind of each day
    kind_factor    (kinds,) share of what happens that such a day shows; a usual working day shows all
    epoch          (D,) epoch of the source of each day;  epochs: first days of all but the first
    epoch_factor   (epochs + 1,) mean 1 over the window
    known          (D,) known coverage
    repeats        share of reports that are further ones of an act; None where each act has one
    detection      (acts,) known share of a channel's acts that are reported
    unseen         acts that are expected beside those seen; None before the first round, or where pieces of time times
                   channels are too many: then a seen act stands for 1 / (share shown) acts
    told_key, told_share   channel-days with reports (day * acts + channel), and the share of their reports that are
                   expected to be the first of an act; none before the first round
    held           whether all of it is known, and nothing is left to find
    """

    asked: ReportingAsked
    start: date
    origin: int
    kinds: tuple[str, ...]
    kind: Ints
    kind_factor: Floats
    epochs: tuple[date, ...]
    epoch: Ints
    epoch_factor: Floats
    known: Floats
    repeats: float | None
    detection: Floats
    n_acts: int
    unseen: Unseen | None = None
    told_key: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    told_share: Floats = field(default_factory=lambda: np.zeros(0))
    held: bool = False

    @property
    def lasting(self) -> Floats:
        """(D,) how much more or less than on average the source shows for a time, by coverage and epochs."""
        shown: Floats = self.known * self.epoch_factor[self.epoch]
        return shown

    @property
    def passing(self) -> Floats:
        """(D,) share that each kind of day shows of what the best kind shows."""
        return self.kind_factor[self.kind] if self.kinds else np.ones(len(self.known))

    @property
    def counts_unseen(self) -> bool:
        """Whether acts that were not seen stand beside those that were, or those seen count for more."""
        return self.unseen is not None

    @property
    def seen(self) -> Floats:
        """(D,) how much each day shows."""
        shown: Floats = self.lasting * self.passing
        return shown

    @property
    def free(self) -> list[tuple[str, int]]:
        """(path, level) of the factors that are estimated: one of each sort is the measure, and what no event shows is
        0."""
        found = []
        for name, names, factor in () if self.held else self._sorts():
            measure = int(factor.argmax())
            found += [
                (f"reporting.{name}.{names[k]}", k) for k in range(len(names)) if k != measure and factor[k] > SELDOM
            ]
        return found

    def _sorts(self) -> list[tuple[str, tuple[str, ...], Floats]]:
        sorts = []
        if self.kinds:
            sorts.append(("days", self.kinds, self.kind_factor))
        if self.epochs:
            sorts.append(("breaks", self.epoch_names, self.epoch_factor))
        return sorts

    @property
    def epoch_names(self) -> tuple[str, ...]:
        return ("before", *(day.isoformat() for day in self.epochs))

    def worth(self, data: Data, now: bool = False) -> Floats:
        """(N,) how many acts each event stands for as a cause of others; `now`: of others on its own day.

        How many reports a day holds tells how many acts they are, and so may speak of later days, but not of itself.
        """
        day = np.clip(np.floor(data.time).astype(np.int64) - self.origin, 0, len(self.known) - 1)
        shown = self.lasting if self.counts_unseen else self.seen
        # a day that shows nothing has no event in the record, but a check may put one there
        once = np.full(len(day), 1.0 - (self.repeats or 0.0)) if now else self.once(data, self.n_acts)
        return np.asarray(once / np.maximum(shown[day], 1e-3))

    def once(self, data: Data, n_acts: int) -> Floats:
        """(N,) chance that each report is the first of an act."""
        found = np.full(len(data.time), 1.0 - (self.repeats or 0.0))
        if len(self.told_key):
            key = np.floor(data.time).astype(np.int64) * n_acts + data.channel
            at = np.minimum(np.searchsorted(self.told_key, key), len(self.told_key) - 1)
            known = self.told_key[at] == key
            found[known] = self.told_share[at[known]]
        return found

    def anew(self) -> Layer:
        """The layer for another record of the same source: what was concluded from this one is forgotten."""
        none = np.zeros(0)
        return replace(self, unseen=None, told_key=none.astype(np.int64), told_share=none)

    def laid_over(self, shape: Shape) -> Shape:
        """A course of the background with the times at which the source shows more or less on top."""
        lasting = self.lasting[-self.origin :]
        turns = np.flatnonzero(np.diff(lasting)) + 1.0
        time = np.unique(np.concatenate([shape.time, turns[turns < shape.time[-1]]]))
        middle = 0.5 * (time[1:] + time[:-1])
        at = np.clip(np.searchsorted(shape.time, middle, side="right") - 1, 0, len(shape.row) - 1)
        offset = shape.offset[at] * lasting[np.minimum(np.floor(middle).astype(np.int64), len(lasting) - 1)]
        return Shape(time, offset, shape.row[at], shape.basis)

    def with_unseen(self, edge: Floats, expected: Floats, foretold: Floats, tell: Tell | None) -> Layer:
        """The layer with the unseen acts that go with (pieces, acts) expected to be seen.

        edge, foretold  bounds of the pieces, and what each is foretold by the morning: see `Unseen`
        tell            what acts seen later tell of them; None where that is not kept
        """
        day = np.floor(0.5 * (edge[1:] + edge[:-1])).astype(np.int64) - self.origin
        passing, lasting = self.passing[day, None], self.lasting[day, None]
        less = (1.0 - np.minimum(passing, 1.0)) / (np.maximum(passing, NEVER) * lasting)
        unseen, morning = expected * less, foretold * less
        told = np.zeros((*unseen.shape, 1)) if tell is None else tell(self.seen[day], unseen, morning)
        return replace(self, unseen=Unseen(edge, unseen, told, morning))

    def moved(self, log_by_path: dict[str, float], repeats: float | None) -> tuple[Layer, float]:
        """(the layer at the estimates found around it, the largest move)."""
        moves = [0.0]
        factors = {}
        for name, names, factor in () if self.held else self._sorts():
            times = np.array([np.exp(log_by_path.get(f"reporting.{name}.{one}", 0.0)) for one in names])
            new = self.scaled(name, factor * times)
            has = factor > SELDOM
            moves.append(float(np.abs(np.log(new[has] / factor[has])).max()))
            factors[name] = new
        if repeats is not None:
            moves.append(abs(repeats - (self.repeats or 0.0)))
        layer = replace(
            self, kind_factor=factors.get("days", self.kind_factor),
            epoch_factor=factors.get("breaks", self.epoch_factor), repeats=repeats,
        )  # fmt: skip
        return layer, max(moves)

    def scaled(self, name: str, factor: Floats) -> Floats:
        whole = _usual(factor) if name == "days" else float(self.measure(name) @ factor)
        return np.asarray(np.maximum(factor / whole, NEVER))

    def measure(self, name: str) -> Floats:
        """(levels,) weights under which the factors of a sort have mean 1."""
        if name == "breaks":
            inside = self.epoch[max(-self.origin, 0) :]
            share = np.bincount(inside, minlength=len(self.epoch_factor)).astype(np.float64)
            return np.asarray(share / share.sum())
        weekday = np.array([kind != "holiday" for kind in self.kinds], np.float64)
        return np.asarray(weekday / weekday.sum())

    def calendar(self) -> Calendar:
        """The lines that a design reads; facts are numbered from 0 on in the order of `facts`."""
        lines: list[tuple[float, int, int, float]] = []
        paths = [self.kind] if self.kinds else []
        paths += [self.epoch] if self.epochs else []
        for s, levels in enumerate(paths):
            turns = np.flatnonzero(np.diff(levels)) + 1
            lines += [(float(self.origin + t), s, int(levels[t]), 1.0) for t in turns]
        turns = np.flatnonzero(np.diff(self.known, prepend=1.0))
        lines += [(float(self.origin + t), -1, 0, float(self.known[t])) for t in turns]
        lines.sort(key=lambda line: line[0])
        columns = list(zip(*lines, strict=True)) if lines else [(), (), (), ()]
        return Calendar(
            np.array(columns[0], np.float64), np.array(columns[1], np.int64), np.array(columns[2], np.int64),
            np.array(columns[3], np.float64),
        )  # fmt: skip

    def over(self, system: System, sources: Sources, n_acts: int) -> tuple[System, Sources, Calendar]:
        """The system with the layer over it, where its numbers come from, and the calendar."""
        n_facts = system.n_facts
        calendar = self.calendar()
        calendar = calendar._replace(fact=np.where(calendar.fact >= 0, calendar.fact + n_facts, -1))
        system, sources = self._with_factors(system, sources, n_acts)
        if len(self.detection):
            d = np.append(self.detection, np.ones(system.n_channels - n_acts))
            source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))
            scale = sources.edge_scale * d[system.edge_target] / d[source]
            sources = sources._replace(rate_scale=sources.rate_scale * self.detection, edge_scale=scale)
        if self.repeats is not None:
            system, sources = _with_repeats(system, sources, n_acts, self.repeats)
        return system, sources, calendar

    def _with_factors(self, system: System, sources: Sources, n_acts: int) -> tuple[System, Sources]:
        """Facts for kinds of day and epochs, read by the gate of every channel that is an act."""
        numbers = {path: sources.n_factors + k for k, (path, _) in enumerate(self.free)}
        entries, factors, parameters, levels, initial = [], [system.level_factor], [sources.factor_parameter], [], []
        at = len(system.level_factor)
        for s, (name, names, factor) in enumerate(self._sorts()):
            # the factors of the round before, known, and what is still to be found around them
            free = np.array([numbers.get(f"reporting.{name}.{one}", -1) for one in names], np.int64)
            factors += [factor, np.ones(len(names))]
            parameters += [np.full(len(names), -1, np.int64), free]
            entries += [(system.n_facts + s, at), (system.n_facts + s, at + len(names))]
            at += 2 * len(names)
            levels.append(len(names))
            initial.append(int((self.kind if name == "days" else self.epoch)[0]))
        if sources.factor_power is not None:
            more = sum(len(one) for one in factors[1:])
            sources = sources._replace(factor_power=np.append(sources.factor_power, np.ones(more)))
        gates, row_of = np.unique(system.channel_gate[:n_acts], return_inverse=True)
        n_rows = len(system.row_start) - 1
        sizes, fact, offset = [], [system.entry_fact], [system.entry_offset]
        for gate in gates:
            own = slice(int(system.row_start[gate]), int(system.row_start[gate + 1]))
            fact += [system.entry_fact[own], np.array([f for f, _ in entries], np.int64)]
            offset += [system.entry_offset[own], np.array([o for _, o in entries], np.int64)]
            sizes.append(own.stop - own.start + len(entries))
        channel_gate = system.channel_gate.copy()
        channel_gate[:n_acts] = n_rows + row_of
        cells = int(system.level_start[-1])
        watched = system._replace(
            channel_gate=channel_gate, row_start=np.append(system.row_start, system.row_start[-1] + np.cumsum(sizes)),
            entry_fact=np.concatenate(fact), entry_offset=np.concatenate(offset), level_factor=np.concatenate(factors),
            level_start=np.append(system.level_start, cells + np.cumsum(np.array(levels, np.int64))),
            initial_level=np.append(system.initial_level, np.array(initial, np.int64)),
            timer_start=np.append(system.timer_start, np.full(sum(levels), system.timer_start[-1])),
        )  # fmt: skip
        return watched, sources._replace(
            factor_parameter=np.concatenate(parameters), n_factors=sources.n_factors + len(numbers)
        )


def _with_repeats(system: System, sources: Sources, n_acts: int, repeats: float) -> tuple[System, Sources]:
    """One more mechanism, the last: an act's further reports, in its own channel."""
    at = system.edge_start[1 : n_acts + 1]  # each at the end of its channel's links
    again = np.arange(n_acts)
    number = system.n_mechanisms
    known = np.zeros(number, bool) if sources.repeats is None else sources.repeats
    later = np.minimum(np.arange(len(system.edge_start)), n_acts)
    watched = system._replace(
        edge_start=system.edge_start + later, edge_target=np.insert(system.edge_target, at, again),
        edge_mechanism=np.insert(system.edge_mechanism, at, number), edge_mass=np.insert(system.edge_mass, at, repeats),
        edge_gate=np.insert(system.edge_gate, at, 0),
        kernel_start=np.append(system.kernel_start, system.kernel_start[-1] + 1),
        kernel_share=np.append(system.kernel_share, 1.0), kernel_decay=np.append(system.kernel_decay, AT_ONCE),
    )  # fmt: skip
    return watched, sources._replace(edge_scale=np.insert(sources.edge_scale, at, 1.0), repeats=np.append(known, True))


def _usual(factor: Floats) -> float:
    """What a usual working day shows: the mean of the second to fourth of seven days, or of ordinary days.

    The largest of several estimates is too large, and all that falls short of it would count as unseen.
    """
    return float(np.sort(factor[:7])[-4:-1].mean()) if len(factor) >= 7 else float(factor[0])
