"""`powderkeg compare`: what interventions would change, on the same draws.

In: a scenario, names of its interventions, what else to change or leave out. Out: a table on the screen; with --out a
page, its figure, a CSV, JSON.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from powderkeg.cli.folder import Claim, Folder
from powderkeg.cli.jobs import JobOptions, runs_long, typed_words
from powderkeg.cli.options import (
    DEFAULT_SCENARIO,
    AsJson,
    Force,
    Limit,
    Memory,
    Quiet,
    Replicates,
    Seed,
    Sets,
    Workers,
    Years,
    length,
    read_scenario,
)
from powderkeg.cli.screen import Screen
from powderkeg.cli.tables import csv_of
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.compare import Comparison
    from powderkeg.compare.effects import Effect
    from powderkeg.fit import Joint

OutFolder = Annotated[Path | None, typer.Option("--out", "-o", file_okay=False, help="Folder for the results.")]


@runs_long
def compare(
    job: JobOptions,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO] [INTERVENTION]...",
            help="A scenario (default north-kosovo), interventions of it; a+b is both at once. Default: all of them.",
        ),
    ] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="PATH=VALUE", help="A world with this value; A=1+B=2 is both at once. [dim]repeatable[/]"
        ),
    ] = None,
    left_out: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            "-w",
            metavar="X",
            help="A world without this actor, mechanism, tie, fact or act. [dim]repeatable[/]",
        ),
    ] = None,
    sets: Sets = None,
    years: Years = None,
    replicates: Replicates = 10_000,
    seed: Seed = 1,
    ranges: Annotated[
        bool,
        typer.Option("--ranges/--no-ranges", help="Also under other numbers from the ranges, or from a fit."),
    ] = True,
    range_sets: Annotated[int, typer.Option("--sets", min=2, max=10_000, help="How many sets of such numbers.")] = 40,
    out: OutFolder = None,
    workers: Workers = None,
    memory: Memory = None,
    force: Force = False,
    limit: Limit = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What would an intervention change? The same chance, two worlds, and how sure the difference is.

    [bold]Example:[/] powderkeg compare north-kosovo withdraw_kfor --with mechanisms.fights_back.answers=0.2
    """
    screen = Screen(as_json, quiet)
    length(years)
    name, interventions = split(words or [])
    interventions += [*edited(changed), *(f"without {one}" for one in left_out or ())]
    read = read_scenario(name, sets)
    job.stops_with_a_script()
    folder = None if out is None else Folder(out, [name], Claim("compare", read.name, seed, force))
    fitted = beside(name) if ranges else None
    plan = job.plan(out, read)

    from powderkeg.compare import compare as compare_worlds

    what = f"{read.name}, {len(interventions) or len(read.interventions)} worlds"
    with job.told(screen, out), job.executor() as executor:
        with screen.progress(what) as progress:
            found = compare_worlds(
                read, interventions or None, years=years, replicates=replicates, seed=seed, workers=workers,
                memory=memory, limit=limit, ranges=ranges, sets=range_sets, fitted=fitted, folder=plan,
                executor=executor, progress=progress,
            )  # fmt: skip
        screen.data(found.as_dict())
        show(screen, found)
        if folder is not None:
            with screen.waiting("writing"), folder.results("compare", read, seed):
                write(folder, found)
            for line in folder.said():
                screen.say(line)
            screen.say(f"Open {(folder.path / 'comparison.html').resolve()}")


def split(words: list[str]) -> tuple[str, list[str]]:
    """The scenario and the interventions: the first word is the scenario unless it could only be an intervention."""
    from powderkeg.errors import nearest_name
    from powderkeg.scenario import load, names

    if not words:
        return DEFAULT_SCENARIO, words
    first = words[0]
    if first in names() or not re.fullmatch(r"[a-z][a-z0-9_+ ]*", first) or Path(first).is_file():
        return first, words[1:]
    # A scenario misspelt is no intervention of another one.
    if nearest_name(first, names()) is not None:
        own = load(DEFAULT_SCENARIO).interventions
        if not any(nearest_name(part.strip(), own) for part in first.split("+")):
            return first, words[1:]
    return DEFAULT_SCENARIO, words


def edited(changed: list[str] | None) -> list[str]:
    """What was typed after --with. Raises UsageError for what is no change of a value."""
    from powderkeg.compare.interventions import edits

    for one in changed or ():
        edits(one)
    return changed or []


def beside(scenario: str) -> Joint | None:
    """What a fit left open, where `powderkeg fit --out` kept it beside its scenario.

    Raises UsageError for a file that is no such law, or that of another fit.
    """
    from powderkeg.fit.joint_law import place_beside, read_beside
    from powderkeg.scenario import load

    place = place_beside(Path(scenario))
    # The scenario as its file has it: what --set changes does not make the two files strangers.
    return read_beside(load(scenario), place) if Path(scenario).is_file() and place.is_file() else None


def show(screen: Screen, found: Comparison) -> None:
    """One table an intervention."""
    if screen.is_silent:
        return
    from powderkeg.report.compared import findings, one_sided, unneeded, unsettled
    from powderkeg.wording import counted, in_years, signed

    c = found
    told = f"{counted(c.replicates, 'pair')} of runs of {in_years(c.years)} each, seed {c.seed}"
    if c.sets:
        told += f"; {counted(c.sets, 'other set')} of numbers from the ranges, {counted(c.each, 'pair')} each"
        if c.fitted:
            told += f"; {counted(len(c.fitted), 'number')} together from what the fit left open"
    screen.say(f"{c.scenario.title or c.scenario.name}: {told}")
    screen.say()
    for line in findings(c):
        screen.paragraph(line)
    screen.say()
    heads = ["", "without", "with", "unit", f"difference [{100 * c.level:g} % interval]"]
    heads += [*(["under other numbers"] if c.sets else []), "verdict", "as good as"]
    every: list[Effect] = []
    for one in c.interventions:
        shown = (*one.outcomes, *(e for e in one.standoffs if e.name in ("standoffs", "mean_days")))
        rows = [_row(effect, bool(c.sets)) for effect in shown]
        told_once = one.title.replace(" ", "") == one.name.replace(" ", "")
        screen.table(heads, rows, one.title if told_once else f"{one.title} ({one.name})")
        every += shown
        if one.idle:
            screen.paragraph(f"It cannot change anything: {one.idle}.")
        if one.not_needed:
            screen.paragraph(unneeded(one))
        if one.at_ends:
            screen.paragraph(one_sided(one))
        parts = [e for e in one.mechanisms if e.difference and e.name != "hostile acts"]
        whole = next(e for e in one.mechanisms if e.name == "hostile acts") if parts else None
        if whole is not None:
            most = sorted(parts, key=lambda e: -abs(e.difference))[:4]
            listed = ", ".join(f"{e.name.replace('_', ' ')} {signed(e.difference, 2)}" for e in most)
            screen.paragraph(f"Hostile acts a year: {signed(whole.difference, 2)}. Most of it: {listed}.")
        screen.say()
    _reading_notes(screen, c, unsettled(c, every))


def _reading_notes(screen: Screen, c: Comparison, lost: str) -> None:
    """How the tables are to be read, and what is not in them; lost: what chance hides under other numbers."""
    from powderkeg.compare.ranges import said_of_aside
    from powderkeg.wording import counted

    screen.paragraph(
        "Better and worse as the scenario says. Difference: shares in percentage points; its interval is chance, which "
        "more runs would shrink. "
        + (
            "Under other numbers: what the scenario's own ranges leave open, which more runs would not shrink; "
            "'better ?' where other numbers could turn it round. "
            if c.sets
            else ""
        )
        + "As good as: how many times as many unpaired runs would have been as sure."
    )
    for said in filter(None, (lost, said_of_aside(c.sets, c.aside))):
        screen.paragraph(said)
    if c.stopped_under:
        screen.paragraph(
            f"Under other numbers, {counted(c.stopped_under, 'run was', 'runs were')} stopped at the limit of events."
        )
    if c.stopped:
        screen.paragraph(f"{counted(c.stopped, 'run')} without intervention stopped at the limit of events.")


def _row(effect: Effect, with_ranges: bool) -> list[str]:
    """An outcome in both worlds, as the table shows it."""
    from powderkeg.analyze.outcomes import SHARE_UNITS, unit_behind
    from powderkeg.plots.comparison import change
    from powderkeg.report.compared import value
    from powderkeg.wording import measured

    scale = 100.0 if effect.unit in SHARE_UNITS else 1.0
    span = "?"
    if effect.range_low is not None and effect.range_high is not None:
        span = f"{measured(scale * effect.range_low)} to {measured(scale * effect.range_high)}"
    row = [effect.title, value(effect.baseline, effect.unit), value(effect.value, effect.unit)]
    row += [unit_behind(effect.unit)]
    row += [change(effect.as_dict()), *([span] if with_ranges else [])]
    row += [effect.verdict + (" ?" if effect.hangs_on_ranges else "")]
    row += ["" if effect.unpaired_ratio is None else f"{effect.unpaired_ratio:.1f} x runs"]
    return row


def write(folder: Folder, found: Comparison) -> None:
    """The table, the figure, the page."""
    from powderkeg import plots
    from powderkeg.report.compared import figure_rows, page

    chart = plots.differences(figure_rows(found), level=found.level)
    folder.write("comparison.csv", csv_of(found.table()))
    folder.data("comparison.json", found.as_dict())
    folder.write("comparison.svg", lambda path: plots.save(chart, path))
    files = list(folder.finished)
    typed = shlex.join(["powderkeg", *typed_words()])
    folder.write("comparison.html", text_of(page(found, files, typed, folder.made)))
