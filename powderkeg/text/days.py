"""On which days did it happen, by the words of a report?

In: words such as "on Friday", "last week", "in December", and the day of the report. Out: the first possible day and
the number of days that the words leave open, as event files have them (`span`). A weekday is the last one before the
report or the report's own; a future verb makes it the next one. What the words leave out is the report's day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

WEEKDAYS = {
    name: n for n, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
}
MONTHS = {
    "january": 1, "february": 2, "march": 3, "april": 4, "may": 5, "june": 6, "july": 7, "august": 8, "september": 9,
    "october": 10, "november": 11, "december": 12,
}  # fmt: skip
SHORT = {name[:3]: n for name, n in MONTHS.items()} | {"sept": 9}
NUMBERS = {"one": 1, "a": 1, "an": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
           "nine": 9, "ten": 10, "several": 3}  # fmt: skip
EARLIEST, LATEST = date(1800, 1, 1), date(2100, 12, 31)

_MONTH = "|".join([*MONTHS, *SHORT])
_WORDS = re.compile(
    rf"""
    (?P<iso>\b\d{{4}}-\d{{2}}-\d{{2}}\b)
    |(?P<d1>\b\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m1>{_MONTH})\b\.?(?:,?\s+(?P<y1>\d{{4}}))?
    |\b(?P<m2>{_MONTH})\b\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>\d{{4}})\b)?
    |\b(?P<today>today|tonight|this\s+(?:morning|afternoon|evening)|overnight)\b
    |\b(?P<yesterday>yesterday|last\s+night)\b
    |\b(?P<count>\d{{1,3}}|{"|".join(NUMBERS)})\s+(?P<unit>day|week|month|year)s?\s+(?:ago|earlier|before)\b
    |\b(?P<last>last|this|earlier\s+this|past|next)\s+(?P<period>week|month|year|weekend)\b
    |\b(?:last\s+|next\s+|late\s+|early\s+)?(?P<weekday>{"|".join(WEEKDAYS)})\b
    |\b(?:in|since|during|late|early|last)\s+(?P<m3>{"|".join(MONTHS)})\b(?:,?\s+(?P<y3>\d{{4}})\b)?
    |\bin\s+(?P<y4>(?:18|19|20)\d\d)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Days:
    """The first possible day, how many days are possible, and the words that say so with their offsets."""

    first: date
    span: float
    words: str = ""
    start: int = 0
    end: int = 0


def days_in(text: str, report: date) -> list[Days]:
    """Every word for a day in a text."""
    found = []
    for match in _WORDS.finditer(text):
        read = _read(match, report)
        if read is not None and EARLIEST <= read[0] <= LATEST:
            found.append(Days(*read, match.group(0), match.start(), match.end()))
    return found


def days_near(found: list[Days], position: int, report: date, ahead: bool) -> Days:
    """The words for a day that stand nearest to a place in the text; without any, the report's day."""
    if not found:
        return Days(report, 1.0)
    nearest = min(found, key=lambda one: min(abs(one.start - position), abs(one.end - position)))
    if nearest.first > report and not ahead:
        return Days(report, 1.0)
    return nearest


def day_written(text: str) -> date | None:
    """The day that a date in a table, a file's name or front matter means; None if it is none, or could be two."""
    said = text.strip()
    match = re.search(r"(?<!\d)(\d{4})[-_./](\d{1,2})[-_./](\d{1,2})(?!\d)", said) or re.search(
        r"(?<!\d)((?:19|20)\d{2})(\d{2})(\d{2})(?!\d)", said
    )
    try:
        if match:
            return _within(date(*map(int, match.groups())))
        match = re.search(rf"(?i)(\d{{1,2}})(?:st|nd|rd|th)?[ _-]+({_MONTH})[a-z]*\.?,?[ _-]+(\d{{4}})", said)
        if match:
            return _within(date(int(match[3]), _month(match[2]), int(match[1])))
        match = re.search(rf"(?i)({_MONTH})[a-z]*\.?[ _-]+(\d{{1,2}})(?:st|nd|rd|th)?,?[ _-]+(\d{{4}})", said)
        if match:
            return _within(date(int(match[3]), _month(match[1]), int(match[2])))
        match = re.fullmatch(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:\D.*)?", said)
        if match:
            first, second = int(match[1]), int(match[3])
            if match[2] == "." or first > 12:
                return _within(date(int(match[4]), second, first))
            if second > 12:
                return _within(date(int(match[4]), first, second))
    except ValueError:
        return None
    return None


def _within(day: date) -> date | None:
    return day if EARLIEST <= day <= LATEST else None


def _month(name: str) -> int:
    return SHORT[name[:3].lower()]


def _read(match: re.Match[str], report: date) -> tuple[date, float] | None:
    said = match.groupdict()
    try:
        if said["iso"]:
            return date.fromisoformat(said["iso"]), 1.0
        for number, name, of_year in (("d1", "m1", "y1"), ("d2", "m2", "y2")):
            if said[number]:
                return _dated(int(said[number]), _month(said[name]), said[of_year], report)
    except ValueError:
        return None
    if said["today"]:
        return report, 1.0
    if said["yesterday"]:
        return report - timedelta(days=1), 1.0
    if said["count"]:
        return _ago(said["count"].lower(), said["unit"].lower(), report)
    if said["last"]:
        return _period(said["last"].lower(), said["period"].lower(), report)
    if said["weekday"]:
        return _weekday(match.group(0).lower(), WEEKDAYS[said["weekday"].lower()], report)
    if said["m3"]:
        month = MONTHS[said["m3"].lower()]
        year = int(said["y3"]) if said["y3"] else report.year - (month > report.month)
        return date(year, month, 1), float(monthrange(year, month)[1])
    if said["y4"]:
        year = int(said["y4"])
        return date(year, 1, 1), float((date(year + 1, 1, 1) - date(year, 1, 1)).days)
    return None


def _dated(day: int, month: int, year: str | None, report: date) -> tuple[date, float]:
    if year:
        return date(int(year), month, day), 1.0
    found = date(report.year, month, day)
    # A day without a year is the one nearest to the report.
    if (found - report).days > 183:
        found = date(report.year - 1, month, day)
    elif (report - found).days > 183 and (date(report.year + 1, month, day) - report).days < 62:
        found = date(report.year + 1, month, day)
    return found, 1.0


def _ago(count: str, unit: str, report: date) -> tuple[date, float]:
    number = NUMBERS.get(count) or int(count)
    days = {"day": 1, "week": 7, "month": 30, "year": 365}[unit] * number
    span = {"day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}[unit]
    if count == "several":
        span = max(span, 7.0)
    return report - timedelta(days=int(days + (span - 1) // 2)), span


def _period(which: str, period: str, report: date) -> tuple[date, float]:
    if period == "weekend":
        saturday = report - timedelta(days=(report.weekday() - 5) % 7)
        return saturday + timedelta(days=7 if which == "next" else 0), 2.0
    if period == "week":
        monday = report - timedelta(days=report.weekday())
        step = {"last": -7, "past": -7, "next": 7}.get(which, 0)
        if step:
            return monday + timedelta(days=step), 7.0
        return monday, float((report - monday).days + 1)
    if period == "month":
        first = report.replace(day=1)
        if which in ("last", "past"):
            first = (first - timedelta(days=1)).replace(day=1)
        elif which == "next":
            first = (first + timedelta(days=32)).replace(day=1)
        else:
            return first, float(report.day)
        return first, float(monthrange(first.year, first.month)[1])
    year = report.year + {"last": -1, "past": -1, "next": 1}.get(which, 0)
    first = date(year, 1, 1)
    if year == report.year:
        return first, float((report - first).days + 1)
    return first, float((date(year + 1, 1, 1) - first).days)


def _weekday(said: str, weekday: int, report: date) -> tuple[date, float]:
    if said.startswith("next"):
        return report + timedelta(days=(weekday - report.weekday() - 1) % 7 + 1), 1.0
    back = (report.weekday() - weekday) % 7
    if said.startswith("last") and back == 0:
        back = 7
    return report - timedelta(days=back), 1.0
