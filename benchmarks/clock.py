"""What does a user wait for? Every command, the first time (nothing compiled yet) and again, beside version 0.1.0.

In: nothing; with POWDERKEG_DATA (the folder with keds_balkans) what reads observed events too. Out: a table of
processor seconds, seconds on the clock and peak memory, each with its target and as a ratio to 0.1.0; the same with
versions and load in benchmarks/results/clock.json.

    python benchmarks/clock.py                      every command at sizes that take some minutes together
    python benchmarks/clock.py --full               the default run, the fit with its checks, second cores
    python benchmarks/clock.py --only check run     commands whose names begin so
    python benchmarks/clock.py --beside e847454     0.1.0 (or any other commit) too, in turns; it is kept as what later
                                                    runs are compared with
    python benchmarks/clock.py --demo               `make demo` in a bare clone, which installs everything

Byte code is there before anything is timed, as it is where pip has installed the package; compiled loops are not.
Processor seconds are of the whole process. On a machine that does other things too, seconds on the clock mean little
and processor seconds are some tenths too long: what was measured in turns, in one run, can be compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
RESULT = HERE / "results" / "clock.json"
DATA = Path(os.environ.get("POWDERKEG_DATA", CHECKOUT.parent / "shared" / "data"))
KEDS = DATA / "keds_balkans" / "events.csv.gz"
PACKAGES = ("numpy", "numba", "scipy", "polars", "altair", "vl-convert-python", "typer")

HALF_YEAR = f"kosovo-events {KEDS} --start 1999-06-10 --end 1999-12-31 --doubles same_day --drop-unmatched"


class Job(NamedTuple):
    """A command line, and what it is meant to stay under (processor seconds, megabytes); None: no target."""

    name: str
    words: str
    again: float | None = None
    first: float | None = None
    memory: float | None = None
    is_full: bool = False  # only with --full
    reads_events: bool = False
    compiles: bool = True  # False: nothing to compile, so it is timed once


JOBS = (
    Job("--help", "--help", again=0.5, compiles=False),
    Job("check", "check north-kosovo", again=0.7, compiles=False),
    Job("describe", "describe north-kosovo", again=0.7, compiles=False),
    Job("check, 50 actors", "check {actors_50}", again=1.0, compiles=False),
    Job("check, 200 actors", "check {actors_200}", again=4.0, compiles=False),
    Job("run, 1,000 runs", "run north-kosovo --replicates 1000 --quiet --out {out}", again=3.0, first=8.0),
    Job("compare, 300 runs", "compare north-kosovo withdraw_kfor --replicates 300 --sets 8 --quiet"),
    Job(
        "sweep, 4 points",
        "sweep north-kosovo --over mechanisms.fights_back.answers=0.1:0.6:4 --replicates 100 --quiet",
    ),
    Job("brink", "brink north-kosovo --replicates 100 --years 5 --quiet"),
    Job("rare", "rare north-kosovo alliance_clash --starts 200 --repetitions 3 --years 2 --quiet"),
    Job("fit by day, no checks", f"fit {HALF_YEAR} --background constant --no-checks --quiet", reads_events=True),
    Job("attribute", f"attribute {HALF_YEAR} --forests 50 --quiet", again=4.0, first=12.0, reads_events=True),
    Job(
        "replay, 50 replays",
        f"replay {HALF_YEAR} --without mechanisms.retaliation_force --replicates 50 --imputations 2 --sets 2 --quiet",
        again=20.0,
        first=30.0,
        reads_events=True,
    ),
    Job("run, 10,000 runs", "run north-kosovo --quiet --out {out}", again=6.5, memory=400.0, is_full=True),
    Job("run, 10,000 runs, one core", "run north-kosovo --quiet --workers 1 --out {out}", is_full=True),
    Job("compare, 10,000 runs", "compare north-kosovo withdraw_kfor --quiet", again=50.0, is_full=True),
    Job(
        "fit by day, with checks",
        f"fit kosovo-events {KEDS} --start 1998-01-01 --doubles same_day --drop-unmatched --quiet",
        again=20.0,
        first=45.0,
        is_full=True,
        reads_events=True,
    ),
)

MANY = """\
powderkeg: 1
name: many
title: Many actors, everyone against everyone
start: 2020-01-01
years: 1
actors:
{actors}
ties:
{ties}
acts: {{threaten: {{tone: hostile}}, attack: {{tone: hostile}}, thank: {{tone: cooperative}}}}
moves:
  threats: {{who: state, does: threaten, to: state, rate: "{rate:.9g} per year"}}
  attacks: {{who: state, does: attack, to: state, rate: "{rate:.9g} per year"}}
  thanks: {{who: state, does: thank, to: state, rate: "{rate:.9g} per year"}}
mechanisms:
  retaliation: {{when: x attacks y, then: y attacks x, answers: 0.4, half_life: 5 days}}
  escalation: {{when: x threatens y, then: y attacks x, answers: 0.1, half_life: 5 days}}
  contagion: {{when: x attacks y, then: y threatens x, answers: 0.2, half_life: 5 days}}
  alliance: {{when: x attacks y, given: z allies y, then: z attacks x, answers: 0.1, half_life: 5 days}}
  solidarity: {{when: x threatens y, given: z allies x, then: z threatens y, answers: 0.1, half_life: 5 days}}
"""


def many_actors(n: int) -> str:
    """Three acts between every two of n actors, 3 n (n - 1) channels; each is allied to the next and to some other."""
    pairs = {frozenset((i, j)) for i in range(n) for j in ((i + 1) % n, (7 * i + 3) % n) if i != j}
    allies = [
        f"  t{k}: {{kind: alliance, from: a{min(p)}, to: a{max(p)}}}" for k, p in enumerate(sorted(pairs, key=sorted))
    ]
    actors = [f"  a{i}: {{is: [state]}}" for i in range(n)]
    return MANY.format(actors="\n".join(actors), ties="\n".join(allies), rate=1.0 / n)


class Took(NamedTuple):
    """Seconds of the processor and on the clock, and peak megabytes, of a process and all that it started."""

    processor: float
    clock: float
    memory: float


def timed(words: list[str], cache: Path, checkout: Path, cwd: Path | None = None) -> Took:
    """What a command took, with the package of `checkout` and compiled code kept in `cache`.

    Python keeps its byte code, whatever is said here: it does so for users, and reading 300 modules anew costs half a
    second.
    """
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(checkout)}
    environment["PYTHONDONTWRITEBYTECODE"] = ""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(words, env=environment, cwd=cwd, stdout=subprocess.DEVNULL, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        if process.returncode:
            told.seek(0)
            raise SystemExit(f"{' '.join(words)} failed:\n{told.read().decode()[-3000:]}")
    return Took(usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1e6))


def measure(job: Job, checkout: Path, folder: Path, repeats: int) -> dict[str, Any]:
    """Seconds and megabytes of a job's first start and of the best of those after it."""
    words = [sys.executable, "-m", "powderkeg", *job.words.format_map(_Files(folder)).split()]
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        home = Path(cache) / "work"
        home.mkdir()
        # pip makes the byte code of all that it installs, so the first start of a user has it too.
        timed([sys.executable, "-m", "compileall", "-q", str(checkout / "powderkeg")], Path(cache) / "kept", checkout)
        timed([sys.executable, "-m", "powderkeg", "check"], Path(cache) / "kept", checkout, home)
        starts = []
        for _ in range(repeats + job.compiles):
            starts.append(timed(words, Path(cache) / "kept", checkout, home))
            for made in home.iterdir():  # a sweep goes on where an earlier one ended
                shutil.rmtree(made)
    best = min(starts[job.compiles :])
    found: dict[str, Any] = {"again": round(best.processor, 2), "again_clock": round(best.clock, 2)}
    if job.compiles:
        found |= {"first": round(starts[0].processor, 2), "first_clock": round(starts[0].clock, 2)}
    return found | {"memory": round(max(start.memory for start in starts))}


class _Files(dict[str, str]):
    """Names in a job's words -> files: "actors_50" is a scenario of fifty actors."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, name: str) -> str:
        if name == "out":
            return "report"
        file = self.folder / f"{name}.yaml"
        file.write_text(many_actors(int(name.removeprefix("actors_"))), encoding="utf-8")
        return str(file)


@contextlib.contextmanager
def checkout_of(commit: str) -> Iterator[Path]:
    """A folder with the package as it was at a commit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "checkout"
        git = ["git", "-C", str(CHECKOUT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def demo() -> dict[str, Any]:
    """`make demo` in a bare clone, as on a machine without the packages that pip keeps."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
        words = ["env", f"PIP_CACHE_DIR={folder}/pip", "make", "demo"]
        took = timed(words, Path(folder) / "cold", clone, cwd=clone)
    return {"first": round(took.processor, 2), "first_clock": round(took.clock, 2), "memory": round(took.memory)}


def table(found: dict[str, dict[str, Any]], before: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The figures, line by line: now, then what is meant to be reached, then the ratio to 0.1.0."""
    yield f"{'':28}{'first s':>9}{'target':>8}{'of 0.1.0':>9} |{'again s':>8}{'target':>8}{'of 0.1.0':>9} | MB"
    targets = {job.name: job for job in JOBS}
    for name, now in found.items():
        job, was = targets.get(name, Job(name, "")), before.get(name, {})
        line = f"{name:28}"
        for key, width in (("first", 9), ("again", 8)):
            target = getattr(job, key)
            line += f"{now[key]:{width}.2f}" if key in now else " " * width
            line += f"{target:8.1f}" if target is not None else " " * 8
            line += f"{now[key] / was[key]:9.2f}" if key in now and was.get(key) else " " * 9
            line += " |"
        memory = f"{now['memory']:5.0f}" + (f" (target {job.memory:.0f})" if job.memory else "")
        yield line + memory + (f", {now['memory'] / was['memory']:.2f} of 0.1.0" if was else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--beside", metavar="COMMIT")
    given = parser.parse_args()
    kept: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    found, before, load = kept.get("measured", {}), kept.get("before", {}), os.getloadavg()[0]
    measured: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        other = stack.enter_context(checkout_of(given.beside)) if given.beside else None
        for job in JOBS:
            if not job.name.startswith(tuple(given.only)) or (job.is_full and not given.full):
                continue
            if job.reads_events and not KEDS.exists():
                print(f"{job.name}: left out, no event data at {DATA}", file=sys.stderr)
                continue
            print(f"{job.name} ...", file=sys.stderr, flush=True)
            if other is not None:
                before[job.name] = measure(job, other, folder, given.repeats)
            found[job.name] = measured[job.name] = measure(job, CHECKOUT, folder, given.repeats)
            keep(found, before, load)
    if given.demo:
        found["make demo"] = measured["make demo"] = demo()
        keep(found, before, load)
    print("\n".join(table(measured, before)))
    print(f"kept in {RESULT.relative_to(CHECKOUT)}, with what 0.1.0 took where it was measured")


def keep(found: dict[str, Any], before: dict[str, Any], load: float) -> None:
    """Write what was measured so far."""
    record = {
        "date": date.today().isoformat(),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_before": round(load, 1)},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "measured": found,
        "before": before,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
