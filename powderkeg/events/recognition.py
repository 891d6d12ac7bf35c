"""Which kind of table has these column names, and which column holds what?

In: the names of a header, and what the user mapped. Out: a `Format` and the number of each field's column; or a fault
that names the format and what it lacks. Names are compared `squashed`, so that spelling and order do not matter.

A table is of a kind when it has enough of the names that only this kind has. One that has them and lacks what makes an
event is refused by that name: guessed into a table of the user's own, its newspaper would be the actor.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from powderkeg.errors import Words, argument, nearest_name
from powderkeg.events.files import FileFault
from powderkeg.events.missing import MARKS, STROKES
from powderkeg.formats import FIELDS, FORMATS, OWN, Format, spelt, squashed
from powderkeg.formats.own import NUMBERED, SIDES

ENOUGH, SURE = 2, 3
"""Telling names that make a table one of a kind: if it has all that an event needs, and if it has not."""
MOST_RISING = 4
"""Steps that counts may all rise by, or all fall by, and still be counts."""
NEWS = ("notes", "headline", "title", "url", "link", "location", "fatalities", "deaths", "country", "latitude")
"""Beside one of these, a lone column `source` may well be where the news is from."""
PARTS = ("year", "month", "day")
DATED = r"(?:\d{4}([-/.])\d\d?\1\d\d?|(?:18|19|20)\d{6}(?:\d{6})?|\d\d?([-/.])\d\d?\2\d{2,4})(?:\D|$)"
"""A date, which is no name of a column."""
Agrees = Callable[[Format], bool]


@dataclass(frozen=True)
class Found:
    """Which column holds what.

    columns  field -> number of its column
    said     what a user would want to hear about the choice
    parts    the day is put together from year, month and day
    """

    columns: Mapping[str, int]
    said: tuple[str, ...] = ()
    parts: bool = False


def recognised(names: Sequence[str], mapped: Collection[str] = (), agrees: Agrees = lambda kind: False) -> Format:
    """The kind of table; the user's own if it is none that is known.

    mapped  fields that the user says which column holds
    agrees  whether the texts of a format's code column are codes of its book
    """
    has = set(spelt(names)) - {""}
    best: tuple[bool, int, int] = (False, 0, 0)
    chosen = OWN
    for kind in FORMATS.values():
        if kind.is_own or kind.line:
            continue
        telling, usual = len(kind.strong & has), len(kind.usual & has)
        whole = not lacking(kind, names, mapped)
        # A set that has codes of its own is known by them too: ACLED's event types need no further name.
        own_codes = kind.book == kind.name and whole and (telling > 0 or agrees(kind))
        if (telling >= ENOUGH and whole) or own_codes or (telling >= ENOUGH and not _is_own(names, mapped)):
            score = (whole, telling, usual)
            if score > best:
                best, chosen = score, kind
    return chosen


def lacking(kind: Format, names: Sequence[str], mapped: Collection[str] = ()) -> list[str]:
    """Fields that make an event and have no column. The code may be a coarser one, a title or an act."""
    found = {*_candidates(kind, names), *mapped}
    if {"year", "month"} <= found:
        found.add("time")
    if found & {"label", "coarse", "act"}:
        found.add("code")
    if kind.or_name and "source_name" in found:
        found.add("source")
    needed = kind.required if "code" in kind.required else (*kind.required, "code")
    return [key for key in needed if key not in found]


def columns_of(kind: Format, names: Sequence[str], mapping: Mapping[str, str], file: str) -> Found:
    """Number of the column of each field; the user's mapping goes before the names we know, and adds to them.

    Raises FileFault that names every missing or unknown column.
    """
    mapped = _mapped(names, mapping, file)
    missing = lacking(kind, names, mapped)
    if missing:
        raise _lacks(kind, names, missing, file)
    known = _candidates(kind, names)
    said = [
        f"{key} is read from {names[at]!r} as asked, not from {names[known[key]]!r}, as {kind.title} has it"
        for key, at in mapped.items()
        if not kind.is_own and key in known and known[key] != at
    ]
    free = {key: at for key, at in known.items() if key not in mapped and at not in mapped.values()}
    found = {**mapped, **free}
    if kind.is_own and not {"source", "target"} & set(mapped):
        found = {**found, **_sides(names, found, said, file)}
    if kind.or_name and "source" not in found:
        found["source"] = found.pop("source_name")
    if kind.or_name and "target" not in found and "target_name" in found:
        found["target"] = found.pop("target_name")
    parts = _is_in_parts(kind, names, found, mapped)
    for key in PARTS if not parts else ("time",):
        found.pop(key, None)
    clock = {name: number for number, name in enumerate(spelt(names))}.get("time")
    if kind.is_own and clock is not None and clock not in found.values() and "time" in found:
        said.append(f"days are read from {names[found['time']]!r}; {names[clock]!r} beside it is not read")
    if "target" not in found:
        said.append("no column for the other side: events have no target")
    if "code" not in found and "coarse" in found:
        found["code"] = found.pop("coarse")
    if "code" in found:
        found.pop("label", None)
    return Found(found, tuple(said), parts)


def are_counts(texts: Sequence[str]) -> bool:
    """Whether a column called count, n or events counts events: whole numbers that do not merely number the rows."""
    stripped = [text.strip().removesuffix(".0") for text in texts]
    values = [text for text in stripped if text.casefold() not in (*MARKS, *STROKES)]
    if not values or not all(value.isdecimal() for value in values):
        return False
    numbers = [int(value) for value in values]
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    # Numbers that only rise, or only fall, number the rows too, some of which are gone.
    rising = len(steps) > MOST_RISING and (min(steps) > 0 or max(steps) < 0)
    numbering = len(steps) > 1 and set(steps) == {1}
    return not (numbering or rising)


def _candidates(kind: Format, names: Sequence[str]) -> dict[str, int]:
    """Columns by their names alone; a column serves one field."""
    places: dict[str, int] = {}
    for number, name in enumerate(spelt(names)):
        places.setdefault(name, number)
    found: dict[str, int] = {}
    for key, candidates in kind.columns.items():
        for one in candidates:
            at = places.get(squashed(one))
            if at is not None and (at not in found.values() or key in PARTS):
                found[key] = at
                break
    return found


def _mapped(names: Sequence[str], mapping: Mapping[str, str], file: str) -> dict[str, int]:
    plain = spelt(names)
    found: dict[str, int] = {}
    wrong: list[str] = []
    for key, name in mapping.items():
        if key not in FIELDS:
            wrong.append(f"cannot map to {key!r}{_near(key, FIELDS)}")
        elif name in names:
            found[key] = names.index(name)
        elif squashed(name) in plain:
            found[key] = plain.index(squashed(name))
        else:
            wrong.append(f"no column {name!r}{_near(name, names)}")
    if wrong:
        raise FileFault(file, "; ".join(wrong), f"fields: {', '.join(FIELDS)}; columns: {', '.join(names)}")
    return found


def _near(name: str, known: Iterable[str]) -> str:
    near = nearest_name(name, known)
    return f" (nearest: {near!r})" if near else ""


def _lacks(kind: Format, names: Sequence[str], missing: Sequence[str], file: str) -> FileFault:
    """What an event needs and this table has no column for, in the format's own words."""

    def wanted(key: str) -> str:
        fields = ("code", "coarse", "label", "act") if key == "code" else (key,)
        return ", ".join(name for one in fields for name in kind.columns.get(one, ()))

    found = f"found: {', '.join(names)}"
    if kind.is_own:
        word = {"code": "code or act"}
        what = "; ".join(f"{word.get(key, key)} ({wanted(key)})" for key in missing)
        if any(re.match(DATED, name) for name in names):
            return FileFault(
                file,
                "no header row: the first line looks like an event",
                f"a first line that names the columns; {found}",
                1,
            )
        if "target" not in (has := _candidates(kind, names)) and "target_name" not in has:
            what += f"; nor for the other side, target ({wanted('target')}), without which an event has none"
        expected = Words("one of these names, or ", _mapping(kind, names, missing), f"; {found}")
        return FileFault(file, f"no column for {what}", expected)
    what = "; ".join(f"{key} ({wanted(key)})" for key in missing)
    return FileFault(
        file,
        f"{kind.title} without a column for {what}",
        f"that column, a mapping of another to it, or format 'csv' if it is a table of your own; {found}",
    )


def _mapping(kind: Format, names: Sequence[str], missing: Sequence[str]) -> Words:
    """The mapping that would mend it, with the likeliest of the columns that nothing else is read from."""
    taken = set(_candidates(kind, names).values())
    free = [name for number, name in enumerate(names) if number not in taken]
    wished: dict[str, str] = {}
    for key in missing:
        known = {
            squashed(one) for field in (key, "act" if key == "code" else key) for one in kind.columns.get(field, ())
        }
        near = {name: nearest_name(squashed(name), known) for name in free if name not in wished.values()}
        alike = [name for name, other in near.items() if other is not None]
        alone = free[0] if len(free) == len(missing) == 1 else "COLUMN"
        wished[key] = alike[0] if alike else alone
    if "target" not in (has := _candidates(kind, names)) and "target_name" not in has and len(free) > len(missing):
        wished["target"] = "COLUMN"
    return argument("mapping", wished)


def _is_own(names: Sequence[str], mapped: Collection[str]) -> bool:
    """Whether a table reads well as the user's own: a day, an act, and columns for both sides."""
    has = set(spelt(names))
    both = {"source", "target"} <= set(mapped) or any({squashed(a), squashed(b)} <= has for a, b in SIDES)
    return both and not lacking(OWN, names, mapped)


def _sides(names: Sequence[str], found: Mapping[str, int], said: list[str], file: str) -> dict[str, int]:
    """Source and target of a table of the user's own: the most telling pair of columns."""
    places = {name: number for number, name in reversed(list(enumerate(spelt(names))))}
    taken = {at for key, at in found.items() if key not in ("source", "target", *PARTS)}
    sides = {key: found[key] for key in ("source", "target") if key in found}
    for pair in SIDES:
        first, second = (places.get(squashed(name)) for name in pair)
        if first is not None and second is not None and not {first, second} & taken:
            sides = {"source": first, "target": second}
            if pair in NUMBERED:
                said.append(
                    f"{names[first]!r} is taken for who acted, {names[second]!r} for whom it acted on; if their order "
                    "says nothing: " + argument("directed", False)
                )
            break
    lone = places.get("source")
    if lone == sides["source"] and "target" not in sides and set(NEWS) & set(places):
        raise FileFault(
            file,
            "a column 'source' and none for the other side: it may be the actor, or where the news is from",
            f"a mapping, such as source=source if it is the actor; found: {', '.join(names)}",
        )
    if lone is not None and lone not in sides.values() and lone not in taken:
        actors = " and ".join(repr(names[at]) for at in sides.values())
        said.append(f"the actors are those of {actors}; {names[lone]!r} is taken for where the news is from")
    return sides


def _is_in_parts(kind: Format, names: Sequence[str], found: Mapping[str, int], mapped: Collection[str]) -> bool:
    """Whether the day stands in columns of its year, month and day."""
    if not {"year", "month"} <= set(found):
        return False
    if {"year", "month"} <= set(mapped) or "time" not in found:
        return True
    if "time" in mapped:
        return False
    bare = any(found["time"] == found.get(part) for part in PARTS)
    return bare or (kind.parts_first and "day" in found)
