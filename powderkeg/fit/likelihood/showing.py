"""Simulated acts as the source would have shown them: what is held against its record.

In: a layer, acts of simulated histories in the window's time. Out: reports. Kinds of day let a share through, and each
act that is seen has a number of reports with Borel's law. Coverage and epochs are not in here: they are relative and
may be above 1, and scale the background that is simulated instead (`predictive.with_course`).
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.likelihood.layer import Layer


def reports_of(
    layer: Layer | None, time: Floats, channel: Ints, replicate: Ints, seed: int
) -> tuple[Floats, Ints, Ints]:
    """(time, channel, replicate) of the reports, by replicate and time; the acts themselves without a layer."""
    if layer is None:
        return time, channel, replicate
    rng = np.random.default_rng([seed, 7])
    day = np.clip(np.floor(time).astype(np.int64) - layer.origin, 0, len(layer.known) - 1)
    share = layer.passing[day]
    if len(layer.detection):
        share = share * layer.detection[channel]
    kept = rng.random(len(time)) < share
    time, channel, replicate = time[kept], channel[kept], replicate[kept]
    number = borel(layer.repeats or 0.0, len(time), rng)
    return np.repeat(time, number), np.repeat(channel, number), np.repeat(replicate, number)


def borel(share: float, n: int, rng: np.random.Generator) -> Ints:
    """(n,) numbers of reports: the first, those that tell of it again, those that tell of these, and so on."""
    number, left = np.ones(n, np.int64), np.ones(n, np.int64)
    while share > 0.0 and left.any():
        left = rng.poisson(share * left)
        number += left
    return number
