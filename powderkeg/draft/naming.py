"""Names for a scenario file from names in the world.

In: names in any alphabet. Out: keys as scenario files want them: small letters, digits, _; a letter first;
no two alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from powderkeg.scenario.language import TIE_VERBS, reserved_words, third_person

LONGEST = 40
_LETTERS = str.maketrans({"đ": "dj", "Đ": "dj", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "ı": "i", "ß": "ss"})


def key(text: str) -> str:
    """A name in small Latin letters, digits and _; empty if nothing of it can be written so."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:LONGEST].strip("_")


def keys(names: Iterable[str], otherwise: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """A key for each name, no two alike. `otherwise` stands for names that cannot be written, or begin with a digit."""
    used = {*taken, *reserved_words(), *TIE_VERBS, *TIE_VERBS.values()}
    found: dict[str, str] = {}
    for name in names:
        plain = key(name)
        first = plain if plain[:1].isalpha() else f"{otherwise}_{plain}".strip("_")
        chosen, number = first, 1
        while chosen in used or third_person(chosen) in used:
            number += 1
            chosen = f"{first}_{number}"
        used |= {chosen, third_person(chosen)}
        found[name] = chosen
    return found


def file_name(path: str | Path) -> str:
    """A scenario's name from that of its file."""
    plain = key(Path(path).stem).replace("_", "-")
    return plain if plain[:1].isalpha() else f"scenario-{plain}".strip("-")


def title_of(name: str) -> str:
    """A title from a name: two-neighbours -> Two neighbours."""
    words = re.sub(r"[-_]+", " ", name)
    return words[:1].upper() + words[1:]
