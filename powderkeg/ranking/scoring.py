"""How well were those who came next ranked?

In: questions whose answers came. Out: `RankScores`: mean reciprocal rank and hits, for all and by what was known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.ranking.arrays import N_WAYS, Weighing
from powderkeg.engine.ranking.scores import rank
from powderkeg.errors import Fault, UsageError
from powderkeg.ranking.shelving import Book

STRATA = ("nothing between the two before", "the two had to do with each other", "the same had been done before")
HITS = (1, 3, 10)


@dataclass(frozen=True)
class RankScores:
    """table: stratum (all, or one of STRATA), questions, mrr, hits_1, hits_3, hits_10 (0 to 1), and mrr's interval
    (low, high: 90 %, by resampling days); ranks: day, rank, known (index into STRATA)."""

    table: pl.DataFrame
    ranks: pl.DataFrame

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank over all questions, 0 to 1."""
        return float(self.table["mrr"][0])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"scores": self.table.to_dicts()}


def scored(book: Book, weights: Weighing, first: int, last: int | None) -> RankScores:
    """Ranks of what came on days `first` to `last`. Raises UsageError if nothing did."""
    day = book.past.day
    asked = np.flatnonzero((day >= first) & (day <= (day.max() if last is None else last))).astype(np.int64)
    if not len(asked):
        raise UsageError(Fault.of(f"no event from {book.date(first)} on", "a day with events after it"))
    n = len(book.actors)
    ranks, known = np.zeros(len(asked)), np.zeros(len(asked), np.int64)
    rank(
        asked, book.past, book.shelves, *weights, np.zeros(n), np.zeros(n, np.int64), np.zeros(N_WAYS),
        np.zeros(N_WAYS), ranks, known,
    )  # fmt: skip
    frame = pl.DataFrame({"day": day[asked], "rank": ranks, "known": known})
    rows = [_row("all", frame)]
    rows += [_row(STRATA[k], frame.filter(pl.col("known") == k)) for k in (2, 1, 0)]
    return RankScores(pl.DataFrame([row for row in rows if row["questions"]]), frame)


def _row(stratum: str, frame: pl.DataFrame) -> dict[str, Any]:
    if frame.is_empty():
        return {"stratum": stratum, "questions": 0}
    by_day = frame.group_by("day").agg(total=(1 / pl.col("rank")).sum(), number=pl.len()).sort("day")
    total, number = by_day["total"].to_numpy(), by_day["number"].to_numpy()
    pick = np.random.default_rng(1).integers(len(total), size=(1_000, len(total)))
    low, high = np.quantile(total[pick].sum(1) / number[pick].sum(1), [0.05, 0.95])
    hits = {f"hits_{k}": float(np.mean(frame["rank"].to_numpy() <= k)) for k in HITS}
    return {
        "stratum": stratum,
        "questions": frame.height,
        "mrr": float(total.sum() / number.sum()),
        "low": float(low),
        "high": float(high),
        **hits,
    }
