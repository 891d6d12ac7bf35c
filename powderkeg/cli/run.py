"""`powderkeg run`: a scenario, many times; a table on the screen, files and a page in a folder.

In: a scenario. Out: events.parquet, episodes.parquet, outcomes.csv, outcomes.json, scenario.resolved.json, report.html.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.folder import Folder
from powderkeg.cli.options import (
    DEFAULT_SCENARIO,
    AsJson,
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
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    import polars as pl

    from powderkeg.model import Model
    from powderkeg.report import Results
    from powderkeg.scenario import Scenario
    from powderkeg.simulate import Runs

DEFAULT_FOLDER = Path("powderkeg-report")
STOPPED = 130
EVENTS_SHARE = 0.25
"""Of the memory: an act takes 36 bytes while it is simulated, and about 145 by the time it is counted and written."""
RECORD_HISTORIES = 1_000
"""Histories as long as the record that the page holds against it; `powderkeg record` takes more if asked."""


def run(
    scenario: ScenarioName = DEFAULT_SCENARIO,
    sets: Sets = None,
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
    workers: Workers = None,
    memory: Memory = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a scenario many times: what happens, how often, how it ends, who is drawn in.

    [bold]Example:[/] powderkeg run mine.yaml --years 5 --replicates 100000 --set mechanisms.retaliation.answers=0.5
    """
    screen = Screen(as_json, quiet)
    length(years)
    read = read_scenario(scenario, sets)
    folder = None if as_json and out is None else Folder(out or DEFAULT_FOLDER, [scenario])

    from powderkeg import analyze, report
    from powderkeg.model import compile, stability
    from powderkeg.simulate import Interrupted, simulate
    from powderkeg.simulate.memory import budget

    room = budget(memory).part(EVENTS_SHARE)

    model = compile(read)
    with screen.waiting("looking for the worst state"):
        found = stability(model)
    if found.warning:
        say_error(f"warning: {found.warning}")
    stopped = False
    try:
        with screen.progress(f"{replicates:,} runs of {read.name}") as progress:
            runs = simulate(
                model, years=years, replicates=replicates, seed=seed, workers=workers, memory=room, progress=progress
            )  # fmt: skip
    except Interrupted as interrupted:
        runs, stopped = interrupted.runs, True
        say_error(f"Stopped after {runs.replicates:,} of {replicates:,} runs; what follows is about these.")
        if runs.replicates == 0:
            raise typer.Exit(STOPPED) from None
    with screen.waiting("counting"):
        episodes = analyze.episodes(runs)
        lines = record_lines(model, runs.replicates, seed, workers)
        results = report.gather(model, runs, episodes, lines, found)
    screen.data(report.summary(results))
    show(screen, results)
    if folder is not None:
        with screen.waiting("writing"), folder.results("run", read, seed):
            write(folder, read, runs, episodes, results, typed(scenario, sets, results))
        for line in folder.said():
            screen.say(line)
        screen.say(f"Open {(folder.path / 'report.html').resolve()}")
    if stopped:
        raise typer.Exit(STOPPED)


def record_lines(model: Model, replicates: int, seed: int, workers: int | None) -> list[dict[str, Any]] | None:
    """The model held against the built-in record of its scenario's name; None if there is none."""
    from powderkeg.score import record, record_names

    if model.scenario is None or model.scenario.name not in record_names():
        return None
    found = record(model, replicates=min(replicates, RECORD_HISTORIES), seed=seed, workers=workers)
    return [asdict(line) for line in found.lines]


def show(screen: Screen, results: Results) -> None:
    """The results as tables."""
    if screen.is_silent:
        return
    from powderkeg.wording import measured, percent

    def between(low: float | None, high: float | None, form: Any) -> str:
        return "" if low is None or high is None else f"{form(low)} to {form(high)}"

    r = results
    found = r.standoffs
    screen.say(f"{r.title}: {r.replicates:,} runs of {r.years:g} years, seed {r.seed}, {r.events:,} acts")
    screen.say()
    rows = [
        ["standoffs a year", measured(found.per_year.mean), between(found.per_year.low, found.per_year.high, measured)],
        ["median length, days", measured(found.median_days.mean), between(*found.median_days[1:3], measured)],
        ["share with anyone hurt", percent(found.hurt.mean or 0.0), between(*found.hurt[1:3], percent)],
        ["share with deaths", percent(found.deaths.mean or 0.0), between(*found.deaths[1:3], percent)],
    ]
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
        for form in [percent if row["unit"] in ("share of runs", "share of days") else measured]
    ]
    if rows:
        screen.table(["outcome", "", "90 % interval", ""], rows)
    if r.record is not None:
        screen.say(
            f"{r.agreeing} of {len(r.record)} lines agree with the record; `powderkeg record {r.name}` tells which."
        )
    for line in r.brink:
        screen.paragraph(line)
    screen.say()


def typed(name: str, sets: Sequence[str] | None, results: Results) -> str:
    """What to type to get these results again."""
    words = ["powderkeg", "run", name, *(word for item in sets or () for word in ("--set", item))]
    words += ["--years", f"{results.years:g}", "--replicates", str(results.replicates), "--seed", str(results.seed)]
    return shlex.join(words)


def write(
    folder: Folder, scenario: Scenario, runs: Runs, episodes: pl.DataFrame, results: Results, command: str
) -> None:
    """All files, the small ones first: if the disk fills up, what answers the questions is there."""
    from powderkeg import report
    from powderkeg.events import write_events
    from powderkeg.scenario import resolve

    summary = json.dumps(report.summary(results), ensure_ascii=False, allow_nan=False, indent=2)
    resolved = json.dumps(resolve(scenario), ensure_ascii=False, allow_nan=False, indent=2)
    folder.write("outcomes.csv", csv_of(results.outcomes))
    folder.write("outcomes.json", text_of(summary + "\n"))
    folder.write("scenario.resolved.json", text_of(resolved + "\n"))
    folder.write("episodes.parquet", episodes.write_parquet)
    files = [*folder.finished, "events.parquet"]
    # The page keeps one core busy, the events another.
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(folder.write, "events.parquet", lambda path: write_events(runs.table(), path))
        folder.write("report.html", lambda path: report.write(results, path, files, command))
        writing.result()
