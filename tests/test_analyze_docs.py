"""What the pages on standoffs, outcomes, entanglement and the record show is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from powderkeg.score import load_record

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["episodes", "entanglement", "outcomes", "record"])
def test_examples_run_and_print_what_the_page_says(page, capsys):
    names: dict[str, object] = {}
    printed = ""
    for language, text in BLOCK.findall((DOCS / f"{page}.md").read_text()):
        if language == "python":
            exec(compile(text, f"docs/{page}.md", "exec"), names)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == text


def test_the_record_file_on_the_page_can_be_read(tmp_path):
    (text,) = (t for language, t in BLOCK.findall((DOCS / "record.md").read_text()) if language == "yaml")
    (tmp_path / "river.yaml").write_text(text)
    definition, table = load_record(tmp_path / "river.yaml")
    assert len(definition.lines) == 8
    assert table == tmp_path / "river.csv"
