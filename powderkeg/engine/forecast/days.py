"""What earlier acts set off, day by day, and at what level that leaves the background.

In: the acts of a past with their hours, the links of a `System`. Out: expected answers by day and channel; a filtered
level of the background by group of channels.

The level is a Gamma law (shape a, exposure b) that forgets: each day both fade by a factor towards a law as wide as a0
acts about a slow mean, then take in what the day showed of the background: of each act the probability that no
earlier act set it off. Source: Smith & Miller (1986), JRSS B 48, 79-88 (the model that fades); Harvey & Fernandes
(1989), J. Bus. Econ. Stat. 7, 407-417. Ours differs in that answers are taken out, and in what it fades to.
"""

from __future__ import annotations

import math

from powderkeg.engine.compiled import loop


@loop
def excited_days(  # type: ignore[no-untyped-def]
    time, channel, n_days, edge_start, edge_target, edge_mechanism, edge_mass, edge_slot, kernel_start, share, decay,
    slot_target, slot_component, slot_gate, channel_gate, gates, held, expected,
):  # fmt: skip
    """Fill expected[d, c], acts that earlier ones are expected to set off on day d; held is what is left at the end.

    time      (N,) days since the first day, sorted; channel (N,)
    edge_slot (E,) first slot of the edge: one for each component of its mechanism
    slot_...  (slots,) where answers go, as what component, through which gate row
    gates     (1 or n_days, R) products of the gate rows, the same every day or day by day
    held      (slots,) zeros; expected (n_days, C) zeros
    """
    n = len(time)
    i = 0
    for d in range(n_days):
        g = min(d, gates.shape[0] - 1)
        for s in range(len(held)):
            if held[s] != 0.0:  # below 0 is a part of answers that build up
                left = math.exp(-decay[slot_component[s]])
                c = slot_target[s]
                expected[d, c] += held[s] * (1.0 - left) * gates[g, slot_gate[s]] * gates[g, channel_gate[c]]
                held[s] *= left
        while i < n and time[i] < d + 1:
            rest = d + 1 - time[i]
            for e in range(edge_start[channel[i]], edge_start[channel[i] + 1]):
                m = edge_mechanism[e]
                c = edge_target[e]
                for j in range(kernel_start[m], kernel_start[m + 1]):
                    s = edge_slot[e] + j - kernel_start[m]
                    mass = edge_mass[e] * share[j]
                    left = math.exp(-decay[j] * rest)
                    expected[d, c] += mass * (1.0 - left) * gates[g, slot_gate[s]] * gates[g, channel_gate[c]]
                    held[s] += mass * left
            i += 1


@loop
def filter_levels(  # type: ignore[no-untyped-def]
    count, expected, column, open_, week, share, group, keep, strength, slow_keep, mean, a, b, slow_a, slow_b, level,
    prior, row, told, told_a, told_slow,
):  # fmt: skip
    """Run the level of every group through the days.

    count, expected  (D, came) acts seen; acts that earlier ones are expected to set off
    column           (C,) column of each channel in these, -1 for one of which nothing came
    open_            (1 or D, C) factor of the background's gates
    week             (D,) how densely each day is reported
    share, group     (C,) share of the channel in its group's background; its group, -1 for none
    keep, strength   what is kept of the law from day to day; acts that the slow mean is worth
    slow_keep        the same for the slow mean, which starts at `mean` (G,), worth `prior` (G,) acts
    a, b             (G,) shape and exposure, filled; slow_a, slow_b (G,) those of the slow mean; level (G,) room
    row              (D,) row of the day in what is told, -1 for none
    told, told_a     (rows, G) what the law of the day before said: level, the acts it rests on; told_slow the slow mean
    """
    D, C = len(week), len(column)
    G = len(mean)
    for g in range(G):
        slow_a[g] = prior[g]
        slow_b[g] = prior[g] / mean[g]
        a[g] = strength
        b[g] = strength / mean[g]
    for d in range(D):
        o = min(d, open_.shape[0] - 1)
        for g in range(G):
            slow = slow_a[g] / slow_b[g]
            a[g] = keep * a[g] + (1.0 - keep) * strength
            b[g] = keep * b[g] + (1.0 - keep) * strength / slow
            level[g] = a[g] / b[g]
            if row[d] >= 0:
                told[row[d], g] = level[g]
                told_a[row[d], g] = a[g]
                told_slow[row[d], g] = slow
            slow_a[g] = slow_keep * slow_a[g] + (1.0 - slow_keep) * prior[g]
            slow_b[g] = slow_keep * slow_b[g] + (1.0 - slow_keep) * prior[g] / mean[g]
        for c in range(C):
            g = group[c]
            if g < 0:
                continue
            exposure = week[d] * open_[o, c] * share[c]
            if exposure > 0.0:
                b[g] += exposure
                slow_b[g] += exposure
                i = column[c]
                if i >= 0 and count[d, i] > 0.0:
                    own = level[g] * exposure
                    mine = count[d, i] * own / (own + week[d] * expected[d, i])
                    a[g] += mine
                    slow_a[g] += mine


@loop
def means_ahead(  # type: ignore[no-untyped-def]
    time, channel, origin, horizon, edge_start, edge_mechanism, edge_mass, edge_slot, kernel_start, share, decay,
    pair_start, pair_slot, pair_target, pair_later, pair_now, slot_target, slot_component, slot_gate, channel_gate,
    gates, own, open_, group, level_a, level_b, slow, keep, strength, week, unit, held, future, left, direct, now, more,
    mean, ground, a, b,
):  # fmt: skip
    """Expected acts of the days after each of many origins, with the answers to answers: what is foretold on average.

    origin   (O,) days, rising, from which only acts before them are known;  horizon: days ahead
    pair_... what a channel's acts set off, by slot: see `SetOff` in forecast.links
    own      (C,) share of each channel in its group; open_, gates as above
    level_a, level_b, slow  (O, G) the law of each level at the origin, and what it is drawn to
    week     (O, H) density of each day ahead
    unit     (C,) what is counted together
    held, future (slots,), left (components,), direct (pairs,), now, more (C,), a, b (G,)  room; held zeros
    mean     (O, H, U) filled;  ground (O, G) filled: acts of the background alone, all days ahead together
    """
    n = len(time)
    C = len(own)
    for j in range(len(left)):
        left[j] = math.exp(-decay[j])
    i = 0
    d = 0
    for o in range(len(origin)):
        while d < origin[o]:
            for s in range(len(held)):
                held[s] *= left[slot_component[s]]
            while i < n and time[i] < d + 1:
                rest = d + 1 - time[i]
                for e in range(edge_start[channel[i]], edge_start[channel[i] + 1]):
                    m = edge_mechanism[e]
                    for j in range(kernel_start[m], kernel_start[m + 1]):
                        held[edge_slot[e] + j - kernel_start[m]] += edge_mass[e] * share[j] * math.exp(-decay[j] * rest)
                i += 1
            d += 1
        row = min(d, gates.shape[0] - 1)
        open_row = min(row, open_.shape[0] - 1)
        for s in range(len(held)):
            future[s] = held[s]
        for p in range(len(direct)):
            direct[p] = pair_now[p] * gates[row, slot_gate[pair_slot[p]]] * gates[row, channel_gate[pair_target[p]]]
        for g in range(len(a)):
            a[g] = level_a[o, g]
            b[g] = level_b[o, g]
        for h in range(horizon):
            for c in range(C):
                now[c] = 0.0
            for s in range(len(future)):
                if future[s] != 0.0:
                    stays = left[slot_component[s]]
                    c = slot_target[s]
                    now[c] += future[s] * (1.0 - stays) * gates[row, slot_gate[s]] * gates[row, channel_gate[c]]
                    future[s] *= stays
            for c in range(C):
                if group[c] >= 0:
                    fresh = a[group[c]] / b[group[c]] * own[c] * open_[open_row, c]
                    now[c] += fresh
                    ground[o, group[c]] += fresh * week[o, h]
                now[c] *= week[o, h]
                mean[o, h, unit[c]] += now[c]
            # Answers of the same day, and theirs; the rest of what they set off is still to come.
            for _ in range(3):
                for c in range(C):
                    more[c] = 0.0
                for c in range(C):
                    if now[c] <= 0.0:
                        continue
                    for p in range(pair_start[c], pair_start[c + 1]):
                        future[pair_slot[p]] += now[c] * pair_later[p]
                        more[pair_target[p]] += now[c] * direct[p]
                for c in range(C):
                    now[c] = more[c] * week[o, h]
                    mean[o, h, unit[c]] += now[c]
            for g in range(len(a)):
                a[g] = keep * a[g] + (1.0 - keep) * strength
                b[g] = keep * b[g] + (1.0 - keep) * strength / slow[o, g]
