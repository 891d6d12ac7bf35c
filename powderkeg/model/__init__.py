"""Scenario to arrays: what runs, with the name of every number in it, and how near it stands to the brink.

In: a `Scenario`, or bare arrays. Out: a `Model`, its branching ratios, its `Stability`, and its `Description` in words.
"""

from powderkeg.model.describe import Description, describe, foundations, guessed
from powderkeg.model.filling import filled
from powderkeg.model.parts import Channel, Model, Parameter
from powderkeg.model.plain import from_arrays
from powderkeg.model.restricted import compile_for as compile
from powderkeg.model.restricted import restricted
from powderkeg.model.spectral import branching_matrix, branching_ratio, elasticities, spectral_radius
from powderkeg.model.stability import Stability, branching_ratios, stability, warn_of_instability

__all__ = [
    "Channel",
    "Description",
    "Model",
    "Parameter",
    "Stability",
    "branching_matrix",
    "branching_ratio",
    "branching_ratios",
    "compile",
    "describe",
    "elasticities",
    "filled",
    "foundations",
    "from_arrays",
    "guessed",
    "restricted",
    "spectral_radius",
    "stability",
    "warn_of_instability",
]
