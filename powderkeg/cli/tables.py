"""How do tables of results go into CSV files?

In: a frame. Out: what writes it, with nothing in it that a spreadsheet would take for a formula (`events/formulas.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def csv_of(frame: pl.DataFrame) -> Callable[[Path], None]:
    """What writes a frame to a path as CSV."""
    from powderkeg.events.formulas import write_csv

    return partial(write_csv, frame)
