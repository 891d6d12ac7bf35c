"""Scenario to arrays: what runs, with the name of every number in it, and how near it stands to the brink.

In: a `Scenario`, or bare arrays. Out: a `Model`, its branching ratios, its `Stability`, and its `Description` in words.
"""

from powderkeg.model.describe import Description, foundations, guessed
from powderkeg.model.describe import describe as _describe
from powderkeg.model.filling import filled
from powderkeg.model.given import taking_names
from powderkeg.model.idle import why_idle
from powderkeg.model.network import graphml as _graphml
from powderkeg.model.network import network as _network
from powderkeg.model.parts import Channel, Model, Parameter
from powderkeg.model.plain import from_arrays
from powderkeg.model.restricted import compile_for as compile
from powderkeg.model.restricted import restricted
from powderkeg.model.spectral import branching_matrix as _branching_matrix
from powderkeg.model.spectral import branching_ratio as _branching_ratio
from powderkeg.model.spectral import elasticities, spectral_radius
from powderkeg.model.stability import Stability, branching_ratios, warn_of_instability
from powderkeg.model.stability import stability as _stability

describe = taking_names(_describe)
branching_matrix = taking_names(_branching_matrix)
branching_ratio = taking_names(_branching_ratio)
graphml = taking_names(_graphml)
network = taking_names(_network)
stability = taking_names(_stability)

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
    "graphml",
    "guessed",
    "network",
    "restricted",
    "spectral_radius",
    "stability",
    "warn_of_instability",
    "why_idle",
]
