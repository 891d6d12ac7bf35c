"""What is left out of Numba's work, and that it is the same work."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import config, ir, types
from numba.core.compiler import Flags, run_frontend
from numba.core.registry import cpu_target
from numba.core.typing.templates import _OverloadFunctionTemplate

from powderkeg.engine import lookups
from powderkeg.engine.compiled import anywhere, inlined, inner, loop
from powderkeg.engine.lookups import CHECKED
from powderkeg.engine.lowering import STEPS, StepLibrary

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
    assert lookups.flags_are_equal(plain, given) == (plain == given)


@anywhere
def doubled(x):  # type: ignore[no-untyped-def]
    return 2.0 * x


@loop
def all_doubled(values):  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        values[i] = min(doubled(values[i]), 10.0)


@compiled_only
def test_what_loops_and_python_call_is_a_step_to_the_ones_and_compiled_for_the_other_when_it_calls() -> None:
    values = np.array([1.0, 7.0])
    all_doubled(values)
    assert values.tolist() == [2.0, 10.0]
    (made,) = doubled.step.overloads.values()
    assert isinstance(made.library, StepLibrary)
    assert not doubled.loop.overloads
    assert doubled(4.0) == 8.0 and len(doubled.loop.overloads) == 1


def looked_up(function: Any, *kinds: Any) -> tuple[Any, Any]:
    """What `function` means for numbers of these types: as kept, and as Numba finds it anew."""
    context = cpu_target.typing_context
    context.refresh()
    kind = context.resolve_value_type(function)
    lookups.turn.ours = True
    try:
        kept = [lookups._call_type(kind, context, kinds, {}) for _ in range(2)][-1]
    finally:
        lookups.turn.ours = False
    return kept, lookups._type_of_call(kind, context, kinds, {})


@compiled_only
@pytest.mark.parametrize("function", [operator.add, operator.truediv, operator.lt, operator.rshift, operator.getitem])
def test_what_an_operator_means_is_the_same_whether_it_is_kept_or_found_anew(function: Any) -> None:
    whole, real, sure, row = types.int64, types.float64, types.uint64, types.Array(types.float64, 1, "C")
    found: dict[Any, list[tuple[Any, ...]]] = {
        operator.rshift: [(whole, whole), (sure, sure), (whole, types.literal(3))],
        operator.getitem: [(row, whole), (row, types.literal(0)), (types.Array(types.int32, 1, "C"), whole)],
    }
    others = [(whole, real), (real, whole), (whole, whole), (sure, whole), (types.literal(2), real)]
    for pair in found.get(function, others):
        kept, anew = looked_up(function, *pair)
        assert kept == anew, pair
        assert kept.return_type == anew.return_type


@compiled_only
@pytest.mark.parametrize(("module", "steps"), [("powderkeg.engine.any", True), ("somebody.elses", False)])
def test_functions_of_other_packages_are_compiled_as_if_ours_were_not_there(
    module: str, steps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`max` as a step has no address, which a function of somebody else may ask for."""
    replaced = _OverloadFunctionTemplate._get_jit_decorator
    found = []

    def noted(template: Any) -> Any:
        found.append(replaced(template))
        return found[-1]

    monkeypatch.setattr(_OverloadFunctionTemplate, "_get_jit_decorator", noted)

    def most(x, y, z):  # type: ignore[no-untyped-def]
        return max(x, y, z)

    most.__module__ = module
    flags = {"nogil": steps, "boundscheck": True}  # others than before, so that nothing compiled is met again
    assert numba.njit(**flags)(most)(1, 3, 2) == 3
    assert found
    assert {isinstance(one, partial) for one in found} == {steps}
    assert not lookups.turn.ours


@compiled_only
def test_variables_of_a_statement_are_those_that_numba_finds() -> None:
    def one(x, y):  # type: ignore[no-untyped-def]
        total = 0.0
        for i in range(len(x)):
            total += x[i] * max(y, total) if y > 0.0 else -total
        return total, y

    statements = [one for block in run_frontend(one).blocks.values() for one in block.body]
    assert len(statements) > 30
    for statement in statements:
        assert [x.name for x in statement.list_vars()] == [x.name for x in plainly(statement)]


def plainly(value: Any) -> list[Any]:
    """Variables in a statement, in their order, by looking at each of its parts."""
    if isinstance(value, ir.Var):
        return [value]
    if isinstance(value, ir.Expr):
        return plainly(value._kws)
    if isinstance(value, ir.Inst):
        return plainly(value.__dict__)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [x for part in parts for x in plainly(part)]
