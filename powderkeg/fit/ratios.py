"""How near the fitted system stands to the brink: one branching ratio, and what it rests on.

In: a `Problem` and its numbers. Out: the branching ratio among the acts that can happen at these numbers, with every
fact at its first level: what `stability` calls `initial`, and what simulated histories do. Acts whose rates are 0 and
which nothing sets off have a ratio of their own that no history shows; it is told, and kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.errors import argument
from powderkeg.fit.likelihood.problem import Problem, filled_arrays
from powderkeg.model import Model, branching_ratio, stability
from powderkeg.model.reachable import reach
from powderkeg.model.spectral import edge_masses, edge_sources, edge_weights, ratio_of_masses

LEAST_HELD = 0.05
"""Share of the ratio from numbers that were held from which it is told."""
LEAST_NAMED = 0.02
"""Share of a mechanism in a ratio from which it is named."""


@dataclass(frozen=True)
class Ratio:
    """The branching ratio of a fit.

    value     among the acts that can happen at these numbers
    all_acts  among all acts of the scenario; more than `value` only by acts that cannot happen
    held      share of `value` that comes of answers held at the file's value;  held_paths  the largest first
    said      what a careful reader must know: that it is 1 or more, or nearly, in some state; what it rests on
    """

    value: float
    all_acts: float
    held: float
    held_paths: tuple[str, ...]
    said: tuple[str, ...]


def ratio(problem: Problem, vector: Floats) -> float:
    """Branching ratio of a problem's model at a parameter vector, among the acts that can happen."""
    model = filled_arrays(problem, vector)
    return ratio_of_masses(model.system, _live_masses(model))


def ratio_told(problem: Problem, vector: Floats) -> Ratio:
    """The same with what it rests on, and what to look at."""
    model = filled_arrays(problem, vector)
    masses = _live_masses(model)
    value, every = ratio_of_masses(model.system, masses), branching_ratio(model)
    shares = _shares(model, masses)
    answers = {p.path: p for p in problem.parameters if p.kind == "answers"}
    held = {path: share for path, share in shares.items() if path in answers and not answers[path].free}
    said = []
    if (warning := stability(model).warning) is not None:
        said.append(warning)
    if every > value * (1.0 + 1e-6) + 1e-9:
        said.append(_asleep(model, value, every))
    total = sum(held.values())
    named = [path for path, share in held.items() if share >= LEAST_NAMED]
    if total >= LEAST_HELD:
        told = ", ".join(f"{path} ({answers[path].value:g}: {answers[path].why_held or 'held'})" for path in named[:4])
        more = f" and {len(named) - 4} more" if len(named) > 4 else ""
        said.append(
            f"{100 * total:.0f} % of the branching ratio of {value:.3f} was not estimated but comes of answers held at "
            f"the file's values: {told}{more}"
        )
    return Ratio(value, every, total, tuple(named), tuple(said))


def _live_masses(model: Model) -> Floats:
    """(E,) mean direct answers along every edge in the first state, 0 where its act cannot happen."""
    system = model.system
    live = reach(model).can_fire[edge_sources(system)]
    return np.where(live, edge_masses(system, system.initial_level), 0.0)


def _shares(model: Model, masses: Floats) -> dict[str, float]:
    """Key path of a mechanism's answers -> its share of the ratio, the largest first."""
    weights = edge_weights(model.system, masses)
    share = np.bincount(model.system.edge_mechanism, weights, model.system.n_mechanisms)
    order = [int(m) for m in np.argsort(-share, kind="stable") if share[m] > 0]
    return {f"mechanisms.{model.mechanisms[m]}.answers": float(share[m]) for m in order}


def _asleep(model: Model, value: float, every: float) -> str:
    """That acts which cannot happen would feed each other."""
    found = _shares(model, edge_masses(model.system, model.system.initial_level))
    named = ", ".join(f"{path} ({100 * share:.0f} %)" for path, share in list(found.items())[:3])
    return (
        f"the branching ratio of {value:.3f} is among acts that can happen at these numbers. Others cannot, because "
        f"their rates are 0 and nothing sets them off; if one did, it would be {every:.3f}, by {named}: no act of the "
        "record speaks for or against that. Hold such rates above 0 with " + argument("fix") + ", or the answers lower"
    )
