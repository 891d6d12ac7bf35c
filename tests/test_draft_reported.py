"""Scenarios drawn up from reports: who is named, who did what, who stands behind whom, each with its sentence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import powderkeg as pk
from powderkeg.cli import main
from powderkeg.draft.reported import from_report
from powderkeg.events import match

REPORT = """Kosovo police on Tuesday arrested two Serbs at the border with Serbia. Serbian President Aleksandar Vucic
accused Kosovo of breaking the agreement and put the army on alert.

Russia said it supported Serbia. The European Union urged Kosovo to release the men. Protesters in Serbia threw
stones at Kosovo police on Monday. Kosovo's government rejected talks with Serbia.
"""


def run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_a_report_becomes_a_scenario_that_reads_the_report_again() -> None:
    """Offices and leaders of a country are one actor, and the match rules find every event the draft was made of."""
    table = pk.code(REPORT, "2022-12-27", least=0.3)
    text = from_report(table, "trial", ["report.txt"])
    scenario = pk.loads(text)
    assert {"serbia", "kosovo", "russia"} <= set(scenario.actors)
    assert not {"aleksandar_vucic", "police_kosovo"} & set(scenario.actors)
    assert any("russia" in name and "serbia" in name for name in scenario.ties)
    assert '"Russia said it supported Serbia."' in text and "ASKED" in text and "source: guess" in text
    _, report = match(scenario, table)
    assert report.kept >= 4


def test_the_command_writes_it_and_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.txt").write_text(REPORT, encoding="utf-8")
    out = tmp_path / "mine.yaml"
    assert run("new", out, "--from-report", tmp_path / "report.txt", "--date", "2022-12-27") == 0
    assert "marked ASKED" in capsys.readouterr().out
    assert run("check", out) == 0


def test_events_and_reports_at_once_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.txt").write_text(REPORT, encoding="utf-8")
    report = tmp_path / "report.txt"
    assert run("new", tmp_path / "x.yaml", "--from-report", report, "--from", report) == 2
    assert "one of the two" in capsys.readouterr().err


def test_a_report_without_a_day_is_taken_as_of_today_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, out = tmp_path / "report.txt", tmp_path / "mine.yaml"
    report.write_text(
        "Serbia accused Kosovo of provocation. Kosovo threatened Serbia.\n", encoding="utf-8", newline="\n"
    )
    assert run("new", out, "--from-report", report) == 0
    assert "The report says no day: taken as" in capsys.readouterr().out
    assert pk.load(out).start <= date.today()
