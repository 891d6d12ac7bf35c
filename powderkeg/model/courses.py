"""Courses: covariates as facts with a known path, one for all channels that share a course.

In: a `Scenario`, who acts on whom in each channel. Out: `Courses`: facts with a level for each value, when they turn,
and which of them each channel reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from powderkeg.errors import Fault, ModelError
from powderkeg.scenario import Covariate, Scenario
from powderkeg.scenario.covariates import MOST_VALUES, course

Levels = Mapping[str, tuple[float, ...]]
"""Covariate -> its values, in order: the levels of its facts."""


@dataclass(frozen=True)
class Courses:
    """S facts after the scenario's own.

    names    (S,);  values (S,) what each level is worth;  initial (S,) level on the first day
    turns    (day, fact counted from the first of these, level), in time order
    fact_of  covariate -> (acts,) fact that each channel reads
    levels   see `Levels`
    """

    names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    initial: tuple[int, ...]
    turns: tuple[tuple[float, int, int], ...]
    fact_of: Mapping[str, list[int]]
    levels: Levels


def make_courses(scenario: Scenario, pairs: list[tuple[str, str]], levels: Levels | None = None) -> Courses:
    """The courses of a scenario's covariates.

    pairs   (acts,) who acts on whom in each channel
    levels  those of the model that this one must be built like; by default all values that the scenario names

    Raises ModelError for a covariate of too many values, or of one that `levels` does not have.
    """
    names: list[str] = []
    values: list[tuple[float, ...]] = []
    initial: list[int] = []
    turns: list[tuple[float, int, int]] = []
    fact_of: dict[str, list[int]] = {}
    every: dict[str, tuple[float, ...]] = {}
    for name, one in scenario.covariates.items():
        known = _values(scenario, name, one) if levels is None else levels[name]
        every[name] = known
        whos, towards = {span.who for span in one.spans}, {span.towards for span in one.spans}
        groups: dict[tuple[str | None, str | None], int] = {}
        fact_of[name] = []
        for source, target in pairs:
            key = (source if source in whos else None, target if target in towards else None)
            if key not in groups:
                groups[key] = len(names)
                names.append(" ".join([name, *(f"({part})" for part in key if part is not None)]))
                values.append(known)
                path = [(day, _level(scenario, name, value, known)) for day, value in course(one, scenario.start, *key)]
                initial.append(path[0][1])
                turns += [(day, groups[key], level) for day, level in path[1:]]
            fact_of[name].append(groups[key])
    return Courses(tuple(names), tuple(values), tuple(initial), tuple(sorted(turns)), fact_of, every)


def known_days(scenario: Scenario) -> tuple[float, str]:
    """(days from the start on which all covariates that gates read are known, the one that ends first)."""
    read = {gate.with_ for gate in scenario.gates.values()}
    ends = [
        (float((one.known_until + timedelta(days=1) - scenario.start).days), name)
        for name, one in scenario.covariates.items()
        if one.known_until is not None and one.after is None and name in read
    ]
    return min(ends, default=(float(np.inf), ""))


def _values(scenario: Scenario, name: str, one: Covariate) -> tuple[float, ...]:
    """All values that it has, or that an intervention gives it."""
    found = {float(one.otherwise), *(float(value) for _, value in one.values), *(float(s.value) for s in one.spans)}
    found |= {float(one.after)} if one.after is not None else set()
    for intervention in scenario.interventions.values():
        for path, value in intervention.set.items():
            if path.startswith(f"covariates.{name}."):
                found |= _number(value)
    if len(found) > MOST_VALUES:
        raise ModelError(
            Fault.at(f"covariates.{name}", f"{len(found)} different values",
                  f"at most {MOST_VALUES}: rounded, or in steps, because gates are tabled by them")
        )  # fmt: skip
    return tuple(sorted(found))


def _number(value: Any) -> set[float]:
    with suppress(TypeError, ValueError):
        return {float(value["value"] if isinstance(value, Mapping) else value)}
    return set()


def _level(scenario: Scenario, name: str, value: float, known: tuple[float, ...]) -> int:
    if value not in known:
        raise ModelError(
            Fault.at(f"covariates.{name}", f"{value:g}, a value that the baseline does not have",
                  "one of " + ", ".join(f"{one:g}" for one in known) + "; name others in an intervention of the file")
        )  # fmt: skip
    return known.index(value)
