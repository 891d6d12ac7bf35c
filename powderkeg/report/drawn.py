"""Which figures does a result have?

In: a result of any kind, and perhaps the name of a figure. Out: that figure as an Altair chart: what `result.plot()`
gives. The pages and the command line draw the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from powderkeg import plots
from powderkeg.errors import Fault, UsageError, nearest_name

if TYPE_CHECKING:
    import polars as pl

    from powderkeg.compare import Comparison, Replay, Sensitivity, Sweep
    from powderkeg.events import EventTable
    from powderkeg.fit.checks.report import Checks
    from powderkeg.scenario import Scenario
    from powderkeg.score.record import Record

Figures = Mapping[str, Callable[[], Any]]
"""Each figure that there is something to show in, by name; the first is the one that is shown unasked."""
UNTOLD = "standoffs not told: nothing says which acts are hostile"
MOST_SHOWN = 4
"""Outcomes that a figure of a sweep shows where none is named."""


def figure_of(result: object, figure: str | None = None) -> Any:
    """A figure of a result. Raises UsageError for a name that there is not, and where there is nothing to show."""
    found = figures_of(result)
    name = next(iter(found), "") if figure is None else figure
    if name not in found:
        kind = type(result).__name__
        if not found:
            raise UsageError(Fault.at("plot", f"nothing to show in this {kind}", "a result that has something in it"))
        near = nearest_name(str(name), found)
        raise UsageError(Fault.at("plot", f"unknown figure {name!r}", f"one of {', '.join(found)}", near))
    return found[name]()


def figures_of(result: object) -> Figures:
    """The figures of a result, not yet drawn."""
    return _FIGURES[type(result).__name__](result)


def hostile_acts(table: EventTable, scenario: Scenario | None) -> pl.DataFrame:
    """Hostile acts of a table and how hot each is: time, source, act, target, tone, heat."""
    acts = observed_acts(table, scenario)
    return acts.filter(acts["heat"] > 0)


def observed_acts(table: EventTable, scenario: Scenario | None) -> pl.DataFrame:
    """Acts of a table in the order of time: time, source, act, target, tone, heat."""
    import numpy as np
    import polars as pl

    from powderkeg.analyze.streams import TONES, streams
    from powderkeg.model import compile

    stream = streams(table, None if scenario is None else compile(scenario))
    actors = pl.Series([*stream.actors, None], dtype=pl.String)
    source, target = (
        actors.gather(np.where(side >= 0, side, len(stream.actors))[stream.code])
        for side in (stream.source, stream.target)
    )
    acts, tones = (pl.Series([*names, None], dtype=pl.String) for names in (stream.acts, TONES))
    return pl.DataFrame(
        {
            "time": stream.time, "source": source, "act": acts.gather(stream.act[stream.code]), "target": target,
            "tone": tones.gather(stream.tone[stream.code]), "heat": stream.heat[stream.code],
        }
    )  # fmt: skip


def sweep_figures(found: Sweep, outcomes: list[str]) -> Figures:
    """The figure of these outcomes, over one number or two; none over more, nor where the points are no grid."""
    table, names = found.spoken()
    if found.design == "grid" and len(names) == 1 and isinstance(found.axes[0].values[0], float):
        return {"sweep": partial(plots.sweep_line, table, names[0], outcomes)}
    if found.design == "grid" and len(names) == 2:
        return {"sweep": partial(plots.sweep_map, table, names[0], names[1], outcomes)}
    return {}


def _of_charts(charts: Mapping[str, tuple[Any, str]]) -> Figures:
    return {name: partial(_same, chart) for name, (chart, _) in charts.items()}


def _same(chart: Any) -> Any:
    return chart


def _runs(runs: Any) -> Figures:
    from powderkeg.errors import ModelError
    from powderkeg.model import Model
    from powderkeg.report import figures, gather

    if not isinstance(runs.model, Model) or runs.model.scenario is None:
        raise ModelError("bare arrays have no names: plot runs of a scenario's model")
    return _of_charts(figures(gather(runs.model, runs)))


def _event_table(table: EventTable) -> Figures:
    from powderkeg.analyze.episodes import episodes, has_classes

    if not len(table):
        return {}
    acts = observed_acts(table, None)
    hostile = acts.filter(acts["heat"] > 0)

    def hostility() -> Any:
        return plots.hostility(hostile, episodes(table), table.start, table.days)

    def history() -> Any:
        found = episodes(table)
        if has_classes(table):
            return plots.history(acts, found, table.start, table.days, title="Acts and standoffs")
        return plots.history(acts, found, table.start, table.days, title="Acts", told=UNTOLD)

    # Where nothing says which acts are hostile, `episodes` warns of it.
    return {"hostility": hostility, "history": history} if hostile.height else {"history": history}


def _fit(fit: Any) -> Figures:
    from powderkeg.report.fitted import figures

    return {name: partial(_same, chart) for name, chart in figures(fit, None).items()}


def _checks(found: Checks) -> Figures:
    rows = [check.as_dict() for check in found.checks]
    return {"predictive": partial(plots.predictive, rows, found.predictive.replicates)} if rows else {}


def _comparison(found: Comparison) -> Figures:
    from powderkeg.report.compared import figure_rows

    rows = figure_rows(found)
    if not rows:
        return {}
    names = dict.fromkeys(row["name"] for row in rows)
    each = {name: partial(plots.differences, rows, name, level=found.level) for name in names}
    return {"differences": partial(plots.differences, rows, level=found.level)} | each


def _sweep(found: Sweep) -> Figures:
    names = found.outcomes
    each = {name: drawn for name in names for drawn in sweep_figures(found, [name]).values()}
    return {**sweep_figures(found, names[:MOST_SHOWN]), **each}


def _sensitivity(found: Sensitivity) -> Figures:
    return {
        name: partial(plots.tornado, found.table, name, found.method) for name in found.outcomes
    }  # fmt: skip


def _attribution(found: Any) -> Figures:
    from powderkeg.report.attributed import charts

    return _of_charts(charts(found))


def _family(tree: Any) -> Figures:
    from powderkeg.report.attributed import titles_of

    found = tree.attribution
    return {"family": partial(plots.family_tree, tree.acts, tree.links, found.table.start, titles_of(found))}


def _forecast(found: Any) -> Figures:
    from powderkeg.report.forecasted import charts

    return _of_charts(charts(found))


def _backtest(found: Any) -> Figures:
    from powderkeg.report.scored import charts

    return _of_charts(charts(found))


def _record(found: Record) -> Figures:
    return {"record": partial(plots.against_record, [asdict(line) for line in found.lines])}


def _replay(found: Replay) -> Figures:
    from powderkeg.report.replayed import chart

    return {"replayed": partial(chart, found)}


def _statistics(found: Any) -> Figures:
    drawing = {"ends": plots.ends, "openers": plots.openers, "lengths": plots.lengths} if found.count else {}
    return {name: partial(draw, getattr(found, name)) for name, draw in drawing.items()}


_FIGURES: Mapping[str, Callable[[Any], Figures]] = {
    "Attribution": _attribution,
    "Backtest": _backtest,
    "Checks": _checks,
    "Comparison": _comparison,
    "EpisodeStatistics": _statistics,
    "EventTable": _event_table,
    "Family": _family,
    "Fit": _fit,
    "Forecast": _forecast,
    "Record": _record,
    "Replay": _replay,
    "Runs": _runs,
    "Sensitivity": _sensitivity,
    "Sweep": _sweep,
}
"""By the name of the kind of result, so that none need be imported to draw another; class names are unique."""
