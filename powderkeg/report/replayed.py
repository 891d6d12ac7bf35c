"""One page that says what of an observed history would have happened without something, and what that rests on.

In: a `Replay`. Out: one HTML file without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from powderkeg import plots
from powderkeg.compare import Replay
from powderkeg.compare.ranges import said_of_aside
from powderkeg.compare.replay.result import NOT_OBSERVABLE, RESTS_ON, Number
from powderkeg.report.compared import value
from powderkeg.report.pages import FOLDER, template, unlisted
from powderkeg.report.results import called
from powderkeg.scenario import digest
from powderkeg.version import __version__
from powderkeg.wording import counted, measured, percent

MOST_ROWS = 40
"""Rows of a table on the page; the files beside it have all."""


def chart(found: Replay) -> Any:
    """The observed acts, filled by the share of replays in which they stay, and the new ones."""
    return plots.replayed(
        found.acts, found.added, found.standoffs, found.start, found.begin, found.turn, found.end, found.without.title,
        called(found.scenario),
    )  # fmt: skip


def page(
    found: Replay, files: Sequence[str] = (), command: str | None = None, made: Mapping[str, Any] | None = None
) -> str:
    """The page as text.

    files    names of the files that lie beside it
    command  what was typed to make it;  made: what a folder's list says of its results
    """
    from markupsafe import Markup

    titles = called(found.scenario)
    window = f"{found.day(found.begin)} to {found.last_day}"
    label = f"Observed acts by actor from {window}, {found.without.title}: how often each stays."
    return template("replayed.html").render(
        made=made or {},
        r=found,
        title=found.scenario.title or found.scenario.name,
        version=__version__,
        digest=digest(found.scenario),
        level=percent(found.level),
        begin=found.day(found.begin),
        turn=found.day(found.turn),
        end=found.last_day,
        aside=said_of_aside(found.sets, found.aside),
        gist=gist(found),
        standoffs=[_standoff(row, titles) for row in found.standoffs.head(MOST_ROWS).to_dicts()],
        outcomes=[_outcome(one, ahead) for one, ahead in zip(found.outcomes, found.forward, strict=True)],
        counts=[_count(row, titles) for row in _most_changed(found)],
        unlisted={
            "standoffs": unlisted(MOST_ROWS, found.standoffs.height, "standoffs.csv", files),
            "counts": unlisted(MOST_ROWS, found.counts.height, "counts.csv", files),
        },
        unseen=NOT_OBSERVABLE if any(one.observed is None for one in found.outcomes) else "",
        rests_on=RESTS_ON,
        new=measured(found.new_standoffs.value),
        figure=Markup(plots.svgs(chart(found), "replayed-", label)),
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        files=files,
        command=command,
    )


def gist(found: Replay) -> str:
    """What becomes of the acts and the standoffs, in a few sentences."""
    every = found.all_acts
    acts, seen = every.value, every.observed
    told = []
    if acts is not None and seen is not None:
        told.append(
            f"Of {measured(seen)} {'act' if seen == 1 else 'acts'} from {found.day(found.turn)} on, {measured(acts)} "
            f"{'is' if acts == 1 else 'are'} left on average."
        )
    if found.standoffs.height:
        sure = found.standoffs.filter(found.standoffs["happens"] >= 0.5).height
        told.append(
            f"Of {counted(found.standoffs.height, 'standoff')}, {sure} still "
            f"{'happens' if sure == 1 else 'happen'} in most replays."
        )
    return " ".join(told)


def _most_changed(found: Replay) -> list[dict[str, Any]]:
    return sorted(found.counts.to_dicts(), key=lambda row: -abs(row["value"] - row["observed"]))[:MOST_ROWS]


def _span(low: float | None, high: float | None, unit: str) -> str:
    return "–" if low is None or high is None else f"{value(low, unit)} to {value(high, unit)}"


def _standoff(row: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "first": str(row["first_day"]),
        "last": str(row["last_day"]),
        "opener": titles.get(row["opener"], row["opener"]),
        "act": titles.get(row["first_act"], row["first_act"]),
        "happens": percent(row["happens"]),
        "range": _span(row["happens_low"], row["happens_high"], "share of runs"),
        "hurt": f"{percent(row['hurt_anyway'])} (was: {'yes' if row['hurt'] else 'no'})",
        "stay": "–" if row["acts_stay"] is None else percent(row["acts_stay"]),
    }


def _outcome(one: Number, ahead: Any) -> dict[str, Any]:
    seen = one.observed is not None and one.value is not None
    return {
        "title": one.title,
        "observed": value(one.observed, one.unit) if one.observed is not None else "–",
        "replayed": value(one.value, one.unit) if seen and one.value is not None else "–",
        "span": _span(one.low, one.high, one.unit),
        "range": _span(one.range_low, one.range_high, one.unit),
        "with_": value(ahead.baseline, ahead.unit),
        "without": value(ahead.value, ahead.unit),
        "verdict": ahead.verdict,
    }


def _count(row: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, str]:
    return {
        "actor": titles.get(row["actor"], row["actor"]),
        "act": titles.get(row["act"], row["act"]),
        "observed": measured(row["observed"]),
        "value": measured(row["value"]),
        "span": f"{row['least']:,.0f} to {row['most']:,.0f}",
    }
