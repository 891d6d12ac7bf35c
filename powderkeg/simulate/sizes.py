"""How much work is one replicate of a job?

In: the tables of a system, a window, how many replicates. Out: candidates to expect in one: what chunks and kept
pieces are made from, the same on every machine. With every gate at its highest a system may do twenty times what it
really does, so for large jobs the first few replicates are simulated beforehand and counted.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.simulation.chunks import Workspace, simulate_chunk
from powderkeg.engine.simulation.tables import Tables, expected_events

PILOT = 4
"""Replicates that are simulated beforehand."""
LARGE = 128 * PILOT
"""Replicates from which on that costs less than a hundredth of the job."""
MOST = 100_000
"""Events of each, where it is stopped: more than that need not be known."""


def candidates_of(tables: Tables, root: np.uint64, begin: float, days: float, replicates: int, limit: int) -> float:
    """Candidates to expect in a replicate, at least 1.

    root   key of the seed: the same job has the same sizes
    limit  events at which a replicate is stopped
    """
    bound = max(expected_events(tables, days), 1.0)
    if replicates < LARGE:
        return bound
    pilot = simulate_chunk(tables, root, 0, PILOT, begin, begin + days, min(limit, MOST), Workspace(), bound)
    assert pilot is not None  # nobody stops it
    return max(float(pilot.n_candidates.sum()) / PILOT, 1.0)
