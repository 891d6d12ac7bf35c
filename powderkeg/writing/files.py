"""How does a file come to stand whole at its place, or not at all?

In: a place, and what fills a file. Out: the whole file there. It is written under a passing name beside its place, put
on the disk, and given its own name at once: a full disk, Ctrl-C or a kill leaves what stood there before.
Links are followed and stay links. A place that is no plain file (a folder, a pipe, a device), and one that was read for
this very result, is refused before anything runs.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from powderkeg.errors import Fault, PowderkegError, UsageError
from powderkeg.writing.owners import left_behind, passing_name, remove

PART, WORK = "part", "work"
TRIAL_BYTES = 1 << 12
"""What a trial writes: a disk that takes the name of a file but none of its bytes is full."""

REASONS = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than files may be here",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the disk can only be read",
    errno.ENOTDIR: "a part of this path is a file",
    errno.EEXIST: "this is a file",
    errno.EISDIR: "this is a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "a link that leads to itself",
    errno.EIO: "the disk failed",
}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WINDOWS = {5: errno.EACCES, 32: errno.EACCES, 33: errno.EACCES, 39: errno.ENOSPC, 112: errno.ENOSPC, 19: errno.EROFS}
"""What Windows calls by numbers of its own."""
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
UNTOLD = "thrift: transport error"
"""All that Polars says where the end of a Parquet file could not be written."""
WAITS = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds between tries to rename on Windows, where a scanner may hold a file that was just written."""


class DiskError(PowderkegError):
    """A file could not be written after the work was done; the aftermath says what is there."""

    aftermath = "nothing was written"


def check_place(place: Path, read: Iterable[str | Path] = ()) -> None:
    """Raises UsageError unless a plain file can come to stand there; `read` are files that must not be replaced."""
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        if place.is_symlink() and not place.resolve().parent.is_dir():
            raise UsageError(Fault(str(place), None, "", "a link to where there is no folder", "a file")) from None
        return
    except (OSError, ValueError) as error:
        raise UsageError(fault(place, error, "a file that can be written")) from error
    for is_kind, name in KINDS:
        if is_kind(mode):
            raise UsageError(Fault(str(place), None, "", f"{name}, no file", "the name of a file"))
    for other in read:
        if _is_same(place, Path(other)):
            raise UsageError(Fault(str(place), None, "", "this file is read here", "another file to write to"))


def _is_same(place: Path, other: Path) -> bool:
    try:
        return place.samefile(other)
    except (OSError, ValueError):
        return False


def try_folder(path: Path) -> None:
    """Make a folder if need be and write in it for trial.

    Raises UsageError if it cannot be written to, DiskError if there is no room: nothing has been run by then.
    """
    trial = path / passing_name(PART)
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(bytes(TRIAL_BYTES))
    except (OSError, ValueError) as error:
        told = fault(path, error, "a folder that can be written to")
        raise (DiskError(told, "nothing was run") if _number(error) in FULL else UsageError(told)) from error
    finally:
        with suppress(OSError, ValueError):
            trial.unlink(missing_ok=True)
    for one in left_behind(path, PART):
        remove(one)


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """A passing path to write to; what is there at the end takes the place as a whole.

    A link is followed: what it points to is replaced. Raises UsageError for a place that cannot take a file, and what
    goes wrong; nothing is left under the passing name.
    """
    check_place(place)
    real = place.resolve() if place.is_symlink() else place
    # The passing name keeps the ending: writers look at it to know the format.
    passing = real.with_name(_short(passing_name(PART, real.name), real.suffix))
    try:
        yield passing
        to_disk(passing)
        with suppress(OSError):
            passing.chmod(stat.S_IMODE(real.stat().st_mode))
        move(passing, real)
    except Exception as error:
        system = heard(error, passing)
        remove(passing)
        if system is error:
            raise
        raise system from error
    except BaseException:
        remove(passing)
        raise
    for one in left_behind(real.parent, PART):
        remove(one)


@contextmanager
def working_folder(beside: Path) -> Iterator[Path]:
    """A hidden folder for what is needed only while something is made. What killed processes left of theirs goes."""
    for one in left_behind(beside, WORK):
        remove(one)
    folder = beside / passing_name(WORK)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def _short(name: str, ending: str) -> str:
    """File systems take names of 255 bytes; a place with a long name has room for itself only."""
    if len(name.encode()) <= 255:
        return name
    return name.encode()[: 255 - len(ending.encode())].decode(errors="ignore") + ending


def write_whole(place: Path, fill: Callable[[Path], object], kept: str = "") -> None:
    """Have `fill` write a file that takes its place when it is whole.

    kept  what is there to read if it cannot, in words

    Raises DiskError if the disk is full or gone.
    """
    try:
        with replacing(place) as passing:
            fill(passing)
    except Exception as error:
        if not is_of_disk(error):
            raise
        raise DiskError(fault(place, error), kept or None) from error


def text_of(text: str) -> Callable[[Path], None]:
    """What writes a text to a path: the same bytes on every system."""

    def fill(path: Path) -> None:
        path.write_text(text, encoding="utf-8", newline="\n")

    return fill


def to_disk(file: Path) -> None:
    """Have the system put a file's bytes on the disk, so that its new name never stands before them."""
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def folder_to_disk(folder: Path) -> None:
    """The same for names; only where folders can be opened."""
    if sys.platform != "win32":
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def move(source: Path, target: Path) -> None:
    """Rename, over a file that stands there; on Windows with patience."""
    for wait in WAITS if sys.platform == "win32" else ():
        try:
            source.replace(target)
            return
        except PermissionError:
            time.sleep(wait)
    source.replace(target)


def heard(error: Exception, place: Path) -> Exception:
    """What the system says where a file could not be written and the writer does not pass it on: by writing on.

    Polars says so of the end of a Parquet file, and drops the reason. Any other error is given back.
    """
    if UNTOLD not in str(error).lower():
        return error
    try:
        with place.open("ab") as stream:
            stream.write(bytes(1 << 16))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as system:
        return system
    return error


def is_of_disk(error: BaseException) -> bool:
    """Whether it was the system that failed to write, and not a slip of ours."""
    return not isinstance(error, PowderkegError) and _number(error) is not None


def fault(place: Path, error: BaseException, expected: str = "") -> Fault:
    """What the system said of a place, in words."""
    return Fault(str(place), None, "", reason(error), expected)


def reason(error: BaseException) -> str:
    """What the system said, in words."""
    number = _number(error)
    words = REASONS.get(number or 0) or (os.strerror(number).lower() if number else str(error).splitlines()[0][:200])
    if number == errno.EACCES and sys.platform == "win32":
        words += ", or it is open in another program"
    return words


def _number(error: BaseException | None) -> int | None:
    """The system's number for what went wrong, None if it was not the system. Polars tells it in words only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if told := re.search(r"os error (\d+)", str(error)):
            number = int(told[1])
            return WINDOWS.get(number, errno.EIO) if sys.platform == "win32" else number
        if isinstance(error, OSError) or type(error).__name__ == "ComputeError":
            said = str(error).lower()
            if UNTOLD in said:
                return errno.EIO
            known = next((one for one in (*FULL, errno.EACCES, errno.EROFS) if os.strerror(one).lower() in said), None)
            if known or isinstance(error, OSError):
                return known or errno.EIO
        error = error.__cause__
    return None
