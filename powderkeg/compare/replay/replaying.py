"""Would it have happened without X? An observed history replayed in the world without it.

In: a scenario, observed events, what is left out. Out: a `Replay`: which acts and standoffs stay how often, what comes
anew, what becomes of the scenario's outcomes; beside it what simulation from the same day on says, which knows nothing
of what happened later.

The replay holds the chance of the observed history fixed: what X does not touch stays as it was. That is one way to
couple two worlds. It is a good one (as much as can be shared at each moment is shared), but no data can test it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import date

import numpy as np

from powderkeg.analyze import LEVEL
from powderkeg.compare.effects import Effect, effect
from powderkeg.compare.measures import Measure, outcome_measures
from powderkeg.compare.ranges import DrawnSets, drawn_sets
from powderkeg.compare.replay.histories import BYTES, KEPT, ReplayAsked, ReplayJob
from powderkeg.compare.replay.result import Lived, Replay, observed_standoffs, tell
from powderkeg.compare.replay.without import Observed, leave_out
from powderkeg.engine.fixed_timers import has_fixed
from powderkeg.engine.worlds import Past, Phase, world
from powderkeg.errors import Fault, ModelError, PowderkegWarning, UsageError, warn
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.fit.days.completed import drawn_record
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.likelihood.data import calendar_shift, read_data, reads_by_day
from powderkeg.fit.likelihood.spans import Spans, settle_spans
from powderkeg.fit.result import Fit
from powderkeg.model import Model
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Scenario
from powderkeg.showing import progress_shown
from powderkeg.simulate import simulate
from powderkeg.simulate.memory import Budget, Held, budget, in_words

IMPUTATIONS = 20
"""Complete histories drawn where hours or facts are not known."""
SETS = 40
"""Other sets of numbers, where there are ranges or a fit."""
SHARED = 2
"""Under other numbers there are as many replays as at the scenario's own, divided by this."""
FORWARD = 5
"""Of these, how many states the simulation beside the replay starts from."""


def replay(
    scenario: Scenario | Model | Fit,
    events: EventTable,
    without: str,
    *,
    since: date | float | None = None,
    replicates: int = 2_000,
    imputations: int = IMPUTATIONS,
    seed: int = 1,
    workers: int | None = None,
    level: float = LEVEL,
    unmatched: str = "refuse",
    ranges: bool = True,
    sets: int | Sequence[Mapping[str, float]] = SETS,
    fitted: Joint | None = None,
    copies: int | None = None,
    limit: int = 100_000,
    memory: int | str | Budget | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Replay:
    """An observed history, replayed without something.

    scenario     or what it was compiled into, or a fit: then what the fit left open is among the other numbers
    without      an actor, mechanism, tie, fact, act or intervention of the scenario by name, `path=value`, or one
                 observed act such as "kosovo arrests north_serbs on 2018-03-26"
    since        date, or day since the scenario's start, from which it is left out; default: the events' first
    replicates   replays in all; imputations: complete histories they are shared out to, as many to each: where that
                 does not come out even, there are a few more
    unmatched    "refuse" or "drop": events that no move of the scenario allows
    ranges       also under other numbers than the scenario's own, to see how far the answer hangs on them
    sets         how many sets of numbers to draw, half as many replays as `replicates` shared out among them, with a
                 drawn history for each; or the sets themselves, {key path: value}
    fitted       the law of numbers that were fitted: see `compare`. By default that of a fit, if one is given
    copies       copies in the filter that draws what nobody reported; default: enough for short histories
    limit        new acts in a replay before it is stopped and counted in `stopped`
    memory       bytes, or such as "4 GB", for the acts of all replays together; default: half of what is free
    executor     of `concurrent.futures`, or what keeps to its protocol: lives the histories through instead of threads
                 here

    Same scenario, events, seed and version: same bytes, however many workers. Raises EventError if the events do not
    fit the scenario, UsageError for what cannot be left out, ModelError if each replay explodes, or all would not fit.
    """
    progress = progress_shown(progress, "replaying")
    if isinstance(scenario, Fit):
        fitted = Joint.of(scenario) if fitted is None else fitted
        scenario = scenario.model
    model = scenario if isinstance(scenario, Model) else compile_scenario(scenario)
    source = model.scenario
    if source is None:
        raise ModelError("a model made from bare arrays has no names to leave out")
    _check(replicates, imputations, sets, level, limit)
    if has_fixed(model.system):
        names = ", ".join(name for name, fact in source.facts.items() if fact.exactly)
        raise UsageError(
            Fault.at("scenario", f"facts that last a fixed time ({names})",
                  "facts that last so long on average, without `exactly`: others cannot be replayed yet")
        )  # fmt: skip
    must_be_table(events)
    shift = calendar_shift(model, events)
    standoffs = observed_standoffs(model, events, shift)
    events, spans = settle_spans(model, events, reads_by_day(events, None), None)
    data, _ = read_data(model, events, None, unmatched, 0.0, fitting=False)
    if spans.way:
        warn(_said_of_days(spans))
    if data.first is not None:
        data = drawn_record(model, data, shift, seed)
    seen = Observed(data.time + shift, data.channel, data.by_day, shift, shift + data.days)
    turn = float((since - source.start).days) if isinstance(since, date) else since
    x = leave_out(model, seen, without, turn)
    drawn = drawn_sets(model, sets, seed, fitted) if ranges else DrawnSets([])
    numbers = drawn.values
    each = max(replicates // (SHARED * len(numbers)), 2) if numbers else 0
    asked = ReplayAsked(model, seen, without, turn, replicates, imputations, seed, copies, limit, [])
    job = ReplayJob(asked, x)
    under_them = asked._replace(replicates=each * len(numbers), imputations=len(numbers), sets=numbers)
    other = ReplayJob(under_them, x) if numbers else None
    split = 0.7 * job.imputations / (job.imputations + len(numbers))
    room = budget(memory)
    _must_fit(room, len(seen.time), replicates, job.replicates + (0 if other is None else other.replicates))
    held = Held(room.part(0.5), BYTES, "new acts")
    lived = Lived(job, job.run(workers, held, _part(progress, 0.0, split), executor))
    under = None if other is None else Lived(other, other.run(workers, held, _part(progress, split, 0.7), executor))
    forward = _forward(job, level, workers, room, _part(progress, 0.7, 1.0))
    return tell(source, lived, under, drawn, forward, standoffs, level)


def _must_fit(room: Budget, acts: int, asked: int, replays: int) -> None:
    """Raises ModelError if the observed acts alone, once for every replay, take more than there is room for."""
    need = KEPT * acts * replays
    if need > room.bytes:
        most = max(int(asked * room.bytes / need), 2)
        raise ModelError(
            f"{acts:,} observed acts in {replays:,} replays, those under other numbers with them, take about "
            f"{in_words(need)} and would not fit into {room}: about {most:,} replicates instead of {asked:,}, a "
            "shorter record or more memory would do; nothing was run"
        )


def _said_of_days(spans: Spans) -> str:
    """What was done with events whose day is not known."""
    if spans.way != "reckon":
        return spans.words
    return f"{spans.count}: days were drawn for them once, given the model and all the rest"


def _check(
    replicates: int, imputations: int, sets: int | Sequence[Mapping[str, float]], level: float, limit: int
) -> None:
    faults = []
    number = sets if isinstance(sets, int) else len(sets)
    if number < 2:
        faults.append(Fault.at("sets", str(number), "a whole number from 2 on"))
    if replicates < 2:
        faults.append(Fault.at("replicates", str(replicates), "2 or more"))
    if imputations < 1:
        faults.append(Fault.at("imputations", str(imputations), "1 or more"))
    if not 0.0 < level < 1.0:
        faults.append(Fault.at("level", str(level), "more than 0, less than 1"))
    if limit < 1:
        faults.append(Fault.at("limit", str(limit), "1 or more"))
    if faults:
        raise UsageError(faults)


def _part(progress: Callable[[float], None] | None, low: float, high: float) -> Callable[[float], None]:
    return lambda share: None if progress is None else progress(low + (high - low) * share)


def _forward(
    job: ReplayJob, level: float, workers: int | None, memory: Budget, tell: Callable[[float], None]
) -> tuple[Effect, ...]:
    """The outcomes by simulation from the parting on, with X and without, at the scenario's own numbers."""
    model, base, x = job.model, job.model.system, job.x
    n = min(FORWARD, job.imputations)
    each = max(job.replicates // n, 2)
    before: list[list[Measure]] = []
    after: list[list[Measure]] = []
    for number in range(n):
        drawn = job.draw(number, job.ledger_of(number), x.turn)
        acts = drawn.event >= 0
        past = Past(x.turn, drawn.time[acts], drawn.process[acts], complete=True)
        # The facts stand as drawn when the worlds part, whatever the coins of the past would say.
        stand = Phase(x.turn, base, tuple((s, int(z)) for s, z in enumerate(drawn.level)))
        without = x.build(base, {})
        worlds = (
            world(base, (stand,), x.acts),
            world(base, (stand, *without.phases[1:]), without.acts, without.policies),
        )
        both = []
        for each_world in worlds:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PowderkegWarning)
                runs = simulate(
                    model, days=job.seen.end - x.turn, replicates=each, seed=job.seed + number, workers=workers,
                    memory=memory, limit=job.limit, history=past, world=each_world,
                )  # fmt: skip
            both.append(runs)
        n_runs = min(runs.replicates for runs in both)  # fewer where one explodes from the first run on
        for found, runs in zip((before, after), both, strict=True):
            found.append(outcome_measures(model, runs.first(n_runs)))
        tell((number + 1) / n)
    return tuple(
        effect(_joined([told[i] for told in before]), _joined([told[i] for told in after]), level)
        for i in range(len(before[0]))
    )


def _joined(parts: list[Measure]) -> Measure:
    one = parts[0]
    values = np.concatenate([part.values for part in parts])
    return Measure(one.name, one.title, one.kind, one.unit, values, one.event, one.better)
