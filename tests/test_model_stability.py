"""Branching ratios against dense eigenvalues, reachable states against states found one act at a time."""

from __future__ import annotations

import dataclasses
import itertools
import time
import warnings
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from powderkeg.errors import PowderkegWarning
from powderkeg.model import (
    Model,
    Stability,
    branching_matrix,
    branching_ratio,
    branching_ratios,
    compile,
    elasticities,
    from_arrays,
    spectral_radius,
    stability,
    warn_of_instability,
)
from powderkeg.model.reachable import ReachableStates, reach
from powderkeg.model.stability import stability_over
from powderkeg.scenario import (
    Act,
    Actor,
    AnswerShare,
    Condition,
    Fact,
    FactEffect,
    Gate,
    HalfLife,
    Mechanism,
    Move,
    Pattern,
    Quantity,
    Scenario,
    edit,
    loads,
)

Q = Quantity

ESCALATION = """
powderkeg: 1
name: escalation
start: 2000-01-01
actors: {a: {}, b: {}}
facts: {alarm: {lasts: 10 days}, war: {}, peace: {starts: on}}
acts: {threaten: {tone: hostile}, arm: {tone: hostile}, strike: {tone: hostile}, sign: {tone: cooperative}}
moves:
  a_threatens: {who: a, does: threaten, to: b, rate: 1 per year}
  b_threatens: {who: b, does: threaten, to: a, rate: 1 per year}
  arms: {who: a, does: arm, to: b, sets: {alarm: 50 %}}
  strikes: {who: a, does: strike, to: b, needs: [alarm], sets: [war]}
  signs: {who: b, does: sign, to: a, rate: 1 per year, needs: [war], clears: [peace]}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.4, half_life: 3 days}
  arming: {when: x threatens y, then: x arms y, answers: 0.3, half_life: 3 days}
  outrage: {when: x arms y, then: y threatens x, answers: 0.2, half_life: 3 days}
  striking: {when: b threatens a, then: a strikes b, answers: 0.1, half_life: 3 days}
gates:
  alarm_heats: {while: alarm, mechanisms: [retaliation], factor: 2}
  peace_gone: {while: peace.off, mechanisms: [outrage], factor: 0.5}
"""


@pytest.fixture(scope="module")
def escalation() -> Model:
    return compile(loads(ESCALATION))


def dense_ratio(model: Model, **state: str) -> float:
    return float(np.abs(np.linalg.eigvals(branching_matrix(model, state).toarray())).max())


# --- spectral radius


@st.composite
def masses(draw: st.DrawFn) -> np.ndarray:
    """A matrix without negative entries, often reducible, sometimes periodic or nilpotent, masses over 8 decades."""
    size = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    keep = rng.random((size, size)) < draw(st.sampled_from((0.05, 0.15, 0.4, 1.0)))
    return keep * 10.0 ** rng.uniform(-draw(st.sampled_from((0.5, 8.0))), 0.5, (size, size))


@settings(max_examples=200, deadline=None)
@given(masses())
def test_spectral_radius_agrees_with_dense_eigenvalues(matrix: np.ndarray) -> None:
    """Classes are solved one by one, so the dense routine gets them one by one too: it is poor at nilpotent parts."""
    ours = spectral_radius(sparse.csr_array(matrix))
    n_classes, of = sparse.csgraph.connected_components(sparse.csr_array(matrix), directed=True, connection="strong")
    blocks = [np.flatnonzero(of == index) for index in range(n_classes)]
    theirs = max(float(np.abs(np.linalg.eigvals(matrix[np.ix_(block, block)])).max()) for block in blocks)
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-12)


def test_without_cycles_the_ratio_is_exactly_zero() -> None:
    """Dense eigenvalues of this matrix come out as about 0.1: rounding is the 60th root of nothing."""
    chain = np.diag(np.full(59, 3.0), 1)
    assert spectral_radius(sparse.csr_array(chain)) == 0.0
    assert spectral_radius(sparse.csr_array((5, 5))) == 0.0


@pytest.mark.parametrize("length", [2, 3, 7, 300])
def test_a_cycle_has_the_geometric_mean_of_its_masses(length: int) -> None:
    mass = np.random.default_rng(length).uniform(0.05, 2.0, length)
    step = np.arange(length)
    cycle = sparse.csr_array((mass, (step, (step + 1) % length)), shape=(length, length))
    assert spectral_radius(cycle) == pytest.approx(np.exp(np.log(mass).mean()), rel=1e-7)


def test_many_small_classes_and_one_long_one_are_solved_together() -> None:
    mass = np.random.default_rng(1).uniform(0.0, 0.9, (20_000, 2))
    one = 2 * np.arange(20_000)
    pairs = sparse.csr_array((mass.ravel(), (np.r_[one, one + 1], np.r_[one + 1, one])), shape=(40_000, 40_000))
    expected = np.sqrt(mass.ravel()[:20_000] * mass.ravel()[20_000:]).max()
    assert spectral_radius(pairs) == pytest.approx(expected, rel=1e-7)


def test_a_large_class_with_a_narrow_gap_is_solved(seed: int) -> None:
    """2,000 channels in a ring that hardly touch: power steps alone would take a day."""
    rng = np.random.default_rng(seed)
    size = 2_000
    step = np.arange(size)
    own = rng.uniform(0.2, 0.5, size)
    ring = sparse.csr_array((np.r_[own, np.full(size, 1e-6)], (np.r_[step, step], np.r_[step, (step + 1) % size])))
    assert spectral_radius(ring) == pytest.approx(own.max(), rel=1e-5)


# --- branching in a state


def blown_up(small: np.ndarray, copies: int) -> sparse.csr_array:
    """Each channel of a small matrix `copies` times, answered by one copy of each: copy k by copies k + 1, k + 2, .."""
    n = len(small)
    row, col = np.nonzero(small)
    shift = (np.arange(len(row)) + 1) % copies
    copy = np.arange(copies)
    rows = (row[:, None] * copies + copy).ravel()
    columns = (col[:, None] * copies + (copy + shift[:, None]) % copies).ravel()
    data = np.repeat(small[row, col], copies)
    return sparse.csr_array((data, (rows, columns)), shape=(n * copies, n * copies))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_large_class_of_channels_alike_has_the_ratio_of_the_small_one(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """4,000 channels of 40 sorts with a slow gap: power steps and ARPACK alone come to six digits, sets to nine."""
    draw = np.random.default_rng(seed)
    small = np.diag(draw.uniform(0.8, 0.81, 40)) + np.roll(np.diag(draw.uniform(0.001, 0.002, 40)), 1, axis=1)
    large = blown_up(small, 100)
    monkeypatch.setattr("scipy.sparse.linalg.eigs", None)
    assert spectral_radius(large) == pytest.approx(np.abs(np.linalg.eigvals(small)).max(), rel=1e-9)


def test_channels_that_differ_by_little_are_not_taken_for_alike() -> None:
    """One copy in 4,000 answers itself: the ratio is its own, not that of its sort."""
    small = np.array([[0.3, 0.2], [0.4, 0.1]])
    large = blown_up(small, 2_000).tolil()
    large[0, 0] = 5.0
    assert spectral_radius(sparse.csr_array(small)) == pytest.approx(0.5)
    assert spectral_radius(large.tocsr()) == pytest.approx(5.0)


def test_branching_matrix_counts_direct_answers_from_source_to_target(escalation: Model) -> None:
    threat, reply = escalation.channel("a", "threaten", "b"), escalation.channel("b", "threaten", "a")
    arm = escalation.channel("a", "arm", "b")
    calm = branching_matrix(escalation)
    assert calm[threat, reply] == 0.4
    assert calm[threat, arm] == 0.3
    assert calm[arm, reply] == 0.2
    assert calm.sum() == pytest.approx(0.4 + 0.4 + 0.3 + 0.2)  # a strike needs alarm: its gate is shut
    assert branching_matrix(escalation, {"alarm": "on"})[reply, threat] == 0.8


def test_branching_ratio_by_hand(escalation: Model) -> None:
    """a threatens b -> b threatens a directly (0.4) or over arming (0.3 * 0.2), and back (0.4)."""
    assert branching_ratio(escalation) == pytest.approx(max(np.roots([1, 0, -0.16, -0.3 * 0.2 * 0.4]).real))
    assert branching_ratio(escalation, {"alarm": "on"}) == pytest.approx(dense_ratio(escalation, alarm="on"))


def test_many_states_at_once_give_the_ratios_one_by_one(escalation: Model) -> None:
    states = np.array(list(itertools.product((0, 1), repeat=3)))
    expected = [branching_ratio(escalation, state) for state in states]
    np.testing.assert_allclose(branching_ratios(escalation, states), expected)


def test_elasticities_are_what_happens_when_a_value_moves_one_percent(escalation: Model) -> None:
    state = {"alarm": "on", "peace": "off"}
    found = elasticities(escalation, state)
    before = branching_ratio(escalation, state)
    assert sum(share for path, share in found.items() if path.endswith(".answers")) == pytest.approx(1.0)
    assert set(found) == {
        "mechanisms.retaliation.answers", "mechanisms.arming.answers", "mechanisms.outrage.answers",
        "gates.alarm_heats.factor", "gates.peace_gone.factor",
    }  # fmt: skip
    assert escalation.scenario is not None
    for path, share in found.items():
        value = next(one.value for one in escalation.parameters if one.path == path)
        after = branching_ratio(compile(edit(escalation.scenario, {path: value * 1.0001})), state)
        assert (after / before - 1.0) / 1e-4 == pytest.approx(share, rel=1e-3, abs=1e-6)


# --- reachable states, by hand


def states_of(model: Model, found: ReachableStates) -> set[tuple[tuple[str, str], ...]]:
    """The listed states by name, over the facts that were explored."""
    return {
        tuple((model.facts[fact], model.levels[fact][level]) for fact, level in zip(found.axes, state, strict=True))
        for state in found.states
    }


def test_states_follow_from_what_acts_can_set_and_time_can_clear(escalation: Model) -> None:
    """alarm comes by arming and goes by itself; war is never read but by signs; peace can only go once there is war."""
    found = reach(escalation)
    assert states_of(escalation, found) == {
        (("alarm", alarm), ("war", war), ("peace", peace))
        for alarm in ("off", "on")
        for war, peace in (("off", "on"), ("on", "on"), ("on", "off"))
    }
    assert found.can_fire.all()


def test_an_act_that_can_never_happen_changes_nothing(escalation: Model) -> None:
    """Without arming there is no alarm, so no strike, no war, no signing; retaliation stays as it was."""
    scenario = edit(escalation.scenario, {"mechanisms.arming.answers": 0})
    model = compile(scenario)
    found = reach(model)
    assert len(found.states) == 1
    asleep = [str(model.channels[index]) for index in np.flatnonzero(~found.can_fire)]
    assert asleep == ["a arm b", "a strike b", "b sign a", "alarm runs out"]
    assert stability(model).worst == stability(model).initial


def test_an_act_put_in_by_hand_wakes_what_follows_from_it(escalation: Model) -> None:
    model = compile(edit(escalation.scenario, {"mechanisms.arming.answers": 0}))
    found = reach(model, acts=[model.channel("a", "arm", "b")])
    assert len(found.states) == 6
    assert found.can_fire.all()


def test_an_effect_of_probability_zero_does_not_count(escalation: Model) -> None:
    model = compile(edit(escalation.scenario, {"moves.arms.sets.alarm.on": "0 %"}))
    assert len(reach(model).states) == 1


def test_a_fact_that_comes_by_itself_is_reached_without_any_act(escalation: Model) -> None:
    text = ESCALATION.replace("alarm: {lasts: 10 days}", "alarm: {comes: 1 per year}").replace(
        "sets: {alarm: 50 %}", ""
    )
    model = compile(loads(text))
    assert {dict(state)["alarm"] for state in states_of(model, reach(model))} == {"off", "on"}


def test_a_background_that_a_profile_keeps_at_zero_never_fires() -> None:
    text = ESCALATION.replace("facts:", "profiles: {none: {steps: {2000-01-01: 0}}}\nfacts:")
    text = text.replace("rate: 1 per year}", "rate: 1 per year, varies: none}")
    assert not reach(compile(loads(text))).can_fire.any()


# --- reachable states and the worst of them, by brute force

FACTS = ("f", "g", "h")


@st.composite
def systems(draw: st.DrawFn) -> Scenario:
    """Three actors, four acts in a few channels, three facts that acts set and clear, guards, gates, mechanisms."""
    levels = {name: draw(st.sampled_from((("off", "on"), ("low", "mid", "high")))) for name in FACTS}

    def condition() -> Condition:
        fact = draw(st.sampled_from(FACTS))
        return Condition(fact, draw(st.sampled_from((None, *levels[fact]))))

    def effect() -> FactEffect:
        fact = draw(st.sampled_from(FACTS))
        return FactEffect(fact, draw(st.sampled_from(levels[fact])), Q(draw(st.sampled_from((1.0, 0.5)))))

    pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")]
    moves = {
        f"m{index}": Move(
            who=(who,), does=f"do{index}", to=(to,), rate=Q(draw(st.sampled_from((0.0, 0.0, 0.1)))),
            needs=tuple({condition() for _ in range(draw(st.integers(0, 1)))}),
            effects=tuple(effect() for _ in range(draw(st.integers(0, 2)))),
        )
        for index, (who, to) in enumerate(pairs)
    }  # fmt: skip
    acts = [Pattern(who, f"do{index}", to) for index, (who, to) in enumerate(pairs)]
    mechanisms = {
        f"k{index}": Mechanism(
            when=(draw(st.sampled_from(acts)),),
            then=(AnswerShare(draw(st.sampled_from(acts)), Q(1.0)),),
            answers=Q(draw(st.floats(0.1, 0.9))),
            half_lives=(HalfLife(Q(3.0), Q(1.0)),),
            forbids=tuple(condition() for _ in range(draw(st.integers(0, 1)))),
        )
        for index in range(draw(st.integers(1, 5)))
    }
    gates = {
        f"g{index}": Gate(
            while_=condition(), factor=Q(draw(st.sampled_from((0.0, 0.5, 3.0)))),
            moves=tuple(draw(st.sets(st.sampled_from(sorted(moves)), max_size=2))),
            mechanisms=tuple(draw(st.sets(st.sampled_from(sorted(mechanisms)), min_size=1, max_size=2))),
        )
        for index in range(draw(st.integers(0, 3)))
    }  # fmt: skip
    return Scenario(
        powderkeg=1, name="system", start=date(2000, 1, 1),
        actors={"a": Actor(), "b": Actor(), "c": Actor()},
        facts={
            name: Fact(levels=levels[name], starts=draw(st.sampled_from(levels[name])),
                       lasts=Q(5.0) if draw(st.booleans()) else None)
            for name in FACTS
        },
        acts={f"do{index}": Act(tone="hostile") for index in range(len(pairs))},
        moves=moves, mechanisms=mechanisms, gates=gates,
    )  # fmt: skip


def slow_states(model: Model) -> tuple[set[tuple[int, ...]], set[tuple[tuple[int, ...], frozenset[int]]]]:
    """Every state, and every (state, acts that have happened), found by trying act after act on the scenario itself."""
    scenario = model.scenario
    assert scenario is not None

    def level(state: tuple[int, ...], fact: str) -> str:
        return scenario.facts[fact].levels[state[FACTS.index(fact)]]

    def so(state: tuple[int, ...], condition: Condition) -> bool:
        now = level(state, condition.fact)
        return now == condition.level if condition.level else now != scenario.facts[condition.fact].levels[0]

    moves, names = list(scenario.moves.values()), list(scenario.moves)

    def factor(state: tuple[int, ...], name: str, of: str) -> float:
        gates = [gate for gate in scenario.gates.values() if name in getattr(gate, of) and so(state, gate.while_)]
        return float(np.prod([float(gate.factor) for gate in gates]))

    def can(state: tuple[int, ...], done: frozenset[int], index: int) -> bool:
        move = moves[index]
        if not all(so(state, one) for one in move.needs) or factor(state, names[index], "moves") == 0:
            return False
        if float(move.rate) > 0:
            return True
        return any(
            mechanism.then[0].pattern.act == move.does
            and any(moves[earlier].does == mechanism.when[0].act for earlier in done)
            and not any(so(state, one) for one in mechanism.forbids)
            and factor(state, name, "mechanisms") > 0
            for name, mechanism in scenario.mechanisms.items()
        )

    def after(state: tuple[int, ...], index: int) -> set[tuple[int, ...]]:
        found = {state}
        for one in moves[index].effects:
            at, to = FACTS.index(one.fact), scenario.facts[one.fact].levels.index(one.level)
            changed = {(*each[:at], to, *each[at + 1 :]) for each in found}
            found = changed | (found if float(one.probability) < 1 else set())
        return found

    start = tuple(fact.levels.index(fact.starts) for fact in scenario.facts.values())
    waiting, seen = [(start, frozenset[int]())], {(start, frozenset[int]())}
    while waiting:
        state, done = waiting.pop()
        following = {
            (other, done | {index})
            for index in range(len(moves))
            if can(state, done, index)
            for other in after(state, index)
        }
        following |= {
            ((*state[:at], 0, *state[at + 1 :]), done)
            for at, fact in enumerate(scenario.facts.values())
            if fact.lasts is not None
        }
        waiting += following - seen
        seen |= following
    return {state for state, _ in seen}, seen


@settings(max_examples=60, deadline=None)
@given(systems())
def test_no_reachable_state_is_left_out_and_the_worst_is_found(scenario: Scenario) -> None:
    """The truth keeps account of which acts have happened before; the search does not, so it may list more."""
    model = compile(scenario)
    truly, _ = slow_states(model)
    found = reach(model)
    listed = {tuple(state) for state in found.states.tolist()}
    assert {tuple(np.array(state)[found.axes].tolist()) for state in truly} <= listed
    stable = stability(model)
    happens = found.can_fire[: model.n_acts]

    def ratio(state: tuple[int, ...]) -> float:
        matrix = branching_matrix(model, np.array(state)).toarray()[: model.n_acts, : model.n_acts]
        return spectral_radius(sparse.csr_array(matrix * happens[:, None]))

    assert stable.worst >= max(map(ratio, truly)) - 1e-9
    every = [model.system.initial_level.copy() for _ in found.states]
    for levels, state in zip(every, found.states, strict=True):
        levels[found.axes] = state
    assert stable.worst == pytest.approx(max(ratio(tuple(levels)) for levels in every), abs=1e-9)
    assert stable.sufficient_bound >= stable.worst - 1e-9
    assert stable.n_states == len(listed)


@settings(max_examples=40, deadline=None)
@given(systems())
def test_fact_by_fact_lists_no_less_than_state_by_state(scenario: Scenario) -> None:
    model = compile(scenario)
    exact, rough = reach(model), reach(model, most=0)
    assert not len(rough.states)
    assert not (exact.can_fire & ~rough.can_fire).any()
    for one, other in zip(exact.levels, rough.levels, strict=True):
        assert set(one) <= set(other)
    state_by_state, by_levels, by_bound = stability(model), _coarse(model, 1_000), _coarse(model, 0)
    assert (by_levels.method, by_bound.method) == ("levels", "bound")
    assert by_levels.worst >= state_by_state.worst - 1e-9
    assert by_bound.worst >= by_levels.worst - 1e-9
    assert by_levels.n_states is by_levels.n_critical is None


def _coarse(model: Model, most: int) -> Stability:
    """Stability as it is when there are too many states to list, with at most so many combinations of levels."""
    return stability_over(model, reach(model, most=0), most)


# --- what is said


def test_worst_state_and_its_drivers_by_hand(escalation: Model) -> None:
    found = stability(escalation)
    assert found.initial == pytest.approx(branching_ratio(escalation))
    assert found.worst == pytest.approx(dense_ratio(escalation, alarm="on"))
    assert found.worst_state == {"alarm": "on", "war": "off", "peace": "on"}
    assert found.departure == "when alarm is on"
    shares = dict(found.drivers)
    assert next(iter(shares)) == "mechanisms.retaliation"
    assert shares["mechanisms.arming"] == pytest.approx(shares["mechanisms.outrage"])  # one path runs through both
    assert "mechanisms.striking" not in shares  # a strike draws no answer
    assert sum(share for _, share in found.drivers) == pytest.approx(1.0)
    assert (found.method, found.n_states, found.n_near, found.n_critical) == ("states", 6, 0, 0)


def test_no_warning_while_the_worst_state_is_calm(escalation: Model) -> None:
    assert stability(escalation).warning is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert warn_of_instability(escalation).worst < 0.9


def test_near_the_brink_the_warning_says_where_and_who(escalation: Model) -> None:
    model = compile(edit(escalation.scenario, {"mechanisms.retaliation.answers": 0.46}))
    found = stability(model)
    assert found.warning == (
        f"branching ratio {found.worst:.2f} when alarm is on: runs may be long; "
        f"largest contributor mechanisms.retaliation ({found.drivers[0][1]:.2f})"
    )
    assert 0.9 <= found.worst < 1
    assert (found.n_near, found.n_critical) == (3, 0)  # alarm, with or without war and peace
    with pytest.warns(PowderkegWarning, match="runs may be long"):
        warn_of_instability(model)


def test_over_the_brink_the_warning_says_that_runs_are_stopped(escalation: Model) -> None:
    model = compile(edit(escalation.scenario, {"mechanisms.retaliation.answers": 0.6}))
    found = stability(model)
    assert found.worst > 1 > found.initial
    assert found.n_critical == 3
    assert "stopped at the event limit" in (found.warning or "")
    assert "mechanisms.retaliation" in (found.warning or "")
    assert found.sufficient_bound >= found.worst


def test_a_bound_is_called_a_bound(escalation: Model) -> None:
    model = compile(edit(escalation.scenario, {"mechanisms.retaliation.answers": 0.6}))
    found = _coarse(model, 0)
    assert found.method == "bound"
    assert "at most" in (found.warning or "")
    assert found.drivers[0][0] == "mechanisms.retaliation"


def test_bare_arrays_have_one_state() -> None:
    found = stability(from_arrays([1.0, 1.0], [[0.5, 0.2], [0.1, 0.3]], 1.0))
    assert found.initial == found.worst == found.sufficient_bound
    assert found.worst == pytest.approx(np.abs(np.linalg.eigvals([[0.5, 0.2], [0.1, 0.3]])).max())
    assert found.drivers == (("mechanisms.kernel_0", pytest.approx(1.0)),)


def test_no_mechanisms_at_all_is_as_calm_as_can_be(escalation: Model) -> None:
    model = compile(dataclasses.replace(escalation.scenario, mechanisms={}, gates={}))
    found = stability(model)
    assert (found.worst, found.drivers, found.warning) == (0.0, (), None)


def test_twenty_facts_are_searched_in_a_moment_or_bounded() -> None:
    """2^18 states are more than are listed: the answer comes at once, and says that it is not exact."""
    facts = {f"f{index}": Fact(comes=Q(0.1), lasts=Q(10.0)) for index in range(18)}
    base = loads(ESCALATION)
    gates = {f"g{name}": Gate(while_=Condition(name), factor=Q(1.01), mechanisms=("retaliation",)) for name in facts}
    model = compile(dataclasses.replace(base, facts={**base.facts, **facts}, gates={**base.gates, **gates}))
    begun = time.perf_counter()
    found = stability(model)
    assert time.perf_counter() - begun < 5.0
    assert found.method == "bound"
    assert found.n_states is None
