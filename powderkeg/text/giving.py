"""What does a given source do to a given target in a sentence?

In: a sentence, and the words (or names) of both sides. Out: the act that fits best: always one, with its class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from powderkeg.events.codes import entries, to_plover
from powderkeg.text.coding import chosen
from powderkeg.text.names import Gazetteer, gazetteer
from powderkeg.text.parsing import parsed
from powderkeg.text.patterns import Lexicon, lexicon
from powderkeg.text.sentences import Sentence


@dataclass(frozen=True)
class Classified:
    """The act between two given sides.

    code         CAMEO; plover: the type of PLOVER, None for mere statements; tone: one of the four classes
    probability  of the code's first two digits being right
    rules        patterns and frames, outermost first
    """

    code: str
    title: str
    plover: str | None
    tone: str | None
    probability: float
    rules: tuple[str, ...]


def classify(
    sentence: str, source: str, target: str = "", *, statements: bool = False, opinion: bool = True
) -> Classified:
    """What `source` does to `target` in a sentence, by the words; never nothing.

    statements  whether it may be a mere statement (CAMEO 01), which PLOVER does not know
    opinion     whether all words of the sentence weigh in beside the patterns (`powderkeg.text.opinion`)
    """
    (found,) = classified([(sentence, source, target)], statements=statements, opinion=opinion)
    return found


def classified(
    rows: Iterable[tuple[str, str, str]], *, statements: bool = False, opinion: bool = True,
    patterns: tuple[str, ...] = (), actors: tuple[str, ...] = (),
) -> Iterator[Classified]:  # fmt: skip
    """The same for many sentences: (sentence, source, target)."""
    words, names = lexicon(patterns), gazetteer(actors)
    kept: list[tuple[str, str, str]] = []

    def texts() -> Iterator[str]:
        for row in rows:
            kept.append(row)
            yield _plain(row[0])

    for sentences in parsed(texts(), words):
        text, source, target = kept.pop(0)
        yield _of(sentences, _plain(text), (source, target), (words, names), (statements, opinion))


def _of(
    sentences: list[Sentence], text: str, sides: tuple[str, str], books: tuple[Lexicon, Gazetteer],
    may: tuple[bool, bool],
) -> Classified:  # fmt: skip
    (words, names), (statements, opinion) = books, may
    spans = [place_of(side, text, names) for side in sides]
    if not sentences:
        found: tuple[str, float, tuple[str, ...]] = ("010" if statements else "040"), 0.1, ("no words",)
    else:
        best = max(sentences, key=lambda one: (_holds(one, spans), len(one)))
        found = chosen(best, words, names, spans[0], spans[1], statements, opinion)
    code, probability, rules = found
    entry = entries("cameo")[code]
    return Classified(code, entry.title, to_plover(code), entry.tone, probability, rules)


def place_of(side: str, text: str, names: Gazetteer) -> tuple[int, int] | None:
    """Where a side is named in a text: its words, else its longest part, else another name of the same actor."""
    side = _plain(side).strip()
    if not side:
        return None
    for part in (side, *re.split(r"\s*(?:\.\.\.?|…|[,;/()])\s*", side)):
        at = text.find(part) if part else -1
        if at >= 0:
            return at, at + len(part)
    lowered = text.lower()
    words = [word for word in re.findall(r"[\w.'-]+", side) if len(word) > 2]
    for word in sorted(words, key=len, reverse=True):
        at = lowered.find(word.lower())
        if at >= 0:
            return at, at + len(word)
    entity = names.who(side)
    if entity is None:
        for word in words:
            entity = entity or names.who(word)
    wanted = {entity.code, entity.country} - {""} if entity else {side.upper()[:3]}
    for name, held in names.names.items():
        if any(one.country in wanted or one.code in wanted for one in held):
            found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
            if found:
                return found.start(), found.end()
    return None


def _holds(sentence: Sentence, spans: list[tuple[int, int] | None]) -> int:
    return sum(span is not None and sentence.start <= span[0] < sentence.end for span in spans)


def _plain(text: str) -> str:
    return text.replace("“", '"').replace("”", '"').replace("’", "'").replace("‘", "'").replace("\n", " ")
