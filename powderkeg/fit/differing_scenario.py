"""The scenario of a fit in which rates differ: pairs at their own rates, groups of moves on courses of their own.

In: a scenario with the moves' mean rates in it, what the effects make of each channel (`Told`). Out: the scenario with
`times` for the pairs of moves that have several, and profiles that moves or pairs follow.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.told_rates import Told
from powderkeg.scenario import Move, Profile, Quantity, Scenario

DIGITS = 6
"""Significant digits of factors, so that files stay legible."""


def with_differences(scenario: Scenario, problem: Problem, told: Told, start: date, name: str, source: str) -> Scenario:
    """The scenario with what differs.

    start   first day of the window
    name    of the profile of a course; those of groups are named after it
    source  where the numbers come from
    """
    channels = problem.model.channels[: problem.model.n_acts]
    moves: dict[str, Move] = {}
    profiles = dict(scenario.profiles)
    varies = np.ptp(told.course, axis=1) > 1e-9

    def profile_of(group: int, own: str | None) -> str | None:
        if not varies[group]:
            return own
        parts = [name, *([_word(told.names[group])] if len(told.names) > 1 else []), *([own] if own else [])]
        made = "_".join(parts)
        if made not in profiles:
            title = "fitted course of the background"
            title += f": {told.names[group]}" if len(told.names) > 1 else ""
            profiles[made] = _profile(
                problem, told, group, start, scenario.profiles[own] if own else None, title, source
            )
        return made

    for move_name, move in scenario.moves.items():
        own = [k for k, c in enumerate(channels) if c.move == move_name]
        mean = float(np.mean(told.average[own])) if own else 0.0
        factors = pair_factors(told, own)
        times: dict[str, dict[str, Quantity]] = {}
        follows: dict[str, dict[str, str]] = {}
        groups = [int(told.group[k]) for k in own]
        usual = max(set(groups), key=groups.count) if groups else 0
        for k, group in zip(own, groups, strict=True):
            source_actor, target = str(channels[k].source), str(channels[k].target)
            if k in factors:
                times.setdefault(source_actor, {})[target] = Quantity(factors[k], source=source)
            apart = profile_of(group, move.varies)
            if group != usual and apart is not None:
                follows.setdefault(source_actor, {})[target] = apart
        whole = profile_of(usual, move.varies) if mean > 0 or move.varies is not None else move.varies
        moves[move_name] = replace(move, varies=whole, times=times, follows=follows)
    return replace(scenario, profiles=profiles, moves=moves)


def pair_factors(told: Told, own: list[int]) -> dict[int, float]:
    """Channel -> its rate over the mean of those of its move (`own`), where there are several and they differ."""
    mean = float(np.mean(told.average[own])) if own else 0.0
    if len(own) < 2 or mean <= 0.0:
        return {}
    times = {k: float(told.average[k]) / mean for k in own}
    return {k: float(f"{factor:.{DIGITS}g}") for k, factor in times.items() if abs(factor - 1.0) > 1e-9}


def _word(text: str) -> str:
    """A group's name as part of a profile's name."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _profile(
    problem: Problem, told: Told, group: int, start: date, own: Profile | None, title: str, source: str
) -> Profile:
    """The course of a group as a profile, on top of the one that its moves had."""
    course = told.course[group][problem.shape.row]
    steps: list[tuple[date, float]] = []
    for at, value in zip(problem.shape.time[:-1], course, strict=True):
        day = start + timedelta(days=int(np.floor(at)))
        if steps and steps[-1][0] == day:
            steps.pop()
        if not steps or abs(value - steps[-1][1]) > 1e-12:
            steps.append((day, float(f"{value:.{DIGITS}g}")))
    days = sorted({day for day, _ in steps} | {day for day, _ in (own.steps if own else ())})
    factors = tuple(
        (day, Quantity(step_at(steps, day) * (step_at(own.steps, day) if own else 1.0), source=source)) for day in days
    )
    return Profile(title=title, steps=factors, season=own.season if own else None)


def step_at(steps: Any, day: Any) -> float:
    """Value of a step function on a day; before the first step, the first value."""
    value = 1.0
    for k, (first, factor) in enumerate(steps):
        if k == 0 or first <= day:
            value = float(factor)
    return value
