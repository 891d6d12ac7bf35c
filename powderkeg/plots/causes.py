"""How much of what an actor does belongs to disputes between others, and what and who drew it in.

In: the frame that `analyze.entanglement` returns. Out: charts. Shares come from the true parentage of simulated
acts, or from attribution for observed ones; the caption should say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from powderkeg.plots.names import BREAK, SPLIT, folded
from powderkeg.plots.slim import GIVEN
from powderkeg.plots.theme import FAINT, INK, NEUTRAL, SERIES, chart_of, figure, row_name, share_axis, words
from powderkeg.wording import percent

ROW = 38
OWN = "disputes of its own"
OTHERS = "drawn in otherwise"
MOST = len(SERIES)
"""Mechanisms with a colour of their own; if there are more, the smallest are put together."""
DARK = (SERIES[0], SERIES[3], NEUTRAL)
"""Colours that bear white letters."""
CELL = 110
"""Pixels a cell of the table is wide."""
WRITTEN_FROM = 0.07
"""Share of a bar that is wide enough to write its number in."""


def entanglement(
    shares: pl.DataFrame, titles: Mapping[str, str] | None = None, title: str = "Who is drawn in, and by what"
) -> alt.LayerChart:
    """Acts of each actor: those in disputes of its own, and the rest by the mechanism that drew it in.

    shares  actor, drawn_in, mechanism, share (fraction of the actor's acts; sums to 1 over an actor)
    titles  names of actors and mechanisms to show instead
    """
    called = dict(titles or {})
    drawn = shares.filter("drawn_in").group_by("mechanism").agg(pl.col("share").sum())
    ranked = drawn.sort(["share", "mechanism"], descending=[True, False])["mechanism"].to_list()
    named = ranked if len(ranked) <= MOST else ranked[: MOST - 1]
    parts = [OWN, *(_title(name, called) for name in named), *([OTHERS] if len(named) < len(ranked) else [])]

    pieces: list[dict[str, Any]] = []
    order: list[tuple[float, str]] = []
    for (actor,), rows in shares.group_by(["actor"], maintain_order=True):
        label, begin = _title(str(actor), called), 0.0
        sums = dict.fromkeys(parts, 0.0)
        for is_drawn, mechanism, share in rows.select("drawn_in", "mechanism", "share").iter_rows():
            part = OWN if not is_drawn else _title(mechanism, called) if mechanism in named else OTHERS
            sums[part] += share
        order.append((sums[OWN], label))
        for part, share in sums.items():
            what = words(f"{label}: {percent(share)} {part}")
            pieces.append({"label": label, "part": part, "begin": begin, "end": begin + share, "what": what})
            begin += share
    colours = [FAINT, *SERIES[: len(named)], *([NEUTRAL] if len(named) < len(ranked) else [])]
    dark = {part for part, colour in zip(parts, colours, strict=True) if colour in DARK}
    y = alt.Y(
        "label:N",
        title=None,
        sort=[label for _, label in sorted(order)],
        scale=alt.Scale(paddingInner=0.35, paddingOuter=0.2),
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10),
    )
    x = alt.X(
        "begin:Q",
        title="Share of the actor's acts",
        scale=alt.Scale(domain=[0, 1]),
        axis=share_axis(tickCount=5, grid=False, domain=False),
    )
    colour = alt.Color(
        "part:N",
        title=None,
        scale=alt.Scale(domain=parts, range=colours),
        legend=alt.Legend(orient="top", direction="horizontal", columns=3, offset=6),
    )
    bars = (
        chart_of(pieces)
        .mark_bar(stroke="white", strokeWidth=1.2)
        .encode(y, x, alt.X2("end:Q"), colour, description="what:N")
    )
    wide = [
        {
            **piece,
            "begin": (piece["begin"] + piece["end"]) / 2,
            "written": percent(piece["end"] - piece["begin"]),
            GIVEN: piece["end"] - piece["begin"],
            "dark": piece["part"] in dark,
        }
        for piece in pieces
        if piece["end"] - piece["begin"] >= WRITTEN_FROM
    ]
    written = (
        chart_of(wide)
        .mark_text(fontSize=11.5, aria=False)
        .encode(
            y,
            x,
            alt.Text("written:N"),
            color=alt.condition(alt.datum.dark, alt.value("white"), alt.value(INK)),
        )
    )
    return figure(
        bars,
        written,
        title=title,
        subtitle=[
            "Grey: disputes of its own. Colour: disputes between others, by what drew it in.",
            "The most entangled actor stands on top.",
        ],
        height=ROW * max(len(order), 1),
    )


def drawn_in(
    shares: pl.DataFrame, titles: Mapping[str, str] | None = None, title: str = "Who draws whom in"
) -> alt.LayerChart:
    """Table of shades: of each actor's acts, the share in disputes between others, by the actor that drew it in.

    shares  actor, drawn_in, by (null: no one), share (fraction of the actor's acts)
    """
    called = dict(titles or {})
    kept = (
        shares.filter(pl.col("drawn_in") & pl.col("by").is_not_null())
        .group_by("actor", "by", maintain_order=True)
        .agg(pl.col("share").sum())
    )
    names = [_title(name, called) for name in dict.fromkeys([*kept["actor"], *kept["by"]])]
    lines = folded(names, 15)
    rows = [
        {
            "actor": _title(row["actor"], called),
            "by": lines[_title(row["by"], called)],
            "share": row["share"],
            "written": percent(row["share"]),
            "dark": row["share"] > 0.45,
            "what": words(f"{percent(row['share'])} of the acts of {row['actor']}: drawn in by {row['by']}"),
        }
        for row in kept.to_dicts()
    ]
    actors = list(dict.fromkeys(row["actor"] for row in rows))
    causes = [lines[name] for name in actors if any(row["by"] == lines[name] for row in rows)]
    causes += sorted({str(row["by"]) for row in rows} - set(causes))
    y = alt.Y(
        "actor:N", title="Share of the acts of …", sort=actors, axis=alt.Axis(ticks=False, domain=False, labelPadding=8)
    )
    x = alt.X(
        "by:N",
        title="… that came from being drawn in by",
        sort=causes,
        axis=alt.Axis(
            orient="top",
            ticks=False,
            domain=False,
            labelAngle=0,
            labelLimit=CELL,
            # Vega hangs the further lines of a label below its first, into the cells.
            labelPadding=8 + 15 * max((name.count(BREAK) for name in causes), default=0),
            labelExpr=SPLIT,
        ),
    )
    shade = alt.Color(
        "share:Q", scale=alt.Scale(domain=[0, 0.7], range=["#f3f6fa", SERIES[0]], clamp=True), legend=None
    )
    cells = chart_of(rows).mark_rect(stroke="white", strokeWidth=2).encode(x, y, shade, description="what:N")
    text = (
        chart_of(rows)
        .mark_text(aria=False)
        .encode(
            x,
            y,
            alt.Text("written:N"),
            color=alt.condition(alt.datum.dark, alt.value("white"), alt.value(INK)),
        )
    )
    return figure(cells, text, title=title, width=max(CELL * len(causes), 2 * CELL), height=ROW * max(len(actors), 1))


def _title(name: str, called: Mapping[str, str]) -> str:
    return row_name(called.get(name) or str(name).replace("_", " "))
