"""The law of the number of dead of an act: shares, means, and the number that a draw gives.

In: share of acts without dead `none`, `median` and `spread` of the others. Out: chances, quantiles, numbers.

    D = 0 with chance none, else ceil(X),  log X ~ Normal(log median, log spread)

Acts with few dead are many and those with many are few. The lognormal law has such a tail and a mean all the same,
which a power law may not have; a mean is what outcomes and forecasts add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.model.parts import Model
from powderkeg.scenario import DeathLaw

LEAST, LARGEST = 2.0**-60, 1.0 - 2.0**-53
"""Draws stay between these, so that no number is infinite."""
SUMMED = 10_000
"""Chances up to this number are summed one by one for the mean; beyond it a number is as good as not rounded."""


@dataclass(frozen=True)
class DeathNumbers:
    """A law by its numbers. none: 0 to 1; median: people, above 0; spread: a factor, 1 or more."""

    none: float
    median: float
    spread: float

    @classmethod
    def of(cls, law: DeathLaw) -> DeathNumbers:
        """The numbers of a law as a scenario has it."""
        return cls(float(law.none), float(law.median), float(law.spread))

    @property
    def mean_if_any(self) -> float:
        """Mean number of dead of acts that kill."""
        from scipy import special  # a third of a second, for those scenarios that have such a law

        m, s = math.log(self.median), math.log(self.spread)
        if s == 0.0:
            return max(math.ceil(self.median), 1.0)
        # sum over k of P(D > k); the rest of it is that of X, and half for rounding up
        head = 1.0 + float(special.ndtr((m - np.log(np.arange(1.0, SUMMED))) / s).sum())
        z = (m - math.log(SUMMED)) / s
        above = math.exp(m + 0.5 * s * s) * float(special.ndtr(z + s)) - SUMMED * float(special.ndtr(z))
        return head + max(above, 0.0) + 0.5 * float(special.ndtr(z))

    @property
    def mean(self) -> float:
        """Mean number of dead of an act."""
        return (1.0 - self.none) * self.mean_if_any

    def numbers(self, uniform: Floats) -> Floats:
        """(n,) whole numbers of dead for uniforms in (0, 1); a larger uniform never gives fewer."""
        from scipy import special

        u = np.asarray(uniform, dtype=np.float64)
        if self.none >= 1.0:
            return np.zeros(len(u))
        rest = np.clip((u - self.none) / (1.0 - self.none), LEAST, LARGEST)
        number = np.ceil(self.median * np.exp(math.log(self.spread) * special.ndtri(rest)))
        return np.where(u < self.none, 0.0, np.maximum(number, 1.0))

    def at(self, share: float) -> float:
        """The number of dead that this share of acts does not exceed."""
        return float(self.numbers(np.array([share]))[0])


def laws_of(model: Model) -> dict[str, DeathNumbers]:
    """Laws by act; none where the scenario has none, or the model no scenario."""
    acts = {} if model.scenario is None else model.scenario.acts
    return {name: DeathNumbers.of(act.deaths) for name, act in acts.items() if act.deaths is not None}
