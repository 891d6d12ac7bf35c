"""Which other values could the scenario's numbers as well have had?

In: a model whose parameters have ranges, what a fit left open, a number of sets, a seed. Out: that many sets of values
by key path. What was fitted is drawn from the fit's joint law, everything else from its own range.
A value is as likely above the stated one as below it, and evenly spread between it and either end of its range: on a
logarithmic scale where the low end is above zero, for a range of 0.1 to 10 around 1 is meant so. Sets form a Latin
hypercube (McKay, Beckman & Conover 1979, Technometrics 21, 239-245). Numbers without a range stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.fit.joint_law import Joint
from powderkeg.model import Model
from powderkeg.model.parting import values_of
from powderkeg.model.parts import Parameter
from powderkeg.model.subcritical import subcritical
from powderkeg.scenario import Quantity, Scenario, edit, paths
from powderkeg.wording import counted

FEWEST = 2
"""Sets of numbers that tell what others would do: one alone does not show how far they differ."""


def ranged(model: Model) -> tuple[Parameter, ...]:
    """The parameters that have a range."""
    return tuple(p for p in model.parameters if p.low is not None and p.high is not None and p.low < p.high)


def set_to_an_end(scenario: Scenario, sets: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths that are set to an end of their range. Other numbers of such a range all lie on one side of it, so that a
    difference has one sign under all of them whether or not there is anything: that they agree proves nothing."""
    before = paths(scenario)
    after = paths(edit(scenario, dict(sets))) if sets else {}
    return tuple(path for path in sets if _is_end(before.get(path), after.get(path)))


def not_needed(scenario: Scenario, sets: Mapping[str, Any], leaves: Iterable[tuple[str, str]] = ()) -> tuple[str, ...]:
    """Mechanisms that are changed or left out and of which the fit of the file cannot say that they answer at all: the
    range of their answers, or of each of them, begins at 0."""
    touched = [path.split(".")[1] for path in sets if path.startswith("mechanisms.")]
    touched += [name for section, name in leaves if section == "mechanisms"]
    found = paths(scenario)

    def begins_at_0(name: str) -> bool:
        answers = [value for path, value in found.items() if path.startswith(f"mechanisms.{name}.answers")]
        fitted = [one for one in answers if isinstance(one, Quantity) and one.source == "fitted"]
        return bool(fitted) and len(fitted) == len(answers) and all(one.low == 0.0 for one in fitted)

    return tuple(name for name in dict.fromkeys(touched) if begins_at_0(name))


def _is_end(was: Any, now: Any) -> bool:
    if not (isinstance(was, Quantity) and isinstance(now, Quantity)) or was.low is None or was.low == was.high:
        return False
    return now.value != was.value and now.value in (was.low, was.high)


def draw_values(model: Model, sets: int, seed: int, fitted: Joint | None = None) -> list[dict[str, float]]:
    """`sets` sets of values by key path; empty where no parameter has a range and nothing was fitted.

    fitted  the law of numbers that were estimated together: in place of their own ranges
    """
    together = [] if fitted is None or not fitted.paths else fitted.draw(sets, seed)
    parameters = tuple(p for p in ranged(model) if fitted is None or p.path not in fitted.drawn)
    alone = _by_ranges(parameters, sets, seed)
    return [a | b for a, b in zip(alone, together, strict=True)] if alone and together else alone or together


class DrawnSets(NamedTuple):
    """Sets of values by key path.

    together  paths of those that were drawn together, from what a fit left open
    aside     sets that were drawn and left aside: under these the system feeds itself from its start
    """

    values: list[dict[str, float]]
    together: tuple[str, ...] = ()
    aside: int = 0


def drawn_sets(model: Model, sets: int | Sequence[Mapping[str, float]], seed: int, fitted: Joint | None) -> DrawnSets:
    """As many sets as asked for, but for those under which the system feeds itself (`subcritical`); or those given.

    fitted  numbers that no longer stand at their estimates are left out of it
    """
    if not isinstance(sets, int):
        return DrawnSets([dict(values) for values in sets])
    law = None
    if fitted is not None:
        law = fitted.among(values_of(model))
    drawn = draw_values(model, sets, seed, law)
    kept = subcritical(model, drawn)
    return DrawnSets(kept, () if law is None else law.drawn, len(drawn) - len(kept))


def said_of_aside(kept: int, aside: int) -> str:
    """What was left aside of the sets that were drawn, in a sentence; "" where nothing was."""
    if not aside:
        return ""
    few = "" if kept >= FEWEST else " Too few are left to tell what other numbers would do: more have to be drawn."
    return (
        f"Under {counted(aside, 'set')} of numbers of the {kept + aside} that were drawn the system feeds itself from "
        "its start (a branching ratio of 1 or more), so that nothing there has a mean: “under other numbers” leaves "
        f"them aside. What was fitted or guessed does not rule them out.{few}"
    )


def _by_ranges(parameters: Sequence[Parameter], sets: int, seed: int) -> list[dict[str, float]]:
    if not parameters:
        return []
    uniform = latin_hypercube(len(parameters), sets, np.random.default_rng([seed, sets]))
    columns = [value_at(p, uniform[:, i]) for i, p in enumerate(parameters)]
    return [{p.path: float(column[k]) for p, column in zip(parameters, columns, strict=True)} for k in range(sets)]


def latin_hypercube(dimensions: int, points: int, rng: np.random.Generator) -> Floats:
    """(points, dimensions) numbers below 1, uniform; in each dimension one point in each of `points` equal parts.

    Those of scipy.stats.qmc.LatinHypercube to the last bit, without the second that importing scipy.stats takes.
    Source: McKay, Beckman & Conover (1979), Technometrics 21(2), 239-245.
    """
    rng = rng.spawn(1)[0]
    within = rng.uniform(size=(points, dimensions))
    part = np.tile(np.arange(1, points + 1), (dimensions, 1))
    for row in part:
        rng.shuffle(row)
    return np.asarray((part.T - within) / points)


def value_at(parameter: Parameter, u: Floats) -> Floats:
    """The value below which it lies with probability u."""
    assert parameter.low is not None and parameter.high is not None
    ends = np.array([parameter.low, parameter.value, parameter.high])
    is_log = parameter.low > 0
    found: Floats = np.interp(u, [0.0, 0.5, 1.0], np.log(ends) if is_log else ends)
    return np.exp(found) if is_log else found
