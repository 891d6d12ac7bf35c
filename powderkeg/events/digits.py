"""Digits of other scripts: ٢٠١٥ and ۲۰۱۵ are 2015.

In: texts of dates, codes and numbers. Out: the same with the digits that all the rest is read by. Names keep theirs.
"""

from __future__ import annotations

import polars as pl

ZEROS = "\u0660\u06f0\u0966\u09e6\uff10"
"""Arabic-Indic, Persian, Devanagari, Bengali, and the wide digits of Chinese and Japanese keyboards."""
MARKS = {"\u066b": ".", "\u066c": ","}
"""The decimal and the thousands mark of Arabic."""
PLAIN = {chr(ord(zero) + n): str(n) for zero in ZEROS for n in range(10)} | MARKS
_LEADS = tuple({letter.encode()[: len(letter.encode()) - 1] for letter in PLAIN})
_TABLE = str.maketrans(PLAIN)
FIELDS = ("time", "until", "reported", "code", "coarse", "precision", "goldstein", "deaths", "count", "event_id")


def may_have_digits(data: bytes) -> bool:
    """Whether bytes may hold digits of another script; letters of its script say yes too."""
    return not data.isascii() and any(lead in data for lead in _LEADS)


def plain_digits(text: str) -> str:
    """One text with digits of ours."""
    return text if text.isascii() else text.translate(_TABLE)


def with_plain_digits(frame: pl.DataFrame) -> pl.DataFrame:
    """The texts of fields that are no names with digits of ours."""
    names = [name for name in FIELDS if frame.schema.get(name) == pl.String]
    return frame.with_columns(pl.col(names).str.replace_many(list(PLAIN), list(PLAIN.values())))
