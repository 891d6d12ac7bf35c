"""The text of a scenario that was drawn up from events, with what it cannot know asked for where it belongs.

In: a `DrawnUp`. Out: YAML with comments.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from textwrap import wrap
from typing import Final, NamedTuple

from powderkeg.draft.deeds import DraftedAct
from powderkeg.draft.naming import title_of
from powderkeg.units import YEAR

ANSWERED: Final = 0.3
"""The share of acts that the drafted mechanisms set off; unprovoked rates are the rest. A guess to start from."""


MOST_ANSWERS: Final = 0.45
"""Upper end of the ranges of answers: two drafted mechanisms feed each other at most, and together they stay below 1,
or whatever looks over the ranges would look at systems that explode."""
UNITS: Final = (("day", 1.0), ("week", 7.0), ("month", YEAR / 12), ("year", YEAR))
WIDTH: Final = 118


class Thresholds(NamedTuple):
    """Where standoffs open and close, and the usual score that these stand on."""

    opens_at: float
    closes_at: float
    usual: float


@dataclass(frozen=True)
class DrawnUp:
    """What a draft says.

    kind        whose match rules: the format of the record
    rule        names or countries
    actors      the record's name -> the scenario's
    counts      (source, act, target) -> events
    left_out    names in the record, and their events, that were not taken: the first of all n_left_out
    thresholds  of standoffs; None for those of every scenario
    """

    name: str
    read: tuple[str, ...]
    kind: str
    rule: str
    start: date
    end: date
    days: float
    actors: Mapping[str, str]
    deeds: Sequence[DraftedAct]
    rows: int
    without_target: int
    left_out: Sequence[tuple[str, int]]
    n_left_out: int
    undirected: int
    counts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    thresholds: Thresholds | None = None

    def of(self, actor: str = "", act: str = "") -> int:
        """Events that an actor did, or of an act, or both."""
        return sum(n for (a, k, _), n in self.counts.items() if actor in ("", a) and act in ("", k))

    def moves(self) -> Iterator[tuple[str, DraftedAct, Sequence[str]]]:
        """(actor, act, to whom): every act that an actor did, towards all those to whom it did anything."""
        every = [*self.actors.values()]
        for actor in every:
            to = [b for b in every if any((actor, deed.name, b) in self.counts for deed in self.deeds)]
            yield from ((actor, deed, to) for deed in self.deeds if self.of(actor, deed.name))


def written(draft: DrawnUp) -> str:
    """The scenario's text."""
    parts = [_head(draft), _actors(draft), _acts(draft), _moves(draft), _mechanisms(draft)]
    parts += [_standoffs(draft.thresholds)] if draft.thresholds is not None else []
    return "\n".join(chain.from_iterable((*part, "") for part in (*parts, _questions(draft))))


def _head(draft: DrawnUp) -> Iterator[str]:
    files = ", ".join(draft.read) or "a table"
    total = draft.of()
    yield from _comment(
        f"Drawn up from {files}: {draft.start} to {draft.end}, {draft.rows:,} events, of which {total:,} are between "
        "two of the actors below, by one of the acts below."
    )
    yield "#"
    yield "#     powderkeg describe FILE           what it says, in words"
    yield "#     powderkeg fit FILE EVENTS --out fitted.yaml --report fit"
    yield "#     powderkeg run fitted.yaml         what the fitted system does"
    yield "#"
    yield from _comment(
        "Counts after # are the record's. Rates are these counts, less the answers that are guessed; answers and "
        "half-lives are guesses until a fit replaces them. ASKED marks what the record cannot say."
    )
    if draft.without_target:
        yield from _comment(f"Not in it, for want of a second side: {draft.without_target:,} of the events.")
    if draft.undirected:
        yield from _comment(f"In {draft.undirected:,} events the record does not say which of the two sides acted.")
    yield "powderkeg: 1"
    yield f"name: {draft.name}"
    yield f"title: {_quoted(title_of(draft.name))}"
    yield f"start: {draft.start}"
    yield f"years: {max(round(draft.days / YEAR, 1), 1.0):g}"


def _actors(draft: DrawnUp) -> Iterator[str]:
    yield from _comment(
        "ASKED: are two of these the same? Put the names of both under one. Do some belong together? Say "
        "`is: [state]`; a class can stand wherever an actor can."
    )
    yield "actors:"
    for name, key in draft.actors.items():
        done, met = draft.of(key), sum(n for (_, _, b), n in draft.counts.items() if b == key)
        yield f"  {key}: # acts {done:,} times, is met {met:,} times"
        yield f"    title: {_quoted(name)}"
        yield f"    match: {{{draft.kind}: {{{draft.rule}: [{_quoted(name)}]}}}}"
    if draft.left_out:
        others = ", ".join(f"{name} ({number:,})" for name, number in draft.left_out)
        more = f", {draft.n_left_out - len(draft.left_out):,} more" if draft.n_left_out > len(draft.left_out) else ""
        yield from _comment(f"Left out, with their events: {others}{more}.", "  ")
    yield ""
    yield "# ASKED: who stands behind whom? Patrons answer for their clients, allies for each other. For example:"
    keys = [*draft.actors.values()]
    behind = keys[2] if len(keys) > 2 else keys[1]
    yield "# ties:"
    yield f"#   backing: {{kind: patronage, from: {behind}, to: {keys[0]}}}"


def _acts(draft: DrawnUp) -> Iterator[str]:
    if any(deed.tone is None for deed in draft.deeds):
        yield from _comment(
            "ASKED: tone. The record has no code book, so whether an act is hostile, cooperative or neutral is for you "
            "to say; only hostile acts make standoffs."
        )
    if any(deed.guessed for deed in draft.deeds):
        yield from _comment(
            "ASKED: are the tones right that are guessed from the name of an act? Only hostile acts make standoffs."
        )
    yield "acts:"
    for deed in draft.deeds:
        said = [f"tone: {deed.tone or 'neutral'}", f"title: {_quoted(deed.title)}"]
        said += [f'cameo: "{deed.cameo}"'] if deed.cameo else []
        said += [f"hurts: {deed.hurts}"] if deed.hurts != "none" else []
        asked = ", tone ASKED" if not deed.tone else ", tone guessed from the name" if deed.guessed else ""
        yield f"  {deed.name}: {{{', '.join(said)}}} # {draft.of(act=deed.name):,}{asked}"


def _moves(draft: DrawnUp) -> Iterator[str]:
    yield "# Who does what to whom unprovoked: the rate of each pair. A pair that stands out wants a move of its own."
    yield "moves:"
    if not draft.counts:  # before it is known who did what
        everybody = ", ".join(draft.actors.values())
        for deed in draft.deeds:
            yield f"  {deed.name}: {{who: [{everybody}], does: {deed.name}, to: [{everybody}]}}"
    for actor, deed, to in draft.moves():
        number = draft.of(actor, deed.name)
        rate = _rate((1.0 - ANSWERED) * number / len(to) / draft.days)
        to_whom = to[0] if len(to) == 1 else f"[{', '.join(to)}]"
        said = [f"who: {actor}", f"does: {deed.name}", f"to: {to_whom}", f"rate: {rate}", "source: guess"]
        yield from _filled(f"  {actor}_{deed.verb}: {{", said, f"}} # {number:,}", 4)


def _rate(per_day: float) -> str:
    """A rate, with a third and three times of it as its range, in a unit in which it can be read."""
    unit, days = next((one for one in UNITS if per_day * one[1] >= 1), UNITS[-1])
    low, rate, high = (_number(per_day * days * factor) for factor in (1 / 3, 1, 3))
    return f'"{rate} [{low}, {high}] per {unit}"'


def _number(value: float) -> str:
    """Two digits that count, without an exponent."""
    return f"{value:.{max(1 - math.floor(math.log10(value)), 0)}f}"


class DraftedAnswer(NamedTuple):
    """A mechanism of a draft: acts of x towards y are answered by acts of `who`, x or y, towards the other."""

    name: str
    title: str
    when: Sequence[DraftedAct]
    then: Sequence[DraftedAct]
    who: str
    answers: float
    half_life: str


def _answers(draft: DrawnUp) -> list[DraftedAnswer]:
    """Those that the drafted moves allow."""
    hostile = [deed for deed in draft.deeds if deed.tone == "hostile"]
    kind = [deed for deed in draft.deeds if deed.tone == "cooperative"]
    other = [deed for deed in draft.deeds if deed.tone is None]
    if not (hostile or kind or other):
        other = [*draft.deeds]
    tried = (
        DraftedAnswer("goes_on", "who acts with hostility goes on", hostile, hostile, "x", 0.2, "10 [2, 40]"),
        DraftedAnswer("retaliation", "hostility is returned", hostile, hostile, "y", 0.1, "3 [0.5, 15]"),
        DraftedAnswer("calming", "hostility is answered by talk", hostile, kind, "y", 0.05, "5 [1, 20]"),
        DraftedAnswer("keeps_talking", "who talks goes on", kind, kind, "x", 0.1, "10 [2, 40]"),
        DraftedAnswer("reciprocity", "kindness is returned", kind, kind, "y", 0.1, "5 [1, 20]"),
        DraftedAnswer("persistence", "who acts goes on", other, other, "x", 0.2, "10 [2, 40]"),
        DraftedAnswer("answering", "acts are answered", other, other, "y", 0.1, "3 [0.5, 15]"),
    )
    found = []
    for one in tried:
        when, then = _possible(draft, one.when, one.then, back=one.who == "y")
        if when and then:
            found.append(one._replace(when=when, then=then))
    return found


def _mechanisms(draft: DrawnUp) -> Iterator[str]:
    yield "# What may answer what. A fit says how many answers there are, how soon, and whether the record needs any."
    yield "mechanisms:"
    for one in _answers(draft):
        yield from _mechanism(draft, one)
    yield "  # ASKED: who is drawn in by whom? With ties, for example"
    verb = ([deed for deed in draft.deeds if deed.tone == "hostile"] or [*draft.deeds])[-1].verb
    yield f"  # entrapment: {{when: x {verb} y, given: z backs y, then: z {verb} x,"
    yield '  #   answers: "0.05 [0.01, 0.2]", half_life: "5 [1, 20] days", source: guess}'


def _mechanism(draft: DrawnUp, one: DraftedAnswer) -> Iterator[str]:
    other = "y" if one.who == "x" else "x"
    shares = _percent(Counter({deed.verb: max(draft.of(act=deed.name), 1) for deed in one.then}))
    yield f"  {one.name}:"
    yield f"    title: {_quoted(one.title)}"
    yield from _filled("    when: [", [f"x {deed.verb} y" for deed in one.when], "]", 6)
    if len(shares) > 1:
        answer = [f"{one.who} {verb} {other}: {share} %" for verb, share in shares.items()]
        yield from _filled("    then: {", answer, "}", 6)
    else:
        yield f"    then: {one.who} {next(iter(shares))} {other}"
    yield f"    answers: {one.answers:g} [0, {MOST_ANSWERS:g}]"
    yield f"    half_life: {one.half_life} days"
    yield "    source: guess"


def _possible(
    draft: DrawnUp, when: Sequence[DraftedAct], then: Sequence[DraftedAct], back: bool
) -> tuple[Sequence[DraftedAct], Sequence[DraftedAct]]:
    """Those that some pair of actors can do and answer by the drafted moves."""
    if not draft.counts:
        return when, then
    can = {(a, deed.name, b) for a, deed, to in draft.moves() for b in to}
    links = [
        (first, second)
        for first in when
        for second in then
        if any((b, second.name, a) in can if back else (a, second.name, b) in can for a, k, b in can if k == first.name)
    ]
    return [one for one in when if any(one is a for a, _ in links)], [
        one for one in then if any(one is b for _, b in links)
    ]


def _percent(numbers: Counter[str]) -> dict[str, int]:
    """Whole per cents that sum to 100, of the largest remainders; none of 0."""
    exact = {one: 100 * number / numbers.total() for one, number in numbers.items()}
    whole = {one: max(int(share), 1) for one, share in exact.items()}
    by_rest = sorted(exact, key=lambda one: (whole[one] - exact[one], one))
    for i in range(100 - sum(whole.values())):
        whole[by_rest[i % len(by_rest)]] += 1
    if (over := sum(whole.values()) - 100) > 0:
        whole[max(whole, key=lambda one: whole[one])] -= over
    return whole


def _standoffs(found: Thresholds) -> Iterator[str]:
    yield from _comment(
        "When hostile acts are a standoff. They heat a score that fades, and half of the days of this record have one "
        f"of {found.usual:.3g} or more. What is usual is no standoff: what opens and closes one, 6 and 2 by default, "
        "stands on top of that."
    )
    yield f"standoffs: {{opens_at: {found.opens_at:.3g}, closes_at: {found.closes_at:.3g}}}"


def _questions(draft: DrawnUp) -> Iterator[str]:
    hostile = [deed for deed in draft.deeds if deed.tone == "hostile"]
    asked = hostile[-2:] or [*draft.deeds][:2]
    yield "# What you want to know of every run. ASKED: the outcome that you would warn of."
    yield "outcomes:"
    for deed in asked:
        yield f"  {deed.name}: {{title: {_quoted(f'{deed.title} (a year)')}, count: {{does: {deed.name}}}}}"
    answers = _answers(draft)
    back = next((one for one in answers if one.who == "y"), answers[0])
    yield ""
    yield "# What if? `powderkeg compare FILE no_answers`"
    yield "interventions:"
    yield (
        f"  no_answers: {{title: {_quoted(f'What if it were not so: {back.title}')}, "
        f"set: {{mechanisms.{back.name}.answers: 0}}}}"
    )
    if len(draft.actors) > 2:
        name, last = [*draft.actors.items()][2]
        yield f"  without_{last}: {{title: {_quoted(f'Without {name}')}, remove: [{last}]}}"


def _filled(opening: str, items: Sequence[str], closing: str, indent: int) -> Iterator[str]:
    """A list or mapping on one line, or broken between its items where it is too long for one."""
    line = opening
    for i, item in enumerate(items):
        piece = item + (closing if i == len(items) - 1 else ",")
        if i and len(line) + 1 + len(piece) > WIDTH:
            yield line
            line = " " * indent + piece
        else:
            line = f"{line} {piece}" if i else line + piece
    yield line


def _quoted(text: str) -> str:
    """A text as YAML takes it in every place."""
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str, indent: str = "") -> Iterable[str]:
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return wrap(clean, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False)
