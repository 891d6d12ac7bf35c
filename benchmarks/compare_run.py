"""What a whole comparison costs: eight interventions of north-kosovo, 10,000 runs of 10 years each, ranges and all.

    python benchmarks/compare_run.py [--replicates 10000]

Prints and keeps, with versions, in benchmarks/results/compare_run.json: seconds on the clock, processor seconds, the
most memory, and how busy the machine was before. On a machine that does nothing else the clock stays below the
processor seconds, whatever it shows on a busy one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np

import powderkeg as pk

RESULTS = Path(__file__).parent / "results" / "compare_run.json"
INTERVENTIONS = (
    "withdraw_kfor", "double_kfor", "clear_roads", "grant_serbia", "west_restrains", "serbia_restrains", "recognition",
    "membership",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    scenario = pk.load("north-kosovo")
    began, used = time.perf_counter(), time.process_time()
    found = pk.compare(scenario, INTERVENTIONS, years=10, replicates=asked.replicates)
    result = {
        "scenario": scenario.name, "digest": pk.digest(scenario), "interventions": len(found.interventions),
        "replicates": found.replicates, "years": found.years, "parameter_sets": found.sets, "runs_a_set": found.each,
        "seconds": round(time.perf_counter() - began, 1), "processor_seconds": round(time.process_time() - used, 1),
        "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "cores": len(os.sched_getaffinity(0)), "load_before": round(load, 1),
        "powderkeg": pk.__version__, "python": platform.python_version(), "numpy": np.__version__,
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
