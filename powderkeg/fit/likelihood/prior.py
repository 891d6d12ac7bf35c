"""What is held to be likely before the data: ranges of the scenario file, or weak defaults.

In: a `Problem`. Out: a `Prior`: log density with derivatives over the parameter vector; no normalising constants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.units import LN2

PRIORS = ("delays", "weak")
NINETY = 1.6448536269514722
"""A range is read as the middle 90 % of a lognormal."""
USUAL_DELAY = 4.0
"""Days: median of the mean delay of an answer, before the data. Spread: factor e^1.5 either way."""
DELAY_SPREAD = 1.5


@dataclass(frozen=True)
class Prior:
    """Independent priors by position in the parameter vector.

    gamma     positions with a Gamma(shape 1.5, mean) prior on the natural scale, and their means
    lognormal positions with a normal prior on the log of a linear parameter: centre, spread
    normal    positions (log factors, log decays) with a normal prior: centre, spread
    """

    gamma: NDArray[np.int64]
    gamma_mean: Floats
    lognormal: NDArray[np.int64]
    lognormal_centre: Floats
    lognormal_spread: Floats
    normal: NDArray[np.int64]
    normal_centre: Floats
    normal_spread: Floats
    words: str

    def evaluate(self, vector: Floats) -> tuple[float, Floats, Floats]:
        """(log density, gradient, diagonal of the Hessian)."""
        value = 0.0
        gradient, bend = np.zeros_like(vector), np.zeros_like(vector)
        if len(self.gamma):
            a = np.maximum(vector[self.gamma], 1e-300)
            value += float((0.5 * np.log(a) - 1.5 * a / self.gamma_mean).sum())
            gradient[self.gamma] += 0.5 / a - 1.5 / self.gamma_mean
            bend[self.gamma] -= 0.5 / a**2
        if len(self.lognormal):
            a = np.maximum(vector[self.lognormal], 1e-300)
            z = (np.log(a) - self.lognormal_centre) / self.lognormal_spread
            value += float(-0.5 * (z**2).sum())
            gradient[self.lognormal] -= z / (self.lognormal_spread * a)
            bend[self.lognormal] -= (1.0 / self.lognormal_spread - z) / (self.lognormal_spread * a**2)
        if len(self.normal):
            z = (vector[self.normal] - self.normal_centre) / self.normal_spread
            value += float(-0.5 * (z**2).sum())
            gradient[self.normal] -= z / self.normal_spread
            bend[self.normal] -= 1.0 / self.normal_spread**2
        return value, gradient, bend

    def without(self, place: int | NDArray[np.int64]) -> Prior:
        """The same with nothing held likely of the rates or answers at `place`."""
        gamma, lognormal = ~np.isin(self.gamma, place), ~np.isin(self.lognormal, place)
        return replace(
            self, gamma=self.gamma[gamma], gamma_mean=self.gamma_mean[gamma], lognormal=self.lognormal[lognormal],
            lognormal_centre=self.lognormal_centre[lognormal], lognormal_spread=self.lognormal_spread[lognormal],
        )  # fmt: skip

    @property
    def keeps_off_zero(self) -> NDArray[np.int64]:
        """Positions of linear parameters that cannot be 0 under this prior."""
        return np.concatenate([self.gamma, self.lognormal])


def make_prior(problem: Problem, prior: str | None, use_ranges: bool) -> Prior:
    """The prior that the caller asked for.

    prior       None: none. "delays": a weak one on half-lives alone. "weak": on everything that is free
    use_ranges  ranges of the scenario as lognormal priors; what has none falls back on `prior`
    """
    if prior is not None and prior not in PRIORS:
        raise UsageError(Fault.at("prior", repr(prior), "delays, weak or none"))
    gamma: list[tuple[int, float]] = []
    lognormal: list[tuple[int, float, float]] = []
    normal: list[tuple[int, float, float]] = []
    ranged = 0
    pooled = _pooled_rates(problem)
    for p in problem.parameters:
        if not p.free:
            continue
        if use_ranges and p.low is not None and p.high is not None and 0 < p.low < p.high:
            centre = 0.5 * (np.log(p.low) + np.log(p.high))
            spread = (np.log(p.high) - np.log(p.low)) / (2.0 * NINETY)
            ranged += 1
            if p.kind == "half_life":
                normal.append((p.place, float(np.log(LN2) - centre), float(spread)))
            elif p.kind == "factor":
                normal.append((p.place, float(centre), float(spread)))
            else:
                lognormal.append((p.place, float(centre), float(spread)))
        elif p.kind == "half_life" and prior is not None:
            normal.append((p.place, float(-np.log(USUAL_DELAY)), DELAY_SPREAD))
        elif p.kind == "factor" and prior == "weak":
            normal.append((p.place, 0.0, 1.0))
        elif p.kind == "answers" and prior == "weak":
            gamma.append((p.place, 0.5))
        elif p.kind == "rate" and prior == "weak":
            gamma.append((p.place, 2.0 * pooled[p.place]))
    words = {None: "no prior", "delays": "weak prior on half-lives", "weak": "weak priors"}[prior]
    if use_ranges:
        words = f"{ranged} priors from the scenario's ranges; the rest {words}"
    if not any(p.free and p.kind == "half_life" for p in problem.parameters) and prior == "delays" and not use_ranges:
        words = "no prior"
    g, ln, nm = (np.array(x, np.float64).reshape(len(x), w) for x, w in ((gamma, 2), (lognormal, 3), (normal, 3)))
    return Prior(
        g[:, 0].astype(np.int64), g[:, 1], ln[:, 0].astype(np.int64), ln[:, 1], ln[:, 2], nm[:, 0].astype(np.int64),
        nm[:, 1], nm[:, 2], words,
    )  # fmt: skip


def _pooled_rates(problem: Problem) -> Floats:
    """(n_rates,) events of each rate's channels per channel and day, not less than one event in the whole window."""
    d, data = problem.design, problem.data
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    counts = np.bincount(rate_of[data.channel[data.time >= 0]], minlength=problem.n_rates)
    return np.asarray(np.maximum(counts, 1) / (np.maximum(problem.rate_scale, 1e-12) * data.days))
