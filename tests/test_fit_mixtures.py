"""Answers at several speeds: parts and wholes, recovery, what is written, drawn and refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.errors import UsageError
from powderkeg.events import EventTable
from powderkeg.fit import Fit, Joint
from powderkeg.fit.joint_law import place_beside, read_beside
from powderkeg.model.filling import filled
from powderkeg.model.parting import part_values, parted, together, values_of

TEXT = """
powderkeg: 1
name: two-speeds
start: 2018-01-01
years: 6
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}, meet: {tone: cooperative}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.1 per day}
  meetings: {who: any, does: meet, to: any, rate: 0.05 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.15, half_life: 2 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.6, HALF}
  talks: {when: x threatens y, then: y meets x, answers: 0.1, half_life: 5 days}
outcomes:
  threats: {title: Threats a year, count: {does: threaten}}
interventions:
  calmer: {title: Half as many sparks, set: {moves.threats.rate: 0.05 per day}}
"""
SLOW = "mechanisms.retaliation.half_lives.2"
MIXED = TEXT.replace("HALF", "half_lives: {12 hours: 50 %, 15 days: 50 %}")
ALONE = TEXT.replace("HALF", "half_life: 3 days")
TRUTH = {
    "mechanisms.retaliation.answers": 0.6, "mechanisms.retaliation.half_lives.1": 0.5,
    "mechanisms.retaliation.half_lives.2": 15.0, "mechanisms.retaliation.half_lives.1.share": 0.5,
    "mechanisms.retaliation.half_lives.2.share": 0.5,
}  # fmt: skip


def record(seed: int, text: str = MIXED, stamp: str = "exact") -> EventTable:
    table = pk.simulate(pk.compile(pk.loads(text)), replicates=1, seed=seed).table()
    if stamp == "day":
        table = replace(table, frame=table.frame.with_columns(time=pl.col("time").floor()), resolution="day")
    return table


@pytest.fixture(scope="module")
def fit() -> Fit:
    return pk.fit(pk.loads(MIXED), record(3), background="constant", baselines="shared")


def test_parts_put_together_are_the_model_they_were_taken_from() -> None:
    for name in ("jonglei", "north-kosovo"):
        model = pk.compile(pk.load(name))
        several = [one for one, m in model.scenario.mechanisms.items() if len(m.half_lives) > 1]  # type: ignore[union-attr]
        apart = parted(model, several)
        assert apart.system.n_mechanisms == len(model.mechanisms) + len(several)
        back = together(apart)
        assert back.mechanisms == model.mechanisms
        assert back.parameters == model.parameters
        assert back.system.kernel_share == pytest.approx(model.system.kernel_share)

        def links(one: pk.Model) -> list[tuple[object, ...]]:
            s = one.system
            source = np.repeat(np.arange(s.n_channels), np.diff(s.edge_start))
            columns = (source, s.edge_target, s.edge_mechanism, s.edge_gate, np.round(s.edge_mass, 12))
            return sorted(zip(*(column.tolist() for column in columns), one.edge_parameter.tolist(), strict=True))

        assert links(back) == links(model)


def test_shares_and_half_lives_are_estimated_with_intervals_that_hold_them(fit: Fit) -> None:
    for path, truth in TRUTH.items():
        e = fit.parameters[path]
        assert e.low is not None and e.high is not None and e.low < truth < e.high, path
        assert e.before == pytest.approx(truth)
    shares = [fit.parameters[f"mechanisms.retaliation.half_lives.{k}.share"].estimate for k in (1, 2)]
    assert sum(shares) == pytest.approx(1.0)
    parts = [fit.parameters[f"mechanisms.retaliation.half_lives.{k}.answers"].estimate for k in (1, 2)]
    assert sum(parts) == pytest.approx(fit.parameters["mechanisms.retaliation.answers"].estimate)
    tests = {row["mechanism"]: row for row in fit.mechanisms.to_dicts()}
    assert tests["retaliation"]["lr"] > tests["retaliation.half_lives.2"]["lr"] > 10.0
    told = json.loads(json.dumps(fit.as_dict()))
    assert told["parameters"][f"{SLOW}.share"]["estimate"] == pytest.approx(shares[1])
    assert "mechanisms.retaliation.half_lives.2.share" in fit.summary()


def test_the_likelihood_of_parts_is_that_of_the_mixture(fit: Fit) -> None:
    """Written into the scenario and held there, the estimates have the same likelihood."""
    held = pk.fit(fit.scenario, record(3), free=["moves.threats.rate"], background="constant", baselines="shared",
                  test_mechanisms=False)  # fmt: skip
    assert held.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-4)
    assert held.branching_ratio == pytest.approx(fit.branching_ratio, rel=1e-6)


def test_the_fitted_file_keeps_shares_and_the_law_of_their_answers(fit: Fit, tmp_path: object) -> None:
    again = pk.loads(pk.dump(fit.scenario))
    assert [float(one.share) for one in again.mechanisms["retaliation"].half_lives] == pytest.approx(
        [fit.parameters[f"mechanisms.retaliation.half_lives.{k}.share"].estimate for k in (1, 2)]
    )
    path = tmp_path / "fitted.yaml"  # type: ignore[operator]
    place_beside(path).write_text(Joint.of(fit).text())
    law = read_beside(again, place_beside(path)).among(values_of(pk.compile(again)))
    assert {f"mechanisms.retaliation.half_lives.{k}.answers" for k in (1, 2)} <= set(law.paths)
    drawn = law.draw(400, 1)
    shares = np.array([[one[f"mechanisms.retaliation.half_lives.{k}.share"] for k in (1, 2)] for one in drawn])
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert shares[:, 0].std() == pytest.approx(fit.parameters[f"{SLOW}.share"].se, rel=0.3)
    model = pk.compile(again)
    system = filled(model, drawn[0])
    retaliation = model.mechanisms.index("retaliation")
    own = slice(*model.system.kernel_start[retaliation : retaliation + 2])
    assert system.kernel_share[own] == pytest.approx(shares[0])
    edited = pk.compile(pk.edit(again, {f"{SLOW}.share": 0.3}))
    assert filled(model, {f"{SLOW}.share": 0.3}).kernel_share == pytest.approx(edited.system.kernel_share)


def test_a_fit_at_two_speeds_is_attributed_compared_replayed_and_foretold(fit: Fit) -> None:
    attribution = pk.attribute(fit, forests=20, draws=5)
    assert set(attribution.model.mechanisms) == {"inertia", "retaliation", "talks"}
    held = pk.attribute(fit.scenario, record(3), forests=20)
    at_top, at_scenario = (one.causes.by_mechanism().sum(axis=0) for one in (attribution, held))
    assert at_top == pytest.approx(at_scenario, rel=1e-4)
    by_law = pk.attribute(fit.scenario, record(3), forests=20, draws=5, fitted=Joint.of(fit))
    assert by_law.causes.by_mechanism().sum(axis=0) == pytest.approx(at_scenario, rel=1e-4)
    found = pk.compare(fit, ["calmer"], years=1, replicates=200, seed=1)
    assert f"{SLOW}.share" in found.fitted
    assert pk.forecast(fit, days=7, draws=40).parameters == "drawn within the errors of a fit"
    assert f"{SLOW}.share" in pk.replay(fit, record(3), "talks", replicates=40, sets=4).fitted


def test_shares_named_as_held_stay_as_they_are() -> None:
    fit = pk.fit(pk.loads(MIXED), record(3), background="constant", baselines="shared", test_mechanisms=False,
                 fix=["mechanisms.*.share", "mechanisms.*.half_lives.*"])  # fmt: skip
    assert f"{SLOW}.share" not in fit.parameters
    lives = fit.scenario.mechanisms["retaliation"].half_lives
    assert [float(one.share) for one in lives] == [0.5, 0.5]
    with pytest.raises(UsageError, match="mixture"):
        pk.fit(pk.loads(MIXED), record(3), delays="mixture")


def test_a_second_half_life_is_found_where_there_is_one_and_left_where_there_is_none() -> None:
    found = pk.fit(pk.loads(ALONE), record(3), background="constant", baselines="shared", delays="mixtures",
                   test_mechanisms=False)  # fmt: skip
    assert len(found.scenario.mechanisms["retaliation"].half_lives) == 2
    assert {len(found.scenario.mechanisms[name].half_lives) for name in ("inertia", "talks")} == {1}
    assert found.parameters[SLOW].before == 3.0
    assert any("retaliation: 2 half-lives in place of 1" in said for said in found.warnings)
    alone = pk.fit(pk.loads(MIXED), record(4, ALONE), background="constant", baselines="shared", delays="mixtures",
                   test_mechanisms=False)  # fmt: skip
    assert part_values(alone.scenario) == {} or alone.parameters[f"{SLOW}.share"].se is not None


@pytest.mark.nightly
def test_second_half_lives_are_found_and_not_made_up() -> None:
    """Ten years, ten histories with two speeds and twenty with one, two mechanisms that might have had a second.

    Found in 10 of 12 elsewhere, and made up in 1 of 30: fewer than 6 found, or more than 4 made up, come by chance once
    in a hundred.
    """

    def lives(text: str, seed: int) -> Fit:
        table = pk.simulate(pk.compile(pk.loads(text)), days=3650, replicates=1, seed=seed).table()
        return pk.fit(pk.loads(ALONE), table, background="constant", baselines="shared", delays="mixtures",
                      test_mechanisms=False)  # fmt: skip

    found = [fit for seed in range(101, 111) if f"{SLOW}.share" in (fit := lives(MIXED, seed)).parameters]
    assert len(found) >= 6
    assert np.mean([fit.parameters["mechanisms.retaliation.answers"].estimate for fit in found]) == pytest.approx(
        0.6, abs=0.06
    )
    assert np.mean([fit.parameters[f"{SLOW}.share"].estimate for fit in found]) == pytest.approx(0.5, abs=0.07)
    assert np.exp(np.mean([np.log(fit.parameters[SLOW].estimate) for fit in found])) == pytest.approx(15.0, rel=0.3)
    made_up = [seed for seed in range(201, 221) if part_values(lives(ALONE, seed).scenario)]
    assert len(made_up) <= 4
