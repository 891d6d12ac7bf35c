"""The best half-lives, by second-order steps that take the other parameters along.

In: the best fit at given half-lives (`at`), the slope of its value, and what gradients do as half-lives move
(`Bend`). Out: half-lives at which nothing pushes any more.

The value at its best rates, answers and gates has as its second derivative

    H_dd - H_ds H_ss^-1 H_sd        (d half-lives, s all the rest)

so the gradients at d moved one by one, s left alone, are enough: a pass each, and no inner climb. With them goes where
s will be, s - H_ss^-1 H_sd (step), so that the inner climb at the next half-lives is all but done when it begins.
Between, the curvature is learnt. A climb by slopes alone took some hundreds of inner climbs; it is left for fits whose
gradients are dear or drawn, where a bend would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats
from powderkeg.fit.maximum.newton import Look, Rule, climb, one_thread, uphill

RULE = Rule(tolerance=1e-7, flat=0.01, most_steps=60, shortest=2e-3, grain=1e-10, fresh=6, farthest=1.0)
"""No slope by a log half-life below 0.01 is worth a step, none moves by more than a factor of e, and a step that leads
no higher at a five hundredth of its length leads nowhere. A learnt curvature is taken anew after six steps."""


class Bend(NamedTuple):
    """How the value at its best bends with half-lives, and how the rest follows them.

    hessian  (k, k);  follow (smooth parameters, k)
    """

    hessian: Floats
    follow: Floats


class Fitted(Protocol):
    """What is best at given half-lives: all parameters, and how likely they are."""

    @property
    def vector(self) -> Floats: ...
    @property
    def log_posterior(self) -> float: ...


Best = TypeVar("Best", bound=Fitted)


def climb_half_lives(
    at: Callable[[Floats, Floats | None], Best],
    slope: Callable[[Best], Floats],
    bend: Callable[[Best], Bend] | None,
    begin: Floats,
    lower: Floats,
    upper: Floats,
) -> None:
    """Climb from `begin` until no half-life inside its bounds has a slope worth a step.

    at     (half-lives' parameters, guess at the smooth parameters or None) -> a solution; keeps the best it has seen
    slope  (k,) of a solution's value by these parameters, sums over half-lives
    bend   of a solution; None: learnt from slopes alone
    """
    follow: Floats | None = None

    def hill(x: Floats, near: Look[tuple[Best, Floats]] | None, curved: bool) -> Look[tuple[Best, Floats]]:
        guess = None
        if near is not None and follow is not None:
            before, at_before = near.found
            guess = before.vector[: len(follow)] + follow @ (x - at_before)
        solution = at(x, guess)
        return Look(solution.log_posterior, slope(solution), None, (solution, x))

    def curve(x: Floats, here: Look[tuple[Best, Floats]]) -> Floats:
        nonlocal follow
        assert bend is not None
        hessian, follow = bend(here.found[0])
        return hessian

    climb(hill, begin, lower, upper, rule=RULE, curve=None if bend is None else curve)


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
