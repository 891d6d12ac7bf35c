"""How are numbers said, on the screen, in figures, pages and messages alike?

In: numbers. Out: short texts. What somebody wrote into a scenario is said with `number`, what was counted or estimated
with `measured`, shares with `percent`.
"""

from __future__ import annotations


def number(value: float) -> str:
    """Three digits, without an exponent where that is readable: 0.35, 12.5, 4,000."""
    if value != 0 and not 1e-5 <= abs(value) < 1e9:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if 0 < abs(value) < 0.001 else f"{float(f'{value:.3g}'):g}"


def percent(share: float) -> str:
    """30 %, 2.5 %, 0.12 %, 99.6 %: two digits, but never 0 or 100 where it is not."""
    if 0 < share < 0.00005:
        return "<0.01 %"
    if 0.995 <= share < 1.0:
        return f"{int(1000 * share) / 10} %"
    return f"{float(f'{100 * share:.2g}'):g} %"


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 act, 1,200 acts."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def in_years(years: float) -> str:
    """1 year, 2.5 years."""
    return f"{years:g} {'year' if years == 1 else 'years'}"


def measured(value: float | None) -> str:
    """Three figures, two below 1; whole numbers as they are; no exponent for what people count in."""
    if value is None:
        return "–"
    if abs(value - round(value)) < 1e-9 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 0.0005:
        return f"{value:.1e}"
    return f"{value:#.3g}" if abs(value) >= 1 else f"{value:#.2g}"
