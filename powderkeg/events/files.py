"""Which files are meant, and can each be opened as often as reading needs?

In: paths as the user gave them: files, folders, patterns, `-` for standard input, pipes. Out: sources, each a name to
show and a file on disk. What can be read only once (standard input, a pipe, a process substitution) is copied whole
into a passing file first: formats are found by looking ahead, and a second look at a pipe would find the rest only.
"""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from powderkeg.errors import EventError, Fault, must_be, nearest_name

PIECE = 1 << 20
LONG_PIECE = 16 << 20
TEXT_SHOWN = 500
STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0")
EXTENSIONS = (
    ".csv", ".tsv", ".tab", ".txt", ".parquet", ".json", ".jsonl", ".ndjson", ".geojson", ".xlsx", ".xlsm", ".xlsb",
    ".xls", ".ods", ".weis", ".keds", ".dat",
)  # fmt: skip
PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst")

Paths = str | Path | Iterable[str | Path]


class FileFault(Exception):
    """A file cannot be read, or not to its end. `fault` says why."""

    def __init__(
        self, file: str, found: str, expected: str = "", line: int | None = None, nearest: str | None = None
    ) -> None:
        self.fault = Fault(file, line, "", found, expected, nearest)
        super().__init__(str(self.fault))


@dataclass(frozen=True)
class SourceFile:
    """A file to read.

    name  what it is called before the user
    path  where its bytes are: elsewhere, if they came through a pipe
    """

    name: str
    path: Path


class Spool:
    """A folder for files that last as long as a reading; made when the first is needed."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._folder: str | None = None

    def keep(self, pieces: Iterable[bytes], name: str) -> Path:
        """Bytes, to their end, as a file.

        Raises FileFault if the disk takes no more or the stream breaks off.
        """
        try:
            if self._folder is None:
                passing = tempfile.TemporaryDirectory(prefix="powderkeg-", ignore_cleanup_errors=True)
                self._folder = self._stack.enter_context(passing)
            with tempfile.NamedTemporaryFile("wb", dir=self._folder, delete=False) as copy:
                copy.writelines(pieces)
        except OSError as error:
            found = f"cannot be kept while it is read: {error.strerror or error}"
            raise FileFault(name, found, f"room in {self._folder or 'the folder for passing files'}") from error
        return Path(copy.name)


@dataclass(frozen=True)
class SourceFiles:
    """The files to read, in order; `passed` are files of folders that are none of ours."""

    files: tuple[SourceFile, ...]
    passed: tuple[Path, ...]
    spool: Spool


@contextlib.contextmanager
def gathered(paths: Paths) -> Iterator[SourceFiles]:
    """Files to read, in the order of their names within each path given.

    A folder is read with its subfolders: files whose name ends in one of EXTENSIONS, packed or not; hidden ones and
    quarantine files of ours are passed over. What came through a pipe is on disk until the end of the `with`.
    Raises EventError, naming every path that does not exist or can never be read.
    """
    must_be("paths", paths, (str, Path, Iterable), "the path of a file or folder, or several")
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    for one in given:
        must_be("paths", one, (str, os.PathLike), "the path of a file or folder, or several")
    with contextlib.ExitStack() as stack:
        spool = Spool(stack)
        files: list[SourceFile] = []
        passed: list[Path] = []
        faults: list[Fault] = []
        once: set[str] = set()
        for one in given:
            try:
                found, left = _found(one, spool, once)
            except FileFault as error:
                faults.append(error.fault)
            else:
                files.extend(found)
                passed.extend(left)
        if not files and not faults:
            names = ", ".join(str(one) for one in given) or "nothing"
            expected = f"files that end in {', '.join(EXTENSIONS)}, or these packed"
            faults.append(Fault(names, None, "", "no event file", expected))
        if faults:
            raise EventError(faults, "nothing was read")
        yield SourceFiles(tuple(files), tuple(passed), spool)


def shown_name(name: str | Path) -> str:
    """A file's name as text: where the system gave bytes that are none (an old disk's Straße), their numbers."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _found(one: str | Path, spool: Spool, once: set[str]) -> tuple[list[SourceFile], list[Path]]:
    """What one path stands for: files to read, and files passed over."""
    if str(one) in STANDARD_INPUT:
        _only_once("standard input", once)
        return [SourceFile("standard input", spool.keep(_pieces(_standard_input()), "standard input"))], []
    path, name = Path(one), shown_name(one)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        wanted = [SourceFile(shown_name(p), p) for p in files if _is_wanted(p)]
        return wanted, [p for p in files if not _is_wanted(p)]
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        by_pattern = sorted(Path(found) for found in glob.glob(str(one), recursive=True))  # noqa: PTH207
        if not by_pattern:
            raise _missing(path, name) from None
        return [SourceFile(shown_name(p), p) for p in by_pattern if p.is_file()], []
    if _is_plain(path, mode):
        return [SourceFile(name, path)], []
    _only_once(name, once)
    return [SourceFile(name, _drained(path, mode, spool))], []


def _missing(path: Path, name: str) -> FileFault:
    """What to say of a path where nothing is: the file beside it that is called most like it, or that the folder is
    not there either."""
    try:
        beside = [p.name for p in path.parent.iterdir() if _is_wanted(p)] if not glob.has_magic(name) else []
    except OSError:
        return FileFault(name, f"no such file, and no folder {shown_name(path.parent)}")
    near = nearest_name(path.name, beside)
    return FileFault(name, "no such file or folder", nearest=near and shown_name(path.with_name(near)))


def _is_plain(path: Path, mode: int) -> bool:
    """Whether a file may be opened again and again. Below /dev a file may be an open one that goes on where it was."""
    return stat.S_ISREG(mode) and not path.is_relative_to("/dev")


def _drained(path: Path, mode: int, spool: Spool) -> Path:
    """What comes out of a pipe, as a file."""
    name = shown_name(path)
    if name == os.devnull:
        raise FileFault(name, "an empty file", "event rows")
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        raise FileFault(name, "a device or a socket, not a file", "a file, a folder, a pipe, or - for standard input")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FileFault(name, f"cannot be opened: {error.strerror or error}") from error
    with stream:
        return spool.keep(_pieces(stream), name)


def _standard_input() -> BinaryIO:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise FileFault("standard input", "there is none, or it does not give bytes", "a file")
    return stream  # type: ignore[no-any-return]


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def _only_once(name: str, once: set[str]) -> None:
    if name in once:
        raise FileFault(name, "given twice", "each pipe once: what was read of it is gone")
    once.add(name)


def _is_wanted(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts[-2:]) or path.name.endswith(".quarantine.csv"):
        return False
    return has_known_ending(path.name)


def has_known_ending(name: str) -> bool:
    """Whether a file is called as event files are, packed or not."""
    plain = name.lower()
    for ending in PACKED:
        plain = plain.removesuffix(ending)
    return plain.endswith(EXTENSIONS) or (plain != name.lower() and "." not in plain)
