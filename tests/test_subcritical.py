"""Drawn numbers under which a system feeds itself: they are left aside, counted and told, and no mean hangs on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.cli.app import main
from powderkeg.compare.ranges import said_of_aside
from powderkeg.fit import Joint
from powderkeg.model import branching_ratio
from powderkeg.model.subcritical import subcritical
from powderkeg.report.compared import command_of, findings
from powderkeg.report.compared import page as compared_page
from powderkeg.report.replayed import page as replayed_page
from tests.forecast_systems import by_day, scenario, simulated

ANSWERS = "mechanisms.k.answers"
FEUD = """
powderkeg: 1
name: feud
title: Feud
start: 2000-01-01
years: 1
actors: {{a: , b: }}
acts: {{hit: {{tone: hostile}}}}
facts: {{truce: }}
moves:
  m: {{who: a, does: hit, to: b, rate: 12 per year}}
  n: {{who: b, does: hit, to: a, rate: 12 per year}}
mechanisms:
  k: {{when: x hits y, then: y hits x, answers: "{answers}", half_life: 3 days}}
interventions:
  calm: {{title: Calm, set: {{mechanisms.k.answers: 0.101}}}}
outcomes:
  hits: {{title: Hits a year, count: {{does: hit}}, better: less}}
"""
DIES_OUT = "0.5 [0.3, 0.7]"
MAY_NOT = "0.5 [0.1, 4]"


def feud(answers: str = DIES_OUT) -> pk.Scenario:
    return pk.loads(FEUD.format(answers=answers))


def test_sets_are_kept_below_a_ratio_of_1_and_all_where_the_system_is_above() -> None:
    sets = [{ANSWERS: answers} for answers in (0.0, 0.99, 1.0, 1.5)]
    assert subcritical(pk.compile(feud()), sets) == sets[:2]
    assert subcritical(pk.compile(feud("1.2")), sets) == sets
    assert subcritical(pk.compile(feud()), []) == []


def test_one_act_that_draws_many_is_no_feud() -> None:
    """The sums of rows and of columns are both above 1 and the ratio is not: nothing answers an answer."""
    text = FEUD.format(answers=DIES_OUT).replace("x hits y, then: y hits x", "a hits b, then: b hits a")
    sets = [{ANSWERS: 5.0}]
    model = pk.compile(pk.loads(text))
    assert branching_ratio(model) == 0.0
    assert subcritical(model, sets) == sets


def test_a_comparison_leaves_them_aside_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = pk.compare(feud(MAY_NOT), ["calm"], replicates=400, sets=40, seed=1)
    plain = pk.compare(feud("0.5 [0.1, 0.999]"), ["calm"], replicates=400, sets=40, seed=1)
    assert 0 < found.aside < 20
    assert found.sets == 40 - found.aside
    assert found.stopped_under == 0
    assert (plain.sets, plain.aside) == (40, 0)
    assert found.as_dict()["parameter_sets_left_aside"] == found.aside
    assert "--sets 40" in command_of(found)
    (hits,) = found.interventions[0].outcomes
    assert hits.range_low is not None
    assert -2_000 < hits.range_low < hits.difference  # a million acts a run, were it drawn from all
    assert "other numbers that were kept." in " ".join(findings(found))
    assert "kept" not in " ".join(findings(plain))
    words = f"Under {found.aside} sets of numbers of the 40 that were drawn"
    assert words in compared_page(found)
    assert words not in compared_page(plain)
    file = tmp_path / "feud.yaml"
    file.write_text(FEUD.format(answers=MAY_NOT))
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as left:
        main(["compare", str(file), "calm", "--replicates", "400", "--seed", "1", "--out", str(out)])
    assert left.value.code == 0
    assert words in " ".join(capsys.readouterr().out.split())


def test_sets_that_are_handed_in_are_taken_as_they_are() -> None:
    found = pk.compare(feud(), ["calm"], replicates=20, sets=[{ANSWERS: 0.2}, {ANSWERS: 1.01}], years=0.1)
    assert (found.sets, found.aside) == (2, 0)


def open_law() -> Joint:
    """Of a circle of two answers that stands at .3 and may as well be at 3."""
    paths = ("mechanisms.retaliation.answers", "mechanisms.insistence.answers")
    return Joint(paths, (True, True), np.array([0.6, 0.5]), np.diag([1.0, 1.0]))


def test_a_replay_leaves_them_aside_and_says_so() -> None:
    found = pk.replay(
        scenario(), by_day(simulated(120.0, 3)), "visits", replicates=40, imputations=2, fitted=open_law()
    )
    assert 0 < found.aside < 40
    assert found.sets == 40 - found.aside
    assert found.as_dict()["parameter_sets_left_aside"] == found.aside
    assert f"Under {found.aside} sets of numbers of the 40 that were drawn" in replayed_page(found)


def test_one_set_that_is_left_tells_of_no_others() -> None:
    """A replay divided by how many sets there are beside it; a comparison said that it differs by chance."""
    some = feud("0.5 [0.4, 1.7]")
    record = pk.simulate(some, replicates=1, seed=3).table()
    lived = pk.replay(some, record, "mechanisms.k", replicates=20, sets=2, seed=1)
    compared = pk.compare(some, ["calm"], replicates=20, sets=2, seed=1)
    assert (lived.sets, lived.aside, compared.sets, compared.aside) == (1, 1, 1, 1)
    assert all(one.range_low is None for one in (*lived.outcomes, lived.all_acts))
    for told in (replayed_page(lived), compared_page(compared)):
        assert "Too few are left to tell what other numbers would do" in told
        assert "differ by no more than chance" not in told
    assert "Too few are left" not in said_of_aside(2, 1)


def test_a_forecast_leaves_them_aside_and_says_so() -> None:
    events = by_day(simulated(120.0, 3))
    found = pk.forecast(scenario(), events, days=30, draws=400, fitted=open_law(), pool=False)
    said = [note for note in found.notes if "sets of numbers that the fit leaves open" in note]
    assert len(said) == 1
    aside = int(said[0].split()[0])
    assert 0 < aside < 40
    assert found.exploded == 0.0
    assert "drawn within the errors of a fit" in found.parameters
    sure = pk.forecast(scenario(), events, days=30, draws=400, fitted=law_that_is_sure(), pool=False)
    assert not [note for note in sure.notes if "left aside" in note]


def law_that_is_sure() -> Joint:
    law = open_law()
    return Joint(law.paths, law.is_log, law.estimate, law.covariance / 1e4)
