"""Constants of time that every module shares: the length of a year, and what makes a half-life a decay."""

from typing import Final

YEAR: Final = 365.25
"""Days in a year (Julian)."""
LN2: Final = 0.6931471805599453
"""Natural logarithm of 2: a half-life of h days is a decay of LN2 / h a day."""
