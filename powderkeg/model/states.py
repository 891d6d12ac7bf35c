"""States: facts and ties as numbered levels, and what the conditions of a scenario ask of them.

In: a `Scenario`. Out: `States`: names, levels and initial levels by index (facts in file order, then ties), and
conditions as levels and as guards.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from powderkeg.model.courses import Courses
from powderkeg.model.gates import Entry, GateTable
from powderkeg.scenario import TIE_LEVELS, Condition, Scenario


class States:
    """Facts and ties by index."""

    def __init__(self, scenario: Scenario) -> None:
        self.n_said = len(scenario.facts) + len(scenario.ties)
        self.names: tuple[str, ...] = (*scenario.facts, *scenario.ties)
        self.number = {name: index for index, name in enumerate(self.names)}
        self.levels: tuple[tuple[str, ...], ...] = (
            *(fact.levels for fact in scenario.facts.values()),
            *(TIE_LEVELS for _ in scenario.ties),
        )
        self.initial = np.array(
            [
                *(fact.levels.index(fact.starts) for fact in scenario.facts.values()),
                *(int(tie.holds) for tie in scenario.ties.values()),
            ],
            dtype=np.int64,
        )

    def follow(self, courses: Courses) -> None:
        """Add the facts that covariates are."""
        self.names = (*self.names, *courses.names)
        self.levels = (*self.levels, *(tuple(f"{value:g}" for value in values) for values in courses.values))
        self.initial = np.concatenate([self.initial, np.array(courses.initial, np.int64)])

    def level(self, fact: str, level: str) -> int:
        """Index of a level."""
        return self.levels[self.number[fact]].index(level)

    def condition(self, condition: Condition) -> tuple[int, tuple[int, ...]]:
        """A condition as (fact, levels at which it is so); without a level, all but the first."""
        number = self.number[condition.fact]
        if condition.level is None:
            return number, tuple(range(1, len(self.levels[number])))
        return number, (self.levels[number].index(condition.level),)

    def guards(self, needs: Iterable[Condition], forbids: Iterable[Condition], gates: GateTable) -> list[Entry]:
        """Entries that are 0 wherever a needed condition is not so, or a forbidden one is."""
        entries = [gates.guard(*self.condition(condition)) for condition in needs]
        for condition in forbids:
            number, levels = self.condition(condition)
            entries.append(gates.guard(number, set(range(len(self.levels[number]))) - set(levels)))
        return entries
