"""One page that says who set off whom in a record, how sure that is, and what it rests on.

In: an `Attribution`, perhaps the `Family` of one standoff. Out: one HTML file without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg import plots
from powderkeg.errors import UsageError
from powderkeg.report.pages import FOLDER, template, unlisted
from powderkeg.report.results import called
from powderkeg.scenario import digest
from powderkeg.version import __version__
from powderkeg.wording import amid, counted, deed, measured, percent

if TYPE_CHECKING:
    from powderkeg.attribute.family import Family
    from powderkeg.attribute.result import Attribution

MOST_ROWS = 40
"""Rows of a table on the page; the files beside it have all."""
FAINTEST = 0.005


def titles_of(found: Attribution) -> dict[str, str]:
    """What actors, acts and mechanisms are called; nothing of bare arrays."""
    scenario = found.model.scenario
    return {} if scenario is None else called(scenario)


def charts(found: Attribution, tree: Family | None = None) -> dict[str, tuple[Any, str]]:
    """Each figure that there is something to show in, and what it shows in words."""
    titles = titles_of(found)
    result: dict[str, tuple[Any, str]] = {}
    if tree is not None:
        label = f"{counted(tree.acts.height, 'act')} of one standoff and which may have set off which."
        result["family"] = (plots.family_tree(tree.acts, tree.links, found.table.start, titles), label)
    result["matrix"] = (
        plots.who_sets_off_whom(found.matrix(), titles),
        "For each actor, how many of its acts were set off by acts of which actor.",
    )
    shares = found.entanglement()
    drawn = shares.filter("drawn_in", pl.col("share") > 0)
    busy = shares.group_by("actor").agg(pl.col("acts_per_run").sum()).sort("acts_per_run", descending=True)
    kept = shares.filter(pl.col("actor").is_in(busy["actor"].head(20).to_list()))
    if drawn.height:
        label = "Share of each actor's acts in disputes between others, by what drew it in."
        result["entanglement"] = (plots.entanglement(kept, titles), label)
        if drawn["by"].n_unique() <= 12:
            label = "Share of each actor's acts in disputes between others, by the actor that drew it in."
            result["drawn_in"] = (plots.drawn_in(kept, titles), label)
    return result


def page(
    found: Attribution, tree: Family | None = None, files: Sequence[str] = (), made: Mapping[str, Any] | None = None
) -> str:
    """The page as text.

    files  names of the files that lie beside it;  made: what a folder's list says of its results
    """
    from altair.utils.schemapi import debug_mode
    from markupsafe import Markup

    with debug_mode(False):
        figures = {
            name: Markup(plots.svgs(chart, f"{name}-", label)) for name, (chart, label) in charts(found, tree).items()
        }
    scenario = found.model.scenario
    return template("attributed.html").render(
        made=made or {},
        a=found,
        title="a model of bare arrays" if scenario is None else scenario.title or scenario.name,
        version=__version__,
        digest="" if scenario is None else digest(scenario),
        level=percent(found.level),
        roots=percent(float(found.causes.roots.sum()) / max(len(found.table), 1)),
        gist=_gist(found),
        fitted=found.parameters == "fitted",
        starts=_starts(found),
        drawn=_drawn(found),
        trapped=_trapped(found),
        shares=_shares(found),
        influential=_influential(found),
        tree=None if tree is None else _tree(tree),
        figures=figures,
        unlisted=_unlisted(found, files),
        files=files,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
    )


def _unlisted(found: Attribution, files: Sequence[str]) -> dict[str, str]:
    """What each table leaves out, in words; "" where it holds everything."""
    whole = {
        "starts": found.starts().height,
        "entanglement": _told_entanglement(found).height,
        "shares": found.shares().filter(pl.col("actor").is_null()).height,
    }
    return {name: unlisted(MOST_ROWS, rows, f"{name}.csv", files) for name, rows in whole.items()}


def _told_entanglement(found: Attribution) -> pl.DataFrame:
    return found.entanglement().filter("drawn_in", pl.col("share") >= FAINTEST)


def _called(found: Attribution, name: str | None) -> str:
    return titles_of(found).get(name or "") or (name or "").replace("_", " ")


def _span(row: Mapping[str, Any], low: str = "low", high: str = "high") -> str:
    return f"{percent(row[low])} to {percent(row[high])}"


def _gist(found: Attribution) -> str:
    """Who starts and who is drawn in, in a few sentences."""
    rows = found.starts().to_dicts()
    share = percent(rows[0]["share"])
    first = [row for row in rows if percent(row["share"]) == share]
    if len(first) == 1:
        to_them = f"and {percent(first[0]['descent_share'])} of all acts go back to them."
        sentences = [f"Most is started by {amid(_called(found, first[0]['actor']))}: {share} of all roots, {to_them}"]
    else:
        alike = (
            " and ".join(amid(_called(found, row["actor"])) for row in first)
            if len(first) == 2
            else f"{len(first)} alike"
        )
        sentences = [f"Most is started by {alike}: {share} of all roots each."]
    drawn = found.drawn_in().filter(pl.col("share") >= FAINTEST, pl.col("acts_per_run") >= 5).sort(
        ["share", "actor"], descending=[True, False]
    )  # fmt: skip
    if drawn.height:
        row = drawn.row(0, named=True)
        sentences.append(
            f"Most drawn in is {amid(_called(found, row['actor']))}: {percent(row['share'])} of this actor's acts are "
            "in disputes between others."
        )
    return " ".join(sentences)


def _starts(found: Attribution) -> list[dict[str, str]]:
    return [
        {
            "actor": _called(found, row["actor"]),
            "acts": f"{row['acts']:,.0f}",
            "roots": measured(row["roots"]),
            "share": percent(row["share"]),
            "span": _span(row),
            "descent": percent(row["descent_share"]),
            "descent_span": _span(row, "descent_low", "descent_high"),
        }
        for row in found.starts().head(MOST_ROWS).to_dicts()
    ]


def _drawn(found: Attribution) -> list[dict[str, str]]:
    return [
        {
            "actor": _called(found, row["actor"]),
            "how": _called(found, row["mechanism"]),
            "by": _called(found, row["by"]),
            "share": percent(row["share"]),
            "span": _span(row),
            "parents": percent(row["sd_parents"]),
            "parameters": "" if row["sd_parameters"] is None else percent(row["sd_parameters"]),
        }
        for row in _told_entanglement(found).head(MOST_ROWS).to_dicts()
    ]


def _trapped(found: Attribution) -> list[dict[str, str]]:
    try:
        table = found.entrapped()
    except UsageError:
        return []
    return [
        {"actor": _called(found, row["actor"]), "by": _called(found, row["by"]) or "anybody",
         "share": percent(row["share"]), "span": _span(row)}
        for row in table.filter(pl.col("share") >= FAINTEST).head(MOST_ROWS).to_dicts()
    ]  # fmt: skip


def _shares(found: Attribution) -> list[dict[str, str]]:
    return [
        {"how": _called(found, row["mechanism"]), "acts": measured(row["acts"]), "share": percent(row["share"]),
         "span": _span(row), "parents": percent(row["sd_parents"]),
         "parameters": "" if row["sd_parameters"] is None else percent(row["sd_parameters"])}
        for row in found.shares().filter(pl.col("actor").is_null()).head(MOST_ROWS).to_dicts()
    ]  # fmt: skip


def _influential(found: Attribution) -> list[dict[str, str]]:
    return [
        {
            "day": str(found.table.start + timedelta(days=int(row["time"] // 1))),
            "act": deed(*(_called(found, row[k]) for k in ("source", "act", "target"))),
            "answers": measured(row["answers"]),
            "brought": measured(row["brought"]),
            "spread": measured(row["brought_sd"]),
        }
        for row in found.influential(15).to_dicts()
        if row["brought"] >= 0.05
    ]


def _tree(tree: Family) -> dict[str, Any]:
    a = tree.attribution
    first, last = (str(a.table.start + timedelta(days=int(tree.standoff[x] // 1))) for x in ("start", "last"))
    return {"number": tree.number, "first": first, "last": last, "acts": tree.acts.height,
            "expected": percent(tree.expected)}  # fmt: skip
