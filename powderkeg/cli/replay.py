"""`powderkeg replay`: would it have happened without this?

In: a scenario, event files, what is left out. Out: which standoffs and acts stay, what becomes of the outcomes, and
beside it what simulation says; with --out the tables, the figure, JSON.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.compare import beside
from powderkeg.cli.events import tell_rows
from powderkeg.cli.folder import Claim, Folder
from powderkeg.cli.jobs import WorkOptions, typed_words, works_long
from powderkeg.cli.options import (
    AsJson,
    Force,
    Memory,
    Quiet,
    ScenarioName,
    Seed,
    Sets,
    Workers,
    as_date,
    read_scenario,
)
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen
from powderkeg.cli.tables import csv_of
from powderkeg.errors import Fault, UsageError
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.compare import Replay

MOST_ACTS = 12
MOST_NAMED = 5


@works_long
@reads_events
def replay(
    scenario: ScenarioName,
    reading: ReadingOptions,
    work: WorkOptions,
    without: Annotated[
        str | None,
        typer.Option(
            "--without",
            "-w",
            metavar="X",
            help="An actor, mechanism, tie, fact, act or intervention of the scenario; or one act: "
            "'kosovo arrests north_serbs on 2018-03-26'.",
        ),
    ] = None,
    changed: Annotated[
        str | None,
        typer.Option("--with", metavar="PATH=VALUE", help="Instead: with this value; A=1+B=2 is both at once."),
    ] = None,
    sets: Sets = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Leave it out from this day on. [dim]first day[/]")
    ] = None,
    replicates: Annotated[int, typer.Option(min=2, max=1_000_000, help="How many replays.")] = 2_000,
    imputations: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many draws of what nobody reported: hours, hidden facts.")
    ] = 20,
    seed: Seed = 1,
    ranges: Annotated[
        bool,
        typer.Option("--ranges/--no-ranges", help="Also under other numbers from the ranges, or from a fit."),
    ] = True,
    range_sets: Annotated[int, typer.Option("--sets", min=2, max=10_000, help="How many sets of such numbers.")] = 40,
    level: Annotated[float, typer.Option(help="Of the intervals, above 0 and below 1.")] = 0.9,
    drop_unmatched: Annotated[
        bool, typer.Option("--drop-unmatched", help="Leave out events that no move of the scenario allows.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", file_okay=False, help="Folder for the results.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Would it have happened without this? Live an observed history through once more, with only this left out.

    [bold]Example:[/] powderkeg replay north-kosovo events.parquet --without serbia --from 2018-03-26
    """
    screen = Screen(as_json, quiet)
    read = read_scenario(scenario, sets)
    left_out = asked(without, changed)
    day = None if since is None else as_date(since, "--from")
    folder = None if out is None else Folder(out, [scenario, *reading.paths], Claim("replay", read.name, seed, force))
    fitted = beside(scenario) if ranges else None
    events = reading.table(screen, scenario, days_told=True)

    from powderkeg.compare import replay as live_again

    tell_rows(screen, events.account, events.quarantine)
    what = f"{read.name}, {len(events):,} events {spoken(left_out)}"
    with work.ended(), work.executor() as executor, screen.progress(what) as progress:
        found = live_again(
            read, events, left_out, since=day, replicates=replicates, imputations=imputations, seed=seed, level=level,
            unmatched="drop" if drop_unmatched else "refuse", workers=workers, memory=memory, ranges=ranges,
            sets=range_sets, fitted=fitted, executor=executor, progress=progress,
        )  # fmt: skip
    screen.data(found.as_dict())
    show(screen, found, replicates)
    if folder is not None:
        with screen.waiting("writing"), folder.results("replay", read, seed):
            write(folder, found)
        for line in folder.said():
            screen.say(line)
        screen.say(f"Open {(folder.path / 'replay.html').resolve()}")


def asked(without: str | None, changed: str | None) -> str:
    """What is other in the replay. Raises UsageError for both or neither."""
    from powderkeg.compare.interventions import edits

    if (without is None) == (changed is None):
        found = "neither" if without is None else "both"
        raise UsageError(Fault.at("--without, --with", found, "one of them: what is to be otherwise"))
    if changed is not None:
        edits(changed)
        return changed
    return str(without)


def spoken(left_out: str) -> str:
    """It in words, for the progress line."""
    return f"with {left_out}" if "=" in left_out else f"without {left_out}"


def show(screen: Screen, found: Replay, replicates: int) -> None:
    """Standoffs, outcomes beside simulation, acts by actor and kind, the acts that fall away."""
    if screen.is_silent:
        return
    _show_question(screen, found, replicates)
    _show_standoffs(screen, found)
    _show_outcomes(screen, found)
    _show_counts(screen, found)
    _show_gone(screen, found)
    screen.say()
    for paragraph in _cautions(found):
        screen.paragraph(paragraph)


def _show_question(screen: Screen, r: Replay, replicates: int) -> None:
    from powderkeg.wording import counted

    window = f"{r.day(r.begin)} to {r.last_day}"
    acts = f"{counted(r.events, 'act')} from {window}"
    screen.say(f"{r.scenario.title or r.scenario.name}, {acts}, {r.without.title}")
    told = f"{counted(r.replicates, 'replay')} from {r.day(r.turn)} on, seed {r.seed}"
    if r.imputations > 1:
        why = "the hours of acts and the facts nobody reports" if r.by_day else "the facts nobody reports"
        told += f", over {r.imputations} draws of {why}"
        told += f" ({replicates:,} asked: as many over each draw)" if r.replicates != replicates else ""
    screen.say(told)
    if r.sets:
        told = f"{counted(r.sets, 'other set')} of numbers from the ranges, {counted(r.each, 'replay')} each"
        screen.say(
            told + (f"; {counted(len(r.fitted), 'number')} together from what the fit left open" if r.fitted else "")
        )
    screen.say()


def _other(r: Replay) -> list[str]:
    """The head of the column that only replays under other numbers have."""
    return ["under other numbers"] if r.sets else []


def _show_standoffs(screen: Screen, r: Replay) -> None:
    from powderkeg.wording import measured, percent

    if r.standoffs.height:
        rows = [
            [f"{row['first_day']} to {row['last_day']}", f"{row['opener']}: {row['first_act']}",
             percent(row["happens"]),
             *([_span(row["happens_low"], row["happens_high"], "share of runs")] if r.sets else []),
             f"{percent(row['hurt_anyway'])} (was: {'yes' if row['hurt'] else 'no'})",
             "" if row["acts_stay"] is None else percent(row["acts_stay"])]
            for row in r.standoffs.to_dicts()
        ]  # fmt: skip
        heads = ["observed", "opened by", "still happens", *_other(r), "with people hurt", "its hostile acts that stay"]
        screen.table(heads, rows, "Standoffs")
    else:
        screen.say("No standoff was observed from that day on.")
    screen.say(f"New standoffs that overlap none of these: {measured(r.new_standoffs.value)} a replay.")
    screen.say()


def _show_outcomes(screen: Screen, r: Replay) -> None:
    from powderkeg.compare.replay.result import NOT_OBSERVABLE
    from powderkeg.report.compared import value

    rows = []
    for one, ahead in zip(r.outcomes, r.forward, strict=True):
        own = ["-", "-", *(["-"] if r.sets else [])]
        if one.observed is not None and one.value is not None and one.low is not None and one.high is not None:
            span = f"{value(one.value, one.unit)} [{value(one.low, one.unit)}, {value(one.high, one.unit)}]"
            own = [value(one.observed, one.unit), span]
            own += [_span(one.range_low, one.range_high, one.unit)] if r.sets else []
        simulated = [value(ahead.baseline, ahead.unit), value(ahead.value, ahead.unit), ahead.verdict]
        rows.append([one.title, *own, *simulated])
    if not rows:
        return  # the scenario asks nothing
    replayed = f"replayed [{100 * r.level:g} % interval]"
    heads = ["", "observed", replayed, *_other(r), "simulated with", "simulated without", "simulation says"]
    screen.table(heads, rows, f"Outcomes from {r.day(r.turn)} on")
    if any(one.observed is None for one in r.outcomes):
        screen.paragraph(f"-: {NOT_OBSERVABLE}")
    screen.say()


def _show_counts(screen: Screen, r: Replay) -> None:
    from powderkeg.wording import measured, plain

    def row_of(head: list[str], one: Mapping[str, Any]) -> list[str]:
        under = [_span(one["range_low"], one["range_high"], "acts")] if r.sets else []
        seen = [plain(one["observed"], 4), measured(one["value"])]
        return [*head, *seen, *under, f"{one['least']:,.0f} to {one['most']:,.0f}"]

    counts = sorted(r.counts.to_dicts(), key=lambda row: -abs(row["value"] - row["observed"]))[:MOST_ACTS]
    rows = [row_of([row["actor"], row["act"]], row) for row in counts]
    rows.append(row_of(["all", ""], vars(r.all_acts)))
    heads = ["", "", "observed", "replayed", *_other(r), f"{100 * r.level:g} % of replays"]
    screen.table(heads, rows, "Acts, those that change most first")


def _show_gone(screen: Screen, r: Replay) -> None:
    from powderkeg.wording import percent

    gone = r.acts.filter(r.acts["stays"] < 0.995).sort("stays", "time").head(MOST_ACTS)
    if gone.height:
        screen.say()
        rows = [
            [row["date"], row["source"], row["act"], row["target"], percent(row["stays"])] for row in gone.to_dicts()
        ]
        screen.table(["", "", "", "", "stays"], rows, "Observed acts that stay least often")


def _cautions(r: Replay) -> Iterator[str]:
    """What the numbers rest on, a paragraph each."""
    from powderkeg.compare.ranges import said_of_aside
    from powderkeg.compare.replay.result import RESTS_ON
    from powderkeg.wording import counted, percent

    shares = [one.imputation for one in (*r.outcomes, r.all_acts) if one.imputation is not None]
    if shares and r.imputations > 1:
        yield (
            f"Of the replays' spread in the number of acts, {percent(r.all_acts.imputation or 0.0)} comes from what "
            f"nobody reported and had to be drawn; over the outcomes at most {percent(max(shares))}."
        )
    if r.sets:
        yield (
            f"Under other numbers: where the replayed mean lies in {100 * r.level:g} % of the sets, chance set apart, "
            "which more replays would not shrink; '?' where it is lost in chance. The simulation is at the scenario's "
            "own numbers."
        )
    if r.impossible:
        yield (
            f"{r.impossible:,} observed acts could not have happened in any state that the model thinks likely at that "
            "moment, by the scenario's guards and triggers. They stay as they are unless what is left out takes them "
            f"away: the model has no view on them. {_named(r)}"
        )
    if r.stopped:
        yield f"{counted(r.stopped, 'replay was', 'replays were')} stopped at the limit of new acts."
    if r.aside:
        yield said_of_aside(r.sets, r.aside)
    if r.stopped_under:
        stopped = counted(r.stopped_under, "replay was", "replays were")
        yield f"Under other numbers, {stopped} stopped at the limit of new acts."
    yield RESTS_ON


def _span(low: float | None, high: float | None, unit: str) -> str:
    """From low to high, a question mark where chance hides it."""
    from powderkeg.report.compared import value

    return "?" if low is None or high is None else f"{value(low, unit)} to {value(high, unit)}"


def _named(found: Replay) -> str:
    """The first few acts that were impossible."""
    rows = found.acts.filter(found.acts["impossible"] > 0.5).to_dicts()
    told = [f"{row['date']} {row['source']} {row['act']} {row['target'] or ''}".rstrip() for row in rows]
    return f"They are: {', '.join(told[:MOST_NAMED])}{', ...' if len(told) > MOST_NAMED else ''}."


def write(folder: Folder, found: Replay) -> None:
    """Tables, figure, JSON, the page."""
    from powderkeg import plots
    from powderkeg.report import replayed

    folder.data("replay.json", found.as_dict())
    folder.write("acts.csv", csv_of(found.acts))
    folder.write("counts.csv", csv_of(found.counts))
    folder.write("standoffs.csv", csv_of(found.standoffs))
    folder.write("outcomes.csv", csv_of(found.outcome_table()))
    folder.write("replay.svg", lambda path: plots.save(replayed.chart(found), path))
    files, typed = list(folder.finished), shlex.join(["powderkeg", *typed_words()])
    folder.write("replay.html", text_of(replayed.page(found, files, typed, folder.made)))
