"""The likelihood of events at exact times: one pass over the data, then value, gradient and Hessian.

In: a `Design`, decays, events in time order. Out: for every event the terms of its intensity, for every term its
expected count per unit of coefficient (its exposure); from these the log-likelihood

    sum over events of log(sum of coefficient * value)  -  sum over terms of coefficient * exposure

and its first and second derivatives in the linear and the log parameters. The pass costs events times out-degree plus
fact changes times dependents; the gates cost nothing more, because exposures are added up by configuration.

An event at the very time of another does not excite it, and facts are read before the events of that time act.
Source: Ozaki (1979), Ann. Inst. Stat. Math. 31, 145-155 for the recursion; the compression by gate class is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import allocating_loop, inner, loop
from powderkeg.engine.likelihood.design import Design
from powderkeg.units import YEAR

SMALLEST = 1e-12
"""Excitation below this (events/day) is dropped: it cannot move a log-likelihood, and exp underflows are slow."""

NODES = np.polynomial.legendre.leggauss(8)


class Rows(NamedTuple):
    """What a pass found. N rows (events, or active channel-days), T terms.

    start, term, value   CSR (N + 1,): row i's intensity is sum of coefficient[term] * value
    bend                 (entries, components) derivative of value by the log decay of each component of the term's
                         mechanism; no rows where it was not asked for
    exposure             (T,) expected count per unit of coefficient
    exposure_bend        (T, components) its derivative by the log decays
    event                (N,) index of the event each row stands for
    """

    start: Ints
    term: Ints
    value: Floats
    bend: Floats
    exposure: Floats
    exposure_bend: Floats
    event: Ints


@loop
def season_integral(swing: float, peak: float, a: float, b: float) -> float:
    """Integral of 1 + swing * cos(2 pi (t - peak) / 365.25) from a to b, in days."""
    if swing == 0.0:
        return b - a
    w = 2.0 * np.pi / YEAR
    return float((b - a) + swing / w * (np.sin(w * (b - peak)) - np.sin(w * (a - peak))))


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


@inner
def calm_level(d: Design, x: Floats, x_time: float, s: int, t: float) -> float:
    """exp(-sum strength * x) of calm set s at time t, from levels x at x_time."""
    total = 0.0
    for k in range(d.calm_set_start[s], d.calm_set_start[s + 1]):
        i = d.calm_set_index[k]
        total += d.calm_set_strength[k] * x[i] * np.exp(-d.calm_decay[i] * (t - x_time))
    return float(np.exp(-total))


@inner
def expose_ground(d: Design, b: int, config: int, a: float, z: float, x: Floats, x_time: float, out: Floats) -> None:
    """Add the background exposure of ground b from a to z, in configuration `config`, to `out`."""
    if z <= a:
        return
    p = d.ground_profile[b]
    first = d.ground_term[b] + config * d.n_shapes
    k = cell_of(d.cell_time, a)
    low = a
    while low < z:
        high = min(z, d.cell_time[k + 1]) if k < len(d.cell_value[0]) - 1 else z
        if d.ground_calm[b] < 0:
            mass = season_integral(d.profile_swing[p], d.profile_peak[p], low, high)
        else:
            mass = 0.0
            steps = calm_panels(d, d.ground_calm[b], x, x_time, low, high, 0.0)
            for j in range(steps):
                left = low + (high - low) * j / steps
                half = 0.5 * (high - low) / steps
                for node in range(8):
                    t = left + half * (1.0 + NODES[0][node])
                    season = 1.0 + d.profile_swing[p] * np.cos(2.0 * np.pi * (t - d.profile_peak[p]) / YEAR)
                    mass += half * NODES[1][node] * season * calm_level(d, x, x_time, d.ground_calm[b], t)
        out[first + d.cell_shape[k]] += d.ground_scale[b] * d.cell_value[p, k] * mass
        low = high
        k += 1


@inner
def calm_panels(d: Design, s: int, x: Floats, x_time: float, a: float, z: float, decay: float) -> int:
    """Panels of an 8-point Gauss-Legendre rule that keep rate times width at 2 or less; 1 where calm is spent."""
    fastest = decay
    spent = True
    for k in range(d.calm_set_start[s], d.calm_set_start[s + 1]):
        i = d.calm_set_index[k]
        if d.calm_set_strength[k] * x[i] * np.exp(-d.calm_decay[i] * (a - x_time)) > 1e-10:
            spent = False
            fastest = max(fastest, d.calm_decay[i])
    if spent and decay == 0.0:
        return 1
    return max(1, min(int(np.ceil(fastest * (z - a) / 2.0)), 4096))


@inner
def expose_group(
    d: Design,
    g: int,
    config: int,
    level: Floats,
    moment: Floats,
    decay: Floats,
    a: float,
    z: float,
    x: Floats,
    x_time: float,
    out: Floats,
    out_bend: Floats,
) -> None:
    """Add the exposure of group g from a to z to `out`, and let its levels (at a) decay to z.

    level   (components,) sum of mass * exp(-decay * age);  moment (components,) the same times age
    """
    m = d.group_mechanism[g]
    width = z - a
    if width <= 0.0:
        return
    calm = d.group_calm[g]
    row = d.group_term[g] + config
    sloped = len(out_bend) > 0
    for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
        k = j - d.kernel_start[m]
        if level[k] <= 0.0:
            continue
        share, b = d.kernel_share[j], decay[j]
        fade = np.exp(-b * width)
        if calm < 0:
            out[row] -= share * level[k] * np.expm1(-b * width)
            if sloped:
                later = fade * (moment[k] + width * level[k])
                out_bend[row, k] += share * b * (later - moment[k])
        else:
            steps = calm_panels(d, calm, x, x_time, a, z, b)
            for panel in range(steps):
                half = 0.5 * width / steps
                left = a + 2.0 * half * panel
                for node in range(8):
                    t = left + half * (1.0 + NODES[0][node])
                    weight = half * NODES[1][node] * share * b * calm_level(d, x, x_time, calm, t)
                    now = np.exp(-b * (t - a))
                    out[row] += weight * level[k] * now
                    if sloped:
                        out_bend[row, k] += weight * now * (level[k] - b * (moment[k] + (t - a) * level[k]))
        moment[k] = fade * (moment[k] + width * level[k])
        level[k] *= fade
        if level[k] < SMALLEST:
            level[k] = 0.0
            moment[k] = 0.0


@inner
def age_slot(kernel_start: Ints, m: int, level: Floats, moment: Floats, decay: Floats, width: float) -> None:
    """Let a slot's levels and moments decay over `width` days."""
    # Helpers take the arrays they need, not the Design: its sixty arrays would be unpacked in every compiled copy.
    if width <= 0.0:
        return
    for j in range(kernel_start[m], kernel_start[m + 1]):
        k = j - kernel_start[m]
        if level[k] > 0.0:
            fade = np.exp(-decay[j] * width)
            moment[k] = fade * (moment[k] + width * level[k])
            level[k] *= fade


@inner
def expose_pair(
    d: Design, pair: int, config: int, t: float, total: Floats, total_age: Floats, total_time: Floats,
    ground_time: Floats, decay: Floats, x: Floats, x_time: float, out: Floats, sink: Floats, sink_bend: Floats,
) -> None:  # fmt: skip
    """Count groups (into `sink`) and grounds (into `out`) of a pair up to time t."""
    for r in range(d.pair_group_start[pair], d.pair_group_start[pair + 1]):
        g = d.pair_group[r]
        expose_group(
            d, g, config, total[g], total_age[g], decay, total_time[g], t, x, x_time, sink, sink_bend
        )  # fmt: skip
        total_time[g] = max(t, total_time[g])
    for r in range(d.pair_ground_start[pair], d.pair_ground_start[pair + 1]):
        b = d.pair_ground[r]
        expose_ground(d, b, config, ground_time[b], t, x, x_time, out)
        ground_time[b] = max(t, ground_time[b])


@inner
def fold_shares(
    share: float, term_repeats: Ints, exposure: Floats, exposure_bend: Floats, seen: Floats, seen_bend: Floats
) -> None:
    """Put away what was added up under a share, times it; further reports of an act come whatever is seen."""
    for j in range(len(exposure)):
        times = 1.0 if term_repeats[j] != 0 else share
        seen[j] += times * exposure[j]
        exposure[j] = 0.0
        for k in range(exposure_bend.shape[1] if len(exposure_bend) > 0 else 0):
            seen_bend[j, k] += times * exposure_bend[j, k]
            exposure_bend[j, k] = 0.0


@allocating_loop
def exact_pass(
    d: Design, decay: Floats, time: Floats, channel: Ints, end: float, sloped: bool, worth: Floats, term_repeats: Ints
) -> tuple[Ints, Ints, Floats, Floats, Floats, Floats, Ints]:
    """Terms of every event's intensity and exposure of every term, over [0, end].

    decay    (kernel components,) 1/day
    time     (N,) days, sorted; events before 0 are history: they excite and set facts but are not scored
    channel  (N,)
    sloped   whether derivatives by the log decays are wanted
    worth    (N,) how many acts an event stands for as a cause of others
    term_repeats (T,) 1 where a term stands for further reports of an act
    returns  the fields of `Rows`
    """
    n = len(time)
    widest = 1
    for m in range(len(d.kernel_start) - 1):
        widest = max(widest, d.kernel_start[m + 1] - d.kernel_start[m])
    capacity = 0
    n_rows = 0
    for i in range(n):
        if time[i] >= 0.0:
            n_rows += 1
            capacity += 1 + d.slot_start[channel[i] + 1] - d.slot_start[channel[i]]
    start = np.zeros(n_rows + 1, np.int64)
    term = np.empty(capacity, np.int64)
    value = np.empty(capacity, np.float64)
    event = np.empty(n_rows, np.int64)
    exposure = np.zeros(len(d.term_linear))
    before = np.zeros(len(d.term_linear))  # exposure before the window: thrown away
    bend = np.zeros((capacity if sloped else 0, widest))
    exposure_bend = np.zeros((len(d.term_linear) if sloped else 0, widest))
    before_bend = np.zeros((0, widest))

    origin = min(0.0, time[0]) if n > 0 else 0.0
    level = d.initial_level.copy()
    config = d.initial_config.copy()
    reach = np.zeros((len(d.slot_group), widest))
    reach_age = np.zeros((len(d.slot_group), widest))
    reach_time = np.full(len(d.slot_group), origin)
    total = np.zeros((len(d.group_term), widest))
    total_age = np.zeros((len(d.group_term), widest))
    total_time = np.full(len(d.group_term), origin)
    ground_time = np.zeros(len(d.ground_term))
    x = np.zeros(len(d.calm_decay))
    x_time = origin
    has_calm = len(d.calm_decay) > 0
    opened = origin >= 0.0
    share = 1.0
    seen = np.zeros(len(d.term_linear))
    seen_bend = np.zeros(exposure_bend.shape)
    line = 0
    used = 0
    row = 0
    i = 0
    while i <= n:
        # what comes next: an event, the start of the window, a line of the calendar; after the last event, its end
        t = time[i] if i < n else end
        turns = line < len(d.flip_time) and d.flip_time[line] <= t and (i < n or d.flip_time[line] < end)
        upcoming = max(d.flip_time[line], origin) if turns else t
        if not opened and upcoming >= 0.0:
            for g in range(len(d.group_term)):
                expose_group(
                    d,
                    g,
                    config[d.group_pair[g]],
                    total[g],
                    total_age[g],
                    decay,
                    total_time[g],
                    0.0,
                    x,
                    x_time,
                    before,
                    before_bend,
                )
                total_time[g] = 0.0
            opened = True
        sink = exposure if opened else before
        sink_bend = exposure_bend if opened else before_bend
        if turns:
            f = d.flip_fact[line]
            change = d.flip_level[line] - level[f] if f >= 0 else 0
            first, last = (0, len(config)) if f < 0 else (0, 0)
            if change != 0:
                first, last = d.dep_start[f], d.dep_start[f + 1]
            for q in range(first, last):
                pair = d.dep_pair[q] if f >= 0 else q
                expose_pair(
                    d, pair, config[pair], upcoming, total, total_age, total_time, ground_time, decay, x, x_time,
                    exposure, sink, sink_bend,
                )  # fmt: skip
                if f >= 0:
                    config[pair] += d.dep_stride[q] * change
            if f >= 0:
                level[f] = d.flip_level[line]
            else:
                fold_shares(share, term_repeats, exposure, exposure_bend, seen, seen_bend)
                share = d.flip_share[line]
            line += 1
            continue
        if i == n:
            break
        last = i
        while last < n and time[last] == t:
            last += 1
        if t >= 0.0:
            cell = cell_of(d.cell_time, t)
            for e in range(i, last):
                c = channel[e]
                b = d.channel_ground[c]
                p = d.ground_profile[b]
                calm = 1.0
                if has_calm and d.ground_calm[b] >= 0:
                    calm = calm_level(d, x, x_time, d.ground_calm[b], t)
                v = d.channel_scale[c] * d.cell_value[p, cell] * calm
                if d.profile_swing[p] != 0.0:
                    v *= 1.0 + d.profile_swing[p] * np.cos(2.0 * np.pi * (t - d.profile_peak[p]) / YEAR)
                v *= share
                if v > 0.0:
                    term[used] = d.ground_term[b] + config[d.ground_pair[b]] * d.n_shapes + d.cell_shape[cell]
                    value[used] = v
                    used += 1
                for s in range(d.slot_start[c], d.slot_start[c + 1]):
                    g = d.slot_group[s]
                    m = d.group_mechanism[g]
                    v = 0.0
                    here_share = calm * (share if d.mechanism_repeats[m] == 0 else 1.0)
                    age_slot(d.kernel_start, m, reach[s], reach_age[s], decay, t - reach_time[s])
                    reach_time[s] = t
                    for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
                        k = j - d.kernel_start[m]
                        part = d.kernel_share[j] * decay[j]
                        v += part * reach[s, k]
                        if sloped:
                            bend[used, k] = part * (reach[s, k] - decay[j] * reach_age[s, k]) * here_share
                    if v > SMALLEST:
                        term[used] = d.group_term[g] + config[d.group_pair[g]]
                        value[used] = v * here_share
                        used += 1
                    elif sloped:
                        bend[used, :] = 0.0
                event[row] = e
                row += 1
                start[row] = used
        for e in range(i, last):
            c = channel[e]
            for k in range(d.out_start[c], d.out_start[c + 1]):
                s = d.out_slot[k]
                m = d.group_mechanism[d.slot_group[s]]
                age_slot(d.kernel_start, m, reach[s], reach_age[s], decay, t - reach_time[s])
                reach_time[s] = t
                for here in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    reach[s, here] += d.out_mass[k] * (worth[e] if d.mechanism_repeats[m] == 0 else 1.0)
            for k in range(d.feed_start[c], d.feed_start[c + 1]):
                g = d.feed_group[k]
                m = d.group_mechanism[g]
                expose_group(
                    d,
                    g,
                    config[d.group_pair[g]],
                    total[g],
                    total_age[g],
                    decay,
                    total_time[g],
                    t,
                    x,
                    x_time,
                    sink,
                    sink_bend,
                )
                total_time[g] = t
                for here in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    total[g, here] += d.feed_mass[k] * (worth[e] if d.mechanism_repeats[m] == 0 else 1.0)
            for k in range(d.effect_start[c], d.effect_start[c + 1]):
                f = d.effect_fact[k]
                change = d.effect_level[k] - level[f]
                if change == 0:
                    continue
                level[f] = d.effect_level[k]
                for q in range(d.dep_start[f], d.dep_start[f + 1]):
                    pair = d.dep_pair[q]
                    for r in range(d.pair_group_start[pair], d.pair_group_start[pair + 1]):
                        g = d.pair_group[r]
                        expose_group(
                            d,
                            g,
                            config[pair],
                            total[g],
                            total_age[g],
                            decay,
                            total_time[g],
                            t,
                            x,
                            x_time,
                            sink,
                            sink_bend,
                        )
                        total_time[g] = t
                    for r in range(d.pair_ground_start[pair], d.pair_ground_start[pair + 1]):
                        b = d.pair_ground[r]
                        expose_ground(d, b, config[pair], ground_time[b], t, x, x_time, exposure)
                        ground_time[b] = max(t, 0.0)
                    config[pair] += d.dep_stride[q] * change
            if d.calm_add_start[c + 1] > d.calm_add_start[c]:
                for g in range(len(d.group_term)):
                    if d.group_calm[g] >= 0:
                        expose_group(
                            d,
                            g,
                            config[d.group_pair[g]],
                            total[g],
                            total_age[g],
                            decay,
                            total_time[g],
                            t,
                            x,
                            x_time,
                            sink,
                            sink_bend,
                        )
                        total_time[g] = t
                for b in range(len(d.ground_term)):
                    if d.ground_calm[b] >= 0:
                        expose_ground(d, b, config[d.ground_pair[b]], ground_time[b], t, x, x_time, exposure)
                        ground_time[b] = max(t, 0.0)
                for k in range(len(d.calm_decay)):
                    x[k] *= np.exp(-d.calm_decay[k] * (t - x_time))
                x_time = t
                for k in range(d.calm_add_start[c], d.calm_add_start[c + 1]):
                    x[d.calm_add_index[k]] += d.calm_add_amount[k]
        i = last
    for g in range(len(d.group_term)):
        if not opened:  # no event within the window
            expose_group(
                d,
                g,
                config[d.group_pair[g]],
                total[g],
                total_age[g],
                decay,
                total_time[g],
                0.0,
                x,
                x_time,
                before,
                before_bend,
            )
            total_time[g] = 0.0
        expose_group(
            d,
            g,
            config[d.group_pair[g]],
            total[g],
            total_age[g],
            decay,
            total_time[g],
            end,
            x,
            x_time,
            exposure,
            exposure_bend,
        )
    for b in range(len(d.ground_term)):
        expose_ground(d, b, config[d.ground_pair[b]], ground_time[b], end, x, x_time, exposure)
    if line > 0:
        fold_shares(share, term_repeats, exposure, exposure_bend, seen, seen_bend)
        exposure, exposure_bend = seen, seen_bend
    kept = bend[:used].copy() if sloped else bend
    return start, term[:used].copy(), value[:used].copy(), kept, exposure, exposure_bend, event


@allocating_loop
def evaluate_rows(
    start: Ints,
    term: Ints,
    value: Floats,
    weight: Floats,
    coefficient: Floats,
    slope: Floats,
    linear: Ints,
    x_start: Ints,
    x_index: Ints,
    x_value: Floats,
    n_linear: int,
    n_log: int,
    curved: bool,
) -> tuple[float, Floats, Floats, Floats]:
    """Sum over rows of weight * log(intensity), with derivatives.

    coefficient  (T,) coefficient of every term;  slope (T,) the same per unit of its linear parameter
    returns      value; gradient (n_linear + n_log,); per term, sum of weight * value / intensity (T,);
                 minus sum of weight * d d' / intensity^2 (n, n), zeros unless `curved`
    """
    n = n_linear + n_log
    total = 0.0
    gradient = np.zeros(n)
    pull = np.zeros(len(coefficient))
    hessian = np.zeros((n, n))
    d = np.zeros(n)
    touched = np.empty(n, np.int64)
    marked = np.zeros(n, np.bool_)
    for i in range(len(start) - 1):
        intensity = 0.0
        for e in range(start[i], start[i + 1]):
            intensity += coefficient[term[e]] * value[e]
        if not intensity > 0.0:
            return -np.inf, gradient, pull, hessian
        total += weight[i] * np.log(intensity)
        scale = 1.0 / intensity
        count = 0
        for e in range(start[i], start[i + 1]):
            j = term[e]
            v = value[e] * scale
            pull[j] += weight[i] * v
            p = linear[j]
            if not marked[p]:
                marked[p] = True
                touched[count] = p
                count += 1
            d[p] += slope[j] * v
            full = coefficient[j] * v
            for k in range(x_start[j], x_start[j + 1]):
                s = n_linear + x_index[k]
                if not marked[s]:
                    marked[s] = True
                    touched[count] = s
                    count += 1
                d[s] += full * x_value[k]
        for a in range(count):
            p = touched[a]
            gradient[p] += weight[i] * d[p]
            if curved:
                left = weight[i] * d[p]
                for b in range(count):
                    hessian[p, touched[b]] -= left * d[touched[b]]
        for a in range(count):
            d[touched[a]] = 0.0
            marked[touched[a]] = False
    return total, gradient, pull, hessian


@allocating_loop
def bend_rows(
    start: Ints,
    term: Ints,
    value: Floats,
    bend: Floats,
    weight: Floats,
    coefficient: Floats,
    linear: Ints,
    n_rates: int,
    kernel_start: Ints,
    n_components: int,
) -> Floats:
    """(kernel components,) derivative of the sum over rows of weight * log(intensity) by the log decays."""
    result = np.zeros(n_components)
    for i in range(len(start) - 1):
        intensity = 0.0
        for e in range(start[i], start[i + 1]):
            intensity += coefficient[term[e]] * value[e]
        scale = weight[i] / intensity
        for e in range(start[i], start[i + 1]):
            m = linear[term[e]] - n_rates
            if m >= 0:
                for j in range(kernel_start[m], kernel_start[m + 1]):
                    result[j] += scale * coefficient[term[e]] * bend[e, j - kernel_start[m]]
    return result
