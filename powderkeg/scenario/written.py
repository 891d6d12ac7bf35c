"""How is plain data written as YAML that a person likes to read and every reader understands alike?

In: mappings, lists and scalars. Out: text. Mappings in blocks, lists of scalars in one line, text in quotes
wherever a YAML reader could take it for something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_ .%()/+*;=-]*[A-Za-z0-9_.%)*])?")
_RANGE: Final = re.compile(r"[0-9.eE+-]+(?: [a-z% ]+)? \[[0-9.a-zE%+ -]+, [0-9.a-zE%+ -]+\](?: [a-z% ]+)?")
_TYPED: Final = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null)|[+-]?[\d.][\d_,.]*(?:e[+-]?\d+)?|0[xob][\da-f_]+|[\d:.]+|"
    r"\d{4}-\d{1,2}-\d{1,2}.*|[+-]?\.(?:inf|nan)"
)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_SHORT = 100


def yaml_text(data: Mapping[str, Any]) -> str:
    """A YAML document."""
    lines = ["\n".join(_lines(key, value, 0)) for key, value in data.items()]
    return "\n".join(lines) + "\n"


def _lines(key: str, value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    head = f"{pad}{_scalar(key, inside=False)}:"
    if isinstance(value, Mapping):
        if not value:
            return [f"{head} {{}}"]
        return [head, *(line for k, v in value.items() for line in _lines(k, v, depth + 1))]
    if isinstance(value, list | tuple):
        if not any(isinstance(item, Mapping | list | tuple) for item in value):
            line = f"{head} [{', '.join(_scalar(item, inside=True) for item in value)}]"
            if len(line) <= _SHORT or not value:
                return [line]
            return [head, *(f"{pad}  - {_scalar(item, inside=False)}" for item in value)]
        return [head, *(line for item in value for line in _item(item, depth + 1))]
    return [f"{head} {_scalar(value, inside=False)}".rstrip()]


def _item(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value, Mapping) and value:
        lines = [line for k, v in value.items() for line in _lines(k, v, depth + 1)]
        return [f"{pad}- {lines[0].lstrip()}", *lines[1:]]
    return [f"{pad}- {_scalar(value, inside=False)}"]


def _scalar(value: Any, inside: bool) -> str:
    """One value; `inside` a [ ] list, where commas and brackets need quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _NUMBER.fullmatch(text) and text == text.strip():
        return text if not re.fullmatch(r"0\d+", text) else json.dumps(text)
    plain = _PLAIN.fullmatch(text) and not _TYPED.fullmatch(text)
    if plain or (not inside and _RANGE.fullmatch(text)) or re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return text
    return json.dumps(text, ensure_ascii=False)
