"""Forecasts from short records: rates lean on what the scenario says of them, the less the longer the record."""

from __future__ import annotations

from datetime import date

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.events import EventTable
from powderkeg.forecast.pool import ChannelsOfDyads, past_days, said_of_dyads
from powderkeg.forecast.short import ACTS, LONG, WORTH, Leaning, leaning, with_answers
from powderkeg.forecast.weighted import PULL, PastDays, prior, weighted_rates

RARE = """
powderkeg: 1
name: rare
start: 2020-01-01
years: 3
actors: {north: , south: , guard: }
acts: {block: {tone: hostile}, answer: {tone: hostile}, calm: {tone: cooperative}, talk: {tone: cooperative}}
moves:
  blocks: {who: north, does: block, to: south, rate: 1 per year}
  answers: {who: south, does: answer, to: north, rate: 1 per year}
  calms: {who: guard, does: calm, to: north, rate: 10 per year}
  talks: {who: guard, does: talk, to: south, rate: 1 per year}
"""


def one_act(days: float) -> EventTable:
    """A block on the first of so many days, and nothing else."""
    frame = pl.DataFrame([{"time": 0.0, "source": "north", "act": "block", "target": "south"}])
    return EventTable(frame, date(2020, 1, 1), days, "day")


@pytest.mark.parametrize("pool", [False, True])
def test_one_act_on_the_only_day_is_not_one_a_day(pool: bool) -> None:
    """By the scenario 1.1 acts in 30 days; one block says that there are more of them, not thirty."""
    found = pk.forecast(pk.loads(RARE), one_act(1.0), days=30, draws=400, pool=pool)
    assert 0.7 < found.counts().sum() / 400 < 3.0
    assert any("the record is short, 1 day: the scenario's own rates count as 60 days more" in n for n in found.notes)


def test_a_short_record_expects_of_each_dyad_what_the_scenario_says_of_it() -> None:
    """The guard calms ten times as often as it talks, though neither was seen."""
    scenario = pk.loads(RARE)
    drawer = pk.forecast(scenario, one_act(1.0), days=30, draws=40).drawer
    level = dict(zip([name[:2] for name in drawer.groups.names], drawer.point.level, strict=True))
    assert 5.0 < level["guard", "north"] / level["guard", "south"] < 12.0
    assert 5.0 < level["guard", "north"] / (1.0 / 365.25) < 12.0
    past, dyads = past_days(drawer)
    np.testing.assert_allclose(said_of_dyads(drawer)[dyads], 1.0 / 365.25, rtol=1e-6)
    np.testing.assert_allclose(past.said_other, 12.0 / 3.0 / 365.25, rtol=1e-6)
    kinds = ChannelsOfDyads(drawer, dyads)
    drawn = kinds.of(np.full(6000, len(dyads)), np.random.default_rng(1))
    acts = np.array([channel.act for channel in drawer.model.channels[: drawer.model.n_acts]])[drawn]
    assert 0.76 < np.mean(acts == "calm") < 0.88  # 10 of 12


def test_a_year_of_record_leans_on_no_rate_of_the_scenario() -> None:
    """Bit for bit: a record that long speaks for itself, whatever rates were written down."""
    other = pk.loads(RARE.replace("1 per year", "30 per year"))
    for days, same in ((float(LONG), True), (60.0, False)):
        one, two = (pk.forecast(s, one_act(days), days=10, draws=60) for s in (pk.loads(RARE), other))
        assert np.array_equal(one.drawer.point.level, two.drawer.point.level) == same
        assert np.array_equal(one.counts(), two.counts()) == same
        assert any("the record is short" in note for note in one.notes) != same
    assert leaning(LONG, 1.0) == leaning(5 * LONG, 0.0) == Leaning(0.0, 0.0)
    assert 0.0 < leaning(LONG - 1, 0.01).share < 1e-3 and leaning(1, 0.01).share > 0.98
    assert leaning(1, 2.0).days == pytest.approx(ACTS / 2.0 * (1.0 - 1.0 / LONG))


def test_the_mean_of_a_short_record_is_that_of_days_watched_before() -> None:
    """Of two dyads that acted and three that did not, by hand."""
    lean = leaning(10, 0.01)
    assert lean.days == pytest.approx(WORTH * (1.0 - 10.0 / LONG))
    counts = np.zeros((10, 2))
    counts[4, 0] = counts[9, 1] = 1.0
    past = PastDays(counts, np.ones((10, 1)), np.arange(2), 3, lean, np.array([0.01, 0.02]), 0.005)
    rates, other = weighted_rates(past, 20.0)
    worth, unsaid = prior(past), 1.0 - lean.share
    mean = (2.0 + lean.days * (0.01 + 0.02 + 3 * 0.005) + 0.5 * unsaid) / (5 * (10.0 + lean.days + 30.0 * unsaid))
    slow = (1.0 + lean.days * 0.01 + worth) / (10.0 + lean.days + worth / mean)
    weight = 0.5 ** ((9 - np.arange(10)) / 20.0)
    expected = (weight[4] + lean.days * 0.01 + PULL) / (weight.sum() + lean.days + PULL / slow)
    assert rates[-1, 0] == pytest.approx(expected)
    assert other == pytest.approx((worth + lean.days * 0.005) / (10.0 + lean.days + worth / mean))


def test_answers_count_in_how_often_acts_come_by_the_scenario() -> None:
    system = pk.compile(quarrel.scenario()).system
    channels, mass = system.n_channels, np.zeros((system.n_channels, system.n_channels))
    source = np.repeat(np.arange(channels), np.diff(system.edge_start))
    np.add.at(mass, (system.edge_target, source), system.edge_mass)
    exact = np.linalg.solve(np.eye(channels) - mass, system.rate)
    np.testing.assert_allclose(with_answers(system, system.rate), exact, rtol=0.01)
