"""The acts of one day in every order: which orders are likely, and what is believed of the facts along each.

In: today's acts, what each channel's intensity is made of, beliefs before them. Out: the `Trail` of the likely orders,
the mean belief after them, the mean likelihood. All orders (or, of more than five acts, 120 drawn ones) are walked
through with the filter of `filtered_facts`, an act answering only to what came before it, and weighed by how likely the
acts were in that order. An act that comes before in a random order excites at twice the rate that the day's mean has.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inlined, inner
from powderkeg.engine.likelihood.filtered_facts import (
    Drift,
    GatePairs,
    act_on_facts,
    add_alike,
    clear,
    configurations,
    copy_into,
    learn_from_act,
    note_reads,
    weigh,
)

MOST_ORDERED = 10
"""Acts of one day up to which their orders are weighed."""
ORDERS = 120
"""Orders weighed: all of five acts, a sample of more."""
UNLIKELY = 1e-4
"""Posterior weight below which an order is dropped."""


class Trail(NamedTuple):
    """States along the kept orders of the days on which order matters, one step after the other.

    size    (days,) steps of each day
    belief  (steps, cells) probabilities just before the act of the step, or after the last act of an order
    weight  (steps,) posterior weight of the order that the step belongs to
    row     (steps,) which of the day's channels acts, in order of appearance; -1 where an order ends
    """

    size: Ints
    belief: Floats
    weight: Floats
    row: Ints


def no_trail(n_days: int, n_cells: int) -> Trail:
    """The trail before anything is known."""
    return Trail(np.zeros(n_days, np.int64), np.zeros((0, n_cells)), np.zeros(0), np.zeros(0, np.int64))


class Parts(NamedTuple):
    """What the intensities of today's rows are made of, were every gate 1: a row's own parts, then its links.

    start      (rows + 1,)
    pair       the pair of gate rows under which a part stands
    first, apart   its term of configuration 0; how far apart those of further configurations are
    value      per unit of coefficient;  weight per unit of gate;  slope (., components) derivatives of value
    source     row of the act of today that a link answers, -1 for a part of the days before
    mechanism  of a link
    """

    start: Ints
    pair: Ints
    first: Ints
    apart: Ints
    value: Floats
    weight: Floats
    slope: Floats
    source: Ints
    mechanism: Ints


class Walk(NamedTuple):
    """Room for a walk through a day's orders.

    first, orders   one sequence of rows; (ORDERS, MOST_ORDERED) all of them
    worth, weight   (ORDERS,) log likelihood and posterior weight of each
    acted           (rows,) how often each row has acted
    p, intensity    (cells,) beliefs, and the intensity of an act given each level
    reads, is_read  (facts,) facts that an act's channel reads
    part_pair, part_mean   of the parts of its intensity
    """

    first: Ints
    orders: Ints
    worth: Floats
    weight: Floats
    acted: Floats
    p: Floats
    intensity: Floats
    chance: Floats
    reads: Ints
    is_read: Ints
    part_pair: Ints
    part_mean: Floats


def room_to_walk(busiest: int, n_cells: int, n_facts: int, n_parts: int, largest: int) -> Walk:
    """Room for days of so many rows whose intensities have so many parts."""
    return Walk(
        np.empty(MOST_ORDERED, np.int64), np.empty((ORDERS, MOST_ORDERED), np.int64), np.empty(ORDERS),
        np.empty(ORDERS), np.zeros(busiest), np.zeros(n_cells), np.zeros(n_cells), np.zeros(largest),
        np.empty(n_facts, np.int64), np.zeros(n_facts, np.int64), np.empty(n_parts, np.int64), np.empty(n_parts),
    )  # fmt: skip


@inner
def scramble(x: int) -> int:
    """A 31-bit hash: orders are drawn the same way every time."""
    x = (x ^ (x >> 16)) * 73244475 & 0x7FFFFFFF
    x = (x ^ (x >> 15)) * 73244475 & 0x7FFFFFFF
    return x ^ (x >> 16)


@inner
def next_order(order: Ints, n: int) -> bool:
    """The next permutation of the first n in lexical order, in place, equals not told apart; False after the last."""
    i = n - 2
    while i >= 0 and order[i] >= order[i + 1]:
        i -= 1
    if i < 0:
        return False
    j = n - 1
    while order[j] <= order[i]:
        j -= 1
    order[i], order[j] = order[j], order[i]
    left, right = i + 1, n - 1
    while left < right:
        order[left], order[right] = order[right], order[left]
        left += 1
        right -= 1
    return True


@inner
def most_orders(n_acts: int) -> int:
    """Orders of so many acts that may be walked through."""
    result = 1
    for k in range(2, min(n_acts, 5) + 1):
        result *= k
    return result if n_acts <= 5 else ORDERS


@inner
def list_orders(times: Floats, n_today: int, now: int, first: Ints, orders: Ints) -> int:
    """Sequences of today's rows, each as often as it acted, to `orders`; returns how many."""
    m = 0
    for r in range(n_today):
        for _ in range(int(times[r])):
            first[m] = r
            m += 1
    n_orders = 0
    if m <= 5:
        more = True
        while more:
            for i in range(m):
                orders[n_orders, i] = first[i]
            n_orders += 1
            more = next_order(first, m)
        return n_orders
    for k in range(ORDERS):
        for i in range(m - 1, 0, -1):
            j = scramble(now * 7919 + k * 104729 + i * 31) % (i + 1)
            first[i], first[j] = first[j], first[i]
        for i in range(m):
            orders[k, i] = first[i]
    return ORDERS


@inlined
def _silence(worth: float, steps: float, pairs: GatePairs, pair_mass: Floats, slope: Floats, w: Walk) -> float:
    """`worth` less what was expected of the days before in one of `steps` parts of the day."""
    for q in range(len(pair_mass)):
        if pair_mass[q] > 0.0 and pairs.size[q] > 1:
            configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, w.p, w.chance)
            mean = 0.0
            for i in range(pairs.size[q]):
                mean += w.chance[i] * slope[pairs.term[q] + i]
            worth -= pair_mass[q] * mean / steps
    return worth


@inlined
def _intensity(r: int, parts: Parts, times: Floats, pairs: GatePairs, slope: Floats, w: Walk) -> tuple[float, int]:
    """Intensity of row r now, in the mean and given each level of the facts that it reads; how many those are."""
    clear(w.intensity)
    n_reads, n_used = 0, 0
    total = 0.0
    for j in range(parts.start[r], parts.start[r + 1]):
        source = parts.source[j]
        weight = parts.weight[j]
        if source >= 0:
            weight = 2.0 * weight * w.acted[source] / times[source]
        if weight <= 0.0:
            continue
        q = parts.pair[j]
        configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, w.p, w.chance)
        mean = weigh(
            q, pairs.fact_start, pairs.fact, pairs.level_start, pairs.size[q], w.p, w.chance, slope, pairs.term[q],
            weight, w.intensity,
        )  # fmt: skip
        total += mean
        w.part_pair[n_used] = q
        w.part_mean[n_used] = mean
        n_used += 1
        n_reads = note_reads(q, pairs.fact_start, pairs.fact, w.is_read, w.reads, n_reads)
    add_alike(
        w.reads, n_reads, w.is_read, w.part_pair, w.part_mean, n_used, pairs.fact_start, pairs.fact,
        pairs.level_start, w.intensity,
    )  # fmt: skip
    return total, n_reads


@inlined
def _walk_order(
    k: int, m: int, today: Ints, parts: Parts, times: Floats, pairs: GatePairs, pair_mass: Floats, slope: Floats,
    f: Drift, w: Walk, belief: Floats, at: int,
) -> float:  # fmt: skip
    """Filter the acts in order k; beliefs of its steps go to belief[at:]. Its log likelihood."""
    worth = 0.0
    clear(w.acted)
    for step in range(m + 1):
        copy_into(belief[at + step], w.p)
        worth = _silence(worth, m + 1.0, pairs, pair_mass, slope, w)
        if step == m:
            break
        r = w.orders[k, step]
        total, n_reads = _intensity(r, parts, times, pairs, slope, w)
        if not total > 0.0:
            return -np.inf
        worth += np.log(total)
        learn_from_act(f, w.p, w.intensity, w.reads, n_reads)
        act_on_facts(f, w.p, today[r])
        w.acted[r] += 1.0
    return worth


@inlined
def _keep_likely(n_orders: int, m: int, w: Walk, trail: Trail, first: int, end: Floats) -> int:
    """Move the steps of likely orders to the front, and mix what they end with; returns how many steps are kept."""
    kept = 0.0
    for k in range(n_orders):
        if w.weight[k] > UNLIKELY:
            kept += w.weight[k]
    at = first
    for k in range(n_orders):
        if w.weight[k] <= UNLIKELY:
            continue
        for step in range(m + 1):
            copy_into(trail.belief[at], trail.belief[first + k * (m + 1) + step])
            trail.weight[at] = w.weight[k] / kept
            trail.row[at] = w.orders[k, step] if step < m else -1
            if step == m:
                for i in range(len(end)):
                    end[i] += trail.weight[at] * trail.belief[at, i]
            at += 1
    return at - first


@inner
def walk(
    now: int, m: int, n_today: int, today: Ints, parts: Parts, times: Floats, pairs: GatePairs, pair_mass: Floats,
    slope: Floats, f: Drift, w: Walk, begin: Floats, end: Floats, trail: Trail, first: int,
) -> tuple[int, int]:  # fmt: skip
    """Filter the day's m acts in every order; the steps of kept orders go to the trail from `first` on.

    begin  (cells,) beliefs before the day's acts;  end (cells,) receives the mean belief after them
    returns  (steps kept, orders walked); no steps where no order makes the acts possible
    """
    n_orders = list_orders(times, n_today, now, w.first, w.orders)
    best = -np.inf
    for k in range(n_orders):
        copy_into(w.p, begin)
        w.worth[k] = _walk_order(
            k, m, today, parts, times, pairs, pair_mass, slope, f, w, trail.belief, first + k * (m + 1)
        )
        best = max(best, w.worth[k])
    clear(end)
    if not best > -np.inf:
        return 0, n_orders
    mass = 0.0
    for k in range(n_orders):
        w.weight[k] = np.exp(w.worth[k] - best)
        mass += w.weight[k]
    for k in range(n_orders):
        w.weight[k] /= mass
    return _keep_likely(n_orders, m, w, trail, first, end), n_orders
