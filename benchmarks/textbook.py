"""Which textbook sentences may be looked at while patterns are written, and which only measure?

In: the records of `plover_gsr_cameo.json` (Open Event Data Alliance, PLOVER, CC BY-SA 4.0; not part of the package).
Out: two halves, told apart by a checksum of the sentence, so that all records of one sentence stay together and the
split stands before any pattern was written. Patterns are written from "patterns"; "measure" is only ever counted.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

HALVES = ("patterns", "measure")


def half(sentence: str) -> str:
    """The half that a sentence belongs to."""
    return HALVES[zlib.crc32(" ".join(sentence.split()).encode()) % 2]


def records(path: Path, which: str) -> list[dict[str, Any]]:
    """The records of one half; the note at the head of the file is none."""
    everything = json.loads(path.read_text(encoding="utf-8"))
    return [one for one in everything if "text" in one and half(one["text"]) == which]
