"""Who is named by these words? Countries, organisations, leaders by date, and kinds of people.

In: `words/countries.csv`, `places.csv`, `organisations.csv`, `persons.csv` and `agents.csv` of this package, the table
of leaders that match rules use too, and a user's own actor files, which lie over them. Out: a `Gazetteer` that knows a
name by its exact letters and a kind of people by its word.
Countries and codes follow ISO 3166 and CAMEO (organisations, groups); names written out by us; leaders: their terms of
office as public record. Persons beside them (ministers, envoys, chiefs of parties and rebels) carry no dates.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

from powderkeg.errors import EventError, Fault, nearest_name
from powderkeg.scenario.leaders import all_leaders

KINDS = ("GOV", "LEG", "JUD", "COP", "MIL", "REB", "UAF", "CRM", "OPP", "PTY", "CVL", "LAB", "MED", "BUS", "EDU", "REL",
         "NGO", "IGO", "HLH", "PRS", "SPY", "PKO")  # fmt: skip
OWN_COLUMNS = ("name", "actor")
LONGEST = 7


@dataclass(frozen=True)
class Entity:
    """Whoever a name stands for.

    name     as it is written in an event table
    country  ISO 3166 code, or "" for organisations of several countries
    kind     one of KINDS, "" for a country as such
    title    office of a leader, whose name is a country's from one day to another
    person   whether it is somebody who is no head of state or government
    """

    name: str
    country: str
    kind: str
    code: str
    title: str = ""
    first: date | None = None
    last: date | None = None
    person: bool = False

    def holds(self, day: date | None) -> bool:
        """Whether the name stands for this on a day; without a day always."""
        return day is None or ((self.first is None or self.first <= day) and (self.last is None or day <= self.last))


@dataclass
class Gazetteer:
    """Names and kinds of people.

    names      exact letters -> who it may be, later ones first where several held it
    starts     first word of a name -> whether longer names begin with it
    kinds      word or words in small letters -> kind, and how ICEWS names it: "Police"
    countries  code -> name
    people     names of people by country: Serb, Serbs
    surnames   surname of a person who is no head of state -> whole name
    """

    names: dict[str, list[Entity]] = field(default_factory=dict)
    starts: set[str] = field(default_factory=set)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)
    countries: dict[str, str] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    surnames: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, entity: Entity) -> None:
        """Let a name stand for somebody."""
        held = self.names.setdefault(text, [])
        held.insert(0, entity)
        self.starts.add(text.replace("'", " ").replace(".", " ").replace("-", " ").replace("/", " ").split()[0])

    def who(self, text: str, day: date | None = None) -> Entity | None:
        """Whom a name stands for on a day. A whole name stands for its one bearer on other days too."""
        held = self.names.get(text, ())
        found = next((one for one in held if one.holds(day)), None)
        if found is None and held and " " in text and len({one.name for one in held}) == 1:
            return held[0]
        return found


@cache
def gazetteer(own: tuple[str, ...] = ()) -> Gazetteer:
    """Our names, with a user's own laid over. Raises EventError naming every slip."""
    book = Gazetteer()
    for row in _rows("countries.csv"):
        book.countries[row["code"]] = row["name"]
        country = Entity(row["name"], row["code"], "", row["code"])
        people = [one for one in row["people"].split("|") if one]
        book.people.update(people)
        also = [one for one in row["also"].split("|") if one]
        for text in (row["name"], row["capital"], *people, *also):
            if text:
                book.add(text, country)
    for row in _rows("places.csv"):
        within = Entity(book.countries[row["code"]], row["code"], "", row["code"])
        for text in row["places"].split("|"):
            book.add(text, within)
    codes = {}  # what the table of leaders calls an organisation -> its code in CAMEO
    officials = {}  # the same -> whom its envoys are counted with, as match rules for it know them
    for row in _rows("organisations.csv"):
        codes[row["led_as"]] = row["code"]
        officials[row["led_as"]] = f"Government Official ({row['name']})"
        country_code = row["code"][:3] if row["code"][:3] in book.countries else ""
        group = Entity(row["name"], country_code, row["kind"], row["code"])
        for text in (row["name"], *(one for one in row["also"].split("|") if one)):
            book.add(text, group)
    for row in _rows("persons.csv"):
        land = codes.get(row["country"], row["country"])
        person = Entity(officials.get(row["country"], row["name"]), land, row["kind"], land + row["kind"], person=True)
        for text in (row["name"], *(one for one in row["also"].split("|") if one)):
            book.add(text, person)
            if " " not in text:
                book.surnames[text] = row["name"]
    for one in all_leaders():
        land = codes.get(one.country, one.country)
        name = next((text for text in one.names if text.isascii()), one.names[0])
        leader = Entity(name, land, "GOV", land + "GOV", one.office, one.first, one.last)
        for text in (*one.names, *one.short):
            book.add(text, leader)
    for row in _rows("agents.csv"):
        for word in row["words"].split("|"):
            book.kinds.setdefault(word, (row["kind"], row["icews"]))
    faults: list[Fault] = []
    for path in own:
        _lay_over(book, path, faults)
    if faults:
        raise EventError(faults, "nothing was coded")
    return book


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = (resources.files("powderkeg.text") / "words" / name).read_text(encoding="utf-8")
    yield from csv.DictReader(io.StringIO(text))


def _lay_over(book: Gazetteer, path: str, faults: list[Fault]) -> None:
    """A user's own names: columns name, actor, and country, kind, from, to where wanted."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(
            Fault(path, None, "", f"cannot be read: {getattr(error, 'strerror', None) or error}", "a CSV file, UTF-8")
        )
        return
    reader = csv.DictReader(io.StringIO(text))
    missing = [one for one in OWN_COLUMNS if one not in (reader.fieldnames or ())]
    if missing:
        expected = "columns name, actor; and country, kind, from, to where wanted"
        faults.append(Fault(path, 1, "", f"no column {', '.join(missing)}", expected))
        return
    for row in reader:
        name, actor = (row.get("name") or "").strip(), (row.get("actor") or "").strip()
        country, kind = (row.get("country") or "").strip(), (row.get("kind") or "").strip()
        days = {}
        for key in ("from", "to"):
            said = (row.get(key) or "").strip()
            try:
                days[key] = date.fromisoformat(said) if said else None
            except ValueError:
                faults.append(Fault(path, reader.line_num, key, repr(said), "a day such as 2018-06-01"))
        if not name or not actor:
            faults.append(Fault(path, reader.line_num, "", "no name or no actor", "both"))
        if kind and kind not in KINDS:
            nearest = nearest_name(kind, KINDS)
            faults.append(
                Fault(path, reader.line_num, "kind", f"unknown kind {kind!r}", f"one of {', '.join(KINDS)}", nearest)
            )
        if country and country not in book.countries:
            nearest = nearest_name(country, book.countries)
            faults.append(
                Fault(path, reader.line_num, "country", f"unknown country {country!r}", "an ISO code: SRB", nearest)
            )
        if name and actor:
            book.add(name, Entity(actor, country, kind, country + kind, "", days.get("from"), days.get("to")))
