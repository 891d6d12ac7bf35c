"""Being asked to stop, by whichever signal the system has."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

import powderkeg as pk
from powderkeg.cli import signals
from powderkeg.cli.app import main

needs_sigterm = pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")


def stopped_by(number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    def command(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(sys.modules["powderkeg.cli.app"], "app", command)
    with pytest.raises(SystemExit) as left:
        main(["run"])
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


def test_an_error_that_came_of_ctrl_c_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Libraries that are interrupted while they start, or compile, raise errors of their own."""

    def command(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("partly imported") from error

    monkeypatch.setattr(sys.modules["powderkeg.cli.app"], "app", command)
    with pytest.raises(SystemExit) as left:
        main(["run"])
    assert (left.value.code, capsys.readouterr().err) == (130, "Stopped.\n")


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["powderkeg.cli.app"], "app", command)
    with pytest.raises(ZeroDivisionError):
        main(["run"])


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_included_links_that_lead_to_one_another_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    main_file = tmp_path / "m.yaml"
    main_file.write_text("powderkeg: 1\nname: t\nstart: 2000-01-01\nincludes: [loop.yaml]\n", encoding="utf-8")
    with pytest.raises(pk.ScenarioError, match="a link that leads nowhere"):
        pk.load(main_file)
