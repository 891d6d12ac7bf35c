"""A million runs as an array of processes, some of them killed: the same files as in one piece, and how much memory?

    python benchmarks/array_job.py --years 0.1 --replicates 1000000 --parts 100 --kills 12 --side-by-side 2

The parts are made in a random order, so many at a time. Some are killed with SIGKILL at a random moment and made again
at the end, as a scheduler does. `gather` then puts them together, and every file is held against those of the same
command in one piece. Memory is the most that the system counted for a process, work its processor time. What was seen
is written to benchmarks/results/array_job.json. Not for Windows, which does not count so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OURS = ("job", "powderkeg-manifest.json")
"""Where parts and one piece may differ: the kept pieces, which are compared one by one, and when they were made."""


@dataclass
class Ended:
    """What became of a process."""

    what: str
    code: int
    seconds: float
    work: float
    peak: float
    said: str


def ended(what: str, words: list[str], said: Path, killed_after: float | None = None) -> Ended:
    """A command of ours as a process of its own: its code, seconds, seconds of a processor, peak in MB."""
    began = time.monotonic()
    with said.open("w", encoding="utf-8") as stream:
        code = "from powderkeg.cli import main; main()"
        process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=stream, stderr=subprocess.STDOUT)
    timer = threading.Timer(killed_after or 0.0, process.send_signal, [signal.SIGKILL])
    if killed_after is not None:
        timer.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    timer.cancel()
    peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Ended(
        what, process.returncode, time.monotonic() - began, used.ru_utime + used.ru_stime, peak,
        said.read_text(encoding="utf-8"),
    )  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    """Every file that a user reads, and every kept piece."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {
        name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(files)
        if (name := p.relative_to(folder).as_posix()).partition("/")[0] not in OURS or name.endswith(".npz")
    }


def tried(given: argparse.Namespace, made: Path) -> dict[str, Any]:
    """All processes, and what came out."""
    rng = random.Random(given.seed)
    words = ["run", given.scenario, "--years", str(given.years), "--replicates", str(given.replicates), "--stream"]
    words += ["--workers", "1", "--quiet"]
    parts, whole = made / "parts", made / "whole"

    def part(number: int, after: float | None = None) -> Ended:
        share = ["--out", str(parts), "--part", f"{number}/{given.parts}"]
        one = ended(f"part {number}", [*words, *share], made / f"said-{number}.txt", after)
        print(f"{one.what}: code {one.code}, {one.seconds:.1f} s, work {one.work:.1f} s, {one.peak:.0f} MB", flush=True)
        return one

    # The first compiles what the others read from the cache, and tells how long one takes.
    first = part(1)
    order = rng.sample(range(2, given.parts + 1), given.parts - 1)
    doomed = {number: rng.uniform(0.1, 1.5) * first.seconds for number in order[: given.kills]}
    rng.shuffle(order)
    with ThreadPoolExecutor(given.side_by_side) as pool:
        apart = pool.submit(ended, "in one piece", [*words, "--out", str(whole)], made / "said-whole.txt")
        ends = [first, *pool.map(lambda number: part(number, doomed.get(number)), order)]
        killed = [one for one in ends if one.code == -signal.SIGKILL]
        again = [*pool.map(lambda one: part(int(one.what.split()[1])), killed)]
        undivided = apart.result()
    last = ended("gather", ["gather", str(parts), "--quiet"], made / "said-gather.txt")
    for one in (undivided, last):
        print(f"{one.what}: code {one.code}, {one.seconds:.1f} s, work {one.work:.1f} s, {one.peak:.0f} MB", flush=True)
    here, there = digests(parts), digests(whole)
    differ = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    all_ends = [*ends, *again, undivided, last]
    failed = [one for one in all_ends if one.code and one not in killed]
    return {
        "command": ["powderkeg", *words], "parts": given.parts, "killed": len(killed), "made again": len(again),
        "failed": [f"{one.what}: {one.said[-500:]}" for one in failed],
        "tracebacks": sum("Traceback" in one.said for one in all_ends),
        "files": len(there), "different": differ,
        "most MB": {
            "part": max(one.peak for one in [*ends, *again]), "gather": last.peak, "in one piece": undivided.peak,
        },
        "work, s": {
            "parts": sum(one.work for one in [*ends, *again]), "gather": last.work, "in one piece": undivided.work,
        },
    }  # fmt: skip


def main() -> None:
    """Try it and write down what was seen; exit code 1 if a byte was different or a process failed."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--scenario", default="north-kosovo")
    asked.add_argument("--years", type=float, default=0.1)
    asked.add_argument("--replicates", type=int, default=1_000_000)
    asked.add_argument("--parts", type=int, default=100)
    asked.add_argument("--kills", type=int, default=12)
    asked.add_argument("--side-by-side", type=int, default=2)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        seen = tried(given, Path(made))
    text = json.dumps(seen, indent=1)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "array_job.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    if seen["different"] or seen["failed"] or seen["tracebacks"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
