"""The process by its definition: intensities tracked, nothing clever. What the engine's statistics are held against.

Follows the formula at the top of `powderkeg/engine/arrays.py`, for systems without timers and profiles. Memory is kept
for every edge and kernel component: y = sum over past events of the source of exp(-decay * age).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# ruff: noqa: NPY002 (the generator that Numba compiles to)

# Gauss-Legendre, 8 points on [0, 1].
_X, _W = np.polynomial.legendre.leggauss(8)
NODES, WEIGHTS = (_X + 1) / 2, _W / 2


def arrays(system):
    """What the functions below take: plain arrays, an edge's components laid out one after the other."""
    components = np.diff(system.kernel_start)[system.edge_mechanism]
    start = np.concatenate([[0], np.cumsum(components)])
    owner = np.repeat(np.arange(system.n_edges), components)
    j = system.kernel_start[system.edge_mechanism][owner] + np.arange(len(owner)) - start[owner]
    source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))
    return (
        system.rate, system.background_gate, system.channel_gate, source[owner], system.edge_target[owner],
        system.edge_gate[owner], system.edge_mass[owner] * system.kernel_share[j] * system.kernel_decay[j],
        system.kernel_decay[j], system.row_start, system.entry_fact, system.entry_offset, system.level_factor,
        system.effect_start, system.effect_fact, system.effect_level, system.effect_probability, system.calm_decay,
        system.calm_add_start, system.calm_add_index, system.calm_add_amount, system.calm_low_start,
        system.calm_low_index, system.calm_low_strength,
    )  # fmt: skip


@njit(cache=True)
def _gate(row, z, row_start, fact, offset, factor):
    product = 1.0
    for i in range(row_start[row], row_start[row + 1]):
        product *= factor[offset[i] + z[fact[i]]]
    return product


@njit(cache=True)
def count_paths(a, initial, past_time, past_channel, begin, days, n_paths, seed):
    """(n_paths, C) events in [begin, begin + days) by Ogata's thinning, after a given past."""
    (rate, background_gate, channel_gate, source, target, gate, jump, decay, row_start, fact, offset, factor,
     effect_start, effect_fact, effect_level, effect_chance, calm_decay, add_start, add_index, add_amount, low_start,
     low_index, low_strength) = a  # fmt: skip
    np.random.seed(seed)
    C, K, D = len(rate), len(target), len(calm_decay)
    counts = np.zeros((n_paths, C), np.int64)
    z, y, x = np.empty(len(initial), np.int64), np.empty(K), np.empty(D)
    lam = np.empty(C)
    for path in range(n_paths):
        z[:] = initial
        y[:] = 0.0
        x[:] = 0.0
        now = past_time[0] if len(past_time) else begin
        i_past = 0
        while True:
            # Bound: memories only decay; a calm only lowers, so it is left out of the bound.
            lam[:] = 0.0
            for c in range(C):
                lam[c] = rate[c] * _gate(background_gate[c], z, row_start, fact, offset, factor)
            for k in range(K):
                if y[k] > 0.0:
                    lam[target[k]] += jump[k] * y[k] * _gate(gate[k], z, row_start, fact, offset, factor)
            bound = 0.0
            for c in range(C):
                lam[c] *= _gate(channel_gate[c], z, row_start, fact, offset, factor)
                bound += lam[c]
            is_past = i_past < len(past_time)
            then = past_time[i_past] if is_past else now + np.random.exponential() / max(bound, 1e-300)
            if then >= begin + days:
                break
            step = then - now
            for k in range(K):
                y[k] *= math.exp(-decay[k] * step)
            for d in range(D):
                x[d] *= math.exp(-calm_decay[d] * step)
            now = then
            if is_past:
                c = past_channel[i_past]
                i_past += 1
            else:
                lam[:] = 0.0
                for c in range(C):
                    lam[c] = rate[c] * _gate(background_gate[c], z, row_start, fact, offset, factor)
                for k in range(K):
                    if y[k] > 0.0:
                        lam[target[k]] += jump[k] * y[k] * _gate(gate[k], z, row_start, fact, offset, factor)
                u = np.random.random() * bound
                c = -1
                total = 0.0
                for i in range(C):
                    lam[i] *= _gate(channel_gate[i], z, row_start, fact, offset, factor)
                    lowering = 0.0
                    for j in range(low_start[i], low_start[i + 1]):
                        lowering += low_strength[j] * x[low_index[j]]
                    total += lam[i] * math.exp(-lowering)
                    if u < total:
                        c = i
                        break
                if c < 0:
                    continue
                counts[path, c] += 1
            for i in range(effect_start[c], effect_start[c + 1]):
                if np.random.random() < effect_chance[i]:
                    z[effect_fact[i]] = effect_level[i]
            for i in range(add_start[c], add_start[c + 1]):
                x[add_index[i]] += add_amount[i]
            for k in range(K):
                if source[k] == c:
                    y[k] += 1.0
            if is_past and i_past == len(past_time):
                # From the last past event to the beginning of the window nothing else is known to have happened.
                step = begin - now
                for k in range(K):
                    y[k] *= math.exp(-decay[k] * step)
                for d in range(D):
                    x[d] *= math.exp(-calm_decay[d] * step)
                now = begin
    return counts


@njit(cache=True)
def compensators(a, initial, time, channel, level_after, days, has_calm):
    """Compensators of one history: by channel at each event and at the end, (n + 1, C) increments.

    level_after  (n, S) levels after each event, as the engine's own events have moved them
    """
    (rate, background_gate, channel_gate, source, target, gate, jump, decay, row_start, fact, offset, factor,
     _effect_start, _effect_fact, _effect_level, _effect_chance, calm_decay, add_start, add_index, add_amount,
     low_start, low_index, low_strength) = a  # fmt: skip
    C, K, D, n = len(rate), len(target), len(calm_decay), len(time)
    out = np.zeros((n + 1, C))
    z, y, x = initial.copy(), np.zeros(K), np.zeros(D)
    now = 0.0
    g = np.empty(C)
    fastest = 0.0
    for k in range(K):
        fastest = max(fastest, decay[k])
    for d in range(D):
        fastest = max(fastest, calm_decay[d])
    for i in range(n + 1):
        then = time[i] if i < n else days
        step = then - now
        for c in range(C):
            g[c] = _gate(channel_gate[c], z, row_start, fact, offset, factor)
        panels = max(1, math.ceil(fastest * step / 2.0)) if has_calm else 1
        for p in range(panels):
            for node in range(len(NODES) if has_calm else 1):
                since = (p + NODES[node]) * step / panels
                weight = WEIGHTS[node] * step / panels
                for c in range(C):
                    if g[c] == 0.0:
                        continue
                    calm = 1.0
                    if has_calm and low_start[c + 1] > low_start[c]:
                        lowering = 0.0
                        for j in range(low_start[c], low_start[c + 1]):
                            lowering += low_strength[j] * x[low_index[j]] * math.exp(-calm_decay[low_index[j]] * since)
                        calm = math.exp(-lowering)
                    own = rate[c] * _gate(background_gate[c], z, row_start, fact, offset, factor)
                    out[i, c] += g[c] * calm * own * (weight if has_calm else step)
                for k in range(K):
                    if y[k] == 0.0 or g[target[k]] == 0.0:
                        continue
                    c = target[k]
                    own = jump[k] * y[k] * _gate(gate[k], z, row_start, fact, offset, factor) * g[c]
                    if not has_calm:
                        out[i, c] -= own * math.expm1(-decay[k] * step) / decay[k]
                        continue
                    lowering = 0.0
                    for j in range(low_start[c], low_start[c + 1]):
                        lowering += low_strength[j] * x[low_index[j]] * math.exp(-calm_decay[low_index[j]] * since)
                    out[i, c] += own * math.exp(-decay[k] * since - lowering) * weight
        for k in range(K):
            y[k] *= math.exp(-decay[k] * step)
        for d in range(D):
            x[d] *= math.exp(-calm_decay[d] * step)
        now = then
        if i < n:
            c = channel[i]
            z[:] = level_after[i]
            for j in range(add_start[c], add_start[c + 1]):
                x[add_index[j]] += add_amount[j]
            for k in range(K):
                if source[k] == c:
                    y[k] += 1.0
    return out
