"""What is a kind of field, and what does one reading collect?

In: nodes of `tree`. Out: values, or faults in a `Reader`. A kind is declared once on a field; from it follow reading
(tree to value, with faults), the written form, the resolved form, the JSON Schema and the words of the field reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from powderkeg.errors import Fault, nearest_name
from powderkeg.reading.tree import MOST_FAULTS, Node, Refused, Scalar, clipped, said, too_many

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


class TooManyFaults(Exception):
    """More faults than anybody reads; the last one told says so."""


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
        if len(self.faults) >= MOST_FAULTS:
            self.faults.append(too_many(self.file))
            raise TooManyFaults
        line = self.lines.get(path) if line is None else line
        self.faults.append(Fault(self.file, line, path, found, expected, nearest))

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
class EditablePlace:
    """One value that can be edited: its key path, its kind, what it is now, and how to put another in its stead."""

    path: str
    kind: Kind
    value: Any
    rebuild: Callable[[Any], Any]

    def inside(self, path: str, rebuild: Callable[[Any], Any]) -> EditablePlace:
        """The same place seen from the thing around it."""
        return EditablePlace(path, self.kind, self.value, lambda new: rebuild(self.rebuild(new)))


class Kind:
    """Base of all kinds."""

    words = "a value"
    """What may stand here, in a few words, for messages and for the field reference."""
    editable = False
    """Whether a value of this kind can be edited by its key path."""

    def places(self, value: Any) -> Iterator[EditablePlace]:
        """The values in a value of this kind that can be edited one by one."""
        if self.editable:
            yield EditablePlace("", self, value, lambda new: new)

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        raise NotImplementedError

    def write(self, value: Any, writer: Writer) -> Any:
        """Plain data that reads back as an equal value."""
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """JSON Schema of the written and of the resolved form; may add named parts to `defs`."""
        return {}

    def text(self, node: Node, most: int = 1_000) -> str:
        """The text of a node. Raises Wrong if it is none, or has more than `most` letters."""
        if not isinstance(node, Scalar) or node.is_null:
            raise Wrong(said(node), self.words)
        if len(node.text) > most:
            raise Wrong(f"a text of {len(node.text):,} letters", self.words)
        return node.text


def listed(names: Iterable[str], joint: str = ", ") -> str:
    """Names in words, cut after a dozen."""
    names = list(names)
    more = len(names) - _MOST_NAMES
    shown_names = joint.join(map(clipped, names[:_MOST_NAMES] if more > 1 else names))
    return f"{shown_names} and {more} more" if more > 1 else shown_names


def alphabetical(names: Collection[str]) -> list[str]:
    """Names in alphabetical order, if they are not so many that sorting them for every fault takes time."""
    return sorted(names) if len(names) <= 200 else list(names)


def one_of(names: Iterable[str]) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else f"one of {listed(names)}"
