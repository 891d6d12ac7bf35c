"""A past to start from: what an event table says, in the channels of a model.

In: a `Model`, an `EventTable`. Out: the engine's `Past`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.worlds import Past
from powderkeg.errors import Fault, ModelError, UsageError, warn
from powderkeg.events.table import EventTable

if TYPE_CHECKING:
    from powderkeg.model import Model


def past_of(model: Model, events: EventTable, begin: float | None = None, complete: bool = False) -> Past:
    """The events of a table as the past of a run.

    begin     day since the scenario's start on which the run begins; default: the end of the table's window
    complete  the table says when facts ran out (a simulated past). Otherwise timers run during the past, unseen and
              differently in every replicate

    Events that no channel of the model stands for are left out, with a warning that counts them. Raises UsageError if
    the table holds several histories, or begins after `begin`.
    """
    scenario = model.scenario
    if scenario is None:
        raise ModelError("bare arrays have no names to find events by")
    if events.n_replicates > 1:
        raise UsageError(Fault.at("history", f"{events.n_replicates:,} histories", "one"))
    shift = float((events.start - scenario.start).days)
    if begin is None:
        begin = shift + events.days
    frame = events.frame.filter(pl.col("time") + shift < begin)
    if len(events) and not len(frame):
        raise UsageError(Fault.at("history", f"no event before day {begin:g}", "some of the past"))
    channel = _channels(model, frame)
    known = channel >= 0
    if not known.all():
        warn(f"{int((~known).sum()):,} of {len(known):,} past events have no channel in the model; left out")
    time = frame["time"].to_numpy().astype(np.float64) + shift
    order = np.argsort(time[known], kind="stable")
    return Past(float(begin), time[known][order], channel[known][order], complete)


def _channels(model: Model, frame: pl.DataFrame) -> NDArray[np.int64]:
    """Channel of every row, -1 if there is none. A `channel` column counts where its names are those of the model."""
    names = [(c.source, c.act, c.target) for c in model.channels]
    by_name = {name: i for i, name in reversed(list(enumerate(names[: model.n_acts])))}
    rows = frame.select(pl.col("source", "act", "target").cast(pl.String)).rows()
    given = frame["channel"].fill_null(-1).to_list() if "channel" in frame.columns else [-1] * len(rows)
    return np.array(
        [
            i if 0 <= i < len(names) and names[i] == row else by_name.get(row, -1)
            for i, row in zip(given, rows, strict=True)
        ],
        np.int64,
    )
