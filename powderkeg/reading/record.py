"""How does a mapping become a frozen dataclass, and back, by what its fields declare?

In: a dataclass whose fields carry a `FieldRule` (made by `declare`). Out: a `RecordKind` kind that reads and writes it.
A rule is written once; parsing, faults, dump, resolved form, JSON Schema and field reference follow from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, ClassVar, Final

from powderkeg.reading.kind import BROKEN, EditablePlace, Kind, Reader, Schema, Writer, Wrong, listed
from powderkeg.reading.kinds import ByName
from powderkeg.reading.quantity import SOURCE, SourceKind, sourcing
from powderkeg.reading.tree import Node, Scalar, Table, clipped, said

MISSING: Final = dataclasses.MISSING


@dataclass(frozen=True)
class FieldRule:
    """What a field may hold and how it is written.

    key      the written key, where it is not the field's name
    implied  the default as a function of the record's other fields
    spoken   words for the default in the field reference, where its written form says too little
    """

    kind: Kind | SeveralKeys
    doc: str
    key: str | None = None
    implied: Callable[[Any], Any] | None = None
    spoken: str | None = None


class SeveralKeys:
    """A field that is written under several keys (`half_life` or `half_lives`; `sets` and `clears`).

    keys       written key -> (kind, doc)
    exclusive  at most one of the keys may be given
    """

    keys: Mapping[str, tuple[Kind, str]]
    exclusive: ClassVar[bool] = False

    def join(self, values: dict[str, Any]) -> Any:
        """The field's value from the values of the keys that were given."""
        raise NotImplementedError

    def split(self, value: Any, writer: Writer) -> dict[str, Any]:
        """The values of the keys that write this value."""
        raise NotImplementedError

    def places(self, value: Any) -> Iterator[EditablePlace]:
        """The values inside that can be edited one by one; paths start with a written key."""
        return iter(())


def declare(
    kind: Kind | SeveralKeys,
    doc: str,
    *,
    default: Any = MISSING,
    key: str | None = None,
    implied: Callable[[Any], Any] | None = None,
    spoken: str | None = None,
) -> Any:
    """A dataclass field with its rule. No default: the field must be written."""
    metadata = {"rule": FieldRule(kind, doc, key, implied, spoken)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Slip:
    """A fault between fields of one record; `key` is the written key it is told at."""

    key: str | None
    found: str
    expected: str = ""
    nearest: str | None = None


Check = Callable[[Any, Reader, str], Iterable[Slip]]


@dataclass(frozen=True)
class Field:
    """A declared field, with what is needed to read and write it."""

    name: str
    rule: FieldRule
    required: bool
    default: Any

    @cached_property
    def keys(self) -> dict[str, tuple[Kind, str]]:
        if isinstance(self.rule.kind, SeveralKeys):
            return dict(self.rule.kind.keys)
        return {self.key: (self.rule.kind, self.rule.doc)}

    @property
    def instead(self) -> Any:
        """What stands for a value that could not be read, where the rest is still to be checked."""
        if not self.required:
            return self.default
        return {} if isinstance(self.rule.kind, ByName) else None

    @cached_property
    def key(self) -> str:
        return self.rule.key or self.name


@cache
def declared(cls: type) -> tuple[Field, ...]:
    """The declared fields of a dataclass, in order; fields without a rule are not part of its written form."""
    fields = []
    for f in dataclasses.fields(cls):
        rule = f.metadata.get("rule")
        if rule is None:
            continue
        default = f.default if f.default_factory is MISSING else f.default_factory()
        fields.append(Field(f.name, rule, default is MISSING, default))
    return tuple(fields)


@cache
def _source_of(cls: type) -> Field | None:
    """The field that says where the numbers of a record come from."""
    return next((f for f in declared(cls) if isinstance(f.rule.kind, SourceKind)), None)


@cache
def _by_key(cls: type) -> dict[str, tuple[Field, Kind]]:
    return {key: (f, kind) for f in declared(cls) for key, (kind, _) in f.keys.items()}


@dataclass(frozen=True)
class RecordKind(Kind):
    """A mapping with declared keys, read to a dataclass.

    cls    the dataclass
    title  what it is called in messages and in the field reference
    check  finds slips between fields once all fields are well
    whole  if not, fields at fault are left at their defaults, so that the rest can still be checked
    """

    cls: type
    title: str
    check: Check | None = None
    whole: bool = True

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a mapping with {listed(self.by_key())}"

    def by_key(self) -> dict[str, tuple[Field, Kind]]:
        """Written key -> its field and kind."""
        return _by_key(self.cls)

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.is_null:
            node = Table({}, node.line)
        if not isinstance(node, Table):
            raise Wrong(said(node), self.words)
        self._unknown_keys(node, path, reader)
        values = self._values(node, path, reader)
        if any(value is BROKEN for value in values.values()):
            if self.whole:
                return BROKEN
            values = {name: value for name, value in values.items() if value is not BROKEN}
            values.update({f.name: f.instead for f in declared(self.cls) if f.name not in values})
        made = self.cls(**values)
        for f in declared(self.cls):
            if f.rule.implied is not None and not any(key in node.items for key in f.keys):
                object.__setattr__(made, f.name, f.rule.implied(made))
        return made if self._is_whole(made, node, path, reader) else BROKEN

    def _values(self, node: Table, path: str, reader: Reader) -> dict[str, Any]:
        """The value of every field; the source first, because the numbers of the record come from there."""
        values: dict[str, Any] = {}
        around = reader.sourcing
        source = _source_of(self.cls)
        if source is not None and source.key in node.items:
            written = reader.read(SOURCE, node.items[source.key], _under(path, source.key))
            values[source.name] = written
            around = sourcing(None if written is BROKEN else written)
        with reader.within(around):
            for f in declared(self.cls):
                if f is not source or f.name not in values:
                    values[f.name] = self._field(f, node, path, reader)
        return values

    def _is_whole(self, made: Any, node: Table, path: str, reader: Reader) -> bool:
        whole = True
        for slip in self.check(made, reader, path) if self.check else ():
            line = node.line if slip.key is None else node.line_of(slip.key)
            place = path if slip.key is None else _under(path, slip.key)
            reader.tell(place, reader.lines.get(path, node.line) if slip.key is None else line, slip.found,
                        slip.expected, slip.nearest)  # fmt: skip
            whole = False
        return whole

    def _unknown_keys(self, node: Table, path: str, reader: Reader) -> None:
        known = self.by_key()
        for key, item in node.items.items():
            if key not in known:
                place = _under(path, clipped(key))
                expected = f"one of {', '.join(known)}"
                if isinstance(item, Scalar) and item.is_null:  # {who: a, b}
                    expected += "; several things stand in brackets: [a, b]"
                reader.tell(place, node.line_of(key), "unknown key", expected, reader.nearest(key, known))
                reader.broken.add(place)

    def _field(self, f: Field, node: Table, path: str, reader: Reader) -> Any:
        if isinstance(f.rule.kind, SeveralKeys):
            return self._spread(f, f.rule.kind, node, path, reader)
        written = node.items.get(f.key)
        if written is not None:
            place = _under(path, f.key)
            _note(node, f.key, place, reader)
            nothing = isinstance(written, Scalar) and written.is_null
            if nothing and not f.required and f.default in _NOTHING:
                return f.default
            return reader.read(f.rule.kind, written, place)
        if f.required:
            reader.tell(path, reader.lines.get(path, node.line), f"no {f.key}", f"{f.key}: {f.rule.kind.words}")
            reader.broken.add(_under(path, f.key))
            return BROKEN
        return dict(f.default) if isinstance(f.default, dict) else f.default

    def _spread(self, f: Field, kind: SeveralKeys, node: Table, path: str, reader: Reader) -> Any:
        given = {key: node.items[key] for key in kind.keys if key in node.items}
        for key in given:
            _note(node, key, _under(path, key), reader)
        if kind.exclusive and len(given) > 1:
            first, second = list(given)[:2]
            reader.tell(_under(path, second), node.line_of(second), f"both {first} and {second}", "one of the two")
            return BROKEN
        if not given:
            if f.required:
                wanted = "; or ".join(f"{key}: {of.words}" for key, (of, _) in kind.keys.items())
                reader.tell(path, reader.lines.get(path, node.line), f"no {next(iter(kind.keys))}", wanted)
                return BROKEN
            return f.default
        values = {key: reader.read(kind.keys[key][0], part, _under(path, key)) for key, part in given.items()}
        return BROKEN if any(value is BROKEN for value in values.values()) else kind.join(values)

    def write(self, value: Any, writer: Writer) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        fields = declared(self.cls)
        around = writer.sourcing
        source = _source_of(self.cls)
        inside = dataclasses.replace(writer, sourcing=sourcing(getattr(value, source.name)) if source else around)
        for f in fields:
            one = getattr(value, f.name)
            usual = f.rule.implied(value) if f.rule.implied is not None else f.default
            if not writer.full and not f.required and one == usual:
                continue
            if isinstance(f.rule.kind, SeveralKeys):
                for key, part in f.rule.kind.split(one, inside).items():
                    plain[key] = f.rule.kind.keys[key][0].write(part, inside)
            else:
                plain[f.key] = None if one is None else f.rule.kind.write(one, inside)
        return plain

    def places(self, value: Any) -> Iterator[EditablePlace]:
        if value is None:
            return
        for f in declared(self.cls):
            one = getattr(value, f.name)
            spread = isinstance(f.rule.kind, SeveralKeys)
            for place in f.rule.kind.places(one):
                path = place.path if spread else _under(f.key, place.path)
                yield place.inside(path, partial(self._with, value, f.name))

    def _with(self, value: Any, name: str, new: Any) -> Any:
        """A record with one field changed; raises Wrong if its fields no longer go together."""
        made = dataclasses.replace(value, **{name: new})
        for slip in self.check(made, Reader(), "") if self.check else ():
            raise Wrong(slip.found, slip.expected, slip.nearest)
        return made

    def schema(self, defs: dict[str, Schema]) -> Schema:
        name = self.cls.__name__
        if name not in defs:
            defs[name] = {}
            properties: dict[str, Schema] = {}
            required = []
            for f in declared(self.cls):
                if f.required and not isinstance(f.rule.kind, SeveralKeys):
                    required.append(f.key)
                for key, (kind, doc) in f.keys.items():
                    part = kind.schema(defs)
                    if not f.required and f.default in _NOTHING:
                        part = _or_null(part)
                    properties[key] = {"description": doc, **part}
            whole: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
            if required:
                whole["required"] = required
            else:
                whole["type"] = ["object", "null"]
            defs[name] = whole
        return {"$ref": f"#/$defs/{name}"}


def _note(node: Table, key: str, place: str, reader: Reader) -> None:
    """Remember on which line a key path stands."""
    line = node.line_of(key)
    if line is not None:
        reader.lines[place] = line


_NOTHING: Final = (None, "", ())
"""Defaults that a key without a value means as well; a number left empty is a slip."""


def _or_null(part: Schema) -> Schema:
    """The schema, and null."""
    if "anyOf" in part:
        null: Schema = {"type": "null"}
        return part if null in part["anyOf"] else {"anyOf": [*part["anyOf"], null]}
    if "enum" in part:
        return {"enum": [*part["enum"], None]}
    if "type" in part:
        types = part["type"] if isinstance(part["type"], list) else [part["type"]]
        return {**part, "type": [*types, *(["null"] if "null" not in types else [])]}
    return {"anyOf": [part, {"type": "null"}]}


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key
