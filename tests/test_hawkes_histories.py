"""Several histories of the same process: what they tell is added up, and nothing of one is left in the next."""

from __future__ import annotations

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.errors import UsageError

RATES = np.array([0.30, 0.20])
ANSWERS = np.array([[0.30, 0.20], [0.0, 0.40]])
LENGTHS = [300.0, 120.0, 60.0, 200.0]


def drawn(seed: int) -> list[list[np.ndarray]]:
    model = pk.from_arrays(RATES, ANSWERS, 1.2)
    histories = []
    for k, days in enumerate(LENGTHS):
        runs = pk.simulate(model, days=days, replicates=1, seed=seed + k)
        histories.append([runs.time[runs.channel == i] for i in range(2)])
    return histories


def written_out(times: list[np.ndarray], days: float, fit: pk.HawkesFit) -> float:
    """The log-likelihood of one history as the formula has it, at the estimates of a fit."""
    total = 0.0
    for i, mine in enumerate(times):
        intensity = np.full(len(mine), fit.baseline[i])
        expected = fit.baseline[i] * days
        for k, decay in enumerate(fit.decay):
            for j, other in enumerate(times):
                age = mine[:, None] - other[None, :]
                kernel = np.where(age > 0, decay * np.exp(-decay * np.maximum(age, 0.0)), 0.0)
                intensity += fit.components[k, j, i] * kernel.sum(axis=1)
                expected += fit.components[k, j, i] * (1.0 - np.exp(-decay * (days - other))).sum()
        total += np.log(intensity).sum() - expected
    return float(total)


@pytest.mark.parametrize("options", [{}, {"decays": 1.2}, {"decays": 1e-4}, {"components": 2}], ids=str)
def test_the_log_likelihood_is_the_sum_over_histories(options) -> None:
    histories = drawn(3)
    fit = pk.hawkes(histories, days=LENGTHS, **options)
    parts = [written_out(times, days, fit) for times, days in zip(histories, LENGTHS, strict=True)]
    assert fit.log_likelihood == pytest.approx(sum(parts), abs=1e-6)
    assert fit.converged
    assert fit.days == sum(LENGTHS)


def test_histories_of_one_length_and_order_change_nothing() -> None:
    histories = drawn(3)
    fit = pk.hawkes(histories, days=300.0)
    other = pk.hawkes([dict(enumerate(h)) for h in histories[::-1]], days=300.0)
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-7)
    assert other.adjacency == pytest.approx(fit.adjacency, abs=1e-5)
    assert pk.hawkes(histories[:1], days=300.0).log_likelihood == pk.hawkes(histories[0], days=300.0).log_likelihood
    # The planted error: laid end to end without a silence, one history answers the one before.
    shifts = np.cumsum([0.0, *LENGTHS[:-1]])
    joined = [np.concatenate([h[i] + shift for h, shift in zip(histories, shifts, strict=True)]) for i in range(2)]
    pooled = pk.hawkes(histories, days=LENGTHS)
    assert abs(pk.hawkes(joined, days=sum(LENGTHS)).log_likelihood - pooled.log_likelihood) > 0.1


def test_truth_is_found_again_and_residuals_pass() -> None:
    """Some 5,000 events in 40 histories of 100: every number within four standard errors."""
    runs = pk.simulate(pk.from_arrays(RATES, ANSWERS, 1.2), days=100.0, replicates=40, seed=5)
    histories = [[runs.time[(runs.replicate == r) & (runs.channel == i)] for i in range(2)] for r in range(40)]
    fit = pk.hawkes(histories, days=100.0)
    error = np.ma.filled(fit.adjacency_se, 0.05)
    assert (np.abs(fit.adjacency - ANSWERS) < 4 * error).all()
    assert fit.decay[0] == pytest.approx(1.2, abs=4 * float(fit.decay_se[0]))
    assert fit.residuals().failed == ()
    wrong = pk.hawkes(histories, days=100.0, support=np.zeros((2, 2)))
    assert "ground" in wrong.residuals().failed
    assert "40 histories" in fit.summary()
    with pytest.raises(UsageError, match="one history"):
        _ = fit.event_table
