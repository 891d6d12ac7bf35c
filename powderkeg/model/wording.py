"""Wording: numbers, conditions, patterns and effects of a scenario as people say them.

In: pieces of a `Scenario`. Out: phrases. One place, so that `describe` says the same thing the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from powderkeg.scenario import Condition, FactEffect, Pattern, Scenario, TiePattern, third_person, tie_verb
from powderkeg.units import YEAR
from powderkeg.wording import number, percent


def span(value: float, low: float | None = None, high: float | None = None, guess: bool = False) -> str:
    """A duration in days, in the unit in which it is easy to read, with its range: 17 hours; 3? [2 to 5] days."""
    unit, scale = ("hour", 24.0) if value < 1.0 else ("day", 1.0) if value < 2.0 * YEAR else ("year", 1.0 / YEAR)
    said = estimate(value * scale, None if low is None else low * scale, None if high is None else high * scale, guess)
    return f"{said} {unit}{'' if said == '1' else 's'}"


def estimate(value: float, low: float | None = None, high: float | None = None, guess: bool = False) -> str:
    """A number, a question mark if it is a guess, its range in brackets: 0.35, 0.35? [0.2 to 0.5]."""
    bounds = "" if low is None or high is None else f" [{number(low)} to {number(high)}]"
    return f"{number(value)}{'?' if guess else ''}{bounds}"


def both(parts: Iterable[str], word: str = "and") -> str:
    """a; a and b; a, b and c."""
    found = list(parts)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {word} {found[-1]}"


def is_so(condition: Condition, scenario: Scenario) -> str:
    """roadblock is on; kfor_posture is clear; serbian_troops is not none; kfor_presence holds."""
    name, level = condition
    if name in scenario.ties:
        return f"{name} is absent" if level == "absent" else f"{name} holds"
    levels = scenario.facts[name].levels
    if level is None:
        return f"{name} is {levels[1]}" if len(levels) == 2 else f"{name} is not {levels[0]}"
    return f"{name} is {level}"


def is_not_so(condition: Condition, scenario: Scenario) -> str:
    """The opposite of `is_so`."""
    name, level = condition
    if name in scenario.ties:
        return f"{name} holds" if level == "absent" else f"{name} is absent"
    levels = scenario.facts[name].levels
    if level is None or len(levels) == 2:
        other = levels[0] if level is None else next(one for one in levels if one != level)
        return f"{name} is {other}"
    return f"{name} is not {level}"


def only(needs: Sequence[Condition], forbids: Sequence[Condition], scenario: Scenario) -> str:
    """Only while roadblock is on and deal is off; or nothing."""
    parts = [is_so(one, scenario) for one in needs] + [is_not_so(one, scenario) for one in forbids]
    return f"only while {both(parts)}" if parts else ""


def act(pattern: Pattern) -> str:
    """x threatens y."""
    return f"{pattern.subject} {third_person(pattern.act)} {pattern.object}"


def tie(pattern: TiePattern) -> str:
    """z backs y; z does not back y, spelled so that the verb need not be taken apart."""
    said = f"{pattern.subject} {tie_verb(pattern.kind)} {pattern.object}"
    return said if pattern.holds else f"not {said}"


def acts(patterns: Sequence[Pattern]) -> str:
    """x threatens or blocks y; kosovo bars, registers or arrests north_serbs or serbia provokes kosovo."""
    ends: dict[tuple[str, str], list[str]] = {}
    for pattern in patterns:
        ends.setdefault((pattern.subject, pattern.object), []).append(third_person(pattern.act))
    said = [f"{subject} {both(verbs, 'or')} {target}" for (subject, target), verbs in ends.items()]
    return ", or ".join(said) if any(len(verbs) > 1 for verbs in ends.values()) else both(said, "or")


def effects(every: Sequence[FactEffect], scenario: Scenario) -> str:
    """sets measure and cornered_felt (30 %), puts kfor_posture to clear, clears roadblock."""
    verbs: dict[str, list[str]] = {}
    for one in every:
        verb, what = _effect(one, scenario)
        chance = float(one.probability)
        verbs.setdefault(verb, []).append(what if chance == 1.0 else f"{what} ({percent(chance)})")
    return "; ".join(f"{verb} {both(facts)}" for verb, facts in verbs.items())


def _effect(one: FactEffect, scenario: Scenario) -> tuple[str, str]:
    """The verb and the fact of an effect."""
    if one.fact in scenario.ties:
        return ("makes" if one.level == "holds" else "cuts"), one.fact
    levels = scenario.facts[one.fact].levels
    if one.level == levels[0]:
        return "clears", one.fact
    return "sets", one.fact if len(levels) == 2 else f"{one.fact} to {one.level}"
