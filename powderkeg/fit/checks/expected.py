"""What did the fitted intensities expect, when, of whom, and by which mechanism?

In: a `Climber`, a parameter vector, a class for each channel. Out: `Expected`: the expected number of acts in every
piece of time (between events at exact times, or a day), by class and by origin. Summed over time it is what the
likelihood subtracts; cut up, it is what residuals are taken against.

The passes of the likelihood add expected counts up over time as they go, which is why a fit is fast. Here they are
kept apart: the same formulas, written over pieces of time. Tests hold their sums against those of the passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day_steps import next_day, same_day
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact_filtered import FIRST_STEP, LONGEST_STEP, STEP_GROWTH, step_end
from powderkeg.engine.likelihood.filtered_facts import Drift, act_on_facts, drift
from powderkeg.fit.likelihood.objective import Beliefs, Data, causes_in_time
from powderkeg.fit.maximum.climb import Climber
from powderkeg.units import YEAR

CHUNK = 2_000_000
"""Numbers in a working array at a time."""
MOST_CELLS = 30_000_000
"""Pieces times classes that are kept; with more, ask for fewer classes."""


@dataclass(frozen=True)
class Expected:
    """Expected acts. K pieces of time, of the window only.

    edge      (K + 1,) bounds of the pieces, days; day d is [d, d + 1)
    by_class  (K, classes) expected acts of each class of channels
    by_origin (K, 1 + M) expected acts from the background, and by each mechanism
    morning   (K, classes) by day: what the days before let expect, with facts as believed in the morning
    belief    (K, cells) probability of each level of each fact, in the morning or the middle of a piece
    calm      (K, sets + 1) factor of every calm set, the last column 1
    """

    edge: Floats
    by_class: Floats
    by_origin: Floats
    morning: Floats
    belief: Floats
    calm: Floats

    @property
    def total(self) -> Floats:
        """(K,) expected acts of all classes."""
        found: Floats = self.by_class.sum(axis=1)
        return found

    def piece_of(self, time: Floats) -> Ints:
        """Piece that holds each time; an event at exact times stands at the start of the piece after it."""
        return np.clip(np.searchsorted(self.edge, time, side="right") - 1, 0, len(self.edge) - 2).astype(np.int64)


def expected_acts(
    climber: Climber, vector: Floats, of_channel: Ints, n_classes: int, cuts: Floats | None = None
) -> Expected:
    """Expected acts under the climber's data at `vector`.

    of_channel  (C,) class of each channel
    cuts        days at which pieces of time end, beside where they do by themselves; not by day
    """
    problem = climber.problem
    data, d = problem.data, problem.design
    _, beliefs = climber.filter(vector)
    facts = drift(problem.system, problem.model.n_acts)
    edge = _day_edges(data) if data.by_day else _edges(data, d, beliefs is not None, cuts)
    slope = problem.terms.slopes(vector[problem.n_linear : problem.n_smooth])
    linear = vector[: problem.n_linear]
    rise = _rise(climber, vector)
    decay = problem.decay(vector)
    n_pieces, n_mechanisms = len(edge) - 1, len(d.kernel_start) - 1
    width, middle = np.diff(edge), 0.5 * (edge[1:] + edge[:-1])
    piece = np.searchsorted(edge, data.time).astype(np.int64)

    source = _Sources(d, of_channel, n_classes)
    ground = _Grounds(d, of_channel, n_classes)
    by_class = np.zeros((n_pieces, n_classes))
    by_origin = np.zeros((n_pieces, 1 + n_mechanisms))
    morning = np.zeros((n_pieces if data.by_day else 0, n_classes))
    calm = _calm(d, data, edge, piece)
    belief, gate, gate_after = _gates(d, facts, slope, data, beliefs, edge, piece)
    gate_before = gate_values(d, facts, slope, belief) if data.by_day else gate
    share = _shares(d, edge)

    # backgrounds
    cell = np.clip(np.searchsorted(d.cell_time, middle, side="right") - 1, 0, len(d.cell_shape) - 1)
    for k in range(len(ground.ground)):
        b = ground.ground[k]
        at = rise[d.ground_term[b] + d.cell_shape[cell]]
        p = d.ground_profile[b]
        season = _season(float(d.profile_swing[p]), float(d.profile_peak[p]), edge)
        rate = linear[d.term_linear[d.ground_term[b]]] * ground.scale[k]
        mean = rate * d.cell_value[p, cell] * season * at * calm[:, d.ground_calm[b]] * share
        found = mean * gate[:, d.ground_pair[b]]
        by_class[:, ground.owner[k]] += found
        if data.by_day:
            morning[:, ground.owner[k]] += mean * gate_before[:, d.ground_pair[b]]
        by_origin[:, 0] += found

    # answers: what is left of the masses of earlier acts, cell by cell of (class, group)
    n_keys = len(source.group)
    if n_keys:
        kernel = [np.arange(d.kernel_start[m], d.kernel_start[m + 1]) for m in range(n_mechanisms)]
        echo = np.array([sum(d.kernel_share[j] * same_day(decay[j]) for j in own) for own in kernel])
        mechanism = d.group_mechanism[source.group]
        scale = linear[d.term_linear[d.group_term[source.group]]]
        causes = np.searchsorted(edge, causes_in_time(data)[0]).astype(np.int64)
        jump = _jumps(source, data, causes, n_keys, d)
        jump_now = jump if data.worth_now is None else _jumps(source, data, causes, n_keys, d, now=True)
        key = np.concatenate([np.full(len(kernel[m]), k) for k, m in enumerate(mechanism)]).astype(np.int64)
        part = np.concatenate([kernel[m] for m in mechanism]).astype(np.int64)
        owner = np.zeros((n_keys, n_classes + n_mechanisms))
        owner[np.arange(n_keys), source.owner] = 1.0
        owner[np.arange(n_keys), n_classes + mechanism] = 1.0
        level = np.zeros(len(key))
        per_chunk = max(1, CHUNK // max(len(key), 1))
        for first in range(0, n_pieces, per_chunk):
            span = slice(first, min(first + per_chunk, n_pieces))
            size = span.stop - first
            if data.by_day:
                fade = np.broadcast_to(np.exp(-decay[part]), (size, len(part)))
                weight = np.array([d.kernel_share[j] * next_day(decay[j]) for j in part])[None, :]
            else:
                fade = np.exp(-width[span, None] * decay[part])
                weight = -d.kernel_share[part] * np.expm1(-width[span, None] * decay[part])
            levels = np.empty((size, len(part)))
            for k in range(size):
                if not data.by_day:
                    _add(level, jump, first + k, key)
                levels[k] = level
                level = level * fade[k]
                if data.by_day:
                    _add(level, jump, first + k, key)
            mass = np.zeros((size, n_keys))
            np.add.at(mass.T, key, (levels * weight).T)
            pair, damped = d.group_pair[source.group], calm[span][:, d.group_calm[source.group]] * scale
            damped = damped * np.where(d.mechanism_repeats[mechanism] > 0, 1.0, share[span, None])
            if data.by_day:
                morning[span] += (mass * gate_before[span][:, pair] * damped) @ owner[:, :n_classes]
            mass *= gate[span][:, pair] * damped
            if data.by_day:
                today = np.zeros((size, n_keys))
                for k in range(size):
                    if first + k in jump_now:
                        today[k, jump_now[first + k][0]] = jump_now[first + k][1]
                today *= echo[mechanism] * gate_after[span][:, pair] * damped
                mass += today
            found = mass @ owner
            by_class[span] += found[:, :n_classes]
            by_origin[span, 1:] += found[:, n_classes:]
    scored = edge[:-1] >= -1e-9
    first = int(np.argmax(scored))
    return Expected(edge[first:], by_class[first:], by_origin[first:], morning[first:], belief[first:], calm[first:])


def _rise(climber: Climber, vector: Floats) -> Floats:
    """(T,) mean factor of every term beyond its rate and its gates: courses, and effects of actors and pairs."""
    problem = climber.problem
    log = vector[problem.n_linear : problem.n_smooth].copy()
    log[: problem.n_factors] = 0.0
    if not len(log):
        return np.ones(len(problem.terms.linear))
    return np.asarray(np.exp(problem.terms.x @ log + 0.5 * climber.variance_of_terms()))


class _Sources:
    """What an act of each channel adds to each (class, group): sums over the slots of a class's channels."""

    def __init__(self, d: Design, of_channel: Ints, n_classes: int) -> None:
        slot_channel = np.repeat(np.arange(len(d.channel_ground)), np.diff(d.slot_start))
        n_groups = max(len(d.group_term), 1)
        found, cell = np.unique(of_channel[slot_channel] * n_groups + d.slot_group, return_inverse=True)
        self.owner, self.group = found // n_groups, found % n_groups
        out_source = np.repeat(np.arange(len(d.channel_ground)), np.diff(d.out_start))
        n_keys = max(len(found), 1)
        pairs, where = np.unique(out_source * n_keys + cell[d.out_slot], return_inverse=True)
        self.mass = np.bincount(where, weights=d.out_mass, minlength=len(pairs))
        self.start = np.searchsorted(pairs // n_keys, np.arange(len(d.channel_ground) + 1))
        self.key = pairs % n_keys


class _Grounds:
    """The backgrounds of each (class, ground): sum of the channels' scales."""

    def __init__(self, d: Design, of_channel: Ints, n_classes: int) -> None:
        n_grounds = len(d.ground_term)
        found, where = np.unique(of_channel * n_grounds + d.channel_ground, return_inverse=True)
        self.owner, self.ground = found // n_grounds, found % n_grounds
        self.scale = np.bincount(where, weights=d.channel_scale, minlength=len(found))


def _add(level: Floats, jump: dict[int, tuple[Ints, Floats]], piece: int, key: Ints) -> None:
    """Raise the levels by what the acts of a piece add; every component of a kernel gets the mass."""
    found = jump.get(piece)
    if found is not None:
        full = np.zeros(int(key[-1]) + 1)
        full[found[0]] = found[1]
        level += full[key]


def _jumps(
    source: _Sources, data: Data, piece: Ints, n_keys: int, d: Design, now: bool = False
) -> dict[int, tuple[Ints, Floats]]:
    """Piece -> (keys, masses) that the acts at its start (of its day) add; `now`: to their own day."""
    _, channel, worth, number = causes_in_time(data, now)
    sizes = np.diff(source.start)[channel]
    entry = np.arange(sizes.sum()) + np.repeat(source.start[channel] - (np.cumsum(sizes) - sizes), sizes)
    at = np.repeat(piece, sizes)
    cells, where = np.unique(at * n_keys + source.key[entry], return_inverse=True)
    weight, owner = source.mass[entry], np.repeat(np.arange(len(channel)), sizes)
    mechanism = d.group_mechanism[source.group[source.key[entry]]]
    if data.worth is not None:  # further reports come from the reports, answers from what those stand for
        stands = worth[owner, np.minimum(mechanism, worth.shape[1] - 1)]
        weight = weight * np.where(d.mechanism_repeats[mechanism] > 0, number[owner] >= 0, stands)
    mass = np.bincount(where, weights=weight, minlength=len(cells)).astype(np.float64)
    pieces = cells // n_keys
    distinct, first = np.unique(pieces, return_index=True)
    bounds = np.append(first, len(cells))
    return {
        int(p): ((cells[bounds[k] : bounds[k + 1]] % n_keys).astype(np.int64), mass[bounds[k] : bounds[k + 1]])
        for k, p in enumerate(distinct)
    }


def _shares(d: Design, edge: Floats) -> Floats:
    """(K,) known share of what happens that is seen in every piece."""
    known = d.flip_fact < 0
    at = np.searchsorted(d.flip_time[known], edge[:-1] + 1e-9, side="right")
    return np.asarray(np.append(1.0, d.flip_share[known])[at])


def _day_edges(data: Data) -> Floats:
    origin = min(0, int(data.time[0])) if len(data.time) else 0
    return np.arange(origin, round(data.days) + 1).astype(np.float64)


def _edges(data: Data, d: Design, hidden: bool, cuts: Floats | None) -> Floats:
    """Bounds of the pieces: events; the grid of the filter where facts are hidden; else where the background steps."""
    origin = min(0.0, float(data.time[0])) if len(data.time) else 0.0
    turns = d.flip_time[(d.flip_time > origin) & (d.flip_time < data.days)]
    turns = turns if cuts is None else np.concatenate([turns, cuts])
    if not hidden and len(d.calm_decay) == 0:
        time = causes_in_time(data)[0]
        return np.unique(np.concatenate([[origin, 0.0, data.days], time, d.cell_time, turns]))
    edges = [origin]
    t = origin
    for last in [*np.sort(np.concatenate([data.time, turns])).tolist(), data.days]:
        step = FIRST_STEP
        while t < last - 1e-12:
            t = step_end(t, step, last)
            edges.append(t)
            step = min(step * STEP_GROWTH, LONGEST_STEP)
        t = last
    edges[-1] = data.days
    return np.array(edges)


def _season(swing: float, peak: float, edge: Floats) -> Floats:
    """Integral of 1 + swing * cos(2 pi (t - peak) / 365.25) over every piece."""
    if swing == 0.0:
        return np.diff(edge)
    w = 2.0 * np.pi / YEAR
    return np.asarray(np.diff(edge) + swing / w * np.diff(np.sin(w * (edge - peak))))


def _calm(d: Design, data: Data, edge: Floats, piece: Ints) -> Floats:
    """(K, sets + 1) factor of every calm set in the middle of every piece; the last column is 1."""
    n_pieces, n_sets = len(edge) - 1, len(d.calm_set_start) - 1
    result = np.ones((n_pieces, n_sets + 1))
    if len(d.calm_decay) == 0 or n_sets == 0:
        return result
    x = np.zeros(len(d.calm_decay))
    add: dict[int, list[int]] = {}
    for i, c in enumerate(data.channel):
        if d.calm_add_start[c + 1] > d.calm_add_start[c]:
            add.setdefault(int(piece[i]), []).append(int(c))
    # a day's acts calm from noon of their day on, so they speak from the next day on
    late = 0.5 if data.by_day else 0.0
    width = np.diff(edge)
    for k in range(n_pieces):
        if not data.by_day:
            _add_calm(d, x, add.get(k, ()), 0.0)
        for s in range(n_sets):
            own = slice(d.calm_set_start[s], d.calm_set_start[s + 1])
            calms = d.calm_set_index[own]
            faded = x[calms] * np.exp(-d.calm_decay[calms] * 0.5 * width[k])
            result[k, s] = np.exp(-(d.calm_set_strength[own] * faded).sum())
        x = x * np.exp(-d.calm_decay * width[k])
        if data.by_day:
            _add_calm(d, x, add.get(k, ()), late)
    return result


def _add_calm(d: Design, x: Floats, channels: object, age: float) -> None:
    for c in channels:  # type: ignore[attr-defined]
        for k in range(d.calm_add_start[c], d.calm_add_start[c + 1]):
            j = d.calm_add_index[k]
            x[j] += d.calm_add_amount[k] * np.exp(-age * d.calm_decay[j])


def _gates(
    d: Design, facts: Drift, slope: Floats, data: Data, beliefs: Beliefs | None, edge: Floats, piece: Ints
) -> tuple[Floats, Floats, Floats]:
    """(K, cells) beliefs of every piece; (K, Q) mean value of every pair's gate as the likelihood reads it; and as
    answers of the same day read it, which see what the act did that they answer."""
    n_pieces = len(edge) - 1
    if beliefs is not None and not data.by_day:
        found = gate_values(d, facts, slope, beliefs.at_step)
        return beliefs.at_step, found, found
    if beliefs is None:
        before, after = _replayed(d, facts, data, edge, piece)
        busy = np.flatnonzero((before != after).any(axis=1)) if data.by_day else np.zeros(0, np.int64)
        after = after[busy]
    else:
        before, busy = beliefs.at_event, np.unique(piece)
        after = before[busy].copy()
        begun, ended = np.searchsorted(piece, busy), np.searchsorted(piece, busy, side="right")
        for row in range(len(busy)):
            for e in range(begun[row], ended[row]):
                act_on_facts(facts, after[row], data.channel[e])
    found = gate_values(d, facts, slope, before)
    answers = found.copy()
    answers[busy] = gate_values(d, facts, slope, after)
    found[busy] = 0.5 * (found[busy] + answers[busy])
    if beliefs is not None and len(beliefs.trail.weight):
        # days whose orders were weighed: each state stood for its share of the day
        trail = beliefs.trail
        day = np.repeat(np.arange(n_pieces), trail.size)
        acts = np.bincount(piece, minlength=n_pieces)[day]
        values = gate_values(d, facts, slope, trail.belief)
        opens = np.ones(len(day), bool)  # a step before the first act of its order
        opens[1:] = (trail.row[:-1] < 0) | (day[1:] != day[:-1])
        found[trail.size > 0], answers[trail.size > 0] = 0.0, 0.0
        np.add.at(found, day, values * (trail.weight / (acts + 1.0))[:, None])
        np.add.at(answers, day, values * (np.where(opens, 0.0, trail.weight) / np.maximum(acts, 1))[:, None])
    return before, found, answers


def _replayed(d: Design, facts: Drift, data: Data, edge: Floats, piece: Ints) -> tuple[Floats, Floats]:
    """(K, cells) where the facts stand in every piece, before and after the acts of its day; all facts are seen.

    The calendar's lines come before the acts of their piece: what has a known path, and what runs out at a known time.
    """
    n_pieces = len(edge) - 1
    p = np.zeros(int(facts.level_start[-1]))
    p[facts.level_start[:-1] + d.initial_level] = 1.0
    before, after = np.empty((n_pieces, len(p))), np.empty((n_pieces, len(p)))
    if len(p) == 0:
        return before, after
    acts = np.diff(facts.start)[data.channel] > 0
    flips = np.flatnonzero(d.flip_fact >= 0)
    at_flip = np.searchsorted(edge[:-1], d.flip_time[flips] - 1e-9, side="left")
    turns = [(int(at), 0, int(line)) for at, line in zip(at_flip, flips, strict=True) if at < n_pieces]
    turns += [(int(at), 1, int(c)) for c, at in zip(data.channel[acts], piece[acts], strict=True)]
    k: int = 0
    for at, is_act, what in sorted(turns, key=lambda turn: turn[:2]):
        if is_act and data.by_day:
            before[k : at + 1] = p
            act_on_facts(facts, p, what)
            after[at] = p
            # acts of one day share its morning
            k = max(k, at + 1)
            continue
        before[k:at] = p
        k = max(k, at)
        if is_act:
            act_on_facts(facts, p, what)
        else:
            s = d.flip_fact[what]
            p[facts.level_start[s] : facts.level_start[s + 1]] = 0.0
            p[facts.level_start[s] + d.flip_level[what]] = 1.0
    before[k:] = p
    if data.by_day:
        touched = np.zeros(n_pieces, bool)
        touched[piece[acts]] = True
        after[~touched] = before[~touched]
    return before, after


def gate_values(d: Design, facts: Drift, slope: Floats, belief: Floats, pairs: Ints | None = None) -> Floats:
    """(K, pairs) mean gate of every pair, or of those given, under beliefs (K, cells); facts taken as independent."""
    wanted = np.arange(len(d.pair_size)) if pairs is None else pairs
    result = np.empty((len(belief), len(wanted)))
    for k, q in enumerate(wanted):
        own = d.pair_fact[d.pair_fact_start[q] : d.pair_fact_start[q + 1]]
        value = np.broadcast_to(slope[d.pair_term[q] : d.pair_term[q] + d.pair_size[q]], (len(belief), d.pair_size[q]))
        # stride 1 first: the last fact varies most slowly and is summed over first
        for s in own[::-1]:
            levels = slice(int(facts.level_start[s]), int(facts.level_start[s + 1]))
            n_levels = levels.stop - levels.start
            parts = value.reshape(len(belief), n_levels, value.shape[1] // n_levels)
            value = np.einsum("kl,kls->ks", belief[:, levels], parts)
        result[:, k] = value[:, 0]
    return result


def classes_of(climber: Climber, wanted: Ints) -> tuple[Ints, int]:
    """(class of each channel, number of classes): `wanted` where that many can be kept, else all in one."""
    n_classes = int(wanted.max(initial=0)) + 1
    n_pieces = len(climber.problem.data.time) * (12 if climber.hidden else 1) + climber.problem.data.days
    if n_classes * n_pieces > MOST_CELLS:
        return np.zeros_like(wanted), 1
    return wanted, n_classes
