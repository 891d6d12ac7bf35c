"""Where a long series of small results is kept, so that it can be killed at any moment and go on.

In: a folder and what identifies the job. Out: results by number, each whole or not there. A folder that belongs to
another job is refused by name.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from powderkeg import __version__
from powderkeg.errors import Fault, UsageError

JOB = "job.json"
POINTS = "points"


class Points:
    """Results of numbered points in a folder. Raises UsageError if it belongs to another job, or cannot be written."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        # The C library's log and exp may differ in the last bit from machine to machine.
        own = json.loads(json.dumps({"version": __version__, "machine": platform.machine(), **identity}))
        try:
            (path / POINTS).mkdir(parents=True, exist_ok=True)
            found = self._read(path / JOB)
            if found is None:
                strange = [child.name for child in path.iterdir() if child.name[0] != "." and child.name != POINTS]
                if strange or any((path / POINTS).glob("[!.]*")):
                    raise _fault(path, "holds other files", "an empty folder, or one that this sweep made")
                self._put(path / JOB, own)
        except OSError as error:
            raise _fault(path, f"cannot be used: {error.strerror}", "a folder that can be written to") from error
        if found is not None and found != own:
            other = ", ".join(name for name in own if found.get(name) != own[name]) or "job"
            raise _fault(path, f"made by a sweep with another {other}", "an empty folder, or one that this sweep made")

    def get(self, number: int) -> Any:
        """The result of a point, None if it is not there whole."""
        return self._read(self._place(number))

    def put(self, number: int, result: Any) -> None:
        """Keep the result of a point."""
        try:
            self._put(self._place(number), result)
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise _fault(self.path, what, "room for the sweep; what was finished is kept") from error

    def _place(self, number: int) -> Path:
        return self.path / POINTS / f"{number:07d}.json"

    @staticmethod
    def _read(place: Path) -> Any:
        try:
            return json.loads(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {} if place.name == JOB else None

    @staticmethod
    def _put(place: Path, content: Any) -> None:
        """Written beside its place and moved there when it is whole."""
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(place)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _fault(path: Path, found: str, expected: str) -> UsageError:
    return UsageError(Fault(None, None, "out", f"{path}: {found}", expected))
