"""What would change: interventions on paired draws.

In: scenarios and named interventions. Out: differences with their uncertainty.
"""

import sys

from powderkeg.compare.brink import Brink, brink
from powderkeg.compare.effects import Effect, effect
from powderkeg.compare.interventions import Named, Plan, choose, intervene, plan
from powderkeg.compare.paired import Compared, Comparison, compare
from powderkeg.compare.ranges import draw_values
from powderkeg.compare.rare.levels import Step
from powderkeg.compare.rare.rare import Rare, rare
from powderkeg.compare.replay.replaying import replay
from powderkeg.compare.replay.result import Replay
from powderkeg.compare.sweep.sweeps import Axis, Sensitivity, Sweep, axis, sensitivity, sweep

# Functions with the name of their package: what is in that package can be reached through them, as dotted imports ask.
for _function in (rare, replay, sweep):
    _function.__dict__ = vars(sys.modules[f"{__name__}.{_function.__name__}"])

__all__ = [
    "Axis",
    "Brink",
    "Compared",
    "Comparison",
    "Effect",
    "Named",
    "Plan",
    "Rare",
    "Replay",
    "Sensitivity",
    "Step",
    "Sweep",
    "axis",
    "brink",
    "choose",
    "compare",
    "draw_values",
    "effect",
    "intervene",
    "plan",
    "rare",
    "replay",
    "sensitivity",
    "sweep",
]
