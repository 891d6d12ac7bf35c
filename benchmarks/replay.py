"""How long a replay takes: a system of 43 channels over two years, and the built-in scenario from acts alone.

    python benchmarks/replay.py [--out benchmarks/results/replay.json]

Processor time, best of several; the machine and how busy it was stand beside the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from systems import small

import powderkeg as pk
from powderkeg.engine.draws import COPY, child, root_key
from powderkeg.engine.replay.intensity import ledger
from powderkeg.engine.replay.particle_filter import enough_copies, hidden, impute
from powderkeg.engine.replay.replay import Given, replays
from powderkeg.engine.worlds import Phase, silenced, world
from powderkeg.simulate import simulate

REPEATS = 5
REPLICATES = 200


def cpu(work: Any) -> float:
    """Processor seconds, best of several, after one call that compiles."""
    work()
    best = np.inf
    for _ in range(REPEATS):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return float(best)


def small_system() -> list[dict[str, Any]]:
    """Complete histories of the small system: everything that happens is a channel."""
    base = small(calmed=False)
    runs = simulate(base, days=730.0, replicates=1, seed=1)
    n = len(runs)
    given = Given(runs.time, runs.channel.astype(np.int64), np.full(n, -1), np.zeros(n, np.bool_))
    off = base._replace(edge_mass=np.where(base.edge_mechanism == 3, 0.0, base.edge_mass))
    gone = given.gone.copy()
    gone[n // 10] = True
    cases = {
        "nothing changes": (world(base, (Phase(0.0, base),)), given),
        "one act left out": (world(base), given._replace(gone=gone)),
        "a mechanism off": (world(base, (Phase(0.0, off),)), given),
        "an actor out": (world(base, (Phase(0.0, silenced(base, np.arange(0, 32, 8))),)), given),
        "rates half as high again": (world(base, (Phase(0.0, base._replace(rate=1.5 * base.rate)),)), given),
    }
    rows = []
    for name, (into, history) in cases.items():
        b = ledger(into, 0.0)
        found = replays(b, history, 0.0, 0.0, 730.0, root_key(1), 0, REPLICATES)
        seconds = cpu(lambda b=b, history=history: replays(b, history, 0.0, 0.0, 730.0, root_key(1), 0, REPLICATES))
        rows.append(
            {
                "case": name, "events": n, "stay": float(found.kept.mean()), "new": len(found.time) / REPLICATES,
                "milliseconds_a_replay": 1e3 * seconds / REPLICATES,
            }
        )  # fmt: skip
    return rows


def built_in() -> list[dict[str, Any]]:
    """Two years of acts of the built-in scenario: what drawing the unreported costs, at exact times and by day."""
    model = pk.compile(pk.load("north-kosovo"))
    runs = pk.simulate(model, years=2, replicates=1, seed=4)
    acts = runs.channel < model.n_acts
    b = ledger(world(model.system), 0.0)
    rows = []
    for by_day in (False, True):
        h = hidden(b, model.n_acts, by_day)
        time_, channel = runs.time[acts], runs.channel[acts].astype(np.int64)
        at = np.floor(time_) if by_day else time_
        copies = enough_copies(b, h, by_day)
        key = np.uint64(child(root_key(1), COPY, 0))
        seconds = cpu(
            lambda h=h, at=at, channel=channel, by_day=by_day, copies=copies, key=key: impute(
                b, h, at, channel, by_day, 0.0, 730.5, key, copies
            )
        )
        rows.append(
            {"stamps": "day" if by_day else "exact", "acts": int(acts.sum()), "copies": copies,
             "seconds_an_imputation": seconds}
        )  # fmt: skip
    return rows


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "replay.json")
    out = parser.parse_args().out
    result = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "replay": small_system(),
        "imputation": built_in(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    out.write_text(text + "\n")


if __name__ == "__main__":
    main()
