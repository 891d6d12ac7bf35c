"""Forecasts of many channels: blocks, narrowed trials, bounded memory; what is said is what it would be at once."""

from __future__ import annotations

from collections.abc import Callable

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest
import scale_systems

import powderkeg as pk
from powderkeg.forecast import choice, counts, days_before, room
from powderkeg.forecast.ahead import Paths
from powderkeg.forecast.drawing import roots_of
from powderkeg.forecast.fan import ENDS, week_ends
from powderkeg.forecast.result import Forecast
from powderkeg.forecast.seen import seen
from powderkeg.simulate.memory import OverMemory


@pytest.fixture(scope="module")
def past() -> pk.EventTable:
    return quarrel.by_day(quarrel.simulated(300.0, 5))


def told(found: pk.Forecast) -> list[pl.DataFrame]:
    return [found.dyads, found.classes, found.daily, found.fan(), found.draws_frame()]


def test_tables_made_block_by_block_are_those_made_at_once(
    past: pk.EventTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pk.forecast(quarrel.scenario(), past, days=12, draws=50, interventions=["guard calm north"])
    dense = found.counts("class")
    units = found.units("class")
    own = found.counts("class", next(iter(found.worlds)))
    assert np.array_equal(counts.totals(found.drawn.runs, units), own.sum(axis=1))
    at_once = told(found)
    monkeypatch.setattr(counts, "CELLS", 1)  # one unit at a time
    made = [part.unit for part in counts.blocks(found.ahead, units)]
    assert sorted(u for of in made for u in of.tolist()) == list(range(len(units))) and len(made) == len(units) > 1
    for name in ("dyads", "classes", "daily"):
        found.__dict__.pop(name, None)
    for one, other in zip(told(found), at_once, strict=True):
        assert one.drop("sd", strict=False).equals(other.drop("sd", strict=False))
        if "sd" in one.columns:  # summed otherwise where a unit stands alone
            np.testing.assert_allclose(one["sd"].to_numpy(), other["sd"].to_numpy(), rtol=1e-13)
    draw, day, unit, acts = counts.acts_of(found.ahead, units)
    assert np.array_equal(np.stack([draw, day, unit]), np.nonzero(dense)) and np.array_equal(acts, dense[dense > 0])


@pytest.mark.parametrize("cells", [1, 150, 10**6])
def test_ends_over_draws_that_hold_acts_are_those_over_all_draws(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of most dyads of a large system nearly all draws hold no act, and only the others are looked at."""
    monkeypatch.setattr(counts, "CELLS", cells)
    rng = np.random.default_rng(8)
    shares = (0.0, 0.05, 0.35, 0.5, 0.951, 1.0)
    units = counts.Units(np.array([0, 2, 2, -1, 3, 1, 4]), tuple((str(k),) for k in range(5)), ("dyad",))
    for draws in (1, 7, 40):
        # Unit 4 never comes, unit 2 in nearly all draws.
        channel = rng.choice(6, 3 * draws, p=[0.1, 0.4, 0.3, 0.1, 0.05, 0.05])
        day = rng.integers(0, 4, len(channel))
        ahead = counts.ActsAhead(draws, 4, rng.integers(0, draws, len(channel)), day, channel)
        dense, found, held = counts.daily(ahead, units), np.zeros((len(shares), 5, 4)), 0
        for part in counts.blocks(ahead, units):
            found[:, part.unit] = part.ends(part.acts, shares)
            for u, acts, of in zip(part.unit.tolist(), part.acts, part.draw, strict=True):
                assert np.array_equal(acts[:, of >= 0], dense[of[of >= 0], :, u].T) and not acts[:, of < 0].any()
                held += acts.sum()
        assert held == dense.sum()
        assert np.array_equal(found, np.quantile(dense, shares, axis=0, method="inverted_cdf").transpose(0, 2, 1))


def test_a_fan_of_the_busiest_is_the_beginning_of_that_of_all(past: pk.EventTable) -> None:
    found = pk.forecast(quarrel.scenario(), past, days=9, draws=60)
    every, some = found.fan(before=20), found.fan(before=20, most=2)
    assert len(found.units()) > 2 and some.equals(every.head(2 * 29))
    ahead, units = found.counts(), found.units()
    busiest = int(np.argmax(ahead.sum(axis=(0, 1))))
    assert every["name"][0] == " → ".join(units.keys[busiest])
    seen_before = np.zeros((6, len(units)))
    for day, unit in zip(found.seen.day - found.seen.n_days + 6, units.of_channel[found.seen.channel], strict=True):
        if day >= 0:
            seen_before[day, unit] += 1
    ends = week_ends(seen_before, ahead, found.level)[:, :, busiest]
    assert np.array_equal(some[20:29].select(ENDS).to_numpy().T, ends)
    assert some["seen"][:20].null_count() == 0 and some["low"][:20].null_count() == 20


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda f: f.fan(most=-1), r"most: -1\n +expected a whole number from 0 on"),  # all dyads but the last
        (lambda f: f.fan(most="six"), r"most: 'six'"),
        (lambda f: f.fan(before=-5), r"before: -5"),
        (lambda f: f.why("nort"), r"source: unknown actor 'nort'(.|\n)*nearest: 'north'"),
        (lambda f: f.why(target="nobody"), r"target: unknown actor 'nobody'"),  # nothing, as of one who is quiet
    ],
)
def test_what_a_forecast_cannot_be_asked_is_told(
    asked: Callable[[Forecast], object], told: str, past: pk.EventTable
) -> None:
    found = pk.forecast(quarrel.scenario(), past, days=2, draws=2)
    with pytest.raises(pk.UsageError, match=told):
        asked(found)


def test_rates_of_a_draw_are_levels_shares_weekdays_and_luck(past: pk.EventTable) -> None:
    drawer = pk.forecast(quarrel.scenario(), past, days=16, draws=2).drawer
    made: Paths = drawer._paths(drawer.model.system, drawer.point, 3, np.random.default_rng(1))
    levels, known = made.levels, np.flatnonzero(made.group >= 0)
    assert levels is not None
    level = levels.mean * levels.factor[1][np.arange(16) // 7][:, levels.unit]
    own = level[:, made.group[known]] * made.share[known] * made.times[1][:, made.pair[known]]
    rate = made.rate(1)
    assert np.array_equal(rate[:, known], own)
    assert np.array_equal(rate[:, made.n_acts :], np.tile(made.fixed[:, made.n_acts :], (16, 1)))
    room = np.full_like(rate, np.nan)
    assert made.rate(1, room) is room and np.array_equal(room, rate)


def many() -> tuple[pk.Model, pk.EventTable]:
    """Twelve actors, 132 dyads, of which a third ever act; one of several groups in each block."""
    model = pk.compile(pk.loads(scale_systems.text(12, 0.002)))
    multiple = np.where(np.arange(model.n_acts) % 3 == 0, 2.0, 0.0)
    return model, scale_systems.by_day(scale_systems.history(model, multiple, 500.0, 3))


@pytest.mark.parametrize("cells", [500 * 60, 500 * 7, 1])
def test_levels_filtered_in_blocks_are_those_filtered_at_once(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the last digits, in which libraries of sums differ by the shape of what they sum."""
    model, events = many()
    whole = pk.forecast(model, events, days=5, draws=40, seed=2).drawer.point
    monkeypatch.setattr(days_before, "CELLS", cells)
    found = pk.forecast(model, events, days=5, draws=40, seed=2)
    for name in ("share", "shape", "exposure", "slow", "busy"):
        np.testing.assert_allclose(getattr(found.drawer.point, name), getattr(whole, name), rtol=1e-11, err_msg=name)


def test_where_there_are_many_channels_ways_are_tried_on_those_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    model, events = many()
    whole = pk.forecast(model, events, days=5, draws=60, seed=2)
    assert whole.drawer.chosen.alone is None
    monkeypatch.setattr(choice, "MOST_STEPS", 1000)
    found = pk.forecast(model, events, days=5, draws=60, seed=2)
    chosen = found.drawer.chosen
    came = np.unique(found.seen.channel)
    assert chosen.alone == len(came) < model.n_acts
    assert any(f"tried on the {len(came):,} kinds of act that came" in note for note in found.notes)
    # From one origin in so many, the last among them, once round; doubts rest on fewer windows.
    every = whole.drawer.chosen.scores.shape[1] // choice.FEWEST_ORIGINS
    assert every > 1 and chosen.scores.shape[1] == -(-whole.drawer.chosen.scores.shape[1] // every)
    assert chosen.block == choice.BLOCK // every < whole.drawer.chosen.block
    assert chosen.freedom[0] == chosen.scores.shape[1] - choice.CHOSEN < whole.drawer.chosen.freedom[0]
    doubt = chosen.doubts[0]
    assert doubt.shape == whole.drawer.chosen.doubts[0].shape
    silent = np.setdiff1d(np.arange(model.n_acts), came)
    unit = choice.units(found.drawer.groups)
    assert len(np.unique(doubt[unit[silent]], axis=0)) == 1  # of all alike, for nothing is known of them
    assert len(found.drawer.point.level) == len(whole.drawer.point.level)  # levels are those of all channels


def test_origins_are_left_out_only_where_a_way_would_take_long() -> None:
    most = choice.MOST_STEPS
    assert [choice.thinned(cost, 100) for cost in (most // 100, most // 50, most)] == [
        1,
        2,
        100 // choice.FEWEST_ORIGINS,
    ]
    assert choice.apart(100, 7) == (100.0, 700 / 30)
    assert choice.apart(25, 28) == (25.0, 700 / 30) and choice.apart(20, 35) == (20.0, 20.0)


def test_rates_made_draw_by_draw_are_at_most_the_highest(past: pk.EventTable) -> None:
    drawer = pk.forecast(quarrel.scenario(), past, days=16, draws=2).drawer
    made: Paths = drawer._paths(drawer.model.system, drawer.point, 9, np.random.default_rng(1))
    rates = np.array([made.rate(r) for r in range(9)])
    highest, total = made.highest()
    assert np.array_equal(rates.max(axis=0), highest) and total == pytest.approx(rates.sum())
    # A level has one factor a week.
    assert made.levels is not None and made.levels.factor.shape[1] == 3


def test_roots_are_those_of_a_walk_from_act_to_act() -> None:
    rng = np.random.default_rng(4)
    row = rng.integers(-1, 50, 30)
    for n in (0, 1, 200):
        parent = np.array([rng.integers(-31, i) for i in range(n)], np.int32)
        slow = []
        for i in range(n):
            while parent[i] >= 0:
                i = parent[i]
            slow.append(-1 if parent[i] == -1 else row[-2 - parent[i]])
        assert roots_of(parent, row).tolist() == slow


def test_memory_takes_workers_away_and_refuses_before_anything_is_built(
    past: pk.EventTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pk.compile(quarrel.scenario())
    need = room.taken(model, seen(model, past), 10, 60, 1, 40)
    two, one = int(need.whole(2)) + 1, int(need.whole(1)) + 1
    assert one < two
    plain = pk.forecast(model, past, days=10, draws=60, workers=2, memory=two)
    with pytest.warns(pk.PowderkegWarning, match="with 2 workers; into .* fit 1, which take longer"):
        less = pk.forecast(model, past, days=10, draws=60, workers=2, memory=one)
    assert less.as_dict() == plain.as_dict() and less.drawn.runs.digest() == plain.drawn.runs.digest()

    def built(*given: object, **options: object) -> None:
        raise AssertionError("something was built")

    monkeypatch.setattr("powderkeg.forecast.forecasting.Draughtsman", built)
    with pytest.raises(OverMemory, match=r"would not fit into .*as asked for.*nothing was made"):
        pk.forecast(model, past, days=10, draws=60, memory=one // 2)
    with pytest.raises(OverMemory, match=r"about [\d,]+ draws would fit"):
        pk.forecast(model, past, days=20, draws=1_000_000, memory="600MB")
    with pytest.raises(pk.UsageError, match="an amount such as 4GB"):
        pk.forecast(model, past, days=10, draws=60, memory="much")


def test_a_backtest_whose_tables_do_not_fit_is_refused(past: pk.EventTable) -> None:
    from powderkeg.forecast.backtest import backtest

    with pytest.raises(OverMemory, match="are scored in one table"):
        backtest(quarrel.scenario(), past, origins=2, horizons=(7,), draws=1000, memory="100kB")
    with pytest.raises(OverMemory, match=": shorter horizons or more memory would do"):  # and not "about 0 draws would"
        backtest(quarrel.scenario(), past, origins=2, horizons=(7,), draws=1000, memory="100 B")


@pytest.mark.nightly
def test_two_hundred_actors_are_foretold_in_two_gigabytes() -> None:
    model = pk.compile(pk.loads(scale_systems.text(200, 6.5e-5)))
    multiple = np.random.default_rng(1).standard_gamma(0.03, model.n_acts) / 0.03
    events = scale_systems.by_day(scale_systems.history(model, multiple, 1096.0, 1))
    found = pk.forecast(model, events, days=30, draws=200, memory="2GB")
    assert found.as_dict()["classes"]
    resource = pytest.importorskip("resource", reason="Windows does not tell the peak so")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 * 2**20  # kB
    assert isinstance(found.classes, pl.DataFrame)
