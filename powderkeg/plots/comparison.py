"""What interventions change: a dot and its intervals for every outcome.

In: rows of a `Comparison` (plain data). Out: charts. The thick line is chance, which more runs would shrink; the thin
one is where the difference lies under other numbers from the scenario's ranges, which only knowledge would. Whether a
change is for the better is what the scenario says; where it does not say, the figure does not either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

import altair as alt

from powderkeg.analyze.outcomes import SHARE_UNITS
from powderkeg.errors import Fault, UsageError
from powderkeg.plots.theme import COOPERATIVE, HOSTILE, INK, NEUTRAL, SOFT, chart_of, row_name, whole, words
from powderkeg.wording import measured, percent

ROW = 26
PLOT = 340
"""Pixels of a panel's plotting area; its numbers stand to the right."""
MOST = 110
"""Letters of a line below the title."""
COLUMNS = {"change": 14, "told": 232}

VERDICTS = {
    "better": (COOPERATIVE, "circle"),
    "worse": (HOSTILE, "cross"),
    "more": (INK, "triangle-up"),
    "less": (INK, "triangle-down"),
    "not clear": (NEUTRAL, "stroke"),
}
"""Colour and shape: no figure says with colour alone what it says."""

UNITS = {"share of runs": "Share of runs in which", "share of days": "Share of days", "per year": "Number a year",
         "days": "Days"}  # fmt: skip


def differences(
    rows: Iterable[Mapping[str, Any]],
    outcome: str | None = None,
    intervention: str | None = None,
    level: float = 0.9,
) -> alt.VConcatChart:
    """One panel an outcome with a row for each intervention, each panel on its own scale.

    rows  one for each outcome and intervention: intervention, name, title, unit, better, baseline, value, difference,
          low, high, range_low, range_high, verdict; `intervention_title` where there is one
    outcome, intervention  only this one. With one intervention the figure is one panel with a row for each outcome,
          each on the scale of its own baseline
    """
    kept = [
        dict(row)
        for row in rows
        if (outcome is None or row["name"] == outcome) and (intervention is None or row["intervention"] == intervention)
    ]
    if not kept:
        asked = " of ".join(["", *(repr(one) for one in (outcome, intervention) if one is not None)])
        raise UsageError(Fault.at("rows", f"nothing to draw{asked}", "a row or more"))
    empty = {name for name in {row["name"] for row in kept} if all(_is_empty(r) for r in kept if r["name"] == name)}
    never = list(dict.fromkeys(row["title"] for row in kept if row["name"] in empty))
    kept = [row for row in kept if row["name"] not in empty] or kept
    several = len({row["intervention"] for row in kept}) > 1
    panels = [_panel(group, group[0]["title"], _baseline(group[0])) for group in _by(kept, "name")] if several else []
    if not several:
        groups = _by(kept, "unit")
        panels = [_panel(group, UNITS.get(group[0]["unit"], group[0]["unit"]), "", "title") for group in groups]
    lines = [f"Dot: difference to the same runs without it. Thick line: {100 * level:.0f} % interval by chance."]
    if any(row.get("range_low") is not None for row in kept):
        lines.append("Thin line: under other numbers from the scenario's ranges.")
    lines.append("Better and worse as the scenario file says; grey where chance could explain the difference.")
    if any(_hangs(row) for row in kept):
        lines[-1] += " A question mark: not sure under other numbers."
    if never:
        lines += wrap(f"In no run of any world, and so not drawn: {', '.join(words(title) for title in never)}.", MOST)
    title = "What each intervention changes" if several else kept[0].get("intervention_title") or "What it changes"
    head = alt.TitleParams(words(title), subtitle=lines, offset=18)
    return whole(alt.vconcat(*panels, spacing=22).properties(title=head))


def _by(rows: Sequence[dict[str, Any]], key: str) -> list[list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return list(groups.values())


def _baseline(row: Mapping[str, Any]) -> str:
    direction = {"less": "less is better", "more": "more is better"}.get(row.get("better") or "", "")
    told = f"without any intervention: {_value(row['baseline'], row['unit'])}"
    return f"{told}; {direction}" if direction else told


def _value(value: float, unit: str) -> str:
    if unit in SHARE_UNITS:
        return f"{percent(value)} of {'runs' if unit == SHARE_UNITS[0] else 'days'}"
    return f"{measured(value)} {unit}"


def _is_empty(row: Mapping[str, Any]) -> bool:
    """It never happened, with or without."""
    return bool(row["baseline"] == 0.0 and row["value"] == 0.0)


def _hangs(row: Mapping[str, Any]) -> bool:
    """Clear at the scenario's own numbers, but not under others."""
    low, high = row.get("range_low"), row.get("range_high")
    return low is not None and high is not None and not row["low"] <= 0 <= row["high"] and low <= 0 <= high


def change(row: Mapping[str, Any]) -> str:
    """The difference and its interval in words, with as many digits as the interval bears."""
    scale = 100.0 if row["unit"] in SHARE_UNITS else 1.0
    half = scale * (row["high"] - row["low"]) / 2.0
    digits = min(max(1 - math.floor(math.log10(half)), 0), 6) if half > 0 else 0

    def form(value: float) -> str:
        told = f"{abs(scale * value):,.{digits}f}"
        return told if not told.strip("0.,") else f"{'+' if value > 0 else '−'}{told}"

    unit = " points" if row["unit"] in SHARE_UNITS else ""
    return f"{form(row['difference'])} [{form(row['low'])}, {form(row['high'])}]{unit}"


def _panel(rows: list[dict[str, Any]], title: str, subtitle: str, label: str = "intervention") -> Any:
    data = []
    for row in rows:
        text = row["title"] if label == "title" else (row.get("intervention_title") or row["intervention"])
        scale = 100.0 if row["unit"] in SHARE_UNITS else 1.0
        verdict = row["verdict"] if row["verdict"] in VERDICTS else "not clear"
        has_range = row.get("range_low") is not None
        data.append(
            {
                "label": row_name(text),
                "at": scale * row["difference"],
                "low": scale * row["low"],
                "high": scale * row["high"],
                "range_low": scale * (row["range_low"] if has_range else row["low"]),
                "range_high": scale * (row["range_high"] if has_range else row["high"]),
                "verdict": verdict,
                "change": change(row),
                "told": verdict + (" ?" if _hangs(row) else ""),
                "what": words(f"{text}: {change(row)}, {row['verdict']}"),
            }
        )
    height = ROW * len(data)
    unit = "percentage points" if rows[0]["unit"] in SHARE_UNITS else rows[0]["unit"]
    y = alt.Y(
        "label:N",
        title=None,
        sort=[row["label"] for row in data],
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10, labelLimit=330),
    )
    axis = alt.Axis(tickCount=5, domainColor=SOFT, grid=False, labelExpr="replace(datum.label, '-', '−')")
    x = alt.X("at:Q", title=f"change, {unit}", axis=axis, scale=alt.Scale(zero=True))
    domain, shapes = [*VERDICTS], [shape for _, shape in VERDICTS.values()]
    color = alt.Color(
        "verdict:N",
        title=None,
        scale=alt.Scale(domain=domain, range=[colour for colour, _ in VERDICTS.values()]),
        legend=None,
    )
    shape = alt.Shape("verdict:N", title=None, scale=alt.Scale(domain=domain, range=shapes), legend=None)
    zero = chart_of([{"at": 0}]).mark_rule(color=SOFT, strokeDash=[3, 3], aria=False).encode(x)
    thin = chart_of([{**row, "at": row["range_low"]} for row in data]).mark_rule(strokeWidth=1.3, aria=False)
    thick = chart_of([{**row, "at": row["low"]} for row in data]).mark_rule(strokeWidth=5, opacity=0.55, aria=False)
    dots = chart_of(data).mark_point(filled=True, size=85, opacity=1, strokeWidth=2)
    layers = [
        zero,
        thin.encode(x, y, alt.X2("range_high:Q"), color=color),
        thick.encode(x, y, alt.X2("high:Q"), color=color),
        dots.encode(x, y, color=color, shape=shape, description="what:N"),
        *(_column(data, y, field, dx) for field, dx in COLUMNS.items()),
    ]
    head = alt.TitleParams(
        words(title),
        subtitle=[subtitle] if subtitle else [],
        fontSize=13,
        subtitleFontSize=12,
        frame="group",
        offset=6,
        subtitlePadding=3,
    )
    return alt.layer(*layers).properties(width=PLOT, height=height, title=head)


def _column(rows: list[dict[str, Any]], y: alt.Y, field: str, dx: int) -> alt.Chart:
    text = chart_of(rows).mark_text(align="left", dx=dx, fontSize=12, aria=False)
    column: alt.Chart = text.encode(x=alt.value(PLOT), y=y, text=f"{field}:N")
    return column
