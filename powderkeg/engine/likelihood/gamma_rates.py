"""Channels whose own rates are unknown: the likelihood with every rate integrated out under a Gamma law.

In: the rows of a pass, sorted by channel; coefficients of the terms; the shapes of the Gamma laws. Out: the sum over
channels of

    log of the integral over x of   prod_i (x g_i + d_i)^w_i  e^(-x G)  Gamma(x; shape A, mean 1)

with gradient and Hessian, where row i's intensity is g_i from the background and d_i from excitation, and G is the
channel's expected count of background. x is how busy the channel is, as a multiple of its rate parameter.

Given the history the likelihood factorises over channels, so the integral is one-dimensional. It is the trapezoid rule
in u = log x, whose error falls exponentially with the step: below, where x g is small against every d, the integrand
is a power of x and the rest of the rule is a geometric series, so no mass is lost however small the shape.
Derivatives are expectations under the law of x given the channel's events (Fisher's and Louis' identities).
Source: Louis (1982), J. R. Stat. Soc. B 44, 226-233; the use for excitation among many channels is ours.
"""

from __future__ import annotations

from math import lgamma

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import allocating, allocating_loop, inlined, inner

DROPPED = 40.0
"""Log of the largest share of an integral that its bounds may cut off, with the sign turned."""
CUT = 1e-11
"""Share of an integral that may be left out below the lowest node."""
LEAST_SHARE = 1e-10
"""Nodes with less of the integral than this add nothing to derivatives."""


@inner
def digamma(a: float) -> float:
    """Derivative of log Gamma, to 1e-13 for a > 0."""
    shift = 0.0
    while a < 12.0:
        shift -= 1.0 / a
        a += 1.0
    z = 1.0 / (a * a)
    series = z * (1.0 / 12.0 - z * (1.0 / 120.0 - z * (1.0 / 252.0 - z * (1.0 / 240.0 - z * (1.0 / 132.0)))))
    return float(shift + np.log(a) - 0.5 / a - series)


@inner
def trigamma(a: float) -> float:
    """Second derivative of log Gamma, to 1e-12 for a > 0."""
    shift = 0.0
    while a < 12.0:
        shift += 1.0 / (a * a)
        a += 1.0
    z = 1.0 / (a * a)
    series = z * (1.0 / 6.0 - z * (1.0 / 30.0 - z * (1.0 / 42.0 - z * (1.0 / 30.0 - z * (5.0 / 66.0)))))
    return float(shift + 1.0 / a + 0.5 * z + series / a)


@allocating
def twice(a: Floats) -> Floats:
    """The same with as much room again."""
    longer = np.zeros(2 * len(a))
    for k in range(len(a)):
        longer[k] = a[k]
    return longer


@inner
def log_integrand(u: float, power: float, big: float, g: Floats, d: Floats, w: Floats, n_single: int, n: int) -> float:
    """Log of the integrand (in u) at u; rows 0..n-1 have excitation, of weight 1 up to n_single."""
    x = np.exp(u)
    total = power * u - big * x
    product, left = 1.0, 12
    for i in range(n_single):  # one logarithm for twelve rows
        product *= x * g[i] + d[i]
        left -= 1
        if left == 0:
            total += np.log(product)
            product, left = 1.0, 12
    total += np.log(product)
    for i in range(n_single, n):
        total += w[i] * np.log(x * g[i] + d[i])
    return float(total)


@inlined
def _touch(p: int, column: Ints, touched: Ints, n_touched: int) -> int:
    """Put parameter p on the list of those that a channel depends on; returns how many it holds."""
    if column[p] < 0:
        column[p] = n_touched
        touched[n_touched] = p
        n_touched += 1
    return n_touched


@inlined
def _rates(
    row: int, start: Ints, term: Ints, value: Floats, is_ground: Ints, coefficient: Floats, linear: Ints,
    x_start: Ints, x_index: Ints, n_linear: int, curved: bool, column: Ints, touched: Ints, n_touched: int,
) -> tuple[float, float, int]:  # fmt: skip
    """A row's background and excitation, and how many parameters are on the list with those that it depends on."""
    g, d = 0.0, 0.0
    for e in range(start[row], start[row + 1]):
        t = term[e]
        if is_ground[t]:
            g += coefficient[t] * value[e]
        else:
            d += coefficient[t] * value[e]
        if curved:
            n_touched = _touch(linear[t], column, touched, n_touched)
            for k in range(x_start[t], x_start[t + 1]):
                n_touched = _touch(n_linear + x_index[k], column, touched, n_touched)
    return g, d, n_touched


@inner
def _row_slopes(
    i: int, row: int, start: Ints, term: Ints, value: Floats, is_ground: Ints, coefficient: Floats, slope: Floats,
    linear: Ints, x_start: Ints, x_index: Ints, x_value: Floats, n_linear: int, column: Ints, n_touched: int,
    dg: Floats, dd: Floats,
) -> None:  # fmt: skip
    """Derivatives of a row's background and excitation by the parameters on the list."""
    for q in range(n_touched):
        dg[i, q] = 0.0
        dd[i, q] = 0.0
    for e in range(start[row], start[row + 1]):
        t = term[e]
        v = value[e]
        if is_ground[t]:
            dg[i, column[linear[t]]] += slope[t] * v
            for k in range(x_start[t], x_start[t + 1]):
                dg[i, column[n_linear + x_index[k]]] += coefficient[t] * v * x_value[k]
        else:
            dd[i, column[linear[t]]] += slope[t] * v
            for k in range(x_start[t], x_start[t + 1]):
                dd[i, column[n_linear + x_index[k]]] += coefficient[t] * v * x_value[k]


@inner
def _bend_alone(
    power: float, big: float, a: float, scale: float, b: int, ground_slope: Floats, touched: Ints, n_touched: int,
    own: int, bent: Floats,
) -> None:  # fmt: skip
    """Curvature of a channel without excitation, whose integral is a Gamma function."""
    spread, both = power / (big * big), 1.0 / big
    for q in range(n_touched):
        slope_q = scale * ground_slope[b, touched[q]]
        for r in range(n_touched):
            bent[q, r] += spread * slope_q * scale * ground_slope[b, touched[r]]
        if q != own:
            cross = -a * slope_q * (both - spread)
            bent[q, own] += cross
            bent[own, q] += cross
    bent[own, own] += a * a * (trigamma(power) - 2.0 * both + spread)


@inlined
def _add_node(
    share: float, x: float, first: int, g: Floats, d: Floats, w: Floats, at: Ints, number: int, logs: bool,
    curved: bool, n_touched: int, dg: Floats, dd: Floats, by_past: Floats, by_ground: Floats, log_rate: Floats,
    bend: Floats, score: Floats, mean_score: Floats, bent: Floats,
) -> None:  # fmt: skip
    """What a node with this share of the integral adds to the expectations of every row, and to scores."""
    for i in range(number):
        full = x * g[i] + d[i]
        z = 1.0 / full
        here = at[i]
        by_past[first + here] += share * z
        by_ground[first + here] += share * z * x
        if logs:
            log_rate[first + here] += share * np.log(full)
        if curved:
            left = share * z * z
            bend[here, 0] += left * x * x
            bend[here, 1] += left * x
            bend[here, 2] += left
            left = w[i] * z
            for q in range(n_touched):
                score[q] += left * (x * dg[here, q] + dd[here, q])
    if curved:
        for q in range(n_touched):
            left = share * score[q]
            mean_score[q] += left
            for r in range(n_touched):
                bent[q, r] += left * score[r]


@inner
def _fold(
    n: int, first: int, times: float, weight: Floats, bend: Floats, dg: Floats, dd: Floats, bent: Floats,
    touched: Ints, n_touched: int, column: Ints, hessian: Floats,
) -> None:  # fmt: skip
    """Add a channel's curvature to the whole, and clear the list of its parameters."""
    for i in range(n):
        left = weight[first + i]
        for q in range(n_touched):
            one = left * (bend[i, 0] * dg[i, q] + bend[i, 1] * dd[i, q])
            two = left * (bend[i, 1] * dg[i, q] + bend[i, 2] * dd[i, q])
            if one != 0.0 or two != 0.0:
                for r in range(n_touched):
                    bent[q, r] -= one * dg[i, r] + two * dd[i, r]
    for q in range(n_touched):
        for r in range(n_touched):
            hessian[touched[q], touched[r]] += times * bent[q, r]
        column[touched[q]] = -1


@inner
def _gather(
    n: int, first: int, weight: Floats, has_law: bool, g_all: Floats, d_all: Floats, g: Floats, d: Floats, w: Floats,
    at: Ints,
) -> tuple[int, int, float, float]:  # fmt: skip
    """Gather rows with excitation, those of weight 1 first; the others are powers of x.

    Returns how many, how many of weight 1, and of the others the power in all and the log of the constant.
    """
    number, n_single = 0, 0
    plain, constant = 0.0, 0.0
    for single in range(2):
        for i in range(n):
            row = first + i
            if has_law and d_all[i] <= 0.0:
                if single == 0:
                    plain += weight[row]
                    constant += weight[row] * np.log(g_all[i])
            elif (abs(weight[row] - 1.0) < 1e-12) == (single == 0):
                g[number], d[number], w[number] = g_all[i], d_all[i], weight[row]
                at[number] = i
                number += 1
        if single == 0:
            n_single = number
    return number, n_single, plain, constant


@inner
def _known(
    n: int, first: int, times: float, weight: Floats, g_all: Floats, d_all: Floats, total: float, by_ground: Floats,
    by_past: Floats, log_rate: Floats, bend: Floats,
) -> float:  # fmt: skip
    """Rows of a channel whose rate is known: `total` with their logs."""
    for i in range(n):
        z = g_all[i] + d_all[i]
        total += times * weight[first + i] * np.log(z)
        by_ground[first + i], by_past[first + i], log_rate[first + i] = 1.0 / z, 1.0 / z, np.log(z)
        for k in range(3):
            bend[i, k] = 1.0 / (z * z)
    return total


@allocating
def _set_nodes(
    high: float, step: float, power: float, big: float, bent_by: float, g: Floats, d: Floats, w: Floats,
    n_single: int, number: int, nodes: Floats, height: Floats,
) -> tuple[Floats, Floats, int, float, float, bool]:  # fmt: skip
    """Nodes from `high` downwards, until what lies below is a power law, or nothing.

    Returns nodes, logs of the integrand, how many, the largest log, the sum over it, whether a power law is left.
    """
    top, mass, k = -np.inf, 0.0, 0
    while True:
        if k == len(nodes):
            nodes, height = twice(nodes), twice(height)
        u = high - k * step
        nodes[k] = u
        height[k] = log_integrand(u, power, big, g, d, w, n_single, number)
        if height[k] > top:
            mass = mass * np.exp(top - height[k]) + 1.0
            top = height[k]
        else:
            mass += np.exp(height[k] - top)
        k += 1
        x = np.exp(u)
        if x * big < 1.0:
            below = np.exp(height[k - 1] - top + x * big) / (power * step)
            if below < CUT * mass:
                return nodes, height, k, top, mass, False
            if below * x * bent_by < CUT * mass:
                return nodes, height, k, top, mass, True


@allocating_loop
def evaluate_marginal(
    row_start: Ints,
    start: Ints,
    term: Ints,
    value: Floats,
    weight: Floats,
    is_ground: Ints,
    coefficient: Floats,
    slope: Floats,
    linear: Ints,
    x_start: Ints,
    x_index: Ints,
    x_value: Floats,
    n_linear: int,
    n_log: int,
    law: Ints,
    shape: Floats,
    shape_place: Ints,
    ground: Ints,
    scale: Floats,
    count: Floats,
    ground_total: Floats,
    ground_slope: Floats,
    curved: bool,
    logs: bool,
) -> tuple[float, Floats, Floats, Floats, Floats, Floats, Floats, Floats]:
    """Sum over channels, with derivatives.

    row_start     (J + 1,) rows of channel j
    start, term, value   entries of each row, as in `Rows`;  weight (N,) how many events a row stands for
    is_ground     (T,) 1 for terms of the background
    coefficient   (T,) of every term;  slope (T,) the same per unit of its linear parameter
    law           (J,) which Gamma law the channel has, -1 for none (x = 1)
    shape         (laws,) shapes A;  shape_place (laws,) positions of log A in the parameters
    ground        (J,) the channel's ground;  scale (J,) its rate per unit;  count (J,) like channels that it stands for
    ground_total  (B,) background expected per unit of scale;  ground_slope (B, P) its derivatives
    logs          whether E[log intensity] is wanted
    returns       value; derivative by the shapes' logs (laws,); per term the expected derivative by its coefficient
                  (T,), exposures left out; Hessian (P, P), without that of the coefficients themselves and without
                  the exposures of channels that have no law, zeros unless `curved`;
                  E[x] (J,); and of each row E[x / intensity], E[1 / intensity], E[log intensity] (N,), 0 unless `logs`
    """
    n_parameters = n_linear + n_log
    n_channels = len(row_start) - 1
    total = 0.0
    by_shape = np.zeros(len(shape))
    pull = np.zeros(len(coefficient))
    hessian = np.zeros((n_parameters, n_parameters))
    mean = np.ones(n_channels)
    by_ground = np.zeros(len(weight))
    by_past = np.zeros(len(weight))
    log_rate = np.zeros(len(weight))
    column = np.full(n_parameters, -1, np.int64)
    touched = np.empty(n_parameters, np.int64)
    room = 64
    for j in range(n_channels):
        room = max(room, row_start[j + 1] - row_start[j])
    g_all, d_all = np.zeros(room), np.zeros(room)
    g, d, w = np.zeros(room), np.zeros(room), np.zeros(room)
    at = np.zeros(room, np.int64)
    bend = np.zeros((room, 3))  # E[x^2 / z^2], E[x / z^2], E[1 / z^2]
    nodes, height = np.zeros(1024), np.zeros(1024)
    wide = n_parameters if curved else 0
    dg, dd = np.zeros((room if curved else 0, wide)), np.zeros((room if curved else 0, wide))
    score, mean_score = np.zeros(n_parameters), np.zeros(n_parameters)
    bent = np.zeros((n_parameters, n_parameters))
    psi, psi2 = np.zeros(len(shape)), np.zeros(len(shape))
    for s in range(len(shape)):
        psi[s], psi2[s] = digamma(shape[s]), trigamma(shape[s])

    for j in range(n_channels):
        first, n = row_start[j], row_start[j + 1] - row_start[j]
        times = count[j]
        b = ground[j]
        events, n_touched = 0.0, 0
        for i in range(n):
            row = first + i
            g_all[i], d_all[i], n_touched = _rates(
                row, start, term, value, is_ground, coefficient, linear, x_start, x_index, n_linear, curved, column,
                touched, n_touched,
            )  # fmt: skip
            if not g_all[i] + d_all[i] > 0.0:
                return -np.inf, by_shape, pull, hessian, mean, by_ground, by_past, log_rate
            events += weight[row]
            for k in range(3):
                bend[i, k] = 0.0
        number, n_single, plain, constant = _gather(n, first, weight, law[j] >= 0, g_all, d_all, g, d, w, at)
        if curved:
            if law[j] >= 0:
                for p in range(n_parameters):
                    if ground_slope[b, p] != 0.0:
                        n_touched = _touch(p, column, touched, n_touched)
                p = shape_place[law[j]]
                column[p] = n_touched
                touched[n_touched] = p
                n_touched += 1
            for i in range(n):
                _row_slopes(
                    i, first + i, start, term, value, is_ground, coefficient, slope, linear, x_start, x_index, x_value,
                    n_linear, column, n_touched, dg, dd,
                )  # fmt: skip
            for q in range(n_touched):
                mean_score[q] = 0.0
                for r in range(n_touched):
                    bent[q, r] = 0.0

        if law[j] < 0:
            total = _known(n, first, times, weight, g_all, d_all, total, by_ground, by_past, log_rate, bend)
        else:
            a = shape[law[j]]
            big = a + scale[j] * ground_total[b]
            constant += a * np.log(a) - lgamma(a)
            power = a + plain
            base = 1.0 + np.log(a) - psi[law[j]]
            own = column[shape_place[law[j]]]
            e_x, e_log, e_inverse = 0.0, 0.0, 0.0
            if number == 0:
                total += times * (constant + lgamma(power) - power * np.log(big))
                e_x, e_log = power / big, digamma(power) - np.log(big)
                e_inverse = big / max(power - 1.0, 0.1)
                if curved:
                    _bend_alone(power, big, a, scale[j], b, ground_slope, touched, n_touched, own, bent)
            else:
                m = a + events
                high = np.log(m / big)
                if m > 10.0:
                    high += np.sqrt(2.0 * DROPPED / m)
                else:
                    high += np.log(1.0 + 1.5 * DROPPED / m)
                step = min(0.33, 0.65 / np.sqrt(m + 0.8))
                bent_by = big  # how fast the integrand leaves the power law, per x
                for i in range(number):
                    bent_by += w[i] * g[i] / d[i] if d[i] > 0.0 else np.inf
                nodes, height, k, top, mass, tailed = _set_nodes(
                    high, step, power, big, bent_by, g, d, w, n_single, number, nodes, height
                )
                n_nodes = k
                tail, tail_log, tail_spread = 0.0, 0.0, 0.0
                if tailed:
                    ratio, rest = np.exp(-step * power), -np.expm1(-step * power)
                    tail = np.exp(height[n_nodes - 1] - top) * ratio / rest
                    tail_log = nodes[n_nodes - 1] - step / rest  # mean of u in the tail
                    tail_spread = step * step * ratio / (rest * rest)  # its variance
                    mass += tail
                total += times * (constant + top + np.log(mass * step))
                for k in range(-1, n_nodes):
                    share = (tail if k < 0 else np.exp(height[k] - top)) / mass
                    if share < LEAST_SHARE:
                        continue
                    u = tail_log if k < 0 else nodes[k]
                    x = 0.0 if k < 0 else np.exp(u)
                    e_x += share * x
                    e_log += share * u
                    e_inverse += share / max(x, 1e-12)
                    if curved:
                        for q in range(n_touched):
                            score[q] = -x * scale[j] * ground_slope[b, touched[q]]
                        score[own] += a * (u - x + base)
                    _add_node(
                        share, x, first, g, d, w, at, number, logs, curved, n_touched, dg, dd, by_past, by_ground,
                        log_rate, bend, score, mean_score, bent,
                    )  # fmt: skip
                    if curved and k < 0:
                        bent[own, own] += share * a * a * tail_spread
                if curved:
                    for q in range(n_touched):
                        for r in range(n_touched):
                            bent[q, r] -= mean_score[q] * mean_score[r]
            # rows without excitation: a power of x, whose score does not depend on x
            for i in range(n):
                if d_all[i] <= 0.0:
                    by_ground[first + i] = 1.0 / g_all[i]
                    by_past[first + i] = e_inverse / g_all[i]
                    log_rate[first + i] = e_log + np.log(g_all[i])
                    bend[i, 0] = 1.0 / (g_all[i] * g_all[i])
            mean[j] = e_x
            by_shape[law[j]] += times * a * (e_log - e_x + base)
            if curved:
                bent[own, own] += a * (1.0 - a * psi2[law[j]]) + a * (e_log - e_x + base)

        for i in range(n):
            row = first + i
            for e in range(start[row], start[row + 1]):
                t = term[e]
                pull[t] += times * weight[row] * value[e] * (by_ground[row] if is_ground[t] else by_past[row])
        if curved:
            _fold(n, first, times, weight, bend, dg, dd, bent, touched, n_touched, column, hessian)
    return total, by_shape, pull, hessian, mean, by_ground, by_past, log_rate
