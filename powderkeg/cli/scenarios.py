"""Commands about scenarios and what they are held against: scenarios, check, describe, resolve, schema, record.

In: a scenario's name or path. Out: faults, words, the resolved scenario; the built-in ones; the schema of all.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from powderkeg.cli.letters import is_unicode
from powderkeg.cli.options import (
    DEFAULT_SCENARIO,
    AsJson,
    OutFile,
    Quiet,
    Replicates,
    ScenarioName,
    Seed,
    Sets,
    Workers,
    read_scenario,
)
from powderkeg.cli.screen import Screen
from powderkeg.errors import Fault, UsageError
from powderkeg.version import __version__
from powderkeg.wording import counted
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.cli.folder import Destination
    from powderkeg.model import Model


def built_in(as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List the scenarios that come with powderkeg, a line each.

    [bold]Example:[/] powderkeg scenarios
    """
    from powderkeg.scenario import load, names

    screen = Screen(as_json, quiet)
    found = [load(name) for name in names()]
    told = [
        {"name": one.name, "title": one.title, "about": one.about, "start": one.start.isoformat(),
         "years": float(one.years), "actors": len(one.actors), "acts": len(one.acts),
         "interventions": [*one.interventions]}
        for one in found
    ]  # fmt: skip
    screen.data({"scenarios": told})
    rows = [[one.name, one.title, len(one.actors), len(one.mechanisms), len(one.interventions)] for one in found]
    screen.table(["name", "about", "actors", "mechanisms", "interventions"], rows)
    screen.say(
        f"powderkeg run NAME runs one; powderkeg new FILE starts one of your own; {DEFAULT_SCENARIO} is the default."
    )


def schema(out: OutFile = None) -> None:
    """Print the JSON Schema of scenario files, with which editors complete and check them while you write.

    [bold]Example:[/] powderkeg schema --out scenario.schema.json
    """
    from powderkeg.scenario.shipped import schema_text

    write_or_print(schema_text().rstrip("\n"), out)


def check(
    scenario: ScenarioName = DEFAULT_SCENARIO, sets: Sets = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Read a scenario and tell every fault: file, line, key path, what was found, what was expected.

    [bold]Example:[/] powderkeg check mine.yaml
    """
    from powderkeg.model import compile, warn_of_instability

    screen = Screen(as_json, quiet)
    read = read_scenario(scenario, sets)
    model = compile(read)
    warn_of_instability(model)
    idle = idle_interventions(model)
    screen.data({"scenario": read.name, "faults": [], "interventions_that_cannot_act": idle})
    screen.say(
        f"{read.name}: no fault. {counted(len(read.actors), 'actor')}, {counted(len(read.acts), 'act')}, "
        f"{counted(model.n_acts, 'channel')}, {counted(len(read.mechanisms), 'mechanism')}."
    )
    for name, why in idle.items():
        screen.paragraph(f"The intervention {name} cannot change anything: {why}.")


def idle_interventions(model: Model) -> dict[str, str]:
    """Interventions of the scenario that cannot change anything -> why not."""
    from powderkeg.model import why_idle

    assert model.scenario is not None
    found = {
        name: why_idle(model, one.set)
        for name, one in model.scenario.interventions.items()
        if not (one.do or one.whenever or one.remove)
    }
    return {name: why for name, why in found.items() if why}


def describe(
    scenario: ScenarioName = DEFAULT_SCENARIO,
    sets: Sets = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Write who is tied to whom, and who does what to whom, as FILE.graphml.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say back what a scenario means: who does what, rates, half-lives, how near the brink and what drives it.

    [bold]Example:[/] powderkeg describe mine.yaml --set mechanisms.retaliation.answers=0.5
    """
    from powderkeg.model import compile
    from powderkeg.model import describe as describe_model

    screen = Screen(as_json, quiet)
    place = None if graph is None else _graph_place(graph, scenario)
    model = compile(read_scenario(scenario, sets))
    if place is not None:
        from powderkeg.model import graphml

        place.write(text_of(graphml(model) + "\n"))
    description = describe_model(model)
    screen.data(description.as_dict())
    screen.say(description.text(min(max(shutil.get_terminal_size().columns, 60), 120)))
    if graph is not None:
        screen.say(f"Written to {graph}")


def _graph_place(graph: Path, scenario: str) -> Destination:
    """Where the network goes. Raises UsageError for a name that does not say GraphML."""
    from powderkeg.cli.folder import Destination

    if graph.suffix.lower() != ".graphml":
        raise UsageError(Fault(str(graph), None, "", f"format {graph.suffix!r}", "a name that ends in .graphml"))
    return Destination(graph, [scenario])


def resolve(scenario: ScenarioName = DEFAULT_SCENARIO, sets: Sets = None, out: OutFile = None) -> None:
    """Print the scenario as JSON with nothing implied: every default, unit and shorthand written out.

    [bold]Example:[/] powderkeg resolve mine.yaml --out mine.resolved.json
    """
    from powderkeg.scenario import resolve as resolve_scenario

    plain = resolve_scenario(read_scenario(scenario, sets))
    is_ascii = out is None and not is_unicode(sys.stdout)
    text = json.dumps(plain, ensure_ascii=is_ascii, allow_nan=False, indent=2)
    write_or_print(text, out, [scenario])


def record(
    scenario: ScenarioName = DEFAULT_SCENARIO,
    sets: Sets = None,
    against: Annotated[
        str | None, typer.Option(help="A record by name or file. By default the one of the scenario's name.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="A table of dated standoffs of your own (CSV) instead of the record's.")
    ] = None,
    replicates: Replicates = 1_000,
    seed: Seed = 1,
    workers: Workers = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Hold a scenario against the dated record, line by line: record, model, and whether they agree.

    [bold]Example:[/] powderkeg record north-kosovo
    """
    from powderkeg.score import record as hold_against_record
    from powderkeg.wording import measured

    screen = Screen(as_json, quiet)
    read = read_scenario(scenario, sets)
    with screen.progress(f"{replicates:,} histories as long as the record") as progress:
        found = hold_against_record(
            read, against=against, table=table, replicates=replicates, seed=seed, workers=workers, progress=progress
        )

    def between(low: float | None, high: float | None) -> str:
        return "" if low is None or high is None else f"{measured(low)} to {measured(high)}"

    screen.data({"scenario": read.name, "version": __version__} | found.as_dict())
    rows = [
        [
            line.title or line.name,
            measured(line.record),
            between(line.record_low, line.record_high),
            measured(line.model),
            between(line.model_low, line.model_high),
            line.verdict,
            line.used,
        ]
        for line in found.lines
    ]
    screen.table(
        ["line", "record", "90 % interval", "model", "nine in ten histories", "verdict", "used before"],
        rows,
        found.title,
    )
    screen.say(found.verdict)


def write_or_print(text: str, out: Path | None, read: Sequence[str] = ()) -> None:
    """A document to a file, or to standard output; never over a file that was read for it."""
    from powderkeg.cli.folder import Destination

    if out is None:
        print(text)
    else:
        Destination(out, read).write(text_of(text + "\n"))
