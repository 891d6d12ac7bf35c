"""`powderkeg rare`: the chance of something that plain runs would never show.

In: a scenario and the name of an outcome. Out: a probability with its interval, the levels on the way, the acts by
which it comes and their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from powderkeg.cli.compare import split
from powderkeg.cli.jobs import WorkOptions, works_long
from powderkeg.cli.options import AsJson, Memory, Quiet, Seed, Sets, Workers, Years, length, read_scenario
from powderkeg.cli.screen import Screen
from powderkeg.errors import Fault, UsageError
from powderkeg.units import YEAR

if TYPE_CHECKING:
    from powderkeg.compare.rare.rare import Rare

ACTS, PATHS = 12, 3
"""Acts and ways shown."""


@works_long
def rare(
    work: WorkOptions,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO] OUTCOME",
            help="A scenario (default north-kosovo), and an outcome of it that asks whether something happens.",
        ),
    ] = None,
    sets: Sets = None,
    years: Years = None,
    starts: Annotated[int, typer.Option(min=10, max=10_000_000, help="Copies at every level.")] = 10_000,
    repetitions: Annotated[int, typer.Option(min=2, max=10_000, help="Independent ones, for the interval.")] = 20,
    intervention: Annotated[
        str | None, typer.Option("--with", metavar="INTERVENTION", help="In the world of this intervention.")
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    memory: Memory = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """How likely is something very unlikely, and by which way would it come?

    [bold]Example:[/] powderkeg rare north-kosovo alliance_clash --starts 2000
    """
    from powderkeg.compare.rare.levels import expected, steps

    screen = Screen(as_json, quiet)
    length(years)
    name, asked = split(words or [])
    read = read_scenario(name, sets)
    if len(asked) != 1:
        found = "no outcome" if not asked else f"{len(asked)} outcomes"
        raise UsageError(Fault.at("OUTCOME", found, expected(read)[0]))

    from powderkeg.compare.interventions import choose, intervene
    from powderkeg.compare.rare.rare import rare as estimate
    from powderkeg.model import compile as compile_scenario

    model = compile_scenario(read)
    days = (float(read.years) if years is None else years) * YEAR
    steps(model, asked[0])
    world = None if intervention is None else intervene(model, choose(read, [intervention])[0], days)
    with work.ended(), work.executor() as executor, screen.progress(f"{read.name}, {asked[0]}") as progress:
        result = estimate(
            model, asked[0], days=days, starts=starts, repetitions=repetitions, seed=seed, world=world,
            workers=workers, memory=memory, executor=executor, progress=progress,
        )  # fmt: skip
    told = {"scenario": read.name, "outcome": asked[0], "intervention": intervention, "years": days / YEAR}
    screen.data({**told, **result.as_dict()})
    show(screen, result)


def show(screen: Screen, found: Rare) -> None:
    """The probability, the levels, the acts on the way."""
    if screen.is_silent:
        return
    from powderkeg.wording import percent, plain

    screen.paragraph(f"{found}.")
    if found.probability is not None and found.plain_runs is not None and found.gain is not None:
        assert found.relative_error is not None
        screen.paragraph(
            f"Standard error {100 * found.relative_error:.0f} % from {len(found.repetitions)} repetitions of "
            f"{found.starts:,} copies a level. Plain runs as sure as that: {found.plain_runs:,.0f}, "
            f"{plain(found.gain)} times the work."
        )
    screen.say()
    boosted = any(rung.boost > 1.0 for rung in found.rungs)
    rows = [
        [rung.title, f"{rung.copies:,}", "not tried" if rung.share is None else f"{plain(100 * rung.share)} %"]
        + ([f"{plain(rung.boost)} x" if rung.boost > 1.0 else ""] if boosted else [])
        for rung in found.rungs
    ]
    screen.table(["level", "copies", "reached it", *(["tried"] if boosted else [])], rows, "On the way")
    if boosted:
        screen.paragraph(
            "Tried: acts that reach a level by themselves are proposed so many times as often as they come, and "
            "count for so much less."
        )
    if len(found.paths):
        screen.say()
        rows = [
            [
                f"{100 * row['share']:.0f} %",
                row["act"],
                plain(row["days_before"]),
                ", ".join(row["opened"]),
            ]
            for row in found.acts.head(ACTS).to_dicts()
        ]
        heads = ["on", "act", "days before", "opened the way by"]
        screen.table(heads, rows, "Acts on the way, by the share of ways they are on")
        screen.say()
        screen.paragraph(f"Typically, in this order: {' > '.join(found.typical)}.")
        screen.say()
        rows = [[percent(row["share"]), row["path"]] for row in found.paths.head(PATHS).to_dicts()]
        screen.table(["share", "acts in order"], rows, f"The commonest of {len(found.paths):,} ways seen")
        screen.paragraph(
            "On the way is who set off whom, back to the spark, and who brought about the facts that these acts "
            "needed, and what set those off. Days before: the middle of when it first came."
        )
    screen.paragraph("No interval here says anything about whether the model is right.")
