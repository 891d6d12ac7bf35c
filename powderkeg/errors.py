"""What went wrong, told to the person with the file open.

In: facts about one slip (place, found, expected, nearest). Out: exceptions that carry every fault as data.
Nothing here knows scenarios, events or models.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Final

LONGEST_FOUND: Final = 60
"""Characters of a value that a message repeats."""
ASKED: Final = "?"
"""Stands for the value of an argument that a message only names."""


@dataclass(frozen=True)
class Argument:
    """An argument of a function, as a message names it; each face of the package writes it in its own way.

    value  what to give; ASKED where only the argument is named
    """

    name: str
    value: object = ASKED

    def __str__(self) -> str:
        return f"`{self.name}`" if self.value is ASKED else f"{self.name}={self.value!r}"


class Words(str):
    """A text that knows which arguments it names: as a string it is written for Python.

    Parts are kept when texts are added up with +; an f-string makes a plain string of them.
    """

    parts: tuple[str | Argument, ...]

    def __new__(cls, *parts: str | Argument) -> Words:
        flat = [one for part in parts for one in (part.parts if isinstance(part, Words) else (part,))]
        made = super().__new__(cls, "".join(map(str, flat)))
        made.parts = tuple(flat)
        return made

    def __add__(self, other: str) -> Words:
        return Words(self, other)

    def __radd__(self, other: str) -> Words:
        return Words(other, self)

    def written(self, face: Callable[[Argument], str]) -> str:
        """The text with its arguments as a face writes them."""
        return "".join(face(part) if isinstance(part, Argument) else part for part in self.parts)


def argument(name: str, value: object = ASKED) -> Words:
    """The name of an argument, with a value where one is to be given, as part of a message."""
    return Words(Argument(name, value))


def joined(between: str, texts: Iterable[str]) -> Words:
    """What `between.join(texts)` gives, its arguments kept."""
    parts = [part for text in texts for part in (between, text)]
    return Words(*parts[1:])


@dataclass(frozen=True)
class Fault:
    """One slip in an input: where it is, what stands there, what was expected.

    file      the file's name as the user gave it, or None
    line      1-based line number, or None
    path      key path such as `mechanisms.retaliation.half_life`, or ""
    found     what stands there, in words: "unknown act 'moblize'", "-3 days"
    expected  what would have been right, or ""
    nearest   the nearest valid name, or None
    """

    file: str | None
    line: int | None
    path: str
    found: str
    expected: str = ""
    nearest: str | None = None

    @classmethod
    def of(cls, found: str, expected: str = "", nearest: str | None = None) -> Fault:
        """A slip that has no place in a file, and no key path: an argument, or a whole input."""
        return cls(None, None, "", found, expected, nearest)

    @classmethod
    def at(cls, path: str, found: str, expected: str = "", nearest: str | None = None) -> Fault:
        """A slip at a key path of something that was not read from a file, or whose line is not known."""
        return cls(None, None, path, found, expected, nearest)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        head = ": ".join(part for part in (place, self.path, self.found) if part)
        lines = [head]
        if self.expected:
            lines.append(f"    expected {self.expected}")
        if self.nearest is not None:
            lines.append(f"    nearest: {self.nearest!r}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | int | None]:
        """The fault as plain data, for `--json`."""
        return asdict(self)


class PowderkegError(Exception):
    """An input is at fault. `faults` holds every slip found; `aftermath` says what was not done because of them."""

    aftermath = "nothing was run"

    def __init__(self, faults: Iterable[Fault] | Fault | str, aftermath: str | None = None) -> None:
        if isinstance(faults, str):
            faults = Fault.of(faults)
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        if aftermath is not None:
            self.aftermath = aftermath
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.faults)
        tail = f"{count} fault{'' if count == 1 else 's'}; {self.aftermath}."
        return "\n".join([*(str(fault) for fault in self.faults), tail])


class ScenarioError(PowderkegError):
    """A scenario file, or an edit of one, is at fault."""


class EventError(PowderkegError):
    """An event file or table is at fault."""


class ModelError(PowderkegError):
    """A scenario is well formed but cannot be made into a model, or a model cannot do what was asked."""


class FitError(PowderkegError):
    """The data cannot answer what the fit was asked."""


class UsageError(PowderkegError):
    """A command or a function was called with arguments that cannot be met."""


class PowderkegWarning(UserWarning):
    """Something a careful reader would look at next."""


def must_be(name: str, given: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Raises UsageError, with what was found and what is expected, for an argument of none of these kinds."""
    if not isinstance(given, kinds):
        raise UsageError(Fault.at(name, as_found(given), expected))


def as_found(given: object) -> str:
    """What was given in place of something else, as a message tells it: a short value itself, else its kind."""
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    if given is None or isinstance(given, str | int | float):
        shown = repr(given)
        return shown if len(shown) <= LONGEST_FOUND else f"{shown[:LONGEST_FOUND]}..."
    kind = type(given).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def warn(text: str) -> None:
    """Issue a PowderkegWarning that points at the line outside of this package from which it was called.

    How many calls lie between depends on the way: `simulate` is called by a reader, by `compare` and by the facade.
    """
    frame: FrameType | None = sys._getframe()
    above = 0
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]:
        frame, above = frame.f_back, above + 1
    warnings.warn(text, PowderkegWarning, stacklevel=above + 1)


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The valid name that looks most like `name`, or None if none is close."""
    close = difflib.get_close_matches(str(name), [str(n) for n in names], n=1, cutoff=0.6)
    return close[0] if close else None


def no_attribute(module: str, name: str, names: Iterable[str]) -> AttributeError:
    """What a module says of a name that it does not have, with the nearest of those that it has.

    Python itself tells the nearest where it prints a traceback; a notebook and a log have the message alone.
    """
    near = None if name.startswith("_") else nearest_name(name, names)
    return AttributeError(
        f"module {module!r} has no attribute {name!r}" + (f"; nearest: {near!r}" if near is not None else "")
    )
