"""What was known when: reports that come late, and forecasts that reckon with those still to come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import forecast_systems as quarrel
import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.errors import UsageError
from powderkeg.events import EventTable, write_events
from powderkeg.forecast.late import as_known, last_entry, lateness
from powderkeg.forecast.seen import seen

LATE = (0.45, 0.2, 0.12, 0.08, 0.06, 0.04, 0.03, 0.02)
"""Share of the acts entered on the day itself, a day later, ..."""
LATER = (0.2, 0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05)
PLAIN = {"background": "scenario", "weekdays": False, "spread": False}


def with_delays(table: EventTable, seed: int, share: tuple[float, ...] = LATE) -> EventTable:
    delay = np.random.default_rng(seed).choice(len(share), len(table), p=share)
    return replace(table, frame=table.frame.with_columns(delay=pl.Series(delay, dtype=pl.Int32)))


def known_then(days: float, seed: int, share: tuple[float, ...] = LATE) -> tuple[EventTable, EventTable]:
    """A record of days with all its acts, and as it was known on its last evening."""
    whole = with_delays(quarrel.by_day(quarrel.simulated(days, seed)), seed, share)
    return whole, as_known(whole, whole.end)


def test_files_that_say_when_a_row_was_entered_give_days_of_delay(tmp_path: Path) -> None:
    header = "Event ID\tEvent Date\tEvent Type\tEvent Mode\tActor Name\tRecipient Name\tPublication Date\tActor COW"
    rows = ("1\t2021-03-01\tPROTEST\t\tA\tB\t2021-03-04\t1", "2\t2021-03-02\tPROTEST\t\tA\tB\t2021-03-02\t1")
    path = tmp_path / "polecat.tsv"
    path.write_text("\n".join((header, *rows)) + "\n")
    table = pk.read_events(path, format="polecat")
    assert table.frame["delay"].to_list() == [3, 0]
    assert last_entry(table) == date(2021, 3, 4)
    assert [len(as_known(table, date(2021, 3, day))) for day in (1, 2, 3, 4)] == [0, 1, 1, 2]
    write_events(table, tmp_path / "own.parquet")
    assert pk.read_events(tmp_path / "own.parquet").frame["delay"].to_list() == [3, 0]


def test_a_row_that_says_only_when_it_was_changed_tells_no_delay(tmp_path: Path) -> None:
    path = tmp_path / "acled.csv"
    path.write_text(
        "event_id_cnty,event_date,event_type,sub_event_type,actor1,actor2,interaction,timestamp\n"
        "A1,1 March 2021,Protests,Peaceful protest,A,B,60,1614988800\n"
    )
    table = pk.read_events(path)
    assert "delay" not in table.frame.columns
    assert table.frame["changed"].to_list() == [5]
    assert len(as_known(table, date(2021, 3, 5))) == 0 < len(as_known(table, date(2021, 3, 6)))


def test_shares_entered_are_found_in_a_record_that_ends_tonight() -> None:
    """400 days of about half an act each, 40 records pooled: 3 standard errors.

    Shares counted without regard to days too young to show long delays are refused.
    """
    model = pk.compile(quarrel.scenario())
    truth = np.cumsum(LATE)
    found, naive = [], []
    for seed in range(40):
        _, known = known_then(100, seed)
        watched = seen(model, known)
        assert watched.late is not None
        found.append(watched.late.classes["acts"][:8])
        delay = known.frame.filter(pl.col("time") >= 80)["delay"].to_numpy()
        naive.append([(delay <= k).mean() for k in range(8)])
    for shares, right in ((found, True), (naive, False)):
        mean, error = np.mean(shares, axis=0), np.std(shares, axis=0, ddof=1) / np.sqrt(40)
        inside = np.abs(mean - truth)[:6] < 3 * error[:6] + 1e-9
        assert inside.all() == right, (mean, truth, error)


@pytest.mark.parametrize("background", [pytest.param("scenario", marks=pytest.mark.nightly), "local"])
def test_what_is_still_to_be_entered_is_reckoned_with(background: str) -> None:
    """30 records as known on their last evening: a week ahead, the mean is that from the whole record, to 3 standard
    errors; with reports taken as complete it is too low by more."""
    options = PLAIN | {"background": background, "days": 7, "draws": 200}
    means = []
    for seed in range(30):
        whole, known = known_then(110.0, 300 + seed, LATER)
        blind = replace(known, frame=known.frame.drop("delay"))
        full = replace(whole, frame=whole.frame.drop("delay"))
        means.append(
            [pk.forecast(quarrel.scenario(), t, seed=1, **options).counts().sum() / 200 for t in (full, known, blind)]
        )
    full, reckoned, blind = np.array(means).T
    for found, right in ((reckoned, True), (blind, False)):
        off = found - full
        assert (abs(off.mean()) < 3 * off.std(ddof=1) / np.sqrt(len(off))) == right, (off.mean(), off.std())


def test_only_what_was_entered_by_then_is_known() -> None:
    whole, _ = known_then(200.0, 5)
    day = whole.start + timedelta(days=149)
    kept = whole.frame.filter((pl.col("time") + pl.col("delay")) <= 149)
    cut = replace(whole, frame=kept)
    one = pk.forecast(quarrel.scenario(), whole, as_of=day, days=5, draws=50)
    other = pk.forecast(quarrel.scenario(), cut, origin=day + timedelta(days=1), days=5, draws=50)
    assert one.origin == other.origin == day + timedelta(days=1)
    assert one.drawn.runs.digest() == other.drawn.runs.digest()
    assert any(f"only acts that had been entered by {day} are known" in note for note in one.notes)
    assert any("reports come late" in note for note in one.notes)


def test_without_days_of_entry_it_is_said_that_the_last_days_are_taken_as_complete() -> None:
    table = quarrel.by_day(quarrel.simulated(200.0, 5))
    found = pk.forecast(quarrel.scenario(), table, as_of="2020-05-01", days=5, draws=50)
    assert any("does not say when acts were entered" in note for note in found.notes)
    assert any("taken as completely reported" in note for note in found.notes)


def test_days_long_past_had_time_to_be_reported() -> None:
    whole, _ = known_then(300.0, 5)
    found = pk.forecast(quarrel.scenario(), whole, origin="2020-05-01", days=5, draws=50)
    assert any("had time to be reported" in note for note in found.notes)


@pytest.mark.parametrize(
    ("as_of", "origin", "words"),
    [
        ("yesterday", None, "a day such as"),
        ("2019-01-01", None, "begin on"),
        ("2020-03-01", "2020-04-01", "the day after"),
    ],
)  # fmt: skip
def test_a_day_that_cannot_be_met_is_told(as_of: str, origin: str | None, words: str) -> None:
    table = quarrel.by_day(quarrel.simulated(200.0, 5))
    with pytest.raises(UsageError, match=words):
        pk.forecast(quarrel.scenario(), table, as_of=as_of, origin=origin, days=5, draws=10)


def test_too_few_days_of_entry_estimate_nothing() -> None:
    model = pk.compile(quarrel.scenario())
    few = np.zeros(10, np.int64)
    assert lateness(model, few, few, few, date(2020, 2, 1), date(2020, 1, 1)) is None
