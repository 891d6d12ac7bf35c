"""Run the examples of a page of the documentation, and hold what they print against what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of every block of a page, in order."""
    return BLOCK.findall((DOCS / f"{page}.md").read_text(encoding="utf-8"))


def examples_hold(page: str, capsys: pytest.CaptureFixture[str]) -> int:
    """Run every python block of a page, one after the other; a text block must be what the last one printed.

    Returns how many text blocks there were.
    """
    names: dict[str, object] = {}
    printed, shown = "", 0
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, f"docs/{page}.md", "exec"), names)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == text
            shown += 1
    return shown
