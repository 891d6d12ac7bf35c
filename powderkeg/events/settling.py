"""How are the values of this file written: its dates, numbers, codes, missing marks?

In: the layout of a member and its texts. Out: the layout with every such question settled, for the whole member: one
form, one decimal mark, one reading of codes in all its rows, whatever portion they are read in.

The first rows settle most files. Where they leave a question open, or where a later row could still decide against them
(1/2/2018; a column of midnights), the columns in question are read through before anything else is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from powderkeg.errors import argument, joined
from powderkeg.events.archives import Member
from powderkeg.events.blocks import Block, below_header, blocks, head
from powderkeg.events.codes import zeros_of
from powderkeg.events.cutting import Part, cut
from powderkeg.events.dating import ORDERS, Dates, UnknownDates, form_of
from powderkeg.events.files import FileFault
from powderkeg.events.layout import Layout, Wishes
from powderkeg.events.missing import NAMES, countries_of
from powderkeg.events.numbers import MARKS, NUMBER_FIELDS, MixedNumbers, Writing, decimal_mark, writing_of
from powderkeg.events.times import EPOCH, NUMBERS, SAME_AS, resolution_of
from powderkeg.formats.declared import WRITTEN

CLOCKED = re.compile("h+[^a-z]*m+")
"""Hours and minutes of how dates are written, whose m is no month: (hh:mm dd/mm/yyyy)."""
DATES = ("time", "until", "reported")
ALSO = {"icews": ("month-first",)}
"""Forms of dates in which a data set was published beside its usual one: ICEWS's own file of 2017."""
SAFE = ("day", "compact", "slashed", "words", "long", "us-long", "dotted", "second", "seconds", "day zoned", "month",
        "week", "quarter", "ordinal", "partial", "range", "about")  # fmt: skip
"""Forms that no later row of a column can turn into another."""
MOST_DIFFERENT = 100_000
FLOAT_ID = r"^[0-9]+\.0+$"
BEGINNING = 1 << 18


@dataclass
class Seen:
    """What the texts of a member show, gathered over portions."""

    dates: dict[str, Dates] = field(default_factory=dict)
    numbers: dict[str, pl.Series] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    names: dict[str, pl.Series] = field(default_factory=dict)
    ids: list[bool] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        """Look at the texts of more rows; columns are named by field."""
        for name in frame.columns:
            values = frame[name].drop_nulls()
            if name in DATES:
                self.dates.setdefault(name, Dates()).add(frame[name])
            elif name in NUMBER_FIELDS:
                both = pl.concat([self.numbers.get(name, values.clear()), values]).unique(maintain_order=True)
                self.numbers[name] = both.head(MOST_DIFFERENT)
            elif name in ("code", "act"):
                self.codes |= set(values.unique().head(MOST_DIFFERENT))
            elif name == "event_id":
                filled = values.filter(values.str.contains(r"[0-9]"))
                if len(filled):
                    self.ids.append(bool(filled.str.contains(FLOAT_ID).all()))
            if name in NAMES or name in ("event_id", "code", *NUMBER_FIELDS):
                before = self.names.get(name, values.clear())
                if len(before) < MOST_DIFFERENT:
                    self.names[name] = pl.concat([before, values])


def settled_member(member: Member, layout: Layout, wishes: Wishes, start: date | None, skip: int = 0) -> Layout:
    """The layout of a text file with its open questions settled.

    skip  lines before the header
    Raises FileFault where its values contradict each other, or can be read in several ways.
    """
    if layout.format.line is not None:
        return layout
    first = head(member, wishes.encoding)
    beginning = first if len(first) <= BEGINNING else first[: first.rfind(b"\n", 0, BEGINNING) + 1] or first
    seen = Seen()
    for frame in _texts(member, layout, [Block(member.name, beginning, 0)], tuple(layout.columns), skip):
        seen.add(frame)
    more = _open_questions(seen, layout, wishes, start)
    if more and (len(first) > len(beginning) or len(head(member, wishes.encoding, 2 * len(first) + 1)) > len(first)):
        seen = Seen(
            {name: known for name, known in seen.dates.items() if name not in more},
            {name: known for name, known in seen.numbers.items() if name not in more},
            seen.codes, seen.names, seen.ids,
        )  # fmt: skip
        for frame in _texts(member, layout, _whole(member, layout, wishes.encoding), more, skip):
            seen.add(frame)
    return settled(layout, seen, wishes, start, member.name)


def settled(layout: Layout, seen: Seen, wishes: Wishes, start: date | None, file: str) -> Layout:
    """The layout with every question settled by what was seen.

    start  the day that plain numbers count from, or None
    Raises FileFault.
    """
    said: list[str] = []
    try:
        form, more = _form(layout, seen, wishes, start)
        said += more
        others: dict[str, str] = {}
        for name in ("until", "reported"):
            if name in layout.columns:
                likely = wishes.date_format or SAME_AS.get(form, form).split(" ")[0]
                others[name], told = _form_beside(name, seen.dates.get(name, Dates()), form, likely)
                said += told
    except UnknownDates as error:
        raise FileFault(file, error.found, error.expected) from error
    if form in NUMBERS and start is None:
        raise FileFault(file, "times that are plain numbers", "dates, or start: the day that they count from")
    marks = _marks(layout, seen, file, wishes)
    zeros = zeros_of(seen.codes, layout.book) if "code" in layout.columns else "kept"
    countries, about = countries_of(seen.names)
    return replace(
        layout,
        form=form,
        origin=float((start - EPOCH).days) if form in NUMBERS and start is not None else layout.origin,
        other_forms=others,
        marks=marks,
        zeros=zeros,
        countries=countries,
        plain_ids=bool(seen.ids) and all(seen.ids),
        loose=layout.format.form is None and wishes.date_format is None and resolution_of(form) == "day"
        and form not in NUMBERS,
        said=(*layout.said, *said, *about),
    )  # fmt: skip


def _form_beside(name: str, dates: Dates, form: str, likely: str) -> tuple[str, tuple[str, ...]]:
    """The form of the last days, or of the days of entry, where the first days have `form`. Days of entry are a help:
    where they cannot be told, the events are read without them."""
    try:
        return form if not dates.rows else form_of(dates, (likely,))[0], ()
    except UnknownDates as error:
        if name != "reported":
            raise
        return likely, (f"days of entry are not known: {error.found}",)


def _form(layout: Layout, seen: Seen, wishes: Wishes, start: date | None) -> tuple[str, tuple[str, ...]]:
    if layout.form or wishes.date_format is not None:
        return layout.form or str(wishes.date_format), ()
    dates = seen.dates.get("time", Dates())
    try:
        return form_of(dates, _documented(layout), start is not None)
    except UnknownDates as error:
        named = _order_named(layout)
        if named in ORDERS and not dates.clocked and "ways" in error.found and named in error.expected:
            shown = repr(layout.names[layout.columns["time"]])
            return named, (f"dates such as {dates.parts[0]!r} are read {named.replace('-', ' ')}, as {shown} says",)
        return _form_by_the_last_day(dates, seen.dates.get("until", Dates()), error)


def _order_named(layout: Layout) -> str:
    """The order that the header gives: "Date (dd/mm/yyyy)" is day-first."""
    found = WRITTEN.search(layout.names[layout.columns["time"]]) if "time" in layout.columns else None
    day = "" if found is None else CLOCKED.sub("", found[0].casefold())
    letters = "".join(dict.fromkeys(one for one in day if one in "dmy"))
    return {"dmy": "day-first", "mdy": "month-first", "ymd": "year-first"}.get(letters, "")


def _form_by_the_last_day(dates: Dates, until: Dates, error: UnknownDates) -> tuple[str, tuple[str, ...]]:
    """First and last day of a file are written in one way: 3/31/2023 among the last days settles 3/1/2023.

    Raises the error where it does not.
    """
    if not until.parts.len() or dates.is_numeric or until.is_numeric:
        raise error
    parts = pl.concat([dates.parts, until.parts]).unique(maintain_order=True)
    try:
        return form_of(replace(dates, parts=parts))
    except UnknownDates:
        raise error from None


def _documented(layout: Layout) -> tuple[str, ...]:
    """Forms of dates that the format is published in, the usual one first."""
    usual = layout.format.form
    return () if usual is None else (usual, *ALSO.get(layout.format.name, ()))


def _marks(layout: Layout, seen: Seen, file: str, wishes: Wishes) -> dict[str, str]:
    """The decimal mark of each column of numbers: its own texts first, then those of the other columns."""
    shown = {name: writing_of(values) for name, values in seen.numbers.items()}
    marks = frozenset(mark for one in shown.values() for mark in MARKS if getattr(one, mark) is not None)
    found: dict[str, str] = {}
    for name, one in shown.items():
        try:
            found[name] = wishes.decimal or decimal_mark(name, layout.names[layout.columns[name]], one, marks)
        except MixedNumbers as error:
            raise FileFault(
                file,
                error.found,
                "one decimal mark in the whole column, or "
                + joined(" or ", (argument("decimal", mark) for mark in MARKS)),
            ) from error
    return found


def _open_questions(seen: Seen, layout: Layout, wishes: Wishes, start: date | None) -> tuple[str, ...]:
    """Fields that have to be read through to the end."""
    found: list[str] = []
    for name in DATES:
        known = seen.dates.get(name, Dates())
        if known.rows and wishes.date_format is None and not layout.form:
            try:
                form, _ = form_of(known, _documented(layout), start is not None)
            except UnknownDates:
                form = ORDERS[0]
            if form not in SAFE:
                found.append(name)
    for name, values in seen.numbers.items():
        one = writing_of(values)
        if (
            wishes.decimal is None
            and (one.either or layout.format.book is None)
            and one == Writing(None, None, one.either, one.plain)
        ):
            found.append(name)
    if found and any(name in NUMBER_FIELDS for name in found):
        found += [name for name in seen.numbers if name not in found]
    if "code" in layout.columns and zeros_of(seen.codes, layout.book) == "unsure":
        found.append("code")
    return tuple(found)


def _texts(
    member: Member, layout: Layout, portions: Iterable[Block], fields: tuple[str, ...], skip: int
) -> Iterator[pl.DataFrame]:
    """The texts of some fields; rows that cannot be cut are passed over here, and set aside when they are read."""
    wanted = {name: number for name, number in layout.columns.items() if name in fields}
    narrow = replace(layout, columns=wanted)
    begun = layout.header is None
    for block in portions if wanted else ():
        data = block.data
        if skip or not begun:
            data, skip, begun = data[below_header(data, skip, not begun, layout.quoted) :], 0, True
        if data:
            data = data if data.endswith(b"\n") else data + b"\n"
            yield cut([Part(member.name, 1, data)], narrow).frame.select(list(wanted))


def _whole(member: Member, layout: Layout, encoding: str | None) -> Iterator[Block]:
    try:
        for block in blocks(member, layout.quoted, encoding):
            if isinstance(block, Block) and not block.cut:
                yield block
    except FileFault:
        # A file that breaks off: reading says so, and what is there decides.
        return
