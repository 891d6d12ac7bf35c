"""Who set off whom: which earlier acts stand behind what a mechanism adds, and the roots that acts descend from.

In: the acts of a record by *cell*, the share that each mechanism has in each of them. Out: links to single earlier
cells, and by recursion what share of each act descends from which category of roots.

A cell is what the data can tell apart: an event at exact times, a channel-day (with its number of acts) by day. An
*entry* is what one cell's acts owe to one slot, that is to one mechanism. Which earlier act it was follows from the
slot's *feeds* alone: the cells that raised it, each with its mass and the level that it left. So nothing here costs
more than events times links of the model, unless single links are asked for.

Within a day acts may answer each other. Given the counts, who answered whom is a random forest whose weight is the
product of its links' rates (`fit.causes` tells why), and a random walk from answer to cause ends in the right root
with the right chance (Wilson 1996, STOC 28, 296-303). That is what `carry` solves for; expected numbers of children
would not do, because they count circles.
Source: Zhuang, Ogata & Vere-Jones (2002), JASA 97, 369-380 for parent probabilities; the rest is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop

SWEEPS = 2_000
CLOSE = 1e-14
"""Acts of one day are solved for by sweeps, until no share moves by more than this."""


class Feeds(NamedTuple):
    """CSR by slot: the cells that raised it, in time order.

    start (slots + 1,);  cell, mass (feeds,);  level (feeds, components) sum of mass * e^(-decay * age) just after it
    """

    start: Ints
    cell: Ints
    mass: Floats
    level: Floats


class Law(NamedTuple):
    """The law of the forest. G groups of equal time, B bundles, R rows, cells and entries as in the record.

    group_cell    (G + 1,) cells of a group
    group_bundle  (G + 1,) its bundles: one, or where the order of a day is weighed one for each order
    bundle_row    (B + 1,) rows of a bundle;  bundle_weight (B,) its probability
    row_cell, row_acts, row_ground   (R,) cell, acts that the row stands for, chance that such an act is a root
    part_start, part_entry, part_share   CSR by row: chance that it answers to an earlier time, by entry
    near_start, near_row, near_mechanism, near_share   CSR by row: chance that it answers a row of its own bundle
    """

    group_cell: Ints
    group_bundle: Ints
    bundle_row: Ints
    bundle_weight: Floats
    row_cell: Ints
    row_acts: Ints
    row_ground: Floats
    part_start: Ints
    part_entry: Ints
    part_share: Floats
    near_start: Ints
    near_row: Ints
    near_mechanism: Ints
    near_share: Floats


class Kernels(NamedTuple):
    """What an act leaves in which slot, and how it fades.

    out_start, out_slot, out_mass   CSR by channel;  slot_mechanism (slots,)
    start    (M + 1,) components of a mechanism;  decay (components,) 1/day
    weight   (components,) share of a component at age 0: share * decay, or by day share * (1 - e^-b)^2 / b
    shift    age that a lag counts from: 0, or by day 1
    """

    out_start: Ints
    out_slot: Ints
    out_mass: Floats
    slot_mechanism: Ints
    start: Ints
    decay: Floats
    weight: Floats
    shift: float


def feed_slots(k: Kernels, cell_time: Floats, cell_channel: Ints, cell_acts: Floats) -> Feeds:
    """What raised each slot, and to which level."""
    cells = np.bincount(cell_channel, minlength=len(k.out_start) - 1)
    start = np.zeros(len(k.slot_mechanism) + 1, np.int64)
    np.add.at(start, k.out_slot + 1, np.repeat(cells, np.diff(k.out_start)))
    start = np.cumsum(start)
    fed = Feeds(start, np.empty(start[-1], np.int64), np.empty(start[-1]), np.zeros((start[-1], _widest(k))))
    _fill(k, cell_time, cell_channel, cell_acts, fed, start[:-1].copy())
    return fed


def _widest(k: Kernels) -> int:
    """Components of the mechanism that has most."""
    return int(np.diff(k.start).max(initial=1))


@loop
def _fill(
    k: Kernels, cell_time: Floats, cell_channel: Ints, cell_acts: Floats, fed: Feeds, filled: Ints
) -> None:  # fmt: skip
    """Write the feeds; `filled` says where the next one of each slot goes."""
    start, cell, mass, level = fed.start, fed.cell, fed.mass, fed.level
    for i in range(len(cell_time)):
        c = cell_channel[i]
        for o in range(k.out_start[c], k.out_start[c + 1]):
            s = k.out_slot[o]
            at = filled[s]
            cell[at] = i
            mass[at] = k.out_mass[o] * cell_acts[i]
            m = k.slot_mechanism[s]
            for j in range(k.start[m], k.start[m + 1]):
                h = j - k.start[m]
                level[at, h] = mass[at]
                if at > start[s]:
                    gap = cell_time[i] - cell_time[cell[at - 1]]
                    level[at, h] += level[at - 1, h] * np.exp(-k.decay[j] * gap)
            filled[s] += 1


@inner
def last_feed(f_start: Ints, f_cell: Ints, cell_time: Floats, s: int, t: float) -> int:
    """Last feed of slot s before time t; the one before its first if there is none."""
    low, high = f_start[s], f_start[s + 1]
    while low < high:
        middle = (low + high) // 2
        if cell_time[f_cell[middle]] < t:
            low = middle + 1
        else:
            high = middle
    return int(low - 1)


@inner
def kernel_at(weight: Floats, decay: Floats, first: int, end: int, age: float) -> float:
    """A kernel `age` days after an act, 1/day: the sum of its components from `first` to `end`."""
    given = 0.0
    for j in range(first, end):
        given += weight[j] * np.exp(-decay[j] * age)
    return given


def lag_links(
    entry_cell: Ints, entry_slot: Ints, entry_count: Floats, f: Feeds, k: Kernels, cell_time: Floats, least: float
) -> tuple[Ints, Ints, Floats]:
    """Share out every entry among the earlier cells that fed its slot.

    entry_count  expected number of the cell's acts that the slot bore
    least        expected number below which a link is dropped; the others of the entry take its part, so that the
                 entry's sum stays. An entry all of whose links are smaller keeps its largest
    returns      CSR (start, parent cell, share of the entry)
    """
    start = np.zeros(len(entry_cell) + 1, np.int64)
    room, done = 1024 + 2 * len(entry_cell), 0
    parent, share = np.empty(room, np.int64), np.empty(room)
    while True:
        done = _share_out(done, entry_cell, entry_slot, entry_count, f, k, cell_time, least, start, parent, share)
        if done == len(entry_cell):
            break
        parent, share = np.append(parent, np.empty_like(parent)), np.append(share, np.empty_like(share))
    return start, parent[: start[-1]].copy(), share[: start[-1]].copy()


@loop
def _share_out(
    done: int, entry_cell: Ints, entry_slot: Ints, entry_count: Floats, f: Feeds, k: Kernels, cell_time: Floats,
    least: float, start: Ints, parent: Ints, share: Floats,
) -> int:  # fmt: skip
    """Entries from number `done` on; returns the one for which there is no room, or how many there are."""
    f_start, f_cell, f_mass, f_level = f.start, f.cell, f.mass, f.level
    k_start, decay, weight, shift = k.start, k.decay, k.weight, k.shift
    room = len(parent)
    for e in range(done, len(entry_cell)):
        n = start[e]
        t = cell_time[entry_cell[e]]
        s = entry_slot[e]
        m = k.slot_mechanism[s]
        at = last_feed(f_start, f_cell, cell_time, s, t)
        total = 0.0
        if at >= f_start[s]:
            age = t - cell_time[f_cell[at]] - shift
            for j in range(k_start[m], k_start[m + 1]):
                total += weight[j] * f_level[at, j - k_start[m]] * np.exp(-decay[j] * age)
        begin = n
        left, kept, most, largest = total, 0.0, 0.0, at
        while at >= f_start[s] and total > 0.0:
            age = t - cell_time[f_cell[at]] - shift
            w = kernel_at(weight, decay, k_start[m], k_start[m + 1], age) * f_mass[at]
            if w > most:
                most, largest = w, at
            if w / total * entry_count[e] > least:
                if n == room:
                    return e
                parent[n] = f_cell[at]
                share[n] = w
                kept += w
                n += 1
            left -= w
            if left / total * entry_count[e] <= least:
                break
            at -= 1
        if n == begin and largest >= f_start[s]:
            if n == room:
                return e
            parent[n] = f_cell[largest]
            share[n] = 1.0
            kept = 1.0
            n += 1
        for i in range(begin, n):
            share[i] /= kept
        start[e + 1] = n
    return len(entry_cell)


def carry(
    law: Law,
    k: Kernels,
    entry_slot: Ints,
    cell_time: Floats,
    cell_channel: Ints,
    cell_acts: Floats,
    own: Ints,
    turned: NDArray[np.bool_],
    turn: Ints,
) -> Floats:
    """(cells, K) share of each cell's acts that descends from roots of each category; rows sum to 1.

    own     (cells,) category of a root in the cell
    turned  (cells,) where descent changes a category: `turn[mechanism, category]` is what it becomes there
    turn    (M, K). A flag that an actor has come in, and how, is such a category. Acts of one day that may answer each
            other in circles come out right only where nothing turns

    Cost: acts * links of the model * K.
    """
    n_categories, n_slots = turn.shape[1], len(k.slot_mechanism)
    rows = int(np.diff(law.bundle_row[law.group_bundle]).max(initial=1))
    share = np.zeros((len(cell_time), n_categories))
    _carry(
        law, k, entry_slot, cell_time, cell_channel, cell_acts, own, turned, turn,
        np.zeros((n_slots, _widest(k), n_categories)), np.zeros(n_slots), np.zeros((rows, n_categories)),
        np.zeros((rows, n_categories)), np.empty(n_categories), np.empty(n_categories), share,
    )  # fmt: skip
    return share


@loop
def _carry(
    law: Law, k: Kernels, entry_slot: Ints, cell_time: Floats, cell_channel: Ints, cell_acts: Floats, own: Ints,
    turned: NDArray[np.bool_], turn: Ints, reach: Floats, reach_time: Floats, by_row: Floats, fixed: Floats,
    mix: Floats, line: Floats, share: Floats,
) -> None:  # fmt: skip
    """The shares, group by group of equal times.

    reach, reach_time     what each slot's components hold of each category, and as of when
    by_row, fixed         of the rows of a bundle: what they descend from; the part that comes from earlier times
    mix, line             one row of such
    """
    n_categories = turn.shape[1]
    for g in range(len(law.group_cell) - 1):
        first_cell, last_cell = law.group_cell[g], law.group_cell[g + 1]
        t = cell_time[first_cell]
        for b in range(law.group_bundle[g], law.group_bundle[g + 1]):
            low, high = law.bundle_row[b], law.bundle_row[b + 1]
            # what comes from earlier times
            for r in range(low, high):
                here = law.row_cell[r]
                for c in range(n_categories):
                    fixed[r - low, c] = 0.0
                fixed[r - low, own[here]] = law.row_ground[r]
                for p in range(law.part_start[r], law.part_start[r + 1]):
                    s = entry_slot[law.part_entry[p]]
                    m = k.slot_mechanism[s]
                    total = 0.0
                    for c in range(n_categories):
                        mix[c] = 0.0
                    age = t - reach_time[s] - k.shift
                    for j in range(k.start[m], k.start[m + 1]):
                        w = k.weight[j] * np.exp(-k.decay[j] * age)
                        for c in range(n_categories):
                            mix[c] += w * reach[s, j - k.start[m], c]
                    for c in range(n_categories):
                        mix[c] = max(mix[c], 0.0)  # rounding, where answers build up
                        total += mix[c]
                    if not total > 0.0:  # faded beyond what numbers hold: nothing is known of it
                        fixed[r - low, own[here]] += law.part_share[p]
                        continue
                    scale = law.part_share[p] / total
                    if turned[here]:
                        for c in range(n_categories):
                            fixed[r - low, turn[m, c]] += scale * mix[c]
                    else:
                        for c in range(n_categories):
                            fixed[r - low, c] += scale * mix[c]
                for c in range(n_categories):
                    by_row[r - low, c] = fixed[r - low, c]
            # what comes from the same time
            if law.near_start[high] > law.near_start[low]:
                for _ in range(SWEEPS):
                    moved = 0.0
                    for r in range(low, high):
                        loop = 0.0
                        for c in range(n_categories):
                            line[c] = fixed[r - low, c]
                        for q in range(law.near_start[r], law.near_start[r + 1]):
                            other = law.near_row[q]
                            if other == r:
                                loop += law.near_share[q]
                            elif turned[law.row_cell[r]]:
                                for c in range(n_categories):
                                    line[turn[law.near_mechanism[q], c]] += law.near_share[q] * by_row[other - low, c]
                            else:
                                for c in range(n_categories):
                                    line[c] += law.near_share[q] * by_row[other - low, c]
                        for c in range(n_categories):
                            value = line[c] / (1.0 - loop)
                            moved = max(moved, abs(value - by_row[r - low, c]))
                            by_row[r - low, c] = value
                    if moved < CLOSE:
                        break
            for r in range(low, high):
                here = law.row_cell[r]
                part = law.bundle_weight[b] * law.row_acts[r] / cell_acts[here]
                for c in range(n_categories):
                    share[here, c] += part * by_row[r - low, c]
        for i in range(first_cell, last_cell):
            c0 = cell_channel[i]
            for o in range(k.out_start[c0], k.out_start[c0 + 1]):
                s = k.out_slot[o]
                m = k.slot_mechanism[s]
                gap = t - reach_time[s]
                mass = k.out_mass[o] * cell_acts[i]
                for j in range(k.start[m], k.start[m + 1]):
                    h = j - k.start[m]
                    fade = np.exp(-k.decay[j] * gap)
                    for c in range(n_categories):
                        reach[s, h, c] = fade * reach[s, h, c] + mass * share[i, c]
                reach_time[s] = t
