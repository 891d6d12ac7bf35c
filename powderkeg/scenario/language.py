"""What do `x threatens y`, `z backs y`, `kfor_posture.clear` and `sets: [measure]` say?

In: nodes of a scenario file, with the names that the file declares. Out: patterns, conditions, effects and answers, as
named tuples. These are the kinds of field that a scenario has and other files do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from powderkeg.reading import (
    GUESS,
    Listing,
    Node,
    Quantity,
    Reader,
    Scalar,
    Table,
)

VARIABLES: Final = ("x", "y", "z", "w")
"""Letters that stand for any actor in a pattern; different letters, different actors."""
ANY: Final = "any"
TIE_VERBS: Final = {
    "patronage": "backs",
    "alliance": "allies",
    "recognition": "recognizes",
    "presence": "guards",
    "rivalry": "contests",
}
"""Built-in kinds of tie and the verb that names them in patterns; any other kind is its own verb."""
SYMMETRIC: Final = frozenset({"alliance", "rivalry"})
"""Kinds of tie that hold in either order."""
TIE_LEVELS: Final = ("absent", "holds")


class Pattern(NamedTuple):
    """Acts of a kind: subject and object are letters, actors or classes; act is the act's name."""

    subject: str
    act: str
    object: str


class TiePattern(NamedTuple):
    """A tie that must hold (or, if not `holds`, must not): subject and object as in Pattern, kind of tie."""

    subject: str
    kind: str
    object: str
    holds: bool = True


class Condition(NamedTuple):
    """A fact at a level; without a level, a fact that is not at its first level."""

    fact: str
    level: str | None = None

    def __str__(self) -> str:
        return self.fact if self.level is None else f"{self.fact}.{self.level}"


class Forced(NamedTuple):
    """An act that a policy calls for."""

    who: str
    does: str
    to: str


class FactEffect(NamedTuple):
    """An act puts a fact to a level, with a probability."""

    fact: str
    level: str
    probability: Quantity


class AnswerShare(NamedTuple):
    """One way to answer, and its share among the ways."""

    pattern: Pattern
    share: Quantity


class HalfLife(NamedTuple):
    """A half-life in days, and the share of answers that come with it."""

    days: Quantity
    share: Quantity


def third_person(verb: str) -> str:
    """The verb as it follows a subject: threaten -> threatens, deny -> denies, ask_nato -> asks_nato; talks stays."""
    first, joint, rest = verb.partition("_")
    # Records name acts in the third person too. No English verb of ours ends in a lone s but for these endings.
    if first.endswith("s") and not first.endswith(("ss", "us", "as", "is", "os")) and len(first) > 3:
        return verb
    if first.endswith(("s", "x", "z", "ch", "sh", "o")):
        first += "es"
    elif first.endswith("y") and first[-2:-1] not in ("a", "e", "i", "o", "u", ""):
        first = first[:-1] + "ies"
    else:
        first += "s"
    return first + joint + rest


def tie_verb(kind: str) -> str:
    """The verb that names a kind of tie in patterns: patronage -> backs."""
    return TIE_VERBS.get(kind, kind)


def prepare(reader: Reader, sections: Mapping[str, Node]) -> None:
    """Tells a reader which names a file declares, so that sections can be read in any order.

    What cannot be known because the section itself is at fault stays unknown, and is not checked.
    """

    def names(section: str) -> list[str] | None:
        node = sections.get(section)
        if node is None or (isinstance(node, Scalar) and node.is_null):
            return []
        return list(node.items) if isinstance(node, Table) else None

    def part(section: str, name: str, key: str) -> Node | None:
        node = sections.get(section)
        item = node.items.get(name) if isinstance(node, Table) else None
        return item.items.get(key) if isinstance(item, Table) else None

    def texts(node: Node | None) -> list[str]:
        nodes = node.items if isinstance(node, Listing) else (node,)
        return [one.text for one in nodes if isinstance(one, Scalar) and not one.is_null]

    def learn(sort: str, known: list[str] | None) -> None:
        if known is not None:
            reader.names[sort] = dict.fromkeys(known)

    actors, facts, ties = names("actors"), names("facts"), names("ties")
    for sort, section in (
        ("source", "sources"),
        ("act", "acts"),
        ("profile", "profiles"),
        ("covariate", "covariates"),
        ("move", "moves"),
    ):
        learn(sort, names(section))
    learn("mechanism", names("mechanisms"))
    learn("actor", actors)
    if actors is not None:
        classes = [c for name in actors for key in ("is",) for c in texts(part("actors", name, key))]
        learn("class", classes)
        learn("actor or class", [*actors, *classes])
    learn("fact", None if facts is None or ties is None else [*facts, *ties])
    learn("fact of its own", facts)
    levels: dict[str, tuple[str, ...]] = {}
    for name in facts or ():
        written = part("facts", name, "levels")
        if written is None:
            levels[name] = ("off", "on")
        elif isinstance(written, Listing) and len(texts(written)) == len(written.items):
            levels[name] = tuple(texts(written))
    levels.update(dict.fromkeys(ties or (), TIE_LEVELS))
    reader.data["levels"] = levels
    reader.data["start"] = _date_of(sections.get("start"))
    acts = names("acts")
    reader.data["verbs"] = (
        None if acts is None else {**{third_person(act): act for act in acts}, **{a: a for a in acts}}
    )
    kinds = [*TIE_VERBS, *(text for name in ties or () for text in texts(part("ties", name, "kind")))]
    reader.data["tie_verbs"] = None if ties is None else {tie_verb(kind): kind for kind in kinds}


def _date_of(node: Node | None) -> date | None:
    """The day a node says, if it does; if not, that is told where it is read."""
    try:
        return date.fromisoformat(node.text) if isinstance(node, Scalar) else None
    except ValueError:
        return None


def reserved_words() -> tuple[str, ...]:
    """Names that no actor or class may have."""
    return (*VARIABLES, ANY, "who", "to", "not", GUESS)
