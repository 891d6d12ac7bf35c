"""Which model is meant where a name, a path, a scenario or a model is given?

In: a function of a model. Out: the same function, which takes any of these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from powderkeg.model.parts import Model
from powderkeg.model.restricted import compile_for
from powderkeg.scenario import Given

P = ParamSpec("P")
R = TypeVar("R")


def taking_names(function: Callable[Concatenate[Model, P], R]) -> Callable[Concatenate[Given | Model, P], R]:
    """The function for whatever stands for a model, its first argument."""

    @wraps(function)
    def taking(model: Given | Model, /, *rest: P.args, **named: P.kwargs) -> R:
        return function(compile_for(model), *rest, **named)

    return taking
