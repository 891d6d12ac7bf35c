"""What would it change if something were done tomorrow?

In: interventions of the scenario, or an act such as "west talk serbia". Out: worlds to live in, and what they change on
paired draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from powderkeg.analyze.intervals import average
from powderkeg.compare.interventions import Plan, choose, plan
from powderkeg.engine.arrays import System
from powderkeg.engine.worlds import ForcedAct
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.forecast.ahead import Turns
from powderkeg.forecast.answers import first_days, told_in_days
from powderkeg.forecast.counts import totals, units_of
from powderkeg.forecast.drawing import Ahead, Settings, answering
from powderkeg.forecast.seen import Watched
from powderkeg.model import Model
from powderkeg.wording import measured, percent, plain

NOTHING = "nothing is done"


def nothing(system: System, values: Mapping[str, float]) -> Turns:
    """The world in which nothing is done."""
    return Turns()


def worlds_of(
    model: Model, asked: Sequence[str], begin: float, days: int, settings: Settings
) -> dict[str, Callable[[System, Mapping[str, float]], Turns]]:
    """The world without, and one for each that is asked for: name of an intervention, or who does what to whom.

    An intervention's own days count from the origin. Raises UsageError, with the nearest name, for what is neither.
    """
    found: dict[str, Callable[[System, Mapping[str, float]], Turns]] = {NOTHING: nothing}
    known = () if model.scenario is None else tuple(model.scenario.interventions)
    acts = model.channels[: model.n_acts]
    places: dict[tuple[str, ...], int] = {}
    for index, act in enumerate(acts):
        places.setdefault(tuple(word for word in (act.source, act.act, act.target) if word), index)
    faults = []
    for name in asked:
        if name in found:
            faults.append(Fault.at("interventions", f"{name!r} asked for twice", "each once"))
            continue
        words = name.split()
        channel = places.get(tuple(words)) if len(words) in (2, 3) else None
        if channel is not None:
            found[name] = _deed(channel, begin)
        elif all(part.strip() in known for part in name.split("+")):
            (one,) = choose(_scenario(model), [name])
            found[name] = _planned(plan(model, one, float(days)), begin, settings)
        else:
            faults.append(_unknown(name, known, [" ".join(words) for words in places]))
    if faults:
        raise UsageError(faults)
    return found


def _unknown(name: str, known: Sequence[str], acts: Sequence[str]) -> Fault:
    """What may have been meant, of both kinds: words in another order, or joined by other signs, are the same words."""
    words = {" ".join(one.replace("_", " ").split()): one for one in (*acts, *known)}
    asked = " ".join(name.replace("_", " ").replace("-", " ").split())
    turned = [one for spelled, one in words.items() if sorted(spelled.split()) == sorted(asked.split())]
    near = words.get(asked) or (turned[0] if turned else words.get(nearest_name(asked, words) or ""))
    expected = "an intervention of the scenario" + (f" ({', '.join(known)})" if known else " (it has none)")
    expected += f', or an act in words: "who does whom", such as "{acts[0]}"' if acts else ""
    return Fault.at("interventions", f"{name!r}, which is neither", expected, near)


def _scenario(model: Model):  # type: ignore[no-untyped-def]
    assert model.scenario is not None
    return model.scenario


def _deed(channel: int, begin: float) -> Callable[[System, Mapping[str, float]], Turns]:
    """One act, put in by hand at noon of the first day."""
    return lambda system, values: Turns(acts=(ForcedAct(begin + 0.5, channel),))


def _planned(made: Plan, begin: float, settings: Settings) -> Callable[[System, Mapping[str, float]], Turns]:
    def build(system: System, values: Mapping[str, float]) -> Turns:
        world = made.world(system, values, follow=False)
        turns = []
        for phase, turn in zip(world.phases[1:], made.turns, strict=True):
            changed = answering(phase.system, settings)
            turns.append((max(phase.at, 0.0), changed, turn.idle, phase.levels))
        acts = tuple(act._replace(at=act.at + begin) for act in world.acts)
        policies = tuple(one._replace(start=one.start + begin, end=one.end + begin) for one in world.policies)
        return Turns(tuple(turns), acts, policies)

    return build


def changes(model: Model, worlds: Mapping[str, Ahead], seen: Watched, level: float) -> pl.DataFrame:
    """Differences of each world from the first, in which nothing is done, draw by draw."""
    names, in_days = list(worlds), told_in_days(model)
    units = units_of(model)
    without = first_days(model, worlds[names[0]].runs, seen)
    acts_without = totals(worlds[names[0]].runs, units)
    rows = []
    for world in names[1:]:
        other = first_days(model, worlds[world].runs, seen)
        for name, (title, count, _) in without.items():
            often = f"{name}: {'on how many days' if name in in_days else 'how often'}"
            pairs = ((f"{name}: chance", count > 0, other[name][1] > 0), (often, count, other[name][1]))
            for told, before, after in pairs:
                rows.append(_row(world, told, title, before, after, level))
        acts_with = totals(worlds[world].runs, units)
        for u, key in enumerate(units.keys):
            title = f"acts of {key[0]} towards {key[1]}" if key[1] else f"acts of {key[0]}"
            rows.append(_row(world, " ".join(key).strip(), title, acts_without[:, u], acts_with[:, u], level))
    schema = {"intervention": pl.String, "name": pl.String, "title": pl.String} | dict.fromkeys(
        ("without", "with", "difference", "low", "high"), pl.Float64
    )
    return pl.DataFrame(rows, schema=schema)


def change_in_words(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of `changes` for people: what, without, with, difference, span; chances in percent."""
    kind = row["name"].rpartition(": ")[2] if ": " in row["name"] else ""
    scale, form, unit = (100.0, percent, " points") if kind == "chance" else (1.0, measured, "")
    return {
        "what": f"{row['title']}: {kind}" if kind else row["title"],
        "without": form(row["without"]),
        "with": form(row["with"]),
        "difference": f"{plain(scale * row['difference'], signed=True)}{unit}",
        "span": f"{plain(scale * row['low'], signed=True)} to {plain(scale * row['high'], signed=True)}",
    }


def _row(world: str, name: str, title: str, before, after, level: float) -> dict[str, object]:  # type: ignore[no-untyped-def]
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    difference = after - before
    mean, low, high, _ = average(difference, level)
    if not difference.any():
        low = high = 0.0
    return {"intervention": world, "name": name, "title": title, "without": float(before.mean()),
            "with": float(after.mean()), "difference": mean, "low": low, "high": high}  # fmt: skip
