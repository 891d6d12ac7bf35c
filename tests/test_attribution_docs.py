"""What the page on attribution shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples_run_and_print_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    printed = ""
    for language, text in BLOCK.findall((DOCS / "attribution.md").read_text()):
        if language == "python":
            exec(compile(text, "docs/attribution.md", "exec"), names)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == text
    assert (tmp_path / "family.svg").stat().st_size > 5_000
