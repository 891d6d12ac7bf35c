"""What the page on large jobs shows is what happens."""

from __future__ import annotations

import pytest
from pages import examples_hold


def test_examples_run_and_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert examples_hold("large-jobs", capsys) == 1
