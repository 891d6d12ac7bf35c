"""Systems with known parameters, and a plain thinning simulator to draw from them: the fit's independent check.

The simulator follows the formula at the top of `powderkeg/engine/arrays.py` and nothing else: it tracks the intensity
of every channel, proposes at an upper bound and accepts. It shares no code with the engine's simulator or the fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from powderkeg.engine.arrays import System
from powderkeg.engine.likelihood.design import Sources, edge_source


@dataclass
class Builder:
    """Collects channels, edges, gates and facts by name; `system()` and `sources()` turn them into arrays."""

    facts: dict[str, int] = field(default_factory=dict)  # name -> number of levels
    initial: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)  # parameter name -> value
    mechanisms: dict[str, tuple[float, list[tuple[float, float]]]] = field(default_factory=dict)
    factors: dict[str, float] = field(default_factory=dict)
    rows: list[tuple[tuple[str, tuple[object, ...]], ...]] = field(default_factory=lambda: [()])
    channels: list[dict] = field(default_factory=list)
    edges: list[tuple[str, str, str, float, int]] = field(default_factory=list)
    calms: dict[str, tuple[float, float]] = field(default_factory=dict)  # name -> (strength, decay)
    profiles: list[tuple[list[tuple[float, float]], float, float]] = field(default_factory=list)

    def row(self, *entries: tuple[str, Sequence[object]]) -> int:
        """A gate row: (fact, factor by level); a factor is a number, or the name of a free one."""
        key = tuple((fact, tuple(levels)) for fact, levels in entries)
        if key not in self.rows:
            self.rows.append(key)
        return self.rows.index(key)

    def channel(
        self,
        name: str,
        rate: str,
        gate: int = 0,
        background_gate: int = 0,
        effects: Sequence[tuple[str, int, float]] = (),
        scale: float = 1.0,
        adds: Mapping[str, float] | None = None,
        lowered_by: Sequence[str] = (),
        profile: int = -1,
    ) -> None:
        self.channels.append(
            {
                "name": name, "rate": rate, "gate": gate, "background_gate": background_gate, "effects": list(effects),
                "scale": scale, "adds": dict(adds or {}), "lowered_by": list(lowered_by), "profile": profile,
            }
        )  # fmt: skip

    def edge(self, source: str, target: str, mechanism: str, share: float = 1.0, gate: int = 0) -> None:
        self.edges.append((source, target, mechanism, share, gate))

    def index(self, name: str) -> int:
        return [c["name"] for c in self.channels].index(name)

    def system(self) -> System:
        fact_names = list(self.facts)
        level_start = np.concatenate([[0], np.cumsum([self.facts[f] for f in fact_names])]).astype(np.int64)
        entry_fact, entry_offset, level_factor, row_start = [], [], [], [0]
        self._factor_names = []
        for row in self.rows:
            for fact, levels in row:
                entry_fact.append(fact_names.index(fact))
                entry_offset.append(len(level_factor))
                for level in levels:
                    free = isinstance(level, str)
                    level_factor.append(self.factors[level] if free else level)
                    self._factor_names.append(level if free else None)
            row_start.append(len(entry_fact))
        number = {c["name"]: i for i, c in enumerate(self.channels)}
        order = sorted(range(len(self.edges)), key=lambda k: number[self.edges[k][0]])
        edges = [self.edges[k] for k in order]
        mechanism_names = list(self.mechanisms)
        source = np.array([number[e[0]] for e in edges], np.int64)
        masses = np.array([self.mechanisms[e[2]][0] * e[3] for e in edges], np.float64)
        kernels = [self.mechanisms[m][1] for m in mechanism_names]
        effects = [c["effects"] for c in self.channels]
        calm_names = list(self.calms)
        n = len(self.channels)

        def csr(items):
            return np.concatenate([[0], np.cumsum([len(i) for i in items])]).astype(np.int64)

        steps = [p[0] for p in self.profiles]
        return System(
            initial_level=np.array([self.initial.get(f, 0) for f in fact_names], np.int64),
            level_start=level_start,
            rate=np.array([self.rates[c["rate"]] * c["scale"] for c in self.channels]),
            profile=np.array([c["profile"] for c in self.channels], np.int64),
            background_gate=np.array([c["background_gate"] for c in self.channels], np.int64),
            channel_gate=np.array([c["gate"] for c in self.channels], np.int64),
            profile_start=csr(steps),
            step_time=np.array([t for s in steps for t, _ in s], np.float64),
            step_value=np.array([v for s in steps for _, v in s], np.float64),
            profile_swing=np.array([p[1] for p in self.profiles], np.float64),
            profile_peak=np.array([p[2] for p in self.profiles], np.float64),
            edge_start=np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))]).astype(np.int64),
            edge_target=np.array([number[e[1]] for e in edges], np.int64),
            edge_mechanism=np.array([mechanism_names.index(e[2]) for e in edges], np.int64),
            edge_mass=masses,
            edge_gate=np.array([e[4] for e in edges], np.int64),
            kernel_start=csr(kernels),
            kernel_share=np.array([s for k in kernels for s, _ in k], np.float64),
            kernel_decay=np.array([b for k in kernels for _, b in k], np.float64),
            row_start=np.array(row_start, np.int64),
            entry_fact=np.array(entry_fact, np.int64),
            entry_offset=np.array(entry_offset, np.int64),
            level_factor=np.array(level_factor, np.float64),
            effect_start=csr(effects),
            effect_fact=np.array([fact_names.index(f) for e in effects for f, _, _ in e], np.int64),
            effect_level=np.array([level for e in effects for _, level, _ in e], np.int64),
            effect_probability=np.array([p for e in effects for _, _, p in e], np.float64),
            timer_start=np.zeros(level_start[-1] + 1, np.int64),
            timer_delay=np.zeros(0),
            timer_is_fixed=np.zeros(0, bool),
            timer_channel=np.zeros(0, np.int64),
            calm_decay=np.array([self.calms[d][1] for d in calm_names], np.float64),
            calm_add_start=csr([c["adds"] for c in self.channels]),
            calm_add_index=np.array([calm_names.index(d) for c in self.channels for d in c["adds"]], np.int64),
            calm_add_amount=np.array([a for c in self.channels for a in c["adds"].values()], np.float64),
            calm_low_start=csr([c["lowered_by"] for c in self.channels]),
            calm_low_index=np.array([calm_names.index(d) for c in self.channels for d in c["lowered_by"]], np.int64),
            calm_low_strength=np.array([self.calms[d][0] for c in self.channels for d in c["lowered_by"]], np.float64),
        )

    def sources(self, system: System) -> Sources:
        answers = np.array([self.mechanisms[m][0] for m in self.mechanisms])
        return Sources(
            rate_parameter=np.array([list(self.rates).index(c["rate"]) for c in self.channels], np.int64),
            rate_scale=np.array([c["scale"] for c in self.channels]),
            edge_scale=system.edge_mass / answers[system.edge_mechanism] if len(system.edge_mass) else np.zeros(0),
            factor_parameter=np.array(
                [-1 if f is None else list(self.factors).index(f) for f in self._factor_names], np.int64
            ),
            n_rates=len(self.rates),
            n_factors=len(self.factors),
        )

    def truth(self) -> np.ndarray:
        """Linear parameters, then log factors."""
        return np.concatenate(
            [
                list(self.rates.values()),
                [m[0] for m in self.mechanisms.values()],
                np.log(list(self.factors.values())) if self.factors else [],
            ]
        )

    def names(self) -> list[str]:
        return [*self.rates, *self.mechanisms, *self.factors]


def one_channel(rate: float, answers: Mapping[str, tuple[float, float]]) -> Builder:
    """One channel that excites itself: mechanism -> (answers, mean delay in days)."""
    b = Builder(rates={"mu": rate})
    b.channel("c", "mu")
    for name, (strength, delay) in answers.items():
        b.mechanisms[name] = (strength, [(1.0, 1.0 / delay)])
        b.edge("c", "c", name)
    return b


def two_sides(rate: float, inertia: tuple[float, float], retaliation: tuple[float, float]) -> Builder:
    """Two channels, a to b and b to a, with inertia and retaliation: (answers, mean delay in days)."""
    b = Builder(rates={"mu": rate})
    b.mechanisms = {
        "inertia": (inertia[0], [(1.0, 1.0 / inertia[1])]),
        "retaliation": (retaliation[0], [(1.0, 1.0 / retaliation[1])]),
    }
    for name in ("ab", "ba"):
        b.channel(name, "mu")
    for name, other in (("ab", "ba"), ("ba", "ab")):
        b.edge(name, name, "inertia")
        b.edge(name, other, "retaliation")
    return b


def small() -> Builder:
    """A Kosovo-like system: 5 actors, 8 acts, 43 channels, 6 mechanisms, 10 facts, 8 gates; 22 parameters."""
    b = Builder()
    actors = ["kosovo", "north", "serbia", "nato", "west"]
    disputes = [("kosovo", "north"), ("kosovo", "serbia"), ("north", "nato"), ("serbia", "nato"), ("north", "west")]
    backs = {"north": "serbia", "kosovo": "nato", "nato": "west", "serbia": "north"}
    b.facts = dict.fromkeys(("measure", "roadblock", "deployed", "talks", "crisis", "alert", "escort", "deal"), 2)
    b.facts |= {"tie_sn": 2, "tie_kn": 2}
    b.initial = {"tie_sn": 1, "tie_kn": 1}
    b.rates = {
        "mu_threaten": 0.020, "mu_mobilize": 0.010, "mu_clash": 0.004, "mu_impose": 0.012, "mu_block": 0.010,
        "mu_mediate": 0.030, "mu_concede": 0.020, "mu_deploy": 0.010,
    }  # fmt: skip
    b.mechanisms = {
        "inertia": (0.20, [(1.0, 1.0 / 2.0)]),
        "retaliation": (0.22, [(1.0, 1.0 / 3.0)]),
        "escalation": (0.10, [(1.0, 1.0 / 5.0)]),
        "entrapment": (0.12, [(1.0, 1.0 / 4.0)]),
        "appeal": (0.15, [(1.0, 1.0 / 6.0)]),
        "reply": (0.25, [(1.0, 1.0 / 8.0)]),
    }
    b.factors = {
        "talks_calm": 0.45, "deployed_raises": 2.0, "alert_raises": 1.6, "deal_calms": 0.5, "crisis_raises": 1.8,
        "escort_deters": 0.6, "measure_raises": 2.2, "roadblock_raises": 1.7,
    }  # fmt: skip
    gates = {
        "threaten": b.row(("talks", (1.0, "talks_calm")), ("crisis", (1.0, "crisis_raises"))),
        "mobilize": b.row(("alert", (1.0, "alert_raises"))),
        "clash": b.row(("deployed", (1.0, "deployed_raises")), ("escort", (1.0, "escort_deters"))),
        "impose": b.row(("deal", (1.0, "deal_calms"))),
        "block": b.row(("measure", (1.0, "measure_raises"))),
        "mediate": b.row(("roadblock", (1.0, "roadblock_raises"))),
        "concede": b.row(("measure", (0.0, 1.0))),
        "deploy": 0,
    }
    effects = {
        "threaten": [("crisis", 1, 1.0)],
        "mobilize": [("alert", 1, 1.0), ("escort", 0, 1.0)],
        "clash": [("deployed", 1, 1.0), ("talks", 0, 1.0)],
        "impose": [("measure", 1, 1.0), ("deal", 0, 1.0)],
        "block": [("roadblock", 1, 1.0)],
        "mediate": [("talks", 1, 1.0), ("crisis", 0, 1.0)],
        "concede": [("measure", 0, 1.0), ("roadblock", 0, 1.0), ("deal", 1, 1.0)],
        "deploy": [("escort", 1, 1.0), ("deployed", 0, 1.0), ("alert", 0, 1.0)],
    }
    dyads = [d for pair in disputes for d in (pair, pair[::-1])]
    who = {
        "threaten": dyads,
        "mobilize": dyads[:8],
        "clash": dyads[:6],
        "impose": [("kosovo", "north"), ("kosovo", "serbia")],
        "block": [("north", "kosovo"), ("north", "nato"), ("serbia", "kosovo")],
        "mediate": [("west", a) for a in ("kosovo", "north", "serbia", "nato")],
        "concede": [("kosovo", "north"), ("kosovo", "serbia"), ("north", "kosovo"), ("serbia", "kosovo")],
        "deploy": [("nato", "north"), ("nato", "serbia"), ("nato", "kosovo"), ("serbia", "north"), ("west", "kosovo")],
    }
    for act, pairs in who.items():
        for a, z in pairs:
            b.channel(f"{a} {act} {z}", f"mu_{act}", gates[act], effects=effects[act])
    names = [c["name"] for c in b.channels]
    tie_row = {"serbia": b.row(("tie_sn", (0.0, 1.0))), "nato": b.row(("tie_kn", (0.0, 1.0)))}
    hostile = ("threaten", "mobilize", "clash", "block", "impose")
    for name in names:
        a, act, z = name.split()
        b.edge(name, name, "inertia")
        if act in hostile:
            for answer in ("threaten", "block"):
                if f"{z} {answer} {a}" in names:
                    b.edge(name, f"{z} {answer} {a}", "retaliation", 1.0 if answer == "threaten" else 0.5)
            step = {"threaten": "mobilize", "mobilize": "clash", "block": "clash"}.get(act)
            if step and f"{a} {step} {z}" in names:
                b.edge(name, f"{a} {step} {z}", "escalation")
            patron = backs.get(z)
            if patron and patron != a and f"{patron} threaten {a}" in names:
                b.edge(name, f"{patron} threaten {a}", "entrapment", gate=tie_row.get(patron, 0))
            if f"west mediate {a}" in names:
                b.edge(name, f"west mediate {a}", "appeal", 0.5)
        if act == "mediate" and f"{z} concede kosovo" in names:
            b.edge(name, f"{z} concede kosovo", "reply")
        if act == "mediate" and z == "kosovo":
            b.edge(name, "kosovo concede north", "reply")
    assert set(actors)
    return b


@njit(cache=True)
def _gate(row, level, row_start, entry_fact, entry_offset, level_factor):
    g = 1.0
    for k in range(row_start[row], row_start[row + 1]):
        g *= level_factor[entry_offset[k] + level[entry_fact[k]]]
    return g


@njit(cache=True)
def _background(p, t, profile_start, step_time, step_value, swing, peak):
    if p < 0:
        return 1.0
    v = 1.0
    for k in range(profile_start[p], profile_start[p + 1]):
        if step_time[k] <= t:
            v = step_value[k]
    return v * (1.0 + swing[p] * np.cos(2 * np.pi * (t - peak[p]) / 365.25))


@njit(cache=True)
def _draw(s, source, days, seed, limit):
    np.random.seed(seed)
    n_channels, n_edges = len(s.rate), len(s.edge_target)
    level = s.initial_level.copy()
    n_comp = len(s.kernel_decay)
    edge_level = np.zeros((n_edges, 4))
    calm = np.zeros(len(s.calm_decay))
    most = np.ones(n_channels)
    for c in range(n_channels):
        if s.profile[c] >= 0:
            p = s.profile[c]
            most[c] = s.step_value[s.profile_start[p] : s.profile_start[p + 1]].max() * (1 + s.profile_swing[p])
    time = np.empty(limit)
    channel = np.empty(limit, np.int64)
    parent = np.full(limit, -1, np.int64)
    mechanism = np.full(limit, -1, np.int64)
    n = 0
    t = 0.0
    rate = np.zeros(n_channels)
    gate = np.ones(n_channels)
    back = np.ones(n_channels)
    edge_gate = np.ones(n_edges)
    stale = True
    decay_now = np.ones(n_comp)
    while n < limit:
        if stale:
            for c in range(n_channels):
                gate[c] = _gate(s.channel_gate[c], level, s.row_start, s.entry_fact, s.entry_offset, s.level_factor)
                back[c] = _gate(s.background_gate[c], level, s.row_start, s.entry_fact, s.entry_offset, s.level_factor)
            for e in range(n_edges):
                edge_gate[e] = _gate(s.edge_gate[e], level, s.row_start, s.entry_fact, s.entry_offset, s.level_factor)
            stale = False
        bound = 0.0
        for c in range(n_channels):
            bound += gate[c] * s.rate[c] * most[c] * back[c]
        for e in range(n_edges):
            m = s.edge_mechanism[e]
            for j in range(s.kernel_start[m], s.kernel_start[m + 1]):
                bound += (
                    gate[s.edge_target[e]] * edge_gate[e] * s.kernel_decay[j] * edge_level[e, j - s.kernel_start[m]]
                )
        if bound <= 0:
            break
        step = -np.log(1.0 - np.random.random()) / bound
        t += step
        if t >= days:
            break
        for j in range(n_comp):
            decay_now[j] = np.exp(-s.kernel_decay[j] * step)
        for c in range(n_channels):
            rate[c] = (
                s.rate[c]
                * back[c]
                * _background(
                    s.profile[c], t, s.profile_start, s.step_time, s.step_value, s.profile_swing, s.profile_peak
                )
            )
        for e in range(n_edges):
            m = s.edge_mechanism[e]
            for j in range(s.kernel_start[m], s.kernel_start[m + 1]):
                k = j - s.kernel_start[m]
                edge_level[e, k] *= decay_now[j]
                rate[s.edge_target[e]] += edge_gate[e] * s.kernel_decay[j] * edge_level[e, k]
        for d in range(len(calm)):
            calm[d] *= np.exp(-s.calm_decay[d] * step)
        total = 0.0
        for c in range(n_channels):
            low = 0.0
            for k in range(s.calm_low_start[c], s.calm_low_start[c + 1]):
                low += s.calm_low_strength[k] * calm[s.calm_low_index[k]]
            rate[c] *= gate[c] * np.exp(-low)
            total += rate[c]
        u = np.random.random() * bound
        if u >= total:
            continue
        c = 0
        while c < n_channels - 1 and u >= rate[c]:
            u -= rate[c]
            c += 1
        # which component bore it, and within an edge which earlier event
        low = 0.0
        for k in range(s.calm_low_start[c], s.calm_low_start[c + 1]):
            low += s.calm_low_strength[k] * calm[s.calm_low_index[k]]
        scale = gate[c] * np.exp(-low)
        u = np.random.random() * rate[c] / scale
        u -= (
            s.rate[c]
            * back[c]
            * _background(s.profile[c], t, s.profile_start, s.step_time, s.step_value, s.profile_swing, s.profile_peak)
        )
        found = u < 0
        for e in range(n_edges):
            if found:
                break
            if s.edge_target[e] != c:
                continue
            m = s.edge_mechanism[e]
            for j in range(s.kernel_start[m], s.kernel_start[m + 1]):
                part = edge_gate[e] * s.kernel_decay[j] * edge_level[e, j - s.kernel_start[m]]
                u -= part
                if u < 0:
                    v = np.random.random() * part
                    for i in range(n - 1, -1, -1):
                        if channel[i] == source[e]:
                            v -= (
                                edge_gate[e]
                                * s.kernel_decay[j]
                                * s.kernel_share[j]
                                * s.edge_mass[e]
                                * np.exp(-s.kernel_decay[j] * (t - time[i]))
                            )
                            parent[n] = i
                            if v < 0:
                                break
                    mechanism[n] = m
                    found = True
                    break
        time[n] = t
        channel[n] = c
        n += 1
        for e in range(s.edge_start[c], s.edge_start[c + 1]):
            m = s.edge_mechanism[e]
            for j in range(s.kernel_start[m], s.kernel_start[m + 1]):
                edge_level[e, j - s.kernel_start[m]] += s.edge_mass[e] * s.kernel_share[j]
        for k in range(s.effect_start[c], s.effect_start[c + 1]):
            if s.effect_probability[k] >= 1.0 or np.random.random() < s.effect_probability[k]:
                level[s.effect_fact[k]] = s.effect_level[k]
                stale = True
        for k in range(s.calm_add_start[c], s.calm_add_start[c + 1]):
            calm[s.calm_add_index[k]] += s.calm_add_amount[k]
    return time[:n].copy(), channel[:n].copy(), parent[:n].copy(), mechanism[:n].copy()


def draw(system: System, days: float, seed: int, limit: int = 200_000):
    """(time, channel, parent, mechanism) of one history of `days` days; parent and mechanism -1 for a root."""
    return _draw(system, edge_source(system), days, seed, limit)
