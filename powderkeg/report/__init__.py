"""One page that says what the runs showed, how sure that is, and what it rests on.

In: a model and its runs, through `gather`. Out: one HTML file that holds its figures, runs no script, fetches nothing.
Strings from the scenario are hostile until escaped: Jinja escapes them, figures hold them as text, and the page's
content policy forbids scripts and anything from outside.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl

from powderkeg.analyze.outcomes import SHARE_UNITS, unit_behind, when_first
from powderkeg.calls import answering
from powderkeg.errors import no_attribute
from powderkeg.report.results import MOST_LISTED, Results, gather, summary
from powderkeg.wording import amid, in_years, percent
from powderkeg.wording import measured as figures_of
from powderkeg.writing.files import text_of, write_whole

if TYPE_CHECKING:
    from jinja2 import Template

    from powderkeg.writing.apart import DrawerApart

MOST_DRAWN = 20
"""Actors in the figures of who is drawn in: of more, those that act most."""
MOST_ROWS = 60
"""Rows of a table on the page; the files beside it have all."""

__all__ = ["Results", "figures", "gather", "page", "summary", "write"]


def write(
    results: Results,
    path: str | Path,
    files: Sequence[str] = (),
    command: str | None = None,
    apart: DrawerApart | None = None,
) -> Path:
    """The page as a file, which replaces an older one when it is whole; arguments as for `page`.

    Raises DiskError if the disk is full.
    """
    path = Path(path)
    text = page(results, files, command, apart)
    write_whole(path, text_of(text))
    return path


def page(
    results: Results, files: Sequence[str] = (), command: str | None = None, apart: DrawerApart | None = None
) -> str:
    """The page as text.

    files    names of the files that lie beside it
    command  what was typed to make it
    apart    draws the figures in a process of its own
    """
    from markupsafe import Markup

    from powderkeg.report.pages import FOLDER

    return _template().render(
        r=_told(results) | {"files": files, "command": command or command_of(results)},
        figures=_figures(results, apart),
        most=MOST_ROWS,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
    )


def command_of(results: Results) -> str:
    """What to type to get the same results."""
    return (
        f"powderkeg run {shlex.quote(results.name)} --years {results.years:g} "
        f"--replicates {results.replicates} --seed {results.seed}"
    )


def _told(results: Results) -> dict[str, Any]:
    """Everything the template prints, with titles in place of names."""
    r = results

    def title(name: str | None) -> str:
        return r.titles.get(name or "") or (name or "").replace("_", " ")

    def shares(frame: Any) -> list[dict[str, Any]]:
        return [row | {"name": title(row["name"])} for row in frame.to_dicts()]

    return {name: getattr(r, name) for name in r.__dataclass_fields__} | {
        "years": r.years,
        "agreeing": r.agreeing,
        "used": r.used,
        "versions": r.versions,
        **{part: shares(r.shares(part)) for part in ("ends", "openers", "lengths")},
        "outcomes": [_outcome(row, r.days) for row in r.outcomes.to_dicts()],
        "gist": _gist(results, title),
        "drivers": [(title(name), share) for name, share in r.drivers],
        "example_standoffs": [
            row
            | {"opener": title(row["opener"]), "first_act": title(row["first_act"])}
            | {"joined": [title(name) for name in row["joined"]]}
            for row in r.example_standoffs.head(MOST_LISTED).to_dicts()
        ],
        "unlisted": max(r.example_standoffs.height - MOST_LISTED, 0),
    }


def _gist(results: Results, title: Callable[[str | None], str]) -> str:
    """The standoffs in a few sentences."""
    found = results.standoffs
    if not found.count or found.per_year.mean is None:
        return f"There was no standoff in {'the run' if results.replicates == 1 else 'any of the runs'}."
    opener = found.openers.row(0, named=True)
    end = found.ends.sort("share", descending=True).row(0, named=True)
    often = found.per_year.mean * results.years
    mean = figures_of(round(often) if often >= 9.5 else often)
    there = "is 1 standoff" if mean == "1" else f"are {mean} standoffs"
    hurt, deaths = (percent(share.mean or 0.0) for share in (found.hurt, found.deaths))
    killed = f", in {deaths} someone is killed" if results.kills else ""
    most = percent(opener["share"])
    first = [title(name) for name, share in found.openers.select("name", "share").iter_rows() if percent(share) == most]
    opened = f"{most} of them are opened by {amid(first[0])}."
    if len(first) == 2:
        opened = f"{first[0]} and {amid(first[1])} open as many of them, {most} each."
    ended = f"Most often they end {end['name']} ({percent(end['share'])})."
    if end["share"] == 1.0:
        ended = "All are still open when the runs end." if end["name"] == "open" else f"All end {end['name']}."
    sentences = [
        f"In {in_years(results.years)} there {there} on average.",
        opened,
        *([f"In {hurt} someone is hurt{killed}."] if results.hurts else []),
        ended,
    ]
    if found.median_days.mean is not None:
        sentences.insert(2, f"Half of them last {figures_of(found.median_days.mean)} days or less.")
    return " ".join(sentences)


def _outcome(row: dict[str, Any], days: float) -> dict[str, Any]:
    """An outcome with the form of its number and the unit that is written behind it."""
    is_share = row["unit"] in SHARE_UNITS
    form, when = "share" if is_share else "plain", when_first(row, days)
    return row | {"form": form, "unit": unit_behind(row["unit"]), "when": when}


def _figures(results: Results, apart: DrawerApart | None) -> dict[str, Any]:
    """The figures by name, as SVG that stands in the page as it is: `plots.svg` has seen to it that it may."""
    from altair.utils.schemapi import debug_mode
    from markupsafe import Markup

    from powderkeg import plots

    # Altair checks every part of a chart against its schema as it is made, which takes as long as making it; the
    # tests do so for each of ours.
    with debug_mode(False):
        return {
            name: Markup(plots.svgs(chart, f"{name}-", label, apart))
            for name, (chart, label) in figures(results).items()
        }


def figures(results: Results) -> dict[str, tuple[Any, str]]:
    """Each figure that there is something to show in, by name: the chart, and what it shows in words."""
    from powderkeg import plots  # what draws takes half a second to import, and runs are counted without it

    r = results
    charts: dict[str, tuple[Any, str]] = {}
    if r.record:
        charts["record"] = (
            plots.against_record(r.record),
            f"The model against the dated record: {r.agreeing} of {len(r.record)} lines agree.",
        )
    if r.example_acts.height:
        charts["history"] = (
            plots.history(r.example_acts, r.example_standoffs, r.start, r.days, r.actors or None),
            f"One history: {r.example_acts.height} acts by actor over {in_years(r.years)}, standoffs shaded.",
        )
    if r.standoffs.count:
        for name, draw in (("ends", plots.ends), ("openers", plots.openers), ("lengths", plots.lengths)):
            frame = r.shares(name)
            charts[name] = (
                draw(frame.with_columns(frame["name"].replace(dict(r.titles)))),
                "; ".join(f"{row['name']} {percent(row['share'])}" for row in frame.to_dicts()),
            )
    if r.entanglement.height and r.entanglement["drawn_in"].any():
        label = "Share of each actor's acts in disputes between others, by what drew it in."
        order = {name: index for index, name in enumerate(r.actors)}
        known = _most_active(r.entanglement).sort(
            pl.col("actor").replace_strict(order, default=len(order)), maintain_order=True
        )
        charts["entanglement"] = (plots.entanglement(known, r.titles), label)
        if known.filter("drawn_in")["by"].is_not_null().any():
            label = "Share of each actor's acts in disputes between others, by the actor that drew it in."
            charts["drawn_in"] = (plots.drawn_in(known, r.titles), label)
    return charts


def _most_active(entanglement: pl.DataFrame) -> pl.DataFrame:
    """The rows of those actors that have one in the figures."""
    if entanglement["actor"].n_unique() <= MOST_DRAWN:
        return entanglement
    busy = entanglement.group_by("actor").agg(pl.col("acts_per_run").sum())
    kept = busy.sort(["acts_per_run", "actor"], descending=[True, False])["actor"].head(MOST_DRAWN)
    return entanglement.filter(pl.col("actor").is_in(kept.to_list()))


@cache
def _template() -> Template:
    from powderkeg.report.pages import environment

    world = environment()
    world.filters["number"] = lambda value, form="plain": (
        "–" if value is None else percent(value) if form == "share" else figures_of(value)
    )
    return world.get_template("page.html")


for _name in ("figures", "gather", "page", "summary", "write"):
    globals()[_name] = answering(globals()[_name], __name__, _name)


def _missing(name: str) -> NoReturn:
    raise no_attribute(__name__, name, __all__)


# Type checkers must not see it: to them any misspelt name would be there.
if not TYPE_CHECKING:
    __getattr__ = _missing
