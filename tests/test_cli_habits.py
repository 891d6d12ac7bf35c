"""What people expect of a command line: completion, standard input, nothing overwritten, words that fit the number."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import powderkeg as pk
from powderkeg.cli import options
from powderkeg.cli.app import _exit_code as run
from powderkeg.wording import counted

SMALL = """
powderkeg: 1
name: small
start: 2020-01-01
years: 2
actors: {a: {title: "Alpha: the first"}, b: {}}
acts: {hit: {tone: hostile, title: Blow, heat: 9}}
moves: {hits: {who: a, does: hit, to: b, rate: 3 per year}}
outcomes: {hits: {count: {does: hit}}}
"""
FEW = ["--replicates", "20", "--quiet"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def typed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    options.typed_in.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode()), encoding="utf-8"))


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("powderkeg comp", "compare"),
        ("powderkeg run north", "north-kosovo"),
        ("powderkeg run north-kosovo --set moves.makes_ar", "moves.makes_arrests."),
        ("powderkeg run north-kosovo --set moves.makes_arrests.ra", "moves.makes_arrests.rate="),
        ("powderkeg run nowhere.yaml --set moves.makes_ar", ""),
    ],
)
def test_the_shell_completes_commands_scenarios_and_key_paths(typed: str, offered: str) -> None:
    known = os.environ | {"_POWDERKEG_COMPLETE": "complete_bash", "COMP_WORDS": typed,
                          "COMP_CWORD": str(len(typed.split()) - 1)}  # fmt: skip
    code = "from powderkeg.cli.app import main; main()"
    told = subprocess.run([sys.executable, "-c", code], env=known, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ([offered] if offered else []), told.stderr


@pytest.mark.usefixtures("typed_in")
def test_a_scenario_comes_from_standard_input_as_often_as_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "-"]) == 0
    assert "small: no fault. 2 actors, 1 act, 1 channel, 0 mechanisms." in capsys.readouterr().out
    events = tmp_path / "events.csv"
    events.write_text("date,source,act,target\n2020-02-03,a,hit,b\n2020-05-03,a,hit,b\n")
    assert run(["episodes", str(events), "--scenario", "-"]) == 0
    assert "2 standoffs" in capsys.readouterr().out


@pytest.mark.usefixtures("typed_in")
def test_scenario_and_events_do_not_share_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "-", "-"]) == 2
    assert "both the scenario and the events" in capsys.readouterr().err


def test_a_folder_with_results_of_something_else_is_left_alone(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert run(["run", str(file), *out, *FEW]) == 0
    before = (tmp_path / "out" / "outcomes.csv").read_bytes()
    other = tmp_path / "other.yaml"
    other.write_text(SMALL.replace("name: small", "name: other"))
    for words, said in (
        (["run", str(file), "--seed", "2"], "with seed 1"),
        (["run", str(other)], "of small"),
        (["compare", str(file), "--without", "a"], "of `powderkeg run`"),
    ):
        assert run([*words, *out, *FEW]) == 2
        assert said in capsys.readouterr().err
        assert (tmp_path / "out" / "outcomes.csv").read_bytes() == before
    assert run(["run", str(file), "--seed", "2", "--force", *out, *FEW]) == 0
    assert (tmp_path / "out" / "outcomes.csv").read_bytes() != before


def test_an_edited_scenario_replaces_its_own_results(file: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert run(["run", str(file), *out, *FEW]) == 0
    file.write_text(SMALL.replace("3 per year", "6 per year"), encoding="utf-8")
    assert run(["run", str(file), *out, *FEW]) == 0


def test_figures_and_their_tables_are_written_on_wish(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["run", str(file), "--out", str(out), "--figures", "svg, png", "--tables", "--page", *FEW]) == 0
    assert 'href="page.html"' in (out / "report.html").read_text(encoding="utf-8")
    assert "wasm-unsafe-eval" in (out / "page.html").read_text(encoding="utf-8")
    figures = {path.name for path in out.glob("figure-*")}
    assert {"figure-history.svg", "figure-history.png", "figure-ends.svg"} <= figures
    assert (out / "figure-ends.png").read_bytes().startswith(b"\x89PNG")
    ends = pl.read_csv(out / "table-ends.csv")
    assert ends["share"].sum() == pytest.approx(1.0)
    assert sum(name.endswith(".png") for name in figures) == sum(name.endswith(".svg") for name in figures)
    listed = json.loads((out / "powderkeg-manifest.json").read_text())["sets"]["run"]["files"]
    assert figures <= set(listed)


def test_an_unknown_format_of_figures_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", str(file), "--figures", "svg,pgn", *FEW]) == 2
    assert "nearest: 'png'" in capsys.readouterr().err


def test_episodes_are_told_with_titles(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.csv"
    events.write_text("date,source,act,target\n2020-02-03,a,hit,b\n")
    assert run(["episodes", str(events), "--scenario", str(file)]) == 0
    told = capsys.readouterr().out
    assert "1 standoff\n" in told
    assert "Alpha " in told and "Blow" in told and "the first" not in told


def test_codes_of_a_book_are_told_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    rows = [f"2020-02-0{day},ser,190,kos" for day in (3, 4, 5)]
    events.write_text("\n".join(["date,source,act,target", *rows]) + "\n")
    assert run(["episodes", str(events), "--codebook", "cameo"]) == 0
    told = capsys.readouterr().out
    assert "conventional force" in told and " 190 " not in told


def test_events_are_read_into_a_file_that_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "read", "events.csv"]) == 2
    assert "--out" in capsys.readouterr().err
    assert not Path("events.parquet").exists()


def test_one_is_said_as_one() -> None:
    assert (counted(1, "act"), counted(1_200, "act"), counted(0, "day")) == ("1 act", "1,200 acts", "0 days")
    assert counted(2, "run was", "runs were") == "2 runs were"


def test_a_folder_says_which_command_made_it_and_of_which_files(file: Path, tmp_path: Path) -> None:
    """Enough to make it again, and to know whether the files are still those."""
    import hashlib

    import powderkeg as pk

    events, out = tmp_path / "my events.csv", tmp_path / "out"
    events.write_text("date,source,act,target\n2020-02-03,a,hit,b\n2020-02-05,a,hit,b\n", encoding="utf-8")
    assert run(["attribute", str(file), str(events), "--out", str(out), "--seed", "5", "--quiet"]) == 0
    told = json.loads((out / "powderkeg-manifest.json").read_text(encoding="utf-8"))["sets"]["attribute"]
    assert (told["version"], told["seed"]) == (pk.__version__, 5)
    assert len(told["digest"]) == 64
    assert told["command"] == f"powderkeg attribute {file} '{events}' --seed 5"
    assert told["read"][events.as_posix()] == hashlib.sha256(events.read_bytes()).hexdigest()


def test_files_of_results_say_what_made_them(tmp_path: Path) -> None:
    """Whoever is sent one file alone can tell by what it was made and from what; a digest that does not fit is told."""
    scenario, record = tmp_path / "small.yaml", tmp_path / "record.csv"
    scenario.write_text(MADE_OF, encoding="utf-8")
    record.write_text("date,source,act,target\n2020-01-05,a,hit,b\n2020-02-05,b,hit,a\n2020-03-01,a,hit,b\n")
    known = hashlib.sha256(record.read_bytes()).hexdigest()
    out = tmp_path / "out"
    words = ["replay", str(scenario), str(record), "--without", "back", "--replicates", "4", "--no-ranges"]
    assert run([*words, "--quiet", "--out", str(out)]) == 0
    made = json.loads((out / "replay.json").read_text(encoding="utf-8"))["made"]
    assert made["version"] == pk.__version__ and made["seed"] == 1
    assert made["digest"] == pk.digest(pk.load(scenario)) and known in made["read"].values()
    assert made["command"].startswith("powderkeg replay") and "--out" not in made["command"]
    page = (out / "replay.html").read_text(encoding="utf-8")
    assert known in page and made["command"].split()[1] in page
    listed = json.loads((out / "powderkeg-manifest.json").read_text(encoding="utf-8"))["sets"]["replay"]
    assert {key: listed[key] for key in made} == made


MADE_OF = """
powderkeg: 1
name: small
start: 2020-01-01
actors: {a: {}, b: {}}
acts: {hit: {tone: hostile}}
moves: {hits: {who: any, does: hit, to: any, rate: 3 per year}}
mechanisms: {back: {when: x hits y, then: y hits x, answers: 0.3, half_life: 5 days}}
"""
