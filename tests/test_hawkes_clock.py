"""Times as they come: dates of any library are taken, numbers that cannot run from 0 are asked about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.errors import EventError, UsageError
from powderkeg.hawkes.reading import read_streams

RNG = np.random.default_rng(8)
TIMES = np.append(0.2, np.sort(RNG.uniform(0.2, 200.0, 59)))
"""Days from the start of a window of 200."""
SINCE = 17_532.0
"""1 January 2018 in days since 1970."""


@pytest.mark.parametrize(
    ("times", "looks", "typed"),
    [
        ((SINCE + TIMES) * 86_400, "seconds since 1970", "start=1514764800"),
        (((SINCE + TIMES) * 86_400).astype(np.int64), "seconds since 1970", "start=1514764800"),
        ((SINCE + TIMES) * 86_400e3, "milliseconds since 1970", "start=1514764800000"),
        ((SINCE + TIMES) * 86_400e6, "microseconds since 1970", "start=1514764800000000"),
        ((SINCE + TIMES) * 86_400e9, "nanoseconds since 1970", "unit='ns'"),
        (SINCE + TIMES, "days since 1970", "start=17532"),
        (np.floor(SINCE + TIMES), "days since 1970", "start=17532"),
        (736_695 + TIMES, "days since the year 1", "start=736695"),
        (2015.25 + TIMES / 365.25, "years", "start=2015"),
        (20180100.0 + np.arange(1.0, 29.0), "dates written as numbers", "%Y%m%d"),
        (1e5 + TIMES, "none in the 100000 from 0 on", "start=10000"),
        # From 1995 on: the silence before is no longer than the record.
        (np.linspace(7.9e8, 1.58e9, 60) + TIMES, "seconds since 1970", "to_datetime(times, unit='s')"),
        (np.linspace(9_131.0, 18_262.0, 60), "days since 1970", "start=9131"),
    ],
)
def test_times_that_cannot_run_from_0_are_asked_about(times, looks: str, typed: str) -> None:
    """Read from 0, each gives a branching ratio of about 1 that is only about the silence before the first event."""
    with pytest.raises(EventError) as caught:
        pk.hawkes([times])
    assert looks in str(caught.value)
    assert typed in str(caught.value)


@pytest.mark.parametrize(
    "times",
    [(SINCE + TIMES) * 86_400, SINCE + TIMES, 2015.25 + TIMES / 365.25],
    ids=["seconds", "days", "years"],
)
def test_a_start_that_is_given_is_believed(times) -> None:
    """The same answers as from 0, whatever the clock; and start=0 insists."""
    start = float(np.floor(times[0]))
    end = float(times[-1] + 1e-3 * (times[-1] - start))
    fit = pk.hawkes([times], start=start, end=end, decays=20.0 / (end - start))
    same = pk.hawkes([times - start], days=end - start, decays=20.0 / (end - start))
    assert fit.log_likelihood == pytest.approx(same.log_likelihood, abs=1e-9)
    assert fit.days == pytest.approx(end - start)
    insisted = read_streams([times], start=0)
    assert insisted.days == times[-1]


def test_what_begins_late_in_a_window_that_was_given_is_fitted() -> None:
    late = 700.0 + TIMES
    assert read_streams([late], days=1000.0).days == 1000.0
    assert read_streams([late], end=1000.0).days == 1000.0
    assert read_streams([[5.5, 6.25, 6.5, 8.0]]).days == 8.0


def test_dates_of_every_library_are_the_same_times() -> None:
    stamps = [datetime(2018, 1, 1) + timedelta(days=float(t)) for t in TIMES]
    exact = np.array(stamps, "datetime64[us]")
    zoned = [s.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=5))) for s in stamps]
    forms = [
        [stamps], [exact], [pd.Series(exact)], [pd.DatetimeIndex(exact)], [pl.Series(stamps)], [zoned],
        [pd.Series(exact).dt.tz_localize("UTC")], stamps, exact, pl.Series(stamps), {"a": exact},
    ]  # fmt: skip
    for form in forms:
        read = read_streams(form, start="2018-01-01", end=datetime(2018, 7, 20))
        assert read.time == pytest.approx(TIMES, abs=1e-9), type(form)
        assert (read.days, read.start, read.by_day) == (200.0, date(2018, 1, 1), False)
    kinds = read_streams(exact, np.arange(60) % 2, start=date(2018, 1, 1), days=200.0)
    assert kinds.n_types == 2


def test_days_stay_days_whatever_their_offset() -> None:
    """Midnights of a zone are dates: not the evening before, and not exact times."""
    days = [date(2020, 3, 1) + timedelta(days=int(d)) for d in np.sort(RNG.integers(0, 100, 50))]
    offset = timezone(timedelta(hours=2))
    midnights = [datetime(d.year, d.month, d.day, tzinfo=offset) for d in days]
    read, plain = read_streams([midnights]), read_streams([days])
    assert read.by_day
    assert (read.time == plain.time).all()
    assert read.start == plain.start == days[0]
    frame = pl.DataFrame({"time": pl.Series(days).cast(pl.Datetime("us", "Europe/Berlin")), "type": "a"})
    frame = frame.with_columns(time=pl.col("time").dt.replace_time_zone("Europe/Berlin"))
    wall = frame.with_columns(time=pl.Series(days).cast(pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin"))
    assert (read_streams(wall).time == plain.time).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": "2018-02-01"}, "times before 2018-02-01"),
        ({"end": "2018-03-01"}, "times after 2018-03-01"),
        ({"start": 0.0}, "0.0 beside dates"),
        ({"start": "1.1.2018"}, "as year-month-day"),
        ({"end": "2017-03-01"}, "an end after the start"),
        ({"end": "2019-01-01", "days": 10.0}, "one of them"),
        ({"start": "2018-01-01T06:00"}, "a day"),
    ],
)
def test_a_window_that_does_not_fit_is_said(options, said: str) -> None:
    stamps = np.datetime64("2018-01-01") + (TIMES * 86_400e6).astype("timedelta64[us]")
    with pytest.raises((EventError, UsageError)) as caught:
        read_streams([stamps], **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("times", "options", "said"),
    [
        (TIMES / 50.0, {"days": 200.0}, "nothing happens in the last"),
        (TIMES, {"days": 200.0 * 86_400.0}, "in another unit than the times"),
        (TIMES, {"days": 200.0, "decays": 1e-6}, "longer than 0.2 of the window"),
        (TIMES, {"days": 200.0, "decays": 86_400.0}, "shorter than nearly all waits"),
    ],
)
def test_units_that_do_not_go_together_are_asked_about(times, options, said: str) -> None:
    """An end or a decay in another unit gives branching ratios of 1, of 0, or of thousands."""
    assert any(said in warning for warning in pk.hawkes([times], **options).warnings)


def test_counts_in_place_of_times_are_noticed() -> None:
    counts = RNG.poisson(1.0, 200)
    assert any("np.repeat" in note for note in read_streams([counts]).said)
    assert not any("np.repeat" in note for note in read_streams([np.repeat(np.arange(200), counts)]).said)
    assert not any("np.repeat" in note for note in read_streams([TIMES]).said)
