"""What do kept pieces and a cluster cost? The same job in turns: plain, with a checkpoint folder, on Dask.

    python benchmarks/job_costs.py --replicates 20000 --rounds 5
    python benchmarks/job_costs.py --job sweep --replicates 100000 --rounds 3

Each round simulates north-kosovo, compares it with a withdrawal of KFOR, or sweeps one of its numbers over twelve
points, three times with two workers, in a random order. Pieces of runs hold every act, 18 bytes each; pieces of a
comparison and of a sweep hold outcomes, and one of a sweep is a whole point: with 100,000 runs about ten seconds.
Processor
seconds are of this process and of the cluster's workers together, without their start: on a machine that does other
things they can be trusted, seconds on the clock less. What was seen is written to benchmarks/results/job_costs.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import distributed

import powderkeg as pk
from powderkeg.simulate.plans import JobPlan

RESULT = Path(__file__).resolve().parent / "results" / "job_costs.json"
WAYS = ("plain", "checkpoint", "Dask")


def runs(model: Any, replicates: int, seed: int, extra: dict[str, Any]) -> str:
    """The digest of simulated runs."""
    return pk.simulate(model, replicates=replicates, seed=seed, **extra).digest()


def comparison(model: Any, replicates: int, seed: int, extra: dict[str, Any]) -> str:
    """The table of a comparison as a text."""
    extra = {{"checkpoint": "folder"}.get(name, name): value for name, value in extra.items()}
    return str(pk.compare(model, ["withdraw_kfor"], replicates=replicates, seed=seed, **extra).table().to_dicts())


def points(model: Any, replicates: int, seed: int, extra: dict[str, Any]) -> str:
    """The table of a sweep as a text."""
    extra = {{"checkpoint": "folder"}.get(name, name): value for name, value in extra.items()}
    axes = {"mechanisms.obligation.answers": "0.2:0.5:12"}
    return str(pk.sweep(model, axes, replicates=replicates, seed=seed, **extra).table.to_dicts())


JOBS: dict[str, Callable[[Any, int, int, dict[str, Any]], str]] = {
    "run": runs, "compare": comparison, "sweep": points,
}  # fmt: skip


def measured(client: Any, job: str, model: Any, replicates: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Seconds on the clock, of processors and the number of pieces, for each way and round."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    digests = set()
    for seed in range(1, rounds + 1):
        for way in random.Random(seed).sample(WAYS, len(WAYS)):
            with tempfile.TemporaryDirectory() as folder:
                extra: dict[str, Any] = {"workers": 2}
                if way != "plain":
                    extra |= {"checkpoint": JobPlan(Path(folder))}
                if way == "Dask":
                    extra |= {"executor": client.get_executor(pure=False)}
                forget()
                client.run(forget)
                worked, began = used(client), time.perf_counter()
                digests.add((seed, JOBS[job](model, replicates, seed, extra)))
                clock = time.perf_counter() - began
                pieces = len([*Path(folder).rglob("[0-9]*.npy"), *Path(folder).rglob("[0-9]*.json")])
                found[way].append({"clock": clock, "processor": used(client) - worked, "pieces": pieces})
                print(job, way, {name: round(value, 2) for name, value in found[way][-1].items()}, flush=True)
    assert len(digests) == rounds, "the ways differ in bytes"
    return found


def forget() -> None:
    """A process keeps the runs that points of a sweep are held against: each way makes its own."""
    from powderkeg.compare.sweep.sweeps import _BASES

    _BASES.clear()


def used(client: Any) -> float:
    """Processor seconds of this process and of the cluster's workers so far."""
    return time.process_time() + sum(client.run(time.process_time).values())


def main() -> None:
    """Measure, print, keep."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--replicates", type=int, default=20_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--job", action="append", choices=JOBS, help="only this one; repeatable")
    given = asked.parse_args()
    jobs = given.job or ["run", "compare"]
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    model = pk.compile(pk.load("north-kosovo"))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        for job in jobs:
            measured(client, job, model, 100, 1)  # compiled, and sent once
        result: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
        about = {"replicates": given.replicates, "rounds": given.rounds, "load": os.getloadavg()[0]}
        for job in jobs:
            result[job] = about | summary(measured(client, job, model, given.replicates, given.rounds))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Medians of each way, and of what it takes more than the plain one in the same round."""
    result = {}
    for way in WAYS:
        result[way] = {
            what: round(statistics.median(one[what] for one in found[way]), 3)
            for what in ("clock", "processor", "pieces")
        }
    for way in WAYS[1:]:
        pairs = list(zip(found[way], found["plain"], strict=True))
        result[way]["processor_more"] = round(
            statistics.median(b["processor"] / a["processor"] - 1 for b, a in pairs), 3
        )
        result[way]["clock_more"] = round(statistics.median(b["clock"] / a["clock"] - 1 for b, a in pairs), 3)
    return result


if __name__ == "__main__":
    main()
