"""Who set off whom: expected children of every act in every later one, and the roots that acts descend from.

In: the rows of a likelihood pass, the share that each mechanism has in each row. Out: links (child, parent, mechanism,
expected number), and by recursion along them what share of each act descends from which category of roots.

A *cell* is what the data can tell apart: an event at exact times, a channel-day (with its number of acts) by day.
Gates of the channel cancel in the shares; gates of single mechanisms and backgrounds do not, and are in them.
Source: Zhuang, Ogata & Vere-Jones (2002), JASA 97, 369-380 for parent probabilities; the day version is ours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from powderkeg.engine.arrays import Floats, Ints

FARTHEST = 30.0
"""Decay times age beyond which a parent's share is below 1e-13."""


@njit(cache=True, nogil=True, error_model="numpy")
def lag_links(
    row_cell: Ints,
    row_start: Ints,
    entry_slot: Ints,
    entry_share: Floats,
    slot_mechanism: Ints,
    slot_start: Ints,
    slot_source: Ints,
    slot_mass: Floats,
    kernel_start: Ints,
    kernel_weight: Floats,
    kernel_decay: Floats,
    cell_time: Floats,
    cell_acts: Floats,
    channel_start: Ints,
    channel_cell: Ints,
    by_day: bool,
    least: float,
) -> tuple[Ints, Ints, Ints, Floats]:
    """Share out each row's part by a slot among the earlier cells that feed the slot.

    row_cell       (rows,) cell of each row;  row_start CSR of its entries: slot, expected number of children there
    slot_start     CSR by slot of the channels that feed it and their masses
    kernel_weight  (components,) weight at age 0: share * decay, or by day share * (1 - e^-b)^2 / b at lag 1
    cell_time      (cells,) time or day;  cell_acts (cells,) acts in it
    channel_start  CSR by channel of its cells in time order
    least          expected number below which a link is dropped
    returns        child cell, parent cell, mechanism, expected number
    """
    room = 1024
    child = np.empty(room, np.int64)
    parent = np.empty(room, np.int64)
    kind = np.empty(room, np.int64)
    count = np.empty(room, np.float64)
    n = 0
    for row in range(len(row_cell)):
        here = row_cell[row]
        t = cell_time[here]
        for e in range(row_start[row], row_start[row + 1]):
            s = entry_slot[e]
            share = entry_share[e]
            if share <= least:
                continue
            m = slot_mechanism[s]
            slowest = kernel_decay[kernel_start[m]]
            for j in range(kernel_start[m], kernel_start[m + 1]):
                slowest = min(slowest, kernel_decay[j])
            begin = n
            total = 0.0
            for k in range(slot_start[s], slot_start[s + 1]):
                c = slot_source[k]
                # last cell of the channel before t, by bisection
                low, high = channel_start[c], channel_start[c + 1]
                while low < high:
                    middle = (low + high) // 2
                    if cell_time[channel_cell[middle]] < t:
                        low = middle + 1
                    else:
                        high = middle
                for at in range(low - 1, channel_start[c] - 1, -1):
                    one = channel_cell[at]
                    age = t - cell_time[one] - (1.0 if by_day else 0.0)
                    if slowest * age > FARTHEST:
                        break
                    w = 0.0
                    for j in range(kernel_start[m], kernel_start[m + 1]):
                        w += kernel_weight[j] * np.exp(-kernel_decay[j] * age)
                    w *= slot_mass[k] * cell_acts[one]
                    if w <= 0.0:
                        continue
                    if n == room:
                        room *= 2
                        child_ = np.empty(room, np.int64)
                        child_[:n] = child
                        child = child_
                        parent_ = np.empty(room, np.int64)
                        parent_[:n] = parent
                        parent = parent_
                        kind_ = np.empty(room, np.int64)
                        kind_[:n] = kind
                        kind = kind_
                        count_ = np.empty(room, np.float64)
                        count_[:n] = count
                        count = count_
                    child[n] = here
                    parent[n] = one
                    kind[n] = m
                    count[n] = w
                    total += w
                    n += 1
            kept = begin
            if total > 0.0:
                for k in range(begin, n):
                    value = count[k] / total * share
                    if value > least:
                        child[kept] = child[k]
                        parent[kept] = parent[k]
                        kind[kept] = kind[k]
                        count[kept] = value
                        kept += 1
            n = kept
    return child[:n].copy(), parent[:n].copy(), kind[:n].copy(), count[:n].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def descend(start: Ints, parent: Ints, count: Floats, acts: Floats, own: Floats, sweeps: int, close: float) -> Floats:
    """Solve acts * s = own + links s: the shares of categories of roots in every cell.

    start   CSR by child cell (cells in time order) of its links: parent cell, expected number of children
    own     (cells, K) expected number of roots among the cell's acts, by category
    returns (cells, K) shares; rows sum to 1 where own and links sum to acts

    At exact times one sweep in time order is the answer; acts of one day may answer each other, and sweeps go on until
    nothing moves by more than `close`.
    """
    n, k = own.shape
    s = np.zeros((n, k))
    line = np.empty(k)
    for _ in range(sweeps):
        moved = 0.0
        for i in range(n):
            for j in range(k):
                line[j] = own[i, j]
            loop = 0.0
            for e in range(start[i], start[i + 1]):
                if parent[e] == i:
                    loop += count[e]
                else:
                    for j in range(k):
                        line[j] += count[e] * s[parent[e], j]
            for j in range(k):
                value = line[j] / (acts[i] - loop)
                moved = max(moved, abs(value - s[i, j]))
                s[i, j] = value
        if moved < close:
            break
    return s
