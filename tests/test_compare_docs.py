"""What the pages on comparison and sweeps show is what happens."""

from __future__ import annotations

import pytest
from pages import examples_hold


@pytest.mark.parametrize("page", ["compare", "sweep"])
def test_examples_run_and_print_what_the_page_says(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples_hold(page, capsys)
