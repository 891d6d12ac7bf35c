"""What speaks for an actor as the next one: the way, and the earlier event that weighs most.

In: a question. Out: a frame of candidates, best first.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Ints
from powderkeg.engine.ranking.arrays import ANYBODY, DYAD, N_WAYS, NAMESAKES, NEIGHBOURS, TWO_STEPS, Weighing
from powderkeg.engine.ranking.scores import scores_for
from powderkeg.engine.ranking.ways import FAST, SLOW
from powderkeg.ranking.shelving import Book

WAYS = (
    "what the two did before",
    "what others of its household did by this act",
    "who is met by this act at all",
    "who has that place in other households",
    "partners of its partners",
    "whom its household meets",
)


def because(book: Book, weights: Weighing, asker: int, asked: int, day: int, most: int) -> pl.DataFrame:
    """The likeliest others for one question, each with what speaks for it."""
    n = len(book.actors)
    score, touched = np.zeros(n), np.zeros(n, np.int64)
    total, own = np.zeros(N_WAYS), np.zeros(N_WAYS)

    def run(mine: int) -> int:
        score[:] = 0.0
        return int(scores_for(asker, asked, mine, day, book.past, book.shelves, *weights, score, touched, total, own))

    found = touched[: run(-1)].copy()
    whole = score[found].sum()
    best = found[np.lexsort((found, -score[found]))][:most]
    scores = score[best]
    rows = []
    for place, (who, value) in enumerate(zip(best.tolist(), scores.tolist(), strict=True), 1):
        run(who)
        tone = book.past.tone[asked]
        parts = own.copy()
        parts[1:] *= weights[3][: N_WAYS - 1, tone] + total[0] * weights[3][N_WAYS - 1 :, tone]
        way = int(np.argmax(parts))
        row = _event(book, weights, asker, asked, who, day, way)
        rows.append((place, book.actors[who], value / whole, WAYS[way], parts[way] / parts.sum(), *_told(book, row)))
    schema = {
        "rank": pl.Int64, "actor": pl.String, "chance": pl.Float64, "because": pl.String, "share": pl.Float64,
        "event_day": pl.Date, "event_source": pl.String, "event_act": pl.String, "event_target": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _event(book: Book, weights: Weighing, asker: int, asked: int, who: int, day: int, way: int) -> int:
    """The row that weighs most in a way, -1: none by itself (a place that others have)."""
    past = book.past
    rows = _rows(book, asker, asked, who, way)
    rows = rows[past.day[rows] < day]
    if not len(rows):
        return -1
    age = day - past.day[rows] - 1.0
    if way != DYAD:
        return int(rows[np.argmin(age)])
    tone = past.tone[past.act[rows]]
    fade = weights[2][tone, past.tone[asked]]
    kept = fade[:, 0] / (1.0 + age) + fade[:, 1] * 0.5 ** (age / FAST) + fade[:, 2] / (SLOW + age)
    weight = weights[1][past.act[rows], asked] * kept
    return int(rows[np.argmax(weight)])


def _rows(book: Book, asker: int, asked: int, who: int, way: int) -> Ints:
    """Rows by which a way reaches an actor."""
    past, shelves = book.past, book.shelves
    met = past.target == who
    if way == DYAD:
        met &= past.source == asker
    elif way == NEIGHBOURS:
        met &= (past.household[past.source] == past.household[asker]) & (past.act == asked)
    elif way == NAMESAKES:
        key = past.role[asker] * len(past.tone) + asked
        rows = shelves.by_role[shelves.role_start[key] : shelves.role_start[key + 1]]
        places: Ints = rows[past.role[past.target[rows]] == past.role[who]]
        return places
    elif way == ANYBODY:
        met &= past.act == asked
    elif way == TWO_STEPS:
        partners = np.unique(past.target[past.source == asker])
        met &= np.isin(past.source, partners)
    else:
        met &= past.household[past.source] == past.household[asker]
    return np.flatnonzero(met)


def _told(book: Book, row: int) -> tuple[date | None, str | None, str | None, str | None]:
    """An event as it happened: day, source, act, target."""
    if row < 0:
        return None, None, None, None
    past = book.past
    one, other = book.actors[past.source[row]], book.actors[past.target[row]]
    act = book.acts[past.act[row] % len(book.acts)]
    return (
        (book.date(past.day[row]), one, act, other) if book.done[row] else (book.date(past.day[row]), other, act, one)
    )
