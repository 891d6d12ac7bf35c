"""Names for a scenario file from names in the world.

In: names in any alphabet. Out: keys as scenario files want them: small letters, digits, _; a letter first;
no two alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from powderkeg.events.who import plain
from powderkeg.scenario.language import TIE_VERBS, reserved_words, third_person

LONGEST = 40


def key(text: str) -> str:
    """A name in small Latin letters, digits and _; empty if nothing of it can be written so."""
    latin = plain(text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:LONGEST].strip("_")


def keys(names: Iterable[str], otherwise: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """A key for each name, no two alike. `otherwise` stands for names that cannot be written, or begin with a digit."""
    used = {*taken, *reserved_words(), *TIE_VERBS, *TIE_VERBS.values()}
    found: dict[str, str] = {}
    for name in names:
        short = key(name)
        first = short if short[:1].isalpha() else f"{otherwise}_{short}".strip("_")
        chosen, number = first, 1
        while chosen in used or third_person(chosen) in used:
            number += 1
            chosen = f"{first}_{number}"
        used |= {chosen, third_person(chosen)}
        found[name] = chosen
    return found


def file_name(path: str | Path) -> str:
    """A scenario's name from that of its file."""
    short = key(Path(path).stem).replace("_", "-")
    return short if short[:1].isalpha() else f"scenario-{short}".strip("-")


def title_of(name: str) -> str:
    """A title from a name: two-neighbours -> Two neighbours."""
    words = re.sub(r"[-_]+", " ", name)
    return words[:1].upper() + words[1:]
