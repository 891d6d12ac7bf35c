"""Units of time that every module shares: the length of a year, what makes a half-life a decay, how rates are said."""

from typing import Final

YEAR: Final = 365.25
"""Days in a year (Julian)."""
OFTEN: Final = 1.0 / 3.0
"""Acts a day from which a rate is told by the day."""
LN2: Final = 0.6931471805599453
"""Natural logarithm of 2: a half-life of h days is a decay of LN2 / h a day."""


def spoken_rate(largest: float) -> tuple[float, str]:
    """(scale, unit) in which people read rates up to so many a day: by the year if below one in three days."""
    return (YEAR, "per year") if largest < OFTEN else (1.0, "per day")
