"""What the pages on standoffs, outcomes, entanglement and the record show is what happens."""

from __future__ import annotations

import pytest
from pages import blocks, examples_hold

from powderkeg.score import load_record


@pytest.mark.parametrize("page", ["episodes", "entanglement", "outcomes", "record"])
def test_examples_run_and_print_what_the_page_says(page, capsys):
    examples_hold(page, capsys)


def test_the_record_file_on_the_page_can_be_read(tmp_path):
    (text,) = (t for language, t in blocks("record") if language == "yaml")
    (tmp_path / "river.yaml").write_text(text)
    definition, table = load_record(tmp_path / "river.yaml")
    assert len(definition.lines) == 8
    assert table == tmp_path / "river.csv"
