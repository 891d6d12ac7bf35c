"""When did the background change? Epochs with a level each, their borders found from the events.

In: a fit under some course of the background. Out: the borders of the course that the same excitation makes likeliest.
Blocks of equal width smear a crisis that begins and ends on days of its own, and a smeared crisis is read as answers.

With the excitation held, the log likelihood is a sum over short cells of a function of the level alone, so the best
step function over a grid of levels, each change costing the same, is found exactly by dynamic programming (Viterbi).
The search and the fit take turns (`choice`). What borders cost is what it takes to say where they are: with m borders
among K places log C(K, m), beside one parameter for each level; chance alone, which always finds some border that
looks good, gains about as much.
Source: Yao (1984), Ann. Stat. 12(4), 1434-1447 (dynamic programming); Rissanen (1978), Automatica 14(5), 465-471
(length of description); the turns with a fit of the excitation are ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.engine.likelihood.design import Shape
from powderkeg.fit.maximum.climb import Climber, Solution

CELL = 15.0
"""Days: borders lie on a grid of this width."""
LOWEST, HIGHEST, FINENESS = -5.0, 3.0, 0.1
"""Grid of log levels, around the level that the events ask for on the whole."""


def border_cost(n_borders: int, n_cells: int) -> float:
    """What it takes to say where the borders are, in units of log likelihood; levels are parameters of their own."""
    places = n_cells - 1
    return float(special.gammaln(places + 1) - special.gammaln(n_borders + 1) - special.gammaln(places - n_borders + 1))


def cell_bounds(days: float, by_day: bool) -> Floats:
    """(K + 1,) borders that are possible."""
    bounds = np.linspace(0.0, days, max(2, round(days / CELL)) + 1)
    return np.unique(np.round(bounds)) if by_day else bounds


def epochs_shape(bounds: Floats, changes: Ints, time: Floats) -> Shape:
    """The course with a level for each epoch.

    bounds   (K + 1,) of the cells
    changes  cells that open a new epoch, ascending, 0 not among them
    time     (N,) events; the epoch with most is the one the others are measured by
    """
    edges = bounds[np.concatenate([[0], changes, [len(bounds) - 1]]).astype(np.int64)]
    row = np.arange(len(edges) - 1)
    counts = np.histogram(time, edges)[0]
    return Shape(edges, np.ones(len(row)), row, np.delete(np.eye(len(row)), int(counts.argmax()), axis=1))


def level_table(climber: Climber, solution_vector: Floats, bounds: Floats) -> Floats:
    """(K, levels) log likelihood of every cell if the background there stood at each level, the excitation held.

    On days the part of the likelihood that ties channels together is taken as if they were alone: what is proposed here
    is judged by the whole likelihood afterwards.
    """
    problem = climber.problem
    terms = problem.terms
    objective, _ = climber.filter(solution_vector)
    rows = objective.rows
    coefficient = terms.slopes(solution_vector[problem.n_linear : problem.n_smooth]) * solution_vector[terms.linear]
    flat = solution_vector.copy()
    flat[problem.shape_places] = 0.0
    level = terms.slopes(flat[problem.n_linear : problem.n_smooth]) * flat[terms.linear]
    is_ground = (terms.linear < problem.n_rates) & (rows.exposure > 0)
    n = len(rows.start) - 1
    owner = np.repeat(np.arange(n), np.diff(rows.start))
    on_ground = is_ground[rows.term]
    ground = np.bincount(owner, weights=np.where(on_ground, level[rows.term] * rows.value, 0.0), minlength=n)
    answers = np.bincount(owner, weights=np.where(on_ground, 0.0, coefficient[rows.term] * rows.value), minlength=n)
    weight, acts, older = objective.weight, np.ones(n), answers
    if isinstance(rows, DayRows):
        weight, acts, at = np.repeat(weight, np.diff(rows.block)), rows.acts, rows.day + 0.5
        echo_owner = np.repeat(np.arange(n), np.diff(rows.echo_start))
        echo = coefficient[rows.echo_term] * rows.echo_value * rows.acts[rows.echo_from]
        older = np.maximum(answers - np.bincount(echo_owner, weights=echo, minlength=n), 0.0)
    else:
        at = problem.data.time[rows.event]
    n_cells = len(bounds) - 1
    cell = np.clip(np.searchsorted(bounds, at, side="right") - 1, 0, n_cells - 1)
    exposure = _cell_exposure(climber, rows.exposure * level, bounds)
    has = ground > 0
    middle = np.log(max(float((acts * weight)[has].sum()), 1.0) / max(float(exposure.sum()), 1e-300))
    cell, ground, answers, older = cell[has], ground[has], answers[has], older[has]
    acts, weight = acts[has], weight[has]
    factor = np.exp(middle + np.arange(LOWEST, HIGHEST + 0.5 * FINENESS, FINENESS))
    table = np.empty((n_cells, len(factor)))
    for j, f in enumerate(factor):
        value = (acts - 1.0) * np.log(ground * f + answers) + np.log(ground * f + older)
        table[:, j] = np.bincount(cell, weights=weight * value, minlength=n_cells) - f * exposure
    return table


def _cell_exposure(climber: Climber, expected: Floats, bounds: Floats) -> Floats:
    """(K,) expected acts of the background by cell at level 1: those of each row of the shape, shared out by time."""
    d = climber.problem.design
    by_row = np.zeros(d.n_shapes)
    for b in range(len(d.ground_term)):
        size = int(d.pair_size[d.ground_pair[b]]) * d.n_shapes
        own = slice(int(d.ground_term[b]), int(d.ground_term[b]) + size)
        by_row += expected[own].reshape(-1, d.n_shapes).sum(axis=0)
    edges = np.unique(np.concatenate([bounds, d.cell_time]))
    middle = 0.5 * (edges[1:] + edges[:-1])
    of = np.clip(np.searchsorted(d.cell_time, middle, side="right") - 1, 0, len(d.cell_shape) - 1)
    mass = np.diff(edges) * d.cell_value[0, of]  # with the known coverage
    whole = np.bincount(d.cell_shape[of], weights=mass, minlength=d.n_shapes)
    share = mass * (by_row / np.maximum(whole, 1e-300))[d.cell_shape[of]]
    cell = np.clip(np.searchsorted(bounds, middle, side="right") - 1, 0, len(bounds) - 2)
    return np.bincount(cell, weights=share, minlength=len(bounds) - 1).astype(np.float64)


def best_changes(table: Floats, cost: float) -> Ints:
    """Cells that open a new epoch in the best step function over the grid of levels, each change costing `cost`."""
    n_cells, n_levels = table.shape
    value = table[0].copy()
    came_from = np.empty((n_cells, n_levels), np.int64)
    stay = np.arange(n_levels)
    for k in range(1, n_cells):
        top = int(value.argmax())
        jumps = value < value[top] - cost
        came_from[k] = np.where(jumps, top, stay)
        value = np.where(jumps, value[top] - cost, value) + table[k]
    level = int(value.argmax())
    changes = []
    for k in range(n_cells - 1, 0, -1):
        before = int(came_from[k, level])
        if before != level:
            changes.append(k)
        level = before
    return np.array(changes[::-1], np.int64)


def starts_of(climber: Climber, solution: Solution, share: float) -> Floats:
    """The solution with its free answers cut to a share of what they are: room for the background to explain more."""
    problem = climber.problem
    vector = solution.vector.copy()
    answers: NDArray[np.bool_] = ~problem.held[problem.n_rates : problem.n_linear]
    vector[problem.n_rates : problem.n_linear][answers] *= share
    return vector
