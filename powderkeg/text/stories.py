"""Are two coded sentences one event?

In: coded rows in order of time. Out: one row an event, the surest of its mentions, which are counted. Two rows are one
event if the same two actors did an act of the same class on days that may be the same, and their sentences are told in
nearly the same words or their codes are the same.
"""

from __future__ import annotations

import re

import polars as pl

MENTIONS = "another mention of the same event"
ALIKE = 0.5
"""Least share of the rarer words that two sentences have in common. A guess; range 0.3 to 0.7."""
_WORD = re.compile(r"[a-z]{4,}")


def one_story(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each event, `mentions` saying how many told it."""
    groups: dict[tuple[str, str | None, str], list[tuple[int, float, float, str, frozenset[str]]]] = {}
    keep: list[int] = []
    counts: dict[int, int] = {}
    stands_for: dict[int, int] = {}
    columns = frame.select("source", "target", "code", "tone", "time", "span", "sentence", "probability")
    probabilities = columns["probability"].to_list()
    for row, (source, target, code, tone, time, span, sentence, _) in enumerate(columns.iter_rows()):
        words = frozenset(_WORD.findall(sentence.lower()))
        known = groups.setdefault((source, target, tone), [])
        same = next(
            (
                at for at, since, long, other, theirs in reversed(known)
                if since < time + span and time < since + long and (other == code or _alike(words, theirs))
            ),
            None,
        )  # fmt: skip
        if same is None:
            known.append((row, time, span, code, words))
            keep.append(row)
            counts[row] = 1
            stands_for[row] = row
            if len(known) > 200:  # rows come in order of time: older ones can no longer overlap
                del known[:100]
        else:
            counts[same] += 1
            if probabilities[row] > probabilities[stands_for[same]]:
                stands_for[same] = row
    chosen = frame[[stands_for[row] for row in keep]]
    found = chosen.with_columns(mentions=pl.Series([counts[row] for row in keep], dtype=pl.UInt32))
    return found.sort("time", maintain_order=True)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and len(one & other) / min(len(one), len(other)) >= ALIKE
