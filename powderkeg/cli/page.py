"""`powderkeg page`: a scenario as one HTML file that runs.

In: a scenario. Out: the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from powderkeg.cli.folder import Destination
from powderkeg.cli.options import DEFAULT_SCENARIO, AsJson, Quiet, Seed, Sets, read_scenario
from powderkeg.cli.screen import Screen
from powderkeg.writing.files import text_of


def page(
    name: Annotated[
        str,
        typer.Argument(metavar="[SCENARIO]", help="A scenario file, or the name of one that comes with powderkeg."),
    ] = DEFAULT_SCENARIO,
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="The file. By default SCENARIO.html here.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=2, max=100_000, help="How many runs it starts with.")] = 200,
    seed: Seed = 1,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """One HTML file that holds the scenario and runs it: levers, two worlds, without network.

    [bold]Example:[/] powderkeg page north-kosovo --out page.html
    """
    screen = Screen(as_json, quiet)
    scenario = read_scenario(name, sets)
    place = out or Path(f"{scenario.name}.html")
    destination = Destination(place, [name])

    from powderkeg.web.page import page as page_of

    with screen.waiting("making the page"):
        text = page_of(scenario, seed=seed, replicates=replicates, origin=Path(name).name, edits=sets or ())
    destination.write(text_of(text))
    screen.data({"out": str(place), "scenario": scenario.name, "bytes": len(text.encode())})
    screen.say(f"Written to {place}: {len(text.encode()) / 1000:,.0f} kB. Open it in a browser; it needs nothing else.")
