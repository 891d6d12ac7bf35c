"""What became of every row: read, kept, set aside, or dropped by which policy?

In: what each step reports. Out: the account of an `EventTable`, in which always
rows_read + the sum of rows_added = rows_kept + rows_set_aside + the sum of rows_dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from powderkeg.errors import Fault, argument
from powderkeg.events.cutting import REPEATED_HEADER, BadRow, Cut
from powderkeg.events.encodings import UNKNOWN, in_others
from powderkeg.events.identity import told
from powderkeg.events.quarantine import COLUMNS as QUARANTINE_COLUMNS
from powderkeg.events.quarantine import Quarantine
from powderkeg.events.rows import DATED_AHEAD, Typed
from powderkeg.events.several import COUNTED, SEVERAL

MOST_SHOWN = 100_000
EXAMPLES = 5


@dataclass
class Account:
    """A running count, for one reading. `as_dict` is what the table carries.

    quarantine  where bad rows are written as they are met; the first MOST_SHOWN are kept in memory too
    strangers   names and acts that are none of the scenario's, of `Matcher.strangers`
    """

    quarantine: Quarantine | None = None
    rows_read: int = 0
    rows_set_aside: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    differing: int = 0
    undirected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    months: Counter[date] = field(default_factory=Counter)
    unknown_codes: Counter[str] = field(default_factory=Counter)
    recoded: int = 0
    odd: bytes = b""
    trimmed: int = 0
    unknown_letters: int = 0
    early: int = 0
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    formats: dict[str, str] = field(default_factory=dict)
    books: set[str] = field(default_factory=set)
    resolutions: set[str] = field(default_factory=set)
    files: int = 0
    faults: list[Fault] = field(default_factory=list)
    said: dict[str, None] = field(default_factory=dict)
    touching: tuple[str, ...] = ()
    passed_over: list[str] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    strangers: Mapping[str, Any] = field(default_factory=dict)

    def take_cut(self, cut: Cut) -> None:
        """Count what cutting a batch met."""
        self.rows_read += cut.records
        self.recoded += cut.recoded
        self.odd = self.odd or cut.odd
        self.trimmed += cut.trimmed
        if cut.repeated:
            self.dropped[REPEATED_HEADER] += cut.repeated
        self.set_aside(cut.bad)

    def take_typed(self, read: Typed) -> None:
        """Count what reading a batch met; bad rows come by `set_aside`, for they need their text."""
        self.dropped.update(read.dropped)
        self.early += read.early
        self.notes.update(read.notes)
        self.months.update(read.months)

    def set_aside(self, bad: Iterable[BadRow]) -> None:
        """Put rows into the quarantine."""
        for row in bad:
            self.rows_set_aside += 1
            self.reasons[_kind(row.reason)] += 1
            if len(self.bad) < MOST_SHOWN:
                self.bad.append(row)
            if self.quarantine is not None:
                self.quarantine.write(row)

    def drop(self, policy: str, rows: int) -> None:
        """Count rows that a policy drops."""
        if rows:
            self.dropped[policy] += rows

    def add(self, reason: str, rows: int) -> None:
        """Count rows beyond those read: a row may be several events."""
        if rows:
            self.added[reason] += rows

    def close(self) -> None:
        """Finish the quarantine file."""
        if self.quarantine is not None:
            self.quarantine.finish()

    def abandon(self) -> None:
        """Leave no quarantine file of a reading that was not finished; after `close` nothing is left to do."""
        if self.quarantine is not None:
            self.quarantine.abandon()

    def as_dict(self, rows_kept: int) -> dict[str, Any]:
        """The account as plain data."""
        formats = list(self.formats)
        more: dict[str, Any] = {"rows_added": dict(sorted(self.added.items()))} if self.added else {}
        if self.touching:
            more["touching"] = list(self.touching)
        if self.strangers:
            more["strangers"] = dict(self.strangers)
        return {
            "format": formats[0] if len(formats) == 1 else formats,
            "codebooks": sorted(self.books),
            "files": self.files,
            "rows_read": self.rows_read,
            "rows_kept": rows_kept,
            "rows_set_aside": self.rows_set_aside,
            "rows_dropped": dict(sorted(self.dropped.items())),
            "set_aside_by_reason": dict(self.reasons.most_common()),
            "unknown_codes": dict(self.unknown_codes.most_common()),
            "recoded": self.recoded,
            "trimmed": self.trimmed,
            "dated_a_year_early": self.early,
            "said": [*self.said, *self._letters(), *self._told(), *noted(self.notes)],
            "files_at_fault": [fault.as_dict() for fault in self.faults],
            "files_passed_over": self.passed_over,
            **more,
        }

    def _letters(self) -> list[str]:
        """What became of letters that are no UTF-8."""
        said: list[str] = []
        if self.recoded:
            rows = f"{self.recoded:,} row{' is' if self.recoded == 1 else 's are'}"
            said.append(
                f"{rows} not UTF-8: read as Windows-1252{in_others(self.odd)}; if it is another encoding, name it with "
                + argument("encoding")
            )
        if self.unknown_letters:
            letters = f"{self.unknown_letters:,} letter{'' if self.unknown_letters == 1 else 's'}"
            said.append(f"{letters} could not be read and stand as {UNKNOWN}")
        return said

    def _told(self) -> list[str]:
        """What became of doubles, and of rows that are several events."""
        said = told(self.same, self.differing)
        if self.added[SEVERAL]:
            n = self.added[SEVERAL]
            said.append(f"rows that name several actors are an event of each, with one event id: {n:,} more than rows")
        if self.added[COUNTED]:
            said.append(f"rows that count events are as many events: {self.added[COUNTED]:,} more than rows")
        if self.undirected:
            n = self.undirected
            said.append(
                f"{n:,} event{'s' * (n != 1)} of two sides, of which the source does not say which one acted; "
                + argument("directed", True)
                + " takes the first"
            )
        if self.dropped[DATED_AHEAD]:
            n = self.dropped[DATED_AHEAD]
            said.append(f"{n:,} row{'s' * (n != 1)} dropped: dated after the day of publication or entry")
        return said

    def coverage(self) -> pl.DataFrame:
        """Events of all kinds by month, also months without any."""
        if not self.months:
            return pl.DataFrame(schema={"month": pl.Date, "events": pl.Int64})
        first, last = min(self.months), max(self.months)
        months = pl.date_range(first, last, "1mo", eager=True).alias("month")
        return pl.DataFrame({"month": months, "events": [self.months.get(month, 0) for month in months]})

    def quarantined(self) -> pl.DataFrame | None:
        """Bad rows by file and line, or None if there are none."""
        if not self.bad:
            return None
        first = {row.file: number for number, row in reversed(list(enumerate(self.bad)))}
        return _bad_frame(sorted(self.bad, key=lambda row: (first[row.file], row.line)))


def noted(notes: Mapping[tuple[str, str], int]) -> list[str]:
    """What became of values that did not mean what they looked like, in words."""
    by_kind: dict[str, dict[str, int]] = {}
    for (kind, value), rows in notes.items():
        by_kind.setdefault(kind, {})[value] = by_kind.get(kind, {}).get(value, 0) + rows
    found = []
    for kind, values in by_kind.items():
        rows, shown = sum(values.values()), _examples(values)
        many = f"{rows:,} row{'' if rows == 1 else 's'}"
        if kind == "zeros":
            found.append(f"codes have lost their leading zeros; they are put back in {many}: {shown}")
        elif kind == "about":
            found.append(
                f"dates that are said to be about right are any day of their year or month, or of three days on either "
                f"side of their day, in {many}: {shown}"
            )
        elif kind == "unsure zeros":
            found.append(f"codes that may have lost a leading zero are left as they are in {many}: {shown}")
        elif kind == "lost id":
            found.append(f"event ids that a spreadsheet rounded name no event, in {many}: {shown}")
        else:
            found.append(f"{kind.removeprefix('no number: ')} left empty in {many}, as no number can be read: {shown}")
    return found


def _examples(values: Mapping[str, int]) -> str:
    ranked = sorted(values, key=lambda value: (-values[value], value))
    more = f" and {len(ranked) - EXAMPLES} more" if len(ranked) > EXAMPLES else ""
    return ", ".join(ranked[:EXAMPLES]) + more


def balance(account: Mapping[str, Any]) -> int:
    """Rows read and added less rows accounted for: 0, always."""
    dropped = sum(account["rows_dropped"].values())
    added = sum(account.get("rows_added", {}).values())
    return int(account["rows_read"] + added - account["rows_kept"] - account["rows_set_aside"] - dropped)


def _bad_frame(bad: list[BadRow]) -> pl.DataFrame:
    rows = [(row.file, row.line, row.reason, row.text) for row in bad]
    return pl.DataFrame(rows, schema=QUARANTINE_COLUMNS, orient="row")


def _kind(reason: str) -> str:
    """The reason without what stood in the row: "bad date '2019-02-29'" is a bad date."""
    return reason.split(" '", 1)[0] if not reason[:1].isdigit() else "wrong number of fields"
