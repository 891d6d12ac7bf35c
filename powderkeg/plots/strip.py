"""One history as a strip: every act in its actor's lane, standoffs shaded.

In: the acts of one history and its standoff episodes. Out: a chart.
A stroke up is a hostile act, the taller the harsher; a stroke down a cooperative one; a dot any other. So tone can be
read without colour, and a lane that answers another is seen beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from powderkeg.plots.theme import COOPERATIVE, FAINT, HOSTILE, INK, NEUTRAL, SHADE, WIDTH, chart_of, figure, words

LANE = 58
"""Pixels an actor's lane is high."""

END_SHAPES = {"resolved": "circle", "suspended": "square", "spent": "triangle-down", "chained": "triangle-right"}
OPEN_SHAPE = "cross"
TALLEST = 0.44
"""Of a lane; the rest keeps neighbours apart."""


def history(
    acts: pl.DataFrame,
    standoffs: pl.DataFrame,
    start: date,
    days: float,
    actors: Mapping[str, str] | Sequence[str] | None = None,
    title: str = "One history, act by act",
) -> alt.LayerChart:
    """Strip of one history.

    acts       time (days since `start`), source, act, tone (hostile, cooperative, neutral), heat (>= 0);
               target if there is one
    standoffs  start, last (days since `start`), end_state; hurt if known
    actors     the lanes from top to bottom, name to title; by default those that act, busiest first
    """
    lanes = _lanes(acts, actors)
    place = {name: index for index, name in enumerate(lanes)}
    hottest = max(float(acts["heat"].max() or 1.0), 1.0) if acts.height else 1.0  # type: ignore[arg-type]
    strokes = [_stroke(row, place[row["source"]], hottest, start) for row in acts.to_dicts() if row["source"] in place]
    shades = [_shade(row, start, days) for row in standoffs.to_dicts()]
    x = alt.X(
        "when:T",
        title=None,
        scale=alt.Scale(type="utc", domain=[_stamp(start, 0), _stamp(start, days)], nice=False),
        axis=alt.Axis(labelFlush=True, format="%Y" if days > 900 else "%b %Y" if days > 60 else "%-d %b", tickCount=10),
    )
    y = alt.Y("y:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.9, len(lanes) - 0.4], reverse=True, nice=False))
    top = -0.76

    rules = chart_of([{"y": index} for index in range(len(lanes))]).mark_rule(color=FAINT, aria=False).encode(y=y)
    shaded = (
        chart_of(shades)
        .mark_rect(color=SHADE, opacity=1)
        .encode(x=x, x2="until:T", y=alt.value(0), y2=alt.value(LANE * len(lanes)), description="what:N")
    )
    ends = (
        chart_of([{**shade, "y": top} for shade in shades])
        .mark_point(size=48, color=INK, filled=True, opacity=1)
        .encode(
            x=alt.X("middle:T"),
            y=y,
            shape=alt.Shape(
                "end:N",
                title="A standoff's end",
                scale=alt.Scale(domain=[*END_SHAPES, "open"], range=[*END_SHAPES.values(), OPEN_SHAPE]),
                legend=alt.Legend(orient="bottom", symbolFillColor=INK, symbolStrokeColor=INK, titleOrient="left"),
            ),
            description="what:N",
        )
    )
    tone = alt.Color(
        "tone:N",
        title="An act",
        scale=alt.Scale(domain=["hostile", "cooperative", "neutral"], range=[HOSTILE, COOPERATIVE, NEUTRAL]),
        legend=None,
    )
    lines = (
        chart_of([row for row in strokes if row["tone"] != "neutral"])
        .mark_rule(strokeWidth=1.3, opacity=0.8)
        .encode(x=x, y=y, y2="tip:Q", color=tone, description="what:N")
    )
    dots = (
        chart_of([row for row in strokes if row["tone"] == "neutral"])
        .mark_circle(size=12, opacity=0.75)
        .encode(x=x, y=y, color=tone, description="what:N")
    )
    names = (
        chart_of([{"y": index, "label": words(label)} for index, label in enumerate(lanes.values())])
        .mark_text(align="right", baseline="middle", dx=-12, limit=230, aria=False)
        .encode(x=alt.value(0), y=y, text="label:N")
    )
    span = f"{start.year} to {(start + timedelta(days=days)).year}" if days > 365 else f"{days:.0f} days from {start}"
    return figure(
        *(rules, shaded, rules, lines, dots, ends, names),
        title=title,
        subtitle=[
            f"{span}: {acts.height:,} acts, {standoffs.height} standoffs (shaded; on top, how each ended)",
            "Stroke up: hostile act, the taller the harsher. Stroke down: cooperative act. Dot: any other.",
        ],
        height=LANE * len(lanes),
    )


def _lanes(acts: pl.DataFrame, actors: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    """Lanes from top to bottom, name to title: those given that act at all, or every actor, busiest first."""
    busy = acts.group_by("source").len().sort(["len", "source"], descending=[True, False])["source"].to_list()
    if actors is None:
        return {str(name): str(name).replace("_", " ") for name in busy}
    titles = dict(actors) if isinstance(actors, Mapping) else {name: name.replace("_", " ") for name in actors}
    return {name: title for name, title in titles.items() if name in busy} or titles


def _stroke(row: Mapping[str, Any], lane: int, hottest: float, start: date) -> dict[str, object]:
    heat = min(max(float(row["heat"]), 0.0), hottest)
    reach = {"hostile": -(0.3 + 0.7 * heat / hottest), "cooperative": 0.5}.get(row["tone"], 0.0)
    whom = f" towards {row['target']}" if row.get("target") else ""
    day = start + timedelta(days=float(row["time"]))
    return {
        "when": _stamp(start, row["time"]),
        "y": lane,
        "tip": lane + TALLEST * reach,
        "tone": row["tone"],
        "what": words(f"{day}: {row['source']}, {row['act']}{whom}"),
    }


def _shade(row: Mapping[str, Any], start: date, days: float) -> dict[str, object]:
    begin, last = float(row["start"]), float(row["last"])
    # A standoff of one day would be a hairline in ten years: none is drawn narrower than two pixels.
    until = max(last, begin + 2.0 * days / WIDTH)
    middle = (begin + until) / 2
    hurt = ", people hurt" if row.get("hurt") else ""
    length = f"{max(last - begin, 0.0):.0f} days"
    return {
        "when": _stamp(start, begin),
        "until": _stamp(start, until),
        "middle": _stamp(start, middle),
        "end": row["end_state"],
        "what": words(f"Standoff from {start + timedelta(days=begin)}, {length}, {row['end_state']}{hurt}"),
    }


def _stamp(start: date, days: float) -> str:
    moment = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=float(days))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
