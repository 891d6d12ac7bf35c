"""What may happen next, given what was seen? `forecast` goes on from a record.

In: a scenario, a model or a fit; observed events. Out: a `Forecast`.
Each draw has its own numbers (within a fit's errors), hours within the days that the record knows, facts that nobody
reports, level of the background and its drift. So what the draws differ by is all that is not known, chance included.
"""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from powderkeg.errors import Fault, PowderkegWarning, UsageError
from powderkeg.events.table import EventTable
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.result import Fit
from powderkeg.forecast.drawing import SETS, Draughtsman, Settings, draw
from powderkeg.forecast.ground import LevelDrift
from powderkeg.forecast.interventions import worlds_of
from powderkeg.forecast.result import Forecast
from powderkeg.forecast.seen import Watched, gap, seen
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.scenario import Scenario
from powderkeg.simulate import blame

if TYPE_CHECKING:
    pass

LONGEST = 3660
"""Days ahead that can be asked for."""
BACKGROUNDS = ("local", "scenario")


def forecast(
    model: Scenario | Model | Fit,
    events: EventTable | None = None,
    *,
    days: int = 30,
    draws: int = 1000,
    seed: int = 1,
    origin: date | str | None = None,
    interventions: Sequence[str] = (),
    fitted: Joint | None = None,
    background: str = "local",
    weekdays: bool = True,
    mechanisms: bool = True,
    spread: bool = True,
    drift: bool = True,
    unmatched: str = "drop",
    level: float = 0.9,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
    drifts: LevelDrift | None = None,
) -> Forecast:
    """What may happen in the next days, between whom, how sure that is, and what carries it.

    events         what was seen; of a fit by default the events it was fitted to
    days           how many days ahead
    draws          histories ahead
    origin         first day that is foretold; by default the day after the last of the events' window. Acts from it on
                   are not looked at
    interventions  names of the scenario's interventions, or acts such as "west talk serbia": what each would change if
                   it were made on the first day, on the same draws
    fitted         what a fit left open (`Joint`); a `Fit` brings its own
    background     "local": a level for the acts of each tone in each dyad, which drifts, estimated from what was seen;
                   "scenario": the scenario's rates and courses as they stand
    weekdays, mechanisms, spread, drift   without them: every day reported alike; nothing answers; days no luckier than
                   chance makes them; levels stay where they are
    drifts         how levels move; by default chosen by what would have foretold the time before the origin best
    unmatched      "drop" or "refuse": acts that no move of the scenario allows
    level          of the intervals

    Raises UsageError for an origin that the events do not reach, a horizon of 0, an unknown intervention; EventError
    for events of which nothing is left.
    """
    model, events, law = _parts(model, events, fitted)
    day = _checked(days, draws, level, background, origin)
    watched = seen(model, events, day, unmatched)
    model.must_be_whole("forecast")
    worlds = worlds_of(model, tuple(interventions), watched.begin, days, mechanisms)
    settings = Settings(background, weekdays, spread, mechanisms, drift)
    sets = law.draw(min(SETS, draws), seed) if law is not None and law.paths else []
    drawer = Draughtsman(model, watched, days, settings, sets, seed, drifts)
    drawn = draw(drawer, draws, list(worlds.values()), workers, progress)
    found = Forecast(
        model=model, events=events, seen=watched, origin=watched.origin, days=days, draws=draws, seed=seed, level=level,
        worlds=dict(zip(worlds, drawn, strict=True)), notes=_notes(model, watched, settings, law, drawer),
        warnings=tuple(_warnings(model, watched, drawn[0].runs.exploded.mean())),
        parameters="drawn within the errors of a fit" if sets else "the scenario's, taken as true",
        drawer=drawer,
    )  # fmt: skip
    for sentence in found.warnings:
        python_warnings.warn(sentence, PowderkegWarning, stacklevel=2)
    return found


def _parts(
    model: Scenario | Model | Fit, events: EventTable | None, law: Joint | None
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
    elif isinstance(model, Scenario):
        model = compile_model(model)
    if events is None:
        raise UsageError(Fault(None, None, "events", "none", "the events that the forecast goes on from"))
    if law is not None:
        law = law.among({parameter.path: parameter.value for parameter in model.parameters})
    return model, events, law


def _checked(days: Any, draws: Any, level: float, background: str, origin: date | str | None) -> date | None:
    """The origin as a date. Raises UsageError for anything that cannot be met."""
    faults = []
    for name, value, most in (("days", days, LONGEST), ("draws", draws, 1_000_000)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            faults.append(Fault(None, None, name, f"{value}", f"a whole number from 1 to {most:,}"))
    if not 0.0 < level < 1.0:
        faults.append(Fault(None, None, "level", f"{level:g}", "a share between 0 and 1, such as 0.9"))
    if background not in BACKGROUNDS:
        faults.append(Fault(None, None, "background", repr(background), f"one of {', '.join(BACKGROUNDS)}"))
    day = None
    if isinstance(origin, str):
        try:
            day = date.fromisoformat(origin)
        except ValueError:
            faults.append(Fault(None, None, "origin", repr(origin), "a day such as 2018-06-30"))
    else:
        day = origin
    if faults:
        raise UsageError(faults)
    return day


def _notes(
    model: Model, watched: Watched, settings: Settings, law: Joint | None, drawer: Draughtsman
) -> tuple[str, ...]:
    """What was assumed, in sentences."""
    notes = []
    if watched.by_day:
        notes.append(
            "acts are stamped with days: hours within them are drawn, those of the last days by what the model thinks "
            "of their order"
        )
    if drawer.hidden:
        notes.append("facts that no act reports are filtered: each draw has its own, given all acts seen")
    if settings.background == "local":
        ground = drawer.point
        notes.append(
            f"the background goes on from where it stands, {ground.level.sum():.2g} acts a day, and drifts; half of "
            f"what was known of it is forgotten in {ground.drift.half_life:.0f} days, as chosen on the days before"
        )
        if settings.mechanisms and ground.drift.answers != 1.0:
            notes.append(
                f"of the answers that the mechanisms' numbers let expect, {100 * ground.drift.answers:.0f} % are "
                "reckoned with: that would have foretold the days before best"
            )
    else:
        notes.append("the background is that of the scenario, its last course carried on")
    if law is None or not law.paths:
        notes.append("the scenario's numbers are taken as true: that they may be wrong is not in the intervals")
    notes.append("the last days are taken as completely reported")
    if watched.lost:
        notes.append(f"{watched.lost:,} acts that no move of the scenario allows were left out")
    return tuple(notes)


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
        said.append(f"{100 * exploded:.2g} % of the draws were stopped at their limit of acts: {blame(model)}")
    return said
