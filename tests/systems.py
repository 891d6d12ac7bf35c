"""Systems to test the engine on, made by hand or by chance.

`Builder` writes a `System` item by item; `small` is a Kosovo-like system of 43 channels, 10 facts and 6 mechanisms,
`sparse` one of many channels with few links each, `dense` one without state, `chance` a random small one with
everything in it.
"""

from __future__ import annotations

import math

import numpy as np

from powderkeg.engine.arrays import System


class Builder:
    """Facts, gate rows, channels, edges in any order of ease; `build` sorts them into arrays."""

    def __init__(self):
        self.facts, self.rows, self.factors = [], [[]], []
        self.channels, self.edges, self.kernels, self.timers, self.profiles, self.calms = [], [], [], [], [], []

    def fact(self, levels=2, starts=0):
        self.facts.append((levels, starts))
        return len(self.facts) - 1

    def row(self, *entries):
        """Gate row of (fact, factors by level)."""
        row = []
        for fact, factors in entries:
            row.append((fact, len(self.factors)))
            self.factors += factors
        self.rows.append(row)
        return len(self.rows) - 1

    def kernel(self, *parts):
        """Kernel of (share, decay) parts."""
        self.kernels.append(parts)
        return len(self.kernels) - 1

    def profile(self, steps, swing=0.0, peak=0.0):
        """Background profile of (time, value) steps, the first at -inf."""
        self.profiles.append((steps, swing, peak))
        return len(self.profiles) - 1

    def calm(self, decay):
        self.calms.append(decay)
        return len(self.calms) - 1

    def channel(self, rate=0.0, *, profile=-1, background_gate=0, gate=0, effects=(), calms=(), calmed=()):
        """Channel with effects (fact, level, probability), calms (index, amount), calmed (index, strength)."""
        self.channels.append((rate, profile, background_gate, gate, effects, calms, calmed))
        return len(self.channels) - 1

    def edge(self, source, target, mechanism, mass, gate=0):
        self.edges.append((source, target, mechanism, mass, gate))

    def timer(self, fact, level, delay, channel, fixed=False):
        self.timers.append((fact, level, delay, channel, fixed))

    def build(self) -> System:
        def starts(counts):
            return np.concatenate([[0], np.cumsum(np.array(counts, np.int64))]).astype(np.int64)

        def ints(x):
            return np.array(list(x), np.int64)

        def floats(x):
            return np.array(list(x), np.float64)

        level_start = starts([levels for levels, _ in self.facts])
        edges = sorted(self.edges, key=lambda edge: edge[0])
        timers = sorted(self.timers, key=lambda timer: level_start[timer[0]] + timer[1])
        cell = [int(level_start[t[0]] + t[1]) for t in timers]
        channels = self.channels
        return System(
            initial_level=ints(start for _, start in self.facts),
            level_start=level_start,
            rate=floats(c[0] for c in channels),
            profile=ints(c[1] for c in channels),
            background_gate=ints(c[2] for c in channels),
            channel_gate=ints(c[3] for c in channels),
            profile_start=starts([len(p[0]) for p in self.profiles]),
            step_time=floats(time for p in self.profiles for time, _ in p[0]),
            step_value=floats(value for p in self.profiles for _, value in p[0]),
            profile_swing=floats(p[1] for p in self.profiles),
            profile_peak=floats(p[2] for p in self.profiles),
            edge_start=starts(np.bincount(ints(e[0] for e in edges), minlength=len(channels))),
            edge_target=ints(e[1] for e in edges),
            edge_mechanism=ints(e[2] for e in edges),
            edge_mass=floats(e[3] for e in edges),
            edge_gate=ints(e[4] for e in edges),
            kernel_start=starts([len(k) for k in self.kernels]),
            kernel_share=floats(share for k in self.kernels for share, _ in k),
            kernel_decay=floats(decay for k in self.kernels for _, decay in k),
            row_start=starts([len(row) for row in self.rows]),
            entry_fact=ints(fact for row in self.rows for fact, _ in row),
            entry_offset=ints(offset for row in self.rows for _, offset in row),
            level_factor=floats(self.factors),
            effect_start=starts([len(c[4]) for c in channels]),
            effect_fact=ints(e[0] for c in channels for e in c[4]),
            effect_level=ints(e[1] for c in channels for e in c[4]),
            effect_probability=floats(e[2] for c in channels for e in c[4]),
            timer_start=starts(np.bincount(cell, minlength=int(level_start[-1])) if cell else [0] * level_start[-1]),
            timer_delay=floats(t[2] for t in timers),
            timer_is_fixed=np.array([t[4] for t in timers], np.bool_),
            timer_channel=ints(t[3] for t in timers),
            calm_decay=floats(self.calms),
            calm_add_start=starts([len(c[5]) for c in channels]),
            calm_add_index=ints(d for c in channels for d, _ in c[5]),
            calm_add_amount=floats(x for c in channels for _, x in c[5]),
            calm_low_start=starts([len(c[6]) for c in channels]),
            calm_low_index=ints(d for c in channels for d, _ in c[6]),
            calm_low_strength=floats(x for c in channels for _, x in c[6]),
        )


def dense(n=10, branching=0.6, rate=0.1, decay=1.0, seed=1) -> System:
    """Every channel excites every channel; no state; spectral radius `branching`."""
    b = Builder()
    matrix = np.random.default_rng(seed).uniform(0.2, 1.0, (n, n))
    matrix *= branching / np.abs(np.linalg.eigvals(matrix)).max()
    b.kernel((1.0, decay))
    for _ in range(n):
        b.channel(rate)
    for source in range(n):
        for target in range(n):
            b.edge(source, target, 0, matrix[source, target])
    return b.build()


def sparse(n=10_000, links=11, rate=0.01, branching=0.6, gated=False, seed=1) -> System:
    """`n` channels with `links` links each and five mechanisms; with `gated`, a fact in every tenth channel."""
    b = Builder()
    rng = np.random.default_rng(seed)
    for decay in (1.0, 0.5, 0.1, 2.0, 0.3):
        b.kernel((1.0, decay))
    facts = [b.fact() for _ in range(50)] if gated else []
    deterred = [b.row((fact, [1.0, 0.4])) for fact in facts]
    for c in range(n):
        fact = facts[c % 50] if gated else 0
        effects = ((fact, c // 10 % 2, 1.0),) if gated and c % 10 == 0 else ()
        b.channel(rate, gate=deterred[c // 10 % 50] if gated and c % 5 == 0 else 0, effects=effects)
    target, mechanism = rng.integers(0, n, (n, links)), rng.integers(0, 5, (n, links))
    for source in range(n):
        for i in range(links):
            b.edge(source, int(target[source, i]), int(mechanism[source, i]), branching / links)
    return b.build()


def small(gated=True, calmed=False, scale=1.0) -> System:
    """43 channels, 10 facts, 6 mechanisms: two disputants with patrons, and a peacekeeper.

    Actors 0 and 1 dispute, 2 backs 0, 3 backs 1, 4 keeps the peace; acts threaten, mobilize, clash, mediate, concede.
    """
    b = Builder()
    actors = range(5)
    tie = [b.fact(starts=1) for _ in range(3)]  # 2 backs 0, 3 backs 1, 4 present
    alert, roadblock, front, talks, ban, tension, _embargo = (b.fact() for _ in range(7))
    off, on = 0, 1
    g = gated

    def factors(*entries):
        return b.row(*entries) if g else 0

    calm = b.calm(1 / 15) if calmed else None
    gate_of = {
        "threaten": factors((talks, [1.0, 0.5]), (tension, [1.0, 1.6])),
        "mobilize": factors((alert, [0.6, 1.5]), (tie[2], [1.0, 0.7])),
        "clash": factors((front, [0.4, 1.8]), (talks, [1.0, 0.3]), (ban, [1.0, 0.0])),
        "mediate": factors((roadblock, [0.7, 1.4])),
        "concede": factors((talks, [0.5, 1.5])),
    }
    effects_of = {
        "threaten": ((tension, on, 0.3),),
        "mobilize": ((alert, on, 1.0), (roadblock, on, 0.4)),
        "clash": ((front, on, 0.7), (talks, off, 0.5)),
        "mediate": ((talks, on, 0.6),),
        "concede": ((roadblock, off, 0.8), (tension, off, 0.9)),
    }
    rate_of = {"threaten": 0.03, "mobilize": 0.012, "clash": 0.004, "mediate": 0.02, "concede": 0.01}
    channel = {}
    pairs = [(0, 1), (1, 0), (0, 3), (3, 0), (2, 1), (1, 2), (2, 3), (3, 2)]
    for act in ("threaten", "mobilize", "clash", "concede"):
        for pair in pairs:
            channel[act, pair] = b.channel(
                rate_of[act] * scale,
                gate=gate_of[act],
                effects=effects_of[act] if g else (),
                calmed=((calm, 0.8),) if calmed and act != "concede" else (),
                calms=((calm, 1.0),) if calmed and act == "concede" else (),
            )
    for pair in [(4, x) for x in actors if x != 4] + [(x, 4) for x in actors if x != 4]:
        channel["mediate", pair] = b.channel(
            rate_of["mediate"] * scale,
            gate=gate_of["mediate"],
            effects=effects_of["mediate"] if g else (),
            calms=((calm, 0.5),) if calmed else (),
        )
    ends = []
    for fact, rate in ((alert, 1 / 20), (front, 1 / 30), (talks, 1 / 25)):
        ends.append((fact, b.channel(rate, gate=b.row((fact, [0.0, 1.0])), effects=((fact, off, 1.0),)) if g else None))
    if not g:
        for _ in range(3):
            b.channel(0.02 * scale)
    inertia = b.kernel((1.0, 1 / 2.0))
    retaliation = b.kernel((0.7, 1 / 1.5), (0.3, 1 / 10.0))
    escalation = b.kernel((1.0, 1 / 5.0))
    entrapment = b.kernel((1.0, 1 / 7.0))
    appeasement = b.kernel((1.0, 1 / 4.0))
    mediation = b.kernel((1.0, 1 / 3.0))
    patron = {0: 2, 1: 3}
    for (act, (x, y)), c in channel.items():
        hostile = act in ("threaten", "mobilize", "clash")
        b.edge(c, c, inertia, 0.12 if hostile else 0.05)
        if (act, (y, x)) in channel and hostile:
            b.edge(c, channel[act, (y, x)], retaliation, 0.25)
        if act == "threaten" and ("mobilize", (y, x)) in channel:
            b.edge(c, channel["mobilize", (y, x)], escalation, 0.05)
        if act == "mobilize" and ("clash", (y, x)) in channel:
            b.edge(c, channel["clash", (y, x)], escalation, 0.15)
        if y in patron and x != patron[y]:
            for reply in ("threaten", "mobilize", "clash"):
                answer = channel.get((reply, (patron[y], x)))
                if answer is not None and hostile:
                    b.edge(c, answer, entrapment, 0.04, b.row((tie[y], [0.0, 1.0])) if g else 0)
        if act == "mediate" and x == 4:
            for z in actors:
                if ("concede", (y, z)) in channel:
                    b.edge(c, channel["concede", (y, z)], appeasement, 0.15)
        if act == "clash" and x != 4:
            b.edge(c, channel["mediate", (4, x)], mediation, 0.3, b.row((tie[2], [0.2, 1.0])) if g else 0)
    system = b.build()
    assert system.n_channels == 43
    assert system.n_facts == 10
    assert system.n_mechanisms == 6
    return system


def chance(seed: int, n_channels=5, builds_up=False) -> System:
    """A random small system: gates, guards, mixtures (or answers that build up), effects by chance, timers, a calm, a
    profile."""
    rng = np.random.default_rng(seed)
    b = Builder()
    n_facts = int(rng.integers(1, 4))
    for _ in range(n_facts):
        levels = int(rng.integers(2, 4))
        b.fact(levels, int(rng.integers(levels)))
    rows = [0]
    for _ in range(int(rng.integers(1, 5))):
        facts = rng.permutation(n_facts)[: int(rng.integers(1, 3))]
        rows.append(
            b.row(*((int(f), [float(x) for x in rng.choice([0.0, 0.3, 1.0, 1.0, 2.5], b.facts[f][0])]) for f in facts))
        )
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.5:
            b.kernel((1.0, float(rng.uniform(0.1, 3.0))))
        elif builds_up:
            r, decay = float(rng.uniform(0.02, 0.9)), float(rng.uniform(0.1, 1.0))
            b.kernel((1.0 / (1.0 - r), decay), (-r / (1.0 - r), decay / r))
        else:
            b.kernel((0.6, float(rng.uniform(0.5, 3.0))), (0.4, float(rng.uniform(0.05, 0.5))))
    b.profile([(-math.inf, 1.0), (5.0, 0.2), (9.0, 2.0)], swing=float(rng.choice([0.0, 0.5])), peak=30.0)
    b.calm(0.3)
    for _ in range(n_channels):
        effects = [
            (int(f), int(rng.integers(b.facts[f][0])), float(rng.choice([1.0, 0.5])))
            for f in rng.integers(0, n_facts, int(rng.integers(0, 3)))
        ]
        b.channel(
            float(rng.choice([0.0, 0.2, 0.6])),
            profile=int(rng.choice([-1, 0])),
            background_gate=int(rng.choice(rows)),
            gate=int(rng.choice(rows)),
            effects=effects,
            calms=((0, 0.5),) if rng.random() < 0.3 else (),
            calmed=((0, 0.7),) if rng.random() < 0.3 else (),
        )
    for source in range(n_channels):
        for target in rng.integers(0, n_channels, int(rng.integers(0, 4))):
            mass = float(rng.choice([0.0, 0.1, 0.3, 0.3]))
            b.edge(source, int(target), int(rng.integers(len(b.kernels))), mass, int(rng.choice(rows)))
    for _ in range(int(rng.integers(0, 3))):
        fact = int(rng.integers(n_facts))
        level = int(rng.integers(b.facts[fact][0]))
        other = int(rng.integers(b.facts[fact][0]))
        ends = b.channel(0.0, effects=((fact, other, 1.0),))
        b.timer(fact, level, float(rng.uniform(1.0, 6.0)), ends, bool(rng.random() < 0.4))
    return b.build()
