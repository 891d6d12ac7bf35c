"""How much memory does coding take, and how fast is it, as the number of sentences grows?

In: nothing. Out: for each size, most memory in use (the process that writes, and the largest worker), sentences a
second by the clock and of processor time; the same in benchmarks/results/coding_memory.json. Sentences are sentences of
ours in the manner of news with other countries put in, on the days of twenty years; each size runs in a process of its
own.

    python benchmarks/coding_memory.py [--sizes 20000 100000] [--workers 2]

Needs the `resource` of Unix for the memory in use.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
SENTENCES = (HERE / "sentences" / "first.csv", HERE / "sentences" / "second.csv")
RESULT = HERE / "results" / "coding_memory.json"
LANDS = ("Iran", "Chile", "Peru", "Kenya", "Serbia", "Japan", "Egypt", "Norway", "Cuba", "Ghana", "India", "Iraq")
A_REPORT = 20


def written(path: Path, wanted: int) -> None:
    """Reports of twenty sentences, one a line, with other countries in place of some."""
    rng = random.Random(1)
    known = []
    for one in SENTENCES:
        with one.open(encoding="utf-8") as file:
            known += [row["sentence"] for row in csv.DictReader(file, delimiter=";")]
    with path.open("w", encoding="utf-8") as out:
        for number in range(wanted // A_REPORT):
            text = []
            for _ in range(A_REPORT):
                words = [rng.choice(LANDS) if word in LANDS else word for word in rng.choice(known).split(" ")]
                text.append(" ".join(words))
            day = date(2000, 1, 1) + timedelta(days=rng.randrange(7300))
            out.write(json.dumps({"id": f"r{number}", "date": day.isoformat(), "text": " ".join(text)}) + "\n")


def one_size(folder: Path, wanted: int, workers: int) -> dict[str, float]:
    """Code so many sentences, in this process; what it took."""
    import resource

    from powderkeg.text.coder import code_to

    path = folder / "reports.jsonl"
    written(path, wanted)
    started = time.perf_counter()
    account = code_to(folder / "coded.parquet", path, workers=workers)
    took = time.perf_counter() - started
    own, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    spent = own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime
    size = (folder / "coded.parquet").stat().st_size
    return {
        "sentences": account["sentences"], "events": account["rows_kept"], "workers": workers,
        "seconds": round(took, 1), "processor_seconds": round(spent, 1), "mb_writer": round(own.ru_maxrss * unit / 1e6),
        "mb_largest_worker": round(theirs.ru_maxrss * unit / 1e6), "mb_out": round(size / 1e6, 1),
    }  # fmt: skip


def main() -> None:
    """Each size in a process of its own, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(one_size(Path(folder), asked.one, asked.workers)))
        return
    rows = []
    for size in asked.sizes:
        command = [sys.executable, __file__, "--one", str(size), "--workers", str(asked.workers)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rate, own = row["sentences"] / row["seconds"], row["sentences"] / row["processor_seconds"]
        print(f"{row['sentences']:>9,} sentences: writer {row['mb_writer']} MB, largest worker "
              f"{row['mb_largest_worker']} MB, {rate:.0f} sentences a second on {asked.workers} workers, {own:.0f} a "
              f"second of processor time", flush=True)  # fmt: skip
        rows.append(row | {"per_second": round(rate, 1), "per_processor_second": round(own, 1)})
    made = {"python": platform.python_version(), "cores": os.cpu_count(), "rows": rows}
    RESULT.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
