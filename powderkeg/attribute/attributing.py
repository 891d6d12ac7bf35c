"""Pose a record to a model, and ask it who set off whom.

In: a scenario, a model or a `Fit`, and an `EventTable`. Out: an `Attribution`. Numbers of a scenario are taken as they
are; those of a fit are drawn within its errors, so that what they leave open is told beside what no record can show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from powderkeg.analyze.intervals import LEVEL
from powderkeg.attribute.forests import People, draw_forests
from powderkeg.attribute.result import DRAWS, FORESTS, MANY, Attribution
from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.design import flat_shape
from powderkeg.errors import Fault, UsageError
from powderkeg.events.table import EventTable, must_be_table
from powderkeg.fit.days.completed import RECORDS, records_given
from powderkeg.fit.joint_law import Joint
from powderkeg.fit.likelihood.data import calendar_shift, read_data, reads_by_day
from powderkeg.fit.likelihood.prior import make_prior
from powderkeg.fit.likelihood.problem import Problem, pose
from powderkeg.fit.likelihood.spans import settle_spans
from powderkeg.fit.maximum.bounded import draw_bounded
from powderkeg.fit.maximum.climb import Climber
from powderkeg.fit.parents import UNEXPLAINED, Causes, find_causes
from powderkeg.fit.result import Fit
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.model.parting import part_of, parted, together
from powderkeg.scenario import Scenario
from powderkeg.showing import progress_shown
from powderkeg.wording import counted

HARDLY = 1e-12
"""What stands for an estimate of 0: an act that nothing else explains is then possible, as the fit says it is."""


def attribute(
    model: Fit | Model | Scenario,
    events: EventTable | None = None,
    *,
    forests: int | None = None,
    draws: int = DRAWS,
    fitted: Joint | None = None,
    seed: int = 1,
    level: float = LEVEL,
    likelihood: str | None = None,
    unmatched: str = "refuse",
    progress: Callable[[float], None] | None = None,
) -> Attribution:
    """Who set off whom in a record, as far as a model can tell.

    model       a scenario or model, whose numbers are taken as they are; or a `Fit`, whose numbers are drawn within
                their errors as well
    events      the record. May be left out for a Fit: then it is the one that was fitted
    forests     ways in which the record may have come about that are drawn for intervals; by default 200, of more than
                100,000 acts 50
    draws       sets of parameters drawn within the errors of a fit, the forests are shared out among them
    fitted      what a fit left open, where the model is a scenario that came of one: the law of its numbers, as far as
                they still stand at their estimates
    level       of the intervals
    likelihood  "exact" or "day"; by default what the table's resolution asks for
    unmatched   "refuse" or "drop": events that no move of the scenario lets happen

    Raises EventError if the events do not fit the scenario, UsageError for an option out of range.
    """
    progress = progress_shown(progress, "attributing")
    _check_options(forests, draws, level)
    if isinstance(model, Scenario | str | Path):
        model = compile_model(model)
    if isinstance(model, Fit) and model.reporting is not None:
        raise UsageError(
            Fault.of("a fit through what its source shows: acts that were not seen have no place in "
                  "a list of who set off whom", "a fit without reporting; or the scenario of this fit, for "
                  "which every report is an act")
        )  # fmt: skip
    if isinstance(model, Fit) and events is None:
        climber, vector, table, spans = model.climber, model.solution.vector, _table_of_fit(model), model.spans
        vectors = _draws_of_fit(model, draws, seed)
        compiled = together(model.problem.model)
    else:
        if events is None:
            raise UsageError(Fault.at("events", "no events", "a record; only a Fit brings its own"))
        must_be_table(events)
        compiled = model.model if isinstance(model, Fit) else model
        events, spans = settle_spans(compiled, events, reads_by_day(events, likelihood), None)
        law = Joint.of(model) if isinstance(model, Fit) and fitted is None else fitted
        climber, table = posed(compiled, events, likelihood, unmatched, () if law is None else law.paths)
        vector = climber.problem.start
        vectors = [] if law is None else _draws_by_path(law, climber.problem, draws, seed)
    said, unknown = [], spans.words
    if climber.problem.data.first is not None:
        unknown = (
            f"{spans.count}: days were drawn for them given the model, {RECORDS} times. Estimates, and what is told of "
            "single acts, are of the first draw; intervals are of all"
        )
    if unknown:
        said.append(unknown)
    records = records_given(climber, vector, seed)
    given, (climber, order_of_first) = climber, records[0]
    if given.problem.data.first is not None:
        frame = table.frame[order_of_first.tolist()].with_columns(time=pl.Series(climber.problem.data.time))
        table = replace(table, frame=frame)
    people = People.of(compiled)
    causes = find_causes(climber, vector)
    total = forests if forests is not None else FORESTS if len(table) <= MANY else FORESTS // 4
    sets, acts = [causes], [_acts_by_event(causes, order_of_first)]
    if vectors or len(records) > 1:
        vectors = vectors or [vector] * len(records)
        vectors = vectors[: max(total // 2, 1)]  # at least two forests a set, or their spread could not be told
        several = [records[k % len(records)] for k in range(len(vectors))]
        sets = [find_causes(one, at) for (one, _), at in zip(several, vectors, strict=True)]
        acts = [_acts_by_event(one, order) for one, (_, order) in zip(sets, several, strict=True)]
    counts = [total // len(sets) + (i < total % len(sets)) for i in range(len(sets))]
    act_of_event = _acts_by_event(causes, np.arange(len(causes.event_cell)))
    of_first = _acts_by_event(causes, order_of_first)
    same = [of_first[np.argsort(one)] for one in acts] if len(records) > 1 else []
    by_day = climber.problem.data.by_day
    lost = int((causes.root_kind == UNEXPLAINED)[causes.event_cell].sum())
    if lost:
        said.append(
            f"{lost} of {counted(len(table), 'act')} {'is' if lost == 1 else 'are'} allowed by no rule of the "
            "scenario: such acts count as roots, unexplained; "
            "`powderkeg fit` names them and the rule"
        )
    return Attribution(
        model=compiled,
        table=table,
        level=level,
        by_day=by_day,
        parameters="fitted" if isinstance(model, Fit) or vectors else "given",
        likelihood="days (acts of one day may have set each other off)" if by_day else "exact times",
        people=people,
        causes=causes,
        forests=draw_forests(sets, counts, people, seed, progress, same),
        act_of_event=act_of_event,
        warnings=tuple(said),
    )


def _acts_by_event(causes: Causes, order: Ints) -> Ints:
    """(N,) the act that each event is, for events that stand in the causes' record as `order` says."""
    by_cell = np.argsort(causes.event_cell, kind="stable")
    act = np.empty(len(by_cell), np.int64)
    act[by_cell] = np.arange(len(by_cell))
    result = np.empty(len(order), np.int64)
    result[order] = act
    return result


def _check_options(forests: int | None, draws: int, level: float) -> None:
    faults = []
    if forests is not None and not 10 <= forests <= 100_000:
        faults.append(Fault.at("forests", f"{forests}", "10 to 100,000"))
    if not 1 <= draws <= 10_000:
        faults.append(Fault.at("draws", f"{draws}", "1 to 10,000 sets of parameters"))
    if not 0.0 < level < 1.0:
        faults.append(Fault.at("level", f"{level:g}", "a share between 0 and 1, such as 0.9"))
    if faults:
        raise UsageError(faults)


def posed(
    model: Model, events: EventTable, likelihood: str | None, unmatched: str, known: Sequence[str] = ()
) -> tuple[Climber, EventTable]:
    """The likelihood of the events under the model's own numbers, and the events it is of.

    known  paths of numbers whose law is known: where they are 0 they may be more
    """
    shift = calendar_shift(model, events)
    frame = events.frame.drop("event", strict=False).with_row_index("event").cast({"event": pl.Int64})
    data, kept = read_data(model, replace(events, frame=frame), likelihood, unmatched, 0.0, fitting=False)
    model = parted(model, {part[0] for path in known if (part := part_of(path)) is not None})
    problem = pose(model, data, ["*"], None, flat_shape(data.days), shift)
    # What is 0 in the scenario explains nothing: held, so that acts which rest on it alone are told.
    off = {p.path: "0" for p in problem.parameters if p.kind in ("rate", "answers") and p.value == 0}
    maybe = [p.place for p in problem.parameters if p.path in off and p.path in set(known)]
    problem = problem.hold({path: why for path, why in off.items() if path not in set(known)})
    problem.start[maybe] = HARDLY
    return Climber(problem, make_prior(problem, None, False)), replace(events, frame=kept)


def _table_of_fit(fit: Fit) -> EventTable:
    frame = fit.frame.drop("event", strict=False).with_row_index("event").cast({"event": pl.Int64})
    data = fit.problem.data
    return EventTable(
        frame.with_columns(time=pl.Series(data.time)), fit.window_start, data.days, "day" if data.by_day else "exact"
    )


def _draws_of_fit(fit: Fit, draws: int, seed: int) -> list[Floats]:
    """Parameter vectors drawn within a fit's errors, the course of the background included."""
    law, centre = fit.law, fit.solution.vector
    if not len(law.places):
        return []
    if fit.drawn is not None:
        found = fit.drawn.vectors[fit.drawn.even(draws, seed)]
    else:
        rng = np.random.default_rng([seed, 0x617474])
        found = draw_bounded(centre[law.places], law.matrix, law.slope, law.bounded, draws, rng)
    # A rate of exactly 0 would leave acts without a cause that the estimate can explain.
    least = np.where(law.bounded, np.minimum(1e-3 * np.abs(centre[law.places]), 1e-6), -np.inf)
    least = np.maximum(least, fit.climber.lower[law.places])
    result = []
    for row in found:
        vector = centre.copy()
        vector[law.places] = np.clip(row, least, fit.problem.upper[law.places])
        result.append(vector)
    return result


def _draws_by_path(law: Joint, problem: Problem, draws: int, seed: int) -> list[Floats]:
    """The same from a law by key path, for a problem of its own."""
    known = {p.path: p for p in problem.parameters}
    law = law.among({path: p.value for path, p in known.items()})
    result = []
    for values in law.draw(draws, seed, apart=True) if law.paths else []:
        vector = problem.start.copy()
        for path, value in values.items():
            p = known[path]
            # A rate of exactly 0 would leave acts without a cause that the estimate can explain.
            vector[p.place] = problem.inside(p, max(value, min(1e-3 * p.value, 1e-6)))
        result.append(np.clip(vector, problem.lower, problem.upper))
    return result
