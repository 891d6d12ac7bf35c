"""Texts that would keep a careless reader busy for long, or fill its memory.

In: nothing. Out: as a module `texts()`; as a program one line of JSON: CPU seconds and outcome for each text, and by
how many MB the process grew over all of them. With `--unlimited` one text is read with the limit on values, then
without: what it is good for.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator

HEAD = "powderkeg: 1\nname: nasty\nstart: 2020-01-01\n"
ACTORS = 3_000
MANY_VALUES = ("many values", HEAD + "about: [" + "a, " * 600_000 + "a]\n")
GOOD = HEAD + "actors: {a: , b: }\nacts: {threaten: {tone: hostile}}\nmoves:\n  m: {who: a, does: threaten, to: b}\n"


def many(line: str, count: int, start: int = 0) -> str:
    return "\n".join(line.format(i=i, j=i + 1) for i in range(start, start + count)) + "\n"


def texts() -> Iterator[tuple[str, str | bytes]]:
    """(what it is, the text)."""
    levels = "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]\n" for i in range(1, 30))
    yield "alias bomb", f"{HEAD}b0: &b0 [lol, lol]\n{levels}"
    yield "merge keys", f"{HEAD}facts: {{<<: {{a: }}, <<: {{b: }}}}\n"
    yield "flow lists in each other", HEAD + "about: " + "[" * 1_000_000
    yield "closed lists in each other", HEAD + "about: " + "[" * 5_000 + "]" * 5_000
    yield "mappings in each other", HEAD + "about: " + "{a: " * 500_000
    yield "lists of lists", "- " * 1_000_000 + "a"
    yield "question marks", "? " * 1_000_000
    yield "deep indentation", "".join(" " * i + "a:\n" for i in range(1_500))
    yield MANY_VALUES
    yield "many facts", HEAD + "facts:\n" + many("  f{i}: {{lasts: 3 days}}", 60_000)
    yield "many unknown keys", HEAD + many("k{i}: 1", 40_000)
    yield "many faulty items", GOOD + "facts:\n" + many("  f{i}: {{last: 3}}", 20_000)
    yield "many unknown names", GOOD + "gates:\n" + many("  g{i}: {{while: f{i}, moves: [n{i}], factor: x}}", 8_000)
    yield "one key again and again", HEAD + many("about: a", 100_000)
    yield (
        "many names, none right",
        HEAD.replace("nasty", "n")
        + "actors:\n"
        + many("  actor_{i}:", ACTORS)
        + (
            "acts: {threaten: {tone: hostile}}\nmoves:\n"
            + many("  m{i}: {{who: aktor_{i}, does: threaten, to: any}}", ACTORS)
        ),
    )
    yield (
        "everybody against everybody",
        HEAD
        + "actors:\n"
        + many("  a{i}:", 5_000)
        + (
            "acts: {threaten: {tone: hostile}}\nmoves:\n  m: {who: any, does: threaten, to: any}\n"
            "mechanisms:\n"
            + many("  r{i}: {{when: x threatens y, then: w threatens z, answers: 1, half_life: 1 day}}", 50)
        ),
    )
    yield (
        "many moves of one act",
        HEAD
        + "actors:\n"
        + many("  a{i}:", ACTORS)
        + (
            "acts: {threaten: {tone: hostile}}\nmoves:\n"
            + many("  m{i}: {{who: a{i}, does: threaten, to: any}}", ACTORS)
        ),
    )
    yield (
        "ties that lead nowhere",
        HEAD
        + "actors:\n"
        + many("  a{i}:", 2_001)
        + (
            "ties:\n"
            + many("  t{i}: {{kind: patronage, from: a{i}, to: a{j}}}", 2_000)
            + "acts: {threaten: {tone: hostile}}\nmoves:\n  m: {who: a0, does: threaten, to: any}\n"
            "mechanisms:\n  r: {when: x threatens y, given: [y backs z, z backs w, w backs x], then: z threatens x, "
            "answers: 1, half_life: 1 day}\n"
        ),
    )
    yield "long text", HEAD + "about: " + "a " * 4_900_000
    yield "long quoted text", HEAD + 'about: "' + "a\n" * 4_900_000 + '"'
    yield "long number", HEAD + "years: " + "9" * 9_000_000
    yield "long exponent", HEAD + "years: 1e" + "9" * 190
    yield "long name", HEAD + "? " + "x" * 1_000_000 + "\n: 1\n"
    yield "long pattern", GOOD + "mechanisms: {r: {when: " + "x " * 100_000 + "}}\n"
    yield "long unit", GOOD + "facts: {f: {lasts: 3 " + "d " * 90 + "}}\n"
    yield "empty lines", "\n" * 9_900_000
    yield "comments", "#\n" * 4_900_000
    yield "open quote before empty lines", HEAD + 'about: "' + "\n" * 9_000_000
    yield "open list before empty lines", HEAD + "about: [" + "\n" * 9_000_000
    yield "colons", "a:" * 3_000_000
    yield "anchors", "".join(f"&a{i} " for i in range(500_000))
    yield "documents", "---\n" * 2_000_000
    yield "directives", "%FOO bar\n" * 500_000
    yield "non-characters", ("ab\uffff" * 3_000_000)[:9_000_000]
    yield "astral text", HEAD + "about: " + "\U0001f9e8" * 2_400_000
    yield "too large", b"a" * 20_000_000
    yield "binary", bytes(range(256)) * 30_000
    yield "not UTF-8", b"\xff" * 9_900_000
    yield "UTF-16", GOOD.encode("utf-16")


def run(unlimited: bool = False) -> dict[str, object]:
    """Reads all texts and says how it went; the seconds are those of the best of three readings."""
    from powderkeg import scenario
    from powderkeg.reading import tree

    scenario.loads(GOOD)
    limited = None
    if unlimited:
        limited = min(read(scenario.loads, MANY_VALUES[1])[0] for _ in range(3))
        tree.MOST_VALUES = 10**9
    before = peak_mb()
    files: dict[str, object] = {}
    for name, text in [MANY_VALUES] if unlimited else texts():
        seconds, outcome = read(scenario.loads, text)
        for _ in range(0 if unlimited else 2):
            if seconds > 0.7:
                seconds = min(seconds, read(scenario.loads, text)[0])
        files[name] = {"seconds": seconds, "outcome": outcome}
    return {"files": files, "grown_mb": peak_mb() - before, "limited_seconds": limited}


def read(loads: Callable[..., object], text: str | bytes) -> tuple[float, str]:
    """CPU seconds, and what came of it. Any other error than a ScenarioError is let through."""
    from powderkeg.errors import ScenarioError

    start = time.process_time()
    try:
        loads(text, file="nasty.yaml")
        outcome = "loaded"
    except ScenarioError as error:
        outcome = f"{len(error.faults)} faults"
    return time.process_time() - start, outcome


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(run("--unlimited" in sys.argv)))
