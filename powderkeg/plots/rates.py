"""By how much actors differ, and the courses of groups.

In: frames of a fit's effects and courses. Out: charts: each sender's, receiver's and dyad's factor on its rates, with
its interval; each group's course over the window with its band.
"""

from __future__ import annotations

import altair as alt
import polars as pl

from powderkeg.plots.theme import GRID, MODEL, NEUTRAL, PALE, WIDTH, chart_of, whole
from powderkeg.wording import bracketed, plain

ROW = 18
TALL = 110
MOST = 14
"""Effects of a kind that are drawn: those farthest from 1."""
LEAST = 0.02
"""Kinds of which no factor lies farther from 1 than this are left out: nothing of the kind is seen."""


def effects(frame: pl.DataFrame, level: float = 0.9, title: str = "How busy each is by itself") -> alt.VConcatChart:
    """Factors on the rates by kind of difference, those farthest from 1.

    frame  what, name, times, low, high, events
    """
    panels = []
    seen = frame.filter(pl.col("times").log().abs().max().over("what") > LEAST)
    for key, part in (seen if seen.height else frame).group_by("what", maintain_order=True):
        far = part.with_columns(away=pl.col("times").log().abs()).sort("away", descending=True).head(MOST)
        rows = [
            {**row, "told": f"{row['name']}: {plain(row['times'], 2)} times {bracketed(row['low'], row['high'], 2)}, "
                            f"{row['events']:,} events"}
            for row in far.sort("times", descending=True).to_dicts()
        ]  # fmt: skip
        order = [row["name"] for row in rows]
        y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=220, domain=False, ticks=False))
        axis = alt.Axis(format="~g", tickCount=6, grid=True, gridColor=GRID)
        scale = alt.Scale(type="log", nice=False)
        bars = chart_of(rows).mark_rule(color=MODEL, strokeWidth=2)
        spans = bars.encode(alt.X("low:Q", title="times the usual rate", axis=axis, scale=scale), alt.X2("high:Q"), y)
        points = chart_of(rows).mark_circle(color=MODEL, size=55, opacity=1).encode(
            alt.X("times:Q", scale=scale), y, description="told:N"
        )  # fmt: skip
        usual = chart_of([{"one": 1.0}]).mark_rule(color=NEUTRAL, strokeDash=[4, 3]).encode(alt.X("one:Q", scale=scale))
        more = f", the {MOST} farthest from 1 of {part.height}" if part.height > MOST else ""
        head = alt.TitleParams(f"{key[0]}{more}", anchor="start", fontSize=12)
        panels.append(alt.layer(usual, spans, points).properties(width=WIDTH - 160, height=ROW * len(rows), title=head))
    under = f"bars hold {100 * level:.0f} %; 1 is what is usual"
    return whole(alt.vconcat(*panels, title=alt.TitleParams(title, subtitle=under, anchor="start")))


def courses(frame: pl.DataFrame, level: float = 0.9, title: str = "The course of the background") -> alt.VConcatChart:
    """Factor on the rates of each group over the window, with its band.

    frame  group, from, until, times, low, high
    """
    panels = []
    most = float(frame["high"].max() or 1.0)  # type: ignore[arg-type]
    for key, part in frame.group_by("group", maintain_order=True):
        rows = [
            {"day": row[side].isoformat(), "order": 2 * k + (side == "until"), "times": row["times"]}
            for k, row in enumerate(part.to_dicts())
            for side in ("from", "until")
        ]  # fmt: skip
        x = alt.X("day:T", title=None, axis=alt.Axis(tickCount=8))
        scale = alt.Scale(domain=[0.0, min(most, 4.0 * float(part["times"].max() or 1.0))], clamp=True)  # type: ignore[arg-type]
        axis = alt.Axis(tickCount=4, grid=True, gridColor=GRID)
        spans = [
            {"day": row["from"].isoformat(), "until": row["until"].isoformat(), "low": row["low"], "high": row["high"]}
            for row in part.to_dicts()
        ]
        band = chart_of(spans).mark_rect(color=PALE, aria=False).encode(
            x, alt.X2("until:T"), alt.Y("low:Q", title="times its mean", axis=axis, scale=scale), alt.Y2("high:Q")
        )  # fmt: skip
        line = chart_of(rows).mark_line(color=MODEL, strokeWidth=2, aria=False).encode(
            x, alt.Y("times:Q", scale=scale), order="order:Q"
        )  # fmt: skip
        usual = (
            chart_of([{"one": 1.0}]).mark_rule(color=NEUTRAL, strokeDash=[4, 3]).encode(y=alt.Y("one:Q", scale=scale))
        )
        name = "all backgrounds" if key[0] == "all" else str(key[0])
        head = alt.TitleParams(name, anchor="start", fontSize=12)
        panels.append(alt.layer(band, usual, line).properties(width=WIDTH, height=TALL, title=head))
    under = f"what no answer explains, by group; bands hold {100 * level:.0f} %"
    return whole(alt.vconcat(*panels, title=alt.TitleParams(title, subtitle=under, anchor="start")))
