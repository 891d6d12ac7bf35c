"""In what portions is a member read?

In: a member. Out: its text in blocks that hold whole records, so that memory does not grow with the file; or only its
first lines, from which the format is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from powderkeg.events.archives import Member
from powderkeg.events.encodings import all_utf8, as_utf8
from powderkeg.events.files import LONG_PIECE, TEXT_SHOWN, FileFault

BLOCK = LONG_PIECE
LONGEST_RECORD = 1 << 20
LONGEST_HEADER = 1 << 16
STRETCH = 1 << 18


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


def blocks(member: Member, quoted: bool, encoding: str | None = None, size: int = BLOCK) -> Iterator[Block | Overlong]:
    """The member's text as UTF-8-or-what-it-is bytes, in blocks of about `size` that end where a record ends.

    quoted  a newline inside double quotes does not end a record
    A truncated archive gives its last, broken record in a block marked `cut`, then raises FileFault.
    """
    rest = b""
    skipping = False
    broken: FileFault | None = None
    pieces = as_utf8(member.pieces(), encoding)
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
            # The common cases, without a copy or with one: the last piece is cut before it is joined to the others.
            last = gathered.pop()
            as_it_is = end == len(last) and not any(gathered)
            yield _block(member.name, last if as_it_is else b"".join([*gathered, memoryview(last)[:end]]))
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
        cut = last_end(data, quoted)
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


def head(member: Member, encoding: str | None = None, size: int = 1 << 18) -> bytes:
    """The first bytes of a member as UTF-8 text, cut after a whole line where there is one."""
    got = b""
    whole = True
    try:
        for piece in as_utf8(member.pieces(), encoding):
            got += piece
            if len(got) >= size:
                whole = False
                break
    except FileFault:
        if not got:
            raise
    return all_utf8(got if whole else got[: got.rfind(b"\n") + 1] or got)


def below_header(data: bytes, skip: int, has_header: bool, quoted: bool) -> int:
    """Where rows begin: below the lines to pass over, empty lines, and the header, which may hold newlines."""
    at = 0
    for _ in range(skip):
        at = data.find(b"\n", at) + 1 or len(data)
    if not has_header:
        return at
    while data[at : at + 1] in (b"\n", b"\r"):
        at += 1
    end = data.find(b"\n", at) + 1 or len(data)
    wider = end
    while quoted and data.count(b'"', at, wider) % 2 and wider - at < LONGEST_HEADER:
        further = data.find(b"\n", wider) + 1
        if not further:
            return end
        wider = further
    return end if data.count(b'"', at, wider) % 2 else wider


def _block(name: str, data: bytes) -> Block:
    return Block(name, data, count_of(b"\n", data))


def count_of(letter: bytes, data: bytes) -> int:
    """How often a byte stands in `data`.

    NumPy counts without holding up other threads, which bytes.count does; and by stretches that stay in the processor's
    cache: the comparison of a whole block at once would take as much new memory as the block, twice the time.
    """
    raw, code = np.frombuffer(data, np.uint8), ord(letter)
    return sum(int(np.count_nonzero(raw[at : at + STRETCH] == code)) for at in range(0, len(raw), STRETCH))


def last_end(data: bytes, quoted: bool) -> int:
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
