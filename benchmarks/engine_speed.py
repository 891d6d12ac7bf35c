"""How long does the engine take for an event, and is it under its floors?

In: nothing. Out: a table of nanoseconds an event on one core, of 1 against 2 threads, and of compiling from nothing;
the same with versions in benchmarks/results/engine_speed.json. A ratio below 1 is under the floor.

    python benchmarks/engine_speed.py [--repeats 5]

Times are processor seconds of the thread that works, best of the repeats: what other jobs on the machine take from it
counts little. Threads are compared on the clock, so that row wants a quiet machine; the load stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "engine_speed.json"
sys.path.insert(0, str(HERE.parent / "tests"))

import numba  # noqa: E402
import numpy as np  # noqa: E402
import systems  # noqa: E402

import powderkeg  # noqa: E402
from powderkeg.engine.arrays import System  # noqa: E402
from powderkeg.engine.draws import root_key  # noqa: E402
from powderkeg.engine.simulation.chunks import Workspace, simulate_chunk  # noqa: E402
from powderkeg.engine.simulation.tables import expected_events, tables  # noqa: E402
from powderkeg.engine.simulation.thinning import CANDIDATES  # noqa: E402
from powderkeg.engine.worlds import world  # noqa: E402
from powderkeg.simulate import simulate  # noqa: E402


class Job(NamedTuple):
    name: str
    system: System
    days: float
    replicates: int
    floor: float  # ns/event


class Measured(NamedTuple):
    job: str
    events: int
    value: float
    unit: str
    floor: float
    candidates: float = 0.0

    @property
    def ratio(self) -> float:
        return self.value / self.floor


def jobs() -> list[Job]:
    """The floors are those of docs/engine.md; where a floor is a peer's speed, the number was measured beside it."""
    found = [
        Job("small, gated: 43 channels, 10 facts", systems.small(), 3652.0, 300, 400.0),
        Job("sparse: 10,000 channels, 11 links", systems.sparse(), 4000.0, 1, 800.0),
        Job("sparse and gated", systems.sparse(gated=True), 4000.0, 1, 800.0),
        Job("sparse: 1,000 channels, 5 links", systems.sparse(1000, 5, 0.1), 4000.0, 1, 400.0),
        Job("dense: 10 channels, one run of a million", systems.dense(), 400_000.0, 1, 100.0),
        Job("dense: 1,000 runs of 2,000 events", systems.dense(), 800.0, 1000, 109.0),
    ]
    try:
        scenario = powderkeg.load("north-kosovo")
        found.append(Job("north-kosovo, 10 years", powderkeg.compile(scenario).system, 3652.5, 500, 2000.0))
    except powderkeg.PowderkegError as error:
        print(f"north-kosovo left out: {error}")
    return found


def measure(job: Job, repeats: int) -> Measured:
    """Nanoseconds an event on one core, buffers warm."""
    built = tables(world(job.system))
    workspace, expected = Workspace(), expected_events(built, job.days)
    best, chunk = np.inf, None
    for _ in range(repeats + 1):
        begin = time.thread_time()
        chunk = simulate_chunk(built, root_key(1), 0, job.replicates, 0.0, job.days, 2**31 - 2, workspace, expected)
        best = min(best, time.thread_time() - begin)
    assert chunk is not None
    n = len(chunk.time)
    return Measured(job.name, n, best / n * 1e9, "ns/event", job.floor, float(workspace.control[CANDIDATES]) / n)


def threads(repeats: int) -> Measured:
    """Seconds on the clock with two threads over seconds with one."""
    seconds = {}
    for workers in (1, 2):
        times = []
        for _ in range(repeats):
            begin = time.perf_counter()
            runs = simulate(systems.small(), days=3652.0, replicates=1500, workers=workers)
            times.append(time.perf_counter() - begin)
        seconds[workers] = min(times)
    return Measured("two threads over one, on the clock", len(runs), seconds[2] / seconds[1], "of the time", 0.6)


def compiling() -> Measured:
    """Processor seconds of a first simulation with an empty cache of compiled code, imports included."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(HERE.parent / 'tests')!r}); import systems;"
        "from powderkeg.simulate import simulate;"
        "simulate(systems.small(), days=10.0, replicates=2, workers=1); print(time.process_time())"
    )
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_CACHE_DIR": cache}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return Measured("the very first simulation, compiling", 0, float(done.stdout), "processor s", 15.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rows = [measure(job, repeats) for job in jobs()]
    rows += [threads(repeats), compiling()]
    print(f"{'job':44} {'events':>10} {'value':>9} {'':13} {'floor':>7} {'ratio':>6} {'candidates':>11}")
    for row in rows:
        print(
            f"{row.job:44} {row.events:10,} {row.value:9.2f} {row.unit:13} {row.floor:7.1f} {row.ratio:6.2f} "
            + (f"{row.candidates:8.2f}/event" if row.candidates else "")
        )
    load = os.getloadavg()[0]
    print(f"load {load:.1f} on {os.cpu_count()} cores")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "date": date.today().isoformat(),
                "powderkeg": powderkeg.__version__,
                "numba": numba.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "load": load,
                "rows": [row._asdict() | {"ratio": row.ratio} for row in rows],
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
