"""Simulated histories, and the table of names that other modules start from.

In: arrays of events, replicate after replicate, and the model they came from. Out: `Runs`, an `EventTable`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import SCHEDULED, TIMER, System
from powderkeg.errors import Fault, ModelError, UsageError
from powderkeg.events.table import EventTable
from powderkeg.showing import Plotted, as_html
from powderkeg.simulate.deaths import draw_deaths
from powderkeg.wording import counted

if TYPE_CHECKING:
    from powderkeg.model import Model

PART = 200_000
"""Events that are looked at together, so that a table of them stays small while it is made and written."""
_COLUMNS = ("time", "channel", "parent", "mechanism", "exploded", "reached", "level_time", "level_first")
_EXTRA = {SCHEDULED: "(scheduled)", TIMER: "(timer)"}


@dataclass(frozen=True)
class Runs(Plotted):
    """Simulated histories, one after the other: events of replicate r are offsets[r]:offsets[r + 1], in time order.

    time        float64, days since the scenario's start
    channel     int32, with the pseudo-channels by which facts come and go
    parent      int32, index within the replicate; -1 none; -2 - h: event h of the past it started from
    mechanism   int16, what set it off, or BACKGROUND, SCHEDULED, TIMER
    exploded    (R,) stopped at `limit` events, or with as many answers waiting, on day reached[r]; what came
                before is as it would have been
    key         uint64 address of the event's draws, or None; two worlds that share an event share its key
    level_time  (R, cells) days of the window that each fact spent at each level; cell = level_start[fact] + level
    level_first  (R, cells) day of the window on which each fact first stood at each level, infinite where it never did;
                of a fact that stands so when the window begins, that day
    begin, days the window is [begin, begin + days)
    asked       replicates asked for: more than there are where each of the first ones exploded, see `simulate`
    origin      number in its job of what is replicate 0 here
    candidates  how many were considered; many more than events say that gates are mostly far from their highest
    """

    model: Model | System
    seed: int
    days: float
    replicates: int
    offsets: NDArray[np.int64]
    time: NDArray[np.float64]
    channel: NDArray[np.int32]
    parent: NDArray[np.int32]
    mechanism: NDArray[np.int16]
    exploded: NDArray[np.bool_]
    reached: NDArray[np.float64]
    limit: int
    level_time: NDArray[np.float64]
    level_first: NDArray[np.float64]
    begin: float = 0.0
    key: NDArray[np.uint64] | None = None
    candidates: int = 0
    asked: int = 0
    origin: int = 0

    def __repr__(self) -> str:
        told = counted(self.replicates, "history", "histories")
        return f"Runs({told} of {self.days:g} days, seed {self.seed}, {counted(len(self.time), 'event')})"

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def is_cut(self) -> bool:
        """True if the job ended early because each of the first replicates exploded."""
        return 0 < self.replicates < self.asked and bool(self.exploded.all())

    def first(self, n: int) -> Runs:
        """The first `n` replicates (or all, if there are fewer): what a job of so many would have given."""
        return self if n >= self.replicates else replace(self.part(0, n), asked=n)

    def part(self, first: int, end: int) -> Runs:
        """Replicates [first, end), numbered from 0 on here; nothing is copied.

        Raises UsageError for replicates that there are not.
        """
        if not 0 <= first <= end <= self.replicates:
            raise UsageError(Fault.at("part", f"replicates {first} to {end}", f"some of 0 to {self.replicates}"))
        a, b = int(self.offsets[first]), int(self.offsets[end])
        return replace(
            self, replicates=end - first, origin=self.origin + first,
            offsets=self.offsets[first : end + 1] - a, time=self.time[a:b],
            channel=self.channel[a:b], parent=self.parent[a:b], mechanism=self.mechanism[a:b],
            exploded=self.exploded[first:end], reached=self.reached[first:end], level_time=self.level_time[first:end],
            level_first=self.level_first[first:end],
            key=None if self.key is None else self.key[a:b],
        )  # fmt: skip

    def parts(self, events: int = PART) -> Iterator[tuple[int, Runs]]:
        """Parts of about so many events, each with the number of its first replicate: what makes tables of events
        takes many times their memory, so it takes them part by part."""
        first = 0
        while first < self.replicates or first == 0:
            end = int(np.searchsorted(self.offsets, self.offsets[first] + events, "right")) - 1
            end = min(max(end, first + 1), self.replicates)
            yield first, self if first == 0 and end == self.replicates else self.part(first, end)
            first = max(end, 1)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def system(self) -> System:
        return system_of(self.model)

    @property
    def replicate(self) -> NDArray[np.int32]:
        """Replicate of every event."""
        return np.repeat(np.arange(self.replicates, dtype=np.int32), np.diff(self.offsets))

    def deaths(self) -> NDArray[np.float64] | None:
        """(N,) how many die in each event, see `draw_deaths`; None where no act of the scenario has a law of deaths."""
        if isinstance(self.model, System):
            return None
        replicate = self.replicate.astype(np.int64) + self.origin
        return draw_deaths(self.model, self.seed, replicate, self.time, self.channel.astype(np.int64))

    def digest(self) -> str:
        """SHA-256 of every event, bit for bit."""
        sha = hashlib.sha256()
        for x in (self.offsets, self.time, self.channel, self.parent, self.mechanism, self.exploded, self.reached):
            sha.update(np.ascontiguousarray(x).view(np.uint8).data)
        return sha.hexdigest()

    def table(self, acts_only: bool = True) -> EventTable:
        """The events by name. Pseudo-events (a fact runs out, or comes) are left out, or come as act `expire`, `arise`.

        `parent` is the row of the parent within the replicate's rows (of an act that a pseudo-event set off: of the
        nearest act before it), null for a root. `mechanism` is null for a root from the background; acts put in by
        hand have "(scheduled)", acts that a policy forced "(timer)". Where an act has a law of deaths there is a column
        `deaths`.
        """
        frames = [*self.frames(acts_only)]
        return EventTable(frames[0] if len(frames) == 1 else pl.concat(frames, rechunk=False), **self.about())

    def frames(self, acts_only: bool = True, begin: int = 0) -> Iterator[pl.DataFrame]:
        """The same part by part, so that it need not stand in memory whole; replicates are numbered from `begin` on."""
        model = _named_model(self.model)
        return (_frame(part, model, acts_only, begin + first) for first, part in self.parts())

    def about(self) -> dict[str, Any]:
        """What an `EventTable` of these holds beside its rows."""
        scenario = _named_model(self.model).scenario
        assert scenario is not None
        return {"start": scenario.start, "days": self.begin + self.days, "account": {"replicates": self.replicates}}


def cut(made: Iterable[Runs], events: int = PART) -> Iterator[Runs]:
    """Runs that come one behind the other, cut as `Runs.parts` cuts all of them together.

    Where whoever makes them is stopped by Ctrl-C, what was made comes before that goes on.
    """
    held: list[Runs] = []
    try:
        for one in made:
            held.append(one)
            if sum(map(len, held)) > events:
                *full, rest = [part for _, part in _joined(held).parts(events)]
                held = [rest]
                yield from full
    except KeyboardInterrupt:
        if held:  # more than a part where it was just to be cut
            for _, part in _joined(held).parts(events):
                yield part
        raise
    if held:
        yield _joined(held)


def _joined(runs: Sequence[Runs]) -> Runs:
    """Runs one behind the other, numbered on from the first."""
    if len(runs) == 1:
        return runs[0]
    columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in runs]) for name in _COLUMNS}
    counts = np.concatenate([np.diff(one.offsets) for one in runs])
    return replace(
        runs[0], replicates=len(counts), offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        candidates=sum(one.candidates for one in runs), **columns,
    )  # fmt: skip


def _named_model(model: Model | System) -> Model:
    if isinstance(model, System) or model.scenario is None:
        raise ModelError("bare arrays have no names: simulate the model of a scenario to get a table")
    return model


def system_of(model: Model | System) -> System:
    """The arrays of a model; a System is its own."""
    if isinstance(model, System):
        return model
    model.must_be_whole("simulated")
    return model.system


def _frame(runs: Runs, model: Model, acts_only: bool, first: int) -> pl.DataFrame:
    """The table of runs that are numbered from `first` on."""
    keep: NDArray[Any] | slice = slice(None)
    parent = runs.parent
    # Rows start at the replicate's offset; a parent is a row number within it.
    if acts_only and (runs.channel >= model.n_acts).any():
        is_act = runs.channel < model.n_acts
        base = np.repeat(runs.offsets[:-1], np.diff(runs.offsets))
        parent = np.where(parent >= 0, parent + base, -1)
        while True:  # climb over pseudo-events to the act they came from
            over = np.flatnonzero((parent >= 0) & ~is_act[parent])
            if not len(over):
                break
            parent[over] = np.where(runs.parent[parent[over]] >= 0, runs.parent[parent[over]] + base[over], -1)
        row = np.cumsum(is_act) - 1
        before = np.concatenate([[0], np.cumsum(is_act)])[base]
        parent = np.where(parent >= 0, row[parent] - before, -1)
        keep = np.flatnonzero(is_act)
    channel = runs.channel[keep]
    mechanism = runs.mechanism[keep].astype(np.int32)
    names = [*model.mechanisms, *_EXTRA.values()]
    code = mechanism.copy()
    code[mechanism < 0] = len(names)
    for i, special in enumerate(_EXTRA):
        code[mechanism == special] = len(model.mechanisms) + i
    parent = parent[keep]
    deaths = runs.deaths()
    return pl.DataFrame(
        {
            "replicate": runs.replicate[keep] + np.int32(first),
            "time": runs.time[keep],
            "source": _named([c.source for c in model.channels], channel),
            "act": _named([c.act for c in model.channels], channel),
            "target": _named([c.target for c in model.channels], channel),
            "channel": channel,
            "parent": _with_nulls(pl.Series(parent.astype(np.int32)), parent >= 0),
            "mechanism": pl.Series([*names, None], dtype=pl.Enum(names)).gather(code),
            **({} if deaths is None else {"deaths": deaths[keep]}),
        }
    )


def _named(names: list[str | None], channel: NDArray[np.int32]) -> pl.Series:
    """The name of each event's channel as an Enum."""
    distinct = sorted({name for name in names if name is not None})
    return pl.Series(names, dtype=pl.Enum(distinct)).gather(channel)


def _with_nulls(values: pl.Series, valid: NDArray[np.bool_]) -> pl.Series:
    return pl.select(pl.when(pl.Series(valid)).then(values)).to_series()
