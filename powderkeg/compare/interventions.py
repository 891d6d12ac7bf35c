"""What does an intervention change, from which day to which, and what does that make of the model?

In: a model and named interventions. Out: an `engine.worlds.World` over that model, so that both share every draw.
An intervention is a set of edits by key path (the same edit as `--set`), acts that are made to happen, policies that
act whenever something has stood for a while, and actors taken out. Several at once make one world; where two of them
want different values at one path on the same day, that is a fault, not a matter of order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from powderkeg.compare.leaving import JOINT, Change, change_of, find
from powderkeg.engine.arrays import Ints, System
from powderkeg.engine.worlds import ForcedAct, Phase, StandingPolicy, World, silenced, world
from powderkeg.errors import Fault, ModelError, PowderkegError, UsageError, Words, argument, nearest_name
from powderkeg.model import Model, filled
from powderkeg.model.compiling import compile_scenario
from powderkeg.scenario import Forced, Intervention, Scenario, edit
from powderkeg.scenario.shares import LEAST_BUILD_UP
from powderkeg.wording import percent

WITHOUT = re.compile(r"without\s+(.+)")
EDIT = re.compile(r"(?:^|\+)\s*([^\s=+]+)\s*=")
"""The path of a change in `path=value + path=value`; a `+` within a value, as in 1e+3, is none between two."""


@dataclass(frozen=True)
class Named:
    """One or more interventions that make one world, under the name it was asked for by.

    leaves  section and name of what is taken out from the first day on
    """

    name: str
    parts: tuple[tuple[str, Intervention], ...]
    leaves: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        left_out = [f"without {name.replace('_', ' ')}" for _, name in self.leaves]
        return " and ".join([*(part.title or name for name, part in self.parts), *left_out])

    @property
    def only_sets(self) -> dict[str, Any]:
        """The values that it sets, if that is all it does; else nothing."""
        if self.leaves or any(part.do or part.whenever or part.remove for _, part in self.parts):
            return {}
        return self.all_sets

    @property
    def all_sets(self) -> dict[str, Any]:
        """The values that it sets, whatever else it does."""
        return {path: value for _, part in self.parts for path, value in part.set.items()}

    @property
    def question(self) -> str:
        return " ".join(part.question for _, part in self.parts if part.question)


def choose(scenario: Scenario, names: Iterable[str], as_typed: bool = False) -> tuple[Named, ...]:
    """The interventions of these names, or of one; `a+b` is both at once.

    as_typed  also what the scenario does not foresee: `path=value` (more of them with + between), `without X`

    Raises UsageError, with the nearest name, for one that the scenario does not have or that is asked for twice.
    """
    chosen, faults, seen = [], [], set()
    for name in [names] if isinstance(names, str) else names:
        if name in seen:
            faults.append(Fault.at("interventions", f"{name!r} asked for twice", "each intervention once"))
        elif as_typed and ("=" in name or WITHOUT.fullmatch(name.strip())):
            try:
                chosen.append(_as_typed(scenario, name))
            except UsageError as error:
                faults += error.faults
        else:
            found = _named(scenario, name, as_typed)
            chosen += [found] if isinstance(found, Named) else []
            faults += [] if isinstance(found, Named) else found
        seen.add(name)
    if faults:
        raise UsageError(faults)
    return tuple(chosen)


def _named(scenario: Scenario, name: str, as_typed: bool) -> Named | list[Fault]:
    parts = tuple(part.strip() for part in name.split(JOINT))
    unknown = [part for part in parts if part not in scenario.interventions]
    known = f"one of {', '.join(scenario.interventions)}" if scenario.interventions else "none: the scenario has none"
    expected = Words(known, ", or ", ELSE) if as_typed else known
    faults = [
        Fault.at("interventions", f"unknown intervention {part!r}", expected,
              nearest_name(part, scenario.interventions))
        for part in unknown
    ]  # fmt: skip
    if len({*parts}) < len(parts):
        faults.append(Fault.at("interventions", f"{name!r} asked for twice", "each intervention once"))
    return faults or Named(name, tuple((part, scenario.interventions[part]) for part in parts))


ELSE = Words(argument("interventions", "PATH=VALUE"), " or ", argument("interventions", "without X"))
"""What can be asked for that a scenario does not foresee."""


def for_example(scenario: Scenario) -> str:
    """Something of the scenario that could be left out, as the end of a message; "" where it has no mechanism."""
    name = next(iter(scenario.mechanisms), None)
    return "" if name is None else f"; X may be {name}"


def _as_typed(scenario: Scenario, name: str) -> Named:
    """One that the scenario does not foresee: values at key paths, or something left out."""
    if found := WITHOUT.fullmatch(name.strip()):
        leaves = tuple(find(scenario, one.strip()) for one in found[1].split(JOINT))
        return Named(name, (), tuple((section, own) for section, (own,) in leaves))
    made = edits(name)
    title = " and ".join(f"{path} = {value}" for path, value in made.items())
    return Named(name, ((name, Intervention(title=title, set=made)),))


def edits(text: str) -> dict[str, str]:
    """Key path -> value of `path=value`, several with `+` between. Raises UsageError for what is no such pair."""
    found = [*EDIT.finditer(text)]
    starts = [one.start() for one in found]
    pairs = [
        (one[1], text[one.end() : end].strip())
        for one, end in zip(found, [*starts[1:], len(text)][: len(found)], strict=True)
    ]
    if not pairs or found[0].start() or not all(value for _, value in pairs):
        raise UsageError(Fault.at("with", f"{text!r}", "PATH=VALUE, such as ties.kfor_presence.holds=false"))
    if len({path for path, _ in pairs}) < len(pairs):
        raise UsageError(Fault.at("with", f"{text!r} sets a path twice", "each path once"))
    return dict(pairs)


def intervene(model: Model, named: Named, days: float) -> World:
    """The world in which these interventions are made, over the model as baseline. Raises as `plan` does."""
    return plan(model, named, days).world(model.system)


@dataclass(frozen=True)
class Turn:
    """From day `at` on: the edits that are in force, and the channels that are idle.

    system  the arrays at the scenario's own numbers; None where nothing is edited
    values  the edited numbers by key path
    plain   the edits are numbers and levels, so that the arrays can be filled anew instead of compiled
    """

    at: float
    system: System | None
    changes: Mapping[str, Any]
    values: Mapping[str, float]
    plain: bool
    idle: Ints


@dataclass(frozen=True)
class Plan:
    """What interventions do to a model, worked out once, to be made over other numbers of the same scenario too."""

    model: Model
    named: Named
    turns: tuple[Turn, ...]
    acts: tuple[ForcedAct, ...]
    policies: tuple[StandingPolicy, ...]
    leaves: tuple[Change, ...] = ()

    def world(self, base: System, values: Mapping[str, float] | None = None, follow: bool = True) -> World:
        """The world over `base`, the model's arrays filled with `values`: what is edited stays edited.

        follow  whether facts with a known path follow it

        Raises UsageError where an edit would need other channels or links than the baseline has.
        """
        phases = tuple(
            self._phase(self._system(turn, base, values or {}), turn.at, is_first=number == 0)
            for number, turn in enumerate(self.turns)
        )
        try:
            return world(base, phases, self.acts, self.policies, follow=follow)
        except ValueError as error:
            raise UsageError(
                Fault.at(f"interventions.{self.named.name}", f"changes what is linked to what: {error}",
                      "edits of values; to link what the baseline does not, declare it there and switch it off")
            ) from error  # fmt: skip

    def _phase(self, system: System, at: float, is_first: bool) -> Phase:
        levels: tuple[tuple[int, int], ...] = ()
        for change in self.leaves:
            system, more = change(system)
            levels += more
        return Phase(at, system, levels if is_first else ())

    def _system(self, turn: Turn, base: System, values: Mapping[str, float]) -> System:
        system = base
        if turn.system is not None:
            if not values:
                system = turn.system
            elif turn.plain:
                system = filled(self.model, {**values, **turn.values})
                system = system._replace(
                    initial_level=turn.system.initial_level, turn_time=turn.system.turn_time,
                    turn_fact=turn.system.turn_fact, turn_level=turn.system.turn_level,
                )  # fmt: skip
            else:
                assert self.model.scenario is not None
                edited = edit(self.model.scenario, {**values, **turn.changes})
                system = compile_scenario(edited, levels=self.model.covariate_levels).system
        return silenced(system, turn.idle) if len(turn.idle) else system


def plan(model: Model, named: Named, days: float) -> Plan:
    """What these interventions come to in this model.

    days  length of the run: whatever begins after it does not apply, which is a fault

    Raises UsageError, with every fault at once: a path that the scenario does not have, a day after the end, an act
    that no move allows, two interventions that contradict each other, an edit that would need other channels or links
    than the baseline has.
    """
    if model.scenario is None:
        raise ModelError("a model made from bare arrays has no key paths to change")
    faults = [*_too_late(named, days), *contradictions(named)]
    acts = [
        ForcedAct(float(deed.at), _channel(model, f"{name}.do", deed.who, deed.does, deed.to, faults))
        for name, part in named.parts
        for deed in part.do
    ]
    policies = [
        _policy(model, name, part, policy.fact, float(policy.stands), policy.do, faults)
        for name, part in named.parts
        for policy in part.whenever
    ]
    turns = []
    for at in _turns(named, days):
        try:
            turns.append(_turn(model, model.scenario, named, at))
        except UsageError as error:
            faults += [fault for fault in error.faults if fault not in faults]
    if faults:
        raise UsageError(faults)
    leaves = tuple(change_of(model, section, name) for section, name in named.leaves)
    made = Plan(model, named, tuple(turns), tuple(acts), tuple(policies), leaves)
    made.world(model.system)
    return made


def _until(part: Intervention) -> float:
    return np.inf if part.until is None else float(part.until)


def _turns(named: Named, days: float) -> list[float]:
    """Days on which some edit or removal begins or ends."""
    of_state = [part for _, part in named.parts if part.set or part.remove]
    turns = {float(part.at) for part in of_state} | {_until(part) for part in of_state}
    turns |= {0.0} if named.leaves else set()
    return sorted(turn for turn in turns if turn < days)


def _turn(model: Model, scenario: Scenario, named: Named, at: float) -> Turn:
    active = [(name, part) for name, part in named.parts if float(part.at) <= at < _until(part)]
    changes = {path: value for _, part in active for path, value in part.set.items()}
    removed = {actor for _, part in active for actor in part.remove}
    idle = np.array([c for c in range(model.n_acts) if model.channels[c].source in removed], dtype=np.int64)
    if not changes:
        return Turn(at, None, {}, {}, True, idle)
    where = f"interventions.{named.name}.set" if scenario.interventions.keys() & dict(named.parts).keys() else ""
    try:
        changed = compile_scenario(edited := edit(scenario, changes), levels=model.covariate_levels)
        _build_ups_stay(scenario, edited)
    except PowderkegError as error:
        raise UsageError(
            Fault.at(".".join(part for part in (where, fault.path) if part), fault.found, fault.expected,
                  fault.nearest)
            for fault in error.faults
        ) from error  # fmt: skip
    before = {parameter.path: parameter.value for parameter in model.parameters}
    values = {
        parameter.path: parameter.value
        for parameter in changed.parameters
        if parameter.path in before and (parameter.path in changes or parameter.value != before[parameter.path])
    }
    system = changed.system
    again = filled(model, values)._replace(
        initial_level=system.initial_level, turn_time=system.turn_time, turn_fact=system.turn_fact,
        turn_level=system.turn_level,
    )  # fmt: skip
    plain = all(np.array_equal(one, other) for one, other in zip(again, system, strict=True))
    return Turn(at, system, changes, values, plain, idle)


def _build_ups_stay(before: Scenario, after: Scenario) -> None:
    """Raises UsageError where answers begin or cease to build up: within a run each keeps its number of waits."""
    faults = []
    for name, one in before.mechanisms.items():
        was, now = float(one.build_up), float(after.mechanisms[name].build_up)
        if (was > 0.0) == (now > 0.0):
            continue
        least = percent(LEAST_BUILD_UP)
        expected = (
            f"{least} or more: what builds up can come sooner in a run, but not at once"
            if was > 0.0
            else f"0, or build_up: {least} or more in the scenario itself, from which an intervention can go on"
        )
        faults.append(Fault.at(f"mechanisms.{name}.build_up", percent(now), expected))
    if faults:
        raise UsageError(faults)


def _policy(
    model: Model, name: str, part: Intervention, condition: Any, stands: float, do: Forced, faults: list[Fault]
) -> StandingPolicy:
    fact, level = condition
    index = model.fact(fact)
    levels = tuple(range(1, len(model.levels[index]))) if level is None else (model.levels[index].index(level),)
    channel = _channel(model, f"{name}.whenever", do.who, do.does, do.to, faults)
    return StandingPolicy(index, levels, stands, channel, float(part.at), _until(part))


def _channel(model: Model, name: str, who: str, does: str, to: str, faults: list[Fault]) -> int:
    try:
        return model.channel(who, does, to)
    except UsageError as error:
        faults += [
            Fault.at(f"interventions.{name}", fault.found, fault.expected, fault.nearest) for fault in error.faults
        ]
        return 0


def _too_late(named: Named, days: float) -> list[Fault]:
    faults = []
    for name, part in named.parts:
        if float(part.at) >= days:
            faults.append(
                Fault.at(f"interventions.{name}.at", f"day {float(part.at):g}, after the end",
                      f"less than {days:g} days, the length of the run")
            )  # fmt: skip
        for number, deed in enumerate(part.do, 1):
            if float(deed.at) >= days:
                faults.append(
                    Fault.at(f"interventions.{name}.do.{number}.at", f"day {float(deed.at):g}, after the end",
                          f"less than {days:g} days, the length of the run")
                )  # fmt: skip
    return faults


def contradictions(named: Named) -> list[Fault]:
    """A fault for each thing that two of these interventions want to be different at once."""
    faults = []
    for i, (one, first) in enumerate(named.parts):
        for other, second in named.parts[i + 1 :]:
            together = max(float(first.at), float(second.at)) < min(_until(first), _until(second))
            where = f"interventions.{one}{JOINT}{other}"
            if together:
                faults += [
                    Fault.at(where,
                          f"{path} cannot be {first.set[path]} ({one}) and {second.set[path]} ({other}) at once",
                          "interventions that agree, or that do not overlap in time")
                    for path in first.set.keys() & second.set.keys()
                    if first.set[path] != second.set[path]
                ]  # fmt: skip
            faults += [*_asks_the_removed(where, one, first, second), *_asks_the_removed(where, other, second, first)]
        faults += _asks_the_removed(f"interventions.{one}", one, first, first)
    return faults


def _asks_the_removed(where: str, remover: str, removing: Intervention, acting: Intervention) -> Iterable[Fault]:
    """An act forced on an actor that is out at that time."""
    forced: Sequence[tuple[str, str, float, float]] = [
        *((deed.who, deed.does, float(deed.at), float(deed.at)) for deed in acting.do),
        *((policy.do.who, policy.do.does, float(acting.at), _until(acting)) for policy in acting.whenever),
    ]
    for who, does, since, until in forced:
        if who in removing.remove and since < _until(removing) and until >= float(removing.at):
            yield Fault.at(where, f"{who} is taken out ({remover}) and yet to {does}", "one or the other")
