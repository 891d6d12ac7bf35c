"""Do replays of acts alone have the law of the other world in the built-in scenario, with all its hidden facts?

    python benchmarks/replay_law.py [--histories 100] [--out benchmarks/results/replay_law.json]

Histories of two years are simulated, what nobody would report is thrown away (and in turn the hours too), each is
imputed and replayed once without something, and the acts are held against simulations of that world. z of all acts
together, and the largest of the channels that are seen at all.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import powderkeg as pk
from powderkeg.compare.replay.without import Observed, leave_out
from powderkeg.engine.draws import COPY, child, root_key
from powderkeg.engine.replay.intensity import ledger
from powderkeg.engine.replay.particle_filter import enough_copies, hidden, impute
from powderkeg.engine.replay.replay import Given, replays
from powderkeg.simulate import simulate

DAYS = 730.5
SIMULATED = 4_000
SEEN = 20
"""Acts of a channel, replayed and simulated together, from which its z is looked at."""


def measure(model: pk.Model, name: str, by_day: bool, n: int) -> dict[str, Any]:
    """One thing left out, one kind of stamps."""
    base, acts = model.system, model.n_acts
    nobody = Observed(np.zeros(0), np.zeros(0, np.int64), by_day, 0.0, DAYS)
    into = leave_out(model, nobody, name).build(base, {})
    b = ledger(into, 0.0)
    h = hidden(b, acts, by_day)
    copies = enough_copies(b, h, by_day)
    runs = simulate(model, days=DAYS, replicates=n, seed=5)
    other = simulate(base, days=DAYS, replicates=SIMULATED, seed=77, world=into)
    simulated = np.zeros((SIMULATED, base.n_channels))
    np.add.at(simulated, (other.replicate, other.channel), 1)
    replayed, observed, impossible = np.zeros((n, base.n_channels + len(base.timer_channel))), 0, 0
    begin = time.process_time()
    for r in range(n):
        rows = slice(*runs.offsets[r : r + 2])
        channel = runs.channel[rows].astype(np.int64)
        stamps = runs.time[rows][channel < acts]
        observed += len(stamps)
        key = np.uint64(child(root_key(3), COPY, r))
        stamps = np.floor(stamps) if by_day else stamps
        drawn = impute(b, h, stamps, channel[channel < acts], by_day, 0.0, DAYS, key, copies)
        impossible += int(drawn.impossible.sum())
        given = Given(drawn.time, drawn.process, drawn.coins, np.zeros(len(drawn.time), np.bool_))
        found = replays(b, given, 0.0, 0.0, DAYS, root_key(4), r, 1)
        replayed[r] += np.bincount(drawn.process[found.kept[0]], minlength=replayed.shape[1])
        replayed[r] += np.bincount(found.process, minlength=replayed.shape[1])
    seconds = time.process_time() - begin
    one, two = replayed[:, :acts], simulated[:, :acts]
    # The variance of the many: a rare act may be missing from all of the few.
    error = np.sqrt(two.var(axis=0) * (1.0 / n + 1.0 / SIMULATED))
    seen = one.sum(axis=0) + two.sum(axis=0) > SEEN
    z = ((one.mean(axis=0) - two.mean(axis=0)) / np.where(error > 0, error, 1.0))[seen]
    whole = np.sqrt(one.sum(axis=1).var() / n + two.sum(axis=1).var() / SIMULATED)
    return {
        "without": name,
        "stamps": "day" if by_day else "exact",
        "histories": n,
        "copies": copies,
        "acts_observed": observed / n,
        "acts_replayed": float(one.sum(axis=1).mean()),
        "acts_simulated": float(two.sum(axis=1).mean()),
        "z": float((one.sum(axis=1).mean() - two.sum(axis=1).mean()) / whole),
        "channels": int(seen.sum()),
        "largest_z": float(np.abs(z).max()),
        "impossible": impossible,
        "cpu_seconds_a_history": seconds / n,
    }


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "replay_law.json")
    asked = parser.parse_args()
    model = pk.compile(pk.load("north-kosovo"))
    rows = []
    for name in ("serbia", "measure_suspended", "deal"):
        for by_day in (False, True):
            rows.append(measure(model, name, by_day, asked.histories))
            print(json.dumps(rows[-1]), flush=True)
    asked.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
