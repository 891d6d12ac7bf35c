"""What moves while histories are simulated: where in the state each thing stands, the phase at hand, the window.

In: a `TableLayout`, the blocks of `Tables`. Out: places in them, and the two steps that all of the loop shares: what a
gate row comes to in the present state, and a candidate put into the queue.
"""

# mypy: disable-error-code="assignment,no-any-return"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.engine.compiled import inlined, inner
from powderkeg.engine.simulation.queue import Queue, bucket_of, push
from powderkeg.engine.simulation.tables import TableLayout


class Places(NamedTuple):
    """Where in `state` and `state_f` each thing begins; levels of facts and calms stand first.

    epoch         in state: of facts and policies;  changing  changes at hand (fact, level)
    stream_count  in state: background candidates by stream;  stream_next  in state_f: when the next of each is due
    stands_since  in state_f: day since when each fact has its level
    strip         in state, by strip: block of time, number of its candidate in the queue within the block
    strip_next    in state_f: when that one is due; ASLEEP if there is none
    reaches       in state_f: share of its ceiling that each group comes to in the present state, and a hair more
    """

    epoch: int
    changing: int
    stream_count: int
    stream_next: int
    stands_since: int
    strip: int
    strip_next: int
    reaches: int


class InPhase(NamedTuple):
    """Where in `floats` the numbers of the phase at hand begin, and when the next one does."""

    factor: int
    mass: int
    rate: int
    kernel: int
    chance: int
    calm_decay: int
    calm_amount: int
    calm_strength: int
    timer_mean: int
    step: int
    season: int
    most: int
    upcoming: float


class Clock(NamedTuple):
    """The window: recorded from `begin` to `horizon`, walked through from `start`, cut into buckets."""

    start: float
    begin: float
    horizon: float
    per_day: float
    n_buckets: int
    is_complete: bool


@inlined
def places(at: TableLayout) -> Places:
    epoch = at.n_facts
    changing = epoch + at.n_facts + at.n_policies
    stream_count = changing + 2 * at.n_changes
    stream_next = 2 * at.n_calms
    stands_since = stream_next + at.n_streams
    strip_next = stands_since + at.n_facts
    return Places(
        epoch, changing, stream_count, stream_next, stands_since, stream_count + at.n_streams, strip_next,
        strip_next + at.n_strips,
    )  # fmt: skip


@inlined
def in_phase(at: TableLayout, floats: Floats, phase: int) -> InPhase:
    return InPhase(
        at.factor + phase * at.n_factor, at.mass + phase * at.n_mass, at.rate + phase * at.n_channels,
        at.kernel + phase * at.n_kernel, at.effect_probability + phase * at.n_effect,
        at.calm_decay + phase * at.n_calms, at.calm_amount + phase * at.n_calm_amount,
        at.calm_strength + phase * at.n_calm_strength, at.timer_mean + phase * at.n_timers,
        at.step + phase * at.n_step, at.season + phase * at.n_season, at.most + phase * at.n_groups,
        floats[at.phase_time + phase + 1] if phase + 1 < at.n_phases else np.inf,
    )  # fmt: skip


@inner
def product(row, row_start, gate, factor, ints, floats, level):  # type: ignore[no-untyped-def]
    product = 1.0
    for i in range(ints[row_start + row], ints[row_start + row + 1]):
        product *= floats[factor + ints[gate + 2 * i + 1] + level[ints[gate + 2 * i]]]
    return product


@inlined
def wait(
    queue: Queue, clock: Clock, when: float, key: Any, entry: int, parent: int, channel: int, mechanism: int, epoch: int
) -> None:
    """Put a candidate into the queue."""
    push(
        queue.counts, queue.slot_time, queue.slot_key, queue.slot, queue.heap_time, queue.heap_slot, queue.head,
        bucket_of(when, clock.start, clock.per_day, clock.n_buckets),
        when, key, entry, np.int64(parent), channel, mechanism, epoch,
    )  # fmt: skip
