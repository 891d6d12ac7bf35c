"""What would change: interventions on paired draws.

In: scenarios and named interventions. Out: differences with their uncertainty.
"""

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
