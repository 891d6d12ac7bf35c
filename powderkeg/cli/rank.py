"""`powderkeg rank`: who is met next, by an actor and an act; and how well such rankings did.

In: event files. Out: likely others, each with the earlier event that speaks for it; or scores on what came.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.options import AsJson, Quiet, Seed, as_date
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen
from powderkeg.errors import Fault, UsageError
from powderkeg.version import __version__

if TYPE_CHECKING:
    from powderkeg.ranking import Ranking

TEST_SHARE = 0.1
"""The last part of a record that is scored where no day is said."""


@reads_events
def rank(
    reading: ReadingOptions,
    source: Annotated[
        str | None, typer.Option("--actor", help="An actor of the record: whom will it meet next?")
    ] = None,
    act: Annotated[str | None, typer.Option(help="By which act, as the record writes it.")] = None,
    suffered: Annotated[bool, typer.Option("--suffered", help="Who will do it to the actor, instead.")] = False,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The first day that nothing is learnt from, and that is asked about."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1_000, help="How many others are named.")] = 10,
    score: Annotated[
        bool,
        typer.Option(
            "--score", help="Score the rankings of all that came from --until on (by default, the last tenth)."
        ),
    ] = False,
    seed: Seed = 1,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Who is next? Others ranked for an actor and an act, each with the earlier event that speaks for it.

    [bold]Example:[/] powderkeg rank events.parquet --actor "Police (India)" --act 173
    """
    from powderkeg.ranking import ranking

    screen = Screen(as_json, quiet)
    if not score and not (source and act):
        raise UsageError(Fault.of("no question", "--actor NAME and --act ACT, or --score"))
    table = reading.table(screen)
    first = as_date(until, "--until") if until else None
    if first is None:
        first = (
            table.start + timedelta(days=round(table.days * (1 - TEST_SHARE)))
            if score
            else table.end + timedelta(days=1)
        )
    with screen.progress("learning who is met next") as progress:
        learnt = ranking(table, first, seed=seed, progress=progress)
    about = {"until": first.isoformat(), "actors": len(learnt.book.actors), "acts": len(learnt.book.acts), "seed": seed,
             "version": __version__}  # fmt: skip
    if score:
        _score(screen, learnt, about)
        return
    assert source is not None and act is not None
    _tell(screen, learnt, about, source, act, suffered, most)


SCORES = ("mrr", "low", "high", "hits_1", "hits_3", "hits_10")


def _score(screen: Screen, learnt: Ranking, about: dict[str, Any]) -> None:
    found = learnt.score().as_dict()
    screen.data(about | found)
    rows = [[row["stratum"], row["questions"], *(f"{100 * row[one]:.1f}" for one in SCORES)] for row in found["scores"]]
    heads = ["of what came", "questions", "MRR", "from", "to", "first", "in three", "in ten"]
    screen.table(heads, rows, f"From {learnt.until} on, each knowing all that came before its day (per cent)")
    screen.paragraph(
        "MRR: mean reciprocal rank, with 90 % intervals by resampling days. Other answers to the same question on the "
        "same day are left out; both directions are asked. Most of what comes has come before: see the lines apart."
    )


def _tell(
    screen: Screen, learnt: Ranking, about: dict[str, Any], source: str, act: str, suffered: bool, most: int
) -> None:
    found = learnt.next(source, act, most=most, suffered=suffered).to_dicts()
    told = [row | {"event_day": row["event_day"] and row["event_day"].isoformat()} for row in found]
    screen.data(about | {"actor": source, "act": act, "suffered": suffered, "next": told})
    asked = f"{act} towards {source}: by whom" if suffered else f"{source}, {act}: towards whom"
    rows = [[row["rank"], row["actor"], f"{100 * row['chance']:.1f} %", row["because"], _event(row)] for row in found]
    screen.table(["", "actor", "chance", "because of", "above all"], rows, f"{asked}, if on {learnt.until}?")
    if not rows:
        screen.say("Nothing in the record speaks for anybody.")


def _event(row: dict[str, Any]) -> str:
    """The earlier event that speaks for an actor, in a line."""
    if row["event_day"] is None:
        return ""
    return f"{row['event_day']}: {row['event_source']}, {row['event_act']}, {row['event_target']}"
