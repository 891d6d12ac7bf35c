"""What set every act off, under given parameters: the background, or an earlier act by a mechanism.

In: a `Climber` (data and likelihood) and a parameter vector. Out: `Causes`: for every cell (an event, or a channel-day
with its acts) the expected number that came from the background, and links to the cells that bore the rest.
Everything `analyze.attribution` tells is counted from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.attribution import descend, lag_links
from powderkeg.engine.daylikelihood import evaluate_days
from powderkeg.engine.daypass import DayRows, later_share
from powderkeg.engine.design import by_owner
from powderkeg.fit.climb import Climber
from powderkeg.fit.objective import Objective

LEAST = 1e-9
"""Expected number of children below which a link is dropped."""


@dataclass(frozen=True)
class Causes:
    """Cells in time order, and where their acts came from.

    time, channel, acts   (cells,) time or day, channel, number of acts
    background            (cells,) expected number of acts from the background
    unknown               (cells,) acts that no rule explains, and those of the history before the window
    child, parent         (links,) cells
    mechanism             (links,)
    count                 (links,) expected number of the child's acts that the parent's acts bore by the mechanism
    event_cell            (N,) cell of every event of the data

    In every cell background, unknown and the counts of its links add up to its acts.
    """

    time: Floats
    channel: Ints
    acts: Floats
    background: Floats
    unknown: Floats
    child: Ints
    parent: Ints
    mechanism: Ints
    count: Floats
    event_cell: Ints

    def by_mechanism(self, n_mechanisms: int) -> Floats:
        """(cells, M) expected number of acts that each mechanism bore."""
        flat = np.bincount(
            self.child * n_mechanisms + self.mechanism, weights=self.count, minlength=len(self.time) * n_mechanisms
        )
        return np.asarray(flat.reshape(len(self.time), n_mechanisms), np.float64)

    def roots(self, category: Ints, n_categories: int) -> Floats:
        """(cells, K) share of each cell's acts that descends from roots of each category.

        category  (cells,) category that a root in the cell is of
        """
        own = np.zeros((len(self.time), n_categories))
        own[np.arange(len(self.time)), category] = self.background + self.unknown
        start, order = by_owner(self.child, len(self.time))
        return descend(start, self.parent[order], self.count[order], self.acts, own, 200, 1e-13)


def find_causes(climber: Climber, vector: Floats, least: float = LEAST) -> Causes:
    """Causes of every act of the climber's data, at the parameters `vector`."""
    problem = climber.problem
    data, d = problem.data, problem.design
    objective, _ = climber.filter(vector)
    terms = problem.terms
    slope = terms.slopes(vector[problem.n_linear : problem.n_smooth])
    coefficient = slope * vector[terms.linear]

    # cells: events, or channel-days in time order
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

    row, slot, share, background, echoes = _shares(climber, objective, coefficient, slope, time, channel)
    order = np.argsort(row, kind="stable")
    row, slot, share = row[order], slot[order], share[order]
    distinct, first = np.unique(row, return_index=True)
    decay = problem.decay(vector)
    weight = d.kernel_share * decay
    if data.by_day:
        weight = d.kernel_share * decay * np.array([later_share(b) for b in decay]) ** 2
    slot_of_out, source_of_out = d.out_slot, np.repeat(np.arange(n_channels), np.diff(d.out_start))
    slot_start, by_slot = by_owner(slot_of_out, len(d.slot_group))
    channel_start, channel_cell = by_owner(channel, n_channels)
    child, parent, kind, count = lag_links(
        distinct, np.append(first, len(row)).astype(np.int64), slot, share, d.group_mechanism[d.slot_group], slot_start,
        source_of_out[by_slot], d.out_mass[by_slot], d.kernel_start, weight, decay, time, acts, channel_start,
        channel_cell, data.by_day, least,
    )  # fmt: skip
    child = np.concatenate([child, echoes[0]])
    parent = np.concatenate([parent, echoes[1]])
    kind = np.concatenate([kind, echoes[2]])
    count = np.concatenate([count, echoes[3]])
    # What rounding and dropped links left over is spread as it was found; cells that nothing explains keep all of it.
    explained = background + np.bincount(child, weights=count, minlength=len(time))
    scale = np.where(explained > 0, acts / np.maximum(explained, 1e-300), 0.0)
    known = explained > 0.5 * acts
    scale = np.where(known, scale, 1.0)
    background, count = background * scale, count * scale[child]
    unknown = np.where(known, 0.0, acts - explained)
    return Causes(
        time=time,
        channel=channel.astype(np.int64),
        acts=acts,
        background=background,
        unknown=unknown,
        child=child,
        parent=parent,
        mechanism=kind,
        count=count,
        event_cell=event_cell.astype(np.int64),
    )


def _shares(
    climber: Climber, objective: Objective, coefficient: Floats, slope: Floats, time: Floats, channel: Ints
) -> tuple[Ints, Ints, Floats, Floats, tuple[Any, ...]]:
    """What each row's acts came from: (cell, slot, expected number) by lag; background of each cell; same-day links."""
    problem = climber.problem
    d, terms, rows = problem.design, problem.terms, objective.rows
    n_channels, n_groups = len(d.channel_ground), len(d.group_term)
    group_of = np.full(d.n_terms, -1, np.int64)
    for g in range(n_groups):
        group_of[d.group_term[g] : d.group_term[g] + d.pair_size[d.group_pair[g]]] = g
    slot_channel = np.repeat(np.arange(n_channels), np.diff(d.slot_start))
    slot_key = slot_channel * max(n_groups, 1) + d.slot_group
    by_key = np.argsort(slot_key)
    owner = np.repeat(np.arange(len(rows.start) - 1), np.diff(rows.start))
    part = coefficient[rows.term] * rows.value
    intensity = np.bincount(owner, weights=part, minlength=len(rows.start) - 1)
    no_links = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    n_rates = problem.n_rates
    if isinstance(rows, DayRows):
        cell_key = time.astype(np.int64) * n_channels + channel  # sorted, as cells are
        cell_of = np.searchsorted(cell_key, rows.day * n_channels + rows.channel)
        shape = (terms.linear, terms.x_start, terms.x_index, terms.x_value, terms.n_linear, terms.n_log, False)
        *_, by_row, by_echo = evaluate_days(
            rows.start, rows.term, rows.value, rows.acts, rows.block, objective.weight, rows.echo_start, rows.echo_from,
            rows.echo_term, rows.echo_value, coefficient, slope, *shape,
        )  # fmt: skip
        expected = part * by_row[owner]
        echo_row = np.repeat(np.arange(len(rows.acts)), np.diff(rows.echo_start))
        echo_part = coefficient[rows.echo_term] * rows.echo_value
        answer_row, answer_term = echo_row, rows.echo_term
        taken = echo_part * by_row[echo_row]
        born = echo_part * (by_row[echo_row] + by_echo)
        from_cell = cell_of[rows.echo_from]
        if objective.replies is not None and len(objective.replies.row):
            replies = objective.replies
            reply = coefficient[replies.term] * replies.value * by_row[replies.row]
            answer_row = np.concatenate([answer_row, replies.row])
            answer_term = np.concatenate([answer_term, replies.term])
            taken, born = np.concatenate([taken, reply]), np.concatenate([born, reply])
            source = np.searchsorted(cell_key, rows.day[replies.row] * n_channels + replies.channel)
            from_cell = np.concatenate([from_cell, source])
        links = (cell_of[answer_row], from_cell, terms.linear[answer_term] - n_rates, born)
        # what the entries of a row hold for acts of the same day is told by the links
        minus_row, minus_term, minus = answer_row, answer_term, taken
    else:
        cell_of = rows.event
        expected = part / intensity[owner]
        links = no_links
        minus_row, minus_term, minus = no_links[0], no_links[0], no_links[3]
    is_ground = group_of[rows.term] < 0
    background = np.bincount(cell_of[owner[is_ground]], weights=expected[is_ground], minlength=len(time))
    all_row = np.concatenate([owner[~is_ground], minus_row])
    all_group = np.concatenate([group_of[rows.term[~is_ground]], group_of[minus_term]])
    amount = np.concatenate([expected[~is_ground], -minus])
    row_channel = channel[cell_of]
    wanted = row_channel[all_row] * max(n_groups, 1) + all_group
    slot = by_key[np.searchsorted(slot_key[by_key], wanted)] if len(wanted) else wanted
    key = cell_of[all_row] * max(len(slot_key), 1) + slot
    distinct, inverse = np.unique(key, return_inverse=True)
    total = np.bincount(inverse, weights=amount, minlength=len(distinct))
    positive: Floats = np.maximum(total, 0.0, dtype=np.float64)
    n_slots = max(len(slot_key), 1)
    row, place = np.divmod(distinct.astype(np.int64), np.int64(n_slots))
    return row, place, positive, background.astype(np.float64), links
