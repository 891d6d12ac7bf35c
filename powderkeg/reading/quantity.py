"""How is a number with a unit, a range and a source written, and what does it mean inside?

In: text such as `3 [2, 5] days`, or a mapping {value, unit, range, source, guess}. Out: a `Quantity` in days, per day,
or plain numbers. A bare number where a unit is needed is a fault, so is a unit where none belongs, and so is a guess
without a range: ranges are the uncertainty that everything downstream uses.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from powderkeg.reading.kind import BROKEN, GUESS, Kind, Reader, Schema, Sourcing, Writer, Wrong
from powderkeg.reading.kinds import refer
from powderkeg.reading.tree import Listing, Node, Scalar, Table, said, shown
from powderkeg.units import YEAR

MONTH_DAYS = 30.4375
_LARGEST = 1e12


@dataclass(frozen=True)
class Quantity:
    """A number in the unit used inside, with the range it may lie in and where it comes from.

    value   days, events/day, a fraction or a plain number, as its field says
    low     lower end of the range, same unit, or None
    high    upper end of the range, same unit, or None
    source  name of the source it was taken from, or None
    guess   whether it is a guess; a guess has a range unless it is 0
    """

    value: float
    low: float | None = None
    high: float | None = None
    source: str | None = None
    guess: bool = False

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class Unit:
    """A family of units. Inside = written * times / over; "" is the bare number.

    read_only  names that are understood and that we do not write
    """

    what: str
    example: str
    names: dict[str, tuple[float, float]]
    inside: str
    read_only: tuple[str, ...] = ()

    def text(self, value: float) -> str:
        """The text with the shortest number that reads back as exactly `value`."""
        best: tuple[int, str] | None = None
        for name in self.names:
            number = None if name in self.read_only else self.number(value, name)
            if number is not None:
                text = f"{number} {_SINGULAR.get(name, name) if number == '1' else name}".strip()
                length = len(text) if "" in self.names else len(number)
                if best is None or length < best[0]:
                    best = length, text
        return repr(value) if best is None else best[1]

    def number(self, value: float, name: str) -> str | None:
        """`value` in the unit `name`, if that is exact."""
        times, over = self.names[name]
        for digits in range(1, 18):
            number = f"{value * over / times:.{digits}g}"
            if float(number) * times / over == value:
                return _plainly(number)
        return None


_SINGULAR: Final = {"days": "day", "hours": "hour", "weeks": "week", "months": "month", "years": "year"}
_DURATIONS: Final = {
    "days": (1.0, 1.0),
    "hours": (1.0, 24.0),
    "weeks": (7.0, 1.0),
    "months": (MONTH_DAYS, 1.0),
    "years": (YEAR, 1.0),
}
_SINGULARS: Final = {
    "day": "days",
    "hour": "hours",
    "week": "weeks",
    "month": "months",
    "year": "years",
    "percent": "%",
}

DURATION: Final = Unit("a duration", "3 days", _DURATIONS, "days")
RATE: Final = Unit(
    "a rate",
    "2 per year",
    {
        "per year": (1.0, YEAR),
        "per month": (1.0, MONTH_DAYS),
        "per week": (1.0, 7.0),
        "per day": (1.0, 1.0),
        "per decade": (1.0, 10.0 * YEAR),
    },
    "per day",
    ("per decade",),
)
SHARE: Final = Unit("a number or a percentage", "0.35 or 35 %", {"": (1.0, 1.0), "%": (1.0, 100.0)}, "")
NUMBER: Final = Unit("a number", "6", {"": (1.0, 1.0)}, "")
YEARS: Final = Unit("a number of years", "10", {"": (1.0, 1.0), "years": (1.0, 1.0)}, "")

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_UNIT = r"[A-Za-z%][A-Za-z %]*?"
_PART = rf"({_NUMBER})\s*({_UNIT})?"
_WRITTEN = re.compile(rf"\s*{_PART}\s*(?:\[\s*{_PART}\s*,\s*{_PART}\s*\]\s*({_UNIT})?)?\s*", re.ASCII)
_MOST_LETTERS = 200


@dataclass(frozen=True)
class Amount(Kind):
    """A quantity.

    unit      the family of units it is written in
    least     lowest value allowed; `above`: values must be more than this
    most      highest value allowed
    certain   values that need no range though they are guesses: 0 says never, not about 0
    estimate  whether, being a guess, it needs a range at all (a share of a split does not)
    """

    editable = True
    unit: Unit
    least: float | None = None
    above: float | None = None
    most: float | None = None
    certain: tuple[float, ...] = (0.0,)
    estimate: bool = True

    @property
    def words(self) -> str:  # type: ignore[override]
        limits = self.limits
        return f"{self.unit.what} such as {self.unit.example}" + (f", {limits}" if limits else "")

    @property
    def limits(self) -> str:
        def spelled(value: float) -> str:
            return f"{value:g} {self.unit.inside if self.unit is DURATION else ''}".strip()

        if self.least is not None and self.most is not None:
            return f"from {self.least:g} to {spelled(self.most)}"
        if self.above is not None and self.most is not None:
            return f"more than {self.above:g} and at most {spelled(self.most)}"
        if self.above is not None:
            return f"more than {spelled(self.above)}"
        if self.least is not None:
            return f"at least {spelled(self.least)}"
        return f"at most {spelled(self.most)}" if self.most is not None else ""

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        source, guess = reader.sourcing
        if isinstance(node, Table):
            return self._read_table(node, path, reader)
        value, low, high = self._read_text(node, reader)
        return self._made(value, low, high, (source, guess), node)

    def _made(self, value: float, low: float | None, high: float | None, sourcing: Sourcing, node: Node) -> Quantity:
        self._check(value, node)
        if low is not None and high is not None:
            self._check(low, node, ", whose range goes too far")
            self._check(high, node, ", whose range goes too far")
            if low > high:
                raise Wrong(f"{self._told(value, node)}, with a range from high to low", "the lower end first")
            if not low <= value <= high:
                raise Wrong(f"{self._told(value, node)}, a value outside its range", "a range that holds the value")
        source, guess = sourcing
        if guess and low is None and value not in self.certain and self.estimate:
            expected = f"a range after the value, such as {self._ranged()}"
            raise Wrong(f"{self._told(value, node)}, a guess without a range", expected)
        return Quantity(value, low, high, source, guess)

    def _told(self, value: float, node: Node) -> str:
        """The quantity as it was written; one that came from Python in the unit used inside."""
        if isinstance(node, Scalar) and node.number is None:
            return shown(node.text)[1:-1]
        return f"{value:g} {self.unit.inside}".strip()

    def _ranged(self) -> str:
        return {
            "days": "3 [2, 5] days",
            "per day": "2 [1, 4] per year",
        }.get(self.unit.inside, "6 [4, 9]" if self.unit is NUMBER else "0.35 [0.2, 0.5]")

    def _check(self, number: float, node: Node, how: str = "") -> None:
        if not math.isfinite(number) or abs(number) > _LARGEST:
            expected = f"at most {_LARGEST:g} {self.unit.inside}".strip()
            raise Wrong(f"{self._told(number, node)}: too large a number", expected)
        if (
            (self.least is not None and number < self.least)
            or (self.above is not None and number <= self.above)
            or (self.most is not None and number > self.most)
        ):
            raise Wrong(f"{self._told(number, node)}{how}", self.limits)

    def _read_text(self, node: Node, reader: Reader) -> tuple[float, float | None, float | None]:
        if isinstance(node, Scalar) and node.number is not None:
            return node.number, None, None
        text = self.text(node, _MOST_LETTERS)
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise Wrong(shown(text), self.words)
        value, unit, low, low_unit, high, high_unit, last = found.groups()
        unit = unit or last
        number = self._inside(value, unit, text, reader)
        if low is None:
            return number, None, None
        return (
            number,
            self._inside(low, low_unit or last or unit, text, reader),
            self._inside(high, high_unit or last or unit, text, reader),
        )

    def _inside(self, number: str, unit: str | None, text: str, reader: Reader) -> float:
        name = " ".join((unit or "").split())
        head, _, tail = name.rpartition(" ")
        if self.unit is not RATE:
            name = _SINGULARS.get(name, name)
        elif head == "per":
            name = f"per {_SINGULAR.get(tail, tail)}"
        if name not in self.unit.names:
            if not name:
                raise Wrong(f"{shown(text)[1:-1]} without a unit", self.words)
            known = [known for known in self.unit.names if known]
            if not known:
                raise Wrong(f"{shown(text)[1:-1]}, with a unit where none belongs", self.words)
            elsewhere = any(name in other.names for other in (DURATION, RATE, SHARE))
            misfit = f"{shown(text)[1:-1]}: the unit {shown(name)} does not fit"
            problem = misfit if elsewhere else f"unknown unit {shown(name)}"
            raise Wrong(problem, self.words, None if elsewhere else reader.nearest(name, known))
        times, over = self.unit.names[name]
        return float(number) * times / over

    def _read_table(self, node: Table, path: str, reader: Reader) -> Any:
        parts = node.items
        known = ("value", "unit", "range", "source", "guess")
        for key in parts:
            if key not in known:
                raise Wrong(
                    f"unknown key {shown(key)}",
                    f"one of {', '.join(known)}",
                    reader.nearest(key, known),
                    node.line_of(key),
                )
        if "value" not in parts:
            raise Wrong("no value", f"value: {self.words}")
        unit = parts.get("unit")
        name = self.text(unit) if isinstance(unit, Scalar) and not unit.is_null else None
        if unit is not None and not isinstance(unit, Scalar):
            raise Wrong(f"{said(unit)} as the unit", f"a unit such as in {self.unit.example}")

        def one(part: Node) -> tuple[float, float | None, float | None]:
            if name is not None and isinstance(part, Scalar):
                number = repr(part.number) if part.number is not None else part.text
                return self._read_text(Scalar(f"{number} {name}", part.line, True), reader)
            return self._read_text(part, reader)

        value, low, high = one(parts["value"])
        ends = parts.get("range")
        if ends is not None and not (isinstance(ends, Scalar) and ends.is_null):
            if not isinstance(ends, Listing) or len(ends.items) != 2:
                raise Wrong(
                    f"{said(ends)} as the range", "a list of two values, such as [2 days, 5 days]", line=ends.line
                )
            own = [one(end)[0] for end in ends.items]
            low, high = own
        sourcing = self._sourcing(parts, path, reader)
        if sourcing is None:
            return BROKEN
        return self._made(value, low, high, sourcing, parts["value"])

    @staticmethod
    def _sourcing(parts: dict[str, Node], path: str, reader: Reader) -> Sourcing | None:
        source, guess = reader.sourcing
        if "source" in parts:
            written = reader.read(SOURCE, parts["source"], path)
            if written is BROKEN:
                return None
            source, guess = sourcing(written)
        if "guess" in parts:
            node = parts["guess"]
            if not isinstance(node, Scalar) or node.text not in ("true", "false"):
                raise Wrong(f"{said(node)} for guess", "true or false", line=node.line)
            guess = node.text == "true"
        return source, guess

    def write(self, value: Quantity, writer: Writer) -> Any:
        source, guess = value.source, value.guess
        if writer.full:
            ends = None if value.low is None else [value.low, value.high]
            unit = self.unit.inside or None
            return {"value": value.value, "unit": unit, "range": ends, "source": source, "guess": guess}
        text = self._written(value)
        if (source, guess) == writer.sourcing:
            return text
        plain: dict[str, Any] = {"value": text, "source": GUESS if guess and source is None else source}
        if guess and source is not None:
            plain["guess"] = True
        return plain

    def _written(self, value: Quantity) -> str:
        text = self.unit.text(value.value)
        if value.low is None or value.high is None:
            return text
        number, _, name = text.partition(" ")
        plural = {one: many for many, one in _SINGULAR.items()}.get(name, name)
        low, high = (self.unit.number(end, plural) for end in (value.low, value.high))
        if low is not None and high is not None and max(len(low), len(high)) <= len(number) + 6:
            return f"{number} [{low}, {high}] {plural}".strip()
        if "" in self.unit.names:
            # Bare ends after a value in % would be read as per cent too.
            return "{} [{}, {}]".format(*(self.unit.number(x, "") for x in (value.value, value.low, value.high)))
        return f"{text} [{self.unit.text(value.low)}, {self.unit.text(value.high)}]"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        bare: Schema = {"type": "number"}
        if self.least is not None:
            bare["minimum"] = self.least
        if self.above is not None:
            bare["exclusiveMinimum"] = self.above
        units = [name for name in self.unit.names if name]
        spelled = "|".join(sorted({*units, *(_SINGULAR.get(u, u) for u in units)}))
        unit = rf"\s*(?:{spelled})?" if units else ""
        part = rf"{_NUMBER}{unit}"
        text = {"type": "string", "pattern": rf"^\s*{part}\s*(?:\[\s*{part}\s*,\s*{part}\s*\]{unit})?\s*$"}
        if "" in self.unit.names and self.most is not None:
            bare["maximum"] = self.most
        one: list[Schema] = [bare, text] if "" in self.unit.names else [text]
        anything: Schema = {"type": ["number", "string"]}
        table: Schema = {
            "type": "object",
            "properties": {
                "value": anything,
                "unit": {"type": ["string", "null"]},
                "range": {
                    "anyOf": [{"type": "array", "items": anything, "minItems": 2, "maxItems": 2}, {"type": "null"}]
                },
                "source": {"type": ["string", "null"]},
                "guess": {"type": "boolean"},
            },
            "required": ["value"],
            "additionalProperties": False,
        }
        return {"anyOf": [*one, table]}


@dataclass(frozen=True)
class Real(Amount):
    """A number that is part of a definition: no range, no source; read to a float."""

    estimate: bool = False

    def read(self, node: Node, path: str, reader: Reader) -> float:
        value, low, _ = self._read_text(node, reader)
        if low is not None:
            raise Wrong(f"{said(node)}, with a range", f"{self.unit.what}; this is a definition and has no range")
        self._check(value, node)
        return value

    def write(self, value: Any, writer: Writer) -> Any:
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        found = super().schema(defs)
        return {"anyOf": found["anyOf"][:-1]}


@dataclass(frozen=True)
class SourceKind(Kind):
    """Where numbers come from: the name of a source, or the word guess."""

    words = f"the name of a source, or {GUESS}"

    def read(self, node: Node, path: str, reader: Reader) -> str | None:
        if isinstance(node, Scalar) and node.is_null:
            return None
        text = self.text(node)
        refer(text, "source", reader, (GUESS,))
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "null"]}


SOURCE: Final = SourceKind()


def sourcing(source: str | None) -> Sourcing:
    """What a `source:` line says of the numbers under it."""
    return (None, True) if source == GUESS else (source, False)


def _plainly(number: str) -> str:
    """A float's text without an exponent where it stays short."""
    value = float(number)
    if "e" in number and 1e-6 <= abs(value) < 1e12:
        plain = f"{value:.20f}".rstrip("0").rstrip(".")
        if float(plain) == value and len(plain) <= len(number) + 6:
            return plain
    return number
