"""How many acts a day does each channel begin by itself in one draw? Levels, weekdays and luck, multiplied out.

In: what `Paths` of `forecast.ahead` holds. Out: rates by day ahead and channel, and the highest of all draws. As whole
arrays they would be made three times over for every draw.
"""

from __future__ import annotations

from powderkeg.engine.compiled import loop


@loop
def levelled_rates(mean, factor, unit, group, share, times, pair, n_acts, rate):  # type: ignore[no-untyped-def]
    """Fill rate[:, :n_acts] with level times share times what the pair of actors has that day; 0 without a group.

    mean   (H, G) levels of all draws; factor (weeks, U) of each dyad's in this draw; unit (G,) dyad of each
    group, share, pair  (C,);  times (H, P) weekday and luck of each pair;  rate (H, C)
    """
    for h in range(len(mean)):
        week = h // 7
        for c in range(n_acts):
            g = group[c]
            rate[h, c] = mean[h, g] * factor[week, unit[g]] * share[c] * times[h, pair[c]] if g >= 0 else 0.0


@loop
def raise_to(most, rate):  # type: ignore[no-untyped-def]
    """Raise most (H, C) to rate where that is higher; the sum of all rates."""
    total = 0.0
    for h in range(len(most)):
        for c in range(most.shape[1]):
            total += rate[h, c]
            most[h, c] = max(most[h, c], rate[h, c])
    return total
