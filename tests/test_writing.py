"""Files that are whole, sets of files that belong together, folders that one process works in at a time.

Kills are played: from the k-th change of the disk on, every change fails, as after a kill nothing is done any more.
All k are tried, so every moment between two changes is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import pytest

from powderkeg import plots, report
from powderkeg.cli.folder import Destination, Folder
from powderkeg.errors import UsageError
from powderkeg.writing import lock as lock_module
from powderkeg.writing import owners
from powderkeg.writing.files import DiskError, check_place, heard, reason, replacing, write_whole
from powderkeg.writing.lock import Lock, LostError
from powderkeg.writing.manifest import MANIFEST, check_sets, read_manifest

NAMES = ("page.html", "table.csv", "same.json")


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system does with bytes at a power cut is not tried here."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Killed(BaseException):
    """What a kill would be, seen from inside."""


CHANGES = ("replace", "rename", "unlink", "mkdir", "write_text", "write_bytes", "rmdir")


@contextmanager
def killed_at(step: int, kind: type[BaseException] = Killed, dead: bool = True) -> Iterator[list[str]]:
    """The change number `step` of the disk fails; when dead, so do all that come after it."""
    told: list[str] = []
    patch = pytest.MonkeyPatch()

    def watched(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def change(*args: Any, **more: Any) -> Any:
            told.append(name)
            if len(told) == step or (dead and len(told) > step > 0):
                raise kind(*(("no space left",) if kind is Killed else (28, "No space left on device")))
            return real(*args, **more)

        patch.setattr(owner, name, change)

    for name in CHANGES:
        watched(Path, name)
    watched(owners.shutil, "rmtree")
    try:
        yield told
    finally:
        patch.undo()


def put(folder: Folder, seed: int, names: tuple[str, ...] = NAMES, command: str = "run") -> None:
    with folder.results(command, seed=seed):
        for name in names:
            text = "the same in both" if name == "same.json" else f"seed {seed}"
            folder.write(name, lambda path, text=text: path.write_text(text))  # type: ignore[misc]


def seen(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file() and path.name[0] != "."}


def seeds(folder: Path) -> set[str]:
    return {text for name, text in seen(folder).items() if text.startswith("seed")}


OLD = (*NAMES, "only-old.svg")
NEW = (*NAMES, "only-new.svg")


def older(path: Path) -> dict[str, str]:
    """A folder with a set of seed 2 and a file of the user's."""
    put(Folder(path), 2, OLD)
    (path / "notes.txt").write_text("mine")
    return seen(path)


def test_a_kill_at_any_moment_leaves_no_mixture_and_is_healed_by_the_next_start(tmp_path: Path) -> None:
    """Never both seeds side by side; a folder with a manifest is whole; the next to write finds one whole set."""
    outcomes = set()
    step = 0
    while True:
        step += 1
        path = tmp_path / str(step)
        before = older(path)
        folder = Folder(path)
        with killed_at(step) as told, suppress(Killed):
            put(folder, 1, NEW)
        assert len(seeds(path)) <= 1, told
        assert (path / "notes.txt").read_text() == "mine"
        if (path / MANIFEST).exists():
            check_sets(path)
        elif not seeds(path):
            # Nothing of either set to see: both stand in a folder that can be seen.
            (exchange,) = path.glob("powderkeg-exchange-*")
            assert {"old", "new"} <= {one.name for one in exchange.iterdir()}
        # The next process: what this one made is now another's, which is gone.
        owners._OWN.clear()
        lock_module._HELD.clear()
        Folder(path)
        found = seen(path)
        check_sets(path)
        assert found == before or (seeds(path) == {"seed 1"} and "only-old.svg" not in found), told
        assert {one.name for one in path.iterdir()} == {*found}
        outcomes.add(found == before)
        if len(told) < step:
            break
    assert outcomes == {True, False}
    assert step > 20


def test_ctrl_c_at_any_moment_leaves_one_whole_set(tmp_path: Path) -> None:
    outcomes = set()
    step = 0
    while True:
        step += 1
        path = tmp_path / str(step)
        before = older(path)
        folder = Folder(path)
        with killed_at(step, dead=False) as told, suppress(Killed):
            put(folder, 1, NEW)
        check_sets(path)
        found = seen(path)
        assert found == before or seeds(path) == {"seed 1"}, told
        outcomes.add(found == before)
        if len(told) < step:
            break
    assert outcomes == {True, False}


def test_a_disk_that_fails_at_any_moment_loses_neither_set(tmp_path: Path) -> None:
    """A change that is refused once, as where a program holds an old file open: a message, and nothing is lost."""
    step = 0
    while True:
        step += 1
        path = tmp_path / str(step)
        before = older(path)
        folder = Folder(path)
        error = None
        with killed_at(step, OSError, dead=False) as told:
            try:
                put(folder, 1, NEW)
            except (DiskError, UsageError) as caught:
                error = caught
        owners._OWN.clear()
        Folder(path)
        check_sets(path)
        if error is not None and seen(path) == before:
            assert "no space left on the disk" in str(error)
        else:
            assert seeds(path) == {"seed 1"}, told
        if len(told) < step:
            break


def test_the_disk_of_a_command_that_works_is_left_alone_by_another(tmp_path: Path) -> None:
    """Two at once: the files of the one in the making stay, and the last whole set stands."""
    first, second = Folder(tmp_path), Folder(tmp_path)
    with first.results("run", seed=1):
        first.write("page.html", lambda path: path.write_text("seed 1"))
        put(second, 2)
        first.write("table.csv", lambda path: path.write_text("seed 1"))
    check_sets(tmp_path)
    assert seeds(tmp_path) == {"seed 1"}


def test_a_disk_that_is_full_before_anything_runs_is_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match=r"(?s)no space left on the disk.*nothing was run"):
        Folder(tmp_path / "out")


def test_a_disk_that_turns_read_only_is_told_by_the_name_of_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the finished files can be moved out of their hidden folder then."""

    def refused(self: Path, *_: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    folder = Folder(tmp_path / "out")
    with pytest.raises(DiskError) as caught, folder.results("run", seed=1):
        folder.write("page.html", lambda path: path.write_text("seed 1"))
        monkeypatch.setattr(Path, "rename", refused)
        folder.write("table.csv", refused)
    assert str(caught.value).splitlines()[0] == f"{tmp_path / 'out' / 'table.csv'}: the disk can only be read"
    assert f"nothing is in {tmp_path / 'out'}" in str(caught.value)


def test_what_is_not_ours_is_kept(tmp_path: Path) -> None:
    """A file of the user's at one of our names, one of ours changed by hand, one that the results were read from."""
    (tmp_path / "table.csv").write_text("thesis")
    folder = Folder(tmp_path)
    put(folder, 1, OLD)
    assert folder.kept_aside == tmp_path / "earlier-1"
    assert seen(tmp_path / "earlier-1") == {"table.csv": "thesis"}
    assert "kept in" in " ".join(folder.said())
    (tmp_path / "only-old.svg").write_text("drawn over")
    folder = Folder(tmp_path, [tmp_path / "page.html"])
    put(folder, 2, NEW)
    assert seen(tmp_path / "earlier-2") == {"only-old.svg": "drawn over", "page.html": "seed 1"}
    assert set(seen(tmp_path)) == {*NEW, MANIFEST}
    folder = Folder(tmp_path)
    put(folder, 3, NEW)
    assert folder.kept_aside is None


def test_sets_of_two_commands_stand_side_by_side_unless_they_share_a_name(tmp_path: Path) -> None:
    put(Folder(tmp_path), 1, ("a.csv", "page.html"), "run")
    put(Folder(tmp_path), 1, ("b.csv",), "compare")
    assert {*check_sets(tmp_path)} == {"run", "compare"}
    put(Folder(tmp_path), 2, ("c.csv", "page.html"), "replay")
    assert {*check_sets(tmp_path)} == {"compare", "replay"}
    assert set(seen(tmp_path / "earlier-1")) == {"a.csv", "page.html"}


def test_a_list_of_files_that_was_changed_by_hand_moves_nothing_it_should_not(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    put(Folder(folder), 1)
    (tmp_path / "letter.txt").write_text("dear")
    about = json.loads((folder / MANIFEST).read_text())
    about["sets"]["run"]["files"]["../letter.txt"] = about["sets"]["run"]["files"]["page.html"]
    (folder / MANIFEST).write_text(json.dumps(about))
    with pytest.raises(UsageError, match="expected the name of a file in this folder"):
        read_manifest(folder)
    put(Folder(folder), 2)
    assert (tmp_path / "letter.txt").read_text() == "dear"
    assert set(seen(folder / "earlier-1")) == {*NAMES, MANIFEST}
    check_sets(folder)


def test_a_changed_or_missing_file_of_a_set_is_named(tmp_path: Path) -> None:
    put(Folder(tmp_path), 1)
    (tmp_path / "page.html").write_text("seed 2")
    (tmp_path / "table.csv").unlink()
    with pytest.raises(UsageError) as caught:
        check_sets(tmp_path)
    assert "page.html: has been changed since it was written" in str(caught.value)
    assert "table.csv: is missing" in str(caught.value)


# The place of one file


def test_a_link_stays_a_link_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    (tmp_path / "link.txt").symlink_to("target")
    write_whole(tmp_path / "link.txt", lambda path: path.write_text("new"))
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    (tmp_path / "dangling.txt").symlink_to("not-yet")
    write_whole(tmp_path / "dangling.txt", lambda path: path.write_text("new"))
    assert (tmp_path / "not-yet").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"target", "link.txt", "dangling.txt", "not-yet"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_a_device_and_a_folder_are_no_place_for_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, found in (("pipe", "a pipe"), ("link", "a pipe"), ("folder", "a folder"), ("loop", "a link that leads")):
        with pytest.raises(UsageError, match=found):
            Destination(tmp_path / name)
    with pytest.raises(UsageError, match="a device"):
        check_place(Path(os.devnull))
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("years of work")
    (tmp_path / "other.csv").symlink_to("raw.csv")
    for name in ("raw.csv", "other.csv"):
        with pytest.raises(UsageError, match="this file is read here"):
            Destination(tmp_path / name, [tmp_path / "raw.csv"])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "no space left on the disk"),
        (OSError("No space left on device (os error 28)"), "no space left on the disk"),
        (OSError("No space left on device"), "no space left on the disk"),
        (OSError(122, "Disk quota exceeded"), "the disk quota is used up"),
        (PermissionError(13, "Permission denied"), "no permission to write there"),
    ],
)
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, error: OSError, told: str) -> None:
    place = tmp_path / "x.csv"
    place.write_text("old")

    def fill(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise error

    with pytest.raises(DiskError) as caught:
        write_whole(place, fill)
    assert told in str(caught.value)
    assert seen(tmp_path) == {"x.csv": "old"}
    assert len(list(tmp_path.iterdir())) == 1


def test_what_polars_does_not_pass_on_is_heard_from_the_system(tmp_path: Path) -> None:
    untold = pl.exceptions.ComputeError("parquet: File out of specification: Invalid thrift: transport error")

    def fill(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise untold

    with pytest.raises(DiskError, match="the disk failed"):
        write_whole(tmp_path / "x.parquet", fill)
    assert not [*tmp_path.iterdir()]
    if not Path("/dev/full").exists():
        pytest.skip("no device here is always full")
    assert reason(heard(untold, Path("/dev/full"))) == "no space left on the disk"
    other = ValueError("a slip of ours")
    assert heard(other, Path("/dev/full")) is other


def test_a_figure_and_a_page_from_python_replace_older_ones_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: Any, **__: Any) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    (tmp_path / "x.json").write_text("old")
    chart = alt.Chart(pl.DataFrame({"x": [1]})).mark_point().encode(x="x:Q")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match="no space left on the disk"):
        plots.save(chart, tmp_path / "x.json")
    assert seen(tmp_path) == {"x.json": "old"}
    monkeypatch.setattr(report, "page", lambda *_: "page")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DiskError, match="no space left on the disk"):
        report.write(None, tmp_path / "page.html")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_slip_of_ours_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "x.csv", lambda path: 1 / 0)
    assert list(tmp_path.iterdir()) == []


def test_a_long_name_has_room_for_its_passing_name(tmp_path: Path) -> None:
    place = tmp_path / ("ö" * 120 + ".parquet")
    with replacing(place) as passing:
        assert passing.suffix == ".parquet"
        passing.write_text("x")
    assert place.read_text() == "x"


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    dead = dead_process()
    token = "0123abcd"
    left = tmp_path / f".powderkeg-part-{owners.host()}-{dead}-{token}-x.csv"
    living = tmp_path / f".powderkeg-part-{owners.host()}-{os.getppid()}-{token}-x.csv"
    elsewhere = tmp_path / f".powderkeg-part-ffffff-{dead}-{token}-x.csv"
    foreign = tmp_path / ".powderkeg-mine"
    for one in (left, living, elsewhere, foreign):
        one.write_text("half")
    write_whole(tmp_path / "x.csv", lambda path: path.write_text("whole"))
    assert {path.name for path in tmp_path.iterdir()} == {living.name, elsewhere.name, foreign.name, "x.csv"}
    os.utime(elsewhere, (1, 1))
    Folder(tmp_path)
    assert not elsewhere.exists()


def dead_process() -> int:
    """The number of a process that is over."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


# Locks


def test_a_folder_is_one_process_s_at_a_time(tmp_path: Path) -> None:
    told = rf"another powderkeg works in this folder \(process {os.getpid()} on"
    with Lock(tmp_path / "lock"), pytest.raises(UsageError, match=told):
        Lock(tmp_path / "lock").__enter__()
    assert list(tmp_path.iterdir()) == []
    with Lock(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1e400}', '{"since": "x", "pid": -1}'])
def test_a_lock_that_cannot_be_read_holds_until_nobody_touches_it(tmp_path: Path, content: str) -> None:
    place = tmp_path / "lock"
    place.write_text(content)
    with pytest.raises(UsageError, match="another powderkeg works in this folder"):
        Lock(place).__enter__()
    os.utime(place, (1, 1))
    with Lock(place):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_at_once(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    for pid in (dead_process(), os.getpid()):
        place.write_text(json.dumps({"pid": pid, "host": lock_module.platform.node(), "token": "another", "since": 0}))
        with Lock(place):
            pass


def test_a_lock_is_touched_while_it_is_held_and_a_lost_one_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "TOUCH", 0.01)
    place = tmp_path / "lock"
    with Lock(place) as lock:
        os.utime(place, (1, 1))
        until = time.monotonic() + 10
        while place.stat().st_mtime == 1:
            assert time.monotonic() < until
            time.sleep(0.01)
        lock.check()
        place.write_text(json.dumps({"token": "another"}))
        with pytest.raises(LostError, match="another powderkeg works in this folder by now"):
            lock.check()
    assert place.exists()


def test_a_lock_that_finds_no_room_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock_module.json, "dump", full)
    with pytest.raises(OSError, match="No space left"):
        Lock(tmp_path / "lock").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_want_a_dead_lock_one_at_a_time_has_it(tmp_path: Path) -> None:
    place, inside, worst = tmp_path / "lock", [], []
    place.write_text(json.dumps({"pid": dead_process(), "host": lock_module.platform.node(), "token": "x"}))

    def work() -> None:
        with Lock(place, wait=30):
            inside.append(1)
            worst.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert worst == [1] * 12


KILLED_WHILE_WRITING = """
import sys
from pathlib import Path
from powderkeg.cli.folder import Destination, Folder
seed = 1
while True:
    seed += 1
    folder = Folder(Path(sys.argv[1]))
    with folder.results("run", seed=seed):
        for k in range(12):
            folder.write(f"file-{k}.txt", lambda path: path.write_text(f"seed {seed}"))
    print(seed, flush=True)
"""


@pytest.mark.nightly
def test_real_kills_leave_no_mixture(tmp_path: Path) -> None:
    """30 processes that do nothing but exchange sets, each killed after a while; the next goes on from there."""
    for turn in range(30):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.0137 * (turn % 17))
        process.kill()
        process.communicate()
        assert len(seeds(tmp_path)) <= 1
    put(Folder(tmp_path), 1)
    check_sets(tmp_path)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]
