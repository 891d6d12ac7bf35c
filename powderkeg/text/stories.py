"""Are two coded sentences one event?

In: coded rows in order of time, all at once or in portions. Out: one row an event, the surest of its mentions, which
are counted. Two rows are one
event if the same two actors did an act of the same class on days that may be the same, and their sentences are told in
nearly the same words or their codes are the same.
"""

from __future__ import annotations

import re

import polars as pl

MENTIONS = "another mention of the same event"
ALIKE = 0.5
"""Least share of the rarer words that two sentences have in common. A guess; range 0.3 to 0.7."""
MOST_OPEN = 200
"""Most events of one dyad and class that a row is held against: the last ones."""
_WORD = re.compile(r"[a-z]{4,}")


class Stories:
    """Which rows tell one event, found row by row in order of time; only what may still be told again is remembered.

    counts      row that first told an event -> how many rows told it
    stands_for  the same -> the surest of them
    """

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.stands_for: dict[int, int] = {}
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
            if same is None:
                known.append((row, time, span, code, words))
                self.counts[row], self.stands_for[row], self._sure[row] = 1, row, probability
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

    def chosen(self) -> list[tuple[int, int]]:
        """Rows to keep, in order, each with the number of rows that told the same."""
        return sorted((self.stands_for[row], count) for row, count in self.counts.items())


def one_story(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each event, `mentions` saying how many told it; the rows come in order of time."""
    stories = Stories()
    stories.add(frame)
    chosen = stories.chosen()
    mentions = pl.Series([count for _, count in chosen], dtype=pl.UInt32)
    return frame[[row for row, _ in chosen]].with_columns(mentions=mentions)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and len(one & other) / min(len(one), len(other)) >= ALIKE
