"""How is a forecast kept so that nobody can quietly change it?

In: a `Forecast`, a place. Out: a dated JSON file with seed, versions, scenario, digests and draws, sealed. The seal
guards against slips and hands, not against one who makes a new seal: who wants proof gives the seal away on the day.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from powderkeg.errors import Fault, UsageError
from powderkeg.events.table import EventTable
from powderkeg.forecast.counts import acts_of
from powderkeg.forecast.result import Forecast
from powderkeg.forecast.standoffs import BEGINS, OPENS, RULES
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

VERSION, FIRST = 3, 1
"""Files of version 1, until powderkeg 0.5, do not say which standoffs are new: those whose first act lies ahead. Those
of version 2, until 0.6, say nothing of a pool: all their draws are the model's."""
MARK = "powderkeg forecast"
WRITTEN = "the file that `powderkeg forecast --freeze` wrote"
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
    },
    {"new_standoff": TextShape(RULES), "pool": AnyShape()},
)  # fmt: skip


@dataclass(frozen=True)
class Frozen:
    """What a file holds; counts (draws, days, units) by dyad and class.

    chances       outcome -> the chance that was said
    new_standoff  by which rule a standoff is new, as the file says: see `standoffs.new_standoffs`
    of_model      (draws,) whether a draw is the model's own, the others are of weighted means; None: all are
    """

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
    chances: Mapping[str, float]
    new_standoff: str
    of_model: np.ndarray[Any, np.dtype[np.bool_]] | None = None

    @property
    def end(self) -> date:
        """Last day that is foretold."""
        return self.origin + timedelta(days=self.days - 1)


def freeze(found: Forecast) -> bytes:
    """The file as bytes. Raises UsageError for a model of bare arrays, which has no scenario to be kept."""
    if found.model.scenario is None:
        raise UsageError("a model made from bare arrays has no scenario that a frozen forecast could keep")
    units = found.units("class")
    acts = acts_of(found.ahead, units)
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
        "counts": np.stack(acts, axis=1).tolist(),
        "new_standoff": OPENS,
        "pool": None if found.pool is None else found.pool.as_dict()
        | {"of_model": np.flatnonzero(found.pool.of_model).tolist()},
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
    version = data.get(MARK)
    known = range(FIRST, VERSION + 1)
    if version not in known or (version > 1) != ("new_standoff" in data) or (version > 2) != ("pool" in data):
        raise UsageError(Fault(str(path), None, MARK, f"{version}", f"{WRITTEN}, of version {FIRST} to {VERSION}"))
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
        _chances(data["outcomes"]), data.get("new_standoff", BEGINS), _of_model(data.get("pool"), int(data["draws"])),
    )  # fmt: skip


def _of_model(pool: Any, draws: int) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Which draws are the model's own; None where all are."""
    if not isinstance(pool, dict):
        return None
    own = np.zeros(draws, bool)
    own[[draw for draw in pool.get("of_model", ()) if isinstance(draw, int) and 0 <= draw < draws]] = True
    return own


def _chances(rows: list[Any]) -> dict[str, float]:
    """The chances among the rows of outcomes; older files were sealed without a look at what they hold."""
    told = [row for row in rows if isinstance(row, dict) and isinstance(row.get("chance"), int | float)]
    return {str(row.get("name")): float(row["chance"]) for row in told if 0.0 <= row["chance"] <= 1.0}


def frozen_in(folder: Path) -> list[Path]:
    """The frozen forecasts in a folder, by name."""
    return sorted(path for path in folder.glob("*.json") if path.is_file() and is_frozen(path))
