"""How well does a fit find the truth where the source does not know the day of three events in ten?

    python benchmarks/unknown_days.py [--histories 20] [--case poisson ...]

Histories are simulated, and told as UCDP tells them: 70 % to the day, 15 % to the week, 15 % to the month, by the
calendar (weeks from Monday, months from the 1st) or in windows placed at random. Each is fitted from other numbers (0.3
answers, half-life 3 days), with the unknown days reckoned with. Prints, by case, the mean branching ratio, its spread,
the share of 90 % intervals of the first mechanism that hold the truth, and how often its test says "needed" at 5 %;
keeps every fit in benchmarks/results/unknown_days.json, and goes on from there when run again with more histories.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events.table import EventTable

RESULTS = Path(__file__).parent / "results" / "unknown_days.json"
ONE = """
powderkeg: 1
name: north
start: 2015-01-01
years: {years}
actors: {{g: {{}}, n: {{}}}}
acts: {{fight: {{tone: hostile, cameo: "190"}}}}
moves:
  fights: {{who: g, does: fight, to: n, rate: {rate} per day}}
mechanisms:
  inertia: {{when: x fights y, then: x fights y, answers: {answers}, half_life: {half_life} days}}
"""
TWO = """
powderkeg: 1
name: north
start: 2015-01-01
years: {years}
actors: {{g: {{}}, n: {{}}}}
acts: {{fight: {{tone: hostile, cameo: "190"}}}}
moves:
  fights: {{who: any, does: fight, to: any, rate: {half_rate} per day}}
mechanisms:
  inertia: {{when: x fights y, then: x fights y, answers: {most}, half_life: {half_life} days}}
  retaliation: {{when: x fights y, then: y fights x, answers: {rest}, half_life: {quick} days}}
"""
WEEK, MONTH = 0.15, 0.15
"""Share of events told to the week, and to the month."""


@dataclass(frozen=True)
class Case:
    """Truth: branching ratio, half-life (days), events a day by themselves, channels; by the calendar or not; years."""

    answers: float
    half_life: float
    rate: float
    channels: int
    calendar: bool
    years: int

    def scenario(self, answers: float, half_life: float) -> pk.Scenario:
        text = ONE if self.channels == 1 else TWO
        return pk.loads(
            text.format(
                years=self.years, rate=self.rate, half_rate=self.rate / 2, answers=answers, half_life=half_life,
                most=0.6 * answers, rest=0.4 * answers, quick=half_life / 2,
            )
        )  # fmt: skip


CASES = {
    "poisson": Case(0.0, 3.0, 1.0, 1, True, 3),
    "0.3, 3 days": Case(0.3, 3.0, 0.7, 1, True, 4),
    "0.6, two sides, windows": Case(0.6, 3.0, 0.35, 2, False, 4),
    "0.3, 1 day, windows": Case(0.3, 1.0, 0.7, 1, False, 4),
    "0.6, 10 days": Case(0.6, 10.0, 0.5, 1, True, 6),
}


def told(record: EventTable, seed: int, calendar: bool) -> EventTable:
    """The record as such a source tells it."""
    rng = np.random.default_rng(seed)
    day = np.floor(record.frame["time"].to_numpy()).astype(int)
    how = rng.random(len(day))
    first, last = day.copy(), day.copy()
    for i in np.flatnonzero(how < WEEK + MONTH).tolist():
        date = record.start + timedelta(days=int(day[i]))
        month = date.replace(day=1)
        if how[i] < WEEK:
            first[i] = day[i] - (date.weekday() if calendar else rng.integers(0, 7))
            width = 7
        else:
            first[i] = day[i] - (date.day - 1 if calendar else rng.integers(0, 31))
            width = ((month + timedelta(days=32)).replace(day=1) - month).days if calendar else 31
        last[i] = first[i] + width - 1
    first = np.maximum(first, 0)
    last = np.maximum(np.minimum(last, int(record.days) - 1), first)
    frame = record.frame.with_columns(
        time=pl.Series(first.astype(float)), span=pl.Series((last - first + 1).astype(float))
    )
    return replace(record, frame=frame.sort("time"), resolution="day")


def fitted(case: Case, seed: int) -> dict[str, Any]:
    """One history, fitted."""
    record = pk.simulate(pk.compile(case.scenario(case.answers, case.half_life)), replicates=1, seed=seed).table()
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = pk.fit(case.scenario(0.3, 3.0), told(record, seed, case.calendar), background="constant")
    inertia = fit.parameters["mechanisms.inertia.answers"]
    return {
        "seed": seed, "events": len(record), "ratio": fit.branching_ratio, "low": inertia.low, "high": inertia.high,
        "half_life": fit.parameters["mechanisms.inertia.half_life"].estimate, "p": fit.mechanisms["p"].to_list(),
        "converged": fit.converged, "seconds": round(time.process_time() - begun, 2),
    }  # fmt: skip


def summary(case: Case, rows: list[dict[str, Any]]) -> dict[str, float]:
    """What the fits of one case say together."""
    ratio = np.array([row["ratio"] for row in rows])
    truth = case.answers * (1.0 if case.channels == 1 else 0.6)
    held = [row["low"] is not None and row["low"] <= truth <= row["high"] for row in rows]
    return {
        "histories": len(rows), "events": round(float(np.mean([row["events"] for row in rows]))),
        "truth": case.answers, "mean": round(float(ratio.mean()), 4),
        "error of mean": round(float(ratio.std(ddof=1) / np.sqrt(len(ratio))), 4) if len(rows) > 1 else 0.0,
        "spread": round(float(ratio.std()), 4), "median": round(float(np.median(ratio)), 4),
        "held": round(float(np.mean(held)), 3),
        "needed at 5 %": round(float(np.mean([row["p"][0] < 0.05 for row in rows])), 3),
        "seconds": round(float(np.median([row["seconds"] for row in rows])), 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--histories", type=int, default=20)
    parser.add_argument("--case", nargs="*", default=list(CASES), choices=list(CASES))
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"fits": {}}
    for number in range(asked.histories):
        for name in asked.case:
            rows = kept["fits"].setdefault(name, [])
            if len(rows) > number:
                continue
            rows.append(fitted(CASES[name], 1_000 + len(rows)))
            kept["summary"] = {key: summary(CASES[key], found) for key, found in kept["fits"].items() if found}
            kept["version"] = pk.__version__
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    for name, row in kept["summary"].items():
        print(name, row)


if __name__ == "__main__":
    main()
