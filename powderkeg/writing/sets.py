"""How do files that belong together take the place of older ones, all or none?

In: a folder, the name of a set, what fills its files. Out: the whole new set in the folder, or what was there before.
The files are made in a hidden folder inside, so that any folder will do: the one stood in, a mounted one, a linked one.
When all are whole, that folder is renamed once, and from then on the new set is the one that comes: the old one is
moved out, the new one moved in, the manifest last. Old and new never stand side by side. What a kill leaves between is
carried to its end by the next process that writes there, or by `heal`.

The manifest lists the files of every set with size and digest. What it does not list is not ours: it stays, and where
it stands in the way (or was changed by hand since) it is moved to `earlier-1`, and named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from powderkeg.errors import UsageError
from powderkeg.reading.stored import ListShape, RecordShape, read_stored
from powderkeg.writing.files import folder_to_disk, move, text_of, to_disk
from powderkeg.writing.lock import Lock
from powderkeg.writing.manifest import MANIFEST, NAME, digest_of, entry, read_manifest, written
from powderkeg.writing.owners import PREFIX, kind_of, left_behind, passing_name, remove

NEW, SWAP, DONE = "new", "exchange", "done"
LOCK = f"{PREFIX}lock"
PLAN, MOVED_OUT = "plan.json", "moved-out.json"
"""The plan of an exchange; its second name tells that the old files are out of the way."""
PATIENCE = 20.0
"""Seconds to wait for another process that is exchanging files here: that takes a moment."""
_NAMES = ListShape(NAME)
PLAN_SHAPE = RecordShape({"out": _NAMES, "keep": _NAMES, "in": _NAMES})


@dataclass
class Staged:
    """A set in the making: files in a hidden folder inside the folder that they are for."""

    folder: Path
    name: str
    files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = self.folder / passing_name(NEW)
        (self.path / "new").mkdir(parents=True)

    def place(self, name: str) -> Path:
        """Where a file of the set is written."""
        return self.path / "new" / name

    def discard(self) -> None:
        """Nothing of it stays."""
        remove(self.path)


def exchange(staged: Staged, about: Mapping[str, Any], read: Iterable[Path] = ()) -> Path | None:
    """Put a whole set in its place.

    about  what the manifest says of the set: command, scenario, digest, seed
    read   files that the results come from: never taken for old results

    Returns the folder that files which were in the way have been moved to, if there were any. Raises OSError if the
    older files cannot be moved away; they then are where they were, and the new ones stand in a folder beside them.
    """
    for name in staged.files:
        to_disk(staged.place(name))
    with Lock(staged.folder / LOCK, PATIENCE):
        _heal(staged.folder)
        plan = _plan(staged, about, read)
        text_of(json.dumps(plan))(staged.path / PLAN)
        to_disk(staged.path / PLAN)
        folder_to_disk(staged.path / "new")
        # A name that can be seen: should a kill leave it, `old` and `new` in it tell what it is.
        swap = staged.folder / passing_name(SWAP).removeprefix(".")
        move(staged.path, swap)
        folder_to_disk(staged.folder)
        try:
            return _carry_out(staged.folder, swap)
        except OSError:
            _undo(staged.folder, swap)
            raise
        except BaseException:
            # Ctrl-C: the new set is whole, and putting it in place takes a moment.
            _carry_out(staged.folder, swap)
            raise


def heal(folder: Path) -> None:
    """Carry to its end what killed processes left half done in a folder, and take away what they left over."""
    is_swapping = any(kind_of(one) == SWAP or one.name == LOCK for one in folder.iterdir())
    if is_swapping or left_behind(folder, NEW, DONE):
        with Lock(folder / LOCK, PATIENCE):
            _heal(folder)


def _heal(folder: Path) -> None:
    for one in left_behind(folder, NEW, DONE):
        remove(one)
    # The lock is held: whoever else began to exchange files here is not running any more.
    for one in sorted(folder.iterdir()):
        if kind_of(one) == SWAP:
            _carry_out(folder, one)


def _plan(staged: Staged, about: Mapping[str, Any], read: Iterable[Path]) -> dict[str, Any]:
    """What is moved out, what of it is kept, what is moved in. Writes the new manifest."""
    folder, incoming = staged.folder, {*staged.files}
    try:
        sets, is_strange = read_manifest(folder), False
    except UsageError:
        sets, is_strange = {}, True
    # A set of another command that shares a name would be left with files of two: it goes as a whole.
    leaving = {name for name, one in sets.items() if name == staged.name or incoming & {*one["files"]}}
    listed = {file for name in leaving for file in sets[name]["files"]}
    out = [file for file in sorted(listed | incoming) if _is_there(folder / file)]
    ours = sets.get(staged.name, {}).get("files", {})
    inputs = [place for place in read if place.exists()]
    keep = [file for file in out if file not in ours or not _is_as_listed(folder / file, ours[file], inputs)]
    sets = {name: one for name, one in sets.items() if name not in leaving}
    sets[staged.name] = entry(about, {file: staged.place(file) for file in sorted(incoming)})
    text_of(written(sets))(staged.path / MANIFEST)
    to_disk(staged.path / MANIFEST)
    return {"out": out, "keep": [*keep, *([MANIFEST] if is_strange else [])], "in": sorted(incoming)}


def _is_as_listed(place: Path, known: Mapping[str, Any], inputs: Iterable[Path]) -> bool:
    """Whether a file is one that we wrote and nobody touched, and not what the new results were read from."""
    if not place.is_file() or any(place.samefile(one) for one in inputs):
        return False
    return bool(place.stat().st_size == known["bytes"] and digest_of(place) == known["sha256"])


def _is_there(place: Path) -> bool:
    return place.exists() or place.is_symlink()


def _carry_out(folder: Path, swap: Path) -> Path | None:
    """An exchange from wherever it stands to its end. Every step may have been done already."""
    try:
        is_out = (swap / MOVED_OUT).exists()
        plan = read_stored(swap / (MOVED_OUT if is_out else PLAN), PLAN_SHAPE, "the plan of an exchange of results")
    except FileNotFoundError:
        remove(swap)
        return None
    old = swap / "old"
    old.mkdir(exist_ok=True)
    if not is_out:
        # The manifest first: a folder without one is no whole set.
        for name in (MANIFEST, *plan["out"]):
            if _is_there(folder / name):
                move(folder / name, old / name)
        move(swap / PLAN, swap / MOVED_OUT)
        folder_to_disk(swap)
    for name in plan["in"]:
        if (swap / "new" / name).exists():
            move(swap / "new" / name, folder / name)
    if (swap / MANIFEST).exists():
        folder_to_disk(folder)
        move(swap / MANIFEST, folder / MANIFEST)
    kept = _keep(folder, swap, plan["keep"])
    done = folder / passing_name(DONE)
    move(swap, done)
    remove(done)
    folder_to_disk(folder)
    return kept


def _keep(folder: Path, swap: Path, names: list[str]) -> Path | None:
    """What is not ours, in a folder that can be seen."""
    names = [name for name in names if _is_there(swap / "old" / name)]
    if not names:
        return None
    kept = unused(folder, "earlier")
    # Gathered first: a kill between must not spread them over two folders.
    gathered = swap / "earlier"
    gathered.mkdir(exist_ok=True)
    for name in names:
        move(swap / "old" / name, gathered / name)
    move(gathered, kept)
    return kept


def unused(folder: Path, name: str) -> Path:
    """`name-1`, or the first number that is free."""
    number = 1
    while _is_there(folder / f"{name}-{number}"):
        number += 1
    return folder / f"{name}-{number}"


def _undo(folder: Path, swap: Path) -> None:
    """The older files back where they were, the new ones in a folder that can be seen."""
    if not (swap / PLAN).exists():
        return  # The old ones are out: the next to write here goes on.
    with suppress(OSError):
        for one in sorted((swap / "old").iterdir()):
            if one.name != MANIFEST:
                move(one, folder / one.name)
        if (swap / "old" / MANIFEST).exists():
            move(swap / "old" / MANIFEST, folder / MANIFEST)
        move(swap / "new", unused(folder, "new"))
        remove(swap)
