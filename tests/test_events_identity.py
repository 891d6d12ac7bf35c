"""One event, how often? Told twice, standing for several, naming several actors, or dated after it was published.

Every policy is named and counted, and the account balances: rows read and added = kept + set aside + dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from event_files import acled, acled_row, gdelt, gdelt_row, icews, icews_row, polecat, polecat_row, ucdp, ucdp_row

from powderkeg.events import EventTable, balance, convert, events, read_events, read_table, summary
from powderkeg.scenario import loads

OWN_A = "id,date,source,target,act\n1,2022-12-10,Kosovo Serbs,Kosovo,block\n2,2022-12-12,Serbia,NATO,ask\n"
OWN_B = "id,date,source,target,act\n1,2022-12-10,Kosovo,Kosovo Serbs,threaten\n2,2022-12-12,EU,Serbia,mediate\n"


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def read(paths: Path | Sequence[Path], **kwargs: object) -> EventTable:
    table = read_events(paths, **kwargs)  # type: ignore[arg-type]
    assert balance(table.account) == 0
    return table


def dropped(table: EventTable) -> dict[str, int]:
    return dict(table.account["rows_dropped"])  # type: ignore[call-overload]


# --- ids --------------------------------------------------------------------------------------------------------------


def test_two_lists_whose_numbers_overlap_are_all_their_events(tmp_path: Path) -> None:
    """Both begin with 1, and on the same days: by the number alone half of the events would be lost."""
    paths = [write(tmp_path, "a.csv", OWN_A), write(tmp_path, "b.csv", OWN_B)]
    table = read(paths)
    assert len(table) == 4 and dropped(table) == {}
    assert "2 rows kept whose event id and day are those of another row" in str(table.account["said"])
    assert summary(table).doubles["same_event"] == 0
    convert(paths, tmp_path / "out.parquet")
    assert len(read_table(tmp_path / "out.parquet")) == 4


def test_a_list_that_is_read_twice_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", OWN_A)
    copy = write(tmp_path, "a (1).csv", OWN_A)
    for paths in ([path, path], [path, copy]):
        table = read(paths)
        assert len(table) == 2 and dropped(table) == {"same_event": 2}
        assert "event id, day, source, act and target are those of another row" in str(table.account["said"])


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (icews([icews_row(1), icews_row(2)]), icews([icews_row(2), icews_row(3)]), 3),
        (gdelt([gdelt_row(1), gdelt_row(2)]), gdelt([gdelt_row(2), gdelt_row(3)]), 3),
        (acled([acled_row(1), acled_row(2)]), acled([acled_row(2), acled_row(3)]), 3),
        # A revised row is the same event: ACLED's ids hold the country.
        (acled([acled_row(1)]), acled([acled_row(1, finer="Violent demonstration")]), 1),
        (ucdp([ucdp_row(1), ucdp_row(2)]), ucdp([ucdp_row(2), ucdp_row(3)]), 3),
        # The numbers of UCDP are those of a release: one-sided violence is another event than the battle.
        (ucdp([ucdp_row(1)]), ucdp([ucdp_row(1, kind="3")]), 2),
        (polecat([polecat_row(1), polecat_row(2)]), polecat([polecat_row(2)]), 2),
        # A number of ICEWS says nothing of a number of GDELT, even on one day.
        (icews([icews_row(1, day="2017-07-01")]), gdelt([gdelt_row(1)]), 2),
    ],
)  # fmt: skip
def test_extracts_that_overlap_are_the_events_of_their_data_set(
    tmp_path: Path, first: str, second: str, kept: int
) -> None:
    table = read([write(tmp_path, "a.csv", first), write(tmp_path, "b.csv", second)])
    rows = int(table.account["rows_read"])  # type: ignore[call-overload]
    assert len(table) == kept and dropped(table) == ({"same_event": rows - kept} if rows > kept else {})


@pytest.mark.parametrize("mark", ["", "NA", "\\N", "nan", "-", "None", "NULL", '"NA"', " NA "])
def test_a_mark_for_a_missing_id_is_no_id(tmp_path: Path, mark: str) -> None:
    text = f"id,date,source,target,act\n{mark},2022-12-10,a,b,x\n{mark},2022-12-10,a,b,x\n7,2022-12-10,a,b,x\n"
    table = read(write(tmp_path, "a.csv", text))
    assert len(table) == 3 and table.frame["event_id"].to_list() == [None, None, "7"]


def test_numbers_within_a_country_are_told_apart_by_it(tmp_path: Path) -> None:
    head = "event_id_no_cnty,event_date,event_type,actor1,actor2,country\n"
    row = "1,29 May 2023,Battles,A,B,"
    paths = [write(tmp_path, "a.csv", head + row + "Aland\n"), write(tmp_path, "b.csv", head + row + "Bland\n")]
    table = read(paths)
    assert len(table) == 2 and sorted(table.frame["event_id"]) == ["Aland:1", "Bland:1"]
    assert len(read([*paths, write(tmp_path, "c.csv", head + row + "Bland\n")])) == 2


# --- several events in a row ----------------------------------------------------------------------------------------


def test_events_counted_in_a_row_share_its_dead(tmp_path: Path) -> None:
    """Each with all of them, three attacks with 7 dead would be 21 dead."""
    text = (
        "date,source,target,act,count,deaths\n2020-01-03,a,b,x,3,7\n2020-02-04,b,a,x,1,5\n2020-02-05,b,a,x,2,\n"
        "2020-02-06,a,b,x,4,1\n"
    )
    deaths = read(write(tmp_path, "a.csv", text)).frame["deaths"].to_list()
    assert deaths == [3, 2, 2, 5, None, None, 1, 0, 0, 0]


def test_a_count_is_as_many_events_and_it_is_said(tmp_path: Path) -> None:
    text = (
        "date,source,target,act,count\n2020-01-03,a,b,x,3\n2020-02-04,b,a,x,1\n2020-02-05,b,a,x,0\n2020-02-06,a,b,x,\n"
    )
    table = read(write(tmp_path, "a.csv", text))
    assert len(table) == 4 and table.frame["time"].to_list() == [0.0, 0.0, 0.0, 32.0]
    assert table.account["rows_added"] == {"counted events": 2}
    assert dropped(table) == {"a count of 0": 1}
    assert table.account["set_aside_by_reason"] == {"bad count of events": 1}
    assert "as many events as 'count' says" in str(table.account["said"])
    assert table.coverage is not None and table.coverage["events"].to_list() == [3, 1]
    account = convert(tmp_path / "a.csv", tmp_path / "out.parquet")
    assert account["rows_kept"] == 4 and balance(account) == 0
    assert len(read_table(tmp_path / "out.parquet")) == 4
    assert len(events(pl.read_csv(text.encode()))) == 4


@pytest.mark.parametrize(
    ("name", "values"),
    [("n", ["1", "2", "3"]), ("events", ["riot", "block", "riot"]), ("count", ["1.5", "2", "1"]), ("n", ["", "", ""])],
)
def test_what_counts_no_events_is_no_count(tmp_path: Path, name: str, values: list[str]) -> None:
    """A column called n may number the rows, and one called events name them."""
    rows = "".join(f"2020-01-0{day},a,b,x,{value}\n" for day, value in enumerate(values, start=1))
    table = read(write(tmp_path, "a.csv", f"date,source,target,act,{name}\n{rows}"))
    assert len(table) == 3 and f"{name!r} is not taken for a number of events" in str(table.account["said"])


def test_a_count_under_another_name_can_be_mapped_and_has_bounds(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "date,source,target,act,how_many\n2020-01-03,a,b,x,2\n2020-01-04,a,b,x,999999999\n")
    table = read(path, mapping={"count": "how_many"})
    assert len(table) == 2 and table.account["rows_set_aside"] == 1
    assert len(read(path)) == 2


def test_counts_of_mentions_are_no_counts_of_events_and_those_of_the_reduced_file_are(tmp_path: Path) -> None:
    mentioned = [gdelt_row(1)]
    mentioned[0][31] = "9"
    assert len(read(write(tmp_path, "a.csv", gdelt(mentioned)))) == 1
    text = (
        "Date\tSource\tTarget\tCAMEOCode\tNumEvents\tNumArts\tQuadClass\tGoldstein\n"
        "20120105\tSRB\tKSV\t042\t1\t4\t1\t1.9\n20120106\tSRB\tKSV\t173\t4\t9\t4\t-5\n"
    )
    table = read(write(tmp_path, "b.csv", text))
    assert len(table) == 5 and table.frame["code"].to_list() == ["042", *["173"] * 4]


def test_doubles_of_counted_rows_are_dropped_before_they_are_counted(tmp_path: Path) -> None:
    text = "id,date,source,target,act,count\n1,2020-01-03,a,b,x,3\n1,2020-01-03,a,b,x,3\n"
    assert len(read(write(tmp_path, "a.csv", text))) == 3


# --- several actors in a field --------------------------------------------------------------------------------------

SEVERAL = polecat_row(1, kind="SUPPORT", mode="None", source="Serbia; Russia", target="Kosovo; Albania")
SEVERAL[8], SEVERAL[10], SEVERAL[13], SEVERAL[16] = "SRB; RUS", "GOV", "SERBIA; RUSSIA", "XKX; ALB"


def test_each_of_several_actors_has_its_event_with_one_event_id(tmp_path: Path) -> None:
    table = read(write(tmp_path, "a.txt", polecat([SEVERAL, polecat_row(2)])))
    rows = table.frame.filter(pl.col("code") == "SUPPORT").select(
        "source", "source_country", "source_sectors", "target", "target_country"
    )
    assert rows.sort(pl.all().cast(pl.String)).rows() == [
        ("Russia", "RUS", "GOV", "Albania", "ALB"), ("Russia", "RUS", "GOV", "Kosovo", "XKX"),
        ("Serbia", "SRB", "GOV", "Albania", "ALB"), ("Serbia", "SRB", "GOV", "Kosovo", "XKX"),
    ]  # fmt: skip
    assert table.account["rows_added"] == {"several actors": 3}
    assert table.frame["event_id"].n_unique() == 2
    assert "are an event of each, with one event id" in str(table.account["said"])


def test_countries_that_are_not_as_many_as_the_actors_are_nobodys(tmp_path: Path) -> None:
    row = list(SEVERAL)
    row[7], row[8], row[13], row[15], row[16] = "A; B; C;", "SRB; RUS", "raw", "Kosovo", "XKX"
    table = read(write(tmp_path, "a.txt", polecat([row])))
    assert table.frame["source"].to_list() == ["A", "B", "C"]
    assert table.frame["source_country"].to_list() == [None] * 3
    assert table.frame["source_name"].to_list() == ["raw"] * 3


SCENARIO = """
powderkeg: 1
name: x
start: 2022-01-01
years: 1
actors:
  serbia: {match: {polecat: [{countries: [SRB]}]}}
  kosovo: {match: {polecat: [{countries: [XKX]}]}}
acts: {help: {tone: cooperative, cameo: "050"}}
moves:
  helps: {who: serbia, does: help, to: kosovo, rate: 1 per year}
"""


def test_a_story_of_two_offices_of_one_actor_is_one_event_of_it(tmp_path: Path) -> None:
    row = list(SEVERAL)
    row[7], row[8], row[15], row[16] = "Police; Army", "SRB; SRB", "Kosovo", "XKX"
    path = write(tmp_path, "a.txt", polecat([row]))
    assert len(read(path)) == 2
    table = read(path, scenario=loads(SCENARIO))
    assert len(table) == 1 and dropped(table) == {"same_event": 1}


# --- dated after publication ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        gdelt([gdelt_row(1), gdelt_row(2, day="20180701")]),
        polecat([polecat_row(1), [*polecat_row(2, day="2023-12-10")[:34], "2022-12-10", *polecat_row(2)[35:]]]),
        acled([[*acled_row(1)[:30], "1700000000"], [*acled_row(2, day="2024-05-29")[:30], "1700000000"]]),
    ],
    ids=["gdelt", "polecat", "acled"],
)
def test_an_event_dated_after_its_publication_does_not_stretch_the_window(tmp_path: Path, text: str) -> None:
    table = read(write(tmp_path, "a.csv", text))
    assert len(table) == 1 and table.days == 1.0
    assert dropped(table) == {"dated after publication": 1}
    assert "1 row dropped: dated after the day of publication or entry" in str(table.account["said"])


def test_an_event_of_the_day_of_its_publication_is_kept(tmp_path: Path) -> None:
    table = read(write(tmp_path, "a.csv", gdelt([gdelt_row(1, added="20170701000000"), gdelt_row(2, added="")])))
    assert len(table) == 2 and table.start == date(2017, 7, 1)
