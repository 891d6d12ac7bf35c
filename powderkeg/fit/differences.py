"""What differs, told: by how much actors differ, how busy each is, the course of each group, and how it may go on.

In: a `VaryingClimber` at its maximum. Out: frames for tables and figures, plain data for `--json`, estimates of the
moves' rates with their covariance, and draws of courses beyond the window for forecasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.fit.differing_scenario import pair_factors
from powderkeg.fit.estimates import Estimate
from powderkeg.fit.likelihood.effects import COMMON, GROUP
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.likelihood.varying_objective import LEAST_SD
from powderkeg.fit.maximum.bounded import FitLaw
from powderkeg.fit.maximum.climb import Solution
from powderkeg.fit.maximum.covariance import Covariance
from powderkeg.fit.maximum.told_rates import log_rate_slopes, rates_at, rates_by_path, tell
from powderkeg.fit.maximum.varying import VaryingClimber
from powderkeg.wording import bracketed, plain

AT_BOUND = 1.05
"""Standard deviations up to this many times the least one are told as 0: nothing differs."""
POOLED = "pooled by act"
"""Note of rates that were drawn around one rate of their act."""
WORDS = {COMMON: "course, from step to step", GROUP: "courses of groups, from step to step"}
EFFECTS = {"what": pl.String, "name": pl.String, "times": pl.Float64, "low": pl.Float64, "high": pl.Float64,
           "events": pl.Int64}  # fmt: skip
SPREADS = {"what": pl.String, "numbers": pl.Int64, "sd": pl.Float64, "low": pl.Float64, "high": pl.Float64,
           "times": pl.Float64, "edf": pl.Float64}  # fmt: skip
STEPS = {"group": pl.String, "from": pl.Date, "until": pl.Date, "times": pl.Float64, "low": pl.Float64,
         "high": pl.Float64}  # fmt: skip


def spreads(climber: VaryingClimber, level: float) -> list[dict[str, Any]]:
    """For each kind of difference: how many numbers, their standard deviation with an interval, degrees of freedom.

    The interval is that of a standard deviation seen in as many numbers as there are effective degrees of freedom.
    """
    rows = []
    for block, sd, edf in zip(climber.laws.blocks, climber.spread.sd, climber.laws.edf(climber.spread), strict=True):
        none = bool(sd <= AT_BOUND * LEAST_SD[bool(block.rows)])
        z = float(special.ndtri(0.5 + 0.5 * level)) / np.sqrt(2.0 * max(float(edf), 0.5))
        rows.append(
            {
                "what": block.name,
                "numbers": block.rank,
                "sd": 0.0 if none else float(sd),
                "low": 0.0 if none else float(sd * np.exp(-z)),
                "high": None if none else float(sd * np.exp(z)),
                "times": 1.0 if none else float(np.exp(sd)),
                "edf": max(float(edf), 0.0),
            }
        )
    return rows


def effects(climber: VaryingClimber, vector: Floats, level: float) -> pl.DataFrame:
    """How many times the usual rate each sender, receiver, dyad and act in a dyad has by itself.

    columns  what, name, times, low, high (at `level`, given the other numbers), events
    """
    problem, blocks = climber.problem, climber.laws.blocks
    own, z = vector[problem.effect_places], float(special.ndtri(0.5 + 0.5 * level))
    counts = np.bincount(problem.data.channel[problem.data.time >= 0], minlength=len(problem.design.channel_ground))
    assert problem.varying is not None
    columns = iter(problem.varying.effects.level.T)
    rows = []
    for block in blocks:
        if block.rows:
            continue
        column = next(columns)
        for k, label in enumerate(block.labels):
            at = block.first + k
            sd = float(np.sqrt(max(climber.spread.covariance[at, at], 0.0)))
            rows.append(
                {
                    "what": block.name,
                    "name": label,
                    "times": float(np.exp(own[at])),
                    "low": float(np.exp(own[at] - z * sd)),
                    "high": float(np.exp(own[at] + z * sd)),
                    "events": int(counts[column == at].sum()),
                }
            )
    return pl.DataFrame(rows, schema=EFFECTS)


def courses(climber: VaryingClimber, vector: Floats, level: float, start: date) -> pl.DataFrame:
    """The course of each group: factor on its rates in each stretch of time, mean 1 over the window.

    columns  group, from, until (not included), times, low, high
    """
    problem = climber.problem
    told = tell(problem, vector, climber.spread)
    if problem.varying is None or problem.varying.steps is None:
        return pl.DataFrame(schema=STEPS)
    z = float(special.ndtri(0.5 + 0.5 * level))
    first = [float(problem.shape.time[:-1][problem.shape.row == h].min()) for h in range(len(told.share))]
    days = [start + timedelta(days=int(t)) for t in [*first, problem.data.days]]
    rows = [
        {"group": name, "from": days[h], "until": days[h + 1], "times": float(told.course[g, h]),
         "low": float(told.course[g, h] * np.exp(-z * told.sd[g, h])),
         "high": float(told.course[g, h] * np.exp(z * told.sd[g, h]))}
        for g, name in enumerate(told.names)
        for h in range(len(first))
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=STEPS)


@dataclass(frozen=True)
class CoursesAhead:
    """Courses beyond the window. G groups, K stretches of time.

    names   (G,) of the groups;  group (C,) which one each channel follows
    time    (K + 1,) days after the end of the window
    times   (draws, G, K) factor on the channels' mean rates over the window
    """

    names: tuple[str, ...]
    group: Any
    time: Floats
    times: Floats


def ahead(climber: VaryingClimber, vector: Floats, days: float, draws: int, seed: int) -> CoursesAhead:
    """Courses that go on as they were: from a draw of where they stand, a random walk with the steps it had.

    Where nothing wanders the course stays at its last value in every draw.
    """
    problem, spread = climber.problem, climber.spread
    told = tell(problem, vector, spread)
    varying = problem.varying
    assert varying is not None
    wide = float(np.median(np.diff(problem.shape.time[np.append(np.flatnonzero(np.diff(problem.shape.row, prepend=-1)),
                                                                len(problem.shape.row))])))  # fmt: skip
    count = max(int(np.ceil(days / wide)), 1)
    time = np.minimum(np.arange(count + 1) * wide, days)
    rng = np.random.default_rng([seed, draws, 0x77616C6B])
    n_groups, n_rows = told.course.shape
    log = np.zeros((draws, n_groups, count))
    steps = {block.name: float(sd) for block, sd in zip(varying.blocks, spread.sd, strict=True) if block.rows}
    if not steps:
        return CoursesAhead(told.names, told.group, time, np.tile(told.course[None, :, -1:], (draws, 1, count)))
    columns = varying.effects.course
    places = np.stack([columns[np.flatnonzero(told.group == g)[0]] for g in range(n_groups)])  # (G, b)
    at = (places[:, :, None] + np.arange(n_rows)).reshape(-1)
    own, inverse = np.unique(at, return_inverse=True)
    values, axes = np.linalg.eigh(spread.covariance[np.ix_(own, own)])
    root = axes * np.sqrt(np.maximum(values, 0.0))
    drawn = vector[problem.effect_places][own] + rng.standard_normal((draws, len(own))) @ root.T
    whole = drawn[:, inverse.ravel()].reshape(draws, n_groups, -1, n_rows).sum(axis=2)
    level = np.log(np.exp(whole) @ told.share)
    log += (whole[:, :, -1] - level)[:, :, None]
    common = rng.standard_normal((draws, 1, count)) * steps.get(COMMON, 0.0)
    apart = rng.standard_normal((draws, n_groups, count)) * steps.get(GROUP, 0.0)
    return CoursesAhead(told.names, told.group, time, np.exp(log + np.cumsum(common + apart, axis=2)))


def with_rates(
    climber: VaryingClimber, solution: Solution, spread: Covariance, estimates: dict[str, Estimate], level: float
) -> tuple[dict[str, Estimate], Floats, tuple[str, ...]]:
    """Estimates with every move's own rate, their covariance, and the paths that it covers.

    A rate is the mean over the move's pairs and over the window, on the scale of its logarithm.
    """
    problem, vector = climber.problem, solution.vector
    varying = problem.varying
    assert varying is not None
    told = tell(problem, vector, climber.spread)
    z = float(special.ndtri(0.5 + 0.5 * level))
    before = {p.path: p.value for p in problem.model.parameters}
    place_of = {p.path: p.place for p in problem.parameters}
    result, slopes, paths = {}, [], []
    path_of = np.array(varying.rate_path, dtype=object)
    for path, rate in rates_by_path(problem, told).items():
        own = estimates.get(path)
        if own is not None and not own.free:
            result[path] = own
            continue
        channels = np.flatnonzero(path_of == path)
        slope = log_rate_slopes(problem, vector, climber.spread, channels)
        row = _over(problem, spread, slope)
        sd = max(float(row @ spread.matrix @ row), 0.0) ** 0.5
        note = POOLED if own is None else own.note
        known = 0.0 < sd < 10.0 and rate > 0.0
        result[path] = Estimate(
            path, "rate", rate, rate * sd if known else None, rate * float(np.exp(-z * sd)) if known else None,
            rate * float(np.exp(z * sd)) if known else None, True, before.get(path, 0.0), "wald" if known else "", note,
        )  # fmt: skip
        if known:
            slopes.append(rate * row)
            paths.append(path)
    for path, e in estimates.items():
        if e.kind != "rate":
            result[path] = e
            if e.free and path in place_of and spread.spread(place_of[path]) is not None:
                row = (spread.places == place_of[path]).astype(np.float64)
                slopes.append(row)
                paths.append(path)
    matrix = np.array(slopes).reshape(len(paths), len(spread.places))
    return result, matrix @ spread.matrix @ matrix.T, tuple(paths)


def law_by_path(
    climber: VaryingClimber, vector: Floats, law: FitLaw, parameters: Mapping[str, Estimate]
) -> tuple[tuple[str, ...], Floats, Floats]:
    """(paths, covariance, slope) of what a fit left open, moves' rates as the means that they are told as, and the
    logarithms of what their pairs have times that (`pair_factors`). Courses are not among them: they stay."""
    problem = climber.problem
    assert problem.varying is not None
    at = {int(place): k for k, place in enumerate(law.places)}
    place_of = {p.path: p.place for p in problem.parameters}
    path_of = np.array(problem.varying.rate_path, dtype=object)
    paths, rows, slope = [], [], []

    def of_rate(channels: Ints) -> Floats:
        whole = np.zeros(len(problem.start))
        whole[: problem.n_smooth] = log_rate_slopes(problem, vector, climber.spread, channels)
        return np.asarray(whole[law.places])

    for path, e in parameters.items():
        row = np.zeros(len(law.places))
        if e.free and e.kind == "rate" and e.estimate > 0.0:
            row = e.estimate * of_rate(np.flatnonzero(path_of == path))
        elif e.free and place_of.get(path, -1) in at:
            row[at[place_of[path]]] = 1.0
        if row.any():
            paths.append(path)
            rows.append(row)
            own = at.get(place_of.get(path, -1))
            slope.append(0.0 if own is None or e.kind == "rate" else float(law.slope[own]))
    for own_channels, pairs in _pairs_told(climber, vector):
        of_move = of_rate(own_channels)
        for path, k in pairs:
            row = of_rate(np.array([k])) - of_move
            if row.any():
                paths.append(path)
                rows.append(row)
                slope.append(0.0)
    matrix = np.array(rows).reshape(len(paths), len(law.places))
    return tuple(paths), matrix @ law.matrix @ matrix.T, np.array(slope)


def drawn_by_path(
    climber: VaryingClimber, vector: Floats, paths: tuple[str, ...], vectors: Floats
) -> tuple[tuple[str, ...], Floats]:
    """(those of `paths` that are moves' rates or pairs' factors, (N, K) what they are at each of N vectors)."""
    problem = climber.problem
    assert problem.varying is not None
    path_of = np.array(problem.varying.rate_path, dtype=object)
    rates = np.array([rates_at(problem, one) for one in vectors])
    found = {path: rates[:, path_of == path].mean(axis=1) for path in paths if (path_of == path).any()}
    for own, pairs in _pairs_told(climber, vector):
        found |= {path: rates[:, k] / rates[:, own].mean(axis=1) for path, k in pairs if path in paths}
    kept = tuple(path for path in paths if path in found)
    return kept, np.stack([found[path] for path in kept], axis=1) if kept else np.zeros((len(vectors), 0))


def _pairs_told(climber: VaryingClimber, vector: Floats) -> Iterator[tuple[Ints, list[tuple[str, int]]]]:
    """Of each move with pairs that have a factor of their own: its channels, and for these pairs (key path of the
    factor, channel)."""
    problem = climber.problem
    told = tell(problem, vector, climber.spread)
    channels = problem.model.channels[: problem.model.n_acts]
    by_move: dict[str, list[int]] = {}
    for k, c in enumerate(channels):
        by_move.setdefault(str(c.move), []).append(k)
    for move, own in by_move.items():
        pairs = [
            (f"moves.{move}.times.{channels[k].source}.{channels[k].target}", k)
            for k, factor in pair_factors(told, own).items()
            if factor > 0.0
        ]
        if pairs:
            yield np.array(own), pairs


def _over(problem: Problem, spread: Covariance, slope: Floats) -> Floats:
    """A derivative by the smooth parameters as one by the places of a covariance."""
    whole = np.zeros(len(problem.start))
    whole[: problem.n_smooth] = slope
    return np.asarray(whole[spread.places])


def advice_of(climber: VaryingClimber, vector: Floats) -> list[str]:
    """What to know about differences: none seen, actors of one event, groups without any."""
    said = []
    rows = spreads(climber, 0.9)
    none = [WORDS.get(row["what"], row["what"]) for row in rows if row["sd"] == 0.0]
    if none:
        said.append(f"no difference by {', '.join(none)} is seen in these events: its spread is estimated as 0")
    known = effects(climber, vector, 0.9)
    seldom = known.filter(pl.col("what").is_in(["sender", "receiver"]) & (pl.col("events") <= 1))["name"].unique()
    if len(seldom):
        shown = ", ".join(sorted(seldom.cast(pl.String).to_list())[:6])
        said.append(
            f"actors with one event or none: {shown}{' and others' if len(seldom) > 6 else ''}; what is said of their "
            "rates is what is usual, drawn towards that event"
        )
    problem = climber.problem
    free = len(known)
    events = int((problem.data.time >= 0).sum())
    if free > events:
        said.append(
            f"{free} differences from {events} events: each is hardly more than its law; fewer actors, or fewer kinds"
        )
    return said


def lines(known: pl.DataFrame) -> list[str]:
    """The differences in words, for the summary."""
    if known.is_empty():
        return []
    said = ["", "what differs (the usual factor between one and the next; degrees of freedom that the events fill)"]
    for row in known.iter_rows(named=True):
        what = WORDS.get(row["what"], row["what"])
        if row["sd"] == 0.0:
            said.append(f"{what:<36}  none seen")
            continue
        span = bracketed(np.exp(row["low"]), np.exp(row["high"]))
        said.append(f"{what:<36}  {plain(row['times']):>8}  {span:>16}  {row['edf']:.1f} of {row['numbers']}")
    return said
