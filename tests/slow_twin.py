"""The simulation engine once more, in plain Python: slow, obvious, and the same events one for one.

Written from the documentation of the engine (docs/engine.md), sharing no code with it but logarithm, exponential and
cosine, which have tests of their own: whole numbers with masks for the draws, lists for tables, `heapq` for the queue.
Takes a `System` and the same plain descriptions of a world.
"""

from __future__ import annotations

import heapq
import itertools
import math
import struct
from dataclasses import dataclass, field

from powderkeg.engine.elementary import cosine_of_turns, exponential, logarithm

MASK = (1 << 64) - 1
CHOICE, MARK, COUNT, DELAY, COMPONENT, EFFECT_COIN = 0, 1, 2, 3, 6, 16
REPLICATE, IMMIGRANT, OFFSPRING, LAYER, HISTORY, SCHEDULED, TIMER, PHASE, SPLIT = range(1, 10)
STRIP = 11
NEW = 32


def draw(key, j):
    """Uniform number `j` of the event with this key, in (0, 1)."""
    x = (key + (j + 1) * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    x ^= x >> 31
    return ((x >> 12) + 0.5) / 2**52


def child(key, tag, index):
    """Key of a descendant."""
    x = (key + tag * 0xD1342543DE82EF95 + (index + 1) * 0xA0761D6478BD642F) & MASK
    x = ((x ^ (x >> 33)) * 0xFF51AFD7ED558CCD) & MASK
    x = ((x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53) & MASK
    return x ^ (x >> 33)


def root_key(seed):
    """Key of a seed."""
    key = 0x706F776465726B67
    for word in (seed & MASK, (seed >> 64) & MASK):
        x = ((key ^ word) + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 33)) * 0xFF51AFD7ED558CCD) & MASK
        x = ((x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53) & MASK
        key = x ^ (x >> 33)
    return key


def poisson(key, mean):
    """Poisson count by inversion, in parts of mean 16 at most."""
    parts = max(math.ceil(mean / 16.0), 1)
    each = mean / parts
    total = 0
    for part in range(parts):
        u = draw(key if part == 0 else child(key, SPLIT, part), COUNT)
        n, term = 0, exponential(-each)
        below = term
        while u > below:
            n += 1
            term *= each / n
            below += term
            if term < 1e-18 and n > each:
                break
        total += n
    return total


def added(numbers):
    """Their sum, one after the other: newer Pythons' own is rounded once."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def alias_table(weights):
    """Vose's alias table: share kept by each entry, and who takes the rest."""
    total = 0.0
    for weight in weights:
        total += weight
    keep = [weight / total * len(weights) for weight in weights]
    other = list(range(len(weights)))
    small = [i for i, x in enumerate(keep) if x < 1.0]
    large = [i for i, x in enumerate(keep) if x >= 1.0]
    while small and large:
        s, g = small.pop(), large[-1]
        other[s] = g
        keep[g] = (keep[g] + keep[s]) - 1.0
        if keep[g] < 1.0:
            small.append(large.pop())
    for i in small + large:
        keep[i] = 1.0
    return keep, other, total


def pick(u, table):
    """Entry of an alias table that a uniform chooses."""
    keep, other, _ = table
    x = u * len(keep)
    i = min(int(x), len(keep) - 1)
    return i if x - i < keep[i] else other[i]


@dataclass
class Row:
    """What an event in a channel (or the background) proposes in one stream: things, marks from, widths."""

    things: list = field(default_factory=list)
    low: list = field(default_factory=list)
    width: list = field(default_factory=list)
    component: list = field(default_factory=list)
    weight: list = field(default_factory=list)

    def add(self, thing, low, width, weight=None, component=None):
        self.things.append(thing)
        self.low.append(low)
        self.width.append(width)
        self.weight.append(width if weight is None else weight)
        self.component.append(component)

    def close(self):
        self.table = alias_table(self.weight) if self.things else None
        self.mean = self.table[2] if self.things else 0.0
        return self


class Twin:
    """One world. `phases` are (at, system, ((fact, level), ...)); `acts` (at, channel); `policies` (fact, levels, days,
    channel, start, end); `past` (begin, times, channels, complete)."""

    def __init__(self, base, phases=(), acts=(), policies=(), layers=0, past=None):
        self.base, self.layers, self.past = base, layers, past
        self.begin = past[0] if past else 0.0
        full = [(-math.inf, base, ())]
        for at, system, levels in sorted(phases, key=lambda phase: phase[0]):
            before, now = full[-1][1].initial_level, system.initial_level
            turned = tuple((s, int(now[s])) for s in range(len(now)) if before[s] != now[s])
            full.append((at, system, turned + tuple(levels)))
        self.initial = [int(x) for x in base.initial_level]
        if past:
            self.start = min([*past[1][:1], self.begin])
            self.phases = [(self.start, base, ())]
            self.phases += [(max(at, self.begin), system, levels) for at, system, levels in full[1:]]
        else:
            self.start = self.begin
            early = [phase for phase in full if phase[0] <= self.begin]
            for _, _, levels in early:
                for fact, level in levels:
                    self.initial[fact] = level
            self.phases = [(self.begin, early[-1][1], ()), *(phase for phase in full if phase[0] > self.begin)]
        self.acts = sorted((act for act in acts if act[0] >= self.begin), key=lambda act: act[0])
        self.policies = sorted(policies, key=lambda policy: policy[0])
        self._propose()

    # -- ceilings and what is proposed -------------------------------------------------------------------------------

    def _reach(self, systems, pairs):
        reach = {(s, int(level)) for system in systems for s, level in enumerate(system.initial_level)}
        for system in systems:
            for fact, level, chance in zip(
                system.effect_fact, system.effect_level, system.effect_probability, strict=True
            ):
                if chance > 0:
                    reach.add((int(fact), int(level)))
        return reach | set(pairs)

    def _ceilings(self, system, reach):
        def highest(row):
            product = 1.0
            for i in range(system.row_start[row], system.row_start[row + 1]):
                levels = [level for fact, level in reach if fact == system.entry_fact[i]]
                product *= max([0.0, *(float(system.level_factor[system.entry_offset[i] + x]) for x in levels)])
            return product

        edges = [
            float(system.edge_mass[k]) * highest(system.edge_gate[k]) * highest(system.channel_gate[target])
            for k, target in enumerate(system.edge_target)
        ]
        rates = []
        for c, rate in enumerate(system.rate):
            shape, p = 1.0, system.profile[c]
            if p >= 0:
                steps = system.step_value[system.profile_start[p] : system.profile_start[p + 1]]
                shape = float(max(steps)) * (1.0 + float(system.profile_swing[p]))
            rates.append(float(rate) * shape * highest(system.background_gate[c]) * highest(system.channel_gate[c]))
        return edges, rates

    def _grouped(self, reach, rates):
        """Gates -> where the ceilings of the channels under them are cut, from the lowest bound up to 1."""
        base = self.base

        def shares(rows):
            found = {}
            for row in rows:
                for i in range(base.row_start[row], base.row_start[row + 1]):
                    s = int(base.entry_fact[i])
                    levels = sorted(level for fact, level in reach if fact == s)
                    factors = [float(base.level_factor[base.entry_offset[i] + level]) for level in levels]
                    share = [x / max(factors) if max(factors) > 0 else 1.0 for x in factors]
                    found[s] = [x * y for x, y in zip(found[s], share, strict=True)] if s in found else share
            return found

        under, saved = {}, {}
        for c, rate in enumerate(rates):
            gates = int(base.background_gate[c]), int(base.channel_gate[c])
            rest = rate * (1.0 - math.prod(math.prod(min(x) for x in shares([row]).values()) for row in gates))
            if rest > 0:
                under.setdefault(gates, []).append(c)
                saved[gates] = saved.get(gates, 0.0) + rest
        left, looked, cuts = added(saved[gates] for gates in sorted(saved)), {}, {}
        # In order of what they save; of equals the one with the lower gate rows first.
        for gates in sorted(sorted(saved), key=lambda gates: -saved[gates]):
            if left <= 0.01 * (1 + 1e-9) * added(rates):
                break
            left -= saved[gates]
            found = shares(gates)
            values = [1.0]
            for share in found.values():
                values = sorted({v * x for v in values for x in share if x > 0}, reverse=True)
                kept = values[:1]
                for value in values:
                    if value * 1.02 < kept[-1]:
                        kept.append(value)
                values = kept
            bounds = [1.0]
            for value in values:
                if value * (1 + 1e-6) <= bounds[-1] / 2 and len(bounds) < 64:
                    bounds.append(value * (1 + 1e-6))
            if any(min(share) == 0 for share in found.values()):
                bounds.append(0.0)
            if len(bounds) > 1 and all(looked.get(s, 0) < 64 for s in found):
                for s in found:
                    looked[s] = looked.get(s, 0) + 1
                cuts[gates] = (under[gates], bounds[::-1])
        return cuts

    def _propose(self):
        base = self.base
        systems = [system for _, system, _ in self.phases]
        reach = self._reach([base], ())
        edges, rates = self._ceilings(base, reach)
        cuts = self._grouped(reach, rates)
        ground = {c: bounds[0] for channels, bounds in cuts.values() for c in channels}
        self.strips = []
        pairs = [*enumerate(self.initial), *(pair for _, _, levels in self.phases for pair in levels)]
        reach |= self._reach(systems, pairs)
        tops = [self._ceilings(system, reach) for system in systems]
        edge_top = [max(column) for column in zip(*(e for e, _ in tops), strict=True)]
        rate_top = [max(column) for column in zip(*(r for _, r in tops), strict=True)]
        self.source = [c for c in range(len(base.rate)) for _ in range(base.edge_start[c], base.edge_start[c + 1])]
        self.background, self.rows = {}, {}
        for stream in [*range(9), NEW]:
            background = Row()
            rows = [Row() for _ in base.rate]
            for things, tops_, add in (
                (rates, rate_top, background.add),
                (edges, edge_top, lambda k, *rest, rows=rows: rows[self.source[k]].add(k, *rest)),
            ):
                for i, (ceiling, top) in enumerate(zip(things, tops_, strict=True)):
                    if stream == 0:
                        low, width = 0.0, ceiling
                    elif stream < NEW:
                        low = 2.0 ** (stream - 1) * ceiling
                        width = low if top > low or stream <= self.layers else 0.0
                    else:
                        low = 256.0 * ceiling
                        width = 2.0 ** math.ceil(math.log2(top - low)) if top > low else 0.0
                    if things is rates and i in ground and stream < NEW:
                        width = ground[i] * ceiling if stream == 0 else 0.0
                    if width > 0:
                        add(i, low, width)
            if stream == 0 or background.things or any(row.things for row in rows):
                self.background[stream] = background.close()
                self.rows[stream] = [row.close() for row in rows]
        for channels, bounds in cuts.values():
            pieces = [(k, a, b, channels) for k, (a, b) in enumerate(itertools.pairwise(bounds))]
            for layer in range(1, 9):
                at = 2.0 ** (layer - 1)
                who = [c for c in channels if rate_top[c] > at * rates[c] or layer <= self.layers]
                pieces.append((128 + layer, at, 2.0 * at, who))
            for number, low, high, who in pieces:
                row = Row()
                for c in who:
                    row.add(c, low * rates[c], high * rates[c] - low * rates[c])
                if who:
                    self.strips.append((channels[0] * 256 + number, row.close()))
        self.left = {}
        if self.past:
            begin, times, channels, _ = self.past
            now = [system for at, system, _ in self.phases if at <= begin][-1]
            for stream, rows in self.rows.items():
                for h, (time, c) in enumerate(zip(times, channels, strict=True)):
                    left, row = Row(), rows[c]
                    for k, low, width in zip(row.things, row.low, row.width, strict=True):
                        m = base.edge_mechanism[k]
                        for j in range(base.kernel_start[m], base.kernel_start[m + 1]):
                            decay = float(now.kernel_decay[j])
                            weight = width * float(now.kernel_share[j]) * exponential(-decay * (begin - time))
                            first = int(base.kernel_start[m])
                            if float(now.kernel_share[first]) > 1.0 + 1e-6:  # two waits
                                fast = exponential(-float(now.kernel_decay[first + 1]) * (begin - time))
                                weight = (
                                    width * fast if j > first else weight - width * float(now.kernel_share[j]) * fast
                                )
                            if weight > 1e-12:
                                left.add(k, low, width, weight, j)
                    self.left[stream, h] = left.close()

    # -- one history -------------------------------------------------------------------------------------------------

    def run(self, days, seed=1, replicate=0, limit=10**9):
        """Events (time, channel, parent, mechanism, key) of one replicate, and whether it exploded."""
        self.horizon = self.begin + days
        self.heap, self.events = [], []
        self.level = [-1] * len(self.initial)
        self.epoch = [0] * len(self.initial)
        self.policy_epoch = [0] * len(self.policies)
        self.calm = [[0.0, self.start] for _ in self.base.calm_decay]
        self.phase = 0
        key0 = child(root_key(seed), REPLICATE, replicate)
        stream_key = {s: key0 if s == 0 else child(key0, LAYER, s) for s in self.background}
        upcoming, number = {}, dict.fromkeys(self.background, 0)
        for s, row in self.background.items():
            if row.mean > 0:
                upcoming[s] = self.begin - logarithm(draw(child(stream_key[s], IMMIGRANT, 0), DELAY)) / row.mean
        for fact, level in enumerate(self.initial):
            self._change(fact, level, key0, -1, self.start)
        for address, row in self.strips:
            self._draw_strip(child(key0, STRIP, address), row)
        acts = self._addressed(self.acts)
        past = self._addressed(zip(self.past[1], self.past[2], strict=True)) if self.past else []
        n_past = 0

        while True:
            sources = [(self.horizon, 9, None)]
            if self.phase + 1 < len(self.phases):
                sources.append((self.phases[self.phase + 1][0], 0, None))
            if n_past < len(past):
                sources.append((past[n_past][0], 1, None))
            if acts:
                sources.append((acts[0][0], 2, None))
            if self.heap:
                sources.append((self.heap[0][0], 3, None))
            # The background of the baseline goes first at equal times, then the layers.
            sources += [(at, 4, s) for s, at in upcoming.items()]
            now, kind, s = min(sources, key=lambda item: item[:2])
            if now >= self.horizon:
                return self.events, False
            parent, mechanism, key, bears = -1, None, None, None
            if kind == 0:
                before = self.phases[self.phase][1]
                for d, calm in enumerate(self.calm):
                    self.calm[d] = [calm[0] * exponential(-float(before.calm_decay[d]) * (now - calm[1])), now]
                self.phase += 1
                key = child(key0, PHASE, self._bits(now))
                for fact, level in self.phases[self.phase][2]:
                    self._change(fact, level, key, -1, now)
                continue
            if kind == 1:
                _, c, address = past[n_past]
                key, parent, mechanism = child(child(key0, HISTORY, c), HISTORY, address), -2 - n_past, None
                bears = {stream: (self.left[stream, n_past], self.begin) for stream in self.rows}
                n_past += 1
            elif kind == 2:
                _, c, address = acts.pop(0)
                key, mechanism = child(child(key0, SCHEDULED, c), SCHEDULED, address), -2
            elif kind == 3:
                _, key, c, parent, mechanism, thing = heapq.heappop(self.heap)
                if mechanism == -1:
                    row, i = thing
                    worth = self._background(c, now)
                    if not self._accepts(key, worth, self.base.background_gate[c], c, row.low[i], row.width[i], now):
                        continue
                elif mechanism == -3:
                    epochs, i, epoch = thing
                    if (self.epoch if epochs == "fact" else self.policy_epoch)[i] != epoch:
                        continue
                else:
                    k, low, width = thing
                    if not self._accepts(
                        key, float(self._system.edge_mass[k]), self.base.edge_gate[k], c, low, width, now
                    ):
                        continue
            else:
                key = child(stream_key[s], IMMIGRANT, number[s])
                row = self.background[s]
                number[s] += 1
                upcoming[s] = now - logarithm(draw(child(stream_key[s], IMMIGRANT, number[s]), DELAY)) / row.mean
                i = pick(draw(key, CHOICE), row.table)
                c, mechanism = row.things[i], -1
                worth = self._background(c, now)
                if not self._accepts(key, worth, self.base.background_gate[c], c, row.low[i], row.width[i], now):
                    continue

            me = parent
            if now >= self.begin:
                me = len(self.events)
                self.events.append((now, int(c), parent, mechanism, key))
                if bears is None:
                    bears = {stream: (rows[c], now) for stream, rows in self.rows.items()}
            system = self._system
            changes = []
            for n, i in enumerate(range(self.base.effect_start[c], self.base.effect_start[c + 1])):
                chance = float(system.effect_probability[i])
                if chance >= 1.0 or draw(key, EFFECT_COIN + n) < chance:
                    changes.append((int(self.base.effect_fact[i]), int(self.base.effect_level[i])))
            for i in range(self.base.calm_add_start[c], self.base.calm_add_start[c + 1]):
                d = self.base.calm_add_index[i]
                x = self.calm[d][0] * exponential(-float(system.calm_decay[d]) * (now - self.calm[d][1]))
                self.calm[d] = [x + float(system.calm_add_amount[i]), now]
            for fact, level in changes:
                self._change(fact, level, key, me, now)
            if len(self.events) >= limit:
                return self.events, True
            for stream, (row, since) in (bears or {}).items():
                self._bear(row, key if stream == 0 else child(key, LAYER, stream), me, since)

    @property
    def _system(self):
        return self.phases[self.phase][1]

    def _accepts(self, key, worth, gate, c, low, width, now):
        system = self._system
        for row in (gate, self.base.channel_gate[c]):
            product = 1.0
            for i in range(self.base.row_start[row], self.base.row_start[row + 1]):
                product *= float(system.level_factor[self.base.entry_offset[i] + self.level[self.base.entry_fact[i]]])
            worth *= product
        lowered = range(self.base.calm_low_start[c], self.base.calm_low_start[c + 1])
        if lowered:
            total = 0.0
            for i in lowered:
                d = self.base.calm_low_index[i]
                x, since = self.calm[d]
                total += (
                    float(system.calm_low_strength[i]) * x * exponential(-float(system.calm_decay[d]) * (now - since))
                )
            worth *= exponential(-total)
        return worth >= low + width or low + width * draw(key, MARK) < worth

    def _background(self, c, now):
        worth = float(self._system.rate[c])
        return worth * self._shape(self.base.profile[c], now) if self.base.profile[c] >= 0 else worth

    def _draw_strip(self, key, row):
        """All candidates of a strip, block by block, whatever the state will be: what is refused does no harm."""
        days = 2.0 ** math.frexp(2.0 / row.mean)[1]
        block = 0
        while self.begin + block * days < self.horizon:
            n, at = 0, self.begin + block * days
            while True:
                k = child(child(key, STRIP, block), IMMIGRANT, n)
                at -= logarithm(draw(k, DELAY)) / row.mean
                if at >= min(self.begin + (block + 1) * days, self.horizon):
                    break
                i = pick(draw(k, CHOICE), row.table)
                heapq.heappush(self.heap, (at, k, row.things[i], -1, -1, (row, i)))
                n += 1
            block += 1

    def _shape(self, p, now):
        system = self._system
        i = system.profile_start[p]
        while i + 1 < system.profile_start[p + 1] and system.step_time[i + 1] <= now:
            i += 1
        value, swing = float(system.step_value[i]), float(system.profile_swing[p])
        if swing != 0.0:
            value *= 1.0 + swing * cosine_of_turns((now - float(system.profile_peak[p])) / 365.25)
        return value

    def _change(self, fact, level, key, me, now):
        old = self.level[fact]
        cell = self.base.level_start[fact] + level
        i = self.base.timer_start[cell]
        if old == level and not (i < self.base.timer_start[cell + 1] and self.base.timer_is_fixed[i]):
            return
        self.level[fact] = level
        self.epoch[fact] += 1
        system = self._system
        complete = bool(self.past and self.past[3])
        cell = self.base.level_start[fact] + level
        for i in range(self.base.timer_start[cell], self.base.timer_start[cell + 1]):
            k = child(key, TIMER, i)
            if self.base.timer_is_fixed[i]:
                at = now + float(system.timer_delay[i])
            else:
                since = max(now, self.begin) if complete else now
                at = since - logarithm(draw(k, DELAY)) * float(system.timer_delay[i])
            if at < self.horizon and not (complete and at < self.begin):
                thing = ("fact", fact, self.epoch[fact])
                heapq.heappush(self.heap, (at, k, int(self.base.timer_channel[i]), me, -3, thing))
        for q, (watched, levels, days, channel, start, end) in enumerate(self.policies):
            if watched != fact or (old >= 0 and (old in levels) == (level in levels)):
                continue
            self.policy_epoch[q] += 1
            if level not in levels:
                continue
            at = max(now + days, start, self.begin)
            if at < end and at < self.horizon:
                same = [p for p in self.policies[:q] if p[:4] == self.policies[q][:4]]
                content = (channel * 8191 + fact) * 131 + sum(1 << x for x in levels)
                address = (self._bits(days) + content * 0x9E3779B97F4A7C15 + (len(same) << 40)) & MASK
                k = child(child(key, TIMER, address), TIMER, 0)
                heapq.heappush(self.heap, (at, k, channel, me, -3, ("policy", q, self.policy_epoch[q])))

    def _bear(self, row, key, me, since):
        if not row.things:
            return
        system = self._system
        for n in range(poisson(key, row.mean)):
            k = child(key, OFFSPRING, n)
            i = pick(draw(k, CHOICE), row.table)
            edge = row.things[i]
            m = int(self.base.edge_mechanism[edge])
            j = row.component[i]
            if j is None:
                j = int(self.base.kernel_start[m])
                end = int(self.base.kernel_start[m + 1])
                if end - j > 1:
                    u, below = draw(k, COMPONENT), float(system.kernel_share[j])
                    while j + 1 < end and u >= below:
                        j += 1
                        below += float(system.kernel_share[j])
            first = int(self.base.kernel_start[m])
            at = since - logarithm(draw(k, DELAY)) * (1.0 / float(system.kernel_decay[j]))
            if float(system.kernel_share[first]) > 1.0 + 1e-6 and row.component[i] != first:  # two waits
                at = since + (
                    -logarithm(draw(k, COMPONENT)) * (1.0 / float(system.kernel_decay[first + 1]))
                    - logarithm(draw(k, DELAY)) * (1.0 / float(system.kernel_decay[first]))
                )
            if at < self.horizon:
                target = int(self.base.edge_target[edge])
                heapq.heappush(self.heap, (at, k, target, me, m, (edge, row.low[i], row.width[i])))

    @staticmethod
    def _bits(time):
        return struct.unpack("<Q", struct.pack("<d", time + 0.0))[0]

    def _addressed(self, acts):
        seen, out = {}, []
        for at, c in acts:
            nth = seen[at, c] = seen.get((at, c), -1) + 1
            address = (self._bits(at) + int(c) * 0x9E3779B97F4A7C15 + (nth << 40)) & MASK
            out.append((float(at), int(c), address))
        return out


def simulate(base, days, seed=1, replicate=0, limit=10**9, **world):
    """Events of one replicate of a world, and whether it was stopped at the limit."""
    return Twin(base, **world).run(days, seed, replicate, limit)
