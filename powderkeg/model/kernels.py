"""How soon do the answers of each mechanism come? Kernels of a scenario as arrays.

In: a `Scenario` and its register of numbers. Out: `kernel_start`, `kernel_share` and `kernel_decay` of the system, with
the key path behind each decay.

Answers that build up come after two waits, one after the other, each exponential: the second of mean 1 / b, where b is
ln 2 / half-life, the first of mean r / b, where r is the mechanism's `build_up`. The density of their sum is
b / (1 - r) * (exp(-b u) - exp(-b u / r)): two components with shares 1 / (1 - r) and -r / (1 - r), which hang on r
alone. So whoever adds up over components reads it as any other mixture, whatever becomes of the half-life.
Source: the hypoexponential law, as in Ross, Introduction to Probability Models (2014), section 5.2.4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from powderkeg.model.register import Register
from powderkeg.scenario import Scenario
from powderkeg.scenario.declared import Mechanism
from powderkeg.units import LN2


class Component(NamedTuple):
    """An exponential part of a kernel: share of the answers, the half-life in days that it goes by, and its decay as a
    multiple of ln 2 / half-life."""

    share: float
    days: float
    times: float


def kernel_of(mechanism: Mechanism) -> list[Component]:
    """The components of a mechanism's kernel, in the order of its half-lives."""
    r = float(mechanism.build_up)
    if r > 0.0:
        days = float(mechanism.half_lives[0].days)
        return [Component(1.0 / (1.0 - r), days, 1.0), Component(-r / (1.0 - r), days, 1.0 / r)]
    return [Component(float(part.share), float(part.days), 1.0) for part in mechanism.half_lives]


def kernels(scenario: Scenario, register: Register) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays of the System, and their labels for the Model."""
    found = [kernel_of(one) for one in scenario.mechanisms.values()]
    parts = [part for kernel in found for part in kernel]
    paths = [
        path
        for (name, one), kernel in zip(scenario.mechanisms.items(), found, strict=True)
        for path in register.half_lives(name) * (len(kernel) // len(one.half_lives))
    ]
    times = np.array([part.times for part in parts])
    arrays = {
        "kernel_start": np.cumsum([0, *(len(kernel) for kernel in found)], dtype=np.int64),
        "kernel_share": np.array([part.share for part in parts], dtype=np.float64),
        "kernel_decay": np.array([LN2 / part.days * part.times for part in parts], dtype=np.float64),
    }
    labels = {
        "kernel_parameter": np.array([register[path] for path in paths], dtype=np.int64),
        "kernel_times": times if (times != 1.0).any() else None,
    }
    return arrays, labels
