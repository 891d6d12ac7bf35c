"""Is the branching ratio right when a record is seen through a source, and how far off when the source is left out?

    python benchmarks/reporting_recovery.py [--replications 60] [--stamp day|exact] [--error weekday|batches] [--anew]

Two sides, 0.4 acts a day each by themselves, inertia 0.3 (half-life 1.4 days) and retaliation 0.2 (3.5 days): branching
ratio 0.5. Histories of ten years are made here with NumPy, apart from the library's simulator, then seen through a
source: every act on Mondays to Thursdays, 0.9 on Fridays, 0.5 on Saturdays, 0.35 on Sundays; or all acts, each told a
Borel number of times (30 % of reports are further ones). Printed: the branching ratio of the acts themselves, of the
record through the source, and of the record without; results/reporting_recovery.json keeps them, history by history,
and more histories go on from there: after a change of the fit, begin `--anew`.
"""

from __future__ import annotations

import argparse
import json
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events.table import EventTable

RESULTS = Path(__file__).parent / "results" / "reporting_recovery.json"
DAYS = 3650.0
WEEK = np.array([1.0, 1.0, 1.0, 1.0, 0.9, 0.5, 0.35])
FURTHER = 0.3
SCENARIO = """
powderkeg: 1
name: answers
start: 2018-01-01
years: 10
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves:
  north_threats: {who: north, does: threaten, to: south, rate: 0.4 per day}
  south_threats: {who: south, does: threaten, to: north, rate: 0.4 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 1.4 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.2, half_life: 3.5 days}
"""


def happened(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(time, channel) of all acts, generation after generation."""
    n = rng.poisson(0.8 * DAYS)
    time, channel = rng.uniform(0.0, DAYS, n), rng.integers(0, 2, n)
    times, channels = [time], [channel]
    while len(time):
        born_time, born_channel = [], []
        for kind, (mean, half_life) in enumerate(((0.3, 1.4), (0.2, 3.5))):
            many = rng.poisson(mean, len(time))
            born_time.append(np.repeat(time, many) + rng.exponential(half_life / np.log(2), many.sum()))
            born_channel.append(np.repeat(channel if kind == 0 else 1 - channel, many))
        time, channel = np.concatenate(born_time), np.concatenate(born_channel)
        time, channel = time[time < DAYS], channel[time < DAYS]
        times.append(time)
        channels.append(channel)
    order = np.argsort(np.concatenate(times))
    return np.concatenate(times)[order], np.concatenate(channels)[order]


def table(time: np.ndarray, channel: np.ndarray, stamp: str) -> EventTable:
    frame = pl.DataFrame(
        {
            "time": np.floor(time) if stamp == "day" else time,
            "source": np.where(channel == 0, "north", "south"),
            "act": ["threaten"] * len(time),
            "target": np.where(channel == 0, "south", "north"),
        }
    )
    return EventTable(frame, date(2018, 1, 1), DAYS, stamp)


def seen(time: np.ndarray, channel: np.ndarray, error: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if error == "weekday":
        kept = rng.random(len(time)) < WEEK[np.floor(time).astype(int) % 7]
        return time[kept], channel[kept]
    number, left = np.ones(len(time), np.int64), np.ones(len(time), np.int64)
    while left.any():
        left = rng.poisson(FURTHER * left)
        number += left
    return np.repeat(time, number), np.repeat(channel, number)


def one(seed: int, stamp: str, error: str) -> dict[str, float | bool | None]:
    """Branching ratios of one history: of its acts, of the record through the source, and without."""
    rng = np.random.default_rng(seed)
    time, channel = happened(rng)
    scenario, record = pk.loads(SCENARIO), table(*seen(time, channel, error, rng), stamp)
    asked = {"background": "constant", "test_mechanisms": False}
    acts = pk.fit(scenario, table(time, channel, stamp), **asked)
    through = pk.fit(scenario, record, reporting=error, **asked)
    without = pk.fit(scenario, record, **asked)
    truth = {"mechanisms.inertia.answers": 0.3, "mechanisms.retaliation.answers": 0.2}
    held = [
        e.low <= truth[path] <= e.high
        for path, e in through.parameters.items()
        if path in truth and e.low is not None and e.high is not None
    ]
    return {
        "acts": acts.branching_ratio, "through": through.branching_ratio, "without": without.branching_ratio,
        "held": float(np.mean(held)) if held else None,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=60)
    parser.add_argument("--stamp", choices=("day", "exact"), default="exact")
    parser.add_argument("--error", choices=("weekday", "batches"), default="weekday")
    parser.add_argument("--anew", action="store_true", help="forget the histories that are kept")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if given.anew:
        kept.pop(f"{given.error}, {given.stamp}", None)
    rows = kept.setdefault(f"{given.error}, {given.stamp}", [])
    for seed in range(len(rows), given.replications):
        rows.append(one(1000 + seed, given.stamp, given.error))
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    for name in ("acts", "through", "without"):
        values = np.array([row[name] for row in rows])
        print(f"{name:8} {values.mean():.4f} +- {values.std(ddof=1) / len(values) ** 0.5:.4f}")
    print(f"90 % intervals held {100 * np.mean([row['held'] for row in rows if row['held'] is not None]):.0f} %")


if __name__ == "__main__":
    main()
