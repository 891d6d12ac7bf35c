"""What is to be estimated: key paths to positions in the arrays that the likelihood reads, and back.

In: a `Model`, which key paths are free and which are held. Out: a `Problem`: the parameter vector

    linear (rates, then answers by mechanism) | log (gate factors, then the course of the background) | log decays

with the start, the bounds and what is held, and for every path its place in it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.fixed_timers import expiries, has_fixed
from powderkeg.engine.likelihood.design import (
    Calendar,
    Design,
    Shape,
    Sources,
    build,
    empty_calendar,
    joined,
    moving_facts,
)
from powderkeg.engine.likelihood.filtered_facts import is_hidden
from powderkeg.errors import Fault, FitError, UsageError, argument, nearest_name
from powderkeg.fit.likelihood.effects import Differences, Varying, make_varying, pool_rates, shared_effects
from powderkeg.fit.likelihood.layer import Layer
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.parameter import FitParameter
from powderkeg.fit.likelihood.terms import Terms
from powderkeg.model import Model
from powderkeg.model.parting import part_of, part_path
from powderkeg.units import LN2

SHORTEST = 0.02
"""Half-lives are sought from this many days ..."""
LONGEST = 0.2
"""... to this share of the window: what fades more slowly cannot be told from the background."""
MOST_REPEATS = 0.95
"""Share of reports that may tell an act once more: twenty reports an act are doubles, not a source."""
STEEPEST = 8.0
"""Log factors are kept within plus and minus this: beyond it the data say never, or always, not how much."""


@dataclass(frozen=True)
class Problem:
    """Arrays, parameters, bounds. P = n_linear + n_log + n_decays.

    shape_places  positions of the background's course within the vector
    component_decay  (kernel components,) which decay parameter each component has, or -1
    component_value  (kernel components,) decays as the scenario has them, 1/day
    component_times  (kernel components,) each decay as a multiple of that of its half-life
    law_rates        positions of the rates whose channels each have a multiple of it, drawn from a law; its log shapes
                     are the last of the log parameters
    varying          what tells backgrounds apart beyond rates, None where nothing does; its effects are the last of the
                     log parameters
    shift            days from the model's start to the start of the window
    layer            what the source shows of what happens, None where it shows all; its factors are the last of the
                     gate factors, its repeats the last of the answers
    """

    model: Model
    system: System
    data: Data
    design: Design
    terms: Terms
    parameters: tuple[FitParameter, ...]
    shape: Shape
    start: Floats
    lower: Floats
    upper: Floats
    held: NDArray[np.bool_]
    component_decay: Ints
    component_value: Floats
    component_times: Floats
    n_rates: int
    n_factors: int
    law_rates: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    varying: Varying | None = None
    shift: float = 0.0
    layer: Layer | None = None

    @property
    def n_linear(self) -> int:
        return self.terms.n_linear

    @property
    def n_smooth(self) -> int:
        """Linear and log parameters: what one pass over the data serves."""
        return self.terms.n_linear + self.terms.n_log

    @property
    def n_decays(self) -> int:
        return len(self.start) - self.n_smooth

    @property
    def shape_places(self) -> slice:
        return slice(self.n_linear + self.n_factors, self.effect_places.start - len(self.law_rates))

    @property
    def effect_places(self) -> slice:
        return slice(self.n_smooth - (self.varying.count if self.varying is not None else 0), self.n_smooth)

    @property
    def kernel_start(self) -> Ints:
        return self.design.kernel_start

    def decay(self, vector: Floats) -> Floats:
        """(kernel components,) decays at a parameter vector."""
        own = self.component_decay >= 0
        result = self.component_value.copy()
        result[own] = np.exp(vector[self.n_smooth + self.component_decay[own]]) * self.component_times[own]
        return result

    def decay_gradient(self, by_component: Floats) -> Floats:
        """(n_decays,) from the derivative by each component's log decay."""
        own = self.component_decay >= 0
        return np.bincount(self.component_decay[own], weights=by_component[own], minlength=self.n_decays).astype(
            np.float64
        )

    @property
    def rate_scale(self) -> Floats:
        """(n_rates,) events a day from all channels of a rate, per unit of it."""
        d = self.design
        rate_of = d.term_linear[d.ground_term[d.channel_ground]]
        return np.bincount(rate_of, weights=d.channel_scale, minlength=self.n_rates).astype(np.float64)

    @property
    def dead(self) -> NDArray[np.bool_]:
        """(n_linear,) parameters held at 0."""
        result: NDArray[np.bool_] = self.held[: self.n_linear] & (self.start[: self.n_linear] == 0)
        return result

    def natural(self, parameter: FitParameter, vector: Floats) -> float:
        """A parameter as the scenario writes it: per day, days, a factor."""
        value = float(vector[parameter.place])
        if parameter.kind in ("factor", "shape"):
            return float(np.exp(value))
        if parameter.kind == "half_life":
            return LN2 / float(np.exp(value))
        return value

    def inside(self, parameter: FitParameter, natural: float) -> float:
        """The reverse of `natural`."""
        if parameter.kind in ("factor", "shape"):
            return float(np.log(natural))
        if parameter.kind == "half_life":
            return float(np.log(LN2 / natural))
        return natural

    def hold(self, holds: dict[str, str]) -> Problem:
        """The same with some paths held where they stand: path -> reason."""
        parameters = tuple(
            replace(p, free=False, why_held=holds[p.path]) if p.path in holds else p for p in self.parameters
        )
        held = self.held.copy()
        for p in parameters:
            held[p.place] = not p.free
        return replace(self, parameters=parameters, held=held)


def pose(
    model: Model,
    data: Data,
    free: Sequence[str] | None,
    fix: Sequence[str] | None,
    shape: Shape,
    shift: float,
    differences: Differences | None = None,
    layer: Layer | None = None,
) -> Problem:
    """The problem of fitting `model` to `data`.

    free   key paths to estimate, `*` for any letters, a section for all in it; None: all rates above 0, all answers,
           half-lives and gate factors that a change of state can show
    fix    key paths to hold at the scenario's value
    shape  course of the background beyond the scenario's profiles
    shift  days from the scenario's start to the start of the window
    differences  what tells backgrounds apart beyond rates, if anything may
    layer  what the source shows of what happens; all, by default
    """
    system = _shifted(model.system, shift)
    rate_of, rates = _rates(model)
    factor_of, factors = _factors(model)
    half_life_of, half_lives = _half_lives(model)
    answers = _answers(model)
    known = _choose(model, [*rates, *answers, *factors, *half_lives], free, fix)
    cuts = np.cumsum([len(rates), len(answers), len(factors)])
    rates, answers, factors, half_lives = (
        list(known[a:b]) for a, b in zip([0, *cuts], [*cuts, len(known)], strict=True)
    )
    varying = None
    if differences is not None and differences.any:
        rate_of, rates, before = pool_rates(model, rate_of, rates)
        varying = make_varying(model, differences, rate_of, rates, before, shape)
    sources = _sources(model, system, rate_of, rates, factor_of, len(factors), varying)
    times = model.kernel_times if model.kernel_times is not None else np.ones(len(half_life_of))
    calendar = empty_calendar()
    if layer is not None:
        system, sources, calendar = layer.over(system, sources, model.n_acts)
        data = data._replace(
            worth=layer.worth(data),
            worth_now=layer.worth(data, now=True),
            unseen=None if layer.unseen is None else layer.unseen.within(data.days),
        )
        if layer.repeats is not None:
            half_life_of, times = np.append(half_life_of, -1), np.append(times, 1.0)
    effects = varying.count if varying is not None else 0
    repeats = layer is not None and layer.repeats is not None
    counts = _Counts(len(rates), len(answers) + repeats, sources.n_factors, shape.basis.shape[1] + effects)
    design = _designed(model, system, sources, data, shape, calendar, varying)
    parameters = _placed(counts, rates, answers, factors, half_lives, layer)
    start, lower, upper, held = _bounds(counts, parameters, len(half_lives), data.days, repeats)
    return Problem(
        model=model,
        system=system,
        data=data,
        design=design,
        terms=Terms(design, counts.linear, counts.factors + counts.shape, counts.factors),
        parameters=parameters,
        shape=shape,
        start=start,
        lower=lower,
        upper=upper,
        held=held,
        component_decay=half_life_of,
        component_value=system.kernel_decay.astype(np.float64),
        component_times=times,
        n_rates=counts.rates,
        n_factors=counts.factors,
        varying=varying,
        shift=shift,
        layer=layer,
    )


class _Counts(NamedTuple):
    """How many parameters of each kind there are, in order; half-lives follow. Answers with repeats, factors with what
    a layer adds, shape with effects."""

    rates: int
    answers: int
    factors: int
    shape: int

    @property
    def linear(self) -> int:
        return self.rates + self.answers

    @property
    def smooth(self) -> int:
        return self.linear + self.factors + self.shape


def _sources(
    model: Model, system: System, rate_of: Ints, rates: Sequence[FitParameter], factor_of: Ints, n_factors: int,
    varying: Varying | None,
) -> Sources:  # fmt: skip
    """How the design reads rates, answers and factors. A rate's channels keep their own multiple of what it is written
    as, where it is above 0 and not pooled."""
    scale = np.array([p.value if p.value > 0 else 1.0 for p in rates])
    paths = varying.rate_path if varying is not None else [rates[k].path for k in rate_of]
    own = [rates[k].value > 0 and rates[k].path == path for k, path in zip(rate_of, paths, strict=True)]
    return Sources(
        rate_parameter=rate_of,
        rate_scale=np.where(np.array(own, bool), system.rate[: model.n_acts] / scale[rate_of], 1.0),
        edge_scale=model.edge_weight,
        factor_parameter=factor_of,
        n_rates=len(rates),
        n_factors=n_factors,
        factor_power=model.factor_power,
    )


def _designed(
    model: Model, system: System, sources: Sources, data: Data, shape: Shape, calendar: Calendar,
    varying: Varying | None,
) -> Design:  # fmt: skip
    """The design, its calendar with facts that have a known path and with those that run out after a fixed time.

    Raises FitError where such facts stand beside hidden ones, or moves have too many gates.
    """
    turns = expiries(system, data.time, data.channel, data.by_day, data.days)
    calendar = joined(calendar, known_path(system))
    if (has_fixed(system) or len(system.turn_time)) and is_hidden(system, model.n_acts):
        what = "facts that last a fixed time" if has_fixed(system) else "covariates that gates read"
        raise FitError(
            f"{what} cannot be fitted beside facts that no act reports (they come by themselves, "
            "run out after no fixed time, or are set by chance); leave one of them away"
        )
    if len(turns[0]):
        calendar = joined(calendar, Calendar(*turns, share=np.ones(len(turns[0]))))
    try:
        return build(
            system, sources, data.days, shape, model.n_acts, calendar, effects=varying.effects if varying else None
        )
    except ValueError as error:
        raise FitError(f"{error}; give the move fewer gates, or make some facts ties") from None


def _placed(
    counts: _Counts, rates: Sequence[FitParameter], answers: Sequence[FitParameter], factors: Sequence[FitParameter],
    half_lives: Sequence[FitParameter], layer: Layer | None,
) -> tuple[FitParameter, ...]:  # fmt: skip
    """All parameters with their places; what a source shows stands last, wherever its places are."""
    parts = ((rates, 0), (answers, counts.rates), (factors, counts.linear), (half_lives, counts.smooth))
    known = [_at(p, first + k) for part, first in parts for k, p in enumerate(part)]
    if layer is None:
        return tuple(known)
    first = counts.linear + len(factors)
    known += [FitParameter(path, "factor", 1.0, None, None, first + k, True) for k, (path, _) in enumerate(layer.free)]
    if layer.repeats is not None:
        place, why = counts.linear - 1, "as the scenario says" if layer.held else ""
        known.append(
            FitParameter("reporting.batches", "repeats", layer.repeats, None, None, place, not layer.held, why)
        )
    return tuple(known)


def _bounds(
    counts: _Counts, parameters: Sequence[FitParameter], n_half_lives: int, days: float, repeats: bool
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """(start, lowest, highest, whether held) of the vector; a half-life that is written outside the bounds widens
    them."""
    n, base = counts.smooth + n_half_lives, counts.smooth
    start, held = np.zeros(n), np.zeros(n, bool)
    lower, upper = np.full(n, -STEEPEST), np.full(n, STEEPEST)
    lower[: counts.linear], upper[: counts.linear] = 0.0, np.inf
    if repeats:
        upper[counts.linear - 1] = MOST_REPEATS
    longest = max(LONGEST * days, 2.0 * max((p.value for p in parameters if p.kind == "half_life"), default=1.0))
    lower[base:], upper[base:] = np.log(LN2 / longest), np.log(LN2 / SHORTEST)
    for p in parameters:
        if p.kind == "factor":
            start[p.place] = np.clip(np.log(p.value), -STEEPEST, STEEPEST) if p.value > 0 else -1.0
        elif p.kind == "half_life":
            start[p.place] = np.log(LN2 / p.value)
            lower[p.place], upper[p.place] = min(lower[p.place], start[p.place]), max(upper[p.place], start[p.place])
        else:
            start[p.place] = p.value
        held[p.place] = not p.free
    return start, lower, upper, held


def _at(parameter: FitParameter, place: int) -> FitParameter:
    return replace(parameter, place=place)


def _shifted(system: System, shift: float) -> System:
    """The system with its calendar counted from the start of the window."""
    if shift == 0.0:
        return system
    return system._replace(
        step_time=system.step_time - shift, profile_peak=system.profile_peak - shift, turn_time=system.turn_time - shift
    )


def known_path(system: System) -> Calendar:
    """The lines of facts with a known path."""
    return Calendar(system.turn_time, system.turn_fact, system.turn_level, np.ones(len(system.turn_time)))


def _listed(model: Model, index: Ints) -> tuple[Ints, list[FitParameter]]:
    """(position among the parameters that occur, those parameters) for indices into `model.parameters`."""
    used = np.unique(index[index >= 0])
    position = np.full(len(model.parameters) + 1, -1, np.int64)
    position[used] = np.arange(len(used))
    found = [model.parameters[k] for k in used]
    return position[index], [FitParameter(p.path, p.kind, p.value, p.low, p.high, -1, False) for p in found]


def _rates(model: Model) -> tuple[Ints, list[FitParameter]]:
    index = model.rate_parameter[: model.n_acts]
    if (index >= 0).all():
        return _listed(model, index)
    names = [str(c) for c in model.channels[: model.n_acts]]  # bare arrays: every channel has its own rate
    rate = model.system.rate
    return np.arange(model.n_acts), [
        FitParameter(f"rates.{name}", "rate", float(rate[k]), None, None, -1, False) for k, name in enumerate(names)
    ]


def _answers(model: Model) -> list[FitParameter]:
    named = {p.path: p for p in model.parameters if p.kind == "answers"}
    result = []
    for name in model.mechanisms:
        path = f"mechanisms.{name}.answers"
        p = named.get(path)
        if p is None:  # bare arrays: the matrix as given, times one number
            result.append(FitParameter(path, "answers", 1.0, None, None, -1, False))
        else:
            result.append(FitParameter(path, "answers", p.value, p.low, p.high, -1, False))
    return result


def _factors(model: Model) -> tuple[Ints, list[FitParameter]]:
    """Free factors; one that is written as 0 is a guard and stays one."""
    index = model.factor_parameter.astype(np.int64).copy()
    for k in np.flatnonzero(index >= 0):
        if model.parameters[index[k]].value <= 0:
            index[k] = -1
    return _listed(model, index)


def _half_lives(model: Model) -> tuple[Ints, list[FitParameter]]:
    index = model.kernel_parameter.astype(np.int64)
    if (index >= 0).all():
        return _listed(model, index)
    decay = model.system.kernel_decay
    start = model.system.kernel_start
    paths = []
    for m, name in enumerate(model.mechanisms):
        several = start[m + 1] - start[m] > 1
        paths += [f"mechanisms.{name}.half_life" + (f".{k}" if several else "") for k in range(start[m + 1] - start[m])]
    return np.arange(len(decay)), [
        FitParameter(path, "half_life", LN2 / float(decay[k]), None, None, -1, False) for k, path in enumerate(paths)
    ]


def _choose(
    model: Model, known: list[FitParameter], free: Sequence[str] | None, fix: Sequence[str] | None
) -> list[FitParameter]:
    """Mark what is free. Raises UsageError with every unknown path, FitError if nothing is left to estimate."""
    paths = [p.path for p in known]
    every = [p.path for p in model.parameters]
    faults: list[Fault] = []
    wanted = None if free is None else _match(free, paths, every, "free", faults)
    held = set() if fix is None else _match(fix, paths, every, "fix", faults)
    if faults:
        raise UsageError(faults, aftermath="nothing was fitted")
    still = _still_factors(model)
    result = []
    for p in known:
        why = ""
        if wanted is not None:
            is_free = p.path in wanted
        elif p.kind in ("rate", "answers") and p.value == 0:
            is_free, why = False, "0 in the scenario, and not named as free"
        elif p.path in still:
            is_free, why = False, "no act or time changes the fact that it rests on"
        else:
            is_free = True
        if p.path in held:
            is_free, why = False, "held as asked"
        result.append(replace(p, free=is_free, why_held=why))
    if not any(p.free for p in result):
        raise FitError("nothing to estimate: every parameter is held; name some in " + argument("free"))
    return result


def _match(asked: Sequence[str], paths: list[str], every: list[str], option: str, faults: list[Fault]) -> set[str]:
    found: set[str] = set()
    for one in [asked] if isinstance(asked, str) else asked:
        hits = {
            p for p in paths for q in _also_called(p)
            if q == one or q.startswith(f"{one}.") or fnmatch.fnmatchcase(q, one)
        }  # fmt: skip
        if hits:
            found |= hits
        elif one in every or any(p.startswith(f"{one}.") for p in every):
            faults.append(
                Fault.at(option, f"{one!r} cannot be estimated from events and is held as written",
                      "a rate, answers, half_life or factor; for others see what a sweep over them changes")
            )  # fmt: skip
        else:
            faults.append(
                Fault.at(option, f"unknown key path {one!r}", "a key path of the scenario",
                      nearest_name(one, paths))
            )  # fmt: skip
    return found


def _also_called(path: str) -> tuple[str, ...]:
    """A key path with those that name it too: a part's answers go by its mechanism's, and by the share of its
    half-life; several half-lives go by the name of a lone one, and the other way about."""
    if (part := part_of(path)) is not None:
        return path, f"mechanisms.{part[0]}.answers", part_path(part[0], part[1], "share")
    name, _, last = path.rpartition(".")
    if last == "half_life":
        return path, f"{name}.half_lives"
    return (path, f"{name.removesuffix('.half_lives')}.half_life") if name.endswith(".half_lives") else (path,)


def _still_factors(model: Model) -> set[str]:
    """Paths of factors that rest only on facts which nothing changes."""
    system = model.system
    moving = moving_facts(system)
    parameter_of_cell = model.factor_parameter
    seen: dict[int, bool] = {}
    for k, fact in enumerate(system.entry_fact):
        width = int(system.level_start[fact + 1] - system.level_start[fact])
        for cell in range(system.entry_offset[k], system.entry_offset[k] + width):
            p = int(parameter_of_cell[cell])
            if p >= 0:
                seen[p] = seen.get(p, False) or bool(moving[fact])
    return {model.parameters[p].path for p, moves in seen.items() if not moves}


def natural_values(problem: Problem, vector: Floats) -> dict[str, float]:
    """Key path -> value in the scenario's units."""
    return {p.path: problem.natural(p, vector) for p in problem.parameters}


def filled_arrays(problem: Problem, vector: Floats) -> Model:
    """The model of a problem with its arrays at a parameter vector; the course of the background is not in it."""
    model, system = problem.model, problem.model.system
    rate, mass = system.rate.copy(), system.edge_mass.copy()
    d = problem.design
    linear_of = d.term_linear[d.ground_term[d.channel_ground]]
    rate[: model.n_acts] = vector[linear_of] * d.channel_scale
    if problem.layer is not None and len(problem.layer.detection):
        rate[: model.n_acts] /= problem.layer.detection  # of acts, not of those that are reported
    mass = model.edge_weight * vector[problem.n_rates + system.edge_mechanism]
    factor = system.level_factor.copy()
    by_path = natural_values(problem, vector)
    for cell, index in enumerate(model.factor_parameter):
        if index >= 0 and model.parameters[index].path in by_path:
            power = 1.0 if model.factor_power is None else model.factor_power[cell]
            factor[cell] = by_path[model.parameters[index].path] ** power
    return replace(
        model,
        system=system._replace(
            rate=rate,
            edge_mass=mass,
            kernel_decay=problem.decay(vector)[: len(system.kernel_decay)],
            level_factor=factor,
        ),
    )


def carry(old: Problem, vector: Floats, new: Problem) -> Floats:
    """A parameter vector as the start of the same problem under another course; what is free leaves 0."""
    start = new.start.copy()
    place = {p.path: p.place for p in old.parameters}
    for b in new.parameters:
        start[b.place] = vector[place[b.path]] if b.path in place else start[b.place]
        if b.free and b.kind in ("rate", "answers"):
            start[b.place] = max(start[b.place], 1e-6 / new.data.days if b.kind == "rate" else 1e-3)
    if old.varying is not None and new.varying is not None:
        own, known = shared_effects(new.varying.blocks, old.varying.blocks)
        start[new.effect_places.start + own] = vector[old.effect_places.start + known]
    return start
