"""Weighed draws: the posterior where the top of the likelihood is not round."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import polars as pl
import pytest
from scipy import stats

import powderkeg as pk
from powderkeg.errors import FitError
from powderkeg.events.table import EventTable

SCENARIO = """
powderkeg: 1
name: seldom
start: 2020-01-01
actors: {north: {}, south: {}}
acts: {strike: {tone: hostile, cameo: "190"}}
moves:
  strikes: {who: north, does: strike, to: south, rate: 0.02 per day}
"""


@cache
def few(many: int = 4) -> pk.Fit:
    """A few acts in 200 days, and nothing but a rate: the posterior is a Gamma law with shape n + 1."""
    time = np.linspace(5.0, 195.0, many)
    frame = pl.DataFrame({"time": time, "source": "north", "act": "strike", "target": "south"})
    return pk.fit(pk.loads(SCENARIO), EventTable(frame, date(2020, 1, 1), 200.0), prior=None, background="constant")


def test_weighed_draws_are_those_of_the_gamma_law_and_laplace_is_not() -> None:
    """Of 4,000 draws: mean and ends within 4 % (six standard errors). Without weights the mean is 15 % too low."""
    found = few().posterior(draws=4000, seed=3)
    truth = stats.gamma(5, scale=1 / 200.0)
    row = found.table().row(0, named=True)
    assert row["path"] == "moves.strikes.rate"
    assert row["mean"] == pytest.approx(truth.mean(), rel=0.04)
    assert row["low"] == pytest.approx(truth.ppf(0.05), rel=0.06)
    assert row["high"] == pytest.approx(truth.ppf(0.95), rel=0.06)
    assert found.values.mean() < 0.92 * truth.mean()
    assert 0.3 * 4000 < found.worth < 4000 and found.is_round


def test_even_draws_have_the_same_law_and_are_the_same_for_the_same_seed() -> None:
    found = few().posterior(draws=2000, seed=3)
    rows = found.draw(2000, seed=5)
    assert rows == found.draw(2000, seed=5)
    values = np.array([row["moves.strikes.rate"] for row in rows])
    assert values.mean() == pytest.approx(5 / 200.0, rel=0.05)
    assert found.for_arviz(500)["posterior"]["moves.strikes.rate"].shape == (1, 500)


def test_nothing_left_open_is_said() -> None:
    with pytest.raises(FitError, match="fewer than 2 draws"):
        few().posterior(draws=1)
