"""What does each verb or noun of a sentence say that was done, by whom, to whom?

In: a parsed sentence, a lexicon, and the actors in the sentence. Out: readings: a code, the words of the one who acts
and of the one acted on, and why. A word that means an act is read by the pattern that says most; a word that opens a
frame ("urged", "refused to", "condemned") is read together with the act inside it, down to the innermost; a future or
a "must" is a frame too. What is only thought of (questions, conditions, negations, anniversaries) is marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from powderkeg.text.actors import Mentions
from powderkeg.text.chance import by_nature, in_vain, is_sport
from powderkeg.text.grammar import (
    MOTION,
    OPEN,
    Beside,
    addressees,
    agents_of,
    between,
    by_no_means,
    circumstances,
    complements,
    conjuncts,
    denied_after,
    forms,
    is_preposition,
    is_verb,
    neighbours,
    objects_of,
    other_particle,
    owners_of,
    passive,
    protested_at,
    subjects_of,
    surroundings,
    told_to,
)
from powderkeg.text.patterns import SMALL, SMALL_WORDS, Frame, Lexicon, WordPattern
from powderkeg.text.sentences import Sentence, Word

WILL = frozenset({"will", "would", "shall", "'ll", "wo", "'d", "may", "might", "could"})
MUST = frozenset({"must", "ought"})
SHOULD = frozenset({"should"})
LIGHT, SAY, INTEND, ASK, DEMAND, REFUSE, AGREE = "begin", "say", "intend", "ask", "demand", "refuse", "agree"
ACCUSE, STOP, THREATEN = "accuse", "stop", "threaten"
OR_ELSE = frozenset({"face", "risk", "suffer", "die", "pay", "be"})
ON_PEOPLE = ("17", "18", "19", "20", "0841", "11")
FRIENDLY, RELIEF = ("03", "04", "05", "06", "07", "08"), "073"
BY_FORCE, READINESS = ("15", "18", "19", "20"), "152"
"""Who prepares to use force makes ready; who is prepared to, threatens."""
COPULAS = frozenset(
    {"be", "call", "describe", "consider", "find", "remain", "become", "seem", "term", "label", "brand", "feel"}
)
DEEPEST = 6
WISHES = frozenset({"want", "wish", "like", "hope", "prefer", "need"})
OF_MODIFIERS = frozenset({"compound", "amod", "nmod", "poss"})
AS_MODIFIER = 0.3
"""What a pattern loses where one of its words only qualifies another: the guerrillas of a guerrilla stronghold."""
OTHER_PARTICLE = 0.5
FARTHER = frozenset({"in", "with", "on", "for", "to"})
OTHER_PREPOSITION, OF_WHO_ACTS, OF_ANOTHER_CLAUSE = 0.4, 1.0, 1.0
"""What a pattern loses where a noun of it hangs on a preposition that it does not name (cancelled "in protest"), is
named as who acts, or stands in the clause of who was spoken to: ordered B to hand over "artillery"."""
STATEMENTS, MERELY_SAID = ("010", "011", "012", "013", "014", "016", "017", "019"), 0.7
"""What a mere statement loses beside a deed that the same word may mean."""
MOSTLY_SET = frozenset({"set", "schedule", "slate", "expect", "lead"})
OPPOSITION = "113"
ENDED = ("06", "07")
"""What is "no longer" given, or dries up, is cut off."""
SHOW, EXERCISED = "150", "062"
HELD = frozenset({"hold", "conduct", "stage", "carry", "launch", "begin", "start"})
"""Exercises that two hold with each other are cooperation, not a show of force."""
UNDONE = frozenset({"allow", "accept", "recognize", "recognise", "tolerate", "agree", "attend", "heed", "comply",
                    "obey", "budge", "cooperate", "yield", "listen", "sign", "ratify"})  # fmt: skip
"""Who did not do these refused."""
ON_THE_WAY, COUNTED, SPORT = "on the way", "only counted", "sport"
CROWDS, VIOLENT = "14", ("17", "18", "19", "20")
QUANTITIES = frozenset({"grow", "rise", "fall", "shrink", "drop", "climb", "jump", "slump", "increase", "decline",
                        "surge", "plunge", "double", "triple", "average", "total", "account", "amount"})  # fmt: skip
"""What exports do; who says so tells no event."""
OF_THE_SPEAKER = frozenset({"he", "she", "it", "they", "we", "i"})
"""In what is said, these mostly stand for whoever says it."""


@dataclass(frozen=True)
class ActReading:
    """One act as a word says it.

    code      CAMEO
    at        the word it hangs on
    words     positions of the words that carry it
    doers     heads of the noun phrases of whoever acts
    sufferers heads of the noun phrases of whoever is acted on, the likeliest first
    weight    how particular the patterns were
    rules     patterns and frames, outermost first
    both      both sides act alike
    unsure    reasons to doubt: "question", "condition", "negated", "background", "relative clause", "weak word"
    inner     positions of words that were read as part of it
    """

    code: str
    at: int
    words: tuple[int, ...]
    doers: tuple[Word, ...]
    sufferers: tuple[Word, ...]
    weight: float
    rules: tuple[str, ...]
    both: bool = False
    unsure: tuple[str, ...] = ()
    inner: frozenset[int] = frozenset()


class SentenceReader:
    """Reads the words of one sentence; each once."""

    def __init__(self, sentence: Sentence, lexicon: Lexicon, cast: Mentions) -> None:
        self.sentence, self.lexicon, self.cast = sentence, lexicon, cast
        self._known: dict[tuple[int, bool], ActReading | None] = {}

    def all(self) -> list[ActReading]:
        """Every act of the sentence that is not part of another one."""
        found = []
        for token in self.sentence:
            if is_verb(token) or token.pos in ("NOUN", "PROPN"):
                one = self.read(token)
                if one is not None and not (one.at == token.i and not is_verb(token) and self._names_people(token)):
                    found.append(replace(one, unsure=tuple(dict.fromkeys((*one.unsure, *circumstances(token))))))
        found = [self._meant_for(one) for one in found if not self._by_nature(one)]
        found = [replace(one, unsure=(*one.unsure, *self._doubts(one, found))) for one in found]
        inside = {at for one in found for at in (*one.inner, *(word for word in one.words if word != one.at))}
        return [one for one in found if one.at not in inside]

    def _meant_for(self, one: ActReading) -> ActReading:
        """A crowd's deed with those whom its purpose names before the places where it was done."""
        if not one.code.startswith(CROWDS):
            return one
        meant = tuple(protested_at(self.sentence.words[one.at - self.sentence.first]))
        return replace(one, sufferers=(*meant, *one.sufferers)) if meant else one

    def _by_nature(self, one: ActReading) -> bool:
        """Whether weather, illness or an accident did it."""
        if not one.code.startswith(VIOLENT):
            return False
        verb = self.sentence.words[one.at - self.sentence.first]
        return by_nature(verb, one.doers)

    def _doubts(self, one: ActReading, found: list[ActReading]) -> Iterator[str]:
        """Why a reading may be no event: somebody only goes to do it, it is only counted, or it was a match."""
        word = self.sentence.words[one.at - self.sentence.first]
        if self._on_the_way(one, found):
            yield ON_THE_WAY
        if not is_verb(word) and word.dep == "nsubj" and word.head.lemma in QUANTITIES and not in_vain(word.head):
            yield COUNTED
        if one.code.startswith(VIOLENT) and is_sport(word):
            yield SPORT

    def _on_the_way(self, one: ActReading, found: list[ActReading]) -> bool:
        """Whether somebody goes only to do what another reading says."""
        verb = self.sentence.words[one.at - self.sentence.first]
        if verb.lemma not in MOTION or not one.code.startswith(("04", "07", "154")):
            return False
        purposes = {child.i for child in verb.children if child.dep in ("advcl", "xcomp") and told_to(child)}
        return any(other.at in purposes and not other.code.startswith(("01", "04")) for other in found)

    def read(self, token: Word, depth: int = 0, bare: bool = False) -> ActReading | None:
        """The act that a word says, with all that stands inside it. `bare`: without the future or "must" around it."""
        key = (token.i, bare)
        if key not in self._known:
            self._known[key] = None
            if depth < DEEPEST:
                found = self._verb(token, depth) if is_verb(token) else self._noun(token, depth)
                if found is None and is_verb(token) and not bare:
                    found = self._duty(token)
                    self._known[key] = found
                    return found
                self._known[key] = found if bare or found is None else self._mood(token, found)
        return self._known[key]

    # -------------------------------------------------------------------------------------------------- verbs

    def _verb(self, verb: Word, depth: int) -> ActReading | None:
        beside = neighbours(verb)
        candidates = [*self._acts(verb, "verb", beside), *self._judged(verb), *self._moved(verb)]
        candidates += [*self._framed(verb, "verb", beside, depth), *_together(verb)]
        return best(candidates)

    def _duty(self, verb: Word) -> ActReading | None:
        """What somebody must or should do is demanded or asked, whatever it is."""
        marks = {child.lower for child in verb.children if child.dep == "aux"}
        if verb.dep == "xcomp" and verb.head.lemma == "have" and told_to(verb):
            marks.add("must")
        name = DEMAND if marks & MUST else ASK if marks & SHOULD else None
        subjects = tuple(child for child in verb.children if child.dep == "nsubjpass") or tuple(subjects_of(verb))
        if name is None or not subjects or not (self._is_actor(subjects) or passive(verb)):
            return None
        code = self.lexicon.frames[name].alone
        assert code is not None
        return ActReading(
            code, verb.i, (verb.i,), (), subjects, 0.6, (f"{name} {'/'.join(sorted(marks & (MUST | SHOULD)))}",)
        )

    def _acts(self, token: Word, kind: str, beside: Beside) -> Iterator[ActReading]:
        for head in forms(token):
            for pattern in self.lexicon.acts.get((kind, head), ()):
                words = beside.holding(pattern)
                if words is not None and (not pattern.stands or _stands_so(token, pattern)):
                    yield self._act(token, pattern, words)

    def _act(self, token: Word, pattern: WordPattern, words: tuple[Word, ...]) -> ActReading:
        said = {token.i, *(word.i for word in words)}
        subjects = tuple(subjects_of(token)) if is_verb(token) else tuple(owners_of(token))
        people = pattern.means.startswith(ON_PEOPLE)
        objects = tuple(one for one in objects_of(token, words, said, people) if one not in subjects)
        if not subjects and is_verb(token) and passive(token):
            for noun in words:  # "talks between A and B were held"
                if noun.dep == "nsubjpass" or (token.dep == "acl" and noun is token.head):
                    subjects = tuple(owners_of(noun))
        elif not subjects and is_verb(token):  # "fighting between A and B"
            subjects = tuple(between(token))
            objects = tuple(one for one in objects if one not in subjects)
        if pattern.roles == "turned":
            subjects, objects = objects, subjects
        if pattern.roles == "said":
            subjects, objects = (), subjects
        unsure = ("weak word",) if pattern.weak else ()
        weight = pattern.weight - AS_MODIFIER * sum(
            word.dep in OF_MODIFIERS and word.head is not token and word.pos != "ADJ" for word in words
        )
        if is_verb(token) and other_particle(token, words):
            weight -= OTHER_PARTICLE
        weight -= sum(_loosely(word, token, said) for word in words)
        weight -= sum(
            1 - SMALL for word, one in zip(words, pattern.words, strict=False)
            if word.lower in SMALL_WORDS and not SMALL_WORDS.issuperset(one)
        )  # fmt: skip
        means, both = pattern.means, pattern.roles == "both"
        if means == SHOW and pattern.head in HELD and any(_joins(one) for one in subjects):
            means, both = EXERCISED, True
        return ActReading(means, token.i, tuple(sorted(said)), subjects, objects, weight,
                       (f"{pattern.place} {pattern.text}",), both, unsure)  # fmt: skip

    def _judged(self, verb: Word) -> Iterator[ActReading]:
        """A is grateful; the speaker calls B's doing unacceptable."""
        if verb.lemma not in COPULAS:
            return
        for child in verb.children:
            words = [child, *(one for one in child.children if one.dep in ("amod", "pobj", "prep"))]
            if child.dep not in ("acomp", "attr", "oprd", "prep", "advmod", "xcomp", "ccomp") and child.pos != "ADJ":
                continue
            near = surroundings(child)
            for word in words:
                for pattern in self.lexicon.acts.get(("be", word.lemma), ()):
                    if near.holding(pattern) is None:
                        continue
                    subjects = tuple(subjects_of(verb))
                    others = tuple(objects_of(verb, (), {verb.i})) + tuple(objects_of(child, (), {child.i}))
                    if pattern.roles == "said":
                        named = verb.lemma not in ("be", "remain", "become", "seem")
                        doers, sufferers = (subjects, others) if named else ((), subjects)
                    else:
                        doers, sufferers = subjects, others
                    yield ActReading(pattern.means, verb.i, (verb.i, word.i), doers, sufferers, pattern.weight,
                                  (f"{pattern.place} {pattern.text}",))  # fmt: skip

    def _moved(self, verb: Word) -> Iterator[ActReading]:
        """A was "outraged" at B: the parser takes the adjective for a passive."""
        if verb.tag != "VBN" or not any(child.dep == "auxpass" for child in verb.children):
            return
        for pattern in self.lexicon.acts.get(("be", verb.lower), ()):
            if pattern.roles != "said" and surroundings(verb).holding(pattern) is not None:
                subjects = tuple(one for one in verb.children if one.dep == "nsubjpass")
                yield ActReading(pattern.means, verb.i, (verb.i,), subjects, tuple(objects_of(verb, (), {verb.i})),
                                 pattern.weight + 0.1, (f"{pattern.place} {pattern.text}",))  # fmt: skip

    def _framed(self, token: Word, kind: str, beside: Beside, depth: int) -> Iterator[ActReading]:
        if kind == "verb" and token.lemma == "be" and token.lower in ("is", "are", "was", "were"):
            yield from self._is_to(token, depth)
        openers = [
            (pattern, words)
            for head in forms(token)
            for pattern in self.lexicon.openers.get((kind, head), ())
            if (words := beside.holding(pattern)) is not None
        ]
        if kind == "verb" and token.lemma in COPULAS:
            openers += self._adjectives(token)
        if kind == "verb":
            openers = [one for one in openers if not other_particle(token, one[1])]
        if not openers:
            return
        inside = list(self._inside(token, depth))
        for pattern, words in openers:
            frame = self.lexicon.frames[pattern.means]
            held = False
            if frame.name == SAY and pattern.head == "tell" and any(told_to(one) for one in token.children):
                frame = self.lexicon.frames[DEMAND]
            if frame.name in (ASK, DEMAND) and any(_or_else(one) for one in token.children if is_verb(one)):
                frame = self.lexicon.frames[THREATEN]
            only_object = pattern.means == LIGHT and not words and kind == "verb"
            for complement, inner in inside:
                if only_object and complement.dep in ("pobj", "pcomp") and _has_object(token):
                    continue
                real = self._frame_here(frame, token, pattern, words, complement, inner)
                made = _had_to(token, pattern, inner) or self._compose(token, pattern, words, real, complement, inner)
                if made is not None:
                    held = True
                    yield made
                    break
            if not held and pattern.head in WISHES and frame.name == INTEND and _wishes_of_another(token):
                frame = self.lexicon.frames[ASK]
            if frame.alone is not None and not held:
                act = self._act(token, pattern, words)
                yield replace(
                    act, code=frame.alone, weight=pattern.weight - 0.15, rules=(f"{frame.name} {pattern.text}",)
                )

    def _is_to(self, verb: Word, depth: int) -> Iterator[ActReading]:
        """What somebody is to do is meant to be done: "is to build"."""
        for inside in verb.children:
            if inside.dep == "xcomp" and told_to(inside):
                found = self.read(inside, depth + 1)
                code = self.lexicon.frames[INTEND].code(found.code) if found is not None else None
                if found is not None and code is not None:
                    rules = (f"{INTEND} is to", *found.rules)
                    yield replace(found, code=code, doers=tuple(subjects_of(verb)), rules=rules, at=verb.i,
                                  words=(verb.i, *found.words), inner=found.inner | {found.at})  # fmt: skip

    def _frame_here(
        self,
        frame: Frame,
        token: Word,
        pattern: WordPattern,
        words: tuple[Word, ...],
        complement: Word,
        inner: ActReading,
    ) -> Frame:
        """The frame that a word opens by what stands in it.

        Who wants another to act asks; who seeks to act means to; who orders a deed does it; who vows not to refuses.
        """
        frames = self.lexicon.frames
        own_subject = any(child.dep in ("nsubj", "nsubjpass") for child in complement.children) or (
            complement.dep == "xcomp" and _has_object(token)
        )
        if frame.name == INTEND and pattern.head in WISHES and own_subject and is_verb(complement):
            return frames[ASK]
        if frame.name == ASK and pattern.head in ("seek", "propose") and complement.dep == "xcomp":
            return frames[INTEND]
        if (
            frame.name == AGREE
            and pattern.head == "approve"
            and inner.code.startswith("07")
            and not is_verb(complement)
        ):
            return frames[LIGHT]
        if frame.name == ACCUSE and pattern.head == "hint" and inner.code.startswith("13"):
            return frames[SAY]
        if frame.name == STOP and pattern.head == "drop" and inner.code.startswith((*BY_FORCE[1:], RELIEF)):
            return frames[LIGHT]
        if frame.name == THREATEN and pattern.head == "raise" and inner.code.startswith(FRIENDLY):
            return frames[INTEND]  # the prospect of talks threatens nobody
        if frame.name in (ASK, DEMAND) and _or_else(complement):
            return frames[THREATEN]
        if frame.name == LIGHT and pattern.head in MOSTLY_SET and passive(token) and complement.dep == "xcomp":
            return frames[INTEND]
        if frame.name in (INTEND, AGREE) and any(child.lower == "no" or child.dep == "neg" for child in token.children):
            return frames[REFUSE]
        if frame.name == DEMAND and pattern.head == "order" and not words and not is_verb(complement):
            return frames[LIGHT]
        if frame.name in (INTEND, AGREE) and ("negated" in inner.unsure or denied_after(token, complement)):
            return frames[REFUSE]
        return frame

    def _adjectives(self, verb: Word) -> Iterator[tuple[WordPattern, tuple[Word, ...]]]:
        for child in verb.children:
            if child.dep in ("acomp", "attr", "oprd", "prep", "advmod", "ccomp", "xcomp") or child.pos == "ADJ":
                for pattern in self.lexicon.openers.get(("be", child.lemma), ()):
                    if surroundings(child).holding(pattern) is not None:
                        yield pattern, (child,)

    def _compose(
        self,
        token: Word,
        pattern: WordPattern,
        words: tuple[Word, ...],
        frame: Frame,
        complement: Word,
        inner: ActReading,
    ) -> ActReading | None:
        if complement.dep == "nsubj" and not (frame.name == STOP and inner.code.startswith(ENDED)):
            return None  # "supplies to B dried up", but not "the talks ended"
        code = frame.code(inner.code)
        if (
            frame.name == INTEND
            and pattern.head == "prepare"
            and inner.code.startswith(BY_FORCE)
            and not passive(token)
        ):
            code = READINESS
        if code is None:
            return None
        if frame.name == ASK and code == OPPOSITION and is_verb(complement) and any(addressees(token, complement)):
            code = frame.alone  # who asks somebody to punish a third asks
            assert code is not None
        own = {token.i, *(word.i for word in words)}
        if frame.name == REFUSE and pattern.means in (INTEND, AGREE):
            own |= {child.i for child in token.children if child.dep == "neg"}  # said with it: "does not want to"
        subjects = tuple(subjects_of(token)) if is_verb(token) else tuple(owners_of(token))
        turned = "said" in pattern.roles
        spoken_to = tuple(one for one in addressees(token, complement) if one.i not in own)
        if complement.dep == "dobj" and complement.i != inner.at and self.cast.at(complement) is not None:
            spoken_to = (complement, *spoken_to)  # "threatened the rebels with force", force hanging on the rebels
        doers, sufferers = subjects, inner.sufferers
        if frame.name in (LIGHT, SAY):
            doers = inner.doers if frame.name == SAY and inner.doers else subjects or inner.doers
            if frame.name == SAY and subjects and inner.doers and inner.doers[0].lower in OF_THE_SPEAKER:
                doers = subjects
            if frame.name == LIGHT and inner.doers and not self._is_actor(subjects):
                doers = inner.doers
            if frame.name == LIGHT and passive(token):
                doers = tuple(agents_of(token)) or inner.doers
            if frame.name == LIGHT:
                sufferers = (*inner.sufferers, *(one for one in objects_of(token, (complement,), own | {complement.i})))
        elif frame.target == "addressee":
            if turned:
                doers, sufferers = (), (*subjects, *inner.doers)
            else:
                sufferers = (*spoken_to, *inner.doers, *inner.sufferers)
        else:
            sufferers = (*inner.sufferers, *spoken_to)
        if inner.both and not inner.sufferers and frame.name not in (LIGHT, SAY):
            sufferers = (*sufferers, *inner.doers)
        if not doers and passive(token) and frame.name in (INTEND, AGREE):
            doers = inner.doers  # "is set to sign"
        transparent = frame.name in (LIGHT, SAY)
        # A frame says a little more than the words inside it, less than one more word of a pattern would; a verb that
        # only carries a noun says less than a pattern that knows both.
        weight = inner.weight - 0.05 if transparent else 0.5 + max(inner.weight, pattern.weight)
        rules = inner.rules if transparent else (f"{frame.name} {pattern.text}", *inner.rules)
        unsure = (
            inner.unsure if transparent else tuple(one for one in inner.unsure if one not in ("negated", "weak word"))
        )
        if frame.name == SAY and any(child.dep == "mark" and child.lower in OPEN for child in complement.children):
            unsure = (*unsure, "question")  # "nobody knows whether B would help"
        return ActReading(
            code, token.i, tuple(sorted({*own, *inner.words})), doers, sufferers, weight, rules,
            inner.both and transparent, unsure,
            inner.inner | {inner.at, complement.i},
        )  # fmt: skip

    def _inside(self, token: Word, depth: int) -> Iterator[tuple[Word, ActReading]]:
        """The acts that stand inside a word: its clauses, its object, the nouns of its prepositions."""
        for complement in complements(token):
            bare = token.lemma not in ("say", "announce", "tell", "add", "declare", "state", "warn", "report")
            inner = self.read(complement, depth + 1, bare=False)
            if inner is None and complement.dep in ("dobj", "pobj", "nsubjpass"):
                for deeper in complements(complement):
                    if deeper.dep in ("compound", "amod"):
                        continue
                    inner = self.read(deeper, depth + 2)
                    if inner is not None:
                        break
            if inner is not None and not (bare and inner.code.startswith("01") and inner.weight < 1):
                yield complement, inner

    # -------------------------------------------------------------------------------------------------- nouns

    def _noun(self, noun: Word, depth: int) -> ActReading | None:
        if any(child.lemma == "anniversary" for child in noun.head.children) or noun.head.lemma == "anniversary":
            return None
        beside = neighbours(noun)
        candidates = list(self._acts(noun, "noun", beside))
        candidates += self._framed(noun, "noun", beside, depth)
        return best(candidates)

    # --------------------------------------------------------------------------------------------------- mood

    def _mood(self, verb: Word, found: ActReading) -> ActReading | None:
        """The reading inside its future, its "must", its "not"."""
        if not is_verb(verb):
            return found
        auxiliaries = {child.lower for child in verb.children if child.dep in ("aux", "auxpass")}
        negated = any((child.dep == "neg" or child.lower == "never") and child.i < verb.i and child.i not in found.words
                      for child in verb.children)  # fmt: skip
        negated = negated or any(by_no_means(child) for child in verb.children)
        if verb.head.lower == "going" and verb.dep == "xcomp":
            auxiliaries.add("will")
        if verb.head is verb and "to" in auxiliaries:  # of a headline: "Merkel to visit Ankara"
            auxiliaries.add("will")
        frame = None
        if any(child.lower == "longer" for child in verb.children) and found.code.startswith(ENDED):
            frame = self.lexicon.frames[STOP]
        elif negated:
            will = auxiliaries & (WILL | {"can", "ca", "could", "shall"})
            if will or verb.lemma in UNDONE:
                frame = self.lexicon.frames[REFUSE]
            else:
                return replace(found, unsure=(*found.unsure, "negated"), weight=found.weight * 0.5)
        elif auxiliaries & MUST or (verb.head.lemma in ("have", "need") and verb.dep == "xcomp"):
            frame = self.lexicon.frames[DEMAND]
        elif auxiliaries & SHOULD:
            frame = self.lexicon.frames[ASK]
        elif auxiliaries & WILL:
            frame = self.lexicon.frames[INTEND]
        if frame is None:
            return found
        code = frame.code(found.code)
        if code is None:
            return self._duty(verb)
        if frame.name in (ASK, DEMAND):
            # Who must is spoken to; who says so is found in the words around.
            return replace(found, code=code, doers=(), sufferers=(*found.doers, *found.sufferers), both=False,
                           rules=(f"{frame.name} {'/'.join(sorted(auxiliaries))}", *found.rules))  # fmt: skip
        unsure = (*found.unsure, "may") if auxiliaries & {"may", "might", "could"} else found.unsure
        rule = f"{frame.name} {'not ' if negated else ''}{'/'.join(sorted(auxiliaries))}"
        if code == found.code:
            return replace(found, unsure=unsure)
        return replace(found, code=code, rules=(rule, *found.rules), unsure=unsure)

    def _names_people(self, noun: Word) -> bool:
        """Peacekeepers are people before they are an act, and riot police are police."""
        mention, whole = self.cast.at(noun), self.cast.at(noun.head) if noun.dep == "compound" else None
        return bool(mention.kind if mention else whole and whole.kind in ("MIL", "COP"))

    def _is_actor(self, tokens: tuple[Word, ...]) -> bool:
        return any(self.cast.at(one) is not None or one.lower in ("he", "she", "they", "it") for one in tokens)


def _together(verb: Word) -> Iterator[ActReading]:
    """What two do "together" or "jointly" is cooperation, whatever it is."""
    subjects = tuple(subjects_of(verb))
    if any(child.lower in ("jointly", "together") for child in verb.children) and any(_joins(one) for one in subjects):
        yield ActReading("060", verb.i, (verb.i,), subjects, tuple(objects_of(verb, (), {verb.i})), 1.3,
                         ("together",), True)  # fmt: skip


def _joins(token: Word) -> bool:
    """Whether a noun phrase names two by "and"."""
    return any(child.dep == "conj" or _joins(child) for child in token.children
               if child.dep in ("conj", "amod", "nmod", "prep", "pobj", "poss", "compound", "nsubj"))  # fmt: skip


def _stands_so(token: Word, pattern: WordPattern) -> bool:
    """Whether one of the words that a pattern has in brackets is the verb's subject, or qualifies it."""
    for subject in subjects_of(token):
        for one in (subject, *conjuncts(subject)):
            words = (one, *(child for child in one.children if child.dep in OF_MODIFIERS))
            if any(word.lemma in pattern.stands or word.lower in pattern.stands for word in words):
                return True
    return False


def _or_else(verb: Word) -> bool:
    """Whether what is asked for is followed by what happens otherwise: "to leave or face sanctions"."""
    alternative = any(child.dep == "cc" and child.lower == "or" for child in verb.children)
    return alternative and any(child.dep == "conj" and child.lemma in OR_ELSE for child in verb.children)


def _loosely(word: Word, token: Word, said: set[int]) -> float:
    """What a pattern loses because a word of it stands in a place that it does not name."""
    holder = word.head
    if not is_verb(token) or holder is token or holder.i in said:
        return 0.0
    if holder.head is not token:
        return OTHER_PREPOSITION if word.dep == "pobj" and holder.lower in FARTHER else 0.0
    if word.dep == "pobj" and is_preposition(holder):
        return OF_WHO_ACTS if holder.dep == "agent" else OTHER_PREPOSITION
    if word.dep == "dobj" and holder.dep == "xcomp" and _has_object(token):
        return OF_ANOTHER_CLAUSE
    return 0.0


def _had_to(verb: Word, pattern: WordPattern, inner: ActReading) -> ActReading | None:
    """What whoever speaks demands of another: "B had to give up its arms"."""
    unnamed = not inner.doers and inner.rules[0].split(" ")[0] in (ASK, DEMAND)
    if pattern.means != LIGHT or pattern.head != "have" or not unnamed:
        return None
    words = tuple(sorted({verb.i, *inner.words}))
    return replace(inner, at=verb.i, words=words, inner=inner.inner | {inner.at})


def _wishes_of_another(verb: Word) -> bool:
    """Whether somebody else is to act: "wants Serbia to hurry"."""
    for child in verb.children:
        if is_verb(child) and child.dep in ("ccomp", "xcomp") and child.i > verb.i:
            return any(one.dep == "nsubj" for one in child.children) or _has_object(verb)
    return False


def _has_object(verb: Word) -> bool:
    return any(child.dep in ("dobj", "nsubjpass") for child in verb.children)


def best(candidates: list[ActReading]) -> ActReading | None:
    """The reading that says most, a deed rather than a statement; of equal ones the first."""
    return max(candidates, key=lambda one: one.weight - MERELY_SAID * one.code.startswith(STATEMENTS), default=None)
