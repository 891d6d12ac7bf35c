"""No row is lost in silence: rows read = rows kept + rows set aside + rows dropped by a named policy, always."""

from __future__ import annotations

import gzip
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from event_files import (
    acled,
    acled_row,
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from powderkeg.errors import EventError
from powderkeg.events import balance, events, match, read_events
from powderkeg.scenario import loads

FORMATS: dict[str, tuple[Callable[..., str], Callable[..., list[str]], str]] = {
    "icews": (icews, icews_row, "x.tab"),
    "gdelt": (gdelt, gdelt_row, "x.CSV"),
    "polecat": (polecat, polecat_row, "x.txt"),
    "acled": (acled, partial(acled_row, day="2023-05-29"), "x.csv"),
    "ucdp": (ucdp, ucdp_row, "x.csv"),
    "keds": (keds, lambda number=1: ["990215", f"A{number % 7}", "SER", "173", "(SPECIF)"], "x.txt"),
}
SPOILT: dict[str, Callable[[list[str]], list[str]]] = {
    "date": lambda row: ["nonsense" if f[:4] in ("2018", "2017", "2022", "2023", "1999") else f for f in row],
    "short": lambda row: row[:2],
    "long": lambda row: [*row, *("x" for _ in range(50))],
    "nul": lambda row: ["a\0b", *row[1:]],
}  # fmt: skip


@pytest.fixture(autouse=True, params=[1 << 18, 300], ids=["", "narrow"])
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far a block with a bad row is divided before it is cut line by line must not show."""
    monkeypatch.setattr(sys.modules["powderkeg.events.cutting"], "NARROW", request.param)


few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def spoil(kind: str, name: str, row: list[str]) -> list[str]:
    if kind == "keds":
        return ["990230", *row[1:]] if name == "date" else ["what", "is", "this"]
    if kind == "ucdp":
        # A bad record of several lines is set aside line by line, for a stray quote may have joined good rows.
        row = [field.replace("\n", " ") for field in row]
    if name == "nul" and kind == "gdelt":
        return [row[0], row[1], "a\0b", *row[3:]]
    return SPOILT[name](row)


@few
@given(
    kind=st.sampled_from(list(FORMATS)),
    plan=st.lists(st.sampled_from(["good"] * 6 + ["twice", *SPOILT]), min_size=1, max_size=40),
    packed=st.booleans(),
    doubles=st.sampled_from([(), ("same_event",), ("same_event", "same_day", "mirrored")]),
    block=st.sampled_from([64, 1000, 1 << 24]),
)
def test_rows_in_are_rows_kept_set_aside_or_dropped(
    kind: str, plan: list[str], packed: bool, doubles: tuple[str, ...], block: int
) -> None:
    """Any mixture of rows, right and wrong, whatever the size of the blocks they are read in."""
    writer, make, name = FORMATS[kind]
    rows, number, bad, again = [], 0, 0, 0
    for step in plan:
        if step == "good" or (step == "twice" and number == 0):
            number += 1
            rows.append(make(number))
        elif step == "twice":
            rows.append(make(number))
            again += 1
        else:
            rows.append(spoil(kind, step, make(number + 1)))
            bad += 1
    data = writer(rows).encode()
    contents = sys.modules["powderkeg.events.contents"]
    whole = contents.blocks
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (name + (".gz" if packed else ""))
        path.write_bytes(gzip.compress(data) if packed else data)
        contents.blocks = partial(whole, size=block)
        try:
            table = read_events(path, format=kind, doubles=doubles)
        except EventError as error:
            assert not number, error
            return
        finally:
            contents.blocks = whole
    account = table.account
    assert balance(account) == 0
    assert account["rows_read"] == len(rows)
    assert account["rows_set_aside"] == bad
    assert account["rows_kept"] == len(table)
    if not doubles:
        assert len(table) == number + again
    if doubles == ("same_event",) and kind not in ("keds",):
        assert account["rows_dropped"] == ({"same_event": again} if again else {})


@few
@given(
    kind=st.sampled_from(list(FORMATS)),
    where=st.integers(0, 10_000),
    length=st.integers(0, 400),
    junk=st.binary(max_size=60),
    packed=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused_but_never_breaks_the_reader(
    kind: str, where: int, length: int, junk: bytes, packed: bool
) -> None:
    """Bytes cut out and junk put in, before or after packing. Either an EventError, or an account that balances."""
    writer, make, name = FORMATS[kind]
    data = writer([make(n) for n in range(1, 30)]).encode()
    if packed:
        data = gzip.compress(data)
    at = where % len(data)
    data = data[:at] + junk + data[at + length :]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / (name + (".gz" if packed else ""))
        path.write_bytes(data)
        try:
            table = read_events(path)
        except EventError as error:
            assert error.faults and str(error)
            return
    assert balance(table.account) == 0
    assert table.frame["time"].is_sorted() and table.frame["time"].is_finite().all()


@pytest.mark.parametrize("kind", list(FORMATS))
@pytest.mark.parametrize("block", [70, 333, 5000])
def test_where_blocks_are_cut_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, block: int
) -> None:
    """Rows, lines, quarantine and account are those of one block; records of several lines among them."""
    writer, make, name = FORMATS[kind]
    rows = [make(n) for n in range(1, 60)]
    rows[20:20] = [spoil(kind, "date", make(3)), spoil(kind, "long", make(4))]
    (tmp_path / name).write_text(writer(rows))
    one = read_events(tmp_path / name)
    streaming = sys.modules["powderkeg.events.streaming"]
    contents = sys.modules["powderkeg.events.contents"]
    monkeypatch.setattr(contents, "blocks", partial(contents.blocks, size=block))
    monkeypatch.setattr(streaming, "BATCH", block)
    many = read_events(tmp_path / name)
    assert_frame_equal(many.frame, one.frame)
    assert many.account == one.account and one.quarantine is not None and many.quarantine is not None
    assert_frame_equal(many.quarantine, one.quarantine)


SCENARIO = """
powderkeg: 1
name: small
title: Small
start: 2017-01-01
actors:
  a: {match: {gdelt: {codes: ["SRB*"]}}}
  b: {match: {gdelt: {codes: ["KSV*"]}}}
acts:
  threaten: {tone: hostile, cameo: "138"}
moves:
  threatens: {who: any, does: threaten, to: any, rate: 1 per year}
"""

SMALL = loads(SCENARIO)


@few
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["SRB", "SRBGOV", "KSV", "USA", ""]),
            st.sampled_from(["SRB", "KSVCOP", "USA", ""]),
            st.sampled_from(["138", "010", "173", "999", "051"]),
            st.sampled_from(["20170701", "20170702", "20170230"]),
        ),
        min_size=1,
        max_size=30,
    ),
    doubles=st.sampled_from([(), ("mirrored",), ("same_day_matched",)]),
)
def test_the_account_balances_after_matching_while_reading_or_later(
    rows: list[tuple[str, str, str, str]], doubles: tuple[str, ...]
) -> None:
    made = [
        gdelt_row(n, source=s, target=t, code=c, day=d, name="X" if s else "") for n, (s, t, c, d) in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.CSV"
        path.write_text(gdelt(made))
        try:
            table = read_events(path)
        except EventError:
            return
        later, report = match(SMALL, table, doubles=doubles)
        while_reading = read_events(path, scenario=SMALL)
    for one in (table.account, later.account, while_reading.account):
        assert balance(one) == 0 and one["rows_read"] == len(rows)
    assert report.rows - sum(report.dropped.values()) == report.kept == len(later)
    if not doubles:
        names = ["source", "target", "act", "code", "line"]
        assert_frame_equal(later.frame.select(names), while_reading.frame.select(names))


@few
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.dates().map(str), st.text(max_size=12)),
            st.one_of(st.none(), st.text(max_size=5)),
            st.one_of(st.none(), st.sampled_from(["144", "010", "x"])),
        ),
        min_size=1,
    )
)
def test_a_dataframe_is_accounted_for_like_a_file(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"date": pl.String, "source": pl.String, "code": pl.String}, orient="row")
    try:
        table = events(frame, date_format="day")
    except EventError:
        return
    assert balance(table.account) == 0 and table.account["rows_read"] == len(rows)
