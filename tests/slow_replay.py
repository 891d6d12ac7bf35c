"""The coupling of two worlds once more, in plain Python: slow, obvious, with other random numbers.

Intensities are sums over all past events; new events are found by thinning from a ceiling of the other world's whole
intensity. Shares no code with the engine; for tiny systems of acts without timers.
"""

from __future__ import annotations

import math


def gate(system, row, level):
    product = 1.0
    for i in range(system.row_start[row], system.row_start[row + 1]):
        product *= float(system.level_factor[system.entry_offset[i] + level[system.entry_fact[i]]])
    return product


def intensity(system, c, level, past, time):
    """Of channel c, given what is the case and what has happened: past is [(time, channel)]."""
    total = float(system.rate[c]) * gate(system, system.background_gate[c], level)
    for at, source in past:
        for e in range(system.edge_start[source], system.edge_start[source + 1]):
            if system.edge_target[e] == c:
                m = system.edge_mechanism[e]
                for j in range(system.kernel_start[m], system.kernel_start[m + 1]):
                    decay = float(system.kernel_decay[j])
                    total += (
                        float(system.edge_mass[e])
                        * gate(system, system.edge_gate[e], level)
                        * float(system.kernel_share[j])
                        * decay
                        * math.exp(-decay * (time - at))
                    )
    return total * gate(system, system.channel_gate[c], level)


def act(system, c, level):
    """What an act does to the facts; effects are sure."""
    for i in range(system.effect_start[c], system.effect_start[c + 1]):
        level[system.effect_fact[i]] = int(system.effect_level[i])


def replay(factual, other, events, days, rng):
    """Events of the other world given [(time, channel)] of the factual one; the worlds part at 0."""
    level = [[int(x) for x in factual.initial_level] for _ in range(2)]
    past = [[], []]
    channels = range(len(factual.rate))
    now, i = 0.0, 0
    while True:
        until = events[i][0] if i < len(events) else days
        # Between events intensities only fade: a hair above now is a ceiling until the next.
        ceiling = sum(intensity(other, c, level[1], past[1], now) for c in channels) + 1e-12
        now += rng.exponential(1.0 / ceiling)
        if now < until:
            more = [
                max(intensity(other, c, level[1], past[1], now) - intensity(factual, c, level[0], past[0], now), 0.0)
                for c in channels
            ]
            left = rng.random() * ceiling
            for c in channels:
                left -= more[c]
                if left < 0.0:
                    past[1].append((now, c))
                    act(other, c, level[1])
                    break
            continue
        now = until
        if i == len(events):
            return past[1]
        c = events[i][1]
        ratio = intensity(other, c, level[1], past[1], now) / intensity(factual, c, level[0], past[0], now)
        stays = rng.random() < ratio
        past[0].append((now, c))
        act(factual, c, level[0])
        if stays:
            past[1].append((now, c))
            act(other, c, level[1])
        i += 1
