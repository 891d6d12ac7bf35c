"""Forecasts: the law of what comes next, given what was seen; what carries it; what an act tomorrow changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import drifting_systems as drifting
import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest
from comes_about import COMES_ABOUT
from scipy import stats

import powderkeg as pk
from powderkeg.forecast.ahead import weekly_step
from powderkeg.forecast.backtest import backtest
from powderkeg.forecast.completed import order_last
from powderkeg.forecast.links import gates_at
from powderkeg.forecast.seen import seen

PLAIN = {"background": "scenario", "weekdays": False, "spread": False}
"""The scenario's own law: nothing of reporting, no drift."""


def totals(found: pk.forecast, by: str = "dyad", world: str | None = None) -> np.ndarray:  # type: ignore[valid-type]
    return found.counts(by, world).sum(axis=1).astype(float)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (2, 3))])
def test_what_comes_has_the_law_of_a_simulator_that_tracks_intensities(seed: int) -> None:
    """Counts of three kinds of act in ten days after a simulated past, with a fact that gates one of them.

    Chi-square of binned counts and z of means; false alarm 1e-5 each. A past of half the answers is refused below.
    """
    past = quarrel.simulated(60.0, seed)
    found = pk.forecast(quarrel.scenario(), past, days=10, draws=4000, seed=seed, **PLAIN)
    expected = quarrel.ahead(past, 10.0, 2000, seed + 10)
    assert _differ(totals(found), expected) > 1e-5


def test_a_past_that_is_forgotten_is_refused() -> None:
    """The same without what the last days set off."""
    past = quarrel.simulated(60.0, 1)
    early = replace(past, frame=past.frame.filter(pl.col("time") < past.days - 6.0))
    found = pk.forecast(quarrel.scenario(), early, days=10, draws=4000, seed=1, **PLAIN)
    assert _differ(totals(found), quarrel.ahead(past, 10.0, 2000, 11)) < 1e-5


def _differ(some: np.ndarray, others: np.ndarray) -> float:
    """Smallest p of two samples of counts, over the columns: means by z, laws by chi-square."""
    least = 1.0
    for one, other in zip(some.T, others.T, strict=True):
        z = (one.mean() - other.mean()) / np.sqrt(one.var() / len(one) + other.var() / len(other) + 1e-12)
        top = int(np.quantile(other, 0.98)) + 1
        table = [np.bincount(np.minimum(x, top).astype(int), minlength=top + 1) for x in (one, other)]
        kept = np.array(table)[:, np.sum(table, axis=0) >= 10]
        least = min(least, 2 * stats.norm.sf(abs(z)), stats.chi2_contingency(kept).pvalue)
    return float(least)


def test_with_hours_drawn_day_stamps_give_the_means_of_exact_times() -> None:
    """Twelve pasts, one day ahead; midnight for every stamp puts the answers to come too low.

    The mean over the pasts is held to 3 standard errors; midnight misses it by more.
    """
    difference, midnight = [], []
    for seed in range(12):
        past = quarrel.simulated(80.0, 100 + seed)
        exact = totals(pk.forecast(quarrel.scenario(), past, days=1, draws=3000, seed=seed, **PLAIN)).sum(axis=1)
        stamped = quarrel.by_day(past)
        drawn = totals(pk.forecast(quarrel.scenario(), stamped, days=1, draws=3000, seed=seed, **PLAIN)).sum(axis=1)
        early = totals(
            pk.forecast(
                quarrel.scenario(), replace(stamped, resolution="exact"), days=1, draws=3000, seed=seed, **PLAIN
            )
        ).sum(axis=1)
        difference.append(drawn.mean() - exact.mean())
        midnight.append(early.mean() - exact.mean())
    error = np.std(difference, ddof=1) / np.sqrt(12)
    assert abs(np.mean(difference)) < 3 * error
    assert np.mean(midnight) < -3 * np.std(midnight, ddof=1) / np.sqrt(12)


def test_hours_of_the_last_day_follow_the_model() -> None:
    """A block and its answer on one day: the likelier order is block first, by the ratio that the model gives."""
    model = pk.compile(quarrel.scenario())
    table = quarrel.record([9.0, 9.0], [0, 1], 10.0, "day")
    watched = seen(model, table)
    gates = gates_at(model.system, model.system.initial_level[None])[-1]
    rng = np.random.default_rng(1)
    after = []
    for _ in range(1500):
        time = order_last(watched, watched.time + rng.random(2), model.system, model.system.rate, gates, rng)
        after.append(time[1] > time[0])
    # By quadrature: density of the two hours, the exposure of what either sets off until the end of the day included.
    u = (np.arange(400) + 0.5) / 400
    first, second = np.meshgrid(u, u, indexing="ij")
    b, a = np.log(2) / 2.0, np.log(2) / 4.0
    gap = second - first
    lik = np.where(gap > 0, 0.1 + 0.6 * b * np.exp(-b * np.maximum(gap, 0)), 0.1)
    lik *= np.where(gap < 0, 0.2 + 0.5 * a * np.exp(-a * np.maximum(-gap, 0)), 0.2)
    lik *= np.exp(-0.6 * (1 - np.exp(-b * (1 - first))) - 0.4 * (1 - np.exp(-np.log(2) * (1 - first))))
    lik *= np.exp(-0.5 * (1 - np.exp(-a * (1 - second))))
    expected = lik[gap > 0].sum() / lik.sum()
    assert abs(np.mean(after) - expected) < 4 * np.sqrt(expected * (1 - expected) / 1500)
    assert expected > 0.55


def test_the_same_seed_gives_the_same_draws_whatever_the_workers() -> None:
    past = quarrel.by_day(quarrel.simulated(200.0, 5))
    one, other = (pk.forecast(quarrel.scenario(), past, days=14, draws=200, seed=4, workers=w) for w in (1, 2))
    assert one.drawn.runs.digest() == other.drawn.runs.digest()
    assert one.as_dict() == other.as_dict()
    assert pk.forecast(quarrel.scenario(), past, days=14, draws=200, seed=5).drawn.runs.digest() != (
        one.drawn.runs.digest()
    )


def test_nothing_from_the_origin_on_is_looked_at() -> None:
    whole = quarrel.by_day(quarrel.simulated(200.0, 6))
    origin = whole.start + timedelta(days=150)
    cut = whole.between(None, origin - timedelta(days=1))
    from_whole = pk.forecast(quarrel.scenario(), whole, days=10, draws=100, origin=origin)
    assert (
        from_whole.drawn.runs.digest() == pk.forecast(quarrel.scenario(), cut, days=10, draws=100).drawn.runs.digest()
    )
    assert from_whole.origin == origin


def test_an_intervention_leaves_alone_what_it_does_not_touch() -> None:
    past = quarrel.by_day(quarrel.simulated(200.0, 7))
    asked = ["no_retaliation", "nothing", "guard calm north"]
    found = pk.forecast(quarrel.scenario(), past, days=20, draws=400, interventions=asked)
    assert found.worlds["nothing"].runs.digest() == found.drawn.runs.digest()
    changes = {(row["intervention"], row["name"]): row for row in found.changes.to_dicts()}
    assert changes["no_retaliation", "south north"]["high"] < 0
    assert changes["guard calm north", "guard north"]["low"] > 0.5
    assert all(
        row["difference"] == row["low"] == row["high"] == 0.0 for key, row in changes.items() if key[0] == "nothing"
    )
    alone = pk.forecast(quarrel.scenario(), past, days=20, draws=400)
    assert alone.drawn.runs.digest() == found.drawn.runs.digest()


def test_why_names_acts_that_were_seen_and_their_shares_add_up() -> None:
    past = quarrel.by_day(quarrel.simulated(200.0, 8))
    found = pk.forecast(quarrel.scenario(), past, days=5, draws=2000)
    told = found.as_dict()["why"]
    assert 0.0 < told["from_acts_seen"] < 1.0
    acts = found.why()
    assert acts["share"].sum() <= told["from_acts_seen"] + 1e-9
    assert acts["day"].max() < found.origin
    known = set(past.frame.select("source", "act", "target").rows())
    assert set(acts.select("source", "act", "target").rows()) <= known
    # The last days carry most: half-lives are of days.
    assert acts["day"][0] >= found.origin - timedelta(days=10)


def test_the_level_at_the_origin_is_that_of_the_last_months_not_of_the_whole_record() -> None:
    """Rates ten times as high in the last 200 of 800 days: what is foretold follows them."""
    rng = np.random.default_rng(2)
    times = np.sort(np.concatenate([rng.uniform(0, 600, 60), rng.uniform(600, 800, 200)]))
    table = quarrel.record(np.floor(times).tolist(), [0] * len(times), 800.0, "day")
    found = pk.forecast(quarrel.scenario(), table, days=30, draws=1000, mechanisms=False)
    mean = float(found.dyads.filter(source="north", target="south")["mean"][0])
    assert 22.0 < mean < 40.0
    assert 3 <= float(found.dyads.filter(source="north")["q05"][0]) < mean - 5


def test_answers_that_the_days_before_do_not_bear_out_are_said_to_be_left_out() -> None:
    """A record without answers, forecast by a scenario with many: less of them is reckoned with, and a note says so."""
    rng = np.random.default_rng(5)
    times = np.sort(rng.uniform(0, 800, 500))
    table = quarrel.record(np.floor(times).tolist(), rng.integers(0, 3, len(times)).tolist(), 800.0, "day")
    found = pk.forecast(quarrel.scenario(), table, days=10, draws=50)
    share = found.as_dict()["background"]["answers"]
    assert share < 1.0
    assert any(f"{100 * share:.0f} % are reckoned with" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"days": 0}, "days: 0"),
        ({"draws": 0}, "draws: 0"),
        ({"origin": "2031-01-01"}, "but the events end on"),
        ({"origin": "2019-01-01"}, "but the events begin on"),
        ({"origin": "soon"}, "a day such as 2018-06-30"),
        ({"background": "lokal"}, "one of local, scenario"),
        ({"level": 1.0}, "a share between 0 and 1"),
        ({"interventions": ["no_retaliatoin"]}, "nearest: 'no_retaliation'"),
        ({"interventions": ["guard calms north"]}, "'guard calms north', which is neither"),
        ({"interventions": ["south-answer-north"]}, "nearest: 'south answer north'"),
        ({"interventions": ["no retaliation"]}, "nearest: 'no_retaliation'"),
        ({"interventions": ["block south north"]}, "nearest: 'north block south'"),
    ],
)
def test_what_cannot_be_foretold_is_said(options: dict[str, object], said: str) -> None:
    with pytest.raises(pk.UsageError, match=said):
        pk.forecast(quarrel.scenario(), quarrel.by_day(quarrel.simulated(100.0, 1)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("reporting", [("weekday", "batches"), ("weekday",)])
def test_a_fit_that_knows_of_reporting_is_gone_on_from(reporting: tuple[str, ...]) -> None:
    """What the source shows is no number of the scenario: it once stood in the way."""
    past = drifting.record(250, 3)
    made = pk.fit(quarrel.scenario(), past, reporting=reporting, background="constant", test_mechanisms=False)
    found = pk.forecast(made, days=7, draws=50)
    assert found.parameters == "drawn within the errors of a fit"
    assert found.counts().sum() > 0


def test_a_mechanism_that_is_left_out_sets_nothing_off() -> None:
    past = quarrel.by_day(quarrel.simulated(200.0, 8))
    found = pk.forecast(quarrel.scenario(), past, days=10, draws=300, absent=["retaliation"], **PLAIN)
    model = pk.compile(quarrel.scenario())
    set_off = {model.mechanisms[m] for m in np.unique(found.drawn.runs.mechanism) if m >= 0}
    assert set_off == {"insistence", "visits"}
    with pytest.raises(pk.UsageError, match="nearest: 'retaliation'"):
        pk.forecast(quarrel.scenario(), past, absent=["retaliatoin"])


def test_steps_from_week_to_week_bring_the_mean_of_a_month_to_its_variance() -> None:
    """By the moments of the mean of 30 days, for steps too large for a straight line."""
    week, month = np.array([0.1, 0.3, 0.3, 2.0, 0.5, 0.1]), np.array([0.4, 0.4, 4.0, 4.0, 0.2, 1e5])
    step = weekly_step(week, month)
    days = np.array([7, 7, 7, 7, 2]) / 30
    second = np.array([
        sum(days[j] * days[k] * (1 + s) ** min(j, k) for j in range(5) for k in range(5)) for s in step
    ])  # fmt: skip
    np.testing.assert_allclose((1 + week) * second - 1, np.maximum(month, week), rtol=1e-9)
    assert step[4] == 0.0


def test_sets_of_draws_differ_by_how_levels_move() -> None:
    """Which way would have foretold best is not known: sets take one that did with origins weighted anew by chance."""
    past = quarrel.by_day(quarrel.simulated(500.0, 8))
    found = pk.forecast(quarrel.scenario(), past, days=3, draws=40)
    chosen = found.drawer.chosen
    ways = {chosen.of_set(np.random.default_rng(k))[0] for k in range(40)}
    assert len(ways) > 3
    assert found.drawer.way[0] == chosen.drifts[0]
    assert (chosen.scores.mean(axis=1)[0] >= chosen.scores.mean(axis=1)).all()


@pytest.mark.parametrize(
    ("first", "origin"), [(-400, None), (-100, None), (-100, "2019-12-01")], ids=["long before", "across", "before"]
)
def test_events_that_end_before_the_scenario_starts_are_gone_on_from(first: int, origin: str | None) -> None:
    """The clock of a scenario is no bound of what may be foretold."""
    past = quarrel.by_day(quarrel.simulated(150.0, 4))
    early = replace(past, start=past.start + timedelta(days=first))
    found = pk.forecast(quarrel.scenario(), early, days=5, draws=40, origin=origin)
    assert found.origin == (early.start + timedelta(days=150) if origin is None else date.fromisoformat(origin))
    assert found.counts().sum() > 0


def test_an_exploding_model_is_stopped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powderkeg.forecast.drawing.LIMIT", 300)
    text = quarrel.TEXT.replace("answers: 0.6", "answers: 2.5").replace("answers: 0.5", "answers: 2.5")
    past = quarrel.by_day(quarrel.simulated(100.0, 1))
    with pytest.warns(pk.PowderkegWarning, match="stopped at their limit"):
        found = pk.forecast(pk.loads(text), past, days=60, draws=20, **PLAIN)
    assert 0.0 < found.exploded <= 1.0
    assert found.as_dict()["exploded"] == found.exploded


def test_a_gap_before_the_origin_is_said() -> None:
    past = quarrel.by_day(quarrel.simulated(300.0, 9))
    empty = replace(past, frame=past.frame.filter(pl.col("time") < 260))
    with pytest.warns(pk.PowderkegWarning, match="no act in the last 4"):
        found = pk.forecast(quarrel.scenario(), empty, days=5, draws=50)
    assert any("taken as silence" in sentence for sentence in found.warnings)
    full = pk.forecast(quarrel.scenario(), past, days=5, draws=50)
    assert full.warnings == ()
    assert full.origin == date(2020, 1, 1) + timedelta(days=300)


def test_when_a_fact_comes_about_is_foretold() -> None:
    """A fact that comes at 0.002 + 0.01 * 0.4 a day, and one that is so at the origin. False alarm 1e-4."""
    scenario = pk.loads(COMES_ABOUT)
    past = pk.simulate(scenario, days=100.0, replicates=1, seed=8).table()
    found = pk.forecast(scenario, past, days=50, draws=2000, seed=4, **PLAIN)
    rows = {row["name"]: row for row in found.outcomes.to_dicts()}
    runs = found.drawn.runs
    first = runs.level_first[:, runs.system.level_start[runs.model.fact("alert")] + 1] - runs.begin
    fresh = first > 0.0  # not so at the origin already
    assert 0.5 < fresh.mean() < 0.95
    chance = np.isfinite(first[fresh]).mean()
    expected = 1 - np.exp(-0.006 * 50)
    assert abs(chance - expected) < 3.9 * np.sqrt(expected * (1 - expected) / fresh.sum())
    assert rows["alerted"]["chance"] == rows["ever"]["chance"] == np.isfinite(first).mean()
    assert rows["truce"]["chance"] == 1.0 and rows["truce"]["mean"] == 50.0
    assert rows["truce"]["first_50"] == found.origin and rows["broken"]["first_50"] is None
    assert rows["alerted"]["mean"] == pytest.approx(runs.level_time[:, runs.system.level_start[0] + 1].mean())


def test_what_changes_about_a_fact_is_told_in_days() -> None:
    scenario = pk.loads(COMES_ABOUT)
    past = pk.simulate(scenario, days=100.0, replicates=1, seed=8).table()
    found = pk.forecast(scenario, past, days=50, draws=50, seed=4, interventions=("north block south",), **PLAIN)
    told = {row["name"]: row for row in found.changes.to_dicts()}
    assert told["alerted: on how many days"]["difference"] > 1.0 and told["alerted: chance"]["difference"] < 1.0
    assert {"new_standoff: how often", "ever: on how many days"} <= set(told) and "alerted: how often" not in told


def test_a_backtest_leaves_out_what_no_record_shows() -> None:
    scenario = pk.loads(COMES_ABOUT)
    past = pk.simulate(scenario, days=200.0, replicates=1, seed=8).table()
    found = backtest(scenario, past, origins=[past.start + timedelta(days=150)], horizons=(7,), draws=50, **PLAIN)
    assert set(found.outcomes["name"]) <= {"new_standoff"}


def test_a_title_ahead_says_nothing_of_a_year() -> None:
    """Counts ahead are of the days ahead; a title that says "a year" over them told another unit."""
    titles = {"plain": "Provocations a year", "comma": "Provocations, a year", "brackets": "Provocations (acts a year)",
              "alone": "Provocations (per year)", "within": "Provocations a year that north makes"}  # fmt: skip
    asked = "".join(f"  {name}: {{title: '{title}', count: {{does: block}}}}\n" for name, title in titles.items())
    made = pk.loads(quarrel.TEXT.replace("outcomes:\n", f"outcomes:\n{asked}"))
    found = pk.forecast(made, quarrel.by_day(quarrel.simulated(100.0, 1)), days=5, draws=20)
    told = dict(found.outcomes.select("name", "title").rows())
    assert [told[name] for name in titles] == [
        "Provocations", "Provocations", "Provocations (acts)", "Provocations", "Provocations that north makes"
    ]  # fmt: skip


def test_changes_are_told_as_people_say_them() -> None:
    """A chance in percent and its difference in points, beside how often, by title."""
    from powderkeg.forecast.interventions import change_in_words

    row = {
        "name": "war: chance",
        "title": "War",
        "without": 0.14,
        "with": 0.15,
        "difference": 0.01,
        "low": 0.001,
        "high": 0.02,
    }
    assert change_in_words(row) == {
        "what": "War: chance", "without": "14 %", "with": "15 %", "difference": "+1 points", "span": "+0.1 to +2",
    }  # fmt: skip
    told = change_in_words(row | {"name": "north south", "title": "acts of north towards south", "without": 2.0})
    assert told["what"] == "acts of north towards south" and told["without"] == "2" and told["difference"] == "+0.01"
