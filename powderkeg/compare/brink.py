"""How near does the system come to the brink, how long does it stay there, and what moves it?

In: a model. Out: a `Brink`: the states that histories pass through, each with its branching ratio (mean number of
direct answers that an act draws in the long run) and the time spent in it; how many histories pass through one in which
acts set off acts without end; and which numbers of the scenario move the ratio most.

The time in each state is counted exactly: what every event did to the facts is read off its own draws. The ratio is
that of mechanisms while the state stays as it is; calms, which only lower it, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from powderkeg.analyze import LEVEL
from powderkeg.analyze.intervals import IntervalEstimate, average, proportion
from powderkeg.compare.ranges import draw_values
from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.simulation.occupancy import state_numbers
from powderkeg.errors import ModelError
from powderkeg.model import Model, Stability, branching_ratios, elasticities, filled
from powderkeg.model import compile as compile_scenario
from powderkeg.model import stability as stability_of
from powderkeg.model.stability import NEAR
from powderkeg.scenario import Scenario
from powderkeg.showing import ShowsItself, as_html, progress_shown
from powderkeg.simulate import Runs, simulate
from powderkeg.units import YEAR
from powderkeg.wording import percent, plain

MOST_ASKED = 200
"""States that are asked what moves them, at most; `asked` says what share of the time they cover."""
SETS = 100
"""Sets of numbers drawn from the ranges."""
MOST_DOUBTED = 8
"""States that are looked at under each of them."""


class Zone(NamedTuple):
    """What is at or above a branching ratio.

    time    share of all days
    ever    share of histories that are there at some time
    spells  times a year that a history comes there
    stay    mean days of one such time
    """

    at_least: float
    time: IntervalEstimate
    ever: IntervalEstimate
    spells: IntervalEstimate
    stay: float | None


class Doubt(NamedTuple):
    """Under `sets` sets of numbers drawn from the scenario's ranges.

    mean   (low, high): nine in ten sets give a ratio between these, averaged over the days of the histories run
    worst  (low, high): the same in the worst state that can be reached at the scenario's own numbers
    over   share of the sets that put that state at 1 or more
    """

    sets: int
    mean: tuple[float, float]
    worst: tuple[float, float]
    over: float


@dataclass(frozen=True)
class Brink(ShowsItself):
    """Nearness to the brink.

    mean       branching ratio, averaged over days
    near       states with a ratio of 0.9 or more; over: of 1 or more, where acts set off acts without end
    highest    highest ratio of any state that a history passed through
    states     a row for each state passed through: ratio, share_of_time, share_of_runs, visits_per_year, mean_days,
               state (in which facts it differs from the start), longest in first
    movers     per cent by which the mean ratio moves when a value moves by one per cent, by key path, largest first
    asked      share of the time whose states these were worked out from
    stability  what can be reached at all, visited or not
    doubt      the same ratio under other numbers from the scenario's ranges; None where no number has a range
    """

    seed: int
    days: float
    replicates: int
    mean: IntervalEstimate
    near: Zone
    over: Zone
    highest: float
    states: pl.DataFrame
    movers: tuple[tuple[str, float], ...]
    asked: float
    stability: Stability
    doubt: Doubt | None

    def __repr__(self) -> str:
        near, over = (percent(zone.time.mean or 0.0) for zone in (self.near, self.over))
        ratio = plain(self.mean.mean, 2)
        return f"Brink(mean branching ratio {ratio}; {near} of the time at 0.9 or more, {over} at 1 or more)"

    def _repr_html_(self) -> str:
        return as_html(self, self.states)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "seed": self.seed, "days": self.days, "replicates": self.replicates, "mean": self.mean._asdict(),
            **{
                name: {
                    key: value._asdict() if isinstance(value, IntervalEstimate) else value
                    for key, value in getattr(self, name)._asdict().items()
                }
                for name in ("near", "over")
            },
            "highest": self.highest,
            "states": self.states.to_dicts(),
            "movers": [{"path": path, "elasticity": value} for path, value in self.movers],
            "asked": self.asked,
            "stability": self.stability.as_dict(),
            "doubt": None if self.doubt is None else self.doubt._asdict(),
        }  # fmt: skip


def brink(
    scenario: Scenario | Model,
    *,
    years: float | None = None,
    replicates: int = 1_000,
    seed: int = 1,
    workers: int | None = None,
    level: float = LEVEL,
    progress: Callable[[float], None] | None = None,
) -> Brink:
    """The states that histories pass through, and how near to the brink they are. Raises UsageError as `simulate`."""
    progress = progress_shown(progress, "brink")
    model = scenario if isinstance(scenario, Model) else compile_scenario(scenario)
    runs = simulate(model, years=years, replicates=replicates, seed=seed, workers=workers, keys=True, progress=progress)
    stays = _stays(model, runs)
    kinds, kind = np.unique(stays.state, return_inverse=True)
    levels = _levels(model, kinds)
    ratios = branching_ratios(model, levels)
    time: Floats = np.bincount(kind, stays.days, len(kinds)).astype(np.float64)
    ratio = ratios[kind]
    span = runs.reached - runs.begin
    mean_by_run = np.bincount(stays.run, stays.days * ratio, runs.replicates) / span
    visits = np.bincount(kind, minlength=len(kinds))
    runs_in = np.bincount(np.unique(kind * np.int64(runs.replicates) + stays.run) // runs.replicates,
                          minlength=len(kinds))  # fmt: skip
    total = float(time.sum())
    states = pl.DataFrame(
        {
            "ratio": ratios,
            "share_of_time": time / total,
            "share_of_runs": runs_in / runs.replicates,
            "visits_per_year": visits / (total / YEAR),
            "mean_days": time / visits,
            "state": [_words(model, row) for row in levels],
        }
    ).sort("share_of_time", "state", descending=[True, False])
    movers, asked = _movers(model, levels, ratios, time)
    worst = stability_of(model)
    return Brink(
        seed=seed,
        days=runs.days,
        replicates=runs.replicates,
        mean=average(mean_by_run, level),
        near=_zone(NEAR, ratio, stays, runs, level),
        over=_zone(1.0, ratio, stays, runs, level),
        highest=float(ratios.max()),
        states=states,
        movers=movers,
        asked=asked,
        stability=worst,
        doubt=_doubt(model, levels, time, worst, seed),
    )


class _Stays(NamedTuple):
    """Times without a change of state, in order: the run, the state's number, when from, how many days."""

    run: Ints
    state: Ints
    since: Floats
    days: Floats


def _weights(model: Model) -> Ints:
    """What one level of each fact counts for in a state number; facts that scale no answer are left out."""
    system = model.system
    rows = np.unique(np.concatenate([system.edge_gate, system.channel_gate[system.edge_target]]))
    inside = np.zeros(system.n_facts, dtype=np.bool_)
    for row in rows:
        inside[system.entry_fact[system.row_start[row] : system.row_start[row + 1]]] = True
    counts = np.where(inside & np.isin(np.arange(system.n_facts), system.effect_fact), np.diff(system.level_start), 1)
    if float(np.prod(counts.astype(np.float64))) > 2.0**62:
        raise ModelError("more states than can be numbered: too many facts scale answers")
    weight = np.concatenate([[1], np.cumprod(counts)[:-1]]).astype(np.int64)
    return np.where(counts > 1, weight, 0)


def _levels(model: Model, numbers: Ints) -> Ints:
    """(N, S) levels of states by number; facts that are left out as at the start."""
    weight = _weights(model)
    levels = np.repeat(model.system.initial_level[None, :], len(numbers), axis=0)
    sizes = np.diff(model.system.level_start)
    for s in np.flatnonzero(weight):
        levels[:, s] = numbers // weight[s] % sizes[s]
    return levels


def _stays(model: Model, runs: Runs) -> _Stays:
    assert runs.key is not None
    number = state_numbers(model.system, runs.offsets, runs.channel, runs.key, _weights(model))
    first = runs.offsets[:-1] + np.arange(runs.replicates)
    since = np.insert(runs.time, runs.offsets[:-1], runs.begin)
    run = np.repeat(np.arange(runs.replicates), np.diff(runs.offsets) + 1)
    begins = np.ones(len(number), dtype=np.bool_)
    begins[1:] = number[1:] != number[:-1]
    begins[first] = True
    since, number, run = since[begins], number[begins], run[begins]
    until = np.append(since[1:], 0.0)
    last = np.append(run[1:] != run[:-1], True)
    until[last] = runs.reached
    return _Stays(run, number, since, until - since)


def _zone(at_least: float, ratio: Floats, stays: _Stays, runs: Runs, level: float) -> Zone:
    inside = ratio >= at_least - 1e-9
    span = runs.reached - runs.begin
    days = np.bincount(stays.run, stays.days * inside, runs.replicates)
    entered = inside & ~np.concatenate([[False], inside[:-1] & (stays.run[1:] == stays.run[:-1])])
    spells = np.bincount(stays.run[entered], minlength=runs.replicates)
    ever = np.unique(stays.run[inside & (stays.days > 0)])
    share = average(days / span, level)
    share = share._replace(
        low=None if share.low is None else max(share.low, 0.0),
        high=None if share.high is None else min(share.high, 1.0),
    )
    stay = float(days.sum() / spells.sum()) if spells.sum() else None
    seen = proportion(len(ever), runs.replicates, level)
    often = average(spells / (span / YEAR), level)
    if len(ever) == 0:  # not seen is not never: who comes there could stay for good
        share, often = share._replace(high=seen.high), often._replace(high=None)
    return Zone(at_least, share, seen, often, stay)


def _movers(model: Model, levels: Ints, ratios: Floats, time: Floats) -> tuple[tuple[tuple[str, float], ...], float]:
    """Elasticities of the ratio averaged over days, from the states that weigh most."""
    weight = time * ratios
    order = np.argsort(-weight, kind="stable")
    if weight.sum() <= 0.0:
        return (), 1.0
    chosen = order[:MOST_ASKED]
    total: dict[str, float] = {}
    for k in chosen:
        for path, value in elasticities(model, levels[k]).items():
            total[path] = total.get(path, 0.0) + float(weight[k]) * value
    whole = float(weight[chosen].sum())
    movers = sorted(((path, value / whole) for path, value in total.items()), key=lambda pair: (-abs(pair[1]), pair[0]))
    return tuple(movers), float(time[chosen].sum() / time.sum())


def _doubt(model: Model, levels: Ints, time: Floats, worst: Stability, seed: int) -> Doubt | None:
    drawn = draw_values(model, SETS, seed)
    if not drawn:
        return None
    # The states in which most of the time is spent stand for all.
    most = np.argsort(-time, kind="stable")[:MOST_DOUBTED]
    asked = np.concatenate([levels[most], model.levels_of(worst.worst_state)[None, :]])
    found = np.array([branching_ratios(replace(model, system=filled(model, values)), asked) for values in drawn])
    mean = found[:, :-1] @ time[most] / time[most].sum()
    (low, high), (worst_low, worst_high) = (np.quantile(x, [0.05, 0.95]).tolist() for x in (mean, found[:, -1]))
    return Doubt(SETS, (low, high), (worst_low, worst_high), float((found[:, -1] >= 1.0 - 1e-9).mean()))


def _words(model: Model, levels: Ints) -> str:
    changed = np.flatnonzero(levels != model.system.initial_level)
    return ", ".join(f"{model.facts[s]} {model.levels[s][levels[s]]}" for s in changed) or "as at the start"
