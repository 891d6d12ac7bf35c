"""A folder that keeps the finished parts of a long job, so that it can be killed at any moment and go on.

In: the job's identity, finished parts by number. Out: the parts that are there already. A part is written beside its
place and moved there when it is whole. Each bears a seal over what it holds, its number and its job: one that was cut
off, changed by hand or carried here from elsewhere is named and made again. One process at a time works in such a
folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from powderkeg.engine.simulation.chunks import Chunk
from powderkeg.errors import Fault, PowderkegError, PowderkegWarning, UsageError
from powderkeg.reading.stored import (
    AnyShape,
    MappingShape,
    RecordShape,
    StoredShape,
    TextShape,
    canonical,
    parsed,
    seal_of,
)
from powderkeg.version import __version__
from powderkeg.writing.files import FULL, DiskError, fault, is_of_disk, replacing
from powderkeg.writing.lock import Lock

_JOB = "job.json"
_LOCK = ".powderkeg-job-lock"
_MARK = b"\npowderkeg part "
MOST_NAMED = 5


@dataclass(frozen=True)
class PartKind:
    """How the parts of a job are kept.

    job     the word for what made the folder
    option  the name of the argument that gave it
    inside  the folder in it that the parts stand in, "" for itself
    name    of part 0
    seal    content and the seal's maker to bytes
    unseal  bytes and the seal's maker to content; None if the seal is not theirs
    """

    job: str
    option: str
    inside: str
    name: str
    seal: Callable[[Any, Callable[[bytes], str]], bytes]
    unseal: Callable[[bytes, Callable[[bytes], str]], Any]


def _seal_chunk(chunk: Chunk, sealed: Callable[[bytes], str]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **chunk._asdict())
    body = stream.getvalue()
    # After the archive, where readers of archives look over it.
    return body + _MARK + sealed(body).encode()


def _unseal_chunk(content: bytes, sealed: Callable[[bytes], str]) -> Chunk | None:
    body, _, seal = content.rpartition(_MARK)
    if seal != sealed(body).encode():
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        return Chunk(*(arrays[name] for name in Chunk._fields))


CHUNKS = PartKind("job", "checkpoint", "", "00000000.npz", _seal_chunk, _unseal_chunk)


def points_of(shape: StoredShape) -> PartKind:
    """Parts that are plain data of this shape, kept as JSON."""
    whole = RecordShape({"powderkeg point": TextShape(), "result": shape})

    def seal(result: Any, sealed: Callable[[bytes], str]) -> bytes:
        return json.dumps({"powderkeg point": sealed(canonical(result)), "result": result}, allow_nan=False).encode()

    def unseal(content: bytes, sealed: Callable[[bytes], str]) -> Any:
        found = parsed(content, whole, None, "a point of a sweep")
        return found["result"] if found["powderkeg point"] == sealed(canonical(found["result"])) else None

    return PartKind("sweep", "out", "points", "0000000.json", seal, unseal)


class JobFolder:
    """The folder of one job, held by this process from `with` to its end.

    Raises UsageError if it belongs to another job, cannot be written, or another process works in it.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], kind: PartKind = CHUNKS) -> None:
        self.path = path
        self.kind = kind
        # The C library's log and exp may differ in the last bit from machine to machine.
        own = {"version": __version__, "machine": platform.machine(), **identity}
        self.identity: dict[str, Any] = json.loads(json.dumps(own))
        self.job = seal_of(self.identity)
        self.spoiled: list[str] = []
        self.kept: set[int] = set()
        self._lock = Lock(path / _LOCK)

    def __enter__(self) -> JobFolder:
        path = self.path
        try:
            (path / self.kind.inside).mkdir(parents=True, exist_ok=True)
            self._lock.__enter__()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._claim()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, where)
        if kind is None and self.spoiled:
            named = ", ".join(sorted(self.spoiled)[:MOST_NAMED]) + (", ..." if len(self.spoiled) > MOST_NAMED else "")
            warnings.warn(
                f"{self.path}: {len(self.spoiled):,} kept part{'s' * (len(self.spoiled) > 1)} cut off, changed, or of "
                f"another job; made again: {named}",
                PowderkegWarning,
                stacklevel=2,
            )

    def _claim(self) -> None:
        """Raises UsageError unless the folder is this job's, or nobody's."""
        expected = f"an empty folder, or one that this {self.kind.job} made"
        try:
            content = (self.path / _JOB).read_bytes()
        except FileNotFoundError:
            if self._has_strange_files():
                raise self._fault("holds files of another kind", expected) from None
            try:
                self._put(_JOB, json.dumps(self.identity, indent=1).encode())
            except OSError as error:
                raise self._unusable(error) from error
            return
        except OSError as error:
            raise self._unusable(error) from error
        try:
            found = parsed(content, MappingShape(AnyShape()), str(self.path / _JOB), f"{expected}; or another folder")
        except UsageError as error:
            broken = self._fault("its job.json was cut off or changed", expected)
            raise UsageError([*broken.faults, *error.faults]) from error
        own = self.identity
        if canonical(found) != canonical(own):
            names = [name for name in {**own, **found} if canonical(found.get(name)) != canonical(own.get(name))]
            what = ", ".join("scenario or world" if name == "tables" else name for name in names)
            raise self._fault(f"made by a {self.kind.job} with another {what}", expected)

    def _has_strange_files(self) -> bool:
        inside = self.kind.inside
        return any(one.name[0] != "." and one.name != inside for one in self.path.iterdir()) or (
            bool(inside) and any((self.path / inside).glob("[!.]*"))
        )

    def read(self, number: int) -> Any:
        """Part `number`, or None if it is not there as it was written."""
        place = self._place(number)
        try:
            found = self.kind.unseal(place.read_bytes(), lambda body: self._seal(number, body))
        except FileNotFoundError:
            return None
        except Exception:
            # Whatever is wrong with it: the seal cannot be read, and the part is made again.
            found = None
        if found is None:
            self.spoiled.append(place.relative_to(self.path).as_posix())
        else:
            self.kept.add(number)
        return found

    def write(self, number: int, content: Any) -> None:
        """Keep a finished part. Raises DiskError if there is no room for it, LostError if the folder was taken over."""
        self._lock.check()
        place = self._place(number)
        try:
            self._put(
                place.relative_to(self.path).as_posix(),
                self.kind.seal(content, lambda body: self._seal(number, body)),
            )
        except Exception as error:
            if not is_of_disk(error):
                raise
            raise DiskError(
                fault(place, error, "room on the disk"),
                f"{self.said()}: with room there, the same job goes on from them",
            ) from error
        self.kept.add(number)

    def said(self) -> str:
        """What is kept, in words."""
        many = len(self.kept) != 1
        parts = f"{len(self.kept):,} finished part{'s' * many} of the {self.kind.job}"
        return f"{parts} {'are' if many else 'is'} kept in {self.path}"

    def _place(self, number: int) -> Path:
        stem, _, ending = self.kind.name.partition(".")
        return self.path / self.kind.inside / f"{number:0{len(stem)}d}.{ending}"

    def _seal(self, number: int, body: bytes) -> str:
        return hashlib.sha256(f"{self.job} {number} ".encode() + body).hexdigest()

    def _put(self, name: str, content: bytes) -> None:
        with replacing(self.path / name) as passing:
            passing.write_bytes(content)

    def _unusable(self, error: OSError) -> PowderkegError:
        """A full disk is no wrong use, whenever it is met."""
        if error.errno in FULL:
            return DiskError(fault(self.path, error, "room on the disk"), "nothing was run")
        return self._fault(f"cannot be used: {error.strerror}", "a folder that can be written to")

    def _fault(self, found: str, expected: str) -> UsageError:
        return UsageError(Fault(None, None, self.kind.option, f"{self.path}: {found}", expected))
