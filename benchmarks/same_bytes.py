"""Does every command still give the same numbers? Digests of what is printed with --json, kept and compared.

    python benchmarks/same_bytes.py keep                    writes benchmarks/results/same_bytes.json
    python benchmarks/same_bytes.py                         compares with what is kept; exit code 1 where one differs
    python benchmarks/same_bytes.py --only fit attribute    the cases whose names begin so
    POWDERKEG_DATA=folder                                   with real event data too (the folder with keds_balkans)

A case is a command line; what depends on the clock, the machine or the release (seconds, file names, version) is taken
out before hashing.
Floats are hashed as printed, to their last digit. Different processors may round differently in the last digit (fused
multiply-add), so digests are kept for one machine and are compared on that kind of machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEPT = HERE / "results" / "same_bytes.json"
DATA = Path(os.environ.get("POWDERKEG_DATA", HERE.parent.parent / "shared" / "data"))
CLOCK = frozenset(
    {"seconds", "elapsed", "events_per_second", "file", "files", "out", "folder", "workers", "memory", "version"}
)

ARGUMENTS = {
    "keds": str(DATA / "keds_balkans" / "events.csv.gz"),
    "icews": str(DATA / "kosovo_icews" / "events_2018.csv.gz"),
    "half_year": "--start 1999-06-10 --end 1999-12-31",
    "policy": "--doubles same_day --drop-unmatched",
}

CASES = {
    "run north-kosovo": "run north-kosovo --replicates 300 --seed 3",
    "run nato-russia-ukraine": "run nato-russia-ukraine --replicates 60 --seed 3 --years 3",
    "run kosovo-events": "run kosovo-events --replicates 60 --seed 3 --years 2",
    "run two-theatres": "run two-theatres --replicates 40 --seed 3 --years 2",
    "compare north-kosovo": "compare north-kosovo withdraw_kfor grant_serbia --replicates 200 --years 5 --sets 8 "
    "--seed 3",
    "compare nato-russia-ukraine": "compare nato-russia-ukraine --replicates 60 --years 2 --no-ranges --seed 3",
    "sweep north-kosovo": "sweep north-kosovo --over mechanisms.fights_back.answers=0.1:0.6:4 --replicates 60 --seed 3",
    "brink north-kosovo": "brink north-kosovo --replicates 60 --years 5 --seed 3",
    "rare north-kosovo": "rare north-kosovo alliance_clash --starts 200 --repetitions 3 --years 2 --seed 3",
    "stability two-theatres": "describe two-theatres",
    "fit keds": "fit kosovo-events {keds} --start 1999-06-10 --end 2000-12-31 {policy} --histories 20 --refits 0",
    "attribute keds": "attribute kosovo-events {keds} {half_year} {policy} --forests 50",
    "replay keds": "replay kosovo-events {keds} {half_year} {policy} "
    "--without mechanisms.retaliation_force --replicates 20 --imputations 2 --sets 2",
    "episodes keds": "episodes {keds} --scenario kosovo-events",
    "fit icews": "fit kosovo-events {icews} --no-checks --drop-unmatched",
}


def without_clock(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: without_clock(value) for key, value in tree.items() if key not in CLOCK}
    return [without_clock(one) for one in tree] if isinstance(tree, list) else tree


def digest(arguments: list[str], folder: str) -> tuple[str, float]:
    """The digest of what a command prints, and the seconds of processor it took."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "powderkeg", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if done.returncode:
        sys.exit(f"powderkeg {' '.join(arguments)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    text = json.dumps(without_clock(json.loads(done.stdout)), sort_keys=True)
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return hashlib.sha256(text.encode()).hexdigest(), spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keep", nargs="?", choices=["keep"])
    parser.add_argument("--only", nargs="*", default=[""])
    given = parser.parse_args()
    kept = json.loads(KEPT.read_text(encoding="utf-8"))["digests"] if KEPT.exists() else {}
    found, differing = dict(kept), []
    for name, line in CASES.items():
        if not name.startswith(tuple(given.only)):
            continue
        if ("{keds}" in line or "{icews}" in line) and not DATA.exists():
            print(f"{name:30} skipped: no event data at {DATA}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            found[name], spent = digest(line.format(**ARGUMENTS).split(), folder)
        same = kept.get(name) == found[name]
        if name in kept and not same:
            differing.append(name)
        verdict = "same" if same else "DIFFERS" if name in kept else "new"
        if given.keep:
            told = {"machine": f"{platform.machine()}, Python {platform.python_version()}", "digests": found}
            KEPT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8", newline="\n")
        print(f"{name:30} {verdict:8} {spent:6.1f} s of processor, {time.perf_counter() - started:6.1f} s", flush=True)
    if differing and not given.keep:
        sys.exit(f"differ: {', '.join(differing)}")


if __name__ == "__main__":
    main()
