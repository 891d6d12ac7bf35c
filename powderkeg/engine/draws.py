"""Chance by address: which uniform number belongs to which draw of which event.

In: a seed, a replicate, the way from the root of a genealogy to an event, and what is drawn. Out: uniforms in (0, 1),
Poisson counts, keys of children. Nothing here keeps a state, so a draw does not depend on what was drawn before it:
two worlds that share an event share everything that event draws.

Source: counter-based generators (Salmon et al. 2011, SC11); the two 64-bit finalisers are Stafford's variant 13, as
in SplitMix64, for uniforms, and MurmurHash3's for keys, so that no uniform is a function of the keys below it.

Every constant is wrapped: Numba turns uint64 mixed with int64 into float64 without a word.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.compiled import anywhere
from powderkeg.engine.elementary import exponentials

# What is drawn: the registry of j. An effect's coin has a number of its own: EFFECT_COIN + position of the effect.
# All typed: Numba compiles a function once more for every literal number it is called with.
CHOICE = np.uint64(0)
MARK = np.uint64(1)
COUNT = np.uint64(2)
DELAY = np.uint64(3)
LEFT = np.uint64(4)  # whether a past event's offspring is still to come
REAL = np.uint64(5)  # whether a hit of splitting, proposed more often than it comes, is one
COMPONENT = np.uint64(6)
EFFECT_COIN = 16

# Which kind of descent: the registry of tags. Children of one key under different tags are different.
REPLICATE = np.uint64(1)
IMMIGRANT = np.uint64(2)
OFFSPRING = np.uint64(3)
LAYER = np.uint64(4)
HISTORY_TAG = np.uint64(5)
SCHEDULED_TAG = np.uint64(6)
TIMER_TAG = np.uint64(7)
PHASE_TAG = np.uint64(8)
SPLIT = np.uint64(9)
COPY = np.uint64(10)
STRIP = np.uint64(11)
MAGNITUDE = np.uint64(12)
FIRST = np.int64(0)

LARGEST_MEAN = 16.0
"""A Poisson mean above this is split into parts: exp(-mean) must not come near underflow, nor the search get long."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TAG_STEP = np.uint64(0xD1342543DE82EF95)
_INDEX_STEP = np.uint64(0xA0761D6478BD642F)
_DRAW_1 = np.uint64(0xBF58476D1CE4E5B9)
_DRAW_2 = np.uint64(0x94D049BB133111EB)
_KEY_1 = np.uint64(0xFF51AFD7ED558CCD)
_KEY_2 = np.uint64(0xC4CEB9FE1A85EC53)
_12, _27, _30, _31, _33 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(33)
_ONE = np.uint64(1)


@anywhere
def draw(key, j):  # type: ignore[no-untyped-def]
    """Uniform in (0, 1), never 0 and never 1: number `j` (uint64) of the event with this key."""
    x = key + (j + _ONE) * _GOLDEN
    x = (x ^ (x >> _30)) * _DRAW_1
    x = (x ^ (x >> _27)) * _DRAW_2
    x = x ^ (x >> _31)
    # 52 bits, not 53: with 53 the half that keeps 0 away could round up to exactly 1.
    return (np.float64(np.int64(x >> _12)) + 0.5) * 2.220446049250313e-16


@anywhere
def child(key, tag, index):  # type: ignore[no-untyped-def]
    """Key of descendant `index` (int64) under `tag`."""
    x = key + tag * _TAG_STEP + (np.uint64(index) + _ONE) * _INDEX_STEP
    x = (x ^ (x >> _33)) * _KEY_1
    x = (x ^ (x >> _33)) * _KEY_2
    return x ^ (x >> _33)


@anywhere
def _poisson_part(u, mean, none):  # type: ignore[no-untyped-def]
    n = 0
    term = none
    total = none
    while u > total:
        n += 1
        term *= mean / n
        total += term
        # Rounding may leave the sum a hair below a `u` next to 1; there the terms no longer count.
        if term < 1e-18 and n > mean:
            break
    return n


@anywhere
def poisson(key, mean, parts, none):  # type: ignore[no-untyped-def]
    """Poisson count of the event with this key.

    mean   mean of each part, at most LARGEST_MEAN
    parts  how many parts are summed
    none   exp(-mean)
    """
    n = _poisson_part(draw(key, COUNT), mean, none)
    for part in range(1, parts):
        n += _poisson_part(draw(child(key, SPLIT, part), COUNT), mean, none)
    return n


def root_key(seed: int) -> np.uint64:
    """Key that all replicates of a seed descend from. Any whole number is a seed; its low 128 bits count."""
    mask = (1 << 64) - 1
    low, high = seed & mask, (seed >> 64) & mask
    key = 0x706F776465726B67  # "powderkg"
    for word in (low, high):
        x = (key ^ word) + 0x9E3779B97F4A7C15 & mask
        x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCD & mask
        x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53 & mask
        key = x ^ (x >> 33)
    return np.uint64(key)


def parts_of(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For Poisson means of any size: mean of each part, number of parts, exp(-mean of a part)."""
    parts = np.maximum(np.ceil(means / LARGEST_MEAN), 1.0)
    each = means / parts
    none = np.empty(len(each))
    exponentials(-each, none)
    return each, parts, none
