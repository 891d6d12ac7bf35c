"""What does a YAML text hold, and on which line does each thing stand?

In: text, bytes or plain Python data. Out: a tree of nodes that know their line, and the faults of the text itself:
too large, not UTF-8, control characters, no YAML, keys given twice, anchors, aliases, tags, too deep, too many values.
Scalars stay text: what a text means is for the declaration of its field to say, so `no`, `1_000` and `0233` cannot
turn into something else on the way (YAML 1.2 in spirit; the parser's events carry no types).
Nothing in a text is ever executed or expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from powderkeg.errors import Fault

MOST_BYTES = 10_000_000
MOST_DEPTH = 20
MOST_VALUES = 150_000
MOST_FAULTS = 1_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_PLAIN_TEXT = "plain text: letters, digits, signs, spaces and line ends"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Scalar(NamedTuple):
    """A single value: its text as written. `number` is set where the value came from Python as a number."""

    text: str
    line: int | None = None
    quoted: bool = False
    number: float | None = None

    @property
    def is_null(self) -> bool:
        return not self.quoted and self.number is None and self.text in _NULLS


@dataclass(frozen=True)
class Listing:
    """A list of nodes."""

    items: tuple[Node, ...]
    line: int | None = None


@dataclass(frozen=True)
class Table:
    """A mapping from text keys to nodes, in file order; `key_lines` says where each key stands."""

    items: dict[str, Node]
    line: int | None = None
    key_lines: dict[str, int | None] = field(default_factory=dict)

    def line_of(self, key: str) -> int | None:
        return self.key_lines.get(key, self.line)


@dataclass(frozen=True)
class Refused:
    """Stands where something was that the tree reader has already found fault with."""

    line: int | None = None


Node = Scalar | Listing | Table | Refused


def shown(text: str, most: int = 60) -> str:
    """A text from outside as it may appear in a message: on one line, quoted, cut to `most` characters."""
    flat = " ".join(text[: 10 * most].split())
    return repr(flat if len(flat) <= most else flat[: most - 3] + "...")


def clipped(text: str) -> str:
    """A key or name from outside as it may appear in a message, without quotes."""
    return shown(text, 40)[1:-1]


def too_many(file: str | None) -> Fault:
    """Stands for the faults that are not told any more."""
    return Fault(file, None, "", f"more than {MOST_FAULTS:,} faults", "these mended first")


def said(node: Node) -> str:
    """What stands at a node, in words."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Listing):
        return "a list"
    if isinstance(node, Refused) or node.is_null:
        return "nothing"
    return shown(node.text)


class NotText(Exception):
    """The bytes cannot be read at all; carries the one fault."""

    def __init__(self, found: str, expected: str, line: int | None = None) -> None:
        super().__init__(found)
        self.found, self.expected, self.line = found, expected, line


def decode(data: bytes) -> str:
    """Bytes of a file as text.

    Raises NotText if they are too many, binary or not UTF-8.
    """
    if len(data) > MOST_BYTES:
        raise NotText(f"a file of {len(data) / 1e6:.1f} MB", f"at most {MOST_BYTES // 1_000_000} MB")
    if b"\x00" in data[:4096]:
        raise NotText("a binary file", "a text file in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise NotText(f"not UTF-8 text (byte 0x{byte:02x})", "a text file in UTF-8", line) from None


def parse(text: str, file: str | None, faults: list[Fault]) -> Node | None:
    """The tree of a YAML text, or None if there is none. Appends what is wrong with the text to `faults`."""
    if len(text) > MOST_BYTES:
        faults.append(
            Fault(file, None, "", f"a text of {len(text) / 1e6:.1f} MB", f"at most {MOST_BYTES // 1_000_000} MB")
        )
        return None
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] == "{":
        text = _PAIR.sub(_joined, text)
    bad = _NOT_TEXT.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        found = f"a control character (U+{ord(bad.group()):04X})"
        faults.append(Fault(file, line, "", found, _PLAIN_TEXT))
        return None
    builder = _Builder(file, faults)
    try:
        return builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        faults.append(_syntax_fault(error, text, file))
    except _Stop:
        pass
    return None


def _joined(pair: re.Match[str]) -> str:
    """JSON writes a letter beyond U+FFFF as two escapes, which YAML does not know: the letter itself."""
    high, low = int(pair[2], 16), int(pair[3], 16)
    return pair[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def tree_of(data: Any) -> Node:
    """The tree of plain Python data (mappings, sequences, numbers, text, true/false, None), without lines.

    A number keeps its value: fields with a unit take it in the unit used inside (days, per day).
    """
    if isinstance(data, Mapping):
        return Table({str(key): tree_of(value) for key, value in data.items()})
    if isinstance(data, str):
        return Scalar(data, quoted=True)
    if data is None:
        return Scalar("")
    if isinstance(data, bool):
        return Scalar("true" if data else "false")
    if isinstance(data, Sequence | set | frozenset):
        return Listing(tuple(tree_of(value) for value in data))
    if hasattr(data, "isoformat"):
        return Scalar(data.isoformat())
    try:
        return Scalar(repr(data), number=float(data))
    except (TypeError, ValueError, OverflowError):
        return Scalar(str(data), quoted=True)


def plain_of(node: Node) -> Any:
    """Plain data of a tree, its scalars as text (numbers that came from Python as numbers)."""
    if isinstance(node, Table):
        return {key: plain_of(item) for key, item in node.items.items()}
    if isinstance(node, Listing):
        return [plain_of(item) for item in node.items]
    if isinstance(node, Refused) or node.is_null:
        return None
    return node.text if node.number is None else node.number


class _Stop(Exception):
    """The fault just appended makes reading on pointless."""


class _Builder:
    """Makes a tree of parser events, keeping the key path for messages."""

    def __init__(self, file: str | None, faults: list[Fault]) -> None:
        self.file, self.faults = file, faults
        self.path: list[str] = []
        self.values = 0

    def fault(self, line: int | None, found: str, expected: str = "") -> None:
        self.faults.append(Fault(self.file, line, ".".join(map(clipped, self.path)), found, expected))
        if len(self.faults) > MOST_FAULTS:
            self.faults[-1] = too_many(self.file)
            raise _Stop

    def document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.fault(_line(event), "a second document", "one document in a file")
                    raise _Stop
            elif isinstance(event, yaml.NodeEvent):
                root = self.node(event, events, 1)
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        line = _line(event)
        self.values += 1
        if self.values > MOST_VALUES:
            self.fault(line, f"more than {MOST_VALUES:,} values", "a smaller file")
            raise _Stop
        if depth > MOST_DEPTH:
            self.path = self.path[:3]
            self.fault(line, f"lists or mappings nested more than {MOST_DEPTH} deep", "a few levels at most")
            raise _Stop
        refused = self.refuse(event, line)
        if isinstance(event, yaml.ScalarEvent):
            node: Node = Scalar(event.value, line, not event.implicit[0])
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Listing(tuple(self.until(yaml.SequenceEndEvent, events, depth)), line)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self.table(events, depth, line)
        else:
            return Refused(line)
        return Refused(line) if refused else node

    def refuse(self, event: Any, line: int) -> bool:
        """Whether an event is one that no file of ours may hold; if so, it is told."""
        if isinstance(event, yaml.AliasEvent):
            expected = "the value itself, or text in quotes if * is part of it"
            self.fault(line, f"an alias (*{clipped(event.anchor)})", expected)
        elif event.anchor is not None:
            self.fault(line, f"an anchor (&{clipped(event.anchor)})", "a value without &, or text in quotes")
        elif event.tag is not None:
            self.fault(line, f"a tag ({clipped(event.tag)})", "a value without !, or text in quotes")
        elif isinstance(event, yaml.ScalarEvent) and event.style == '"' and (bad := _NOT_TEXT.search(event.value)):
            self.fault(line, f"a control character (U+{ord(bad.group()):04X}) written as an escape", _PLAIN_TEXT)
        else:
            return False
        return True

    def until(self, end: type, events: Iterator[Any], depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, end):
                return
            yield self.node(event, events, depth + 1)

    def table(self, events: Iterator[Any], depth: int, line: int) -> Table:
        items: dict[str, Node] = {}
        lines: dict[str, int | None] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            here = _line(event)
            key = self.node(event, events, depth + 1)
            name = key.text if isinstance(key, Scalar) else ""
            if isinstance(key, Listing | Table) or (isinstance(key, Scalar) and key.is_null):
                self.fault(here, f"{said(key)} as a key", "a name before the colon")
            repeated = isinstance(key, Scalar) and name in items
            self.path.append(name)
            if repeated:
                self.fault(here, "given twice", f"one {clipped(name)!r} here (the first is on line {lines[name]})")
            value = self.node(next(events), events, depth + 1)
            self.path.pop()
            if isinstance(key, Scalar) and not key.is_null and not repeated:
                items[name], lines[name] = value, here
        return Table(items, line, lines)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_SLIPS: tuple[tuple[Callable[[str, str, str], bool], str, str], ...] = (
    (
        lambda problem, _, at: at == "\t",
        "a tab where the indentation or a value starts",
        "spaces",
    ),
    (
        lambda problem, _, at: "cannot start any token" in problem,
        "a sign that cannot start a value",
        'the value in quotes, such as "%x"',
    ),
    (
        lambda problem, context, _: "mapping values are not allowed" in problem,
        "a colon where no key is expected",
        "the right indentation, or quotes around text that holds ': '",
    ),
    (
        lambda problem, context, _: "flow" in context,
        "a { or [ that is not closed, or a value in it that needs quotes",
        'a comma or the closing sign; a range inside { } stands in quotes: "0.35 [0.2, 0.5]"',
    ),
    (
        lambda problem, context, _: "quoted scalar" in context and "end of stream" in problem,
        "a quote that is not closed",
        "a closing quote",
    ),
    (
        lambda problem, context, _: "quoted scalar" in context,
        "an escape that YAML does not know",
        "\\\\ for a backslash, or 'single quotes'",
    ),
    (
        lambda problem, context, _: "block" in context or "simple key" in context,
        "a line that does not fit its place",
        "`name: value` or `- value`, indented like its neighbours",
    ),
)


def _syntax_fault(error: Any, text: str, file: str | None) -> Fault:
    """The parser's complaint in words that do not depend on which parser is installed."""
    mark = getattr(error, "problem_mark", None)
    problem, context = str(getattr(error, "problem", "") or ""), str(getattr(error, "context", "") or "")
    line, at = None, ""
    if mark is not None:
        at = text[mark.index : mark.index + 1]
        begun = getattr(error, "context_mark", None)
        unfinished = not text[mark.index :].strip() or "end of stream" in problem
        line = int((begun if begun is not None and unfinished else mark).line) + 1
    for fits, found, expected in _SLIPS:
        if fits(problem, context, at):
            return Fault(file, line, "", found, expected)
    return Fault(file, line, "", f"not YAML: {problem or 'unreadable'}", "a mapping of names to values")
