"""`powderkeg attribute`: who set off whom in observed events, as far as a scenario can tell.

In: a scenario and event files. Out: tables on the screen; with --out tables, figures and a page in a folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.compare import beside
from powderkeg.cli.events import tell_rows
from powderkeg.cli.fit import ROWS, warnings_after
from powderkeg.cli.folder import Claim, Folder
from powderkeg.cli.options import AsJson, Force, Quiet, ScenarioName, Seed, Sets, read_scenario
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen, say_error
from powderkeg.cli.tables import csv_of
from powderkeg.errors import Fault, UsageError
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.attribute.family import Family
    from powderkeg.attribute.result import Attribution
    from powderkeg.events import EventTable

MOST_ROWS = 12
"""Rows of a table on the screen; --json and --out have all."""
MOST_LINES = 200
"""Lines of a family tree on the screen."""
MOST_WAYS = 4
"""Ways in which an actor is drawn in that its line names."""
FAINTEST = 0.005
"""Share below which a row is left to --json and --out."""

MAY_BE_MORE = 0.05
"""End of an interval from which a row is shown, however faint its share."""


@reads_events
def attribute(
    scenario: ScenarioName,
    reading: ReadingOptions,
    sets: Sets = None,
    with_fit: Annotated[
        bool, typer.Option("--fit", help="Estimate the scenario's numbers first, and carry their errors along.")
    ] = False,
    free: Annotated[
        list[str] | None,
        typer.Option("--free", metavar="PATH", help="With --fit: estimate these only. [dim]repeatable[/]"),
    ] = None,
    fix: Annotated[
        list[str] | None, typer.Option("--fix", metavar="PATH", help="With --fit: hold these. [dim]repeatable[/]")
    ] = None,
    background: Annotated[
        str, typer.Option(help="With --fit: course of the background, as for powderkeg fit.")
    ] = "auto",
    links: Annotated[bool, typer.Option("--links", help="With --json: who may have set off whom, act by act.")] = False,
    least: Annotated[float, typer.Option(help="Probability below which a link is left out.")] = 0.01,
    episode: Annotated[
        str | None,
        typer.Option(
            metavar="N|DATE", help="Family tree of one standoff: its number, a day in it, or -1: the largest."
        ),
    ] = None,
    entrapment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MECHANISM", help="What counts as entrapment; by default names that begin so. [dim]repeatable[/]"
        ),
    ] = None,
    forests: Annotated[
        int | None, typer.Option(help="Ways it may have come about that are drawn for intervals; by default 200.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Sets of numbers drawn within the errors of a fit.")] = 25,
    seed: Seed = 1,
    level: Annotated[float, typer.Option(help="Of the intervals, above 0 and below 1.")] = 0.9,
    likelihood: Annotated[
        str | None, typer.Option(help="exact or day; by default what the stamps of the events are good for.")
    ] = None,
    drop_unmatched: Annotated[
        bool, typer.Option("--drop-unmatched", help="Leave out events that no move of the scenario allows.")
    ] = False,
    replicate: Annotated[
        int | None, typer.Option(help="Which history, where the events are simulated ones of many.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", file_okay=False, help="Folder for tables, figures and a page.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Who set off whom in observed events: who starts, who is drawn in and by whom, which acts led to most.

    [bold]Example:[/] powderkeg attribute fitted.yaml icews.tab --episode 2018-03-26 --out who
    """
    screen = Screen(as_json, quiet)
    _check_words(with_fit, free, fix, least)
    read = read_scenario(scenario, sets)
    folder = (
        None if out is None else Folder(out, [scenario, *reading.paths], Claim("attribute", read.name, seed, force))
    )
    events = reading.table(screen, scenario)
    rows = {key: events.account[key] for key in ROWS if key in events.account}
    tell_rows(screen, events.account, events.quarantine)
    events = one_history(events, replicate)

    from powderkeg.attribute import attribute as attribute_events
    from powderkeg.model import compile

    unmatched = "drop" if drop_unmatched else "refuse"
    model: Any = compile(read)
    fitted = None if with_fit else beside(scenario)
    given: EventTable | None = events
    if with_fit:
        from powderkeg.fit import fit

        with warnings_after(), screen.stages(f"fitting {len(events):,} events") as stages:
            model = fit(
                model, events, free=free, fix=fix, background=background, likelihood=likelihood, unmatched=unmatched,
                test_mechanisms=False, level=level, progress=stages,
            )  # fmt: skip
        given = None
    with warnings_after(), screen.progress(f"drawing who set off whom among {len(events):,} acts") as progress:
        found = attribute_events(
            model, given, forests=forests, draws=draws, fitted=fitted, seed=seed, level=level, likelihood=likelihood,
            unmatched=unmatched, progress=progress,
        )  # fmt: skip
    if entrapment is not None:
        found.entrapped(entrapment)  # an unknown name is told before anything is printed
    tree = None if episode is None else found.family(episode)
    for warning in found.warnings:
        say_error(f"warning: {warning}")
    told = found.as_dict(links, least) | {"rows": rows or None}
    if entrapment is not None:
        told["entrapped"] = found.entrapped(entrapment).to_dicts()
    if tree is not None:
        told["family"] = tree.as_dict()
    screen.data(told)
    show(screen, found, entrapment)
    if tree is not None:
        show_family(screen, tree)
    if folder is not None:
        with screen.waiting("writing"), folder.results("attribute", read, seed):
            write(folder, found, told, tree, least)
        for line in folder.said():
            screen.say(line)
        screen.say(f"Open {(folder.path / 'attribution.html').resolve()}")


def _check_words(with_fit: bool, free: Sequence[str] | None, fix: Sequence[str] | None, least: float) -> None:
    faults = []
    if not with_fit and (free or fix):
        faults.append(Fault.at("--free" if free else "--fix", "nothing is estimated", "--fit as well"))
    if not 0.0 < least < 1.0:
        faults.append(Fault.at("--least", f"{least:g}", "a probability above 0 and below 1"))
    if faults:
        raise UsageError(faults)


def one_history(events: EventTable, replicate: int | None) -> EventTable:
    """One history of a table that may hold many. Raises UsageError if it is not there, or not said which."""
    from dataclasses import replace

    import polars as pl

    if replicate is None:
        if events.n_replicates > 1:
            found = f"{events.n_replicates} histories in these events"
            raise UsageError(Fault.at("--replicate", found, "which one, such as --replicate 0"))
        return events
    if "replicate" not in events.frame.columns:
        raise UsageError(Fault.at("--replicate", f"{replicate}", "events of one history need no --replicate"))
    kept = events.frame.filter(pl.col("replicate") == replicate)
    if kept.height == 0:
        last = int(events.frame["replicate"].max())  # type: ignore[arg-type]
        raise UsageError(Fault.at("--replicate", f"no events of history {replicate}", f"0 to {last}"))
    return replace(events, frame=kept, account={})


def show(screen: Screen, found: Attribution, entrapment: Sequence[str] | None = None) -> None:
    """The results as tables."""
    if screen.is_silent:
        return
    from powderkeg.wording import counted, percent

    def span(row: dict[str, Any], low: str = "low", high: str = "high") -> str:
        return "" if row[low] is None else f"{percent(row[low])} to {percent(row[high])}"

    told = found.table
    roots = float(found.causes.roots.sum())
    numbers = "with the errors of their fit" if found.parameters == "fitted" else "of the scenario, taken as true"
    screen.say(f"{counted(len(told), 'act')} from {told.start} to {told.end}; {found.likelihood}; numbers {numbers}")
    screen.paragraph(
        f"Of these, {percent(roots / max(len(told), 1))} were set off by nothing in the record. Shares are "
        "expectations: which act set off which cannot be seen, only how likely it is. Intervals hold "
        f"{percent(found.level)}."
    )
    screen.say()
    rows = [
        [row["actor"], f"{row['acts']:.0f}", f"{row['roots']:.1f}", percent(row["share"]), span(row),
         percent(row["descent_share"]), span(row, "descent_low", "descent_high")]
        for row in found.starts().to_dicts()
    ]  # fmt: skip
    heads = ["who starts", "acts", "of them roots", "of all roots", "", "acts that go back to it", ""]
    _table(screen, heads, rows)
    _table(screen, ["who is drawn in", "of its acts", "", "by what and by whom"], drawn_rows(found))
    trapped = _entrapped_rows(found, entrapment)
    if trapped:
        _table(screen, ["entrapped", "of its acts", "", "by"], trapped)
    rows = [
        [row["mechanism"], f"{row['acts']:.1f}", percent(row["share"]), span(row)]
        for row in found.shares().to_dicts()
        if row["actor"] is None and (row["share"] >= FAINTEST or row["high"] >= MAY_BE_MORE)
    ]
    _table(screen, ["what set acts off", "acts", "of all", ""], rows)
    rows = [
        [row["by"], row["actor"], f"{row['acts']:.1f}", percent(row["share"]), span(row)]
        for row in found.matrix().to_dicts()
        if row["by"] is not None and row["share"] >= FAINTEST
    ]
    _table(screen, ["whose acts", "set off acts of", "acts", "of its acts", ""], rows)
    rows = [
        [" ".join(["on", day_of(found, row["time"]), *(str(row[k]) for k in ("source", "act", "target") if row[k])]),
         f"{row['answers']:.1f}", f"{row['brought']:.1f}", f"± {row['brought_sd']:.1f}"]
        for row in found.influential().to_dicts()
        if row["brought"] >= 0.05
    ]  # fmt: skip
    _table(screen, ["the most influential acts", "set off itself", "in all that followed", ""], rows)
    if found.forests.draw.max() > 0:
        screen.paragraph(
            "Intervals hold both: what the record cannot show (sd_parents in --json and --out), and what these numbers "
            "leave open (sd_parameters)."
        )
    else:
        screen.paragraph(
            "Intervals hold what the record cannot show. That the scenario's numbers may be wrong is not in them; with "
            "--fit their errors are."
        )


def _table(screen: Screen, heads: list[str], rows: list[list[str]]) -> None:
    """The first rows, and how many there are if there are more; nothing where there are none."""
    if rows:
        screen.table(heads, rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            screen.say(f"(first {MOST_ROWS} of {len(rows):,}; --json and --out have all)")
        screen.say()


def drawn_rows(found: Attribution) -> list[list[str]]:
    """One line an actor: how much of what it does is in disputes of others, by what and by whom."""
    from powderkeg.wording import percent

    ways = found.entanglement().filter("drawn_in")
    rows = []
    for row in found.drawn_in().sort("share", "actor", descending=[True, False]).to_dicts():
        if row["share"] < FAINTEST:
            continue
        own = [way for way in ways.to_dicts() if way["actor"] == row["actor"] and way["share"] >= FAINTEST]
        listed = [f"{way['mechanism']} by {way['by']} {percent(way['share'])}" for way in own[:MOST_WAYS]]
        more = [f"{len(own) - MOST_WAYS} more"] if len(own) > MOST_WAYS else []
        span = f"{percent(row['low'])} to {percent(row['high'])}"
        rows.append([row["actor"], percent(row["share"]), span, ", ".join([*listed, *more])])
    return rows


def _entrapped_rows(found: Attribution, names: Sequence[str] | None) -> list[list[str]]:
    from powderkeg.wording import percent

    try:
        table = found.entrapped(names)
    except UsageError:  # this scenario calls nothing entrapment
        return []
    rows = []
    for row in table.to_dicts():
        if row["by"] is None and row["share"] >= FAINTEST:
            by = [
                f"{one['by']} {percent(one['share'])}"
                for one in table.to_dicts()
                if one["actor"] == row["actor"] and one["by"] is not None and one["share"] >= FAINTEST
            ]
            rows.append(
                [row["actor"], percent(row["share"]), f"{percent(row['low'])} to {percent(row['high'])}", ", ".join(by)]
            )
    return rows


def show_family(screen: Screen, tree: Family) -> None:
    """The most probable tree as an outline: every act under the one that most probably set it off."""
    if screen.is_silent:
        return
    from powderkeg.wording import counted, percent

    a = tree.attribution
    acts = {row["event"]: row for row in tree.acts.to_dicts()}
    children: dict[int | None, list[dict[str, Any]]] = {}
    for row in tree.tree.to_dicts():
        children.setdefault(row["parent"], []).append(row)
    first, last = (day_of(a, tree.standoff[x]) for x in ("start", "last"))
    screen.say()
    screen.say(
        f"Standoff {tree.number}, {first} to {last}: {counted(len(acts), 'act')}, each under its likeliest cause"
    )
    screen.paragraph(
        f"Of these links {percent(tree.expected)} are right, to be expected; the others are not, and which they are "
        "cannot be seen."
    )

    def line(row: dict[str, Any], depth: int) -> None:
        act = acts[row["event"]]
        said = " ".join(str(act[k]) for k in ("source", "act", "target") if act[k])
        how = {"background": "of itself", "before": "set off earlier"}.get(row["mechanism"], row["mechanism"])
        screen.say(f"{' ' * depth}{day_of(a, act['time'])}  {said}  ({how} {percent(row['probability'])})")

    # An outline of thousands of acts can be deep: no recursion.
    stack = [(row, 0) for row in reversed(children.get(None, []))]
    told = 0
    while stack and told < MOST_LINES:
        row, depth = stack.pop()
        line(row, depth)
        told += 1
        stack.extend((one, depth + 1) for one in reversed(children.get(row["event"], [])))
    if len(acts) > MOST_LINES:
        screen.say(f"(first {MOST_LINES} of {len(acts):,}; --json and --out have all)")


def day_of(found: Attribution, time: float) -> str:
    """The date of a time of the record."""
    return str(found.table.start + timedelta(days=int(time // 1)))


def write(folder: Folder, found: Attribution, told: dict[str, Any], tree: Family | None, least: float) -> None:
    """All tables, the figures, the page."""
    from powderkeg import plots
    from powderkeg.report.attributed import charts, page

    for name in ("shares", "starts", "drawn_in", "entanglement", "matrix"):
        folder.write(f"{name}.csv", csv_of(getattr(found, name)()))
    folder.write("influential.csv", csv_of(found.influential(100)))
    folder.write("acts.parquet", found.acts().write_parquet)
    folder.write("links.parquet", found.links(least).write_parquet)
    folder.data("attribution.json", told)
    if tree is not None:
        folder.write("family.csv", csv_of(tree.tree.join(tree.acts, on="event", how="left")))
    for name, (chart, _) in charts(found, tree).items():
        folder.write(f"{name}.svg", partial(plots.save, chart))
    files = list(folder.finished)
    folder.write("attribution.html", text_of(page(found, tree, files, folder.made)))
