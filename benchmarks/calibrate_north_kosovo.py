"""Which few values of north-kosovo make its standoffs look like the recorded ones, and how much was fitted by that?

In: the built-in scenario and record. Out: a table of tuned values on screen, the fit as JSON in benchmarks/results/, and
with `--docs` the generated part of docs/north-kosovo.md. Nothing is written into the scenario: that is done by hand.

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
from numpy.typing import NDArray

import powderkeg as pk
from powderkeg.scenario import Scenario, edit, paths
from powderkeg.score import Record, record

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
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/north-kosovo.md")
    options = parser.parse_args()

    scenario = pk.load("north-kosovo")
    began = time.perf_counter()
    fit = calibrate(scenario, options.steps, options.replicates, options.seed)
    seconds = time.perf_counter() - began
    tuned = at(scenario, np.log([fit.values[item.name] for item in TUNED]))
    final = record(tuned, replicates=options.final, seed=options.seed + 1)
    fresh = record(tuned, replicates=options.final, seed=options.seed + 2)

    text = "\n".join([*value_table(scenario, fit), "", *line_table(final)])
    print(text)
    print(f"\n{final.verdict} {agreement(final)}")
    print(f"effective parameters {fit.effective:.1f} of {len(TUNED)}; objective {fit.objective:.2f}; {seconds:.0f} s")
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    report = {
        "date": date.today().isoformat(),
        "version": pk.__version__,
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
        "replicates": options.replicates,
        "fitted_lines": FITTED,
        "values": fit.values,
        "objective": fit.objective,
        "effective_parameters": fit.effective,
        "history": fit.history,
        "record": final.as_dict(),
        "agreeing_with_another_seed": fresh.agreeing,
    }
    (results / "north_kosovo.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        write_page(scenario, fit, final, fresh, options.final)


def calibrate(scenario: Scenario, steps: int, replicates: int, seed: int) -> Fit:
    """Fit the tuned values to the fitted lines, starting from the file's values."""
    low, high = (np.log([bounds(scenario, item)[end] for item in TUNED]) for end in (0, 1))
    prior, spread = (low + high) / 2, (high - low) / WIDTH
    x = np.log([value(scenario, item.paths[0]) for item in TUNED])

    def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], Record]:
        found = record(at(scenario, x), replicates=replicates, seed=seed)
        misfit = residuals(found)
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
        print(f"step {step + 1}: objective {best:.2f}", {item.name: round(math.exp(v), 3) for item, v in zip(TUNED, x)})
        if gain < 0.05:
            break
    values = {item.name: float(math.exp(v)) for item, v in zip(TUNED, x, strict=True)}
    return Fit(values, best, effective, history, found)


def residuals(found: Record) -> NDArray[np.float64]:
    """Distance of each fitted line from the record, in standard errors of the record."""
    lines = {line.name: line for line in found.lines}
    return np.array(
        [
            (lines[name].model - lines[name].record) * WIDTH / (lines[name].record_high - lines[name].record_low)
            for name in FITTED
        ]
    )


def at(scenario: Scenario, x: NDArray[np.float64]) -> Scenario:
    """The scenario with the tuned values exp(x): each path keeps its ratio to the first of its number."""
    changes = {}
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
            f"{value(scenario, path) * fit.values[item.name] / value(scenario, item.paths[0]):.3g}" for path in item.paths
        )
        rows.append(f"| {names} | {item.meaning} | {here} | {low:g} to {high:g} | {there} |")
    return rows


def line_table(found: Record) -> list[str]:
    rows = ["| line | used in the fit | record | its 90 % interval | model | agrees |", "|---|---|---|---|---|---|"]
    for line in found.lines:
        used = "yes" if line.name in FITTED else "held out"
        interval = "-" if line.record_low is None else f"{show(line.record_low)} to {show(line.record_high)}"
        rows.append(
            f"| {line.title} | {used} | {show(line.record)} | {interval} | {show(line.model)} |"
            f" {'yes' if line.agrees else '**no**'} |"
        )
    return rows


def show(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}" if abs(number) >= 20 else f"{number:.2g}"


def agreement(found: Record) -> str:
    fitted = [line.agrees for line in found.lines if line.name in FITTED]
    held = [line.agrees for line in found.lines if line.name not in FITTED]
    return f"Fitted lines: {sum(fitted)} of {len(fitted)}; held out: {sum(held)} of {len(held)}."


def write_page(scenario: Scenario, fit: Fit, final: Record, fresh: Record, histories: int) -> None:
    """Replace the generated part of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    words = [
        f"Computed {date.today().isoformat()} with powderkeg {pk.__version__}, {histories} histories of the record's",
        f"length, seed {final.seed}. **{final.verdict}** {agreement(final)} With another seed {fresh.agreeing} agree.",
    ]
    PAGE.write_text(
        "\n".join([f"{before}{BEGIN}", "", *words, "", *line_table(final), "", f"{END}{after}"]), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
