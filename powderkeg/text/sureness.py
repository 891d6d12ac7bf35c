"""How sure is it that a coded event is right?

In: a candidate (an act between two actors). Out: a probability: a logistic model of how the act was read and how its
two sides were found. Its weights are a file that people can read, `words/sureness.csv`, fitted by
`benchmarks/coded_probabilities.py`, which says there on what and how well. A feature is named in plain words; one that
the file does not hold weighs nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources

from powderkeg.text.before import Mention
from powderkeg.text.candidates import MAY_LACK_TARGET, ActBetween
from powderkeg.text.grammar import is_verb
from powderkeg.text.sentences import Sentence, Word

CONSTANT = "constant"
TOLD = "told of another"
"""Doubt of an accusation that is read from what somebody says another did."""
MOST_WEIGHT = 4.0
FAR, FARTHEST = 8, 20
"""Words between an act and its target from which on they are far."""
COMPLAINTS = "11"
"""Who complains to one about another accuses the other."""
_DEEDS = {"words": (1, 2, 3, 4, 5), "help": (6, 7, 8), "reproach": (9, 10, 11, 12, 13), "a crowd's deed": (14,),
          "force": (15, 16, 17, 18, 19, 20)}  # fmt: skip
DEEDS = {f"{root:02d}": name for name, roots in _DEEDS.items() for root in roots}
QUOTES = frozenset({'"', "``", "''"})
FULL_STOPS = (".", "!", "?", '"', "'", ")")
STRONG, WEAK, MIDDLING = 0.9, 0.6, 0.7


def features(one: ActBetween, sentence: Sentence, readings: int) -> dict[str, float]:
    """What the probability of a candidate is made of: name -> value, most 1 where it holds.

    readings  how many acts were read in the sentence
    """
    reading = one.reading
    token = sentence.words[reading.at - sentence.first]
    found = {
        CONSTANT: 1.0,
        "words of the pattern": min(reading.weight, MOST_WEIGHT) - 1.5,
        "further acts in the sentence": math.log(readings),
        "depth in the tree": min(_depth(token), 6) / 2.0,
        f"source: {one.found[0]}": 1.0,
        f"target: {one.found[1]}": 1.0,
        "places before this one": min(one.rank, 3.0),
        f"type: {reading.code[:2]}": 1.0,
        f"source is {_certain(one.source)}": 1.0,
    }
    frames = [rule.split(" ", 1)[0] for rule in reading.rules if "acts.txt:" not in rule.split(" ", 1)[0]]
    for name in frames:
        found[f"frame: {name}"] = 1.0
    if len(frames) > 1:
        found["several frames"] = 1.0
    found[f"source kind: {_kind(one.source)}"] = 1.0
    if token is sentence.root:
        found["the verb of the sentence"] = 1.0
    if not is_verb(token):
        found["a noun says it"] = 1.0
        if token.dep in ("nsubj", "nsubjpass") and token.head is sentence.root:
            found["a noun says it, the subject of the sentence"] = 1.0
    for doubt in reading.unsure:
        found[f"doubt: {doubt}"] = 1.0
        if doubt == TOLD:
            found[f"{TOLD} by {one.source.kind or 'a country'}"] = 1.0
    if one.both:
        found["both act alike"] = 1.0
    if one.source.at > reading.at:
        found["source behind the verb"] = 1.0
    if reading.code.startswith(COMPLAINTS) and one.found[1].startswith("to"):
        found["a complaint, and to whom"] = 1.0
    if reading.code.startswith(MAY_LACK_TARGET) and one.found[1] == "another clause":
        found["an act that needs no target, and one from another clause"] = 1.0
    found |= _of_place(one, token, sentence)
    found |= _of_target(one, sentence)
    if one.target is not None:  # who attacks attacks people, who visits visits countries
        found[f"{DEEDS[reading.code[:2]]} against {_kind(one.target)}"] = 1.0
    return found


def _of_place(one: ActBetween, token: Word, sentence: Sentence) -> dict[str, float]:
    """Features of where an act stands in its sentence."""
    at = one.reading.at
    found = {
        "how far behind in the sentence": (at - sentence.first) / len(sentence),
        "source far from the act": min(abs(one.source.at - at), FARTHEST) / 10.0,
        "words that carry it": min(len(one.reading.words), 4) - 1.0,
        f"stands as {token.dep}": 1.0,
    }
    if token.dep == "conj" and is_verb(token):
        found["a further verb"] = 1.0
        if token.head is sentence.root:
            found["joined to the verb of the sentence"] = 1.0
    if token.tag in ("VBG", "VBN"):
        found[f"the form {token.tag}"] = 1.0
    if sum(word.text in QUOTES for word in sentence.words if word.i < at) % 2:
        found["in a quotation"] = 1.0
    if not sentence.text.rstrip().endswith(FULL_STOPS):
        found["without a full stop"] = 1.0
    return found


def _of_target(one: ActBetween, sentence: Sentence) -> dict[str, float]:
    """Features of the target, and of the two together."""
    target = one.target
    if target is None:
        return {}
    found = {
        f"target is {_certain(target)}": 1.0,
        f"target kind: {_kind(target)}": 1.0,
        f"source {_certain(one.source)}, target {_certain(target)}": 1.0,
    }
    lands = [side.country for side in (one.source, target) if side.country]
    found[f"countries: {len(set(lands)) if len(lands) != 1 else 'of one side'}"] = 1.0
    if one.source.kind and target.kind:
        found["people on people"] = 1.0
    first, last = sorted((one.source.at, target.at))
    found["verbs between the sides"] = min(sum(first < word.i < last and is_verb(word) for word in sentence), 4) / 2.0
    if one.beside:
        found["target beside the head"] = 1.0
    if target.country and target.country == one.source.country:
        placed = min(target.sure, one.source.sure) <= MIDDLING
        found["both of the country where it happened" if placed else "both of one country"] = 1.0
        found[f"both of one country: {DEEDS[one.reading.code[:2]]}"] = 1.0
        found[f"both of one country: target {_kind(target)}"] = 1.0
    if abs(target.at - one.reading.at) > FAR:
        found["target far away"] = 1.0
    if target.at < one.reading.at and one.found[1] not in ("subject", "joined"):
        found["target before the verb"] = 1.0
    if not target.country and not target.kind:
        found["target of no known kind"] = 1.0
    return found


def _certain(one: Mention) -> str:
    """How a side was recognised."""
    if one.sure > STRONG:
        return "of a known name" if not one.kind else "of a known country"
    if one.sure > MIDDLING:
        return "by its place or office"
    if one.country and one.kind:
        return "of the country where it happened"
    return "of no known country" if one.sure > WEAK and one.kind else "a name that no file knows"


def _kind(one: Mention) -> str:
    return one.kind or ("a country" if one.country else "unknown")


def _depth(token: Word) -> int:
    depth = 0
    while token.head is not token and depth < 12:
        token, depth = token.head, depth + 1
    return depth


@cache
def weights() -> Mapping[str, float]:
    """Feature -> weight, as `words/sureness.csv` has them."""
    text = (resources.files("powderkeg.text") / "words" / "sureness.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["feature"]: float(row["weight"]) for row in rows}


def probability(of: Mapping[str, float], by: Mapping[str, float] | None = None) -> float:
    """The logistic function of weighted features."""
    known = weights() if by is None else by
    total = sum(known.get(name, 0.0) * value for name, value in of.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))
