"""The days before the origin: what came, and what earlier acts explain of it.

In: acts, a model's arrays. Out: tables by day and channel, a block of channels at a time: where there are many
channels, all of them on all days would not fit into memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.forecast.links import Slots, expected_answers, links_of

CELLS = 8_000_000
"""Days times channels of a table that is made at once."""
EDGES = ("edge_target", "edge_mechanism", "edge_mass", "edge_gate")


@dataclass(frozen=True)
class DaysBefore:
    """Acts and answers of D days.

    time, channel  (N,) acts with their hours, in order: what sets off answers
    day, of        (M,) day and channel of the acts that are counted
    gates          (1 or D, R) products of the gate rows
    shown          (1 or D, C) share of the acts of each day that had been entered
    """

    system: System
    slots: Slots
    time: Floats
    channel: Ints
    day: Ints
    of: Ints
    n_days: int
    gates: Floats
    shown: Floats

    @cached_property
    def total(self) -> Floats:
        """(D,) acts of each day."""
        return np.bincount(self.day, minlength=self.n_days).astype(np.float64)

    @cached_property
    def latest(self) -> Floats:
        """(C,) acts a day of each channel in the last 60 days."""
        last = min(60, self.n_days)
        acts = np.bincount(self.of[self.day >= self.n_days - last], minlength=self.system.n_channels)
        return np.asarray(acts / last)

    def counts(self, block: Ints) -> Floats:
        """(D, block) acts that came."""
        place = self._place(block)[self.of]
        kept = place >= 0
        cell = self.day[kept] * len(block) + place[kept]
        found = np.bincount(cell, minlength=self.n_days * len(block)).astype(np.float64)
        return found.reshape(self.n_days, len(block))

    def answers(self, block: Ints) -> Floats:
        """(D, block) acts that are expected as answers to earlier ones, seen or not."""
        system, slots = self.system, self.slots
        if len(block) < system.n_channels:
            system = answering_in(system, block)
            slots = links_of(system)
        return expected_answers(system, slots, self.time, self.channel, self.n_days, self.gates)[0]

    def expected(self, block: Ints) -> Floats:
        """(D, block) the share of these answers that had been entered."""
        return np.asarray(self.answers(block) * self._shown(block))

    def open(self, block: Ints) -> Floats:
        """(1 or D, block) factor of the background's gates, and of what had been entered."""
        return np.asarray(self.gated(block) * self._shown(block))

    def gated(self, block: Ints) -> Floats:
        """(1 or D, block) factor of the background's gates."""
        gates, system = self.gates, self.system
        return np.asarray(gates[:, system.background_gate[block]] * gates[:, system.channel_gate[block]])

    @cached_property
    def came(self) -> Ints:
        """The channels whose acts and answers are looked at day by day: all of them where they fit, else those of which
        any act came. Answers of the others explain nothing."""
        everything = np.arange(self.system.n_channels)
        return everything if self.n_days * len(everything) <= CELLS else np.unique(self.of)

    def blocks(self, group: Ints) -> list[Ints]:
        """The channels in blocks, all of a group in one; one block where what is looked at fits, else without those of
        no group."""
        C, days = self.system.n_channels, max(self.n_days, 1)
        looked_at = np.zeros(C, np.int64)
        looked_at[self.came if len(self.gates) == 1 else slice(None)] = days
        if looked_at.sum() <= CELLS:
            return [np.arange(C)]
        order = np.argsort(group, kind="stable")
        order = order[group[order] >= 0]
        first = np.searchsorted(group[order], group[order])
        cells = np.concatenate([[0], np.cumsum(looked_at[order])])[first] // CELLS
        return [np.sort(block) for block in np.split(order, np.flatnonzero(np.diff(cells)) + 1)]

    def scaled(self, answers: float) -> DaysBefore:
        """The same with so much of the answers."""
        return replace(self, system=self.system._replace(edge_mass=self.system.edge_mass * answers))

    def among(self, kept: Ints) -> DaysBefore:
        """The same with these channels alone, and their answers to each other; `kept` rises and holds all that came."""
        within = answering_in(self.system, kept)
        start = np.diff(within.edge_start)[kept]
        edges = np.repeat(_flags(self.system.n_channels, kept), np.diff(within.edge_start))
        system = within._replace(
            edge_start=np.concatenate([[0], np.cumsum(start)]).astype(np.int64),
            **{name: getattr(within, name)[edges] for name in EDGES},
        )
        place = self._place(kept)
        return replace(
            self, system=system, slots=links_of(system), channel=place[self.channel], of=place[self.of],
            shown=self.shown[:, kept],
        )  # fmt: skip

    def _place(self, block: Ints) -> Ints:
        place = np.full(self.system.n_channels, -1, np.int64)
        place[block] = np.arange(len(block))
        return place

    def _shown(self, block: Ints) -> Floats:
        return self.shown if len(block) == self.shown.shape[1] else self.shown[:, block]


def answering_in(system: System, block: Ints) -> System:
    """The arrays by which all channels set off acts of a block of them, which are numbered anew as targets.

    Edges keep their order, so what is summed over them comes out the same, bit for bit.
    """
    place = np.full(system.n_channels, -1, np.int64)
    place[block] = np.arange(len(block))
    kept = place[system.edge_target] >= 0
    before = np.concatenate([[0], np.cumsum(kept)])
    return system._replace(
        rate=system.rate[block], background_gate=system.background_gate[block],
        channel_gate=system.channel_gate[block], edge_start=before[system.edge_start].astype(np.int64),
        edge_target=place[system.edge_target[kept]],
        **{name: getattr(system, name)[kept] for name in EDGES[1:]},
    )  # fmt: skip


def _flags(n: int, at: Ints) -> NDArray[np.bool_]:
    found = np.zeros(n, np.bool_)
    found[at] = True
    return found
