"""How do JSON records become rows like those of a text table?

In: a member whose text is JSON: an array of records, an answer of an API (ACLED, UCDP: the records stand under `data`
or `Result`), a table as pandas writes it, GeoJSON, or JSON Lines. Out: the same member as comma-separated text, a
header of all keys and a row for each record, so that one and the same code finds the format, reads the rows and sets
bad ones aside. Numbers keep their digits; an object inside a record gives columns such as `actor.name`, a list of plain
values is joined by semicolons, lists of records are left out and named.

A row's line is the number of its record, from 1; in JSON Lines the line of the file.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from powderkeg.events.archives import Member
from powderkeg.events.encodings import all_utf8, as_utf8
from powderkeg.events.files import PIECE, TEXT_SHOWN, FileFault

LARGEST_DOCUMENT = 256 << 20
LONGEST_LINE = 16 << 20
MOST_KEYS = 2_000
MOST_LEVELS = 4
HOLDERS = ("data", "Result", "results", "result", "events", "records", "rows", "items", "value", "features")
"""Keys under which an answer holds its records, those that APIs of event data use first."""
REASONS = ("error", "errors", "message", "detail", "error_description")
TWICE = "\0twice"
ONE_LINE = str.maketrans({"\r": " ", "\n": " "})


@dataclass(frozen=True)
class Unread:
    """A record that could not be made into a row."""

    file: str
    line: int
    reason: str
    text: str


@dataclass
class RecordsText:
    """A member as comma-separated text.

    member  its pieces are that text; where a record is no row stands an empty line
    said    what a user would want to hear
    unread  the records met in the latest pass that are no rows; to be emptied by the reader
    """

    member: Member
    said: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def is_json(start: bytes) -> bool:
    """Whether text begins as JSON does."""
    text = start.lstrip()
    if text[:1] == b"{":
        return text[1:].lstrip()[:1] in (b'"', b"}")
    return text[:1] == b"[" and text[1:].lstrip()[:1] in (b"{", b"[", b"]")


def table_of_json(member: Member, encoding: str | None) -> RecordsText:
    """The records of a JSON member as a table.

    Raises FileFault: broken JSON, an error that an API answered, no records in it.
    """
    table = RecordsText(member)
    if _is_lines(member, encoding):
        rows: Callable[[], Iterator[object]] = lambda: _line_records(member, encoding)  # noqa: E731
    else:
        found = _records(member.name, _document(member, encoding), table.said)
        rows = lambda: iter(found)  # noqa: E731
    keys = _keys(member.name, rows())
    if keys.left:
        table.said.append(f"left out, for they hold lists of records: {', '.join(sorted(keys.left)[:20])}")
    table.member = Member(member.name, member.path, "text", lambda: _text(table, keys, rows()))
    return table


def text_of_rows(rows: Iterable[Iterable[str] | None]) -> Iterator[bytes]:
    """Rows as comma-separated text, in pieces; None is an empty line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        if row is None:
            out.write("\n")
        else:
            writer.writerow([value.translate(ONE_LINE) for value in row])
        if out.tell() >= PIECE:
            yield _bytes(out.getvalue())
            out.seek(0)
            out.truncate()
    yield _bytes(out.getvalue())


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a letter beyond the first 65,536, which JSON can hold
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _is_lines(member: Member, encoding: str | None) -> bool:
    """Whether each line is a record: the first line is one, and another follows."""
    start = b""
    for piece in as_utf8(member.pieces(), encoding):
        start += piece
        if start.count(b"\n") > 2 or len(start) > LONGEST_LINE:
            break
    first, _, rest = start.lstrip().partition(b"\n")
    if not rest.lstrip().startswith(b"{") or not first.startswith(b"{"):
        return False
    return isinstance(_parsed(first), dict)


def _line_records(member: Member, encoding: str | None) -> Iterator[object]:
    """What each line holds: a record, an _Broken, or None for an empty line."""
    rest = b""
    for piece in as_utf8(member.pieces(), encoding):
        *lines, rest = (rest + piece).split(b"\n")
        yield from map(_line_record, lines)
        if len(rest) > LONGEST_LINE:
            raise FileFault(member.name, f"a line longer than {LONGEST_LINE >> 20} MB", "a record a line")
    if rest.strip():
        yield _line_record(rest)


def _line_record(line: bytes) -> object:
    return None if not line.strip() else _parsed(all_utf8(line))


@dataclass(frozen=True)
class _BadRecord:
    reason: str
    text: str


def _parsed(text: bytes) -> object:
    try:
        return _loads(text.decode())
    except (ValueError, RecursionError) as error:
        said = getattr(error, "msg", None) or "nested too deeply"
        return _BadRecord(f"broken JSON: {said}", text[:TEXT_SHOWN].decode("utf-8", "replace"))


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        found[TWICE] = True
    return found


def _document(member: Member, encoding: str | None) -> Any:
    gathered: list[bytes] = []
    size = 0
    for piece in as_utf8(member.pieces(), encoding):
        gathered.append(piece)
        size += len(piece)
        if size > LARGEST_DOCUMENT:
            found = f"one JSON document of more than {LARGEST_DOCUMENT >> 20} MB"
            raise FileFault(member.name, found, "JSON Lines (a record a line), CSV or Parquet")
    try:
        return _loads(all_utf8(b"".join(gathered)).decode())
    except json.JSONDecodeError as error:
        found = f"broken JSON: {error.msg}"
        raise FileFault(member.name, found, "a whole answer; the download may have broken off", error.lineno) from error
    except RecursionError as error:
        raise FileFault(member.name, "JSON that is nested too deeply", "a list of records") from error


def _records(file: str, found: Any, said: list[str]) -> list[object]:
    """The records in a document, wherever they stand in it."""
    if isinstance(found, list):
        return _of_list(file, found)
    if not isinstance(found, dict):
        raise FileFault(file, "JSON, but no records in it", "a list of records")
    holder = _holder(found)
    _refuse_errors(file, found, holder)
    if holder is None:
        columns = _of_columns(found)
        if columns is not None:
            return columns
        if any(not isinstance(value, (dict, list)) for value in found.values()):
            return [found]
        keys = ", ".join(list(found)[:10]) or "nothing"
        raise FileFault(file, f"JSON, but no list of records in it; its keys: {keys}", f"records under {HOLDERS[0]}")
    records = found[holder]
    if holder == "features":
        records = [one.get("properties") if isinstance(one, dict) else one for one in records]
    names = found.get("columns")
    if isinstance(names, list) and records and all(isinstance(one, list) for one in records):
        return [dict(zip(map(str, names), one, strict=False)) if len(one) == len(names) else one for one in records]
    _say_pages(found, len(records), said)
    return _of_list(file, records)


def _of_list(file: str, records: list[Any]) -> list[object]:
    if records and all(isinstance(one, list) for one in records):
        names = [str(name) for name in records[0]]
        return [dict(zip(names, row, strict=True)) if len(row) == len(names) else row for row in records[1:]]
    if records and not any(isinstance(one, dict) for one in records):
        raise FileFault(file, "a JSON list without records", "a list of records: [{...}, {...}]")
    return list(records)


def _holder(found: Mapping[str, Any]) -> str | None:
    lists = [key for key, value in found.items() if isinstance(value, list)]
    known = [key for key in HOLDERS if key in lists]
    if known:
        return known[0]
    full = [key for key in lists if found[key] and all(isinstance(one, dict) for one in found[key])]
    return full[0] if len(full) == 1 else None


def _refuse_errors(file: str, found: Mapping[str, Any], holder: str | None) -> None:
    """An API that answers with an error is no table; what it said is told."""
    status = str(found.get("status", found.get("statusCode", found.get("code", ""))))
    failed = found.get("success") is False or (status.isdecimal() and int(status) >= 400)
    said = next(
        (found[key] for key in ("error", "errors", "message", "detail", "error_description") if found.get(key)), None
    )
    if failed or (said is not None and holder is None and len(found) <= 6):
        words = said if isinstance(said, str) else json.dumps(said or "no reason given", ensure_ascii=False)
        number = f" {status}" if status.isdecimal() else ""
        raise FileFault(
            file, f"the answer of an API that says error{number}: {words[:TEXT_SHOWN]}", "the data themselves"
        )


def _say_pages(found: Mapping[str, Any], records: int, said: list[str]) -> None:
    """Say where an answer is only a part of what there is."""
    pages = str(found.get("TotalPages", found.get("total_pages", "")))
    if pages.isdecimal() and int(pages) > 1:
        said.append(f"a page of {int(pages):,} of the API's answer: the others are not in this file")
    for key in ("TotalCount", "total_count", "total", "count"):
        count = str(found.get(key, ""))
        if count.isdecimal() and int(count) > records and not said:
            said.append(f"the answer holds {records:,} records of {int(count):,}: the others are not in this file")


def _of_columns(found: Mapping[str, Any]) -> list[object] | None:
    """Records of a table written column by column, as pandas does unless told otherwise; None if it is none."""
    columns = list(found.values())
    if len(columns) < 2:
        return None
    if all(isinstance(column, dict) for column in columns) and columns[0]:
        rows = list(columns[0])
        if all(list(column) == rows for column in columns):
            return [{name: column[row] for name, column in found.items()} for row in rows]
    if all(isinstance(column, list) for column in columns) and len({len(column) for column in columns}) == 1:
        return [dict(zip(found, row, strict=True)) for row in zip(*columns, strict=True)]
    return None


@dataclass(frozen=True)
class _Keys:
    """What the records hold.

    names  keys that become columns, in the order they are met
    plain  those under which most records hold a plain value: one that holds an object there is no row
    left   keys that hold lists of records
    """

    names: list[str]
    plain: frozenset[str]
    left: frozenset[str]


def _keys(file: str, rows: Iterator[object]) -> _Keys:
    names: dict[str, None] = {}
    full, nested, lists = Counter[str](), Counter[str](), set[str]()
    for row in rows:
        if isinstance(row, dict):
            for key, value in _flat(row):
                if value is _OBJECT or value is _NESTED:
                    nested[key] += 1
                    lists |= {key} if value is _NESTED else set()
                else:
                    names.setdefault(key)
                    full[key] += value not in (None, "", [])
            if len(names) > MOST_KEYS:
                raise FileFault(file, f"records with more than {MOST_KEYS:,} different keys", "records that are alike")
    left = frozenset(key for key in lists if full[key] <= nested[key])
    kept = [name for name in names if name not in left]
    if not kept:
        raise FileFault(file, "no event row", "records with a date, a source and a code")
    return _Keys(kept, frozenset(key for key in kept if full[key] > nested[key] > 0), left)


WRAPPERS = ("$date", "$oid", "$uuid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal")
_NESTED, _OBJECT = object(), object()


def _flat(record: Mapping[str, Any], before: str = "", level: int = 1) -> Iterator[tuple[str, object]]:
    """(column, plain value) of a record; objects in it give columns of their own, and are told before them."""
    for key, value in record.items():
        if key == TWICE:
            continue
        name = f"{before}{key}"
        value = _unwrapped(value)
        if isinstance(value, dict):
            if level >= MOST_LEVELS:
                yield name, _NESTED
            else:
                yield name, _OBJECT
                yield from _flat(value, f"{name}.", level + 1)
        elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
            yield name, _NESTED
        else:
            yield name, value


def _unwrapped(value: object) -> object:
    """What a database wrapped to say its type, as MongoDB exports dates and ids: {"$date": "2018-06-01T00:00:00Z"}."""
    while isinstance(value, dict) and len(value) == 1 and next(iter(value)) in WRAPPERS:
        value = next(iter(value.values()))
    return value


def _text(table: RecordsText, keys: _Keys, rows: Iterator[object]) -> Iterator[bytes]:
    table.unread.clear()
    number = {name: place for place, name in enumerate(keys.names)}
    made = (_row(table, number, keys.plain, line, row) for line, row in enumerate(rows, start=1))
    yield from text_of_rows(itertools.chain([keys.names], made))


def _row(
    table: RecordsText, number: Mapping[str, int], plain: Collection[str], line: int, record: object
) -> list[str] | None:
    """The texts of a record, one a column; None where it is none, which is then told."""
    if record is None:
        return None
    if isinstance(record, dict) and TWICE not in record:
        row = [""] * len(number)
        odd = ""
        for key, value in _flat(record):
            if value is _NESTED or value is _OBJECT:
                odd = odd or (key if key in plain else "")
            elif key in number:
                row[number[key]] = _plain(value)
        if any(row) and not odd:
            return row
        reason, text = "an empty record", "{}"
        if odd:
            reason = f"{odd!r} holds an object or a list of records, where others hold a value"
            text = json.dumps(record, ensure_ascii=False)
    elif isinstance(record, _BadRecord):
        reason, text = record.reason, record.text
    else:
        reason = "a key stands twice in the record" if isinstance(record, dict) else "no record, but a value"
        text = json.dumps(record, ensure_ascii=False)
    table.unread.append(Unread(table.member.name, line, reason, text))
    return None


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(_plain(one) for one in value if one is not None)
    return str(value)
