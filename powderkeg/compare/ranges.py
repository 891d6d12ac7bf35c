"""Which other values could the scenario's numbers as well have had?

In: a model whose parameters have ranges, a number of sets, a seed. Out: that many sets of values by key path.
A value is as likely above the stated one as below it, and evenly spread between it and either end of its range: on a
logarithmic scale where the low end is above zero, for a range of 0.1 to 10 around 1 is meant so. Sets form a Latin
hypercube (McKay, Beckman & Conover 1979, Technometrics 21, 239-245). Numbers without a range stay as they are.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from powderkeg.engine.arrays import Floats
from powderkeg.model import Model
from powderkeg.model.parts import Parameter


def ranged(model: Model) -> tuple[Parameter, ...]:
    """The parameters that have a range."""
    return tuple(p for p in model.parameters if p.low is not None and p.high is not None and p.low < p.high)


def draw_values(model: Model, sets: int, seed: int) -> list[dict[str, float]]:
    """`sets` sets of values by key path; empty where no parameter has a range."""
    parameters = ranged(model)
    if not parameters:
        return []
    uniform = qmc.LatinHypercube(len(parameters), rng=np.random.default_rng([seed, sets])).random(sets)
    columns = [value_at(p, uniform[:, i]) for i, p in enumerate(parameters)]
    return [{p.path: float(column[k]) for p, column in zip(parameters, columns, strict=True)} for k in range(sets)]


def value_at(parameter: Parameter, u: Floats) -> Floats:
    """The value below which it lies with probability u."""
    assert parameter.low is not None and parameter.high is not None
    ends = np.array([parameter.low, parameter.value, parameter.high])
    is_log = parameter.low > 0
    found: Floats = np.interp(u, [0.0, 0.5, 1.0], np.log(ends) if is_log else ends)
    return np.exp(found) if is_log else found
