"""The best half-lives, by second-order steps that take the other parameters along.

In: the best fit at given half-lives (`at`), the slope of its value, and what gradients do as half-lives move
(`Bend`). Out: half-lives at which nothing pushes any more.

The value at its best rates, answers and gates has as its second derivative

    H_dd - H_ds H_ss^-1 H_sd        (d half-lives, s all the rest)

so the gradients at d moved one by one, s left alone, are enough: a pass each, and no inner climb. With them goes where
s will be, s - H_ss^-1 H_sd (step), so that the inner climb at the next half-lives is all but done when it begins.
Between, secants mend the curvature (BFGS). A climb by slopes alone took some hundreds of inner climbs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats
from powderkeg.fit.maximum.newton import one_thread, uphill

FARTHEST = 1.0
"""Most that the log of a half-life moves in a step."""
MOST_STEPS = 60
FRESH = 6
"""Steps after which the curvature is taken anew."""
FLAT = 0.01
"""Slope by a log half-life below which none is worth a step."""
SMALL = 1e-7
"""What a step may promise, in log likelihood, and not be taken."""
SHORTEST = 2e-3
"""Share of a step below which a slope leads nowhere."""


class Bend(NamedTuple):
    """How the value at its best bends with half-lives, and how the rest follows them.

    hessian  (k, k);  follow (smooth parameters, k)
    """

    hessian: Floats
    follow: Floats


def climb_half_lives(
    at: Callable[[Floats, Floats | None], Any],
    slope: Callable[[Any], Floats],
    bend: Callable[[Any], Bend],
    begin: Floats,
    lower: Floats,
    upper: Floats,
) -> None:
    """Climb from `begin` until no half-life inside its bounds has a slope worth a step.

    at     (half-lives' parameters, guess at the smooth parameters or None) -> a solution; keeps the best it has seen
    slope  (k,) of a solution's value by these parameters, sums over half-lives
    """
    x, solution = begin, at(begin, None)
    gradient, known, age = slope(solution), bend(solution), 0
    hessian = known.hessian
    for _ in range(MOST_STEPS):
        free = ~_pushes(x, gradient, lower, upper)
        if float(np.abs(gradient[free]).max(initial=0.0)) < FLAT:
            return
        direction = np.zeros_like(x)
        with one_thread():
            direction[free] = uphill(gradient[free], hessian[np.ix_(free, free)])
        promised = float(gradient @ direction)
        if promised < SMALL:
            return
        direction *= min(1.0, FARTHEST / max(float(np.abs(direction).max()), 1e-300))
        found = _step(at, solution, x, gradient, direction, known, lower, upper)
        if found is None:
            if age == 0:
                return
            known, age = bend(solution), 0
            hessian = known.hessian
            continue
        moved = np.clip(x + found[0] * direction, lower, upper) - x
        before, (_, solution) = gradient, found
        x, gradient, age = x + moved, slope(solution), age + 1
        if age >= FRESH or found[0] < 0.3:
            known, age = bend(solution), 0
            hessian = known.hessian
        else:
            hessian = _mended(hessian, moved, gradient - before)


def _step(
    at: Callable[[Floats, Floats | None], Any], solution: Any, x: Floats, gradient: Floats, direction: Floats,
    known: Bend, lower: Floats, upper: Floats,
) -> tuple[float, Any] | None:  # fmt: skip
    """(share of the step that leads higher, the solution there), None if none does."""
    length, n = 1.0, len(known.follow)
    while length > SHORTEST:
        moved = np.clip(x + length * direction, lower, upper) - x
        higher = at(x + moved, solution.vector[:n] + known.follow @ moved)
        if higher.log_posterior >= solution.log_posterior + 1e-4 * float(gradient @ moved) - 1e-7:
            return length, higher
        length *= 0.35
    return None


def _pushes(x: Floats, gradient: Floats, lower: Floats, upper: Floats) -> NDArray[np.bool_]:
    """Which stand at a bound that they push against."""
    found: NDArray[np.bool_] = ((x <= lower + 1e-9) & (gradient < 0)) | ((x >= upper - 1e-9) & (gradient > 0))
    return found


def _mended(hessian: Floats, moved: Floats, bent: Floats) -> Floats:
    """The Hessian with what the last step showed of it; as it was where that was not concave."""
    push = hessian @ moved
    across, along = float(moved @ bent), float(moved @ push)
    if across >= -1e-12 or along >= -1e-12:
        return hessian
    result: Floats = hessian - np.outer(push, push) / along + np.outer(bent, bent) / across
    return result


def bend_of(hessian: Floats, inside: NDArray[np.bool_], by_smooth: Floats, by_half_life: Floats) -> Bend:
    """The bend from second derivatives.

    hessian       (n, n) by the smooth parameters
    inside        (n,) which of them move
    by_smooth     (n, k) change of their gradient with each half-life
    by_half_life  (k, k) change of the half-lives' own
    """
    follow = np.zeros_like(by_smooth)
    bent = hessian[np.ix_(inside, inside)]
    with one_thread():
        columns = [uphill(by_smooth[inside, j], bent) for j in range(by_smooth.shape[1])]
    if columns:
        follow[inside] = np.stack(columns, axis=1)
    profile = by_half_life + by_smooth[inside].T @ follow[inside]
    return Bend(0.5 * (profile + profile.T), follow)
