"""A forecast that nobody can quietly change, and how good it was when its days have come.

In: a `Forecast`, a place. Out: a dated JSON file with seed, versions, scenario, digests and draws, sealed; later a
`Backtest` of such files against the events that came. The seal guards against slips and hands, not against one who
makes a new seal: who wants proof gives the seal away on the day it is made.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError
from powderkeg.events.table import EventTable
from powderkeg.forecast.backtest import HORIZONS, OURS, QUIET_DAYS, Backtest, Cell, baseline_cells, cell_of
from powderkeg.forecast.baselines import REFERENCE
from powderkeg.forecast.counts import Units, observed, units_of
from powderkeg.forecast.result import Forecast
from powderkeg.forecast.seen import channels_of
from powderkeg.model import Model
from powderkeg.model import compile as compile_model
from powderkeg.reading.stored import (
    AnyShape,
    ListShape,
    MappingShape,
    NumberShape,
    RecordShape,
    TextShape,
    checked,
    read_stored,
    seal_of,
)
from powderkeg.scenario import Scenario, dump, loads
from powderkeg.version import __version__

VERSION = 1
MARK = "powderkeg forecast"
WRITTEN = "the file that `powderkeg forecast --freeze` wrote"
CHANGED = 0.1
"""Share of the acts before the origin by which later events may differ: sources add late reports, and mend."""
_DAY = TextShape(pattern=r"\d{4}-\d\d-\d\d", words="a day")
_SHAPE = RecordShape(
    {
        MARK: NumberShape(whole=True), "seal": TextShape(), "made": TextShape(), "origin": _DAY,
        "days": NumberShape(least=1, most=10_000, whole=True), "draws": NumberShape(least=1, whole=True),
        "seed": NumberShape(least=0, whole=True), "versions": MappingShape(TextShape()), "scenario": TextShape(),
        "events": RecordShape({"digest": TextShape(), "acts": NumberShape(least=0, whole=True), "start": _DAY}),
        "units": ListShape(ListShape(TextShape(), 3)),
        "counts": ListShape(ListShape(NumberShape(least=0, whole=True), 4)),
        "outcomes": ListShape(AnyShape()),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Frozen:
    """What a file holds; counts (draws, days, units) by dyad and class."""

    path: Path
    seal: str
    made: str
    origin: date
    days: int
    seed: int
    scenario: Scenario
    events: str
    acts: int
    start: date
    units: tuple[tuple[str, ...], ...]
    counts: np.ndarray[Any, np.dtype[np.int32]]

    @property
    def end(self) -> date:
        """Last day that is foretold."""
        return self.origin + timedelta(days=self.days - 1)


def freeze(found: Forecast) -> bytes:
    """The file as bytes. Raises UsageError for a model of bare arrays, which has no scenario to be kept."""
    if found.model.scenario is None:
        raise UsageError("a model made from bare arrays has no scenario that a frozen forecast could keep")
    units, counts = found.units("class"), found.counts("class")
    draw, day, unit = np.nonzero(counts)
    known = found.events.between(None, found.origin - timedelta(days=1))
    content = {
        MARK: VERSION,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "origin": found.origin.isoformat(),
        "days": found.days,
        "draws": found.draws,
        "seed": found.seed,
        "versions": {"powderkeg": __version__, "numpy": np.__version__, "polars": pl.__version__,
                     "python": platform.python_version()},
        "scenario": dump(found.model.scenario),
        "events": {"digest": digest_of(known), "acts": len(known), "start": known.start.isoformat()},
        "units": [list(key) for key in units.keys],
        "counts": np.stack([draw, day, unit, counts[draw, day, unit]], axis=1).tolist(),
        "outcomes": found.outcomes.with_columns(pl.col(pl.Date).cast(pl.String)).to_dicts(),
    }  # fmt: skip
    # The mark comes first, so that a look at the head of a file tells what it is.
    whole = {MARK: VERSION, "seal": seal_of(content), **content}
    return json.dumps(whole, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def digest_of(events: EventTable) -> str:
    """SHA-256 of who did what to whom when, in order."""
    rows = events.frame.select("time", *(pl.col(k).cast(pl.String).fill_null("") for k in ("source", "act", "target")))
    days = rows.with_columns(day=pl.lit(events.start.toordinal()) + pl.col("time"))
    text = days.select("day", "source", "act", "target").sort("day", "source", "act", "target").write_csv()
    return hashlib.sha256(text.encode()).hexdigest()


def is_frozen(path: Path) -> bool:
    """Whether a file looks like a frozen forecast, whatever has been done to it."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and MARK.encode() in head


def read_frozen(path: Path) -> Frozen:
    """What a file holds.

    Raises UsageError, naming file, place and what is expected, for one that is none or was changed since it was made.
    """
    try:
        data = read_stored(path, MappingShape(AnyShape()), WRITTEN)
    except FileNotFoundError as error:
        raise UsageError(Fault(str(path), None, "", "no such file", WRITTEN)) from error
    if data.get(MARK) != VERSION:
        raise UsageError(Fault(str(path), None, MARK, f"{data.get(MARK)}", f"{WRITTEN}, of version {VERSION}"))
    content = {key: value for key, value in data.items() if key != "seal"}
    if data.get("seal") != seal_of(content):
        raise UsageError(Fault(str(path), None, "seal", "the file has been changed since it was made", WRITTEN))
    checked(data, _SHAPE, str(path), WRITTEN)
    counts = np.zeros((data["draws"], data["days"], len(data["units"])), np.int32)
    cells = np.array(data["counts"], np.int64).reshape(-1, 4)
    if len(cells) and (cells[:, :3].max(axis=0) >= counts.shape).any():
        raise UsageError(Fault(str(path), None, "counts", "a draw, day or unit beyond the last", WRITTEN))
    counts[cells[:, 0], cells[:, 1], cells[:, 2]] = cells[:, 3]
    return Frozen(
        path, data["seal"], data["made"], date.fromisoformat(data["origin"]), int(data["days"]), int(data["seed"]),
        loads(data["scenario"]), data["events"]["digest"], int(data["events"]["acts"]),
        date.fromisoformat(data["events"]["start"]), tuple(tuple(key) for key in data["units"]), counts,
    )  # fmt: skip


def not_yet(one: Frozen, events: EventTable) -> str | None:
    """Why a frozen forecast cannot be scored yet, in words; None where its days have come."""
    if events.end >= one.end:
        return None
    return f"its days have not come: it foretells {one.origin} to {one.end}, and the events end on {events.end}"


def score_frozen(
    files: Sequence[Frozen], events: EventTable, by: str = "class", level: float = 0.9, seed: int = 1
) -> Backtest:
    """Scores of frozen forecasts of one scenario, beside the baselines from the same past.

    by  "class": dyads by class of act; "dyad"

    Raises UsageError if the days of none have come, or the events before an origin are not those it was made from.
    """
    faults = []
    for one in files:
        late = not_yet(one, events)
        if late:
            faults.append(Fault(str(one.path), None, "", late, "events up to then"))
        elif words := _strangers(one, events):
            faults.append(Fault(str(one.path), None, "events", words, "the source it was made from, read the same way"))
    if faults:
        raise UsageError(faults)
    cells: list[Cell] = []
    horizons: set[int] = set()
    for number, one in enumerate(sorted(files, key=lambda one: one.origin)):
        asked = tuple(sorted({h for h in HORIZONS if h < one.days} | {one.days}))
        horizons |= set(asked)
        cells += _cells(one, events, by, asked, seed + number)
    origins = tuple(sorted({one.origin for one in files}))
    outcomes = pl.DataFrame(schema={"model": pl.String, "origin": pl.Date, "horizon": pl.Int64, "name": pl.String,
                                    "chance": pl.Float64, "came": pl.Float64})  # fmt: skip
    told = tuple(
        f"{one.path.name}: made {one.made}, {one.origin}, {one.days} days, seal {one.seal[:12]}" for one in files
    )
    return Backtest(origins, tuple(sorted(horizons)), by, REFERENCE, level, seed, tuple(cells), outcomes, told)


def _strangers(one: Frozen, events: EventTable) -> str | None:
    """What speaks against these being the events that a forecast was made from; late reports do not."""
    if events.start > one.origin - timedelta(days=1):
        return f"the events begin on {events.start}, so what was known before {one.origin} is not among them"
    known = events.between(max(one.start, events.start), one.origin - timedelta(days=1))
    if events.start <= one.start and digest_of(known) == one.events:
        return None
    if abs(len(known) - one.acts) > CHANGED * max(one.acts, 1):
        return f"{len(known):,} acts before the origin, where the forecast was made from {one.acts:,} others"
    return None


def _cells(one: Frozen, events: EventTable, by: str, horizons: tuple[int, ...], seed: int) -> list[Cell]:
    """Scores of one forecast and of the baselines at its origin."""
    model = compile_model(one.scenario)
    ahead, units = _by(one, model, by)
    channel = channels_of(model, events.frame)
    first = (one.origin - events.start).days
    stamp: Ints = np.floor(events.frame["time"].to_numpy()).astype(np.int64)
    came = observed(stamp - first, channel, one.days, units)
    past: Floats = observed(stamp, channel, first, units)
    quiet = past[-QUIET_DAYS:].sum(axis=0) == 0
    threshold = np.quantile(past[-730:], 0.95, axis=0)
    rng = np.random.default_rng([seed, 1])
    cells = []
    for horizon in horizons:
        for over, part in (("step", slice(horizon - 1, horizon)), ("window", slice(0, horizon))):
            totals = ahead[:, part].sum(axis=1).astype(np.float64)
            cells.append(
                cell_of(OURS, one.origin, horizon, over, totals, came[part].sum(axis=0), quiet, threshold, rng)
            )
    draws = min(len(ahead), 1000)
    return cells + baseline_cells(one.origin, past, events.start, came, horizons, draws, quiet, threshold, seed)


def _by(one: Frozen, model: Model, by: str) -> tuple[np.ndarray[Any, np.dtype[np.int32]], Units]:
    """The draws by the units asked for. Raises UsageError for a file whose units are not those of its scenario."""
    classes = units_of(model, "class")
    if classes.keys != one.units:
        raise UsageError(Fault(str(one.path), None, "units", "others than those of the scenario in the file", WRITTEN))
    if by == "class":
        return one.counts, classes
    dyads = units_of(model, "dyad")
    into = [dyads.keys.index(key[:2]) for key in one.units]
    summed = np.zeros((*one.counts.shape[:2], len(dyads)), np.int32)
    for unit, dyad in enumerate(into):
        summed[:, :, dyad] += one.counts[:, :, unit]
    return summed, dyads
