"""What do the words of a sentence speak for, whatever the patterns say? A second opinion on who did what to whom.

In: a sentence, and the words of a source and a target. Out: for each kind of act (two digits of CAMEO) the logarithm of
its probability by a linear model over words and their places between the two. Its weights are a file to read,
`words/opinion.csv`, fitted by `benchmarks/second_opinion.py`, which says there on what and how well. It only ever
weighs in beside the patterns: `coding.chosen` adds it, times `WEIGHT`, to how well each reading fits.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from powderkeg.text.sentences import Sentence, Word

CONSTANT = "constant"
WEIGHT, SHARPNESS = 0.5, 0.5
"""What the second opinion counts beside a reading's fit, and how sharply both together tell kinds of acts apart: chosen
by cross-validation over sets of sentences (words/opinion.csv)."""
SAY_NOTHING = frozenset({"PUNCT", "NUM", "DET", "PRON", "PROPN", "SPACE", "SYM", "X"})
JOINED = frozenset({"prt", "prep", "dobj", "neg", "agent", "nsubjpass", "aux"})
"""Parts of a clause that are looked at together with their verb: "cut off", "called for"."""
DEEPEST = 20


@dataclass(frozen=True)
class WordWeights:
    """Kinds of acts, and for each feature a weight for each of them."""

    roots: tuple[str, ...]
    of: Mapping[str, tuple[float, ...]]


def features(sentence: Sentence, source: set[int], target: set[int]) -> frozenset[str]:
    """The words of a sentence but those of its two sides, each also with its place: at the joint of the two sides, on
    the way between them, or right below the joint."""
    ways = [list(_up(sentence.words[min(side) - sentence.first])) if side else [] for side in (source, target)]
    shared = next((at for at in ways[0] if at in ways[1]), None)
    joint = shared if shared is not None else None if all(ways) else sentence.root.i
    between = set(ways[0]) ^ set(ways[1])
    found = {CONSTANT}
    for word in sentence:
        if word.i in source or word.i in target or word.pos in SAY_NOTHING:
            continue
        found.add(word.lemma)
        if word.i == joint:
            found |= {f"joint {word.lemma}", f"joint as {word.dep}"}
        elif word.i in between:
            found.add(f"between {word.lemma}")
        elif word.head.i == joint:
            found.add(f"below {word.lemma}")
            if word.dep in JOINED:
                found.add(f"{word.head.lemma} {word.dep} {word.lemma}")
    return frozenset(found)


def _up(word: Word) -> Iterator[int]:
    """A word and all that it hangs on, by their numbers."""
    for _ in range(DEEPEST):
        yield word.i
        if word.head is word:
            return
        word = word.head


@cache
def weights() -> WordWeights:
    """The weights as `words/opinion.csv` has them."""
    text = (resources.files("powderkeg.text") / "words" / "opinion.csv").read_text(encoding="utf-8")
    rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    _, *roots = next(rows)
    return WordWeights(tuple(roots), {name: tuple(float(one or 0) for one in said) for name, *said in rows})


def opinions(of: frozenset[str], by: WordWeights | None = None) -> dict[str, float]:
    """Two digits of CAMEO -> logarithm of the probability that these features speak for."""
    known = weights() if by is None else by
    sums = [0.0] * len(known.roots)
    for name in sorted(of):
        for n, weight in enumerate(known.of.get(name, ())):
            sums[n] += weight
    most = max(sums)
    whole = most + math.log(sum(math.exp(one - most) for one in sums))
    return {root: one - whole for root, one in zip(known.roots, sums, strict=True)}
