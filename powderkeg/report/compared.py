"""One page that says what interventions would change, for those who decide and for those who check.

In: a `Comparison`. Out: one HTML file without scripts. The words better and worse come from the scenario alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from powderkeg import plots
from powderkeg.analyze.outcomes import SHARE_UNITS, unit_behind
from powderkeg.compare import Compared, Comparison, Effect
from powderkeg.compare.ranges import FEWEST, said_of_aside
from powderkeg.plots.comparison import change
from powderkeg.report.pages import FOLDER, template
from powderkeg.scenario import digest
from powderkeg.version import __version__
from powderkeg.wording import counted, measured, percent, plain

TABLES = (
    ("outcomes", "The scenario’s questions"),
    ("standoffs", "Standoffs"),
    ("mechanisms", "Hostile acts by what set them off: through which mechanism the difference comes"),
)


def figure_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """One row for each question and intervention, as `plots.differences` takes them."""
    return [
        {"intervention": one.name, "intervention_title": one.title, **effect.as_dict()}
        for one in comparison.interventions
        for effect in questions(one)
    ]


def questions(one: Compared) -> tuple[Effect, ...]:
    """What a comparison is about: the scenario's outcomes; where it asks none, its standoffs."""
    return one.outcomes or one.standoffs


def page(
    comparison: Comparison, files: Sequence[str] = (), command: str | None = None, made: Mapping[str, Any] | None = None
) -> str:
    """The page as text.

    files    names of the files that lie beside it
    command  what was typed to make it;  made: what a folder's list says of its results
    """
    from markupsafe import Markup

    c = comparison
    chart = plots.differences(figure_rows(c), level=c.level)
    label = "; ".join(f"{row['intervention_title']}, {row['title']}: {change(row)}" for row in figure_rows(c))
    tested = sum(len(questions(one)) for one in c.interventions)
    return template("compared.html").render(
        made=made or {},
        c=c,
        title=c.scenario.title or c.scenario.name,
        version=__version__,
        digest=digest(c.scenario),
        level=percent(c.level),
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        figure=Markup(plots.svgs(chart, "differences-", label)),
        parts=[_part(one, c) for one in c.interventions],
        findings=findings(c),
        many=f"There are {tested} differences here: at {percent(c.level)} about {tested * (1 - c.level):.0f} of the "
        "intervals miss the truth by chance alone."
        if tested > 5
        else "",
        asks=any(one.outcomes for one in c.interventions),
        aside=said_of_aside(c.sets, c.aside),
        command=command or command_of(c),
        files=files,
    )


def command_of(comparison: Comparison) -> str:
    """What to type to get the same."""
    c = comparison
    names = " ".join(_typed(one.name) for one in c.interventions)
    ranges = f"--sets {c.sets + c.aside}" if c.sets + c.aside else "--no-ranges"
    return (
        f"powderkeg compare {shlex.quote(c.scenario.name)} {names} --years {c.years:g} --replicates {c.replicates} "
        f"--seed {c.seed} {ranges}"
    )


def findings(comparison: Comparison, most: int = 2) -> list[str]:
    """The changes that matter most, a sentence each: clear ones that hold under other numbers too, those on which the
    scenario has a view before others, the largest first; at most one of each intervention, and what speaks most against
    it where the scenario calls one better and another worse."""
    ranked = []
    for one in comparison.interventions:
        clear = [e for e in questions(one) if e.verdict in CLEAR and not e.hangs_on_ranges]
        if clear:
            best = max(clear, key=_weight)
            ranked.append((_weight(best), one, [best, *_against(best, clear)]))
    ranked.sort(key=lambda row: row[0], reverse=True)
    return [
        f"{one.title}: {', but '.join(f'{_moves(e)}{_called(e, one.at_ends, comparison.aside)}' for e in told)}."
        for _, one, told in ranked[:most]
    ]


def _against(best: Effect, clear: Sequence[Effect]) -> list[Effect]:
    """Of the clear changes the largest that the scenario calls worse where it calls `best` better, and the other way
    round; none where there is none."""
    other = {"better": "worse", "worse": "better"}.get(best.verdict)
    against = [e for e in clear if e.verdict == other]
    return [max(against, key=_weight)] if against else []


def one_sided(one: Compared) -> str:
    """What agreement under other numbers is not worth, where an intervention sets a number to an end of its range."""
    if not one.at_ends:
        return ""
    ends, its = (", ".join(one.at_ends), "an end of its range" if len(one.at_ends) == 1 else "ends of their ranges")
    return (
        f"It sets {ends} to {its}: whoever gave the range, a person or a fit, does not tell the number from that, and "
        "all other numbers lie on one side of it. That they agree on the sign is no sign that anything would change."
    )


def unneeded(one: Compared) -> str:
    """What the fit of the file says of the mechanisms that an intervention acts on, where that is nothing."""
    if not one.not_needed:
        return ""
    it, its = ("it", "its") if len(one.not_needed) == 1 else ("them", "their")
    return (
        f"It acts on {', '.join(one.not_needed)}: the events that the file was fitted to do not need {it} ({its} "
        "answers may be none). What differs here may lie within the error of the fit, and was not seen."
    )


def unsettled(comparison: Comparison, shown: Sequence[Effect]) -> str:
    """What a question mark under other numbers means, and how many runs would settle it; "" where there is none."""
    if comparison.sets < FEWEST:
        return ""
    marked = [e for e in shown if e.range_low is None]
    if not marked:
        return ""
    within = sorted(e.runs_to_tell for e in marked if e.runs_to_tell is not None)
    told = (
        f"“?” in {len(marked)} of {counted(len(shown), 'row')}: the {comparison.sets} sets of numbers differ by no "
        "more than chance makes them. "
    )
    if not within:
        return f"{told}What the ranges do there is small beside the interval: nothing of it shows yet."
    first = f"--replicates {within[0]:,}".replace(",", "")
    last = "" if len(within) == 1 else f" the first of {len(within)}, {within[-1]} all of them"
    rest = len(marked) - len(within)
    unseen = f" In {rest}, nothing of it shows yet." if rest else ""
    return f"{told}As it looks, {first} would tell{last or ' one of them'}.{unseen}"


def _moves(e: Effect) -> str:
    """“Raids: 0.78 → 0.31 a year”; titles are questions as often as nouns, so no verb fits them all."""
    return f"“{e.title}” {both(e.baseline, e.value, e.unit)}{_unit_of(e)}"


def _unit_of(e: Effect) -> str:
    """The unit behind a value, unless the title has it already, as “Raids (a year)” has."""
    unit = UNITS.get(e.unit, "")
    last = unit.rpartition(" ")[2]
    return "" if last and re.search(rf"\b{last}\b", e.title.lower()) else unit


def _typed(name: str) -> str:
    """An intervention as it is typed: its name, or the world that was made up for it."""
    if name.startswith("without "):
        return f"--without {shlex.quote(name.removeprefix('without '))}"
    return f"--with {shlex.quote(name)}" if "=" in name else shlex.quote(name)


CLEAR = ("better", "worse", "more", "less")
UNITS = {"per year": " a year", "days": " days"}


def _weight(e: Effect) -> tuple[bool, float]:
    """Whether the scenario has a view on it, and how large the change is beside the values, 0 to 1."""
    return e.better is not None, abs(e.difference) / max(abs(e.baseline) + abs(e.value), 1e-300)


def _called(e: Effect, at_ends: Sequence[str], aside: int) -> str:
    kept = " that were kept" if aside else ""
    holds = "" if e.same_sign is None else f"; so under {_of_sets(e.same_sign)} other numbers{kept}"
    if holds and at_ends:
        holds = f"; the range of {', '.join(at_ends)} allows that nothing changes"
    return (f", which the scenario calls {e.verdict}" if e.better is not None else "") + holds


def _of_sets(share: float) -> str:
    return "every set of" if share >= 1.0 else f"{percent(share)} of the sets of"


def gist(one: Compared) -> list[tuple[str, list[str]]]:
    """What an intervention changes: a head, and the outcomes under it."""
    groups: dict[str, list[str]] = {"Better": [], "Worse": [], "More": [], "Less": []}
    unsure = []
    for effect in questions(one):
        head = effect.verdict.capitalize()
        if head in groups:
            groups[head].append(f"{effect.title} ({both(effect.baseline, effect.value, effect.unit)})")
            if effect.hangs_on_ranges:
                unsure.append(effect.title)
    told = [(head, found) for head, found in groups.items() if found]
    return [*told, *([("Not sure under other numbers from the scenario’s ranges", unsure)] if unsure else [])]


def value(number_: float, unit: str) -> str:
    """A value with what belongs behind it."""
    return percent(number_) if unit in SHARE_UNITS else measured(number_)


def both(before: float, after: float, unit: str) -> str:
    """0.46 → 1.02; with as many figures as it takes to see which is more: 0.232 → 0.228."""
    told = value(before, unit), value(after, unit)
    share = unit in SHARE_UNITS
    scale, sign = (100.0, " %") if share else (1.0, "")
    for digits in range(3, 7):
        if before == after or told[0] != told[1]:
            break
        told = f"{plain(scale * before, digits)}{sign}", f"{plain(scale * after, digits)}{sign}"
    return " → ".join(told)


def _part(one: Compared, c: Comparison) -> dict[str, Any]:
    shown = [effect for about, _ in TABLES for effect in getattr(one, about)]
    return {
        "unsettled": unsettled(c, shown),
        "title": one.title,
        "question": one.question,
        "idle": one.idle,
        "one_sided": one_sided(one),
        "unneeded": unneeded(one),
        "gist": gist(one),
        "differing": percent(one.differing),
        "stopped": one.stopped,
        "tables": [
            (head, [_row(effect, bool(c.sets)) for effect in getattr(one, about)])
            for about, head in TABLES
            if getattr(one, about)
        ],
    }


def _row(effect: Effect, with_ranges: bool) -> dict[str, Any]:
    scale = 100.0 if effect.unit in SHARE_UNITS else 1.0
    span = "?" if with_ranges else "–"
    if effect.range_low is not None and effect.range_high is not None:
        span = f"{measured(scale * effect.range_low)} to {measured(scale * effect.range_high)}"
    unpaired = "–" if effect.unpaired_ratio is None else f"{effect.unpaired_ratio:.1f} ×"
    return {
        "title": effect.title,
        "baseline": value(effect.baseline, effect.unit),
        "value": value(effect.value, effect.unit),
        "unit": unit_behind(effect.unit),
        "change": change(effect.as_dict()),
        "range": span,
        "sign": "–" if effect.same_sign is None else percent(effect.same_sign),
        "differing": effect.differing,
        "unpaired": unpaired,
        "verdict": effect.verdict,
    }
