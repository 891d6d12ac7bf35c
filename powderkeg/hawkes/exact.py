"""The maximum at exact times and given decays: every channel climbed by itself.

In: `TypeStreams` at exact times, a `LinkLayout` of what may act on what. Out: a `Point`.

At given decays the coefficients of a channel know nothing of the others (`engine.likelihood.plain`). The best value
over them is a function of the decays alone, with an exact gradient (the coefficients are at their best, so they do not
count) and an exact Hessian (by the implicit function theorem); `decays` climbs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.plain import BLOCK, climb_rows, compensate, fill_rows, lean_row
from powderkeg.hawkes.streams import TypeStreams

MOST_BYTES = 1.5e9
"""Rows held at a time; more channels than fit are climbed in turns."""
TOLERANCE = 1e-9
"""Newton decrement (twice the log-likelihood still to be gained) at which a channel counts as climbed."""
FIRST_EVENTS = 20_000
"""Events of the first look at unknown decays."""
MOST_PASSES = 300
"""Looks at a channel's rows before a climb is given up; seven or eight are usual."""


@dataclass(frozen=True)
class LinkLayout:
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

    def without_pieces(self) -> LinkLayout:
        """The same links before one background."""
        source, target = self.link_source, self.link_target
        first = self.in_column < self.n_types
        several = self.n_decays > self.n_components
        whole = np.array([0.0, np.inf])
        return lay_out(self.n_types, self.n_components, several, source[first], target[first], whole)

    def of(self, i: int) -> slice:
        """Coefficients of channel i."""
        return slice(int(self.start[i]), int(self.start[i + 1]))


def lay_out(n_types: int, n_components: int, per_source: bool, source: Ints, target: Ints, cut: Floats) -> LinkLayout:
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
    return LinkLayout(
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


class ExactLikelihood:
    """The log-likelihood of some streams under a layout.

    penalty  (P,) added to the cost of every coefficient
    held     (P,) coefficients that stay as they are
    """

    def __init__(
        self,
        streams: TypeStreams,
        layout: LinkLayout,
        penalty: Floats | None = None,
        held: NDArray[np.bool_] | None = None,
    ) -> None:
        self.streams, self.layout = streams, layout
        n = layout.n_coefficients
        self.penalty = np.zeros(n) if penalty is None else penalty
        self.held = np.zeros(n, np.int64) if held is None else held.astype(np.int64)
        self.counts = streams.counts
        self.cut = layout.cut

    first_events = FIRST_EVENTS

    def restrict(self, penalty: Floats | None, held: NDArray[np.bool_] | None) -> ExactLikelihood:
        return ExactLikelihood(self.streams, self.layout, penalty, held)

    def under(self, layout: LinkLayout) -> ExactLikelihood:
        """The same events under another layout, nothing charged or held."""
        return ExactLikelihood(self.streams, layout)

    def head(self, most: int) -> ExactLikelihood:
        """The first events, and the window up to the last of them, under the same layout."""
        return ExactLikelihood(self.streams.head(most), self.layout)

    def exposures(self, decay: Floats, order: int) -> tuple[Floats, Floats, Floats]:
        """(S,) expected children per unit of coefficient within the window, and its derivatives by the log decay."""
        s, d = self.streams, self.layout
        result = np.zeros((3, d.n_components * d.n_types))
        source_decay = d.column_decay.reshape(d.n_components, d.n_types)
        for g in range(d.n_decays):
            late = 0 if s.windows else int(np.searchsorted(s.time, s.days - 40.0 / decay[g]))
            scaled = decay[g] * s.left(late)
            gone = np.exp(-scaled)
            early = self.counts - np.bincount(s.kind[late:], minlength=d.n_types)
            for k in range(d.n_components):
                mine = source_decay[k] == g
                if not mine.any():
                    continue
                columns = k * d.n_types + np.flatnonzero(mine)
                # 1 - gone by expm1: the last event's is often tiny, and all that a rare type's links cost.
                for q, part in enumerate((-np.expm1(-scaled), scaled * gone, (scaled - scaled**2) * gone)[: order + 1]):
                    total = np.bincount(s.kind[late:], weights=part, minlength=d.n_types)[mine]
                    result[q, columns] = total + early[mine] if q == 0 else total
        return result[0], result[1], result[2]

    def cost(self, exposure: Floats) -> Floats:
        """(P,) expected count per unit of coefficient, with the penalty."""
        d = self.layout
        cost = np.empty(d.n_coefficients)
        background = d.is_background
        several = bool(self.streams.windows)
        widths = [self.streams.watched] if several else np.diff(np.append(self.cut[:-1], self.streams.days))
        cost[background] = np.tile(widths, d.n_types)
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
            a[pieces] = share * self.counts[i] / max(self.streams.watched, 1e-300)
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
        start: Point | Floats | None = None,
        leaning: bool = False,
        tolerance: float = TOLERANCE,
    ) -> Point:
        """The best coefficients at `decay`, from a point nearby if there is one.

        leaning  whether slope, curve and lean are wanted
        """
        d = self.layout
        order = 2 if leaning else 0
        exposure, exposure_slope, exposure_curve = self.exposures(decay, order)
        cost = self.cost(exposure)
        p, g = d.n_coefficients, d.n_decays
        point = Point(
            decay=decay, a=self._begin(cost, decay, start), value=0.0, gradient=np.zeros(p),
            hessian=np.zeros(int(d.hessian_start[-1])), decrement=np.zeros(d.n_types),
            passes=np.zeros(d.n_types, np.int64), slope=np.zeros(g), curve=np.zeros((g, g)),
            lean=np.zeros((p if leaning else 0, g)),
        )  # fmt: skip
        value = np.zeros(d.n_types)
        for wanted in self.turns(order):
            first, x, bend, curl = self.fill(decay, wanted, order)
            climb_rows(
                x, first, self.counts, wanted, d.start, cost, self.held, point.a, point.gradient, point.hessian,
                d.hessian_start, tolerance, MOST_PASSES, value, point.decrement, point.passes,
            )  # fmt: skip
            if leaning:
                for i in wanted:
                    self._lean(int(i), first, x, bend, curl, exposure_slope, exposure_curve, point)
        point.gradient -= cost
        point.value = float(value.sum())
        return point

    def rough(self, decay: Floats) -> float:
        """The best value at `decay`, to a hundredth."""
        return self.climb(decay, tolerance=1e-2).value

    def _begin(self, cost: Floats, decay: Floats, start: Point | Floats | None) -> Floats:
        """Where to begin at `decay`; every event has an intensity there."""
        if start is None:
            return self.start(cost)
        if not isinstance(start, Point):
            return start.copy()
        a = start.a.copy()
        if len(start.lean):
            # Coefficients follow the decays: their first-order move saves a pass or two.
            moved = np.maximum(a + start.lean @ np.log(decay / start.decay), 0.0)
            a = np.where(a > 0, np.maximum(moved, 0.1 * a), 0.0)
        # An event that only excitation explained may have nothing left to explain it at other decays.
        gone = self.layout.is_background & (a == 0) & (self.held == 0)
        return np.where(gone, 1e-6 * self.start(cost), a) if gone.any() else a

    def noise(self, decay: Floats) -> Floats:
        """(P,) standard deviation of the slope of each link where there are no links; 0 for the background."""
        background = self.layout.is_background
        diagonal = self.diagonal(self.unanswered(decay))
        result: Floats = np.where(background, 0.0, np.sqrt(np.maximum(diagonal, 0.0)))
        return result

    def unanswered(self, decay: Floats) -> Point:
        """The best point without any link."""
        background = self.layout.is_background
        alone = self.restrict(None, ~background)
        begin = np.where(background, alone.start(alone.cost(alone.exposures(decay, 0)[0])), 0.0)
        return alone.climb(decay, begin)

    def asks(self, point: Point, decays: Floats) -> Floats:
        """(len decays,) log-likelihood that links through one more decay promise at `point`, each link by itself.

        The slope towards it is positive where a better mixture has mass at that decay; it promises, by a parabola, half
        its square over the curvature.
        """
        promised: Floats = (0.5 * np.maximum(self.pulls(point, decays), 0.0) ** 2).sum(axis=1)
        return promised

    def pulls(self, point: Point, decays: Floats) -> Floats:
        """(len decays, links of one component) slope at `point` towards a link through one more decay, over the root of
        its curvature: how many standard errors away from 0 it wants to be. Not above 0: no such link helps."""
        d = self.layout
        source, target = d.link_source, d.link_target
        mine = d.in_column < d.n_types
        single = lay_out(d.n_types, 1, False, source[mine], target[mine], np.array([0.0, np.inf]))
        one = self.under(single)
        pulled = np.zeros((len(decays), len(single.in_column)))
        for wanted in self.turns(0):
            first, x, _, _ = self.fill(point.decay, wanted, 0)
            weights = {int(i): self._weights(int(i), first, x, point) for i in wanted}
            for q, decay in enumerate(decays):
                other = np.array([decay])
                exposure = one.exposures(other, 0)[0]
                place, y, _, _ = one.fill(other, wanted, 0)
                for i in wanted:
                    links = slice(int(single.in_start[i]), int(single.in_start[i + 1]))
                    slope, curve = one.pull(int(i), place, y, weights[int(i)])
                    slope = slope - exposure[single.in_column[links]]
                    pulled[q, links] = np.where(curve > 0, slope / np.sqrt(np.maximum(curve, 1e-300)), 0.0)
        return pulled

    def _blocks(self, i: int, first: Ints, x: Floats) -> Floats:
        """(blocks, p, BLOCK) rows of channel i, those that are not there at 0."""
        n, p = int(self.counts[i]), int(np.diff(self.layout.start)[i])
        rows = self.rows_of(i, first, x).reshape(-1, p, BLOCK)
        if n % BLOCK:
            rows[-1, :, n % BLOCK :] = 0.0
        return rows

    def _weights(self, i: int, first: Ints, x: Floats, point: Point) -> Floats:
        """(blocks, BLOCK) 1 / intensity at every event of channel i; 0 where there is none."""
        intensity = np.einsum("bpr,p->br", self._blocks(i, first, x), point.a[self.layout.of(i)])
        weights: Floats = np.divide(1.0, intensity, out=np.zeros_like(intensity), where=intensity > 0)
        return weights

    def pull(self, i: int, first: Ints, x: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """(sum of X / intensity, sum of its square) for every link into channel i."""
        rows = self._blocks(i, first, x)[:, self.layout.n_pieces :] * weights[:, None]
        return rows.sum(axis=(0, 2)), np.einsum("bpr,bpr->p", rows, rows)

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

    def diagonal(self, point: Point) -> Floats:
        """(P,) minus the second derivative by every coefficient."""
        return np.concatenate([np.diag(self.hessian_of(point, i)) for i in range(self.layout.n_types)])

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
