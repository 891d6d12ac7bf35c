"""Compile: a scenario to the arrays that run, are fitted and attribute, with the name of every number in them.

In: a `Scenario`. Out: a `Model`. Moves become channels, mechanisms edges between channels, ties and facts levels that
gate rows read; a fact that runs out or comes by itself becomes a channel of its own after the channels that are acts.
The work follows the channels and the matches of the patterns, never all pairs of actors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.errors import Fault, ModelError
from powderkeg.model.background import profiles
from powderkeg.model.courses import Courses, Levels, known_days, make_courses
from powderkeg.model.gates import Entry, GateTable, Literal
from powderkeg.model.kernels import kernels
from powderkeg.model.links import ChannelTable, IndexedCast, Links, Misfit, distinct_rows, expand_move, link
from powderkeg.model.parts import Channel, Model
from powderkeg.model.register import Register
from powderkeg.model.states import States
from powderkeg.scenario import Quantity, Scenario
from powderkeg.units import LN2

HURTS = {"none": 0, "injury": 1, "death": 2}


def compile_scenario(scenario: Scenario, levels: Levels | None = None) -> Model:
    """The model that a scenario describes.

    levels  of covariates, those of the model that this one must be built like

    Raises ModelError, with every fault, if there is nothing to run, a move or a mechanism fits no actors, or a pattern
    fits more of them than a machine can hold.
    """
    draft = _draft(scenario, levels)
    return assemble(draft, _links(draft))


def assemble(draft: Draft, links: list[Links], stands_for: Ints | None = None) -> Model:
    """The model with these channels and links.

    stands_for  (acts,) how many like channels each channel stands for, None where each is itself
    """
    scenario = draft.scenario
    gates = GateTable([len(levels) for levels in draft.states.levels])
    factors = _gate_entries(draft, gates)
    background = _background(draft, gates, factors)
    if stands_for is not None:
        background["rate"][: draft.n_acts] *= stands_for
    edges, edge_labels = _edges(draft, gates, factors, links)
    system = System(
        initial_level=draft.states.initial,
        level_start=starts([len(levels) for levels in draft.states.levels]),
        rate=background["rate"],
        profile=background["profile"],
        background_gate=background["background_gate"],
        channel_gate=background["channel_gate"],
        **profiles(scenario),
        **edges,
        **gates.arrays(),
        **_effects(draft),
        **_timers(draft),
        **_calms(draft),
        **_turns(draft),
    )
    ends, least_known = known_days(scenario)
    return Model(
        scenario=scenario,
        system=system,
        channels=_labels(draft),
        n_acts=draft.n_acts,
        mechanisms=tuple(scenario.mechanisms),
        facts=draft.states.names,
        levels=draft.states.levels,
        n_own_facts=len(scenario.facts),
        parameters=draft.register.parameters,
        rate_parameter=background["rate_parameter"],
        factor_parameter=np.array(gates.parameter, dtype=np.int64),
        other_parameters=_other_parameters(draft),
        stands_for=stands_for,
        times_parameter=background["times_parameter"] if (background["times_parameter"] >= 0).any() else None,
        factor_power=_powers(gates),
        known_days=ends,
        known_by=least_known,
        covariate_levels=draft.courses.levels,
        **edge_labels,
        **_marks(draft),
    )


@dataclass(frozen=True)
class Draft:
    """What the parts of a model are made from.

    table   channels that are acts; after them come `timed` facts that run out, then `rising` facts that come
    """

    scenario: Scenario
    states: States
    cast: IndexedCast
    register: Register
    table: ChannelTable
    timed: tuple[str, ...]
    rising: tuple[str, ...]
    courses: Courses

    @property
    def n_acts(self) -> int:
        return len(self.table.move)

    @property
    def size(self) -> int:
        return self.n_acts + len(self.timed) + len(self.rising)

    def of_move(self, values: Iterable[Any], rest: Any, dtype: type = np.float64) -> NDArray[Any]:
        """(C,) the value of each channel's move, `rest` for channels that are no acts."""
        column: NDArray[Any] = np.full(self.size, rest, dtype=dtype)
        column[: self.n_acts] = np.array(list(values), dtype=dtype)[self.table.move]
        return column

    def spread(self, lists: list[list[Any]], rest: list[list[Any]] | None = None) -> tuple[Ints, list[Any], Ints]:
        """A list for each move (and for each channel that is no act) as CSR: starts, all items, item of each entry."""
        every = [*lists, *(rest if rest is not None else [[] for _ in range(self.size - self.n_acts)])]
        group = np.concatenate([self.table.move, np.arange(len(lists), len(every))])
        first = starts([len(one) for one in every])
        count = np.diff(first)[group]
        start = starts(count)
        item = np.repeat(first[:-1][group] - start[:-1], count) + np.arange(start[-1])
        return start, [item for one in every for item in one], item.astype(np.int64)


def starts(counts: Iterable[int] | Ints) -> Ints:
    """CSR starts of items with these numbers of entries."""
    return np.concatenate([[0], np.cumsum(np.array(list(counts), dtype=np.int64))]).astype(np.int64)


def _draft(scenario: Scenario, levels: Levels | None = None) -> Draft:
    """Actors, facts and channels. Raises ModelError."""
    cast = IndexedCast(scenario, first_tie=len(scenario.facts))
    states = States(scenario)
    expanded = collect(scenario, scenario.moves, lambda name, move: expand_move(name, move, cast, states.names))
    if not expanded:
        raise error_of(scenario, [Fault.at("moves", "no moves: nothing can happen", "at least one move")])
    table = ChannelTable(
        move=np.repeat(np.arange(len(expanded)), [len(source) for source, _, _ in expanded]),
        source=np.concatenate([source for source, _, _ in expanded]),
        target=np.concatenate([target for _, target, _ in expanded]),
        terms=[term for _, _, terms in expanded for term in terms],
    )
    return draft_with(scenario, cast, states, table, levels)


def draft_with(
    scenario: Scenario, cast: IndexedCast, states: States, table: ChannelTable, levels: Levels | None = None
) -> Draft:
    """The draft with these channels."""
    ends = zip(table.source.tolist(), table.target.tolist(), strict=True) if scenario.covariates else ()
    courses = make_courses(scenario, [(cast.actors[s], cast.actors[t]) for s, t in ends], levels)
    states.follow(courses)
    return Draft(
        scenario,
        states,
        cast,
        Register(scenario),
        table,
        tuple(name for name, fact in scenario.facts.items() if fact.lasts is not None),
        tuple(name for name, fact in scenario.facts.items() if fact.comes is not None),
        courses,
    )


def _links(draft: Draft) -> list[Links]:
    """The links of each mechanism. Raises ModelError."""
    scenario, table = draft.scenario, draft.table
    act_number = {act: index for index, act in enumerate(scenario.acts)}
    act = np.array([act_number[move.does] for move in scenario.moves.values()])[table.move]
    of_act = {name: np.flatnonzero(act == index) for name, index in act_number.items()}
    faults = _repeated(draft, act)
    if faults:
        raise error_of(scenario, faults)
    return collect(scenario, scenario.mechanisms, lambda name, one: link(name, one, draft.cast, table, of_act))


def collect(scenario: Scenario, items: Mapping[str, Any], make: Callable[[str, Any], Any]) -> list[Any]:
    """What is made of each item. Raises ModelError with the fault of every item that has one."""
    results, faults = [], []
    for name, item in items.items():
        try:
            results.append(make(name, item))
        except Misfit as misfit:
            faults.append(misfit.fault)
    if faults:
        raise error_of(scenario, faults)
    return results


def error_of(scenario: Scenario, faults: list[Fault]) -> ModelError:
    """Faults with the lines of the file they stand in, as far as they are known."""

    def line(path: str) -> int | None:
        while path and path not in scenario.lines:
            path = path.rpartition(".")[0]
        return scenario.lines.get(path)

    return ModelError([replace(fault, line=line(fault.path)) for fault in faults])


def _repeated(draft: Draft, act: Ints) -> list[Fault]:
    """A fault for every move that makes a channel which an earlier move made."""
    table, size = draft.table, draft.cast.size
    key = (act * size + table.source) * size + table.target
    _, first = np.unique(key, return_index=True)
    again = np.ones(len(key), dtype=np.bool_)
    again[first] = False
    names, faults = list(draft.scenario.moves), []
    for move in np.unique(table.move[again]):
        index = np.flatnonzero(again & (table.move == move))[0]
        earlier = names[table.move[np.flatnonzero(key == key[index])[0]]]
        source, target = draft.cast.actors[table.source[index]], draft.cast.actors[table.target[index]]
        found = f"{source} {draft.scenario.moves[names[move]].does} {target}, which moves.{earlier} makes possible too"
        faults.append(Fault.at(f"moves.{names[move]}", found, "each actor, act and target in one move only"))
    return faults


@dataclass(frozen=True)
class _Factors:
    """Entries of the gates on each move, mechanism and background; of gates with a covariate, the gates' names."""

    moves: dict[str, list[Entry]]
    mechanisms: dict[str, list[Entry]]
    background: dict[str, list[Entry]]
    with_course: dict[tuple[str, str], list[str]]
    made: dict[tuple[str, int], Entry]


def _gate_entries(draft: Draft, gates: GateTable) -> _Factors:
    """One entry for each gate, whatever it scales."""
    scenario, states = draft.scenario, draft.states
    factors = _Factors(
        {name: [] for name in scenario.moves},
        {name: [] for name in scenario.mechanisms},
        {name: [] for name in scenario.moves},
        {},
        {},
    )
    for name, gate in scenario.gates.items():
        if gate.while_ is None:
            for sort in ("moves", "mechanisms", "background"):
                for one in getattr(gate, sort):
                    factors.with_course.setdefault((sort, one), []).append(name)
            continue
        number, levels = states.condition(gate.while_)
        entry = gates.gate(number, levels, float(gate.factor), draft.register[f"gates.{name}.factor"])
        for scaled, names in (
            (factors.moves, gate.moves),
            (factors.mechanisms, gate.mechanisms),
            (factors.background, gate.background),
        ):
            for one in names:
                scaled[one].append(entry)
    return factors


def _following(
    draft: Draft, gates: GateTable, factors: _Factors, sort: str, name: str, channel: int
) -> tuple[Entry, ...]:
    """Entries of the gates with a covariate on a move, mechanism or background, as one channel has the covariate."""
    found = []
    for gate_name in factors.with_course.get((sort, name), ()):
        gate = draft.scenario.gates[gate_name]
        assert gate.with_ is not None
        course = draft.courses.fact_of[gate.with_][channel]
        if (gate_name, course) not in factors.made:
            number = draft.register[f"gates.{gate_name}.factor"]
            factors.made[gate_name, course] = gates.powers(
                draft.states.n_said + course, draft.courses.values[course], float(gate.factor), number
            )
        found.append(factors.made[gate_name, course])
    return tuple(found)


def _answer_gates(
    draft: Draft, gates: GateTable, factors: _Factors, name: str, base: list[Entry], found: Links
) -> Ints:
    """(links,) gate row of every link of a mechanism; a covariate counts as the answering channel has it."""
    if ("mechanisms", name) not in factors.with_course:
        rows = np.array([gates.row([*base, *map(gates.literal, term)]) for term in found.reasons], dtype=np.int64)
        return np.asarray(rows[found.terms], dtype=np.int64)
    return np.array(
        [
            gates.row(
                [
                    *base,
                    *map(gates.literal, found.reasons[term]),
                    *_following(draft, gates, factors, "mechanisms", name, int(reply)),
                ]
            )
            for term, reply in zip(found.terms, found.reply, strict=True)
        ],
        dtype=np.int64,
    )


def _background(draft: Draft, gates: GateTable, factors: _Factors) -> dict[str, NDArray[Any]]:
    """rate, rate_parameter, times_parameter, profile, background_gate, channel_gate of every channel."""
    scenario, states, register = draft.scenario, draft.states, draft.register
    moves, names = scenario.moves, list(scenario.moves)
    number = {name: index for index, name in enumerate(scenario.profiles)}
    rate = draft.of_move((float(move.rate) for move in moves.values()), 0.0)
    profile = draft.of_move((-1 if m.varies is None else number[m.varies] for m in moves.values()), -1, np.int64)
    times_parameter = np.full(draft.size, -1, np.int64)
    for channel, where, times, follows in _of_pairs(draft):
        if times is not None:
            times_parameter[channel] = register[where]
            rate[channel] *= float(times)
        if follows is not None:
            profile[channel] = number[follows]
    rate_parameter = draft.of_move((register[f"moves.{name}.rate"] for name in moves), -1, np.int64)
    background_gate = draft.of_move((gates.row(factors.background[name]) for name in moves), 0, np.int64)
    base = [states.guards(move.needs, move.forbids, gates) + factors.moves[name] for name, move in moves.items()]
    channel_gate = np.zeros(draft.size, dtype=np.int64)
    known: dict[tuple[int, frozenset[Literal], tuple[Entry, ...]], int] = {}
    for channel, (move, term) in enumerate(zip(draft.table.move.tolist(), draft.table.terms, strict=True)):
        key = (move, term, _following(draft, gates, factors, "moves", names[move], channel))
        if key not in known:
            known[key] = gates.row([*base[move], *map(gates.literal, term), *key[2]])
        channel_gate[channel] = known[key]
    if factors.with_course:
        background_gate[: draft.n_acts] = [
            gates.row(
                [
                    *factors.background[names[move]],
                    *_following(draft, gates, factors, "background", names[move], channel),
                ]
            )
            for channel, move in enumerate(draft.table.move.tolist())
        ]
    for channel, name in enumerate(draft.rising, start=draft.n_acts + len(draft.timed)):
        parameter = register[f"facts.{name}.comes"]
        rate[channel], rate_parameter[channel] = register.parameters[parameter].value, parameter
        channel_gate[channel] = gates.row([gates.guard(states.number[name], (0,))])
    return {
        "rate": rate,
        "rate_parameter": rate_parameter,
        "times_parameter": times_parameter,
        "profile": profile,
        "background_gate": background_gate,
        "channel_gate": channel_gate,
    }


def _of_pairs(draft: Draft) -> Iterator[tuple[int, str, Quantity | None, str | None]]:
    """(channel, path of its factor, factor, profile) of every pair that a move names by itself. Raises ModelError."""
    moves, table, actors = list(draft.scenario.moves.items()), draft.table, draft.cast.actors
    faults = []
    for index, (name, move) in enumerate(moves):
        if not (move.times or move.follows):
            continue
        own = np.flatnonzero(table.move == index).tolist()
        channel = {(actors[table.source[c]], actors[table.target[c]]): c for c in own}
        pairs = {(a, b) for given in (move.times, move.follows) for a, row in given.items() for b in row}
        for source, target in sorted(pairs):
            times = move.times.get(source, {}).get(target)
            follows = move.follows.get(source, {}).get(target)
            key = f"moves.{name}.{'times' if times is not None else 'follows'}.{source}.{target}"
            if (source, target) in channel:
                path = f"moves.{name}.times.{source}.{target}"
                yield channel[source, target], path, times, follows
            else:
                faults.append(Fault.at(key, f"{source} to {target}, no pair of this move", "a pair of it"))
    if faults:
        raise error_of(draft.scenario, faults)


def _edges(
    draft: Draft, gates: GateTable, factors: _Factors, links: list[Links]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Edges and kernels of the System, and their labels for the Model."""
    scenario, register = draft.scenario, draft.register
    event, reply, row, mechanism, weight = [], [], [], [], []
    for index, ((name, one), found) in enumerate(zip(scenario.mechanisms.items(), links, strict=True)):
        base = [*draft.states.guards(one.needs, one.forbids, gates), *factors.mechanisms[name]]
        of_edge = _answer_gates(draft, gates, factors, name, base, found)
        # Two `then` patterns may name the same act: their answers add up.
        merged, group = distinct_rows(np.stack([found.event, found.reply, of_edge], axis=1))
        event.append(merged[:, 0])
        reply.append(merged[:, 1])
        row.append(merged[:, 2])
        mechanism.append(np.full(len(merged), index))
        weight.append(np.bincount(group, found.weight, len(merged)))
    none = np.zeros(0, dtype=np.int64)
    source = np.concatenate([none, *event])
    order = np.argsort(source, kind="stable")
    kind = np.concatenate([none, *mechanism])[order]
    answers = np.array([float(one.answers) for one in scenario.mechanisms.values()])
    answers_at = np.array([register[f"mechanisms.{name}.answers"] for name in scenario.mechanisms], dtype=np.int64)
    scaled = np.concatenate([none.astype(np.float64), *weight])[order]
    kernel_arrays, kernel_labels = kernels(scenario, register)
    arrays = {
        "edge_start": starts(np.bincount(source, minlength=draft.size)),
        "edge_target": np.concatenate([none, *reply])[order],
        "edge_mechanism": kind,
        "edge_mass": scaled * answers[kind],
        "edge_gate": np.concatenate([none, *row])[order],
        **kernel_arrays,
    }
    labels = {
        "edge_parameter": answers_at[kind],
        "edge_weight": scaled,
        **kernel_labels,
    }
    return arrays, labels


def _effects(draft: Draft) -> dict[str, Any]:
    """What every channel does to the state."""
    states = draft.states
    by_move = [
        [(states.number[e.fact], states.level(e.fact, e.level), float(e.probability)) for e in move.effects]
        for move in draft.scenario.moves.values()
    ]
    by_itself = [[(states.number[name], 0, 1.0)] for name in draft.timed]
    by_itself += [[(states.number[name], 1, 1.0)] for name in draft.rising]
    start, items, item = draft.spread(by_move, by_itself)
    facts, levels, probabilities = zip(*items, strict=True) if items else ((), (), ())
    return {
        "effect_start": start,
        "effect_fact": np.array(facts, dtype=np.int64)[item],
        "effect_level": np.array(levels, dtype=np.int64)[item],
        "effect_probability": np.array(probabilities, dtype=np.float64)[item],
    }


def _timers(draft: Draft) -> dict[str, Any]:
    """A timer on every level but the first of each fact that runs out."""
    delay, channel, fixed = [], [], []
    counts = [0] * sum(len(levels) for levels in draft.states.levels)
    cell = starts([len(levels) for levels in draft.states.levels])
    for index, name in enumerate(draft.timed):
        number, lasts = draft.states.number[name], draft.scenario.facts[name].lasts
        assert lasts is not None
        for level in range(1, len(draft.states.levels[number])):
            counts[cell[number] + level] = 1
            delay.append(float(lasts))
            fixed.append(draft.scenario.facts[name].exactly)
            channel.append(draft.n_acts + index)
    return {
        "timer_start": starts(counts),
        "timer_delay": np.array(delay, dtype=np.float64),
        "timer_is_fixed": np.array(fixed, dtype=np.bool_),
        "timer_channel": np.array(channel, dtype=np.int64),
    }


def _turns(draft: Draft) -> dict[str, Any]:
    """When covariates change."""
    turns, first = draft.courses.turns, draft.states.n_said
    return {
        "turn_time": np.array([day for day, _, _ in turns], dtype=np.float64),
        "turn_fact": np.array([first + fact for _, fact, _ in turns], dtype=np.int64),
        "turn_level": np.array([level for _, _, level in turns], dtype=np.int64),
    }


def _powers(gates: GateTable) -> Floats | None:
    """(len level_factor,) power of the parameter in each cell; None where all are 1."""
    if not gates.power:
        return None
    power = np.ones(len(gates.level_factor))
    power[list(gates.power)] = list(gates.power.values())
    return power


def _calms(draft: Draft) -> dict[str, Any]:
    """Which channels calm, and which are calmed how strongly."""
    calms = list(draft.scenario.calms.values())
    add_start, adds, add = draft.spread(
        [[index for index, calm in enumerate(calms) if name in calm.after] for name in draft.scenario.moves]
    )
    low_start, lows, low = draft.spread(
        [[index for index, calm in enumerate(calms) if name in calm.lowers] for name in draft.scenario.moves]
    )
    lowered = np.array(lows, dtype=np.int64)[low]
    return {
        "calm_decay": np.array([LN2 / float(calm.half_life) for calm in calms]),
        "calm_add_start": add_start,
        "calm_add_index": np.array(adds, dtype=np.int64)[add],
        "calm_add_amount": np.ones(len(add)),
        "calm_low_start": low_start,
        "calm_low_index": lowered,
        "calm_low_strength": np.array([float(calm.strength) for calm in calms])[lowered],
    }


def _other_parameters(draft: Draft) -> dict[str, Ints]:
    """Which parameter each cell comes from, of the arrays that `_effects`, `_timers`, `_calms`, `profiles` made."""
    scenario, register = draft.scenario, draft.register
    calms = list(scenario.calms)
    _, effects, effect = draft.spread(
        [
            [register[f"moves.{name}.sets.{e.fact}.{e.level}"] for e in move.effects]
            for name, move in scenario.moves.items()
        ],
        [[-1] for _ in range(draft.size - draft.n_acts)],
    )
    _, lows, low = draft.spread(
        [[index for index, calm in enumerate(calms) if name in scenario.calms[calm].lowers] for name in scenario.moves]
    )
    strength = np.array([register[f"calms.{calm}.strength"] for calm in calms], dtype=np.int64)
    steps, swings = [], []
    for name, profile in scenario.profiles.items():
        steps += [register[f"profiles.{name}.steps.{day.isoformat()}"] for day, _ in profile.steps] or [-1]
        swings.append(register[f"profiles.{name}.season.swing"] if profile.season else -1)
    numbers = {
        "effect_probability": np.array(effects, dtype=np.int64)[effect],
        "timer_delay": [
            register[f"facts.{name}.lasts"]
            for name in draft.timed
            for _ in range(1, len(draft.states.levels[draft.states.number[name]]))
        ],
        "calm_decay": [register[f"calms.{calm}.half_life"] for calm in calms],
        "calm_low_strength": strength[np.array(lows, dtype=np.int64)[low]],
        "step_value": steps,
        "profile_swing": swings,
    }
    return {name: np.array(cells, dtype=np.int64) for name, cells in numbers.items()}


def _labels(draft: Draft) -> tuple[Channel, ...]:
    """The name of every channel."""
    actors, moves = draft.cast.actors, [(name, move.does) for name, move in draft.scenario.moves.items()]
    table = draft.table
    acts = [
        Channel(actors[source], moves[move][1], actors[target], moves[move][0])
        for move, source, target in zip(table.move.tolist(), table.source.tolist(), table.target.tolist(), strict=True)
    ]
    ends = [Channel(None, "expire", None, None, name, "expire") for name in draft.timed]
    return (*acts, *ends, *(Channel(None, "arise", None, None, name, "arise") for name in draft.rising))


def _marks(draft: Draft) -> dict[str, Any]:
    """heat, hurts, goldstein, counted, opens, resolves, suspends of every channel."""
    scenario = draft.scenario
    acts = [scenario.acts[move.does] for move in scenario.moves.values()]
    standoffs = scenario.standoffs
    inside = draft.cast.mask(standoffs.among) if standoffs.among else np.ones(draft.cast.size, dtype=np.bool_)
    counted = np.zeros(draft.size, dtype=np.bool_)
    counted[: draft.n_acts] = inside[draft.table.source] & inside[draft.table.target]

    def among(names: Iterable[str]) -> NDArray[np.bool_]:
        chosen = set(names)
        return draft.of_move((name in chosen for name in scenario.moves), False, np.bool_)

    weights: Floats = draft.of_move((math.nan if a.goldstein is None else float(a.goldstein) for a in acts), math.nan)
    return {
        "heat": draft.of_move((float(act.heat) for act in acts), 0.0),
        "hurts": draft.of_move((HURTS[act.hurts] for act in acts), 0, np.int64),
        "goldstein": weights,
        "counted": counted,
        "opens": among(standoffs.opened_by),
        "resolves": among(standoffs.resolved_by),
        "suspends": among(standoffs.suspended_by),
    }
