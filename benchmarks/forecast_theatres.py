"""Do forecasts hold elsewhere? Backtests on 22 series: Kosovo, Bosnia, Croatia, and theatres in the same roles.

In: KEDS Balkans (date, source, target, code), ICEWS of 2018 and of 2014 (date, source, target, cameo), which are not
part of this repository. Out: one line a series, and the means over series with their standard errors: log score at 7
and 30 days, CRPS in % at both, ours less the reference's; the same less the best of six weighted means, told by
hindsight. Then the same means of the model's own draws, without the pool, and what the pool adds to them.

    python benchmarks/forecast_theatres.py KEDS ICEWS18 ICEWS14            # all, some ten minutes of a processor
    python benchmarks/forecast_theatres.py KEDS ICEWS18 ICEWS14 korea sea  # series whose names begin so

A rule of forecasting that is chosen on one of these must win on the others: nothing here is to be tuned to. Other
theatres take the roles of `kosovo-events`, with its moves, mechanisms and numbers, which are from another time and
place. Other draws move one series by .03 in the log score and 1 % in the CRPS.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.forecast.backtest import ALONE, OURS, backtest

DRAWS, HORIZONS = 400, (7, 30)
LOCAL = ("kosovo", "kosovo_serbs", "serbia")
ROLES = ("kosovo", "serbia", "nato", "west", "russia", "un")
TEXT = (Path(pk.__file__).parent / "scenarios" / "kosovo-events.yaml").read_text(encoding="utf-8")
KINDS = {"nato": ["patron"], "west": ["patron", "mediator"], "russia": ["mediator"], "un": ["mediator"]}
US, EU, UN = "United States", "European Union", "United Nations"
NATO = "North Atlantic Treaty Organization"
OBAMA = ["Barack Obama", "John Kerry"]
LAVROV = "Sergey Viktorovich Lavrov"
OUTSIDE: tuple[Any, ...] = (
    ["NAT", "NATO"],
    ["USA", "USAGOV", "US", "USGOV", "EEC", "EU", "EUR", "WEST", "GER", "GERGOV", "FRN", "FRNGOV", "UNK", "UNKGOV",
     "ITA", "ITAGOV"],
    ["RUS", "RUSGOV"],
    ["UNO"],
)  # fmt: skip
KEDS_THEATRES: dict[str, tuple[Any, ...]] = {
    "bosnia": (["BOS", "BOSGOV", "BOSMOS", "BOSMUS"], ["BOSSER", "SER", "SERGOV", "FRY", "YUG"], *OUTSIDE),
    "croatia": (["CRO", "CROGOV", "CROMIL"], ["CROSER", "SER", "SERGOV", "SERMIL", "YUG", "YUGMIL"], *OUTSIDE),
}
ICEWS_THEATRES: dict[str, tuple[Any, ...]] = {
    "korea 2018": ("South Korea", "North Korea", "Japan", US, "China", UN),
    "kashmir 2018": ("Pakistan", "India", "Afghanistan", US, "China", UN),
    "syria 2018": ("Turkey", "Syria", "Israel", US, "Russia", UN),
    "gulf 2018": ("Saudi Arabia", "Iran", "United Arab Emirates", US, "Iraq", UN),
    "horn 2018": ("Ethiopia", "Eritrea", "Egypt", "Somalia", "Sudan", UN),
    "caucasus 2018": ("Azerbaijan", "Armenia", "Turkey", [US, EU], "Russia", "Georgia"),
    "sea 2018": ("Vietnam", "China", "Philippines", US, "Japan", "Taiwan"),
    "lakes 2018": ("Democratic Republic of Congo", "Rwanda", "Uganda", "Burundi", "South Africa", UN),
    "andes 2018": ("Colombia", "Venezuela", "Brazil", US, "Cuba", UN),
    "cyprus 2018": ("Cyprus", "Turkey", "Greece", EU, "Russia", UN),
    "macedonia 2018": ("Macedonia", "Greece", NATO, [EU, US], "Albania", "Bulgaria"),
    "korea 2014": ("South Korea", "North Korea", "Japan", US, "China", UN),
    "sea 2014": ("Vietnam", "China", "Philippines", US, "Japan", "Taiwan"),
    "gulf 2014": ("Iraq", "Iran", "Syria", OBAMA, LAVROV, "Turkey"),
    "nato 2014": (
        "Ukraine",
        [LAVROV, "Russia"],
        "North Atlantic Treaty Organization",
        [*OBAMA, EU],
        "Poland",
        "Turkey",
    ),
}
YEARS = {"2018": (date(2018, 1, 1), date(2018, 10, 31)), "2014": (date(2014, 1, 1), date(2014, 12, 31))}
FROM_KEDS = {  # record, first and last origin, how many
    "kosovo 1999": (date(1998, 1, 1), date(2003, 7, 31), date(1999, 1, 10), date(2000, 12, 1), 20),
    "kosovo 2001": (date(1998, 1, 1), date(2003, 7, 31), date(2001, 1, 15), date(2003, 5, 3), 12),
    "bosnia 1993": (date(1992, 1, 1), date(1997, 12, 31), date(1993, 1, 10), date(1994, 12, 1), 12),
    "bosnia 1995": (date(1992, 1, 1), date(1997, 12, 31), date(1995, 1, 10), date(1996, 12, 1), 12),
    "croatia 1992": (date(1991, 1, 1), date(1996, 6, 30), date(1992, 3, 1), date(1996, 5, 20), 14),
}


def in_roles(who: tuple[Any, ...], source: str) -> pk.Scenario:
    """`kosovo-events` with others in its actors' places."""
    lines = ["  kosovo_serbs: {title: nobody}"]
    for role, names in zip(ROLES, who, strict=True):
        names = [names] if isinstance(names, str) else names
        match = {"codes": names} if source == "keds" else {"names": names, "patterns": [f"*({one})" for one in names]}
        actor = {"title": names[0], "match": {source: [match]}, "is": KINDS.get(role, [])}
        lines.append(f"  {role}: {json.dumps(actor)}")
    before, after = TEXT.index("\nactors:"), TEXT.index("\nties:")
    return pk.loads(TEXT[:before] + "\nactors:\n" + "\n".join(lines) + "\n" + TEXT[after:])


def series(name: str, keds: str, icews: dict[str, str]) -> tuple[Any, Any, list[date]]:
    """Scenario, events, origins."""
    if name in FROM_KEDS:
        start, end, first, last, n = FROM_KEDS[name]
        theatre = KEDS_THEATRES.get(name.split()[0])
        scenario = pk.load("kosovo-events") if theatre is None else in_roles(theatre, "keds")
        path = keds
    else:
        year = name.split()[1]
        (start, end), path = YEARS[year], icews[year]
        first, last, n = (
            date(int(year), 5, 1),
            end - timedelta(days=29),
            10 if name in ICEWS_THEATRES and year == "2018" else 12,
        )
        scenario = pk.load("kosovo-events")
        if name == "russia 2018":
            first, n, scenario = date(2018, 7, 1), 12, pk.load("nato-russia-ukraine-events")
        elif name in ICEWS_THEATRES:
            scenario = in_roles(ICEWS_THEATRES[name], "icews")
    events = pk.read_events(path, start=start, end=end, scenario=scenario, doubles=("mirrored", "same_day_matched"))
    if name.endswith("2018") and name != "russia 2018":  # only what touches the two who quarrel
        sides = [pl.col(side).cast(pl.String).is_in(LOCAL) for side in ("source", "target")]
        events = replace(events, frame=events.frame.filter(sides[0] | sides[1]))
        moves = {key: move for key, move in scenario.moves.items() if {*move.who, *move.to} & set(LOCAL)}
        scenario = replace(scenario, moves=moves)
    return scenario, events, [first + timedelta(days=int(d)) for d in np.linspace(0, (last - first).days, n).round()]


def beside(found: Any, ours: str = OURS) -> list[float]:
    """Log score at 7 and 30 days, CRPS (in %) at both: less the reference's, less the best weighted mean's."""
    table = found.scores().filter(pl.col("over") == "window")
    value = {(row["model"], row["metric"], row["horizon"]): row["value"] for row in table.to_dicts()}
    means = {model for model, *_ in value if model.startswith("weighted mean")}
    told = []
    for others in ([found.reference], means):
        told += [value[ours, "log_score", h] - max(value[one, "log_score", h] for one in others) for h in HORIZONS]
        told += [100 * (value[ours, "crps", h] / min(value[one, "crps", h] for one in others) - 1) for h in HORIZONS]
    return told


def main(keds: str, icews18: str, icews14: str, *asked: str) -> None:
    names = [*FROM_KEDS, "kosovo 2018", "russia 2018", *ICEWS_THEATRES]
    rows, alone = [], []
    for name in names:
        if asked and not name.startswith(asked):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scenario, events, origins = series(name, keds, {"2018": icews18, "2014": icews14})
            found = backtest(
                scenario,
                events,
                origins=origins,
                draws=DRAWS,
                horizons=HORIZONS,
                variants=(ALONE,),
                seed=1,
                unmatched="drop",
            )
        rows.append(beside(found))
        alone.append(beside(found, ALONE))
        print(f"{name:15s} {' '.join(f'{x:+7.3f}' for x in rows[-1])}", flush=True)
    pool, own = np.array(rows), np.array(alone)
    for said, table in (("mean", pool), ("without the pool", own), ("the pool adds", pool - own)):
        print(f"{said:16s} {' '.join(f'{x:+7.3f}' for x in table.mean(axis=0))}")
        if len(table) > 1:
            error = table.std(axis=0, ddof=1) / np.sqrt(len(table))
            print(f"{'standard error':16s} {' '.join(f'{x:7.3f}' for x in error)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
