"""How many die in an act: the numbers of its law from events that say it.

In: the scenario's laws of deaths, the events of a fit, what is free. Out: an estimate for each number, how well the
law fits, and what to know about it. Dead say nothing of when acts happen and depend on nothing else that a fit finds,
so the likelihood is a factor of its own: binomial for acts without dead, and that of a lognormal number rounded up.

Intervals: Clopper and Pearson's for the share without dead, profile intervals for median and spread, which hang
together where most acts kill one.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import optimize, special

from powderkeg.analyze import intervals
from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError
from powderkeg.fit.estimates import Estimate
from powderkeg.model import Model
from powderkeg.model.deaths import DeathNumbers, laws_of
from powderkeg.scenario.deaths import MOST_MEDIAN, MOST_SPREAD
from powderkeg.wording import chance

FEWEST_DEADLY = 10
"""Acts with dead below which median and spread are held."""
LEAST_MEDIAN = 1e-4
LEAST_WIDTH = 0.02
"""Least log spread that is looked for: below it all acts have as many dead."""
MOST_TOLD = 0.8
"""Share of an act's events with a number of dead below which it is said."""
FEWEST_EXPECTED = 5.0
"""Acts expected in each class of numbers that the law is held against."""
UNLIKELY = 0.01
LARGE = 1e4
HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
EDGES = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True)
class FittedDeaths:
    """A law found. acts: those whose dead are told; deadly: of them those with dead; dead: all of these; most: in one.

    p  chance of a worse fit of the law to classes of numbers (chi-square), None where there are too few
    """

    act: str
    acts: int
    deadly: int
    dead: int
    most: int
    p: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class DeathFits:
    """Estimates by key path, the laws found, and what to know about them."""

    estimates: dict[str, Estimate]
    found: tuple[FittedDeaths, ...]
    said: tuple[str, ...]


def death_paths(act: str) -> tuple[str, str, str]:
    """Key paths of the numbers of an act's law."""
    return f"acts.{act}.deaths.none", f"acts.{act}.deaths.median", f"acts.{act}.deaths.spread"


def asked_deaths(
    model: Model, free: Sequence[str] | None, fix: Sequence[str] | None
) -> tuple[set[str], Sequence[str] | None, Sequence[str] | None]:
    """(paths of laws that are free, what else is free, what else is held): the model itself has no such numbers.

    Raises UsageError where nothing but laws is free: they are found beside a fit, which has then nothing to find.
    """
    paths = [path for act in laws_of(model) for path in death_paths(act)]
    known = [p.path for p in model.parameters]

    def rest(asked: Sequence[str] | None) -> Sequence[str] | None:
        if asked is None:
            return None
        asked = [asked] if isinstance(asked, str) else list(asked)
        return [one for one in asked if _names(one, known) or not _names(one, paths)]

    wanted = {path for path in paths if free is None or any(_names(one, [path]) for one in _listed(free))}
    wanted -= {path for path in paths if any(_names(one, [path]) for one in _listed(fix or ()))}
    others = rest(free)
    if wanted and others is not None and not others:
        raise UsageError(
            Fault.at("free", f"nothing but {', '.join(sorted(wanted))}",
                  "a rate, answers or a half-life beside it: how many die is found with them and changes none"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    return wanted, others, rest(fix)


def _listed(asked: Sequence[str]) -> Sequence[str]:
    return [asked] if isinstance(asked, str) else asked


def _names(one: str, paths: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") or fnmatch.fnmatchcase(path, one) for path in paths)


def fit_deaths(model: Model, frame: pl.DataFrame, wanted: set[str], level: float) -> DeathFits:
    """The laws of a scenario's acts, from rows of events with a column `deaths`; rows without a number say nothing.

    wanted  key paths that are free; the others keep the scenario's numbers
    """
    estimates: dict[str, Estimate] = {}
    found: list[FittedDeaths] = []
    said: list[str] = []
    laws = laws_of(model)
    has = "deaths" in frame.columns
    if has and not laws:
        said += _could_have(model, frame)
    for act, law in laws.items():
        rows = frame.filter(pl.col("act").cast(pl.String) == act)
        own = rows["deaths"].drop_nulls() if has else pl.Series([], dtype=pl.Float64)
        numbers = own.to_numpy().astype(np.float64)
        told = np.rint(numbers[np.isfinite(numbers) & (numbers >= 0.0)])
        free = {path for path in death_paths(act) if path in wanted}
        if free and not len(told):
            said.append(f"no event says how many died in the act {act}: acts.{act}.deaths keeps the scenario's numbers")
            free = set()
        elif free and len(told) < MOST_TOLD * rows.height:
            said.append(
                f"{len(told):,} of {rows.height:,} acts of {act} say how many died; the others are taken to be like "
                "them, which they are not where a source leaves out the number of those without dead"
            )
        one, words = fit_numbers(act, law, told, free, level)
        estimates |= one
        said += words
        if free:
            after = DeathNumbers(*(one[path].estimate for path in death_paths(act)))
            deadly = told[told > 0]
            p = law_fits(deadly, after, len(free & set(death_paths(act)[1:])))
            most = int(told.max())
            found.append(FittedDeaths(act, len(told), len(deadly), int(told.sum()), most, p))
            if p is not None and p < UNLIKELY:
                said.append(
                    f"the dead of the act {act} do not follow the law well (p {chance(p)}): means and large numbers "
                    "drawn from it may be off; different kinds of attack may need acts of their own"
                )
    return DeathFits(estimates, tuple(found), tuple(said))


def _could_have(model: Model, frame: pl.DataFrame) -> list[str]:
    """Acts that kill in the scenario, and of which the events say how many died."""
    if model.scenario is None:
        return []
    kills = [name for name, act in model.scenario.acts.items() if act.hurts == "death"]
    deadly = frame.filter(pl.col("deaths") > 0)["act"].cast(pl.String).unique().to_list()
    acts = [name for name in kills if name in deadly]
    if not acts:
        return []
    return [
        f"the events say how many died in {', '.join(acts)}; give such an act a law "
        "(deaths: {median: 2, spread: 2}) to have its numbers found"
    ]


def fit_numbers(
    act: str, law: DeathNumbers, told: Floats, free: set[str], level: float
) -> tuple[dict[str, Estimate], list[str]]:
    """Estimates of one act's numbers, those held included."""
    paths = death_paths(act)
    said: list[str] = []
    before = dict(zip(paths, (law.none, law.median, law.spread), strict=True))
    result = {path: Estimate(path, "deaths", value, None, None, None, False, value) for path, value in before.items()}
    deadly = told[told > 0]
    if paths[0] in free:
        n, k = len(told), len(told) - len(deadly)
        share, low, high, _ = intervals.proportion(k, n, level)
        assert share is not None
        error = float(np.sqrt(share * (1.0 - share) / n)) or None
        result[paths[0]] = Estimate(paths[0], "deaths", share, error, low, high, True, law.none, "exact")
    asked = [path for path in paths[1:] if path in free]
    if not asked:
        return result, said
    if len(deadly) < FEWEST_DEADLY or len(np.unique(deadly)) < 2:
        why = f"{len(deadly)} of {len(told)} acts of {act} have dead"
        why += "" if len(deadly) < FEWEST_DEADLY else f", all as many ({deadly[0]:.0f})"
        said.append(f"{why}: {' and '.join(asked)} keep the scenario's numbers")
        return result, said
    top = np.array([np.log(law.median), np.log(law.spread)])
    open_ = np.array([path in free for path in paths[1:]])
    top, value = _best(deadly, top, open_)
    for j, path in enumerate(paths[1:]):
        if not open_[j]:
            continue
        low, high = (_end(deadly, top, open_, j, value, level, sign) for sign in (-1.0, 1.0))
        error = _error(deadly, top, open_, j)
        number = float(np.exp(top[j]))
        result[path] = Estimate(path, "deaths", number, None if error is None else number * error,
                                float(np.exp(low)), float(np.exp(high)), True, before[path], "profile")  # fmt: skip
    return result, said


LIMITS = np.array([[np.log(LEAST_MEDIAN), np.log(MOST_MEDIAN)], [LEAST_WIDTH, np.log(MOST_SPREAD)]])
"""Of the log of the median, and of the standard deviation of log numbers."""


def log_likelihood(deadly: Floats, m: float, s: float) -> float:
    """Of numbers of dead, 1 or more: ceil(X) where log X is normal with mean m and standard deviation s."""
    number, count = np.unique(deadly, return_counts=True)
    b = (np.log(number) - m) / s
    with np.errstate(divide="ignore"):
        a = (np.log(number - 1.0) - m) / s
    # the tail that is smaller keeps the difference exact
    right = a > 0
    upper, lower = np.where(right, -a, b), np.where(right, -b, a)
    log = special.log_ndtr(upper)
    with np.errstate(divide="ignore"):
        log = log + np.log(-np.expm1(np.minimum(special.log_ndtr(lower) - log, 0.0)))
    # of large numbers the difference drowns in rounding, and the density is as good
    middle = np.log(number) - 0.5 / number
    log = np.where(number > LARGE, -0.5 * ((middle - m) / s) ** 2 - np.log(s) - middle - HALF_LOG_2PI, log)
    return float(count @ np.maximum(log, -1e10))


def _best(deadly: Floats, start: Floats, free: np.ndarray) -> tuple[Floats, float]:
    """The likeliest (m, s) and its log likelihood; what is not free stays at `start`."""
    start = np.clip(start, LIMITS[:, 0], LIMITS[:, 1])
    middle = np.log(np.maximum(deadly - 0.5, 0.5))
    guess = np.clip([middle.mean(), max(middle.std(), 0.3)], LIMITS[:, 0], LIMITS[:, 1])
    if free.sum() == 1:
        j = int(np.flatnonzero(free)[0])
        return _along(deadly, start, 1 - j, float(start[1 - j]))
    made = optimize.minimize(
        lambda x: -log_likelihood(deadly, x[0], x[1]), guess, method="Nelder-Mead", bounds=LIMITS,
        options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000},
    )  # fmt: skip
    return np.asarray(made.x), -float(made.fun)


def _along(deadly: Floats, top: Floats, j: int, value: float) -> tuple[Floats, float]:
    """The best with number j held at a value."""
    other = 1 - j
    at = np.array(top, dtype=np.float64)
    at[j] = value

    def loss(x: float) -> float:
        at[other] = x
        return -log_likelihood(deadly, at[0], at[1])

    made = optimize.minimize_scalar(loss, bounds=tuple(LIMITS[other]), method="bounded", options={"xatol": 1e-7})
    at[other] = float(made.x)
    return at, -float(made.fun)


def _end(deadly: Floats, top: Floats, free: np.ndarray, j: int, value: float, level: float, sign: float) -> float:
    """Where twice the log likelihood lost by holding number j there comes to the quantile of chi-square, or its bound
    where it does not."""
    lost = 0.5 * float(special.chdtri(1, 1.0 - level))

    def over(x: float) -> float:
        at = np.array(top)
        at[j] = x
        best = _along(deadly, at, j, x)[1] if free.all() else log_likelihood(deadly, at[0], at[1])
        return value - best - lost

    bound = float(LIMITS[j, 0 if sign < 0 else 1])
    step, near = 0.05, float(top[j])
    while True:
        far = near + sign * step
        far = max(far, bound) if sign < 0 else min(far, bound)
        if over(far) > 0:
            return float(optimize.brentq(over, *sorted((near, far)), xtol=1e-6))
        if far == bound:
            return bound
        near, step = far, 2.0 * step


def _error(deadly: Floats, top: Floats, free: np.ndarray, j: int) -> float | None:
    """Standard error on the log scale from the curvature, None where there is none."""
    h = 1e-3
    hessian = np.zeros((2, 2))
    for a in range(2):
        for b in range(2):
            total = 0.0
            for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                at = top.copy()
                at[a] += x * h
                at[b] += y * h
                total += x * y * log_likelihood(deadly, at[0], max(at[1], 1e-6))
            hessian[a, b] = total / (4.0 * h * h)
    kept = np.flatnonzero(free)
    inner = -hessian[np.ix_(kept, kept)]
    if not (np.isfinite(inner).all() and (np.linalg.eigvalsh(inner) > 0).all()):
        return None
    place = int(np.searchsorted(kept, j))
    return float(np.sqrt(np.linalg.inv(inner)[place, place]))


def law_fits(deadly: Floats, law: DeathNumbers, free: int) -> float | None:
    """Chance of a worse fit, by chi-square over classes of numbers with five acts expected or more; None where fewer
    than two degrees of freedom are left."""
    m, s = float(np.log(law.median)), max(float(np.log(law.spread)), 1e-9)
    edges = np.array([0.0, *EDGES, np.inf])
    with np.errstate(divide="ignore"):
        below = special.ndtr((np.log(edges) - m) / s)
    expected, seen = np.diff(below) * len(deadly), np.histogram(deadly, np.append(edges[:-1] + 0.5, np.inf))[0]
    classes: list[list[float]] = []
    for e, n in zip(expected, seen, strict=True):
        if classes and classes[-1][0] < FEWEST_EXPECTED:
            classes[-1][0] += e
            classes[-1][1] += n
        else:
            classes.append([float(e), float(n)])
    while len(classes) > 1 and classes[-1][0] < FEWEST_EXPECTED:
        e, n = classes.pop()
        classes[-1][0] += e
        classes[-1][1] += n
    freedom = len(classes) - 1 - free
    if freedom < 2:
        return None
    return float(special.chdtrc(freedom, sum((n - e) ** 2 / e for e, n in classes)))
