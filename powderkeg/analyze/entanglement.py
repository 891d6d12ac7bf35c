"""Who is drawn into whose disputes, by what, and by whom?

In: `Runs`, whose every event knows its parent. Out: for each actor the shares of its acts by how it came in.
An act is its actor's own affair if the actor is one of the two of the root: the spark that the act descends from. If
not, the actor was drawn in. It came in with its first act on the path from the root; the mechanism that set off that
act is how, and the actor of that act's parent is by whom. Offspring of a past that the runs were given stand as roots,
`history`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from powderkeg.analyze import intervals
from powderkeg.analyze.intervals import LEVEL
from powderkeg.analyze.streams import model_of
from powderkeg.engine.arrays import BACKGROUND, HISTORY, SCHEDULED, TIMER
from powderkeg.engine.branching.genealogy import entry_counts

if TYPE_CHECKING:
    from powderkeg.model import Model
    from powderkeg.simulate import Runs

OTHER_ORIGINS = {BACKGROUND: "background", SCHEDULED: "scheduled", TIMER: "timer", HISTORY: "history"}

KEYS = ("drawn_in", "mechanism", "by")
"""How an act's actor came in."""

SCHEMA = {
    "actor": pl.String,
    "drawn_in": pl.Boolean,
    "mechanism": pl.String,
    "by": pl.String,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "acts_per_run": pl.Float64,
    "runs": pl.Int64,
}


def entanglement(runs: Runs, level: float = LEVEL) -> pl.DataFrame:
    """For each actor, the share of its acts by how it came in; the shares of an actor sum to 1.

    actor         whose acts
    drawn_in      the act descends from a root between two other actors
    mechanism     what set off the actor's first act on the path from the root: a mechanism, or background, scheduled,
                  timer, history where that act is itself a root
    by            actor whose act set that first act off, null for a root
    share         of all acts of the actor, with the interval from how it differs between runs
    acts_per_run  such acts in a run, mean
    """
    return entanglement_of(
        model_of(runs), [entanglement_sums(part) for _, part in runs.parts()], len(runs.offsets) - 1, level
    )


def drawn_in(runs: Runs, level: float = LEVEL) -> pl.DataFrame:
    """For each actor that acted, the share of its acts that descend from disputes between others.

    Columns: actor, share, low, high, acts_per_run (all acts of the actor), runs.
    """
    counts = _counts(runs)
    drawn = pl.col("n").filter("drawn_in").sum().alias("drawn")
    by_run = counts.group_by("replicate", "actor").agg(drawn, pl.col("n").sum())
    n_runs, names = len(runs.offsets) - 1, _actors(model_of(runs))
    rows = []
    for (actor,), own in by_run.group_by("actor"):
        estimate = intervals.share(own["drawn"], own["n"], level)
        whole = {"actor": names[actor], "acts_per_run": float(own["n"].sum()) / n_runs}
        rows.append(whole | {"share": estimate.mean, "low": estimate.low, "high": estimate.high, "runs": n_runs})
    kept = ("actor", "share", "low", "high", "acts_per_run", "runs")
    return pl.DataFrame(rows, schema={name: SCHEMA[name] for name in kept}).sort("actor")


def _counts(runs: Runs) -> pl.DataFrame:
    """Acts by replicate, actor, drawn_in, mechanism of entry (code) and actor by whom (index): column n."""
    model = model_of(runs)
    names = _actors(model)
    index = {name: i for i, name in enumerate(names)}
    source = np.array([index.get(c.source or "", -1) for c in model.channels], dtype=np.int64)
    target = np.array([index.get(c.target or "", -1) for c in model.channels], dtype=np.int64)
    shape = (len(names), 2, len(model.mechanisms) - HISTORY, len(names) + 1)
    offsets = np.asarray(runs.offsets, dtype=np.int64)
    replicate, way, number = entry_counts(
        offsets, runs.channel, runs.parent, runs.mechanism, source, target, shape, HISTORY
    )
    actor, drawn, mechanism, by = np.unravel_index(way, shape)
    return pl.DataFrame(
        {
            "replicate": replicate,
            "actor": actor,
            "drawn_in": drawn.astype(bool),
            "mechanism": mechanism + HISTORY,
            "by": by - 1,
            "n": number,
        }
    )


def entanglement_sums(runs: Runs) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What `entanglement` rests on: sums over runs, by actor and way, and by actor. Those of spans of runs add up."""
    counts = _counts(runs)
    totals = counts.group_by("replicate", "actor").agg(pl.col("n").sum().cast(pl.Float64).alias("all"))
    cells = counts.group_by("replicate", "actor", *KEYS).agg(pl.col("n").sum().cast(pl.Float64))
    # Three sums over runs tell the spread, no table of runs is needed; all are whole numbers, so they add up exactly.
    sums = (
        cells.join(totals, on=["replicate", "actor"])
        .group_by("actor", *KEYS)
        .agg(
            pl.col("n").sum().alias("hits"),
            (pl.col("n") ** 2).sum().alias("hits_2"),
            (pl.col("n") * pl.col("all")).sum().alias("hits_all"),
        )
        .sort("actor", *KEYS)
    )
    whole = totals.group_by("actor").agg(pl.col("all").sum(), (pl.col("all") ** 2).sum().alias("all_2"))
    return sums, whole.sort("actor")


def entanglement_of(
    model: Model, parts: Sequence[tuple[pl.DataFrame, pl.DataFrame]], n_runs: int, level: float = LEVEL
) -> pl.DataFrame:
    """The shares of each actor's acts, from the sums of spans of so many runs together."""
    sums = pl.concat([one for one, _ in parts]).group_by("actor", *KEYS).agg(pl.all().sum())
    whole = pl.concat([one for _, one in parts]).group_by("actor").agg(pl.all().sum())
    names = _actors(model)
    rows = []
    for row in sums.join(whole, on="actor").to_dicts():
        spread = (row["hits_2"], row["hits_all"], row["all_2"])
        estimate = intervals.ratio(spread, row["hits"], row["all"], n_runs, level)
        code = row["mechanism"]
        rows.append(
            {
                "actor": names[row["actor"]],
                "drawn_in": row["drawn_in"],
                "mechanism": model.mechanisms[code] if code >= 0 else OTHER_ORIGINS[code],
                "by": names[row["by"]] if row["by"] >= 0 else None,
                "share": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                "acts_per_run": row["hits"] / n_runs,
                "runs": n_runs,
            }
        )
    frame = pl.DataFrame(rows, schema=SCHEMA)
    keys = ["actor", "share", "mechanism", "by", "drawn_in"]
    return frame.sort(keys, descending=[name == "share" for name in keys], nulls_last=True)


def _actors(model: Model) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for c in model.channels for n in (c.source, c.target) if n is not None))
