"""What do day stamps do to a fit? Branching ratio by the day likelihood and by what else one might do with such events.

    python benchmarks/day_stamps.py [--histories 20]

Two actors threaten each other for ten years; 60 of 100 threats answer an earlier one, so the truth is 0.60. A history
is fitted with its exact times; by day with the likelihood of a day's acts; by day as if the stamps were exact, so that
acts of one day cannot answer each other; and by day with times drawn within the day. Half-lives are known. Prints a
table and keeps it in benchmarks/results/day_stamps.json.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np

import powderkeg as pk
from powderkeg.events.table import EventTable
from powderkeg.fit.background.choice import Job, choose_background
from powderkeg.fit.likelihood.data import read_data
from powderkeg.fit.likelihood.objective import Data

RESULTS = Path(__file__).parent / "results" / "day_stamps.json"
SCENARIO = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 10
actors: {{north: {{}}, south: {{}}}}
acts: {{threaten: {{tone: hostile, cameo: "138"}}}}
moves:
  threats: {{who: any, does: threaten, to: any, rate: {rate} per day}}
mechanisms:
  inertia: {{when: x threatens y, then: x threatens y, answers: 0.35, half_life: {first} days}}
  retaliation: {{when: x threatens y, then: y threatens x, answers: 0.25, half_life: {second} days}}
"""
CASES = ((0.1, 0.5, 0.5), (0.1, 0.3, 5.0), (0.1, 5.0, 3.0), (0.5, 0.5, 0.5), (0.5, 0.3, 5.0))
"""Background of each side (acts a day), mean delays of inertia and retaliation (days)."""
WAYS = ("exact times", "day likelihood", "stamps taken as exact", "times drawn within the day")


def branching(job: Job, data: Data) -> float:
    """Inertia and retaliation together, under a constant background."""
    (climber, solution), _ = choose_background(replace(job, data=data), "constant", [])
    return float(solution.vector[climber.problem.n_rates : climber.problem.n_linear].sum())


def study(rate: float, first: float, second: float, histories: int) -> dict[str, dict[str, float]]:
    scenario = pk.loads(SCENARIO.format(rate=rate, first=first * np.log(2.0), second=second * np.log(2.0)))
    model = pk.compile(scenario)
    table = pk.simulate(model, replicates=histories, seed=1).table()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    generator = np.random.default_rng(1)
    for part in table.frame.partition_by("replicate", maintain_order=True):
        events = EventTable(part.select("time", "source", "act", "target"), table.start, table.days)
        exact, _ = read_data(model, events, None, "refuse", 0.0)
        job = Job(model, exact, None, ["mechanisms.*.half_life"], False, None, 0.0, events.start, None)
        day = np.floor(exact.time)
        drawn = day + generator.random(len(day))
        order = np.argsort(drawn)
        days = float(np.ceil(exact.days))
        found["exact times"].append(branching(job, exact))
        found["day likelihood"].append(branching(job, Data(day, exact.channel, days, True)))
        found["stamps taken as exact"].append(branching(job, Data(day, exact.channel, days, False)))
        found["times drawn within the day"].append(
            branching(job, Data(drawn[order], exact.channel[order], days, False))
        )  # fmt: skip
    return {way: {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))} for way, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=20)
    histories = parser.parse_args().histories
    cases = []
    print(f"{'background, mean delays':<28}" + "".join(f"{way:>28}" for way in WAYS))
    for rate, first, second in CASES:
        found = study(rate, first, second, histories)
        cases.append({"rate": rate, "inertia_days": first, "retaliation_days": second, "truth": 0.6, "found": found})
        told = "".join(f"{found[way]['mean']:>20.3f} ±{found[way]['sd']:.3f}" for way in WAYS)
        print(f"{f'{rate}/d, {first:g} and {second:g} d':<28}{told}")
    result = {"powderkeg": pk.__version__, "python": platform.python_version(), "histories": histories, "cases": cases}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
