"""What the values of event files say: dates, zones, numbers, codes, missing marks, days that are not known."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from event_files import UCDP, acled, acled_row, comma, gdelt, gdelt_row, icews, icews_row, ucdp, ucdp_row
from hypothesis import given, settings
from hypothesis import strategies as st

import powderkeg as pk
from powderkeg.errors import EventError, UsageError
from powderkeg.events import EventTable, balance, convert, read_events, summary
from powderkeg.events.dating import Dates, UnknownDates, form_of
from powderkeg.events.numbers import decimal_mark, numbers_of, writing_of
from powderkeg.events.spans import words_for_unsure
from powderkeg.events.times import days_of

ACTS = ["138", "190", "042", "173", "111", "057"]


def read(tmp_path: Path, text: str, name: str = "mine.csv", **options: object) -> EventTable:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_events(path, **options)  # type: ignore[arg-type]


def fault_of(tmp_path: Path, text: str, name: str = "mine.csv", **options: object) -> str:
    with pytest.raises((EventError, UsageError)) as caught:
        read(tmp_path, text, name, **options)
    return str(caught.value)


def dated(*stamps: str) -> str:
    """A table of one's own with these dates; tabs, so that a date may hold commas."""
    rows = [f"{stamp}\tSerbia\tKosovo\t{ACTS[n % len(ACTS)]}\n" for n, stamp in enumerate(stamps)]
    return "date\tsource\ttarget\tcode\n" + "".join(rows)


def days(table: EventTable) -> list[str]:
    return [str(table.start + timedelta(days=int(t // 1))) for t in table.frame.sort("line")["time"]]


def said(table: EventTable) -> str:
    return " | ".join(table.account["said"])  # type: ignore[arg-type]


def column(table: EventTable, name: str) -> list[object]:
    found = table.frame.sort("line")[name]
    return (found.cast(pl.String) if found.dtype == pl.Categorical else found).to_list()


# --- forms of dates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "span"),
    [
        ("3-5 May 2015", "2015-05-03", 3),
        ("3–5 May 2015", "2015-05-03", 3),
        ("May 3-5, 2015", "2015-05-03", 3),
        ("between 3 and 5 May 2015", "2015-05-03", 3),
        ("28 April - 3 May 2015", "2015-04-28", 6),
        ("April 28 - May 3, 2015", "2015-04-28", 6),
        ("3 May 2015 to 5 May 2015", "2015-05-03", 3),
        ("May-June 2015", "2015-05-01", 61),
        ("05/03/2015 - 05/27/2015", "2015-05-03", 25),
        ("27/05/2015 – 03/06/2015", "2015-05-27", 8),
        ("03.05.2015 - 05.05.2015", "2015-05-03", 3),
        ("ca. 2015", "2015-01-01", 365),
        ("c. 2016", "2016-01-01", 366),
        ("circa 2015-05", "2015-05-01", 31),
        ("about May 2015", "2015-05-01", 31),
    ],
)
def test_ranges_and_dates_about_right_are_spans_alone_and_among_others(
    tmp_path: Path, text: str, first: str, span: int
) -> None:
    for others in ((), ("2016-02-01", "2016-02-02")):
        table = read(tmp_path, dated(text, *others))
        assert days(table)[0] == first and column(table, "span")[0] == span
        assert ("about right" in said(table)) == text.startswith(("c", "a"))
        assert text not in said(table) or text.startswith(("c", "a"))


def test_a_range_that_two_orders_can_make_is_read_only_in_the_order_of_its_column(tmp_path: Path) -> None:
    table = read(tmp_path, dated("2015-05-01", "05/03/2015 - 05/06/2015", "5-3 May 2015"))
    assert table.frame.height == 1 and table.account["rows_set_aside"] == 2
    table = read(tmp_path, dated("05/13/2015", "05/03/2015 - 05/06/2015"))
    assert days(table)[1] == "2015-05-03" and column(table, "span")[1] == 4
    table = read(tmp_path, dated("13/05/2015", "05/03/2015 - 05/06/2015"))
    assert days(table)[1] == "2015-03-05" and column(table, "span")[1] == 93


def test_the_hour_24_is_the_midnight_that_ends_the_day(tmp_path: Path) -> None:
    table = read(tmp_path, dated("2015-05-03 24:00", "2015-05-04 12:00", "2015-05-05 24:01"))
    assert sorted(table.frame["time"] - table.frame["time"].min()) == [0.0, 0.5] and days(table)[0] == "2015-05-04"
    table = read(tmp_path, dated("2015-05-03 24:00:00", "2015-05-04 00:00:00"))
    assert days(table) == ["2015-05-04"] * 2 and table.resolution == "day" and "ends a day" in said(table)


@pytest.mark.parametrize("zero", ["\u0660", "\u06f0", "\u0966"])
def test_digits_of_other_scripts_are_digits(tmp_path: Path, zero: str) -> None:
    """Dates, codes and numbers; a name keeps its own."""
    other = str.maketrans({str(n): chr(ord(zero) + n) for n in range(10)})
    rows = "".join(f"2015-05-0{n},Unit 1,B,19{n},-10.0,{n}1\n".translate(other) for n in range(1, 4))
    head = "date,source,target,code,goldstein,deaths\n"
    table = read(tmp_path, head + rows, codebook="cameo")
    assert days(table) == ["2015-05-01", "2015-05-02", "2015-05-03"]
    assert column(table, "cameo") == ["191", "192", "193"]
    assert column(table, "deaths") == [11, 21, 31] and column(table, "goldstein") == [-10.0] * 3
    assert column(table, "source") == ["Unit 1".translate(other)] * 3
    frame = pl.DataFrame({"date": [f"2015-05-0{n}".translate(other) for n in (1, 2)], "source": "A", "target": "B",
                          "code": "190".translate(other)})  # fmt: skip
    assert column(pk.events(frame, codebook="cameo"), "cameo") == ["190"] * 2


MARCH = ["1999-03-01", "1999-03-24"]


@pytest.mark.parametrize(
    "stamps",
    [
        ("1999-03-01", "1999-03-24"), ("19990301", "19990324"), ("19990301.0", "19990324.0"),
        ("1999/03/01", "1999/3/24"),
        ("1999.03.01", "1999.03.24"), ("1/3/1999", "24/3/1999"), ("3/1/1999", "3/24/1999"), ("01-03-99", "24-03-99"),
        ("3/1/99", "3/24/99"), ("1.3.1999", "24.3.1999"), ("1. 3. 1999.", "24. 3. 1999."), ("01.03.99", "24.03.99"),
        ("1 March 1999", "24 March 1999"), ("March 1, 1999", "March 24th, 1999"), ("01-Mar-99", "24-Mar-99"),
        ("01MAR1999", "24MAR1999"), ("Monday, 1 March 1999", "Wednesday, 24 March 1999"),
        ("1. März 1999", "24. März 1999"),
        ("1er mars 1999", "24 mars 1999"), ("1 de marzo de 1999", "24 de marzo de 1999"),
        ("1 марта 1999", "24 марта 1999 г."),
        ("1. март 1999.", "24. март 1999."), ("1 mars 1999", "24 mars 1999"), ("36220", "36243"),
        ("36220.0", "36243.0"),
        ("36220,5", "36243,25"), ("920246400", "922233600"), ("920246400000", "922233600000"),
        ("9.202464e8", "9.222336e8"),
        ("920246400000000", "922233600000000"), ("1999-W09-1", "1999-W12-3"), ("1999-060", "1999-083"),
        ("1999-03-01 14:30:00", "1999-03-24 08:00"), ("1999-03-01T14:30:00Z", "1999-03-24T08:00:00Z"),
        ("1/3/1999 2:30 PM", "24/3/1999 8:00 AM"), ("3/1/1999 14:30", "3/24/1999 8:00"),
        ("1.3.1999 14:30", "24.3.1999 8:00"),
        ("1999-03-01 00:00", "1999-03-24 00:00"), ("1999-03-01 00:00:00.000", "1999-03-24 00:00:00.000"),
        ("1999-03-01T00:00:00Z", "1999-03-24T00:00:00Z"), ("19990301143000", "19990324080000"),
        ("19990301T143000Z", "19990324T080000Z"), ("19990301T1430+0200", "19990324T0800+0200"),
    ],
)  # fmt: skip
def test_a_form_that_leaves_no_choice_is_found(tmp_path: Path, stamps: tuple[str, str]) -> None:
    assert days(read(tmp_path, dated(*stamps))) == MARCH


def test_one_day_above_twelve_decides_for_the_whole_file_wherever_it_stands(tmp_path: Path) -> None:
    """Far behind the part of the file that is looked at first."""
    stamps = [f"{n % 12 + 1}/{n % 11 + 1}/2017" for n in range(20_000)]
    months_first = read(tmp_path, dated(*stamps, "1/13/2017"))
    assert days(months_first)[1] == "2017-02-02" and days(months_first)[2] == "2017-03-03"
    assert days(months_first)[11] == "2017-12-01" and days(months_first)[-1] == "2017-01-13"
    days_first = read(tmp_path, dated(*stamps, "13/1/2017"))
    assert days(days_first)[11] == "2017-01-12" and days(days_first)[-1] == "2017-01-13"
    assert "date_format='day-first' or date_format='month-first'" in fault_of(tmp_path, dated(*stamps))
    told = fault_of(tmp_path, dated("13/1/2017", *stamps, "1/13/2017"))
    assert "two kinds in one column: '13/1/2017' (day-first) and '1/13/2017' (month-first)" in told


def test_the_official_icews_file_of_2017_is_month_first_even_where_no_day_decides(tmp_path: Path) -> None:
    rows = [icews_row(n, day) for n, day in enumerate(["1/2/2017", "1/3/2017", "1/13/2017", "1/14/2017"])]
    table = read(tmp_path, icews(rows), "icews.tab")
    assert days(table) == ["2017-01-02", "2017-01-03", "2017-01-13", "2017-01-14"]
    short = read(tmp_path, icews(rows[:2]), "icews.tab")
    assert days(short) == ["2017-01-02", "2017-01-03"] and "month first, as the format has them" in said(short)
    mixed = tmp_path / "two"
    mixed.mkdir()
    (mixed / "a.tab").write_text(icews([icews_row(9)]))
    (mixed / "b.tab").write_text(icews(rows))
    assert len(read_events(mixed)) == 5


def test_dates_that_no_row_decides_are_asked_for_and_the_answer_is_taken(tmp_path: Path) -> None:
    text = acled([acled_row(n, day) for n, day in enumerate(["01/02/2020", "03/02/2020", "07/02/2020"])])
    assert "expected date_format='day-first' or date_format='month-first'" in fault_of(tmp_path, text)
    assert days(read(tmp_path, text, date_format="day-first")) == ["2020-02-01", "2020-02-03", "2020-02-07"]
    assert days(read(tmp_path, text, date_format="month-first")) == ["2020-01-02", "2020-03-02", "2020-07-02"]
    assert days(read(tmp_path, text, date_format="%d/%m/%Y")) == ["2020-02-01", "2020-02-03", "2020-02-07"]
    assert "date_format='day-first' or date_format='month-first' or date_format='year-first'" in fault_of(
        tmp_path, dated("01-02-03", "04-05-06")
    )
    assert days(read(tmp_path, dated("01-02-03", "30-05-45"))) == ["2003-02-01", "1945-05-30"]


def test_years_of_two_digits_are_said(tmp_path: Path) -> None:
    table = read(tmp_path, dated("24/3/44", "25/3/45"))
    assert sorted(days(table)) == ["1945-03-25", "2044-03-24"] and "1945 to 2044" in said(table)


@pytest.mark.parametrize("form", ["%H", "%d/%m", "%Q", "%", "%Y-%m-%d %H", "day-frist", "day-first noon", "%Y %"])
def test_a_date_format_that_reads_no_date_is_a_fault(tmp_path: Path, form: str) -> None:
    assert "date_format" in fault_of(tmp_path, dated("2018-06-01"), date_format=form)


def test_a_spreadsheets_day_numbers_are_dates_and_it_is_said(tmp_path: Path) -> None:
    text = acled([acled_row(n, str(45056 + n)) for n in range(3)])
    table = read(tmp_path, text)
    assert days(table) == ["2023-05-10", "2023-05-11", "2023-05-12"] and table.resolution == "day"
    assert "45056 is 2023-05-10 (or serial-1904: 2027-05-11)" in said(table)
    assert days(read(tmp_path, text, date_format="serial-1904"))[0] == "2027-05-11"
    timed = read(tmp_path, dated("45056.5", "45057.25"))
    assert timed.resolution == "second" and timed.frame["time"].to_list() == [0.5, 1.25]


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [(("17167", "17168"), "1970"), (("1", "152"), "start"), (("45056", "3"), "plain numbers")],
)
def test_numbers_that_may_be_two_dates_are_asked_for(tmp_path: Path, stamps: tuple[str, str], expected: str) -> None:
    assert expected in fault_of(tmp_path, dated(*stamps))


@pytest.mark.parametrize("odd", ["99999999", "1e999", "0", "1e300", "-1"])
@pytest.mark.parametrize("day", [20180601, 43252, 1_527_811_200])
def test_a_number_that_is_no_date_does_not_hide_what_the_others_are(tmp_path: Path, odd: str, day: int) -> None:
    step = 86_400 if day > 1e9 else 1
    text = dated(*[str(day + n * step) for n in range(20)], odd)
    if day != 20180601 and odd in ("0", "99999999")[: 1 + (day > 1e9)]:  # a day of 1970 or 1899, so it is asked about
        assert "plain numbers" in fault_of(tmp_path, text)
        return
    table = read(tmp_path, text)
    assert days(table) == [f"2018-06-{n + 1:02}" for n in range(20)]
    assert table.account["rows_set_aside"] == 1


def test_days_from_a_start_are_read_from_files_too(tmp_path: Path) -> None:
    table = read(tmp_path, dated("1", "152"), start="2018-01-01")
    assert days(table) == ["2018-01-02", "2018-06-02"]
    assert days(read(tmp_path, dated("17167"), date_format="unix-days")) == ["2017-01-01"]


def test_impossible_dates_are_set_aside_and_blow_up_no_window(tmp_path: Path) -> None:
    rows = [
        acled_row(1, "2025-05-10"),
        acled_row(2, "0025-05-17"),
        acled_row(3, "2025-02-30"),
        acled_row(4, "2025-06-15"),
    ]
    table = read(tmp_path, acled(rows))
    assert table.days == 37.0 and table.account["rows_set_aside"] == 2
    assert table.account["set_aside_by_reason"] == {"date out of range": 1, "bad date": 1}


def test_an_event_dated_after_it_entered_the_data_is_dropped_by_name(tmp_path: Path) -> None:
    late = [
        gdelt_row(n, day, added="20180108121500")
        for n, day in enumerate(("20180107", "20170108", "20080108", "20190108"))
    ]
    table = read(tmp_path, gdelt(late), "x.CSV")
    assert table.account["rows_dropped"] == {"dated after publication": 1}
    assert str(table.end) == "2018-01-07" and table.account["dated_a_year_early"] == 2
    tomorrow = read(tmp_path, gdelt([gdelt_row(1, "20180109", added="20180108234500")]), "x.CSV")
    assert len(tomorrow) == 1, "where it happened it was the next day already"


# --- zones ------------------------------------------------------------------------------------------------------------


def test_midnights_written_with_an_offset_keep_their_day(tmp_path: Path) -> None:
    stamps = [
        "2022-07-31T00:00:00+02:00",
        "2022-08-01T00:00:00+02:00",
        "2022-08-01T00:00+02:00",
        "2022-12-10T00:00:00+01:00",
    ]
    table = read(tmp_path, dated(*stamps))
    assert days(table) == ["2022-07-31", "2022-08-01", "2022-08-01", "2022-12-10"]
    assert (table.resolution, table.days) == ("day", 133.0) and "+01:00 and +02:00" in said(table)


def test_times_with_offsets_become_utc_across_a_change_of_clocks(tmp_path: Path) -> None:
    table = read(tmp_path, dated("2022-10-30T02:30:00+02:00", "2022-10-30T02:30:00+01:00", "2022-10-30 01:30:00 UTC"))
    assert table.frame["time"].to_list() == pytest.approx([0.5 / 24, 1.5 / 24, 1.5 / 24])
    assert table.resolution == "second" and "carried over to UTC" in said(table)
    assert "taken as UTC" in said(read(tmp_path, dated("2022-10-30 02:30:00", "2022-10-30 03:31:00")))
    named = read(tmp_path, dated("2022-07-30 14:30 CEST", "2022-07-31 15:45 CEST"))
    assert named.frame["time"].to_list() == pytest.approx([12.5 / 24, 1 + 13.75 / 24]) and "CEST" in said(named)
    assert "zone that is not known: 'XYZ'" in fault_of(tmp_path, dated("2022-07-30 14:30 XYZ"))


def test_midnights_that_were_carried_over_to_utc_are_days_again_and_it_is_said(tmp_path: Path) -> None:
    belgrade = ZoneInfo("Europe/Belgrade")
    first = [datetime(2022, month, 7 + month, tzinfo=belgrade) for month in range(1, 13)]
    stamps = [moment.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in first]
    table = read(tmp_path, dated(*stamps))
    assert days(table) == [moment.strftime("%Y-%m-%d") for moment in first]
    assert table.resolution == "day" and "midnight 2 or 1 hours ahead of UTC" in said(table)
    new_york = [datetime(2022, month, 7 + month, tzinfo=ZoneInfo("America/New_York")) for month in range(1, 13)]
    stamps = [moment.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in new_york]
    assert days(read(tmp_path, dated(*stamps)))[0] == "2022-01-08"


def test_a_dataframe_of_local_midnights_keeps_its_days() -> None:
    moments = pl.Series([datetime(2022, 7, 31), datetime(2022, 12, 10)]).dt.replace_time_zone("Europe/Belgrade")
    frame = pl.DataFrame({"time": moments, "source": ["a", "b"], "target": ["b", "a"], "act": ["x", "y"]})
    table = pk.events(frame)
    assert (str(table.start), str(table.end), table.resolution) == ("2022-07-31", "2022-12-10", "day")
    later = pk.events(frame.with_columns(pl.col("time") + pl.duration(hours=3)))
    assert later.resolution == "second" and later.frame["time"][0] == pytest.approx(1 / 24)


# --- days that are not known ------------------------------------------------------------------------------------------


def test_an_empty_last_day_is_one_day(tmp_path: Path) -> None:
    text = "date,date_end,source,target,act\n2022-07-31,2022-08-01,a,b,x\n2022-08-18,,b,a,y\n2022-11-05,NA,a,b,z\n"
    table = read(tmp_path, text + "2022-12-10,2022-12-29,a,b,x\n2022-12-12,2022-12-11,a,b,x\n2022-12-12,soon,a,b,x\n")
    assert column(table, "span") == [2.0, 1.0, 1.0, 20.0] and str(table.end) == "2022-12-29"
    assert table.account["set_aside_by_reason"] == {"last date before the first": 1, "bad last date": 1}


def test_ucdp_days_lie_between_their_first_and_last_possible_one(tmp_path: Path) -> None:
    ends = [("2023-03-04", "2023-03-04"), ("2023-03-06", "2023-03-12"), ("2023-03-01", "2023-03-31"),
            ("2023-01-01", "2023-12-31"), ("2023-03-20", "2023-03-22")]  # fmt: skip
    text = ucdp([ucdp_row(n, f"{a} 00:00:00.000", f"{b} 00:00:00.000") for n, (a, b) in enumerate(ends)])
    table = read(tmp_path, text)
    assert column(table, "span") == [1.0, 7.0, 31.0, 365.0, 3.0]
    assert (str(table.start), str(table.end), table.resolution) == ("2023-01-01", "2023-12-31", "day")
    words = "4 of 5 days are not known to the day: 2 within a week, 1 a month, 1 a year"
    assert words_for_unsure(table) == words and summary(table).unsure_days == 4
    account = convert(tmp_path / "mine.csv", tmp_path / "out.parquet")
    again = read_events(tmp_path / "out.parquet")
    assert account == table.account and (again.start, again.days) == (table.start, table.days)


def test_acled_dates_stand_in_the_middle_of_their_week_or_month(tmp_path: Path) -> None:
    rows = [acled_row(n, "2023-05-16", precision=p) for n, p in enumerate(("1", "2", "3", "1.0", "3.0"))]
    table = read(tmp_path, acled(rows))
    assert days(table) == ["2023-05-16", "2023-05-13", "2023-05-01", "2023-05-16", "2023-05-01"]
    assert column(table, "span") == [1.0, 7.0, 31.0, 1.0, 31.0]
    assert (str(table.start), str(table.end)) == ("2023-05-01", "2023-05-31")
    part = read(tmp_path, acled(rows), start="2023-05-10", end="2023-05-20")
    assert days(part) == ["2023-05-16", "2023-05-13", "2023-05-10", "2023-05-16", "2023-05-10"]
    assert column(part, "span") == [1.0, 7.0, 11.0, 1.0, 11.0], "only what lies in the window"


@pytest.mark.parametrize(
    ("stamps", "first", "spans"),
    [
        (("2012-05-12", "2012-05", "2012"), "2012-01-01", [1.0, 31.0, 366.0]),
        (("2012-05-12", "2012-05-XX", "2012-XX-XX"), "2012-01-01", [1.0, 31.0, 366.0]),
        (("2012-05-12", "2012-02-00", "2013-00-00"), "2012-02-01", [1.0, 29.0, 365.0]),
        (("2012-05-01/2012-05-03", "2012-05-01..2012-05-07", "2012-04/2012-05"), "2012-04-01", [3.0, 7.0, 61.0]),
        (("2012-05-12?", "2012-05~", "2012-05-01 to 2012-05-02"), "2012-05-01", [1.0, 31.0, 2.0]),
        (("12 May 2012", "May 2012", "1 June 2012"), "2012-05-01", [1.0, 31.0, 1.0]),
        (("2012", "2013", "2014"), "2012-01-01", [366.0, 365.0, 365.0]),
        (("2012-W01", "2012-W02-3", "2012-W03"), "2012-01-02", [7.0, 1.0, 7.0]),
        (("1.5.2012", "13.5.2012", "2012-06"), "2012-05-01", [1.0, 1.0, 30.0]),
    ],
)
def test_partial_dates_leave_days_open(tmp_path: Path, stamps: tuple[str, ...], first: str, spans: list[float]) -> None:
    table = read(tmp_path, dated(*stamps))
    assert str(table.start) == first and column(table, "span") == spans and table.resolution == "day"


@pytest.mark.parametrize("day", ["0", "00", "99", "-9", "-99", "NA", "", "?"])
def test_a_day_of_the_month_that_its_source_does_not_know_leaves_the_month_open(tmp_path: Path, day: str) -> None:
    text = f"year,month,day,source,target,act\n2015,3,4,A,B,hit\n2015,4,{day},B,A,hit\n2015,{day or 0},{day},B,A,hit\n"
    frame = read(tmp_path, text).frame.sort("time", "span")
    assert frame["span"].to_list() == [365.0, 1.0, 30.0]


@pytest.mark.parametrize("month", ["March", "mar.", "März", "3", "03", "3.0"])
def test_a_month_apart_may_be_a_word(tmp_path: Path, month: str) -> None:
    table = read(tmp_path, f"Year,Month,source,target,act\n2015,{month},A,B,hit\n2015,{month},B,A,hit\n")
    assert (table.start, table.resolution, table.frame.height) == (date(2015, 3, 1), "month", 2)


@pytest.mark.parametrize("names", ["start_date,end_date", "startdate,enddate", "Date,End Date", "date_from,date_to"])
def test_first_and_last_days_go_by_their_usual_names(tmp_path: Path, names: str) -> None:
    table = read(tmp_path, f"{names},source,target,act\n2015-03-01,2015-03-04,A,B,hit\n2015-03-02,,B,A,hit\n")
    assert table.frame["span"].to_list() == [4.0, 1.0]


def test_last_days_settle_the_order_of_day_and_month(tmp_path: Path) -> None:
    """Each column alone may leave it open, but both were written by one hand."""
    rows = "3/4/2023,3/4/2023,A,B,hit\n3/1/2023,{last},B,A,hit\n"
    header = "date,date_end,source,target,act\n"
    table = read(tmp_path, header + rows.format(last="3/31/2023"))
    assert table.start == date(2023, 3, 1)
    assert table.frame["span"].to_list() == [31.0, 1.0]
    assert "two ways" in fault_of(tmp_path, header + rows.format(last="3/9/2023"))


def test_a_clock_beside_the_date_is_no_date(tmp_path: Path) -> None:
    table = read(tmp_path, "date,time,source,target,act\n2015-03-01,13:45,A,B,hit\n2015-03-02,9:10,B,A,hit\n")
    assert (table.start, table.frame["time"].to_list()) == (date(2015, 3, 1), [0.0, 1.0])
    assert any("'time' beside it is not read" in one for one in table.account["said"])


def test_a_day_of_ucdp_that_bounds_nothing_is_as_long_as_its_precision(tmp_path: Path) -> None:
    rows = "".join(f"{n},1,A,B,{n},2023-06-01,2023-06-01\n" for n in (1, 2, 4))
    text = "id,type_of_violence,side_a,side_b,date_prec,date_start,date_end\n" + rows
    assert sorted(read(tmp_path, text).frame["span"]) == [1.0, 6.0, 31.0]


def test_a_missing_count_among_counts_makes_them_no_numbering(tmp_path: Path) -> None:
    text = "date,source,target,cameo,n\n2015-03-01,A,B,190,3\n2015-03-02,A,B,190,0\n2015-03-03,A,B,190,NA\n"
    table = read(tmp_path, text)
    assert table.frame.height == 3
    assert table.account["set_aside_by_reason"] == {"bad count of events": 1}
    assert table.account["rows_dropped"] == {"a count of 0": 1}


@pytest.mark.parametrize("stamps", [("2015 Q1", "2015 Q2"), ("2015q1", "2015q2"), ("Q1 2015", "Q2-2015")])
def test_quarters_leave_their_days_open(tmp_path: Path, stamps: tuple[str, str]) -> None:
    table = read(tmp_path, f"date,source,target,act\n{stamps[0]},A,B,hit\n{stamps[1]},B,A,hit\n")
    assert (table.start, table.frame["time"].to_list()) == (date(2015, 1, 1), [0.0, 90.0])
    assert table.frame["span"].to_list() == [90.0, 91.0]


def test_months_as_stata_writes_them_are_months(tmp_path: Path) -> None:
    table = read(tmp_path, "date,source,target,act\n2015m3,A,B,hit\n2015m12,B,A,hit\n")
    assert (table.start, table.resolution, table.frame["time"][1]) == (date(2015, 3, 1), "month", 275.0)


def test_types_of_violence_in_words_are_those_of_ucdp(tmp_path: Path) -> None:
    words = ("State-based conflict", "non-state violence", "One-sided Violence")
    rows = "".join(f"{n},{word},A,B,2023-06-0{n},2023-06-0{n}\n" for n, word in enumerate(words, 1))
    frame = read(tmp_path, "id,type_of_violence,side_a,side_b,date_start,date_end\n" + rows).frame
    assert frame["code"].to_list() == ["1", "2", "3"]
    assert frame["undirected"].to_list() == [True, True, False]


def test_months_alone_stay_months(tmp_path: Path) -> None:
    assert read(tmp_path, dated("2012-05", "2012-06")).resolution == "month"


# --- missing marks ----------------------------------------------------------------------------------------------------


def test_marks_of_r_name_no_actor_no_event_and_no_number(tmp_path: Path) -> None:
    head = '"","event_id_cnty","event_date","time_precision","event_type",'
    head += '"sub_event_type","actor1","actor2","fatalities"\n'
    text = head + (
        '"1","NLD1",2023-05-10,1,"Protests","Peaceful protest","Protesters",NA,0\n'
        '"3","NLD3",2023-05-12,1,"Battles","Armed clash","NLA","Forces",NA\n'
        '"4",NA,2023-05-12,1,"Protests","Peaceful protest","Protesters",NA,0\n'
        '"5",NA,2023-05-12,1,"Riots","Mob violence","Rioters",NA,0\n'
    )
    table = read(tmp_path, text)
    assert len(table) == 4 and column(table, "event_id") == ["NLD1", "NLD3", None, None]
    assert column(table, "target") == [None, "Forces", None, None] and column(table, "deaths") == [0.0, None, 0.0, 0.0]
    assert "NA" not in [row["name"] for row in summary(table).most_active]


@pytest.mark.parametrize(
    "mark", ["NA", "N/A", "n/a", "NULL", "null", "\\N", "nan", "NaN", "#N/A", "", "-", "---", ".", "<NA>"]
)
def test_a_mark_is_missing_in_every_column(tmp_path: Path, mark: str) -> None:
    text = f"date,source,target,code,event_id,deaths,goldstein\n2018-06-01,Serbia,{mark},138,{mark},{mark},{mark}\n"
    table = read(tmp_path, text + f"2018-06-02,{mark},Serbia,138,7,1,-2\n2018-06-03,Serbia,Kosovo,{mark},8,1,-2\n")
    assert len(table) == 1 and table.account["rows_dropped"] == {"no source": 1}
    assert table.account["set_aside_by_reason"] == {"no act code": 1}
    assert table.frame.select("target", "event_id", "deaths", "goldstein").row(0) == (None, None, None, -7.0)


@pytest.mark.parametrize("name", ["None", "Nan", "Null", "Na", "N", "Nano", "Unknown"])
def test_names_that_look_like_marks_are_names(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, f"date,source,target,code\n2018-06-01,{name},Kosovo,138\n")
    assert column(table, "source") == [name]


def test_na_is_namibia_among_two_letter_codes(tmp_path: Path) -> None:
    text = "date,source,target,code\n2018-06-01,RS,XK,138\n2018-06-02,XK,NA,190\n2018-06-03,RS,XK,042\n"
    text += "2018-06-04,NA,XK,042\n"
    table = read(tmp_path, text)
    assert column(table, "target") == ["XK", "NA", "XK", "XK"] and column(table, "source")[3] == "NA"
    assert "read as Namibia" in said(table)
    missing = read(
        tmp_path,
        text.replace("code\n", "code,deaths\n")
        .replace("2\n", "2,NA\n")
        .replace("8\n", "8,1\n")
        .replace("0\n", "0,1\n"),
    )
    assert column(missing, "target")[1] is None and "not as Namibia" in said(missing)
    often = text.replace("RS,XK", "RS,NA")
    assert column(read(tmp_path, often), "target")[:2] == [None, None]


# --- numbers ----------------------------------------------------------------------------------------------------------


def numbered(goldstein: list[str], deaths: list[str]) -> str:
    rows = "".join(
        f"2018-06-{n + 1:02}\tSerbia\tKosovo\t138\t{g}\t{d}\n"
        for n, (g, d) in enumerate(zip(goldstein, deaths, strict=True))
    )
    return "date\tsource\ttarget\tcode\tgoldstein\tdeaths\n" + rows


@pytest.mark.parametrize(
    ("goldstein", "deaths", "read_as"),
    [
        (["-7,0", "-9,9", "1,9"], ["0", "1.200", ""], ([-7.0, -9.9, 1.9], [0.0, 1200.0, None])),
        (["-7.0", "-9.9", "1.9"], ["0", "1,200", "1,234,567"], ([-7.0, -9.9, 1.9], [0.0, 1200.0, 1234567.0])),
        (["\u22127.5", "(2.5)", "+1.9"], ["1 200", "1\u00a0200", "1\u202f200"], ([-7.5, -2.5, 1.9], [1200.0] * 3)),
        (["-7", "2", "1"], ["1.200", "3", "15"], ([-7.0, 2.0, 1.0], [1200.0, 3.0, 15.0])),
        (["-7", "2", "1"], ["12.000", "3", "15"], ([-7.0, 2.0, 1.0], [12000.0, 3.0, 15.0])),
        (["-7", "2", "1"], ["12.000", "3.000", "0.000"], ([-7.0, 2.0, 1.0], [12.0, 3.0, 0.0])),
        (["-7", "2", "1"], ["12.0", "3.0", "1e3"], ([-7.0, 2.0, 1.0], [12.0, 3.0, 1000.0])),
        (["-7", "2", "1"], ["1'200", "1\u2019200", "7"], ([-7.0, 2.0, 1.0], [1200.0, 1200.0, 7.0])),
        (["1.234", "2.345", "-1.5E+00"], ["1", "2", "3"], ([1.234, 2.345, -1.5], [1.0, 2.0, 3.0])),
        (["1.234", "2.345", "-9.125"], ["1", "2", "3"], ([1.234, 2.345, -9.125], [1.0, 2.0, 3.0])),
        (["50%", "7%", "2%"], ["1", "2", "3"], ([0.5, 0.07, 0.02], [1.0, 2.0, 3.0])),
        (["7-", "7.5-", "2"], ["1", "2", "3"], ([-7.0, -7.5, 2.0], [1.0, 2.0, 3.0])),
    ],
)
def test_numbers_are_read_by_the_convention_of_their_column(
    tmp_path: Path, goldstein: list[str], deaths: list[str], read_as: tuple[list[float], list[float]]
) -> None:
    table = read(tmp_path, numbered(goldstein, deaths))
    assert (column(table, "goldstein"), column(table, "deaths")) == read_as


def test_numbers_that_can_be_read_in_two_ways_are_asked_for(tmp_path: Path) -> None:
    text = numbered(["1", "2"], ["12.000", "15.000"])
    told = fault_of(tmp_path, text)
    assert "'12.000' in column 'deaths' may be 12 (with a decimal point) or 12,000 (with a decimal comma)" in told
    assert column(read(tmp_path, text, decimal="comma"), "deaths") == [12000.0, 15000.0]
    assert column(read(tmp_path, text, decimal="point"), "deaths") == [12.0, 15.0]
    assert "'1.5' (with a decimal point) and '1,5'" in fault_of(tmp_path, numbered(["1.5", "1,5"], ["1", "2"]))


def test_a_decimal_mark_far_down_the_file_decides_for_its_beginning(tmp_path: Path) -> None:
    text = numbered(["1"] * 25, ["1.200", "3.000", *["1"] * 23])
    body = text.split("\n", 1)[1] * 700
    table = read(tmp_path, text.split("\n", 1)[0] + "\n" + body + "2018-06-30\ta\tb\t138\t-9,9\t2\n", doubles=())
    assert column(table, "deaths")[0] == 1200.0 and column(table, "goldstein")[-1] == -9.9


@pytest.mark.parametrize("wrong", ["inf", "-Infinity", "1e999", "many", "1,2,3", "10-20"])
def test_what_is_no_number_is_left_empty_and_named_and_the_codebook_does_not_step_in(
    tmp_path: Path, wrong: str
) -> None:
    table = read(tmp_path, numbered([wrong, "-2", ""], [wrong, "1", "-3"]))
    assert column(table, "goldstein") == [None, -2.0, -7.0] and column(table, "deaths") == [None, 1.0, None]
    assert f"goldstein left empty in 1 row, as no number can be read: {wrong}" in said(table)
    assert "deaths left empty in 2 rows" in said(table)


# --- codes and ids that were numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["40", "841", "311", "874", "211", "190", "1823"], ["040", "0841", "0311", "0874", "0211", "190", "1823"]),
        (["40.0", "841.0", "190.0", "10.0", "20.0"], ["040", "0841", "190", "010", "020"]),
        (["1.9E+02", "1,9E+02", "8.41e2", "42"], ["190", "190", "0841", "042"]),
        (["'0841", '="0841"', "=0841", "'010"], ["0841", "0841", "0841", "010"]),
        (["10", "841"], ["010", "0841"]),
        (["10", "190"], ["010", "190"]),
        (["10", "042"], ["10", "042"]),
        (["1", "10", "20"], ["01", "10", "20"]),
        (["13y", "841"], ["13y", "0841"]),
    ],
)
def test_codes_get_back_what_a_spreadsheet_took(tmp_path: Path, written: list[str], meant: list[str]) -> None:
    rows = [icews_row(n, f"2018-06-{n + 1:02}", code=code) for n, code in enumerate(written)]
    assert column(read(tmp_path, icews(rows), "icews.tab"), "code") == meant
    frame = pl.DataFrame({"date": ["2018-06-01"] * len(written), "source": "a", "target": "b", "code": written})
    assert column(pk.events(frame, codebook="cameo"), "code") == meant


def test_codes_that_may_have_lost_a_zero_are_left_counted_and_named(tmp_path: Path) -> None:
    rows = [icews_row(n, f"2018-06-{n + 1:02}", code=code) for n, code in enumerate(("10", "20", "10", "1823"))]
    table = read(tmp_path, icews(rows), "icews.tab")
    assert column(table, "code") == ["10", "20", "10", "1823"]
    assert "codes that may have lost a leading zero are left as they are in 3 rows: 10, 20" in said(table)


def test_codes_and_ids_of_a_numeric_dataframe_are_whole() -> None:
    frame = pl.DataFrame(
        {"date": ["2018-06-01"] * 4, "source": "a", "target": "b", "cameo": [841.0, 40.0, 190.0, None],
         "event_id": [1.0, 123456789.0, 3.0, None]}
    )  # fmt: skip
    table = pk.events(frame)
    assert column(table, "code") == ["0841", "040", "190"] and column(table, "event_id") == ["1", "123456789", "3"]


def test_ucdp_types_and_ids_that_became_floats_are_themselves(tmp_path: Path) -> None:
    rows = [["1.0", *ucdp_row(1, kind="1.0")[1:]], ["2.0", *ucdp_row(2, kind="2.0")[1:]]]
    table = read(tmp_path, comma(UCDP, rows))
    assert column(table, "code") == ["1", "2"] and column(table, "event_id") == ["1", "2"]
    assert table.account["unknown_codes"] == {}


def test_ids_that_a_spreadsheet_rounded_make_no_doubles(tmp_path: Path) -> None:
    text = "event_id,date,source,target,code\n" + "".join(f"1.23E+11,2018-06-01,a,b,{code}\n" for code in ACTS)
    table = read(tmp_path, text)
    assert len(table) == len(ACTS) and "rounded" in said(table)


# --- properties -------------------------------------------------------------------------------------------------------

DAYS = st.lists(st.dates(date(1946, 1, 1), date(2043, 12, 31)), min_size=2, max_size=6)
WRITTEN: dict[str, Callable[[date], str]] = {
    "iso": lambda d: d.isoformat(),
    "compact": lambda d: f"{d:%Y%m%d}",
    "compact as a number": lambda d: f"{d:%Y%m%d}.0",
    "slashed": lambda d: f"{d:%Y/%m/%d}",
    "day first": lambda d: f"{d.day}/{d.month}/{d.year}",
    "month first": lambda d: f"{d.month}/{d.day}/{d.year}",
    "dotted": lambda d: f"{d.day}.{d.month}.{d.year}",
    "two digits, day first": lambda d: f"{d:%d/%m/%y}",
    "words": lambda d: f"{d.day} {d:%B} {d.year}",
    "words, month first": lambda d: f"{d:%b} {d.day}, {d.year}",
    "ordinal": lambda d: f"{d:%Y-%j}",
    "week": lambda d: "{}-W{:02}-{}".format(*d.isocalendar()),
    "midnight": lambda d: f"{d.isoformat()}T00:00:00+02:00",
    "noon": lambda d: f"{d.isoformat()} 12:00:00",
}


@pytest.mark.parametrize("form", WRITTEN)
@given(written=DAYS)
@settings(max_examples=15, deadline=None)
def test_a_date_comes_back_from_each_way_of_writing_it(form: str, written: list[date]) -> None:
    """Or is asked for, where no day of the column is above twelve or years of two digits leave it open."""
    seen = Dates()
    seen.add(pl.Series([WRITTEN[form](day) for day in written]))
    try:
        name, _ = form_of(seen)
    except UnknownDates as error:
        assert "first" in form and " or date_format=" in error.expected
        return
    texts = pl.DataFrame({"t": [WRITTEN[form](day) for day in written]})
    found = texts.select(day=days_of(pl.col("t"), name).floor())["day"].to_list()
    assert found == [float((day - date(1970, 1, 1)).days) for day in written]


@pytest.mark.parametrize("parts", [(".", ","), (",", "."), (".", " "), (",", "\u202f"), (".", "'")])
@given(numbers=st.lists(st.decimals(-99_999_999, 99_999_999, places=2), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_number_comes_back_from_each_convention(parts: tuple[str, str], numbers: list[Decimal]) -> None:
    """With two places behind the mark no text can be read in two ways."""
    mark, thousands = parts
    texts = pl.Series([f"{n:,.2f}".replace(",", "T").replace(".", mark).replace("T", thousands) for n in numbers])
    found = decimal_mark("goldstein", "g", writing_of(texts))
    read_back = texts.to_frame("n").select(numbers_of(pl.col("n"), found))["n"].to_list()
    assert read_back == [float(n) for n in numbers]


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"\r\n\t\0'), max_size=12),
    st.sampled_from(["NA", "1e999", "-", "01/02/2020", "31/12/2019", "12/31/2019", "45056", "1,5", "1.200", "841",
                     "2012-05-XX", "2020-01-01/2019-01-01", "99999999999999999999", "2022-07-31T00:00:00+99:99",
                     "0000-00-00", "1.9E+02", "inf", "2018-W60", "24:61", "10000-01-01", "٣"]),
)  # fmt: skip
TABLES = st.lists(st.tuples(*[ODD] * 6), min_size=1, max_size=5)


@given(rows=TABLES)
@settings(max_examples=40, deadline=None)
def test_odd_values_raise_nothing_foreign_and_lose_no_row(rows: list[tuple[str, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=["date", "source", "target", "code", "deaths", "date_end"], orient="row")
    try:
        table = pk.events(frame)
    except (EventError, UsageError):
        return
    assert balance(table.account) == 0
    assert table.frame.filter(pl.col("time").is_nan() | (pl.col("time") < 0)).height == 0
    assert table.frame.filter(pl.col("time") >= table.days).height == 0


@given(form=st.text(st.sampled_from("%YymdHMSjzZbBpfsTFDeGVuaAUWcxX+:/- "), min_size=1, max_size=10))
@settings(max_examples=60, deadline=None)
def test_any_date_format_reads_or_is_a_fault(form: str) -> None:
    frame = pl.DataFrame({"date": ["2018-06-01", "x"], "source": "a", "target": "b", "act": "c"})
    with contextlib.suppress(EventError, UsageError):
        pk.events(frame, date_format=form)


def test_an_apostrophe_by_which_a_spreadsheet_marks_a_text_is_no_part_of_a_date(tmp_path: Path) -> None:
    table = read(tmp_path, "date,source,target,code\n'2020-01-02,A,B,'042\n'2020-01-04,B,A,'190\n")
    assert table.frame["time"].to_list() == [0.0, 2.0] and table.frame["code"].to_list() == ["042", "190"]


def test_about_a_day_is_a_week_around_it_and_said(tmp_path: Path) -> None:
    rows = "ca. 3 May 2015,A,B,x\n~2015-06-11,A,B,x\n2015-04-30,B,A,x\n2015-Q3,B,A,x\n"
    table = read(tmp_path, "date,source,target,code\n" + rows)
    assert table.frame["time"].to_list() == [0.0, 0.0, 39.0, 62.0]
    assert sorted(table.frame["span"].to_list()) == [1.0, 7.0, 7.0, 92.0]
    assert "three days on either side of their day, in 2 rows" in str(table.account["said"])


@pytest.mark.parametrize("before", ["My events,,,\n,,,\n", "My events;;;\n", '"Events, 2020",,,\n', ",,,\n\n"])
def test_titles_and_empty_cells_above_a_header_are_passed_over(tmp_path: Path, before: str) -> None:
    one = ";" if ";" in before else ","
    rows = "date,source,target,code\n2020-01-02,A,B,x\n2020-01-04,B,A,y\n2020-01-05,B,A,y\n".replace(",", one)
    table = read(tmp_path, before + rows)
    assert table.frame["time"].to_list() == [0.0, 2.0, 3.0]


def test_letters_of_another_encoding_are_shown_as_others_would_have_them(tmp_path: Path) -> None:
    text = "date,source,target,code\n2020-01-02,Vučić,Đinđić,x\n"
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("cp1250"))
    assert "'Đinđić' as cp1250" in str(read_events(path).account["said"])
    assert read_events(path, encoding="cp1250").frame["source"].to_list() == ["Vučić"]


def test_letters_that_were_read_wrongly_before_are_told(tmp_path: Path) -> None:
    table = read(tmp_path, "date,source,target,code\n2020-01-02,CÃ´te,Ärzte,x\n")
    assert "'CÃ´te' looks like 'Côte'" in str(table.account["said"])
    assert "looks like" not in str(read(tmp_path, "date,source,target,code\n2020-01-02,Côte,Ärzte,x\n").account["said"])


def test_one_odd_day_of_entry_or_last_day_hides_no_event(tmp_path: Path) -> None:
    odd = acled([[*acled_row(n, f"{n} May 2023")[:30], "1e999" * (n == 9)] for n in range(1, 10)])
    assert len(read(tmp_path, odd)) == 9
    table = read(tmp_path, acled([[*acled_row(n, f"{n} May 2023")[:30], "12"] for n in (1, 2)]))
    assert len(table) == 2 and "days of entry are not known" in str(table.account["said"])
    table = read(tmp_path, "date,end_date,source,target,code\n2020-01-02,,A,B,x\n2020-01-03,1e999,A,B,x\n")
    assert len(table) == 1 and "bad last date" in str(table.account["set_aside_by_reason"])


def test_a_header_of_half_a_million_letters_is_looked_through_at_once(tmp_path: Path) -> None:
    """Begun anew at each of its letters, the search for the word above takes minutes."""
    begun = time.process_time()
    with contextlib.suppress(EventError):
        read(tmp_path, f"date,source,target,code,{'é' * 500_000}\n2020-01-02,A,B,x\n")
    assert time.process_time() - begun < 5.0


def test_a_title_above_a_header_is_passed_over_where_remarks_hold_separators(tmp_path: Path) -> None:
    file = tmp_path / "excel.csv"
    row = '03.02.2019;a;b;raids;"one; and another"\r\n'
    file.write_text("List of raids;;;;\r\n\r\nDate;Source;Target;Act;Remarks\r\n" + 5 * row, encoding="cp1252")
    assert len(read_events(file).frame) == 5


@pytest.mark.parametrize(
    "stamps",
    [
        ("2018-06-01Z", "2018-06-22Z"),
        ("2018-06-01+02:00", "2018-06-22+02:00"),
        ("Friday 1 June 2018", "Friday 22 June 2018"),
        ("Fri June 1, 2018", "Fri June 22, 2018"),
        ("vendredi 1 juin 2018", "vendredi 22 juin 2018"),
        ("viernes 1 de junio de 2018", "viernes 22 de junio de 2018"),
        ("Freitag 1. Juni 2018", "Freitag 22. Juni 2018"),
    ],
)
def test_a_day_with_its_weekday_or_its_zone_is_that_day(tmp_path: Path, stamps: tuple[str, ...]) -> None:
    """XML writes a zone behind a day, people the name of the day before it; neither moves it."""
    table = read(tmp_path, dated(*stamps), "mine.tsv")
    assert table.start == date(2018, 6, 1) and table.frame["time"].to_list() == [0.0, 21.0]
    assert table.resolution == "day"


@pytest.mark.parametrize("word", ["about", "ca.", "before", "circa", "not"])
def test_another_word_before_a_day_is_no_weekday(tmp_path: Path, word: str) -> None:
    """ "about 3 May" must not become the third of May because a word may stand before it."""
    found = days_of(pl.lit(pl.Series([f"{word} 3 May 2015", "3 May 2015"])), "words")
    assert pl.select(found).to_series().is_null().to_list() == [True, False]
