"""What may happen, and why: outcomes of the scenario, new standoffs, and what was seen that carries them.

In: `Ahead` histories ahead, what was seen. Out: tables.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from powderkeg.analyze.intervals import proportion
from powderkeg.analyze.outcomes import dead_in, first_so, hits, share_of_time
from powderkeg.engine.arrays import Floats, Ints
from powderkeg.events.table import EventTable
from powderkeg.forecast.drawing import Ahead
from powderkeg.forecast.seen import Watched
from powderkeg.forecast.standoffs import NEW_STANDOFF, OPENS, TITLE, new_standoffs
from powderkeg.model import Model
from powderkeg.simulate import Runs

MOST_ACTS = 20
"""Acts seen that `why` names."""
A_YEAR = re.compile(r",? \((?:a|per) year\)|,? (?:a|per) year\b", re.IGNORECASE)
"""What a title says of its unit in a simulation of years; ahead counts are of the days ahead."""


def first_days(model: Model, runs: Runs, seen: Watched, rule: str = OPENS) -> dict[str, tuple[str, Floats, Floats]]:
    """For each outcome and for a new standoff: title, (R,) how often, (R,) days to the first, infinite where it never.

    A title's "a year" is left out: counts are of the days ahead. Of deaths it is how many, and days to the first act
    that kills. Of a fact it is on how many days it is so, and days until it first is, 0 where it is so at the origin.
    Shares of time are left out: `facts` tells of them. The rule says which standoffs are new (`new_standoffs`).
    """
    found: dict[str, tuple[str, Floats, Floats]] = {}
    scenario = model.scenario
    R = runs.replicates
    replicate = runs.replicate
    after = runs.time - runs.begin
    for name, outcome in ({} if scenario is None else dict(scenario.outcomes)).items():
        pattern = outcome.events
        if outcome.condition is not None and outcome.share_of_time is None:
            stood = share_of_time(model, runs, outcome.condition) * runs.days
            found[name] = (outcome.title or name, stood, first_so(model, runs, outcome.condition) - runs.begin)
        if pattern is None:
            continue
        hit = hits(model, runs, pattern)
        dead = dead_in(model, runs, pattern) if outcome.deaths is not None else None
        hit = hit if dead is None else dead > 0
        count = np.bincount(replicate[hit], None if dead is None else dead[hit], R).astype(np.float64)
        first = np.full(R, np.inf)
        np.minimum.at(first, replicate[hit], after[hit])
        found[name] = (A_YEAR.sub("", outcome.title) or name, count, first)
    if scenario is not None and model.heat.any():
        found[NEW_STANDOFF] = (TITLE, *new_standoffs(model, runs, seen, rule))
    return found


def told_in_days(model: Model) -> frozenset[str]:
    """Outcomes that ask of a fact: how often is on how many of the days it is so."""
    asked = {} if model.scenario is None else model.scenario.outcomes
    return frozenset(name for name, one in asked.items() if one.condition is not None)


def outcome_table(found: dict[str, tuple[str, Floats, Floats]], seen: Watched, level: float) -> pl.DataFrame:
    """One row an outcome: chance that it happens, with its interval; how often; when first, as a date."""
    rows = []
    for name, (title, count, first) in found.items():
        hits, R = int(np.isfinite(first).sum()), len(first)
        _, low, high, _ = proportion(hits, R, level)
        early, middle, late = (_day(first, p) for p in (0.1, 0.5, 0.9))
        rows.append(
            {
                "name": name, "title": title, "chance": hits / R, "low": low, "high": high, "mean": float(count.mean()),
                "q05": float(np.quantile(count, 0.05, method="inverted_cdf")),
                "q95": float(np.quantile(count, 0.95, method="inverted_cdf")),
                "first_10": _date(seen, early), "first_50": _date(seen, middle), "first_90": _date(seen, late),
            }
        )  # fmt: skip
    schema = {"name": pl.String, "title": pl.String} | dict.fromkeys(
        ("chance", "low", "high", "mean", "q05", "q95"), pl.Float64
    )
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(("first_10", "first_50", "first_90"), pl.Date))


def _day(first: Floats, share: float) -> float | None:
    """Day by which it has happened in this share of draws, None where it never comes to that."""
    day = float(np.quantile(first, share, method="inverted_cdf"))
    return day if np.isfinite(day) else None


def _date(seen: Watched, day: float | None) -> Any:
    return None if day is None else seen.origin + timedelta(days=int(day))


def carriers(model: Model, drawn: Ahead, events: EventTable, mask: Ints | None = None) -> pl.DataFrame:
    """Acts seen that acts ahead go back to, most first: day, source, act, target, acts they bring, share of all.

    mask  (C,) channels whose acts ahead are counted; default: all acts
    """
    runs = drawn.runs
    counted = runs.channel < model.n_acts
    if mask is not None:
        counted &= mask[runs.channel].astype(bool)
    total = int(counted.sum())
    rows = drawn.root[counted & (drawn.root >= 0)]
    number = np.bincount(rows, minlength=len(events)) if len(events) else np.zeros(0, np.int64)
    top = np.argsort(-number, kind="stable")[:MOST_ACTS]
    top = top[number[top] > 0]
    frame = events.frame[top.tolist()].select("time", *(pl.col(k).cast(pl.String) for k in ("source", "act", "target")))
    days = [events.start + timedelta(days=int(t)) for t in frame["time"].to_list()]
    return pl.DataFrame(
        {
            "day": pl.Series(days, dtype=pl.Date), "source": frame["source"], "act": frame["act"],
            "target": frame["target"], "brings": number[top] / runs.replicates, "share": number[top] / max(total, 1),
        }
    )  # fmt: skip


def origins_of_risk(model: Model, drawn: Ahead, mask: Ints | None = None) -> dict[str, float]:
    """Acts ahead; the shares of them that go back to acts seen, and that begin of themselves."""
    runs = drawn.runs
    counted = runs.channel < model.n_acts
    if mask is not None:
        counted &= mask[runs.channel].astype(bool)
    total = max(int(counted.sum()), 1)
    seen = int((counted & (drawn.root >= 0)).sum())
    return {"acts": float(counted.sum()) / runs.replicates, "from_acts_seen": seen / total,
            "of_themselves": 1.0 - seen / total}  # fmt: skip


def facts_now(model: Model, level: Ints) -> pl.DataFrame:
    """Facts and ties at the origin: the level each stands at, and how sure that is."""
    rows = []
    for s, name in enumerate(model.facts):
        values, number = np.unique(level[:, s], return_counts=True)
        for value, count in zip(values.tolist(), number.tolist(), strict=True):
            rows.append({"fact": name, "level": model.levels[s][value], "chance": count / len(level)})
    return pl.DataFrame(rows, schema={"fact": pl.String, "level": pl.String, "chance": pl.Float64})
