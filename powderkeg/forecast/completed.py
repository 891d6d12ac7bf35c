"""The past as a forecast needs it: with hours, and with what nobody reported.

In: `Watched`, a model's arrays. Out: the engine's `Past`, drawn anew for each set of numbers.

A past of day stamps taken as midnight makes what is still to come too little (3.5 % at one day where half-lives are
days), so acts get an hour: the last days' by what the model thinks of their order, earlier ones evenly. Where facts
run out or come up unseen, whole histories are drawn by the particle filter, given all acts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.draws import COPY, child, root_key
from powderkeg.engine.forecast.hours import draw_hours
from powderkeg.engine.replay.intensity import ledger
from powderkeg.engine.replay.particle_filter import enough_copies, hidden, impute
from powderkeg.engine.worlds import Past, world
from powderkeg.errors import ModelError
from powderkeg.forecast.seen import Watched

LAST_DAYS = 3
"""Days before the origin in which the order of acts is drawn given the model."""
REACH = 20.0
"""Days over which acts are looked at for the order of the last ones."""
SWEEPS = 12
SPENT = 1e-9
"""What is left of an act's answers below which it is left out of a past whose acts change no facts."""


class Completed(NamedTuple):
    """A past; which row of the table each of its acts is, -1 for what nobody reported; facts that are hidden or not."""

    past: Past
    row: Ints


def is_hidden(system: System, n_acts: int) -> bool:
    """Whether facts change unseen: run out after no fixed time, come up by themselves, or are changed by chance."""
    chance = (system.effect_probability > 0) & (system.effect_probability < 1)
    return bool((~system.timer_is_fixed).any() or (system.rate[n_acts:] > 0).any() or chance.any())


def imputed(system: System, n_acts: int, seen: Watched, seed: int, number: int) -> Completed:
    """A whole history, with hours and hidden facts, by the particle filter.

    Raises ModelError for a model whose hidden facts answer acts.
    """
    try:
        b = ledger(world(system, follow=False), seen.begin)
        what = hidden(b, n_acts, seen.by_day)
    except ValueError as error:
        raise ModelError(str(error)) from error
    copies = enough_copies(b, what, seen.by_day)
    key = np.uint64(child(root_key(seed), COPY, number))
    drawn = impute(b, what, seen.time + seen.shift, seen.channel, seen.by_day, seen.shift, seen.begin, key, copies)
    timer = drawn.process - system.n_channels
    channel = drawn.process
    if len(system.timer_channel):
        channel = np.where(timer >= 0, system.timer_channel[np.maximum(timer, 0)], drawn.process)
    row = np.where(drawn.event >= 0, seen.row[np.maximum(drawn.event, 0)], -1)
    inside = drawn.time < seen.begin
    return Completed(Past(seen.begin, drawn.time[inside], channel[inside].astype(np.int64), True), row[inside])


def with_hours(seen: Watched, rng: np.random.Generator) -> Floats:
    """(N,) times of the acts since `seen.start`; where only the day is known any hour is as likely as the next."""
    if not seen.by_day:
        return seen.time.copy()
    return np.minimum(seen.time + rng.random(len(seen.time)), np.nextafter(seen.days, 0.0))


def order_last(
    seen: Watched, time: Floats, system: System, rate: Floats, gates: Floats, rng: np.random.Generator
) -> Floats:
    """The same times with those of the last days drawn given the model.

    rate   (C,) background, acts a day, its gates taken in
    gates  (R,) products of the gate rows as they stand at the end
    """
    if not seen.by_day or not system.n_edges:
        return time
    near = np.flatnonzero(time >= seen.days - REACH - LAST_DAYS)
    near = near[np.argsort(time[near], kind="stable")]
    moved = seen.time[near] >= np.floor(seen.days - 1e-9) - LAST_DAYS + 1
    near = np.concatenate([near[~moved], near[moved]])
    first = int((~moved).sum())
    if first == len(near):
        return time
    mass = system.edge_mass * gates[system.edge_gate] * gates[system.channel_gate[system.edge_target]]
    at = np.ascontiguousarray(time[near])
    draw_hours(
        at, np.ascontiguousarray(seen.channel[near]), first, float(seen.days), rate[seen.channel[near]],
        system.edge_start, system.edge_target, system.edge_mechanism, mass, system.kernel_start, system.kernel_share,
        system.kernel_decay, REACH, rng.random((SWEEPS, len(near) - first, 2)), np.zeros(len(near)),
    )  # fmt: skip
    result = time.copy()
    result[near] = at
    return result


def past_at(seen: Watched, time: Floats, channel: Ints, system: System) -> Completed:
    """The acts at these times as the engine's past; where facts stand still, without those that are spent.

    Those seen come first; the others are not in the table.
    """
    rows = np.concatenate([seen.row, np.full(len(time) - len(seen.row), -1)])
    keep = np.ones(len(time), bool)
    if not (len(system.effect_fact) or len(system.calm_decay)):
        slowest = float(system.kernel_decay.min()) if len(system.kernel_decay) else np.inf
        keep = seen.days - time <= -np.log(SPENT) / slowest
    order = np.flatnonzero(keep)[np.argsort(time[keep], kind="stable")]
    return Completed(Past(seen.begin, time[order] + seen.shift, channel[order], False), rows[order])
