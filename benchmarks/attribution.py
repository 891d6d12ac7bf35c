"""How long does attribution take for an act, and do its probabilities come true on the scenario north Kosovo?

In: nothing. Out: microseconds an act on one core for recursion, links and forests; calibration of background, links and
the share drawn in, at exact times and by day; the same with versions in benchmarks/results/attribution.json.

    python benchmarks/attribution.py [--histories 200] [--fitted 8] [--acts 500000]

Floor of the recursion: 0.40 microseconds an act for 8 categories and 6 mechanisms, measured on a prototype.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "attribution.json"
sys.path.insert(0, str(HERE.parent / "tests"))

import numba  # noqa: E402
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from calibration import Truth, drawn, model_of, score  # noqa: E402
from fit_systems import Builder, small  # noqa: E402

import powderkeg as pk  # noqa: E402
from powderkeg.attribute.attributing import posed  # noqa: E402
from powderkeg.fit.parents import find_causes  # noqa: E402

FLOOR = 0.40
ACTS = 500_000


def best(job: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of processor time, best of the repeats; the first, which may compile, is thrown away."""
    job()
    times = []
    for _ in range(repeats):
        begun = time.thread_time()
        job()
        times.append(time.thread_time() - begun)
    return min(times)


def speed(acts: int) -> list[dict[str, Any]]:
    """Kosovo-like system: 43 channels, 6 mechanisms, 10 facts."""
    builder: Builder = small()
    model = model_of(builder)
    rows = []
    for by_day in (False, True):
        days = acts / 1.74
        table, _ = drawn(builder, model, days, 1, by_day, limit=2 * acts)
        climber, _ = posed(model, table, None, "refuse")
        vector = climber.problem.start
        causes = find_causes(climber, vector)
        n = len(table)
        category = np.arange(len(model.channels))[causes.channel] % 8
        jobs = {
            "causes: likelihood pass, shares, law of the forest": lambda c=climber, v=vector: find_causes(c, v),
            "recursion, 8 categories": lambda c=causes, k=category: c.descent(k, 8),
            "links above 0.01": lambda c=causes: c.links(0.01),
            "one forest": lambda c=causes: list(c.forests(1, 1)),
        }
        for name, job in jobs.items():
            value = best(job) / n * 1e6
            floor = FLOOR if name.startswith("recursion") else None
            rows.append(
                {"job": name, "stamp": "day" if by_day else "exact", "acts": n, "us_per_act": value, "floor": floor}
            )
            print(f"{'day' if by_day else 'exact':6} {name:52} {value:8.3f} us/act, {n:,} acts")
        begun = time.thread_time()
        found = pk.attribute(model, table, forests=20)
        found.entanglement(), found.matrix(), found.starts()
        value = time.thread_time() - begun
        rows.append({"job": "all tables, 20 forests", "stamp": "day" if by_day else "exact", "acts": n,
                     "us_per_act": value / n * 1e6, "floor": None})  # fmt: skip
        print(f"{'day' if by_day else 'exact':6} all tables, 20 forests: {value:.1f} s")
    return rows


def calibration(histories: int, fitted: int) -> list[dict[str, Any]]:
    """North Kosovo, ten years a record, simulated by the engine and attributed as an observer would."""
    model = pk.compile(pk.load("north-kosovo"))
    runs = pk.simulate(model, years=10, replicates=histories, seed=20_260)
    table = runs.table()
    parts = table.frame.partition_by("replicate", maintain_order=True)
    rows = []
    for stamp, numbers in (("exact", "true"), ("day", "true"), ("exact", "fitted"), ("day", "fitted")):
        found, truths = [], []
        for part in parts[: histories if numbers == "true" else fitted]:
            frame = part.select("time", "source", "act", "target")
            if stamp == "day":
                frame = frame.with_columns(pl.col("time").floor())
            events = pk.EventTable(frame, table.start, table.days, "day" if stamp == "day" else "exact")
            if numbers == "fitted":
                fit = pk.fit(model, events, fix=["moves", "gates"], background="scenario", test_mechanisms=False)
                found.append(pk.attribute(fit, forests=10, draws=1))
            else:
                found.append(pk.attribute(model, events, forests=10))
            names = part["mechanism"].cast(pl.String).fill_null("background").to_list()
            truths.append(Truth(part["parent"].fill_null(-1).to_numpy(), names))
        if not found:
            continue
        s = score(found, truths)
        whole = s.links.filter(pl.col("mechanism") == "all")
        n = len(found)
        row = {
            "stamp": stamp,
            "numbers": numbers,
            "histories": n,
            "acts": sum(len(a.table) for a in found),
            "hosmer_lemeshow_p": s.hosmer_lemeshow if stamp == "exact" else None,
            "drawn_in_true": float(s.drawn_in_true.mean()),
            "drawn_in_error": float(s.drawn_in.mean()),
            "drawn_in_error_se": float(s.drawn_in.std(ddof=1) / np.sqrt(n)),
            "drawn_in_error_sd": float(s.drawn_in.std(ddof=1)),
            "root_error": float(s.root_error.mean()),
            "root_error_se": float(s.root_error.std(ddof=1) / np.sqrt(n)),
            "likeliest_right": s.likeliest,
            "likeliest_stated": s.likeliest_stated,
            "background": s.background.to_dicts(),
            "links": whole.to_dicts(),
            "links_worst_bin_p": s.links_p,
        }
        rows.append(row)
        print(f"\nnorth Kosovo, {stamp}, {numbers} numbers, {n} records, {row['acts']:,} acts")
        error = f"{row['drawn_in_error']:+.4f} ± {row['drawn_in_error_se']:.4f}"
        print(f"drawn in: true {row['drawn_in_true']:.3f}, error {error}")
        print(f"roots: error {row['root_error']:+.4f} ± {row['root_error_se']:.4f}; HL p {row['hosmer_lemeshow_p']}")
        print(f"likeliest cause: right {s.likeliest:.3f}, stated {s.likeliest_stated:.3f}")
        for link in whole.to_dicts():
            print(
                f"  links stated {link['stated']:.2f}: true {link['true']:.3f} of {link['links']:,}, z {link['z']:+.1f}"
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--fitted", type=int, default=8)
    parser.add_argument("--acts", type=int, default=ACTS, help="for the speeds; 0 keeps those of the last run")
    options = parser.parse_args()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    told = {
        "date": str(date.today()), "powderkeg": pk.__version__, "numba": numba.__version__, "numpy": np.__version__,
        "python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0], "speed": speed(options.acts) if options.acts else kept.get("speed", []),
    }  # fmt: skip
    RESULT.write_text(json.dumps(told | {"calibration": kept.get("calibration", [])}, indent=1) + "\n")
    told["calibration"] = calibration(options.histories, options.fitted)
    RESULT.write_text(json.dumps(told, indent=1) + "\n")
    print(f"written to {RESULT}")


if __name__ == "__main__":
    main()
