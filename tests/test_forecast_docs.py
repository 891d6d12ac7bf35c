"""What the page on forecasts shows is what happens."""

from __future__ import annotations

import pytest
from pages import examples_hold


def test_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert examples_hold("forecast", capsys) == 0
