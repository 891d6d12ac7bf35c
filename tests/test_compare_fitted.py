"""What a fit left open, carried into a comparison: the joint law, its file, the spread it gives."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import powderkeg as pk
from powderkeg.analyze.outcomes import SHARE_UNITS
from powderkeg.cli.app import main
from powderkeg.compare import Comparison
from powderkeg.errors import UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit import Joint
from powderkeg.fit.joint_law import place_beside, read, read_beside
from powderkeg.report.compared import both, findings, page

INERTIA, RETALIATION = "mechanisms.inertia.answers", "mechanisms.retaliation.answers"
HALF_LIFE = "mechanisms.inertia.half_life"
SPREAD = 0.05
SCENARIO = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 20
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.25 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: "0.35 [0.27, 0.43]", half_life: 0.35 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: "0.25 [0.17, 0.33]", half_life: 0.35 days}
outcomes:
  threats: {title: Threats a year, count: {does: threaten}}
interventions:
  half: {title: Half as many sparks, set: {moves.threats.rate: 0.125 per day}}
"""


def law(correlation: float, spread: float = SPREAD) -> Joint:
    matrix = spread**2 * np.array([[1.0, correlation], [correlation, 1.0]])
    return Joint((INERTIA, RETALIATION), (False, False), np.array([0.35, 0.25]), matrix)


def as_before(data: dict) -> list[dict]:
    """The numbers of a file as versions 1 and 2 had them."""
    return [{key: value for key, value in number.items() if key != "slope"} for number in data["numbers"]]


def width(found: Comparison) -> float:
    effect = found.interventions[0].outcomes[0]
    assert effect.range_low is not None and effect.range_high is not None
    return effect.range_high - effect.range_low


@pytest.fixture(scope="module")
def fit() -> pk.Fit:
    """To 20 years of acts, with a half-life free, so that both scales are in the law."""
    model = pk.compile(pk.loads(SCENARIO))
    table = pk.simulate(model, years=20, replicates=1, seed=4).table()
    events = EventTable(table.frame.select("time", "source", "act", "target"), table.start, table.days)
    return pk.fit(model, events, free=[INERTIA, RETALIATION, HALF_LIFE], background="scenario")


def test_what_hangs_together_in_the_fit_hangs_together_in_the_comparison():
    """Two answers whose sum is sure to 0.01 though each alone is only to 0.05.

    Half as many sparks spare 0.25 a day of 0.5 / (1 - sum of answers): the 90 % of it under other numbers follows from
    the sum's law, normal and truncated far off. 120 sets of 20 pairs of a year: the widths are good to a fifth.
    """
    scenario = pk.loads(SCENARIO)
    options = {"years": 1, "replicates": 4_800, "sets": 120, "seed": 3}
    together = pk.compare(scenario, ["half"], fitted=law(-0.98), **options)
    alone = pk.compare(scenario, ["half"], **options)
    apart = pk.compare(scenario, ["half"], fitted=law(0.0), **options)
    assert together.fitted == (INERTIA, RETALIATION) and alone.fitted == ()
    for found, correlation in ((together, -0.98), (apart, 0.0)):
        reach = stats.norm.ppf(0.95) * SPREAD * math.sqrt(2.0 + 2.0 * correlation)
        expected = 365.25 * 0.25 * (1.0 / (0.4 - reach) - 1.0 / (0.4 + reach))
        assert width(found) == pytest.approx(expected, rel=0.4)
    # The planted error: ranges one by one make the answer look far less sure than the fit left it.
    assert width(alone) > 3.0 * width(together)


def test_draws_have_the_moments_of_the_fit(fit):
    """20,000 draws: means, spreads and correlations within 4 standard errors; a half-life's sign counts."""
    joint = Joint.of(fit)
    assert set(joint.paths) == {INERTIA, RETALIATION, HALF_LIFE}
    rows = joint.draw(20_000, 1)
    k = {path: i for i, path in enumerate(joint.paths)}
    values = np.array([[row[path] for path in joint.paths] for row in rows])
    values[:, list(joint.is_log)] = np.log(values[:, list(joint.is_log)])
    sd = np.sqrt(np.diag(joint.covariance))
    centre = np.where(joint.is_log, np.log(joint.estimate), joint.estimate)
    assert np.abs((values.mean(axis=0) - centre) / sd).max() < 4.0 / math.sqrt(20_000)
    correlation = joint.covariance / np.outer(sd, sd)
    assert np.abs(np.corrcoef(values.T) - correlation).max() < 4.0 / math.sqrt(20_000)
    # In the fit's own scales the half-life stands as a decay, which falls when it rises.
    own = fit.covariance[fit.covariance_paths.index(INERTIA), fit.covariance_paths.index(HALF_LIFE)]
    assert joint.covariance[k[INERTIA], k[HALF_LIFE]] == -own != 0.0


def test_a_half_life_and_its_answers_move_as_in_refits(fit):
    """Slow answers are hard to tell from sparks: more of them where the half-life is longer, so the sign is plus."""
    joint = Joint.of(fit)
    k = {path: i for i, path in enumerate(joint.paths)}
    assert joint.covariance[k[INERTIA], k[HALF_LIFE]] > 0.0


def test_a_rate_near_nothing_is_not_drawn_below_it():
    joint = Joint((INERTIA,), (False,), np.array([0.02]), np.array([[0.03**2]]))
    drawn = np.array([row[INERTIA] for row in joint.draw(4_000, 1)])
    assert drawn.min() >= 0.0 and (drawn == 0.0).mean() < 0.01
    expected = stats.truncnorm(-0.02 / 0.03, np.inf, 0.02, 0.03).mean()
    assert abs(drawn.mean() - expected) < 4.0 * drawn.std() / math.sqrt(4_000)


def test_a_fit_is_compared_with_what_it_left_open(fit):
    scenario = fit.scenario
    assert "half" in scenario.interventions
    found = pk.compare(fit, ["half"], years=1, replicates=40, sets=4)
    assert set(found.fitted) == {INERTIA, RETALIATION, HALF_LIFE}
    assert found.as_dict()["drawn_together"] == list(found.fitted)
    assert pk.compare(fit, ["half"], years=1, replicates=40, ranges=False).fitted == ()


def test_what_was_changed_since_is_left_out_of_the_law(fit):
    joint = Joint.of(fit)
    changed = pk.edit(fit.scenario, {INERTIA: 0.1})
    found = pk.compare(changed, ["half"], years=1, replicates=40, sets=4, fitted=joint)
    assert set(found.fitted) == {RETALIATION, HALF_LIFE}


def test_the_file_is_read_to_the_same_bits(fit, tmp_path):
    joint, place = Joint.of(fit), place_beside(tmp_path / "fitted.yaml")
    place.write_text(joint.text(), encoding="utf-8")
    assert place.name == "fitted.covariance.json"
    again = read(place)
    assert again.paths == joint.paths and again.is_log == joint.is_log
    assert np.array_equal(again.estimate, joint.estimate) and np.array_equal(again.covariance, joint.covariance)
    # The scenario beside it, through its file, still stands at the estimates.
    kept = pk.compile(pk.loads(pk.dump(fit.scenario)))
    assert again.among({p.path: p.value for p in kept.parameters}).paths == joint.paths
    assert replace(joint, paths=(), is_log=()).draw(2, 1) == [{}, {}]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data: "no", "not JSON"),
        (lambda data: "{}", "no version"),
        (lambda data: "[]", "expected a mapping of names"),
        (lambda data: json.dumps(data | {"powderkeg covariance": 5}), "version 5"),
        (lambda data: json.dumps(data | {"powderkeg covariance": True}), "version true"),
        (lambda data: json.dumps(data | {"covariance": [[1.0]]}), r"covariance: 1 rows\n    expected 3, one a number"),
        (lambda data: json.dumps(data | {"covariance": [[1.0] * 3, [1.0], [1.0] * 3]}), r"covariance\[1\]: a row of 1"),
        (lambda data: json.dumps(data | {"covariance": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]}), "is no covariance"),
        (lambda data: json.dumps(data | {"covariance": [[1, 2, 0], [-2, 1, 0], [0, 0, 1]]}), "is no covariance"),
        (lambda data: json.dumps(data | {"covariance": [[1e308] * 3] * 2 + [[1e308, 1e308, -1e308]]}), "no covariance"),
        (lambda data: json.dumps(data).replace('"log"', '"lgo"'), r"numbers\[.\].scale: 'lgo'"),
        (lambda data: json.dumps(data).replace('"log"', "[]"), r"numbers\[.\].scale: a list of 0"),
        (lambda data: json.dumps(data | {"covariance": [[1e999] * 3] * 3}), "Infinity, which is no number in JSON"),
        (lambda data: json.dumps(data | {"covariance": [[10**400] * 3] * 3}), "a whole number of 401 digits"),
        (lambda data: json.dumps(data | {"covariance": [[1, 0, 0]] * 3, "note": 1}), "note: an unknown name"),
        (lambda data: json.dumps(data | {"numbers": data["numbers"][:1] * 3}), "a second time"),
        (lambda data: json.dumps(data | {"numbers": [n | {"estimate": -1} for n in data["numbers"]]}), "estimate: -1"),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_that_is_no_law_is_named(fit, tmp_path, change, found, sealed):
    """Without the seal, as version 1 had it: the shape alone. With it, the shape is still what is told first."""
    place = tmp_path / "x.covariance.json"
    data = json.loads(Joint.of(fit).text())
    if not sealed:
        data = {"powderkeg covariance": 1, "numbers": as_before(data), "covariance": data["covariance"]}
    place.write_text(change(data), encoding="utf-8")
    with pytest.raises(UsageError, match=found if not sealed else f"{found}|has been changed since") as caught:
        read(place)
    assert str(place) in str(caught.value)


def test_a_law_whose_numbers_were_changed_is_not_believed(fit, tmp_path):
    """It is a law as well, only another one: the seal tells. One without a seal, of an earlier version, is read."""
    place = tmp_path / "x.covariance.json"
    data = json.loads(Joint.of(fit).text())
    data["covariance"][0][0] *= 1.01
    place.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="the file has been changed since it was written"):
        read(place)
    first = {"powderkeg covariance": 1, "numbers": as_before(data), "covariance": data["covariance"]}
    place.write_text(json.dumps(first))
    assert read(place).covariance[0, 0] == data["covariance"][0][0]


def test_two_files_of_different_fits_are_told(fit, tmp_path):
    """As a kill between the two leaves them, or a copy of one alone."""
    place = place_beside(tmp_path / "fitted.yaml")
    place.write_text(Joint.of(fit).text())
    edited = pk.edit(fit.scenario, {INERTIA: 0.1})
    assert read_beside(edited, place).paths == Joint.of(fit).paths
    other = pk.edit(fit.scenario, dict.fromkeys(Joint.of(fit).paths, 0.123))
    with pytest.raises(UsageError, match="none of its numbers stands at its estimate in the scenario beside it"):
        read_beside(other, place)
    with pytest.raises(UsageError, match=f"'{INERTIA}', which is not in the scenario"):
        read_beside(pk.load("north-kosovo"), place)


def test_the_command_takes_the_law_that_lies_beside_the_scenario(fit, tmp_path, capsys):
    place = tmp_path / "fitted.yaml"
    place.write_text(pk.dump(fit.scenario), encoding="utf-8")

    def compared(*more: str) -> dict:
        words = ["compare", str(place), "half", "--years", "1", "--replicates", "40", "--sets", "4", "--json", *more]
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 0
        return json.loads(capsys.readouterr().out)

    assert compared()["drawn_together"] == []
    place_beside(place).write_text(Joint.of(fit).text(), encoding="utf-8")
    assert set(compared()["drawn_together"]) == {INERTIA, RETALIATION, HALF_LIFE}
    assert set(compared("--set", f"{INERTIA}=0.1")["drawn_together"]) == {RETALIATION, HALF_LIFE}
    Path(place_beside(place)).write_text("?", encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["compare", str(place), "half"])
    assert left.value.code == 2
    assert "not JSON" in capsys.readouterr().err


def test_a_number_set_to_an_end_of_its_range_proves_nothing_by_its_sign() -> None:
    """A mechanism that may as well not be there: whatever is drawn from [0, 0.8], fewer answers are fewer acts."""
    text = """
powderkeg: 1
name: ends
start: 2020-01-01
years: 3
actors: {a: , b: }
acts: {hit: {tone: hostile}}
moves: {hits: {who: [a, b], does: hit, to: [a, b], rate: 30 per year}}
mechanisms: {back: {when: x hits y, then: y hits x, answers: "0.4 [0, 0.8]", half_life: "3 [1, 6] days"}}
outcomes: {hits: {count: {does: hit}}}
interventions:
  none: {set: {mechanisms.back.answers: 0}}
  fewer: {set: {mechanisms.back.answers: 0.1}}
  quick: {set: {mechanisms.back.half_life: 1 day}}
"""
    found = pk.compare(pk.loads(text), replicates=40, sets=6, seed=1)
    ends = {one.name: one.at_ends for one in found.interventions}
    assert ends == {"none": ("mechanisms.back.answers",), "fewer": (), "quick": ("mechanisms.back.half_life",)}
    told = " ".join(findings(found, most=3))
    assert "the range of mechanisms.back.answers allows that nothing changes" in told
    assert "mechanisms.back.answers to an end of its range" in page(found)
    assert not any(one.at_ends for one in pk.compare(pk.loads(text), replicates=4, ranges=False).interventions)


def test_what_is_told_first_names_what_speaks_against_it() -> None:
    """Fewer blows and fewer talks: who reads one line must not take it for all good. Blows alone have no but."""
    text = """
powderkeg: 1
name: both
start: 2020-01-01
years: 3
actors: {a: , b: }
acts: {hit: {tone: hostile}, talk: {tone: cooperative}}
moves:
  hits: {who: [a, b], does: hit, to: [a, b], rate: 30 per year}
  talks: {who: [a, b], does: talk, to: [a, b], rate: 30 per year}
outcomes:
  hits: {title: Blows, count: {does: hit}, better: less}
  talks: {title: Talks, count: {does: talk}, better: more}
interventions:
  apart: {title: Kept apart, set: {moves.hits.rate: 3 per year, moves.talks.rate: 9 per year}}
  disarmed: {title: Disarmed, set: {moves.hits.rate: 3 per year}}
"""
    found = pk.compare(pk.loads(text), replicates=100, seed=1)
    told = {line.partition(":")[0]: line for line in findings(found)}
    assert re.search("“Blows”.* calls better, but “Talks”.* calls worse", told["Kept apart"])
    assert "“Blows”" in told["Disarmed"] and "but" not in told["Disarmed"]


def test_an_intervention_on_what_the_fit_does_not_need_says_so() -> None:
    """Without retaliation nothing changes: not for it does no good, but for the record shows none of it."""
    text = SCENARIO + "sources: {fitted: {title: a fit}}\n"
    fitted = text.replace('"0.25 [0.17, 0.33]"', "{value: '0 [0, 0.05]', source: fitted}").replace(
        '"0.35 [0.27, 0.43]"', "{value: '0.35 [0.27, 0.43]', source: fitted}"
    )
    asked = ["without retaliation", "mechanisms.retaliation.answers=0.3", "without inertia", "half"]
    found = pk.compare(pk.loads(fitted), asked, years=1, replicates=4, seed=1, sets=2)
    assert [one.not_needed for one in found.interventions] == [("retaliation",), ("retaliation",), (), ()]
    assert "do not need it" in page(found)
    written = pk.compare(pk.loads(SCENARIO.replace("0.17", "0")), asked[:1], years=1, replicates=4, seed=1, sets=2)
    assert written.interventions[0].not_needed == ()  # a range that somebody wrote is no fit


def test_what_changed_is_told_with_figures_enough_to_see_it() -> None:
    assert both(0.46, 1.02, "per year") == "0.46 → 1.02"
    assert both(0.2321, 0.2279, "per year") == "0.232 → 0.228"
    assert both(0.0512, 0.0508, SHARE_UNITS[0]) == "5.12 % → 5.08 %"
    assert both(0.25, 0.25, "per year") == "0.25 → 0.25"
