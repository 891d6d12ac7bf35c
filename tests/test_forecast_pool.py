"""Counts told from a pool: the law of a weighted mean in whole histories; what stays the model's alone."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.forecast.backtest import ALONE, OURS, backtest
from powderkeg.forecast.counts import acts_ahead, daily
from powderkeg.forecast.frozen import freeze, read_frozen
from powderkeg.forecast.pool import HALF_LIVES, ChannelsOfDyads, past_days
from powderkeg.forecast.scoreboard import score_frozen
from powderkeg.forecast.weighted import (
    PULL,
    UNKNOWN,
    PastDays,
    WeightedMean,
    misses,
    parts_of,
    weighted_mean,
    weighted_rates,
)
from powderkeg.reading.stored import seal_of
from powderkeg.report.forecasted import page
from powderkeg.wording import measured


@pytest.fixture(scope="module")
def record() -> pk.EventTable:
    return quarrel.by_day(quarrel.simulated(420.0, 11))


def known(record: pk.EventTable, days: int = 300) -> pk.EventTable:
    return record.between(None, record.start + timedelta(days=days - 1))


# How far counts are off over 1, 7 and 30 days: less and less; most over a week; more and more; a fall too steep for
# what days of their own leave over a month.
OFF = np.array([[0.9, 0.2, 0.3, 1.5], [0.5, 0.5, 0.4, 0.9], [0.3, 0.2, 0.8, 0.02]])


def histories(law: WeightedMean, days: int, draws: int, density: float = 1.0) -> np.ndarray:
    """(draws, days, dyads)"""
    draw, day, dyad, acts = law.histories(np.full(days, density), draws, np.random.default_rng(3))
    found = np.zeros((draws, days, len(law.rate) + 1))
    np.add.at(found, (draw, day, dyad), acts)
    return found


def off_over(acts: np.ndarray, days: int) -> np.ndarray:
    """Relative variance of the total over the first days beyond that of a Poisson law."""
    total = acts[:, :days].sum(axis=1)
    return (total.var(axis=0) - total.mean(axis=0)) / total.mean(axis=0) ** 2


def test_one_history_is_off_as_far_as_was_measured_over_a_day_a_week_and_a_month() -> None:
    """20,000 histories; of the first three dyads exactly (errors of 5 % are caught), of the last what days leave."""
    rate = np.full(4, 3.0)
    law = WeightedMean(rate, 0.0, 0, parts_of(OFF), np.arange(4), (0.0, 0.0))
    acts = histories(law, 30, 20_000)[:, :, :4]
    np.testing.assert_allclose(acts.mean(axis=(0, 1)), 3.0, rtol=0.03)
    for days, expected in ((7, OFF[1]), (30, OFF[2])):
        np.testing.assert_allclose(off_over(acts, days)[:3], expected[:3], rtol=0.1)
    day = off_over(acts, 1)
    np.testing.assert_allclose(day[[0]], OFF[0, [0]], rtol=0.1)
    np.testing.assert_allclose(off_over(acts, 7)[3], OFF[1, 3], rtol=0.1)
    assert off_over(acts, 30)[3] > OFF[2, 3]  # weeks by themselves leave a fifth over 30 days
    # What is off less over a day than over a week has no luck of its days, and is then off as far as the week.
    np.testing.assert_allclose(day[1:3], OFF[1, 1:3], rtol=0.1)


def test_what_a_pair_has_in_common_leaves_the_law_of_each_direction_alone() -> None:
    off = np.full((3, 4), 0.5)
    pair = np.array([0, 1, 0, 1])
    law = WeightedMean(np.full(4, 5.0), 0.0, 0, parts_of(off), pair, (0.5, 0.2))
    total = histories(law, 30, 20_000)[:, :, :4].sum(axis=1)
    together = np.corrcoef(total.T)
    assert 0.6 < together[0, 2] < 0.7 and 0.6 < together[1, 3] < 0.7  # .7, less the chance of the counts
    assert 0.12 < together[0, 1] < 0.22
    alone = WeightedMean(np.full(4, 5.0), 0.0, 0, parts_of(off), pair, (0.0, 0.0))
    apart = histories(alone, 30, 20_000)[:, :, :4].sum(axis=1)
    assert abs(np.corrcoef(apart.T)[0, 2]) < 0.03
    for share in (0.05, 0.5, 0.95):
        np.testing.assert_allclose(np.quantile(total, share, axis=0), np.quantile(apart, share, axis=0), rtol=0.04)


def test_what_was_off_together_is_found_again() -> None:
    """600 days of two pairs whose weeks are off, directions of a pair together."""
    rng = np.random.default_rng(8)
    week = rng.gamma(2.0, 0.5, (100, 2))
    rate = 2.0 * np.repeat(week, 7, axis=0)[:, [0, 0, 1, 1]]
    past = PastDays(rng.poisson(rate).astype(float), np.ones((700, 1)), np.array([0, 0, 1, 1]), 0)
    found, (for_pair, for_all) = misses(past, weighted_rates(past, 500.0)[0])
    assert for_pair > 0.5 and for_all < 0.2
    np.testing.assert_allclose(found[1].mean(), 0.5, atol=0.2)
    assert (found[2] < found[1]).all()


@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_record_of_a_month_is_too_short_to_tell_how_far_its_means_are_off(days: int) -> None:
    """Judged by its last day, a record of one day was off by 450,000: the pool's draws of it were all but empty."""
    past = PastDays(np.full((days, 2), [3.0, 1.0]), np.ones((days, 1)), np.arange(2), 3)
    law = weighted_mean(past, 14.0)
    assert (misses(past, weighted_rates(past, 14.0)[0])[0] == UNKNOWN).all()
    acts = histories(law, 30, 2000)[:, :, :2]
    np.testing.assert_allclose(acts.mean(axis=(0, 1)), law.rate, rtol=0.1)


def test_a_first_burst_leaves_no_mean_of_acts_that_next_to_no_history_has() -> None:
    """Off by 450,000 over a week as measured, 41 acts foretold were none in 4,000 histories, or 100,000 in one."""
    counts = np.zeros((304, 2))
    counts[-4:] = [8.0, 7.0]
    law = weighted_mean(PastDays(counts, np.ones((304, 1)), np.arange(2), 1), 14.0)
    acts = histories(law, 30, 4_000)[:, :, :2].sum(axis=1)
    np.testing.assert_allclose(acts.mean(axis=0), 30 * law.rate, rtol=0.25)
    assert ((acts > 0).mean(axis=0) > 0.15).all()
    assert (np.quantile(acts, 0.95, axis=0) > acts.mean(axis=0)).all()


def test_the_mean_is_that_of_the_days_weighted_and_reckons_with_days_reported_in_part() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(2.0, (200, 1)).astype(float)
    past = PastDays(counts, np.ones((200, 1)), np.zeros(1, np.int64), 0)
    rates, _ = weighted_rates(past, 20.0)
    weight = 0.5 ** ((199 - np.arange(200)) / 20.0)
    plain = (weight @ counts[:, 0] + PULL) / (weight.sum() + PULL * 200.0 / counts.sum())
    np.testing.assert_allclose(rates[-1], plain, rtol=1e-3)  # but for the pull of the mean of all dyads
    half = PastDays(counts, np.full((200, 1), 0.5), np.zeros(1, np.int64), 0)
    np.testing.assert_allclose(weighted_rates(half, 20.0)[0][-1], 2 * rates[-1], rtol=0.01)


def test_a_dyad_that_never_acted_is_expected_to_act_less_than_one_that_did() -> None:
    counts = np.zeros((300, 2))
    counts[50, 0], counts[::5, 1] = 1.0, 1.0
    law = weighted_mean(PastDays(counts, np.ones((300, 1)), np.arange(2), 40), 14.0)
    assert 0.0 < law.other < law.rate[0] < law.rate[1] < 0.5
    acts = histories(law, 30, 4000)
    np.testing.assert_allclose(acts[:, :, 2].sum(axis=1).mean(), 30 * 40 * law.other, rtol=0.2)


def test_half_of_the_draws_of_a_pool_are_the_models_untouched(record: pk.EventTable) -> None:
    past = known(record)
    alone = pk.forecast(quarrel.scenario(), past, days=20, draws=101, pool=False)
    found = pk.forecast(quarrel.scenario(), past, days=20, draws=101)
    assert found.pool is not None and alone.pool is None
    assert found.pool.of_model.sum() in (50, 51)
    own = found.counts()[found.pool.of_model]
    assert np.array_equal(own, alone.counts()[found.pool.of_model])
    assert np.array_equal(alone.counts(), daily(acts_ahead(found.drawn.runs), found.units()))
    # The others are of the means: each of its own half-life, and no two alike.
    others = found.counts()[~found.pool.of_model].sum(axis=1)
    assert len(np.unique(others, axis=0)) > 40
    assert found.draws_frame().filter(pl.col("draw").is_in(np.flatnonzero(~found.pool.of_model).tolist())).height
    told = found.as_dict()
    assert told["pool"] == {
        "weight": 0.5,
        "half_lives": list(HALF_LIVES),
        "model_draws": int(found.pool.of_model.sum()),
    }
    assert alone.as_dict()["pool"] is None
    assert any("told from a pool" in note for note in found.notes)
    assert not any("told from a pool" in note for note in alone.notes)


def test_what_carries_the_risk_and_what_an_act_changes_are_the_models_whole(record: pk.EventTable) -> None:
    """A weighted mean knows no answer: told from the pool, both would be halved."""
    past, asked = known(record), ["guard calm north", "no_retaliation"]
    alone = pk.forecast(quarrel.scenario(), past, days=20, draws=100, interventions=asked, pool=False)
    found = pk.forecast(quarrel.scenario(), past, days=20, draws=100, interventions=asked)
    assert found.changes.equals(alone.changes) and found.outcomes.equals(alone.outcomes)
    assert found.why().equals(alone.why()) and found.as_dict()["why"] == alone.as_dict()["why"]
    assert np.array_equal(found.counts(world="no_retaliation"), alone.counts(world="no_retaliation"))
    assert not found.dyads.equals(alone.dyads)


def test_the_page_expects_as_many_acts_as_its_table_of_pairs_adds_up_to(record: pk.EventTable) -> None:
    """They are the pool's; what share of them goes back to acts seen only the model's histories know."""
    found = pk.forecast(quarrel.scenario(), known(record), days=30, draws=40, seed=2)
    expected, models = measured(found.dyads["mean"].sum()), measured(found.as_dict()["why"]["acts"])
    assert expected != models
    assert f"In 30 days {expected} acts are expected. Of the acts in the model's histories" in page(found, {}).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_the_scenarios_own_background_is_told_as_it_stands(record: pk.EventTable) -> None:
    past = known(record)
    assert pk.forecast(quarrel.scenario(), past, days=5, draws=20, background="scenario").pool is None
    assert pk.forecast(quarrel.scenario(), past, days=5, draws=20, background="scenario", pool=True).pool is not None


def test_acts_of_a_mean_are_of_the_kinds_that_its_dyad_does() -> None:
    """Of three kinds of act of one dyad each as often as it came; every dyad's channels are its own."""
    text = quarrel.TEXT.replace(
        "  calms: {who", "  blows: {who: north, does: answer, to: south, rate: 0.1 per day}\n  calms: {who"
    )
    scenario = pk.loads(text)
    past = quarrel.by_day(quarrel.simulated(300.0, 5))
    found = pk.forecast(scenario, past, days=30, draws=400)
    assert found.pool is not None
    channels = [(c.source, c.act, c.target) for c in found.model.channels[: found.model.n_acts]]
    drawer = found.drawer
    _, dyads = past_days(drawer)
    kinds = ChannelsOfDyads(drawer, dyads)
    unit = found.units().of_channel
    rng = np.random.default_rng(1)
    for place, dyad in enumerate(dyads):
        drawn = kinds.of(np.full(4000, place), rng)
        assert (unit[drawn] == dyad).all()
    place = int(np.searchsorted(dyads, unit[channels.index(("north", "block", "south"))]))
    drawn = kinds.of(np.full(4000, place), rng)
    assert np.mean(drawn == channels.index(("north", "block", "south"))) > 0.97  # the other never came
    assert 0 < np.mean(drawn == channels.index(("north", "answer", "south"))) < 0.03


def test_a_backtest_tells_the_models_own_draws_beside_the_pool(record: pk.EventTable) -> None:
    origins = [record.start + timedelta(days=d) for d in (300, 340)]
    asked = {"origins": origins, "horizons": (7, 30), "draws": 60}
    both = backtest(quarrel.scenario(), record, variants=(ALONE,), **asked)
    apart = backtest(quarrel.scenario(), record, variants=(), pool=False, **asked)
    crps = (pl.col("metric") == "crps") & (pl.col("over") == "window")
    rows = [part.scores().filter(crps, pl.col("model") == name)["value"]
            for part, name in ((both, ALONE), (apart, OURS), (both, OURS))]  # fmt: skip
    assert rows[0].to_list() == rows[1].to_list() != rows[2].to_list()
    assert both.outcomes["model"].unique().to_list() == [OURS]


def test_a_frozen_pool_is_scored_as_one_and_files_of_before_as_they_were(record: pk.EventTable, tmp_path: Path) -> None:
    made = pk.forecast(quarrel.scenario(), known(record), days=10, draws=100)
    assert made.pool is not None
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    new.write_bytes(freeze(made))
    one = read_frozen(new)
    assert one.of_model is not None and np.array_equal(one.of_model, made.pool.of_model)
    assert np.array_equal(one.counts, made.counts("class"))
    models = score_frozen([one], record).scores()["model"].unique().to_list()
    assert OURS in models and ALONE in models
    data = json.loads(new.read_bytes())
    del data["seal"], data["pool"]
    data["powderkeg forecast"] = 2
    old.write_text(json.dumps({"seal": seal_of(data), **data}))
    before = read_frozen(old)
    assert before.of_model is None
    assert ALONE not in score_frozen([before], record).scores()["model"].unique().to_list()
    # On one board the model's own draws of the older file are all its draws.
    rows = score_frozen([one, before], record).scores().filter(pl.col("metric") == "crps", pl.col("over") == "window")
    assert rows.filter(model=ALONE)["n"].to_list() == rows.filter(model=OURS)["n"].to_list()
    data["powderkeg forecast"] = 3  # says of no pool whether there was one
    old.write_text(json.dumps({"seal": seal_of(data), **data}))
    with pytest.raises(pk.UsageError, match="of version 1 to 3"):
        read_frozen(old)
