"""The climb of many coefficients: curvature is looked at type by type, and what hangs together across types is learnt.

In: a log-likelihood with gradient and the second derivatives of each type's own coefficients (those that aim at it).
Out: where it is greatest under coefficients of at least 0. A step costs what its types cost, however many there are: of
coefficients of two types it sees only what its last steps showed (L-BFGS), which is little by day, because two types
share a term only where acts of one day answer each other in circles.
Source: Nocedal & Wright (2006), Numerical Optimization, algorithm 7.4, from blocks, not a multiple of the identity.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.maximum.newton import MUCH_SHORTER, ON_BOUND, PROMISED, ROUNDING, SHORTER, Rule, one_thread, uphill

REMEMBERED = 20
"""Steps whose change of the gradient is kept."""
FRESH = 12
"""Steps after which the blocks are looked at anew."""

Slope = Callable[[Floats], tuple[float, Floats]]
"""coefficients -> (value, gradient)"""


class Blocks(NamedTuple):
    """Minus the second derivatives by the coefficients of each type.

    start   (C + 1,) type i has the coefficients start[i]:start[i + 1]
    matrix  a square for each type
    """

    start: Ints
    matrix: tuple[Floats, ...]

    def solved(self, gradient: Floats, free: NDArray[np.bool_]) -> Floats:
        """Newton's step of each type by itself, on what is free."""
        step = np.zeros_like(gradient)
        for i, matrix in enumerate(self.matrix):
            here = np.arange(self.start[i], self.start[i + 1])
            moving = free[here]
            if moving.any():
                step[here[moving]] = uphill(gradient[here[moving]], -matrix[np.ix_(moving, moving)])
        return step


class BlockTop(NamedTuple):
    """Where the climb ended. decrement: twice what a step still promises."""

    parameters: Floats
    value: float
    gradient: Floats
    blocks: Blocks
    decrement: float


def climb_by_blocks(
    slope: Slope, curve: Callable[[Floats], Blocks], start: Floats, held: NDArray[np.bool_], rule: Rule,
    blocks: Blocks | None = None,
) -> BlockTop:  # fmt: skip
    """The maximum from `start`; arrives as `newton.climb` does.

    curve   the blocks at a place
    held    (P,) coefficients that stay as they are
    blocks  what is known of them near the start
    """
    with one_thread():
        return _up(slope, curve, np.maximum(start, 0.0), held, rule, blocks)


def _up(
    slope: Slope, curve: Callable[[Floats], Blocks], x: Floats, held: NDArray[np.bool_], rule: Rule,
    blocks: Blocks | None,
) -> BlockTop:  # fmt: skip
    value, gradient = slope(x)
    blocks, age = (curve(x), 0) if blocks is None else (blocks, 1)
    steps: deque[tuple[Floats, Floats]] = deque(maxlen=REMEMBERED)
    decrement = np.inf
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        return BlockTop(x, value, gradient, blocks, decrement)
    for _ in range(rule.most_steps):
        free = ~held & ((x > ON_BOUND) | (gradient > 0.0))
        direction = _direction(blocks, steps, gradient, free)
        decrement = float(gradient @ direction)
        if decrement < rule.tolerance * max(1.0, ROUNDING * abs(value)):
            break
        length = 1.0
        while length > rule.shortest:
            trial = np.maximum(x + length * direction, 0.0)
            higher, there = slope(trial)
            if np.isfinite(higher) and higher >= value + PROMISED * float(gradient @ (trial - x)):
                break
            length *= SHORTER
        else:
            if age == 0:
                break  # rounding is all that is left
            blocks, age = curve(x), 0
            steps.clear()
            continue
        steps.append((trial - x, gradient - there))
        x, value, gradient, age = trial, higher, there, age + 1
        if age >= FRESH or length < MUCH_SHORTER:
            blocks, age = curve(x), 0
            steps.clear()
    return BlockTop(x, value, gradient, blocks, decrement)


def _direction(
    blocks: Blocks, steps: deque[tuple[Floats, Floats]], gradient: Floats, free: NDArray[np.bool_]
) -> Floats:
    """The blocks' step, corrected by what the last steps showed of the rest (L-BFGS), on what is free."""
    push = np.where(free, gradient, 0.0)
    known = []
    for moved, change in reversed(steps):
        moved, change = np.where(free, moved, 0.0), np.where(free, change, 0.0)
        across = float(moved @ change)
        if across > 0.0:
            share = float(moved @ push) / across
            push -= share * change
            known.append((moved, change, across, share))
    direction = blocks.solved(push, free)
    for moved, change, across, share in reversed(known):
        direction += (share - float(change @ direction) / across) * moved
    return direction
