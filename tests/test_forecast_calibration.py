"""Is a forecast as sure as it should be? On systems whose background drifts, with weekdays and late reports (T15)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import drifting_systems as drifting
import forecast_systems as quarrel
import numpy as np
import pytest
from scipy import stats

import powderkeg as pk
from powderkeg.engine.arrays import Floats
from powderkeg.forecast.counts import observed, units_of
from powderkeg.forecast.ground import LevelDrift
from powderkeg.forecast.scores import pit
from powderkeg.forecast.seen import channels_of

DAYS = 420
AHEAD = (7, 30)


def ranks(seeds: Iterable[int], draws: int = 120, **options: Any) -> np.ndarray:
    """(histories, horizons, dyads) ranks of what came among the draws, ties broken by chance."""
    model = pk.compile(quarrel.scenario())
    units = units_of(model)
    found = []
    for seed in seeds:
        whole = drifting.record(DAYS + max(AHEAD), seed)
        eve = whole.start + timedelta(days=DAYS - 1)
        made = pk.forecast(model, whole, as_of=eve, days=max(AHEAD), draws=draws, seed=seed, **options)
        stamp = whole.frame["time"].to_numpy().astype(np.int64) - DAYS
        came = observed(stamp, channels_of(model, whole.frame), max(AHEAD), units)
        counts = made.counts()
        rng = np.random.default_rng(seed)
        found.append([pit(counts[:, :h].sum(axis=1), came[:h].sum(axis=0), rng) for h in AHEAD])
    return np.array(found)


def coverage(found: np.ndarray) -> np.ndarray:
    """(horizons,) share of ranks in the middle 90 %."""
    inside = (found > 0.05) & (found < 0.95)
    return np.asarray(inside.mean(axis=(0, 2)))


def calibrated(found: np.ndarray) -> bool:
    """Middle 90 % hold 85 to 95 % at every horizon, with three standard errors of histories more; the mean rank is one
    half, within four of them."""
    inside = ((found > 0.05) & (found < 0.95)).mean(axis=2)
    wide = 3.0 * inside.std(axis=0, ddof=1) / np.sqrt(len(found))
    middle = found.mean(axis=(1, 2))
    centred = abs(middle.mean() - 0.5) < 4.0 * middle.std(ddof=1) / np.sqrt(len(found))
    share = coverage(found)
    return bool(((share > 0.85 - wide) & (share < 0.95 + wide)).all() and centred)


def test_ranks_are_told_apart_as_they_should_be() -> None:
    """The judge itself: even ranks pass; those of draws three fifths as wide, and those of draws too low, do not."""
    rng = np.random.default_rng(1)
    even = rng.random((60, 2, 3))
    assert calibrated(even)
    normal = stats.norm.ppf(even)
    assert not calibrated(stats.norm.cdf(normal / 0.6))
    assert not calibrated(stats.norm.cdf(normal + 0.4))


def test_intervals_hold_what_comes_where_levels_drift_and_reports_are_late() -> None:
    assert calibrated(ranks(range(24)))


@pytest.mark.nightly  # the planted error of the test above
def test_levels_taken_as_sure_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels that are never off, and days that are never luckier than chance: too narrow at 30 days."""

    def sure(best: LevelDrift, told: Floats, came: Floats) -> tuple[LevelDrift, Floats]:
        return best._replace(spread=1.0), np.zeros((told.shape[2], 2))

    monkeypatch.setattr("powderkeg.forecast.choice._wide", sure)
    assert not calibrated(ranks(range(40)))


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(4))
def test_intervals_hold_what_comes_over_many_histories(block: int, seed: int) -> None:
    assert calibrated(ranks(range(1000 * seed + 100 * block, 1000 * seed + 100 * block + 100), 300))


@pytest.mark.nightly
def test_reports_taken_as_complete_are_refused() -> None:
    """What is still to come in is not reckoned with: what comes ranks too high at seven days."""
    late, blind = (ranks(range(150), late=late)[:, 0].mean(axis=1) for late in (True, False))
    more = blind - late
    assert more.mean() > 4.0 * more.std(ddof=1) / np.sqrt(len(more))
