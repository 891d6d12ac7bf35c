"""Which standoffs are in these events, who opened them, how long did they last, and how did they end?

In: `Runs`, or an `EventTable` of simulated or observed events, with or without a model. Out: one row per standoff.
The rule reads the event stream alone, so it is the same yardstick for what was simulated, what was observed and what
might have been. It is told in words, with an example, in docs/episodes.md.
Source: two thresholds on a fading score, as a Schmitt trigger has them; unlike a single silence rule (Jones, Bremer &
Singer 1996, CMPS 15(2), 163-213) they neither split one crisis at every pause nor count every lone act as a crisis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze.streams import CLASSES, TONES, Streams, marks_of, model_of, score_heat_of, streams
from powderkeg.analyze.unsure_days import has_unknown_days, over_days
from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.episodes import Contents, Episodes, cut_episodes, describe_episodes
from powderkeg.errors import EventError, Fault, UsageError, Words, argument, warn
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.model import Model
from powderkeg.model import compile as compile_scenario

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario
    from powderkeg.simulate import Runs

END_STATES = ("resolved", "suspended", "spent", "chained", "open")

MOST_PATTERNS = 64
NO_CLASS = Words(
    "no act of these events has a class, so none counts as hostile and no standoff can be found: name the book that "
    "the codes are of (", argument("codebook", "cameo"), "), or give a scenario whose acts these are",
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """How a standoff is told from noise; the defaults are those of a scenario that says nothing.

    memory          days in which an act's heat fades by a factor e
    opens_at        score from which hostility is a standoff
    closes_at       score below which it is over
    chained_within  days: a new bone of contention this long after the start of a standoff may begin another
    usual           with by="dyad": the score that is usual between two actors, by dyad ("one - other"); thresholds
                    stand on top of it. See `relative_rules`
    """

    memory: float = 7.0
    opens_at: float = 6.0
    closes_at: float = 2.0
    chained_within: float = 3.0
    usual: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = []
        for name in ("memory", "opens_at", "closes_at"):
            if not getattr(self, name) > 0:
                faults.append(Fault.at(f"standoffs.{name}", f"{getattr(self, name)}", "more than 0"))
        low = [name for name, score in self.usual.items() if not 0 <= score < np.inf]
        if low:
            faults.append(Fault.at("standoffs.usual", f"{self.usual[low[0]]} of {low[0]}", "0 or more"))
        if not self.chained_within >= 0:
            faults.append(Fault.at("standoffs.chained_within", f"{self.chained_within}", "0 days or more"))
        if not faults and self.closes_at > self.opens_at:
            found = f"closes_at {self.closes_at} above opens_at {self.opens_at}"
            faults.append(Fault.at("standoffs.closes_at", found, "at most opens_at"))
        if faults:
            raise UsageError(faults)

    @staticmethod
    def of(scenario: Scenario | None) -> Rules:
        """The rules that a scenario sets, or the defaults."""
        if scenario is None:
            return Rules()
        own = scenario.standoffs
        return Rules(float(own.memory), float(own.opens_at), float(own.closes_at), float(own.chained_within))


def episodes(
    events: Runs | EventTable,
    model: Model | Scenario | None = None,
    *,
    rules: Rules | None = None,
    by: str = "system",
    marks: Mapping[str, NDArray[np.bool_]] | None = None,
) -> pl.DataFrame:
    """Standoffs, one a row, by history and start.

    events  `Runs`, or any `EventTable`
    model   what the acts mean: a model or scenario. Runs know theirs. For a table without one, every actor counts,
            heat comes from the CAMEO code of an act (roots 10 to 13: 1, 14 to 17: 2, 18 to 20: 3) or else its class
            (verbal conflict 1, material conflict 2, or 3 where its Goldstein weight is -8 or worse), no act opens, and
            acts close only between two actors: an agreement signed (057) and yielding (08)
    rules   thresholds; those of the scenario unless given
    by      "system": all counted actors together. "dyad": every two actors apart, with a column `dyad`
    marks   only for runs: name to (C,) mask over the model's channels; adds a column with the number of such acts

    Columns: replicate, episode (number within its history), start, last (last counted act, or the closing act after
    it), end (when the score had faded; the horizon where open), days (last - start), calendar_days (days on the
    calendar, both ends counted), first_day, last_day (dates, null where the start date is unknown), opener,
    first_act, target (both null where the source does not say which side acted; who they were is then in
    `between`), peak (highest score), events (counted acts), joined (actors beside the first act's two who did
    something hostile), hurt, deaths (anyone), killed (by counted acts: deaths told or drawn, one for each act that
    kills of which nothing is told), end_state (one of END_STATES), and the number of all acts by tone: hostile,
    cooperative, neutral; where classes are known also by class. Where the source does not know the day of all events
    also chance, start_low, start_high, opener_chance: see
    `powderkeg.analyze.unsure_days`.

    Raises UsageError for a `by` or a model it cannot use, EventError for a table whose times cannot be read.
    """
    if by not in ("system", "dyad"):
        raise UsageError(Fault.at("by", repr(by), "system or dyad"))
    if not hasattr(events, "offsets"):
        must_be_table(events)
    known = compiled(model, events)
    rules = rules or Rules.of(known.scenario if known is not None else None)
    if isinstance(events, EventTable) and has_unknown_days(events):
        return over_days(events, rules.memory, lambda table: episodes(table, known, rules=rules, by=by, marks=marks))
    if not isinstance(events, EventTable) and len(parts := [*events.parts()]) > 1:
        found = [(first, episodes(part, known, rules=rules, by=by, marks=marks)) for first, part in parts]
        return pl.concat([one.with_columns(pl.col("replicate") + first) for first, one in found], rechunk=True)
    stream = streams(events, known, by)
    if known is None and isinstance(events, EventTable) and len(events) and not has_classes(events):
        warn(NO_CLASS)
    cut = _cut(stream, rules)
    patterns = _patterns(marks, len(stream.heat))
    n_kinds = len(TONES) * (len(CLASSES) + 1)
    kind = np.where(stream.tone >= 0, stream.tone * (len(CLASSES) + 1) + stream.klass + 1, -1)
    contents = describe_episodes(
        cut,
        stream.code,
        stream.score_heat * weight_of_dyads(stream, rules),
        stream.heat > 0,
        stream.hurts,
        stream.source,
        stream.target,
        kind,
        n_kinds,
        patterns,
        len(marks or {}),
        max(1, len(stream.actors)),
    )
    return _frame(stream, cut, contents, tuple(marks or {}))


def openings(model: Model, offsets: Ints, time: Floats, channel: Ints, horizon: float) -> Episodes:
    """The standoffs of many histories by the model's own rules, without what is in them: for who asks when they opened.

    A standoff opens when the score reaches the opening level (`opened`); its first act, from which it is dated
    (`start`), comes before that.

    offsets, time, channel  histories as in `Runs`;  horizon: end of all of them, days
    """
    rules = Rules.of(model.scenario)
    ends = np.full(len(offsets) - 1, horizon)
    return cut_episodes(
        offsets, time, channel, score_heat_of(model), marks_of(model), rules.memory, rules.opens_at, rules.closes_at,
        rules.chained_within, ends,
    )  # fmt: skip


def compiled(model: Model | Scenario | None, events: Runs | EventTable) -> Model | None:
    """The model itself, or the model of a scenario; that of the runs where none is given."""
    if model is None:
        return None if isinstance(events, EventTable) else model_of(events)
    return model if isinstance(model, Model) else compile_scenario(model)


def has_classes(events: EventTable) -> bool:
    """Whether any act of a table has a class or a CAMEO code, from which heat comes where there is no model."""
    known = [name for name in ("tone", "cameo") if name in events.frame.columns]
    return any(events.frame[name].null_count() < len(events) for name in known)


def _cut(stream: Streams, rules: Rules) -> Episodes:
    try:
        return cut_episodes(
            stream.offsets,
            stream.time,
            stream.code,
            stream.score_heat * weight_of_dyads(stream, rules),
            stream.marks,
            rules.memory,
            rules.opens_at,
            rules.closes_at,
            rules.chained_within,
            stream.horizon,
        )
    except ValueError as error:
        raise EventError(Fault.at("time", str(error), "events in time order")) from None


def weight_of_dyads(stream: Streams, rules: Rules) -> NDArray[np.float64]:
    """(codes,) what heat weighs between two actors: less where more is usual, so that the usual score stays below the
    closing level and a standoff opens at as many times that as before."""
    weight = np.ones(len(stream.heat))
    if stream.dyad is None or not rules.usual:
        return weight
    for k, (a, b) in enumerate(zip(stream.source, stream.target, strict=True)):
        if a >= 0 and b >= 0:
            name = " - ".join(sorted((stream.actors[a], stream.actors[b])))
            weight[k] = 1.0 / (1.0 + rules.usual.get(name, 0.0) / rules.closes_at)
    return weight


def _patterns(marks: Mapping[str, NDArray[np.bool_]] | None, n_codes: int) -> NDArray[np.uint64]:
    bits = np.zeros(n_codes, dtype=np.uint64)
    masks = list((marks or {}).values())
    if len(masks) > MOST_PATTERNS:
        raise UsageError(f"{len(masks)} marks; at most {MOST_PATTERNS} can be counted at once")
    for p, mask in enumerate(masks):
        if mask.shape != (n_codes,):
            raise UsageError(f"a mark of shape {mask.shape}; expected one entry for each of {n_codes} channels")
        bits |= mask.astype(np.uint64) << np.uint64(p)
    return bits


def _frame(stream: Streams, cut: Episodes, contents: Contents, marks: tuple[str, ...]) -> pl.DataFrame:
    replicate = stream.replicate[cut.stream]
    first = stream.code[cut.opener]
    number = _number_within(cut.stream)
    first_calendar, last_calendar = np.floor(cut.start), np.floor(cut.last)
    killed = contents.lethal
    deaths = contents.lethal > 0
    if stream.killed is not None:
        # As every count of a standoff: not of acts among others, which lie between its own.
        told = np.concatenate([[0.0], np.cumsum(np.where(stream.counted[stream.code], stream.killed, 0.0))])
        killed = np.rint(told[cut.stop] - told[cut.first]).astype(np.int64)
        deaths = killed > 0
    columns: dict[str, Any] = {"replicate": replicate}
    if stream.dyad is not None:
        columns["dyad"] = _named(stream.dyads, stream.dyad[cut.stream])
    columns |= {
        "episode": number,
        "start": cut.start,
        "last": cut.last,
        "end": cut.end,
        "days": cut.last - cut.start,
        "calendar_days": (last_calendar - first_calendar + 1).astype(np.int64),
        "first_day": _dates(stream.start, first_calendar),
        "last_day": _dates(stream.start, last_calendar),
        "opener": _named(stream.actors, np.where(stream.undirected[first], -1, stream.source[first])),
        "first_act": _named(stream.acts, stream.act[first]),
        "target": _named(stream.actors, np.where(stream.undirected[first], -1, stream.target[first])),
        "peak": cut.peak,
        "events": contents.counted,
        "joined": _joined(stream.actors, contents, len(cut.first)),
        "hurt": (contents.hurting > 0) | deaths,
        "deaths": deaths,
        "killed": killed,
        "end_state": _named(END_STATES, cut.state),
    }
    if stream.undirected.any():
        sides = {str(n): _named(stream.actors, x[first]) for n, x in enumerate((stream.source, stream.target))}
        both = pl.concat_str(pl.all(), separator=" - ", ignore_nulls=True)
        columns["between"] = pl.DataFrame(sides).select(both=both)["both"]
    kinds = contents.classes.reshape(-1, len(TONES), len(CLASSES) + 1)
    columns |= {name: kinds[:, t].sum(axis=1) for t, name in enumerate(TONES)}
    if (stream.klass >= 0).any():
        columns |= {name.replace(" ", "_"): kinds[:, :, k + 1].sum(axis=1) for k, name in enumerate(CLASSES)}
    columns |= {name: contents.patterns[:, p] for p, name in enumerate(marks)}
    frame = pl.DataFrame(columns)
    return frame if stream.dyad is None else frame.sort("replicate", "start", "dyad")


def _named(names: tuple[str, ...], index: NDArray[np.int64]) -> pl.Series:
    """Names by index, null for -1."""
    table = pl.Series([*names, None], dtype=pl.String)
    return table.gather(np.where(index < 0, len(names), index))


def _dates(start: date | None, day: NDArray[np.float64]) -> pl.Series:
    if start is None:
        return pl.Series([None] * len(day), dtype=pl.Date)
    epoch = start.toordinal() - date(1970, 1, 1).toordinal()
    return pl.Series(day.astype(np.int32) + epoch, dtype=pl.Int32).cast(pl.Date)


def _joined(actors: tuple[str, ...], contents: Contents, n: int) -> pl.Series:
    """List of names by episode, empty where nobody joined."""
    everyone = np.concatenate([contents.joined_episode, np.arange(n)])
    names = pl.concat([_named(actors, contents.joined_actor), pl.Series([None] * n, dtype=pl.String)])
    frame = pl.DataFrame({"episode": everyone, "actor": names})
    lists = frame.group_by("episode").agg(pl.col("actor").drop_nulls()).sort("episode")
    return lists["actor"]


def _number_within(stream: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(stream) == 0:
        return np.zeros(0, dtype=np.int64)
    new = np.concatenate([[True], stream[1:] != stream[:-1]])
    begin = np.maximum.accumulate(np.where(new, np.arange(len(stream)), 0))
    return np.arange(len(stream)) - begin
