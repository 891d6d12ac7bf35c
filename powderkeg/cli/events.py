"""Commands about observed events: read, summary, match, and the standoffs in them.

In: event files of any known format, or tables that `events read` wrote. Out: one Parquet file; what is in it; who is
who; standoffs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.arguments import spoken, typed
from powderkeg.cli.folder import Destination, table_place
from powderkeg.cli.options import AsJson, Quiet, read_scenario
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen
from powderkeg.cli.tables import csv_of
from powderkeg.errors import Fault, PowderkegWarning, UsageError
from powderkeg.wording import counted, measured, plain

if TYPE_CHECKING:
    import polars as pl

    from powderkeg.analyze import HottestDay, Rules
    from powderkeg.events import EventTable
    from powderkeg.scenario import Scenario

Of = Annotated[
    str | None,
    typer.Option(
        "--scenario", metavar="SCENARIO", help="Keep events between the actors of this scenario, in its terms."
    ),
]

MOST_PLACES = 3
"""Rows that were set aside whose places are told."""
MOST_ROWS = 20
"""Rows of a table on the screen; --json has more."""

events = typer.Typer(help="Observed events: read them, see what is in them, find out who is who.", no_args_is_help=True)


@events.command()
@reads_events
def read(
    reading: ReadingOptions,
    out: Annotated[Path, typer.Option("--out", "-o", dir_okay=False, help="The table to write.")],
    scenario: Of = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Where rows that cannot be read go; by default beside --out.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read event files into one table; every row that was read is kept, set aside or dropped by a named policy.

    [bold]Example:[/] powderkeg events read icews/*.tab --scenario north-kosovo --out events.parquet
    """
    from powderkeg.events import convert

    screen = Screen(as_json, quiet)
    read_here: list[str | Path] = [*reading.paths, *([scenario] if scenario else [])]
    table_place(out, read_here)
    if quarantine is not None:
        Destination(quarantine, [*read_here, out])
    with screen.counting(reading.what) as progress:
        account = convert(
            list(reading.files), out, quarantine=quarantine, progress=progress, **reading.arguments(scenario)
        )
    screen.data({"out": str(out), **account})
    tell_rows(screen, account)
    screen.say(f"Written to {out}")


@events.command()
@reads_events
def summary(
    reading: ReadingOptions,
    scenario: Of = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what is in event files: span, rows, actors, classes, busiest weeks, doubles, unknown codes.

    [bold]Example:[/] powderkeg events summary events.parquet
    """
    from powderkeg.events import summary as sum_up

    screen = Screen(as_json, quiet)
    table = reading.table(screen, scenario)
    found = sum_up(table)
    screen.data(found.as_dict())
    if "rows_read" in table.account:
        tell_rows(screen, table.account, table.quarantine)
    else:
        screen.say(accounted({}, kept=found.rows_kept))
    unknown = ", ".join(f"{code} ({n:,})" for code, n in list(found.unknown_codes.items())[:MOST_ROWS])
    screen.table(
        ["", ""],
        [
            ["first event", found.first_day],
            ["last event", found.last_day],
            ["resolution", found.resolution],
            ["actors", f"{found.actors:,}"],
            ["dyads", f"{found.dyads:,}"],
            ["days without events", f"{found.days_without_events:,}"],
            *([["who acted is not known", f"{found.undirected:,}"]] if found.undirected else []),
            *([["entered a year late", f"{found.dated_a_year_early:,}"]] if found.dated_a_year_early else []),
            *([f"class: {name}", f"{n:,}"] for name, n in found.classes.items()),
            *([f"doubles: {name}", f"{n:,}"] for name, n in found.doubles.items()),
            *([f"set aside: {name}", f"{n:,}"] for name, n in found.set_aside_by_reason.items()),
            *([["unknown codes", unknown]] if unknown else []),
        ],
    )
    rows_table(screen, "most active", found.most_active)
    rows_table(screen, "acts", found.top_acts)
    rows_table(screen, "busiest weeks", found.busiest_weeks)
    rows_table(screen, "most hostile weeks", found.most_hostile_weeks)


@events.command("match")
@reads_events
def match_(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario whose actors have match rules.")],
    reading: ReadingOptions,
    acts: Annotated[
        str, typer.Option(help="class: an act without one of like code becomes the nearest of its class; or none.")
    ] = "class",
    kind: Annotated[
        str | None, typer.Option("--source", help="Whose match rules to use; by default those of the files' format.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say which names in the data are which actor, which names are nobody, and which rules match nothing.

    [bold]Example:[/] powderkeg events match north-kosovo icews.tab --aliases mine.csv
    """
    from powderkeg.events import match

    screen = Screen(as_json, quiet)
    read = read_scenario(scenario)
    table = replace(reading, aliases=None, touching=None).table(screen)
    _, found = match(read, table, reading.aliases, source=kind, acts=acts, touching=reading.actors)
    screen.data(found.as_dict())
    are = "is" if found.kept == 1 else "are"
    screen.say(
        f"{found.kept:,} of {counted(found.rows, 'row')} {are} between two actors of {read.name}, by an act of it."
    )
    rows_table(screen, "matched", found.matched.to_dicts())
    rows_table(screen, "not matched, those that would win most first", found.unmatched.to_dicts())
    rows_table(screen, "acts", found.acts.to_dicts())
    rows_table(screen, "matched twice", found.twice.to_dicts())
    if found.unused:
        screen.paragraph(f"rules that match no name of these data: {', '.join(found.unused)}")


@reads_events
def episodes(
    reading: ReadingOptions,
    scenario: Of = None,
    by: Annotated[str, typer.Option(help="system: all actors together. dyad: every two actors apart.")] = "system",
    relative: Annotated[
        bool, typer.Option("--relative", help="Thresholds on top of the heat that is usual in these events.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="Write them as .csv, .json or .parquet.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw hostile acts and standoffs: .svg, .png, .pdf or .html.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the standoffs in observed events: when, who opened, how long, who joined, how it ended.

    [bold]Example:[/] powderkeg episodes icews.tab --scenario north-kosovo --figure standoffs.svg
    """
    from powderkeg import analyze

    screen = Screen(as_json, quiet)
    writer = None if out is None else frame_writer(out)
    read_here: list[str | Path] = [*reading.paths, *([scenario] if scenario else [])]
    place = None if out is None else Destination(out, read_here)
    drawing = None if figure is None else Destination(figure, read_here)
    read = None if scenario is None else read_scenario(scenario)
    table = reading.table(screen, scenario, days_told=True)
    with screen.waiting("cutting standoffs"), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", PowderkegWarning)
        rules = analyze.relative_rules(table, read, by=by) if relative else analyze.Rules.of(read)
        found = analyze.episodes(table, read, rules=rules, by=by)
    if relative:
        screen.paragraph(_usual_told(rules, by))
    titles = titles_of(table, read)
    screen.data(
        {
            "rules": {
                "memory": rules.memory,
                "opens_at": rules.opens_at,
                "closes_at": rules.closes_at,
                "chained_within": rules.chained_within,
                "usual": dict(rules.usual),
            },
            "events": len(table),
            "first_day": table.start,
            "days": table.days,
            "scenario": scenario,
            "episodes": [_told(row) | {"first_act_title": titles.get(row["first_act"])} for row in found.to_dicts()],
        }
    )
    for one in heard:
        screen.paragraph(typed(spoken(one.message)))
    show_episodes(screen, found, titles)
    if not found.height and not heard:
        screen.paragraph(_why_none(analyze.hottest(table, read, rules, by), len(table), rules))
    if place is not None and writer is not None:
        place.write(lambda path: writer(found, path))
        screen.say(f"Written to {out}")
    if drawing is not None:
        from powderkeg import plots
        from powderkeg.report.drawn import hostile_acts

        chart = plots.hostility(hostile_acts(table, read), found, table.start, table.days)
        drawing.write(lambda path: plots.save(chart, path))
        screen.say(f"Drawn in {figure}")


def _why_none(top: HottestDay, events: int, rules: Rules) -> str:
    """How near the events came to a standoff."""
    if not top.acts:
        told = counted(events, "event")
        return f"None of {told} is a hostile act of those whose standoffs are counted, and only such make standoffs."
    acts, score, needed = counted(top.acts, "hostile act"), measured(top.score), measured(rules.opens_at)
    return (
        f"{acts}. Their heat came to {score} at most, on {top.day}; a standoff opens at {needed}, and heat fades "
        f"to 37 % in {measured(rules.memory)} days: what a scenario says under `standoffs` sets both."
    )


def _usual_told(rules: Rules, by: str) -> str:
    """What thresholds on top of the usual are."""
    if by == "dyad":
        busy = sorted(((score, name) for name, score in rules.usual.items() if score > 0), reverse=True)
        told = ", ".join(f"{name} {plain(score)}" for score, name in busy[:5])
        return (
            f"Usual scores (medians over days): {told or 'all 0'}{' and others' if len(busy) > 5 else ''}; a standoff "
            f"closes that much higher and opens at {plain(rules.opens_at / rules.closes_at)} times where it closes."
        )
    return (
        f"On top of what is usual in these events a standoff opens at {rules.opens_at:.3g} and closes below "
        f"{rules.closes_at:.3g}. To judge simulated histories alike: --set standoffs.opens_at={rules.opens_at:.3g} "
        f"--set standoffs.closes_at={rules.closes_at:.3g}"
    )


def tell_rows(screen: Screen, account: Mapping[str, Any], quarantine: pl.DataFrame | None = None) -> None:
    """What was found out about the columns, and where every row went.

    Of rows that are not used the first of a kind is told, with its place or with what was likely meant. Nothing for a
    table without an account of its own.
    """
    if "rows_read" not in account:
        return
    for line in account.get("said", []):
        screen.say(line)
    screen.say(accounted(account))
    if quarantine is not None and quarantine.height:
        for row in quarantine.unique("reason", keep="first", maintain_order=True).head(MOST_PLACES).to_dicts():
            screen.say(f"    set aside: {row['file']}:{row['line']}: {row['reason']}")
    else:
        for reason, rows in list(account.get("set_aside_by_reason", {}).items())[:MOST_PLACES]:
            screen.say(f"    set aside: {reason} ({rows:,})")
    kinds = {"actors": "no actor of the scenario", "acts": "no act of the scenario"}
    strangers = account.get("strangers", {})
    for kind, rows in strangers.items():
        told = ", ".join(
            f"{one['name']!r} ({one['events']:,}{'; nearest: ' + repr(one['nearest']) if one['nearest'] else ''})"
            for one in rows
        )
        screen.say(f"    {kinds[kind]}: {told}")
    if strangers:
        screen.say("    `powderkeg events match` with the same scenario and files says who is taken for whom")


def accounted(account: Mapping[str, Any], kept: int | None = None) -> str:
    """Where every row went. `kept` is for a table without an account of its own."""
    rows = kept or 0
    added = "".join(f", {n:,} added ({name})" for name, n in account.get("rows_added", {}).items())
    dropped = "".join(f", {n:,} dropped ({name})" for name, n in account.get("rows_dropped", {}).items())
    return (
        f"{counted(account.get('rows_read', rows), 'row')} read{added}: {account.get('rows_kept', rows):,} kept, "
        f"{account.get('rows_set_aside', 0):,} set aside{dropped}."
    )


def rows_table(screen: Screen, title: str, rows: list[dict[str, Any]]) -> None:
    """The first rows of a table under their names; nothing where there are none."""
    if rows and not screen.is_silent:
        shown = [[f"{x:,}" if isinstance(x, int) else x for x in row.values()] for row in rows[:MOST_ROWS]]
        screen.say()
        more = f" (first {MOST_ROWS} of {len(rows):,})" if len(rows) > MOST_ROWS else ""
        screen.table([name.replace("_", " ") for name in rows[0]], shown, title + more)


def titles_of(table: EventTable, scenario: Scenario | None) -> dict[str, str]:
    """What actors and acts are called: by the scenario, or acts by the book that their codes are of."""
    from powderkeg.events.codes import act_titles

    if scenario is None:
        return act_titles(table.frame)
    things: dict[str, Any] = {**scenario.acts, **scenario.actors}
    return {name: one.title.partition(": ")[0] for name, one in things.items() if one.title}


def show_episodes(screen: Screen, found: pl.DataFrame, titles: Mapping[str, str]) -> None:
    """Standoffs as a table, one a row, with titles in place of codes and names."""
    import polars as pl

    heads = {
        "dyad": "dyad", "first_day": "from", "last_day": "to", "calendar_days": "days", "opener": "opened by",
        "first_act": "first act", "target": "against", "between": "between", "peak": "peak", "events": "acts",
        "joined": "joined", "end_state": "end", "chance": "in draws of days",
    }  # fmt: skip
    names = [name for name in heads if name in found.columns]
    shown = found.select(names)
    if "chance" in names:
        shown = shown.with_columns(pl.format("{} %", (100 * pl.col("chance")).round(0).cast(pl.Int64)).alias("chance"))
    if "between" in names:
        shown = shown.with_columns(pl.col("opener").fill_null("not known"))

    def told(x: Any) -> Any:
        if isinstance(x, list):
            return ", ".join(titles.get(one, one) for one in x)
        return f"{x:.1f}" if isinstance(x, float) else titles.get(x, x) if isinstance(x, str) else x

    rows = [[told(x) for x in row] for row in shown.iter_rows()]
    screen.say(counted(found.height, "standoff"))
    unknown = found["opener"].null_count() if "between" in found.columns else 0
    if unknown:
        screen.paragraph(
            f"Who opened {unknown:,} of them is not known: the source does not say which of the two sides acted."
        )
    if rows:
        screen.table([heads[name] for name in names], rows)


def frame_writer(out: Path) -> Any:
    """What writes a frame in the format that a name ends in. Raises UsageError for any other."""
    if out.suffix == ".parquet":
        return lambda frame, path: frame.write_parquet(path)
    if out.suffix == ".csv":
        return lambda frame, path: csv_of(frame)(path)
    if out.suffix == ".json":
        return lambda frame, path: frame.write_json(path)
    raise UsageError(Fault(str(out), None, "", f"format {out.suffix!r}", "a name that ends in .csv, .json or .parquet"))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """A standoff for machines: start and end as days of the calendar where they are known."""
    days = {"start_day": row["start"], "last_act_day": row["last"], "end_day": row["end"]}
    return row | {"start": row["first_day"], "end": row["last_day"]} | days
