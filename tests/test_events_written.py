"""What event tables look like outside: no formulas for a spreadsheet, nothing lost on the way back, bounded memory."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powderkeg.cli.screen import Lasting
from powderkeg.errors import EventError, PowderkegWarning, UsageError
from powderkeg.events import balance, convert, read_events
from powderkeg.events.cutting import PACKED_FROM, BadRow, BadRows
from powderkeg.events.formulas import read_back, safe, write_csv

FORMULAS = (
    '=HYPERLINK("http://x.example","see")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "\t=1",
    "\r=1",
    "＝1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path, text: str) -> None:
    write_csv(pl.DataFrame({"title": [text, "plain"], text: [1, 2]}), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [["title", f"'{text}"], [f"'{text}", "1"], ["plain", "2"]]


@pytest.mark.parametrize("text", ["-5", "+0.25", "-1e-3", "-.5", "-12 %"[:-2], "plain", "a=b", "", "'quoted'", "–"])
def test_numbers_and_plain_texts_stay(text: str) -> None:
    assert safe(pl.DataFrame({"t": [text]}))["t"].to_list() == [text]


def test_numbers_below_zero_stay_numbers(tmp_path: Path) -> None:
    write_csv(pl.DataFrame({"x": [-1.5, 2.0], "n": [-3, 4]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "x,n\n-1.5,-3\n2.0,4\n"


@given(st.text(alphabet="'=+-@\t\r\n１a＝5. ", max_size=6))
def test_what_was_made_safe_is_read_back(text: str) -> None:
    """Whatever apostrophes it began with. A number of ours with one before it is not ours."""
    written = safe(pl.DataFrame({"t": [text]}))
    assert read_back(written, ["t"])["t"].to_list() == [text] or written["t"][0] == text


def test_events_written_as_csv_come_back(tmp_path: Path) -> None:
    names = ["=cmd()", "Ana", "-Bor", "@all", "'+x"]
    frame = pl.DataFrame({"date": ["2018-06-01"] * 5, "source": names, "target": names[::-1], "act": ["+threat"] * 5})
    write_csv(frame, tmp_path / "t.csv")
    table = read_events(tmp_path / "t.csv")
    assert table.frame["source"].to_list()[:2] == ["=cmd()", "Ana"] and table.frame["source"][3] == "@all"
    assert table.frame["source"][4] == "'+x" and set(table.frame["act"]) == {"+threat"}


def test_many_rows_set_aside_keep_their_order_and_take_little_room() -> None:
    rows = [BadRow("f", n, f"reason {n % 3}", f"text {n}") for n in range(2 * PACKED_FROM + 7)]
    bad = BadRows(rows)
    assert list(bad) == rows and len(bad) == len(rows)
    assert len(bad._last) == 7


def test_a_file_of_bad_rows_is_told(tmp_path: Path) -> None:
    """It was read with exit code 0 and one row."""
    path = tmp_path / "bad.csv"
    path.write_text("date,source,target,act\n2018-01-01,a,b,x\n" + "x,y\n" * 30_000)
    with pytest.warns(PowderkegWarning, match=r"30,000 of 30,001 rows are set aside .*wrong number of fields"):
        table = read_events(path)
    assert len(table) == 1 and balance(table.account) == 0
    assert table.quarantine is not None and table.quarantine["line"].to_list() == list(range(3, 30_003))


# --- the quarantine file ----------------------------------------------------------------------------------------------

GOOD, BAD = "2018-01-01,a,b,x\n", "nodate,a,b,x\n"


def own_table(path: Path, rows: str) -> Path:
    path.write_text("date,source,target,act\n" + rows, encoding="utf-8")
    return path


def test_the_quarantine_of_an_earlier_reading_goes(tmp_path: Path) -> None:
    """It told of a row that the file no longer held."""
    source, out = tmp_path / "x.csv", tmp_path / "e.parquet"
    quarantine = tmp_path / "e.parquet.quarantine.csv"
    convert(own_table(source, GOOD + BAD), out)
    assert "nodate" in quarantine.read_text()
    convert(own_table(source, GOOD), out)
    assert not quarantine.exists()
    quarantine.write_text("my own notes\n")
    convert(own_table(source, GOOD), out)
    assert quarantine.read_text() == "my own notes\n"


def test_a_reading_that_fails_leaves_the_older_files(tmp_path: Path) -> None:
    source, out = tmp_path / "x.csv", tmp_path / "e.parquet"
    convert(own_table(source, GOOD + BAD), out)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    page = tmp_path / "y.csv"
    page.write_text("<html>")
    with pytest.raises(EventError):
        convert([source, page], out)
    page.unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_quarantine_never_takes_the_place_of_what_is_read(tmp_path: Path) -> None:
    source = own_table(tmp_path / "x.csv", GOOD + BAD)
    with pytest.raises(UsageError, match="this file is read here"):
        read_events(source, quarantine=source)
    assert source.read_text().endswith(BAD)


def test_what_is_said_to_a_reader_that_left_goes_nowhere() -> None:
    """`run --out r | head -1` ended without its files."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123
        out = Lasting(stream)
        for _ in range(3):
            print("x" * 100_000, file=out)
        out.flush()
        assert not out.isatty()
