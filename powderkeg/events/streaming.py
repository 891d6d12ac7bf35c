"""How do files become rows without ever being in memory whole?

In: paths and what the user said about them. Out: frames of rows, read and coded, one after the other; and an `Account`
of every row. A thread unpacks and finds the format a few steps ahead; batches of blocks that share a layout are cut,
read and coded side by side; with a scenario they are matched as they come, in file order.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg.errors import EventError, Fault, warn
from powderkeg.events import prepare
from powderkeg.events.account import Account
from powderkeg.events.archives import Member, PassedOver, members
from powderkeg.events.blocks import Block, Overlong, below_header
from powderkeg.events.codes import TONES, entries
from powderkeg.events.contents import Begin, ahead, contents, opened
from powderkeg.events.cutting import PACKED_FROM, REPEATED_HEADER, BadRow, BadRows, Cut, Part, cut, shown, texts
from powderkeg.events.encodings import UNKNOWN
from powderkeg.events.files import FileFault, SourceFiles, shown_name
from powderkeg.events.formulas import has_marks, read_back
from powderkeg.events.frames import text_of_frame
from powderkeg.events.identity import scoped
from powderkeg.events.layout import Layout, Wishes
from powderkeg.events.piecing import pieced
from powderkeg.events.records import Unread
from powderkeg.events.rows import RowWindow, Typed, at_once, typed
from powderkeg.events.several import SEVERAL, apart, sided
from powderkeg.events.times import resolution_of

if TYPE_CHECKING:
    from powderkeg.events.match import Matcher

BATCH = 16 << 20
MOST_FAULTS = 100
MOST_WORKERS = 4
MOST_NAMED = 5
MANY_ROWS = 20
UNKNOWN_LETTER = UNKNOWN.encode()
Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Options:
    """How to read, beside what each file says of itself; the checked arguments of `read_events`."""

    wishes: Wishes
    window: RowWindow
    doubles: tuple[str, ...] = ()
    bad_files: str = "raise"
    matcher: Matcher | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class _Done:
    """A batch that was cut, read and coded.

    bad       rows that could not be read, with their text
    added     rows more than were read, where a row names several actors
    repeated  headers met in the middle, known by their unreadable date
    good      rows that could be read, by file: also those that a policy drops, for they are no fault of the file
    """

    layout: Layout
    pieces: Cut
    rows: Typed
    frame: pl.DataFrame
    bad: BadRows
    repeated: int
    good: Mapping[str, int]
    added: int = 0


class Reading:
    """One pass over files. `frames` yields the rows; the account is complete when it is exhausted."""

    def __init__(self, options: Options, account: Account) -> None:
        self.options = options
        self.account = account
        self._good: Counter[str] = Counter()
        self._parts: list[Part] = []
        self._size = 0
        self._layout: Layout | None = None
        self._name = ""
        self._line = 1
        self._skip = 0
        self._begun = True

    def frames(self, sources: SourceFiles) -> Iterator[pl.DataFrame]:
        """Rows of all files, in the order of the files.

        Columns: day (since 1970-01-01), source, target, code, cameo, tone, goldstein, what else the format has, file,
        line. With a matcher: in the scenario's terms, and only what is between its actors.
        Raises EventError when a file is at fault (unless they are to be skipped) or has no usable row.
        """
        self.account.passed_over = [shown_name(path) for path in sources.passed]
        # One more than there are cores: some wait for others in turns.
        workers = min(MOST_WORKERS, (os.cpu_count() or 1) + 1)
        stream = ahead(lambda: contents(sources, self.options.wishes, self.options.window), depth=workers)
        waiting: deque[Future[_Done]] = deque()
        with ThreadPoolExecutor(workers, "powderkeg-cut") as pool:
            try:
                for piece in stream:
                    if isinstance(piece, FileFault):
                        while waiting:
                            yield from self._take(waiting.popleft().result())
                        self._meet(piece.fault, sources)
                        continue
                    for task in self._tasks(piece):
                        waiting.append(pool.submit(task))
                    while len(waiting) > workers:
                        yield from self._take(waiting.popleft().result())
                waiting.extend(pool.submit(task) for task in self._gathered())
                while waiting:
                    yield from self._take(waiting.popleft().result())
            finally:
                stream.close()
                for future in waiting:
                    future.cancel()
        self._refuse_useless()
        self._take_strangers()

    def whole(self, frame: pl.DataFrame, layout: Layout, name: str) -> Iterator[pl.DataFrame]:
        """Rows of a dataframe, as `frames` yields them."""
        self._begin(Begin(Member(name, Path(name), "frame", lambda: iter(())), layout))
        for task in self._tasks(frame):
            yield from self._take(task())
        self._refuse_useless()
        self._take_strangers()

    def _tasks(self, piece: object) -> Iterator[Callable[[], _Done]]:
        """What is to be done about the next piece of a file: often nothing yet, for small blocks are gathered."""
        if isinstance(piece, Begin):
            if piece.layout != self._layout:
                yield from self._gathered()
            self._begin(piece)
        elif isinstance(piece, Overlong):
            self.account.rows_read += 1
            text = shown(piece.head)
            self.account.set_aside([BadRow(piece.file, self._line, "a line longer than any row", text)])
            self._line += 1
            self._begun = True
        elif isinstance(piece, pl.DataFrame) and self._layout is not None:
            layout, first, self._line = self._layout, self._line, self._line + piece.height
            yield partial(_work_frame, piece, layout, self.options.window, self._name, first)
        elif isinstance(piece, Block):
            yield from self._block(piece)
        elif isinstance(piece, Unread):
            self.account.rows_read += 1
            self.account.set_aside([BadRow(piece.file, piece.line, piece.reason, shown(piece.text))])
        elif isinstance(piece, PassedOver):
            self._pass_over(piece)

    def _begin(self, piece: Begin) -> None:
        account, layout, name = self.account, piece.layout, piece.member.name
        account.files += 1
        account.formats.setdefault(layout.format.kind, name)
        account.resolutions.add(resolution_of(layout.form))
        if layout.book is not None:
            account.books.add(layout.book)
        for said in (f"read as {layout.title or layout.format.title}", *piece.said, *layout.said):
            account.said.setdefault(said)
        self._layout, self._name, self._line, self._begun = layout, name, piece.first, layout.header is None
        self._skip = piece.skip
        self._good.setdefault(name, 0)
        if self.options.progress is not None:
            self.options.progress(name, account.rows_read)

    def _pass_over(self, piece: PassedOver) -> None:
        self.account.passed_over.extend(f"{piece.archive}:{name}" for name in piece.names)
        more = f" and {len(piece.names) - MOST_NAMED:,} more" if len(piece.names) > MOST_NAMED else ""
        self.account.said.setdefault(f"passed over in {piece.archive}: {', '.join(piece.names[:MOST_NAMED])}{more}")

    def _block(self, block: Block) -> Iterator[Callable[[], _Done]]:
        data, line = block.data, self._line
        self._line += block.lines
        if UNKNOWN_LETTER[:1] in data:  # one byte is found twenty times as fast as three are counted
            self.account.unknown_letters += data.count(UNKNOWN_LETTER)
        if self._skip or not self._begun:
            start = below_header(data, self._skip, not self._begun, self._layout is not None and self._layout.quoted)
            data, line = data[start:], line + data.count(b"\n", 0, start)
            self._skip, self._begun = 0, True
        if block.cut:
            self.account.rows_read += 1
            self.account.set_aside([BadRow(block.file, line, "the file breaks off here", shown(data))])
            return
        if self._size + len(data) > BATCH:
            yield from self._gathered()
        if data:
            self._parts.append(Part(block.file, line, data))
            self._size += len(data)

    def _gathered(self) -> Iterator[Callable[[], _Done]]:
        if self._parts and self._layout is not None:
            parts, self._parts, self._size = tuple(self._parts), [], 0
            yield partial(_work, parts, self._layout, self.options.window)

    def _take(self, done: _Done) -> Iterator[pl.DataFrame]:
        """Keep the account of a batch, match it, and hand its rows on."""
        account = self.account
        account.take_cut(done.pieces)
        account.take_typed(done.rows)
        account.drop(REPEATED_HEADER, done.repeated)
        account.add(SEVERAL, done.added)
        if "undirected" in done.frame.columns:
            account.undirected += int(done.frame["undirected"].sum())
        account.set_aside(done.bad)
        self._good.update(done.good)
        frame = done.frame
        count_unknown(frame, done.layout.book, account)
        if self.options.matcher is not None:
            frame, dropped = self.options.matcher.apply(frame, done.layout.format.kind)
            for policy, number in dropped.items():
                account.drop(policy, number)
        if self.options.progress is not None:
            self.options.progress(self._name, account.rows_read)
        if frame.height:
            yield frame

    def _meet(self, fault: Fault, sources: SourceFiles) -> None:
        """A file at fault. Unless such files are to be skipped the others are looked at, and all faults raised."""
        self.account.faults.append(fault)
        if self.options.bad_files == "skip":
            return
        of_file = (f"{fault.file}", f"{fault.file}:")
        good = sum(number for name, number in self._good.items() if name == of_file[0] or name.startswith(of_file[1]))
        if "ends before its end" in fault.found and good + self._size:
            warn(f"{fault.file}: {fault.found}; what was there is read")
            return
        seen = {one.file for one in self.account.faults}
        for source in sources.files:
            if len(self.account.faults) >= MOST_FAULTS:
                break
            try:
                for member in members(source, sources.spool):
                    if isinstance(member, PassedOver) or member.kind != "text" or member.doubtful:
                        continue
                    if member.name not in seen and member.name not in self._good:
                        opened(member, self.options.wishes, None, self.options.window.first)
            except FileFault as other:
                if other.fault.file not in seen:
                    self.account.faults.append(other.fault)
        raise EventError(self.account.faults, "nothing was read")

    def _take_strangers(self) -> None:
        """Names and acts that are none of the scenario's, into the account."""
        if self.options.matcher is not None:
            self.account.strangers = self.options.matcher.strangers()

    def _refuse_useless(self) -> None:
        """A file without any usable row is a fault."""
        useless = [name for name, good in self._good.items() if not good]
        known = {fault.file for fault in self.account.faults}
        found = [self._useless(name) for name in useless if name not in known]
        self.account.faults.extend(found)
        if found and self.options.bad_files == "raise":
            raise EventError(self.account.faults, "nothing was read")
        account = self.account
        if account.rows_read >= MANY_ROWS and account.rows_set_aside * 2 > account.rows_read:
            most, rows = account.reasons.most_common(1)[0]
            warn(
                f"{account.rows_set_aside:,} of {account.rows_read:,} rows are set aside ({rows:,}: {most}); "
                "look at the quarantine: the file may be of another form"
            )

    def _useless(self, name: str) -> Fault:
        reasons = Counter(row.reason for row in self.account.bad if row.file == name)
        if not reasons:
            return Fault(name, None, "", "no event row", "rows below the header")
        most = "; ".join(f"{number} x {reason}" for reason, number in reasons.most_common(3))
        first = next(row for row in self.account.bad if row.file == name)
        return Fault(
            name, first.line, "", f"no usable row: {most}", f"rows such as the format has; found: {first.text[:80]!r}"
        )


def _work(parts: tuple[Part, ...], layout: Layout, window: RowWindow) -> _Done:
    """Cut, read and code a batch. Nothing but its arguments is touched: batches run side by side."""
    pieces = cut(parts, replace(layout, categories=at_once(layout)))
    if layout.quoted and any(has_marks(part.data) for part in parts):
        texts_of = [name for name in layout.columns if name in pieces.frame.columns]
        pieces = replace(pieces, frame=read_back(pieces.frame, texts_of))
    return _read(pieces, layout, window, parts)


def _work_frame(frame: pl.DataFrame, layout: Layout, window: RowWindow, name: str, first: int) -> _Done:
    fields = text_of_frame(frame, layout, name, first)
    return _read(Cut(fields, fields.height), layout, window, ())


def _read(pieces: Cut, layout: Layout, window: RowWindow, parts: tuple[Part, ...]) -> _Done:
    rows = typed(pieced(pieces.frame, layout), layout, window)
    bad = BadRows()
    repeated = 0
    good: dict[str, int] = {}
    for few in rows.bad.iter_slices(PACKED_FROM):
        places = list(few.select(pl.col("file").cast(pl.String), "line").iter_rows())
        lines = texts(parts, places) if parts else [""] * len(places)
        for (file, line), reason, text in zip(places, few["reason"], lines, strict=True):
            if layout.header is not None and text and text == shown(layout.header):
                repeated += 1
            else:
                bad.append(BadRow(file, line, reason, text))
    if len(parts) == 1:
        good[parts[0].file] = pieces.frame.height - rows.bad.height
    else:
        readable = pieces.frame.join(rows.bad, on=["file", "line"], how="anti") if rows.bad.height else pieces.frame
        good = dict(readable.group_by("file").agg(pl.len()).iter_rows())
    frame, added = apart(scoped(rows.frame, layout), layout)
    frame = sided(frame, layout)
    return _Done(layout, pieces, rows, coded(frame, layout.book), bad, repeated, good, added)


def coded(frame: pl.DataFrame, book: str | None) -> pl.DataFrame:
    """Rows with class, weight and nearest CAMEO code from a codebook; what the rows bring themselves goes first where
    it is a number, and stands in where the book has nothing."""
    own: dict[str, str] = {name: f"_{name}" for name in ("tone", "goldstein") if name in frame.columns}
    frame = frame.rename(own)
    if book is None:
        nothing: dict[str, Any] = {"cameo": pl.Categorical, "tone": pl.Enum(TONES), "goldstein": pl.Float64}
        frame = frame.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in nothing.items())
    else:
        frame = prepare.map_codes(frame, book)
        frame = _by_type(frame) if book == "plover" else frame
    if "tone" in own:
        word = pl.col("_tone").str.to_lowercase()
        spoken = pl.when(word.is_in(TONES)).then(word).cast(pl.Enum(TONES))
        frame = frame.with_columns(tone=pl.coalesce("tone", spoken))
    if "goldstein" in own:
        # A weight that stands there and cannot be read is NaN: the codebook's does not take its place.
        frame = frame.with_columns(goldstein=pl.coalesce("_goldstein", "goldstein").fill_nan(None))
    return frame.drop(own.values())


def count_unknown(frame: pl.DataFrame, book: str | None, account: Account) -> None:
    """Count codes that the codebook does not hold."""
    if book is None:
        return
    known = entries(book)
    unknown = [code for code in frame["code"].unique() if code not in known]
    if not unknown:
        return
    for code, number in frame.group_by("code").agg(pl.len()).iter_rows():
        if code not in known:
            account.unknown_codes[code] += number


def _by_type(frame: pl.DataFrame) -> pl.DataFrame:
    """A PLOVER act whose mode the book does not hold still has the class of its type."""
    known = entries("plover")
    met = frame.filter(pl.col("tone").is_null())["code"].unique().cast(pl.String).to_list()
    types = {code: known[code.split(":")[0]] for code in met if code.split(":")[0] in known}
    if not types:
        return frame
    code = pl.col("code").cast(pl.String)
    return frame.with_columns(
        pl.coalesce(
            name,
            code.replace_strict(list(types), [getattr(one, name) for one in types.values()], default=None).cast(kind),
        ).alias(name)
        for name, kind in (("cameo", pl.Categorical), ("tone", pl.Enum(TONES)), ("goldstein", pl.Float64))
    )
