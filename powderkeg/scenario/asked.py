"""What is asked of a scenario's runs: outcomes that every run answers, and interventions that change it.

In: nothing. Out: the declared records of these two sections, which `declared` puts into the scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from powderkeg.reading import (
    DURATION,
    Amount,
    Choice,
    EditablePlace,
    Kind,
    Node,
    Quantity,
    Reader,
    RecordKind,
    Reference,
    Scalar,
    Schema,
    Several,
    Slip,
    Text,
    Writer,
    declare,
    listed,
)
from powderkeg.scenario.kinds import ConditionKind, ForcedKind, Moment, SettingsKind, Who
from powderkeg.scenario.language import Condition, Forced

SHORT: Final = Text(200)
LONG: Final = Text(20_000)
ACTS: Final = Several(Reference("act"))
HURTS: Final = ("none", "injury", "death")


@dataclass(frozen=True)
class EventPattern:
    """Which events are meant; what is not given may be anything."""

    who: tuple[str, ...] = declare(Several(Who()), "Who acted: actors or classes.", default=())
    does: tuple[str, ...] = declare(ACTS, "The acts.", default=())
    to: tuple[str, ...] = declare(Several(Who()), "To whom: actors or classes.", default=())
    hurts: tuple[str, ...] = declare(
        Several(Choice(HURTS)),
        "Acts that hurt so: none, injury, death. Under a law of deaths an act without dead injures.",
        default=(),
    )
    via: tuple[str, ...] = declare(
        Several(Reference("mechanism")), "Acts that came by these mechanisms (simulated events only).", default=()
    )


def _event_pattern(pattern: EventPattern, reader: Reader, path: str) -> Iterator[Slip]:
    if not (pattern.who or pattern.does or pattern.to or pattern.hurts or pattern.via):
        yield Slip(None, "no word of which events", "at least one of who, does, to, hurts, via")


EVENTS: Final = RecordKind(EventPattern, "event pattern", _event_pattern)


@dataclass(frozen=True)
class HappensKind(Kind):
    """Events by a mapping, or what is the case by a text: either may come about."""

    of: RecordKind = EVENTS

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"{self.of.words}; or {ConditionKind.words}"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if isinstance(node, Scalar) and not node.is_null:
            return ConditionKind().read(node, path, reader)
        return self.of.read(node, path, reader)

    def write(self, value: EventPattern | Condition, writer: Writer) -> Any:
        return str(value) if isinstance(value, Condition) else self.of.write(value, writer)

    def places(self, value: Any) -> Iterator[EditablePlace]:
        if not isinstance(value, Condition):
            yield from self.of.places(value)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [self.of.schema(defs), ConditionKind().schema(defs)]}


@dataclass(frozen=True)
class Outcome:
    """A question that every run answers; exactly one of any, count, deaths, first, share_of_time."""

    title: str = declare(SHORT, "The question in words.", default="")
    any: EventPattern | Condition | None = declare(
        HappensKind(), "Does such an event happen at all, or is this ever so? (a probability)", default=None
    )
    count: EventPattern | None = declare(EVENTS, "How many such events a year?", default=None)
    deaths: EventPattern | None = declare(EVENTS, "How many people die in such events a year?", default=None)
    first: EventPattern | Condition | None = declare(
        HappensKind(), "How many days to the first such event, or until this is first so?", default=None
    )
    share_of_time: Condition | None = declare(ConditionKind(), "For what share of the time is this so?", default=None)
    better: str | None = declare(
        Choice(("less", "more")), "Which way is better, in this scenario's eyes.", default=None
    )

    @property
    def events(self) -> EventPattern | None:
        """The events that it is about, None where it asks of what is so."""
        asked = (getattr(self, name) for name in OF_EVENTS)
        return next((pattern for pattern in asked if isinstance(pattern, EventPattern)), None)

    @property
    def condition(self) -> Condition | None:
        """What it asks whether, when or how long it is so, None where it is about events."""
        asked = (getattr(self, name) for name in QUESTIONS)
        return next((what for what in asked if isinstance(what, Condition)), None)


OF_EVENTS: Final = ("any", "count", "deaths", "first")
"""Questions about events, each with an `EventPattern`; `any` and `first` may also ask of what is the case."""
QUESTIONS: Final = (*OF_EVENTS, "share_of_time")


def _outcome(outcome: Outcome, reader: Reader, path: str) -> Iterator[Slip]:
    asked = [question for question in QUESTIONS if getattr(outcome, question) is not None]
    if not asked:
        yield Slip(None, "no question", f"one of {listed(QUESTIONS)}")
    for question in asked[1:]:
        yield Slip(question, f"a second question besides {asked[0]}", "one question; give the other a name of its own")


@dataclass(frozen=True)
class Deed:
    """An act that is made to happen."""

    who: str = declare(Reference("actor"), "Who acts.")
    does: str = declare(Reference("act"), "The act; some move must allow it.")
    to: str = declare(Reference("actor"), "To whom.")
    at: Quantity = declare(Moment(DURATION, least=0.0), "When, counted from the start of the run, or a date.")


@dataclass(frozen=True)
class Policy:
    """Whenever something has been the case for so long without a break, an act follows."""

    fact: Condition = declare(ConditionKind(), "What is the case.")
    stands: Quantity = declare(Amount(DURATION, above=0.0), "For how long without a break.")
    do: Forced = declare(ForcedKind(), "The act that follows, such as nato clears north_serbs.")


@dataclass(frozen=True)
class Intervention:
    """What if: named edits from a day on, acts that are made to happen, policies, actors taken out."""

    title: str = declare(SHORT, "The intervention in words.", default="")
    question: str = declare(LONG, "The question it answers.", default="")
    at: Quantity = declare(
        Moment(DURATION, least=0.0),
        "From when on, counted from the start of the run, or a date.",
        default=Quantity(0.0),
    )
    until: Quantity | None = declare(
        Moment(DURATION, above=0.0), "Until when: a duration or a date.", default=None, spoken="the end"
    )
    set: dict[str, Any] = declare(SettingsKind(), "Values to change, by key path, written as in this file.", default={})
    do: tuple[Deed, ...] = declare(
        Several(RecordKind(Deed, "deed"), distinct=False), "Acts that are made to happen.", default=()
    )
    whenever: tuple[Policy, ...] = declare(Several(RecordKind(Policy, "policy")), "Policies.", default=())
    remove: tuple[str, ...] = declare(
        Several(Reference("actor")), "Actors taken out: they do nothing more.", default=()
    )


def _intervention(item: Intervention, reader: Reader, path: str) -> Iterator[Slip]:
    if item.until is not None and float(item.until) <= float(item.at):
        yield Slip("until", f"{float(item.until):g} days, not after at", f"more than {float(item.at):g} days")


OUTCOME: Final = RecordKind(Outcome, "outcome", _outcome)
INTERVENTION: Final = RecordKind(Intervention, "intervention", _intervention)
