"""Projected Newton: the maximum of a smooth function under bounds.

In: a function that gives value, gradient and Hessian; bounds; which parameters are held. Out: the maximum, with the
gradient it stopped at, so that early stopping shows.
Source: Bertsekas (1982), SIAM J. Control Optim. 20(2), 221-246; eigenvalues are clipped where the Hessian is not
negative definite, because the likelihood is concave in rates and in log gates but not in both together.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import ThreadpoolController

from powderkeg.engine.arrays import Floats

Function = Callable[[Floats, bool], tuple[float, Floats, Floats]]
"""parameters, whether the Hessian is wanted -> (value, gradient, Hessian)."""


def _one_thread() -> Callable[[], AbstractContextManager[Any]]:
    """A context in which matrices are worked on by one thread, as far as the system tells what works on them."""
    try:
        return partial(ThreadpoolController().select(user_api="blas").limit, limits=1)
    except OSError:  # Linux without /proc, as some sandboxes are
        return nullcontext


one_thread = _one_thread()
"""Matrices of a hundred rows are slower on several threads, several times so where other work keeps the cores busy."""
ROUNDING = 1e-3
"""Share of the value's size by which the tolerance grows: what a large sum rounds off cannot be climbed, only wandered
on (200 steps with 20 trials each, at 25,000 events)."""
FLAT = 1e-9
"""Relative change of the log likelihood below which a parameter is taken to change nothing."""


class Maximum(NamedTuple):
    """Where the climb ended.

    active    bool, parameters that stand at a bound that they push against
    steepest  largest step (in standard deviations) that the gradient still asks for: the Newton decrement
    """

    parameters: Floats
    value: float
    gradient: Floats
    hessian: Floats
    active: NDArray[np.bool_]
    steps: int
    steepest: float
    converged: bool


def maximise(
    function: Function,
    start: Floats,
    lower: Floats,
    upper: Floats,
    held: NDArray[np.bool_],
    tolerance: float = 1e-9,
    most_steps: int = 200,
) -> Maximum:
    """Climb from `start` (inside the bounds, finite value) until the Newton decrement falls below `tolerance`."""
    with one_thread():
        return _climb(function, start, lower, upper, held, tolerance, most_steps)


def _climb(
    function: Function,
    start: Floats,
    lower: Floats,
    upper: Floats,
    held: NDArray[np.bool_],
    tolerance: float,
    most_steps: int,
) -> Maximum:
    x = np.clip(start, lower, upper)
    value, gradient, hessian = function(x, True)
    decrement = np.inf
    for step in range(most_steps):
        width = np.maximum(1.0, np.abs(x)) * 1e-10
        at_bound = ((x <= lower + width) & (gradient <= 0)) | ((x >= upper - width) & (gradient >= 0))
        # A parameter that nothing depends on here has neither slope nor curvature: it stays where it is.
        size = np.maximum(np.abs(x), 1e-6)
        flat = (np.abs(np.diag(hessian)) * size**2 < FLAT) & (np.abs(gradient) * size < FLAT)
        free = ~held & ~at_bound & ~flat
        if not free.any():
            return Maximum(x, value, gradient, hessian, at_bound & ~held, step, 0.0, True)
        direction = np.zeros_like(x)
        bent = hessian[np.ix_(free, free)]
        # Where the slope is straight (no event has the parameter in it), a step of ten times its size is enough.
        least = 0.1 * np.abs(gradient[free]) / np.maximum(np.abs(x[free]), 1e-3)
        np.fill_diagonal(bent, np.minimum(bent.diagonal(), -least))
        direction[free] = uphill(gradient[free], bent)
        decrement = float(gradient @ direction)
        if decrement < tolerance * max(1.0, ROUNDING * abs(value)):
            return Maximum(x, value, gradient, hessian, at_bound & ~held, step, max(decrement, 0.0) ** 0.5, True)
        length = 1.0
        while True:
            trial = np.clip(x + length * direction, lower, upper)
            new_value, new_gradient, new_hessian = function(trial, True)
            if new_value >= value + 1e-4 * float(gradient @ (trial - x)) and np.isfinite(new_value):
                break
            length *= 0.3
            if length < 1e-12:
                # No higher point along an uphill direction: rounding is all that is left of the decrement.
                small = decrement < 1e-6 * max(1.0, abs(value)) ** 0.5
                return Maximum(x, value, gradient, hessian, at_bound & ~held, step, decrement**0.5, small)
        x, value, gradient, hessian = trial, new_value, new_gradient, new_hessian
    return Maximum(x, value, gradient, hessian, at_bound & ~held, most_steps, max(decrement, 0.0) ** 0.5, False)


def uphill(gradient: Floats, hessian: Floats) -> Floats:
    """Newton direction; where the Hessian is not negative definite, its eigenvalues are turned and clipped."""
    curvature = -hessian
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(curvature)), 1e-300))
    scaled = curvature * scale[:, None] * scale[None, :]
    try:
        factor = linalg.cho_factor(scaled, check_finite=False)
        if np.min(np.abs(np.diag(factor[0]))) > 1e-7:
            step: Floats = linalg.cho_solve(factor, gradient * scale, check_finite=False) * scale
            return step
    except linalg.LinAlgError:
        pass
    values, vectors = linalg.eigh(scaled)
    values = np.maximum(np.abs(values), 1e-8 * max(1.0, float(np.abs(values).max())))
    turned: Floats = (vectors @ ((vectors.T @ (gradient * scale)) / values)) * scale
    return turned
