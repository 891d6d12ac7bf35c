"""A scenario drawn up from observed events: who acts, by what, how often, and what may answer what.

In: an `EventTable`. Out: the text of a scenario file whose match rules are the record's own names, so that the same
events fit it at once. What a record cannot say (ties, facts, how fast, whether codes without a book are hostile) is
asked for in comments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from powderkeg.draft.deeds import deeds
from powderkeg.draft.naming import keys
from powderkeg.draft.written import DrawnUp, Thresholds, written
from powderkeg.errors import EventError, Fault, argument
from powderkeg.events.match import match
from powderkeg.events.table import EventTable
from powderkeg.formats import KINDS, OWN
from powderkeg.scenario import Scenario, loads
from powderkeg.wording import counted

MOST_ACTORS = 8
WORTH = 0.01
"""An actor joins if it adds at least this share to the events that the actors chosen so far share."""
BY_COUNTRY = 0.3
"""Names are put together by country where at least this share of events is between countries that are told."""
SENTENCE = 3
"""Spaces in the middle one of the acts from which on they are sentences, and not names of acts."""
LONGEST_NAME = 200
"""Letters of a name in a match rule."""


class Sides(NamedTuple):
    """The columns that tell the sides of an event apart, and what a match rule calls them."""

    rule: str
    source: str
    target: str


@dataclass(frozen=True)
class Between:
    """Events between two different named sides.

    frame           with columns _source and _target
    without_target  events left out because they name no second side
    """

    frame: pl.DataFrame
    without_target: int


def from_events(table: EventTable, name: str, read: Sequence[str] = (), actors: int | None = None) -> str:
    """The text of a scenario with the most active actors of a record, as `drawn_up` finds them."""
    return written(drawn_up(table, name, read, actors))


def drawn_up(
    table: EventTable,
    name: str,
    read: Sequence[str] = (),
    actors: int | None = None,
    thresholds: Callable[[EventTable, Scenario], Thresholds | None] | None = None,
) -> DrawnUp:
    """What a scenario with the most active actors of a record says.

    table   observed events, as they were read: not matched to a scenario
    name    the scenario's name: small letters, digits, _ and -
    read    the files they came from, for the comments
    actors  at most so many; by default eight, fewer where a further one would add under 1 % of the events; a pair
            that only meets each other joins where it brings more a head than whoever meets those chosen
    thresholds  where standoffs open and close in these events, matched to this draft; unless given as everywhere

    Raises EventError where no event is between two different named sides.
    """
    sides = _sides(table.frame)
    between = _between(table, sides)
    chosen = _most_active(between.frame, actors or MOST_ACTORS, 0.0 if actors else WORTH)
    inside = between.frame.filter(pl.col("_source").is_in(chosen), pl.col("_target").is_in(chosen))
    kind = str(table.account.get("format", OWN.name))
    draft = DrawnUp(
        name=name,
        read=tuple(read),
        kind=kind if kind in KINDS else OWN.name,
        rule=sides.rule,
        start=table.start,
        end=table.end,
        days=max(table.days, 1.0),
        actors=keys(chosen, "actor"),
        deeds=deeds(inside),
        rows=len(table),
        without_target=between.without_target,
        left_out=_left_out(between.frame, chosen),
        n_left_out=len({*between.frame["_source"].unique(), *between.frame["_target"].unique()} - {*chosen}),
        undirected=table.n_undirected,
    )
    scenario = loads(written(draft))
    matched, _ = match(scenario, table)
    found = None if thresholds is None else thresholds(matched, scenario)
    return replace(draft, counts=_counts(matched), thresholds=found)


def _sides(frame: pl.DataFrame) -> Sides:
    """By country where most of the record is between countries, else by name."""
    names = Sides("names", "source", "target")
    if not {"source_country", "target_country"} <= set(frame.columns) or frame.is_empty():
        return names
    first, second = (pl.col(one).cast(pl.String) for one in ("source_country", "target_country"))
    told = frame.select((first != second).fill_null(False).mean()).item()
    many = frame["source"].n_unique() > 4 * MOST_ACTORS
    return Sides("countries", "source_country", "target_country") if many and told >= BY_COUNTRY else names


def _between(table: EventTable, sides: Sides) -> Between:
    named = {
        one: pl.col(column).cast(pl.String).str.strip_chars().replace("", None)
        for one, column in (("_source", sides.source), ("_target", sides.target))
    }
    whole = table.frame.with_columns(**named)
    short = pl.all_horizontal(pl.col(*named).str.len_chars() <= LONGEST_NAME)
    frame = whole.filter(pl.col("_source") != pl.col("_target"), short)
    if frame.is_empty():
        raise EventError(_without_sides(whole))
    return Between(frame, int(whole["_target"].null_count()))


def _without_sides(events: pl.DataFrame) -> list[Fault]:
    """What is amiss with events none of which is between two sides; acts that read like sentences name a way out."""
    what = f"none of {counted(events.height, 'event')} is between two different named sides"
    wished = {name: "COLUMN" for name in ("source", "target") if events[f"_{name}"].null_count() == events.height}
    how = " (" + argument("mapping", wished) + ")" if wished else ""
    faults = [Fault.of(what, "columns that say who acted, and towards whom" + how)]
    given = [one for one in ("act", "code") if one in events.columns and events[one].null_count() < events.height]
    code = given[0] if given else ""
    if code and (events.select(pl.col(code).cast(pl.String).str.count_matches(r"\s").median()).item() or 0) >= SENTENCE:
        faults.append(
            Fault.of(
                "the acts read like sentences",
                "`powderkeg events code` on the same file ("
                + argument("mapping", {"text": "COLUMN"})
                + "): it reads sentences into who did what to whom, and a draft is drawn up from what it writes",
            )
        )
    return faults


def _most_active(between: pl.DataFrame, most: int, worth: float) -> list[str]:
    """The busiest two, then again and again whoever shares most events with those already there, or the busiest two of
    the others where they bring more each: a second rivalry of a record counts before a bystander of the first."""
    shared: dict[str, dict[str, int]] = {}
    for one, other, number in between.group_by("_source", "_target").len().sort("_source", "_target").iter_rows():
        for a, b in ((one, other), (other, one)):
            row = shared.setdefault(a, {})
            row[b] = row.get(b, 0) + number
    pairs = sorted(((-number, a, b) for a in shared for b, number in shared[a].items() if a < b), reverse=True)
    chosen: list[str] = []
    inside, gain = 0, dict.fromkeys(sorted(shared), 0)
    while gain and len(chosen) < most:
        while pairs and not (pairs[-1][1] in gain and pairs[-1][2] in gain):
            pairs.pop()  # one of the two is already there
        joint = -pairs[-1][0] if pairs else 0
        best = max(gain, key=lambda a: gain[a])
        two = len(chosen) + 2 <= most and joint > 2 * gain[best]
        joining, more = (pairs[-1][1:], joint) if two else ((best,), gain[best])
        if more < max(len(joining) * worth * (inside + more), 1):
            break
        for one in joining:
            inside += gain.pop(one)
            chosen.append(one)
            for a in gain:
                gain[a] += shared[a].get(one, 0)
    return chosen


def _left_out(between: pl.DataFrame, chosen: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Who was left out, those with most events first."""
    sides = pl.concat([between["_source"], between["_target"]]).alias("who").value_counts()
    left = sides.filter(~pl.col("who").is_in(list(chosen))).sort(["count", "who"], descending=[True, False])
    return tuple(left.head(5).iter_rows())


def _counts(matched: EventTable) -> dict[tuple[str, str, str], int]:
    """(source, act, target) -> events, as the draft itself matches them."""
    names = [pl.col(one).cast(pl.String) for one in ("source", "act", "target")]
    return {(a, act, b): number for a, act, b, number in matched.frame.group_by(*names).len().iter_rows()}
