"""Do the names in a figure fit where they stand, and can they still be told apart?

In: a Vega-Lite specification of this package. Out: the same, with names that are too long cut by us. Vega cuts by
halves of signs: half an emoji ends the drawing with an error, and two long names that differ at their ends become one.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from textwrap import wrap
from typing import Any

Spec = dict[str, Any]

BREAK = "\ue000"
"""Parts the lines of a name that stands in several."""
SIZE = 13.0
"""Pixels of letters where nothing else is said, as in `theme.config`."""
SLENDER = frozenset("iljtfrI.,:;'|!()[]/-’ ")
SPLIT = r"split(datum.label, '\ue000')"
"""The expression of labels in several lines."""
JOINER = "\u200d"
"""Joins two signs to one, as in a family of emoji."""
POSITIONS = ("x", "y")
SHADES = ("color", "fill", "stroke", "shape", "opacity", "strokeDash")


def cut_names(spec: Spec) -> Spec:
    """The specification with names that fit: of rows, columns, legends, and of texts that have a limit."""
    config = spec.get("config", {})
    found: dict[str, dict[str, None]] = {}
    for view, rows in _views(spec, []):
        for channel in view.get("encoding", {}).values():
            field = channel.get("field") if isinstance(channel, dict) else None
            if field is not None and (channel.get("type") in ("nominal", "ordinal") or channel is _text(view)):
                known = found.setdefault(field, {})
                known |= dict.fromkeys(row[field] for row in rows if isinstance(row.get(field), str))
    for view, _ in _views(spec, []):
        for name, channel in view.get("encoding", {}).items():
            names = found.get(channel.get("field", ""), {}) if isinstance(channel, dict) else {}
            if names and name in POSITIONS:
                _cut_labels(channel, "axis", [*names], config)
            elif names and name in SHADES:
                _cut_labels(channel, "legend", [*names], config)
            elif names and channel is _text(view):
                _cut_text(view, [*names], config)
    return spec


def cut(names: Iterable[str], room: float, size: float = SIZE) -> dict[str, str]:
    """Name -> the name as it fits into so many pixels.

    The end goes first. Names that would become one keep their ends instead; what is alike even so is numbered.
    """
    names = list(dict.fromkeys(names))
    made = {name: _end_cut(name, room, size) for name in names}
    alike = Counter(made.values())
    made = {name: short if alike[short] == 1 else _middle_cut(name, room, size) for name, short in made.items()}
    return _told_apart(made, lambda short, last: _end_cut(short, room - _width(last, size), size) + last)


def folded(names: Iterable[str], letters: int, most: int = 3) -> dict[str, str]:
    """Name -> the name in at most so many lines, parted by BREAK; of longer ones the end goes.

    Names that would become one keep their last line instead; what is alike even so is numbered.
    """
    lines = {name: wrap(name, letters) or [name] for name in names}
    made = {name: BREAK.join(_first(own, most)) for name, own in lines.items()}
    alike = Counter(made.values())
    made = {
        name: short if alike[short] == 1 else BREAK.join([*lines[name][: most - 1], f"…{lines[name][-1]}"])
        for name, short in made.items()
    }
    return _told_apart(made, str.__add__)


def _first(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]}…"]


def _told_apart(made: dict[str, str], ending: Callable[[str, str], str]) -> dict[str, str]:
    """The same with a number behind each that is like one before it: the first that makes it like no other.

    ending  puts the number, with a space before it, behind what was made of a name
    """
    used, met, found = {*made.values()}, set(), {}
    for name, short in made.items():
        if short in met:
            short = next(one for k in count(2) if (one := ending(short, f" {k}")) not in used)
            used.add(short)
        met.add(short)
        found[name] = short
    return found


def _cut_labels(channel: Spec, guide: str, names: list[str], config: Spec) -> None:
    """The labels of an axis or a legend."""
    own = channel.get(guide, {})
    if own is None or (own.get("labelExpr", SPLIT) != SPLIT):
        return
    usual = config.get(guide, {})
    room = float(own.get("labelLimit", usual.get("labelLimit", 0.0)))
    size = float(own.get("labelFontSize", usual.get("labelFontSize", SIZE)))
    if not room:
        return
    is_split = "labelExpr" in own
    if is_split:
        lines = {name: [_end_cut(line, room, size) for line in name.split(BREAK)] for name in names}
        changed: dict[str, Any] = {name: cut for name, cut in lines.items() if cut != name.split(BREAK)}
    else:
        changed = {name: short for name, short in cut(names, room, size).items() if short != name}
    instead = _instead(changed, "datum.label", SPLIT if is_split else "datum.label")
    if changed or any(not _is_plain(name) for name in names):
        channel[guide] = {**own, "labelLimit": 0} | ({"labelExpr": instead} if changed or is_split else {})


def _cut_text(view: Spec, names: list[str], config: Spec) -> None:
    """Texts of a mark that has a limit."""
    mark = view["mark"]
    size = float(mark.get("fontSize", config.get("text", {}).get("fontSize", SIZE)))
    field = view["encoding"]["text"]["field"]
    changed = {name: short for name, short in cut(names, float(mark["limit"]), size).items() if short != name}
    value = f"datum[{json.dumps(field)}]"
    view["transform"] = [
        *view.get("transform", ()), {"calculate": _instead(changed, value, value), "as": f"{field} as it fits"}
    ]  # fmt: skip
    view["encoding"]["text"] = {**view["encoding"]["text"], "field": f"{field} as it fits"}
    view["mark"] = {**mark, "limit": 0}


def _instead(changed: dict[str, Any], value: str, otherwise: str) -> str:
    """The expression that gives what stands for a value, and others as they are."""
    if not changed:
        return otherwise
    return f"({json.dumps([*changed.values()])})[indexof({json.dumps([*changed])}, {value})] || {otherwise}"


def _text(view: Spec) -> Any:
    """The channel of the texts of a mark that has a limit."""
    mark = view.get("mark")
    is_limited = isinstance(mark, dict) and mark.get("type") == "text" and mark.get("limit", 0) > 0
    return view.get("encoding", {}).get("text") if is_limited else None


def _views(spec: Spec, rows: list[Spec]) -> Iterator[tuple[Spec, list[Spec]]]:
    """Every view and layer, with the rows that it draws."""
    values = spec.get("data", {}).get("values")
    if values is not None:
        rows = json.loads(values) if isinstance(values, str) else values
    yield spec, rows
    for key in ("hconcat", "vconcat", "concat", "layer"):
        for part in spec.get(key, ()):
            yield from _views(part, rows)


def _is_plain(name: str) -> bool:
    """Whether Vega may cut it: every sign is one of its units."""
    return all(ord(sign) < 0x10000 for sign in name)


def _width(text: str, size: float) -> float:
    """Pixels of a text, in Arial and its like; rather more than less."""
    return size * sum(map(_share, text))


def _share(sign: str) -> float:
    if sign in SLENDER:
        return 0.34
    if unicodedata.category(sign)[0] in "MC":
        return 0.0
    if ord(sign) >= 0x1F000 or unicodedata.east_asian_width(sign) in "WF":
        return 1.3
    return 0.89 if sign in "mMWw@%" else 0.7 if sign.isupper() else 0.56


def _end_cut(name: str, room: float, size: float) -> str:
    if _width(name, size) <= room:
        return name
    kept = _beginning(name, room - _width("…", size), size)
    return f"{kept.rstrip()}…"


def _middle_cut(name: str, room: float, size: float) -> str:
    """The beginning and the end of a name, each half of the room."""
    half = (room - _width("…", size)) / 2
    tail = _beginning(name[::-1], half, size)[::-1]
    while tail and unicodedata.category(tail[0])[0] in "MC":
        tail = tail[1:]
    return f"{_beginning(name, half, size).rstrip()}…{tail.lstrip()}"


def _beginning(name: str, room: float, size: float) -> str:
    """As much of a name as fits; what is joined to the next sign goes with it."""
    taken, end = 0.0, 0
    for sign in name:
        taken += size * _share(sign)
        if taken > room:
            break
        end += 1
    while end and end < len(name) and (unicodedata.category(name[end])[0] == "M" or JOINER in name[end - 1 : end + 1]):
        end -= 1
    return name[:end]
