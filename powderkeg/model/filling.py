"""What are the arrays of a model when some of its numbers are others?

In: a `Model` and values by key path. Out: a `System`, bit for bit that of the edited scenario compiled anew, in
a thousandth of the time: who can do what to whom, and what answers what, stays as it is. Samples of the scenario's
ranges, sweeps and levers all go through here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from powderkeg.engine.arrays import Floats, System
from powderkeg.errors import Fault, ModelError, UsageError, nearest_name
from powderkeg.model.parting import part_of
from powderkeg.model.parts import Model
from powderkeg.units import LN2


def filled(model: Model, values: Mapping[str, float]) -> System:
    """The model's arrays with other values of its parameters, in days, per day, or as fractions.

    Values are taken as they come: whether a scenario could hold them is for `scenario.edit` to say.
    Raises UsageError, with the nearest path, for one that is no parameter of the model; ModelError for bare arrays.
    """
    if model.scenario is None:
        raise ModelError("a model made from bare arrays has no key paths to fill by")
    index = {parameter.path: number for number, parameter in enumerate(model.parameters)}
    shares = {path: number for path, number in values.items() if path not in index and _component(model, path) >= 0}
    values = {path: number for path, number in values.items() if path not in shares}
    unknown = [
        Fault.at(path, "not a number that the model is filled from", "a parameter", nearest_name(path, index))
        for path in values
        if path not in index
    ]
    if unknown:
        raise UsageError(unknown)
    value: Floats = np.array([parameter.value for parameter in model.parameters], dtype=np.float64)
    for path, number in values.items():
        value[index[path]] = number
    system = model.system
    made = {}
    for name, cells in _cells(model).items():
        array = getattr(system, name).copy()
        named = np.flatnonzero(cells >= 0)
        filling = value[cells[named]]
        if name == "rate" and model.times_parameter is not None:
            times = model.times_parameter[named]
            filling = np.where(times >= 0, value[times], 1.0) * filling
        elif name == "edge_mass":
            filling = model.edge_weight[named] * filling
        elif name in ("kernel_decay", "calm_decay"):
            filling = LN2 / filling
            if name == "kernel_decay" and model.kernel_times is not None:
                filling = filling * model.kernel_times[named]
        elif name == "level_factor" and model.factor_power is not None:
            filling = filling ** model.factor_power[named]
        array[named] = filling
        made[name] = array
    if shares:
        made["kernel_share"] = _shares(model, shares)
    return system._replace(**made)


def _component(model: Model, path: str) -> int:
    """The component of a kernel whose share a key path names, -1 for none."""
    found = part_of(path)
    if found is None or found[2] != "share" or found[0] not in model.mechanisms:
        return -1
    start = model.system.kernel_start
    first, end = start[(m := model.mechanisms.index(found[0])) : m + 2]
    return int(first) + found[1] - 1 if 1 < end - first >= found[1] > 0 else -1


def _shares(model: Model, values: Mapping[str, float]) -> Floats:
    """(K,) shares of half-lives with those of `values`; what these leave is the others', in proportion."""
    start, share = model.system.kernel_start, model.system.kernel_share.copy()
    given = np.zeros(len(share), np.bool_)
    for path, value in values.items():
        at = _component(model, path)
        share[at], given[at] = value, True
    for m in range(len(start) - 1):
        own = slice(int(start[m]), int(start[m + 1]))
        fixed, rest = given[own], ~given[own]
        if fixed.any() and rest.any():
            share[own][rest] *= max(1.0 - share[own][fixed].sum(), 0.0) / max(share[own][rest].sum(), 1e-300)
        elif fixed.any():
            share[own] /= share[own].sum()
    return share


def _cells(model: Model) -> dict[str, np.ndarray]:
    """The parameter behind each cell of each array that holds values, -1 where there is none."""
    return {
        "rate": model.rate_parameter,
        "edge_mass": model.edge_parameter,
        "kernel_decay": model.kernel_parameter,
        "level_factor": model.factor_parameter,
        **model.other_parameters,
    }
