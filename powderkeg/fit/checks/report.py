"""Could these events have come from the fitted model?

In: a `Fit`. Out: `Checks`, of four kinds: residuals (`residuals`), the record beside simulated histories
(`predictive`), the last part of the window foreseen from the first (`heldout`), and, if asked for, refits of simulated
histories (`recovery`). Each says what it measures, its p-value or interval, and what to look at next.

The parameters were estimated from the same events, so tests and predictive checks pass more easily than their level
says: a failure is news, a pass is not (Bayarri & Berger 2000, JASA 95, 1127-1142). The held-out score has no such
favour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from powderkeg.fit.checks.held_out import SHARE, HeldOut, held_out
from powderkeg.fit.checks.predictive import Check, Counter, Predictive, predictive
from powderkeg.fit.checks.recovery import Recovery, recover
from powderkeg.fit.checks.residuals import Residuals, Test, residuals
from powderkeg.fit.days.completed import completed, known, middle_ones
from powderkeg.fit.maximum.newton import in_one_thread
from powderkeg.fit.maximum.posterior_rates import can_be_simulated
from powderkeg.showing import Plotted, progress_shown
from powderkeg.simulate.memory import budget
from powderkeg.wording import bracketed, counted, plain, signed

if TYPE_CHECKING:
    from powderkeg.fit.result import Fit

__all__ = ["Check", "Checks", "Test", "check"]

CONSERVATIVE = (
    "the estimates come from the same events, so these pass more easily than one time in twenty says: "
    "a failure is news, a pass is not"
)


@dataclass(frozen=True)
class Checks(Plotted):
    """All checks of a fit; a part is None where it was not asked for, or could not be made.

    unknown_days  what was done with events whose day the source does not know, "" where every day is known
    """

    residuals: Residuals
    predictive: Predictive
    held_out: HeldOut | None
    recovery: Recovery | None
    unknown_days: str = ""

    def __repr__(self) -> str:
        made = len(self.tests) + len(self.checks)
        beside = counted(self.predictive.replicates, "history", "histories")
        return f"Checks({len(self.failed)} of {made} fail at 5 %, {beside}; print summary() to read them)"

    @property
    def tests(self) -> tuple[Test, ...]:
        return self.residuals.tests

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.predictive.checks

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the tests and predictive checks with p below 0.05."""
        tests = [test.name for test in self.tests if not test.passes]
        return (*tests, *(check.name for check in self.checks if not check.passes))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for --json."""
        return {
            "failed": list(self.failed),
            "made": len(self.tests) + len(self.checks),
            "said": CONSERVATIVE,
            "unknown_days": self.unknown_days or None,
            "tests": {test.name: test.as_dict() for test in self.tests},
            "untested_mechanisms": list(self.residuals.untested),
            "stretches": self.residuals.stretches.to_dicts(),
            "replicates": self.predictive.replicates,
            "stopped": self.predictive.stopped,
            "not_simulated": self.predictive.missing or None,
            "seed": self.predictive.seed,
            "checks": {check.name: check.as_dict() for check in self.checks},
            "kinds": self.predictive.kinds.to_dicts(),
            "held_out": None if self.held_out is None else self.held_out.as_dict(),
            "recovery": None if self.recovery is None else self.recovery.as_dict(),
        }

    def summary(self) -> str:
        """The checks as tables in words."""
        lines = [*self._tests(), "", *self._predictive()]
        made, failed = len(self.tests) + len(self.checks), len(self.failed)
        lines += ["", f"{failed} of {made} fail at 5 %; {CONSERVATIVE}"]
        if self.unknown_days:
            lines.append(self.unknown_days)
        lines += ["", *self._held_out()]
        if self.recovery is not None:
            lines += ["", *self.recovery.lines()]
        return "\n".join(lines)

    def _tests(self) -> list[str]:
        if not self.tests:
            return ["too few events for tests of the residuals"]
        width = max(len(test.title) for test in self.tests)
        lines = [f"{'residuals':<{width}}  statistic  cells       p"]
        for test in self.tests:
            flag = "" if test.passes else f"  does not fit: {test.meaning}"
            lines.append(f"{test.title:<{width}}  {plain(test.statistic, 4):>9}  {test.cells:5d}  {test.p:6.3f}{flag}")
        untested = self.residuals.untested
        if untested:
            more = f" and {len(untested) - 6} more" if len(untested) > 6 else ""
            lines.append(f"too few answers to test by stretch of time: {', '.join(untested[:6])}{more}")
        return lines

    def _predictive(self) -> list[str]:
        found = self.predictive
        if not found.replicates:
            return [f"not held against simulations: {found.missing}"]
        width = max(len(check.title) for check in self.checks)
        lines = [
            f"the record beside {found.replicates} histories of the fitted model",
            f"{'':<{width}}  {'record':>9}  {'model':>9}  {'nine in ten':>21}       p",
        ]
        for check in self.checks:
            span = bracketed(check.low, check.high, 4)
            flag = "" if check.passes else "  does not fit"
            numbers = f"{plain(check.observed, 4):>9}  {plain(check.simulated, 4):>9}  {span:>21}  {check.p:6.3f}"
            lines.append(f"{check.title:<{width}}  {numbers}{flag}")
        if any(check.name == "kinds" and not check.passes for check in self.checks):
            outside = [
                f"{row['act']} {row['observed']:.0f} (nine in ten: {row['low']:.0f} to {row['high']:.0f})"
                for row in found.kinds.to_dicts()
                if not row["low"] <= row["observed"] <= row["high"]
            ]
            lines.append(f"  kinds outside: {', '.join(outside[:8]) or 'none alone'}")
        if found.stopped:
            lines.append(
                f"{found.stopped} histories were stopped at many times the record: the fitted system can explode"
            )
        return lines

    def _held_out(self) -> list[str]:
        found = self.held_out
        if found is None:
            return [
                "held-out score: not made: too few events on a side of the border, or one without any chance before it"
            ]
        lines = [
            f"foreseen: fitted to the first {found.fitted_days:,.0f} days, scored on the {found.events} acts of the "
            f"last {found.days:,.0f}"
        ]
        for lead in found.leads:
            word = "better" if lead.nats >= 0 else "worse"
            sure = "" if lead.is_clear else "; not clear"
            lines.append(
                f"  {abs(lead.nats):.1f} nats {word} than {_article(lead.reference)} (90 % interval "
                f"{signed(lead.low, 1)} to {signed(lead.high, 1)}, {signed(lead.per_act, 3)} an act{sure})"
            )
        if found.test is not None:
            flag = "" if found.test.passes else f"  does not fit: {found.test.meaning}"
            lines.append(f"  {found.test.title}: p {found.test.p:.3f}{flag}")
        if found.impossible:
            lines.append(
                f"  {found.impossible} acts that the fitted part holds to be impossible are left out of all scores"
            )
        return lines


def _article(reference: str) -> str:
    return f"a {reference}" if reference.startswith("constant") else f"the {reference}"


@in_one_thread
def check(
    fit: Fit,
    *,
    replicates: int = 200,
    seed: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
    held_out_share: float | None = SHARE,
    refits: int = 0,
    also: Sequence[Counter] = (),
    memory: int | str | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Checks:
    """All checks of a fit.

    replicates      histories that the record is held against
    held_out_share  share of the window that is fitted to foresee the rest; None leaves the held-out score away
    executor        of `concurrent.futures`, or what keeps to its protocol: makes the refits instead of this thread
    refits          simulated histories that are fitted anew, each about as long as the fit itself; 0 for none
    also            functions from an EventTable of histories to {title: one number a history}, counted in the record
                    and in the histories; `powderkeg.fit.standoff_numbers` is one
    memory          bytes, or such as "4 GB", for the acts of all histories; default: half of what is free. Histories
                    that would not fit are not made, which is said
    progress        called with the share done and what is being done

    Raises UsageError for fewer than 20 histories or a single refit.
    """
    room = budget(memory)
    progress = progress_shown(progress, "checking")
    tell = progress or (lambda share, what: None)
    whole = 1.0 + (0.5 if held_out_share is not None else 0.0) + refits

    def part(begin: float, length: float, what: str) -> Callable[[float], None]:
        tell(begin / whole, what)
        return lambda share: tell((begin + length * share) / whole, what)

    part(0.0, 0.2, "residuals")
    records = completed(fit)
    several = [residuals(one.climber, one.solution.vector, seed) for one in records]
    found = replace(several[0], tests=tuple(middle_ones([one.tests for one in several])))
    told = predictive(
        records[0], replicates, seed, workers, also, part(0.2, 0.8, f"{replicates} histories of the fitted model"),
        [one.problem.data for one in records], room,
    )  # fmt: skip
    ahead = None
    at = 1.0
    if held_out_share is not None:
        ahead = held_out(known(fit), held_out_share, seed, part(at, 0.5, "foreseeing the last part from the first"))
        at += 0.5
    refits = refits if can_be_simulated(fit.problem) else 0
    again = (
        recover(records[0], refits, seed + 1, workers, part(at, float(refits), f"{refits} refits"), executor)
        if refits
        else None
    )
    tell(1.0, "done")
    return Checks(found, told, ahead, again, _said_of_days(fit, len(records), ahead is not None, again is not None))


def _said_of_days(fit: Fit, records: int, ahead: bool, again: bool) -> str:
    """What was done with events whose day is not known."""
    if not fit.climber.is_drawn:
        return ""
    return (
        f"days were drawn given the fit for the {fit.spans.unsure:,} events whose day is not known, {records} times "
        "over, and the middle p of each check is told"
        + (", and the score below leaves these events out" if ahead else "")
        + ("; refitted histories have every day known" if again else "")
    )
