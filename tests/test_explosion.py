"""Systems that explode: each is stopped early, says why, and takes neither the memory nor the page."""

from __future__ import annotations

import re
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg import plots
from powderkeg.compare.sweep.sweeps import axis
from powderkeg.engine.simulation.chunks import most_waiting
from powderkeg.errors import ModelError, PowderkegWarning, UsageError
from powderkeg.plots import strip
from powderkeg.simulate import TRIAL, jobs, memory
from powderkeg.simulate.memory import Held, available, budget, in_words

SCENARIO = """
powderkeg: 1
name: feud
start: 2000-01-01
years: 1
actors: {{a: , b: }}
acts: {{hit: {{tone: hostile}}, talk: {{tone: neutral}}}}
facts: {{sore: {{lasts: 40 days}}}}
moves:
  m: {{who: a, does: hit, to: b, rate: {rate} per year}}
  n: {{who: b, does: hit, to: a, rate: {rate} per year}}
  t: {{who: b, does: talk, to: a, rate: 1 per year}}
mechanisms:
  k: {{when: x hits y, then: y hits x, answers: {answers}, half_life: 3 days}}
interventions:
  calm: {{title: Calm, set: {{mechanisms.k.answers: 0.1}}}}
  rage: {{title: Rage, set: {{mechanisms.k.answers: 2}}}}
outcomes:
  hits: {{title: Hits a year, count: {{does: hit}}, better: less}}
  talks: {{title: Whether they talk, any: {{does: talk}}}}
"""


@pytest.fixture(autouse=True)
def nothing_is_affordable(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small limits, which are quick to reach, are treated as large ones are."""
    monkeypatch.setattr(jobs, "AFFORDABLE", 10_000)


def feud(answers: object = 2, rate: float = 12) -> pk.Model:
    return pk.compile(pk.loads(SCENARIO.format(answers=answers, rate=rate)))


def quietly(*arguments: object, **options: object) -> pk.Runs:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)
        return pk.simulate(*arguments, **options)  # type: ignore[arg-type]


def test_a_job_ends_after_the_first_runs_if_each_explodes_and_names_the_mechanism() -> None:
    with pytest.warns(PowderkegWarning) as told:
        runs = pk.simulate(feud(), replicates=500, seed=1, limit=2_000)
    (said,) = [str(one.message) for one in told]
    assert "each of the first 8 replicates exploded" in said and "492 were not begun" in said
    assert "mechanisms.k (1.00)" in said
    assert (runs.replicates, runs.asked, runs.is_cut) == (TRIAL, 500, True)
    assert len(runs) == TRIAL * 2_000


def test_where_it_ends_depends_on_neither_workers_nor_how_many_were_asked_for(tmp_path: Path) -> None:
    found = {
        quietly(feud(), replicates=n, seed=1, limit=2_000, workers=workers).digest()
        for n, workers in ((TRIAL, 1), (9, 1), (500, 2), (5_000, 5))
    }
    kept = [quietly(feud(), replicates=500, seed=1, limit=2_000, checkpoint=tmp_path / "kept") for _ in range(2)]
    assert {*found, *(runs.digest() for runs in kept)} == found and len(found) == 1


def test_a_system_that_explodes_only_now_and_then_is_run_to_its_end() -> None:
    """About a third of the families that one act founds never end."""
    model = feud("1.2", rate=0.7)
    with pytest.warns(PowderkegWarning, match="replicates were stopped at 2,000 events"):
        runs = pk.simulate(model, replicates=60, seed=1, limit=2_000)
    assert 0 < runs.exploded.sum() < 60 and runs.replicates == 60 and not runs.is_cut


def test_a_job_that_any_machine_can_hold_is_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "AFFORDABLE", 40_000)
    runs = quietly(feud(), replicates=20, seed=1, limit=2_000)
    assert runs.replicates == 20 and runs.exploded.all() and not runs.is_cut
    assert quietly(feud(), replicates=21, seed=1, limit=2_000).is_cut


def test_the_first_runs_of_a_job_are_those_of_a_smaller_one() -> None:
    model = feud("0.5")
    runs = pk.simulate(model, replicates=40, seed=3, keys=True)
    few = runs.first(11)
    assert few.digest() == pk.simulate(model, replicates=11, seed=3).digest()
    assert few.key is not None and len(few.key) == len(few.time) and len(few.level_time) == 11
    assert runs.first(40) is runs


@pytest.mark.parametrize("answers", ["300000000", "1000000000000"])
@pytest.mark.parametrize("stateful", [False, True])
def test_answers_that_wait_count_too(answers: str, stateful: bool) -> None:
    """One act with 3e8 answers asked for more than 12 GB: recorded events alone were counted."""
    model = feud(answers)
    if stateful:  # acts move a fact, so that nothing can be followed family by family
        text = SCENARIO.format(answers=answers, rate=12).replace("rate: 1 per year", "rate: 1 per year, sets: sore")
        model = pk.compile(pk.loads(text))
    runs = quietly(model, replicates=2, seed=1)
    assert runs.exploded.all()
    assert len(runs) < 50
    assert (runs.reached < runs.days).all()


def test_the_bound_on_waiting_answers_leaves_ordinary_runs_alone() -> None:
    assert most_waiting(10) == 1_000_000
    assert most_waiting(3_000_000) == 6_000_000


@pytest.mark.parametrize("workers", [1, 3])
def test_a_job_that_would_not_fit_is_refused_and_one_that_fits_is_the_same(workers: int) -> None:
    model = feud("0.5")
    free = pk.simulate(model, replicates=300, seed=1, workers=workers)
    enough = len(free) * jobs.BYTES
    assert pk.simulate(model, replicates=300, seed=1, workers=workers, memory=enough).digest() == free.digest()
    with pytest.raises(ModelError, match=r"would not fit into .* \(as asked for\)"):
        pk.simulate(model, replicates=300, seed=1, workers=workers, memory=enough - jobs.BYTES)


@pytest.mark.parametrize(
    ("written", "n"), [("4GB", 2**32), ("4 GiB", 2**32), ("1.5 mb", 3 * 2**19), ("800", 800), (800, 800)]
)
def test_memory_is_read_as_people_write_it(written: int | str, n: int) -> None:
    assert budget(written).bytes == n


@pytest.mark.parametrize("written", ["much", "-1 GB", "0", 0, "4 XB", "", True, "1e3"])
def test_what_is_no_amount_of_memory_is_refused(written: int | str) -> None:
    with pytest.raises(UsageError, match="an amount such as 4GB"):
        budget(written)


def test_without_a_word_from_the_system_four_gigabytes_are_assumed_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: None)
    assert str(budget()) == "2 GB (half of 4 GB: the system does not say how much is free)"


def test_what_is_free_is_the_least_that_anybody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_system", lambda: 8 * 2**30)
    monkeypatch.setattr(memory, "_process", lambda: None)
    files = {"": [["max", "5"], ["3000000000", "1000000000"]]}
    monkeypatch.setattr(memory, "granted", lambda controller, *names: iter(files.get(controller, [])))
    assert available() == 2_000_000_000
    files[""] = [["max", "5"]]
    assert available() == 8 * 2**30
    monkeypatch.setattr(memory, "_system", lambda: None)
    assert available() is None


def test_this_machine_says_how_much_is_free() -> None:
    free = available()
    assert free is None or 2**20 < free < 2**50


def test_threads_count_together() -> None:
    held = Held(budget(1_000), 10, "things")
    held.add(100)
    with pytest.raises(ModelError, match="more than 100 things"):
        held.add(1)
    assert in_words(3 * 2**29) == "1.5 GB"


def test_a_comparison_of_a_scenario_that_explodes_is_refused_with_its_mechanism() -> None:
    with pytest.raises(ModelError, match=r"(?s)the scenario as it is: each of the first 8.*mechanisms\.k"):
        pk.compare(feud().scenario, ["calm"], replicates=200, ranges=False, limit=2_000)
    with pytest.raises(ModelError, match=r"interventions\.rage: each of the first 8"):
        pk.compare(feud("0.2").scenario, ["rage"], replicates=200, ranges=False, limit=2_000)


def test_other_numbers_under_which_it_explodes_are_compared_by_the_runs_there_are() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)
        found = pk.compare(
            feud("0.2").scenario, ["calm"], replicates=64, limit=2_000,
            sets=[{"mechanisms.k.answers": 0.3}, {"mechanisms.k.answers": 2.0}],
        )  # fmt: skip
    assert found.stopped == 0 and found.stopped_under == TRIAL
    (hits,) = [one for one in found.interventions[0].outcomes if one.name == "hits"]
    assert hits.range_low is None or hits.range_low < hits.difference


def test_a_sweep_tells_where_it_explodes_and_by_how_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "EVENT_LIMIT", 2_000)
    scenario = feud("0.2").scenario
    with pytest.warns(PowderkegWarning, match="each of the first 8"):
        found = pk.sweep(scenario, [axis(scenario, "mechanisms.k.answers", "0.2,2")], replicates=50)
    rows = found.table.filter(pl.col("outcome") == "hits").sort("point")
    assert rows["runs"].to_list() == [50, TRIAL]
    assert rows["stopped"].to_list() == [0, TRIAL]
    assert rows["difference"].to_list()[0] == 0.0 < rows["difference"].to_list()[1]


def test_a_rare_event_in_a_system_that_explodes_is_refused() -> None:
    with pytest.raises(ModelError, match=r"each of 8 runs exploded .*mechanisms\.k"):
        pk.rare(feud(rate=50), "talks", starts=50, repetitions=20, limit=500)


def test_a_replay_that_explodes_each_time_is_refused() -> None:
    history = quietly(feud("0.2"), replicates=1, seed=1).table()
    model = feud("0.2")
    with pytest.raises(ModelError, match=r"each of the first 8 replays exploded .*mechanisms\.k"):
        pk.replay(model, history, "mechanisms.k.answers=2", replicates=40, ranges=False, limit=500)


def _acts(n: int, actors: int = 6) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "time": np.sort(rng.uniform(0.0, 3650.0, n)),
            "source": [f"actor_{k}" for k in rng.integers(0, actors, n)],
            "act": ["hit"] * n,
            "tone": [("hostile", "cooperative", "neutral")[k] for k in rng.integers(0, 3, n)],
            "heat": rng.uniform(0.0, 5.0, n),
        }
    )


def _standoffs(n: int) -> pl.DataFrame:
    start = np.linspace(0.0, 3600.0, n)
    return pl.DataFrame({"start": start, "last": start + np.arange(n) % 7, "end_state": ["spent"] * n})


def test_a_history_of_any_length_makes_a_picture_of_few_megabytes() -> None:
    acts, standoffs = _acts(300_000), _standoffs(5_000)
    drawn = plots.svg(plots.history(acts, standoffs, date(2000, 1, 1), 3650.0))
    assert len(drawn) < 4_000_000
    assert "A stroke stands for all of its kind" in drawn and "the 1,000 longest shaded" in drawn
    assert "300,000 acts" in drawn


def test_of_many_acts_the_harshest_stands_for_its_stretch() -> None:
    acts = _acts(strip.MOST_ACTS + 1)
    together, days = strip._put_together(acts, 3650.0, 6)
    assert days is not None and together.height <= strip.MOST_ACTS
    assert int(together["together"].sum()) == acts.height
    one = together.filter(pl.col("together") > 1).row(0, named=True)
    same = acts.filter(
        (pl.col("source") == one["source"]) & (pl.col("tone") == one["tone"])
        & ((pl.col("time") / days).floor() == one["stretch"])
    )  # fmt: skip
    assert one["heat"] == same["heat"].max() and one["together"] == same.height
    few = _acts(strip.MOST_ACTS)
    assert strip._put_together(few, 3650.0, 6) == (few, None) or strip._put_together(few, 3650.0, 6)[1] is None


def test_a_page_of_a_run_that_exploded_is_small_and_says_so(tmp_path: Path) -> None:
    from powderkeg import report

    model = feud()
    runs = quietly(model, replicates=20, seed=1, limit=30_000)
    results = report.gather(model, runs)
    place = tmp_path / "page.html"
    report.write(results, place, [], "powderkeg run")
    page = place.read_text(encoding="utf-8")
    assert len(page) < 3_000_000
    assert re.search(r"8\D{0,40}stopped|stopped\D{0,60}8|exploded", page)
