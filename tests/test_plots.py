"""Figures: made from plain frames, drawn without a network, unharmed by hostile strings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest

from powderkeg import plots
from powderkeg.errors import UsageError
from powderkeg.plots.record import place
from powderkeg.plots.theme import LONGEST_LABEL, chart_of, share_axis, words
from powderkeg.wording import measured, percent

HOSTILE = "<script>alert('x')</script>\x1b[31m\n\u202e" + 'a"b&c'
START = date(2008, 2, 17)

ACTS = pl.DataFrame(
    {
        "time": [1.0, 2.5, 2.5, 400.0],
        "source": ["kosovo", "serbia", HOSTILE, "serbia"],
        "act": ["impose", "threaten", "block", "agree"],
        "target": ["serbia", "kosovo", None, "kosovo"],
        "tone": ["hostile", "hostile", "neutral", "cooperative"],
        "heat": [1.0, 3.0, 0.0, 0.0],
    }
)
STANDOFFS = pl.DataFrame({"start": [1.0], "last": [2.5], "end_state": ["suspended"], "hurt": [True]})
SHARES = pl.DataFrame(
    {
        "name": ["suspended", HOSTILE, "never"],
        "share": [0.6, 0.4, 0.0],
        "low": [0.5, 0.3, 0.0],
        "high": [0.7, 0.5, 0.01],
        "hurt": [0.2, 0.4, 0.0],
        "record": [0.5, 0.5, None],
        "record_low": [0.2, 0.3, None],
        "record_high": [0.8, 0.7, None],
    }
)
DESCENT = pl.DataFrame(
    {
        "actor": ["nato", "nato", HOSTILE],
        "drawn_in": [False, True, True],
        "mechanism": ["background", "entrapment", HOSTILE],
        "by": [None, HOSTILE, "nato"],
        "share": [0.25, 0.75, 1.0],
    }
)
LINES: list[dict[str, Any]] = [
    {"name": "onsets", "title": "Standoffs a year", "record": 1.7, "record_low": 1.2, "record_high": 2.3,
     "model": 1.8, "model_low": 1.7, "model_high": 1.9, "agrees": True},
    {"name": HOSTILE, "title": "", "record": 0.0, "record_low": 0.0, "record_high": 0.0,
     "model": 4.0, "model_low": None, "model_high": None, "agrees": False},
    {"name": "unknown", "title": None, "record": None, "record_low": None, "record_high": None,
     "model": 4.0, "model_low": 1.0, "model_high": 5.0, "agrees": False},
]  # fmt: skip

LONG = [f"the provisional authority of region number {k} and its neighbours" for k in range(24)]
FAMILY_ACTS = pl.DataFrame(
    {
        "event": [4, 5, 6, 7],
        "time": [1.0, 1.0, 2.25, 60.0],
        "source": ["kosovo", HOSTILE, "serbia", "kosovo"],
        "act": ["impose", "block", HOSTILE, "agree"],
        "target": ["serbia", "kosovo", None, "serbia"],
        "root": [1.0, 0.25, 0.0, 0.1],
        "before": [0.0, 0.0, 0.7, 0.0],
    }
)
FAMILY_LINKS = pl.DataFrame(
    {
        "event": [5, 6, 7],
        "parent": [4, 5, 6],
        "mechanism": ["answer", HOSTILE, "answer"],
        "probability": [0.75, 0.3, 0.9],
    }
)
MANY_ACTS = pl.DataFrame(
    {
        "event": range(96), "time": [float(k // 3) for k in range(96)], "source": [LONG[k % 24] for k in range(96)],
        "act": "threaten", "target": "x", "root": 0.5, "before": 0.0,
    }
)  # fmt: skip
MATRIX = pl.DataFrame(
    {
        "by": [None, HOSTILE, "nato"],
        "actor": ["nato", "nato", HOSTILE],
        "acts": [3.0, 0.004, 250_000.0],
        "share": [1, 0, 1],
    }
)
MANY_PAIRS = pl.DataFrame([{"by": b, "actor": a, "acts": 1.5, "share": 0.04} for a in LONG for b in [None, *LONG]])

FIGURES: dict[str, Callable[[], Any]] = {
    "history": lambda: plots.history(ACTS, STANDOFFS, START, 3650, title=HOSTILE),
    "history of nothing": lambda: plots.history(ACTS.clear(), STANDOFFS.clear(), START, 10, ["kosovo"]),
    "hostility": lambda: plots.hostility(ACTS.filter(pl.col("heat") > 0), STANDOFFS, START, 3650, title=HOSTILE),
    "hostility by dyad": lambda: plots.hostility(
        ACTS, STANDOFFS.with_columns(dyad=pl.lit("serbia - kosovo")), START, 40, most=2
    ),
    "hostility of nothing": lambda: plots.hostility(ACTS.clear(), STANDOFFS.clear(), START, 10),
    "ends": lambda: plots.ends(SHARES, title=HOSTILE),
    "openers": lambda: plots.openers(SHARES.drop("hurt", "record", "record_low", "record_high")),
    "lengths": lambda: plots.lengths(SHARES.drop("hurt")),
    "lengths of nothing": lambda: plots.lengths(SHARES.clear()),
    "entanglement": lambda: plots.entanglement(DESCENT, {"nato": HOSTILE}),
    "entanglement of nothing": lambda: plots.entanglement(DESCENT.clear()),
    "drawn in": lambda: plots.drawn_in(DESCENT),
    "family": lambda: plots.family_tree(FAMILY_ACTS, FAMILY_LINKS, START, {"answer": HOSTILE}, title=HOSTILE),
    "family of one": lambda: plots.family_tree(FAMILY_ACTS.head(1), FAMILY_LINKS.clear(), START),
    "family of many": lambda: plots.family_tree(MANY_ACTS, FAMILY_LINKS, START, most_lanes=20),
    "who sets off whom": lambda: plots.who_sets_off_whom(MATRIX, {"nato": HOSTILE}),
    "who sets off whom, many": lambda: plots.who_sets_off_whom(MANY_PAIRS),
    "record": lambda: plots.against_record(LINES),
    "record of nothing": lambda: plots.against_record([]),
}


@cache
def drawn(name: str) -> str:
    return plots.svg(FIGURES[name](), "fig-", "what it shows")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_draws_and_says_what_it_shows(name: str) -> None:
    text = drawn(name)
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == "what it shows"
    assert "NaN" not in text
    assert "undefined" not in text


@pytest.mark.parametrize("name", FIGURES)
def test_a_hostile_string_stays_text(name: str) -> None:
    """ElementTree has parsed the picture: a tag that was let through would be an element that is not in the list."""
    text = drawn(name)
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    outside = [url for url in re.findall(r"https?://[^\s\"'<]+", text) if not url.startswith("http://www.w3.org/")]
    assert outside == []


def test_an_element_that_does_not_belong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import vl_convert

    planted = f'<svg xmlns="{plots.files.SVG}"><script>alert(1)</script></svg>'
    monkeypatch.setattr(vl_convert, "vegalite_to_svg", lambda spec: planted)
    with pytest.raises(ValueError, match="does not belong there: script"):
        plots.svg(FIGURES["ends"]())


def test_marks_carry_their_hover_text() -> None:
    text = drawn("history")
    assert "<title>2008-02-19: serbia, threaten towards kosovo</title>" in text
    assert "suspended, people hurt</title>" in text


def test_a_curve_of_a_family_tells_its_probability() -> None:
    text = drawn("family")
    assert "75 %: “kosovo → serbia: impose” set off" in text
    assert drawn("family of many").count("others") >= 1
    assert "5 others" in drawn("who sets off whom, many")


def test_two_pictures_of_one_page_share_no_id() -> None:
    first, second = (set(re.findall(r' id="([^"]*)"', plots.svg(FIGURES["record"](), name))) for name in ("a-", "b-"))
    assert not first & second


@pytest.mark.parametrize("form", ["svg", "png", "pdf", "html", "json"])
def test_a_figure_is_written_in_every_format(form: str, tmp_path: Path) -> None:
    path = plots.save(FIGURES["ends"](), tmp_path / f"ends.{form}")
    head = path.read_bytes()[:15]
    assert head.startswith(
        {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "html": b"<!DOCTYPE html>", "json": b"{"}[form]
    )


def test_a_saved_page_fetches_nothing(tmp_path: Path) -> None:
    page = plots.save(FIGURES["ends"](), tmp_path / "ends.html").read_text()
    assert re.findall(r"<(?:script|link)[^>]*(?:src|href)=", page) == []


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a name that ends in svg, png, pdf, html, json"):
        plots.save(FIGURES["ends"](), tmp_path / "ends.doc")


def test_the_same_figure_twice_is_the_same_text() -> None:
    assert plots.svg(FIGURES["history"]()) == plots.svg(FIGURES["history"]())


def test_more_than_five_thousand_acts_are_drawn() -> None:
    many = pl.DataFrame({"time": [float(i) / 4 for i in range(5_001)]}).with_columns(
        source=pl.lit("kosovo"), act=pl.lit("impose"), target=pl.lit(None), tone=pl.lit("hostile"), heat=pl.lit(1.0)
    )
    assert plots.svg(plots.history(many, STANDOFFS, START, 3650)).count("<title>") >= 5_001


def test_hostile_and_cooperative_acts_point_different_ways() -> None:
    """So that tone is seen without colour."""
    spec = FIGURES["history"]().to_dict()
    rows = [row for layer in spec["layer"] for row in json.loads(layer["data"]["values"])]
    tips = {row["tone"]: row["tip"] - row["y"] for row in rows if "tip" in row}
    assert tips["hostile"] < 0 < tips["cooperative"]


@pytest.mark.parametrize(
    ("value", "at"), [(5.0, 0.0), (4.0, -1.0), (8.0, 1.0), (6.5, 0.5), (3.0, -2.0), (99.0, 3.0), (-99.0, -3.0)]
)
def test_a_line_is_placed_on_the_records_own_scale(value: float, at: float) -> None:
    assert place(value, 5.0, 4.0, 8.0) == at


@pytest.mark.parametrize(("value", "at"), [(0.0, 0.0), (0.05, 0.5), (-0.05, -0.5)])
def test_a_side_without_width_takes_the_others(value: float, at: float) -> None:
    assert place(value, 0.0, 0.0, 0.1) == at


def test_a_record_without_width_shows_only_the_side() -> None:
    assert [place(value, 1.0, 1.0, 1.0) for value in (0.5, 1.0, 1.5)] == [-3.0, 0.0, 3.0]


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.5, "50 %"), (0.0123, "1.2 %"), (0.004, "0.4 %"), (1e-7, "<0.01 %"), (1, "100 %")],
)
def test_a_small_share_is_not_rounded_to_nothing(share: float, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0, "0"),
        (1.234, "1.23"),
        (12345.6, "12,346"),
        (0.000012, "0.000012"),
        (-3.0e-4, "−0.0003"),
        (-0.25, "−0.25"),
        (1e-12, "0"),
        (99.96, "100"),
        (1.7, "1.70"),
        (5.0, "5"),
        (0.02, "0.020"),
        (0.123, "0.12"),
        (123.4, "123"),
    ],
)
def test_numbers_have_three_figures(value: float | None, said: str) -> None:
    assert measured(value) == said


def test_words_from_outside_become_one_short_line() -> None:
    assert words("a\nb\tc\x00d\u202ee") == "a b c d e"
    assert len(words("x" * 1000)) == LONGEST_LABEL


def test_of_very_many_actors_those_that_act_most_are_drawn() -> None:
    """200 lanes were a figure of fifteen screens; what is left out is said."""
    many = pl.DataFrame(
        [
            {"time": 1.0 + k, "source": f"actor {a}", "act": "raid", "target": None, "tone": "hostile", "heat": 1.0}
            for a in range(200)
            for k in range(1 + (a >= 180))
        ],
        schema_overrides={"target": pl.String},
    )
    chart = plots.history(many, STANDOFFS.clear(), START, 40, {f"actor {a}": f"Actor {a}" for a in range(200)})
    told = chart.to_dict(validate=False)
    assert "The 24 actors that act most; 176 other actors, with 176 acts, are not drawn." in told["title"]["subtitle"]
    text = json.dumps(told)
    assert "220 acts" in text
    assert all(f"Actor {a}\\" in text for a in range(180, 200))
    assert told["height"] < 1500


def test_of_very_many_bars_the_largest_are_drawn() -> None:
    shares = pl.DataFrame(
        [{"name": f"actor {k}", "share": (k + 1) / 5050, "low": 0.0, "high": 0.1} for k in range(100)]
    )
    told = plots.openers(shares).to_dict(validate=False)
    assert "The 20 largest; 80 others have 64\u00a0% together." in told["title"]["subtitle"]
    assert "actor 80\\" in json.dumps(told)
    assert "actor 79\\" not in json.dumps(told)


def test_shares_on_an_axis_are_said_as_in_the_words_around_it() -> None:
    """50 %, as text has it, not 50%; and no rounding that makes two ticks the same."""
    at = alt.X("x:Q", axis=share_axis(tickCount=3))
    drawn = plots.svg(chart_of([{"x": 0.0}, {"x": 0.004}]).mark_point().encode(at))
    assert "0.2 %" in drawn and ">0 %" in drawn and "0%" not in drawn
