"""Intervals are those of scipy.stats, without its import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from powderkeg.analyze import intervals


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (1, 5), (5, 5), (3, 29), (180, 200)])
def test_shares_have_the_exact_interval(hits: int, trials: int) -> None:
    found = intervals.proportion(hits, trials)
    theirs = stats.binomtest(hits, trials).proportion_ci(0.9, "exact")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("total", [0, 1, 7])
def test_rates_have_the_exact_interval(total: int) -> None:
    found = intervals.rate([total], 2.0)
    assert found.high == pytest.approx(stats.gamma.ppf(0.95, total + 1) / 2)
    assert found.low == pytest.approx(stats.gamma.ppf(0.05, total) / 2 if total else 0)


def test_means_have_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = intervals.average(values)
    theirs = stats.t.interval(0.9, 3, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(theirs)


@pytest.mark.parametrize("n", [1, 2, 5, 29, 200])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("at", [0.05, 0.5, 0.95])
def test_order_statistics_are_those_of_the_binomial(n: int, p: float, at: float) -> None:
    assert intervals._binomial_quantile(at, n, p) == stats.binom.ppf(at, n, p)


@pytest.mark.parametrize("statistic", [np.mean, np.median, intervals.variation])
@pytest.mark.parametrize("n", [5, 28])
def test_the_bootstrap_is_bias_corrected_and_accelerated(statistic: Callable[..., Any], n: int) -> None:
    values = np.random.default_rng(7).exponential(100.0, n)
    found = intervals.bootstrap(values, statistic)
    theirs = stats.bootstrap(
        (values,), statistic, n_resamples=9_999, confidence_level=0.9, vectorized=True, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_counting_needs_no_import_of_scipy_stats() -> None:
    code = "import sys, powderkeg.analyze, powderkeg.score; print([m for m in ('scipy.stats',) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
