"""Being asked to stop: Ctrl-C, a scheduler's time limit, a terminal that is closed.

In: signals. Out: what Python makes of Ctrl-C, KeyboardInterrupt, for all of them, so that a command keeps what it has
finished and says so; and the exit code by which a shell knows which it was, 128 and the signal's number.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from powderkeg.cli.interruption import CTRL_C, is_interruption

__all__ = ["CTRL_C", "OVER", "TIMED_OUT", "Asked", "heeded", "is_interruption"]

TIMED_OUT = 124
"""The exit code of a command that its own time limit ended: that of `timeout`."""
OVER = threading.Event()
"""Set where it was a time limit of ours that asked."""

NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Not every system has each."""


class Asked:
    """Which signal came, if one did."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def come(self, number: int, frame: FrameType | None) -> None:
        """The first asks; a second one of the same kind ends the program at once, as ever."""
        self.signal = number
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    def code(self, code: int) -> int:
        """The exit code of a command that ended with `code`."""
        if code == CTRL_C and OVER.is_set():
            return TIMED_OUT
        return 128 + self.signal if code == CTRL_C and self.signal is not None else code


@contextmanager
def heeded() -> Iterator[Asked]:
    """Signals that ask to stop are heeded inside. One that is ignored, as under nohup, stays so."""
    asked, before = Asked(), dict[int, Any]()
    OVER.clear()
    if threading.current_thread() is threading.main_thread():
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, asked.come)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
