"""What does a code mean: class, weight, and the CAMEO code nearest to it?

In: the name of a codebook. Out: its table, as data. A codebook is a CSV file in `powderkeg/codebooks`; every entry
names its source, and `sources.csv` says what each source is. Titles are our own words.
A code that a book does not hold is unknown: it is kept in the table, counted and listed, and has no class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl

from powderkeg.errors import Fault, UsageError, nearest_name

CODEBOOKS = ("cameo", "weis", "plover", "acled", "ucdp")
TONES = ("verbal cooperation", "material cooperation", "verbal conflict", "material conflict")


@dataclass(frozen=True)
class Code:
    """One entry of a codebook.

    tone       one of TONES, or None where the book gives no class (a group changes its name)
    neutral    a statement or comment, neither side of the cooperation-conflict line
    goldstein  weight from -10 (worst) to +10, or None
    mirror     the code under which the same act shows with source and target swapped, or None
    cameo      the nearest CAMEO code (the code itself in the CAMEO book), or None
    source     keys of `sources()`, joined by +
    """

    code: str
    title: str
    tone: str | None
    neutral: bool
    goldstein: float | None
    mirror: str | None
    cameo: str | None
    source: str


@cache
def codebook(name: str) -> pl.DataFrame:
    """Table of a codebook: code, title, tone, neutral, goldstein, mirror, cameo, source."""
    if name not in CODEBOOKS:
        raise UsageError(
            Fault(None, None, "codebook", f"unknown codebook {name!r}", f"one of {', '.join(CODEBOOKS)}",
                  nearest_name(name, CODEBOOKS))
        )  # fmt: skip
    table = _table(f"{name}.csv")
    if name == "cameo":
        table = table.with_columns(cameo=pl.col("code"))
    return table.select(
        "code",
        "title",
        "tone",
        neutral=pl.col("neutral") == "yes",
        goldstein=pl.col("goldstein").cast(pl.Float64),
        mirror="mirror",
        cameo="cameo",
        source="source",
    )


@cache
def entries(name: str) -> dict[str, Code]:
    """The same as `codebook`, by code."""
    return {row["code"]: Code(**row) for row in codebook(name).to_dicts()}


@cache
def crosswalk() -> pl.DataFrame:
    """CAMEO to PLOVER: columns cameo, plover (type, null where PLOVER has no such act), mode, source."""
    return _table("cameo_plover.csv")


@cache
def labels(book: str) -> dict[str, str]:
    """The labels by which some data name a code of a book instead of writing it: label -> code."""
    return dict(_table("cameo_labels.csv").select("label", "code").iter_rows()) if book == "cameo" else {}


@cache
def sources() -> dict[str, tuple[str, str]]:
    """What each source key of the codebooks stands for, and where to find it."""
    return {row["key"]: (row["what"], row["where"]) for row in _table("sources.csv").to_dicts()}


def to_plover(cameo: str) -> str | None:
    """PLOVER type of a CAMEO code, with its mode after a colon where there is one; None without equivalent."""
    return _to_plover().get(cameo)


def to_cameo(code: str, book: str) -> str | None:
    """CAMEO code nearest to a code of another book; None if the book has no such code or CAMEO no such act."""
    entry = entries(book).get(code)
    return entry.cameo if entry else None


def title(code: str, book: str | None) -> str:
    """What a code says, or the code itself where no book knows it."""
    entry = entries(book).get(code) if book else None
    return entry.title if entry else code


def likeliest_book(codes: Iterable[str]) -> str | None:
    """The codebook that knows most of these codes; None if none knows more than half, or two know equally many.

    CAMEO and WEIS share many three-digit codes, so a tie is common in short samples and is not settled by a guess.
    """
    seen = list(codes)
    if not seen:
        return None
    known = {name: sum(code in entries(name) for code in seen) for name in CODEBOOKS}
    ranked = sorted(known, key=lambda name: -known[name])
    best, second = ranked[0], ranked[1]
    if 2 * known[best] <= len(seen) or known[best] == known[second]:
        return None
    return best


@cache
def _to_plover() -> dict[str, str]:
    rows = crosswalk().filter(pl.col("plover").is_not_null()).to_dicts()
    return {row["cameo"]: row["plover"] + (f":{row['mode']}" if row["mode"] else "") for row in rows}


def _table(file: str) -> pl.DataFrame:
    text = resources.files("powderkeg").joinpath("codebooks", file).read_bytes()
    return pl.read_csv(text, infer_schema=False)
