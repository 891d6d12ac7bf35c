"""What was tried to break long commands, and what came of it: the table of docs/large-jobs.md.

    python benchmarks/faults.py --kills 50 --inputs 20000 --seconds 1200 --page docs/large-jobs.md

Real processes are killed, asked to stop and find damaged folders; inputs are changed at random. Each row says how
often, and how often something was lost, came out different, or ended in a traceback. The table grows in
benchmarks/results/faults.md; with --page the rows of a page are replaced at the end, and those of faults that were not
tried this time stay.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "faults"), str(HERE.parent)]

import fuzzing  # noqa: E402
from trials import COMMANDS, Bench, Trial, mounts  # noqa: E402

HEAD = "| fault | in | times | lost | different bytes | tracebacks |\n|---|---|---:|---:|---:|---:|"


def trials(bench: Bench, kills: int, commands: Sequence[str]) -> Iterator[Trial]:
    """Kills of each command in turn, five at a time; other signals; damage."""
    for some in (min(5, kills - first) for first in range(0, kills, 5)):
        for command in commands:
            yield bench.stopped(command, signal.SIGKILL, some)
    for some in (min(5, kills - first) for first in range(0, kills, 10)):
        yield bench.stopped("sweep", signal.SIGTERM, some)
        yield bench.stopped("run", signal.SIGINT, some)
    for command in commands if mounts() else ():
        yield bench.on_a_full_disk(command, min(kills, 5))
        yield bench.on_a_disk_that_became_read_only(command, min(kills, 5))
    for command in ("sweep", "compare"):
        yield bench.damaged(command, "a piece cut off", bench.cut_off, 3, "made again")
        yield bench.damaged(command, "a byte of a piece changed", bench.changed, 3, "made again")
        yield bench.damaged(command, "a piece under another's name", bench.swapped, 2, "made again")
        yield bench.damaged(command, "manifest cut off", bench.manifest, 2, "was cut off or changed")
        yield bench.damaged(command, "clock back, lock of a dead process", bench.from_tomorrow, 2, "")


def main() -> None:
    """Try, and write the table down as it grows."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--kills", type=int, default=50, help="of each command; 0: no processes at all")
    asked.add_argument(
        "--inputs", type=int, default=20_000, help="of each kind; of files of events, of which each takes long, a tenth"
    )
    asked.add_argument("--killed", action="append", choices=COMMANDS, help="only these get SIGKILL; repeatable")
    asked.add_argument("--seconds", type=float, default=3600.0, help="no new trial is begun after so long")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--page", type=Path, help="a page whose table is brought up to date")
    given = asked.parse_args()
    rows: dict[tuple[str, str], Trial] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        for target in fuzzing.TARGETS if given.inputs else ():
            times = max(given.inputs // (10 if target == "event files" else 1), 1)
            n, wrong = fuzzing.fuzz(target, Path(made), given.seed, times)
            write(rows, Trial("changed at random", target, n, tracebacks=len(wrong)))
        bench = Bench(Path(made), random.Random(given.seed))
        for trial in trials(bench, given.kills, given.killed or [*COMMANDS]) if given.kills else ():
            write(rows, trial)
            if time.monotonic() - began > given.seconds:
                break
    if given.page is not None:
        bring_up_to_date(given.page, rows)


def sum_up(rows: dict[tuple[str, str], Trial], trial: Trial) -> None:
    """One row for each fault and command."""
    before = rows.get((trial.fault, trial.command), Trial(trial.fault, trial.command))
    for name in ("times", "lost", "different", "tracebacks"):
        setattr(trial, name, getattr(trial, name) + getattr(before, name))
    rows[trial.fault, trial.command] = trial


def lines_of(rows: dict[tuple[str, str], Trial]) -> dict[str, str]:
    """The rows of the table by what stands in their first two columns."""
    return {
        (head := f"| {one.fault} | {one.command} |"): f"{head} {one.times:,} | {one.lost} | {one.different} | "
        f"{one.tracebacks} |"
        for one in rows.values()
    }


def write(rows: dict[tuple[str, str], Trial], trial: Trial) -> None:
    """The table with one more trial in a file, and the row of it on the screen."""
    sum_up(rows, trial)
    lines = lines_of(rows)
    text = "\n".join([HEAD, *lines.values()]) + "\n"
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "faults.md").write_text(text, encoding="utf-8")
    print(lines[f"| {trial.fault} | {trial.command} |"], flush=True)


def bring_up_to_date(page: Path, rows: dict[tuple[str, str], Trial]) -> None:
    """The table of a page: rows that were tried this time are replaced or put at its end."""
    before, _, after = page.read_text(encoding="utf-8").partition(HEAD + "\n")
    table, _, rest = after.partition("\n\n")
    kept = {"|".join(line.split("|")[:3]) + "|": line for line in table.splitlines()}
    # Names of targets stand as code in the page where they are typed.
    new = {head.replace("| --set |", "| `--set` |"): line.replace("| --set |", "| `--set` |")
           for head, line in lines_of(rows).items()}  # fmt: skip
    text = "\n".join((kept | new).values())
    page.write_text(f"{before}{HEAD}\n{text}\n\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "120")
    main()
