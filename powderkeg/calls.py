"""What is told to somebody whose call does not fit the function?

In: a public function, or a class with public methods. Out: the same, and calls that do not fit are answered with a
UsageError: which argument is unknown, missing or given twice, and what the nearest name is. A call that fits is not
looked at.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from powderkeg.errors import Fault, UsageError, nearest_name

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


def answering(function: Callable[P, R], module: str, name: str) -> Callable[P, R]:
    """The function, as `module` offers it under a name: calls that do not fit it raise UsageError.

    What the function itself raises, TypeError included, comes through as it is.
    """
    place = ".".join([*module.split(".")[1:], name])  # as one types it: `simulate`, `plots.history`
    answered = answered_at(function, place)
    answered.__module__, answered.__name__, answered.__qualname__ = module, name, name  # where pickle looks for it
    return answered


def answering_methods(kind: type[C]) -> type[C]:
    """The class itself: calls of its public methods that do not fit them raise UsageError, as those of functions do."""
    for name in dir(kind):
        method = inspect.getattr_static(kind, name)
        if isinstance(method, FunctionType) and not name.startswith("_") and not hasattr(method, "__wrapped__"):
            setattr(kind, name, answered_at(method, f"{kind.__name__}.{name}", own=1))
    return kind


def answered_at(function: Callable[P, R], place: str, own: int = 0) -> Callable[P, R]:
    """The function under the name that messages give it.

    own  how many of the first arguments are not the caller's to give, as a method's `self`
    """

    @functools.wraps(function)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError:
            faults = slips(function, place, args, kwargs, own)
            if not faults:
                raise
        raise UsageError(faults)

    return answered


def slips(
    function: Callable[..., Any], place: str, args: tuple[object, ...], kwargs: Mapping[str, object], own: int = 0
) -> list[Fault]:
    """Every reason why a call does not fit; none if it fits."""
    signature = inspect.signature(function)
    signature = signature.replace(parameters=list(signature.parameters.values())[own:])
    args = args[own:]
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        pass
    else:
        return []
    given = signature.parameters.values()
    placed = [one.name for one in given if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    named = [one.name for one in given if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    needed = [
        one.name for one in given if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    at_place = placed[: len(args)]
    faults = [
        Fault.at(place, f"unknown argument {name!r}", _one_of(named), nearest_name(name, named))
        for name in kwargs
        if name not in named and not any(one.kind is one.VAR_KEYWORD for one in given)
    ]
    faults += [Fault.at(place, f"{name!r} is given twice", "it once") for name in at_place if name in kwargs]
    if len(args) > len(placed) and not any(one.kind is one.VAR_POSITIONAL for one in given):
        most = f"at most {len(placed)} ({', '.join(placed)})" if placed else "none"
        found = f"{len(args)} argument{'' if len(args) == 1 else 's'} without a name"
        faults.append(Fault.at(place, found, f"{most}; the others have names" if len(named) > len(placed) else most))
    lacking = [name for name in needed if name not in at_place and name not in kwargs]
    if lacking:
        faults.append(Fault.at(place, f"nothing for {', '.join(lacking)}", f"{place}{_shown(signature)}"))
    return faults


def _one_of(named: list[str]) -> str:
    return f"one of {', '.join(named)}" if len(named) > 1 else (named[0] if named else "no arguments")


def _shown(signature: inspect.Signature) -> str:
    """Names alone, those that can be left out with their defaults out of sight: `(model, asked, *, ...)`."""
    needed = [one.name for one in signature.parameters.values() if one.default is one.empty]
    return f"({', '.join([*needed, *['...'] * (len(needed) < len(signature.parameters))])})"
