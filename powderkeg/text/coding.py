"""Who did what to whom in one sentence?

In: a parsed sentence, a lexicon, a gazetteer. Out: coded acts, each with the words that carry source, verb and target,
the rule, a probability, and what was unsure. `coded` gives what is worth telling; `chosen` the one act that fits best
between a source and a target that are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from powderkeg.text.actors import NAMED, Mention, Mentions, Surroundings
from powderkeg.text.grammar import is_verb, subjects_of
from powderkeg.text.names import Gazetteer
from powderkeg.text.patterns import Lexicon
from powderkeg.text.readings import ActReading, SentenceReader
from powderkeg.text.sentences import Sentence, Word

STATEMENTS = "01"
DOUBTS = {
    "question": 0.1, "condition": 0.15, "negated": 0.1, "background": 0.35, "relative clause": 0.45, "weak word": 0.35,
    "noun": 0.45, "may": 0.6, "pronoun": 0.85, "aside": 0.75, "target outside the clause": 0.75, "statement": 0.2,
}  # fmt: skip
"""What a probability is multiplied by for each doubt. Guesses, set on the pattern half of the textbook sentences."""
MAY_LACK_TARGET = ("14", "0871", "0831", "15", "1723", "1724", "0813", "0814", "082")
ALIKE = ("030", "036", "037", "040", "041", "046", "050", "054", "057", "06", "0871", "125", "127")
"""What two who are named together do with each other, unless it says with whom."""
MOVED = ("15", "138", "0874", "0873")
TOGETHER = ("03", "05")
MOST_SIDES = 3
HOSTILE, ACCUSES = ("128", "14", "15", "17", "18", "19", "20"), "112"
SPEAKING = frozenset({"say", "claim", "charge", "declare", "announce", "state", "insist", "allege", "maintain",
                      "report", "tell", "complain", "assert", "contend", "argue", "add", "believe"})  # fmt: skip


@dataclass(frozen=True)
class Coded:
    """One act in one sentence.

    code         CAMEO
    source, target  who, as mentions; target None where the sentence names nobody
    words        positions of the words that carry the act
    rules        patterns and frames, outermost first
    probability  of being right: set by hand for each rule and doubt, not fitted (docs/text.md)
    unsure       reasons to doubt
    both         both sides act alike
    """

    code: str
    source: Mention
    target: Mention | None
    words: tuple[int, ...]
    rules: tuple[str, ...]
    probability: float
    unsure: tuple[str, ...]
    both: bool


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

    around  what the text around the sentence says of its actors
    """
    cast = Mentions(sentence, names, around)
    found: list[Coded] = []
    speaker = speaker_of(sentence, cast)
    for reading in SentenceReader(sentence, lexicon, cast).all():
        if reading.code.startswith(STATEMENTS) and not statements and reading.code not in ("015", "018"):
            continue
        found += _between(reading, cast, around.actors, speaker)
    best: dict[tuple[str, str, str], Coded] = {}
    for one in found:
        sides = (one.source.name, one.target.name if one.target else "")
        sides = min(sides, sides[::-1]) if one.both else sides
        key = (*sides, "" if one.unsure else one.code[:2])
        if key not in best or best[key].probability < one.probability:
            best[key] = one
    firm = {key[:2] for key in best if key[2]}
    best = {key: one for key, one in best.items() if key[2] or key[:2] not in firm}
    told = sorted(best.values(), key=lambda one: one.words[0])
    whole = {one.source.name for one in told if one.target is not None}
    return [one for one in told if one.target is not None or one.source.name not in whole]


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


def _between(reading: ActReading, cast: Mentions, before: list[Mention], speaker: Mention | None) -> Iterator[Coded]:
    """The acts that a reading says, one for each two actors."""
    sources, guessed = _resolved(reading.doers, cast, before)
    if not sources and reading.rules and reading.rules[0].split(" ")[0] in ("demand", "ask") and speaker is not None:
        sources = [speaker]
    targets: list[Mention] = []
    taken = {one.name for one in sources}
    for token in reading.sufferers:
        found = [one for one in cast.under(token) if one.name not in taken and not _own_forces(reading.code, one)]
        if found:
            targets = found
            break
    both = reading.both
    if len(sources) > 1 and (both or reading.code.startswith(ALIKE)) and not _with(reading):
        sources, targets, both = sources[:1], sources[1:], True
    if not targets and len(sources) > 1 and reading.code.startswith(TOGETHER):
        sources, targets, both = sources[:1], sources[1:], True
    if not sources and both and len(targets) > 1:
        sources, targets = targets[:1], targets[1:]
    if not sources:
        return
    unsure = [*reading.unsure, *(["pronoun"] if guessed else [])]
    if not targets:
        targets = _farther(reading, cast, sources, speaker)
        unsure += ["target outside the clause"] if targets else []
    if targets:
        for source in sources[:MOST_SIDES]:
            for target in targets[:MOST_SIDES]:
                if _apart(source, target):
                    yield _made(reading, source, target, cast, both, tuple(unsure))
    elif reading.code.startswith(MAY_LACK_TARGET):
        for source in sources[:MOST_SIDES]:
            yield _made(reading, source, None, cast, False, tuple(unsure))


def _own_forces(code: str, one: Mention) -> bool:
    """Whether it is the source's own army or police that is moved: they are no target."""
    return code.startswith(MOVED) and not one.country and one.kind in ("MIL", "COP")


def _farther(reading: ActReading, cast: Mentions, sources: list[Mention], speaker: Mention | None) -> list[Mention]:
    """Where the clause names nobody who is acted on: the next one named after the verb, be it in another clause."""
    taken = {one.name for one in sources} | ({speaker.name} if speaker is not None else set())
    countries = {one.country for one in sources if one.country}
    last = max(reading.words)
    for one in cast.all():
        known = one.country or one.sure > NAMED
        if one.at > last and known and one.name not in taken and one.country not in countries:
            return [one]
    return []


def _with(reading: ActReading) -> bool:
    """Whether the sentence says with whom."""
    return any(one.head.lower in ("with", "against") for one in reading.sufferers[:2])


def _apart(source: Mention, target: Mention) -> bool:
    """Whether two mentions are two actors, and not an actor and a part of its own name."""
    return (
        source.name != target.name
        and not (source.start <= target.start and target.end <= source.end)
        and not (target.start <= source.start and source.end <= target.end)
    )


def _resolved(tokens: Iterable[Word], cast: Mentions, before: list[Mention]) -> tuple[list[Mention], bool]:
    """The actors behind heads; pronouns stand for the last subject of a sentence before, where there is one."""
    for token in tokens:
        found = cast.under(token)
        if found:
            return found, False
        if token.lower in ("he", "she", "they", "it") and before:
            return [before[0]], True
    return [], False


def _made(
    reading: ActReading, source: Mention, target: Mention | None, cast: Mentions, both: bool, unsure: tuple[str, ...]
) -> Coded:
    code = adjusted(reading.code, source, target, cast.sentence)
    probability = 0.55 + 0.12 * min(reading.weight, 3.0)
    for doubt in dict.fromkeys(unsure):
        probability *= DOUBTS.get(doubt, 1.0)
    probability *= source.sure * (target.sure if target else 0.8)
    return Coded(code, source, target, reading.words, reading.rules, round(min(probability, 0.97), 3), unsure, both)


def adjusted(code: str, source: Mention | None, target: Mention | None, sentence: Sentence) -> str:
    """The code that `words/adjust.txt` makes of it."""
    text = None
    for one in adjustments():
        if code not in one.codes:
            continue
        if one.source and (source is None or source.kind not in one.source):
            continue
        if one.target and (target is None or target.kind not in one.target):
            continue
        if one.words:
            if text is None:
                text = " ".join(f"{token.lemma} {token.lower}" for token in sentence)
                text += " " + sentence.text.lower().replace(".", " ").replace(",", " ")
            if not any(f" {word} " in f" {text} " for word in one.words):
                continue
        return one.becomes
    return code


# ------------------------------------------------------------------------------------- source and target are given


def chosen(
    sentence: Sentence, lexicon: Lexicon, names: Gazetteer, source: tuple[int, int] | None,
    target: tuple[int, int] | None, statements: bool = True,
) -> tuple[str, float, tuple[str, ...]]:  # fmt: skip
    """The act from a source to a target whose words are given as offsets into the text: always one.

    returns  code, probability, rules
    """
    cast = Mentions(sentence, names)
    reader = SentenceReader(sentence, lexicon, cast)
    first, last = _tokens_in(sentence, source), _tokens_in(sentence, target)
    options: list[tuple[float, ActReading]] = []
    for reading in _everything(reader, sentence):
        if reading.code.startswith(STATEMENTS) and not statements:
            continue
        options.append((_fit(reading, first, last, sentence), reading))
    if not options:
        return _by_words(sentence, lexicon, statements)
    charges = [told for _, one in options if (told := _charged(one, sentence, first, last)) is not None]
    options += [(_fit(one, first, last, sentence), one) for one in charges]
    fit, best = max(options, key=lambda one: one[0])
    mentions = [_mention_at(cast, one) for one in (first, last)]
    code = adjusted(best.code, mentions[0], mentions[1], sentence)
    return code, round(max(0.05, min(0.97, 0.3 + 0.1 * fit)), 3), best.rules


def _charged(reading: ActReading, sentence: Sentence, source: set[int], target: set[int]) -> ActReading | None:
    """A deed of the target's that the source tells of: the source accuses, whoever suffered."""
    if not reading.code.startswith(HOSTILE) or not target & {at for one in reading.doers for at in _phrase(one)}:
        return None
    for verb in _above(sentence.words[reading.at - sentence.first]):
        if is_verb(verb) and verb.lemma in SPEAKING and source & {at for s in subjects_of(verb) for at in _phrase(s)}:
            return replace(reading, code=ACCUSES, doers=tuple(subjects_of(verb)), sufferers=reading.doers,
                           weight=reading.weight + 0.5, rules=(f"accuse {verb.lemma}", *reading.rules), both=False,
                           unsure=())  # fmt: skip
    return None


def _above(token: Word) -> Iterator[Word]:
    """A word and all that it hangs on."""
    while True:
        yield token
        if token.head is token:
            return
        token = token.head


def _everything(reader: SentenceReader, sentence: Sentence) -> Iterator[ActReading]:
    yield from reader.all()


def _fit(reading: ActReading, source: set[int], target: set[int], sentence: Sentence) -> float:
    """How well a reading fits a source and a target."""
    doers = {at for one in reading.doers for at in _phrase(one)}
    sufferers = {at for one in reading.sufferers for at in _phrase(one)}
    score = 2.5 * (1 - 0.6**reading.weight) if reading.weight < 50 else 8.0
    if source & doers:
        score += 3.0
    elif source & sufferers and not reading.both:
        score -= 1.0
    if target & sufferers:
        score += 2.0
    if target & doers and not (source & doers):
        score -= 1.5
    for doubt in reading.unsure:
        score -= {"negated": 2.0, "background": 1.5, "relative clause": 1.2, "condition": 1.5, "question": 0.0,
                  "noun": 1.0, "weak word": 1.0, "aside": 0.8}.get(doubt, 0.0)  # fmt: skip
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
                if pattern.means.startswith(STATEMENTS):
                    continue
                weight = 0.3 if pattern.weak else 1.0
                if not all(any(word in here for word in one) for one in pattern.words):
                    weight /= 4.0 * (1 + len(pattern.words)) ** 2
                if kind == "noun" and token.pos not in ("NOUN", "PROPN"):
                    weight *= 0.5
                if weight > votes.get(pattern.means, 0.0):
                    votes[pattern.means] = weight
                    rules[pattern.means] = f"{pattern.place} {pattern.text}"
    if votes:
        code = max(votes, key=lambda one: votes[one])
        return code, 0.2, (f"by words: {rules[code]}",)
    return ("010" if statements else "040"), 0.1, ("nothing matched",)
