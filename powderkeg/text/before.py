"""Whom do words mean that point back in a text: "the army", "it", "both sides", "we"?

In: the text of a report, and sentence by sentence who was named and what was told. Out: `Surroundings`, which say what
the text so far tells of its actors: the country it is about, who acted last, who was named in which office, between
whom force was used. Only what was named is remembered; nothing is concluded from what the world is like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from powderkeg.text.names import Entity, Gazetteer

LEAST_NAMED, SHARE_NAMED = 3, 0.7
MANY_NAMED, TIMES_THE_NEXT = 4, 2
"""A country is what a text is about if most names are its own, or if it is named twice as often as any other."""
HEAD_OF_GOVERNMENT = "Head of Government"
BY_FORCE = ("15", "17", "18", "19", "20")
HOSTILE = ("09", "10", "11", "12", "13", "14", "16", *BY_FORCE)
NO_SIDES = frozenset({"CVL", "MED", "PRS", "NGO", "HLH", "EDU", "REL", "BUS", "LAB"})
"""Kinds of people who suffer force and are no side of a fight."""
OF_SINGLE_PERSONS, OF_BODIES = frozenset({"he", "she", "him", "her"}), frozenset({"it"})
PERSONAL = ("Head of Government", "Minister", "Government Official", "Legislature")
PLURAL, ARMED_PEOPLE = frozenset({"CVL", "PRS", "OPP"}), ("Armed Rebel", "Militant")
MOST_KEPT, MOST_DYADS = 5, 12
SURE_ENOUGH = 0.7
_NAME = re.compile(r"[A-Z][\w.]*\w")
_DATELINE = re.compile(r"\s*([A-Z][A-Z.'’-]+(?: [A-Z][A-Z.'’-]+)*)(?:[,(][^\n]{0,40}?)? ?[-–—] ")


@dataclass(frozen=True)
class Mention:
    """Words that name an actor.

    at       position of the head word in the parsed text
    start    first and last letter of the words, as offsets into the parsed text
    name     as it goes into the table: "Serbia", "Police (Serbia)", "Kosovo Force"
    country  ISO code, or ""
    kind     kind of people (see names.KINDS), or ""
    sure     0 to 1: how sure it is that this is an actor, and which
    """

    at: int
    start: int
    end: int
    name: str
    text: str
    country: str
    kind: str
    code: str
    sure: float


@dataclass
class Surroundings:
    """What the text around a sentence says of its actors.

    day     of the report, which says whom a leader's name stands for
    home    the country that the text is about, if it is about one: "the army" is its army
    actors  who acted in the sentences before, the last first: whom "he" stands for
    groups  armed groups that were named, the last first: whom "the rebels" stand for
    offices how a kind of people is called -> the country of which it was last named
    dyads   who did what to whom so far, the last first: source, target, code
    author  who acts first, and says "we" where nobody is quoted
    """

    day: date | None = None
    home: Entity | None = None
    actors: list[Mention] = field(default_factory=list)
    groups: list[Entity] = field(default_factory=list)
    offices: dict[str, str] = field(default_factory=dict)
    dyads: list[tuple[Mention, Mention, str]] = field(default_factory=list)
    author: Mention | None = None

    def named(self, every: Iterable[Mention], first: Mention | None) -> None:
        """Remember whom a sentence names, and who acts in it first."""
        for one in every:
            if not (one.country and one.kind and one.sure > SURE_ENOUGH):
                continue
            if one.name.endswith(")"):
                self.offices[one.name.split(" (")[0]] = one.country
            elif one.kind == "GOV":  # a leader by name; an armed group by name holds no office of its country
                self.offices[HEAD_OF_GOVERNMENT] = one.country
        if self.author is None and first is not None and first.country:
            self.author = first

    def told(self, sure: Sequence[tuple[Mention, Mention | None, str]]) -> None:
        """Remember what a sentence tells: source, target and code of its events, the surest first."""
        if sure:
            self.actors.insert(0, sure[0][0])
            del self.actors[MOST_KEPT:]
        self.dyads[:0] = [(source, target, code) for source, target, code in sure if target is not None]
        del self.dyads[MOST_DYADS:]

    def meant(self, pronoun: str) -> Mention | None:
        """Who acted before and may be "he", "it" or "they" now."""
        return next((one for one in self.actors if may_be(pronoun, one)), None)

    def acted_on(self, pronoun: str, taken: set[str]) -> Mention | None:
        """Who was acted on before, or acted, and may be "him", "it" or "them" now; nobody of those that are taken."""
        for source, target, _ in self.dyads[:2]:
            for one in (target, source) if source.name in taken else (source, target):
                if one.name not in taken and may_be(pronoun, one):
                    return one
        return None

    def both(self, countries: bool, taken: set[str]) -> list[Mention]:
        """The two that are told of as opponents: who used force on each other last, else who blamed each other.

        countries  whether both must be of a country each, as leaders and capitals are
        """
        for codes in (BY_FORCE, HOSTILE):
            for source, target, code in self.dyads:
                if not code.startswith(codes) or {source.kind, target.kind} & NO_SIDES:
                    continue
                if {source.name, target.name} & taken or source.name == target.name:
                    continue
                lands = (source.country, target.country)
                if not countries or (all(lands) and lands[0] != lands[1]):
                    turned = any((target.country, source.country) == (a.country, b.country) for a, b, _ in self.dyads)
                    if turned or not countries:
                        return [source, target]
        return []


def may_be(pronoun: str, one: Mention) -> bool:
    """Whether a pronoun fits somebody: countries are not "he", persons are not "it"."""
    person = one.kind == "GOV" and (not one.name.endswith(")") or one.name.startswith(PERSONAL))
    if pronoun in OF_SINGLE_PERSONS:
        return bool(one.kind)
    return pronoun not in OF_BODIES or not (person or one.kind in PLURAL or one.name.startswith(ARMED_PEOPLE))


def home_of(text: str, names: Gazetteer) -> Entity | None:
    """The one country that a text is about: most of the countries it names are it, and often enough to be sure.

    A dateline ("BAMAKO, July 1 -") settles it where no other country is named more often.
    """
    counts: dict[str, int] = {}
    first: dict[str, Entity] = {}
    for entity in _lands(text[:20_000], names):
        counts[entity.country] = counts.get(entity.country, 0) + 1
        if not entity.kind:
            first.setdefault(entity.country, entity)
    line = _DATELINE.match(text)
    where = names.who(line[1].title()) if line is not None else None
    if where is not None and where.country in counts:
        counts[where.country] += 1
        if counts[where.country] == max(counts.values()):
            return where
    if not counts:
        return None
    most, *others = sorted(counts, key=lambda one: -counts[one])
    next_ = counts[others[0]] if others else 0
    enough = counts[most] >= LEAST_NAMED and counts[most] >= SHARE_NAMED * sum(counts.values())
    enough = enough or (counts[most] >= MANY_NAMED and counts[most] >= TIMES_THE_NEXT * next_)
    return first.get(most) if enough else None


def _lands(text: str, names: Gazetteer) -> Iterator[Entity]:
    for word in _NAME.findall(text):
        entity = names.who(word)
        if entity is not None and entity.country and not entity.title:
            yield entity
