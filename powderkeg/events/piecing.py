"""What of a row must be put together before it can be read?

In: the texts of a batch by field, and the layout. Out: the same with a day made of its parts, a code found by its
title, and event ids that say what they are unique in; a mark for a missing id is no id.
"""

from __future__ import annotations

from functools import cache

import polars as pl

from powderkeg.events.codes import TITLED, entries, plain_title, titles
from powderkeg.events.layout import Layout
from powderkeg.events.missing import is_missing
from powderkeg.events.months import MONTHS

NO_ID = ("", "NA", "N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "none", "\\N", "-", "--", "---", ".", "?")
PARTS = ("year", "month", "day")
NOT_KNOWN = ("-1", "-7", "-8", "-9", "-77", "-88", "-99", "-999", "88", "97", "98", "99", "999")
"""What codebooks (MID, GTD, ICB, SCAD) write for a month or day that is not known; none can be one."""
UCDP_TYPES = {"statebas": "1", "nonstate": "2", "onesided": "3"}
"""By the first letters of UCDP's own words for them: state-based conflict, non-state violence, one-sided violence."""
IN_WORDS = ("acled", "gtd")
"""Books whose codes are words, which releases write with other capitals."""


def pieced(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The rows with `time`, `code` and `event_id` as one text each."""
    made: list[pl.Expr | pl.Series] = []
    if "time" not in layout.columns:
        made.append(_day([part for part in PARTS if part in layout.columns]).alias("time"))
    if "label" in layout.columns:
        made.append(_code(frame["label"], layout.book).alias("code"))
    for key in ("code", "coarse") if layout.book in IN_WORDS else ():
        if key in layout.columns:
            made.append(_spelt(frame[key], layout.book or "").alias(key))
    if layout.book == "ucdp" and "code" in layout.columns:
        made.append(_typed(frame["code"]).alias("code"))
    if "event_id" in layout.columns and not _are_numbers(frame["event_id"], layout):
        made.append(_id(layout).alias("event_id"))
    if not made:
        return frame
    return frame.with_columns(made).drop(*PARTS, "label", "id_within", strict=False)


def _day(parts: list[str]) -> pl.Expr:
    """A day as 2018-06-01, whatever the width of its parts; without a day of the month, 2018-06. A month may be a word;
    a month or day that its source does not know (0, -9, 99, empty) is 00, and leaves the days open."""
    made = []
    for part in parts:
        text = pl.col(part).str.strip_chars().str.strip_suffix(".0")
        if part == "month":
            word = text.str.to_lowercase().str.strip_suffix(".")
            text = word.replace_strict(list(MONTHS), [str(n) for n in MONTHS.values()], default=text,
                                       return_dtype=pl.String)  # fmt: skip
        if part != "year":
            known = ~is_missing(text, False) & ~text.is_in(list(NOT_KNOWN))
            text = pl.when(known).then(text.str.zfill(2)).otherwise(pl.lit("00"))
        made.append(text)
    return pl.concat_str(made, separator="-")


def _code(texts: pl.Series, book: str | None) -> pl.Series:
    """The code of each title; a title that the book does not hold stays, and counts as an unknown code."""
    kinds = texts.drop_nulls().unique().to_list()
    known = titles(book or TITLED)
    codes = {title: known.get(plain_title(title), title.strip()) for title in kinds}
    return texts.replace_strict(list(codes), list(codes.values()), default=None, return_dtype=pl.String)


def _spelt(codes: pl.Series, book: str) -> pl.Series:
    """Codes as their book writes them, whatever their capitals and spaces."""
    known = _written(book)
    met = {code: known.get(plain_title(code), code) for code in codes.drop_nulls().unique().to_list()}
    changed = {code: own for code, own in met.items() if own != code}
    return codes.replace(changed) if changed else codes


def _typed(codes: pl.Series) -> pl.Series:
    """UCDP's types of violence as numbers, where labels took their place ("One-sided violence")."""
    met = {code: UCDP_TYPES.get(plain_title(code)[:8], code) for code in codes.drop_nulls().unique().to_list()}
    changed = {code: own for code, own in met.items() if own != code}
    return codes.replace(changed) if changed else codes


@cache
def _written(book: str) -> dict[str, str]:
    return {plain_title(code): code for code in entries(book)}


def _are_numbers(ids: pl.Series, layout: Layout) -> bool:
    """Whether all ids are plain numbers, as they mostly are: nothing is to be put together then, which saves time."""
    plain = not layout.quoted and "id_within" not in layout.columns
    return plain and ids.cast(pl.Int64, strict=False).null_count() == ids.null_count()


def _id(layout: Layout) -> pl.Expr:
    own = pl.col("event_id").str.strip_chars()
    is_one = ~own.is_in([*NO_ID, *layout.format.missing])
    if "id_within" in layout.columns:
        own = pl.concat_str([pl.col("id_within").fill_null(""), own], separator=":")
    return pl.when(is_one).then(own)
