"""How is text cut into rows and fields, with every row that cannot be cut set aside?

In: blocks of bytes and their layout. Out: one frame of texts, a column for each field of the layout, with file and line
of every row; and what was set aside, with the reason.

A block is parsed by Polars and accepted only when it is shown to be clean: as many separators as rows demand, every row
reaching its last column, valid UTF-8, no NUL. Otherwise it is cut line by line, slowly, to find the guilty rows. So the
common case costs little more than parsing, and no row is lost or shifted in silence.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from powderkeg.events.blocks import count_of, last_end
from powderkeg.events.digits import may_have_digits, with_plain_digits
from powderkeg.events.encodings import recoded as recoded_line
from powderkeg.events.files import TEXT_SHOWN
from powderkeg.events.layout import Layout

WINDOW = 200
NARROW = 1 << 18
SHORT = 1 << 21
PACKED_FROM = 20_000
MOST_BYTES = 4 * TEXT_SHOWN + 8  # of a line: what is shown of it, with letters of four bytes
NO_SEPARATOR = b"\x1f"  # never meant: lines without columns are taken whole and cut by their format's pattern
REPEATED_HEADER = "repeated header"


@dataclass(frozen=True)
class Part:
    """Bytes of one member, whole lines; `line` is the number of the first."""

    file: str
    line: int
    data: bytes


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was set aside."""

    file: str
    line: int
    reason: str
    text: str


class BadRows:
    """Rows that were set aside, in order. Many are kept as columns: as objects, those of a batch of short lines that
    cannot be read would take a hundred times the room of the batch."""

    def __init__(self, rows: Iterable[BadRow] = ()) -> None:
        self._packed: list[pl.DataFrame] = []
        self._last: list[BadRow] = []
        self.extend(rows)

    def append(self, row: BadRow) -> None:
        """One more."""
        self._last.append(row)
        if len(self._last) >= PACKED_FROM:
            rows = [(row.file, row.line, row.reason, row.text) for row in self._last]
            schema = {"file": pl.Categorical, "line": pl.Int64, "reason": pl.Categorical, "text": pl.String}
            self._packed.append(pl.DataFrame(rows, schema=schema, orient="row"))
            self._last.clear()

    def extend(self, rows: Iterable[BadRow]) -> None:
        """Several more."""
        for row in rows:
            self.append(row)

    def __iter__(self) -> Iterator[BadRow]:
        for frame in self._packed:
            yield from itertools.starmap(BadRow, frame.iter_rows())
        yield from self._last

    def __len__(self) -> int:
        return sum(frame.height for frame in self._packed) + len(self._last)


@dataclass(frozen=True)
class Cut:
    """What came out of a batch of parts.

    frame     String columns named by field, with `file` and `line`; a missing text is null
    records   rows met: those in the frame, bad ones and repeated headers; empty lines are not rows
    recoded   rows that were not UTF-8 and were read as Windows-1252
    trimmed   rows with empty fields beyond the last column
    odd       the first line that was not UTF-8, as it stands
    """

    frame: pl.DataFrame
    records: int
    bad: BadRows = field(default_factory=BadRows)
    repeated: int = 0
    recoded: int = 0
    trimmed: int = 0
    odd: bytes = b""


def cut(parts: Sequence[Part], layout: Layout) -> Cut:
    """Cut parts that share a layout into rows and fields."""
    # Letters of their scripts are rare in most files: bytes are looked at before texts are.
    if not any(may_have_digits(part.data) for part in parts):
        return _cut(parts, layout)
    done = _cut(parts, replace(layout, categories=frozenset()))
    return replace(done, frame=with_plain_digits(done.frame))


def _cut(parts: Sequence[Part], layout: Layout) -> Cut:
    data = parts[0].data if len(parts) == 1 else b"".join(part.data for part in parts)
    fields = _cut_clean(data, layout)
    if fields is not None:
        frame = fields.with_columns(*_places(parts, fields.height))
        return Cut(frame, frame.height)
    if layout.quoted:
        starts, frame_of = _clean_records(data, layout) if len(parts) == 1 else (None, None)
        if starts is not None and frame_of is not None:
            lines = parts[0].line + starts
            frame = frame_of.with_columns(_file(parts[0].file), line=pl.Series(lines, dtype=pl.UInt32))
            return Cut(frame, frame.height)
    if layout.quoted:
        pieces = [_cut_quoted(piece, layout) for part in parts for piece in _shorter(part)]
    else:
        pieces = [piece for part in parts for piece in _cut_narrowly(part, layout)]
    if len(pieces) == 1:
        return pieces[0]
    return Cut(
        pl.concat([piece.frame for piece in pieces]),
        sum(piece.records for piece in pieces),
        BadRows(itertools.chain.from_iterable(piece.bad for piece in pieces)),
        sum(piece.repeated for piece in pieces),
        sum(piece.recoded for piece in pieces),
        sum(piece.trimmed for piece in pieces),
        next((piece.odd for piece in pieces if piece.odd), b""),
    )


def shown(text: str | bytes) -> str:
    """A bad row's text as it goes into the quarantine: at most TEXT_SHOWN letters."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if not plain.isascii():  # half a letter beyond the first 65,536, which JSON can hold
        plain = plain.encode("utf-8", "backslashreplace").decode()
    plain = plain.rstrip("\r\n")
    return plain if len(plain) <= TEXT_SHOWN else plain[: TEXT_SHOWN - 1] + "…"


def _cut_clean(data: bytes, layout: Layout) -> pl.DataFrame | None:
    """The fields of unquoted text, if every row is sound; None if any may not be."""
    if layout.quoted or not data or b"\0" in data:
        return None
    width = len(layout.names)
    try:
        frame = _parse(data, layout, None)
    except pl.exceptions.PolarsError:
        return None
    if layout.format.line:
        blank = frame.height and frame["time"].null_count()
        return None if blank else frame.drop("reaches")
    if count_of(layout.separator.encode(), data) != frame.height * (width - 1):
        return None
    if frame.height and not frame["reaches"][0] and not _every_row_has(data, layout.separator, width):
        # Only the last column may be empty: a row too long does not make up for one too short.
        return None
    return frame.drop("reaches")


def _every_row_has(data: bytes, separator: str, width: int) -> bool:
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == 10)
    before = np.searchsorted(np.flatnonzero(raw == ord(separator)), ends)
    return bool(np.all(np.diff(before, prepend=0) == width - 1))


def _parse(data: bytes, layout: Layout, quote: str | None) -> pl.DataFrame:
    """Fields as Polars cuts them; `reaches` says whether every row has its last column (or its guard in place)."""
    names = [f"column {number}" for number in range(len(layout.names))]
    in_lines = layout.format.line
    schema: dict[str, Any] = dict.fromkeys(names, pl.String)
    schema |= {names[layout.columns[key]]: pl.Categorical for key in layout.categories}
    lazy = pl.scan_csv(
        data,
        has_header=False,
        separator=NO_SEPARATOR.decode() if in_lines else layout.separator,
        quote_char=quote,
        schema=schema,
    )
    if in_lines:
        groups = pl.col(names[0]).str.extract_groups(in_lines).struct
        wanted = [groups.field(str(number + 1)).alias(key) for key, number in layout.columns.items()]
        return lazy.select(*wanted, reaches=pl.lit(True)).collect()
    wanted = [pl.col(names[number]).alias(key) for key, number in layout.columns.items()]
    if layout.guard is not None:
        # The last column is a long address: cheaper to see that the one before it holds what it must.
        stamp = pl.col(names[layout.guard])
        reaches = stamp.str.contains(r"^\d{8}(\d{6})?$").fill_null(False).all()
    else:
        reaches = pl.col(names[-1]).is_not_null().all()
    return lazy.select(*wanted, reaches=reaches).collect()


def _places(parts: Sequence[Part], height: int) -> tuple[pl.Expr | pl.Series, pl.Expr | pl.Series]:
    if len(parts) == 1:
        first = parts[0].line
        return _file(parts[0].file), pl.int_range(first, first + height, dtype=pl.UInt32).alias("line")
    counts = [part.data.count(b"\n") for part in parts]
    lines = np.concatenate([np.arange(part.line, part.line + n) for part, n in zip(parts, counts, strict=True)])
    files = pl.Series("file", [part.file for part in parts], dtype=pl.Categorical)
    return files.gather(np.repeat(np.arange(len(parts)), counts)), pl.Series("line", lines, dtype=pl.UInt32)


def _file(name: str) -> pl.Expr:
    return pl.lit(name, dtype=pl.String).cast(pl.Categorical).alias("file")


def _cut_narrowly(part: Part, layout: Layout) -> Iterator[Cut]:
    """Divide and try again, so that only the neighbours of a bad row are cut line by line."""
    if len(part.data) <= NARROW:
        yield _cut_lines(part, layout)
        return
    start, line = 0, part.line
    while start < len(part.data):
        end = part.data.rfind(b"\n", start, start + max(NARROW, len(part.data) // 8)) + 1 or len(part.data)
        piece = Part(part.file, line, part.data[start:end])
        fields = _cut_clean(piece.data, layout)
        if fields is not None:
            yield Cut(fields.with_columns(*_places([piece], fields.height)), fields.height)
            line += fields.height
        elif start == 0 and end == len(part.data):
            yield _cut_lines(piece, layout)
        else:
            yield from _cut_narrowly(piece, layout)
            line += piece.data.count(b"\n")
        start = end


def _cut_lines(part: Part, layout: Layout) -> Cut:
    """Unquoted text, line by line."""
    width = len(layout.names)
    separator = layout.separator.encode()
    in_lines = bool(layout.format.line)
    header = layout.header.encode() if layout.header is not None else None
    good: list[bytes] = []
    places: list[int] = []
    bad = BadRows()
    repeated = recoded = trimmed = 0
    odd = b""
    for number, raw in enumerate(part.data.split(b"\n")[:-1], start=part.line):
        line = raw.rstrip(b"\r")
        if not line.strip():
            continue
        if header is not None and line == header:
            repeated += 1
            continue
        if b"\0" in line:
            bad.append(BadRow(part.file, number, "a NUL byte", shown(line)))
            continue
        fields = line.count(separator) + 1
        if not in_lines and fields != width:
            if fields > width and not b"".join(line.split(separator)[width:]).strip():
                line = separator.join(line.split(separator)[:width])
                trimmed += 1
            else:
                bad.append(BadRow(part.file, number, _miscounted(fields, width), shown(line)))
                continue
        text = recoded_line(line)
        if text is not None:
            if header is not None and text == header:
                repeated += 1
                continue
            odd = odd or line
            line, recoded = text, recoded + 1
        good.append(line.replace(b"\r", b" ").replace(NO_SEPARATOR, b" ") if in_lines else line.replace(b"\r", b" "))
        places.append(number)
    frame = _parse(b"\n".join(good) + b"\n", layout, None).drop("reaches") if good else _empty(layout)
    if frame.height != len(places):
        raise AssertionError(f"{part.file}: {len(places)} lines gave {frame.height} rows")
    frame = frame.with_columns(_file(part.file), line=pl.Series(places, dtype=pl.UInt32))
    records = len(places) + len(bad) + repeated
    if in_lines:
        wrong = frame["time"].is_null()
        lines = dict(zip(places, good, strict=True))
        for number in frame.filter(wrong)["line"]:
            bad.append(BadRow(part.file, number, f"not {layout.format.about.partition(': ')[2]}", shown(lines[number])))
        frame = frame.filter(~wrong)
    return Cut(frame, records, bad, repeated, recoded, trimmed, odd)


def _clean_records(data: bytes, layout: Layout) -> tuple[np.ndarray | None, pl.DataFrame | None]:
    """Quoted text, if every record is sound: lines before each record (0-based), and the fields."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return None, None
    raw = np.frombuffer(data, np.uint8)
    quote = raw == 34
    inside = np.cumsum(quote, dtype=np.uint8) & 1
    if b"\0" in data or inside[-1]:
        return None, None
    opened = np.flatnonzero(quote & (inside == 1))
    before = raw[opened - 1]
    if not np.all((before == ord(layout.separator)) | (before == 10) | (before == 34) | (opened == 0)):
        return None, None
    after = raw[np.minimum(np.flatnonzero(quote & (inside == 0)) + 1, len(raw) - 1)]
    if not np.all((after == ord(layout.separator)) | (after == 10) | (after == 13) | (after == 34)):
        return None, None
    newline = raw == 10
    ends = np.flatnonzero(newline & (inside == 0))
    separators = np.cumsum((raw == ord(layout.separator)) & (inside == 0), dtype=np.int64)[ends]
    if not np.all(np.diff(separators, prepend=0) == len(layout.names) - 1):
        return None, None
    if layout.header is not None and layout.header.encode() in data:
        return None, None
    try:
        frame = _parse(data, layout, '"').drop("reaches")
    except pl.exceptions.PolarsError:
        return None, None
    if frame.height != len(ends):
        return None, None
    lines_before = np.cumsum(newline, dtype=np.int64)[ends]
    return np.concatenate([[0], lines_before[:-1]]), frame


def _shorter(part: Part) -> Iterator[Part]:
    """The same lines in portions that end where a record ends: cut line by line, text takes many times its room."""
    at, line = 0, part.line
    while at < len(part.data):
        piece = part.data[at : at + SHORT]
        if at + SHORT < len(part.data):
            piece = piece[: last_end(piece, quoted=True) or len(piece)]
            if not piece.endswith(b"\n"):
                piece = part.data[at : part.data.find(b"\n", at + len(piece)) + 1 or len(part.data)]
        yield Part(part.file, line, piece)
        at, line = at + len(piece), line + piece.count(b"\n")


def _cut_quoted(part: Part, layout: Layout) -> Cut:
    """Quoted text, record by record. A record that spans lines and has the wrong number of fields was opened by a stray
    quote: only its first line is set aside, and reading starts again on the next."""
    width = len(layout.names)
    header = layout.header
    lines: list[str] = []
    recoded_lines: set[int] = set()
    odd = b""
    for number, raw in enumerate(part.data.split(b"\n")[:-1]):
        text = recoded_line(raw)
        if text is not None:
            recoded_lines.add(number)
            odd = odd or raw
        lines.append((raw if text is None else text).decode() + "\n")
    rows: list[list[str]] = []
    places: list[int] = []
    bad = BadRows()
    repeated = recoded = trimmed = 0
    at = 0
    while at < len(lines):
        for first, last, row in _window(lines, at, layout.separator):
            at = last
            line = lines[first]
            if last == first + 1 and not line.strip():
                continue
            one_line = last == first + 1
            if header is not None and one_line and line.rstrip("\r\n") == header:
                repeated += 1
                continue
            if row is not None and len(row) > width and not "".join(row[width:]).strip():
                row, trimmed = row[:width], trimmed + 1
            if row is not None and len(row) == width and not any("\0" in field for field in row):
                rows.append(row)
                places.append(part.line + first)
                recoded += any(number in recoded_lines for number in range(first, last))
                continue
            if "\0" in line:
                reason = "a NUL byte"
            elif row is None or not one_line:
                reason = "a quote is opened and not closed, or fields are missing"
            else:
                reason = _miscounted(len(row), width)
            bad.append(BadRow(part.file, part.line + first, reason, shown(line)))
            at = first + 1
            if not one_line:
                break
    fields = {
        key: pl.Series(key, [row[number] or None for row in rows], dtype=pl.String)
        for key, number in layout.columns.items()
    }
    frame = pl.DataFrame(fields).with_columns(_file(part.file), line=pl.Series(places, dtype=pl.UInt32))
    return Cut(frame, len(rows) + len(bad) + repeated, bad, repeated, recoded, trimmed, odd)


def _window(lines: list[str], at: int, separator: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """Records that start in the next WINDOW lines: first line, line after the last, fields (None if unreadable)."""
    window = lines[at : at + WINDOW]
    # Strict: letters after a closing quote mean that a quote before was stray, and two rows would be read as one.
    reader = csv.reader(window, delimiter=separator, strict=True)
    first = 0
    while first < len(window):
        try:
            row = next(reader, None)
        except csv.Error:
            yield at + first, at + max(reader.line_num, first + 1), None
            return
        if row is None:
            return
        last = reader.line_num
        if last == len(window) and last > first + 1 and at + last < len(lines) and first > 0:
            return
        yield at + first, at + last, row
        first = last


def _miscounted(fields: int, width: int) -> str:
    return f"{fields} field{'' if fields == 1 else 's'}, expected {width}"


def _empty(layout: Layout) -> pl.DataFrame:
    return pl.DataFrame(
        schema={key: pl.Categorical if key in layout.categories else pl.String for key in layout.columns}
    )


def texts(parts: Sequence[Part], wanted: Sequence[tuple[str, int]]) -> list[str]:
    """The lines with these files and numbers, as they stand, cut to what a quarantine shows."""
    lines: dict[str, tuple[Part, np.ndarray]] = {}
    found: list[str] = []
    for file, number in wanted:
        if file not in lines:
            part = next(part for part in parts if part.file == file)
            ends = np.flatnonzero(np.frombuffer(part.data, np.uint8) == 10)
            lines[file] = part, np.concatenate([[0], ends + 1, [len(part.data)]])
        part, starts = lines[file]
        at = number - part.line
        found.append(shown(part.data[starts[at] : min(starts[at + 1], starts[at] + MOST_BYTES)]))
    return found
