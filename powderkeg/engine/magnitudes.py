"""What is drawn of an event after the fact, such as how many die in it.

In: replicates, times and channels of events. Out: a uniform number of each, by address. Nothing that is drawn in a
simulation depends on these, so a history is the same with and without them; and two worlds that share an event (the
same act at the same instant of the same replicate) share its number.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import loop
from powderkeg.engine.draws import CHOICE, MAGNITUDE, child, draw


@loop
def fill_uniforms(root, replicate, instant, channel, out):  # type: ignore[no-untyped-def]
    """Uniforms in (0, 1) into `out`.

    root      key of the seed;  replicate (n,) int64
    instant   (n,) int64, the bits of the time: of acts put in by hand the same in every replicate
    channel   (n,) int64
    """
    for i in range(len(out)):
        key = child(child(child(root, MAGNITUDE, replicate[i]), MAGNITUDE, instant[i]), MAGNITUDE, channel[i])
        out[i] = draw(key, CHOICE)


def uniforms(root: np.uint64, replicate: Ints, time: Floats, channel: Ints) -> Floats:
    """(n,) uniforms in (0, 1) of events at these times, (n,) float64. Two acts of a channel at one instant share it."""
    out = np.empty(len(time))
    instant = np.ascontiguousarray(time, dtype=np.float64).view(np.int64)
    replicate, channel = (np.ascontiguousarray(x, dtype=np.int64) for x in (replicate, channel))
    fill_uniforms(root, replicate, instant, channel, out)
    return out
