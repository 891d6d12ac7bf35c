"""Masses without SciPy: sums and products as SciPy has them, bit for bit, and its strong components."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph

from powderkeg.model import masses
from powderkeg.model.masses import MassMatrix


@pytest.mark.parametrize("small", [0, masses.SMALL])
def test_small_and_large_matrices_are_those_of_scipy(monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(masses, "SMALL", small)
    draw = np.random.default_rng(1)
    n_cycles = 0
    for _ in range(300):
        size = int(draw.integers(1, 30))
        many = int(draw.integers(0, 3 * size))
        row, col = draw.integers(0, size, (2, many))
        mass = draw.random(many) * (draw.random(many) > 0.1)
        theirs = sparse.csr_array((mass, (row, col)), shape=(size, size))
        theirs.sum_duplicates()
        theirs.eliminate_zeros()
        ours, vector = MassMatrix(row, col, mass, size), draw.random(size)
        assert np.array_equal(ours.mass, theirs.data) and np.array_equal(ours.col, theirs.indices)
        assert np.array_equal(ours @ vector, theirs @ vector)
        assert np.array_equal(ours.transposed @ vector, theirs.T.tocsr() @ vector)
        n_classes, class_of = csgraph.connected_components(theirs, directed=True, connection="strong")
        found = ours.components()
        # The same components; how they are numbered is SciPy's affair, as long as links lead downwards.
        assert len({*zip(found.tolist(), class_of.tolist(), strict=True)}) == len({*found.tolist()}) == n_classes
        assert (found[ours.row] >= found[ours.col]).all()
        some = np.flatnonzero(draw.random(size) < 0.5)
        assert np.array_equal(ours.among(some).scipy.toarray(), theirs[some][:, some].toarray())
        n_cycles += n_classes < size
    assert n_cycles > 50
