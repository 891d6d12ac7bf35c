"""A figure for a small screen: the same marks in a column as wide as a telephone, with words that can still be read.

In: a chart of this package. Out: a Vega-Lite specification, or nothing where the figure is narrow already, cannot be
made so without its words running into each other (cells with numbers in them), or holds so many marks that a second
picture would double a large page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from powderkeg.wording import unbroken

ROOM = 350
"""Pixels: what a telephone of 360 shows, a hair smaller than drawn."""
LABELS = 120
"""Of these, what names of rows may take."""
KEY = 150
"""And what a name in a legend of two columns may take."""
APART = 6
"""Pixels between the labels of an axis at the least; those that have less are left out."""
BESIDE = 70
"""What an axis takes beside a panel that stands among others."""
COLUMN = 120
"""What a column of numbers takes to the right of a panel; of several only the first is kept: the page has all."""
MOST_SPILL = 80.0
"""Pixels kept free at the most for words at the ends of bars; a figure that needs more grows."""
GIVEN = "given"
"""In a row of words: the share of the plotting area that they may take; where it is too little they are left out."""
LETTER = 7.0
"""Pixels of a letter or digit of these words, with what keeps them apart."""
WIDE = "wide"
"""In the `usermeta` of a chart that is not to be made narrow."""
TITLE, LINE, SIZE = 40, 56, 12
"""Letters of a title and of a line below it that fit, and pixels of a letter."""
MOST_DATA = 300_000
"""Letters of data above which there is no second picture."""

Spec = dict[str, Any]
_SMALL: Spec = {
    "axis": {"labelLimit": LABELS, "labelFontSize": SIZE, "titleFontSize": SIZE, "labelSeparation": APART},
    "legend": {"labelLimit": KEY, "labelFontSize": SIZE, "titleFontSize": SIZE, "orient": "bottom", "columns": 2},
    "title": {"fontSize": 14, "subtitleFontSize": SIZE, "subtitleLineHeight": 15},
    "text": {"fontSize": SIZE},
}


def slim(broad: Spec) -> Spec | None:
    """The chart as it is drawn for a small screen, or None where it had better scroll."""
    if not _sized(broad) or _width(broad) <= ROOM - BESIDE or len(text := json.dumps(broad)) > MOST_DATA:
        return None
    spec: Spec = json.loads(text)  # a copy: what is drawn for large screens stays
    views = _sized(spec)
    if any(_has_columns(view) for view in views) or WIDE in spec.get("usermeta", ()):
        return None
    for view in _views(spec):
        _in_a_column(view)
    if len(views) == 1 and views[0] is spec and not _columns(spec) and not _spill(spec):
        spec |= {"width": ROOM, "autosize": {"type": "fit-x", "contains": "padding"}}
    else:
        for view in views:
            _set_width(view)
    _drop_squeezed(spec)
    config = spec.setdefault("config", {})
    for part, own in _SMALL.items():
        config[part] = {**config.get(part, {}), **own}
    return spec


def _sized(spec: Spec) -> list[Spec]:
    """Views whose width is a number of pixels."""
    return [view for view in _views(spec) if isinstance(view.get("width"), int | float)]


def _width(spec: Spec) -> float:
    """Pixels of all plotting areas that stand side by side."""
    if "hconcat" in spec:
        return sum(map(_width, spec["hconcat"]))
    return max([float(spec.get("width", 0.0)), *map(_width, spec.get("vconcat", ()))])


def _set_width(view: Spec) -> None:
    """A view as narrow as leaves room for the names of its rows and for one column of numbers to its right."""
    columns = _columns(view)
    width: float = ROOM - (LABELS if _has_rows(view) else BESIDE) - (COLUMN if columns else 0)
    if columns:
        kept = min(layer["mark"].get("dx", 0) for layer in columns)
        view["layer"] = [one for one in view["layer"] if one not in columns or one["mark"].get("dx", 0) == kept]
        for layer in columns:
            layer["mark"]["dx"] = min(kept, 8)
            layer["encoding"]["x"]["value"] = width
    else:
        width -= _spill(view)
    view["width"] = width


def _columns(view: Spec) -> list[Spec]:
    """Layers of text to the right of the plotting area."""
    return [
        layer for layer in view.get("layer", ())
        if isinstance(layer.get("mark"), dict) and layer["mark"].get("type") == "text"
        and layer.get("encoding", {}).get("x", {}).get("value") == view.get("width")
    ]  # fmt: skip


def _spill(view: Spec) -> float:
    """Pixels for words that begin where a bar ends. Fitted to a width they would be cut: they move while it shrinks."""
    found = 0.0
    for layer in view.get("layer", ()):
        mark, encoding = layer.get("mark"), layer.get("encoding", {})
        is_text = isinstance(mark, dict) and mark.get("type") == "text" and mark.get("align") == "left"
        if is_text and "field" in encoding.get("x", {}) and "field" in encoding.get("text", {}):
            rows = json.loads(layer.get("data", view.get("data", {})).get("values", "[]"))
            found = max([found, *(LETTER * (len(str(row[encoding["text"]["field"]])) + 1) for row in rows)])
    return min(found, MOST_SPILL)


def _drop_squeezed(spec: Spec) -> None:
    """Leave out words that have less room than they take: they would run into each other and be read as others."""
    for layer in spec.get("layer", ()):
        text = layer.get("data", {}).get("values", "")
        if f'"{GIVEN}"' in text:
            field = layer["encoding"]["text"]["field"]
            kept = [row for row in json.loads(text) if row[GIVEN] * (ROOM - LABELS) >= LETTER * len(row[field])]
            layer["data"]["values"] = json.dumps(kept)


def _views(spec: Spec) -> Iterator[Spec]:
    """The specification and all views within it, layers aside."""
    yield spec
    for key in ("hconcat", "vconcat", "concat"):
        for part in spec.get(key, ()):
            yield from _views(part)


def _in_a_column(view: Spec) -> None:
    """Views below each other that stood side by side; words wrapped; names of rows cut."""
    if "hconcat" in view:
        first, *others = view["hconcat"]
        axis = next((y["axis"] for y in _channels(first, "y") if y.get("axis")), None)
        for y in (y for other in others for y in _channels(other, "y") if "axis" in y and y["axis"] is None):
            y["axis"] = axis  # below each other the rows are named again
        view["vconcat"] = view.pop("hconcat")
        view["spacing"] = 24
    head = view.get("title")
    if isinstance(head, str):
        view["title"] = wrap(head, TITLE)
    elif isinstance(head, dict):
        for key, letters in (("text", TITLE), ("subtitle", LINE)):
            if key in head:
                lines = head[key] if isinstance(head[key], list) else [head[key]]
                head[key] = [part for line in _whole(lines) for part in wrap(unbroken(line), letters)]
    for layer in _layers(view):
        mark = layer.get("mark")
        if isinstance(mark, dict) and mark.get("type") == "text" and mark.get("limit", 0) > LABELS:
            mark["limit"] = LABELS
        for channel in layer.get("encoding", {}).values():
            legend = channel.get("legend") if isinstance(channel, dict) else None
            if isinstance(legend, dict):
                legend |= {"orient": "bottom", "columns": 2, "titleOrient": "top"}
            axis = channel.get("axis") if isinstance(channel, dict) else None
            if isinstance(axis, dict) and axis.get("labelLimit", 0) > LABELS:
                axis["labelLimit"] = LABELS - 12


def _whole(lines: list[str]) -> list[str]:
    """Lines as they were before the broad figure wrapped them: one that begins small goes on with the one above."""
    found: list[str] = []
    for line in lines:
        if found and line[:1].islower():
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


def _layers(view: Spec) -> Iterator[Spec]:
    yield view
    for layer in view.get("layer", ()):
        yield from _layers(layer)


def _channels(view: Spec, name: str) -> Iterator[Spec]:
    for layer in _layers(view):
        channel = layer.get("encoding", {}).get(name)
        if isinstance(channel, dict):
            yield channel


def _has_columns(view: Spec) -> bool:
    """Whether things stand side by side by name, so that a narrow figure would squeeze their words."""
    return any(channel.get("type") in ("nominal", "ordinal") for channel in _channels(view, "x"))


def _has_rows(view: Spec) -> bool:
    """Whether names stand to the left of the figure."""
    return any(channel.get("type") in ("nominal", "ordinal") for channel in _channels(view, "y"))
