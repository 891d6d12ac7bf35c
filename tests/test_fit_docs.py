"""What the page on fitting shows is what happens, and its table of day stamps is what was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pages import examples_hold

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "fit.md"


def test_examples_run_and_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    examples_hold("fit", capsys)


def test_the_table_of_day_stamps_is_what_was_measured() -> None:
    measured = json.loads((CHECKOUT / "benchmarks" / "results" / "day_stamps.json").read_text())
    page = PAGE.read_text()
    for case in measured["cases"]:
        head = f"| {case['rate']:g} a day, {case['inertia_days']:g} and {case['retaliation_days']:g} days |"
        (line,) = (line for line in page.splitlines() if line.startswith(head))
        told = [float(cell) for cell in line.removeprefix(head).strip(" |").split("|")]
        assert told == [round(found["mean"], 2) for found in case["found"].values()]


def test_every_option_of_the_command_is_real() -> None:
    """An option that the page names and the command does not know is found."""
    from typer.main import get_command

    from powderkeg.cli import program

    commands = get_command(program()).commands  # type: ignore[attr-defined]
    known = {name for one in ("fit", "run") for p in commands[one].params for name in p.opts + p.secondary_opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE.read_text()))
    assert named - known == set()
