"""How are the event files of a command to be read?

In: a command that wants a `ReadingOptions`. Out: the same command with every option of `read_events` in its place,
declared here once, so that whatever Python can be told about files can be told to each command that reads some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.options import STANDARD_INPUT, read_scenario, spread_out
from powderkeg.cli.screen import Screen
from powderkeg.errors import Fault, UsageError
from powderkeg.formats import NAMES as FORMAT_NAMES

if TYPE_CHECKING:
    from powderkeg.events import EventTable

PANEL = "How event files are read"


def _option(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=PANEL, **settings)


@dataclass(frozen=True)
class ReadingOptions:
    """The event files of a command, and what was said about them: each field is an argument or option."""

    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files, folders or patterns of any known format; - is standard input."),
    ]
    form: Annotated[str, _option("--format", help=f"{', '.join(FORMAT_NAMES)}; by default found and said.")] = "auto"
    maps: Annotated[
        list[str] | None,
        _option(
            "--map",
            metavar="FIELD=COLUMN",
            help="A column whose name does not say what it holds: time=Date, source=Who. [dim]repeatable[/]",
        ),
    ] = None
    codebook: Annotated[
        str | None,
        _option("--codebook", help="cameo, weis, plover, acled, ucdp, gtd, scad; else found from the codes."),
    ] = None
    date_format: Annotated[
        str | None,
        _option("--date-format", help="day-first, month-first, ..., or a pattern such as %d/%m/%y; by default found."),
    ] = None
    decimal: Annotated[
        str | None, _option("--decimal", help="The decimal mark of numbers: point or comma; by default found.")
    ] = None
    separator: Annotated[str | None, _option("--separator", help="The character between fields of a text.")] = None
    encoding: Annotated[
        str | None, _option("--encoding", help="That of text that is not UTF-8, such as cp1250 or latin-2.")
    ] = None
    sheet: Annotated[str | None, _option("--sheet", help="That of a workbook; by default the first with events.")] = (
        None
    )
    directed: Annotated[
        bool | None,
        _option(
            "--directed/--undirected",
            help="The first side acted on the second, or who acted is not known; by default what the format says.",
        ),
    ] = None
    start: Annotated[str | None, _option("--start", help="First day wanted, as 2018-01-31.")] = None
    end: Annotated[str | None, _option("--end", help="Last day wanted.")] = None
    max_lag: Annotated[
        float | None,
        _option(
            "--max-lag", min=0.0, help="Most days between an event and its entry in the data; later ones are dropped."
        ),
    ] = None
    doubles: Annotated[
        list[str] | None,
        _option(
            "--doubles",
            help="A policy that drops doubles: same_event (the default), same_day, mirrored, same_day_matched; or "
            "none. [dim]repeatable[/]",
        ),
    ] = None
    aliases: Annotated[
        Path | None, _option("--aliases", help="Your own names: a CSV file with columns name, actor.")
    ] = None
    touching: Annotated[
        str | None,
        _option(
            "--touching",
            metavar="ACTOR,...",
            help="With a scenario: keep only events with one of these actors on a side, such as kosovo,serbia.",
        ),
    ] = None
    skip_bad_files: Annotated[
        bool, _option("--skip-bad-files", help="List files at fault instead of stopping at the first.")
    ] = False

    def arguments(self, scenario: str | None) -> dict[str, Any]:
        """The arguments of `read_events` and `convert`, beside the files."""
        if scenario == STANDARD_INPUT and STANDARD_INPUT in self.files:
            found = "both the scenario and the events from standard input"
            raise UsageError(Fault.at("-", found, "one of them as a file"))
        return {
            "format": self.form,
            "mapping": mapping_of(self.maps),
            "codebook": self.codebook,
            "date_format": self.date_format,
            "decimal": self.decimal,
            "separator": self.separator,
            "encoding": self.encoding,
            "sheet": self.sheet,
            "directed": self.directed,
            "start": self.start,
            "end": self.end,
            "max_lag": self.max_lag,
            "doubles": doubles_of(self.doubles),
            "scenario": None if scenario is None else read_scenario(scenario),
            "aliases": self.aliases,
            "touching": self.actors,
            "bad_files": "skip" if self.skip_bad_files else "raise",
        }

    @property
    def actors(self) -> tuple[str, ...]:
        """Those that an event must touch; none for all."""
        return tuple(name.strip() for name in (self.touching or "").split(",") if name.strip())

    @property
    def paths(self) -> list[str | Path]:
        """The files that are read, which nothing may be written over."""
        return [*self.files, *([self.aliases] if self.aliases else [])]

    @property
    def what(self) -> str:
        """What is done, for the progress line."""
        return f"reading {len(self.files)} file{'' if len(self.files) == 1 else 's'}"

    @property
    def typed(self) -> list[str]:
        """The files and what was said about them, as it is typed: for a message that says what to do next."""
        names = {"form": "--format", "maps": "--map"}
        words = list(self.files)
        for one in fields(self)[1:]:
            value = getattr(self, one.name)
            if value == one.default:
                continue
            name = names.get(one.name, f"--{one.name.replace('_', '-')}")
            if isinstance(value, bool):
                words.append(name if value else "--undirected")
            else:
                words += [
                    word for part in (value if isinstance(value, list) else [value]) for word in (name, str(part))
                ]
        return words

    def table(self, screen: Screen, scenario: str | None = None, days_told: bool = False) -> EventTable:
        """The events of the files, matched to a scenario if one is given.

        days_told  what is done with them says itself how many days are not known: it is not said twice
        """
        from powderkeg.events import read_events
        from powderkeg.events.spans import words_for_unsure

        with screen.counting(self.what) as progress:
            table = read_events(list(self.files), progress=progress, **self.arguments(scenario))
        if not days_told and (words := words_for_unsure(table)):
            screen.say(words)
        return table


def reads_events(command: Callable[..., None]) -> Callable[..., None]:
    """The command, its parameter `reading` replaced by everything that can be said about the files.

    What the command asks for itself under a name of `ReadingOptions`, such as `files`, is not asked for twice.
    """
    return spread_out(ReadingOptions, "reading", command)


def mapping_of(maps: list[str] | None) -> dict[str, str] | None:
    """Field to column. Raises UsageError for what is no pair."""
    pairs = [item.partition("=") for item in maps or ()]
    faults = [
        Fault.at(f"--map {item}", "no column", "FIELD=COLUMN, such as time=Date")
        for item, (field, _, column) in zip(maps or (), pairs, strict=True)
        if not (field.strip() and column.strip())
    ]
    if faults:
        raise UsageError(faults)
    return {field.strip(): column.strip() for field, _, column in pairs} or None


def doubles_of(doubles: list[str] | None) -> tuple[str, ...]:
    """The policies that drop doubles; `none` alone drops nothing."""
    if doubles is None:
        return ("same_event",)
    return () if doubles == ["none"] else tuple(doubles)
