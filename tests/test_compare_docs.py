"""What the pages on comparison and sweeps show is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["compare", "sweep"])
def test_examples_run_and_print_what_the_page_says(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    printed = ""
    for language, text in BLOCK.findall((DOCS / f"{page}.md").read_text()):
        if language == "python":
            exec(compile(text, f"docs/{page}.md", "exec"), names)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == text
