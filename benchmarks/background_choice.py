"""Does the choice of the background's course keep answers and background apart?

    python benchmarks/background_choice.py [--replications 40] [--budget SECONDS] [--cells TEXT]

Ten years of one kind of act that draws answers of its own kind, 0.4 a day by themselves. The background that draws
them is constant; goes with the season (factor 1 + 0.8 cos); has crises (six of 60 to 200 days, each at four times the
level between them); has sharp crises (eight, at 8.6 times); or drifts (the log level walks at random, 0.25 a month).
Rates and half-lives are free. Every history is fitted with `background="auto"`. Kept, history by history, in
benchmarks/results/background_choice.json: the branching ratio under the course that was chosen and under every
candidate, so that another rule can be tried on the same fits; a run that was killed goes on where it stopped.
Immigrants and offspring are drawn here, with NumPy alone, not by the library's own simulator.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events.table import EventTable

RESULTS = Path(__file__).parent / "results" / "background_choice.json"
DAYS = 3652.0
SCENARIO = """
powderkeg: 1
name: answers
start: 2010-01-01
years: 10
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves: {threats: {who: north, does: threaten, to: south, rate: 0.4 per day}}
mechanisms: {inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 1.4 days}}
"""
CELLS: list[tuple[str, float, float, float, str]] = [
    *(
        (kind, n, 2.0, 0.4, stamp)
        for stamp in ("exact", "day")
        for kind in ("constant", "season", "crises", "sharp crises", "drift")
        for n in (0.0, 0.3, 0.6)
    ),
    *((kind, 0.3, 10.0, 0.4, "exact") for kind in ("constant", "crises", "drift")),
    *((kind, 0.5, 2.0, 0.03, "exact") for kind in ("constant", "crises")),
    ("constant", 0.6, 10.0, 0.4, "exact"),
]
"""Course, branching ratio, mean delay in days, immigrants a day, stamps."""


def course(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Factor of the background on every day, mean 1."""
    t = np.arange(DAYS) + 0.5
    level = np.ones_like(t)
    if kind == "season":
        level = 1.0 + 0.8 * np.cos(2.0 * np.pi * t / 365.25)
    elif "crises" in kind:
        number, factor = (6, 4.0) if kind == "crises" else (8, 8.6)
        for begins in rng.uniform(0.0, DAYS, number):
            level[(t >= begins) & (t < begins + rng.uniform(60.0, 200.0))] = factor
    elif kind == "drift":
        months = np.arange(0.0, DAYS + 60.0, 30.0)
        level = np.exp(np.interp(t, months, np.cumsum(rng.normal(0.0, 0.25, len(months)))))
    return level / level.mean()


def history(kind: str, n: float, delay: float, rate: float, stamp: str, seed: int) -> EventTable:
    """One history: immigrants day by day, then generation after generation."""
    rng = np.random.default_rng([seed, 7])
    born = rng.poisson(rate * course(kind, rng))
    generation = np.repeat(np.arange(DAYS), born) + rng.uniform(size=born.sum())
    family = [generation]
    while len(generation):
        children = rng.poisson(n, len(generation))
        generation = np.repeat(generation, children) + rng.exponential(delay, children.sum())
        generation = generation[generation < DAYS]
        family.append(generation)
    at = np.sort(np.concatenate(family))
    frame = pl.DataFrame({"time": np.floor(at) if stamp == "day" else at}).with_columns(
        source=pl.lit("north"), act=pl.lit("threaten"), target=pl.lit("south")
    )
    return EventTable(frame, date(2010, 1, 1), DAYS, stamp)


def fitted(model: pk.Model, events: EventTable) -> dict[str, Any]:
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pk.fit(model, events, test_mechanisms=False)
    keep = ("background", "parameters", "log_likelihood", "aic", "branching_ratio", "slowest_delay", "eligible")
    return {
        "chosen": found.background,
        "n": found.branching_ratio,
        "events": len(events),
        "seconds": time.perf_counter() - begun,
        "candidates": [[row[key] for key in keep] for row in found.backgrounds.iter_rows(named=True)],
    }


def show(cell: str, runs: list[dict[str, Any]]) -> None:
    n = np.array([run["n"] for run in runs])
    constant = np.array([run["candidates"][0][4] for run in runs])
    low, high = (np.mean([f([c[4] for c in run["candidates"]]) for run in runs]) for f in (min, max))
    chosen = ", ".join(f"{name} {many}" for name, many in Counter(run["chosen"] for run in runs).most_common())
    print(
        f"{cell:38s} {len(runs):3d}  constant {constant.mean():.2f}  chosen {n.mean():.3f} "
        f"(sd {n.std():.3f})  band {low:.2f} to {high:.2f}  {chosen}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=40)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--cells", default="", help="only cells whose name holds this text")
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"powderkeg": pk.__version__, "cells": {}}
    model = pk.compile(pk.loads(SCENARIO))
    begun = time.perf_counter()
    for kind, n, delay, rate, stamp in CELLS:
        cell = f"{kind}, n {n:g}, {delay:g} d, {rate:g}/d, {stamp}"
        if asked.cells not in cell:
            continue
        runs = kept["cells"].setdefault(cell, [])
        while len(runs) < asked.replications and time.perf_counter() - begun < asked.budget:
            runs.append(fitted(model, history(kind, n, delay, rate, stamp, len(runs))))
            if len(runs) % 10 == 0:
                RESULTS.write_text(json.dumps(kept) + "\n")
        if runs:
            show(cell, runs)
    RESULTS.write_text(json.dumps(kept) + "\n")


if __name__ == "__main__":
    main()
