"""Tests of runs that are counted and written while they are made."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import powderkeg as pk
from powderkeg.analyze import episodes
from powderkeg.events import write_events
from powderkeg.report.pages import unlisted
from powderkeg.report.parts import CountedParts
from powderkeg.report.results import gather, results_of
from powderkeg.simulate import runs as runs_module
from powderkeg.simulate import simulate, simulate_parts
from powderkeg.simulate.memory import budget

ASKED: dict[str, Any] = {"years": 3.0, "replicates": 120, "seed": 5, "limit": None}
parts_module = import_module("powderkeg.report.parts")


@pytest.fixture(scope="module")
def model() -> pk.Model:
    return pk.compile("north-kosovo")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a thousand events, so that a few runs are many of them."""
    for function in (runs_module.cut, runs_module.Runs.parts):
        monkeypatch.setattr(inspect.unwrap(function), "__defaults__", (1_000,))


def counted(model: pk.Model, place: Path | None, **more: Any) -> CountedParts:
    found = CountedParts(model, place)
    found.count(workers=None, memory=budget(None), **{**ASKED, **more})
    return found


@pytest.mark.usefixtures("small")
def test_parts_are_cut_as_those_of_all_runs_together(model: pk.Model) -> None:
    """Where parts end decides where the writer cuts its file."""
    whole = simulate(model, **ASKED)
    parts = [*simulate_parts(model, **ASKED)]
    assert len(parts) > 5
    assert [part.origin for part in parts] == [first for first, _ in whole.parts()]
    assert [part.digest() for part in parts] == [part.digest() for _, part in whole.parts()]


@pytest.mark.usefixtures("small")
def test_runs_counted_part_by_part_say_and_write_what_all_together_do(model: pk.Model, tmp_path: Path) -> None:
    whole = simulate(model, **ASKED)
    found = counted(model, tmp_path / "events.parquet")
    assert (found.replicates, found.is_stopped, found.error) == (120, False, None)
    write_events(whole.table(), tmp_path / "whole.parquet")
    assert (tmp_path / "events.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert found.standoffs().equals(episodes(whole))
    told, expected = results_of(model, found.counted(5, None)), gather(model, whole)
    assert told.example_acts.height and told.example_acts.equals(expected.example_acts)
    assert pk.report.page(told) == pk.report.page(expected)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("at", ["standoffs_of", "fold", "add"])
def test_ctrl_c_while_a_part_is_counted_leaves_numbers_and_files_about_the_same_runs(
    model: pk.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """It may come anywhere: while standoffs are cut, sums made, or the part's events handed on."""
    place = parts_module.FrameWriter if at == "add" else parts_module
    real, calls = getattr(place, at), [0]

    def stopped(*given: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return real(*given)

    with monkeypatch.context() as patched:
        patched.setattr(place, at, stopped)
        found = counted(model, tmp_path / "events.parquet")
    three = sum(part.replicates for part in [*simulate_parts(model, **ASKED)][:3])
    assert (found.replicates, found.is_stopped) == (three, True)
    write_events(simulate(model, **{**ASKED, "replicates": three}).table(), tmp_path / "whole.parquet")
    assert (tmp_path / "events.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert found.standoffs()["replicate"].max() == three - 1
    assert results_of(model, found.counted(5, None)).replicates == three


def test_ctrl_c_while_parts_are_cut_leaves_parts_of_the_same_size(
    model: pk.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made and not yet cut is more than a part; what counts and writes takes it part by part."""
    real, calls = runs_module.Runs.parts, [0]

    def stopped(self: pk.Runs, events: int = 1_000) -> Any:
        calls[0] += 1
        if calls[0] == 1:
            raise KeyboardInterrupt
        return real(self, events)

    monkeypatch.setattr(runs_module.cut, "__defaults__", (1_000,))
    monkeypatch.setattr(runs_module.Runs, "parts", stopped)
    found = counted(model, tmp_path / "events.parquet")
    assert found.is_stopped and 0 < found.replicates < 120 and found.error is None
    assert found.standoffs()["replicate"].max() < found.replicates


def test_a_file_that_cannot_be_written_keeps_no_number_from_being_told(
    model: pk.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(import_module("powderkeg.events.store"), "register_io_source", full)
        found = counted(model, tmp_path / "events.parquet")
    assert isinstance(found.error, pk.EventError) and "no space left" in str(found.error)
    assert results_of(model, found.counted(5, None)).replicates == 120
    assert [*tmp_path.iterdir()] == []


def test_events_of_all_runs_need_not_fit_into_memory(model: pk.Model) -> None:
    """Twice what may be held: refused where it was to stand there whole, carried out part by part."""
    asked = {**ASKED, "replicates": 20_000, "workers": 1}
    total = len(simulate(model, **asked))
    room = budget(total * 36 // 2)
    with pytest.raises(pk.ModelError, match="would not fit"):
        simulate(model, **asked, memory=room)
    assert sum(len(part) for part in simulate_parts(model, **asked, memory=room)) == total


def test_a_table_says_what_it_leaves_out_and_where_that_is() -> None:
    assert unlisted(40, 2_700, "dyads.csv", ["dyads.csv"]) == "The first 40 of 2,700; dyads.csv has all."
    assert unlisted(40, 41, "dyads.csv", []) == "The first 40 of 41."
    assert unlisted(40, 40, "dyads.csv", ["dyads.csv"]) == ""
