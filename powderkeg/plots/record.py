"""The model held against the dated record, one line a row.

In: the lines of a record. Out: a chart. Lines have different units, so each is drawn on the scale of its own record:
the record's value stands at 0, the ends of its interval at -1 and 1, and the model's value and interval are placed
between and beyond in proportion. What lies inside the band agrees; the numbers themselves stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt

from powderkeg.plots.theme import BESIDE, COOPERATIVE, HOSTILE, SHADE, SOFT, chart_of, figure, row_name, words
from powderkeg.wording import measured

ROW = 30
REACH = 3.0
"""How far from the record the figure shows; beyond, an arrow at the edge."""
PLOT = 360
"""Pixels of the plotting area; the numbers stand to its right, each column so many pixels further."""
COLUMNS = {"record_text": 16, "model_text": 150, "verdict": 284}

AGREES, DIFFERS = "agrees", "differs"


def against_record(
    lines: Iterable[Mapping[str, Any]], title: str = "The model against the dated record"
) -> alt.LayerChart:
    """Dot and interval of the model for each line, on the record's interval.

    lines  name, title, record, record_low, record_high, model, model_low, model_high, agrees; a value may be None
    """
    rows = [_row(line) for line in lines]
    y = alt.Y(
        "label:N",
        title=None,
        sort=[row["label"] for row in rows],
        axis=alt.Axis(ticks=False, domain=False, labelPadding=12, labelLimit=360),
    )
    x = alt.X(
        "at:Q",
        title="Each line on its own scale: the record and the two ends of its interval",
        scale=alt.Scale(domain=[-REACH, REACH], nice=False, clamp=True),
        axis=alt.Axis(
            values=[-1, 0, 1],
            labelExpr="datum.value < 0 ? 'low' : datum.value > 0 ? 'high' : 'record'",
            domain=False,
            ticks=False,
        ),
    )
    verdict = alt.Scale(domain=[AGREES, DIFFERS], range=[COOPERATIVE, HOSTILE])
    shape = alt.Scale(domain=[AGREES, DIFFERS], range=["circle", "cross"])
    shown = [row for row in rows if row["at"] is not None]
    height = ROW * max(len(rows), 1)
    band = (
        chart_of([{"at": -1, "to": 1}])
        .mark_rect(color=SHADE, aria=False)
        .encode(x, alt.X2("to:Q"), y=alt.value(0), y2=alt.value(height))
    )
    middle = chart_of([{"at": 0}]).mark_rule(color=SOFT, strokeDash=[3, 3], aria=False).encode(x)
    spans = (
        chart_of([{**row, "at": row["from"]} for row in shown if row["from"] is not None])
        .mark_rule(strokeWidth=2)
        .encode(
            x,
            y,
            alt.X2("to:Q"),
            color=alt.Color("verdict:N", scale=verdict, legend=None),
            description="what:N",
        )
    )
    dots = (
        chart_of([row for row in shown if abs(row["at"]) < REACH])
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x,
            y,
            color=alt.Color("verdict:N", title="The model", scale=verdict, legend=alt.Legend(orient="bottom")),
            shape=alt.Shape("verdict:N", title="The model", scale=shape, legend=alt.Legend(orient="bottom")),
            description="what:N",
        )
    )
    far = (
        chart_of([row for row in shown if abs(row["at"]) >= REACH])
        .mark_text(fontSize=17, fontWeight="bold")
        .encode(
            x, y, alt.Text("arrow:N"), color=alt.Color("verdict:N", scale=verdict, legend=None), description="what:N"
        )
    )
    agreeing = sum(row["verdict"] == AGREES for row in rows)
    return figure(
        *(band, middle, spans, dots, far),
        *(_column(rows, y, field, dx) for field, dx in COLUMNS.items()),
        *(_head(text, COLUMNS[f"{text}_text"]) for text in ("record", "model")),
        title=title,
        subtitle=[
            f"{agreeing} of {len(rows)} lines agree. Band: the record's 90 % interval.",
            "Dot: the model's mean. Line: nine in ten of its histories. An arrow stands for a value beyond the edge.",
        ],
        width=PLOT,
        height=height,
        offset=26,
        beside=BESIDE + max(COLUMNS.values()),
    )


def place(value: float, record: float, low: float, high: float) -> float:
    """Where a value stands when `record` is 0, `low` -1 and `high` 1; a side without width takes the other's."""
    below, above = record - low, high - record
    side = (above if value >= record else below) or above or below
    if side == 0:
        return 0.0 if value == record else REACH if value > record else -REACH
    return max(-REACH, min(REACH, (value - record) / side))


def _column(rows: list[dict[str, Any]], y: alt.Y, field: str, dx: int) -> alt.Chart:
    weight = "bold" if field == "verdict" else "normal"
    text = chart_of(rows).mark_text(align="left", dx=dx, fontWeight=weight, aria=False)  # type: ignore[arg-type]
    column: alt.Chart = text.encode(x=alt.value(PLOT), y=y, text=f"{field}:N")
    return column


def _head(text: str, dx: int) -> alt.Chart:
    mark = chart_of([{}]).mark_text(align="left", dx=dx, dy=-10, color=SOFT, baseline="bottom", aria=False)
    head: alt.Chart = mark.encode(x=alt.value(PLOT), y=alt.value(0), text=alt.value(text))
    return head


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    frame = (line["record"], line["record_low"], line["record_high"])
    known = all(value is not None for value in frame)

    def at(name: str) -> float | None:
        return place(float(line[name]), *map(float, frame)) if known and line[name] is not None else None

    verdict = AGREES if line["agrees"] else DIFFERS
    label = row_name(line.get("title") or str(line["name"]).replace("_", " "))
    record_text, model_text = (
        measured(line[kind])
        + (
            f" [{measured(line[f'{kind}_low'])}, {measured(line[f'{kind}_high'])}]"
            if line[f"{kind}_low"] is not None
            else ""
        )
        for kind in ("record", "model")
    )
    where = at("model")
    return {
        "label": label,
        "at": where,
        "from": at("model_low"),
        "to": at("model_high"),
        "arrow": "◄" if (where or 0) < 0 else "►",
        "verdict": verdict,
        "record_text": record_text,
        "model_text": model_text,
        "what": words(f"{label}: record {record_text}, model {model_text}, {verdict}"),
    }
