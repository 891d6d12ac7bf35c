"""What does a short record say of rates, beside what the scenario says?

In: days watched, acts a day by the scenario. Out: `Leaning`: how many days the scenario's own rates count for.

A record of a day says next to nothing of how often an act comes: one act on the only day watched is not one a day. So
the laws from which rates start (`ground.across`, `weighted.weighted_rates`) take the scenario's rates for so many days
watched before, no more than bring a few acts: where many more came than the scenario says, the record soon wins.
These grow fewer in step with the record and are none from `LONG` days on: then a record speaks for
itself, and a scenario whose rates are of another time or place costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, System

WORTH = 60.0
"""Days that the scenario's rates count for at the most."""
ACTS = 3.0
"""Acts that these days bring at the most, by the scenario: its rates may be of another time and place."""
LONG = 365
"""Days of a record from which on it is not short."""
GENERATIONS = 8
"""Answers to answers that are reckoned with in how often a scenario's acts come."""


class Leaning(NamedTuple):
    """days: that the scenario's rates count for; share: of what is known that is theirs, 0 where the record is long."""

    days: float = 0.0
    share: float = 0.0


def leaning(n_days: int, rate: float) -> Leaning:
    """How far a record of so many days leans on a scenario of so many acts a day."""
    days = min(WORTH, ACTS / max(rate, 1e-12)) * max(1.0 - n_days / LONG, 0.0)
    return Leaning(days, days / (days + n_days))


def with_answers(system: System, rate: Floats) -> Floats:
    """(C,) acts a day where backgrounds come at `rate`, with the answers they set off; gates on answers aside."""
    source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))
    total = rate
    for _ in range(GENERATIONS):
        total = rate + np.bincount(system.edge_target, system.edge_mass * total[source], system.n_channels)
    return np.asarray(total)
