"""What seen acts tell of unseen ones: against sums over all pairs written out, exact and by day."""

from __future__ import annotations

import numpy as np
import pytest

from powderkeg.engine.arrays import Floats
from powderkeg.engine.likelihood.day_steps import next_day, same_day
from powderkeg.engine.likelihood.hindsight import ActsSeen, KernelParts, LinksBack, hindsight

MASS = np.array([[[0.3, 0.1], [0.0, 0.25]], [[0.05, 0.2], [0.4, 0.0]]])
"""(answering, source, mechanism)"""
KERNELS = KernelParts(np.array([0, 1, 3]), np.array([1.0, 1.6, -0.6]), np.array([0.9, 0.2, 0.5]))


def links() -> LinksBack:
    target, source, mechanism = np.nonzero(MASS)
    return LinksBack(
        np.searchsorted(target, np.arange(3)), source, mechanism, MASS[target, source, mechanism], MASS.sum(axis=0)
    )


def parts(mechanism: int) -> slice:
    return slice(int(KERNELS.start[mechanism]), int(KERNELS.start[mechanism + 1]))


def kernel(mechanism: int, lag: Floats) -> Floats:
    own = parts(mechanism)
    return (KERNELS.share[own] * KERNELS.decay[own] * np.exp(-lag[:, None] * KERNELS.decay[own])).sum(axis=1)


def remaining(mechanism: int, lag: Floats) -> Floats:
    """Share of the answers that is still to come, by components: what the same act put later is worth."""
    own = parts(mechanism)
    return (KERNELS.share[own] * np.exp(-lag[:, None] * KERNELS.decay[own])).sum(axis=1)


def test_the_sums_carried_along_are_those_over_all_pairs() -> None:
    """Two channels, two mechanisms, one of which builds up; unseen acts on a fine grid of times, one by one."""
    rng = np.random.default_rng(1)
    edge = np.unique(np.concatenate([np.arange(0.0, 7.0), rng.uniform(0.0, 6.0, 9)]))
    n = len(edge) - 1
    births, shown = rng.uniform(0.0, 0.3, (n, 2)), rng.uniform(0.2, 1.0, n)
    start = np.concatenate([[0], np.cumsum(rng.integers(0, 3, n))])
    acts = ActsSeen(start, rng.integers(0, 2, start[-1]), rng.uniform(0.5, 4.0, start[-1]))
    found = hindsight(False, edge, shown, births, np.zeros_like(births), acts, links(), KERNELS)

    fine = 400
    s = np.concatenate([edge[q] + (np.arange(fine) + 0.5) / fine * (edge[q + 1] - edge[q]) for q in range(n)])
    wide = np.repeat(np.diff(edge) / fine, fine)
    unseen = np.repeat(births / fine, fine, axis=0)
    expected = np.zeros_like(found)
    for q in range(n):
        before = s < edge[q]
        lag = edge[q] - s[before]
        for i in range(start[q], start[q + 1]):
            for k in range(2):
                come = sum(MASS[acts.channel[i], k, m] * kernel(m, lag) for m in range(2))
                told = acts.weight[i] * shown[q] * come * unseen[before, k]
                for m in range(2):
                    expected[q, k, m] += (told * remaining(m, lag)).sum()
        for v in np.flatnonzero((s > edge[q]) & (s < edge[q + 1])):
            lag = s[v] - s[:v]
            for k in range(2):
                gone = sum(MASS[:, k, m].sum() * kernel(m, lag) for m in range(2)) * unseen[:v, k] * wide[v] * shown[q]
                for m in range(2):
                    expected[q, k, m] -= (gone * remaining(m, lag)).sum()
    assert found == pytest.approx(expected, rel=0.02, abs=2e-4)
    assert np.abs(expected).max() > 0.02


def test_by_day_they_are_those_over_all_pairs_of_days() -> None:
    rng = np.random.default_rng(2)
    n = 9
    births, shown = rng.uniform(0.0, 0.3, (n, 2)), rng.uniform(0.2, 1.0, n)
    foretold = births * rng.uniform(0.5, 1.0, (n, 2))
    start = np.concatenate([[0], np.cumsum(rng.integers(0, 3, n))])
    acts = ActsSeen(start, rng.integers(0, 2, start[-1]), rng.uniform(0.5, 4.0, start[-1]))
    found = hindsight(True, np.arange(n + 1.0), shown, births, foretold, acts, links(), KERNELS)
    expected = np.zeros_like(found)
    for d in range(n):
        on = slice(start[d], start[d + 1])
        for k in range(2):
            for m in range(2):
                pull = np.bincount(acts.channel[on], acts.weight[on], 2) @ MASS[:, k, m] - MASS[:, k, m].sum()
                for b in range(KERNELS.start[m], KERNELS.start[m + 1]):
                    share, decay = KERNELS.share[b], KERNELS.decay[b]
                    own = share * same_day(decay) * foretold[d, k]
                    for other in range(2):
                        expected[d, k, other] += shown[d] * pull * own
                        for s in range(d):
                            come = share * next_day(decay) * np.exp(-decay * (d - 1 - s)) * births[s, k]
                            left = remaining(other, np.array([float(d - s)]))[0]
                            expected[d, k, other] += shown[d] * pull * come * left
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("by_day", [True, False])
def test_where_all_is_seen_nothing_is_told(by_day: bool) -> None:
    edge, none = np.arange(5.0), np.zeros((4, 2))
    acts = ActsSeen(np.array([0, 1, 1, 2, 2]), np.array([0, 1]), np.ones(2))
    assert not hindsight(by_day, edge, np.ones(4), none, none, acts, links(), KERNELS).any()
