"""What can a person look up, and an editor complete, about the fields of a declared record?

In: a `RecordKind`. Out: its field reference in Markdown, and its JSON Schema (draft 2020-12). Both follow from the
declarations, so they cannot say anything else than what is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from powderkeg.reading.kind import Kind, Schema, Writer
from powderkeg.reading.record import Field, RecordKind, SeveralKeys, declared


def json_schema(record: RecordKind, title: str) -> Schema:
    """The JSON Schema of files that hold such a record."""
    defs: dict[str, Schema] = {}
    whole = record.schema(defs)
    for name, part in defs.items():
        found = next((r for r in records(record) if r.cls.__name__ == name), None)
        if found is not None:
            part["description"] = " ".join((found.cls.__doc__ or "").split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **whole,
        "$defs": dict(sorted(defs.items())),
    }


def records(record: RecordKind) -> list[RecordKind]:
    """The record and all records inside it, each once, in the order in which they are met."""
    found: dict[type, RecordKind] = {record.cls: record}
    for f in declared(record.cls):
        for kind, _ in f.keys.values():
            for inner in _inside(kind):
                for deeper in records(inner):
                    found.setdefault(deeper.cls, deeper)
    return list(found.values())


def _inside(kind: Kind) -> Iterator[RecordKind]:
    if isinstance(kind, RecordKind):
        yield kind
    elif isinstance(of := getattr(kind, "of", None), Kind):  # of lists, mappings and the like
        yield from _inside(of)


def reference(record: RecordKind, level: int = 3) -> str:
    """The fields of a record and of all records inside it, as Markdown tables under headings."""
    return "\n\n".join(_section(one, level) for one in records(record)) + "\n"


def _section(record: RecordKind, level: int) -> str:
    about = " ".join((record.cls.__doc__ or "").split())
    rows = [
        f"| `{key}` | {_cell(kind.words)} | {_cell(_default(f, key))} | {_cell(doc)} |"
        for f in declared(record.cls)
        for key, (kind, doc) in f.keys.items()
    ]
    head = f"{'#' * level} {record.title[:1].upper()}{record.title[1:]}"
    table = ["| key | what stands there | if left out | what it means |", "|---|---|---|---|", *rows]
    return f"{head}\n\n{about}\n\n" + "\n".join(table)


def _default(f: Field, key: str) -> str:
    if f.required:
        return "must be given" if len(f.keys) == 1 else "one of these must be given"
    if f.rule.spoken is not None:
        return f.rule.spoken
    if f.default is None or f.default == () or f.default == {} or f.default == "":
        return "nothing"
    if isinstance(f.rule.kind, SeveralKeys):
        return "nothing"
    return _spelled(f.rule.kind.write(f.default, Writer()))


def _spelled(plain: Any) -> str:
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, Mapping):
        return "see there" if plain else "its defaults"
    return f"[{', '.join(map(_spelled, plain))}]" if isinstance(plain, list) else str(plain)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
