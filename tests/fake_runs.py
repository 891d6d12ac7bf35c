"""Runs made by hand: a tiny model with named actors, and events whose parents are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from powderkeg.engine.arrays import BACKGROUND
from powderkeg.model import Channel, Model, from_arrays


@dataclass(frozen=True)
class HandMade:
    """The part of `Runs` that the analysis reads."""

    model: Model
    days: float
    offsets: NDArray[np.int64]
    time: NDArray[np.float64]
    channel: NDArray[np.int64]
    parent: NDArray[np.int64]
    mechanism: NDArray[np.int64]
    exploded: NDArray[np.bool_]
    reached: NDArray[np.float64]
    begin: float = 0.0

    @property
    def replicates(self) -> int:
        return len(self.offsets) - 1

    def parts(self):
        yield 0, self


def model_of(channels: list[tuple[str, str, str]], n_mechanisms: int = 2, **arrays) -> Model:
    """A model whose channels have actors, with mechanisms m0, m1, ... and the arrays given (heat, opens, ...)."""
    size = len(channels)
    plain = from_arrays(np.full(size, 0.1), [np.zeros((size, size))] * n_mechanisms, np.ones(n_mechanisms))
    named = tuple(Channel(a, act, b, move=act) for a, act, b in channels)
    mechanisms = tuple(f"m{k}" for k in range(n_mechanisms))
    return replace(plain, channels=named, mechanisms=mechanisms, **arrays)


def runs_of(model: Model, histories: list[list[tuple]], days: float = 100.0, **more) -> HandMade:
    """Histories of (time, channel, parent, mechanism); parent and mechanism may be left out for a root."""
    rows = [(*row, -1, BACKGROUND)[:4] if len(row) == 2 else row for history in histories for row in history]
    time, channel, parent, mechanism = (
        (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    )
    return HandMade(
        model=model,
        days=days,
        offsets=np.cumsum([0, *(len(history) for history in histories)]),
        time=np.array(time, dtype=np.float64),
        channel=np.array(channel, dtype=np.int64),
        parent=np.array(parent, dtype=np.int64),
        mechanism=np.array(mechanism, dtype=np.int64),
        exploded=np.zeros(len(histories), dtype=bool),
        reached=np.full(len(histories), days),
        **more,
    )
