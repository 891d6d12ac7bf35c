"""Codebooks: facts agree with the published lists, words are ours, every entry names its source."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from powderkeg.errors import UsageError
from powderkeg.events import CODEBOOKS, TONES, codebook, crosswalk, to_cameo, to_plover
from powderkeg.events.codes import entries, likeliest_book, sources

# Where published CAMEO weights differ we follow GDELT's table; `sources.csv` names them all.
DIFFERING = {"016", "022", "124", "163", "164", "165", "166", "1661", "1662", "1663"}


def listed(file: Path, key: str) -> dict[str, dict[str, str]]:
    with file.open(encoding="utf-8") as stream:
        return {row[key]: row for row in csv.DictReader(stream)}


@pytest.mark.parametrize("name", CODEBOOKS)
def test_every_entry_has_a_title_a_class_and_a_source_that_is_told(name: str) -> None:
    book = codebook(name)
    assert book["code"].is_unique().all() and book["title"].null_count() == 0
    assert set(book["tone"].drop_nulls()) <= set(TONES)
    assert {key for keys in book["source"] for key in keys.split("+")} <= set(sources())
    assert book["goldstein"].drop_nulls().is_between(-10, 10).all()
    assert set(book["cameo"].drop_nulls()) <= set(entries("cameo"))
    if name != "acled":
        assert book.select("tone", "goldstein", "cameo").null_count().sum_horizontal()[0] == 0


@pytest.mark.parametrize("name", CODEBOOKS)
def test_a_code_and_its_mirror_mirror_each_other(name: str) -> None:
    known = entries(name)
    for entry in known.values():
        if entry.mirror is not None:
            assert known[entry.mirror].mirror == entry.code and known[entry.mirror].tone == entry.tone


def test_cameo_holds_every_published_code_with_its_class_and_weight(shared_data: Path) -> None:
    published = listed(shared_data / "cameo" / "cameo_codes.csv", "code")
    ours = entries("cameo")
    assert set(ours) - set(published) == {"1214"} and set(published) <= set(ours)
    for code, row in published.items():
        assert ours[code].tone == row["quad"]
        assert ours[code].goldstein == float(row["goldstein"]) or code in DIFFERING, code
        assert ours[code].neutral == (code[:2] == "01")


def test_our_titles_are_not_those_of_the_manual(shared_data: Path) -> None:
    published = listed(shared_data / "cameo" / "cameo_codes.csv", "code")
    same = [c for c, row in published.items() if entries("cameo")[c].title.lower() == row["name"].lower()]
    assert same == []


def test_weis_holds_every_published_weight_and_every_code_that_occurs(shared_data: Path) -> None:
    ours = entries("weis")
    for code, row in listed(shared_data / "cameo" / "weis_goldstein.csv", "weis").items():
        assert ours[code].goldstein == float(row["goldstein"])
    events = pl.read_csv(shared_data / "keds_balkans" / "events.csv.gz", infer_schema=False)
    assert set(events["code"].unique()) <= set(ours)


def test_the_crosswalk_covers_cameo_and_names_plover_acts_that_exist() -> None:
    rows = crosswalk().to_dicts()
    assert [row["cameo"] for row in rows] == codebook("cameo")["code"].to_list()
    known = set(entries("plover"))
    for row in rows:
        name = to_plover(row["cameo"])
        assert (name is None) == row["cameo"].startswith("01")
        assert name is None or name in known
        assert row["source"] in sources()


def test_codes_go_over_to_plover_and_back_within_their_class() -> None:
    """Not code for code, for PLOVER is coarser; but conflict stays conflict, except demands, which PLOVER joins with
    requests."""
    for entry in entries("cameo").values():
        name = to_plover(entry.code)
        if name is not None and entry.code[:2] != "02":
            back = entries("cameo")[str(to_cameo(name, "plover"))]
            assert (str(back.tone).split()[1]) == str(entry.tone).split()[1], (entry.code, name, back.code)


def test_some_codes_mean_what_everybody_knows_they_mean() -> None:
    assert to_plover("144") == "PROTEST:obstruct" and to_plover("173") == "COERCE:arrest"
    assert to_cameo("223", "weis") == "190" and to_cameo("Armed clash", "acled") == "193"
    assert entries("cameo")["144"].goldstein == -7.5 and entries("cameo")["0874"].goldstein == 10.0
    assert to_cameo("no such", "weis") is None


def test_a_codebook_is_found_from_codes_only_where_it_can_be() -> None:
    assert likeliest_book(["223", "212", "031"]) == "weis"
    assert likeliest_book(["1411", "0874", "042"]) == "cameo"
    assert likeliest_book(["010", "020"]) is None
    assert likeliest_book(["x", "y"]) is None
    with pytest.raises(UsageError, match="nearest: 'cameo'"):
        codebook("camio")
