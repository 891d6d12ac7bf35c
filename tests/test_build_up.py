"""Answers that build up before they die away: simulated, fitted, attributed, foreseen, written, refused.

Held against the density of two waits one after the other, written down here anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

import powderkeg as pk
from powderkeg.engine.simulation.candidates import _left
from powderkeg.engine.worlds import Past
from powderkeg.errors import ScenarioError, UsageError
from powderkeg.events import EventTable
from powderkeg.fit.likelihood.problem import filled_arrays
from powderkeg.model.filling import filled
from powderkeg.report.fitted import half_come, opening
from powderkeg.scenario import digest, edit
from powderkeg.simulate import simulate
from powderkeg.wording import measured

TEXT = """
powderkeg: 1
name: late-answers
start: 2018-01-01
years: 8
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.1 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.2, half_life: 1 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.5, half_life: 7 days, build_up: 60 %}
interventions:
  later: {title: Slower to get under way, set: {mechanisms.retaliation.build_up: 0.8}}
"""
AT_ONCE = TEXT.replace(", build_up: 60 %", "").replace("build_up: 0.8", "half_life: 9 days")
R, HALF = 0.6, 7.0
B = np.log(2) / HALF
TRUTH = {"mechanisms.inertia.answers": 0.2, "mechanisms.retaliation.answers": 0.5,
         "mechanisms.retaliation.half_life": 7.0}  # fmt: skip


def density(lag: np.ndarray) -> np.ndarray:
    """Of the sum of two exponential waits, of means 1 / B and R / B."""
    return B / (1.0 - R) * (np.exp(-B * lag) - np.exp(-B * lag / R))


def survival(lag: float) -> float:
    return float(integrate.quad(lambda u: float(density(np.array(u))), lag, np.inf)[0])


def record(seed: int, stamp: str = "exact", text: str = TEXT) -> EventTable:
    table = pk.simulate(pk.compile(pk.loads(text)), replicates=1, seed=seed).table()
    if stamp == "day":
        table = replace(table, frame=table.frame.with_columns(time=pl.col("time").floor()), resolution="day")
    return table


def tiny(times: list[float], stamp: str = "exact") -> EventTable:
    """North threatens at the first time, and south and north by turns after it."""
    sides = [("north", "south") if k % 2 == 0 else ("south", "north") for k in range(len(times))]
    frame = pl.DataFrame({"time": times, "source": [s for s, _ in sides], "act": ["threaten"] * len(times),
                          "target": [t for _, t in sides]})  # fmt: skip
    return EventTable(frame, date(2018, 1, 1), 60.0, stamp)


def test_a_kernel_is_the_density_of_two_waits() -> None:
    system = pk.compile(pk.loads(TEXT)).system
    assert system.builds_up.tolist() == [False, True]
    share, decay = system.kernel_share[1:], system.kernel_decay[1:]
    lag = np.linspace(0.0, 80.0, 401)
    assert (share * decay * np.exp(-lag[:, None] * decay)).sum(axis=1) == pytest.approx(density(lag), abs=1e-15)
    assert share.sum() == pytest.approx(1.0)
    assert (share / decay).sum() == pytest.approx((1.0 + R) / B)


def test_what_is_written_is_read_again_and_nothing_else_changes() -> None:
    scenario, plain = pk.loads(TEXT), pk.loads(AT_ONCE)
    assert pk.loads(pk.dump(scenario)) == scenario
    assert "build_up: 60 %" in pk.dump(scenario) or "build_up: 0.6" in pk.dump(scenario)
    assert "build_up" not in json.dumps(pk.resolve(plain)) and digest(plain) != digest(scenario)
    assert edit(plain, {"mechanisms.retaliation.build_up": 0.6}).mechanisms == scenario.mechanisms
    model = pk.compile(scenario)
    for days in (3.0, 11.0):
        changed = edit(scenario, {"mechanisms.retaliation.half_life": days})
        anew = pk.compile(changed).system.kernel_decay
        assert filled(model, {"mechanisms.retaliation.half_life": days}).kernel_decay.tolist() == anew.tolist()
    assert "60 % as long to build up" in " ".join(str(pk.describe(model)).split())


@pytest.mark.parametrize(("written", "said"), [("1.2", "0.9"), ("0.005", "0.01"), ("-10 %", "0")])
def test_a_build_up_that_cannot_be_is_refused(written: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=r"mechanisms\.retaliation\.build_up") as told:
        pk.loads(TEXT.replace("60 %", written))
    assert said in str(told.value)


def test_a_build_up_beside_several_half_lives_is_refused() -> None:
    with pytest.raises(ScenarioError, match="beside several half-lives"):
        pk.loads(TEXT.replace("half_life: 7 days", "half_lives: {1 day: 50 %, 9 days: 50 %}"))


@pytest.mark.parametrize("state", [False, True], ids=["families", "queue"])
def test_simulated_delays_have_the_density(state: bool, seed: int) -> None:
    """Two loops draw them. False alarm 1e-6; delays of a plain exponential of the same mean are refused."""
    text = TEXT
    if state:
        text = TEXT.replace("moves:", "facts: {tense: {lasts: 3 days}}\nmoves:").replace(
            "rate: 0.1 per day", "rate: 0.1 per day, sets: [tense]"
        )
    runs = pk.simulate(pk.compile(pk.loads(text)), replicates=1, years=150, seed=seed)
    late = runs.mechanism == 1
    delay = runs.time[late] - runs.time[runs.parent[late]]
    assert len(delay) > 8_000

    def below(lag: np.ndarray) -> np.ndarray:
        return 1.0 - (np.exp(-B * lag) - R * np.exp(-B * lag / R)) / (1.0 - R)

    assert stats.kstest(delay, below).pvalue > 1e-6
    assert stats.kstest(delay, stats.expon(scale=(1.0 + R) / B).cdf).pvalue < 1e-6


def test_what_a_past_act_still_has_in_store_is_what_the_density_leaves() -> None:
    system = pk.compile(pk.loads(TEXT)).system
    for age in (0.0, 0.5, 4.0, 30.0):
        left = _left(system, system, np.array([1, 2]), np.array([age, age]), np.ones(2))
        assert left.sum() == pytest.approx(survival(age), rel=1e-9)
        assert left[1] == pytest.approx(np.exp(-B * age / R))  # both waits before them


def test_answers_after_a_past_come_when_the_density_says(seed: int) -> None:
    """One act 4 days before the window, 40,000 runs without sparks: how many answers, and when. False alarm 1e-6."""
    still = pk.edit(pk.loads(TEXT), {"moves.threats.rate": 0, "mechanisms.inertia.answers": 0})
    model = pk.compile(still)
    age = 4.0
    past = Past(10.0 + age, np.array([10.0]), np.array([0]))
    runs = simulate(model.system, days=120.0, replicates=40_000, seed=seed, history=past)
    time = runs.time[runs.parent < -1] - (10.0 + age)  # direct answers to it
    expected = 0.5 * (survival(age) - survival(age + 120.0))
    assert abs(len(time) / 40_000 - expected) < 4.9 * np.sqrt(expected / 40_000)

    def below(lag: np.ndarray) -> np.ndarray:
        gone = np.array([survival(age) - survival(age + one) for one in np.atleast_1d(lag)])
        return gone / (survival(age) - survival(age + 120.0))

    assert stats.kstest(time[:1500], below).pvalue > 1e-6


def likelihood(times: np.ndarray, rate: float, answers: tuple[float, float], end: float) -> float:
    """Of acts that north and south do by turns, by the formula: sums over pairs, integrals by quadrature."""
    fast = np.log(2)
    total = 0.0
    for i, t in enumerate(times):
        worth = rate
        for j, s in enumerate(times[:i]):
            lag = t - s
            worth += (
                answers[0] * fast * np.exp(-fast * lag) if (i - j) % 2 == 0 else answers[1] * density(np.array(lag))
            )
        total += np.log(worth)
    gone = sum(answers[0] * (1.0 - np.exp(-fast * (end - s))) + answers[1] * (1.0 - survival(end - s)) for s in times)
    return float(total - 2.0 * rate * end - gone)


def test_the_likelihood_of_exact_times_is_that_of_the_formula() -> None:
    times = [1.0, 3.5, 4.0, 9.0, 20.0, 21.5, 40.0]
    fit = pk.fit(pk.loads(TEXT), tiny(times), background="constant", baselines="shared", prior=None,
                 free=["moves"], test_mechanisms=False)  # fmt: skip
    rate = fit.parameters["moves.threats.rate"].estimate
    assert fit.log_likelihood == pytest.approx(likelihood(np.array(times), rate, (0.2, 0.5), 60.0), abs=1e-8)


def test_by_day_answers_are_spread_over_days_as_the_density_averages() -> None:
    """An act on day 10, one answer that may come by nothing else: its likelihood is the day's share of the density,
    averaged over the hours of both acts."""

    def share(lag: int) -> float:
        def by_hour(x: float) -> float:
            return survival(max(lag - x, 0.0)) - survival(lag + 1.0 - x)

        return float(integrate.quad(by_hour, 0.0, 1.0)[0])

    found = []
    for lag in (1, 2, 6, 15):
        text = TEXT.replace("rate: 0.1 per day", "rate: 1e-9 per day").replace("answers: 0.2", "answers: 0")
        fit = pk.fit(pk.loads(text), tiny([10.0, 10.0 + lag], "day"), background="constant", baselines="shared",
                     prior=None, free=["mechanisms.inertia.answers"], test_mechanisms=False)  # fmt: skip
        found.append(fit.log_likelihood)
    shares = np.log([share(lag) for lag in (1, 2, 6, 15)])
    left = [np.log(1.0) - 0.5 * (integrate.quad(lambda x, k=lag: 1.0 - survival(50.0 - k - x), 0.0, 1.0)[0]) for lag in
            (1, 2, 6, 15)]  # fmt: skip
    assert np.array(found) - found[0] == pytest.approx(shares - shares[0] + np.array(left) - left[0], abs=1e-6)


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_answers_and_half_life_are_found_again(stamp: str) -> None:
    """Means of eight histories within 4.5 of their errors; read as coming at once, the half-life is far off."""
    found: dict[str, list[float]] = {path: [] for path in TRUTH}
    astray = []
    for seed in range(8):
        table = record(seed, stamp)
        asked = {"background": "constant", "baselines": "shared", "prior": None, "test_mechanisms": False}
        fit = pk.fit(pk.loads(TEXT), table, **asked)
        for path in TRUTH:
            found[path].append(fit.parameters[path].estimate)
        other = pk.fit(pk.loads(AT_ONCE), table, **asked)
        astray.append(other.parameters["mechanisms.retaliation.half_life"].estimate)
        assert fit.model.system.kernel_decay[2] == pytest.approx(fit.model.system.kernel_decay[1] / R)
        assert float(fit.scenario.mechanisms["retaliation"].build_up) == R
    for path, truth in TRUTH.items():
        values = np.array(found[path])
        assert abs(values.mean() - truth) < 4.5 * values.std(ddof=1) / np.sqrt(8), path
    assert np.mean(astray) > 1.3 * HALF


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_the_slope_by_the_half_life_is_that_of_the_likelihood(stamp: str) -> None:
    fit = pk.fit(pk.loads(TEXT), record(2, stamp), background="constant", baselines="shared", prior=None,
                 test_mechanisms=False)  # fmt: skip
    problem, climber, vector = fit.problem, fit.climber, fit.solution.vector * 1.02
    place = next(p.place for p in problem.parameters if p.path == "mechanisms.retaliation.half_life")

    def value(by: float) -> float:
        moved = vector + by * (np.arange(len(vector)) == place)
        return float(climber.filter(moved)[0].evaluate(moved[: problem.n_smooth])[0])

    told = climber.gradient(climber.filter(vector, True)[0], vector)[place]
    assert abs(told) > 0.1
    assert told == pytest.approx((value(1e-4) - value(-1e-4)) / 2e-4, rel=1e-5)


def test_attribution_shares_acts_out_by_the_density() -> None:
    """South's only act after two of north's: links, roots and drawn forests by the formula."""
    times = [1.0, 8.0, 9.0]
    frame = pl.DataFrame({"time": times, "source": ["north", "north", "south"], "act": ["threaten"] * 3,
                          "target": ["south", "south", "north"]})  # fmt: skip
    model = pk.compile(pk.loads(TEXT))
    told = pk.attribute(model, EventTable(frame, date(2018, 1, 1), 60.0, "exact"), forests=10)
    worth = np.array([0.1, *(0.5 * density(np.array([8.0, 1.0])))])
    expected = worth / worth.sum()
    links = {(row["event"], row["parent"]): row["probability"] for row in told.links(1e-9).to_dicts()}
    assert [links[2, 0], links[2, 1]] == pytest.approx(expected[1:], abs=1e-9)
    parents = np.array([parent[2] for parent, _, _ in told.causes.forests(20_000, 3)])
    drawn = np.array([(parents == k).sum() for k in (-1, 0, 1)])
    assert stats.chisquare(drawn, expected * drawn.sum()).pvalue > 1e-6


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_attribution_checks_and_forecasts_go_through(stamp: str) -> None:
    table = record(4, stamp)
    fit = pk.fit(pk.loads(TEXT), table, background="constant", baselines="shared")
    told = pk.attribute(fit, forests=50)
    shares = told.links(1e-6)
    assert shares["probability"].min() >= 0.0
    checks = fit.check(replicates=30)
    assert not [t.title for t in checks.tests if t.p is not None and t.p < 1e-4]
    assert json.loads(json.dumps(fit.as_dict()))["parameters"]
    ahead = pk.forecast(fit.model, table, days=30, draws=200)
    assert ahead is not None
    arrays = filled_arrays(fit.problem, fit.solution.vector).system
    assert arrays.builds_up.tolist() == [False, True]


@pytest.mark.parametrize(("text", "value"), [(TEXT, "0"), (AT_ONCE, "50 %")])
def test_an_intervention_that_makes_answers_begin_or_cease_to_build_up_is_refused_with_the_place(
    text: str, value: str
) -> None:
    with pytest.raises(UsageError, match=r"mechanisms\.retaliation\.build_up: " + value + "(?s:.*)1 % or more"):
        pk.compare(pk.loads(text), [f"mechanisms.retaliation.build_up={value}"], replicates=2)


@pytest.mark.parametrize("share", ["60 %", "90 %"])
def test_a_fit_tells_by_when_half_of_the_answers_come(share: str) -> None:
    """Not the half-life, by which far fewer have come: held against the density."""
    text = TEXT.replace("60 %", share)
    fit = pk.fit(pk.loads(text), record(4, text=text), background="constant", baselines="shared")
    half_life, r = fit.parameters["mechanisms.retaliation.half_life"].estimate, float(share.removesuffix(" %")) / 100.0
    told = half_come(fit, "retaliation")
    b = np.log(2) / half_life
    come = integrate.quad(lambda u: b / (1.0 - r) * (np.exp(-b * u) - np.exp(-b * u / r)), 0.0, told)[0]
    assert come == pytest.approx(0.5, abs=1e-6) and told > 1.5 * half_life
    assert half_come(fit, "inertia") == pytest.approx(fit.parameters["mechanisms.inertia.half_life"].estimate)
    assert f"half of them within {measured(told)} days" in opening(fit, None)


def test_what_is_said_of_slow_answers_counts_both_waits() -> None:
    text = TEXT.replace("60 %", "90 %")
    fit = pk.fit(pk.loads(text), record(4, text=text), background="season", baselines="shared", test_mechanisms=False)
    assert "needs its mechanisms was not tested" in opening(fit, None)
    mean = 1.9 * fit.parameters["mechanisms.retaliation.half_life"].estimate / np.log(2)
    assert f"mechanisms.retaliation.half_life (answers come over {mean:.0f} days)" in fit.summary()
