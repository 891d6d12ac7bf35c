"""What a fit found, and where it does not fit.

In: frames and plain rows from a fit and its checks. Out: charts: the estimates of all mechanisms; one mechanism's
answers over the days; the background and how much hangs on its course; residuals; the record among simulated
histories; what was foreseen of the last part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.plots.record import place
from powderkeg.plots.theme import (
    COOPERATIVE,
    FAINT,
    GRID,
    HOSTILE,
    MODEL,
    NEUTRAL,
    PALE,
    SHADE,
    SOFT,
    WIDTH,
    chart_of,
    figure,
    row_name,
    share_axis,
    whole,
    words,
)
from powderkeg.wording import measured, signed

ROW = 26
HALF = 300
"""Pixels of each of two panels side by side."""
TALL = 190
REACH = 3.0
"""How far beyond the histories' range a value is drawn, in units of the range's half; beyond, an arrow."""
FITS, DIFFERS = "fits", "does not fit"
SURE, UNSURE, UNTESTED = "needed", "not needed by the record", "not tested"
BAND_90, BAND_95 = 1.224, 1.358
"""Kolmogorov's distribution: how far n uniform ranks stray, times the root of n, nine times in ten, 19 in 20."""


def estimates(
    rows: Iterable[Mapping[str, Any]], level: float = 0.9, title: str = "What answers what"
) -> alt.HConcatChart:
    """Answers and half-life of every mechanism, with intervals.

    rows  title, answers, answers_low, answers_high, half_life, half_life_low, half_life_high (days), needed (bool,
          None where it was not tested); None where there is none
    """
    data = [
        {
            **row,
            "label": row_name(row["title"]),
            "verdict": _need(row["needed"]),
        }
        for row in rows
    ]
    data.sort(key=lambda row: -(row["answers"] or 0.0))
    order = [row["label"] for row in data]
    height = ROW * max(len(data), 1)
    verdicts = [verdict for verdict in (SURE, UNSURE, UNTESTED) if any(row["verdict"] == verdict for row in data)]
    colours, shapes = (
        {SURE: MODEL, UNSURE: NEUTRAL, UNTESTED: NEUTRAL},
        {SURE: "circle", UNSURE: "triangle-down", UNTESTED: "diamond"},
    )
    legend = alt.Legend(orient="bottom", title=None, symbolOpacity=1)
    colour = alt.Color(
        "verdict:N", legend=legend, scale=alt.Scale(domain=verdicts, range=[colours[v] for v in verdicts])
    )
    shape = alt.Shape("verdict:N", legend=legend, scale=alt.Scale(domain=verdicts, range=[shapes[v] for v in verdicts]))

    def panel(field: str, head: str, first: bool) -> Any:
        shown = [
            {
                "label": row["label"], "verdict": row["verdict"], "at": row[field],
                "low": row[f"{field}_low"], "high": row[f"{field}_high"], "told": _told(row, field),
                "what": words(f"{row['label']}: {head} {_told(row, field)}, {row['verdict']}"),
            }
            for row in data
            if row[field] is not None
        ]  # fmt: skip
        top = max([row["at"] for row in shown] + [row["high"] for row in shown if row["high"] is not None] + [1e-6])
        most = _cap([row["at"] for row in shown], top)
        axis = alt.Axis(tickCount=4, grid=True, gridColor=GRID, domain=False)
        x = alt.X("at:Q", title=head, axis=axis, scale=alt.Scale(domain=[0, most], clamp=True, nice=False))
        y = alt.Y(
            "label:N", title=None, sort=order,
            scale=alt.Scale(domain=order),
            axis=alt.Axis(ticks=False, domain=False, labelPadding=10, labelLimit=300) if first else None,
        )  # fmt: skip
        spans = [{**row, "at": row["low"]} for row in shown if row["low"] is not None and row["high"] is not None]
        text = chart_of(shown).mark_text(align="left", dx=10, fontSize=12, aria=False)
        lines = chart_of(spans).mark_rule(strokeWidth=4, opacity=0.45, aria=False)
        layers = [
            lines.encode(x, y, alt.X2("high:Q"), color=colour),
            chart_of(shown).mark_point(filled=True, size=80, opacity=1, strokeWidth=2).encode(
                x, y, color=colour, shape=shape, description="what:N"
            ),
            text.encode(y=y, x=alt.value(HALF - 60), text="told:N"),
        ]  # fmt: skip
        return alt.layer(*layers).properties(width=HALF - 60, height=height)

    head = alt.TitleParams(
        words(title),
        subtitle=[
            f"Dot: estimate. Line: its {100 * level:.0f} % interval, cut where it leaves the figure.",
            "Needed: chance alone would make the record so much likelier with the mechanism less than 1 time in 20.",
        ],
        offset=14,
    )
    panels = (panel("answers", "direct answers to one act", True), panel("half_life", "half-life, days", False))
    return whole(alt.hconcat(*panels, spacing=120).properties(title=head))


def mechanism(
    kernel: pl.DataFrame,
    stretches: pl.DataFrame,
    start: date,
    title: str,
    told: Sequence[str] = (),
    half_life: float | None = None,
) -> alt.HConcatChart:
    """One mechanism: its answers day by day after an act, and its offspring at different times.

    kernel     lag (days), answers (expected by then), low, high (None without an interval)
    stretches  begin, end (days), seen, expected, spread: its offspring by the acts' causes; no rows if untested
    told       lines under the title
    half_life  days; drawn
    """
    data = kernel.to_dicts()
    said = (
        "line: estimate; band: its interval" if data and data[0]["low"] is not None else "line: as held, or estimated"
    )
    x = alt.X("lag:Q", title="days after the act", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=6))
    y = alt.Y(
        "answers:Q", title="answers so far, to one act", scale=alt.Scale(zero=True),
        axis=alt.Axis(tickCount=5, grid=True, gridColor=GRID),
    )  # fmt: skip
    layers = []
    if data and data[0]["low"] is not None:
        area = chart_of(data).mark_area(color=PALE, opacity=0.55, aria=False)
        layers.append(area.encode(x, alt.Y("low:Q", title="answers so far, to one act"), alt.Y2("high:Q")))
    layers.append(chart_of(data).mark_line(color=MODEL, strokeWidth=2.4).encode(x, y))
    if half_life is not None and data and half_life <= data[-1]["lag"]:
        mark = chart_of([{"lag": half_life, "told": f"half of them by {measured(half_life)} d"}])
        layers.append(mark.mark_rule(color=SOFT, strokeDash=[4, 4], aria=False).encode(x))
        layers.append(
            mark.mark_text(align="left", dx=6, color=SOFT, fontSize=12, aria=False).encode(
                x, y=alt.value(TALL - 12), text="told:N"
            )
        )
    left = alt.layer(*layers).properties(width=HALF, height=TALL, title=_small("How many answers, and when", said))
    parts = [left]
    if stretches.height:
        parts.append(_stretches(stretches, start))
    head = alt.TitleParams(words(title), subtitle=list(told), offset=14)
    return whole(alt.hconcat(*parts, spacing=46).properties(title=head))


def background(
    course: pl.DataFrame,
    candidates: pl.DataFrame,
    start: date,
    chosen: str,
    title: str = "The background, and how much hangs on it",
) -> alt.VConcatChart:
    """Acts over time, what of them the background is held to bring, and the branching ratio under each background.

    course      begin, end (days), seen, expected, background
    candidates  background, branching_ratio, aic
    """
    tried = candidates.filter(pl.col("branching_ratio").is_not_null()).to_dicts()
    band = [row["branching_ratio"] for row in tried]
    said = (
        f"Sensitivity band of the branching ratio: {min(band):.2f} to {max(band):.2f}. "
        if len(band) > 1
        else "One background was tried: how much hangs on it is not known. "
    )
    head = alt.TitleParams(
        words(title),
        subtitle=["Grey: acts seen. A background that stays while the world changes is read as answers.", said.strip()],
        offset=12,
    )
    both: alt.VConcatChart = alt.vconcat(_course(course, start), _tried(tried, chosen), spacing=26).resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    )
    return whole(both.properties(title=head))


def _course(course: pl.DataFrame, start: date) -> Any:
    """Acts a day over time: seen, expected, and what the background brings."""
    rows = [
        {
            "begin": _day(start, row["begin"]),
            "end": _day(start, row["end"]),
            **{key: row[key] / (row["end"] - row["begin"]) for key in ("seen", "expected", "background")},
        }
        for row in course.to_dicts()
    ]
    x = alt.X("begin:T", title=None, axis=alt.Axis(tickCount=8))
    y = alt.Y("seen:Q", title="acts a day", axis=alt.Axis(tickCount=5, grid=True, gridColor=GRID))
    bars = chart_of(rows).mark_rect(color=FAINT, aria=False).encode(x, alt.X2("end:T"), y, alt.Y2(datum=0))
    lines = [
        {"begin": row[side], "order": 2 * k + (side == "end"), "acts": row[key], "line": told}
        for key, told in (("expected", "expected, answers included"), ("background", "background alone"))
        for k, row in enumerate(rows)
        for side in ("begin", "end")
    ]
    named = alt.Color(
        "line:N", title=None, legend=alt.Legend(orient="top", offset=2, symbolType="stroke"),
        scale=alt.Scale(domain=["expected, answers included", "background alone"], range=[MODEL, HOSTILE]),
    )  # fmt: skip
    dash = alt.StrokeDash(
        "line:N", title=None,
        scale=alt.Scale(domain=["expected, answers included", "background alone"], range=[[1, 0], [5, 2]]),
        legend=alt.Legend(orient="top", offset=2, symbolType="stroke"),
    )  # fmt: skip
    drawn = chart_of(lines).mark_line(strokeWidth=2, interpolate="linear", aria=False)
    over = drawn.encode(x, alt.Y("acts:Q", title="acts a day"), named, dash, order="order:Q")
    return alt.layer(bars, over).properties(width=WIDTH, height=TALL)


def _tried(tried: list[dict[str, Any]], chosen: str) -> Any:
    """The branching ratio under every background that was tried."""
    best = min((row["aic"] for row in tried), default=0.0)
    data = [
        {
            "label": row_name(row["background"]),
            "at": row["branching_ratio"],
            "told": f"{row['branching_ratio']:.3f}, {_why(row, chosen, best)}",
            "chosen": "chosen" if row["background"] == chosen else "tried",
            "what": words(f"{row['background']}: branching ratio {row['branching_ratio']:.3f}"),
        }
        for row in tried
    ]
    ratio = alt.X(
        "at:Q", title="branching ratio: mean number of direct answers; from 1 on the system winds itself up",
        scale=alt.Scale(domain=[0, max(1.0, 1.05 * max((row["at"] for row in data), default=1.0))], nice=False),
        axis=alt.Axis(tickCount=6, grid=True, gridColor=GRID, domain=False),
    )  # fmt: skip
    names = alt.Y(
        "label:N", title=None, sort=[row["label"] for row in data],
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10),
    )  # fmt: skip
    kind = alt.Scale(domain=["chosen", "tried"], range=[MODEL, NEUTRAL])
    form = alt.Scale(domain=["chosen", "tried"], range=["circle", "diamond"])
    dots = chart_of(data).mark_point(filled=True, size=95, opacity=1)
    text = chart_of(data).mark_text(align="left", dx=14, fontSize=12, aria=False)
    edge = chart_of([{"at": 1.0}]).mark_rule(color=HOSTILE, strokeDash=[4, 4], aria=False)
    below = alt.layer(
        edge.encode(ratio),
        dots.encode(
            ratio, names, color=alt.Color("chosen:N", scale=kind, legend=None),
            shape=alt.Shape("chosen:N", scale=form, legend=None), description="what:N",
        ),
        text.encode(y=names, x=alt.value(WIDTH - 110), text="told:N"),
    )  # fmt: skip
    title_below = _small("Under every background that was tried")
    return below.properties(width=WIDTH - 110, height=ROW * max(len(data), 1), title=title_below)


def residual_ranks(
    uniform: NDArray[np.float64], by_day: bool, title: str = "Do acts come when they are expected?"
) -> alt.LayerChart:
    """Ranks against what they should be: the line stays in the band nine times in ten where the model holds.

    uniform  (n,) numbers that are uniform where the model holds: gaps between acts, or daily totals by rank
    """
    n = len(uniform)
    found = np.sort(uniform)
    at = np.linspace(0.0, 1.0, min(n, 400) + 1)
    away = np.searchsorted(found, at, side="right") / n - at
    rows = [{"at": float(a), "away": float(d)} for a, d in zip(at, away, strict=True)]
    half, wide = BAND_90 / n**0.5, BAND_95 / n**0.5
    reach = 1.15 * max(wide, float(np.abs(away).max(initial=0.0)))
    what = "busy a day was, by rank" if by_day else "long a gap was, in expected acts, by rank"
    x = alt.X(
        "at:Q", title=f"how {what}: 0 {'quietest' if by_day else 'shortest'}, 1 {'busiest' if by_day else 'longest'}",
        scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(tickCount=5),
    )  # fmt: skip
    y = alt.Y(
        "away:Q", title="too many up to here", scale=alt.Scale(domain=[-reach, reach], nice=False),
        axis=share_axis(signed=True, tickCount=5, grid=True, gridColor=GRID),
    )  # fmt: skip
    band = chart_of([{"at": 0.0, "to": 1.0, "away": -half, "top": half}])
    leaves = bool(np.abs(away).max(initial=0.0) > half)
    return figure(
        band.mark_rect(color=SHADE, aria=False).encode(x, alt.X2("to:Q"), y, alt.Y2("top:Q")),
        chart_of([{"away": 0.0}]).mark_rule(color=SOFT, strokeDash=[3, 3], aria=False).encode(y),
        chart_of(rows)
        .mark_line(color=HOSTILE if leaves else MODEL, strokeWidth=2, interpolate="step-after")
        .encode(x, y),
        title=title,
        subtitle=[
            f"{n:,} {'days' if by_day else 'gaps'}. Band: where the line stays nine times in ten if the model holds.",
            "It leaves the band: " + ("look at half-lives, the background, and gates." if leaves else "no."),
        ],
        width=WIDTH * 0.72,
        height=TALL,
    )


def predictive(
    rows: Iterable[Mapping[str, Any]], replicates: int, title: str = "The record among histories of the fitted model"
) -> alt.LayerChart:
    """Each number of the record on the scale of the simulated histories.

    rows  title, observed, simulated, low, high (middle 90 % of the histories), p
    """
    data: list[dict[str, Any]] = []
    for row in rows:
        at = place(row["observed"], row["simulated"], row["low"], row["high"])
        verdict = FITS if row["p"] >= 0.05 else DIFFERS
        model = f"{measured(row['simulated'])} [{measured(row['low'])}, {measured(row['high'])}]"
        data.append(
            {
                "label": row_name(row["title"]), "at": at, "verdict": verdict, "record": measured(row["observed"]),
                "model": model, "p": f"p {row['p']:.2f}", "arrow": "◄" if at < 0 else "►",
                "what": words(
                    f"{row['title']}: record {measured(row['observed'])}, histories {model}, p {row['p']:.2f}"
                ),
            }
        )  # fmt: skip
    plot = HALF - 20
    height = ROW * max(len(data), 1)
    x = alt.X(
        "at:Q", title="each on its own scale", scale=alt.Scale(domain=[-REACH, REACH], nice=False, clamp=True),
        axis=alt.Axis(
            values=[-1, 0, 1], domain=False, ticks=False,
            labelExpr="datum.value < 0 ? 'low' : datum.value > 0 ? 'high' : 'middle'",
        ),
    )  # fmt: skip
    y = alt.Y(
        "label:N", title=None, sort=[row["label"] for row in data],
        axis=alt.Axis(ticks=False, domain=False, labelPadding=12, labelLimit=340),
    )  # fmt: skip
    colour = alt.Scale(domain=[FITS, DIFFERS], range=[COOPERATIVE, HOSTILE])
    shape = alt.Scale(domain=[FITS, DIFFERS], range=["circle", "cross"])
    legend = alt.Legend(orient="bottom")
    near = [row for row in data if abs(row["at"]) < REACH]
    far = [row for row in data if abs(row["at"]) >= REACH]
    band = chart_of([{"at": -1, "to": 1}]).mark_rect(color=SHADE, aria=False)
    columns = {"record": (14, "record"), "model": (92, "histories"), "p": (252, "")}
    failing = sum(row["verdict"] == DIFFERS for row in data)
    return figure(
        band.encode(x, alt.X2("to:Q"), y=alt.value(0), y2=alt.value(height)),
        chart_of([{"at": 0}]).mark_rule(color=SOFT, strokeDash=[3, 3], aria=False).encode(x),
        chart_of(near)
        .mark_point(filled=True, size=105, opacity=1)
        .encode(
            x, y, color=alt.Color("verdict:N", title="The record", scale=colour, legend=legend),
            shape=alt.Shape("verdict:N", title="The record", scale=shape, legend=legend), description="what:N",
        ),
        chart_of(far)
        .mark_text(fontSize=17, fontWeight="bold")
        .encode(
            x, y, alt.Text("arrow:N"), color=alt.Color("verdict:N", scale=colour, legend=None), description="what:N"
        ),
        *(
            chart_of(data)
            .mark_text(align="left", dx=dx, fontSize=12, aria=False)
            .encode(x=alt.value(plot), y=y, text=f"{field}:N")
            for field, (dx, _) in columns.items()
        ),
        *(
            chart_of([{}])
            .mark_text(align="left", dx=dx, dy=-10, color=SOFT, baseline="bottom", aria=False)
            .encode(x=alt.value(plot), y=alt.value(0), text=alt.value(head))
            for dx, head in columns.values()
        ),
        title=title,
        subtitle=[
            f"Band: the middle nine in ten of {replicates} simulated histories. Mark: the record.",
            f"{failing} of {len(data)} lie further out than 19 in 20 do; by chance about {len(data) / 20:.1f} would.",
        ],
        width=plot,
        height=height,
        offset=26,
    )  # fmt: skip


def foreseen(
    begin: Sequence[float],
    end: float,
    leads: Mapping[str, Sequence[float]],
    start: date,
    told: Sequence[str] = (),
    title: str = "The last part, foreseen from the first",
) -> alt.VConcatChart:
    """By how many nats the model is ahead of each reference, stretch by stretch.

    begin  (stretches,) days;  end: of the last
    leads  reference -> (stretches,) nats
    """
    panels = []
    ends = [*begin[1:], end]
    for name, values in leads.items():
        rows = [
            {
                "begin": _day(start, a), "end": _day(start, z), "nats": float(v),
                "side": "ahead" if v >= 0 else "behind",
                "what": words(f"{_day(start, a)}: {signed(v, 1)} nats against {name}"),
            }
            for a, z, v in zip(begin, ends, values, strict=True)
        ]  # fmt: skip
        x = alt.X("begin:T", title=None, axis=alt.Axis(tickCount=8))
        y = alt.Y("nats:Q", title="nats ahead", axis=alt.Axis(tickCount=4, grid=True, gridColor=GRID))
        colour = alt.Color("side:N", legend=None, scale=alt.Scale(domain=["ahead", "behind"], range=[MODEL, HOSTILE]))
        bars = chart_of(rows).mark_rect(stroke="white", strokeWidth=1)
        layers = [
            bars.encode(x, alt.X2("end:T"), y, alt.Y2(datum=0), colour, description="what:N"),
            chart_of([{"nats": 0.0}]).mark_rule(color=SOFT, aria=False).encode(y),
        ]
        sub = _small(f"against the {name}" if not name.startswith("constant") else f"against a {name}")
        panels.append(alt.layer(*layers).properties(width=WIDTH * 0.8, height=110, title=sub))
    head = alt.TitleParams(words(title), subtitle=list(told), offset=14)
    return whole(alt.vconcat(*panels, spacing=18).properties(title=head))


def _stretches(stretches: pl.DataFrame, start: date) -> Any:
    rows = []
    for row in stretches.to_dicts():
        share = max(row["expected"], 1e-12)
        half = 1.645 * row["spread"] / share
        out = abs(row["seen"] - row["expected"]) > 1.96 * row["spread"]
        rows.append(
            {
                "begin": _day(start, row["begin"]), "end": _day(start, row["end"]),
                "middle": _day(start, 0.5 * (row["begin"] + row["end"])), "ratio": row["seen"] / share,
                "low": max(1.0 - half, 0.0), "high": 1.0 + half, "out": "outside" if out else "inside",
                "what": words(
                    f"{_day(start, row['begin'])} to {_last_day(start, row['end'])}: {row['seen']:.1f} set off, "
                    f"{row['expected']:.1f} expected"
                ),
            }
        )  # fmt: skip
    top = max([row["high"] for row in rows] + [row["ratio"] for row in rows]) * 1.05
    x = alt.X("begin:T", title=None, axis=alt.Axis(tickCount=6))
    y = alt.Y(
        "low:Q", title="offspring, of what was expected", scale=alt.Scale(domain=[0, top], nice=False),
        axis=share_axis(tickCount=5, grid=True, gridColor=GRID),
    )  # fmt: skip
    span = chart_of(rows).mark_rect(color=SHADE, stroke="white", aria=False)
    dots = chart_of(rows).mark_point(filled=True, size=75, opacity=1)
    kind = ["inside", "outside"]
    return alt.layer(
        span.encode(x, alt.X2("end:T"), y, alt.Y2("high:Q")),
        chart_of([{"low": 1.0}]).mark_rule(color=SOFT, strokeDash=[3, 3], aria=False).encode(y),
        dots.encode(
            alt.X("middle:T"),
            alt.Y("ratio:Q", title="offspring, of what was expected"),
            color=alt.Color("out:N", legend=None, scale=alt.Scale(domain=kind, range=[MODEL, HOSTILE])),
            shape=alt.Shape("out:N", legend=None, scale=alt.Scale(domain=kind, range=["circle", "cross"])),
            description="what:N",
        ),
    ).properties(width=HALF, height=TALL, title=_small("Was it the same all the time?", "band: nine times in ten"))


def _small(text: str, under: str = "") -> alt.TitleParams:
    return alt.TitleParams(
        words(text), subtitle=[under] if under else [], fontSize=13, subtitleFontSize=12, frame="group", offset=6
    )


def _why(row: Mapping[str, Any], chosen: str, best: float) -> str:
    return "chosen" if row["background"] == chosen else f"AIC +{row['aic'] - best:.1f}"


def _need(needed: bool | None) -> str:
    return UNTESTED if needed is None else SURE if needed else UNSURE


def _told(row: Mapping[str, Any], field: str) -> str:
    low, high = row[f"{field}_low"], row[f"{field}_high"]
    span = "" if low is None or high is None else f" [{measured(low)}, {measured(high)}]"
    return f"{measured(row[field])}{span}"


def _cap(values: Sequence[float], top: float) -> float:
    """The figure's end: the longest interval, but no more than 2.5 times the largest estimate."""
    return max(min(1.05 * top, 2.5 * max(values, default=1.0)), 1e-3)


def _day(start: date, day: float) -> str:
    return (start + timedelta(days=float(day))).isoformat()


def _last_day(start: date, end: float) -> str:
    """The last day before an instant: what ends as a day begins does not hold that day."""
    return _day(start, float(np.ceil(end)) - 1.0)
