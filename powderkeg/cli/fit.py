"""`powderkeg fit`: a scenario's numbers from events.

In: a scenario and event files. Out: estimates with their errors on the screen; with --out a scenario to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from powderkeg.cli.events import Aliases, Doubles, End, Files, Form, Maps, Start, load_events
from powderkeg.cli.folder import Folder
from powderkeg.cli.options import AsJson, Quiet, Sets, read_scenario
from powderkeg.cli.screen import Screen


def fit(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario file, or a name that comes along.")],
    files: Files,
    sets: Sets = None,
    free: Annotated[
        list[str] | None,
        typer.Option(
            "--free", metavar="PATH", help="Estimate these and hold the rest; * is any letters. [dim]repeatable[/]"
        ),
    ] = None,
    fix: Annotated[
        list[str] | None, typer.Option("--fix", metavar="PATH", help="Hold these. [dim]repeatable[/]")
    ] = None,
    use_ranges: Annotated[bool, typer.Option("--use-ranges", help="The file's ranges are priors.")] = False,
    likelihood: Annotated[
        str | None, typer.Option(help="exact or day; by default what the stamps of the events are good for.")
    ] = None,
    background: Annotated[
        str, typer.Option(help="Course of the background: auto (by AIC), scenario, constant, season, blocks365, ...")
    ] = "auto",
    exposure: Annotated[
        str | None, typer.Option(help="coverage: how densely the source reported scales the background.")
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals, above 0 and below 1.")] = 0.9,
    drop_unmatched: Annotated[
        bool, typer.Option("--drop-unmatched", help="Leave out events that no move of the scenario allows.")
    ] = False,
    checks: Annotated[
        bool, typer.Option("--checks/--no-checks", help="Hold the fit against simulations of it.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="Write the scenario with the estimates here.")
    ] = None,
    form: Form = "auto",
    maps: Maps = None,
    aliases: Aliases = None,
    start: Start = None,
    end: End = None,
    doubles: Doubles = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Estimate a scenario's numbers from events: how many answers an act draws, how fast, and how sure that is.

    [bold]Example:[/] powderkeg fit north-kosovo icews.tab --fix moves --out fitted.yaml
    """
    screen = Screen(as_json, quiet)
    read = read_scenario(scenario, sets)
    folder = None if out is None else Folder(out.parent)
    events = load_events(screen, files, form, maps, scenario, aliases, start, end, doubles)

    from powderkeg.fit import fit as fit_model
    from powderkeg.scenario import dump

    with screen.waiting(f"fitting {len(events):,} events"):
        found = fit_model(
            read, events, free=free, fix=fix, use_ranges=use_ranges, likelihood=likelihood, background=background,
            exposure=exposure, level=level, unmatched="drop" if drop_unmatched else "refuse",
        )  # fmt: skip
    told = None
    if checks:
        with screen.waiting("holding the fit against simulations of it"):
            told = found.check()
    screen.data(found.as_dict() | {"checks": None if told is None else told.as_dict()})
    screen.say(found.summary())
    if told is not None:
        screen.say()
        screen.say(told.summary())
    if out is not None and folder is not None:
        folder.write(out.name, lambda path: path.write_text(dump(found.scenario), encoding="utf-8"))
        screen.say(f"Written to {out}")
