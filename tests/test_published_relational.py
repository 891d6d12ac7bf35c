"""Published DyNAM fits to phone calls in a dormitory: which of them this model's gates contain, and with what numbers.

A choice model says whom a caller calls, given that he calls: exp(theta . s_j) / sum over receivers. With time counted
in calls, facts "i has called j" that calls set, gates exp(theta) on them, and a background that is free in every step
and 0 for all but the caller, the gated process of `engine.likelihood.design` has the likelihood

    sum over calls of (log alpha_e + theta . s) - sum over steps of alpha_e * sum over receivers of exp(theta . s),

whose maximum over alpha_e is the choice likelihood less one a call. So the estimates must agree to the last digit.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import optimize

from powderkeg.engine.likelihood.design import Shape, Sources, build
from powderkeg.fit.likelihood.objective import Data, prepare
from powderkeg.fit.likelihood.terms import Terms
from powderkeg.model import from_arrays

DATA = Path(os.environ.get("POWDERKEG_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CALLS = DATA / "rem_social_evolution"
pytestmark = pytest.mark.skipif(
    not CALLS.exists(), reason="needs the data folder rem_social_evolution (POWDERKEG_DATA)"
)
EFFECTS = {
    "choice_friend": ("friend",),
    "choice_full": ("called", "called_back", "friend", "friend_back", "grade", "floor"),
}


class Calls:
    """The calls, the days on which friendships were named, and who is alike."""

    def __init__(self) -> None:
        actors = pl.read_csv(CALLS / "actors.csv")
        number = {name: k for k, name in enumerate(actors["label"])}
        self.n = len(number)
        calls, friends = pl.read_csv(CALLS / "calls.csv"), pl.read_csv(CALLS / "friendship.csv")
        self.source = [number[s] for s in calls["sender"]]
        self.target = [number[t] for t in calls["receiver"]]
        self.steps = calls.height
        # A friendship holds from the first call at or after its stamp.
        at = np.searchsorted(calls["time"].to_numpy(), friends["time"].to_numpy())
        self.befriended = [
            (int(e), number[s], number[t])
            for e, s, t in zip(at, friends["sender"], friends["receiver"], strict=True)
            if e < self.steps
        ]
        # Those whose grade is missing count as alike, as in the published fit (it fills in the mean).
        grade = actors["gradeType"].fill_null(-1.0).to_numpy()
        floor = actors["floor"].to_numpy()
        self.alike = {"grade": grade[:, None] == grade[None, :], "floor": floor[:, None] == floor[None, :]}


class Gated:
    """The gated process of some effects, ready to be evaluated."""

    def __init__(self, calls: Calls, effects: tuple[str, ...]) -> None:
        self.calls, self.effects = calls, effects
        callers = sorted(set(calls.source))
        dyads = [(i, j) for i in callers for j in range(calls.n) if i != j]
        index = {dyad: k for k, dyad in enumerate(dyads)}
        befriending = sorted({(i, j) for _, i, j in calls.befriended})
        facts = {("called", *dyad): k for k, dyad in enumerate(dyads)}
        facts |= {("friend", *pair): len(facts) + k for k, pair in enumerate(befriending)}
        always = len(facts)  # a fact that holds from the start: what is alike stays alike
        rows: list[list[tuple[int, int]]] = [[]]
        for i, j in dyads:
            read = {"called": ("called", i, j), "called_back": ("called", j, i), "friend": ("friend", i, j),
                    "friend_back": ("friend", j, i)}  # fmt: skip
            row = []
            for k, effect in enumerate(effects):
                if effect in calls.alike:
                    if calls.alike[effect][i, j]:
                        row.append((always, 2 * k))
                elif read[effect] in facts:
                    row.append((facts[read[effect]], 2 * k))
            rows.append(row)
        self.size, n = len(dyads), len(dyads) + len(befriending)
        effect_fact = [facts["called", *dyad] for dyad in dyads] + [facts["friend", *pair] for pair in befriending]
        steps = calls.steps
        profile = np.array([callers.index(i) for i, _ in dyads] + [-1] * len(befriending), np.int64)
        system = from_arrays(np.ones(n), np.zeros((n, n)), 1.0).system._replace(
            initial_level=np.array([0] * always + [1]),
            level_start=np.arange(always + 2) * 2,
            profile=profile,
            channel_gate=np.array([*range(1, self.size + 1), *([0] * len(befriending))]),
            profile_start=np.arange(len(callers) + 1) * steps,
            step_time=np.tile(np.append(-np.inf, np.arange(1.0, steps)), len(callers)),
            step_value=np.concatenate([(np.array(calls.source) == i).astype(float) for i in callers]),
            profile_swing=np.zeros(len(callers)),
            profile_peak=np.zeros(len(callers)),
            row_start=np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
            entry_fact=np.array([fact for row in rows for fact, _ in row], np.int64),
            entry_offset=np.array([offset for row in rows for _, offset in row], np.int64),
            level_factor=np.ones(2 * len(effects)),
            effect_start=np.arange(n + 1),
            effect_fact=np.array(effect_fact),
            effect_level=np.ones(n, np.int64),
            effect_probability=np.ones(n),
        )
        factor = np.full(2 * len(effects), -1)
        factor[1::2] = np.arange(len(effects))
        sources = Sources(
            np.repeat([0, 1], [self.size, len(befriending)]), np.ones(n), np.zeros(0), factor, 2, len(effects)
        )
        shape = Shape(np.arange(steps + 1.0), np.ones(steps), np.zeros(steps, np.int64), np.zeros((1, 0)))
        self.design = build(system, sources, float(steps), shape)
        self.terms = Terms(self.design, 3, len(effects))
        # A call changes facts when its step is over: what is possible within a step is what was before it.
        events = [(e + 1 - 1e-9, index[calls.source[e], calls.target[e]]) for e in range(steps)]
        events += [(float(e), self.size + befriending.index((i, j))) for e, i, j in calls.befriended]
        events.sort()
        self.data = Data(np.array([t for t, _ in events]), np.array([c for _, c in events]), float(steps), False)
        self.named = [e for e, _, _ in calls.befriended]
        self.n_befriending = len(befriending)
        self.statistics = self._statistics()

    def _statistics(self) -> np.ndarray:
        """(calls, receivers, effects) of the caller's possible receivers, written out: what the background needs."""
        calls = self.calls
        called, friend = np.zeros((calls.n, calls.n)), np.zeros((calls.n, calls.n))
        result, queue = [], sorted(calls.befriended)
        for e, (i, j) in enumerate(zip(calls.source, calls.target, strict=True)):
            while queue and queue[0][0] <= e:
                _, a, b = queue.pop(0)
                friend[a, b] = 1.0
            every = {"called": called[i], "called_back": called[:, i], "friend": friend[i], "friend_back": friend[:, i],
                     **{name: alike[i].astype(float) for name, alike in calls.alike.items()}}  # fmt: skip
            result.append(np.delete(np.stack([every[name] for name in self.effects], axis=1), i, axis=0))
            called[i, j] = 1.0
        return np.array(result)

    def evaluate(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """(choice log-likelihood, gradient) as the gated process has it, its background at its best."""
        alpha = 1.0 / np.exp(self.statistics @ theta).sum(axis=1)
        design = self.design._replace(cell_value=self.design.cell_value * alpha)
        objective = prepare(self.data, design, self.terms, np.ones(1), np.zeros(3, bool))
        value, gradient, _ = objective.evaluate(np.concatenate([[1.0, 1.0, 0.0], theta]), False)
        # Friendships come in the same table, as acts with a likelihood of their own.
        others = np.log(alpha[self.named]).sum() - self.n_befriending * alpha.sum()
        return value - others + self.calls.steps, gradient[3:]


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return {model["id"]: model for model in json.loads((CALLS / "published.json").read_text())["models"]}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_choice_model_of_single_ties_is_reproduced_to_the_printed_digits(
    name: str, published: dict[str, Any]
) -> None:
    must_agree(Gated(Calls(), EFFECTS[name]), published[name])


def must_agree(gated: Any, told: dict[str, Any]) -> None:
    """Climb with the gated process's own value and gradient; hold the maximum and its curvature against the print."""
    k = len(told["coef"])
    found = optimize.minimize(
        lambda theta: tuple(-part for part in gated.evaluate(theta)), np.zeros(k), jac=True, method="BFGS",
        options={"gtol": 1e-5},
    )  # fmt: skip
    assert found.x == pytest.approx(told["coef"], abs=1.1e-5)
    assert -found.fun == pytest.approx(told["loglik"], abs=0.051)
    step = 1e-4
    bent = [
        (gated.evaluate(found.x + step * unit)[1] - gated.evaluate(found.x - step * unit)[1]) / (2 * step)
        for unit in np.eye(len(found.x))
    ]
    assert np.sqrt(np.diag(np.linalg.inv(-np.array(bent)))) == pytest.approx(told["se"], abs=2e-5)


def test_another_reading_of_the_facts_gives_other_numbers(published: dict[str, Any]) -> None:
    """The planted error: friendships read backwards."""
    calls = Calls()
    calls.befriended = [(e, j, i) for e, i, j in calls.befriended]
    value, gradient = Gated(calls, EFFECTS["choice_friend"]).evaluate(np.array(published["choice_friend"]["coef"]))
    assert abs(value - published["choice_friend"]["loglik"]) > 10.0
    assert abs(gradient[0]) > 1.0


def test_two_ties_at_once_are_no_product_of_gates(published: dict[str, Any]) -> None:
    """choice_basic counts paths i -> k -> j. As a factor of the facts ik and kj, exp(theta * both) is no product of one
    number for each unless theta is 0: the table of its logarithms has an interaction."""
    theta = published["choice_basic"]["coef"][2]
    table = np.array([[0.0, 0.0], [0.0, theta]])
    assert abs(table[0, 0] + table[1, 1] - table[0, 1] - table[1, 0]) > 0.2


class Rates:
    """The ordered rate models: who calls next, whoever is called. A gate on each fact "k has called i" and "i has
    called k" multiplies by exp(theta) for each partner so far; a fact of each actor, which the surveys set, by
    exp(theta * friends named) with the number it had in that survey."""

    def __init__(self, calls: Calls, with_friends: bool) -> None:
        self.calls, self.steps = calls, calls.steps
        pairs = sorted(set(zip(calls.source, calls.target, strict=True)))
        dyads = [(i, j) for i in range(calls.n) for j in range(calls.n) if i != j]
        index = {dyad: k for k, dyad in enumerate(dyads)}
        facts = {pair: k for k, pair in enumerate(pairs)}
        waves = sorted({e for e, _, _ in calls.befriended}) if with_friends else []
        named = np.zeros((calls.n, len(waves) + 1), np.int64)
        for w, wave in enumerate(waves):
            named[:, w + 1] = np.bincount(
                [j for _, j in {(i, j) for e, i, j in calls.befriended if e <= wave}], minlength=calls.n
            )
        levels = len(waves) + 1
        survey = len(pairs)
        cells = [[1.0, 1.0], [1.0, 1.0], *([1.0] * levels for _ in waves)]  # in, out, each wave alone
        first = np.concatenate([[0], np.cumsum([len(c) for c in cells])])
        factor = np.full(first[-1], -1)
        factor[[1, 3]] = [0, 1]
        for w in range(len(waves)):
            factor[first[2 + w] + w + 1] = 2
        rows: list[list[tuple[int, int]]] = [[]]
        for i in range(calls.n):
            row = [(facts[p], 0) for p in pairs if p[1] == i] + [(facts[p], 2) for p in pairs if p[0] == i]
            for w in range(len(waves)):
                row += [(survey, int(first[2 + w]))] * int(named[i, w + 1])
            rows.append(row)
        n = len(dyads) + len(waves)
        effects = [[(facts[dyad], 1)] if dyad in facts else [] for dyad in dyads] + [
            [(survey, w + 1)] for w in range(len(waves))
        ]
        n_facts = len(pairs) + bool(waves)
        system = from_arrays(np.ones(n), np.zeros((n, n)), 1.0).system._replace(
            initial_level=np.zeros(n_facts, np.int64),
            level_start=np.concatenate([[0], np.cumsum([2] * len(pairs) + [levels] * bool(waves))]),
            channel_gate=np.array([i + 1 for i, _ in dyads] + [0] * len(waves)),
            row_start=np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
            entry_fact=np.array([fact for row in rows for fact, _ in row], np.int64),
            entry_offset=np.array([offset for row in rows for _, offset in row], np.int64),
            level_factor=np.ones(first[-1]),
            effect_start=np.concatenate([[0], np.cumsum([len(e) for e in effects])]),
            effect_fact=np.array([f for e in effects for f, _ in e], np.int64),
            effect_level=np.array([level for e in effects for _, level in e], np.int64),
            effect_probability=np.ones(sum(len(e) for e in effects)),
        )
        self.size, self.waves, self.k = len(dyads), waves, 2 + bool(waves)
        scale = np.append(np.full(len(dyads), 1.0 / (calls.n - 1)), np.ones(len(waves)))
        sources = Sources(np.repeat([0, 1], [len(dyads), len(waves)]), scale, np.zeros(0), factor, 2, self.k)
        shape = Shape(
            np.arange(self.steps + 1.0), np.ones(self.steps), np.zeros(self.steps, np.int64), np.zeros((1, 0))
        )
        self.design = build(system, sources, float(self.steps), shape)
        self.terms = Terms(self.design, 3, self.k)
        events = [(e + 1 - 1e-9, index[calls.source[e], calls.target[e]]) for e in range(self.steps)]
        events = sorted(events + [(float(e), len(dyads) + w) for w, e in enumerate(waves)])
        self.data = Data(np.array([t for t, _ in events]), np.array([c for _, c in events]), float(self.steps), False)
        called, result = np.zeros((calls.n, calls.n)), []
        for e, (i, j) in enumerate(zip(calls.source, calls.target, strict=True)):
            wave = sum(w <= e for w in waves)
            result.append(np.stack([called.sum(axis=0), called.sum(axis=1), named[:, wave]], axis=1)[:, : self.k])
            called[i, j] = 1.0
        self.statistics = np.array(result)

    def evaluate(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """(rate log-likelihood, gradient) as the gated process has it, its background at its best."""
        alpha = 1.0 / np.exp(self.statistics @ theta).sum(axis=1)
        design = self.design._replace(cell_value=self.design.cell_value * alpha)
        objective = prepare(self.data, design, self.terms, np.ones(1), np.zeros(3, bool))
        value, gradient, _ = objective.evaluate(np.concatenate([[1.0, 1.0, 0.0], theta]), False)
        others = np.log(alpha[self.waves]).sum() - len(self.waves) * alpha.sum()
        return value - others + self.steps * (1.0 + np.log(self.calls.n - 1)), gradient[3:]


@pytest.mark.parametrize("name", ["rate_ordered", "rate_friend_ordered"])
def test_a_rate_model_of_counted_partners_is_reproduced_to_the_printed_digits(
    name: str, published: dict[str, Any]
) -> None:
    must_agree(Rates(Calls(), name == "rate_friend_ordered"), published[name])
