"""How do bytes become UTF-8 text with lines that end in newlines?

In: the bytes of a file, in pieces, and the encoding if the user named one. Out: the same text as UTF-8, without byte
order mark, with newlines for bare carriage returns. Lines that are no UTF-8 are left as they are: the rows on them are
read as Windows-1252 one by one (`recoded`) and counted, for files are often pasted together from several.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

UNKNOWN = "\ufffd"
TWICE = re.compile("[\u00c3\u00c4\u00c5\u00c2][^\\x00-\\x7f]")
"""What a letter of two bytes becomes where each byte was read as one letter."""
LONGEST_WORD = 40
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def is_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name."""
    try:
        return bool(codecs.lookup(name)._is_text_encoding) and bool("a".encode(name))
    except (LookupError, UnicodeError, ValueError):
        return False


def as_utf8(pieces: Iterator[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """The text of a file as UTF-8.

    encoding  that of the file, unless a byte order mark says another; None: the place of the zero bytes says whether
              it is UTF-16, anything else is left as it is
    Letters that the encoding does not know become U+FFFD.
    """
    start, pieces = _begun(pieces)
    name = _marked(start, encoding)
    if name is None or codecs.lookup(name).name == "utf-8":
        text = _chain(start.removeprefix(codecs.BOM_UTF8), pieces)
    else:
        text = _decoded(_chain(start, pieces), name)
    yield from _with_newlines(text)


def recoded(line: bytes) -> bytes | None:
    """A line as UTF-8, read as Windows-1252, if it is not UTF-8 yet; None if it is."""
    try:
        line.decode()
    except UnicodeDecodeError:
        pass
    else:
        return None
    try:
        return line.decode("cp1252").encode()
    except UnicodeDecodeError:
        return line.decode("latin-1").encode()


def in_others(line: bytes) -> str:
    """What the first word with a letter beyond ASCII would be in other encodings, in brackets; nothing without one."""
    words = [word for word in re.findall(rb"[A-Za-z\x80-\xff]+", line) if not word.isascii()]
    if not words:
        return ""
    word = max(words, key=lambda one: sum(byte > 127 for byte in one))[:40]
    known = word.decode("cp1252", "replace")
    others = [f"{word.decode(name, 'replace')!r} as {name}" for name in ("cp1250", "cp1251")]
    return f" ({known!r}; {' and '.join(others)})"


def twice_encoded(text: str) -> str:
    """That a text looks like UTF-8 which some program once read as Windows-1252 and wrote again, with an example;
    nothing where it does not."""
    for letters in TWICE.finditer(text):
        # From the telling letters outwards: a pattern of whole words tries every word of a text, and takes a second.
        before = text[max(0, letters.start() - LONGEST_WORD) : letters.start()]
        after = text[letters.end() : letters.end() + LONGEST_WORD]
        word = re.split(r"\W", before)[-1] + letters[0] + re.split(r"\W", after, maxsplit=1)[0]
        try:
            meant = word.encode("cp1252").decode()
        except UnicodeError:
            continue
        return f"{word!r} looks like {meant!r}, read in a wrong encoding before it came here: it is kept as it stands"
    return ""


def all_utf8(text: bytes) -> bytes:
    """Whole lines with those that are not UTF-8 read as the rows on them will be."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return b"\n".join(line if (new := recoded(line)) is None else new for line in text.split(b"\n"))
    return text


def _marked(start: bytes, named: str | None) -> str | None:
    """The encoding that the first bytes show, else the one named; None if there is none."""
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    if named is not None:
        return named
    # Most letters of a header are ASCII: in UTF-16 every second byte of it is zero.
    few = start[: 64 if len(start) >= 64 else len(start) & ~1]
    if len(few) >= 8:
        half = len(few) // 2
        if few[1::2].count(0) >= half - half // 16 and few[0::2].count(0) == 0:
            return "utf-16-le"
        if few[0::2].count(0) >= half - half // 16 and few[1::2].count(0) == 0:
            return "utf-16-be"
    return None


def _decoded(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    first = True
    for piece in pieces:
        text = decoder.decode(piece)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        yield text.encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _with_newlines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Text of old Macs, whose lines end in a carriage return alone, with newlines."""
    start, pieces = _begun(pieces)
    old_mac = b"\r" in start.rstrip(b"\r") and b"\n" not in start
    for piece in _chain(start, pieces):
        yield piece.replace(b"\r", b"\n") if old_mac else piece


def _begun(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first few thousand bytes, and an iterator of the others. What a reader raises comes after what it gave."""
    start = b""
    try:
        for piece in pieces:
            start += piece
            if len(start) >= 4096:
                break
    except Exception as error:
        return start, _Raising(error)
    return start, pieces


class _Raising(Iterator[bytes]):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __next__(self) -> bytes:
        raise self.error


def _chain(start: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if start:
        yield start
    yield from pieces
