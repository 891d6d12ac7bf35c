"""`powderkeg gather`: the parts of a job, put together to what an undivided command would have written.

In: the folder that the parts were made in. Out: the results there; or which parts are missing, broken or strange.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from powderkeg.cli.jobs import GATHERS, INSIDE, TYPED
from powderkeg.cli.options import AsJson, Quiet
from powderkeg.errors import Fault, UsageError


def gather(
    context: typer.Context,
    job: Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, help="The --out of the parts.")],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Put the parts of a job together: the same files as those of the command in one piece.

    [bold]Example:[/] powderkeg gather sweep-of-answers
    """
    words, origin = _command(job)
    folder = job.resolve()
    if not origin.is_dir():
        raise UsageError(Fault.at("FOLDER", f"made from {origin}, which is not here", "the same place"))
    typed = [*words, "--out", str(folder)]
    typed += ["--json"] * as_json + ["--quiet"] * quiet
    TYPED.set(tuple(typed))
    GATHERS.set(True)
    try:
        with contextlib.chdir(origin):
            context.find_root().command.main(args=typed, prog_name="powderkeg", standalone_mode=False)
    finally:
        GATHERS.set(False)


def _command(job: Path) -> tuple[list[str], Path]:
    """What was typed to make the parts, and where. Raises UsageError where that is not told."""
    from powderkeg.simulate.checkpoints import ABOUT, read_about

    if not job.is_dir():
        raise UsageError(Fault(str(job), None, "", "no such folder", "the --out of parts that were made"))
    for place in (job, job / INSIDE):
        about = read_about(place)
        words, origin = about.get("command"), about.get("from")
        if (
            isinstance(words, list)
            and words
            and all(isinstance(word, str) for word in words)
            and isinstance(origin, str)
        ):
            return words, Path(os.fspath(origin))
    broken = next((place / ABOUT for place in (job, job / INSIDE) if (place / ABOUT).exists()), None)
    found = "holds no parts of a job" if broken is None else f"{broken} was cut off or changed"
    raise UsageError(
        Fault(str(job), None, "", found, "the --out of parts; any part made once more mends what it tells")
    )
