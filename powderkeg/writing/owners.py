"""Whose is what lies about under a passing name: of a process that still runs, or of one that was killed?

In: names. Out: names that tell host and process; whether that process still runs.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

PREFIX = ".powderkeg-"
OLD = 86_400.0
"""Seconds after which what another machine left in a shared folder is taken for left behind."""

_NAME = re.compile(
    r"\.?powderkeg-(?P<kind>[a-z]+)-(?P<host>[0-9a-f]{6})-(?P<pid>[0-9]{1,10})-(?P<token>[0-9a-f]{8})(-.*)?"
)
_OWN: set[str] = set()
"""The tokens of this process: a name with its number and another token is of an earlier one of that number."""


def host() -> str:
    """This machine, in six letters that may stand in a name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def passing_name(kind: str, ending: str = "") -> str:
    """A name that nothing else has, which tells what made it. It begins with a dot and keeps the ending."""
    token = secrets.token_hex(4)
    _OWN.add(token)
    return f"{PREFIX}{kind}-{host()}-{os.getpid()}-{token}{'-' + ending if ending else ''}"


def is_running(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_running_on_windows(pid: int) -> bool:
    """`os.kill` would end the process there, whatever the signal."""
    # By its name, because its Windows part is typed on Windows only.
    ctypes: Any = import_module("ctypes")
    limited_information, access_denied, still_active = 0x1000, 5, 259
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle = kernel.OpenProcess(limited_information, False, pid)
    if not handle:
        return bool(ctypes.get_last_error() == access_denied)
    code = ctypes.c_ulong()
    known: int = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    is_over = known != 0 and code.value != still_active
    return not is_over


def is_left_behind(place: Path) -> bool:
    """Whether a file or folder has a passing name of ours and its process is gone."""
    found = _NAME.fullmatch(place.name)
    if found is None:
        return False
    if found["host"] == host():
        if int(found["pid"]) == os.getpid():
            return found["token"] not in _OWN
        return not is_running(int(found["pid"]))
    try:
        inside = place.iterdir() if place.is_dir() else ()
        newest: float = max(one.lstat().st_mtime for one in (place, *inside))
    except OSError:
        return False
    return time.time() - newest > OLD


def left_behind(folder: Path, *kinds: str) -> list[Path]:
    """What killed processes left in a folder."""
    try:
        found = [one for one in folder.iterdir() if one.name.startswith(PREFIX)]
    except OSError:
        return []
    return sorted(one for one in found if kind_of(one) in kinds and is_left_behind(one))


def kind_of(place: Path) -> str:
    """The kind that a passing name tells, "" if it is none of ours."""
    found = _NAME.fullmatch(place.name)
    return found["kind"] if found else ""


def remove(place: Path) -> None:
    """Take a file or folder of ours away, if it can be."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink(missing_ok=True)
