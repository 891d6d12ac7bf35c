"""How the answers move when the numbers do: a line, a heat map, a tornado.

In: the table of a `Sweep` or a `Sensitivity`. Out: charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt

from powderkeg.analyze.outcomes import SHARE_UNITS
from powderkeg.plots.theme import (
    GRID,
    HOSTILE,
    INK,
    MODEL,
    PALE,
    SOFT,
    WIDTH,
    chart_of,
    figure,
    row_name,
    share_axis,
    whole,
    words,
)
from powderkeg.wording import plain

if TYPE_CHECKING:
    import polars as pl

MOST_BARS = 15
SMALL = 300


def alike(table: pl.DataFrame, outcomes: Sequence[str]) -> list[list[str]]:
    """The outcomes in their order, those together that are one course in one unit: they need no panel each."""
    found: dict[tuple[object, ...], list[str]] = {}
    for name in outcomes:
        rows = table.filter(table["outcome"] == name)
        found.setdefault((*rows.select("unit", "value", "baseline", "low", "high").rows(),), []).append(name)
    return list(found.values())


def sweep_line(table: pl.DataFrame, path: str, outcomes: Sequence[str], level: float = 0.9) -> alt.VConcatChart:
    """The outcome over one number, with the interval of its difference to the scenario as it stands (dashed)."""
    panels = []
    for names in alike(table, outcomes):
        rows = table.filter(table["outcome"] == names[0])
        # The interval is that of a difference: added to an outcome near its end it would go beyond it.
        most = 1.0 if rows["unit"][0] in SHARE_UNITS else float("inf")
        data = [
            {
                "x": row[path],
                "y": row["value"],
                "low": max(row["baseline"] + row["low"], 0.0),
                "high": min(row["baseline"] + row["high"], most),
            }
            if row["baseline"] is not None
            else {"x": row[path], "y": row["value"], "low": row["value_low"], "high": row["value_high"]}
            for row in rows.to_dicts()
        ]
        unit = rows["unit"][0]
        titles = [words(table.filter(table["outcome"] == name)["title"][0]) for name in names]
        x = alt.X("x:Q", title=words(path), scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=6))
        ticks = share_axis if unit in SHARE_UNITS else alt.Axis
        y = alt.Y("y:Q", title=words(unit), axis=ticks(tickCount=5, grid=True, gridColor=GRID))
        base = chart_of(data)
        layers = [
            base.mark_area(color=PALE, opacity=0.5, aria=False).encode(
                x, y=alt.Y("low:Q", title=words(unit)), y2="high:Q"
            ),
            base.mark_line(color=MODEL, strokeWidth=2.2, aria=False).encode(x, y),
            base.mark_point(color=MODEL, filled=True, size=45, opacity=1).encode(x, y),
        ]
        if rows["baseline"][0] is not None:
            stands = chart_of([{"y": rows["baseline"][0]}]).mark_rule(color=SOFT, strokeDash=[4, 4], aria=False)
            layers.append(stands.encode(y))
        head = alt.TitleParams([*(f"{title};" for title in titles[:-1]), titles[-1]], fontSize=13, frame="group")
        panels.append(alt.layer(*layers).properties(width=WIDTH * 0.6, height=150, title=head))
    lines = [f"Dashed: the scenario as it stands. Band: {100 * level:.0f} % interval of the difference to it."]
    top = alt.TitleParams(f"What moves with {words(path)}", subtitle=lines, offset=16)
    return whole(alt.vconcat(*panels, spacing=18).properties(title=top))


def sweep_map(table: pl.DataFrame, across: str, up: str, outcomes: Sequence[str]) -> alt.VConcatChart:
    """The outcome over two numbers: darker is more; the values stand in the cells."""
    panels = []
    for name in outcomes:
        rows = table.filter(table["outcome"] == name)
        title, unit = rows.select("title", "unit").row(0)
        data = [{"x": _label(row[across]), "y": _label(row[up]), "value": row["value"]} for row in rows.to_dicts()]
        columns = list(dict.fromkeys(_label(value) for value in sorted(rows[across].unique().to_list())))
        lines = list(dict.fromkeys(_label(value) for value in sorted(rows[up].unique().to_list(), reverse=True)))
        x = alt.X("x:N", title=words(across), sort=columns, axis=alt.Axis(labelAngle=0, ticks=False, domain=False))
        y = alt.Y("y:N", title=words(up), sort=lines, axis=alt.Axis(ticks=False, domain=False))
        middle = (min(row["value"] for row in data) + max(row["value"] for row in data)) / 2
        base = chart_of(data)
        cells = base.mark_rect(stroke="white", strokeWidth=2).encode(
            x, y, alt.Color("value:Q", title=words(unit), scale=alt.Scale(scheme="blues"), legend=None)
        )
        form = ".2~p" if unit in SHARE_UNITS else ".3~g"
        ink = alt.condition(f"datum.value > {middle}", alt.value("white"), alt.value(INK))
        text = base.mark_text(fontSize=12, aria=False).encode(x, y, alt.Text("value:Q", format=form), color=ink)
        head = alt.TitleParams(words(title), subtitle=[words(unit)], fontSize=13, frame="group")
        size = {"width": max(SMALL, 58 * len(columns)), "height": max(36 * len(lines), 80)}
        panels.append(alt.layer(cells, text).properties(title=head, **size))
    top = alt.TitleParams(f"{words(across)} and {words(up)}", subtitle=["Means over runs; darker is more."], offset=16)
    chart: alt.VConcatChart = alt.vconcat(*panels, spacing=20).resolve_scale(color="independent")
    return whole(chart.properties(title=top))


def tornado(table: pl.DataFrame, outcome: str, method: str) -> alt.LayerChart:
    """The numbers that an outcome hangs on most, longest bar first, with the error of each bar."""
    column = "total" if method == "sobol" else "effect"
    rows = table.filter(table["outcome"] == outcome).sort(column, descending=True)
    title = rows["title"][0]
    data = [
        {
            "path": row_name(row["path"]),
            "at": row[column],
            "low": max(row[column] - row[f"{column}_error"], 0.0),
            "high": row[column] + row[f"{column}_error"],
            "first": row.get("first"),
        }
        for row in rows.head(MOST_BARS).to_dicts()
    ]
    y = alt.Y("path:N", title=None, sort=[row["path"] for row in data], axis=alt.Axis(ticks=False, domain=False))
    says = {
        "sobol": ("share of the variance", ["Bar: a number's share of the variance, alone and with others.",
                  "Line: 95 % interval. Notch: what it does alone."]),
        "morris": ("mean size of the change", ["Bar: mean size of what a step through a number's range does.",
                   "Line: 95 % interval."]),
    }[method]  # fmt: skip
    x = alt.X("at:Q", title=says[0], axis=alt.Axis(tickCount=5))
    base = chart_of(data)
    layers = [
        base.mark_bar(color=MODEL, opacity=0.8, height=13).encode(x, y),
        chart_of([{**row, "at": row["low"]} for row in data])
        .mark_rule(color=INK, strokeWidth=1.4, aria=False)
        .encode(x, y, alt.X2("high:Q")),
    ]
    if method == "sobol":
        alone = [{**row, "at": max(float(row["first"] or 0.0), 0.0)} for row in data]
        layers.append(chart_of(alone).mark_tick(color=HOSTILE, thickness=3, size=16, aria=False).encode(x, y))
    return figure(
        *layers, title=f"What “{words(title)}” hangs on", subtitle=says[1], width=WIDTH * 0.55, height=24 * len(data)
    )


def _label(value: object) -> str:
    if isinstance(value, float):
        return plain(value, 4)
    return str(value).lower() if isinstance(value, bool) else str(value)
