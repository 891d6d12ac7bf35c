"""Write the tables and figures of docs/real-data.md from benchmarks/results/real_data.json.

In: what `real_data.py` found. Out: the parts of the page between `<!-- name: begin -->` and `<!-- name: end -->`, and
docs/img/real-*.svg. The words around them are written by hand and have to be read again when numbers move.

    python benchmarks/real_data_page.py            # writes page and figures
    python benchmarks/real_data_page.py --check    # says whether the page holds what the results say, writes nothing
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from powderkeg import plots
from powderkeg.plots.theme import COOPERATIVE, FAINT, HOSTILE, INK, SERIES, SHADE, SOFT, chart_of, figure
from powderkeg.scenario import load
from powderkeg.wording import chance

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "real_data.json"
PAGE = HERE.parent / "docs" / "real-data.md"
IMAGES = HERE.parent / "docs" / "img"
COURSES = {
    "constant": "constant", "blocks365": "a level a year", "blocks180": "half a year", "blocks90": "90 days",
    "blocks45": "45 days", "epochs": "epochs",
}  # fmt: skip
REFERENCE = "epochs"
LITERATURE = (0.37, 0.50)
"""Share of violent events set off by others, Lewis et al. 2012."""
Results = dict[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(x) for x in line) + " |" for line in lines)


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def range_of(three: Sequence[float | None], digits: int = 2, unit: str = "") -> str:
    estimate, low, high = three
    if low is None or high is None:
        return f"{number(estimate, digits)}{unit}"
    return f"{number(estimate, digits)} [{number(low, digits)}, {number(high, digits)}]{unit}"


# --- Tables ---------------------------------------------------------------------------------------------------------


def data_table(found: Results) -> str:
    words = {
        "outside the window": "before 1998", "neither side matched": "neither side is an actor of the scenario",
        "source not matched": "the source is not", "target not matched": "the target is not",
        "within one actor": "both are the same actor", "act not matched": "a statement: no act of the scenario",
        "mirrored": "a meeting told from the other side", "same_day_matched": "the same act on the same day again",
        "kept": "**kept**",
    }  # fmt: skip
    keds, icews = found["data"]["keds"], found["data"]["icews"]
    rows = [
        [said, f"{keds[k]:,}" if k in keds else "", f"{icews[k]:,}" if k in icews else ""] for k, said in words.items()
    ]
    rows.append(["of these with a side in Kosovo or Serbia", "", f"{icews['local']:,}"])
    return table(["rows", "KEDS 1998-2003", "ICEWS 2018"], rows)


def background_table(found: Results) -> str:
    rows = []
    for course, said in COURSES.items():
        row: list[object] = [said]
        for period in ("all", "war", "after"):
            one = found["backgrounds"][f"{period} {course}"]
            least = min(found["backgrounds"][f"{period} {c}"]["aic"] for c in COURSES)
            gap = one["aic"] - least
            row += [f"{gap:,.0f}", number(one["branching_ratio"]), percent(one["set_off"])]
        rows.append(row)
    one = found["backgrounds"]["all coverage"]
    least = min(found["backgrounds"][f"all {c}"]["aic"] for c in COURSES)
    rows.append(
        ["constant, times reports a month", f"{one['aic'] - least:,.0f}", number(one["branching_ratio"]),
         percent(one["set_off"]), "", "", "", "", "", ""]
    )  # fmt: skip
    head = ["background"]
    for period in ("1998-2003", "1998-99", "2000-03"):
        head += [f"AIC above the best, {period}", "branching ratio", "set off"]
    return table(head, rows)


def verdict(found: Results, name: str) -> str:
    """What the record says of a mechanism, by one rule for all: needed at 1 %."""
    backgrounds = found["backgrounds"]
    every = [backgrounds[f"all {course}"]["mechanisms"][name]["p"] < 0.01 for course in COURSES]
    halves = [backgrounds[f"{period} {REFERENCE}"]["mechanisms"][name]["p"] < 0.01 for period in ("war", "after")]
    if all(every) and all(halves):
        return "**yes**, always"
    if all(every):
        return "**yes**" + (", by 1998-99" if halves[0] else ", by 2000-03" if halves[1] else ", by both together")
    if any(every):
        return "hangs on the background"
    return "no"


def mechanism_table(found: Results) -> str:
    scenario = load("kosovo-events")
    reference = found["backgrounds"][f"all {REFERENCE}"]["mechanisms"]
    rows = []
    for name, item in scenario.mechanisms.items():
        one = reference[name]
        lr = [
            found["backgrounds"][f"{a} {b}"]["mechanisms"][name]["lr"]
            for a, b in (
                ("all", "constant"),
                ("all", "blocks180"),
                ("all", REFERENCE),
                ("war", REFERENCE),
                ("after", REFERENCE),
            )
        ]
        seen = one["answers"][0] > 1e-6
        rows.append(
            [f"`{name}`: {item.title}", range_of(one["answers"]), range_of(one["half_life"], 1) if seen else "–",
             *(number(x, 1) for x in lr), verdict(found, name)]
        )  # fmt: skip
    return table(
        ["mechanism", "answers [90 %]", "half-life, days", "LR, constant", "LR, half a year", "LR, epochs",
         "LR, 1998-99", "LR, 2000-03", "does the record need it?"], rows
    )  # fmt: skip


TODAY = {"weekday": "weekdays, epochs", "all of it": "weekdays, actors that differ, courses by class"}


def today_table(found: Results) -> str:
    """Beside the fits of the reference: AIC counted from these, branching ratio, what is set off, what goes unseen."""
    rows = []
    for way in (None, *TODAY):
        row: list[object] = ["everything shown, epochs" if way is None else TODAY[way]]
        for period in ("all", "war", "after"):
            before = found["backgrounds"][f"{period} {REFERENCE}"]
            one = before if way is None else found["today"].get(f"{period} {way}")
            if one is None:
                row += ["–"] * 4
                continue
            unseen = "" if way is None else percent(one["reporting"]["unseen"])
            row += [f"{one['aic'] - before['aic']:+,.0f}" if way else "0", number(one["branching_ratio"]),
                    percent(one["set_off"]), unseen]  # fmt: skip
        rows.append(row)
    head = ["fitted with"]
    for period in ("1998-2003", "1998-99", "2000-03"):
        head += [f"AIC against the first row, {period}", "branching ratio", "set off", "unseen"]
    return table(head, rows)


def today_mechanism_table(found: Results) -> str:
    """Of each mechanism LR before and with all of it; bold where it is needed at 1 %."""
    keys = [(p, w) for p in ("all", "war", "after") for w in (None, "all of it") if w is None or f"{p} {w}" in
            found["today"]]  # fmt: skip
    names = {"all": "1998-2003", "war": "1998-99", "after": "2000-03"}
    rows = []
    for name in load("kosovo-events").mechanisms:
        row: list[object] = [f"`{name}`"]
        for period, way in keys:
            part = found["today"][f"{period} {way}"] if way else found["backgrounds"][f"{period} {REFERENCE}"]
            one = part["mechanisms"][name]
            told = f"{number(one['answers'][0])}, LR {number(one['lr'], 1)}"
            row.append(f"**{told}**" if one["p"] < 0.01 else told)
        rows.append(row)
    head = [f"{names[period]}, {'all of it' if way else 'epochs'}" for period, way in keys]
    return table(["answers, LR", *head], rows)


SHOWN = ("inertia_force", "retaliation_force", "protest", "dialogue", "reciprocity", "entrapment_force", "solidarity")


def stamp_table(found: Results) -> str:
    names = {
        "day": "days, as they are", "jitter 1": "a random time of the day", "jitter 2": "another draw",
        "jitter 3": "another draw", "in file order": "times in the order of the file",
        "as exact": "exact times, which they are not",
    }  # fmt: skip
    return _compared(found["stamps"], names)


def doubles_table(found: Results) -> str:
    names = {
        "none": "none dropped", "mirrored": "meetings once", "same day": "an act once a day", "both": "both",
        "echoes": "none dropped, echoes as mechanisms",
    }  # fmt: skip
    return _compared(found["doubles"], names)


def _compared(rows: Results, names: dict[str, str]) -> str:
    body = [
        [said, f"{rows[key]['events']:,}", number(rows[key]["branching_ratio"]),
         *(number(rows[key]["mechanisms"][m]["answers"][0]) for m in SHOWN)]
        for key, said in names.items()
    ]  # fmt: skip
    return table(["read as", "events", "branching ratio", *(f"`{m}`" for m in SHOWN)], body)


def icews_table(found: Results) -> str:
    names = list(load("kosovo-events").mechanisms)
    part = found["icews"]
    rows = []
    for name in names:
        row: list[object] = [f"`{name}`"]
        for course in ("constant", "blocks90", "epochs"):
            one = part[course]["mechanisms"][name]
            row.append(f"{range_of(one['answers'])}, LR {number(one['lr'], 1)}")
        rows.append(row)
    for what, said in (("branching_ratio", "branching ratio"), ("set_off", "set off"), ("aic", "AIC")):
        rows.append([said, *(f"{part[c][what]:.2f}" for c in ("constant", "blocks90", "epochs"))])
    return table(["answers [90 %]", "constant", "90 days", "epochs"], rows)


def causes_table(found: Results) -> str:
    rows = []
    for period, said in (("war", "1998-99"), ("after", "2000-03")):
        part = found["causes"][period]
        drawn = {row[0]: row[1:] for row in part["drawn_in"]}
        by: dict[str, list[tuple[float, str]]] = {}
        for setter, actor, _, share in part["matrix"]:
            if setter is not None and setter != actor:
                by.setdefault(actor, []).append((share, setter))
        for actor, acts, root, *_, descent in sorted(part["starts"], key=lambda row: -row[1]):
            if acts < 50:
                continue
            others = sorted(by.get(actor, []), reverse=True)[:2]
            told = ", ".join(f"{name} {percent(share)}" for share, name in others)
            entry = drawn.get(actor, [0.0, 0.0, 0.0])
            rows.append(
                [said, actor, f"{acts:.0f}", percent(root), percent(descent), told,
                 f"{percent(entry[0])} [{percent(entry[1])}, {percent(entry[2])}]"]
            )  # fmt: skip
    return table(
        ["years", "actor", "acts", "that nothing set off", "of all acts, descend from its own", "set off most by",
         "drawn into others' disputes"], rows
    )  # fmt: skip


def checks_table(found: Results) -> str:
    """Every check, by years and background; p, bold where it fails."""
    names = {"all": "1998-2003", "war": "1998-99", "after": "2000-03"}
    parts = {key: found["checks"][key] for key in sorted(found["checks"], key=_place)}
    titles = dict.fromkeys(row[0] for part in parts.values() for row in part["shown"])
    told = COURSES | TODAY
    heads = [f"{names[key.split(' ')[0]]}, {told[key.split(' ')[1]]}" for key in parts]
    rows: list[list[object]] = []
    for title in titles:
        row: list[object] = [title]
        for part in parts.values():
            one = next((r for r in part["shown"] if r[0] == title), None)
            row.append("" if one is None else _p(one))
        rows.append(row)
    for k, said in enumerate(("against a constant rate", "against the last 60 days' mean")):
        row = [f"foreseen, nats an act better {said}"]
        for part in parts.values():
            row.append("" if part["held_out"] is None else _lead(part["held_out"][k], part["held_out_acts"]))
        rows.append(row)
    return table(["check: record, middle 90 % of the fit, or p", *heads], rows)


def _place(key: str) -> tuple[int, int]:
    period, course = key.split(" ")
    return ("all", "war", "after").index(period), [*COURSES, *TODAY].index(course)


def _neat(text: str) -> str:
    return f"{float(text):,.0f}" if float(text) >= 100 else text


def _p(row: Sequence[Any]) -> str:
    _, seen, span, p, passes = row
    if " to " in span:
        seen, span = _neat(seen), " to ".join(_neat(x) for x in span.split(" to "))
    told = f"{seen}, {span}" if " to " in span else f"p {chance(p)}"
    return told if passes else f"**{told}**"


def _lead(lead: Sequence[Any], acts: int) -> str:
    _, _, low, high, per_act = lead
    return f"{per_act:+.2f} [{low / acts:+.2f}, {high / acts:+.2f}]"


def recovery_table(found: Results) -> str:
    part = found["recovery"]
    rows = [
        [
            f"`{name}`",
            number(one["simulated"]),
            f"{number(one['mean'])} ± {number(one['bias_se'])}",
            percent(one["covered"]),
        ]
        for name, one in part["answers"].items()
    ]
    rows.append([f"{part['rates']} rates, on average", "", "", percent(part["rates_covered"])])
    head = [
        "answers",
        "simulated with",
        f"mean of {part['refits']} refits",
        f"in the {percent(part['level'])} interval",
    ]
    return table(head, rows)


def signs_table(found: Results) -> str:
    part = found["signs"]
    claims = (
        ("serbia on patrons then patrons on serbia", "reciprocity, patrons to Serbia", "+"),
        ("patrons on serbia then serbia on patrons", "reciprocity, Serbia to patrons", "+"),
        ("kosovo on serbia then serbia on kosovo", "reciprocity, Serbia to Kosovo Albanians", "+"),
        ("serbia on kosovo then kosovo on serbia", "reciprocity, Kosovo Albanians to Serbia", "+"),
        ("serbia on kosovo then patrons on serbia", "triangular: attacks on the client harden its patrons", "+"),
        ("patrons on serbia then serbia on kosovo", "inverse triangular: punished, Serbia softens to the client", "-"),
    )
    rows = [
        [said, sign, f"{number(part[key]['record'])} ± {number(part[key]['se'])}",
         f"{number(part[key]['model'])} [{number(part[key]['low'])}, {number(part[key]['high'])}]"]
        for key, said, sign in claims
    ]  # fmt: skip
    return table(["response, sum over four weeks", "published for Bosnia", "here", "in histories of the fit"], rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "data": data_table, "backgrounds": background_table, "today": today_table,
    "today mechanisms": today_mechanism_table, "mechanisms": mechanism_table, "stamps": stamp_table,
    "doubles": doubles_table, "icews": icews_table, "causes": causes_table, "checks": checks_table,
    "recovery": recovery_table,
    "signs": signs_table,
}  # fmt: skip


def filled(text: str, found: Results) -> str:
    """The page with its tables made anew. Raises KeyError for a mark that names no table."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: begin, made by benchmarks/real_data_page.py -->", f"<!-- {name}: end -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise KeyError(f"{PAGE.name} has no marks for {name}")
        text = f"{before}{begin}\n\n{make(found)}\n\n{end}{after}"
    return text


# --- Figures --------------------------------------------------------------------------------------------------------


LANE = 44.0


def weeks_figure(found: Results) -> alt.LayerChart:
    """Hostile acts a week, in the four directions that matter most."""
    named = {
        "serbia on kosovo": "Serbia on Kosovo Albanians", "kosovo on serbia": "Kosovo Albanians on Serbia",
        "patrons on serbia": "NATO and the west on Serbia", "serbia on patrons": "Serbia on NATO and the west",
    }  # fmt: skip
    start = date(1998, 1, 1)
    rows = [
        {
            "week": str(start + timedelta(days=7 * k)),
            "acts": n,
            "lane": lane,
            "base": -LANE * lane,
            "top": n - LANE * lane,
        }
        for lane, key in enumerate(named)
        for k, n in enumerate(found["data"]["by_week"][key])
    ]
    x = alt.X("week:T", title=None, axis=alt.Axis(format="%Y", tickCount="year", grid=False))
    y = alt.Y("top:Q", axis=None, title=None)
    area = chart_of(rows).mark_area(interpolate="step", color=HOSTILE, opacity=0.85).encode(
        x=x, y=y, y2="base:Q", detail="lane:N"
    )  # fmt: skip
    marks = [
        {"week": "2003-07-31", "top": 20.0 - LANE * lane, "said": said} for lane, said in enumerate(named.values())
    ]
    label = chart_of(marks).mark_text(align="right", color=INK, fontSize=12).encode(x=x, y=y, text="said:N")
    war = [{"week": "1999-03-24", "end": "1999-06-10"}]
    band = chart_of(war).mark_rect(color=SHADE, opacity=0.8).encode(x=x, x2="end:T")
    busiest = max(max(found["data"]["by_week"][key]) for key in named)
    return figure(
        band, area, label, title="Hostile acts that KEDS reports, by week",
        subtitle=[f"Shaded: the air war, 24 March to 10 June 1999. The tallest week holds {busiest} acts."], height=330,
    )  # fmt: skip


def mechanisms_figure(found: Results) -> alt.LayerChart:
    """Answers of every mechanism under every background."""
    scenario = load("kosovo-events")
    order = [str(m.title) for m in scenario.mechanisms.values()]
    rows, bars = [], []
    for name, item in scenario.mechanisms.items():
        for course, said in COURSES.items():
            one = found["backgrounds"][f"all {course}"]["mechanisms"][name]
            rows.append({"what": item.title, "answers": min(one["answers"][0], MOST), "course": said,
                         "needed": "yes" if one["p"] < 0.01 else "no"})  # fmt: skip
        low, high = found["backgrounds"][f"all {REFERENCE}"]["mechanisms"][name]["answers"][1:]
        bars.append({"what": item.title, "low": min(low or 0.0, MOST), "high": min(high or 0.0, MOST)})
    y = alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, grid=True))
    x = alt.X("answers:Q", title="mean number of direct answers to one act", scale=alt.Scale(domain=[0, MOST]))
    bar = chart_of(bars).mark_rule(color=FAINT, strokeWidth=7).encode(y=y, x=alt.X("low:Q"), x2="high:Q")
    colour = alt.Color(
        "course:N", sort=list(COURSES.values()), title="background",
        scale=alt.Scale(
            domain=list(COURSES.values()), range=[HOSTILE, SERIES[1], SERIES[4], SERIES[5], COOPERATIVE, INK]
        ),
    )  # fmt: skip
    point = chart_of(rows).mark_point(size=55, strokeWidth=1.8).encode(
        y=y, x=x, color=colour,
        shape=alt.Shape("needed:N", title="needed at 1 %", sort=["yes", "no"],
                        scale=alt.Scale(domain=["yes", "no"], range=["circle", "cross"])),
    )  # fmt: skip
    return figure(
        bar, point, title="What the record needs, under every background",
        subtitle=["KEDS Balkans 1998-2003, by day. Grey: 90 % interval under the epochs, the course that AIC prefers.",
                  f"Above {MOST:g} cut off."], width=470, height=430,
    )  # fmt: skip


MOST = 0.62


def ratio_figure(found: Results) -> alt.LayerChart:
    """How much of what is reported was set off by earlier acts, under every background."""
    periods = {"all": "1998-2003", "war": "1998-99", "after": "2000-03"}
    rows = [
        {"period": said, "course": name, "share": found["backgrounds"][f"{period} {course}"]["set_off"]}
        for period, said in periods.items()
        for course, name in COURSES.items()
    ]
    x = alt.X("course:N", sort=list(COURSES.values()), title="background", axis=alt.Axis(labelAngle=0))
    y = alt.Y("share:Q", title="share of acts that an earlier act set off", scale=alt.Scale(domain=[0, 1]),
              axis=alt.Axis(format="%"))  # fmt: skip
    band = chart_of([{"low": LITERATURE[0], "high": LITERATURE[1]}]).mark_rect(color=SHADE).encode(
        y=alt.Y("low:Q"), y2="high:Q"
    )  # fmt: skip
    line = chart_of(rows).mark_line(point=alt.OverlayMarkDef(size=60), strokeWidth=2).encode(
        x=x, y=y,
        color=alt.Color("period:N", sort=list(periods.values()), title="years",
                        scale=alt.Scale(domain=list(periods.values()), range=[INK, HOSTILE, COOPERATIVE])),
        strokeDash=alt.StrokeDash("period:N", sort=list(periods.values()), legend=None),
    )  # fmt: skip
    word = chart_of([{"y": 0.345, "said": "Iraq 2003-07, Lewis et al. 2012"}]).mark_text(
        align="right", color=SOFT, x=470
    ).encode(y=alt.Y("y:Q"), text="said:N")  # fmt: skip
    return figure(
        band, line, word, title="The more the background may move, the less is contagion",
        subtitle=["Shaded: 37 to 50 % of violent events in Iraq were set off by others."], width=480, height=280,
    )  # fmt: skip


def matrix_figure(found: Results) -> alt.LayerChart:
    rows = [dict(zip(("by", "actor", "acts", "share"), row, strict=True)) for row in found["causes"]["war"]["matrix"]]
    frame = pl.DataFrame(rows, schema={"by": pl.String, "actor": pl.String, "acts": pl.Float64, "share": pl.Float64})
    actors = load("kosovo-events").actors
    short = {"kosovo": "Kosovo Albanians", "nato": "NATO, KFOR", "west": "US, EU and members", "un": "United Nations",
             "serbia": "Serbia", "russia": "Russia", "kosovo_serbs": "Serbs of Kosovo"}  # fmt: skip
    assert set(short) == set(actors)
    return plots.who_sets_off_whom(frame, short, "Who sets off whom, 1998-99")


FIGURES: dict[str, Callable[[Results], alt.LayerChart]] = {
    "weeks": weeks_figure, "mechanisms": mechanisms_figure, "backgrounds": ratio_figure, "matrix": matrix_figure,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--images", type=Path, default=IMAGES)
    asked = parser.parse_args()
    found = json.loads(asked.results.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    made = filled(text, found)
    if asked.check:
        sys.exit(0 if made == text else f"{PAGE} does not hold what {asked.results} says")
    PAGE.write_text(made, encoding="utf-8")
    for name, make in FIGURES.items():
        print(plots.save(make(found), asked.images / f"real-{name}.svg"))


if __name__ == "__main__":
    main()
