"""What is a run worth, in the numbers that two worlds are compared by?

In: `Runs`. Out: `Measure`s, each with one value a run: the scenario's named outcomes, and what standoffs there were.
A ratio over runs, such as the mean length of a standoff, comes linearised: its mean over runs is the ratio, and its
spread over runs is what the ratio's error follows from (Cochran 1977, Sampling Techniques, section 6.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import END_STATES, episodes, per_run
from powderkeg.analyze.outcomes import UNITS
from powderkeg.engine.arrays import BACKGROUND, TIMER, Floats
from powderkeg.model import Model
from powderkeg.simulate import Runs
from powderkeg.units import YEAR


@dataclass(frozen=True)
class Measure:
    """One number a run.

    kind    "any": 0 or 1, a share of runs. "count": things that can be counted, `unit` events each. "mean": the rest
    values  (R,) in `unit`; their mean is the number that is reported
    event   what one event more in one run adds to that run's value; of a "mean" the most that one run can differ; 0
            where there is no such thing
    better  "less", "more" or None: what the scenario says is better
    """

    name: str
    title: str
    kind: str
    unit: str
    values: Floats
    event: float = 0.0
    better: str | None = None


def outcome_measures(model: Model, runs: Runs) -> list[Measure]:
    """The scenario's outcomes."""
    years = runs.days / YEAR
    assert model.scenario is not None
    found = []
    for (name, one), (kind, values, _) in zip(model.scenario.outcomes.items(), per_run(model, runs), strict=True):
        if kind in ("count", "deaths"):
            values = values / years
        event = {
            "any": 1.0,
            "count": 1.0 / years,
            "deaths": 1.0 / years,
            "share_of_time": 1.0,
            "first": float(runs.days),
        }[kind]
        plain = "count" if kind == "deaths" else kind if kind in ("any", "count") else "mean"
        found.append(Measure(name, one.title or name, plain, UNITS[kind], values, event, one.better))
    return found


STANDOFFS = {
    "standoffs": "standoffs a year",
    "hurt": "standoffs a year in which people are hurt",
    "deaths": "standoffs a year in which people die",
    "killed": "people killed in standoffs a year",
    "days_in_standoff": "days of standoff a year",
    **{state: f"standoffs a year that end {state}" for state in END_STATES if state != "open"},
}


def standoff_totals(runs: Runs) -> dict[str, Floats]:
    """What `standoff_measures` rests on: (R,) counts of each run by name."""
    sums = [
        pl.len().alias("standoffs"),
        pl.col("hurt").sum(),
        pl.col("deaths").sum(),
        pl.col("killed").sum(),
        pl.col("calendar_days").sum().alias("days_in_standoff"),
        *((pl.col("end_state") == state).sum().alias(state) for state in END_STATES if state != "open"),
    ]
    by_run = episodes(runs).group_by("replicate").agg(sums)
    row = by_run["replicate"].to_numpy()
    totals = {}
    for name in STANDOFFS:
        totals[name] = np.zeros(runs.replicates)
        totals[name][row] = by_run[name].to_numpy()
    return totals


def measures_of(totals: Mapping[str, Floats], years: float) -> list[Measure]:
    """What standoffs there were, a year, and how long one lasts, in runs of so many years."""
    found = [
        Measure(name, title, "count", "per year", totals[name] / years, 1.0 / years)
        for name, title in STANDOFFS.items()
    ]
    number, length = totals["standoffs"], totals["days_in_standoff"]
    if number.sum() > 0:
        ratio = length.sum() / number.sum()
        values = ratio + (length - ratio * number) / number.mean()
        found.append(Measure("mean_days", "mean length of a standoff", "mean", "days", values))
    return found


def standoff_measures(runs: Runs) -> list[Measure]:
    """What standoffs there were, a year, and how long one lasts."""
    return measures_of(standoff_totals(runs), runs.days / YEAR)


def cause_names(model: Model) -> tuple[str, ...]:
    """What may set an act off."""
    return ("by hand", "policy", "background", *model.mechanisms)


def causes(model: Model, runs: Runs) -> Floats:
    """(R, names) hostile acts a year of each run by what set them off, see `cause_names`.

    The names are "by hand" (acts made to happen), "policy" (what a policy forced), "background", and the mechanisms.
    """
    names = cause_names(model)
    hostile = model.heat[runs.channel] > 0
    column = np.where(runs.mechanism >= BACKGROUND, runs.mechanism + 3, np.where(runs.mechanism == TIMER, 1, 0))
    cell = runs.replicate[hostile].astype(np.int64) * len(names) + column[hostile]
    counts = np.bincount(cell, minlength=runs.replicates * len(names)).reshape(runs.replicates, len(names))
    by_year: Floats = counts / (runs.days / YEAR)
    return by_year


def same(one: Runs, other: Runs) -> NDArray[np.bool_]:
    """(R,) whether a run of both worlds is the same, event for event."""
    alike: NDArray[np.bool_] = np.diff(one.offsets) == np.diff(other.offsets)
    if alike.all():
        differs = (one.time != other.time) | (one.channel != other.channel)
        alike[one.replicate[differs]] = False
        return alike
    for r in np.flatnonzero(alike):
        a, b = slice(*one.offsets[r : r + 2]), slice(*other.offsets[r : r + 2])
        alike[r] = np.array_equal(one.time[a], other.time[b]) and np.array_equal(one.channel[a], other.channel[b])
    return alike
