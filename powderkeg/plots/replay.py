"""A history and what becomes of it in another world: observed acts fade where they would fall away, new ones rise.

In: observed acts with the share of replays in which they stay, new acts a replay by day, observed standoffs. Out: a
chart with a lane for each actor. A stroke up is an observed hostile act, a stroke down a cooperative one, a dot any
other; the part of a stroke that is filled is the share of replays in which it stays, so that it can be read without
colour. The band at the foot of a lane is how many new acts come, where.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import altair as alt
import numpy as np
import polars as pl

from powderkeg.plots.slim import GIVEN
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
from powderkeg.wording import counted, deed, plain

LANE = 66
MOST_LANES = 24
"""Actors that have a lane: of more, those that act most."""
TALLEST = 0.4
BAND = 0.42
"""How far below its middle a lane's foot is, and the band of new acts stands on it."""
BAND_HEIGHT = 0.3
PALEST = 0.22
BINS = 120
NEW = "#009e73"


def replayed(
    acts: pl.DataFrame, added: pl.DataFrame, standoffs: pl.DataFrame, start: date, begin: float, turn: float,
    end: float, without: str, titles: Mapping[str, str] | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Timeline of a replay.

    acts       time (days since `start`), source, act, target, stays (0 to 1), heat, tone
    added      time, source, per_replay: new acts
    standoffs  start, last, happens
    turn       day on which the worlds part
    titles     what actors are called, by name
    """
    called = {} if titles is None else titles
    busy = pl.concat([acts.select("source"), added.select("source")])
    every = busy.group_by("source").len().sort(["len", "source"], descending=[True, False])["source"].to_list()
    lanes = every[:MOST_LANES]
    unseen = acts.filter(~pl.col("source").is_in(lanes)).height
    acts, added = (frame.filter(pl.col("source").is_in(lanes)) for frame in (acts, added))
    place = {name: i for i, name in enumerate(lanes)}
    scale = alt.Scale(type="utc", domain=[stamp(start, begin), stamp(start, end)], nice=False)
    axis = time_axis(end - begin)
    x, middle = (alt.X(field, title=None, scale=scale, axis=axis) for field in ("when:T", "middle:T"))
    foot = max(len(lanes), 1) - 0.4
    y = alt.Y("y:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.95, foot], reverse=True, nice=False))
    shaded = _shaded(standoffs, start, begin, end, foot)
    bands, peak, width = _bands(added, place, start, begin, end)
    fresh = (
        "No new acts."
        if not bands
        else (
            f"Green at the foot of a lane: new acts, at most {plain(peak, 2)} a replay in {width:.0f} "
            f"day{'s' * (round(width) != 1)}, on a square-root scale."
        )
    )
    layers = [
        chart_of(shaded).mark_rect(color=SHADE).encode(x=x, x2="until:T", y=y, y2="y2:Q", description="what:N"),
        chart_of({"y": i} for i in range(len(lanes))).mark_rule(color=FAINT, aria=False).encode(y=y),
        chart_of(bands)
        .mark_rect(color=NEW, opacity=0.75)
        .encode(x=x, x2="until:T", y=y, y2="tip:Q", description="what:N"),
        *_strokes(acts, place, start, x, y),
        chart_of([{"when": stamp(start, turn)}]).mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.2).encode(x=x),
        chart_of(_apart(shaded, end - begin))
        .mark_text(fontSize=11, color=INK, baseline="top", aria=False)
        .encode(x=middle, y=y, text="label:N"),
        chart_of({"y": i, "label": row_name(called.get(n) or n.replace("_", " "))} for i, n in enumerate(lanes))
        .mark_text(align="right", baseline="middle", dx=-12, limit=230, aria=False)
        .encode(x=alt.value(0), y=y, text="label:N"),
    ]
    return figure(
        *layers,
        title=f"What was observed, and what stays: {without}",
        subtitle=[
            "Stroke up: hostile act, the taller the harsher. Stroke down: cooperative act. Dot: any other. The full "
            "part of a stroke: share of replays in which it stays.",
            "Shaded: observed standoffs; on top, the share of replays in which one happens. Dashed: where the worlds "
            "part.",
            fresh,
            *(
                [
                    f"The {len(lanes)} actors that act most; {counted(len(every) - len(lanes), 'other')}, with "
                    f"{counted(unseen, 'act')}, are not drawn."
                ]
                if len(every) > len(lanes)
                else []
            ),
        ],
        height=LANE * max(len(lanes), 1),
    )


def _strokes(acts: pl.DataFrame, place: dict[str, int], start: date, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Observed acts: pale where they were, full as far as they stay; dots for those that are neither good nor bad."""
    hottest = max([1.0, *acts["heat"].to_list()])
    whole, kept, dots = [], [], []
    for row in acts.to_dicts():
        lane = place[row["source"]]
        done = deed(row["source"], row["act"], row["target"] or "")
        day = start + timedelta(days=math.floor(row["time"]))
        mark = {
            "when": stamp(start, row["time"]),
            "y": lane,
            "tone": row["tone"],
            "stays": float(row["stays"]),
            "what": words(f"{day}: {done}, stays in {100 * row['stays']:.0f} % of replays"),
        }
        if row["tone"] == "neutral":
            dots.append(mark)
            continue
        reach = TALLEST * (-(0.35 + 0.65 * row["heat"] / hottest) if row["tone"] == "hostile" else 0.5)
        whole.append({**mark, "tip": lane + reach})
        if row["stays"] > 0.0:
            kept.append({**mark, "tip": lane + reach * row["stays"]})
    tone = alt.Color(
        "tone:N",
        scale=alt.Scale(domain=["hostile", "cooperative", "neutral"], range=[HOSTILE, COOPERATIVE, NEUTRAL]),
        legend=None,
    )
    shown = alt.Opacity("stays:Q", scale=alt.Scale(domain=[0, 1], range=[PALEST, 1.0]), legend=None)
    return [
        chart_of(whole)
        .mark_rule(strokeWidth=1.3, opacity=PALEST)
        .encode(x=x, y=y, y2="tip:Q", color=tone, description="what:N"),
        chart_of(kept).mark_rule(strokeWidth=1.8).encode(x=x, y=y, y2="tip:Q", color=tone, description="what:N"),
        chart_of(dots).mark_circle(size=16).encode(x=x, y=y, color=tone, description="what:N", opacity=shown),
    ]


def _shaded(standoffs: pl.DataFrame, start: date, begin: float, end: float, foot: float) -> list[dict[str, object]]:
    """Observed standoffs as boxes over all lanes, with the share of replays in which one happens."""
    shaded: list[dict[str, object]] = []
    for row in standoffs.to_dicts():
        first, last = row["start"], max(row["last"], row["start"] + 2.0 * (end - begin) / WIDTH)
        shaded.append(
            {
                "when": stamp(start, max(first, begin)), "until": stamp(start, min(last, end)),
                "middle": stamp(start, min((max(first, begin) + min(last, end)) / 2, end)), "y": -0.95, "y2": foot,
                "label": f"{100 * row['happens']:.0f} %",
                "what": words(f"Standoff from {start + timedelta(days=math.floor(first))}: still happens in "
                              f"{100 * row['happens']:.0f} % of replays"),
            }
        )  # fmt: skip
    return shaded


def _apart(shaded: list[dict[str, object]], days: float) -> list[dict[str, object]]:
    """Labels that do not stand on each other."""
    room = timedelta(days=days * 34.0 / WIDTH)
    kept: list[dict[str, object]] = []
    last: datetime | None = None
    for one in shaded:
        at = datetime.fromisoformat(str(one["middle"]).replace("Z", "+00:00"))
        if last is None or at - last >= room:
            share = 1.0 if last is None else (at - last) / timedelta(days=days)
            kept.append({**one, GIVEN: share})
            last = at
    return kept


def _bands(
    added: pl.DataFrame, place: dict[str, int], start: date, begin: float, end: float
) -> tuple[list[dict[str, object]], float, float]:
    """New acts by actor and stretch of time, as heights common to all lanes; the most in one, and its days."""
    width = max((end - begin) / BINS, 1.0)
    if not added.height:
        return [], 0.0, width
    bins = (
        added.with_columns(bin=((pl.col("time") - begin).clip(0.0) / width).floor())
        .group_by("source", "bin")
        .agg(pl.col("per_replay").sum())
        .sort("source", "bin")
    )
    peak = float(np.max(bins["per_replay"].to_numpy()))
    rows: list[dict[str, object]] = []
    for row in bins.to_dicts():
        lane, first = place[row["source"]], begin + row["bin"] * width
        foot = lane + BAND
        rows.append(
            {
                "when": stamp(start, first), "until": stamp(start, min(first + width, end)), "y": foot,
                "tip": foot - BAND_HEIGHT * math.sqrt(row["per_replay"] / peak),
                "what": words(f"{row['source']} from {start + timedelta(days=math.floor(first))}, "
                              f"{counted(round(width), 'day')}: {plain(row['per_replay'], 2)} new acts a replay"),
            }
        )  # fmt: skip
    return rows, peak, width
