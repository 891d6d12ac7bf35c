"""The maximum at exact times: every channel climbed by itself, decays by Newton on top of that.

In: `Streams` at exact times, a `Layout` of what may act on what. Out: a `Maximum`.

At given decays the coefficients of a channel know nothing of the others (`engine.likelihood.plain`). The best value
over them is a function of the decays alone, with an exact gradient (the coefficients are at their best, so they do not
count) and an exact Hessian (by the implicit function theorem); Newton on it needs three to five passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.plain import BLOCK, climb_rows, compensate, fill_rows, lean_row
from powderkeg.hawkes.reading import Streams

MOST_BYTES = 1.5e9
"""Rows held at a time; more channels than fit are climbed in turns."""
TOLERANCE = 1e-9
"""Newton decrement (twice the log-likelihood still to be gained) at which a channel counts as climbed."""
FIRST_EVENTS = 20_000
"""Events of the first look at unknown decays."""


@dataclass(frozen=True)
class Layout:
    """What may act on what. C channels, B background pieces, K components a pair, S = K * C columns, G decays.

    Coefficients of channel i are start[i]:start[i + 1]: its background pieces, then its columns in the order of
    in_column. Column k * C + j is source j through component k.

    cut           (B + 1,) bounds of the background pieces
    column_decay  (S,) which decay a column has
    in_start, in_column     CSR by channel: columns that may act on it
    own_start, own_column   CSR by channel: columns it feeds
    """

    n_types: int
    n_components: int
    n_decays: int
    cut: Floats
    column_decay: Ints
    in_start: Ints
    in_column: Ints
    own_start: Ints
    own_column: Ints
    start: Ints

    @property
    def n_pieces(self) -> int:
        return len(self.cut) - 1

    @property
    def n_coefficients(self) -> int:
        return int(self.start[-1])

    @property
    def hessian_start(self) -> Ints:
        size = np.diff(self.start)
        return np.concatenate([[0], np.cumsum(size * size)]).astype(np.int64)

    @property
    def is_background(self) -> NDArray[np.bool_]:
        """(P,) coefficients that are background pieces."""
        within = np.arange(self.n_coefficients) - np.repeat(self.start[:-1], np.diff(self.start))
        return np.asarray(within < self.n_pieces)

    @property
    def link_places(self) -> Ints:
        """(len in_column,) position of every link among the coefficients."""
        return np.flatnonzero(~self.is_background).astype(np.int64)

    @property
    def link_target(self) -> Ints:
        return np.repeat(np.arange(self.n_types), np.diff(self.in_start)).astype(np.int64)

    @property
    def link_source(self) -> Ints:
        return self.in_column % self.n_types

    @property
    def link_decay(self) -> Ints:
        """(len in_column,) decay of every link."""
        return self.column_decay[self.in_column]

    def of(self, i: int) -> slice:
        """Coefficients of channel i."""
        return slice(int(self.start[i]), int(self.start[i + 1]))


def lay_out(n_types: int, n_components: int, per_source: bool, source: Ints, target: Ints, cut: Floats) -> Layout:
    """The layout in which `source[k]` may act on `target[k]`."""
    order = np.lexsort((source, target))
    source, target = source[order], target[order]
    size = np.bincount(target, minlength=n_types)
    at = np.concatenate([[0], np.cumsum(size)])
    columns = [
        np.concatenate([k * n_types + source[at[i] : at[i + 1]] for k in range(n_components)]) for i in range(n_types)
    ]
    in_start = np.concatenate([[0], np.cumsum([len(c) for c in columns])]).astype(np.int64)
    every = np.arange(n_components * n_types).reshape(n_components, n_types)
    n_pieces = len(cut) - 1
    return Layout(
        n_types=n_types,
        n_components=n_components,
        n_decays=n_components * n_types if per_source else n_components,
        cut=np.asarray(cut, np.float64),
        column_decay=(np.arange(n_components * n_types) if per_source else np.repeat(np.arange(n_components), n_types)),
        in_start=in_start,
        in_column=np.concatenate(columns).astype(np.int64) if columns else np.zeros(0, np.int64),
        own_start=np.arange(n_types + 1, dtype=np.int64) * n_components,
        own_column=np.ascontiguousarray(every.T.ravel()),
        start=(in_start + n_pieces * np.arange(n_types + 1)).astype(np.int64),
    )


@dataclass
class Point:
    """The best coefficients at given decays.

    value      log-likelihood less penalty;  gradient, hessian (minus) of it, channel after channel, cost included
    decrement  (C,) Newton decrement left;  passes (C,) looks at the rows
    slope, curve   gradient (G,) and Hessian (G, G) of the best value in the log decays, if asked for
    lean       (P, G) derivative of the coefficients by the log decays, if asked for
    """

    decay: Floats
    a: Floats
    value: float
    gradient: Floats
    hessian: Floats
    decrement: Floats
    passes: Ints
    slope: Floats
    curve: Floats
    lean: Floats


class Rows:
    """The log-likelihood of some streams under a layout.

    penalty  (P,) added to the cost of every coefficient
    held     (P,) coefficients that stay as they are
    """

    def __init__(
        self, streams: Streams, layout: Layout, penalty: Floats | None = None, held: NDArray[np.bool_] | None = None
    ) -> None:
        self.streams, self.layout = streams, layout
        n = layout.n_coefficients
        self.penalty = np.zeros(n) if penalty is None else penalty
        self.held = np.zeros(n, np.int64) if held is None else held.astype(np.int64)
        self.counts = streams.counts
        self.cut = layout.cut
        self._own_count = self.counts[np.arange(layout.n_components * layout.n_types) % layout.n_types]

    def restrict(self, penalty: Floats | None, held: NDArray[np.bool_] | None) -> Rows:
        return Rows(self.streams, self.layout, penalty, held)

    def exposures(self, decay: Floats, order: int) -> tuple[Floats, Floats, Floats]:
        """(S,) expected children per unit of coefficient within the window, and its derivatives by the log decay."""
        s, d = self.streams, self.layout
        result = np.zeros((3, d.n_components * d.n_types))
        source_decay = d.column_decay.reshape(d.n_components, d.n_types)
        for g in range(d.n_decays):
            late = int(np.searchsorted(s.time, s.days - 40.0 / decay[g]))
            scaled = decay[g] * (s.days - s.time[late:])
            gone = np.exp(-scaled)
            for k in range(d.n_components):
                mine = source_decay[k] == g
                if not mine.any():
                    continue
                columns = k * d.n_types + np.flatnonzero(mine)
                for q, lost in enumerate((gone, scaled * gone, (scaled - scaled**2) * gone)[: order + 1]):
                    total = np.bincount(s.kind[late:], weights=lost, minlength=d.n_types)[mine]
                    result[q, columns] = self._own_count[columns] - total if q == 0 else total
        return result[0], result[1], result[2]

    def cost(self, exposure: Floats) -> Floats:
        """(P,) expected count per unit of coefficient, with the penalty."""
        d = self.layout
        cost = np.empty(d.n_coefficients)
        background = d.is_background
        cost[background] = np.tile(np.diff(np.append(self.cut[:-1], self.streams.days)), d.n_types)
        cost[~background] = exposure[d.in_column]
        return cost + self.penalty

    def start(self, cost: Floats) -> Floats:
        """Where to begin: half of every channel's events from the background, half as answers to all that may act."""
        d = self.layout
        a = np.zeros(d.n_coefficients)
        for i in range(d.n_types):
            here = d.of(i)
            pieces = slice(here.start, here.start + d.n_pieces)
            links = slice(here.start + d.n_pieces, here.stop)
            reach = cost[links] - self.penalty[links]
            able = (reach > 0) & (self.held[links] == 0)
            share = 0.5 if able.any() else 1.0
            a[pieces] = share * self.counts[i] / max(self.streams.days, 1e-300)
            a[links] = np.where(able, 0.5 * self.counts[i] / max(float(reach[able].sum()), 1e-300), 0.0)
        return a

    def turns(self, order: int) -> Iterator[Ints]:
        """Channels, so many at a time as fit into memory."""
        d = self.layout
        size = -(-self.counts // BLOCK) * BLOCK * np.diff(d.start) * 8.0 * (order + 1)
        turn: list[int] = []
        used = 0.0
        for i in range(d.n_types):
            if turn and used + size[i] > MOST_BYTES:
                yield np.array(turn, np.int64)
                turn, used = [], 0.0
            turn.append(i)
            used += size[i]
        if turn:
            yield np.array(turn, np.int64)

    def fill(self, decay: Floats, wanted: Ints, order: int) -> tuple[Ints, Floats, Floats, Floats]:
        """(where each channel's rows begin, their values, first and second derivatives by the log decay)."""
        s, d = self.streams, self.layout
        size = -(-self.counts[wanted] // BLOCK) * BLOCK * np.diff(d.start)[wanted]
        first = np.full(d.n_types, -1, np.int64)
        first[wanted] = np.concatenate([[0], np.cumsum(size)[:-1]])
        total = int(size.sum())
        x = np.empty(total)
        bend, curl = np.empty(total if order > 0 else 0), np.empty(total if order > 1 else 0)
        fill_rows(
            s.time, s.kind, decay, d.column_decay, d.own_start, d.own_column, d.in_start, d.in_column, self.cut, first,
            order, x, bend, curl,
        )  # fmt: skip
        return first, x, bend, curl

    def climb(
        self,
        decay: Floats,
        start: Floats | None = None,
        leaning: bool = False,
        visit: Callable[[Ints, Ints, Floats, Point], None] | None = None,
    ) -> Point:
        """The best coefficients at `decay`.

        leaning  whether slope, curve and lean are wanted
        visit    called with (channels, where their rows begin, rows, the point so far) while the rows are at hand
        """
        d = self.layout
        order = 2 if leaning else 0
        exposure, exposure_slope, exposure_curve = self.exposures(decay, order)
        cost = self.cost(exposure)
        p, g = d.n_coefficients, d.n_decays
        point = Point(
            decay=decay, a=self.start(cost) if start is None else start.copy(), value=0.0, gradient=np.zeros(p),
            hessian=np.zeros(int(d.hessian_start[-1])), decrement=np.zeros(d.n_types),
            passes=np.zeros(d.n_types, np.int64), slope=np.zeros(g), curve=np.zeros((g, g)),
            lean=np.zeros((p if leaning else 0, g)),
        )  # fmt: skip
        value = np.zeros(d.n_types)
        for wanted in self.turns(order):
            first, x, bend, curl = self.fill(decay, wanted, order)
            climb_rows(
                x, first, self.counts, wanted, d.start, cost, self.held, point.a, point.gradient, point.hessian,
                d.hessian_start, TOLERANCE, 100, value, point.decrement, point.passes,
            )  # fmt: skip
            if leaning:
                for i in wanted:
                    self._lean(int(i), first, x, bend, curl, exposure_slope, exposure_curve, point)
            if visit is not None:
                visit(wanted, first, x, point)
        point.gradient -= cost
        point.value = float(value.sum())
        return point

    def rows_of(self, i: int, first: Ints, x: Floats) -> Floats:
        """The rows of channel i among those that were filled."""
        size = -(-int(self.counts[i]) // BLOCK) * BLOCK * int(np.diff(self.layout.start)[i])
        return x[first[i] : first[i] + size]

    def _lean(
        self, i: int, first: Ints, x: Floats, bend: Floats, curl: Floats, slopes: Floats, curves: Floats, point: Point
    ) -> None:
        """Add channel i to slope and curve of the best value over the log decays."""
        d = self.layout
        here = d.of(i)
        columns = d.in_column[d.in_start[i] : d.in_start[i + 1]]
        if len(columns) == 0 or self.counts[i] == 0:
            return
        decays, local = np.unique(d.column_decay[columns], return_inverse=True)
        a = point.a[here]
        slope, cross, curve = lean_row(
            self.rows_of(i, first, x), self.rows_of(i, first, bend), self.rows_of(i, first, curl), int(self.counts[i]),
            d.n_pieces, a, local.astype(np.int64), len(decays),
        )  # fmt: skip
        links = a[d.n_pieces :]
        slope -= np.bincount(local, weights=links * slopes[columns], minlength=len(decays))
        curve -= np.diag(np.bincount(local, weights=links * curves[columns], minlength=len(decays)))
        cross[np.arange(d.n_pieces, len(a)), local] -= slopes[columns]
        free = np.flatnonzero((a > 0) & (self.held[here] == 0))
        hessian = self.hessian_of(point, i)
        lean = np.zeros((len(a), len(decays)))
        if len(free):
            lean[free] = np.linalg.lstsq(hessian[np.ix_(free, free)], cross[free], rcond=None)[0]
        point.slope[decays] += slope
        point.curve[np.ix_(decays, decays)] += curve + cross.T @ lean
        point.lean[here.start : here.stop, decays] = lean

    def hessian_of(self, point: Point, i: int) -> Floats:
        """(p, p) minus the second derivatives of channel i."""
        d = self.layout
        p = int(d.start[i + 1] - d.start[i])
        at = int(d.hessian_start[i])
        return point.hessian[at : at + p * p].reshape(p, p)

    def compensators(self, point: Point) -> tuple[Floats, Floats, Floats]:
        """Expected counts by each event's time, of its own channel and of all; and (C,) by the end of the window."""
        s, d = self.streams, self.layout
        a = point.a[d.link_places]
        total = np.bincount(d.in_column, weights=a, minlength=len(d.column_decay)).astype(np.float64)
        own, every = compensate(
            s.time, s.kind, point.decay, d.column_decay, d.own_start, d.own_column, d.in_start, d.in_column, a, total
        )
        pieces = point.a[d.is_background].reshape(d.n_types, d.n_pieces)
        bounds = np.append(self.cut[:-1], s.days)
        risen = np.concatenate([np.zeros((d.n_types, 1)), np.cumsum(pieces * np.diff(bounds), axis=1)], axis=1)
        piece = np.clip(np.searchsorted(self.cut, s.time, side="right") - 1, 0, d.n_pieces - 1)
        own = np.asarray(own) + risen[s.kind, piece] + pieces[s.kind, piece] * (s.time - bounds[piece])
        every = np.asarray(every) + risen.sum(axis=0)[piece] + pieces.sum(axis=0)[piece] * (s.time - bounds[piece])
        exposure = self.exposures(point.decay, 0)[0]
        end: Floats = risen[:, -1] + np.bincount(d.link_target, weights=a * exposure[d.in_column], minlength=d.n_types)
        return own, every, end


def climb_decays(rows: Rows, start: Floats | None, lower: float, upper: float) -> tuple[Point, bool]:
    """(the best point over the decays too, whether the climb settled). Log decays stay within lower and upper."""
    guess = _first_look(rows, lower, upper) if start is None else np.log(start)
    return _newton(rows, np.clip(guess, lower, upper), lower, upper, 1e-8)


def _newton(
    rows: Rows, log_decay: Floats, lower: float, upper: float, tolerance: float, most: int = 60
) -> tuple[Point, bool]:
    """Newton over log decays with bounds, steps of at most a factor of e, halved while the value falls."""
    here = rows.climb(np.exp(log_decay), leaning=True)
    for _ in range(most):
        at_bound = ((log_decay <= lower) & (here.slope <= 0)) | ((log_decay >= upper) & (here.slope >= 0))
        free = np.flatnonzero(~at_bound & (np.abs(here.slope) > 0))
        if len(free) == 0:
            return here, True
        step = np.zeros_like(log_decay)
        step[free] = _uphill(here.slope[free], here.curve[np.ix_(free, free)])
        gain = float(here.slope @ step)
        if gain < tolerance:
            return here, True
        step = np.clip(step, -1.0, 1.0)
        while True:
            trial = np.clip(log_decay + step, lower, upper)
            # Coefficients follow the decays: their first-order move saves a pass or two.
            moved = np.maximum(here.a + here.lean @ (trial - log_decay), 0.0)
            begin = np.where(here.a > 0, np.maximum(moved, 0.1 * here.a), 0.0)
            new = rows.climb(np.exp(trial), begin, leaning=True)
            if new.value >= here.value - 1e-9 * abs(here.value) ** 0.5:
                break
            step *= 0.3
            if np.abs(step).max() < 1e-9:
                return here, gain < 1e-4
        log_decay, here = trial, new
    return here, False


def _uphill(slope: Floats, curve: Floats) -> Floats:
    """Newton's direction, with curvatures that are not downward turned and kept off 0."""
    values, vectors = np.linalg.eigh(-curve)
    size = np.maximum(np.abs(values), 1e-6 * max(float(np.abs(values).max()), 1e-12))
    turned: Floats = vectors @ ((vectors.T @ slope) / size)
    return turned


def _first_look(rows: Rows, lower: float, upper: float) -> Floats:
    """Log decays from the first events: the best of a grid, then Newton there.

    Several components begin a factor of six apart around the best single decay.
    """
    d, s = rows.layout, rows.streams
    part = _head(s, FIRST_EVENTS)
    few = _head(s, max(FIRST_EVENTS // 4, 2))
    shared = _shared(d)
    best, value = 0.5 * (lower + upper), -np.inf
    for guess in np.linspace(lower, upper, 13)[1:-1]:
        found = Rows(few, shared).climb(np.array([np.exp(guess)])).value
        if found > value:
            best, value = float(guess), found
    around = max(1.0, (upper - lower) / 12.0)
    low, high = max(lower, best - around), min(upper, best + around)
    point, _ = _newton(Rows(part, shared), np.array([best]), low, high, 1e-3)
    log_decay = np.log(point.decay)
    apart = np.log(6.0) * (np.arange(d.n_components) - 0.5 * (d.n_components - 1))[::-1]
    return np.repeat(np.clip(log_decay + apart, lower, upper), d.n_decays // d.n_components)


def _shared(d: Layout) -> Layout:
    """The same pairs through one decay, before one background."""
    first = d.in_column < d.n_types
    return lay_out(d.n_types, 1, False, d.link_source[first], d.link_target[first], np.array([0.0, np.inf]))


def _head(s: Streams, most: int) -> Streams:
    """The first events, and the window up to the last of them."""
    if len(s.time) <= most or s.time[most - 1] <= 0:
        return s
    return Streams(s.time[:most], s.kind[:most], s.names, float(s.time[most - 1]), False, s.stamp, s.start, ())
