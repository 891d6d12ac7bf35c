"""What stands before the header of a text table?

In: the first bytes of a member. Out: how many lines to pass over, and the separator if one of them names it. People and
programs put there: `sep=;` (Excel), comments that begin with #, a title.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SEPARATORS = "\t,;|"
BLANK = SEPARATORS + ' "\r'
"""What a line without anything in it may be made of: spreadsheets write the separators of empty cells."""
MOST_LINES = 100
NAMED = re.compile(r'^"?sep=(.)"?[;,|\t]*$', re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"')
KEDS_DAY = re.compile(r"\s*\d{6}(\d\d)?\s")
DAY_OR_NUMBER = re.compile(r"\d{4}|^\d+$")


@dataclass(frozen=True)
class Preamble:
    """Lines before the header.

    lines      how many
    separator  the one that `sep=` names
    marked     the header itself begins with #
    said       what was passed over
    """

    lines: int = 0
    separator: str | None = None
    marked: bool = False
    said: tuple[str, ...] = ()


def preamble(start: bytes) -> Preamble:
    """What stands before the header; nothing, where the first line may be one."""
    lines = [line.rstrip("\r") for line in start[: 1 << 16].decode("utf-8", "replace").split("\n")[:MOST_LINES]]
    at = 0
    separator: str | None = None
    passed: list[str] = []
    marked = empty = False
    while at < len(lines) - 1:
        line = lines[at]
        if found := NAMED.match(line.strip("\ufeff ")):
            separator = found[1]
        elif line.startswith("#"):
            if _is_marked_header(line, _next(lines, at)):
                marked = True
                break
            passed.append(line)
        elif _is_above_header(line, lines[at + 1 :]):
            passed.append(line)
        elif line.strip(BLANK) and not (_is_title(line, lines[at + 1 :]) and separator is None):
            break
        elif line.strip(BLANK):
            passed.append(line.rstrip(BLANK))
        else:
            empty |= bool(line.strip())
        at += 1
    if not (separator or passed or marked or empty):
        return Preamble()
    said = (f"passed over before the header: {_told(passed)}",) if passed else ()
    return Preamble(at, separator, marked, said)


def _told(lines: list[str]) -> str:
    more = f" and {len(lines) - 1} more line{'' if len(lines) == 2 else 's'}" if len(lines) > 1 else ""
    return f"{lines[0][:60]!r}{more}"


def _next(lines: list[str], at: int) -> str:
    return next((line for line in lines[at + 1 :] if line.strip()), "")


def _is_marked_header(line: str, after: str) -> bool:
    """`#date,source,code` above `2018-01-01,a,190`: as many fields, and a date or a number in the second only."""
    for one in SEPARATORS:
        fields, below = line.split(one), after.split(one)
        if len(fields) == len(below) > 1:
            numbers = [any(DAY_OR_NUMBER.search(text.strip('" ')) for text in row) for row in (fields, below)]
            return numbers == [False, True]
    return False


def _is_above_header(line: str, below: list[str]) -> bool:
    """Names of groups of columns, as merged cells leave them (`Event,,Who,,`): with empty cells, above a header without
    any, of as many cells, and rows that hold a day or a number, which neither of the two does."""
    rows = [row for row in below if row.strip(BLANK)][:2]
    if len(rows) < 2:
        return False
    for one in SEPARATORS:
        cells = [[cell.strip('" ') for cell in row.split(one)] for row in (line, *rows)]
        if len({len(row) for row in cells}) > 1 or len(cells[0]) < 3:
            continue
        groups, header, _ = cells
        numbers = [any(DAY_OR_NUMBER.search(cell) for cell in row) for row in cells]
        if "" in groups and any(groups) and "" not in header and numbers == [False, False, True]:
            return sum(map(bool, groups)) > 1 and len(set(header)) == len(header)
    return False


def _is_title(line: str, below: list[str]) -> bool:
    """A line without any separator but those of empty cells behind it, above lines that all have the same number of one
    and more than one cell with something in it."""
    if any(one in _title(line) for one in SEPARATORS) or KEDS_DAY.match(line):
        return False
    # What stands in quotes separates nothing: remarks have semicolons in them.
    rows = [QUOTED.sub("q", row) for row in below if row.strip(BLANK)][:20]
    while rows and len(rows) > 1 and rows[0].rstrip(BLANK) != rows[0] and not _cells(rows[0]) > 1:
        rows.pop(0)
    while rows and not any(one in rows[0] for one in SEPARATORS):
        rows.pop(0)
    return len(rows) > 2 and any(
        len({row.count(one) for row in rows[:-1]}) == 1 and one in rows[0] for one in SEPARATORS
    )


def _title(line: str) -> str:
    """A line without the separators of empty cells behind it; nothing of what it holds in quotes separates."""
    text = line.rstrip(BLANK)
    return "" if text.startswith('"') and text.count('"') in (1, 2) and '",' not in text else text


def _cells(line: str) -> int:
    """Cells with something in them, at most, whatever separates."""
    return max(sum(bool(cell.strip(BLANK)) for cell in line.split(one)) for one in SEPARATORS)


def is_quoted(lines: list[str], separator: str) -> bool:
    """Whether double quotes enclose fields. Tab-separated text mostly has none, and a quote in it is a letter; it has
    them where the header begins with one, or every value of some column stands in them (copies that repositories make).
    """
    if separator != "\t" or lines[0].lstrip().startswith('"'):
        return True
    width = lines[0].count(separator)
    rows = [line.rstrip("\r").split(separator) for line in lines[1:200] if line.count(separator) == width]
    columns = ([value for value in column if value] for column in zip(*rows, strict=True))
    return any(column and all(len(v) > 1 and v[0] == v[-1] == '"' for v in column) for column in columns)
