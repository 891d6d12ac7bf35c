"""Decays that are not known: begin wherever the events can tell of them, climb from the best places, keep the best.

In: the likelihood of a layout, at exact times (`exact.Rows`) or by day (`days.DayRows`); bounds of the log decays. Out:
the best point that was seen, and whether the climb to it settled.

At given decays the best coefficients are found for certain, or nearly so by day. What is left is a function of the log
decays alone, smooth at the scale of a factor of three, but with several tops: where events answer within minutes and
within months, two decays that share the minutes stand on a top of their own, dozens of nats too low. So the function is
looked at on a grid over all that the window can tell, every pair of decays, further ones added to the best few; each
top of the grid is climbed. Fewer components are fitted first, and the best of them with one more decay beside is a
start too: a component more never explains less. Last, at exact times, the slope towards a component at every decay of
the grid says where another answer may lie, and decays are exchanged for those.

One decay is looked for on a finer grid, bounds included. Where hardly anything answers anything, the best value is flat
(no link helps) but for low hills that may lie between two decays of any grid; but the slope towards a link, where there
is none yet, is smooth, and its tops say where the hills are.
Source: Lindsay (1983), Ann. Stat. 11(1), 86-94, for that slope in mixtures.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import cast

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.fit.maximum.newton import Look, Rule, climb
from powderkeg.hawkes.by_day import DayLikelihood, DayPoint
from powderkeg.hawkes.exact import ExactLikelihood, LinkLayout, Point, lay_out

SPACING = 1.1
"""Log distance of the grid's decays, a factor of three."""
FINE = 0.4
"""Log distance where only one decay is sought: half of it is a small part of a kernel's width."""
BEAM = 6
"""Sets of decays on the grid to which one more is added."""
MOST_TOPS = 4
"""Tops of the grid that are climbed; of one decay and few events, twice as many."""
HARDLY = 0.1
"""Nats above nothing at all, below which hills between the decays of the grid count."""
NEAR = 12.0
"""A top this many nats below the best of a part of the events may still be the best of all."""
MOST_SCANS = 400
"""Looks at single decays of single sources."""
ROUNDS = 6
"""Times that decays are exchanged for better ones."""
SETTLED = 1e-8
"""Log-likelihood still to be gained by moving the decays at which a climb has arrived."""
RULE = Rule(good_enough=1e-4, most_steps=60, shortest=1e-9, grain=1e-10, farthest=1.0)
"""Of a climb over log decays: none moves by more than a factor of e in a step."""

AnyRows = ExactLikelihood | DayLikelihood
AnyPoint = Point | DayPoint


def search(rows: AnyRows, lower: float, upper: float) -> tuple[AnyPoint, bool]:
    """(the best point over the decays too, whether the climb to it settled)."""
    d = rows.layout
    if len(d.in_column) == 0:
        return rows.climb(np.full(d.n_decays, np.exp(0.5 * (lower + upper)))), True
    if d.n_decays > d.n_components:
        return _by_source(rows, lower, upper)
    starts = _tops(rows, lower, upper)
    if d.n_components > 1:
        fewer, _ = search(rows.under(_with(d, d.n_components - 1)), lower, upper)
        starts.append(_one_more(rows, fewer, lower, upper))
    found = [climb_decays(rows, start, lower, upper) for start in _promising(rows, starts)]
    best, settled = max(found, key=lambda one: one[0].value)
    if isinstance(rows, ExactLikelihood) and d.n_components == 1:
        return _risen(rows, cast(Point, best), settled, lower, upper)
    if isinstance(rows, ExactLikelihood) and d.n_components > 1:
        return _exchanged(rows, cast(Point, best), settled, lower, upper)
    return best, settled


def climb_decays(
    rows: AnyRows, start: Floats, lower: float, upper: float, tolerance: float = SETTLED
) -> tuple[AnyPoint, bool]:
    """Newton over log decays from `start`, with bounds, in steps of at most a factor of e.

    At exact times with the exact curvature, so that two decays that have met are seen to stand on a saddle and are
    parted; by day with one that is guessed and learns from every step.
    """

    def hill(theta: Floats, near: Look[AnyPoint] | None, curved: bool) -> Look[AnyPoint]:
        point = _beside(rows, None if near is None else near.found, theta)
        return Look(point.value, point.slope, point.curve if isinstance(point, Point) else None, point)

    rule = replace(RULE, tolerance=tolerance)
    n = len(start)
    guess = None if isinstance(rows, ExactLikelihood) else -_guessed(rows)
    top = climb(hill, start, np.full(n, lower), np.full(n, upper), rule=rule, hessian=guess)
    return top.found, top.converged


def _beside(rows: AnyRows, here: AnyPoint | None, theta: Floats) -> AnyPoint:
    """The point at these decays, from one nearby if there is one."""
    if isinstance(rows, ExactLikelihood):
        return rows.climb(np.exp(theta), cast(Point | None, here), leaning=True)
    return rows.climb(np.exp(theta), cast(DayPoint | None, here), leaning=True)


def _guessed(rows: AnyRows) -> Floats:
    """A guess: a log decay is known as well as from a twentieth of the events."""
    return np.eye(rows.layout.n_decays) * max(0.05 * len(rows.streams.time) / rows.layout.n_decays, 1.0)


# -- where to begin ----------------------------------------------------------------------------------------------------


def grid(lower: float, upper: float) -> Floats:
    """Log decays over all that can be told, bounds left out."""
    n = max(int(np.ceil((upper - lower) / SPACING)) + 1, 9)
    return np.linspace(lower, upper, n)[1:-1]


def fine_grid(lower: float, upper: float) -> Floats:
    """Log decays over all that can be told, bounds with them."""
    return np.linspace(lower, upper, max(int(np.ceil((upper - lower) / FINE)) + 1, 9))


def _with_bounds(lower: float, upper: float) -> Floats:
    return np.concatenate([[lower], grid(lower, upper), [upper]])


def _with(d: LinkLayout, n_components: int, per_source: bool = False) -> LinkLayout:
    """The same pairs and background with so many components."""
    first = d.in_column < d.n_types
    return lay_out(d.n_types, n_components, per_source, d.link_source[first], d.link_target[first], d.cut)


def _tops(rows: AnyRows, lower: float, upper: float) -> list[Floats]:
    """Log decays to climb from: tops of a grid on the first events, climbed on some more of them."""
    d = rows.layout
    few = rows.head(rows.first_events // 4)
    whole = len(few.streams.time) == len(rows.streams.time)
    closely = whole and d.n_components == 1 and isinstance(rows, ExactLikelihood)
    points = fine_grid(lower, upper) if closely else grid(lower, upper)
    if d.n_components == 1 and not closely:
        points = _with_bounds(lower, upper)
    sets: list[tuple[int, ...]] = [(k,) for k in range(len(points))]
    values: dict[tuple[int, ...], float] = {}
    for n in range(1, d.n_components + 1):
        if n == 2:
            sets = list(combinations(range(len(points)), 2))
        elif n > 2:
            best = sorted(values, key=lambda one: -values[one])[:BEAM]
            sets = sorted({tuple(sorted({*one, k})) for one in best for k in range(len(points)) if k not in one})
        if n == 1 and d.n_components > 1:
            continue  # every pair is looked at
        part = few.under(_with(d, n).without_pieces())
        # One decay of few events is looked at closely: rough values differ by more than low hills are high.
        values = {one: _looked(part, np.exp(points[list(one)]), closely) for one in sets}
    tops = _highest(values, 2 * MOST_TOPS if closely else MOST_TOPS)
    starts = [points[list(one)][::-1] for one in tops]
    if whole or len(starts) == 0:
        return starts
    some = rows.head(rows.first_events).under(d.without_pieces())
    around = max(1.0, 1.5 * float(points[1] - points[0]))
    climbed: list[AnyPoint] = []
    for start in starts:
        low, high = max(lower, float(start.min()) - around), min(upper, float(start.max()) + around)
        point, _ = climb_decays(some, start, low, high, 1e-3)
        if all(np.abs(np.log(point.decay / other.decay)).max() > 0.1 for other in climbed):
            climbed.append(point)
    highest = max(point.value for point in climbed)
    climbed = sorted((p for p in climbed if p.value > highest - NEAR), key=lambda p: -p.value)
    return [np.log(point.decay) for point in climbed]


def _looked(rows: AnyRows, decay: Floats, closely: bool) -> float:
    return rows.climb(decay).value if closely else rows.rough(decay)


def _promising(rows: AnyRows, starts: list[Floats]) -> list[Floats]:
    """Of many events only the highest starts are climbed: there is hardly another top that high."""
    if len(rows.streams.time) <= rows.first_events or len(starts) == 1:
        return starts
    values = [rows.rough(np.exp(start)) for start in starts]
    order = sorted(range(len(starts)), key=lambda k: -values[k])[:2]
    return [starts[k] for k in order if values[k] > values[order[0]] - NEAR]


def _highest(values: dict[tuple[int, ...], float], most: int) -> list[tuple[int, ...]]:
    """Sets that no neighbour on the grid exceeds, the highest first; none that stands far below the highest, and of a
    plain where nothing rises only one."""
    tops = []
    for one, value in values.items():
        beside = (tuple(sorted({*one[:q], one[q] + move, *one[q + 1 :]})) for q in range(len(one)) for move in (-1, 1))
        if all(values.get(other, -np.inf) <= value for other in beside):
            tops.append(one)
    tops.sort(key=lambda one: -values[one])
    plain = min(values.values()) + 1e-9 * max(abs(values[tops[0]]), 1.0)
    tops = [tops[0], *(one for one in tops[1:] if values[one] > plain)]
    return [one for one in tops[:most] if values[one] > values[tops[0]] - 4.0 * NEAR]


def _one_more(rows: AnyRows, fewer: AnyPoint, lower: float, upper: float) -> Floats:
    """The decays of a fit with one component fewer, and the decay at which another would help most."""
    few = isinstance(rows, ExactLikelihood) and len(rows.streams.time) <= rows.first_events
    points = fine_grid(lower, upper) if few else _with_bounds(lower, upper)
    known = np.log(fewer.decay)
    if isinstance(rows, ExactLikelihood):
        asked = rows.under(_with(rows.layout, len(known))).asks(cast(Point, fewer), np.exp(points))
    else:
        some = rows.head(rows.first_events // 4)
        asked = np.array([some.rough(np.exp(np.append(known, point))) for point in points])
    return np.sort(np.append(known, points[int(np.argmax(asked))]))[::-1]


# -- another decay for one that stands ---------------------------------------------------------------------------------


def _risen(rows: ExactLikelihood, best: Point, settled: bool, lower: float, upper: float) -> tuple[Point, bool]:
    """The best point, or a higher one on a hill that the grid may have missed, where hardly anything answers anything.

    With no link yet, the slope towards one is a smooth function of its decay. Where it is negative at every decay of
    the grid, its tops between them are found by parabolas; where it is positive, a link helps.
    """
    d = rows.layout
    many = len(rows.streams.time) > rows.first_events
    if many and best.a[d.link_places].any():
        return best, settled
    alone = rows.unanswered(best.decay)
    if best.value > alone.value + HARDLY:
        return best, settled
    points = _with_bounds(lower, upper) if many else fine_grid(lower, upper)
    pulls = rows.pulls(alone, np.exp(points))
    starts = [*points[(pulls > 0).any(axis=1)], *_between(points, pulls)]
    asked = rows.asks(alone, np.exp(starts)) if starts else np.zeros(0)
    for k in np.argsort(-asked)[: MOST_TOPS if many else 3 * MOST_TOPS]:
        if asked[k] <= 0:
            break
        found, done = climb_decays(rows, np.array([starts[k]]), lower, upper)
        if found.value > best.value + 1e-9:
            best, settled = cast(Point, found), done
    return best, settled


def _between(points: Floats, pulls: Floats) -> list[float]:
    """Where, between points, parabolas through three negative pulls of a link have their tops, if near or above 0."""
    before, here, after = pulls[:-2], pulls[1:-1], pulls[2:]
    bend = before - 2.0 * here + after
    tops = (here >= before) & (here >= after) & (here <= 0.0) & (bend < 0.0)
    shift = 0.5 * (before - after) / np.where(tops, bend, -1.0)
    height = here - 0.125 * (before - after) ** 2 / np.where(tops, bend, -1.0)
    near = tops & (height > 0.3 * bend)
    places = points[1:-1, None] + shift * (points[1] - points[0])
    return sorted(set(places[near].round(2).tolist()))


def _exchanged(rows: ExactLikelihood, best: Point, settled: bool, lower: float, upper: float) -> tuple[Point, bool]:
    """Decays exchanged for those towards which the likelihood still rises, while that helps."""
    many = len(rows.streams.time) > rows.first_events
    points = _with_bounds(lower, upper) if many else fine_grid(lower, upper)
    near = NEAR if many else 4.0 * NEAR
    for _ in range(2 if many else ROUNDS):
        asked = rows.asks(best, np.exp(points))
        inner = np.concatenate([[-np.inf], asked, [-np.inf]])
        peaks = np.flatnonzero((asked > 1e-2) & (asked >= inner[:-2]) & (asked >= inner[2:]))
        trials = []
        for peak in peaks[np.argsort(-asked[peaks])][: 1 if many else 2]:
            for k in range(len(best.decay)):
                theta = np.log(best.decay)
                theta[k] = points[peak]
                trials.append((rows.rough(np.exp(theta)), theta))
        trials.sort(key=lambda one: -one[0])
        better = False
        for value, theta in trials[:2]:
            if value < best.value - near:
                continue
            found, done = climb_decays(rows, theta, lower, upper)
            if found.value > best.value + 1e-6:
                best, settled, better = cast(Point, found), done, True
        if not better:
            break
    return best, settled


def _by_source(rows: AnyRows, lower: float, upper: float) -> tuple[AnyPoint, bool]:
    """Every source's decays: from those that all share, and from the best of a grid for each source in turn."""
    d = rows.layout
    part = rows.head(rows.first_events)
    shared, _ = search(part.under(_with(d, d.n_components)), lower, upper)
    best, settled = climb_decays(part, np.repeat(np.log(shared.decay), d.n_types), lower, upper)
    if d.n_components > 1:
        fewer, _ = search(part.under(_with(d, d.n_components - 1, True)), lower, upper)
        more = [np.append(np.log(fewer.decay), np.full(d.n_types, np.log(decay))) for decay in shared.decay]
        other, done = climb_decays(part, max(more, key=lambda theta: part.rough(np.exp(theta))), lower, upper)
        if other.value > best.value:
            best, settled = other, done
    theta = _scanned(rows, np.log(best.decay), lower, upper)
    if theta is not None:
        other, done = climb_decays(part, theta, lower, upper)
        if other.value > best.value:
            best, settled = other, done
    if len(part.streams.time) == len(rows.streams.time):
        return best, settled
    return climb_decays(rows, np.log(best.decay), lower, upper)


def _scanned(rows: AnyRows, theta: Floats, lower: float, upper: float) -> Floats | None:
    """Log decays with each source's exchanged for the best of the grid on the first events; None if none is better."""
    d = rows.layout
    few = rows.head(rows.first_events // 4)
    few = few.under(d.without_pieces())
    counts = few.streams.counts
    points = grid(lower, upper)
    first = now = few.rough(np.exp(theta))
    sources = [j for j in np.argsort(-counts, kind="stable") if counts[j] > 0]
    places = [k * d.n_types + j for j in sources for k in range(d.n_components)]
    for place in places[: max(MOST_SCANS // len(points), 1)]:
        for point in points:
            trial = theta.copy()
            trial[place] = point
            value = few.rough(np.exp(trial))
            if value > now + 1e-3:
                theta, now = trial, value
    return theta if now > first + 1e-2 else None
