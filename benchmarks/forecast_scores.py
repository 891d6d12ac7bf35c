"""How good are forecasts of built-in scenarios? Backtests on KEDS Balkans and on ICEWS 2018, for docs/forecast.md.

In: KEDS Balkans (date, source, target, code) and ICEWS 2018 (date, source, target, cameo), which are not part of this
repository. Out: benchmarks/results/forecast_scores.json.

    python benchmarks/forecast_scores.py keds KEDS      # twelve origins, 1,000 draws each, as ICEWS
    python benchmarks/forecast_scores.py icews ICEWS
    python benchmarks/forecast_scores.py russia ICEWS   # the scenario nato-russia-ukraine-events
    python benchmarks/forecast_scores.py page           # the tables of docs/forecast.md
    python benchmarks/forecast_scores.py keds KEDS --refit first   # mechanisms fitted before the first origin

Mechanisms are those of the scenario, fitted to KEDS 1998 to 2003: for ICEWS they are from another time and source, for
KEDS they have seen the days they foretell, which flatters them; ours without mechanisms has not. Of ICEWS only events
with a side in Kosovo or Serbia are used, as in docs/real-data.md. The other scenario was fitted to the months that it
foretells.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.forecast.backtest import backtest

RESULTS = Path(__file__).parent / "results" / "forecast_scores.json"
LOCAL = ("kosovo", "kosovo_serbs", "serbia")
PERIOD = {"keds": (date(1998, 1, 1), date(2003, 7, 31)), "icews": (date(2018, 1, 1), date(2018, 10, 31))}
PERIOD["russia"] = PERIOD["icews"]
SCENARIO = {"keds": "kosovo-events", "icews": "kosovo-events", "russia": "nato-russia-ukraine-events"}
FIRST = {"keds": date(2001, 1, 15), "icews": date(2018, 5, 1), "russia": date(2018, 7, 1)}
HORIZONS = {"keds": (1, 7, 30, 90), "icews": (1, 7, 30), "russia": (1, 7, 30)}
ORIGINS = {"keds": 12, "icews": 12, "russia": 12}
DRAWS = {"keds": 1000, "icews": 1000, "russia": 1000}


PAGE = Path(__file__).parent.parent / "docs" / "forecast.md"
NAMES = {"keds": "KEDS Balkans, 2001 to 2003", "icews": "ICEWS 2018, Kosovo and Serbia",
         "russia": "ICEWS 2018, Russia, Ukraine and NATO"}  # fmt: skip


KEPT = ("log_score", "crps", "coverage_90")
PAGE_HORIZONS = (7, 30)
"""What the page tells, and the file keeps."""


def page() -> None:
    """Write the scoreboards into docs/forecast.md, between its marks."""
    told = json.loads(RESULTS.read_text())
    text = ["<!-- scores: begin, made by benchmarks/forecast_scores.py -->", ""]
    for which, one in told.items():
        rows = [row for row in one["scores"] if row["over"] == "window" and not row["metric"].startswith("quiet")]
        said = f"{one['acts']:,} matched acts, {len(one['origins'])} origins from {one['origins'][0]} to "
        text += [f"**{NAMES[which]}**: {said}{one['origins'][-1]}, means over directed dyads.", ""]
        heads = [f"{metric}, {h} days" for metric in ("log score", "CRPS") for h in PAGE_HORIZONS]
        text += [f"| model | {' | '.join(heads)} |", "|" + "---|" * 5]
        score = {(row["model"], row["metric"], row["horizon"]): row for row in rows}
        models = sorted({row["model"] for row in rows if row["metric"] == "crps"},
                        key=lambda model: score[model, "crps", 30]["value"])  # fmt: skip
        ours = [score["powderkeg", metric, h] for metric in ("log_score", "crps") for h in PAGE_HORIZONS]
        against = [
            f"{r['to_best']:+.3f} [{r['to_best_low']:+.3f}, {r['to_best_high']:+.3f}] to {r['best']}" for r in ours
        ]
        text.append(f"| *powderkeg to the best baseline* | {' | '.join(against)} |")
        for model in models:
            cells = []
            for metric in ("log_score", "crps"):
                for horizon in PAGE_HORIZONS:
                    row = score[model, metric, horizon]
                    cells.append(
                        f"{row['value']:.3f} ({row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}])"
                    )
            name = f"**{model}**" if model.startswith("powderkeg") else model
            text.append(f"| {name} | {' | '.join(cells)} |")
        text.append("")
    whole = PAGE.read_text(encoding="utf-8")
    begin, end = whole.index("<!-- scores: begin"), whole.index("<!-- scores: end -->")
    PAGE.write_text(whole[:begin] + "\n".join(text) + whole[end:], encoding="utf-8")


def main(which: str, path: str, refit: str = "none") -> None:
    scenario = pk.load(SCENARIO[which])
    first, last = PERIOD[which]
    doubles = ("mirrored", "same_day_matched")
    events = pk.read_events(path, start=first, end=last, scenario=scenario, doubles=doubles)
    if which == "icews":
        sides = [pl.col(side).cast(pl.String).is_in(LOCAL) for side in ("source", "target")]
        events = replace(events, frame=events.frame.filter(sides[0] | sides[1]))
        kept = {name: move for name, move in scenario.moves.items() if {*move.who, *move.to} & set(LOCAL)}
        scenario = replace(scenario, moves=kept)
    end = events.end - timedelta(days=max(HORIZONS[which]) - 1)
    spread = np.linspace(0, (end - FIRST[which]).days, ORIGINS[which]).round()
    began, worked = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = backtest(
            scenario, events, origins=[FIRST[which] + timedelta(days=int(d)) for d in spread],
            draws=DRAWS[which], horizons=HORIZONS[which], refit=refit, seed=1, unmatched="drop",
        )  # fmt: skip
    told = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept = (
        found.scores()
        .filter(pl.col("over") == "window", pl.col("metric").is_in(KEPT), pl.col("horizon").is_in(PAGE_HORIZONS))
        .with_columns(pl.col(pl.Float64).round(4))
    )
    told[which] = {
        "origins": [day.isoformat() for day in found.origins],
        "reference": found.reference,
        "scores": kept.to_dicts(),
        "acts": len(events),
        "seconds": round(time.perf_counter() - began),
        "processor_seconds": round(time.process_time() - worked),
    }
    rows = json.dumps(told, indent=1).replace("\n    ", " ").replace("\n   }", " }")
    RESULTS.write_text(rows + "\n")
    table = found.scores().filter(pl.col("over") == "window", pl.col("metric").is_in(["log_score", "crps"]))
    for row in table.sort("metric", "horizon", "value").to_dicts():
        print(
            f"{row['metric']:10s} {row['horizon']:3d} {row['model']:34s} {row['value']:9.4f} "
            f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        )
    print(f"{told[which]['seconds']} s, {told[which]['processor_seconds']} s of processors")


if __name__ == "__main__":
    page() if sys.argv[1:] == ["page"] else main(
        sys.argv[1], sys.argv[2], sys.argv[4] if sys.argv[3:4] == ["--refit"] else "none"
    )
