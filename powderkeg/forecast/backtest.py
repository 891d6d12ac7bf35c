"""How good would such forecasts have been? A rolling-origin backtest, ours beside the baselines.

In: a scenario or a fit, events, what is asked. Out: a `Backtest`: scores by model, horizon, metric, and paired
differences. At every origin each model knows what was seen before it and nothing else. Scores are of counts by dyad (or
by class): of the day `horizon` days ahead ("step"), and of the total of all days up to it ("window"). A row's value is
the mean over origins and units; differences are paired, their intervals from a bootstrap of blocks of neighbouring
origins, whose windows overlap.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, PowderkegWarning, UsageError, nearest_name
from powderkeg.events.rows import DELAY
from powderkeg.events.table import EventTable
from powderkeg.fit import Fit
from powderkeg.fit import fit as fit_model
from powderkeg.fit.joint_law import Joint
from powderkeg.forecast.answers import first_days
from powderkeg.forecast.baselines import REFERENCE, DaysAhead, PastCounts, baselines
from powderkeg.forecast.came import first_came
from powderkeg.forecast.counts import Units, observed, units_of
from powderkeg.forecast.fan import told_and_came, week_ends
from powderkeg.forecast.forecasting import forecast
from powderkeg.forecast.late import as_known
from powderkeg.forecast.result import Forecast
from powderkeg.forecast.room import must_fit_scored
from powderkeg.forecast.scores import (
    COUNT_SCORES,
    brier,
    pit,
    threshold_crps,
)
from powderkeg.forecast.seen import channels_of
from powderkeg.forecast.weeks import week_profile, weekdays
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.scenario import Scenario, digest
from powderkeg.showing import Plotted, as_html, progress_shown
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.kept_pieces import plain_pieces
from powderkeg.simulate.memory import Budget
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.plans import JobPlan, plan_of
from powderkeg.wording import counted

PIECES = plain_pieces("backtest")
OURS = "powderkeg"
HORIZONS = (1, 7, 30, 90)
ORIGINS = 12
BOOTSTRAPS = 2000
QUIET_DAYS = 30
"""A unit without any act in so many days before the origin starts quiet; such units are scored apart too."""
PARTS: dict[str, dict[str, bool]] = {
    "mechanisms": {"mechanisms": False},
    "weekdays": {"weekdays": False},
    "luck of days": {"spread": False},
    "drift": {"drift": False},
    "late reports": {"late": False},
    "the pool": {"pool": False},
}
"""Parts that ours can be told without: of the background, of the model of reporting, all mechanisms at once, and the
weighted means that its counts are pooled with."""
WITHOUT = f"{OURS}, without "
ALONE = f"{WITHOUT}the pool"
"""The model's own draws."""
REFITS = ("none", "first", "each")
TO_BEST = ("to_best", "to_best_low", "to_best_high")
"""Columns of the difference to the best baseline, and of its interval."""


@dataclass(frozen=True)
class Cell:
    """Scores of one model at one origin for one horizon: metric -> (U,)."""

    model: str
    origin: date
    horizon: int
    over: str
    scores: dict[str, Floats]
    quiet: np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Backtest(Plotted):
    """Scores of a rolling-origin backtest.

    origins    first days foretold;  horizons in days;  by: what the units are
    reference  model that differences are taken to
    cells      scores by model, origin, horizon
    outcomes   Brier scores of outcomes: rows model, origin, horizon, name, chance, came
    fans       what ours foretold of the busiest dyads and what came (see `fan.told_and_came`)
    """

    origins: tuple[date, ...]
    horizons: tuple[int, ...]
    by: str
    reference: str
    level: float
    seed: int
    cells: tuple[Cell, ...]
    outcomes: pl.DataFrame
    notes: tuple[str, ...]
    fans: pl.DataFrame | None = None

    def __repr__(self) -> str:
        days = ", ".join(map(str, self.horizons))
        return f"Backtest({counted(len(self.origins), 'origin')}, {days} days ahead, by {self.by}, seed {self.seed})"

    def _repr_html_(self) -> str:
        return as_html(self, self.scores())

    def scores(self, against: str | None = None) -> pl.DataFrame:
        """One row a model, horizon, `over` and metric: value, difference to the reference with its interval, n; the
        baseline that came out best of all, and the difference to it with its interval.

        Which baseline is best nobody knew beforehand: to beat it is harder than to beat the reference. Rows of a metric
        in which more or less is not better (coverage), and of outcomes, which baselines do not foretell, have none.

        metric names that begin with "quiet:" count only units without an act in the 30 days before the origin.
        """
        return _table(self, against or self.reference)

    @property
    def reliability(self) -> pl.DataFrame:
        """Chances of outcomes in five bands: how often was said, how often it came."""
        band = (pl.col("chance") * 5).floor().clip(0, 4) / 5
        grouped = self.outcomes.group_by("model", "horizon", band.alias("from")).agg(
            said=pl.col("chance").mean(), came=pl.col("came").mean(), n=pl.len()
        )
        return grouped.sort("model", "horizon", "from")

    def pit(self, model: str = OURS) -> pl.DataFrame:
        """Ranks of what came among the draws, in ten bands: even if the draws have its law."""
        rows = []
        for horizon in self.horizons:
            ranks = [
                c.scores["pit"] for c in self.cells if c.model == model and c.horizon == horizon and c.over == "window"
            ]
            values = np.concatenate(ranks) if ranks else np.zeros(0)
            got = np.histogram(values, np.linspace(0, 1, 11))[0]
            rows += [{"horizon": horizon, "from": k / 10, "share": n / max(len(values), 1)} for k, n in enumerate(got)]
        return pl.DataFrame(rows)

    def as_dict(self) -> dict[str, Any]:
        """The scoreboard as plain data, for `--json`."""
        return {
            "origins": [day.isoformat() for day in self.origins],
            "horizons": list(self.horizons),
            "units": self.by,
            "reference": self.reference,
            "level": self.level,
            "scores": self.scores().to_dicts(),
            "reliability": self.reliability.to_dicts(),
            "pit": self.pit().to_dicts(),
            "notes": list(self.notes),
        }


def backtest(
    model: Scenario | Model | Fit,
    events: EventTable,
    *,
    origins: int | Sequence[date] = ORIGINS,
    horizons: Sequence[int] = HORIZONS,
    draws: int = 1000,
    by: str = "dyad",
    refit: str = "none",
    fitted: Joint | None = None,
    variants: Sequence[str] = (f"{WITHOUT}mechanisms", ALONE),
    reference: str = REFERENCE,
    seed: int = 1,
    level: float = 0.9,
    workers: int | None = None,
    memory: int | str | Budget | None = None,
    folder: str | os.PathLike[str] | JobPlan | None = None,
    executor: Executor | None = None,
    progress: Callable[[float, str], None] | None = None,
    **options: Any,
) -> Backtest:
    """Forecasts from a row of origins, scored by what came, beside the baselines.

    origins   how many, evenly spread over the last two fifths of the record so that the longest horizon fits; or dates
    by        "dyad" or "class"
    refit     "none": the scenario's numbers as they are; "first": its mechanisms fitted before the first origin;
              "each": before each
    variants  ours without a part or a mechanism, by name (see `variants_of`)
    memory    bytes, or such as "4 GB", that one origin may take; default: half of what is free
    folder    where finished origins are kept: called again after a stop, or a kill, it goes on from them. A `JobPlan`
              says more: a share of the origins, or that shares are to be put together
    executor  of `concurrent.futures`, or what keeps to its protocol: makes the origins instead of threads here
    options   of `forecast`

    Raises UsageError for origins that the record does not hold, with what fits.
    """
    progress = progress_shown(progress, "backtest")
    days = _origins(events, origins, tuple(horizons), refit)
    compiled = model.model if isinstance(model, Fit) else compile_model(model) if isinstance(model, Scenario) else model
    asked: dict[str, dict[str, Any]] = {OURS: {}} | {name: _variant(name, compiled) for name in variants}
    units = units_of(compiled, by)
    must_fit_scored(compiled, by, max(horizons), draws, memory)
    channel = channels_of(compiled, events.frame)
    stamp = np.floor(events.frame["time"].to_numpy()).astype(np.int64)
    now: Any = model
    if refit == "first":
        now = _refitted(model, _at(days[0], events, compiled, units, 1).known, options.get("unmatched", "refuse"))
    task = OriginTask(
        now, compiled, events, tuple(days), tuple(horizons), draws, by, refit == "each", fitted, asked, seed, level,
        workers if executor is None else 1, memory, options,
    )  # fmt: skip
    identity = {
        "scenario": None if compiled.scenario is None else digest(compiled.scenario), "events": _digest(events),
        "origins": [day.isoformat() for day in days], "horizons": list(horizons), "draws": draws, "by": by,
        "refit": refit, "variants": list(variants), "seed": seed, "level": level,
        "fitted": hashlib.sha256(pickle.dumps((fitted, sorted(options.items())))).hexdigest(),
    }  # fmt: skip
    cells: list[Cell] = []
    outcomes: list[dict[str, Any]] = []
    plan = plan_of(folder)
    told: dict[date, Floats] = {}
    with nullcontext() if plan is None else JobFolder(plan, identity, PIECES) as kept:
        for k, (of_cells, rows, weeks) in enumerate(made_in_order(task, len(days), kept=kept, executor=executor)):
            # Whoever keeps a piece keeps no dates.
            cells += [Cell(name, date.fromisoformat(day), *rest) for name, day, *rest in of_cells]
            outcomes += [row | {"origin": date.fromisoformat(row["origin"])} for row in rows]
            told[days[k]] = weeks
            if progress is not None:
                progress((k + 1) / len(days), f"{days[k]}")
    notes = (f"numbers: {'of the scenario' if refit == 'none' else 'fitted before ' + refit + ' origin'}",)
    schema = {"model": pl.String, "origin": pl.Date, "horizon": pl.Int64, "name": pl.String, "chance": pl.Float64,
              "came": pl.Float64}  # fmt: skip
    return Backtest(
        tuple(days),
        tuple(horizons),
        by,
        reference,
        level,
        seed,
        tuple(cells),
        pl.DataFrame(outcomes, schema=schema),
        notes,
        told_and_came(units, told, observed(stamp, channel, int(np.ceil(events.days)), units), events.start),
    )


@dataclass(frozen=True)
class OriginTask:
    """Makes forecasts from one origin, and scores them, in any process: plain data of cells and rows of outcomes."""

    model: Any
    compiled: Model
    events: EventTable
    origins: tuple[date, ...]
    horizons: tuple[int, ...]
    draws: int
    by: str
    fits_each: bool
    fitted: Joint | None
    asked: Mapping[str, Mapping[str, Any]]
    seed: int
    level: float
    workers: int | None
    memory: int | str | Budget | None
    options: Mapping[str, Any]

    def __call__(self, k: int) -> tuple[list[list[Any]], list[dict[str, Any]], Floats]:
        origin, days = self.origins[k], max(self.horizons)
        units = units_of(self.compiled, self.by)
        channel = channels_of(self.compiled, self.events.frame)
        at = _at(origin, self.events, self.compiled, units, days)
        now = self.model
        if self.fits_each:
            now = _refitted(now, at.known, self.options.get("unmatched", "refuse"))
        cells: list[Cell] = []
        outcomes: list[dict[str, Any]] = []
        weeks = np.zeros(0)
        ours: Forecast | None = None
        for name, without in self.asked.items():
            if name == ALONE and ours is not None:  # the same histories
                made = replace(ours, pool=None)
            else:
                made = _quietly(
                    now, at.known, days=days, draws=self.draws, seed=self.seed + 7919 * k, fitted=self.fitted,
                    workers=self.workers, memory=self.memory, as_of=origin - timedelta(days=1),
                    **{**self.options, **without},
                )  # fmt: skip
            ahead = made.counts(self.by)
            if name == OURS:
                ours, weeks = made, week_ends(at.past, ahead, self.level)
            cells += cells_of(name, at, ahead, self.horizons, np.random.default_rng([self.seed, k, 1]))
            if name != ALONE:  # outcomes are the model's in any case
                outcomes += _outcomes(name, made, self.events, channel, self.horizons)
        cells += baseline_cells(at, self.horizons, self.draws, self.seed + k)
        plain = [[c.model, c.origin.isoformat(), c.horizon, c.over, c.scores, c.quiet] for c in cells]
        return plain, [row | {"origin": row["origin"].isoformat()} for row in outcomes], weeks


def _digest(events: EventTable) -> str:
    """What the events are, in 64 letters."""
    sha = hashlib.sha256(f"{events.start} {events.days} {events.resolution}".encode())
    sha.update(events.frame.write_csv().encode())
    return sha.hexdigest()


@dataclass(frozen=True)
class AtOrigin:
    """What was known at an origin, and what came.

    known  the events;  past (days, units) acts by day from `start` on;  came (days ahead, units)
    quiet  (units,) none in the days before;  threshold (units,) 95th percentile of a day
    """

    origin: date
    known: EventTable
    past: Floats
    came: Floats

    @property
    def quiet(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.asarray(self.past[-QUIET_DAYS:].sum(axis=0) == 0)

    @property
    def threshold(self) -> Floats:
        return np.asarray(np.quantile(self.past[-730:], 0.95, axis=0), np.float64)


def _at(origin: date, events: EventTable, model: Model, units: Units, days: int) -> AtOrigin:
    """The table as it was known on the evening before, and what came in the days after."""
    eve = origin - timedelta(days=1)
    known = as_known(events, eve).between(None, eve)
    first = (origin - events.start).days

    def counts(table: EventTable, begin: int, n: int) -> Floats:
        stamp = np.floor(table.frame["time"].to_numpy()).astype(np.int64)
        return observed(stamp - begin, channels_of(model, table.frame), n, units)

    return AtOrigin(origin, known, counts(known, 0, first), counts(events, first, days))


def _quietly(*given: Any, **options: Any) -> Forecast:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)
        return forecast(*given, **options)


def variants_of(model: Model, events: EventTable) -> tuple[str, ...]:
    """Ours without each part and without each mechanism, by name; late reports where the events say when they came."""
    parts = [part for part in PARTS if part != "late reports" or DELAY in events.frame.columns]
    return tuple(f"{WITHOUT}{part}" for part in (*parts, *model.mechanisms))


def _variant(name: str, model: Model) -> dict[str, Any]:
    """The arguments of `forecast` for a variant. Raises UsageError for one that there is not."""
    part = name.removeprefix(WITHOUT)
    if name.startswith(WITHOUT) and part in PARTS:
        return dict(PARTS[part])
    if name.startswith(WITHOUT) and part in model.mechanisms:
        return {"absent": (part,)}
    known = [f"{WITHOUT}{one}" for one in (*PARTS, *model.mechanisms)]
    raise UsageError(Fault.at("variants", repr(name), f"one of {'; '.join(known)}", nearest_name(name, known)))


def _origins(events: EventTable, origins: int | Sequence[date], horizons: tuple[int, ...], refit: str) -> list[date]:
    """The origins as dates. Raises UsageError with every fault."""
    faults = []
    if not horizons or any(isinstance(h, bool) or not isinstance(h, int) or not 1 <= h <= 3660 for h in horizons):
        faults.append(Fault.at("horizons", f"{list(horizons)}", "whole numbers of days from 1 on"))
    if refit not in REFITS:
        faults.append(Fault.at("refit", repr(refit), f"one of {', '.join(REFITS)}"))
    if faults:
        raise UsageError(faults)
    longest = max(horizons)
    last = events.start + timedelta(days=int(events.days) - longest)
    if isinstance(origins, int):
        first = events.start + timedelta(days=max(int(0.6 * events.days), 60))
        if origins < 1 or (last - first).days < origins:
            raise UsageError(
                Fault.at("origins", f"{origins} in {events.days:,.0f} days of events",
                      f"at most {max((last - first).days, 0)} with horizons up to {longest} days: fewer origins, "
                      "shorter horizons, or a longer record")
            )  # fmt: skip
        spread = np.linspace(0, (last - first).days, origins).round().astype(int)
        return [first + timedelta(days=int(d)) for d in spread]
    days = sorted(origins)
    bad = [day for day in days if not events.start + timedelta(days=30) <= day <= last]
    if bad or not days:
        found = f"{bad[0]}" if bad else "none"
        raise UsageError(
            Fault.at("origins", found,
                  f"days from {events.start + timedelta(days=30)} to {last}, so that {longest} days ahead are known")
        )  # fmt: skip
    return days


def _refitted(model: Any, known: EventTable, unmatched: str) -> Fit:
    """The mechanisms fitted to what was known, with a background that may move in blocks of half a year."""
    scenario: Any = model.scenario_before if isinstance(model, Fit) else getattr(model, "scenario", None) or model
    background = "blocks180" if known.days > 400 else "blocks90" if known.days > 200 else "constant"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)
        return fit_model(scenario, known, unmatched=unmatched, background=background, test_mechanisms=False)


def cells_of(
    model: str, at: AtOrigin, ahead: Any, horizons: tuple[int, ...], rng: np.random.Generator
) -> list[Cell]:  # fmt: skip
    """Scores of draws (draws, days, units) at one origin."""
    return [
        _cell(model, at, horizon, over, ahead[:, first:horizon].sum(axis=1).astype(np.float64), rng)
        for horizon in horizons
        for over, first in (("step", horizon - 1), ("window", 0))
    ]


def _cell(model: str, at: AtOrigin, horizon: int, over: str, totals: Any, rng: np.random.Generator) -> Cell:
    days = 1 if over == "step" else horizon
    came = at.came[horizon - days : horizon].sum(axis=0)
    scores = {name: score(totals, came) for name, score in COUNT_SCORES.items()}
    scores["crps_above"] = threshold_crps(totals, came, np.ceil(at.threshold * days) + 0.0)
    scores["onset_brier"] = brier((totals > 0).mean(axis=0), (came > 0).astype(np.float64))
    scores["pit"] = pit(totals, came, rng)
    return Cell(model, at.origin, horizon, over, scores, at.quiet)


def baseline_cells(at: AtOrigin, horizons: tuple[int, ...], draws: int, seed: int) -> list[Cell]:
    """Scores of all baselines at one origin."""
    D, H = len(at.past), len(at.came)
    start = at.origin - timedelta(days=D)
    profile = week_profile(at.past.sum(axis=1), start)
    week, week_ahead = profile[weekdays(start, D)], profile[weekdays(at.origin, H)]
    cells = []
    for number, (name, (law, by_week)) in enumerate(baselines().items()):
        rng = np.random.default_rng([seed, number])
        foretell = law(PastCounts(at.past, week if by_week else np.ones(D)))
        density = week_ahead if by_week else np.ones(H)
        for horizon in horizons:
            for over, first in (("step", horizon - 1), ("window", 0)):
                totals = foretell(DaysAhead(density[:horizon], first), draws, rng)
                cells.append(_cell(name, at, horizon, over, totals, rng))
    return cells


def _outcomes(
    name: str, made: Forecast, events: EventTable, channel: Any, horizons: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Chance of each outcome within each horizon, and whether it came, measured on what came as on the draws."""
    ahead = first_days(made.model, made.drawn.runs, made.seen)
    first = (made.origin - events.start).days
    time = events.frame["time"].to_numpy()
    inside = (time >= first) & (time < first + made.days) & (channel >= 0)
    came = first_came(made.model, made.seen, time[inside] - first, channel[inside], made.days)
    rows = []
    for outcome, (_, _, days) in ahead.items():
        if outcome not in came:
            continue
        for horizon in horizons:
            chance, hit = float((days < horizon).mean()), float(came[outcome] < horizon)
            rows.append({"model": name, "origin": made.origin, "horizon": horizon, "name": outcome, "chance": chance,
                         "came": hit})  # fmt: skip
    return rows


def _table(found: Backtest, against: str) -> pl.DataFrame:
    """See `Backtest.scores`."""
    by_key: dict[tuple[str, int, str], list[Cell]] = {}
    for cell in found.cells:
        by_key.setdefault((cell.model, cell.horizon, cell.over), []).append(cell)
    models = list(dict.fromkeys(cell.model for cell in found.cells))
    if against not in models:
        raise UsageError(Fault.at("reference", repr(against), f"one of {'; '.join(models)}"))
    rng = np.random.default_rng(found.seed)
    rows = []
    metrics = [name for name in found.cells[0].scores if name != "pit"]
    for (model, horizon, over), cells in by_key.items():
        other = by_key[against, horizon, over]
        for quiet in (False, True):
            for metric in metrics:
                mine, theirs = _by_origin(cells, metric, quiet), _by_origin(other, metric, quiet)
                kept = np.isfinite(mine) & np.isfinite(theirs)
                if not kept.any() or (quiet and metric not in ("log_score", "crps", "onset_brier")):
                    continue
                n = int(sum(len(c.quiet) if not quiet else c.quiet.sum() for c in cells))
                low, high = _block_interval(mine[kept] - theirs[kept], found.origins, horizon, found.level, rng)
                rows.append(
                    {"model": model, "horizon": horizon, "over": over,
                     "metric": f"quiet: {metric}" if quiet else metric, "value": float(mine[kept].mean()),
                     "difference": float((mine[kept] - theirs[kept]).mean()), "low": low, "high": high, "n": n}
                    | _beside_the_best(found, by_key, (model, horizon, over), metric, quiet)
                )  # fmt: skip
    for row in _outcome_rows(found, against, rng):
        rows.append(row)
    ends = {"low": pl.Float64, "high": pl.Float64, "best": pl.String} | dict.fromkeys(TO_BEST, pl.Float64)
    return pl.DataFrame(rows, schema_overrides=ends, infer_schema_length=None)


def _beside_the_best(
    found: Backtest, by_key: Mapping[tuple[str, int, str], list[Cell]], key: tuple[str, int, str], metric: str,
    quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    """The baseline with the best mean in this metric, and the paired difference to it with its interval."""
    if metric == "coverage_90":
        return {"best": None} | dict.fromkeys(TO_BEST)
    _, horizon, over = key
    baselines = {k[0]: c for k, c in by_key.items() if k[1:] == (horizon, over) and not k[0].startswith(OURS)}
    values = {name: _by_origin(cells, metric, quiet) for name, cells in baselines.items()}
    sign = -1.0 if metric == "log_score" else 1.0
    best = min(values, key=lambda name: sign * values[name][np.isfinite(values[name])].mean())
    difference = _by_origin(by_key[key], metric, quiet) - values[best]
    difference = difference[np.isfinite(difference)]
    rng = np.random.default_rng([found.seed, horizon])
    low, high = _block_interval(difference, found.origins, horizon, found.level, rng)
    return {"best": best} | dict(zip(TO_BEST, (float(difference.mean()), low, high), strict=True))


def _outcome_rows(found: Backtest, against: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Brier scores of outcomes; baselines have none, so differences are to ours without mechanisms."""
    table = found.outcomes.with_columns(brier=(pl.col("chance") - pl.col("came")) ** 2)
    models = table["model"].unique(maintain_order=True).to_list()
    base = against if against in models else next((m for m in models if "without mechanisms" in m), None)
    rows = []
    for horizon in found.horizons:
        each = {}
        for model in models:
            part = table.filter(pl.col("model") == model, pl.col("horizon") == horizon)
            each[model] = part.group_by("origin", maintain_order=True).agg(pl.col("brier").mean())["brier"].to_numpy()
        for model, values in each.items():
            if not len(values):
                continue
            difference = values - each[base] if base is not None else np.zeros(len(values))
            low, high = _block_interval(difference, found.origins, horizon, found.level, rng)
            n = table.filter(pl.col("model") == model, pl.col("horizon") == horizon).height
            rows.append({"model": model, "horizon": horizon, "over": "window", "metric": "outcome_brier",
                         "value": float(values.mean()), "difference": float(difference.mean()), "low": low,
                         "high": high, "n": n})  # fmt: skip
    return rows


def _by_origin(cells: list[Cell], metric: str, quiet: bool) -> Floats:
    """Mean over units at each origin; infinite where there is no unit to count."""
    means = []
    for cell in cells:
        values = cell.scores[metric][cell.quiet] if quiet else cell.scores[metric]
        means.append(float(values.mean()) if len(values) else np.inf)
    return np.array(means)


def _block_interval(
    difference: Floats, origins: tuple[date, ...], horizon: int, level: float, rng: np.random.Generator
) -> tuple[float | None, float | None]:
    """Moving blocks of origins, as long as windows overlap; of one origin there is no interval."""
    n = len(difference)
    if n < 2:
        return None, None
    if not difference.any():
        return float(difference.mean()), float(difference.mean())
    step = max((origins[-1] - origins[0]).days / max(len(origins) - 1, 1), 1.0)
    block = int(min(max(np.ceil(horizon / step), 1), max(n // 3, 1)))
    starts = rng.integers(0, n - block + 1, (BOOTSTRAPS, -(-n // block)))
    picked = (starts[:, :, None] + np.arange(block)).reshape(BOOTSTRAPS, -1)[:, :n]
    means = difference[picked].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


__all__ = ["Backtest", "backtest"]
