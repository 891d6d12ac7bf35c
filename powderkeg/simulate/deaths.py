"""How many die in each act of simulated histories.

In: events by replicate, time and channel, and the model they came from. Out: a number for each event, drawn after the
fact by the laws that the scenario's acts have.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.draws import root_key
from powderkeg.engine.magnitudes import uniforms
from powderkeg.model import Model
from powderkeg.model.deaths import laws_of

KILLS = 2
"""What `Model.hurts` says of an act that kills."""


def draw_deaths(model: Model, seed: int, replicate: Ints, time: Floats, channel: Ints) -> Floats | None:
    """(N,) dead of each event: drawn where its act has a law, one where it only says that it kills, else none.

    None where no act has a law. The draws are addressed by seed, replicate, time and channel, so the same event has as
    many dead in every part of a job, in its file, and in a world that shares it. The second of two acts of a channel
    at one instant, as deeds put in by hand may be, has a number of its own.
    """
    laws = laws_of(model)
    if not laws:
        return None
    found: Floats = (np.asarray(model.hurts)[channel] == KILLS).astype(np.float64)
    number = {act: k for k, act in enumerate(laws)}
    law = np.array([number.get(c.act, -1) if c.kind == "act" else -1 for c in model.channels])[channel]
    at = np.flatnonzero(law >= 0)
    address = channel[at] + len(model.channels) * _which_of_equals(replicate[at], time[at], channel[at])
    drawn = uniforms(root_key(seed), replicate[at], time[at], address)
    for k, numbers in enumerate(laws.values()):
        own = law[at] == k
        found[at[own]] = numbers.numbers(drawn[own])
    return found


def _which_of_equals(replicate: Ints, time: Floats, channel: Ints) -> Ints:
    """(n,) how many events before have the same replicate, time and channel; events of one replicate in time order."""
    found = np.zeros(len(time), dtype=np.int64)
    again = np.flatnonzero((time[1:] == time[:-1]) & (replicate[1:] == replicate[:-1])) + 1
    seen: dict[tuple[int, float, int], int] = {}
    for i in np.union1d(again - 1, again).tolist():  # next to none but of acts put in by hand
        key = int(replicate[i]), float(time[i]), int(channel[i])
        found[i] = seen.get(key, 0)
        seen[key] = found[i] + 1
    return found
