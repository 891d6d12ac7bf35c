"""Describe: what does a model mean, in plain words and as data?

In: a `Model`. Out: a `Description`: who can do what how often, what answers what how soon, what changes the facts and
what the facts change, how near the system stands to the brink and what takes it there, what can never happen, and how
many of the numbers are guesses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

import numpy as np

from powderkeg.model.deaths import DeathNumbers, laws_of
from powderkeg.model.layout import page
from powderkeg.model.parts import Model, Parameter
from powderkeg.model.reachable import ReachableStates
from powderkeg.model.spectral import edge_masses, edge_sources
from powderkeg.model.stability import Stability, looked_over
from powderkeg.model.wording import act, acts, both, effects, is_not_so, is_so, only, tie
from powderkeg.scenario import SYMMETRIC, TIE_LEVELS, Condition, Mechanism, Move, Quantity, Scenario, Tie, TiePattern
from powderkeg.showing import ShowsItself
from powderkeg.units import YEAR

Data = dict[str, Any]


@dataclass(frozen=True)
class Description(ShowsItself):
    """What a model means. `as_dict` is plain data; `text` reads in a terminal."""

    data: Data

    def as_dict(self) -> Data:
        """Plain data (numbers, text, lists, dicts), for `--json`. Rates are per year, times in days."""
        copy: Data = json.loads(json.dumps(self.data))
        return copy

    def text(self, width: int = 100) -> str:
        """A page of plain text, no line longer than `width` columns unless a name is."""
        return page(self.data, width)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Description({self.data['name'] or self.data['title']}; print it to read it)"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"


def describe(model: Model) -> Description:
    """Say back what the model means."""
    found, stable = looked_over(model)
    data: Data = {"size": _size(model), "stability": stable.as_dict(), "departure": stable.departure}
    scenario = model.scenario
    if scenario is None:
        return Description({"name": None, "title": "A model from bare arrays", **data})
    data = {
        "name": scenario.name,
        "title": scenario.title or scenario.name,
        "about": scenario.about,
        "start": scenario.start.isoformat(),
        "years": float(scenario.years),
        **data,
        "actors": [_actor(scenario, name) for name in scenario.actors],
        "moves": _moves(model, scenario, found),
        "mechanisms": _mechanisms(model, scenario, found, stable),
        "facts": _facts(scenario),
        "ties": _ties(scenario),
        "gates": _gates(scenario),
        "calms": _calms(scenario),
        "profiles": _profiles(scenario),
        "covariates": _covariates(scenario),
        "standoffs": _standoffs(scenario),
        "reporting": _reporting(scenario),
        "values": foundations(model, scenario),
    }
    return Description({**data, "asleep": _asleep(scenario, data)})


def _size(model: Model) -> Data:
    return {
        "channels": model.n_acts,
        "links": model.system.n_edges,
        "mechanisms": model.system.n_mechanisms,
        "facts": model.n_own_facts,
        "ties": len(model.scenario.ties) if model.scenario is not None else 0,
        "actors": len(model.scenario.actors) if model.scenario is not None else 0,
    }


def _said(quantity: Quantity, scale: float = 1.0) -> Data:
    """A value with its range and where it comes from."""
    return {
        "value": quantity.value * scale,
        "low": None if quantity.low is None else quantity.low * scale,
        "high": None if quantity.high is None else quantity.high * scale,
        "guess": quantity.guess,
        "source": quantity.source,
    }


def _actor(scenario: Scenario, name: str) -> Data:
    actor = scenario.actors[name]
    return {"name": name, "title": actor.title, "classes": list(actor.classes)}


def _deaths(law: DeathNumbers | None) -> Data | None:
    if law is None:
        return None
    told = {"none": law.none, "median": law.median, "spread": law.spread}
    return told | {"mean_if_any": law.mean_if_any, "mean": law.mean, "one_in_100": law.at(0.99)}


def _moves(model: Model, scenario: Scenario, found: ReachableStates) -> list[Data]:
    """Every move: who does what to whom, how often, on what conditions, and what it changes."""
    number = {name: index for index, name in enumerate(scenario.moves)}
    move_of = np.array([number[channel.move or ""] for channel in model.channels[: model.n_acts]], dtype=np.int64)
    n_channels = np.bincount(move_of, minlength=len(number))
    awake = np.bincount(move_of[found.can_fire[: model.n_acts]], minlength=len(number))
    marks, laws = scenario.standoffs, laws_of(model)
    return [
        {
            "name": name,
            "title": move.title,
            "who": list(move.who),
            "does": move.does,
            "to": list(move.to),
            "channels": int(n_channels[number[name]]),
            "can_happen": bool(awake[number[name]]),
            "rate_per_year": _said(move.rate, YEAR),
            "times": [
                {"who": who, "to": to, **_said(factor)} for who, row in move.times.items() for to, factor in row.items()
            ],
            "varies": move.varies,
            "follows": [
                {"who": who, "to": to, "profile": one} for who, row in move.follows.items() for to, one in row.items()
            ],
            "given": [tie(pattern) for pattern in move.given],
            "only": only(move.needs, move.forbids, scenario),
            "effects": effects(move.effects, scenario),
            "heat": float(scenario.acts[move.does].heat),
            "hurts": scenario.acts[move.does].hurts,
            "deaths": _deaths(laws.get(move.does)),
            "standoffs": "opens" if name in marks.opened_by else "resolves" if name in marks.resolved_by
            else "suspends" if name in marks.suspended_by else None,
        }
        for name, move in scenario.moves.items()
    ]  # fmt: skip


def _mechanisms(model: Model, scenario: Scenario, found: ReachableStates, stable: Stability) -> list[Data]:
    """Every mechanism: what answers what, how many answers, how soon, over how many pairs of channels."""
    system = model.system
    source, kind = edge_sources(system), system.edge_mechanism
    masses = edge_masses(system, system.initial_level)
    shares = dict(stable.drivers)
    gates: dict[str, list[str]] = {}
    for name, gate in scenario.gates.items():
        for mechanism in gate.mechanisms:
            gates.setdefault(mechanism, []).append(name)
    order = np.argsort(kind, kind="stable")
    ends = np.searchsorted(kind[order], np.arange(len(scenario.mechanisms) + 1))
    listed = []
    for index, (name, one) in enumerate(scenario.mechanisms.items()):
        edges = order[ends[index] : ends[index + 1]]
        n_events = len(np.unique(source[edges]))
        listed.append(
            {
                "name": name,
                "title": one.title,
                "when": acts(one.when),
                "given": [tie(pattern) for pattern in one.given],
                "then": [{"act": act(pattern), "share": float(share)} for pattern, share in one.then],
                "answers": _said(one.answers),
                "build_up": float(one.build_up),
                "half_lives": [{**_said(part.days), "share": float(part.share)} for part in one.half_lives],
                "only": only(one.needs, one.forbids, scenario),
                "gates": gates.get(name, []),
                "pairs": len(np.unique(source[edges] * model.n_channels + system.edge_target[edges])),
                "events": n_events,
                "mean_answers_at_start": float(masses[edges].sum() / n_events) if n_events else 0.0,
                "can_happen": bool((found.edge_static[edges] > 0).any()),
                "share_of_worst_ratio": shares.get(f"mechanisms.{name}", 0.0),
            }
        )
    return listed


def _facts(scenario: Scenario) -> list[Data]:
    """Every fact: what changes it, what ends it, what it changes."""
    changes, reads = _changes(scenario), _reads(scenario)
    return [
        {
            "name": name,
            "title": fact.title,
            "levels": list(fact.levels),
            "starts": fact.starts,
            "lasts": None if fact.lasts is None else _said(fact.lasts),
            "exactly": fact.exactly,
            "comes_per_year": None if fact.comes is None else _said(fact.comes, YEAR),
            "changed_by": {level: changes.get((name, level), []) for level in fact.levels},
            "read_by": reads.get(name, []),
        }
        for name, fact in scenario.facts.items()
    ]


def _ties(scenario: Scenario) -> list[Data]:
    changes, reads = _changes(scenario), _reads(scenario)
    return [
        {
            "name": name,
            "title": one.title,
            "from": one.from_,
            "kind": one.kind,
            "to": one.to,
            "holds": one.holds,
            "changed_by": {level: changes.get((name, level), []) for level in ("absent", "holds")},
            "read_by": reads.get(name, []),
        }
        for name, one in scenario.ties.items()
    ]


def _changes(scenario: Scenario) -> dict[tuple[str, str], list[str]]:
    """(fact, level) -> the moves that put it there."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, move in scenario.moves.items():
        for one in move.effects:
            if float(one.probability) > 0:
                found.setdefault((one.fact, one.level), []).append(name)
    return found


def _reads(scenario: Scenario) -> dict[str, list[str]]:
    """Fact -> key paths of the moves, mechanisms, gates and outcomes that ask for it by name."""
    found: dict[str, list[str]] = {}

    def note(conditions: Iterable[Condition], path: str) -> None:
        for name in dict.fromkeys(condition.fact for condition in conditions):
            found.setdefault(name, []).append(path)

    for name, move in scenario.moves.items():
        note((*move.needs, *move.forbids), f"moves.{name}")
    for name, mechanism in scenario.mechanisms.items():
        note((*mechanism.needs, *mechanism.forbids), f"mechanisms.{name}")
    for name, gate in scenario.gates.items():
        note([gate.while_] if gate.while_ is not None else [], f"gates.{name}")
    for name, outcome in scenario.outcomes.items():
        if outcome.condition is not None:
            note([outcome.condition], f"outcomes.{name}")
    return found


def _gates(scenario: Scenario) -> list[Data]:
    return [
        {
            "name": name,
            "title": gate.title,
            "while": None if gate.while_ is None else is_so(gate.while_, scenario),
            "with": gate.with_,
            "factor": _said(gate.factor),
            "moves": list(gate.moves),
            "mechanisms": list(gate.mechanisms),
            "background": list(gate.background),
        }
        for name, gate in scenario.gates.items()
    ]


def _calms(scenario: Scenario) -> list[Data]:
    return [
        {
            "name": name,
            "title": calm.title,
            "after": list(calm.after),
            "lowers": list(calm.lowers),
            "strength": _said(calm.strength),
            "factor_after_one": float(np.exp(-float(calm.strength))),
            "half_life": _said(calm.half_life),
        }
        for name, calm in scenario.calms.items()
    ]


def _profiles(scenario: Scenario) -> list[Data]:
    return [
        {
            "name": name,
            "title": profile.title,
            "steps": [{"from": day.isoformat(), **_said(factor)} for day, factor in profile.steps],
            "season": None
            if profile.season is None
            else {"peak": list(profile.season.peak), "swing": _said(profile.season.swing)},
            "moves": [move for move, one in scenario.moves.items() if one.varies == name],
        }
        for name, profile in scenario.profiles.items()
    ]


def _covariates(scenario: Scenario) -> list[Data]:
    return [
        {
            "name": name,
            "title": one.title,
            "values": [{"from": day.isoformat(), **_said(value)} for day, value in one.values],
            "spans": [
                {"from": span.from_.isoformat(), "to": None if span.to is None else span.to.isoformat(),
                 "who": span.who, "towards": span.towards, **_said(span.value)}
                for span in one.spans
            ],
            "otherwise": _said(one.otherwise),
            "known_until": None if one.known_until is None else one.known_until.isoformat(),
            "after": None if one.after is None else _said(one.after),
            "read_by": [gate for gate, its in scenario.gates.items() if its.with_ == name],
        }
        for name, one in scenario.covariates.items()
    ]  # fmt: skip


def _reporting(scenario: Scenario) -> list[Data]:
    """What each source shows of what happens."""

    def levels(steps: Iterable[tuple[date, Quantity]]) -> list[Data]:
        return [{"from": day.isoformat(), **_said(level)} for day, level in steps]

    return [
        {
            "name": name,
            "title": one.title,
            "weekday": {day: _said(share) for day, share in one.weekday.items()},
            "holidays": None
            if one.holidays is None
            else {"country": one.holidays.country, "days": len(one.holidays.days), "share": _said(one.holidays.share)},
            "breaks": levels(one.breaks),
            "coverage": levels(one.coverage),
            "detection": {act: _said(share) for act, share in one.detection.items()},
            "batches": None if one.batches is None else _said(one.batches),
        }
        for name, one in scenario.reporting.items()
    ]


def _standoffs(scenario: Scenario) -> Data:
    one = scenario.standoffs
    return {
        "among": list(one.among),
        "memory": float(one.memory),
        "opens_at": float(one.opens_at),
        "closes_at": float(one.closes_at),
        "opened_by": list(one.opened_by),
        "resolved_by": list(one.resolved_by),
        "suspended_by": list(one.suspended_by),
        "chained_within": float(one.chained_within),
    }


def foundations(model: Model, scenario: Scenario) -> Data:
    """How many numbers the model rests on, how many are guesses, and where the others come from.

    A probability of 0 or 1 and a rate of 0 say never or always, and are not counted; nor is what only judges histories
    (standoffs) or changes the model (interventions).
    """
    free = _free(model)
    sources: dict[str, int] = {}
    for one in free:
        if one.source is not None and not one.guess:
            sources[one.source] = sources.get(one.source, 0) + 1
    return {
        "total": len(free),
        "guesses": sum(one.guess for one in free),
        "with_range": sum(one.low is not None for one in free),
        "without_source": sum(one.source is None and not one.guess for one in free),
        "sources": [
            {"name": name, "title": scenario.sources[name].title, "url": scenario.sources[name].url, "values": count}
            for name, count in sorted(sources.items(), key=lambda item: -item[1])
        ],
    }


def _free(model: Model) -> list[Parameter]:
    certain = {"probability": (0.0, 1.0), "rate": (0.0,)}
    return [one for one in model.parameters if one.value not in certain.get(one.kind, ())]


def guessed(model: Model) -> list[Data]:
    """The guesses that the model rests on, a row each: path, value, low, high, in a unit that people read."""
    rows = []
    for one in _free(model):
        if one.guess:
            scale, unit = (YEAR, "per year") if one.unit == "per day" else (1.0, one.unit)
            ends = [None if end is None else end * scale for end in (one.low, one.high)]
            rows.append({"path": one.path, "value": one.value * scale, "low": ends[0], "high": ends[1], "unit": unit})
    return rows


def _asleep(scenario: Scenario, data: Data) -> Data:
    """What waits for something that nothing in the scenario brings about, and facts without a use."""
    fixed = {
        fact["name"]: fact["starts"]
        for fact in data["facts"]
        if fact["comes_per_year"] is None
        and not any(names for level, names in fact["changed_by"].items() if level != fact["starts"])
        and (fact["lasts"] is None or fact["starts"] == fact["levels"][0])
    }
    fixed |= {
        one["name"]: "holds" if one["holds"] else "absent"
        for one in data["ties"]
        if not any(one["changed_by"].values())
    }
    moves = [move["name"] for move in data["moves"] if not move["can_happen"]]
    mechanisms = [one["name"] for one in data["mechanisms"] if not one["can_happen"]]
    return {
        "moves": [{"name": name, "waits_for": _waits_for(scenario, scenario.moves[name], fixed)} for name in moves],
        "mechanisms": [
            {"name": name, "waits_for": _waits_for(scenario, scenario.mechanisms[name], fixed)} for name in mechanisms
        ],
        "facts_nothing_changes": [fact["name"] for fact in data["facts"] if fact["name"] in fixed],
        "facts_nothing_reads": [fact["name"] for fact in data["facts"] if not fact["read_by"]],
    }


def _waits_for(scenario: Scenario, item: Move | Mechanism, fixed: dict[str, str]) -> list[str]:
    """Conditions and ties that it needs and that, as things stand, cannot come about; there may be other reasons."""
    waits = []
    for condition, wanted in [(one, True) for one in item.needs] + [(one, False) for one in item.forbids]:
        level = fixed.get(condition.fact)
        if level is not None and _holds(condition, level, scenario) != wanted:
            waits.append(is_so(condition, scenario) if wanted else is_not_so(condition, scenario))
    for pattern in item.given:
        ties = [name for name, one in scenario.ties.items() if _fits(scenario, pattern, one)]
        if pattern.holds and ties and all(fixed.get(name) == "absent" for name in ties):
            waits.append(f"{both(ties, 'or')} holds")
    return waits


def _holds(condition: Condition, level: str, scenario: Scenario) -> bool:
    if condition.level is not None:
        return condition.level == level
    first = TIE_LEVELS[0] if condition.fact in scenario.ties else scenario.facts[condition.fact].levels[0]
    return level != first


def _fits(scenario: Scenario, pattern: TiePattern, one: Tie) -> bool:
    """True unless the pattern is of another kind or names an actor that the tie has not."""
    orders = [(one.from_, one.to), (one.to, one.from_)] if one.kind in SYMMETRIC else [(one.from_, one.to)]
    words = (pattern.subject, pattern.object)
    return pattern.kind == one.kind and any(
        all(word not in scenario.actors or word == end for word, end in zip(words, ends, strict=True))
        for ends in orders
    )
