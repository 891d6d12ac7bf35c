"""How do the answers move when the numbers do, over a grid, a designed sample, or all ranges at once?

In: a scenario and axes (key paths with values or limits). Out: a `Sweep`: every point's outcomes, each with its paired
difference to the scenario as it stands; or a `Sensitivity`: how much of the variance each number is answerable for.
All points share their draws, so neighbouring points differ by what the numbers do and not by chance.
"""

from __future__ import annotations

import itertools
import math
import os
import pickle
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from powderkeg.analyze.intervals import average
from powderkeg.compare.effects import effect
from powderkeg.compare.measures import Measure, outcome_measures, standoff_measures
from powderkeg.compare.ranges import latin_hypercube, ranged, value_at
from powderkeg.engine.arrays import Floats, System
from powderkeg.engine.worlds import Phase, World, world
from powderkeg.errors import Fault, PowderkegError, UsageError, nearest_name
from powderkeg.model import Model, filled
from powderkeg.model import compile as compile_scenario
from powderkeg.model.register import Register
from powderkeg.reading.stored import ListShape, NumberShape, RecordShape, TextShape, maybe
from powderkeg.scenario import Given, Scenario, digest, edit, paths, scenario_of
from powderkeg.showing import Plotted, as_html, progress_shown
from powderkeg.simulate import Runs, simulate
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.jobs import days_of
from powderkeg.simulate.kept_pieces import points_of
from powderkeg.simulate.memory import Budget, budget
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.plans import JobPlan, plan_of
from powderkeg.units import YEAR, spoken_rate
from powderkeg.wording import counted

_SAID, _FOUND = maybe(TextShape()), maybe(NumberShape())
ROWS = ListShape(
    RecordShape(
        dict.fromkeys(("outcome", "title", "unit"), TextShape())
        | dict.fromkeys(("better",), _SAID)
        | dict.fromkeys(("value", "value_low", "value_high", "baseline", "difference", "low", "high"), _FOUND)
        | {"stopped": NumberShape(least=0, whole=True)},
        {"runs": NumberShape(least=1, whole=True)},
    )
)
"""A point as it is kept: a row for each outcome."""
POINTS = points_of(ROWS)

Design = Literal["grid", "sobol", "latin"]
MOST_POINTS = 1_000_000
EVENTS_SHARE = 0.2
"""Of the memory, for the events of one point: as in a comparison."""


@dataclass(frozen=True)
class Axis:
    """A key path, and the values it takes.

    values  of a grid, in days, per day, or as fractions; or texts and truths where the path holds no number
    low, high  ends that a designed sample is drawn between; None where there are only values
    """

    path: str
    values: tuple[Any, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Sweep(Plotted):
    """All points of a sweep: a row for each point and outcome.

    columns of `table`: point; one for each path, in days, per day, or as fractions; outcome, title, unit, better; value
    with its interval, value_low and value_high; baseline, and the paired difference to it with its interval, low and
    high; stopped (runs at the event limit)
    """

    scenario: Scenario
    axes: tuple[Axis, ...]
    design: str
    seed: int
    days: float
    replicates: int
    table: pl.DataFrame

    def __repr__(self) -> str:
        points = counted(self.table["point"].n_unique(), "point")
        over = ", ".join(one.path for one in self.axes)
        each = f"{counted(self.replicates, 'run')} each, seed {self.seed}"
        return f"Sweep({self.scenario.name}: {points} over {over}, {each})"

    def _repr_html_(self) -> str:
        return as_html(self, self.spoken()[0].drop("point"))

    @property
    def outcomes(self) -> list[str]:
        """Names of the outcomes, in the order of the table."""
        return _outcomes_of(self.table)

    def spoken(self) -> tuple[pl.DataFrame, list[str]]:
        """The table as people read it, and its columns of swept values: each named with its unit, rates by the year
        where none is above one in three days."""
        units = {one.path: one.unit for one in Register(self.scenario).parameters}
        table, names = self.table, []
        for path in (one.path for one in self.axes):
            unit, scale = units.get(path, ""), 1.0
            if unit == "per day" and table.height:
                scale, unit = spoken_rate(float(table[path].to_numpy().max()))
            name = f"{path}, {unit}" if unit else path
            told = pl.col(path) * scale if scale != 1.0 else pl.col(path)
            table = table.with_columns(told.alias(path)).rename({path: name})
            names.append(name)
        return table, names


def _outcomes_of(table: pl.DataFrame) -> list[str]:
    return table["outcome"].unique(maintain_order=True).to_list() if len(table) else []


def axis(scenario: Scenario, path: str, written: str) -> Axis:
    """An axis from `low:high:n`, `low:high` or `value,value,...`, each value as written in a scenario.

    Raises UsageError for an unknown path, with the nearest one, and for values that do not fit there.
    """
    parts = [part.strip() for part in written.split(":")]
    if len(parts) == 1:
        try:
            return Axis(path, tuple(_value(scenario, path, part.strip()) for part in written.split(",")))
        except UsageError as error:
            # What reads like a range may well be meant as one: 0.05-0.5.
            expected = "; LOW:HIGH:N for N values between two" if path in paths(scenario) else ""
            raise UsageError(replace(one, expected=one.expected + expected) for one in error.faults) from error
    faults = []
    # Digits of other scripts, and ³, are digits to Python's tests of text but not all to `int`.
    is_count = len(parts) < 3 or (re.fullmatch("[0-9]{1,7}", parts[2]) and 2 <= int(parts[2]) <= MOST_POINTS)
    if len(parts) > 3 or not is_count:
        faults.append(Fault.at(path, repr(written), "LOW:HIGH:N with N of 2 or more, or values after commas"))
        raise UsageError(faults)
    low, high = (_value(scenario, path, part) for part in parts[:2])
    if not (isinstance(low, float) and isinstance(high, float)):
        raise UsageError(Fault.at(path, "no number", "values after commas, such as true,false"))
    if not low < high:
        raise UsageError(Fault.at(path, f"from {parts[0]} to {parts[1]}", "a low end below the high one"))
    count = int(parts[2]) if len(parts) == 3 else 0
    return Axis(path, tuple(np.linspace(low, high, count).tolist()) if count else (), low, high)


def _value(scenario: Scenario, path: str, text: object) -> Any:
    """A value, perhaps written, as the scenario holds it: a float, or what is no number."""
    try:
        found = paths(edit(scenario, {path: text}))[path]
    except PowderkegError as error:
        raise UsageError(error.faults) from error
    return float(found.value) if hasattr(found, "value") else found


def sweep(
    scenario: Given | Model,
    axes: Sequence[Axis | str] | Mapping[str, str],
    *,
    design: Design = "grid",
    samples: int = 64,
    years: float | None = None,
    replicates: int = 1_000,
    seed: int = 1,
    workers: int | None = None,
    limit: int | None = None,
    memory: int | str | Budget | None = None,
    folder: str | os.PathLike[str] | JobPlan | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Sweep:
    """The outcomes at every point.

    axes     `Axis`, or as written: ["path=low:high:n"], {path: "value,value"}; or {path: [value, value]}
    memory   bytes, or such as "4 GB", for the events of two points; default: half of what is free
    design   "grid": every combination of the axes' values. "sobol", "latin": `samples` points between their ends
    folder   where finished points are kept: called again after a stop, or a kill, it goes on, to the same bytes. A
             `JobPlan` says more: a share of the points, or that shares are to be put together
    executor of `concurrent.futures`, or what keeps to its protocol: makes the points instead of threads here
    limit    events of a run before it is stopped, see `simulate`

    Raises UsageError for axes that cannot be met, and for a folder that another sweep made or that another process
    works in; DiskError if there is no room for a point; PartDone at the end of a share; WorkerError if the executor
    fails. Points that were changed or cut off are named and made again.
    """
    progress = progress_shown(progress, "sweep")
    model = compile_scenario(scenario)
    scenario = scenario_of(scenario)
    axes = _axes(scenario, axes)
    points = _points(axes, design, samples, seed)
    days = _days(scenario, years)
    about = {"design": design, "axes": [[one.path, list(one.values), one.low, one.high] for one in axes]}
    asked = _Asked(days, replicates, seed, limit, workers, memory, folder, executor, progress)
    results = _run(model, points, about, asked)
    rows = [
        {"point": number, **_plain(point), **row}
        for number, (point, found) in enumerate(zip(points, results, strict=True))
        for row in found
    ]
    return Sweep(scenario, tuple(axes), design, seed, days, replicates, pl.DataFrame(rows, infer_schema_length=None))


def _axes(scenario: Scenario, asked: object) -> list[Axis]:
    """Axes as such, "path=low:high:n", {path: "low:high:n"} or {path: values}. Raises UsageError for anything else."""
    given = [_pair(scenario, path, values) for path, values in asked.items()] if isinstance(asked, Mapping) else asked
    if isinstance(given, str) or not isinstance(given, Sequence):
        given = [given]
    axes, faults = [], []
    for one in given:
        path, equals, written = one.partition("=") if isinstance(one, str) else ("", "", "")
        if isinstance(one, Axis):
            axes.append(one)
        elif equals:
            axes.append(axis(scenario, path.strip(), written))
        else:
            expected = "an axis such as 'mechanisms.retaliation.answers=0.1:0.6:6', or {path: '0.1:0.6:6'}"
            faults.append(Fault.at("axes", str(one)[:60], expected))
    if faults:
        raise UsageError(faults)
    return axes


def _pair(scenario: Scenario, path: str, values: object) -> Axis | str:
    """An axis of values in a list or an array; text stays to be read."""
    if isinstance(values, Iterable) and not isinstance(values, str):
        return Axis(path, tuple(_value(scenario, path, one) for one in values))
    return f"{path}={values}"


def _days(scenario: Scenario, years: float | None) -> float:
    days = float(scenario.years) * YEAR if years is None else days_of(years)
    if not (math.isfinite(days) and days > 0):
        raise UsageError(Fault.at("years", f"{years}", "more than 0"))
    return days


def _plain(point: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value if isinstance(value, float | int | str | bool) else str(value) for path, value in point.items()}


def _points(axes: Sequence[Axis], design: Design, samples: int, seed: int) -> list[dict[str, Any]]:
    faults = []
    names = [one.path for one in axes]
    faults += [Fault.at(name, "swept over twice", "each path once") for name in set(names) if names.count(name) > 1]
    if not axes:
        faults.append(Fault.at("over", "nothing", "PATH=LOW:HIGH:N at least once"))
    if design == "grid":
        faults += [Fault.at(one.path, "no number of steps", "LOW:HIGH:N, or samples") for one in axes if not one.values]
        count = math.prod(len(one.values) for one in axes)
    else:
        count = samples
        if not samples >= 2:
            faults.append(Fault.at("samples", str(samples), "2 or more"))
    if count > MOST_POINTS:
        faults.append(Fault.at("over", f"{count:,} points", f"at most {MOST_POINTS:,}"))
    if faults:
        raise UsageError(faults)
    if design == "grid":
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*(one.values for one in axes))]
    rng = np.random.default_rng([seed, samples])
    if design == "sobol":
        from scipy.stats import qmc  # a second to import

        # A Sobol sequence is balanced in powers of two; what is asked for is its beginning.
        unit = qmc.Sobol(len(axes), rng=rng).random_base2(math.ceil(math.log2(samples)))[:samples]
    else:
        unit = latin_hypercube(len(axes), samples, rng)
    return [{one.path: _between(one, float(u)) for one, u in zip(axes, row, strict=True)} for row in unit]


def _between(one: Axis, u: float) -> Any:
    """The value a share u of the way along an axis; of an axis of values the one that lies there."""
    if one.low is None or one.high is None:
        return one.values[min(int(u * len(one.values)), len(one.values) - 1)]
    return one.low + u * (one.high - one.low)


def _run(
    model: Model, points: Sequence[Mapping[str, Any]], about: Mapping[str, Any], asked: _Asked
) -> list[list[dict[str, Any]]]:
    """The rows of every point, those of an earlier run read and not made again."""
    if not asked.replicates >= 2:
        raise UsageError(Fault.at("replicates", str(asked.replicates), "2 or more: one run has no spread"))
    assert model.scenario is not None
    _Worlds(model).check(points)
    identity = {
        "scenario": digest(model.scenario), "seed": asked.seed, "days": asked.days, "replicates": asked.replicates,
        "limit": asked.limit, **about,
    }  # fmt: skip
    plan = plan_of(asked.folder)
    # Elsewhere a point has one thread: there are as many points at a time as there are workers.
    workers = asked.workers if asked.executor is None else 1
    task = PointTask(
        model, tuple(points), asked.days, asked.replicates, asked.seed, asked.limit, workers,
        asked.memory if asked.executor is not None else budget(asked.memory),
    )  # fmt: skip
    results: list[list[dict[str, Any]]] = []
    with nullcontext() if plan is None else JobFolder(plan, identity, POINTS) as kept:
        for rows in made_in_order(task, len(points), kept=kept, executor=asked.executor):
            results.append(rows)
            if asked.progress is not None:
                asked.progress(len(results) / len(points if plan is None else plan.share(len(points)) or points))
    return results


@dataclass(frozen=True)
class _Asked:
    """How the runs behind the points are made."""

    days: float
    replicates: int
    seed: int
    limit: int | None
    workers: int | None
    memory: int | str | Budget | None
    folder: str | os.PathLike[str] | JobPlan | None
    executor: Executor | None
    progress: Callable[[float], None] | None


@dataclass(frozen=True)
class PointTask:
    """Makes points of a sweep in any process: the rows of each, against the scenario as it stands."""

    model: Model
    points: tuple[Mapping[str, Any], ...]
    days: float
    replicates: int
    seed: int
    limit: int | None
    workers: int | None
    memory: int | str | Budget | None

    def __call__(self, number: int) -> list[dict[str, Any]]:
        base = self._base()
        of, made = _Worlds(self.model).at(self.points[number])
        runs = self._simulated(of, made)
        # Fewer where one of them explodes from the first run on.
        n = min(base.runs.replicates, runs.replicates)
        told = _measures(of, runs)
        paired = told if n == runs.replicates else _measures(of, runs.first(n))
        return _rows(base.measures(n), told, paired, runs)

    def _simulated(self, of: Model, made: World | None) -> Runs:
        return simulate(
            of, days=self.days, replicates=self.replicates, seed=self.seed, workers=self.workers, limit=self.limit,
            memory=budget(self.memory).part(EVENTS_SHARE), world=made,
        )  # fmt: skip

    def _base(self) -> _Base:
        """The scenario's own runs: made once in a process, for the sweep at hand."""
        key = (pickle.dumps(self.model.system), self.days, self.replicates, self.seed, self.limit)
        with _BASE_LOCK:
            if key not in _BASES:
                found = _Base(self.model, self._simulated(self.model, None))
                _BASES.clear()
                _BASES[key] = found
            return _BASES[key]


class _Base:
    """Runs of the scenario as it stands, and what they measure."""

    def __init__(self, model: Model, runs: Runs) -> None:
        self.model, self.runs = model, runs
        self._known: dict[int, list[Measure]] = {}

    def measures(self, n: int) -> list[Measure]:
        """Of the first `n` runs."""
        if n not in self._known:
            self._known[n] = _measures(self.model, self.runs.first(n))
        return self._known[n]


_BASES: dict[Any, _Base] = {}
_BASE_LOCK = threading.Lock()


class _Worlds:
    """The world of every point, over the scenario's own model wherever that has the same links."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.numbers = {parameter.path for parameter in model.parameters}

    def check(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Raises UsageError for a value that the scenario cannot hold. Numbers fit if those at the ends do."""
        assert self.model.scenario is not None
        for path in {path for point in points for path in point}:
            values = {point[path] for point in points if path in point}
            if all(isinstance(value, float) for value in values):
                values = {min(values), max(values)}
            for value in values:
                try:
                    edit(self.model.scenario, {path: value})
                except PowderkegError as error:
                    raise UsageError(error.faults) from error

    def at(self, point: Mapping[str, Any]) -> tuple[Model, World | None]:
        """A model and a world over it."""
        model, scenario = self.model, self.model.scenario
        assert scenario is not None
        if all(path in self.numbers for path in point):
            system: System = filled(model, point)
            changed = None
        else:
            changed = compile_scenario(edit(scenario, point))
            system = changed.system
        try:
            return model, world(model.system, (Phase(0.0, system),))
        except ValueError:
            assert changed is not None
            return changed, None


def _measures(model: Model, runs: Runs) -> list[Measure]:
    return [*outcome_measures(model, runs), *standoff_measures(runs)]


def _rows(
    plain: Sequence[Measure], told: Sequence[Measure], paired: Sequence[Measure], runs: Runs
) -> list[dict[str, Any]]:
    """What a point says: by all its runs, and against the baseline by those that both have."""
    known = {measure.name: measure for measure in plain}
    both = {measure.name: measure for measure in paired}
    rows = []
    for measure in told:
        mean = average(measure.values)
        row: dict[str, Any] = {
            "outcome": measure.name, "title": measure.title, "unit": measure.unit, "better": measure.better,
            "value": mean.mean, "value_low": mean.low, "value_high": mean.high,
        }  # fmt: skip
        one, other = known.get(measure.name), both.get(measure.name)
        made = effect(one, other, alike=bool(np.array_equal(one.values, other.values))) if one and other else None
        row |= {name: getattr(made, name) if made else None for name in ("baseline", "difference", "low", "high")}
        rows.append(row | {"stopped": int(runs.exploded.sum()), "runs": runs.replicates})
    return rows


# Sensitivity


@dataclass(frozen=True)
class Sensitivity(Plotted):
    """How much each number of the scenario is answerable for.

    columns of `table`: outcome, title, path, and for "sobol" first and total (shares of the variance, alone and with
    all it does together with others) with first_error and total_error (half widths of 95 % intervals); for "morris"
    effect (mean size of what moving the number through a step of its range does, in the outcome's unit), its error, and
    bend (how much that differs from place to place: other numbers, or no straight line)
    """

    scenario: Scenario
    method: str
    seed: int
    days: float
    replicates: int
    points: int
    table: pl.DataFrame

    def __repr__(self) -> str:
        tried = f"{counted(self.points, 'point')}, {counted(self.replicates, 'run')} each, seed {self.seed}"
        return f"Sensitivity({self.scenario.name}: {self.method}, {tried})"

    def _repr_html_(self) -> str:
        return as_html(self, self.table)

    @property
    def outcomes(self) -> list[str]:
        """Names of the outcomes, in the order of the table."""
        return _outcomes_of(self.table)


def sensitivity(
    scenario: Given | Model,
    method: Literal["sobol", "morris"] = "morris",
    *,
    over: Sequence[str] | None = None,
    samples: int = 16,
    years: float | None = None,
    replicates: int = 100,
    seed: int = 1,
    workers: int | None = None,
    limit: int | None = None,
    memory: int | str | Budget | None = None,
    folder: str | os.PathLike[str] | JobPlan | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Sensitivity:
    """Which numbers the outcomes hang on, over the ranges that the scenario gives.

    over     key paths; default: every number that has a range
    samples  "sobol": a power of two, with samples * (numbers + 2) points. "morris": paths through the space of numbers,
             with samples * (numbers + 1) points

    Raises UsageError if SALib is not installed: `pip install powderkeg[sensitivity]`.
    """
    progress = progress_shown(progress, "sensitivity")
    model = compile_scenario(scenario)
    scenario = scenario_of(scenario)
    parameters = [parameter for parameter in ranged(model) if over is None or parameter.path in over]
    known = [parameter.path for parameter in ranged(model)]
    unknown = [path for path in over or () if path not in known]
    faults = [
        Fault.at(path, "no number with a range", "a number with a range", nearest_name(path, known)) for path in unknown
    ]
    if len(parameters) < 2 and not faults:
        faults.append(Fault.at("over", f"{len(parameters)} numbers with a range", "two at least"))
    if samples < 2 or (method == "sobol" and samples & (samples - 1)):
        expected = "a power of two" if method == "sobol" else "2 or more"
        faults.append(Fault.at("samples", str(samples), expected))
    if faults:
        raise UsageError(faults)
    problem = {"num_vars": len(parameters), "names": [p.path for p in parameters], "bounds": [[0, 1]] * len(parameters)}
    sample, analyze = _salib(method)
    unit = sample(problem, samples, seed)
    columns = [value_at(parameter, unit[:, i]) for i, parameter in enumerate(parameters)]
    points = [
        {parameter.path: float(column[k]) for parameter, column in zip(parameters, columns, strict=True)}
        for k in range(len(unit))
    ]
    days = _days(scenario, years)
    about = {"design": method, "samples": samples, "axes": [p.path for p in parameters]}
    asked = _Asked(days, replicates, seed, limit, workers, memory, folder, executor, progress)
    results = _run(model, points, about, asked)
    rows = []
    for name in (row["outcome"] for row in results[0]):
        found = [next((row for row in point if row["outcome"] == name), None) for point in results]
        if any(row is None for row in found):
            continue
        values = np.array([row["value"] for row in found if row is not None])
        title = found[0]["title"] if found[0] else name
        if np.ptp(values) == 0.0:
            continue
        measured = analyze(problem, unit, values, seed)
        for i, parameter in enumerate(parameters):
            rows.append(
                {"outcome": name, "title": title, "path": parameter.path}
                | {column: float(numbers[i]) for column, numbers in measured.items()}
            )
    return Sensitivity(scenario, method, seed, days, replicates, len(points), pl.DataFrame(rows))


def _salib(
    method: str,
) -> tuple[Callable[[Any, int, int], Floats], Callable[[Any, Floats, Floats, int], dict[str, Floats]]]:
    """SALib's sampler and estimator, on the unit cube. SALib draws from NumPy's global state: it is put back."""
    try:
        from SALib.analyze import morris as morris_analyze
        from SALib.analyze import sobol as sobol_analyze
        from SALib.sample import morris as morris_sample
        from SALib.sample import sobol as sobol_sample
    except ImportError as error:
        raise UsageError(
            Fault.at("sensitivity", "SALib is not installed", "pip install 'powderkeg[sensitivity]'")
        ) from error

    def sample(problem: Any, samples: int, seed: int) -> Floats:
        with _global_draws_kept():
            if method == "sobol":
                return np.asarray(sobol_sample.sample(problem, samples, calc_second_order=False, seed=seed))
            return np.asarray(morris_sample.sample(problem, samples, num_levels=4, seed=seed))

    def analyze(problem: Any, unit: Floats, values: Floats, seed: int) -> dict[str, Floats]:
        with _global_draws_kept():
            if method == "sobol":
                found = sobol_analyze.analyze(problem, values, calc_second_order=False, seed=seed)
            else:
                found = morris_analyze.analyze(problem, unit, values, num_levels=4, seed=seed)
        return {name: np.asarray(found[key]) for name, key in COLUMNS[method].items()}

    return sample, analyze


COLUMNS = {
    "sobol": {"first": "S1", "first_error": "S1_conf", "total": "ST", "total_error": "ST_conf"},
    "morris": {"effect": "mu_star", "effect_error": "mu_star_conf", "bend": "sigma"},
}


@contextmanager
def _global_draws_kept() -> Iterator[None]:
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
