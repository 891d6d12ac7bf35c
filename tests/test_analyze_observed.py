"""Standoffs in published event data: the weeks and wars that the data are known to hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from powderkeg.analyze import compare_episodes, episodes
from powderkeg.errors import PowderkegWarning
from powderkeg.events import EventTable, codebook
from powderkeg.score import load_record, read_table


def table_of(frame: pl.DataFrame, start: date, days: float) -> EventTable:
    time = (pl.col("date") - start).dt.total_days().cast(pl.Float64).alias("time")
    between = frame.filter(pl.col("source") != pl.col("target"))
    return EventTable(between.with_columns(time), start, days, "day")


@pytest.fixture(scope="module")
def icews_2018(shared_data: Path) -> EventTable:
    """Kosovo and Serbia in ICEWS, January to October 2018, by group of actors."""
    raw = pl.read_csv(shared_data / "kosovo_icews" / "events_2018.csv.gz", infer_schema_length=0)
    groups = ["KOSOVO", "SERBIA", "KOSOVO_SERBS", "KFOR", "UNMIK"]
    raw = raw.filter(pl.col("source_group").is_in(groups) & pl.col("target_group").is_in(groups))
    frame = raw.select(
        pl.col("date").str.to_date(),
        source="source_group",
        act="cameo",
        target="target_group",
        cameo="cameo",
        tone="quad",
        goldstein=pl.col("goldstein").cast(pl.Float64),
    )
    return table_of(frame, date(2018, 1, 1), 304.0)


@pytest.fixture(scope="module")
def keds_kosovo(shared_data: Path) -> EventTable:
    """Kosovo with Serbia and with the rest of the world in KEDS Balkans, 1997 to July 2003."""
    raw = pl.read_csv(shared_data / "keds_balkans" / "events.csv.gz", infer_schema_length=0)
    weis = codebook("weis").select("code", "tone", "cameo")
    raw = raw.with_columns(pl.col("date").str.to_date()).filter(pl.col("date") >= date(1997, 1, 1))

    def side(column: str) -> pl.Expr:
        name = pl.col(column)
        is_kosovo = name.str.starts_with("KSV") | (name == "ETHALB")
        is_serbia = name.str.starts_with("SER") | name.str.starts_with("FRY")
        kosovo, serbia, others = pl.lit("kosovo"), pl.lit("serbia"), pl.lit("others")
        return pl.when(is_kosovo).then(kosovo).when(is_serbia).then(serbia).otherwise(others).alias(column)

    frame = raw.join(weis, on="code", how="left").select(
        "date", side("source"), pl.col("code").alias("act"), side("target"), "tone", "cameo"
    )
    frame = frame.filter((pl.col("source") == "kosovo") | (pl.col("target") == "kosovo"))
    return table_of(frame, date(1997, 1, 1), 2403.0)


def holds(found: pl.DataFrame, day: date) -> bool:
    return found.filter((pl.col("first_day") <= day) & (pl.col("last_day") >= day)).height > 0


def test_the_crises_of_2018_are_found_and_little_else(icews_2018):
    """Ivanovic shot on 16 January, the arrest of 26 March, the visit and the broken talks of 7 to 9 September."""
    found = episodes(icews_2018)
    for day in (date(2018, 1, 16), date(2018, 3, 26), date(2018, 9, 7)):
        assert holds(found, day), day
    assert found.height <= 5
    assert found["calendar_days"].max() < 30


def test_ends_in_a_dyad_are_told_by_what_was_signed_or_yielded(icews_2018):
    found = episodes(icews_2018, by="dyad")
    assert set(found["end_state"]) <= {"spent", "suspended", "chained"}
    assert "suspended" in set(found["end_state"])
    assert set(episodes(icews_2018)["end_state"]) <= {"spent", "chained"}


def test_the_dated_record_of_2018_is_half_found(icews_2018):
    """The arrest is found to the day; a visit under guard with no exchange of threats in the data is not."""
    definition, place = load_record("north-kosovo")
    record, _ = read_table(place, definition.marks, definition.window)
    window = (date(2018, 1, 1), date(2018, 10, 31))
    result = compare_episodes(episodes(icews_2018), record, 7, window=window)
    assert result.pairs.select("id", "off_by").rows() == [("2018-official", 0)]
    assert result.missed["id"].to_list() == ["2018-dam"]


def test_the_war_and_the_bridge_are_found_in_older_data(keds_kosovo):
    """War from early March 1998 into the summer of 1999 as one standoff; Mitrovica, February 2000, as another."""
    found = episodes(keds_kosovo, by="dyad")
    war = found.filter(dyad="kosovo - serbia").sort("events").row(-1, named=True)
    assert date(1998, 2, 20) <= war["first_day"] <= date(1998, 3, 10)
    assert date(1999, 6, 10) <= war["last_day"] <= date(1999, 10, 1)
    assert war["peak"] == found.filter(dyad="kosovo - serbia")["peak"].max()
    bridge = found.filter(dyad="kosovo - others").filter(
        pl.col("first_day").is_between(date(2000, 1, 25), date(2000, 2, 5))
    )
    assert bridge.height == 1
    assert holds(bridge, date(2000, 2, 13))


def test_a_figure_of_acts_of_no_class_does_not_say_that_there_was_no_standoff() -> None:
    rows = {"time": [1.0, 2.0, 30.0], "source": ["a", "b", "a"], "act": ["x", "y", "x"], "target": ["b", "a", "b"]}
    table = EventTable(pl.DataFrame(rows), date(2020, 1, 1), 60.0)
    with pytest.warns(PowderkegWarning):
        said = str(table.plot().to_dict(validate=False)["title"])
    assert "0 standoffs" not in said and "nothing says which acts are hostile" in said
