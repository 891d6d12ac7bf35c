"""Plain multivariate fits: types of event that excite each other, without actors, facts or a scenario.

In: times by type. Out: a `HawkesFit`, with a `Model` that everything else takes.
"""

from powderkeg.fit.plain.hawkes import hawkes
from powderkeg.fit.plain.residuals import Residuals
from powderkeg.fit.plain.result import HawkesFit

__all__ = ["HawkesFit", "Residuals", "hawkes"]
