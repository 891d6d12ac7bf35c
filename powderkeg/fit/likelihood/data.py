"""Events to arrays: which channel each event is of, and when it came in the model's time.

In: a `Model` and an `EventTable`. Out: `Data`, or an EventError that names every actor and act that does not fit, with
what can be done about it. Nothing is dropped unless the caller asks, and then it is counted.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import EventError, Fault, UsageError, argument, joined, nearest_name, warn
from powderkeg.events.table import EventTable
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.sides import settled_sides
from powderkeg.fit.likelihood.spans import spans_of
from powderkeg.model import Model

LIKELIHOODS = ("exact", "day")
MOST_NAMED = 10
"""Names told one by one in a message; the rest are counted."""


def read_data(
    model: Model, events: EventTable, likelihood: str | None, unmatched: str, history_days: float, fitting: bool = True
) -> tuple[Data, pl.DataFrame]:
    """(events as arrays, the rows of the table they came from, in the same order).

    likelihood    "exact", "day", or None: what the table's resolution asks for
    unmatched     "refuse" or "drop": what to do with events that are of no channel
    history_days  events of the first days only act on later ones; the window starts after them
    fitting       whether something is to be estimated, for which one event, or one day with events, is not enough

    By day, events with a `span` get one of their days, any as likely as the next, beside the first and the last.
    """
    if unmatched not in ("refuse", "drop"):
        raise UsageError(Fault.at("unmatched", repr(unmatched), "'refuse' or 'drop'"))
    by_day = reads_by_day(events, likelihood)
    if events.n_replicates > 1:
        raise EventError(
            Fault.at("replicate", f"{events.n_replicates} histories in one table",
                  "one history: take one with frame.filter(replicate == 0), or write one with `powderkeg run "
                  "--replicates 1`")
        )  # fmt: skip
    frame, channel = _channels(model, events, unmatched)
    time = frame["time"].to_numpy().astype(np.float64)
    if not np.isfinite(time).all():
        raise EventError(Fault.at("time", "a stamp that is not a number", "days since the table's start"))
    outside = (time < 0) | (time >= events.days + (1e-9 if not by_day else 0.0))
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        day = events.start + timedelta(days=float(np.clip(time[at], -3e5, 3e5)))
        raise EventError(
            Fault.at(
                "time", f"{int(outside.sum())} events outside the table's own window, the first on {day}",
                f"stamps from {events.start} on, less than {events.days:g} days later; widen `days` or cut the table",
            )
        )  # fmt: skip
    if not 0.0 <= history_days < events.days:
        raise UsageError(Fault.at("history_days", f"{history_days:g}", f"from 0 to below {events.days:g}"))
    if by_day:
        time, history_days = np.floor(time), float(np.floor(history_days))
    days = float(np.ceil(events.days) if by_day else events.days) - history_days
    time = time - history_days
    first, last = _possible(time, spans_of(frame), days) if by_day else (None, None)
    if first is not None and last is not None:
        time = np.random.default_rng(1).integers(first, last + 1).astype(np.float64)
    order = np.argsort(time, kind="stable")
    time, channel = time[order], channel[order]
    if first is not None and last is not None:
        first, last = first[order], last[order]
    _must_be_enough(model, time, channel, days, by_day, fitting)
    return Data(time, channel, days, by_day, first, last), frame[order.tolist()]


def _possible(day: Floats, span: Ints, days: float) -> tuple[Ints, Ints] | tuple[None, None]:
    """(first, last) day on which each event may have happened; nothing where every day is known.

    What may have happened before the window or within it is taken to have happened where it is stamped, and what may
    have happened within it or after, within it.
    """
    if (span <= 1).all():
        return None, None
    first = day.astype(np.int64)
    last = np.minimum(first + span - 1, round(days) - 1)
    return first, np.where(first < 0, np.minimum(last, -1), last)


def reads_by_day(events: EventTable, likelihood: str | None) -> bool:
    if likelihood is not None and likelihood not in LIKELIHOODS:
        raise UsageError(
            Fault.at("likelihood", repr(likelihood), "'exact' or 'day'", nearest_name(likelihood, LIKELIHOODS))
        )
    if events.resolution == "month":
        raise EventError(
            Fault.at("resolution", "stamps good for a month", "stamps good for a day or better: a month hides "
                  "who answered whom")
        )  # fmt: skip
    if likelihood == "exact" and events.resolution == "day":
        raise EventError(
            Fault.at(
                "likelihood", "exact times asked of events stamped with a day",
                argument("likelihood", "day")
                + ". Read as exact, acts of one day cannot answer each other, and most answers are lost",
            )
        )  # fmt: skip
    return likelihood == "day" or (likelihood is None and events.resolution == "day")


def _channels(model: Model, events: EventTable, unmatched: str) -> tuple[pl.DataFrame, Ints]:
    """The rows that are of a channel, and their channel."""
    frame = settled_sides(model, events.frame)
    if frame.height == 0:
        read = events.account.get("rows_read")
        none = f"none of {read:,} rows is of the scenario's actors and acts" if read else "no events"
        raise EventError(
            Fault.at("events", none, "events of the scenario's moves; `powderkeg events match SCENARIO FILE` "
                  "lists the names that no actor or act has, `match:` rules and --aliases give them one")
        )  # fmt: skip
    acts = model.channels[: model.n_acts]
    if model.scenario is None:  # bare arrays: the channel's name stands in `act`
        known = pl.DataFrame(
            {"act": [c.act for c in acts], "_channel": np.arange(len(acts))}, schema_overrides={"act": pl.String}
        )
        keys = ["act"]
    else:
        known = pl.DataFrame(
            {
                "source": [c.source for c in acts],
                "act": [c.act for c in acts],
                "target": [c.target for c in acts],
                "_channel": np.arange(len(acts)),
            },
            schema_overrides={"source": pl.String, "act": pl.String, "target": pl.String},
        )
        keys = ["source", "act", "target"]
    found = frame.with_columns(pl.col(keys).cast(pl.String)).join(
        known, on=keys, how="left", maintain_order="left", nulls_equal=True
    )
    missing = found["_channel"].is_null()
    if missing.any():
        lost = found.filter(missing)
        if unmatched == "refuse":
            raise EventError(_unmatched_faults(model, lost, found.height))
        if lost.height == found.height:
            raise EventError(_unmatched_faults(model, lost, found.height))
        warn(f"{lost.height:,} of {found.height:,} events are of no move of the scenario and were left out")
    kept = found.filter(~missing)
    return kept.drop("_channel"), kept["_channel"].to_numpy().astype(np.int64)


def _unmatched_faults(model: Model, lost: pl.DataFrame, total: int) -> list[Fault]:
    """One fault for each unknown actor and act, then one for each known dyad that has no such move."""
    acts = model.channels[: model.n_acts]
    actors = sorted({a for c in acts for a in (c.source, c.target) if a is not None})
    deeds = sorted({c.act for c in acts})
    if model.scenario is not None:
        actors = sorted({*actors, *model.scenario.actors})
        deeds = sorted({*deeds, *model.scenario.acts})
    unknown: Counter[tuple[str, str]] = Counter()
    triples: Counter[str] = Counter()
    for source, act, target in lost.select("source", "act", "target").iter_rows():
        strange = [("actor", str(a)) for a in dict.fromkeys((source, target)) if a not in actors and a is not None]
        if act not in deeds:
            strange.append(("act", str(act)))
        if model.scenario is None:
            strange = [("act", str(act))]
        unknown.update(strange)
        if not strange:
            triples[f"{source} {act} {target}"] += 1
    remedy = "; map it with the actor's `match` rules, or leave such events out with " + argument("unmatched", "drop")
    faults = []
    for (kind, name), count in unknown.most_common(MOST_NAMED):
        names = actors if kind == "actor" else deeds
        what = "an actor of the scenario" if kind == "actor" else "an act of the scenario"
        faults.append(
            Fault.at("events", f"unknown {kind} {name!r} in {count} of {total} events", what + remedy,
                  nearest_name(name, names))
        )  # fmt: skip
    for name, count in triples.most_common(max(0, MOST_NAMED - len(faults))):
        faults.append(
            Fault.at("events", f"no move lets '{name}' happen; it did, {count} times",
                  "a move for it in the scenario, or " + argument("unmatched", "drop"))
        )  # fmt: skip
    hidden = len(unknown) + len(triples) - len(faults)
    if hidden > 0:
        faults.append(Fault.at("events", f"{hidden} more unknown actors, acts or moves"))
    return faults


def calendar_shift(model: Model, events: EventTable, history_days: float | None = None) -> float:
    """Days from the scenario's start to the start of the window; 0 for a model without a scenario.

    The window may reach beyond the scenario's `years`, which say how long it is simulated by default. Days before the
    scenario's start can only be history, where history can be given (`history_days` is not None). Raises EventError if
    the window begins before it.
    """
    if model.scenario is None:
        return 0.0
    start: date = model.scenario.start
    history = history_days or 0.0
    shift = (events.start - start).days + history
    if shift < 0:
        before = (start - events.start).days
        remedies = [f"a scenario that starts then, {events.start}", f"a table cut to begin at {start}"]
        if history_days is not None and before < events.days:
            lets = ", which lets those days act on later ones without being fitted"
            remedies.insert(0, argument("history_days", before) + lets)
        raise EventError(
            Fault.at(
                "start", f"a window from {events.start + timedelta(days=history)} on, before the "
                f"scenario's start {start}", joined(", or ", remedies),
            )
        )  # fmt: skip
    return shift


def _must_be_enough(model: Model, time: Floats, channel: Ints, days: float, by_day: bool, fitting: bool) -> None:
    scored = time[time >= 0]
    if len(scored) < (2 if fitting else 1):
        raise EventError(
            Fault.at("events", f"{len(scored)} event{'s' * (len(scored) != 1)} in the window",
                  "at least 2, and some dozens for each parameter that is to be estimated" if fitting else "1 or more")
        )  # fmt: skip
    if fitting and len(np.unique(np.floor(scored))) == 1 and (by_day or days > 1.5):
        raise EventError(
            Fault.at("time", f"all {len(scored)} events on one day" + (f" of {days:g}" if days > 1.5 else ""),
                  "events over a span of time; was the date column read?")
        )  # fmt: skip
    if not by_day:
        order = np.lexsort((channel, scored)) if len(channel) == len(scored) else np.argsort(scored)
        twice = int((np.diff(scored[order]) == 0).sum())
        if twice > 0.02 * len(scored) and twice > 5:
            whole = float(np.mean(scored == np.floor(scored)))
            raise EventError(
                Fault.at(
                    "time", f"{twice} of {len(scored)} events share their stamp with another"
                    + (", and the stamps are whole days" if whole > 0.95 else ""),
                    "distinct times for a fit on exact times. Stamps good for a day: "
                    + argument("likelihood", "day")
                    + ". Doubles: drop them. Few true ties: spread them by less than the stamp's unit",
                )
            )  # fmt: skip
        if twice:
            warn(
                f"{twice} of {len(scored)} events share their stamp with another; events of one instant do not excite "
                "each other"
            )
