"""`powderkeg score`: how good were frozen forecasts, now that their days have come?

In: frozen forecasts and event files, in any order. Out: the scoreboard, beside the baselines from the same past.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.folder import Folder
from powderkeg.cli.forecast import show_scores, write_scores
from powderkeg.cli.options import AsJson, Quiet, Seed
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen, say_error
from powderkeg.errors import Fault, UsageError

if TYPE_CHECKING:
    from powderkeg.events import EventTable
    from powderkeg.forecast.frozen import Frozen


@reads_events
def score(
    reading: ReadingOptions,
    by: Annotated[
        str, typer.Option(help="class (dyads by words or deeds, cooperation or conflict) or dyad.")
    ] = "class",
    seed: Seed = 1,
    level: Annotated[float, typer.Option(help="Of the intervals, above 0 and below 1.")] = 0.9,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", file_okay=False, help="Folder for the page and the tables.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score frozen forecasts by what came: log score, CRPS and more, beside the baselines of the field.

    FILE... are files that `powderkeg forecast --freeze` wrote, or folders of them, and event files that hold the past
    they were made from and the days that they foretold. Files whose days have not come are named and left out.

    [bold]Example:[/] powderkeg score forecasts icews.tab --out scoreboard
    """
    screen = Screen(as_json, quiet)
    folder = None if out is None else Folder(out, reading.paths)
    if by not in ("class", "dyad"):
        raise UsageError(Fault.at("--by", repr(by), "class or dyad"))
    frozen, others = split(reading.files)
    events = read_for(screen, replace(reading, files=others), frozen[0])

    from powderkeg.forecast.scoreboard import not_yet, score_frozen

    due = [one for one in frozen if not_yet(one, events) is None]
    waiting = [f"{one.path}: {not_yet(one, events)}" for one in frozen if one not in due]
    if not due:
        raise UsageError([Fault(str(one.path), None, "", str(not_yet(one, events)), "later events") for one in frozen])
    for words in waiting:
        say_error(f"note: {words}")
    with screen.waiting(f"scoring {len(due)} forecast{'s' * (len(due) > 1)}"):
        found = score_frozen(due, events, by, level, seed)
    screen.data(found.as_dict() | {"waiting": waiting})
    for note in found.notes:
        screen.say(note)
    show_scores(screen, found)
    if folder is not None:
        scenario = frozen[0].scenario
        with screen.waiting("writing"), folder.results("score", scenario, seed):
            write_scores(folder, found, scenario.title or scenario.name, waiting)
        for line in folder.said():
            screen.say(line)
        screen.say(f"Open {(folder.path / 'scores.html').resolve()}")


def split(files: list[str]) -> tuple[list[Frozen], list[str]]:
    """Frozen forecasts, event files. Raises UsageError where one of the two is missing."""
    from powderkeg.forecast.frozen import frozen_in, is_frozen, read_frozen
    from powderkeg.scenario import digest

    within = {name: frozen_in(Path(name)) for name in files if Path(name).is_dir()}
    alone = [name for name in files if Path(name).is_file() and is_frozen(Path(name))]
    frozen = [read_frozen(path) for path in [*map(Path, alone), *(path for found in within.values() for path in found)]]
    others = [name for name in files if name not in alone and not within.get(name)]
    if not frozen:
        raise UsageError(Fault.at("FILE...", "no frozen forecast among them", "files of powderkeg forecast --freeze"))
    if not others:
        raise UsageError(Fault.at("FILE...", "only frozen forecasts", "event files with the days that they foretold"))
    strange = [one for one in frozen[1:] if digest(one.scenario) != digest(frozen[0].scenario)]
    if strange:
        raise UsageError(
            Fault(
                str(one.path),
                None,
                "scenario",
                f"another scenario than that of {frozen[0].path}",
                "one scenario at a time",
            )
            for one in strange
        )
    return frozen, others


def read_for(screen: Screen, reading: ReadingOptions, one: Frozen) -> EventTable:
    """The events, matched to the scenario that the forecast keeps."""
    from powderkeg.events import read_events

    options: dict[str, Any] = reading.arguments(None) | {"scenario": one.scenario}
    with screen.counting(reading.what) as progress:
        return read_events(list(reading.files), progress=progress, **options)
