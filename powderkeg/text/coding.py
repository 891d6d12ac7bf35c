"""Who did what to whom in one sentence?

In: a parsed sentence, a lexicon, a gazetteer. Out: coded acts, each with the words that carry source, verb and target,
the rule, a probability, and what was unsure. `coded` gives what is worth telling; `chosen` the one act that fits best
between a source and a target that are given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from powderkeg.text.actors import ARMED_KINDS, Mentions
from powderkeg.text.before import Mention, Surroundings
from powderkeg.text.candidates import ActBetween, candidates
from powderkeg.text.grammar import is_verb, subjects_of
from powderkeg.text.names import Gazetteer
from powderkeg.text.opinion import SHARPNESS, WEIGHT, WordWeights, opinions
from powderkeg.text.opinion import features as features_of_words
from powderkeg.text.patterns import Lexicon
from powderkeg.text.pointing import says_we
from powderkeg.text.readings import ON_THE_WAY, ActReading, SentenceReader
from powderkeg.text.rivals import Coded, beside
from powderkeg.text.sentences import Sentence, Word
from powderkeg.text.sureness import TOLD, features, probability

Weighed = tuple[ActBetween, dict[str, float], float]
Option = tuple[float, str, tuple[str, ...]]

STATEMENTS = "01"
MUTUAL = ("040", "041", "042", "043", "046", "057", "060", "061", "062")
"""Acts of which either side may be told first: who visits is received."""
LAND = "LAND"
NEVER, NOT_READ, SELDOM = -100.0, -3.0, -3.0
"""How well an act fits that is none; one that no pattern reads; and what the words say for a kind they do not know.

These, what `_fit` adds for sides and takes off for doubts, and LEAST_HEARD are guesses by hand. NOT_READ at
least lies on flat ground: between -1 and -5 the mean F1 on 1,038 own sentences goes from 0.913 to 0.906. SELDOM
is asked of mere statements alone, because the words know every other kind. What is fitted stands in
words/sureness.csv and opinion.csv."""
OF_OTHERS = 2.0
"""What an act loses that neither side has a part in: "hours after an attack, A named an envoy to B"."""
OWN_FITS = 30.0
"""How well a user's own pattern fits: beyond whatever ours and the other words may say."""
SUREST = 0.97
"""Highest probability that is told of an act whose sides are given: nobody has measured a user's own patterns."""
OTHER_LEADERS, DISMISSED = "0831", "172"
DISMISSING = frozenset({"sack", "dismiss", "fire", "replace", "dissolve", "remove", "oust", "depose"})
SPEAKS, LEAST_HEARD = "how far the words speak for it", -4.0
NOTED, MOST_GROUPS = 0.3, 5
"""Least probability of an event that the next sentences may point back to, and groups that are remembered."""
UNREAL = {"condition", "question", "negated"}
HOSTILE, ACCUSES = ("072", "128", "14", "15", "17", "18", "19", "20"), "112"
SPEAKING = frozenset({"say", "claim", "charge", "declare", "announce", "state", "insist", "allege", "maintain",
                      "report", "tell", "complain", "assert", "contend", "argue", "add", "believe", "find",
                      "conclude"})  # fmt: skip


@dataclass(frozen=True)
class Adjustment:
    """A finer code by what else stands in the clause."""

    codes: tuple[str, ...]
    source: frozenset[str]
    target: frozenset[str]
    words: tuple[str, ...]
    becomes: str


@cache
def adjustments() -> tuple[Adjustment, ...]:
    """The lines of `words/adjust.txt`."""
    text = (resources.files("powderkeg.text") / "words" / "adjust.txt").read_text(encoding="utf-8")
    found = []
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        codes, _, rest = line.partition(":")
        conditions, _, becomes = rest.partition(">")
        sides: dict[str, set[str]] = {"source": set(), "target": set()}
        words = []
        for one in (part.strip() for part in conditions.split(",")):
            side, _, kind = one.partition(" ")
            if side in sides and kind.isupper():
                sides[side].add(kind)
            else:
                words.append(one)
        found.append(
            Adjustment(tuple(codes.split()), frozenset(sides["source"]), frozenset(sides["target"]), tuple(words),
                       becomes.strip())
        )  # fmt: skip
    return tuple(found)


def coded(
    sentence: Sentence,
    lexicon: Lexicon,
    names: Gazetteer,
    around: Surroundings,
    statements: bool = False,
) -> list[Coded]:
    """The acts of a sentence between actors, the surest reading of each two.

    around  what the text around the sentence says of its actors; takes over what this one says
    """
    cast = Mentions(sentence, names, around)
    found = settled(weighed(sentence, lexicon, names, around, statements, cast=cast), sentence)
    remember(around, cast, found)
    return found


def remember(around: Surroundings, cast: Mentions, found: list[Coded]) -> None:
    """Let what a sentence names and tells surround the next one."""
    first = next((one for word in subjects_of(cast.sentence.root) for one in cast.under(word)), None)
    nouns = (word for word in cast.sentence if word.pos in ("NOUN", "PROPN"))
    around.named([one for word in nouns if (one := cast.at(word)) is not None], first)
    if around.home is None and around.author is not None and says_we(cast):
        around.home = cast.land(around.author.country)  # whoever writes "we" speaks of a government of their own
    sure = sorted((one for one in found if one.probability >= NOTED), key=lambda one: -one.probability)
    around.told([(one.source, one.target, one.code) for one in sure])
    # The group that is named first, mostly as the one who acts, comes to stand before the others.
    for entity, _, _ in reversed(list(cast.known.values())):
        if entity.kind in ARMED_KINDS and not entity.person:
            around.groups.insert(0, entity)
            del around.groups[MOST_GROUPS:]


def settled(
    readings: list[list[list[Weighed]]], sentence: Sentence, by: Mapping[str, float] | None = None
) -> list[Coded]:
    """The likeliest actors of each reading, and of readings that say the same of the same two the surest.

    by  weights of what holds beside other events; those that ship where none are given
    """
    found = [_made(one, sure, sentence) for lists in readings for one, _, sure in likeliest(lists)]
    found.sort(key=lambda one: -one.probability)
    kept: list[Coded] = []
    for one in found:
        if not any(_says_it(other, one) for other in kept):
            kept.append(one)
    return beside(sorted(kept, key=lambda one: one.words[0]), by)


def _says_it(surer: Coded, one: Coded) -> bool:
    """Whether a surer event leaves nothing to say for another.

    The same act between the same two; another act between them if it is doubtful; an act on nobody by one who acts.
    """
    if one.target is None:
        return surer.source.name == one.source.name
    if surer.target is None:
        return False
    same = (surer.source.name, surer.target.name) == (one.source.name, one.target.name)
    turned = one.both and (surer.target.name, surer.source.name) == (one.source.name, one.target.name)
    return (same or turned) and (bool(one.unsure) or surer.code[:2] == one.code[:2])


def weighed(
    sentence: Sentence, lexicon: Lexicon, names: Gazetteer, around: Surroundings, statements: bool = False,
    by: WordWeights | None = None, cast: Mentions | None = None,
) -> list[list[list[Weighed]]]:  # fmt: skip
    """For each reading of a sentence, lists of candidates, each with its features and its probability.

    by  weights of what words speak for; those that ship where none are given
    """
    cast = cast or Mentions(sentence, names, around)
    speaker = speaker_of(sentence, cast)
    readings = [
        one for one in SentenceReader(sentence, lexicon, cast).all()
        if statements or not one.code.startswith(STATEMENTS) or one.code in ("015", "018")
    ]  # fmt: skip
    readings += [made for one in readings if (made := _told_of_another(one, sentence, cast)) is not None]
    result = []
    hearing = Hearing(sentence, by)
    for reading in readings:
        lists = []
        for group in candidates(reading, cast, speaker):
            held = [(one, features(one, sentence, len(readings)) | hearing.of(one)) for one in group]
            lists.append([(one, of, probability(of)) for one, of in held])
        if lists:
            result.append(lists)
    return result


class Hearing:
    """What the words of a sentence say of candidates; once for each two sides.

    A word that carries the act is heard although it names a side: the diplomats of "expelled two Iranian diplomats".
    """

    def __init__(self, sentence: Sentence, by: WordWeights | None) -> None:
        self.sentence, self.by = sentence, by
        self._known: dict[tuple[frozenset[int], frozenset[int]], dict[str, float]] = {}

    def of(self, one: ActBetween) -> dict[str, float]:
        """How far the words speak for a candidate, as a feature of its probability."""
        code = adjusted(one.reading.code, one.source, one.target, self.sentence)[:2]
        if code == STATEMENTS:
            return {}
        said = set(one.reading.words)
        first, last = (frozenset(self._tokens_of(side) - said) for side in (one.source, one.target))
        if (first, last) not in self._known:
            self._known[first, last] = opinions(features_of_words(self.sentence, set(first), set(last)), self.by)
        return {SPEAKS: max(self._known[first, last].get(code, SELDOM), LEAST_HEARD) / 2}

    def _tokens_of(self, side: Mention | None) -> set[int]:
        return set() if side is None else _tokens_in(self.sentence, (side.start, side.end))


def _told_of_another(reading: ActReading, sentence: Sentence, cast: Mentions) -> ActReading | None:
    """What somebody says that another did may be an accusation: how likely, the weights say."""
    if not reading.code.startswith(HOSTILE) or UNREAL & set(reading.unsure) or not reading.doers:
        return None
    for verb in _above(sentence.words[reading.at - sentence.first]):
        if is_verb(verb) and verb.lemma in SPEAKING:
            subjects = tuple(subjects_of(verb))
            if any(cast.under(one) for one in subjects) and not set(subjects) & set(reading.doers):
                return _charge(reading, verb, (TOLD,))
    return None


def _charge(reading: ActReading, verb: Word, unsure: tuple[str, ...]) -> ActReading:
    """The accusation of whoever tells of a deed against whoever did it."""
    return replace(reading, code=ACCUSES, at=verb.i, words=(verb.i,), doers=tuple(subjects_of(verb)),
                   sufferers=reading.doers, weight=reading.weight + 0.5,
                   rules=(f"accuse {verb.lemma}", *reading.rules), both=False, unsure=unsure)  # fmt: skip


def likeliest(lists: list[list[Weighed]]) -> list[Weighed]:
    """The list whose first candidate is likeliest to be right."""
    return max(lists, key=lambda group: group[0][2])


def speaker_of(sentence: Sentence, cast: Mentions) -> Mention | None:
    """Whoever the sentence quotes, where it quotes somebody."""
    for token in sentence:
        if token.lemma in ("say", "announce", "warn", "declare", "add", "tell", "stress", "insist", "argue"):
            for child in token.children:
                if child.dep == "nsubj":
                    found = cast.under(child)
                    if found:
                        return found[0]
    return None


def _made(one: ActBetween, sure: float, sentence: Sentence) -> Coded:
    code = adjusted(one.reading.code, one.source, one.target, sentence)
    reading = one.reading
    return Coded(code, one.source, one.target, reading.words, reading.rules, round(sure, 3), one.unsure, one.both)


def adjusted(code: str, source: Mention | None, target: Mention | None, sentence: Sentence) -> str:
    """The code that `words/adjust.txt` makes of it."""
    text = None
    for one in adjustments():
        if code not in one.codes:
            continue
        if one.source and _kind(source) not in one.source:
            continue
        if one.target and _kind(target) not in one.target:
            continue
        if one.words:
            if text is None:
                text = " ".join(f"{token.lemma} {token.lower}" for token in sentence)
                text += " " + sentence.text.lower().replace(".", " ").replace(",", " ")
            if not any(f" {word} " in f" {text} " for word in one.words):
                continue
        return one.becomes
    return code


def _kind(side: Mention | None) -> str:
    """The kind of people, or that it is a country as such."""
    return "nobody" if side is None else side.kind or (LAND if side.country else "unknown")


# ------------------------------------------------------------------------------------- source and target are given


def chosen(
    sentence: Sentence, lexicon: Lexicon, names: Gazetteer, source: tuple[int, int] | None,
    target: tuple[int, int] | None, statements: bool = True, opinion: bool = True,
) -> tuple[str, float, tuple[str, ...]]:  # fmt: skip
    """The act from a source to a target whose words are given as offsets into the text: always one.

    opinion  whether the words of the sentence weigh in beside the patterns
    returns  code, probability, rules
    """
    first, last = _tokens_in(sentence, source), _tokens_in(sentence, target)
    best: dict[str, Option] = {}
    for one in options(sentence, lexicon, names, first, last, statements):
        if one[0] > best.get(one[1][:2], (NEVER, "", ()))[0]:
            best[one[1][:2]] = one
    if not opinion:
        fit, code, rules = max(best.values(), default=(0.0, "", ()), key=lambda one: one[0])
        if not code:
            return _by_words(sentence, lexicon, statements)
        return code, round(max(0.05, min(SUREST, 0.3 + 0.1 * fit)), 3), rules
    said = opinions(features_of_words(sentence, first, last))
    for root in said:
        best.setdefault(root, (NOT_READ, f"{root}0", ("by the words of the sentence",)))
    scores = {root: one[0] + WEIGHT * said.get(root, SELDOM) for root, one in best.items()}
    root = max(scores, key=lambda one: scores[one])
    share = 1 / sum(math.exp(SHARPNESS * (one - scores[root])) for one in scores.values())
    return best[root][1], round(min(SUREST, share), 3), best[root][2]


def options(
    sentence: Sentence, lexicon: Lexicon, names: Gazetteer, source: set[int], target: set[int], statements: bool
) -> list[Option]:
    """Every act that is read in a sentence: how well it fits a source and a target, its code, its rules."""
    cast = Mentions(sentence, names)
    readings = [
        one for one in SentenceReader(sentence, lexicon, cast).all()
        if statements or not one.code.startswith(STATEMENTS)
    ]  # fmt: skip
    readings += [told for one in readings if (told := _charged(one, sentence, source, target)) is not None]
    doer, sufferer = _mention_at(cast, source), _mention_at(cast, target)
    return [
        (
            _fit(one, source, target, sentence),
            adjusted(_on_whom(one, target, sentence), doer, sufferer, sentence),
            one.rules,
        )
        for one in readings
    ]


def _on_whom(reading: ActReading, target: set[int], sentence: Sentence) -> str:
    """The code of a reading; leaders and parliaments of the target are dismissed by force, one's own to give way."""
    own = {
        at
        for one in reading.sufferers
        if one.dep in ("dobj", "nsubjpass") and one.head.i == reading.at
        for at in _phrase(one)
    }
    verb = sentence.words[reading.at - sentence.first].lemma
    return DISMISSED if reading.code == OTHER_LEADERS and verb in DISMISSING and target & own else reading.code


def _charged(reading: ActReading, sentence: Sentence, source: set[int], target: set[int]) -> ActReading | None:
    """A deed of the target's that the source tells of: the source accuses, whoever suffered."""
    if (
        not reading.code.startswith(HOSTILE)
        or UNREAL & set(reading.unsure)
        or not target & {at for one in reading.doers for at in _phrase(one)}
    ):
        return None
    for verb in _above(sentence.words[reading.at - sentence.first]):
        if is_verb(verb) and verb.lemma in SPEAKING and source & {at for s in subjects_of(verb) for at in _phrase(s)}:
            return _charge(reading, verb, ())
    return None


def _above(token: Word) -> Iterator[Word]:
    """A word and all that it hangs on."""
    while True:
        yield token
        if token.head is token:
            return
        token = token.head


def _fit(reading: ActReading, source: set[int], target: set[int], sentence: Sentence) -> float:
    """How well a reading fits a source and a target."""
    doers = {at for one in reading.doers for at in _phrase(one)}
    sufferers = {at for one in reading.sufferers for at in _phrase(one)}
    if reading.code.startswith(MUTUAL) and source & sufferers and target & doers:
        doers, sufferers = sufferers, doers
    score = 2.5 * (1 - 0.6**reading.weight) if reading.weight < 50 else OWN_FITS
    if source & doers:
        score += 3.0
    elif source & sufferers and not reading.both:
        score -= 1.0
    if target & sufferers:
        score += 2.0
    if source and not (source | target) & (doers | sufferers) and reading.weight < 50:
        score -= OF_OTHERS
    if target & doers and not (source & doers):
        score -= 1.5
    for doubt in reading.unsure:
        score -= {"negated": 2.0, "background": 1.5, "relative clause": 1.2, "condition": 1.5, "question": 0.0,
                  "noun": 1.0, "weak word": 1.0, "aside": 0.8, ON_THE_WAY: 1.5}.get(doubt, 0.0)  # fmt: skip
    if reading.code.startswith(STATEMENTS):
        score -= 2.0
    if sentence.root.i in (reading.at, *reading.words):
        score += 1.0
    return score


def _phrase(token: Word) -> set[int]:
    """Positions of the words of a noun phrase, relative clauses left out."""
    found = {token.i}
    for child in token.children:
        if child.dep not in ("relcl", "acl", "punct", "advcl"):
            found |= _phrase(child)
    return found


def _tokens_in(sentence: Sentence, span: tuple[int, int] | None) -> set[int]:
    if span is None:
        return set()
    return {token.i for token in sentence if token.idx < span[1] and token.idx + len(token) > span[0]}


def _mention_at(cast: Mentions, positions: set[int]) -> Mention | None:
    for token in cast.sentence:
        if token.i in positions and token.head.i not in positions:
            if token.dep in ("amod", "compound", "nmod", "poss") and (whole := cast.at(token.head)) is not None:
                return whole
            found = cast.at(token) or next(iter(cast.inside(token)), None)
            if found is not None:
                return found
    return None


def _by_words(sentence: Sentence, lexicon: Lexicon, statements: bool) -> tuple[str, float, tuple[str, ...]]:
    """Where no clause is read: the code that most words of the sentence speak for."""
    votes: dict[str, float] = {}
    rules: dict[str, str] = {}
    here = {token.lemma for token in sentence} | {token.lower for token in sentence}
    for token in sentence:
        for kind in ("verb", "noun", "be"):
            for pattern in lexicon.acts.get((kind, token.lemma), ()):
                if pattern.means.startswith(STATEMENTS) or pattern.stands:
                    continue
                weight = 0.3 if pattern.weak else 1.0
                if not all(any(word in here for word in one) for one in pattern.words):
                    weight /= 4.0 * (1 + len(pattern.words)) ** 2
                if (kind == "noun" and token.pos not in ("NOUN", "PROPN")) or (kind == "verb" and not is_verb(token)):
                    weight *= 0.5
                if weight > votes.get(pattern.means, 0.0):
                    votes[pattern.means] = weight
                    rules[pattern.means] = f"{pattern.place} {pattern.text}"
    if votes:
        code = max(votes, key=lambda one: votes[one])
        return code, 0.2, (f"by words: {rules[code]}",)
    return ("010" if statements else "040"), 0.1, ("nothing matched",)
