"""Reading event files: every format, every kind of breakage, and no row unaccounted for."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from event_files import (
    ICEWS,
    acled,
    acled_row,
    comma,
    gdelt,
    gdelt_row,
    icews,
    icews_row,
    keds,
    polecat,
    polecat_row,
    ucdp,
    ucdp_row,
)  # fmt: skip
from polars.testing import assert_frame_equal

from powderkeg.errors import EventError, PowderkegWarning, UsageError
from powderkeg.events import EventTable, balance, convert, read_events, read_table, write_events, write_quarantine

GOLDEN = Path(__file__).parent / "events"


def read(tmp_path: Path, text: str | bytes, name: str = "events.tab", **options: object) -> EventTable:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_events(path, **options)  # type: ignore[arg-type]


def fault_of(tmp_path: Path, text: str | bytes, name: str = "events.csv", **options: object) -> str:
    with pytest.raises(EventError) as caught:
        read(tmp_path, text, name, **options)
    assert len(caught.value.faults) == 1
    return str(caught.value)


def what_happened(table: EventTable) -> pl.DataFrame:
    """The table without what names the file."""
    return table.frame.drop("file", "line", strict=False).with_columns(pl.col(pl.Categorical).cast(pl.String))


# --- formats ----------------------------------------------------------------------------------------------------------

FIXTURES = {
    "fixtures/gdelt1_20170312_sample.export.CSV.gz": ("gdelt", 50, "2016-03-12"),
    "fixtures/gdelt2_20170701234500_sample.export.CSV.gz": ("gdelt", 50, "2007-07-04"),
    "fixtures/gdelt2_20170701234500_translingual_sample.export.CSV.gz": ("gdelt", 50, "2016-07-01"),
    "fixtures/icews_events.2018.sample.tab.gz": ("icews", 3705, "2018-06-01"),
    "fixtures/ucdp_ged_v231_sample.csv.gz": ("ucdp", 1000, "1989-01-07"),
    "keds_balkans/keds_format_1999.txt.gz": ("keds", 10776, "1999-01-02"),
    "keds_balkans/events.csv.gz": ("csv", 72953, "1989-04-02"),
    "kosovo_icews/events_2018.csv.gz": ("csv", 2412, "2018-01-01"),
    "icews14/events.parquet": ("csv", 90730, "2014-01-01"),
}


@pytest.mark.parametrize("name", FIXTURES)
def test_a_real_file_reads_and_every_row_is_accounted_for(shared_data: Path, name: str) -> None:
    kind, rows, first = FIXTURES[name]
    table = read_events(shared_data / name)
    assert table.account["format"] == kind
    assert table.account["rows_read"] == rows
    assert balance(table.account) == 0
    assert table.account["rows_set_aside"] == 0 and table.account["unknown_codes"] == {}
    assert table.start == date.fromisoformat(first)
    assert table.frame["time"].is_sorted()
    assert table.frame["tone"].null_count() == 0


@pytest.mark.parametrize("name", ["acled_header.csv", "polecat_header.tsv"])
def test_a_header_without_rows_is_one_clear_fault(shared_data: Path, name: str) -> None:
    with pytest.raises(EventError, match="no event row"):
        read_events(shared_data / "fixtures" / name)


def test_rows_in_the_format_of_the_header_only_files_read(shared_data: Path, tmp_path: Path) -> None:
    """No rows of ACLED or POLECAT may be passed on, so these are made up under the real header lines."""
    header = (shared_data / "fixtures" / "polecat_header.tsv").read_text().rstrip("\n")
    table = read(tmp_path, polecat([polecat_row()], header))
    assert table.account["format"] == "polecat" and table.frame["code"][0] == "PROTEST:obstruct"
    columns = (shared_data / "fixtures" / "acled_header.csv").read_text().rstrip("\n")
    table = read(tmp_path, comma(columns, [acled_row()]), "a.csv")
    assert table.account["format"] == "acled" and table.frame["cameo"][0] == "145"


@pytest.mark.parametrize("file", sorted(p.name for p in GOLDEN.glob("*") if p.suffix != ".json"))
def test_our_own_small_files_give_what_they_gave(file: str) -> None:
    """Beside `tests/events/x.tab` lies `x.tab.json`: rows and account as they must come out."""
    table = read_events(GOLDEN / file)
    rows = table.frame.drop("file").with_columns(pl.col(pl.Categorical).cast(pl.String), pl.col("tone").cast(pl.String))
    found = {
        "start": table.start.isoformat(),
        "days": table.days,
        "resolution": table.resolution,
        "account": {name: value for name, value in table.account.items() if "file" not in name},
        "quarantine": [] if table.quarantine is None else table.quarantine.drop("file").to_dicts(),
        "rows": rows.to_dicts(),
    }
    expected = json.loads((GOLDEN / f"{file}.json").read_text())
    assert json.loads(json.dumps(found)) == expected


def test_gdelt_files_of_three_ages_are_told_apart_by_their_width(tmp_path: Path) -> None:
    for width, said in ((57, "before April 2013"), (58, "GDELT 1.0 daily"), (61, "GDELT 2.0")):
        table = read(tmp_path, gdelt([gdelt_row(width=width)]), "x.CSV")
        assert said in str(table.account["said"])
        assert table.frame.select("source", "target", "code").row(0) == ("SRBGOV", "KSV", "138")
        assert table.frame["source_name"][0] == "BELGRADE" and table.frame["event_id"][0] == "1"


def test_gdelt_rows_without_a_first_actor_are_dropped_by_name(tmp_path: Path) -> None:
    rows = [gdelt_row(1), gdelt_row(2, source="", name=""), gdelt_row(3, source="", name="SOMEONE")]
    table = read(tmp_path, gdelt(rows), "x.CSV")
    assert table.account["rows_dropped"] == {"no source": 1}
    assert table.frame["source"].to_list() == ["SRBGOV", "SOMEONE"]


def test_an_event_dated_long_before_it_was_added_is_counted_and_can_be_dropped(tmp_path: Path) -> None:
    text = gdelt([gdelt_row(1), gdelt_row(2, day="20160701")])
    assert read(tmp_path, text, "x.CSV").account["dated_a_year_early"] == 1
    table = read(tmp_path, text, "x.CSV", max_lag=30)
    assert table.account["rows_dropped"] == {"reported late": 1} and len(table) == 1


def test_polecat_files_with_excess_names_or_stray_tabs_read_alike(tmp_path: Path) -> None:
    """The two ways in which weekly files are known to be broken, and headers repeated in the middle."""
    rows = [polecat_row(1), polecat_row(2, kind="AGREE", mode="None")]
    plain = what_happened(read(tmp_path, polecat(rows), "a.txt"))
    header = polecat([]).rstrip("\n")
    excess = header.replace("Event Text", "") + "\tHeadline\tBody"
    assert_frame_equal(what_happened(read(tmp_path, polecat(rows, excess), "b.txt")), plain)
    stray = header + "\t\t\n" + "".join("\t".join(row) + "\t\t\n" for row in rows)
    table = read(tmp_path, stray, "c.txt")
    assert_frame_equal(what_happened(table), plain)
    assert table.account["trimmed"] == 2
    repeated = polecat(rows[:1]) + header + "\n" + polecat(rows[1:]).split("\n", 1)[1]
    table = read(tmp_path, repeated, "d.txt")
    assert_frame_equal(what_happened(table), plain)
    assert table.account["rows_dropped"] == {"repeated header": 1} and balance(table.account) == 0


def test_acled_exports_read_with_either_separator_and_either_date(tmp_path: Path) -> None:
    rows = [acled_row(1), acled_row(2, target="", precision="2", deaths="4")]
    plain = read(tmp_path, acled(rows), "a.csv")
    assert plain.frame["deaths"].to_list() == [4.0, 0.0] and plain.frame["span"].to_list() == [7.0, 1.0]
    assert plain.frame["target"].to_list() == [None, "NATO"]
    words = [[*row[:1], "29 May 2023", *row[2:]] for row in rows]
    semicolons = read(tmp_path, acled(words, ";"), "b.csv")
    assert_frame_equal(what_happened(semicolons), what_happened(plain))
    assert "separated by ';'" in str(semicolons.account["said"])


def test_ucdp_events_keep_their_span_and_their_lines(tmp_path: Path) -> None:
    """Articles run over several lines inside quotes; the line said is that on which a row begins."""
    table = read(tmp_path, ucdp([ucdp_row(1), ucdp_row(2, last="1999-03-20"), ucdp_row(3, article="short")]), "a.csv")
    assert table.frame["span"].to_list() == [1.0, 10.0, 1.0]
    assert table.frame["line"].to_list() == [2, 4, 6]
    assert table.frame["target"][0] == "Rebels, united"


def test_keds_years_of_two_digits_stand_for_1945_to_2044(tmp_path: Path) -> None:
    text = keds(
        [
            ("990215", "NAT", "SER", "173", "(SPECIF THREAT)"),
            ("030405", "SER", "KSV", "121"),
            ("19450102", "A1", "B1", "031"),
        ]
    )
    table = read(tmp_path, text, "a.txt")
    assert [table.start.year, table.end.year] == [1945, 2003]
    assert table.frame["cameo"].to_list() == ["044", "138", "111"]


def test_keds_lines_may_be_cut_by_spaces(tmp_path: Path) -> None:
    table = read(tmp_path, "990215 NAT SER 173 (SPECIF THREAT)\n990216 SER NAT 122 (DENIGRATE)\n", "a.txt")
    assert table.frame["source"].to_list() == ["NAT", "SER"] and table.account["codebooks"] == ["weis"]


def test_a_table_of_ones_own_needs_a_mapping_only_where_names_do_not_tell(tmp_path: Path) -> None:
    text = "When;Who;Whom;Deed\n2020-02-29;a;b;144\n2020-03-01;b;a;010\n"
    table = read(tmp_path, text, "m.csv", mapping={"source": "Who", "target": "Whom", "code": "Deed", "time": "When"})
    assert table.frame["cameo"].to_list() == ["144", "010"] and table.start == date(2020, 2, 29)
    with pytest.raises(EventError, match=r"(?s)no column for code or act.*mapping=\{'code': 'Deed'\}"):
        read(tmp_path, text, "m.csv")
    with pytest.raises(EventError, match=r"no column 'Whoo' \(nearest: 'Who'\)"):
        read(tmp_path, text, "m.csv", mapping={"source": "Whoo", "code": "Deed"})
    with pytest.raises(EventError, match="no column 'Perpetrators'") as caught:
        read(tmp_path, text, "m.csv", mapping={"source": "Perpetrators", "code": "Deed"})
    assert "None" not in str(caught.value)


def test_the_column_that_was_likely_meant_is_named_where_one_is_missing(tmp_path: Path) -> None:
    for head, mapping in (
        ("date,sorce,act,target", "mapping={'source': 'sorce'}"),
        ("tag,from,act,to", "mapping={'time': 'tag'}"),
        ("x,from,act,y", "mapping={'time': 'COLUMN', 'target': 'COLUMN'}"),
    ):
        with pytest.raises(EventError) as caught:
            read(tmp_path, f"{head}\n2020-01-01,a,hit,b\n", "m.csv")
        assert mapping in str(caught.value)


def test_a_file_that_is_not_there_is_told_with_the_one_beside_it_that_was_likely_meant(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("date,source,act,target\n2020-01-01,a,hit,b\n")
    with pytest.raises(EventError) as caught:
        read_events(tmp_path / "sen.csv")
    assert caught.value.faults[0].nearest == str(tmp_path / "seen.csv")
    with pytest.raises(EventError, match="no such file, and no folder"):
        read_events(tmp_path / "nowhere" / "seen.csv")
    with pytest.raises(EventError) as caught:
        read_events(tmp_path / "x*.csv")
    assert caught.value.faults[0].nearest is None


def test_codes_that_lost_their_leading_zeros_get_them_back(tmp_path: Path) -> None:
    text = "date,source,target,cameo\n2020-01-01,a,b,42\n2020-01-02,a,b,190\n2020-01-03,a,b,10\n"
    table = read(tmp_path, text, "m.csv")
    assert table.frame["code"].to_list() == ["042", "190", "010"]
    assert "leading zeros" in str(table.account["said"])


def test_codes_of_no_codebook_are_kept_counted_and_listed(tmp_path: Path) -> None:
    table = read(tmp_path, icews([icews_row(1), icews_row(2, code="999"), icews_row(3, code="999")]))
    assert table.account["unknown_codes"] == {"999": 2}
    assert len(table) == 3 and table.frame["tone"].null_count() == 2


# --- packing, encodings, several files --------------------------------------------------------------------------------

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain.tab": lambda b: b,
    "zlib.tab.gz": gzip.compress,
    "two.tab.gz": lambda b: gzip.compress(b[:500]) + gzip.compress(b[500:]),
    "bz2.tab.bz2": bz2.compress,
    "xz.tab.xz": lzma.compress,
    "bom.tab": lambda b: b"\xef\xbb\xbf" + b,
    "utf16.tab": lambda b: b.decode().encode("utf-16"),
    "utf16-no-mark.tab": lambda b: b.decode().encode("utf-16-le"),
    "windows.tab": lambda b: b.replace(b"\n", b"\r\n"),
    "old-mac.tab": lambda b: b.replace(b"\n", b"\r"),
    "no-last-newline.tab": lambda b: b[:-1],
    "blank-lines.tab": lambda b: b"\n\n" + b.replace(b"\n", b"\n\n"),
    "quoted.tab": lambda b: b"\n".join(
        b"\t".join(b'"' + f + b'"' for f in line.split(b"\t")) for line in b.rstrip(b"\n").split(b"\n")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PACKED)
def test_a_file_reads_alike_however_it_is_packed(tmp_path: Path, name: str) -> None:
    text = icews([icews_row(n, source=f"Ž{n} (Åland)") for n in range(1, 30)]).encode()
    plain = read(tmp_path, text)
    table = read(tmp_path, PACKED[name](text), name)
    assert_frame_equal(what_happened(table), what_happened(plain))
    assert table.account["rows_read"] == 29 and balance(table.account) == 0


def test_a_zip_archive_is_read_file_by_file_and_never_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "g.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escape.export.CSV", gdelt([gdelt_row(1)]))
        archive.writestr("b.export.CSV", gdelt([gdelt_row(2), gdelt_row(3)]))
        archive.writestr("__MACOSX/._b.CSV", "junk")
    table = read_events(path)
    assert len(table) == 3 and table.account["files"] == 2
    assert not (tmp_path.parent.parent / "escape.export.CSV").exists()
    assert str(table.frame["file"][0]).endswith("g.zip:../../escape.export.CSV")


def test_a_folder_reads_in_order_and_says_what_it_passed_over(tmp_path: Path) -> None:
    for n in range(40):
        (tmp_path / f"2017{n:04}.export.CSV").write_text(
            gdelt([gdelt_row(n, day=f"201707{n % 28 + 1:02}", added="20170731000000")])
        )
    (tmp_path / "README.md").write_text("about")
    (tmp_path / ".hidden.csv").write_text("x")
    table = read_events(tmp_path)
    assert len(table) == 40 and table.account["files"] == 40 and table.frame["time"].is_sorted()
    assert [Path(p).name for p in table.account["files_passed_over"]] == [".hidden.csv", "README.md"]  # type: ignore[attr-defined]
    assert_frame_equal(what_happened(read_events(str(tmp_path / "2017*.CSV"))), what_happened(table))


def test_files_of_several_formats_make_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.tab").write_text(icews([icews_row(1)]))
    (tmp_path / "b.CSV").write_text(gdelt([gdelt_row(2)]))
    (tmp_path / "c.txt").write_text(keds([("990215", "NAT", "SER", "223")]))
    table = read_events(tmp_path)
    assert table.account["format"] == ["icews", "gdelt", "keds"] and table.account["codebooks"] == ["cameo", "weis"]
    assert table.frame.sort("file")["cameo"].to_list() == ["173", "138", "190"]


def test_the_same_event_read_twice_is_one(tmp_path: Path) -> None:
    """Files overlap. The policy is named, counted, and can be left out or made stricter."""
    text = icews([icews_row(1), icews_row(2), icews_row(3, code="112")])
    for name in ("a.tab", "b.tab"):
        (tmp_path / name).write_text(text)
    table = read_events(tmp_path)
    assert len(table) == 3 and table.account["rows_dropped"] == {"same_event": 3}
    assert len(read_events(tmp_path, doubles=())) == 6
    strict = read_events(tmp_path, doubles=("same_event", "same_day"))
    assert strict.account["rows_dropped"] == {"same_day": 1, "same_event": 3}
    with pytest.raises(UsageError, match="unknown policy 'sameday'"):
        read_events(tmp_path, doubles="sameday")


def test_a_meeting_told_from_both_sides_is_one_visit(tmp_path: Path) -> None:
    rows = [
        icews_row(1, source="B", code="043", target="A"), icews_row(2, source="A", code="042", target="B"),
        icews_row(3, source="D", code="040", target="C"), icews_row(4, source="C", code="040", target="D"),
        icews_row(5, source="E", code="043", target="F"), icews_row(6, source="B", code="112", target="A"),
        icews_row(7, source="A", code="112", target="B"),
    ]  # fmt: skip
    table = read(tmp_path, icews(rows), doubles="mirrored")
    assert table.frame["event_id"].to_list() == ["2", "4", "5", "6", "7"]
    assert table.account["rows_dropped"] == {"mirrored": 2}


# --- time -------------------------------------------------------------------------------------------------------------


def test_same_day_events_keep_their_stamp_and_nothing_invents_times(tmp_path: Path) -> None:
    table = read(tmp_path, icews([icews_row(1), icews_row(2), icews_row(3, day="2018-06-03")]))
    assert table.resolution == "day" and table.frame["time"].to_list() == [0.0, 0.0, 2.0]
    assert (table.start, table.days, table.end) == (date(2018, 6, 1), 3.0, date(2018, 6, 3))


@pytest.mark.parametrize(
    ("stamps", "resolution", "times"),
    [
        (["2018-06-01", "2018-06-02"], "day", [0.0, 1.0]),
        (["2018-06-01T12:00:00Z", "2018-06-02T14:00:00+02:00"], "second", [0.5, 1.5]),
        (["2018-06-01 12:00", "2018-06-02 06:00"], "second", [0.5, 1.25]),
        (["2018-06-01 00:00:00", "2018-06-02 00:00:00"], "day", [0.0, 1.0]),
        (["2018-06", "2018-07"], "month", [0.0, 30.0]),
        (["20180601", "20180603"], "day", [0.0, 2.0]),
        (["13/06/2018", "14/06/2018"], "day", [0.0, 1.0]),
        (["June 1, 2018", "June 2, 2018"], "day", [0.0, 1.0]),
    ],
)
def test_a_table_knows_its_resolution(tmp_path: Path, stamps: list[str], resolution: str, times: list[float]) -> None:
    rows = "".join(f'"{stamp}",a,b,144\n' for stamp in stamps)
    table = read(tmp_path, "date,source,target,cameo\n" + rows, "t.csv")
    assert table.resolution == resolution and table.frame["time"].to_list() == times


def test_a_date_that_reads_two_ways_is_asked_about(tmp_path: Path) -> None:
    text = "date,source,target,cameo\n01/02/2018,a,b,144\n05/05/2018,a,b,144\n"
    assert "can be read in two ways" in fault_of(tmp_path, text)
    assert read(tmp_path, text, "t.csv", date_format="month-first").start == date(2018, 1, 2)
    assert read(tmp_path, text, "t.csv", date_format="%d/%m/%Y").start == date(2018, 2, 1)


def test_a_window_drops_rows_by_name_and_sets_the_span(tmp_path: Path) -> None:
    text = icews([icews_row(n, day=f"2018-06-{n:02}") for n in range(1, 31)])
    table = read(tmp_path, text, start="2018-06-10", end="2018-07-09")
    assert table.account["rows_dropped"] == {"outside the window": 9}
    assert (table.start, table.days, len(table)) == (date(2018, 6, 10), 30.0, 21)
    assert table.coverage is not None and table.coverage.rows() == [(date(2018, 6, 1), 30)]
    with pytest.raises(UsageError, match="before start"):
        read(tmp_path, text, start="2018-06-10", end="2018-06-09")


def test_coverage_counts_events_of_all_kinds_also_in_months_without_any(tmp_path: Path) -> None:
    text = gdelt([gdelt_row(1), gdelt_row(2, day="20170915", source="", name=""), gdelt_row(3)])
    table = read(tmp_path, text, "x.CSV")
    assert table.coverage is not None
    assert table.coverage.rows() == [(date(2017, 7, 1), 2), (date(2017, 8, 1), 0), (date(2017, 9, 1), 1)]


# --- bad input --------------------------------------------------------------------------------------------------------

GOOD = icews_row(1)
BAD_ROWS: dict[str, tuple[bytes, str]] = {
    "a bad date": ("\t".join(icews_row(2, day="2018-13-01")).encode(), "bad date '2018-13-01'"),
    "29 February in a common year": ("\t".join(icews_row(2, day="2019-02-29")).encode(), "bad date '2019-02-29'"),
    "no date": ("\t".join(icews_row(2, day="")).encode(), "no date"),
    "a date out of range": ("\t".join(icews_row(2, day="0018-06-01")).encode(), "date out of range '0018-06-01'"),
    "no code": ("\t".join(icews_row(2, code="")).encode(), "no act code"),
    "a NUL byte": ("\t".join(icews_row(2)).encode().replace(b"Paper", b"Pa\0per"), "a NUL byte"),
    "another separator": (",".join(icews_row(2)).encode(), "1 field, expected 20"),
    "too few fields": (b"a\tb\tc", "3 fields, expected 20"),
    "too many fields": ("\t".join([*icews_row(2), "more"]).encode(), "21 fields, expected 20"),
    "10,000 fields": (b"\t".join([b"x"] * 10_000), "10000 fields, expected 20"),
    "a web page in the middle": (b"<html><body>503</body></html>", "1 field, expected 20"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_goes_to_the_quarantine_with_file_line_and_reason(tmp_path: Path, name: str) -> None:
    line, reason = BAD_ROWS[name]
    text = icews([GOOD]).encode() + line + b"\n" + "\t".join(icews_row(3)).encode() + b"\n"
    out = tmp_path / "quarantine.csv"
    table = read(tmp_path, text, quarantine=out)
    assert table.quarantine is not None
    assert table.quarantine.select("line", "reason").rows() == [(3, reason)]
    assert (len(table), table.account["rows_set_aside"], balance(table.account)) == (2, 1, 0)
    written = pl.read_csv(out, infer_schema=False)
    assert written.columns == ["file", "line", "reason", "text"]
    assert written["line"].to_list() == ["3"] and json.loads(written["text"][0])[:5] == table.quarantine["text"][0][:5]
    write_quarantine(table.quarantine, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()


def test_29_february_of_a_leap_year_is_a_day(tmp_path: Path) -> None:
    assert read(tmp_path, icews([icews_row(1, day="2020-02-29")])).start == date(2020, 2, 29)


def test_a_row_too_long_does_not_make_up_for_one_too_short(tmp_path: Path) -> None:
    """The quick check adds separators up; it must not be fooled by two wrongs."""
    short, long = "\t".join(icews_row(2)[:-1]), "\t".join([*icews_row(3), "x"])
    table = read(tmp_path, icews([GOOD]) + short + "\n" + long + "\n")
    assert table.quarantine is not None and table.quarantine["line"].to_list() == [3, 4]


def test_an_empty_last_column_is_no_fault(tmp_path: Path) -> None:
    table = read(tmp_path, icews([[*icews_row(n)[:-1], ""] for n in (1, 2, 3)]))
    assert len(table) == 3 and table.quarantine is None


def test_rows_in_another_encoding_are_read_as_windows_1252_and_counted(tmp_path: Path) -> None:
    text = icews([GOOD]).encode() + "\t".join(icews_row(2, source="Hashim Thaçi")).encode("cp1252") + b"\n"
    table = read(tmp_path, text)
    assert table.frame["source"].to_list() == ["Police (Aland)", "Hashim Thaçi"]
    assert table.account["recoded"] == 1


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.99])
def test_a_truncated_gzip_gives_what_is_there_and_says_so(tmp_path: Path, cut: float) -> None:
    rows = [icews_row(n, source=f"actor {n * 7919 % 1000}") for n in range(1, 2000)]
    packed = gzip.compress(icews(rows).encode())
    with pytest.warns(PowderkegWarning, match="ends before its end"):
        table = read(tmp_path, packed[: int(cut * len(packed))], "t.tab.gz")
    assert 0 < len(table) < 2000 and balance(table.account) == 0
    assert table.account["rows_set_aside"] in (0, 1)
    assert "ends before its end" in str(table.account["files_at_fault"])


def test_a_gzip_cut_before_the_first_row_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(icews([GOOD]).encode())
    assert "gzip" in fault_of(tmp_path, packed[:8], "t.tab.gz")


def test_a_zip_bomb_is_left(tmp_path: Path) -> None:
    line = icews([GOOD]).encode().split(b"\n")[1] + b"\n"
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.tab", "w") as stream:
        stream.write(icews([GOOD]).encode())
        for _ in range(70):
            stream.write(line * (1_048_576 // len(line)))
    assert path.stat().st_size < 1 << 19
    with pytest.raises(EventError, match="200 times its size"):
        read_events(path)


WHOLE_FILES: dict[str, tuple[str, bytes, str]] = {
    "a web page saved as csv": ("p.csv", b"<!DOCTYPE html><title>404\nGone</title>", "a web page ('404 Gone')"),
    "an empty file": ("e.csv", b"", "an empty file"),
    "blank lines": ("e.csv", b"\n \n\n", "an empty file"),
    "JSON": ("j.csv", b'{"a": 1}', "one column"),
    "missing columns": ("m.csv", b"date,source\n2018-01-01,a\n", "no column for code or act"),
    "one column": ("o.csv", b"just text\nmore text\n", "one column"),
    "an unknown date form": ("d.csv", b"date,source,act\n1st Jan,a,x\n", "cannot be read"),
    "broken parquet": ("q.parquet", b"PAR1" + b"\0" * 50 + b"PAR1", "a broken Parquet file"),
    "a broken zip": ("z.zip", b"PK\x03\x04" + b"\0" * 50, "a broken zip archive"),
    "zstd": ("z.csv.zst", b"\x28\xb5\x2f\xfd" + b"\0" * 50, "zstd"),
    "noise": ("n.csv", bytes(range(256)) * 20, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_file_that_is_none_is_one_clear_error(tmp_path: Path, name: str) -> None:
    file, content, said = WHOLE_FILES[name]
    assert said in fault_of(tmp_path, content, file)


def test_a_file_with_no_usable_row_says_what_is_wrong_with_most(tmp_path: Path) -> None:
    rows = [icews_row(n, day="2018-02-30") for n in range(5)]
    said = fault_of(tmp_path, icews(rows))
    assert "no usable row: 5 x bad date '2018-02-30'" in said and ":2:" in said


def test_every_file_at_fault_is_named_at_once_and_can_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("<html>")
    (tmp_path / "b.tab").write_text(icews([GOOD]))
    (tmp_path / "c.csv").write_bytes(b"")
    with pytest.raises(EventError) as caught:
        read_events(tmp_path)
    assert [Path(str(f.file)).name for f in caught.value.faults] == ["a.csv", "c.csv"]
    table = read_events(tmp_path, bad_files="skip")
    assert len(table) == 1 and len(table.account["files_at_fault"]) == 2  # type: ignore[arg-type]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EventError, match="no such file or folder"):
        read_events(tmp_path / "nothing.csv")
    with pytest.raises(EventError, match="no event file"):
        read_events(tmp_path)
    with pytest.raises(EventError, match="unknown format 'icew'"):
        read(tmp_path, icews([GOOD]), format="icew")


def test_a_stray_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = [",".join(["2020-01-01", f"a{n}", '"b, c"', "144"]) for n in range(300)]
    rows[100] = '2020-01-01,"a never closed,b,144'
    rows[200] = "2020-01-01,a,b"
    table = read(tmp_path, "date,source,target,cameo\n" + "\n".join(rows) + "\n", "q.csv")
    assert table.quarantine is not None and table.quarantine["line"].to_list() == [102, 202]
    assert len(table) == 298 and balance(table.account) == 0
    assert set(table.frame["target"]) == {"b, c"}


def test_a_line_that_never_ends_does_not_fill_the_memory(tmp_path: Path) -> None:
    text = icews([GOOD]).encode() + b"x" * (40 << 20) + b"\n" + "\t".join(icews_row(3)).encode() + b"\n"
    table = read(tmp_path, text)
    assert table.quarantine is not None and table.quarantine["reason"].to_list()[0] in (
        "a line longer than any row", "1 field, expected 20",
    )  # fmt: skip
    assert len(table) == 2 and table.frame["line"].to_list() == [2, 4] and balance(table.account) == 0


# --- one file out, and back -------------------------------------------------------------------------------------------


def test_a_table_comes_back_from_its_file_the_same(tmp_path: Path) -> None:
    text = icews([GOOD, icews_row(2, day="2018-02-30"), icews_row(3, code="999")])
    table = read(tmp_path, text)
    write_events(table, tmp_path / "t.parquet")
    for again in (read_table(tmp_path / "t.parquet"), read_events(tmp_path / "t.parquet")):
        assert_frame_equal(again.frame, table.frame)
        assert (again.start, again.days, again.resolution) == (table.start, table.days, table.resolution)
        assert again.account == table.account
        assert again.coverage is not None and again.quarantine is not None
        assert_frame_equal(again.coverage, table.coverage)  # type: ignore[arg-type]
        assert_frame_equal(again.quarantine, table.quarantine)  # type: ignore[arg-type]
    with pytest.raises(EventError, match="not a table that powderkeg wrote"):
        read_table(tmp_path / "events.tab")


def test_converting_a_folder_gives_what_reading_it_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorted runs on disk, merged by days: here with runs of 50 rows, so that there are many."""
    monkeypatch.setattr(sys.modules["powderkeg.events.readers"], "RUN_ROWS", 50)
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(30):
        rows = [gdelt_row(n * 20 + k, day=f"2017{(n + k) % 12 + 1:02}{(k * 7) % 28 + 1:02}") for k in range(20)]
        rows += [gdelt_row(1, day="20170101"), ["bad"], gdelt_row(n, day="20170230")]
        (folder / f"{n:03}.CSV").write_text(gdelt(rows))
    table = read_events(folder)
    account = convert(folder, tmp_path / "out.parquet")
    again = read_events(tmp_path / "out.parquet")
    assert_frame_equal(again.frame, table.frame)
    assert account == table.account == again.account and balance(account) == 0
    assert (again.start, again.days) == (table.start, table.days)
    written = pl.read_csv(tmp_path / "out.parquet.quarantine.csv")
    assert written.height == account["rows_set_aside"] == 60
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_what_cannot_be_written_is_a_fault_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.tab").write_text(icews([GOOD, icews_row(2, day="never")]))
    for out, more in (
        (tmp_path / "no" / "o.parquet", {}),
        (tmp_path / "o.parquet", {"quarantine": tmp_path / "no" / "q.csv"}),
    ):
        with pytest.raises(EventError, match="cannot be written"):
            convert(tmp_path / "x.tab", out, **more)  # type: ignore[arg-type]
    with pytest.raises(EventError, match="cannot be written"):
        write_events(read_events(tmp_path / "x.tab"), tmp_path / "no" / "o.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["x.tab"]


def test_a_part_of_a_table_counts_what_it_leaves_out(tmp_path: Path) -> None:
    table = read(tmp_path, icews([icews_row(n, day=f"2018-06-{n:02}") for n in range(1, 31)]))
    part = table.between(date(2018, 6, 11), date(2018, 6, 20))
    assert (part.start, part.days, len(part)) == (date(2018, 6, 11), 10.0, 10)
    assert part.frame["time"].to_list() == [float(n) for n in range(10)]
    assert part.account["rows_dropped"] == {"outside the window": 20} and balance(part.account) == 0


def test_icews_columns_are_those_that_tests_write() -> None:
    assert len(ICEWS) == 20 and len(icews_row()) == 20 and len(polecat_row()) == len(polecat([]).split("\t")) == 40
