"""Are two coded sentences one event?

In: coded rows in order of time, all at once or in portions. Out: one row an event, the surest of its mentions, which
are counted. Two rows are one
event if the same two actors did an act of the same class on days that may be the same, and their sentences are told in
nearly the same words or their codes are the same.
"""

from __future__ import annotations

import re
from array import array

import numpy as np
import polars as pl

MENTIONS = "another mention of the same event"
ALIKE = 0.5
"""Least share of the rarer words that two sentences have in common. A guess; range 0.3 to 0.7."""
MOST_OPEN = 200
"""Most events of one dyad and class that a row is held against: the last ones."""
_WORD = re.compile(r"[a-z]{4,}")


class Stories:
    """Which rows tell one event, found row by row in order of time; only what may still be told again is remembered.

    counts      for each row, how many rows told the event that it told first; 0 where an earlier row told it
    stands_for  for each such row, the surest that told the same
    """

    def __init__(self) -> None:
        self.counts, self.stands_for = array("L"), array("Q")  # a few bytes a row, where tables of Python take hundreds
        self._sure: dict[int, float] = {}
        self._open: dict[tuple[str, str | None, str], list[tuple[int, float, float, str, frozenset[str]]]] = {}
        self._rows = 0

    def add(self, frame: pl.DataFrame) -> None:
        """The next rows; none of them earlier than any before."""
        if frame.height:
            self._forget(float(frame["time"][0]))
        columns = frame.select("source", "target", "code", "tone", "time", "span", "sentence", "probability")
        for source, target, code, tone, time, span, sentence, probability in columns.iter_rows():
            row, self._rows = self._rows, self._rows + 1
            words = frozenset(_WORD.findall(sentence.lower()))
            known = self._open.setdefault((source, target, tone), [])
            same = next(
                (
                    at for at, since, long, other, theirs in reversed(known)
                    if since < time + span and time < since + long and (other == code or _alike(words, theirs))
                ),
                None,
            )  # fmt: skip
            self.counts.append(same is None)
            self.stands_for.append(row)
            if same is None:
                known.append((row, time, span, code, words))
                self._sure[row] = probability
                del known[:-MOST_OPEN]
            else:
                self.counts[same] += 1
                if probability > self._sure[same]:
                    self.stands_for[same], self._sure[same] = row, probability

    def _forget(self, now: float) -> None:
        """Let go of what no row from now on can tell again."""
        left = {key: [one for one in known if one[1] + one[2] > now] for key, known in self._open.items()}
        self._open = {key: known for key, known in left.items() if known}
        still = {one[0] for known in self._open.values() for one in known}
        self._sure = {row: sure for row, sure in self._sure.items() if row in still}

    def chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows to keep, in order, and for each the number of rows that told the same."""
        counts = np.array(self.counts, dtype=np.uint32)
        first = np.flatnonzero(counts)
        rows = np.array(self.stands_for, dtype=np.uint64)[first].astype(np.int64)
        order = np.argsort(rows)
        return rows[order], counts[first][order]


def one_story(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each event, `mentions` saying how many told it; the rows come in order of time."""
    stories = Stories()
    stories.add(frame)
    rows, counts = stories.chosen()
    return frame[rows].with_columns(mentions=pl.Series(counts, dtype=pl.UInt32))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and len(one & other) / min(len(one), len(other)) >= ALIKE
