"""Which files of a folder are ours, and which of them belong together?

In: a folder. Out: its sets by name, each with what made it and the size and digest of its files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from powderkeg.errors import Fault, UsageError
from powderkeg.reading.stored import MappingShape, NumberShape, RecordShape, TextShape, maybe, read_stored, seal_of

MANIFEST = "powderkeg-manifest.json"
VERSION = 1
EXPECTED = "the list that powderkeg wrote of its files here"

_DIGEST = TextShape(pattern=r"[0-9a-f]{64}", words="a SHA-256 digest")
NAME = TextShape(pattern=r"[^./\\:\x00-\x1f][^/\\:\x00-\x1f]*", words="the name of a file in this folder")
_SET = RecordShape(
    {
        "version": TextShape(),
        "files": MappingShape(RecordShape({"bytes": NumberShape(least=0, whole=True), "sha256": _DIGEST}), NAME),
    },
    {
        "scenario": maybe(TextShape()),
        "digest": maybe(TextShape()),
        "seed": maybe(NumberShape(least=0, whole=True)),
        "command": maybe(TextShape()),
        "read": MappingShape(_DIGEST),
    },
)
SHAPE = RecordShape(
    {
        "powderkeg manifest": NumberShape(least=VERSION, most=VERSION, whole=True),
        "seal": _DIGEST,
        "sets": MappingShape(_SET),
    }
)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The sets of a folder by the command that made them; none if there is no list of them.

    Raises UsageError for a list that is not as we wrote it.
    """
    try:
        found = read_stored(folder / MANIFEST, SHAPE, EXPECTED)
    except FileNotFoundError:
        return {}
    sets: dict[str, Any] = found["sets"]
    if found["seal"] != seal_of(sets):
        raise UsageError(Fault(str(folder / MANIFEST), None, "seal", "the list has been changed", EXPECTED))
    return sets


def written(sets: Mapping[str, Any]) -> str:
    """The list as a file keeps it: the same sets, the same bytes."""
    about = {"powderkeg manifest": VERSION, "seal": seal_of(sets), "sets": {name: sets[name] for name in sorted(sets)}}
    return json.dumps(about, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def entry(about: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """One set: what made it, and its files as they are."""
    listed = {name: {"bytes": place.stat().st_size, "sha256": digest_of(place)} for name, place in files.items()}
    return {**about, "files": listed}


def digest_of(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sets(folder: Path) -> dict[str, Any]:
    """The sets of a folder, every file as the list says.

    Raises UsageError naming each file that is missing or has changed since.
    """
    sets = read_manifest(folder)
    faults = []
    for name, one in sets.items():
        for file, known in one["files"].items():
            place = folder / file
            if not place.is_file():
                faults.append(Fault(str(place), None, "", "is missing", f"all files of `powderkeg {name}`"))
            elif place.stat().st_size != known["bytes"] or digest_of(place) != known["sha256"]:
                expected = f"the file that belongs to the others of `powderkeg {name}`"
                faults.append(Fault(str(place), None, "", "has been changed since it was written", expected))
    if faults:
        raise UsageError(faults)
    return sets
