"""Who was head of state or government when?

In: `powderkeg/codebooks/leaders.csv`: country (ISO 3166 code; NATO, EUU, UNO for organisations), name, other spellings,
short names as texts have them ("Putin"), office, first and last day, and a page where it can be looked up. Out: the
rows: those with a page for match rules that name a country's `leaders`, all of them for reading texts, where older
terms and ministers matter and a name is only ever a hint. The table is kept by hand and was last looked at for the end
of 2025; an office without a last day went on then.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Leader:
    """One term: `last` is None where it went on when the table was last looked at.

    short   what texts call the person beside the full names
    source  a page where the term can be looked up, or "" for rows that only serve to read texts
    """

    country: str
    names: tuple[str, ...]
    office: str
    first: date
    last: date | None
    source: str
    short: tuple[str, ...] = ()


@cache
def leaders() -> tuple[Leader, ...]:
    """All terms that can be looked up, in the order of the table."""
    return tuple(one for one in all_leaders() if one.source)


@cache
def all_leaders() -> tuple[Leader, ...]:
    """All terms, those too that only serve to read texts."""
    text = resources.files("powderkeg").joinpath("codebooks", "leaders.csv").read_text(encoding="utf-8")
    return tuple(
        Leader(
            row["country"],
            (row["name"], *(name for name in row["spellings"].split(";") if name)),
            row["office"],
            date.fromisoformat(row["from"]),
            date.fromisoformat(row["to"]) if row["to"] else None,
            row["source"],
            tuple(name for name in row["short"].split(";") if name),
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def countries() -> tuple[str, ...]:
    """Those that the table has."""
    return tuple(sorted({leader.country for leader in leaders()}))
