"""One page that says what may come, how sure that is, and what carries it.

In: a `Forecast`, perhaps what came. Out: one HTML file without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg import plots
from powderkeg.forecast.answers import origins_of_risk, told_in_days
from powderkeg.forecast.interventions import change_in_words
from powderkeg.forecast.standoffs import NEW_STANDOFF, meaning
from powderkeg.plots.forecast import MOST_FANS
from powderkeg.report.pages import FOLDER, template, unlisted
from powderkeg.report.results import called
from powderkeg.scenario import digest
from powderkeg.version import __version__
from powderkeg.wording import counted, deed, measured, percent

if TYPE_CHECKING:
    from powderkeg.events import EventTable
    from powderkeg.forecast import Forecast

MOST_ROWS = 40


def charts(found: Forecast, after: EventTable | None = None) -> dict[str, tuple[Any, str]]:
    """The fan by dyad, and what it shows in words."""
    ahead = counted(found.days, "day")
    label = f"Acts of the week up to each day, by dyad: seen until {found.origin}, foretold for {ahead}."
    titles = _titles(found)
    sides = found.dyads.select("source", "target").to_dicts()
    plain, titled = ([_dyad(row, of) for row in sides] for of in ({}, titles))
    fan = found.fan(after=after, most=MOST_FANS).with_columns(pl.col("name").replace(plain, titled))
    return {"fan": (plots.fans(fan, found.origin, found.level, pairs=len(sides)), label)}


def page(
    found: Forecast, files: Sequence[str] = (), after: EventTable | None = None, made: Mapping[str, Any] | None = None
) -> str:
    """The page as text; `files` are the names of those that lie beside it, `made` what their list says of them."""
    from altair.utils.schemapi import debug_mode
    from markupsafe import Markup

    with debug_mode(False):
        figures = {
            name: Markup(plots.svgs(chart, f"{name}-", label)) for name, (chart, label) in charts(found, after).items()
        }
    scenario = found.model.scenario
    in_days, titles = told_in_days(found.model), _titles(found)
    shares = origins_of_risk(found.model, found.drawn)
    return template("forecasted.html").render(
        made=made or {},
        f=found,
        title="a model of bare arrays" if scenario is None else scenario.title or scenario.name,
        version=__version__,
        digest="" if scenario is None else digest(scenario),
        level=percent(found.level),
        weight="" if found.pool is None else percent(found.pool.weight),
        acts=measured(float(found.dyads["mean"].sum())),
        share=percent(shares["from_acts_seen"]),
        outcomes=[_outcome(row, row["name"] in in_days) for row in found.outcomes.to_dicts()],
        dyads=[_counted(row, titles) for row in found.dyads.sort("mean", descending=True).head(MOST_ROWS).to_dicts()],
        why=[_carrier(row, titles) for row in found.why().to_dicts()],
        facts=[{**row, "chance": percent(row["chance"])} for row in found.facts.head(MOST_ROWS).to_dicts()],
        unlisted={
            name: unlisted(MOST_ROWS, getattr(found, name).height, f"{name}.csv", files) for name in ("dyads", "facts")
        },
        changes=[_change(row) for row in found.changes.to_dicts()] if len(found.worlds) > 1 else [],
        dated=found.outcomes["first_50"].is_not_null().any(),
        new=meaning(found.standoff_since) if NEW_STANDOFF in found.outcomes["name"] else "",
        figures=figures,
        files=files,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
    )


def _outcome(row: Mapping[str, Any], in_days: bool) -> dict[str, str]:
    unit = " days" if in_days else ""
    return {
        "title": row["title"],
        "chance": percent(row["chance"]),
        "span": f"{percent(row['low'])} to {percent(row['high'])}",
        "mean": measured(row["mean"]) + unit,
        "often": f"{row['q05']:.0f} to {row['q95']:.0f}{unit}",
        "first": "" if row["first_50"] is None else str(row["first_50"]),
    }


def _titles(found: Forecast) -> dict[str, str]:
    scenario = found.model.scenario
    return {} if scenario is None else called(scenario)


def _dyad(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Who towards whom, by titles or else by names as words."""
    sides = (row["source"], row["target"])
    return " → ".join(titles.get(side) or side.replace("_", " ") for side in sides if side)


def _counted(row: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, str]:
    return {
        "dyad": _dyad(row, titles),
        "mean": measured(row["mean"]),
        "wide": f"{row['q05']:.0f} to {row['q95']:.0f}",
        "half": f"{row['q25']:.0f} to {row['q75']:.0f}",
        "any": percent(row["any"]),
    }


def _carrier(row: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, str]:
    parts = (row[k] or "" for k in ("source", "act", "target"))
    act = deed(*(titles.get(part) or part.replace("_", " ") for part in parts))
    return {"day": str(row["day"]), "act": act, "brings": measured(row["brings"]), "share": percent(row["share"])}


def _change(row: Mapping[str, Any]) -> dict[str, str]:
    told = change_in_words(row)
    return {"if": row["intervention"].replace("_", " "), **told}
