"""How often does the interval of a rare event hold the answer, and what does the answer cost beside plain runs?

    python benchmarks/rare_coverage.py [--repeats 200] [--workers 2]

On families of one act with half an answer each: the chance of at least n of them is known exactly (Borel 1942). Each
repeat is one call of `pk.rare` with a seed of its own, 20 repetitions at every level, as a user makes it. Finished
repeats are kept in benchmarks/results/rare_coverage.json after every 20: called again it goes on from there, and more
`--repeats` go on from fewer. Another version starts anew.

Kept for each setting, and printed: the share of intervals that hold the exact answer, with the interval of that share
(Clopper & Pearson 1934); the mean estimate in standard errors from the exact answer, over all repeats; the relative
error that a call reports (median, and highest); the true one of a call (the spread of the estimates over the repeats);
and the gain, measured: candidates that plain runs need for the *true* relative error over those that a call took. Last
the gain on a whole scenario, for something near one in a million, in candidates and in processor seconds: a plain run
of a family is over after two candidates on average, so families show the least of it.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import powderkeg as pk
from powderkeg.compare import Step
from powderkeg.engine.worlds import ForcedAct, world
from powderkeg.model import from_arrays

RESULTS = Path(__file__).parent / "results" / "rare_coverage.json"
BRANCHING = 0.5
DAYS = 2000.0
REPETITIONS = 20
SETTINGS = ((20, 200), (48, 100), (48, 250), (48, 1000), (60, 250), (60, 1000), (60, 2000))
"""(size of the family, starts at a level)."""


def exact(size: int) -> float:
    """Chance that one act has at least `size` acts in its family, itself included."""
    terms = (
        math.exp(-BRANCHING * n + (n - 1) * math.log(BRANCHING * n) - math.lgamma(n + 1)) for n in range(size, 3000)
    )
    return math.fsum(terms)


def call(size: int, starts: int, seed: int, workers: int | None) -> list[float]:
    """Estimate, ends of the interval, relative error, work, and seconds of one call; -1 where there is none."""
    model = from_arrays([0.0], [[BRANCHING]], 1.0)
    every = np.array([True])
    ladder = [Step(f"{n} acts", every, count=n) for n in (*range(5, size, 5), size)]
    found = pk.rare(
        model, ladder, days=DAYS, starts=starts, repetitions=REPETITIONS, seed=seed, workers=workers,
        world=world(model.system, acts=(ForcedAct(0.0, 0),)),
    )  # fmt: skip
    told = (found.probability, found.low, found.high, found.relative_error, found.work, found.seconds)
    return [-1.0 if x is None else float(f"{x:.7g}") for x in told]


def told(size: int, starts: int, repeats: list[list[float]]) -> dict[str, Any]:
    """What the repeats of a setting come to."""
    p = exact(size)
    rows = np.array(repeats)
    n = len(rows)
    held = int(((rows[:, 1] <= p) & (p <= rows[:, 2]) & (rows[:, 0] > 0)).sum())
    too_low, too_high = int((rows[:, 2] < p).sum()), int((rows[:, 1] > p).sum())
    estimate = np.maximum(rows[:, 0], 0.0)
    share = stats.binomtest(held, n).proportion_ci(0.95)
    spread = float(estimate.std(ddof=1))
    work = float(rows[:, 4].mean())
    # A plain run of this family considers 1 / (1 - branching) candidates on average.
    plain = (1.0 - p) / p / (spread / p) ** 2 / (1.0 - BRANCHING)
    return {
        "size": size, "starts": starts, "exact": p, "repeats": n, "holds": held / n,
        "holds_95": [float(share.low), float(share.high)], "below": too_low / n, "above": too_high / n,
        "bias_in_standard_errors": float((estimate.mean() - p) / (spread / math.sqrt(n))),
        "relative_error_told_median": float(np.median(rows[:, 3])), "relative_error_told_most": float(rows[:, 3].max()),
        "relative_error_true": spread / p, "gain": plain / work, "seconds_a_call": float(rows[:, 5].mean()),
    }  # fmt: skip


def on_a_scenario(calls: int, workers: int | None) -> dict[str, Any]:
    """NATO and Russia fight within two years, in north-kosovo: near 1e-6. The gain, by the true spread of the calls."""
    model = pk.compile(pk.load("north-kosovo"))
    pk.rare(model, "alliance_clash", years=2, starts=50, seed=0, workers=workers)
    used = time.process_time()
    found = [pk.rare(model, "alliance_clash", years=2, starts=50, seed=1 + i, workers=workers) for i in range(calls)]
    seconds = (time.process_time() - used) / calls
    estimates = np.array([one.probability or 0.0 for one in found])
    p = float(estimates.mean())
    relative = float(estimates.std(ddof=1)) / p
    used = time.process_time()
    runs = pk.simulate(model, years=2, replicates=50_000, seed=1, workers=workers)
    plain_seconds = (time.process_time() - used) / runs.replicates
    plain_runs = (1.0 - p) / p / relative**2
    work = float(np.mean([one.work for one in found]))
    return {
        "calls": calls, "years": 2, "starts": 50, "repetitions": REPETITIONS, "probability": p,
        "relative_error_true": relative,
        "relative_error_told_median": float(np.median([one.relative_error for one in found])),
        "plain_runs": plain_runs, "gain_in_candidates": plain_runs * runs.candidates / runs.replicates / work,
        "processor_seconds_a_call": seconds, "gain_in_processor_seconds": plain_runs * plain_seconds / seconds,
    }  # fmt: skip


def kept() -> dict[str, Any]:
    """What an earlier call of this version kept."""
    about = {
        "powderkeg": pk.__version__, "python": platform.python_version(), "numpy": np.__version__,
        "repetitions": REPETITIONS, "level": 0.9, "columns": ["probability", "low", "high", "relative_error", "work",
        "seconds"],
    }  # fmt: skip
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    return found if all(found.get(name) == value for name, value in about.items()) else {**about, "calls": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--workers", type=int, default=None)
    asked = parser.parse_args()
    data = kept()
    for size, starts in SETTINGS:
        name = f"{size} from {starts}"
        calls = data["calls"].setdefault(name, [])
        began = time.perf_counter()
        while len(calls) < asked.repeats:
            first = len(calls)
            for i in range(first, min(first + 20, asked.repeats)):
                calls.append(call(size, starts, 1_000_000 * size + 100_000 * (starts % 97) + i, asked.workers))
            keep(data)
        one = told(size, starts, calls)
        low, high = (100 * end for end in one["holds_95"])
        held, below, above = (100 * one[name] for name in ("holds", "below", "above"))
        spread, said = 100 * one["relative_error_true"], 100 * one["relative_error_told_median"]
        print(
            f"{size} acts ({one['exact']:.3g}) from {starts:5d}: holds {held:.1f} % [{low:.1f}, {high:.1f}] of "
            f"{one['repeats']}, below {below:.1f} %, above {above:.1f} %, bias z {one['bias_in_standard_errors']:.2f}, "
            f"relative error {spread:.1f} % (told {said:.1f} %), gain {one['gain']:,.0f}; "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )
    data["north-kosovo"] = on_a_scenario(40, asked.workers)
    print(json.dumps(data["north-kosovo"], indent=1))
    keep(data)


def keep(data: dict[str, Any]) -> None:
    """Written beside its place and moved there when it is whole."""
    data["settings"] = {
        name: told(*(int(word) for word in name.split(" from ")), calls)
        for name, calls in data["calls"].items()
        if len(calls) > 1
    }
    RESULTS.parent.mkdir(exist_ok=True)
    beside = RESULTS.with_suffix(".part")
    settings, calls = json.dumps(data["settings"], indent=1), json.dumps(data["calls"])
    rest = json.dumps({name: value for name, value in data.items() if name not in ("settings", "calls")}, indent=1)
    beside.write_text(f'{rest[:-2]},\n "settings": {settings},\n "calls": {calls}\n}}\n', encoding="utf-8")
    beside.replace(RESULTS)


if __name__ == "__main__":
    main()
