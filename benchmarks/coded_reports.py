"""Are the acts of simulated histories found again when templates tell them as reports?

In: simulated histories of north Kosovo. Out: a folder of short reports, every act told by one of many forms; how many
acts come back with the right dyad and class after coding and matching, and how far the standoffs found in them lie from
the true ones. The templates were written after the patterns; what they showed to be missing was mended afterwards.

    python benchmarks/coded_reports.py [--reports 500] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl

import powderkeg as pk
from powderkeg.events import match
from powderkeg.events.codes import entries
from powderkeg.text import code

NAMES = {
    "kosovo": ["Kosovo police", "Kosovo's government", "Pristina", "Kosovo Prime Minister Albin Kurti", "Kosovo"],
    "north_serbs": ["Serb protesters", "Local Serbs", "Serbs", "A crowd of Serbs", "Serb demonstrators"],
    "serbia": ["Serbia", "Belgrade", "Serbian President Aleksandar Vucic", "The Serbian army", "Serbia's government"],
    "nato": ["NATO", "KFOR", "NATO peacekeepers", "KFOR troops"],
    "west": ["The European Union", "The EU", "Washington", "EU envoy Miroslav Lajcak", "The United States"],
    "russia": ["Russia", "Moscow", "The Kremlin"],
    "albanian_crowds": ["Kosovo Albanian protesters", "Protesters in Kosovo"],
}
FORMS = {
    "02": ["{a} called on {b} to show restraint.", "{a} urged {b} to hold talks.", "{a} appealed to {b} for help."],
    "04": ["{a} held talks with {b}.", "{a} met {b} for an hour.", "{a} spoke by telephone with {b}."],
    "05": ["{a} praised {b}.", "{a} reached an agreement with {b}.", "{a} signed an agreement with {b}."],
    "08": ["{a} withdrew from positions held against {b}.", "{a} gave in to {b}.", "{a} made concessions to {b}."],
    "10": ["{a} demanded that {b} back down.", "{a} insisted that {b} must leave."],
    "11": ["{a} accused {b} of breaking the agreement.", "{a} condemned {b}.", "{a} criticised {b} sharply."],
    "13": ["{a} threatened to attack {b}.", "{a} warned {b} of consequences.", "{a} issued an ultimatum to {b}."],
    "14": ["{a} blocked roads in protest against {b}.", "{a} staged a protest against {b}.",
           "{a} set up barricades against {b}."],
    "15": ["{a} sent troops towards {b}.", "{a} mobilized forces against {b}.", "{a} put forces on alert against {b}."],
    "16": ["{a} imposed sanctions on {b}.", "{a} cut ties with {b}.", "{a} broke off talks with {b}."],
    "17": ["{a} detained {b}.", "{a} imposed restrictions on {b}.", "{a} banned imports from {b}."],
    "18": ["{a} beat up members of {b}.", "{a} threw a grenade at {b}."],
    "19": ["{a} opened fire on {b}.", "{a} attacked {b}.", "{a} clashed with {b}."],
}  # fmt: skip
TURNS = ["{s}", "{s}", "On {day}, {s}", "{s_} on {day}.", "Witnesses said that {s}", "According to officials, {s}"]


def told(rng: random.Random, source: str, target: str, root: str, day: date) -> str | None:
    """One act as a sentence, or None where no form tells it."""
    forms = FORMS.get(root)
    if forms is None or source not in NAMES or target not in NAMES:
        return None
    a, b = rng.choice(NAMES[source]), rng.choice(NAMES[target])
    b = b.replace("A crowd of", "a crowd of").replace("The ", "the ").replace("Local", "local")
    sentence = rng.choice(forms).format(a=a, b=b)
    inside = sentence if not a.startswith(("The ", "A ", "Local")) else sentence[0].lower() + sentence[1:]
    turn = rng.choice(TURNS)
    said = inside if turn[0] != "{" else sentence
    return turn.format(s=said, s_=sentence.rstrip("."), day=day.strftime("%A"))


def reports(folder: Path, wanted: int, seed: int) -> pl.DataFrame:
    """Write reports of simulated days into a folder; the acts that they tell."""
    scenario = pk.load("north-kosovo")
    runs = pk.simulate(pk.compile(scenario), years=60, replicates=1, seed=seed)
    table = runs.table()
    frame = table.frame if isinstance(table, pk.EventTable) else table
    rng = random.Random(seed)
    start, acts = date(2022, 1, 3), []
    by_day: dict[int, list[tuple[str, str, str]]] = {}
    for time_, source, act, target in frame.select("time", "source", "act", "target").sort("time").iter_rows():
        if target is not None:
            by_day.setdefault(int(time_), []).append((str(source), str(act), str(target)))
    for written, at in enumerate(sorted(by_day)):
        if written >= wanted:
            break
        day = start + timedelta(days=at)
        lines = []
        for source, act, target in by_day[at][:6]:
            root = (scenario.acts[act].cameo or "")[:2]
            sentence = told(rng, source, target, root, day)
            if sentence is not None:
                lines.append(sentence)
                acts.append((float(at), source, act, target, entries("cameo")[root].tone, day))
        if lines:
            (folder / f"{day.isoformat()}.txt").write_text(" ".join(lines) + "\n", encoding="utf-8")
    columns = ["time", "source", "act", "target", "tone", "day"]
    return pl.DataFrame(acts, schema=columns, orient="row")


def found_again(truth: pl.DataFrame, matched: pk.EventTable) -> float:
    """Share of the acts that come back with the right dyad and class on their day."""
    seen: dict[tuple[date, str, str, str], int] = {}
    for time_, source, target, tone in matched.frame.select("time", "source", "target", "tone").iter_rows():
        key = (matched.start + timedelta(days=int(time_)), str(source), str(target), str(tone))
        seen[key] = seen.get(key, 0) + 1
    right = 0
    for day, source, target, tone in truth.select("day", "source", "target", "tone").iter_rows():
        if seen.get((day, source, target, tone), 0) > 0:
            seen[day, source, target, tone] -= 1
            right += 1
    return right / truth.height


def main(wanted: int = 500, seed: int = 1) -> dict[str, float]:
    """Write, code, match, cut standoffs; what was found again."""
    scenario = pk.load("north-kosovo")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = reports(folder, wanted, seed)
        began = time.process_time()
        coded = code(folder, mentions=True)
        seconds = time.process_time() - began
    matched, _ = match(scenario, coded)
    first = truth["day"].min()
    assert isinstance(first, date)
    true_table = pk.EventTable(
        truth.select(
            (pl.col("day") - pl.lit(first)).dt.total_days().cast(pl.Float64).alias("time"), "source", "act", "target"
        ),
        first, float((truth["day"].max() - first).days + 1), "day",  # type: ignore[operator, union-attr]
    )  # fmt: skip
    true_days = [row["first_day"] for row in pk.episodes(true_table, scenario).to_dicts()]
    days = [row["first_day"] for row in pk.episodes(matched, scenario).to_dicts()]
    near = sum(any(abs((one - other).days) <= 1 for other in days) for one in true_days)
    return {
        "reports": float(len(set(truth["day"]))), "acts": float(truth.height), "found": found_again(truth, matched),
        "standoffs": float(len(true_days)), "standoffs_found": float(len(days)), "within_a_day": float(near),
        "sentences_per_second": float(coded.account["sentences"]) / seconds,  # type: ignore[arg-type]
    }  # fmt: skip


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--reports", type=int, default=500)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    for key, value in main(options.reports, options.seed).items():
        print(f"{key:24}{value:10.3f}", file=sys.stdout)
