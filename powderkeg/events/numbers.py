"""How are the numbers of a column written: 1,200.5 or 1.200,5?

In: the different texts of a column. Out: its convention, found from the whole column; and the numbers.

A column has one decimal mark. It is found from texts that can be read in one way only (-9,9; 1,200,000; 0.125); where
every text could be read in both ways (1.200) other columns of the file decide, or the kind of number: a count is whole,
and a weight of the Goldstein scale lies between -10 and 10. What is left is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

MARKS = {"point": ".", "comma": ","}
SPACES = "[ \u00a0\u2007\u2009\u202f'\u2019\u02bc_]"
COUNTS = ("deaths",)
WEIGHTS = ("goldstein",)
NUMBER_FIELDS = (*WEIGHTS, *COUNTS)


@dataclass(frozen=True)
class Writing:
    """What the texts of one column show.

    point, comma  a text that has a decimal point (comma) and cannot be read otherwise, or None
    either        texts that are one number with a decimal point and another with a decimal comma
    plain         whether there are numbers without any mark
    """

    point: str | None = None
    comma: str | None = None
    either: tuple[str, ...] = ()
    plain: bool = False


class MixedNumbers(Exception):
    """A column of which no convention can be told. `found` says why, `readings` what its texts may be."""

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(found)


def numbers_of(texts: pl.Expr, mark: str) -> pl.Expr:
    """Numbers (Float64); null where a text is no finite number.

    mark  "point" or "comma": the decimal mark. The other one, blanks and apostrophes part thousands.
    """
    tidy = _tidy(texts)
    other = "," if mark == "point" else "."
    bare = pl.when(tidy.str.contains(_grouped(MARKS[mark], other))).then(tidy.str.replace_all(other, "", literal=True))
    plain = bare.otherwise(tidy)
    if mark == "comma":
        # A point that parts no thousands is none of a number with decimal commas.
        plain = pl.when(~plain.str.contains(".", literal=True)).then(plain.str.replace(",", ".", literal=True))
    share = texts.str.contains(r"%\s*$")
    number = plain.cast(pl.Float64, strict=False)
    number = pl.when(share).then(number / 100).otherwise(number)
    return pl.when(number.is_finite()).then(number)


def writing_of(texts: pl.Series) -> Writing:
    """What the texts of a column show of its decimal mark."""
    frame = texts.drop_nulls().to_frame("text").select("text", tidy=_tidy(pl.col("text")))
    point, comma = _read_as(".", ","), _read_as(",", ".")
    frame = frame.with_columns(
        point=pl.col("tidy").str.contains(point), comma=pl.col("tidy").str.contains(comma),
        marked=pl.col("tidy").str.contains(r"[.,]"),
    )  # fmt: skip
    only_point = frame.filter(pl.col("point") & ~pl.col("comma"))["text"]
    only_comma = frame.filter(pl.col("comma") & ~pl.col("point"))["text"]
    both = frame.filter(pl.col("point") & pl.col("comma"))
    either = both.filter("marked")["text"].unique(maintain_order=True).head(1000)
    return Writing(
        only_point[0] if len(only_point) else None,
        only_comma[0] if len(only_comma) else None,
        tuple(either),
        bool((~both["marked"]).any()),
    )


def decimal_mark(field: str, column: str, seen: Writing, elsewhere: frozenset[str] = frozenset()) -> str:
    """The decimal mark of a column: "point" or "comma".

    elsewhere  marks that other columns of the file show without doubt
    Raises MixedNumbers, which names the column, a value and what it may be.
    """
    if seen.point is not None and seen.comma is not None:
        raise MixedNumbers(
            f"column {column!r} holds {seen.point!r} (with a decimal point) and {seen.comma!r} (with a decimal comma)"
        )
    for mark, example in (("point", seen.point), ("comma", seen.comma)):
        if example is not None:
            return mark
    if not seen.either:
        return "point"
    if len(elsewhere) == 1:
        return next(iter(elsewhere))
    values = pl.DataFrame({"text": list(seen.either)}).select(
        point=numbers_of(pl.col("text"), "point"), comma=numbers_of(pl.col("text"), "comma")
    )
    fitting = [mark for mark in MARKS if _fits(field, values[mark], seen)]
    if len(fitting) == 1:
        return fitting[0]
    shown = seen.either[0]
    readings = values.row(0)
    raise MixedNumbers(
        f"{shown!r} in column {column!r} may be {readings[0]:,g} (with a decimal point) or {readings[1]:,g} "
        "(with a decimal comma), and no other value decides"
    )


def _fits(field: str, values: pl.Series, seen: Writing) -> bool:
    """Whether numbers so read can be what the field holds."""
    if field in COUNTS:
        if not bool((values == values.floor()).all()):
            return False
        # Whole both ways (12.000): who writes small numbers without a mark writes twelve as 12.
        return bool((values >= 1000).all()) if seen.plain else True
    if field in WEIGHTS:
        return bool((values.abs() <= 10).all())
    return True


def _tidy(texts: pl.Expr) -> pl.Expr:
    """Without blanks around it and in it, with one kind of minus, brackets as minus."""
    text = texts.str.strip_chars().str.replace_all(r"^[\u2212\u2010-\u2015]", "-").str.strip_prefix("+")
    text = text.str.replace(r"\s*%$", "").str.replace(r"^\(\s*(.*?)\s*\)$", "-$1").str.replace(r"^([0-9].*)-$", "-$1")
    grouped = rf"^-?\s*[0-9]{{1,3}}(?:{SPACES}[0-9]{{3}})+(?:[.,][0-9]*)?$"
    text = pl.when(text.str.contains(grouped)).then(text.str.replace_all(SPACES, "")).otherwise(text)
    return text.str.replace(r"^-\s+", "-")


def _grouped(decimal: str, other: str) -> str:
    d, o = f"\\{decimal}", f"\\{other}"
    return rf"^-?[1-9][0-9]{{0,2}}(?:{o}[0-9]{{3}})+(?:{d}[0-9]*)?$"


def _read_as(decimal: str, other: str) -> str:
    d = f"\\{decimal}"
    return rf"{_grouped(decimal, other)}|^-?(?:[0-9]+{d}?[0-9]*|{d}[0-9]+)(?:[eE][+-]?[0-9]+)?$"
