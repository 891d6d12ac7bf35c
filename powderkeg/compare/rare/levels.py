"""Which steps lead to something rare?

In: a model and what is asked about. Out: a `Ladder`: levels, each nearer, the last of which is it. A ladder decides how
much work an answer takes, never what the answer is: a history that comes to the last level without the others counts.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from powderkeg.analyze.outcomes import channel_mask, mechanism_mask, told_by_dead
from powderkeg.engine.arrays import HISTORY, Floats, System
from powderkeg.engine.splitting.layout import Levels
from powderkeg.errors import Fault, UsageError, must_be, nearest_name
from powderkeg.model import Model
from powderkeg.scenario import Condition, EventPattern, Scenario

MOST_LEVELS = 62
GROUPS = ("act", "pair", "actor", "target")


@dataclass(frozen=True)
class Step:
    """A level: events that came often enough while facts are so, or facts alone.

    events    which events: a pattern, or (C,) bool by channel; None: the facts alone
    count     how many of them
    within    in how many days, up to the last of them; None: since the start
    distinct  count each act (of one actor to another), pair of actors, actor or target once
    facts     all of them must be so when the last of the events has happened
    """

    title: str
    events: EventPattern | NDArray[np.bool_] | None = None
    count: int = 1
    within: float | None = None
    distinct: Literal["act", "pair", "actor", "target"] | None = None
    facts: tuple[Condition, ...] = ()


Level = str | Step | EventPattern | Condition | Mapping[str, Any]


def steps(model: Model, asked: str | Sequence[Level]) -> tuple[Step, ...]:
    """The steps that are asked for; for the name of an outcome alone, those that the model itself suggests.

    A step is a `Step`; a pattern of events, also written {"who": "nato", "does": "fight"}; the name of an outcome that
    asks whether something happens; a condition, also written "fact" or "fact.level". Raises UsageError.
    """
    if isinstance(asked, str):
        return derived(model, _step(model, asked))
    must_be("asked", asked, Sequence, "the name of an outcome, or a list of levels")
    found = tuple(_step(model, one) for one in asked)
    if not 1 <= len(found) <= MOST_LEVELS:
        raise UsageError(Fault.at("levels", f"{len(found)} levels", f"1 to {MOST_LEVELS}"))
    return found


def _step(model: Model, one: Level) -> Step:
    if isinstance(one, Step):
        return one
    if isinstance(one, Condition):
        return Step(str(one), facts=(one,))
    if isinstance(one, EventPattern):
        words = [name for part in (one.who, one.does, one.to, one.hurts, one.via) for name in part]
        return Step(" ".join(words) or "any act", one)
    if isinstance(one, Mapping):
        fields = ("who", "does", "to", "hurts", "via")
        wrong = [name for name in one if name not in fields]
        if wrong:
            raise UsageError(
                Fault.at("levels", f"unknown key {wrong[0]!r}", f"one of {', '.join(fields)}",
                      nearest_name(str(wrong[0]), fields))
            )  # fmt: skip
        parts = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in one.items()}
        return _step(model, EventPattern(**parts))
    outcomes = {} if model.scenario is None else model.scenario.outcomes
    fact, _, level = one.partition(".")
    if one in outcomes:
        what = outcomes[one].any or outcomes[one].first
        if what is None:
            found = "does not ask whether something happens"
            raise UsageError(Fault.at(f"outcomes.{one}", found, expected(model.scenario)[0]))
        title = outcomes[one].title or one
        return Step(title, facts=(what,)) if isinstance(what, Condition) else Step(title, what)
    if fact in model.facts:
        return Step(one, facts=(Condition(fact, level or None),))
    said, able = expected(model.scenario)
    raise UsageError(Fault.at("outcome", f"unknown outcome {one!r}", said, nearest_name(one, [*able, *model.facts])))


def expected(scenario: Scenario | None) -> tuple[str, list[str]]:
    """(what may be asked for, in words; the outcomes among it): whether something happens, or a fact comes about."""
    outcomes, facts = ({}, []) if scenario is None else (scenario.outcomes, list(scenario.facts))
    able = [name for name, outcome in outcomes.items() if outcome.any or outcome.first]
    if able:
        return f"one of {', '.join(able)}", able
    act = "ACT" if scenario is None else next(iter(scenario.acts), "ACT")
    own = f"an outcome of the scenario that asks whether something happens, such as any: {{does: {act}}}: it has none"
    return own + (f"; or a fact: {', '.join(facts)}" if facts else ""), able


def derived(model: Model, target: Step) -> tuple[Step, ...]:
    """Steps towards `target`, from how acts lead to acts.

    An act is as near as the likeliest chain from it to the target: each link costs -log of the mean number of direct
    answers at the highest gates, and an act that brings about a fact which another act needs costs -log of the chance
    that the other comes while it lasts, as far as that can be told beforehand. A level is reached by an act that is at
    least so near.
    """
    if target.events is None or target.count != 1:
        return (target,)
    goal = _mask(model, target)
    cost = nearness(model.system, np.flatnonzero(goal))
    known = np.isfinite(cost) & ~goal
    # Farthest first; costs that differ by less than a tenth of a percent are one level.
    ways = np.unique(np.round(cost[known], 3))[::-1][-(MOST_LEVELS - 1) :]
    found = []
    for far in ways:
        mask = goal | (cost <= far + 1e-3)
        new = np.flatnonzero(known & (np.abs(cost - far) <= 1e-3))
        names = [str(model.channels[c]) for c in new[:3]]
        found.append(Step(" or ".join(names) + (" or the like" if len(new) > 3 else "") + ", or nearer", mask))
    return (*found, target)


def nearness(system: System, goal: NDArray[np.intp]) -> Floats:
    """(C,) cost of the likeliest chain from each channel to one of `goal`; inf where none is seen."""
    C = system.n_channels
    row_top = np.ones(len(system.row_start) - 1)
    first_cell, n_levels = system.level_start[:-1], np.diff(system.level_start)
    needs: list[set[int]] = [set() for _ in row_top]  # cells other than the initial one that open a shut row
    for row in range(len(row_top)):
        for i in range(system.row_start[row], system.row_start[row + 1]):
            fact = system.entry_fact[i]
            factor = system.level_factor[system.entry_offset[i] : system.entry_offset[i] + n_levels[fact]]
            row_top[row] *= factor.max()
            if factor[system.initial_level[fact]] == 0.0:
                needs[row] |= {int(first_cell[fact] + level) for level in np.flatnonzero(factor > 0)}
    source = np.repeat(np.arange(C), np.diff(system.edge_start))
    worth = system.edge_mass * row_top[system.edge_gate] * row_top[system.channel_gate[system.edge_target]]
    into: list[list[tuple[int, float]]] = [[] for _ in range(C)]
    opened: list[set[int]] = [set() for _ in range(C)]
    best = np.zeros(C)
    for k in np.flatnonzero(worth > 0):
        target = int(system.edge_target[k])
        into[target].append((int(source[k]), max(-math.log(worth[k]), 0.0)))
        opened[target] |= needs[system.edge_gate[k]]
        best[target] = max(best[target], worth[k])
    setters: dict[int, list[tuple[int, float]]] = {}
    lasts = np.full(int(system.level_start[-1]), 3650.0)
    for c in range(C):
        opened[c] |= needs[system.channel_gate[c]] | (needs[system.background_gate[c]] if system.rate[c] > 0 else set())
        for i in range(system.effect_start[c], system.effect_start[c + 1]):
            cell = int(first_cell[system.effect_fact[i]] + system.effect_level[i])
            if system.effect_probability[i] > 0:
                setters.setdefault(cell, []).append((c, -math.log(min(system.effect_probability[i], 1.0))))
    for cell in range(len(lasts)):
        for j in range(system.timer_start[cell], system.timer_start[cell + 1]):
            lasts[cell] = min(lasts[cell], system.timer_delay[j])
    for c in range(C):
        for cell in opened[c]:
            chance = min(best[c] + system.rate[c] * lasts[cell], 1.0)
            if chance > 0:
                into[c] += [(setter, more - math.log(chance)) for setter, more in setters.get(cell, ())]
    cost = np.full(C, np.inf)
    cost[goal] = 0.0
    waiting = [(0.0, int(c)) for c in goal]
    while waiting:
        far, c = heapq.heappop(waiting)
        if far > cost[c]:
            continue
        for before, more in into[c]:
            if far + more < cost[before] - 1e-12:
                cost[before] = far + more
                heapq.heappush(waiting, (far + more, before))
    return cost


def _mask(model: Model, step: Step) -> NDArray[np.bool_]:
    C = len(model.channels)
    if step.events is None:
        return np.zeros(C, np.bool_)
    if isinstance(step.events, EventPattern):
        odd = np.flatnonzero(told_by_dead(model, step.events))
        if len(odd):
            acts = ", ".join(sorted({model.channels[c].act for c in odd}))
            raise UsageError(
                Fault.at(step.title, f"hurts: {', '.join(step.events.hurts)}, which a law of deaths tells afterwards",
                      f"acts by name (does), of these: {acts}; or hurts: [injury, death]")
            )  # fmt: skip
        return channel_mask(model, step.events)
    mask = np.asarray(step.events)
    if mask.shape != (C,) or mask.dtype != np.bool_:
        raise UsageError(
            Fault.at(step.title, f"events of shape {mask.shape} and type {mask.dtype}",
                  f"true or false for each of {C} channels")
        )  # fmt: skip
    return mask


def levels(model: Model, ladder: Sequence[Step]) -> Levels:
    """The ladder as the loop reads it. Raises UsageError with every fault."""
    C, L, system = len(model.channels), len(ladder), model.system
    touches = np.zeros(C, np.int64)
    via = np.ones((L, len(model.mechanisms) - HISTORY), np.bool_)
    group = np.full((L, C), -1, np.int64)
    fact_start, facts = [0], list[int]()
    allowed = np.zeros((sum(len(step.facts) for step in ladder), int(np.diff(system.level_start).max(initial=1))), bool)
    faults: list[Fault] = []
    for n, step in enumerate(ladder):
        mask = _mask(model, step)
        touches |= np.where(mask, np.int64(1) << np.int64(n), np.int64(0))
        if isinstance(step.events, EventPattern):
            via[n] = mechanism_mask(model, step.events)
        if step.events is not None and not mask.any():
            faults.append(Fault.at(step.title, "no act of the model", "acts that a move allows"))
        if step.events is None and not step.facts:
            faults.append(Fault.at(step.title, "neither events nor facts", "one of them"))
        if step.count < 1 or (step.within is not None and not step.within > 0):
            faults.append(Fault.at(step.title, f"{step.count} in {step.within} days", "at least 1, in some time"))
        if step.distinct is not None:
            if step.distinct not in GROUPS:
                found = f"distinct {step.distinct!r}"
                faults.append(Fault.at(step.title, found, f"one of {', '.join(GROUPS)}"))
            group[n] = _groups(model, step.distinct)
        for condition in step.facts:
            fact = model.fact(condition.fact)
            known = model.levels[fact]
            if condition.level is not None and condition.level not in known:
                faults.append(
                    Fault.at(step.title, f"unknown level {condition}", f"one of {', '.join(known)}",
                          nearest_name(condition.level, known))
                )  # fmt: skip
                continue
            row = [level == condition.level if condition.level else i > 0 for i, level in enumerate(known)]
            allowed[len(facts), : len(row)] = row
            facts.append(fact)
        fact_start.append(len(facts))
    if faults:
        raise UsageError(faults)
    return Levels(
        touches=touches,
        via=via,
        count=np.array([0 if step.events is None else step.count for step in ladder], np.int64),
        within=np.array([np.inf if step.within is None else step.within for step in ladder]),
        group=group,
        fact_start=np.array(fact_start, np.int64),
        fact=np.array(facts, np.int64),
        allowed=allowed,
    )


def _groups(model: Model, by: str) -> NDArray[np.int64]:
    keys: list[object] = []
    for c in model.channels:
        one = {"act": str(c), "actor": c.source, "target": c.target}.get(by)
        keys.append(frozenset((c.source, c.target)) if by == "pair" else one)
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)


def thinned(ladder: Sequence[Step], fractions: Sequence[float], least: float) -> tuple[tuple[Step, ...], list[float]]:
    """The ladder without levels that are hardly harder than the one before: each keeps a fraction of at most `least`.

    fractions  of copies that came from the level before to each, as far as a trial came
    returns    the ladder, and its fractions, as far
    """
    kept, shares, since = list[Step](), list[float](), 1.0
    for n, step in enumerate(ladder):
        known = n < len(fractions)
        since *= fractions[n] if known else 1.0
        if not known or since <= least or n == len(ladder) - 1:
            kept.append(replace(step))
            if known:
                shares.append(since)
            since = 1.0
    return tuple(kept), shares
