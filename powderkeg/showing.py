"""How does a result show itself in a notebook: one line, a small table, its figures, and how far a long job is?

In: the result and a frame of it; the share of a job that is done. Out: HTML without scripts, in which what came from a
file is text; the figure that `plot` was asked for, from whoever draws: nothing here imports it. Imports wait until they
are needed: this module is loaded with the package.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class ShownFrame(Protocol):
        """What is needed of a Polars frame; nothing here imports it."""

        def head(self, n: int) -> ShownFrame: ...

        def _repr_html_(self) -> str: ...


MOST_ROWS = 12
SOON = 1.0
"""Seconds before a job shows how far it is."""
EACH = 0.2
"""Seconds between two updates."""


def as_html(result: object, frame: ShownFrame | None = None) -> str:
    """The line that `repr` gives, and the first rows of a frame below it."""
    from html import escape

    told = f"<p><code>{escape(repr(result))}</code></p>"
    return told if frame is None else told + frame.head(MOST_ROWS)._repr_html_()


_draws: list[Callable[[object, str | None], Any]] = []


def draw_with(draws: Callable[[object, str | None], Any]) -> None:
    """Say who draws: a function of a result and the name of a figure. The package's facade does; the last one counts.

    Results lie below figures in the order of modules, so they cannot import who draws them.
    """
    _draws[:] = [draws]


class ShowsItself:
    """A result: a notebook shows its line, and its methods answer calls that do not fit them (`calls`).

    Those with rows to show have a `_repr_html_` of their own.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__module__ != __name__:
            from powderkeg.calls import answering_methods

            answering_methods(cls)

    def _repr_html_(self) -> str:
        return as_html(self)


class Plotted(ShowsItself):
    """A result that has figures."""

    def plot(self, figure: str | None = None) -> Any:
        """A figure of this result as an Altair chart, which a notebook shows without a network.

        figure  its name; the first one where none is given (`docs/figures.md` lists them)

        Raises UsageError for a name that there is not, with those that there are.
        """
        return _draws[0](self, figure)


def progress_shown(progress: Callable[..., None] | None, what: str) -> Callable[..., None] | None:
    """The callback itself; where there is none, in a notebook one that shows how far the job is, else None.

    It shows after a second, and vanishes when it is told that all is done. `progress=lambda *_: None` keeps it away.
    """
    if progress is not None or not _in_notebook():
        return progress
    return NotebookBar(what)


def _in_notebook() -> bool:
    """True where output goes to a notebook: an IPython kernel, in its own process and main thread."""
    if "ipykernel" not in sys.modules:
        return False
    import multiprocessing
    import threading

    from IPython import get_ipython

    return (
        getattr(get_ipython(), "kernel", None) is not None
        and multiprocessing.parent_process() is None
        and threading.current_thread() is threading.main_thread()
    )


class NotebookBar:
    """A line below a notebook's cell: what is done, how much of it, and the time left."""

    def __init__(self, what: str) -> None:
        import time

        self._what = what
        self._clock = time.monotonic
        self._began = self._told = self._clock()
        self._handle: Any = None

    def __call__(self, share: float, step: str = "") -> None:
        now = self._clock()
        if share >= 1.0:
            self._close()
        elif now - self._began >= SOON and now - self._told >= EACH:
            self._told = now
            self._show(self._page(share, step, now - self._began))

    def __del__(self) -> None:
        self._close()

    def _page(self, share: float, step: str, taken: float) -> str:
        from html import escape

        done = min(max(share, 0.0), 1.0)
        left = f", about {_length(taken * (1.0 - done) / done)} left" if done > 0.02 else ""
        what = escape(f"{self._what}: {step}" if step else self._what)
        return f'<progress max="1" value="{done:.3f}"></progress> {100 * done:.0f} % {what}{left}'

    def _show(self, page: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(page), display_id=True)
        else:
            self._handle.update(HTML(page))

    def _close(self) -> None:
        if self._handle is not None:
            from IPython.display import HTML

            handle, self._handle = self._handle, None
            handle.update(HTML(""))


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
