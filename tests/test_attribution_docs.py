"""What the page on attribution shows is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import examples_hold


def test_examples_run_and_print_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples_hold("attribution", capsys)
    assert (tmp_path / "family.svg").stat().st_size > 5_000
