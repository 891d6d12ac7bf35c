"""Chunks of a job put one behind the other, as they come.

In: chunks in order. Out: whole columns. Each column grows in place, so that a chunk is let go at once: kept until the
end and joined then, all events would stand in memory twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.simulation.chunks import Chunk

COLUMNS: dict[str, type] = {
    "n_events": np.int64, "exploded": np.bool_, "reached": np.float64, "time": np.float64, "channel": np.int32,
    "parent": np.int32, "mechanism": np.int16, "key": np.uint64, "level_time": np.float64,
    "level_first": np.float64, "n_candidates": np.int64,
}  # fmt: skip
"""Columns of a chunk; `level_time` and `level_first` row after row."""
AHEAD = 1.05
"""Room for this many times what the replicates so far let expect."""


class Gathered:
    """The chunks of a job of so many replicates."""

    def __init__(self, replicates: int) -> None:
        self.replicates = replicates
        self._done, self._filled = 0, dict.fromkeys(COLUMNS, 0)
        self._columns: dict[str, NDArray[Any]] = {name: np.empty(0, kind) for name, kind in COLUMNS.items()}

    def add(self, chunk: Chunk) -> None:
        """Put a chunk behind the others: whole, or not at all where Ctrl-C comes on the way."""
        done, filled = self._done + len(chunk.n_events), dict[str, int]()
        for name in COLUMNS:
            part = getattr(chunk, name).ravel()
            begin, end = self._filled[name], self._filled[name] + len(part)
            if end > len(self._columns[name]):
                expected = int(end / max(done, 1) * self.replicates * AHEAD) if done < self.replicates else 0
                self._resize(name, max(end, min(expected, 2 * end + 1_000_000)))
            self._columns[name][begin:end] = part
            filled[name] = end
        self._done, self._filled = done, filled

    def column(self, name: str) -> NDArray[Any]:
        """All of a column."""
        if len(self._columns[name]) > self._filled[name]:
            self._resize(name, self._filled[name])
        return self._columns[name]

    def _resize(self, name: str, n: int) -> None:
        # In place where the system can, unlike a copy into a longer array. Nobody else has seen the column yet.
        self._columns[name].resize(n, refcheck=False)
