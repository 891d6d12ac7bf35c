"""Which actor of a scenario is this name in the data?

In: the match rules of a scenario's actors, a user's own aliases, and what the data say of an actor (name, code,
country, sectors; the last two, where there are no columns for them, from a code such as SRBGOV or a name such as
Police (Kosovo)). Out: the actor, by which rule, and from when to when; and what else would have matched.

A rule fits if one of its names, patterns or codes fits (where it has any), and its countries, sectors and dates fit too
(where it has any). Of several rules that fit, the most particular wins: an alias, then a name in full, a code in full,
a pattern, and last a country or sector alone; then the rule with more conditions; then the one that stands first.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from powderkeg.errors import EventError, Fault, nearest_name
from powderkeg.events.times import EPOCH
from powderkeg.scenario.leaders import leaders

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario
    from powderkeg.scenario.declared import MatchRule

ALWAYS = (float("-inf"), float("inf"))
RANKS = ("alias", "name", "code", "pattern", "country or sector")
ALIASES = "aliases"
_LETTERS = str.maketrans({"đ": "dj", "Đ": "dj", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "ı": "i", "ß": "ss", "’": "'"})


@dataclass(frozen=True)
class Described:
    """What the data say of one side of an event; `who` is the column source (target) itself."""

    who: str
    name: str = ""
    country: str = ""
    sectors: str = ""


@dataclass(frozen=True)
class ActorRule:
    """One match rule. `path` says where it stands: actors.kosovo.match.icews rule 2."""

    actor: str | None
    source: str
    path: str
    names: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    countries: frozenset[str] = frozenset()
    sectors: frozenset[str] = frozenset()
    first: float = ALWAYS[0]
    last: float = ALWAYS[1]

    @cached_property
    def conditions(self) -> int:
        """How many kinds of condition narrow the rule."""
        dated = self.first > ALWAYS[0] or self.last < ALWAYS[1]
        return bool(self.names or self.patterns or self.codes) + bool(self.countries) + bool(self.sectors) + dated

    @cached_property
    def _globs(self) -> re.Pattern[str] | None:
        parts = [_glob(one) for one in self.patterns]
        return re.compile("|".join(parts)) if parts else None

    @cached_property
    def _code_globs(self) -> re.Pattern[str] | None:
        parts = [_glob(one) for one in self.codes if "*" in one]
        return re.compile("|".join(parts)) if parts else None

    def rank(self, one: ComparedNames) -> int | None:
        """How the rule fits, as an index into RANKS; None if it does not."""
        if self.countries and one.country not in self.countries:
            return None
        if self.sectors and not (self.sectors & one.sectors):
            return None
        if not (self.names or self.patterns or self.codes):
            return 4
        if one.names & self.names:
            return 0 if self.source == ALIASES else 1
        if one.code in self.codes:
            return 2
        if self._globs is not None and any(self._globs.fullmatch(name) for name in one.names):
            return 3
        if self._code_globs is not None and self._code_globs.fullmatch(one.code):
            return 3
        return None


@dataclass(frozen=True)
class ComparedNames:
    """What is compared: without case, accents and doubled spaces."""

    names: frozenset[str]
    code: str
    country: str
    sectors: frozenset[str]


class Rulebook:
    """Rules in order, found by name or code where they have no patterns: thousands of actors cost no more than few."""

    def __init__(self, rules: Iterable[ActorRule]) -> None:
        self.rules = list(rules)
        self._named: dict[str, list[int]] = {}
        self._coded: dict[str, list[int]] = {}
        self._rest: list[int] = []
        for order, rule in enumerate(self.rules):
            if rule.patterns or any("*" in code for code in rule.codes) or not (rule.names or rule.codes):
                self._rest.append(order)
                continue
            for name in rule.names:
                self._named.setdefault(name, []).append(order)
            for code in rule.codes:
                self._coded.setdefault(code, []).append(order)

    def candidates(self, one: ComparedNames) -> list[int]:
        """Positions of the rules that may fit, in order: all those that do, and few others."""
        found = set(self._rest)
        for name in one.names:
            found.update(self._named.get(name, ()))
        found.update(self._coded.get(one.code, ()))
        return sorted(found)


@dataclass(frozen=True)
class Span:
    """Who it is from one day to another (days since 1970-01-01, both counted); `rule` None: nobody."""

    first: float
    last: float
    rule: ActorRule | None
    how: str


@dataclass(frozen=True)
class Identification:
    """Who it is, over time; and the rules of other actors that fit too: (rule, how, the winner, equally particular)."""

    spans: tuple[Span, ...]
    also: tuple[tuple[ActorRule, str, ActorRule, bool], ...]
    fitting: tuple[ActorRule, ...]


def rules_of(scenario: Scenario, aliases: str | Path | Mapping[str, str] | None = None) -> list[ActorRule]:
    """All rules: the user's aliases, the scenario's, and for each actor its own name and title in full.

    Raises EventError for aliases that name no actor of the scenario.
    """
    found = list(_alias_rules(scenario, aliases)) if aliases is not None else []
    for name, actor in scenario.actors.items():
        for source, rules in actor.match.items():
            for number, rule in enumerate(rules, start=1):
                path = f"actors.{name}.match.{source}" + (f" rule {number}" if len(rules) > 1 else "")
                found += _rules_as_written(name, source, path, rule)
                found += _rules_of_leaders(name, source, path, rule)
    for name, actor in scenario.actors.items():
        own = frozenset(plain(text) for text in (name, actor.title) if text)
        found.append(ActorRule(name, "any", f"actors.{name}: its own name", own))
    return found


def _rules_as_written(actor: str, source: str, path: str, rule: MatchRule) -> Iterator[ActorRule]:
    if rule.names or rule.patterns or rule.codes or rule.countries or rule.sectors:
        yield ActorRule(
            actor,
            source,
            path,
            frozenset(map(plain, rule.names)),
            tuple(map(plain, rule.patterns)),
            tuple(map(plain, rule.codes)),
            frozenset(map(plain, rule.countries)),
            frozenset(map(plain, rule.sectors)),
            *_span_of(rule.from_, rule.to),
        )


def _rules_of_leaders(actor: str, source: str, path: str, rule: MatchRule) -> Iterator[ActorRule]:
    """One rule a person who led one of the rule's countries, from the first day in office to the last."""
    terms = [leader for leader in leaders() if leader.country in rule.leaders]
    for leader in terms:
        first = max(leader.first, rule.from_ or leader.first)
        ends = [day for day in (leader.last, rule.to) if day is not None]
        last = min(ends) if ends else None
        if last is None or first <= last:
            names = frozenset(map(plain, leader.names))
            told = f"{path}, leaders: {leader.names[0]}"
            span = _span_of(first, last)
            yield ActorRule(actor, source, told, names, (), (), frozenset(), frozenset(), *span)


def _span_of(first: date | None, last: date | None) -> tuple[float, float]:
    """Days since 1970. Both days count, and a stamp within the last day too."""
    return (
        ALWAYS[0] if first is None else float((first - EPOCH).days),
        ALWAYS[1] if last is None else float((last - EPOCH).days) + 1 - 1e-9,
    )


def answer(described: Described, rules: Iterable[ActorRule] | Rulebook) -> Identification:
    """Who this is, by these rules."""
    book = rules if isinstance(rules, Rulebook) else Rulebook(rules)
    one = _plain(described)
    fits = []
    for order in book.candidates(one):
        rule = book.rules[order]
        rank = rule.rank(one)
        if rank is not None:
            fits.append((rank, -rule.conditions, order, rule))
    fits.sort(key=lambda fit: fit[:3])
    if not fits:
        return Identification((Span(*ALWAYS, None, ""),), (), ())
    also = []
    first = fits[0]
    for rank, conditions, _, rule in fits[1:]:
        together = rule.first <= first[3].last and first[3].first <= rule.last
        if rule.actor != first[3].actor and together:
            also.append((rule, RANKS[rank], first[3], (rank, conditions) == first[:2]))
    return Identification(_spans(fits), tuple(also), tuple(fit[3] for fit in fits))


def plain(text: str) -> str:
    """A text as it is compared: no case, no accents, single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return " ".join(text.split()).casefold()


def bracketed(name: str) -> str:
    """The country that a name carries in brackets at its end, as ICEWS names do: Police (Kosovo) -> Kosovo."""
    found = re.search(r"\(([^()]+)\)\s*$", name)
    return found.group(1) if found else ""


def _plain(described: Described) -> ComparedNames:
    country = described.country or bracketed(described.who)
    sectors = re.split(r"[,;/]", described.sectors) if described.sectors else []
    if not country and not sectors and re.fullmatch(r"(?:[A-Z]{3})+", described.who):
        # CAMEO and KEDS codes are built of parts of three letters: country or group, then roles.
        country, *sectors = re.findall("...", described.who)
        sectors.append(country)
    return ComparedNames(
        frozenset(plain(text) for text in (described.who, described.name) if text),
        plain(described.who),
        plain(country),
        frozenset(plain(text) for text in sectors),
    )


def _spans(fits: list[tuple[int, int, int, ActorRule]]) -> tuple[Span, ...]:
    """For every stretch of time the first rule that is good in it."""
    edges = {ALWAYS[0]}
    for *_, rule in fits:
        if rule.first > ALWAYS[0]:
            edges.add(rule.first)
        if rule.last < ALWAYS[1]:
            edges.add(round(rule.last + 1e-9))
    starts = sorted(edges)
    spans: list[Span] = []
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        last = ALWAYS[1] if following is None else following - 1e-9
        good = next(((r, rule) for r, _, _, rule in fits if rule.first <= start and last <= rule.last), None)
        spans.append(Span(start, last, good[1], RANKS[good[0]]) if good else Span(start, last, None, ""))
    return tuple(spans)


def _glob(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))


def _alias_rules(scenario: Scenario, aliases: str | Path | Mapping[str, str]) -> Iterable[ActorRule]:
    """One rule for each line of the user's file. An empty actor means: this name is none of the actors."""
    faults: list[Fault] = []
    file = None if isinstance(aliases, Mapping) else str(aliases)
    for line, row in _alias_rows(aliases):
        name, actor = (row.get("name") or "").strip(), (row.get("actor") or "").strip()
        days = {}
        for key in ("from", "to"):
            text = (row.get(key) or "").strip()
            try:
                days[key] = float((date.fromisoformat(text) - EPOCH).days) if text else None
            except ValueError:
                faults.append(Fault(file, line, key, repr(text), "a day such as 2018-06-01"))
        if not name:
            faults.append(Fault(file, line, "name", "no name", "the name as it stands in the data"))
        elif actor and actor not in scenario.actors:
            expected = f"an actor of this scenario: {', '.join(scenario.actors)}; or nothing, for none of them"
            nearest = nearest_name(actor, scenario.actors)
            faults.append(Fault(file, line, "actor", f"unknown actor {actor!r}", expected, nearest))
        else:
            first, last = days.get("from"), days.get("to")
            yield ActorRule(
                actor or None, ALIASES, f"{file or ALIASES}{f':{line}' if line else ''}",
                frozenset({plain(name)}) if "*" not in name else frozenset(),
                (plain(name),) if "*" in name else (),
                first=ALWAYS[0] if first is None else first,
                last=ALWAYS[1] if last is None else last + 1 - 1e-9,
            )  # fmt: skip
    if faults:
        raise EventError(faults, "nothing was matched")


def _alias_rows(aliases: str | Path | Mapping[str, str]) -> Iterable[tuple[int | None, Mapping[str, str]]]:
    if isinstance(aliases, Mapping):
        for name, actor in aliases.items():
            yield None, {"name": name, "actor": actor}
        return
    try:
        with Path(aliases).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [key for key in ("name", "actor") if key not in (reader.fieldnames or ())]
            if missing:
                found = f"no column {', '.join(missing)}"
                raise EventError(Fault(str(aliases), 1, "", found, "columns name, actor; and from, to where needed"))
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EventError(Fault(str(aliases), None, "", f"cannot be read: {error}"), "nothing was matched") from error
