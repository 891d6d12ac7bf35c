"""How the engine's functions are compiled, and how a caller sees that it waits for the compiler.

`loop` for what Python calls (kept in Numba's cache), `inner` for what loops call, `inlined` for steps that are to stand
in their caller: a call hands over every part of every array, so a step of thirty arrays that is called for each event
pays more for the call than for its work. Neither can be called by Python: the wrappers that this takes were a third of
the time of compiling; `anywhere` is for the few that loops and Python call, compiled once more if Python does. All let
go of the interpreter's lock, divide as NumPy does, and allocate nothing: told so, Numba leaves out the reference counts
that it would otherwise keep on every array handed to a function. They cost more than the simulation itself, and more
than half of the time of compiling; so buffers are made in Python, and a loop that runs out of room says so and goes on
with more.
`allocating_loop`, `allocating` and `allocating_inner` are for the few that make arrays of a size which only they find
out; `summing_loop` and `summing` are the like for long sums, whose order the compiler may change.

What makes a kernel slow to compile, as measured: reference counts; a tuple of many arrays handed to a function that is
called from several places; wrappers for Python; NumPy's functions for sorting, searching and slices, and an array that
is assigned to a slice (the texts of its errors are compiled too). Hence: tuples are unpacked once, at the head of a
kernel, and steps take the arrays they read.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from numba.core import event
from numba.extending import typeof_impl

from powderkeg.engine.caching import njit
from powderkeg.engine.lookups import turn
from powderkeg.engine.lowering import ALLOCATING_STEPS, LOOPS, STEPS

_COMMON: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_OPTIONS: dict[str, Any] = {**_COMMON, "_nrt": False}
_ABOVE: dict[str, Any] = {"no_cfunc_wrapper": True}
_WITHIN: dict[str, Any] = {"no_cpython_wrapper": True, **_ABOVE}
for options in (_OPTIONS, _WITHIN, _ABOVE):
    try:
        njit(**options)(lambda: None)
    except Exception:  # unpublished options: a Numba without them runs the same loops, slower or later
        options.clear()
        options.update(_COMMON if options is _OPTIONS else {})

inner = njit(**_WITHIN, **_OPTIONS, **STEPS)
inlined = njit(forceinline=True, **_WITHIN, **_OPTIONS, **STEPS)
loop = njit(cache=True, **_ABOVE, **_OPTIONS, **LOOPS)
allocating = njit(**_ABOVE, **_COMMON)
allocating_inner = njit(**_WITHIN, **_COMMON, **ALLOCATING_STEPS)
allocating_loop = njit(cache=True, **_ABOVE, **_COMMON)


class Anywhere:
    """A function that loops and Python call: a step to the ones, a loop of its own to the other.

    py_func  as it is written;  step, loop  as it is compiled
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function)
        self.py_func, self.step, self.loop = function, inner(function), loop(function)

    def __call__(self, *given: Any) -> Any:
        return self.loop(*given)


@typeof_impl.register(Anywhere)
def _type_of(function: Anywhere, context: Any) -> Any:
    return typeof_impl(function.step, context)


def anywhere(function: Callable[..., Any]) -> Any:
    """An `Anywhere` of a function."""
    return function if inner(function) is function else Anywhere(function)  # it is where NUMBA_DISABLE_JIT is set


SUMS = {"reassoc", "contract", "nsz"}
"""What loops over many rows may do to the order of a sum, so that they run several rows at a time."""

# Optimised for itself as well, unlike other steps: the order of its sums hangs on when it is optimised.
summing = njit(fastmath=SUMS, **_WITHIN, **_COMMON)
summing_loop = njit(cache=True, fastmath=SUMS, **_ABOVE, **_COMMON)


PATIENCE = 1.0
"""Seconds of compiling after which somebody is told."""


class _Watch(event.Listener):
    """Says once in the log `powderkeg.engine` that kernels are being compiled, if that takes a while.

    And keeps the garbage collector from walking over all that the compiler makes, again and again, for next to nothing,
    and tells `lookups` whose turn it is.
    """

    def __init__(self) -> None:
        self.depth, self.began, self.spent, self.told = 0, 0.0, 0.0, False
        self.collects = False

    def on_start(self, event: Any) -> None:
        if self.depth == 0:
            self.began = time.monotonic()
            self.collects = gc.isenabled()
            gc.disable()
            turn.ours = _module_of(event).startswith("powderkeg.")
        self.depth += 1
        self._look(event)

    def on_end(self, event: Any) -> None:
        self._look(event)
        self.depth -= 1
        if self.depth == 0:
            turn.ours = False
            self.spent += time.monotonic() - self.began
            if self.collects:
                gc.enable()

    def _look(self, event: Any) -> None:
        if self.told or self.spent + time.monotonic() - self.began < PATIENCE:
            return
        module = _module_of(event)
        if module.startswith("powderkeg."):
            self.told = True
            logging.getLogger("powderkeg.engine").info(
                "compiling, once: %s and what follows it; the next start finds it kept", module.rpartition(".")[2]
            )


def _module_of(event: Any) -> str:
    """Name of the module of the function that is compiled."""
    return str(getattr(event.data["dispatcher"].py_func, "__module__", ""))


event.register("numba:compile", _Watch())  # type: ignore[no-untyped-call]
