"""Kinds of field that any file may have: text, names, references, choices, dates, lists and mappings.

In: nodes of `tree`. Out: values, or faults in a `Reader`. No word of any domain.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from powderkeg.reading.kind import (
    BROKEN,
    NAME,
    NAME_RULE,
    EditablePlace,
    Kind,
    Reader,
    Schema,
    Writer,
    Wrong,
    alphabetical,
    listed,
    one_of,
)
from powderkeg.reading.tree import Listing, Node, Scalar, Table, said, shown


@dataclass(frozen=True)
class Text(Kind):
    """Any text."""

    most: int = 10_000
    words = "text"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node, 10**9)
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
        if not re.fullmatch(self.form, text):
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
    if "," in text and all(part.strip() in known for part in text.split(",")):
        raise Wrong(f"{shown(text)} as one {sort}", f"a list in brackets: [{text}]")
    these = f": {listed(alphabetical(known))}" if known else ", which has none"
    expected = f"{_an(sort)} of this file{these}"
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
        if self.distinct and len(set(values)) < len(values):
            i = next(i for i, value in enumerate(values) if value in values[:i])
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


PAIR = re.compile(r"([^\s>/,→-]+)(?:\s+to\s+|\s*(?:-+>|→|/|,|\s-+\s)\s*)([^\s>/,→-]+)")
"""Two names written as one, as "north to south" or "north -> south"."""


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
                if isinstance(self.of, ByName) and (pair := PAIR.fullmatch(name.strip())):
                    first, second = pair.groups()
                    inside = item.text if isinstance(item, Scalar) else "..."
                    expected = "names in names: who does it, and in it to whom"
                    raise Wrong(f"{shown(name)} as a name", expected, f"{first}: {{{second}: {inside}}}")
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

    def places(self, value: Mapping[str, Any]) -> Iterator[EditablePlace]:
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
        return tuple(pairs)

    def places(self, value: tuple[tuple[Any, Any], ...]) -> Iterator[EditablePlace]:
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
