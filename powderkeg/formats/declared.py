"""What is declared of a kind of event file, so that everything else can be derived from it?

A `Format` is data: what its columns are called, how its dates, codes, numbers of events and missing texts are written,
within what its event ids are unique, whether its first side acts on its second. Names of the command line, kinds of
match rules, recognition, error texts and the table in docs/events.md come from here and from nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

FIELDS = (
    "time", "year", "month", "day", "source", "target", "code", "label", "act", "mode", "coarse", "event_id",
    "source_name", "target_name", "source_country", "target_country", "source_sectors", "target_sectors", "goldstein",
    "tone", "deaths", "until", "precision", "reported", "count",
)  # fmt: skip
"""What a column may be mapped to. `year`, `month` and `day` (of the month) together stand in for `time`; `label` is the
title of a code, and stands in for it; `mode` is appended to the code, `coarse` stands in where the code is empty;
`until` is the last day on which the event may have happened, `precision` says so by ACLED's number; `reported` is the
day it was added to the data; `count` is how many events the row stands for."""

ALWAYS_DIRECTED: frozenset[str] | None = None
EVERYWHERE, IN_ITS_FILE = "everywhere", "in its file"


@dataclass(frozen=True)
class Bare:
    """The columns of a file that comes without a header: known by their number, and by what stands in some of them.

    shapes  column -> pattern that the text of a row's field must match
    """

    title: str
    columns: tuple[str, ...]
    shapes: Mapping[str, str]
    separator: str = "\t"


@dataclass(frozen=True)
class Format:
    """A kind of event file.

    name        as it is typed, and as match rules name it
    title       as it is said
    about       what it is, for the table of formats
    known       how it is known, for the table of formats
    sides       which columns are source and target, for the table of formats
    codes       what its codes are, for the table of formats
    columns     field -> names under which its column goes, in any spelling (see `squashed`), best first
    telling     names that no other kind of table is likely to have
    others      names it shares with other tables: they count, but little
    bare        layouts without a header
    like        the format whose match rules are good for it too; None: its own
    aliases     other names that may be typed for it
    separator   between fields, where the file does not show another
    form        a key of TIME_FORMS, or None: found from the first rows
    reported    how the day of entry is written: "as time", "iso", "compact" or "unix"
    book        codebook of its codes, or None: found from the first rows
    usual_book  codebook where the codes are in several books, equally many; None: it is asked for
    missing     texts that stand for nothing, beside the empty one
    guard       column whose text, a date and time in digits, shows that no column of a row is out of place
    required    fields without which there is no event; "code" may be met by coarse, label or act
    ids         id column -> within what its ids are unique: EVERYWHERE, IN_ITS_FILE, or another field's column
    list_mark   separates several actors in one field, each of whom did it; None: a field is one actor
    directed    codes whose first side acts on its second, where the others do not say who acted; None: all do
    line        pattern of a line whose fields are no columns, with a group for each field of `columns`
    or_name     where a side has no code, its name stands in
    parts_first year, month and day tell the day better than the column of the date
    """

    name: str
    title: str
    about: str
    known: str
    sides: str
    codes: str
    columns: Mapping[str, tuple[str, ...]]
    telling: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    bare: tuple[Bare, ...] = ()
    like: str | None = None
    aliases: tuple[str, ...] = ()
    separator: str = ","
    form: str | None = None
    reported: str = "as time"
    book: str | None = None
    usual_book: str | None = None
    missing: tuple[str, ...] = ()
    guard: str | None = None
    required: tuple[str, ...] = ("time", "source", "code")
    ids: Mapping[str, str] = field(default_factory=dict)
    list_mark: str | None = None
    directed: frozenset[str] | None = ALWAYS_DIRECTED
    line: str | None = None
    or_name: bool = False
    parts_first: bool = False

    @property
    def kind(self) -> str:
        """The kind of data, by which match rules are given."""
        return self.like or self.name

    @property
    def is_own(self) -> bool:
        """A table of the user's own, which may mean anything by its names."""
        return not (self.telling or self.bare or self.line)

    @cached_property
    def strong(self) -> frozenset[str]:
        """The telling names, squashed."""
        return frozenset(map(squashed, self.telling))

    @cached_property
    def usual(self) -> frozenset[str]:
        """All names it is known to have, squashed."""
        named = (name for names in self.columns.values() for name in names)
        return frozenset(map(squashed, (*named, *self.telling, *self.others)))


_MARKS = re.compile(r"^(?:\ufeff|ï»¿|ï\.\.|x\.u\.feff\.)+", re.IGNORECASE)
_REPAIR = re.compile(r"\.\.\.\d+$")
WRITTEN = re.compile(r"\s*[(\[](?:[dmyhs/.\-: ]{4,}|utc|gmt)[)\]]\s*$", re.IGNORECASE)
"""How a date is written, behind its name: Date (dd/mm/yyyy)."""


def squashed(name: str) -> str:
    """A column name as it is compared: letters and digits alone, small. "Event Date", "Event.Date", "event_date" and
    "EventDate" are one name; what a byte order mark became on its way through R is left out, and how dates are written:
    "Date (dd/mm/yyyy)"."""
    # A header is compared with every name of every format; a "name" as long as a page is none of theirs.
    return _squashed(name) if len(name) < 1000 else name.casefold()


@lru_cache(maxsize=4096)
def _squashed(name: str) -> str:
    plain = WRITTEN.sub("", _REPAIR.sub("", _MARKS.sub("", name.strip().strip('"'))))
    return "".join(letter for letter in plain.casefold() if letter.isalnum())


def spelt(names: Sequence[str]) -> list[str]:
    """The names of a header squashed; the name of its table, which some databases write before each, is left out."""
    tables = {name.partition(".")[0] for name in names}
    if len(names) > 1 and len(tables) == 1 and all("." in name for name in names):
        names = [name.partition(".")[2] for name in names]
    return [squashed(name) for name in names]
