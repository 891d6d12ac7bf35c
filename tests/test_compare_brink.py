"""Nearness to the brink: the time in each joint state is exact, and so is what is said about crossing 1."""

from __future__ import annotations

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.compare import brink
from powderkeg.compare.brink import _levels, _stays
from powderkeg.model import Model, branching_ratio
from powderkeg.scenario import edit, loads
from powderkeg.simulate import simulate

FLARING = """
powderkeg: 1
name: flaring
start: 2020-01-01
years: 4
actors: {a: , b: }
facts:
  alarm: {lasts: 20 days}
  mourning: {lasts: 5 days}
acts:
  hit: {tone: hostile}
  alert: {tone: hostile}
moves:
  hits: {who: a, does: hit, to: b, rate: 6 per year, sets: {mourning: 40 %}}
  back: {who: b, does: hit, to: a}
  alerts: {who: a, does: alert, to: b, rate: 2 per year, sets: {alarm: 60 %}}
mechanisms:
  answer: {when: x hits y, then: y hits x, answers: "0.6 [0.4, 0.7]", half_life: 1 day}
gates:
  alarmed: {while: alarm, mechanisms: [answer], factor: "1.5 [1.2, 1.8]"}
  mournful: {while: mourning, mechanisms: [answer], factor: 1.2}
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return pk.compile(loads(FLARING, file="flaring.yaml"))


@pytest.mark.parametrize("name", ["flaring", "north-kosovo"])
def test_time_in_joint_states_adds_up_to_time_at_each_level(name: str, model: Model) -> None:
    """The engine counts each fact's time at each level by itself; the joint states, with every coin tossed again from
    its event's key, must give the same for every run and every fact that scales an answer."""
    model = model if name == "flaring" else pk.compile(pk.load(name))
    runs = simulate(model, years=4, replicates=100, seed=3, keys=True)
    stays = _stays(model, runs)
    levels = _levels(model, stays.state)
    changing = np.flatnonzero((levels != model.system.initial_level).any(axis=0))
    assert len(changing) >= 2
    for s in changing:
        for number in range(len(model.levels[s])):
            found = np.bincount(stays.run, stays.days * (levels[:, s] == number), runs.replicates)
            assert found == pytest.approx(runs.level_time[:, model.system.level_start[s] + number], abs=1e-6)


def test_coins_tossed_otherwise_would_be_caught(model: Model) -> None:
    """The planted error: keys of another event."""
    runs = simulate(model, years=4, replicates=100, seed=3, keys=True)
    assert runs.key is not None
    object.__setattr__(runs, "key", np.roll(runs.key, 1))
    stays = _stays(model, runs)
    alarm = model.fact("alarm")
    standing = stays.days @ (_levels(model, stays.state)[:, alarm] == 1)
    assert standing != pytest.approx(runs.level_time[:, model.system.level_start[alarm] + 1].sum(), rel=0.02)


def test_ratios_are_those_of_the_states(model: Model) -> None:
    """0.6 at the start; 0.9 in alarm; 0.72 in mourning; 1.08 in both, which only some histories pass through."""
    found = brink(model, replicates=400, seed=2)
    by_state = dict(found.states.select("state", "ratio").rows())
    assert by_state == pytest.approx(
        {"as at the start": 0.6, "alarm on": 0.9, "mourning on": 0.72, "alarm on, mourning on": 1.08}
    )
    assert found.states["share_of_time"].sum() == pytest.approx(1.0)
    time = dict(found.states.select("state", "share_of_time").rows())
    assert found.near.time.mean == pytest.approx(time["alarm on"] + time["alarm on, mourning on"])
    assert found.over.time.mean == pytest.approx(time["alarm on, mourning on"])
    assert found.mean.mean == pytest.approx(sum(by_state[name] * time[name] for name in time))
    runs_in = dict(found.states.select("state", "share_of_runs").rows())
    assert found.over.ever.mean == runs_in["alarm on, mourning on"]
    assert 0.2 < found.over.ever.mean < 0.95
    assert found.highest == pytest.approx(branching_ratio(model, {"alarm": "on", "mourning": "on"}))


def test_a_stay_is_as_long_as_the_fact_lasts(model: Model) -> None:
    """Alarm lasts 20 days on average, longer when raised anew: 1.2 alarms a year begin anew 6 % of the time."""
    found = brink(model, replicates=2000, seed=2)
    assert found.near.stay == pytest.approx(20.0, rel=0.06)
    assert found.near.spells.mean == pytest.approx(1.2 * (1 - found.near.time.mean), rel=0.06)


def test_what_moves_the_ratio_is_what_moves_it(model: Model) -> None:
    """An elasticity, against the ratio worked out again with the number one per cent higher."""
    found = brink(model, replicates=400, seed=2)
    movers = dict(found.movers)
    assert movers["mechanisms.answer.answers"] == pytest.approx(1.0)
    assert model.scenario is not None
    more = pk.compile(edit(model.scenario, {"gates.alarmed.factor": 1.515}))
    ratios = {
        row["state"]: branching_ratio(more, {f: "on" for f in ("alarm", "mourning") if f"{f} on" in row["state"]})
        for row in found.states.to_dicts()
    }
    share = dict(found.states.select("state", "share_of_time").rows())
    moved = sum(ratios[name] * share[name] for name in share) / found.mean.mean - 1.0
    assert movers["gates.alarmed.factor"] == pytest.approx(100 * moved, rel=1e-6)


def test_a_brink_that_no_run_came_to_is_not_called_out_of_reach(model: Model) -> None:
    assert model.scenario is not None
    calm = pk.compile(edit(model.scenario, {"mechanisms.answer.answers": 0.1}))
    found = brink(calm, replicates=50, seed=2)
    assert (found.over.ever.mean, found.over.time.mean, found.over.stay) == (0.0, 0.0, None)
    assert found.over.ever.high is not None
    assert found.over.ever.high > 0.05
    assert found.over.time.high == found.over.ever.high


def test_doubt_about_the_numbers_is_told(model: Model) -> None:
    found = brink(model, replicates=50, seed=2)
    assert found.doubt is not None
    assert found.doubt.worst[0] < 1.08 < found.doubt.worst[1]
    assert 0.3 < found.doubt.over < 0.9
