"""An hour of one process that never rests: does it grow, leave files or threads behind, or change its answers?

    python benchmarks/soak.py --minutes 60

Rounds of commands (run, compare with kept pieces, sweep, fit by day, attribute, forecast, replay) on a small scenario
and a built-in one, in turn with four seeds, all in one process. From the second visit of a seed on every answer must be
the bytes of its first. Memory, open files and threads are noted at the end of every round; what was seen is written to
benchmarks/results/soak.json. Exit code 1 if an answer differed, or if the last quarter holds over a tenth more memory
than the second.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import io
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "faults"), str(HERE.parent)]

import psutil  # noqa: E402
import trials  # noqa: E402

from powderkeg import cli  # noqa: E402

SEEDS = (1, 2, 3, 4)


COMMANDS: dict[str, list[str]] = {
    "run": ["run", "two.yaml", "--replicates", "400", "--out", "OUT"],
    "run of north-kosovo": ["run", "north-kosovo", "--years", "5", "--replicates", "60", "--out", "OUT"],
    "compare": ["compare", "two.yaml", "half", "--replicates", "300", "--sets", "3", "--resume", "--out", "OUT"],
    "sweep": [
        "sweep", "two.yaml", "--over", "mechanisms.answer.answers=0.1:0.5:3", "--replicates", "50", "--out", "OUT",
    ],
    "fit": ["fit", "two.yaml", "events.csv", "--background", "constant"],
    "attribute": ["attribute", "two.yaml", "events.csv"],
    "forecast": ["forecast", "two.yaml", "events.csv", "--days", "7", "--draws", "100"],
    "replay": ["replay", "two.yaml", "events.csv", "--without", "answer", "--replicates", "40"],
}  # fmt: skip
SEEDLESS = ("fit",)


def answers(seed: int) -> Iterator[tuple[str, str]]:
    """What every command of a round says."""
    for what, words in COMMANDS.items():
        with tempfile.TemporaryDirectory(dir=".") as out, contextlib.redirect_stdout(io.StringIO()) as said:
            line = [word if word != "OUT" else str(Path(out) / "results") for word in words]
            line += ["--json"] + ([] if what in SEEDLESS else ["--seed", str(seed)])
            with contextlib.suppress(SystemExit):
                cli.main(line)
        yield what, said.getvalue().replace(out, "OUT")


def main() -> None:
    """Go round until the time is over."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--minutes", type=float, default=60.0)
    given = asked.parse_args()
    warnings.simplefilter("ignore")
    process, began, rounds = psutil.Process(), time.monotonic(), 0
    first: dict[tuple[int, str], str] = {}
    different: list[str] = []
    held: list[float] = []
    files: list[int] = []
    threads: list[int] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "two.yaml").write_text(trials.SCENARIO, encoding="utf-8")
        (folder / "events.csv").write_text(trials.events(), encoding="utf-8")
        os.chdir(folder)
        while time.monotonic() - began < 60.0 * given.minutes:
            seed = SEEDS[rounds % len(SEEDS)]
            for what, said in answers(seed):
                if not said.startswith("{"):
                    different.append(f"round {rounds}: {what}, seed {seed}: no answer: {said[:200]}")
                seal = hashlib.sha256(said.encode()).hexdigest()
                if first.setdefault((seed, what), seal) != seal:
                    different.append(f"round {rounds}: {what}, seed {seed}")
            rounds += 1
            gc.collect()
            held.append(process.memory_info().rss / 1e6)
            files.append(len(process.open_files()))
            threads.append(threading.active_count())
            if rounds % 10 == 1:
                print(f"{rounds} rounds: {held[-1]:.0f} MB, {files[-1]} files, {threads[-1]} threads", flush=True)
        os.chdir(HERE)
        left = sorted(p.name for p in folder.iterdir())
    quarter = max(len(held) // 4, 1)
    seen: dict[str, Any] = {
        "minutes": round((time.monotonic() - began) / 60.0, 1), "rounds": rounds, "answers": rounds * len(COMMANDS),
        "different": different, "files left": [name for name in left if name not in ("two.yaml", "events.csv")],
        "MB": {
            "first round": held[0], "second quarter": statistics.median(held[quarter : 2 * quarter] or held),
            "last quarter": statistics.median(held[-quarter:]), "most": max(held),
        },
        "open files": [min(files), max(files)], "threads": [min(threads), max(threads)],
        "cores": os.cpu_count(),
    }  # fmt: skip
    text = json.dumps(seen, indent=1)
    (HERE / "results" / "soak.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    if different or seen["files left"] or seen["MB"]["last quarter"] > 1.1 * seen["MB"]["second quarter"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
