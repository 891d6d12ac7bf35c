"""Register: every number of a scenario that its model depends on, with its key path and its range.

In: a `Scenario`. Out: `Register`: the parameters in file order, and the index of each key path.
"""

from __future__ import annotations

from powderkeg.model.parts import Parameter, ParameterKind
from powderkeg.scenario import Quantity, Scenario

UNITS: dict[ParameterKind, str] = {"rate": "per day", "half_life": "days", "duration": "days"}


class Register:
    """Parameters by index, and their indices by key path."""

    def __init__(self, scenario: Scenario) -> None:
        self._parameters: list[Parameter] = []
        self._index: dict[str, int] = {}
        self._half_lives: dict[str, tuple[str, ...]] = {}
        for name, fact in scenario.facts.items():
            self._add(f"facts.{name}.lasts", "duration", fact.lasts)
            self._add(f"facts.{name}.comes", "rate", fact.comes)
        for name, profile in scenario.profiles.items():
            for day, factor in profile.steps:
                self._add(f"profiles.{name}.steps.{day.isoformat()}", "step", factor)
            self._add(f"profiles.{name}.season.swing", "swing", profile.season.swing if profile.season else None)
        for name, move in scenario.moves.items():
            self._add(f"moves.{name}.rate", "rate", move.rate)
            for source, row in move.times.items():
                for target, times in row.items():
                    self._add(f"moves.{name}.times.{source}.{target}", "times", times)
            for effect in move.effects:
                self._add(f"moves.{name}.sets.{effect.fact}.{effect.level}", "probability", effect.probability)
        for name, mechanism in scenario.mechanisms.items():
            self._add(f"mechanisms.{name}.answers", "answers", mechanism.answers)
            count = len(mechanism.half_lives)
            paths = [f"mechanisms.{name}.half_life"]
            if count > 1:
                paths = [f"mechanisms.{name}.half_lives.{number}" for number in range(1, count + 1)]
            self._half_lives[name] = tuple(paths)
            for path, part in zip(paths, mechanism.half_lives, strict=True):
                self._add(path, "half_life", part.days)
        for name, gate in scenario.gates.items():
            self._add(f"gates.{name}.factor", "factor", gate.factor)
        for name, calm in scenario.calms.items():
            self._add(f"calms.{name}.strength", "strength", calm.strength)
            self._add(f"calms.{name}.half_life", "half_life", calm.half_life)

    def __getitem__(self, path: str) -> int:
        return self._index[path]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(self._parameters)

    def half_lives(self, mechanism: str) -> tuple[str, ...]:
        """Key paths of the half-lives of a mechanism, in order."""
        return self._half_lives[mechanism]

    def _add(self, path: str, kind: ParameterKind, quantity: Quantity | None) -> None:
        if quantity is None or path in self._index:
            return
        self._index[path] = len(self._parameters)
        self._parameters.append(
            Parameter(
                path,
                kind,
                quantity.value,
                quantity.low,
                quantity.high,
                UNITS.get(kind, ""),
                quantity.guess,
                quantity.source,
            )
        )
