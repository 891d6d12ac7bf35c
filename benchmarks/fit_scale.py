"""How long does a fit by mechanisms take on half a million dated events among 20,000 actors, and in how much memory?

Run from a checkout, for an event file of your own (any that `powderkeg` reads), or for a system with known truth:

    python benchmarks/fit_scale.py EVENTS
    python benchmarks/fit_scale.py EVENTS --map time=date --map source=source --map target=target --map code=cameo
    python benchmarks/fit_scale.py simulated --actors 20000 --events 470000

For a file: every name in it is an actor, all of one class; acts by class of deed; mechanisms between them. For the
simulated system the truth is known and is printed beside what was found. Results are kept, by name of the data, in
benchmarks/results/fit_scale.json: seconds by step, largest memory, what was estimated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events import EventTable

RESULTS = Path(__file__).parent / "results" / "fit_scale.json"
ACTS = """\
acts:
  talk: {tone: cooperative, cameo: "04"}
  help: {tone: cooperative, cameo: "07"}
  accuse: {tone: hostile, cameo: "11"}
  hit: {tone: hostile, cameo: "19"}
moves:
  talks: {who: anyone, does: talk, to: anyone, rate: "0.001 per year"}
  helps: {who: anyone, does: help, to: anyone, rate: "0.001 per year"}
  accuses: {who: anyone, does: accuse, to: anyone, rate: "0.001 per year"}
  hits: {who: anyone, does: hit, to: anyone, rate: "0.001 per year"}
mechanisms:
  talk_on: {when: x talks y, then: x talks y, answers: 0.2, half_life: 5 days}
  talk_back: {when: x talks y, then: y talks x, answers: 0.2, half_life: 2 days}
  quarrel_on: {when: [x accuses y, x hits y], then: {x accuses y: 50 %, x hits y: 50 %}, answers: 0.2,
    half_life: 5 days}
  retaliation: {when: [x accuses y, x hits y], then: {y accuses x: 50 %, y hits x: 50 %}, answers: 0.2,
    half_life: 3 days}
  outcry: {when: x hits y, then: z accuses x, answers: 0.00001, half_life: 3 days}
"""
TRUTH = {"inertia": (0.3, 2.0), "retaliation": (0.2, 1.0)}
"""Answers and half-life in days of the simulated system's mechanisms."""
SHAPE = 1e-4
"""Shape of the law of its channels: most pairs never act, a few act often."""


class Clock:
    """Seconds and largest memory by step."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self._start, self._cpu = time.perf_counter(), time.process_time()

    def done(self, name: str) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        self.steps[name] = {
            "seconds": round(now - self._start, 2), "cpu_seconds": round(cpu - self._cpu, 2),
            "peak_gigabytes": round(peak, 2),
        }  # fmt: skip
        print(
            f"{name:<28}{now - self._start:8.1f} s  {cpu - self._cpu:8.1f} s of processor  {peak:6.2f} GB", flush=True
        )
        self._start, self._cpu = time.perf_counter(), time.process_time()


def scenario_text(actors: int, start: date, years: float, rest: str) -> str:
    """A scenario of so many actors, n0, n1, ..., all of one class."""
    lines = ["powderkeg: 1", "name: scale", "title: Everyone", f"start: {start}", f"years: {years:g}", "actors:"]
    lines += [f"  n{k}: {{is: anyone}}" for k in range(actors)]
    return "\n".join(lines) + "\n" + rest


def of_file(path: str, mapping: dict[str, str] | None, clock: Clock) -> tuple[pk.Scenario, EventTable]:
    """A scenario of everyone in a file, and its events in the scenario's terms."""
    raw = pk.read_events(path, mapping=mapping)
    clock.done("read")
    frame = raw.frame
    names = pl.concat([frame["source"].cast(pl.String), frame["target"].cast(pl.String)]).drop_nulls().unique().sort()
    text = scenario_text(len(names), raw.start, float(np.ceil(raw.days / 365.25)), ACTS)
    clock.done("write the scenario")
    scenario = pk.loads(text)
    clock.done("load the scenario")
    aliases = {name: f"n{k}" for k, name in enumerate(names)}
    events = pk.read_events(path, mapping=mapping, scenario=scenario, aliases=aliases)
    clock.done("read and match")
    return scenario, events


def simulated(actors: int, n_events: int, seed: int, fixed: bool, clock: Clock) -> tuple[pk.Scenario, EventTable]:
    """A history of pairs that act at rates of their own, repeat themselves and answer each other, by generations."""
    draw = np.random.default_rng(seed)
    days = 300.0
    total = sum(answers for answers, _ in TRUTH.values())
    sparks = n_events * (1.0 - total)
    # A Gamma law over 4e8 pairs: only pairs that act are drawn. How often a pair acts by itself is negative binomial;
    # of those that do it is, at so small a shape, Fisher's logarithmic law (to one part in ten thousand).
    pairs = actors * (actors - 1)
    mean = sparks / pairs
    busy = 1.0 - (1.0 + mean / SHAPE) ** -SHAPE
    n_busy = draw.binomial(pairs, busy)
    pair = np.unique(draw.integers(0, pairs, int(1.01 * n_busy)))
    pair = draw.permutation(pair)[:n_busy]
    counts = draw.logseries(mean / (mean + SHAPE), len(pair))
    source, target = np.divmod(np.repeat(pair, counts), actors - 1)
    target = target + (target >= source)
    when = draw.uniform(0.0, days, len(source))
    generations = [(when, source, target)]
    while len(when):
        children = []
        for name, (answers, half_life) in TRUTH.items():
            number = draw.poisson(answers, len(when))
            parent = np.repeat(np.arange(len(when)), number)
            born = when[parent] + draw.exponential(half_life / np.log(2.0), len(parent))
            ends = (source[parent], target[parent])
            children.append((born, *(ends if name == "inertia" else ends[::-1])))
        when, source, target = (np.concatenate([child[k] for child in children]) for k in range(3))
        inside = when < days
        when, source, target = when[inside], source[inside], target[inside]
        generations.append((when, source, target))
    when, source, target = (np.concatenate([one[k] for one in generations]) for k in range(3))
    order = np.argsort(when, kind="stable")
    names = pl.Series([f"n{k}" for k in range(actors)])
    frame = pl.DataFrame({"time": np.floor(when[order])}).with_columns(
        source=names.gather(source[order]), act=pl.lit("hit"), target=names.gather(target[order])
    )
    events = EventTable(frame, date(2000, 1, 1), days, "day")
    clock.done("simulate")
    rest = ["acts:", "  hit: {tone: hostile}", "moves:",
            '  hits: {who: anyone, does: hit, to: anyone, rate: "0.001 per year"}', "mechanisms:"]  # fmt: skip
    patterns = {"inertia": "x hits y", "retaliation": "y hits x"}
    for mechanism, (_, true) in TRUTH.items():
        life = f"{true if fixed else 1.5} days"
        rest.append(f"  {mechanism}: {{when: x hits y, then: {patterns[mechanism]}, answers: 0.1, half_life: {life}}}")
    scenario = pk.loads(scenario_text(actors, date(2000, 1, 1), 1.0, "\n".join(rest) + "\n"))
    clock.done("load the scenario")
    return scenario, events


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("events", help="an event file, or `simulated`")
    asked.add_argument("--name", help="under which results are kept")
    asked.add_argument("--map", action="append", default=[], metavar="FIELD=COLUMN")
    asked.add_argument("--actors", type=int, default=20_000)
    asked.add_argument("--events", dest="count", type=int, default=470_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--baselines", default="gamma,shared")
    asked.add_argument("--fixed", action="store_true", help="hold half-lives (of the simulated system: at the truth)")
    asked.add_argument("--causes", action="store_true", help="ask who set off whom too")
    wanted = asked.parse_args()
    clock = Clock()
    if wanted.events == "simulated":
        scenario, events = simulated(wanted.actors, wanted.count, wanted.seed, wanted.fixed, clock)
        name = wanted.name or f"simulated, {wanted.actors} actors"
    else:
        mapping = dict(one.split("=", 1) for one in wanted.map) or None
        scenario, events = of_file(wanted.events, mapping, clock)
        name = wanted.name or Path(wanted.events).name
    model = pk.compile(scenario, events)
    clock.done("compile")
    print(model)
    kept: dict[str, Any] = {
        "events": len(events), "actors": len(scenario.actors), "days": events.days, "model": str(model),
        "resolution": events.resolution, "fits": {},
    }  # fmt: skip
    for baselines in wanted.baselines.split(","):
        fitted = pk.fit(
            model, events, baselines=baselines, background="constant", unmatched="drop", test_mechanisms=False,
            fix=["mechanisms.*.half_life"] if wanted.fixed else None,
        )  # fmt: skip
        clock.done(f"fit, {baselines}")
        print(fitted.summary(), flush=True)
        kept["fits"][baselines] = {
            "likelihood": fitted.likelihood, "log_likelihood": fitted.log_likelihood, "converged": fitted.converged,
            "branching_ratio": fitted.branching_ratio, "warnings": list(fitted.warnings),
            "parameters": {path: one.as_dict() for path, one in fitted.parameters.items() if one.free},
        }  # fmt: skip
        if wanted.events == "simulated":
            kept["fits"][baselines]["truth"] = {
                **{f"mechanisms.{m}.answers": answers for m, (answers, _) in TRUTH.items()},
                **{f"mechanisms.{m}.half_life": life for m, (_, life) in TRUTH.items()},
                "moves.hits.rate.shape": SHAPE,
            }
        keep(name, kept, clock)
        if wanted.causes:
            from powderkeg.fit.parents import find_causes

            causes = find_causes(fitted.climber, fitted.solution.vector)
            clock.done(f"causes, {baselines}")
            kept["fits"][baselines]["links from earlier days"] = len(causes.entry_count)
            kept["fits"][baselines]["from the background"] = float(causes.background.sum() / causes.acts.sum())
        keep(name, kept, clock)


def keep(name: str, kept: dict[str, Any], clock: Clock) -> None:
    """Write what is known so far into the results, under its name."""
    kept["steps"] = clock.steps
    kept["machine"] = {"processors": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found[name] = kept
    RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
