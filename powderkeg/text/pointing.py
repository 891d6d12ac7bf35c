"""Whom does a word of a sentence point back to?

In: the mentions of a sentence with what surrounds it. Out: for "it", "them", "we", "both sides", "the two leaders"
those whom it means, as mentions whose words are the word itself. Who is named before it in its sentence comes first.
"""

from __future__ import annotations

from dataclasses import replace

from powderkeg.text.actors import WHERE, Mentions
from powderkeg.text.before import Mention, may_be
from powderkeg.text.sentences import Word

PRONOUNS = frozenset({"he", "she", "they", "it", "him", "her", "them"})
ANY_SIDES = frozenset({"side", "party"})
SIDES = ANY_SIDES | {"leader", "country", "government", "capital", "neighbour", "neighbor", "president", "minister"}
ALL_OF_THEM = frozenset({"both", "two", "all"})
QUOTES = frozenset({'"', "``", "''"})
LEAST_SURE = 0.8
"""How sure it is at most whom a word means that points back."""


def pointed_back_to(cast: Mentions, token: Word, taken: set[str], subject: bool = False) -> list[Mention]:
    """Whom a word means that points back: "it", "them", "both sides", "the two leaders"; not those taken.

    subject  whether the word is who acts
    """
    marks = {child.lower for child in token.children}
    if token.lemma in SIDES and marks & ALL_OF_THEM:
        found = cast.around.both(token.lemma not in ANY_SIDES, taken)
    elif _is_we(token):
        found = [one for one in (_who_writes(cast, token),) if one is not None]
    elif token.lower in PRONOUNS:
        one = _in_sentence(cast, token, taken, subject)
        if one is None:
            one = cast.around.meant(token.lower) if subject else cast.around.acted_on(token.lower, taken)
        found = [] if one is None else [one]
    else:
        return []
    start, end = cast.edges(token, [])
    text = cast.sentence.whole[start:end]
    return [
        replace(one, at=token.i, start=start, end=end, text=text, sure=min(one.sure, LEAST_SURE))
        for one in found
        if one.name not in taken
    ]


def _is_we(word: Word) -> bool:
    """Whether it is "we" or "us", and not the US."""
    return word.lower == "we" or word.text == "us"


def _who_writes(cast: Mentions, token: Word) -> Mention | None:
    """Whose "we" is where nobody is quoted."""
    quoted = sum(word.text in QUOTES for word in cast.sentence.words if word.i < token.i) % 2
    return None if quoted else cast.around.author


def _in_sentence(cast: Mentions, token: Word, taken: set[str], subject: bool) -> Mention | None:
    """The one named before a pronoun in its sentence whom it may mean; one who acts, for a pronoun that acts."""
    for one in reversed(cast.all()):
        word = cast.sentence.words[one.at - cast.sentence.first]
        if one.at >= token.i or one.name in taken or word.head is token.head or not may_be(token.lower, one):
            continue
        acts = word.dep in ("nsubj", "nsubjpass") or (word.dep == "pobj" and word.head.dep == "agent")
        if acts or (not subject and word.dep in ("dobj", "dative", "pobj") and word.head.lower not in WHERE):
            return one
    return None


def says_we(cast: Mentions) -> bool:
    """Whether the sentence speaks for its writer: "we", "our", outside quotation marks."""
    return any((_is_we(word) or word.lower == "our") and _who_writes(cast, word) is not None for word in cast.sentence)
