"""What can be left out of a model, and what does the model become without it?

In: a name of a scenario. Out: its section, and the change that takes it out of a model's arrays: the same for worlds
simulated anew and for histories replayed. Nothing is compiled again, so both worlds share every channel and draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from powderkeg.engine.arrays import System
from powderkeg.engine.worlds import silenced
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.model import Model
from powderkeg.scenario import Scenario

LEAVABLE = ("actors", "mechanisms", "ties", "facts", "acts")
JOINT = "+"
"""Between two names: both at once."""

Change = Callable[[System], tuple[System, tuple[tuple[int, int], ...]]]
"""Arrays without the thing, and the facts (fact, level) that are set when it goes."""


def find(
    scenario: Scenario, text: str, sections: Sequence[str] = LEAVABLE, or_else: str = ""
) -> tuple[str, tuple[str, ...]]:
    """The section of a name, and the name; several names only of interventions: `a+b`.

    or_else  what else could have been meant, in words, for the fault

    Raises UsageError for what the scenario does not have (with the nearest name), and for a name of two things.
    """
    known = {section: list(getattr(scenario, section)) for section in sections}
    section, dot, rest = text.replace(" ", ".", 1).partition(".")
    if dot and f"{section.rstrip('s')}s" in known:
        places, own = [f"{section.rstrip('s')}s"], rest.strip()
    else:
        places, own = list(sections), text
    parts = [part.strip() for part in own.split(JOINT)]
    if len(parts) > 1 and "interventions" in sections:
        places = ["interventions"]
    homes = [place for place in places if all(part in known[place] for part in parts)]
    every = [one for place in places for one in known[place]]
    if not homes:
        unknown = next((part for part in parts if part not in every), own)
        *first, last = [section.rstrip("s") for section in sections]
        expected = f"an {', '.join(first)} or {last} of the scenario{or_else}"
        raise UsageError(Fault.at("without", f"unknown name {unknown!r}", expected, nearest_name(unknown, every)))
    if len(homes) > 1:
        raise UsageError(
            Fault.at("without", f"{own!r} is the name of {len(homes)} things",
                  " or ".join(f"{home}.{own}" for home in homes))
        )  # fmt: skip
    return homes[0], tuple(parts)


def change_of(model: Model, section: str, name: str) -> Change:
    """What takes the thing of this section and name out of the model's arrays."""
    builder = {
        "actors": _without_actor, "acts": _without_act, "mechanisms": _without_mechanism, "ties": _without_fact,
        "facts": _without_fact,
    }[section]  # fmt: skip
    return builder(model, name)


def _without_actor(model: Model, name: str) -> Change:
    own = np.array([c for c in range(model.n_acts) if model.channels[c].source == name], np.int64)
    return lambda base: (silenced(base, own), ())


def _without_act(model: Model, name: str) -> Change:
    own = np.array([c for c in range(model.n_acts) if model.channels[c].act == name], np.int64)
    return lambda base: (silenced(base, own), ())


def _without_mechanism(model: Model, name: str) -> Change:
    own = model.mechanisms.index(name)
    return lambda base: (
        base._replace(edge_mass=np.where(base.edge_mechanism == own, 0.0, base.edge_mass)),
        (),
    )


def _without_fact(model: Model, name: str) -> Change:
    """The fact at its first level, and nothing brings it to another."""
    fact = model.fact(name)

    def change(base: System) -> tuple[System, tuple[tuple[int, int], ...]]:
        sets = (base.effect_fact == fact) & (base.effect_level > 0)
        owner = np.repeat(np.arange(base.n_channels), np.diff(base.effect_start))
        rate = base.rate.copy()
        rate[[c for c in owner[sets] if c >= model.n_acts]] = 0.0
        probability = np.where(sets, 0.0, base.effect_probability)
        return base._replace(rate=rate, effect_probability=probability), ((fact, 0),)

    return change
