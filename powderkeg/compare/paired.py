"""What would a policy change, and how sure is that?

In: a scenario and interventions. Out: a `Comparison`: for every outcome the value without and with, and the paired
difference with its interval. Both worlds run on the same draws, so a run differs between them only through what the
intervention changed. Two sorts of doubt are told apart: chance, which more runs would lessen, and the scenario's own
ranges, which only knowledge would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from powderkeg.analyze import LEVEL
from powderkeg.compare.interventions import Named, choose, intervene
from powderkeg.compare.measures import Measure, causes, outcome_measures, same, standoff_measures
from powderkeg.compare.ranges import draw_values
from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError
from powderkeg.model import Model
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Scenario, digest, edit
from powderkeg.simulate import DAYS_PER_YEAR, Runs, simulate

SETS = 20
"""Sets of parameter values drawn from the ranges, the runs shared out among them."""


@dataclass(frozen=True)
class Effect:
    """One outcome in two worlds. Everything is in `unit`; None where it cannot be known.

    baseline, value  means without and with the intervention
    difference       value - baseline; low, high: its interval by chance, at the scenario's own numbers
    unpaired_ratio   how many times as many runs without pairing would have been as sure; None where nothing varied
    range_low, range_high  where the difference lies under other numbers from the scenario's ranges, chance set apart
    same_sign        share of the sets of numbers in which the difference has the sign of this one
    """

    name: str
    title: str
    kind: str
    unit: str
    better: str | None
    baseline: float
    value: float
    difference: float
    low: float
    high: float
    unpaired_ratio: float | None
    runs: int
    range_low: float | None = None
    range_high: float | None = None
    same_sign: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the scenario calls the change better or worse; "no clear change" where the interval holds 0."""
        if self.low <= 0.0 <= self.high:
            return "no change" if self.low == self.high == 0.0 else "no clear change"
        if self.better is None:
            return "more" if self.difference > 0 else "less"
        return "better" if (self.difference < 0) == (self.better == "less") else "worse"


@dataclass(frozen=True)
class Compared:
    """One intervention against the baseline.

    outcomes    the scenario's own questions
    standoffs   what standoffs there were
    mechanisms  hostile acts a year by what bore them; their differences sum to that of all hostile acts
    differing   share of runs in which anything at all is different
    """

    name: str
    title: str
    question: str
    outcomes: tuple[Effect, ...]
    standoffs: tuple[Effect, ...]
    mechanisms: tuple[Effect, ...]
    differing: float


@dataclass(frozen=True)
class Comparison:
    """A scenario and what each intervention makes of it. `sets` is 0 where the ranges were left aside."""

    scenario: Scenario
    seed: int
    days: float
    replicates: int
    sets: int
    level: float
    interventions: tuple[Compared, ...]

    def table(self) -> pl.DataFrame:
        """One row for each intervention and number."""
        rows = [
            {"intervention": one.name, "about": about, **_data(effect), "verdict": effect.verdict}
            for one in self.interventions
            for about in ("outcomes", "standoffs", "mechanisms")
            for effect in getattr(one, about)
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "scenario": self.scenario.name,
            "digest": digest(self.scenario),
            "seed": self.seed,
            "years": self.days / DAYS_PER_YEAR,
            "replicates": self.replicates,
            "parameter_sets": self.sets,
            "level": self.level,
            "interventions": {
                one.name: {
                    "title": one.title,
                    "question": one.question,
                    "runs_that_differ": one.differing,
                    **{
                        about: {effect.name: _data(effect) for effect in getattr(one, about)}
                        for about in ("outcomes", "standoffs", "mechanisms")
                    },
                }
                for one in self.interventions
            },
        }


def compare(
    scenario: Scenario | Model,
    interventions: Iterable[str],
    *,
    years: float | None = None,
    replicates: int = 10_000,
    seed: int = 1,
    workers: int | None = None,
    ranges: bool = True,
    sets: int = SETS,
    level: float = LEVEL,
    limit: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """The scenario with and without each intervention, on the same draws.

    interventions  names; "a+b" is both at once
    years          length of a run; default: the scenario's
    ranges         also draw the scenario's numbers from their ranges: `sets` sets, `replicates` runs among them, in
                   every world, to see how far the answer hangs on them
    level          of every interval
    progress       called now and then with the share done, 0 to 1

    Raises UsageError, before anything runs, for interventions that are unknown, do not apply or contradict each other.
    """
    model = scenario if isinstance(scenario, Model) else compile_scenario(scenario)
    source = model.scenario
    if source is None:
        raise UsageError("a model made from bare arrays has no interventions")
    if not (isinstance(sets, int) and sets >= 2):
        raise UsageError(Fault(None, None, "sets", str(sets), "a whole number from 2 on"))
    if not 0.0 < level < 1.0:
        raise UsageError(Fault(None, None, "level", str(level), "more than 0, less than 1"))
    days = float(source.years) * DAYS_PER_YEAR if years is None else years * DAYS_PER_YEAR
    chosen = choose(source, interventions)
    if not chosen:
        raise UsageError(Fault(None, None, "interventions", "none", f"some of {', '.join(source.interventions)}"))
    asked = {named.name: intervene(model, named, days) for named in chosen}  # every fault before the first run
    drawn = draw_values(model, sets, seed) if ranges else []
    each = max(replicates // max(len(drawn), 1), 2)
    step = _Steps(progress, (1 + len(chosen)) * (1 + (each * len(drawn)) / replicates))

    def run(of: Model, named: Named | None, count: int, at_seed: int) -> Runs:
        world = None if named is None else asked[named.name] if of is model else intervene(of, named, days)
        with step.of(count / replicates) as told:
            return simulate(
                of, days=days, replicates=count, seed=at_seed, workers=workers, limit=limit, world=world, progress=told
            )

    base = run(model, None, replicates, seed)
    plain = _Told.of(model, base)
    compared = []
    for named in chosen:
        runs = run(model, named, replicates, seed)
        compared.append(_compared(named, plain, _Told.of(model, runs), same(base, runs), level))
        del runs
    del base
    # Under other numbers: each set has its own baseline, its own draws, and the same interventions.
    under: dict[str, list[tuple[list[Effect], list[Effect], list[Effect]]]] = {named.name: [] for named in chosen}
    for k, values in enumerate(drawn):
        other = compile_scenario(edit(source, values))
        without = _Told.of(other, run(other, None, each, seed + 1 + k))
        for named in chosen:
            told = _Told.of(other, run(other, named, each, seed + 1 + k))
            under[named.name].append(tuple(_effects(a, b, level) for a, b in zip(without, told, strict=True)))  # type: ignore[arg-type]
    if drawn:
        compared = [_with_ranges(one, under[one.name], level) for one in compared]
    return Comparison(source, seed, days, replicates, len(drawn), level, tuple(compared))


class _Told(tuple[list[Measure], list[Measure], list[Measure]]):
    """The measures of one world's runs: outcomes, standoffs, mechanisms."""

    @staticmethod
    def of(model: Model, runs: Runs) -> _Told:
        names, acts = causes(model, runs)
        years = runs.days / DAYS_PER_YEAR
        born = [
            Measure(name, f"hostile acts a year from {name}", "count", "per year", acts[:, i], 1.0 / years)
            for i, name in enumerate(names)
        ]
        return _Told((outcome_measures(model, runs), standoff_measures(runs), born))


def _compared(named: Named, without: _Told, told: _Told, alike: np.ndarray, level: float) -> Compared:
    outcomes, standoffs, mechanisms = (_effects(a, b, level) for a, b in zip(without, told, strict=True))
    happened = tuple(effect for effect in mechanisms if effect.baseline or effect.value)
    return Compared(
        named.name, named.title, named.question, tuple(outcomes), tuple(standoffs), happened, float(1.0 - alike.mean())
    )


def _effects(without: Sequence[Measure], told: Sequence[Measure], level: float) -> list[Effect]:
    other = {measure.name: measure for measure in told}
    return [effect(one, other[one.name], level) for one in without if one.name in other]


def effect(one: Measure, other: Measure, level: float = LEVEL) -> Effect:
    """One measure in two worlds run by run, with the interval of the mean difference.

    Student's interval; for things that happen or do not, and where few runs differ, the interval from the numbers of
    runs that went up and that went down, each as a Poisson count (Garwood), put together as Zou & Donner (2008,
    Statistics in Medicine 27, 1693-1702) do: it is never empty where any run differs.
    """
    d = other.values - one.values
    n = len(d)
    mean = float(d.mean())
    spread = float(d.var(ddof=1)) if n > 1 else math.nan
    apart = float(one.values.var(ddof=1) + other.values.var(ddof=1)) if n > 1 else math.nan
    up, down = d > 0, d < 0
    if not (up.any() or down.any()):
        low = high = 0.0
    elif one.event and (up.sum() + down.sum() < 100 or one.kind == "any"):
        low, high = _few(d, up, down, one.event, level)
    else:
        half = float(stats.t.ppf(0.5 + level / 2.0, n - 1)) * math.sqrt(spread / n)
        low, high = mean - half, mean + half
    return Effect(
        one.name, one.title, one.kind, one.unit, one.better, float(one.values.mean()), float(other.values.mean()),
        mean, low, high, apart / spread if spread > 0 else None, n,
    )  # fmt: skip


def _few(d: Floats, up: np.ndarray, down: np.ndarray, event: float, level: float) -> tuple[float, float]:
    """Interval of a mean difference from how many runs rose and how many fell, and by how much each on average."""
    tail = (1.0 - level) / 2.0

    def side(which: np.ndarray) -> tuple[float, float, float]:
        count = int(which.sum())
        size = float(np.abs(d[which]).mean()) if count else event
        low = 0.0 if count == 0 else float(stats.gamma.ppf(tail, count))
        return count * size, low * size, float(stats.gamma.ppf(1.0 - tail, count + 1)) * size

    (rise, rise_low, rise_high), (fall, fall_low, fall_high) = side(up), side(down)
    middle = rise - fall
    low = middle - math.hypot(rise - rise_low, fall_high - fall)
    high = middle + math.hypot(rise_high - rise, fall - fall_low)
    return low / len(d), high / len(d)


def _with_ranges(
    one: Compared, under: Sequence[tuple[list[Effect], list[Effect], list[Effect]]], level: float
) -> Compared:
    def spread(effects: tuple[Effect, ...], about: int) -> tuple[Effect, ...]:
        by_name = [{other.name: other for other in found[about]} for found in under]
        return tuple(
            _under_ranges(one, [others[one.name] for others in by_name if one.name in others], level) for one in effects
        )

    return Compared(
        one.name, one.title, one.question, spread(one.outcomes, 0), spread(one.standoffs, 1),
        spread(one.mechanisms, 2), one.differing,
    )  # fmt: skip


def _under_ranges(one: Effect, others: Sequence[Effect], level: float) -> Effect:
    """Where the difference lies under other numbers: the sets' differences, each drawn towards their mean by as much of
    its spread as chance explains, so that few runs a set do not pass for doubt about the numbers."""
    if len(others) < 2:
        return one
    d = np.array([other.difference for other in others])
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    chance = np.array([((other.high - other.low) / (2.0 * z)) ** 2 for other in others])
    between = max(float(d.var(ddof=1)) - float(chance.mean()), 0.0)
    whole = between + chance
    kept = np.sqrt(np.divide(between, whole, out=np.zeros_like(whole), where=whole > 0))
    drawn = d.mean() + kept * (d - d.mean())
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    agree = float((np.sign(d) == np.sign(one.difference)).mean())
    return Effect(**{**_data(one), "range_low": float(low), "range_high": float(high), "same_sign": agree})


def _data(effect: Effect) -> dict[str, Any]:
    return dict(effect.__dict__)


class _Steps:
    """Progress over jobs of known shares."""

    def __init__(self, progress: Callable[[float], None] | None, total: float) -> None:
        self._progress, self._total, self._done = progress, total, 0.0

    def of(self, share: float) -> _Step:
        return _Step(self, share)

    def tell(self, share: float) -> None:
        if self._progress is not None:
            self._progress(min((self._done + share) / self._total, 1.0))

    def done(self, share: float) -> None:
        self._done += share


class _Step:
    def __init__(self, steps: _Steps, share: float) -> None:
        self._steps, self._share = steps, share

    def __enter__(self) -> Callable[[float], None]:
        return lambda part: self._steps.tell(part * self._share)

    def __exit__(self, *_: object) -> None:
        self._steps.done(self._share)


def effects(comparison: Comparison) -> Iterator[tuple[str, Effect]]:
    """Every outcome and standoff number, with the name of its intervention."""
    for one in comparison.interventions:
        for effect in (*one.outcomes, *one.standoffs):
            yield one.name, effect
