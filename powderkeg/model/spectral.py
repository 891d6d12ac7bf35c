"""Branching: the mean number of direct answers, channel by channel, and whether answers to answers die out.

In: a Model and a state of its facts. Out: the branching matrix of that state, its spectral radius (the branching
ratio), and how much of the ratio each mechanism carries.

Only mechanisms count: a fact that runs out or a policy that acts is not an answer to the act that set it off, and an
act that opens a gate is counted in the state it leads to.

The ratio is found class by class (a class is a set of channels that can set each other off, a strong component): a
matrix without cycles has ratio 0 exactly, whatever its masses, and one with several classes the ratio of its worst.
Within a class the matrix is irreducible, so that min (Bv)/v <= ratio <= max (Bv)/v for every v > 0 (Collatz 1942,
Wielandt 1950): the iteration stops when the two meet, which also settles periodic matrices once a multiple of v is
added at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.model.gates import row_values
from powderkeg.model.masses import MassMatrix
from powderkeg.model.parts import Model

if TYPE_CHECKING:
    from scipy import sparse

CLOSE = 1e-9
"""Two bounds on a ratio that differ by less than this part of it are taken for one number."""

ARPACK_CLOSE = 1e-6
"""The same for matrices left to ARPACK: those are large, and the last digits cost most."""

NODA_UP_TO = 1_500
"""Channels in a class up to which a linear system is solved where power steps are slow."""

BASIS = 5
"""Vectors that ARPACK keeps: after so many power steps few will do, and each costs as much as a step."""

FEW_STEPS = 20
"""Power steps over all classes, after which one that is larger than that is looked at by itself."""

ALIKE = 16
"""A large class is lumped where that leaves at most one channel in so many."""

POWER_STEPS, MOST_STEPS = 200, 2_000
"""Power steps before anything dearer is tried, and steps after that; should those leave a gap, its middle is taken."""

TINY = 1e-250
"""Smallest entry an eigenvector may have: the bounds hold for every vector > 0, so rounding up does no harm."""


def branching_matrix(model: Model, levels: Mapping[str, str] | Ints | None = None) -> sparse.csr_array:
    """Mean direct offspring [source, target] of one act of the source channel while the facts stay as they are.

    levels   a state: None the initial one, a mapping {fact: level} of changes to it, or (S,) level indices
    returns  (C, C), >= 0, calms taken as 0 (they only lower)
    """
    system = model.system
    return _matrix(system, edge_masses(system, model.levels_of(levels))).scipy


def branching_ratio(model: Model, levels: Mapping[str, str] | Ints | None = None) -> float:
    """Spectral radius of the branching matrix: below 1, what follows from one act dies out."""
    return ratio_of_masses(model.system, edge_masses(model.system, model.levels_of(levels)))


def edge_masses(system: System, levels: Ints) -> Floats:
    """(E,) mean direct offspring along every edge in one state."""
    rows = row_values(system, levels)
    return system.edge_mass * rows[system.edge_gate] * rows[system.channel_gate][system.edge_target]


def spectral_radius(matrix: MassMatrix | Any) -> float:
    """Spectral radius of a matrix without negative entries, of any structure, dense or of SciPy's."""
    classes = _classes(MassMatrix.of(matrix))
    return 0.0 if classes is None else float(_class_radii(classes).max())


def ratio_of_masses(system: System, masses: Floats) -> float:
    """Branching ratio where mean direct offspring along the edges are (E,) `masses`."""
    return spectral_radius(_matrix(system, masses))


def edge_weights(system: System, masses: Floats) -> Floats:
    """(E,) share of each edge in the spectral radius of a matrix of edge masses.

    A share is an elasticity: the per cent by which the radius falls when the edge carries one per cent less. Shares sum
    to 1 (Euler: the radius is homogeneous in the masses), or are all 0 where the radius is. From the left and right
    eigenvectors of the worst class.
    """
    matrix = _matrix(system, masses)
    classes = _classes(matrix)
    if classes is None:
        return np.zeros(system.n_edges)
    members = classes.members(0 if len(classes.start) == 1 else int(np.argmax(_class_radii(classes))))
    inside = matrix.among(members)
    right, left = np.zeros(system.n_channels), np.zeros(system.n_channels)
    right[members] = _perron(inside)[1]
    left[members] = _perron(inside.transposed)[1]
    weights = left[edge_sources(system)] * masses * right[system.edge_target]
    return np.asarray(weights / weights.sum())


def elasticities(model: Model, levels: Mapping[str, str] | Ints | None = None) -> dict[str, float]:
    """By how many per cent the branching ratio of a state moves when a value moves by one per cent, by key path.

    For the answers of every mechanism (these sum to 1) and the factor of every gate; zeros are left out.
    """
    state = model.levels_of(levels)
    return weight_by_path(model, edge_weights(model.system, edge_masses(model.system, state)), state)


def weight_by_path(model: Model, weights: Floats, state: Ints | None) -> dict[str, float]:
    """Edge weights added up by the parameters that scale the edges; gates only where a state is given."""
    system = model.system
    total = np.zeros(len(model.parameters) + 1)  # the last cell takes what has no parameter (-1)
    np.add.at(total, model.edge_parameter, weights)
    if state is not None:
        n_rows = len(system.row_start) - 1
        in_row = np.bincount(system.edge_gate, weights, n_rows)
        in_row += np.bincount(system.channel_gate[system.edge_target], weights, n_rows)
        row = np.repeat(np.arange(n_rows), np.diff(system.row_start))
        np.add.at(total, model.factor_parameter[system.entry_offset + state[system.entry_fact]], in_row[row])
    paths = (parameter.path for parameter in model.parameters)
    return {path: float(share) for path, share in zip(paths, total, strict=False) if share > 0}


def edge_sources(system: System) -> Ints:
    """(E,) source channel of every edge."""
    return np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))


def _matrix(system: System, masses: Floats) -> MassMatrix:
    """Edge masses as a [source, target] matrix, edges of one pair added up, zeros left out."""
    return MassMatrix(edge_sources(system), system.edge_target, masses, system.n_channels)


class _Classes(NamedTuple):
    """Channels that can set each other off, class after class: those that stand in no cycle are left out."""

    blocks: MassMatrix  # from and to these channels, links between classes left out
    channels: Ints
    start: Ints

    def members(self, index: int) -> Ints:
        """The channels of a class, in order."""
        end = np.append(self.start, len(self.channels))
        return np.sort(self.channels[self.start[index] : end[index + 1]])


def _classes(matrix: MassMatrix) -> _Classes | None:
    """None for a matrix without cycles."""
    if len(matrix.mass) == 0:
        return None
    class_of = matrix.components()
    inside = class_of[matrix.row] == class_of[matrix.col]
    row, col, mass = matrix.row[inside], matrix.col[inside], matrix.mass[inside]
    if len(row) == 0:
        return None
    in_cycle = np.zeros(int(class_of.max()) + 1, dtype=np.bool_)
    in_cycle[class_of[row]] = True
    channels = np.flatnonzero(in_cycle[class_of])
    channels = channels[np.argsort(class_of[channels], kind="stable")]
    position = np.full(matrix.size, -1, dtype=np.int64)
    position[channels] = np.arange(len(channels))
    start = np.flatnonzero(np.diff(class_of[channels], prepend=-1))
    return _Classes(MassMatrix(position[row], position[col], mass, len(channels)), channels, start)


def _class_radii(classes: _Classes) -> Floats:
    """Spectral radius of each irreducible diagonal block; a block that cannot be the worst may keep a rough value.

    All blocks iterate at once, so that 10,000 pairs that retaliate against each other cost no more than one matrix.
    """
    blocks, start = classes.blocks, classes.start
    sizes = np.diff(np.append(start, blocks.size))
    vector = np.ones(blocks.size)
    low, high = np.zeros(len(start)), np.full(len(start), np.inf)
    for step in range(100):
        image = blocks @ vector
        quotient = image / vector
        low = np.maximum(low, np.minimum.reduceat(quotient, start))
        high = np.minimum(high, np.maximum.reduceat(quotient, start))
        open_still = (high - low > CLOSE * high) & (high > low.max())
        if not open_still.any():
            return np.asarray((low + high) / 2.0)
        if step == FEW_STEPS and sizes[open_still].min() > NODA_UP_TO:
            break
        # A shift of the size of the ratio itself: a cycle of length two, the commonest period, is settled at once.
        vector = image + np.repeat((low + high) / 2.0, sizes) * vector
        vector /= np.repeat(np.maximum.reduceat(vector, start), sizes)
        np.maximum(vector, TINY, out=vector)
    radius = (low + high) / 2.0
    best = float(radius[~open_still].max(initial=0.0))
    for index in sorted(np.flatnonzero(open_still), key=lambda index: -high[index]):
        if high[index] <= best:
            break  # neither this block nor any after it can be the worst
        block = blocks.among(np.arange(start[index], start[index] + sizes[index]))
        radius[index] = np.clip(_perron(block)[0], low[index], high[index])
        best = max(best, float(radius[index]))
    return np.asarray(radius)


def _perron(matrix: MassMatrix) -> tuple[float, Floats]:
    """Perron eigenvalue and vector (largest entry 1, all > 0) of an irreducible matrix.

    Shifted power steps first. Where they are slow, small matrices go on with Noda's iteration: solve (s - B) w = v with
    s the upper bound max (Bv)/v, which converges for every irreducible B, at the end with twice the digits at each step
    (Noda 1971, Numerische Mathematik 17, 382-386). Large ones, whose factors would fill up, are lumped where many
    channels are alike, and left to ARPACK where they are not.
    """
    size = matrix.size
    is_large = size > NODA_UP_TO
    vector = np.ones(size)
    if is_large and (lumped := _lumped(matrix)) is not None:
        vector = lumped
    for step in range(POWER_STEPS + MOST_STEPS):
        image = matrix @ vector
        quotient = image / vector
        low, high = float(quotient.min()), float(quotient.max())
        if high - low <= CLOSE * high:
            break
        if step == POWER_STEPS and is_large:
            from scipy.sparse.linalg import ArpackNoConvergence, eigs

            try:
                values, vectors = eigs(matrix.scipy, k=1, which="LR", v0=vector, tol=ARPACK_CLOSE, ncv=BASIS)
                found = np.abs(vectors[:, 0].real)
                return float(values[0].real), np.maximum(found / found.max(), TINY)
            except ArpackNoConvergence:
                pass
        if step < POWER_STEPS or is_large:
            vector = image + (low + high) / 2.0 * vector
        else:
            from scipy import sparse
            from scipy.sparse.linalg import splu

            # Just above the bound: at the bound itself the system can be singular to the last digit.
            shifted = high * (1.0 + 1e-13) * sparse.eye_array(size, format="csc") - matrix.scipy.tocsc()
            vector = np.abs(splu(shifted).solve(vector))
        vector = np.maximum(vector / vector.max(), TINY)
    return (low + high) / 2.0, vector


def _lumped(matrix: MassMatrix) -> Floats | None:
    """The Perron vector of a large matrix by way of a small one, in which channels alike are one; None if few are.

    Channels are alike if they carry the same mass to every set of alike channels: then the vector is the same for all
    of a set, and the ratio is that of the matrix of sets (an equitable partition; Godsil & Royle 2001, Algebraic Graph
    Theory, 9.3). Sets are split until nothing splits them, seen by random weights on the sets. The caller's bounds hold
    whatever comes out here.
    """
    size = matrix.size
    draw = np.random.default_rng(1)
    alike, n_sets = np.zeros(size, dtype=np.int64), 1
    while True:
        # What a channel carries, and its own set; sums of equal masses in another order may differ in the last digits.
        there, own = 1.0 + draw.random((2, n_sets))
        distinct, alike = np.unique(np.round((matrix @ there[alike] + own[alike]) / 1e-9), return_inverse=True)
        if len(distinct) * ALIKE > size:
            return None
        if len(distinct) == n_sets:
            break
        n_sets = len(distinct)
    mass = matrix.mass / np.bincount(alike)[alike[matrix.row]]
    vector: Floats = _perron(MassMatrix(alike[matrix.row], alike[matrix.col], mass, n_sets))[1][alike]
    return vector
