"""Commands about reports: code them into events, and say how well that was done.

In: texts, pages, tables of texts. Out: an event table in which every event says on which words it rests; a score.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.events import MOST_ROWS, accounted, events, rows_table
from powderkeg.cli.folder import table_place
from powderkeg.cli.options import AsJson, Quiet, Workers
from powderkeg.cli.reading import mapping_of
from powderkeg.cli.screen import Screen
from powderkeg.errors import Fault, UsageError

if TYPE_CHECKING:
    from powderkeg.events.table import EventTable

USUAL_LEAST = 0.62
"""The coder's least probability (`powderkeg.text.coder.LEAST`), which is not imported before something is coded."""


@events.command("code")
def code(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Reports (text, Markdown, HTML, PDF), tables of texts, folders; - is standard input.",
        ),
    ],
    day: Annotated[
        str | None, typer.Option("--date", help="The day of every report that says none, as 2022-12-27.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="The table to write, as .parquet.")
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="FIELD=COLUMN", help="A column of a table: text=Body, date=Day. [dim]repeatable[/]"
        ),
    ] = None,
    patterns: Annotated[
        list[Path] | None,
        typer.Option("--patterns", help="Your own words for acts, laid over ours. [dim]repeatable[/]"),
    ] = None,
    actors: Annotated[
        list[Path] | None,
        typer.Option("--actors", help="Your own names: a CSV file with columns name, actor. [dim]repeatable[/]"),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            "--min-probability",
            "--least",
            min=0.0,
            max=1.0,
            help=f"Least probability of an event that is told: {USUAL_LEAST:g}; with --given none unless you say.",
        ),
    ] = None,
    mentions: Annotated[bool, typer.Option("--mentions", help="Every mention is a row, not one row an event.")] = False,
    statements: Annotated[bool, typer.Option("--statements", help="Also what was only said (CAMEO 01).")] = False,
    given: Annotated[
        bool,
        typer.Option(
            "--given", help="A table names source and target of each text: say what the one does to the other."
        ),
    ] = False,
    patterns_alone: Annotated[
        bool, typer.Option("--patterns-alone", help="With --given: leave out what the other words speak for.")
    ] = False,
    workers: Workers = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read reports into events: who did what to whom, on which words that rests, how sure it is.

    [bold]Example:[/] powderkeg events code reports/ --date 2022-12-27 --out coded.parquet
    """
    from powderkeg.events import write_events
    from powderkeg.text import code as coded
    from powderkeg.text.coder import code_to
    from powderkeg.text.given import code_given

    screen = Screen(as_json, quiet)
    if patterns_alone and not given:
        raise UsageError(Fault.at("--patterns-alone", "without --given", "--given, which it goes with"))
    if mentions and given:
        expected = "one of the two: with --given every row of the table is a row already"
        raise UsageError(Fault.at("--mentions", "with --given", expected))
    if workers is not None and given:
        raise UsageError(Fault.at("--workers", "with --given", "one of the two: rows with both sides are read by one"))
    place = None if out is None else table_place(out, [*files, *(patterns or []), *(actors or [])])
    paths = [one if one == "-" else Path(one) for one in files]
    with screen.stages("coding") as progress:
        shared: dict[str, Any] = {"mapping": mapping_of(maps), "patterns": patterns or [], "actors": actors or []}
        asked: dict[str, Any] = {
            **shared, "least": USUAL_LEAST if least is None else least, "mentions": mentions,
            "statements": statements, "workers": workers, "progress": progress,
        }  # fmt: skip
        if given:
            opinion = not patterns_alone
            table = code_given(paths, day, least=least or 0.0, statements=statements, opinion=opinion, **shared)
        elif place is None:
            table = coded(paths, day, **asked)
        else:
            # What is written streams through: only what is shown of it is read back.
            written: list[EventTable] = []
            place.write(lambda path: written.append(_written(path, code_to(path, paths, day, **asked), as_json)))
            table = written[0]
    _tell(screen, table, out)
    if place is not None:
        if given:
            place.write(lambda path: write_events(table, path))
        screen.say(f"Written to {out}")


def _written(path: Path, account: dict[str, Any], whole: bool) -> EventTable:
    """What is shown of a table that was written: all of it for machines."""
    from powderkeg.events import read_table
    from powderkeg.events.store import first_of

    return read_table(path) if whole else first_of(path, MOST_ROWS + 1, account)


def _tell(screen: Screen, table: EventTable, out: Path | None) -> None:
    """What was coded, for people and for machines."""
    if screen.as_json:
        screen.data(
            {
                "events": [_told(row, table.start) for row in table.frame.iter_rows(named=True)],
                "sentences": table.account["sentences"],
                "set_aside": {
                    "count": table.account["rows_set_aside"],
                    "by_reason": table.account["set_aside_by_reason"],
                },
                "account": table.account,
                "out": None if out is None else str(out),
            }
        )
    told = (
        f"{n:,} {what}{'' if n == 1 else 's'}" for what in ("report", "sentence") if (n := table.account[f"{what}s"])
    )
    screen.say(f"{', '.join(told)}.")
    screen.say(accounted(table.account).replace("rows read", "acts found and parts set aside"))
    for reason, count in table.account["set_aside_by_reason"].items():  # type: ignore[attr-defined]
        screen.say(f"set aside: {reason} ({count:,})")
    rows_table(
        screen, "events", [_shown(row, table.start) for row in table.frame.head(MOST_ROWS + 1).iter_rows(named=True)]
    )


@events.command("score-coding")
def score_coding(
    coded: Annotated[Path, typer.Argument(metavar="CODED", help="A table that `events code` wrote.")],
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Sentences coded by hand: CSV, JSON, JSON Lines.")],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say how often coding was right, against sentences coded by hand.

    [bold]Example:[/] powderkeg events score-coding coded.parquet gold.csv
    """
    from powderkeg.events import read_table
    from powderkeg.text.scoring import score_coding as score

    screen = Screen(as_json, quiet)
    found = score(read_table(coded), gold)
    screen.data(found.as_dict())
    what = "source and target given: the class alone" if found.given else "end to end: source, act, target"
    screen.say(f"{found.sentences:,} sentences, {found.level}; {what}")
    screen.table(["", ""], [[name.replace("_", " "), _number(value)] for name, value in found.events.items()])
    screen.table(
        ["", "mean F1", "share right"],
        [[name, f"{found.macro[name]:.3f}", f"{found.accuracy[name]:.3f}"] for name in ("types", "classes")],
    )
    rows_table(screen, "by type", found.by_type)
    rows_table(screen, "by class", found.by_class)
    rows_table(screen, "taken for something else, most often first", found.confusion)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _told(row: dict[str, Any], start: Any) -> dict[str, Any]:
    """An event for machines."""
    from datetime import timedelta

    day = start + timedelta(days=int(row["time"]))
    words = json.loads(row["words"]) if row["words"] else None
    rest = {
        key: value
        for key, value in row.items()
        if key not in ("time", "act", "cameo", "words", "tone", "rule", "unsure")
    }
    return {
        "date": day.isoformat(), **rest, "class": row["tone"], "words": words,
        "rule": row["rule"], "unsure": row["unsure"].split("; ") if row["unsure"] else [],
    }  # fmt: skip


def _shown(row: dict[str, Any], start: Any) -> dict[str, Any]:
    """An event for people."""
    from datetime import timedelta

    from powderkeg.events.codes import title

    sentence = row["sentence"]
    return {
        "day": (start + timedelta(days=int(row["time"]))).isoformat(),
        "source": row["source"],
        "act": f"{row['code']} {title(row['code'], 'cameo')}",
        "target": row["target"] or "",
        "sure": f"{row['probability']:.2f}",
        "sentence": sentence if len(sentence) <= 60 else sentence[:59] + "…",
    }
