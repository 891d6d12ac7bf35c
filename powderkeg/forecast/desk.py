"""What does an early-warning desk do every night, and with what?

In: a YAML file. Out: a `Desk`, or every fault of the file by its line. Declared here once, field by field; the schema
and the page docs/desk.md follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from powderkeg.errors import Fault, UsageError
from powderkeg.events.prepare import DOUBLES
from powderkeg.formats import FIELDS, NAMES
from powderkeg.reading import (
    BROKEN,
    ByName,
    Choice,
    Day,
    Flag,
    Name,
    NotText,
    Reader,
    RecordKind,
    Schema,
    Several,
    Slip,
    Table,
    Text,
    Version,
    declare,
    decode,
    json_schema,
    parse,
)
from powderkeg.reading.quantity import NUMBER, SHARE, Real

PLACE: Final = Text(1000)
AFTERMATH: Final = "nothing was run"
FIRST_LINE: Final = "a desk; its first line is `desk: 1`"


@dataclass(frozen=True)
class DeskReading:
    """How event files are read; what is not said is found."""

    format: str = declare(Choice(("auto", *NAMES)), "Their format.", default="auto")
    columns: dict[str, str] = declare(
        ByName(PLACE, "field"), "Columns whose names do not say what they hold, field by field.", default={}
    )
    start: Any = declare(Day(), "First day wanted.", default=None, spoken="the first of the files")
    doubles: tuple[str, ...] = declare(
        Several(Choice(tuple(DOUBLES))), "Policies that drop doubles.", default=("same_event",)
    )
    touching: tuple[str, ...] = declare(Several(Name()), "Only events with one of these actors on a side.", default=())
    aliases: str | None = declare(PLACE, "Your own names: a CSV file with columns name, actor.", default=None)


@dataclass(frozen=True)
class DeskFit:
    """How the scenario's mechanisms are fitted again."""

    every: float = declare(Real(NUMBER, least=1.0, most=3660.0), "Days after which a fit is made anew.", default=30.0)
    days: float | None = declare(
        Real(NUMBER, least=60.0), "Days before the origin that it sees.", default=None, spoken="all"
    )
    background: str = declare(
        Text(40), "The background's course, as `powderkeg fit --background` takes it.", default="blocks180"
    )


@dataclass(frozen=True)
class Desk:
    """A nightly round."""

    desk: int = declare(Version(1), "Format version.")
    scenario: str = declare(PLACE, "A scenario file, or the name of one that comes along.")
    events: tuple[str, ...] = declare(
        Several(PLACE, least=1), "Event files, folders or patterns; read anew every night."
    )
    folder: str = declare(PLACE, "Where forecasts, scores and the page are kept.")
    reading: DeskReading = declare(
        RecordKind(DeskReading, "reading", lambda one, *_: _reading(one)), "How event files are read.",
        default=DeskReading(), spoken="as found",
    )  # fmt: skip
    fit: DeskFit | None = declare(
        RecordKind(DeskFit, "fit"), "How mechanisms are fitted again.", default=None,
        spoken="the scenario's numbers as they stand",
    )  # fmt: skip
    horizons: tuple[float, ...] = declare(
        Several(Real(NUMBER, least=1.0, most=3660.0), least=1), "Days ahead that are scored; the longest is foretold.",
        default=(1.0, 7.0, 30.0),
    )  # fmt: skip
    draws: float = declare(Real(NUMBER, least=10.0, most=100_000.0), "Histories ahead.", default=1000.0)
    seed: float = declare(Real(NUMBER, least=0.0), "Seed; each night adds its day.", default=1.0)
    level: float = declare(Real(SHARE, above=0.0, most=0.999), "Of the intervals.", default=0.9)
    by: str = declare(Choice(("dyad", "class")), "What is scored: dyads, or dyads by class of act.", default="dyad")
    pool: bool = declare(
        Flag(), "How many acts is told from a pool of the model's draws with weighted means of each dyad's past.",
        default=True,
    )  # fmt: skip
    drop_unmatched: bool = declare(Flag(), "Leave out acts that no move of the scenario allows.", default=True)
    wait: float = declare(
        Real(NUMBER, least=0.0, most=60.0), "Days that reports are given to come in before a forecast is scored.",
        default=0.0,
    )  # fmt: skip

    @property
    def days(self) -> int:
        """How many days ahead are foretold."""
        return int(max(self.horizons))


def _reading(one: DeskReading) -> Iterator[Slip]:
    for name in one.columns:
        if name not in FIELDS:
            yield Slip("columns", f"unknown field {name!r}", f"one of {', '.join(FIELDS)}")


def _desk(one: Desk, reader: Reader, path: str) -> Iterator[Slip]:
    for name in ("draws", "seed"):
        if getattr(one, name) != int(getattr(one, name)):
            yield Slip(name, f"{getattr(one, name):g}", "a whole number")
    if any(days != int(days) for days in one.horizons):
        yield Slip("horizons", ", ".join(f"{days:g}" for days in one.horizons), "whole numbers of days")


KIND: Final = RecordKind(Desk, "desk", _desk)

EXAMPLE: Final = """\
desk: 1

# A scenario file (best one that `powderkeg fit --out` wrote), or the name of one that comes along.
scenario: {scenario}

# Files, folders or patterns. They are read anew every night: put new files beside the old ones.
events: [{events}]

# Forecasts, scores and the page. Nothing in it is ever changed by a later night but the page and the scores.
folder: {folder}

horizons: [1, 7, 30]
draws: 1000
by: dyad # or class: words or deeds, cooperation or conflict

# Acts that no move of the scenario allows are left out; false: the night stops at them.
drop_unmatched: true

# Mechanisms fitted again; without this part the scenario's numbers stand.
# fit: {{every: 30, days: 1500}}

# How files are read, where that is not found.
# reading: {{format: auto, doubles: [same_event, mirrored, same_day_matched]}}
"""


def load_desk(path: str | Path) -> Desk:
    """The desk of a file. Raises UsageError with every fault, by line."""
    place = Path(path)
    try:
        data = place.read_bytes()
    except OSError as error:
        found = "no such file" if not place.exists() else "a folder" if place.is_dir() else "a file that cannot be read"
        raise UsageError(Fault(str(path), None, "", found, FIRST_LINE), AFTERMATH) from error
    reader = Reader(str(path))
    made: Any = BROKEN
    try:
        tree = parse(decode(data), str(path), reader.faults)
    except NotText as error:
        raise UsageError(Fault(str(path), error.line, "", error.found, error.expected), AFTERMATH) from None
    if isinstance(tree, Table):
        made = reader.read(KIND, tree, "")
    elif not reader.faults:
        reader.tell("", None, "no mapping", FIRST_LINE)
    if reader.faults:
        raise UsageError(sorted(reader.faults, key=lambda fault: fault.line or 0), AFTERMATH)
    read: Desk = made
    return read


def schema() -> Schema:
    """The JSON Schema of desk files, for editors."""
    return json_schema(KIND, "A nightly round of powderkeg")
