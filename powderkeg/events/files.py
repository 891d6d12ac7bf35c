"""Which bytes are to be read, and in what portions?

In: paths (files, folders, patterns). Out: members (a plain file, or one file inside an archive), each a stream of
blocks that hold whole records, so that memory does not grow with the file.
Every file is treated as hostile: an archive is never unpacked to disk, its names are never used as paths, and one that
swells beyond `MOST_SWELL` times its size is left.
"""

from __future__ import annotations

import bz2
import codecs
import glob
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from powderkeg.errors import EventError, Fault

PIECE = 1 << 20
BLOCK = 16 << 20
LONGEST_RECORD = 1 << 20
MOST_SWELL = 200
SWELL_FROM = 64 << 20
TEXT_SHOWN = 500
EXTENSIONS = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".weis", ".keds", ".dat")
PACKED = (".gz", ".zip", ".bz2", ".xz")


class FileFault(Exception):
    """A file cannot be read, or not to its end. `fault` says why."""

    def __init__(self, file: str, found: str, expected: str = "", line: int | None = None) -> None:
        self.fault = Fault(file, line, "", found, expected)
        super().__init__(str(self.fault))


@dataclass(frozen=True)
class Member:
    """One thing to read: a file, or one file inside an archive (`name` is then `archive.zip:inside.csv`).

    parquet  True where the bytes are not text
    pieces   opens the member: an iterator of decompressed bytes
    """

    name: str
    path: Path
    parquet: bool
    pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Block:
    """Whole records of one member, in file order.

    lines  newlines in it
    cut    the block is a record that the file breaks off (a truncated archive)
    """

    file: str
    data: bytes
    lines: int
    cut: bool = False


@dataclass(frozen=True)
class Overlong:
    """A line longer than LONGEST_RECORD, or one that never ends."""

    file: str
    head: bytes


def expand(paths: str | Path | Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Files to read, in the order of their names within each path given; and files of folders that were passed over.

    A folder is read with its subfolders: files whose name ends in one of EXTENSIONS, packed or not; hidden ones and
    quarantine files of ours are passed over.
    Raises EventError, naming every path that does not exist.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    files: list[Path] = []
    passed: list[Path] = []
    faults: list[Fault] = []
    for one in given:
        path = Path(one)
        if path.is_dir():
            for found in sorted(p for p in path.rglob("*") if p.is_file()):
                (files if _is_wanted(found) else passed).append(found)
        elif path.exists():
            files.append(path)
        else:
            found_by_pattern = sorted(Path(name) for name in glob.glob(str(one), recursive=True))  # noqa: PTH207
            files.extend(p for p in found_by_pattern if p.is_file())
            if not found_by_pattern:
                faults.append(Fault(str(one), None, "", "no such file or folder"))
    if not files and not faults:
        names = ", ".join(str(one) for one in given) or "nothing"
        expected = f"files that end in {', '.join(EXTENSIONS)}, or these packed"
        faults.append(Fault(names, None, "", "no event file", expected))
    if faults:
        raise EventError(faults, "nothing was read")
    return files, passed


def members(path: Path) -> Iterator[Member]:
    """What a file holds: itself, or the files of a zip archive.

    Raises FileFault for an archive that cannot be opened, holds another archive, or is an Excel workbook.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(8)
    except OSError as error:
        raise FileFault(str(path), f"cannot be opened: {error.strerror or error}") from error
    if magic.startswith(b"PK\x03\x04"):
        yield from _zip_members(path)
        return
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        raise FileFault(str(path), "packed with zstd", "plain text, .gz, .zip, .bz2, .xz or Parquet")
    yield Member(str(path), path, magic.startswith(b"PAR1"), lambda: _unpack(path, magic))


def blocks(member: Member, quoted: bool, size: int = BLOCK) -> Iterator[Block | Overlong]:
    """The member's text as UTF-8-or-what-it-is bytes, in blocks of about `size` that end where a record ends.

    quoted  a newline inside double quotes does not end a record
    A truncated archive gives its last, broken record in a block marked `cut`, then raises FileFault.
    """
    rest = b""
    skipping = False
    broken: FileFault | None = None
    pieces = _text(member.pieces())
    while True:
        gathered, length = [rest], len(rest)
        ended = False
        while length < size:
            try:
                piece = next(pieces)
            except StopIteration:
                ended = True
                break
            except FileFault as fault:
                broken, ended = fault, True
                break
            gathered.append(piece)
            length += len(piece)
        end = gathered[-1].rfind(b"\n") + 1
        if end and not (quoted or skipping or ended):
            # The common case, with one copy: the last piece is cut before it is joined to the others.
            last = gathered.pop()
            yield _block(member.name, b"".join([*gathered, memoryview(last)[:end]]))
            rest = last[end:]
            continue
        data = b"".join(gathered)
        if skipping:
            end = data.find(b"\n") + 1
            if not end and not ended:
                rest = b""
                continue
            data = data[end:] if end else b""
            skipping = False
        cut = _last_end(data, quoted)
        if ended and broken is None:
            cut = len(data)
        if not cut and len(data) >= LONGEST_RECORD:
            yield Overlong(member.name, data[:TEXT_SHOWN])
            skipping, rest = True, b""
            if not ended:
                continue
        whole, rest = data[:cut], data[cut:] if not skipping else b""
        if whole:
            yield _block(member.name, whole if whole.endswith(b"\n") else whole + b"\n")
        if ended:
            if broken is None:
                return
            if rest:
                yield Block(member.name, rest + b"\n", 1, cut=True)
            raise broken


def head(member: Member, size: int = 1 << 18) -> bytes:
    """The first bytes of a member as text, cut after a whole line where there is one."""
    got = b""
    try:
        for piece in _text(member.pieces(), first=size):
            got += piece
            if len(got) >= size:
                break
        else:
            return got
    except FileFault:
        if not got:
            raise
        return got
    return got[: got.rfind(b"\n") + 1] or got


def _block(name: str, data: bytes) -> Block:
    # NumPy counts in a thread without holding up the others; bytes.count does not let go.
    return Block(name, data, int(np.count_nonzero(np.frombuffer(data, np.uint8) == 10)))


def _is_wanted(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts[-2:]) or path.name.endswith(".quarantine.csv"):
        return False
    name = path.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    return name.endswith(EXTENSIONS) or (name != path.name.lower() and "." not in name)


def _zip_members(path: Path) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise FileFault(str(path), f"a broken zip archive: {error}") from error
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    names = {info.filename for info in infos}
    if "xl/workbook.xml" in names:
        raise FileFault(str(path), "an Excel workbook", "the sheet saved as CSV")
    if not infos:
        raise FileFault(str(path), "an empty zip archive")
    room = _Room(str(path), path.stat().st_size)
    for info in infos:
        inside = info.filename.lower()
        if inside.startswith("__macosx/") or inside.rsplit("/", 1)[-1].startswith("."):
            continue
        name = f"{path}:{info.filename}"
        if info.flag_bits & 1:
            raise FileFault(name, "encrypted", "an archive without password")
        if inside.endswith((".zip", ".gz", ".bz2", ".xz", ".parquet")):
            raise FileFault(name, "an archive or Parquet file inside an archive", "text files in the archive")
        yield Member(name, path, False, _zip_opener(path, info, name, room))


def _zip_opener(path: Path, info: zipfile.ZipInfo, name: str, room: _Room) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(info) as stream:
                while piece := stream.read(PIECE):
                    room.take(len(piece))
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise FileFault(name, f"a broken zip archive: {error}") from error

    return pieces


def _unpack(path: Path, magic: bytes) -> Iterator[bytes]:
    if magic.startswith(b"\x1f\x8b"):
        yield from _gunzip(path)
    elif magic.startswith(b"BZh"):
        yield from _decompress(path, bz2.open, "bz2")
    elif magic.startswith(b"\xfd7zXZ\x00"):
        yield from _decompress(path, lzma.open, "xz")
    else:
        try:
            with path.open("rb", buffering=0) as stream:
                while piece := stream.read(4 * PIECE):
                    yield piece
        except OSError as error:
            raise FileFault(str(path), f"cannot be read: {error.strerror or error}") from error


def _gunzip(path: Path) -> Iterator[bytes]:
    """Several gzip streams one after the other are one text, as for gzip itself."""
    room = _Room(str(path), path.stat().st_size)
    inflate = zlib.decompressobj(wbits=31)
    fresh = True
    try:
        with path.open("rb") as stream:
            while True:
                packed = inflate.unconsumed_tail or stream.read(PIECE >> 2)
                if not packed:
                    break
                piece = inflate.decompress(packed, PIECE)
                fresh = False
                if piece:
                    room.take(len(piece))
                    yield piece
                while inflate.eof:
                    left = inflate.unused_data or stream.read(PIECE >> 2)
                    left = left.lstrip(b"\0")
                    inflate, fresh = zlib.decompressobj(wbits=31), True
                    if not left:
                        return
                    piece = inflate.decompress(left, PIECE)
                    fresh = False
                    if piece:
                        room.take(len(piece))
                        yield piece
    except zlib.error as error:
        raise FileFault(str(path), f"a broken gzip file: {error}") from error
    if not fresh and not inflate.eof:
        raise FileFault(str(path), "the gzip file ends before its end", "a complete file; what was there was read")


def _decompress(path: Path, opener: Callable[[Path], Any], kind: str) -> Iterator[bytes]:
    room = _Room(str(path), path.stat().st_size)
    try:
        with opener(path) as stream:
            while piece := stream.read(PIECE):
                room.take(len(piece))
                yield piece
    except EOFError as error:
        found = f"the {kind} file ends before its end"
        raise FileFault(str(path), found, "a complete file; what was there was read") from error
    except (OSError, lzma.LZMAError) as error:
        raise FileFault(str(path), f"a broken {kind} file: {error}") from error


class _Room:
    """How much an archive may still swell. The size on disk counts, not what the archive says of itself."""

    def __init__(self, file: str, packed: int) -> None:
        self.file = file
        self.most = max(SWELL_FROM, MOST_SWELL * packed)

    def take(self, size: int) -> None:
        self.most -= size
        if self.most < 0:
            raise FileFault(
                self.file, f"swells to more than {MOST_SWELL} times its size", "an event file, not a zip bomb"
            )


def _text(pieces: Iterator[bytes], first: int | None = None) -> Iterator[bytes]:
    """Take off a byte order mark; turn UTF-16 into UTF-8 and bare carriage returns (old Mac) into newlines.

    first  stop reading ahead for the decision at this many bytes
    """
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= min(4096, first or 4096):
            break
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-16")(errors="replace")
    elif len(start) >= 64 and start[1:64:2].count(0) >= 30:
        decoder = codecs.getincrementaldecoder("utf-16-le")(errors="replace")
    elif len(start) >= 64 and start[0:64:2].count(0) >= 30:
        decoder = codecs.getincrementaldecoder("utf-16-be")(errors="replace")
    else:
        decoder = None
    start = start.removeprefix(codecs.BOM_UTF8)
    old_mac = decoder is None and b"\r" in start and b"\n" not in start
    if decoder is None and not old_mac:
        if start:
            yield start
        yield from pieces
        return
    for piece in _chain(start, pieces):
        changed = decoder.decode(piece).encode("utf-8", "replace") if decoder else piece
        yield changed.replace(b"\r", b"\n") if old_mac else changed


def _chain(start: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if start:
        yield start
    yield from pieces


def _last_end(data: bytes, quoted: bool) -> int:
    """Where the last whole record of `data` ends; 0 if none does."""
    end = data.rfind(b"\n")
    if end < 0:
        return 0
    if not quoted:
        return end + 1
    odd = data.count(b'"', 0, end) % 2
    last = end
    while odd and end >= 0:
        previous = data.rfind(b"\n", 0, end)
        if previous < 0 or last - previous > LONGEST_RECORD:
            # No record is that long: a quote was opened and never closed. Cut here; the parser finds which.
            return last + 1
        odd = (odd + data.count(b'"', previous, end)) % 2
        end = previous
    return end + 1
