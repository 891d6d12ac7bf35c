"""How many people die in an act? The field `deaths` of a kind of deed in a scenario file.

In: nothing. Out: `DeathLaw`, which `declared` puts into acts. The mathematics of the law stands in `model.deaths`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from powderkeg.reading import NUMBER, SHARE, SOURCE, Amount, Quantity, RecordKind, declare

MOST_MEDIAN: Final = 1e6
MOST_SPREAD: Final = 20.0
"""With both at their most the largest number that can be drawn is below 1e17, which a whole number holds."""


@dataclass(frozen=True, kw_only=True)
class DeathLaw:
    """A law of the number of people who die in an act: none, or a lognormal number rounded up."""

    none: Quantity = declare(
        Amount(SHARE, least=0.0, most=1.0, certain=(0.0, 1.0)),
        "Share of such acts in which nobody dies.",
        default=Quantity(0.0),
    )
    median: Quantity = declare(
        Amount(NUMBER, above=0.0, most=MOST_MEDIAN),
        "Of acts in which somebody dies, half have more dead than this; numbers are rounded up.",
    )
    spread: Quantity = declare(
        Amount(NUMBER, least=1.0, most=MOST_SPREAD, certain=(1.0,)),
        "How unequal these are: one in six has more dead than `median` times this, one in 44 than that times this "
        "again; 1: all have as many.",
        default=Quantity(1.0),
    )
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


DEATHS: Final = RecordKind(DeathLaw, "law of deaths")
