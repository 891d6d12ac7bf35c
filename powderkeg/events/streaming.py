"""How do files become rows without ever being in memory whole?

In: paths and what the user said about them. Out: frames of rows, read and coded, one after the other; and an `Account`
of every row. A thread unpacks and finds the format one step ahead; here a batch of blocks that share a layout is cut,
read, coded and, with a scenario, matched, before the next is taken.
"""

from __future__ import annotations

import queue
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from powderkeg.errors import EventError, Fault, PowderkegWarning
from powderkeg.events import prepare
from powderkeg.events.account import Account
from powderkeg.events.codes import TONES, entries
from powderkeg.events.cutting import REPEATED_HEADER, BadRow, Cut, Part, cut, texts
from powderkeg.events.files import Block, FileFault, Member, blocks, expand, head, members
from powderkeg.events.formats import Layout, Wishes, detect
from powderkeg.events.frames import layout_of_frame, text_of_frame
from powderkeg.events.rows import Typed, Window, typed
from powderkeg.events.store import is_own
from powderkeg.events.times import resolution_of

if TYPE_CHECKING:
    from powderkeg.events.match import Matcher

BATCH = 8 << 20
FRAME_ROWS = 500_000
MOST_FAULTS = 100
Progress = Callable[[str, int], None]
NAMES = (
    "source", "target", "act", "code", "source_name", "target_name", "source_country", "target_country",
    "source_sectors", "target_sectors",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How to read, beside what each file says of itself; the checked arguments of `read_events`."""

    wishes: Wishes = Wishes()
    window: Window = Window()
    doubles: tuple[str, ...] = ()
    bad_files: str = "raise"
    matcher: Matcher | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class _Begin:
    """The next pieces are of this member."""

    member: Member
    layout: Layout


@dataclass(frozen=True)
class _Text:
    """A block and its number of lines."""

    block: Block
    lines: int


@dataclass(frozen=True)
class _Long:
    """A line that is too long to be a row."""

    file: str
    head: bytes


class Reading:
    """One pass over files. `frames` yields the rows; the account is complete when it is exhausted."""

    def __init__(self, options: Options, account: Account) -> None:
        self.options = options
        self.account = account
        self._good: Counter[str] = Counter()
        self._parts: list[Part] = []
        self._size = 0
        self._layout: Layout | None = None
        self._line = 1
        self._begun = True

    def frames(self, paths: str | Path | Iterable[str | Path]) -> Iterator[pl.DataFrame]:
        """Rows of all files, in the order of the files.

        Columns: day (since 1970-01-01), source, target, code, cameo, tone, goldstein, what else the format has, file,
        line. With a matcher: in the scenario's terms, and only what is between its actors.
        Raises EventError when a file is at fault (unless they are to be skipped) or has no usable row.
        """
        files, passed = expand(paths)
        self.account.passed_over = [str(path) for path in passed]
        stream = _ahead(lambda: _contents(files, self.options.wishes, self.options.window), depth=3)
        try:
            for piece in stream:
                if isinstance(piece, FileFault):
                    self._meet(piece.fault, files)
                elif isinstance(piece, _Begin):
                    if piece.layout != self._layout:
                        yield from self._flush()
                    self._begin(piece)
                elif isinstance(piece, _Long):
                    self._long(piece)
                elif isinstance(piece, pl.DataFrame):
                    yield from self._whole(piece)
                else:
                    part = self._part(piece)
                    if part is not None and self._size + len(part.data) > BATCH:
                        yield from self._flush()
                    if part is not None:
                        self._parts.append(part)
                        self._size += len(part.data)
            yield from self._flush()
        finally:
            stream.close()
        self._refuse_useless()

    def whole(self, frame: pl.DataFrame, layout: Layout, name: str) -> Iterator[pl.DataFrame]:
        """Rows of a dataframe, as `frames` yields them."""
        self._begin(_Begin(Member(name, Path(name), True, lambda: iter(())), layout))
        yield from self._whole(frame)
        self._refuse_useless()

    def _begin(self, piece: _Begin) -> None:
        account, layout, name = self.account, piece.layout, piece.member.name
        account.files += 1
        account.formats.setdefault(layout.format.rules or layout.format.name, name)
        account.resolutions.add(resolution_of(layout.form))
        if layout.book is not None:
            account.books.add(layout.book)
        account.said.setdefault(f"read as {layout.format.title}")
        for said in layout.said:
            account.said.setdefault(said)
        self._layout, self._line, self._begun = layout, 1, layout.header is None
        self._good.setdefault(name, 0)
        self._name = name
        if self.options.progress is not None:
            self.options.progress(name, account.rows_read)

    def _long(self, piece: _Long) -> None:
        self.account.rows_read += 1
        text = piece.head.decode("utf-8", "replace")
        self.account.set_aside([BadRow(piece.file, self._line, "a line longer than any row", text)])
        self._line += 1
        self._begun = True

    def _part(self, piece: _Text) -> Part | None:
        """The block as a part, without the header; None if nothing is left of it, or it is a broken end."""
        block, line, data = piece.block, self._line, piece.block.data
        self._line += piece.lines
        if not self._begun:
            while data[:1] in (b"\n", b"\r"):
                data, line = data[1:], line + (data[:1] == b"\n")
            data, line = data[data.find(b"\n") + 1 :], line + 1
            self._begun = True
        if block.cut:
            self.account.rows_read += 1
            text = data.decode("utf-8", "replace")[:500]
            self.account.set_aside([BadRow(block.file, line, "the file breaks off here", text)])
            return None
        return Part(block.file, line, data) if data else None

    def _flush(self) -> Iterator[pl.DataFrame]:
        if self._parts and self._layout is not None:
            parts, self._parts, self._size = self._parts, [], 0
            yield from self._read(cut(parts, self._layout), self._layout, parts)

    def _whole(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        assert self._layout is not None
        fields = text_of_frame(frame, self._layout, self._name, self._line)
        self._line += frame.height
        yield from self._read(Cut(fields, fields.height), self._layout, ())

    def _read(self, pieces: Cut, layout: Layout, parts: list[Part] | tuple[()]) -> Iterator[pl.DataFrame]:
        """Texts to rows: read, coded, matched; the account kept."""
        account = self.account
        account.take_cut(pieces)
        if not pieces.frame.height:
            return
        rows = typed(pieces.frame, layout, self.options.window)
        account.take_typed(rows)
        self._set_aside(rows, layout, parts)
        self._count_good(rows, pieces)
        frame = coded(rows.frame, layout.book)
        count_unknown(frame, layout.book, account)
        if self.options.matcher is not None:
            frame, dropped = self.options.matcher.apply(frame, layout.format.rules)
            for policy, number in dropped.items():
                account.drop(policy, number)
        if self.options.progress is not None:
            self.options.progress(self._name, account.rows_read)
        if frame.height:
            yield frame

    def _set_aside(self, rows: Typed, layout: Layout, parts: list[Part] | tuple[()]) -> None:
        """Rows whose date or code cannot be read; among them are headers in the middle of a file."""
        if not rows.bad.height:
            return
        places = list(rows.bad.select(pl.col("file").cast(pl.String), "line").iter_rows())
        shown = texts(parts, places) if parts else [""] * len(places)
        bad: list[BadRow] = []
        for (file, line), reason, text in zip(places, rows.bad["reason"], shown, strict=True):
            if layout.header is not None and text and text == layout.header[: len(text)]:
                self.account.drop(REPEATED_HEADER, 1)
            else:
                bad.append(BadRow(file, line, reason, text))
        self.account.set_aside(bad)

    def _count_good(self, rows: Typed, pieces: Cut) -> None:
        """Rows that could be read, by file: also those that a policy drops, for they are no fault of the file."""
        if rows.bad.height:
            good = pieces.frame.join(rows.bad, on=["file", "line"], how="anti")
        else:
            good = pieces.frame
        for file, number in good.group_by("file").agg(pl.len()).iter_rows():
            self._good[file] += number

    def _meet(self, fault: Fault, files: list[Path]) -> None:
        """A file at fault. Unless such files are to be skipped the others are looked at, and all faults raised."""
        self.account.faults.append(fault)
        if self.options.bad_files == "skip":
            return
        if "ends before its end" in fault.found and self._good.get(fault.file or "", 0) + self._size:
            warnings.warn(f"{fault.file}: {fault.found}; what was there is read", PowderkegWarning, stacklevel=6)
            return
        seen = {one.file for one in self.account.faults}
        for path in files:
            if len(self.account.faults) >= MOST_FAULTS:
                break
            try:
                for member in members(path):
                    if member.name not in seen and member.name not in self._good and not member.parquet:
                        detect(member.name, head(member), self.options.wishes)
            except FileFault as other:
                if other.fault.file not in seen:
                    self.account.faults.append(other.fault)
        raise EventError(self.account.faults, "nothing was read")

    def _refuse_useless(self) -> None:
        """A file without any usable row is a fault."""
        useless = [name for name, good in self._good.items() if not good]
        known = {fault.file for fault in self.account.faults}
        found = [self._useless(name) for name in useless if name not in known]
        self.account.faults.extend(found)
        if found and self.options.bad_files == "raise":
            raise EventError(self.account.faults, "nothing was read")

    def _useless(self, name: str) -> Fault:
        reasons = Counter(row.reason for row in self.account.bad if row.file == name)
        if not reasons:
            return Fault(name, None, "", "no event row", "rows below the header")
        most = "; ".join(f"{number} x {reason}" for reason, number in reasons.most_common(3))
        first = next(row for row in self.account.bad if row.file == name)
        return Fault(name, first.line, "", f"no usable row: {most}", f"rows such as the format has; found: {first.text[:80]!r}")


def coded(frame: pl.DataFrame, book: str | None) -> pl.DataFrame:
    """Rows with class, weight and nearest CAMEO code from a codebook; what the rows bring themselves goes first where
    it is a number, and stands in where the book has nothing."""
    own_tone = pl.col("tone").str.to_lowercase() if "tone" in frame.columns else pl.lit(None, dtype=pl.String)
    own_weight = pl.col("goldstein") if "goldstein" in frame.columns else pl.lit(None, dtype=pl.Float64)
    frame = frame.with_columns(pl.col([name for name in NAMES if name in frame.columns]).cast(pl.Categorical))
    frame = frame.with_columns(_own_tone=own_tone, _own_weight=own_weight)
    if book is None:
        frame = frame.with_columns(
            cameo=pl.lit(None, dtype=pl.String), tone=pl.lit(None, dtype=pl.String), goldstein=pl.lit(None, pl.Float64)
        )
    else:
        frame = prepare.map_codes(frame, book)
    tone = pl.coalesce(pl.col("tone"), pl.when(pl.col("_own_tone").is_in(TONES)).then("_own_tone"))
    return frame.with_columns(
        pl.col("cameo").cast(pl.Categorical),
        tone.cast(pl.Enum(TONES)).alias("tone"),
        pl.coalesce("_own_weight", "goldstein").alias("goldstein"),
    ).drop("_own_tone", "_own_weight")


def count_unknown(frame: pl.DataFrame, book: str | None, account: Account) -> None:
    """Count codes that the codebook does not hold."""
    if book is None:
        return
    known = entries(book)
    for code, number in frame.filter(pl.col("cameo").is_null()).group_by("code").agg(pl.len()).iter_rows():
        if code not in known:
            account.unknown_codes[code] += number


def _contents(files: list[Path], wishes: Wishes, window: Window) -> Iterator[object]:
    """Everything in the files, in order: where a member begins, its pieces, and faults."""
    last: Layout | None = None
    for path in files:
        try:
            for member in members(path):
                if member.parquet:
                    yield from _parquet(member, wishes, window)
                    continue
                last = _layout(member, wishes, last)
                yield _Begin(member, last)
                for block in blocks(member, last.quoted):
                    if isinstance(block, Block):
                        lines = int(np.count_nonzero(np.frombuffer(block.data, np.uint8) == 10))
                        yield _Text(block, lines)
                    else:
                        yield _Long(block.file, block.head)
        except FileFault as fault:
            yield fault


def _layout(member: Member, wishes: Wishes, last: Layout | None) -> Layout:
    """The member's layout: that of the member before, if its first line says it is alike, else found anew."""
    if last is not None and last.format.form is not None and last.format.name != "keds":
        first = head(member, 1 << 14).lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
        if last.header is not None and first == last.header:
            return last
        if last.header is None and first.count("\t") + 1 == len(last.names) and first[:1].isdigit():
            return last
    return detect(member.name, head(member), wishes)


def _parquet(member: Member, wishes: Wishes, window: Window) -> Iterator[object]:
    if is_own(member.path):
        raise FileFault(member.name, "a table that powderkeg wrote", "other files; such a table is read alone")
    try:
        lazy = pl.scan_parquet(member.path)
        rows = lazy.select(pl.len()).collect().item()
        layout = layout_of_frame(lazy.head(1000).collect(), wishes, member.name, window.first)
        yield _Begin(member, layout)
        wanted = [layout.names[number] for number in layout.columns.values()]
        for at in range(0, rows, FRAME_ROWS):
            yield lazy.select(wanted).slice(at, FRAME_ROWS).collect()
    except pl.exceptions.PolarsError as error:
        raise FileFault(member.name, f"a broken Parquet file: {str(error).splitlines()[0][:200]}") from error


def _ahead(make: Callable[[], Iterator[object]], depth: int) -> Iterator[object]:
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
