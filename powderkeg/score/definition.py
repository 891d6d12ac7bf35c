"""What does a record consist of: which table, which window, which lines, and what in a scenario answers to its columns?

In: a YAML file beside the table of facts (powderkeg/records/*.yaml, or a user's own). Out: a `RecordFile`, or every
fault of the file at once. Declared here once, field by field; docs/record.md shows how to write one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Final

from powderkeg.analyze import END_STATES
from powderkeg.errors import EventError, Fault, UsageError, nearest_name
from powderkeg.reading import (
    BROKEN,
    DURATION,
    SHARE,
    ByName,
    Choice,
    Day,
    Flag,
    Name,
    NotText,
    Reader,
    RecordKind,
    Several,
    Slip,
    Table,
    Text,
    Version,
    declare,
    decode,
    listed,
    parse,
)
from powderkeg.reading.quantity import Real
from powderkeg.scenario import EventPattern
from powderkeg.scenario.asked import EVENTS

SHORT: Final = Text(200)
FOLDER: Final = "records"
PLAIN: Final = "plain"
"""The built-in record of lines that any table can be held to."""

AFTERMATH: Final = "no record was computed"


@dataclass(frozen=True)
class Selection:
    """Which standoffs are meant; what is not given may be anything."""

    opener: tuple[str, ...] = declare(Several(Name()), "Who did the first act.", default=())
    end_state: tuple[str, ...] = declare(Several(Choice(END_STATES)), "How it ended.", default=())
    hurt: bool | None = declare(Flag(), "Whether anyone was hurt.", default=None)
    deaths: bool | None = declare(Flag(), "Whether anyone was killed.", default=None)
    longer_than: float | None = declare(
        Real(DURATION, least=0.0), "It lasted more calendar days than this, both ends counted.", default=None
    )
    mark: tuple[str, ...] = declare(Several(Name()), "It has one of these marks.", default=())


@dataclass(frozen=True)
class Mark:
    """Something that happened in a standoff: a column of the table, and acts of a scenario that mean the same."""

    column: str = declare(SHORT, "The column of the table.")
    acts: tuple[EventPattern, ...] = declare(
        Several(EVENTS, least=1), "The acts: one such act while the standoff lasts is enough."
    )
    has: str | None = declare(SHORT, "The word that the cell holds; any word where this is not given.", default=None)


@dataclass(frozen=True)
class Line:
    """One number, computed alike from the record and from simulated standoffs."""

    title: str = declare(SHORT, "The number in words.")
    rate: Selection | None = declare(
        RecordKind(Selection, "selection"), "How many such standoffs, `per` time.", default=None
    )
    share: Selection | None = declare(RecordKind(Selection, "selection"), "What share of the standoffs.", default=None)
    of: Selection | None = declare(
        RecordKind(Selection, "selection"), "Of which standoffs a share is taken.", default=None
    )
    sum: str | None = declare(Choice(("killed",)), "What is added up over the standoffs, `per` time.", default=None)
    per: str = declare(Choice(("year", "decade")), "The time that rates and sums are told for.", default="year")
    length: float | None = declare(
        Real(SHARE, above=0.0, most=1.0),
        "The calendar days that this share of the standoffs do not exceed.",
        default=None,
    )
    gap: str | None = declare(Choice(("mean", "median", "variation")), "Days from one onset to the next.", default=None)
    each: str | None = declare(Choice(("opener",)), "One share for each opener that the table names.", default=None)
    note: str = declare(SHORT, "What a reader should know when comparing.", default="")


QUESTIONS: Final = ("rate", "share", "sum", "length", "gap", "each")


@dataclass(frozen=True)
class Window:
    """The days that the record covers."""

    from_: date = declare(Day(), "First day.", key="from")
    to: date = declare(Day(), "Last day.")

    @property
    def days(self) -> int:
        return (self.to - self.from_).days + 1


@dataclass(frozen=True)
class RecordFile:
    """A record to hold a scenario against."""

    record: int = declare(Version(1), "Format version.")
    title: str = declare(SHORT, "What it is a record of.")
    lines: dict[str, Line] = declare(
        ByName(RecordKind(Line, "line", lambda line, *_: _line(line)), "line"), "The numbers that are compared."
    )
    about: str = declare(Text(20_000), "What a reader should know.", default="")
    table: str | None = declare(SHORT, "The table of facts, a CSV file beside this one.", default=None)
    window: Window | None = declare(
        RecordKind(Window, "window", lambda window, *_: _window(window)),
        "The days it covers.",
        default=None,
        spoken="from the first onset to the last day of the table",
    )
    marks: dict[str, Mark] = declare(
        ByName(RecordKind(Mark, "mark"), "mark"), "What happened in standoffs.", default={}
    )
    tuned: tuple[str, ...] = declare(
        Several(Name()),
        "Lines to which numbers of the scenario of the same name were fitted or moved by hand; a line with `each` "
        "stands for all it becomes.",
        default=(),
    )
    in_view: bool = declare(
        Flag(), "Whether the other lines were in view too when that scenario was written.", default=False
    )


def _window(window: Window) -> Iterator[Slip]:
    if window.to < window.from_:
        yield Slip("to", f"{window.to}, before from", f"{window.from_} or later")


def _line(line: Line) -> Iterator[Slip]:
    asked = [question for question in QUESTIONS if getattr(line, question) is not None]
    if not asked:
        yield Slip(None, "no question", f"one of {listed(QUESTIONS)}")
    for question in asked[1:]:
        yield Slip(question, f"a second question besides {asked[0]}", "one question; give the other a line of its own")
    if line.of is not None and line.share is None:
        yield Slip("of", "of what, where no share is asked", "a share beside it")


def _marks_known(record: RecordFile, reader: Reader, path: str) -> Iterator[Slip]:
    for name, line in record.lines.items():
        for part in ("rate", "share", "of"):
            selection = getattr(line, part)
            for mark in selection.mark if selection is not None else ():
                if mark not in record.marks:
                    reader.tell(
                        f"lines.{name}.{part}.mark",
                        reader.lines.get(f"lines.{name}.{part}.mark"),
                        f"unknown mark {mark!r}",
                        f"one of {listed(record.marks)}" if record.marks else "a mark of this file",
                        reader.nearest(mark, record.marks),
                    )
    yield from ()


RECORD: Final = RecordKind(RecordFile, "record", _marks_known)


def names() -> list[str]:
    """Names of the records that come with the package."""
    folder = resources.files("powderkeg") / FOLDER
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml") and entry.name != f"{PLAIN}.yaml"
    )


def load_record(name_or_path: str | Path) -> tuple[RecordFile, Any]:
    """A built-in record or a file, and the table's place: a file-like path, or None where the record names none.

    Raises UsageError if there is no such record, EventError with every fault of the file.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text in (*names(), PLAIN):
        folder: Any = resources.files("powderkeg") / FOLDER
        source = folder / f"{text}.yaml"
        shown = source.name
    else:
        source = Path(name_or_path)
        folder, shown = source.parent, text
        if not source.is_file():
            found = "a folder" if source.is_dir() else "no such record"
            expected = f"a built-in record ({', '.join(names())}) or a file"
            raise UsageError(Fault(text, None, "", found, expected, nearest_name(text, names())), AFTERMATH)
    made = _read(source.read_bytes(), shown)
    return made, None if made.table is None else folder / made.table


def _read(data: bytes, file: str) -> RecordFile:
    reader = Reader(file)
    record: Any = BROKEN
    try:
        tree = parse(decode(data), file, reader.faults)
    except NotText as error:
        raise EventError(Fault(file, error.line, "", error.found, error.expected), AFTERMATH) from None
    if isinstance(tree, Table):
        record = reader.read(RECORD, tree, "")
    elif not reader.faults:
        reader.tell("", None, "an empty file", "a record; its first line is `record: 1`")
    if reader.faults:
        raise EventError(sorted(reader.faults, key=lambda fault: fault.line or 0), AFTERMATH)
    made: RecordFile = record
    return made
