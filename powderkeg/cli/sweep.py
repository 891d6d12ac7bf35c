"""`powderkeg sweep`: the outcomes over a grid, a designed sample, or the ranges of all numbers.

In: a scenario, key paths with values. Out: a folder with a tidy table (Parquet and CSV), figures, and what is needed to
go on after a stop.
"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from powderkeg.cli.folder import Folder
from powderkeg.cli.jobs import JobOptions, runs_long, typed_words
from powderkeg.cli.options import (
    DEFAULT_SCENARIO,
    AsJson,
    Limit,
    Memory,
    Quiet,
    Replicates,
    ScenarioName,
    Seed,
    Sets,
    Workers,
    Years,
    length,
    read_scenario,
)
from powderkeg.cli.screen import Screen
from powderkeg.cli.tables import csv_of
from powderkeg.errors import Fault, UsageError
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.compare.sweep.sweeps import Sensitivity, Sweep
    from powderkeg.scenario import Scenario

SHOWN = 6
"""Outcomes in a figure, unless they are chosen."""


@runs_long
def sweep(
    job: JobOptions,
    scenario: ScenarioName = DEFAULT_SCENARIO,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=LOW:HIGH:N",
            help="A number and N values for it; LOW:HIGH with --samples; VALUE,VALUE for levels. [dim]repeatable[/]",
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=2, help="Instead of a grid: so many points spread through all of it at once.")
    ] = None,
    design: Annotated[
        Literal["sobol", "latin"], typer.Option(help="How they are spread: a Sobol sequence or a Latin hypercube.")
    ] = "sobol",
    sensitivity: Annotated[
        Literal["sobol", "morris"] | None,
        typer.Option(help="Which numbers matter most, over the ranges in the file (of --over PATH, or all)."),
    ] = None,
    outcome: Annotated[list[str] | None, typer.Option(help="Outcomes to draw. [dim]repeatable[/]")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="Folder; goes on where it stopped.")] = Path(
        "powderkeg-sweep"
    ),
    sets: Sets = None,
    years: Years = None,
    replicates: Replicates = 1_000,
    seed: Seed = 1,
    workers: Workers = None,
    memory: Memory = None,
    limit: Limit = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """How do the outcomes move when numbers do? Grids, designed samples, global sensitivity.

    [bold]Example:[/] powderkeg sweep north-kosovo --over mechanisms.fights_back.answers=0.1:0.6:6 --replicates 200
    """
    screen = Screen(as_json, quiet)
    length(years)
    read = read_scenario(scenario, sets)
    job.stops_with_a_script()
    folder = Folder(out, [scenario])
    with job.told(screen, out, ""), job.executor() as executor:
        common: dict[str, Any] = {
            "years": years, "replicates": replicates, "seed": seed, "workers": workers, "memory": memory,
            "limit": limit, "folder": job.plan(out, read, ""), "executor": executor,
        }  # fmt: skip
        _sweep(screen, read, folder, over, samples, design, sensitivity, outcome, common)
    for line in folder.said():
        screen.say(line)
    screen.say(f"Open {(folder.path / 'sweep.html').resolve()}")


def _sweep(
    screen: Screen,
    read: Scenario,
    folder: Folder,
    over: list[str] | None,
    samples: int | None,
    design: Literal["sobol", "latin"],
    sensitivity: Literal["sobol", "morris"] | None,
    outcome: list[str] | None,
    common: dict[str, Any],
) -> None:
    """Run it, show it, write it."""
    from powderkeg.compare.sweep.sweeps import axis
    from powderkeg.compare.sweep.sweeps import sensitivity as measure
    from powderkeg.compare.sweep.sweeps import sweep as run

    seed = common["seed"]
    if sensitivity is not None:
        paths = [item.partition("=")[0] for item in over or ()] or None
        with screen.progress(f"sensitivity of {read.name}") as progress:
            told = measure(read, sensitivity, over=paths, samples=samples or 16, progress=progress, **common)
        _show_sensitivity(screen, told, outcome)
        with folder.results("sweep", read, seed):
            _write(folder, told, _sensitivity_charts(told, outcome), _chosen(told.outcomes, outcome))
    else:
        axes = [axis(read, *_pair(item)) for item in over or ()]
        with screen.progress(f"sweep of {read.name}") as progress:
            found = run(
                read, axes, design="grid" if samples is None else design, samples=samples or 2, progress=progress,
                **common,
            )  # fmt: skip
        _show_sweep(screen, found, outcome)
        with folder.results("sweep", read, seed):
            _write(folder, found, _sweep_charts(found, outcome), _chosen(found.outcomes, outcome))


def _pair(item: str) -> tuple[str, str]:
    path, equals, values = item.partition("=")
    if not equals:
        raise UsageError(Fault.at(f"--over {item}", "no values", "PATH=LOW:HIGH:N or PATH=VALUE,VALUE"))
    return path.strip(), values


def _chosen(names: list[str], asked: list[str] | None) -> list[str]:
    from powderkeg.errors import nearest_name

    unknown = [name for name in asked or () if name not in names]
    if unknown:
        raise UsageError(
            Fault.at("--outcome", f"unknown outcome {name!r}", f"one of {', '.join(names)}",
                  nearest_name(name, names))
            for name in unknown
        )  # fmt: skip
    return asked or names[:SHOWN]


def _show_sweep(screen: Screen, found: Sweep, asked: list[str] | None) -> None:
    from powderkeg.analyze.outcomes import SHARE_UNITS, unit_behind
    from powderkeg.wording import counted, measured, percent, plain

    table, paths = found.spoken()
    names = _chosen(found.outcomes, asked)
    screen.data(
        {
            "scenario": found.scenario.name, "design": found.design, "seed": found.seed,
            "replicates": found.replicates, "days": found.days, "rows": found.table.to_dicts(),
        }
    )  # fmt: skip
    if screen.is_silent:
        return
    units = dict(table.select("outcome", "unit").iter_rows())
    forms = {name: percent if units[name] in SHARE_UNITS else measured for name in names}
    wide = table.filter(table["outcome"].is_in(names)).pivot("outcome", index=["point", *paths], values="value")
    rows = [
        [plain(row[path], 4) if isinstance(row[path], float) else row[path] for path in paths]
        + [forms[name](row[name]) for name in names]
        for row in wide.head(40).to_dicts()
    ]
    title = f"{counted(wide.height, 'point')} of {counted(found.replicates, 'run')}, seed {found.seed}"
    screen.table([*paths, *names], rows, title)
    if wide.height > len(rows):
        screen.say(f"and {wide.height - len(rows)} more points in the table")
    titles = dict(table.select("outcome", "title").iter_rows())
    said = {name: "" if titles[name] in ("", None, name) else titles[name] for name in names}
    for name in names:
        if " a year" not in said[name]:
            said[name] = ", ".join(part for part in (said[name], unit_behind(units[name])) if part)
    told = "; ".join(f"{name}: {what}" for name, what in said.items())
    screen.paragraph(
        f"Means of the runs at each point; their intervals are in the table and the figure. {told}".strip()
    )


def _show_sensitivity(screen: Screen, found: Sensitivity, asked: list[str] | None) -> None:
    from powderkeg.wording import plain

    table = found.table
    names = _chosen(found.outcomes, asked)
    screen.data(
        {
            "scenario": found.scenario.name, "method": found.method, "seed": found.seed,
            "replicates": found.replicates, "points": found.points, "rows": table.to_dicts(),
        }
    )  # fmt: skip
    column = "total" if found.method == "sobol" else "effect"
    for name in names:
        top = table.filter(table["outcome"] == name).sort(column, descending=True).head(8).to_dicts()
        rows = [[row["path"], plain(row[column]), plain(row[f"{column}_error"], 2)] for row in top]
        screen.table(["number", column, "+/-"], rows, f"{top[0]['title']}: what it hangs on")
        screen.say()


def _sweep_charts(found: Sweep, asked: list[str] | None) -> dict[str, Any]:
    from powderkeg.report.drawn import sweep_figures

    names = _chosen(found.outcomes, asked)
    return {f"{name}.svg": drawn() for name, drawn in sweep_figures(found, names).items()}


def _sensitivity_charts(found: Sensitivity, asked: list[str] | None) -> dict[str, Any]:
    from powderkeg.plots.sweep import tornado

    return {f"{n}.svg": tornado(found.table, n, found.method) for n in _chosen(found.outcomes, asked)}


def _write(folder: Folder, found: Sweep | Sensitivity, charts: dict[str, Any], outcomes: list[str]) -> None:
    from powderkeg.plots import save
    from powderkeg.report.swept import page

    folder.write("table.parquet", found.table.write_parquet)
    folder.write("table.csv", csv_of(found.table))
    for name, chart in charts.items():
        folder.write(name, partial(save, chart))
    typed = shlex.join(["powderkeg", *typed_words()])
    folder.write("sweep.html", text_of(page(found, charts, outcomes, list(folder.finished), typed, folder.made)))
