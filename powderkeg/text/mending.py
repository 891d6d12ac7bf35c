"""Where is a tree wrong in ways that words alone show? Headlines, mostly: parsers are taught on whole sentences.

In: a parsed sentence. Out: the same one, some of its words hung elsewhere. Only what stands in a fixed order of parts
of speech is mended, and nothing here knows what words mean.
"""

from __future__ import annotations

from powderkeg.text.days import MONTHS, WEEKDAYS
from powderkeg.text.sentences import Sentence, Word

PLURAL = frozenset({"NNS", "NNPS"})
FINITE = frozenset({"VBD", "VBP", "VBZ", "MD"})
BASE = frozenset({"VBP", "VB"})
LOOSE = frozenset({"npadvmod", "advmod", "nsubj", "dep", "intj", "advcl", "amod", "compound", "nmod"})
"""What parsers take the first of two names for: "Putin, Erdogan discuss"."""
NAMING = frozenset({"PROPN", "ADJ", "PUNCT"})
TIMES = frozenset({"after", "before", "when", "while", "as", "once", "until", "since"})
BOTH_SIDES = frozenset({"between", "among"})


def mend(sentence: Sentence) -> None:
    """Every mend, in the order in which one may need another."""
    _act_taken_for_noun(sentence)
    _participle_taken_for_verb(sentence)
    _clause_of_time_taken_for_whole(sentence)
    _past_taken_for_adjective(sentence)
    _clause_taken_for_noun(sentence)
    _to_come(sentence)
    _names_before_verb(sentence)
    for word in sentence.words:
        if word.lower in BOTH_SIDES and word.dep == "prep":
            _two_sides(word)


def _names_before_verb(sentence: Sentence) -> None:
    """Two who act, where a comma stands for "and": "Putin, Erdogan discuss"."""
    words = sentence.words
    comma = next((n for n, one in enumerate(words) if one.text == ","), 0)
    first = words[comma - 1] if comma else None
    if first is None or first.pos != "PROPN" or any(one.pos not in NAMING for one in words[:comma]):
        return
    if first.lower in WEEKDAYS or first.lower in MONTHS:
        return
    end = comma + 1
    while end < len(words) and words[end].pos == "PROPN":
        end += 1
    second = words[end - 1]
    if end == comma + 1 or end == len(words) or words[end].tag not in BASE or words[end].pos != "VERB":
        return
    verb = words[end]
    if second.head is verb and second.dep == "nsubj" and first.head is verb and first.dep in LOOSE:
        hang(first, verb, "nsubj")
        hang(second, first, "conj")
    elif second.head is first and second.dep == "appos" and first.head is verb and first.dep == "nsubj":
        hang(second, first, "conj")


def _act_taken_for_noun(sentence: Sentence) -> None:
    """Of a headline without a verb the act is the noun behind a plural: "Thousands march against", "talks resume"."""
    words, root = sentence.words, sentence.root
    if root.tag != "NN" or any(one.tag in FINITE or one.tag == "VBN" for one in words):
        return
    at = root.i - sentence.first
    if at == 0 or root.text[0].isupper() or at + 1 == len(words) or words[at + 1].tag not in ("IN", "TO", "RP", "RB"):
        return
    doer = words[at - 1]
    many = doer.tag in PLURAL or doer.tag == "VBZ"
    if not many or doer.head is not root or any(one.tag == "DT" for one in words[:at]):
        return
    root.pos, root.tag = "VERB", "VBP"
    doer.pos = "NOUN" if doer.pos == "VERB" else doer.pos
    for child in [one for one in root.children if one.i < doer.i]:
        hang(child, doer, child.dep)
    hang(doer, root, "nsubj")


def _participle_taken_for_verb(sentence: Sentence) -> None:
    """The verb that has a form of its own is the sentence's: "Protesters waving flags attacked the embassy"."""
    root = sentence.root
    if root.tag != "VBG" or any(one.dep in ("aux", "auxpass") for one in root.children):
        return
    subject = next((one for one in root.children if one.dep == "nsubj" and one.i == root.i - 1), None)
    verb = next((one for one in root.children if one.dep == "conj" and one.tag in FINITE), None)
    if subject is None or verb is None or any(one.dep in ("cc", "punct") and one.i < verb.i for one in root.children):
        return
    for child in [one for one in root.children if one.i > verb.i]:
        hang(child, verb, child.dep)
    hang(subject, verb, "nsubj")
    sentence.root = verb
    _make_root(verb)
    hang(root, subject, "acl")


def _clause_of_time_taken_for_whole(sentence: Sentence) -> None:
    """What opens with "after" or "when" is no whole sentence: "A sent ships on Monday, days after B took office"."""
    root = sentence.root
    mark = next((one for one in root.children if one.dep == "mark" and one.lower in TIMES), None)
    said = next((one for one in root.children if one.dep == "ccomp" and one.tag in FINITE), None)
    if mark is None or said is None or said.i > mark.i or not any(one.dep == "nsubj" for one in said.children):
        return
    sentence.root = said
    _make_root(said)
    for child in [one for one in root.children if one.i < mark.i and one.dep in ("parataxis", "punct", "ccomp")]:
        hang(child, said, child.dep)
    hang(root, said, "advcl")


def _past_taken_for_adjective(sentence: Sentence) -> None:
    """A noun with a past form behind it that has no other use is a subject: "The bloc X lifted sanctions on B"."""
    root = sentence.root
    if root.pos not in ("PROPN", "NOUN"):
        return
    verb = root.sentence.words[root.i - sentence.first + 1] if root.i - sentence.first + 1 < len(sentence) else None
    if verb is None or verb.tag != "VBD" or verb.dep != "amod" or verb.head.head is not root or verb.head.i < verb.i:
        return
    behind, thing = [one for one in root.children if one.i > verb.i], verb.head
    sentence.root = verb
    _make_root(verb)
    verb.pos = "VERB"
    for child in behind:
        hang(child, verb, "dobj" if child is thing else child.dep)
    for child in [one for one in root.children if one.dep == "nsubj"]:
        hang(child, root, "nmod")
    for child in [one for one in thing.children if one.i < root.i]:
        hang(child, root, child.dep)
    hang(root, verb, "nsubj")


def _clause_taken_for_noun(sentence: Sentence) -> None:
    """A verb has one subject; what stands before it and "and" is a clause: "A massed troops, and B threatened C"."""
    root = sentence.root
    subjects = [one for one in root.children if one.dep == "nsubj" and one.i < root.i]
    if len(subjects) != 2:
        return
    thing, second = subjects
    verb = next((one for one in thing.children if one.dep == "amod" and one.tag == "VBN"), None)
    doer = verb.before if verb is not None else None
    joint = next((one for one in thing.children if one.dep == "cc" and one.i < second.i), None)
    if verb is None or doer is None or joint is None or doer.head is not verb or doer.dep not in LOOSE:
        return
    if doer.pos not in ("PROPN", "NOUN"):
        return
    sentence.root = verb
    _make_root(verb)
    verb.pos, verb.tag = "VERB", "VBD"
    for child in [one for one in thing.children if one.i > thing.i]:
        hang(child, verb, child.dep)
    hang(thing, verb, "dobj")
    hang(doer, verb, "nsubj")
    hang(root, verb, "conj")


def _to_come(sentence: Sentence) -> None:
    """A name, and what it is to do: "Merkel to visit Ankara"."""
    root = sentence.root
    if root.pos not in ("PROPN", "NOUN") or any(one.tag in FINITE for one in sentence.words):
        return
    verb = next((one for one in root.children if one.dep in ("advcl", "acl", "relcl") and one.tag == "VB"), None)
    if verb is None or verb.i != root.i + 2 or verb.before is None or verb.before.lower != "to":
        return
    sentence.root = verb
    _make_root(verb)
    for child in [one for one in root.children if one.i > verb.i]:
        hang(child, verb, child.dep)
    hang(root, verb, "nsubj")


def _two_sides(prep: Word) -> None:
    """Who stands before "and" is one side, not what qualifies the other: "between the Taliban and Afghan envoys"."""
    head = next((one for one in prep.children if one.dep == "pobj"), None)
    if head is None or any(one.dep == "conj" for one in head.children):
        return
    words, first = prep.sentence.words, prep.sentence.first
    within = words[prep.i + 1 - first : head.i - first]
    ands = [one for one in within if one.lower == "and"]
    if len(ands) != 1:
        return
    before = [one for one in within if one.i < ands[0].i]
    side = before[-1] if before else None
    if side is None or side.pos not in ("PROPN", "NOUN") or (before[0].dep == "det" and len(before) == 1):
        return
    behind = [one for one in within if one.i > ands[0].i and one.head is side]
    for one in behind:
        hang(one, head, "amod" if one.pos == "ADJ" else "compound")
    for one in before[:-1]:
        if one.head is head:
            hang(one, side, one.dep)
    hang(side, prep, "pobj")
    hang(ands[0], side, "cc")
    hang(head, side, "conj")


def hang(word: Word, head: Word, dep: str) -> None:
    """Hang a word on another one."""
    if word.head is not word and word in word.head.children:
        word.head.children.remove(word)
    word.head, word.dep = head, dep
    head.children.append(word)
    head.children.sort(key=lambda one: one.i)


def _make_root(word: Word) -> None:
    if word.head is not word:
        word.head.children.remove(word)
    word.head, word.dep = word, "ROOT"
