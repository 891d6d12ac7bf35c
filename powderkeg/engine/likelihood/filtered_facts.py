"""What is believed of facts that no event reports, and what moves it.

In: what moves the facts of a system by themselves (`Drift`), probabilities of their levels, what was expected, what
happened. Out: the probabilities moved on in their place, and what the expected intensities are under them.

A fact that runs out after an exponential time, comes up by itself, or is set with a probability is not seen in a record
of acts. Its level is filtered: between acts it drifts by its own rates, and silence where acts were expected speaks
against the levels that bring them; an act speaks for the levels under which it was likely (one that needs a fact proves
it); then the act's own effects follow. Facts are filtered one by one, each against the mean of the others (the joint
distribution is taken as a product, after Boyen & Koller 1998, UAI, 33-42). `exact_filtered` and `day_filtered` put the
steps in order.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.engine.compiled import inlined, inner, loop
from powderkeg.engine.likelihood.design import Design, starts

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


class GatePairs(NamedTuple):
    """Of each pair of gate rows: the facts it reads, its configurations, the groups and grounds that stand under it.

    level_start        (S + 1,) cells of each fact
    fact_start, fact   CSR (Q + 1,): facts that a pair reads, stride 1 first
    size, term         (Q,) configurations; term whose coefficient per unit is the gate's value in the first of them
    group_start, group, ground_start, ground   CSR (Q + 1,)
    """

    level_start: Ints
    fact_start: Ints
    fact: Ints
    size: Ints
    term: Ints
    group_start: Ints
    group: Ints
    ground_start: Ints
    ground: Ints


class Assumed(NamedTuple):
    """Parameters under which silence and acts are weighed.

    slope   (T,) coefficient of every term per unit of its linear parameter;  linear (n,) those parameters
    course  (shapes,) factor of the background in each shape
    term_linear  (T,) linear parameter of a term
    """

    slope: Floats
    linear: Floats
    course: Floats
    term_linear: Ints


def pairs_of(d: Design, level_start: Ints) -> GatePairs:
    """The pairs of gate rows of a design."""
    return GatePairs(
        level_start, d.pair_fact_start, d.pair_fact, d.pair_size, d.pair_term, d.pair_group_start, d.pair_group,
        d.pair_ground_start, d.pair_ground,
    )  # fmt: skip


def initial_belief(d: Design, f: Drift) -> Floats:
    """(cells,) probability 1 for the level at which each fact begins."""
    p = np.zeros(int(f.level_start[-1]))
    p[f.level_start[:-1] + d.initial_level] = 1.0
    return p


@inner
def copy_into(to: Floats, values: Floats) -> None:
    """to[:] = values, which would compile a message for shapes that differ wherever it stands."""
    for i in range(len(to)):
        to[i] = values[i]


@inner
def clear(values: Floats) -> None:
    """values[:] = 0, likewise."""
    for i in range(len(values)):
        values[i] = 0.0


@inner
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


@inner
def configurations(q: int, fact_start: Ints, fact: Ints, level_start: Ints, p: Floats, out: Floats) -> None:
    """Probability of every configuration of pair q, to out[:size]."""
    out[0] = 1.0
    size = 1
    for k in range(fact_start[q], fact_start[q + 1]):
        s = fact[k]
        first, n_levels = level_start[s], level_start[s + 1] - level_start[s]
        for level in range(n_levels - 1, -1, -1):
            for i in range(size):
                out[level * size + i] = out[i] * p[first + level]
        size *= n_levels


@inner
def weigh(
    q: int, fact_start: Ints, fact: Ints, level_start: Ints, size: int, p: Floats, chance: Floats, slope: Floats,
    term: int, mass: float, out: Floats,
) -> float:  # fmt: skip
    """Add to out (cells,) the mass of pair q given each level of each fact it reads; returns its mean mass.

    chance       (size,) probability of every configuration, from `configurations`
    slope, term  the gate's value in configuration i is slope[term + i]
    """
    mean = 0.0
    for i in range(size):
        if chance[i] <= 0.0:
            continue
        part = chance[i] * slope[term + i] * mass
        mean += part
        if part == 0.0:
            continue
        rest = i
        for k in range(fact_start[q], fact_start[q + 1]):
            s = fact[k]
            n_levels = level_start[s + 1] - level_start[s]
            cell = level_start[s] + rest % n_levels
            rest //= n_levels
            out[cell] += part / p[cell]
    return mean


@inlined
def expect_by_level(pairs: GatePairs, pair_mass: Floats, slope: Floats, p: Floats, chance: Floats, out: Floats) -> None:
    """Fill out (cells,) with the acts expected given each level of each fact, of those that some fact bears on."""
    clear(out)
    for q in range(len(pair_mass)):
        if pair_mass[q] > 0.0 and pairs.size[q] > 1:
            configurations(q, pairs.fact_start, pairs.fact, pairs.level_start, p, chance)
            weigh(
                q, pairs.fact_start, pairs.fact, pairs.level_start, pairs.size[q], p, chance, slope, pairs.term[q],
                pair_mass[q], out,
            )  # fmt: skip


@inlined
def add_alike(
    reads: Ints, n_reads: int, is_read: Ints, part_pair: Ints, part_mean: Floats, n_parts: int, fact_start: Ints,
    fact: Ints, level_start: Ints, intensity: Floats,
) -> None:  # fmt: skip
    """Parts of an intensity that do not read a fact add to its levels alike; `is_read` is cleared."""
    for i in range(n_reads):
        is_read[reads[i]] = 0
        alike = 0.0
        for j in range(n_parts):
            has = False
            for h in range(fact_start[part_pair[j]], fact_start[part_pair[j] + 1]):
                has = has or fact[h] == reads[i]
            if not has:
                alike += part_mean[j]
        for level in range(level_start[reads[i]], level_start[reads[i] + 1]):
            intensity[level] += alike


@inlined
def note_reads(q: int, fact_start: Ints, fact: Ints, is_read: Ints, reads: Ints, n_reads: int) -> int:
    """Put the facts that pair q reads on the list; returns how many it holds."""
    for k in range(fact_start[q], fact_start[q + 1]):
        s = fact[k]
        if is_read[s] == 0:
            is_read[s] = 1
            reads[n_reads] = s
            n_reads += 1
    return n_reads


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


@inlined
def expose_pair(
    q: int, size: int, stood: Floats, shape: int, n_shapes: int, group_start: Ints, group: Ints, ground_start: Ints,
    ground: Ints, group_term: Ints, ground_term: Ints, mass: Floats, mass_bend: Floats, ground_mass: Floats,
    exposure: Floats, exposure_bend: Floats,
) -> None:  # fmt: skip
    """Exposures of what stands under pair q, by configuration: each stood for a share `stood` of the time.

    mass, mass_bend  (groups,), (groups, components) what each group expects were its gates 1;  ground_mass (grounds,)
    """
    for k in range(size):
        if stood[k] <= FAINT:
            continue
        for j in range(group_start[q], group_start[q + 1]):
            g = group[j]
            if mass[g] > 0.0:
                exposure[group_term[g] + k] += stood[k] * mass[g]
                if len(exposure_bend) > 0:
                    for w in range(exposure_bend.shape[1]):
                        exposure_bend[group_term[g] + k, w] += stood[k] * mass_bend[g, w]
        for j in range(ground_start[q], ground_start[q + 1]):
            b = ground[j]
            exposure[ground_term[b] + k * n_shapes + shape] += stood[k] * ground_mass[b]
