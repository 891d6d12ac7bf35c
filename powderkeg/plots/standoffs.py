"""How standoffs end, who opens them, how long they last.

In: tidy frames of shares, one row a bar. Out: charts. The counting is done in `analyze`; nothing here counts.
A bar is the model's share, the line on it its interval; the ring with the dashed line below is the dated record's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from powderkeg.plots.theme import GRID, INK, MODEL, PALE, WIDTH, chart_of, figure, row_name, share_axis, words
from powderkeg.wording import percent

ROW = 44
"""Pixels a bar and its gap are high."""
MOST_BARS = 20
"""Of more bars the largest are drawn."""
RECORD_OFFSET = 14
"""Pixels the record's ring stands below the middle of the bar."""

NUMBERS = ("share", "low", "high", "hurt", "record", "record_low", "record_high")
HURT, CALM = "people hurt", "no one hurt"


def ends(shares: pl.DataFrame, title: str = "How standoffs end") -> alt.LayerChart:
    """Share of standoffs by how they ended, the part in which people were hurt darker.

    shares  name, share, low, high (fractions of all standoffs), hurt (fraction of all standoffs that ended so and in
            which anyone was hurt); record, record_low, record_high if there is a record
    """
    return _bars(shares, title)


def openers(shares: pl.DataFrame, title: str = "Who opens standoffs") -> alt.LayerChart:
    """Share of standoffs by the actor whose act came first: columns as for `ends`, without `hurt`."""
    return _bars(shares, title)


def lengths(shares: pl.DataFrame, title: str = "How long standoffs last") -> alt.LayerChart:
    """Share of standoffs by their length, shortest first: columns as for `openers`, names such as "3 to 7 days"."""
    return _bars(shares, title)


def _bars(shares: pl.DataFrame, title: str) -> alt.LayerChart:
    rows = [_row(row) for row in _largest(shares).to_dicts()]
    recorded = [row for row in rows if row["record"] is not None]
    largest = max([0.01, *(row["reach"] for row in rows)])
    y = alt.Y(
        "label:N",
        title=None,
        sort=[row["label"] for row in rows],
        scale=alt.Scale(paddingInner=0.45, paddingOuter=0.3),
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10),
    )
    x = alt.X(
        "begin:Q",
        title="Share of all standoffs",
        scale=alt.Scale(domain=[0, largest], nice=False),
        axis=share_axis(tickCount=6, grid=True, gridColor=GRID, domain=False, ticks=False),
    )
    split = "hurt" in shares.columns
    part = alt.Color(
        "part:N",
        title=None,
        scale=alt.Scale(domain=[HURT, CALM], range=[MODEL, PALE]),
        legend=alt.Legend(orient="top", direction="horizontal", offset=4) if split else None,
    )
    layers = [
        chart_of([piece for row in rows for piece in _pieces(row, split)])
        .mark_bar()
        .encode(y, x, alt.X2("end:Q"), part, description="what:N"),
        chart_of([{**row, "begin": row["low"], "end": row["high"]} for row in rows if row["low"] is not None])
        .mark_rule(color=INK, strokeWidth=1.6)
        .encode(y, x, alt.X2("end:Q"), description="what:N"),
        chart_of([{**row, "begin": max(row["share"], row["high"] or 0.0)} for row in rows])
        .mark_text(align="left", dx=10, aria=False)
        .encode(y, x, alt.Text("written:N")),
    ]
    key = ["Bar: share in the model."]
    if recorded:
        key = ["Bar: share in the model. Ring with dashed line: the dated record with its 90 % interval."]
        layers += [
            chart_of([{**row, "begin": row["record_low"], "end": row["record_high"]} for row in recorded])
            .mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.4, yOffset=RECORD_OFFSET)
            .encode(y, x, alt.X2("end:Q"), description="what:N"),
            chart_of([{**row, "begin": row["record"]} for row in recorded])
            .mark_point(color=INK, fill="white", opacity=1, size=55, strokeWidth=1.8, yOffset=RECORD_OFFSET)
            .encode(y, x, description="what:N"),
        ]
    key += _unseen(shares)
    return figure(*layers, title=title, subtitle=key, width=WIDTH - 120, height=ROW * max(len(rows), 1))


def _largest(shares: pl.DataFrame) -> pl.DataFrame:
    """The rows that are drawn, in the order of all."""
    if shares.height <= MOST_BARS:
        return shares
    return shares.filter(pl.col("share").rank("ordinal", descending=True) <= MOST_BARS)


def _unseen(shares: pl.DataFrame) -> list[str]:
    """What the bars that are not drawn come to, in words."""
    if shares.height <= MOST_BARS:
        return []
    rest = max(1.0 - float(_largest(shares)["share"].sum()), 0.0)
    return [f"The {MOST_BARS} largest; {shares.height - MOST_BARS} others have {percent(rest)} together."]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with every field the layers use; what is not known is None."""
    known: dict[str, Any] = {name: row.get(name) for name in NUMBERS}
    written = percent(row["share"])
    said = f"{row['name']}: {written} in the model"
    if known["record"] is not None:
        written += f"   (record {percent(known['record'])})"
        said += f", {percent(known['record'])} in the record"
    reach = max(value for name, value in known.items() if value is not None and name != "hurt")
    return {**known, "label": row_name(row["name"]), "written": written, "what": words(said), "reach": reach}


def _pieces(row: Mapping[str, Any], split: bool) -> list[dict[str, Any]]:
    """The bar, cut where the part with people hurt ends."""
    if not split:
        return [{**row, "part": HURT, "begin": 0.0, "end": row["share"]}]
    hurt = row["hurt"] or 0.0
    return [
        {"label": row["label"], "part": HURT, "begin": 0.0, "end": hurt, "what": f"{HURT}: {percent(hurt)}"},
        {"label": row["label"], "part": CALM, "begin": hurt, "end": row["share"], "what": row["what"]},
    ]
