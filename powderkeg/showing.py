"""How does a result show itself in a notebook: one line, and a small table?

In: the result and a frame of it. Out: HTML without scripts; what came from a file is text in it.
"""

from __future__ import annotations

from html import escape
from typing import Protocol

MOST_ROWS = 12


class ShownFrame(Protocol):
    """What is needed of a Polars frame; nothing here imports it."""

    def head(self, n: int) -> ShownFrame: ...

    def _repr_html_(self) -> str: ...


def as_html(result: object, frame: ShownFrame | None = None) -> str:
    """The line that `repr` gives, and the first rows of a frame below it."""
    told = f"<p><code>{escape(repr(result))}</code></p>"
    return told if frame is None else told + frame.head(MOST_ROWS)._repr_html_()
