"""What may stand in a field, and how is it read, written, described?

A kind is declared once on a field; from it follow reading (tree to value, with faults), the written form, the resolved
form, the JSON Schema and the words of the field reference. In: nodes of `tree`. Out: values, or faults in a `Reader`.
No word of any domain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from powderkeg.errors import Fault, nearest_name
from powderkeg.reading.tree import MOST_FAULTS, Listing, Node, Refused, Scalar, Table, said, shown

Schema = dict[str, Any]
Sourcing = tuple[str | None, bool]
"""Where a number comes from: the name of its source, and whether it is a guess."""

UNSOURCED: Final[Sourcing] = (None, False)
GUESS = "guess"

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NAME_RULE = "a name of small letters, digits and _ that starts with a letter"
_MOST_COMPARISONS = 20_000
_MOST_NAMES = 12


class _Broken:
    """Stands for a value that could not be read; the fault is already told."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Final = _Broken()


class Wrong(Exception):
    """A value is at fault; the reader that called adds file, line and path."""

    def __init__(self, found: str, expected: str = "", nearest: str | None = None, line: int | None = None) -> None:
        super().__init__(found)
        self.found, self.expected, self.nearest, self.line = found, expected, nearest, line


class Reader:
    """What one reading needs and collects.

    names   names that references may use, by sort; a sort that is absent is not checked
    broken  key paths of things that were given but could not be read: nothing can be said about what refers to them
    lines   line of every key path seen
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.names: dict[str, Collection[str]] = {}
        self.broken: set[str] = set()
        self.lines: dict[str, int] = {}
        self.sourcing: Sourcing = UNSOURCED
        self.data: dict[str, Any] = {}
        self._comparisons = 0

    def read(self, kind: Kind, node: Node, path: str) -> Any:
        """The value at a node, or BROKEN once its faults are told."""
        if node.line is not None:
            self.lines.setdefault(path, node.line)
        try:
            value = BROKEN if isinstance(node, Refused) else kind.read(node, path, self)
        except Wrong as wrong:
            self.tell(path, wrong.line or node.line, wrong.found, wrong.expected, wrong.nearest)
            value = BROKEN
        if value is BROKEN:
            self.broken.add(path)
        return value

    def tell(self, path: str, line: int | None, found: str, expected: str = "", nearest: str | None = None) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(self.file, line, path, found, expected, nearest))
        elif len(self.faults) == MOST_FAULTS:
            self.faults.append(Fault(self.file, None, "", f"more than {MOST_FAULTS:,} faults", "these mended first"))

    def nearest(self, name: str, names: Collection[str]) -> str | None:
        """The nearest name, or None; looking costs, so a text full of slips gets no more advice after a while."""
        self._comparisons += len(names)
        if self._comparisons > _MOST_COMPARISONS or len(name) > 100:
            return None
        return nearest_name(name, names)

    @contextmanager
    def within(self, sourcing: Sourcing) -> Iterator[None]:
        """Numbers read inside come from here unless they say otherwise."""
        before, self.sourcing = self.sourcing, sourcing
        try:
            yield
        finally:
            self.sourcing = before


@dataclass
class Writer:
    """How values are written: short as a person would, or `full` with nothing implied."""

    full: bool = False
    sourcing: Sourcing = UNSOURCED
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """One value that can be edited: its key path, its kind, what it is now, and how to put another in its stead."""

    path: str
    kind: Kind
    value: Any
    rebuild: Callable[[Any], Any]

    def inside(self, path: str, rebuild: Callable[[Any], Any]) -> Place:
        """The same place seen from the thing around it."""
        return Place(path, self.kind, self.value, lambda new: rebuild(self.rebuild(new)))


class Kind:
    """Base of all kinds."""

    words = "a value"
    """What may stand here, in a few words, for messages and for the field reference."""
    editable = False
    """Whether a value of this kind can be edited by its key path."""

    def places(self, value: Any) -> Iterator[Place]:
        """The values in a value of this kind that can be edited one by one."""
        if self.editable:
            yield Place("", self, value, lambda new: new)

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        raise NotImplementedError

    def write(self, value: Any, writer: Writer) -> Any:
        """Plain data that reads back as an equal value."""
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """JSON Schema of the written and of the resolved form; may add named parts to `defs`."""
        return {}

    def text(self, node: Node) -> str:
        if not isinstance(node, Scalar) or node.is_null:
            raise Wrong(said(node), self.words)
        return node.text


def listed(names: Iterable[str], joint: str = ", ") -> str:
    """Names in words, cut after a dozen."""
    names = list(names)
    more = len(names) - _MOST_NAMES
    shown_names = joint.join(names[:_MOST_NAMES] if more > 1 else names)
    return f"{shown_names} and {more} more" if more > 1 else shown_names


def one_of(names: Iterable[str]) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else f"one of {listed(names)}"


@dataclass(frozen=True)
class Text(Kind):
    """Any text."""

    most: int = 10_000
    words = "text"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node)
        if len(text) > self.most:
            raise Wrong(f"a text of {len(text):,} letters", f"at most {self.most:,}")
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number", "boolean"], "maxLength": self.most}


@dataclass(frozen=True)
class Matching(Kind):
    """Text of a given form."""

    form: str
    words: str = "text"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node)
        if len(text) > 2_000 or not re.fullmatch(self.form, text):
            raise Wrong(shown(text), self.words)
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number"], "pattern": f"^(?:{self.form})$"}


@dataclass(frozen=True)
class Flag(Kind):
    """true or false."""

    editable = True
    words = "true or false"

    def read(self, node: Node, path: str, reader: Reader) -> bool:
        text = self.text(node)
        if text not in ("true", "false"):
            raise Wrong(shown(text), self.words, {"yes": "true", "no": "false"}.get(text.lower()))
        return text == "true"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Day(Kind):
    """A calendar day."""

    editable = True
    words = "a date such as 2008-02-17"

    def read(self, node: Node, path: str, reader: Reader) -> date:
        text = self.text(node)
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError:
            raise Wrong(shown(text), self.words) from None

    def write(self, value: date, writer: Writer) -> str:
        return value.isoformat()

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class DayOfYear(Kind):
    """A day that comes every year; read to (month, day)."""

    editable = True
    words = "a day of the year such as 1 August"

    def read(self, node: Node, path: str, reader: Reader) -> tuple[int, int]:
        text = self.text(node)
        found = re.fullmatch(r"(?:(\d{1,2}) ([A-Za-z]+)|([A-Za-z]+) (\d{1,2})|(\d{2})-(\d{2}))", text, re.ASCII)
        if not found:
            raise Wrong(shown(text), self.words)
        day, name = found[1] or found[4], found[2] or found[3]
        if name is None:
            month, day = int(found[5]), found[6]
        else:
            months = [m for m in _MONTHS if m.lower() == name.lower() or m[:3].lower() == name.lower()]
            if not months:
                raise Wrong(f"unknown month {shown(name)}", self.words, reader.nearest(name, _MONTHS))
            month = _MONTHS.index(months[0]) + 1
        try:
            date(2001, month, int(day))
        except ValueError:
            raise Wrong(shown(text), "a day that every year has, such as 1 August") from None
        return month, int(day)

    def write(self, value: tuple[int, int], writer: Writer) -> str:
        return f"{value[1]} {_MONTHS[value[0] - 1]}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^(\d{1,2} [A-Za-z]+|[A-Za-z]+ \d{1,2}|\d{2}-\d{2})$"}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    editable = True
    among: tuple[str, ...]

    @property
    def words(self) -> str:  # type: ignore[override]
        return one_of(self.among)

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node)
        if text not in self.among:
            raise Wrong(shown(text), self.words, reader.nearest(text, self.among))
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"enum": list(self.among)}


@dataclass(frozen=True)
class Version(Kind):
    """The one format version this code reads."""

    number: int

    @property
    def words(self) -> str:  # type: ignore[override]
        return str(self.number)

    def read(self, node: Node, path: str, reader: Reader) -> int:
        text = self.text(node)
        if text != str(self.number):
            raise Wrong(f"format version {shown(text, 20)[1:-1]}", f"{self.words}, the version that this release reads")
        return self.number

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"const": self.number}


@dataclass(frozen=True)
class Name(Kind):
    """A new name."""

    reserved: tuple[str, ...] = ()
    words = NAME_RULE

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node)
        check_name(text, self.reserved)
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{NAME.pattern}$"}


_WORDS: Final = ("true", "false", "null")


def check_name(text: str, reserved: Collection[str] = ()) -> None:
    """Raises Wrong unless `text` may be a new name."""
    if not NAME.fullmatch(text):
        better = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
        raise Wrong(
            f"{shown(text)} as a name",
            NAME_RULE,
            better if NAME.fullmatch(better) and better not in reserved else None,
        )
    if text in (*reserved, *_WORDS):
        raise Wrong(f"{shown(text)} as a name", f"another name; {shown(text)} has a meaning of its own")


@dataclass(frozen=True)
class Reference(Kind):
    """The name of something declared elsewhere. `sort` says of what; `also` are names that always do."""

    sort: str
    also: tuple[str, ...] = ()

    @property
    def words(self) -> str:  # type: ignore[override]
        return " or ".join([f"the name of {_an(self.sort)}", *self.also])

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node)
        refer(text, self.sort, reader, self.also)
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{NAME.pattern}$"}


def refer(text: str, sort: str, reader: Reader, also: tuple[str, ...] = ()) -> None:
    """Raises Wrong unless `text` names a thing of this sort (or the things of this sort are not known)."""
    names = reader.names.get(sort)
    if names is None or text in names or text in also:
        return
    known = [*names, *also]
    expected = f"{_an(sort)} of this file: {listed(sorted(known))}" if known else f"no {sort}: this file has none"
    raise Wrong(f"unknown {sort} {shown(text)}", expected, reader.nearest(text, known))


def _an(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


@dataclass(frozen=True)
class Several(Kind):
    """A list, read to a tuple. A single item may stand alone where `alone`."""

    of: Kind
    alone: bool = True
    least: int = 0
    distinct: bool = True

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"{self.of.words}, or a list of these" if self.alone else f"a list; each {self.of.words}"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.is_null:
            items: tuple[Node, ...] = ()
        elif isinstance(node, Listing):
            items = node.items
        elif self.alone:
            items = (node,)
        else:
            raise Wrong(said(node), self.words)
        values = [reader.read(self.of, item, path) for item in items]
        if any(value is BROKEN for value in values):
            return BROKEN
        if len(values) < self.least:
            raise Wrong(
                "an empty list" if not values else f"a list of {len(values)}", f"at least {self.least} of these"
            )
        for i, value in enumerate(values):
            if self.distinct and value in values[:i][:1000]:
                raise Wrong(f"{said(items[i])} given twice", "each once", line=items[i].line)
        return tuple(values)

    def write(self, value: tuple[Any, ...], writer: Writer) -> Any:
        return [self.of.write(item, writer) for item in value]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        one = self.of.schema(defs)
        many: Schema = {"type": "array", "items": one}
        if self.least:
            many["minItems"] = self.least
            return {"anyOf": [one, many]} if self.alone else many
        return {"anyOf": [one, many, {"type": "null"}]} if self.alone else {"anyOf": [many, {"type": "null"}]}


@dataclass(frozen=True)
class ByName(Kind):
    """A mapping from names to things, read to a dict. `sort` says what the things are.

    reserved  names that may not be used
    among     the only names that may be used, if any are given
    """

    of: Kind
    sort: str
    reserved: tuple[str, ...] = ()
    among: tuple[str, ...] = ()

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a mapping from names to {self.sort} entries"

    def read(self, node: Node, path: str, reader: Reader) -> dict[str, Any]:
        if isinstance(node, Scalar) and node.is_null:
            return {}
        if not isinstance(node, Table):
            raise Wrong(said(node), self.words)
        things: dict[str, Any] = {}
        for name, item in node.items.items():
            here = f"{path}.{name}"
            line = node.line_of(name)
            if line is not None:
                reader.lines[here] = line
            try:
                if not self.among:
                    check_name(name, self.reserved)
                elif name not in self.among:
                    raise Wrong(f"unknown key {shown(name)}", one_of(self.among), reader.nearest(name, self.among))
            except Wrong as wrong:
                reader.tell(path, line, wrong.found, wrong.expected, wrong.nearest)
                reader.broken.add(here)
                continue
            value = reader.read(self.of, item, here)
            if value is not BROKEN:
                things[name] = value
        return things

    def write(self, value: Mapping[str, Any], writer: Writer) -> dict[str, Any]:
        return {name: self.of.write(item, writer) for name, item in value.items()}

    def places(self, value: Mapping[str, Any]) -> Iterator[Place]:
        for name, item in value.items():
            for place in self.of.places(item):
                path = f"{name}.{place.path}" if place.path else name
                yield place.inside(path, lambda new, name=name: {**value, name: new})  # type: ignore[misc]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "anyOf": [
                {
                    "type": "object",
                    "propertyNames": {"enum": list(self.among)} if self.among else {"pattern": f"^{NAME.pattern}$"},
                    "additionalProperties": self.of.schema(defs),
                },
                {"type": "null"},
            ]
        }


@dataclass(frozen=True)
class ByKey(Kind):
    """A mapping whose keys are read by a kind of their own; read to a tuple of (key, value) pairs."""

    key: Kind
    of: Kind
    least: int = 1

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a mapping from {self.key.words} to {self.of.words}"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if not isinstance(node, Table):
            raise Wrong(said(node), self.words)
        if len(node.items) < self.least:
            raise Wrong("an empty mapping", f"at least {self.least} of these")
        pairs = []
        for text, item in node.items.items():
            key = reader.read(self.key, Scalar(text, node.line_of(text)), path)
            pairs.append((key, reader.read(self.of, item, path)))
        if any(BROKEN in (key, value) for key, value in pairs):
            return BROKEN
        keys = [key for key, _ in pairs]
        for i, (text, key) in enumerate(zip(node.items, keys, strict=True)):
            if key in keys[:i][:1000]:
                raise Wrong(f"{shown(text)} given twice", "each once", line=node.line_of(text))
        return tuple(pairs)

    def places(self, value: tuple[tuple[Any, Any], ...]) -> Iterator[Place]:
        for i, (key, item) in enumerate(value):
            for place in self.of.places(item):
                path = f"{self.key.write(key, Writer())}.{place.path}".rstrip(".")
                yield place.inside(
                    path,
                    lambda new, i=i: (*value[:i], (value[i][0], new), *value[i + 1 :]),  # type: ignore[misc]
                )

    def write(self, value: Iterable[tuple[Any, Any]], writer: Writer) -> dict[str, Any]:
        return {str(self.key.write(key, writer)): self.of.write(item, writer) for key, item in value}

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "object", "minProperties": self.least, "additionalProperties": self.of.schema(defs)}


def days_between(start: date, day: date) -> float:
    """Days from `start` to `day`."""
    return (day - start) / timedelta(days=1)
