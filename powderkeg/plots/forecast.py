"""Forecasts: fans by dyad, with what came before and, where it is known, what came after; and how they scored.

In: frames of a `Forecast` or of scores. Out: charts.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import altair as alt

from powderkeg.plots.theme import GRID, HOSTILE, INK, LONGEST_LABEL, MODEL, PALE, SOFT, WIDTH, chart_of, whole, words

if TYPE_CHECKING:
    import polars as pl

MOST_FANS = 6
HEIGHT = 110
TO = " → "
"""Stands between who acts and towards whom in the name of a fan."""


def fans(
    table: pl.DataFrame, origin: date, level: float = 0.9, most: int = MOST_FANS, pairs: int | None = None
) -> alt.VConcatChart:
    """Acts in the week up to each day, dyad by dyad: seen before the origin, foretold after it.

    table  as `Forecast.fan()`: name, day (date), seen (null ahead), low, q25, median, q75, high (null before the
           origin), came (what came in the end, null where it is not known)
    pairs  how many dyads there are; by default those of the table
    """
    panels = []
    every = table["name"].unique(maintain_order=True).to_list()
    names, pairs = every[:most], pairs or len(every)
    for k, name in enumerate(names):
        rows = table.filter(table["name"] == name).to_dicts()
        last = k == len(names) - 1
        panels.append(_panel(rows, _called(name), origin, last))
    share = f"{100 * level:.0f} %"
    lines = [
        f"Acts in the seven days up to each day. Wide band: {share} of the histories ahead; narrow band: half of them; "
        "line: the middle one.",
        "Thin line: what was seen before the origin (dashed rule)."
        + (" Orange: what came." if table["came"].is_not_null().any() else ""),
        *([f"The first {most} of {pairs:,} pairs."] if pairs > most else []),
    ]
    head = alt.TitleParams(f"What may come from {origin} on", subtitle=lines, offset=14)
    return whole(alt.vconcat(*panels, spacing=12).properties(title=head))


def fans_and_what_came(table: pl.DataFrame, level: float = 0.9) -> alt.VConcatChart:
    """What was foretold from a row of origins, and what was seen all along, dyad by dyad.

    table  as `Backtest.fans`: name, origin (date; null for what was seen), day, low, q25, median, q75, high, came
    """
    names = list(dict.fromkeys(table["name"].to_list()))
    panels = []
    for k, name in enumerate(names):
        rows = table.filter(table["name"] == name).to_dicts()
        panels.append(_row_of_fans(rows, _called(name), k == len(names) - 1))
    n = table["origin"].n_unique() - 1
    lines = [
        f"Acts in the seven days up to each day. Wide band: {100 * level:.0f} % of the histories ahead; narrow band: "
        "half of them; line: the middle one.",
        f"Thin line: what came. {'The forecast was' if n == 1 else f'Each of the {n} forecasts was'} made on the day "
        "on which its band begins, from what was known then.",
    ]
    head = alt.TitleParams("What was foretold, and what came", subtitle=lines, offset=14)
    return whole(alt.vconcat(*panels, spacing=12).properties(title=head))


def _called(name: str) -> str:
    """Who towards whom above a panel: of names too long for it each side keeps its beginning."""
    sides = name.split(TO)
    most = (LONGEST_LABEL - len(TO) * (len(sides) - 1)) // len(sides)
    if len(name) > LONGEST_LABEL:
        sides = [side if len(side) <= most else f"{side[: most - 1].rstrip()}…" for side in sides]
    return words(TO.join(sides))


def _row_of_fans(rows: list[dict[str, object]], name: str, last: bool) -> Any:
    data = [{**row, "when": str(row["day"]), "from": str(row["origin"])} for row in rows]
    for row in data:
        del row["day"], row["origin"]
        row["what"] = words(f"{name}, {row['when']}")
    axis = alt.Axis(format="%-d %b %Y", tickCount=6, labels=last, ticks=last, title=None)
    x = alt.X("when:T", axis=axis)
    top = alt.Axis(tickCount=3, tickMinStep=1, format="d", grid=True, gridColor=GRID)
    told = chart_of([row for row in data if row["low"] is not None])
    came = chart_of([row for row in data if row["came"] is not None])
    layers = [
        told.mark_area(color=PALE, opacity=0.45, interpolate="step-after", aria=False).encode(
            x, alt.Y("low:Q", title="", axis=top), y2="high:Q", detail="from:N"
        ),
        told.mark_area(color=PALE, opacity=0.9, interpolate="step-after", aria=False).encode(
            x, alt.Y("q25:Q", title=""), y2="q75:Q", detail="from:N"
        ),
        told.mark_line(color=MODEL, strokeWidth=2, interpolate="step-after", aria=False).encode(
            x, alt.Y("median:Q", title=""), detail="from:N"
        ),
        came.mark_line(color=INK, strokeWidth=1.2, interpolate="step-after").encode(
            x, alt.Y("came:Q", title=""), description="what:N"
        ),
    ]
    title = alt.TitleParams(name, fontSize=13, frame="group", anchor="start")
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)


def _panel(rows: list[dict[str, object]], name: str, origin: date, last: bool) -> Any:
    data = [{**row, "when": str(row["day"])} for row in rows]
    for row in data:
        row.pop("day")
        row["what"] = words(f"{name}, {row['when']}")
    axis = alt.Axis(format="%-d %b %Y", tickCount=6, labels=last, ticks=last, title=None)
    x = alt.X("when:T", axis=axis)
    top = alt.Axis(tickCount=3, tickMinStep=1, format="d", grid=True, gridColor=GRID)
    ahead = chart_of([row for row in data if row["low"] is not None])
    seen = chart_of([row for row in data if row["seen"] is not None])
    came = chart_of([row for row in data if row["came"] is not None])
    rule = chart_of([{"when": str(origin - timedelta(days=1))}])
    layers = [
        ahead.mark_area(color=PALE, opacity=0.45, interpolate="step-after", aria=False).encode(
            x, alt.Y("low:Q", title="", axis=top), y2="high:Q"
        ),
        ahead.mark_area(color=PALE, opacity=0.9, interpolate="step-after", aria=False).encode(
            x, alt.Y("q25:Q", title=""), y2="q75:Q"
        ),
        ahead.mark_line(color=MODEL, strokeWidth=2, interpolate="step-after", aria=False).encode(
            x, alt.Y("median:Q", title="")
        ),
        seen.mark_line(color=INK, strokeWidth=1.4, interpolate="step-after").encode(
            x, alt.Y("seen:Q", title=""), description="what:N"
        ),
        rule.mark_rule(color=SOFT, strokeDash=[4, 4], aria=False).encode(x),
    ]
    if any(row["came"] is not None for row in data):
        layers.append(
            came.mark_line(color=HOSTILE, strokeWidth=1.8, interpolate="step-after").encode(
                x, alt.Y("came:Q", title=""), description="what:N"
            )
        )
    title = alt.TitleParams(name, fontSize=13, frame="group", anchor="start")
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)
