"""Events of several types as the likelihoods take them: sorted times, the type of each, what was watched.

In: nothing of its own; `reading` fills it. Out: `TypeStreams`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from powderkeg.engine.arrays import Floats, Ints


@dataclass(frozen=True)
class TypeStreams:
    """Events of C types.

    time      (N,) sorted, in the user's unit from the start of the window; in whole stamps where `by_day`
    kind      (N,) type of each event
    names     (C,)
    days      length of the window, in the unit of `time`
    by_day    whether stamps are bins of width `stamp` (in the user's unit; 1 otherwise) whose inner order is unknown
    start     first day of the window, where times are dates
    said      what was decided for the user, in sentences
    windows   (begin, end) of each of several histories, one after another on one clock, so far apart that nothing of
              one is left in the next; empty for one history
    """

    time: Floats
    kind: Ints
    names: tuple[str, ...]
    days: float
    by_day: bool
    stamp: float
    start: date
    said: tuple[str, ...]
    windows: tuple[tuple[float, float], ...] = ()

    @property
    def watched(self) -> float:
        """Time watched, in all histories."""
        return sum(end - begin for begin, end in self.windows) if self.windows else self.days

    @property
    def longest(self) -> float:
        """The longest history."""
        return max((end - begin for begin, end in self.windows), default=self.days)

    def left(self, late: int = 0) -> Floats:
        """Time from every event, or those from `late` on, to the end of its history."""
        if not self.windows:
            return self.days - self.time[late:]
        begins, ends = np.array(self.windows).T
        left: Floats = ends[np.searchsorted(begins, self.time[late:], side="right") - 1] - self.time[late:]
        return left

    def histories(self) -> list[TypeStreams]:
        """Each history by itself, from 0."""
        result = []
        for begin, end in self.windows or ((0.0, self.days),):
            mine = (self.time >= begin) & (self.time <= end)
            result.append(
                replace(self, time=self.time[mine] - begin, kind=self.kind[mine], days=end - begin, windows=())
            )
        return result

    @property
    def n_types(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> Ints:
        return np.bincount(self.kind, minlength=self.n_types).astype(np.int64)

    def head(self, most: int) -> TypeStreams:
        """The first events, and the window up to the last of them; whole stamps where stamps are bins."""
        most = max(most, 2)
        if len(self.time) <= most or self.time[most - 1] <= 0:
            return self
        end = float(self.time[most - 1])
        n = int(np.searchsorted(self.time, end, side="right")) if self.by_day else most
        windows = tuple((first, min(last, end)) for first, last in self.windows if first < end)
        days = end + 1.0 if self.by_day else end
        return replace(self, time=self.time[:n], kind=self.kind[:n], days=days, said=(), windows=windows)
