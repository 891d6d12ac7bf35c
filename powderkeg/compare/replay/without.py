"""What is to be left out of an observed history: an actor, a mechanism, a tie, a fact, acts of a kind, one act, or what
an intervention changes.

In: a model, the acts observed, what somebody typed. Out: a `Without`: the world without it, over any numbers of the
model, and the observed acts that are taken out by hand. What came before the day on which it begins stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from powderkeg.compare.interventions import Named, edits, plan
from powderkeg.compare.leaving import JOINT, LEAVABLE, change_of, find
from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.worlds import ForcedAct, Phase, World, world
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.model import Model
from powderkeg.reading.quantity import Quantity
from powderkeg.scenario import Intervention, Scenario, third_person

SECTIONS = (*LEAVABLE, "interventions")
OR_ELSE = ", PATH=VALUE, or one observed act such as 'kosovo arrests north_serbs on 2018-03-26'"
DATE = re.compile(r"(?:^|\s+)(?:on\s+)?(\d{4}-\d{2}-\d{2})$")
MOST_NAMED = 6

Build = Callable[[System, Mapping[str, float]], World]


@dataclass(frozen=True)
class Observed:
    """Acts as arrays: days since the scenario's start (whole days where stamps are good for a day), channels."""

    time: Floats
    channel: Ints
    by_day: bool
    begin: float
    end: float


@dataclass(frozen=True)
class Without:
    """What is left out.

    kind   "actor", "mechanism", "tie", "fact", "act", "one act", "edit" or "intervention"
    title  in words: "without serbia"
    turn   day since the scenario's start on which the worlds part
    gone   (N,) observed acts that are taken out by hand
    build  the world over arrays filled with these values; facts with a known path are left to whoever lives it through
    acts   what the world with it is forced to do where both start from the same day and nothing is given: the one act
    """

    name: str
    kind: str
    title: str
    turn: float
    gone: NDArray[np.bool_]
    build: Build
    acts: tuple[ForcedAct, ...] = ()


def leave_out(model: Model, seen: Observed, name: str, since: float | None = None) -> Without:
    """What `name` stands for.

    since  day since the scenario's start from which it is left out; default: the first day of the observed window

    Raises UsageError for what the scenario does not have (with the nearest name), a name of two things, an act that was
    not observed (with the nearest dates), a day outside the window.
    """
    scenario = model.scenario
    assert scenario is not None
    if not isinstance(name, str):
        raise UsageError(Fault.at("without", repr(name), "the name of one thing, such as mechanisms.retaliation"))
    turn = seen.begin if since is None else float(since)
    if not seen.begin <= turn < seen.end:
        day = scenario.start + timedelta(days=int(np.clip(turn, -3e5, 3e5)))
        raise UsageError(
            Fault.at("from", f"{day}, outside the events",
                  f"a day from {_day(scenario, seen.begin)} to before {_day(scenario, seen.end)}")
        )  # fmt: skip
    text = " ".join(name.split())
    if "=" in text:
        made = edits(text)
        title = "with " + " and ".join(f"{path} = {value}" for path, value in made.items())
        named = Named("without", (("without", Intervention(set=made)),))
        return _intervention(model, seen, turn, name, "edit", title, named)
    if found := DATE.search(text):
        return _one_act(model, scenario, seen, name, text[: found.start()], found[1], since)
    return _named(model, scenario, seen, turn, name, text)


def _day(scenario: Scenario, day: float) -> date:
    return scenario.start + timedelta(days=int(np.floor(day)))


def _named(model: Model, scenario: Scenario, seen: Observed, turn: float, name: str, text: str) -> Without:
    home, parts = find(scenario, text, SECTIONS, OR_ELSE)
    own = JOINT.join(parts)
    if home == "interventions":
        moved = tuple((part, _moved(scenario.interventions[part], turn)) for part in parts)
        named = Named(own, moved)
        return _intervention(model, seen, turn, name, "intervention", named.title or own, named)
    change = change_of(model, home, own)
    # Acts of whoever is out go, also those that the model thought impossible and otherwise has no view on.
    out = [
        home in ("actors", "acts") and own == (c.source if home == "actors" else c.act)
        for c in model.channels[: model.n_acts]
    ]
    gone = np.array(out, np.bool_)[seen.channel]

    def build(base: System, values: Mapping[str, float]) -> World:
        system, levels = change(base)
        return world(base, (Phase(turn, system, levels),), follow=False)

    return Without(name, home.rstrip("s"), f"without {own}", turn, gone, build)


def _moved(part: Intervention, turn: float) -> Intervention:
    """The intervention as if the run began on day `turn` and it were in force from there on."""
    by = turn - float(part.at)
    return replace(
        part,
        at=Quantity(turn),
        until=None if part.until is None else Quantity(float(part.until) + by),
        do=tuple(replace(deed, at=Quantity(max(float(deed.at) + by, turn))) for deed in part.do),
    )


def _intervention(
    model: Model, seen: Observed, turn: float, name: str, kind: str, title: str, named: Named
) -> Without:  # fmt: skip
    if kind == "edit":
        named = Named(named.name, tuple((one, _moved(part, turn)) for one, part in named.parts))
    try:
        made = plan(model, named, seen.end)
    except UsageError as error:
        if kind != "edit":
            raise
        faults = [replace(fault, path=fault.path.replace("interventions.without.set.", "")) for fault in error.faults]
        raise UsageError(faults) from error

    def build(base: System, values: Mapping[str, float]) -> World:
        return made.world(base, values, follow=False)

    return Without(name, kind, title, turn, np.zeros(len(seen.time), np.bool_), build)


def _one_act(
    model: Model, scenario: Scenario, seen: Observed, name: str, what: str, day: str, since: float | None
) -> Without:
    """One observed act, by its date and as many words about it as it takes."""
    if since is not None:
        raise UsageError(Fault.at("from", "a day beside the date of one act", "one of them"))
    try:
        asked = date.fromisoformat(day)
    except ValueError:
        raise UsageError(Fault.at("without", f"{day!r} is no date", "a date such as 2018-03-26")) from None
    words = [word for word in what.split() if word not in ("the", "act", "event", "on")]
    acts = model.channels[: model.n_acts]
    told = [{str(c.source), str(c.target), str(c.act), third_person(str(c.act))} for c in acts]
    valid = {word for one in told for word in one}
    for word in words:
        if word not in valid:
            raise UsageError(
                Fault.at("without", f"unknown word {word!r} in {name!r}",
                      "who, does, to whom, and a date, such as 'kosovo arrests north_serbs on 2018-03-26'",
                      nearest_name(word, valid))
            )  # fmt: skip
    fits = np.array([_fits(c.source, c.act, c.target, words) for c in acts], np.bool_)
    like = np.flatnonzero(fits[seen.channel])
    days = np.floor(seen.time[like]).astype(np.int64)
    on = int((asked - scenario.start).days)
    found = like[days == on]
    if not len(found):
        phrase = f"no '{' '.join(words)}'" if words else "no act"
        near = np.unique(days[np.argsort(np.abs(days - on), kind="stable")[:3]]) if len(days) else days
        dates = ", ".join(str(_day(scenario, d)) for d in near)
        raise UsageError(
            Fault.at("without", f"{phrase} was observed on {day}",
                  f"a date on which it was; nearest: {dates}" if dates else "an act that was observed")
        )  # fmt: skip
    kinds = sorted({_told(model, c) for c in seen.channel[found].tolist()})
    if len(kinds) > 1:
        listed = ", ".join(kinds[:MOST_NAMED]) + (", ..." if len(kinds) > MOST_NAMED else "")
        raise UsageError(
            Fault.at("without", f"{len(found)} acts on {day}", f"which one: {listed}")
        )  # fmt: skip
    # Several reports of the same act on one day cannot be told apart by words: the first is meant.
    one = int(found[0])
    gone = np.zeros(len(seen.time), np.bool_)
    gone[one] = True
    at, channel = float(seen.time[one]), int(seen.channel[one])
    turn = max(at, seen.begin)
    act = ForcedAct(turn + 0.5 if seen.by_day else turn, channel)

    def build(base: System, values: Mapping[str, float]) -> World:
        return world(base, follow=False)

    title = f"without '{_told(model, channel)}' on {day}"
    return Without(name, "one act", title, turn, gone, build, (act,))


def _fits(source: str | None, act: str, target: str | None, words: list[str]) -> bool:
    """Each word names this act's side or deed; of two actors the first is who acts."""
    sides = [word for word in words if word in (source, target) and word not in (act, third_person(act))]
    if any(word not in (source, target, act, third_person(act)) for word in words):
        return False
    if len(sides) >= 2:
        return sides[0] == source and sides[1] == target
    if len(sides) == 1 and words.index(sides[0]) == 0 and len(words) > 1:
        return sides[0] == source
    return True


def _told(model: Model, channel: int) -> str:
    c = model.channels[channel]
    return f"{c.source} {third_person(c.act)} {c.target}" if c.target else f"{c.source} {third_person(c.act)}"
