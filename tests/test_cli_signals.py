"""Being asked to stop, by whichever signal the system has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import powderkeg as pk
from powderkeg.cli import signals
from powderkeg.cli.app import main
from powderkeg.cli.jobs import limited

needs_sigterm = pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")


def stopped_by(number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    def command(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(sys.modules["powderkeg.cli.app"], "program", lambda _: command)
    # Where the tests run in a shell's background Ctrl-C is ignored, as it should be.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as left:
            main(["run"])
    finally:
        signal.signal(signal.SIGINT, before)
    return int(left.value.code or 0), capsys.readouterr().err


@needs_sigterm
def test_a_time_limit_ends_as_ctrl_c_does_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert stopped_by(signal.SIGTERM, monkeypatch, capsys) == (143, "Stopped.\n")
    assert stopped_by(signal.SIGINT, monkeypatch, capsys) == (130, "Stopped.\n")
    assert signal.getsignal(signal.SIGTERM) == before


@needs_sigterm
def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.heeded() as asked:
            signal.raise_signal(signal.SIGHUP)
        assert asked.code(0) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_time_limit_of_ours_ends_what_ignores_ctrl_c() -> None:
    """As in the background of a shell script: what a scheduler starts often is."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals.heeded() as asked, pytest.raises(KeyboardInterrupt), limited(0.05):
            for _ in range(1_000):
                time.sleep(0.01)  # asked between two steps
        assert asked.code(signals.CTRL_C) == signals.TIMED_OUT
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_that_came_of_ctrl_c_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Libraries that are interrupted while they start, or compile, raise errors of their own."""

    def command(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("partly imported") from error

    monkeypatch.setattr(sys.modules["powderkeg.cli.app"], "program", lambda _: command)
    with pytest.raises(SystemExit) as left:
        main(["run"])
    assert (left.value.code, capsys.readouterr().err) == (130, "Stopped.\n")


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["powderkeg.cli.app"], "program", lambda _: command)
    with pytest.raises(ZeroDivisionError):
        main(["run"])


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_included_links_that_lead_to_one_another_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    main_file = tmp_path / "m.yaml"
    main_file.write_text("powderkeg: 1\nname: t\nstart: 2000-01-01\nincludes: [loop.yaml]\n", encoding="utf-8")
    with pytest.raises(pk.ScenarioError, match="a link that leads nowhere"):
        pk.load(main_file)


STARTS = """
import sys

class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Pressed())
sys.argv = ["powderkeg", *{words!r}]
from powderkeg.cli import main

main()
"""


@pytest.mark.parametrize(
    "name", ["signal", "powderkeg.cli.signals", "powderkeg.cli.app", "powderkeg.cli.screen", "typer", "polars"]
)
def test_ctrl_c_while_the_program_starts_is_one_line(name: str) -> None:
    code = STARTS.format(name=name, words=["run", "--replicates", "2"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


def test_next_to_nothing_is_loaded_before_ctrl_c_is_caught() -> None:
    """What comes before is Python's own start, and these: each further import is a place for a traceback."""
    code = "import sys; sys.modules['powderkeg.cli'] = sys; before = set(sys.modules); import powderkeg.cli; "
    code += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    light = {"__future__", "types", "warnings", "_warnings", "importlib", "importlib._bootstrap"}
    light |= {"importlib._bootstrap_external", "powderkeg", "powderkeg.showing", "powderkeg.version"}
    assert set(done.stdout.split()) <= light


REPLAY = """
import signal, sys
import numpy as np
from powderkeg.compare.replay.histories import ReplayJob
from powderkeg.cli.app import main

plain = ReplayJob.draw
def pressed(self, *args):
    signal.raise_signal(signal.SIGINT)
    return plain(self, *args)

ReplayJob.draw = pressed
main(["replay", *sys.argv[1:]])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has Ctrl-C for consoles only")
def test_ctrl_c_in_a_replay_is_one_line(tmp_path: Path) -> None:
    """In the threads that live through replays, and in what they wait for."""
    main_words = ["run", "north-kosovo", "--replicates", "1", "--years", "1", "--seed", "4", "--quiet"]
    with pytest.raises(SystemExit):
        main([*main_words, "--out", str(tmp_path / "run")])
    words = ["north-kosovo", str(tmp_path / "run" / "events.parquet"), "--without", "serbia", "--replicates", "20"]
    done = subprocess.run([sys.executable, "-c", REPLAY, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1], "Traceback" in done.stderr) == (
        130, "Stopped. Nothing was kept.", False,
    )  # fmt: skip
