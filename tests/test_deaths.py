"""How many die in an act: the law, its draws by address, and what adds them up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.model.deaths import DeathNumbers, laws_of
from powderkeg.scenario import edit
from powderkeg.simulate.deaths import draw_deaths
from powderkeg.web.bundle import bundle

FEUD = """
powderkeg: 1
name: feud
start: 2010-01-01
years: 5
actors: {north: {}, south: {}}
acts:
  threaten: {tone: hostile, cameo: "138"}
  attack: {tone: hostile, cameo: "190", hurts: death, deaths: {none: 55 %, median: 2.5, spread: 3}}
  kill: {tone: hostile, cameo: "186", hurts: death}
moves:
  threats: {who: any, does: threaten, to: any, rate: 20 per year}
  attacks: {who: any, does: attack, to: any, rate: 6 per year}
  kills: {who: any, does: kill, to: any, rate: 1 per year}
mechanisms:
  retaliation: {when: x attacks y, then: y attacks x, answers: 0.4, half_life: 3 days}
outcomes:
  dead: {title: People killed, deaths: {hurts: death}, better: less}
  dead_by_north: {deaths: {who: north}}
  dead_in_answers: {deaths: {via: retaliation}}
  attacks: {count: {does: attack}}
interventions:
  raid: {at: 100 days, do: [{who: north, does: attack, to: south, at: 100 days}]}
"""


@pytest.fixture(scope="module")
def model() -> pk.Model:
    return pk.compile(pk.loads(FEUD))


@pytest.fixture(scope="module")
def runs(model: pk.Model) -> pk.Runs:
    return pk.simulate(model, replicates=200, seed=3)


def of_attacks(runs: pk.Runs) -> np.ndarray:
    """Dead of each attack."""
    dead = runs.deaths()
    assert dead is not None
    frame = runs.table().frame
    assert (frame["deaths"].to_numpy() == dead).all()
    return frame.filter(pl.col("act") == "attack")["deaths"].to_numpy()


@pytest.mark.parametrize("none", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("median", [0.6, 1.0, 40.0, 5e5])
@pytest.mark.parametrize("spread", [1.0, 1.5, 5.0])
def test_the_mean_is_that_of_the_numbers(none: float, median: float, spread: float) -> None:
    """Against two million quantiles, to three in a thousand: a heavy tail has some of its mean beyond them."""
    law = DeathNumbers(none, median, spread)
    numbers = law.numbers((np.arange(2_000_000) + 0.5) / 2_000_000)
    assert law.mean == pytest.approx(numbers.mean(), rel=3e-3, abs=1e-12)
    assert (numbers == np.rint(numbers)).all() and (np.diff(numbers) >= 0).all()
    assert (numbers == 0).mean() == pytest.approx(none, abs=1e-6)


def assert_follows(dead: np.ndarray, law: DeathNumbers) -> None:
    """Shares of none, one, up to 3, 10 and 30 dead: each within 5 standard errors. False alarm below 1e-5."""
    grid = law.numbers((np.arange(200_000) + 0.5) / 200_000)
    for most in (0, 1, 3, 10, 30):
        share = (grid <= most).mean()
        assert abs((dead <= most).mean() - share) < 5.0 * np.sqrt(share * (1 - share) / len(dead)), most


def test_acts_kill_as_their_law_says(model: pk.Model, runs: pk.Runs) -> None:
    """Some 10,000 attacks; a spread of 2.5 for 3, or 52 % without dead for 55 %, is refused."""
    dead, law = of_attacks(runs), laws_of(model)["attack"]
    assert len(dead) > 9_000
    assert_follows(dead, law)
    for other in (replace(law, spread=2.5), replace(law, none=0.52)):
        with pytest.raises(AssertionError):
            assert_follows(dead, other)


def test_dead_hang_on_nothing_that_was_drawn_before(model: pk.Model, runs: pk.Runs) -> None:
    """Neither on the number of the act, nor on how long after the one before it came."""
    dead, time = of_attacks(runs), runs.table().frame.filter(pl.col("act") == "attack")["time"].to_numpy()
    size = np.log1p(dead)
    for other in (np.diff(time), size[1:], np.arange(1, len(size)) % 2):
        assert abs(np.corrcoef(size[:-1], other)[0, 1]) < 5.0 / np.sqrt(len(dead))


def test_a_law_changes_no_history(model: pk.Model, runs: pk.Runs) -> None:
    scenario = pk.loads(FEUD.replace(", deaths: {none: 55 %, median: 2.5, spread: 3}", ""))
    plain = pk.simulate(scenario, replicates=200, seed=3)
    assert plain.digest() == runs.digest()
    assert plain.deaths() is None and "deaths" not in plain.table().frame.columns


def test_an_act_has_as_many_dead_in_every_part_of_a_job(model: pk.Model, runs: pk.Runs) -> None:
    part = runs.part(120, 160)
    for same in (pk.simulate(model, replicates=200, seed=3, span=(120, 160)), runs.part(100, 200).part(20, 60)):
        assert (same.deaths() == part.deaths()).all()
    moved = replace(part, origin=0)
    assert not (moved.deaths() == part.deaths()).all(), "the replicate must count"
    other = pk.simulate(model, replicates=200, seed=4)
    assert abs(other.deaths().mean() - runs.deaths().mean()) < 0.2 and other.deaths().max() != runs.deaths().max()


def test_two_worlds_share_the_dead_of_the_acts_that_they_share(model: pk.Model, runs: pk.Runs) -> None:
    """A higher median never makes fewer dead of an act; another share of acts without dead moves only some acts."""
    deadlier = pk.simulate(edit(model.scenario, {"acts.attack.deaths.median": "4"}), replicates=200, seed=3)
    assert (deadlier.time == runs.time).all()
    assert (deadlier.deaths() >= runs.deaths()).all() and deadlier.deaths().sum() > 1.2 * runs.deaths().sum()


def test_acts_at_one_instant_of_many_histories_follow_the_law(model: pk.Model) -> None:
    """An act put in by hand has the same time in all of them, so the replicate must tell them apart."""
    (attack, *_) = (i for i, c in enumerate(model.channels) if c.act == "attack")
    same = np.full(5_000, 100.0), np.full(5_000, attack)
    dead = draw_deaths(model, 1, np.arange(5_000), *same)
    assert dead is not None
    assert_follows(dead, laws_of(model)["attack"])
    of_one = draw_deaths(model, 1, np.zeros(5_000, np.int64), *same)
    assert of_one is not None and len(np.unique(of_one)) == 1


def test_an_attack_put_in_costs_its_dead_and_those_of_its_answers(model: pk.Model) -> None:
    """2.28 dead an attack, 0.4 answers to each: 3.80 on average. Within 4 standard errors, false alarm below 1e-4."""
    found = pk.compare(model, ["raid"], years=1, replicates=2_000, seed=1).table().filter(pl.col("name") == "dead")
    row = found.to_dicts()[0]
    error = (row["high"] - row["low"]) / 2 / 1.645
    expected = laws_of(model)["attack"].mean / 0.6
    assert abs(row["difference"] - expected) < 4.0 * error and 4.0 * error < 1.5


def test_outcomes_add_the_dead_up(model: pk.Model, runs: pk.Runs) -> None:
    """By actor and by mechanism, and acts that kill without a law as one each."""
    found = {row["name"]: row for row in pk.outcomes(model, runs).to_dicts()}
    frame, years = runs.table().frame, 200 * 5.0
    total = frame["deaths"].sum()
    assert found["dead"]["mean"] == pytest.approx(total / years)
    assert found["dead"]["low"] < found["dead"]["mean"] < found["dead"]["high"]
    north = frame.filter(pl.col("source") == "north")["deaths"].sum()
    assert found["dead_by_north"]["mean"] == pytest.approx(north / years)
    answers = frame.filter(pl.col("mechanism") == "retaliation")["deaths"].sum()
    assert found["dead_in_answers"]["mean"] == pytest.approx(answers / years)
    assert frame.filter(pl.col("act") == "kill")["deaths"].unique().to_list() == [1.0]
    plain = pk.compile(pk.loads(FEUD.replace(", deaths: {none: 55 %, median: 2.5, spread: 3}", "")))
    deadly = frame.filter(pl.col("act") != "threaten").height
    one_each = pk.outcomes(plain, pk.simulate(plain, replicates=200, seed=3)).filter(pl.col("name") == "dead")
    assert one_each["mean"][0] == pytest.approx(deadly / years)


def test_standoffs_of_runs_and_of_their_table_have_the_same_dead(model: pk.Model, runs: pk.Runs) -> None:
    """An attack in which nobody dies makes no standoff deadly, though attacks kill."""
    of_runs, of_table = pk.episodes(runs), pk.episodes(runs.table(), model)
    assert of_runs.equals(of_table)
    assert ((of_runs["killed"] > 0) == of_runs["deaths"]).all()
    assert (~of_runs["deaths"]).sum() > 0 and of_runs["killed"].sum() > of_runs["deaths"].sum()


def test_the_page_leaves_out_what_it_does_not_draw(model: pk.Model) -> None:
    names = {one["id"] for one in bundle(model.scenario)["outcomes"]}
    assert "attacks" in names and "standoffs.hurt" in names
    assert not names & {"dead", "standoffs.killed", "standoffs.deaths"}
    plain = pk.loads(FEUD.replace(", deaths: {none: 55 %, median: 2.5, spread: 3}", ""))
    assert {"standoffs.killed", "standoffs.deaths"} <= {one["id"] for one in bundle(plain)["outcomes"]}


def test_a_description_says_how_many_die(model: pk.Model) -> None:
    text = " ".join(str(pk.describe(model)).split())
    assert "in 45 % people die, then 5.07 on average (one act in 100 kills more than 23)" in text
