"""Does the fit recover itself, at this size and with these stamps?

In: a `Fit`. Histories of the fitted model are simulated over the same window, stamped as the events are, and fitted by
the same question. Out: `Recovery`: for every parameter the mean of the refits beside what they were simulated from,
and how often their intervals held it. What fails here fails for want of events, not for want of a true model.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from powderkeg.errors import Fault, FitError, UsageError
from powderkeg.fit.checks.predictive import LIMIT, window_shift, with_course
from powderkeg.fit.estimates import Estimate, estimate_parameters
from powderkeg.fit.job import Job
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.problem import carry
from powderkeg.fit.likelihood.showing import reports_of
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.posterior_rates import drawn_multiples, settled, without_laws
from powderkeg.fit.rounds import settle
from powderkeg.simulate import Runs, simulate
from powderkeg.simulate.pieces import made_in_order
from powderkeg.wording import plain

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit
    from powderkeg.model import Model

BIASED = 0.003
"""Chance that an unbiased parameter is said to come out too high or too low."""
SCHEMA = {
    "path": pl.String,
    "simulated": pl.Float64,
    "mean": pl.Float64,
    "bias": pl.Float64,
    "bias_se": pl.Float64,
    "spread": pl.Float64,
    "covered": pl.Float64,
    "intervals": pl.Int64,
}


@dataclass(frozen=True)
class Recovery:
    """Refits of simulated histories.

    table   path, simulated (from), mean, bias, bias_se, spread (standard deviation of the refits), covered (share of
            intervals that hold it), intervals (how many refits gave one)
    refits  that came to an end;  failed: histories that could not be fitted, such as those with next to no acts
    level   of the intervals
    """

    table: pl.DataFrame
    refits: int
    failed: int
    level: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "refits": self.refits,
            "failed": self.failed,
            "level": self.level,
            "parameters": {row.pop("path"): row for row in self.table.to_dicts()},
        }

    def lines(self) -> list[str]:
        """In words, parameter by parameter."""
        lines = [f"refits of {self.refits} histories of the fitted model: does the fit find itself again?"]
        if self.failed:
            lines.append(f"  {self.failed} more histories could not be fitted")
        rows = self.table.to_dicts()
        width = max([len(row["path"]) for row in rows] + [9])
        lines.append(f"{'parameter':<{width}}  {'from':>9}  {'mean':>9}  {'spread':>9}  held in intervals")
        for row in rows:
            mean, spread = ("" if row[key] is None else plain(row[key], 4) for key in ("mean", "spread"))
            covered = "" if row["covered"] is None else f"{100 * row['covered']:.0f} % of {row['intervals']}"
            limit = float(special.stdtrit(max(self.refits - 1, 1), 1.0 - 0.5 * BIASED))
            biased = row["bias_se"] is not None and abs(row["bias"]) > limit * row["bias_se"] > 0.0
            flag = "  comes out too high" if biased and row["bias"] > 0 else "  comes out too low" if biased else ""
            numbers = f"{plain(row['simulated'], 4):>9}  {mean:>9}  {spread:>9}"
            lines.append(f"{row['path']:<{width}}  {numbers}  {covered}{flag}")
        return lines


def recover(
    fit: Fit,
    refits: int,
    seed: int = 2,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
    executor: Executor | None = None,
) -> Recovery:
    """Simulate the fitted model `refits` times and fit each history, with the background's course of the fit.

    executor  of `concurrent.futures`, or what keeps to its protocol: makes the refits instead of this thread

    Raises UsageError for fewer than 2 refits.
    """
    if refits < 2:
        raise UsageError(Fault.at("refits", str(refits), "at least 2"))
    task = RefitTask(fit, seed, refits, workers)
    free = [p.path for p in fit.problem.parameters if p.free and p.path in fit.parameters]
    found = []
    for r, one in enumerate(made_in_order(task, refits, executor=executor)):
        if one is not None:
            found.append(one)
        if progress is not None:
            progress((r + 1) / refits)
    rows = [_row(fit.parameters[path].estimate, path, [one[path] for one in found if path in one]) for path in free]
    return Recovery(pl.DataFrame(rows, schema=SCHEMA), len(found), refits - len(found), fit.level)


@dataclass(frozen=True)
class RefitTask:
    """Simulates one history of the fitted model and fits it, in any process; None where that comes to nothing."""

    fit: Fit
    seed: int
    refits: int
    workers: int | None

    def __call__(self, r: int) -> dict[str, Estimate] | None:
        fit, problem = self.fit, self.fit.problem
        data = problem.data
        asked = [p.path for p in problem.parameters if p.free and p.path in fit.parameters and p.kind != "shape"]
        model, runs, before = self._simulated(r)
        if not runs.replicates or runs.exploded[-1]:
            return None
        time, channel = runs.time - before, runs.channel.astype(np.int64)
        kept = (channel < model.n_acts) & (time >= min(0.0, float(data.time[0])))
        time, channel, _ = reports_of(problem.layer, time[kept], channel[kept], channel[kept], self.seed + r)
        one = Data(np.floor(time) if data.by_day else time, channel, data.days, data.by_day)
        if int((one.time >= 0).sum()) < 2:
            return None
        try:
            climber, solution = _refitted(replace(fit.job, data=one, free=asked, fix=None), fit)
        except FitError:
            return None
        return estimate_parameters(climber, solution, fit.level) if np.isfinite(solution.log_likelihood) else None

    def _simulated(self, r: int) -> tuple[Model, Runs, float]:
        """History `r`, and the days of it that lie before the window."""
        fit, problem = self.fit, self.fit.problem
        before = window_shift(fit)
        days = before + problem.data.days
        plain, vector = settled(fit.climber, fit.solution.vector)
        if len(problem.law_rates):  # channels are busy anew in every history, as their law has it
            times = drawn_multiples(problem, fit.solution.vector, self.seed + r)
            model = with_course(without_laws(problem, times), vector, before)
            runs = simulate(model, days=days, replicates=1, seed=self.seed + r, workers=self.workers, limit=LIMIT)
            return model, runs, before
        model = with_course(plain.problem, vector, before)
        runs = simulate(
            model, days=days, replicates=self.refits, seed=self.seed, workers=self.workers, limit=LIMIT, span=(r, r + 1)
        )  # fmt: skip
        return model, runs, before


def _refitted(job: Job, fit: Fit) -> tuple[Climber, Solution]:
    """The best fit of another record under the course, and through the kind of source, of the fit."""
    shape = fit.problem.shape
    if job.layer is not None:
        begun = replace(job, layer=job.layer.anew())
        return settle(begun, lambda one: one.under(shape), (fit.climber, fit.solution), True)[1:]
    climber = job.under(shape)
    climber.begin_at(fit.climber, fit.solution)
    start = carry(fit.problem, fit.solution.vector, climber.problem)
    return climber, climber.climb(start, climber.problem.held)


def _row(truth: float, path: str, found: list[Estimate]) -> dict[str, Any]:
    values = np.array([e.estimate for e in found])
    held = [e.low <= truth <= e.high for e in found if e.low is not None and e.high is not None]
    several = len(values) > 1
    spread = float(values.std(ddof=1)) if several else None
    return {
        "path": path,
        "simulated": truth,
        "mean": float(values.mean()) if len(values) else None,
        "bias": float(values.mean() - truth) if len(values) else None,
        "bias_se": spread / len(values) ** 0.5 if spread is not None else None,
        "spread": spread,
        "covered": sum(held) / len(held) if held else None,
        "intervals": len(held),
    }
