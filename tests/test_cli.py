"""The command line: what it prints, what it writes, how it fails.

Commands run inside this process where they can, which is faster; what has to do with processes has one of its own.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import Command, command_line

import powderkeg as pk
from powderkeg.cli.app import program
from powderkeg.cli.folder import DiskError, Folder
from powderkeg.cli.screen import Screen, plain_table, printable
from powderkeg.errors import UsageError

FEW = ("--replicates", "20", "--years", "3")
COMMANDS = ("run", "check", "describe", "resolve", "record")
FILES = {
    "events.parquet",
    "episodes.parquet",
    "outcomes.csv",
    "outcomes.json",
    "scenario.resolved.json",
    "report.html",
    "powderkeg-manifest.json",
}


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return command_line(capfd)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What one small run wrote, and what it printed."""
    folder = tmp_path_factory.mktemp("kept") / "results"
    words = [sys.executable, "-m", "powderkeg", "run", *FEW, "--seed", "1", "--json", "--out", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return folder, json.loads(done.stdout)


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "powderkeg: 1\nname: x\nactors:\n  a: {}\n  b: {}\nmoves:\n  m: {who: a, does: hitt, to: b, rate: 3}\n"
    )
    return path


# What is there


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out == f"powderkeg {pk.__version__}\n"


def test_help_lists_every_command(command: Command) -> None:
    said = command("--help")
    assert said.code == 0
    assert all(re.search(rf"\b{name}\b", said.out) for name in COMMANDS)


def test_every_command_has_help_with_an_example(command: Command) -> None:
    def walk(group: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, found in group.commands.items():
            yield from walk(found, (*above, name)) if hasattr(found, "commands") else [(*above, name)]

    from typer.main import get_command

    names = list(walk(get_command(program()), ()))
    assert len(names) >= len(COMMANDS)
    for words in names:
        said = command(*words, "--help")
        assert said.code == 0
        assert f"Example: powderkeg {' '.join(words)}" in " ".join(said.out.split()), words


def test_numbers_named_in_examples_are_there() -> None:
    """An example of `compare` once changed a number of a move that the scenario no longer had."""
    from typer.main import get_command

    told = " ".join(str(found.help) for found in get_command(program()).commands.values())  # type: ignore[attr-defined]
    found = re.findall(r"powderkeg \w+ (north-kosovo)[^\n]*? --(?:with|set|over) ([\w.]+)=(\S+)", told)
    assert len(found) >= 2
    for name, path, value in found:
        pk.edit(pk.load(name), {path: float(value.split(":")[0])})


def test_help_needs_no_heavy_import() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from powderkeg.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main(['--help'])\n"
        "print([m for m in ('numpy', 'numba', 'polars', 'scipy', 'altair', 'yaml', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_command_imports_no_other() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from powderkeg.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main(['check', '--help'])\n"
        "print([m for m in ('scenarios', 'events', 'fit', 'forecast') if f'powderkeg.cli.{m}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['scenarios']"


def test_python_m_powderkeg_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "powderkeg", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"powderkeg {pk.__version__}\n"


# run


def test_run_prints_one_json_object(kept: tuple[Path, dict[str, Any]]) -> None:
    _, found = kept
    names = ("scenario", "digest", "version", "seed", "replicates", "years", "events", "branching_ratio")
    assert {name: type(found[name]) for name in names} == {
        "scenario": str, "digest": str, "version": str, "seed": int, "replicates": int, "years": float, "events": int,
        "branching_ratio": float,
    }  # fmt: skip
    assert (found["seed"], found["replicates"], found["years"]) == (1, 20, 3.0)
    assert all({"mean", "low", "high"} <= set(outcome) for outcome in found["outcomes"].values())
    assert {"per_year", "openers", "ends", "median_days"} <= set(found["episodes"])
    assert sum(found["episodes"]["ends"].values()) == pytest.approx(1)


def test_run_writes_files_that_agree_with_what_it_says(kept: tuple[Path, dict[str, Any]]) -> None:
    folder, found = kept
    assert {path.name for path in folder.iterdir()} == FILES
    assert pl.read_parquet(folder / "events.parquet").height == found["events"]
    told = json.loads((folder / "outcomes.json").read_text())
    assert told.pop("made")["digest"] == found["digest"]
    assert told == found
    assert pl.read_csv(folder / "outcomes.csv")["name"].to_list() == list(found["outcomes"])
    resolved = json.loads((folder / "scenario.resolved.json").read_text())
    assert pk.digest(pk.loads(json.dumps(resolved))) == found["digest"]
    assert found["digest"] in (folder / "report.html").read_text()
    per_year = pl.read_parquet(folder / "episodes.parquet").height / (20 * 3)
    assert found["episodes"]["per_year"] == pytest.approx(per_year)


def test_json_alone_writes_nothing(command: Command, kept: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    assert command("run", *FEW, "--json").data == kept[1]
    assert list(tmp_path.iterdir()) == []


def test_run_says_where_the_page_is(command: Command, tmp_path: Path) -> None:
    said = command("run", *FEW)
    assert str(tmp_path / "powderkeg-report" / "report.html") in said.out
    assert "standoffs a year" in said.out
    assert "\x1b" not in said.out, "colours in a pipe"
    assert said.err == ""


def test_the_seed_decides_and_workers_do_not(command: Command, kept: tuple[Path, dict[str, Any]]) -> None:
    alone, other = (command("run", *FEW, "--json", *more).data for more in (("--workers", "1"), ("--seed", "2")))
    assert alone == kept[1]
    assert other["outcomes"] != kept[1]["outcomes"]


def test_set_changes_the_scenario(command: Command, kept: tuple[Path, dict[str, Any]]) -> None:
    changed = command("run", *FEW, "--json", "--set", "standoffs.opens_at=7").data
    assert changed["digest"] != kept[1]["digest"]


def test_quiet_says_nothing_and_the_page_tells_how_to_get_the_same_again(command: Command, tmp_path: Path) -> None:
    said = command("run", *FEW, "--set", "standoffs.opens_at=7", "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")
    page = (tmp_path / "powderkeg-report" / "report.html").read_text()
    (words,) = re.findall(r"<pre>powderkeg (.*)</pre>", page)
    assert words == "run north-kosovo --set standoffs.opens_at=7 --years 3 --replicates 20 --seed 1"


def test_shares_of_no_standoff_are_not_told_as_none(command: Command) -> None:
    """Nought of nought is no share: it was told as 0 %."""
    said = command("run", "--replicates", "3", "--years", "1", "--set", "standoffs.opens_at=1000").out
    assert "3 runs of 1 year, seed" in said
    assert re.search(r"share with anyone hurt +– +no standoff", said)
    assert re.search(r"share with deaths +– +no standoff", said)


def test_a_pipe_that_knows_only_ascii_is_no_error() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "powderkeg", "--help"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# Wrong words: exit code 2, nothing runs


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--replicates", "0"), "greater than or equal to 1"),
        (("--replicates", "many"), "valid int"),
        (("--years", "-1"), "expected more than 0"),
        (("--years", "nan"), "expected more than 0"),
        (("--seed", "-1"), "greater than or equal to 0"),
        (("--workers", "0"), "greater than or equal to 1"),
        (("--set", "mechanisms.fights_bac.answers=1"), "nearest: 'mechanisms.fights_back.answers'"),
        (("--set", "standoffs.opens_at"), "expected PATH=VALUE"),
        (("--set", "standoffs.opens_at=soon"), "standoffs.opens_at"),
        (("--set", "standoffs.opens_at=7", "--set", "standoffs.opens_at=8"), "set twice"),
        (("--replicate", "5"), "No such option"),
    ],
)
def test_wrong_use_is_named(command: Command, tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    said = command("run", *words)
    assert said.code == 2
    assert expected in " ".join(said.err.replace("│", " ").split())
    assert said.out == ""
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_is_answered_with_the_nearest(command: Command) -> None:
    said = command("rum")
    assert said.code == 2
    assert "'run'" in said.err


# Inputs at fault: exit code 1


def test_an_unknown_scenario_is_answered_with_the_nearest(command: Command) -> None:
    said = command("run", "north-kosova")
    assert said.code == 1
    assert "nearest: 'north-kosovo'" in said.err


@pytest.mark.parametrize("content", [None, b"", b"\x00\x01\x02\xff" * 100, b"x" * 10_000_001])
def test_what_is_no_scenario_is_one_clear_line(command: Command, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "thing"
    path.mkdir() if content is None else path.write_bytes(content)
    said = command("check", path)
    assert said.code == 1
    assert len(said.err.splitlines()) <= 3
    assert "Traceback" not in said.err


def test_check_tells_every_fault_as_data(command: Command, bad_file: Path) -> None:
    said = command("check", bad_file, "--json")
    assert said.code == 1
    assert len(said.data["faults"]) >= 2
    for fault in said.data["faults"]:
        assert set(fault) == {"file", "line", "path", "found", "expected", "nearest"}
        assert fault["file"] == str(bad_file)
        assert isinstance(fault["line"], int)


def test_check_tells_every_fault_in_words(command: Command, bad_file: Path) -> None:
    said = command("check", bad_file)
    assert said.out == ""
    assert f"{bad_file}:7: moves.m.rate: 3" in said.err
    assert "nothing was run." in said.err


def test_a_good_file_has_no_fault(command: Command) -> None:
    said = command("check", "--json")
    assert (said.code, said.data["faults"]) == (0, [])


# The other commands


def test_resolve_prints_a_scenario_that_is_the_same(command: Command, tmp_path: Path) -> None:
    said = command("resolve")
    scenario = pk.load("north-kosovo")
    assert said.data == pk.resolve(scenario)
    command("resolve", "--out", "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == said.data


def test_describe_speaks_and_has_data(command: Command) -> None:
    assert "ranching ratio" in command("describe").out
    assert command("describe", "--json").data["name"] == "north-kosovo"


def test_record_tells_lines(command: Command) -> None:
    said = command("record", "north-kosovo", "--replicates", "20", "--json")
    names = {"name", "record", "record_low", "record_high", "model", "model_low", "model_high", "agrees"}
    assert said.code == 0
    assert len(said.data["lines"]) >= 12
    assert all(names <= set(line) for line in said.data["lines"])


def test_record_of_a_scenario_without_one_says_so(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(pk.dump(pk.load("north-kosovo")).replace("name: north-kosovo", "name: mine"))
    said = command("record", path, "--replicates", "20")
    assert said.code in (1, 2)
    assert "no built-in record" in said.err


# Observed events


@pytest.fixture
def own_table(tmp_path: Path) -> Path:
    """Thirty threats and fights between two, in a form of one's own; one row has no date."""
    path = tmp_path / "own.csv"
    rows = [f"2018-01-{day:02d},A,B,{code}" for day in range(1, 16) for code in ("138", "190")]
    path.write_text("\n".join(["Day,Who,Whom,Code", *rows, "someday,A,B,138", ""]))
    return path


OWN = ("--map", "time=Day", "--map", "source=Who", "--map", "target=Whom", "--map", "code=Code")


def test_events_are_read_into_one_table(command: Command, tmp_path: Path, own_table: Path) -> None:
    said = command("events", "read", own_table, *OWN, "--out", "e.parquet", "--json")
    assert said.code == 0
    assert (said.data["rows_read"], said.data["rows_kept"], said.data["rows_set_aside"]) == (31, 30, 1)
    assert len(pk.read_events(tmp_path / "e.parquet")) == 30


def test_summary_accounts_for_every_row(command: Command, own_table: Path) -> None:
    found = command("events", "summary", own_table, *OWN, "--json").data
    names = {"rows_read", "rows_kept", "rows_set_aside", "rows_dropped", "actors", "first_day", "last_day"}
    assert names <= set(found)
    assert found["rows_read"] == found["rows_kept"] + found["rows_set_aside"] + sum(found["rows_dropped"].values())
    assert "31 rows read: 30 kept, 1 set aside." in command("events", "summary", own_table, *OWN).out


def test_episodes_are_found_in_observed_events(command: Command, own_table: Path, tmp_path: Path) -> None:
    said = command("episodes", own_table, *OWN, "--json", "--figure", "f.svg", "--out", "episodes.csv")
    (found,) = said.data["episodes"]
    assert (found["start"], found["end"], found["opener"]) == ("2018-01-01", "2018-01-15", "A")
    assert {"start", "end", "opener", "first_act", "events", "end_state"} <= set(found)
    assert (tmp_path / "f.svg").read_text().startswith("<svg")
    assert pl.read_csv(tmp_path / "episodes.csv").height == 1
    assert "1 standoff\n" in command("episodes", own_table, *OWN).out


def test_episodes_of_simulated_events_are_those_of_the_run(command: Command, kept: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = kept
    found = command("episodes", folder / "events.parquet", "--scenario", "north-kosovo", "--json").data
    assert len(found["episodes"]) == pl.read_parquet(folder / "episodes.parquet").height


def test_who_is_who_is_told(command: Command, shared_data: Path) -> None:
    file = shared_data / "keds_balkans" / "keds_format_1999.txt.gz"
    said = command("events", "match", "north-kosovo", file, "--json")
    assert {row["actor"] for row in said.data["matched"]} >= {"kosovo", "serbia", "nato"}
    assert said.data["unmatched_names"] > 0


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("events", "read", "nothing.csv", "--out", "x.parquet"), 1, "nothing.csv"),
        (("events", "read", "own.csv", "--out", "x.parquet", "--map", "time"), 2, "expected FIELD=COLUMN"),
        (("events", "read", "own.csv", "--out", "own.csv/x.parquet"), 2, "expected a folder that can be written to"),
        (("episodes", "own.csv", *OWN, "--out", "e.doc"), 2, ".csv, .json or .parquet"),
        (("episodes", "own.csv", *OWN, "--figure", "e.doc"), 2, "svg, png, pdf, html"),
        (("episodes", "own.csv", *OWN, "--by", "week"), 2, "system or dyad"),
        (("events", "summary", "other.csv"), 1, "other.csv"),
    ],
)
def test_what_cannot_be_read_or_written_is_named(
    command: Command, own_table: Path, words: tuple[str, ...], code: int, expected: str
) -> None:
    own_table.with_name("other.csv").write_text("x,y\n1,2\n")
    said = command(*words)
    assert said.code == code
    assert expected in said.err
    assert "Traceback" not in said.err


# Folders, full disks, Ctrl-C


@pytest.mark.parametrize("out", ["file", "file/inside"])
def test_a_folder_that_cannot_be_is_named_before_anything_runs(
    command: Command, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("here")
    monkeypatch.setattr(import_module("powderkeg.simulate"), "simulate", lambda *a, **k: pytest.fail("it ran"))
    said = command("run", *FEW, "--out", out)
    assert said.code == 2
    assert (tmp_path / "file").read_text() == "here"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="no permission to write there"):
        Folder(tmp_path / "new")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size` bytes; the nearest to a full disk that needs no disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["big.txt", "big.parquet"])
def test_a_full_disk_leaves_what_was_finished(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"x": range(200_000)}).select(pl.col("x").hash())
    fill = {"big.txt": lambda path: path.write_text("x" * 1_000_000), "big.parquet": frame.write_parquet}[name]
    folder = Folder(tmp_path / "out")
    with full_disk(100_000), pytest.raises(DiskError) as caught, folder.results("run"):
        folder.write("small.txt", lambda path: path.write_text("small"))
        folder.write(name, fill)
    assert "the file would be larger" in str(caught.value)
    assert f"finished in {folder.path}: small.txt" in str(caught.value)
    assert {path.name for path in folder.path.iterdir()} == {"small.txt"}


def test_run_on_a_disk_that_fills_up_keeps_the_answers(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pl.LazyFrame.sink_parquet

    def full(frame: pl.LazyFrame, path: Any, **more: Any) -> Any:
        if isinstance(path, Path) and "events" in path.name:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        return real(frame, path, **more)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    monkeypatch.setattr(pk.report, "write", lambda results, path, files, command, apart: path.write_text("page"))
    said = command("run", *FEW)
    assert said.code == 1
    assert "no space left on the disk" in said.err
    kept = {path.name for path in (tmp_path / "powderkeg-report").iterdir()}
    assert {"outcomes.csv", "outcomes.json", "report.html"} <= kept
    assert not any("part" in name or name == "events.parquet" for name in kept)


def test_acts_give_way_to_the_answers_where_the_disk_has_no_room_for_both(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acts stand in their file before anything else is written."""
    real = pl.DataFrame.write_parquet

    def full(frame: pl.DataFrame, path: Any, **more: Any) -> Any:
        if isinstance(path, Path) and any(tmp_path.rglob("events.parquet")):
            raise OSError(28, "No space left on device")
        return real(frame, path, **more)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    monkeypatch.setattr(pk.report, "write", lambda results, path, files, command, apart: path.write_text("page"))
    said = command("run", *FEW)
    assert said.code == 1
    assert "events.parquet: no space left on the disk" in said.err
    kept = {path.name for path in (tmp_path / "powderkeg-report").iterdir()}
    assert {"outcomes.csv", "outcomes.json", "episodes.parquet", "report.html"} <= kept
    assert not any("part" in name or name == "events.parquet" for name in kept)


def test_ctrl_c_keeps_the_runs_that_were_finished(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files as of a run that was asked for no more; of eight runs that were tried and of a chunk."""
    jobs = import_module("powderkeg.simulate.jobs")
    real = jobs._made

    def stopped(*asked: Any, **more: Any) -> Any:
        for number, chunk in enumerate(real(*asked, **more)):
            yield chunk
            if more and number == jobs.TRIAL:
                raise KeyboardInterrupt

    words = ("run", "--years", "3")
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "_made", stopped)
        said = command(*words, "--replicates", "1000")
    assert said.code == 130
    done = int(re.findall("Stopped after ([0-9]+) of 1,000 runs", said.err)[0])
    assert 8 < done < 300
    assert command(*words, "--replicates", f"{done}", "--out", "asked").code == 0
    for name in ("events.parquet", "episodes.parquet", "outcomes.csv", "report.html"):
        assert (tmp_path / "powderkeg-report" / name).read_bytes() == (tmp_path / "asked" / name).read_bytes(), name


def test_ctrl_c_before_anything_is_finished_is_one_word(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("powderkeg.model"), "describe", stopped)
    said = command("describe")
    assert (said.code, said.out, said.err) == (130, "", "Stopped.\n")


@pytest.mark.slow
def test_ctrl_c_while_it_runs_ends_in_order(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "powderkeg", "run", "--replicates", "200000", "--out", str(tmp_path / "out")]
    # A group of its own: the signal is for this process alone, as from a terminal.
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (tmp_path / "out").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(4)
    process.send_signal(2)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not any(".part" in path.name for path in (tmp_path / "out").iterdir())


def test_a_reader_that_stops_reading_is_told_nothing() -> None:
    line = f"{sys.executable} -m powderkeg resolve | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "{\n")


# What is printed


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\x07\nc\td") == "a\\x1b[31mb\\x07\nc\td"
    assert printable("Ana\u202egnp.exe\u200f Öz\udcff") == "Ana\\u202egnp.exe\\u200f Öz\\udcff"
    assert printable("می\u200cروم \U0001f600") == "می\u200cروم \U0001f600"


def test_a_plain_table_has_columns_and_nothing_else() -> None:
    text = plain_table(["name", "n"], [["a", "1"], ["bcd", "20"]], [False, True])
    assert text == "name   n\na      1\nbcd   20"


def test_json_never_holds_what_is_no_number() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Screen(as_json=True).data({"x": float("nan")})


def test_fit_writes_a_scenario_with_the_estimates(command: Command, tmp_path: Path) -> None:
    """Two who threaten each other, from a simulation; what is fitted loads again and names its source."""
    text = (
        "powderkeg: 1\nname: two\nstart: 2020-01-01\nyears: 20\nactors: {north: {}, south: {}}\n"
        "acts: {threaten: {tone: hostile, cameo: '138'}}\n"
        "moves: {threats: {who: any, does: threaten, to: any, rate: 4 per year}}\n"
        "mechanisms: {retaliation: {when: x threatens y, then: y threatens x, answers: 0.5, half_life: 3 days}}\n"
    )
    (tmp_path / "two.yaml").write_text(text)
    command("run", "two.yaml", "--replicates", "1", "--seed", "3", "--quiet", "--out", "two")
    said = command(
        "fit",
        "two.yaml",
        "two/events.parquet",
        "--background",
        "constant",
        "--no-checks",
        "--json",
        "--out",
        "fitted.yaml",
    )
    assert said.code == 0, said.err
    names = {"parameters", "log_likelihood", "likelihood", "events_used", "branching_ratio", "checks"}
    assert names <= set(said.data)
    found = said.data["parameters"]["mechanisms.retaliation.answers"]
    assert found["low"] < 0.5 < found["high"]
    fitted = pk.load(tmp_path / "fitted.yaml")
    assert float(fitted.mechanisms["retaliation"].answers) == pytest.approx(found["estimate"], rel=1e-6)
    assert fitted.mechanisms["retaliation"].answers.source == "fitted"


def test_fit_names_a_path_that_is_not_there(command: Command, own_table: Path) -> None:
    said = command("fit", "north-kosovo", own_table, *OWN, "--free", "mechanisms.no_such_thing")
    assert said.code in (1, 2)
    assert "Traceback" not in said.err
