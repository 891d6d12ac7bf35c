"""What is in the files, piece by piece?

In: sources and what the user said about them. Out: in the order of the files, where a member begins and how it is to
be read, its pieces (blocks of text, frames of plain columns), what was passed over, and faults. Parquet, JSON, sheets
and text are told apart here; from here on they are read alike.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from powderkeg.events.archives import Member, PassedOver, members
from powderkeg.events.blocks import blocks, head
from powderkeg.events.columns import plain
from powderkeg.events.files import FileFault, SourceFile, SourceFiles
from powderkeg.events.frames import layout_of_frame
from powderkeg.events.layout import Layout, Wishes, detect
from powderkeg.events.parquets import first_rows, portions
from powderkeg.events.preamble import preamble
from powderkeg.events.records import RecordsText, is_json, table_of_json
from powderkeg.events.rows import RowWindow
from powderkeg.events.settling import settled_member
from powderkeg.events.store import is_own
from powderkeg.events.workbooks import sheets

FIRST_ROWS = 1000


@dataclass(frozen=True)
class Begin:
    """The next pieces are of this member.

    first  number of its first line
    skip   lines before its header
    """

    member: Member
    layout: Layout
    first: int = 1
    skip: int = 0
    said: tuple[str, ...] = ()


def contents(sources: SourceFiles, wishes: Wishes, window: RowWindow) -> Iterator[object]:
    """Everything in the files, in order: where a member begins, its pieces, and faults."""
    last: Layout | None = None
    for source in sources.files:
        doubts: list[FileFault] = []
        read = False
        try:
            for member in members(source, sources.spool):
                if isinstance(member, PassedOver):
                    yield member
                elif member.kind == "parquet":
                    yield from _parquet(member, wishes, window)
                else:
                    try:
                        begin, content = _opened_of(member, wishes, last, window.first)
                    except FileFault as fault:
                        if not member.doubtful:
                            raise
                        doubts.append(fault)
                        continue
                    read, last = True, begin.layout
                    yield begin
                    yield from content
        except FileFault as fault:
            yield fault
            continue
        if read:
            names = tuple(_inside(str(fault.fault.file), source) for fault in doubts)
            yield from [PassedOver(source.name, names)] if names else []
        else:
            yield from doubts


def _inside(name: str, source: SourceFile) -> str:
    return name.removeprefix(f"{source.name}:")


def _opened_of(
    member: Member, wishes: Wishes, last: Layout | None, start: date | None
) -> tuple[Begin, Iterator[object]]:
    if member.kind == "workbook":
        return _opened_sheet(member, wishes, start)
    return opened(member, wishes, last, start)


def _opened_sheet(member: Member, wishes: Wishes, start: date | None) -> tuple[Begin, Iterator[object]]:
    """The first sheet of a workbook that reads as events; others that would are named."""
    first: tuple[Begin, Iterator[object]] | None = None
    chosen, others, faults = "", [], []
    for sheet in sheets(member, wishes.sheet):
        try:
            found = opened(sheet.member, replace(wishes, separator=","), None, start)
        except FileFault as fault:
            faults.append(fault)
        else:
            if first is None:
                first, chosen = found, sheet.name
            else:
                others.append(sheet.name)
    if first is None:
        raise faults[0]
    said = [f"sheet {chosen!r} is read"] if others or faults else []
    if others:
        said.append(f"sheets that hold events too and are not read: {', '.join(others)}; name one to read it")
    begin, content = first
    return replace(begin, said=(*said, *begin.said)), content


def opened(member: Member, wishes: Wishes, last: Layout | None, start: date | None) -> tuple[Begin, Iterator[object]]:
    """Where a member of text begins, and its pieces. JSON becomes a table first.

    last   the layout of the member before, which this one may share
    start  the day that times count from that are plain numbers
    """
    beginning = head(member, wishes.encoding)
    if is_json(beginning):
        table = table_of_json(member, wishes.encoding)
        layout = detect(member.name, head(table.member), replace(wishes, separator=","))
        layout = settled_member(table.member, layout, replace(wishes, encoding=None), start)
        return Begin(table.member, layout, 0, 0, tuple(table.said)), _made(table, layout)
    before = preamble(beginning)
    if before.lines or before.marked:
        beginning = beginning.split(b"\n", before.lines)[-1]
        beginning = beginning.removeprefix(b"#") if before.marked else beginning
        wishes = replace(wishes, separator=wishes.separator or before.separator)
    if last is None or not _is_alike(beginning, last):
        try:
            last = detect(member.name, beginning, wishes)
            last = settled_member(member, last, wishes, start, before.lines)
        except FileFault as fault:
            if fault.fault.line is not None:
                fault.fault = replace(fault.fault, line=fault.fault.line + before.lines)
            raise
    return Begin(member, last, 1, before.lines, before.said), blocks(member, last.quoted, wishes.encoding)


def _made(table: RecordsText, layout: Layout) -> Iterator[object]:
    """Pieces of text that was made of records, and the records that are no rows."""
    for block in blocks(table.member, layout.quoted):
        yield from table.unread
        table.unread.clear()
        yield block
    yield from table.unread


def _is_alike(start: bytes, last: Layout) -> bool:
    """Whether a member reads as the one before: neither has a header, and its first line is alike. What has a header
    may write its dates in another way."""
    if last.header is not None or last.guard is None:
        return False
    first = start.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
    return first.count("\t") + 1 == len(last.names) and first[:1].isdigit()


def _parquet(member: Member, wishes: Wishes, window: RowWindow) -> Iterator[object]:
    """Where a Parquet file begins, and its rows in portions, of plain columns only."""
    if is_own(member.path):
        raise FileFault(member.name, "a table that powderkeg wrote", "other files; such a table is read alone")
    first = plain(first_rows(member.path, member.name, FIRST_ROWS), member.name)

    def rest(names: list[str]) -> Iterator[pl.DataFrame]:
        return (plain(one, member.name).frame for one in portions(member.path, member.name, names))

    try:
        layout = layout_of_frame(first.frame, wishes, member.name, window.first, rest)
    except FileFault as fault:
        first.check(list(first.refused), f"{member.name}: {fault.fault.found}")
        raise
    wanted = [layout.names[number] for number in layout.columns.values()]
    first.check(wanted, member.name)
    yield Begin(member, layout)
    for portion in portions(member.path, member.name, wanted):
        made = plain(portion, member.name)
        made.check(wanted, member.name)
        yield made.frame


def ahead(make: Callable[[], Iterator[object]], depth: int) -> Generator[object, None, None]:
    """The items of an iterator that runs in a thread of its own, at most `depth` items ahead."""
    ready: queue.Queue[tuple[str, object]] = queue.Queue(depth)
    stop = threading.Event()

    def put(kind: str, item: object) -> bool:
        while not stop.is_set():
            try:
                ready.put((kind, item), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            for item in make():
                if not put("item", item):
                    return
        except BaseException as error:  # handed over to the reader, who raises it
            put("error", error)
        else:
            put("end", None)

    thread = threading.Thread(target=run, name="powderkeg-read", daemon=True)
    thread.start()
    try:
        while True:
            kind, item = ready.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(item, BaseException)
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
