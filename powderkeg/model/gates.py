"""Gates: what each state of the facts does to a channel, an edge or a background.

In: facts with their numbers of levels, and conditions on them. Out: the gate table of `engine.arrays.System`, every
distinct row once, and the value of its rows in a given state.

A row is a product of factors, one per entry: a guard is 1 where the act is allowed and 0 elsewhere, a gate its factor
where the condition holds and 1 elsewhere, a tie a guard on a two-level fact. Row 0 is empty: its product is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System

Entry = tuple[int, int]
"""(fact, offset of its first cell in `level_factor`)."""

Literal = tuple[int, bool]
"""(two-level fact, must it be on): one condition of a tie pattern."""


class GateTable:
    """Collects entries and rows; equal ones are stored once."""

    def __init__(self, n_levels: Sequence[int]) -> None:
        self.n_levels = tuple(n_levels)
        self.level_factor: list[float] = []
        self.parameter: list[int] = []
        """Per cell of `level_factor`: the parameter its value comes from, or -1."""
        self.power: dict[int, float] = {}
        """By cell: the power to which the parameter stands there, where that is not 1."""
        self._guards: dict[tuple[int, tuple[int, ...]], Entry] = {}
        self._rows: dict[tuple[Entry, ...], int] = {(): 0}

    def guard(self, fact: int, levels: Iterable[int]) -> Entry:
        """Entry that is 1 at these levels of the fact and 0 at the others."""
        allowed = tuple(sorted(set(levels)))
        if (fact, allowed) not in self._guards:
            factors = [1.0 if level in allowed else 0.0 for level in range(self.n_levels[fact])]
            self._guards[fact, allowed] = self._add(fact, factors, [-1] * len(factors))
        return self._guards[fact, allowed]

    def gate(self, fact: int, levels: Iterable[int], factor: float, parameter: int) -> Entry:
        """Entry that is `factor` at these levels and 1 at the others; a new one at every call."""
        at = set(levels)
        cells = range(self.n_levels[fact])
        return self._add(
            fact, [factor if cell in at else 1.0 for cell in cells], [parameter if cell in at else -1 for cell in cells]
        )

    def powers(self, fact: int, values: Sequence[float], factor: float, parameter: int) -> Entry:
        """Entry that is `factor` to the power of a value at each level; a new one at every call."""
        entry = self._add(
            fact, [factor**value for value in values], [parameter if value != 0 else -1 for value in values]
        )
        self.power.update({entry[1] + k: value for k, value in enumerate(values) if value not in (0.0, 1.0)})
        return entry

    def literal(self, literal: Literal) -> Entry:
        """Entry of a tie that must hold, or must be absent."""
        fact, is_on = literal
        return self.guard(fact, (1,) if is_on else (0,))

    def row(self, entries: Iterable[Entry]) -> int:
        """Index of the row with these entries; asking twice for the same entry changes nothing."""
        return self._rows.setdefault(tuple(sorted(set(entries))), len(self._rows))

    def arrays(self) -> dict[str, Any]:
        """The fields `row_start`, `entry_fact`, `entry_offset`, `level_factor` of a System."""
        rows = list(self._rows)  # insertion order is index order
        entries = [entry for row in rows for entry in row]
        return {
            "row_start": np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
            "entry_fact": np.array([fact for fact, _ in entries], dtype=np.int64),
            "entry_offset": np.array([offset for _, offset in entries], dtype=np.int64),
            "level_factor": np.array(self.level_factor, dtype=np.float64),
        }

    def _add(self, fact: int, factors: list[float], parameters: list[int]) -> Entry:
        offset = len(self.level_factor)
        self.level_factor += factors
        self.parameter += parameters
        return fact, offset


def row_values(system: System, levels: Ints) -> Floats:
    """Product of every gate row in one state (S,) or in many (N, S): (R,) or (N, R)."""
    factors = system.level_factor[system.entry_offset + levels[..., system.entry_fact]]
    values = np.ones((*levels.shape[:-1], len(system.row_start) - 1))
    filled = np.flatnonzero(np.diff(system.row_start))
    if len(filled):
        values[..., filled] = np.multiply.reduceat(factors, system.row_start[filled], axis=-1)
    return values


def disjoint(terms: Iterable[frozenset[Literal]]) -> list[frozenset[Literal]]:
    """The same "or" of "and"s, rewritten so that no two terms hold at once.

    An edge may be open for several reasons (any of three patrons backs y). A row is a product and cannot say "or", but
    disjoint terms can each be an edge of their own: exactly one of them is open whenever one of the reasons holds.
    """
    done: list[frozenset[Literal]] = []
    for term in sorted(set(terms), key=lambda term: (len(term), sorted(term))):
        pieces = [term]
        for earlier in done:
            pieces = [rest for piece in pieces for rest in _without(piece, earlier)]
        done += pieces
    return done


def _without(term: frozenset[Literal], other: frozenset[Literal]) -> list[frozenset[Literal]]:
    """Disjoint terms that together hold where `term` holds and `other` does not."""
    if any((fact, not is_on) in term for fact, is_on in other):
        return [term]
    pieces = []
    for fact, is_on in sorted(other - term):
        pieces.append(term | {(fact, not is_on)})
        term = term | {(fact, is_on)}
    return pieces
