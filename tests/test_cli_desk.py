"""`powderkeg desk` over some nights: nothing said twice, nothing lost, what failed is said."""

from __future__ import annotations

import json
from pathlib import Path

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest
from command_line import Command, command_line

import powderkeg as pk
from powderkeg.forecast import desk as desks
from powderkeg.forecast.frozen import read_frozen
from powderkeg.forecast.scoreboard import kept_text, read_kept, scored
from powderkeg.reading import reference

DESK = """\
desk: 1
scenario: quarrel.yaml
events: [events]
folder: kept
horizons: [1, 5]
draws: 40
reading: {columns: {reported: added}}
"""


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command line in a folder with a scenario, a desk and no events."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quarrel.yaml").write_text(quarrel.TEXT)
    (tmp_path / "desk.yaml").write_text(DESK)
    (tmp_path / "events").mkdir()
    return command_line(capfd)


def deliver(name: str, first: int, last: int) -> None:
    """A file with the acts of these days of one record, each entered on its day."""
    frame = quarrel.by_day(quarrel.simulated(130.0, 3)).frame.filter(pl.col("time") >= first, pl.col("time") < last)
    day = pl.date(2020, 1, 1) + pl.duration(days=pl.col("time").cast(pl.Int64))
    frame.select(day.alias("date"), "source", "act", "target", day.alias("added")).write_csv(f"events/{name}.csv")


def test_a_late_round_is_noted_under_the_day_it_belongs_to(command: Command, tmp_path: Path) -> None:
    """A round that runs after midnight, and one of the day after: the page tells them by their days."""
    deliver("a", 0, 100)
    assert command("desk", "--today", "2020-04-10", "--json").code == 0
    deliver("b", 100, 112)
    assert command("desk", "--today", "2020-04-22", "--json").code == 0
    lines = [json.loads(line) for line in (tmp_path / "kept/nights.jsonl").read_text().splitlines()]
    assert [line["day"] for line in lines] == ["2020-04-10", "2020-04-22"]
    assert all(not line["night"].startswith("2020-04") for line in lines)  # when it ran stays
    page = (tmp_path / "kept/scoreboard/scores.html").read_text()
    assert "2020-04-22" in page
    wrong = command("desk", "--today", "yesterday")
    assert wrong.code == 2
    assert "--today" in wrong.err


def test_nights_follow_each_other_and_nothing_is_said_twice(command: Command, tmp_path: Path) -> None:
    deliver("a", 0, 100)
    first = command("desk", "--json")
    assert first.code == 0, first.err
    frozen = sorted((tmp_path / "kept/forecasts").iterdir())
    assert [path.stem for path in frozen] == [first.data["origin"]]
    content = frozen[0].read_bytes()
    again = command("desk", "--json").data
    assert any("nothing is said twice" in line for line in again["done"])
    assert frozen[0].read_bytes() == content
    deliver("b", 100, 112)
    second = command("desk", "--json")
    assert second.code == 0, second.err
    assert f"{frozen[0].name}: scored" in second.data["done"]
    assert frozen[0].read_bytes() == content
    assert len(sorted((tmp_path / "kept/forecasts").iterdir())) == 2
    kept = (tmp_path / "kept/scored" / frozen[0].name).read_text()
    page = (tmp_path / "kept/scoreboard/scores.html").read_text()
    assert "weighted mean, 30\u00a0days, weekdays" in page
    assert "<svg" in page
    deliver("c", 112, 118)
    third = command("desk", "--json").data
    assert f"{frozen[0].name}: scored" not in third["done"]  # kept from the night before
    assert (tmp_path / "kept/scored" / frozen[0].name).read_text() == kept
    assert len((tmp_path / "kept/nights.jsonl").read_text().splitlines()) == 4
    board = command("score", "kept/forecasts", "events", "--map", "reported=added", "--by", "dyad", "--json").data
    assert len(board["origins"]) == 2
    assert len(board["scores"]) > 100


def test_a_failed_night_loses_nothing_and_says_so(command: Command, tmp_path: Path) -> None:
    deliver("a", 0, 100)
    command("desk", "--json")
    deliver("b", 100, 112)
    command("desk", "--json")
    before = {path: path.read_bytes() for path in (tmp_path / "kept").rglob("20*.json")}
    (tmp_path / "events/broken.csv").write_text("junk,1\n")
    said = command("desk", "--json")
    assert said.code == 1
    assert "broken.csv: no column" in said.err
    assert said.data["failed"]
    assert {path: path.read_bytes() for path in before} == before
    assert "failed: reading events" in (tmp_path / "kept/scoreboard/scores.html").read_text().replace("</b>", "")
    (tmp_path / "events/broken.csv").unlink()
    (path,) = [path for path in before if path.parent.name == "forecasts" and path.stem == min(p.stem for p in before)]
    path.write_bytes(before[path].replace(b'"draws":40', b'"draws":41', 1))
    said = command("desk", "--json")
    assert said.code == 1
    assert "has been changed since it was made" in said.err


def test_the_round_of_an_evening_long_past_knows_what_was_known_then(command: Command, tmp_path: Path) -> None:
    deliver("a", 0, 130)
    said = command("desk", "--as-of", "2020-04-09", "--json")
    assert said.data["origin"] == "2020-04-10"
    one = read_frozen(tmp_path / "kept/forecasts/2020-04-10.json")
    assert one.origin.isoformat() == "2020-04-10"
    assert one.acts == quarrel.by_day(quarrel.simulated(130.0, 3)).frame.filter(pl.col("time") < 100).height


def test_a_fit_is_made_when_it_is_due_and_kept(command: Command, tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(DESK + "fit: {every: 10, background: constant}\n")
    deliver("a", 0, 100)
    assert any("mechanisms fitted" in line for line in command("desk", "--json").data["done"])
    deliver("b", 100, 106)
    assert not any("mechanisms fitted" in line for line in command("desk", "--json").data["done"])
    assert len(list((tmp_path / "kept/fits").glob("*.yaml"))) == 1


def test_what_was_scored_comes_back_the_same_and_is_no_other_forecasts(tmp_path: Path) -> None:
    record = quarrel.by_day(quarrel.simulated(130.0, 3))
    from powderkeg.forecast.frozen import freeze

    made = pk.forecast(quarrel.scenario(), record, origin="2020-04-10", days=5, draws=30)
    (tmp_path / "one.json").write_bytes(freeze(made))
    one = read_frozen(tmp_path / "one.json")
    found = scored(one, record, "dyad", 0.9, 1)
    place = tmp_path / "kept.json"
    place.write_text(kept_text(found))
    back = read_kept(place, one, "dyad", 0.9)
    assert back is not None
    assert np.array_equal(back.ends, found.ends)
    assert [(c.model, c.horizon, c.over) for c in back.cells] == [(c.model, c.horizon, c.over) for c in found.cells]
    assert all(
        np.array_equal(a.scores[name], b.scores[name])
        for a, b in zip(back.cells, found.cells, strict=True)
        for name in a.scores
    )
    assert read_kept(place, one, "class", 0.9) is None
    place.write_text(place.read_text().replace('"horizon":1', '"horizon":2', 1))
    assert read_kept(place, one, "dyad", 0.9) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("desk: 1", "desk: 2", "desk.yaml:1: desk: format version 2"),
        ("horizons:", "horizon:", "nearest: 'horizons'"),
        ("draws: 40", "draws: ten", "desk.yaml:6: draws: 'ten'"),
        ("[1, 5]", "[1, 2.5]", "whole numbers of days"),
        ("reported: added", "reportd: added", "unknown field 'reportd'"),
        ("folder: kept\n", "", "no folder"),
        ("quarrel.yaml", "quarel.yaml", "nearest: 'quarrel.yaml'"),
        ("[events]", "[nowhere]", "no such file or folder"),
        (DESK, "- 1\n", "its first line is `desk: 1`"),
    ],
)
def test_faults_of_the_file_are_told_and_nothing_is_run(command: Command, old: str, new: str, said: str) -> None:
    Path("desk.yaml").write_text(DESK.replace(old, new), encoding="utf-8")
    deliver("a", 0, 30)
    found = command("desk", "--check")
    assert found.code in (1, 2)
    assert said in found.err
    assert "Traceback" not in found.err
    assert not Path("kept").exists()


def test_the_example_that_new_writes_has_no_fault(command: Command) -> None:
    assert command("new", "mine.yaml", "--desk", "--from", "events").code == 0
    read = desks.load_desk("mine.yaml")
    assert (read.events, read.days, read.fit) == (("events",), 30, None)
    schema = json.loads(command("desk", "--schema").out)
    assert set(schema["$defs"]["Desk"]["properties"]) == {
        "desk", "scenario", "events", "folder", "reading", "fit", "horizons", "draws", "seed", "level", "by",
        "pool", "drop_unmatched", "wait",
    }  # fmt: skip


def test_the_page_lists_the_fields_as_they_are_declared() -> None:
    page = (Path(__file__).parent.parent / "docs/desk.md").read_text()
    begin = "<!-- fields: begin, made from the declarations -->\n"
    assert page.partition(begin)[2].partition("<!-- fields: end -->")[0].strip() == reference(desks.KIND).strip()
