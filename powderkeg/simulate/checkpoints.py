"""A folder that keeps the finished parts of a long job.

In: the job's identity, finished chunks. Out: the chunks that are there already. A chunk is written beside its place
and moved there when it is whole, so a job killed at any moment leaves whole chunks and at most a stray temporary file.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from powderkeg import __version__
from powderkeg.engine.simulation.chunks import Chunk
from powderkeg.errors import Fault, UsageError

_JOB = "job.json"


class Folder:
    """The folder of one job. Raises UsageError if it belongs to another, or cannot be written."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        # The C library's log and exp may differ in the last bit from machine to machine.
        identity = {"version": __version__, "machine": platform.machine(), **identity}
        try:
            path.mkdir(parents=True, exist_ok=True)
            found = self._job()
            if found is None:
                if any(not child.name.startswith(".") for child in path.iterdir()):
                    raise _fault(path, "files of another kind", "an empty folder, or one that a job of this kind made")
                self._put(_JOB, json.dumps(identity, indent=1).encode())
        except OSError as error:
            raise _fault(path, f"cannot be used: {error.strerror}", "a folder that can be written") from error
        if found is not None and found != identity:
            names = [name for name in identity if found.get(name) != identity[name]]
            what = ", ".join("scenario or world" if name == "tables" else name for name in names)
            raise _fault(path, f"made by a job with another {what}", "an empty folder, or one that this job made")

    def read(self, number: int, n_replicates: int) -> Chunk | None:
        """Chunk `number`, or None if it is not there whole."""
        try:
            with self._place(number).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                chunk = Chunk(*(arrays[name] for name in Chunk._fields))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        whole = len(chunk.n_events) == n_replicates and int(chunk.n_events.sum()) == len(chunk.time)
        return chunk if whole else None

    def write(self, number: int, chunk: Chunk) -> None:
        """Keep a finished chunk."""
        try:
            self._put(self._place(number).name, chunk)
        except OSError as error:
            raise _fault(
                self.path, f"cannot be written: {error.strerror}", "room for the job; what was finished is kept"
            ) from error

    def _place(self, number: int) -> Path:
        return self.path / f"{number:08d}.npz"

    def _job(self) -> dict[str, Any] | None:
        try:
            text = (self.path / _JOB).read_text()
        except FileNotFoundError:
            return None
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}

    def _put(self, name: str, content: bytes | Chunk) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(content, Chunk):
                    np.savez(file, **content._asdict())
                else:
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _fault(path: Path, found: str, expected: str) -> UsageError:
    return UsageError(Fault(None, None, "checkpoint", f"{path}: {found}", expected))
