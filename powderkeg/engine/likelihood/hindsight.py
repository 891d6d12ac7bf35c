"""What acts that were seen tell, afterwards, of acts before them that were not.

In: how many unseen acts of each channel the past let expect, piece by piece of time; the acts seen after them; who
answers whom, and how fast. Out: by how much more or fewer they then are, as causes of what comes later still.

An unseen act would have been answered. Each act that was seen is the answer of one with the chance that the intensity
gives to it, and so much is added where it is seen; while none comes, what was to be expected is taken away. Both are
put where the knowledge came, not where the act was: an act must not be set off by one that it called up itself. So each
mechanism needs its own number: what part of an older act's answers is still to come rests on its half-life.
To first order in what is unseen this is the filter of the unseen given the seen.

Source: the probability hypothesis density of point processes, Mahler (2003), IEEE Trans. AES 39(4), 1152-1178, with the
acts seen in place of his measurements; that answers fade, so that a few sums carry the whole past, is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import loop
from powderkeg.engine.likelihood.day_steps import next_day, same_day


class LinksBack(NamedTuple):
    """Who answers whom. CSR by the channel that answers.

    start, source, mechanism, mass  (C + 1,) and a line a link: mean answers of an act of `source`
    out                             (C, M) mean answers of an act to each mechanism, by all channels
    """

    start: Ints
    source: Ints
    mechanism: Ints
    mass: Floats
    out: Floats


class KernelParts(NamedTuple):
    """How answers fade: CSR of components by mechanism, their shares and decays, 1/day."""

    start: Ints
    share: Floats
    decay: Floats


class ActsSeen(NamedTuple):
    """Acts of each piece of time, at its start or, by day, on it; CSR (K + 1,).

    weight   1 / intensity at the act; by day the derivative of the log likelihood of its day by the row's intensity
    """

    start: Ints
    channel: Ints
    weight: Floats


@loop
def _fill(
    by_day: bool, edge: Floats, shown: Floats, births: Floats, foretold: Floats, acts: ActsSeen, links: LinksBack,
    kernels: KernelParts, left: Floats, found: Floats,
) -> None:  # fmt: skip
    """Fill `found` (K, C, M); `left` (C, components, components) carries unseen acts faded by two decays."""
    n_channels, n_mechanisms = links.out.shape
    first, share, decay = kernels.start, kernels.share, kernels.decay
    n_parts = len(decay)
    for q in range(len(edge) - 1):
        width = edge[q + 1] - edge[q]
        for i in range(acts.start[q], acts.start[q + 1]):
            c = acts.channel[i]
            for e in range(links.start[c], links.start[c + 1]):
                k, m = links.source[e], links.mechanism[e]
                times = acts.weight[i] * shown[q] * links.mass[e]
                for a in range(first[m], first[m + 1]):
                    come = share[a] * (next_day(decay[a]) if by_day else decay[a])
                    now = share[a] * same_day(decay[a]) * foretold[q, k] if by_day else 0.0
                    for n in range(n_mechanisms):
                        for b in range(first[n], first[n + 1]):
                            found[q, k, n] += times * share[b] * (come * left[k, a, b] + now)
        for k in range(n_channels):
            for m in range(n_mechanisms):
                times = shown[q] * links.out[k, m]
                if times == 0.0:
                    continue
                for a in range(first[m], first[m + 1]):
                    for n in range(n_mechanisms):
                        for b in range(first[n], first[n + 1]):
                            if by_day:
                                gone = next_day(decay[a]) * left[k, a, b] + same_day(decay[a]) * foretold[q, k]
                            else:
                                both = decay[a] + decay[b]
                                fade = -np.expm1(-both * width) / both
                                new = births[q, k] * (1.0 - fade / width) / both
                                gone = decay[a] * (fade * left[k, a, b] + new)
                            found[q, k, n] -= times * share[a] * share[b] * gone
            for a in range(n_parts):
                for b in range(n_parts):
                    both = decay[a] + decay[b]
                    if by_day:
                        left[k, a, b] = np.exp(-decay[b]) * (np.exp(-decay[a]) * left[k, a, b] + births[q, k])
                    else:
                        new = births[q, k] * -np.expm1(-both * width) / (both * width)
                        left[k, a, b] = np.exp(-both * width) * left[k, a, b] + new


def hindsight(
    by_day: bool, edge: Floats, shown: Floats, births: Floats, foretold: Floats, acts: ActsSeen, links: LinksBack,
    kernels: KernelParts,
) -> Floats:  # fmt: skip
    """(K, C, M) unseen acts of each channel, more or fewer, as causes by each mechanism of what comes after each piece.

    edge      (K + 1,) bounds of the pieces of time, days
    shown     (K,) share of what happens in a piece that is seen
    births    (K, C) unseen acts that the past let expect;  foretold (K, C) by day, those that the morning did
    """
    n = len(kernels.decay)
    found = np.zeros((len(edge) - 1, *links.out.shape))
    left = np.zeros((births.shape[1], n, n))
    _fill(by_day, edge, shown, births, foretold, acts, links, kernels, left, found)
    return found
