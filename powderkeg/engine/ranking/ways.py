"""The six ways by which the past gives an actor a score, each a step that adds to the scores of all.

In: a question (who acted, by what, on which day) and the rows before that day. Out: scores, and how much of each way's
total is the actor's in question. Nothing is allocated.
"""

from __future__ import annotations

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner

FAST = 1.0
SLOW = 30.0
"""Days: the fading of memory is a mixture of 1 / (1 + days), a half-life of `FAST`, and 1 / (`SLOW` + days)."""


@inner
def before(order: Ints, low: int, high: int, when: Ints, day: int) -> int:
    """The first place in a shelf whose row is not before the day."""
    while low < high:
        middle = (low + high) // 2
        if when[order[middle]] < day:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def faded(fade: Floats, tone: int, asked: int, days: float) -> float:
    """Weight of a row so many days ago; `days` is 0 for the day before."""
    mixture = fade[tone, asked]
    weight: float = mixture[0] / (1.0 + days) + mixture[1] * 0.5 ** (days / FAST) + mixture[2] / (SLOW + days)
    return weight


@inner
def add(score: Floats, touched: Ints, n: int, who: int, value: float) -> int:
    """Adds to an actor's score and notes it the first time. Returns the number of those noted."""
    if value > 0.0:
        if score[who] == 0.0:
            touched[n] = who
            n += 1
        score[who] += value
    return n


@inner
def from_dyad(
    order: Ints,
    low: int,
    high: int,
    day: int,
    asked: int,
    act: Ints,
    target: Ints,
    when: Ints,
    tone: Ints,
    answer: Floats,
    fade: Floats,
    mine: int,
    score: Floats,
    touched: Ints,
    total: Floats,
    own: Floats,
) -> int:
    """What the source did before, to whom: by pairs of acts, how much the one is followed by the other."""
    n = 0
    for place in range(low, high):
        row = order[place]
        kind, who = act[row], target[row]
        value = answer[kind, asked] * faded(fade, tone[kind], tone[asked], day - when[row] - 1.0)
        total[0] += value
        if who == mine:
            own[0] += value
        n = add(score, touched, n, who, value)
    return n


@inner
def from_list(
    order: Ints, low: int, high: int, day: int, when: Ints, target: Ints, asker: int, slack: float, rarity: float,
    weight: float, way: int, mine: int, score: Floats, touched: Ints, n: int, total: Floats, own: Floats,
) -> int:  # fmt: skip
    """Those met on a shelf, each by its share of 1 / (slack + days); `rarity` holds back shelves of few rows.

    Rows that met the asker are left aside: nobody meets itself.
    """
    whole = 0.0
    for place in range(low, high):
        if target[order[place]] != asker:
            whole += 1.0 / (slack + day - when[order[place]])
    if whole > 0.0:
        whole += rarity
        for place in range(low, high):
            row = order[place]
            if target[row] == asker:
                continue
            share = 1.0 / (slack + day - when[row]) / whole
            total[way] += share
            if target[row] == mine:
                own[way] += share
            n = add(score, touched, n, target[row], weight * share)
    return n


@inner
def from_namesakes(
    order: Ints,
    low: int,
    high: int,
    source: Ints,
    target: Ints,
    household: Ints,
    seat: Ints,
    role: Ints,
    namesake: Ints,
    asker: int,
    rarity: float,
    weight: float,
    way: int,
    mine: int,
    score: Floats,
    touched: Ints,
    n: int,
    total: Floats,
    own: Floats,
) -> int:
    """Actors of like role elsewhere met somebody of their own household: who has that place in the asker's?"""
    home = household[asker]
    whole = high - low + rarity
    for place in range(low, high):
        row = order[place]
        theirs, met = household[source[row]], target[row]
        if theirs >= 0 and seat[met] == theirs:
            who = namesake[role[met], home]
            if who >= 0 and who != asker:
                share = 1.0 / whole
                total[way] += share
                if who == mine:
                    own[way] += share
                n = add(score, touched, n, who, weight * share)
    return n


@inner
def from_two_steps(
    order: Ints, start: Ints, low: int, high: int, theirs: int, day: int, when: Ints, target: Ints, asker: int,
    weight: float, way: int, mine: int, score: Floats, touched: Ints, n: int, total: Floats, own: Floats,
) -> int:  # fmt: skip
    """Partners of recent partners, each step by its share of 1 / (1 + days)."""
    whole = 0.0
    for place in range(low, high):
        whole += 1.0 / (1.0 + day - when[order[place]])
    for place in range(low, high):
        row = order[place]
        near = start[target[row]]
        far = before(order, near, start[target[row] + 1], when, day)
        near = max(near, far - theirs)
        other = 0.0
        for second in range(near, far):
            other += 1.0 / (1.0 + day - when[order[second]])
        for second in range(near, far):
            met = order[second]
            if target[met] != asker:
                share = 1.0 / (1.0 + day - when[row]) / whole / (1.0 + day - when[met]) / other
                total[way] += share
                if target[met] == mine:
                    own[way] += share
                n = add(score, touched, n, target[met], weight * share)
    return n
