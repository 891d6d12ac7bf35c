"""Which events does a fit rest on: how many of those that were given, and between whom?

In: the rows that were given and those that the likelihood scores. Out: `Used`, with sentences where a reader may be
misled: a fit of a tenth of the events speaks for that tenth, and one whose events come nearly all from one pair is
about that pair, whatever its title says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from powderkeg.engine.arrays import Ints
from powderkeg.errors import argument
from powderkeg.events.table import EventTable
from powderkeg.fit.estimates import Estimate
from powderkeg.model import Model
from powderkeg.wording import percent

LEAST_FITTED = 0.2
"""Share of the events that must be in the likelihood for intervals to be told."""
MOST_FITTED = 0.8
"""Share below which it is said."""
ONE_PAIR = 0.9
"""Share of one pair of actors from which the fit is about it."""
WITHHELD = "interval withheld"


@dataclass(frozen=True)
class Used:
    """What a fit rests on.

    given  events in the window;  used  those that the likelihood scores
    pairs  columns a, b (actors, whoever acted; b null where there is no target), events, share of the used; most first
    said   what to know about it
    """

    given: int
    used: int
    pairs: pl.DataFrame
    said: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.used / max(self.given, 1)

    @property
    def withholds(self) -> bool:
        """Whether too little is explained for intervals to mean what they seem to."""
        return self.share < LEAST_FITTED

    def words(self, most: int = 3) -> str:
        """The pairs that most events are of, in a line."""
        rows = self.pairs.head(most).to_dicts()
        told = [f"{' - '.join(x for x in (r['a'], r['b']) if x)} {percent(r['share'])}" for r in rows]
        rest = self.pairs.height - len(rows)
        return ", ".join(told) + (f", {rest} other pairs" if rest > 1 else ", one other pair" if rest else "")


def used_events(model: Model, events: EventTable, frame: pl.DataFrame, unexplained: Ints, history_days: float) -> Used:
    """What the likelihood scores of what was given.

    frame        rows of the likelihood, history included
    unexplained  those of them that no rule allows
    """
    given = int((events.frame["time"] >= history_days).sum())
    scored = (frame["time"] >= history_days).to_numpy().copy()
    scored[unexplained] = False
    kept = frame.filter(pl.Series(scored)).select(pl.col("source", "target").cast(pl.String))
    sides = kept.select(
        a=pl.min_horizontal("source", "target"),
        b=pl.when(pl.col("target").is_null()).then(None).otherwise(pl.max_horizontal("source", "target")),
    )
    pairs = sides.group_by("a", "b").agg(events=pl.len().cast(pl.Int64))
    pairs = pairs.with_columns(share=pl.col("events") / max(kept.height, 1))
    pairs = pairs.sort("events", "a", "b", descending=[True, False, False])
    found = Used(given, kept.height, pairs, ())
    return replace(found, said=tuple(_said(model, found, events)))


def _said(model: Model, found: Used, events: EventTable) -> list[str]:
    said = []
    if found.share < MOST_FITTED:
        told = (
            f"{found.used:,} of {found.given:,} events are explained ({100 * found.share:.0f} %): the others are of no "
            "move of the scenario, or no rule allows them, and the fit says nothing of them"
        )
        if found.withholds:
            told += (
                ". That is too few for intervals, which would be those of another record: they are withheld. Give the "
                "scenario the moves that are seen, or take a scenario made for event data"
            )
        said.append(told)
    if touching := events.account.get("touching"):
        names: Sequence[str] = touching  # type: ignore[assignment]
        said.append(
            f"only events with {' or '.join(names)} on a side were read ("
            + argument("touching", ",".join(names))
            + "): moves between others are estimated without a look at what these did"
        )
    own = _disputes(model)
    if found.pairs.height > 1 and own:
        top = found.pairs.row(0, named=True)
        pair = frozenset(x for x in (top["a"], top["b"]) if x)
        if top["share"] >= ONE_PAIR and pair not in own:
            asked = sorted({name for one in own for name in one})
            said.append(
                f"{100 * top['share']:.0f} % of the events are between {' and '.join(sorted(pair))}, who are not the "
                "parties of the scenario's disputes: shared numbers are theirs. See what "
                + argument("touching", ",".join(asked))
                + " finds"
            )
    return said


def _disputes(model: Model) -> set[frozenset[str]]:
    """Pairs of actors between whom the scenario has a rivalry."""
    ties = {} if model.scenario is None else model.scenario.ties
    return {frozenset((tie.from_, tie.to)) for tie in ties.values() if tie.kind == "rivalry"}


def without_intervals(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The estimates alone."""
    return {
        path: replace(e, se=None, low=None, high=None, interval="", note=e.note or WITHHELD) if e.free else e
        for path, e in estimates.items()
    }
