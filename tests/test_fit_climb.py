"""The one climb: bounds, curvature that is looked at or learnt, saddles, and an end that is no arrival said as such."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from powderkeg.engine.arrays import Floats
from powderkeg.fit.maximum.gamma_rates import FRESH
from powderkeg.fit.maximum.newton import Look, Maximum, Rule, climb, maximise

Triple = tuple[float, Floats, Floats]
ANYWHERE = np.full(2, -np.inf), np.full(2, np.inf)


def banana(x: Floats) -> Triple:
    """Rosenbrock's valley turned over: its top is 0 at (1, 1)."""
    a, b = 1.0 - x[0], x[1] - x[0] ** 2
    value = -(a**2) - 100.0 * b**2
    gradient = np.array([2.0 * a + 400.0 * x[0] * b, -200.0 * b])
    hessian = np.array([[-2.0 + 400.0 * b - 800.0 * x[0] ** 2, 400.0 * x[0]], [400.0 * x[0], -200.0]])
    return value, gradient, hessian


def climbed(way: str, rule: Rule, lower: Floats, upper: Floats) -> tuple[Maximum[None], dict[str, int]]:
    """From (-1.2, 1), with the Hessian as the way has it."""
    looks = {"values": 0, "hessians": 0}

    def hill(x: Floats, near: Look[None] | None, curved: bool) -> Look[None]:
        value, gradient, hessian = banana(x)
        looks["values"] += 1
        shown = curved and way == "shown"
        looks["hessians"] += shown
        return Look(value, gradient, hessian if shown else None, None)

    def curve(x: Floats, here: Look[None]) -> Floats:
        looks["hessians"] += 1
        return banana(x)[2]

    start = np.array([-1.2, 1.0])
    return climb(hill, start, lower, upper, rule=rule, curve=curve if way == "asked" else None), looks


@pytest.mark.parametrize(
    ("way", "rule"),
    [
        ("shown", Rule()),
        ("shown", Rule(learns_below=np.inf)),
        ("shown", Rule(farthest=0.1)),
        ("shown", Rule(farthest=0.1, each=True)),
        ("asked", Rule(fresh=4)),
        ("asked", Rule()),
        ("learnt", Rule()),
    ],
)
def test_a_bent_valley_is_climbed_however_its_curvature_is_known(way: str, rule: Rule) -> None:
    found, looks = climbed(way, rule, *ANYWHERE)
    assert found.converged
    np.testing.assert_allclose(found.parameters, 1.0, atol=1e-4)
    assert looks["values"] < 150
    if way == "learnt":
        assert looks["hessians"] == 0
    if rule.fresh is not None:
        assert 1 < looks["hessians"] < looks["values"] / 2


@pytest.mark.parametrize("way", ["shown", "asked", "learnt"])
def test_a_bound_that_is_pushed_against_is_kept(way: str) -> None:
    """Below x = 0.5 the top lies at (0.5, 0.25), and what is left of the slope stands in `gradient`."""
    found, _ = climbed(way, Rule(), np.full(2, -2.0), np.array([0.5, 2.0]))
    assert found.converged
    assert found.active.tolist() == [True, False]
    np.testing.assert_allclose(found.parameters, [0.5, 0.25], atol=1e-5)
    assert found.gradient[0] > 0.5


def test_a_step_cut_piece_by_piece_still_rises() -> None:
    """Newton's step from 0 is (-1, 10); with the second cut to 1 it would lead down, so it is shortened as a whole. The
    planted error, cut whatever comes of it, ends where it begins."""
    gradient, bent = np.array([5.0, 1.0]), np.array([[15.0, 2.0], [2.0, 0.3]])
    assert gradient @ np.linalg.solve(bent, gradient) > 0.0 > gradient @ np.array([-1.0, 1.0])

    def hill(x: Floats, curved: bool) -> Triple:
        return float(gradient @ x - 0.5 * x @ bent @ x), gradient - bent @ x, -bent

    rule = Rule(farthest=np.array([np.inf, 1.0]), each=True, learns_below=10.0)
    found = maximise(hill, np.zeros(2), *ANYWHERE, np.zeros(2, bool), rule)
    assert found.converged
    np.testing.assert_allclose(found.parameters, [-1.0, 10.0], atol=1e-3)


def counts(rng: np.random.Generator) -> tuple[Callable[[Floats, bool], Triple], int]:
    """Likelihood of 40 Poisson counts with linear rates and one log factor: concave in each, not in both."""
    n = int(rng.integers(2, 5))
    load = rng.random((40, n)) * rng.integers(0, 2, (40, n))
    load[:, 0], gated = 1.0, rng.integers(0, 2, 40)
    rates = rng.random(n) * rng.integers(0, 2, n) + 0.05
    number = rng.poisson(load @ rates * np.exp(rng.normal() * gated))

    def likelihood(x: Floats, curved: bool) -> Triple:
        times = np.exp(x[n] * gated)
        mean = load @ x[:n] * times
        if (mean[number > 0] <= 0.0).any():
            return -np.inf, np.zeros(n + 1), np.zeros((n + 1, n + 1))
        safe = np.maximum(mean, 1e-100)
        value, rest = float((number * np.log(safe) - mean).sum()), number / safe - 1.0
        slope = np.column_stack([load * times[:, None], mean * gated])
        hessian = -(slope * (number / safe**2)[:, None]).T @ slope
        both = (load * (times * gated * rest)[:, None]).sum(axis=0)
        hessian[:n, n] += both
        hessian[n, :n] += both
        hessian[n, n] += float((mean * gated * rest).sum())
        return value, slope.T @ rest, hessian

    return likelihood, n


def test_curvature_learnt_upside_down_is_looked_at_anew() -> None:
    """250 likelihoods that bend upwards on the way: with the rule of rates under a Gamma law nearly all settle; never
    looked at anew, the planted error, one in twenty does not."""
    rng = np.random.default_rng(1)
    unsettled = {None: 0, FRESH: 0}
    for _ in range(250):
        likelihood, n = counts(rng)
        linear = np.arange(n + 1) < n
        lower, upper = np.where(linear, 0.0, -5.0), np.where(linear, np.inf, 5.0)
        start, farthest = np.where(linear, 0.5, 0.0), np.where(linear, np.inf, 1.0)
        for fresh in unsettled:
            rule = Rule(tolerance=1e-7, good_enough=1e-3, most_steps=60, shortest=1e-6, grain=1e-9, learns_below=10.0,
                        fresh=fresh, farthest=farthest, each=True, linear=linear, creeps=True)  # fmt: skip
            found = maximise(likelihood, start, lower, upper, ~linear & linear, rule)
            unsettled[fresh] += not found.converged
    assert unsettled[FRESH] <= 2 and unsettled[None] >= 8


def two_hills(x: Floats) -> Triple:
    """Tops at (-1, 0) and (1, 0), the second higher; between them a saddle at which there is no slope."""
    value = -((x[0] ** 2 - 1.0) ** 2) - x[1] ** 2
    gradient = np.array([-4.0 * x[0] * (x[0] ** 2 - 1.0), -2.0 * x[1]])
    return value, gradient, np.diag([4.0 - 12.0 * x[0] ** 2, -2.0])


def test_a_saddle_is_no_top() -> None:
    """Planted: without a look at the curvature the climb stays on the saddle, and calls it a maximum."""
    held = np.zeros(2, bool)
    found = maximise(lambda x, curved: two_hills(x), np.array([0.0, 0.5]), *ANYWHERE, held)
    assert found.converged
    np.testing.assert_allclose(np.abs(found.parameters), [1.0, 0.0], atol=1e-6)

    def blind(x: Floats, near: Look[None] | None, curved: bool) -> Look[None]:
        return Look(*two_hills(x)[:2], None, None)

    stays = climb(blind, np.array([0.0, 0.5]), *ANYWHERE)
    assert abs(stays.parameters[0]) < 1e-9


def test_held_parameters_stay() -> None:
    found = maximise(lambda x, curved: banana(x), np.array([-1.2, 1.0]), *ANYWHERE, np.array([True, False]))
    np.testing.assert_allclose(found.parameters, [-1.2, 1.44], atol=1e-8)


def test_a_rate_without_events_goes_to_zero_at_once() -> None:
    """Its slope is straight: no curvature says how far to go. A logarithm in its place has no such size."""

    def function(x: Floats, curved: bool) -> Triple:
        return -50.0 * x[0] - (x[1] - 3.0) ** 2, np.array([-50.0, -2.0 * (x[1] - 3.0)]), np.diag([0.0, -2.0])

    lower = np.array([0.0, -np.inf])
    rule = Rule(linear=np.array([True, False]))
    found = maximise(function, np.array([20.0, 0.0]), lower, np.full(2, np.inf), np.zeros(2, bool), rule)
    assert found.converged
    assert found.parameters[0] == 0.0
    assert found.steps <= 3


def test_a_slope_that_points_down_is_no_arrival() -> None:
    """Planted: a gradient of the wrong sign. No point along it is higher, and the end is not called a maximum."""

    def wrong(x: Floats, curved: bool) -> Triple:
        value, gradient, hessian = banana(x)
        return value, -gradient, hessian

    found = maximise(wrong, np.array([-1.2, 1.0]), *ANYWHERE, np.zeros(2, bool))
    assert not found.converged
    assert found.steepest > 0.1


def test_a_start_where_nothing_is_possible_is_no_arrival() -> None:
    def nowhere(x: Floats, curved: bool) -> Triple:
        return -np.inf, np.full(2, np.nan), np.full((2, 2), np.nan)

    assert not maximise(nowhere, np.zeros(2), *ANYWHERE, np.zeros(2, bool)).converged


def test_a_climb_stops_where_its_top_is_of_no_use() -> None:
    """Half-lives of another length are tried by the dozen, and only the best two are gone on from."""
    rng = np.random.default_rng(1)
    rows = rng.exponential(size=(400, 6))
    looks = [0]

    def chance(x: Floats, curved: bool) -> Triple:
        looks[0] += 1
        inverse = rows / (rows @ x)[:, None]
        return float(np.log(rows @ x).sum() - 400.0 * x.sum()), inverse.sum(axis=0) - 400.0, -inverse.T @ inverse

    start, lower, upper = np.full(6, 1e-3), np.zeros(6), np.full(6, np.inf)
    linear = np.ones(6, bool)
    whole = maximise(chance, start, lower, upper, np.zeros(6, bool), Rule(linear=linear))
    needed, looks[0] = looks[0], 0
    useless = maximise(chance, start, lower, upper, np.zeros(6, bool), Rule(linear=linear, worth=whole.value + 1.0))
    assert not useless.converged and useless.value < whole.value and looks[0] < needed
    useful = maximise(chance, start, lower, upper, np.zeros(6, bool), Rule(linear=linear, worth=whole.value - 1e-6))
    assert useful.converged and useful.value == whole.value
