"""Answers that come at several speeds: which half-lives, and how many answers within each.

In: a `Job`, the best fit under its background. Out: the same with mechanisms apart by half-life, and those half-lives
kept that the record asks for; estimates of a mechanism's answers and of the shares of its half-lives.

A delay is a mixture of exponentials. Its shares multiply the answers, so a mechanism with several half-lives is posed
as one part for each, whose answers are a number of their own: the likelihood stays concave in them. The sum is told as
the mechanism's answers, each part's portion of it as the share of its half-life.

How many half-lives there are is asked for (`delays="mixtures"`) and answered by AIC under the background that was kept:
a lone half-life stays unless a second one, two more numbers, brings more than 2 + `MARGIN` / 2 in log likelihood. Where
there is one half-life alone, the second is not identified, and the gain of the best of all is larger than chi-square
has it; the margin is for that.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.fit.background.choice import Candidate, Tell
from powderkeg.fit.estimates import Estimate
from powderkeg.fit.job import Job
from powderkeg.fit.likelihood.problem import Problem, carry
from powderkeg.fit.maximum.climb import Climber, Solution
from powderkeg.fit.maximum.covariance import Covariance
from powderkeg.fit.rounds import settle
from powderkeg.model import Model
from powderkeg.model.parting import part_of, part_path, parted, several
from powderkeg.scenario import HalfLife, Quantity, Scenario
from powderkeg.units import LN2
from powderkeg.wording import signed

DELAYS = ("written", "mixtures")
MOST = 3
"""Half-lives of one mechanism that are looked for."""
MARGIN = 2.0
"""What AIC must gain by a further half-life."""
LENGTHS = (0.05, 0.2, 0.5, 3.0, 8.0, 25.0)
"""Multiples of a half-life at which a further one is tried beside it; from the two best it is climbed."""
TRIED = 2
SAME = 1e-3
"""Difference of two logarithms of half-lives up to which they are one."""
Made = tuple[Job, Climber, Solution]
Parts = list[tuple[float, float]]
"""(days, answers) of each half-life of a mechanism."""


def check_delays(delays: str) -> None:
    """Raises UsageError for a word that is not known."""
    if delays not in DELAYS:
        near = nearest_name(delays, DELAYS)
        raise UsageError(Fault.at("delays", repr(delays), f"one of {', '.join(DELAYS)}", near))


def apart(
    model: Model, free: Sequence[str] | None, fix: Sequence[str] | None
) -> tuple[Model, Sequence[str] | None, Sequence[str] | None]:
    """(the model with mechanisms apart whose shares are estimated, what is free, what is held).

    Shares are estimated with the answers, unless they are named as held: `mechanisms.NAME.half_lives.1.share`.
    """
    known = [p.path for p in model.parameters]
    written = {p.path: p.value for p in model.parameters}
    found, every = [], []
    for name in several(model):
        assert model.scenario is not None
        count = len(model.scenario.mechanisms[name].half_lives)
        shares = [part_path(name, k, "share") for k in range(1, count + 1)]
        answers = f"mechanisms.{name}.answers"
        every += shares
        wanted = written[answers] > 0 if free is None else any(_named(free, path) for path in shares)
        if wanted and not any(_named(fix or (), path) for path in (answers, *shares)):
            found.append(name)

    def kept(asked: Sequence[str] | None, whose: list[str]) -> Sequence[str] | None:
        """Without what names nothing but shares that are no numbers of the model."""
        if asked is None:
            return None
        asked = [asked] if isinstance(asked, str) else list(asked)
        lost = {one for one in asked if any(_named([one], path) for path in whose)}
        return [one for one in asked if one not in lost or any(_named([one], path) for path in known)]

    away = [path for path in every if (part := part_of(path)) is not None and part[0] not in found]
    return parted(model, found), kept(free, away), kept(fix, every)


def _named(asked: Sequence[str], path: str) -> bool:
    asked = [asked] if isinstance(asked, str) else asked
    return any(path == one or path.startswith(f"{one}.") or fnmatch.fnmatchcase(path, one) for one in asked)


@dataclass(frozen=True)
class DelaySearch:
    """Looks for the half-lives of a job's mechanisms under the background that was kept.

    remake  the model of another scenario, for the same events
    """

    remake: Callable[[Scenario], Model]
    said: list[str]
    tell: Tell

    def chosen(self, made: Made, delays: str) -> Made:
        """The fit with the half-lives that the record asks for, and without those that take no answers."""
        made = self._bare(made)
        if delays == "mixtures":
            if made[1].is_drawn:
                self.said.append("days are drawn in this fit: no further half-lives were looked for")
                return made
            made = self._grown(made)
        return made

    def _grown(self, made: Made) -> Made:
        tried: dict[str, float] = {}
        while True:
            best = _aic(made)
            rows = []
            for name in _candidates(made):
                self.tell(0.82, f"half-lives of {name}")
                other = self._further(made, name)
                rows.append((_aic(other), name, other))
                tried[name] = best - rows[-1][0]
            rows.sort(key=lambda row: row[0])
            if not rows or rows[0][0] > best - MARGIN:
                break
            gained, name, made = best - rows[0][0], rows[0][1], self._bare(rows[0][2])
            count = len(_parts(made[1].problem, made[2].vector, name))
            lower = signed(-gained, 1)
            self.said.append(f"mechanisms.{name}: {count} half-lives in place of {count - 1} (AIC {lower})")
        left = [f"{name} ({signed(-gain, 1)})" for name, gain in tried.items() if gain < MARGIN]
        if left:
            self.said.append(f"no further half-life of {', '.join(left)}: AIC would have to fall by {MARGIN:g}")
        return made

    def _further(self, made: Made, name: str) -> Made:
        """The best fit with one half-life more, begun beside the one with most answers at several lengths."""
        problem, vector = made[1].problem, made[2].vector
        parts = _parts(problem, vector, name)
        most = max(range(len(parts)), key=lambda k: parts[k][1])
        days, answers = parts[most]
        tries = []
        _, posed = self._posed(made, name, [*parts, (2.0 * days, answers)])
        for factor in LENGTHS:
            further = [*parts[:most], (days, 0.5 * answers), *parts[most + 1 :], (factor * days, 0.5 * answers)]
            start = _begun(problem, vector, posed.problem, name, further)
            start, top = posed.inner(posed.replay(start, None), start, posed.problem.held)
            tries.append((top.value, _parts(posed.problem, start, name)))
        tries.sort(key=lambda one: -one[0])
        found = [self._with(made, name, further) for _, further in tries[:TRIED]]
        return max(found, key=lambda one: one[2].log_posterior)

    def _bare(self, made: Made) -> Made:
        """The fit without half-lives that take no answers, and with those that have come to be the same as one."""
        for name in several(made[0].model):
            before = _parts(made[1].problem, made[2].vector, name)
            if len(before) < 2:
                continue
            kept: Parts = []
            for days, answers in sorted(before):
                if answers <= 1e-9:
                    continue
                if kept and abs(np.log(days / kept[-1][0])) < SAME:
                    kept[-1] = (kept[-1][0], kept[-1][1] + answers)
                else:
                    kept.append((days, answers))
            if len(kept) == len(before):
                continue
            lost = len(before) - max(len(kept), 1)
            self.said.append(
                f"mechanisms.{name}: {lost} of {len(before)} half-lives took no answers of their own and were left out"
            )
            made = self._with(made, name, kept or [(before[0][0], 0.0)])
        return made

    def _with(self, made: Made, name: str, parts: Parts) -> Made:
        """The best fit with these half-lives of a mechanism, from where the one before ended."""
        problem, shape, parts = made[1].problem, made[1].problem.shape, sorted(parts)
        job, posed = self._posed(made, name, parts)
        vector = _begun(problem, made[2].vector, posed.problem, name, parts)
        posed.begin_at(made[1], made[2])
        if job.layer is None:
            return job, posed, posed.climb(vector, posed.problem.held)
        return settle(job, lambda one: one.under(shape), (posed, replace(made[2], vector=vector)), True)

    def _posed(self, made: Made, name: str, parts: Parts) -> tuple[Job, Climber]:
        """The job with these half-lives of a mechanism, and its likelihood."""
        job, climber, _ = made
        scenario = with_half_lives(job.model.scenario, name, parts)
        free: Sequence[str] | None = None if job.free is None else [*job.free, f"mechanisms.{name}.half_lives"]
        model, free, fix = apart(self.remake(scenario), free, job.fix)
        job = replace(job, model=model, free=free, fix=fix)
        return job, job.under(climber.problem.shape)


def _aic(made: Made) -> float:
    return Candidate("", made[1], made[2]).aic


def _candidates(made: Made) -> list[str]:
    """Mechanisms with answers and half-lives that are free, and fewer than the most of them; none that builds up."""
    problem, vector = made[1].problem, made[2].vector
    found = []
    for name in dict.fromkeys(whole_name(one) for one in problem.model.mechanisms):
        own = [p for p in problem.parameters if p.path.split(".")[:2] == ["mechanisms", name]]
        written = problem.model.scenario.mechanisms.get(name) if problem.model.scenario is not None else None
        if written is not None and float(written.build_up) > 0.0:
            continue
        speeds = [p for p in own if p.kind == "half_life"]
        answers = [p for p in own if p.kind == "answers"]
        is_open = bool(own) and all(p.free for p in own) and len(speeds) < MOST and len(answers) == len(speeds)
        if is_open and sum(vector[p.place] for p in answers) > 1e-6:
            found.append(name)
    return found


def whole_name(mechanism: str) -> str:
    """The mechanism that a part, as a model calls it, is of."""
    return mechanism.partition(".half_lives.")[0]


def _parts(problem: Problem, vector: Floats, name: str) -> Parts:
    """(days, answers) of a mechanism's half-lives, in order, as far as it is apart; else what it has in one."""
    decay, found = problem.decay(vector), []
    for m, one in enumerate(problem.model.mechanisms):
        if whole_name(one) == name:
            own = slice(int(problem.kernel_start[m]), int(problem.kernel_start[m + 1]))
            found += [(float(LN2 / b), float(vector[problem.n_rates + m])) for b in decay[own][:1]]
    return found


def _begun(old: Problem, vector: Floats, new: Problem, name: str, parts: Parts) -> Floats:
    """Where to begin with other half-lives of one mechanism."""
    start = carry(old, vector, new)
    if new.shape is old.shape:
        start[new.shape_places] = vector[old.shape_places]
    place = {p.path: p.place for p in new.parameters}
    lone = len(parts) == 1
    for k, (days, answers) in enumerate(parts, start=1):
        start[place[f"mechanisms.{name}.answers" if lone else part_path(name, k)]] = answers
        start[place[f"mechanisms.{name}.half_life" if lone else f"mechanisms.{name}.half_lives.{k}"]] = np.log(
            LN2 / days
        )
    return np.clip(start, new.lower, new.upper)


def with_half_lives(scenario: Scenario | None, name: str, parts: Parts) -> Scenario:
    """The scenario with these half-lives of a mechanism, its answers as they were."""
    assert scenario is not None
    total = sum(answers for _, answers in parts)
    shares = [answers / total if total > 0 else 1.0 / len(parts) for _, answers in parts]
    lives = tuple(HalfLife(Quantity(days), Quantity(share)) for (days, _), share in zip(parts, shares, strict=True))
    one = replace(scenario.mechanisms[name], half_lives=lives)
    return replace(scenario, mechanisms={**scenario.mechanisms, name: one})


def with_wholes(
    problem: Problem,
    vector: Floats,
    spread: Covariance,
    estimates: dict[str, Estimate],
    level: float,
    file: Scenario | None,
) -> dict[str, Estimate]:
    """The estimates with the answers of mechanisms that are apart, and the share of each half-life.

    file  the scenario that was fitted, for what stood there before
    """
    if problem.model.part_of is None or file is None:
        return estimates
    parts: dict[str, list[str]] = {}
    for path in estimates:
        if (found := part_of(path)) is not None and found[2] == "answers":
            parts.setdefault(found[0], []).append(path)
    place = {p.path: p.place for p in problem.parameters}
    result: dict[str, Estimate] = {}
    for path, e in estimates.items():
        found = part_of(path)
        name = path.split(".")[1] if path.startswith("mechanisms.") else ""
        if found is None and name not in parts:
            result[path] = e
            continue
        own = [place[one] for one in parts[name]]
        before = file.mechanisms[name]
        if found is not None:
            if found[1] == 1:
                result[f"mechanisms.{name}.answers"] = _total(name, own, vector, spread, level, float(before.answers))
            result[path] = e
        else:
            number = int(path.rsplit(".", 1)[1])
            written = before.half_lives[number - 1] if len(before.half_lives) == len(own) else None
            days = float(before.half_lives[0].days) if written is None else float(written.days)
            result[path] = replace(e, before=days)
            share = 1.0 / len(own) if written is None else float(written.share)
            result[f"{path}.share"] = _share(f"{path}.share", own, number - 1, vector, spread, level, share)
    return result


def _covariance(own: list[int], spread: Covariance) -> Floats:
    """Covariance of the parts' answers; of what stands at a bound, none."""
    at = {int(p): k for k, p in enumerate(spread.places)}
    found = np.zeros((len(own), len(own)))
    inside = [k for k, p in enumerate(own) if p in at]
    rows = [at[own[k]] for k in inside]
    found[np.ix_(inside, inside)] = spread.matrix[np.ix_(rows, rows)]
    return found


def _total(name: str, own: list[int], vector: Floats, spread: Covariance, level: float, before: float) -> Estimate:
    value, z = float(vector[own].sum()), float(special.ndtri(0.5 + 0.5 * level))
    sd = float(np.sqrt(max(_covariance(own, spread).sum(), 0.0)))
    path = f"mechanisms.{name}.answers"
    if not 0.0 < sd < np.inf:
        return Estimate(path, "answers", value, None, None, None, True, before, "", "not identified")
    return Estimate(path, "answers", value, sd, max(value - z * sd, 0.0), value + z * sd, True, before, "wald")


def _share(
    path: str, own: list[int], k: int, vector: Floats, spread: Covariance, level: float, before: float
) -> Estimate:
    """A part's portion of the answers; its interval on the scale of log odds, so that it stays within 0 and 1."""
    total, z = float(vector[own].sum()), float(special.ndtri(0.5 + 0.5 * level))
    share = float(vector[own[k]]) / total if total > 0 else 1.0 / len(own)
    slope = -np.full(len(own), share)
    slope[k] += 1.0
    variance = float(slope @ _covariance(own, spread) @ slope) / max(total, 1e-300) ** 2
    sd = float(np.sqrt(max(variance, 0.0)))
    if not (0.0 < sd < np.inf and 0.0 < share < 1.0):
        return Estimate(path, "share", share, None, None, None, True, before, "", "not identified")
    odds, width = special.logit(share), z * sd / (share * (1.0 - share))
    low, high = (float(special.expit(odds + sign * width)) for sign in (-1.0, 1.0))
    return Estimate(path, "share", share, sd, low, high, True, before, "wald")
