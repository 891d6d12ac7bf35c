"""Scores of all actors for many questions: to learn the weights from, to rank by, and to look into.

In: `PastEvents`, `Shelves` and weights. Out: what an update of the weights needs; or ranks. A score is linear in
all weights,

    score(o) = sum over the source's rows with o of answer[act, asked] * fade(days)
               + sum over the other ways of (weight[way] + memory * weight[way + 5]) * share of o,

with memory the sum of the first part over all actors: an actor that has much to remember is pulled less by habit of
others than one that has little, by as much as the record shows. The chance that o is next is its score over the sum of
all scores; its logarithm is raised in every step of the multiplicative update weight <- gained / spent (Jensen's
inequality for the score, the tangent for the sum), as for any mixture.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.ranking.arrays import (
    ANYBODY,
    HOUSEHOLD,
    N_WAYS,
    NAMESAKES,
    NEIGHBOURS,
    TWO_STEPS,
    Limits,
    PastEvents,
    Shelves,
)
from powderkeg.engine.ranking.ways import (
    FAST,
    SLOW,
    before,
    faded,
    from_dyad,
    from_list,
    from_namesakes,
    from_two_steps,
)

FEW = 3.0
SPARSE = 0.05
"""What holds back shelves of few rows: guesses; the weights make up for most of it."""
NEAR, WIDE = 5.0, 10.0
"""Days by which shelves that many share are slower than one actor's memory."""
TINY = 1e-12


@inner
def score_all(
    asker: int, asked: int, mine: int, day: int, past: PastEvents, shelves: Shelves, limits: Limits, answer: Floats,
    fade: Floats, weight: Floats, score: Floats, touched: Ints, total: Floats, own: Floats,
) -> int:  # fmt: skip
    """Scores for one question: whom will `asker` meet by the act `asked` on that day? Returns how many actors have one;
    `touched` names them. The asker has none.

    mine   the actor whose part of every way is wanted in `own`, -1: nobody's
    total  (ways,) sum over all actors of what a weight of 1 would give
    """
    tone, when, target = past.tone[asked], past.day, past.target
    total[:] = 0.0
    own[:] = 0.0
    order = shelves.by_source
    low = shelves.source_start[asker]
    high = before(order, low, shelves.source_start[asker + 1], when, day)
    n: int = from_dyad(
        order, max(low, high - limits.dyad), high, day, asked, past.act, target, when, past.tone, answer, fade, mine,
        score, touched, total, own,
    )  # fmt: skip
    memory = total[0]
    n = from_two_steps(
        order, shelves.source_start, max(low, high - limits.partners), high, limits.theirs, day, when, target, asker,
        weight[TWO_STEPS - 1, tone] + memory * weight[TWO_STEPS + 4, tone], TWO_STEPS, mine, score, touched, n, total,
        own,
    )  # fmt: skip
    low, order = shelves.act_start[asked], shelves.by_act
    high = before(order, low, shelves.act_start[asked + 1], when, day)
    n = from_list(
        order, max(low, high - limits.anybody), high, day, when, target, asker, WIDE, 0.0,
        weight[ANYBODY - 1, tone] + memory * weight[ANYBODY + 4, tone], ANYBODY, mine, score, touched, n, total, own,
    )  # fmt: skip
    home = past.household[asker]
    if home < 0:
        return n
    n_acts = len(past.tone)
    key, order = home * n_acts + asked, shelves.by_neighbours
    low = shelves.neighbours_start[key]
    high = before(order, low, shelves.neighbours_start[key + 1], when, day)
    n = from_list(
        order, max(low, high - limits.list), high, day, when, target, asker, NEAR, SPARSE,
        weight[NEIGHBOURS - 1, tone] + memory * weight[NEIGHBOURS + 4, tone], NEIGHBOURS, mine, score, touched, n,
        total, own,
    )  # fmt: skip
    low, order = shelves.household_start[home], shelves.by_household
    high = before(order, low, shelves.household_start[home + 1], when, day)
    n = from_list(
        order, max(low, high - limits.list), high, day, when, target, asker, NEAR, SPARSE,
        weight[HOUSEHOLD - 1, tone] + memory * weight[HOUSEHOLD + 4, tone], HOUSEHOLD, mine, score, touched, n, total,
        own,
    )  # fmt: skip
    key, order = past.role[asker] * n_acts + asked, shelves.by_role
    low = shelves.role_start[key]
    high = before(order, low, shelves.role_start[key + 1], when, day)
    last: int = from_namesakes(
        order, max(low, high - limits.list), high, past.source, target, past.household, past.seat, past.role,
        past.namesake, asker, FEW, weight[NAMESAKES - 1, tone] + memory * weight[NAMESAKES + 4, tone], NAMESAKES, mine,
        score, touched, n, total, own,
    )  # fmt: skip
    return last


@loop
def learn(
    questions: Ints, past: PastEvents, shelves: Shelves, limits: Limits, answer: Floats, fade: Floats, weight: Floats,
    score: Floats, touched: Ints, total: Floats, own: Floats, gained: tuple[Floats, Floats, Floats],
    spent: tuple[Floats, Floats, Floats],
) -> float:  # fmt: skip
    """Adds to `gained` and `spent` (of answer, fade, weight) what an update needs; returns the sum of log chances."""
    log_chance = 0.0
    for i in range(len(questions)):
        question = questions[i]
        asker, mine, day, asked = past.source[question], past.target[question], past.day[question], past.act[question]
        n = score_all(
            asker, asked, mine, day, past, shelves, limits, answer, fade, weight, score, touched, total, own
        )  # fmt: skip
        whole, chance = TINY, score[mine] + TINY
        for place in range(n):
            whole += score[touched[place]]
            score[touched[place]] = 0.0
        log_chance += np.log(chance / whole)
        tone = past.tone[asked]
        low = shelves.source_start[asker]
        high = before(shelves.by_source, low, shelves.source_start[asker + 1], past.day, day)
        for place in range(max(low, high - limits.dyad), high):
            row = shelves.by_source[place]
            kind, days = past.act[row], day - past.day[row] - 1.0
            was, is_mine = past.tone[kind], past.target[row] == mine
            value = faded(fade, was, tone, days)
            spent[0][kind, asked] += value / whole
            if is_mine:
                gained[0][kind, asked] += answer[kind, asked] * value / chance
            parts = (1.0 / (1.0 + days), 0.5 ** (days / FAST), 1.0 / (SLOW + days))
            for k in range(3):
                spent[1][was, tone, k] += answer[kind, asked] * parts[k] / whole
                if is_mine:
                    gained[1][was, tone, k] += answer[kind, asked] * fade[was, tone, k] * parts[k] / chance
        for way in range(1, N_WAYS):
            for k, size in ((way - 1, 1.0), (way + 4, total[0])):
                spent[2][k, tone] += size * total[way] / whole
                gained[2][k, tone] += size * weight[k, tone] * own[way] / chance
    return log_chance


@loop
def rank(
    questions: Ints, past: PastEvents, shelves: Shelves, limits: Limits, answer: Floats, fade: Floats, weight: Floats,
    score: Floats, touched: Ints, total: Floats, own: Floats, ranks: Floats, known: Ints,
) -> None:  # fmt: skip
    """The rank of each question's own target among all actors but the asker, ties in the middle; other targets of that
    source and act on that day are left out. `known`: 2 if the same was done to it before, 1 if anything was,
    0 if nothing."""
    for i in range(len(questions)):
        question = questions[i]
        asker, mine, day, asked = past.source[question], past.target[question], past.day[question], past.act[question]
        n = score_all(
            asker, asked, mine, day, past, shelves, limits, answer, fade, weight, score, touched, total, own
        )  # fmt: skip
        order = shelves.by_source
        low = shelves.source_start[asker]
        high = before(order, low, shelves.source_start[asker + 1], past.day, day)
        known[i] = 0
        for place in range(low, high):
            if past.target[order[place]] == mine:
                known[i] = max(known[i], 2 if past.act[order[place]] == asked else 1)
        mine_has = score[mine]
        left_out = 0
        for place in range(high, shelves.source_start[asker + 1]):
            row = order[place]
            if past.day[row] != day:
                break
            if past.act[row] == asked and past.target[row] != mine and score[past.target[row]] >= 0.0:
                if score[past.target[row]] == 0.0:
                    touched[n] = past.target[row]
                    n += 1
                score[past.target[row]] = -1.0
                left_out += 1
        above, level, positive = 0, 0, 0
        for place in range(n):
            value = score[touched[place]]
            positive += value > 0.0
            above += value > mine_has
            level += value == mine_has
            score[touched[place]] = 0.0
        # Those without any score are level with one that has none; the asker is nobody's next.
        level = level - 1 if mine_has > 0.0 else len(past.household) - positive - left_out - 2
        ranks[i] = 1.0 + above + 0.5 * level


@loop
def scores_for(
    asker: int, asked: int, mine: int, day: int, past: PastEvents, shelves: Shelves, limits: Limits, answer: Floats,
    fade: Floats, weight: Floats, score: Floats, touched: Ints, total: Floats, own: Floats,
) -> int:  # fmt: skip
    """`score_all` as Python calls it: (actors,) scores stay in `score`, which must come as zeros."""
    n: int = score_all(asker, asked, mine, day, past, shelves, limits, answer, fade, weight, score, touched, total, own)
    return n
