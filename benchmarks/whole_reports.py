"""How much of what whole reports tell comes out, with the right two and the right act?

In: reports of ours in the manner of wires, daily logs of missions, press statements, press reviews and lists of
headlines (`benchmarks/sentences/reports_read.txt`, looked at while the coder was mended; `reports_kept.txt`, only
scored). A report opens with `== theatre | style | day`; below a sentence stand its events, `> act ; source ; target`,
the act by CAMEO's first two digits, strokes between what will do as well. A side is a country (`MLI`: itself, its
government, forces, courts), people of a country (`MLI:REB`), people of any (`REB`), or a part of a name; nothing after
the last semicolon: whoever, or nobody. What is only said (01) is no event. Out: precision and recall by type and by
class, and what became of the events that are lost.

    python benchmarks/whole_reports.py [read kept] [--events]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losses import FAINT, FOUND, nearest_miss

from powderkeg.events.codes import entries
from powderkeg.text import code
from powderkeg.text.coder import LEAST

HERE = Path(__file__).resolve().parent / "sentences"
SETS = ("read", "kept")
KEPT = "kept"
"""Not shown event by event: nothing was mended in its view. It has been read once, so a new one is due."""
OF_STATES = ("", "GOV", "LEG", "JUD", "COP", "MIL", "SPY")
MIRRORED = ("04", "06", "057", "19")
"""Acts of both sides, which may be told from either; who fights with whom among them."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """One event of a sentence: what will do as its act, its source, its target."""

    acts: tuple[str, ...]
    source: tuple[str, ...]
    target: tuple[str, ...]

    def __str__(self) -> str:
        return " ; ".join("|".join(one) for one in (self.acts, self.source, self.target))


@dataclass(frozen=True)
class Told:
    """A report: sentences with their events, and how it is written."""

    name: str
    style: str
    day: str
    sentences: tuple[tuple[str, tuple[Wanted, ...]], ...]

    @property
    def text(self) -> str:
        """The report as its reader has it; entries of a log and headlines stand on lines of their own."""
        lines = self.style in ("headlines", "mission's log")
        return ("\n" if lines else " ").join(sentence for sentence, _ in self.sentences)


def told_in(path: Path) -> Iterator[Told]:
    """The reports of a file."""
    for part in path.read_text(encoding="utf-8").split("\n== ")[1:]:
        head, *lines = part.splitlines()
        sentences: list[tuple[str, list[Wanted]]] = []
        for line in filter(None, lines):
            if line.startswith("> "):
                acts, source, target = (tuple(one.strip().split("|")) for one in line[2:].split(";"))
                sentences[-1][1].append(Wanted(acts, source, target))
            else:
                sentences.append((line, []))
        name, style, day = (one.strip() for one in head.split("|"))
        yield Told(name, style, day, tuple((text, tuple(events)) for text, events in sentences))


def _is(row: Row, side: str, wanted: Sequence[str]) -> bool:
    """Whether a side of a coded event is one of those that will do."""
    if wanted == ("",):
        return True
    if row[side] is None:
        return "" in wanted
    land, kind = row[f"{side}_country"] or "", row[f"{side}_sectors"] or ""
    for one in filter(None, wanted):
        if len(one) == 3 and one.isupper() and ((one == land and kind in OF_STATES) or one == kind):
            return True
        if one == f"{land}:{kind}" or (not (one.isupper() and len(one) == 3) and one in row[side]):
            return True
    return False


def fits(row: Row, wanted: Wanted) -> tuple[bool, bool, bool]:
    """Whether act, source and target are right."""
    act = row["code"][:2] in wanted.acts
    source, target = _is(row, "source", wanted.source), _is(row, "target", wanted.target)
    if not (source and target) and row["code"].startswith(MIRRORED[:3]):
        turned = _is(row, "source", wanted.target), row["target"] is not None and _is(row, "target", wanted.source)
        source, target = max((source, target), turned, key=sum)
    return act, source, target


def _tone(act: str) -> str:
    return str(entries("cameo")[act].tone)


def of_lines(told: Told, least: float) -> list[list[Row]]:
    """The coded events of each sentence of a report."""
    ends, at = [], 0
    for sentence, _ in told.sentences:
        at += len(sentence) + 1
        ends.append(at)
    found: list[list[Row]] = [[] for _ in ends]
    for row in code(told.text, told.day, least=least, mentions=True).frame.iter_rows(named=True):
        place = int(row["event_id"].split(":")[-2])
        found[next(n for n, end in enumerate(ends) if place < end)].append(row)
    return found


def score(reports: Sequence[Told], show: bool = False) -> dict[str, float | Counter[str]]:
    """Totals over some reports; what became of the events."""
    gold = coded = right = right_class = 0
    fates: Counter[str] = Counter()
    for told in reports:
        every = of_lines(told, 0.0)
        for (sentence, wanted), rows in zip(told.sentences, every, strict=True):
            sure = [row for row in rows if row["probability"] >= LEAST]
            left = list(sure)
            lines = []
            for one in wanted:
                gold += 1
                mine = next((row for row in left if all(fits(row, one))), None)
                if mine is None:
                    fates[fate := _fate(rows, one)] += 1
                    lines.append(f"  lost   {one}   ({fate})")
                    tones = {_tone(act) for act in one.acts}
                    near = [row for row in left if all(fits(row, one)[1:]) and row["tone"] in tones]
                    right_class += bool(near)
                else:
                    fates[FOUND] += 1
                    right += 1
                    right_class += 1
                    left.remove(mine)
            again = [row for row in left if any(all(fits(row, one)) for one in wanted)]
            coded += len(sure) - len(again)
            for row in rows:
                mark = "told  " if row["probability"] >= LEAST else "faint "
                if row in left and row not in again and mark == "told  ":
                    mark = "FALSE "
                lines.append(f"  {mark} {row['code']} {row['source']} -> {row['target']} {row['probability']:.2f}"
                             f"   {row['rule'][:50]} [{row['unsure'] or ''}]")  # fmt: skip
            if show and lines:
                print(f"\n[{told.name}] {sentence}", *lines, sep="\n")
    sentences = sum(len(told.sentences) for told in reports)
    return {
        "sentences": sentences, "events": gold, "coded": coded, "right": right,
        "precision": right / max(coded, 1), "recall": right / gold, "f1": 2 * right / max(coded + gold, 1),
        "precision of classes": right_class / max(coded, 1), "recall of classes": right_class / gold,
        "false in 100 sentences": 100 * (coded - right) / sentences, "what became of them": fates,
    }  # fmt: skip


def main(names: Sequence[str], show: bool) -> None:
    """Score the sets that are named."""
    for name in names:
        result = score(list(told_in(HERE / f"reports_{name}.txt")), show and name != KEPT)
        print(f"\n{name}")
        for key, value in result.items():
            if isinstance(value, Counter):
                for fate, count in value.most_common():
                    print(f"  {count:5}  {fate}")
            else:
                print(f"  {value:8.2f}  {key}" if isinstance(value, float) else f"  {value:8}  {key}")


def _fate(rows: Sequence[Row], wanted: Wanted) -> str:
    """Why an event is not told."""
    found = [fits(row, wanted) for row in rows]
    if any(map(all, found)):
        return FAINT
    return nearest_miss(found)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("names", nargs="*", default=["read"], choices=SETS)
    asked.add_argument("--events", action="store_true")
    options = asked.parse_args()
    main(options.names, options.events)
