"""Which links are there: an L1 penalty along a path, and the support that an information criterion prefers.

In: the likelihood of a layout, decays. Out: for every coefficient whether it is kept, or penalised estimates.

The penalty of a link is in units of its own noise: the standard deviation of the slope of the log-likelihood where no
link is there. A penalty of 2 lets in what is steeper than two of them. Along the path each support is fitted again
without penalty, and the criterion compares those fits: -2 log-likelihood + links * log(events), and for "ebic"
2 * GAMMA * log(number of supports of that size) more. At exact times channels choose by themselves, by day
all together.
Sources: Hansen, Reynaud-Bouret & Rivoirard (2015), Bernoulli 21(1), 83-143 (weights from the data); Chen & Chen (2008),
Biometrika 95(3), 759-771 (extended criterion).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.plain import climb_rows
from powderkeg.hawkes.by_day import DayLikelihood
from powderkeg.hawkes.exact import MOST_PASSES, TOLERANCE, ExactLikelihood

CRITERIA = ("aic", "bic", "ebic")
GAMMA = 0.5
"""Weight of the number of supports in "ebic": 0 is "bic", 1 the most careful."""
STEPS = 24
"""Penalties tried, from the least that lets nothing in down to LEAST of it."""
LEAST = 0.02


def price(criterion: str, links: Ints | int, of: Ints | int, events: int) -> Floats:
    """What `links` links chosen among `of` cost, on the scale of -2 log-likelihood."""
    each = 2.0 if criterion == "aic" else np.log(events)
    cost = each * np.asarray(links, np.float64)
    if criterion == "ebic":
        cost = cost + 2.0 * GAMMA * np.log(special.binom(of, links))
    return np.asarray(cost, np.float64)


def choose_links(
    rows: ExactLikelihood | DayLikelihood, decay: Floats, criterion: str
) -> tuple[NDArray[np.bool_], list[dict[str, float]]]:
    """((P,) whether a coefficient is kept, the path: penalty, links kept, criterion)."""
    if isinstance(rows, DayLikelihood):
        return _choose_by_day(rows, decay, criterion)
    return _choose_exactly(rows, decay, criterion)


def _choose_exactly(
    rows: ExactLikelihood, decay: Floats, criterion: str
) -> tuple[NDArray[np.bool_], list[dict[str, float]]]:
    """Every channel for itself."""
    d = rows.layout
    background = d.is_background
    weight = rows.noise(decay)
    cost = rows.cost(rows.exposures(decay, 0)[0])
    best = np.full(d.n_types, np.inf)
    kept = background.copy()
    path = []
    events = len(rows.streams.time)
    of = np.diff(d.in_start)
    table: dict[int, list[float]] = {}
    for wanted in rows.turns(0):
        first, x, _, _ = rows.fill(decay, wanted, 0)
        mine = np.zeros(d.n_types, bool)
        mine[wanted] = True
        place = np.repeat(mine, np.diff(d.start))
        a = np.where(background, rows.start(cost), 0.0)
        gradient, value, decrement = np.zeros(len(a)), np.zeros(d.n_types), np.zeros(d.n_types)
        hessian, passes = np.zeros(int(d.hessian_start[-1])), np.zeros(d.n_types, np.int64)

        climb = partial(_climb, rows, wanted, first, x, (gradient, hessian, value, decrement, passes))
        climb(a, cost, ~background)
        steep = np.where(place & (weight > 0), (gradient - cost) / np.maximum(weight, 1e-300), -np.inf)
        most = max(float(steep.max(initial=0.0)), 1e-6)
        for step, penalty in enumerate(np.append(most * np.geomspace(1.0, LEAST, STEPS), 0.0)):
            climb(a, cost + penalty * weight, np.zeros(len(a), bool))
            on = background | (a > 0)
            again = np.where(on, np.maximum(a, 1e-12), 0.0)
            climb(again, cost, ~on)
            links = np.add.reduceat(on & ~background, d.start[:-1])
            links = np.where(np.diff(d.in_start) > 0, links, 0)
            told = -2.0 * value + price(criterion, links, of, events)
            better = mine & (told < best - 1e-9)
            best = np.where(better, told, best)
            kept = np.where(np.repeat(better, np.diff(d.start)), again > 0, kept) | background
            row = table.setdefault(step, [0.0, 0.0, 0.0])
            row[0] = max(row[0], float(penalty))
            row[1] += float(links[wanted].sum())
            row[2] += float(told[wanted].sum())
    for row in table.values():
        path.append({"penalty": row[0], "links": row[1], criterion: row[2]})
    return kept, path


def _climb(
    rows: ExactLikelihood, wanted: Ints, first: Ints, x: Floats, out: tuple[Floats, Floats, Floats, Floats, Ints],
    a: Floats, cost: Floats, held: NDArray[np.bool_],
) -> None:  # fmt: skip
    d = rows.layout
    gradient, hessian, value, decrement, passes = out
    climb_rows(
        x, first, rows.counts, wanted, d.start, cost, held.astype(np.int64), a, gradient, hessian, d.hessian_start,
        TOLERANCE, MOST_PASSES, value, decrement, passes,
    )  # fmt: skip


def _choose_by_day(
    rows: DayLikelihood, decay: Floats, criterion: str
) -> tuple[NDArray[np.bool_], list[dict[str, float]]]:
    """One support for all types together along the path."""
    d = rows.layout
    background = d.is_background
    weight = rows.noise(decay)
    alone = rows.restrict(None, ~background).climb(decay)
    able = weight > 0
    most = max(float((alone.gradient[able] / weight[able]).max(initial=0.0)), 1e-6)
    a, best, kept = alone.a, np.inf, background.copy()
    path, events, of = [], len(rows.streams.time), len(d.in_column)
    for penalty in np.append(most * np.geomspace(1.0, LEAST, STEPS), 0.0):
        a = rows.restrict(penalty * weight, None).climb(decay, np.where(background, np.maximum(a, 1e-9), a)).a
        on = background | (a > 1e-9)
        again = rows.restrict(None, ~on).climb(decay, np.where(on, a, 0.0))
        links = int((again.a[~background] > 1e-9).sum())
        told = -2.0 * again.value + float(price(criterion, links, of, events))
        path.append({"penalty": float(penalty), "links": float(links), criterion: told})
        if told < best:
            best, kept = told, background | (again.a > 1e-9)
    return kept, path
