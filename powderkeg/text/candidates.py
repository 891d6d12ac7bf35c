"""Between whom may an act have happened?

In: a reading of a word, the actors of the sentence, and who quotes. Out: candidates: source and target with how each
was found. All that grammar allows are named; `sureness` says how likely each is right, and the likeliest is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from powderkeg.text.actors import NAMED, Mentions
from powderkeg.text.before import Mention
from powderkeg.text.grammar import is_verb, passive, subjects_of
from powderkeg.text.pointing import ANY_SIDES, pointed_back_to
from powderkeg.text.readings import ActReading
from powderkeg.text.sentences import Word

MAY_LACK_TARGET = ("035", "14", "0871", "0831", "15", "1723", "1724", "0813", "0814", "082")
ALIKE = ("030", "036", "037", "040", "041", "046", "050", "054", "057", "06", "0871", "125", "127")
"""What two who are named together do with each other, unless it says with whom."""
MOVED = ("15", "138", "0874", "0873")
SENT = ("074", "154")
WORDS_ONLY = ("02", "03", "10", "12", "13")
MOVING = frozenset({"withdraw", "send", "deploy", "redeploy", "pull", "dispatch", "move", "mobilize", "mobilise",
                    "keep", "station", "commit", "recall"})  # fmt: skip
TOGETHER = ("03", "05")
ACCUSES = "11"
TOLD, ACCUSED = frozenset({"to", "with", "before"}), frozenset({"about", "against", "of", "over"})
MOST_SIDES, MOST_GROUPS = 3, 6
SIDES, ALL_OF_THEM = frozenset({"side", "party", "neighbour", "neighbor"}), frozenset({"both", "two", "all", "the"})
SUPPOSED, OF_THE_STATE = 0.8, frozenset({"GOV", "MIL", "COP"})
JUDGING, POINTING = ("05", "11"), frozenset({"the", "this", "that", "these", "those"})
DEEDS = frozenset({"move", "attack", "strike", "raid", "step", "decision", "act", "action", "measure", "operation",
                   "assault", "bombing", "shelling", "offensive", "killing", "arrest", "ban", "incursion", "plan",
                   "statement", "remark", "threat", "violation", "offer", "gesture"})  # fmt: skip
"""What may be judged without saying again whose it is."""
WHERE = frozenset({"in", "at", "inside", "near", "outside"})
SUBJECTS = frozenset({"nsubj", "nsubjpass"})
MEETINGS = frozenset({"meet", "meeting", "talk", "summit", "conference", "negotiate", "negotiation", "session",
                      "confer", "convene", "gather", "consultation", "round", "dialogue", "gathering"})  # fmt: skip
Group = tuple[str, list[Mention]]


@dataclass(frozen=True)
class ActBetween:
    """An act of a reading between two who may have done and suffered it.

    source, target  the mentions; target None where the sentence may name nobody
    found           how the source was found, then the target: "subject", "object", "against", "another clause", ...
    beside          whether only a modifier of the target's phrase names an actor: "Iran's programme"
    rank            how many likelier places for the target were looked at before this one
    """

    reading: ActReading
    source: Mention
    target: Mention | None
    found: tuple[str, str]
    beside: bool
    rank: int
    both: bool
    unsure: tuple[str, ...]


def candidates(reading: ActReading, cast: Mentions, speaker: Mention | None) -> Iterator[list[ActBetween]]:
    """Candidates of a reading, in lists of which one is right at most: several actors that one phrase joins."""
    how, sources, unsure = _sources(reading, cast, speaker)
    rank = 0
    for found, beside, both, here, targets in _targets(reading, cast, sources, speaker):
        doubts = (*reading.unsure, *unsure, *_doubt(found, targets, cast))
        others: list[Mention | None] = [*targets[:MOST_SIDES]] or [None]
        made = [
            ActBetween(reading, source, target, (how, found), beside, rank, both, doubts)
            for source in here[:MOST_SIDES]
            for target in others
            if target is None or apart(source, target)
        ]
        if made:
            yield made
            rank += 1
        if rank >= MOST_GROUPS:
            return


def _doubt(found: str, targets: list[Mention], cast: Mentions) -> tuple[str, ...]:
    """Why a target may be another: it was looked for outside the clause, or a word only points back to it."""
    if found == "another clause":
        return ("target outside the clause",)
    words = (cast.sentence.words[one.at - cast.sentence.first] for one in targets)
    return ("pronoun",) if any(word.pos == "PRON" or word.lemma in ANY_SIDES | DEEDS for word in words) else ()


def _sources(
    reading: ActReading, cast: Mentions, speaker: Mention | None
) -> tuple[str, list[Mention], tuple[str, ...]]:
    """Whoever acts, and how they were found; pronouns stand for the last subject of a sentence before."""
    for token in reading.doers:
        found = cast.under(token)
        if found:
            return "subject" if token.dep in ("nsubj", "nsubjpass") else token.dep, found, ()
        found = pointed_back_to(cast, token, set(), subject=True)
        if found:
            return "pronoun", found, ("pronoun",)
    if reading.rules and reading.rules[0].split(" ")[0] in ("demand", "ask") and speaker is not None:
        return "speaker", [speaker], ()
    verb = cast.sentence.words[reading.at - cast.sentence.first]
    for token in _subjects_above(verb):
        found = cast.under(token)
        if found:
            return "subject above", found, ("source outside the clause",)
    if is_verb(verb) and passive(verb) and reading.code.startswith(MOVED):
        for child in verb.children:
            found = cast.under(child) if child.dep == "nsubjpass" else []
            if found:
                return "moved", found, ()
    if is_verb(verb) and passive(verb):
        for token in _where(verb):
            found = cast.under(token)
            if found:
                return "where", found, ("source outside the clause",)
    return "", [], ()


def _subjects_above(token: Word) -> Iterator[Word]:
    """The subjects of the verbs that a word hangs on."""
    while token.head is not token:
        token = token.head
        if is_verb(token):
            yield from subjects_of(token)


def _where(verb: Word) -> Iterator[Word]:
    for child in verb.children:
        if child.dep == "prep" and child.lower in WHERE:
            yield from (one for one in child.children if one.dep == "pobj")


def _targets(
    reading: ActReading, cast: Mentions, sources: list[Mention], speaker: Mention | None
) -> Iterator[tuple[str, bool, bool, list[Mention], list[Mention]]]:
    """How found, whether beside the head, whether both act alike; sources and targets. The likeliest places first."""
    both, said_with = reading.both, _with(reading)
    if len(sources) > 1 and not said_with and (both or reading.code.startswith((*ALIKE, *TOGETHER))):
        yield "joined", False, True, sources[:1], sources[1:]
    if not sources and both:
        for token in reading.sufferers:
            found = cast.under(token)
            if len(found) > 1:
                yield "joined", False, True, found[:1], found[1:]
                return
    if not sources:
        return
    taken = {one.name for one in sources}
    told = _only_told(reading, cast, taken)
    seen = set(told)
    for token in reading.sufferers:
        if _where_it_stands(token, reading, cast):
            continue
        found = [
            one for one in cast.under(token)
            if one.name not in taken and one.name not in seen and not _own_forces(reading.code, one, sources, token)
        ]  # fmt: skip
        if found:
            seen.update(one.name for one in found)
            yield _place(token, reading), cast.at(token) is None, both, sources, found
        elif back := [one for one in pointed_back_to(cast, token, taken) if one.name not in seen]:
            seen.update(one.name for one in back)
            yield _place(token, reading), False, both, sources, back
    farther = [one for one in _farther(reading, cast, sources, speaker, told) if one.name not in seen]
    if farther:
        yield "another clause", False, both, sources, farther
    elif not seen and (again := _who_did_it(reading, cast, taken)):
        yield "object", False, both, sources, [again]
    if reading.code.startswith(MAY_LACK_TARGET):
        yield "nobody", False, False, sources, []


def _who_did_it(reading: ActReading, cast: Mentions, taken: set[str]) -> Mention | None:
    """Who did what was told last, where it is only pointed to: "Egypt condemned the move"."""
    verb = cast.sentence.words[reading.at - cast.sentence.first]
    last = next(iter(cast.around.dyads), None)
    if not reading.code.startswith(JUDGING) or last is None or last[0].name in taken:
        return None
    for thing in verb.children:
        marks = {child.lower for child in thing.children if child.dep == "det"}
        if thing.dep == "dobj" and thing.lemma in DEEDS and marks & POINTING:
            end = thing.idx + len(thing)
            return replace(last[0], at=thing.i, start=thing.idx, end=end, text=thing.text, sure=min(last[0].sure, 0.8))
    return None


def _where_it_stands(token: Word, reading: ActReading, cast: Mentions) -> bool:
    """Whether a place only says where somebody's house stands: "attacked the French embassy in Cairo"."""
    thing = token.head.head
    if token.dep != "pobj" or token.head.lower not in WHERE or thing not in reading.sufferers:
        return False
    whole, place = cast.at(thing), cast.at(token)
    if place is None or not place.country or (whole is not None and whole.kind):
        return False
    owners = [whole] if whole is not None else cast.under(thing)
    return any(one.name != place.name and one.at <= thing.i for one in owners)


def _place(token: Word, reading: ActReading) -> str:
    """Where a target stands: the preposition before it, or its part in the clause."""
    own = " of the pattern" if token.i in reading.words else ""
    if token.dep == "pobj" and token.head is not token:
        return token.head.lower + own
    return {"dobj": "object", "nsubjpass": "subject", "nsubj": "subject", "dative": "object"}.get(
        token.dep, "other"
    ) + own


def _own_forces(code: str, one: Mention, sources: list[Mention], token: Word) -> bool:
    """Whether it is the source's own army or police that is moved: they are no target."""
    if one.kind not in ("MIL", "COP"):
        return False
    if code.startswith(SENT) and token.dep == "dobj" and token.head.lemma in MOVING:
        return True  # "NATO sent British soldiers": whosever they are
    if code < "14" and any(child.lower in ("his", "her", "its", "their") for child in token.children):
        return any(one.country == source.country for source in sources)  # "warned that his army would respond"
    if code.startswith(WORDS_ONLY):  # "refused to withdraw troops"
        return not one.country and token.dep == "dobj" and token.head.lemma in MOVING
    own = not one.country or any(one.country == source.country for source in sources)
    return code.startswith(MOVED) and own


def _only_told(reading: ActReading, cast: Mentions, taken: set[str]) -> set[str]:
    """Organisations that somebody else is accused before: "complained to the UN over Israeli raids"."""
    if not reading.code.startswith(ACCUSES):
        return set()
    placed = [(one, _stands(one, cast)) for one in cast.all() if one.name not in taken]
    if not any(place in ACCUSED or place == "subject" for one, place in placed if one.country):
        return set()
    return {one.name for one, place in placed if place in TOLD and one.code.startswith("IGO")}


def _stands(one: Mention, cast: Mentions) -> str:
    """The preposition before a mention, or before the phrase that it belongs to; "subject" of a clause."""
    word = cast.sentence.words[one.at - cast.sentence.first]
    while word.dep in ("amod", "appos", "compound", "conj", "nmod", "poss") and word.head is not word:
        word = word.head
    return word.head.lower if word.dep == "pobj" else "subject" if word.dep in ("nsubj", "nsubjpass") else ""


def _farther(
    reading: ActReading, cast: Mentions, sources: list[Mention], speaker: Mention | None, told: set[str]
) -> list[Mention]:
    """Where the clause names nobody who is acted on: the next one named after the verb, be it in another clause."""
    if any(_both_sides(one) for one in reading.sufferers):
        return []
    taken = {one.name for one in sources} | told | ({speaker.name} if speaker is not None else set())
    countries = {one.country for one in sources if one.country}
    last = max(reading.words)
    for one in cast.all():
        known = one.country or one.sure > NAMED
        ordered = one.kind in ("MIL", "COP") and not one.country and countries  # "and ordered the army to attack"
        fits = one.at > last and known and not ordered and one.name not in taken and one.country not in countries
        if fits and not _in_joined_clause(one, reading, cast) and not _where_they_meet(one, cast):
            return [one]
    return []


def _both_sides(token: Word) -> bool:
    """Whether those who are acted on are said, though not by name: "urged both sides to show restraint"."""
    return token.lemma in SIDES and any(child.lower in ALL_OF_THEM for child in token.children)


def _in_joined_clause(one: Mention, reading: ActReading, cast: Mentions) -> bool:
    """Whether another acts where a mention stands: "A condemned the raid, and B suspended aid", "and B urged C to"."""
    words, first = cast.sentence.words, cast.sentence.first
    word, acts = words[one.at - first], False
    while word.head is not word and not (is_verb(word) and word.dep in ("conj", "ROOT")):
        acts = word.dep in SUBJECTS and is_verb(word.head)
        word = word.head
    if acts:
        return True
    within = words[reading.at - first]
    while within is not word and within.head is not within:
        within = within.head
    return word.dep == "conj" and within is not word and any(one.dep in SUBJECTS for one in word.children)


def _where_they_meet(one: Mention, cast: Mentions) -> bool:
    """Whether a mention is only where people meet: "turned down an invitation to meet in New York"."""
    word = cast.sentence.words[one.at - cast.sentence.first]
    return word.dep == "pobj" and word.head.lower in WHERE and word.head.head.lemma in MEETINGS


def _with(reading: ActReading) -> bool:
    """Whether the sentence says with whom."""
    return any(one.head.lower in ("with", "against") for one in reading.sufferers[:4])


def apart(source: Mention, target: Mention) -> bool:
    """Whether two mentions are two actors, and not an actor and a part of its own name.

    An army that is a country's only because the text is about it does nothing to that country: it is another's.
    """
    supposed = bool(source.kind) and source.sure <= SUPPOSED and not target.kind and target.country == source.country
    return (
        not (supposed and source.kind in OF_THE_STATE and target.country)
        and source.name != target.name
        and not (source.start <= target.start and target.end <= source.end)
        and not (target.start <= source.start and source.end <= target.end)
    )
