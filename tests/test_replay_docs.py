"""What the page on replays shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "replay.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples_run_and_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    printed, told = "", 0
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language == "python":
            exec(compile(text, "docs/replay.md", "exec"), names)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == text
            told += 1
    assert told == 1
