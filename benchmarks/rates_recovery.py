"""How well does a fit find answers where actors and courses differ, and what comes of leaving that out?

In: nothing. Out: benchmarks/results/rates_recovery.json, and a table on the screen. What each history gave is kept in
rates_recovery.rows.jsonl, and more histories go on from there: after a change of the fit, begin `--anew`.

    python benchmarks/rates_recovery.py                    # 60 histories a case, some twenty minutes on one core
    python benchmarks/rates_recovery.py --histories 10 --part triads

- `rates`: five rivals, two acts, four years, branching ratio 0.5. Senders differ by exp(0.8), each act in a dyad by
  exp(0.4), and threats double twice over the window while meetings do not. Fitted with all of it, without the course,
  and with rates alike; at exact times and by day. Told: branching ratio, how often intervals of 90 % hold the truth.
- `few`: 380 channels of 13 acts that differ by exp(1); a mechanism of 10 days.
- `triads`: six actors in two camps that threaten each other five times as often as themselves, senders that differ by
  exp(0.7), nobody drawn in. Told: how often entrapment is "needed" at 5 % and at 1 %.
- `late`: two rivals, inertia of 0.2 answers and retaliation of 0.5 that builds up (half-life 7 days, `build_up` 60 %),
  eight years; fitted as it is and as if all came at once.
- `unseen`: the rivals with a half-life of 1.4 days, alike and with senders that differ by exp(1), from all acts and
  from a record in which 27 % of them are missing, most at weekends. Told: answers and half-lives.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads cost more than they bring with matrices this small

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events import EventTable
from powderkeg.fit import Fit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from scale_systems import TRUTH, by_day, history, text
from test_build_up import AT_ONCE, TEXT
from test_build_up import TRUTH as LATE_TRUTH
from test_fit_rates import PATRONS, RIVALS

RESULTS = Path(__file__).parent / "results" / "rates_recovery.json"
ROWS = RESULTS.with_suffix(".rows.jsonl")
Rows = Iterator[tuple[str, dict[str, float]]]
"""(case, what was found) of one history."""
HELD = ["mechanisms.*.half_life"]
TRUE = {"mechanisms.inertia.answers": 0.3, "mechanisms.retaliation.answers": 0.2}
RATIO = 0.5
WAYS: dict[str, dict[str, Any]] = {
    "all of it": {"actors": "vary", "courses": "class"},
    "course left out": {"actors": "vary", "background": "constant"},
    "all alike": {"actors": "alike", "baselines": "shared", "background": "constant"},
}


def rivals(seed: int) -> EventTable:
    """A history of rivals that differ and of threats that grow."""
    model = pk.compile(pk.loads(RIVALS))
    draw = np.random.default_rng([seed, 1])
    by_sender = dict(zip(model.scenario.actors, draw.normal(0.0, 0.8, 5), strict=True))
    times = np.array([np.exp(by_sender[c.source] + draw.normal(0.0, 0.4)) for c in model.channels])
    step = np.arange(0.0, 1461.0, 30.0)
    threatens = np.array([c.act == "threaten" for c in model.channels])
    system = model.system._replace(
        rate=model.system.rate * times, profile=np.where(threatens, 0, -1), profile_start=np.array([0, len(step)]),
        step_time=np.concatenate([[-np.inf], step[1:]]), step_value=2.0 ** (2.0 * step / 1461.0),
        profile_swing=np.zeros(1), profile_peak=np.zeros(1),
    )  # fmt: skip
    return pk.simulate(replace(model, system=system), replicates=1, seed=seed).table()


def recovered(fit: Fit, truths: Mapping[str, float]) -> dict[str, float]:
    """What a fit found for each number, and whether its interval holds the true one."""
    row = {}
    for path, truth in truths.items():
        e = fit.parameters[path]
        row[path] = e.estimate
        row[f"{path} held"] = float(e.low is not None and e.high is not None and e.low <= truth <= e.high)
    return row


def part_rates(seed: int) -> Rows:
    """Everything, and what is left out."""
    scenario = pk.loads(RIVALS)
    whole = rivals(seed)
    for stamp in ("exact", "day"):
        events = by_day(whole) if stamp == "day" else whole
        for way, options in WAYS.items():
            begun = time.process_time()
            fit = pk.fit(scenario, events, fix=HELD, test_mechanisms=False, **options)
            row = {"ratio": fit.branching_ratio, "seconds": time.process_time() - begun, "events": len(events)}
            yield f"{stamp}, {way}", row | recovered(fit, TRUE)


def part_few(seed: int) -> Rows:
    """Few acts a channel and slow answers."""
    model = pk.compile(pk.loads(text(20, 0.013)))
    times = np.exp(np.random.default_rng(seed).normal(0.0, 1.0, model.n_acts) - 0.5)
    whole = history(model, times, 365.0, seed)
    for stamp in ("exact", "day"):
        events = by_day(whole) if stamp == "day" else whole
        fit = pk.fit(
            model, events, baselines="dyad", background="constant", fix=HELD, prior=None, test_mechanisms=False
        )
        row = {"events": float(len(events))}
        for name, truth in TRUTH.items():
            e = fit.parameters[f"mechanisms.{name}.answers"]
            row[name] = e.estimate / truth
            row[f"{name} held"] = float(e.low is not None and e.high is not None and e.low <= truth <= e.high)
        yield stamp, row


def part_triads(seed: int) -> Rows:
    """How often nobody's entrapment is needed."""
    model = pk.compile(pk.loads(PATRONS))
    off = pk.edit(model.scenario, {"mechanisms.entrapment.answers": 0})
    bare = pk.compile(off)
    east = {name for name, actor in off.actors.items() if "east" in actor.classes}
    sender = dict(zip(off.actors, np.random.default_rng([seed, 2]).normal(0.0, 0.7, 6), strict=True))
    apart = [5.0 if (c.source in east) != (c.target in east) else 1.0 for c in bare.channels]
    times = np.array([np.exp(sender[c.source]) for c in bare.channels]) * apart
    events = history(bare, times, 1461.0, seed)
    for actors in ("alike", "vary"):
        fit = pk.fit(model, events, actors=actors, baselines="shared", background="constant", fix=HELD, prior=None)
        row = fit.mechanisms.row(by_predicate=pl.col("mechanism") == "entrapment", named=True)
        needed = {f"needed_{share}": float(row[f"needed_{share}"]) for share in (5, 1)}
        yield actors, {"events": len(events), "answers": row["answers"]} | needed


def part_unseen(seed: int) -> Rows:
    """A fast half-life from all acts, and from a record without a quarter of them."""
    text_ = RIVALS.replace("answers: 0.3, half_life: 3 days", "answers: 0.3, half_life: 1.4 days")
    scenario, model = pk.loads(text_), pk.compile(pk.loads(text_))
    for sd in (0.0, 1.0):
        sender = dict(zip(scenario.actors, np.random.default_rng(seed).normal(0.0, sd, 5), strict=True))
        times = np.array([np.exp(sender[c.source]) for c in model.channels])
        system = model.system._replace(rate=model.system.rate * times)
        whole = pk.simulate(replace(model, system=system), replicates=1, seed=seed).table()
        for stamp in ("exact", "day"):
            acts = by_day(whole) if stamp == "day" else whole
            record = pk.observe(acts, {"weekday": {"friday": 0.6, "saturday": 0.3, "sunday": 0.2}}, seed=seed)
            for name, events, reporting in (("all", acts, None), ("seen", record, "weekday")):
                fit = pk.fit(
                    scenario,
                    events,
                    reporting=reporting,
                    background="constant",
                    test_mechanisms=False,
                    **({"actors": "vary"} if sd else {"actors": "alike", "baselines": "shared"}),
                )
                row = {"ratio": fit.branching_ratio}
                for mechanism in ("inertia", "retaliation"):
                    for what in ("answers", "half_life"):
                        row[f"{mechanism} {what}"] = fit.parameters[f"mechanisms.{mechanism}.{what}"].estimate
                yield f"{'vary' if sd else 'alike'}, {stamp}, {name}", row


def part_late(seed: int) -> Rows:
    """Answers that build up, and what comes of taking them for answers that come at once."""
    model = pk.compile(pk.loads(TEXT))
    whole = pk.simulate(model, replicates=1, seed=1000 + seed).table()
    for stamp in ("exact", "day"):
        events = by_day(whole) if stamp == "day" else whole
        for name, text_ in (("late", TEXT), ("at once", AT_ONCE)):
            fit = pk.fit(
                pk.loads(text_), events, background="constant", baselines="shared", prior=None, test_mechanisms=False
            )
            row = {"ratio": fit.branching_ratio, "log likelihood": fit.log_likelihood}
            yield f"{stamp}, {name}", row | recovered(fit, LATE_TRUTH)


def _mean(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Mean of every number, and its error where it is no count of intervals."""
    frame = pl.DataFrame(rows)
    means = {name: round(float(frame[name].mean() or 0.0), 4) for name in frame.columns}  # type: ignore[arg-type]
    errors = {
        f"{name} error": round(float(frame[name].std() or 0.0) / len(rows) ** 0.5, 4)  # type: ignore[arg-type]
        for name in frame.columns
        if not name.endswith("held") and name not in ("seconds", "events")
    }
    return {"histories": len(rows)} | means | errors


PARTS = {"rates": part_rates, "late": part_late, "few": part_few, "triads": part_triads, "unseen": part_unseen}


def kept(part: str, anew: bool) -> dict[int, dict[str, dict[str, float]]]:
    """Rows of a part by seed and case, as far as they are known."""
    lines = ROWS.read_text(encoding="utf-8").splitlines() if ROWS.exists() else []
    if anew:
        lines = [line for line in lines if json.loads(line)["part"] != part]
        ROWS.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    known = (json.loads(line) for line in lines)
    return {one["seed"]: one["cases"] for one in known if one["part"] == part}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=60)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--anew", action="store_true", help="forget the histories that are kept")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for part in asked.part or list(PARTS):
        rows = kept(part, asked.anew)
        for seed in range(1, asked.histories + 1):
            if seed not in rows:
                rows[seed] = dict(PARTS[part](seed))
                with ROWS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"part": part, "seed": seed, "cases": rows[seed]}) + "\n")
        cases = list(next(iter(rows.values())))
        found = {case: _mean([row[case] for row in rows.values()]) for case in cases}
        known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(known | {part: found}, indent=1) + "\n", encoding="utf-8")
        for case, row in found.items():
            print(part, case, row, flush=True)


if __name__ == "__main__":
    main()
