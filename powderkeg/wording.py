"""How are numbers said, on the screen, in figures, pages and messages alike?

In: numbers. Out: short texts. What somebody wrote into a scenario is said with `number`, what was counted or estimated
with `measured`, shares with `percent`, what stands in a column of so many digits with `plain`. How lines of pages and
figures run is settled here too: where they may not break, and what runs from right to left in them.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

MINUS = "−"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LEAST, MOST = 1e-7, 1e15
"""Outside of these a number is said as a power of ten: its zeros would have to be counted."""
NO_BREAK = "\u00a0"
UNIT = r"(?:[%‰×]|(?:days?|hours?|weeks?|months?|years?|minutes?|seconds?|points?|nats)\b)"
BEFORE_UNIT = re.compile(rf"(?<=[\d\]]) (?={UNIT})")
LEFTWARD = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
"""Letters of Hebrew, Arabic and what else runs from right to left."""
LEFTWARD_RUN = re.compile(rf"[{LEFTWARD}](?:(?:[^\w{LEFTWARD}]|[0-9_])*[{LEFTWARD}])*")
TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Signs by which a text turns what follows it."""


def plain(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """So many digits, plain, with a true minus sign: 0.00031, −0.35, 12.5, 4,000; 2.1 × 10⁻⁹.

    signed  with a plus before what is above 0
    """
    if value is None:
        return "–"
    size = abs(value)
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    if math.isinf(size):
        return f"{sign}∞"
    if size and not LEAST <= size < MOST:
        head, power = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{float(head):g} × 10{str(int(power)).translate(RAISED)}"
    if size >= 10 ** (digits - 1):
        return f"{sign}{size:,.0f}"
    return f"{sign}{Decimal(f'{size:.{digits}g}'):,f}"


def bracketed(low: float | None, high: float | None, digits: int = 3) -> str:
    """[0.12, 0.31]."""
    return f"[{plain(low, digits)}, {plain(high, digits)}]"


def signed(value: float, places: int) -> str:
    """With its sign, to so many places: +0.35, −1.20, 0.00."""
    told = f"{abs(value):,.{places}f}"
    return told if not told.strip("0.,") else f"{'+' if value > 0 else MINUS}{told}"


def signed_span(low: float, high: float, places: int) -> str:
    """[−0.12, +0.31]."""
    return f"[{signed(low, places)}, {signed(high, places)}]"


def number(value: float) -> str:
    """Three digits, without an exponent where that is readable: 0.35, 12.5, 4,000."""
    return plain(value)


def percent(share: float) -> str:
    """30 %, 2.5 %, 0.12 %, 99.6 %: two digits, but never 0 or 100 where it is not."""
    if 0 < share < 0.00005:
        return "<0.01 %"
    if 0.995 <= share < 1.0:
        return f"{int(1000 * share) / 10} %"
    return f"{plain(float(f'{100 * share:.2g}'), 2)} %"


def chance(p: float) -> str:
    """A p value: 0.034, 0.61, <0.0001."""
    return "<0.0001" if p < 0.0001 else plain(p, 2)


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 act, 1,200 acts."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def deed(who: str, act: str, whom: str = "") -> str:
    """Protesters → Police: lifts a blockade. Titles of actors are one or many: no sentence fits both, this does."""
    return f"{who} → {whom}: {act}" if whom else f"{who}: {act}"


def amid(title: str) -> str:
    """A title inside a sentence: the West, not The West; NATO stays."""
    return f"t{title[1:]}" if title.startswith("The ") else title


def in_years(years: float) -> str:
    """1 year, 2.5 years."""
    return f"{years:g} {'year' if years == 1 else 'years'}"


def measured(value: float | None) -> str:
    """Three figures, two below 1; whole numbers as they are; no exponent for what people count in."""
    if value is None:
        return "–"
    size, sign = abs(value), MINUS if value < 0 else ""
    if size >= MOST or 1e-9 <= size < 0.0005:
        return plain(value, 2)
    if abs(size - round(size)) < 1e-9 or size >= 100:
        return f"{sign if round(size) else ''}{size:,.0f}"
    told = f"{size:#.3g}" if size >= 1 else f"{size:#.2g}"
    return sign + told.removesuffix(".")


def unbroken(text: str) -> str:
    """The text with what keeps a number and its unit on one line."""
    return BEFORE_UNIT.sub(NO_BREAK, text)


def isolated(text: str) -> str:
    """The text with what runs from right to left kept to itself: the numbers behind it stay where they are."""
    return LEFTWARD_RUN.sub("\u2068\\g<0>\u2069", TURNS.sub("", text))
