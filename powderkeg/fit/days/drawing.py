"""Draw days for the events whose day is not known, given all the rest and a set of parameters.

In: a `Problem`, a parameter vector, `Possible` days. Out: days, and the log likelihood of completed data.
The assumption behind it: how exactly the source tells a day does not depend on which of the days it covers was the
right one. A source that gives the week (any calendar's) or a window placed at random does not lean to one side.
"""

from __future__ import annotations

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.draws import child, root_key
from powderkeg.engine.likelihood.latent_days import LATENT_TAG, draw_days, ground_exposure, make_chain
from powderkeg.fit.days.possible import Possible
from powderkeg.fit.likelihood.problem import Problem


class Drawer:
    """Days under one set of parameters.

    seed       another number, other draws
    by_itself  events expected in the window without an act before them
    """

    def __init__(self, problem: Problem, vector: Floats, possible: Possible, seed: int) -> None:
        self.possible = possible
        slope = problem.terms.slopes(vector[problem.n_linear : problem.n_smooth])
        coefficient = slope * vector[problem.terms.linear]
        self.before = possible.before
        present = possible.present
        self.chain = make_chain(
            problem.design, problem.decay(vector), coefficient, present, self.before, round(possible.days)
        )
        self.channel = np.searchsorted(present, possible.channel).astype(np.int64)
        ground = problem.terms.linear < problem.n_rates
        exposure = ground_exposure(problem.design, round(possible.days))
        self.by_itself = float((exposure * coefficient)[ground].sum())
        self.key = root_key(seed)
        self.turn = 0

    def move(self, day: Ints, sweeps: int, power: float = 1.0) -> Floats:
        """Move `day` (in place) `sweeps` times over; (sweeps + 1,) log likelihood less what is expected by itself."""
        self.turn += 1
        inside = day + self.before
        values, _ = draw_days(
            self.chain, self.channel, self.possible.first + self.before, self.possible.last + self.before, inside,
            np.uint64(child(self.key, LATENT_TAG, self.turn)), sweeps, power,
        )  # fmt: skip
        day[:] = inside - self.before
        return np.asarray(values)

    def value(self, day: Ints) -> float:
        """Log likelihood of completed data, less what is expected by itself (the same for all days)."""
        return float(self.move(day.copy(), 0)[0])

    def draws(self, day: Ints, number: int, apart: int) -> list[Ints]:
        """`number` sets of days, `apart` sweeps between one and the next; `day` is left at the last."""
        found = []
        for _ in range(number):
            self.move(day, apart)
            found.append(day.copy())
        return found
