"""A scenario drawn up from reports: who is named in them, who did what, who stands behind whom, each with its sentence.

In: an `EventTable` that was coded from texts. Out: the text of a scenario file to start from. Offices, leaders and
forces of one country are put together under its name; crowds and armed groups stay apart. Every number is a guess with
a range: a few reports say who is there, not how often anything happens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import shorten

import polars as pl

from powderkeg.draft.observed import from_events
from powderkeg.errors import EventError, Fault
from powderkeg.events.codes import entries
from powderkeg.events.table import EventTable
from powderkeg.scenario import loads
from powderkeg.text.names import gazetteer

MOST_ACTORS = 12
STATE = ("GOV", "LEG", "JUD", "COP", "MIL", "SPY", "")
"""Kinds of people who are taken for their country."""
STANDS_BEHIND = ("05", "072", "074", "062")
"""CAMEO codes that tell who stands behind whom."""
MOST_SENTENCES = 2
LETTERS = 150
_ACTOR = re.compile(r'^    match: \{csv: \{names: \["(.*)"\]\}\}$')
_MOVE = re.compile(r"^  \w+: \{who: (\w+), does: (\w+), to: ")
_ASKS_FOR_TIES = "# ASKED: who stands behind whom?"


def from_report(table: EventTable, name: str, read: Sequence[str] = ()) -> str:
    """The text of a scenario with the actors, acts and ties that reports name.

    table  what `powderkeg.text.code` made of the reports
    name   the scenario's name; read: the files they came from, for the comments

    Raises EventError where the reports tell of no two actors.
    """
    if "sentence" not in table.frame.columns:
        raise EventError(Fault.of("no column sentence", "a table that was coded from reports"))
    grouped = _grouped(table.frame)
    text = from_events(replace(table, frame=grouped), name, read, MOST_ACTORS)
    made = "\n".join(_annotated(text.splitlines(), grouped, text)) + "\n"
    loads(made)
    return made


def _grouped(frame: pl.DataFrame) -> pl.DataFrame:
    """Sides by country where they are its state; the names as they were stay beside."""
    changes = []
    countries = gazetteer().countries
    named = re.compile(r"^[\w ]+ \((.*)\)$")
    for side in ("source", "target"):
        found: list[str | None] = []
        rows = frame.select(side, f"{side}_country", f"{side}_sectors").iter_rows()
        for own, country, kind in rows:
            bracket = named.match(own or "")
            state = own is not None and country and (kind or "") in STATE
            found.append((countries.get(country) or (bracket[1] if bracket else own)) if state else own)
        changes.append(pl.Series(side, found, dtype=pl.String))
        changes.append(frame[side].alias(f"_{side}_as_coded"))
    nameless = {title for _, title in gazetteer().kinds.values()}  # "police" of no country
    made = frame.with_columns(changes)
    return made.filter(~pl.col("source").is_in(nameless), ~pl.col("target").fill_null("").is_in(nameless))


def _annotated(lines: list[str], frame: pl.DataFrame, text: str) -> Iterator[str]:
    """The draft with every name of an actor in its match rule, and the sentences that everything rests on."""
    names = _names(frame)
    read = loads(text)
    keys = {actor.title or key: key for key, actor in read.actors.items()}
    tones = _tones(lines)
    skipping = False
    for line in lines:
        if line.startswith(_ASKS_FOR_TIES):
            ties = list(_ties(frame, keys))
            if ties:
                yield from (
                    "# Who stands behind whom, as the reports tell it. ASKED: since when, and is it so?",
                    "ties:",
                    *ties,
                )
                skipping = True
                continue
        if skipping:
            if line.startswith("#"):
                continue
            skipping = False
        actor = _ACTOR.match(line)
        move = _MOVE.match(line)
        if actor:
            title = json.loads(f'"{actor[1]}"')
            own = names.get(title, [title])
            yield from (f"    # {one}" for one in _sentences(frame, title))
            yield f"    match: {{csv: {{names: {json.dumps(own, ensure_ascii=False)}}}}}"
        elif move:
            title = next((one for one, key in keys.items() if key == move[1]), "")
            told = frame.filter((pl.col("source") == title) & (pl.col("tone") == tones.get(move[2])))
            yield from (f"  # {one}" for one in _sentences(told, None))
            yield line
        else:
            yield line


def _names(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Actor -> all names by which it was coded, its own first."""
    found: dict[str, list[str]] = {}
    for side in ("source", "target"):
        for own, coded in frame.select(side, f"_{side}_as_coded").iter_rows():
            if own is not None:
                listed = found.setdefault(own, [own])
                if coded not in listed:
                    listed.append(coded)
    return found


def _tones(lines: list[str]) -> dict[str, str | None]:
    """Act of the draft -> its class."""
    found = (re.match(r'^  (\w+): \{tone: \w+, .*cameo: "?(\d\d)', line) for line in lines)
    return {act[1]: entries("cameo")[act[2]].tone for act in found if act}


def _sentences(frame: pl.DataFrame, actor: str | None) -> list[str]:
    """A few sentences that name an actor, or those of a table, as comments."""
    if actor is not None:
        frame = frame.filter((pl.col("source") == actor) | (pl.col("target") == actor))
    told = list(dict.fromkeys(" ".join(one.split()) for one in frame["sentence"].to_list()))
    return [f'"{shorten(one, LETTERS, placeholder=" ...")}"' for one in told[:MOST_SENTENCES]]


def _ties(frame: pl.DataFrame, keys: dict[str, str]) -> Iterator[str]:
    """Ties that the reports tell of."""
    seen: set[tuple[str, str]] = set()
    for source, target, code, sentence in frame.select("source", "target", "code", "sentence").iter_rows():
        pair = (keys.get(source, ""), keys.get(target or "", ""))
        if code.startswith(STANDS_BEHIND) and all(pair) and pair[0] != pair[1] and pair not in seen:
            seen.add(pair)
            yield f'  # "{shorten(" ".join(sentence.split()), LETTERS, placeholder=" ...")}"'
            yield f"  {pair[0]}_backs_{pair[1]}: {{kind: patronage, from: {pair[0]}, to: {pair[1]}, source: guess}}"
