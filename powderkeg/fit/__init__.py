"""Estimate a system from events, say how sure that is, and what to look at next.

In: a `Model` or `Scenario` and an `EventTable`. Out: a `Fit`.
"""

from powderkeg.fit.checks.standoffs import standoff_numbers
from powderkeg.fit.estimates import Estimate
from powderkeg.fit.fitting import fit
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.observing import observe
from powderkeg.fit.result import Fit

__all__ = ["Estimate", "Fit", "Joint", "fit", "observe", "standoff_numbers"]
