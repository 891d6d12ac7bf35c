"""What a parsed sentence is to the coder: words with their places in the tree.

In: spaCy's sentences. Out: `Sentence` and `Word`, plain objects that are read many times; spaCy makes a new object at
each look, which costs more than the parse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PREPOSITIONS_OF_VERBS = frozenset({"according", "including", "regarding", "concerning", "pending"})
"""What was a verb once and is none: "according to" speaks of no accord."""


class Word:
    """A word: its text, plain form, parts of speech, and its head and children in the tree.

    i, idx  number in the parsed text, and offset of its first letter there
    lemma   plain form, in small letters
    """

    __slots__ = ("children", "dep", "head", "i", "idx", "lemma", "lower", "pos", "sentence", "tag", "text")

    children: list[Word]
    head: Word
    sentence: Sentence

    def __init__(self, token: Any) -> None:
        self.i: int = token.i
        self.idx: int = token.idx
        self.text: str = token.text
        self.lower: str = token.lower_
        self.pos: str = token.pos_
        self.tag: str = token.tag_
        self.dep: str = token.dep_
        once_a_verb = self.dep == "prep" and self.lower in PREPOSITIONS_OF_VERBS
        self.lemma: str = self.lower if once_a_verb else token.lemma_.lower()
        self.children = []

    def __len__(self) -> int:
        return len(self.text)

    def __repr__(self) -> str:
        return self.text

    @property
    def before(self) -> Word | None:
        """The word before it in the sentence."""
        at = self.i - self.sentence.first
        return self.sentence.words[at - 1] if at > 0 else None


class Sentence:
    """A sentence: its words, their root, and the text it stands in.

    first  number of the first word
    whole  the parsed text that offsets count in
    """

    def __init__(self, span: Any, whole: str) -> None:
        self.whole = whole
        self.words = [Word(token) for token in span]
        self.first = self.words[0].i
        self.start: int = span.start_char
        self.end: int = span.end_char
        self.text = whole[self.start : self.end]
        for word, token in zip(self.words, span, strict=True):
            word.head = self.words[token.head.i - self.first]
            word.sentence = self
            if word.head is not word:
                word.head.children.append(word)
        self.root = self.words[span.root.i - self.first]

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words)

    def __len__(self) -> int:
        return len(self.words)

    def between(self, first: int, last: int) -> str:
        """The text from one word to another, both counted, by their number in the sentence."""
        return self.whole[self.words[first].idx : self.words[last].idx + len(self.words[last])]


def sentences(doc: Any) -> list[Sentence]:
    """The sentences of a parsed text that hold a word."""
    return [Sentence(span, doc.text) for span in doc.sents if any(token.is_alpha for token in span)]
