"""Kinds of field that hold shares of a whole: the answers of a mechanism, and its half-lives.

In: nodes of a scenario file. Out: `AnswerShare`s and `HalfLife`s whose shares sum to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from powderkeg.reading import (
    BROKEN,
    DURATION,
    SHARE,
    Amount,
    EditablePlace,
    Kind,
    Listing,
    Node,
    Quantity,
    Reader,
    Scalar,
    Schema,
    Several,
    SeveralKeys,
    Table,
    Writer,
    Wrong,
    said,
)
from powderkeg.scenario.kinds import PatternKind
from powderkeg.scenario.language import AnswerShare, HalfLife

_ALL: Final = Quantity(1.0)

SPLIT: Final = Amount(SHARE, above=0.0, most=1.0, estimate=False)
_ROUNDING = 0.005


def _reshared(shares: list[Quantity], i: int, new: Quantity) -> list[Quantity]:
    """One share changed, the others scaled so that all sum to 1. Raises Wrong if the others would vanish."""
    rest = sum(share.value for share in shares) - shares[i].value
    if rest <= 0.0:
        if new.value != 1.0:
            raise Wrong(f"{new.value:g}, the only share", "1: there is nothing to share with")
        return [new]
    if new.value >= 1.0:
        raise Wrong(f"{new.value:g}, which leaves nothing for the others", "less than 1")
    scale = (1.0 - new.value) / rest
    return [new if j == i else Quantity(share.value * scale) for j, share in enumerate(shares)]


def _whole(shares: list[Quantity]) -> list[Quantity]:
    """Shares that sum to 1. Raises Wrong if they do not, but for rounding (33.3 % three times)."""
    total = sum(share.value for share in shares)
    if abs(total - 1.0) > _ROUNDING:
        raise Wrong(f"shares that sum to {total * 100:.4g} %", "shares that sum to 100 %")
    if abs(total - 1.0) <= 1e-9:
        return shares

    def scaled(end: float | None) -> float | None:
        return None if end is None else min(end / total, 1.0)

    return [
        Quantity(share.value / total, scaled(share.low), scaled(share.high), share.source, share.guess)
        for share in shares
    ]


@dataclass(frozen=True)
class AnswersKind(Kind):
    """A pattern, a list of patterns (equal shares), or a mapping from pattern to share."""

    words = "an answer such as y threatens x, a list of these, or a mapping from each to its share"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if not isinstance(node, Table):
            patterns = reader.read(Several(PatternKind(), least=1), node, path)
            if patterns is BROKEN:
                return BROKEN
            return tuple(AnswerShare(pattern, Quantity(1.0 / len(patterns))) for pattern in patterns)
        pairs = [
            (
                reader.read(PatternKind(), Scalar(text, node.line_of(text)), path),
                reader.read(SPLIT, item, path),
            )
            for text, item in node.items.items()
        ]
        if any(BROKEN in pair for pair in pairs):
            return BROKEN
        if not pairs:
            raise Wrong("an empty mapping", self.words)
        if len({pattern for pattern, _ in pairs}) < len(pairs):
            raise Wrong("the same answer twice", "each once")
        shares = _whole([share for _, share in pairs])
        return tuple(AnswerShare(pattern, share) for (pattern, _), share in zip(pairs, shares, strict=True))

    def places(self, value: tuple[AnswerShare, ...]) -> Iterator[EditablePlace]:
        for i, answer in enumerate(value if len(value) > 1 else ()):
            yield EditablePlace(
                PatternKind().write(answer.pattern, Writer()),
                SPLIT,
                answer.share,
                lambda new, i=i: tuple(  # type: ignore[misc]
                    AnswerShare(one.pattern, share)
                    for one, share in zip(value, _reshared([one.share for one in value], i, new), strict=True)
                ),
            )

    def write(self, value: tuple[AnswerShare, ...], writer: Writer) -> Any:
        patterns = [PatternKind().write(pattern, writer) for pattern, _ in value]
        if not writer.full and all(share == Quantity(1.0 / len(value)) for _, share in value):
            return patterns[0] if len(patterns) == 1 else patterns
        return {text: SPLIT.write(share, writer) for text, (_, share) in zip(patterns, value, strict=True)}

    def schema(self, defs: dict[str, Schema]) -> Schema:
        one = PatternKind().schema(defs)
        return {
            "anyOf": [
                one,
                {"type": "array", "items": one, "minItems": 1},
                {
                    "type": "object",
                    "propertyNames": one,
                    "minProperties": 1,
                    "additionalProperties": SPLIT.schema(defs),
                },
            ]
        }


HALF_LIFE: Final = Amount(DURATION, above=0.0)


@dataclass(frozen=True)
class HalfLivesKind(Kind):
    """A mapping from half-life to share, or a list of {half_life, share}."""

    words = "a mapping from half-lives to shares, such as {1 day: 60 %, 14 days: 40 %}"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if isinstance(node, Table):
            parts: list[tuple[Node, Node]] = [(Scalar(k, node.line_of(k)), item) for k, item in node.items.items()]
        elif isinstance(node, Listing):
            parts = [self._pair(item) for item in node.items]
        else:
            raise Wrong(said(node), self.words)
        if not parts:
            raise Wrong("nothing", self.words)
        pairs = [(reader.read(HALF_LIFE, days, path), reader.read(SPLIT, share, path)) for days, share in parts]
        if any(BROKEN in pair for pair in pairs):
            return BROKEN
        if len({days.value for days, _ in pairs}) < len(pairs):
            raise Wrong("the same half-life twice", "each once")
        shares = _whole([share for _, share in pairs])
        return tuple(HalfLife(days, share) for (days, _), share in zip(pairs, shares, strict=True))

    @staticmethod
    def _pair(item: Node) -> tuple[Node, Node]:
        if not isinstance(item, Table) or set(item.items) != {"half_life", "share"}:
            raise Wrong(said(item), "a mapping with half_life and share", line=item.line)
        return item.items["half_life"], item.items["share"]

    def write(self, value: tuple[HalfLife, ...], writer: Writer) -> Any:
        days = [HALF_LIFE.write(one.days, writer) for one in value]
        shares = [SPLIT.write(one.share, writer) for one in value]
        if all(isinstance(text, str) for text in days):
            return dict(zip(days, shares, strict=True))
        return [{"half_life": one, "share": share} for one, share in zip(days, shares, strict=True)]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        share = SPLIT.schema(defs)
        pair = {
            "type": "object",
            "properties": {"half_life": HALF_LIFE.schema(defs), "share": share},
            "required": ["half_life", "share"],
            "additionalProperties": False,
        }
        return {
            "anyOf": [
                {"type": "object", "minProperties": 1, "additionalProperties": share},
                {"type": "array", "items": pair, "minItems": 1},
            ]
        }


BUILD_UP: Final = Amount(SHARE, least=0.0, most=0.9, estimate=False)
LEAST_BUILD_UP: Final = 0.01
"""Below it answers come at once for all that days can tell; above 0.9 both waits are so alike that the two components,
whose shares are then 10 and -9, cancel each other out."""


class BuildUp(SeveralKeys):
    """`build_up: 30 %`, which is not written where it is 0: most mechanisms have none."""

    keys = {  # noqa: RUF012
        "build_up": (
            BUILD_UP,
            "How long answers take to get under way, as a share of how long they take to die away: an act is answered "
            "by nobody at once, then by more, then by half as many with every half-life. 0: most come at once. It is "
            "neither estimated nor drawn from a range: compare several by a sweep, from 0.01 on.",
        ),
    }

    def join(self, values: dict[str, Any]) -> Quantity:
        found: Quantity = values["build_up"]
        return found

    def split(self, value: Quantity, writer: Writer) -> dict[str, Any]:
        return {"build_up": value} if value.value > 0.0 else {}

    def places(self, value: Quantity) -> Iterator[EditablePlace]:
        yield EditablePlace("build_up", BUILD_UP, value, lambda new: new)


class HalfLives(SeveralKeys):
    """`half_life: 3 days`, or `half_lives` with a share for each."""

    keys = {  # noqa: RUF012
        "half_life": (HALF_LIFE, "Half of the answers have come after this time; later where they build up."),
        "half_lives": (HalfLivesKind(), "Several half-lives and the share of answers that follow each."),
    }
    exclusive = True

    def join(self, values: dict[str, Any]) -> tuple[HalfLife, ...]:
        if "half_life" in values:
            return (HalfLife(values["half_life"], _ALL),)
        return tuple(values["half_lives"])

    def split(self, value: tuple[HalfLife, ...], writer: Writer) -> dict[str, Any]:
        if len(value) == 1 and value[0].share == _ALL:
            return {"half_life": value[0].days}
        return {"half_lives": value}

    def places(self, value: tuple[HalfLife, ...]) -> Iterator[EditablePlace]:
        if len(value) == 1:
            yield EditablePlace("half_life", HALF_LIFE, value[0].days, lambda new: (value[0]._replace(days=new),))
            return
        for i, one in enumerate(value):
            yield EditablePlace(
                f"half_lives.{i + 1}",
                HALF_LIFE,
                one.days,
                lambda new, i=i: (*value[:i], value[i]._replace(days=new), *value[i + 1 :]),  # type: ignore[misc]
            )
            yield EditablePlace(
                f"half_lives.{i + 1}.share",
                SPLIT,
                one.share,
                lambda new, i=i: tuple(  # type: ignore[misc]
                    HalfLife(other.days, share)
                    for other, share in zip(value, _reshared([o.share for o in value], i, new), strict=True)
                ),
            )
