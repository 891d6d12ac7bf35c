"""What does a scenario say, section by section, field by field?

Everything in a scenario file is declared here once: what a field holds, its unit and range, its default, and what it
means. Parsing, faults, dump, the resolved form, the JSON Schema and the field reference in docs/scenario.md follow.
All durations are in days, rates in events/day, shares are fractions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from powderkeg.formats import KINDS as FORMAT_KINDS
from powderkeg.reading import (
    DURATION,
    GUESS,
    NUMBER,
    RATE,
    SHARE,
    SOURCE,
    YEARS,
    Amount,
    ByKey,
    ByName,
    Choice,
    Day,
    DayOfYear,
    Flag,
    Matching,
    Name,
    Node,
    Quantity,
    Reader,
    Real,
    RecordKind,
    Reference,
    Scalar,
    Several,
    Slip,
    Version,
    Wrong,
    declare,
    listed,
    said,
)
from powderkeg.scenario.asked import HURTS, INTERVENTION, LONG, OUTCOME, SHORT, Intervention, Outcome
from powderkeg.scenario.covariates import COVARIATE, Covariate
from powderkeg.scenario.deaths import DEATHS, DeathLaw
from powderkeg.scenario.kinds import (
    ConditionKind,
    Effects,
    LevelKind,
    PatternKind,
    TiePatternKind,
    Who,
)
from powderkeg.scenario.language import (
    ANY,
    TIE_VERBS,
    VARIABLES,
    AnswerShare,
    Condition,
    FactEffect,
    HalfLife,
    Pattern,
    TiePattern,
    reserved_words,
)
from powderkeg.scenario.leaders import countries
from powderkeg.scenario.shares import LEAST_BUILD_UP, AnswersKind, BuildUp, HalfLives
from powderkeg.scenario.showing import REPORTING, Reporting
from powderkeg.showing import ShowsItself
from powderkeg.wording import counted

VERSION: Final = Version(1)
FACTOR: Final = Amount(SHARE, least=0.0, certain=(0.0, 1.0))
MOVES: Final = Several(Reference("move"))
EVENT_SOURCES: Final = (*FORMAT_KINDS, "any")
LED: Final = countries()
FIRST_HEAT: Final = {**dict.fromkeys((10, 11, 12, 13), 1.0), **dict.fromkeys((14, 15, 16, 17), 2.0),
                     **dict.fromkeys((18, 19, 20), 3.0)}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where numbers come from. Any value may name a source; the reserved name `guess` marks guesses."""

    title: str = declare(LONG, "What it is: author, year, title, or a sentence.")
    url: str | None = declare(
        Matching(r"https?://\S+", "an address that starts with http:// or https://"), "Where to find it.", default=None
    )


@dataclass(frozen=True)
class MatchRule:
    """Which names and codes in event data mean this actor."""

    names: tuple[str, ...] = declare(Several(SHORT), "Names as they stand in the data.", default=())
    patterns: tuple[str, ...] = declare(
        Several(SHORT), "Names with * for any letters, such as Police (Kosovo)*.", default=()
    )
    codes: tuple[str, ...] = declare(Several(SHORT), "Actor codes, or their beginnings with *.", default=())
    countries: tuple[str, ...] = declare(Several(SHORT), "Countries, by name or code.", default=())
    sectors: tuple[str, ...] = declare(Several(SHORT), "Sectors or roles, by name or code.", default=())
    leaders: tuple[str, ...] = declare(
        Several(Choice(LED)),
        "Heads of state and government of these countries (ISO codes; NATO, EUU, UNO), each while in office; the "
        "rule's other conditions do not bind them, its dates do.",
        default=(),
    )
    from_: date | None = declare(Day(), "First day on which the rule is good.", default=None, key="from")
    to: date | None = declare(Day(), "Last day on which the rule is good.", default=None)


def _match_rule(rule: MatchRule, reader: Reader, path: str) -> Iterator[Slip]:
    if not (rule.names or rule.patterns or rule.codes or rule.countries or rule.sectors or rule.leaders):
        expected = "at least one of names, patterns, codes, countries, sectors, leaders"
        yield Slip(None, "a rule that matches nothing", expected)
    if rule.from_ is not None and rule.to is not None and rule.from_ > rule.to:
        yield Slip("to", f"{rule.to}, before from", f"{rule.from_} or later")


@dataclass(frozen=True)
class Actor:
    """Who acts: a state, an institution, a group."""

    title: str = declare(SHORT, "The name in full, for tables and figures.", default="")
    about: str = declare(LONG, "Anything a reader should know.", default="")
    classes: tuple[str, ...] = declare(
        Several(Name(reserved_words())),
        "Classes it belongs to, such as [state]; a class can stand wherever an actor can.",
        default=(),
        key="is",
    )
    match: dict[str, tuple[MatchRule, ...]] = declare(
        ByName(Several(RecordKind(MatchRule, "match rule", _match_rule), least=1), "match rule", among=EVENT_SOURCES),
        "Which names and codes in event data mean this actor, by kind of data.",
        default={},
    )


@dataclass(frozen=True)
class Tie:
    """A standing relation between two actors. It can be cut or made like a fact with the levels absent and holds."""

    kind: str = declare(
        Name(),
        "patronage (in patterns: backs), alliance (allies), recognition (recognizes), presence (guards), "
        "rivalry (contests), or a verb of your own, such as supplies.",
    )
    from_: str = declare(Reference("actor"), "The actor that backs, recognizes, guards.", key="from")
    to: str = declare(Reference("actor"), "The actor that is backed, recognized, guarded.")
    holds: bool = declare(Flag(), "Whether it holds at the start.", default=True)
    title: str = declare(SHORT, "What it is, in words.", default="")
    source: str | None = declare(SOURCE, "Where this is known from.", default=None)


def _tie(tie: Tie, reader: Reader, path: str) -> Iterator[Slip]:
    if tie.from_ == tie.to:
        yield Slip("to", f"a tie from {tie.from_} to itself", "another actor")
    kinds = {verb: kind for kind, verb in TIE_VERBS.items()}
    if tie.kind in kinds:
        yield Slip("kind", f"{tie.kind!r}, the verb of {kinds[tie.kind]}", kinds[tie.kind], kinds[tie.kind])
    near = get_close_matches(tie.kind, TIE_VERBS, n=1, cutoff=0.85)
    if near and tie.kind not in TIE_VERBS:
        expected = f"{', '.join(TIE_VERBS)}, or a verb of your own that looks like none of these"
        yield Slip("kind", f"unknown kind of tie {tie.kind!r}", expected, near[0])


@dataclass(frozen=True)
class Fact:
    """What is the case. Acts set and clear facts; some come and some run out by themselves."""

    title: str = declare(SHORT, "What it means that it is so, in words.", default="")
    levels: tuple[str, ...] = declare(
        Several(Name(), alone=False, least=2), "Its levels; the first is the resting one.", default=("off", "on")
    )
    starts: str = declare(
        LevelKind(), "Its level at the start.", default="off", implied=lambda fact: fact.levels[0],
        spoken="its first level",
    )  # fmt: skip
    lasts: Quantity | None = declare(
        Amount(DURATION, above=0.0),
        "It runs out by itself: mean time at any level but the first before it falls back to the first.",
        default=None,
    )
    exactly: bool = declare(
        Flag(),
        "It runs out exactly after that time, counted anew whenever an act sets it again, and not on average.",
        default=False,
    )
    comes: Quantity | None = declare(
        Amount(RATE, above=0.0),
        "It comes by itself at this rate while it is off (facts of two levels only).",
        default=None,
    )
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _fact(fact: Fact, reader: Reader, path: str) -> Iterator[Slip]:
    if fact.starts not in fact.levels:
        near = reader.nearest(fact.starts, fact.levels)
        yield Slip("starts", f"unknown level {fact.starts!r}", f"one of {listed(fact.levels)}", near)
    if fact.exactly and fact.lasts is None:
        yield Slip("exactly", "true, of a fact that does not run out", "lasts: how long it lasts")
    if fact.comes is not None and len(fact.levels) != 2:
        yield Slip("comes", f"a fact of {len(fact.levels)} levels cannot come by itself", "two levels, or no comes")


class FactKind(RecordKind):
    """A fact; `roadblock: on` is answered with what says so."""

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        if isinstance(node, Scalar) and not node.is_null:
            is_level = node.text.isidentifier()
            raise Wrong(said(node), self.words, f"{{starts: {node.text}}}" if is_level else None)
        return super().read(node, path, reader)


@dataclass(frozen=True, kw_only=True)
class Act:
    """A kind of deed. Its name is a verb: threaten is used in patterns as `x threatens y`."""

    tone: str = declare(Choice(("hostile", "cooperative", "neutral")), "What it does to relations.")
    title: str = declare(SHORT, "The deed in words.", default="")
    cameo: str | None = declare(
        Matching(r"(?:0[1-9]|1\d|20)\d{0,2}", 'a CAMEO code such as "138", two to four digits'),
        "The CAMEO code of such events, in quotes to keep a leading zero for other tools.",
        default=None,
    )
    goldstein: Quantity | None = declare(
        Amount(NUMBER, least=-10.0, most=10.0), "Weight on the Goldstein scale, -10 to 10.", default=None
    )
    heat: float = declare(
        Real(NUMBER, least=0.0),
        "How much it counts towards a standoff.",
        default=0.0,
        implied=lambda act: _heat(act),
        spoken="0 unless hostile; CAMEO 10-13: 1, 14-17: 2, 18-20: 3; hostile without a code: 1",
    )
    hurts: str = declare(Choice(HURTS), "Whether people are hurt or killed.", default="none")
    deaths: DeathLaw | None = declare(
        DEATHS,
        "How many die in it, where that differs: a law.",
        default=None,
        spoken="one, where it says `hurts: death`",
    )
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _act(act: Act, reader: Reader, path: str) -> Iterator[Slip]:
    if act.deaths is not None and act.hurts != "death":
        yield Slip("deaths", f"how many die in an act that says hurts: {act.hurts}", "hurts: death beside it")


def _heat(act: Act) -> float:
    if act.tone != "hostile":
        return 0.0
    return FIRST_HEAT.get(int(act.cameo[:2]), 1.0) if act.cameo else 1.0


@dataclass(frozen=True)
class Season:
    """A yearly wave: 1 + swing * cos, highest on the peak day."""

    peak: tuple[int, int] = declare(DayOfYear(), "The day on which it is highest.")
    swing: Quantity = declare(Amount(SHARE, least=0.0, most=1.0), "How far it swings up and down around its mean.")


@dataclass(frozen=True)
class Profile:
    """How background rates vary in time."""

    title: str = declare(SHORT, "What it is, in words.", default="")
    steps: tuple[tuple[date, Quantity], ...] = declare(
        ByKey(Day(), FACTOR, least=0),
        "From each date on, rates are multiplied by this factor; before the first date, by the first factor.",
        default=(),
    )
    season: Season | None = declare(RecordKind(Season, "season"), "A yearly wave on top.", default=None)
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _profile(profile: Profile, reader: Reader, path: str) -> Iterator[Slip]:
    if not profile.steps and profile.season is None:
        yield Slip(None, "a profile that varies nothing", "steps, a season, or both")
    days = [day for day, _ in profile.steps]
    if days != sorted(days):
        yield Slip("steps", "dates out of order", "the earliest date first")


@dataclass(frozen=True)
class Move:
    """Who may do what to whom, how often of their own accord, and what it changes.

    Each ordered pair of different actors out of who and to makes one channel.
    """

    who: tuple[str, ...] = declare(Several(Who(), least=1), "Who does it: actors, classes, or any.")
    does: str = declare(Reference("act"), "The act.")
    to: tuple[str, ...] = declare(Several(Who(), least=1), "To whom: actors, classes, or any.")
    rate: Quantity = declare(
        Amount(RATE, least=0.0),
        "How often each pair does it unprovoked, while nothing forbids it.",
        default=Quantity(0.0),
        spoken="0 per year: only in answer to something",
    )
    varies: str | None = declare(Reference("profile"), "The profile its rate follows.", default=None)
    times: dict[str, dict[str, Quantity]] = declare(
        ByName(ByName(FACTOR, "target"), "source"),
        "How many times the rate single pairs do it, by who does it and to whom; 1 for all that are not named.",
        default={},
    )
    follows: dict[str, dict[str, str]] = declare(
        ByName(ByName(Reference("profile"), "target"), "source"),
        "The profile that single pairs follow in place of `varies`, by who does it and to whom.",
        default={},
    )
    given: tuple[TiePattern, ...] = declare(
        Several(TiePatternKind(("who", "to"))),
        "Ties that must hold between the two, such as who contests to.",
        default=(),
    )
    needs: tuple[Condition, ...] = declare(
        Several(ConditionKind()), "What must be the case for it to be possible.", default=()
    )
    forbids: tuple[Condition, ...] = declare(
        Several(ConditionKind()), "What must not be the case for it to be possible.", default=()
    )
    effects: tuple[FactEffect, ...] = declare(Effects(), "What it changes.", default=())
    title: str = declare(SHORT, "The move in words.", default="")
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _needs(item: Any, reader: Reader, path: str) -> Iterator[Slip]:
    for condition in item.needs:
        if condition in item.forbids:
            yield Slip("forbids", f"{str(condition)!r}, which it also needs", "one of the two")


def _move(move: Move, reader: Reader, path: str) -> Iterator[Slip]:
    yield from _needs(move, reader, path)
    yield from _pairs(move, reader)
    classes = reader.names.get("class")
    if classes is not None and move.who == move.to and len(move.who) == 1 and move.who[0] not in (*classes, ANY):
        yield Slip("to", f"{move.to[0]}, who also does it", "another actor")


def _pairs(move: Move, reader: Reader) -> Iterator[Slip]:
    """Pairs of `times` and `follows` are of actors that there are."""
    actors = reader.names.get("actor")
    if actors is None:
        return
    for key in ("times", "follows"):
        for source, row in getattr(move, key).items():
            for name, where in [(source, key), *((target, f"{key}.{source}") for target in row)]:
                if name not in actors:
                    yield Slip(where, f"unknown actor {name!r}", "an actor", reader.nearest(name, [*actors]))


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """An act makes other acts likelier. In patterns x, y, z and w stand for any actor, different letters for different
    actors; names of actors and classes stand for themselves."""

    when: tuple[Pattern, ...] = declare(Several(PatternKind(), least=1), "The act that sets it off (any of these).")
    then: tuple[AnswerShare, ...] = declare(
        AnswersKind(), "The acts that answer; several with their shares, or equally often."
    )
    answers: Quantity = declare(
        Amount(SHARE, least=0.0), "Mean number of direct answers to one act by each actor that can answer."
    )
    half_lives: tuple[HalfLife, ...] = declare(HalfLives(), "How soon the answers come.")
    build_up: Quantity = declare(BuildUp(), "How long answers take to get under way.", default=Quantity(0.0))
    given: tuple[TiePattern, ...] = declare(
        Several(TiePatternKind()), "Ties that must hold, such as z backs y (all of these).", default=()
    )
    needs: tuple[Condition, ...] = declare(
        Several(ConditionKind()), "What must be the case when the answer comes.", default=()
    )
    forbids: tuple[Condition, ...] = declare(
        Several(ConditionKind()), "What must not be the case when the answer comes.", default=()
    )
    title: str = declare(SHORT, "The mechanism in words.", default="")
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _mechanism(mechanism: Mechanism, reader: Reader, path: str) -> Iterator[Slip]:
    yield from _needs(mechanism, reader, path)
    if 0.0 < float(mechanism.build_up) < LEAST_BUILD_UP:
        yield Slip("build_up", f"{float(mechanism.build_up):g}", f"0, or from {LEAST_BUILD_UP:g} to 0.9")
    if float(mechanism.build_up) > 0.0 and len(mechanism.half_lives) > 1:
        yield Slip("build_up", "answers that build up, beside several half-lives", "one half_life")
    tied = {end for tie in mechanism.given if tie.holds for end in (tie.subject, tie.object)}
    asked = [end for tie in mechanism.given if not tie.holds for end in (tie.subject, tie.object) if end in VARIABLES]
    for when in mechanism.when:
        for answer in mechanism.then:
            bound = {when.subject, when.object, answer.pattern.subject, answer.pattern.object, *tied}
            for end in asked:
                if end not in bound:
                    found = f"{end}, who stands in no act and no tie that holds"
                    yield Slip("given", found, "a letter that stands in every `when` or `then`, or in another tie")
                    return


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A factor on moves or mechanisms while something is the case."""

    while_: Condition | None = declare(ConditionKind(), "What is the case.", key="while", default=None)
    with_: str | None = declare(
        Reference("covariate"),
        "In place of `while`: a covariate; rates are multiplied by the factor to the power of its value.",
        key="with",
        default=None,
    )
    factor: Quantity = declare(FACTOR, "What rates are multiplied by: below 1 deters, above 1 draws in, 0 forbids.")
    moves: tuple[str, ...] = declare(MOVES, "Moves it scales, both unprovoked and in answer.", default=())
    mechanisms: tuple[str, ...] = declare(
        Several(Reference("mechanism")), "Mechanisms whose answers it scales.", default=()
    )
    background: tuple[str, ...] = declare(MOVES, "Moves of which it scales only the unprovoked rate.", default=())
    title: str = declare(SHORT, "The gate in words.", default="")
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


def _gate(gate: Gate, reader: Reader, path: str) -> Iterator[Slip]:
    if (gate.while_ is None) == (gate.with_ is None):
        found = "both while and with" if gate.with_ is not None else "no while"
        yield Slip(None, found, "while: a fact, or with: a covariate")
    if gate.with_ is not None and float(gate.factor) <= 0:
        yield Slip("factor", "0 to the power of a covariate", "a factor above 0")
    if not (gate.moves or gate.mechanisms or gate.background):
        yield Slip(None, "a gate on nothing", "at least one of moves, mechanisms, background")


@dataclass(frozen=True)
class Calm:
    """Some acts cool others down for a while: each adds 1 to a level that fades; moves run at exp(-strength level)."""

    after: tuple[str, ...] = declare(Several(Reference("move"), least=1), "The moves that calm.")
    lowers: tuple[str, ...] = declare(Several(Reference("move"), least=1), "The moves that become rarer.")
    strength: Quantity = declare(Amount(NUMBER, least=0.0), "How strongly: 0.7 halves them, 2.3 makes them a tenth.")
    half_life: Quantity = declare(Amount(DURATION, above=0.0), "Half of the calm is gone after this time.")
    title: str = declare(SHORT, "The calm in words.", default="")
    source: str | None = declare(SOURCE, "Where its numbers come from.", default=None)


@dataclass(frozen=True)
class Standoffs:
    """What counts as a standoff: acts add heat, heat fades, a standoff opens and closes at thresholds."""

    among: tuple[str, ...] = declare(
        Several(Reference("actor")), "Acts count if both sides are among these.", default=(), spoken="all actors"
    )
    memory: Quantity = declare(
        Amount(DURATION, above=0.0), "Heat falls to 37 % after this time.", default=Quantity(7.0)
    )
    opens_at: Quantity = declare(Amount(NUMBER, above=0.0), "Heat at which one opens.", default=Quantity(6.0))
    closes_at: Quantity = declare(Amount(NUMBER, above=0.0), "Heat at which it closes.", default=Quantity(2.0))
    opened_by: tuple[str, ...] = declare(MOVES, "Moves that put a new bone of contention on the table.", default=())
    resolved_by: tuple[str, ...] = declare(MOVES, "Moves after which the bone of contention is gone.", default=())
    suspended_by: tuple[str, ...] = declare(MOVES, "Moves that freeze, postpone or replace it.", default=())
    chained_within: Quantity = declare(
        Amount(DURATION, least=0.0),
        "A new standoff this soon after the last act of one that nothing ended is its continuation.",
        default=Quantity(3.0),
    )


def _standoffs(standoffs: Standoffs, reader: Reader, path: str) -> Iterator[Slip]:
    opens, closes = float(standoffs.opens_at), float(standoffs.closes_at)
    if closes >= opens:
        yield Slip("closes_at", f"{closes:g}, not below opens_at", f"less than {opens:g}")
    for move in standoffs.resolved_by:
        if move in standoffs.suspended_by:
            yield Slip("suspended_by", f"{move!r}, which also stands in resolved_by", "one of the two")


@dataclass(frozen=True, kw_only=True)
class Scenario(ShowsItself):
    """A conflict system as data."""

    powderkeg: int = declare(VERSION, "The version of this format; the first line of every file.")
    name: str = declare(
        Matching(r"[a-z][a-z0-9_-]{0,63}", "a name of small letters, digits, _ and - that starts with a letter"),
        "Short name, for files and tables.",
    )
    title: str = declare(SHORT, "The title in full.", default="")
    about: str = declare(LONG, "What it is about, and what it leaves out.", default="")
    start: date = declare(Day(), "The day on which runs begin.")
    years: Quantity = declare(
        Amount(YEARS, above=0.0, most=1000.0), "How long a run is, in years.", default=Quantity(10.0)
    )
    sources: dict[str, Source] = declare(
        ByName(RecordKind(Source, "source"), "source", (GUESS,)), "Where the numbers come from.", default={}
    )
    actors: dict[str, Actor] = declare(ByName(RecordKind(Actor, "actor"), "actor", reserved_words()), "Who acts.")
    ties: dict[str, Tie] = declare(
        ByName(RecordKind(Tie, "tie", _tie), "tie"), "Standing relations between two actors.", default={}
    )
    facts: dict[str, Fact] = declare(ByName(FactKind(Fact, "fact", _fact), "fact"), "What is the case.", default={})
    acts: dict[str, Act] = declare(ByName(RecordKind(Act, "act", _act), "act"), "Kinds of deed.")
    profiles: dict[str, Profile] = declare(
        ByName(RecordKind(Profile, "profile", _profile), "profile"), "How background rates vary in time.", default={}
    )
    covariates: dict[str, Covariate] = declare(
        ByName(COVARIATE, "covariate"), "What changes on known days, whatever anybody does.", default={}
    )
    moves: dict[str, Move] = declare(ByName(RecordKind(Move, "move", _move), "move"), "Who may do what to whom.")
    mechanisms: dict[str, Mechanism] = declare(
        ByName(RecordKind(Mechanism, "mechanism", _mechanism), "mechanism"), "Which acts make which others likelier.",
        default={},
    )  # fmt: skip
    gates: dict[str, Gate] = declare(
        ByName(RecordKind(Gate, "gate", _gate), "gate"), "What the state of things does to rates.", default={}
    )
    calms: dict[str, Calm] = declare(
        ByName(RecordKind(Calm, "calm"), "calm"), "Which acts cool others down.", default={}
    )
    standoffs: Standoffs = declare(
        RecordKind(Standoffs, "standoffs", _standoffs), "What counts as a standoff.", default=Standoffs()
    )
    outcomes: dict[str, Outcome] = declare(ByName(OUTCOME, "outcome"), "Questions that every run answers.", default={})
    interventions: dict[str, Intervention] = declare(ByName(INTERVENTION, "intervention"), "What if.", default={})
    reporting: dict[str, Reporting] = declare(
        ByName(REPORTING, "reporting"),
        "What each source of events shows of what happens, by kind of event data (icews, gdelt, ...) or a name.",
        default={},
    )

    def __repr__(self) -> str:
        parts = (("actor", self.actors), ("act", self.acts), ("move", self.moves), ("mechanism", self.mechanisms))
        return f"Scenario({self.name}: {', '.join(counted(len(section), what) for what, section in parts)})"

    lines: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    """On which line of its file each key path stood; no part of what the scenario says."""


SCENARIO: Final = RecordKind(Scenario, "scenario", whole=False)
