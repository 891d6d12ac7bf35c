"""The engine against theory: means, covariances, Markov chains, time rescaling, its own twin.

Each statistical test states its false-alarm rate and has its planted error beside it. Sizes are those of the ordinary
run; `nightly` ones are larger and take a fresh seed.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import reference
import slow_twin
import systems
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import linalg, stats

import powderkeg
from powderkeg.engine import draws
from powderkeg.engine.simulation.alias import alias_rows
from powderkeg.engine.simulation.chunks import Workspace, simulate_chunk
from powderkeg.engine.simulation.tables import tables
from powderkeg.engine.worlds import ForcedAct, Past, Phase, StandingPolicy, world
from powderkeg.simulate import simulate

quiet = pytest.mark.filterwarnings("ignore:.*replicates were stopped:powderkeg.errors.PowderkegWarning")


def counts_of(runs, channels=None):
    """(replicates, C) events by channel."""
    C = runs.system.n_channels
    counts = np.bincount(runs.replicate.astype(np.int64) * C + runs.channel, minlength=runs.replicates * C)
    counts = counts.reshape(runs.replicates, C)
    return counts if channels is None else counts[:, channels].sum(axis=1)


def moved(system, **scales):
    """The system with these fields multiplied."""
    return system._replace(**{name: getattr(system, name) * scale for name, scale in scales.items()})


# -- T1: draws --------------------------------------------------------------------------------------------------------


@njit
def _keys(pattern, root, n, out):
    for i in range(n):
        if pattern == 0:  # founders of one replicate
            out[i] = draws.child(root, draws.IMMIGRANT, np.int64(i))
        elif pattern == 1:  # one founder each of many replicates
            out[i] = draws.child(draws.child(root, draws.REPLICATE, np.int64(i)), draws.IMMIGRANT, np.int64(0))
        elif pattern == 2:  # a line of first children, the depth of a long cascade
            root = draws.child(root, draws.OFFSPRING, np.int64(0))
            out[i] = root
        else:  # children of children, in layers
            k = draws.child(root, draws.LAYER, np.int64(1 + i % 4))
            out[i] = draws.child(draws.child(k, draws.OFFSPRING, np.int64(i // 4 // 64)), draws.OFFSPRING, i // 4 % 64)


@njit
def _uniforms(keys, j, out):
    for i in range(len(keys)):
        out[i] = draws.draw(keys[i], j)


def _chi2(cells, n_cells):
    observed = np.bincount(cells, minlength=n_cells)
    return stats.chisquare(observed).pvalue


def _uniformity(first, second):
    """p-values: one dimension, pairs in series, pairs across draws."""
    single = _chi2((first * 256).astype(int), 256)
    serial = _chi2((first[:-1:2] * 32).astype(int) * 32 + (first[1::2] * 32).astype(int), 1024)
    across = _chi2((first * 32).astype(int) * 32 + (second * 32).astype(int), 1024)
    return np.array([single, serial, across])


def _draws_are_uniform(n, seed):
    p = []
    for pattern in range(4):
        keys = np.empty(n, np.uint64)
        _keys(pattern, draws.root_key(seed), n, keys)
        first, second = np.empty(n), np.empty(n)
        _uniforms(keys, draws.CHOICE, first)
        _uniforms(keys, draws.DELAY, second)
        assert first.min() > 0
        assert first.max() < 1
        p.append(_uniformity(first, second))
    p = np.array(p)
    assert p.shape == (4, 3)
    assert p.min() > 1e-5, p


def test_draws_are_uniform_and_independent_of_their_neighbours(seed):
    """T1. False alarm 1.2e-4 (12 tests)."""
    _draws_are_uniform(400_000, seed)


@pytest.mark.nightly
def test_draws_are_uniform_at_full_size(seed):
    _draws_are_uniform(2_000_000, seed)


def test_uniformity_refuses_keys_that_are_not_mixed():
    """Planted error: uniforms straight from an arithmetic series of keys, and the same draw under two names."""
    keys = np.arange(400_000, dtype=np.uint64) * np.uint64(0xA0761D6478BD642F)
    raw = (keys >> np.uint64(12)).astype(float) / 2**52
    p = _uniformity(raw, raw)
    assert p[1] < 1e-5
    assert p[2] < 1e-5


def test_twin_and_engine_draw_the_same():
    rng = np.random.default_rng(3)
    for key in [0, 1, 2**64 - 1, *(int(x) for x in rng.integers(0, 2**63, 200))]:
        for j in (0, 3, 17):
            assert draws.draw(np.uint64(key), np.uint64(j)) == slow_twin.draw(key, j)
        index = int(rng.integers(0, 2**40))
        assert int(draws.child(np.uint64(key), draws.LAYER, np.int64(index))) == slow_twin.child(key, 4, index)
    for seed in (0, 1, 2**64, 2**100 + 7):
        assert int(draws.root_key(seed)) == slow_twin.root_key(seed)


@pytest.mark.parametrize("mean", [0.3, 4.0, 15.9, 16.1, 70.0, 900.0])
def test_offspring_counts_are_poisson_at_any_mean(mean):
    """False alarm 1e-5 each. e^-900 underflows, so large means are summed in parts."""

    @njit
    def sample(n, root, each, parts, none, out):
        for i in range(n):
            out[i] = draws.poisson(draws.child(root, draws.IMMIGRANT, np.int64(i)), each, parts, none)

    each, parts, none = (x[0] for x in draws.parts_of(np.array([mean])))
    n = 40_000
    out = np.empty(n, np.int64)
    sample(n, draws.root_key(5), each, int(parts), none, out)
    assert slow_twin.poisson(int(draws.child(draws.root_key(5), draws.IMMIGRANT, np.int64(0))), mean) == out[0]
    low, high = stats.poisson.ppf([0.001, 0.999], mean).astype(int)
    edges = np.unique(np.linspace(low, high, 25).astype(int))
    observed = np.bincount(np.searchsorted(edges, out, side="right"), minlength=len(edges) + 1)
    expected = n * np.diff(np.concatenate([[0], stats.poisson.cdf(edges - 1, mean), [1]]))
    kept = expected > 5
    chi2 = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
    assert stats.chi2.sf(chi2, kept.sum()) > 1e-5


def test_alias_tables_keep_the_weights_they_were_made_of():
    rng = np.random.default_rng(1)
    for n in (1, 2, 3, 17, 400):
        weight = rng.exponential(size=n) ** 3 + 1e-9
        keep, other, sums = np.empty(n), np.empty(n, np.int64), np.empty(1)
        alias_rows(np.array([0, n]), weight, keep, other, sums)
        back = keep.copy()
        np.add.at(back, other, 1 - keep)
        np.testing.assert_allclose(back / n, weight / weight.sum(), rtol=1e-9, atol=1e-15)
        assert sums[0] == pytest.approx(weight.sum(), rel=1e-12)


# -- T2: means and covariances without state --------------------------------------------------------------------------


def _moments(system, days, step=0.5):
    """Mean and covariance of all counts at `days`: m' = F m + f, V' = F V + V F' + L diag(lambda) L'."""
    (rate, _, _, source, target, _, jump, decay, *_) = reference.arrays(system)
    pairs = {}
    for k in range(len(target)):
        pairs.setdefault((target[k], decay[k]), len(pairs))
    C, K = len(rate), len(pairs)
    n = C + K
    intensity = np.zeros((C, n))  # lambda = rate + intensity @ state
    loading = np.zeros((n, C))
    F, f = np.zeros((n, n)), np.zeros(n)
    loading[:C] = np.eye(C)
    for (c, beta), i in pairs.items():
        intensity[c, C + i] = 1.0
        F[C + i, C + i] = -beta
    for k in range(len(target)):
        loading[C + pairs[target[k], decay[k]], source[k]] += jump[k]
    F += loading @ intensity
    f += loading @ rate
    m, V = np.zeros(n), np.zeros((n, n))

    def slope(m, V):
        lam = rate + intensity @ m
        FV = F @ V
        return F @ m + f, FV + FV.T + (loading * lam) @ loading.T

    for _ in range(round(days / step)):
        a1, b1 = slope(m, V)
        a2, b2 = slope(m + step / 2 * a1, V + step / 2 * b1)
        a3, b3 = slope(m + step / 2 * a2, V + step / 2 * b2)
        a4, b4 = slope(m + step * a3, V + step * b3)
        m, V = m + step / 6 * (a1 + 2 * a2 + 2 * a3 + a4), V + step / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return m[:C], V[:C, :C]


@functools.cache
def _theory(days):
    return _moments(systems.small(gated=False), days)


def _assert_moments(counts, days):
    """Hotelling p > 1e-4 on means; largest of 946 covariance z-scores < 5.3; total variance z < 3.9."""
    mean, cov = _theory(days)
    n, C = counts.shape
    gap = counts.mean(axis=0) - mean
    p = stats.chi2.sf(n * gap @ np.linalg.solve(cov, gap), C)
    assert p > 1e-4, f"means: p = {p:.2g}"
    x = counts - mean
    total = x.sum(axis=1) ** 2
    z = (total.mean() - cov.sum()) / (total.std() / math.sqrt(n))
    assert abs(z) < 3.9, f"total variance: z = {z:.2f}"
    worst = 0.0
    for i in range(C):
        product = x[:, i : i + 1] * x[:, i:]
        # Standardised by the spread of the products; rare channels need many runs for that to be normal.
        z = (product.mean(axis=0) - cov[i, i:]) / (product.std(axis=0) / math.sqrt(n))
        worst = max(worst, np.abs(z).max())
    assert worst < 5.3, f"covariances: largest z = {worst:.2f}"


def test_means_and_covariances_agree_with_the_moment_equations(seed):
    """T2, 60 days, 20,000 runs (1.2 million events). False alarm 4e-4."""
    runs = simulate(systems.small(gated=False), days=60.0, replicates=20_000, seed=seed)
    _assert_moments(counts_of(runs), 60.0)


@pytest.mark.nightly
def test_means_and_covariances_at_full_size(seed):
    runs = simulate(systems.small(gated=False), days=100.0, replicates=40_000, seed=seed)
    _assert_moments(counts_of(runs), 100.0)


def test_moments_refuse_three_percent_more_excitation(seed):
    more = moved(systems.small(gated=False), edge_mass=1.03)
    with pytest.raises(AssertionError, match=r"means|variance|covariances"):
        _assert_moments(counts_of(simulate(more, days=60.0, replicates=20_000, seed=seed)), 60.0)


def test_moments_refuse_counts_with_the_right_means_but_no_cascades(seed):
    mean, _ = _theory(60.0)
    with pytest.raises(AssertionError, match=r"variance"):
        _assert_moments(np.random.default_rng(seed).poisson(mean, (20_000, 43)), 60.0)


# -- T3: gates and guards against a Markov chain ----------------------------------------------------------------------


def _chain(scale=1.0, timer=False):
    """Three facts that switch each other: eight states. With `timer` the third runs out by a timer, not a channel."""
    b = systems.Builder()
    a, c, d = b.fact(), b.fact(starts=1), b.fact()
    flips = []

    def channel(rate, fact, level, *gates):
        here = (fact, [1.0, 0.0] if level else [0.0, 1.0])
        flips.append((fact, level))
        return b.channel(rate, gate=b.row(here, *gates), effects=((fact, level, 1.0),))

    channel(0.5, a, 1, (c, [1.0, 1.8 * scale]))
    channel(0.7, a, 0, (d, [1.0, 0.3]))
    channel(0.4, c, 1, (a, [0.6, 1.3]), (d, [1.0, 0.0]))
    channel(0.6, c, 0, (d, [0.4, 2.0]))
    channel(0.8, d, 1, (a, [0.2, 1.0]))
    if timer:
        flips.append((d, 0))
        b.timer(d, 1, 1 / 0.9, b.channel(0.0, effects=((d, 0, 1.0),)))
    else:
        channel(0.9, d, 0)
    return b.build(), flips


def _chain_law(days):
    """State probabilities at `days`, by matrix exponential of the rates written out once more."""
    Q = np.zeros((8, 8))

    def add(state, other, rate):
        Q[state, other] += rate
        Q[state, state] -= rate

    for state in range(8):
        a, c, d = state >> 2, state >> 1 & 1, state & 1
        add(state, state ^ 4, 0.7 * (0.3 if d else 1.0) if a else 0.5 * (1.8 if c else 1.0))
        add(state, state ^ 2, 0.6 * (2.0 if d else 0.4) if c else 0.4 * (1.3 if a else 0.6) * (0.0 if d else 1.0))
        add(state, state ^ 1, 0.9 if d else 0.8 * (1.0 if a else 0.2))
    return linalg.expm(Q * days)[0b010]


def _assert_chain(system, flips, replicates, seed):
    runs = simulate(system, days=4.0, replicates=replicates, seed=seed)
    levels = np.tile(system.initial_level, (replicates, 1))
    fact, level = np.array(flips).T
    levels[runs.replicate, fact[runs.channel]] = level[runs.channel]  # in time order: the last one stands
    observed = np.bincount(levels @ [4, 2, 1], minlength=8)
    p = stats.chisquare(observed, _chain_law(4.0) * replicates).pvalue
    assert p > 1e-4, f"p = {p:.2g}"


@pytest.mark.parametrize("timer", [False, True])
def test_gates_and_guards_give_the_markov_chain_they_describe(timer, seed):
    """T3, 100,000 runs. False alarm 1e-4 each. With a timer: an exponential delay is a rate."""
    _assert_chain(*_chain(timer=timer), 100_000, seed)


def test_chain_refuses_a_gate_five_percent_too_strong(seed):
    with pytest.raises(AssertionError, match="p ="):
        _assert_chain(*_chain(scale=1.05), 100_000, seed)


def test_no_event_opens_its_own_gate():
    """A guard reads the state before the event moves it: with its fact absent the act never happens, not even once."""
    b = systems.Builder()
    fact = b.fact()
    b.channel(5.0, gate=b.row((fact, [0.0, 1.0])), effects=((fact, 1, 1.0),))
    assert len(simulate(b.build(), days=100.0, replicates=10)) == 0


def test_a_tie_is_read_at_the_time_of_the_answer():
    """Answers to acts before the tie is cut fall away if they would come after."""
    b = systems.Builder()
    tie = b.fact(starts=1)
    b.kernel((1.0, 0.1))
    b.channel(1.0)
    answers = b.channel(0.0)
    b.edge(0, answers, 0, 0.9, b.row((tie, [0.0, 1.0])))
    system = b.build()
    cut = simulate(system, days=100.0, replicates=50, world=world(system, (Phase(50.0, system, ((tie, 0),)),)))
    late = cut.time[cut.channel == answers]
    assert len(late)
    assert late.max() < 50.0


# -- T4: time rescaling under the truth --------------------------------------------------------------------------------


def _levels_after(runs):
    """(events, S) levels after every event: the coins of effects drawn once more from the events' keys."""
    system, key = runs.system, runs.key
    levels = np.empty((len(runs), system.n_facts), np.int64)
    coin = np.empty(len(runs))
    n_effects = np.diff(system.effect_start)
    happens = np.ones((len(runs), max(n_effects.max(), 1)), np.bool_)
    for n in range(n_effects.max()):
        _uniforms(key, np.uint64(16 + n), coin)
        chance = np.array([
            system.effect_probability[system.effect_start[c] + n] if n < n_effects[c] else 0.0
            for c in range(system.n_channels)
        ])  # fmt: skip
        happens[:, n] = coin < chance[runs.channel]
    for r in range(runs.replicates):
        now = system.initial_level.copy()
        for i in range(runs.offsets[r], runs.offsets[r + 1]):
            c = runs.channel[i]
            for n in range(n_effects[c]):
                if happens[i, n]:
                    now[system.effect_fact[system.effect_start[c] + n]] = system.effect_level[
                        system.effect_start[c] + n
                    ]
            levels[i] = now
    return levels


def _rescaled(runs, under, has_calm):
    """Per run p-values: ground process, channels end to end, counts by channel; under the intensities of `under`."""
    a = reference.arrays(under)
    levels = _levels_after(runs)
    p = np.empty((runs.replicates, 3))
    for r in range(runs.replicates):
        at = slice(runs.offsets[r], runs.offsets[r + 1])
        channel = runs.channel[at].astype(np.int64)
        steps = reference.compensators(a, under.initial_level, runs.time[at], channel, levels[at], runs.days, has_calm)
        p[r, 0] = stats.kstest(steps[:-1].sum(axis=1), "expon").pvalue
        # Channels end to end, the tail after a channel's last event carried into the next: dropped, it would bias.
        until = np.cumsum(steps, axis=0)
        total = np.cumsum(until[-1])
        place = until[np.arange(len(channel)), channel] + total[channel] - until[-1][channel]
        p[r, 1] = stats.kstest(np.diff(np.concatenate([[0.0], np.sort(place)])), "expon").pvalue
        expected = until[-1]
        count = np.bincount(channel, minlength=len(expected))
        full = expected > 0
        p[r, 2] = stats.chi2.sf(((count - expected)[full] ** 2 / expected[full]).sum(), full.sum())
    return p


def _assert_rescaled(p):
    for name, column in zip(("ground", "end to end", "counts"), p.T, strict=True):
        rejected, n = (column < 0.05).sum(), len(column)
        low, high = stats.binom.ppf([5e-5, 1 - 5e-5], n, 0.05)
        assert low <= rejected <= high, f"{name}: {rejected} of {n} rejected at 5 %"


@pytest.mark.parametrize(("calmed", "replicates", "days"), [(False, 150, 700.0), (True, 60, 500.0)])
def test_rescaled_times_are_standard_exponential(calmed, replicates, days, seed):
    """T4. The three tests of a run reject at 5 % as often as 5 % allows; false alarm 1e-4 for each of six."""
    system = systems.small(calmed=calmed)
    runs = simulate(system, days=days, replicates=replicates, seed=seed, keys=True)
    _assert_rescaled(_rescaled(runs, system, calmed))


@pytest.mark.nightly
@pytest.mark.parametrize("calmed", [False, True])
def test_rescaled_times_at_full_size(calmed, seed):
    system = systems.small(calmed=calmed)
    runs = simulate(system, days=1500.0, replicates=1000, seed=seed, keys=True)
    p = _rescaled(runs, system, calmed)
    assert np.all(((p < 0.05).mean(axis=0) > 0.024) & ((p < 0.05).mean(axis=0) < 0.079))


def test_rescaling_refuses_a_model_without_its_gates(seed):
    """Planted error: the truth has gates, the compensator has none. The counts tell in more than nine runs of ten."""
    system = systems.small()
    runs = simulate(system, days=1500.0, replicates=30, seed=seed, keys=True)
    p = _rescaled(runs, system._replace(level_factor=np.ones_like(system.level_factor)), False)
    assert (p[:, 2] < 0.05).mean() > 0.9


# -- T5: identities, and the twin -------------------------------------------------------------------------------------


def events_of(runs, r=0):
    """Events of one replicate as the twin writes them."""
    at = slice(runs.offsets[r], runs.offsets[r + 1])
    columns = (runs.time, runs.channel, runs.parent, runs.mechanism, runs.key)
    return list(zip(*(column[at].tolist() for column in columns), strict=True))


def another(system, rng):
    """The same system with some of its numbers changed, up and down, to 0 and from 0."""
    changed = {
        "rate": system.rate * rng.choice([0, 0.5, 1, 1, 1, 1.5, 3, 40, 300], system.n_channels)
        + rng.choice([0, 0, 0, 0.05], system.n_channels),
        "edge_mass": system.edge_mass * rng.choice([0, 0.5, 1, 1, 2], system.n_edges)
        + rng.choice([0, 0, 0, 0.05], system.n_edges),
        "level_factor": system.level_factor * rng.choice([0.5, 1, 1, 2], len(system.level_factor)),
        "kernel_decay": system.kernel_decay * 2,
        "effect_probability": system.effect_probability * 0.5,
        "timer_delay": system.timer_delay * 2,
        "calm_decay": system.calm_decay * 3,
        "calm_low_strength": system.calm_low_strength * 0.5,
        "initial_level": np.array([rng.integers(n) for n in np.diff(system.level_start)], np.int64),
        "profile_swing": system.profile_swing * 0.5,
    }
    return system._replace(**{name: value for name, value in changed.items() if rng.random() < 0.5})


def some_world(system, rng):
    """Phases, acts, policies, layers, a past, by chance; as keyword arguments for both engines."""

    def levels():
        return tuple((f, int(rng.integers(n))) for f, n in enumerate(np.diff(system.level_start)) if rng.random() < 0.3)

    past = None
    if rng.random() < 0.4:
        n = int(rng.integers(1, 8))
        past = (10.0, np.sort(rng.uniform(0, 10, n)), rng.integers(0, system.n_channels, n), bool(rng.random() < 0.5))
    phases = [
        Phase(float(rng.choice([-1, 0, 5, 12, 14, 14])), another(system, rng), levels())
        for _ in range(rng.integers(0, 4))
    ]
    acts = [
        ForcedAct(float(rng.choice([0, 3, 12, 12, 16])), int(rng.integers(system.n_channels)))
        for _ in range(rng.integers(0, 4))
    ]
    policies = []
    for _ in range(rng.integers(0, 3)):
        fact = int(rng.integers(system.n_facts))
        n = int(np.diff(system.level_start)[fact])
        start = float(rng.choice([-np.inf, 5, 15]))
        end = start + 10 if rng.random() < 0.5 and start > 0 else np.inf
        chosen = tuple(sorted(set(rng.integers(0, n, 2).tolist())))
        policies.append(
            StandingPolicy(fact, chosen, float(rng.choice([1, 2.5])), int(rng.integers(system.n_channels)), start, end)
        )
    return {"phases": phases, "acts": acts, "policies": policies, "layers": int(rng.integers(0, 3)), "past": past}


def both(system, days, seed, limit, given):
    """One world in both engines: (ours, twin's) for two replicates."""
    past = given["past"]
    runs = simulate(
        system, days=days, replicates=2, seed=seed, limit=limit, keys=True,
        world=world(system, tuple(given["phases"]), tuple(given["acts"]), tuple(given["policies"]), given["layers"]),
        history=None if past is None else Past(*past),
    )  # fmt: skip
    for r in range(2):
        events, exploded = slow_twin.simulate(system, days, seed, r, limit, **given)
        yield (events_of(runs, r), bool(runs.exploded[r])), (events, exploded)


@quiet
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_random_systems_give_the_same_events_as_the_twin(seed):
    system = systems.chance(seed, builds_up=seed % 3 == 0)
    nothing = {"phases": [], "acts": [], "policies": [], "layers": 0, "past": None}
    for ours, twin in both(system, 40.0, seed, 300, nothing):
        assert ours == twin


@quiet
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_random_worlds_give_the_same_events_as_the_twin(seed):
    rng = np.random.default_rng(seed)
    system = systems.chance(seed, builds_up=seed % 3 == 0)
    for ours, twin in both(system, 20.0, seed, 150, some_world(system, rng)):
        assert ours == twin


@quiet
@pytest.mark.parametrize("limit", [10**6, 700])
@pytest.mark.parametrize(
    "make", [systems.dense, functools.partial(systems.small, gated=False), lambda: systems.sparse(200, 5, 0.1),
             lambda: systems.dense(branching=1.2, rate=0.02)],
    ids=["dense", "small", "sparse", "exploding"],
)  # fmt: skip
def test_families_one_by_one_give_the_events_of_the_queue(make, limit):
    """Systems without state take another loop; a layer that nothing needs sends them through the ordinary one."""
    system = make()
    runs = [
        simulate(
            system, days=60.0, replicates=20, seed=9, limit=min(limit, 20_000), keys=True, world=world(system, layers=n)
        )
        for n in (0, 1)
    ]
    assert runs[0].digest() == runs[1].digest()
    assert np.array_equal(runs[0].key, runs[1].key)
    assert np.array_equal(runs[0].level_time, runs[1].level_time)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_world_in_which_nothing_is_different_is_identical_bit_for_bit(layers):
    """T5, 100 seeds."""
    system = systems.small()
    same = world(system, (Phase(100.0, system),), layers=layers)
    for seed in range(100):
        assert simulate(system, days=365.0, replicates=1, seed=seed).digest() == \
            simulate(system, days=365.0, replicates=1, seed=seed, world=same).digest()  # fmt: skip


def test_the_path_before_an_intervention_is_untouched():
    system = systems.small()
    strong = world(system, (Phase(200.0, moved(system, edge_mass=2.0, rate=3.0)),), (ForcedAct(250.0, 0),))
    for seed in range(50):
        base = simulate(system, days=365.0, replicates=1, seed=seed)
        other = simulate(system, days=365.0, replicates=1, seed=seed, world=strong)
        before = base.time < 200.0
        assert np.array_equal(base.time[before], other.time[other.time < 200.0])
        assert np.array_equal(base.channel[before], other.channel[other.time < 200.0])
        assert len(other) > len(base)


def test_a_longer_horizon_keeps_the_prefix():
    system = systems.small(calmed=True)
    for seed in range(50):
        short = simulate(system, days=200.0, replicates=1, seed=seed)
        long = simulate(system, days=500.0, replicates=1, seed=seed)
        n = len(short)
        assert np.array_equal(short.time, long.time[:n])
        assert np.array_equal(short.parent, long.parent[:n])
        assert long.time[n] >= 200.0


def test_a_change_in_a_far_corner_leaves_the_rest_identical():
    """Two systems side by side that do not touch: changing one leaves every event of the other in its place."""
    b = systems.Builder()
    b.kernel((1.0, 0.5))
    for _ in range(2):
        c = b.channel(0.5)
        b.edge(c, c, 0, 0.5)
    system = b.build()
    rate = system.rate.copy()
    rate[1] = 2.0
    base = simulate(system, days=300.0, replicates=20)
    other = simulate(system, days=300.0, replicates=20, world=world(system, (Phase(0.0, system._replace(rate=rate)),)))
    assert np.array_equal(base.time[base.channel == 0], other.time[other.channel == 0])
    assert (other.channel == 1).sum() > 2 * (base.channel == 1).sum()


# -- edges ------------------------------------------------------------------------------------------------------------


def test_an_event_exactly_at_the_horizon_is_outside_the_window():
    b = systems.Builder()
    b.channel(0.0)
    system = b.build()
    given = world(system, acts=(ForcedAct(9.0, 0), ForcedAct(10.0, 0), ForcedAct(3.0, 0)))
    runs = simulate(system, days=10.0, replicates=1, world=given)
    assert runs.time.tolist() == [3.0, 9.0]
    assert runs.mechanism.tolist() == [-2, -2]
    assert runs.parent.tolist() == [-1, -1]


def test_a_fixed_timer_fires_once_for_each_unbroken_standing():
    """Fact on at 0 and 3 (no break: set again), off at 3.9, on at 5, timer of 4 days: fires at 9 only."""
    b = systems.Builder()
    fact = b.fact()
    on, off = b.channel(effects=((fact, 1, 1.0),)), b.channel(effects=((fact, 0, 1.0),))
    fires = b.channel()
    b.timer(fact, 1, 4.0, fires, fixed=True)
    system = b.build()
    acts = tuple(ForcedAct(at, c) for at, c in ((0.0, on), (3.0, on), (3.9, off), (5.0, on)))
    runs = simulate(system, days=30.0, replicates=1, world=world(system, acts=acts))
    assert runs.time[runs.channel == fires].tolist() == [9.0]
    assert runs.parent[runs.channel == fires].tolist() == [3]
    assert runs.mechanism[runs.channel == fires].tolist() == [-3]


def test_a_fact_that_stands_at_the_start_runs_out_too():
    b = systems.Builder()
    fact = b.fact(starts=1)
    ends = b.channel(effects=((fact, 0, 1.0),))
    b.timer(fact, 1, 5.0, ends)
    runs = simulate(b.build(), days=1000.0, replicates=4000)
    assert runs.offsets.tolist() == list(range(4001))
    assert set(runs.parent.tolist()) == {-1}
    assert stats.kstest(runs.time, "expon", args=(0, 5.0)).pvalue > 1e-4
    np.testing.assert_allclose(runs.level_time[:, 1], runs.time)


def test_a_policy_waits_for_an_unbroken_standing_and_acts_within_its_time():
    """A fact of three levels; the policy holds at 1 and 2, so going from 1 to 2 does not break the standing."""
    b = systems.Builder()
    fact = b.fact(levels=3)
    to = [b.channel(effects=((fact, level, 1.0),)) for level in range(3)]
    mediates = b.channel()
    system = b.build()
    acts = tuple(
        ForcedAct(float(at), to[level]) for at, level in ((10, 1), (13, 2), (30, 0), (32, 1), (34, 0), (36, 2))
    )

    def fires(start, end):
        policy = StandingPolicy(fact, (1, 2), 5.0, mediates, start, end)
        runs = simulate(system, days=100.0, replicates=1, world=world(system, acts=acts, policies=(policy,)))
        return runs.time[runs.channel == mediates].tolist()

    assert fires(-np.inf, np.inf) == [15.0, 41.0]
    assert fires(20.0, np.inf) == [20.0, 41.0]  # it has stood long enough when the policy begins
    assert fires(0.0, 41.0) == [15.0]


def test_removed_actors_do_nothing_of_their_own():
    from powderkeg.engine.worlds import silenced

    system = systems.small()
    gone = np.arange(0, 8)
    runs = simulate(
        system,
        days=1000.0,
        replicates=5,
        world=world(system, (Phase(300.0, silenced(system, gone)),), (ForcedAct(500.0, 3),)),
    )
    late = runs.time >= 300.0
    assert np.isin(runs.channel[~late], gone).any()
    assert runs.time[late & np.isin(runs.channel, gone)].tolist() == [500.0] * 5


def test_a_phase_of_another_shape_is_named():
    with pytest.raises(ValueError, match="another level_start"):
        world(systems.small(), (Phase(1.0, systems.dense()),))


@quiet
def test_an_exploding_run_stops_at_its_limit_and_its_path_is_kept():
    system = systems.dense(branching=1.5)
    short = simulate(system, days=100.0, replicates=3, limit=500)
    long = simulate(system, days=100.0, replicates=3, limit=5000)
    assert short.exploded.all()
    assert np.diff(short.offsets).tolist() == [500] * 3
    for r in range(3):
        a, b = short.time[short.offsets[r] : short.offsets[r + 1]], long.time[long.offsets[r] :]
        assert np.array_equal(a, b[:500])
        assert short.reached[r] == a[-1]


def test_a_background_profile_gives_the_counts_it_describes(seed):
    """Steps and a season, one channel. Counts by month against the integral; false alarm 1e-4."""
    b = systems.Builder()
    p = b.profile([(-math.inf, 1.0), (100.0, 0.0), (150.0, 3.0)], swing=0.8, peak=40.0)
    b.channel(0.5, profile=p)
    runs = simulate(b.build(), days=400.0, replicates=500, seed=seed)
    t = (np.arange(400_00) + 0.5) / 100
    rate = np.where(t < 100, 1.0, np.where(t < 150, 0.0, 3.0)) * (1 + 0.8 * np.cos(2 * np.pi * (t - 40) / 365.25))
    expected = 500 * 0.5 * np.add.reduceat(rate / 100, np.arange(0, 40_000, 2500))
    observed = np.histogram(runs.time, np.arange(0, 401, 25))[0]
    assert observed[4:6].sum() == 0
    kept = expected > 0
    chi2 = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
    assert stats.chi2.sf(chi2, kept.sum()) > 1e-4


def test_a_gate_that_is_shut_costs_next_to_nothing():
    """North Kosovo, where one fact opens gates of 90 to 200 now and then. Planted error: strips that never sleep."""
    system = powderkeg.compile(powderkeg.load("north-kosovo")).system
    spent = []
    for sleep in (True, False):
        built = tables(world(system), sleep=sleep)
        chunk = simulate_chunk(built, draws.root_key(1), 0, 100, 0.0, 3652.5, 10**6, Workspace(), 1000.0)
        spent.append(chunk.n_candidates[0] / len(chunk.time))
    assert spent[0] < 1.5
    assert spent[1] > 5.0


# -- T6: layers and forecasts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_a_multiplier_by_layers_has_the_law_of_the_model_built_anew(factor, seed):
    """T6, 6,000 runs of 60 days each side. False alarm 1e-4 for each KS, over all events and over those of one act."""
    system = systems.small()
    more = moved(system, rate=factor)
    by_layers = simulate(system, days=60.0, replicates=6000, seed=seed, world=world(system, (Phase(0.0, more),)))
    anew = simulate(more, days=60.0, replicates=6000, seed=seed + 1)
    for channels in (slice(None), slice(0, 8)):
        assert stats.ks_2samp(counts_of(by_layers, channels), counts_of(anew, channels)).pvalue > 1e-4


def test_layers_refuse_a_multiplier_that_is_five_percent_off(seed):
    system = systems.small()
    off = simulate(
        system, days=60.0, replicates=6000, seed=seed, world=world(system, (Phase(0.0, moved(system, rate=1.575)),))
    )
    anew = simulate(moved(system, rate=1.5), days=60.0, replicates=6000, seed=seed + 1)
    assert stats.ks_2samp(counts_of(off, slice(None)), counts_of(anew, slice(None))).pvalue < 1e-4


def _forecast_p(n_histories, n_paths, seed, forget=False):
    system = systems.small(calmed=True)
    a = reference.arrays(system)
    p, z = [], []
    for h in range(n_histories):
        past = simulate(system, days=120.0, replicates=1, seed=seed + 1000 + h)
        time, channel = past.time, past.channel.astype(np.int64)
        if forget:
            time, channel = time[time < 100.0], channel[time < 100.0]
        ours = counts_of(
            simulate(system, days=20.0, replicates=n_paths, seed=seed + h, history=Past(120.0, time, channel)),
            slice(None),
        )
        plain = reference.count_paths(
            a, system.initial_level, past.time, past.channel.astype(np.int64), 120.0, 20.0, n_paths, seed + h
        ).sum(axis=1)
        p.append(stats.ks_2samp(ours, plain).pvalue)
        z.append((ours.mean() - plain.mean()) / math.sqrt((ours.var() + plain.var()) / n_paths))
    return np.array(p), np.array(z)


def test_a_forecast_has_the_law_of_a_simulator_that_tracks_intensities(seed):
    """T6: four histories of 120 days, 1,500 paths of 20 days each side, gates and calm. False alarm 4e-4."""
    p, z = _forecast_p(4, 1500, seed)
    assert p.min() > 1e-4
    assert np.abs(z).max() < 3.9


@pytest.mark.nightly
def test_forecasts_at_full_size(seed):
    p, z = _forecast_p(20, 4000, seed)
    assert stats.kstest(p, "uniform").pvalue > 1e-4
    assert np.abs(z).max() < 3.9


def test_forecasts_refuse_a_past_without_its_last_days(seed):
    p, _ = _forecast_p(4, 1500, seed, forget=True)
    assert p.min() < 1e-4


# -- T7: coupling -----------------------------------------------------------------------------------------------------


def _reduction(system, other, channels, pairs, days, seed):
    """How many times smaller the variance of a paired difference is than that of independent runs."""
    base = counts_of(simulate(system, days=days, replicates=pairs, seed=seed), channels)
    paired = simulate(system, days=days, replicates=pairs, seed=seed, world=world(system, (Phase(0.0, other),)))
    changed = counts_of(paired, channels)
    return (base.var() + changed.var()) / (base - changed).var()


def _entrapment_off(system):
    return system._replace(edge_mass=np.where(system.edge_mechanism == 3, 0.0, system.edge_mass))


def _threats_damped(system):
    return system._replace(
        rate=np.where(np.arange(system.n_channels) < 8, 0.9 * system.rate, system.rate),
        edge_mass=np.where(system.edge_target < 8, 0.9 * system.edge_mass, system.edge_mass),
    )


def test_paired_worlds_differ_far_less_than_independent_ones(seed):
    """T7, 1,000 pairs of 730 days, clash counts. False alarm below 1e-3."""
    system, clashes = systems.small(), slice(16, 24)
    assert _reduction(system, _entrapment_off(system), clashes, 1000, 730.0, seed) > 4.5
    assert _reduction(system, _threats_damped(system), clashes, 1000, 730.0, seed) > 25


def test_coupling_refuses_worlds_that_do_not_share_their_draws(seed):
    """Planted error: the damped world built as a system of its own, so that its proposals are its own."""
    system, clashes = systems.small(), slice(16, 24)
    base = counts_of(simulate(system, days=730.0, replicates=1000, seed=seed), clashes)
    other = counts_of(simulate(_threats_damped(system), days=730.0, replicates=1000, seed=seed), clashes)
    assert (base.var() + other.var()) / (base - other).var() < 4.5


def test_without_state_taking_away_only_takes_away(seed):
    """A world with less of anything holds a subset of the baseline's events, one with more a superset: same keys."""
    system = systems.small(gated=False)
    half = moved(system, rate=0.7, edge_mass=0.5)
    double = moved(system, rate=1.4, edge_mass=1.2)
    base = simulate(system, days=500.0, replicates=5, seed=seed, keys=True)
    for other, holds in ((half, False), (double, True)):
        runs = simulate(
            system, days=500.0, replicates=5, seed=seed, keys=True, world=world(system, (Phase(100.0, other),))
        )
        few, many = (base, runs) if holds else (runs, base)
        assert len(few) < len(many)
        assert np.isin(few.key, many.key).all()
        at = np.searchsorted(np.sort(many.key), few.key)
        assert np.array_equal(many.time[np.argsort(many.key)][at], few.time)


@pytest.mark.nightly
def test_coupling_does_not_fade_over_eight_years(seed):
    system, clashes = systems.small(), slice(16, 24)
    assert _reduction(system, _entrapment_off(system), clashes, 3000, 2922.0, seed) > 4.5
    assert _reduction(system, _threats_damped(system), clashes, 3000, 2922.0, seed) > 25
