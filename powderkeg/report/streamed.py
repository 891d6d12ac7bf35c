"""How are a million runs counted that never stand in memory together?

In: a model, how many runs, a folder. Out: what `Results` are made of, the same as of runs that fit into memory; in the
folder the events and the standoffs of all runs, as data sets of Parquet files. Each span of runs is simulated, written,
and folded into what the numbers need of it: the outcomes of each run, the standoffs' few columns, sums over acts.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation.tables import tables
from powderkeg.engine.worlds import world
from powderkeg.errors import PowderkegWarning, warn
from powderkeg.events import EventTable, write_events
from powderkeg.report.folds import Counted, Fold, counted, fold, simulated_again, standoffs_of
from powderkeg.scenario import digest
from powderkeg.simulate import EVENT_LIMIT, simulate, stopped_words
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.kept_pieces import plain_pieces
from powderkeg.simulate.memory import Budget, budget
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.plans import JobPlan
from powderkeg.simulate.sizes import candidates_of
from powderkeg.units import YEAR
from powderkeg.writing.files import replacing

if TYPE_CHECKING:
    from powderkeg.model import Model

WORK = 2_000_000
"""Candidates to expect in a span: about a second of work, some 20 MB of events."""
LEAST_SPANS, LEAST_RUNS = 256, 64
"""Spans of a job at least, so that it can be shared out to a hundred parts; but never of fewer runs."""
EVENTS, STANDOFFS = "events", "standoffs"
"""Folders of the data sets."""
PIECES = plain_pieces("run", "out")


def streamed(
    model: Model,
    plan: JobPlan,
    *,
    years: float | None = None,
    replicates: int = 10_000,
    seed: int = 1,
    workers: int | None = None,
    limit: int | None = None,
    memory: int | str | Budget | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] | None = None,
) -> Counted:
    """Runs counted span by span; events and standoffs go to the folder above that of the plan.

    memory   for the events of one span

    Same scenario, seed and version: same bytes, however many workers, parts or machines. An executor's workers must see
    the folder. Raises what `simulate` raises; PartDone at the end of a share.
    """
    assert model.scenario is not None
    days = (float(model.scenario.years) if years is None else years) * YEAR
    span = _span(model, days, replicates, seed, EVENT_LIMIT if limit is None else limit)
    task = SpanTask(model, plan.path.parent, days, replicates, seed, limit, span, workers, memory)
    identity = {
        "scenario": digest(model.scenario), "seed": seed, "days": days, "replicates": replicates, "limit": limit,
        "span": span, "kept": "streamed",
    }  # fmt: skip
    kind = replace(PIECES, unseal=lambda content, sealed: task.checked(PIECES.unseal(content, sealed)))
    n, folds = -(-replicates // span), []
    with JobFolder(plan, identity, kind) as kept:
        for k, one in enumerate(made_in_order(task, n, kept=kept, executor=executor)):
            if plan.part is None:
                folds.append(one)
            if progress is not None:
                progress((k + 1) / max(len(range(n) if plan.gathers else plan.share(n)), 1))
    exploded = sum(int(one["exploded"]) for one in folds)
    if exploded:
        told = stopped_words(exploded, replicates, EVENT_LIMIT if limit is None else limit)
        warn(told)
    return counted(
        model, folds, seed, days, lambda number: simulated_again(model, number, replicates, days, seed, limit)
    )


@dataclass(frozen=True)
class SpanTask:
    """Makes spans of runs in any process that sees the folder: writes them, and hands back what was counted."""

    model: Model
    folder: Path
    days: float
    replicates: int
    seed: int
    limit: int | None
    span: int
    workers: int | None
    memory: int | str | Budget | None

    def __call__(self, number: int) -> Fold:
        first = number * self.span
        end = min(first + self.span, self.replicates)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PowderkegWarning)  # runs that hit the limit are counted
            runs = simulate(
                self.model, days=self.days, replicates=self.replicates, seed=self.seed, workers=self.workers,
                limit=self.limit, memory=budget(self.memory), span=(first, end),
            )  # fmt: skip
        standoffs = standoffs_of(runs, first)
        table = runs.table()
        frame = table.frame.with_columns(pl.col("replicate") + first)
        whole = EventTable(frame, table.start, table.days, account=table.account)
        return fold(self.model, runs, standoffs) | {
            "files": {
                EVENTS: self._written(EVENTS, number, lambda place: write_events(whole, place)),
                STANDOFFS: self._written(STANDOFFS, number, standoffs.write_parquet),
            }
        }

    def _place(self, kind: str, number: int) -> Path:
        return self.folder / kind / f"runs-{number:07d}.parquet"

    def _written(self, kind: str, number: int, fill: Callable[[Path], object]) -> list[Any]:
        """The file of a span, whole or not at all; its name, size and digest."""
        place = self._place(kind, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as passing:
            fill(passing)
        return [place.name, *_size_and_digest(place)]

    def checked(self, kept: Fold | None) -> Fold | None:
        """What was kept of a span, None if a file of it is gone or changed."""
        for kind, (name, size, sha) in {} if kept is None else kept["files"].items():
            place = self.folder / kind / name
            if not place.is_file() or place.stat().st_size != size or _size_and_digest(place)[1] != sha:
                return None
        return kept


def _size_and_digest(place: Path) -> tuple[int, str]:
    with place.open("rb") as stream:
        return os.fstat(stream.fileno()).st_size, hashlib.file_digest(stream, "sha256").hexdigest()


def _span(model: Model, days: float, replicates: int, seed: int, limit: int) -> int:
    """Runs of a span: by what is to be expected of one, and the same wherever the job is made."""
    each = candidates_of(tables(world(model.system)), root_key(seed), 0.0, days, replicates, limit)
    return int(max(min(WORK / each, replicates / LEAST_SPANS), LEAST_RUNS))
