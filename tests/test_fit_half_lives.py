"""Free half-lives are never worse than held ones, wherever they start."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.events import EventTable
from powderkeg.fit.job import Job, begin
from powderkeg.fit.likelihood.data import read_data
from powderkeg.fit.likelihood.effects import Differences
from powderkeg.fit.likelihood.objective import Objective
from powderkeg.fit.maximum.climb import Climber

SCENARIO = """
powderkeg: 1
name: two_speeds
start: 2015-01-01
years: 12
actors: {a: {}, b: {}}
acts: {fight: {tone: hostile}}
moves: {fights: {who: a, does: fight, to: b, rate: 0.15 per day}}
mechanisms:
  quick: {when: x fights y, then: x fights y, answers: 0.3, half_life: 0.05 days}
  slow: {when: x fights y, then: x fights y, answers: 0.35, half_life: 0.06 days}
"""


def test_half_lives_that_begin_in_the_wrong_place_find_the_right_one() -> None:
    """Answers with decays of 5 and 0.02 a day; both half-lives begin at an hour. From there one climb ends 17 nats
    below the same fit with the half-lives held at the truth."""
    rng = np.random.default_rng(5)
    new, out = rng.uniform(0, 4000, rng.poisson(600)), [np.zeros(0)]
    while len(new):
        out.append(new)
        new = np.concatenate(
            [
                np.repeat(new, k) + rng.exponential(1 / b, k.sum())
                for n, b in ((0.3, 5.0), (0.35, 0.02))
                for k in [rng.poisson(n, len(new))]
            ]
        )
        new = new[new < 4000]
    times = np.sort(np.concatenate(out))
    frame = pl.DataFrame({"time": times}).with_columns(source=pl.lit("a"), act=pl.lit("fight"), target=pl.lit("b"))
    table = EventTable(frame, dt.date(2015, 1, 1), 4000.0, "exact")
    options = {"background": "constant", "test_mechanisms": False, "prior": None}
    free = pk.fit(pk.loads(SCENARIO), table, **options)
    truth = pk.edit(
        pk.loads(SCENARIO),
        {"mechanisms.quick.half_life": np.log(2) / 5.0, "mechanisms.slow.half_life": np.log(2) / 0.02},
    )
    held = pk.fit(truth, table, fix=["mechanisms.*.half_life"], **options)
    assert free.log_likelihood >= held.log_likelihood - 1e-4
    assert free.converged


def test_second_order_steps_find_the_top_that_slopes_find_with_fewer_inner_climbs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two half-lives of a short history: the log likelihood agrees to 0.001, and half the inner climbs are enough."""
    scenario = pk.loads(TWO)
    record = pk.simulate(pk.compile(scenario), replicates=1, seed=5).table()
    inner, count = Climber.inner, [0]

    def counted(self: Climber, *given: Any) -> Any:
        count[0] += 1
        return inner(self, *given)

    monkeypatch.setattr(Climber, "inner", counted)
    tops, climbs = [], []
    for second_order in (True, False):
        monkeypatch.setattr(Climber, "by_second_order", second_order)
        data, _ = read_data(pk.compile(scenario), record, None, "refuse", 0.0)
        climber = Job(pk.compile(scenario), data, None, None, False, "delays", 0.0, record.start, None).climber(
            "constant"
        )
        count[0] = 0
        solution = climber.climb(begin(climber.problem), climber.problem.held)
        assert solution.converged
        tops.append(solution.log_posterior)
        climbs.append(count[0])
    assert abs(tops[0] - tops[1]) < 1e-3
    assert climbs[0] <= 0.5 * climbs[1]


@pytest.mark.parametrize(("stamp", "differing"), [("exact", False), ("day", False), ("day", True)])
def test_one_pass_tells_how_the_top_bends_with_every_half_life(
    stamp: str, differing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pass for each half-life tells it, to rounding; only the pass that moves all of them is taken."""
    model = pk.compile(pk.loads(TWO))
    table = pk.simulate(model, replicates=1, seed=5).table()
    if stamp == "day":
        frame = table.frame.with_columns(time=pl.col("time").floor()).sort("time")
        table = replace(table, frame=frame, resolution="day")
    data, _ = read_data(model, table, None, "refuse", 0.0)
    made = Job(model, data, None, None, False, "delays", 0.0, table.start, None)
    if differing:
        made = replace(made, baselines="shared", differences=Differences(by_dyad=True))
    climber = made.climber("constant")
    held, n = climber.problem.held, climber.problem.n_smooth
    free = np.flatnonzero(~held[n:]) + n
    at_given = held.copy()
    at_given[free] = True
    solution = climber.climb(begin(climber.problem), at_given)
    solution = replace(solution, objective=climber.replay(solution.vector, None, True))
    replay, passes = Climber.replay, [0]

    def counted(self: Climber, *given: Any) -> Any:
        passes[0] += 1
        return replay(self, *given)

    monkeypatch.setattr(Climber, "replay", counted)
    together = climber._bend(solution, free, held)
    assert passes[0] == 1
    monkeypatch.setattr(Climber, "_terms_of", lambda *given: None)
    apart = climber._bend(solution, free, held)
    assert passes[0] == 2 + len(free)
    assert np.abs(together.hessian).min() > 1e-3
    np.testing.assert_allclose(together.hessian, apart.hessian, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(together.follow, apart.follow, rtol=1e-6, atol=1e-6)


def test_what_one_pass_leaves_out_as_next_to_nothing_is_left_out_with_its_term() -> None:
    """The second pass lacks an entry of the term that moves, the first one of a term that stays."""
    model = pk.compile(pk.loads(TWO))
    table = pk.simulate(model, replicates=1, seed=5).table()
    data, _ = read_data(model, table, None, "refuse", 0.0)
    climber = Job(model, data, None, None, False, "delays", 0.0, table.start, None).climber("constant")
    problem, vector = climber.problem, begin(climber.problem)
    moved = vector.copy()
    moved[problem.n_smooth :] += 0.3
    one, two = climber.plain(vector, True), climber.plain(moved, True)
    terms = problem.terms.linear == problem.n_rates
    other = problem.terms.linear == problem.n_rates + 1
    stays = int(np.flatnonzero(other[one.rows.term])[9])
    goes = int(np.flatnonzero(terms[two.rows.term])[9])
    bare = without(one, stays).with_answers_of(without(two, goes), terms)
    full = one.with_answers_of(two, terms)
    assert bare is not None and full is not None
    assert len(bare.rows.term) == len(full.rows.term) - 2
    value = full.rows.value.copy()
    for objective, entry in ((one, stays), (two, goes)):
        value[value == objective.rows.value[entry]] = 0.0
    expected = replace(full, rows=full.rows._replace(value=value)).evaluate(vector[: problem.n_smooth])
    found = bare.evaluate(vector[: problem.n_smooth])
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)
    assert abs(found[0] - full.evaluate(vector[: problem.n_smooth])[0]) > 1e-9


def without(objective: Objective, entry: int) -> Objective:
    """The same with an entry left out."""
    rows = objective.rows
    return replace(
        objective,
        rows=rows._replace(
            start=rows.start - (rows.start > entry),
            term=np.delete(rows.term, entry),
            value=np.delete(rows.value, entry),
            bend=np.delete(rows.bend, entry, axis=0),
        ),
    )


TWO = """
powderkeg: 1
name: two
start: 2010-01-01
years: 3
actors: {north: {}, south: {}, east: {}}
acts: {threaten: {tone: hostile}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.08 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 1 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.3, half_life: 5 days}
"""
