"""A million runs as an array of processes, some of them killed: the same files as in one piece, and how much memory?

    python benchmarks/array_job.py --years 0.1 --replicates 1000000 --parts 100 --kills 12 --side-by-side 2
    python benchmarks/array_job.py --years 0.1 --replicates 1000000 --parts 0 --dask 2 --lost 3

The parts are made in a random order, so many at a time. Some are killed with SIGKILL at a random moment and made again
at the end, as a scheduler does. `gather` then puts them together, and every file is held against those of the same
command in one piece. With --dask the same command is run once more on a Dask cluster of so many worker processes on
this machine, of which --lost are killed on the way (their nannies start others). Memory is the most that the system
counted for a process, work its processor time. What was seen is written to benchmarks/results/array_job.json, that of
Dask beside it. Not for Windows, which does not count so.
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
        if (name := p.relative_to(folder).as_posix()).partition("/")[0] not in OURS or name.endswith(".npy")
    }


def command(given: argparse.Namespace) -> list[str]:
    """What is typed, but for where it goes."""
    words = ["run", given.scenario, "--years", str(given.years), "--replicates", str(given.replicates), "--stream"]
    return [*words, "--workers", "1", "--quiet"]


def tried(given: argparse.Namespace, made: Path) -> dict[str, Any]:
    """All processes, and what came out."""
    rng = random.Random(given.seed)
    words = command(given)
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


def peak_here() -> float:
    """The most memory that this process held, MB; asked of a worker."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def tried_on_dask(given: argparse.Namespace, made: Path) -> dict[str, Any]:
    """The same command undivided and on a cluster whose workers die, and what came out."""
    import distributed

    rng = random.Random(given.seed)
    words, whole, there = command(given), made / "whole", made / "dask"
    undivided = ended("in one piece", [*words, "--out", str(whole)], made / "said-whole.txt")
    print(f"in one piece: code {undivided.code}, {undivided.seconds:.1f} s, {undivided.peak:.0f} MB", flush=True)
    peaks: list[float] = []
    lost: list[int] = []
    over = threading.Event()

    def strike(client: distributed.Client) -> None:
        """Ask for memory every two seconds; kill a worker now and then."""
        moments = sorted(rng.uniform(0.3, 1.0) * undivided.seconds for _ in range(given.lost))
        began = time.monotonic()
        while not over.wait(2.0):
            peaks.extend(client.run(peak_here, on_error="ignore").values())
            if moments and time.monotonic() - began > moments[0]:
                moments.pop(0)
                victim = rng.choice([*client.run(os.getpid, on_error="ignore").values()])
                os.kill(victim, signal.SIGKILL)
                lost.append(victim)

    with (
        distributed.LocalCluster(
            n_workers=given.dask, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        killer = threading.Thread(target=strike, args=(client,))
        killer.start()
        share = ["--cluster", cluster.scheduler_address, "--out", str(there)]
        one = ended("on Dask", [*words, *share], made / "said-dask.txt")
        over.set()
        killer.join()
    print(f"on Dask: code {one.code}, {one.seconds:.1f} s, {one.peak:.0f} MB, {len(lost)} workers killed", flush=True)
    here, elsewhere = digests(there), digests(whole)
    return {
        "command": ["powderkeg", *words], "workers": given.dask, "killed": len(lost), "files": len(elsewhere),
        "different": [name for name in {**here, **elsewhere} if here.get(name) != elsewhere.get(name)],
        "failed": [f"{e.what}: {e.said[-500:]}" for e in (undivided, one) if e.code],
        "tracebacks": sum("Traceback" in e.said for e in (undivided, one)),
        "most MB": {"asking process": one.peak, "worker": max(peaks), "in one piece": undivided.peak},
        "seconds": {"on Dask": one.seconds, "in one piece": undivided.seconds},
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
    asked.add_argument("--dask", type=int, default=0, help="worker processes of a Dask cluster, instead of parts")
    asked.add_argument("--lost", type=int, default=0, help="so many of them are killed")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        seen = (tried_on_dask if given.dask else tried)(given, Path(made))
    text = json.dumps(seen, indent=1)
    (HERE / "results").mkdir(exist_ok=True)
    name = "array_job_dask.json" if given.dask else "array_job.json"
    (HERE / "results" / name).write_text(text + "\n", encoding="utf-8")
    print(text)
    if seen["different"] or seen["failed"] or seen["tracebacks"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
