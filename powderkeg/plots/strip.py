"""A history as a strip: acts in lanes over time, standoffs shaded.

In: the acts of one history, simulated or observed, and its standoff episodes. Out: a chart.
A stroke up is a hostile act, the taller the harsher; a stroke down a cooperative one; a dot any other. So tone can be
read without colour, and a lane that answers another is seen beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt
import polars as pl

from powderkeg.plots.theme import (
    COOPERATIVE,
    FAINT,
    HOSTILE,
    INK,
    NEUTRAL,
    SHADE,
    WIDTH,
    chart_of,
    figure,
    row_name,
    stamp,
    time_axis,
    words,
)
from powderkeg.wording import counted, plain

LANE = 58
"""Pixels an actor's lane is high."""

END_SHAPES = {"resolved": "circle", "suspended": "square", "spent": "triangle-down", "chained": "triangle-right"}
OPEN_SHAPE = "cross"
TALLEST = 0.44
"""Of a lane; the rest keeps neighbours apart."""
TOP = -0.76
"""Where the marks of standoffs stand, above the first lane."""
MOST_ACTS = 10_000
"""Acts that are drawn one by one; more of them are put together, so that the largest history makes a page of few MB."""
MOST_LANES = 24
"""Actors that have a lane: of more, those that act most."""
MOST_STANDOFFS = 1_000
"""Standoffs that are shaded; of more, the longest."""
DYAD = " - "
REST = "all other pairs"
FOOT = 0.4
"""How far below the middle of its lane hostility between a pair begins."""


def history(
    acts: pl.DataFrame,
    standoffs: pl.DataFrame,
    start: date,
    days: float,
    actors: Mapping[str, str] | Sequence[str] | None = None,
    title: str = "One history, act by act",
    told: str | None = None,
) -> alt.LayerChart:
    """Strip of one history.

    acts       time (days since `start`), source, act, tone (hostile, cooperative, neutral), heat (>= 0);
               target if there is one
    standoffs  start, last (days since `start`), end_state; hurt if known
    actors     the lanes from top to bottom, name to title; by default those that act, busiest first. Of more than
               MOST_LANES those that act most are drawn
    told       what is said in place of the number of standoffs, where it is not known
    """
    every = _lanes(acts, actors)
    lanes = _busiest(every, acts)
    place = {name: index for index, name in enumerate(lanes)}
    hottest = max(float(acts["heat"].max() or 1.0), 1.0) if acts.height else 1.0  # type: ignore[arg-type]
    seen = acts if len(lanes) == len(every) else acts.filter(pl.col("source").is_in([*lanes]))
    drawn, bin_days = _put_together(seen, days, len(lanes))
    strokes = [_stroke(row, place[row["source"]], hottest, start) for row in drawn.to_dicts() if row["source"] in place]
    tone = alt.Color(
        "tone:N",
        title="An act",
        scale=alt.Scale(domain=["hostile", "cooperative", "neutral"], range=[HOSTILE, COOPERATIVE, NEUTRAL]),
        legend=None,
    )
    x, y = _scales(start, days, len(lanes))
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
    return figure(
        *_ground(list(lanes.values()), standoffs, start, days),
        *(lines, dots),
        *_top(list(lanes.values()), standoffs, start, days),
        title=title,
        subtitle=[
            f"{_span(start, days)}: {acts.height:,} acts, {told or _counted(standoffs)}",
            "Stroke up: hostile act, the taller the harsher. Stroke down: cooperative act. Dot: any other.",
            *_left_out(every, lanes, acts),
            *(
                []
                if bin_days is None
                else [f"A stroke stands for all of its kind in {plain(bin_days, 2)} days, the harshest."]
            ),
        ],
        height=LANE * len(lanes),
    )


def _busiest(lanes: dict[str, str], acts: pl.DataFrame) -> dict[str, str]:
    """The lanes that are drawn, in the order of all."""
    if len(lanes) <= MOST_LANES:
        return lanes
    own = acts.filter(pl.col("source").is_in([*lanes])).group_by("source").len()
    kept = own.sort(["len", "source"], descending=[True, False]).head(MOST_LANES)["source"].to_list()
    return {name: title for name, title in lanes.items() if name in kept}


def _left_out(lanes: Mapping[str, str], drawn: Mapping[str, str], acts: pl.DataFrame) -> list[str]:
    """Which actors have no lane, in words."""
    if len(drawn) == len(lanes):
        return []
    unseen = acts.filter(~pl.col("source").is_in([*drawn])).height
    others = counted(len(lanes) - len(drawn), "other actor")
    return [f"The {len(drawn)} actors that act most; {others}, with {counted(unseen, 'act')}, are not drawn."]


def _put_together(acts: pl.DataFrame, days: float, n_lanes: int) -> tuple[pl.DataFrame, float | None]:
    """The acts as they are, or where there are many one for each actor, tone and stretch of time, and its days.

    The harshest stands for the others of its stretch, the first of those that are equally harsh.
    """
    if acts.height <= MOST_ACTS:
        return acts, None
    bin_days = days / min(max(MOST_ACTS // (6 * n_lanes), 20), WIDTH)
    harshest = pl.col("heat").arg_max()
    named = [pl.col(name).gather(harshest).first() for name in acts.columns if name not in ("source", "tone")]
    return (
        acts.with_columns(stretch=(pl.col("time") / bin_days).floor())
        .group_by("source", "tone", "stretch", maintain_order=True)
        .agg(*named, pl.len().alias("together"))
        .sort("stretch", "source", "tone")
    ), bin_days


def hostility(
    acts: pl.DataFrame,
    standoffs: pl.DataFrame,
    start: date,
    days: float,
    most: int = 12,
    title: str = "Hostile acts and standoffs",
) -> alt.LayerChart:
    """Hostile acts between every two actors over time, standoffs shaded: for observed events, however many.

    acts       time (days since `start`), source, target, heat (> 0); hostile acts only
    standoffs  start, last (days since `start`), end_state; with a column dyad ("a - b" as in `analyze.episodes`) each
               is shaded in its own lane
    most       pairs that have a lane of their own, hottest first; the rest share one
    """
    pair = pl.when(pl.col("source") <= pl.col("target")).then(
        pl.concat_str("source", "target", separator=DYAD)
    ).otherwise(pl.concat_str("target", "source", separator=DYAD))  # fmt: skip
    names = acts.select("time", "heat", lane=pair.fill_null(pl.col("source")))
    hottest = names.group_by("lane").agg(pl.col("heat").sum()).sort(["heat", "lane"], descending=[True, False])
    lanes = hottest["lane"].to_list()
    if len(lanes) > most:
        lanes = [*lanes[: most - 1], REST]
    # One stroke for each two pixels: a year of a busy dyad is as many marks as the paper can show, not as it has acts.
    bin_days = max(math.ceil(days * 2 / WIDTH), 1)
    binned = (
        names.with_columns(
            lane=pl.when(pl.col("lane").is_in(lanes)).then("lane").otherwise(pl.lit(REST)),
            bin=(pl.col("time") / bin_days).floor(),
        )
        .group_by("lane", "bin")
        .agg(pl.col("heat").sum(), pl.len().alias("acts"))
        .sort("lane", "bin")
    )
    place = {name: index for index, name in enumerate(lanes)}
    peak = float(binned["heat"].max() or 1.0)  # type: ignore[arg-type]
    strokes = [
        {
            "when": stamp(start, (row["bin"] + 0.5) * bin_days),
            "y": place[row["lane"]] + FOOT,
            "tip": place[row["lane"]] + FOOT - 0.8 * math.sqrt(row["heat"] / peak),
            "what": words(
                f"{start + timedelta(days=row['bin'] * bin_days)}: {row['lane']}, {row['acts']} hostile acts"
            ),
        }
        for row in binned.to_dicts()
    ]
    x, y = _scales(start, days, len(lanes))
    bars = (
        chart_of(strokes)
        .mark_rule(strokeWidth=1.8, color=HOSTILE, opacity=0.9)
        .encode(x=x, y=y, y2="tip:Q", description="what:N")
    )
    each = "a day" if bin_days == 1 else f"in {bin_days} days"
    return figure(
        *_ground(lanes, standoffs, start, days, FOOT),
        bars,
        *_top(lanes, standoffs, start, days),
        title=title,
        subtitle=[
            f"{_span(start, days)}: {acts.height:,} hostile acts, {_counted(standoffs)}",
            f"Height of a stroke: hostility {each}, on a square-root scale common to all pairs.",
        ],
        height=LANE * max(len(lanes), 1),
    )


def _scales(start: date, days: float, n_lanes: int) -> tuple[alt.X, alt.Y]:
    """Time to the right, lanes downwards, with room above the first for the marks of standoffs."""
    x = alt.X(
        "when:T",
        title=None,
        scale=alt.Scale(type="utc", domain=[stamp(start, 0), stamp(start, days)], nice=False),
        axis=time_axis(days),
    )
    y = alt.Y("y:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.9, n_lanes - 0.4], reverse=True, nice=False))
    return x, y


def _ground(
    lanes: Sequence[str], standoffs: pl.DataFrame, start: date, days: float, foot: float = 0.0
) -> list[alt.Chart]:
    """What lies below the strokes: standoffs shaded over all lanes or in their own, a rule for each lane."""
    x, y = _scales(start, days, len(lanes))
    standoffs = _longest(standoffs)
    rows = standoffs.to_dicts()
    own = _own_lanes(lanes, standoffs)
    ends = [(-0.9, len(lanes) - 0.4) if at is None else (at - 0.5, at + 0.5) for at in own]
    shaded = chart_of(
        {**_shade(row, start, days), "y": top, "y2": bottom} for row, (top, bottom) in zip(rows, ends, strict=True)
    )
    rules = chart_of({"y": index + foot} for index in range(len(lanes)))
    return [
        shaded.mark_rect(color=SHADE, opacity=1).encode(x=x, x2="until:T", y=y, y2="y2:Q", description="what:N"),
        rules.mark_rule(color=FAINT, aria=False).encode(y=y),
    ]


def _top(lanes: Sequence[str], standoffs: pl.DataFrame, start: date, days: float) -> list[alt.Chart]:
    """What lies over the strokes: how each standoff ended, and the names of the lanes."""
    x, y = _scales(start, days, len(lanes))
    standoffs = _longest(standoffs)
    x.shorthand = "middle:T"
    shape = alt.Shape(
        "end:N",
        title="A standoff's end",
        scale=alt.Scale(domain=[*END_SHAPES, "open"], range=[*END_SHAPES.values(), OPEN_SHAPE]),
        # Room after the title: where its font is missing, another that stands in for it may be a fifth wider.
        legend=alt.Legend(
            orient="bottom", symbolFillColor=INK, symbolStrokeColor=INK, titleOrient="left", titlePadding=28
        )
        if standoffs.height
        else None,
    )
    marks = chart_of(
        {**_shade(row, start, days), "y": TOP if at is None else at - 0.4}
        for row, at in zip(standoffs.to_dicts(), _own_lanes(lanes, standoffs), strict=True)
    )
    names = chart_of({"y": index, "label": row_name(label)} for index, label in enumerate(lanes))
    return [
        marks.mark_point(size=48, color=INK, filled=True, opacity=1).encode(x, y, shape, description="what:N"),
        names.mark_text(align="right", baseline="middle", dx=-12, limit=230, aria=False).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
    ]


def _own_lanes(lanes: Sequence[str], standoffs: pl.DataFrame) -> list[int | None]:
    """The lane of each standoff that belongs to one pair, None for those of the whole system."""
    if "dyad" not in standoffs.columns:
        return [None] * standoffs.height
    place = {name: index for index, name in enumerate(lanes)}
    pairs = [DYAD.join(sorted(str(name).split(DYAD))) for name in standoffs["dyad"]]
    return [place.get(pair, len(lanes) - 1) for pair in pairs]


def _longest(standoffs: pl.DataFrame) -> pl.DataFrame:
    """The longest standoffs in order of time; all of them where there are not too many."""
    if standoffs.height <= MOST_STANDOFFS:
        return standoffs
    length = (pl.col("last") - pl.col("start")).rank("ordinal", descending=True)
    return standoffs.filter(length <= MOST_STANDOFFS)


def _counted(standoffs: pl.DataFrame) -> str:
    shaded = "shaded" if standoffs.height <= MOST_STANDOFFS else f"the {MOST_STANDOFFS:,} longest shaded"
    return f"{counted(standoffs.height, 'standoff')} ({shaded}; on top, how each ended)"


def _span(start: date, days: float) -> str:
    if days > 365:
        return f"{start.year} to {(start + timedelta(days=days)).year}"
    return f"{counted(round(days), 'day')} from {start}"


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
    if row.get("together", 1) > 1:
        whom += f", and {row['together'] - 1:,} {row['tone']} acts beside it"
    day = start + timedelta(days=float(row["time"]))
    return {
        "when": stamp(start, row["time"]),
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
    length = counted(round(max(last - begin, 0.0)), "day")
    return {
        "when": stamp(start, begin),
        "until": stamp(start, until),
        "middle": stamp(start, middle),
        "end": row["end_state"],
        "what": words(f"Standoff from {start + timedelta(days=begin)}, {length}, {row['end_state']}{hurt}"),
    }
