"""How often is a coder right?

In: a coded table, and gold: sentences with who did what to whom, coded by hand in CAMEO or PLOVER. Out: precision and
recall end to end (source, act, target), by type and by the four classes, false events per 100 sentences, and a table of
what was taken for what; where source and target were given, how often the class was right.

A side is right if the words that carry it overlap the gold's words in the sentence, or, where gold names no words that
stand there, if its country is the gold's. An act is right if it has the gold's type: CAMEO's first two digits, or
PLOVER's type. Each coded event can be right once; one with several targets, coded once for each, counts once. A false
event is one that is not right.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from powderkeg.errors import EventError, Fault, must_be, nearest_name
from powderkeg.events.codes import entries, to_plover
from powderkeg.events.table import EventTable
from powderkeg.showing import ShowsItself, as_html
from powderkeg.wording import counted

OLDER = {
    "DEMAND": "REQUEST", "DISAPPROVE": "ACCUSE", "INVESTIGATE": "ACCUSE", "FIGHT": "ASSAULT", "YIELD": "RETREAT",
    "REDUCE": "SANCTION", "REDUCE_RELATIONS": "SANCTION", "APPEAL": "REQUEST", "COERCION": "COERCE",
}  # fmt: skip
"""Names of types in older versions of PLOVER -> in the codebook."""
BY_ROOT = {
    "09": "INVESTIGATE",
    "11": "DISAPPROVE",
    "19": "FIGHT",
    "20": "FIGHT",
    "02": "APPEAL",
    "10": "DEMAND",
    "08": "YIELD",
}
"""Which older type a CAMEO root is, where gold uses it."""
FIRST_DRAFT = {"16": "SANCTION", "17": "COERCE", "18": "ASSAULT"}
"""The draft of PLOVER that still had FIGHT followed CAMEO's roots; later tables move sanctions and repression."""
NONE = "none"
TEXTS, SOURCES, TARGETS, ACTS = ("text", "sentence"), ("source", "source_actor", "actor"), ("target", "target_actor",
    "recipient"), ("code", "cameo", "event", "act", "plover", "type", "label", "root")  # fmt: skip
SHOWN = 40


@dataclass(frozen=True)
class Gold:
    """One event coded by hand.

    sources, targets  (words, country or code) of each; the words may be "" and so may the code
    """

    id: str
    text: str
    sources: tuple[tuple[str, str], ...]
    targets: tuple[tuple[str, str], ...]
    code: str


@dataclass(frozen=True)
class Score(ShowsItself):
    """How well a coder did.

    level      "two digits of CAMEO" or "types of PLOVER"
    events     end to end: gold, coded, right, precision, recall, f1, false_per_100
    by_type    type, gold, coded, right, precision, recall, f1: the act alone, where both sides are right or given
    by_class   the same for the four classes
    confusion  gold, coded, events: what was taken for what, "none" for what was not found
    macro      mean F1 over the types and over the classes of the gold
    """

    sentences: int
    level: str
    given: bool
    events: Mapping[str, float]
    by_type: list[dict[str, Any]]
    by_class: list[dict[str, Any]]
    confusion: list[dict[str, Any]]
    macro: Mapping[str, float]
    accuracy: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {self.events[name]:.2f}" for name in ("precision", "recall", "f1"))
        return f"Score({counted(self.sentences, 'sentence')}, {self.level}: {found})"

    def _repr_html_(self) -> str:
        return as_html(self, pl.DataFrame(self.by_type, infer_schema_length=None))

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "sentences": self.sentences, "level": self.level, "given": self.given, "events": dict(self.events),
            "macro_f1": dict(self.macro), "accuracy": dict(self.accuracy), "by_type": self.by_type,
            "by_class": self.by_class, "confusion": self.confusion,
        }  # fmt: skip


def score_coding(coded: EventTable | pl.DataFrame, gold: str | Path | Sequence[Gold]) -> Score:
    """How well a coded table agrees with gold.

    gold  a file: CSV, JSON or JSON Lines with columns text, source, target, code; or records of PLOVER

    Raises EventError for a file or a list that holds no gold.
    """
    must_be("coded", coded, (EventTable, pl.DataFrame), "a table of coded events, such as code(...) gives")
    must_be("gold", gold, (str, Path, Iterable), "a file, or records")
    hand = list(gold) if not isinstance(gold, str | Path) else read_gold(gold)
    if not hand:
        raise EventError(Fault.at("gold", "no records", "at least one event coded by hand"), "nothing was scored")
    frame = coded.frame if isinstance(coded, EventTable) else coded
    missing = [one for one in ("source", "target", "code") if one not in frame.columns]
    if missing:
        expected = "a table of `events code`, or columns source, target, code and sentence or event_id"
        raise EventError(Fault.at("coded", f"no column {', '.join(missing)}", expected), "nothing was scored")
    types = _Types(one.code for one in hand)
    texts = {one.text for one in hand}
    rows = _by_text(frame, hand)
    if "given" in frame.columns and bool(frame["given"].any()):
        return _score_given(hand, rows, types, len(texts))
    return _score_events(hand, rows, types, len(texts))


def read_gold(path: str | Path) -> list[Gold]:
    """Events coded by hand. Raises EventError naming the file's faults."""
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if Path(path).suffix.lower() == ".json":
            records = json.loads(text)
            records = records if isinstance(records, list) else next(
                (value for value in records.values() if isinstance(value, list)), [])  # fmt: skip
        elif Path(path).suffix.lower() in (".jsonl", ".ndjson"):
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            records = list(csv.DictReader(text.splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise EventError(Fault(name, None, "", f"cannot be read: {error}"), "nothing was scored") from error
    found, faults = [], []
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict) or not _first(record, TEXTS):
            continue
        code = str(_first(record, ACTS) or "").strip()
        known = code in entries("cameo") or code.upper() in OLDER or code.upper() in entries("plover")
        if not known and code.isdigit() and f"0{code}" in entries("cameo"):
            code, known = f"0{code}", True
        if not known:
            names = [*(one for one in entries("plover") if ":" not in one), *OLDER]
            expected = "a code of CAMEO or a type of PLOVER"
            faults.append(Fault(name, number, "", f"unknown act {code!r}", expected, nearest_name(code.upper(), names)))
            continue
        sources, targets = _sides(_first(record, SOURCES)), _sides(_first(record, TARGETS))
        given_id = str(record.get("id") or f"{Path(path).stem}:{number}")
        found.append(
            Gold(
                given_id,
                str(_first(record, TEXTS)),
                sources,
                targets,
                code if code[:1].isdigit() else code.upper(),
            )
        )
    if faults or not found:
        expected = "rows with text, source, target, code"
        raise EventError(faults[:20] or [Fault(name, None, "", "no coded sentence", expected)], "nothing was scored")
    return found


def _first(record: Mapping[str, Any], names: Iterable[str]) -> Any:
    plain = {str(key).lower(): value for key, value in record.items()}
    return next((plain[one] for one in names if plain.get(one)), None)


def _sides(said: Any) -> tuple[tuple[str, str], ...]:
    """Words and code of each actor."""
    if not said:
        return ()
    if isinstance(said, dict):
        said = [said]
    if isinstance(said, str):
        return tuple((part.strip(), part.strip()) for part in said.split(";") if part.strip())
    return tuple(
        (str(one.get("actorText") or one.get("text") or ""), str(one.get("code") or ""))
        for one in said
        if isinstance(one, dict)
    )


class _Types:
    """What type and class a code has, in the terms of the gold."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.used = set(codes)
        self.cameo = all(code[:1].isdigit() for code in self.used)
        self.level = "two digits of CAMEO" if self.cameo else "types of PLOVER"

    def of(self, code: str | None) -> str:
        if not code:
            return NONE
        if self.cameo:
            return code[:2]
        if not code[:1].isdigit():
            return code.split(":")[0]
        older = BY_ROOT.get(code[:2])
        if "FIGHT" in self.used:
            older = older or FIRST_DRAFT.get(code[:2])
        if older in self.used:
            return str(older)
        found = (to_plover(code) or NONE).split(":")[0]
        return next(
            (old for old, new in OLDER.items() if new == found and old in self.used and found not in self.used), found
        )

    def tone(self, code: str | None) -> str:
        if not code:
            return NONE
        if self.cameo or code[:1].isdigit():
            if self.cameo:
                return entries("cameo")[code].tone or NONE if code in entries("cameo") else NONE
            code = self.of(code)
        code = code.split(":")[0]
        entry = entries("plover").get(OLDER.get(code, code))
        return (entry.tone or NONE) if entry else NONE


def _by_text(frame: pl.DataFrame, hand: Sequence[Gold]) -> dict[str, list[dict[str, Any]]]:
    """Coded rows by the text they were coded from: by its id, else by its sentence."""
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    for one in hand:
        ids.setdefault(one.id, one.text)
        texts[" ".join(one.text.split())] = one.text
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in frame.iter_rows(named=True):
        event_id = str(row.get("event_id") or "")
        text = ids.get(event_id.rsplit(":", 2)[0]) or ids.get(event_id)
        sentence = " ".join(str(row.get("sentence") or "").split())
        if text is None or (sentence and sentence not in " ".join(text.split())):
            text = texts.get(sentence) or next(
                (whole for plain, whole in texts.items() if sentence and sentence in plain), None
            )
        if text is not None:
            found[text].append(row)
    return found


def _is_side(row: Mapping[str, Any], side: str, wanted: tuple[tuple[str, str], ...], text: str) -> bool:
    """Whether a coded side is one of these actors."""
    if row.get(side) is None:
        return not wanted
    words = json.loads(row["words"])[side] if row.get("words") else None
    own = str(row.get(f"{side}_name") or row[side])
    for name, code in wanted:
        at = text.find(name.strip()) if name.strip() else -1
        if at >= 0:
            if words is not None:
                if words[0] < at + len(name.strip()) and words[1] > at:
                    return True
            elif own in name or name in own:
                return True
        country = row.get(f"{side}_country")
        if at < 0 and code and country and code[:3].upper() == country:
            return True
        if name and name.casefold() in (str(row[side]).casefold(), own.casefold()):
            return True
    return False


def _agrees(row: Mapping[str, Any], gold: Gold) -> bool:
    """Whether both sides of a coded row are those of a gold event; an act of both sides may be told from either."""
    sources, targets = gold.sources, gold.targets
    if not targets and len(sources) > 1:
        return _is_side(row, "source", sources, gold.text) and (
            row.get("target") is None or _is_side(row, "target", sources, gold.text)
        )
    if _is_side(row, "source", sources, gold.text) and (not targets or _is_side(row, "target", targets, gold.text)):
        return True
    mirrored = str(row["code"])[:2] in ("04", "06") or str(row["code"])[:3] in ("057", "087")
    return mirrored and _is_side(row, "source", targets, gold.text) and _is_side(row, "target", sources, gold.text)


def _score_events(
    hand: Sequence[Gold], rows: Mapping[str, list[dict[str, Any]]], types: _Types, sentences: int
) -> Score:
    pairs: list[tuple[str, str]] = []
    tones: list[tuple[str, str]] = []
    right = dyads = repeated = 0
    by_text: dict[str, list[Gold]] = defaultdict(list)
    for one in hand:
        by_text[one.text].append(one)
    for text, golds in by_text.items():
        left = list(rows.get(text, ()))
        for gold in golds:
            agreeing = [row for row in left if _agrees(row, gold)]
            dyads += bool(agreeing)
            best = next((row for row in agreeing if types.of(row["code"]) == types.of(gold.code)), None)
            best = best or next(iter(agreeing), None)
            pairs.append((types.of(gold.code), types.of(best["code"]) if best else NONE))
            tones.append((types.tone(gold.code), types.tone(best["code"]) if best else NONE))
            if best is not None:
                left.remove(best)
                right += types.of(best["code"]) == types.of(gold.code)
        # An event of several targets may be coded once for each of them.
        again = [
            row for row in left if any(types.of(row["code"]) == types.of(g.code) and _agrees(row, g) for g in golds)
        ]
        repeated += len(again)
        for row in (one for one in left if one not in again):
            pairs.append((NONE, types.of(row["code"])))
            tones.append((NONE, types.tone(row["code"])))
    coded = sum(map(len, rows.values())) - repeated
    precision, recall = right / coded if coded else 0.0, right / len(hand)
    events = {
        "gold": len(hand), "coded": coded, "right": right, "both_sides_right": dyads, "precision": precision,
        "recall": recall, "f1": _f1(right, coded, len(hand)), "false_per_100": 100 * (coded - right) / sentences,
    }  # fmt: skip
    return _score(pairs, tones, types, sentences, events, False)


def _score_given(
    hand: Sequence[Gold], rows: Mapping[str, list[dict[str, Any]]], types: _Types, sentences: int
) -> Score:
    pairs, tones, right, coded = [], [], 0, 0
    used: Counter[str] = Counter()
    for gold in hand:
        here = rows.get(gold.text, [])
        mine = [row for row in here if str(row.get("event_id")) == gold.id] or here[
            used[gold.text] : used[gold.text] + 1
        ]
        used[gold.text] += 1
        code = mine[0]["code"] if mine else None
        coded += bool(mine)
        right += types.of(code) == types.of(gold.code)
        pairs.append((types.of(gold.code), types.of(code)))
        tones.append((types.tone(gold.code), types.tone(code)))
    events = {"gold": len(hand), "coded": coded, "right": right, "precision": right / max(coded, 1),
              "recall": right / len(hand), "f1": _f1(right, coded, len(hand)), "false_per_100": 0.0}  # fmt: skip
    return _score(pairs, tones, types, sentences, events, True)


def _score(
    pairs: list[tuple[str, str]], tones: list[tuple[str, str]], types: _Types, sentences: int,
    events: Mapping[str, float], given: bool,
) -> Score:  # fmt: skip
    by_type, by_class = list(_table(pairs)), list(_table(tones))
    confused = Counter((gold, coded) for gold, coded in pairs if gold != coded)
    confusion = [{"gold": gold, "coded": coded, "events": n} for (gold, coded), n in confused.most_common(SHOWN)]
    macro = {"types": _mean(by_type), "classes": _mean(by_class)}
    of_gold = [pair for pair in pairs if pair[0] != NONE]
    of_tones = [pair for pair in tones if pair[0] != NONE]
    accuracy = {
        "types": sum(gold == code for gold, code in of_gold) / max(len(of_gold), 1),
        "classes": sum(gold == code for gold, code in of_tones) / max(len(of_tones), 1),
    }
    return Score(sentences, types.level, given, events, by_type, by_class, confusion, macro, accuracy)


def _table(pairs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for one in sorted({gold for gold, _ in pairs} | {code for _, code in pairs} - {NONE}):
        if one == NONE:
            continue
        gold, coded = sum(g == one for g, _ in pairs), sum(c == one for _, c in pairs)
        right = sum(g == one == c for g, c in pairs)
        yield {"type": one, "gold": gold, "coded": coded, "right": right,
               "precision": round(right / coded, 4) if coded else 0.0,
               "recall": round(right / gold, 4) if gold else 0.0, "f1": round(_f1(right, coded, gold), 4)}  # fmt: skip


def _mean(table: list[dict[str, Any]]) -> float:
    found = [row["f1"] for row in table if row["gold"]]
    return sum(found) / len(found) if found else 0.0


def _f1(right: int, coded: int, gold: int) -> float:
    return 2 * right / (coded + gold) if coded + gold else 0.0
