"""Matching: which channels a mechanism links, found by joining tables and never by looking at all pairs.

In: patterns as `Atom`s over tables of actor pairs (the channels of an act, the ties of a kind). Out: `Matches`, one row
per way in which the patterns hold together. The work follows the rows of the tables and the matches: 20,000 actors with
100,000 channels are no more than 100,000 rows.

A letter stands for any actor, and different letters for different actors; a name (an actor, a class) restricts a place
to the actors it names, each place on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Ints

MOST_MATCHES = 5_000_000
"""More matches than this for one pattern are refused: the arrays would not fit an ordinary machine."""


class TooManyMatches(Exception):
    """A pattern has more matches than MOST_MATCHES; `count` says how many."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@dataclass(frozen=True)
class Pairs:
    """A table of ordered actor pairs, each with the index of what it stands for (a channel, a tie)."""

    first: Ints
    second: Ints
    index: Ints

    def where(self, keep: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.first[keep], self.second[keep], self.index[keep])


@dataclass(frozen=True)
class PatternEnd:
    """One end of a pattern: a letter, or the actors a name stands for."""

    letter: str | None
    actors: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Atom:
    """A pattern "first verb second" over a table of pairs; `keeps` names the column its index is kept in."""

    first: PatternEnd
    second: PatternEnd
    table: Pairs
    keeps: str


@dataclass(frozen=True)
class Matches:
    """Rows of a join: the actor each letter stands for and the index each atom matched, all of one length."""

    letters: dict[str, Ints]
    kept: dict[str, Ints]
    n_rows: int

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Matches:
        letters = {name: column[rows] for name, column in self.letters.items()}
        kept = {name: column[rows] for name, column in self.kept.items()}
        n_rows = int(rows.sum()) if rows.dtype == np.bool_ else len(rows)
        return Matches(letters, kept, n_rows)


def match_all(atoms: Sequence[Atom], n_actors: int) -> Matches:
    """Every way in which all atoms hold together. Raises TooManyMatches.

    The first atom starts the table; then always the atom with most letters known, so that the table grows late.
    """
    matches = Matches({}, {}, 1)
    waiting = list(atoms)
    while waiting:
        if matches.kept:
            waiting.sort(key=lambda atom: (-_n_known(atom, matches), len(atom.table.first)))
        matches = _join(matches, waiting.pop(0), n_actors)
    return matches


def fits(matches: Matches, atom: Atom, n_actors: int) -> tuple[Ints, Ints]:
    """Every (match, index) where a row of the atom's table fits the match; a letter not in the match fits anyone."""
    rows, found, table = _find(matches, atom, n_actors)
    return rows, table.index[found]


def _n_known(atom: Atom, matches: Matches) -> int:
    return sum(place.letter in matches.letters for place in (atom.first, atom.second))


def _join(matches: Matches, atom: Atom, n_actors: int) -> Matches:
    """The matches that also fit one more atom."""
    rows, found, table = _find(matches, atom, n_actors)
    joined = matches.take(rows)
    joined.kept[atom.keeps] = table.index[found]
    fresh = {
        place.letter: column[found]
        for place, column in ((atom.first, table.first), (atom.second, table.second))
        if place.letter is not None and place.letter not in matches.letters
    }
    if not fresh:
        return joined
    keep = np.ones(joined.n_rows, dtype=np.bool_)
    for letter, actors in fresh.items():
        for other in joined.letters.values():
            keep &= actors != other
        joined.letters[letter] = actors
    return joined if keep.all() else joined.take(keep)


def _find(matches: Matches, atom: Atom, n_actors: int) -> tuple[Ints, Ints, Pairs]:
    """(match, row of the table) wherever the known letters agree, and the table cut down to the atom's names."""
    table = atom.table
    for place, column in ((atom.first, "first"), (atom.second, "second")):
        if place.actors is not None:
            table = table.where(place.actors[getattr(table, column)])
    table_key = np.zeros(len(table.first), dtype=np.int64)
    match_key = np.zeros(matches.n_rows, dtype=np.int64)
    for place, column in ((atom.first, "first"), (atom.second, "second")):
        if place.letter is not None and place.letter in matches.letters:
            table_key = table_key * n_actors + getattr(table, column)
            match_key = match_key * n_actors + matches.letters[place.letter]
    order = np.argsort(table_key, kind="stable")
    rows, hits = _hits(table_key[order], match_key)
    return rows, order[hits], table


def _hits(sorted_keys: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """For every wanted key each place it stands at: (position in wanted, position in sorted_keys)."""
    low = np.searchsorted(sorted_keys, wanted, side="left")
    count = np.searchsorted(sorted_keys, wanted, side="right") - low
    total = int(count.sum())
    if total > MOST_MATCHES:
        raise TooManyMatches(total)
    rows = np.repeat(np.arange(len(wanted)), count)
    within = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
    return rows, np.repeat(low, count) + within
