"""When in its day did an act come? Hours drawn given the model.

In: acts stamped with a day, the links of a `System` with their gates taken in. Out: a time for every act.

An act is moved within its day (Metropolis: any hour as likely as the next) and the move judged by the likelihood of
exact times: what the moved act is worth where it lands, and what acts around it are worth with it there. Days of which
the short delays are long over need no care: only the last days are drawn so, earlier ones evenly.
"""

from __future__ import annotations

import math

from powderkeg.engine.compiled import inner, loop


@inner
def _added(  # type: ignore[no-untyped-def]
    source, target, lag, edge_start, edge_target, edge_mechanism, mass, kernel_start, share, decay
):
    """Intensity of `target` that an act of `source` adds after `lag` days."""
    total = 0.0
    if lag > 0.0:
        for e in range(edge_start[source], edge_start[source + 1]):
            if edge_target[e] == target:
                m = edge_mechanism[e]
                for j in range(kernel_start[m], kernel_start[m + 1]):
                    total += mass[e] * share[j] * decay[j] * math.exp(-decay[j] * lag)
    return total


@loop
def draw_hours(  # type: ignore[no-untyped-def]
    time, channel, first, end, ground, edge_start, edge_target, edge_mechanism, mass, kernel_start, share, decay, reach,
    uniform, worth,
):  # fmt: skip
    """Move time[first:] within their days, sweep by sweep; `time` is changed in place and need not be sorted after.

    ground   (N,) what is added to each act's intensity by all that does not move: background, and acts long before
    mass     (E,) mean answers with the gates at their present levels
    reach    days over which one act is worth anything to another
    uniform  (sweeps, N - first, 2) uniforms
    worth    (N,) room: intensity at each act
    """
    n = len(time)
    for i in range(first, n):
        worth[i] = ground[i]
        for j in range(n):
            if 0.0 < time[i] - time[j] <= reach:
                worth[i] += _added(channel[j], channel[i], time[i] - time[j], edge_start, edge_target, edge_mechanism,
                                   mass, kernel_start, share, decay)  # fmt: skip
    for sweep in range(uniform.shape[0]):
        for i in range(first, n):
            day = math.floor(time[i])
            new = day + uniform[sweep, i - first, 0]
            own = ground[i]
            odds = 0.0
            # Answers that come before the end of what was observed: none of them is unseen.
            for e in range(edge_start[channel[i]], edge_start[channel[i] + 1]):
                m = edge_mechanism[e]
                for j in range(kernel_start[m], kernel_start[m + 1]):
                    odds += mass[e] * share[j] * (
                        math.exp(-decay[j] * (end - new)) - math.exp(-decay[j] * (end - time[i]))
                    )  # fmt: skip
            for j in range(n):
                if j == i or abs(time[j] - day - 0.5) > reach + 0.5:
                    continue
                if 0.0 < new - time[j] <= reach:
                    own += _added(channel[j], channel[i], new - time[j], edge_start, edge_target, edge_mechanism, mass,
                                  kernel_start, share, decay)  # fmt: skip
                if j >= first:
                    before = _added(channel[i], channel[j], time[j] - time[i], edge_start, edge_target, edge_mechanism,
                                    mass, kernel_start, share, decay)  # fmt: skip
                    after = _added(channel[i], channel[j], time[j] - new, edge_start, edge_target, edge_mechanism, mass,
                                   kernel_start, share, decay)  # fmt: skip
                    if before != after:
                        odds += math.log(max(worth[j] - before + after, 1e-300) / max(worth[j], 1e-300))
            odds += math.log(max(own, 1e-300) / max(worth[i], 1e-300))
            if odds >= 0.0 or uniform[sweep, i - first, 1] < math.exp(odds):
                for j in range(first, n):
                    if j != i and abs(time[j] - day - 0.5) <= reach + 0.5:
                        before = _added(channel[i], channel[j], time[j] - time[i], edge_start, edge_target,
                                        edge_mechanism, mass, kernel_start, share, decay)  # fmt: skip
                        after = _added(channel[i], channel[j], time[j] - new, edge_start, edge_target, edge_mechanism,
                                       mass, kernel_start, share, decay)  # fmt: skip
                        worth[j] += after - before
                time[i] = new
                worth[i] = own
