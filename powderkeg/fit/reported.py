"""What was found of a source's reporting, with its errors, in numbers and in words.

In: a settled layer, the problem it lay over, the covariance of the fit. Out: a `Reported`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from powderkeg.engine.arrays import Floats
from powderkeg.errors import argument
from powderkeg.fit.likelihood.layer import SELDOM, Layer
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.covariance import Covariance
from powderkeg.scenario import WEEKDAYS

Spread = Callable[[Floats], float | None]
UNSETTLED = 0.01
"""Move of a further round, of a log factor or as a share of all acts, from which it is said."""
ENTANGLED = 0.9
"""Correlation from which two estimates are said not to be told apart."""


@dataclass(frozen=True)
class Share:
    """How much a kind of day, or an epoch of the source, shows, relative to the mean.

    name        monday to sunday, holiday, ordinary; the first day of an epoch, or "before"
    days        days of the window that are so;  events seen on them
    factor      how often an act is seen, a mean day being 1
    se, low, high   None where it was held
    """

    name: str
    days: int
    events: int
    factor: float
    se: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Reported:
    """What a source shows of what happens.

    source      its name
    shares      kinds of day;  breaks: epochs of the source
    country     whose holidays they are, None for a table;  holidays: the days of that table
    coverage    whether the source's known volume was taken into account
    repeats     share of reports that are further ones of an act, with se, low, high; None where not asked for
    detection   act -> known share reported
    unseen          share of all acts that were not seen, if a usual working day shows all
    rounds_left     largest move that a further round would make
    tried           what was chosen among by AIC and held-out blocks, empty where nothing was left to it
    warnings    sentences on what cannot be told apart
    said        whether all of it is what the scenario says, and nothing was estimated
    """

    source: str
    shares: tuple[Share, ...]
    breaks: tuple[Share, ...]
    country: str | None
    holidays: tuple[date, ...]
    coverage: bool
    repeats: tuple[float, float | None, float | None, float | None] | None
    detection: dict[str, float]
    unseen: float
    rounds_left: float
    tried: pl.DataFrame
    warnings: tuple[str, ...]
    said: bool = False

    @property
    def reports_an_act(self) -> float:
        """Mean number of reports of one act."""
        return 1.0 if self.repeats is None else 1.0 / (1.0 - self.repeats[0])

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        shares = [vars(one) for one in self.shares]
        weekday = [one for one in shares if one["name"] in WEEKDAYS]
        repeats = None if self.repeats is None else dict(zip(("share", "se", "low", "high"), self.repeats, strict=True))
        return {
            "source": self.source,
            "said_by_the_scenario": self.said,
            "weekday": weekday or None,
            "holidays": next(({**one, "country": self.country} for one in shares if one["name"] == "holiday"), None),
            "breaks": [vars(one) for one in self.breaks] or None,
            "coverage": self.coverage,
            "batches": None if repeats is None else {**repeats, "reports_an_act": self.reports_an_act},
            "detection": self.detection or None,
            "unseen": self.unseen,
            "settled_within": self.rounds_left,
            "tried": self.tried.to_dicts() or None,
            "warnings": list(self.warnings),
        }

    def lines(self, level: float) -> list[str]:
        """In words."""
        percent = f"{100 * level:.0f} %"
        how = "as the scenario says" if self.said else f"{percent} intervals"
        lines = [f"what the source ({self.source}) shows of what happens, a mean day being 1 ({how})"]
        lines += [
            f"  {'chosen' if row['chosen'] else 'tried'}: {row['reporting']} (AIC {row['aic']:.1f}{_foretold(row)})"
            for row in self.tried.to_dicts()
        ]
        for one in self.shares:
            article = "an" if one.name[0] in "aeiou" else "a"
            day = one.name.capitalize() if one.name in WEEKDAYS else f"{one.name} day".replace("holiday day", "holiday")
            if one.factor == 0:
                lines.append(f"  {article} {day}'s acts are never seen: none of {one.days} days has an event")
            else:
                often = f"{one.factor:.2f} times as often as a mean day's"
                lines.append(f"  {article} {day}'s act is seen {often}{_span(one)}")
        for one in self.breaks:
            since = "before the first break" if one.name == "before" else f"from {one.name} on"
            lines.append(f"  {since} the source shows {one.factor:.2f} times as much as on average{_span(one)}")
        if self.coverage:
            of = "level" if self.said else "volume of all news"
            lines.append(f"  its {of} was taken as known coverage")
        if self.unseen > 0.005:
            lines.append(
                f"  {100 * self.unseen:.0f} % of all acts went unseen, if a usual working day shows all; rates and "
                "answers are those of acts, seen or not"
            )
        for act, share in self.detection.items():
            lines.append(f"  {100 * share:.0f} % of '{act}' are reported, as given")
        if self.repeats is not None:
            share, _, low, high = self.repeats
            span = "" if low is None or high is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
            lines.append(
                f"  {100 * share:.0f} % of reports{span} tell an act once more: an act has {self.reports_an_act:.2f} "
                "reports on average, and counts once as a cause"
            )
        return lines


def _span(one: Share) -> str:
    return ", held" if one.low is None or one.high is None else f" [{one.low:.2f}, {one.high:.2f}]"


def _foretold(row: dict[str, Any]) -> str:
    """What it scored on blocks that it was not fitted to, in words; nothing where there is too little."""
    return "" if row["held_out"] is None else f", log score of held-out blocks {row['held_out']:.1f}"


def reported(
    problem: Problem, vector: Floats, spread: Covariance, level: float, left: float, tried: pl.DataFrame | None = None
) -> Reported:
    """What a fit found of its layer.

    left   largest move that a further round would make
    tried  what was chosen among, none where nothing was left to it
    """
    layer = problem.layer
    assert layer is not None
    z = float(special.ndtri(0.5 + 0.5 * level))
    inside = problem.data.time[problem.data.time >= 0]
    day = np.floor(inside).astype(np.int64) - layer.origin
    window = slice(-layer.origin, None)
    sorts = [
        _shares(problem, layer, spread, z, name, names, factor, path[window], path[day])
        for name, names, factor, path in (
            ("days", layer.kinds, layer.kind_factor, layer.kind),
            ("breaks", layer.epoch_names if layer.epochs else (), layer.epoch_factor, layer.epoch),
        )
    ]
    asked = layer.asked
    return Reported(
        source=asked.source, shares=sorts[0], breaks=sorts[1], country=asked.country,
        holidays=asked.days,
        coverage=asked.coverage is not None, repeats=_repeats(problem, vector, spread, z),
        detection=dict(asked.detection), unseen=_unseen(problem), rounds_left=left,
        tried=tried if tried is not None else pl.DataFrame(),
        warnings=(*_warnings(problem, layer, vector, spread), *_unsettled(left)),
        said=layer.held,
    )  # fmt: skip


def _unsettled(left: float) -> list[str]:
    """That the rounds ended before the factors stood."""
    if left <= UNSETTLED:
        return []
    return [
        f"what the source shows did not settle: a further round would move its factors, or what is unseen, by "
        f"{100 * left:.1f} %, and answers with them; read this fit with care, with fewer parts of "
        + argument("reporting")
    ]


def _unseen(problem: Problem) -> float:
    """Share of all acts of the window that are expected to have happened unseen."""
    layer, data = problem.layer, problem.data
    assert layer is not None
    if layer.unseen is None or data.worth is None:
        return 0.0
    unseen = float(layer.unseen.mass.sum())
    return unseen / max(unseen + float(data.worth[data.time >= 0].sum()), 1e-300)


def _shares(
    problem: Problem, layer: Layer, spread: Covariance, z: float, sort: str, names: tuple[str, ...], factor: Floats,
    path: Any, seen: Any,
) -> tuple[Share, ...]:  # fmt: skip
    """The factors of one sort; an error by the delta method, because the measure moves with all of them."""
    if not names:
        return ()
    days = np.bincount(path, minlength=len(names))
    events = np.bincount(seen, minlength=len(names))
    at = {p.path: p.place for p in problem.parameters if p.free}
    places = [at.get(f"reporting.{sort}.{name}") for name in names]
    measure = layer.measure(sort)
    factor = np.where(factor <= SELDOM, 0.0, factor) / float(measure @ factor)  # told with mean 1, whatever is held
    weight = measure * factor
    result = []
    for k, name in enumerate(names):
        slope = np.zeros(len(problem.start))
        for j, place in enumerate(places):
            if place is not None:
                slope[place] = float(j == k) - weight[j]
        sd = _sd(spread, slope) if factor[k] > 0 and slope.any() else None
        value = float(factor[k])
        ends = (None, None) if sd is None else (value * np.exp(-z * sd), value * np.exp(z * sd))
        result.append(Share(name, int(days[k]), int(events[k]), value, None if sd is None else value * sd, *ends))
    return tuple(result)


def _sd(spread: Covariance, slope: Floats) -> float | None:
    own = slope[spread.places]
    variance = float(own @ spread.matrix @ own)
    return float(np.sqrt(variance)) if np.isfinite(variance) and variance > 0 else None


def _repeats(
    problem: Problem, vector: Floats, spread: Covariance, z: float
) -> tuple[float, float | None, float | None, float | None] | None:
    if problem.layer is None or problem.layer.repeats is None:
        return None
    place = next(p.place for p in problem.parameters if p.kind == "repeats")
    value, sd = float(vector[place]), spread.spread(place)
    if sd is None:
        return value, None, None, None
    return value, sd, max(0.0, value - z * sd), min(1.0, value + z * sd)


def _warnings(problem: Problem, layer: Layer, vector: Floats, spread: Covariance) -> list[str]:
    said = []
    never = [name for name, factor in zip(layer.kinds, layer.kind_factor, strict=True) if factor <= SELDOM]
    if never:
        said.append(
            f"no event on any {', '.join(never)}: the source does not report then, or dates such acts on the days "
            "after; what happened is not in the record, and answers to it look like acts of their own accord"
        )
    if layer.epochs:
        said.append(
            "a break of the source and a change of the background on the same day look alike: read a factor of "
            + "reporting.breaks with the background held constant ("
            + argument("background", "constant")
            + "), or from a source's volume of all news"
        )
    if layer.repeats is not None:
        place = next(p.place for p in problem.parameters if p.kind == "repeats")
        if vector[place] <= 1e-6:
            said.append("reporting.batches is at 0: days hold no more reports than acts and answers explain")
        if vector[place] >= 0.9:
            said.append(
                "reporting.batches is at its bound: nearly every report tells an act once more; drop doubles while "
                "reading (" + argument("doubles", "same_day_matched") + ")"
            )
        said += _entangled(problem, spread, place)
    return said


def _entangled(problem: Problem, spread: Covariance, place: int) -> list[str]:
    """Fast answers in the own channel and further reports of one act both fill a day with acts of a kind."""
    found = np.flatnonzero(spread.places == place)
    if not len(found):
        return []
    sd = np.sqrt(np.maximum(np.diag(spread.matrix), 0.0))
    told = []
    for p in problem.parameters:
        other = np.flatnonzero(spread.places == p.place)
        if p.kind != "answers" or not p.free or not len(other) or sd[other[0]] <= 0 or sd[found[0]] <= 0:
            continue
        r = float(spread.matrix[found[0], other[0]] / (sd[found[0]] * sd[other[0]]))
        if abs(r) > 0.5:
            told.append((abs(r), p.path))
    if not told:
        return []
    worst, path = max(told)
    sure = "cannot be told apart" if worst > ENTANGLED else "are hard to tell apart"
    return [
        f"reporting.batches and {path} {sure} (correlation {worst:.2f}): both put several acts of a kind on one day; "
        f"what other days and other channels show decides between them"
    ]
