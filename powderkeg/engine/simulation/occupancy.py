"""In which state was the system between any two events?

In: the events of runs with their keys, and what channels do to facts. Out: a number for the joint state after every
event. Effects that happen by chance are tossed again from the event's own key, so they fall as they fell in the run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Ints, System
from powderkeg.engine.compiled import loop
from powderkeg.engine.draws import EFFECT_COIN, draw


def state_numbers(
    system: System, offsets: Ints, channel: NDArray[np.int32], key: NDArray[np.uint64], weight: Ints
) -> Ints:
    """(N + R,) state number at the start of each run and after each of its events.

    weight  (S,) what one level of each fact counts for in a state number, 0 for facts that are left out
    Only for runs of the system itself, without a world of phases.
    """
    number = np.empty(len(channel) + len(offsets) - 1, np.int64)
    _walk(
        np.asarray(offsets, np.int64), channel, key, weight, system.initial_level, system.effect_start,
        system.effect_fact, system.effect_level, system.effect_probability, system.initial_level.copy(), number,
    )  # fmt: skip
    return number


@loop
def _walk(  # type: ignore[no-untyped-def]
    offsets, channel, key, weight, initial, start, fact, level, probability, state, number
):
    to = 0
    for r in range(len(offsets) - 1):
        code = np.int64(0)
        for s in range(len(initial)):
            state[s] = initial[s]
            code += weight[s] * initial[s]
        number[to] = code
        to += 1
        for i in range(offsets[r], offsets[r + 1]):
            c = channel[i]
            for n in range(start[c], start[c + 1]):
                if probability[n] >= 1.0 or draw(key[i], np.uint64(EFFECT_COIN + n - start[c])) < probability[n]:
                    s = fact[n]
                    code += weight[s] * (level[n] - state[s])
                    state[s] = level[n]
            number[to] = code
            to += 1
