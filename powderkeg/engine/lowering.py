"""What Numba does beyond what a kernel needs, left out.

In: nothing. Out: `LOOPS`, options for functions that Python calls; `STEPS`, for those that only compiled code calls.

- A function that only compiled code calls was optimised and turned into machine code for itself, and again within every
  caller. The caller's own passes see all of it, so a `StepLibrary` hands it on as it was lowered.
- Numba walks through every function for what ours have none of: `with`, closures, functions that are put in their
  caller's place before types are known, operations on whole arrays. A function that has any of them is refused.

Neither changes what is computed. Both lean on Numba's inside, as `lookups` does.
"""

# mypy: disable-error-code="no-untyped-call,method-assign,arg-type"

from __future__ import annotations

from functools import partial
from typing import Any

from numba.core import compiler, typed_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.targetconfig import ConfigStack
from numba.core.typing.templates import _OverloadFunctionTemplate

from powderkeg.engine.lookups import IS_CHECKED, turn

_LEFT_OUT = frozenset({
    "WithLifting", "InlineClosureLikes", "RewriteDynamicRaises", "MakeFunctionToJitFunction", "InlineInlinables",
    "FindLiterallyCalls", "LiteralUnroll", "LiteralPropagationSubPipelinePass", "InlineOverloads", "NopythonRewrites",
})  # fmt: skip
"""Names of Numba's stages that find nothing in functions as ours are."""


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


class LoopStages(compiler.CompilerBase):
    """Numba's stages for a function as ours are."""

    lowers = typed_passes.NativeLowering
    left_out = _LEFT_OUT

    def define_pipelines(self) -> list[Any]:
        stages = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        stages.passes = [
            (self.lowers if stage is typed_passes.NativeLowering else stage, *rest)
            for stage, *rest in stages.passes
            if stage.__name__ not in self.left_out
        ]
        stages.finalize()
        return [stages]


class StepStages(LoopStages):
    """The same for one that only compiled code calls."""

    lowers = StepLowering


class WholeStepStages(StepStages):
    """All of Numba's stages, for a function of its kind that only compiled code calls."""

    left_out = frozenset()


def _step_of(template: Any) -> Any:
    """How a function of Numba's own that is written in Python, such as `min`, is compiled: as a step too.

    But for callers whose sums may be reordered: their bits hang on when such a function is optimised. And but for
    those of other packages, which may ask for an address.
    """
    jit = _jit_of(template)
    flags = ConfigStack.top_or_none()
    if not turn.ours or flags is None or flags.fastmath:
        return jit
    return partial(jit, pipeline_class=WholeStepStages, no_cfunc_wrapper=True)


LOOPS: dict[str, Any] = {}
"""Options of Numba's for functions that Python calls."""
STEPS: dict[str, Any] = {}
"""Options of Numba's for functions that only compiled code calls."""
ALLOCATING_STEPS: dict[str, Any] = {}
"""The same where whole arrays are worked on."""

_jit_of = _OverloadFunctionTemplate._get_jit_decorator
if IS_CHECKED:
    LOOPS["pipeline_class"] = LoopStages
    STEPS["pipeline_class"] = StepStages
    ALLOCATING_STEPS["pipeline_class"] = WholeStepStages
    _OverloadFunctionTemplate._get_jit_decorator = _step_of
