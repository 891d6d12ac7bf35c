"""What would a policy change, and how sure is that?

In: a scenario and interventions. Out: a `Comparison`: for every outcome the value without and with, and the paired
difference with its interval. Both worlds run on the same draws, so a run differs between them only through what the
intervention changed. Two sorts of doubt are told apart: chance, which more runs would lessen, and the scenario's own
ranges, which only knowledge would.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import LEVEL
from powderkeg.compare.effects import Effect, Under, effect, with_ranges
from powderkeg.compare.interventions import ELSE, Named, Plan, choose, for_example, plan
from powderkeg.compare.measures import (
    Measure,
    cause_names,
    causes,
    measures_of,
    outcome_measures,
    same,
    standoff_totals,
)
from powderkeg.compare.ranges import DrawnSets, drawn_sets, not_needed, set_to_an_end
from powderkeg.engine.worlds import World
from powderkeg.errors import Fault, PowderkegWarning, UsageError, Words, warn
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.result import Fit
from powderkeg.model import Model, filled, why_idle
from powderkeg.model import compile as compile_scenario
from powderkeg.reading.stored import canonical
from powderkeg.scenario import Scenario, digest
from powderkeg.showing import Plotted, as_html, progress_shown
from powderkeg.simulate import EVENT_LIMIT, Runs, simulate, stopped_words
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.jobs import days_of
from powderkeg.simulate.kept_pieces import plain_pieces
from powderkeg.simulate.memory import Budget, budget
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.plans import JobPlan, plan_of
from powderkeg.units import YEAR
from powderkeg.wording import counted

SETS = 40
"""Sets of parameter values drawn from the ranges."""

SHARED = 2
"""The sets share out a run for every so many runs at the scenario's own numbers."""

EVENTS_SHARE = 0.2
"""Of the memory, for the events of one world: there are two, and standoffs and outcomes are counted from them."""

SPAN = 500
"""Runs of a piece, in every world: what a kill can cost, and what a part of a job is made of."""

PIECES = plain_pieces("comparison")

ABOUT = ("outcomes", "standoffs", "mechanisms")
HOSTILE = "hostile acts"


@dataclass(frozen=True)
class Compared:
    """One intervention against the baseline.

    outcomes    the scenario's own questions
    standoffs   what standoffs there were
    mechanisms  hostile acts a year, all and by what set them off; the differences of the rest sum to that of all
    differing   share of runs in which anything at all is different
    stopped     runs that hit the event limit
    idle        why it cannot change anything, in words; "" where it can
    at_ends     paths that it sets to an end of their range: under other numbers nothing can have another sign
    not_needed  mechanisms that it acts on and of which the fit of the file cannot say that they answer at all
    """

    name: str
    title: str
    question: str
    outcomes: tuple[Effect, ...]
    standoffs: tuple[Effect, ...]
    mechanisms: tuple[Effect, ...]
    differing: float
    stopped: int
    idle: str = ""
    at_ends: tuple[str, ...] = ()
    not_needed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison(Plotted):
    """A scenario and what each intervention makes of it. `sets` is 0 where the ranges were left aside.

    each     runs behind each set of numbers
    stopped  runs of the baseline that hit the event limit; stopped_under: of all worlds under other numbers
    fitted   paths of the numbers that were drawn together, from what a fit left open
    aside    sets that were drawn and left aside, because under them the system feeds itself from its start
    """

    scenario: Scenario
    seed: int
    days: float
    replicates: int
    sets: int
    each: int
    level: float
    stopped: int
    interventions: tuple[Compared, ...]
    stopped_under: int = 0
    fitted: tuple[str, ...] = ()
    aside: int = 0

    def __repr__(self) -> str:
        tried = counted(len(self.interventions), "intervention")
        return f"Comparison({self.scenario.name}: {tried}, {self.replicates:,} pairs of runs, seed {self.seed})"

    def _repr_html_(self) -> str:
        return as_html(
            self,
            self.table().select("intervention", "title", "baseline", "value", "difference", "low", "high", "verdict"),
        )

    @property
    def years(self) -> float:
        return self.days / YEAR

    def table(self) -> pl.DataFrame:
        """One row for each intervention and number."""
        rows = [
            {"intervention": one.name, "about": about, **effect.as_dict()}
            for one in self.interventions
            for about in ABOUT
            for effect in getattr(one, about)
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "scenario": self.scenario.name,
            "digest": digest(self.scenario),
            "seed": self.seed,
            "years": self.years,
            "replicates": self.replicates,
            "parameter_sets": self.sets,
            "parameter_sets_left_aside": self.aside,
            "runs_a_set": self.each,
            "drawn_together": list(self.fitted),
            "level": self.level,
            "stopped": self.stopped,
            "stopped_under_other_numbers": self.stopped_under,
            "interventions": {
                one.name: {
                    "title": one.title,
                    "question": one.question,
                    "runs_that_differ": one.differing,
                    "cannot_act": one.idle or None,
                    "set_to_an_end_of_their_range": list(one.at_ends),
                    "acts_on_what_the_fit_does_not_need": list(one.not_needed),
                    "stopped": one.stopped,
                    **{about: {found.name: found.as_dict() for found in getattr(one, about)} for about in ABOUT},
                }
                for one in self.interventions
            },
        }


def compare(
    scenario: Scenario | Model | Fit,
    interventions: Iterable[str] | None = None,
    *,
    years: float | None = None,
    replicates: int = 10_000,
    seed: int = 1,
    workers: int | None = None,
    ranges: bool = True,
    sets: int | Sequence[Mapping[str, float]] = SETS,
    fitted: Joint | None = None,
    level: float = LEVEL,
    limit: int | None = None,
    memory: int | str | Budget | None = None,
    folder: str | os.PathLike[str] | JobPlan | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """The scenario with and without each intervention, on the same draws.

    scenario       or what it was compiled into, or a fit: then what the fit left open is among the other numbers
    interventions  names, or one; "a+b" is both at once; what the scenario does not foresee: "path=value" (more with +
                   between), "without X", X an actor, mechanism, tie, fact or act; default: all that the scenario has
    years          length of a run; default: the scenario's
    ranges         also under other numbers than the scenario's own, to see how far the answer hangs on them
    sets           how many sets of numbers to draw from the scenario's ranges, half as many runs as `replicates` shared
                   out among them in every world; or the sets themselves, {key path: value}
    fitted         the law of numbers that were fitted: they are drawn from it together, not from their ranges one by
                   one; those that stand at other values in the scenario are left out of it. By default that of a fit,
                   if one is given
    level          of every interval
    memory         bytes, or such as "4 GB", for the events of two worlds; default: half of what is free
    folder         where finished pieces are kept: called again after a stop, or a kill, it goes on, to the same bytes.
                   A `JobPlan` says more: a share of the pieces, or that shares are to be put together
    executor       of `concurrent.futures`, or what keeps to its protocol: makes the pieces instead of threads here
    progress       called now and then with the share done, 0 to 1

    Raises UsageError, before anything runs, for interventions that are unknown, do not apply or contradict each other;
    ModelError for the scenario, or an intervention, in which each run explodes; PartDone at the end of a share;
    WorkerError if the executor fails.
    """
    progress = progress_shown(progress, "comparing")
    if isinstance(scenario, Fit):
        fitted = Joint.of(scenario) if fitted is None else fitted
        scenario = scenario.model
    model = scenario if isinstance(scenario, Model) else compile_scenario(scenario)
    source = model.scenario
    if source is None:
        raise UsageError("a model made from bare arrays has no interventions")
    days = float(source.years) * YEAR if years is None else days_of(years)
    _check(days, replicates, sets, level)
    chosen = choose(source, source.interventions if interventions is None else interventions, as_typed=True)
    if not chosen:
        known = f"some of {', '.join(source.interventions)}, or " if source.interventions else ""
        found = "none asked for" if source.interventions else f"{source.name} has none"
        raise UsageError(Fault.at("interventions", found, Words(known, ELSE, for_example(source))))
    plans = _plans(model, chosen, days)  # every fault before the first run
    drawn, together, aside = drawn_sets(model, sets, seed, fitted) if ranges else DrawnSets([])
    each = max(replicates // (SHARED * len(drawn)), 2) if drawn else 0
    # Elsewhere a piece has one thread: there are as many pieces at a time as there are workers.
    threads, room = (workers, budget(memory)) if executor is None else (1, memory)
    task = WorldsTask(model, tuple(plans), days, replicates, seed, limit, tuple(drawn), each, threads, room)
    identity = {
        "scenario": digest(source), "interventions": [named.name for named in chosen], "seed": seed, "days": days,
        "replicates": replicates, "limit": limit, "sets": canonical(drawn).decode(),
    }  # fmt: skip
    plan_kept = plan_of(folder)
    told = None if executor is not None or progress is None else _Progress(progress, task.pieces)
    spans: list[Any] = []
    under: list[Any] = []
    with nullcontext() if plan_kept is None else JobFolder(plan_kept, identity, PIECES) as kept:
        make = task if told is None else told.around(task)
        for number, piece in enumerate(made_in_order(make, task.pieces, kept=kept, executor=executor)):
            (spans if number < task.spans else under).append(piece)
            if progress is not None and told is None:
                progress((number + 1) / task.pieces)
    compared, stopped = _all_compared(model, plans, spans, days, limit, level)
    by_name = {plan.named.name: [_under_of(piece[k]) for piece in under] for k, plan in enumerate(plans, 1)}
    compared = [_spread(one, by_name[one.name], level) for one in compared]
    compared = [
        replace(
            one,
            idle=why_idle(model, made.named.only_sets) if one.differing == 0.0 else "",
            at_ends=set_to_an_end(source, made.named.only_sets) if under else (),
            not_needed=not_needed(source, made.named.all_sets, made.named.leaves),
        )
        for one, made in zip(compared, plans, strict=True)
    ]
    cut_under = sum(int(piece[0]) for piece in under)
    return Comparison(
        source, seed, days, replicates, len(drawn), each, level, stopped, tuple(compared), cut_under, together, aside
    )  # fmt: skip


def _check(days: float, replicates: int, sets: Any, level: Any) -> None:
    faults = []
    if not (math.isfinite(days) and days > 0):
        faults.append(Fault.at("years", f"{days / YEAR:g}", "more than 0"))
    if not (isinstance(replicates, int) and replicates >= 2):
        faults.append(Fault.at("replicates", str(replicates), "2 or more: one run has no spread"))
    number = sets if isinstance(sets, int | str) else len(sets)
    if isinstance(number, str) or number < 2:
        faults.append(Fault.at("sets", str(number), "a whole number from 2 on"))
    if isinstance(level, str) or not 0.0 < level < 1.0:
        faults.append(Fault.at("level", str(level), "more than 0, less than 1"))
    if faults:
        raise UsageError(faults)


def _plans(model: Model, chosen: Iterable[Named], days: float) -> list[Plan]:
    plans, faults = [], []
    for named in chosen:
        try:
            plans.append(plan(model, named, days))
        except UsageError as error:
            faults += [fault for fault in error.faults if fault not in faults]
    if faults:
        raise UsageError(faults)
    return plans


class WorldMeasures(NamedTuple):
    """The measures of one world's runs."""

    outcomes: list[Measure]
    standoffs: list[Measure]
    mechanisms: list[Measure]


def _measured(model: Model, runs: Runs) -> dict[str, Any]:
    """What is kept of one world's runs: numbers of each run, as plain data."""
    return {
        "outcomes": [dict(vars(one)) for one in outcome_measures(model, runs)],
        "totals": standoff_totals(runs),
        "acts": causes(model, runs),
        "stopped": int(runs.exploded.sum()),
    }


def _joined(model: Model, parts: Sequence[Mapping[str, Any]], days: float) -> WorldMeasures:
    """The measures of all runs of a world, from what was kept of spans of them."""
    outcomes = [
        Measure(**{**one, "values": np.concatenate([part["outcomes"][k]["values"] for part in parts])})
        for k, one in enumerate(parts[0]["outcomes"])
    ]
    totals = {name: np.concatenate([part["totals"][name] for part in parts]) for name in parts[0]["totals"]}
    acts = np.concatenate([part["acts"] for part in parts])
    event = YEAR / days
    born = [Measure(HOSTILE, "all hostile acts", "count", "per year", acts.sum(axis=1), event)]
    born += [
        Measure(name, f"hostile acts from {name.replace('_', ' ')}", "count", "per year", acts[:, i], event)
        for i, name in enumerate(cause_names(model))
    ]
    return WorldMeasures(outcomes, measures_of(totals, days / YEAR), born)


@dataclass(frozen=True)
class WorldsTask:
    """Makes pieces of a comparison in any process: spans of runs in every world, then sets of other numbers."""

    model: Model
    plans: tuple[Plan, ...]
    days: float
    replicates: int
    seed: int
    limit: int | None
    drawn: tuple[Mapping[str, float], ...]
    each: int
    workers: int | None
    memory: int | str | Budget | None

    @property
    def spans(self) -> int:
        return -(-self.replicates // SPAN)

    @property
    def pieces(self) -> int:
        return self.spans + len(self.drawn)

    def __call__(self, number: int, tell: Callable[[float], None] | None = None) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PowderkegWarning)  # runs that hit the limit are counted
            if number < self.spans:
                return self._span(number, tell)
            return self._under(number - self.spans, tell)

    def _span(self, number: int, tell: Callable[[float], None] | None) -> list[dict[str, Any]]:
        """The baseline and every world over one span of runs."""
        span = (number * SPAN, min((number + 1) * SPAN, self.replicates))
        step = _Steps(tell, 1 + len(self.plans))
        base = self._simulated(self.model, None, self.replicates, self.seed, step, span, "the scenario as it is")
        found = [_measured(self.model, base)]
        for one in self.plans:
            world, what = one.world(self.model.system), f"interventions.{one.named.name}"
            runs = self._simulated(self.model, world, self.replicates, self.seed, step, span, what)
            found.append(_measured(self.model, runs) | {"alike": same(base, runs)})
        return found

    def _under(self, number: int, tell: Callable[[float], None] | None) -> list[Any]:
        """Runs that were stopped; then for every world what each measure differs by, under one set of numbers."""
        values, seed = self.drawn[number], self.seed + 1 + number
        step = _Steps(tell, 1 + len(self.plans))
        system = filled(self.model, values)
        other = replace(self.model, system=system)
        start = self._simulated(other, None, self.each, seed, step)
        found: list[Any] = [int(start.exploded.sum())]
        for one in self.plans:
            runs = self._simulated(other, one.world(system, values), self.each, seed, step)
            n = min(start.replicates, runs.replicates)  # fewer where one of them explodes from the first run on
            without, told = (_joined(other, [_measured(other, r.first(n))], self.days) for r in (start, runs))
            found.append([[*key, under.mean, under.chance] for key, under in _under(without, told).items()])
            found[0] += int(runs.exploded.sum())
        return found

    def _simulated(
        self, of: Model, world: World | None, count: int, seed: int, step: _Steps,
        span: tuple[int, int] | None = None, whole: str | None = None,
    ) -> Runs:  # fmt: skip
        with step.of(1.0) as told:
            return simulate(
                of, days=self.days, replicates=count, seed=seed, workers=self.workers, limit=self.limit,
                memory=budget(self.memory).part(EVENTS_SHARE), world=world, span=span, progress=told, whole=whole,
            )  # fmt: skip


class _Progress:
    """Progress over pieces that are made one after the other."""

    def __init__(self, progress: Callable[[float], None], pieces: int) -> None:
        self.progress, self.pieces = progress, pieces

    def around(self, task: WorldsTask) -> Callable[[int], Any]:
        """The task, telling how far it is."""

        def make(number: int) -> Any:
            made = task(number, lambda share: self.progress((number + share) / self.pieces))
            self.progress((number + 1) / self.pieces)
            return made

        return make


def _all_compared(
    model: Model, plans: Sequence[Plan], spans: Sequence[Any], days: float, limit: int | None, level: float
) -> tuple[list[Compared], int]:
    """Every world against the baseline, at the scenario's own numbers; and the baseline's runs that were stopped."""
    plain = _joined(model, [piece[0] for piece in spans], days)
    n_stopped = [sum(piece[k]["stopped"] for piece in spans) for k in range(len(plans) + 1)]
    n_runs = len(plain.standoffs[0].values)
    for n in n_stopped:
        if n:
            warn(stopped_words(n, n_runs, EVENT_LIMIT if limit is None else limit))
    compared = []
    for k, one in enumerate(plans, 1):
        told = _joined(model, [piece[k] for piece in spans], days)
        alike = np.concatenate([piece[k]["alike"] for piece in spans])
        compared.append(_compared(one.named, plain, told, alike, n_stopped[k], level))
    return compared, n_stopped[0]


def _under_of(rows: Sequence[Sequence[Any]]) -> dict[tuple[str, str], Under]:
    return {(about, name): Under(mean, chance) for about, name, mean, chance in rows}


def _pairs(without: WorldMeasures, told: WorldMeasures) -> Iterator[tuple[str, Measure, Measure]]:
    for about, one, other in zip(ABOUT, without, told, strict=True):
        known = {measure.name: measure for measure in other}
        yield from ((about, measure, known[measure.name]) for measure in one if measure.name in known)


def _compared(
    named: Named, without: WorldMeasures, told: WorldMeasures, alike: NDArray[np.bool_], stopped: int, level: float
) -> Compared:
    found: dict[str, list[Effect]] = {about: [] for about in ABOUT}
    for about, one, other in _pairs(without, told):
        made = effect(one, other, level, bool(alike.all()))
        if about != "mechanisms" or made.baseline or made.value:
            found[about].append(made)
    return Compared(
        named.name, named.title, named.question, tuple(found["outcomes"]), tuple(found["standoffs"]),
        tuple(found["mechanisms"]), float(1.0 - alike.mean()), stopped,
    )  # fmt: skip


def _under(without: WorldMeasures, told: WorldMeasures) -> dict[tuple[str, str], Under]:
    return {(about, one.name): Under.of(one, other) for about, one, other in _pairs(without, told)}


def _spread(one: Compared, under: Sequence[Mapping[tuple[str, str], Under]], level: float) -> Compared:
    def of(about: str) -> tuple[Effect, ...]:
        return tuple(
            with_ranges(found, [by[about, found.name] for by in under if (about, found.name) in by], level)
            for found in getattr(one, about)
        )

    return replace(one, outcomes=of("outcomes"), standoffs=of("standoffs"), mechanisms=of("mechanisms"))


class _Steps:
    """Progress over jobs of known sizes."""

    def __init__(self, progress: Callable[[float], None] | None, total: float) -> None:
        self._progress, self._total, self._done = progress, total, 0.0

    def of(self, size: float) -> _Step:
        return _Step(self, size)

    def tell(self, part: float) -> None:
        if self._progress is not None:
            self._progress(min((self._done + part) / self._total, 1.0))

    def done(self, size: float) -> None:
        self._done += size


class _Step:
    def __init__(self, steps: _Steps, size: float) -> None:
        self._steps, self._size = steps, size

    def __enter__(self) -> Callable[[float], None]:
        return lambda part: self._steps.tell(part * self._size)

    def __exit__(self, *_: object) -> None:
        self._steps.done(self._size)
