"""What the calendar says beforehand, in the likelihoods: facts on known paths, shares seen, acts that count for more.

The reference is the formula written out: every act against every earlier one, every day by itself.
"""

from __future__ import annotations

import numpy as np
import pytest
from fit_systems import Builder

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day_steps import next_day, same_day
from powderkeg.engine.likelihood.design import Calendar, Design, build
from powderkeg.fit.likelihood.objective import Data, Objective, prepare
from powderkeg.fit.likelihood.terms import Terms

DAYS = 40.0
MU, THETA, ECHO, B = np.array([0.5, 0.3]), 0.4, 0.2, 0.7
REST = np.array([1.0, 0.4, 1.7])
"""Factor of the fact `kind` at its three levels, the last two free."""


def watched() -> Builder:
    """Two channels that excite each other; both read the fact `kind`, which nothing changes but the calendar."""
    b = Builder(facts={"kind": 3}, rates={"mu0": MU[0], "mu1": MU[1]}, factors={"dull": REST[1], "busy": REST[2]})
    gate = b.row(("kind", (1.0, "dull", "busy")))
    b.channel("c0", "mu0", gate)
    b.channel("c1", "mu1", gate)
    b.mechanisms = {"retaliation": (THETA, [(1.0, B)]), "again": (ECHO, [(1.0, 1e9)])}
    b.edge("c0", "c1", "retaliation")
    b.edge("c1", "c0", "retaliation", 0.5)
    b.edge("c0", "c0", "again")
    b.edge("c1", "c1", "again")
    return b


def calendar(start: float = -20.0) -> tuple[Calendar, Ints, Floats]:
    """(calendar, level on each day from `start` on, share on each day)."""
    days = np.arange(int(start), int(DAYS))
    level = days % 3 if start >= 0 else (days + 21) % 3
    share = np.where(days < 10, 1.0, np.where(days < 25, 0.6, 1.3))
    lines = [(float(t), 0, int(k), 1.0) for t, k in zip(days, level, strict=True)]
    lines += [(10.0, -1, 0, 0.6), (25.0, -1, 0, 1.3)]
    lines.sort(key=lambda line: line[0])
    time, fact, levels, shares = (np.array(column) for column in zip(*lines, strict=True))
    return Calendar(time, fact, levels, shares.astype(float)), level, share


def record(by_day: bool, begin: float = -20.0) -> Data:
    rng = np.random.default_rng(4)
    time = np.sort(rng.uniform(begin, DAYS, 90))
    time = np.floor(time) if by_day else time
    return Data(
        time, rng.integers(0, 2, 90), DAYS, by_day, worth=rng.uniform(0.5, 2.0, 90),
        worth_now=rng.uniform(0.5, 2.0, 90),
    )  # fmt: skip


def posed(builder: Builder, known: Calendar | None) -> tuple[Design, Terms, Floats]:
    system = builder.system()
    repeats = np.array([name == "again" for name in builder.mechanisms])
    sources = builder.sources(system)._replace(repeats=repeats)
    design = build(system, sources, DAYS, calendar=known)
    return design, Terms(design, sources.n_rates + len(repeats), sources.n_factors), system.kernel_decay


def objective(by_day: bool, decay_of: float = B, sloped: bool = False) -> tuple[Objective, Floats, Design]:
    design, terms, decay = posed(watched(), calendar()[0])
    decay = np.where(np.arange(len(decay)) == 0, decay_of, decay)
    found = prepare(record(by_day), design, terms, decay, np.zeros(terms.n_linear, bool), sloped)
    return found, watched().truth(), design


MASS = np.array([[0.0, 0.5], [1.0, 0.0]])
"""Answers by (answering, answered)."""


def exact_reference() -> float:
    data = record(False)
    assert data.worth is not None
    _, level, share = calendar()
    at = np.floor(data.time).astype(int) + 20
    factor = REST[level] * share
    total = 0.0
    for i in range(len(data.time)):
        t, c = data.time[i], data.channel[i]
        if t < 0:
            continue
        lag = t - data.time[:i]
        answers = THETA * (MASS[c, data.channel[:i]] * data.worth[:i] * B * np.exp(-B * lag)).sum()
        again = ECHO * ((data.channel[:i] == c) * 1e9 * np.exp(-1e9 * lag)).sum()
        total += np.log(factor[at[i]] * (MU[c] + answers) + again)
    for day in range(int(DAYS)):
        expected = MU.sum()
        for t, c, w in zip(data.time, data.channel, data.worth, strict=True):
            if t < day + 1:
                begun = max(day - t, 0.0)
                expected += THETA * MASS[:, c].sum() * w * (np.exp(-B * begun) - np.exp(-B * (day + 1 - t)))
        total -= factor[day + 20] * expected
    return float(total - ECHO * (data.time >= 0).sum())


def day_reference() -> float:
    from scipy.special import gammaln

    data = record(True)
    assert data.worth is not None and data.worth_now is not None
    _, level, share = calendar()
    acts, stand, stand_now = np.zeros((60, 2)), np.zeros((60, 2)), np.zeros((60, 2))
    np.add.at(stand_now, (data.time.astype(int) + 20, data.channel), data.worth_now)
    np.add.at(acts, (data.time.astype(int) + 20, data.channel), 1.0)
    np.add.at(stand, (data.time.astype(int) + 20, data.channel), data.worth)
    total = 0.0
    for day in range(20, 60):
        factor = REST[level[day]] * share[day]
        lag = day - np.arange(day)
        old = (next_day(B) * np.exp(-B * (lag - 1)))[:, None] * stand[:day]
        first = factor * (MU + THETA * MASS @ old.sum(axis=0))
        # links of the day: K n, answers by what each act stands for, further reports by the reports
        link = factor * THETA * same_day(B) * MASS * stand_now[day] + ECHO * np.diag(acts[day])
        r = first + link.sum(axis=1)
        has = acts[day] > 0
        inner = np.diag(r[has]) - link[np.ix_(has, has)]
        total += ((acts[day] - 1) * np.log(r))[has].sum() + np.linalg.slogdet(inner)[1] - r.sum()
        total -= gammaln(acts[day] + 1).sum()
    return float(total)


@pytest.mark.parametrize("by_day", [False, True])
def test_a_calendar_changes_the_likelihood_as_the_formula_says(by_day: bool) -> None:
    found, truth, _ = objective(by_day)
    value = found.evaluate(truth)[0]
    assert value == pytest.approx(day_reference() if by_day else exact_reference(), abs=1e-6)


@pytest.mark.parametrize("by_day", [False, True])
def test_gradient_and_slope_by_decays_hold_under_a_calendar(by_day: bool) -> None:
    found, truth, design = objective(by_day, sloped=True)
    at = truth * 1.1
    _, gradient, _ = found.evaluate(at)
    for k in range(len(at)):
        step = 1e-5 * np.eye(len(at))[k]
        slope = (found.evaluate(at + step)[0] - found.evaluate(at - step)[0]) / 2e-5
        assert slope == pytest.approx(gradient[k], rel=1e-6, abs=1e-6)
    ends = [objective(by_day, B * np.exp(sign * 1e-5))[0].evaluate(at)[0] for sign in (1.0, -1.0)]
    slope = (ends[0] - ends[1]) / 2e-5
    assert found.decay_gradient(at, design.kernel_start)[0] == pytest.approx(slope, rel=1e-5)


def test_a_line_of_the_calendar_is_an_act_that_changes_the_fact() -> None:
    """A channel that acts when the calendar says so and does nothing else leaves the same likelihood, its own apart."""
    plain = watched()
    for level in range(3):
        plain.rates[f"turn{level}"] = 1.0
        plain.channel(f"turn{level}", f"turn{level}", effects=[("kind", level, 1.0)])
    lines = calendar()[0]
    turns = lines.fact == 0
    data = record(False)._replace(worth=None)
    known, terms, decay = posed(watched(), lines._replace(share=np.ones(len(lines.share))))
    none = np.zeros(terms.n_linear, bool)
    by_calendar = prepare(data, known, terms, decay, none).evaluate(watched().truth())[0]
    design, terms, decay = posed(plain, None)
    time = np.concatenate([data.time, lines.time[turns]])
    channel = np.concatenate([data.channel, 2 + lines.level[turns]])
    order = np.argsort(time, kind="stable")
    acted = Data(time[order], channel[order], DAYS, False)
    value = prepare(acted, design, terms, decay, np.zeros(terms.n_linear, bool)).evaluate(plain.truth())[0]
    assert value + 3 * DAYS == pytest.approx(by_calendar, abs=1e-8)


def test_further_reports_of_an_act_have_the_law_of_borel() -> None:
    """One act in one channel a day at rate 0 for others: numbers of reports have Borel's law, and all add up to 1."""
    b = Builder(rates={"mu": 0.7})
    b.channel("c", "mu")
    b.mechanisms = {"again": (ECHO, [(1.0, 1e9)])}
    b.edge("c", "c", "again")
    system = b.system()
    sources = b.sources(system)._replace(repeats=np.ones(1, bool))
    design = build(system, sources, 1.0)
    terms = Terms(design, 2, 0)
    law = [np.exp(-0.7)]
    for n in range(1, 120):
        data = Data(np.zeros(n), np.zeros(n, np.int64), 1.0, True)
        law.append(np.exp(prepare(data, design, terms, system.kernel_decay, np.zeros(2, bool)).evaluate(b.truth())[0]))
    found = np.array(law)
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    assert (np.arange(120) * found).sum() == pytest.approx(0.7 / (1 - ECHO), abs=1e-6)
    # two reports: one act told twice (Borel: e^(-2 eps) eps) or two told once
    two = np.exp(-0.7) * (0.7 * np.exp(-2 * ECHO) * ECHO + 0.7**2 / 2 * np.exp(-2 * ECHO))
    assert found[2] == pytest.approx(two, rel=1e-6)
