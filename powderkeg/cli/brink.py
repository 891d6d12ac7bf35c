"""`powderkeg brink`: how near histories come to feeding themselves, for how long, and what moves that.

In: a scenario. Out: tables on the screen; with --out a CSV of all states.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from powderkeg.cli.folder import Claim, Folder
from powderkeg.cli.options import (
    DEFAULT_SCENARIO,
    AsJson,
    Force,
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
from powderkeg.cli.screen import Screen
from powderkeg.cli.tables import csv_of
from powderkeg.units import YEAR

if TYPE_CHECKING:
    from powderkeg.compare.brink import Brink, Zone

STATES, MOVERS = 12, 10


def brink(
    scenario: ScenarioName = DEFAULT_SCENARIO,
    sets: Sets = None,
    years: Years = None,
    replicates: Replicates = 1_000,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", file_okay=False, help="Folder for the states.")] = None,
    workers: Workers = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """How near the brink: the branching ratio of every state that histories pass through, and what moves it.

    [bold]Example:[/] powderkeg brink north-kosovo --replicates 1000
    """
    screen = Screen(as_json, quiet)
    length(years)
    read = read_scenario(scenario, sets)
    folder = None if out is None else Folder(out, [scenario], Claim("brink", read.name, seed, force))

    from powderkeg.compare import brink as come_near

    with screen.progress(f"{replicates:,} runs of {read.name}") as progress:
        found = come_near(read, years=years, replicates=replicates, seed=seed, workers=workers, progress=progress)
    screen.data({"scenario": read.name} | found.as_dict())
    show(screen, read.title or read.name, found)
    if folder is not None:
        with folder.results("brink", read, seed):
            folder.write("states.csv", csv_of(found.states))
        for line in folder.said():
            screen.say(line)


def show(screen: Screen, title: str, found: Brink) -> None:
    """What a reader needs to know first, then the states, then what moves them."""
    if screen.is_silent:
        return
    from powderkeg.wording import in_years, percent, signed

    screen.say(f"{title}: {found.replicates:,} runs of {in_years(found.days / YEAR)}, seed {found.seed}")
    screen.say()
    worst = found.stability
    screen.paragraph(
        "The branching ratio, the mean number of direct answers that an act draws in the long run, is "
        f"{found.mean.mean:.2f} on an average day. The highest that any run came to is {found.highest:.2f}; the worst "
        f"state that can be reached at all has {worst.worst:.2f} ({worst.departure}). At 1 a flare-up feeds itself."
    )
    if found.doubt is not None:
        d = found.doubt
        screen.paragraph(
            f"Under other numbers from the scenario's ranges the average day has {d.mean[0]:.2f} to {d.mean[1]:.2f} "
            f"and that worst state {d.worst[0]:.2f} to {d.worst[1]:.2f}, nine times in ten; {percent(d.over)} of "
            f"{d.sets} sets of numbers put it at 1 or more."
        )
    screen.say()
    rows = [_zone_row(zone) for zone in (found.near, found.over)]
    screen.table(
        ["ratio", "share of days", "90 % interval", "runs that come there", "90 % interval", "mean stay"], rows
    )
    screen.say()
    rows = [
        [f"{row['ratio']:.2f}", percent(row["share_of_time"]), percent(row["share_of_runs"]),
         f"{row['mean_days']:.0f} days", row["state"]]
        for row in found.states.head(STATES).to_dicts()
    ]  # fmt: skip
    heads = ["ratio", "share of days", "runs", "mean stay", "state: what differs from the start"]
    screen.table(heads, rows, f"Where the time is spent: {len(rows)} of {found.states.height} states")
    screen.say()
    rows = [[path, f"{signed(value, 2)} %"] for path, value in found.movers[:MOVERS]]
    screen.table(["one per cent more of", "moves the mean ratio by"], rows, "What moves it most")


def _zone_row(zone: Zone) -> list[str]:
    from powderkeg.wording import percent

    def span(low: float | None, high: float | None) -> str:
        return "" if low is None or high is None else f"{percent(low)} to {percent(high)}"

    return [
        f"{zone.at_least:g} or more",
        percent(zone.time.mean or 0.0),
        span(zone.time.low, zone.time.high),
        percent(zone.ever.mean or 0.0),
        span(zone.ever.low, zone.ever.high),
        "" if zone.stay is None else f"{zone.stay:.1f} days",
    ]
