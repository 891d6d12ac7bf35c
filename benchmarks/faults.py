"""What was tried to break long commands, and what came of it: the table of docs/large-jobs.md.

    python benchmarks/faults.py --kills 50 --inputs 20000 --seconds 1200

Real processes are killed, asked to stop and find damaged folders; inputs are changed at random. Each row says how
often, and how often something was lost, came out different, or ended in a traceback. The table grows in
benchmarks/results/faults.md.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "faults"), str(HERE.parent)]

import fuzzing  # noqa: E402
from trials import Bench, Trial  # noqa: E402

HEAD = "| fault | in | times | lost | different bytes | tracebacks |\n|---|---|---:|---:|---:|---:|"


def trials(bench: Bench, kills: int) -> Iterator[Trial]:
    """Damage first, which is quick; then kills and signals in turn, ten at a time."""
    for command in ("sweep", "compare"):
        yield bench.damaged(command, "a piece cut off", bench.cut_off, 3, "made again")
        yield bench.damaged(command, "a byte of a piece changed", bench.changed, 3, "made again")
        yield bench.damaged(command, "a piece under another's name", bench.swapped, 2, "made again")
        yield bench.damaged(command, "manifest cut off", bench.manifest, 2, "was cut off or changed")
        yield bench.damaged(command, "clock back, lock of a dead process", bench.from_tomorrow, 2, "")
    for _ in range(max(kills // 10, 1)):
        for command in ("sweep", "run", "compare"):
            yield bench.stopped(command, signal.SIGKILL, min(kills, 10))
        yield bench.stopped("sweep", signal.SIGTERM, min(kills, 5))
        yield bench.stopped("run", signal.SIGINT, min(kills, 5))


def main() -> None:
    """Try, and write the table down as it grows."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--kills", type=int, default=50, help="of each command")
    asked.add_argument("--inputs", type=int, default=20_000, help="of each kind")
    asked.add_argument("--seconds", type=float, default=3600.0, help="no new trial is begun after so long")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    rows: dict[tuple[str, str], Trial] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        for target in fuzzing.TARGETS:
            n, wrong = fuzzing.fuzz(target, Path(made), given.seed, given.inputs)
            rows["changed at random", target] = Trial("changed at random", target, n, tracebacks=len(wrong))
            write(rows)
        bench = Bench(Path(made), random.Random(given.seed))
        for trial in trials(bench, given.kills):
            sum_up(rows, trial)
            write(rows)
            if time.monotonic() - began > given.seconds:
                break


def sum_up(rows: dict[tuple[str, str], Trial], trial: Trial) -> None:
    """One row for each fault and command."""
    before = rows.get((trial.fault, trial.command), Trial(trial.fault, trial.command))
    for name in ("times", "lost", "different", "tracebacks"):
        setattr(trial, name, getattr(trial, name) + getattr(before, name))
    rows[trial.fault, trial.command] = trial


def write(rows: dict[tuple[str, str], Trial]) -> None:
    """The table, on the screen and in a file."""
    lines = [
        f"| {one.fault} | {one.command} | {one.times:,} | {one.lost} | {one.different} | {one.tracebacks} |"
        for one in rows.values()
    ]
    text = "\n".join([HEAD, *lines]) + "\n"
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "faults.md").write_text(text, encoding="utf-8")
    print(lines[-1], flush=True)


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "120")
    main()
