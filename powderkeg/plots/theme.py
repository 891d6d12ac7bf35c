"""How every figure looks: one font, few colours, no decoration.

Colours are from Okabe & Ito (2008), "Color universal design", which stay apart under the common colour deficiencies.
No figure says with colour alone what it says: shape, place or words say it too.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from textwrap import wrap
from typing import Any, cast

import altair as alt

from powderkeg.plots.shown import Whole, shown
from powderkeg.units import YEAR
from powderkeg.wording import unbroken

INK = "#1f2328"
SOFT = "#57606a"
FAINT = "#d0d7de"
GRID = "#eaeef2"
SHADE = "#e9e4d4"
HOSTILE = "#d55e00"
COOPERATIVE = "#0072b2"
NEUTRAL = "#6e7781"
MODEL = "#0072b2"
PALE = "#a6cee3"
SERIES = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442")
"""Colours of a series with names, in this order."""

FONT = "Arial, Liberation Sans, Helvetica, Arimo, Nimbus Sans, DejaVu Sans Condensed, sans-serif"
"""Widths are those of Arial; those after it are about as wide, for systems that lack it."""
WIDTH = 680
"""Pixels of the plotting area; with labels a figure is about 900 wide, a page of paper at 130 dots an inch."""

LONGEST_LABEL = 60
MOST_TICKS = 10
LETTER, BESIDE = 6.1, 40
"""Pixels of a letter of a subtitle, and what stands beside the plotting area at the least."""


def row_name(text: object) -> str:
    """A string from outside as the name of a row or column: one line, no control characters, whole: two that are cut
    before they are drawn may become one. `names.cut_names` makes it fit."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in str(text))
    return " ".join(kept.split())


def words(text: object) -> str:
    """A string from outside as words in a figure: as a name of a row, but not longer than a figure can bear."""
    line = row_name(text)
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"


def chart_of(rows: Iterable[Mapping[str, object]]) -> alt.Chart:
    """A chart on rows kept inside it; Altair's limit on rows does not apply.

    The rows go in as JSON text: Altair copies and checks data row by row each time that a chart is touched.
    """
    text = json.dumps(list(rows), allow_nan=False)
    data = alt.Data(values=text, format=alt.DataFormat(type="json"))  # type: ignore[no-untyped-call]
    return alt.Chart(data)


def figure(
    *layers: alt.Chart,
    title: str,
    subtitle: Sequence[str] = (),
    width: float = WIDTH,
    height: float,
    offset: float = 12,
    beside: float = BESIDE,
) -> alt.LayerChart:
    """Layers over each other, with a title and the words that say how to read them.

    beside  pixels that stand beside the plotting area at the least: the words have them too
    """
    letters = int((width + beside) / LETTER)
    lines = [part for line in subtitle for part in wrap(unbroken(line), letters)]
    head = alt.TitleParams(words(title), subtitle=lines, offset=offset)
    layered = cast("alt.LayerChart", alt.layer(*layers))  # layers of ours have no facets
    return whole(layered.properties(width=width, height=height, title=head))


def time_axis(days: float) -> alt.Axis:
    """The axis of a window of so many days: ticks at whole years, months or days, and each label said once."""
    form, interval, step = "%-d %b", "day", max(math.ceil(days / MOST_TICKS), 1)
    if days > 900:
        form, interval, step = "%Y", "year", max(math.ceil(days / YEAR / MOST_TICKS), 1)
    elif days > 60:
        form, interval = "%b %Y", "month"
        step = next(months for months in (1, 2, 3, 6) if days / (YEAR / 12) / months <= MOST_TICKS or months == 6)
    every = alt.TimeIntervalStep(interval=cast("Any", interval), step=step)
    return alt.Axis(labelFlush=True, format=form, tickCount=every)


def share_axis(signed: bool = False, **more: Any) -> alt.Axis:
    """The axis of shares, each tick in per cent as the words around it say them: 50 %, not 50%."""
    form = "+.3~g" if signed else ".3~g"
    return alt.Axis(labelExpr=f"(datum.value ? format(100 * datum.value, '{form}') : '0') + ' %'", **more)


def stamp(start: date, days: float) -> str:
    """A moment so many days after a start, as a figure's data hold it: in UTC, whatever the reader's zone."""
    moment = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=float(days))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(chart: Whole) -> Whole:
    """A chart with all its parts, in the look of all figures, as it is shown."""
    configured: Whole = chart.configure(**config())
    return shown(configured)


def config() -> dict[str, Any]:
    """The Vega-Lite configuration of all figures."""
    return {
        "background": "white",
        "font": FONT,
        "padding": {"left": 8, "right": 10, "top": 4, "bottom": 4},
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "fontSize": 16,
            "fontWeight": "bold",
            "color": INK,
            "subtitleFontSize": 13,
            "subtitleColor": SOFT,
            "subtitleLineHeight": 17,
            "subtitlePadding": 6,
        },
        "axis": {
            "labelFontSize": 13,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "titleColor": SOFT,
            "titlePadding": 8,
            "labelColor": INK,
            "labelLimit": 320,
            "grid": False,
            "domainColor": SOFT,
            "tickColor": SOFT,
        },
        "legend": {
            "labelFontSize": 13,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "titleColor": SOFT,
            "labelColor": INK,
            "labelLimit": 260,
            # Room after each entry: where its font is missing, another that stands in for it may be a fifth wider.
            "columnPadding": 30,
            "symbolSize": 90,
        },
        "text": {"fontSize": 13, "color": INK, "font": FONT},
        "rule": {"color": INK},
    }
