"""Fit the scenario kosovo-events to real event data, in every way that a careful reader would ask for.

In: KEDS Balkans (a table with date, source, target, code) and ICEWS 2018 (date, source, target, cameo), which are not
part of this repository. Out: benchmarks/results/real_data.json, from which `real_data_page.py` makes the tables and
figures of docs/real-data.md.

    python benchmarks/real_data.py KEDS ICEWS                   # all parts, about ten minutes on one core
    python benchmarks/real_data.py KEDS ICEWS --part stamps      # one part; the others stay as they are in the file

KEDS ends in July 2003 and holds one event of a kind, dyad and day. ICEWS is cut to events with a side in Kosovo or
Serbia: what Russia and the west do to each other is about everything there, so those moves are taken out as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads cost more than they bring with matrices this small

import numpy as np
import polars as pl

import powderkeg as pk
from powderkeg.events import EventTable, match, read_events
from powderkeg.fit import Fit
from powderkeg.fit.likelihood.problem import filled_arrays
from powderkeg.fit.maximum.climb import Climber
from powderkeg.fit.parents import find_causes
from powderkeg.model import branching_ratio
from powderkeg.scenario import Scenario, load, loads

RESULTS = Path(__file__).parent / "results" / "real_data.json"
NAME = "kosovo-events"
DOUBLES = ("mirrored", "same_day_matched")
COURSES = ("constant", "blocks365", "blocks180", "blocks90", "blocks45", "epochs")
REFERENCE = "epochs"
"""What `auto` chooses in each period."""
COMPARED = "blocks180"
"""Where only the reading of the data is changed: a course that does not move with it."""
PERIODS = {
    "all": (date(1998, 1, 1), date(2003, 7, 31)),
    "war": (date(1998, 1, 1), date(1999, 12, 31)),
    "after": (date(2000, 1, 1), date(2003, 7, 31)),
}
TODAY: dict[str, dict[str, Any]] = {
    "weekday": {"background": REFERENCE, "reporting": "weekday"},
    "all of it": {"background": "constant", "reporting": "weekday", "actors": "vary", "courses": "class"},
}
"""What the model can say of a record beside its background; `reporting="auto"` takes a weekday profile, no batches."""
LOCAL = ("kosovo", "kosovo_serbs", "serbia")
PATRONS = ("nato", "west")
ECHO_HALF_LIFE = 0.2
SEED = 1


def keds(path: str, scenario: Scenario, period: str = "all", doubles: tuple[str, ...] = DOUBLES) -> EventTable:
    """KEDS Balkans of a period, in the scenario's terms."""
    first, last = PERIODS[period]
    return read_events(path, start=first, end=last, scenario=scenario, doubles=doubles)


def icews(path: str, scenario: Scenario) -> EventTable:
    """ICEWS of January to October 2018, events with a side in Kosovo or Serbia."""
    table = read_events(path, start=date(2018, 1, 1), end=date(2018, 10, 31), scenario=scenario, doubles=DOUBLES)
    sides = [pl.col(side).cast(pl.String).is_in(LOCAL) for side in ("source", "target")]
    return replace(table, frame=table.frame.filter(sides[0] | sides[1]))


def local(scenario: Scenario) -> Scenario:
    """The scenario without what outsiders do to each other."""
    moves = {name: m for name, m in scenario.moves.items() if {*m.who, *m.to} & set(LOCAL)}
    return replace(scenario, moves=moves)


def fitted(scenario: Scenario, table: EventTable, background: str = REFERENCE, **options: Any) -> Fit:
    """A fit; events that no move of the scenario allows are left out (rare acts, and what the west does to NATO)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pk.fit(scenario, table, background=background, unmatched="drop", **options)


def told(fit: Fit) -> dict[str, Any]:
    """What the page needs of a fit."""
    tests = {row["mechanism"]: row for row in fit.mechanisms.to_dicts()}
    mechanisms: dict[str, Any] = {}
    for path, e in fit.parameters.items():
        section, name, *rest = path.split(".")
        if section == "mechanisms":
            own = mechanisms.setdefault(name, {})
            own[rest[0]] = [_round(x) for x in (e.estimate, e.low, e.high)]
    for name, row in tests.items():
        mechanisms[name] |= {"lr": _round(row["lr"]), "p": _round(row["p"])}
    chosen = fit.backgrounds.filter(pl.col("background") == fit.background).row(0, named=True)
    return {
        "events": fit.events_used,
        "days": fit.problem.data.days,
        "background": fit.background,
        "parameters": chosen["parameters"],
        "log_likelihood": round(fit.log_likelihood, 2),
        "aic": round(chosen["aic"], 2),
        "branching_ratio": round(fit.branching_ratio, 4),
        "set_off": round(set_off(fit), 4),
        "converged": fit.converged,
        "mechanisms": mechanisms,
    }


def set_off(fit: Fit) -> float:
    """Share of the acts that an earlier act set off."""
    causes = find_causes(fit.climber, fit.solution.vector)
    return 1.0 - float(causes.roots.sum() / causes.acts.sum())


# --- Parts --------------------------------------------------------------------------------------------------------


def part_data(keds_path: str, icews_path: str) -> dict[str, Any]:
    """What was read, what was left out and why."""
    scenario = load(NAME)
    table = keds(keds_path, scenario)
    modern = read_events(icews_path, start=date(2018, 1, 1), end=date(2018, 10, 31), scenario=scenario, doubles=DOUBLES)
    counts = table.frame.group_by("source", "target").len().sort("len", descending=True)
    return {
        "keds": dict(table.account)["rows_dropped"] | {"kept": len(table)},
        "icews": dict(modern.account)["rows_dropped"]
        | {"kept": len(modern), "local": len(icews(icews_path, scenario))},
        "by_year": _by_year(table),
        "acts": {str(a): n for a, n in table.frame.group_by("act").len().sort("len", descending=True).iter_rows()},
        "dyads": [[str(a), str(b), n] for a, b, n in counts.iter_rows()],
        "by_week": _weekly_counts(table),
    }


def part_backgrounds(keds_path: str, icews_path: str) -> dict[str, Any]:
    """Every course of the background in every period, and what `auto` takes."""
    scenario = load(NAME)
    found: dict[str, Any] = {}
    for period in PERIODS:
        table = keds(keds_path, scenario, period)
        for course in COURSES:
            found[f"{period} {course}"] = told(fitted(scenario, table, course))
            print(period, course, found[f"{period} {course}"]["branching_ratio"], flush=True)
        auto = fitted(scenario, table, "auto", test_mechanisms=False)
        found[f"{period} auto"] = {
            "chosen": auto.background,
            "branching_ratio": _round(auto.branching_ratio),
            "tried": {row["background"]: _round(row["aic"]) for row in auto.backgrounds.iter_rows(named=True)},
            "borders": [int(x) for x in auto.problem.shape.time],
        }
    raw = read_events(keds_path, start=PERIODS["all"][0], end=PERIODS["all"][1])
    covered = match(scenario, raw, doubles=DOUBLES)[0]
    found["all coverage"] = told(fitted(scenario, covered, "constant", exposure="coverage"))
    return found


def part_today(keds_path: str, icews_path: str) -> dict[str, Any]:
    """What the source shows, actors that differ and courses by class, in every period."""
    scenario = load(NAME)
    found: dict[str, Any] = {}
    for period in PERIODS:
        table = keds(keds_path, scenario, period)
        for name, options in TODAY.items():
            if name == "all of it" and period == "all":
                continue  # courses of six years take many minutes; the halves are told apart anyway
            fit = fitted(scenario, table, **options)
            assert fit.reporting is not None
            found[f"{period} {name}"] = told(fit) | {"reporting": fit.reporting.as_dict()}
            print(period, name, found[f"{period} {name}"]["branching_ratio"], flush=True)
    return found


def part_doubles(keds_path: str, icews_path: str) -> dict[str, Any]:
    """The same with other policies for doubles, and with echoes as mechanisms of their own."""
    scenario = load(NAME)
    found: dict[str, Any] = {}
    for name, policies in {
        "none": (), "mirrored": ("mirrored",), "same day": ("same_day_matched",), "both": DOUBLES,
    }.items():  # fmt: skip
        found[name] = told(fitted(scenario, keds(keds_path, scenario, doubles=policies), COMPARED))
    echoing = with_echoes(scenario)
    fix = ["mechanisms.echo*.half_life", "mechanisms.told*.half_life"]
    found["echoes"] = told(fitted(echoing, keds(keds_path, echoing, doubles=()), COMPARED, fix=fix))
    return found


def with_echoes(scenario: Scenario) -> Scenario:
    """The scenario with an echo for each act (told again at once) and a mirror for talks (told from the other side)."""
    text = pk.dump(scenario)
    lines = [
        f"  echo_{act}: {{when: x {act} y, then: x {act} y, answers: 0.1, half_life: {ECHO_HALF_LIFE} days}}"
        for act in scenario.acts
    ]
    lines.append(f"  told_twice: {{when: x talk y, then: y talk x, answers: 0.1, half_life: {ECHO_HALF_LIFE} days}}")
    return loads(text.replace("\nmechanisms:\n", "\nmechanisms:\n" + "\n".join(lines) + "\n", 1))


def part_week(keds_path: str, icews_path: str) -> dict[str, Any]:
    """News have weekends: the volume of all reports by day of the week as a known factor of the background."""
    scenario = load(NAME)
    table = keds(keds_path, scenario)
    every = read_events(keds_path, start=PERIODS["all"][0], end=PERIODS["all"][1])
    day = _days_of(every)
    counts = every.frame.select(weekday=day.dt.weekday()).group_by("weekday").len().sort("weekday")["len"].to_list()
    days = [table.start + timedelta(days=k) for k in range(int(table.days))]
    week = pl.DataFrame({"day": days, "events": [counts[d.weekday()] for d in days]})
    found: dict[str, Any] = {"reports_by_weekday": [round(7 * n / sum(counts), 3) for n in counts]}
    for name, exposure in (("without", None), ("with", week)):
        fit = fitted(scenario, table, COMPARED, exposure=exposure)
        tests = fit.check(replicates=20, held_out_share=None).tests
        found[name] = told(fit) | {"tests": {t.name: [t.title, _round(t.statistic), _round(t.p)] for t in tests}}
    return found


def part_stamps(keds_path: str, icews_path: str) -> dict[str, Any]:
    """The same days read as what they are, and as times that nobody knows."""
    scenario = load(NAME)
    table = keds(keds_path, scenario)
    n = len(table)
    by_day = fitted(scenario, table, COMPARED)
    found = {"day": told(by_day)}
    draws = np.random.default_rng(SEED)
    for k in range(3):
        found[f"jitter {k + 1}"] = told(fitted(scenario, at_times(table, draws.random(n)), COMPARED))
    place = table.frame.select(k=pl.int_range(pl.len()).over("time"), size=pl.len().over("time"))
    found["in file order"] = told(fitted(scenario, at_times(table, (place["k"] / place["size"]).to_numpy()), COMPARED))
    found["as exact"] = as_exact(by_day)
    return found


def as_exact(fit: Fit) -> dict[str, Any]:
    """What would come out if whole days were taken for exact times; `pk.fit` refuses to, so this goes around it."""
    problem = replace(fit.problem, data=fit.problem.data._replace(by_day=False))
    climber = Climber(problem, fit.climber.prior)
    found = climber.climb(problem.start.clip(problem.lower, problem.upper), problem.held)
    answers = {name: _round(found.vector[problem.n_rates + m]) for m, name in enumerate(problem.model.mechanisms)}
    return {
        "events": int((problem.data.time >= 0).sum()) - len(found.objective.unexplained),
        "branching_ratio": _round(branching_ratio(filled_arrays(problem, found.vector))),
        "converged": found.converged,
        "mechanisms": {name: {"answers": [value, None, None]} for name, value in answers.items()},
    }


def at_times(table: EventTable, within: Any) -> EventTable:
    """The events of whole days at made-up times of their day."""
    frame = table.frame.with_columns(time=pl.col("time") + pl.Series(within)).sort("time", maintain_order=True)
    return replace(table, frame=frame, resolution="exact")


def part_icews(keds_path: str, icews_path: str) -> dict[str, Any]:
    """ICEWS 2018, with half-lives held where KEDS 2000-2003 has them: 300 events do not show how fast answers come."""
    scenario = load(NAME)
    older = fitted(scenario, keds(keds_path, scenario, "after"), "constant", test_mechanisms=False)
    lives = {p: e.estimate for p, e in older.parameters.items() if e.kind == "half_life"}
    here = pk.edit(local(scenario), lives | {"start": "2018-01-01"})
    table = icews(icews_path, scenario)
    found: dict[str, Any] = {}
    for course in ("constant", "blocks90", "epochs"):
        found[course] = told(fitted(here, table, course, fix=["mechanisms.*.half_life"]))
    return found


def part_causes(keds_path: str, icews_path: str) -> dict[str, Any]:
    """Who starts, who is drawn in, by what and by whom: attribution under the reference course, by period."""
    scenario = load(NAME)
    found: dict[str, Any] = {}
    for period in ("war", "after"):
        fit = fitted(scenario, keds(keds_path, scenario, period), test_mechanisms=False)
        told_of = pk.attribute(fit, forests=100, seed=SEED)
        found[period] = {
            "starts": _rows(told_of.starts(), "actor", "acts", "root_share", "share", "low", "high", "descent_share"),
            "drawn_in": _rows(told_of.drawn_in(), "actor", "share", "low", "high"),
            "entrapped": _rows(told_of.entrapped(), "actor", "by", "share", "low", "high"),
            "shares": _rows(told_of.shares(), "actor", "mechanism", "share", "low", "high"),
            "matrix": _rows(told_of.matrix(), "by", "actor", "acts", "share"),
        }
    return found


def _rows(frame: pl.DataFrame, *columns: str) -> list[list[Any]]:
    return [[_round(x) if isinstance(x, float) else x for x in row] for row in frame.select(columns).iter_rows()]


def part_checks(keds_path: str, icews_path: str) -> dict[str, Any]:
    """Residuals, the record beside histories of the fitted model, and the last part foreseen from the first."""
    scenario = load(NAME)
    found: dict[str, Any] = {}
    asked = [("all", "constant"), ("all", REFERENCE), ("war", REFERENCE), ("after", REFERENCE), ("after", "weekday")]
    for period, course in asked:
        options = TODAY.get(course, {"background": course})
        fit = fitted(scenario, keds(keds_path, scenario, period), test_mechanisms=False, **options)
        checks = fit.check(replicates=100, seed=SEED)
        shown = [[t.title, f"{t.statistic:.3g}", f"{t.cells} cells", _round(t.p), t.passes] for t in checks.tests]
        for c in checks.checks:
            shown.append([c.title, f"{c.observed:.3g}", f"{c.low:.3g} to {c.high:.3g}", _round(c.p), c.passes])
        ahead = checks.held_out
        found[f"{period} {course}"] = {
            "shown": shown,
            "failed": list(checks.failed),
            "held_out": None if ahead is None else [[x.reference, _round(x.nats), _round(x.low), _round(x.high),
                                                     _round(x.per_act)] for x in ahead.leads],
            "held_out_acts": None if ahead is None else ahead.events,
        }  # fmt: skip
    return found


def part_recovery(keds_path: str, icews_path: str) -> dict[str, Any]:
    """Does a fit of this size find itself again? Histories of the fitted model, fitted anew."""
    scenario = load(NAME)
    fit = fitted(scenario, keds(keds_path, scenario, "after"), COMPARED, test_mechanisms=False)
    found = fit.check(replicates=20, held_out_share=None, refits=60, seed=SEED).recovery
    if found is None:
        return {}
    rows = found.table.filter(pl.col("covered").is_not_null())
    rates = rows.filter(pl.col("path").str.starts_with("moves."))
    answers = rows.filter(pl.col("path").str.ends_with(".answers"))
    kept = ("simulated", "mean", "bias_se", "covered")
    return {
        "refits": found.refits,
        "failed": found.failed,
        "level": found.level,
        "rates": rates.height,
        "rates_covered": _round(rates["covered"].mean()),  # type: ignore[arg-type]
        "answers": {
            row["path"].split(".")[1]: {key: _round(row[key]) for key in kept} for row in answers.iter_rows(named=True)
        },
    }


def part_signs(keds_path: str, icews_path: str) -> dict[str, Any]:
    """The regression that the published signs come from, on the record and on histories of the fitted model."""
    scenario = load(NAME)
    table = keds(keds_path, scenario)
    weights = {name: float(a.goldstein or 0.0) for name, a in scenario.acts.items()}
    record = frame_sums(table.frame, table.days, weights)
    fit = fitted(scenario, table, REFERENCE, test_mechanisms=False)
    runs = pk.simulate(fit.model, days=table.days, replicates=200, seed=SEED)
    many = []
    acts = runs.channel < fit.model.n_acts
    channels = fit.model.channels
    side = np.array([_side(c.source, c.target) for c in channels])
    weight = np.array([weights.get(c.act or "", 0.0) for c in channels])
    for r in range(runs.replicates):
        mine = acts & (runs.replicate == r)
        weekly = sums(runs.time[mine], side[runs.channel[mine]], weight[runs.channel[mine]], table.days)
        many.append(responses(weekly)[0])
    one, error = responses(record)
    low, middle, high = np.quantile(np.array(many), [0.05, 0.5, 0.95], axis=0)
    names = [f"{cause} then {effect}" for effect in SIDES for cause in SIDES]
    columns = zip(names, one.ravel(), error.ravel(), middle.ravel(), low.ravel(), high.ravel(), strict=True)
    return {
        name: {"record": _round(a), "se": _round(e), "model": _round(b), "low": _round(c), "high": _round(d)}
        for name, a, e, b, c, d in columns
    }


SIDES = ("patrons on serbia", "serbia on kosovo", "kosovo on serbia", "serbia on patrons")
LAGS = 4


def _side(source: str | None, target: str | None) -> int:
    if source in PATRONS and target == "serbia":
        return 0
    if source == "serbia" and target == "kosovo":
        return 1
    if source == "kosovo" and target == "serbia":
        return 2
    if source == "serbia" and target in PATRONS:
        return 3
    return -1


def frame_sums(frame: pl.DataFrame, days: float, weights: dict[str, float]) -> Any:
    """Weekly sums of a table of events."""
    rows = frame.select("time", pl.col("source", "act", "target").cast(pl.String)).rows()
    side = np.array([_side(s, t) for _, s, _, t in rows])
    weight = np.array([weights.get(a, 0.0) for _, _, a, _ in rows])
    return sums(frame["time"].to_numpy(), side, weight, days)


def sums(at: Any, side: Any, weight: Any, days: float) -> Any:
    """(weeks, 4) sums of weights by week, each of the four directions."""
    weeks = int(days // 7)
    result = np.zeros((weeks, len(SIDES)))
    kept = (side >= 0) & (at < weeks * 7)
    np.add.at(result, ((at[kept] // 7).astype(int), side[kept]), weight[kept])
    return result


def responses(weekly: Any) -> tuple[Any, Any]:
    """Vector autoregression by least squares, in standard deviations: (4, 4) [effect, cause] coefficients summed over
    the lags, and their standard errors."""
    scaled = (weekly - weekly.mean(axis=0)) / np.maximum(weekly.std(axis=0), 1e-9)
    n, k = scaled.shape
    past = np.hstack([scaled[LAGS - lag - 1 : n - lag - 1] for lag in range(LAGS)])
    inverse = np.linalg.inv(past.T @ past)
    found = inverse @ past.T @ scaled[LAGS:]
    noise = ((scaled[LAGS:] - past @ found) ** 2).sum(axis=0) / (n - LAGS - past.shape[1])
    pick = np.tile(np.eye(k), LAGS)
    return (pick @ found).T, np.sqrt(np.outer(noise, np.diag(pick @ inverse @ pick.T)))


# --- Small things -------------------------------------------------------------------------------------------------


def _days_of(table: EventTable) -> pl.Expr:
    return pl.lit(table.start).cast(pl.Date) + pl.duration(days=pl.col("time").floor().cast(pl.Int64))


def _by_year(table: EventTable) -> dict[str, int]:
    counted = table.frame.select(year=_days_of(table).dt.year()).group_by("year").len().sort("year")
    return {str(year): n for year, n in counted.iter_rows()}


def _weekly_counts(table: EventTable) -> dict[str, list[int]]:
    """Hostile acts a week of three sides: within Kosovo, patrons on Serbia, Serbia on patrons."""
    frame = table.frame.filter(pl.col("act").cast(pl.String).is_in(["accuse", "threaten", "coerce", "fight"]))
    rows = frame.select("time", pl.col("source", "target").cast(pl.String)).rows()
    side = np.array([_side(s, t) for _, s, t in rows])
    week = np.array([int(t // 7) for t, _, _ in rows])
    return {
        name: np.bincount(week[side == k], minlength=int(table.days // 7) + 1).tolist() for k, name in enumerate(SIDES)
    }


def _round(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.4g}")


PARTS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "data": part_data, "backgrounds": part_backgrounds, "today": part_today, "doubles": part_doubles, "week": part_week,
    "stamps": part_stamps,    "icews": part_icews, "causes": part_causes, "checks": part_checks, "signs": part_signs,
    "recovery": part_recovery,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keds")
    parser.add_argument("icews")
    parser.add_argument("--part", action="append", choices=list(PARTS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    found: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    for name in asked.part or PARTS:
        begin = time.perf_counter()
        found[name] = PARTS[name](asked.keds, asked.icews)
        found.setdefault("seconds", {})[name] = round(time.perf_counter() - begin, 1)
        found["versions"] = {"powderkeg": pk.__version__, "python": platform.python_version(), "numpy": np.__version__}
        asked.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        print(f"{name}: {found['seconds'][name]} s", flush=True)


if __name__ == "__main__":
    main()
