"""What can be changed in a scenario, and how is it changed by key path?

In: a Scenario and key paths. Out: another Scenario, checked like the file. The same edit serves `--set`, interventions,
fitted values, sweeps and the levers of the web page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from powderkeg.errors import Fault, ScenarioError, UsageError, as_found
from powderkeg.reading import (
    BROKEN,
    ByName,
    EditablePlace,
    Kind,
    Quantity,
    Reader,
    Wrong,
    alphabetical,
    declared,
    listed,
    tree_of,
)
from powderkeg.scenario.checks import nearest_path
from powderkeg.scenario.declared import SCENARIO, Scenario
from powderkeg.scenario.files import Given, scenario_of


def paths(scenario: Given) -> dict[str, Any]:
    """Key path -> value of everything that `edit` can change: quantities, levels, dates, whether a tie holds.

    A value that is optional and not given is None.
    """
    return {place.path: place.value for place in SCENARIO.places(scenario_of(scenario))}


def edit(scenario: Given, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with other values at some key paths.

    changes  key path -> value: text as written in a file ("3 days"), a mapping {value, range, source, guess}, a
             Quantity, true or false, or a number in the unit used inside (days, per day)

    A new value has no source and is no guess unless it says so: it was set by hand.
    Raises UsageError if there is no such path, with the nearest one, and ScenarioError if a value does not fit.
    """
    scenario = scenario_of(scenario)
    given: object = changes
    if not isinstance(given, Mapping):
        expected = "a mapping such as {'mechanisms.retaliation.answers': 0.5}"
        raise UsageError(Fault.at("changes", as_found(given), expected))
    places = {place.path: place for place in SCENARIO.places(scenario)}
    changes = {_full(str(path), places): value for path, value in changes.items()}
    reader = Reader()
    reader.names["source"] = dict.fromkeys(scenario.sources)
    reader.data["start"] = scenario.start
    unknown = [
        Fault.at(path, "unknown key path", _expected(places, path), nearest_path(path, places, reader))
        for path in changes
        if path not in places
    ]
    if unknown:
        raise UsageError(unknown)
    values = {path: _value(places[path], value, reader) for path, value in changes.items()}
    if reader.faults:
        raise ScenarioError(reader.faults)
    return _applied(scenario, values)


def _applied(scenario: Scenario, values: Mapping[str, Any]) -> Scenario:
    """All values put in, section by section and thing by thing: a thing is looked through only for its own changes."""
    made: dict[str, Any] = {}
    for field in declared(Scenario):
        changes = _below(field.key, values)
        if not changes:
            continue
        kind, one = field.rule.kind, getattr(scenario, field.name)
        assert isinstance(kind, Kind)
        if isinstance(kind, ByName):
            things = {
                name: _put(kind.of, thing, _below(name, changes), f"{field.key}.{name}") for name, thing in one.items()
            }
            made[field.name] = things
        else:
            made[field.name] = _put(kind, one, changes, field.key)
    return replace(scenario, **made)


def _below(key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The changes below a key, by the rest of their paths; "" for the key itself."""
    return {path[len(key) + 1 :]: value for path, value in values.items() if path == key or path.startswith(f"{key}.")}


MOST_ROUNDS = 200
"""Times that changes which move each other are put in again."""
ALIKE = 1e-14
"""Difference of two shares from which they are not the same."""


def _put(kind: Kind, thing: Any, changes: dict[str, Any], where: str) -> Any:
    """A thing with its changes, all of them as they were given.

    To change one share of a whole moves the others, which may be others that were given: they are put in again until
    all stand. Raises ScenarioError where they never do.
    """
    for _ in range(MOST_ROUNDS):
        thing = _put_each(kind, thing, dict(changes), where)
        moved = _moved(kind, thing, changes) if len(changes) > 1 else []
        if not moved:
            return thing
    raise ScenarioError(
        Fault.at(f"{where}.{path}", "a share beside others with which it cannot be one whole",
              "shares that sum to 1, or leave something to those that are not given")
        for path in moved
    )  # fmt: skip


def _moved(kind: Kind, thing: Any, changes: Mapping[str, Any]) -> list[str]:
    """Which of the changes do not stand as they were given."""
    found = {place.path: place.value for place in kind.places(thing)}
    return [
        path
        for path, value in changes.items()
        if isinstance(value, Quantity) and isinstance(now := found.get(path), Quantity)
        and abs(now.value - value.value) > ALIKE * max(1.0, abs(value.value))
    ]  # fmt: skip


def _put_each(kind: Kind, thing: Any, changes: dict[str, Any], where: str) -> Any:
    """The changes one by one. One may only fit once another is in, so those that do not fit are tried again."""
    while changes:
        refused: dict[str, Wrong] = {}
        before = len(changes)
        for path, value in list(changes.items()):
            place = next(place for place in kind.places(thing) if place.path == path)
            try:
                thing = place.rebuild(value)
            except Wrong as wrong:
                refused[path] = wrong
                continue
            del changes[path]
        if len(changes) == before:
            raise ScenarioError(
                Fault.at(f"{where}.{path}" if path else where, wrong.found, wrong.expected, wrong.nearest)
                for path, wrong in refused.items()
            )
    return thing


def _value(place: EditablePlace, value: Any, reader: Reader) -> Any:
    """A value as its place holds it. Faults go to the reader."""
    if isinstance(value, Quantity):
        ends = None if value.low is None else [value.low, value.high]
        value = {"value": value.value, "range": ends, "source": value.source, "guess": value.guess}
    if isinstance(value, str) and not value.strip():
        reader.tell(place.path, None, "nothing", place.kind.words)
        return BROKEN
    return reader.read(place.kind, tree_of(value), place.path)


def _full(path: str, known: Mapping[str, EditablePlace]) -> str:
    """`moves.blocks.sets.roadblock` is short for `moves.blocks.sets.roadblock.on` if that is the only level it sets."""
    longer = [one for one in known if one.startswith(f"{path}.")] if ".sets." in path and path not in known else []
    return longer[0] if len(longer) == 1 else path


def _expected(known: Mapping[str, EditablePlace], path: str) -> str:
    """What may stand where a path leaves the known ones."""
    around = path
    while around and not any(one.startswith(f"{around}.") for one in known):
        around = around.rpartition(".")[0]
    begin = f"{around}." if around else ""
    after = dict.fromkeys(one[len(begin) :].split(".")[0] for one in known if one.startswith(begin))
    if len(after) == 1:
        return f"{begin}{next(iter(after))}"
    return f"{begin}NAME, where NAME is one of {listed(alphabetical(after))}"
