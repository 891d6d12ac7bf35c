"""One number of a record, computed by the same code from dated and from simulated standoffs.

In: a frame of standoffs of one or many histories, and a `Line` that says which number. Out: its value in each history,
and for a single history the interval that chance alone allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import LEVEL, IntervalEstimate, intervals, onset_gaps
from powderkeg.engine.arrays import Floats
from powderkeg.score.definition import Line, Selection
from powderkeg.units import YEAR

PER = {"year": 1.0, "decade": 10.0}

RESAMPLES = 9_999

GAPS: dict[str, tuple[pl.Expr, Callable[..., NDArray[np.float64]]]] = {
    "mean": (pl.col("gap").mean(), np.mean),
    "median": (pl.col("gap").median(), np.median),
    "variation": (pl.col("gap").std() / pl.col("gap").mean(), intervals.variation),
}


def spelt_out(lines: dict[str, Line], table: pl.DataFrame) -> dict[str, Line]:
    """Lines with `each` replaced by one line for each opener that the table names."""
    found: dict[str, Line] = {}
    for name, line in lines.items():
        if line.each is None:
            found[name] = line
            continue
        for opener in table["opener"].drop_nulls().unique().sort().to_list():
            title = f"{line.title} {opener.replace('_', ' ')}"
            found[f"{name}_{opener}"] = replace(line, title=title, each=None, share=Selection(opener=(opener,)))
    return found


def values(line: Line, standoffs: pl.DataFrame, replicates: int, days: float) -> Floats:
    """(replicates,) the number in each history; nan where there is nothing to compute it from."""
    years = days / YEAR
    if line.rate is not None:
        return _counts(standoffs.filter(fits(line.rate)), replicates) * (PER[line.per] / years)
    if line.sum is not None:
        total = standoffs.group_by("replicate").agg(pl.col(line.sum).sum().cast(pl.Float64).alias("value"))
        return _spread(total, replicates, fill=0.0) * (PER[line.per] / years)
    if line.share is not None:
        whole = standoffs.filter(fits(line.of)) if line.of is not None else standoffs
        hits, all_ = _counts(whole.filter(fits(line.share)), replicates), _counts(whole, replicates)
        found: Floats = np.divide(hits, all_, out=np.full(replicates, np.nan), where=all_ > 0)
        return found
    if line.length is not None:
        quantile = pl.col("calendar_days").quantile(line.length, "linear").alias("value")
        return _spread(standoffs.group_by("replicate").agg(quantile), replicates)
    expression, _ = GAPS[line.gap or ""]
    return _spread(onset_gaps(standoffs).group_by("replicate").agg(expression.alias("value")), replicates)


def sampling(line: Line, standoffs: pl.DataFrame, days: float, level: float = LEVEL) -> tuple[IntervalEstimate, str]:
    """The number in one history with the interval that chance allows, and how the interval was made."""
    years = days / YEAR
    if line.rate is not None:
        n = standoffs.filter(fits(line.rate)).height
        return intervals.rate([n], years / PER[line.per], level), "exact Poisson interval"
    if line.sum is not None:
        return _compound(standoffs[line.sum], years / PER[line.per], level), "bootstrap over standoffs and their number"
    if line.share is not None:
        whole = standoffs.filter(fits(line.of)) if line.of is not None else standoffs
        hits = whole.filter(fits(line.share)).height
        return intervals.proportion(hits, whole.height, level), "exact binomial interval"
    if line.length is not None:
        one = np.zeros(standoffs.height, dtype=np.int64)
        estimate = intervals.quantile(standoffs["calendar_days"], one, line.length, level)
        return estimate, "exact interval between ranks"
    gaps = onset_gaps(standoffs)["gap"].to_numpy()
    if line.gap == "median":
        return intervals.quantile(gaps, np.zeros(len(gaps), dtype=np.int64), 0.5, level), "exact interval between ranks"
    if len(gaps) < 2:
        return intervals.NOTHING, "too few onsets"
    return intervals.bootstrap(gaps, GAPS[line.gap or ""][1], level), "bias-corrected bootstrap over gaps"


def fits(selection: Selection) -> pl.Expr:
    """True where a standoff is one of those meant."""
    parts = [pl.lit(True)]
    if selection.opener:
        parts.append(pl.col("opener").is_in(selection.opener).fill_null(False))
    if selection.end_state:
        parts.append(pl.col("end_state").is_in(selection.end_state))
    if selection.hurt is not None:
        parts.append(pl.col("hurt") == selection.hurt)
    if selection.deaths is not None:
        parts.append(pl.col("deaths") == selection.deaths)
    if selection.longer_than is not None:
        parts.append(pl.col("calendar_days") > selection.longer_than)
    if selection.mark:
        parts.append(pl.any_horizontal(pl.col(name) > 0 for name in selection.mark))
    return pl.all_horizontal(parts)


def _counts(standoffs: pl.DataFrame, replicates: int) -> Floats:
    return np.bincount(standoffs["replicate"].to_numpy(), minlength=replicates).astype(np.float64)


def _spread(by_history: pl.DataFrame, replicates: int, fill: float = np.nan) -> Floats:
    """A value for each history, `fill` for those that are not in the frame."""
    found = np.full(replicates, fill)
    found[by_history["replicate"].to_numpy()] = by_history["value"].fill_null(np.nan).to_numpy()
    return found


def _compound(amounts: pl.Series, exposure: float, level: float) -> IntervalEstimate:
    """A sum over standoffs: their number is drawn as Poisson, their amounts from those seen."""
    rng = np.random.default_rng(1)
    seen = amounts.to_numpy().astype(np.float64)
    numbers = rng.poisson(len(seen), RESAMPLES)
    drawn = rng.choice(seen, int(numbers.sum()))
    sums = np.bincount(np.repeat(np.arange(RESAMPLES), numbers), weights=drawn, minlength=RESAMPLES)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(sums, [tail, 1.0 - tail])
    return IntervalEstimate(float(seen.sum()) / exposure, float(low) / exposure, float(high) / exposure, 1)
