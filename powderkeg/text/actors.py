"""Who acts and who is acted on in a sentence?

In: a parsed sentence and a gazetteer. Out: mentions: which words name an actor, and which. An actor is a name that the
gazetteer knows, another proper name, or a kind of people ("police", "protesters") with the country that its words name.
"Serbian police" is Police (Serbia), written as ICEWS writes it, so that match rules for such names hold here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from powderkeg.text.before import Mention, Surroundings
from powderkeg.text.days import MONTHS, WEEKDAYS
from powderkeg.text.grammar import is_verb, subjects_of
from powderkeg.text.mending import LOOSE, hang
from powderkeg.text.names import LONGEST, Entity, Gazetteer
from powderkeg.text.sentences import Sentence, Word

MODIFIERS = frozenset({"compound", "amod", "nmod", "poss", "appos", "nummod", "det"})
PLACE_PREPOSITIONS = frozenset({"of", "in", "from", "on", "at", "with", "to", "for", "against", "between", "near",
                                "over", "by", "inside", "outside", "around", "among", "amongst", "along", "toward",
                                "towards", "into", "through", "throughout", "across", "within",
                                "representing"})  # fmt: skip
MONTHS_NAMED = frozenset(MONTHS)
_NO_ACTORS = """memorandum agreement treaty accord accords act resolution strait sea ocean river gulf square street
conference summit ramadan christmas easter protocol convention charter constitution war pact declaration law code peace
prize plan festival cup olympics valley mountain desert canal highway road article chapter gmt dollar euro islam
line shoal reef atoll buffer"""
NO_ACTORS = frozenset(_NO_ACTORS.split())
PLACE = "Place"
NAMED, GENERIC, PLACED = 0.5, 0.65, 0.68
"""How sure a proper name is an actor that no file knows, a kind of people without a country, and one whose country is
only where it happened."""
CARRYING = frozenset({"carry", "transport", "ferry", "house", "shelter", "hold", "take"})
GOVERNMENT = "Government"
FROM_ANYWHERE = frozenset({"GOV", "MIL", "IGO", "PKO", "NGO", "SPY"})
"""Kinds of people who act in other countries than their own."""
WHERE = frozenset({"in", "near", "at", "outside", "across", "inside", "around"})
PARTS = frozenset({"part", "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest",
                   "state", "suburb", "outskirts", "centre", "center", "half", "heartland", "side"})  # fmt: skip
ARMED = frozenset({"police", "army", "military", "rebel", "navy", "militia", "guerrilla"})
ARMED_KINDS = frozenset({"REB", "UAF"})
OWN = frozenset({"his", "her", "its", "their", "our"})
OF_A_GROUP, SPEAKS_FOR = frozenset({"their", "its"}), ("Head of Government", "Government Official")
GROUP = frozenset({"group", "organisation", "organization"})
"""What an armed group is called that was named before."""
NAMED_BEHIND = frozenset({"IGO", "NGO", "PKO", "REB", "UAF", "CRM"})
AT_HOME = frozenset({"REB", "UAF", "CRM"})
NUMBERS = frozenset({"dozens", "scores", "hundreds", "thousands", "millions", "tens", "number", "majority", "handful",
                     "group", "groups", "pair", "members", "series"})  # fmt: skip
OFFICES = frozenset({"secretary", "attorney", "solicitor", "governor", "inspector", "director", "consul", "surgeon",
                     "prosecutor", "comptroller", "auditor"})  # fmt: skip
OF_A_COUNTRY = frozenset({"GOV", "LEG", "JUD", "COP", "MIL", "OPP", "CVL", "LAB", "MED", "EDU"})
OFFICIALS = ("GOV", "MIL", "LEG", "JUD")
PEOPLE = ("CVL", "Citizen")
_ALSO_PERSONS = """adama adelaide basel beni buchanan cuenca darwin farah florence guerrero karen kaya lugo mannar
medina mendoza merida milan moro rosario sabah salisbury santander sucre trujillo"""
ALSO_PERSONS = frozenset(_ALSO_PERSONS.split())
"""Places and peoples whose names persons bear too: Karen Pierce, Carlos Mendoza."""
_TITLES = """mr mrs ms miss dr sir lord lady dame sheikh sheik shaikh emir king queen prince princess pope ayatollah
hojatoleslam mullah maulana imam hajj haji sayyid sayyed comrade brother general gen colonel col lt maj major
marshal captain capt sgt don mam"""
TITLES = frozenset(_TITLES.split())
JOINTS = frozenset({"-", "–", "—", "/", ","})
NEAR = 6
"""Words within which a name in apposition belongs to its office: "Serbia's foreign minister, Ivica Dacic"."""
_START = re.compile(r"[.'’-]")


class Mentions:
    """The mentions of one sentence, found when asked for."""

    def __init__(self, sentence: Sentence, names: Gazetteer, around: Surroundings | None = None) -> None:
        self.around = around or Surroundings()
        self.names, self.day, self.sentence = names, self.around.day, sentence
        self.known: dict[int, tuple[Entity, int, int]] = {}
        self._found: dict[int, Mention | None] = {}
        self._scene: tuple[Entity, ...] | None = None
        self._scan()

    def _scan(self) -> None:
        """Names that the gazetteer knows, the longest first."""
        tokens, n, starts = self.sentence.words, 0, self.names.starts
        while n < len(tokens):
            step = 1
            if tokens[n].text in starts or _START.split(tokens[n].text)[0] in starts:
                for length in range(min(LONGEST, len(tokens) - n), 0, -1):
                    text = self.sentence.between(n, n + length - 1)
                    entity = self.names.who(text, self.day)
                    if entity is not None:
                        if n == 0 and length == 1 and tokens[n].pos in ("VERB", "AUX", "ADP"):
                            break
                        for token in tokens[n : n + length]:
                            self.known[token.i] = (entity, tokens[n].i, tokens[n + length - 1].i)
                        step = length
                        break
            n += step
        for word in [one for one in tokens if one.i in self.known]:
            if self._is_namesake(word):
                del self.known[word.i]
        for n in range(1, len(tokens) - 1):
            if tokens[n].text in JOINTS and tokens[n - 1].i in self.known and tokens[n + 1].i in self.known:
                self._join(tokens[n - 1], tokens[n + 1], tokens[n].text)

    def _join(self, first: Word, second: Word, by: str) -> None:
        """Hang two names together that a hyphen or comma joins: "India-China talks", "Ethiopian, Eritrean forces"."""
        (one, begin, _), (other, _, last) = self.known[first.i], self.known[second.i]
        if one.title or other.title or one.name == other.name:
            return
        second = self.sentence.words[last - self.sentence.first]
        whole, start = second.head, begin == self.sentence.first
        if second.dep not in ("amod", "compound", "nmod") or whole.pos not in ("NOUN", "PROPN", "VERB"):
            return
        if by == "," and not (start and first.head in (whole, whole.head) and first.dep in LOOSE):
            return
        if by != "," and first.head is not second and first.head is not whole:
            return
        hang(first, whole, second.dep)
        hang(second, first, "conj")

    def _is_namesake(self, word: Word) -> bool:
        """Whether a known name is part of somebody else's here: Karen Pierce, Joe Lieberman, Wade Jones."""
        _, first, last = self.known[word.i]
        bearer = self.names.surnames.get(word.text, "")
        words, at = self.sentence.words, word.i - self.sentence.first
        behind = words[at + 1] if at + 1 < len(words) else None
        if first == last and word.text == "West" and behind is not None and behind.text[0].isupper():
            return behind.text != "'s"  # "the West African bloc"
        if first < last or not (bearer or word.lower in ALSO_PERSONS):
            return False
        if behind is not None and word.head is behind and word.dep == "compound" and self._is_plain_name(behind):
            return True
        before = words[at - 1] if at > 0 else None
        if before is not None and not bearer and (before.lower in TITLES or before.text.endswith("-")):
            return True  # "Sheikh Sabah al-Sabah"
        if before is None or before.head is not word or before.dep != "compound" or not self._is_plain_name(before):
            return False
        return before.text[0] != bearer[:1]

    def _is_plain_name(self, word: Word) -> bool:
        """Whether a word is a name that no file knows, and neither a title nor a kind of people or places."""
        known = word.i in self.known or word.lower in self.names.kinds or word.lower in NO_ACTORS | TITLES | PARTS
        day = word.lower in WEEKDAYS or word.lower in MONTHS_NAMED
        return word.pos == "PROPN" and len(word.text) > 1 and word.text[0].isupper() and not (known or day)

    def at(self, token: Word) -> Mention | None:
        """The actor that a noun phrase with this head names, or None."""
        if token.i not in self._found:
            self._found[token.i] = None  # while looking, so that nothing turns in a circle
            self._found[token.i] = self._read(token)
        return self._found[token.i]

    def under(self, token: Word, depth: int = 2) -> list[Mention]:
        """The actors of a noun phrase: its head and those joined to it by "and"; else those in its modifiers."""
        own = [one for part in joined(token) for one in self._each_country(part) or self._itself(part)]
        return own or [one for one in self.inside(token, depth) if one.country or one.sure >= NAMED]

    def _itself(self, token: Word) -> list[Mention]:
        found = self.at(token)
        return [] if found is None else [found]

    def inside(self, token: Word, depth: int = 2) -> list[Mention]:
        """Actors that a noun phrase names beside its head: "Iran's programme", "the border with Iraq"."""
        if depth == 0:
            return []
        near: list[Mention] = []
        for child in token.children:
            if child.dep in ("poss", "amod", "compound", "nmod", "appos"):
                found = self.under(child, depth - 1)
                if child.dep == "amod" and child.i < token.i and token.pos == "NOUN":  # "an Italian welder"
                    found = [replace(one, **self._until(one, token)) for one in found]
                near += found
        if near:
            lands = [one for one in near if one.country]  # "Russian security agents" are Russians
            return lands or near
        for child in token.children:
            if child.dep in ("prep", "agent") and child.lower in PLACE_PREPOSITIONS:
                for noun in child.children:
                    if noun.dep == "pobj":
                        near += self.under(noun, depth - 1)
        return near

    def _until(self, one: Mention, token: Word) -> dict[str, Any]:
        """The words of a mention with those up to the noun that it qualifies."""
        end = token.idx + len(token)
        return {"end": end, "text": self.sentence.whole[one.start : end]}

    def _each_country(self, token: Word) -> list[Mention]:
        """Of "Greek and Turkish leaders", of "the presidents of Peru and Ecuador": one mention for each country."""
        found: list[Mention] = []
        for first in _countries_joined(token):
            lands = [one for one in joined(first) if one.i in self.known and not self.known[one.i][0].title]
            if len(lands) > 1 and all(self.known[one.i][0].country for one in lands):
                agent = self._agent(token)
                for land in lands:
                    entity, begin, last = self.known[land.i]
                    if land is lands[-1] and agent is not None:
                        last = max(last, token.i)  # "Greek and Turkish leaders"
                    start, end = self._edges_of(begin, last)
                    role = agent if agent is not None and agent[1] != PLACE else None
                    found.append(self._mention(land, start, end, entity, role, 0.95))
                return found
        return []

    def all(self) -> list[Mention]:
        """Every mention of the sentence, in order."""
        found: dict[str, Mention] = {}
        for token in self.sentence:
            if token.pos in ("NOUN", "PROPN", "ADJ") and token.dep not in ("compound",):
                one = self.at(token)
                if one is not None:
                    found.setdefault(f"{one.start}", one)
        return list(found.values())

    def _read(self, token: Word) -> Mention | None:
        if token.pos not in ("NOUN", "PROPN", "ADJ", "NUM", "DET", "X") and token.i not in self.known:
            return None
        if token.i in self.known:
            entity, first, last = self.known[token.i]
            start, end = self._edges_of(first, last)
            if first == last and self._is_surname(token, entity):
                return self._person(token)
            if entity.kind:  # "German Chancellor Angela Merkel": the office belongs to the name
                start = min(start, self.sentence.words[_leftmost(token) - self.sentence.first].idx)
            if entity.kind or first < last or not self._agent(token):  # "the United States" is no official of states
                role = self._role_before(token) if not entity.kind else None
                if token.pos == "ADJ" and token.dep in ("amod", "compound") and not entity.kind:
                    role = None
                elif self._is_people(token, entity):
                    role = PEOPLE
                return self._mention(token, start, end, entity, role, 0.95)
        agent = self._agent(token)
        if agent is None and token.dep in ("nummod", "det", "quantmod"):
            return None
        if agent is None and token.lower in GROUP and self.around.groups and self._is_bare(token):
            start, end = self.edges(token, [])
            return self._mention(token, start, end, self.around.groups[0], None, 0.75)
        counted = _counted(token)
        if counted is not None and (whole := self.at(counted)) is not None:
            return replace(whole, at=token.i)
        country, words = self._country_of(token)
        start, end = self.edges(token, words)
        if agent is not None:
            kind, title = agent
            if title == PLACE:
                if country is None or country.kind in ("IGO", "NGO"):
                    return self._whose_place(token)
                return self._mention(token, start, end, country, None, 0.75)
            if country is None:
                return self._general(token, start, end, kind, title)
            leader = self._in_apposition(token)
            if leader is not None and kind == "GOV":
                return self._mention(token, start, end, leader, None, 0.95)
            named = self._named_behind(token, kind)
            if named is not None:
                return self._mention(token, start, end, named, None, 0.95)
            return self._mention(token, start, end, country, (kind, title), 0.95)
        if token.pos == "PROPN" and token.dep not in ("compound", "amod", "npadvmod") and token.text[0].isupper():
            role = self._role_before(token)
            if token.lower in WEEKDAYS or token.lower in MONTHS_NAMED or token.lower in NO_ACTORS:
                return None
            if country is not None:
                return self._mention(token, start, end, country, role or ("", ""), 0.85)
            name = self._name_of(token)
            kind = role[0] if role else ""
            sure = 0.8 if role else NAMED + 0.15
            return Mention(token.i, start, end, name, self.sentence.whole[start:end], "", kind, kind, sure)
        return None

    def _is_bare(self, token: Word) -> bool:
        """Whether a noun has nothing but "the" beside it."""
        plain = [one for one in token.children if one.dep in (*MODIFIERS, "prep", "acl", "relcl")]
        return bool(plain) and all(one.lower in ("the", "this") for one in plain)

    def _whose_place(self, token: Word) -> Mention | None:
        """Of a place those who live or stand there: "Muslim homes", "a rebel stronghold", "a crowded mosque"."""
        for child in token.children:
            kind = self.names.kinds.get(child.lower) or self.names.kinds.get(child.lemma)
            if child.dep in ("amod", "compound", "nmod") and child.i < token.i and kind and kind[1] != PLACE:
                start, end = self.edges(token, [])
                return self._general(token, start, end, *kind)
            if child.dep == "acl" and child.lemma in CARRYING:  # "a bus carrying pilgrims"
                inside = [one for one in child.children if one.dep == "dobj"]
                return next((found for one in inside if (found := self.at(one)) is not None), None)
        return None

    def _is_surname(self, token: Word, entity: Entity) -> bool:
        """Whether what is known as a place is a person's name here: "President Ricardo Lagos"."""
        before = token.before
        if entity.kind or before is None or before.head is not token or before.dep != "compound":
            return False
        return (
            before.pos == "PROPN"
            and before.i not in self.known
            and self._role_before(token) is not None
            and self._agent(before) is None
        )

    def _person(self, token: Word) -> Mention:
        """A person with an office, of the country that the words name."""
        role = self._role_before(token) or ("", "")
        lands = [one for one in token.children if one.i in self.known and one.i < token.i]
        start, end = self.edges(token, lands)
        if lands:
            return self._mention(token, start, end, self.known[lands[0].i][0], role, 0.85)
        return Mention(
            token.i, start, end, self._name_of(token), self.sentence.whole[start:end], "", role[0], role[0], 0.8
        )

    def _name_of(self, token: Word) -> str:
        """The whole proper name that a word belongs to, without the office before it: "Minister Alexei Overchuk"."""
        words, last = self.sentence.words, token.i - self.sentence.first
        first = last
        while first > 0 and words[first - 1].pos == "PROPN" and words[first - 1].head is token:
            first -= 1
        while first < last - 1 and self.names.kinds.get(words[first].lower, ("", ""))[0] in OFFICIALS:
            first += 1
        return self.sentence.between(first, last)

    def _general(self, token: Word, start: int, end: int, kind: str, title: str) -> Mention:
        """A kind of people without a country: "the rebels" of whom the text spoke, the army of the one country."""
        definite = any(child.lower in ("the", "these", "those") for child in token.children)
        leader = self._in_apposition(token)
        if leader is not None:
            return self._mention(token, start, end, leader, None, 0.9)
        possessive = next((child.lower for child in token.children if child.lower in OWN), None)
        group = self._group_of_owner(token, title) if possessive in OF_A_GROUP else None
        if group is not None:
            return replace(group, at=token.i, start=start, end=end, text=self.sentence.whole[start:end], sure=0.8)
        land = self._land_of_owner(token, possessive) if possessive else None
        if land is not None:
            return self._mention(token, start, end, land, (kind, title), 0.8)
        if kind in ARMED_KINDS and definite and self.around.groups:
            return self._mention(token, start, end, self.around.groups[0], None, 0.75)
        at_home = kind not in FROM_ANYWHERE or (title == GOVERNMENT and definite)
        scene = self.scene() if at_home else None
        home = self.around.home if kind in OF_A_COUNTRY else None
        if home is not None and scene in (None, home):
            return self._mention(token, start, end, home, (kind, title), 0.8)
        asked = definite and scene is None and kind in OF_A_COUNTRY
        before = self.land(self.around.offices.get(title, "")) if asked else None
        if before is not None:
            return self._mention(token, start, end, before, (kind, title), 0.75)
        if scene is not None:
            return self._mention(token, start, end, scene, (kind, title), PLACED)
        if self.around.home is not None and kind in AT_HOME:
            return self._mention(token, start, end, self.around.home, (kind, title), PLACED)
        return Mention(token.i, start, end, title, self.sentence.whole[start:end], "", kind, kind, GENERIC)

    def land(self, code: str) -> Entity | None:
        """A country by its code; None for what is none."""
        if code not in self.names.countries:
            return None
        return self.names.who(self.names.countries[code]) or Entity(self.names.countries[code], code, "", code)

    def _land_of_owner(self, token: Word, possessive: str) -> Entity | None:
        """The country whose "its army" is: of whoever acts, else of who acted before; "our" is of who writes."""
        if possessive == "our":
            one = self.around.author
            return self.land(one.country) if one is not None else None
        owner = self._owner(token)
        code = owner.country if owner is not None else ""
        if owner is None:
            before = self.around.meant(possessive)
            code = before.country if before is not None else ""
        return self.land(code)

    def _group_of_owner(self, token: Word, title: str) -> Mention | None:
        """The armed group that acted before, where its leader or speaker acts now: "their leader", "its spokesman"."""
        before = self.around.actors[0] if self.around.actors else None
        if before is None or before.kind not in ARMED_KINDS or title not in SPEAKS_FOR:
            return None
        return before if self._owner(token) is None else None

    def _owner(self, token: Word) -> Entity | None:
        """Whose "its" is: whoever acts in the clause, else the one named first."""
        verb = token.head
        for _ in range(NEAR):
            if is_verb(verb):
                acting = [one for subject in subjects_of(verb) for one in _within(subject) if one.i in self.known]
                if acting and acting[0].i < token.i:
                    return self.known[acting[0].i][0]
                break
            verb = verb.head
        return next((self.known[at][0] for at in sorted(self.known) if at < token.i), None)

    def scene(self) -> Entity | None:
        """The one country in which the sentence says that something happened: "killed three people in Kabul"."""
        if self._scene is None:
            lands: dict[str, Entity] = {}
            for prep in self.sentence:
                if prep.dep == "prep" and prep.lower in WHERE:
                    for noun in prep.children:
                        land = self._land_at(noun) if noun.dep == "pobj" else None
                        if land is not None:
                            lands.setdefault(land.country, land)
            self._scene = tuple(lands.values())
        return self._scene[0] if len(self._scene) == 1 else None

    def _land_at(self, noun: Word) -> Entity | None:
        """The country of a place: Kabul, central Mali, the Nigerian city of Jos."""
        land = self.known[noun.i][0] if noun.i in self.known else None
        kind = self.names.kinds.get(noun.lemma)
        if land is None and (noun.pos == "PROPN" or noun.lemma in PARTS or (kind is not None and kind[1] == PLACE)):
            land = self._country_of(noun)[0]
        return land if land is not None and land.country in self.names.countries and not land.kind else None

    def _in_apposition(self, token: Word) -> Entity | None:
        """The leader in "Serbia's president, Aleksandar Vucic"."""
        found = [self.known[one.i][0] for one in token.children if one.dep == "appos" and one.i in self.known]
        return next((one for one in found if one.title), None)

    def _named_behind(self, token: Word, kind: str) -> Entity | None:
        """The body or group in "the regional bloc ECOWAS", "the rebel group M23"."""
        if kind not in NAMED_BEHIND:
            return None
        alike = ARMED_KINDS if kind in ARMED_KINDS else (kind,)
        found = [self.known[one.i][0] for one in token.children if one.dep == "appos" and one.i in self.known]
        return next((one for one in found if one.kind in alike), None)

    def _mention(
        self, token: Word, start: int, end: int, entity: Entity, role: tuple[str, str] | None, sure: float
    ) -> Mention:
        text = self.sentence.whole[start:end]
        kind, title = role or ("", "")
        name = entity.name
        if kind and title and not entity.title and entity.kind not in ("REB", "UAF"):
            name = f"{title} ({entity.name})"
        elif entity.title and entity.country in self.names.countries:
            kind = "GOV"
        return Mention(token.i, start, end, name, text, entity.country, kind or entity.kind, entity.code + kind, sure)

    def _agent(self, token: Word) -> tuple[str, str] | None:
        """The kind of people that a head names, with the word before it where both are one term."""
        if token.lower in ("general", "generals") and _of_an_office(token):
            return None if token.before is None else self.names.kinds.get("official")
        for text in (token.lower, token.lemma, token.lower.removesuffix("s")):
            before = token.before
            if before is not None and before.dep in ("compound", "amod", "nmod"):
                found = self.names.kinds.get(f"{before.lower} {text}")
                if found is not None:
                    return found
            found = self.names.kinds.get(text)
            if found is not None and found[1] == PLACE:
                found = next((self.names.kinds[one.lower] for one in token.children if one.lower in ARMED), found)
            if found is not None and not (token.pos == "ADJ" and token.dep in ("amod", "compound", "acomp")):
                return found
        return None

    def _is_people(self, token: Word, entity: Entity) -> bool:
        """Serbs are people; the Serbs may be Serbia."""
        if entity.kind or token.text not in self.names.people or not token.text.endswith("s"):
            return False
        return not any(child.dep == "det" for child in token.children)

    def _role_before(self, token: Word) -> tuple[str, str] | None:
        """The office before a person's name: "Foreign Minister Wang Yi"."""
        for child in token.children:
            if child.dep in ("compound", "nmod", "appos"):
                found = self._agent(child)
                if found is not None and found[1] != PLACE:
                    return found
        return None

    def _country_of(self, token: Word) -> tuple[Entity | None, list[Word]]:
        """The country or organisation in a noun phrase, and the words that say it."""
        for child in token.children:
            if child.dep in ("amod", "compound", "nmod", "poss", "appos"):
                if child.i in self.known:
                    return self.known[child.i][0], [child]
                if child.dep in ("compound", "nmod", "amod", "appos", "poss"):
                    deeper, words = self._country_of(child)
                    if deeper is not None:
                        return deeper, [child, *words]
        for child in token.children:
            if child.dep == "prep" and child.lower in (
                "of",
                "in",
                "from",
                "at",
                "on",
                "for",
                "to",
                "throughout",
                "across",
            ):
                for noun in child.children:
                    if noun.dep == "pobj":
                        if noun.i in self.known:
                            return self.known[noun.i][0], [noun]
                        deeper, words = self._country_of(noun)
                        if deeper is not None:
                            return deeper, [noun, *words]
        return None, []

    def edges(self, token: Word, words: list[Word]) -> tuple[int, int]:
        """First and last letter of a noun phrase with these words in it."""
        first = min([token.i, *(child.i for child in token.children if child.dep in MODIFIERS and child.i < token.i)])
        first = min([first, _leftmost(token), *(word.i for word in words)])
        named = (
            one.i for one in token.children if one.dep == "appos" and one.pos == "PROPN" and one.i < token.i + NEAR
        )
        last = max([token.i, *(word.i for word in words), *named])
        words, since = self.sentence.words, self.sentence.first
        while first < token.i and words[first - since].dep == "det":
            first += 1
        return self._edges_of(first, last)

    def _edges_of(self, first: int, last: int) -> tuple[int, int]:
        words, since = self.sentence.words, self.sentence.first
        end = words[last - since]
        return words[first - since].idx, end.idx + len(end)


def _within(word: Word) -> Iterator[Word]:
    """A noun and what names it: "the South Korean government"."""
    yield word
    for child in word.children:
        if child.dep in ("compound", "amod", "nmod", "poss"):
            yield from _within(child)


def _countries_joined(token: Word) -> Iterator[Word]:
    """Where two countries may be joined within a noun phrase: before its head, and behind "of"."""
    for child in token.children:
        if child.dep in ("amod", "compound", "nmod", "poss") and child.i < token.i:
            yield child
        elif child.dep == "prep" and child.lower == "of":
            yield from (one for one in child.children if one.dep == "pobj")


def _leftmost(token: Word) -> int:
    """Where the words begin that qualify a name, its office with them."""
    before = (child for child in token.children if child.dep in ("compound", "amod", "nmod") and child.i < token.i)
    return min((_leftmost(child) for child in before), default=token.i)


def _counted(token: Word) -> Word | None:
    """Of whom a word of number says how many: "thousands of villagers"."""
    if token.lower not in NUMBERS:
        return None
    for child in token.children:
        if child.dep == "prep" and child.lower == "of":
            return next((one for one in child.children if one.dep == "pobj"), None)
    return None


def _of_an_office(token: Word) -> bool:
    """Whether a "general" is no soldier: secretary-general, attorney general."""
    before = token.before
    if before is not None and before.text in ("-", "–"):
        before = before.before
    return before is not None and before.lower in OFFICES


def joined(token: Word) -> Iterator[Word]:
    """A head and the nouns joined to it by "and" or commas."""
    yield token
    for child in token.children:
        if child.dep == "conj" and child.pos in ("NOUN", "PROPN", "ADJ", "X", "NUM"):
            yield from joined(child)
