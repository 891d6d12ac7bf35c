"""Which acts of a day answer each other in circles? A day's blocks, taken apart where answers go one way only.

In: blocks of rows and the echoes between them. Out: parts of rows, each within a block. The determinant of a matrix
that is triangular by blocks is the product of those of its blocks, so of the echoes only those within a circle of
answers count in log det L; a block of two hundred rows may hold none longer than forty.
Source: Tarjan (1972), SIAM J. Comput. 1(2), 146-160 (strong components), without recursion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Ints
from powderkeg.engine.compiled import inner, loop


class DayParts(NamedTuple):
    """Rows by part. N rows.

    order, place  (N,) row at each place, and its inverse
    start         (parts + 1,) rows of part p are order[start[p]:start[p + 1]], ascending
    block         (parts,) the block that a part is of
    """

    order: Ints
    place: Ints
    start: Ints
    block: Ints


@inner
def _close_part(row: int, low: Ints, waiting: Ints, n_waiting: int, order: Ints, n_ordered: int, done: int) -> int:
    """Take a part off the rows that wait, down to its first row, in ascending order; returns how many rows it has."""
    size = 0
    while True:
        size += 1
        member = waiting[n_waiting - size]
        low[member] = done
        at = n_ordered + size - 1
        while at > n_ordered and order[at - 1] > member:
            order[at] = order[at - 1]
            at -= 1
        order[at] = member
        if member == row:
            return size


@loop
def _find_parts(
    block: Ints, echo_start: Ints, echo_from: Ints, order: Ints, start: Ints, owner: Ints, found: Ints, low: Ints,
    waiting: Ints, path: Ints, edge: Ints,
) -> int:  # fmt: skip
    """Fill order, start and owner; returns the parts. The last five (N,) are room, `found` full of 0."""
    done = len(found) + 1  # what a row in a finished part stands at
    n_parts, n_ordered, number = 0, 0, 0
    for b in range(len(block) - 1):
        for root in range(block[b], block[b + 1]):
            if found[root] != 0:
                continue
            number += 1
            found[root] = low[root] = number
            waiting[0] = path[0] = root
            edge[root] = echo_start[root]
            n_waiting, depth = 1, 1
            while depth > 0:
                row = path[depth - 1]
                if edge[row] < echo_start[row + 1]:
                    source = echo_from[edge[row]]
                    edge[row] += 1
                    if found[source] == 0:
                        number += 1
                        found[source] = low[source] = number
                        edge[source] = echo_start[source]
                        waiting[n_waiting] = path[depth] = source
                        n_waiting += 1
                        depth += 1
                    elif low[source] < done:
                        low[row] = min(low[row], found[source])
                    continue
                depth -= 1
                lowest = low[row]
                if lowest == found[row]:
                    size = _close_part(row, low, waiting, n_waiting, order, n_ordered, done)
                    n_waiting -= size
                    n_ordered += size
                    owner[n_parts] = b
                    n_parts += 1
                    start[n_parts] = n_ordered
                if depth > 0:
                    low[path[depth - 1]] = min(low[path[depth - 1]], lowest)
    return n_parts


def find_parts(block: Ints, echo_start: Ints, echo_from: Ints) -> DayParts:
    """The parts of all blocks: rows that answer each other in circles, and each other row by itself."""
    n = int(block[-1])
    order, start, owner = np.empty(n, np.int64), np.zeros(n + 1, np.int64), np.empty(n, np.int64)
    room = (np.empty(n, np.int64) for _ in range(4))
    n_parts = _find_parts(block, echo_start, echo_from, order, start, owner, np.zeros(n, np.int64), *room)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    return DayParts(order, place, start[: n_parts + 1].copy(), owner[:n_parts].copy())
