"""The likelihood of events stamped with a day: counts as total progeny within the day, started from the past.

In: the rows of `daypass`, coefficients. Out: value, gradient and Hessian of

    log P = sum over active rows of (n - 1) log r + log det L  -  expected counts  -  log n!
    r = background + past days' excitation + echoes * n,   L = diag(r) - echoes diag(n)

which is the law of a multitype branching process whose first generations fall on one day (multitype Borel-Tanner).
The expected counts and log n! are added outside. L is diagonally dominant by rows, so log det L always exists.
Source: Good (1960), Proc. Camb. Phil. Soc. 56, 367-380 (Lagrange inversion); the use as a day likelihood is ours.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.caching import njit

LARGE_BLOCK = 400
"""Rows of a block from which the curvature of log det L is left to its diagonal part: it would cost minutes."""


@njit(cache=True, nogil=True, error_model="numpy")
def invert(a: Floats) -> tuple[float, Floats]:
    """(log determinant, inverse) of a matrix that is diagonally dominant by rows, so elimination needs no pivots."""
    n = len(a)
    u = a.copy()
    inverse = np.eye(n)
    log_det = 0.0
    for k in range(n):
        pivot = u[k, k]
        log_det += np.log(pivot)
        for i in range(n):
            if i != k and u[i, k] != 0.0:
                f = u[i, k] / pivot
                for j in range(k, n):
                    u[i, j] -= f * u[k, j]
                for j in range(n):
                    inverse[i, j] -= f * inverse[k, j]
        for j in range(k, n):
            u[k, j] /= pivot
        for j in range(n):
            inverse[k, j] /= pivot
    return log_det, inverse


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_days(
    start: Ints,
    term: Ints,
    value: Floats,
    acts: Floats,
    block: Ints,
    block_weight: Floats,
    echo_start: Ints,
    echo_from: Ints,
    echo_term: Ints,
    echo_value: Floats,
    coefficient: Floats,
    slope: Floats,
    linear: Ints,
    x_start: Ints,
    x_index: Ints,
    x_value: Floats,
    n_linear: int,
    n_log: int,
    curved: bool,
) -> tuple[float, Floats, Floats, Floats, Floats, Floats]:
    """Sum over blocks of weight * (sum of (n - 1) log r + log det L), with derivatives.

    coefficient  (T,) coefficient of every term;  slope (T,) the same per unit of its linear parameter
    returns      value; gradient (n_linear + n_log,); per term the derivative by its coefficient (T,);
                 second derivative without that of the coefficients themselves (n, n), zeros unless `curved`;
                 derivative by r, through the diagonal of L too (N,); derivative by each echo (echoes,)
    """
    n = n_linear + n_log
    total = 0.0
    gradient = np.zeros(n)
    pull = np.zeros(len(coefficient))
    hessian = np.zeros((n, n))
    n_blocks = len(block) - 1
    by_row = np.zeros(len(acts))
    by_echo = np.zeros(len(echo_from))
    column = np.full(n, -1, np.int64)
    touched = np.empty(n, np.int64)
    for b in range(n_blocks):
        first, size = block[b], block[b + 1] - block[b]
        weight = block_weight[b]
        matrix = np.zeros((size, size))
        r = np.zeros(size)
        part = 0.0
        for i in range(size):
            row = first + i
            for e in range(start[row], start[row + 1]):
                r[i] += coefficient[term[e]] * value[e]
            if not r[i] > 0.0:
                return -np.inf, gradient, pull, hessian, by_row, by_echo
            matrix[i, i] += r[i]
            part += (acts[row] - 1.0) * np.log(r[i])
            for e in range(echo_start[row], echo_start[row + 1]):
                matrix[i, echo_from[e] - first] -= coefficient[echo_term[e]] * echo_value[e]
        if size == 1:
            if not matrix[0, 0] > 0.0:
                return -np.inf, gradient, pull, hessian, by_row, by_echo
            log_det = np.log(matrix[0, 0])
            inverse = np.full((1, 1), 1.0 / matrix[0, 0])
        else:
            log_det, inverse = invert(matrix)
            if not np.isfinite(log_det):
                return -np.inf, gradient, pull, hessian, by_row, by_echo
        part += log_det
        total += weight * part

        # which parameters the block touches
        n_touched = 0
        for i in range(size):
            row = first + i
            for e in range(start[row], start[row + 1]):
                j = term[e]
                if column[linear[j]] < 0:
                    column[linear[j]] = n_touched
                    touched[n_touched] = linear[j]
                    n_touched += 1
                for k in range(x_start[j], x_start[j + 1]):
                    s = n_linear + x_index[k]
                    if column[s] < 0:
                        column[s] = n_touched
                        touched[n_touched] = s
                        n_touched += 1
        dr = np.zeros((n_touched, size))
        full = curved and size <= LARGE_BLOCK
        product = np.zeros((n_touched if full else 0, size, size))  # inverse times derivative of L
        trace = np.zeros(n_touched)
        for i in range(size):
            row = first + i
            pull_row = (acts[row] - 1.0) / r[i] + inverse[i, i]
            by_row[row] = weight * pull_row
            for e in range(start[row], start[row + 1]):
                j = term[e]
                v = value[e]
                pull[j] += weight * pull_row * v
                a = column[linear[j]]
                dr[a, i] += slope[j] * v
                trace[a] += slope[j] * v * pull_row
                for k in range(x_start[j], x_start[j + 1]):
                    a = column[n_linear + x_index[k]]
                    dv = coefficient[j] * v * x_value[k]
                    dr[a, i] += dv
                    trace[a] += dv * pull_row
            for e in range(echo_start[row], echo_start[row + 1]):
                j = echo_term[e]
                v = echo_value[e]
                source = echo_from[e] - first
                back = inverse[source, i]
                by_echo[e] = -weight * back
                pull[j] -= weight * back * v
                a = column[linear[j]]
                trace[a] -= slope[j] * v * back
                if full:
                    for q in range(size):
                        product[a, q, source] -= inverse[q, i] * slope[j] * v
                for k in range(x_start[j], x_start[j + 1]):
                    a = column[n_linear + x_index[k]]
                    dv = coefficient[j] * v * x_value[k]
                    trace[a] -= dv * back
                    if full:
                        for q in range(size):
                            product[a, q, source] -= inverse[q, i] * dv
        for a in range(n_touched):
            gradient[touched[a]] += weight * trace[a]
        if curved:
            if full:
                for a in range(n_touched):
                    for i in range(size):
                        for q in range(size):
                            product[a, q, i] += inverse[q, i] * dr[a, i]
            for a in range(n_touched):
                for c in range(a, n_touched):
                    h = 0.0
                    for i in range(size):
                        h -= (acts[first + i] - 1.0) / r[i] ** 2 * dr[a, i] * dr[c, i]
                        if full:
                            for q in range(size):
                                h -= product[a, i, q] * product[c, q, i]
                        else:
                            h -= inverse[i, i] ** 2 * dr[a, i] * dr[c, i]
                    hessian[touched[a], touched[c]] += weight * h
                    if a != c:
                        hessian[touched[c], touched[a]] += weight * h
        for a in range(n_touched):
            column[touched[a]] = -1
    return total, gradient, pull, hessian, by_row, by_echo


@njit(cache=True, nogil=True, error_model="numpy")
def bend_days(
    start: Ints,
    term: Ints,
    bend: Floats,
    by_row: Floats,
    echo_term: Ints,
    echo_bend: Floats,
    by_echo: Floats,
    coefficient: Floats,
    linear: Ints,
    n_rates: int,
    kernel_start: Ints,
    n_components: int,
) -> Floats:
    """(kernel components,) derivative of what `evaluate_days` sums by the log decays."""
    result = np.zeros(n_components)
    for i in range(len(start) - 1):
        for e in range(start[i], start[i + 1]):
            m = linear[term[e]] - n_rates
            if m >= 0:
                for j in range(kernel_start[m], kernel_start[m + 1]):
                    result[j] += by_row[i] * coefficient[term[e]] * bend[e, j - kernel_start[m]]
    for e in range(len(echo_term)):
        m = linear[echo_term[e]] - n_rates
        for j in range(kernel_start[m], kernel_start[m + 1]):
            result[j] += by_echo[e] * coefficient[echo_term[e]] * echo_bend[e, j - kernel_start[m]]
    return result
