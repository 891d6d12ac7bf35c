"""Who was head of state or government when?

In: `powderkeg/codebooks/leaders.csv`: country (ISO 3166 code; NATO, EUU, UNO for organisations), name, other spellings,
office, first and last day, and a page for each row. Out: the rows, for match rules that name a country's `leaders`.
The table is kept by hand and was last looked at for the end of 2025; an office without a last day went on then.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Leader:
    """One term: `last` is None where it went on when the table was last looked at."""

    country: str
    names: tuple[str, ...]
    office: str
    first: date
    last: date | None
    source: str


@cache
def leaders() -> tuple[Leader, ...]:
    """All terms, in the order of the table."""
    text = resources.files("powderkeg").joinpath("codebooks", "leaders.csv").read_text(encoding="utf-8")
    return tuple(
        Leader(
            row["country"],
            (row["name"], *(name for name in row["spellings"].split(";") if name)),
            row["office"],
            date.fromisoformat(row["from"]),
            date.fromisoformat(row["to"]) if row["to"] else None,
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def countries() -> tuple[str, ...]:
    """Those that the table has."""
    return tuple(sorted({leader.country for leader in leaders()}))
