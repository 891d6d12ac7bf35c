"""A summary says what is in a table and where every row went."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
from event_files import icews, icews_row

from powderkeg.events import EventTable, read_events, summary


def test_a_summary_has_what_the_command_promises(tmp_path: Path) -> None:
    rows = [
        icews_row(1, day="2018-06-01"), icews_row(1, day="2018-06-01"), icews_row(2, day="2018-06-01", code="999"),
        icews_row(3, day="2018-06-05", source="B", code="040", target="A"),
        icews_row(4, day="2018-06-05", source="A", code="040", target="B"),
        icews_row(5, day="2018-06-31"), icews_row(6, day="2018-06-11"),
    ]  # fmt: skip
    (tmp_path / "x.tab").write_text(icews(rows))
    told = summary(read_events(tmp_path / "x.tab")).as_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["rows_read"], told["rows_kept"], told["rows_set_aside"]) == (7, 5, 1)
    assert told["rows_dropped"] == {"same_event": 1}
    assert (told["first_day"], told["last_day"]) == ("2018-06-01", "2018-06-11")
    assert (told["actors"], told["dyads"]) == (4, 3)
    assert told["classes"] == {"material conflict": 2, "verbal cooperation": 2, "unknown": 1}
    assert told["days_without_events"] == 8
    assert told["busiest_weeks"][0] == {"week": "2018-05-28", "events": 2}
    assert told["doubles"] == {"same_event": 0, "same_day": 0, "mirrored": 1}
    assert told["unknown_codes"] == {"999": 1} and told["set_aside_by_reason"] == {"bad date": 1}
    assert told["coverage"] == [{"month": "2018-06-01", "events": 6}]


def test_a_table_without_events_or_account_sums_up_too() -> None:
    empty = pl.DataFrame(schema={"time": pl.Float64, "source": pl.String, "act": pl.String, "target": pl.String})
    told = summary(EventTable(empty, date(2020, 1, 1), 30.0, "day")).as_dict()
    assert (told["rows_read"], told["first_day"], told["days_without_events"]) == (0, None, 30)


def test_a_simulated_table_sums_up_without_doubles() -> None:
    frame = pl.DataFrame(
        {"time": [0.5, 1.5], "source": ["a", "a"], "act": ["x", "x"], "target": ["b", "b"], "replicate": [0, 1]}
    )
    told = summary(EventTable(frame, date(2020, 1, 1), 10.0))
    assert told.format == "simulated" and told.doubles == {} and told.rows_kept == 2
