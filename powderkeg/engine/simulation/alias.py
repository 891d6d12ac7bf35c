"""Alias tables: choose one of many weights with one uniform, in constant time.

In: weights in rows. Out: for every entry the share kept by itself and the entry that takes the rest.
Source: Walker (1977), ACM TOMS 3(3); built as in Vose (1991), IEEE TSE 17(9). The order in which entries are paired
is part of the contract (it decides which draw means what): stacks filled by rising index, the last one taken first.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop


@loop
def _fill_rows(start, weight, keep, other, sums, small, large):  # type: ignore[no-untyped-def]
    """As `alias_rows`; small, large  room for the longest row."""
    for row in range(len(start) - 1):
        first, end = start[row], start[row + 1]
        n = end - first
        total = 0.0
        for i in range(first, end):
            total += weight[i]
        sums[row] = total
        n_small = 0
        n_large = 0
        for i in range(first, end):
            keep[i] = weight[i] / total * n
            other[i] = i
            if keep[i] < 1.0:
                small[n_small] = i
                n_small += 1
            else:
                large[n_large] = i
                n_large += 1
        while n_small > 0 and n_large > 0:
            n_small -= 1
            s = small[n_small]
            g = large[n_large - 1]
            other[s] = g
            keep[g] = (keep[g] + keep[s]) - 1.0
            if keep[g] < 1.0:
                n_large -= 1
                small[n_small] = g
                n_small += 1
        # What rounding leaves over keeps its whole cell.
        for i in range(n_small):
            keep[small[i]] = 1.0
        for i in range(n_large):
            keep[large[i]] = 1.0


def alias_rows(start: Ints, weight: Floats, keep: Floats, other: Ints, sums: Floats) -> None:
    """Fill `keep` (share of its cell that entry i keeps), `other` (entry that takes the rest) and `sums` of rows.

    start   (rows + 1,)
    weight  (entries,) > 0
    other   (entries,) position in the whole array, not in the row
    """
    small, large = np.empty((2, int(np.diff(start).max(initial=0))), np.int64)
    _fill_rows(start, weight, keep, other, sums, small, large)


@inner
def pick(u, first, n):  # type: ignore[no-untyped-def]
    """Cell of a row of `n` entries that starts at `first`, and the share of the way through the cell."""
    x = u * n
    cell = np.int64(x)
    if cell >= n:  # u next to 1 times n may round up to n
        cell = n - 1
    return first + cell, x - cell
