"""Does what happened deviate from what the fitted intensities expected, and where?

In: a climber at a parameter vector. Out: `Residuals`: tests with a p-value each and what a small one means, and the
numbers behind them for figures. Five kinds:

- Rescaled times (exact times): measured in expected acts, the gaps between acts are exponential with mean 1, of all
  acts together, and of the channels laid end to end. Gaps pooled by channel with the cut-off tails dropped would reject
  a true model 15 to 27 times in 100; laid end to end, each tail runs on into the next channel and nothing is dropped.
- Daily totals (days): the rank of each day's total among draws from its law, given the days before, is uniform.
- Martingale residuals: seen minus expected acts by channel, act and stretch of time, against a Poisson spread. By day,
  acts that answer acts of the same day are expected from those; what remains has just that spread: with K same-day
  answers, cov((I - K) n) = diag(E n).
- Facts: acts of each kind while a fact stood away from its first level, against what was expected then.
- Mechanisms: what the acts' causes say a mechanism set off, against what it was expected to, by stretch of time.

Stretches are cut at equal expected numbers, so that at exact times their counts are Poisson exactly.
With parameters from the same events these tests pass more easily than their level says.
Sources: Brown et al. (2002), Neural Computation 14, 325-346 (rescaling); Daley & Vere-Jones (2003), section 7.4.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day_steps import same_day
from powderkeg.engine.likelihood.design import moving_facts
from powderkeg.engine.likelihood.filtered_facts import drift
from powderkeg.fit.checks.expected import Expected, classes_of, expected_acts, gate_values
from powderkeg.fit.maximum.climb import Climber
from powderkeg.fit.maximum.posterior_rates import settled
from powderkeg.fit.parents import find_causes
from powderkeg.model import Model
from powderkeg.model.parting import together

LEAST_EXPECTED = 3.0
"""Expected acts below which cells of a chi-square are put together."""
FEWEST = 20
"""Acts below which no test is worth making."""
STRETCH = 10.0
"""Expected acts in a stretch of time, if that makes no more than `MOST_STRETCHES`."""
MOST_STRETCHES = 20
OWN_STRETCH = 5.0
"""The same for what one mechanism set off: half of these, and at least two stretches, or it is not tested."""
MOST_OWN_STRETCHES = 8
DRAWS = 99
"""Draws of each day's total that its rank is taken among."""
ALIKE = 1e-4
"""Chi-square a cell below which seen and expected agree because each kind of act has a rate of its own: no test."""
LAGS = 5
MONTH = 30.0
MOST_PARTS = 120
SCHEMA = {
    "what": pl.String,
    "begin": pl.Float64,
    "end": pl.Float64,
    "seen": pl.Float64,
    "expected": pl.Float64,
    "spread": pl.Float64,
}


@dataclass(frozen=True)
class Test:
    """One test of the fit.

    name, title  for files; for people
    statistic    Kolmogorov-Smirnov distance, or chi-square with `cells` degrees of freedom
    p            chance of so much deviation under the fitted model
    meaning      what a small p says, in words
    """

    name: str
    title: str
    statistic: float
    cells: int
    p: float
    meaning: str

    @property
    def passes(self) -> bool:
        return self.p >= 0.05

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passes": self.passes}


@dataclass(frozen=True)
class Residuals:
    """Tests, and what they rest on.

    uniform    (n,) what should be uniform: gaps between acts in expected acts, through 1 - exp(-gap); by day, the ranks
               of the daily totals
    stretches  what ("all" or a mechanism), begin, end (days), seen, expected, spread (standard deviation of seen)
    untested   mechanisms with too few offspring to be tested
    course     begin, end (days), seen, expected, background: acts by 30 days, or by an even share of a longer window
    """

    tests: tuple[Test, ...]
    uniform: Floats
    stretches: pl.DataFrame
    untested: tuple[str, ...]
    course: pl.DataFrame


def residuals(climber: Climber, vector: Floats, seed: int = 1) -> Residuals:
    """All tests at `vector`. Parameters that are held count as known: they cost no degree of freedom.

    seed  of the draws that daily totals are ranked among
    """
    climber, vector = settled(climber, vector)
    problem = climber.problem
    data = problem.data
    objective, _ = climber.filter(vector)
    counts = np.ones(len(data.time), bool)
    counts[objective.unexplained] = False
    counts &= data.time >= 0
    time, channel = data.time[counts], data.channel[counts]
    of_channel, n_classes = classes_of(climber, np.arange(len(problem.design.channel_ground)))
    expected = expected_acts(climber, vector, of_channel, n_classes)
    course = _course(expected, time, data.days)
    if len(time) < FEWEST:
        return Residuals((), np.zeros(0), pl.DataFrame(schema=SCHEMA), (), course)
    uniform = should_be_uniform(climber, vector, expected, time, of_channel, 0.0, seed)
    tests = _of_waits(uniform, expected, time, of_channel[channel], n_classes, data.by_day)
    if n_classes > 1:
        tests += _of_channels(problem.model, expected, of_channel[channel], n_classes)
        tests += _by_facts(climber, expected, time, channel)
    fitted = any(p.free and p.kind == "rate" for p in problem.parameters)
    in_time, rows = _of_time(expected, time, fitted)
    of_mechanisms, more, untested = _of_mechanisms(climber, vector, expected)
    return Residuals(
        (*tests, *in_time, *of_mechanisms), uniform, pl.DataFrame(rows + more, schema=SCHEMA), tuple(untested), course
    )


def _of_waits(
    uniform: Floats, expected: Expected, time: Floats, of_class: Ints, n_classes: int, by_day: bool
) -> list[Test]:
    """Do acts come when they are expected: daily totals by rank, or gaps; and does one gap or day tell the next?"""
    tests: list[Test] = []
    if by_day and len(uniform):
        tests.append(
            uniformity(
                "daily_totals", "daily totals, by rank", uniform,
                "days are busier or quieter than the days before let expect",
            )
        )  # fmt: skip
    elif not by_day:
        tests.append(
            uniformity(
                "gaps", "gaps between acts", uniform,
                "acts come in bunches or lulls that the fit does not know; look at half-lives and the background",
            )
        )  # fmt: skip
        if n_classes > 1:
            tests.append(
                uniformity(
                    "channel_gaps", "gaps within channels", _within(expected, time, of_class, n_classes),
                    "who acts when is off; look at who answers whom, and at gates",
                )
            )  # fmt: skip
    if len(uniform):
        tests.append(_carry_over(uniform, "days" if by_day else "gaps"))
    return tests


def _of_channels(model: Model, expected: Expected, of_class: Ints, n_classes: int) -> list[Test]:
    """Do those act who are expected to: by channel, and by kind of act where that is another question."""
    seen = np.bincount(of_class, minlength=n_classes).astype(np.float64)
    by_class = expected.by_class.sum(axis=0)
    tests = [_chi_square("channels", "acts by channel", seen, by_class, 0, "some channels act more or less")]
    acts, act_of = np.unique([c.act for c in model.channels[: model.n_acts]], return_inverse=True)
    if 1 < len(acts) < n_classes:
        by_kind = _chi_square(
            "acts", "acts by kind", _sums(act_of, seen), _sums(act_of, by_class), 0,
            "some kinds of act come more or less often",
        )  # fmt: skip
        if by_kind.statistic > ALIKE * by_kind.cells:
            tests.append(by_kind)
    return tests


def _of_time(expected: Expected, time: Floats, fitted: bool) -> tuple[list[Test], list[dict[str, Any]]]:
    """Is the whole as busy as expected at all times? The test, and its rows, where there are three stretches."""
    begun, cut = _stretches(expected.total, expected.edge, STRETCH, MOST_STRETCHES)
    if len(begun) < 3:
        return [], []
    many = np.histogram(expected.piece_of(time), cut)[0].astype(np.float64)
    mean = np.add.reduceat(expected.total, cut[:-1])
    test = _chi_square(
        "time", "acts by stretch of time", many, mean, int(fitted),
        "the world changed and the fit does not know; try another background",
    )  # fmt: skip
    return [test], _rows("all", begun, many, mean, np.sqrt(mean))


def _of_mechanisms(
    climber: Climber, vector: Floats, expected: Expected
) -> tuple[list[Test], list[dict[str, Any]], list[str]]:
    """Is every mechanism as strong at all times? Tests, their rows, and mechanisms with too few offspring to tell."""
    problem = climber.problem
    tests: list[Test] = []
    rows: list[dict[str, Any]] = []
    untested = []
    causes = find_causes(climber, vector)
    born = causes.by_mechanism()
    inside = causes.time >= 0
    at_piece = expected.piece_of(causes.time[inside])
    for m, name in enumerate(together(problem.model).mechanisms):
        mean = expected.by_origin[:, 1 + np.flatnonzero(causes.whole == m)].sum(axis=1)
        if mean.sum() < 2 * OWN_STRETCH:
            if mean.sum() > 0:
                untested.append(name)
            continue
        own = born[inside, m]
        begun, cut = _stretches(mean, expected.edge, OWN_STRETCH, MOST_OWN_STRETCHES)
        if len(begun) < 3:
            untested.append(name)
            continue
        many = np.histogram(at_piece, cut, weights=own)[0]
        mean = np.add.reduceat(mean, cut[:-1])
        # An act that the mechanism set off with chance p adds p^2 to the variance, so where causes are blurred it is
        # smaller than the count. The mean p of the whole window stands for every stretch: its own would lean on its
        # own count, and reject 20 times in 100 where a stretch has five.
        sure = float((own**2 / causes.acts[inside]).sum()) / max(float(own.sum()), 1e-12)
        spread = np.sqrt(mean * sure)
        rows += _rows(name, begun, many, mean, spread)
        paths = (f"mechanisms.{name}.answers", f"mechanisms.{name}.half_lives.1.answers")
        free = any(p.free and p.path in paths for p in problem.parameters)
        value = float((((many - mean) / np.maximum(spread, 1e-9)) ** 2).sum())
        cells = len(many) - int(free)
        tests.append(
            Test(
                f"mechanism {name}", f"what {name} set off, by stretch of time", value, cells,
                float(special.chdtrc(cells, value)), "it was stronger at some times than at others",
            )
        )  # fmt: skip
    return tests, rows, untested


def should_be_uniform(
    climber: Climber, vector: Floats, expected: Expected, time: Floats, of_channel: Ints, since: float, seed: int
) -> Floats:
    """Numbers that are uniform where the model holds: gaps between acts from day `since` on, or ranks of daily totals.

    time        (n,) acts
    of_channel  (C,) class of each channel in `expected`; ranks need a class for each (else nothing is returned)
    """
    if climber.problem.data.by_day:
        n_classes = expected.by_class.shape[1]
        if n_classes < len(of_channel):
            return np.zeros(0)
        return _ranks(climber, vector, expected, time, n_classes, seed)[round(since) :]
    running = np.append(0.0, np.cumsum(expected.total))
    begun = float(np.interp(since, expected.edge, running))
    at = running[np.searchsorted(expected.edge, time[time >= since])]
    return np.asarray(-np.expm1(-np.diff(at, prepend=begun)))


def uniformity(name: str, title: str, uniform: Floats, meaning: str) -> Test:
    """Kolmogorov and Smirnov's test that the numbers are uniform."""
    from scipy import stats  # a second to import, and only these tests ask for it

    found = stats.kstest(uniform, "uniform")
    return Test(name, title, float(found.statistic), len(uniform), float(found.pvalue), meaning)


def _carry_over(uniform: Floats, unit: str) -> Test:
    """Ljung & Box (1978) on the normal scores of what should be independent."""
    score = special.ndtri(np.clip(uniform, 1e-6, 1.0 - 1e-6))
    score = score - score.mean()
    n, lags = len(score), min(LAGS, len(uniform) // 4)
    square = float((score**2).sum())
    r = np.array([float((score[k:] * score[:-k]).sum()) / square for k in range(1, lags + 1)])
    value = float(n * (n + 2) * (r**2 / (n - np.arange(1, lags + 1))).sum())
    meaning = (
        f"{unit} hang together with those before in a way the fit does not know; look at mechanisms and half-lives"
    )
    return Test(
        "carry_over", f"{unit} against the {lags} before", value, lags, float(special.chdtrc(lags, value)), meaning
    )


def _within(expected: Expected, time: Floats, owner: Ints, n_classes: int) -> Floats:
    """Gaps within channels in expected acts, the channels end to end, through 1 - exp(-gap)."""
    order = np.lexsort((time, owner))
    time, owner = time[order], owner[order]
    before = np.searchsorted(expected.edge, time)
    totals = expected.by_class.sum(axis=0)
    at = np.empty(len(time))
    start = 0.0
    for c in range(n_classes):
        own = owner == c
        if own.any():
            at[own] = start + np.append(0.0, np.cumsum(expected.by_class[:, c]))[before[own]]
        start += float(totals[c])
    return np.asarray(-np.expm1(-np.diff(at, prepend=0.0)))


def _chi_square(name: str, title: str, seen: Floats, mean: Floats, fitted: int, meaning: str) -> Test:
    """Seen against expected counts; cells that expect little are put together."""
    order = np.argsort(mean, kind="stable")
    running = np.cumsum(mean[order])
    few = mean[order] < LEAST_EXPECTED
    cell = np.where(few, np.floor(running / LEAST_EXPECTED), 0).astype(np.int64)
    cell[~few] = cell.max(initial=0) + 1 + np.arange(int((~few).sum()))
    seen, mean = _sums(cell, seen[order]), _sums(cell, mean[order])
    thin = (mean < 0.5 * LEAST_EXPECTED) & (np.arange(len(mean)) < len(mean) - 1)
    if thin.any():  # what is left over joins the next cell
        last = int(np.flatnonzero(thin)[-1])
        seen[last + 1] += seen[: last + 1][thin[: last + 1]].sum()
        mean[last + 1] += mean[: last + 1][thin[: last + 1]].sum()
        seen, mean = seen[~thin], mean[~thin]
    cells = max(len(seen) - fitted, 1)
    value = float(((seen - mean) ** 2 / np.maximum(mean, 1e-12)).sum())
    return Test(name, title, value, cells, float(special.chdtrc(cells, value)), meaning)


def _sums(owner: NDArray[np.int64], value: Floats) -> Floats:
    return np.asarray(np.bincount(owner, weights=value), np.float64)


def _by_facts(climber: Climber, expected: Expected, time: Floats, channel: Ints) -> list[Test]:
    """Acts of each kind while a fact stood away from its first level, against what was expected then.

    What the past lets believe of a fact weighs both, so what is seen less what is expected is a martingale. A kind
    whose rate was estimated has its total right; then only the split between the fact's levels is left to deviate.
    """
    problem = climber.problem
    model, d = problem.model, problem.design
    starts = problem.system.level_start
    kinds, kind_of = np.unique([c.act for c in model.channels[: model.n_acts]], return_inverse=True)
    fitted = np.zeros(len(kinds), bool)
    free = [p.place for p in problem.parameters if p.kind == "rate" and p.free]
    fitted[np.unique(kind_of[np.isin(d.term_linear[d.ground_term[d.channel_ground]], free)])] = True
    of_kind = np.zeros((expected.by_class.shape[1], len(kinds)))
    of_kind[np.arange(len(kind_of)), kind_of] = 1.0
    by_kind = expected.by_class @ of_kind
    # An act at exact times stands at the start of a piece; what was believed before it is that of the piece before.
    at = np.searchsorted(expected.edge, time) - (0 if problem.data.by_day else 1)
    at = np.clip(at, 0, len(by_kind) - 1)
    moving = moving_facts(problem.system)
    tests = []
    for s, fact in enumerate(model.facts):
        if not moving[s]:
            continue
        away = 1.0 - expected.belief[:, starts[s]]
        mean, whole = away @ by_kind, by_kind.sum(axis=0)
        seen = np.bincount(kind_of[channel], weights=away[at], minlength=len(kinds))
        spread = away**2 @ by_kind - np.where(fitted, mean**2 / np.maximum(whole, 1e-12), 0.0)
        told = (mean >= LEAST_EXPECTED) & (whole - mean >= LEAST_EXPECTED) & (spread > 0.5)
        if not told.any():
            continue
        z = (seen - mean)[told] / np.sqrt(spread[told])
        value, cells = float((z**2).sum()), int(told.sum())
        worst = kinds[told][int(np.abs(z).argmax())]
        levels = model.levels[s]
        stood = levels[1] if len(levels) == 2 else f"not {levels[0]}"
        more = "more" if z[int(np.abs(z).argmax())] > 0 else "less"
        tests.append(
            Test(
                f"fact {fact}", f"acts while {fact} was {stood}", value, cells,
                float(special.chdtrc(cells, value)),
                f"above all '{worst}' came {more} often than expected then: a gate is missing, or too much",
            )
        )  # fmt: skip
    return tests


def _stretches(mean: Floats, edge: Floats, each: float, most: int) -> tuple[Floats, Ints]:
    """(bounds in days, bounds as pieces) of stretches that expect equally much."""
    total = float(mean.sum())
    n = int(np.clip(total / each, 1, most))
    running = np.append(0.0, np.cumsum(mean))
    cut = np.searchsorted(running, np.linspace(0.0, total, n + 1) * (1 - 1e-12))
    cut[0], cut[-1] = 0, len(mean)
    cut = np.unique(cut).astype(np.int64)
    return edge[cut], cut


def _rows(what: str, begun: Floats, seen: Floats, mean: Floats, spread: Floats) -> list[dict[str, Any]]:
    return [
        {"what": what, "begin": float(a), "end": float(z), "seen": float(n), "expected": float(e), "spread": float(s)}
        for a, z, n, e, s in zip(begun[:-1], begun[1:], seen, mean, spread, strict=True)
    ]


def _course(expected: Expected, time: Floats, days: float) -> pl.DataFrame:
    """Seen and expected acts by even parts of the window, no shorter than `MONTH` and no more than `MOST_PARTS`."""
    n = int(np.clip(days / MONTH, 1, MOST_PARTS))
    bounds = np.linspace(0.0, days, n + 1)

    def parts(piece: Floats) -> Floats:
        # what lies across a bound is shared out by length
        return np.diff(np.interp(bounds, expected.edge, np.append(0.0, np.cumsum(piece))))

    return pl.DataFrame(
        {
            "begin": bounds[:-1],
            "end": bounds[1:],
            "seen": np.histogram(time, bounds)[0].astype(np.float64),
            "expected": parts(expected.total),
            "background": parts(expected.by_origin[:, 0]),
        }
    )


def _ranks(climber: Climber, vector: Floats, expected: Expected, time: Floats, n_classes: int, seed: int) -> Floats:
    """(days,) rank of each day's total among draws from its law given the days before, ties broken at random.

    The law is that of all descendants, within the day, of Poisson ancestors. Draws of it are ranked, not its
    distribution function, because that has a closed form only where all channels draw equally many answers; a rank
    among any number of draws is uniform exactly.
    """
    generator = np.random.default_rng(seed)
    n_days = len(expected.edge) - 1
    totals = _draw_totals(climber, vector, expected, n_classes, generator)
    seen = np.bincount(np.floor(time).astype(np.int64), minlength=n_days)[:n_days]
    below = (totals < seen[:, None]).sum(axis=1)
    level = (totals == seen[:, None]).sum(axis=1)
    place = below + generator.random(n_days) * (level + 1)
    return np.asarray(place / (DRAWS + 1))


def _draw_totals(
    climber: Climber, vector: Floats, expected: Expected, n_classes: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """(days, DRAWS) totals: ancestors, and their answers of the same day, generation after generation.

    An answer reads the facts of the morning, changed by the act that it answers. Answers are proposed as if every gate
    stood at its highest of all days, and kept with the share it stood at.
    """
    d = climber.problem.design
    ancestors = expected.morning
    n_days, mean = len(ancestors), ancestors.sum(axis=1)
    number = generator.poisson(mean[:, None], (n_days, DRAWS)).ravel()
    totals = number.astype(np.int64)
    if len(d.out_slot) == 0:
        return totals.reshape(n_days, DRAWS)
    gate, of_edge = _gates_of_answers(climber, vector, expected)
    group = d.slot_group[d.out_slot]
    calm, target = d.group_calm[group], np.repeat(np.arange(len(d.channel_ground)), np.diff(d.slot_start))[d.out_slot]
    highest = gate.max(axis=0)
    again = d.mechanism_repeats[d.group_mechanism[group]] > 0
    worth = _worth(climber, n_days)
    mass = _same_day_mass(climber, vector) * highest[of_edge] * np.where(again, 1.0, worth.max())
    running = np.append(0.0, np.cumsum(mass))
    kappa = running[d.out_start[1:]] - running[d.out_start[:-1]]
    share = np.cumsum(ancestors / np.maximum(mean[:, None], 1e-300), axis=1)
    flat = (np.minimum(share, 1.0) + np.arange(n_days)[:, None]).ravel()
    cell = np.repeat(np.arange(n_days * DRAWS), number)
    day = cell // DRAWS
    kind = np.clip(np.searchsorted(flat, day + generator.random(len(day))) - day * n_classes, 0, n_classes - 1)
    while len(cell):
        children = generator.poisson(kappa[kind])
        cell, kind = np.repeat(cell, children), np.repeat(kind, children)
        edge = np.searchsorted(running, running[d.out_start[kind]] + generator.random(len(kind)) * kappa[kind], "right")
        edge = np.clip(edge - 1, d.out_start[kind], d.out_start[kind + 1] - 1)
        day = cell // DRAWS
        stands = gate[day, of_edge[edge]] / np.maximum(highest[of_edge[edge]], 1e-300)
        stands *= np.where(again[edge], 1.0, worth[day] / worth.max())
        kept = generator.random(len(edge)) < stands * expected.calm[day, calm[edge]]
        cell, kind = cell[kept], target[edge[kept]]
        np.add.at(totals, cell, 1)
    return totals.reshape(n_days, DRAWS)


def _worth(climber: Climber, n_days: int) -> Floats:
    """(days,) what a seen act counts as a cause, times the known share of its answers that is seen that day."""
    layer = climber.problem.layer
    if layer is None:
        return np.ones(n_days)
    window = slice(-layer.origin, -layer.origin + n_days)
    shown = layer.lasting if layer.counts_unseen else layer.seen
    worth = (1.0 - (layer.repeats or 0.0)) / np.maximum(shown[window], 1e-3)
    return np.asarray(worth * layer.known[window])


def _same_day_mass(climber: Climber, vector: Floats) -> Floats:
    """(edges,) answers of the same day that an act expects over each of its edges, were every gate 1."""
    problem = climber.problem
    d, decay = problem.design, problem.decay(vector)
    echo = np.array(
        [
            sum(d.kernel_share[j] * same_day(decay[j]) for j in range(d.kernel_start[m], d.kernel_start[m + 1]))
            for m in range(len(d.kernel_start) - 1)
        ]
    )
    mechanism = d.group_mechanism[d.slot_group[d.out_slot]]
    return np.asarray(d.out_mass * vector[problem.n_rates + mechanism] * echo[mechanism])


def _gates_of_answers(climber: Climber, vector: Floats, expected: Expected) -> tuple[Floats, Ints]:
    """(days, columns) gates that answers of the same day read, and the column of each edge.

    Acts that change nothing an answer reads share the morning's gates; others have columns of their own.
    """
    problem = climber.problem
    d = problem.design
    facts = drift(problem.system, problem.model.n_acts)
    slope = problem.terms.slopes(vector[problem.n_linear : problem.n_smooth])
    pair = d.group_pair[d.slot_group[d.out_slot]]
    used, column = np.unique(pair, return_inverse=True)
    columns = [gate_values(d, facts, slope, expected.belief, used)]
    n_columns = len(used)
    for c in np.flatnonzero(np.diff(facts.start) > 0):
        changes = facts.fact[facts.start[c] : facts.start[c + 1]]
        edges = np.arange(d.out_start[c], d.out_start[c + 1])
        reads = [
            e for e in edges
            if np.isin(d.pair_fact[d.pair_fact_start[pair[e]] : d.pair_fact_start[pair[e] + 1]], changes).any()
        ]  # fmt: skip
        if not reads:
            continue
        own, where = np.unique(pair[reads], return_inverse=True)
        after = expected.belief.copy()
        for k in range(facts.start[c], facts.start[c + 1]):
            cells = slice(int(facts.level_start[facts.fact[k]]), int(facts.level_start[facts.fact[k] + 1]))
            after[:, cells] *= 1.0 - facts.probability[k]
            after[:, cells.start + facts.level[k]] += facts.probability[k]
        columns.append(gate_values(d, facts, slope, after, own))
        column[reads] = n_columns + where
        n_columns += len(own)
    return np.concatenate(columns, axis=1), column.astype(np.int64)
