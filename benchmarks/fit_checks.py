"""How often do the checks of a fit reject, where the model is right and where it is wrong, and how long do they take?

    python benchmarks/fit_checks.py [--histories 100] [--seed 1]

Two scenarios of a few lines (two rivals; the same with truces that calm them) and the built-in north Kosovo are
simulated; every residual test is made at the truth, at the fitted parameters, and (rivals) on fits without a mechanism,
with a half-life that is wrong, and without a gate. Shares of rejections at 5 %, with versions, are printed and kept in
benchmarks/results/fit_checks.json, and the time that a fit and its default checks take.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from test_fit_checks import ANSWERS, GATED, RIVALS, at_truth, by_day, drawn

import powderkeg as pk
from powderkeg.fit import standoff_numbers
from powderkeg.fit.checks.residuals import residuals

RESULTS = Path(__file__).parent / "results" / "fit_checks.json"
SLOW = {f"mechanisms.{name}.half_life": 10.0 for name in ("inertia", "retaliation")}
LEAST_MADE = 0.5
"""Share of the histories in which a test must have been made for its size to be told."""


def rejected(p_values: list[dict[str, float]]) -> dict[str, float]:
    """Share of p below 0.05 for each test that was made often enough; mechanisms are taken together."""
    found: dict[str, list[bool]] = defaultdict(list)
    for one in p_values:
        for name, p in one.items():
            found["mechanisms" if name.startswith("mechanism ") else name].append(p < 0.05)
    least = LEAST_MADE * len(p_values)
    return {name: sum(hits) / len(hits) for name, hits in found.items() if len(hits) >= least}


def study(
    text: str, wrong: dict[str, float], stamp: str, histories: int, seed: int, **options: Any
) -> dict[str, float]:
    """Fits of the (wrong) scenario to histories of the right one."""
    scenario = pk.edit(pk.loads(text), wrong) if wrong else pk.loads(text)
    p_values = []
    for k, events in enumerate(drawn(text, histories, seed)):
        events = events if stamp == "exact" else by_day(events)
        fit = pk.fit(scenario, events, background="constant", test_mechanisms=False, **options)
        p_values.append({test.name: test.p for test in residuals(fit.climber, fit.solution.vector, seed=k).tests})
    return rejected(p_values)


def truth(text: str, stamp: str, histories: int, seed: int) -> dict[str, float]:
    p_values = []
    for k, events in enumerate(drawn(text, histories, seed)):
        climber, vector = at_truth(text, events if stamp == "exact" else by_day(events))
        p_values.append({test.name: test.p for test in residuals(climber, vector, seed=k).tests})
    return rejected(p_values)


def timed(text: str, stamp: str) -> dict[str, float]:
    scenario = pk.loads(text)
    events = drawn(text, 1, 4)[0]
    events = events if stamp == "exact" else by_day(events)
    begun = time.perf_counter()
    fit = pk.fit(scenario, events)
    fitted = time.perf_counter()
    fit.check(also=[standoff_numbers(scenario)])
    return {"events": len(events), "fit": fitted - begun, "checks": time.perf_counter() - fitted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    kosovo = pk.dump(pk.edit(pk.load("north-kosovo"), {"years": 6.0}))
    found: dict[str, Any] = {"at the truth": {}, "fitted": {}, "wrong": {}, "seconds": {}}
    for stamp in ("exact", "day"):
        for name, text in (("rivals", RIVALS), ("truces", GATED), ("north-kosovo", kosovo)):
            found["at the truth"][f"{name}, {stamp}"] = truth(text, stamp, asked.histories, asked.seed)
            found["seconds"][f"{name}, {stamp}"] = timed(text, stamp) if name != "north-kosovo" else None
        for name, text in (("rivals", RIVALS), ("truces", GATED)):
            found["fitted"][f"{name}, {stamp}"] = study(text, {}, stamp, asked.histories, asked.seed)
        for name, text, wrong, fix in (
            ("no answers", RIVALS, dict.fromkeys(ANSWERS, 0.0), None),
            ("half-lives of 10 days instead of 0.35", RIVALS, SLOW, ["mechanisms.*.half_life"]),
            ("no gate", GATED, {"gates.calms.factor": 1.0}, ["gates"]),
        ):
            many = max(asked.histories // 4, 10)
            found["wrong"][f"{name}, {stamp}"] = study(text, wrong, stamp, many, asked.seed, fix=fix)
    found["seconds"] = {key: value for key, value in found["seconds"].items() if value is not None}
    for part, rows in found.items():
        print(part)
        for name, values in rows.items():
            print(f"  {name:<46} " + "  ".join(f"{key} {value:.3g}" for key, value in values.items()))
    result = {"powderkeg": pk.__version__, "python": platform.python_version(), "histories": asked.histories, **found}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
