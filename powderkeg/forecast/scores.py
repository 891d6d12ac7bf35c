"""How good was what was said? Scores of draws against what came.

In: draws (R, U) of counts, what came (U,). Out: a score for each unit. Lower is better, but for the log score.

A test holds CRPS, its threshold-weighted form and the interval score against the package `scoringrules`, which takes
some five seconds to import, longer than all scores of a backtest. The log score of draws needs the chance of every
count, also of those that no draw has: draws are counted, and mixed with a negative binomial of their mean and variance
(worth as many draws as there are different counts among them, at least 10), and that with a law of heavy tail,
1 / ((y + 1)(y + 2)), for a tenth; so no count is impossible, and every model is smoothed alike. Binned ignorance is
that of the VIEWS challenge, with its bins and its smoothing: one draw more in each bin.
Sources: Gneiting & Raftery (2007), JASA 102, 359-378; Gneiting & Ranjan (2011), J. Bus. Econ. Stat. 29, 411-422; Hegre
and others (2025), The 2023/24 VIEWS prediction challenge, J. Peace Research.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats

BINS = (0.0, 0.5, 2.5, 5.5, 10.5, 25.5, 50.5, 100.5, 250.5, 500.5, 1000.5)
"""Lower edges of the bins of the VIEWS challenge."""
FEWEST_COUNTS = 10
HEAVY = 0.1
MISS = 0.05
"""Share outside of the interval that the interval score judges."""
Counts = np.ndarray[Any, np.dtype[Any]]


def log_score(draws: Counts, came: Floats) -> Floats:
    """(U,) natural logarithm of the chance of what came. Higher is better."""
    R = draws.shape[0]
    mean = np.maximum(draws.mean(axis=0), 0.5 / R)
    variance = np.maximum(draws.var(axis=0), 1.0001 * mean)
    size = mean**2 / (variance - mean)
    law = np.exp(
        special.gammaln(came + size) - special.gammaln(size) - special.gammaln(came + 1.0)
        + size * np.log(size / (size + mean)) + came * np.log(mean / (size + mean))
    )  # fmt: skip
    tail = 1.0 / ((came + 1.0) * (came + 2.0))
    ordered = np.sort(draws, axis=0)
    different = 1 + (np.diff(ordered, axis=0) != 0).sum(axis=0)
    weight = np.maximum(different, FEWEST_COUNTS)
    hits = (draws == came[None, :]).sum(axis=0)
    score: Floats = np.log((hits + weight * ((1.0 - HEAVY) * law + HEAVY * tail)) / (R + weight))
    return score


def crps(draws: Counts, came: Floats) -> Floats:
    """(U,) continuous ranked probability score of the draws: mean |X - y| less half the mean |X - X'|.

    Sorted, the second is a weighted sum, and no square of the draws is built.
    """
    ordered = np.sort(draws, axis=0).astype(np.float64)
    R = len(ordered)
    weight = (2.0 * np.arange(R) - (R - 1.0)) / R**2
    return np.asarray(np.abs(ordered - came).mean(axis=0) - weight @ ordered, np.float64)


def threshold_crps(draws: Counts, came: Floats, threshold: Floats) -> Floats:
    """(U,) the part of it that judges counts above each unit's threshold."""
    return crps(np.maximum(draws, threshold), np.maximum(came, threshold))


def binned_ignorance(draws: Counts, came: Floats) -> Floats:
    """(U,) bits: minus the logarithm of the share of draws in the bin of what came, with one draw more in each bin."""
    binned, here = np.digitize(draws, BINS), np.digitize(came, BINS)
    share = ((binned == here[None, :]).sum(axis=0) + 1.0) / (draws.shape[0] + len(BINS))
    return np.asarray(-np.log2(share), np.float64)


def interval_score(draws: Counts, came: Floats) -> Floats:
    """(U,) width of the 95 % interval, and 40 times how far what came lies outside."""
    low, high = np.quantile(draws, [MISS / 2, 1 - MISS / 2], axis=0, method="inverted_cdf").astype(np.float64)
    outside = np.maximum(low - came, 0.0) + np.maximum(came - high, 0.0)
    return np.asarray(high - low + 2.0 / MISS * outside, np.float64)


def brier(chance: Floats, came: Floats) -> Floats:
    """(U,) squared distance of a chance from what came, 0 or 1."""
    return np.asarray((chance - came) ** 2, np.float64)


def covered(draws: Counts, came: Floats, level: float = 0.9) -> Floats:
    """(U,) whether what came lies in the middle `level` of the draws. Counts are whole: an exact model covers more."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    return np.asarray((came >= low) & (came <= high), np.float64)


def pit(draws: Counts, came: Floats, rng: np.random.Generator) -> Floats:
    """(U,) rank of what came among the draws, ties broken by chance: uniform if the draws have its law."""
    below, equal = (draws < came[None, :]).mean(axis=0), (draws == came[None, :]).mean(axis=0)
    return np.asarray(below + rng.random(len(came)) * equal, np.float64)


COUNT_SCORES = {
    "log_score": log_score,
    "crps": crps,
    "binned_ignorance": binned_ignorance,
    "interval_score": interval_score,
    "coverage_90": covered,
}
"""Scores of counts that need nothing but draws and what came."""
