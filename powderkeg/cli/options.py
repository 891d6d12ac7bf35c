"""Arguments and options that several commands share, so that a word means the same everywhere."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from datetime import date
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from powderkeg.errors import Fault, PowderkegError, UsageError

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario

DEFAULT_SCENARIO = "north-kosovo"
STANDARD_INPUT = "-"


def scenarios_like(incomplete: str) -> list[str]:
    """For the shell: built-in scenarios that begin so. Files are what shells complete by themselves."""
    from powderkeg.scenario import names

    return [name for name in names() if name.startswith(incomplete)]


def paths_like(incomplete: str, ctx: typer.Context) -> list[str]:
    """For the shell: key paths of the scenario typed before that begin so, a part at a time."""
    from powderkeg.scenario import paths

    # An option that waits for its value leaves the arguments before it unread.
    words = [word for word in ctx.args if not word.startswith("-")] or ctx.params.get("words") or []
    name = words[0] if words else ctx.params.get("scenario") or DEFAULT_SCENARIO
    try:
        known = paths(read_scenario(name))
    except PowderkegError:
        return []
    fits = sorted(path for path in known if path.startswith(incomplete))
    ahead = incomplete.count(".") + 1
    parts = dict.fromkeys(".".join(path.split(".")[:ahead]) for path in fits)
    return [f"{part}=" if part in known else f"{part}." for part in parts]


ScenarioName = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario file, the name of one that comes with powderkeg, or - for standard input.",
        autocompletion=scenarios_like,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value first, as often as you like. [dim]repeatable[/]",
        autocompletion=paths_like,
    ),
]
CovariateFile = Annotated[
    Path | None,
    typer.Option(
        "--covariates",
        metavar="FILE",
        dir_okay=False,
        help="CSV of name, date (or first/last day), value, who, towards: values of the scenario's covariates.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Same scenario, seed and version: same events.")]
Years = Annotated[float | None, typer.Option(help="Length of each run, above 0. By default the scenario's own.")]
Replicates = Annotated[int, typer.Option(min=1, max=10_000_000, help="How many runs.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="How many cores to use. By default all; results do not depend on it."),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="Memory that all acts together may take, such as 4GB. By default half of what is free; results do not "
        "depend on it.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Also into a folder with results of another scenario, seed or command.")
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--max-events", min=1, max=2**31 - 2, help="Acts in one run before it is stopped and counted as exploded."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but faults.")]
OutFile = Annotated[Path | None, typer.Option("--out", "-o", dir_okay=False, help="Write to this file.")]


def read_scenario(name: str, sets: Sequence[str] | None = None, covariates: Path | None = None) -> Scenario:
    """The scenario of a name or path, with the values of `--covariates` and then every `--set` applied.

    Raises ScenarioError for the file, UsageError for what was typed after `--set`.
    """
    from powderkeg.scenario import edit, load, loads, with_covariates

    scenario = loads(typed_in(), file="standard input") if name == STANDARD_INPUT else load(name)
    if covariates is not None:
        scenario = with_covariates(scenario, covariates)
    changes, faults = {}, []
    for item in sets or ():
        path, equals, value = item.partition("=")
        if not equals or not path.strip():
            faults.append(Fault.at(f"--set {item}", "no value", "PATH=VALUE, such as ties.kfor_presence.holds=false"))
        elif path.strip() in changes:
            faults.append(Fault.at(f"--set {item}", "this path is set twice", "each path once"))
        else:
            changes[path.strip()] = value.strip()
    if faults:
        raise UsageError(faults)
    if not changes:
        return scenario
    try:
        return edit(scenario, changes)
    except PowderkegError as error:
        raise UsageError(error.faults) from error


@cache
def typed_in() -> bytes:
    """All of standard input; it can be read once only, and is asked for more than once."""
    return sys.stdin.buffer.read()


def as_date(text: str, option: str) -> date:
    """The day that was typed after an option. Raises UsageError for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(Fault.at(option, repr(text), "a date such as 2018-03-26")) from None


def length(years: float | None) -> float | None:
    """The length asked for. Raises UsageError unless it is more than 0 and not beyond reason."""
    if years is not None and not (math.isfinite(years) and 0 < years <= LONGEST):
        raise UsageError(Fault.at("--years", f"{years:g}", f"more than 0 and at most {LONGEST:,} years"))
    return years


LONGEST = 1_000
"""Years: a date that many years on still is one."""


def spread_out(kind: Any, name: str, command: Callable[..., None]) -> Callable[..., None]:
    """The command, its parameter `name` replaced by every field of the data class `kind`.

    What the command asks for itself under a name of such a field is not asked for twice.
    """
    hints = get_type_hints(kind, include_extras=True)
    own = inspect.signature(command, eval_str=True).parameters
    asked = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(kind)
        if one.name not in own
    ]
    names = [one.name for one in asked]
    shared = [one.name for one in fields(kind) if one.name in own]

    @wraps(command)
    def run(**given: Any) -> None:
        said = {name: given.pop(name) for name in names} | {name: given[name] for name in shared}
        command(**{name: kind(**said)}, **given)

    parameters: list[inspect.Parameter] = []
    for one in own.values():
        parameters += asked if one.name == name else [one.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
