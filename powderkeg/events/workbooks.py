"""How do the sheets of a workbook become rows like those of a text table?

In: a member that is a workbook: .xlsx, .xlsm, .xlsb, .xls, .ods. Out: each sheet as comma-separated text, dates as
2018-06-01 00:00:00 and numbers with the digits they have, so that one and the same code finds the format and reads the
rows; a row's line is its number in the sheet. The reader is fastexcel (calamine), an extra that need not be there.
"""

from __future__ import annotations

import importlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from powderkeg.errors import nearest_name
from powderkeg.events.archives import Member, Room
from powderkeg.events.files import PIECE, FileFault
from powderkeg.events.foreign import read_by_others
from powderkeg.events.records import text_of_rows

MOST_CELLS = 50_000_000
INSTALL = "pip install 'powderkeg[excel]', or the sheet saved as CSV"
CELL = re.compile(rb'<c r="([A-Z]{1,3})(\d{1,7})"')


@dataclass(frozen=True)
class Sheet:
    """One sheet, as a member of text."""

    name: str
    member: Member


def sheets(member: Member, wanted: str | None) -> Iterator[Sheet]:
    """The sheets of a workbook that hold more than one row, in order; only the one wanted, if one is.

    Raises FileFault: no reader installed, a broken workbook, no such sheet, no row in any.
    """
    try:
        fastexcel = importlib.import_module("fastexcel")
    except ImportError:
        raise FileFault(member.name, "a workbook, for which no reader is installed", INSTALL) from None
    _refuse_swollen(member)
    with read_by_others(member.name, "workbook", "a workbook that a spreadsheet can open"):
        book = fastexcel.read_excel(member.path)
        names = list(book.sheet_names)
    if wanted is not None and wanted not in names:
        close = nearest_name(wanted, names)
        expected = f"one of {', '.join(names)}" + (f"; nearest: {close!r}" if close else "")
        raise FileFault(member.name, f"no sheet {wanted!r}", expected)
    found = False
    for name in names if wanted is None else [wanted]:
        rows = _rows(member, book, name)
        if sum(row is not None for row in rows) > 1:
            found = True
            text = b"".join(text_of_rows(rows))
            shown = f"{member.name}:{name}" if len(names) > 1 else member.name
            yield Sheet(name, Member(shown, member.path, "text", lambda text=text: iter([text])))  # type: ignore[misc]
    if not found:
        raise FileFault(member.name, "a workbook without rows", "a sheet with a header and event rows")


def _rows(member: Member, book: Any, name: str) -> list[list[str] | None]:
    """The texts of a sheet row by row, None for an empty one."""
    with read_by_others(f"{member.name}:{name}", "sheet"):
        frame = book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_polars()
        rows = frame.rows()
    return [[value or "" for value in row] if any(value for value in row) else None for row in rows]


def _refuse_swollen(member: Member) -> None:
    """A workbook is a zip archive that is read whole, and a sheet a table without gaps: neither may be boundless."""
    if not zipfile.is_zipfile(member.path):
        return
    room = Room(member.name, Path(member.path).stat().st_size)
    with read_by_others(member.name, "workbook"), zipfile.ZipFile(member.path) as archive:
        for info in archive.infolist():
            column = row = 0
            with archive.open(info) as stream:
                rest = b""
                while piece := stream.read(PIECE):
                    room.take(len(piece))
                    if "worksheets/" in info.filename:
                        for letters, digits in CELL.findall(rest + piece):
                            row, column = max(row, int(digits)), max(column, _number(letters))
                        rest = piece[-40:]
            if row * column > MOST_CELLS:
                found = f"a sheet of {row:,} rows and {column:,} columns"
                raise FileFault(member.name, found, f"at most {MOST_CELLS:,} cells; larger tables as CSV")


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
