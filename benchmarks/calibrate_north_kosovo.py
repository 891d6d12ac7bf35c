"""Which few values of north-kosovo make its standoffs look like the recorded ones, and how much was fitted by that?

In: the built-in scenario and record. Out: tables on screen, the fit as JSON in benchmarks/results/, and with `--docs`
the generated part of docs/north-kosovo.md. Nothing is written into the scenario: that is done by hand.

Method: penalised least squares in the logarithm of the tuned values. A residual is (model - record) / standard error of
the record, the error being the record's 90 % interval divided by 3.29. The penalty is a normal prior as wide as the
value's range in the file: with 29 standoffs the record must not pull a value far out of what is plausible.
Gauss-Newton, derivatives by differences on common random numbers (the same seed in every evaluation), which the
engine's draws by ancestry keep paired. Lines that are not in FITTED are held out: the fit never sees them.

    python benchmarks/calibrate_north_kosovo.py                 # fit, from the file's values
    python benchmarks/calibrate_north_kosovo.py --steps 0 --docs # no fit: the lines at the file's values, into the docs
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import powderkeg as pk
from powderkeg.analyze import episodes
from powderkeg.scenario import Quantity, Scenario, edit, paths
from powderkeg.score import Record, load_record, read_table, record

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "north-kosovo.md"
BEGIN, END = "<!-- lines: begin, made by benchmarks/calibrate_north_kosovo.py -->", "<!-- lines: end -->"
WIDTH = 2 * 1.6448536
"""Width of a normal 90 % interval in standard errors."""


@dataclass(frozen=True)
class Tuned:
    """One number that is fitted; it scales all its paths alike."""

    name: str
    paths: tuple[str, ...]
    meaning: str


TUNED = (
    Tuned(
        "initiative",
        ("profiles.initiative.steps.2008-02-17", "profiles.initiative.steps.2018-01-01"),
        "how often Kosovo institutions open something",
    ),
    Tuned("echo", ("mechanisms.north_answers.answers",), "how strongly the north answers a measure"),
    Tuned("scuffles", ("mechanisms.crowds_meet_police.answers",), "how readily crowds and police come to blows"),
    Tuned("deadliness", ("mechanisms.turns_deadly.answers",), "how often a fight kills"),
    Tuned("stubbornness", ("gates.nobody_moves_first.factor",), "how much rarer concessions are once dug in"),
    Tuned("steps_back", ("mechanisms.steps_back.answers",), "how often Kosovo suspends of its own accord"),
    Tuned(
        "asks",
        ("mechanisms.kosovo_turns_to_kfor.answers", "mechanisms.serbia_turns_to_kfor.answers"),
        "how readily either side turns to KFOR",
    ),
)
FITTED = (
    "onsets",
    "hurt",
    "deaths",
    "median_length",
    "over_10_days",
    "ended_suspended",
    "ended_spent",
    "asked_by_kosovo",
    "asked_by_serbia",
)
"""Lines of the record in the objective; all others are held out."""


@dataclass(frozen=True)
class Fit:
    """Where the fit ended. `effective` is the number of values that the record, not the prior, decides."""

    values: dict[str, float]
    objective: float
    effective: float
    history: list[float]
    found: Record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6, help="Gauss-Newton steps; 0 only evaluates")
    parser.add_argument("--replicates", type=int, default=1500, help="histories per evaluation")
    parser.add_argument("--final", type=int, default=10_000, help="histories for the final table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--swap", action="store_true", help="fit the lines that are held out instead, as a check")
    parser.add_argument(
        "--draws", type=int, default=0, help="instead: how many lines agree with values drawn from ranges"
    )
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/north-kosovo.md")
    options = parser.parse_args()

    scenario = pk.load("north-kosovo")
    if options.draws:
        agreeing = drawn(scenario, options.draws, options.replicates, options.seed)
        low, middle, high = np.quantile(agreeing, [0.05, 0.5, 0.95])
        print(f"{options.draws} draws of all ranged values: {low:.0f}, {middle:.0f}, {high:.0f} lines (5, 50, 95 %)")
        return
    began = time.perf_counter()
    names = [line.name for line in record(scenario, replicates=1, seed=options.seed).lines]
    fitted = tuple(name for name in names if (name in FITTED) != options.swap)
    fit = calibrate(scenario, fitted, options.steps, options.replicates, options.seed)
    seconds = time.perf_counter() - began
    tuned = at(scenario, np.log([fit.values[item.name] for item in TUNED]))
    if options.steps == 0:
        tuned = scenario
    final = record(tuned, replicates=options.final, seed=options.seed + 1)
    fresh = record(tuned, replicates=options.final, seed=options.seed + 2)

    text = "\n".join([*value_table(scenario, fit), "", *line_table(final, fitted)])
    print(text)
    print(f"\n{final.verdict} {agreement(final, fitted)}")
    if options.steps:
        print(
            f"effective parameters {fit.effective:.1f} of {len(TUNED)}; objective {fit.objective:.2f}; {seconds:.0f} s"
        )
    if options.swap:
        return
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    report = {
        "date": date.today().isoformat(),
        "version": pk.__version__,
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
        "replicates": options.replicates,
        "fitted_lines": fitted,
        "values": fit.values,
        "objective": fit.objective,
        "effective_parameters": fit.effective,
        "history": fit.history,
        "record": final.as_dict(),
        "agreeing_with_another_seed": fresh.agreeing,
    }
    if options.steps:
        (results / "north_kosovo.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        write_page(tuned, final, fresh, options.final)


def calibrate(scenario: Scenario, fitted: tuple[str, ...], steps: int, replicates: int, seed: int) -> Fit:
    """Fit the tuned values to the fitted lines, starting from the file's values."""
    low, high = (np.log([bounds(scenario, item)[end] for item in TUNED]) for end in (0, 1))
    prior, spread = (low + high) / 2, (high - low) / WIDTH
    x = np.log([value(scenario, item.paths[0]) for item in TUNED])

    def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], Record]:
        found = record(at(scenario, x), replicates=replicates, seed=seed)
        misfit = residuals(found, fitted)
        return float(misfit @ misfit + np.sum(((x - prior) / spread) ** 2)), misfit, found

    best, misfit, found = objective(x)
    history, effective = [best], math.nan
    for step in range(steps):
        slopes = np.empty((len(misfit), len(x)))
        for k in range(len(x)):
            shift = np.zeros(len(x))
            shift[k] = 0.2 if x[k] + 0.2 < high[k] else -0.2
            slopes[:, k] = (objective(x + shift)[1] - misfit) / shift[k]
        curvature = slopes.T @ slopes
        pull = np.diag(1 / spread**2)
        effective = float(np.trace(np.linalg.solve(curvature + pull, curvature)))
        move = -np.linalg.solve(curvature + pull, slopes.T @ misfit + (x - prior) / spread**2)
        for damping in (1.0, 0.5, 0.25, 0.1):
            candidate = np.clip(x + np.clip(damping * move, -0.7, 0.7), low, high)
            value_there, misfit_there, found_there = objective(candidate)
            if value_there < best:
                break
        else:
            break
        gain = best - value_there
        x, best, misfit, found = candidate, value_there, misfit_there, found_there
        history.append(best)
        print(
            f"step {step + 1}: objective {best:.2f}",
            {item.name: round(math.exp(v), 3) for item, v in zip(TUNED, x, strict=True)},
        )
        if gain < 0.05:
            break
    values = {item.name: float(math.exp(v)) for item, v in zip(TUNED, x, strict=True)}
    return Fit(values, best, effective, history, found)


def residuals(found: Record, fitted: tuple[str, ...]) -> NDArray[np.float64]:
    """Distance of each fitted line from the record, in standard errors of the record."""
    lines = {line.name: line for line in found.lines}
    distances = []
    for name in fitted:
        line = lines[name]
        if line.model is None or line.record is None or line.record_low is None or line.record_high is None:
            raise SystemExit(f"line {name} has no number to fit")
        distances.append((line.model - line.record) * WIDTH / (line.record_high - line.record_low))
    return np.array(distances)


def at(scenario: Scenario, x: NDArray[np.float64]) -> Scenario:
    """The scenario with the tuned values exp(x): each path keeps its ratio to the first of its number."""
    changes: dict[str, float] = {}
    for item, logarithm in zip(TUNED, x, strict=True):
        factor = math.exp(logarithm) / value(scenario, item.paths[0])
        changes |= {path: value(scenario, path) * factor for path in item.paths}
    return edit(scenario, changes)


def value(scenario: Scenario, path: str) -> float:
    return float(paths(scenario)[path])


def bounds(scenario: Scenario, item: Tuned) -> tuple[float, float]:
    quantity = paths(scenario)[item.paths[0]]
    return quantity.low, quantity.high


def value_table(scenario: Scenario, fit: Fit) -> list[str]:
    rows = ["| tuned value | what it says | in the file | range | fitted |", "|---|---|---|---|---|"]
    for item in TUNED:
        low, high = bounds(scenario, item)
        names = ", ".join(f"`{path}`" for path in item.paths)
        here = ", ".join(f"{value(scenario, path):.3g}" for path in item.paths)
        there = ", ".join(
            f"{value(scenario, path) * fit.values[item.name] / value(scenario, item.paths[0]):.3g}"
            for path in item.paths
        )
        rows.append(f"| {names} | {item.meaning} | {here} | {low:g} to {high:g} | {there} |")
    return rows


def line_table(found: Record, fitted: tuple[str, ...]) -> list[str]:
    rows = ["| line | used in the fit | record | its 90 % interval | model | agrees |", "|---|---|---|---|---|---|"]
    for line in found.lines:
        used = "yes" if line.name in fitted else "held out"
        interval = "-" if line.record_low is None else f"{show(line.record_low)} to {show(line.record_high)}"
        rows.append(
            f"| {line.title} | {used} | {show(line.record)} | {interval} | {show(line.model)} |"
            f" {'yes' if line.agrees else '**no**'} |"
        )
    return rows


def show(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}" if abs(number) >= 20 else f"{number:.2g}"


def agreement(found: Record, fitted: tuple[str, ...]) -> str:
    seen = [line.agrees for line in found.lines if line.name in fitted]
    held = [line.agrees for line in found.lines if line.name not in fitted]
    return f"Fitted lines: {sum(seen)} of {len(seen)}; held out: {sum(held)} of {len(held)}."


def drawn(scenario: Scenario, draws: int, replicates: int, seed: int) -> list[int]:
    """How many lines agree if every value that has a range is drawn from it, evenly in the logarithm."""
    random = np.random.default_rng(seed)
    ranged = {
        path: (quantity.low, quantity.high)
        for path, quantity in paths(scenario).items()
        if isinstance(quantity, Quantity) and quantity.low is not None and quantity.high is not None
    }
    agreeing = []
    for _ in range(draws):
        changes = {
            path: math.exp(random.uniform(math.log(low), math.log(high)))
            for path, (low, high) in ranged.items()
            if low > 0
        }
        agreeing.append(record(edit(scenario, changes), replicates=replicates, seed=seed).agreeing)
    return agreeing


def period_table(scenario: Scenario, histories: int, seed: int) -> list[str]:
    """The record and the model before and after 2018, which no line of the record tells apart."""
    definition, place = load_record("north-kosovo")
    recorded, window = read_table(place, definition.marks, definition.window)
    model = pk.compile(scenario)
    found = episodes(pk.simulate(model, days=float(window.days), replicates=histories, seed=seed))
    turn = float((date(2018, 1, 1) - window.from_).days)
    rows = ["| | record before | model before | record since | model since |", "|---|---|---|---|---|"]
    parts = [
        (frame.filter(side), span, runs)
        for side, span in ((pl.col("start") < turn, turn), (pl.col("start") >= turn, window.days - turn))
        for frame, runs in ((recorded, 1), (found, histories))
    ]
    rates = " | ".join(f"{part.height * 365.25 / span / runs:.2f}" for part, span, runs in parts)
    rows.append(f"| standoffs a year | {rates} |")
    measures = (
        ("opened by Kosovo institutions", pl.col("opener") == "kosovo"),
        ("opened by Serbs of the north", pl.col("opener") == "north_serbs"),
        ("with anyone hurt", pl.col("hurt")),
        ("ended suspended", pl.col("end_state") == "suspended"),
        ("longer than 10 days", pl.col("calendar_days") > 10),
    )
    for title, measure in measures:
        shares = " | ".join(f"{part.select(measure.mean()).item():.2f}" for part, _, _ in parts)
        rows.append(f"| {title} | {shares} |")
    return rows


def write_page(scenario: Scenario, final: Record, fresh: Record, histories: int) -> None:
    """Replace the generated part of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    words = [
        f"Computed {date.today().isoformat()} with powderkeg {pk.__version__}, {histories} histories of the record's",
        f"length, seed {final.seed}. **{final.verdict}** {agreement(final, FITTED)}",
        f"With another seed {fresh.agreeing} agree.",
    ]
    periods = ["", "The same before and since 2018 (13 and 16 standoffs), which no line tells apart:", ""]
    tables = [*line_table(final, FITTED), *periods, *period_table(scenario, histories, final.seed)]
    PAGE.write_text("\n".join([f"{before}{BEGIN}", "", *words, "", *tables, "", f"{END}{after}"]), encoding="utf-8")


if __name__ == "__main__":
    main()
