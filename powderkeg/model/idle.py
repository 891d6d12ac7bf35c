"""Can an edit do anything at all, and if not, why not?

In: a model and values at key paths, as an intervention sets them. Out: a reason in words, or nothing. What is found
here holds for every run: the arrays are the same with it, or what differs in them waits for something that nothing
brings about. Nothing here runs, so that a scenario can be checked without a compiler.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from powderkeg.engine.arrays import System
from powderkeg.model.compiling import compile_scenario
from powderkeg.model.describe import describe
from powderkeg.model.filling import filled
from powderkeg.model.parts import Model
from powderkeg.model.register import Register
from powderkeg.model.states import States
from powderkeg.scenario import edit

LEVELS = "initial_level"
FIRST_LEVEL = re.compile(r"facts\.[^.]+\.starts|ties\.[^.]+\.holds")
"""Key paths that say at which level a fact or a tie begins, and no more."""


def why_idle(model: Model, changes: Mapping[str, Any]) -> str:
    """Why these changes change nothing, in words; "" where they may, or where there are none."""
    if model.scenario is None or not changes:
        return ""
    paths = list(changes)
    base, other = model.system, _edited(model, changes)
    differ = {field for field, one, new in zip(base._fields, base, other, strict=True) if not np.array_equal(one, new)}
    if not differ:
        return f"{_listed(paths)}: what is set is what the file says already, or nothing reads it"
    asleep = _asleep(model)
    facts = {path.split(".")[1] for path in paths if path.startswith(("facts.", "ties."))}
    if differ == {LEVELS} and facts and facts <= {*asleep.get("facts_nothing_reads", ())}:
        return f"nothing in the scenario asks for {_listed(sorted(facts))}"
    reasons = [_sleeps(model, path, asleep) for path in paths]
    if not all(reasons) or _wakes(compile_scenario(edit(model.scenario, changes)), paths):
        return ""
    return "; ".join(dict.fromkeys(reasons))


def _edited(model: Model, changes: Mapping[str, Any]) -> System:
    """The arrays with these changes; numbers and first levels are filled in, as who answers whom stays what it is."""
    assert model.scenario is not None
    edited = edit(model.scenario, changes)
    before = {parameter.path: parameter.value for parameter in model.parameters}
    if not all(path in before or FIRST_LEVEL.fullmatch(path) for path in changes):
        return compile_scenario(edited).system
    values = {one.path: one.value for one in Register(edited).parameters}
    other = filled(model, {path: value for path, value in values.items() if value != before[path]})
    states = States(edited)
    levels = model.system.initial_level.copy()
    levels[: states.n_said] = states.initial
    return other._replace(initial_level=levels)


def _wakes(edited: Model, paths: list[str]) -> bool:
    """Whether something that slept comes to act by the edit itself, as a move without a rate does that is given one."""
    asleep = _asleep(edited)
    return not all(_sleeps(edited, path, asleep) for path in paths)


@lru_cache(maxsize=2)
def _asleep(model: Model) -> dict[str, Any]:
    """What waits in a model; worked out once for all its interventions, for it looks at every state."""
    found: dict[str, Any] = describe(model).as_dict().get("asleep", {})
    return found


def _sleeps(model: Model, path: str, asleep: dict[str, object]) -> str:
    """Why what stands at a path never comes to act, or ""."""
    section, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    scenario = model.scenario
    assert scenario is not None
    still = {*asleep.get("facts_nothing_changes", ())}  # type: ignore[misc]
    if section == "gates":
        condition = scenario.gates[name].while_
        if condition is not None and condition.fact in still and not _holds(model, condition.fact, condition.level):
            return f"the gate {name} waits for {condition.fact}, which nothing brings about"
    if section in ("moves", "mechanisms"):
        for one in asleep.get(section, ()):  # type: ignore[attr-defined]
            if one["name"] == name:
                waits = f": it waits for {', '.join(one['waits_for'])}" if one["waits_for"] else ""
                return f"{path.rpartition('.')[0]} can never happen{waits}"
    return ""


def _holds(model: Model, fact: str, level: str | None) -> bool:
    """Whether a fact stands so at the start."""
    index = model.fact(fact)
    at = int(model.system.initial_level[index])
    return at > 0 if level is None else model.levels[index][at] == level


def _listed(names: list[str]) -> str:
    return ", ".join(names)
