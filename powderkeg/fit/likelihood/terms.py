"""How do the coefficients of terms move with the parameters, and sums over terms with them?

In: a `Design`. Out: `Terms`: the coefficient of every term per unit of its linear parameter, first and second
derivatives of sums of coefficients.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.design import Design


class Terms:
    """Coefficients of the terms and how they move with the parameters.

    Terms of one ground differ by gates and share what else stands in them, so what is summed over them is summed by
    kind first: terms of one kind (K) have the same linear parameter and the same entries from `n_gates` on.

    n_gates  log parameters of gates, the first ones
    """

    def __init__(self, design: Design, n_linear: int, n_log: int, n_gates: int = 0) -> None:
        self.linear, self.factor = design.term_linear, design.term_factor
        self.x_start, self.x_index, self.x_value = design.x_start, design.x_index, design.x_value
        self.n_linear, self.n_log = n_linear, n_log
        self.x = sparse.csr_matrix(
            (self.x_value, self.x_index, self.x_start), shape=(len(self.linear), n_log), dtype=np.float64
        )
        self.by_linear = sparse.csr_matrix(
            (np.ones(len(self.linear)), (self.linear, np.arange(len(self.linear)))), shape=(n_linear, len(self.linear))
        )
        owner = np.repeat(np.arange(len(self.linear)), np.diff(self.x_start))
        gated = self.x_index < n_gates
        self.gate = LogEntries(owner[gated], self.x_index[gated], self.x_value[gated], len(self.linear), n_log)
        self.kind, first = _kinds(self.linear, owner[~gated], self.x_index[~gated], self.x_value[~gated])
        number = np.full(len(self.linear), -1)
        number[first] = np.arange(len(first))
        kept = ~gated & (number[owner] >= 0)
        self.shape = LogEntries(number[owner[kept]], self.x_index[kept], self.x_value[kept], len(first), n_log)
        self.kind_linear = self.linear[first]
        self.gate_crossing = self.linear[self.gate.owner] * n_log + self.gate.index
        self.shape_crossing = self.kind_linear[self.shape.owner] * n_log + self.shape.index
        # a gate of a term with all that its kind has
        kind = self.kind[self.gate.owner]
        one, other = _across(self.shape.start, kind)
        self.mixed_owner, self.mixed_value = self.gate.owner[one], self.gate.value[one] * self.shape.value[other]
        self.mixed = self.gate.index[one] * n_log + self.shape.index[other]

    def of_kinds(self, pull: Floats) -> Floats:
        """(K,) sums over the terms of each kind."""
        return np.bincount(self.kind, weights=pull, minlength=len(self.kind_linear)).astype(np.float64)

    def slopes(self, log: Floats) -> Floats:
        """(T,) coefficient per unit of the linear parameter."""
        if not self.n_log:
            return self.factor.copy()
        result: Floats = np.exp(self.shape.x @ log)[self.kind] * self.factor
        if len(self.gate.owner):
            result *= np.exp(self.gate.x @ log)
        return result

    def chain(self, pull: Floats, slope: Floats, coefficient: Floats) -> Floats:
        """Gradient of sum(pull * coefficient) in (linear, log) parameters."""
        by_linear = np.bincount(self.kind_linear, weights=self.of_kinds(pull * slope), minlength=self.n_linear)
        whole = pull * coefficient
        by_log = self.gate.summed(whole) + self.shape.summed(self.of_kinds(whole))
        return np.concatenate([by_linear, by_log])

    def bend(self, pull: Floats, slope: Floats, coefficient: Floats) -> Floats:
        """Second derivative of sum(pull * coefficient)."""
        n, n_log = self.n_linear, self.n_log
        hessian = np.zeros((n + n_log, n + n_log))
        if n_log:
            part, whole = pull * slope, pull * coefficient
            across = self.gate.value * part[self.gate.owner]
            cross = np.bincount(self.gate_crossing, weights=across, minlength=n * n_log)
            across = self.shape.value * self.of_kinds(part)[self.shape.owner]
            cross = (cross + np.bincount(self.shape_crossing, weights=across, minlength=n * n_log)).reshape(n, n_log)
            hessian[:n, n:] = cross
            hessian[n:, :n] = cross.T
            within = self.gate.bent(whole) + self.shape.bent(self.of_kinds(whole))
            if len(self.mixed):
                weights = self.mixed_value * whole[self.mixed_owner]
                mixed = np.bincount(self.mixed, weights=weights, minlength=n_log**2).reshape(n_log, n_log)
                within += mixed + mixed.T
            hessian[n:, n:] = within
        return hessian


class LogEntries:
    """Log parameters that stand in items: terms, or kinds of them.

    owner, index, value  (E,) by item in order;  start (items + 1,)
    """

    def __init__(self, owner: Ints, index: Ints, value: Floats, n_items: int, n_log: int) -> None:
        self.owner, self.index, self.value, self.n_log = owner, index, value, n_log
        self.start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n_items))]).astype(np.int64)
        self.x = sparse.csr_matrix((value, index, self.start), shape=(n_items, n_log), dtype=np.float64)
        self.turned = self.x.T.tocsr()
        one, other = _across(self.start, owner)
        self.pair_owner, self.pair_value = owner[one], value[one] * value[other]
        self.pair = index[one] * n_log + index[other]

    def summed(self, weight: Floats) -> Floats:
        """(n_log,) sum over items of weight times value."""
        found: Floats = self.turned @ weight
        return found

    def bent(self, weight: Floats) -> Floats:
        """(n_log, n_log) sum over items of weight times value times value."""
        weights = self.pair_value * weight[self.pair_owner]
        found = np.bincount(self.pair, weights=weights, minlength=self.n_log**2).astype(np.float64)
        return found.reshape(self.n_log, self.n_log)


def _kinds(linear: Ints, owner: Ints, index: Ints, value: Floats) -> tuple[Ints, Ints]:
    """((T,) kind of every term, (K,) the first term of each): alike in the linear parameter and in all entries."""
    values, which = np.unique(value, return_inverse=True)
    entry = index * len(values) + which.ravel() + 1
    size = np.bincount(owner, minlength=len(linear))
    along = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
    _, first, kind = np.unique(linear, return_index=True, return_inverse=True)
    for k in range(int(size.max(initial=0))):
        column = np.zeros(len(linear), np.int64)
        column[owner[along == k]] = entry[along == k]
        _, first, kind = np.unique(
            kind.ravel() * (int(column.max()) + 1) + column, return_index=True, return_inverse=True
        )
    order = np.argsort(first)  # numbered as they come
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return number[kind.ravel()], first[order].astype(np.int64)


def _across(start: Ints, item: Ints) -> tuple[Ints, Ints]:
    """(number of an item in the list, entry) for every entry of every listed item.

    start  (items + 1,) where the entries of each item begin;  item of each in the list
    """
    size = np.diff(start)[item]
    one = np.repeat(np.arange(len(item)), size)
    return one, np.arange(len(one)) + np.repeat(start[item] - (np.cumsum(size) - size), size)
