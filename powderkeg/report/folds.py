"""What is kept of runs whose acts are let go, and what do the numbers say from that?

In: runs, span by span, with their standoffs. Out: for each span a fold, plain data and arrays, so that it can be kept
in a file: the outcomes of each run, the standoffs' few columns, sums over acts; from all of them what `Results` are
made of, the same however runs are cut into spans.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg import analyze
from powderkeg.analyze.entanglement import entanglement_of, entanglement_sums
from powderkeg.analyze.outcomes import PerRun, outcomes_of, per_run
from powderkeg.errors import PowderkegWarning
from powderkeg.simulate import simulate

if TYPE_CHECKING:
    from powderkeg.model import Model
    from powderkeg.simulate import Runs

Fold = dict[str, Any]
"""What is kept of a span."""
COUNTED = ("replicate", "start", "opener", "end_state", "hurt", "deaths", "calendar_days")
"""Columns of standoffs that statistics are made of."""


@dataclass(frozen=True)
class Counted:
    """What runs were counted for: see `Results`. `episodes` holds the columns that statistics are made of."""

    seed: int
    replicates: int
    days: float
    events: int
    exploded: int
    episodes: pl.DataFrame
    outcomes: pl.DataFrame
    entanglement: pl.DataFrame
    example_replicate: int
    example_acts: pl.DataFrame
    example_standoffs: pl.DataFrame


def standoffs_of(runs: Runs, first: int) -> pl.DataFrame:
    """The standoffs of runs that are numbered from `first` on."""
    return analyze.episodes(runs).with_columns(pl.col("replicate") + first)


def fold(model: Model, runs: Runs, standoffs: pl.DataFrame) -> Fold:
    """A span of runs, counted, and its standoffs, by the numbers that its runs have in the job."""
    sums, actors = entanglement_sums(runs)
    return {
        "events": np.diff(runs.offsets).astype(np.int32),
        "acts": int((np.asarray(runs.channel) < model.n_acts).sum()),
        "exploded": int(np.asarray(runs.exploded).sum()),
        "answers": [_narrow_answer(*one) for one in per_run(model, runs)],
        "standoffs": packed(standoffs.select(COUNTED)),
        "sums": packed(sums),
        "actors": packed(actors),
    }


def counted(model: Model, folds: list[Fold], seed: int, days: float, example: Callable[[int], Runs]) -> Counted:
    """All spans together; what the folds hold is let go.

    example  a run by its number
    """
    narrow = [pl.col(name).cast(kind) for name, kind in _narrow(model).items()]
    # Span by span as they are: in one piece they would stand in memory twice while they are copied.
    standoffs = pl.concat([unpacked(fold.pop("standoffs")).with_columns(narrow) for fold in folds], rechunk=False)
    answers = (_whole_answer(k, folds) for k in range(len(folds[0]["answers"])))
    ways = [(unpacked(fold["sums"]), unpacked(fold["actors"])) for fold in folds]
    events = np.concatenate([fold["events"] for fold in folds])
    replicate = median_history(events, standoffs)
    shown = example(replicate)
    return Counted(
        seed=seed,
        replicates=len(events),
        days=days,
        events=sum(int(fold["acts"]) for fold in folds),
        exploded=sum(int(fold["exploded"]) for fold in folds),
        episodes=standoffs,
        outcomes=outcomes_of(model, answers, days),
        entanglement=entanglement_of(model, ways, len(events)),
        example_replicate=replicate,
        example_acts=acts_of(model, shown),
        example_standoffs=standoffs_of(shown, replicate),
    )


def simulated_again(
    model: Model, number: int, replicates: int, days: float, seed: int, limit: int | None = None
) -> Runs:
    """One run of so many, once more: its acts were let go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)  # if it hits the limit, that was told
        return simulate(model, days=days, replicates=replicates, seed=seed, limit=limit, span=(number, number + 1))


def packed(frame: pl.DataFrame) -> NDArray[np.uint8]:
    """A table in a quarter of its memory, as a file of it holds it."""
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return np.frombuffer(stream.getvalue(), np.uint8)


def unpacked(content: NDArray[np.uint8], columns: list[str] | None = None) -> pl.DataFrame:
    """The table again, or some of its columns."""
    return pl.read_parquet(io.BytesIO(content.tobytes()), columns=columns)


def median_history(events: NDArray[np.integer[Any]], episodes: pl.DataFrame) -> int:
    """The first run whose number of standoffs, and then of events, is nearest to the median of all runs.

    events  (R,) of each run
    """
    acts = events.astype(np.float64)
    counts = np.bincount(episodes["replicate"].to_numpy(), minlength=len(acts)).astype(np.float64)
    order = np.lexsort((np.abs(acts - np.median(acts)), np.abs(counts - np.median(counts))))
    return int(order[0])


def acts_of(model: Model, history: Runs) -> pl.DataFrame:
    """The acts of one history with their tone and heat."""
    channel = np.asarray(history.channel)
    is_act = channel < model.n_acts
    channel, time = channel[is_act], np.asarray(history.time)[is_act]
    assert model.scenario is not None
    rows = [model.channels[c] for c in channel]
    return pl.DataFrame(
        {
            "time": time,
            "source": [c.source for c in rows],
            "act": [c.act for c in rows],
            "target": [c.target for c in rows],
            "tone": [model.scenario.acts[c.act].tone for c in rows],
            "heat": np.asarray(model.heat)[channel].astype(np.float64),
        },
        schema_overrides=dict.fromkeys(("source", "act", "target", "tone"), pl.String),
    )


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
