"""The folder a command writes into: known to be writable before anything runs, and never left with half a set of files.

In: a path. Out: the files of a command, all of one run: they take the place of older ones together, when all are whole.
Where the disk fills up, those that were finished are kept and named; the older set stays as it was.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from powderkeg.errors import Fault, PowderkegError, UsageError
from powderkeg.writing.files import (
    DiskError,
    check_place,
    fault,
    heard,
    is_of_disk,
    text_of,
    to_disk,
    try_folder,
    write_whole,
)
from powderkeg.writing.owners import remove

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario
    from powderkeg.writing.sets import Staged

__all__ = ["Claim", "Destination", "DiskError", "Folder"]


@dataclass(frozen=True)
class Claim:
    """What a command is about to run, for which a folder is wanted.

    A scenario is known by its name: one that was edited, or run with --set, is still the same to its author, and its
    new results take the place of the old ones.
    """

    command: str
    scenario: str
    seed: int | None = None
    force: bool = False

    def refuse_others(self, path: Path) -> None:
        """Raises UsageError if the folder holds results of another command, scenario or seed."""
        from powderkeg.writing.manifest import read_manifest

        try:
            sets = read_manifest(path)
        except UsageError:
            return  # A list that is not ours is moved aside with all it names when the new results are whole.
        for command, one in sets.items():
            differs = [
                told
                for told, is_other in (
                    (f"of `powderkeg {command}`", command != self.command),
                    (f"of {one.get('scenario')}", one.get("scenario") not in (None, self.scenario)),
                    (f"with seed {one.get('seed')}", one.get("seed") not in (None, self.seed)),
                )
                if is_other
            ]
            if differs:
                expected = "another folder after --out, or --force to replace what is in the way"
                raise UsageError(Fault(str(path), None, "", f"holds results {' '.join(differs)}", expected))


class Folder:
    """A folder to write results into, and the names of the files that are finished."""

    def __init__(self, path: Path, read: Iterable[str | Path] = (), asked: Claim | None = None) -> None:
        """Make the folder if need be and try to write in it.

        read   files that the results come from: they are kept, whatever they are called
        asked  what is about to be run: results of anything else that lie there are not to be replaced

        Raises UsageError if it cannot be written to, or holds other results: nothing has been run by then.
        """
        from powderkeg.writing.sets import heal

        self.path = path
        self.finished: list[str] = []
        self.kept_aside: Path | None = None
        self.made: Mapping[str, Any] = {}
        self._read = [Path(one) for one in read]
        self._staged: Staged | None = None
        try_folder(path)
        try:
            heal(path)
        except OSError as error:
            raise UsageError(fault(path, error, "a folder that can be written to")) from error
        if asked is not None and not asked.force:
            asked.refuse_others(path)

    @contextmanager
    def results(self, command: str, scenario: Scenario | None = None, seed: int | None = None) -> Iterator[None]:
        """What is written inside comes to stand in the folder together, at the end.

        Raises DiskError, saying what is there, if the disk is full or gone. Ctrl-C leaves what was there before.
        """
        from powderkeg.writing.sets import Staged, exchange

        try:
            self._staged = staged = Staged(self.path, command)
            self.made = _about(scenario, seed, self._read)
        except OSError as error:
            raise DiskError(fault(self.path, error), self.account()) from error
        self.finished = staged.files
        try:
            yield
            self.kept_aside = exchange(staged, self.made, self._read)
        except (DiskError, UsageError) as error:
            raise DiskError(error.faults, self.account(self._salvage(staged))) from error
        except OSError as error:
            raise DiskError(fault(self.path, error), self.account(self._salvage(staged))) from error
        finally:
            staged.discard()
            self._staged = None

    def write(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Have `fill` write a file of the set. Raises DiskError if the disk is full or gone."""
        assert self._staged is not None, "files are written within `results`"
        place = self._staged.place(name)
        try:
            fill(place)
            to_disk(place)
        except Exception as caught:
            # Writers of ours have put it in words of their own.
            cause = caught.__cause__ if isinstance(caught, PowderkegError) else None
            error = heard(cause if isinstance(cause, Exception) else caught, place)
            remove(place)
            if not is_of_disk(error):
                raise
            raise DiskError(fault(self.path / name, error)) from error
        self.finished.append(name)
        return self.path / name

    def data(self, name: str, plain: Mapping[str, Any]) -> Path:
        """Write a JSON file of the set, with what made it under `made`. Raises DiskError."""
        told = {**plain, "made": self.made}
        text = json.dumps(told, ensure_ascii=False, allow_nan=False, indent=2, default=str)
        return self.write(name, text_of(text + "\n"))

    def _salvage(self, staged: Staged) -> Path:
        """Where the finished files of a set come to stand that will not be whole: beside an older set, not in it."""
        finished = [name for name in staged.files if staged.place(name).exists()]
        if not finished:
            return self.path
        try:
            return self._put_beside(staged, finished)
        except OSError:  # such as a disk that has become read-only: what was finished goes with its hidden folder
            self.finished.clear()
            return self.path

    def _put_beside(self, staged: Staged, finished: Sequence[str]) -> Path:
        from powderkeg.writing.sets import unused

        known = {one.name for one in self.path.iterdir()}
        where = self.path
        if known & {*finished} or any(not name.startswith(".") for name in known):
            where = unused(self.path, "unfinished")
            staged.path.joinpath("new").rename(where)
        else:
            for name in finished:
                staged.place(name).rename(where / name)
        return where

    def account(self, where: Path | None = None) -> str:
        """What is there to read, in words."""
        where = where or self.path
        if not self.finished:
            return f"nothing new is in {where}" if any(self.path.glob("[!.]*")) else f"nothing is in {where}"
        before = "" if where == self.path else f"; what was in {self.path} before is as it was"
        return f"finished in {where}: {', '.join(self.finished)}{before}"

    def said(self) -> list[str]:
        """What was written, and what had to make room, in words."""
        lines = [f"Written to {self.path}: {', '.join(self.finished)}"]
        if self.kept_aside is not None:
            lines.append(f"Files of other results, or changed by hand, stood in the way: kept in {self.kept_aside}")
        return lines


class Destination:
    """One file to write, at a place that was looked at before anything runs."""

    def __init__(self, path: Path, read: Iterable[str | Path] = ()) -> None:
        """Raises UsageError for a place that cannot take a file, or holds one of those that are read."""
        self.path = path
        try_folder(path.parent)
        check_place(path, read)

    def write(self, fill: Callable[[Path], object]) -> None:
        """Have `fill` write it. Raises DiskError if the disk is full or gone."""
        write_whole(self.path, fill)


def table_place(path: Path, read: Iterable[str | Path] = ()) -> Destination:
    """The place of a table of events. Raises UsageError as `Destination`, and for a name of another format."""
    if path.suffix.lower() not in ("", ".parquet", ".pq"):
        expected = "a name that ends in .parquet: only there can stand, beside the rows, what was assumed of them"
        raise UsageError(Fault(str(path), None, "", f"format {path.suffix!r}", expected), "nothing was written")
    return Destination(path, read)


def _about(scenario: Scenario | None, seed: int | None, read: Iterable[Path] = ()) -> Mapping[str, Any]:
    """What the list of a set says of where it comes from: enough to make it again, and to know if that is possible."""
    from powderkeg.cli.jobs import typed_words
    from powderkeg.version import __version__
    from powderkeg.writing.manifest import digest_of

    about: dict[str, Any] = {"version": __version__}
    if words := typed_words():
        about["command"] = shlex.join(["powderkeg", *words])
    if scenario is not None:
        from powderkeg.scenario import digest

        about |= {"scenario": scenario.name, "digest": digest(scenario)}
    if seed is not None:
        about["seed"] = seed
    known = {file.as_posix(): digest_of(file) for file in sorted(read) if file.is_file()}
    return {**about, "read": known} if known else about
