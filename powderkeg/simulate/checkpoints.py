"""A folder that keeps the finished parts of a long job, so that it can be killed at any moment and go on.

In: the job's identity, finished parts by number. Out: the parts that are there already. A part is written beside its
place and moved there when it is whole. Each bears a seal over what it holds, its number and its job: one that was cut
off, changed by hand or carried here from elsewhere is named and made again. One process at a time works in such a
folder; or several, each on a share of its own, and nobody else but the workers that they hand pieces out to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from powderkeg.errors import Fault, PowderkegError, UsageError, warn
from powderkeg.reading.stored import AnyShape, MappingShape, canonical, parsed, said, seal_of
from powderkeg.simulate.kept_pieces import CHUNKS, Buffer, PartKind
from powderkeg.simulate.plans import JobPlan, PartDone, share_of
from powderkeg.version import __version__
from powderkeg.writing.files import FULL, DiskError, fault, is_of_disk, replacing
from powderkeg.writing.lock import Lock

T = TypeVar("T")

JOB, ABOUT = "job.json", "about.json"
"""What must agree; and how the job is carried out: what was typed, in how many parts, the scenario in full."""
_LOCK, _PART_LOCK = ".powderkeg-job-lock", ".powderkeg-part-lock-{}"
PATIENCE = 20.0
"""Seconds that a part waits for others that look into the folder just then."""
LOOKS = (0.0, 0.2, 1.0, 3.0)
"""Seconds before each look for a piece that a worker has just kept: a network disk may show it a little later."""
MOST_NAMED = 5
MOST_SAID = 60
"""Letters of a value that is shown where two jobs differ."""


@dataclass(frozen=True)
class Shelf:
    """Where the pieces of a job stand, as it is told to who makes them elsewhere.

    folder  the job's
    job     seal of its identity
    """

    folder: Path
    job: str
    kind: PartKind

    def place(self, number: int) -> Path:
        """Of a piece."""
        stem, _, ending = self.kind.name.partition(".")
        return self.folder / self.kind.inside / f"{number:0{len(stem)}d}.{ending}"

    def seal(self, number: int, *body: Buffer) -> str:
        """The seal over what a piece holds, its number and its job."""
        digest = hashlib.sha256(f"{self.job} {number} ".encode())
        for piece in body:
            digest.update(piece)
        return digest.hexdigest()

    def sealed(self, number: int, content: Any) -> list[Buffer]:
        """A piece as it is kept."""
        return self.kind.seal(content, lambda *body: self.seal(number, *body))

    def keep(self, number: int, content: Any) -> bool:
        """Keep a piece from where it was made; False where the folder is not seen or written to from there."""
        try:
            if seal_of(json.loads((self.folder / JOB).read_bytes())) == self.job:
                _put(self.place(number), *self.sealed(number, content))
                return True
        except (OSError, ValueError, PowderkegError):
            pass  # whoever asked for the piece gets it, and says what is wrong with the folder
        return False


def _put(place: Path, *content: Buffer) -> None:
    with replacing(place) as passing, passing.open("wb") as stream:
        stream.writelines(content)


class JobFolder:
    """The folder of one job, held by this process from `with` to its end.

    Raises UsageError if it belongs to another job, cannot be written, or another process works in it.
    """

    def __init__(
        self, plan: str | os.PathLike[str] | JobPlan, identity: Mapping[str, Any], kind: PartKind = CHUNKS
    ) -> None:
        self.plan = plan if isinstance(plan, JobPlan) else JobPlan(plan)
        self.path = path = self.plan.path
        self.kind = kind
        # The C library's log and exp may differ in the last bit from machine to machine.
        own = {"version": __version__, "machine": platform.machine(), **identity}
        self.identity: dict[str, Any] = json.loads(json.dumps(own))
        self.shelf = Shelf(path.absolute(), seal_of(self.identity), kind)
        self.spoiled: set[str] = set()
        self.kept: set[int] = set()
        self.made: set[int] = set()
        self.pieces = 0
        self._lock = Lock(path / _LOCK) if self.plan.part is None else Lock(path / _PART_LOCK.format(self.plan.part))

    def __enter__(self) -> JobFolder:
        path = self.path
        try:
            (path / self.kind.inside).mkdir(parents=True, exist_ok=True)
            self._lock.__enter__()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            if self.plan.part is None:
                self._refuse_beside_parts()
                self._claim()
            else:
                with Lock(path / _LOCK, PATIENCE):
                    self._claim()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, where)
        if (kind is None or issubclass(kind, PartDone)) and self.spoiled:
            named = ", ".join(sorted(self.spoiled)[:MOST_NAMED]) + (", ..." if len(self.spoiled) > MOST_NAMED else "")
            warn(
                f"{self.path}: {len(self.spoiled):,} kept part{'s' * (len(self.spoiled) > 1)} cut off, changed, or of "
                f"another job; made again: {named}"
            )

    # What is there, what is ours to make

    def begin(self, pieces: int) -> range:
        """Numbers of the pieces to go through here, of so many; where they are to be gathered, all of them.

        Raises UsageError, naming the parts, if pieces are to be gathered that are not there.
        """
        self.pieces = pieces
        if not self.plan.gathers:
            return self.plan.share(pieces)
        numbers = {name: self._number(name) for name in self._names()}
        strange = [name for name, number in numbers.items() if number is None or number >= pieces]
        missing = [number for number in range(pieces) if not self._place(number).exists()]
        faults = [self._slip(f"holds {name}", "only pieces of this job, each once") for name in strange[:MOST_NAMED]]
        faults += self._missing(missing)
        if faults:
            raise UsageError(faults)
        return range(pieces)

    def finish(self) -> None:
        """All numbers of `begin` have been gone through. Raises PartDone where that is not the whole job."""
        if self.plan.part is None:
            return
        missing = self.pieces - sum(self._place(number).exists() for number in range(self.pieces))
        found = len(self.kept - self.made)
        raise PartDone(self.plan.part, self.plan.parts, len(self.made), found, missing, self.path)

    def get(self, number: int, make: Callable[[int], T]) -> T:
        """A piece as it was kept, or made and kept now."""
        found: T | None = self.read(number)
        return self.keep(number, make) if found is None else found

    def keep(self, number: int, make: Callable[[int], T]) -> T:
        """A piece that is made and kept now; None, of one that was stopped, is not kept."""
        self._refuse_to_make(number)
        made = make(number)
        if made is not None:
            self.write(number, made)
        return made

    def started(self, number: int, start: Callable[[int], Future[T]]) -> Future[T]:
        """The same where pieces are made elsewhere: what is kept already is at hand at once."""
        found = self.read(number)
        if found is None:
            self._refuse_to_make(number)
            return start(number)
        ready: Future[T] = Future()
        ready.set_result(found)
        return ready

    def _refuse_to_make(self, number: int) -> None:
        if self.plan.gathers:
            name = self._place(number).relative_to(self.path).as_posix()
            broken = self._fault(
                f"{name} was cut off, changed, or is of another job", f"it whole: {self._part_of(number)} once more"
            )
            raise broken

    def _missing(self, numbers: list[int]) -> list[Fault]:
        """A fault for each part that is not whole."""
        parts = self.plan.parts if self.plan.parts > 1 else self._parts_kept()
        if not numbers or parts == 1:
            told = f"{len(numbers):,} of {self.pieces:,} pieces are missing"
            return [self._slip(told, "all of them: the command itself, with --resume, makes them")] if numbers else []
        faults, wanted = [], {*numbers}
        for part in range(1, parts + 1):
            share = share_of(part, parts, self.pieces)
            gone = len(wanted.intersection(share))
            if gone:
                whole = "is missing" if gone == len(share) else f"lacks {gone:,} of its {len(share):,} pieces"
                faults.append(self._slip(f"part {part:,} of {parts:,} {whole}", f"what --part {part}/{parts} makes"))
        return faults

    def _part_of(self, number: int) -> str:
        parts = self._parts_kept()
        if parts == 1:
            return "the command itself, with --resume,"
        return next(f"--part {k}/{parts}" for k in range(1, parts + 1) if number in share_of(k, parts, self.pieces))

    def _parts_kept(self) -> int:
        found = self._about().get("parts", 1)
        return found if isinstance(found, int) and found >= 1 else 1

    def _names(self) -> list[str]:
        skipped = {JOB, ABOUT}
        return sorted(one.name for one in (self.path / self.kind.inside).glob("[!.]*") if one.name not in skipped)

    def _number(self, name: str) -> int | None:
        stem, _, ending = self.kind.name.partition(".")
        found = re.fullmatch(rf"([0-9]{{{len(stem)},}})\.{ending}", name)
        return int(found[1]) if found else None

    # Whose folder it is

    def _refuse_beside_parts(self) -> None:
        """Raises UsageError if a part is being made here just now."""
        for one in sorted(self.path.glob(_PART_LOCK.format("*"))):
            if re.fullmatch(r"[0-9]+", one.name.rpartition("-")[2]):
                with Lock(one):  # held by a living process: that is said, and who; left by a dead one: taken away
                    pass

    def _claim(self) -> None:
        """Raises UsageError unless the folder is this job's, or nobody's."""
        expected = f"an empty folder, or one that this {self.kind.job} made"
        try:
            content = (self.path / JOB).read_bytes()
        except FileNotFoundError:
            if self.plan.gathers:
                raise self._fault("holds no job", "a folder that parts of one were made in") from None
            if self._has_strange_files():
                raise self._fault("holds files of another kind", expected) from None
            try:
                self._put_about()
                self._put(JOB, json.dumps(self.identity, indent=1).encode())
            except OSError as error:
                raise self._unusable(error) from error
            return
        except OSError as error:
            raise self._unusable(error) from error
        try:
            found = parsed(content, MappingShape(AnyShape()), str(self.path / JOB), f"{expected}; or another folder")
        except UsageError as error:
            broken = self._fault("its job.json was cut off or changed", expected)
            raise UsageError([*broken.faults, *error.faults]) from error
        own = self.identity
        if canonical(found) != canonical(own):
            names = [name for name in {**own, **found} if canonical(found.get(name)) != canonical(own.get(name))]
            what = ", ".join("scenario or world" if name == "tables" else name for name in names)
            differ = "; ".join(self._differ(name, found.get(name), own.get(name)) for name in names)
            raise self._fault(f"made by a {self.kind.job} with another {what}: {differ}", expected)
        self._refuse_other_parts()

    def _differ(self, name: str, found: Any, own: Any) -> str:
        """In what two jobs differ, in words."""
        if name == "scenario":
            told = differences(self._about().get("scenario"), self.plan.about.get("scenario"))
            if told:
                more = f" and {len(told) - MOST_NAMED:,} more" if len(told) > MOST_NAMED else ""
                return f"{', '.join(told[:MOST_NAMED])}{more}"
        words = ("none" if one is None else json.dumps(one, ensure_ascii=False) for one in (found, own))
        there, here = (one if len(one) <= MOST_SAID else f"{one[:MOST_SAID]}..." for one in words)
        return f"{name} {there} there, {here} here"

    def _refuse_other_parts(self) -> None:
        """Raises UsageError if this is a share of another division than the one that the folder was begun with."""
        kept = self._about().get("parts")
        if self.plan.part is None or kept == self.plan.parts:
            return
        if isinstance(kept, int) and kept > 1:
            raise self._fault(
                f"begun in {kept:,} parts, this is one of {self.plan.parts:,}: pieces would be made twice",
                f"--part {min(self.plan.part, kept)}/{kept}, or another folder",
            )
        try:
            self._put_about()
        except OSError as error:
            raise self._unusable(error) from error

    def _about(self) -> dict[str, Any]:
        return read_about(self.path)

    def _put_about(self) -> None:
        if self.plan.about or self.plan.parts > 1:
            about = {"parts": self.plan.parts, **self.plan.about}
            self._put(ABOUT, json.dumps(about, ensure_ascii=False, indent=1).encode())

    def _has_strange_files(self) -> bool:
        inside = self.kind.inside
        known = {inside, ABOUT}
        return any(one.name[0] != "." and one.name not in known for one in self.path.iterdir()) or (
            bool(inside) and any((self.path / inside).glob("[!.]*"))
        )

    # One piece

    def read(self, number: int) -> Any:
        """Part `number`, or None if it is not there as it was written."""
        place = self._place(number)
        try:
            found = self.kind.unseal(place.read_bytes(), lambda *body: self.shelf.seal(number, *body))
        except FileNotFoundError:
            return None
        except Exception:
            # Whatever is wrong with it: the seal cannot be read, and the part is made again.
            found = None
        if found is None:
            self.spoiled.add(place.relative_to(self.path).as_posix())
        else:
            self.kept.add(number)
        return found

    def write(self, number: int, content: Any) -> None:
        """Keep a finished part. Raises DiskError if there is no room for it, LostError if the folder was taken over."""
        self._lock.check()
        place = self._place(number)
        try:
            self._put(place.relative_to(self.path).as_posix(), *self.shelf.sealed(number, content))
        except Exception as error:
            if not is_of_disk(error):
                raise
            raise DiskError(
                fault(place, error, "a disk that can be written to and has room"),
                f"{self.said()}: when it has, the same job goes on from them",
            ) from error
        self.kept.add(number)
        self.made.add(number)

    def taken(self, number: int, looks: Iterable[float] = LOOKS) -> Any:
        """A piece that a worker has kept just now; None if it is not seen from here, or not as it was made.

        looks  seconds before each look
        """
        self._lock.check()
        spoiled = {*self.spoiled}
        for seconds in looks:
            time.sleep(seconds)
            # A network disk remembers that a file was not there, until its folder is read again.
            with contextlib.suppress(OSError):
                _ = [*self._place(number).parent.iterdir()]
            found = self.read(number)
            if found is not None:
                self.spoiled = spoiled  # a look that came before all of it was there says nothing
                self.made.add(number)
                return found
        return None

    def said(self) -> str:
        """What is kept, in words."""
        many = len(self.kept) != 1
        parts = f"{len(self.kept):,} finished part{'s' * many} of the {self.kind.job}"
        return f"{parts} {'are' if many else 'is'} kept in {self.path}"

    def _place(self, number: int) -> Path:
        return self.path / self.kind.inside / self.shelf.place(number).name

    def _put(self, name: str, *content: Buffer) -> None:
        _put(self.path / name, *content)

    def _unusable(self, error: OSError) -> PowderkegError:
        """A full disk is no wrong use, whenever it is met."""
        if error.errno in FULL:
            return DiskError(fault(self.path, error, "a disk that has room"), "nothing was run")
        return self._fault(f"cannot be used: {error.strerror}", "a folder that can be written to")

    def _fault(self, found: str, expected: str) -> UsageError:
        return UsageError(self._slip(found, expected))

    def _slip(self, found: str, expected: str) -> Fault:
        return Fault.at(self.kind.option, f"{self.path}: {found}", expected)


def read_about(folder: Path) -> dict[str, Any]:
    """How the job of a folder is carried out; nothing where that is not kept, or was changed so that it is no JSON."""
    try:
        found = parsed((folder / ABOUT).read_bytes(), MappingShape(AnyShape()), str(folder / ABOUT), "plain data")
    except (OSError, UsageError):
        return {}
    return dict(found)


def differences(there: Any, here: Any, path: str = "") -> list[str]:
    """Where two plain data differ, key path by key path, with what stands in each."""
    if isinstance(there, dict) and isinstance(here, dict):
        return [
            told
            for name in {**there, **here}
            for told in differences(there.get(name), here.get(name), f"{path}.{name}" if path else str(name))
        ]
    if there == here or not path:
        return []
    return [f"{path} {said(there)} there, {said(here)} here"]
