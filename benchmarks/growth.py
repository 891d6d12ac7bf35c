"""How does what a user waits for grow with what he asks for? Exponents in actors, facts, replicates, years and events.

In: nothing. Out: a table of processor seconds at three or four sizes each, with the exponent (1: twice as much takes
twice as long) from the last step, where fixed seconds count least; the same in benchmarks/results/growth.json.

    python benchmarks/growth.py [--full]        larger sizes: the last step takes a minute or more
    python benchmarks/growth.py --only actors

Everything runs in this process, compiled before it is timed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "growth.json"
sys.path.insert(0, str(HERE.parent))

import powderkeg as pk  # noqa: E402
from benchmarks.clock import many_actors  # noqa: E402
from powderkeg.events import EventTable  # noqa: E402
from powderkeg.simulate import simulate  # noqa: E402


class Growth(NamedTuple):
    """What is asked for, how much of it, and a job for a size; `most`: the exponent it is meant to stay under."""

    name: str
    sizes: tuple[int, ...]
    full: tuple[int, ...]
    prepare: Callable[[int], Any]
    job: Callable[[Any], Any]
    most: float


def facts(n: int) -> str:
    """Two actors and n facts, each of which opens one gate and comes and goes by itself."""
    lines = ["powderkeg: 1", "name: facts", "title: Many facts", "start: 2020-01-01", "years: 2", "actors:"]
    lines += ["  a: {is: [state]}", "  b: {is: [state]}", "facts:"]
    lines += [f'  f{k}: {{comes: "1 per year", lasts: "60 days"}}' for k in range(n)]
    lines += ["acts:", "  hit: {tone: hostile}", "moves:"]
    lines += ['  hits: {who: state, does: hit, to: state, rate: "4 per year"}', "mechanisms:"]
    lines += ["  answer: {when: x hits y, then: y hits x, answers: 0.3, half_life: 5 days}", "gates:"]
    lines += [f"  gate_{k}: {{while: f{k}, moves: [hits], factor: {1.0 + 0.5 / n}}}" for k in range(n)]
    return "\n".join(lines) + "\n"


def compiled(text: str) -> pk.Model:
    return pk.compile(pk.loads(text))


def history(n: int) -> tuple[pk.Model, EventTable]:
    """A system of five actors and one history of about n events."""
    model = compiled(many_actors(5))
    year = simulate(model, years=1, replicates=200, seed=3).table().frame.height / 200
    table = simulate(model, years=n / year, replicates=1, seed=1).table()
    return model, EventTable(table.frame.select("time", "source", "act", "target"), table.start, table.days)


GROWTHS = (
    Growth("actors: read and compile", (25, 50, 100, 200), (25, 50, 100, 200, 400), many_actors, compiled, 2.1),
    Growth(
        "actors: stability",
        (25, 50, 100, 200),
        (25, 50, 100, 200, 400),
        lambda n: compiled(many_actors(n)),
        pk.stability,
        2.1,
    ),
    Growth("facts: stability", (4, 8, 16, 32), (8, 16, 32, 64), lambda n: compiled(facts(n)), pk.stability, 2.0),
    Growth(
        "replicates: simulate",
        (250, 1_000, 4_000),
        (1_000, 10_000, 40_000),
        lambda n: (compiled_builtin(), n),
        lambda asked: simulate(asked[0], years=10, replicates=asked[1], seed=1, workers=1),
        1.05,
    ),
    Growth(
        "years: simulate",
        (10, 40, 160),
        (10, 100, 1_000),
        lambda n: (compiled_builtin(), n),
        lambda asked: simulate(asked[0], years=asked[1], replicates=100, seed=1, workers=1),
        1.05,
    ),
    Growth(
        "events: fit, exact times",
        (2_000, 8_000, 32_000),
        (8_000, 32_000, 128_000),
        history,
        lambda asked: pk.fit(asked[0], asked[1], background="constant"),
        1.1,
    ),
)


def compiled_builtin() -> pk.Model:
    return pk.compile(pk.load("north-kosovo"))


def seconds(job: Callable[[Any], Any], given: Any) -> float:
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job(given)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", nargs="*", default=[""])
    given = parser.parse_args()
    kept: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    measured, load = kept.get("measured", {}), os.getloadavg()[0]
    for growth in GROWTHS:
        if not growth.name.startswith(tuple(given.only)):
            continue
        sizes = growth.full if given.full else growth.sizes
        seconds(growth.job, growth.prepare(sizes[0]))  # compiles
        took = [seconds(growth.job, growth.prepare(size)) for size in sizes]
        slope = math.log(took[-1] / took[-2]) / math.log(sizes[-1] / sizes[-2])
        told = "  ".join(f"{size:,}: {spent:.2f} s" for size, spent in zip(sizes, took, strict=True))
        print(f"{growth.name:28} exponent {slope:5.2f} (at most {growth.most:.2f})   {told}", flush=True)
        measured[growth.name] = {
            "sizes": sizes, "seconds": [round(spent, 3) for spent in took], "exponent": round(slope, 3),
            "most": growth.most,
        }  # fmt: skip
    record = {"date": date.today().isoformat(), "load_before": round(load, 1), "numpy": np.__version__}
    RESULT.write_text(json.dumps(record | {"measured": measured}, indent=2) + "\n", encoding="utf-8", newline="\n")
    print(f"kept in benchmarks/results/{RESULT.name}")


if __name__ == "__main__":
    main()
