"""Does a fit find the numbers that a history was simulated with, and do its intervals hold them as often as they say?

    python benchmarks/fit_recovery.py [--systems rivals,gated] [--stamps exact,day,naive] [--replications 200]
                                      [--budget SECONDS]

Histories are simulated from the scenarios of `recovery_systems`, and fitted by `pk.fit` with the background held to the
scenario's own course: at exact times; by day, as a newspaper dates them; and naively, the days read as exact times (an
act does not answer one of the same day), which shows what the day likelihood is for. Estimates and intervals are kept,
history by history, in benchmarks/results/fit_recovery.json; a run that was killed goes on where it stopped. Printed for
every parameter: truth, mean, root mean square error, share of 90 % intervals that hold the truth.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from recovery_systems import System, systems

import powderkeg as pk
from powderkeg.events.table import EventTable
from powderkeg.fit.estimates import estimate_parameters
from powderkeg.fit.likelihood.problem import filled_arrays
from powderkeg.fit.maximum.climb import Climber

RESULTS = Path(__file__).parent / "results" / "fit_recovery.json"
STAMPS = ("exact", "day", "naive")


def history(model: pk.Model, system: System, seed: int) -> EventTable:
    table = pk.simulate(model, years=system.years, replicates=1, seed=seed).table()
    return EventTable(table.frame.select("time", "source", "act", "target"), table.start, table.days)


def by_day(events: EventTable) -> EventTable:
    return replace(events, frame=events.frame.with_columns(pl.col("time").floor()), resolution="day")


def fitted(model: pk.Model, system: System, events: EventTable, stamp: str) -> dict[str, Any]:
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pk.fit(
            model, by_day(events) if stamp == "day" else events, free=system.free, background="scenario",
            test_mechanisms=False,
        )  # fmt: skip
        estimates, ratio, converged = found.parameters, found.branching_ratio, found.converged
        if stamp == "naive":  # `pk.fit` refuses ties at exact times, so the days are put in behind its back
            tied = found.problem.data._replace(time=np.floor(found.problem.data.time))
            climber = Climber(replace(found.problem, data=tied), found.climber.prior)
            solution = climber.climb(found.solution.vector, climber.problem.held)
            estimates = estimate_parameters(climber, solution, found.level)
            ratio = pk.branching_ratio(filled_arrays(climber.problem, solution.vector))
            converged = solution.converged
    return {
        "events": len(events),
        "seconds": round(time.perf_counter() - begun, 2),
        "converged": converged,
        "branching_ratio": float(f"{ratio:.5g}"),
        "parameters": {
            path: [None if v is None else float(f"{v:.5g}") for v in (e.estimate, e.se, e.low, e.high)]
            for path, e in estimates.items()
            if e.free
        },
    }


def show(name: str, stamp: str, model: pk.Model, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Print and return what came out."""
    truth = {p.path: p.value for p in model.parameters}
    paths = sorted({path for run in runs for path in run["parameters"]})
    ratio = np.array([run["branching_ratio"] for run in runs])
    true_ratio = float(pk.branching_ratio(model))
    print(
        f"\n{name}, {stamp}: {len(runs)} histories of {np.mean([run['events'] for run in runs]):.0f} acts, "
        f"{np.mean([run['seconds'] for run in runs]):.2f} s a fit, {sum(not r['converged'] for r in runs)} unsettled\n"
        f"  branching ratio {true_ratio:.4f}, mean {ratio.mean():.4f} ({100 * (ratio.mean() / true_ratio - 1):+.1f} %)"
    )
    told: dict[str, Any] = {"histories": len(runs), "branching_ratio": [true_ratio, float(ratio.mean())]}
    covered, intervals = 0, 0
    for path in paths:
        rows = [run["parameters"][path] for run in runs if path in run["parameters"]]
        value = np.array([row[0] for row in rows])
        is_log = path.endswith((".factor", ".half_life")) or ".half_lives" in path
        error = np.log(value / truth[path]) if is_log else value - truth[path]
        held = [row[2] <= truth[path] <= row[3] for row in rows if row[2] is not None and row[3] is not None]
        covered, intervals = covered + sum(held), intervals + len(held)
        share = np.mean(held) if held else float("nan")
        z = error.mean() / (error.std() / np.sqrt(len(error))) if error.std() > 1e-9 else 0.0
        print(
            f"  {path:44s} {truth[path]:8.4f}  mean {value.mean():8.4f}  rmse {np.sqrt((error**2).mean()):7.4f}"
            f"{' (log)' if is_log else '      '}  z of bias {z:+5.1f}  held {100 * share:5.1f} % of {len(held)}"
        )
        told[path] = [truth[path], float(value.mean()), float(np.sqrt((error**2).mean())), float(share), len(held)]
    told["pooled"] = covered / max(intervals, 1)
    print(f"  all intervals: {100 * told['pooled']:.1f} % of {intervals}")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", default="")
    parser.add_argument("--stamps", default=",".join(STAMPS))
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    asked = parser.parse_args()
    known = systems()
    begun = time.perf_counter()
    kept: dict[str, Any] = {"powderkeg": pk.__version__, "told": {}, "runs": {}}
    if RESULTS.exists():
        kept = json.loads(RESULTS.read_text())
    for name in asked.systems.split(",") if asked.systems else known:
        system = known[name]
        model = pk.compile(pk.edit(system.scenario, {"years": system.years}))
        for stamp in asked.stamps.split(","):
            runs = kept["runs"].setdefault(f"{name}, {stamp}", [])
            saved = time.perf_counter()
            while len(runs) < asked.replications and time.perf_counter() - begun < asked.budget:
                runs.append(fitted(model, system, history(model, system, 1000 + len(runs)), stamp))
                if time.perf_counter() - saved > 20.0:
                    RESULTS.write_text(json.dumps(kept) + "\n")
                    saved = time.perf_counter()
            if runs:
                kept["told"][f"{name}, {stamp}"] = show(name, stamp, model, runs)
    RESULTS.write_text(json.dumps(kept) + "\n")


if __name__ == "__main__":
    main()
