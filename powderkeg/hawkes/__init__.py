"""Plain multivariate fits: types of event that excite each other, without actors, facts or a scenario.

In: times by type. Out: a `HawkesFit`, with a `Model` that everything else takes.
"""

from powderkeg.hawkes.fitting import hawkes
from powderkeg.hawkes.residuals import HawkesResiduals
from powderkeg.hawkes.result import HawkesFit

__all__ = ["HawkesFit", "HawkesResiduals", "hawkes"]
