"""Does a forecast fit into the memory that it may take, and with how many workers?

In: a model, what was watched, how many draws of how many days. Out: bytes, before anything is built. They decide only
whether a forecast is made and how many sets of draws are in hand at once, never what it says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.errors import warn
from powderkeg.forecast.choice import AHEAD, JUDGED, MOST_STEPS, STEP, steps
from powderkeg.forecast.counts import CELLS as TOLD_CELLS
from powderkeg.forecast.counts import units_of
from powderkeg.forecast.days_before import CELLS
from powderkeg.forecast.seen import Watched
from powderkeg.forecast.weighted import CELLS as POOLED_CELLS
from powderkeg.model import Model
from powderkeg.simulate.memory import Budget, OverMemory, budget, in_words
from powderkeg.simulate.workers import workers_for

ACT = 60
"""Bytes of an act ahead: its columns, its root, and what is made of them when acts are told."""
MORE = 1.5
"""Acts ahead reckoned with, as many times those of the last days."""
LATELY = 60
FLOAT = 8


class Taken(NamedTuple):
    """Bytes that a forecast takes at its largest, about: of each worker, of the acts of all draws, of what is told."""

    worker: float
    acts: float
    told: float

    def whole(self, workers: int) -> float:
        """The acts stand while sets are made, and while they are told; the two are not in hand at once."""
        return self.acts + max(workers * self.worker, self.told)


def taken(model: Model, watched: Watched, days: int, draws: int, worlds: int, sets: int) -> Taken:
    """What a forecast takes."""
    system, C, D = model.system, model.n_channels, watched.n_days
    came = len(np.unique(watched.channel))
    pairs = len({frozenset((c.source, c.target)) for c in model.channels[: model.n_acts]})
    U = len(units_of(model))
    E, each = system.n_edges, -(-draws // sets)
    moves = bool(len(system.effect_fact) or len(system.turn_time))
    # Acts, answers, both once more weighed: of the days before, of one block of channels.
    looked_at = min(D * (C if D * C <= CELLS or moves else came), CELLS) * 5 * FLOAT
    if watched.late is not None:
        looked_at = D * C * 6 * FLOAT
    origins = min(JUDGED, D) / STEP
    small = steps(system, E) * max(AHEAD) * origins <= MOST_STEPS  # a slot for each link at the most
    trial = origins * (max(AHEAD) + 20) * (U if small else min(came, U)) * FLOAT
    levels = 12 * C * FLOAT
    ahead = (each * days * pairs + each * -(-days // 7) * U + 4 * days * C) * FLOAT
    tables = worlds * ((days + 1) * (2 * E + 2 * C) + 30 * E + 20 * C) * FLOAT
    lately = int((watched.time >= watched.days - LATELY).sum()) / max(min(LATELY, watched.days), 1.0)
    acts = MORE * lately * days * draws * worlds * ACT
    # Weighted means: acts, days, means and misses of the dyads that came; a block of histories.
    pooled = (D * min(came, U) * 8 + min(draws * days * U, POOLED_CELLS) * 6) * FLOAT
    told = max(min(draws * days * U, TOLD_CELLS) * 6 * FLOAT, pooled)
    return Taken(looked_at + max(trial, levels + ahead + tables), acts, told)


def workers_within(
    model: Model, watched: Watched, days: int, draws: int, worlds: int, sets: int, workers: int | None,
    memory: int | str | Budget | None,
) -> int:  # fmt: skip
    """How many workers fit into the memory. Says so, in a warning, where they are fewer than there would be.

    Raises OverMemory, before anything is built, where not even one does.
    """
    room = budget(memory)
    need = taken(model, watched, days, draws, worlds, sets)
    asked = workers_for(sets, workers)
    fits = asked
    while fits > 1 and need.whole(fits) > room.bytes:
        fits -= 1
    size = f"{draws:,} draws of {days} days among {model.n_acts:,} kinds of act, who and to whom,"
    if need.whole(fits) > room.bytes:
        left = room.bytes - max(need.worker, need.told)
        most = int(draws * left / need.acts) if left > 0 else 0
        instead = f"about {most:,} draws would fit, or fewer days; or more memory" if most >= 10 else (
            "fewer days, a shorter record, a smaller scenario or more memory would do"
        )  # fmt: skip
        raise OverMemory(
            f"{size} take about {in_words(need.whole(1))} and would not fit into {room}: {instead}; nothing was made"
        )
    if fits < asked:
        warn(
            f"{size} would take about {in_words(need.whole(asked))} with {asked} workers; into {room} fit "
            f"{fits}, which take longer and give the same"
        )
    return fits


def must_fit_scored(model: Model, by: str, days: int, draws: int, memory: int | str | Budget | None) -> None:
    """Raises OverMemory, before anything is built, where the draws of one origin, which are scored in one table, do not
    fit."""
    room = budget(memory)
    need = draws * days * len(units_of(model, by)) * 3.0 * FLOAT
    if need > room.bytes:
        most = int(draws * room.bytes / need)
        instead = f"about {most:,} draws would, or shorter horizons" if most >= 10 else (
            "shorter horizons or more memory would do"
        )  # fmt: skip
        raise OverMemory(
            f"{draws:,} draws of {days} days and {len(units_of(model, by)):,} units are scored in one table, which "
            f"takes about {in_words(need)} and would not fit into {room}: {instead}; nothing was made"
        )
