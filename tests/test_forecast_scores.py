"""Scores of draws: against values by hand and by brute force; a backtest; forecasts that were frozen."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest

import powderkeg as pk
import powderkeg.report.scored
from powderkeg.forecast import scores
from powderkeg.forecast.backtest import OURS, backtest, variants_of
from powderkeg.forecast.baselines import DaysAhead, PastCounts, baselines
from powderkeg.forecast.counts import observed, units_of
from powderkeg.forecast.frozen import freeze, is_frozen, read_frozen
from powderkeg.forecast.scoreboard import score_frozen
from powderkeg.forecast.views import write_views


def test_scores_are_those_that_a_hand_reckons() -> None:
    """Draws 0, 1, 1, 4 and what came 2: E|X - y| - E|X - X'| / 2 = (2 + 1 + 1 + 2) / 4 - (22 / 16) / 2."""
    draws, came = np.array([[0.0], [1.0], [1.0], [4.0]]), np.array([2.0])
    pairs = np.abs(draws - draws.T).sum() / 16
    assert scores.crps(draws, came)[0] == pytest.approx(1.5 - pairs / 2)
    above = np.maximum(draws, 2.0)
    by_hand = np.abs(above - 2.0).mean() - np.abs(above - above.T).sum() / 32
    assert scores.threshold_crps(draws, came, np.array([2.0]))[0] == pytest.approx(by_hand)
    # Bins of VIEWS: 0; 1 and 2; 3 to 5; ... Two of four draws stand in that of 2, and one more in each of eleven bins.
    assert scores.binned_ignorance(draws, came)[0] == pytest.approx(-np.log2(3 / 15))
    assert scores.interval_score(draws, np.array([5.0]))[0] == pytest.approx(4.0 + 2 / 0.05 * 1.0)
    assert scores.brier(np.array([0.7]), np.array([1.0]))[0] == pytest.approx(0.09)


@pytest.mark.nightly  # the package takes seconds to import
def test_scores_are_those_of_scoringrules() -> None:
    import scoringrules

    rng = np.random.default_rng(5)
    draws, came = rng.poisson(rng.gamma(0.5, 4.0, (300, 40))), rng.poisson(2.0, 40).astype(float)
    theirs = scoringrules.crps_ensemble(came, draws.T.astype(float), estimator="qd", backend="numpy")
    assert scores.crps(draws, came) == pytest.approx(theirs, abs=1e-12)
    above = np.full(40, 3.0)
    theirs = scoringrules.crps_ensemble(
        np.maximum(came, 3.0), np.maximum(draws, 3.0).T, estimator="qd", backend="numpy"
    )
    assert scores.threshold_crps(draws, came, above) == pytest.approx(theirs, abs=1e-12)
    ends = np.quantile(draws, [0.025, 0.975], axis=0, method="inverted_cdf").astype(float)
    theirs = scoringrules.interval_score(came, *ends, 0.05, backend="numpy")
    assert scores.interval_score(draws, came) == pytest.approx(theirs, abs=1e-12)


def test_the_log_score_sums_to_one_over_all_counts() -> None:
    """Of draws of any kind, those that never differ included: no count is impossible, none is counted twice."""
    rng = np.random.default_rng(1)
    for draws in (rng.poisson(3.0, (500, 1)), np.zeros((500, 1)), rng.poisson(rng.gamma(0.3, 20.0, (500, 1)))):
        wide = np.repeat(draws, 20_000, axis=1)
        total = np.exp(scores.log_score(wide[:, :20_000], np.arange(20_000.0))).sum()
        assert total == pytest.approx(1.0, abs=2e-3)


def test_the_log_score_of_many_draws_is_that_of_their_law() -> None:
    rng = np.random.default_rng(2)
    draws = rng.poisson(4.0, (20_000, 1))
    exact = -4.0 + 3 * np.log(4.0) - np.log(6.0)
    assert scores.log_score(draws, np.array([3.0]))[0] == pytest.approx(exact, abs=0.03)


def test_ranks_of_the_right_law_are_uniform_and_of_a_narrow_one_are_not() -> None:
    rng = np.random.default_rng(3)
    came = rng.poisson(3.0, 4000).astype(float)
    right = scores.pit(rng.poisson(3.0, (400, 4000)), came, rng)
    narrow = scores.pit(np.clip(rng.poisson(3.0, (400, 4000)), 2, 4), came, rng)
    got = [np.histogram(x, np.linspace(0, 1, 11))[0] / 4000 for x in (right, narrow)]
    assert np.abs(got[0] - 0.1).max() < 0.025
    assert np.abs(got[1] - 0.1).max() > 0.05


@pytest.mark.parametrize("name", list(baselines()))
def test_baselines_foretell_the_level_of_an_even_record(name: str) -> None:
    """Poisson days of 0.5 and 2 acts for two years, weekdays twice as dense: every law but `zero` is near the truth."""
    rng = np.random.default_rng(4)
    density = np.tile([1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5], 104)
    counts = rng.poisson(density[:, None] * np.array([0.5, 2.0])).astype(float)
    law, by_week = baselines()[name]
    foretell = law(PastCounts(counts, density if by_week else np.ones(728)))
    ahead = DaysAhead(density[:14] if by_week else np.ones(14))
    found = foretell(ahead, 3000, rng)
    assert found.shape == (3000, 2)
    expected = np.zeros(2) if name == "zero" else np.array([7.0, 28.0])
    if name.startswith("last value"):
        expected = counts[-14:].sum(axis=0)
    assert np.abs(found.mean(axis=0) - expected).max() <= 0.3 * expected.max()
    last = foretell(DaysAhead(ahead.density, 13), 3000, rng)
    assert last.mean() < 0.2 * max(found.mean(), 1e-9) or name == "zero"


@pytest.fixture(scope="module")
def record() -> pk.EventTable:
    return quarrel.by_day(quarrel.simulated(420.0, 11))


def test_a_backtest_has_a_row_for_each_model_horizon_and_metric(record: pk.EventTable) -> None:
    found = backtest(quarrel.scenario(), record, origins=4, horizons=(1, 7), draws=100, seed=3)
    table = found.scores()
    assert set(table.columns) == {"model", "horizon", "over", "metric", "value", "difference", "low", "high", "n",
                                  "best", "to_best", "to_best_low", "to_best_high"}  # fmt: skip
    ours = table.filter(pl.col("model") == OURS, pl.col("over") == "window")
    assert {
        "log_score",
        "crps",
        "binned_ignorance",
        "interval_score",
        "coverage_90",
        "crps_above",
        "outcome_brier",
    } <= set(ours["metric"])
    assert ours.filter(pl.col("metric") == "crps")["n"].to_list() == [12, 12]
    reference = table.filter(pl.col("model") == found.reference, pl.col("metric") == "crps")
    assert (reference["difference"] == 0).all()
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["horizons"] == [1, 7]
    # The best baseline is the best of all by its value, whichever way is better, and the difference is to it.
    for metric, better in (("crps", "min"), ("log_score", "max")):
        part = table.filter(pl.col("metric") == metric, pl.col("over") == "window", pl.col("horizon") == 7)
        others = part.filter(~pl.col("model").str.starts_with(OURS))
        best = getattr(others["value"], better)()
        assert part["to_best"].to_list() == pytest.approx((part["value"] - best).to_list())
        assert others.filter(pl.col("model") == others["best"][0])["value"][0] == best
        mine = part.filter(pl.col("model") == OURS)
        assert mine["to_best_low"][0] <= mine["to_best"][0] <= mine["to_best_high"][0]
    # One day ahead, a step is a window.
    one = table.filter(pl.col("horizon") == 1, pl.col("metric") == "crps", pl.col("model") == OURS)
    assert one["value"].n_unique() == 1
    assert all(record.start < day <= record.end - timedelta(days=6) for day in found.origins)


def test_ours_is_told_without_each_part_and_each_mechanism(record: pk.EventTable) -> None:
    model = pk.compile(quarrel.scenario())
    names = variants_of(model, record)
    assert {f"{OURS}, without {part}" for part in ("mechanisms", "luck of days", "retaliation", "visits")} < set(names)
    assert not any("late" in name for name in names)  # this record does not say when acts were entered
    asked = [f"{OURS}, without visits", f"{OURS}, without luck of days"]
    found = backtest(quarrel.scenario(), record, origins=2, horizons=(3,), draws=40, variants=asked)
    assert {cell.model for cell in found.cells} > {OURS, *asked}
    assert found.fans is not None
    assert found.fans["origin"].n_unique() == 3


def test_a_refit_sees_nothing_from_the_origin_on(record: pk.EventTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each origin has its own fit, of the acts before it; `first` has one."""
    seen = []

    def fit(scenario: pk.Scenario, known: pk.EventTable, **options: object) -> pk.Scenario:
        seen.append(known.end)
        return scenario

    monkeypatch.setattr("powderkeg.forecast.backtest.fit_model", fit)
    for refit, number in (("none", 0), ("first", 1), ("each", 3)):
        seen.clear()
        found = backtest(
            quarrel.scenario(), record, origins=3, horizons=(2,), draws=20, variants=(), refit=refit
        )  # fmt: skip
        assert seen == [day - timedelta(days=1) for day in found.origins][:number]


def test_acts_that_no_move_allows_are_counted_nowhere() -> None:
    """Index -1 is the last channel to NumPy: such acts once stood among those of the last dyad."""
    units = units_of(pk.compile(quarrel.scenario()))
    got = observed(np.array([0, 0, 1]), np.array([0, -1, -1]), 2, units)
    assert got.sum() == 1.0
    assert got[0, units.of_channel[0]] == 1.0


def test_origins_that_the_record_does_not_hold_are_said(record: pk.EventTable) -> None:
    for options, said in (
        ({"origins": 500}, "at most"),
        ({"origins": [record.end]}, "so that 90 days ahead are known"),
        ({"horizons": (0,)}, "whole numbers of days from 1 on"),
        ({"refit": "never"}, "one of none, first, each"),
        ({"variants": ["powderkeg, without luck"]}, "one of powderkeg, without mechanisms"),
    ):
        with pytest.raises(pk.UsageError, match=said):
            backtest(quarrel.scenario(), record, **options)  # type: ignore[arg-type]


def test_a_frozen_forecast_is_scored_when_its_days_have_come(record: pk.EventTable, tmp_path: Path) -> None:
    origin = record.start + timedelta(days=300)
    known = record.between(None, origin - timedelta(days=1))
    made = pk.forecast(quarrel.scenario(), known, days=10, draws=150)
    path = tmp_path / "frozen.json"
    path.write_bytes(freeze(made))
    assert is_frozen(path)
    assert not is_frozen(Path(__file__))
    one = read_frozen(path)
    assert (one.origin, one.days) == (origin, 10)
    assert np.array_equal(one.counts, made.counts("class"))
    with pytest.raises(pk.UsageError, match="its days have not come"):
        score_frozen([one], known)
    board = score_frozen([one], record, by="dyad")
    page = powderkeg.report.scored.page(board, "<a board>", made={"seed": 77, "command": "powderkeg score"})
    assert "<td>77</td>" in page and "<code>powderkeg score</code>" in page
    assert page.count("<td>77</td>") == 1 and "<a board>" not in page
    found = board.scores()
    assert found["low"].null_count() == found.height  # one origin tells nothing of chance
    live = backtest(
        quarrel.scenario(), record, origins=[origin], horizons=(10,), draws=150, seed=made.seed, variants=()
    ).scores()  # fmt: skip
    for metric in ("crps", "log_score"):
        pick = (pl.col("model") == OURS) & (pl.col("metric") == metric) & (pl.col("horizon") == 10)
        pick &= pl.col("over") == "window"
        assert found.filter(pick)["value"][0] == pytest.approx(live.filter(pick)["value"][0])


def test_a_frozen_file_changed_by_hand_and_strange_events_are_refused(record: pk.EventTable, tmp_path: Path) -> None:
    known = record.between(None, record.start + timedelta(days=299))
    content = freeze(pk.forecast(quarrel.scenario(), known, days=5, draws=20))
    path = tmp_path / "frozen.json"
    path.write_bytes(content)
    other = quarrel.by_day(quarrel.simulated(420.0, 12))
    thinned = pk.EventTable(other.frame[::2], other.start, other.days, other.resolution)
    with pytest.raises(pk.UsageError, match="others"):
        score_frozen([read_frozen(path)], thinned)
    for old, new, said in ((b'"draws":20', b'"draws":21', "has been changed"), (b"{", b"", "not JSON")):
        path.write_bytes(content.replace(old, new, 1))
        with pytest.raises(pk.UsageError, match=said):
            read_frozen(path)
    with pytest.raises(pk.UsageError, match="no such file"):
        read_frozen(tmp_path / "none.json")


def test_months_in_the_layout_of_views_hold_every_act(record: pk.EventTable, tmp_path: Path) -> None:
    """Rows by month, unit, draw in this order, whose header says how many draws: what their reader checks."""
    parquet = pytest.importorskip("pyarrow.parquet")
    found = pk.forecast(quarrel.scenario(), record, days=40, draws=25)
    write_views(found, tmp_path / "ahead.parquet")
    rows = pl.read_parquet(tmp_path / "ahead.parquet")
    header = json.loads(parquet.read_schema(tmp_path / "ahead.parquet").metadata[b"views_frames"])
    assert header["n_samples"] == 25
    value = rows["value"].to_numpy().reshape(-1, 25)
    assert np.array_equal(rows["sample"].to_numpy(), np.tile(np.arange(25), len(value)))
    time, unit = rows["time"].to_numpy().reshape(-1, 25), rows["unit"].to_numpy().reshape(-1, 25)
    assert (time == time[:, :1]).all()
    assert (unit == unit[:, :1]).all()
    assert value.sum() == found.counts().sum()
    first = value[(time[:, 0] == time.min()) & (unit[:, 0] == 0)][0]
    days = sum((found.origin + timedelta(days=d)).month == found.origin.month for d in range(40))
    assert np.array_equal(first, found.counts()[:, :days, 0].sum(axis=1))
    assert time.min() == (found.origin.year - 1980) * 12 + found.origin.month
    units = pl.read_csv(tmp_path / "ahead.units.csv")
    assert units.filter(pl.col("time") == time.min())["days"].unique().to_list() == [days]
