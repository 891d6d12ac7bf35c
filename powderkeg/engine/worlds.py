"""Worlds: a system, and what is different in it from when on.

In: a baseline `System`; phases with other numbers, acts put in by hand, policies that react, a past to start from.
Out: a `World`, which `tables` turns into what the simulation reads. Two worlds over one baseline share every draw
where they agree: see `proposals`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System

STRUCTURE = (
    "level_start", "profile", "background_gate", "channel_gate", "profile_start", "edge_start", "edge_target",
    "edge_mechanism", "edge_gate", "kernel_start", "row_start", "entry_fact", "entry_offset", "effect_start",
    "effect_fact", "effect_level", "timer_start", "timer_is_fixed", "timer_channel", "calm_add_start",
    "calm_add_index", "calm_low_start", "calm_low_index",
)  # fmt: skip
"""Fields of a `System` that all phases of a world must share; every other field may change from phase to phase."""


class Phase(NamedTuple):
    """From `at` on the numbers are those of `system`, and at `at` the facts in `levels` are set.

    levels  (fact, level) pairs; setting a fact to the level it stands at changes nothing
    """

    at: float
    system: System
    levels: tuple[tuple[int, int], ...] = ()


class ForcedAct(NamedTuple):
    """An act that happens at `at`, whatever the state: forced, without a parent, with its effects and its offspring."""

    at: float
    channel: int


class StandingPolicy(NamedTuple):
    """Each time `fact` has been at one of `levels` for `days` without a break, `channel` fires, once.

    It acts within [start, end): what has stood long enough when the policy starts makes it fire then.
    """

    fact: int
    levels: tuple[int, ...]
    days: float
    channel: int
    start: float = -np.inf
    end: float = np.inf


class World(NamedTuple):
    """See `world`."""

    base: System
    phases: tuple[Phase, ...]
    acts: tuple[ForcedAct, ...]
    policies: tuple[StandingPolicy, ...]
    layers: int


class Past(NamedTuple):
    """What happened before the simulated window: the window begins at `begin`, all times are before it.

    time, channel  (N,) in time order
    complete       True: the events include what timers did (a simulated past). False: timers run during the past
                   and fire there unseen, differently in every replicate (an observed past: nobody reports that a
                   fact ran out)
    """

    begin: float
    time: Floats
    channel: Ints
    complete: bool = False


def world(
    base: System,
    phases: tuple[Phase, ...] = (),
    acts: tuple[ForcedAct, ...] = (),
    policies: tuple[StandingPolicy, ...] = (),
    layers: int = 0,
    follow: bool = True,
) -> World:
    """A world over `base`; without further arguments the baseline itself.

    A phase whose system starts a fact at another level than the phase before it sets that fact when it begins.
    Facts with a known path follow it, each phase that of its own system, unless `follow` is False.
    `layers` asks for at least so many layers on every edge: more work, the same events (for tests).
    Raises ValueError if a phase's system is not built like `base`, naming the field.
    """
    for phase in phases:
        for name in STRUCTURE:
            if not np.array_equal(getattr(phase.system, name), getattr(base, name)):
                raise ValueError(f"the system of the phase at day {phase.at:g} has another {name} than the baseline")
    resolved = [Phase(-np.inf, base)]
    known = known_facts([base, *(phase.system for phase in phases)])
    for phase in sorted(phases, key=lambda phase: phase.at):
        before, now = resolved[-1].system.initial_level, phase.system.initial_level
        turned = tuple((int(s), int(now[s])) for s in np.flatnonzero(before != now) if int(s) not in known)
        resolved.append(Phase(phase.at, phase.system, turned + tuple(phase.levels)))
    if follow and known:
        resolved = _with_turns(resolved)
    return World(base, tuple(resolved), tuple(acts), tuple(policies), layers)


def _with_turns(phases: list[Phase]) -> list[Phase]:
    """The phases, and one more wherever a fact with a known path turns; each begins where its own path has got to."""
    result: list[Phase] = []
    for phase, (levels, turns) in zip(phases, known_paths(phases), strict=True):
        result.append(phase._replace(levels=(*phase.levels, *levels)))
        for at in sorted({at for at, _, _ in turns}):
            result.append(Phase(at, phase.system, tuple((s, z) for when, s, z in turns if when == at)))
    return result


def known_facts(systems: Iterable[System]) -> frozenset[int]:
    """Facts with a known path in some of these systems. In another its path may be never to turn at all."""
    return frozenset(int(s) for system in systems for s in system.turn_fact)


def known_paths(phases: Sequence[Phase]) -> list[tuple[tuple[tuple[int, int], ...], list[tuple[float, int, int]]]]:
    """For each phase the (fact, level) that known facts come to as it begins, where its path is not that of the phase
    before, and the (time, fact, level) of their turns after that, until the next phase begins.
    """
    facts = known_facts(phase.system for phase in phases)
    known = path_at(phases[0].system, -np.inf, facts)
    found = []
    for k, phase in enumerate(phases):
        end = phases[k + 1].at if k + 1 < len(phases) else np.inf
        system = phase.system
        here = path_at(system, phase.at, facts)
        levels = tuple((s, z) for s, z in here.items() if k > 0 and known[s] != z)
        inside = np.flatnonzero((system.turn_time > phase.at) & (system.turn_time < end))
        turns = [(float(system.turn_time[i]), int(system.turn_fact[i]), int(system.turn_level[i])) for i in inside]
        known = here | {s: z for _, s, z in turns}
        found.append((levels, turns))
    return found


def path_at(system: System, at: float, facts: Iterable[int] | None = None) -> dict[int, int]:
    """Fact -> level at a time of `facts`, by default of those with a known path."""
    own = known_facts([system]) if facts is None else facts
    found = {s: int(system.initial_level[s]) for s in sorted(own)}
    for i in np.flatnonzero(system.turn_time <= at):
        found[int(system.turn_fact[i])] = int(system.turn_level[i])
    return found


def silenced(system: System, channels: Ints) -> System:
    """The system without these channels' own doing: no background, no answers. Forced acts can still use them."""
    rate, mass = system.rate.copy(), system.edge_mass.copy()
    rate[channels] = 0.0
    mass[np.isin(system.edge_target, channels)] = 0.0
    return system._replace(rate=rate, edge_mass=mass)


def boosted(world: World, channels: NDArray[np.bool_], mechanisms: NDArray[np.bool_], own: bool, times: float) -> World:
    """The world in which these channels come `times` times as often: as answers of these mechanisms and, with `own`,
    by themselves. Acts by hand, policies and timers stay as they are.
    """

    def of(system: System) -> System:
        answers = channels[system.edge_target] & mechanisms[system.edge_mechanism]
        rate = np.where(channels & own, times, 1.0) * system.rate
        return system._replace(rate=rate, edge_mass=np.where(answers, times, 1.0) * system.edge_mass)

    phases = tuple(phase._replace(system=of(phase.system)) for phase in world.phases)
    return world._replace(base=of(world.base), phases=phases)
