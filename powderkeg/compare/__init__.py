"""What would change: interventions on paired draws.

In: scenarios and named interventions. Out: differences with their uncertainty.
"""

from powderkeg.compare.interventions import Named, choose, intervene
from powderkeg.compare.paired import Compared, Comparison, Effect, compare

__all__ = ["Compared", "Comparison", "Effect", "Named", "choose", "compare", "intervene"]
