"""A model as the page reads it: its arrays, and where each number of the scenario stands in them.

In: a scenario. Out: one dict of plain data. The page fills the arrays with other numbers as `model.filled` does, to the
bit; what interventions edit comes as numbers and levels, and only where that is not all as cells of arrays.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.analyze.outcomes import UNITS, cells_of, channel_mask, mechanism_mask, told_by_dead
from powderkeg.analyze.streams import streams
from powderkeg.compare.interventions import Named, contradictions, plan
from powderkeg.compare.measures import STANDOFFS
from powderkeg.engine.arrays import HISTORY, System
from powderkeg.errors import Fault, UsageError
from powderkeg.model import Model
from powderkeg.model.compiling import compile_scenario
from powderkeg.model.deaths import laws_of
from powderkeg.model.reachable import reach
from powderkeg.model.stability import undominated
from powderkeg.scenario import Scenario, digest, edit, tie_verb
from powderkeg.simulate import simulate
from powderkeg.simulate.jobs import EVENT_LIMIT
from powderkeg.units import YEAR
from powderkeg.version import __version__
from powderkeg.web.records import record_of

FORMAT = 1
"""Of the bundle; the page's script refuses another."""

OF_THE_DEAD = ("deaths", "killed")
"""Statistics of standoffs that rest on how many died."""

SHOWN = {"rate": ("per year", YEAR)}
"""Kind of a number -> unit in which people read it, and what a number inside is multiplied by for that."""


def bundle(
    scenario: Scenario, seed: int = 1, replicates: int = 200, origin: str | None = None, edits: Sequence[str] = ()
) -> dict[str, Any]:
    """All that the page needs to know of a scenario.

    seed, replicates  what the page starts with
    origin            what a file beside the scenario's would include it by; by default its name
    edits             what was typed as `--set` to make the scenario from that file

    Raises ModelError if the scenario has nothing to run.
    """
    model = compile_scenario(scenario)
    held = record_of(model)
    return {
        "format": FORMAT,
        "version": __version__,
        "scenario": scenario.name,
        "origin": origin or scenario.name,
        "edits": "".join(f" --set {shlex.quote(' '.join(one.split()))}" for one in edits),
        "title": scenario.title or scenario.name,
        "about": scenario.about,
        "digest": digest(scenario),
        "seed": seed,
        "replicates": replicates,
        "years": float(scenario.years),
        "start": scenario.start.isoformat(),
        "limit": EVENT_LIMIT,
        "actors": _actors(scenario),
        "acts": _acts(model),
        "channels": [
            {"source": c.source, "act": c.act, "target": c.target, "move": c.move, "fact": c.fact, "kind": c.kind}
            for c in model.channels
        ],
        "n_acts": model.n_acts,
        "mechanisms": list(model.mechanisms),
        "facts": _facts(model),
        "ties": _ties(model),
        "fact_levels": [[name, list(levels)] for name, levels in zip(model.facts, model.levels, strict=True)],
        "known_days": model.known_days if math.isfinite(model.known_days) else 1e9,
        "outcomes": [*_outcomes(model), *_of_standoffs(model, float(scenario.years))],
        "standoffs": _standoffs(model),
        "levers": _levers(model),
        "levels": _levels(model),
        "switches": _switches(model),
        "conflicts": _conflicts(model),
        "record": held["lines"],
        "record_days": held["days"],
        "record_marks": held["marks"],
        "parameters": [{"path": p.path, "value": p.value, "kind": p.kind} for p in model.parameters],
        "system": arrays_of(model.system),
        "cells": _cells(model),
        "reach": _reach(model),
    }


def arrays_of(system: System) -> dict[str, list[Any]]:
    """Every array of a system as a list; infinite numbers as text, which JSON has no numbers for."""
    return {name: _plain(getattr(system, name)) for name in System._fields}


def _plain(array: NDArray[Any]) -> list[Any]:
    if array.dtype == np.bool_:
        return [int(x) for x in array]
    if array.dtype.kind == "f":
        return [
            x if math.isfinite(x) else ("nan" if math.isnan(x) else "inf" if x > 0 else "-inf")
            for x in map(float, array)
        ]
    return [int(x) for x in array]


def _cells(model: Model) -> dict[str, Any]:
    """Which parameter stands in which cell of which array, -1 where none does; see `Model`."""
    return {
        "rate": _plain(model.rate_parameter),
        "edge_mass": _plain(model.edge_parameter),
        "kernel_decay": _plain(model.kernel_parameter),
        "level_factor": _plain(model.factor_parameter),
        **{name: _plain(cells) for name, cells in model.other_parameters.items()},
        "edge_weight": _plain(model.edge_weight),
        "power": None if model.factor_power is None else _plain(model.factor_power),
        "times": None if model.times_parameter is None else _plain(model.times_parameter),
        "kernel_times": None if model.kernel_times is None else _plain(model.kernel_times),
    }


def _levers(model: Model) -> list[dict[str, Any]]:
    """Every number that has a range, in the unit used inside; `times` makes it what `shown` says."""
    found = []
    for one in model.parameters:
        if one.low is None or one.high is None or not one.low < one.high:
            continue
        shown, times = SHOWN.get(one.kind, (one.unit, 1.0))
        found.append(
            {
                "path": one.path,
                "title": _title(model, one.path),
                "group": one.path.partition(".")[0],
                "kind": one.kind,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "scale": "log" if one.low > 0 and one.high / one.low >= 4 else "linear",
                "unit": one.unit,
                "shown": shown,
                "times": times,
                "source": one.source,
                "guess": one.guess,
                "moves": {},
            }
        )
    return found


_SAID = {
    "answers": "answers", "half_life": "half-life", "half_lives": "half-life", "rate": "how often, unprovoked",
    "lasts": "how long it lasts", "comes": "how often it comes", "factor": "factor", "strength": "strength",
    "swing": "swing over the year", "steps": "step", "times": "factor of a pair", "sets": "chance to set",
}  # fmt: skip


def _title(model: Model, path: str) -> str:
    """What a number is, in words: whose it is, and which of its numbers."""
    section, name, *rest = path.split(".")
    assert model.scenario is not None
    thing = getattr(model.scenario, section, {}).get(name)
    own = getattr(thing, "title", None) or name.replace("_", " ")
    words = [_SAID.get(rest[0], rest[0].replace("_", " ")), *(word.replace("_", " ") for word in rest[1:])]
    return f"{own}: {' '.join(words)}"


def _levels(model: Model) -> dict[str, Any]:
    """Path -> fact and value -> level, of what a scenario says of the start."""
    assert model.scenario is not None
    number = {name: index for index, name in enumerate(model.facts)}
    facts = {
        f"facts.{name}.starts": [number[name], {level: i for i, level in enumerate(fact.levels)}]
        for name, fact in model.scenario.facts.items()
    }
    return facts | {f"ties.{name}.holds": [number[name], {"false": 0, "true": 1}] for name in model.scenario.ties}


def _actors(scenario: Scenario) -> list[dict[str, Any]]:
    found = []
    for name, actor in scenario.actors.items():
        one: dict[str, Any] = {"id": name, "title": actor.title or name, "classes": list(actor.classes)}
        found.append(one)
    return found


def _acts(model: Model) -> list[dict[str, Any]]:
    assert model.scenario is not None
    return [
        {"id": name, "title": getattr(act, "title", None) or name.replace("_", " "), "class": act.tone,
         "heat": float(act.heat), "hurts": act.hurts}
        for name, act in model.scenario.acts.items()
    ]  # fmt: skip


def _facts(model: Model) -> list[dict[str, Any]]:
    assert model.scenario is not None
    return [
        {"id": name, "title": fact.title or name.replace("_", " "), "levels": list(fact.levels), "starts": fact.starts}
        for name, fact in model.scenario.facts.items()
    ]


def _ties(model: Model) -> list[dict[str, Any]]:
    assert model.scenario is not None
    return [
        {"id": name, "kind": tie.kind, "from": tie.from_, "to": tie.to, "on": bool(tie.holds),
         "title": f"{tie.from_} {tie_verb(tie.kind)} {tie.to}"}
        for name, tie in model.scenario.ties.items()
    ]  # fmt: skip


def _outcomes(model: Model) -> list[dict[str, Any]]:
    """The scenario's questions; channels and causes that answer them, or the cells whose days are summed.

    Questions after deaths, or after acts in which somebody died, are left out: the loops in the page draw acts and
    not how many die in each.
    """
    assert model.scenario is not None
    years = float(model.scenario.years)
    kinds = {"any": "chance", "count": "count", "first": "time", "share_of_time": "share"}
    found = []
    for name, one in model.scenario.outcomes.items():
        if one.deaths is not None or (one.events is not None and told_by_dead(model, one.events).any()):
            continue
        kind, what = next((kind, what) for kind in UNITS if (what := getattr(one, kind)) is not None)
        told: dict[str, Any] = {
            "id": name, "title": one.title or name.replace("_", " "), "unit": UNITS[kind], "kind": kinds[kind],
            "better": one.better, "group": "questions",
            "measure": kind if kind in ("any", "count") else "mean",
            "event": {"any": 1.0, "count": 1.0 / years, "share_of_time": 1.0, "first": years * YEAR}[kind],
        }  # fmt: skip
        if one.condition is not None:
            meant, cells = cells_of(model, one.condition)
            told |= {"cells": [*range(meant.start, meant.stop)], "of": [cells.start, cells.stop]}
        else:
            told["channels"] = np.flatnonzero(channel_mask(model, what)).tolist()
            told["via"] = _plain(mechanism_mask(model, what))
        found.append(told)
    return found


def _of_standoffs(model: Model, years: float) -> list[dict[str, Any]]:
    """The statistics of standoffs, as `compare` has them; the mean length is a ratio of two of them.

    Where acts have a law of deaths, what is said of the dead is left out, because the page does not draw them.
    """
    drawn = bool(laws_of(model))
    found: list[dict[str, Any]] = [
        {"id": f"standoffs.{name}", "title": title, "unit": "per year", "kind": "count", "better": None,
         "group": "standoffs", "measure": "count", "event": 1.0 / years}
        for name, title in STANDOFFS.items()
        if not (drawn and name in OF_THE_DEAD)
    ]  # fmt: skip
    length = {
        "id": "standoffs.mean_days", "title": "mean length of a standoff", "unit": "days", "kind": "time",
        "better": None, "group": "standoffs", "measure": "mean", "event": 0.0,
        "ratio": ["standoffs.days_in_standoff", "standoffs.standoffs"],
    }  # fmt: skip
    return [*found, length]


def _standoffs(model: Model) -> dict[str, Any]:
    """How standoffs are told: the rule, and what each channel means for it."""
    from powderkeg.analyze import Rules

    rule = Rules.of(model.scenario)
    told = streams(simulate(model, days=1.0, replicates=1, limit=1))
    return {
        "rule": [rule.memory, rule.opens_at, rule.closes_at, rule.chained_within],
        "score_heat": _plain(told.score_heat),
        "heat": _plain(told.heat),
        "marks": _plain(told.marks),
        "hurts": _plain(told.hurts),
        "source": _plain(told.source),
        "target": _plain(told.target),
        "tone": _plain(told.tone),
        "actors": list(told.actors),
        "lowest_mechanism": HISTORY,
    }


def _switches(model: Model) -> list[dict[str, Any]]:
    """Ties, interventions, policies: what is flipped, and what that does to the arrays."""
    assert model.scenario is not None
    found: list[dict[str, Any]] = [
        {"kind": "tie", "id": f"ties.{tie['id']}", "title": tie["title"], "on": tie["on"], "note": ""}
        for tie in _ties(model)
    ]
    for name, one in model.scenario.interventions.items():
        told: dict[str, Any] = {
            "kind": "policy" if one.whenever and not one.set and not one.remove else "intervention",
            "id": name,
            "title": one.title or name.replace("_", " "),
            "on": False,
            "note": one.question or "",
            "at": float(one.at),
            "until": None if one.until is None else float(one.until),
        }
        try:
            told |= _part(model, name)
        except UsageError as error:
            told["refused"] = "; ".join(str(fault) for fault in error.faults)
        found.append(told)
    return found


TURNS = ("turn_time", "turn_fact", "turn_level")
"""Arrays of the facts with a known path, which an intervention may change as a whole."""


def _part(model: Model, name: str) -> dict[str, Any]:
    """What one intervention does, by itself."""
    assert model.scenario is not None
    part = model.scenario.interventions[name]
    made = plan(model, Named(name, ((name, part),)), math.inf)
    told: dict[str, Any] = {"values": {}, "levels": {}, "cells": {}}
    turn = next((turn for turn in made.turns if turn.at == float(part.at)), None)
    if turn is not None and turn.system is not None:
        index = {parameter.path: number for number, parameter in enumerate(model.parameters)}
        told["values"] = {str(index[path]): value for path, value in turn.values.items()}
        known = _levels(model)
        named = {known[path][0] for path in part.set if path in known}  # also where they are as at the start already
        changed_levels = np.flatnonzero(model.system.initial_level != turn.system.initial_level)
        told["levels"] = [
            [fact, int(turn.system.initial_level[fact])] for fact in sorted({*named, *changed_levels.tolist()})
        ]
        turns = {name: _plain(getattr(turn.system, name)) for name in TURNS}
        if turns != {name: _plain(getattr(model.system, name)) for name in TURNS}:
            told["turns"] = turns
        if not turn.plain:
            changed = compile_scenario(edit(model.scenario, turn.changes), levels=model.covariate_levels)
            if not np.array_equal(_times(model), _times(changed)):
                raise UsageError(Fault.at(f"interventions.{name}.set", "build_up", "what the page can change"))
            told |= {
                "cells": _other_cells(model, changed),
                "weight": _differing(model.edge_weight, changed.edge_weight),
            }
    return told | {
        "remove": [c for c in range(model.n_acts) if model.channels[c].source in part.remove],
        "do": [[act.at, act.channel] for act in made.acts],
        "whenever": [
            {"fact": p.fact, "levels": list(p.levels), "days": p.days, "channel": p.channel,
             "start": p.start, "end": None if math.isinf(p.end) else p.end}
            for p in made.policies
        ],
    }  # fmt: skip


def _times(model: Model) -> Any:
    """Decays as multiples of those of their half-lives, as far as they are others."""
    return np.ones(len(model.system.kernel_decay)) if model.kernel_times is None else model.kernel_times


def _differing(one: NDArray[Any], other: NDArray[Any]) -> list[list[Any]]:
    """[cell, new value] where two arrays differ."""
    return [[int(i), _plain(other[i : i + 1])[0]] for i in np.flatnonzero(one != other)]


def _other_cells(model: Model, changed: Model) -> dict[str, list[list[Any]]]:
    """Cells that hold no parameter and are others in a changed model."""
    known: Mapping[str, NDArray[np.int64]] = {
        "rate": model.rate_parameter, "edge_mass": model.edge_parameter, "kernel_decay": model.kernel_parameter,
        "level_factor": model.factor_parameter, **model.other_parameters,
    }  # fmt: skip
    found = {}
    for name in System._fields:
        one, other = getattr(model.system, name), getattr(changed.system, name)
        free = known[name] < 0 if name in known else np.ones(len(one), np.bool_)
        cells = [pair for pair in _differing(one, other) if free[pair[0]]] if len(one) == len(other) else []
        if cells and name != "initial_level" and name not in TURNS:
            found[name] = cells
    return found


def _conflicts(model: Model) -> list[list[str]]:
    """Pairs of interventions that cannot be made at once, with the reason."""
    assert model.scenario is not None
    found = []
    for one, other in combinations(model.scenario.interventions.items(), 2):
        faults = contradictions(Named(f"{one[0]}+{other[0]}", (one, other)))
        if faults:
            found.append([one[0], other[0], "; ".join(map(str, faults))])
    return found


MOST_STATES, MOST_KEPT, MOST_TRIED = 10_000, 1_000, 200
"""States that are searched for here; that the page looks through for the worst one; that it is given at least, those
with the highest gates, where there are more: with them come all that no other exceeds in every gate."""


def _reach(model: Model) -> dict[str, Any]:
    """States that the scenario can reach and that may be the worst, see `model.reachable`."""
    found = reach(model, most=MOST_STATES)
    states = found.states if found.searched is None else found.searched[:MOST_STATES]
    if len(states) > MOST_KEPT:
        factors = found.factor_values(states)
        best = undominated(factors)
        highest = np.argsort(-factors.sum(axis=1), kind="stable")[:MOST_TRIED]
        states = states[np.unique(np.concatenate([highest, highest if best is None else best[:MOST_KEPT]]))]
    return {
        "axes": _plain(found.axes),
        "states": states.tolist(),
        "can_fire": _plain(found.can_fire),
        "complete": found.searched is None and len(states) == len(found.states),
    }
