"""The family tree of one standoff: which act set off which, how likely, and other trees that are as possible.

In: an `Attribution` and which standoff. Out: a `Family`. The tree that is shown is the one with most right links to be
expected: where acts have definite times that is each act with its likeliest cause, and where acts of one day may have
set each other off, the best set of causes without a circle.
Source: Chu & Liu (1965), Edmonds (1967), J. Res. NBS 71B, 233-240, for the best tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError
from powderkeg.showing import Plotted, as_html
from powderkeg.wording import counted, percent

if TYPE_CHECKING:
    from powderkeg.attribute.result import Attribution

BEFORE = "before"
"""What is written where an act was set off by one before the standoff."""
LEAST = 1e-3
"""Probability below which a link is left out of a family."""
MOST_ACTS = 50_000
"""Acts of one standoff beyond which no tree is made."""


@dataclass(frozen=True)
class Family(Plotted):
    """One standoff and who may have set off whom in it.

    number    row of the standoff in `standoffs`;  standoff its columns by name
    acts      event, time, source, act, target, root (probability that nothing in the record set it off), before
              (that an act before the standoff did)
    links     event, parent, mechanism, probability: both acts within the standoff
    tree      event, parent, mechanism, probability: one row an act; parent null where its likeliest place is outside,
              mechanism then `background`, `unexplained`, `history` or `before`
    expected  share of the tree's links that are right, to be expected
    """

    number: int
    standoff: dict[str, Any]
    acts: pl.DataFrame
    links: pl.DataFrame
    tree: pl.DataFrame
    expected: float
    attribution: Attribution

    def __repr__(self) -> str:
        acts, links = counted(self.acts.height, "act"), counted(self.links.height, "link")
        return f"Family(standoff {self.number}: {acts}, {links}, {percent(self.expected)} of the tree's right)"

    def _repr_html_(self) -> str:
        return as_html(self, self.tree)

    def trees(self, count: int = 20, seed: int = 1) -> pl.DataFrame:
        """Trees drawn as likely as they are: draw, event, parent, mechanism; a parent before the standoff is null."""
        a = self.attribution
        event_of_act = np.empty(len(a.act_of_event), np.int64)
        event_of_act[a.act_of_event] = np.arange(len(a.act_of_event))
        number = a.table.frame["event"].to_numpy()
        inside = np.isin(number, self.acts["event"].to_numpy())
        names = a.mechanism_names
        parts = []
        for draw, (parent, kind, _) in enumerate(a.causes.forests(count, seed)):
            above = parent[a.act_of_event]
            origin = np.where(above >= 0, event_of_act[np.maximum(above, 0)], -1)
            within = (origin >= 0) & inside[np.maximum(origin, 0)]
            kinds = names(kind[a.act_of_event][inside])
            parts.append(
                pl.DataFrame(
                    {
                        "draw": np.full(int(inside.sum()), draw),
                        "event": number[inside],
                        "parent": pl.Series([int(number[o]) if w else None for o, w in
                                             zip(origin[inside], within[inside], strict=True)], dtype=pl.Int64),
                        "mechanism": pl.Series([BEFORE if o >= 0 and not w else k for k, o, w in
                                                zip(kinds, origin[inside], within[inside], strict=True)],
                                               dtype=pl.String),
                    }
                )
            )  # fmt: skip
        return pl.concat(parts)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "number": self.number,
            "standoff": {k: (str(v) if isinstance(v, date) else v) for k, v in self.standoff.items()},
            "expected_right": self.expected,
            "acts": self.acts.to_dicts(),
            "tree": self.tree.to_dicts(),
            "links": self.links.filter(pl.col("probability") >= 0.01).to_dicts(),
        }


def family(a: Attribution, which: int | str | date) -> Family:
    """The genealogy of a standoff: its number, a day in it, or -1 for the one with most acts."""
    number = _number(a, which)
    row = a.standoffs.row(number, named=True)
    acts = a.acts().filter(pl.col("time") >= row["start"], pl.col("time") <= row["last"])
    if acts.height > MOST_ACTS:
        raise UsageError(
            Fault.at("episode", f"a standoff of {acts.height:,} acts", f"one of at most {MOST_ACTS:,} acts")
        )
    events = acts["event"].to_numpy()
    links = a.links(LEAST).filter(pl.col("event").is_in(events.tolist()), pl.col("parent").is_in(events.tolist()))
    within = links.group_by("event").agg(pl.col("probability").sum().alias("within"))
    acts = acts.join(within, on="event", how="left", maintain_order="left").with_columns(
        pl.col("within").fill_null(0.0)
    )
    root = pl.sum_horizontal("background", "unexplained", "history")
    acts = acts.with_columns(root=root, before=(1.0 - root - pl.col("within")).clip(0.0, 1.0))
    tree, expected = _best_tree(acts, links)
    kept = ["event", "time", "source", "act", "target", "root", "before", "alike", "drawn_in", "brought"]
    return Family(number, row, acts.select(kept), links, tree, expected, a)


def _number(a: Attribution, which: int | str | date) -> int:
    found = a.standoffs
    if found.height == 0:
        raise UsageError(
            Fault.at("episode", "no standoff in these events", "hostile acts that come close upon each other")
        )
    if isinstance(which, str):
        try:
            which = int(which) if which.lstrip("-").isdigit() and len(which) < 7 else date.fromisoformat(which)
        except ValueError:
            raise UsageError(
                Fault.at("episode", repr(which), "the number of a standoff, or a day such as 2018-03-26")
            ) from None
    if isinstance(which, date):
        day = float((which - a.table.start).days)
        row = _on_day(found, day)
        if row is not None:
            return row
        gap = np.minimum(np.abs(found["start"].to_numpy() - day), np.abs(found["last"].to_numpy() - day))
        near = int(gap.argmin())
        first, last = (a.table.start + timedelta(days=int(found[x][near])) for x in ("start", "last"))
        raise UsageError(
            Fault.at("episode", f"no standoff on {which}", f"a day in a standoff; number {near} is nearest, "
                  f"{first} to {last}")
        )  # fmt: skip
    if which == -1:
        return int(found["events"].arg_max() or 0)
    if not 0 <= which < found.height:
        raise UsageError(Fault.at("episode", f"standoff {which}", f"0 to {found.height - 1}"))
    return which


def _on_day(found: pl.DataFrame, day: float) -> int | None:
    """The row of the standoff that a day is most plainly in: it began then, had acts around then, or was fading then.

    An end is an instant: what ends as a day begins was over on the day before.
    """
    start, last = np.floor(found["start"].to_numpy()), np.floor(found["last"].to_numpy())
    end = np.maximum(np.ceil(found["end"].to_numpy()) - 1.0, last)
    for inside in (start == day, (start <= day) & (day <= last), (start <= day) & (day <= end)):
        rows = np.flatnonzero(inside)
        if len(rows):
            return int(rows[-1])  # the newest, where a new matter cut in
    return None


def _best_tree(acts: pl.DataFrame, links: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """Each act with one cause, without a circle, such that most of them are right in expectation.

    Circles can only be among acts of one stamp: each stamp is a problem of its own, causes from before it all being
    as good as roots there.
    """
    outside = ["background", "unexplained", "history", BEFORE]
    kinds = acts.select(outside).to_numpy()
    events, times = acts["event"].to_list(), acts["time"].to_list()
    place = {event: i for i, event in enumerate(events)}
    # of each act: probability by parent, and the likeliest mechanism between them
    causes: list[dict[int, float]] = [{} for _ in events]
    how: dict[tuple[int, int], tuple[float, str]] = {}
    for event, parent, name, probability in links.select("event", "parent", "mechanism", "probability").iter_rows():
        i, j = place[event], place[parent]
        causes[i][j] = causes[i].get(j, 0.0) + probability
        how[i, j] = max(how.get((i, j), (0.0, "")), (probability, name))
    rows: list[dict[str, Any]] = []
    begin = 0
    while begin < len(events):
        end = begin
        while end < len(events) and times[end] == times[begin]:
            end += 1
        size = end - begin
        weight = np.full((size, size + 1), -1.0)  # the last column: from outside, or from before
        elsewhere = np.full(size, -1)
        for i in range(begin, end):
            weight[i - begin, size] = kinds[i].max()
            for j, probability in causes[i].items():
                if begin <= j < end:
                    weight[i - begin, j - begin] = probability
                elif probability > weight[i - begin, size]:
                    weight[i - begin, size], elsewhere[i - begin] = probability, j
        for k, p in enumerate(best_tree(weight)):
            i, j = begin + k, begin + int(p) if p < size else int(elsewhere[k])
            rows.append(
                {
                    "event": events[i],
                    "parent": None if j < 0 else events[j],
                    "mechanism": outside[int(kinds[i].argmax())] if j < 0 else how[i, j][1],
                    "probability": float(weight[k, p]),
                }
            )
        begin = end
    schema = {"event": pl.Int64, "parent": pl.Int64, "mechanism": pl.String, "probability": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema)
    return frame, float(frame["probability"].mean() or 0.0)  # type: ignore[arg-type]


def best_tree(weight: Floats) -> Ints:
    """(n,) parent of each of n nodes that makes the sum of weights largest without a circle; n stands for the root.

    weight  (n, n + 1) [child, parent], below 0 where there is no such link; the last column is that of the root
    """
    n = len(weight)
    weight = weight.copy()
    weight[np.arange(n), np.arange(n)] = -1.0
    best = weight.argmax(axis=1)
    circle = _circle(best, n)
    if circle is None:
        return np.asarray(best, np.int64)
    # Contract the circle into one node; entering it anywhere costs the link that is broken there.
    others = [i for i in range(n) if i not in set(circle)]
    m = len(others)
    smaller = np.full((m + 1, m + 2), -np.inf)
    enters = np.zeros(m + 2, np.int64)
    leaves = np.zeros(m + 1, np.int64)
    columns = [*others, n]
    for a, i in enumerate(others):
        for b, j in enumerate(columns):
            smaller[a, b if b < m else m + 1] = weight[i, j] if weight[i, j] >= 0 else -np.inf
        inside = [weight[i, j] for j in circle]
        leaves[a] = circle[int(np.argmax(inside))]
        smaller[a, m] = max(inside) if max(inside) >= 0 else -np.inf
    for b, j in enumerate(columns):
        gain = [weight[i, j] - weight[i, best[i]] if weight[i, j] >= 0 else -np.inf for i in circle]
        at = b if b < m else m + 1
        enters[at] = circle[int(np.argmax(gain))]
        smaller[m, at] = max(gain)
    shift = np.where(np.isfinite(smaller), smaller + len(weight) + 2.0, -1.0)
    found = best_tree(shift)
    result = np.asarray(best, np.int64).copy()
    for a, i in enumerate(others):
        j = int(found[a])
        result[i] = leaves[a] if j == m else n if j == m + 1 else others[j]
    j = int(found[m])
    node = int(enters[j])
    result[node] = n if j == m + 1 else others[j]
    return result


def _circle(parent: Ints, root: int) -> list[int] | None:
    """The nodes of a circle of parents, or None."""
    state = np.zeros(len(parent), np.int64)
    for begin in range(len(parent)):
        path = []
        at = begin
        while at != root and state[at] == 0:
            state[at] = 1
            path.append(at)
            at = int(parent[at])
        if at != root and state[at] == 1:
            return path[path.index(at) :]
        for node in path:
            state[node] = 2
    return None
