"""The compiled system: every number the loops need, as arrays.

In: nothing. Out: the `System` that `model` fills and that simulation, likelihood and attribution read.
Indices only: no names, no files. Time is in days since the start of the window.

The intensity of channel c at time t, with state z read just before t:

    lambda_c(t) = G[channel_gate[c]](z) * exp(-sum_d calm_d) *
                  ( rate[c] * profile(t) * G[background_gate[c]](z)
                    + sum over edges k into c, events e of the edge's source with t_e < t:
                          edge_mass[k] * G[edge_gate[k]](z) * phi_{edge_mechanism[k]}(t - t_e) )

    G[row](z) = product over the row's entries of level_factor[entry_offset + z[entry_fact]]

A guard is a factor of 0, a gate any factor >= 0, a tie a two-level fact (0 absent, 1 holds): one table serves them all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BACKGROUND = -1
"""`mechanism` of an event without a parent that came from the background."""
SCHEDULED = -2
"""`mechanism` of an event that was put in by hand (an intervention's act)."""
TIMER = -3
"""`mechanism` of an event fired by a timer: a fact ran out, or stood long enough for a policy to act."""
HISTORY = -4
"""`mechanism` of an event that was given as history."""

TWO_WAITS = 1.0 + 1e-6
"""Above this the share of a mechanism's first component says that its answers build up: no share of a mixture is."""


class System(NamedTuple):
    """A model as arrays. Shapes: C channels, E edges, M mechanisms, S facts, R gate rows, P profiles, D calms.

    CSR everywhere: the entries of item i are `x[start[i]:start[i + 1]]`.
    """

    # state: facts and ties together, each an integer level
    initial_level: Ints  # (S,)
    level_start: Ints  # (S + 1,) cumulative number of levels: (fact s, level l) is cell level_start[s] + l

    # background
    rate: Floats  # (C,) events/day with every factor at 1
    profile: Ints  # (C,) profile index, or -1 for constant
    background_gate: Ints  # (C,) gate row on the background part only
    channel_gate: Ints  # (C,) gate row on the whole channel

    # background profiles: value of the last step at or before t, times 1 + swing * cos(2 pi (t - peak) / 365.25)
    profile_start: Ints  # (P + 1,)
    step_time: Floats  # days; the first step of a profile is at -inf
    step_value: Floats  # >= 0
    profile_swing: Floats  # (P,) in [0, 1]
    profile_peak: Floats  # (P,) days

    # excitation: edges by source channel
    edge_start: Ints  # (C + 1,)
    edge_target: Ints  # (E,)
    edge_mechanism: Ints  # (E,)
    edge_mass: Floats  # (E,) mean direct offspring with every factor at 1
    edge_gate: Ints  # (E,) gate row, 0 = the empty row

    # kernels: phi_m(u) = sum_j share_j decay_j exp(-decay_j u); shares of a mechanism sum to 1. Answers that build up
    # come after two waits, one after the other: two components, first the slow one with a share b1 / (b1 - b2) above 1,
    # then the fast one with the rest, below 0. No other share is negative, and no sum of these is.
    kernel_start: Ints  # (M + 1,)
    kernel_share: Floats
    kernel_decay: Floats  # 1/day

    # gate rows; row 0 is empty, its product is 1
    row_start: Ints  # (R + 1,)
    entry_fact: Ints
    entry_offset: Ints  # into level_factor
    level_factor: Floats  # >= 0

    # what an event does to the state; effects are applied in order
    effect_start: Ints  # (C + 1,)
    effect_fact: Ints
    effect_level: Ints
    effect_probability: Floats

    # timers: when a fact comes to a level, fire a channel after a delay, if it has stood there without a break
    timer_start: Ints  # (total levels + 1,) by cell
    timer_delay: Floats  # days: the mean of an exponential, or the delay itself where timer_is_fixed
    timer_is_fixed: NDArray[np.bool_]
    timer_channel: Ints

    # calm: x_d decays at calm_decay[d], grows by calm_amount at an event, lowers channels by exp(-strength x_d)
    calm_decay: Floats  # (D,)
    calm_add_start: Ints  # (C + 1,)
    calm_add_index: Ints
    calm_add_amount: Floats
    calm_low_start: Ints  # (C + 1,)
    calm_low_index: Ints
    calm_low_strength: Floats

    # facts with a known path: at `turn_time`, in order, `turn_fact` comes to `turn_level`, whatever happens
    turn_time: Floats = np.zeros(0)
    turn_fact: Ints = np.zeros(0, np.int64)
    turn_level: Ints = np.zeros(0, np.int64)

    @property
    def n_channels(self) -> int:
        return len(self.rate)

    @property
    def n_edges(self) -> int:
        return len(self.edge_target)

    @property
    def n_mechanisms(self) -> int:
        return len(self.kernel_start) - 1

    @property
    def builds_up(self) -> NDArray[np.bool_]:
        """(M,) whether the answers of each mechanism come after two waits."""
        first, found = self.kernel_start[:-1], np.diff(self.kernel_start) == 2
        found[found] = self.kernel_share[first[found]] > TWO_WAITS
        return np.asarray(found)

    @property
    def n_facts(self) -> int:
        return len(self.initial_level)
