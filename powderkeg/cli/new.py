"""The command that starts a scenario file: a small one that runs, or one drawn up from events.

In: where to write, and perhaps event files. Out: a commented scenario.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from powderkeg.cli.events import tell_rows
from powderkeg.cli.folder import Destination
from powderkeg.cli.options import AsJson, Quiet
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen
from powderkeg.errors import EventError, Fault, UsageError
from powderkeg.wording import counted
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.draft import Thresholds
    from powderkeg.events import EventTable
    from powderkeg.scenario import Scenario

MOST = 200
"""Actors of a draft."""
LEAST_SURE = 0.35
"""Least probability of what a draft takes from a report: it is read over anyway."""


@reads_events
def new(
    reading: ReadingOptions,
    out: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The scenario file to write.")],
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--from", metavar="EVENTS", help="Draw it up from these events: who acts, by what, how often. "
            "[dim]repeatable[/]"
        ),
    ] = None,
    reports: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-report", metavar="REPORT", help="Draw it up from what reports tell: who, what, who backs whom. "
            "[dim]repeatable[/]"
        ),
    ] = None,
    day: Annotated[str | None, typer.Option("--date", help="The day of reports that say none.")] = None,
    desk: Annotated[
        bool, typer.Option("--desk", help="Write a desk file instead: what `powderkeg desk` does every night.")
    ] = False,
    actors: Annotated[
        int | None, typer.Option(min=2, max=MOST, help="With --from: at most so many actors. By default up to eight.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Start a scenario file: a small one that runs, or one drawn up from your events; or a desk file.

    [bold]Example:[/] powderkeg new mine.yaml --from events.csv
    """
    from powderkeg.draft import drawn_up, start, written
    from powderkeg.draft.naming import file_name
    from powderkeg.scenario import loads

    screen = Screen(as_json, quiet)
    if out.exists() and not force:
        raise UsageError(Fault(str(out), None, "", "a file that is there already", "another name, or --force"))
    if desk:
        _desk(screen, Destination(out, [*reading.paths] if files else []), files or ())
        return
    if actors is not None and not files:
        raise UsageError(Fault.at("--actors", "without events", "--from EVENTS"))
    if files and reports:
        raise UsageError(Fault.at("--from-report", "events and reports at once", "one of the two"))
    place = Destination(out, [*reading.paths] if files else [*(reports or ())])
    name = file_name(out)
    if reports:
        text = drawn_from(screen, reports, day, name)
    elif files:
        table = reading.table(screen)
        tell_rows(screen, table.account, table.quarantine)
        draft = drawn_up(table, name, shown_names(files), actors, on_the_usual)
        text = written(draft)
        if draft.n_left_out:
            others = counted(draft.n_left_out, "other actor was", "other actors were")
            more = "" if actors == MOST else "; --actors takes more"
            screen.say(
                f"{draft.of():,} of {counted(draft.rows, 'event')} are among those taken; {others} left out{more}."
            )
    else:
        text = start(name)
    read = loads(text)
    place.write(text_of(text))
    found = {"actors": len(read.actors), "acts": len(read.acts), "moves": len(read.moves),
             "mechanisms": len(read.mechanisms)}  # fmt: skip
    screen.data({"out": str(out), "scenario": read.name, **found})
    screen.say(f"Written to {out}: {', '.join(counted(number, what[:-1]) for what, number in found.items())}.")
    asked = text.count("ASKED:")
    if asked:
        what = "reports" if reports else "events"
        screen.say(f"What the {what} cannot say is asked for in {counted(asked, 'comment')}, marked ASKED.")
    fitted = out.with_name(f"{out.stem}-fitted.yaml")
    words = ["fit", str(out), *reading.typed, "--out", str(fitted)] if files else ["run", str(out)]
    screen.say(f"Next: powderkeg {shlex.join(words)}")


def on_the_usual(events: EventTable, scenario: Scenario) -> Thresholds | None:
    """Where standoffs open and close on top of what is usual in these events; None where nothing is."""
    from powderkeg.analyze import relative_rules
    from powderkeg.analyze.episodes import Rules
    from powderkeg.draft import Thresholds

    raised, plain = relative_rules(events, scenario), Rules()
    usual = raised.closes_at - plain.closes_at
    return Thresholds(raised.opens_at, raised.closes_at, usual) if usual > 0 else None


def _desk(screen: Screen, place: Destination, files: Sequence[str]) -> None:
    """An example of a desk file, over these event files."""
    from powderkeg.forecast.desk import EXAMPLE

    events = ", ".join(json.dumps(name) for name in files) or "events"
    place.write(text_of(EXAMPLE.format(scenario="fitted.yaml", events=events, folder="desk")))
    screen.data({"out": str(place.path)})
    screen.say(f"Written to {place.path}. Name your scenario and your events in it, then: powderkeg desk {place.path}")


def drawn_from(screen: Screen, reports: list[Path], day: str | None, name: str) -> str:
    """A scenario from what reports tell. Reports without a day are taken as of today, and that is said: a draft
    needs to know in which order things happened more than when."""
    from powderkeg.draft.reported import from_report
    from powderkeg.text import code

    try:
        coded = code(reports, day, least=LEAST_SURE)
    except EventError as error:
        if day is not None or any(fault.found != "no date" for fault in error.faults):
            raise
        today = date.today().isoformat()
        screen.say(f"The report says no day: taken as {today}, today; --date says another.")
        coded = code(reports, today, least=LEAST_SURE)
    return from_report(coded, name, shown_names([str(one) for one in reports]))


def shown_names(files: list[str]) -> list[str]:
    """Files by name alone: a scenario is passed on, folders of its author's are not."""
    return ["standard input" if one == "-" else Path(one).name for one in files]
