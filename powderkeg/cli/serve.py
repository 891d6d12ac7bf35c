"""`powderkeg serve`: the page of a scenario from a server of this machine.

In: a scenario. Out: an address that only who reads it can use, until Ctrl-C.
"""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from powderkeg.cli.options import DEFAULT_SCENARIO, Seed, Sets, read_scenario
from powderkeg.cli.screen import say_error


def serve(
    name: Annotated[
        str,
        typer.Argument(metavar="[SCENARIO]", help="A scenario file, or the name of one that comes with powderkeg."),
    ] = DEFAULT_SCENARIO,
    sets: Sets = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The next free one where it is taken; 0: any.")] = 8765,
    opened: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Results to serve too, under files/.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=2, max=100_000, help="How many runs the page starts with.")] = 200,
    seed: Seed = 1,
) -> None:
    """The page of a scenario at an address of this machine; the address is the first line. Ctrl-C ends it.

    [bold]Example:[/] powderkeg serve north-kosovo --port 0 --no-open
    """
    from powderkeg.web.serving import application, listening, must_be_installed
    from powderkeg.web.serving import serve as answer

    must_be_installed()
    scenario = read_scenario(name, sets)
    from powderkeg.web.page import page

    text = page(scenario, seed=seed, replicates=replicates, origin=Path(name).name, edits=sets or ())
    listener, address = listening(port)
    with listener:
        app = application(text, address, folder)
        print(address.url, flush=True)
        if port and address.port != port:
            say_error(f"Port {port} is taken: this is {address.port}.")
        if opened:
            webbrowser.open(address.url)
        answer(app, listener)
