"""How sure is a coded event beside the others that its sentence tells?

In: the events of a sentence, each with the probability that it has by itself. Out: the same with probabilities that
know of each other: a hand coder notes one event of most sentences, so what a surer one leaves is less likely than it
looks, and what stands alone more. A second logistic model, whose weights stand in `words/sureness.csv` too, under names
that begin with "beside: ".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from powderkeg.text.before import Mention
from powderkeg.text.sureness import TOLD, weights

BESIDE = "beside: "
OWN_ODDS = f"{BESIDE}own log odds"
SEEN = 0.02
"""Events less sure than this are nobody's rivals."""
NO_EVENTS = frozenset({"question", "condition", "negated", "only counted", "sport"})
"""Doubts that nothing beside an event takes away: of too few sentences to learn from."""
MOST_ODDS, MOST_OTHERS = 4.0, 3.0


@dataclass(frozen=True)
class Coded:
    """One act in one sentence.

    code         CAMEO
    source, target  who, as mentions; target None where the sentence names nobody
    words        positions of the words that carry the act
    rules        patterns and frames, outermost first
    probability  of being right, as fitted (words/sureness.csv)
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


def beside(events: Sequence[Coded], by: Mapping[str, float] | None = None) -> list[Coded]:
    """The events of a sentence, each as sure as it is beside the others. `by`: weights, else those that ship."""
    known = weights() if by is None else by
    if OWN_ODDS not in known:
        return list(events)
    found = []
    for one in events:
        total = sum(known.get(name, 0.0) * value for name, value in features_beside(one, events).items())
        sure = round(1 / (1 + math.exp(-total)), 3)
        found.append(replace(one, probability=min(sure, one.probability) if NO_EVENTS & set(one.unsure) else sure))
    return found


def features_beside(one: Coded, events: Sequence[Coded]) -> dict[str, float]:
    """What the probability of an event is made of beside the others: name -> value."""
    own = _odds(one.probability)
    found = {f"{BESIDE}constant": 1.0, OWN_ODDS: own}
    others = [other for other in events if other is not one and other.probability > SEEN]
    if not others:
        return found | {f"{BESIDE}alone": 1.0}
    rival = max(others, key=lambda other: other.probability)
    lead = own - _odds(rival.probability)
    found[f"{BESIDE}all others"] = min(sum(other.probability for other in others), MOST_OTHERS)
    same = "of the same words" if rival.words == one.words else "of other words"
    if lead >= 0:
        found[f"{BESIDE}the next"] = rival.probability
        found[f"{BESIDE}the next {same}"] = 1.0
        return found
    found[f"{BESIDE}a surer one"] = 1.0
    found[f"{BESIDE}how much surer"] = min(-lead, MOST_ODDS)
    found[f"{BESIDE}the surer one"] = rival.probability
    found[f"{BESIDE}a surer one {same}"] = 1.0
    if TOLD in rival.unsure:
        found[f"{BESIDE}a surer one that is {TOLD}"] = 1.0
    if rival.source.name == one.source.name:
        found[f"{BESIDE}a surer one of the same source"] = 1.0
    if rival.target is not None and one.target is not None and rival.target.name == one.target.name:
        found[f"{BESIDE}a surer one on the same target"] = 1.0
    if one.target is not None and rival.source.name == one.target.name:
        found[f"{BESIDE}a surer one of the target"] = 1.0
    if rival.words[0] < one.words[0]:
        found[f"{BESIDE}a surer one before"] = 1.0
    return found


def _odds(probability: float) -> float:
    known = min(max(probability, 0.001), 0.999)
    return math.log(known / (1 - known))
