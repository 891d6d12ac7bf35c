"""What is left out of Numba's work, and that it is the same work."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core import config
from numba.core.compiler import Flags

from powderkeg.engine import lowering
from powderkeg.engine.compiled import inlined, inner, loop
from powderkeg.engine.lowering import CHECKED, STEPS, StepLibrary

compiled_only = pytest.mark.skipif(config.DISABLE_JIT, reason="the compiler is off")


@inner
def half(x):  # type: ignore[no-untyped-def]
    return 0.5 * x if x > 0.0 else 0.0


@inlined
def both(x, y):  # type: ignore[no-untyped-def]
    return half(x) + half(y)


@loop
def summed(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(values) - 1):
        total += both(values[i], values[i + 1])
    return total


@compiled_only
def test_the_version_of_numba_in_use_is_one_that_was_tried() -> None:
    """A newer one is left as it is and compiles longer: try it, and set CHECKED."""
    version = tuple(int(part) for part in numba.__version__.split(".")[:2])
    assert CHECKED[0] <= version <= CHECKED[1]
    assert "pipeline_class" in STEPS


@compiled_only
def test_steps_are_linked_into_their_loop_and_placed_nowhere_else() -> None:
    values = np.array([3.0, -1.0, 0.1, 7.0])
    assert summed(values) == 1.5 + 0.05 + (0.05 + 3.5)
    for step in (half, both):
        (made,) = step.overloads.values()
        assert isinstance(made.library, StepLibrary)
        assert not any(made.fndesc.llvm_func_name in name for name in engine_symbols())
    (made,) = summed.overloads.values()
    assert not isinstance(made.library, StepLibrary)


def engine_symbols() -> set[str]:
    """Names of all functions that have machine code."""
    (made,) = summed.overloads.values()
    symbols: set[str] = made.library._codegen._engine._defined_symbols
    return symbols


@compiled_only
def test_flags_are_one_where_they_hold_the_same_and_their_hashes_tell_others_apart() -> None:
    plain, given, other = Flags(), Flags(), Flags()
    given.forceinline = False  # as it is by default
    other.forceinline = True
    assert plain == given and hash(plain) == hash(given)
    assert plain != other and hash(plain) != hash(other)
    assert plain != 1
    plain.fastmath = True
    assert plain != given
    assert lowering._equal(plain, given) == (plain == given)
