"""How long does the first thing take that a newcomer does?

In: nothing. Out: a table of times and memory against what they are meant to stay under, and the same with versions in
benchmarks/results/default_run.json. A ratio below 1 is within the target.

    python benchmarks/default_run.py           # --help, the very first run, warm runs
    python benchmarks/default_run.py --demo    # also `make demo` in a bare clone, which installs everything

The very first run is made with an empty cache of compiled code. Times are wall-clock: on a machine that does other
things too they are too long, so the load and the seconds of processor time stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
RESULT = HERE / "results" / "default_run.json"


class Measured(NamedTuple):
    """One job: what it took, and what it is meant to stay under."""

    job: str
    value: float
    unit: str
    target: float
    processor_seconds: float | None = None

    @property
    def ratio(self) -> float:
        return self.value / self.target


class Took(NamedTuple):
    """Seconds on the clock and of the processor, and peak megabytes."""

    seconds: float
    processor: float
    peak: float


def timed(words: list[str], cache: Path | None = None, cwd: Path | None = None) -> Took:
    """What a command took; `cache` is where it keeps compiled code."""
    environment = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    process = subprocess.Popen(words, env=environment, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.01)
    seconds = time.perf_counter() - begin
    if process.returncode:
        assert process.stderr is not None
        raise SystemExit(f"{' '.join(words)} failed:\n{process.stderr.read().decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The system's own peak is over all children so far: it is exact whenever this one set it.
    peak = after.ru_maxrss / 1024 if after.ru_maxrss > before.ru_maxrss else peak
    return Took(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak)


def resident(pid: int) -> float:
    """Megabytes a process holds now; 0 where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


def measure(repeats: int, demo: bool) -> list[Measured]:
    powderkeg = [sys.executable, "-m", "powderkeg"]
    helped = min(timed([*powderkeg, "--help"]) for _ in range(2 * repeats))
    with tempfile.TemporaryDirectory() as folder:
        run = [*powderkeg, "run", "--out", f"{folder}/report", "--quiet"]
        cache = Path(folder) / "cache"
        first = timed(run, cache)
        warm = [timed(run, cache) for _ in range(repeats)]
        best = min(warm)
        found = [
            Measured("powderkeg --help", helped.seconds, "s", 0.5, helped.processor),
            Measured("powderkeg run, the very first time", first.seconds, "s", 40.0, first.processor),
            Measured("powderkeg run", best.seconds, "s", 10.0, best.processor),
            Measured("powderkeg run, memory", max(took.peak for took in (first, *warm)), "MB", 1000.0),
        ]
        if demo:
            clone = Path(folder) / "clone"
            subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
            # As on another machine: without the packages' cache that pip keeps, and without our own.
            environment = ["env", f"PIP_CACHE_DIR={folder}/pip", f"NUMBA_CACHE_DIR={folder}/cold", "make", "demo"]
            took = timed(environment, cwd=clone)
            found.append(Measured("make demo in a bare clone", took.seconds, "s", 240.0, took.processor))
            shutil.rmtree(clone)
    return found


def versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("powderkeg", "numpy", "numba", "polars", "altair", "vl-convert-python", "typer")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time the default run against its targets.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--demo", action="store_true", help="also time `make demo` in a bare clone")
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    found = measure(wanted.repeats, wanted.demo)
    for one in found:
        work = "" if one.processor_seconds is None else f"   {one.processor_seconds:.2f} s of processor time"
        print(f"{one.job:36}{one.value:9.2f} {one.unit:3} target {one.target:7.1f}   ratio {one.ratio:5.2f}{work}")
    RESULT.parent.mkdir(exist_ok=True)
    record = {
        "date": date.today().isoformat(),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_before": round(load, 1)},
        "versions": versions(),
        "measured": [one._asdict() | {"ratio": round(one.ratio, 3)} for one in found],
    }
    RESULT.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {RESULT.relative_to(CHECKOUT)}")
