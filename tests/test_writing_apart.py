"""Pictures drawn in a process of its own: the same bytes, and drawn here where that process does not serve."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import polars as pl
import pytest

from powderkeg import plots
from powderkeg.writing import apart
from powderkeg.writing.apart import DrawerApart


@pytest.fixture(scope="module")
def chart() -> Any:
    shares = pl.DataFrame({"name": ["north", "süd & <co>"], "share": [0.6, 0.4], "low": [0.5, 0.3], "high": [0.7, 0.5]})
    return plots.openers(shares)


def test_a_picture_drawn_apart_is_the_same_to_the_last_byte(chart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = plots.svgs(chart, "x-")
    monkeypatch.setattr("powderkeg.plots.files._drawer", None)  # nothing is drawn here
    with DrawerApart() as drawer:
        assert plots.svgs(chart, "x-", apart=drawer) == here
        assert plots.svgs(chart, "x-", apart=drawer) == here


@pytest.mark.parametrize("fault", ["frozen", "no program", "dies", "garbage", "ended", "killed"])
def test_what_cannot_be_drawn_apart_is_drawn_here(fault: str, chart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = plots.svg(chart, "x-")
    if fault == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    elif fault == "no program":
        monkeypatch.setattr(sys, "executable", "/no/python")
    elif fault == "dies":
        monkeypatch.setattr(apart, "PROGRAM", "import no_such_library")
    elif fault == "garbage":
        monkeypatch.setattr(apart, "PROGRAM", "print('Hello'); input()")
    with DrawerApart() as drawer:
        if fault == "ended":
            drawer.close()
        if fault == "killed":
            assert drawer(chart.to_dict(validate=False)) is not None
            assert drawer._process is not None
            drawer._process.kill()
        assert plots.svg(chart, "x-", apart=drawer) == here
        assert drawer._process is None


def test_the_process_ends_with_the_block(chart: Any) -> None:
    with DrawerApart() as drawer:
        process = drawer._process
        assert isinstance(process, subprocess.Popen)
    assert process.poll() is not None
