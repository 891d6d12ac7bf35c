"""How is a long job carried out: where are its finished pieces kept, and which of them are made here?

In: a folder; a share such as 3 of 100; perhaps that nothing is to be made, only put together. Out: the numbers of the
pieces that are ours. A piece is addressed by its number alone, so any split of them gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from powderkeg.errors import Fault, UsageError

MOST_PARTS = 100_000


@dataclass(frozen=True)
class JobPlan:
    """A long job's folder, and what this process does of it.

    folder   finished pieces are kept there, and read instead of made
    part, parts   this process makes share `part` (from 1 on) of `parts`; then `PartDone` is raised
    gathers  nothing is made: all pieces must be there, or UsageError names the parts that are missing
    about    plain data to keep beside the job: the resolved scenario, what was typed
    """

    folder: str | os.PathLike[str]
    part: int | None = None
    parts: int = 1
    gathers: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UsageError for a part that there cannot be."""
        whole = isinstance(self.parts, int) and 1 <= self.parts <= MOST_PARTS
        if not whole:
            raise UsageError(Fault.at("parts", str(self.parts), f"a whole number from 1 to {MOST_PARTS:,}"))
        if self.part is not None and not (isinstance(self.part, int) and 1 <= self.part <= self.parts):
            raise UsageError(Fault.at("part", f"{self.part}/{self.parts}", f"a part from 1 to {self.parts:,}"))

    @property
    def path(self) -> Path:
        return Path(self.folder)

    def share(self, pieces: int) -> range:
        """Numbers of the pieces that are made here."""
        if self.gathers:
            return range(0)
        return range(pieces) if self.part is None else share_of(self.part, self.parts, pieces)


def plan_of(given: str | os.PathLike[str] | JobPlan | None) -> JobPlan | None:
    """What an argument says that is a folder, or a plan, or nothing."""
    return given if given is None or isinstance(given, JobPlan) else JobPlan(given)


def share_of(part: int, parts: int, pieces: int) -> range:
    """Numbers of the pieces of share `part` of `parts`: as even as may be, in a row."""
    return range(pieces * (part - 1) // parts, pieces * part // parts)


class PartDone(Exception):
    """The share of a job that was asked for is made and kept; the whole is put together by whoever gathers."""

    def __init__(self, part: int, parts: int, made: int, found: int, missing: int, path: Path) -> None:
        self.part, self.parts, self.made, self.found, self.missing, self.path = part, parts, made, found, missing, path
        super().__init__(self.words())

    def words(self) -> str:
        """What is there by now."""
        many = self.made + self.found
        told = f"part {self.part:,} of {self.parts:,}: {many:,} piece{'s' * (many != 1)} kept in {self.path}"
        if self.found:
            told += f", {self.found:,} of them from before"
        if self.missing:
            return f"{told}; {self.missing:,} of other parts are still to be made"
        return f"{told}; all parts are there"
