"""One page that says how good forecasts were: what was foretold and what came, and the scoreboard.

In: a `Backtest`, of a rolling backtest or of frozen forecasts. Out: one HTML file without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg import plots
from powderkeg.report.pages import FOLDER, template
from powderkeg.version import __version__
from powderkeg.wording import percent, signed, signed_span

if TYPE_CHECKING:
    from powderkeg.forecast.backtest import Backtest

METRICS = (
    ("log_score", "Log score: more is better", True),
    ("crps", "CRPS: less is better", False),
    ("interval_score", "95 % interval score: less is better", False),
    ("onset_brier", "Brier score of any act at all: less is better", False),
)
OURS = "powderkeg"


def charts(found: Backtest) -> dict[str, tuple[Any, str]]:
    """What was foretold and what came, and what that shows in words."""
    if found.fans is None or not found.fans.height:
        return {}
    label = f"Acts of the week up to each day, by dyad: as foretold from {said_origins(found)}, and as they came."
    return {"fans": (plots.fans_and_what_came(found.fans, found.level), label)}


def page(
    found: Backtest, title: str, files: Sequence[str] = (), waiting: Sequence[str] = (),
    nights: Sequence[Mapping[str, str]] = (), made: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """The page as text.

    title    what is scored;  files: names of those that lie beside it
    waiting  forecasts that are not due or were left out, in words;  nights: of a desk, latest first: day, what, failed
    """
    from altair.utils.schemapi import debug_mode
    from markupsafe import Markup

    with debug_mode(False):
        figures = {name: Markup(plots.svgs(chart, f"{name}-", label)) for name, (chart, label) in charts(found).items()}
    table = found.scores().filter(pl.col("over") == "window")
    return template("scored.html").render(
        made=made or {},
        title=title,
        f=found,
        origins=said_origins(found),
        units={"dyad": "directed dyads", "class": "directed dyads by class of act"}[found.by],
        level=percent(found.level),
        verdicts=[_verdict(found, table, horizon) for horizon in found.horizons],
        tables=[_scores(found, table, *metric) for metric in METRICS],
        cover=_cover(found, table),
        pit=_ranks(found),
        reliability=[_band(row) for row in found.reliability.filter(pl.col("model") == OURS).to_dicts()],
        figures=figures,
        files=files,
        waiting=waiting,
        nights=nights,
        version=__version__,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
    )


def said_origins(found: Backtest) -> str:
    """How many origins, and when."""
    n = len(found.origins)
    return f"{found.origins[0]}" if n == 1 else f"{n} origins from {found.origins[0]} to {found.origins[-1]}"


def days(horizon: int) -> str:
    return f"{horizon} day{'s' * (horizon > 1)}"


def _verdict(found: Backtest, table: pl.DataFrame, horizon: int) -> dict[str, str]:
    """Ours at one horizon: against the reference, and against the best of the others, wins and losses alike."""
    part = table.filter(pl.col("metric") == "crps", pl.col("horizon") == horizon)
    ours = part.filter(pl.col("model") == OURS).row(0, named=True)
    others = part.filter(~pl.col("model").str.starts_with(OURS)).sort("value")
    better = int((others["value"] < ours["value"]).sum())
    first = others.row(0, named=True)
    if ours["low"] is None:
        word = "too few origins to tell"
    elif ours["high"] < 0:
        word = "better than the reference"
    elif ours["low"] > 0:
        word = "worse than the reference"
    else:
        word = "not told apart from the reference"
    return {
        "horizon": days(horizon),
        "ours": f"{ours['value']:.3f}",
        "difference": _difference(ours),
        "word": word,
        "best": f"{first['model']}, {first['value']:.3f}; ours {_difference(ours, 'to_best')}",
        "rank": f"{better + 1} of {others.height + 1}",
    }


def _difference(row: Mapping[str, Any], name: str = "difference") -> str:
    low, high = ("low", "high") if name == "difference" else (f"{name}_low", f"{name}_high")
    span = "" if row[low] is None else f" {signed_span(row[low], row[high], 3)}"
    return f"{signed(row[name], 3)}{span}"


def _scores(found: Backtest, table: pl.DataFrame, metric: str, title: str, more: bool) -> dict[str, Any]:
    part = table.filter(pl.col("metric") == metric)
    last = part.filter(pl.col("horizon") == found.horizons[-1]).sort("value", descending=more)
    cell = {(row["model"], row["horizon"]): row for row in part.to_dicts()}
    rows = []
    for model in last["model"].to_list():
        cells = [(f"{cell[model, h]['value']:.3f}", _difference(cell[model, h])) for h in found.horizons]
        rows.append({"model": model, "cells": cells, "ours": model.startswith(OURS)})
    return {"title": title, "heads": [days(h) for h in found.horizons], "rows": rows}


def _cover(found: Backtest, table: pl.DataFrame) -> list[dict[str, str]]:
    part = table.filter(pl.col("metric") == "coverage_90", pl.col("model") == OURS)
    return [
        {"horizon": days(row["horizon"]), "share": percent(row["value"]), "n": f"{row['n']:,}"}
        for row in part.to_dicts()
    ]


def _ranks(found: Backtest) -> list[dict[str, Any]]:
    pit = found.pit()
    return [
        {"horizon": days(h), "shares": [percent(x) for x in pit.filter(pl.col("horizon") == h)["share"].to_list()]}
        for h in found.horizons
    ]


def _band(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "horizon": days(row["horizon"]),
        "band": f"{percent(row['from'])} to {percent(row['from'] + 0.2)}",
        "said": percent(row["said"]),
        "came": percent(row["came"]),
        "n": f"{row['n']:,}",
    }
