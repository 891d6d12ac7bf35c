"""Covariates: what changes on known days, in gates and backgrounds, simulated, fitted, switched and forecast."""

from __future__ import annotations

import warnings
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import command_line

import powderkeg as pk
from powderkeg.compare.interventions import choose, intervene
from powderkeg.errors import ModelError, ScenarioError, UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit.checks.expected import expected_acts
from powderkeg.scenario.covariates import course

SCENARIO = """
powderkeg: 1
name: weathered
start: 2018-01-01
years: 4
actors: {north: {}, south: {}, east: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
covariates:
  sanctions: {values: {2018-07-01: 1, 2019-03-01: 2, 2019-09-01: 0.5}}
  election:
    spans:
    - {from: 2018-03-01, to: 2018-06-30, who: north}
    - {from: 2019-03-01, to: 2019-06-30, who: south}
    - {from: 2020-03-01, to: 2020-06-30}
    - {from: 2020-03-01, to: 2020-06-30, who: south, towards: north, value: 0}
moves:
  threats: {who: [north, south], does: threaten, to: [north, south, east], rate: 0.2 per day}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.3, half_life: 2 days}
gates:
  hurt: {with: sanctions, background: [threats], factor: 1.6}
  campaigns: {with: election, moves: [threats], factor: 0.4}
interventions:
  lifted: {at: 500 days, set: {covariates.sanctions.values.2019-03-01: 0}}
"""
DAYS = 1400.0


@cache
def history(days: float = DAYS, replicates: int = 1, seed: int = 1) -> pk.Runs:
    return pk.simulate(pk.compile(pk.loads(SCENARIO)), days=days, replicates=replicates, seed=seed)


def record(resolution: str = "exact", seed: int = 3, days: float = DAYS) -> EventTable:
    runs = history(seed=seed, days=days)
    table = runs.table()
    time = runs.time if resolution == "exact" else np.floor(runs.time)
    return EventTable(table.frame.with_columns(pl.Series("time", time)), date(2018, 1, 1), days, resolution)


def test_a_course_is_of_the_pair_before_the_actor_before_all() -> None:
    one = pk.loads(SCENARIO).covariates["election"]
    start = date(2018, 1, 1)
    assert course(one, start, "north", "east") == [(0, 0), (59, 1), (181, 0), (790, 1), (912, 0)]
    assert course(one, start, "south", "east") == [(0, 0), (424, 1), (546, 0), (790, 1), (912, 0)]
    assert course(one, start, "south", "north") == [(0, 0), (424, 1), (546, 0)]


def test_simulated_rates_follow_the_course() -> None:
    """Means within 5 standard errors of the closed form without edges; a course not followed is far outside."""
    runs = history(replicates=200, seed=2)
    day = np.floor(runs.time)
    east = runs.channel == [str(c) for c in runs.model.channels].index("north threaten east")
    for first, last, rate in ((0, 59, 0.2), (59, 181, 0.08), (181, 424, 0.32), (424, 608, 0.512), (608, 790, 0.253)):
        many = (east & (day >= first) & (day < last)).sum()
        expected = 200 * (last - first) * rate
        assert many == pytest.approx(expected, abs=5 * np.sqrt(expected))
        assert abs(many - 200 * (last - first) * 0.29) > 5 * np.sqrt(expected)


@pytest.mark.parametrize("resolution", ["exact", "day"])
def test_factors_of_covariates_are_found_again(resolution: str) -> None:
    """False alarm 4e-3: four 99.9 % intervals; expected acts add up to those seen, span by span."""
    fit = pk.fit(pk.loads(SCENARIO), record(resolution), background="constant", level=0.999)
    for path, truth in (("gates.hurt.factor", 1.6), ("gates.campaigns.factor", 0.4)):
        found = fit.parameters[path]
        assert found.low is not None and found.high is not None
        assert found.low < truth < found.high and found.high < 2.2 * found.low
    expected = expected_acts(fit.climber, fit.solution.vector, np.arange(4), 4)
    seen = np.bincount(history(seed=3).channel, minlength=4)
    assert expected.by_class.sum() == pytest.approx(float(seen.sum()), rel=2e-3)
    assert fit.model.system.level_factor.max() == pytest.approx(fit.parameters["gates.hurt.factor"].estimate ** 2)


def test_a_covariate_left_out_loses_likelihood_and_spoils_the_rate() -> None:
    scenario = pk.loads(SCENARIO)
    held = pk.edit(scenario, {"gates.hurt.factor": 1, "gates.campaigns.factor": 1})
    right = pk.fit(scenario, record(), background="constant", fix=["mechanisms.*.half_life"])
    wrong = pk.fit(held, record(), background="constant", fix=["mechanisms.*.half_life", "gates"])
    assert right.log_likelihood - wrong.log_likelihood > 30
    rates = [fit.parameters["moves.threats.rate"].estimate for fit in (right, wrong)]
    assert rates[0] == pytest.approx(0.2, abs=0.03) and rates[1] > 0.25


def test_an_intervention_switches_a_covariate_and_leaves_what_came_before() -> None:
    scenario = pk.loads(SCENARIO)
    found = pk.compare(scenario, interventions=["lifted"], replicates=50, years=3, seed=1)
    assert found is not None
    model = pk.compile(scenario)
    world = intervene(model, choose(scenario, ["lifted"])[0], 1095.0)
    with_it = pk.simulate(model, days=1095.0, replicates=50, seed=1, world=world)
    without = pk.simulate(model, days=1095.0, replicates=50, seed=1)
    for one, other in ((with_it, without),):
        early_one, early_other = one.time < 500.0, other.time < 500.0
        np.testing.assert_array_equal(one.time[early_one], other.time[early_other])
    between = [((runs.time >= 500.0) & (runs.time < 608.0)).sum() for runs in (with_it, without)]
    assert between[0] < 0.6 * between[1]
    after = [(runs.time >= 640.0).sum() for runs in (with_it, without)]
    assert after[0] == pytest.approx(after[1], rel=0.03)


LIFTED = """
powderkeg: 1
name: lifted
start: 2018-01-01
years: 2
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, heat: 1, cameo: "138"}, meet: {tone: cooperative, cameo: "036"}}
covariates:
  sanctions: {values: {2018-07-01: 1}}
moves:
  threats: {who: [north, south], does: threaten, to: [north, south], rate: 0.5 per day}
  meetings: {who: north, does: meet, to: south, rate: 0.1 per day}
gates:
  hurt: {with: sanctions, moves: [threats], factor: 0.05}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.3, half_life: 2 days}
outcomes:
  threats: {count: {does: threaten}}
interventions:
  free: {at: 365 days, set: {covariates.sanctions.values.2018-07-01: 0}}
  now: {set: {covariates.sanctions.values.2018-07-01: 0}}
"""


def test_an_intervention_after_which_a_covariate_never_turns_again_takes_it_back() -> None:
    """The edited covariate has one value for ever, so no turn says what it comes to when the edit begins."""
    model = pk.compile(pk.loads(LIFTED))
    world = intervene(model, choose(model.scenario, ["free"])[0], 730.0)  # type: ignore[arg-type]
    runs = pk.simulate(model, days=730.0, replicates=40, seed=1, world=world)
    acts = runs.channel < 2
    a_day = np.histogram(runs.time[acts], [0.0, 181.0, 365.0, 730.0])[0] / 40 / np.array([181.0, 184.0, 365.0])
    assert a_day[2] == pytest.approx(a_day[0], rel=0.05) and a_day[1] < 0.1 * a_day[0]


def test_a_forecast_of_an_intervention_takes_a_covariate_back() -> None:
    model = pk.compile(pk.loads(LIFTED))
    table = pk.simulate(model, days=365.0, replicates=1, seed=2).table()
    seen = EventTable(table.frame, date(2018, 1, 1), 365.0)
    ahead = pk.forecast(model, seen, days=20, draws=100, background="scenario", interventions=["now"])
    row = ahead.changes.filter(pl.col("name") == "threats: how often").to_dicts()[0]
    assert row["with"] > 5.0 * row["without"]


@pytest.mark.parametrize("resolution", ["exact", "day"])
def test_a_replay_knows_the_course(resolution: str) -> None:
    """Threats under sanctions stay when meetings are left out, which nobody answers. A replay that took the covariate
    for a change of the other world lost 19 in 20."""
    scenario = pk.loads(LIFTED)
    table = pk.simulate(pk.compile(scenario), years=2, replicates=1, seed=4).table()
    frame = table.frame.with_columns(pl.col("time").floor()) if resolution == "day" else table.frame
    events = EventTable(frame.select("time", "source", "act", "target"), table.start, table.days, resolution)
    found = pk.replay(scenario, events, "acts.meet", since=date(2019, 1, 1), replicates=40, imputations=4, seed=1)
    threats = found.acts.filter(pl.col("act") == "threaten")
    assert threats["stays"].min() == 1.0 and found.outcomes[0].value == found.outcomes[0].observed
    freed = pk.replay(scenario, events, "free", since=date(2019, 1, 1), replicates=40, imputations=4, seed=1)
    late = found.acts["time"].to_numpy() >= 365.0
    assert freed.acts["stays"].to_numpy()[late].min() == 1.0
    new = freed.outcomes[0]
    assert new.value is not None and new.observed is not None and new.value > 5.0 * new.observed
    (forward,) = (one for one in freed.forward if one.name == "threats")
    assert forward.value == pytest.approx(new.value, rel=0.1) and forward.baseline < 0.15 * forward.value


def test_a_covariate_that_ends_before_the_window_is_said_with_the_remedy() -> None:
    ends = SCENARIO.replace("2019-09-01: 0.5}}", "2019-09-01: 0.5}, known_until: 2019-12-31}")
    scenario = pk.loads(ends)
    assert len(pk.simulate(pk.compile(scenario), days=730.0, replicates=1).time)
    with pytest.raises(UsageError, match=r"2019-12-31, but the run goes on until 2021-10-31[^;]*; or `after`"):
        pk.simulate(pk.compile(scenario), days=DAYS)
    with pytest.raises(UsageError, match="the window goes on until"):
        pk.fit(scenario, record())
    told = pk.loads(ends.replace("known_until: 2019-12-31", "known_until: 2019-12-31, after: 0"))
    assert pk.compile(told).system.turn_time.max() == 912.0
    assert 730.0 in pk.compile(told).system.turn_time


def test_a_forecast_knows_the_days_ahead() -> None:
    """At the origin, day 400, the election of south begins in 24 days: its threats are at 0.4 of what they were."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ahead = pk.forecast(
            pk.loads(SCENARIO), record(seed=5), origin="2019-02-05", days=60, draws=2000, background="scenario",
            spread=False, weekdays=False, seed=2,
        )  # fmt: skip
    runs = ahead.worlds[next(iter(ahead.worlds))].runs
    south = runs.channel == [str(c) for c in runs.model.channels].index("south threaten east")
    day = np.floor(runs.time - runs.begin)
    before, during = (south & (day < 24)).sum() / 24, (south & (day >= 25)).sum() / 35
    assert before / 2000 == pytest.approx(0.32, rel=0.06)
    assert during / 2000 == pytest.approx(0.4 * 0.512, rel=0.06)


def test_covariates_beyond_bounds_are_said() -> None:
    with pytest.raises(ScenarioError, match="unknown covariate 'sanctons'"):
        pk.loads(SCENARIO.replace("with: sanctions", "with: sanctons"))
    ties = "ties: {rivals: {kind: rivalry, from: north, to: south}}\nmoves:\n"
    both = SCENARIO.replace("{with: sanctions", "{while: rivals, with: sanctions").replace("moves:\n", ties, 1)
    with pytest.raises(ScenarioError, match="both while and with"):
        pk.loads(both)
    many = ", ".join(f"20{k // 12 + 10}-{k % 12 + 1:02d}-01: {k}" for k in range(70))
    crowded = SCENARIO.replace("2018-07-01: 1, 2019-03-01: 2, 2019-09-01: 0.5", many)
    with pytest.raises(ModelError, match="70 different values"):
        pk.compile(pk.loads(crowded[: crowded.index("interventions:")]))


# ---------------------------------------------------------------- from a table


TABLE = """name,date,value,who,towards
sanctions,2019-03-01,2,,
sanctions,2018-07-01,1,,
sanctions,2019-09-01,0.5,,
election,2018-03-01/2018-06-30,,north,
election,2019-03-01/2019-06-30,1,south,
election,2020-03-01/2020-06-30,1,,
election,2020-03-01/2020-06-30,0,south,north
"""


def test_values_from_a_table_are_those_of_the_file(tmp_path: Path) -> None:
    table = tmp_path / "weather.csv"
    table.write_text(TABLE, encoding="utf-8")
    bare = pk.loads(SCENARIO)
    found = pk.with_covariates(bare, table)
    assert found.covariates == bare.covariates
    rows = [
        {"name": "election", "date": f"2018-0{month}-01", "value": month % 2, "who": "north"} for month in (3, 4, 5)
    ]
    changing = pk.with_covariates(bare, rows).covariates
    assert changing["sanctions"] == bare.covariates["sanctions"]
    assert [float(v) for _, v in course(changing["election"], date(2018, 1, 1), "north", "south")] == [0, 1, 0, 1]
    assert course(changing["election"], date(2018, 1, 1), "south", "north") == [(0.0, 0.0)]


def test_a_table_with_faults_names_the_line_of_each(tmp_path: Path) -> None:
    table = tmp_path / "weather.csv"
    table.write_text(
        "name,date,value,who\nsanktions,2018-07-01,1,\nsanctions,July,1,\nsanctions,2018-09-01,much,nort\n"
        "sanctions,2018-10-01,1,\nsanctions,2018-10-01,2,\nelection,2018-10-02/2018-10-01,2,\n"
    )  # fmt: skip
    with pytest.raises(UsageError) as caught:
        pk.with_covariates(pk.loads(SCENARIO), table)
    assert [fault.line for fault in caught.value.faults] == [2, 3, 4, 4, 7, 6]
    assert caught.value.faults[0].nearest == "sanctions"
    table.write_text("name,day\nsanctions,2018-07-01\n")
    with pytest.raises(UsageError, match="an unknown column"):
        pk.with_covariates(pk.loads(SCENARIO), table)


def test_a_table_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    """Without the system's number, and the path once."""
    with pytest.raises(UsageError) as told:
        pk.with_covariates("north-kosovo", tmp_path / "none.csv")
    assert told.value.faults[0].found == "a file that cannot be read: No such file or directory"


def test_a_fit_reads_covariates_from_a_table_and_writes_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events, table, out = tmp_path / "events.csv", tmp_path / "weather.csv", tmp_path / "fitted.yaml"
    scenario = tmp_path / "weathered.yaml"
    scenario.write_text(SCENARIO.replace("2019-03-01: 2,", "2019-03-01: 0,"), encoding="utf-8")
    table.write_text(TABLE, encoding="utf-8")
    first = date(2018, 1, 1)
    record().frame.with_columns(
        date=pl.lit(first) + pl.duration(days=pl.col("time").floor().cast(pl.Int64))
    ).select("date", "source", "act", "target").write_csv(events)  # fmt: skip
    words = ["fit", scenario, events, "--covariates", table, "--out", out, "--no-checks", "--background", "constant"]
    assert command_line(capfd)(*map(str, words)).code == 0
    fitted = pk.load(out)
    assert fitted.covariates == pk.loads(SCENARIO).covariates
    low, high = fitted.gates["hurt"].factor.low, fitted.gates["hurt"].factor.high
    assert low is not None and high is not None and low < 1.6 < high
