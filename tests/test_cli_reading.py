"""Whatever Python can be told about event files can be told to each command that reads some."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from event_files import icews, icews_row
from typer.testing import CliRunner

from powderkeg.cli.app import program
from powderkeg.cli.reading import ReadingOptions
from powderkeg.events import convert, read_events
from powderkeg.events.match import match

COMMANDS = (
    "events read", "events summary", "events match", "episodes", "fit", "attribute", "replay", "forecast", "rank"
)  # fmt: skip
OWN = "date,source,target,code\n01/02/2018,a,b,111\n05/03/2018,b,a,042\n"


def options_of(command: str) -> set[str]:
    from typer.main import get_command

    found = get_command(program())
    for word in command.split():
        found = found.commands[word]  # type: ignore[attr-defined]
    return {name for one in found.params for name in (*one.opts, *one.secondary_opts)}


def every_command() -> list[str]:
    """All commands, those of a group as `events read`."""
    from typer.main import get_command

    groups = get_command(program()).commands.items()  # type: ignore[attr-defined]
    return [
        words for name, one in groups for words in [f"{name} {sub}" for sub in getattr(one, "commands", {})] or [name]
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_events_has_every_option(command: str) -> None:
    wanted = {
        "--format", "--map", "--codebook", "--date-format", "--separator", "--encoding", "--sheet", "--directed",
        "--undirected", "--start", "--end", "--max-lag", "--doubles", "--aliases", "--skip-bad-files",
    }  # fmt: skip
    assert wanted <= options_of(command)


def test_every_argument_of_reading_can_be_given() -> None:
    told = set(ReadingOptions(["x"]).arguments(None))
    for function in (read_events, convert):
        asked = set(inspect.signature(function).parameters) - {"paths", "out", "progress", "quarantine"}
        assert asked == told
    assert set(inspect.signature(match).parameters) - {"scenario", "table", "doubles"} <= {
        "aliases",
        "source",
        "acts",
        "touching",
    }
    assert {"--acts", "--source"} <= options_of("events match")


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(program(), words)
    return found.exit_code, found.output


def test_what_is_asked_can_be_answered(tmp_path: Path) -> None:
    """Dates that read two ways and codes of two books were dead ends outside Python."""
    path = tmp_path / "own.csv"
    path.write_text(OWN)
    code, out = run(
        "events", "summary", str(path), "--date-format", "month-first", "--codebook", "weis", "--directed", "--json"
    )
    assert code == 0, out
    told = json.loads(out)
    assert (told["first_day"], told["last_day"]) == ("2018-01-02", "2018-05-03")
    assert told["classes"].keys() != {"unknown"}
    code, out = run("episodes", str(path), "--date-format", "day-first", "--undirected", "--json")
    assert code == 0 and json.loads(out)["first_day"] == "2018-02-01"


def test_rows_added_are_told(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("date,source,target,act,count\n2018-01-02,a,b,x,3\n")
    code, out = run("events", "summary", str(path))
    assert code == 0 and "1 row read, 2 added (counted events): 3 kept, 0 set aside." in " ".join(out.split())


def test_names_without_a_scenario_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "icews.tab"
    path.write_text(icews([icews_row(1)]))
    (tmp_path / "names.csv").write_text("name,actor\n")
    from powderkeg.errors import UsageError

    found = CliRunner().invoke(program(), ["events", "summary", str(path), "--aliases", str(tmp_path / "names.csv")])
    assert isinstance(found.exception, UsageError)


@pytest.mark.parametrize("command", ["episodes", "events summary"])
def test_how_many_days_are_unsure_is_said_once(tmp_path: Path, command: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text("date,until,source,target,code\n" + "".join(
        f"2018-03-0{n},2018-03-0{n + 1},a,b,0190\n" for n in range(1, 8)))  # fmt: skip
    words = [*command.split(), str(path), "--codebook", "cameo"]
    done = CliRunner().invoke(program(), words)
    assert done.exit_code == 0 and done.output.count("not known to the day") == 1, done.output


SCENARIO = """powderkeg: 1
name: rivals
start: 2018-01-01
actors: {north: {}, south: {}}
acts: {clash: {tone: hostile}}
moves: {clashes: {who: any, does: clash, to: any, rate: 4 per year}}
"""


def test_rows_that_are_not_used_are_told_with_their_place_and_what_was_likely_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt name leaves its event out of a fit: who reads only how many were dropped cannot find it."""
    monkeypatch.chdir(tmp_path)
    Path("rivals.yaml").write_text(SCENARIO, encoding="utf-8")
    rows = ["north,clash,south", "nrth,clash,south", "north,clahs,south", "south,clash,north"]
    days = ["2018-01-03", "2018-01-09", "2018-02-01", "2018-02-07"]
    lines = [f"{day},{row}" for day, row in zip(days, rows, strict=True)]
    Path("mine.csv").write_text(
        "\n".join(["date,source,act,target", *lines, "2018-13-45,north,clash,south\n"]), encoding="utf-8"
    )
    said = CliRunner().invoke(program(), ["fit", "rivals.yaml", "mine.csv", "--no-checks"]).stdout
    assert "set aside: mine.csv:6: bad date '2018-13-45'" in said
    assert "no actor of the scenario: 'nrth' (1; nearest: 'north')" in said
    assert "no act of the scenario: 'clahs' (1; nearest: 'clash')" in said


def test_what_is_said_about_files_can_be_typed_again() -> None:
    """`new` and `fit` say what to do next: without --date-format the next command could read other days."""
    said = ReadingOptions(
        ["a b.csv"], form="csv", maps=["code=What", "target=To whom"], date_format="day-first", directed=False,
        max_lag=3.0, skip_bad_files=True,
    )  # fmt: skip
    assert said.typed == [
        "a b.csv", "--format", "csv", "--map", "code=What", "--map", "target=To whom", "--date-format", "day-first",
        "--undirected", "--max-lag", "3.0", "--skip-bad-files",
    ]  # fmt: skip
    assert ReadingOptions(["x"]).typed == ["x"]
    assert {word for word in said.typed if word.startswith("--")} <= options_of("fit")


@pytest.mark.parametrize(
    "words", [["events", "read", "own.csv"], ["events", "code", "own.txt", "--date", "2022-12-27"]]
)
def test_a_table_of_events_does_not_go_by_a_name_of_another_format(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text(OWN, encoding="utf-8")
    Path("own.txt").write_text("Serbia threatened Kosovo on Monday.", encoding="utf-8")
    found = CliRunner().invoke(program(), [*words, "--out", "table.csv"]).exception
    assert "table.csv: format '.csv'" in str(found)
    assert "ends in .parquet" in str(found)
    assert not Path("table.csv").exists()
