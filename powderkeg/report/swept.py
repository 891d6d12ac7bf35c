"""One page that says how the answers move when numbers do.

In: a `Sweep` or a `Sensitivity`, its charts. Out: one HTML file without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from powderkeg import plots
from powderkeg.analyze.outcomes import SHARE_UNITS, unit_behind
from powderkeg.compare import Sensitivity, Sweep
from powderkeg.plots.comparison import change
from powderkeg.plots.sweep import alike
from powderkeg.report.pages import FOLDER, template
from powderkeg.scenario import digest
from powderkeg.units import YEAR
from powderkeg.version import __version__
from powderkeg.wording import counted, measured, percent, plain

MOST_POINTS = 200
"""Rows of a table on the page; the files beside it have all."""


def page(
    found: Sweep | Sensitivity,
    charts: Mapping[str, Any],
    outcomes: Sequence[str],
    files: Sequence[str] = (),
    command: str | None = None,
    made: Mapping[str, Any] | None = None,
) -> str:
    """The page as text.

    charts    name -> chart
    outcomes  those that are shown
    files     names of the files that lie beside it
    command   what was typed to make it
    """
    from markupsafe import Markup

    if isinstance(found, Sweep):
        points, gist = found.table["point"].n_unique(), _gist(found, outcomes)
    else:
        points, gist = found.points, _hangs_on(found, outcomes)
    return template("swept.html").render(
        made=made or {},
        s=found,
        is_sweep=isinstance(found, Sweep),
        title=found.scenario.title or found.scenario.name,
        years=found.days / YEAR,
        version=__version__,
        digest=digest(found.scenario),
        points=counted(points, "point"),
        gist=gist,
        tables=_sweep_tables(found, outcomes) if isinstance(found, Sweep) else _sensitivity_tables(found, outcomes),
        figures=[Markup(plots.svgs(chart, f"figure{k}-")) for k, chart in enumerate(charts.values())],
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        files=files,
        command=command,
    )


def _told(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return percent(value) if unit in SHARE_UNITS else measured(value)


def _gist(found: Sweep, outcomes: Sequence[str]) -> list[str]:
    """Between which values each outcome moves, a sentence each."""
    told = []
    for names in alike(found.table, outcomes):
        rows = found.table.filter(pl.col("outcome") == names[0], pl.col("value").is_not_null())
        if rows.height:
            unit = rows["unit"][0]
            low, high = (
                _told(float(x), unit) for x in (rows["value"].to_numpy().min(), rows["value"].to_numpy().max())
            )
            behind = " days" if unit == "days" else ""
            course = f"{low}{behind} at every point" if low == high else f"from {low} to {high}{behind}"
            titles = _titles(found, names)
            told.append(f"{titles[:1].upper()}{titles[1:]}{'' if titles.endswith('?') else ':'} {course}.")
    return told


def _titles(found: Sweep, names: Sequence[str]) -> str:
    return "; ".join(found.table.filter(pl.col("outcome") == name)["title"][0] for name in names)


def _hangs_on(found: Sensitivity, outcomes: Sequence[str]) -> list[str]:
    """The number that each outcome hangs on most, a sentence each."""
    column = "total" if found.method == "sobol" else "effect"
    told = []
    for name in outcomes:
        rows = found.table.filter(pl.col("outcome") == name).sort(column, descending=True)
        if rows.height:
            told.append(f"{rows['title'][0]} hangs most on {rows['path'][0]}.")
    return told


def _sweep_tables(found: Sweep, outcomes: Sequence[str]) -> list[dict[str, Any]]:
    """A table an outcome: the swept values, the outcome, its paired difference."""
    table, paths = found.spoken()
    made = []
    for names in alike(table, outcomes):
        rows = table.filter(pl.col("outcome") == names[0])
        if not rows.height:
            continue
        unit = rows["unit"][0]
        body = [
            [*(_written(row[path]) for path in paths), _told(row["value"], unit),
             _interval(row["value_low"], row["value_high"], unit), "–" if row["low"] is None else change(row)]
            for row in rows.head(MOST_POINTS).to_dicts()
        ]  # fmt: skip
        value = f"value, {unit_behind(unit)}"
        heads = [*paths, value, "interval", "difference to the scenario as it stands [interval]"]
        lacks = f"The first {MOST_POINTS} of {rows.height:,} points." if rows.height > MOST_POINTS else ""
        made.append({"title": _titles(found, names), "heads": heads, "first": len(paths), "rows": body, "lacks": lacks})
    return made


def _sensitivity_tables(found: Sensitivity, outcomes: Sequence[str]) -> list[dict[str, Any]]:
    columns = (
        ("total", "total_error", "first", "first_error")
        if found.method == "sobol"
        else ("effect", "effect_error", "bend")
    )
    made = []
    for name in outcomes:
        rows = found.table.filter(pl.col("outcome") == name).sort(columns[0], descending=True)
        if rows.height:
            body = [[row["path"], *(measured(row[column]) for column in columns)] for row in rows.to_dicts()]
            heads = ["number", *(column.replace("_", " ") for column in columns)]
            made.append({"title": rows["title"][0], "heads": heads, "first": 1, "rows": body})
    return made


def _written(value: Any) -> str:
    return plain(value, 4) if isinstance(value, float) else str(value)


def _interval(low: float | None, high: float | None, unit: str) -> str:
    return "–" if low is None or high is None else f"{_told(low, unit)} to {_told(high, unit)}"
