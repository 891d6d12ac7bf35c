"""The same histories without state: family by family, then put into order of time.

In: the `Tables` of a world in which no candidate can be refused. Out: the events that `simulation.run` would give, bit
for bit, in half the time: where nothing is read from the state, a family can be followed to its end at once, without
a queue. Families come in order of their founders and live for days, so sorting stays within the cache.
Source: Hawkes & Oakes (1974), J. Appl. Prob. 11, 493-503: a self-exciting process is a Poisson cluster process.
"""

# mypy: disable-error-code="assignment, operator"

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import BACKGROUND
from powderkeg.engine.compiled import inner, loop
from powderkeg.engine.draws import (
    CHOICE,
    DELAY,
    FIRST,
    IMMIGRANT,
    OFFSPRING,
    REPLICATE,
    child,
    draw,
    poisson,
)
from powderkeg.engine.elementary import logarithm
from powderkeg.engine.simulation.alias import pick
from powderkeg.engine.simulation.tables import Tables
from powderkeg.engine.simulation.thinning import delay

# Why the loop returned; the first two as in `simulation`.
FINISHED, STOPPED, FULL, DEEP, OVER_LIMIT = 0, 1, 2, 3, 4


def is_stateless(t: Tables) -> bool:
    """True if every candidate is certain to happen, and no event changes a fact."""
    at = t.at
    if (
        at.n_effect
        or at.n_streams != 1
        or at.n_phases != 1
        or at.n_timers
        or at.n_policies
        or at.n_acts
        or at.n_past
        or at.n_strips
    ):
        return False
    n = int(t.ints[at.stream + 3])
    return bool(t.entry.reshape(-1, 8)[:, 5].all() and t.ints[at.background + 2 : at.background + 3 * n : 3].all())


@inner
def _is_before(i, j, time, key, parent):  # type: ignore[no-untyped-def]
    """Order of two events as the queue gives them: by time; founders first; by key."""
    if time[i] != time[j]:
        return time[i] < time[j]
    if (parent[i] < 0) != (parent[j] < 0):
        return parent[i] < 0
    return key[i] < key[j]


@loop
def run_clusters(  # type: ignore[no-untyped-def]
    at, ints, floats, entry, keep, root, first, done, n_replicates, begin, horizon, limit, result,
    stack_time, stack_key, stack, family_time, family_key, family_parent, family, order, place, head,
    out_time, out_channel, out_parent, out_mechanism, out_key, control,
):  # fmt: skip
    """Replicates `first + done` to `first + n_replicates - 1`. Returns how many are done now, and why no more.

    stack_* hold who is still to be followed, family_* the events family by family (`family`: channel, mechanism),
    `order` the events in order of time, `place` the place of each in it, `head` how many come before each bucket.
    """
    # Nothing is allocated and no array replaced below: see `queue` for why.
    rate = floats[at.background_rate]
    kernel = at.kernel
    n_buckets = len(head) - 1
    per_day = n_buckets / (horizon - begin)
    n_out = np.int64(0)

    for r in range(done, n_replicates):
        if control[0] != 0.0:
            return r, STOPPED
        key0 = child(root, REPLICATE, first + r)
        n = np.int64(0)
        i = np.int64(0)
        time = np.inf
        if rate > 0.0:
            time = begin - logarithm(draw(child(key0, IMMIGRANT, FIRST), DELAY)) / rate
        for b in range(n_buckets + 1):
            head[b] = 0
        while time < horizon:
            key = child(key0, IMMIGRANT, i)
            b, share = pick(draw(key, CHOICE), FIRST, ints[at.stream + 3])
            if share >= floats[at.background_f + 3 * b]:
                b = ints[at.background + 3 * b + 1]
            c = ints[at.background + 3 * b]
            parent = np.int64(-1)
            mechanism = np.int64(BACKGROUND)
            n_stack = np.int64(0)
            t = time
            # Follow the family: this one, its children, theirs.
            while True:
                if n + 1 >= limit:
                    return r, OVER_LIMIT
                if n == len(family_time):
                    return r, DEEP
                family_time[n] = t
                family_key[n] = key
                family_parent[n] = parent
                family[2 * n] = c
                family[2 * n + 1] = mechanism
                head[min(np.int64((t - begin) * per_day), n_buckets - 1) + 1] += 1
                e0 = ints[at.branch_start + c]
                n_entries = ints[at.branch_start + c + 1] - e0
                if n_entries > 0:
                    j = at.branch + 3 * c
                    if floats[j] * floats[j + 1] > control[3]:
                        return r, OVER_LIMIT
                    n_born = poisson(key, floats[j], np.int64(floats[j + 1]), floats[j + 2])
                    if n_stack + n_born > control[3]:
                        return r, OVER_LIMIT
                    if n_stack + n_born > len(stack_time):
                        return r, DEEP
                    for k in range(n_born):
                        key2 = child(key, OFFSPRING, k)
                        e, share = pick(draw(key2, CHOICE), e0, n_entries)
                        if share >= keep[8 * e + 7]:
                            e = entry[8 * e + 4]
                        m = entry[8 * e + 2]
                        when = t + delay(key2, m, -1, at, ints, floats, kernel)
                        if when < horizon:
                            stack_time[n_stack] = when
                            stack_key[n_stack] = key2
                            stack[3 * n_stack] = entry[8 * e + 1]
                            stack[3 * n_stack + 1] = n
                            stack[3 * n_stack + 2] = m
                            n_stack += 1
                n += 1
                if n_stack == 0:
                    break
                n_stack -= 1
                t = stack_time[n_stack]
                key = stack_key[n_stack]
                c = np.int64(stack[3 * n_stack])
                parent = np.int64(stack[3 * n_stack + 1])
                mechanism = np.int64(stack[3 * n_stack + 2])
            i += 1
            time = time - logarithm(draw(child(key0, IMMIGRANT, i), DELAY)) / rate
            if i & 255 == 0:
                control[1] = r + (time - begin) / (horizon - begin)
                if control[0] != 0.0:
                    return r, STOPPED
        if n_out + n > len(out_time):
            return r, FULL

        # Into order of time: a place for each bucket, then neighbours that stand the wrong way round change places.
        for b in range(1, n_buckets):
            head[b] += head[b - 1]
        for k in range(n):
            b = min(np.int64((family_time[k] - begin) * per_day), n_buckets - 1)
            order[head[b]] = k
            head[b] += 1
        for x in range(n):
            k = order[x]
            y = x
            while y > 0 and _is_before(k, order[y - 1], family_time, family_key, family_parent):
                order[y] = order[y - 1]
                y -= 1
            order[y] = k
        for x in range(n):
            k = order[x]
            place[k] = x
            parent = family_parent[k]
            out_time[n_out + x] = family_time[k]
            out_channel[n_out + x] = family[2 * k]
            out_parent[n_out + x] = place[parent] if parent >= 0 else -1
            out_mechanism[n_out + x] = family[2 * k + 1]
            out_key[n_out + x] = family_key[k]
        n_out += n
        result[r, 0] = n
        result[r, 1] = 0.0
        result[r, 2] = horizon
        control[1] = r + 1
        control[2] += n
    return n_replicates, FINISHED
