"""Which sets of numbers let what follows from one act die out?

In: a model, sets of values by key path. Out: those whose branching ratio, in the state at the start, is below 1.
At 1 or more an act brings on more acts without end, so that a mean over a year is that of the limit at which runs are
stopped. Where the scenario's own numbers are below 1, drawn ones that are not are left aside and counted: Bayesian
estimates of such processes restrict them alike (Rasmussen 2013, Methodology and Computing in Applied Probability 15,
623-642).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from powderkeg.model.filling import filled
from powderkeg.model.parts import Model
from powderkeg.model.spectral import branching_ratio, edge_masses, edge_sources, ratio_of_masses


def subcritical(model: Model, sets: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Those of the sets whose branching ratio at the start is below 1; all of them where the model's own is not.

    sets  values by key path, in days, per day or as fractions

    Raises UsageError for a path that is no parameter of the model.
    """
    if sets and branching_ratio(model) >= 1.0:
        return [dict(values) for values in sets]
    return [dict(values) for values in sets if _dies_out(model, values)]


def _dies_out(model: Model, values: Mapping[str, float]) -> bool:
    system = filled(model, values)
    masses = edge_masses(system, system.initial_level)
    sums = (np.bincount(ends, masses, system.n_channels) for ends in (edge_sources(system), system.edge_target))
    # No ratio is above the largest sum of a row, or of a column: where that is below 1, nothing need be solved.
    return min(float(s.max(initial=0.0)) for s in sums) < 1.0 or ratio_of_masses(system, masses) < 1.0
