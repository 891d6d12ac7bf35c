"""`powderkeg forecast`: what may happen in the next days, given what was seen.

In: a scenario and event files. Out: tables on the screen; with --out tables, draws, a figure and a page in a folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.compare import beside
from powderkeg.cli.events import tell_rows
from powderkeg.cli.fit import ROWS, warnings_after
from powderkeg.cli.folder import Claim, Destination, Folder
from powderkeg.cli.jobs import JobOptions, runs_long
from powderkeg.cli.options import AsJson, CovariateFile, Force, Quiet, ScenarioName, Seed, Sets, Workers, read_scenario
from powderkeg.cli.reading import ReadingOptions, reads_events
from powderkeg.cli.screen import Screen, say_error
from powderkeg.cli.tables import csv_of
from powderkeg.writing.files import text_of

if TYPE_CHECKING:
    from powderkeg.forecast import Forecast

MOST_ROWS = 12
"""Rows of a table on the screen; --json and --out have all."""
UNITS = {"dyad": "dyads", "class": "classes"}


@runs_long
@reads_events
def forecast(
    job: JobOptions,
    scenario: ScenarioName,
    reading: ReadingOptions,
    sets: Sets = None,
    covariates: CovariateFile = None,
    days: Annotated[int, typer.Option(help="How many days ahead.")] = 30,
    draws: Annotated[int, typer.Option(help="Histories ahead.")] = 1000,
    origin: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="First day that is foretold; by default the day after the last of the files."
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Only what had been entered by this day is known, where the source says when; the origin is then the "
            "day after it.",
        ),
    ] = None,
    doing: Annotated[
        list[str] | None,
        typer.Option(
            "--if",
            metavar="WHAT",
            help='An intervention of the scenario, or an act such as "west talk serbia", made on the first day: what '
            "would it change? [dim]repeatable[/]",
        ),
    ] = None,
    with_fit: Annotated[
        bool, typer.Option("--fit", help="Estimate the scenario's mechanisms from the events first.")
    ] = False,
    background: Annotated[
        str, typer.Option(help="local: a level that drifts, from what was seen; scenario: the scenario's as it stands.")
    ] = "local",
    weekdays: Annotated[
        bool, typer.Option("--weekdays/--no-weekdays", help="Days of the week are reported unevenly.")
    ] = True,
    pool: Annotated[
        bool | None,
        typer.Option(
            "--pool/--no-pool",
            help="Tell how many acts from a pool of the model's draws with weighted means of each dyad's past. By "
            "default yes, with --background scenario no.",
        ),
    ] = None,
    drop_unmatched: Annotated[
        bool, typer.Option("--drop-unmatched", help="Leave out acts that no move of the scenario allows.")
    ] = False,
    seed: Seed = 1,
    level: Annotated[float, typer.Option(help="Of the intervals, above 0 and below 1.")] = 0.9,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", file_okay=False, help="Folder for tables, draws, a figure and a page.")
    ] = None,
    score: Annotated[
        bool,
        typer.Option(
            "--score", help="How good would such forecasts have been? From a row of origins, beside baselines."
        ),
    ] = False,
    origins: Annotated[int, typer.Option(help="With --score: how many origins.")] = 12,
    horizons: Annotated[str, typer.Option(help="With --score: days ahead that are scored.")] = "1,7,30,90",
    by: Annotated[
        str, typer.Option(help="With --score: dyad, or class (words or deeds, cooperation or conflict).")
    ] = "dyad",
    refit: Annotated[
        str, typer.Option(help="With --score: none, or fit before the first origin or each: none, first, each.")
    ] = "none",
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            help="With --score: ours without a part: mechanisms, weekdays, luck, drift, late, pool, or a mechanism by "
            "its name. [dim]repeatable[/]",
        ),
    ] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="With --score: ours without each part and each mechanism, one by one.")
    ] = False,
    freeze: Annotated[
        Path | None, typer.Option("--freeze", dir_okay=False, help="Write what is said to this file, sealed.")
    ] = None,
    views: Annotated[
        Path | None, typer.Option("--views", dir_okay=False, help="Write draws by month here, in the layout of VIEWS.")
    ] = None,
    workers: Workers = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="Memory that it may take, such as 4GB. By default half of what is free. Fewer workers make draws at "
            "once where more would not fit; what would not fit at all is refused before anything is made.",
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What may happen in the next days, between whom, how sure that is, and which recent acts carry it.

    [bold]Example:[/] powderkeg forecast fitted.yaml icews.tab --days 30 --if "west talk serbia" --out ahead
    """
    from powderkeg.simulate.memory import budget

    screen = Screen(as_json, quiet)
    if memory is not None:
        budget(memory)  # one that is none is refused before the work
    read = read_scenario(scenario, sets, covariates)
    job.stops_with_a_script()
    if not score:
        job.must_be_short("a forecast without --score")
    folder = None if out is None else Folder(out, [scenario, *reading.paths], Claim("forecast", read.name, seed, force))
    events = reading.table(screen, scenario)
    unmatched = "drop" if drop_unmatched else "refuse"
    rows = {key: events.account[key] for key in ROWS if key in events.account}
    tell_rows(screen, events.account, events.quarantine)

    from powderkeg.forecast import forecast as forecast_from

    if score:
        _refuse_with_score(origin=origin, as_of=as_of, doing=doing, with_fit=with_fit, freeze=freeze, views=views)
        law = beside(scenario)
        asked = _asked(origins, horizons, by, refit, without, _parts(read, events, ablate))
        asked |= {"draws": draws, "seed": seed, "level": level, "workers": workers, "background": background}
        asked |= {"fitted": law, "unmatched": unmatched, "memory": memory, "pool": pool}
        with job.told(screen, out), job.executor() as executor:
            scored(screen, read, events, folder, asked | {"folder": job.plan(out, read), "executor": executor})
        return
    frozen = None if freeze is None else Destination(freeze, [scenario, *reading.paths])
    if views is not None:
        Destination(views, [scenario, *reading.paths])
    model: Any = read
    if with_fit:
        model = fitted(screen, read, events, origin, as_of, unmatched)
    law = None if with_fit else beside(scenario)
    with warnings_after(), screen.progress(f"{draws:,} histories of {days} days ahead") as progress:
        found = forecast_from(
            model, events, days=days, draws=draws, seed=seed, origin=origin, as_of=as_of, interventions=doing or (),
            fitted=law, background=background, weekdays=weekdays, pool=pool, unmatched=unmatched, level=level,
            workers=workers, memory=memory, progress=progress,
        )  # fmt: skip
    with screen.waiting("counting acts"):
        told = found.as_dict() | {"rows": rows or None}
    screen.data(told)
    show(screen, found)
    if frozen is not None:
        from powderkeg.forecast.frozen import freeze as sealed

        content = sealed(found)
        frozen.write(text_of(content.decode()))
        screen.say(f"Frozen in {freeze}; seal {json.loads(content)['seal']}")
    if views is not None:
        from powderkeg.forecast.views import write_views

        write_views(found, views)
        screen.say(f"Draws by month written to {views}, what its units are to {views.with_suffix('.units.csv').name}")
    if folder is not None:
        with screen.waiting("writing"), folder.results("forecast", read, seed):
            write(folder, found, told)
        for line in folder.said():
            screen.say(line)
        screen.say(f"Open {(folder.path / 'forecast.html').resolve()}")


def _asked(
    origins: int, horizons: str, by: str, refit: str, without: list[str] | None, parts: dict[str, bool]
) -> dict[str, Any]:  # fmt: skip
    """Options of the backtest. Raises UsageError for horizons that are no numbers, and parts that there are not."""
    from powderkeg.errors import Fault, UsageError, nearest_name

    faults, days = [], []
    for part in horizons.split(","):
        if part.strip().isdigit() and int(part) > 0:
            days.append(int(part))
        else:
            faults.append(Fault.at("--horizons", repr(part.strip()), "days from 1 on, such as 1,7,30"))
    if by not in ("dyad", "class"):
        faults.append(Fault.at("--by", repr(by), "dyad or class"))
    for name in without or ():
        if name not in parts:
            near = nearest_name(name, parts)
            faults.append(Fault.at("--without", repr(name), f"one of {', '.join(parts)}", near))
    if faults:
        raise UsageError(faults)
    names = {"luck": "luck of days", "late": "late reports", "pool": "the pool"}
    left_out = without or [name for name, by_itself in parts.items() if by_itself] or ["mechanisms", "pool"]
    variants = [f"powderkeg, without {names.get(name, name)}" for name in left_out]
    return {"origins": origins, "horizons": tuple(dict.fromkeys(days)), "by": by, "refit": refit, "variants": variants}


def _parts(scenario: Any, events: Any, ablate: bool) -> dict[str, bool]:
    """What ours can be told without, and whether that is asked for by --ablate."""
    from powderkeg.events.rows import DELAY

    found = dict.fromkeys(("mechanisms", "weekdays", "luck", "drift", "late", "pool", *scenario.mechanisms), ablate)
    return found | {"late": ablate and DELAY in events.frame.columns}


def scored(screen: Screen, scenario: Any, events: Any, folder: Folder | None, asked: dict[str, Any]) -> None:
    """The scoreboard of a backtest."""
    from powderkeg.forecast.backtest import backtest

    with warnings_after(), screen.stages(f"forecasts from {asked['origins']} origins") as stages:
        found = backtest(scenario, events, progress=stages, **asked)
    screen.data(found.as_dict())
    show_scores(screen, found)
    if folder is not None:
        with screen.waiting("writing"), folder.results("forecast", scenario, asked["seed"]):
            write_scores(folder, found, scenario.title or scenario.name)
        for line in folder.said():
            screen.say(line)
        screen.say(f"Open {(folder.path / 'scores.html').resolve()}")


def write_scores(
    folder: Folder, found: Any, title: str, waiting: Sequence[str] = (), nights: Sequence[dict[str, Any]] = ()
) -> None:  # fmt: skip
    """The tables, the figure, the page."""
    from powderkeg import plots
    from powderkeg.report import scored as pages

    folder.write("scores.csv", csv_of(found.scores()))
    folder.write("reliability.csv", csv_of(found.reliability))
    folder.write("pit.csv", csv_of(found.pit()))
    folder.data("scores.json", found.as_dict())
    for name, (chart, _) in pages.charts(found).items():
        folder.write(f"{name}.svg", partial(plots.save, chart))
    files = list(folder.finished)
    folder.write("scores.html", text_of(pages.page(found, title, files, waiting, nights, folder.made)))


def show_scores(screen: Screen, found: Any) -> None:
    """The log score and the CRPS of every model, best first at the longest horizon; wins and losses alike."""
    if screen.is_silent:
        return
    import polars as pl

    from powderkeg.wording import signed, signed_span

    table = found.scores().filter(pl.col("over") == "window")
    first, last, n = found.origins[0], found.origins[-1], len(found.origins)
    when = f"one origin, {first}" if n == 1 else f"{n} origins, {first} to {last}"
    screen.say(f"{when}; mean over {UNITS.get(found.by, found.by)}")
    screen.paragraph(
        f"Differences are to '{found.reference}', chosen beforehand; brackets hold {100 * found.level:g} %."
    )
    for metric, said, best_first in (
        ("log_score", "log score: more is better", True),
        ("crps", "CRPS: less is better", False),
    ):
        part = table.filter(pl.col("metric") == metric)
        last = part.filter(pl.col("horizon") == found.horizons[-1]).sort("value", descending=best_first)
        rows = []
        for model in last["model"].to_list():
            cells = []
            for horizon in found.horizons:
                row = part.filter(pl.col("model") == model, pl.col("horizon") == horizon).row(0, named=True)
                span = "" if row["low"] is None else f" {signed_span(row['low'], row['high'], 3)}"
                cells.append(f"{row['value']:.3f} ({signed(row['difference'], 3)}{span})")
            rows.append([model, *cells])
        screen.table([said, *(f"{h} day{'s' * (h > 1)}" for h in found.horizons)], rows)
        for row in part.filter(pl.col("model") == "powderkeg").sort("horizon").to_dicts():
            span = "" if row["to_best_low"] is None else f" {signed_span(row['to_best_low'], row['to_best_high'], 3)}"
            screen.say(f"{row['horizon']} d: to the best baseline, {row['best']}, {signed(row['to_best'], 3)}{span}")
        screen.say()


def fitted(
    screen: Screen, scenario: Any, events: Any, origin: str | None, as_of: str | None, unmatched: str
) -> Any:  # fmt: skip
    """A fit to what was known at the origin."""
    from powderkeg.fit import fit
    from powderkeg.forecast.forecasting import known_before

    known = known_before(events, origin, as_of)
    with warnings_after(), screen.stages(f"fitting {len(known):,} events") as stages:
        return fit(scenario, known, unmatched=unmatched, test_mechanisms=False, progress=stages)


def _refuse_with_score(**given: Any) -> None:
    """Raises UsageError for options that ask for one forecast where many are scored."""
    from powderkeg.errors import Fault, UsageError

    names = {"doing": "--if", "with_fit": "--fit"}
    instead = {"as_of": "each origin knows what had been entered by then", "with_fit": "--refit first or --refit each"}
    faults = [
        Fault.at(names.get(name, f"--{name.replace('_', '-')}"), "given with --score",
              instead.get(name, "one of the two"))
        for name, value in given.items()
        if value
    ]  # fmt: skip
    if faults:
        raise UsageError(faults)


def show(screen: Screen, found: Forecast) -> None:
    """The results as tables."""
    if screen.is_silent:
        return
    from powderkeg.forecast.answers import told_in_days
    from powderkeg.forecast.interventions import change_in_words
    from powderkeg.forecast.standoffs import NEW_STANDOFF, meaning
    from powderkeg.wording import counted, measured, percent

    screen.say()
    histories = counted(found.draws, "history", "histories")
    screen.say(f"From {found.origin}, {counted(found.days, 'day')}, {histories}; numbers {found.parameters}")
    for note in found.notes:
        screen.paragraph(note[0].upper() + note[1:] + ".")
    screen.say()
    heads = ["outcome", "chance", "", "how often", "5 to 95 %", "likely from"]
    in_days = told_in_days(found.model)
    rows = [
        [row["title"], percent(row["chance"]), f"{percent(row['low'])} to {percent(row['high'])}",
         measured(row["mean"]) + unit,
         f"{row['q05']:.0f} to {row['q95']:.0f}{unit}", str(row["first_50"] or "")]
        for row in found.outcomes.to_dicts()
        for unit in [" days" if row["name"] in in_days else ""]
    ]  # fmt: skip
    _table(screen, heads, rows)
    if NEW_STANDOFF in found.outcomes["name"]:
        screen.paragraph(meaning(found.standoff_since))
        screen.say()
    heads = ["who", "to whom", "acts", "5 to 95 %", "half", "any"]
    rows = [
        [row["source"], row["target"], measured(row["mean"]), f"{row['q05']:.0f} to {row['q95']:.0f}",
         f"{row['q25']:.0f} to {row['q75']:.0f}", percent(row["any"])]
        for row in found.dyads.sort("mean", descending=True).to_dicts()
    ]  # fmt: skip
    _table(screen, heads, rows)
    told = found.as_dict()["why"]
    acts = f"the {measured(told['acts'])} acts ahead"
    rows = [
        [str(row["day"]), " ".join(str(row[k]) for k in ("source", "act", "target") if row[k]), measured(row["brings"]),
         percent(row["share"])]
        for row in found.why().to_dicts()
    ]  # fmt: skip
    if rows:
        screen.say(f"{percent(told['from_acts_seen'])} of {acts} go back to acts seen:")
        _table(screen, ["day", "act", "brings", "of all ahead"], rows)
    else:
        screen.say(f"None of {acts} go back to acts seen.")
    if len(found.worlds) > 1:
        rows = [
            [row["intervention"], *change_in_words(row).values()]
            for row in found.changes.to_dicts()
            if row["low"] > 0 or row["high"] < 0
        ]
        if rows:
            heads = ["if", "what changes", "without", "with", "difference", f"{percent(found.level)} interval"]
            _table(screen, heads, rows)
        else:
            screen.paragraph("What was to be done changes nothing that these draws could show.")
    for warning in found.warnings:
        say_error(f"warning: {warning}")


def _table(screen: Screen, heads: list[str], rows: list[list[str]]) -> None:
    if rows:
        screen.table(heads, rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            screen.say(f"(first {MOST_ROWS} of {len(rows):,}; --json and --out have all)")
        screen.say()


def write(folder: Folder, found: Forecast, told: dict[str, Any]) -> None:
    """All tables, the draws, the figure, the page."""
    from powderkeg import plots
    from powderkeg.report.forecasted import charts, page

    folder.data("forecast.json", told)
    for name in ("outcomes", "dyads", "classes", "daily", "facts"):
        folder.write(f"{name}.csv", csv_of(getattr(found, name)))
    folder.write("why.csv", csv_of(found.why()))
    if len(found.worlds) > 1:
        folder.write("changes.csv", csv_of(found.changes))
    folder.write("draws.parquet", found.draws_frame().write_parquet)
    folder.write("acts.parquet", found.table().frame.write_parquet)
    for name, (chart, _) in charts(found).items():
        folder.write(f"{name}.svg", partial(plots.save, chart))
    folder.write("forecast.html", text_of(page(found, list(folder.finished), made=folder.made)))
