"""How sure is a number that was counted?

In: counts, values, histories. Out: `IntervalEstimate`s with a stated level. Nothing here draws at random except the
bootstrap, which takes its seed. Where there are many histories the spread between them is what counts; where there is
one, the number of things counted in it.
Sources: Clopper & Pearson (1934), Biometrika 26, 404-413; Garwood (1936), Biometrika 28, 437-442; Woodruff (1952),
JASA 47, 635-646; Efron (1987), JASA 82, 171-185.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy.stats has the same and takes half a second to import

LEVEL = 0.9
"""Every interval in powderkeg covers 90 % unless the call says otherwise."""

RESAMPLES = 9_999


class IntervalEstimate(NamedTuple):
    """A number and its interval; any of the three is None where it cannot be known. `runs` stand behind it."""

    mean: float | None
    low: float | None
    high: float | None
    runs: int


NOTHING = IntervalEstimate(None, None, None, 0)


def proportion(hits: float, trials: float, level: float = LEVEL) -> IntervalEstimate:
    """Share of independent trials that came true, with the exact interval of Clopper and Pearson."""
    if trials <= 0:
        return NOTHING
    tail = (1.0 - level) / 2.0
    low = 0.0 if hits <= 0 else float(special.betaincinv(hits, trials - hits + 1, tail))
    high = 1.0 if hits >= trials else float(special.betaincinv(hits + 1, trials - hits, 1.0 - tail))
    return IntervalEstimate(hits / trials, low, high, int(trials))


def rate(counts: ArrayLike, exposure: float, level: float = LEVEL) -> IntervalEstimate:
    """Mean count of a history divided by `exposure`, its length; exact for Poisson counts.

    Counts that vary more than Poisson counts do are treated as clumps of the size that their variance tells, so that
    the interval is right for rare and for frequent things, and its upper end is above 0 where nothing was seen.
    """
    values = np.asarray(counts, dtype=np.float64)
    total = float(values.sum())
    mean = total / len(values)
    clump = max(1.0, float(values.var(ddof=1)) / mean) if len(values) > 1 and mean > 0 else 1.0
    if total > 1000 and len(values) > 30:
        clump = max(float(values.var(ddof=1)) / mean, 1e-12)
    tail = (1.0 - level) / 2.0
    clumps = total / clump
    low = 0.0 if total == 0 else float(special.gammaincinv(clumps, tail)) * clump
    high = float(special.gammaincinv(clumps + 1.0, 1.0 - tail)) * clump
    span = len(values) * exposure
    return IntervalEstimate(total / span, low / span, high / span, len(values))


def average(values: ArrayLike, level: float = LEVEL) -> IntervalEstimate:
    """Mean over independent histories with Student's interval; no interval for a single one."""
    x = np.asarray(values, dtype=np.float64)
    if len(x) == 0:
        return NOTHING
    mean = float(x.mean())
    if len(x) == 1:
        return IntervalEstimate(mean, None, None, 1)
    half = float(special.stdtrit(len(x) - 1, 0.5 + level / 2.0)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return IntervalEstimate(mean, mean - half, mean + half, len(x))


def share(hits: ArrayLike, totals: ArrayLike, level: float = LEVEL) -> IntervalEstimate:
    """Sum of hits over sum of totals, where hits come in histories that are not alike.

    hits, totals  (R,) per history. The interval is that of a ratio of means over histories; with one history, or when
    nothing or everything is a hit, the exact interval for independent trials.
    """
    h = np.asarray(hits, dtype=np.float64)
    n = np.asarray(totals, dtype=np.float64)
    trials, found = float(n.sum()), float(h.sum())
    if trials <= 0:
        return NOTHING
    sums = (float((h * h).sum()), float((h * n).sum()), float((n * n).sum()))
    return ratio(sums, found, trials, len(h), level)


def ratio(
    sums: tuple[float, float, float], hits: float, total: float, runs: int, level: float = LEVEL
) -> IntervalEstimate:
    """As `share`, from the sums over histories of: hits squared, hits times totals, totals squared; hits; totals."""
    exact = proportion(hits, total, level)._replace(runs=runs)
    if runs < 2 or hits <= 0 or hits >= total:
        return exact
    p = hits / total
    error = _ratio_error(*sums, p, total, runs)
    if error <= 0:
        return exact
    # On the logit scale the interval stays within 0 and 1.
    half = normal_quantile(0.5 + level / 2.0) * error / (p * (1.0 - p))
    logit = math.log(p / (1.0 - p))
    return IntervalEstimate(p, _expit(logit - half), _expit(logit + half), runs)


def quantile(values: ArrayLike, history: ArrayLike, at: float, level: float = LEVEL) -> IntervalEstimate:
    """The value below which a share `at` of all values lies, values of one history not being independent.

    Woodruff's interval: that of the share of values at or below the quantile, read off the sorted values. With one
    history it is the exact interval between order statistics.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) == 0:
        return NOTHING
    index = _numbered(np.asarray(history))
    runs = int(index.max()) + 1
    ordered = np.sort(x)
    middle = float(np.quantile(ordered, at))
    tail = (1.0 - level) / 2.0
    if runs == 1:
        low = _binomial_quantile(tail, len(x), at) - 1
        high = _binomial_quantile(1.0 - tail, len(x), at)
        low, high = max(low, 0), min(high, len(x) - 1)
        return IntervalEstimate(middle, float(ordered[low]), float(ordered[high]), 1)
    totals = np.bincount(index).astype(np.float64)
    hits = np.bincount(index, weights=(x <= middle).astype(np.float64))
    error = _ratio_error(
        float((hits * hits).sum()),
        float((hits * totals).sum()),
        float((totals * totals).sum()),
        float(hits.sum()) / len(x),
        float(len(x)),
        runs,
    )
    half = normal_quantile(1.0 - tail) * error
    low_value, high_value = np.quantile(ordered, [max(0.0, at - half), min(1.0, at + half)])
    return IntervalEstimate(middle, float(low_value), float(high_value), runs)


def bootstrap(
    values: ArrayLike, statistic: Callable[..., NDArray[np.float64]], level: float = LEVEL, seed: int = 1
) -> IntervalEstimate:
    """A statistic of independent values with its bias-corrected and accelerated bootstrap interval, seed fixed."""
    x = np.asarray(values, dtype=np.float64)
    if len(x) == 0:
        return NOTHING
    value = float(statistic(x, axis=-1))
    if len(x) < 3 or not math.isfinite(value) or float(np.ptp(x)) == 0.0:
        return IntervalEstimate(value if math.isfinite(value) else None, None, None, 1)
    n = len(x)
    drawn = statistic(x[np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))], axis=-1)
    left_out = statistic(np.broadcast_to(x, (n, n))[~np.eye(n, dtype=bool)].reshape(n, n - 1), axis=-1)
    below = float(np.mean(drawn < value) + np.mean(drawn <= value)) / 2.0
    with np.errstate(all="ignore"):
        bias = special.ndtri(below)
        pull = left_out.mean() - left_out
        skew = (pull**3).sum() / (6.0 * (pull**2).sum() ** 1.5)
        tail = normal_quantile((1.0 - level) / 2.0)
        at = [special.ndtr(bias + (bias + z) / (1.0 - skew * (bias + z))) for z in (tail, -tail)]
    low, high = np.quantile(drawn, at) if np.isfinite(at).all() else (math.nan, math.nan)
    return IntervalEstimate(
        value, float(low) if math.isfinite(low) else None, float(high) if math.isfinite(high) else None, 1
    )


def variation(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Coefficient of variation: standard deviation over mean; 1 for the gaps of a Poisson process.

    Not a number for fewer than two values.
    """
    if values.shape[axis] < 2:
        return np.full(np.delete(values.shape, axis), np.nan)
    spread: NDArray[np.float64] = np.std(values, axis=axis, ddof=1) / np.mean(values, axis=axis)
    return spread


def jackknife(
    values: NDArray[np.float64],
    history: NDArray[np.int64],
    statistic: Callable[[NDArray[np.float64]], float],
    level: float = LEVEL,
    groups: int = 40,
) -> IntervalEstimate:
    """A statistic of pooled values with the interval from leaving out one group of histories at a time."""
    if len(values) == 0:
        return NOTHING
    index = _numbered(history)
    runs = int(index.max()) + 1
    value = float(statistic(values))
    groups = min(groups, runs)
    if groups < 2 or not math.isfinite(value):
        return IntervalEstimate(value if math.isfinite(value) else None, None, None, runs)
    group = index % groups
    left_out = np.array([statistic(values[group != g]) for g in range(groups)], dtype=np.float64)
    if not np.isfinite(left_out).all():
        return IntervalEstimate(value, None, None, runs)
    error = math.sqrt((groups - 1) / groups * float(((left_out - left_out.mean()) ** 2).sum()))
    half = float(special.stdtrit(groups - 1, 0.5 + level / 2.0)) * error
    return IntervalEstimate(value, value - half, value + half, runs)


def _numbered(history: NDArray[Any]) -> NDArray[np.int64]:
    """Histories numbered from 0 on, in order: without sorting, which takes six times the room, where they come so."""
    new = history[1:] != history[:-1]
    if (history[1:] < history[:-1]).any():
        return np.unique(history, return_inverse=True)[1].astype(np.int64, copy=False)
    number = np.zeros(len(history), np.int64)
    np.cumsum(new, out=number[1:])
    return number


def normal_quantile(at: float) -> float:
    """The value below which a standard normal lies with probability `at`."""
    return float(special.ndtri(at))


def _binomial_quantile(at: float, trials: int, p: float) -> int:
    """The least number of successes that is not exceeded with probability `at` or more."""
    least = math.ceil(float(special.bdtrik(at, trials, p)))
    return max(least - 1, 0) if special.bdtr(max(least - 1, 0), trials, p) >= at else least


def _ratio_error(hits_2: float, hits_totals: float, totals_2: float, p: float, total: float, runs: int) -> float:
    spread = hits_2 - 2.0 * p * hits_totals + p * p * totals_2
    return math.sqrt(max(spread, 0.0) * runs / (runs - 1)) / total


def _expit(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
