"""The family tree of one standoff, and a table of who sets off whom.

In: frames of an `Attribution`. Out: charts. In the tree every act is a point in its actor's lane and every likely link
a curve from cause to answer, the thicker the likelier: what is thin is not known, and several curves into one point are
several causes that are all possible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import altair as alt
import polars as pl

from powderkeg.plots.names import BREAK, SPLIT, folded
from powderkeg.plots.slim import WIDE
from powderkeg.plots.theme import FAINT, INK, NEUTRAL, SERIES, SOFT, WIDTH, chart_of, figure, row_name, words
from powderkeg.wording import deed, percent

LANE = 62
"""Pixels an actor's lane is high, where lanes are few."""
LOWEST_LANE = 34
"""... and where they are many."""
FAINTEST = 0.08
"""Probability below which a link is not drawn."""
MOST_LINKS = 1_200
"""Links drawn, the likeliest."""
THICKEST = 7.0
"""Pixels of a link that is certain."""
NAMED = 6
"""Mechanisms with a colour of their own."""
OTHER = "other mechanisms"
SILENCE = 1.1
"""Days without an act are drawn as wide as the logarithm of their number, times this; a day with acts is 1 wide."""
SHAPES = {"by itself": "diamond", "set off": "circle", "set off earlier": "triangle-right"}
STEPS = 20
"""Pieces of a curve."""
ABOVE, BELOW = -13, 15
CROWDED = 300
"""Acts beyond which points are small and lanes high."""
MOST_DAYS = 60
"""Days with acts up to which each has a mark."""
LETTERED = 16
"""Acts up to which each is named in the figure."""

CELL, NARROW = 104, 40
"""Pixels a cell of the table is wide, where actors are few and where they are many."""
ROW = 34
NOBODY = "nothing in the record"


def family_tree(
    acts: pl.DataFrame,
    links: pl.DataFrame,
    start: date,
    titles: Mapping[str, str] | None = None,
    title: str = "Who set off whom",
    most_lanes: int = 20,
) -> alt.LayerChart:
    """Acts of one standoff in lanes over time, with the links between them.

    acts    event, time (days since `start`), source, act, target, root (probability that nothing set it off), before
            (that an act before the standoff did)
    links   event, parent, mechanism, probability; both acts among `acts`
    start   first day of the record
    titles  names of actors and mechanisms to show instead
    most_lanes  actors with a lane of their own, busiest first; the rest share the last
    """
    called = dict(titles or {})
    lanes, lane_of = _lanes(acts, most_lanes)
    place, ticks, wide = _places(acts, links, start)
    drawn = links.filter(pl.col("probability") >= FAINTEST).sort("probability").tail(MOST_LINKS)
    shown = "" if drawn.height < MOST_LINKS else f", links below {percent(float(drawn['probability'][0]))} left out"
    own, parts = _parts(drawn, called)
    rows = {row["event"]: row for row in acts.to_dicts()}
    where = _swayed(acts, place, lane_of)
    points = _points(rows, where, start, called)
    _letter(points, WIDTH / (wide + 0.15 * max(wide / 12, 1)))
    lane = (LANE if len(lanes) <= 8 else LOWEST_LANE) * (1.0 if len(rows) <= CROWDED else 1.6)
    height = max(len(lanes) * lane, LANE)
    along = alt.Scale(domain=[-0.15 * max(wide / 12, 1), wide], nice=False)
    x = alt.X("x:Q", axis=None, scale=along)
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.6, len(lanes) - 0.45], reverse=True, nice=False))
    return figure(
        *_days(ticks, x, height),
        chart_of({"y": i} for i in range(len(lanes))).mark_rule(color=FAINT, aria=False).encode(y=y),
        *_curves(_pieces(drawn, rows, where, own, called), parts, x, y),
        *_dots(points, x, y),
        *_names([_title(name, called) for name in lanes], y),
        title=title,
        subtitle=[
            f"{len(rows)} act{'s' * (len(rows) != 1)}, {start + timedelta(days=int(acts['time'].min() // 1))} to "  # type: ignore[operator,arg-type]
            f"{start + timedelta(days=int(acts['time'].max() // 1))}; a silent time is drawn short{shown}",  # type: ignore[operator,arg-type]
            "A curve leads from an act to one that it may have set off: the thicker, the likelier.",
        ],
        height=height,
    ).properties(usermeta={WIDE: True})  # labels are placed by the pixel


def _said(row: Mapping[str, Any], called: Mapping[str, str]) -> str:
    return deed(*("" if row[k] is None else _title(str(row[k]), called) for k in ("source", "act", "target")))


def _parts(drawn: pl.DataFrame, called: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Mechanisms with a colour of their own, those that set off most; and what the legend calls them and the rest."""
    known = drawn.group_by("mechanism").agg(pl.col("probability").sum()).sort(
        ["probability", "mechanism"], descending=[True, False]
    )["mechanism"].to_list()  # fmt: skip
    own = known if len(known) <= NAMED + 1 else known[:NAMED]
    return own, [_title(name, called) for name in own] + ([OTHER] if len(own) < len(known) else [])


def _pieces(
    drawn: pl.DataFrame, rows: Mapping[int, Any], where: Mapping[int, tuple[float, float]], own: list[str],
    called: Mapping[str, str],
) -> list[dict[str, Any]]:  # fmt: skip
    """Every link as the points of its curve."""
    pieces: list[dict[str, Any]] = []
    for number, link in enumerate(drawn.to_dicts()):
        child, parent = _said(rows[link["event"]], called), _said(rows[link["parent"]], called)
        part = _title(link["mechanism"], called) if link["mechanism"] in own else OTHER
        what = words(f"{percent(link['probability'])}: “{parent}” set off “{child}” ({link['mechanism']})")
        for step, (right, down) in enumerate(_curve(where[link["parent"]], where[link["event"]])):
            pieces.append(
                {"x": right, "y": down, "link": number, "step": step, "part": part, "p": link["probability"],
                 "what": what}
            )  # fmt: skip
    return pieces


def _points(
    rows: Mapping[int, Any], where: Mapping[int, tuple[float, float]], start: date, called: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Every act as a point; its name too, where they are few."""
    return [
        {
            "x": where[event][0],
            "y": where[event][1],
            "root": "by itself" if row["root"] >= 0.5 else "set off earlier" if row["before"] >= 0.5 else "set off",
            "label": _title(str(row["act"]), called).partition(",")[0][:24] if len(rows) <= LETTERED else "",
            "dy": 0,
            "what": words(
                f"{start + timedelta(days=int(row['time'] // 1))}: {_said(row, called)}; by itself "
                f"{percent(row['root'])}"
            ),
        }
        for event, row in rows.items()
    ]


def _curves(pieces: list[dict[str, Any]], parts: list[str], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    shades = [NEUTRAL if part == OTHER and k == len(parts) - 1 else SERIES[k] for k, part in enumerate(parts)]
    colour = alt.Color(
        "part:N",
        title=None,
        scale=alt.Scale(domain=parts, range=shades),
        legend=alt.Legend(orient="top", direction="horizontal", columns=4, symbolType="stroke", symbolStrokeWidth=4,
                          labelLimit=180, offset=8) if parts else None,
    )  # fmt: skip
    width = alt.StrokeWidth("p:Q", scale=alt.Scale(domain=[0, 1], range=[0.2, THICKEST], clamp=True), legend=None)
    return [
        chart_of(pieces)
        .mark_line(opacity=0.62, strokeCap="round")
        .encode(x, y, colour, width, detail="link:N", order="step:Q", description="what:N")
    ]


def _dots(points: list[dict[str, Any]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    shape = alt.Shape(
        "root:N",
        title="An act",
        scale=alt.Scale(domain=[*SHAPES], range=[*SHAPES.values()]),
        legend=alt.Legend(orient="bottom", direction="horizontal", symbolFillColor=INK, symbolStrokeColor="white",
                          titleOrient="left", titlePadding=20, offset=30),
    )  # fmt: skip
    size = 110 if len(points) <= 60 else 46 if len(points) <= CROWDED else 22
    dots = (
        chart_of(points)
        .mark_point(filled=True, color=INK, opacity=1, size=size, stroke="white", strokeWidth=1)
        .encode(x, y, shape, description="what:N")
    )
    letters = [
        chart_of([row for row in points if row["label"] and row["dy"] == dy])
        .mark_text(dy=dy, fontSize=11.5, color=INK, aria=False)
        .encode(x, y, text="label:N")
        for dy in (ABOVE, BELOW)
    ]
    return [dots, *letters]


def _names(lanes: list[str], y: alt.Y) -> list[alt.Chart]:
    return [
        chart_of({"y": i, "label": name} for i, name in enumerate(lanes))
        .mark_text(align="right", baseline="middle", dx=-12, limit=230, aria=False)
        .encode(x=alt.value(0), y=y, text="label:N")
    ]


def _days(ticks: list[dict[str, Any]], x: alt.X, height: float) -> list[alt.Chart]:
    """Marks of days and their dates, below everything else."""
    dated = [tick for tick in ticks if tick["label"]]
    return [
        chart_of(ticks if len(ticks) <= MOST_DAYS else dated)
        .mark_rule(color=FAINT, strokeDash=[2, 3], aria=False)
        .encode(x, y=alt.value(0), y2=alt.value(height)),
        chart_of(dated)
        .mark_text(align="left", baseline="top", dy=6, dx=-2, color=SOFT, fontSize=12, aria=False)
        .encode(x, y=alt.value(height), text="label:N"),
    ]


def _letter(points: list[dict[str, Any]], scale: float) -> None:
    """Put each label above its point or below it, or nowhere: labels must not lie on each other.

    scale  pixels a unit of x is wide
    """
    taken: list[tuple[float, float, float]] = []  # left, right, height
    for point in sorted(points, key=lambda row: (row["y"], row["x"])):
        half = 3.1 * len(point["label"]) + 4
        middle = point["x"] * scale
        for dy in (ABOVE, BELOW):
            at = point["y"] * LANE + dy
            if all(middle + half < a or middle - half > b or abs(at - h) > 14 for a, b, h in taken):
                point["dy"] = dy
                taken.append((middle - half, middle + half, at))
                break
        else:
            point["label"] = ""


def _lanes(acts: pl.DataFrame, most: int) -> tuple[list[str], dict[str, int]]:
    """Actors in the order in which they come in; those with fewest acts share a lane if there are too many."""
    number = dict(acts.group_by("source").len().iter_rows())
    order = list(dict.fromkeys(acts.sort("time", maintain_order=True)["source"].to_list()))
    if len(order) <= most:
        return order, {name: i for i, name in enumerate(order)}
    kept = set(sorted(order, key=lambda name: (-number[name], order.index(name)))[: most - 1])
    lanes = [name for name in order if name in kept]
    rest = f"{len(order) - len(lanes)} others"
    place = {name: (lanes.index(name) if name in kept else len(lanes)) for name in order}
    return [*lanes, rest], place


def _places(
    acts: pl.DataFrame, links: pl.DataFrame, start: date
) -> tuple[dict[int, float], list[dict[str, Any]], float]:
    """Where each act stands from left to right, the marks of days, and the width. Acts of one stamp that may have set
    each other off stand one after the other, in the order of their likeliest links."""
    time = dict(acts.select("event", "time").iter_rows())
    above: dict[int, int] = {}
    for event, parent, probability in (
        links.group_by("event", "parent").agg(pl.col("probability").sum()).sort("probability", "parent").iter_rows()
    ):
        if time[parent] == time[event] and probability >= FAINTEST:
            above[event] = parent
    depth: dict[int, int] = {}
    for event in time:
        path = []
        at = event
        while at in above and at not in depth and at not in path:
            path.append(at)
            at = above[at]
        level = depth.get(at, 0)
        depth.setdefault(at, level)
        for one in reversed(path):
            level += 1
            depth.setdefault(one, level)
    days: dict[int, list[int]] = {}
    for event, t in sorted(time.items(), key=lambda item: (item[1], item[0])):
        days.setdefault(int(t // 1), []).append(event)
    place: dict[int, float] = {}
    ticks: list[dict[str, Any]] = []
    left, before = 0.0, None
    for day, events in days.items():
        if before is not None and day - before > 1:
            left += SILENCE * math.log2(day - before)
        deepest = max(depth[event] for event in events)
        clocked = sum(time[event] != day for event in events)
        wide = 1.0 + 0.55 * deepest + 0.03 * max(len(events) - 4, 0) + 0.16 * max(clocked - 2, 0)
        ticks.append({"x": left, "day": day})
        for event in events:
            within = time[event] - day if time[event] != day else 0.0
            place[event] = left + 0.12 + (0.76 if within else 0.0) * wide * within
            if not within:
                place[event] += (wide - 0.24) * depth[event] / (deepest + 1)
        left += wide
        before = day
    shown = -math.inf
    for tick in ticks:
        when = start + timedelta(days=tick.pop("day"))
        free = tick["x"] - shown >= 0.125 * left
        tick["label"] = f"{when.day} {when:%b %Y}" if free else ""
        shown = tick["x"] if free else shown
    return place, ticks, max(left, 1.0)


def _swayed(
    acts: pl.DataFrame, place: Mapping[int, float], lane_of: Mapping[str, int]
) -> dict[int, tuple[float, float]]:
    """(right, down) of every act: acts of one actor at one place stand under each other, not on each other."""
    same: dict[tuple[str, float], list[int]] = {}
    for event, source in acts.select("event", "source").iter_rows():
        same.setdefault((source, round(place[event], 6)), []).append(event)
    spread = 0.5 if acts.height <= CROWDED else 0.76
    return {
        event: (place[event], lane_of[source] + (spread * (k / (len(events) - 1) - 0.5) if len(events) > 1 else 0.0))
        for (source, _), events in same.items()
        for k, event in enumerate(events)
    }


def _curve(begin: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of a curve that leaves and arrives level; between acts of one lane it bows upwards."""
    (x0, y0), (x1, y1) = begin, end
    span = abs(x1 - x0)
    bow = 0.0 if abs(y0 - y1) > 0.6 else -0.3 * min(span / 0.6, 1.0) - 0.04 * min(span, 5.0)
    found = []
    for k in range(STEPS + 1):
        u = k / STEPS
        smooth = u * u * (3.0 - 2.0 * u)
        found.append((x0 + (x1 - x0) * u, y0 + (y1 - y0) * smooth + bow * 4.0 * u * (1.0 - u)))
    return found


def who_sets_off_whom(
    matrix: pl.DataFrame,
    titles: Mapping[str, str] | None = None,
    title: str = "Who sets off whom",
    most: int = 20,
) -> alt.LayerChart:
    """Table of shades: of each actor's acts, how many were set off by acts of which actor.

    matrix  by (actor whose act set them off, null: none in the record), actor, acts (expected number), share (of the
            actor's acts)
    most    actors shown, those with most acts; the rest are put together
    """
    called = dict(titles or {})
    actors, causes, cells = _cells(matrix, most)
    total = {actor: sum(cells.get((actor, cause), 0.0) for cause in causes) for actor in actors}
    narrow = len(causes) > 8
    wide = CELL if not narrow else max(NARROW, int(WIDTH / len(causes)))
    heads = [_title(c, called) for c in causes]
    shown = dict(zip(heads, heads, strict=True)) if narrow else folded(heads, 14)
    rows = [
        {
            "actor": _title(actor, called),
            "by": shown[_title(cause, called)],
            "share": acts / total[actor],
            "written": _number(acts),
            "dark": acts / total[actor] > 0.42,
            "what": words(
                f"{percent(acts / total[actor])} of the acts of {actor} set off by {cause}: "
                f"{_number(acts)} of {total[actor]:.0f}"
            ),
        }
        for actor in actors
        for cause in causes
        if (acts := cells.get((actor, cause), 0.0)) > 0
    ]
    y = alt.Y(
        "actor:N", title=None, sort=[_title(a, called) for a in actors],
        axis=alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=240),
    )  # fmt: skip
    x = alt.X("by:N", title="set off by acts of …", sort=[*shown.values()], axis=_heads([*shown.values()], narrow))
    shade = alt.Color(
        "share:Q", scale=alt.Scale(domain=[0, 0.7], range=["#f3f6fa", SERIES[0]], clamp=True), legend=None
    )
    boxes = chart_of(rows).mark_rect(stroke="white", strokeWidth=2).encode(x, y, shade, description="what:N")
    text = (
        chart_of([row for row in rows if row["written"]])
        .mark_text(aria=False, fontSize=11 if narrow else 13)
        .encode(x, y, alt.Text("written:N"), color=alt.condition(alt.datum.dark, alt.value("white"), alt.value(INK)))
    )
    return figure(
        boxes,
        text,
        title=title,
        subtitle=[
            "Acts of the actor in each line, by whose acts set them off. Numbers: expected acts; shade: their share.",
            "Who set off whom cannot be seen in a record: these are sums of probabilities.",
        ],
        width=max(wide * len(causes), 2 * CELL),
        height=ROW * max(len(actors), 1),
    )


def _cells(matrix: pl.DataFrame, most: int) -> tuple[list[str], list[str], dict[tuple[str, str], float]]:
    """Actors by lines, causes by columns, expected acts by both; actors with few acts are put together."""
    own = matrix.group_by("actor").agg(pl.col("acts").sum()).sort(["acts", "actor"], descending=[True, False])
    kept = own["actor"].head(most if own.height <= most else most - 1).to_list()
    others = f"{own.height - len(kept)} others"
    cells: dict[tuple[str, str], float] = {}
    for by, actor, number in matrix.select("by", "actor", "acts").iter_rows():
        row = actor if actor in kept else others
        column = NOBODY if by is None else by if by in kept else others
        cells[row, column] = cells.get((row, column), 0.0) + number
    actors = [*kept, *([others] if any(row == others and acts > 0 for (row, _), acts in cells.items()) else [])]
    causes = [c for c in (NOBODY, *actors) if any(cells.get((a, c), 0.0) > 0 for a in actors)]
    return actors, causes, cells


def _heads(names: list[str], narrow: bool) -> alt.Axis:
    """The heads of columns: folded into lines, or aslant where columns are narrow."""
    return alt.Axis(
        orient="top",
        ticks=False,
        domain=False,
        labelAngle=-60 if narrow else 0,
        labelAlign="left" if narrow else "center",
        labelLimit=150 if narrow else CELL,
        labelPadding=8 if narrow else 8 + 15 * max((name.count(BREAK) for name in names), default=0),
        labelExpr=SPLIT,
    )


def _number(value: float) -> str:
    """A number of acts, in as few letters as will do; nothing where it is next to nothing."""
    if value < 0.05:
        return ""
    if value < 9.95:
        return f"{value:.1f}"
    return f"{value:,.0f}" if value < 99_500 else f"{value / 1000:,.0f}k"


def _title(name: str, called: Mapping[str, str]) -> str:
    return row_name(called.get(name) or str(name).replace("_", " "))
