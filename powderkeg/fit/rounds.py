"""Settle what a source shows: a few rounds of fitting around the factors of the round before.

In: a `Job` with a layer. Out: the job with the layer at which the fit asks for no other, and the fit there.

How much an act counts as a cause rests on how much its day shows, which is being estimated. Weights held, the rows'
likelihood is climbed as ever; the factors found become those of the next round. The moves shrink by a third or more a
round; where they end, the score equations hold with the weights that belong to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.engine.likelihood.day_calendar import repeating_terms
from powderkeg.engine.likelihood.day_value import evaluate_days
from powderkeg.engine.likelihood.exact import Rows
from powderkeg.engine.likelihood.hindsight import ActsSeen, KernelParts, LinksBack, hindsight
from powderkeg.fit.checks.expected import classes_of, expected_acts
from powderkeg.fit.job import Job, begin
from powderkeg.fit.likelihood.layer import MOST_UNSEEN, SETTLED, Layer, Tell
from powderkeg.fit.likelihood.objective import pieces_of_time
from powderkeg.fit.likelihood.problem import carry, filled_arrays
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.model.spectral import edge_masses, edge_sources

MOST_ROUNDS = 12
"""Rounds of weighing and climbing before a layer is taken as it stands."""

Make = Callable[[Job], Climber]


def found_by(climber: Climber, vector: Floats) -> tuple[Layer, float]:
    """(the layer at the estimates, how far that is from the one they were found around)."""
    problem = climber.problem
    assert problem.layer is not None
    logs = {p.path: float(vector[p.place]) for p in problem.parameters if p.path.startswith("reporting.") and p.free}
    repeats = logs.pop("reporting.batches", problem.layer.repeats)
    old = problem.layer
    layer, move = old.moved(logs, repeats)
    if layer.repeats is not None:
        layer, more = _told_once(layer, climber, vector)
        move = max(move, more)
    n_acts, edge = problem.model.n_acts, pieces_of_time(problem.data)
    if float(layer.passing.min()) >= 1.0 or n_acts * len(edge) > MOST_UNSEEN:
        return layer, move
    alone = vector.copy()  # further reports are of acts that were seen
    for p in problem.parameters:
        if p.kind == "repeats":
            alone[p.place] = 0.0
    of_channel, n_classes = classes_of(climber, np.arange(n_acts))
    if n_classes < n_acts:
        return layer, move
    expected = expected_acts(climber, alone, of_channel, n_classes, None if problem.data.by_day else edge)
    piece = np.searchsorted(edge, 0.5 * (expected.edge[1:] + expected.edge[:-1])) - 1
    by_piece = np.zeros((len(edge) - 1, n_acts))
    np.add.at(by_piece, piece, expected.by_class)
    foretold = expected.morning if problem.data.by_day else by_piece
    layer = layer.with_unseen(edge, by_piece, foretold, _teller(layer, climber, alone, edge))
    before = 0.0 if old.unseen is None else float(old.unseen.mass.sum())
    now = 0.0 if layer.unseen is None else float(layer.unseen.mass.sum())
    return layer, max(move, abs(now - before) / max(len(problem.data.time), 1))


def _told_once(layer: Layer, climber: Climber, vector: Floats) -> tuple[Layer, float]:
    """(the layer with the acts behind the reports of every channel and day, the mean move of an act's worth)."""
    problem = climber.problem
    key, acts, reports = acts_told(climber, vector)
    told = replace(layer, told_key=key, told_share=acts / reports)
    before, now = (
        layer.once(problem.data, len(problem.design.channel_ground)),
        told.once(problem.data, len(problem.design.channel_ground)),
    )
    return told, float(np.abs(now - before).mean())


def acts_told(climber: Climber, vector: Floats) -> tuple[Ints, Floats, Floats]:
    """(key, acts, reports) of every channel-day with reports: how many of them are the first of an act.

    The likelihood of a day tells: what a link from a row to itself adds to it, per unit, times the link, is the
    expected number of its acts that came by it. One report is one act for sure; five may be one act or five.
    key  day * channels + channel
    """
    problem = climber.problem
    rows, coefficient, by_row, by_echo = _told_by_days(climber, vector)
    owner = np.repeat(np.arange(len(rows.acts)), np.diff(rows.echo_start))
    again = repeating_terms(problem.design)[rows.echo_term] > 0
    number = coefficient[rows.echo_term] * rows.echo_value * (by_row[owner] + by_echo)
    repeated = np.bincount(owner[again], weights=number[again], minlength=len(rows.acts))
    key = rows.day * len(problem.design.channel_ground) + rows.channel
    order = np.argsort(key)
    return key[order], np.clip(rows.acts - repeated, 0.0, rows.acts)[order], rows.acts[order]


def _told_by_days(climber: Climber, vector: Floats) -> tuple[DayRows, Floats, Floats, Floats]:
    """(rows, coefficient of every term, derivative of the value by every row's intensity and by every echo)."""
    problem, objective = climber.problem, climber.filter(vector)[0]
    terms, rows = problem.terms, objective.rows
    assert isinstance(rows, DayRows)
    slope = terms.slopes(vector[problem.n_linear : problem.n_smooth])
    coefficient = slope * vector[terms.linear]
    *_, by_row, by_echo = evaluate_days(
        rows.start, rows.term, rows.value, rows.acts, rows.block, objective.weight, rows.echo_start, rows.echo_from,
        rows.echo_term, rows.echo_value, coefficient, slope, terms.linear, terms.x_start, terms.x_index, terms.x_value,
        terms.n_linear, terms.n_log, False,
    )  # fmt: skip
    return rows, coefficient, by_row, by_echo


def _teller(layer: Layer, climber: Climber, vector: Floats, edge: Floats) -> Tell | None:
    """What tells how many unseen acts there were, given the acts that were seen after them, at a parameter vector.

    Who answers whom is read with every fact at its first level, as for the branching ratio.
    """
    problem = climber.problem
    model = filled_arrays(problem, vector)
    n_acts, system = problem.model.n_acts, model.system
    if n_acts * len(edge) * system.n_mechanisms > MOST_UNSEEN:
        return None
    mass, source, target = edge_masses(system, system.initial_level), edge_sources(system), system.edge_target
    keep = (mass > 0.0) & (source < n_acts) & (target < n_acts)
    mass, source, target, mechanism = mass[keep], source[keep], target[keep], system.edge_mechanism[keep]
    if len(layer.detection):
        mass = mass * layer.detection[target] / layer.detection[source]
    order = np.argsort(target, kind="stable")
    out = np.zeros((n_acts, system.n_mechanisms))
    np.add.at(out, (source, mechanism), mass)
    start = np.searchsorted(target[order], np.arange(n_acts + 1))
    links = LinksBack(start, source[order], mechanism[order], mass[order], out)
    kernels = KernelParts(system.kernel_start, system.kernel_share, problem.decay(vector)[: len(system.kernel_share)])
    acts = _acts_seen(climber, vector, edge)
    by_day = problem.data.by_day

    def tell(shown: Floats, unseen: Floats, foretold: Floats) -> Floats:
        return hindsight(by_day, edge, shown, unseen, foretold, acts, links, kernels)

    return tell


def _acts_seen(climber: Climber, vector: Floats, edge: Floats) -> ActsSeen:
    """The acts of the window, each with what it says of the intensity."""
    problem = climber.problem
    if problem.data.by_day:
        rows, _, weight, _ = _told_by_days(climber, vector)
        piece, channel = rows.day, rows.channel
    else:
        objective = climber.filter(vector)[0]
        seen = objective.rows
        assert isinstance(seen, Rows)
        coefficient = problem.terms.slopes(vector[problem.n_linear : problem.n_smooth]) * vector[problem.terms.linear]
        intensity = np.add.reduceat(np.append(coefficient[seen.term] * seen.value, 0.0), seen.start[:-1])
        weight = objective.weight / np.maximum(intensity, 1e-300)
        piece = np.searchsorted(edge, problem.data.time[seen.event])
        channel = problem.data.channel[seen.event]
    order = np.argsort(piece, kind="stable")
    start = np.searchsorted(piece[order], np.arange(len(edge)))
    return ActsSeen(start, channel[order].astype(np.int64), np.ascontiguousarray(weight[order]))


def settle(job: Job, make: Make, start: tuple[Climber, Solution] | None, whole: bool) -> tuple[Job, Climber, Solution]:
    """The job with its layer settled under one course of the background.

    make   the climber of a job
    start  a climber and where it ended, to begin at; None begins anew
    whole  whether half-lives are climbed in every round, or held where they start
    """
    climber = make(job)
    vector = begin(climber.problem) if start is None else _after(*start, climber)
    for round_ in range(MOST_ROUNDS):
        if whole:
            solution = climber.climb(vector, climber.problem.held)
        else:
            held = climber.problem.held.copy()
            held[climber.problem.n_smooth :] = True
            solution = climber.climb(vector, held)
        if job.layer is None:
            break
        layer, move = found_by(climber, solution.vector)
        if move < SETTLED or round_ == MOST_ROUNDS - 1:
            break
        job = replace(job, layer=layer)
        old, climber = climber, make(job)
        vector = _after(old, solution, climber)
    return job, climber, solution


def _after(before: Climber, solution: Solution, climber: Climber) -> Floats:
    """Where to begin the same problem around another layer, once a climb of the one before ended at a solution."""
    climber.begin_at(before, solution)
    old, new, vector = before.problem, climber.problem, solution.vector
    start = carry(old, vector, new)
    for p in new.parameters:
        if p.path.startswith("reporting.") and p.kind == "factor":
            start[p.place] = 0.0  # what was found is in the layer now
    if new.shape is old.shape:
        start[new.shape_places] = vector[old.shape_places]
    return start
