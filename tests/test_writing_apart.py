"""Pictures drawn in a process of its own: the same bytes, and drawn here where that process does not serve."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


@pytest.mark.parametrize(
    ("name", "is_plain"), [("Đurađ, Ђурађ, Γιώργος – “x” ≥ 3 €", True), ("საქართველო", False), ("👪", False)]
)
def test_letters_that_the_font_at_hand_lacks_are_measured_in_the_fonts_of_the_system(
    name: str, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data stand in a specification as JSON in JSON, where letters are escaped twice."""
    started: list[str | None] = []
    real: Any = subprocess.Popen

    def start(*words: Any, env: dict[str, str], **how: Any) -> Any:
        started.append(env.get("FONTCONFIG_FILE"))
        return real(*words, env=env, **how)

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.delenv("FONTCONFIG_FILE", raising=False)
    shares = pl.DataFrame({"name": [name], "share": [0.6], "low": [0.5], "high": [0.7]})
    spec = plots.openers(shares).to_dict(validate=False)
    with DrawerApart() as drawer:
        assert drawer(spec) is not None
        assert drawer(spec) is not None
    assert started == [str(apart.NO_FONTS)] + [None] * (not is_plain)


def test_figures_hold_no_sign_of_ours_that_the_font_at_hand_lacks() -> None:
    """One that did had every page drawn by a second process, with the fonts of the system."""
    texts = "".join(file.read_text(encoding="utf-8") for file in Path(plots.__file__).parent.glob("*.py"))
    assert set(texts) - apart.LETTERS == {"\n"}


@pytest.mark.skipif(sys.platform != "linux", reason="fontconfig's variable is read on Linux")
def test_what_draws_sees_no_fonts_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it saw those of the system it opened one anew for every letter."""
    assert _widest("DejaVu Sans, Liberation Sans") == _widest("Liberation Sans")
    monkeypatch.setattr(apart, "NO_FONTS", apart.NO_FONTS.with_name("not_there.xml"))
    if _widest("DejaVu Sans, Liberation Sans") == _widest("Liberation Sans"):
        pytest.skip("this system lacks a font to see")


def _widest(font: str) -> str:
    spec = {
        "data": {"values": [{"name": "mmmmmmmm"}]}, "mark": "point", "config": {"font": font},
        "encoding": {"y": {"field": "name", "type": "nominal"}},
    }  # fmt: skip
    with DrawerApart() as drawer:
        drawn = drawer(spec)
    assert drawn is not None
    return ElementTree.fromstring(drawn).attrib["width"]
