"""The likelihood of events stamped with a day: counts as total progeny within the day, started from the past.

In: the rows of `day`, coefficients. Out: value, gradient and Hessian of

    log P = sum over active rows of (n - 1) log r + log det L  -  expected counts  -  log n!
    r = background + past days' excitation + echoes * n,   L = diag(r) - echoes diag(n)

which is the law of a multitype branching process whose first generations fall on one day (multitype Borel-Tanner).
The expected counts and log n! are added outside. Blocks are worked out part by part (`day_parts`). L is diagonally
dominant by rows, so log det L always exists.
Source: Good (1960), Proc. Camb. Phil. Soc. 56, 367-380 (Lagrange inversion); the use as a day likelihood is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.likelihood.day_parts import DayParts, find_parts

LARGE_PART = 400
"""Rows of a part from which the curvature of log det L is left to its diagonal part: it would cost minutes."""


@inner
def invert(n: int, u: Floats, inverse: Floats) -> float:
    """Log determinant of a matrix that is diagonally dominant by rows, so elimination needs no pivots; fills `inverse`.

    u, inverse  of n rows or more; u is used up
    """
    for i in range(n):
        for j in range(n):
            inverse[i, j] = 0.0
        inverse[i, i] = 1.0
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
    return log_det


@inner
def _fill_part(
    first: int, size: int, order: Ints, place: Ints, start: Ints, term: Ints, value: Floats, acts: Floats,
    echo_start: Ints, echo_from: Ints, echo_term: Ints, echo_value: Floats, coefficient: Floats, matrix: Floats,
    r: Floats,
) -> float:  # fmt: skip
    """Fill r and L of a part; returns its sum of (n - 1) log r, or -inf where some r is not above 0."""
    part = 0.0
    for i in range(size):
        r[i] = 0.0
        for j in range(size):
            matrix[i, j] = 0.0
    for i in range(size):
        row = order[first + i]
        for e in range(start[row], start[row + 1]):
            r[i] += coefficient[term[e]] * value[e]
        if not r[i] > 0.0:
            return -np.inf
        matrix[i, i] += r[i]
        part += (acts[row] - 1.0) * np.log(r[i])
        for e in range(echo_start[row], echo_start[row + 1]):
            source = place[echo_from[e]] - first
            if 0 <= source < size:
                matrix[i, source] -= coefficient[echo_term[e]] * echo_value[e]
    return part


@inner
def _touch(
    first: int, size: int, order: Ints, start: Ints, term: Ints, linear: Ints, x_start: Ints, x_index: Ints,
    n_linear: int, column: Ints, touched: Ints,
) -> int:  # fmt: skip
    """Which parameters a part hangs on: `column` numbers them, `touched` lists them; returns how many."""
    n_touched = 0
    for i in range(size):
        row = order[first + i]
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
    return n_touched


@inner
def _slope_row(
    row: int, i: int, weight: float, start: Ints, term: Ints, value: Floats, acts: Floats, r: Floats,
    inverse: Floats, coefficient: Floats, slope: Floats, linear: Ints, x_start: Ints, x_index: Ints, x_value: Floats,
    n_linear: int, column: Ints, dr: Floats, trace: Floats, pull: Floats, by_row: Floats,
) -> None:  # fmt: skip
    """First derivatives by what makes up r of a row, number i of its part, which stands in the diagonal of L too."""
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


@inner
def _slope_echoes(
    row: int, i: int, first: int, size: int, place: Ints, weight: float, echo_start: Ints, echo_from: Ints,
    echo_term: Ints, echo_value: Floats, inverse: Floats, coefficient: Floats, slope: Floats, linear: Ints,
    x_start: Ints, x_index: Ints, x_value: Floats, n_linear: int, column: Ints, full: bool, trace: Floats,
    product: Floats, pull: Floats, by_echo: Floats,
) -> None:  # fmt: skip
    """First derivatives by the echoes of a row, number i of its part, and the inverse of L times the derivative of L.

    product  (parameter, column, row) of that
    """
    for e in range(echo_start[row], echo_start[row + 1]):
        j = echo_term[e]
        v = echo_value[e]
        source = place[echo_from[e]] - first
        if not 0 <= source < size:
            continue
        back = inverse[source, i]
        by_echo[e] = -weight * back
        pull[j] -= weight * back * v
        a = column[linear[j]]
        trace[a] -= slope[j] * v * back
        if full:
            for q in range(size):
                product[(a * size + source) * size + q] -= inverse[q, i] * slope[j] * v
        for k in range(x_start[j], x_start[j + 1]):
            a = column[n_linear + x_index[k]]
            dv = coefficient[j] * v * x_value[k]
            trace[a] -= dv * back
            if full:
                for q in range(size):
                    product[(a * size + source) * size + q] -= inverse[q, i] * dv


@inner
def _columns_of(
    size: int, inverse: Floats, dr: Floats, product: Floats, n_touched: int, columns: Ints, n_columns: Ints
) -> None:
    """Finish the inverse of L times the derivatives of L, and list for each parameter the columns that it moves.

    A parameter moves few of them: those of the channels that have it, and of those whose echoes have it.
    """
    for a in range(n_touched):
        n = 0
        for i in range(size):
            column = (a * size + i) * size
            moves = dr[a, i] != 0.0
            if moves:
                for q in range(size):
                    product[column + q] += inverse[q, i] * dr[a, i]
            else:
                for q in range(size):
                    moves |= product[column + q] != 0.0
            if moves:
                columns[a, n] = i
                n += 1
        n_columns[a] = n


@inner
def _bend_part(
    first: int, size: int, order: Ints, weight: float, acts: Floats, r: Floats, inverse: Floats, dr: Floats,
    product: Floats, full: bool, n_touched: int, touched: Ints, columns: Ints, n_columns: Ints, pull: Floats,
    hessian: Floats,
) -> None:  # fmt: skip
    """Second derivatives of a part. Columns that a parameter does not move would add nothing, and are left out."""
    if full:
        _columns_of(size, inverse, dr, product, n_touched, columns, n_columns)
    for a in range(n_touched):
        for i in range(size):
            pull[i] = (acts[order[first + i]] - 1.0) / r[i] ** 2 * dr[a, i]
        for c in range(a, n_touched):
            h = 0.0
            if full:
                for k in range(n_columns[c]):
                    i = columns[c, k]
                    h -= pull[i] * dr[c, i]
                    for j in range(n_columns[a]):
                        q = columns[a, j]
                        h -= product[(a * size + q) * size + i] * product[(c * size + i) * size + q]
            else:
                for i in range(size):
                    h -= pull[i] * dr[c, i]
                    h -= inverse[i, i] ** 2 * dr[a, i] * dr[c, i]
            hessian[touched[a], touched[c]] += weight * h
            if a != c:
                hessian[touched[c], touched[a]] += weight * h


class _Room(NamedTuple):
    """Where a part is worked out: L, its inverse, r, derivatives; which parameters it hangs on, and what they move."""

    matrix: Floats
    inverse: Floats
    r: Floats
    dr: Floats
    product: Floats
    trace: Floats
    column: Ints
    touched: Ints
    columns: Ints
    n_columns: Ints
    by_r: Floats


@loop
def _add_parts(
    start: Ints, term: Ints, value: Floats, acts: Floats, parts: DayParts, block_weight: Floats, echo_start: Ints,
    echo_from: Ints, echo_term: Ints, echo_value: Floats, coefficient: Floats, slope: Floats, linear: Ints,
    x_start: Ints, x_index: Ints, x_value: Floats, n_linear: int, curved: bool, room: _Room, gradient: Floats,
    pull: Floats, hessian: Floats, by_row: Floats, by_echo: Floats,
) -> float:  # fmt: skip
    """The sum of `evaluate_days`; what it returns beside it is added to the last five arrays."""
    matrix, inverse, r, dr, product = room.matrix, room.inverse, room.r, room.dr, room.product
    trace, column, touched = room.trace, room.column, room.touched
    columns, n_columns, by_r = room.columns, room.n_columns, room.by_r
    order, place, part_start, part_block = parts.order, parts.place, parts.start, parts.block
    total = 0.0
    for p in range(len(part_start) - 1):
        first, size = part_start[p], part_start[p + 1] - part_start[p]
        weight = block_weight[part_block[p]]
        part = _fill_part(
            first, size, order, place, start, term, value, acts, echo_start, echo_from, echo_term, echo_value,
            coefficient, matrix, r,
        )  # fmt: skip
        if not part > -np.inf:
            return -np.inf
        if size == 1:
            if not matrix[0, 0] > 0.0:
                return -np.inf
            log_det = np.log(matrix[0, 0])
            inverse[0, 0] = 1.0 / matrix[0, 0]
        else:
            log_det = invert(size, matrix, inverse)
            if not np.isfinite(log_det):
                return -np.inf
        part += log_det
        total += weight * part

        n_touched = _touch(first, size, order, start, term, linear, x_start, x_index, n_linear, column, touched)
        full = curved and size <= LARGE_PART
        for a in range(n_touched):
            trace[a] = 0.0
            for i in range(size):
                dr[a, i] = 0.0
        for e in range(n_touched * size * size if full else 0):
            product[e] = 0.0
        for i in range(size):
            _slope_row(
                order[first + i], i, weight, start, term, value, acts, r, inverse, coefficient, slope, linear, x_start,
                x_index, x_value, n_linear, column, dr, trace, pull, by_row,
            )  # fmt: skip
            _slope_echoes(
                order[first + i], i, first, size, place, weight, echo_start, echo_from, echo_term, echo_value,
                inverse, coefficient, slope, linear, x_start, x_index, x_value, n_linear, column, full, trace, product,
                pull, by_echo,
            )  # fmt: skip
        for a in range(n_touched):
            gradient[touched[a]] += weight * trace[a]
        if curved:
            _bend_part(
                first, size, order, weight, acts, r, inverse, dr, product, full, n_touched, touched, columns,
                n_columns, by_r, hessian,
            )  # fmt: skip
        for a in range(n_touched):
            column[touched[a]] = -1
    return total


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
    parts = find_parts(block, echo_start, echo_from)
    sizes = np.diff(parts.start)
    most = int(sizes.max(initial=1))
    curved_most = int(sizes[sizes <= LARGE_PART].max(initial=1)) if curved else 0
    room = _Room(
        np.empty((most, most)), np.empty((most, most)), np.empty(most), np.empty((n, most)),
        np.empty(n * curved_most**2), np.empty(n), np.full(n, -1, np.int64), np.empty(n, np.int64),
        np.empty((n, curved_most), np.int64), np.empty(n, np.int64), np.empty(most),
    )  # fmt: skip
    gradient, pull, hessian = np.zeros(n), np.zeros(len(coefficient)), np.zeros((n, n))
    by_row, by_echo = np.zeros(len(acts)), np.zeros(len(echo_from))
    total = _add_parts(
        start, term, value, acts, parts, block_weight, echo_start,
        echo_from, echo_term, echo_value, coefficient, slope, linear, x_start, x_index, x_value, n_linear, curved,
        room, gradient, pull, hessian, by_row, by_echo,
    )  # fmt: skip
    return total, gradient, pull, hessian, by_row, by_echo


@loop
def _add_bends(
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
    result: Floats,
) -> None:
    """Add to result (kernel components,) the derivative of what `evaluate_days` sums by the log decays."""
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


def bend_days(
    start: Ints, term: Ints, bend: Floats, by_row: Floats, echo_term: Ints, echo_bend: Floats, by_echo: Floats,
    coefficient: Floats, linear: Ints, n_rates: int, kernel_start: Ints, n_components: int,
) -> Floats:  # fmt: skip
    """(kernel components,) derivative of what `evaluate_days` sums by the log decays."""
    result = np.zeros(n_components)
    _add_bends(
        start, term, bend, by_row, echo_term, echo_bend, by_echo, coefficient, linear, n_rates, kernel_start, result
    )
    return result
