"""The one climb: the maximum of a smooth function under bounds, its curvature looked at or learnt.

In: a `Hill`, which gives value, gradient and, where it can, the Hessian; bounds; which parameters are held; a `Rule`.
Out: a `Maximum`, with the gradient it stopped at, so that early stopping shows.

Each step is Newton's on what is off its bounds, cut where it goes farther than the rule allows, and shortened until the
value rises by enough of what the slope promised (Armijo). Curvature is looked at with every value, or learnt from how
the gradient changes (BFGS) where a look is dear, and looked at anew where what was learnt leads nowhere. The climb has
arrived when the step that is left promises next to nothing and, where curvature was looked at, it turns down in every
free direction: a saddle is left along the direction that rises. Likelihoods are concave in rates and in log gates but
not in both together, so where the Hessian is not negative definite its eigenvalues are turned and clipped.
Sources: Bertsekas (1982), SIAM J. Control Optim. 20(2), 221-246, for the bounds; Nocedal & Wright (2006), Numerical
Optimization, ch. 3 and 6, for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from threading import Lock
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import ThreadpoolController

from powderkeg.engine.arrays import Floats


class OneThread:
    """A context in which matrices are worked on by one thread, as far as the system tells what works on them.

    The number of threads is the process's: the first that enters lowers it, the last that leaves puts it back, in
    whatever order those of several threads overlap.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._limit: Any = None
        self._pools: ThreadpoolController | None = None
        with suppress(OSError):  # Linux without /proc, as some sandboxes are
            self._pools = ThreadpoolController().select(user_api="blas")

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0 and self._pools is not None:
                self._limit = self._pools.limit(limits=1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._limit is not None:
                self._limit.restore_original_limits()
                self._limit = None


_ONE_THREAD = OneThread()


def one_thread() -> OneThread:
    """Matrices of a hundred rows are slower on several threads, several times so where other work keeps the cores
    busy."""
    return _ONE_THREAD


Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def in_one_thread(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """The same function, with matrices worked on by one thread as long as it runs."""

    @wraps(function)
    def held(*given: Given.args, **named: Given.kwargs) -> Answer:
        with one_thread():
            return function(*given, **named)

    return held


ROUNDING = 1e-3
"""Share of the value's size by which the tolerance grows: what a large sum rounds off cannot be climbed, only wandered
on (200 steps with 20 trials each, at 25,000 events)."""
FLAT = 1e-9
"""Relative change of the log likelihood below which a parameter is taken to change nothing."""
ON_BOUND = 1e-12
"""Distance from a bound, in sizes of the parameter (at least 1), at which it is reached."""
PROMISED = 1e-4
"""Share of what the slope promises that a step must bring."""
SHORTER = 0.3
"""Factor on a step that did not."""
MUCH_SHORTER = 0.3
"""Share of a step below which learnt curvature has misled."""
NEAR = 0.4
"""Decrement below which the top is no more than that away, for logarithms of sums (Boyd & Vandenberghe 2004, 9.6.3)."""
FIRST_STEP = 0.5
"""Length of the first step where nothing is known of the curvature."""
RISES = 1e-5
"""Curvature, in units of the parameters' own, from which a point that is flat is a saddle."""
ASIDE = 0.3
"""Step off a saddle, in sizes of the parameters."""
HIGHER = 1e-6
"""What it must gain."""

Kept = TypeVar("Kept")


class Look(NamedTuple, Generic[Kept]):
    """What is known at a place.

    hessian  (n, n), None where it was not looked at
    found    whatever the hill wants to find again when it is asked nearby
    """

    value: float
    gradient: Floats
    hessian: Floats | None
    found: Kept


Hill = Callable[[Floats, Look[Kept] | None, bool], Look[Kept]]
"""(parameters, the look from which they are a step away or None, whether the Hessian is wanted) -> a look. A hill that
has no Hessian to show, or always has it, may leave the last aside."""
Curve = Callable[[Floats, Look[Kept]], Floats]
"""(parameters, the look there) -> the Hessian, for hills that show it by a look of its own."""
Function = Callable[[Floats, bool], tuple[float, Floats, Floats]]
"""parameters, whether the Hessian is wanted -> (value, gradient, Hessian)."""


@dataclass(frozen=True)
class Rule:
    """How a hill is climbed.

    tolerance     Newton decrement (twice what a step promises) at which the climb has arrived
    flat          slope below which no parameter is worth a step
    good_enough   decrement up to which an end for want of a higher point is an arrival; None: as rounding allows
    most_steps    after which it has not arrived
    shortest      share of a step that is still tried
    grain         share of its size by which the value may be wrong
    learns_below  decrement from which curvature is learnt rather than looked at; 0: never, infinite: always
    fresh         steps after which learnt curvature is looked at anew; None: only where it misled
    farthest      most that a parameter moves in a step: (n,) or one for all. The whole step is shortened to it, which
                  took a fifth fewer looks over half-lives of KEDS than to cut what goes too far by itself
    each          cut it by itself all the same, where what is left still rises
    linear        (n,) parameters that enter an intensity as they are and are not below 0: their size is their value,
                  others (logarithms) have size 1. None: none
    worth         value below which an end is of no use: the climb stops near a top that lies lower
    creeps        linear parameters do not fall below a tenth in a step while curvature is looked at: from next to 0 the
                  way back only doubles
    """

    tolerance: float = 1e-9
    flat: float = 0.0
    good_enough: float | None = None
    most_steps: int = 200
    shortest: float = 1e-12
    grain: float = 0.0
    learns_below: float = 0.0
    fresh: int | None = None
    farthest: Floats | float = np.inf
    each: bool = False
    linear: NDArray[np.bool_] | None = None
    worth: float = -np.inf
    creeps: bool = False


class Maximum(NamedTuple, Generic[Kept]):
    """Where the climb ended.

    active    bool, parameters that stand at a bound that they push against
    steepest  largest step (in standard deviations) that the gradient still asks for: the Newton decrement
    found     what the hill kept of this place
    """

    parameters: Floats
    value: float
    gradient: Floats
    hessian: Floats
    active: NDArray[np.bool_]
    steps: int
    steepest: float
    converged: bool
    found: Kept


def climb(
    hill: Hill[Kept],
    start: Floats,
    lower: Floats,
    upper: Floats,
    held: NDArray[np.bool_] | None = None,
    rule: Rule | None = None,
    hessian: Floats | None = None,
    curve: Curve[Kept] | None = None,
) -> Maximum[Kept]:
    """The maximum from `start`, which must have a finite value once it is put inside the bounds.

    held     (n,) parameters that stay as they are
    hessian  what is known of the curvature at the start, where the hill shows none
    curve    where curvature is looked at by itself: at the start, and when what was learnt is old or misled
    """
    ascent = _Ascent(hill, lower, upper, held, rule or Rule(), curve)
    with one_thread():
        return ascent.up(np.clip(start, lower, upper), hessian)


def maximise(
    function: Function, start: Floats, lower: Floats, upper: Floats, held: NDArray[np.bool_], rule: Rule | None = None
) -> Maximum[None]:
    """The maximum of a function that can show its Hessian wherever it is wanted."""

    def hill(x: Floats, near: Look[None] | None, curved: bool) -> Look[None]:
        value, gradient, hessian = function(x, curved)
        return Look(value, gradient, hessian if curved else None, None)

    return climb(hill, start, lower, upper, held, rule, curve=lambda x, here: function(x, True)[2])


class _Ascent(Generic[Kept]):
    """A climb on its way.

    x, here   where it stands and what is known there;  hessian as it was looked at `age` steps ago and has learnt since
    at_bound  (n,) parameters at a bound that they push against
    guessed   whether the curvature is a guess that the first step will put to scale
    """

    x: Floats
    here: Look[Kept]
    hessian: Floats

    def __init__(
        self, hill: Hill[Kept], lower: Floats, upper: Floats, held: NDArray[np.bool_] | None, rule: Rule,
        curve: Curve[Kept] | None,
    ) -> None:  # fmt: skip
        self.hill, self.lower, self.upper, self.rule, self.curve = hill, lower, upper, rule, curve
        self.held = np.zeros(len(lower), bool) if held is None else held
        self.linear = np.zeros(len(lower), bool) if rule.linear is None else rule.linear
        self.at_bound = np.zeros(len(lower), bool)
        self.age, self.guessed, self.steps = 0, False, 0

    def up(self, start: Floats, hessian: Floats | None) -> Maximum[Kept]:
        self._begin(start, hessian)
        decrement = np.inf
        if not (np.isfinite(self.here.value) and np.isfinite(self.here.gradient).all()):
            return self._maximum(decrement, False)  # nothing leads on from where nothing is possible
        while self.steps < self.rule.most_steps:
            free = self._free()
            direction = self._direction(free)
            decrement = float(self.here.gradient @ direction)
            if decrement < NEAR and self.here.value + decrement < self.rule.worth:
                return self._maximum(decrement, False)
            if self._has_arrived(free, decrement):
                if not self._leaves_saddle(free):
                    return self._maximum(decrement, True)
            elif not self._moves(direction, decrement):
                if self.age == 0 or self.curve is None:
                    return self._maximum(decrement, decrement < self._good_enough())
                self.hessian, self.age = self.curve(self.x, self.here), 0
            self.steps += 1
        return self._maximum(decrement, False)

    def _begin(self, start: Floats, hessian: Floats | None) -> None:
        self.x = start
        self.here = self.hill(start, None, hessian is None)
        if self.here.hessian is not None:
            self.hessian = self.here.hessian
        elif self.curve is not None:
            self.hessian = self.curve(start, self.here)
        elif hessian is not None:
            self.hessian, self.age = hessian, 1
        else:
            steep = max(float(np.linalg.norm(self.here.gradient)) / FIRST_STEP, 1.0)
            self.hessian, self.age, self.guessed = -steep * np.eye(len(start)), 1, True

    def _size(self, least: float) -> Floats:
        return np.where(self.linear, np.maximum(np.abs(self.x), least), 1.0)

    def _free(self) -> NDArray[np.bool_]:
        """What may move: not held, not pushing against its bound, and not without any effect here."""
        x, gradient = self.x, self.here.gradient
        width = np.maximum(1.0, np.abs(x)) * ON_BOUND
        self.at_bound = ((x <= self.lower + width) & (gradient <= 0)) | ((x >= self.upper - width) & (gradient >= 0))
        size = self._size(1e-6)
        flat = (np.abs(np.diag(self.hessian)) * size**2 < FLAT) & (np.abs(gradient) * size < FLAT)
        free: NDArray[np.bool_] = ~self.held & ~self.at_bound & ~flat
        return free

    def _direction(self, free: NDArray[np.bool_]) -> Floats:
        """Newton's step on what is free."""
        direction = np.zeros_like(self.x)
        if not free.any():
            return direction
        gradient, bent = self.here.gradient[free], self.hessian[np.ix_(free, free)]
        # Where the slope is straight (no event has the parameter in it), a step of ten times its size is enough.
        least = 0.1 * np.abs(gradient) / self._size(1e-3)[free]
        diagonal = bent.diagonal()
        np.fill_diagonal(bent, np.where(self.linear[free], np.minimum(diagonal, -least), diagonal))
        direction[free] = uphill(gradient, bent)
        return direction

    def _has_arrived(self, free: NDArray[np.bool_], decrement: float) -> bool:
        if float(np.abs(self.here.gradient[free]).max(initial=0.0)) <= self.rule.flat:
            return True
        return decrement < self.rule.tolerance * max(1.0, ROUNDING * abs(self.here.value))

    def _good_enough(self) -> float:
        if self.rule.good_enough is not None:
            return self.rule.good_enough
        # No higher point along an uphill direction: rounding is all that is left of the decrement.
        return 1e-6 * float(np.sqrt(max(1.0, abs(self.here.value))))

    def _cut(self, direction: Floats, decrement: float) -> Floats:
        """The step no farther than allowed."""
        farthest = self.rule.farthest
        if self.rule.each:
            short = np.clip(direction, -farthest, farthest)
            if float(self.here.gradient @ short) > (0.1 * decrement if decrement > self.rule.learns_below else 0.0):
                return short
        within: Floats = direction * min(1.0, float((farthest / np.maximum(np.abs(direction), 1e-300)).min()))
        return within

    def _moves(self, direction: Floats, decrement: float) -> bool:
        """Whether a point along the direction is higher; then it stands there."""
        x, here, rule = self.x, self.here, self.rule
        curved = decrement > rule.learns_below
        direction = self._cut(direction, decrement)
        floor = np.where(self.linear, np.maximum(self.lower, 0.1 * x), self.lower) if rule.creeps and curved else None
        floor = self.lower if floor is None else floor
        length = 1.0
        while length > rule.shortest:
            trial = np.clip(x + length * direction, floor, self.upper)
            there = self.hill(trial, here, curved)
            asked = here.value + PROMISED * float(here.gradient @ (trial - x)) - rule.grain * abs(here.value)
            if np.isfinite(there.value) and there.value >= asked:
                self._go(trial, there, length)
                return True
            length *= SHORTER
        return False

    def _go(self, trial: Floats, there: Look[Kept], length: float) -> None:
        """Stand at the trial, with the curvature there: as shown, looked at, or learnt from the step."""
        old = self.rule.fresh is not None and self.age + 1 >= self.rule.fresh
        if there.hessian is not None:
            self.hessian, self.age = there.hessian, 0
        elif self.curve is not None and (old or length < MUCH_SHORTER):
            self.hessian, self.age = self.curve(trial, there), 0
        else:
            moved, change = trial - self.x, there.gradient - self.here.gradient
            across = float(moved @ change)
            if self.guessed and across < 0.0:
                self.hessian = np.eye(len(moved)) * (float(change @ change) / across)
                self.guessed = False
            self.hessian, self.age = learnt(self.hessian, moved, change), self.age + 1
        self.x, self.here = trial, there

    def _leaves_saddle(self, free: NDArray[np.bool_]) -> bool:
        """Whether this is no top although it is flat, and a point beside it is higher; then it stands there."""
        if self.age > 0 or not free.any():
            return False
        bent = self.hessian[np.ix_(free, free)]
        scale = 1.0 / np.sqrt(np.maximum(np.abs(bent.diagonal()), 1e-300))
        scaled = bent * scale[:, None] * scale[None, :]
        try:
            linalg.cholesky(-scaled, check_finite=False)
            return False
        except linalg.LinAlgError:
            values, vectors = linalg.eigh(scaled)
        if values[-1] <= RISES * max(1.0, -float(values[0])):
            return False
        along = scale * vectors[:, -1]
        along *= ASIDE / float(np.abs(along / self._size(1e-3)[free]).max())
        for way in (along, -along):
            trial = self.x.copy()
            trial[free] += way
            trial = np.clip(trial, self.lower, self.upper)
            there = self.hill(trial, self.here, True)
            if np.isfinite(there.value) and there.value > self.here.value + HIGHER:
                self._go(trial, there, 1.0)
                return True
        return False

    def _maximum(self, decrement: float, converged: bool) -> Maximum[Kept]:
        value, gradient, _, found = self.here
        active, steepest = self.at_bound & ~self.held, max(decrement, 0.0) ** 0.5
        return Maximum(self.x, value, gradient, self.hessian, active, self.steps, steepest, converged, found)


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


def learnt(hessian: Floats, moved: Floats, change: Floats) -> Floats:
    """The Hessian with what a step showed of it (BFGS); as it was where the gradient did not fall along the step.

    change  of the gradient
    """
    push = hessian @ moved
    along, across = float(moved @ push), float(moved @ change)
    if not across < 1e-10 * along < 0.0:
        return hessian
    result: Floats = hessian - np.outer(push, push) / along + np.outer(change, change) / across
    return result
