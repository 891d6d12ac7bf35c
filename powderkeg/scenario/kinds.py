"""Kinds of field that only a scenario has: conditions, effects, patterns, ties in patterns, answers, half-lives.

In: nodes of a scenario file, with the names that the file declares. Out: the named tuples of `language`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from powderkeg.reading import (
    BROKEN,
    SHARE,
    Amount,
    Day,
    EditablePlace,
    Kind,
    Node,
    Quantity,
    Reader,
    Reference,
    Scalar,
    Schema,
    Several,
    SeveralKeys,
    Table,
    Writer,
    Wrong,
    alphabetical,
    clipped,
    listed,
    plain_of,
    refer,
    said,
    shown,
)
from powderkeg.scenario.language import (
    ANY,
    VARIABLES,
    Condition,
    FactEffect,
    Forced,
    Pattern,
    TiePattern,
    third_person,
    tie_verb,
)


def _levels(fact: str, reader: Reader) -> tuple[str, ...] | None:
    known: dict[str, tuple[str, ...]] = reader.data.get("levels", {})
    return known.get(fact)


def _fact_and_level(text: str, reader: Reader) -> tuple[str, str | None]:
    fact, dot, level = text.partition(".")
    refer(fact, "fact", reader)
    levels = _levels(fact, reader)
    if dot and levels is not None and level not in levels:
        raise Wrong(
            f"unknown level {shown(level)} of {fact}",
            f"one of {listed(f'{fact}.{known}' for known in levels)}",
            None if (near := reader.nearest(level, levels)) is None else f"{fact}.{near}",
        )
    return fact, level if dot else None


@dataclass(frozen=True)
class ConditionKind(Kind):
    """`fact` or `fact.level`."""

    words = "a fact, or fact.level"

    def read(self, node: Node, path: str, reader: Reader) -> Condition:
        text = self.text(node)
        denied = re.fullmatch(r"(?:not\s+|!\s*)(\S+)", text.strip())
        if denied:
            raise _denied(text, denied[1], path, reader)
        return Condition(*_fact_and_level(text, reader))

    def write(self, value: Condition, writer: Writer) -> str:
        return str(value)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$"}


@dataclass(frozen=True)
class TargetKind(Kind):
    """What an act sets: `fact` (two levels: its second) or `fact.level`; read to (fact, level)."""

    clear: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]
        return "a fact" if self.clear else "a fact, or fact.level"

    def read(self, node: Node, path: str, reader: Reader) -> tuple[str, str]:
        text = self.text(node)
        fact, level = _fact_and_level(text, reader)
        levels = _levels(fact, reader)
        if self.clear and level is not None:
            raise Wrong(shown(text), "a fact without a level: clearing puts it to its first level", fact)
        if levels is None or not levels:
            return fact, level or ""
        if self.clear:
            return fact, levels[0]
        if level is None and len(levels) > 2:
            options = (f"{fact}.{known}" for known in levels)
            raise Wrong(f"{shown(text)} without a level", f"one of {listed(options)}")
        return fact, level or levels[1 if len(levels) > 1 else 0]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return ConditionKind().schema(defs)


def _denied(text: str, fact: str, path: str, reader: Reader) -> Wrong:
    """What to write instead of `not fact`."""
    if ".needs" in path:
        return Wrong(shown(text), "a fact, or fact.level; what must not be the case stands under forbids",
                     f"forbids: {fact}")  # fmt: skip
    if ".forbids" in path:
        return Wrong(shown(text), "a fact, or fact.level; what must be the case stands under needs", f"needs: {fact}")
    levels = _levels(fact, reader)
    return Wrong(shown(text), "a fact, or fact.level", f"{fact}.{levels[0]}" if levels else None)


PROBABILITY: Final = Amount(SHARE, least=0.0, most=1.0, certain=(0.0, 1.0))
_CERTAIN: Final = Quantity(1.0)


@dataclass(frozen=True)
class EffectsKind(Kind):
    """A list of targets, or a mapping from target to probability; read to effects."""

    clear: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]
        one = "fact" if self.clear else "fact or fact.level"
        return f"a list such as [{one}], or a mapping such as {{{one}: 30 %}}"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        target = TargetKind(self.clear)
        effects: list[Any] = []
        if isinstance(node, Table):
            for text, item in node.items.items():
                found = reader.read(target, Scalar(text, node.line_of(text)), path)
                probability = reader.read(PROBABILITY, item, f"{path}.{clipped(text)}")
                effects.append(
                    BROKEN if BROKEN in (found, probability) else FactEffect(found[0], found[1], probability)
                )
        else:
            targets = reader.read(Several(target), node, path)
            effects = [BROKEN] if targets is BROKEN else [FactEffect(one[0], one[1], _CERTAIN) for one in targets]
        return BROKEN if any(effect is BROKEN for effect in effects) else tuple(effects)

    def write(self, value: tuple[FactEffect, ...], writer: Writer) -> Any:
        def spelled(effect: FactEffect) -> str:
            levels = writer.data.get("levels", {}).get(effect.fact, ())
            if self.clear or (not writer.full and len(levels) == 2 and effect.level == levels[1]):
                return effect.fact
            return f"{effect.fact}.{effect.level}"

        if not writer.full and all(effect.probability == _CERTAIN for effect in value):
            return [spelled(effect) for effect in value]
        return {spelled(effect): PROBABILITY.write(effect.probability, writer) for effect in value}

    def schema(self, defs: dict[str, Schema]) -> Schema:
        one = TargetKind(self.clear).schema(defs)
        return {
            "anyOf": [
                one,
                {"type": "array", "items": one},
                {"type": "object", "propertyNames": one, "additionalProperties": PROBABILITY.schema(defs)},
                {"type": "null"},
            ]
        }


class Effects(SeveralKeys):
    """`sets` and `clears`, joined to effects in that order."""

    keys = {  # noqa: RUF012
        "sets": (EffectsKind(), "Facts that the act switches on or puts to a level, always or with a probability."),
        "clears": (EffectsKind(clear=True), "Facts that the act puts back to their first level."),
    }

    def join(self, values: dict[str, Any]) -> tuple[FactEffect, ...]:
        return (*(values.get("sets") or ()), *(values.get("clears") or ()))

    def split(self, value: tuple[FactEffect, ...], writer: Writer) -> dict[str, Any]:
        """In full, everything under `sets`; else the tail of effects on first levels under `clears`."""
        cut = len(value)
        levels = writer.data.get("levels", {})
        while not writer.full and cut and value[cut - 1].level == levels.get(value[cut - 1].fact, ("",))[0]:
            cut -= 1
        both = {"sets": value[:cut], "clears": value[cut:]}
        return {"sets": value} if writer.full else {key: part for key, part in both.items() if part}

    def places(self, value: tuple[FactEffect, ...]) -> Iterator[EditablePlace]:
        for i, effect in enumerate(value):
            yield EditablePlace(
                f"sets.{effect.fact}.{effect.level}",
                PROBABILITY,
                effect.probability,
                lambda new, i=i: (*value[:i], value[i]._replace(probability=new), *value[i + 1 :]),  # type: ignore[misc]
            )


@dataclass(frozen=True)
class LevelKind(Kind):
    """A level of the fact at hand; which levels there are is checked by the fact."""

    editable = True
    words = "one of the fact's levels"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        return self.text(node)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True)
class Who(Kind):
    """An actor, a class of actors, or `any`."""

    words = "an actor, a class of actors, or any"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = self.text(node)
        refer(text, "actor or class", reader, (ANY,))
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return Reference("actor").schema(defs)


def _someone(text: str, letters: tuple[str, ...], reader: Reader) -> None:
    if text not in letters:
        names = reader.names.get("actor or class")
        if names is not None and text not in names:
            raise Wrong(
                f"unknown actor {shown(text)}",
                f"{', '.join(letters)}, or an actor or class of this file: {listed(alphabetical(names))}",
                reader.nearest(text, [*names]),
            )


@dataclass(frozen=True)
class PatternKind(Kind):
    """`x threatens y`."""

    words = "who does what to whom, such as x threatens y"

    def read(self, node: Node, path: str, reader: Reader) -> Pattern:
        text = self.text(node)
        words = text.split()
        if len(words) != 3:
            raise Wrong(shown(text), self.words)
        subject, verb, target = words
        _someone(subject, VARIABLES, reader)
        _someone(target, VARIABLES, reader)
        verbs: dict[str, str] | None = reader.data.get("verbs")
        if verbs is not None and verb not in verbs:
            acts = alphabetical(set(verbs.values()))
            expected = f"an act of this file: {listed(acts)}" if acts else "an act of this file, which has none"
            raise Wrong(f"unknown act {shown(verb)}", expected, reader.nearest(verb, verbs))
        _differ(subject, target, text, reader)
        return Pattern(subject, verb if verbs is None else verbs[verb], target)

    def write(self, value: Pattern, writer: Writer) -> str:
        verb = third_person(value.act)
        clash = verb in writer.data.get("verbs", {}) and writer.data["verbs"][verb] != value.act
        return f"{value.subject} {value.act if clash else verb} {value.object}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^\s*\S+\s+\S+\s+\S+\s*$"}


@dataclass(frozen=True)
class ForcedKind(Kind):
    """`nato clears north_serbs`, or the same as {who, does, to}."""

    words = "an act between two actors, such as nato clears north_serbs"

    def read(self, node: Node, path: str, reader: Reader) -> Forced:
        if isinstance(node, Table) and set(node.items) == set(Forced._fields):
            node = Scalar(" ".join(self.text(node.items[key]) for key in Forced._fields), node.line)
        text = self.text(node)
        forced = Forced(*PatternKind().read(node, path, reader))
        for end in (forced.who, forced.to):
            if reader.names.get("actor") is not None and end not in reader.names["actor"]:
                raise Wrong(f"{shown(text)}: {end} is no actor", self.words)
        return forced

    def write(self, value: Forced, writer: Writer) -> str:
        return PatternKind().write(Pattern(*value), writer)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        keys = Forced._fields
        table = {
            "type": "object",
            "properties": {key: {"type": "string"} for key in keys},
            "required": [*keys],
            "additionalProperties": False,
        }
        return {"anyOf": [PatternKind().schema(defs), table]}


def _differ(subject: str, target: str, text: str, reader: Reader) -> None:
    if subject == target and subject not in (reader.names.get("class") or ()):
        raise Wrong(f"{shown(text)}: {subject} to {subject}", "two different actors")


@dataclass(frozen=True)
class TiePatternKind(Kind):
    """`z backs y`, or `z does not back y`."""

    letters: tuple[str, ...] = VARIABLES

    @property
    def words(self) -> str:  # type: ignore[override]
        a, b = self.letters[:2]
        return f"a tie such as {a} backs {b}, or {a} does not back {b}"

    def read(self, node: Node, path: str, reader: Reader) -> TiePattern:
        text = self.text(node)
        words = text.split()
        holds = words[1:3] != ["does", "not"]
        if not holds:
            del words[1:3]
        if len(words) != 3:
            raise Wrong(shown(text), self.words)
        subject, verb, target = words
        _someone(subject, self.letters, reader)
        _someone(target, self.letters, reader)
        verbs: dict[str, str] | None = reader.data.get("tie_verbs")
        kind = verb
        if verbs is not None:
            forms = {**verbs, **{kind: kind for kind in verbs.values()}}
            known = verb if verb in forms else third_person(verb)
            if known not in forms:
                raise Wrong(
                    f"unknown tie {shown(verb)}",
                    f"the verb of a tie: {listed(verbs)}",
                    reader.nearest(verb, verbs),
                )
            kind = forms[known]
        _differ(subject, target, text, reader)
        return TiePattern(subject, kind, target, holds)

    def write(self, value: TiePattern, writer: Writer) -> str:
        verb = tie_verb(value.kind)
        return f"{value.subject} {verb if value.holds else f'does not {_bare(verb)}'} {value.object}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^\s*\S+(\s+does\s+not)?\s+\S+\s+\S+\s*$"}


def _bare(verb: str) -> str:
    """The verb without its third-person ending, where that reads back: backs -> back."""
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        bare = verb[: len(verb) - len(ending)] + instead
        if verb.endswith(ending) and bare and third_person(bare) == verb:
            return bare
    return verb


@dataclass(frozen=True)
class Moment(Amount):
    """A time counted from the start of the run, or a date; read to days from the scenario's start."""

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a duration such as {self.unit.example}, or a date such as 2008-02-17"

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        start: date | None = reader.data.get("start")
        text = node.text.strip() if isinstance(node, Scalar) and node.number is None else ""
        if start is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return super().read(node, path, reader)
        days = (Day().read(node, path, reader) - start).days
        if days < 0:
            raise Wrong(text, f"a date from {start} on, when the scenario starts")
        return super().read(Scalar(f"{days} days", node.line, True), path, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [*super().schema(defs)["anyOf"], Day().schema(defs)]}


@dataclass(frozen=True)
class SettingsKind(Kind):
    """Key paths and the values to put there; which paths there are is checked once the whole file is read."""

    words = "a mapping from key paths to values, such as {mechanisms.retaliation.answers: 0.5}"

    def read(self, node: Node, path: str, reader: Reader) -> dict[str, Any]:
        if isinstance(node, Scalar) and node.is_null:
            return {}
        if not isinstance(node, Table):
            raise Wrong(said(node), self.words)
        for key in node.items:
            line = node.line_of(key)
            if line is not None:
                reader.lines[f"{path}.{clipped(key)}"] = line
        return {key: plain_of(item) for key, item in node.items.items()}

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["object", "null"]}
