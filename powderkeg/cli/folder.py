"""The folder a command writes into: known to be writable before anything runs, and never left with half a file.

In: a path. Out: files that are whole, or not there. A file is written under another name beside its place and renamed
when it is complete, so that a full disk or Ctrl-C leaves what was finished readable.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from powderkeg.errors import Fault, PowderkegError, UsageError

PART = ".part"


class DiskError(PowderkegError):
    """A file could not be written after the work was done; the aftermath says what is there."""


class Folder:
    """A folder to write results into, and the names of the files that are finished."""

    def __init__(self, path: Path) -> None:
        """Make the folder if need be and try to write in it.

        Raises UsageError if it cannot be written to: nothing has been run by then.
        """
        self.path = path
        self.finished: list[str] = []
        trial = path / f".powderkeg-{os.getpid()}{PART}"
        try:
            path.mkdir(parents=True, exist_ok=True)
            trial.write_bytes(b"")
            trial.unlink()
        except OSError as error:
            raise UsageError(_fault(path, error.errno, "a folder that can be written to")) from error

    def write(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Have `fill` write a file under a passing name, then give it its own.

        Raises DiskError, saying which files are finished, if the disk is full or gone.
        """
        place = self.path / name
        # The passing name keeps the ending: writers look at it to know the format.
        passing = self.path / f".{place.stem}{PART}{place.suffix}"
        try:
            fill(passing)
            passing.replace(place)
        except BaseException as error:
            passing.unlink(missing_ok=True)
            number = _errno(error)
            if number is None:
                raise
            raise DiskError(_fault(place, number), self.account()) from error
        self.finished.append(name)
        return place

    def account(self) -> str:
        """What is there to read, in words."""
        return f"finished in {self.path}: {', '.join(self.finished)}" if self.finished else f"nothing is in {self.path}"


def _errno(error: BaseException) -> int | None:
    """The system's number for what went wrong, None if it was not the system. Polars tells it in its message only."""
    for one in (error, error.__cause__):
        if isinstance(one, OSError):
            return one.errno
        if told := re.search(r"os error (\d+)", str(one)):
            return int(told[1])
    return None


def _fault(path: Path, number: int | None, expected: str = "") -> Fault:
    reason = {
        errno.ENOSPC: "no space left on the disk",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file would be larger than files may be here",
        errno.EACCES: "no permission to write there",
        errno.EPERM: "no permission to write there",
        errno.EROFS: "the disk can only be read",
        errno.ENOTDIR: "a part of this path is a file",
        errno.EEXIST: "this is a file",
        errno.ENAMETOOLONG: "the name is too long",
    }.get(number or 0, os.strerror(number or 0).lower())
    return Fault(str(path), None, "", reason, expected)
