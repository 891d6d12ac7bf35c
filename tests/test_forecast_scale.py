"""Forecasts of many channels: blocks, narrowed trials, bounded memory; what is said is what it would be at once."""

from __future__ import annotations

import resource

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest
import scale_systems

import powderkeg as pk
from powderkeg.forecast import choice, counts, days_before, room
from powderkeg.forecast.ahead import Paths
from powderkeg.forecast.drawing import roots_of
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
    monkeypatch.setattr(counts, "CELLS", 50 * 12)  # one unit at a time
    made = [part for part, _ in counts.blocks(found.ahead, units)]
    assert [key for part in made for key in part.keys] == list(units.keys) and len(made) == len(units) > 1
    for name in ("dyads", "classes", "daily"):
        found.__dict__.pop(name, None)
    for one, other in zip(told(found), at_once, strict=True):
        assert one.drop("sd", strict=False).equals(other.drop("sd", strict=False))
        if "sd" in one.columns:  # summed otherwise where a unit stands alone
            np.testing.assert_allclose(one["sd"].to_numpy(), other["sd"].to_numpy(), rtol=1e-13)
    draw, day, unit, acts = counts.acts_of(found.ahead, units)
    assert np.array_equal(np.stack([draw, day, unit]), np.nonzero(dense)) and np.array_equal(acts, dense[dense > 0])


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
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 * 2**20  # kB
    assert isinstance(found.classes, pl.DataFrame)
