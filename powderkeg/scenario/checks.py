"""What can only be seen when the whole file is read?

In: a Scenario (or what could be read of one) and its reader. Out: faults: names used twice, channels defined twice,
acts that no move makes possible, mechanisms that link nothing, settings that lead nowhere. Nothing is said about things
that could not be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from powderkeg.reading import BROKEN, EditablePlace, Reader, Writer, Wrong, clipped, listed, shown, tree_of
from powderkeg.scenario.asked import OF_EVENTS, EventPattern, Intervention
from powderkeg.scenario.declared import SCENARIO, Mechanism, Scenario
from powderkeg.scenario.kinds import PatternKind, TiePatternKind
from powderkeg.scenario.language import SYMMETRIC, Pattern, third_person, tie_verb
from powderkeg.scenario.matching import Cast, GaveUp, MoveReach, Pair, matches

CHANGEABLE: Final = ("ties", "facts", "profiles", "covariates", "moves", "mechanisms", "gates", "calms")
"""Sections that an intervention may change from a day on."""
MOST_STEPS: Final = 100_000
"""A file too large to search for impossible patterns in this many steps is left to `model`, which counts exactly."""
_SHORT: Final = Writer()


def check(scenario: Scenario, reader: Reader) -> Scenario:
    """The scenario with its settings in one form. Faults go to the reader."""
    sections = {path.split(".")[0] for path in reader.broken if path}
    _names(scenario, reader)
    _verbs(scenario, reader)
    if not sections & {"actors", "ties"}:
        _ties(scenario, reader)
    if not sections & {"actors", "ties", "acts", "moves"}:
        with suppress(GaveUp):
            _possibilities(scenario, Cast(scenario, MOST_STEPS), reader)
    return _settings(scenario, reader)


def _tell(reader: Reader, path: str, found: str, expected: str = "", nearest: str | None = None) -> None:
    """A fault at the line of a key path, or of the nearest path around it."""
    place = path
    while place and place not in reader.lines:
        place = place.rpartition(".")[0]
    reader.tell(path, reader.lines.get(place), found, expected, nearest)


def _names(scenario: Scenario, reader: Reader) -> None:
    for name in scenario.ties:
        if name in scenario.facts:
            _tell(reader, f"ties.{name}", f"{name!r} is also a fact", "another name: ties and facts share theirs")
    for name in scenario.covariates:
        if name in scenario.facts or name in scenario.ties:
            what = "fact" if name in scenario.facts else "tie"
            _tell(reader, f"covariates.{name}", f"{name!r} is also a {what}", "another name")
    classes: dict[str, str] = {}
    for actor, one in scenario.actors.items():
        for group in one.classes:
            classes.setdefault(group, actor)
    for group, actor in classes.items():
        if group in scenario.actors:
            _tell(reader, f"actors.{actor}.is", f"{group!r} is also an actor", "another name for the class")


def _verbs(scenario: Scenario, reader: Reader) -> None:
    for act in scenario.acts:
        if (other := third_person(act)) != act and other in scenario.acts:
            _tell(
                reader,
                f"acts.{other}",
                f"{other!r} reads like the act {act!r} in a pattern",
                f"another name: `x {other} y` could mean both",
            )


def _ties(scenario: Scenario, reader: Reader) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for name, tie in scenario.ties.items():
        ends = (tie.from_, tie.to) if tie.kind not in SYMMETRIC else tuple(sorted((tie.from_, tie.to)))
        first = seen.setdefault((tie.kind, ends[0], ends[1]), name)
        if first != name:
            words = f"{tie.from_} {tie_verb(tie.kind)} {tie.to}"
            _tell(reader, f"ties.{name}", f"{words!r}, which ties.{first} says already", "each tie once")


def _possibilities(scenario: Scenario, cast: Cast, reader: Reader) -> None:
    """What the moves make possible, and what asks for more. Raises GaveUp."""
    if _channels(scenario, cast, reader):
        _deeds(scenario, cast, reader)
        _outcomes(scenario, cast, reader)
        _mechanisms(scenario, cast, reader)


def _channels(scenario: Scenario, cast: Cast, reader: Reader) -> bool:
    """Whether every move has pairs, and no channel is defined twice."""
    well = True
    for reaches in cast.reaches.values():
        for reach in reaches:
            if next(reach.pairs(), None) is None:
                well = False
                given = scenario.moves[reach.move].given
                why = f"with {TiePatternKind().write(given[0], _SHORT)!r}" if given else "of different actors"
                _tell(reader, f"moves.{reach.move}", f"no pair {why}", "someone who can do it to someone else")
        for later, earlier, pair in _repeated(reaches, cast):
            well = False
            act = scenario.moves[later].does
            _tell(
                reader,
                f"moves.{later}",
                f"'{pair[0]} {third_person(act)} {pair[1]}' is already defined by moves.{earlier}",
                "each act of an actor on another in one move only",
            )
    return well


def _repeated(reaches: list[MoveReach], cast: Cast) -> Iterator[tuple[str, str, Pair]]:
    """Moves of one act that reach a pair which an earlier one reaches: (later, earlier, pair), once for each later."""
    small: dict[Pair, str] = {}
    large: list[MoveReach] = []
    for reach in reaches:
        found = None
        if reach.size <= _FEW_PAIRS:
            cast.spend(reach.size)
            pairs = list(reach.pairs())
            found = next(((small[pair], pair) for pair in pairs if pair in small), None)
            small.update((pair, reach.move) for pair in pairs if pair not in small)
        else:
            cast.spend(len(small))
            found = next(((move, pair) for pair, move in small.items() if pair in reach), None)
        for other in large:
            cast.spend(min(reach.size, len(other.who) + len(other.to)))
            pair = reach.meets(other)
            if found is None and pair is not None:
                found = other.move, pair
        if reach.size > _FEW_PAIRS:
            large.append(reach)
        if found is not None:
            yield reach.move, *found


_FEW_PAIRS: Final = 1_000


def _mechanisms(scenario: Scenario, cast: Cast, reader: Reader) -> None:
    for name, mechanism in scenario.mechanisms.items():
        path = f"mechanisms.{name}"
        impossible = False
        for key, patterns in (("when", mechanism.when), ("then", tuple(answer.pattern for answer in mechanism.then))):
            for pattern in patterns:
                if not _some(cast, pattern, None, ()):
                    impossible = True
                    words = PatternKind().write(pattern, _SHORT)
                    _tell(reader, f"{path}.{key}", f"{words!r}, which no move makes possible", _possible(pattern, cast))
        if not impossible:
            _linked(path, mechanism, cast, reader)


def _linked(path: str, mechanism: Mechanism, cast: Cast, reader: Reader) -> None:
    for tie in mechanism.given:
        if tie.holds and not _some(cast, None, None, (tie,)):
            words = TiePatternKind().write(tie, _SHORT)
            kinds = [f"{a} {tie_verb(tie.kind)} {b}" for a, b in cast.ties.get(tie.kind, {})]
            expected = f"a tie of this file: {listed(kinds)}" if kinds else f"a tie of kind {tie.kind} in this file"
            _tell(reader, f"{path}.given", f"{words!r}, which no tie allows", expected)
            return
    for pattern, _ in mechanism.then:
        if not any(_some(cast, when, pattern, mechanism.given) for when in mechanism.when):
            words = PatternKind().write(pattern, _SHORT)
            _tell(
                reader,
                f"{path}.then",
                f"{words!r} never answers what `when` says",
                "an answer by and to actors that when, given and the moves allow",
            )


def _some(cast: Cast, when: Pattern | None, then: Pattern | None, given: Iterable[Any]) -> bool:
    return next(matches(cast, when, then, tuple(given)), None) is not None


def _possible(pattern: Pattern, cast: Cast) -> str:
    reaches = cast.reaches.get(pattern.act, ())
    if not reaches:
        return f"a move that does {pattern.act!r}"
    return f"what a move allows: {listed(_reach(reach.who, pattern.act, reach.to) for reach in reaches)}"


def _reach(who: Mapping[str, None], act: str, to: Mapping[str, None]) -> str:
    def some(names: Mapping[str, None]) -> str:
        return "/".join(names) if len(names) <= 4 else f"{len(names)} actors"

    return f"{some(who)} {third_person(act)} {some(to)}"


KILLS: Final = ("death",)


def _outcomes(scenario: Scenario, cast: Cast, reader: Reader) -> None:
    for name, outcome in scenario.outcomes.items():
        for question in OF_EVENTS:
            pattern = getattr(outcome, question)
            if not isinstance(pattern, EventPattern):
                continue
            path = f"outcomes.{name}.{question}"
            if not cast.can_happen(pattern):
                expected = "events that can happen in this scenario"
                _tell(reader, path, "events that no move makes possible", expected)
            elif question == "deaths" and not (
                "death" in (pattern.hurts or KILLS) and cast.can_happen(replace(pattern, hurts=KILLS))
            ):
                _tell(reader, path, "acts in which nobody can die", "acts that say hurts: death")


def _deeds(scenario: Scenario, cast: Cast, reader: Reader) -> None:
    for name, item in scenario.interventions.items():
        for key, deeds in (("do", item.do), ("whenever", tuple(policy.do for policy in item.whenever))):
            for deed in deeds:
                pattern = Pattern(deed.who, deed.does, deed.to)
                if next(cast.channels(deed.does, deed.who, deed.to), None) is None:
                    words = PatternKind().write(pattern, _SHORT)
                    _tell(
                        reader,
                        f"interventions.{name}.{key}",
                        f"{words!r}, which no move makes possible",
                        _possible(pattern, cast),
                    )


def nearest_path(path: str, known: Mapping[str, Any], reader: Reader) -> str | None:
    """The path that was probably meant: of a fact or tie as such, the one that says how it stands."""
    own = [one for one in (f"{path}.starts", f"{path}.holds") if one in known]
    return own[0] if own else reader.nearest(path, [*known])


def _settings(scenario: Scenario, reader: Reader) -> Scenario:
    """Settings checked against the places there are, and their values in one form."""
    if not any(item.set for item in scenario.interventions.values()):
        return scenario
    places = {place.path: place for place in changeable(scenario)}
    fields = _fields(scenario)
    done: dict[str, Intervention] = {}
    for name, item in scenario.interventions.items():
        values = {}
        for path, value in item.set.items():
            where = f"interventions.{name}.set.{clipped(path)}"
            line = reader.lines.get(where)
            if _is_broken(path, reader):
                continue
            if path not in places:
                found = f"{shown(path)} cannot change" if path in fields else f"unknown key path {shown(path)}"
                expected = f"a value in {listed(CHANGEABLE)}" if path in fields else "the key path of a value"
                near = None if path in fields else nearest_path(path, places, reader)
                reader.tell(where, line, found, expected, near)
                continue
            try:
                values[path] = setting(places[path], value, where, reader)
            except Wrong as wrong:
                reader.tell(where, line, wrong.found, wrong.expected, wrong.nearest)
        done[name] = replace(item, set=values)
    return replace(scenario, interventions=done)


def _is_broken(path: str, reader: Reader) -> bool:
    """Whether a key path leads into something that could not be read."""
    parts = path.split(".")[:5]
    return any(".".join(parts[:count]) in reader.broken for count in range(1, len(parts) + 1))


def changeable(scenario: Scenario) -> Iterator[EditablePlace]:
    """The values that an intervention may change."""
    return (place for place in SCENARIO.places(scenario) if place.path.split(".")[0] in CHANGEABLE)


def _fields(scenario: Scenario) -> set[str]:
    return {place.path for place in SCENARIO.places(scenario)}


def setting(place: EditablePlace, value: Any, where: str, reader: Reader) -> Any:
    """A value for a place, in the form it is written in. Raises Wrong if it does not fit there."""
    read = place.kind.read(tree_of(value), where, reader)
    if read is BROKEN:
        return BROKEN  # its fault is told
    place.rebuild(read)
    return place.kind.write(read, _SHORT)
