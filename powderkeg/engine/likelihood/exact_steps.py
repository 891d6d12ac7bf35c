"""The steps of the passes over exact times: what a channel's intensity is made of, and what is expected meanwhile.

In: the parts of a `Design` that a step reads, arrays of what is remembered, a time. Out: entries of rows, exposures,
levels moved on in their place. `exact` puts the steps in order; `exact_filtered` uses those that know nothing of facts.
Steps allocate nothing: see `engine.compiled` for why.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inlined, inner
from powderkeg.engine.likelihood.design import Design
from powderkeg.units import YEAR

SMALLEST = 1e-12
"""Excitation below this (events/day) is dropped: it cannot move a log-likelihood, and exp underflows are slow."""

NODES = np.polynomial.legendre.leggauss(8)


class Delays(NamedTuple):
    """Components of the mechanisms' kernels: share and decay of each, those of mechanism m from start[m] on."""

    start: Ints
    share: Floats
    decay: Floats


class AnswerGroups(NamedTuple):
    """Of each group: its pair of gate rows, its mechanism, its term of configuration 0, its set of calms or -1."""

    pair: Ints
    mechanism: Ints
    term: Ints
    calm: Ints


class Grounds(NamedTuple):
    """Of each ground: its pair, its profile, its term of configuration 0 and shape 0, its scale, its calms or -1."""

    pair: Ints
    profile: Ints
    term: Ints
    scale: Floats
    calm: Ints


class Timeline(NamedTuple):
    """How backgrounds move with time: a factor in each cell of time, by profile, and a season. As in `Design`."""

    cell_time: Floats
    cell_value: Floats
    cell_shape: Ints
    swing: Floats
    peak: Floats
    n_shapes: int


class Calms(NamedTuple):
    """How calms fade, which of them each set holds and how strongly, and what an act of each channel adds."""

    decay: Floats
    set_start: Ints
    set_index: Ints
    set_strength: Floats
    add_start: Ints
    add_index: Ints
    add_amount: Floats


class Carried(NamedTuple):
    """What is remembered of the past, of slots or of groups, by component, and the time at which it stood so.

    level   (., components) sum of mass * e^(-decay * age);  moment the same times age
    """

    level: Floats
    moment: Floats
    since: Floats


def carried(n: int, widest: int, origin: float) -> Carried:
    """Nothing remembered yet, of `n` slots or groups."""
    return Carried(np.zeros((n, widest)), np.zeros((n, widest)), np.full(n, float(origin)))


def delays_of(d: Design, decay: Floats) -> Delays:
    """The kernels of a design with these decays."""
    return Delays(d.kernel_start, d.kernel_share, np.ascontiguousarray(decay, np.float64))


def groups_of(d: Design) -> AnswerGroups:
    """The groups of a design."""
    return AnswerGroups(d.group_pair, d.group_mechanism, d.group_term, d.group_calm)


def grounds_of(d: Design) -> Grounds:
    """The grounds of a design."""
    return Grounds(d.ground_pair, d.ground_profile, d.ground_term, d.ground_scale, d.ground_calm)


def timeline_of(d: Design) -> Timeline:
    """How the backgrounds of a design move with time."""
    return Timeline(d.cell_time, d.cell_value, d.cell_shape, d.profile_swing, d.profile_peak, d.n_shapes)


def calms_of(d: Design) -> Calms:
    """The calms of a design."""
    return Calms(
        d.calm_decay, d.calm_set_start, d.calm_set_index, d.calm_set_strength, d.calm_add_start, d.calm_add_index,
        d.calm_add_amount,
    )  # fmt: skip


@inner
def season_integral(swing: float, peak: float, a: float, b: float) -> float:
    """Integral of 1 + swing * cos(2 pi (t - peak) / 365.25) from a to b, in days."""
    if swing == 0.0:
        return b - a
    w = 2.0 * np.pi / YEAR
    return float((b - a) + swing / w * (np.sin(w * (b - peak)) - np.sin(w * (a - peak))))


@inlined
def season(swing: float, peak: float, t: float) -> float:
    """1 + swing * cos(2 pi (t - peak) / 365.25)."""
    return 1.0 + swing * np.cos(2.0 * np.pi * (t - peak) / YEAR)


@inner
def cell_of(cell_time: Floats, t: float) -> int:
    """Index of the time cell that holds t; the last cell holds the end of the window."""
    low, high = 0, len(cell_time)  # np.searchsorted would take a second to compile
    while low < high:
        middle = (low + high) // 2
        if cell_time[middle] <= t:
            low = middle + 1
        else:
            high = middle
    return min(max(low - 1, 0), len(cell_time) - 2)


@inlined
def calm_level(q: Calms, x: Floats, x_time: float, s: int, t: float) -> float:
    """exp(-sum strength * x) of calm set s at time t, from levels x at x_time."""
    total = 0.0
    for k in range(q.set_start[s], q.set_start[s + 1]):
        i = q.set_index[k]
        total += q.set_strength[k] * x[i] * np.exp(-q.decay[i] * (t - x_time))
    return float(np.exp(-total))


@inner
def calm_panels(q: Calms, s: int, x: Floats, x_time: float, a: float, z: float, decay: float) -> int:
    """Panels of an 8-point Gauss-Legendre rule that keep rate times width at 2 or less; 1 where calm is spent."""
    fastest = decay
    spent = True
    for k in range(q.set_start[s], q.set_start[s + 1]):
        i = q.set_index[k]
        if q.set_strength[k] * x[i] * np.exp(-q.decay[i] * (a - x_time)) > 1e-10:
            spent = False
            fastest = max(fastest, q.decay[i])
    if spent and decay == 0.0:
        return 1
    return max(1, min(int(np.ceil(fastest * (z - a) / 2.0)), 4096))


@inlined
def add_calm(q: Calms, x: Floats, x_time: float, c: int, t: float) -> None:
    """What an act of channel c at time t adds to the levels x, which stood so at x_time."""
    for k in range(len(x)):
        x[k] *= np.exp(-q.decay[k] * (t - x_time))
    for k in range(q.add_start[c], q.add_start[c + 1]):
        x[q.add_index[k]] += q.add_amount[k]


@inner
def _calmed_season(
    q: Calms, s: int, x: Floats, x_time: float, swing: float, peak: float, low: float, high: float
) -> float:
    """Integral of season times calm set s from low to high."""
    mass = 0.0
    panels = calm_panels(q, s, x, x_time, low, high, 0.0)
    for j in range(panels):
        left = low + (high - low) * j / panels
        half = 0.5 * (high - low) / panels
        for node in range(8):
            t = left + half * (1.0 + NODES[0][node])
            mass += half * NODES[1][node] * season(swing, peak, t) * calm_level(q, x, x_time, s, t)
    return mass


@inner
def expose_ground(
    b: int, z: float, config: Ints, grounds: Grounds, clock: Timeline, q: Calms, x: Floats, x_time: float,
    since: Floats, out: Floats,
) -> None:  # fmt: skip
    """Add the background exposure of ground b from since[b] to z, in its pair's configuration, to `out`."""
    low = since[b]
    since[b] = max(z, 0.0)
    if z <= low:
        return
    p = grounds.profile[b]
    first = grounds.term[b] + config[grounds.pair[b]] * clock.n_shapes
    k = cell_of(clock.cell_time, low)
    while low < z:
        high = min(z, clock.cell_time[k + 1]) if k < len(clock.cell_shape) - 1 else z
        if grounds.calm[b] < 0:
            mass = season_integral(clock.swing[p], clock.peak[p], low, high)
        else:
            mass = _calmed_season(q, grounds.calm[b], x, x_time, clock.swing[p], clock.peak[p], low, high)
        out[first + clock.cell_shape[k]] += grounds.scale[b] * clock.cell_value[p, k] * mass
        low = high
        k += 1


@inner
def _expose_calmed(
    q: Calms, s: int, x: Floats, x_time: float, a: float, z: float, share: float, decay: float, level: float,
    moment: float, row: int, k: int, out: Floats, out_bend: Floats,
) -> None:  # fmt: skip
    """Exposure of one component from a to z under calm set s."""
    width = z - a
    panels = calm_panels(q, s, x, x_time, a, z, decay)
    for panel in range(panels):
        half = 0.5 * width / panels
        left = a + 2.0 * half * panel
        for node in range(8):
            t = left + half * (1.0 + NODES[0][node])
            weight = half * NODES[1][node] * share * decay * calm_level(q, x, x_time, s, t)
            now = np.exp(-decay * (t - a))
            out[row] += weight * level * now
            if len(out_bend) > 0:
                out_bend[row, k] += weight * now * (level - decay * (moment + (t - a) * level))


@inlined
def expose_group(
    g: int, z: float, config: Ints, groups: AnswerGroups, delays: Delays, q: Calms, x: Floats, x_time: float,
    level: Floats, moment: Floats, since: Floats, out: Floats, out_bend: Floats,
) -> None:  # fmt: skip
    """Add the exposure of group g from since[g] to z to `out`, and let its levels decay to z."""
    m = groups.mechanism[g]
    a = since[g]
    width = z - a
    since[g] = z
    if width <= 0.0:
        return
    calm = groups.calm[g]
    row = groups.term[g] + config[groups.pair[g]]
    for j in range(delays.start[m], delays.start[m + 1]):
        k = j - delays.start[m]
        if level[g, k] <= 0.0:
            continue
        share, b = delays.share[j], delays.decay[j]
        fade = np.exp(-b * width)
        if calm < 0:
            out[row] -= share * level[g, k] * np.expm1(-b * width)
            if len(out_bend) > 0:
                later = fade * (moment[g, k] + width * level[g, k])
                out_bend[row, k] += share * b * (later - moment[g, k])
        else:
            _expose_calmed(q, calm, x, x_time, a, z, share, b, level[g, k], moment[g, k], row, k, out, out_bend)
        moment[g, k] = fade * (moment[g, k] + width * level[g, k])
        level[g, k] *= fade
        if level[g, k] < SMALLEST:
            level[g, k] = 0.0
            moment[g, k] = 0.0


@inlined
def age_slot(kernel_start: Ints, decay: Floats, m: int, s: int, t: float, reach: Carried) -> None:
    """Let the levels and moments of slot s, of mechanism m, decay to t."""
    width = t - reach.since[s]
    reach.since[s] = t
    if width <= 0.0:
        return
    level, moment = reach.level, reach.moment
    for j in range(kernel_start[m], kernel_start[m + 1]):
        k = j - kernel_start[m]
        if level[s, k] > 0.0:
            fade = np.exp(-decay[j] * width)
            moment[s, k] = fade * (moment[s, k] + width * level[s, k])
            level[s, k] *= fade


@inlined
def excite_slots(
    c: int, t: float, worth: Floats | tuple[float], reports: int, out_start: Ints, out_slot: Ints, out_mass: Floats,
    slot_mechanism: Ints, repeats: Ints, kernel_start: Ints, decay: Floats, reach: Carried,
) -> None:  # fmt: skip
    """Channel c acts at time t: `worth` acts as causes by each mechanism (or by all), so many reports are seen."""
    last = len(worth) - 1
    for k in range(out_start[c], out_start[c + 1]):
        s = out_slot[k]
        m = slot_mechanism[s]
        age_slot(kernel_start, decay, m, s, t, reach)
        for h in range(kernel_start[m + 1] - kernel_start[m]):
            reach.level[s, h] += out_mass[k] * (worth[min(m, last)] if repeats[m] == 0 else reports)
