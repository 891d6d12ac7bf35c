"""One page that says what a fit found, how sure that is, and where it does not fit.

In: a `Fit` and its `Checks`. Out: figures, and one HTML file without scripts that holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import optimize

from powderkeg import plots
from powderkeg.engine.arrays import Ints
from powderkeg.errors import Fault, UsageError
from powderkeg.fit.checks.report import CONSERVATIVE
from powderkeg.fit.mixtures import whole_name
from powderkeg.model.parting import together
from powderkeg.report.pages import FOLDER, template
from powderkeg.scenario import digest
from powderkeg.version import __version__
from powderkeg.wording import measured, percent, plain, signed

if TYPE_CHECKING:
    from powderkeg.fit import Estimate, Fit
    from powderkeg.fit.checks.report import Checks

MOST_MECHANISMS = 12
"""Mechanisms with a figure of their own: those with most answers expected."""
DRAWS = 400
"""Draws of the estimates that a kernel's band is made of."""
MOST_ROWS = 12
MOST_ESTIMATES = 60
"""Estimates of a kind that the page lists; the table beside it has all."""
SECTIONS = (("answers", "Answers"), ("half_life", "Half-lives"), ("factor", "Gates"), ("rate", "Background rates"),
            ("deaths", "How many die"))  # fmt: skip


def figures(fit: Fit, checks: Checks | None) -> dict[str, Any]:
    """Name -> chart: estimates, background, one for each mechanism, and what the checks tell."""
    found: dict[str, Any] = {}
    rows = overview(fit)
    if rows:
        found["estimates"] = plots.estimates(rows, level=fit.level)
    for name in _listed(fit, checks):
        found[f"mechanism-{name}"] = mechanism_figure(fit, checks, name)
    if fit.effects.height:
        found["effects"] = plots.effects(fit.effects, fit.level)
    if fit.courses.height:
        found["courses"] = plots.courses(fit.courses, fit.level)
    if checks is None:
        return found
    found["background"] = plots.background(
        checks.residuals.course, fit.backgrounds, fit.window_start, fit.background
    )  # fmt: skip
    if len(checks.residuals.uniform):
        found["residuals"] = plots.residual_ranks(checks.residuals.uniform, fit.problem.data.by_day)
    if checks.checks:
        rows = [check.as_dict() for check in checks.checks]
        found["predictive"] = plots.predictive(rows, checks.predictive.replicates)
    ahead = checks.held_out
    if ahead is not None:
        model = np.array(ahead.by_stretch["model"])
        leads = {lead.reference: (model - np.array(ahead.by_stretch[lead.reference])).tolist() for lead in ahead.leads}
        told = [
            f"{signed(lead.nats, 1)} nats against {_named(lead.reference)}, 90 % interval {signed(lead.low, 1)} to "
            f"{signed(lead.high, 1)}"
            for lead in ahead.leads
        ]
        end = ahead.fitted_days + ahead.days
        found["foreseen"] = plots.foreseen(ahead.begin, end, leads, fit.window_start, told)
    return found


def overview(fit: Fit) -> list[dict[str, Any]]:
    """One row for each mechanism with estimated answers: these, its half-life, whether the record needs it."""
    needed = {row["mechanism"]: row["needed_5"] for row in fit.mechanisms.to_dicts()}
    rows = []
    for name in together(fit.problem.model).mechanisms:
        answers = fit.parameters.get(f"mechanisms.{name}.answers")
        if answers is None or not answers.free or answers.estimate <= 1e-9:
            continue
        half = fit.parameters.get(f"mechanisms.{name}.half_life")
        rows.append(
            {
                "name": name,
                "title": _title(fit, name),
                **_span("answers", answers),
                **_span("half_life", half),
                "half_come": half_come(fit, name),
                "needed": needed.get(name),
            }
        )
    return rows


def mechanism_figure(fit: Fit, checks: Checks | None, name: str) -> Any:
    """The kernel of a mechanism with its band, and its offspring at different times."""
    problem = fit.problem
    names = list(together(problem.model).mechanisms)
    if name not in names:
        raise UsageError(Fault.at("mechanism", repr(name), f"one of {', '.join(names)}"))
    stretches = pl.DataFrame(schema={"begin": pl.Float64})
    told = []
    answers = fit.parameters.get(f"mechanisms.{name}.answers")
    if answers is not None:
        told.append(f"Answers to one act: {_words(answers)}.")
    half = fit.parameters.get(f"mechanisms.{name}.half_life")
    if half is not None:
        told[-1:] = [(told[-1] if told else "") + f" Half-life: {_words(half)} days."]
    if checks is not None:
        stretches = checks.residuals.stretches.filter(pl.col("what") == name)
        test = next((t for t in checks.tests if t.name == f"mechanism {name}"), None)
        if test is not None:
            told.append(f"The same all the time? {_chance(test.p)}" + ("." if test.passes else f": {test.meaning}."))
        else:
            told.append("It set off too little to tell whether it was the same all the time.")
    found = fit.solution.vector[_components(fit, name)[1]]
    half_way = half_come(fit, name) if found.sum() > 0.0 else None
    return plots.mechanism(kernel(fit, name), stretches, fit.window_start, _title(fit, name), told, half_way)


def kernel(fit: Fit, name: str) -> pl.DataFrame:
    """Columns lag, days; answers up to that lag; low, high.

    The band is pointwise, from draws of answers and half-lives out of the estimates' covariance; None where the
    mechanism's parameters have no covariance.
    """
    problem = fit.problem
    own, part = _components(fit, name)
    share = problem.design.kernel_share[own]
    vector = fit.solution.vector
    decay = problem.decay(vector)[own]
    lag = np.linspace(0.0, 1.0, 121) * float(-np.log(0.03) / decay.min())

    def curve(strength: Any, rates: Any) -> Any:
        return (strength * share * -np.expm1(-lag[:, None] * rates)).sum(axis=1)

    middle = curve(vector[part], decay)
    places = {p.path: p.place for p in problem.parameters}
    listed = [k for k, path in enumerate(fit.covariance_paths) if path.startswith(f"mechanisms.{name}.")]
    low: list[float] | list[None] = [None] * len(lag)
    high: list[float] | list[None] = [None] * len(lag)
    if listed:
        generator = np.random.default_rng(1)
        own_cov = fit.covariance[np.ix_(listed, listed)]
        at = [places[fit.covariance_paths[k]] for k in listed]
        draws = generator.multivariate_normal(vector[at], own_cov, DRAWS, method="eigh")
        found = []
        for draw in draws:
            other = vector.copy()
            other[at] = draw
            found.append(curve(np.maximum(other[part], 0.0), problem.decay(other)[own]))
        tail = 0.5 * (1.0 - fit.level)
        low, high = np.quantile(np.array(found), [tail, 1.0 - tail], axis=0).tolist()
    schema = dict.fromkeys(("lag", "answers", "low", "high"), pl.Float64)
    return pl.DataFrame({"lag": lag, "answers": middle, "low": low, "high": high}, schema=schema)


def half_come(fit: Fit, name: str) -> float:
    """Days by which half of a mechanism's answers have come: its half-life, if it has one and nothing builds up."""
    own, part = _components(fit, name)
    vector = fit.solution.vector
    decay, weight = fit.problem.decay(vector)[own], vector[part] * fit.problem.design.kernel_share[own]

    def left(lag: float) -> float:
        return float((weight * np.exp(-decay * lag)).sum() / weight.sum()) - 0.5

    return float(optimize.brentq(left, 0.0, 100.0 / float(decay.min())))


def _components(fit: Fit, name: str) -> tuple[Ints, Ints]:
    """((k,) kernel components of a mechanism, those of all its parts; (k,) place of the answers of each)."""
    problem = fit.problem
    of_part = [whole_name(part) == name for part in problem.model.mechanisms]
    component = np.repeat(np.arange(len(problem.kernel_start) - 1), np.diff(problem.kernel_start))
    own = np.flatnonzero(np.array([m < len(of_part) and of_part[m] for m in component.tolist()], np.bool_))
    return own, problem.n_rates + component[own]


def page(
    fit: Fit,
    checks: Checks | None,
    charts: Mapping[str, Any],
    files: Sequence[str] = (),
    command: str | None = None,
    made: Mapping[str, Any] | None = None,
) -> str:
    """The page as text.

    charts   what `figures` returned
    files    names of the files that lie beside it
    command  what was typed to make it;  made: what a folder's list says of its results
    """
    from markupsafe import Markup

    scenario = fit.scenario_before
    drawn = {name: Markup(plots.svgs(chart, f"{name}-")) for name, chart in charts.items()}
    ratios = fit.backgrounds["branching_ratio"].drop_nulls().to_list()
    return template("fitted.html").render(
        made=made or {},
        fit=fit,
        checks=checks,
        title="Bare arrays" if scenario is None else scenario.title or scenario.name,
        name="" if scenario is None else scenario.name,
        version=__version__,
        digest="" if scenario is None else digest(scenario),
        level=percent(fit.level),
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        drawn=drawn,
        mechanisms=[drawn[key] for key in drawn if key.startswith("mechanism-")],
        more=max(0, len(overview(fit)) - MOST_MECHANISMS),
        band=(min(ratios), max(ratios)) if len(ratios) > 1 else None,
        span=_dates(fit),
        sections=[(head, rows) for kind, head in SECTIONS if (rows := _rows(fit, kind))],
        most=MOST_ESTIMATES,
        held=sum(not e.free for e in fit.parameters.values()),
        unexplained=fit.unexplained.head(MOST_ROWS).to_dicts(),
        tests=[] if checks is None else [_test(t) for t in checks.tests],
        kinds=[] if checks is None else _kinds(checks),
        recovery=[] if checks is None or checks.recovery is None else checks.recovery.table.to_dicts(),
        conservative=CONSERVATIVE[0].upper() + CONSERVATIVE[1:],
        opening=opening(fit, checks),
        number=measured,
        percent=percent,
        command=command,
        files=files,
    )


def opening(fit: Fit, checks: Checks | None) -> str:
    """What the fit says, in a few sentences, the most important first."""
    ratio = fit.branching_ratio
    told = [
        f"Each act draws {ratio:.2f} direct answers in the long run: of a hundred acts about "
        f"{100 * min(ratio, 1.0):.0f} are answers and the rest come of their own accord."
        if ratio < 1.0
        else f"Each act draws {ratio:.2f} direct answers in the long run: more than one, so it goes on and on."
    ]
    rows = sorted(overview(fit), key=lambda row: -row["answers"])
    needed = [row for row in rows if row["needed"]]
    if needed:
        first = needed[0]
        told.append(
            f"The strongest mechanism that the record needs is “{first['title']}”: {measured(first['answers'])} "
            f"answers to one act, half of them within {_length(first['half_come'])}."
        )
    elif any(row["needed"] is None for row in rows):
        told.append("Whether the record needs its mechanisms was not tested.")
    elif rows:
        told.append("The record needs none of the mechanisms: they may all be chance.")
    ahead = None if checks is None else checks.held_out
    if ahead is not None:
        lead = ahead.leads[0]
        how = "better than" if lead.low > 0 else "worse than" if lead.high < 0 else "no better and no worse than"
        told.append(f"The last {ahead.days:,.0f} days, which it had not seen, it foresaw {how} a constant rate would.")
    return " ".join(told)


def _length(days: float) -> str:
    return f"{measured(days)} days" if days >= 1.0 else f"{measured(24.0 * days)} hours"


def _listed(fit: Fit, checks: Checks | None) -> list[str]:
    weight = {row["name"]: row["answers"] for row in overview(fit)}
    if checks is not None:
        tested = set(checks.residuals.stretches["what"].to_list())
        return sorted(weight, key=lambda name: (name not in tested, -weight[name]))[:MOST_MECHANISMS]
    return sorted(weight, key=lambda name: -weight[name])[:MOST_MECHANISMS]


def _title(fit: Fit, name: str) -> str:
    scenario = fit.scenario_before
    told = "" if scenario is None else scenario.mechanisms[name].title
    return told or name.replace("_", " ")


def _span(field: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {field: None, f"{field}_low": None, f"{field}_high": None}
    return {field: estimate.estimate, f"{field}_low": estimate.low, f"{field}_high": estimate.high}


def _words(estimate: Estimate) -> str:
    if not estimate.free:
        return f"{measured(estimate.estimate)} (held)"
    if estimate.low is None or estimate.high is None:
        return measured(estimate.estimate)
    return f"{measured(estimate.estimate)} [{measured(estimate.low)}, {measured(estimate.high)}]"


def _rows(fit: Fit, kind: str) -> list[dict[str, Any]]:
    return [_row(e) for e in fit.parameters.values() if e.free and e.kind == kind]


def _row(e: Estimate) -> dict[str, Any]:
    scale, unit = e.spoken
    span = "–"
    if e.low is not None and e.high is not None:
        span = f"{measured(scale * e.low)} to {measured(scale * e.high)}"
    return {
        "path": e.path,
        "estimate": measured(scale * e.estimate),
        "unit": unit,
        "se": "–" if e.se is None else measured(scale * e.se),
        "interval": span,
        "how": {"wald": "from the curvature", "profile": "profile", "exact": "exact"}.get(e.interval, ""),
        "before": measured(scale * e.before),
        "note": e.note,
    }


def _named(reference: str) -> str:
    return f"a {reference}" if reference.startswith("constant") else f"the {reference}"


def _chance(p: float) -> str:
    return f"p {p:.2f}" if p >= 0.005 else "p below 0.005"


def _test(test: Any) -> dict[str, Any]:
    return {
        "title": test.title,
        "statistic": plain(test.statistic),
        "cells": f"{test.cells:,}",
        "p": f"{test.p:.3f}" if test.p >= 0.0005 else "<0.001",
        "passes": test.passes,
        "meaning": "" if test.passes else test.meaning,
    }


def _kinds(checks: Checks) -> list[dict[str, Any]]:
    """Kinds of act that were seen, or that histories bring."""
    if not checks.predictive.replicates:
        return []
    return [
        {**row, "outside": not row["low"] <= row["observed"] <= row["high"]}
        for row in checks.predictive.kinds.to_dicts()
        if row["observed"] > 0 or row["high"] > 0
    ]


def _dates(fit: Fit) -> str:
    from datetime import timedelta

    start = fit.window_start
    if start is None:
        return f"{fit.problem.data.days:,.0f} days"
    return f"{start} to {start + timedelta(days=float(np.ceil(fit.problem.data.days)) - 1)}"
