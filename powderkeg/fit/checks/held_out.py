"""Does the fitted model foresee better than simpler ones?

In: a `Fit`. The first part of its window is fitted anew, by the same question; the rest is scored by what the model,
given the past, thought of it: the log of the chance of what came, day after day. Out: `HeldOut`: by how many nats the
model is better than a constant rate, and than the mean rate of the last 60 days, with an interval.

All three say how likely which channel acted when. The references know each channel's share of the acts from the first
part. What did not act there counts as rare and not as never, in the model as in the references, and the acts of a day
still add up to what the first part shows: a model without answers scores what the constant rate does. The interval
takes stretches of the held-out time as what varies, because days of one crisis hang together.
Source: logarithmic score, Gneiting & Raftery (2007), JASA 102, 359-378.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.design import Shape
from powderkeg.errors import FitError
from powderkeg.fit.background.courses import with_offset
from powderkeg.fit.background.epochs import epochs_shape
from powderkeg.fit.checks.expected import classes_of, expected_acts
from powderkeg.fit.checks.residuals import Test, should_be_uniform, uniformity
from powderkeg.fit.job import Job
from powderkeg.fit.likelihood.effects import Differences
from powderkeg.fit.likelihood.objective import Data
from powderkeg.fit.likelihood.problem import Problem, carry
from powderkeg.fit.maximum.climb import Climber
from powderkeg.fit.maximum.posterior_rates import settled

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit

SHARE = 0.8
"""Of the window, to be fitted."""
ROLLING = (0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the window, where blocks begin and end that choose among parts of a model; a fit of all before scores each."""
STRETCHES = 12
"""Stretches of the held-out time that differences are compared over."""
FEWEST = 20
"""Acts in either part below which nothing is scored."""
MEMORY = 60
"""Days that the moving average looks back."""
PSEUDO_DAYS = 5.0
"""Days at the rate of the first part that are mixed into the moving average: 60 quiet days do not mean never."""
WHAT = {False: "gaps between held-out acts", True: "totals of held-out days, by rank"}
MEANING = "what came after the fitted part does not come as the model says; compare the same test on the whole window"
UNSEEN = 0.5
"""Acts that a channel, or a move with a rate of 0, counts as having done in the first part if it did none."""
LEAST_NATS = 1e-3
"""Lead that is more than rounding."""


@dataclass(frozen=True)
class Lead:
    """By how much the model is ahead of a reference: nats over the whole held-out time, at 90 %, and an act."""

    reference: str
    nats: float
    low: float
    high: float
    per_act: float

    @property
    def is_clear(self) -> bool:
        return abs(self.nats) > LEAST_NATS and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class HeldOut:
    """Scores of the held-out part.

    fitted_days, days  length of the first part; of the held-out one
    events             acts in it that are scored;  impossible: acts that the fitted first part holds to be impossible,
                       which no score counts
    score              log score of the model;  references: name -> log score
    leads              against each reference
    test               of gaps between the held-out acts, or of ranks of the held-out days' totals: None where it could
                       not be made. The estimates know nothing of these acts, so it has its size, but for their errors
    begin              (stretches,) days;  by_stretch: name -> (stretches,) log score
    """

    fitted_days: float
    days: float
    events: int
    impossible: int
    score: float
    references: dict[str, float]
    leads: tuple[Lead, ...]
    test: Test | None
    begin: tuple[float, ...]
    by_stretch: dict[str, tuple[float, ...]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def held_out(
    fit: Fit, share: float = SHARE, seed: int = 1, progress: Callable[[float], None] | None = None
) -> HeldOut | None:
    """The model's log score on the last part of the window; None where either part has fewer than 20 acts, or
    some act of the last part has no chance at all under what the first part shows.

    share  of the window that is fitted. The course of the background is estimated on it, its kind is that of the fit
           (of epochs the borders too); beyond it, blocks and epochs go on at the level of the last one, and seasons as
           they were
    """
    data, job = fit.problem.data, fit.job
    border = np.floor(share * data.days) if data.by_day else share * data.days
    first = _before(data, border)
    if int((first.time >= 0).sum()) < FEWEST or len(data.time) - len(first.time) < FEWEST:
        return None
    name = "constant" if fit.background == "scenario" else fit.background
    try:
        part = replace(job, data=first)
        climber = part.under(_epochs_before(fit, first)) if name == "epochs" else part.climber(name)
    except FitError:
        return None
    climber.begin_at(fit.climber, fit.solution)
    start = carry(fit.problem, fit.solution.vector, climber.problem)
    solution = climber.climb(start, climber.problem.held)
    if not np.isfinite(solution.log_likelihood):
        return None
    # Laws of channels' rates are settled by the first part: each channel's rate is what its acts there make of it.
    climber, vector = settled(climber, _off_zero(climber.problem, solution.vector))
    edges = np.linspace(border, data.days, STRETCHES + 1)
    edges = np.unique(np.round(edges)) if data.by_day else edges
    cumulative, lost = [], np.zeros(0, np.int64)
    for k, edge in enumerate(edges):
        if progress is not None:
            progress((k + 1) / (len(edges) + 1))
        until = _before(data, float(edge))
        whole = Climber(_extended(fit.problem, job, climber.problem, until, name), climber.prior)
        objective, _ = whole.filter(vector)
        cumulative.append(objective.evaluate(vector[: whole.problem.n_smooth], False)[0])
        lost = objective.unexplained
    if not np.isfinite(cumulative).all():
        return None
    model = np.diff(cumulative)
    counts = np.ones(len(data.time), bool)
    counts[lost] = False
    scored = counts & (data.time >= border)
    constant, moving = _references(first, data, edges, scored, climber.problem)
    scores = {"model": model, "constant rate": constant, f"mean of the last {MEMORY} days": moving}
    if not all(np.isfinite(one).all() for one in scores.values()):
        return None
    n = int(scored.sum())
    of_channel, n_classes = classes_of(whole, np.arange(len(whole.problem.design.channel_ground)))
    expected = expected_acts(whole, vector, of_channel, n_classes)
    time = data.time[counts & (data.time >= 0)]
    uniform = should_be_uniform(whole, vector, expected, time, of_channel, border, seed)
    return HeldOut(
        fitted_days=float(border),
        days=float(data.days - border),
        events=n,
        impossible=int(np.sum(~counts & (data.time >= border))),
        score=float(model.sum()),
        references={key: float(one.sum()) for key, one in scores.items() if key != "model"},
        leads=tuple(_lead(key, model - one, n) for key, one in scores.items() if key != "model"),
        test=uniformity("held_out", WHAT[data.by_day], uniform, MEANING) if len(uniform) else None,
        begin=tuple(float(x) for x in edges[:-1]),
        by_stretch={key: tuple(float(x) for x in one) for key, one in scores.items()},
    )


def rolling_scores(job: Job, problem: Problem, vector: Floats, name: str) -> Floats | None:
    """(blocks,) log score of each block of `ROLLING`, by what a fit of all that came before it thinks of it.

    problem, vector  of the whole window, where each of these fits begins
    name             of the course of the background

    None where a block, or what came before the first, has fewer than 20 acts, or holds an act that cannot be.
    """
    data = problem.data
    edges = [float(np.floor(share * data.days)) if data.by_day else share * data.days for share in ROLLING]
    acts = [len(_before(data, edge).time) for edge in edges]
    if int((_before(data, edges[0]).time >= 0).sum()) < FEWEST or min(np.diff(acts)) < FEWEST:
        return None
    scores = []
    for begin, end in pairwise(edges):
        try:
            climber = replace(job, data=_before(data, begin)).climber(name)
        except FitError:
            return None
        top = climber.climb(carry(problem, vector, climber.problem), climber.problem.held)
        climber, settled_vector = settled(climber, _off_zero(climber.problem, top.vector))
        reached = []
        for edge in (begin, end):
            whole = Climber(_extended(problem, job, climber.problem, _before(data, edge), name), climber.prior)
            objective, _ = whole.filter(settled_vector)
            reached.append(objective.evaluate(settled_vector[: whole.problem.n_smooth], False)[0])
        scores.append(reached[1] - reached[0])
    return np.array(scores) if np.isfinite(scores).all() else None


def _lead(reference: str, differences: Floats, n: int) -> Lead:
    """The sum of the differences, with Student's interval from their spread."""
    k = len(differences)
    total = float(differences.sum())
    half = float(special.stdtrit(k - 1, 0.95) * differences.std(ddof=1) * np.sqrt(k)) if k > 1 else float("inf")
    return Lead(reference, total, total - half, total + half, total / max(n, 1))


def _before(data: Data, border: float) -> Data:
    kept = data.time < border
    return Data(data.time[kept], data.channel[kept], border, data.by_day)


def _epochs_before(fit: Fit, first: Data) -> Shape:
    """The epochs of the whole fit that begin in its first part; their levels are estimated anew."""
    known = fit.problem.shape
    keep = np.append(True, np.diff(known.row) != 0)  # borders of epochs, not those where the coverage steps
    begun = known.time[:-1][keep]
    bounds = np.append(begun[begun < first.days], first.days)
    shape = epochs_shape(bounds, np.arange(1, len(bounds) - 1), first.time[first.time >= 0])
    return with_offset(shape, fit.job.start, first.days, fit.job.offset)


def _off_zero(problem: Problem, vector: Floats) -> Floats:
    """Rates estimated as 0 at what `UNSEEN` acts would make of them, as in the references; all free rates together
    bring as many acts as before."""
    result, scale = vector.copy(), problem.rate_scale
    places = [p.place for p in problem.parameters if p.kind == "rate" and p.free and scale[p.place] > 0]
    before = float(vector[places] @ scale[places])
    result[places] = np.maximum(vector[places], UNSEEN / (scale[places] * problem.data.days))
    if before > 0:
        result[places] *= before / float(result[places] @ scale[places])
    return result


def _extended(asked: Problem, job: Job, fitted: Problem, data: Data, name: str) -> Problem:
    """The problem of the first part over a longer window: the same parameters, held where they are free or not."""
    shape = fitted.shape
    known = asked.shape
    if name.startswith("blocks") or name == "epochs" or asked.varying is not None:
        own_time, own_row = np.append(shape.time[:-1], data.days), shape.row
    else:
        made = replace(job, data=data, offset=None).shape(name)
        own_time, own_row = made.time, made.row
    time = np.unique(np.concatenate([own_time, known.time[(known.time > 0) & (known.time < data.days)]]))
    middle = 0.5 * (time[1:] + time[:-1])
    row = own_row[np.clip(np.searchsorted(own_time, middle, side="right") - 1, 0, len(own_row) - 1)]
    offset = known.offset[np.clip(np.searchsorted(known.time, middle, side="right") - 1, 0, len(known.offset) - 1)]
    job = replace(job, data=data)
    if asked.varying is not None:  # rates and courses of the first part stand in its model's arrays
        job = replace(job, model=fitted.model, free=None, fix=None, differences=Differences())
    posed: Problem = job.pose(Shape(time, offset, row, shape.basis))
    own = fitted.design
    design = posed.design._replace(channel_scale=own.channel_scale, ground_scale=own.ground_scale)
    return replace(posed, held=fitted.held, start=fitted.start, design=design, parameters=fitted.parameters)


def _shares(first: Data, problem: Problem) -> Floats:
    """(C,) each channel's share of the acts of the first part; where a whole move did nothing, `UNSEEN` is shared."""
    d = problem.design
    n = len(d.channel_ground)
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    counts = np.bincount(first.channel[first.time >= 0], minlength=n).astype(np.float64)
    of_rate = np.bincount(rate_of, weights=counts, minlength=problem.n_rates)
    part = d.channel_scale / np.maximum(problem.rate_scale[rate_of], 1e-300)
    seen = np.where(counts > 0, counts, UNSEEN * np.where(of_rate[rate_of] > 0, 1.0, part))
    return np.asarray(seen / seen.sum())


def _references(first: Data, data: Data, edges: Floats, scored: Any, problem: Problem) -> tuple[Floats, Floats]:
    """Log scores by stretch of a constant rate by channel, and of the moving average times each channel's share."""
    inside = first.time >= 0
    rate = float(inside.sum()) / first.days
    share = _shares(first, problem)
    n_days = int(np.ceil(data.days))
    day = np.minimum(np.floor(data.time).astype(np.int64), n_days - 1)
    by_day = np.bincount(day[data.time >= 0], minlength=n_days).astype(np.float64)
    running = np.append(0.0, np.cumsum(by_day))
    at = np.arange(n_days)
    back = np.minimum(at, MEMORY)
    recent = running[at] - running[at - back]
    moving = (recent + PSEUDO_DAYS * rate) / (back + PSEUDO_DAYS)
    results = []
    for daily in (np.full(n_days, rate), moving):
        results.append(_scores(data, edges, scored, day, daily, share))
    return results[0], results[1]


def _scores(data: Data, edges: Floats, scored: Any, day: Ints, daily: Floats, share: Floats) -> Floats:
    """(stretches,) Poisson log score of the scored acts at rates daily[day] * share[channel]."""
    time, channel, day = data.time[scored], data.channel[scored], day[scored]
    stretch = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, len(edges) - 2)
    found = np.bincount(stretch, weights=np.log(daily[day] * share[channel]), minlength=len(edges) - 1)
    if data.by_day:
        key, many = np.unique(day * len(share) + channel, return_counts=True)
        at = np.clip(np.searchsorted(edges, key // len(share), side="right") - 1, 0, len(edges) - 2)
        found -= np.bincount(at, weights=special.gammaln(many + 1.0), minlength=len(edges) - 1)
    running = np.append(0.0, np.cumsum(daily))
    mass = np.interp(edges, np.arange(len(running)), running)
    return np.asarray(found - np.diff(mass))
