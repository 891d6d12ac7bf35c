"""Which kinds of event file are known, and what is each like?

One module a data set, each of which declares `FORMAT` (or several). A new one is a new module and its name in the list
below; CONTRIBUTING.md says what else belongs to it.
"""

from __future__ import annotations

from powderkeg.formats import acled, gdelt, gtd, icews, keds, own, phoenix, polecat, scad, ucdp
from powderkeg.formats.declared import EVERYWHERE, FIELDS, IN_ITS_FILE, Bare, Format, spelt, squashed

DECLARED: tuple[Format, ...] = (
    icews.FORMAT,
    gdelt.FORMAT,
    gdelt.REDUCED,
    polecat.FORMAT,
    acled.FORMAT,
    ucdp.FORMAT,
    gtd.FORMAT,
    scad.FORMAT,
    phoenix.FORMAT,
    keds.FORMAT,
    own.FORMAT,
)
FORMATS: dict[str, Format] = {one.name: one for one in DECLARED}
OWN = own.FORMAT
ALIASES: dict[str, str] = {alias: one.name for one in DECLARED for alias in one.aliases}
NAMES: tuple[str, ...] = tuple(FORMATS)
"""As they are typed."""
KINDS: tuple[str, ...] = tuple(dict.fromkeys(one.kind for one in DECLARED))
"""As an actor's match rules name them."""

__all__ = [
    "ALIASES",
    "DECLARED",
    "EVERYWHERE",
    "FIELDS",
    "FORMATS",
    "IN_ITS_FILE",
    "KINDS",
    "NAMES",
    "OWN",
    "Bare",
    "Format",
    "spelt",
    "squashed",
]
