"""Exact times without gates: each channel's intensity is a regression on what the past has left behind.

In: events, decays, which columns may act on which channel. Out: for every channel its *rows*, one for each of its
events, with the value of every column there; and from these the best coefficients of each channel, by itself.

A *column* is one source channel seen through one decay: X(t) = decay * sum over earlier events of exp(-decay * age).
The first columns are pieces of the background, 1 while they hold. Given the decays, channel i's log-likelihood

    sum over its events of log(a . X)  -  a . cost,      cost = expected count per unit of coefficient

knows nothing of the other channels, so it is climbed alone. It is concave and self-concordant, so Newton's steps on it
need little care; with a >= 0 each step is a small quadratic programme. Rows lie in blocks, column after column within
a block, so that every sum over rows runs along memory.

Source: Ogata (1981), IEEE Trans. Inf. Theory 27(1), 23-31 for the model; Lawson & Hanson (1974), Solving Least Squares
Problems, ch. 23, for the active set.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import allocating_inner, allocating_loop, inner, summing, summing_loop

BLOCK = 240
"""Rows in a block: a dozen columns of it stay in the fastest cache, and it is no power of two, which caches dislike."""


@allocating_loop
def fill_rows(
    time: Floats,
    kind: Ints,
    decay: Floats,
    column_decay: Ints,
    own_start: Ints,
    own_column: Ints,
    in_start: Ints,
    in_column: Ints,
    cut: Floats,
    first: Ints,
    order: int,
    x: Floats,
    bend: Floats,
    curl: Floats,
) -> None:
    """Write the value of every column at every event of the wanted channels.

    time, kind       (N,) sorted times and channels
    decay            (G,) distinct decays;  column_decay (S,) which of them a column has
    own_start, own_column   CSR by channel: columns that its events feed
    in_start, in_column     CSR by channel: columns that act on it
    cut              (B + 1,) piece k of the background holds over cut[k]..cut[k + 1]
    first            (C,) where a channel's rows begin in x; -1 where they are not wanted
    order            0: x alone; 1: its derivative by the log decay too; 2: the second derivative too
    x, bend, curl    written; a block of a channel with p columns is p * BLOCK numbers, rows that are not there stay
    """
    n_columns, n_pieces = len(column_decay), len(cut) - 1
    level = np.zeros(n_columns)
    moment = np.zeros(n_columns)
    second = np.zeros(n_columns)
    last = np.zeros(n_columns)
    count = np.zeros(len(first), np.int64)
    faded = np.empty(len(decay))  # the width of time that `fade` was last worked out for
    fade = np.empty(len(decay))
    for g in range(len(decay)):
        faded[g], fade[g] = -1.0, 1.0
    piece = 0
    waiting = 0  # events from here on have not been fed yet: those of one instant do not excite each other
    for e in range(len(time)):
        t = time[e]
        while time[waiting] < t:
            c = kind[waiting]
            then = time[waiting]
            waiting += 1
            for q in range(own_start[c], own_start[c + 1]):
                s = own_column[q]
                g = column_decay[s]
                width = then - last[s]
                if width > 0.0:
                    if width != faded[g]:
                        faded[g] = width
                        fade[g] = np.exp(-decay[g] * width)
                    if order > 1:
                        second[s] = fade[g] * (second[s] + width * (2.0 * moment[s] + width * level[s]))
                    if order > 0:
                        moment[s] = fade[g] * (moment[s] + width * level[s])
                    level[s] *= fade[g]
                    last[s] = then
                level[s] += 1.0
        while piece < n_pieces - 1 and t >= cut[piece + 1]:
            piece += 1
        i = kind[e]
        if first[i] < 0:
            continue
        p = n_pieces + in_start[i + 1] - in_start[i]
        block = count[i] // BLOCK
        at = first[i] + block * p * BLOCK + count[i] - block * BLOCK
        count[i] += 1
        for k in range(n_pieces):
            x[at] = 1.0 if k == piece else 0.0
            at += BLOCK
        for q in range(in_start[i], in_start[i + 1]):
            s = in_column[q]
            g = column_decay[s]
            width = t - last[s]
            if width > 0.0:
                if width != faded[g]:
                    faded[g] = width
                    fade[g] = np.exp(-decay[g] * width)
                if order > 1:
                    second[s] = fade[g] * (second[s] + width * (2.0 * moment[s] + width * level[s]))
                if order > 0:
                    moment[s] = fade[g] * (moment[s] + width * level[s])
                level[s] *= fade[g]
                last[s] = t
            b = decay[g]
            x[at] = b * level[s]
            if order > 0:
                bend[at] = b * (level[s] - b * moment[s])
            if order > 1:
                curl[at] = b * (level[s] - b * (3.0 * moment[s] - b * second[s]))
            at += BLOCK


@summing
def look(x: Floats, n: int, p: int, a: Floats, gradient: Floats, hessian: Floats, scaled: Floats) -> float:
    """Sum of log(a . X) over a channel's n rows; its gradient and minus its Hessian are written.

    scaled  (p * BLOCK,) room
    returns -inf where some intensity is not above 0
    """
    for j in range(p):
        gradient[j] = 0.0
        for k in range(p):
            hessian[j, k] = 0.0
    total = 0.0
    weight = np.empty(BLOCK)
    n_blocks = (n + BLOCK - 1) // BLOCK
    for block in range(n_blocks):
        rows = min(BLOCK, n - block * BLOCK)
        base = block * p * BLOCK
        for r in range(rows):
            weight[r] = 0.0
        for j in range(p):
            coefficient = a[j]
            if coefficient != 0.0:
                at = base + j * BLOCK
                for r in range(rows):
                    weight[r] += coefficient * x[at + r]
        least = weight[0]
        for r in range(rows):
            least = min(least, weight[r])
        if not least > 0.0:
            return -np.inf
        r = 0
        while r + 4 <= rows:  # one logarithm for four rows
            product = weight[r] * weight[r + 1] * weight[r + 2] * weight[r + 3]
            if 1e-280 < product < 1e280:
                total += np.log(product)
            else:
                for q in range(r, r + 4):
                    total += np.log(weight[q])
            r += 4
        for q in range(r, rows):
            total += np.log(weight[q])
        for r in range(rows):
            weight[r] = 1.0 / weight[r]
        for j in range(p):
            at, to = base + j * BLOCK, j * BLOCK
            part = 0.0
            for r in range(rows):
                v = x[at + r] * weight[r]
                scaled[to + r] = v
                part += v
            gradient[j] += part
            for k in range(j + 1):
                side = k * BLOCK
                part = 0.0
                for r in range(rows):
                    part += scaled[to + r] * scaled[side + r]
                hessian[j, k] += part
    for j in range(p):
        for k in range(j):
            hessian[k, j] = hessian[j, k]
    return total


@inner
def solve_free(h: Floats, b: Floats, free: Ints, n_free: int, factor: Floats, z: Floats) -> bool:
    """z[:n_free] = solution of h z = b on the free positions, by Cholesky; False where h has no curvature there."""
    for i in range(n_free):
        for j in range(i + 1):
            s = h[free[i], free[j]]
            for k in range(j):
                s -= factor[i, k] * factor[j, k]
            if i == j:
                if not s > 1e-13 * h[free[i], free[i]]:
                    return False
                factor[i, i] = np.sqrt(s)
            else:
                factor[i, j] = s / factor[j, j]
    for i in range(n_free):
        s = b[free[i]]
        for k in range(i):
            s -= factor[i, k] * z[k]
        z[i] = s / factor[i, i]
    for i in range(n_free - 1, -1, -1):
        s = z[i]
        for k in range(i + 1, n_free):
            s -= factor[k, i] * z[k]
        z[i] = s / factor[i, i]
    return True


@allocating_inner
def least_quadratic(h: Floats, b: Floats, held: Ints, x: Floats) -> None:
    """Improve x, in place, to the minimum of x'hx/2 - b'x over x >= 0; positions with held != 0 stay as they are.

    A position that makes h singular is dropped to 0.
    """
    p = len(b)
    factor = np.zeros((p, p))
    free = np.empty(p, np.int64)
    is_free = np.zeros(p, np.bool_)
    z = np.empty(p)
    rest = np.empty(p)
    for j in range(p):
        is_free[j] = held[j] == 0 and x[j] > 0.0 and h[j, j] > 0.0
        if held[j] == 0 and not is_free[j]:
            x[j] = 0.0
    for _ in range(10 * p + 10):
        n_free = 0
        for j in range(p):
            rest[j] = b[j]
            if is_free[j]:
                free[n_free] = j
                n_free += 1
        for k in range(p):
            if held[k] != 0 and x[k] != 0.0:
                for j in range(p):
                    rest[j] -= h[j, k] * x[k]
        if not solve_free(h, rest, free, n_free, factor, z):
            worst, size = -1, np.inf  # drop the position with the least curvature of its own
            for q in range(n_free):
                if h[free[q], free[q]] < size:
                    worst, size = free[q], h[free[q], free[q]]
            x[worst] = 0.0
            is_free[worst] = False
            continue
        share = 1.0
        for q in range(n_free):
            j = free[q]
            if z[q] <= 0.0:
                share = min(share, x[j] / (x[j] - z[q]))
        for q in range(n_free):
            j = free[q]
            x[j] += share * (z[q] - x[j])
        if share < 1.0:
            for q in range(n_free):
                j = free[q]
                if z[q] <= 0.0 and x[j] <= 1e-14 * abs(z[q]):
                    x[j] = 0.0
                    is_free[j] = False
            continue
        best, steepest = -1, 0.0
        for j in range(p):
            if held[j] == 0 and not is_free[j] and h[j, j] > 0.0:
                slope = b[j]
                for k in range(p):
                    slope -= h[j, k] * x[k]
                slope /= np.sqrt(h[j, j])
                if slope > max(steepest, 1e-10):
                    best, steepest = j, slope
        if best < 0:
            return
        is_free[best] = True
        x[best] = 0.0


@allocating_inner
def along(x: Floats, n: int, cost: Floats, a: Floats, target: Floats) -> float:
    """Share of the way from a to target at which sum of log(a . X) - a . cost is greatest.

    It is concave along the way; Newton's steps on its slope, halved into what is known to hold the top. A Newton step
    that ends at intensities near 0 is far too long, and halving it blindly took hundreds of passes over the rows.
    """
    p = len(a)
    n_blocks = (n + BLOCK - 1) // BLOCK
    here, move = np.zeros(n), np.zeros(n)
    charge = 0.0
    for j in range(p):
        step = target[j] - a[j]
        charge += cost[j] * step
        for block in range(n_blocks):
            at, to = (block * p + j) * BLOCK, block * BLOCK
            for r in range(min(BLOCK, n - to)):
                here[to + r] += a[j] * x[at + r]
                move[to + r] += step * x[at + r]
    low, high = 0.0, 1.0
    length = 0.5
    for _ in range(60):
        slope, bent = -charge, 0.0
        for r in range(n):
            there = here[r] + length * move[r]
            if not there > 0.0:
                slope = -np.inf
                break
            part = move[r] / there
            slope += part
            bent += part * part
        if slope > 0.0:
            low = length
        else:
            high = length
        if abs(slope) < 1e-3 * np.sqrt(bent) or high - low < 1e-6 * high:
            break
        length += slope / bent if np.isfinite(slope) and bent > 0.0 else 0.0
        if not low < length < high:
            length = 0.5 * (low + high)
    return min(length, low) if slope == -np.inf else length


@allocating_inner
def climb_row(
    x: Floats,
    n: int,
    cost: Floats,
    held: Ints,
    a: Floats,
    gradient: Floats,
    hessian: Floats,
    tolerance: float,
    most: int,
) -> tuple[float, float, int]:
    """Climb one channel's log-likelihood from a, in place.

    x          the channel's rows;  n how many
    returns    (log-likelihood, Newton decrement left: twice what is still to be gained, passes over the rows)
    """
    p = len(a)
    scaled = np.empty(p * BLOCK)
    trial, target, b = np.empty(p), np.empty(p), np.empty(p)
    for j in range(p):
        trial[j] = target[j] = a[j]
    value = -np.inf
    decrement = np.inf
    passes = 0
    length = 1.0
    while True:
        new = look(x, n, p, trial, gradient, hessian, scaled)
        passes += 1
        for j in range(p):
            new -= cost[j] * trial[j]
        if np.isfinite(new) and (new >= value - 1e-12 * abs(value) or passes == 1):
            value = new
            for j in range(p):
                a[j] = target[j] = trial[j]
                b[j] = gradient[j] - cost[j]
            for j in range(p):
                for k in range(p):
                    b[j] += hessian[j, k] * a[k]
            least_quadratic(hessian, b, held, target)
            decrement = 0.0
            for j in range(p):
                decrement += (gradient[j] - cost[j]) * (target[j] - a[j])
            length = 1.0
            if decrement < tolerance or passes >= most:
                return value, max(decrement, 0.0), passes
        elif length == 1.0:
            length = along(x, n, cost, a, target)
        else:  # the best length of all was no better: rounding is all that is left
            length *= 0.5
        if passes >= most or length < 1e-9:
            look(x, n, p, a, gradient, hessian, scaled)
            return value, max(decrement, 0.0), passes
        for j in range(p):
            trial[j] = a[j] + length * (target[j] - a[j])


@allocating_loop
def climb_rows(
    x: Floats,
    first: Ints,
    count: Ints,
    wanted: Ints,
    start: Ints,
    cost: Floats,
    held: Ints,
    a: Floats,
    gradient: Floats,
    hessian: Floats,
    hessian_start: Ints,
    tolerance: float,
    most: int,
    value: Floats,
    decrement: Floats,
    passes: Ints,
) -> None:
    """Climb every wanted channel from a, in place.

    first, count    (C,) where a channel's rows begin in x, and how many they are
    start           (C + 1,) positions of a channel's coefficients in cost, held, a, gradient
    hessian         minus the second derivatives, channel after channel from hessian_start
    value, decrement, passes   (C,) written
    """
    for w in range(len(wanted)):
        i = wanted[w]
        p = start[i + 1] - start[i]
        one, end = start[i], start[i + 1]
        rows = x[first[i] : first[i] + (count[i] + BLOCK - 1) // BLOCK * BLOCK * p]
        own = hessian[hessian_start[i] : hessian_start[i] + p * p].reshape((p, p))
        value[i], decrement[i], passes[i] = climb_row(
            rows, count[i], cost[one:end], held[one:end], a[one:end], gradient[one:end], own, tolerance, most
        )


@summing_loop
def lean_row(
    x: Floats, bend: Floats, curl: Floats, n: int, n_pieces: int, a: Floats, column_group: Ints, n_groups: int
) -> tuple[Floats, Floats, Floats]:
    """Derivatives of one channel's sum of log(a . X) that involve the log decays.

    column_group  (p - n_pieces,) group of decays of each excitation column, 0..n_groups - 1
    returns       slope (n_groups,); cross (p, n_groups), with a; curve (n_groups, n_groups)
    """
    p = len(a)
    slope = np.zeros(n_groups)
    cross = np.zeros((p, n_groups))
    curve = np.zeros((n_groups, n_groups))
    weight = np.empty(BLOCK)
    lean = np.empty((n_groups, BLOCK))
    for block in range((n + BLOCK - 1) // BLOCK):
        rows = min(BLOCK, n - block * BLOCK)
        base = block * p * BLOCK
        for r in range(rows):
            weight[r] = 0.0
        for j in range(p):
            at = base + j * BLOCK
            for r in range(rows):
                weight[r] += a[j] * x[at + r]
        for r in range(rows):
            weight[r] = 1.0 / weight[r]
        for g in range(n_groups):
            for r in range(rows):
                lean[g, r] = 0.0
        for j in range(n_pieces, p):
            at, g = base + j * BLOCK, column_group[j - n_pieces]
            own, bent = 0.0, 0.0
            for r in range(rows):
                lean[g, r] += a[j] * bend[at + r] * weight[r]
                own += bend[at + r] * weight[r]
                bent += curl[at + r] * weight[r]
            cross[j, g] += own
            curve[g, g] += a[j] * bent
        for g in range(n_groups):
            for r in range(rows):
                slope[g] += lean[g, r]
            for h in range(g + 1):
                part = 0.0
                for r in range(rows):
                    part += lean[g, r] * lean[h, r]
                curve[g, h] -= part
                if h < g:
                    curve[h, g] -= part
            for j in range(p):
                at = base + j * BLOCK
                part = 0.0
                for r in range(rows):
                    part += x[at + r] * weight[r] * lean[g, r]
                cross[j, g] -= part
    return slope, cross, curve


@allocating_loop
def compensate(
    time: Floats,
    kind: Ints,
    decay: Floats,
    column_decay: Ints,
    own_start: Ints,
    own_column: Ints,
    in_start: Ints,
    in_column: Ints,
    a: Floats,
    total: Floats,
) -> tuple[Floats, Floats]:
    """What excitation is expected to have brought by each event's time: (of its own channel, of all channels).

    a      (len in_column,) mean children of a column's event in the channel
    total  (S,) the same over all channels
    """
    n, n_columns, n_groups = len(time), len(column_decay), len(decay)
    own, all_channels = np.empty(n), np.empty(n)
    level = np.zeros(n_columns)
    seen = np.zeros(n_columns)
    last = np.zeros(n_columns)
    pending = np.zeros(n_groups)  # children still to come, of all channels
    fed = 0.0
    before = 0.0
    waiting = 0
    for e in range(n):
        t = time[e]
        while time[waiting] < t:
            then = time[waiting]
            c = kind[waiting]
            waiting += 1
            for g in range(n_groups):
                pending[g] *= np.exp(-decay[g] * (then - before))
            before = then
            for q in range(own_start[c], own_start[c + 1]):
                s = own_column[q]
                level[s] = level[s] * np.exp(-decay[column_decay[s]] * (then - last[s])) + 1.0
                last[s] = then
                seen[s] += 1.0
                pending[column_decay[s]] += total[s]
                fed += total[s]
        for g in range(n_groups):
            pending[g] *= np.exp(-decay[g] * (t - before))
        before = t
        i = kind[e]
        part = 0.0
        for q in range(in_start[i], in_start[i + 1]):
            s = in_column[q]
            level[s] *= np.exp(-decay[column_decay[s]] * (t - last[s]))
            last[s] = t
            part += a[q] * (seen[s] - level[s])
        own[e] = part
        left = 0.0
        for g in range(n_groups):
            left += pending[g]
        all_channels[e] = fed - left
    return own, all_channels
