"""How much memory a job may take: a system that explodes must not take the machine.

In: what the user allows, or what the system says is free. Out: bytes, and a count against them. How much memory there
is decides only whether a job is carried out, never what comes of it: a job that would not fit is refused, and one that
fits is the same everywhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from powderkeg.errors import Fault, ModelError, UsageError
from powderkeg.simulate.groups import granted

SHARE = 0.5
"""Of what is free: the rest of the program, and the other programs, need theirs."""
ENOUGH_SEEN, SURE = 50, 6.0
"""Runs after which it can be foreseen how much all will take, and standard errors by which it must be too much."""
ASSUMED = 4 * 2**30
"""Free memory where the system does not say."""
UNITS = {
    "": 1,
    "b": 1,
    "k": 2**10,
    "kb": 2**10,
    "m": 2**20,
    "mb": 2**20,
    "g": 2**30,
    "gb": 2**30,
    "t": 2**40,
    "tb": 2**40,
}


class OverMemory(ModelError):
    """What a job would hold does not fit into the memory that it may take."""


class Budget(NamedTuple):
    """Bytes that may be taken, and where that number comes from, in words."""

    bytes: int
    reason: str

    def part(self, share: float) -> Budget:
        """For one part of the work."""
        return self._replace(bytes=int(self.bytes * share))

    def __str__(self) -> str:
        return f"{in_words(self.bytes)} ({self.reason})"


def budget(memory: int | str | Budget | None = None) -> Budget:
    """What a job may take: `memory` in bytes or in words such as "4 GB", by default half of what is free.

    Raises UsageError for what is no amount of memory.
    """
    if isinstance(memory, Budget):
        return memory
    if memory is not None:
        return Budget(_amount(memory), "as asked for")
    free = available()
    if free is None:
        return Budget(int(ASSUMED * SHARE), f"half of {in_words(ASSUMED)}: the system does not say how much is free")
    return Budget(int(free * SHARE), "half of what is free")


def in_words(n: float) -> str:
    """Bytes in the largest unit that leaves one or more."""
    for unit, size in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.0f} bytes"


class Held:
    """Counts what all threads of a job hold together."""

    def __init__(self, allowed: Budget, each: int, what: str, fewer: str = "replicates") -> None:
        """`each`: bytes that one takes, of what is called `what`; `fewer` of what would do."""
        self.allowed, self.each, self.what, self.fewer = allowed, each, what, fewer
        self.most = max(allowed.bytes // each, 1)
        self._lock, self._n = threading.Lock(), 0
        self._seen, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, n: int) -> None:
        """So many more. Raises OverMemory once they do not fit: whichever thread finds out, and whenever."""
        with self._lock:
            self._n += n
            if self._n > self.most:
                raise OverMemory(
                    f"more than {self.most:,} {self.what} would not fit into {self.allowed}: fewer {self.fewer}, a "
                    "shorter window, a lower limit or more memory would do"
                )

    def let_go(self, n: int) -> None:
        """So many fewer."""
        with self._lock:
            self._n -= n

    def foresee(self, each: NDArray[np.integer[Any]], runs: int) -> None:
        """How many so many runs took. Raises OverMemory if by then it is clear that all `runs` will not fit."""
        self._seen += len(each)
        self._sum += float(each.sum())
        self._squares += float((each.astype(np.float64) ** 2).sum())
        if self._seen < ENOUGH_SEEN or self._seen >= runs:
            return
        mean = self._sum / self._seen
        error = math.sqrt(max(self._squares / self._seen - mean**2, 0.0) / self._seen)
        if (mean - SURE * error) * runs > self.most:
            raise OverMemory(
                f"{runs:,} runs of some {mean:,.0f} {self.what} take about {in_words(mean * runs * self.each)} and "
                f"would not fit into {self.allowed}: about {int(self.most / mean):,} would; or a shorter window, or "
                "more memory"
            )


def available() -> int | None:
    """Bytes of memory that are free for us, None where the system does not say."""
    free = [n for n in (_system(), *_groups(), _process()) if n is not None]
    return max(min(free), 0) if free else None


def give_back() -> None:
    """Have the C library return what was freed and is kept for the next that asks.

    GNU's keeps tens of megabytes after work in threads and asks to be told; others do it by themselves.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def _amount(memory: int | str) -> int:
    if isinstance(memory, str):
        words = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", memory.lower().replace("ib", "b"))
        n = float(words[1]) * UNITS[words[2]] if words and words[2] in UNITS else 0.0
    else:
        n = 0.0 if isinstance(memory, bool) else float(memory)
    if not 1.0 <= n < 2.0**60:
        raise UsageError(Fault.at("memory", repr(memory), "an amount such as 4GB or 500MB, or a number of bytes"))
    return int(n)


def _system() -> int | None:
    """What the system as a whole has free."""
    if sys.platform == "win32":
        return _windows()
    with contextlib.suppress(OSError, ValueError):  # Linux: with what is only kept for convenience
        for line in Path("/proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    ask = getattr(os, "sysconf", None)
    for name, share in (("SC_AVPHYS_PAGES", 1.0), ("SC_PHYS_PAGES", 0.5)):  # macOS says only how much there is
        if ask is not None:
            with contextlib.suppress(OSError, ValueError):
                pages, size = ask(name), ask("SC_PAGE_SIZE")
                if pages > 0 and size > 0:
                    return int(share * pages * size)
    return None


def _windows() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "free", "page", "page_free", "room", "room_free", "more")),
        ]

    status = Status(length=ctypes.sizeof(Status))
    try:
        told = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, OSError):
        return None
    return int(status.free) if told else None


def _groups() -> list[int]:
    """What control groups of Linux leave us, from the innermost out."""
    free = []
    for controller, most, used in (
        ("", "memory.max", "memory.current"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        for words in granted(controller, most, used):
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit():  # else "max": no bound
                free.append(int(words[0]) - int(words[1]))
    return free


def _process() -> int | None:
    """What a limit on this process (`ulimit -v`) leaves; None where there is none."""
    try:
        import resource
    except ImportError:
        return None
    with contextlib.suppress(AttributeError, OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            return int(most - pages * resource.getpagesize())
    return None
