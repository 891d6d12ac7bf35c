"""What do many standoffs say together: how often, who opens, how long, how they end, how far apart?

In: a frame of `episodes`, the length and number of the histories it came from. Out: `EpisodeStatistics`.
The same numbers serve simulated and observed standoffs. Over many histories an interval tells how well the mean over
endless histories is known; for a single history (observed events) it tells what chance alone may have done to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import intervals
from powderkeg.analyze.episodes import END_STATES
from powderkeg.analyze.intervals import LEVEL, IntervalEstimate
from powderkeg.errors import UsageError
from powderkeg.showing import Plotted, as_html
from powderkeg.units import YEAR
from powderkeg.wording import counted, in_years, plain

BINS = (1, 3, 7, 14, 30, 90)
"""Longest length of each class of lengths, in calendar days; the last class is open."""


@dataclass(frozen=True)
class EpisodeStatistics(Plotted):
    """Numbers with their intervals; an `IntervalEstimate` of Nones where there was nothing to count.

    per_year     standoffs a year
    openers      frame name, share, low, high: who did the first act, most frequent first
    ends         frame name, share, low, high, hurt: how they ended; hurt is the share of all standoffs that ended so
                 and in which anyone was hurt
    lengths      frame name, share, low, high: classes of length
    hurt         share in which anyone was hurt;  deaths: in which anyone died
    median_days  calendar days, both ends counted, of standoffs that had ended;  p90_days likewise
    gap_mean, gap_median  days from one onset to the next;  gap_variation: their standard deviation over their mean
    """

    count: int
    replicates: int
    years: float
    level: float
    per_year: IntervalEstimate
    openers: pl.DataFrame
    ends: pl.DataFrame
    lengths: pl.DataFrame
    hurt: IntervalEstimate
    deaths: IntervalEstimate
    median_days: IntervalEstimate
    p90_days: IntervalEstimate
    gap_mean: IntervalEstimate
    gap_median: IntervalEstimate
    gap_variation: IntervalEstimate

    def __repr__(self) -> str:
        histories = counted(self.replicates, "history", "histories")
        found = f"{counted(self.count, 'standoff')} in {histories} of {in_years(self.years)}"
        return f"EpisodeStatistics({found}, {plain(self.per_year.mean)} a year)"

    def _repr_html_(self) -> str:
        return as_html(self, self.ends)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        scalars = (
            "per_year", "hurt", "deaths", "median_days", "p90_days", "gap_mean", "gap_median", "gap_variation",
        )  # fmt: skip
        found: dict[str, Any] = {"count": self.count, "replicates": self.replicates, "years": self.years}
        found |= {name: _plain(getattr(self, name)) for name in scalars}
        for name in ("openers", "ends", "lengths"):
            found[name] = {
                row["name"]: {"mean": row["share"], "low": row["low"], "high": row["high"]}
                for row in getattr(self, name).to_dicts()
            }
        return found


def episode_statistics(
    episodes: pl.DataFrame, days: float, replicates: int = 1, *, level: float = LEVEL, openers: Sequence[str] = ()
) -> EpisodeStatistics:
    """Statistics of a frame of `episodes` from `replicates` histories of `days` days each.

    openers  actors to list even if none of them opened a standoff

    Raises UsageError if there is no time or no history.
    """
    if not days > 0 or replicates < 1:
        raise UsageError(f"{replicates} histories of {days} days; expected at least one of more than 0 days")
    history = _history(episodes, replicates)
    totals = np.bincount(history, minlength=replicates).astype(np.float64)

    def share(hit: pl.Series) -> IntervalEstimate:
        weights = hit.to_numpy().astype(np.float64)
        return intervals.share(np.bincount(history, weights=weights, minlength=replicates), totals, level)

    ended = episodes.lazy().filter(pl.col("end_state") != "open").select("replicate", "calendar_days").collect()
    gaps = onset_gaps(episodes)
    return EpisodeStatistics(
        count=episodes.height,
        replicates=replicates,
        years=days / YEAR,
        level=level,
        per_year=intervals.rate(totals, days / YEAR, level),
        openers=_openers(episodes, share, openers),
        ends=_shares({s: (episodes["end_state"] == s, episodes["hurt"]) for s in END_STATES}, share, episodes.height),
        lengths=_lengths(episodes, share),
        hurt=share(episodes["hurt"]),
        deaths=share(episodes["deaths"]),
        median_days=_quantile(ended, 0.5, level, replicates),
        p90_days=_quantile(ended, 0.9, level, replicates),
        gap_mean=_gap_mean(gaps, level, replicates),
        gap_median=intervals.quantile(gaps["gap"], _history(gaps, replicates), 0.5, level),
        gap_variation=_gap_variation(gaps, level, replicates),
    )


def onset_gaps(episodes: pl.DataFrame) -> pl.DataFrame:
    """Days from each onset to the next one of the same history: replicate, gap."""
    # Differences within histories, not a window over each: that took a kilobyte a run.
    onsets = episodes.select("replicate", "start").drop_nulls()
    history, start = onsets["replicate"].to_numpy(), onsets["start"].to_numpy()
    # Compared, not subtracted: numbers without a sign have no difference below 0.
    same = history[1:] == history[:-1]
    if ((history[1:] < history[:-1]) | (same & (start[1:] < start[:-1]))).any():
        order = np.lexsort((start, history))
        history, start = history[order], start[order]
        same = history[1:] == history[:-1]
    return pl.DataFrame({"replicate": history[1:][same], "gap": np.diff(start)[same]})


def _openers(episodes: pl.DataFrame, share: Any, listed: Sequence[str]) -> pl.DataFrame:
    seen = episodes["opener"].drop_nulls().value_counts().sort("count", "opener", descending=[True, False])
    names = list(dict.fromkeys([*seen["opener"].to_list(), *listed]))
    frame = _shares({name: (episodes["opener"] == name, None) for name in names}, share, episodes.height)
    return frame.drop("hurt")


def _lengths(episodes: pl.DataFrame, share: Any) -> pl.DataFrame:
    """Shares by class of length; a standoff that is still open counts with the length it has reached."""
    length = episodes["calendar_days"]
    classes: dict[str, tuple[pl.Series, None]] = {}
    below = 0
    for most in BINS:
        name = f"{most} day" if most == 1 else f"{below + 1} to {most} days"
        classes[name] = ((length > below) & (length <= most), None)
        below = most
    classes[f"over {below} days"] = (length > below, None)
    return _shares(classes, share, episodes.height).drop("hurt")


def _shares(hits: Mapping[str, tuple[pl.Series, pl.Series | None]], share: Any, n: int) -> pl.DataFrame:
    rows = []
    for name, (hit, hurt) in hits.items():
        estimate = share(hit.fill_null(False))
        among = None if hurt is None or n == 0 else float((hit & hurt).sum()) / n
        rows.append({"name": name, "share": estimate.mean, "low": estimate.low, "high": estimate.high, "hurt": among})
    kinds = {"name": pl.String, **dict.fromkeys(("share", "low", "high", "hurt"), pl.Float64)}
    return pl.DataFrame(rows, schema=kinds)


def _quantile(ended: pl.DataFrame, at: float, level: float, replicates: int) -> IntervalEstimate:
    return intervals.quantile(ended["calendar_days"], _history(ended, replicates), at, level)


def _gap_mean(gaps: pl.DataFrame, level: float, replicates: int) -> IntervalEstimate:
    if replicates == 1:
        return intervals.bootstrap(gaps["gap"].to_numpy(), np.mean, level)
    return intervals.jackknife(gaps["gap"].to_numpy(), _history(gaps, replicates), np.mean, level)


def _gap_variation(gaps: pl.DataFrame, level: float, replicates: int) -> IntervalEstimate:
    values = gaps["gap"].to_numpy()
    if len(values) < 2:
        return intervals.NOTHING
    if replicates == 1:
        return intervals.bootstrap(values, intervals.variation, level)
    return intervals.jackknife(values, _history(gaps, replicates), lambda x: float(intervals.variation(x)), level)


def _history(frame: pl.DataFrame, replicates: int) -> NDArray[np.int64]:
    """History of each row; one history's rows are not clustered, so each stands for itself there."""
    return frame["replicate"].to_numpy().astype(np.int64)


def _plain(estimate: IntervalEstimate) -> dict[str, float | None]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
