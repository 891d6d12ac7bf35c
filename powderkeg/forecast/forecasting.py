"""What may happen next, given what was seen? `forecast` goes on from a record.

In: a scenario, a model or a fit; observed events. Out: a `Forecast`.
Each draw has its own numbers (within a fit's errors), hours within the days that the record knows, facts that nobody
reports, level of the background and its drift. So what the draws differ by is all that is not known, chance included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from powderkeg.errors import Fault, UsageError, nearest_name, warn
from powderkeg.events.rows import CHANGED, DELAY
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.known import said_by
from powderkeg.fit.result import Fit
from powderkeg.forecast.counts import acts_ahead
from powderkeg.forecast.drawing import SETS, Draughtsman, Settings, draw
from powderkeg.forecast.ground import LevelDrift
from powderkeg.forecast.interventions import worlds_of
from powderkeg.forecast.late import LATEST, NEARLY, as_known, checked_as_of
from powderkeg.forecast.pool import Pool, pooled
from powderkeg.forecast.result import Forecast
from powderkeg.forecast.room import workers_within
from powderkeg.forecast.seen import Watched, gap, seen
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.model.parting import values_of
from powderkeg.model.subcritical import subcritical
from powderkeg.scenario import Given, Scenario
from powderkeg.showing import progress_shown
from powderkeg.simulate import blame
from powderkeg.simulate.memory import Budget
from powderkeg.wording import counted, percent, plain

LONGEST = 3660
"""Days ahead that can be asked for."""
CHOOSING = 0.3
"""Share of the work in which it is tried how levels move, about."""
BACKGROUNDS = ("local", "scenario")


def forecast(
    model: Given | Model | Fit,
    events: EventTable | None = None,
    *,
    days: int = 30,
    draws: int = 1000,
    seed: int = 1,
    origin: date | str | None = None,
    as_of: date | str | None = None,
    interventions: Sequence[str] = (),
    fitted: Joint | None = None,
    background: str = "local",
    weekdays: bool = True,
    mechanisms: bool = True,
    spread: bool = True,
    drift: bool = True,
    late: bool = True,
    pool: bool | None = None,
    absent: Sequence[str] = (),
    unmatched: str = "refuse",
    level: float = 0.9,
    workers: int | None = None,
    memory: int | str | Budget | None = None,
    progress: Callable[[float], None] | None = None,
    drifts: LevelDrift | None = None,
) -> Forecast:
    """What may happen in the next days, between whom, how sure that is, and what carries it.

    events         what was seen; of a fit by default the events it was fitted to
    days           how many days ahead
    draws          histories ahead
    origin         first day that is foretold; by default the day after the last of the events' window. Acts from it on
                   are not looked at
    as_of          only what had been entered in the data by this day is known, where the source says when (GDELT,
                   POLECAT, a column `reported`; ACLED says when a row was last changed); the origin is then by default
                   the day after it
    interventions  names of the scenario's interventions, or acts such as "west talk serbia": what each would change if
                   it were made on the first day, on the same draws
    fitted         what a fit left open (`Joint`); a `Fit` brings its own
    background     "local": a level for the acts of each tone in each dyad, which drifts, estimated from what was seen;
                   "scenario": the scenario's rates and courses as they stand
    weekdays, mechanisms, spread, drift, late   without them: every day reported alike; nothing answers; days no luckier
                   than chance makes them; levels stay where they are; all reports are in
    pool           counts are told from a linear opinion pool of the model's draws with weighted means of each dyad's
                   past; by default unless the background is the scenario's. Outcomes, why and changes are the model's
                   alone
    absent         names of mechanisms that set nothing off
    drifts         how levels move; by default chosen by what would have foretold the time before the origin best
    unmatched      "refuse" or "drop": acts that no move of the scenario allows
    level          of the intervals
    memory         bytes, or such as "4 GB", that it may take; default: half of what is free. Sets of draws are made by
                   as few workers as fit, which a warning says; results do not depend on it

    Raises UsageError for an origin that the events do not reach, a horizon of 0, an unknown intervention; EventError
    for events of which nothing is left; OverMemory, before anything is built, for what does not fit.
    """
    progress = progress_shown(progress, "forecasting")
    model, events, law = _parts(model, events, fitted)
    day = _checked(days, draws, level, background, origin)
    events, day, as_of = _as_known(events, day, as_of)
    watched = seen(model, events, day, unmatched, as_of)
    model.must_be_whole("forecast")
    model.must_be_known(watched.begin + days, "the forecast")
    asked = said_by(model.scenario, events) if weekdays else None
    settings = Settings(
        background, weekdays, spread, mechanisms, drift, None if asked is None else asked.said, _numbers(model, absent),
        late,
    )  # fmt: skip
    worlds = worlds_of(model, tuple(interventions), watched.begin, days, settings)
    workers = workers_within(model, watched, days, draws, len(worlds), min(SETS, draws), workers, memory)
    open_sets = law.draw(min(SETS, draws), seed) if law is not None and law.paths else []
    sets = subcritical(model, open_sets)
    drawer = Draughtsman(model, watched, days, settings, sets, seed, drifts, workers, _part(progress, 0.0, CHOOSING))
    drawn = draw(drawer, draws, list(worlds.values()), workers, _part(progress, CHOOSING, 1.0))
    entered = _entered(events, watched, as_of)
    together = None
    if (background == "local") if pool is None else pool:
        together = pooled(drawer, acts_ahead(drawn[0].runs), seed)
    found = Forecast(
        model=model, events=events, seen=watched, origin=watched.origin, days=days, draws=draws, seed=seed, level=level,
        worlds=dict(zip(worlds, drawn, strict=True)),
        notes=_notes(watched, settings, (len(sets), len(open_sets)), drawer, entered, together),
        warnings=tuple(_warnings(model, watched, drawn[0].runs.exploded.mean())),
        parameters="drawn within the errors of a fit" if sets else "the scenario's, taken as true",
        drawer=drawer,
        pool=together,
    )  # fmt: skip
    for sentence in found.warnings:
        warn(sentence)
    return found


def _part(progress: Callable[[float], None] | None, low: float, high: float) -> Callable[[float], None] | None:
    return None if progress is None else lambda share: progress(low + (high - low) * share)


def _numbers(model: Model, names: Sequence[str]) -> frozenset[int]:
    """Mechanisms by index. Raises UsageError, with the nearest name, for one that there is not."""
    known = model.mechanisms
    faults = [
        Fault.at("absent", f"unknown mechanism {name!r}", f"one of {', '.join(known) or 'none'}",
              nearest_name(name, known))
        for name in names if name not in known
    ]  # fmt: skip
    if faults:
        raise UsageError(faults)
    return frozenset(known.index(name) for name in names)


def known_before(events: EventTable, origin: date | str | None, as_of: date | str | None) -> EventTable:
    """The events before the origin that had been entered by a day: what a fit may see."""
    day = _checked(1, 1, 0.9, "local", origin)
    events, day, _ = _as_known(events, day, as_of)
    return events if day is None or day > events.end else events.between(None, day - timedelta(days=1))


def _as_known(
    events: EventTable, origin: date | None, as_of: date | str | None
) -> tuple[EventTable, date | None, date | None]:
    """The table as it was known, the origin, the day by which it was known."""
    if as_of is None:
        return events, origin, None
    day = checked_as_of(events, as_of, origin)
    origin = origin or min(day + timedelta(days=1), events.end + timedelta(days=1))
    return as_known(events, day), origin, day


def _parts(
    model: Given | Model | Fit, events: EventTable | None, law: Joint | None
) -> tuple[Model, EventTable, Joint | None]:
    """The model, the events and what a fit left open."""
    if isinstance(model, Fit):
        if events is None:
            start = model.window_start
            days = float(model.problem.data.days)
            resolution = "day" if model.problem.data.by_day else "exact"
            events = EventTable(model.frame, start=start, days=days, resolution=resolution)
        if law is None and model.scenario_before is not None:
            law = Joint.of(model)
        model = model.model
    elif isinstance(model, Scenario | str | Path):
        model = compile_model(model)
    if events is None:
        raise UsageError(Fault.at("events", "none", "the events that the forecast goes on from"))
    must_be_table(events)
    if law is not None:
        law = law.among(values_of(model))
    return model, events, law


def _checked(days: Any, draws: Any, level: float, background: str, origin: date | str | None) -> date | None:
    """The origin as a date. Raises UsageError for anything that cannot be met."""
    faults = []
    for name, value, most in (("days", days, LONGEST), ("draws", draws, 1_000_000)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            faults.append(Fault.at(name, f"{value}", f"a whole number from 1 to {most:,}"))
    if not 0.0 < level < 1.0:
        faults.append(Fault.at("level", f"{level:g}", "a share between 0 and 1, such as 0.9"))
    if background not in BACKGROUNDS:
        faults.append(Fault.at("background", repr(background), f"one of {', '.join(BACKGROUNDS)}"))
    day = None
    if isinstance(origin, str):
        try:
            day = date.fromisoformat(origin)
        except ValueError:
            faults.append(Fault.at("origin", repr(origin), "a day such as 2018-06-30"))
    else:
        day = origin
    if faults:
        raise UsageError(faults)
    return day


def _notes(
    watched: Watched,
    settings: Settings,
    sets: tuple[int, int],
    drawer: Draughtsman,
    entered: list[str],
    pool: Pool | None,
) -> tuple[str, ...]:
    """What was assumed, in sentences; sets: of numbers that were kept and that were drawn."""
    notes = []
    if watched.by_day:
        notes.append(
            "acts are stamped with days: hours within them are drawn, those of the last days by what the model thinks "
            "of their order"
        )
    if settings.said is not None:
        notes.append(
            "weekdays and holidays are reported as the scenario says of this kind of event data; what is foretold is "
            "what will be reported, not what will happen"
        )
    if drawer.hidden:
        notes.append("facts that no act reports are filtered: each draw has its own, given all acts seen")
    if settings.background == "local":
        ground = drawer.point
        notes.append(
            f"the background goes on from where it stands, {plain(ground.level.sum(), 2)} acts a day, and drifts; half "
            f"of what was known of it is forgotten in {ground.drift.half_life:.0f} days, "
            + (
                "as chosen on the days before"
                if drawer.chosen.scores.size
                else "which was not tried on the days before"
            )
        )
        lean = drawer.lean
        if lean.days >= 1.0:
            notes.append(
                f"the record is short, {counted(drawer.n_days, 'day')}: the scenario's own rates count as "
                f"{lean.days:.0f} days more, {percent(lean.share)} of what is known of how often acts come"
            )
        if drawer.chosen.alone is not None:
            notes.append(
                f"how levels move was tried on the {drawer.chosen.alone:,} kinds of act that came, who and to whom, "
                f"not on all {drawer.model.n_acts:,}: that would take long"
            )
        if settings.mechanisms and ground.drift.answers != 1.0:
            notes.append(
                f"of the answers that the mechanisms' numbers let expect, {100 * ground.drift.answers:.0f} % are "
                "reckoned with: that would have foretold the days before best"
            )
    else:
        notes.append("the background is that of the scenario, its last course carried on")
    notes += _doubt(*sets)
    notes += entered
    if pool is not None:
        short, long = pool.half_lives
        notes.append(
            f"acts are told from a pool: {percent(pool.weight)} of the draws are histories of the model, the others of "
            f"means of each dyad's days, weighted with half-lives of {short:.0f} and {long:.0f} days; outcomes, what "
            "carries them and what an intervention changes are told from the model's histories alone"
        )
    if watched.lost:
        notes.append(f"{watched.lost:,} acts that no move of the scenario allows were left out")
    return tuple(notes)


def _doubt(kept: int, drawn: int) -> list[str]:
    """What is done about numbers that a fit leaves open, in sentences."""
    notes = []
    if not kept:
        notes.append("the scenario's numbers are taken as true: that they may be wrong is not in the intervals")
    if kept < drawn:
        notes.append(
            f"{drawn - kept} of {drawn} sets of numbers that the fit leaves open let the system feed itself from "
            "its start (a branching ratio of 1 or more), so that what they foretell has no mean: they are left aside, "
            "though the record does not rule them out"
        )
    return notes


def _entered(events: EventTable, watched: Watched, as_of: date | None) -> list[str]:
    """What is known of the acts of the last days, in sentences."""
    said = []
    if as_of is not None and DELAY in events.frame.columns:
        said.append(f"only acts that had been entered by {as_of} are known")
    elif as_of is not None and CHANGED in events.frame.columns:
        said.append(
            f"only rows last changed by {as_of} are known: the source does not say when they were entered, so acts "
            "whose rows were changed later are missing"
        )
    elif as_of is not None:
        said.append(f"the source does not say when acts were entered: all that are dated by {as_of} are known")
    if watched.late is None:
        return [*said, "the last days are taken as completely reported"]
    age = (watched.late.known - watched.origin).days + 1
    last, week = (np.mean([share[min(age + d, LATEST)] for share in watched.late.classes.values()]) for d in (0, 6))
    if last >= NEARLY:
        return [*said, "all acts before the origin had time to be reported"]
    said.append(
        f"reports come late: of the acts of the last day {100 * last:.0f} % are reckoned as entered, of those of a "
        f"week before {100 * week:.0f} %; what is missing is drawn"
    )
    return said


def _warnings(model: Model, watched: Watched, exploded: float) -> list[str]:
    said = []
    empty = gap(watched)
    if empty:
        first = watched.origin - timedelta(days=int(empty))
        said.append(
            f"no act in the last {empty:.0f} days before the origin, from {first} on: taken as silence, which lowers "
            "what is foretold; if the record ends there, make the forecast from that day"
        )
    if exploded > 0:
        said.append(f"{percent(exploded)} of the draws were stopped at their limit of acts: {blame(model)}")
    return said
