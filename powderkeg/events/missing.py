"""Which texts stand for nothing?

In: texts of one column, and what kind of column it is. Out: the same, null where they are a mark for "missing".

Programs write such marks in their own way: R `NA`, databases `NULL` and `\\N`, pandas `nan` and `<NA>`, Python `None`,
spreadsheets `#N/A`, SAS and Stata `.`, hands `-` or `?`. Most are safe in any column. Three are not:

- In a column of names `Na`, `Nan`, `Null` and `None` may be names: there only the spellings that programs write count
  (`NA`, `na`, `NAN`, `NaN`, `nan`, `NULL`, `null`), and `None` only where the format says so (POLECAT).
- `NA` is Namibia in a column whose other values are all two capital letters. It is taken for the country unless it also
  stands in columns that hold no names (numbers, ids, codes, dates), or is the most frequent value of its own.
"""

from __future__ import annotations

from functools import cache

import polars as pl

NAMES = (
    "source", "target", "source_name", "target_name", "source_country", "target_country", "source_sectors",
    "target_sectors",
)  # fmt: skip
"""Fields that hold names; every other field holds a code, an id, a number or a date."""

MARKS = ("na", "n/a", "n.a.", "nan", "null", "<na>", "#n/a", "#n/a n/a", "#na", "\\n", "#null!", "#value!", "#ref!",
         "#name?", "#num!", "#div/0!", "none", "nil", "nat", "(null)", "missing", "not available")  # fmt: skip
"""In small letters: missing in any column that holds no names."""
NAME_MARKS = ("NA", "na", "N/A", "n/a", "N.A.", "n.a.", "NAN", "NaN", "nan", "NULL", "null", "(null)", "(NULL)", "<NA>",
              "<na>", "#N/A", "#n/a", "#N/A N/A", "#NA", "\\N", "#NULL!", "#VALUE!", "#REF!", "#NAME?")  # fmt: skip
STROKES = ("", "-", "--", "---", "----", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", ".", "..", "...",
           "?", "??", "???", "*", "_", "/", "\\")  # fmt: skip
CAPITALS = r"^[A-Z]{2}$"


def is_missing(text: pl.Expr, is_name: bool, also: tuple[str, ...] = (), country: bool = False) -> pl.Expr:
    """Whether stripped texts (String) stand for nothing.

    also     marks that the format itself says
    country  the column holds two-letter codes of countries, NA among them
    """
    if is_name:
        return text.is_in([mark for mark in (*NAME_MARKS, *STROKES, *also) if not (country and mark == "NA")])
    return text.str.to_lowercase().is_in([*MARKS, *STROKES]) | text.is_in(list(also))


def without_marks(frame: pl.DataFrame, also: tuple[str, ...], countries: frozenset[str]) -> pl.DataFrame:
    """Missing marks of Categorical columns of names and codes, and of texts, as nulls."""
    marked = {
        name: pl.col(name).is_in(_categories(name in NAMES, also, name in countries))
        for name, kind in frame.schema.items()
        if kind == pl.Categorical
    }
    met = frame.select(one.any().alias(name) for name, one in marked.items()).row(0, named=True) if marked else {}
    changed = [pl.when(~marked[name]).then(name).alias(name) for name in marked if met[name]]
    for name, kind in frame.schema.items():
        if kind == pl.String:
            text = pl.col(name).str.strip_chars()
            changed.append(pl.when(~is_missing(text, False, also)).then(text).alias(name))
    return frame.with_columns(changed)


@cache
def _categories(is_name: bool, also: tuple[str, ...], country: bool) -> pl.Series:
    """The marks as one list of categories: a column of millions is compared by number, not by letter."""
    if is_name:
        marks = {*NAME_MARKS, *STROKES, *also} - ({"NA"} if country else set())
    else:
        marks = {way for mark in MARKS for way in (mark, mark.upper(), mark.title(), mark.capitalize())}
        marks |= {*NAME_MARKS, *STROKES, *also}
    return pl.Series(sorted(marks)).cast(pl.Categorical).implode()


def countries_of(seen: dict[str, pl.Series]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Fields in which NA is Namibia, and what to say about them.

    seen  values of each field, blanks and all, repeats and all
    """
    holds = {name for name, values in seen.items() if (values.str.strip_chars() == "NA").any()}
    others = holds - set(NAMES)
    found: list[str] = []
    said: list[str] = []
    for name in (one for one in NAMES if one in holds):
        values = seen[name].str.strip_chars()
        filled = values.filter(~pl.select(is_missing(pl.lit(values), True)).to_series().fill_null(True))
        if not len(filled) or not filled.str.contains(CAPITALS).all():
            continue
        if others:
            said.append(f"'NA' in {name} is read as missing, as it is in {', '.join(sorted(others))}; not as Namibia")
        elif int((values == "NA").sum()) > int(filled.value_counts()["count"].max()):  # type: ignore[arg-type]
            said.append(f"'NA' is the most frequent value of {name}: read as missing, not as Namibia")
        else:
            found.append(name)
            said.append(f"'NA' in {name} is read as Namibia: its other values are two-letter codes")
    return frozenset(found), tuple(said)
