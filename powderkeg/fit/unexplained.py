"""Events that the scenario says cannot happen: which they are, and which rule forbids them.

In: a `Problem`, indices of events that no term explains. Out: a frame with the act and the rule. Such events are left
out of the likelihood, are counted, and still act on later events and facts: they did happen.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.filtered_facts import act_on_facts, drift
from powderkeg.fit.likelihood.problem import Problem

SCHEMA = {
    "day": pl.Float64,
    "date": pl.Date,
    "source": pl.String,
    "act": pl.String,
    "target": pl.String,
    "rule": pl.String,
}


def unexplained_events(problem: Problem, index: Ints, frame: pl.DataFrame, start: date) -> pl.DataFrame:
    """One row for each event of `index`: day of the window, date, act, and the rule that it breaks."""
    if len(index) == 0:
        return pl.DataFrame(schema=SCHEMA)
    model, data = problem.model, problem.data
    moves = drift(problem.system, model.n_acts)
    levels = problem.system.level_start
    possible = np.zeros(int(levels[-1]))
    for s, level in enumerate(problem.system.initial_level):
        possible[levels[s] + level] = 1.0
    wanted = set(index.tolist())
    rows = []
    turned = 0
    for i in range(len(data.time)):
        turned = _turn(problem, possible, turned, float(data.time[i]))
        if i in wanted:
            channel = model.channels[data.channel[i]]
            rows.append(
                {
                    "day": float(data.time[i]),
                    "date": start + timedelta(days=float(np.floor(data.time[i]))),
                    "source": channel.source,
                    "act": channel.act,
                    "target": channel.target,
                    "rule": _rule(problem, int(data.channel[i]), possible),
                }
            )
        act_on_facts(moves, possible, data.channel[i])
        # What may have run out or come up since: any level that a fact can drift to is possible from here on.
        for s in range(len(moves.comes)):
            first, last = levels[s], levels[s + 1]
            if moves.run_out[first:last].any():
                possible[first] = max(possible[first], 1e-6)
            if moves.comes[s] > 0:
                possible[first + 1] = max(possible[first + 1], 1e-6)
    return pl.DataFrame(rows, schema=SCHEMA)


def _turn(problem: Problem, possible: Floats, turned: int, until: float) -> int:
    """Facts come to the levels that the calendar says up to a time; returns how many of its lines are past."""
    design, levels = problem.design, problem.system.level_start
    while turned < len(design.flip_time) and design.flip_time[turned] <= until:
        fact = int(design.flip_fact[turned])
        if 0 <= fact < problem.system.n_facts:  # others are shares seen, and facts that only the reporting layer has
            possible[levels[fact] : levels[fact + 1]] = 0.0
            possible[levels[fact] + design.flip_level[turned]] = 1.0
        turned += 1
    return turned


def _rule(problem: Problem, channel: int, possible: Floats) -> str:
    """Why channel `channel` could not act while facts stood at the `possible` levels."""
    model, system = problem.model, problem.system
    levels = system.level_start
    row = system.channel_gate[channel]
    shut = []
    for k in range(system.row_start[row], system.row_start[row + 1]):
        fact = int(system.entry_fact[k])
        span = slice(int(levels[fact]), int(levels[fact + 1]))
        factor = system.level_factor[system.entry_offset[k] : system.entry_offset[k] + (span.stop - span.start)]
        if not (factor[possible[span] > 0] > 0).any():
            names = model.levels[fact]
            allowed = " or ".join(names[level] for level in np.flatnonzero(factor > 0)) or "nothing"
            now = " or ".join(names[level] for level in np.flatnonzero(possible[span] > 0))
            shut.append(f"{model.facts[fact]} must be {allowed}, is {now}")
    move = model.channels[channel].move
    where = f"moves.{move}: " if move is not None else ""
    if shut:
        return where + "; ".join(shut)
    ground = problem.design.channel_ground[channel]
    rate = int(problem.terms.linear[problem.design.ground_term[ground]])
    if problem.dead[rate]:
        return where + "rate 0, and no earlier act could have set it off"
    return where + "its gates and those of what could have set it off are never open together"
