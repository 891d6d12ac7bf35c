"""What is told to somebody whose call does not fit the function?

In: a public function. Out: one that does the same, and answers a call that does not fit with a UsageError: which
argument is unknown, missing or given twice, and what the nearest name is. A call that fits is not looked at.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from powderkeg.errors import Fault, UsageError, nearest_name

P = ParamSpec("P")
R = TypeVar("R")


def answering(function: Callable[P, R], module: str, name: str) -> Callable[P, R]:
    """The function, as `module` offers it under a name: calls that do not fit it raise UsageError.

    What the function itself raises, TypeError included, comes through as it is.
    """

    @functools.wraps(function)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError:
            faults = slips(function, name, args, kwargs)
            if not faults:
                raise
        raise UsageError(faults)

    answered.__module__, answered.__name__, answered.__qualname__ = module, name, name  # where pickle looks for it
    return answered


def slips(
    function: Callable[..., Any], place: str, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> list[Fault]:
    """Every reason why a call does not fit; none if it fits."""
    signature = inspect.signature(function)
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
        Fault.at(place, f"unknown argument {name!r}", f"one of {', '.join(named)}", nearest_name(name, named))
        for name in kwargs
        if name not in named
    ]
    faults += [Fault.at(place, f"{name!r} is given twice", "it once") for name in at_place if name in kwargs]
    if len(args) > len(placed):
        least = f"at most {len(placed)} ({', '.join(placed)})" if placed else "none"
        faults.append(Fault.at(place, f"{len(args)} arguments without a name", f"{least}; the others have names"))
    lacking = [name for name in needed if name not in at_place and name not in kwargs]
    if lacking:
        faults.append(Fault.at(place, f"nothing for {', '.join(lacking)}", f"{place}{_shown(signature)}"))
    return faults


def _shown(signature: inspect.Signature) -> str:
    """Names alone, those that can be left out with their defaults out of sight: `(model, asked, *, ...)`."""
    needed = [one.name for one in signature.parameters.values() if one.default is one.empty]
    return f"({', '.join([*needed, *['...'] * (len(needed) < len(signature.parameters))])})"
