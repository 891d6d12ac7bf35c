"""Outcomes of a small scenario whose answers are known, and times to a first event when some histories end too soon."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from comes_about import COMES_ABOUT, STILL
from fake_runs import model_of, runs_of

from powderkeg.analyze import channel_mask, outcomes, per_run, time_to_first
from powderkeg.analyze.outcomes import first_so, when_first
from powderkeg.errors import ModelError, UsageError
from powderkeg.model import compile
from powderkeg.scenario import Condition, EventPattern, loads
from powderkeg.simulate import simulate

DAYS = 400.0

SCENARIO = """
powderkeg: 1
name: two-sides
title: Two sides
start: 2020-01-01
years: 2
actors:
  north: {title: North, is: [side]}
  south: {title: South, is: [side]}
  guard: {title: Guard}
facts:
  roadblock: {title: roads are blocked, lasts: 20 days}
  posture: {levels: [low, middle, high]}
acts:
  block: {tone: hostile}
  threaten: {tone: hostile}
  shoot: {tone: hostile, hurts: death}
  raise: {tone: neutral}
moves:
  blocks: {who: north, does: block, to: south, rate: 5 per year, sets: [roadblock]}
  threatens: {who: side, does: threaten, to: side, rate: 0.01 per day}
  shoots: {who: south, does: shoot, to: north, rate: 1 per year}
  raises: {who: guard, does: raise, to: north, rate: 2 per year, sets: {posture.high: 50 %, posture.middle: 50 %}}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.5, half_life: 3 days}
outcomes:
  ever_shot: {title: Someone is shot, any: {hurts: death}, better: less}
  threats: {count: {does: threaten, who: side}}
  answers: {count: {via: retaliation}}
  first_block: {first: {who: north, does: block}}
  blocked: {share_of_time: roadblock, better: less}
  high: {share_of_time: posture.high}
"""


@pytest.fixture(scope="module")
def model():
    return compile(loads(SCENARIO))


@pytest.fixture(scope="module")
def runs(model):
    return simulate(model, days=DAYS, replicates=4_000, seed=11)


def test_each_outcome_has_its_mean_interval_and_runs(model, runs):
    """Means against theory, each within four standard errors; shares of time from the two-state chain."""
    rows = {row["name"]: row for row in outcomes(model, runs).to_dicts()}
    years = DAYS / 365.25
    on, off = 5 / 365.25, 1 / 20
    standing = on / (on + off) * (1 - (1 - np.exp(-(on + off) * DAYS)) / ((on + off) * DAYS))
    expected = {
        "ever_shot": 1 - np.exp(-years),
        "first_block": (1 - np.exp(-on * DAYS)) / on,
        "blocked": standing,
    }
    for name, value in expected.items():
        row = rows[name]
        assert abs(row["mean"] - value) < 4 * (row["high"] - row["low"]) / 3.29, name
        assert row["low"] < row["mean"] < row["high"]
        assert row["runs"] == 4_000
    # A background of 0.02 a day, each threat drawing 0.5 direct answers: twice as many but for what the end cuts off.
    assert rows["threats"]["mean"] == pytest.approx(2 * 0.02 * 365.25, rel=0.04)
    assert rows["answers"]["mean"] == pytest.approx(rows["threats"]["mean"] / 2, rel=0.05)
    assert rows["first_block"]["median"] == pytest.approx(np.log(2) / on, rel=0.06)
    assert rows["first_block"]["never"] == pytest.approx(np.exp(-on * DAYS), abs=0.004)
    assert rows["ever_shot"]["title"] == "Someone is shot"
    assert rows["ever_shot"]["better"] == "less"
    assert rows["threats"]["title"] == "threats"


def test_a_share_of_time_adds_up_what_each_history_shows(model, runs):
    """Where no coin is thrown, the path of a fact can be read off the acts: block sets it, the timer clears it."""
    block = model.channel("north", "block", "south")
    expire = next(i for i, c in enumerate(model.channels) if c.kind == "expire" and c.fact == "roadblock")
    shares = dict(zip(model.scenario.outcomes, per_run(model, runs), strict=True))["blocked"][1]
    for r in range(300):
        begin, stop = runs.offsets[r], runs.offsets[r + 1]
        since, total = None, 0.0
        for time, channel in zip(runs.time[begin:stop], runs.channel[begin:stop], strict=True):
            if channel == block and since is None:
                since = time
            elif channel == expire:
                total += time - since
                since = None
        total += 0.0 if since is None else DAYS - since
        assert shares[r] == pytest.approx(total / DAYS, abs=1e-12)


def test_a_fact_comes_about_when_an_act_or_time_brings_it_and_not_for_an_instant():
    """Rates of coming about are known: 0.01 * 0.4 + 0.002 of the alert; of `middle` 0.004 / 4, for where both coins
    fall the second effect has the last word at once. Each mean within four standard errors, and clear of what an engine
    would say that took the instant for time (0.004 / 2) or did not see the alert come by itself (0.004)."""
    model = compile(loads(COMES_ABOUT))
    runs = simulate(model, days=300.0, replicates=6_000, seed=5)
    rows = {row["name"]: row for row in outcomes(model, runs).to_dicts()}
    hazards = {"alerted": (0.006, 0.004), "middle": (0.001, 0.002), "high": (0.002, 0.003), "raised": (0.003, 0.004)}
    for name, (right, wrong) in hazards.items():
        row = rows[name]
        error = (row["high"] - row["low"]) / 3.29
        assert abs(row["mean"] - _mean_to_first(right, 300.0)) < 4 * error, name
        assert abs(row["mean"] - _mean_to_first(wrong, 300.0)) > 8 * error, name
        assert row["never"] == pytest.approx(np.exp(-right * 300.0), abs=0.025), name
        assert row["q10"] == pytest.approx(-np.log(0.9) / right, rel=0.12), name
    assert rows["alerted"]["median"] == pytest.approx(np.log(2) / 0.006, rel=0.06)
    assert rows["high"]["q90"] is None  # fewer than nine tenths have it within the window
    assert rows["ever"]["mean"] == 1.0 - rows["alerted"]["never"]
    assert rows["ever"]["kind"] == "any" and rows["ever"]["median"] is None
    assert (rows["truce"]["mean"], rows["truce"]["never"]) == (0.0, 0.0)
    assert (rows["broken"]["mean"], rows["broken"]["never"]) == (300.0, 1.0)


def _mean_to_first(hazard: float, days: float) -> float:
    return (1.0 - np.exp(-hazard * days)) / hazard


def test_days_a_fact_first_stands_are_those_of_the_acts_that_set_it(model, runs):
    """Where no coin is thrown and nothing comes by itself, the day can be read off the events, to the last bit."""
    block = model.channel("north", "block", "south")
    first = first_so(model, runs, Condition("roadblock", None))
    clear = first_so(model, runs, Condition("roadblock", "off"))
    assert (clear == 0.0).all()
    for r in range(runs.replicates):
        begin, stop = runs.offsets[r], runs.offsets[r + 1]
        times = runs.time[begin:stop][runs.channel[begin:stop] == block]
        assert first[r] == (times[0] if len(times) else np.inf)
    days = runs.level_time[:, model.system.level_start[model.fact("roadblock")] + 1]
    assert ((days > 0) == np.isfinite(first)).all()


def test_a_model_whose_facts_nothing_changes_has_them_from_the_start():
    """Such a model is followed family by family, in a loop that knows no facts."""
    model = compile(loads(STILL))
    rows = outcomes(model, simulate(model, days=100.0, replicates=20, seed=1)).to_dicts()
    assert [row["mean"] for row in rows] == [0.0, 0.0]
    assert rows[0]["never"] == 0.0


def test_when_something_first_comes_is_said_with_what_the_window_cuts_off():
    row = {"kind": "first", "mean": 80.0, "never": 0.375, "q10": 12.04, "median": 96.0, "q90": None}
    assert when_first(row, 100.0) == (
        "In 62 % of the runs within 100 days; a tenth of all runs by day 12.0, half by day 96; in the mean a run "
        "without it counts as the whole window."
    )
    assert when_first(row | {"never": 1.0}, 100.0) == "In no run within 100 days."
    assert when_first(row | {"never": 0.0, "mean": 0.0, "q90": 0.0}, 100.0) == "So from the start."
    assert when_first(row | {"kind": "any"}, 100.0) == ""


def test_levels_of_a_fact_are_told_apart(model, runs):
    """Of two levels that each raise comes to with the same chance, the later effect wins half the time."""
    index = model.fact("posture")
    start = model.system.level_start[index]
    low, middle, high = runs.level_time[:, start : start + 3].mean(axis=0)
    shares = {row["name"]: row["mean"] for row in outcomes(model, runs).to_dicts()}
    assert shares["high"] == pytest.approx(high / DAYS)
    assert low + middle + high == pytest.approx(DAYS)
    assert middle > high / 3


def test_a_history_that_was_stopped_counts_up_to_there(model, runs):
    half = replace(runs, reached=np.full(runs.replicates, DAYS / 2), exploded=np.ones(runs.replicates, dtype=bool))
    _, times, cut_off = per_run(model, half)[3]
    assert times[cut_off].max() == DAYS / 2


def test_patterns_take_classes_and_everyone(model):
    assert channel_mask(model, EventPattern(who=("side",), does=("threaten",))).sum() == 2
    assert channel_mask(model, EventPattern(who=("any",), to=("north",))).sum() == 3
    assert channel_mask(model, EventPattern(hurts=("death",))).sum() == 1


def test_a_name_that_the_model_does_not_have_is_told_with_the_nearest(model):
    with pytest.raises(UsageError, match="nearest: 'threaten'"):
        channel_mask(model, EventPattern(does=("threatn",)))


def test_bare_arrays_have_no_outcomes():
    bare = model_of([("a", "threaten", "b")])
    with pytest.raises(ModelError, match="no named outcomes"):
        outcomes(bare, runs_of(bare, [[(1.0, 0)]]))


# --- times to a first event -----------------------------------------------------------------------------------------


def test_without_censoring_it_is_the_plain_mean_and_median():
    times = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    estimate, median = time_to_first(times, np.zeros(5, dtype=bool), 20.0)
    assert estimate.mean == pytest.approx(4.0)
    assert median == 3.0


def test_a_worked_example_with_censoring():
    """At risk 4, 3, 1: the curve falls to 3/4 at 1, to 1/2 at 2, stays at 3 (cut off), falls to 0 at 4."""
    estimate, median = time_to_first(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, False]), 5.0)
    assert estimate.mean == pytest.approx(1 + 0.75 + 2 * 0.5)
    assert median == 2.0


def test_censored_histories_do_not_pull_the_mean_down(seed):
    """Exponential times of mean 50 seen for a random while: Kaplan and Meier hold, the plain mean of times does not.

    False alarm below 1e-4: the restricted mean to day 100 is 50 (1 - e^-2) = 43.2 with standard error 0.6.
    """
    rng = np.random.default_rng(seed)
    event, end = rng.exponential(50.0, 5_000), rng.uniform(20.0, 200.0, 5_000)
    estimate, median = time_to_first(np.minimum(event, end), event > end, 100.0)
    assert estimate.mean == pytest.approx(50 * (1 - np.exp(-2)), abs=2.5)
    assert estimate.low < estimate.mean < estimate.high
    assert median == pytest.approx(50 * np.log(2), abs=3.0)
    assert abs(np.minimum(np.minimum(event, end), 100.0).mean() - 50 * (1 - np.exp(-2))) > 2.5


def test_what_never_happens_has_no_median():
    estimate, median = time_to_first(np.full(10, 30.0), np.ones(10, dtype=bool), 30.0)
    assert (estimate.mean, estimate.high) == (30.0, 30.0)
    # Ten histories without it leave up to one in four that may come to it: 1 - 0.05 ** (1 / 10).
    assert estimate.low == pytest.approx(30.0 * 0.05 ** (1 / 10))
    assert median is None
