"""Standoffs as numbers that a fit can be held against: how many, how long, how hot, how they ended.

In: an `EventTable` of one or many histories of a scenario. Out: a function that counts them, to hand to a fit's checks:
`fit.check(also=[standoff_numbers(scenario)])`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from powderkeg.analyze.episodes import episodes
from powderkeg.engine.arrays import Floats
from powderkeg.events.table import EventTable
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.scenario import Scenario
from powderkeg.units import YEAR


def standoff_numbers(model: Model | Scenario) -> Callable[[EventTable], Mapping[str, Floats]]:
    """A counter of standoffs by the scenario's own rules: (replicates,) numbers, nan where a history has none to tell.

    model  what the acts mean
    """
    compiled = compile_model(model) if isinstance(model, Scenario) else model

    def count(table: EventTable) -> Mapping[str, Floats]:
        found = episodes(table, compiled)
        n = table.n_histories  # those without an act have standoffs to tell of too: none
        replicate = found["replicate"].to_numpy()
        number = np.bincount(replicate, minlength=n).astype(np.float64)
        ended = found.filter(pl.col("end_state") != "open")
        median = np.full(n, np.nan)
        rows = ended.group_by("replicate").agg(pl.col("calendar_days").median())
        median[rows["replicate"].to_numpy()] = rows["calendar_days"].to_numpy()
        resolved = np.bincount(
            replicate, weights=(found["end_state"] == "resolved").to_numpy().astype(np.float64), minlength=n
        )
        peak = np.full(n, np.nan)
        tops = found.group_by("replicate").agg(pl.col("peak").max())
        peak[tops["replicate"].to_numpy()] = tops["peak"].to_numpy()
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(number > 0, resolved / number, np.nan)
        return {
            "standoffs a year": number / (table.days / YEAR),
            "median length of a standoff, days": median,
            "share of standoffs resolved": np.asarray(share, np.float64),
            "highest heat of a standoff": peak,
        }

    return count
