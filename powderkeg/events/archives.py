"""What does a file hold, packed or not?

In: a source. Out: its members: the file itself, or the event files inside an archive, each an iterator of bytes that
can be opened again.
Every file is treated as hostile: names in an archive are only shown, never used as paths, and what swells beyond
`MOST_SWELL` times its size is left. What is no event file (a readme, a codebook) is passed over and named.
"""

from __future__ import annotations

import bz2
import contextlib
import importlib
import io
import itertools
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from powderkeg.events.files import (
    EXTENSIONS,
    LONG_PIECE,
    PIECE,
    FileFault,
    SourceFile,
    Spool,
    has_known_ending,
    shown_name,
)

MOST_SWELL = 200
SWELL_FROM = 64 << 20
MOST_MEMBERS = 100_000
SHOWN = 8

GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
ZIP, PARQUET, OLE = b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "packed with 7-Zip",
    b"Rar!": "packed with RAR",
    b"\x04\x22\x4d\x18": "packed with LZ4",
    b"\x1f\x9d": "packed with compress",
    b"ARROW1": "an Arrow (Feather) file",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"$FL2": "an SPSS file",
    b"<stata_dta>": "a Stata file",
    b"RDX": "an R data file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"{\\rtf": "a text document (RTF)",
}
"""How other kinds of file begin, and what they are."""
TABLES = "a table: CSV, tab-separated text, JSON, Parquet or a workbook"
ABOUT = re.compile(
    r"^(read[-_ ]?me|licen[cs]e|copying|code[-_ ]?book|change[-_ ]?log|changes|manifest|citation|how[-_ ]?to[-_ ]?cite|"
    r"terms|about|data[-_ ]?dictionary|version|metadata|checksums?|sha\d+sums?|md5sums?)\b",
    re.IGNORECASE,
)
"""Files beside the data that may end as data do."""


@dataclass(frozen=True)
class Member:
    """One thing to read: a file, or one file inside an archive (`name` is then `archive.zip:inside.csv`).

    kind      text (JSON too), parquet or workbook
    pieces    opens the member: an iterator of decompressed bytes
    size      bytes as they are read, where that is known without reading
    doubtful  one of several in an archive, whose name does not say that it holds events
    """

    name: str
    path: Path
    kind: str
    pieces: Callable[[], Iterator[bytes]]
    size: int | None = None
    doubtful: bool = False


@dataclass(frozen=True)
class PassedOver:
    """Files of an archive that are none of ours."""

    archive: str
    names: tuple[str, ...]


def members(source: SourceFile, spool: Spool) -> Iterator[Member | PassedOver]:
    """What a file holds.

    Raises FileFault for an archive that cannot be opened, is encrypted, or holds another archive; for a file of a kind
    that holds no table.
    """
    name, path = source.name, source.path
    try:
        with path.open("rb") as stream:
            start = stream.read(tarfile.BLOCKSIZE)
        size = path.stat().st_size
    except OSError as error:
        raise FileFault(name, f"cannot be opened: {error.strerror or error}") from error
    if start.startswith(ZIP):
        yield from _zip_members(source)
        return
    _refuse_others(name, start)
    opener = _opener(start)
    if opener is None:
        kind = "parquet" if start.startswith(PARQUET) else "workbook" if start.startswith(OLE) else "text"
        if kind == "text" and _is_tar(start):
            yield from _tar_members(source, path)
        else:
            yield Member(name, path, kind, lambda: _plain(source), size)
        return
    inside = b"".join(itertools.islice(opener(source, Room(name, size)), 1))[: tarfile.BLOCKSIZE]
    if _is_tar(inside):
        yield from _tar_members(source, spool.keep(opener(source, Room(name, size)), name))
        return
    _refuse_others(name, inside)
    if inside.startswith((ZIP, PARQUET, OLE)) or _opener(inside) is not None:
        raise FileFault(name, "an archive, workbook or Parquet file that is packed again", "it unpacked once")
    yield Member(name, path, "text", lambda: opener(source, Room(name, size)))


def _refuse_others(name: str, start: bytes) -> None:
    for magic, what in OTHERS.items():
        if start.startswith(magic):
            raise FileFault(name, what, TABLES)


def _opener(start: bytes) -> Callable[[SourceFile, Room], Iterator[bytes]] | None:
    """What unpacks a file that begins so; None if it is not packed."""
    for magic, opener in ((GZIP, _gunzip), (BZIP2, _bunzip2), (XZ, _unxz), (ZSTD, _unzstd)):
        if start.startswith(magic):
            return opener
    return None


def _plain(source: SourceFile) -> Iterator[bytes]:
    """A short piece, for those who look ahead, then long ones that end in a newline: what is cut from them need not be
    joined of two, which would take as much new memory again."""
    try:
        with source.path.open("rb", buffering=0) as stream:
            size = PIECE >> 2
            while piece := stream.read(size):
                yield piece
                size = _to_newline(stream, LONG_PIECE)
    except OSError as error:
        raise FileFault(source.name, f"cannot be read: {error.strerror or error}") from error


def _to_newline(stream: io.FileIO, least: int) -> int:
    """From where the stream stands, the size of at least so many bytes that end in a newline, if one is near."""
    here = stream.tell()
    stream.seek(least, io.SEEK_CUR)
    beyond = stream.read(PIECE >> 4) or b""
    stream.seek(here)
    return least + beyond.find(b"\n") + 1


def _gunzip(source: SourceFile, room: Room) -> Iterator[bytes]:
    """Several gzip streams one after the other are one text, as for gzip itself."""
    inflate = zlib.decompressobj(wbits=31)
    fresh = True
    try:
        with source.path.open("rb") as stream:
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
    except (zlib.error, OSError) as error:
        raise FileFault(source.name, f"a broken gzip file: {error}") from error
    if not fresh and not inflate.eof:
        raise FileFault(source.name, "the gzip file ends before its end", "a complete file; what was there was read")


def _bunzip2(source: SourceFile, room: Room) -> Iterator[bytes]:
    return _unpack(source, room, bz2.open, "bz2")


def _unxz(source: SourceFile, room: Room) -> Iterator[bytes]:
    return _unpack(source, room, lzma.open, "xz")


def _unzstd(source: SourceFile, room: Room) -> Iterator[bytes]:
    for module in ("compression.zstd", "backports.zstd"):  # the first from Python 3.14 on
        with contextlib.suppress(ImportError):
            return _unpack(source, room, importlib.import_module(module).open, "zstd")
    expected = "it unpacked, or: pip install 'powderkeg[zstd]'"
    raise FileFault(source.name, "packed with zstd, for which nothing is installed", expected)


def _unpack(source: SourceFile, room: Room, opener: Callable[[Path], Any], kind: str) -> Iterator[bytes]:
    try:
        with opener(source.path) as stream:
            while piece := stream.read(PIECE):
                room.take(len(piece))
                yield piece
    except EOFError as error:
        found = f"the {kind} file ends before its end"
        raise FileFault(source.name, found, "a complete file; what was there was read") from error
    except FileFault:
        raise
    except Exception as error:  # each library has its own
        raise FileFault(source.name, f"a broken {kind} file: {error}") from error


class Room:
    """How much an archive may still swell. The size on disk counts, not what the archive says of itself."""

    def __init__(self, file: str, packed: int) -> None:
        self.file = file
        self.most = max(SWELL_FROM, MOST_SWELL * packed)

    def take(self, size: int) -> None:
        """Count bytes that came out. Raises FileFault when they are too many."""
        self.most -= size
        if self.most < 0:
            raise FileFault(
                self.file, f"swells to more than {MOST_SWELL} times its size", "an event file, not a zip bomb"
            )


def _zip_members(source: SourceFile) -> Iterator[Member | PassedOver]:
    name, path = source.name, source.path
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise FileFault(name, f"a broken zip archive: {error}") from error
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        names = [info.filename for info in infos]
        if {"xl/workbook.xml", "xl/workbook.bin"} & set(names):
            yield Member(name, path, "workbook", lambda: _plain(source))
            return
        if names[:1] == ["mimetype"] and archive.read("mimetype", pwd=None)[:60].endswith(b".spreadsheet"):
            yield Member(name, path, "workbook", lambda: _plain(source))
            return
        wanted, passed = _wanted(name, names)
        if passed:
            yield PassedOver(name, passed)
        room = Room(name, path.stat().st_size)
        # The archive stays open for all its members: opening it reads its whole directory.
        for number in wanted:
            info = infos[number]
            inside = f"{name}:{shown_name(info.filename)}"
            if info.flag_bits & 1:
                raise FileFault(inside, "encrypted", "an archive without password")
            _refuse_nested(inside, info.filename)
            opener = _zip_opener(archive, info, inside, room)
            yield Member(inside, path, "text", opener, info.file_size, _is_doubtful(info.filename, wanted))


def _zip_opener(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, room: Room
) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        first = True
        try:
            with archive.open(info) as stream:
                while piece := stream.read(PIECE):
                    if first:
                        _refuse_packed(name, piece)
                        first = False
                    room.take(len(piece))
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise FileFault(name, f"a broken zip archive: {error}") from error

    return pieces


def _is_tar(start: bytes) -> bool:
    """Whether a file begins as a tar archive does; the sum over its first block says so, whatever its age."""
    if len(start) < tarfile.BLOCKSIZE or not start.strip(b"\0"):
        return False
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _tar_members(source: SourceFile, path: Path) -> Iterator[Member | PassedOver]:
    """Plain files of a tar archive; links, devices and the like are none."""
    name = source.name
    try:
        archive = tarfile.open(path, "r:", errorlevel=2)  # noqa: SIM115
    except (tarfile.TarError, OSError, ValueError) as error:
        raise FileFault(name, f"a broken tar archive: {error}") from error
    with archive:
        infos: list[tarfile.TarInfo] = []
        broken: Exception | None = None
        try:
            for info in itertools.islice(archive, MOST_MEMBERS):
                infos.append(info)
        except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
            broken = error
        # Blocks of zeros end a tar archive: without them it may have lost whole files.
        cut = broken is None and path.stat().st_size <= archive.offset
        files = [info for info in infos if _is_file(info)]
        wanted, passed = _wanted(name, [info.name for info in files])
        passed += tuple(shown_name(info.name) for info in infos if not (_is_file(info) or info.isdir()))
        if passed:
            yield PassedOver(name, passed)
        room = Room(name, source.path.stat().st_size)
        for number in wanted:
            info = files[number]
            inside = f"{name}:{shown_name(info.name)}"
            _refuse_nested(inside, info.name)
            opener = _tar_opener(path, info, inside, room)
            yield Member(inside, path, "text", opener, info.size, _is_doubtful(info.name, wanted))
    if broken is not None and "unexpected end" not in str(broken):
        raise FileFault(name, f"a broken tar archive: {broken}", "a complete file; what was there was read")
    if cut or broken is not None:
        raise FileFault(name, "the tar archive ends before its end", "a complete file; what was there was read")


def _is_file(info: tarfile.TarInfo) -> bool:
    return info.isreg() and not info.issparse()


def _tar_opener(path: Path, info: tarfile.TarInfo, name: str, room: Room) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        left = info.size
        try:
            with path.open("rb") as stream:
                stream.seek(info.offset_data)
                while left and (piece := stream.read(min(PIECE, left))):
                    if left == info.size:
                        _refuse_packed(name, piece)
                    room.take(len(piece))
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise FileFault(name, f"a broken tar archive: {error}") from error
        if left:
            raise FileFault(name, "the tar archive ends before its end", "a complete file; what was there was read")

    return pieces


def _wanted(archive: str, names: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Which of an archive's files are to be read, in their order; and those that are passed over.

    Of files of one name the last counts, as it does when the archive is unpacked. A file alone is read whatever it is
    called; of several, those that are called as event files are.
    """
    last = {name: number for number, name in enumerate(names)}
    numbers = [number for number, name in enumerate(names) if last[name] == number and not _is_hidden(name)]
    chosen = [number for number in numbers if _is_nested(names[number]) or has_known_ending(_base(names[number]))]
    data = [number for number in chosen if not ABOUT.match(_base(names[number]))]
    wanted = numbers if len(numbers) == 1 else data or chosen
    if not wanted:
        held = ", ".join(map(shown_name, names[:SHOWN])) + (
            f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        )
        found = f"no event file in it, but {held}" if names else "an empty archive"
        raise FileFault(archive, found, f"files that end in {', '.join(EXTENSIONS)}")
    read = set(wanted)
    left = tuple(
        shown_name(name) if last[name] == number else f"{shown_name(name)} (an older copy of that name)"
        for number, name in enumerate(names)
        if number not in read and not _is_hidden(name)
    )
    return wanted, left


def _base(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]


def _is_hidden(name: str) -> bool:
    return name.lower().startswith("__macosx/") or _base(name).startswith(".")


def _is_doubtful(name: str, wanted: list[int]) -> bool:
    base = _base(name).lower()
    return len(wanted) > 1 and (base.endswith((".txt", ".json", ".dat")) or "." not in base)


def _is_nested(name: str) -> bool:
    return name.lower().endswith((".zip", ".7z", ".rar", ".tar", ".tgz"))


def _refuse_nested(inside: str, name: str) -> None:
    if _is_nested(name):
        raise FileFault(inside, "an archive inside an archive", "the inner archive taken out and read by itself")


def _refuse_packed(inside: str, start: bytes) -> None:
    """An archive holds text: what is packed again, or has to be opened from its end, is asked for by itself."""
    if start.startswith((ZIP, PARQUET, OLE)) or _opener(start) is not None:
        found = "an archive, workbook or Parquet file inside an archive"
        raise FileFault(inside, found, "the inner file taken out and read by itself")
    _refuse_others(inside, start)
