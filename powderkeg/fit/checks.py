"""Could these events have come from the fitted model?

In: a `Fit`. Out: `Checks`: numbers of the observed record beside the same numbers of histories that the fitted model
simulates, with the share of histories that lie as far out. What is told are counts, days without acts, how many acts
come on one day, and how counts of one month carry over to the next: where a model of excitation fails first.
The parameters were estimated from the same events, so a check passes more easily than a test of its nominal size:
a failure is news, a pass is not (Bayarri & Berger 2000, JASA 95, 1127-1142).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError
from powderkeg.simulate import simulate

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit

MONTH = 30.0
LIMIT = 200_000
"""Acts in one simulated history before it is stopped: an explosive fit is seen without waiting for it."""


@dataclass(frozen=True)
class Check:
    """One number of the record and where it lies among simulated histories.

    low, high  middle 90 % of the histories
    p          share of histories at least as far from the middle as the record, on both sides together
    """

    name: str
    title: str
    observed: float
    simulated: float
    low: float
    high: float
    p: float

    @property
    def passes(self) -> bool:
        return self.p >= 0.05


@dataclass(frozen=True)
class Checks:
    """All checks of a fit, by `replicates` simulated histories; `stopped` of them hit the event limit."""

    checks: tuple[Check, ...]
    replicates: int
    stopped: int
    seed: int

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(check.name for check in self.checks if not check.passes)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "replicates": self.replicates,
            "stopped": self.stopped,
            "seed": self.seed,
            "failed": list(self.failed),
            "checks": {check.name: {**asdict(check), "passes": check.passes} for check in self.checks},
        }

    def summary(self) -> str:
        """The checks as a table in words."""
        width = max(len(check.title) for check in self.checks)
        lines = [
            f"the record beside {self.replicates} histories of the fitted model",
            f"{'':<{width}}  {'record':>9}  {'model':>9}  {'nine in ten':>21}  p",
        ]
        for check in self.checks:
            span = f"[{check.low:.4g}, {check.high:.4g}]"
            flag = "" if check.passes else "  does not fit"
            numbers = f"{check.observed:9.4g}  {check.simulated:9.4g}  {span:>21}  {check.p:.3f}"
            lines.append(f"{check.title:<{width}}  {numbers}{flag}")
        if self.stopped:
            lines.append(f"{self.stopped} histories were stopped at {LIMIT:,} events: the fitted system can explode")
        return "\n".join(lines)


def check(fit: Fit, *, replicates: int = 200, seed: int = 1, workers: int | None = None) -> Checks:
    """The fitted record held against histories that the fitted model simulates over the same window.

    Histories start from the scenario's own state at its own start and are cut to the window of the events, which
    matters where the record begins in the middle of a crisis.
    Raises UsageError for fewer than 20 histories.
    """
    if replicates < 20:
        raise UsageError(Fault(None, None, "replicates", str(replicates), "at least 20 histories"))
    data, model = fit.problem.data, fit.model
    start = None if model.scenario is None else model.scenario.start
    before = 0.0 if start is None or fit.window_start is None else float((fit.window_start - start).days)
    runs = simulate(model, days=before + data.days, replicates=replicates, seed=seed, workers=workers, limit=LIMIT)
    acts = (runs.channel < model.n_acts) & (runs.time >= before)
    time, channel, replicate = runs.time[acts] - before, runs.channel[acts], runs.replicate[acts]
    found = np.array([_numbers(time[part], channel[part], data.days, fit) for part in _parts(replicate, replicates)])
    seen = _numbers(data.time, data.channel, data.days, fit)
    checks = []
    for (name, title), one, many in zip(_titles(fit), seen, found.T, strict=True):
        low, middle, high = np.quantile(many, [0.05, 0.5, 0.95])
        below, above = np.mean(many <= one), np.mean(many >= one)
        p = float(min(1.0, 2.0 * min(below, above)))
        checks.append(Check(name, title, float(one), float(middle), float(low), float(high), p))
    return Checks(tuple(checks), replicates, int(runs.exploded.sum()), seed)


def _parts(replicate: NDArray[Any], replicates: int) -> list[slice]:
    cuts = np.searchsorted(replicate, np.arange(replicates + 1))
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def _titles(fit: Fit) -> list[tuple[str, str]]:
    return [
        ("events", "acts"),
        ("quiet_days", "share of days without an act"),
        ("batch", "acts a day, where there are any"),
        ("largest_day", "acts on the busiest day"),
        ("persistence", "correlation of one month's acts with the next's"),
        *((f"act_{act}", f"acts of kind {act}") for act in _kinds(fit)),
    ]


def _kinds(fit: Fit) -> list[str]:
    model = fit.problem.model
    return sorted({channel.act for channel in model.channels[: model.n_acts]})


def _numbers(time: Floats, channel: NDArray[Any], days: float, fit: Fit) -> list[float]:
    """The numbers of one history, in the order of `_titles`. Stamps count by the day, whatever they are good for."""
    n_days = max(int(np.ceil(days)), 1)
    by_day = np.bincount(np.minimum(np.floor(time).astype(np.int64), n_days - 1), minlength=n_days)
    busy = int((by_day > 0).sum())
    months = max(int(n_days / MONTH), 1)
    by_month = by_day[: int(months * MONTH)].reshape(months, -1).sum(axis=1).astype(np.float64)
    model = fit.problem.model
    act_of = np.array([c.act for c in model.channels[: model.n_acts]])
    per_channel = np.bincount(channel, minlength=model.n_acts)
    return [
        float(len(time)),
        float((by_day == 0).mean()),
        len(time) / busy if busy else 0.0,
        float(by_day.max()),
        _carried_over(by_month),
        *(float(per_channel[act_of == act].sum()) for act in _kinds(fit)),
    ]


def _carried_over(counts: Floats) -> float:
    """Correlation of neighbours; 0 where nothing varies or there are fewer than four."""
    if len(counts) < 4:
        return 0.0
    one, next_one = counts[:-1] - counts[:-1].mean(), counts[1:] - counts[1:].mean()
    scale = float(np.sqrt((one**2).sum() * (next_one**2).sum()))
    return float((one * next_one).sum()) / scale if scale > 0 else 0.0
