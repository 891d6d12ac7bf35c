"""How often are reports coded rightly? Measures it and writes the part of `docs/text.md` that tells.

In: the textbook sentences (their place is $POWDERKEG_DATA/text), and reports made of simulated histories. Out: the text
between two marks in docs/text.md, made anew.

    POWDERKEG_DATA=... python benchmarks/text_page.py
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import coded_probabilities
import coded_reports
import coded_sets
import losses
import second_opinion
import textbook

from powderkeg.text import Score, code, score_coding
from powderkeg.text.coder import LEAST
from powderkeg.text.given import code_given
from powderkeg.text.giving import classified
from powderkeg.text.scoring import _Types
from powderkeg.text.sureness import weights

PAGE = Path(__file__).resolve().parent.parent / "docs" / "text.md"
FIRST, LAST = "<!-- measured by benchmarks/text_page.py -->", "<!-- end of what was measured -->"


WIDTH = 120
WEIGHTS = coded_probabilities.OUT
LAST_WRITTEN = "twelfth"


def measured(records: list[dict[str, Any]]) -> tuple[Score, Score, Score]:
    """End to end; with source and target given; and the same by patterns alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gold = folder / "gold.json"
        gold.write_text(json.dumps(records), encoding="utf-8")
        rows = folder / "rows.jsonl"
        rows.write_text("\n".join(json.dumps(_row(one)) for one in records), encoding="utf-8")
        told = (code(gold, "2000-01-01", mentions=True), code_given([rows]), code_given([rows], opinion=False))
        return score_coding(told[0], gold), score_coding(told[1], gold), score_coding(told[2], gold)


def _row(record: dict[str, Any]) -> dict[str, str]:
    """A record with its sides as words; of an act of both sides the second is the target."""
    sides = [[one["actorText"] for one in _listed(record.get(key))] for key in ("source", "target")]
    source, target = sides[0][:1], sides[1][:1] or sides[0][1:2]
    return {
        "id": record["id"], "text": record["text"], "source": " ".join(source), "target": " ".join(target),
        "date": "2000-01-01",
    }  # fmt: skip


def _listed(said: Any) -> list[dict[str, Any]]:
    listed = said if isinstance(said, list) else [said]
    return [one for one in listed if isinstance(one, dict)]


def lines(halves: dict[str, tuple[Score, Score, Score]], found: dict[str, float]) -> Iterator[str]:
    """The text, line by line."""
    yield from wrap(
        "Measured on 316 textbook sentences (PLOVER's records of CAMEO's examples, 322 events). One half was read "
        "while the patterns were written; of the other only scores were looked at, though again and again, which "
        "flatters them a little. They are textbook sentences, not a sample of news: on news expect less. F1 means "
        "are over the 18 types, some of which have few examples in a half.",
        WIDTH,
    )
    yield from (
        "",
        "| | half that was read | half that was only scored |",
        "|---|---|---|",
    )
    read, counted = halves["patterns"], halves["measure"]
    for what, value in (
        ("source and target given: types, mean F1", lambda pair: f"{pair[1].macro['types']:.2f}"),
        ("source and target given: types, share right", lambda pair: f"{pair[1].accuracy['types']:.2f}"),
        ("source and target given: classes, mean F1", lambda pair: f"{pair[1].macro['classes']:.2f}"),
        ("source and target given: classes, share right", lambda pair: f"{pair[1].accuracy['classes']:.2f}"),
        ("by patterns alone: types, mean F1", lambda pair: f"{pair[2].macro['types']:.2f}"),
        ("by patterns alone: classes, mean F1", lambda pair: f"{pair[2].macro['classes']:.2f}"),
        ("end to end: precision", lambda pair: f"{pair[0].events['precision']:.2f}"),
        ("end to end: recall", lambda pair: f"{pair[0].events['recall']:.2f}"),
        ("end to end: F1", lambda pair: f"{pair[0].events['f1']:.2f}"),
        ("false events in 100 sentences", lambda pair: f"{pair[0].events['false_per_100']:.0f}"),
    ):
        yield f"| {what} | {value(read)} | {value(counted)} |"
    yield from _last_written()
    yield from _wires()
    yield from _probabilities()
    yield from ("", "By type, on the half that was only scored, source and target given:", "")
    yield from ("| type | sentences | found | right | F1 |", "|---|---|---|---|---|")
    for row in counted[1].by_type:
        yield f"| {row['type']} | {row['gold']} | {row['coded']} | {row['right']} | {row['f1']:.2f} |"
    worst = [f"{row['gold']} taken for {row['coded']} ({row['events']})" for row in counted[1].confusion[:6]]
    yield from ("", f"Most often: {', '.join(worst)}.", "")
    yield from wrap(
        f"On {found['reports']:.0f} short reports made of simulated histories of north Kosovo by templates of many "
        f"forms (`benchmarks/coded_reports.py`), {found['found']:.0%} of {found['acts']:.0f} acts "
        f"came back with the right "
        f"dyad and class, and {found['within_a_day']:.0f} of {found['standoffs']:.0f} standoffs within a day of the "
        "true ones. Templates are far plainer than news. The whole coding, parse included, does 100 "
        "to 200 sentences of the "
        "length of news a second of processor time on one core.",
        WIDTH,
    )


def _last_written() -> Iterator[str]:
    """Own sentences from which no pattern was written, the last written set that was only scored among them."""
    golds = coded_sets.gold_of(coded_sets.OWN[LAST_WRITTEN])
    events = sum(map(len, golds.values()))
    fresh, (_, roots, classes) = _by_ways("all fresh"), _by_ways(LAST_WRITTEN)
    kept = _head(WEIGHTS)
    ((precision, recall, f1, false),) = re.findall(
        LAST_WRITTEN + r" .*?precision ([\d.]+) recall ([\d.]+) F1 ([\d.]+) false per 100 ([\d.]+)", kept
    )
    yield ""
    yield from wrap(
        f"On {fresh[0]} own sentences in the manner of news from which no pattern was written, source and target "
        f"given: mean F1 of types {fresh[1][0]} by patterns alone and {fresh[1][2]} where the other words weigh in, of "
        f"classes {fresh[2][0]} and {fresh[2][2]} (each set coded by weights of words that were fitted on all others). "
        "The last of these sets goes through the codebook code by code, was written before the last round of patterns "
        f"and never looked at: {len(golds)} sentences ({len(golds) - events} of which tell no event), types {roots[0]} "
        f"and {roots[2]}, classes {classes[0]} and {classes[2]}; before that round types 0.83. End to end, in "
        f"tenfold cross-validation: precision {precision}, recall {recall}, F1 {float(f1):.2f}, {float(false):.0f} "
        "false events in 100 sentences. All these are ours, and plainer than much news.",
        WIDTH,
    )


def _wires() -> Iterator[str]:
    """Sentences in the manner of wires that were only scored: end to end, and by kinds of loss."""
    name, headlines, latest = losses.ONLY_MEASURES
    golds = coded_sets.gold_of(coded_sets.sentences_of(name))
    score, lost = losses.counted(coded_probabilities.told(name, golds), LEAST)
    events = sum(map(len, golds.values()))
    actors = lost[losses.SOURCE] + lost[losses.TARGET] + lost[losses.SIDES]
    asked = [(text, one) for text, here in golds.items() for one in here]
    types = _Types(one.code for _, one in asked)
    rows = [(text, one.sources[0][0], one.targets[0][0] if one.targets else "") for text, one in asked]
    pairs = [(one.code, found.code) for (_, one), found in zip(asked, classified(rows), strict=True)]
    right = [sum(of(a) == of(b) for a, b in pairs) / len(pairs) for of in (types.of, types.tone)]
    lacking = events - lost[losses.FOUND]
    yield ""
    yield from wrap(
        f"Another {score['sentences']:.0f} own sentences in the manner of wires, from all parts of the world, with "
        "unnamed gunmen, crowds and villagers, titles and appositions, are in no fit and were only scored, though "
        "again and again, once to choose between features, which flatters them a little: "
        f"{events} events, end to end precision {score['precision']:.2f}, recall {score['recall']:.2f}, F1 "
        f"{score['f1']:.2f}, {score['false']:.0f} false events in 100 sentences (before names and grammar of actors "
        "were mended on a set written together with it: 0.82, 0.59, 0.68, 12; before probabilities were fitted "
        "with what stands where and beside which other events: 0.82, 0.63, 0.72, 13). "
        f"Of the {lacking} that are lost, {actors} have the right act with another actor, {lost[losses.FAINT]} are too "
        f"unsure to be told, {lost[losses.ACT]} have another act between the right two. Source and target given, "
        f"{right[0]:.2f} have the right type and {right[1]:.2f} the right class.",
        WIDTH,
    )
    yield from _headlines(headlines)
    yield from _latest(latest)


def _headlines(name: str) -> Iterator[str]:
    """Sentences of all kinds of constructions, headlines among them, that were only scored: end to end."""
    golds = coded_sets.gold_of(coded_sets.sentences_of(name))
    score, lost = losses.counted(coded_probabilities.told(name, golds), LEAST)
    events = sum(map(len, golds.values()))
    yield ""
    yield from wrap(
        f"{score['sentences']:.0f} more own sentences go through ways of telling: headlines, datelines, passives, "
        "relative clauses and participles, fighting and talks between two, deeds told by a noun, light verbs, quotes, "
        f"denials and what-ifs. They were written at once with as many to look at, and only scored, twice: {events} "
        f"events, precision {score['precision']:.2f}, recall {score['recall']:.2f}, F1 {score['f1']:.2f}, "
        f"{score['false']:.0f} false events in 100 sentences; before headlines and these ways were mended and "
        f"probabilities fitted anew 0.81, 0.60, 0.69, 13. {lost[losses.NOTHING]} have no such act read at all.",
        WIDTH,
    )


def _latest(name: str) -> Iterator[str]:
    """Sentences that came after all fits and patterns: end to end."""
    golds = coded_sets.gold_of(coded_sets.sentences_of(name))
    score, _ = losses.counted(coded_probabilities.told(name, golds), LEAST)
    yield ""
    yield from wrap(
        f"{score['sentences']:.0f} own sentences were written after the last patterns and the last fit; nothing was "
        f"changed in their view: {sum(map(len, golds.values()))} events, precision {score['precision']:.2f}, recall "
        f"{score['recall']:.2f}, F1 {score['f1']:.2f}, {score['false']:.0f} false events in 100 sentences.",
        WIDTH,
    )


def _head(path: Path) -> str:
    """What stands at the head of a file of weights."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def _by_ways(name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """How many sentences a set has, and mean F1 of roots and of classes by patterns, by words and by both."""
    number = r"([\d.]+)/([\d.]+)"
    pattern = rf"{name} +(\d+) sentences, mean F1 of roots/classes: patterns {number}, words {number}, both {number}"
    ((count, *found),) = re.findall(pattern, _head(second_opinion.OUT))
    told = [f"{float(one):.2f}" for one in found]
    return count, tuple(told[::2]), tuple(told[1::2])


def _probabilities() -> Iterator[str]:
    """How right the probabilities are: on own sentences that gave no pattern, and on the half that is only scored."""
    kept = [
        line.removeprefix("#").strip() for line in WEIGHTS.read_text(encoding="utf-8").splitlines() if line[0] == "#"
    ]
    at = next(n for n, line in enumerate(kept) if line.startswith("no pattern"))
    fresh = re.findall(r"([\d.]+) > ([\d.]+) \((\d+)\)", " ".join(kept[at + 2 : at + 4]))
    (sentences,) = re.findall(r"no pattern (\d+) sentences", kept[at - 1] + " " + kept[at])
    brier, ece = re.findall(r"Brier ([\d.]+) ECE ([\d.]+)", kept[at])[0]
    shipped = weights()
    texts = coded_probabilities.told("textbook", coded_sets.gold_of_textbook("measure"))
    sure = coded_probabilities.reliability([(one, one.coded(shipped)) for one in texts])
    scored = {int(said * 10): (said, right, count) for said, right, count in sure.bins}
    yield ""
    yield from wrap(
        f"How right the probabilities are, all events counted, also those left out: on {sentences} own sentences in "
        "the manner of news (tenfold cross-validation; no pattern was written from them, but the errors of 315 were "
        "looked at while the grammar was mended), and on the textbook half that was only "
        f"scored. Calibration error {ece} and {sure.ece:.3f}, Brier score {brier} and {sure.brier:.3f}.",
        WIDTH,
    )
    yield from ("", "| probability said | of own sentences right (events) | of the textbook half right (events) |")
    yield "|---|---|---|"
    own = {int(float(said) * 10): (right, count) for said, right, count in fresh}
    for tenth in range(10):
        left = "{} ({})".format(*own[tenth]) if tenth in own else "–"
        right = f"{scored[tenth][1]:.2f} ({scored[tenth][2]})" if tenth in scored else "–"
        yield f"| {tenth / 10:.1f} to {(tenth + 1) / 10:.1f} | {left} | {right} |"


def main() -> None:
    """Measure, and write the page anew."""
    path = Path(os.environ["POWDERKEG_DATA"]) / "text" / "plover_gsr_cameo.json"
    halves = {half: measured(textbook.records(path, half)) for half in textbook.HALVES}
    text = "\n".join(lines(halves, coded_reports.main(500, 1)))
    page = PAGE.read_text(encoding="utf-8")
    made = re.sub(f"{FIRST}.*?{LAST}", lambda _: f"{FIRST}\n\n{text}\n\n{LAST}", page, flags=re.DOTALL)
    PAGE.write_text(made, encoding="utf-8", newline="\n")
    print(text)


if __name__ == "__main__":
    main()
