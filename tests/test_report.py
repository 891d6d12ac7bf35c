"""The page: whole in itself, safe with hostile strings, honest about its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from powderkeg.analyze import episode_statistics
from powderkeg.report import Results, _gist, command_of, page, summary, write
from powderkeg.report.pages import environment
from powderkeg.report.results import safe_url

HOSTILE = "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }}"
START = date(2008, 2, 17)

STANDOFFS = pl.DataFrame(
    {
        "replicate": [0, 0, 1, 1, 1],
        "start": [10.0, 500.0, 20.0, 30.0, 600.0],
        "last": [12.0, 560.0, 20.5, 31.0, 601.0],
        "calendar_days": [3, 61, 1, 2, 2],
        "first_day": [START + timedelta(days=d) for d in (10, 500, 20, 30, 600)],
        "last_day": [START + timedelta(days=d) for d in (12, 560, 20, 31, 601)],
        "opener": ["kosovo", HOSTILE, "kosovo", "north", "kosovo"],
        "first_act": ["impose", HOSTILE, "impose", "block", "impose"],
        "events": [5, 9, 3, 4, 4],
        "joined": [["nato"], [HOSTILE], [], [], []],
        "hurt": [True, False, False, True, False],
        "deaths": [False, False, False, True, False],
        "end_state": ["suspended", "resolved", "spent", "chained", "open"],
    }
)
ACTS = pl.DataFrame(
    {
        "time": [10.0, 12.0, 500.0],
        "source": ["kosovo", "north", HOSTILE],
        "act": ["impose", "block", HOSTILE],
        "target": ["north", "kosovo", None],
        "tone": ["hostile", "hostile", "cooperative"],
        "heat": [1.0, 2.0, 0.0],
    }
)
OUTCOMES = pl.DataFrame(
    [
        {"name": "clash", "title": HOSTILE, "kind": "any", "unit": "share of runs", "mean": 0.25, "low": 0.1,
         "high": 0.5, "runs": 2, "q10": None, "median": None, "q90": None, "never": None, "better": None},
        {"name": "first", "title": "First block", "kind": "first", "unit": "days", "mean": 120.0, "low": None,
         "high": None, "runs": 2, "q10": None, "median": None, "q90": None, "never": 0.5, "better": None},
    ]
)  # fmt: skip
ENTANGLEMENT = pl.DataFrame(
    {
        "actor": ["nato", "nato", HOSTILE],
        "drawn_in": [False, True, True],
        "mechanism": ["background", "entrapment", HOSTILE],
        "by": [None, "kosovo", "nato"],
        "share": [0.4, 0.6, 1.0],
    }
)
LINE: dict[str, Any] = {
    "name": "ended_resolved", "title": HOSTILE, "record": 0.1, "record_low": 0.02, "record_high": 0.3, "model": 0.2,
    "model_low": 0.19, "model_high": 0.21, "agrees": True, "note": HOSTILE,
}  # fmt: skip


@pytest.fixture(scope="module")
def results() -> Results:
    return Results(
        name="north-kosovo",
        title=HOSTILE,
        about=HOSTILE,
        start=START,
        seed=7,
        replicates=2,
        days=3652.5,
        events=1234,
        digest="d1" * 32,
        branching_ratio=0.62,
        standoffs=episode_statistics(STANDOFFS, 3652.5, 2),
        outcomes=OUTCOMES,
        entanglement=ENTANGLEMENT,
        example_replicate=1,
        example_acts=ACTS,
        example_standoffs=STANDOFFS.filter(pl.col("replicate") == 0),
        brink=(HOSTILE,),
        drivers=((HOSTILE, 0.6),),
        record=(
            LINE,
            LINE | {"name": "other", "agrees": False, "record": None, "record_low": None, "record_high": None},
        ),
        sources=({"title": HOSTILE, "url": safe_url("javascript:alert(1)"), "uses": 3},),
        n_values=120,
        n_sourced=100,
        n_guesses=40,
        titles={"kosovo": HOSTILE},
    )


@pytest.fixture(scope="module")
def text(results: Results) -> str:
    return page(results, files=("events.parquet", HOSTILE))


class Reader(HTMLParser):
    """Collects the tags of a page and what its attributes point to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.handlers: list[str] = []
        self.points: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.points += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.words += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_no_hostile_string_becomes_markup(text: str) -> None:
    found = read(text)
    assert not found.tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert found.handlers == []
    assert "{{ 7 * 7 }}" in found.words  # a scenario's text is no template


def test_the_page_fetches_nothing(text: str) -> None:
    assert [point for point in read(text).points if not point.startswith("#")] == []
    assert "@import" not in text
    assert "url(http" not in text


def test_the_content_policy_forbids_scripts_and_the_outside(text: str) -> None:
    assert "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'" in text


def test_only_addresses_of_the_web_become_links(results: Results) -> None:
    assert safe_url("javascript:alert(1)") is None
    assert safe_url("data:text/html,x") is None
    linked = replace(results, sources=({"title": "t", "url": safe_url("https://example.org/?a=1&b=2"), "uses": 0},))
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer nofollow">t</a>' in page(linked)


def test_what_stands_behind_the_numbers_is_on_the_page(text: str, results: Results) -> None:
    words = " ".join(read(text).words.split())
    assert "2 runs of 10 years from 2008-02-17, seed 7" in words
    assert results.digest in words
    assert "1 of 2 lines agree" in words
    assert "40 (33 %) are guesses" in words
    assert "Numba" in words
    assert command_of(results) == "powderkeg run north-kosovo --years 10 --replicates 2 --seed 7"


def test_every_figure_has_words_for_those_who_cannot_see_it(text: str) -> None:
    figures = re.findall(r"<svg[^>]*>", text)
    assert len(figures) == 7 + 6  # six have a second picture for small screens, the matrix scrolls
    assert all('role="img"' in figure and "aria-label=" in figure for figure in figures)


def test_headings_and_tables_are_marked_up_for_readers(text: str) -> None:
    assert text.count("<h1") == 1
    assert re.findall(r"<th(?![^>]*scope=)[ >]", text) == []
    assert '<html lang="en">' in text


def test_ids_are_unique(text: str) -> None:
    ids = re.findall(r'\sid="([^"]*)"', text)
    assert len(ids) == len(set(ids))


def test_runs_that_were_stopped_are_not_hidden(results: Results) -> None:
    assert "1 of the 2 runs were stopped at the limit of events" in page(replace(results, exploded=1))


def test_a_system_without_standoffs_or_record_has_a_page(results: Results) -> None:
    empty = replace(
        results,
        standoffs=episode_statistics(STANDOFFS.clear(), 3652.5, 2),
        record=None,
        example_acts=ACTS.clear(),
        example_standoffs=STANDOFFS.clear(),
        entanglement=ENTANGLEMENT.clear(),
        outcomes=OUTCOMES.clear(),
        drivers=(),
        sources=(),
    )
    words = read(page(empty)).words
    assert "There was no standoff in any of the runs." in words
    assert "Does it hold against the record?" not in words


def test_the_record_stands_beside_the_share_it_is_about(results: Results) -> None:
    ends = {row["name"]: row["record"] for row in results.shares("ends").to_dicts()}
    assert ends["resolved"] == 0.1
    assert ends["spent"] is None


def test_the_page_is_small_and_the_same_twice(results: Results, tmp_path: Path) -> None:
    first, second = (write(results, tmp_path / f"{n}.html").read_bytes() for n in (1, 2))
    assert first == second
    assert len(first) < 400_000


def test_the_summary_has_what_machines_were_promised(results: Results) -> None:
    found = summary(results)
    names = ("scenario", "digest", "version", "seed", "replicates", "years", "events", "branching_ratio", "outcomes")
    assert set(names) <= set(found)
    assert found["outcomes"]["clash"]["mean"] == 0.25
    episodes: Mapping[str, Any] = found["episodes"]
    assert episodes["per_year"] == pytest.approx(5 / 20)
    assert episodes["ends"]["resolved"] == pytest.approx(0.2)
    assert episodes["openers"]["kosovo"] == pytest.approx(0.6)
    assert episodes["median_days"] == pytest.approx(2.5)


def test_of_long_tables_the_first_rows_stand_on_the_page(results: Results) -> None:
    """180 openers and 787 guesses were twenty sheets of paper; the files beside the page have all."""
    guesses = tuple(
        {"path": f"moves.m{k}.rate", "value": 1.0, "low": 0.5, "high": 2.0, "unit": "a year"} for k in range(200)
    )
    text = page(replace(results, guesses=guesses, n_guesses=200), ["scenario.resolved.json"])
    assert "moves.m59.rate" in text
    assert "moves.m60.rate" not in text
    assert "140 more are in <samp>scenario.resolved.json</samp>." in text


def test_the_first_sentences_name_both_who_open_as_many_and_say_all_where_it_is_all(results: Results) -> None:
    """50 % opened by one of two that open 50 % each is half of the finding; 100 % is no most."""
    even = STANDOFFS.with_columns(opener=pl.Series(["a", "b", "a", "b", "c"]), end_state=pl.lit("spent"))
    told = _gist(replace(results, standoffs=episode_statistics(even, 3652.5, 2)), lambda name: f"<{name}>")
    assert "<a> and <b> open as many of them, 40 % each. " in told and told.endswith("All end spent.")
    open_ = STANDOFFS.with_columns(opener=pl.lit("a"), end_state=pl.lit("open"))
    told = _gist(replace(results, standoffs=episode_statistics(open_, 3652.5, 2)), lambda name: f"<{name}>")
    assert "100 % of them are opened by <a>." in told and told.endswith("All are still open when the runs end.")


def test_signs_on_pages_are_typeset() -> None:
    """A format with a sign writes a hyphen for a minus, and "-0.0" of what rounds to nothing."""
    pages = {
        file.name: file.read_text(encoding="utf-8")
        for file in (Path(environment.__code__.co_filename).parent).glob("*.html")
    }
    assert "fitted.html" in pages
    assert [name for name, text in pages.items() if re.search(r'"%?\{?:?%?\+', text)] == []
    assert environment().from_string("{{ -0.04 | signed(1) }}, {{ -2 | signed(1) }}").render() == "0.0, −2.0"
