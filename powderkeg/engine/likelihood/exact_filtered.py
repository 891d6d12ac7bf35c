"""Facts that no event reports: what the acts so far say about them, and the likelihood that follows.

In: a `Design`, what moves the facts by themselves, decays, parameters, events at exact times. Out: the probability of
every level of every fact just before each event and along a grid of steps; and `Rows` as `likelihood` gives them, in
which every gate is its mean over those probabilities.

A fact that runs out after an exponential time, comes up by itself, or is set with a probability is not seen in a record
of acts. Its level is filtered: between acts it drifts by its own rates, and silence where acts were expected speaks
against the levels that bring them; an act speaks for the levels under which it was likely (one that needs a fact proves
it); then the act's own effects follow. Facts are filtered one by one, each against the mean of the others (the joint
distribution is taken as a product, after Boyen & Koller 1998, UAI, 33-42). Given the probabilities, which the past
alone determines, the expected intensity is a sum of terms like any other.

`replay` uses probabilities found before instead of filtering: the passes of a fit at other parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.compiled import allocating_loop, inner, loop
from powderkeg.engine.likelihood.design import Design, starts
from powderkeg.engine.likelihood.exact_steps import (
    SMALLEST,
    Calms,
    Carried,
    age_slot,
    calm_level,
    cell_of,
    season_integral,
)
from powderkeg.units import YEAR

FIRST_STEP = 0.05
"""Days of the first step after an event; each next one is longer by `STEP_GROWTH`, up to `LONGEST_STEP`."""
STEP_GROWTH = 1.6
LONGEST_STEP = 1.0
FAINT = 1e-9
"""Probability of a configuration below which it is left out."""


class Drift(NamedTuple):
    """What moves facts apart from sure effects. S facts, cells = (fact, level).

    level_start  (S + 1,)
    run_out      (cells,) rate at which a level falls back to the first, 1/day
    comes        (S,) rate at which a two-level fact switches on, 1/day
    start, fact, level, probability   CSR by channel (C + 1,): all effects of acts, in order
    """

    level_start: Ints
    run_out: Floats
    comes: Floats
    start: Ints
    fact: Ints
    level: Ints
    probability: Floats


def drift(system: System, n_acts: int) -> Drift:
    """What moves the facts of a system by themselves; timers that fire after a fixed delay do not belong here."""
    n_cells = int(system.level_start[-1])
    run_out, comes = np.zeros(n_cells), np.zeros(system.n_facts)
    fact_of = np.repeat(np.arange(system.n_facts), np.diff(system.level_start))
    for cell in range(n_cells):
        for k in range(system.timer_start[cell], system.timer_start[cell + 1]):
            c = system.timer_channel[k]
            falls = (system.effect_start[c + 1] - system.effect_start[c]) == 1 and (
                system.effect_fact[system.effect_start[c]] == fact_of[cell]
                and system.effect_level[system.effect_start[c]] == 0
            )
            if falls and not system.timer_is_fixed[k]:
                run_out[cell] += 1.0 / system.timer_delay[k]
    fired = set(system.timer_channel.tolist())
    for c in range(n_acts, system.n_channels):
        if c not in fired and system.rate[c] > 0:
            comes[system.effect_fact[system.effect_start[c]]] += system.rate[c]
    owner = np.repeat(np.arange(system.n_channels), np.diff(system.effect_start))
    kept = owner < n_acts
    return Drift(
        level_start=system.level_start.astype(np.int64),
        run_out=run_out,
        comes=comes,
        start=starts(np.bincount(owner[kept], minlength=n_acts)),
        fact=system.effect_fact[kept].astype(np.int64),
        level=system.effect_level[kept].astype(np.int64),
        probability=system.effect_probability[kept].astype(np.float64),
    )


def is_hidden(system: System, n_acts: int) -> bool:
    """Whether some fact changes without an act that reports it."""
    found = drift(system, n_acts)
    return bool(found.run_out.any() or found.comes.any() or ((found.probability > 0) & (found.probability < 1)).any())


@loop
def copy_into(to: Floats, values: Floats) -> None:
    """to[:] = values, which would compile a message for shapes that differ wherever it stands."""
    for i in range(len(to)):
        to[i] = values[i]


@loop
def drift_facts(f: Drift, p: Floats, width: float) -> None:
    """Let probabilities p (cells,) drift by the facts' own rates over `width` days."""
    for s in range(len(f.comes)):
        first, last = f.level_start[s], f.level_start[s + 1]
        if f.comes[s] > 0.0:
            total = f.comes[s] + f.run_out[first + 1]
            target = f.comes[s] / total
            p[first + 1] = target + (p[first + 1] - target) * np.exp(-total * width)
            p[first] = 1.0 - p[first + 1]
            continue
        for cell in range(first + 1, last):
            if f.run_out[cell] > 0.0 and p[cell] > 0.0:
                gone = -p[cell] * np.expm1(-f.run_out[cell] * width)
                p[cell] -= gone
                p[first] += gone


@loop
def act_on_facts(f: Drift, p: Floats, c: int) -> None:
    """The effects of an act of channel c on the probabilities."""
    for k in range(f.start[c], f.start[c + 1]):
        s, share = f.fact[k], f.probability[k]
        for cell in range(f.level_start[s], f.level_start[s + 1]):
            p[cell] *= 1.0 - share
        p[f.level_start[s] + f.level[k]] += share


@loop
def configurations(facts: Ints, level_start: Ints, p: Floats, out: Floats) -> None:
    """Probability of every configuration of a pair that reads `facts`, to out[:size]."""
    out[0] = 1.0
    size = 1
    for s in facts:
        first, n_levels = level_start[s], level_start[s + 1] - level_start[s]
        for level in range(n_levels - 1, -1, -1):
            for i in range(size):
                out[level * size + i] = out[i] * p[first + level]
        size *= n_levels


@inner
def weigh(
    facts: Ints, level_start: Ints, size: int, p: Floats, chance: Floats, gate: Floats, mass: float, out: Floats
) -> float:
    """Add to out (cells,) the mass of a pair given each level of each fact it reads; returns its mean mass.

    chance, gate  (size,) probability of every configuration, from `configurations`, and the gate's value in it
    """
    mean = 0.0
    for i in range(size):
        if chance[i] <= 0.0:
            continue
        part = chance[i] * gate[i] * mass
        mean += part
        if part == 0.0:
            continue
        rest = i
        for s in facts:
            n_levels = level_start[s + 1] - level_start[s]
            cell = level_start[s] + rest % n_levels
            rest //= n_levels
            out[cell] += part / p[cell]
    return mean


@inner
def learn_from_silence(f: Drift, p: Floats, expected: Floats, share: float) -> None:
    """p proportional to p * exp(-share * expected count given the level), fact by fact."""
    for s in range(len(f.comes)):
        first, last = f.level_start[s], f.level_start[s + 1]
        least = np.inf
        for cell in range(first, last):
            if p[cell] > 0.0:
                least = min(least, expected[cell])
        total = 0.0
        for cell in range(first, last):
            if p[cell] > 0.0:
                p[cell] *= np.exp(-share * (expected[cell] - least))
                total += p[cell]
        for cell in range(first, last):
            p[cell] /= total


@inner
def learn_from_act(f: Drift, p: Floats, intensity: Floats, reads: Ints, n_reads: int) -> None:
    """p proportional to p * intensity given the level, for the facts that the act's channel reads."""
    for k in range(n_reads):
        s = reads[k]
        total = 0.0
        for cell in range(f.level_start[s], f.level_start[s + 1]):
            total += p[cell] * intensity[cell]
        if total > 0.0:
            for cell in range(f.level_start[s], f.level_start[s + 1]):
                p[cell] *= intensity[cell] / total


@inner
def step_end(t: float, step: float, last: float) -> float:
    """End of the step that starts at t: no step crosses an event or the start of the window."""
    high = min(t + step, last)
    return 0.0 if t < 0.0 < high else high


@loop
def count_steps(time: Floats, end: float) -> int:
    """Steps of the grid between events and to the end."""
    total = 0
    t = min(0.0, time[0]) if len(time) > 0 else 0.0
    for i in range(len(time) + 1):
        last = time[i] if i < len(time) else end
        step = FIRST_STEP
        while t < last - 1e-12:
            t = step_end(t, step, last)
            step = min(step * STEP_GROWTH, LONGEST_STEP)
            total += 1
        t = last
    return total


@allocating_loop
def hidden_pass(
    d: Design,
    f: Drift,
    decay: Floats,
    slope: Floats,
    linear: Floats,
    course: Floats,
    time: Floats,
    channel: Ints,
    end: float,
    sloped: bool,
    at_event: Floats,
    at_step: Floats,
    replay: bool,
) -> tuple[Ints, Ints, Floats, Floats, Floats, Floats, Ints]:
    """Rows and exposures with every gate at its mean over what is believed of the facts.

    slope     (T,) coefficient of every term per unit of its linear parameter;  linear (n,) those parameters
    course    (shapes,) factor of the background in each shape
    at_event  (N, cells) probabilities just before each event;  at_step (steps, cells) in the middle of each step:
              read if `replay`, else filled
    returns   the fields of `Rows`
    """
    n = len(time)
    n_groups, n_grounds, n_pairs = len(d.group_term), len(d.ground_term), len(d.pair_size)
    widest = 1
    for m in range(len(d.kernel_start) - 1):
        widest = max(widest, d.kernel_start[m + 1] - d.kernel_start[m])
    largest = 1
    for q in range(n_pairs):
        largest = max(largest, d.pair_size[q])
    n_cells = f.level_start[-1]
    p = np.zeros(n_cells)
    for s in range(len(f.comes)):
        p[f.level_start[s] + d.initial_level[s]] = 1.0
    capacity = 16 * n + 64
    term = np.empty(capacity, np.int64)
    value = np.empty(capacity, np.float64)
    bend = np.zeros((capacity if sloped else 0, widest))
    start = np.zeros(n + 1, np.int64)
    event = np.empty(n, np.int64)
    exposure = np.zeros(len(d.term_linear))
    exposure_bend = np.zeros((len(d.term_linear) if sloped else 0, widest))
    reach = np.zeros((len(d.slot_group), widest))
    reach_age = np.zeros((len(d.slot_group), widest))
    origin = min(0.0, time[0]) if n > 0 else 0.0
    reach_time = np.full(len(d.slot_group), origin)
    total = np.zeros((n_groups, widest))
    total_age = np.zeros((n_groups, widest))
    carried = Carried(reach, reach_age, reach_time)
    q_calm = Calms(
        d.calm_decay, d.calm_set_start, d.calm_set_index, d.calm_set_strength, d.calm_add_start, d.calm_add_index,
        d.calm_add_amount,
    )  # fmt: skip
    x = np.zeros(len(d.calm_decay))
    x_time = origin
    n_calms = len(d.calm_set_start) - 1
    calm_now = np.ones(n_calms + 1)  # last place: no calm
    mass = np.zeros(n_groups)
    mass_bend = np.zeros((n_groups, widest))
    ground_mass = np.zeros(n_grounds)
    pair_mass = np.zeros(n_pairs)
    expected = np.zeros(n_cells)
    chance = np.zeros(largest)
    middle = np.zeros(n_cells)
    reads = np.empty(len(f.comes), np.int64)
    is_read = np.zeros(len(f.comes), np.bool_)
    slope_here = np.zeros(widest)
    most_slots = 0
    for c in range(len(d.slot_start) - 1):
        most_slots = max(most_slots, d.slot_start[c + 1] - d.slot_start[c])
    part_pair = np.empty(most_slots + 1, np.int64)
    part_mean = np.empty(most_slots + 1)
    used = 0
    rows = 0
    steps = 0
    t = origin
    i = 0
    while i <= n:
        last = time[i] if i < n else end
        step = FIRST_STEP
        while t < last - 1e-12:
            low, high = t, step_end(t, step, last)
            width = high - low
            scored = high > 0.0
            # what is expected in this step, were every gate 1
            for k in range(n_calms):
                calm_now[k] = calm_level(q_calm, x, x_time, k, 0.5 * (low + high))
            pair_mass[:] = 0.0
            for g in range(n_groups):
                mass[g] = 0.0
                m = d.group_mechanism[g]
                calm = calm_now[d.group_calm[g]]
                for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
                    k = j - d.kernel_start[m]
                    mass_bend[g, k] = 0.0
                    if total[g, k] <= 0.0:
                        continue
                    fade = np.exp(-decay[j] * width)
                    mass[g] -= d.kernel_share[j] * calm * total[g, k] * np.expm1(-decay[j] * width)
                    later = fade * (total_age[g, k] + width * total[g, k])
                    mass_bend[g, k] = d.kernel_share[j] * calm * decay[j] * (later - total_age[g, k])
                    total_age[g, k] = later
                    total[g, k] *= fade
                    if total[g, k] < SMALLEST:
                        total[g, k] = 0.0
                        total_age[g, k] = 0.0
                pair_mass[d.group_pair[g]] += mass[g] * linear[d.term_linear[d.group_term[g]]]
            cell = cell_of(d.cell_time, 0.5 * (low + high))
            for b in range(n_grounds):
                q = d.ground_profile[b]
                season = season_integral(d.profile_swing[q], d.profile_peak[q], low, high)
                ground_mass[b] = d.ground_scale[b] * d.cell_value[q, cell] * season * calm_now[d.ground_calm[b]]
                own = course[d.cell_shape[cell]] * linear[d.term_linear[d.ground_term[b]]]
                pair_mass[d.ground_pair[b]] += ground_mass[b] * own
            if replay:
                copy_into(middle, at_step[steps])
            else:
                drift_facts(f, p, 0.5 * width)
                expected[:] = 0.0
                for q in range(n_pairs):
                    if pair_mass[q] > 0.0 and d.pair_size[q] > 1:
                        facts = d.pair_fact[d.pair_fact_start[q] : d.pair_fact_start[q + 1]]
                        configurations(facts, f.level_start, p, chance)
                        weigh(
                            facts,
                            f.level_start,
                            d.pair_size[q],
                            p,
                            chance,
                            slope[d.pair_term[q] :],
                            pair_mass[q],
                            expected,
                        )
                copy_into(middle, p)
                learn_from_silence(f, middle, expected, 0.5)
                learn_from_silence(f, p, expected, 1.0)
                drift_facts(f, p, 0.5 * width)
                copy_into(at_step[steps], middle)
            steps += 1
            if scored:
                for q in range(n_pairs):
                    facts = d.pair_fact[d.pair_fact_start[q] : d.pair_fact_start[q + 1]]
                    configurations(facts, f.level_start, middle, chance)
                    for r in range(d.pair_group_start[q], d.pair_group_start[q + 1]):
                        g = d.pair_group[r]
                        if mass[g] <= 0.0:
                            continue
                        for k in range(d.pair_size[q]):
                            if chance[k] > FAINT:
                                exposure[d.group_term[g] + k] += chance[k] * mass[g]
                                if sloped:
                                    exposure_bend[d.group_term[g] + k] += chance[k] * mass_bend[g]
                    for r in range(d.pair_ground_start[q], d.pair_ground_start[q + 1]):
                        b = d.pair_ground[r]
                        for k in range(d.pair_size[q]):
                            if chance[k] > FAINT:
                                where = d.ground_term[b] + k * d.n_shapes + d.cell_shape[cell]
                                exposure[where] += chance[k] * ground_mass[b]
            t = high
            step = min(step * STEP_GROWTH, LONGEST_STEP)
        t = last
        if i == n:
            break
        # the events of this instant
        until = i
        while until < n and time[until] == t:
            until += 1
        for e in range(i, until):
            c = channel[e]
            if replay:
                copy_into(p, at_event[e])
            else:
                copy_into(at_event[e], p)
        for e in range(i, until):
            c = channel[e]
            copy_into(middle, at_event[e])
            expected[:] = 0.0
            n_reads = 0
            b = d.channel_ground[c]
            q = d.ground_profile[b]
            cell = cell_of(d.cell_time, t)
            calm = 1.0
            if d.ground_calm[b] >= 0:
                calm = calm_level(q_calm, x, x_time, d.ground_calm[b], t)
            v = d.channel_scale[c] * d.cell_value[q, cell] * calm
            if d.profile_swing[q] != 0.0:
                v *= 1.0 + d.profile_swing[q] * np.cos(2.0 * np.pi * (t - d.profile_peak[q]) / YEAR)
            n_slots = d.slot_start[c + 1] - d.slot_start[c]
            if used + (n_slots + 1) * largest > len(term):
                size = max(2 * len(term), used + (n_slots + 1) * largest)
                more_term = np.empty(size, np.int64)
                more_term[:used] = term[:used]
                term = more_term
                more_value = np.empty(size, np.float64)
                more_value[:used] = value[:used]
                value = more_value
                if sloped:
                    more_bend = np.zeros((size, widest))
                    more_bend[:used] = bend[:used]
                    bend = more_bend
            n_parts = 0
            for k in range(-1, n_slots):
                if k < 0:
                    slope_here[:] = 0.0
                    pair = d.ground_pair[b]
                    first, apart = d.ground_term[b] + d.cell_shape[cell], d.n_shapes
                    weight = v * course[d.cell_shape[cell]] * linear[d.term_linear[first]]
                else:
                    s = d.slot_start[c] + k
                    g = d.slot_group[s]
                    m = d.group_mechanism[g]
                    pair = d.group_pair[g]
                    first, apart = d.group_term[g], 1
                    age_slot(d.kernel_start, decay, m, s, t, carried)
                    v = 0.0
                    for j in range(d.kernel_start[m], d.kernel_start[m + 1]):
                        h = j - d.kernel_start[m]
                        part = d.kernel_share[j] * decay[j] * calm
                        v += part * reach[s, h]
                        slope_here[h] = part * (reach[s, h] - decay[j] * reach_age[s, h])
                    weight = v * linear[d.term_linear[first]]
                if v <= SMALLEST:
                    continue
                facts = d.pair_fact[d.pair_fact_start[pair] : d.pair_fact_start[pair + 1]]
                configurations(facts, f.level_start, middle, chance)
                for h in range(d.pair_size[pair]):
                    if chance[h] > FAINT and t >= 0.0:
                        term[used] = first + h * apart
                        value[used] = v * chance[h]
                        if sloped:
                            bend[used] = slope_here * chance[h]
                        used += 1
                if not replay:
                    part_pair[n_parts] = pair
                    part_mean[n_parts] = weigh(
                        facts,
                        f.level_start,
                        d.pair_size[pair],
                        middle,
                        chance,
                        slope[d.pair_term[pair] :],
                        weight,
                        expected,
                    )
                    n_parts += 1
                    for fact in facts:
                        if not is_read[fact]:
                            is_read[fact] = True
                            reads[n_reads] = fact
                            n_reads += 1
            if not replay:
                for r in range(n_reads):  # components that do not read a fact add to every level of it alike
                    fact = reads[r]
                    is_read[fact] = False
                    alike = 0.0
                    for k in range(n_parts):
                        has = False
                        for h in range(d.pair_fact_start[part_pair[k]], d.pair_fact_start[part_pair[k] + 1]):
                            has = has or d.pair_fact[h] == fact
                        if not has:
                            alike += part_mean[k]
                    for level in range(f.level_start[fact], f.level_start[fact + 1]):
                        expected[level] += alike
                learn_from_act(f, p, expected, reads, n_reads)
            if t >= 0.0:
                event[rows] = e
                rows += 1
                start[rows] = used
        for e in range(i, until):
            c = channel[e]
            if not replay:
                act_on_facts(f, p, c)
            for k in range(d.out_start[c], d.out_start[c + 1]):
                s = d.out_slot[k]
                m = d.group_mechanism[d.slot_group[s]]
                age_slot(d.kernel_start, decay, m, s, t, carried)
                for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    reach[s, h] += d.out_mass[k]
            for k in range(d.feed_start[c], d.feed_start[c + 1]):
                g = d.feed_group[k]
                m = d.group_mechanism[g]
                for h in range(d.kernel_start[m + 1] - d.kernel_start[m]):
                    total[g, h] += d.feed_mass[k]
            if d.calm_add_start[c + 1] > d.calm_add_start[c]:
                for k in range(len(x)):
                    x[k] *= np.exp(-d.calm_decay[k] * (t - x_time))
                x_time = t
                for k in range(d.calm_add_start[c], d.calm_add_start[c + 1]):
                    x[d.calm_add_index[k]] += d.calm_add_amount[k]
        i = until
    kept = bend[:used].copy() if sloped else bend
    return (
        start[: rows + 1].copy(), term[:used].copy(), value[:used].copy(), kept, exposure, exposure_bend,
        event[:rows].copy(),
    )  # fmt: skip
