"""What set every act off, under given parameters: the background, or an earlier act by a mechanism.

In: a `Climber` (data and likelihood) and a parameter vector. Out: `Causes`: for every cell (an event, or a channel-day
with its acts) the expected number that came from the background and from each mechanism; links to single earlier cells;
and the law of the forest of who set off whom. Everything `analyze.attribution` tells is counted from these.

Given the counts of a day, the likelihood is a sum over forests on its acts, each weighed by the product of its links'
rates and of its roots' (Kirchhoff's theorem gives the determinant of `daylikelihood`). So expected numbers come from
derivatives of that determinant, and forests, with the right chance, from random walks along the rates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND, HISTORY, Floats, Ints
from powderkeg.engine.branching.forests import draw_forest
from powderkeg.engine.branching.parents import Feeds, Kernels, Law, carry, feed_slots, lag_links
from powderkeg.engine.draws import root_key
from powderkeg.engine.likelihood.day import DayRows
from powderkeg.engine.likelihood.day_steps import later_share
from powderkeg.engine.likelihood.day_value import evaluate_days
from powderkeg.engine.likelihood.design import by_owner, starts
from powderkeg.fit.likelihood.objective import Objective
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.climb import Climber

UNEXPLAINED = -5
"""The parent of an act that no rule of the scenario allows: nothing the model knows of. Such acts are roots."""
LEAST = 1e-4
"""Expected number of children below which a link to a single act is dropped; the mechanism's other links take it."""

Links = tuple[Ints, Ints, Ints, Floats]
Bools = NDArray[np.bool_]


def sums_by(owner: Ints, value: Floats, n_owners: int) -> Floats:
    """(n_owners,) sum of the values of each owner."""
    return np.bincount(owner, weights=value, minlength=n_owners).astype(np.float64)


@dataclass(frozen=True)
class Causes:
    """Cells in time order, and where their acts came from.

    time, channel, acts   (cells,) time or day, channel, number of acts
    background            (cells,) expected number of acts from the background
    root_kind             (cells,) what a root in the cell is: BACKGROUND, HISTORY or UNEXPLAINED; of cells of the last
                          two every act is one
    event_cell            (N,) cell of every event of the data
    entry_cell, entry_mechanism, entry_count   (entries,) expected number of the cell's acts that acts of earlier times
                          bore by one slot of the mechanism
    near                  links within a time: child cell, parent cell, mechanism, expected number
    law, kernels, feeds   what recursions and draws need; their mechanisms are apart by half-life where the fit's are
    whole                 (mechanisms of these,) mechanism of the scenario that each is of

    In every cell the background, entries and near links add up to its acts, unless all are roots of another kind.
    """

    time: Floats
    channel: Ints
    acts: Floats
    background: Floats
    root_kind: Ints
    event_cell: Ints
    n_mechanisms: int
    entry_cell: Ints
    entry_slot: Ints
    entry_count: Floats
    near: Links
    law: Law
    kernels: Kernels
    feeds: Feeds
    whole: Ints

    @property
    def entry_mechanism(self) -> Ints:
        return self.whole[self.kernels.slot_mechanism[self.entry_slot]]

    @property
    def roots(self) -> Floats:
        """(cells,) expected number of acts that are roots."""
        return np.where(self.root_kind == BACKGROUND, self.background, self.acts)

    def by_mechanism(self) -> Floats:
        """(cells, M) expected number of acts that each mechanism set off."""
        m = self.n_mechanisms
        key = np.concatenate([self.entry_cell * m + self.entry_mechanism, self.near[0] * m + self.near[2]])
        number = np.concatenate([self.entry_count, self.near[3]])
        flat = sums_by(key, number, len(self.time) * m)
        return np.asarray(flat.reshape(len(self.time), m), np.float64)

    def links(self, least: float = LEAST) -> Links:
        """Child cell, parent cell, mechanism, expected number; by child.

        Links below `least` are left out, and what they hold goes to the others of the same cell and mechanism.
        """
        start, parent, share = lag_links(
            self.entry_cell, self.entry_slot, self.entry_count, self.feeds, self.kernels, self.time, least
        )
        entry = np.repeat(np.arange(len(self.entry_cell)), np.diff(start))
        child = np.concatenate([self.entry_cell[entry], self.near[0]])
        parent = np.concatenate([parent, self.near[1]])
        mechanism = np.concatenate([self.entry_mechanism[entry], self.near[2]])
        number = np.concatenate([self.entry_count[entry] * share, self.near[3]])
        # One mechanism may lead from cell to cell by several slots, and on a day whose gates change by two readings.
        order = np.lexsort((mechanism, parent, child))
        child, parent, mechanism, number = child[order], parent[order], mechanism[order], number[order]
        new = np.ones(len(child), np.bool_)
        new[1:] = (np.diff(child) != 0) | (np.diff(parent) != 0) | (np.diff(mechanism) != 0)
        first = np.flatnonzero(new)
        return child[first], parent[first], mechanism[first], np.add.reduceat(number, first) if len(first) else number

    def descent(
        self, category: Ints, n_categories: int, turned: Bools | None = None, turn: Ints | None = None
    ) -> Floats:
        """(cells, K) share of each cell's acts that descends from roots of each category; rows sum to 1.

        category      (cells,) category that a root in the cell is of
        turned, turn  as in `engine.branching.parents.carry`; by default nothing turns
        """
        if turned is None or turn is None:
            turned = np.zeros(len(self.time), np.bool_)
            turn = np.tile(np.arange(n_categories), (max(self.n_mechanisms, 1), 1))
        if self.n_mechanisms:
            turn = turn[self.whole]
        shares: Floats = carry(
            self.law, self.kernels, self.entry_slot, self.time, self.channel, self.acts, category, turned, turn
        )
        return shares

    def forests(self, count: int, seed: int, first: int = 0) -> Iterator[tuple[Ints, Ints, Ints]]:
        """`count` draws of (parent, mechanism, order) by act; acts stand by cell, as `act_cell` lists them.

        Draw number k of a seed is always the same; `first` is the number of the first.
        """
        act_start = starts(self.acts.astype(np.int64))
        base = int(root_key(seed))
        for number in range(first, first + count):
            key = root_key(base ^ (number + 1))
            parent, mechanism, order = draw_forest(
                key, self.law, self.kernels, self.feeds, self.entry_slot, self.time, self.root_kind, act_start
            )
            if len(self.whole):
                mechanism = np.where(mechanism >= 0, self.whole[np.maximum(mechanism, 0)], mechanism)
            yield parent, mechanism, order

    @property
    def act_cell(self) -> Ints:
        """(acts,) cell of every act."""
        return np.repeat(np.arange(len(self.time)), self.acts.astype(np.int64))


def find_causes(climber: Climber, vector: Floats) -> Causes:
    """Causes of every act of the climber's data, at the parameters `vector`."""
    problem = climber.problem
    data, d = problem.data, problem.design
    objective = climber.for_causes(vector)
    n_channels = len(d.channel_ground)
    if data.by_day:
        day = data.time.astype(np.int64)
        key = (day - day.min()) * n_channels + data.channel
        found, event_cell, times = np.unique(key, return_inverse=True, return_counts=True)
        time = (found // n_channels + day.min()).astype(np.float64)
        channel, acts = found % n_channels, times.astype(np.float64)
    else:
        event_cell = np.arange(len(data.time))
        time, channel, acts = data.time, data.channel, np.ones(len(data.time))
    cells = _Cells(time, channel.astype(np.int64), acts)

    decay = problem.decay(vector)
    weight = d.kernel_share * decay
    if data.by_day:
        weight = weight * np.array([later_share(b) for b in decay]) ** 2
    kernels = Kernels(
        out_start=d.out_start, out_slot=d.out_slot, out_mass=d.out_mass,
        slot_mechanism=d.group_mechanism[d.slot_group] if len(d.slot_group) else np.zeros(0, np.int64),
        start=d.kernel_start, decay=decay, weight=weight, shift=1.0 if data.by_day else 0.0,
    )  # fmt: skip
    rates = _rates(climber, objective, vector, cells)
    entry_key, at = np.unique(rates.cell[rates.part_row] * max(rates.n_slots, 1) + rates.part_slot, return_inverse=True)
    number = sums_by(at, rates.part * rates.expected[rates.part_row], len(entry_key))
    entry_cell, entry_slot = np.divmod(entry_key, max(rates.n_slots, 1))
    background = sums_by(rates.cell, rates.ground * rates.expected, len(time))
    near_child = rates.cell[rates.near_row]
    # What rounding, or orders left out, took away is given back in proportion; what nothing explains is a root.
    sums = background + sums_by(entry_cell, number, len(time))
    sums += sums_by(near_child, rates.near_number, len(time))
    known = np.zeros(len(time), bool)
    known[rates.cell] = True
    scale = np.where(known, acts / np.maximum(sums, 1e-300), 0.0)
    root_kind = np.where(known, BACKGROUND, np.where(time < 0, HISTORY, UNEXPLAINED))
    whole = _wholes(problem)
    return Causes(
        time=time,
        channel=cells.channel,
        acts=acts,
        background=background * scale,
        root_kind=root_kind.astype(np.int64),
        event_cell=event_cell.astype(np.int64),
        n_mechanisms=int(whole.max(initial=-1)) + 1,
        entry_cell=entry_cell.astype(np.int64),
        entry_slot=entry_slot.astype(np.int64),
        entry_count=number * scale[entry_cell],
        near=(
            near_child, rates.cell[rates.near_from], whole[rates.near_mechanism].astype(np.int64),
            rates.near_number * scale[near_child],
        ),
        law=_law(rates, cells, at.astype(np.int64), known),
        kernels=kernels,
        feeds=feed_slots(kernels, time, cells.channel, acts),
        whole=whole,
    )  # fmt: skip


def _wholes(problem: Problem) -> Ints:
    """(M,) mechanism of the scenario that each of the problem is of; further reports of acts, if any, stand last."""
    count, parts = len(problem.design.kernel_start) - 1, problem.model.part_of
    if parts is None:
        return np.arange(count)
    return np.append(parts, parts.max(initial=-1) + 1 + np.arange(count - len(parts))).astype(np.int64)


@dataclass(frozen=True)
class _Cells:
    time: Floats
    channel: Ints
    acts: Floats


@dataclass(frozen=True)
class _Rates:
    """What each row of the likelihood is made of. R rows, in the order of the pass.

    cell, acts, weight   (R,) weight: of the order that the row belongs to
    total, ground        (R,) sum of all rates; that of the background
    expected             (R,) expected number of its acts by a unit of rate
    part_row, part_slot, part     rates from earlier times
    near_row, near_from, near_mechanism, near, near_number   rates from rows of the same time, and expected numbers
    """

    cell: Ints
    acts: Floats
    weight: Floats
    total: Floats
    ground: Floats
    expected: Floats
    n_slots: int
    part_row: Ints
    part_slot: Ints
    part: Floats
    near_row: Ints
    near_from: Ints
    near_mechanism: Ints
    near: Floats
    near_number: Floats


def _rates(climber: Climber, objective: Objective, vector: Floats, cells: _Cells) -> _Rates:
    problem = climber.problem
    d, terms, rows = problem.design, problem.terms, objective.rows
    n_channels, n_groups, n_rates = len(d.channel_ground), max(len(d.group_term), 1), problem.n_rates
    slope = terms.slopes(vector[problem.n_linear : problem.n_smooth])
    coefficient = slope * vector[terms.linear]
    n = len(rows.start) - 1
    owner = np.repeat(np.arange(n), np.diff(rows.start))
    value = coefficient[rows.term] * rows.value
    total = sums_by(owner, value, n)
    nothing = np.zeros(0, np.int64)
    near_row, near_from, near_term, near, number = nothing, nothing, nothing, np.zeros(0), np.zeros(0)
    if isinstance(rows, DayRows):
        # cells are sorted by day and channel
        cell_key = cells.time.astype(np.int64) * n_channels + cells.channel
        cell = np.searchsorted(cell_key, rows.day * n_channels + rows.channel)
        acts = rows.acts
        weight = np.repeat(objective.weight, np.diff(rows.block))
        shape = (terms.linear, terms.x_start, terms.x_index, terms.x_value, terms.n_linear, terms.n_log, False)
        *_, expected, by_echo = evaluate_days(
            rows.start, rows.term, rows.value, rows.acts, rows.block, objective.weight, rows.echo_start, rows.echo_from,
            rows.echo_term, rows.echo_value, coefficient, slope, *shape,
        )  # fmt: skip
        near_row = np.repeat(np.arange(n), np.diff(rows.echo_start))
        near_from, near_term = rows.echo_from, rows.echo_term
        near = coefficient[near_term] * rows.echo_value
        number = near * (expected[near_row] + by_echo)
        if objective.replies is not None and len(objective.replies.row):
            replies = objective.replies
            pick, source = _earlier_rows(replies.row, replies.channel, rows, cells, cell)
            count = np.bincount(pick, minlength=len(replies.row))
            reply = (coefficient[replies.term] * replies.value)[pick] / count[pick]
            near_row = np.concatenate([near_row, replies.row[pick]])
            near_from = np.concatenate([near_from, source])
            near_term = np.concatenate([near_term, replies.term[pick]])
            near = np.concatenate([near, reply])
            number = np.concatenate([number, reply * expected[replies.row[pick]]])
    else:
        cell, acts, weight = rows.event, np.ones(n), objective.weight
        expected = weight / total
    group_of = np.full(d.n_terms, -1, np.int64)
    for g in range(len(d.group_term)):
        group_of[d.group_term[g] : d.group_term[g] + d.pair_size[d.group_pair[g]]] = g
    slot_channel = np.repeat(np.arange(n_channels), np.diff(d.slot_start))
    slot_key = slot_channel * n_groups + d.slot_group
    by_key = np.argsort(slot_key)
    is_ground = group_of[rows.term] < 0
    # A row's entries hold what it may answer of its own day too: that is told by the near links, and taken out here.
    row = np.concatenate([owner[~is_ground], near_row])
    group = np.concatenate([group_of[rows.term[~is_ground]], group_of[near_term]])
    amount = np.concatenate([value[~is_ground], -near])
    n_slots = len(slot_key)
    slot = by_key[np.searchsorted(slot_key[by_key], cells.channel[cell][row] * n_groups + group)] if len(row) else row
    key, at = np.unique(row * max(n_slots, 1) + slot, return_inverse=True)
    part = sums_by(at, amount, len(key))
    whole = sums_by(at, np.abs(amount), len(key))
    kept = part > 1e-13 * whole
    part_row, part_slot = np.divmod(key[kept], max(n_slots, 1))
    ground = sums_by(owner[is_ground], value[is_ground], n)
    return _Rates(
        cell=cell.astype(np.int64), acts=acts, weight=weight, total=total, ground=ground, expected=expected,
        n_slots=n_slots, part_row=part_row.astype(np.int64), part_slot=part_slot.astype(np.int64), part=part[kept],
        near_row=near_row, near_from=near_from, near_mechanism=terms.linear[near_term] - n_rates, near=near,
        near_number=number,
    )  # fmt: skip


def _order_of(cell: Ints, acts: Floats, cell_acts: Floats) -> Ints:
    """(R,) number of the order that a row belongs to, within its day; 0 on days whose order is not weighed.

    Every order holds every act of the day once, so the k-th row of a cell with n acts belongs to order k // n.
    """
    by_cell = np.argsort(cell, kind="stable")
    sorted_cell = cell[by_cell]
    new = np.concatenate([[True], sorted_cell[1:] != sorted_cell[:-1]]) if len(cell) else np.zeros(0, bool)
    begin = np.maximum.accumulate(np.where(new, np.arange(len(cell)), 0))
    rank = np.empty(len(cell), np.int64)
    rank[by_cell] = np.arange(len(cell)) - begin
    return np.asarray((rank * acts // np.maximum(cell_acts[cell], 1.0)).astype(np.int64))


def _earlier_rows(row: Ints, channel: Ints, rows: DayRows, cells: _Cells, cell: Ints) -> tuple[Ints, Ints]:
    """(reply, row answered): the rows of its order in which the channel answered had acted before."""
    n_channels = int(max(rows.channel.max(), channel.max())) + 1
    order = _order_of(cell, rows.acts, cells.acts)
    span = int(order.max()) + 1
    first_day = int(rows.day.min())
    key = ((rows.day - first_day) * span + order) * n_channels + rows.channel
    by_key = np.argsort(key, kind="stable")
    wanted = ((rows.day[row] - first_day) * span + order[row]) * n_channels + channel
    low = np.searchsorted(key[by_key], wanted, side="left")
    high = np.searchsorted(key[by_key], wanted, side="right")
    pick = np.repeat(np.arange(len(row)), high - low)
    within = np.arange(len(pick)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    source = by_key[low[pick] + within]
    before = source < row[pick]
    return pick[before], source[before]


def _law(rates: _Rates, cells: _Cells, entry_of_part: Ints, known: Bools) -> Law:
    """The law of the forest: rows by time and order, each with the chances of what it answers."""
    group_start = np.concatenate([[0], np.flatnonzero(np.diff(cells.time) > 0) + 1, [len(cells.time)]]).astype(np.int64)
    group_of_cell = np.repeat(np.arange(len(group_start) - 1), np.diff(group_start))
    order = _order_of(rates.cell, rates.acts, cells.acts)
    span = int(order.max(initial=0)) + 1
    row_bundle = group_of_cell[rates.cell] * span + order
    # Cells that nothing explains stand as roots in every order of their day.
    lost = np.flatnonzero(~known)
    bundles = np.unique(np.concatenate([row_bundle, group_of_cell[lost] * span]))
    group_of_bundle = bundles // span
    first = np.searchsorted(group_of_bundle, group_of_cell[lost], side="left")
    last = np.searchsorted(group_of_bundle, group_of_cell[lost], side="right")
    many = last - first
    lost_bundle = bundles[
        np.repeat(first, many) + np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    ].astype(np.int64)
    all_bundle = np.concatenate([row_bundle, lost_bundle])
    row_cell = np.concatenate([rates.cell, np.repeat(lost, many)]).astype(np.int64)
    row_acts = np.concatenate([rates.acts, np.repeat(cells.acts[lost], many)])
    ground = np.concatenate([rates.ground / rates.total, np.ones(len(lost_bundle))])
    weight = np.concatenate([rates.weight, np.ones(len(lost_bundle))])
    sort = np.argsort(all_bundle, kind="stable")
    place = np.empty(len(sort), np.int64)
    place[sort] = np.arange(len(sort))
    number = np.searchsorted(bundles, all_bundle[sort])
    bundle_row = starts(np.bincount(number, minlength=len(bundles)))
    bundle_weight = weight[sort][bundle_row[:-1]]
    bundle_weight = bundle_weight / np.bincount(group_of_bundle, weights=bundle_weight)[group_of_bundle]
    n_rows = len(sort)
    part_start, by_part = by_owner(place[rates.part_row], n_rows)
    near_start, by_near = by_owner(place[rates.near_row], n_rows)
    part = (rates.part / rates.total[rates.part_row])[by_part]
    near = (rates.near / rates.total[rates.near_row])[by_near]
    ground = ground[sort]
    sums = ground.copy()
    np.add.at(sums, np.repeat(np.arange(n_rows), np.diff(part_start)), part)
    np.add.at(sums, np.repeat(np.arange(n_rows), np.diff(near_start)), near)
    return Law(
        group_cell=group_start,
        group_bundle=starts(np.bincount(group_of_bundle, minlength=len(group_start) - 1)),
        bundle_row=bundle_row,
        bundle_weight=bundle_weight,
        row_cell=row_cell[sort],
        row_acts=row_acts[sort].astype(np.int64),
        row_ground=ground / sums,
        part_start=part_start,
        part_entry=entry_of_part[by_part],
        part_share=part / np.repeat(sums, np.diff(part_start)),
        near_start=near_start,
        near_row=place[rates.near_from[by_near]],
        near_mechanism=rates.near_mechanism[by_near].astype(np.int64),
        near_share=near / np.repeat(sums, np.diff(near_start)),
    )
