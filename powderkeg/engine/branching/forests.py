"""Draw who set off whom: one forest out of all that the record leaves possible, each as often as it is likely.

In: a `Law`, feeds, kernels, a key. Out: the parent of every act, what bore it, and an order in which parents come
first. At exact times every act chooses for itself. Acts of one day may answer each other, but not in a circle: they are
drawn by Wilson's algorithm, walks from answer to cause whose loops are erased.
Source: Wilson (1996), STOC 28, 296-303.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.branching.parents import Feeds, Kernels, Law, kernel_at, last_feed
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.draws import draw

ROOT = -1
"""Parent of an act that is a root."""


@inner
def _walk_back(f: Feeds, k: Kernels, cell_time: Floats, first: int, at: int, m: int, t: float, aim: float) -> int:
    """The cell at which what the feeds of a slot give by time t, summed from the last one back, comes to `aim`."""
    best, most = at, -1.0
    while at >= first:
        age = t - cell_time[f.cell[at]] - k.shift
        given = kernel_at(k.weight, k.decay, k.start[m], k.start[m + 1], age) * f.mass[at]
        if given > most:
            best, most = at, given
        aim -= given
        if aim < 0.0 and given > 0.0:
            return int(f.cell[at])
        at -= 1
    return int(f.cell[best])  # rounding


@inner
def draw_parent(f: Feeds, k: Kernels, cell_time: Floats, s: int, t: float, u: float, v: float) -> int:
    """The earlier cell that an act at time t answers to by slot s: two uniforms choose component and feed.

    Answers that build up have a component below 0: u is then followed back from feed to feed.
    """
    at = last_feed(f.start, f.cell, cell_time, s, t)
    first = f.start[s]
    m = k.slot_mechanism[s]
    age = t - cell_time[f.cell[at]] - k.shift
    total = 0.0
    for j in range(k.start[m], k.start[m + 1]):
        total += k.weight[j] * f.level[at, j - k.start[m]] * np.exp(-k.decay[j] * age)
    if k.start[m + 1] - k.start[m] == 2 and k.weight[k.start[m] + 1] < 0.0:
        return int(_walk_back(f, k, cell_time, first, at, m, t, u * total))
    chosen = k.start[m + 1] - 1
    left = u * total
    for j in range(k.start[m], k.start[m + 1]):
        left -= k.weight[j] * f.level[at, j - k.start[m]] * np.exp(-k.decay[j] * age)
        if left < 0.0:
            chosen = j
            break
    h = chosen - k.start[m]
    # Levels grow by what each feed adds, once the fading is taken out: the sum to invert, on a log scale.
    aim = np.log(v) + np.log(f.level[at, h])
    low, high = first, at
    while low < high:
        middle = (low + high) // 2
        back = cell_time[f.cell[at]] - cell_time[f.cell[middle]]
        if np.log(f.level[middle, h]) - k.decay[chosen] * back >= aim:
            high = middle
        else:
            low = middle + 1
    return int(f.cell[low])


def draw_forest(
    key: np.uint64,
    law: Law,
    k: Kernels,
    f: Feeds,
    entry_slot: Ints,
    cell_time: Floats,
    root_kind: Ints,
    act_start: Ints,
) -> tuple[Ints, Ints, Ints]:
    """One forest. A act stands at `act_start[cell]` and after it, acts of a cell being alike.

    key        where the draws come from
    root_kind  (cells,) what is written where an act is a root
    act_start  (cells + 1,)
    returns    parent (acts,), -1 for a root; mechanism (acts,) or the root's kind; order (acts,), parents first
    """
    n_acts = int(act_start[-1])
    acts_before = np.concatenate([[0], np.cumsum(law.row_acts)])
    most = int(np.diff(acts_before[law.bundle_row]).max(initial=1))
    parent, kind, order = np.full(n_acts, ROOT), np.empty(n_acts, np.int64), np.empty(n_acts, np.int64)
    _draw(
        key, law, k, f, entry_slot, cell_time, root_kind, act_start, parent, kind, order, np.arange(n_acts),
        np.empty((6, most + 1), np.int64), np.zeros(most, np.bool_), np.zeros(len(cell_time), np.int64),
    )  # fmt: skip
    return parent, kind, order


@loop
def _draw(
    key: np.uint64, law: Law, k: Kernels, f: Feeds, entry_slot: Ints, cell_time: Floats, root_kind: Ints,
    act_start: Ints, parent: Ints, kind: Ints, order: Ints, label: Ints, room: Ints, settled: NDArray[np.bool_],
    taken: Ints,
) -> None:  # fmt: skip
    """Write one forest.

    label    (acts,) which act stands where in its cell
    room     (6, most acts of a bundle + 1) and settled: what is known of the acts of a bundle
    taken    (cells,) acts that had their turn
    """
    group_cell, group_bundle = law.group_cell, law.group_bundle
    bundle_row, bundle_weight = law.bundle_row, law.bundle_weight
    row_cell, row_acts, row_ground = law.row_cell, law.row_acts, law.row_ground
    part_start, part_entry, part_share = law.part_start, law.part_entry, law.part_share
    near_start, near_row, near_mechanism, near_share = law.near_start, law.near_row, law.near_mechanism, law.near_share
    row_of, name, path, first_of = room[0], room[1], room[2], room[3]
    into = room[4]  # >= 0: local act; -1: root; -2 - e: earlier, by entry e
    into_kind = room[5]
    count = np.uint64(0)
    one = np.uint64(1)
    done = 0
    for g in range(len(group_cell) - 1):
        b = group_bundle[g]
        if group_bundle[g + 1] - b > 1:
            u = draw(key, count)
            count += one
            while b < group_bundle[g + 1] - 1 and u >= bundle_weight[b]:
                u -= bundle_weight[b]
                b += 1
        low, high = bundle_row[b], bundle_row[b + 1]
        size = 0
        for r in range(low, high):
            here = row_cell[r]
            first_of[r - low] = size
            for _ in range(row_acts[r]):
                # Acts of a cell are alike: which of them stands where in an order is drawn too.
                begin = act_start[here] + taken[here]
                left = act_start[here + 1] - begin
                if left > 1:
                    swap = begin + int(draw(key, count) * left)
                    count += one
                    label[begin], label[swap] = label[swap], label[begin]
                taken[here] += 1
                row_of[size] = r
                name[size] = label[begin]
                settled[size] = False
                size += 1
        for a in range(size):
            at = a
            while not settled[at]:
                r = row_of[at]
                u = draw(key, count)
                count += one
                if u < row_ground[r]:
                    into[at] = -1
                    break
                u -= row_ground[r]
                found = False
                into[at] = -1
                for p in range(part_start[r], part_start[r + 1]):
                    into[at] = -2 - part_entry[p]
                    if u < part_share[p]:
                        found = True
                        break
                    u -= part_share[p]
                if found:
                    break
                near = -1
                for q in range(near_start[r], near_start[r + 1]):
                    near = q
                    if u < near_share[q]:
                        break
                    u -= near_share[q]
                if near < 0:
                    break  # rounding: the last part it is
                other = near_row[near]
                v = draw(key, count)
                count += one
                into[at] = first_of[other - low] + int(v * row_acts[other])
                into_kind[at] = near_mechanism[near]
                at = into[at]
            # back along the walk, its loops left out
            steps = 0
            at = a
            while not settled[at]:
                settled[at] = True
                path[steps] = at
                steps += 1
                if into[at] < 0:
                    break
                at = into[at]
            for step in range(steps - 1, -1, -1):
                at = path[step]
                me = name[at]
                order[done] = me
                done += 1
                if into[at] >= 0:
                    parent[me] = name[into[at]]
                    kind[me] = into_kind[at]
                elif into[at] == -1:
                    kind[me] = root_kind[row_cell[row_of[at]]]
                else:
                    s = entry_slot[-2 - into[at]]
                    t = cell_time[group_cell[g]]
                    u, v = draw(key, count), draw(key, count + one)
                    count += one + one
                    one_cell = draw_parent(f, k, cell_time, s, t, u, v)
                    here = act_start[one_cell]
                    pick = draw(key, count)
                    count += one
                    parent[me] = here + int(pick * (act_start[one_cell + 1] - here))
                    kind[me] = k.slot_mechanism[s]


def descendants(parent: Ints) -> Ints:
    """(N,) acts that descend from each act, itself not counted; parents stand before their children."""
    below = np.zeros(len(parent), np.int64)
    _count_below(parent, below)
    return below


@loop
def _count_below(parent: Ints, below: Ints) -> None:
    for i in range(len(parent) - 1, -1, -1):
        if parent[i] >= 0:
            below[parent[i]] += below[i] + 1
