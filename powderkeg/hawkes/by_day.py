"""The maximum for stamps good for a day: the Borel-Tanner likelihood of `pk.fit`, with one mechanism for every link.

In: `TypeStreams` whose stamps are bins, a `LinkLayout`. Out: a `Point` as at exact times, with the whole Hessian.
Events of one bin may answer each other in any order, so the channels hang together and are climbed together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.likelihood.day import DayRows as PassRows
from powderkeg.engine.likelihood.design import Shape, Sources, build, starts
from powderkeg.errors import Fault, UsageError
from powderkeg.fit.likelihood.objective import Data, Objective, prepare
from powderkeg.fit.likelihood.terms import Terms
from powderkeg.fit.maximum.newton import Look, Rule, climb
from powderkeg.hawkes.by_blocks import Blocks, climb_by_blocks
from powderkeg.hawkes.exact import LinkLayout
from powderkeg.hawkes.streams import TypeStreams
from powderkeg.model import from_arrays

MOST_COEFFICIENTS = 8_000
"""Coefficients beyond which the second derivatives that standard errors ask for would take more than 2 GB."""
BY_BLOCKS = 1_000
"""Coefficients from which the climb looks at curvature type by type."""
FIRST_EVENTS = 6_000
"""Events of the first look at unknown decays."""
STEP = 1e-4
"""Step of the log decay in differences of the gradient."""
SAMPLE = 30_000
"""Channel-days from which the curvature that steers the climb is taken: that of all costs many a gradient; from
a fifth of so many the climb takes twice the looks."""
RULE = Rule(tolerance=1e-9, most_steps=300, shortest=1e-10, learns_below=np.inf)
"""Of a climb of coefficients: its curvature is known roughly and learnt from every step."""


@dataclass
class DayPoint:
    """The best coefficients at given decays.

    value, gradient   of the log-likelihood less penalty;  slope (G,) by the log decays, if asked for
    curvature         minus the Hessian as the climb knows it: (P, P) in the objective's order, or by type
    steepest          square root of the Newton decrement left
    hessian           (P + G, P + G) of the log-likelihood, exact; empty until `DayRows.curved` fills it
    """

    decay: Floats
    a: Floats
    value: float
    gradient: Floats
    slope: Floats
    curvature: Floats | Blocks
    steepest: float
    converged: bool
    objective: Objective
    hessian: Floats


class DayLikelihood:
    """The log-likelihood of stamped streams under a layout. penalty, held as in `exact.Rows`."""

    def __init__(
        self,
        streams: TypeStreams,
        layout: LinkLayout,
        penalty: Floats | None = None,
        held: NDArray[np.bool_] | None = None,
    ) -> None:
        n = layout.n_coefficients
        if n > MOST_COEFFICIENTS:
            raise UsageError(
                Fault.at("support", f"{n:,} coefficients by day, where all types hang together",
                      f"at most {MOST_COEFFICIENTS:,}: fewer types or pairs (`support`), or pk.fit, whose mechanisms "
                      "many pairs share"),
                aftermath="nothing was fitted",
            )  # fmt: skip
        self.streams, self.layout = streams, layout
        self.penalty = np.zeros(n) if penalty is None else penalty
        self.held = np.zeros(n, bool) if held is None else held
        self.data = Data(streams.time, streams.kind, streams.days, True)
        self._pose()

    first_events = FIRST_EVENTS

    def restrict(self, penalty: Floats | None, held: NDArray[np.bool_] | None) -> DayLikelihood:
        return DayLikelihood(self.streams, self.layout, penalty, held)

    def under(self, layout: LinkLayout) -> DayLikelihood:
        """The same events under another layout, nothing charged or held."""
        return DayLikelihood(self.streams, layout)

    def head(self, most: int) -> DayLikelihood:
        """The first events, and the days up to the last of them, under the same layout."""
        return DayLikelihood(self.streams.head(most), self.layout)

    def _pose(self) -> None:
        """One mechanism a link; linear parameters: every type's background pieces, then links."""
        d = self.layout
        links = len(d.in_column)
        matrices = [
            sparse.coo_array(([1.0], ([s], [t])), shape=(d.n_types, d.n_types))
            for s, t in zip(d.link_source, d.link_target, strict=True)
        ]
        system = from_arrays(np.ones(d.n_types), matrices, np.ones(links)).system if links else _lonely(d.n_types)
        sources = Sources(
            rate_parameter=np.arange(d.n_types),
            rate_scale=np.ones(d.n_types),
            edge_scale=np.ones(links),
            factor_parameter=np.zeros(0, np.int64),
            n_rates=d.n_types,
            n_factors=0,
        )
        pieces = d.n_pieces
        bounds = np.append(d.cut[:-1], self.streams.days)
        shape = Shape(bounds, np.ones(pieces), np.arange(pieces), np.zeros((pieces, 0)))
        design = build(system, sources, self.streams.days, shape)
        # Pieces of the background are linear here, one a type and piece: each term of a ground gets its own number.
        linear = design.term_linear - d.n_types + d.n_types * pieces
        for i, ground in enumerate(design.channel_ground):
            first = int(design.ground_term[ground])
            linear[first : first + pieces] = i * pieces + np.arange(pieces)
        linear[design.pair_term] = 0
        self.design = design._replace(term_linear=linear)
        self.terms = Terms(self.design, d.n_types * pieces + links, 0)
        self.place = np.concatenate([np.flatnonzero(d.is_background), d.link_places])
        self.dead = np.zeros(self.terms.n_linear, bool)

    def objective(self, decay: Floats, sloped: bool) -> Objective:
        by_link = decay[self.layout.link_decay] if len(self.layout.in_column) else np.ones(1)
        return prepare(self.data, self.design, self.terms, by_link, self.dead, sloped)

    def start(self) -> Floats:
        """Half of every type's events from the background, half as answers to all that may act."""
        d, counts = self.layout, self.streams.counts.astype(np.float64)
        a = np.zeros(d.n_coefficients)
        reach = np.bincount(d.link_target, weights=counts[d.link_source], minlength=d.n_types)
        background = d.is_background
        share = np.where(reach > 0, 0.5, 1.0)
        a[background] = np.repeat(share * counts / self.streams.days, d.n_pieces)
        a[~background] = np.where(
            counts[d.link_source] > 0, 0.5 * counts[d.link_target] / np.maximum(reach[d.link_target], 1.0), 0.0
        )
        # No more than half an answer in all to anything, so that the first guess does not explode.
        given = np.bincount(d.link_source, weights=a[~background], minlength=d.n_types)
        a[~background] *= np.minimum(1.0, 0.5 / np.maximum(given, 1e-12))[d.link_source]
        return np.where(self.held, 0.0, a)

    def climb(self, decay: Floats, start: DayPoint | Floats | None = None, leaning: bool = False) -> DayPoint:
        """The best coefficients at `decay`, from a point nearby if there is one; `leaning`: with the slope."""
        objective = self.objective(decay, leaning)
        near = start if isinstance(start, DayPoint) else None
        if self.layout.n_coefficients > BY_BLOCKS:
            return self._climb_by_blocks(objective, decay, start, leaning)
        begin = (near.a if near is not None else self.start() if start is None else np.asarray(start))[self.place]
        held = self.held[self.place] | self._idle()
        charge = self.penalty[self.place]
        curvature = near.curvature if near is not None else _curvature(objective, begin)
        assert not isinstance(curvature, Blocks)

        def hill(x: Floats, near: Look[None] | None, curved: bool) -> Look[None]:
            value, gradient, _ = objective.evaluate(x, False)
            return Look(value - float(charge @ x), gradient - charge, None, None)

        n = len(begin)
        top = climb(hill, begin, np.zeros(n), np.full(n, np.inf), held, RULE, -curvature)
        a, gradient = np.zeros(n), np.zeros(n)
        a[self.place], gradient[self.place] = top.parameters, top.gradient
        by_decay = self._slope(objective, top.parameters) if leaning else np.zeros(self.layout.n_decays)
        return DayPoint(
            decay, a, top.value, gradient, by_decay, -top.hessian, top.steepest, top.steepest < 1e-3, objective,
            np.zeros((0, 0)),
        )  # fmt: skip

    def _climb_by_blocks(
        self, objective: Objective, decay: Floats, start: DayPoint | Floats | None, leaning: bool
    ) -> DayPoint:
        """As `climb`, for many coefficients; here they stand type after type, as in the layout."""
        place, n = self.place, self.layout.n_coefficients
        near = start if isinstance(start, DayPoint) else None
        begin = near.a if near is not None else self.start() if start is None else np.asarray(start)
        held = self.held.copy()
        held[place] |= self._idle()

        def slope(a: Floats) -> tuple[float, Floats]:
            value, pull, _ = objective.evaluate(a[place], False)
            gradient = np.zeros(n)
            gradient[place] = pull
            return value - float(self.penalty @ a), gradient - self.penalty

        known = near.curvature if near is not None and isinstance(near.curvature, Blocks) else None
        top = climb_by_blocks(slope, lambda a: self._blocks(objective, a), begin, held, RULE, known)
        by_decay = self._slope(objective, top.parameters[place]) if leaning else np.zeros(self.layout.n_decays)
        steepest = max(top.decrement, 0.0) ** 0.5
        return DayPoint(
            decay, top.parameters, top.value, top.gradient, by_decay, top.blocks, steepest, steepest < 1e-3, objective,
            np.zeros((0, 0)),
        )  # fmt: skip

    def _blocks(self, objective: Objective, a: Floats) -> Blocks:
        """Minus the second derivatives by each type's own coefficients."""
        d = self.layout
        bent = self._bent(objective, a)
        at = np.empty(d.n_coefficients, np.int64)
        at[self.place] = np.arange(d.n_coefficients)
        matrices = []
        for i in range(d.n_types):
            own = at[d.of(i)]
            matrices.append(_positive(-bent[np.ix_(own, own)]))
        return Blocks(d.start, tuple(matrices))

    def _bent(self, objective: Objective, a: Floats) -> Floats:
        """(P, P) second derivatives in the objective's order. No parameter is a logarithm, so nothing is added to
        what the acts bring, whose zeros take no memory as long as nobody writes to them."""
        slope = self.terms.slopes(np.zeros(0))
        return objective.seen(slope, slope * a[self.place][self.terms.linear], True)[3]

    def rough(self, decay: Floats) -> float:
        """The best value at `decay`."""
        return self.climb(decay).value

    def noise(self, decay: Floats) -> Floats:
        """(P,) standard deviation of the slope of each link where there are no links; 0 for the background."""
        background = self.layout.is_background
        alone = self.restrict(None, ~background).climb(decay)
        diagonal = np.zeros(len(background))
        if self.layout.n_coefficients > BY_BLOCKS:
            diagonal = np.concatenate([np.diag(one) for one in self._blocks(alone.objective, alone.a).matrix])
        else:
            diagonal[self.place] = np.diag(_curvature(alone.objective, alone.a[self.place]))
        result: Floats = np.where(background, 0.0, np.sqrt(np.maximum(diagonal, 0.0)))
        return result

    def _idle(self) -> NDArray[np.bool_]:
        """Coefficients of types without events: nothing depends on links from them."""
        d = self.layout
        lost = self.streams.counts == 0
        result = np.zeros(d.n_coefficients, bool)
        result[d.link_places] = lost[d.link_source] | lost[d.link_target]
        idle: NDArray[np.bool_] = result[self.place]
        return idle

    def _slope(self, objective: Objective, parameters: Floats) -> Floats:
        if len(self.layout.in_column) == 0:
            return np.zeros(self.layout.n_decays)
        by_link = objective.decay_gradient(parameters, self.design.kernel_start)
        return np.bincount(self.layout.link_decay, weights=by_link, minlength=self.layout.n_decays).astype(np.float64)

    def curved(self, point: DayPoint, with_decays: bool) -> DayPoint:
        """The point with the Hessian over coefficients, and log decays if asked for."""
        n, g = self.layout.n_coefficients, self.layout.n_decays if with_decays else 0
        hessian = np.zeros((n + g, n + g))
        x = point.a[self.place]
        hessian[np.ix_(self.place, self.place)] = self._bent(point.objective, point.a)
        for k in range(g):
            ends = []
            for sign in (1.0, -1.0):
                decay = point.decay.copy()
                decay[k] *= np.exp(sign * STEP)
                objective = self.objective(decay, True)
                ends.append((objective.evaluate(x, False)[1], self._slope(objective, x)))
            hessian[self.place, n + k] = (ends[0][0] - ends[1][0]) / (2.0 * STEP)
            hessian[n + k, :n] = hessian[:n, n + k]
            hessian[n : n + g, n + k] = (ends[0][1] - ends[1][1]) / (2.0 * STEP)
        point.hessian = hessian
        return point


def _curvature(objective: Objective, x: Floats) -> Floats:
    """(P, P) minus the Hessian, from every so manieth block of the days, scaled up to all."""
    rows = objective.rows
    assert isinstance(rows, PassRows)
    n_blocks = len(rows.block) - 1
    every = max(1, -(-len(rows.acts) // SAMPLE))
    chosen = np.arange(0, n_blocks, every)
    few = replace(objective, rows=_some_blocks(rows, chosen), weight=objective.weight[chosen])
    curvature: Floats = -few.evaluate(x, True)[2] * (n_blocks / max(len(chosen), 1))
    return _positive(curvature)


def _positive(curvature: Floats) -> Floats:
    """The matrix with nothing next to 0 in its diagonal, which is written over."""
    least = 1e-6 * max(float(curvature.diagonal().max(initial=0.0)), 1e-6)
    np.fill_diagonal(curvature, np.maximum(curvature.diagonal(), least))
    return curvature


def _some_blocks(rows: PassRows, chosen: Ints) -> PassRows:
    """The rows of some blocks; their exposures stay those of all."""
    size = np.diff(rows.block)[chosen]
    block = starts(size)
    old_first, new_first = np.repeat(rows.block[chosen], size), np.repeat(block[:-1], size)
    take = old_first + np.arange(block[-1]) - new_first
    start, entries = _gather(rows.start, take)
    echo_start, echoes = _gather(rows.echo_start, take)
    shift = np.repeat(old_first - new_first, np.diff(echo_start))
    return rows._replace(
        start=start, term=rows.term[entries], value=rows.value[entries], acts=rows.acts[take], block=block,
        echo_start=echo_start, echo_from=rows.echo_from[echoes] - shift, echo_term=rows.echo_term[echoes],
        echo_value=rows.echo_value[echoes], channel=rows.channel[take], day=rows.day[take],
    )  # fmt: skip


def _gather(start: Ints, take: Ints) -> tuple[Ints, Ints]:
    """CSR starts of the taken rows, and the entries they hold."""
    size = np.diff(start)[take]
    new = starts(size)
    return new, np.repeat(start[take] - new[:-1], size) + np.arange(new[-1])


def _lonely(n_types: int) -> System:
    return from_arrays(np.ones(n_types), np.zeros((n_types, n_types)), 1.0).system
