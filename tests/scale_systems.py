"""Systems of many channels with known truth, for tests and benchmarks of fits at scale.

In: sizes and a seed. Out: a model, and histories in which every channel has a rate of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events import EventTable

TRUTH = {"inertia": 0.2, "habit": 0.15, "retaliation": 0.15, "alliance": 0.05, "solidarity": 0.05}
DELAY = {"inertia": 1.0, "habit": 10.0, "retaliation": 3.0, "alliance": 2.0, "solidarity": 2.0}
"""Answers of each mechanism, and mean delays in days."""


def text(actors: int, rate: float, seed: int = 1, answers: dict[str, float] | None = None) -> str:
    """A scenario of one act among `actors` actors with two allies each; `rate` per day and channel."""
    answers = TRUTH if answers is None else answers
    names = [f"a{k}" for k in range(actors)]
    order = np.random.default_rng(seed).permutation(actors)
    lines = ["powderkeg: 1", "name: many", "title: Many", "start: 2000-01-01", "years: 3", "actors:"]
    lines += [f"  {name}: {{is: [state]}}" for name in names]
    lines += ["ties:"]
    lines += [
        f"  tie_{k}: {{kind: alliance, from: a{order[k]}, to: a{order[(k + 1) % actors]}}}" for k in range(actors)
    ]
    lines += ["acts:", "  hit: {tone: hostile}"]
    lines += ["moves:", f'  hits: {{who: state, does: hit, to: state, rate: "{rate:.9g} per day"}}', "mechanisms:"]
    patterns = {
        "inertia": ("x hits y", "x hits y", ""),
        "habit": ("x hits y", "x hits y", ""),
        "retaliation": ("x hits y", "y hits x", ""),
        "alliance": ("x hits y", "z hits x", "z allies y"),
        "solidarity": ("x hits y", "z hits y", "z allies x"),
    }
    for name, value in answers.items():
        when, then, given = patterns[name]
        given = f", given: {given}" if given else ""
        life = f"{DELAY[name] * np.log(2.0):.9g} days"
        lines.append(f'  {name}: {{when: {when}{given}, then: {then}, answers: {value:.9g}, half_life: "{life}"}}')
    return "\n".join(lines) + "\n"


def history(model: pk.Model, multiple: np.ndarray, days: float, seed: int) -> EventTable:
    """One history of `days` in which channel c acts by itself at its rate times `multiple[c]`."""
    rate = model.system.rate.copy()
    rate[: model.n_acts] *= multiple
    true = replace(model, system=model.system._replace(rate=rate))
    table = pk.simulate(true, years=days / 365.25, replicates=1, seed=seed).table()
    return EventTable(table.frame.select("time", "source", "act", "target"), table.start, table.days)


def by_day(events: EventTable) -> EventTable:
    """The same with stamps good for a day."""
    return replace(events, frame=events.frame.with_columns(pl.col("time").floor()), resolution="day")
