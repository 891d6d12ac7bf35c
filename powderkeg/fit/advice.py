"""What should a careful reader of a fit look at next?

In: a fitted `Problem`, its errors. Out: sentences, each with the parameter's key path and a remedy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from powderkeg.errors import argument
from powderkeg.fit.background.courses import SLOWEST
from powderkeg.fit.estimates import Estimate
from powderkeg.fit.likelihood.effects import MOST_EFFECTS
from powderkeg.fit.likelihood.parameter import FitParameter
from powderkeg.fit.likelihood.problem import Problem
from powderkeg.fit.maximum.climb import Solution
from powderkeg.fit.maximum.covariance import Covariance
from powderkeg.wording import plain, signed

TOO_CLOSE = 0.9
"""Estimates that correlate more than this cannot be told apart."""
ILL = 1e4
"""Condition number of the scaled information from which a combination of parameters is not identified."""
SHORT_HALF_LIFE = 0.5
"""Days: on day stamps, how fast answers come is seen only by what falls on the next day when it is faster than this."""
UNEVEN = 5.0
"""Variance of the counts of channels that share a rate, in units of their mean, from which it is said."""


def advice(
    problem: Problem,
    solution: Solution,
    spread: Covariance,
    estimates: dict[str, Estimate],
    lost: int,
    use_ranges: bool,
) -> list[str]:
    """Sentences that name the parameter and the remedy."""
    said: list[str] = []
    by_place = {p.place: p.path for p in problem.parameters}
    remedy = "" if use_ranges else ", or give ranges and " + argument("use_ranges", True)
    if lost:
        said.append(
            f"{lost} events were possible under no rule of the scenario and are not in the likelihood (see "
            "`unexplained`): loosen the rule, let the fact come by itself (`comes:`), or free the move's rate"
        )
    for a, b, r in spread.strongest(TOO_CLOSE)[:6]:
        if a in by_place and b in by_place:
            said.append(
                f"{by_place[a]} and {by_place[b]} cannot be told apart on these events (correlation "
                f"{signed(r, 2)}): fix one"
                f"{remedy}"
            )
    blurred = [by_place[int(place)] for place in spread.blurred if int(place) in by_place]
    if blurred:
        more = f" and {len(blurred) - 8} more" if len(blurred) > 8 else ""
        said.append(f"{', '.join(blurred[:8])}{more}: not identified on these events; fix them{remedy}")
    if spread.condition > ILL:
        said.append(
            f"some combination of parameters is barely identified (condition number {spread.condition:.0f}): fix one "
            f"of those that correlate{remedy}"
        )
    delays = problem.decay(solution.vector)
    slow = 1.0 / delays
    span = problem.data.days
    if problem.shape.basis.shape[1] and len(problem.shape.time) > 2:
        span = float(np.median(np.diff(problem.shape.time)))
    short, imitated = [], []
    for e in estimates.values():
        p = next(p for p in problem.parameters if p.path == e.path)
        if not e.free or _is_idle(problem, solution, p):
            continue
        if e.kind == "half_life":
            if problem.data.by_day and e.estimate < SHORT_HALF_LIFE:
                short.append(f"{e.path} ({plain(e.estimate, 2)} days)")
            components = np.flatnonzero(problem.component_decay == p.place - problem.n_smooth)
            mean = float(slow[components].sum())  # where answers build up there are two waits, one after the other
            if mean * SLOWEST > span:
                imitated.append(f"{e.path} (answers come over {mean:.0f} days)")
        if e.note.startswith("at a bound"):
            said.append(f"{e.path}: {e.note}; fix it{remedy}")
    if short:
        said.append(
            f"shorter than the stamp of a day: {', '.join(short)}. How many answers come is estimated, how fast "
            f"hardly; use exact times or fix {'it' if len(short) == 1 else 'them'}"
        )
    if imitated:
        it = "it" if len(imitated) == 1 else "them"
        said.append(
            f"slow beside the {span:.0f} days in which the background may change, which can imitate {it}: "
            f"{', '.join(imitated)}; read {it} as persistence, use a longer window or a calmer background, or fix {it}"
        )
    counts = np.bincount(problem.data.channel, minlength=len(problem.design.channel_ground))
    silent = _silent_moves(problem, counts)
    if silent:
        said.append(
            f"no event of {', '.join(silent[:8])}{' and others' if len(silent) > 8 else ''}: their rates are "
            "estimated as 0, which only says rare; fix them or use ranges"
        )
    said += _uneven(problem, counts)
    return said


def _is_idle(problem: Problem, solution: Solution, p: FitParameter) -> bool:
    """A half-life whose mechanism sets nothing off says nothing."""
    if p.kind != "half_life":
        return False
    components = np.flatnonzero(problem.component_decay == p.place - problem.n_smooth)
    mechanism = np.searchsorted(problem.kernel_start, components, side="right") - 1
    return bool((solution.vector[problem.n_rates + mechanism] <= 1e-9).all())


def _silent_moves(problem: Problem, counts: NDArray[np.int64]) -> list[str]:
    d = problem.design
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    total = np.bincount(rate_of, weights=counts, minlength=problem.n_rates)
    return [p.path for p in problem.parameters if p.kind == "rate" and p.free and total[p.place] == 0]


def _uneven(problem: Problem, counts: NDArray[np.int64]) -> list[str]:
    """Channels of one rate that act much more unevenly than chance: a slow mechanism would be read out of that."""
    if problem.varying is not None and problem.varying.effects.level.shape[1]:
        return []
    d = problem.design
    rate_of = d.term_linear[d.ground_term[d.channel_ground]]
    said: list[str] = []
    for p in problem.parameters:
        alike = p.kind == "rate" and p.place not in problem.law_rates
        own = counts[rate_of == p.place] if alike else np.zeros(0)
        if p.free and len(own) >= 20 and own.sum() >= 40:
            spread = float(own.var() / max(own.mean(), 1e-12))
            if spread > UNEVEN:
                said.append(
                    f"{p.path}: {len(own)} channels share this rate but act unevenly (variance {spread:.0f} times the "
                    "mean); a shared rate turns differences between channels into slow answers: use "
                    + argument("baselines", "dyad" if problem.model.n_acts <= MOST_EFFECTS else "gamma")
                    + ", or give the busiest channels a move of their own"
                )
    return said
