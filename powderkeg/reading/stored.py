"""Does a JSON file of ours still hold what we put there?

In: bytes of a file and the shape that they should have. Out: the data, every value of its declared type and range; or
one error that names file, key path, what was found and what was expected, for all slips at once.
Such files lie where people can open them. They come back cut off, saved with another encoding, with a word for a
number, with a number that no float holds; none of it may reach the code behind.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from powderkeg.errors import Fault, PowderkegError, UsageError, nearest_name

MOST_BYTES = 1 << 30
"""Beyond this a file is none of ours, and would not fit into memory as data."""
MOST_FAULTS = 20
MOST_DEEP = 50
MOST_DIGITS = 400
"""More digits than any float has before its point."""


class StoredShape(Protocol):
    """What a value may be."""

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        """Add (path, found, expected) for each slip."""

    def expected(self) -> str:
        """The shape in words."""


@dataclass(frozen=True)
class AnyShape:
    """Whatever JSON holds: for what is compared as a whole, and not looked into."""

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        """Nothing is wrong with it."""

    def expected(self) -> str:
        return "anything"


@dataclass(frozen=True)
class NumberShape:
    """A finite number. `whole` takes integers only; `above` is an open end."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    whole: bool = False

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        ok = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        try:
            ok = ok and math.isfinite(float(value))
        except OverflowError:
            ok = False
        ok = ok and (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        if not ok or (self.above is not None and not value > self.above):
            faults.append((path, said(value), self.expected()))

    def expected(self) -> str:
        ends = [
            *([f"from {self.least:,} on"] if self.least is not None else []),
            *([f"above {self.above:,}"] if self.above is not None else []),
            *([f"up to {self.most:,}"] if self.most is not None else []),
        ]
        return " ".join(["a whole number" if self.whole else "a finite number", *ends])


@dataclass(frozen=True)
class TextShape:
    """A text, one of `choices` if there are any, of the letters of `pattern` if there is one."""

    choices: tuple[str, ...] = ()
    pattern: str | None = None
    words: str = "a text"

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        ok = isinstance(value, str) and (not self.choices or value in self.choices)
        if ok and self.pattern is not None:
            ok = re.fullmatch(self.pattern, value) is not None
        # A lone surrogate is JSON, and no text that can be written or printed.
        if not ok or any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            faults.append((path, said(value), self.expected()))

    def expected(self) -> str:
        return f"one of {', '.join(map(repr, self.choices))}" if self.choices else self.words


@dataclass(frozen=True)
class FlagShape:
    """true or false."""

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        if not isinstance(value, bool):
            faults.append((path, said(value), self.expected()))

    def expected(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class EitherShape:
    """A value that fits one of several shapes; without any, null alone."""

    shapes: tuple[StoredShape, ...]
    null: bool = False

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        if value is None and self.null:
            return
        told: list[list[tuple[str, str, str]]] = []
        for shape in self.shapes:
            told.append([])
            shape.check(value, path, told[-1])
            if not told[-1]:
                return
        # Where the outside fits and something within does not, that is what to tell.
        within = [found for found in told if found and found[0][0] != path]
        faults.extend(within[0] if within else [(path, said(value), self.expected())])

    def expected(self) -> str:
        return " or ".join([*(shape.expected() for shape in self.shapes), *(["null"] if self.null else [])])


def maybe(shape: StoredShape) -> EitherShape:
    """The shape, or null."""
    return EitherShape((shape,), null=True)


@dataclass(frozen=True)
class ListShape:
    """A list, every part of one shape; of a given length if there is one."""

    of: StoredShape
    length: int | None = None

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        if not isinstance(value, list) or (self.length is not None and len(value) != self.length):
            faults.append((path, said(value), self.expected()))
            return
        for number, part in enumerate(value):
            self.of.check(part, f"{path}[{number}]", faults)
            if len(faults) > MOST_FAULTS:
                return

    def expected(self) -> str:
        return "a list" if self.length is None else f"a list of {self.length:,}"


@dataclass(frozen=True)
class MappingShape:
    """A mapping from any names to values of one shape."""

    of: StoredShape
    names: TextShape = field(default_factory=TextShape)

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        if not isinstance(value, dict):
            faults.append((path, said(value), self.expected()))
            return
        for name, part in value.items():
            self.names.check(name, joined(path, name), faults)
            self.of.check(part, joined(path, name), faults)
            if len(faults) > MOST_FAULTS:
                return

    def expected(self) -> str:
        return "a mapping of names"


@dataclass(frozen=True)
class RecordShape:
    """A mapping of known names. `optional` may be missing; nothing else may be there."""

    fields: Mapping[str, StoredShape]
    optional: Mapping[str, StoredShape] = field(default_factory=dict)

    def check(self, value: Any, path: str, faults: list[tuple[str, str, str]]) -> None:
        if not isinstance(value, dict):
            faults.append((path, said(value), self.expected()))
            return
        known = {**self.fields, **self.optional}
        for name in value:
            if name not in known:
                close = nearest_name(name[:80], known)
                expected = f"one of {', '.join(known)}" + (f", nearest {close!r}" if close else "")
                faults.append((joined(path, name), "an unknown name", expected))
        for name, shape in known.items():
            if name in value:
                shape.check(value[name], joined(path, name), faults)
            elif name in self.fields:
                faults.append((joined(path, name), "missing", shape.expected()))

    def expected(self) -> str:
        return f"a mapping with {', '.join(self.fields)}"


def read_stored(
    file: Path,
    shape: StoredShape,
    expected: str,
    error: type[PowderkegError] = UsageError,
    most_bytes: int = MOST_BYTES,
) -> Any:
    """The data of a file.

    expected  what file it should be, in words: said where nothing of it can be made out

    Raises `error`; FileNotFoundError stays what it is, for those who take it for an answer.
    """
    try:
        size = file.stat().st_size
        if size > most_bytes:
            raise error(Fault(str(file), None, "", f"{size:,} bytes", f"{expected}, of at most {most_bytes:,} bytes"))
        content = file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as broken:
        raise error(Fault(str(file), None, "", f"cannot be read: {broken.strerror}", expected)) from broken
    return parsed(content, shape, str(file), expected, error)


def parsed(
    content: bytes, shape: StoredShape, file: str | None, expected: str, error: type[PowderkegError] = UsageError
) -> Any:
    """The data of these bytes, as `read_stored`."""
    try:
        value = json.loads(
            # A byte-order mark is what an editor may have put before it.
            content.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole,
        )  # fmt: skip
    except UnicodeDecodeError as broken:
        raise error(Fault(file, None, "", "not UTF-8 text", expected)) from broken
    except json.JSONDecodeError as broken:
        raise error(Fault(file, broken.lineno, "", f"not JSON: {broken.msg.lower()}", expected)) from broken
    except RecursionError as broken:
        raise error(Fault(file, None, "", "lists within lists without end", expected)) from broken
    except ValueError as broken:
        raise error(Fault(file, None, "", str(broken), expected)) from broken
    if _depth(value) > MOST_DEEP:
        raise error(Fault(file, None, "", "lists within lists without end", expected))
    return checked(value, shape, file, expected, error)


def checked(
    value: Any, shape: StoredShape, file: str | None, expected: str, error: type[PowderkegError] = UsageError
) -> Any:
    """The value, if it has the shape."""
    faults: list[tuple[str, str, str]] = []
    shape.check(value, "", faults)
    if faults:
        told = [Fault(file, None, path, found, wanted) for path, found, wanted in faults[:MOST_FAULTS]]
        if len(faults) > MOST_FAULTS:
            told.append(Fault(file, None, "", "more of the kind", expected))
        raise error(told)
    return value


def _depth(value: Any) -> int:
    """How many lists and mappings stand within each other, as far as it matters; no recursion."""
    level, depth = [value], 0
    while level and depth <= MOST_DEEP:
        level = [part for one in level if isinstance(one, list | dict) for part in _parts(one)]
        depth += 1
    return depth


def _parts(one: list[Any] | dict[str, Any]) -> list[Any]:
    parts = one if isinstance(one, list) else list(one.values())
    return [part for part in parts if isinstance(part, list | dict)]


def canonical(data: Any) -> bytes:
    """Data in one form: the same data, the same bytes, whatever the layout and order that a file gives them."""
    return json.dumps(data, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def seal_of(data: Any) -> str:
    """SHA-256 of data in that form. It guards against slips, not against forgery."""
    return hashlib.sha256(canonical(data)).hexdigest()


def said(value: Any) -> str:
    """What stands there, short."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a whole number of {len(str(value)):,} digits"
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def joined(path: str, name: str) -> str:
    """A key path with one more name."""
    name = name if len(name) <= 80 else f"{name[:77]}..."
    name = name.encode("ascii", "backslashreplace").decode() if not name.isprintable() else name
    return f"{path}.{name}" if path else name


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{said(twice)} stands twice in one mapping")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text}, which is no number in JSON")


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a whole number of {len(text):,} digits")
    return int(text)
