"""How are runs counted and their acts written while they are made, so that acts never stand in memory together?

In: a model, how many runs, a file for the events. Out: what `Results` are made of, the standoffs part by part, and the
file. Ctrl-C leaves the parts that were finished: numbers, standoffs and file are about the same runs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.events import FrameWriter
from powderkeg.report.folds import Counted, Fold, counted, fold, packed, simulated_again, standoffs_of, unpacked
from powderkeg.simulate import JobPlan, Runs, simulate_parts
from powderkeg.simulate.memory import Budget, give_back

if TYPE_CHECKING:
    from powderkeg.model import Model


class CountedParts:
    """Runs of which only what was counted is left.

    replicates  that were finished;  is_stopped  by Ctrl-C, before all were
    error       why the events could not be written
    """

    def __init__(self, model: Model, events: Path | None) -> None:
        self.model = model
        self._standoffs: list[NDArray[np.uint8]] = []
        self.is_stopped = False
        self._folds: list[Fold] = []
        self._last: Runs | None = None
        self._writer = None if events is None else FrameWriter(events, self._about)

    @property
    def replicates(self) -> int:
        return sum(len(one["events"]) for one in self._folds)

    @property
    def error(self) -> BaseException | None:
        return None if self._writer is None else self._writer.error

    def count(
        self,
        *,
        years: float | None,
        replicates: int,
        seed: int,
        workers: int | None,
        limit: int | None,
        memory: Budget,
        plan: JobPlan | None = None,
        executor: Executor | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Simulate them; arguments as for `simulate_parts`. Raises KeyboardInterrupt if the plan keeps what is done."""
        parts = simulate_parts(
            self.model, years=years, replicates=replicates, seed=seed, workers=workers, limit=limit, memory=memory,
            plan=plan, executor=executor, progress=progress,
        )  # fmt: skip
        with ExitStack() as stack:
            if self._writer is not None:
                stack.enter_context(self._writer)
            stack.enter_context(closing(parts))
            try:
                for part in parts:
                    self._take(part)
            except KeyboardInterrupt:
                if plan is not None:
                    raise
                self.is_stopped = True
        if self._writer is not None:  # Ctrl-C may have come between counting a part and handing it on
            del self._folds[self._writer.taken :]
        del self._standoffs[len(self._folds) :]
        give_back()

    def counted(self, seed: int, limit: int | None) -> Counted:
        """What they say together; asked once, as what was kept for it is let go."""
        last, replicates = self._last, self.replicates
        assert last is not None, "at least one run"
        begin, days = last.origin, float(last.days)

        def example(number: int) -> Runs:
            if begin <= number < begin + last.replicates:
                return last.part(number - begin, number - begin + 1)
            return simulated_again(self.model, number, replicates, days, seed, limit)

        return counted(self.model, self._folds, seed, days, example)

    def standoffs(self) -> pl.DataFrame:
        """All of them; asked once, as what was kept for it is let go."""
        kept, self._standoffs = self._standoffs, []
        # Column by column: unpacked and put together at once they would stand in memory twice.
        return pl.DataFrame(
            [
                pl.concat([unpacked(part, [name]).to_series() for part in kept], rechunk=True)
                for name in unpacked(kept[0]).columns
            ]
        )

    def _take(self, part: Runs) -> None:
        if part.origin != self.replicates:
            return  # Ctrl-C came while parts were handed on: what follows a gap is not about the first runs
        standoffs = standoffs_of(part, part.origin)
        self._standoffs.append(packed(standoffs))
        self._last = part
        self._folds.append(fold(self.model, part, standoffs))
        if self._writer is not None:
            (frame,) = part.frames(begin=part.origin)
            self._writer.add(frame)

    def _about(self) -> dict[str, Any]:
        assert self._writer is not None
        assert self._last is not None
        done = sum(len(one["events"]) for one in self._folds[: self._writer.taken])
        return self._last.about() | {"account": {"replicates": done}}
