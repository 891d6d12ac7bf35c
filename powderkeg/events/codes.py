"""What does a code mean: class, weight, and the CAMEO code nearest to it?

In: the name of a codebook. Out: its table, as data. A codebook is a CSV file in `powderkeg/codebooks`; every entry
names its source, and `sources.csv` says what each source is. Titles are our own words.
A code that a book does not hold is unknown: it is kept in the table, counted and listed, and has no class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import polars as pl

from powderkeg.errors import Fault, UsageError, nearest_name

CODEBOOKS = ("cameo", "weis", "plover", "acled", "ucdp", "gtd", "scad")
GUESSED = CODEBOOKS[:5]
"""Books that codes alone are taken for: those of the others, mere numbers and words, come with their format only."""
TITLED = "cameo"
"""The book whose codes some data name by their titles."""
MOST_CODE = 1e6
_FORMULA = re.compile(r'="?\s*(.*?)\s*"?')
_FLOAT = re.compile(r"\d+[.,]0*|\d+(?:[.,]\d+)?[eE][+-]?\d+")
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
            Fault.at("codebook", f"unknown codebook {name!r}", f"one of {', '.join(CODEBOOKS)}",
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


def act_titles(frame: pl.DataFrame) -> dict[str, str]:
    """Acts of an event table that are codes of a book -> what they are called there.

    A code that stands in several books is of the one whose nearest CAMEO code is the one in the table.
    """
    if "cameo" not in frame.columns:
        return {}
    titles = {}
    for act, cameo in frame.select(pl.col("act", "cameo").cast(pl.String)).unique().iter_rows():
        found = [book[act] for book in map(entries, CODEBOOKS) if act in book and book[act].cameo == cameo]
        if found:
            titles[act] = found[0].title
    return titles


@cache
def crosswalk() -> pl.DataFrame:
    """CAMEO to PLOVER: columns cameo, plover (type, null where PLOVER has no such act), mode, source."""
    return _table("cameo_plover.csv")


@cache
def labels(book: str) -> dict[str, str]:
    """The labels by which some data name a code of a book instead of writing it: label -> code."""
    return dict(_table("cameo_labels.csv").select("label", "code").iter_rows()) if book == TITLED else {}


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


def are_titles(codes: Sequence[str]) -> bool:
    """Whether most of these are titles of CAMEO's codes ("Make statement"), of more than a word, which nobody's own
    names for acts are by chance."""
    known = titles()
    found = sum(" " in code.strip() and plain_title(code) in known for code in codes)
    return 2 * found > len(codes)


@cache
def titles(book: str = TITLED) -> dict[str, str]:
    """The code of each label of a book, by its letters and digits alone (see `plain_title`)."""
    return {plain_title(label): code for label, code in labels(book).items()}


def plain_title(title: str) -> str:
    """A title as it is compared: letters and digits, small."""
    return "".join(letter for letter in title.casefold() if letter.isalnum())


def likeliest_book(codes: Iterable[str]) -> str | None:
    """The codebook that knows most of these codes; None if none knows more than half, or two know equally many.

    CAMEO and WEIS share many three-digit codes, so a tie is common in short samples and is not settled by a guess.
    """
    seen = list(codes)
    if not seen:
        return None
    known = {name: sum(code in entries(name) for code in seen) for name in GUESSED}
    ranked = sorted(known, key=lambda name: -known[name])
    best, second = ranked[0], ranked[1]
    if 2 * known[best] <= len(seen) or known[best] == known[second]:
        return None
    return best


@lru_cache(100_000)
def without_dress(text: str) -> str:
    """The code without what a spreadsheet or a table of numbers put around it: '0841, ="0841", 190.0, 1.9E+02."""
    bare = text.strip()
    dressed = _FORMULA.fullmatch(bare)
    bare = dressed.group(1) if dressed else bare.removeprefix("'").strip()
    if _FLOAT.fullmatch(bare):
        number = float(bare.replace(",", "."))
        return str(int(number)) if number.is_integer() and number < MOST_CODE else bare
    return bare


def zeros_of(codes: Iterable[str], book: str | None) -> str:
    """Whether the codes of a column have lost their leading zeros: "lost", "kept", or "unsure".

    Only codes that the book knows with and without a zero depend on it: 10 may be the root DEMAND or what is left of
    010, a statement. They have lost it where other codes of the column have (841, 42) or where roots are written out
    (130, 190); they have not where a zero stands in the column, or roots are written by one digit or two.
    """
    if book is None:
        return "kept"
    known = entries(book)
    bare = {without_dress(code) for code in codes}
    digits = {code for code in bare if code.isdecimal() and code.isascii()}
    if any(code.startswith("0") for code in digits):
        return "kept"
    robbed = {code for code in digits if code not in known and "0" + code in known}
    roots = any(len(code) == 1 for code in robbed)
    full = any(len(code) > 1 for code in robbed) or any(
        len(code) == 3 and code.endswith("0") and code in known and code[:2] in known for code in digits
    )
    return "unsure" if roots == full else "lost" if full else "kept"


@dataclass(frozen=True)
class Mended:
    """Codes that do not mean what they look like.

    whole   code as it stands -> in full
    zeros   those of them that had lost a leading zero
    unsure  codes that may have lost one, and are left
    """

    whole: Mapping[str, str]
    zeros: frozenset[str]
    unsure: frozenset[str]


def mended(codes: Iterable[str], book: str | None, zeros: str) -> Mended:
    """Codes in full: without a spreadsheet's dress, and with the leading zeros that the book asks for.

    zeros  what `zeros_of` says of the whole column
    """
    known = entries(book) if book is not None else {}
    whole: dict[str, str] = {}
    robbed: set[str] = set()
    unsure: set[str] = set()
    for code in codes:
        bare = without_dress(code)
        if bare.isdecimal() and "0" + bare in known and (bare not in known or zeros == "lost"):
            robbed.add(code)
            bare = "0" + bare
        elif bare in known and "0" + bare in known and zeros == "unsure":
            unsure.add(code)
        if bare != code:
            whole[code] = bare
    return Mended(whole, frozenset(robbed), frozenset(unsure))


@cache
def _to_plover() -> dict[str, str]:
    rows = crosswalk().filter(pl.col("plover").is_not_null()).to_dicts()
    return {row["cameo"]: row["plover"] + (f":{row['mode']}" if row["mode"] else "") for row in rows}


def _table(file: str) -> pl.DataFrame:
    text = resources.files("powderkeg").joinpath("codebooks", file).read_bytes()
    return pl.read_csv(text, infer_schema=False)
