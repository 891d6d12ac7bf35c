"""What would a policy change, and how sure is that?

In: a scenario and interventions. Out: a `Comparison`: for every outcome the value without and with, and the paired
difference with its interval. Both worlds run on the same draws, so a run differs between them only through what the
intervention changed. Two sorts of doubt are told apart: chance, which more runs would lessen, and the scenario's own
ranges, which only knowledge would.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import LEVEL
from powderkeg.compare.effects import Effect, Under, effect, with_ranges
from powderkeg.compare.interventions import ELSE, Named, Plan, choose, plan
from powderkeg.compare.measures import Measure, causes, outcome_measures, same, standoff_measures
from powderkeg.compare.ranges import drawn_sets
from powderkeg.engine.worlds import World
from powderkeg.errors import Fault, PowderkegWarning, UsageError, Words
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.result import Fit
from powderkeg.model import Model, filled
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Scenario, digest
from powderkeg.simulate import Runs, simulate
from powderkeg.simulate.memory import Budget, budget
from powderkeg.units import YEAR

SETS = 40
"""Sets of parameter values drawn from the ranges."""

SHARED = 2
"""The sets share out a run for every so many runs at the scenario's own numbers."""

EVENTS_SHARE = 0.2
"""Of the memory, for the events of one world: there are two, and standoffs and outcomes are counted from them."""

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
    """

    name: str
    title: str
    question: str
    outcomes: tuple[Effect, ...]
    standoffs: tuple[Effect, ...]
    mechanisms: tuple[Effect, ...]
    differing: float
    stopped: int


@dataclass(frozen=True)
class Comparison:
    """A scenario and what each intervention makes of it. `sets` is 0 where the ranges were left aside.

    each     runs behind each set of numbers
    stopped  runs of the baseline that hit the event limit; stopped_under: of all worlds under other numbers
    fitted   paths of the numbers that were drawn together, from what a fit left open
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
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """The scenario with and without each intervention, on the same draws.

    scenario       or what it was compiled into, or a fit: then what the fit left open is among the other numbers
    interventions  names; "a+b" is both at once; what the scenario does not foresee: "path=value" (more of them with +
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
    progress       called now and then with the share done, 0 to 1

    Raises UsageError, before anything runs, for interventions that are unknown, do not apply or contradict each other;
    ModelError for the scenario, or an intervention, in which each run explodes.
    """
    if isinstance(scenario, Fit):
        fitted = Joint.of(scenario) if fitted is None else fitted
        scenario = scenario.model
    model = scenario if isinstance(scenario, Model) else compile_scenario(scenario)
    source = model.scenario
    if source is None:
        raise UsageError("a model made from bare arrays has no interventions")
    days = float(source.years) * YEAR if years is None else years * YEAR
    _check(days, replicates, sets, level)
    chosen = choose(source, source.interventions if interventions is None else interventions, as_typed=True)
    if not chosen:
        known = f"some of {', '.join(source.interventions)}, or " if source.interventions else ""
        found = "none asked for" if source.interventions else f"{source.name} has none"
        raise UsageError(Fault(None, None, "interventions", found, Words(known, ELSE)))
    plans = _plans(model, chosen, days)  # every fault before the first run
    drawn, together = drawn_sets(model, sets, seed, fitted) if ranges else ([], ())
    systems = [filled(model, values) for values in drawn]
    each = max(replicates // (SHARED * len(drawn)), 2) if drawn else 0
    step = _Steps(progress, (1 + len(chosen)) * (replicates + each * len(drawn)))

    room = budget(memory).part(EVENTS_SHARE)

    def run(of: Model, world: World | None, count: int, at_seed: int, whole: str | None = None) -> Runs:
        with step.of(count) as told:
            return simulate(
                of, days=days, replicates=count, seed=at_seed, workers=workers, limit=limit, memory=room, world=world,
                progress=told, whole=whole,
            )  # fmt: skip

    base = run(model, None, replicates, seed, "the scenario as it is")
    plain = _told(model, base)
    compared = []
    for one in plans:
        runs = run(model, one.world(model.system), replicates, seed, f"interventions.{one.named.name}")
        compared.append(_compared(one.named, plain, _told(model, runs), same(base, runs), runs, level))
        del runs
    stopped = int(base.exploded.sum())
    del base
    # Under other numbers: each set has its own baseline, its own draws, and the same interventions.
    under: dict[str, list[dict[tuple[str, str], Under]]] = {named.name: [] for named in chosen}
    stopped_under = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)  # runs that hit the limit are counted below
        for k, (values, system) in enumerate(zip(drawn, systems, strict=True)):
            other = replace(model, system=system)
            start = run(other, None, each, seed + 1 + k)
            stopped_under += int(start.exploded.sum())
            for one in plans:
                runs = run(other, one.world(system, values), each, seed + 1 + k)
                n = min(start.replicates, runs.replicates)  # fewer where one of them explodes from the first run on
                under[one.named.name].append(_under(_told(other, start.first(n)), _told(other, runs.first(n))))
                stopped_under += int(runs.exploded.sum())
    compared = [_spread(one, under[one.name], level) for one in compared]
    return Comparison(
        source, seed, days, replicates, len(drawn), each, level, stopped, tuple(compared), stopped_under, together
    )


def _check(days: float, replicates: int, sets: int | Sequence[Mapping[str, float]], level: float) -> None:
    faults = []
    if not (math.isfinite(days) and days > 0):
        faults.append(Fault(None, None, "years", f"{days / YEAR:g}", "more than 0"))
    if not (isinstance(replicates, int) and replicates >= 2):
        faults.append(Fault(None, None, "replicates", str(replicates), "2 or more: one run has no spread"))
    number = sets if isinstance(sets, int) else len(sets)
    if number < 2:
        faults.append(Fault(None, None, "sets", str(number), "a whole number from 2 on"))
    if not 0.0 < level < 1.0:
        faults.append(Fault(None, None, "level", str(level), "more than 0, less than 1"))
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


def _told(model: Model, runs: Runs) -> WorldMeasures:
    names, acts = causes(model, runs)
    event = YEAR / runs.days
    born = [Measure(HOSTILE, "all hostile acts", "count", "per year", acts.sum(axis=1), event)]
    born += [
        Measure(name, f"hostile acts from {name.replace('_', ' ')}", "count", "per year", acts[:, i], event)
        for i, name in enumerate(names)
    ]
    return WorldMeasures(outcome_measures(model, runs), standoff_measures(runs), born)


def _pairs(without: WorldMeasures, told: WorldMeasures) -> Iterator[tuple[str, Measure, Measure]]:
    for about, one, other in zip(ABOUT, without, told, strict=True):
        known = {measure.name: measure for measure in other}
        yield from ((about, measure, known[measure.name]) for measure in one if measure.name in known)


def _compared(
    named: Named, without: WorldMeasures, told: WorldMeasures, alike: NDArray[np.bool_], runs: Runs, level: float
) -> Compared:
    found: dict[str, list[Effect]] = {about: [] for about in ABOUT}
    for about, one, other in _pairs(without, told):
        made = effect(one, other, level, bool(alike.all()))
        if about != "mechanisms" or made.baseline or made.value:
            found[about].append(made)
    return Compared(
        named.name, named.title, named.question, tuple(found["outcomes"]), tuple(found["standoffs"]),
        tuple(found["mechanisms"]), float(1.0 - alike.mean()), int(runs.exploded.sum()),
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
