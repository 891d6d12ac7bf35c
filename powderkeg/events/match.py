"""Which events are between the actors of a scenario, and which of its acts are they?

In: a scenario and an `EventTable`, or portions of one while files are read. Out: the table in the scenario's terms,
and a report: what matched what, what did not and how often, rules that match nothing, names that match twice.

An observed act becomes an act of the scenario by these steps, the first that answers:
1. its text is the name or title of an act of the scenario;
2. by code: of the scenario's acts with a CAMEO code of the same root (first two digits), the one whose code agrees with
   the observed CAMEO code in most leading digits; then the one whose code is shorter; then the one that stands first;
3. by class: of the acts of the same class (verbal or material, cooperation or conflict, by the root of their code; an
   act without code counts for both classes of its tone), the one nearest in Goldstein weight, then the first. A
   statement or comment (CAMEO root 01) is neutral: it goes only to a neutral act that has no code;
4. none: the row is dropped by the policy "act not matched".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events import prepare
from powderkeg.events.codes import entries, title
from powderkeg.events.table import EventTable
from powderkeg.events.times import EPOCH
from powderkeg.events.who import (
    ALIASES,
    ALWAYS,
    ActorRule,
    Described,
    Identification,
    Rulebook,
    answer,
    plain,
    rules_of,
)
from powderkeg.formats import KINDS, OWN

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario

NO_TARGET = "no target"
NOBODY = "neither side matched"
SOURCE_ONLY = "target not matched"
TARGET_ONLY = "source not matched"
NAMED_AS = {"text": "icews"}
"""Tables made of reports call everybody as that source does: Protester (Serbia)."""
WITHIN = "within one actor"
NO_ACT = "act not matched"
ELSEWHERE = "between others"
KEYS = ("", "_name", "_country", "_sectors")
FALLBACKS = ("class", "none")
MOST_NEAREST = 500
MOST_STRANGERS = 5
ENOUGH = 0.9


@dataclass(frozen=True)
class MatchReport:
    """What matched what.

    rows, kept  rows that were looked at, and that are between two actors of the scenario, by an act of it
    dropped     rows by policy
    matched     columns name, actor, rule, how, events (sides of rows: a row has two)
    unmatched   columns name, country, events, with_actor (events whose other side is an actor: what a further rule
                would win; with `touching`, one of those), nearest (the actor it may belong to); those with most
                `with_actor` first
    acts        columns code, title, cameo, act (null: none), how, events
    source      the kind of data whose match rules were held against them; csv: those of every kind
    unused      rules that match no name of these data
    twice       columns name, actor, rule, also, also_rule, tie (both rules are equally particular), events
    """

    rows: int
    kept: int
    dropped: Mapping[str, int]
    matched: pl.DataFrame
    unmatched: pl.DataFrame
    acts: pl.DataFrame
    source: str
    unused: tuple[str, ...]
    twice: pl.DataFrame

    def as_dict(self, most: int = 50) -> dict[str, Any]:
        """Plain data; of the unmatched names the first `most`, and how many there are."""
        return {
            "rows": self.rows,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "matched": self.matched.to_dicts(),
            "unmatched": self.unmatched.head(most).to_dicts(),
            "unmatched_names": self.unmatched.height,
            "acts": self.acts.to_dicts(),
            "source": self.source,
            "unused_rules": list(self.unused),
            "matched_twice": self.twice.to_dicts(),
        }


def match(
    scenario: Scenario,
    table: EventTable,
    aliases: str | Path | Mapping[str, str] | None = None,
    *,
    source: str | None = None,
    acts: str = "class",
    doubles: Sequence[str] = (),
    touching: Sequence[str] = (),
) -> tuple[EventTable, MatchReport]:
    """The events between the actors of a scenario, in its terms, and what matched what.

    aliases  a user's own names: a CSV file with columns name, actor (and from, to), or a mapping
    source   whose match rules to use (icews, keds, ...); unless given those of the table's format, and for a table of
             the user's own those that alone match nearly all that any rules match, or else the rules of every source
    acts     "class": an act without an act of like code becomes the nearest of its class; "none": it is dropped
    doubles  policies of DOUBLES that drop rows after matching
    touching actors of the scenario: only events with at least one of them on a side are kept
    """
    return match_with(Matcher(scenario, aliases, acts=acts, touching=touching), table, source=source, doubles=doubles)


def match_with(
    matcher: Matcher, table: EventTable, *, source: str | None = None, doubles: Sequence[str] = ()
) -> tuple[EventTable, MatchReport]:
    """The same, with rules that were read before."""
    if source is not None and source not in KINDS:
        raise UsageError(Fault.at("source", repr(source), f"one of {', '.join(KINDS)}"))
    told = table.account.get("format", OWN.name)
    since = float((table.start - EPOCH).days)
    # Simulated events hold their names as enumerations, each its own kind, which nothing else can be held against.
    names = [
        name for name in ("source", "act", "target", "mechanism") if isinstance(table.frame.schema.get(name), pl.Enum)
    ]
    frame = table.frame.with_columns(pl.col(names).cast(pl.Categorical), day=pl.col("time") + since)
    kinds = {"cameo": pl.String, "tone": pl.String, "goldstein": pl.Float64}
    frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame)
    told = told if isinstance(told, str) else OWN.name
    if NAMED_AS.get(told) in {rule.source for rule in matcher.rules}:
        told = NAMED_AS[told]
    frame, dropped = matcher.apply(frame, source or told)
    account: dict[str, Any] = dict(table.account)
    for policy in doubles:
        before = frame.height
        for book in account.get("codebooks") or ["cameo"] if policy == "mirrored" else [None]:
            whole = frame.rename({"day": "_moment"}).with_columns(day=pl.col("_moment").floor())
            frame = prepare.drop_doubles(whole, policy, book).drop("day").rename({"_moment": "day"})
        if before > frame.height:
            dropped = {**dropped, policy: dropped.get(policy, 0) + before - frame.height}
    if doubles:
        frame = frame.sort([name for name in ("replicate", "day") if name in frame.columns], maintain_order=True)
    frame = frame.drop("day")
    if "rows_kept" in account:
        before_all = account.get("rows_dropped", {})
        account["rows_dropped"] = {k: before_all.get(k, 0) + dropped.get(k, 0) for k in {**before_all, **dropped}}
        account["rows_kept"] = frame.height
    if matcher.touching:
        account["touching"] = list(matcher.touching)
    if strangers := matcher.strangers():
        account["strangers"] = strangers
    report = matcher.report()
    report = replace(report, kept=frame.height, dropped=dict(dropped))
    return replace(table, frame=frame, account=account), report


@dataclass
class _Sightings:
    """How often a description was met: on how many sides of rows, and with an actor on the other side."""

    events: int = 0
    with_actor: int = 0


@dataclass
class Matcher:
    """Match rules, applied to portions of rows; what they met is kept for `report`."""

    scenario: Scenario
    aliases: str | Path | Mapping[str, str] | None = None
    acts: str = "class"
    touching: Sequence[str] = ()
    rules: list[ActorRule] = field(init=False)
    rows: int = field(init=False, default=0)
    dropped: Counter[str] = field(init=False, default_factory=Counter)
    _answers: dict[tuple[str, Described], Identification] = field(init=False, default_factory=dict)
    _seen: dict[tuple[str, Described, str | None], _Sightings] = field(init=False, default_factory=dict)
    _guessed: str | None = field(init=False, default=None)
    _acts: dict[tuple[Any, ...], tuple[str | None, str]] = field(init=False, default_factory=dict)
    _act_counts: Counter[tuple[Any, ...]] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        if self.acts not in FALLBACKS:
            raise UsageError(Fault.at("acts", repr(self.acts), f"one of {', '.join(FALLBACKS)}"))
        self.touching = (self.touching,) if isinstance(self.touching, str) else tuple(self.touching)
        known = list(self.scenario.actors)
        expected = f"actors of {self.scenario.name}: {', '.join(known)}"
        faults = [
            Fault.at("touching", f"unknown actor {name!r}", expected, nearest_name(name, known))
            for name in self.touching
            if name not in known
        ]
        if faults:
            raise UsageError(faults)
        self.rules = rules_of(self.scenario, self.aliases)

    def apply(self, frame: pl.DataFrame, source: str) -> tuple[pl.DataFrame, dict[str, int]]:
        """The rows between actors of the scenario, in its terms; and how many others were dropped, by policy.

        frame   columns day (since 1970-01-01), source, target, code or act, cameo, tone, goldstein
        source  the kind of data, which says whose rules are good
        """
        self.rows += frame.height
        source = self._source(frame, source)
        keys = tuple(key for key in KEYS if f"source{key}" in frame.columns and f"target{key}" in frame.columns)
        frame = prepare.choose_actors(frame, self._lookup(frame, keys, source), keys)
        self._count(frame, keys, source)
        frame, dropped = _divide(frame)
        frame = self._act(frame)
        lost = frame["_act"].null_count()
        if lost:
            dropped[NO_ACT] = lost
            frame = frame.filter(pl.col("_act").is_not_null())
        if self.touching:
            sides = (pl.col(f"{side}_actor").cast(pl.String).is_in(self.touching) for side in ("source", "target"))
            near = frame.filter(pl.any_horizontal(*sides))
            if near.height < frame.height:
                dropped[ELSEWHERE] = frame.height - near.height
            frame = near
        self.dropped.update(dropped)
        return _in_terms(frame), dropped

    def report(self) -> MatchReport:
        """What was met so far."""
        used = {rule.path for one in self._answers.values() for rule in one.fitting}
        played = {rule.source for one in self._answers.values() for rule in one.fitting}
        played |= {source for source, _ in self._answers if source != OWN.name} | {ALIASES, "any"}
        told = [r for r in self.rules if "own name" not in r.path and ", leaders: " not in r.path]
        unused = [r.path for r in told if r.path not in used and r.source in played]
        return MatchReport(
            self.rows,
            self.rows - sum(self.dropped.values()),
            dict(self.dropped),
            self._matched(),
            self._unmatched(),
            self._acts_met(),
            self._guessed or next(iter({kind for kind, _ in self._answers}), OWN.name),
            tuple(unused),
            self._twice(),
        )

    def strangers(self) -> dict[str, list[dict[str, Any]]]:
        """Names and acts of the data that are none of the scenario's, those first that win most events; {} without any.

        Each with its events and the nearest name that the scenario has, or None; MOST_STRANGERS of a kind, of which
        `report` has all.
        """
        met: dict[str, dict[str, tuple[int, int]]] = {"actors": {}, "acts": {}}
        for (source, one, actor), seen in self._seen.items():
            if actor is None and any(span.rule is None for span in self._answers[source, one].spans):
                beside, events = met["actors"].get(_shown(one), (0, 0))
                met["actors"][_shown(one)] = (beside + seen.with_actor, events + seen.events)
        for key, number in self._act_counts.items():
            if self._acts[key][0] is None:
                name = str(key[0] or key[1] or "")
                met["acts"][name] = (met["acts"].get(name, (0, 0))[0] + number, 0)
        known = {"actors": list(self.scenario.actors), "acts": list(self.scenario.acts)}
        found: dict[str, list[dict[str, Any]]] = {}
        for kind, counts in met.items():
            ranked = sorted((-beside, -events, name) for name, (beside, events) in counts.items())
            shown = [name for _, _, name in ranked[:MOST_STRANGERS]]
            if shown:
                found[kind] = [
                    {"name": name, "events": max(counts[name]), "nearest": nearest_name(name, known[kind])}
                    for name in shown
                ]
        return found

    def _source(self, frame: pl.DataFrame, source: str) -> str:
        """For a table of the user's own: the kind of data whose rules alone match nearly all that any rules match."""
        if source in KINDS and source != OWN.name:
            return source
        if self._guessed is None and frame.height:
            keys = tuple(key for key in KEYS if f"source{key}" in frame.columns and f"target{key}" in frame.columns)
            names = [f"source{key}" for key in keys]
            counted = frame.group_by(names).agg(events=pl.len())
            won: Counter[str] = Counter()
            book = Rulebook(self.rules)
            for *values, events in counted.iter_rows():
                one = _described(keys, values)
                fitting = {rule.source for rule in answer(one, book).fitting} if one.who else set()
                won.update(dict.fromkeys(fitting, events))
                won["all"] += events if fitting else 0
            likely = max((kind for kind in KINDS if kind != OWN.name), key=lambda kind: won[kind])
            self._guessed = likely if won[likely] and won[likely] >= ENOUGH * won["all"] else OWN.name
        return self._guessed or OWN.name

    def _rules_for(self, source: str) -> list[ActorRule]:
        if source not in KINDS or source == OWN.name:
            return self.rules
        own = (OWN.name,) if self._guessed == source else ()
        return [rule for rule in self.rules if rule.source in (source, "any", ALIASES, *own)]

    def _lookup(self, frame: pl.DataFrame, keys: tuple[str, ...], source: str) -> pl.DataFrame:
        """Who everybody in these rows is. Only new descriptions are held against the rules."""
        rules = self._rules_for(source)
        described = _descriptions(frame, keys)
        rows: list[tuple[Any, ...]] = []
        book = Rulebook(rules)
        timed = any(rule.first > ALWAYS[0] or rule.last < ALWAYS[1] for rule in rules)
        for values in described.iter_rows():
            one = _described(keys, values)
            known = self._answers.get((source, one))
            if known is None:
                known = self._answers[source, one] = answer(one, book)
            for span in known.spans:
                if timed or span.rule is not None:
                    rows.append((*values, span.rule.actor if span.rule else None, span.first, span.last))
        schema = {
            **{f"who{key}": pl.String for key in keys},
            "actor": pl.String,
            "first": pl.Float64,
            "last": pl.Float64,
        }
        lookup = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("actor").cast(pl.Categorical))
        return lookup if timed else lookup.drop("first", "last")

    def _count(self, frame: pl.DataFrame, keys: tuple[str, ...], source: str) -> None:
        for side, other in (("source", "target"), ("target", "source")):
            names = [f"{side}{key}" for key in keys]
            matched = pl.col(f"{other}_actor").is_not_null()
            if self.touching:
                matched = pl.col(f"{other}_actor").cast(pl.String).is_in(self.touching).fill_null(False)
            counted = frame.group_by(*names, f"{side}_actor").agg(events=pl.len(), with_actor=matched.sum())
            for *values, actor, events, with_actor in counted.iter_rows():
                one = _described(keys, values)
                if one.who:
                    seen = self._seen.setdefault((source, one, actor), _Sightings())
                    seen.events += events
                    seen.with_actor += with_actor

    def _act(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add `_act`, the act of the scenario."""
        code = "code" if "code" in frame.columns else "act"
        text = "act" if "act" in frame.columns else code
        names = list(dict.fromkeys([text, code, "cameo", "tone", "goldstein"]))
        counted = frame.group_by(names).agg(events=pl.len())
        found: list[str | None] = []
        for row in counted.iter_rows(named=True):
            key = (row[text], row[code], row["cameo"], row["tone"], row["goldstein"])
            if key not in self._acts:
                self._acts[key] = scenario_act(
                    self.scenario, row[text], row["cameo"], row["tone"], row["goldstein"], self.acts
                )
            self._act_counts[key] += row["events"]
            found.append(self._acts[key][0])
        known = counted.with_columns(_act=pl.Series(found, dtype=pl.String).cast(pl.Categorical)).drop("events")
        return frame.join(known, on=names, how="left", nulls_equal=True, maintain_order="left")

    def _matched(self) -> pl.DataFrame:
        events: Counter[tuple[str, str, str, str]] = Counter()
        for (source, one, actor), seen in self._seen.items():
            if actor is not None:
                span = next(
                    span
                    for span in self._answers[source, one].spans
                    if span.rule is not None and span.rule.actor == actor
                )
                assert span.rule is not None
                events[_shown(one), actor, span.rule.path, span.how] += seen.events
        rows = [(*key, number) for key, number in events.items()]
        schema = {"name": pl.String, "actor": pl.String, "rule": pl.String, "how": pl.String, "events": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row").sort(
            "events", "name", "actor", descending=[True, False, False]
        )

    def _unmatched(self) -> pl.DataFrame:
        """Names that are nobody; not those that an alias says are nobody."""
        found: dict[tuple[str, str], _Sightings] = {}
        for (source, one, actor), seen in self._seen.items():
            if actor is None and any(span.rule is None for span in self._answers[source, one].spans):
                total = found.setdefault((_shown(one), one.country), _Sightings())
                total.events += seen.events
                total.with_actor += seen.with_actor
        rows = [(name, country or None, s.events, s.with_actor) for (name, country), s in found.items()]
        schema = {"name": pl.String, "country": pl.String, "events": pl.Int64, "with_actor": pl.Int64}
        table = pl.DataFrame(rows, schema=schema, orient="row")
        table = table.sort("with_actor", "events", "name", "country", descending=[True, True, False, False])
        nearest = self._nearest(table.head(MOST_NEAREST))
        return table.with_columns(nearest=pl.Series(nearest + [None] * (table.height - len(nearest)), dtype=pl.String))

    def _nearest(self, table: pl.DataFrame) -> list[str | None]:
        """The actor whose names share most words with this one; a word that several actors share says little."""
        words: dict[str, Counter[str]] = {}
        for _, one, actor in self._seen:
            if actor is not None:
                for word in _words(f"{_shown(one)} {one.country}"):
                    words.setdefault(word, Counter())[actor] += 1
        found: list[str | None] = []
        for name, country in table.select("name", "country").iter_rows():
            score: dict[str, float] = {}
            for word in _words(f"{name} {country or ''}"):
                actor, number = words[word].most_common(1)[0] if word in words else ("", 0)
                share = number / words[word].total() if number else 0.0
                if share > 0.75:
                    score[actor] = score.get(actor, 0.0) + share
            best = max(score.values(), default=0.0)
            names = [actor for actor, value in score.items() if value == best]
            found.append(names[0] if len(names) == 1 else None)
        return found

    def _acts_met(self) -> pl.DataFrame:
        rows = []
        for (text, code, cameo, _, _), number in self._act_counts.items():
            act, how = self._acts[next(k for k in self._acts if k[:3] == (text, code, cameo))]
            rows.append((code, title(cameo, "cameo") if cameo else text, cameo, act, how, number))
        schema = {
            "code": pl.String, "title": pl.String, "cameo": pl.String, "act": pl.String, "how": pl.String,
            "events": pl.Int64,
        }  # fmt: skip
        table = pl.DataFrame(rows, schema=schema, orient="row")
        keys = ["code", "title", "cameo", "act", "how"]
        return table.group_by(keys).agg(pl.col("events").sum()).sort("events", *keys, descending=[True, *[False] * 5])

    def _twice(self) -> pl.DataFrame:
        rows: dict[tuple[Any, ...], int] = {}
        for (source, one, _), seen in self._seen.items():
            for rule, _, winner, tie in self._answers[source, one].also:
                row = (_shown(one), winner.actor, winner.path, rule.actor, rule.path, tie)
                rows[row] = rows.get(row, 0) + seen.events
        schema = {
            "name": pl.String, "actor": pl.String, "rule": pl.String, "also": pl.String, "also_rule": pl.String,
            "tie": pl.Boolean, "events": pl.Int64,
        }  # fmt: skip
        table = pl.DataFrame([(*row, number) for row, number in rows.items()], schema=schema, orient="row")
        names = [name for name in schema if name not in ("tie", "events")]
        return table.sort("tie", "events", *names, descending=[True, True, *[False] * len(names)])


def scenario_act(
    scenario: Scenario, text: str | None, cameo: str | None, tone: str | None, goldstein: float | None, fallback: str
) -> tuple[str | None, str]:
    """The act of the scenario that an observed act is, and how that was found (see the steps at the top)."""
    own = plain(text or "")
    for name, act in scenario.acts.items():
        if own and own in (plain(name), plain(act.title)):
            return name, "its name"
    if cameo is not None:
        best: tuple[int, int] | None = None
        chosen = None
        for name, act in scenario.acts.items():
            if act.cameo and act.cameo[:2] == cameo[:2]:
                agreeing = next((i for i, (a, b) in enumerate(zip(act.cameo, cameo, strict=False)) if a != b), None)
                agreeing = min(len(act.cameo), len(cameo)) if agreeing is None else agreeing
                score = (agreeing, -len(act.cameo))
                if best is None or score > best:
                    best, chosen = score, name
        if chosen is not None and best is not None:
            return chosen, f"code {cameo[: best[0]]}"
    if fallback == "none" or tone is None:
        return None, "none"
    neutral = tone == "verbal cooperation" and (cameo or "")[:2] == "01"
    return _by_class(scenario, "neutral" if neutral else tone, goldstein)


def _by_class(scenario: Scenario, wanted: str, goldstein: float | None) -> tuple[str | None, str]:
    best: tuple[float, int] | None = None
    chosen = None
    for order, (name, act) in enumerate(scenario.acts.items()):
        if wanted not in _classes(act.tone, act.cameo):
            continue
        known = entries("cameo").get(act.cameo) if act.cameo else None
        weight = float(act.goldstein) if act.goldstein is not None else known.goldstein if known else None
        distance = abs(weight - goldstein) if weight is not None and goldstein is not None else float("inf")
        if best is None or (distance, order) < best:
            best, chosen = (distance, order), name
    return (chosen, f"class {wanted}") if chosen is not None else (None, "none")


def _classes(tone: str, cameo: str | None) -> tuple[str, ...]:
    if tone == "neutral":
        # A refusal may be neutral in a scenario and still is no mere statement.
        return () if cameo else ("neutral",)
    root = int(cameo[:2]) if cameo else 0
    if tone == "hostile":
        return ("verbal conflict", "material conflict") if not root else (
            ("verbal conflict",) if root <= 13 else ("material conflict",))  # fmt: skip
    if not root:
        return ("verbal cooperation", "material cooperation")
    return ("verbal cooperation",) if root <= 5 else ("material cooperation",)


def _descriptions(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Every way in which a side is described, once; what is missing is the empty text."""
    sides = [
        frame.select(pl.col(f"{side}{key}").alias(f"who{key}") for key in keys).unique()
        for side in ("source", "target")
    ]
    filled = pl.concat(sides).unique().with_columns(pl.all().cast(pl.String).fill_null(""))
    return filled.filter(pl.col("who") != "").sort(pl.all())


def _described(keys: tuple[str, ...], values: Sequence[str | None]) -> Described:
    fields = {key.removeprefix("_") or "who": value or "" for key, value in zip(keys, values, strict=True)}
    return Described(**fields)


def _divide(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows between two different actors; and how many others there are, by policy."""
    source, target = pl.col("source_actor").is_not_null(), pl.col("target_actor").is_not_null()
    why = (
        pl.when(~source & ~target).then(pl.lit(NOBODY))
        .when(~source).then(pl.lit(TARGET_ONLY))
        .when(pl.col("target").is_null()).then(pl.lit(NO_TARGET))
        .when(~target).then(pl.lit(SOURCE_ONLY))
        .when(pl.col("source_actor") == pl.col("target_actor")).then(pl.lit(WITHIN))
    )  # fmt: skip
    reasons = frame.select(why=why)["why"]
    if reasons.null_count() == frame.height:
        return frame, {}
    counts = {reason: number for reason, number in reasons.value_counts().iter_rows() if reason is not None}
    return frame.filter(reasons.is_null()), counts


def _in_terms(frame: pl.DataFrame) -> pl.DataFrame:
    """Actors and act of the scenario in the columns source, act and target; the data's own words beside them."""
    for side in ("source", "target"):
        own = f"{side}_code" if f"{side}_name" in frame.columns else f"{side}_name"
        frame = frame.rename({side: own}).rename({f"{side}_actor": side})
    if "code" not in frame.columns:
        frame = frame.rename({"act": "code"})
    return frame.drop("act", strict=False).rename({"_act": "act"})


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"\W+", plain(text)) if len(word) > 3}


def _shown(one: Described) -> str:
    return f"{one.who} {one.name}" if one.name and one.name != one.who else one.who
