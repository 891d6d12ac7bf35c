"""Draws by month in the layout of VIEWS, so that their tools read ours.

In: a `Forecast`. Out: the rows of a `PredictionFrame` of `views-frames` as flat parquet: time, unit, sample, value,
with its header; and what each unit number stands for. Months are counted as VIEWS counts them: 1 is January 1980. Their
frames know countries and grid cells; our units are directed dyads, numbered from 0, under the level "cm".
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from powderkeg.errors import Fault, UsageError
from powderkeg.forecast.result import Forecast

HEADER = "views_frames"
LEVEL = "cm"


def by_month(found: Forecast, by: str = "dyad") -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows time, unit, sample, value in their order; units: unit, source, target, and months: the days each holds).

    A month that is foretold in part holds the acts of those days; `days` of the second table says how many they are.
    """
    units, counts = found.units(by), found.counts(by)
    dates = [found.origin + timedelta(days=d) for d in range(found.days)]
    month = np.array([(day.year - 1980) * 12 + day.month for day in dates])
    months = np.unique(month)
    R, U = counts.shape[0], len(units)
    total = np.stack([counts[:, month == m].sum(axis=1) for m in months], axis=0)  # (months, draws, units)
    rows = pl.DataFrame(
        {
            "time": np.repeat(months, U * R).astype(np.int64),
            "unit": np.tile(np.repeat(np.arange(U), R), len(months)).astype(np.int64),
            "sample": np.tile(np.arange(R, dtype=np.int32), len(months) * U),
            "value": total.transpose(0, 2, 1).ravel().astype(np.float32),
        }
    )
    days = [int((month == m).sum()) for m in months]
    names = pl.DataFrame({"unit": np.arange(U), **units.names()})
    told = names.join(pl.DataFrame({"time": months, "days": days}), how="cross")
    return rows, told


def write_views(found: Forecast, path: Path, by: str = "dyad") -> None:
    """The rows as parquet with the header that `views_frames.io.arrow.load` looks for; units beside it as CSV.

    Raises UsageError where pyarrow is missing: their reader needs it too, and wants the header where only it writes
    one.
    """
    try:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet
    except ImportError as error:
        found_words = "pyarrow is not installed, which this layout needs"
        raise UsageError(Fault.at("views", found_words, "pip install pyarrow")) from error
    rows, told = by_month(found, by)
    header: dict[str, object] = {
        "level": LEVEL, "metadata": {}, "feature_names": None, "n_features": 0, "n_samples": found.draws, "ndim": 2,
    }  # fmt: skip
    columns = {name: rows[name].to_numpy() for name in rows.columns}
    table = pyarrow.table(columns).replace_schema_metadata({HEADER: json.dumps(header)})
    parquet.write_table(table, str(path))
    told.write_csv(path.with_suffix(".units.csv"))
