"""A folder that one process works in at a time.

In: the path of a lock file. Out: a lock that is held, or a fault that says who holds it. The file is made with O_EXCL,
which every system and nearly every network disk keeps to, and is touched as long as its process lives; it tells host,
process and when that began. A process that was killed leaves it behind: on the same machine that is seen at once, from
another one after a minute without a touch.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from powderkeg.errors import Fault, PowderkegError, UsageError
from powderkeg.writing.owners import is_running

TOUCH = 5.0
"""Seconds between two touches."""
STALE = 60.0
"""Seconds without a touch after which nobody holds it. A machine that slept finds its lock gone, and says so."""
BREAKING = 10.0
_HELD: set[str] = set()
"""The locks of this process: one that bears its number and is not among them is of an earlier one of that number."""


class LostError(PowderkegError):
    """Another process took the folder over."""


class Lock:
    """Held from `with` to its end. Raises UsageError, saying who holds it, if that has not changed after `wait` s."""

    def __init__(self, place: Path, wait: float = 0.0) -> None:
        self.place = place
        self.wait = wait
        self.token = secrets.token_hex(8)
        self.done = threading.Event()

    def __enter__(self) -> Lock:
        until = time.monotonic() + self.wait
        while not self._take():
            if self._is_stale():
                self._break()
            elif time.monotonic() >= until:
                raise UsageError(self._held())
            else:
                time.sleep(0.05)
        # It must not keep the process alive, nor stop it: a thread that only touches a file.
        threading.Thread(target=self._touch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.done.set()
        if self._read().get("token") == self.token:
            with suppress(OSError):
                self.place.unlink()
        # After the file: one whose token nobody held any more would be broken by others, and with it a newer one.
        _HELD.discard(self.token)

    def check(self) -> None:
        """Raises LostError if another process took it, as one may after this one slept."""
        if self._read().get("token") != self.token:
            what = "another powderkeg works in this folder by now"
            raise LostError(
                Fault(str(self.place.parent), None, "", what, "one at a time"), "stopped; what was finished is kept"
            )

    def _take(self) -> bool:
        try:
            handle = os.open(self.place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except PermissionError:
            # Windows says so of a file that is just being taken away.
            if self.place.exists():
                return False
            raise
        _HELD.add(self.token)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                about = {"token": self.token, "pid": os.getpid(), "host": platform.node(), "since": time.time()}
                json.dump(about, file)
        except BaseException:
            # A full disk: a lock that says nothing would hold the folder for a minute.
            with suppress(OSError):
                self.place.unlink()
            raise
        return True

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.place.read_bytes()[:4096])
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _is_stale(self) -> bool:
        found = self._read()
        pid = found.get("pid")
        if isinstance(pid, int) and 0 < pid < 1 << 32 and found.get("host") == platform.node():
            if pid == os.getpid():
                return found.get("token") not in _HELD
            if not is_running(pid):
                return True
        # A process of that number may be another one by now: then nobody touches the file.
        return self._seconds_untouched() > STALE

    def _seconds_untouched(self) -> float:
        """By the clock of the disk, which may be another machine's."""
        trial = self.place.with_name(f"{self.place.name}-{secrets.token_hex(4)}")
        try:
            trial.write_bytes(b"")
            return trial.stat().st_mtime - self.place.stat().st_mtime
        except OSError:
            return 0.0
        finally:
            with suppress(OSError):
                trial.unlink(missing_ok=True)

    def _break(self) -> None:
        """Take away what a dead process left. Of several that want to, one does: or it might be a new one that goes."""
        guard = self.place.with_name(f"{self.place.name}-breaking")
        try:
            os.close(os.open(guard, os.O_CREAT | os.O_EXCL))
        except OSError:
            with suppress(OSError):
                if time.time() - guard.stat().st_mtime > BREAKING:
                    guard.unlink()
            time.sleep(0.05)
            return
        try:
            if self._is_stale():
                with suppress(OSError):
                    self.place.unlink()
        finally:
            with suppress(OSError):
                guard.unlink()

    def _touch(self) -> None:
        while not self.done.wait(TOUCH):
            if self._read().get("token") != self.token:
                return
            with suppress(OSError):
                os.utime(self.place)

    def _held(self) -> Fault:
        found = self._read()
        who = f"process {found.get('pid', '?')} on {found.get('host', '?')}"
        with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
            who += f", since {datetime.fromtimestamp(float(found['since'])):%Y-%m-%d %H:%M}"
        return Fault(
            str(self.place.parent), None, "", f"another powderkeg works in this folder ({who})",
            f"another folder, or to wait for it; if there is no such process, remove {self.place.name}",
        )  # fmt: skip
