"""A record as the page holds it against its runs: each line with its interval, and what it counts.

In: a model. Out: the lines of the built-in record of that name, and what the page needs to compute them; nothing where
there is none, or where it begins on another day than the scenario.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from powderkeg.model import Model
from powderkeg.model.deaths import laws_of
from powderkeg.score.definition import Line, Selection, load_record
from powderkeg.score.lines import PER, sampling, spelt_out
from powderkeg.score.record import TUNED, mark_masks, own_record, used_of
from powderkeg.score.table import read_table


def record_of(model: Model) -> dict[str, Any]:
    """days: length of the record; marks: channels by mark; lines: see `_line`."""
    scenario = model.scenario
    assert scenario is not None
    name = own_record(model)
    if name is None:
        return {"days": 0.0, "marks": [], "lines": []}
    definition, place = load_record(name)
    recorded, window = read_table(place, definition.marks, definition.window)
    if window.from_ != scenario.start:
        return {"days": 0.0, "marks": [], "lines": []}
    masks = mark_masks(model, definition.marks)
    marks = {name: number for number, name in enumerate(masks)}
    lines = []
    drawn = bool(laws_of(model))  # the page draws acts, and not how many die in each
    for name, line in spelt_out(definition.lines, recorded).items():
        if drawn and _asks_for_dead(line):
            continue
        own, how = sampling(line, recorded, window.days)
        told = {
            "id": name,
            "title": line.title,
            "what": "; ".join([how, *([line.note] if line.note else [])]),
            "value": own.mean,
            "low": own.low,
            "high": own.high,
            "tuned": used_of(definition, name) == TUNED,
        }
        lines.append(told | _question(line, marks))
    return {
        "days": float(window.days),
        "marks": [np.flatnonzero(mask).tolist() for mask in masks.values()],
        "lines": lines,
    }


def _asks_for_dead(line: Line) -> bool:
    return line.sum == "killed" or any(
        one is not None and one.deaths is not None for one in (line.rate, line.share, line.of)
    )


def _question(line: Line, marks: dict[str, int]) -> dict[str, Any]:
    """Which number it is: one of rate, sum, share, length, gap, with what it is taken of."""
    if line.rate is not None:
        return {"rate": _selection(line.rate, marks), "per": PER[line.per]}
    if line.sum is not None:
        return {"sum": line.sum, "per": PER[line.per]}
    if line.share is not None:
        whole = None if line.of is None else _selection(line.of, marks)
        return {"share": _selection(line.share, marks), "of": whole}
    return {"length": line.length} if line.length is not None else {"gap": line.gap}


def _selection(one: Selection, marks: dict[str, int]) -> dict[str, Any]:
    return {
        "opener": list(one.opener),
        "end_state": list(one.end_state),
        "hurt": one.hurt,
        "deaths": one.deaths,
        "longer_than": one.longer_than,
        "mark": [marks[name] for name in one.mark],
    }
