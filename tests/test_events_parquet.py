"""Parquet files and dataframes that anybody may have made: read, or refused in one sentence that names the column.

The same for tables that say they are ours: each field beside the columns and each column has a declared shape.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from event_files import acled, acled_row

from powderkeg.errors import EventError
from powderkeg.events import EventTable, balance, events, read_events, read_table, summary, write_events

DAYS = [date(2018, 1, 1), date(2018, 1, 2), date(2018, 1, 3)]
PLAIN: dict[str, Any] = {
    "date": DAYS,
    "source": ["a", "b", "a"],
    "target": ["b", "a", None],
    "code": ["190", "042", "112"],
}


def write(folder: Path, frame: pl.DataFrame, **metadata: str) -> Path:
    path = folder / "t.parquet"
    frame.write_parquet(path, metadata=metadata or None)
    return path


def fault_of(path: Path) -> str:
    with pytest.raises(EventError) as caught:
        read_events(path)
    return str(caught.value)


def told(table: EventTable) -> list[tuple[Any, ...]]:
    return table.frame.select("time", pl.col("source", "target", "code").cast(pl.String)).rows()


RIGHT = [(0.0, "a", "b", "190"), (1.0, "b", "a", "042"), (2.0, "a", None, "112")]
LEGITIMATE: dict[str, dict[str, pl.Series]] = {
    "text": {},
    "bytes that are text": {"source": pl.Series([b"a", b"b", b"a"]), "code": pl.Series([b"190", b"042", b"112"])},
    "categories": {"source": pl.Series(["a", "b", "a"], dtype=pl.Categorical)},
    "an enumeration": {"source": pl.Series(["a", "b", "a"], dtype=pl.Enum(["b", "a"]))},
    "days as text": {"date": pl.Series([str(day) for day in DAYS])},
    "moments at midnight": {"date": pl.Series([datetime(2018, 1, n) for n in (1, 2, 3)], dtype=pl.Datetime("ns"))},
    "moments with a zone": {"date": pl.Series([datetime(2018, 1, n, tzinfo=UTC) for n in (1, 2, 3)])},
    "days as numbers": {"date": pl.Series([20180101, 20180102, 20180103])},
    "days as numbers with a point": {"date": pl.Series([20180101.0, 20180102.0, 20180103.0])},
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_a_legitimate_type_of_column_is_read(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame(PLAIN).with_columns(column.alias(key) for key, column in LEGITIMATE[name].items())
    table = read_events(write(tmp_path, frame))
    assert told(table) == RIGHT and table.resolution == "day" and balance(table.account) == 0
    assert told(events(frame)) == RIGHT


def test_numbers_of_any_kind_are_numbers(tmp_path: Path) -> None:
    deaths = (pl.Series([Decimal("1.50"), None, Decimal("2.00")]), pl.Series([1.5, float("nan"), 2.0]))
    for column in deaths:
        table = read_events(write(tmp_path, pl.DataFrame(PLAIN).with_columns(deaths=column)))
        assert table.frame["deaths"].to_list() == [1.5, None, 2.0]


def test_a_missing_number_is_no_event_id(tmp_path: Path) -> None:
    """pandas writes missing numbers as NaN; taken for an id, it made all such rows one event."""
    ids = pl.Series([7.0, float("nan"), float("nan")])
    frame = pl.DataFrame({**PLAIN, "date": [DAYS[0]] * 3}).with_columns(event_id=ids)
    table = read_events(write(tmp_path, frame))
    assert len(table) == 3 and table.frame["event_id"].to_list() == ["7", None, None]


WRONG: dict[str, tuple[pl.Series, str]] = {
    "lists": (pl.Series("source", [["a"], ["b"], []]), "column 'source' holds lists"),
    "records": (pl.Series("source", [{"name": "a"}] * 3), "column 'source' holds records"),
    "lists of days": (pl.Series("date", [[day] for day in DAYS]), "column 'date' holds lists"),
    "lengths of time": (pl.Series("date", [timedelta(1)] * 3), "column 'date' holds lengths of time"),
    "bytes": (
        pl.Series("source", [b"a", b"\xff\xfe", b"b"]),
        "bytes that are no UTF-8 text (row 2)",
    ),
    "nothing": (pl.Series("date", [None] * 3), "all missing"),
    "numbers of nothing": (pl.Series("date", [float("nan"), 1e300, float("inf")]), "plain numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_column_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    column, said = WRONG[name]
    assert said in fault_of(write(tmp_path, pl.DataFrame(PLAIN).with_columns(column)))
    with pytest.raises(EventError, match=r"dataframe"):
        events(pl.DataFrame(PLAIN).with_columns(column))


def test_a_column_that_is_not_used_may_hold_anything(tmp_path: Path) -> None:
    frame = pl.DataFrame(PLAIN).with_columns(tags=pl.Series([["x"], [], None]), raw=pl.Series([b"\xff"] * 3))
    assert told(read_events(write(tmp_path, frame))) == RIGHT


@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("ms"), pl.Datetime("us")])
def test_a_day_beyond_any_calendar_costs_its_own_row_only(tmp_path: Path, kind: Any) -> None:
    """Such a day was a panic inside Polars, which no `except Exception` holds."""
    days = pl.Series("date", DAYS).cast(kind).to_physical().to_list()
    huge = 2**31 - 1 if kind == pl.Date else 2**62
    column = pl.Series("date", [days[0], huge, -huge]).cast(pl.Int32 if kind == pl.Date else pl.Int64).cast(kind)
    table = read_events(write(tmp_path, pl.DataFrame(PLAIN).with_columns(column)))
    assert len(table) == 1 and table.account["rows_set_aside"] == 2 and balance(table.account) == 0


def test_a_file_that_swells_is_left(tmp_path: Path) -> None:
    rows = 3_000_000
    path = write(
        tmp_path,
        pl.select(date=pl.lit(DAYS[0]), source=pl.lit("a" * 20), code=pl.lit("190"), n=pl.int_range(rows) // rows),
    )
    assert path.stat().st_size < 100_000
    assert "swells to more than 200 times its size" in fault_of(path)


def test_a_file_of_known_columns_keeps_its_format(tmp_path: Path) -> None:
    text = acled([acled_row(1, day="29 May 2023")])
    table = read_events(write(tmp_path, pl.read_csv(text.encode(), infer_schema=False)))
    assert table.account["format"] == "acled" and len(table) == 1


# --- tables of ours ---------------------------------------------------------------------------------------------------

COLUMNS: dict[str, Any] = {
    "time": [0.0, 3.0], "source": ["a", "b"], "act": ["190", "173"], "target": ["b", None], "goldstein": [-10.0, None],
}  # fmt: skip
ACCOUNT = {"rows_read": 3, "rows_kept": 2, "rows_set_aside": 1, "rows_dropped": {}, "codebooks": ["cameo"]}
ABOUT: dict[str, Any] = {
    "version": 1, "start": "2000-01-01", "days": 10.0, "resolution": "day", "account": ACCOUNT,
    "coverage": [["2000-01-01", 3]], "quarantine": [["f.csv", 3, "no date", "x,y"]],
}  # fmt: skip


def own(folder: Path, about: Any = ABOUT, **columns: Any) -> Path:
    frame = pl.DataFrame({**COLUMNS, **columns}, strict=False)
    return write(folder, frame, **{"powderkeg.events": about if isinstance(about, str) else json.dumps(about)})


def test_a_table_of_ours_is_read(tmp_path: Path) -> None:
    table = read_events(own(tmp_path))
    assert len(table) == 2 and table.days == 10.0 and table.quarantine is not None
    summary(table)


FIELDS: dict[str, Any] = {
    "version": ["1", 2, None, True],
    "start": ["yesterday", 5, "0001-01-01", None],
    "days": [float("nan"), 1e300, 0, "9"],
    "resolution": ["week", 3],
    "account": [
        None, "x", [1], {**ACCOUNT, "rows_kept": "2"}, {**ACCOUNT, "rows_dropped": [1]}, {"rows_kept": 2},
        {**ACCOUNT, "rows_kept": 1}, {**ACCOUNT, "rows_read": -3},
    ],
    "coverage": ["x", [["2000-01-01"]], [["2000-13-01", 3]], [["2000-01-01", 3.5]]],
    "quarantine": [{}, [["f", "3", "r", "t"]]],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FIELDS.items() for value in values])
def test_a_field_of_another_shape_is_a_fault(tmp_path: Path, name: str, value: Any) -> None:
    path = own(tmp_path, {**ABOUT, name: value})
    with pytest.raises(EventError, match=r"t\.parquet"):
        read_table(path)
    assert name in fault_of(path) or "account" in fault_of(path)


@pytest.mark.parametrize("about", ["[" * 50_000, "[1]", "null", '"x"', "{", "{}", "1e999"])
def test_what_stands_beside_the_columns_may_be_anything(tmp_path: Path, about: str) -> None:
    assert "t.parquet" in fault_of(own(tmp_path, about))


def test_every_field_at_fault_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(EventError) as caught:
        read_events(own(tmp_path, {**ABOUT, "days": -1, "start": "x"}))
    assert [fault.path for fault in caught.value.faults] == ["start", "days"]


SPOILT: dict[str, Any] = {
    "time": [[0.0, float("nan")], [0.0, 11.0], [-0.5, 3.0], [0.0, None], [3.0, 0.0], ["0", "3"], [[0.0], [3.0]]],
    "source": [[1, 2], ["a", None], [["a"], ["b"]]], "act": [[None, "x"], [b"a", b"b"]],
    "goldstein": [[float("inf"), 1.0], ["x", "y"]], "span": [[-1.0, 1.0]], "line": [[0.5, 1.0]],
}  # fmt: skip


@pytest.mark.parametrize(("name", "values"), [(name, values) for name, many in SPOILT.items() for values in many])
def test_a_column_of_another_shape_is_a_fault_that_names_it(tmp_path: Path, name: str, values: list[Any]) -> None:
    assert f"column {name}" in fault_of(own(tmp_path, **{name: values}))


def test_a_table_without_a_column_is_a_fault(tmp_path: Path) -> None:
    path = own(tmp_path)
    frame = pl.read_parquet(path).drop("act")
    write(tmp_path, frame, **{"powderkeg.events": json.dumps(ABOUT)})
    assert "no column act" in fault_of(path)


def test_simulated_events_come_back_replicate_by_replicate(tmp_path: Path) -> None:
    frame = pl.DataFrame({**COLUMNS, "replicate": [0, 1], "time": [5.0, 3.0]})
    write_events(EventTable(frame, date(2000, 1, 1), 10.0), tmp_path / "s.parquet")
    assert read_table(tmp_path / "s.parquet").frame["time"].to_list() == [5.0, 3.0]


def test_a_column_of_ours_in_which_nothing_stands_is_what_it_would_be(tmp_path: Path) -> None:
    """Other programs write such a column without a type."""
    table = events(pl.DataFrame(PLAIN))
    frame = table.frame.with_columns(span=pl.lit(None), deaths=pl.lit(None), target_name=pl.lit(None))
    write_events(EventTable(frame, table.start, table.days), tmp_path / "t.parquet")
    kept = read_table(tmp_path / "t.parquet")
    types = [kept.frame.schema[name] for name in ("span", "deaths", "target_name")]
    assert types == [pl.Float64, pl.Float64, pl.String] and summary(kept).unsure_days == 0
