"""`powderkeg fit`: a scenario's numbers from events.

In: a scenario and event files. Out: estimates with their errors on the screen, and checks of them; with --out a
scenario to run, with --report a folder with a page, its figures and tables.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.arguments import spoken, typed
from powderkeg.cli.events import tell_rows
from powderkeg.cli.folder import Claim, Destination, Folder
from powderkeg.cli.jobs import WorkOptions, works_long
from powderkeg.cli.options import (
    AsJson,
    CovariateFile,
    Force,
    Memory,
    Quiet,
    ScenarioName,
    Sets,
    Workers,
    read_scenario,
)
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen, say_error
from powderkeg.cli.tables import csv_of
from powderkeg.errors import Fault, PowderkegWarning, UsageError
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from powderkeg.fit import Fit
    from powderkeg.fit.checks.report import Checks
    from powderkeg.scenario import Scenario

STOPPED = 130
ROWS = ("rows_read", "rows_kept", "rows_set_aside", "rows_dropped")
"""What an event table tells of the rows that it was read from."""


@works_long
@reads_events
def fit(
    scenario: ScenarioName,
    reading: ReadingOptions,
    work: WorkOptions,
    sets: Sets = None,
    covariates: CovariateFile = None,
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
    prior: Annotated[
        str, typer.Option(help="delays (weak, on half-lives alone), weak (on everything), or none.")
    ] = "delays",
    likelihood: Annotated[
        str | None, typer.Option(help="exact or day; by default what the stamps of the events are good for.")
    ] = None,
    background: Annotated[
        str,
        typer.Option(
            help="Course of the background: auto (by AIC), scenario, constant, season, blocks365, epochs, ..."
        ),
    ] = "auto",
    exposure: Annotated[
        str | None, typer.Option(help="coverage: how densely the source reported scales the background.")
    ] = None,
    level: Annotated[float, typer.Option(help="Of the intervals, above 0 and below 1.")] = 0.9,
    history_days: Annotated[
        float, typer.Option("--history-days", min=0.0, help="First days whose events only act on later ones.")
    ] = 0.0,
    baselines: Annotated[
        str,
        typer.Option(
            help="shared: channels of a move are equally busy; dyad: dyads and acts in them differ; gamma: each channel"
            " has its own rate, for thousands of them; or auto."
        ),
    ] = "auto",
    actors: Annotated[
        str, typer.Option(help="vary: senders, receivers and dyads differ, by how much is estimated; alike; or auto.")
    ] = "auto",
    courses: Annotated[
        str,
        typer.Option(help="Courses of the background that wander: none, common, or by class (of act), act, or dyad."),
    ] = "none",
    spans: Annotated[
        str | None,
        typer.Option(
            help="Events whose day the source does not know: reckon (with all their days), leave-out, or first-day; by "
            "default reckoned with where that can be done, else left out."
        ),
    ] = None,
    reporting: Annotated[
        str | None,
        typer.Option(
            help="What the source shows of what happens: weekday, holidays=XK, coverage, breaks=2018-07-01, batches, "
            "with commas between; auto keeps weekday and batches if AIC and held-out blocks agree; "
            "scenario=NAME: what the file says; none. By default what the file says of this kind of events."
        ),
    ] = None,
    delays: Annotated[
        str,
        typer.Option(
            help="mixtures: mechanisms get a second and a third half-life where AIC falls by 2 or more; by default as "
            "many as written."
        ),
    ] = "written",
    uncertainty: Annotated[
        str,
        typer.Option(
            help="What later draws within the errors of this fit come from: normal, or posterior (weighed by the "
            "likelihood, for few events); kept in the file beside --out."
        ),
    ] = "normal",
    drop_unmatched: Annotated[
        bool, typer.Option("--drop-unmatched", help="Leave out events that no move of the scenario allows.")
    ] = False,
    checks: Annotated[
        bool, typer.Option("--checks/--no-checks", help="Hold the fit against residuals, simulations, the last fifth.")
    ] = True,
    histories: Annotated[int, typer.Option(min=20, help="Simulated histories that the checks hold the record to.")] = (
        200
    ),
    refits: Annotated[
        int, typer.Option(min=0, help="Simulated histories that are fitted anew, each about as long as the fit; or 0.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="Write the scenario with the estimates here.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for a page, its figures and tables.")
    ] = None,
    workers: Workers = None,
    memory: Memory = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Estimate a scenario's numbers from events: how many answers an act draws, how fast, and how sure that is.

    [bold]Example:[/] powderkeg fit north-kosovo icews.tab --fix moves --out fitted.yaml --report fit
    """
    from powderkeg.simulate.memory import budget

    screen = Screen(as_json, quiet)
    if refits == 1:
        raise UsageError(Fault.at("--refits", "1", "0 for none, or at least 2"))
    if work.cluster is not None and not (checks and refits):
        raise UsageError(Fault.at("--cluster", "without refits", "--refits N: these are what a cluster makes"))
    if memory is not None:
        budget(memory)  # one that is none is refused before the work
    read = read_scenario(scenario, sets, covariates)
    places = None if out is None else _places(out, [scenario, *reading.paths])
    pages = None if report is None else Folder(report, [scenario, *reading.paths], Claim("fit", read.name, None, force))
    events = reading.table(screen, scenario, days_told=True)

    from powderkeg.fit import fit as fit_model

    with work.ended(), work.executor() as executor:
        with warnings_after(), screen.stages(f"fitting {len(events):,} events") as stages:
            found = fit_model(
                read, events, free=free, fix=fix, use_ranges=use_ranges, prior=None if prior == "none" else prior,
                likelihood=likelihood, background=background, exposure=exposure, level=level, history_days=history_days,
                unmatched="drop" if drop_unmatched else "refuse", baselines=baselines,
                actors=actors, courses=courses, spans=None if spans is None else spans.replace("-", " "),
                reporting=reporting, delays=delays, uncertainty=uncertainty, progress=stages,
            )  # fmt: skip
        rows: dict[str, Any] = {key: events.account[key] for key in ROWS if key in events.account}
        tell_rows(screen, events.account, events.quarantine)
        screen.say(found.summary(typed))
        if places is not None:
            write_scenario(*places, found)
            screen.say()
            beside = places[1].path.name
            screen.say(f"Written to {out}; what the estimates leave open together to {beside} beside it")
        told, stopped = None, False
        if checks:
            try:
                told = check(screen, found, read, histories, refits, workers, memory, executor)
            except KeyboardInterrupt:
                stopped = True
                say_error("Stopped while checking; the fit is as told.")
    screen.data(found.as_dict() | {"rows": rows or None, "checks": None if told is None else told.as_dict()})
    if told is not None:
        screen.say()
        screen.say(told.summary())
    if pages is not None:
        with screen.waiting("writing"), pages.results("fit", read):
            write(pages, found, told, shlex.join(["powderkeg", *sys.argv[1:]]))
        screen.say()
        for line in pages.said():
            screen.say(line)
        screen.say(f"Open {(pages.path / 'fit.html').resolve()}")
    if out is not None:
        screen.say()
        for command, words in {"run": [], "attribute": reading.typed, "forecast": reading.typed}.items():
            screen.say(f"Next: powderkeg {shlex.join([command, str(out), *words])}")
    if stopped:
        raise typer.Exit(STOPPED)


@contextmanager
def warnings_after() -> Iterator[None]:
    """Warnings are told when the work is done, and not through its progress."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", PowderkegWarning)
        try:
            yield
        finally:
            for one in heard:
                if issubclass(one.category, PowderkegWarning):
                    say_error(f"warning: {typed(spoken(one.message))}")


def check(
    screen: Screen,
    found: Fit,
    scenario: Scenario,
    histories: int,
    refits: int,
    workers: int | None,
    memory: str | None = None,
    executor: Executor | None = None,
) -> Checks:
    """All checks, standoffs among them; an executor makes the refits."""
    from powderkeg.fit import standoff_numbers

    with screen.stages("checking the fit") as stages:
        return found.check(
            replicates=histories, refits=refits, workers=workers, executor=executor, memory=memory,
            also=[standoff_numbers(scenario)], progress=stages,
        )  # fmt: skip


def _places(out: Path, read: Sequence[str | Path]) -> tuple[Destination, Destination]:
    """Where the scenario goes, and beside it what its numbers leave open."""
    from powderkeg.fit.joint_law import place_beside

    return Destination(out, read), Destination(place_beside(out), read)


def write_scenario(scenario: Destination, law: Destination, found: Fit) -> None:
    """The scenario with its law. The law names its scenario, so that a kill between the two is seen."""
    from powderkeg.fit import Joint
    from powderkeg.scenario import dump

    law.write(text_of(Joint.of(found).text()))
    scenario.write(text_of(dump(found.scenario)))


def write(folder: Folder, found: Fit, told: Checks | None, command: str) -> None:
    """The scenario, the tables, the figures, the page."""
    from powderkeg import plots
    from powderkeg.fit import Joint
    from powderkeg.report import fitted
    from powderkeg.scenario import dump

    folder.write("fitted.yaml", text_of(dump(found.scenario)))
    law = Joint.of(found).text()
    folder.write("fitted.covariance.json", text_of(law))
    folder.write("parameters.csv", csv_of(found.table()))
    folder.data("fit.json", found.as_dict() | {"checks": None if told is None else told.as_dict()})
    charts = fitted.figures(found, told)
    for name, chart in charts.items():
        folder.write(f"{name}.svg", _saver(plots.save, chart))
    files = list(folder.finished)
    page = fitted.page(found, told, charts, files, command, folder.made)
    folder.write("fit.html", text_of(page))


def _saver(save: Any, chart: Any) -> Any:
    return lambda path: save(chart, path)
