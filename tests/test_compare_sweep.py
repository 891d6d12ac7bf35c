"""Sweeps: the points that were asked for, on the same draws, resumable to the same bytes; which numbers matter."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.cli.app import _exit_code
from powderkeg.compare import Axis, axis, sensitivity, sweep
from powderkeg.compare.sweep.sweeps import POINTS
from powderkeg.errors import PowderkegWarning, UsageError
from powderkeg.report.swept import _gist, page
from powderkeg.scenario import Scenario, edit, loads
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.writing.lock import Lock
from tests.test_compare import TWO_CORNERS

NEAR, LASTS, ANSWERS = "moves.near.rate", "facts.fence.lasts", "mechanisms.answer.answers"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return loads(TWO_CORNERS, file="two_corners.yaml")


def test_an_axis_is_written_like_the_scenario(scenario: Scenario) -> None:
    assert axis(scenario, LASTS, "2 days:10 days:3") == Axis(LASTS, (2.0, 6.0, 10.0), 2.0, 10.0)
    assert axis(scenario, "ties.friends.holds", "true, false").values == (True, False)
    assert axis(scenario, ANSWERS, "0.1:0.9") == Axis(ANSWERS, (), 0.1, 0.9)


@pytest.mark.parametrize(
    ("path", "written", "told"),
    [
        ("moves.nea.rate", "1 per year:2 per year:3", "nearest: 'moves.near.rate'"),
        (NEAR, "1:2:3", "1 without a unit"),
        (NEAR, "2 per year:1 per year:3", "expected a low end below the high one"),
        (ANSWERS, "0.1:0.9:1", "expected LOW:HIGH:N with N of 2 or more"),
        (ANSWERS, "0.1:0.9:³", "expected LOW:HIGH:N with N of 2 or more"),
        (ANSWERS, "0.1:0.9:" + "9" * 5000, "expected LOW:HIGH:N with N of 2 or more"),
        ("ties.friends.holds", "true:false:2", "expected values after commas"),
    ],
)
def test_an_axis_that_cannot_be_is_refused(scenario: Scenario, path: str, written: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        axis(scenario, path, written)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("path", "values", "held"),
    [
        (ANSWERS, [0.1, 0.4], (0.1, 0.4)),
        (ANSWERS, np.linspace(0.1, 0.3, 2), (0.1, 0.3)),
        (LASTS, ("2 days", "1 week"), (2.0, 7.0)),
        ("ties.friends.holds", [True, False], (True, False)),
    ],
)
def test_an_axis_may_be_values_in_a_list(scenario: Scenario, path: str, values: object, held: tuple) -> None:
    (found,) = sweep(scenario, {path: values}, replicates=2).axes
    assert found == Axis(path, held)


@pytest.mark.parametrize("values", [[], [0.1, "much"], [None]])
def test_a_list_that_is_no_axis_is_refused(scenario: Scenario, values: list[object]) -> None:
    with pytest.raises(UsageError):
        sweep(scenario, {ANSWERS: values}, replicates=2)


def test_a_grid_has_every_combination(scenario: Scenario) -> None:
    axes = [axis(scenario, ANSWERS, "0.1:0.7:3"), axis(scenario, LASTS, "2 days:10 days:2")]
    found = sweep(scenario, axes, replicates=20)
    points = found.table.select("point", ANSWERS, LASTS).unique().sort("point").rows()
    assert points == [(i, a, b) for i, (a, b) in enumerate([(x, y) for x in (0.1, 0.4, 0.7) for y in (2.0, 10.0)])]


def test_all_points_share_their_draws(scenario: Scenario) -> None:
    """The scenario's own point differs in nothing; a rising number never makes fewer acts in any run."""
    found = sweep(scenario, [Axis(ANSWERS, (0.0, 0.5, 1.0))], replicates=200).table.filter(pl.col("outcome") == "hits")
    assert found["difference"][1] == found["low"][1] == found["high"][1] == 0.0
    assert found["value"].is_sorted()
    paired = found["high"][2] - found["low"][2]
    assert paired < 0.8 * (found["value_high"][2] - found["value_low"][2])


def test_a_point_has_the_law_of_the_edited_scenario(scenario: Scenario) -> None:
    """Far above the baseline too, where the worlds need more than the baseline's candidates; z below 4."""
    point = {NEAR: 20 / 365.25}
    found = sweep(scenario, [Axis(NEAR, (point[NEAR],))], replicates=2000)
    row = found.table.row(by_predicate=pl.col("outcome") == "hits", named=True)
    runs = pk.simulate(pk.compile(edit(scenario, point)), replicates=2000, seed=7)
    hits = np.array([c.act == "hit" for c in runs.model.channels])[runs.channel]
    counts = np.bincount(runs.replicate[hits], minlength=2000) / 2
    error = np.hypot(counts.std() / 2000**0.5, (row["value_high"] - row["value_low"]) / 3.29)
    assert abs(counts.mean() - row["value"]) < 4 * error
    assert row["value"] > 25


@pytest.mark.parametrize("design", ["sobol", "latin"])
def test_designed_samples_fill_the_space(scenario: Scenario, design: str) -> None:
    axes = [axis(scenario, ANSWERS, "0.1:0.9"), axis(scenario, LASTS, "2 days:10 days")]
    found = sweep(scenario, axes, design=design, samples=16, replicates=2)
    points = found.table.select("point", ANSWERS, LASTS).unique().sort("point")
    for path, low, high in ((ANSWERS, 0.1, 0.9), (LASTS, 2.0, 10.0)):
        cells = np.floor((points[path].to_numpy() - low) / (high - low) * 16)
        assert sorted(cells) == list(range(16))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(*words: str) -> int:
    return _exit_code(["sweep", *words])


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "two_corners.yaml"
    path.write_text(TWO_CORNERS)
    return str(path)


def arguments(file: str, out: Path) -> list[str]:
    return [file, "--over", f"{ANSWERS}=0.1:0.6:5", "--replicates", "20", "--out", str(out), "--quiet"]


def test_a_sweep_that_was_killed_goes_on_to_the_same_bytes(file: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(*arguments(file, whole)) == 0
    assert run(*arguments(file, cut)) == 0
    # What a kill leaves: some points missing, one half written beside its place, one cut off, no table.
    for name in ("table.csv", "table.parquet", "sweep.svg", "points/0000001.json", "points/0000004.json"):
        (cut / name).unlink()
    (cut / "points" / ".0000004.json.x").write_text('[{"outco')
    (cut / "points" / "0000002.json").write_text("[{")
    before = (cut / "points" / "0000003.json").stat().st_mtime_ns
    with pytest.warns(PowderkegWarning, match=r"1 kept part cut off, changed.*: points/0000002\.json"):
        assert run(*arguments(file, cut)) == 0
    (cut / "points" / ".0000004.json.x").unlink()
    assert (cut / "points" / "0000003.json").stat().st_mtime_ns == before
    assert files(cut) == files(whole)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--seed", "2"], "another seed"),
        (["--set", "moves.far.rate=5 per year"], "another scenario"),
        (["--years", "1"], "another days"),
        (["--over", f"{LASTS}=2 days:10 days:2"], "another axes"),
    ],
)
def test_a_folder_of_another_sweep_is_refused_by_name(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], named: str
) -> None:
    out = tmp_path / "out"
    assert run(*arguments(file, out)) == 0
    kept = files(out)
    assert run(*arguments(file, out), *change) == 2
    assert f"made by a sweep with {named}" in capsys.readouterr().err
    assert files(out) == kept


def test_a_folder_of_another_version_or_with_other_things_is_refused(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(*arguments(file, out)) == 0
    job = json.loads((out / "job.json").read_text())
    (out / "job.json").write_text(json.dumps(job | {"version": "0.0.1"}))
    assert run(*arguments(file, out)) == 2
    assert "another version" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    assert run(*arguments(file, other)) == 2
    assert "holds files of another kind" in capsys.readouterr().err


def point(folder: Path, number: int = 1) -> Path:
    return folder / "points" / f"{number:07d}.json"


ROW_NAMES = ("value", "value_low", "value_high", "baseline", "difference", "low", "high")
CHANGES: dict[str, Callable[[str], str | bytes]] = {
    "cut off": lambda text: text[:300],
    "empty": lambda text: "",
    "a digit": lambda text: re.sub(r'"value": (\d)', r'"value": 9\1', text),
    "a word": lambda text: re.sub(r'"value": [\d.]+', '"value": "x"', text),
    "no number": lambda text: re.sub(r'"value": [\d.]+', '"value": NaN', text),
    "too large": lambda text: re.sub(r'"value": [\d.]+', '"value": 1' + "0" * 400, text),
    "larger": lambda text: re.sub(r'"value": [\d.]+', '"value": 1' + "0" * 5000, text),
    "a row less": lambda text: json.dumps({**json.loads(text), "result": json.loads(text)["result"][1:]}),
    "twice": lambda text: text.replace('"result"', '"result": [], "result"'),
    "deep": lambda text: "[" * 100_000,
    "a list": lambda text: "[]",
    "a mapping": lambda text: "{}",
    "the old form": lambda text: json.dumps(json.loads(text)["result"]),
    "another encoding": lambda text: text.encode("utf-16"),
    "no text": lambda text: b"\xff\xfe\x00",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A scenario file, and the folder of a finished sweep of it."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "two_corners.yaml").write_text(TWO_CORNERS)
    assert run(*arguments(str(folder / "two_corners.yaml"), folder / "out")) == 0
    return str(folder / "two_corners.yaml"), folder / "out"


@pytest.mark.parametrize("change", CHANGES)
def test_a_point_changed_by_hand_is_not_believed(tmp_path: Path, change: str) -> None:
    row: dict[str, object] = dict.fromkeys(ROW_NAMES, 0.25) | {"outcome": "o", "title": "O", "unit": "u", "stopped": 0}
    rows = [row | {"better": None, "value": 0.5 + k} for k in range(3)]
    with JobFolder(tmp_path, {"seed": 1}, POINTS) as folder:
        folder.write(1, rows)
        assert folder.read(1) == rows
        text = CHANGES[change](point(tmp_path).read_text())
        point(tmp_path).write_bytes(text if isinstance(text, bytes) else text.encode())
        assert folder.read(1) is None
        assert folder.spoiled == {"points/0000001.json"}
        folder.spoiled.clear()


def test_a_point_changed_by_hand_is_named_and_made_again(kept: tuple[str, Path], tmp_path: Path) -> None:
    """0.1.0 took any point that was JSON: exit code 0 and another table."""
    file, whole = kept
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    changed = CHANGES["a digit"](point(out).read_text())
    assert isinstance(changed, str)
    point(out).write_text(changed)
    with pytest.warns(PowderkegWarning, match=r"1 kept part cut off.*made again: points/0000001\.json"):
        assert run(*arguments(file, out)) == 0
    assert files(out) == files(whole)


def test_a_point_of_another_number_or_sweep_is_made_again(kept: tuple[str, Path], tmp_path: Path) -> None:
    file, whole = kept
    out, other = tmp_path / "out", tmp_path / "other"
    shutil.copytree(whole, out)
    assert run(*arguments(file, other), "--seed", "5") == 0
    point(out, 1).write_bytes(point(out, 2).read_bytes())
    point(out, 3).write_bytes(point(other, 3).read_bytes())
    with pytest.warns(PowderkegWarning, match="2 kept parts"):
        assert run(*arguments(file, out)) == 0
    assert files(out) == files(whole)


def test_an_editor_that_changes_no_value_spoils_nothing(
    kept: tuple[str, Path], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Another layout, a byte-order mark: the same data."""
    file, whole = kept
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    point(out).write_text(json.dumps(json.loads(point(out).read_text()), indent=4), encoding="utf-8-sig")
    assert run(*arguments(file, out)) == 0
    assert not recwarn.list
    assert (out / "table.csv").read_bytes() == (whole / "table.csv").read_bytes()


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("[]", "expected a mapping"),
        ("{}", "another version"),
        ('{"version": "0.1', "not JSON"),
        ("", "not JSON"),
        ('{"seed": NaN}', "NaN, which is no number in JSON"),
        ("[" * 100_000, "lists within lists"),
        ('{"seed": 1' + "0" * 5000 + "}", "5,001 digits"),
    ],
)
def test_a_job_changed_by_hand_is_refused_in_words(
    kept: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], job: str, told: str
) -> None:
    file, whole = kept
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "job.json").write_text(job)
    before = files(out)
    assert run(*arguments(file, out)) == 2
    assert told in capsys.readouterr().err
    assert files(out) == before


def test_two_sweeps_at_once_in_one_folder_are_told(
    kept: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both passed the check and both ended with 0; the folder was then that of one of them."""
    out = tmp_path / "out"
    out.mkdir()
    with Lock(out / ".powderkeg-job-lock"):
        assert run(*arguments(kept[0], out)) == 2
    assert f"another powderkeg works in this folder (process {os.getpid()}" in capsys.readouterr().err
    assert files(out) == {}


def test_a_sweep_on_a_full_disk_says_what_is_kept_and_goes_on(
    kept: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, whole = kept
    out = tmp_path / "out"
    real = JobFolder._put

    def full(self: JobFolder, name: str, *content: bytes) -> None:
        if name.endswith("0000003.json"):
            raise OSError(28, "No space left on device")
        real(self, name, *content)

    monkeypatch.setattr(JobFolder, "_put", full)
    assert run(*arguments(file, out)) == 1
    told = capsys.readouterr().err
    assert "points/0000003.json: no space left on the disk" in told
    assert "3 finished parts of the sweep are kept in" in told
    assert "nothing was run" not in told
    monkeypatch.setattr(JobFolder, "_put", real)
    assert run(*arguments(file, out)) == 0
    assert files(out) == files(whole)


def test_ctrl_c_says_how_to_go_on(
    kept: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = kept
    real, calls = JobFolder.write, []

    def stopped(self: JobFolder, number: int, content: object) -> None:
        real(self, number, content)
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(JobFolder, "write", stopped)
    assert run(*arguments(file, tmp_path / "out")) == 130
    assert "Stopped; 2 finished points are kept in" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "column"), [("sobol", "total"), ("morris", "effect")])
def test_sensitivity_finds_the_number_that_matters(scenario: Scenario, method: str, column: str) -> None:
    """`near` acts hang on their rate (fourfold range) far more than on how long a rare fence stands."""
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    found = sensitivity(scenario, method, over=[NEAR, LASTS, ANSWERS], samples=8, replicates=40)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    rows = found.table.filter(pl.col("outcome") == "near_hits").sort(column, descending=True)
    assert rows["path"][0] == NEAR
    assert rows[column][0] > 5 * rows[column][1]
    again = sensitivity(scenario, method, over=[NEAR, LASTS, ANSWERS], samples=8, replicates=40)
    assert again.table.equals(found.table)


def test_without_salib_the_message_says_what_to_install(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "SALib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "SALib", None)
    with pytest.raises(UsageError, match=r"pip install 'powderkeg\[sensitivity\]'"):
        sensitivity(scenario, "sobol", samples=2)


def test_sensitivity_of_what_has_no_range_is_refused(scenario: Scenario) -> None:
    with pytest.raises(UsageError, match=r"moves\.far\.rate: no number with a range"):
        sensitivity(scenario, "sobol", over=["moves.far.rate", NEAR])


def test_the_page_begins_its_lines_large_and_puts_no_colon_behind_a_question() -> None:
    scenario = pk.edit(pk.load("north-kosovo"), {"mechanisms.fights_back.answers": 0.2})
    found = sweep(scenario, [Axis("mechanisms.fights_back.answers", (0.1, 0.3))], replicates=2)
    titled = found.table.with_columns(title=pl.lit("is there a raid at all?"))
    assert all(
        line.startswith("Is there a raid at all?") and "?:" not in line
        for line in _gist(replace(found, table=titled), found.outcomes[:1])
    )


def test_swept_values_are_told_in_the_units_that_people_write(scenario: Scenario) -> None:
    """A rate was shown a day whoever wrote it a year: 0.002738 for 1 per year. The table keeps what it is in."""
    found = sweep(scenario, {NEAR: "1 per year:3 per year:2", LASTS: "2 days:10 days:2"}, replicates=2)
    table, names = found.spoken()
    assert names == [f"{NEAR}, per year", f"{LASTS}, days"]
    assert table[names[0]].unique().sort().to_list() == pytest.approx([1.0, 3.0])
    assert table[names[1]].unique().sort().to_list() == [2.0, 10.0]
    assert found.table[NEAR].max() == pytest.approx(3 / 365.25)
    often = sweep(scenario, {NEAR: "1 per day:3 per day:2"}, replicates=2)
    assert often.spoken()[1] == [f"{NEAR}, per day"]
    heads = page(found, {}, found.outcomes)
    assert f'<th scope="col">{NEAR}, per year</th>' in heads and "value, per year</th>" in heads
