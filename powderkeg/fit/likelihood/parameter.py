"""One number of a scenario that the likelihood can see.

In: nothing. Out: `FitParameter`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitParameter:
    """One number of the scenario that the likelihood can see.

    path      key path, as in `mechanisms.retaliation.answers`
    kind      rate, answers, half_life, factor, shape (of the law of the channels that share a rate), or repeats
              (further reports of an act)
    value     as the scenario has it, in days, per day or as a plain number
    low, high range that the scenario gives, or None
    place     position in the parameter vector
    free      whether it is estimated
    why_held  why not, where it would have been by default
    """

    path: str
    kind: str
    value: float
    low: float | None
    high: float | None
    place: int
    free: bool
    why_held: str = ""
