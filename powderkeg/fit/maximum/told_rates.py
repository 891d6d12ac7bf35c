"""What do effects make of each channel's rate: its average over the window, and the course it follows?

In: a `Problem` with effects, a parameter vector, how widely the effects spread. Out: `Told`; the derivatives of the
logs of moves' rates; and a `Model` whose arrays hold all of it, so that it runs and is checked like any other.
Means are those of the effects' law given the data: the mean of exp(effect), not exp(mean).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.fit.likelihood.problem import Problem, filled_arrays
from powderkeg.fit.likelihood.varying_objective import Spread
from powderkeg.model import Model


@dataclass(frozen=True)
class Told:
    """C channels, G groups that share a course, H rows of the shape.

    average  (C,) rate by itself, events/day, mean over the window
    group    (C,) course that a channel follows
    names    (G,) of the groups
    course   (G, H) factor in each row, mean 1 over the window
    sd       (G, H) of the log of that factor
    share    (H,) of the window that each row takes
    """

    average: Floats
    group: Ints
    names: tuple[str, ...]
    course: Floats
    sd: Floats
    share: Floats


def _rows(problem: Problem) -> tuple[Ints, Floats]:
    """((C, H) term of each channel in each row of the shape, (H,) share of the window of each row)."""
    d = problem.design
    term = d.ground_term[d.channel_ground][:, None] + np.arange(d.n_shapes)[None, :]
    days = np.bincount(d.cell_shape, weights=np.diff(d.cell_time), minlength=d.n_shapes)
    return term, days / days.sum()


def _log_rates(problem: Problem, vector: Floats) -> Floats:
    """(T,) log of what effects and the shape make of each term."""
    log = vector[problem.n_linear : problem.n_smooth].copy()
    log[: problem.n_factors] = 0.0
    return np.asarray(problem.terms.x @ log)


def tell(problem: Problem, vector: Floats, spread: Spread) -> Told:
    """The rates that effects make."""
    varying = problem.varying
    assert varying is not None
    d = problem.design
    term, share = _rows(problem)
    rate = np.exp(_log_rates(problem, vector) + 0.5 * spread.variance)[term]
    rate *= (vector[d.term_linear[term[:, 0]]] * d.channel_scale)[:, None]
    courses = varying.effects.course
    names, group = ["all"], np.zeros(len(term), np.int64)
    if courses.shape[1] > 1:
        block = varying.blocks[-1]
        names, group = list(block.labels), (courses[:, 1] - block.first) // block.rows
    basis = problem.shape.basis @ vector[problem.shape_places]
    mean, sd = np.tile(basis, (len(names), 1)), np.zeros((len(names), d.n_shapes))
    effects = vector[problem.effect_places]
    for g in range(len(names) if courses.shape[1] else 0):
        own = courses[np.flatnonzero(group == g)[0]]
        at = own[:, None] + np.arange(d.n_shapes)[None, :]
        mean[g] += effects[at].sum(axis=0)
        inside = spread.covariance[at[:, None, :, None], at[None, :, None, :]].sum(axis=(0, 1))  # (H, H)
        against = inside - (inside @ share)[:, None] - (inside @ share)[None, :] + share @ inside @ share
        sd[g] = np.sqrt(np.maximum(np.diag(against), 0.0))
        mean[g] += 0.5 * np.diag(inside)
    course = np.exp(mean)
    course /= (course @ share)[:, None]
    average = rate @ share
    if problem.layer is not None and len(problem.layer.detection):
        average = average / problem.layer.detection  # of acts, not of those that are reported
    return Told(average, group, tuple(names), course, sd, share)


def rates_at(problem: Problem, vector: Floats) -> Floats:
    """(C,) rate of each channel by itself, events/day, mean over the window, the effects being known for sure."""
    d = problem.design
    term, share = _rows(problem)
    rate = np.exp(_log_rates(problem, vector))[term] * (vector[d.term_linear[term[:, 0]]] * d.channel_scale)[:, None]
    average = rate @ share
    if problem.layer is not None and len(problem.layer.detection):
        average = average / problem.layer.detection  # of acts, not of those that are reported
    return np.asarray(average)


def log_rate_slopes(problem: Problem, vector: Floats, spread: Spread, channels: Ints) -> Floats:
    """(smooth parameters,) derivative of the log of the mean rate of these channels over the window."""
    d = problem.design
    term, share = _rows(problem)
    term = term[channels]
    weight = np.exp(_log_rates(problem, vector) + 0.5 * spread.variance)[term] * share[None, :]
    weight *= (vector[d.term_linear[term[:, 0]]] * d.channel_scale[channels])[:, None]
    weight /= max(float(weight.sum()), 1e-300)
    pull = np.bincount(term.ravel(), weights=weight.ravel(), minlength=d.n_terms)
    log = np.asarray(problem.terms.x.T @ pull)
    log[: problem.n_factors] = 0.0
    linear = np.zeros(problem.n_linear)
    own = d.term_linear[term[:, 0]]
    np.add.at(linear, own, weight.sum(axis=1) / np.maximum(vector[own], 1e-300))
    return np.concatenate([linear, log])


def rates_by_path(problem: Problem, told: Told) -> dict[str, float]:
    """Mean rate of the channels of each path of the scenario."""
    assert problem.varying is not None
    paths, of = np.unique(np.array(problem.varying.rate_path, dtype=object).astype(str), return_inverse=True)
    total = np.bincount(of, weights=told.average) / np.bincount(of)
    return dict(zip(paths.tolist(), total.tolist(), strict=True))


def told_model(problem: Problem, vector: Floats, told: Told) -> Model:
    """The problem's model at a parameter vector, every channel at its own rate and on its own course."""
    model = filled_arrays(problem, vector)
    system = model.system
    rate = system.rate.copy()
    rate[: model.n_acts] = told.average
    by_path = rates_by_path(problem, told)
    parameters = tuple(replace(p, value=by_path.get(p.path, p.value)) for p in model.parameters)
    return replace(
        model, system=_with_courses(system._replace(rate=rate), model.n_acts, problem, told), parameters=parameters
    )


def _with_courses(system: System, n_acts: int, problem: Problem, told: Told) -> System:
    """The system with a profile for every course, laid over the profiles that it had."""
    if np.all(told.course == 1.0):
        return system
    time, row = problem.shape.time[:-1] + problem.shift, problem.shape.row
    kinds, kind = np.unique(np.stack([system.profile[:n_acts], told.group], 1), axis=0, return_inverse=True)
    starts, times, values, swing, peak = [0], [], [], [], []
    for profile, group in kinds.tolist():
        course = told.course[group][row]
        own = slice(*system.profile_start[profile : profile + 2]) if profile >= 0 else slice(0, 0)
        own_time, own_value = system.step_time[own], system.step_value[own]
        at = np.unique(np.concatenate([time, own_time[np.isfinite(own_time)]]))
        value = course[np.clip(np.searchsorted(time, at, side="right") - 1, 0, None)]
        if len(own_time):
            value = value * own_value[np.clip(np.searchsorted(own_time, at, side="right") - 1, 0, None)]
        times.append(np.concatenate([[-np.inf], at[1:]]))
        values.append(value)
        starts.append(starts[-1] + len(at))
        swing.append(float(system.profile_swing[profile]) if profile >= 0 else 0.0)
        peak.append(float(system.profile_peak[profile]) if profile >= 0 else 0.0)
    whole = np.full(system.n_channels, -1, np.int64)
    whole[:n_acts] = kind.ravel()
    return system._replace(
        profile=whole, profile_start=np.array(starts, np.int64), step_time=np.concatenate(times),
        step_value=np.concatenate(values), profile_swing=np.array(swing), profile_peak=np.array(peak),
    )  # fmt: skip
