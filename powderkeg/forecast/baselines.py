"""What does the field hold a forecast against? Simple laws of what comes, from past counts alone.

In: acts by day and unit before the origin. Out: draws of the total of a stretch of days ahead, unit by unit.

Each is a function of `PastCounts`, which estimates what is the same for every stretch, and gives a law (`DaysAhead`,
draws, generator) -> (R, U). Those that resample past windows take windows as long as the stretch; with weekdays those
that begin on the weekday on which it begins.
Sources: conflictology, and the mixture with the global past: benchmarks of the VIEWS challenge (Hegre and others 2025);
exponentially weighted mean with negative binomial: the usual reference for sparse counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from powderkeg.engine.arrays import Floats

CHOSEN_HALF_LIFE = 30.0
"""Half-life of the weighted mean that stands for its kind, in days; chosen beforehand, the others are told too."""
HALF_LIVES = (14.0, 30.0, 90.0)
OWN = 365
"""Days back from which own windows are resampled."""
JUDGED = 730
"""Days back over which dispersion and the discrete Hawkes process are estimated."""
GLOBAL_SHARE = 0.2
"""Of draws that come from the past of all units."""
Draws = np.ndarray[Any, np.dtype[Any]]


class PastCounts(NamedTuple):
    """counts (D, U) acts by day before the origin; density (D,) of each day's reporting, mean about 1."""

    counts: Floats
    density: Floats


class DaysAhead(NamedTuple):
    """Days ahead whose total is foretold: from `first` on to the last of `density` (H,), that of each day ahead."""

    density: Floats
    first: int = 0

    @property
    def days(self) -> int:
        return len(self.density) - self.first

    @property
    def weight(self) -> float:
        return float(self.density[self.first :].sum())


Law = Callable[[DaysAhead, int, np.random.Generator], Draws]
Baseline = Callable[[PastCounts], Law]


def zero(past: PastCounts, ahead: DaysAhead, draws: int, rng: np.random.Generator) -> Draws:
    """Nothing happens."""
    return np.zeros((draws, past.counts.shape[1]))


def historical(past: PastCounts, ahead: DaysAhead, draws: int, rng: np.random.Generator) -> Draws:
    """Poisson at the mean rate of all days before."""
    rate = (past.counts.sum(axis=0) + 0.5) / (past.density.sum() + 1.0)
    return rng.poisson(rate * ahead.weight, (draws, len(rate)))


def last_value(past: PastCounts, ahead: DaysAhead, draws: int, rng: np.random.Generator) -> Draws:
    """Poisson at the rate of the last days, as many as are foretold."""
    n = min(ahead.days, len(past.counts))
    rate = past.counts[-n:].sum(axis=0) / max(past.density[-n:].sum(), 1e-9)
    return rng.poisson(np.maximum(rate, 1e-3) * ahead.weight, (draws, len(rate)))


def _windows(past: PastCounts, ahead: DaysAhead, days: int) -> Floats:
    """(W, U) totals of all windows of the last days as long as the stretch; with weekdays those that begin alike."""
    counts, n = past.counts[-days:], ahead.days
    if len(counts) < n:
        counts = past.counts
    if len(counts) < n:
        return np.asarray(counts.sum(axis=0, keepdims=True) * n / max(len(counts), 1), np.float64)
    total = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    windows: Floats = total[n:] - total[:-n]
    if len(past.density) and np.ptp(past.density) > 0:
        alike = (len(counts) + ahead.first - np.arange(len(windows))) % 7 == 0
        windows = windows[alike] if alike.any() else windows
    return windows


def conflictology(past: PastCounts, ahead: DaysAhead, draws: int, rng: np.random.Generator) -> Draws:
    """The unit's own last windows, each as likely as the next."""
    windows = _windows(past, ahead, OWN)
    return windows[rng.integers(0, len(windows), draws)]


def mixture(past: PastCounts, ahead: DaysAhead, draws: int, rng: np.random.Generator) -> Draws:
    """The same, a fifth of the draws from the windows of all units."""
    found = conflictology(past, ahead, draws, rng)
    windows = _windows(past, ahead, OWN)
    other = windows[rng.integers(0, len(windows), found.shape), rng.integers(0, windows.shape[1], found.shape)]
    return np.where(rng.random(found.shape) < GLOBAL_SHARE, other, found)


def weighted_mean(half_life: float) -> Baseline:
    """Negative binomial about the exponentially weighted mean; its dispersion from how past windows missed theirs."""
    return lambda past: partial(_about_the_mean, past, _weighted_rates(past, half_life))


def _about_the_mean(
    past: PastCounts, rates: Floats, ahead: DaysAhead, draws: int, rng: np.random.Generator
) -> Draws:  # fmt: skip
    n = ahead.days
    first = max(len(past.counts) - JUDGED, min(30, len(past.counts) - 1))
    origins = np.arange(first, len(past.counts) - n + 1, max(n, 1))
    rate = np.maximum(rates[-1], 1e-4)
    inverse = np.full(len(rate), 0.5)
    if len(origins):
        total = np.concatenate([np.zeros((1, len(rate))), np.cumsum(past.counts, axis=0)])
        density = np.concatenate([[0.0], np.cumsum(past.density)])
        got = total[origins + n] - total[origins]
        mean = np.maximum(rates[origins], 1e-4) * (density[origins + n] - density[origins])[:, None]
        excess, base = ((got - mean) ** 2 - mean).sum(axis=0), (mean**2).sum(axis=0)
        pooled = max(excess.sum() / base.sum(), 0.01)
        # Each unit's own, drawn to that of all as if that rested on five windows of mean 1.
        inverse = np.maximum((excess + 5.0 * pooled) / (base + 5.0), 0.01)
    mean_ahead = rate * ahead.weight
    return np.asarray(rng.poisson(mean_ahead * rng.standard_gamma(1.0 / inverse, (draws, len(rate))) * inverse))


def _weighted_rates(past: PastCounts, half_life: float) -> Floats:
    """(D + 1, U) weighted mean rate before each day, and after the last."""
    keep = 0.5 ** (1.0 / half_life)
    D, U = past.counts.shape
    rates = np.zeros((D + 1, U))
    acts, days = np.full(U, 0.1), np.full(U, 0.1 * max(len(past.counts), 1) / max(past.counts.sum() / U, 1.0))
    for d in range(D):
        rates[d] = acts / days
        acts, days = keep * acts + past.counts[d], keep * days + past.density[d]
    rates[D] = acts / days
    return rates


def hurdle(past: PastCounts, ahead: DaysAhead, draws: int, rng: np.random.Generator) -> Draws:
    """Any at all with the chance that own windows had, weighted to the last; then as many as such windows held."""
    windows = _windows(past, ahead, JUDGED)
    weight = 0.5 ** ((len(windows) - 1 - np.arange(len(windows))) * JUDGED / max(len(windows), 1) / 90.0)
    any_at_all = (weight @ (windows > 0) + 0.25) / (weight.sum() + 0.5)
    found = np.zeros((draws, windows.shape[1]))
    for u in range(windows.shape[1]):
        held = np.flatnonzero(windows[:, u] > 0)
        values = windows[held, u] if len(held) else np.ones(1)
        chance = weight[held] / weight[held].sum() if len(held) else np.ones(1)
        hit = rng.random(draws) < any_at_all[u]
        found[hit, u] = rng.choice(values, int(hit.sum()), p=chance)
    return found


def self_exciting(past: PastCounts) -> Law:
    """A Hawkes process for each unit by itself, in days: rate = base + answers to own acts, fading."""
    counts, density = past.counts[-JUDGED:], past.density[-JUDGED:]
    fitted = [_fitted_hawkes(counts[:, u], density) for u in range(counts.shape[1])]
    base, answers, keep = np.array(fitted).reshape(-1, 3).T
    state = np.array([_excitation(counts[:, u], keep[u])[-1] for u in range(len(keep))])
    return partial(_lived_hawkes, base, answers, keep, state)


def _lived_hawkes(
    base: Floats, answers: Floats, keep: Floats, begin: Floats, ahead: DaysAhead, draws: int, rng: np.random.Generator
) -> Draws:
    """Paths of all units from the excitation (U,) that they begin with."""
    found = np.zeros((draws, len(base)))
    state = np.tile(begin, (draws, 1))
    for day, weight in enumerate(ahead.density):
        acts = rng.poisson(weight * (base + answers * (1.0 - keep) * state))
        if day >= ahead.first:
            found += acts
        state = keep * state + acts
    return found


def _excitation(counts: Floats, keep: float) -> Floats:
    """(D + 1,) faded sum of the acts before each day, and after the last."""
    from scipy.signal import lfilter

    return np.concatenate([[0.0], lfilter([1.0], [1.0, -keep], counts)])


def _fitted_hawkes(counts: Floats, density: Floats) -> tuple[float, float, float]:
    """Base rate, answers an act, share kept from day to day; a weak prior keeps answers below 1."""
    mean = max(float(counts.mean()), 1e-4)

    def loss(x: Floats) -> float:
        base, answers, keep = mean * np.exp(x[0]), 1.0 / (1.0 + np.exp(-x[1])), 1.0 / (1.0 + np.exp(-x[2]))
        rate = density * (base + answers * (1.0 - keep) * _excitation(counts, keep)[:-1]) + 1e-9
        return float((rate - counts * np.log(rate)).sum() + 0.5 * ((x[1] + 0.5) ** 2 / 4 + (x[2] - 1.5) ** 2 / 4))

    best = optimize.minimize(loss, np.array([-0.5, -0.5, 1.5]), method="Nelder-Mead", options={"maxiter": 120})
    x = best.x
    return float(mean * np.exp(x[0])), float(1 / (1 + np.exp(-x[1]))), float(1 / (1 + np.exp(-x[2])))


def baselines() -> dict[str, tuple[Baseline, bool]]:
    """Name -> (law, whether weekdays are used)."""
    at_once = {
        "zero": zero,
        "historical rate": historical,
        "last value, Poisson": last_value,
        "conflictology": conflictology,
        "mixture with all": mixture,
        "hurdle": hurdle,
    }
    plain: dict[str, Baseline] = {name: partial(partial, law) for name, law in at_once.items()}
    plain["Hawkes by dyad"] = self_exciting
    plain |= {f"weighted mean, {half_life:.0f} days": weighted_mean(half_life) for half_life in HALF_LIVES}
    found = {name: (law, False) for name, law in plain.items()}
    return found | {f"{name}, weekdays": (law, True) for name, law in plain.items() if name != "zero"}


REFERENCE = f"weighted mean, {CHOSEN_HALF_LIFE:.0f} days, weekdays"
"""What others are held against by default: chosen beforehand."""
