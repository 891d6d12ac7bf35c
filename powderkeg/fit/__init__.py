"""Estimate a system from events, say how sure that is, and what to look at next.

In: a `Model` or `Scenario` and an `EventTable`. Out: a `Fit`; or, from bare times by type, a `HawkesFit`.
"""

from powderkeg.fit.fitting import fit
from powderkeg.fit.joint import Joint
from powderkeg.fit.plain import HawkesFit, hawkes
from powderkeg.fit.result import Estimate, Fit

__all__ = ["Estimate", "Fit", "HawkesFit", "Joint", "fit", "hawkes"]
