"""Figures for small screens: they fit, say the same, and are left out where their words would run into each other."""

from __future__ import annotations

import re
from datetime import date

import altair as alt
import polars as pl
import pytest

from powderkeg import plots
from powderkeg.plots.slim import ROOM, slim
from powderkeg.plots.theme import time_axis

SHARES = pl.DataFrame(
    {"name": ["a rather long name of an actor", "b"], "share": [0.6, 0.4], "low": [0.5, 0.3], "high": [0.7, 0.5]}
)
ROW = {"title": "Raids a year", "unit": "per year", "better": "less", "baseline": 4.0, "value": 3.0,
       "difference": -1.0, "low": -1.5, "high": -0.5, "range_low": -2.0, "range_high": 0.5}  # fmt: skip
EFFECTS = [
    {**ROW, "name": "raids", "intervention": "one", "verdict": "better"},
    {**ROW, "name": "raids", "intervention": "two", "verdict": "better"},
    {**ROW, "name": "talks", "title": "Talks a year", "intervention": "one", "verdict": "better"},
    {**ROW, "name": "talks", "title": "Talks a year", "intervention": "two", "verdict": "better"},
]
ACTS = pl.DataFrame(
    {"time": [3.0, 40.0, 900.0], "source": ["north", "south", "north"], "act": ["raid"] * 3, "target": ["south"] * 3,
     "tone": ["hostile"] * 3, "heat": [1.0] * 3}
)  # fmt: skip
STANDOFFS = pl.DataFrame({"start": [3.0], "last": [40.0], "end_state": ["spent"]})
CHARTS = {
    "bars": lambda: plots.openers(SHARES),
    "panels": lambda: plots.differences(EFFECTS),
    "strip": lambda: plots.history(ACTS, STANDOFFS, date(2020, 1, 1), 1_500.0),
}


def width_of(picture: str) -> float:
    found = re.search(r'<svg[^>]* width="([\d.]+)"', picture)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("name", CHARTS)
def test_a_figure_fits_a_telephone_and_says_the_same(name: str) -> None:
    chart = CHARTS[name]()
    both = plots.svgs(chart, "x-")
    broad, narrow = both.split('<div class="slim">')
    assert width_of(broad) > ROOM + 100 and width_of(narrow) < ROOM + 40
    words = set(re.findall(r">([^<>]{4,20})</text>", narrow))
    assert len(words & set(re.findall(r">([^<>]{4,20})</text>", broad))) >= 3
    assert narrow.count("aria-label=") == 1  # one description, as in the broad one
    ids = re.findall(r' id="([^"]+)"', both)
    assert len(ids) == len(set(ids))


def test_what_has_words_in_cells_scrolls() -> None:
    frame = pl.DataFrame({"x": ["a", "b", "c"], "y": ["p"] * 3})
    cells = alt.Chart(alt.Data(values=frame.to_dicts())).mark_rect().encode(x="x:N", y="y:N")
    assert slim(cells.properties(width=900).to_dict()) is None


def test_what_is_narrow_already_has_no_second_picture() -> None:
    frame = [{"x": 1.0, "y": 2.0}]
    points = alt.Chart(alt.Data(values=frame)).mark_point().encode(x="x:Q", y="y:Q")
    assert slim(points.properties(width=200).to_dict()) is None
    assert slim(points.properties(width=600).to_dict()) is not None


@pytest.mark.parametrize("days", [2.0, 12.0, 61.0, 200.0, 899.0, 901.0, 1_460.0, 5_000.0, 40_000.0])
def test_a_time_axis_says_each_year_month_or_day_once(days: float) -> None:
    """Ticks at whole units, so that no two of them have the same label; never more than a dozen."""
    axis = time_axis(days).to_dict()
    every = axis["tickCount"]
    length = {"day": 1.0, "month": 30.4, "year": 365.25}[every["interval"]] * every["step"]
    assert days / length <= 12.0
    assert {"day": "%-d %b", "month": "%b %Y", "year": "%Y"}[every["interval"]] == axis["format"]


def test_words_at_the_end_of_a_bar_are_not_cut() -> None:
    """A figure fitted to its width was cut there: "51 % (record 52 %)" read "51 % (record 5"."""
    shares = SHARES.with_columns(record=pl.Series([0.52, 0.3]), record_low=pl.Series([0.4, 0.2]),
                                 record_high=pl.Series([0.9, 0.4]))  # fmt: skip
    narrow = plots.svgs(plots.openers(shares), "x-").split('<div class="slim">')[1]
    ends = re.findall(r'<text text-anchor="start"[^>]*translate\(([\d.]+),[^>]*>(\d+ %\s+\(record[^<]+)</text>', narrow)
    left = re.search(r'<g fill="none"[^>]*translate\(([\d.]+),', narrow)
    assert len(ends) == 2 and left is not None
    assert width_of(narrow) < ROOM + 80
    assert all(float(left[1]) + float(at) + 5.0 * len(words) < width_of(narrow) for at, words in ends)


def test_words_in_a_bar_too_short_for_them_are_left_out() -> None:
    """14 % and 8.7 % side by side read as one number."""
    from powderkeg.plots.causes import WRITTEN_FROM, entanglement

    part = WRITTEN_FROM + 0.01
    shares = pl.DataFrame(
        {"actor": ["a"] * 3, "drawn_in": [False, True, True], "mechanism": [None, "aid", "talks"],
         "share": [1 - 0.5 - part, 0.5, part]}
    )  # fmt: skip
    broad, narrow = plots.svgs(entanglement(shares), "x-").split('<div class="slim">')
    assert ">50 %<" in broad and ">50 %<" in narrow
    assert f">{100 * part:.2g} %<" in broad and f">{100 * part:.2g} %<" not in narrow


def test_lines_that_the_broad_figure_wrapped_are_wrapped_anew() -> None:
    chart = alt.Chart(alt.Data(values=[{"x": 1.0}])).mark_point().encode(x="x:Q")
    told = ["First come words that were cut here, and they", "go on below. Then more of them.", "Another line."]
    spec = slim(chart.properties(width=600, title=alt.TitleParams("head", subtitle=told)).to_dict())
    assert spec is not None
    lines = spec["title"]["subtitle"]
    assert lines[-1] == told[-1] and " ".join(lines) == " ".join(told)
    assert len(lines[0]) > len(told[0])
