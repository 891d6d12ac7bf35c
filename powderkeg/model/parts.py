"""What a compiled model is: the arrays, and the name of everything in them.

In: nothing. Out: `Model`, `Channel`, `Parameter`. `compiling` fills them from a scenario, `plain` from bare arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.showing import ShowsItself
from powderkeg.wording import counted

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario

ParameterKind = Literal[
    "rate", "answers", "half_life", "factor", "strength", "duration", "probability", "step", "swing", "times"
]


@dataclass(frozen=True, slots=True)
class Channel:
    """One act in one dyad, or a fact that changes by itself.

    kind    "act": source does act to target by this move. "expire": the fact runs out. "arise": it comes by itself
    source  actor, None where kind is not "act"
    target  actor, None where kind is not "act"
    move    the move that the channel is of, None where kind is not "act"
    fact    the fact that changes by itself, None where kind is "act"
    """

    source: str | None
    act: str
    target: str | None
    move: str | None = None
    fact: str | None = None
    kind: Literal["act", "expire", "arise"] = "act"

    def __str__(self) -> str:
        if self.kind != "act":
            return f"{self.fact} {'runs out' if self.kind == 'expire' else 'comes up'}"
        return " ".join(part for part in (self.source, self.act, self.target) if part)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of the scenario that the arrays were filled from.

    path   its key path, as in `mechanisms.retaliation.answers`
    kind   what it does in the model
    value  in days, per day, or as a fraction
    low    range, None where the scenario gives none
    high   range
    unit   "per day", "days" or "" where it is a bare number
    guess  the scenario says that nobody knows
    source where it comes from, as the scenario names it
    """

    path: str
    kind: ParameterKind
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    guess: bool = False
    source: str | None = None


@dataclass(frozen=True, eq=False)
class Model(ShowsItself):
    """A scenario as arrays, with labels and key paths of every cell.

    scenario          what it was compiled from, None where it came from bare arrays
    system            the arrays, see `engine.arrays.System`; C channels, E edges, M mechanisms, S facts
    channels          (C,) the first `n_acts` are acts, the rest facts that change by themselves
    n_acts            number of channels that are acts
    mechanisms        (M,) names by index
    facts             (S,) names by index: facts in file order, then ties
    levels            (S,) level names of each fact
    n_own_facts       number of facts that are not ties
    parameters        every number of the scenario that the arrays depend on
    rate_parameter    (C,) parameter a channel's rate comes from, -1 if none
    times_parameter   (C,) parameter that multiplies a channel's rate, -1 if none; None where no pair has a factor
    edge_parameter    (E,) parameter with the answers that scale an edge, -1 if none
    edge_weight       (E,) mass of an edge per unit of answers: edge_mass = answers * edge_weight
    kernel_parameter  (K,) parameter with the half-life behind a decay, -1 if none
    kernel_times      (K,) decay of each component as a multiple of ln 2 / half-life; None where all are 1
    factor_parameter  (len level_factor,) parameter a gate's factor comes from, -1 for guards and ties
    other_parameters  the same for other arrays of the system, by their names: durations, probabilities, profiles, calms
    heat              (C,) hostility of one act, 0 where it is not hostile
    hurts             (C,) 0 nobody, 1 injury, 2 death
    goldstein         (C,) Goldstein weight, nan where the act has none
    counted           (C,) both sides are among those whose standoffs are counted
    opens             (C,) the act puts a new bone of contention on the table
    resolves          (C,) the act takes it away
    suspends          (C,) the act freezes it
    stands_for        (C,) how many channels each stands for, None where each is itself: see `restricted`
    factor_power      (len level_factor,) power of the parameter in each cell; None where all are 1
    known_days        days from the start on which all covariates are known; known_by: the one that is known least long
    covariate_levels  covariate -> its values, the levels of its facts
    part_of           (M,) mechanism of the scenario that each is a part of, by number; None where each is whole
    """

    scenario: Scenario | None
    system: System
    channels: tuple[Channel, ...]
    n_acts: int
    mechanisms: tuple[str, ...]
    facts: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    n_own_facts: int
    parameters: tuple[Parameter, ...]
    rate_parameter: Ints
    edge_parameter: Ints
    edge_weight: Floats
    kernel_parameter: Ints
    factor_parameter: Ints
    heat: Floats
    hurts: Ints
    goldstein: Floats
    counted: NDArray[np.bool_]
    opens: NDArray[np.bool_]
    resolves: NDArray[np.bool_]
    suspends: NDArray[np.bool_]
    other_parameters: Mapping[str, Ints] = field(default_factory=dict)
    stands_for: Ints | None = None
    times_parameter: Ints | None = None
    factor_power: Floats | None = None
    known_days: float = np.inf
    known_by: str = ""
    covariate_levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    part_of: Ints | None = None
    kernel_times: Floats | None = None

    def __repr__(self) -> str:
        name = self.scenario.name if self.scenario is not None else "bare arrays"
        system = self.system
        stands = "" if self.stands_for is None else f" standing for {self.stands_for.sum():,}"
        return (
            f"Model({name}: {counted(self.n_acts, 'channel')}{stands}, {counted(system.n_edges, 'edge')}, "
            f"{counted(system.n_mechanisms, 'mechanism')}, {counted(system.n_facts, 'fact')})"
        )

    @property
    def n_channels(self) -> int:
        return len(self.channels)

    def must_be_whole(self, what: str) -> None:
        """Raises UsageError for a model in which one channel stands for many; `what` it was to be, as "simulated"."""
        if self.stands_for is not None:
            raise UsageError(
                Fault.of(
                    f"a model of the channels that occur in events, which cannot be {what}",
                    "a scenario with fewer actors, compiled whole: of channels that never occurred only the number is "
                    "known",
                )
            )  # fmt: skip

    def must_be_known(self, days: float, what: str) -> None:
        """Raises UsageError where a covariate ends before `days` after the start; `what` ends then, as "the run"."""
        if days <= self.known_days + 1e-9 or self.scenario is None:
            return
        covariate = self.scenario.covariates[self.known_by]
        ends = self.scenario.start + timedelta(days=math.ceil(days) - 1)
        raise UsageError(
            Fault.at(
                f"covariates.{self.known_by}.known_until",
                f"{covariate.known_until}, but {what} goes on until {ends}",
                f"its values up to then; or `after`, what it is taken to be; or {what} that ends before",
            )
        )  # fmt: skip

    def channel(self, source: str | None, act: str, target: str | None) -> int:
        """Index of one act in one dyad. Raises UsageError, with the nearest one, if no move gives it."""
        wanted = Channel(source, act, target)
        for index, channel in enumerate(self.channels[: self.n_acts]):
            if (channel.source, channel.act, channel.target) == (source, act, target):
                return index
        near = nearest_name(str(wanted), [str(channel) for channel in self.channels[: self.n_acts]])
        raise UsageError(Fault.of(f"no channel '{wanted}'", "an act that a move allows", near))

    def fact(self, name: str) -> int:
        """Index of a fact or tie. Raises UsageError, with the nearest name."""
        if name not in self.facts:
            raise UsageError(Fault.of(f"unknown fact {name!r}", "a fact or tie", nearest_name(name, self.facts)))
        return self.facts.index(name)

    def levels_of(self, state: Mapping[str, str] | Ints | None = None) -> Ints:
        """A state as (S,) level indices: None is the initial state, a mapping changes it fact by fact.

        Raises UsageError if a fact or level is unknown.
        """
        if state is None:
            return self.system.initial_level.copy()
        if not isinstance(state, Mapping):
            levels = np.asarray(state, dtype=np.int64)
            if levels.shape != (self.system.n_facts,):
                raise UsageError(f"a state of shape {levels.shape}; expected one level for each of {self.facts}")
            return levels
        levels = self.system.initial_level.copy()
        for name, level in state.items():
            index = self.fact(name)
            if level not in self.levels[index]:
                known = ", ".join(self.levels[index])
                nearest = nearest_name(str(level), self.levels[index])
                raise UsageError(Fault.at(name, f"unknown level {level!r}", f"one of {known}", nearest))
            levels[index] = self.levels[index].index(level)
        return levels

    def state_names(self, levels: Ints) -> dict[str, str]:
        """The reverse of `levels_of`, for facts; a tie is named only where it is not as it was at the start."""
        return {
            name: self.levels[index][levels[index]]
            for index, name in enumerate(self.facts)
            if index < self.n_own_facts or levels[index] != self.system.initial_level[index]
        }
