"""Sentences with the events that hand coders found in them: what weights of the coder are fitted to and held against.

In: the textbook sentences ($POWDERKEG_DATA/text), and sentences of ours in the manner of news
(`tests/text/sentences.csv`, `benchmarks/sentences/*.csv`), each with the event that it tells first. Out: the events by
sentence.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import textbook

from powderkeg.text.scoring import Gold, _sides

HERE = Path(__file__).resolve().parent
OWN = {"tests": HERE.parent / "tests" / "text" / "sentences.csv"} | {
    name: HERE / "sentences" / f"{name}.csv"
    for name in ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
                 "eleventh", "twelfth", "thirteenth", "fifteenth", "seventeenth")
}  # fmt: skip
PATTERNS_FROM = (
    "textbook",
    "tests",
    "first",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "eleventh",
    "thirteenth",
)
"""Sets from which patterns were written."""


def gold_of_textbook(half: str) -> dict[str, list[Gold]]:
    """The textbook sentences of one half."""
    found: dict[str, list[Gold]] = defaultdict(list)
    path = Path(os.environ["POWDERKEG_DATA"]) / "text" / "plover_gsr_cameo.json"
    for one in textbook.records(path, half):
        sides = _sides(one.get("source")), _sides(one.get("target"))
        found[one["text"]].append(Gold(one["id"], one["text"], *sides, one["event"].upper()))
    return found


def gold_of(path: Path) -> dict[str, list[Gold]]:
    """Sentences of ours; those without a code tell no event. Of words between strokes ("gunmen|Mali") one will do."""
    found: dict[str, list[Gold]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";", quoting=csv.QUOTE_NONE):
            here = found.setdefault(row["sentence"], [])
            if row["root"]:
                sides = [tuple((side, "") for side in row[key].split("|") if side) for key in ("source", "target")]
                here.append(Gold("", row["sentence"], sides[0], sides[1], row["root"]))
    return found


def sentences_of(name: str) -> Path:
    """Where a set of sentences of ours lies."""
    return OWN.get(name, HERE / "sentences" / f"{name}.csv")
