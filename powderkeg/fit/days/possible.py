"""On which days may each event have happened, and what does a record look like once each has one?

In: `Data` with the first and last possible day of every event. Out: completed `Data`, sorted, and the way back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from powderkeg.engine.arrays import Ints
from powderkeg.fit.likelihood.objective import Data


@dataclass(frozen=True)
class Possible:
    """N events in the order of the data they came from.

    channel      (N,)
    first, last  (N,) days of the window on which each may have happened; before 0 is history
    days         length of the window
    """

    channel: Ints
    first: Ints
    last: Ints
    days: float

    @staticmethod
    def of(data: Data) -> Possible:
        """Those of data that know them; events of others happened on their day."""
        day = data.time.astype(np.int64)
        first = day if data.first is None else data.first
        last = day if data.last is None else data.last
        return Possible(data.channel, first, last, data.days)

    @cached_property
    def unsure(self) -> NDArray[np.bool_]:
        return np.asarray(self.last > self.first)

    @property
    def before(self) -> int:
        """Days of history."""
        return int(max(0, -int(self.first.min(initial=0))))

    @cached_property
    def present(self) -> Ints:
        """Channels that have events, sorted."""
        return np.unique(self.channel)

    def uniform(self, generator: np.random.Generator) -> Ints:
        """A day for every event, any of its own as likely as the next."""
        return np.asarray(generator.integers(self.first, self.last + 1), np.int64)

    def completed(self, day: Ints) -> tuple[Data, Ints]:
        """(the data if events happened on these days, which event stands where in them)."""
        order = np.argsort(day, kind="stable")
        return Data(day[order].astype(np.float64), self.channel[order], self.days, True), order

    @cached_property
    def names(self) -> float:
        """-log of the ways to name events of a channel that have the same possible days: n! for each such set.

        With known days these are the n! of the day counts.
        """
        inside = self.last >= 0
        alike = Counter(
            zip(self.channel[inside].tolist(), self.first[inside].tolist(), self.last[inside].tolist(), strict=True)
        )
        return -float(special.gammaln(np.array(list(alike.values())) + 1.0).sum())
