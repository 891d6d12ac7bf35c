"""How are a million runs counted that never stand in memory together?

In: a model, how many runs, a folder. Out: what `Results` are made of, the same as of runs that fit into memory; in the
folder the events and the standoffs of all runs, as data sets of Parquet files. Each span of runs is simulated, written,
and folded into what the numbers need of it: the outcomes of each run, the standoffs' few columns, sums over acts.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg import analyze
from powderkeg.analyze.entanglement import entanglement_of, entanglement_sums
from powderkeg.analyze.outcomes import PerRun, outcomes_of, per_run
from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation.tables import tables
from powderkeg.engine.worlds import world
from powderkeg.errors import PowderkegWarning
from powderkeg.events import EventTable, write_events
from powderkeg.report.results import Counted, acts_of, median_history
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
COUNTED = ("replicate", "start", "opener", "end_state", "hurt", "deaths", "calendar_days")
"""Columns of standoffs that statistics are made of."""
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
        for k, fold in enumerate(made_in_order(task, n, kept=kept, executor=executor)):
            if plan.part is None:
                folds.append(fold)
            if progress is not None:
                progress((k + 1) / max(len(range(n) if plan.gathers else plan.share(n)), 1))
    exploded = sum(int(fold["exploded"]) for fold in folds)
    if exploded:
        told = stopped_words(exploded, replicates, EVENT_LIMIT if limit is None else limit)
        warnings.warn(told, PowderkegWarning, stacklevel=2)
    return _counted(model, task, folds, exploded)


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

    def __call__(self, number: int) -> dict[str, Any]:
        first = number * self.span
        end = min(first + self.span, self.replicates)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PowderkegWarning)  # runs that hit the limit are counted
            runs = simulate(
                self.model, days=self.days, replicates=self.replicates, seed=self.seed, workers=self.workers,
                limit=self.limit, memory=budget(self.memory), span=(first, end),
            )  # fmt: skip
        standoffs = analyze.episodes(runs)
        table = runs.table()
        frame = table.frame.with_columns(pl.col("replicate") + first)
        listed = standoffs.with_columns(pl.col("replicate") + first)
        whole = EventTable(frame, table.start, table.days, account=table.account)
        sums, actors = entanglement_sums(runs)
        return {
            "events": np.diff(runs.offsets).astype(np.int32),
            "acts": len(frame),
            "exploded": int(runs.exploded.sum()),
            "answers": [_narrow_answer(*one) for one in per_run(self.model, runs)],
            "standoffs": _packed(listed.select(COUNTED)),
            "sums": _packed(sums),
            "actors": _packed(actors),
            "files": {
                EVENTS: self._written(EVENTS, number, lambda place: write_events(whole, place)),
                STANDOFFS: self._written(STANDOFFS, number, listed.write_parquet),
            },
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

    def checked(self, fold: dict[str, Any] | None) -> dict[str, Any] | None:
        """What was kept of a span, None if a file of it is gone or changed."""
        for kind, (name, size, sha) in {} if fold is None else fold["files"].items():
            place = self.folder / kind / name
            if not place.is_file() or place.stat().st_size != size or _size_and_digest(place)[1] != sha:
                return None
        return fold


def _size_and_digest(place: Path) -> tuple[int, str]:
    with place.open("rb") as stream:
        return os.fstat(stream.fileno()).st_size, hashlib.file_digest(stream, "sha256").hexdigest()


def _span(model: Model, days: float, replicates: int, seed: int, limit: int) -> int:
    """Runs of a span: by what is to be expected of one, and the same wherever the job is made."""
    each = candidates_of(tables(world(model.system)), root_key(seed), 0.0, days, replicates, limit)
    return int(max(min(WORK / each, replicates / LEAST_SPANS), LEAST_RUNS))


def _packed(frame: pl.DataFrame) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return np.frombuffer(stream.getvalue(), np.uint8)


def _unpacked(content: NDArray[np.uint8]) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(content.tobytes()))


def _narrow_answer(kind: str, values: NDArray[np.float64], cut_off: NDArray[np.bool_]) -> list[Any]:
    """What a run answers, in as few bytes as hold it: yes or no in one, and nothing of ends where none is cut off."""
    narrow = values.astype(np.bool_) if kind == "any" else values
    return [kind, narrow, cut_off if cut_off.any() else None]


def _whole_answer(k: int, folds: list[dict[str, Any]]) -> PerRun:
    """Answers to the k-th question of all spans, as `per_run` gives them; the spans' own are let go."""
    spans = [fold["answers"][k] for fold in folds]
    for fold in folds:
        fold["answers"][k] = None
    values = np.concatenate([one for _, one, _ in spans]).astype(np.float64, copy=False)
    ends = [np.zeros(len(one), np.bool_) if cut_off is None else cut_off for _, one, cut_off in spans]
    return spans[0][0], values, np.concatenate(ends)


def _narrow(model: Model) -> pl.Schema:
    """Types that hold the counted columns of standoffs in a third of the memory; names sort as texts do."""
    names = {name for c in model.channels for name in (c.source, c.target) if name is not None}
    whole = {"replicate": pl.Int32(), "calendar_days": pl.Int32()}
    return pl.Schema(whole | {"opener": pl.Enum(sorted(names)), "end_state": pl.Enum(sorted(analyze.END_STATES))})


def _counted(model: Model, task: SpanTask, folds: list[dict[str, Any]], exploded: int) -> Counted:
    """All spans together; the example is simulated once more."""
    narrow = [pl.col(name).cast(kind) for name, kind in _narrow(model).items()]
    # Span by span as they are: in one piece they would stand in memory twice while they are copied.
    standoffs = pl.concat([_unpacked(fold.pop("standoffs")).with_columns(narrow) for fold in folds], rechunk=False)
    answers = (_whole_answer(k, folds) for k in range(len(folds[0]["answers"])))
    ways = [(_unpacked(fold["sums"]), _unpacked(fold["actors"])) for fold in folds]
    replicate = median_history(np.concatenate([fold["events"] for fold in folds]), standoffs)
    example = simulate(
        model, days=task.days, replicates=task.replicates, seed=task.seed, limit=task.limit,
        span=(replicate, replicate + 1),
    )  # fmt: skip
    return Counted(
        seed=task.seed,
        replicates=task.replicates,
        days=task.days,
        events=sum(int(fold["acts"]) for fold in folds),
        exploded=exploded,
        episodes=standoffs,
        outcomes=outcomes_of(model, answers, task.days),
        entanglement=entanglement_of(model, ways, task.replicates),
        example_replicate=replicate,
        example_acts=acts_of(model, example, 0),
        example_standoffs=analyze.episodes(example).with_columns(pl.col("replicate") + replicate),
    )
