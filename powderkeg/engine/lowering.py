"""What Numba does beyond what a kernel needs, left out: two fifths of its time went into that.

In: nothing. Out: `STEPS`, options for functions that only compiled code calls; Numba's flags are compared sooner from
the moment that this is imported.

- A function that only compiled code calls was optimised and turned into machine code for itself, and again within every
  caller. The caller's own passes see all of it, so a `StepLibrary` hands it on as it was lowered.
- Numba looks up what an operation means under the flags of the function at hand. All flags have one hash, because what
  it hashes are their names, and to compare two reads every flag of both: a third of the time of compiling. They get a
  hash of their values here, and are the same where they hold the same.

Neither changes what is computed. Both lean on Numba's inside, so a version that they were not tried with is left as it
is: it compiles longer.
"""

# mypy: disable-error-code="no-untyped-call,method-assign,arg-type"

from __future__ import annotations

from functools import cache
from typing import Any

import numba
from numba.core import compiler, typed_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.targetconfig import TargetConfig


class _Unplaced:
    """The code generator of a library that has no address: there is nothing to write an environment to."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, env: Any) -> None:
        """Only what Python calls has one."""


class StepLibrary(JITCodeLibrary):
    """Code to be linked into a caller: each function tidied up, not optimised as a whole nor placed in memory."""

    @property
    def codegen(self) -> Any:
        return _Unplaced(self._codegen)

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    def _optimize_final_module(self) -> None:
        """The caller does."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class StepLowering(typed_passes.NativeLowering):
    """Lowering into a `StepLibrary`."""

    _name = "step_lowering"

    def run_pass(self, state: Any) -> Any:
        state.library = StepLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().run_pass(state)


class StepStages(compiler.CompilerBase):
    """Numba's stages for a function that only compiled code calls."""

    def define_pipelines(self) -> list[Any]:
        stages = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        stages.passes = [
            (StepLowering, *rest) if stage is typed_passes.NativeLowering else (stage, *rest)
            for stage, *rest in stages.passes
        ]
        stages.finalize()
        return [stages]


def _hash_of(flags: Any) -> int:
    """Hash of those flags that are on or off, which tell nearly all apart."""
    held = flags._values
    return hash(tuple([held.get(name, default) for name, default in _switches(type(flags))]))


@cache
def _switches(kind: Any) -> list[tuple[str, bool]]:
    return [(name, option.default) for name, option in kind.options.items() if option.type is bool]


def _same(flags: Any, other: Any) -> Any:
    if type(other) is type(flags) and flags._values == other._values:
        return True
    return _equal(flags, other)


CHECKED = (0, 62), (0, 68)
"""The first and the last version of Numba that this was tried with; any other is left as it is."""

STEPS: dict[str, Any] = {}
"""Options of Numba's for functions that only compiled code calls."""

_equal = TargetConfig.__eq__
if CHECKED[0] <= tuple(int(part) for part in numba.__version__.split(".")[:2]) <= CHECKED[1]:
    STEPS["pipeline_class"] = StepStages
    TargetConfig.__hash__, TargetConfig.__eq__ = _hash_of, _same
