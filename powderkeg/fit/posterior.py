"""What may the numbers of a fit be, where the top of the likelihood is not round?

In: a `Fit`. Out: a `Posterior`: sets of numbers with weights, and how many even draws they are worth. Sets are drawn
from the law of the fit (normal around the estimates, bent at zeros), a little wider, and weighed by likelihood times
prior over that law: importance sampling from Laplace. Where few draws carry all the weight, the law and the likelihood
differ, and both intervals and draws of everything that rests on the law are to be read with care.
Source: effective number of draws, Kong, Liu & Wong (1994), JASA 89, 278-288.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import linalg

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import FitError
from powderkeg.fit.differences import drawn_by_path
from powderkeg.fit.maximum.bounded import draw_bounded
from powderkeg.fit.maximum.varying import VaryingClimber
from powderkeg.showing import ShowsItself, as_html
from powderkeg.wording import counted

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit

WIDER = 0.5
"""How much wider than the law draws are for one number; for K numbers this over the root of K."""
ENOUGH = 200.0
"""Even draws that are enough for the spread of what rests on a fit."""
NUMBERS = (1_000, 4_000, 16_000)
UNCERTAINTY = ("normal", "posterior")
"""Where draws within a fit's errors come from: its normal law, or that weighed by the likelihood."""
FEW = 0.1
"""Share of the draws that they must be worth at least, for the law to be called that of the likelihood."""


@dataclass(frozen=True)
class Posterior(ShowsItself):
    """N weighted sets of K numbers.

    paths   (K,) key paths;  values (N, K) in the scenario's units
    weight  (N,) adds up to 1
    vectors (N, P) the same as the fit's own vector has them, at its `law.places`: what has no key path is there too
    """

    paths: tuple[str, ...]
    values: Floats
    weight: Floats
    vectors: Floats

    def __repr__(self) -> str:
        numbers, draws = counted(len(self.paths), "number"), counted(len(self.weight), "draw")
        return f"Posterior({numbers}, {draws} worth {self.worth:,.0f} even ones)"

    def _repr_html_(self) -> str:
        return as_html(self, self.table())

    @property
    def worth(self) -> float:
        """Number of even draws that the weighted ones are worth."""
        return float(1.0 / np.square(self.weight).sum())

    @property
    def is_round(self) -> bool:
        """Whether the fit's own law is near enough to the likelihood for its draws and intervals to be believed."""
        return self.worth >= FEW * len(self.weight)

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """path, mean, sd, low, median, high of every number."""
        ends = (0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level)
        rows = []
        for k, path in enumerate(self.paths):
            column = self.values[:, k]
            order = np.argsort(column)
            below = np.cumsum(self.weight[order])
            places = np.minimum(np.searchsorted(below, ends), len(below) - 1)
            low, median, high = column[order][places].tolist()
            mean = float(self.weight @ column)
            sd = float(np.sqrt(self.weight @ np.square(column - mean)))
            rows.append({"path": path, "mean": mean, "sd": sd, "low": low, "median": median, "high": high})
        return pl.DataFrame(rows, schema={"path": pl.String, **dict.fromkeys(
            ("mean", "sd", "low", "median", "high"), pl.Float64)})  # fmt: skip

    def draw(self, sets: int, seed: int = 1) -> list[dict[str, float]]:
        """`sets` even sets of values by key path: those with more weight come more often."""
        rows = self.values[self.even(sets, seed)]
        return [dict(zip(self.paths, row, strict=True)) for row in rows.tolist()]

    def even(self, sets: int, seed: int = 1) -> Ints:
        """(sets,) numbers of draws, those with more weight more often."""
        rng = np.random.default_rng([seed, 0x706F7374])
        # one throw for all: what has the weight of two sets comes twice
        at = np.searchsorted(np.cumsum(self.weight), (np.arange(sets) + rng.random()) / sets)
        return np.asarray(rng.permutation(np.minimum(at, len(self.weight) - 1)), np.int64)

    @property
    def said(self) -> str:
        """What the draws are worth, in words."""
        words = f"draws within this fit's errors are weighed by the likelihood: {len(self.weight):,} are worth "
        words += f"{self.worth:,.0f} even ones"
        return words if self.worth >= ENOUGH else f"{words}, too few to tell the ends of anything"

    def for_arviz(self, sets: int = 1000, seed: int = 1) -> dict[str, Any]:
        """{"posterior": {path: (1, sets)}} of even draws, as `arviz.from_dict` takes it: one chain."""
        rows = self.draw(sets, seed)
        return {"posterior": {path: np.array([[row[path] for row in rows]]) for path in self.paths}}


def posterior(fit: Fit, draws: int = 1000, seed: int = 1) -> Posterior:
    """Weighed draws of all that a fit left open. One pass over the events for each set of half-lives.

    Where actors or courses vary their effects are drawn with the rest, under their law with the spread that was found.
    Raises FitError where rates of channels are integrated out under a Gamma law, or days are drawn: there the
    likelihood is a mean, and its draws are not to be had so.
    """
    problem, law, climber = fit.problem, fit.law, fit.climber
    if len(problem.law_rates) or climber.is_drawn:
        raise FitError(
            "a posterior by weighed draws needs the likelihood itself: not where rates are integrated out under a "
            "Gamma law or days are drawn"
        )
    if not len(law.places) or draws < 2:
        raise FitError("nothing to draw: no number was left open, or fewer than 2 draws were asked for")
    centre = fit.solution.vector
    wide = (1.0 + WIDER / np.sqrt(len(law.places))) ** 2
    matrix, slope = law.matrix * wide, law.slope / np.sqrt(wide)
    rng = np.random.default_rng([seed, 0x706F7374])
    found = draw_bounded(centre[law.places], matrix, slope, law.bounded, draws, rng)
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    values, axes = linalg.eigh(matrix / size[:, None] / size[None, :])
    away = (found - centre[law.places]) / size @ axes / np.sqrt(np.maximum(values, 1e-9))
    proposed = -0.5 * np.square(away).sum(axis=1) - (found - centre[law.places]) @ slope
    target = np.full(draws, -np.inf)
    low, high = climber.lower[law.places], problem.upper[law.places]
    vectors = np.tile(centre, (draws, 1))
    vectors[:, law.places] = found
    seen, at = None, np.empty(0)
    for k, vector in enumerate(vectors):
        if ((found[k] < low - 1e-12) | (found[k] > high)).any():
            continue
        # where facts are hidden, the pass hangs on all numbers
        if seen is None or climber.hidden or not np.array_equal(vector[problem.n_smooth :], at):
            seen, at = climber.filter(vector)[0], vector[problem.n_smooth :]
        target[k] = climber.log_density(vector, seen)
    raised = np.where(np.isfinite(target), target - proposed, -np.inf)
    if not np.isfinite(raised).any():
        raise FitError("no draw has any likelihood: the law of this fit is not that of its likelihood")
    weight = np.exp(raised - raised.max())
    paths, natural = _by_path(fit, vectors)
    return Posterior(paths, natural, weight / weight.sum(), found)


def _by_path(fit: Fit, vectors: Floats) -> tuple[tuple[str, ...], Floats]:
    """(key paths of what was left open, (N, K) their values in the scenario's units at each of N vectors)."""
    problem, varies = fit.problem, isinstance(fit.climber, VaryingClimber)
    named = {p.place: p for p in problem.parameters}
    # where rates differ, a move's rate is the mean of what its pairs have, and no parameter by itself
    kept = [
        named[place] for place in fit.law.places.tolist()
        if place in named and not (varies and named[place].kind == "rate")
    ]  # fmt: skip
    natural = np.array([[problem.natural(p, vector) for p in kept] for vector in vectors])
    paths = tuple(p.path for p in kept)
    if isinstance(fit.climber, VaryingClimber):
        more, values = drawn_by_path(fit.climber, fit.solution.vector, fit.law_by_path()[0], vectors)
        return (*more, *paths), np.hstack([values, natural.reshape(len(vectors), len(kept))])
    return paths, natural


def settled_posterior(fit: Fit, seed: int = 1) -> Posterior:
    """As many draws as it takes for them to be worth `ENOUGH`, up to the last of `NUMBERS`."""
    for draws in NUMBERS:
        found = posterior(fit, draws, seed)
        if found.worth >= ENOUGH:
            break
    return found
