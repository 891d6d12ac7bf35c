"""A sparse matrix of masses [source, target], and which channels can set each other off.

In: sources, targets, masses. Out: products with vectors, strong components. Small matrices, those of most scenarios,
are looked at with NumPy alone: to import SciPy takes as long as all the rest of a check. Large ones go to SciPy, which
adds up in the same order.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints

SMALL = 5_000
"""Entries up to which SciPy is not asked."""


class MassMatrix:
    """Entries in order of source and then of target, those of one pair added up, zeros left out.

    row, col  (E,) source and target
    mass      (E,) > 0
    size      channels
    """

    def __init__(self, row: Ints, col: Ints, mass: Floats, size: int) -> None:
        place = np.asarray(row, np.int64) * size + np.asarray(col, np.int64)
        mass = np.asarray(mass, np.float64)
        if len(place) and (np.diff(place) <= 0).any():
            order = np.argsort(place, kind="stable")
            place, mass = place[order], mass[order]
            is_new = np.diff(place, prepend=-1) > 0
            mass = np.bincount(np.cumsum(is_new) - 1, mass).astype(np.float64)
            place = place[is_new]
        there = mass != 0
        self.row, self.col = np.divmod(place[there], max(size, 1))
        self.mass: Floats = mass[there]
        self.size = size

    @classmethod
    def of(cls, matrix: Any) -> MassMatrix:
        """Of a matrix of SciPy's, or an array."""
        if isinstance(matrix, MassMatrix):
            return matrix
        if isinstance(matrix, np.ndarray):
            row, col = np.nonzero(matrix)
            return cls(row, col, matrix[row, col], len(matrix))
        entries = matrix.tocoo()
        return cls(entries.row, entries.col, entries.data, matrix.shape[0])

    def __matmul__(self, vector: Floats) -> Floats:
        if len(self.mass) > SMALL:
            return np.asarray(self.scipy @ vector)
        return np.bincount(self.row, self.mass * vector[self.col], self.size).astype(np.float64, copy=False)

    @property
    def transposed(self) -> MassMatrix:
        """The matrix [target, source]."""
        return MassMatrix(self.col, self.row, self.mass, self.size)

    def among(self, members: Ints) -> MassMatrix:
        """The matrix of some channels, numbered in the order given."""
        position = np.full(self.size, -1, dtype=np.int64)
        position[members] = np.arange(len(members))
        row, col = position[self.row], position[self.col]
        inside = (row >= 0) & (col >= 0)
        return MassMatrix(row[inside], col[inside], self.mass[inside], len(members))

    @cached_property
    def scipy(self) -> Any:
        """The matrix as SciPy has it."""
        from scipy import sparse

        start = np.searchsorted(self.row, np.arange(self.size + 1))
        return sparse.csr_array((self.mass, self.col, start), shape=(self.size, self.size))

    def components(self) -> NDArray[np.integer[Any]]:
        """(size,) strong component of every channel; those are numbered from what sets off nothing else upwards."""
        if len(self.mass) > SMALL:
            from scipy.sparse import csgraph

            found: NDArray[np.integer[Any]] = csgraph.connected_components(self.scipy, connection="strong")[1]
            return found
        return _components(self.row, self.col, self.size)


def _components(row: Ints, col: Ints, size: int) -> Ints:
    """Strong components by one search in depth (Tarjan 1972, SIAM J. Comput. 1, 146-160), targets last to first."""
    start = np.searchsorted(row, np.arange(size + 1)).tolist()
    target = col.tolist()
    component, found = [-1] * size, 0
    number, lowest, met = [0] * size, [0] * size, 0
    stack: list[int] = []
    for root in range(size):
        if number[root]:
            continue
        path = [(root, start[root + 1])]
        while path:
            here, left = path.pop()
            if not number[here]:
                met += 1
                number[here] = lowest[here] = met
                stack.append(here)
            elif left < start[here + 1] and component[target[left]] < 0:
                lowest[here] = min(lowest[here], lowest[target[left]])
            if left > start[here]:
                path.append((here, left - 1))
                if not number[there := target[left - 1]]:
                    path.append((there, start[there + 1]))
            elif lowest[here] == number[here]:
                while component[here] < 0:
                    component[stack.pop()] = found
                found += 1
    return np.array(component, dtype=np.int64)
