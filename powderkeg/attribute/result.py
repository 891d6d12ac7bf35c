"""Who set off whom in an observed record: the probability of every cause of every act, and what follows from it.

In: a scenario, a model or a `Fit`, and an `EventTable`. Out: an `Attribution`: who starts, who is drawn in, by what and
by whom, who sets off whom, which acts brought most, and the family tree of an episode.

For one act the model says what share of its intensity each earlier act has. That is a probability, and it is calibrated
if the model is right; the likeliest single parent is right only about half of the time. So everything here is told as
shares, with how sure they are: by forests drawn in full, each a way in which the record may have come about, and where
a fit is given, by parameters drawn within its errors.
Sources: Zhuang, Ogata & Vere-Jones (2002), JASA 97, 369-380; the words are those of `analyze.entanglement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from powderkeg.analyze.entanglement import OTHER_ORIGINS
from powderkeg.attribute.forests import LOWEST, Forests, People, Tally, spread
from powderkeg.engine.arrays import BACKGROUND, HISTORY, Floats, Ints
from powderkeg.engine.likelihood.design import starts
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.table import EventTable
from powderkeg.fit.parents import LEAST, UNEXPLAINED, Causes, sums_by
from powderkeg.model import Model
from powderkeg.showing import Plotted, as_html
from powderkeg.wording import counted

if TYPE_CHECKING:
    from powderkeg.attribute.family import Family

ORIGINS = {**OTHER_ORIGINS, UNEXPLAINED: "unexplained"}
"""What stands for the parent of an act that no act set off. Unexplained: no rule of the scenario allows it."""
ENTRAPMENT = "entrap"
"""How the names of mechanisms begin that a scenario calls entrapment."""
FORESTS, DRAWS = 200, 25
"""Forests, and sets of parameters, that are drawn where nothing else is said; a quarter as many forests of more than"""
MANY = 100_000
"""acts."""
MOST_WORK = 2e8
"""Acts times links of the model times categories beyond which shares come from forests and not from recursion."""


@dataclass(frozen=True)
class Attribution(Plotted):
    """Where the acts of one record came from. Every method returns a Polars frame, one row for each thing told.

    table       the acts used, in time order; an event's number is its row in the table that was given
    level       of the intervals
    by_day      whether acts of one day may answer each other
    parameters  "given" or "fitted"; fitted ones are drawn within their errors, given ones are taken as true
    causes      probabilities at the estimates;  forests what was counted in drawn forests
    """

    model: Model
    table: EventTable
    level: float
    by_day: bool
    parameters: str
    likelihood: str
    people: People
    causes: Causes
    forests: Forests
    act_of_event: Ints
    warnings: tuple[str, ...] = ()
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def _repr_html_(self) -> str:
        return as_html(self, self.starts())

    def __repr__(self) -> str:
        forests = counted(len(self.forests.draw), "forest")
        return f"Attribution({counted(len(self.table), 'act')}, {forests}, parameters {self.parameters})"

    @property
    def mechanisms(self) -> tuple[str, ...]:
        return self.model.mechanisms

    def acts(self) -> pl.DataFrame:
        """One row an act: how likely each kind of cause is, and what the act led to.

        event, time, source, act, target   the act; event is its row in the table that was given
        alike       acts of the same kind in the same dyad on the same day: nothing tells them apart (1 at exact times)
        background, unexplained, history, and one column a mechanism: probabilities that sum to 1. Unexplained: no rule
                    of the scenario allows the act; history: it came before the window
        drawn_in    probability that it descends from a root between two other actors, null where that is not computed
        answers     expected number of acts that it set off itself
        brought     expected number of acts that descend from it, with its spread between forests `brought_sd`
        """
        c = self.causes
        cell = c.event_cell
        n = c.acts[cell]
        kinds = self._kinds()[cell] / n[:, None]
        links = self._links(LEAST)
        answers = sums_by(links[1], links[3], len(c.time))[cell] / n
        below, below_sd = self._alike(self.forests.below), self._alike(self.forests.below_sd)
        drawn = self._drawn()
        return self._named().with_columns(
            alike=pl.Series(n.astype(np.int64)),
            background=pl.Series(kinds[:, BACKGROUND - LOWEST]),
            unexplained=pl.Series(kinds[:, UNEXPLAINED - LOWEST]),
            history=pl.Series(kinds[:, HISTORY - LOWEST]),
            **{name: pl.Series(kinds[:, m - LOWEST]) for m, name in enumerate(self.mechanisms)},
            drawn_in=pl.Series([None] * len(n), dtype=pl.Float64) if drawn is None else pl.Series(drawn[cell]),
            answers=pl.Series(answers),
            brought=pl.Series(below),
            brought_sd=pl.Series(below_sd),
        )

    def links(self, least: float = 0.01) -> pl.DataFrame:
        """Who may have set off whom: event, parent, mechanism, probability, days (between them), likeliest first.

        least  probability below which a link is left out. Acts of one day and kind are alike: each gets its part, and
               so does each that may be the parent
        """
        if not 0.0 < least < 1.0:
            raise UsageError(Fault.at("least", f"{least:g}", "a probability above 0 and below 1"))
        c = self.causes
        n = c.acts.astype(np.int64)
        child, parent, mechanism, number = self._links(min(least * 0.5, LEAST))
        own = child == parent
        ways = n[child] * np.where(own, np.maximum(n[child] - 1, 1), n[parent])
        probability = number / ways
        kept = probability >= least
        child, parent, mechanism, probability = child[kept], parent[kept], mechanism[kept], probability[kept]
        # every act of the one cell with every act of the other, none with itself
        first = starts(n)
        width = n[parent]
        pairs = n[child] * width
        link = np.repeat(np.arange(len(child)), pairs)
        at = np.arange(len(link)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
        from_act = first[child[link]] + at // width[link]
        to_act = first[parent[link]] + at % width[link]
        different = from_act != to_act
        link, from_act, to_act = link[different], from_act[different], to_act[different]
        event_of_act = np.empty(int(n.sum()), np.int64)
        event_of_act[self.act_of_event] = np.arange(len(self.act_of_event))
        event, origin = event_of_act[from_act], event_of_act[to_act]
        number_of = self.table.frame["event"].to_numpy()
        names = pl.Series(self.mechanisms, dtype=pl.String)
        frame = pl.DataFrame(
            {
                "event": number_of[event],
                "parent": number_of[origin],
                "mechanism": names.gather(mechanism[link]),
                "probability": probability[link],
                "days": c.time[child[link]] - c.time[parent[link]],
            }
        )
        return frame.sort("event", "probability", "parent", descending=[False, True, False])

    def shares(self) -> pl.DataFrame:
        """For each actor, the share of its acts by what set them off: background, a mechanism, unexplained, history.

        actor, mechanism, share, low, high, acts (expected number), sd_parents, sd_parameters. The shares of an actor
        sum to 1. The rows with actor null are those of all actors together. What is 0 by the
        estimates has a row if it may be more.
        """
        kinds = self._kinds()
        actor = self.people.source[self.causes.channel]
        n_actors, n_kinds = len(self.people.names), kinds.shape[1]
        sums = np.zeros((n_actors, n_kinds))
        np.add.at(sums, actor, kinds)
        key = np.arange(n_actors * n_kinds)
        rows = self._told(self.forests.causes, key, sums.ravel(), np.repeat(sums.sum(axis=1), n_kinds))
        whole = np.stack(
            [self.forests.causes.of(np.arange(a, len(key), n_kinds)).sum(axis=1) for a in range(n_kinds)], 1
        )
        every = self._told_of(whole, sums.sum(axis=0), np.full(n_kinds, sums.sum()))
        names = [*self.people.names]
        frame = pl.concat(
            [
                rows.with_columns(
                    actor=pl.Series(names, dtype=pl.String).gather(key // n_kinds),
                    mechanism=self.mechanism_names(key % n_kinds + LOWEST),
                ),
                every.with_columns(
                    actor=pl.lit(None, pl.String), mechanism=self.mechanism_names(np.arange(n_kinds) + LOWEST)
                ),
            ]
        )
        kept = ["actor", "mechanism", "share", "low", "high", "acts", "sd_parents", "sd_parameters"]
        return frame.filter((pl.col("acts") > 0) | (pl.col("high") > 0)).select(kept).sort(
            "actor", "share", "mechanism", descending=[False, True, False], nulls_last=True
        )  # fmt: skip

    def starts(self) -> pl.DataFrame:
        """Who starts: for each actor its roots, and what descends from them.

        actor, roots (expected number of its acts that nothing set off), share (of all roots), low, high,
        acts (its own), root_share (share of its acts that are roots), descent_share (share of all acts of the record
        that descend from its roots, the roots themselves included), descent_low, descent_high
        """
        c, n_actors = self.causes, len(self.people.names)
        actor = self.people.source[c.channel]
        roots = sums_by(actor, c.roots, n_actors)
        own = sums_by(actor, c.acts, n_actors)
        key = np.arange(n_actors)
        drawn = self.forests.roots.of(key)
        share = self._told_of(drawn / drawn.sum(axis=1, keepdims=True), roots / roots.sum(), np.ones(n_actors))
        if self._affordable(n_actors):
            down = (c.descent(actor, n_actors) * c.acts[:, None]).sum(axis=0)
        else:
            down = self.forests.descent.of(key).mean(axis=0)
        descent = self._told(self.forests.descent, key, down, np.full(n_actors, c.acts.sum()))
        frame = pl.DataFrame(
            {
                "actor": list(self.people.names),
                "roots": roots,
                "share": share["share"],
                "low": share["low"],
                "high": share["high"],
                "acts": own,
                "root_share": roots / np.maximum(own, 1e-300),
                "descent_share": descent["share"],
                "descent_low": descent["low"],
                "descent_high": descent["high"],
                "sd_parents": share["sd_parents"],
                "sd_parameters": share["sd_parameters"],
            }
        )
        return frame.filter(pl.col("acts") > 0).sort("roots", "actor", descending=[True, False])

    def entanglement(self) -> pl.DataFrame:
        """For each actor, the share of its acts by how it came in; the table that `pk.entanglement` makes of runs.

        actor, drawn_in, mechanism, by, share, low, high, acts_per_run (expected number of acts), runs (1, the record),
        sd_parents, sd_parameters. The shares of an actor sum to 1. What is split further than can be computed (by whom,
        and at day stamps by what) is split as the drawn forests are.
        """
        if "entanglement" not in self._cache:
            self._cache["entanglement"] = self._entanglement()
        found: pl.DataFrame = self._cache["entanglement"]
        return found

    def drawn_in(self) -> pl.DataFrame:
        """For each actor that acted, the share of its acts that descend from disputes between others.

        actor, share, low, high, acts_per_run (all acts of the actor), runs, sd_parents, sd_parameters: the table that
        `pk.drawn_in` makes of runs.
        """
        drawn = np.unravel_index(self.forests.ways.key, self.forests.shape)[1] == 1
        return self._of_actor(drawn, self.entanglement().filter("drawn_in"))

    def entrapped(self, mechanisms: Sequence[str] | None = None) -> pl.DataFrame:
        """For each actor, the share of its acts that go back to an entry by entrapment, and by whom.

        actor, by (null: by anybody), share, low, high, acts_per_run, runs, sd_parents, sd_parameters

        mechanisms  which ones are entrapment; by default those whose names begin with "entrap".
        Raises UsageError for a mechanism that there is not.
        """
        names = self._entrapments(mechanisms)
        way = np.unravel_index(self.forests.ways.key, self.forests.shape)
        is_kind = np.isin(way[2] + LOWEST, [self.mechanisms.index(name) for name in names])
        told = self.entanglement().filter(pl.col("mechanism").is_in(names))
        whole = self._of_actor(is_kind, told).with_columns(by=pl.lit(None, pl.String))
        split = told.group_by("actor", "by").agg(pl.col("acts_per_run").sum())
        parts = []
        for (by,), rows in split.group_by("by"):
            index = -1 if by is None else self.people.names.index(str(by))
            parts.append(self._of_actor(is_kind & (way[3] == index + 1), rows).with_columns(by=pl.lit(by, pl.String)))
        frame = pl.concat([whole, *parts]).filter((pl.col("acts_per_run") > 0) | (pl.col("high") > 0))
        kept = ["actor", "by", "share", "low", "high", "acts_per_run", "runs", "sd_parents", "sd_parameters"]
        return frame.select(kept).sort("actor", "share", "by", descending=[False, True, False], nulls_last=False)

    def matrix(self) -> pl.DataFrame:
        """Who sets off whom: by (actor whose act set them off, null for none), actor, acts (expected number), share (of
        the actor's acts), low, high, sd_parents, sd_parameters."""
        c, n_actors = self.causes, len(self.people.names)
        actor = self.people.source[c.channel]
        child, parent, _, number = self._links(LEAST)
        key = np.concatenate([actor[child] * (n_actors + 1) + 1 + actor[parent], actor * (n_actors + 1)])
        distinct, at = np.unique(key, return_inverse=True)
        sums = sums_by(at.astype(np.int64), np.concatenate([number, c.roots]), len(distinct))
        own = sums_by(actor, c.acts, n_actors)
        told = self._told(self.forests.pairs, distinct, sums, own[distinct // (n_actors + 1)])
        names = pl.Series([None, *self.people.names], dtype=pl.String)
        frame = told.with_columns(
            by=names.gather(distinct % (n_actors + 1)), actor=names.gather(1 + distinct // (n_actors + 1))
        )
        kept = ["by", "actor", "acts", "share", "low", "high", "sd_parents", "sd_parameters"]
        return frame.select(kept).sort("acts", "by", "actor", descending=[True, False, False], nulls_last=True)

    def influential(self, most: int = 10) -> pl.DataFrame:
        """The acts from which most others descend: event, time, source, act, target, answers, brought, brought_sd."""
        kept = ["event", "time", "source", "act", "target", "alike", "answers", "brought", "brought_sd"]
        return self.acts().sort("brought", "event", descending=[True, False]).head(most).select(kept)

    def family(self, which: int | str | date = -1) -> Family:
        """The genealogy of one standoff: the number of a row of `standoffs`, a day in it, or -1 for the one that the
        most acts belong to. Raises UsageError if there is none."""
        from powderkeg.attribute.family import family

        return family(self, which)

    @cached_property
    def standoffs(self) -> pl.DataFrame:
        """The standoffs in the record, as `pk.episodes` finds them."""
        from powderkeg.analyze.episodes import episodes

        return episodes(self.table, self.model)

    def as_dict(self, links: bool = False, least: float = 0.01) -> dict[str, Any]:
        """Plain data, for --json; numbers that do not exist are None."""
        background = float(self.causes.roots.sum() / self.causes.acts.sum())
        told: dict[str, Any] = {
            "events": len(self.table),
            "first_day": str(self.table.start),
            "days": self.table.days,
            "likelihood": self.likelihood,
            "parameters": self.parameters,
            "forests": len(self.forests.draw),
            "level": self.level,
            "roots_share": background,
            "shares": self.shares().to_dicts(),
            "starts": self.starts().to_dicts(),
            "drawn_in": self.drawn_in().to_dicts(),
            "entanglement": self.entanglement().to_dicts(),
            "matrix": self.matrix().to_dicts(),
            "influential": self.influential().to_dicts(),
            "warnings": list(self.warnings),
        }
        if self._entrapments(None, strict=False):
            told["entrapped"] = self.entrapped().to_dicts()
        if links:
            told["links"] = self.links(least).to_dicts()
        return told

    # what the tables are made of

    def _named(self) -> pl.DataFrame:
        return self.table.frame.select(
            "event", "time", *(pl.col(x).cast(pl.String) for x in ("source", "act", "target"))
        )

    def _links(self, least: float) -> tuple[Ints, Ints, Ints, Floats]:
        key = f"links {least}"
        if key not in self._cache:
            self._cache[key] = self.causes.links(least)
        found: tuple[Ints, Ints, Ints, Floats] = self._cache[key]
        return found

    def _kinds(self) -> Floats:
        """(cells, kinds) expected number of each cell's acts by kind of cause, kinds counted from LOWEST."""
        c = self.causes
        result = np.zeros((len(c.time), len(self.mechanisms) - LOWEST))
        result[np.arange(len(c.time)), c.root_kind - LOWEST] = c.roots
        result[:, -LOWEST:] = c.by_mechanism()
        return result

    def mechanism_names(self, code: Ints) -> pl.Series:
        """Names of mechanisms by index, and of what is none by its code below 0."""
        names = [ORIGINS.get(LOWEST + i, "") for i in range(-LOWEST)]
        return pl.Series([*names, *self.mechanisms], dtype=pl.String).gather(code - LOWEST)

    def _alike(self, by_act: Floats) -> Floats:
        """(events,) a number by act, the mean over acts that are alike."""
        c = self.causes
        mean = sums_by(c.act_cell, by_act, len(c.time)) / c.acts
        return np.asarray(mean[c.event_cell])

    def _told(self, tally: Tally, key: Ints, number: Floats, whole: Floats) -> pl.DataFrame:
        return self._told_of(tally.of(key), number, whole)

    def _told_of(self, by_forest: Floats, number: Floats, whole: Floats) -> pl.DataFrame:
        """share, low, high, acts, sd_parents, sd_parameters of numbers out of `whole`."""
        sure = spread(by_forest, self.forests.draw, self.level)
        scale = np.where(whole > 0, 1.0 / np.maximum(whole, 1e-300), 0.0)
        parameters = [None] * len(number) if sure.sd_parameters is None else sure.sd_parameters * scale
        return pl.DataFrame(
            {
                "share": number * scale,
                "low": np.minimum(sure.low, number) * scale,
                "high": np.maximum(sure.high, number) * scale,
                "acts": number,
                "sd_parents": sure.sd_parents * scale,
                "sd_parameters": pl.Series(parameters, dtype=pl.Float64),
            }
        )

    def _affordable(self, categories: int) -> bool:
        """Whether a recursion over so many categories is worth its time and room."""
        out = np.diff(self.causes.kernels.out_start)[self.causes.channel].sum()
        slots = len(self.causes.kernels.slot_mechanism)
        return float(out + len(self.causes.time)) * categories < MOST_WORK and float(slots) * categories < 5e7

    def _drawn(self) -> Floats | None:
        """(cells,) probability of descent from a root between two others; None where that would cost too much."""
        if "drawn" not in self._cache:
            c, p = self.causes, self.people
            dyad = p.source * (len(p.names) + 1) + p.target + 1
            distinct, number = np.unique(dyad, return_inverse=True)
            self._cache["drawn"] = None
            if self._affordable(len(distinct)):
                share = c.descent(number[c.channel].astype(np.int64), len(distinct))
                actor = p.source[c.channel]
                source, target = np.divmod(distinct, len(p.names) + 1)
                own = (source[None, :] == actor[:, None]) | (target[None, :] - 1 == actor[:, None])
                self._cache["drawn"] = np.clip(1.0 - (share * own).sum(axis=1), 0.0, 1.0)
        found: Floats | None = self._cache["drawn"]
        return found

    def _entries(self) -> dict[tuple[int, int, int], float] | None:
        """Expected number of acts by (actor, drawn in, kind of entry), by recursion; None where it is not exact."""
        c, p, m = self.causes, self.people, len(self.mechanisms)
        actor = p.source[c.channel]
        acting = np.unique(actor)
        n_kinds = m - LOWEST
        size = 2 + n_kinds + m
        if self.by_day or not self._affordable(size * len(acting)):
            return None
        # Categories for one actor: not on the path so far, in its own or in another's affair; come in by a kind, own
        # or drawn in.
        turn = np.tile(np.arange(size), (max(m, 1), 1))
        turn[:, 0] = 2 - LOWEST + np.arange(max(m, 1))
        turn[:, 1] = 2 + n_kinds + np.arange(max(m, 1))
        found: dict[tuple[int, int, int], float] = {}
        for a in acting:
            is_own = actor == a
            category = np.where(is_own, 2 + c.root_kind - LOWEST, np.where(p.target[c.channel] == a, 0, 1))
            share = c.descent(category.astype(np.int64), size, is_own, turn)[is_own].sum(axis=0)
            for kind in range(n_kinds):
                found[int(a), 0, kind] = float(share[2 + kind])
            for kind in range(m):
                found[int(a), 1, kind - LOWEST] = float(share[2 + n_kinds + kind])
        return found

    def _entanglement(self) -> pl.DataFrame:
        ways, shape = self.forests.ways, self.forests.shape
        actor, drawn, kind, by = (np.asarray(x) for x in np.unravel_index(ways.key, shape))
        own = sums_by(self.people.source[self.causes.channel], self.causes.acts, shape[0])
        number = ways.number.mean(axis=0).astype(np.float64)
        known = self._entries()
        if known is not None:
            for group in np.unique(np.stack([actor, drawn, kind]), axis=1).T:
                at = (actor == group[0]) & (drawn == group[1]) & (kind == group[2])
                number[at] *= known[int(group[0]), int(group[1]), int(group[2])] / number[at].sum()
        elif (share := self._drawn()) is not None:
            mine = self.people.source[self.causes.channel]
            exact = sums_by(mine, share * self.causes.acts, shape[0])
            for a in np.unique(actor):
                for side, sum_ in ((1, exact[a]), (0, own[a] - exact[a])):
                    at = (actor == a) & (drawn == side)
                    if at.any():
                        number[at] *= sum_ / number[at].sum()
        told = self._told(ways, ways.key, number, own[actor])
        names = pl.Series([None, *self.people.names], dtype=pl.String)
        frame = told.rename({"acts": "acts_per_run"}).with_columns(
            actor=names.gather(1 + actor),
            drawn_in=pl.Series(drawn.astype(bool)),
            mechanism=self.mechanism_names(kind + LOWEST),
            by=names.gather(by),
            runs=pl.lit(1, pl.Int64),
        )
        kept = ["actor", "drawn_in", "mechanism", "by", "share", "low", "high", "acts_per_run", "runs"]
        return frame.select(*kept, "sd_parents", "sd_parameters").sort(
            "actor", "share", "mechanism", "by", descending=[False, True, False, False], nulls_last=True
        )

    def _of_actor(self, picked: np.ndarray[Any, Any], told: pl.DataFrame) -> pl.DataFrame:
        """For each actor that acted, the ways that are `picked` put together; estimates from the rows of `told`."""
        shape = self.forests.shape
        actor = np.unravel_index(self.forests.ways.key, shape)[0]
        own = sums_by(self.people.source[self.causes.channel], self.causes.acts, shape[0])
        by_forest = np.zeros((len(self.forests.draw), shape[0]))
        columns = np.flatnonzero(picked)
        np.add.at(by_forest.T, actor[columns], self.forests.ways.number[:, columns].T)
        sums = dict(told.group_by("actor").agg(pl.col("acts_per_run").sum()).iter_rows())
        number = np.array([sums.get(name, 0.0) for name in self.people.names], np.float64)
        frame = self._told_of(by_forest, number, own).with_columns(
            actor=pl.Series(self.people.names, dtype=pl.String), acts_per_run=pl.Series(own), runs=pl.lit(1, pl.Int64)
        )
        if "by" in told.columns and "drawn_in" not in told.columns:
            frame = frame.with_columns(acts_per_run=pl.Series(number))
        kept = ["actor", "share", "low", "high", "acts_per_run", "runs", "sd_parents", "sd_parameters"]
        return frame.filter(pl.Series(own > 0)).select(kept).sort("actor")

    def _entrapments(self, mechanisms: Sequence[str] | None, strict: bool = True) -> list[str]:
        names = (
            [name for name in self.mechanisms if name.startswith(ENTRAPMENT)] if mechanisms is None else [*mechanisms]
        )
        faults = [
            Fault.at("entrapment", f"unknown mechanism {name!r}", "a mechanism of the scenario",
                  nearest_name(name, self.mechanisms))
            for name in names if name not in self.mechanisms
        ]  # fmt: skip
        if strict and not names:
            faults = [Fault.at("entrapment", "no mechanism is called entrapment",
                            f"the names of those that are: {', '.join(self.mechanisms)}")]  # fmt: skip
        if faults:
            raise UsageError(faults)
        return names
