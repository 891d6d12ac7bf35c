"""`powderkeg compare`, `sweep`, `brink`: what is typed, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from powderkeg.cli.app import _exit_code as run
from powderkeg.cli.compare import split
from powderkeg.errors import UsageError
from powderkeg.plots import differences, svg
from powderkeg.plots.comparison import change
from tests.test_compare import TWO_CORNERS

FEW = ["--replicates", "40", "--sets", "3"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "two_corners.yaml"
    hostile = TWO_CORNERS.replace("half: {set", 'half: {title: "<script>alert(1)</script> 50 % less", set')
    path.write_text(hostile)
    return str(path)


@pytest.mark.parametrize(
    ("words", "scenario", "interventions"),
    [
        ([], "north-kosovo", []),
        (["withdraw_kfor"], "north-kosovo", ["withdraw_kfor"]),
        (["north-kosovo"], "north-kosovo", []),
        (["north-kosovo", "nothing", "a+b"], "north-kosovo", ["nothing", "a+b"]),
        (["mine.yaml", "nothing"], "mine.yaml", ["nothing"]),
        (["folder/mine", "nothing"], "folder/mine", ["nothing"]),
        (["north-kosvo", "nothing"], "north-kosvo", ["nothing"]),
    ],
)
def test_the_first_word_is_a_scenario_or_an_intervention(
    words: list[str], scenario: str, interventions: list[str]
) -> None:
    assert split(words) == (scenario, interventions)


def test_json_has_what_was_promised(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", file, "half", "nothing", "--json", *FEW]) == 0
    found = json.loads(capsys.readouterr().out)["interventions"]
    assert list(found) == ["half", "nothing"]
    for one in found.values():
        for outcome in one["outcomes"].values():
            assert {"baseline", "value", "difference", "low", "high", "unpaired_ratio"} <= set(outcome)
    assert found["half"]["outcomes"]["hits"]["difference"] < 0
    assert {outcome["difference"] for outcome in found["nothing"]["outcomes"].values()} == {0.0}


def test_worlds_that_the_file_does_not_foresee_are_typed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--with", "moves.near.rate=2 per year", "--without", "c", "--json", "--no-ranges", *FEW]
    assert run(["compare", file, "half", *words]) == 0
    found = json.loads(capsys.readouterr().out)["interventions"]
    assert list(found) == ["half", "moves.near.rate=2 per year", "without c"]
    half, typed = (found[name] for name in ("half", "moves.near.rate=2 per year"))
    assert half["outcomes"] == typed["outcomes"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--with", "moves.near.rat=2"], "nearest: 'moves.near.rate'"),
        (["--with", "half"], "expected PATH=VALUE"),
        (["--without", "fenc"], "--without: unknown name 'fenc'"),
        (["haf"], "--with PATH=VALUE or --without X"),
    ],
)
def test_a_slip_in_such_a_world_is_named(
    file: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", file, *words, *FEW]) == 2
    assert said in capsys.readouterr().err


def test_without_names_all_interventions_are_compared(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", file, "--json", "--years", "4", "--no-ranges", "--replicates", "10"]) == 0
    assert len(json.loads(capsys.readouterr().out)["interventions"]) == 13


def test_the_table_names_the_verdicts_of_the_scenario(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer hits: better overall by the scenario's word, worse where it wants more of them."""
    assert run(["compare", file, "half", "--replicates", "400", "--no-ranges"]) == 0
    lines = {line[:12].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert " better " in lines["hits"]
    assert " worse " in lines["near_hits"]
    assert "no change" in lines["far_hit"] or "no clear change" in lines["far_hit"]


def test_the_folder_holds_table_figure_and_page(file: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["compare", file, "half", "short_fence", "--quiet", "--out", str(out), *FEW]) == 0
    assert {path.name for path in out.iterdir()} == {
        "comparison.csv", "comparison.json", "comparison.svg", "comparison.html",
        "powderkeg-manifest.json",
    }  # fmt: skip
    table = pl.read_csv(out / "comparison.csv")
    assert set(table["intervention"]) == {"half", "short_fence"}
    page = (out / "comparison.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    ElementTree.fromstring((out / "comparison.svg").read_text())


WITHOUT_OUTCOMES = """
powderkeg: 1
name: no_questions
start: 2000-01-01
years: 1
actors: {north: {is: state}, south: {is: state}}
acts:
  hit: {tone: hostile, cameo: "190", hurts: injury}
  talk: {tone: cooperative, cameo: "04"}
moves:
  hits: {who: state, does: hit, to: state, rate: "6 [3, 9] per year"}
  talks: {who: state, does: talk, to: state, rate: "6 [3, 9] per year"}
mechanisms:
  fights_back: {when: x hits y, then: y hits x, answers: "0.4 [0.2, 0.6]", half_life: "3 [1, 6] days"}
interventions:
  calm: {title: Calm, set: {mechanisms.fights_back.answers: 0.1}}
"""


def test_a_scenario_that_asks_nothing_is_compared_by_its_standoffs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All worlds were run, then there was a traceback and an empty folder."""
    (tmp_path / "x.yaml").write_text(WITHOUT_OUTCOMES)
    out = tmp_path / "out"
    words = ["compare", str(tmp_path / "x.yaml"), "--replicates", "200", "--no-ranges", "--out", str(out)]
    assert run(words) == 0
    assert "standoffs" in capsys.readouterr().out
    table = pl.read_csv(out / "comparison.csv")
    assert set(table["about"]) == {"standoffs", "mechanisms"}
    assert "The scenario asks no questions of its own" in (out / "comparison.html").read_text()
    ElementTree.fromstring((out / "comparison.svg").read_text())
    assert run(["run", str(tmp_path / "x.yaml"), "--replicates", "1", "--quiet", "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "outcomes.csv").read_text().startswith("name,")
    words = ["replay", str(tmp_path / "x.yaml"), str(tmp_path / "run" / "events.parquet"), "--without", "fights_back"]
    assert (
        run([*words, "--replicates", "4", "--imputations", "2", "--no-ranges", "--out", str(tmp_path / "replay")]) == 0
    )
    assert (tmp_path / "replay" / "outcomes.csv").read_text().startswith("name,title,unit,")


def test_a_figure_of_nothing_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="nothing to draw of 'o'"):
        differences([], outcome="o")


def test_the_same_bytes_again_whatever_the_number_of_workers(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for workers in ("1", "2"):
        assert run(["compare", file, "half", "--json", "--workers", workers, *FEW]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]


def test_faults_are_told_before_anything_runs(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["compare", file, "haf", "too_late", "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "unknown intervention 'haf'" in told
    assert "nearest: 'half'" in told
    assert list(out.iterdir()) == []
    assert run(["compare", file, "too_late", "half+third"]) == 2
    told = capsys.readouterr().err
    assert "interventions.too_late.at: day 800, after the end" in told
    assert "moves.near.rate cannot be 2 per year (half) and 1 per year (third) at once" in told
    assert "2 faults; nothing was run." in told


def row(**parts: object) -> dict[str, object]:
    plain = {
        "intervention": "i", "intervention_title": "It", "name": "o", "title": "Outcome", "unit": "per year",
        "better": "less", "baseline": 1.0, "value": 0.5, "difference": -0.5, "low": -0.6, "high": -0.4,
        "range_low": -0.9, "range_high": 0.1, "verdict": "better",
    }  # fmt: skip
    return plain | parts


def test_numbers_have_the_digits_that_their_interval_bears() -> None:
    assert change(row()) == "−0.50 [−0.60, −0.40]"
    assert change(row(difference=-123.4, low=-140.0, high=-100.0)) == "−123 [−140, −100]"
    assert change(row(unit="share of runs")) == "−50.0 [−60.0, −40.0] points"
    assert change(row(difference=0.0, low=0.0, high=0.0)) == "0 [0, 0]"


def test_the_figure_says_what_the_rows_say() -> None:
    rows = [
        row(),
        row(intervention="j", intervention_title="Other", verdict="no clear change", low=-0.6, high=0.3),
        row(name="never", title="War", baseline=0.0, value=0.0, difference=0.0, low=-0.1, high=0.1),
        row(intervention="j", name="never", title="War", baseline=0.0, value=0.0, difference=0.0, low=-0.1, high=0.1),
    ]
    picture = svg(differences(rows))
    assert "In no run of any world, and so not drawn: War." in picture
    assert "It: −0.50 [−0.60, −0.40], better" in picture
    assert "better ?" in picture
    assert "not clear" in picture
    single = svg(differences(rows[:1], intervention="i"))
    assert "Number a year" in single


def test_brink_tells_states_and_movers(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["brink", "--replicates", "20", "--years", "2", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "dispute on" in told
    assert "mechanisms.fights_back.answers" in told
    assert pl.read_csv(out / "states.csv")["share_of_time"].sum() == pytest.approx(1.0)
    assert run(["brink", file, "--replicates", "50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["near"]["at_least"] == 0.9


def test_a_misspelt_scenario_is_no_intervention_of_another() -> None:
    """`compare jongley` was told the interventions of north Kosovo."""
    from powderkeg.cli.compare import split

    assert split(["jongley", "talks"]) == ("jongley", ["talks"])
    assert split(["withdraw_kfr"]) == ("north-kosovo", ["withdraw_kfr"])
    assert split([]) == ("north-kosovo", [])
