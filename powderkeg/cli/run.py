"""`powderkeg run`: a scenario, many times; a table on the screen, files and a page in a folder.

In: a scenario. Out: events.parquet, episodes.parquet, outcomes.csv, outcomes.json, scenario.resolved.json, report.html;
on wish figures, tables, and a page that runs the scenario.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.folder import Claim, Folder
from powderkeg.cli.jobs import JobOptions, runs_long
from powderkeg.cli.options import (
    DEFAULT_SCENARIO,
    AsJson,
    CovariateFile,
    Force,
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
from powderkeg.cli.screen import Screen, say_error
from powderkeg.cli.tables import csv_of
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.writing.files import DiskError, move, text_of, working_folder

if TYPE_CHECKING:
    import polars as pl

    from powderkeg.model import Model, Stability
    from powderkeg.report import Results
    from powderkeg.scenario import Reporting, Scenario
    from powderkeg.simulate import JobPlan
    from powderkeg.writing.apart import DrawerApart

DEFAULT_FOLDER = Path("powderkeg-report")
STOPPED = 130
EVENTS = "events.parquet"
EVENTS_SHARE = 0.25
"""Of the memory, for acts that are made and not yet counted and written, by when they take four times as much."""
RUNNING = "page.html"
RECORD_HISTORIES = 1_000
"""Histories as long as the record that the page holds against it; `powderkeg record` takes more if asked."""


@runs_long
def run(
    job: JobOptions,
    scenario: ScenarioName = DEFAULT_SCENARIO,
    sets: Sets = None,
    covariates: CovariateFile = None,
    years: Years = None,
    replicates: Replicates = 10_000,
    seed: Seed = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            file_okay=False,
            help="Folder for the results. By default ./powderkeg-report, or none with --json.",
        ),
    ] = None,
    figures: Annotated[
        str | None,
        typer.Option(metavar="FORM,...", help="Also every figure as a file: svg, png, pdf, html or json, or several."),
    ] = None,
    tables: Annotated[bool, typer.Option("--tables", help="Also the tables behind the figures as CSV.")] = False,
    with_page: Annotated[
        bool, typer.Option("--page", help="Also page.html, which runs the scenario in a browser: levers, two worlds.")
    ] = False,
    seen_by: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Also write reports.parquet: what a source of the scenario's `reporting` would show of the acts.",
        ),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="For very many runs: acts go to many Parquet files, which parts of a job write."),
    ] = False,
    workers: Workers = None,
    memory: Memory = None,
    force: Force = False,
    limit: Limit = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a scenario many times: what happens, how often, how it ends, who is drawn in.

    [bold]Example:[/] powderkeg run mine.yaml --years 5 --replicates 100000 --set mechanisms.retaliation.answers=0.5
    """
    screen = Screen(as_json, quiet)
    length(years)
    also = Also(forms_of(figures), tables, Path(scenario).name if with_page else None, tuple(sets or ()))
    read = read_scenario(scenario, sets, covariates)
    job.stops_with_a_script()
    folder = (
        None
        if as_json and out is None
        else Folder(out or DEFAULT_FOLDER, [scenario], Claim("run", read.name, seed, force))
    )
    place = None if folder is None else folder.path
    if seen_by is not None:
        must_be_known(seen_by, read, folder)
        if stream:
            raise UsageError(Fault.at("--seen-by", "beside --stream", "one of them"))

    from powderkeg.model import compile, stability
    from powderkeg.report.results import summary

    model = compile(read)
    with screen.waiting("looking for the worst state"):
        found = stability(model)
    if found.warning:
        say_error(f"warning: {found.warning}")
    plan = job.plan(place, read, always=stream)
    asked = {
        "years": years, "replicates": replicates, "seed": seed, "workers": workers, "memory": memory, "limit": limit,
    }  # fmt: skip
    spool = nullcontext() if place is None or stream else working_folder(place)
    with job.told(screen, place), job.executor() as executor, drawer(folder, plan) as apart, spool as work:
        told = asked | {"plan": plan, "executor": executor}
        if stream:
            made = counted_streaming(screen, model, found, told)
        else:
            made = counted_in_parts(screen, model, found, told, None if work is None else work / EVENTS)
        screen.data(summary(made.results))
        show(screen, made.results)
        if folder is not None:
            with screen.waiting("writing"), folder.results("run", read, seed):
                command = typed(scenario, sets, made.results, seen_by) + " --stream" * stream + " --page" * with_page
                write(folder, read, made, command, also, apart, seen_by)
            for line in folder.said():
                screen.say(line)
            screen.say(f"Open {(folder.path / 'report.html').resolve()}")
    if made.stopped:
        raise typer.Exit(STOPPED)


def drawer(folder: Folder | None, plan: JobPlan | None) -> AbstractContextManager[DrawerApart | None]:
    """What draws the page's figures, in a process that starts while runs are made; none where there is no page."""
    if folder is None or (plan is not None and plan.part is not None):
        return nullcontext()
    from powderkeg.writing.apart import DrawerApart

    return DrawerApart()


@dataclass
class Made:
    """What there is to tell and to write.

    events     the file that they stand in, and what gives the standoffs; without, both stand in data sets already
    full       why events could not be written
    """

    results: Results
    events: Path | None = None
    standoffs: Callable[[], pl.DataFrame] | None = None
    full: BaseException | None = None
    stopped: bool = False


def counted_in_parts(
    screen: Screen, model: Model, found: Stability, asked: dict[str, Any], events: Path | None
) -> Made:
    """Runs counted while they are made, their acts written to a file; where that was stopped, those that were finished,
    unless they are kept to go on from."""
    from powderkeg.report.parts import CountedParts
    from powderkeg.report.results import results_of
    from powderkeg.simulate.memory import budget, give_back

    assert model.scenario is not None
    replicates, runs = asked["replicates"], CountedParts(model, events)
    with screen.progress(f"{replicates:,} runs of {model.scenario.name}") as progress:
        room = budget(asked["memory"]).part(EVENTS_SHARE)
        runs.count(progress=progress, **{**asked, "memory": room})
    if runs.is_stopped:
        say_error(f"Stopped after {runs.replicates:,} of {replicates:,} runs; what follows is about these.")
        if runs.replicates == 0:
            raise typer.Exit(STOPPED)
    with screen.waiting("counting"):
        lines = record_lines(model, runs.replicates, asked["seed"], asked["workers"])
        give_back()
        results = results_of(model, runs.counted(asked["seed"], asked["limit"]), lines, found)
    return Made(results, events, runs.standoffs, runs.error, runs.is_stopped)


def counted_streaming(screen: Screen, model: Model, found: Stability, asked: dict[str, Any]) -> Made:
    """Runs span by span; acts and standoffs are in data sets by then."""
    from powderkeg.report.results import results_of
    from powderkeg.report.streamed import streamed

    assert model.scenario is not None
    with screen.progress(f"{asked['replicates']:,} runs of {model.scenario.name}") as progress:
        counted = streamed(model, progress=progress, **asked)
    lines = record_lines(model, counted.replicates, asked["seed"], asked["workers"])
    return Made(results_of(model, counted, lines, found))


@dataclass(frozen=True)
class Also:
    """What is written beside the report on wish: figures in these formats, the tables behind them, a page that runs.

    origin  what was typed for the scenario, if that page is wanted; `edits` what was set in it
    """

    forms: tuple[str, ...]
    tables: bool
    origin: str | None = None
    edits: tuple[str, ...] = ()

    def write(self, folder: Folder, scenario: Scenario, results: Results) -> None:
        """Each figure as figure-NAME, each table as table-NAME.csv, the page as page.html."""
        if self.forms:
            from powderkeg import plots, report

            for name, (chart, _) in report.figures(results).items():
                for form in self.forms:
                    folder.write(f"figure-{name}.{form}", partial(plots.save, chart))
        for name, frame in results.tables().items() if self.tables else ():
            folder.write(f"table-{name}.csv", csv_of(frame))
        if self.origin is not None:
            from powderkeg.web.page import page

            folder.write(RUNNING, text_of(page(scenario, seed=results.seed, origin=self.origin, edits=self.edits)))


def forms_of(figures: str | None) -> tuple[str, ...]:
    """The formats that were typed. Raises UsageError for one that there is not."""
    if figures is None:
        return ()
    from powderkeg.plots.files import FORMATS  # with what draws: a tenth of the memory, not needed until the end

    asked = tuple(dict.fromkeys(one.strip() for one in figures.split(",") if one.strip()))
    unknown = [one for one in asked if one not in FORMATS]
    if unknown:
        raise UsageError(
            Fault.at("--figures", f"unknown format {one!r}", f"some of {', '.join(FORMATS)}",
                  nearest_name(one, FORMATS))
            for one in unknown
        )  # fmt: skip
    return asked


def record_lines(model: Model, replicates: int, seed: int, workers: int | None) -> list[dict[str, Any]] | None:
    """The model held against the built-in record of its scenario; None if there is none."""
    from powderkeg.score import own_record, record

    if own_record(model) is None:
        return None
    found = record(model, replicates=min(replicates, RECORD_HISTORIES), seed=seed, workers=workers)
    return [asdict(line) for line in found.lines]


def show(screen: Screen, results: Results) -> None:
    """The results as tables."""
    if screen.is_silent:
        return
    from powderkeg.analyze.outcomes import SHARE_UNITS, when_first
    from powderkeg.wording import counted, in_years, measured, percent

    def between(low: float | None, high: float | None, form: Any) -> str:
        return "" if low is None or high is None else f"{form(low)} to {form(high)}"

    r = results
    found = r.standoffs
    screen.say(
        f"{r.title}: {counted(r.replicates, 'run')} of {in_years(r.years)}, seed {r.seed}, {counted(r.events, 'act')}"
    )
    screen.say()
    rows = [
        ["standoffs a year", measured(found.per_year.mean), between(found.per_year.low, found.per_year.high, measured)],
        ["median length, days", measured(found.median_days.mean), between(*found.median_days[1:3], measured)],
    ]
    shares = [("share with anyone hurt", found.hurt, r.hurts), ("share with deaths", found.deaths, r.kills)]
    for head, share, can_be in shares:
        told = ["–", "no standoff" if can_be else "no act does that"]
        if can_be and share.mean is not None:
            told = [percent(share.mean), between(*share[1:3], percent)]
        rows.append([head, *told])
    for label, frame in (("opened by", found.openers), ("ended", found.ends)):
        for row in frame.to_dicts():
            if row["share"]:
                name = r.titles.get(row["name"], row["name"])
                said = "still open at the end" if name == "open" else f"{label} {name}"
                rows.append([said, percent(row["share"]), between(row["low"], row["high"], percent)])
    screen.table(["standoffs", "", "90 % interval"], rows)
    rows = [
        [
            row["title"] or row["name"],
            "" if row["mean"] is None else form(row["mean"]),
            between(row["low"], row["high"], form),
            row["unit"].removeprefix("share "),
        ]
        for row in r.outcomes.to_dicts()
        for form in [percent if row["unit"] in SHARE_UNITS else measured]
    ]
    if rows:
        screen.table(["outcome", "", "90 % interval", ""], rows)
        for row in r.outcomes.to_dicts():
            if when := when_first(row, r.days):
                screen.paragraph(f"{row['title'] or row['name']}: {when[0].lower()}{when[1:]}")
    if r.record is not None:
        lines = counted(len(r.record), "line")
        screen.paragraph(
            f"{r.agreeing} of {lines} agree with the record; `powderkeg record {r.name}` tells which. {r.used}".rstrip()
        )
    for line in r.brink:
        screen.paragraph(line)
    screen.say()


def must_be_known(source: str, scenario: Scenario, folder: Folder | None) -> None:
    """Raises UsageError for a source that the scenario says nothing of, or reports that go nowhere."""
    if source not in scenario.reporting:
        known = ", ".join(scenario.reporting) or "a scenario with a `reporting` section; this one has none"
        near = nearest_name(source, scenario.reporting)
        raise UsageError(Fault.at("--seen-by", f"unknown source {source!r}", known, near))
    if folder is None:
        raise UsageError(Fault.at("--seen-by", "no folder to write reports to", "--out FOLDER beside --json"))


def typed(name: str, sets: Sequence[str] | None, results: Results, seen_by: str | None = None) -> str:
    """What to type to get these results again."""
    words = ["powderkeg", "run", name, *(word for item in sets or () for word in ("--set", item))]
    words += ["--years", f"{results.years:g}", "--replicates", str(results.replicates), "--seed", str(results.seed)]
    words += ["--seen-by", seen_by] if seen_by is not None else []
    return shlex.join(words)


def write(
    folder: Folder,
    scenario: Scenario,
    made: Made,
    command: str,
    also: Also,
    apart: DrawerApart | None = None,
    seen_by: str | None = None,
) -> None:
    """All files, the small ones first: where the disk fills up, what answers the questions is there; acts give way."""
    from powderkeg.report.results import summary
    from powderkeg.scenario import resolve

    results = made.results
    resolved = json.dumps(resolve(scenario), ensure_ascii=False, allow_nan=False, indent=2)
    in_room(made, lambda: folder.write("outcomes.csv", csv_of(results.outcomes)))
    in_room(made, lambda: folder.data("outcomes.json", summary(results)))
    in_room(made, lambda: folder.write("scenario.resolved.json", text_of(resolved + "\n")))
    if made.standoffs is not None:
        standoffs = made.standoffs()
        in_room(made, lambda: folder.write("episodes.parquet", standoffs.write_parquet))
        del standoffs
    also.write(folder, scenario, results)
    full: DiskError | None = None
    if seen_by is not None and made.events is not None and made.full is None:
        folder.write("reports.parquet", partial(reports, made.events, scenario.reporting[seen_by], results.seed))
    files = [*folder.finished, *([EVENTS] if made.events is not None else ["events/", "standoffs/"])]
    if made.events is not None:
        try:
            folder.write(EVENTS, partial(moved, made))
        except DiskError as error:  # the page, which is small and answers the questions, may still find room
            full = error

    from powderkeg import report

    folder.write("report.html", lambda path: report.write(results, path, files, command, apart))
    if full is not None:
        raise full


def in_room(made: Made, write: Callable[[], object]) -> None:
    """Write a small file. Where the disk is full, the acts' file, which was made before, gives way to it."""
    try:
        write()
    except DiskError as error:
        if made.events is None or made.full is not None:
            raise
        made.events.unlink()
        made.full = error.__cause__ or error
        write()


def moved(made: Made, place: Path) -> None:
    """The events' file to where it belongs. Raises what kept it from being written."""
    if made.full is not None:
        raise made.full
    assert made.events is not None
    move(made.events, place)


def reports(events: Path, shown: Reporting, seed: int, place: Path) -> None:
    """What a source would show of the events in a file."""
    from powderkeg.events import read_table, write_events
    from powderkeg.fit import observe

    write_events(observe(read_table(events), shown, seed), place)
