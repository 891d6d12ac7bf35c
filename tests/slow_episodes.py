"""The rule of docs/episodes.md in plain Python, each score added up anew from all acts: slow, and easy to believe.

Also the tree walks behind entanglement, one event at a time from the root down.
"""

from __future__ import annotations

from itertools import groupby
from math import exp, log
from typing import NamedTuple


class Act(NamedTuple):
    time: float
    heat: float = 0.0
    opens: bool = False
    resolves: bool = False
    suspends: bool = False


class Standoff(NamedTuple):
    start: float
    last: float
    end: float
    peak: float
    state: str
    opened: float = 0.0


class Rule(NamedTuple):
    memory: float = 7.0
    opens_at: float = 6.0
    closes_at: float = 2.0
    chained_within: float = 3.0


def slow_episodes(acts: list[Act], horizon: float, rule: Rule = Rule()) -> list[Standoff]:  # noqa: B008
    stamps = []
    for time, group in groupby(sorted(acts), key=lambda act: act.time):
        batch = list(group)
        together = Act(time, sum(a.heat for a in batch), *(any(a[k] for a in batch) for k in (2, 3, 4)))
        if together != Act(time):
            stamps.append(together)

    def score(since: int, upto: int, at: float) -> float:
        """Score at a time, of the stamps since..upto, both included."""
        return sum(a.heat * exp((a.time - at) / rule.memory) for a in stamps[since : upto + 1])

    found: list[Standoff] = []
    base = 0  # the score starts here
    free = 0  # stamps from here on belong to no standoff yet
    k = 0
    while k < len(stamps):
        if score(base, k, stamps[k].time) < rule.opens_at:
            k += 1
            continue
        rise = k
        while rise > free and score(base, rise - 1, stamps[rise].time) >= rule.closes_at:
            rise -= 1
        start = rise
        for j in range(free, rise):
            if stamps[j].opens and stamps[j].time >= stamps[rise].time - rule.memory:
                start = j
                break
        if found and found[-1].state == "spent" and stamps[start].time - found[-1].last <= rule.chained_within:
            found[-1] = found[-1]._replace(state="chained")
        peak_from = opened = k
        after_cut = False
        while True:  # one standoff, then perhaps the next that cuts it
            cut = _first_cut(stamps, start, k, base, after_cut, score, rule)
            over = next(
                (j for j in range(k + 1, len(stamps)) if score(base, j - 1, stamps[j].time) < rule.closes_at),
                len(stamps),
            )
            if cut is not None and cut[1] < over:
                at, confirmed = cut
                found.append(_settle(stamps, start, at - 1, stamps[at].time, base, peak_from, after_cut, score, rule))
                found[-1] = found[-1]._replace(opened=stamps[opened].time)
                if found[-1].state == "spent":
                    found[-1] = found[-1]._replace(state="chained")
                base = start = peak_from = at
                k = opened = confirmed
                after_cut = True
                continue
            final = stamps[over - 1].time
            end = final + rule.memory * log(score(base, over - 1, final) / rule.closes_at)
            episode = _settle(stamps, start, over - 1, end, base, peak_from, after_cut, score, rule)
            if over == len(stamps) and end >= horizon:
                last = max(a.time for a in stamps[start:over] if a.heat > 0)
                episode = episode._replace(state="open", end=horizon, last=last)
            found.append(episode._replace(opened=stamps[opened].time))
            free = k = over
            break
    return found


def _first_cut(stamps, start, opened, base, after_cut, score, rule):
    """The first act that begins another standoff within this one, and the stamp at which that is certain."""
    candidate = None
    for j in range(opened + 1, len(stamps)):
        if score(base, j - 1, stamps[j].time) < rule.closes_at:
            return None
        now = stamps[j].time
        if candidate is not None:
            fading = score(candidate, j - 1, now)
            if fading < rule.closes_at and now > stamps[candidate].time + rule.memory:
                candidate = None
        closed = any((a.resolves or a.suspends) and stamps[start].time < a.time < now for a in stamps)
        if candidate is None and stamps[j].opens and (closed or now - stamps[start].time >= rule.chained_within):
            candidate = j
        if candidate is not None and score(candidate, j, now) >= rule.opens_at:
            return candidate, j
    return None


def _settle(stamps, start, final, end, base, peak_from, after_cut, score, rule):
    """The standoff made of stamps start..final; after a cut, a closing act with the stamp of the cut is not its own."""
    counted = [j for j in range(start, final + 1) if stamps[j].heat > 0]
    last = stamps[counted[-1]].time
    begin = stamps[start].time
    peak = max(score(base, j, stamps[j].time) for j in counted if j >= peak_from)
    for state, kind in (("resolved", 3), ("suspended", 4)):
        closing = [
            a.time
            for a in stamps
            if a[kind] and max(begin, last - rule.memory) <= a.time <= end and not (after_cut and a.time <= begin)
        ]
        if closing:
            afterwards = [time for time in closing if time >= last]
            return Standoff(begin, afterwards[0] if afterwards else last, end, peak, state)
    return Standoff(begin, last, end, peak, "spent")
