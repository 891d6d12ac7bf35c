"""Where do events of a set of sentences get lost, and of what kinds are those that are told falsely?

In: sentences of ours (`benchmarks/sentences/*.csv`) or the textbook sentences that may be read ($POWDERKEG_DATA/text),
coded by the words and weights that ship. Out: totals, what was lost by kinds, and with `--sentences` each lost or false
event with its sentence. A set that only measures ("fourteenth") is never shown sentence by sentence.

    [POWDERKEG_DATA=...] python benchmarks/losses.py thirteenth fourteenth [--sentences] [--least 0.58]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import coded_probabilities as own
import coded_sets

from powderkeg.text.coder import LEAST
from powderkeg.text.coding import adjusted, settled
from powderkeg.text.rivals import Coded
from powderkeg.text.scoring import Gold, _agrees, _is_side

ONLY_MEASURES = ("fourteenth", "sixteenth", "eighteenth")
"""Written with the thirteenth, fifteenth and seventeenth, and told from them by a checksum before any was coded."""
FOUND, FAINT, OTHERS, ACT, SOURCE, TARGET, SIDES, NOTHING = (
    "found", "too unsure to be told", "read rightly, but another reading was surer", "right sides, another act",
    "right act and target, another source", "right act and source, another target", "right act, both sides others",
    "no such act read",
)  # fmt: skip


def as_coded(told: own.Told) -> Iterator[Coded]:
    """Every candidate of a sentence as an event."""
    for sentence, readings in told.read:
        for lists in readings:
            for group in lists:
                for one, _, sure in group:
                    code = adjusted(one.reading.code, one.source, one.target, sentence)
                    yield Coded(code, one.source, one.target, one.reading.words, one.reading.rules, sure, one.unsure,
                                one.both)  # fmt: skip


def is_of(told: own.Told, one: Coded, gold: Gold) -> tuple[bool, bool, bool]:
    """Whether an event has a gold event's act, source, target."""
    row = own._row(one, one.code)
    act = told.types.of(one.code) == told.types.of(gold.code)
    if _agrees(row, gold):
        return act, True, True
    source = _is_side(row, "source", gold.sources, gold.text)
    return act, source, not gold.targets or _is_side(row, "target", gold.targets, gold.text)


def kind_of_loss(told: own.Told, gold: Gold, events: Sequence[Coded], least: float) -> str:
    """What became of a gold event."""
    here = [(is_of(told, one, gold), one) for one in events]
    if any(all(of) and one.probability >= least for of, one in here):
        return FOUND
    if any(all(of) for of, _ in here):
        return FAINT
    every = [is_of(told, one, gold) for one in as_coded(told)]
    return OTHERS if any(map(all, every)) else nearest_miss(every)


def nearest_miss(every: Iterable[tuple[bool, bool, bool]]) -> str:
    """What is wrong with the nearest reading; of each whether act, source and target are right."""
    every = list(every)
    if any(source and target for _, source, target in every):
        return ACT
    acts = [(source, target) for act, source, target in every if act]
    if any(target for _, target in acts):
        return SOURCE
    if any(source for source, _ in acts):
        return TARGET
    return SIDES if acts else NOTHING


def events_of(told: own.Told) -> list[Coded]:
    """The events of a text by the weights that ship."""
    return [one for sentence, readings in told.read for one in settled(readings, sentence)]


def counted(texts: Sequence[own.Told], least: float) -> tuple[dict[str, float], Counter[str]]:
    """End to end, and what became of the gold events."""
    found = [(one, events_of(one)) for one in texts]
    lost = Counter(kind_of_loss(one, gold, events, least) for one, events in found for gold in one.gold)
    return own.scored(found, least), lost


def shown(told: own.Told, least: float) -> Iterator[str]:
    """A text with what was lost or told falsely in it; nothing where all is right."""
    events = events_of(told)
    kinds = [kind_of_loss(told, gold, events, least) for gold in told.gold]
    false = any(not told.is_right(one) for one in events if one.probability >= least)
    if not false and not set(kinds) - {FOUND}:
        return
    yield told.text
    for gold, kind in zip(told.gold, kinds, strict=True):
        sides = ["|".join(side[0] for side in sides) for sides in (gold.sources, gold.targets)]
        yield f"    {gold.code} {sides[0]} > {sides[1]}: {kind}"
    for one in events:
        target = one.target.name if one.target else "-"
        yield (
            f"      {'+' if told.is_right(one) else ' '} {one.probability:.2f} {one.code} {one.source.name} > {target}"
            f"   [{' < '.join(one.rules)}] {', '.join(one.unsure)}"
        )
    yield ""


def main() -> None:
    """Count and, if asked, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help=f"textbook, {', '.join(coded_sets.OWN)}")
    parser.add_argument("--sentences", action="store_true")
    parser.add_argument("--least", type=float, default=LEAST)
    asked = parser.parse_args()
    for name in asked.sets:
        golds = (
            coded_sets.gold_of_textbook("patterns")
            if name == "textbook"
            else coded_sets.gold_of(coded_sets.sentences_of(name))
        )
        texts = own.told(name, golds)
        if asked.sentences and name not in ONLY_MEASURES:
            for one in texts:
                print(*shown(one, asked.least), sep="\n", end="")
        score, lost = counted(texts, asked.least)
        print(
            f"{name}: {score['sentences']:.0f} sentences, precision {score['precision']:.3f} recall "
            f"{score['recall']:.3f} F1 {score['f1']:.3f} false per 100 {score['false']:.1f}"
        )
        print(*(f"    {count:4d} {kind}" for kind, count in lost.most_common()), sep="\n")


if __name__ == "__main__":
    main()
