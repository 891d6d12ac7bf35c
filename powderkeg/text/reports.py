"""Which texts are there to code, and of which day is each?

In: files and folders of plain text, Markdown, HTML or PDF; tables (CSV, JSONL, Parquet) with a column of texts;
standard input. Out: reports, one after the other: a text with its name, id, day and source. The day comes from the row,
from front matter, from the file's name, from a page's own date, or from what the user says.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import Any

from powderkeg.errors import EventError, Fault, UsageError, argument, nearest_name
from powderkeg.text.days import day_written

PDF = ".pdf"
PLAIN, PAGES, TABLES = (".txt", ".text", ".md", ".markdown", ".log"), (".html", ".htm", ".xhtml"), (
    ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".json")  # fmt: skip
COLUMNS = {
    "text": ("text", "sentence", "body", "content", "article", "story", "report", "article_text", "full_text",
             "notes", "message"),
    "date": ("date", "day", "when", "published", "pubdate", "publication_date", "datetime", "time", "event_date",
             "timestamp", "date_published"),
    "id": ("id", "doc_id", "docid", "article_id", "report_id", "event_id", "uid", "url", "story_id"),
    "source": ("source", "publisher", "publication", "newspaper", "outlet", "agency"),
}  # fmt: skip
GIVEN = {"actor": ("source_actor", "actor", "actor1", "source_text", "source"),
         "recipient": ("target_actor", "recipient", "actor2", "target_text", "target")}  # fmt: skip
PDF_BEGINS = b"%PDF-"
AFTERMATH = "nothing was coded"
LARGEST = 200 << 20
SNIFFED = 4096
SEEN = 100


@dataclass(frozen=True)
class Report:
    """A text to code.

    name    the file as the user named it; line: its row in a table, or 1
    day     of the report, or None where nothing says it
    source  who published it, where a table says so
    given   the actor and the recipient, where a table gives them
    fault   why it cannot be coded, or ""
    share   how much of all that is read lies behind it, 0 to 1; 0 where that cannot be told
    """

    name: str
    line: int
    id: str
    text: str
    day: date | None
    source: str = ""
    given: tuple[str, str] | None = None
    fault: str = ""
    share: float = 0.0


def reports(
    paths: Iterable[str | Path], day: date | None = None, mapping: Mapping[str, str] | None = None, given: bool = False
) -> Iterator[Report]:
    """Every report of files, folders and standard input (`-`), as they are met.

    day      of every report that says none itself
    mapping  field -> column, for tables whose columns do not say what they hold
    given    the tables say who acts on whom: columns source and target hold actors
    Raises EventError for a file that is not there or is no text.
    """
    wanted = dict(mapping or {})
    unknown = [one for one in wanted if one not in (*COLUMNS, *GIVEN)]
    if unknown:
        expected = f"one of {', '.join((*COLUMNS, *GIVEN))}"
        raise UsageError(Fault.at(f"mapping {unknown[0]}", f"unknown field {unknown[0]!r}", expected,
                               nearest_name(unknown[0], (*COLUMNS, *GIVEN))))  # fmt: skip
    found = files(paths)
    sizes = [0 if str(path) == "-" else path.stat().st_size for path in found]
    whole, behind = max(sum(sizes), 1), 0
    for path, size in zip(found, sizes, strict=True):
        if str(path) == "-":
            yield _of_text("standard input", sys.stdin.buffer.read(), day)
        elif path.suffix.lower() in TABLES:
            for one in _of_table(path, day, wanted, given):  # its own share is that of this table
                yield replace(one, share=(behind + one.share * size) / whole)
        else:
            yield replace(_of_file(path, day), share=(behind + size) / whole)
        behind += size


def files(paths: Iterable[str | Path]) -> list[Path]:
    """The files that are meant, those of folders in order of name. Raises EventError for what is not there."""
    found: list[Path] = []
    faults: list[Fault] = []
    for given in paths:
        path = Path(given)
        if str(given) == "-":
            found.append(path)
        elif path.is_dir():
            inside = [one for one in sorted(path.rglob("*")) if one.is_file() and not one.name.startswith(".")]
            texts = [one for one in inside if one.suffix.lower() in (*PLAIN, *PAGES, PDF, *TABLES)]
            if not texts:
                expected = f"files that end in {', '.join((*PLAIN, *PAGES, PDF, *TABLES))}"
                faults.append(Fault(str(given), None, "", "a folder without texts", expected))
            found += texts
        elif path.is_file():
            found.append(path)
        else:
            nearest = nearest_name(
                path.name, [one.name for one in path.parent.glob("*")] if path.parent.is_dir() else []
            )
            faults.append(Fault(str(given), None, "", "no such file", "a file or a folder of reports", nearest))
    if faults:
        raise EventError(faults, AFTERMATH)
    return found


def without_day(name: str, lines: Sequence[int] = (1,)) -> Fault:
    """The fault of a file's reports of no known day, which begin at these lines."""
    expected = (
        argument("date", "2022-12-27") + ", a date in the file's name (2022-12-27.txt), a line 'date: 2022-12-27' in "
        "front matter, or a column named date (" + argument("mapping", {"date": "COLUMN"}) + " if it has another name)"
    )
    first = lines[0] if lines[0] > 1 else None
    if len(lines) == 1:
        return Fault(name, first, "", "no date", expected)
    shown = ", ".join(f"{line:,}" for line in lines[:3]) + (", ..." if len(lines) > 3 else "")
    return Fault(name, first, "", f"no date in {len(lines):,} reports (lines {shown})", expected)


def _of_file(path: Path, day: date | None) -> Report:
    try:
        if path.stat().st_size > LARGEST:
            return Report(str(path), 1, path.stem, "", day, fault=f"larger than {LARGEST >> 20} MB")
        raw = path.read_bytes()
    except OSError as error:
        raise EventError(Fault(str(path), None, "", f"cannot be read: {error.strerror or error}"), AFTERMATH) from error
    named = day_written(path.stem)
    if path.suffix.lower() == PDF or raw.startswith(PDF_BEGINS):
        return _of_pdf(str(path), raw, named or day, path.stem)
    if path.suffix.lower() in PAGES or raw[:200].lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return _of_page(path, raw, named or day)
    return _of_text(str(path), raw, named or day, path.stem)


def _of_text(name: str, raw: bytes, day: date | None, stem: str = "") -> Report:
    """Plain text or Markdown, its front matter read and left out."""
    if raw.startswith(PDF_BEGINS):
        return _of_pdf(name, raw, day, stem)
    if b"\x00" in raw[:SNIFFED] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Report(name, 1, stem, "", day, fault="not a text: it holds bytes that no text has")
    text = decoded(raw)
    if not text.strip():
        return Report(name, 1, stem, "", day, fault="empty")
    match = re.match(r"\s*---\s*\n(.*?)\n---\s*\n", text, re.DOTALL)
    source, given_id = "", stem
    if match:
        for line in match[1].splitlines():
            key, _, value = line.partition(":")
            key, value = key.strip().lower(), value.strip().strip("'\"")
            if key in ("date", "day", "published"):
                day = day_written(value) or day
            elif key in ("source", "publisher"):
                source = value
            elif key == "id":
                given_id = value
        text = " " * match.end() + text[match.end() :]
    return Report(name, 1, given_id or name, text, day, source)


def _of_page(path: Path, raw: bytes, day: date | None) -> Report:
    """The main text of a web page."""
    try:
        from trafilatura import bare_extraction
    except ImportError as error:
        from powderkeg.text.parsing import INSTALL

        raise UsageError(Fault(str(path), None, "", "reading HTML needs trafilatura", f"{INSTALL}")) from error
    found: Any = None
    if raw.strip():
        found = bare_extraction(raw, with_metadata=True, include_comments=False, include_tables=False)
    if found is None or not (found.text or "").strip():
        return Report(str(path), 1, path.stem, "", day, fault="no main text found in the page")
    written = day or (day_written(found.date) if found.date else None)
    return Report(str(path), 1, path.stem, found.text, written, found.sitename or "")


def _of_pdf(name: str, raw: bytes, day: date | None, stem: str) -> Report:
    """The text of a PDF, its words broken at ends of lines put together again."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError as error:
        expected = "pip install 'powderkeg[pdf]', or its text taken out first: pdftotext report.pdf report.txt"
        raise UsageError(Fault(name, None, "", "reading a PDF needs pypdf", expected)) from error
    try:
        reader = PdfReader(io.BytesIO(raw))
        pages = [page.extract_text() for page in reader.pages]
        created = reader.metadata.creation_date if reader.metadata is not None else None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        fault = f"a PDF that cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        return Report(name, 1, stem or name, "", day, fault=fault)
    text = re.sub(r"(\w)-\n(?=[a-z])", r"\1", "\n\n".join(pages))
    text = re.sub(r"(?<![.!?:\n])\n(?!\n)", " ", text)
    if not text.strip():
        return Report(name, 1, stem or name, "", day, fault="a PDF without text: a scan needs OCR first")
    return Report(name, 1, stem or name, text, day or (created.date() if created is not None else None))


def decoded(raw: bytes) -> str:
    """Text of any of the usual encodings."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(name, errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _of_table(path: Path, day: date | None, wanted: Mapping[str, str], given: bool) -> Iterator[Report]:
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        yield Report(str(path), 1, path.stem, "", day, fault="empty")
        return
    begun = [first, *islice(rows, SEEN)]  # records of JSON need not all have the same fields
    names = list(dict.fromkeys(str(name) for _, row, _ in begun for name in row))
    at = _columns(path, names, wanted, given)
    for line, row, share in chain(begun, rows):
        text = str(row.get(at["text"]) or "")
        written = row.get(at["date"]) if "date" in at else None
        own = day_written(written if isinstance(written, str) else str(written)) if written not in (None, "") else None
        if isinstance(written, date):
            own = date(written.year, written.month, written.day)
        fault = "" if text.strip() else "empty"
        if written not in (None, "") and own is None:  # not `day`, which is for texts that say none
            fault = f"bad date {str(written)!r}"
        sides = None
        if given:
            sides = (str(row.get(at["actor"]) or ""), str(row.get(at["recipient"]) or ""))
        yield Report(
            str(path), line, str(row.get(at["id"], "") if "id" in at else f"{path.stem}:{line}"), text, own or day,
            str(row.get(at["source"]) or "") if "source" in at else "", sides, fault, share,
        )  # fmt: skip


def _columns(path: Path, names: list[str], wanted: Mapping[str, str], given: bool) -> dict[str, str]:
    """Field -> column."""
    found: dict[str, str] = {}
    plain = {re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"): name for name in names}
    for field, usual in {**COLUMNS, **(GIVEN if given else {})}.items():
        if field in wanted:
            if wanted[field] not in names:
                expected = f"one of {', '.join(names)}"
                raise EventError(Fault(str(path), None, f"mapping {field}", f"no column {wanted[field]!r}", expected,
                                       nearest_name(wanted[field], names)), AFTERMATH)  # fmt: skip
            found[field] = wanted[field]
        else:
            name = next((plain[one] for one in usual if one in plain), None)
            if name is not None and not (given and field == "source"):
                found[field] = name
    missing = [one for one in ("text", *(GIVEN if given else ())) if one not in found]
    if missing:
        expected = "a column of texts named text, sentence, body or content, or " + argument(
            "mapping", {"text": "COLUMN"}
        )
        if missing != ["text"]:
            expected = "columns text, source and target, or " + argument("mapping", {missing[0]: "COLUMN"})
        found_here = f"no column for {', '.join(missing)} among {', '.join(names)}"
        raise EventError(Fault(str(path), None, "", found_here, expected), AFTERMATH)
    return found


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any], float]]:
    """Rows of a table with their line and the share of the file behind them, a few in memory at a time."""
    kind, size = path.suffix.lower(), max(path.stat().st_size, 1)
    try:
        if kind == ".parquet":
            import polars as pl

            line, many = 0, pl.scan_parquet(path).select(pl.len()).collect().item()
            for frame in pl.scan_parquet(path).collect_batches(chunk_size=2_000):
                for row in frame.iter_rows(named=True):
                    line += 1
                    yield line, row, line / many
        elif kind in (".csv", ".tsv"):
            csv.field_size_limit(1 << 30)
            with path.open("rb") as raw, io.TextIOWrapper(raw, "utf-8-sig", "replace", newline="") as stream:
                reader = csv.DictReader((one.replace("\0", "") for one in stream), delimiter=_separator(path, kind))
                for row in reader:
                    yield reader.line_num, row, raw.tell() / size
        elif kind == ".json":
            records = list(_records(json.loads(decoded(path.read_bytes()))))
            for line, record in enumerate(records, start=1):
                yield line, record, line / len(records)
        else:
            with path.open("rb") as raw, io.TextIOWrapper(raw, "utf-8-sig", "replace") as stream:
                for line, text in enumerate(stream, start=1):
                    if text.strip():
                        record = _json_of(text, path, line)
                        row = record if isinstance(record, dict) else {"text": text}
                        yield line, row, raw.tell() / size
    except (OSError, ValueError, csv.Error) as error:
        raise EventError(
            Fault(str(path), None, "", f"cannot be read: {str(error).splitlines()[0]}"), AFTERMATH
        ) from error


def _json_of(text: str, path: Path, line: int) -> Any:
    """What a line of JSON Lines holds. Raises EventError with the line's number."""
    try:
        return json.loads(text)
    except ValueError as error:
        slip = f"no JSON: {getattr(error, 'msg', error)} at letter {getattr(error, 'colno', 1)}"
        raise EventError(Fault(str(path), line, "", slip, "one record a line"), AFTERMATH) from error


def _records(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, dict):
        inner = next((value for value in data.values() if isinstance(value, list)), [data])
        yield from (one for one in inner if isinstance(one, dict))
    elif isinstance(data, list):
        yield from (one for one in data if isinstance(one, dict))


def _separator(path: Path, kind: str) -> str:
    if kind == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        head = stream.readline()
    return max(",;\t", key=head.count)
