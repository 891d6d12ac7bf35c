"""Intervals that hold what they should, statistics of standoffs with known answers, and records matched to finds."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from powderkeg.analyze import compare_episodes, episode_statistics, onset_gaps
from powderkeg.analyze import intervals as iv
from powderkeg.errors import EventError, UsageError

# --- intervals ------------------------------------------------------------------------------------------------------


def test_exact_intervals_leave_five_percent_on_either_side():
    """By definition: at the low end 15 or more have a chance of 5 %, at the high end 15 or fewer; 3 counts likewise."""
    share = iv.proportion(15, 29)
    assert stats.binom.sf(14, 29, share.low) == pytest.approx(0.05)
    assert stats.binom.cdf(15, 29, share.high) == pytest.approx(0.05)
    rate = iv.rate([3], 1.0)
    assert stats.poisson.sf(2, rate.low) == pytest.approx(0.05)
    assert stats.poisson.cdf(3, rate.high) == pytest.approx(0.05)


def test_nothing_seen_is_not_nothing_possible():
    assert iv.proportion(0, 20).low == 0.0
    assert iv.proportion(0, 20).high == pytest.approx(1 - 0.05 ** (1 / 20))
    assert iv.rate([0, 0, 0], 2.0).high == pytest.approx(-np.log(0.05) / 6)
    assert iv.proportion(0, 0) == iv.NOTHING


def covered(draw, truth: float, seed: int, repeats: int = 400) -> float:
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(repeats):
        estimate = draw(rng)
        held += estimate.low <= truth <= estimate.high
    return held / repeats


def clumped(rng: np.random.Generator, n: int = 60) -> np.ndarray:
    """Counts with variance 1 + 3 * 2.5 / 2.5 = 4 times their mean of 2.5."""
    return rng.poisson(rng.gamma(2.5 / 3.0, 3.0, n))


def test_rate_intervals_hold_nine_times_in_ten(seed):
    """False alarm below 1e-4; an interval that took clumped counts for Poisson ones would hold in about 0.59."""
    assert covered(lambda rng: iv.rate(rng.poisson(0.3, 50), 1.0), 0.3, seed) >= 0.84
    assert 0.84 <= covered(lambda rng: iv.rate(clumped(rng), 1.0), 2.5, seed) <= 0.96
    assert covered(lambda rng: iv.rate([clumped(rng).sum()], 60.0), 2.5, seed) < 0.75


def test_share_intervals_know_that_histories_differ(seed):
    """Histories with a hit rate of their own: taken as independent trials, the interval holds far too seldom."""

    def histories(rng):
        totals = rng.integers(1, 30, 80)
        return rng.binomial(totals, rng.beta(0.5, 0.5, 80)), totals

    assert 0.84 <= covered(lambda rng: iv.share(*histories(rng)), 0.5, seed) <= 0.96
    assert covered(lambda rng: iv.proportion(*(x.sum() for x in histories(rng))), 0.5, seed) < 0.6


def test_quantile_intervals_hold(seed):
    one = np.zeros(29, dtype=int)
    assert 0.86 <= covered(lambda rng: iv.quantile(rng.exponential(1, 29), one, 0.5), np.log(2), seed) <= 0.97
    many = np.repeat(np.arange(60), 10)

    def clustered(rng):
        return (rng.normal(0, 1, 60)[:, None] + rng.normal(0, 1, (60, 10))).ravel()

    assert 0.83 <= covered(lambda rng: iv.quantile(clustered(rng), many, 0.5), 0.0, seed) <= 0.97
    alone = np.arange(600)
    assert covered(lambda rng: iv.quantile(clustered(rng), alone, 0.5), 0.0, seed) < 0.72


def test_jackknife_and_bootstrap_hold_for_variation(seed):
    history = np.repeat(np.arange(80), 8)
    held = covered(
        lambda rng: iv.jackknife(rng.exponential(1, 640), history, lambda x: float(iv.variation(x))), 1.0, seed, 150
    )
    assert 0.8 <= held <= 0.98
    estimate = iv.bootstrap(np.random.default_rng(seed).exponential(100, 28), iv.variation)
    assert estimate.low < estimate.mean < estimate.high


# --- statistics -----------------------------------------------------------------------------------------------------


def frame(rows: list[tuple]) -> pl.DataFrame:
    schema = ["replicate", "start", "calendar_days", "opener", "end_state", "hurt", "deaths"]
    return pl.DataFrame(rows, schema=schema, orient="row")


TWO_HISTORIES = frame(
    [
        (0, 10.0, 1, "north", "spent", True, False),
        (0, 110.0, 5, "south", "suspended", True, True),
        (0, 210.0, 40, "south", "suspended", False, False),
        (1, 300.0, 9, "south", "open", False, False),
    ]
)


def test_statistics_of_a_few_standoffs():
    found = episode_statistics(TWO_HISTORIES, days=730.5, replicates=2, openers=("east",))
    assert found.per_year.mean == pytest.approx(1.0)
    assert found.hurt.mean == pytest.approx(0.5)
    assert found.deaths.mean == pytest.approx(0.25)
    assert found.median_days.mean == 5.0
    assert found.gap_mean.mean == pytest.approx(100.0)
    shares = dict(found.openers.select("name", "share").iter_rows())
    assert shares == {"south": 0.75, "north": 0.25, "east": 0.0}
    ends = {row["name"]: (row["share"], row["hurt"]) for row in found.ends.to_dicts()}
    assert ends["suspended"] == (0.5, 0.25)
    assert ends["spent"] == (0.25, 0.25)
    assert ends["open"] == (0.25, 0.0)
    lengths = {row["name"]: row["share"] for row in found.lengths.to_dicts()}
    assert lengths["1 day"] == lengths["4 to 7 days"] == lengths["31 to 90 days"] == 0.25
    assert sum(lengths.values()) == pytest.approx(1.0)
    assert found.as_dict()["openers"]["south"]["mean"] == 0.75


def test_statistics_of_nothing_say_so():
    found = episode_statistics(TWO_HISTORIES.clear(), days=365.25, replicates=20)
    assert found.per_year.mean == 0.0
    assert found.per_year.high == pytest.approx(-np.log(0.05) / 20)
    assert found.hurt.mean is None
    assert found.median_days.mean is None
    assert found.gap_variation.mean is None
    assert found.openers.height == 0


@pytest.mark.parametrize("kind", [pl.Int64, pl.UInt32])
def test_gaps_are_within_histories_whatever_the_order_of_the_rows(kind):
    rows = pl.DataFrame(
        {"replicate": [1, 0, 1, 0], "start": [5.0, 1.0, 2.0, 4.5]}, schema_overrides={"replicate": kind}
    )
    assert onset_gaps(rows).rows() == [(0, 3.5), (1, 3.0)]
    assert onset_gaps(rows.clear()).rows() == []


def test_one_history_has_intervals_too():
    found = episode_statistics(TWO_HISTORIES.filter(pl.col("replicate") == 0), days=730.5)
    assert found.per_year[:3] == pytest.approx((1.5, 0.40885, 3.87683), abs=1e-4)
    assert found.hurt.low < 2 / 3 < found.hurt.high


def test_no_time_is_refused():
    with pytest.raises(UsageError, match="expected at least one"):
        episode_statistics(TWO_HISTORIES, days=0.0)


# --- found against recorded -----------------------------------------------------------------------------------------


def dated(*spans: tuple[str, str], **more) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "first_day": [date.fromisoformat(a) for a, _ in spans],
            "last_day": [date.fromisoformat(b) for _, b in spans],
            **more,
        }
    )


def test_found_missed_and_extra():
    record = dated(("2018-03-26", "2018-03-27"), ("2018-09-29", "2018-09-29"), id=["arrest", "dam"])
    found = dated(("2018-01-15", "2018-01-20"), ("2018-03-24", "2018-03-30"), opener=["a", "b"])
    result = compare_episodes(found, record, 3)
    assert result.pairs.select("id", "off_by", "overlap", "opener").rows() == [("arrest", -2, 2, "b")]
    assert result.missed["id"].to_list() == ["dam"]
    assert result.extra["opener"].to_list() == ["a"]
    assert (result.recall, result.precision) == (0.5, 0.5)
    assert result.as_dict()["found"] == 1


def test_most_pairs_come_first_then_the_closest():
    """One find between two records and one that only the second can have: both records are found."""
    record = dated(("2020-01-01", "2020-01-02"), ("2020-01-08", "2020-01-08"))
    found = dated(("2020-01-07", "2020-01-07"), ("2020-01-12", "2020-01-12"))
    result = compare_episodes(found, record, 5)
    assert result.pairs.select("found", "recorded").rows() == [(0, 0), (1, 1)]
    assert compare_episodes(found, record, 4).pairs.select("found", "recorded").rows() == [(0, 1)]


def test_the_window_leaves_out_what_one_side_cannot_know():
    record = dated(("2004-03-17", "2004-03-18"), ("2018-03-26", "2018-03-27"))
    found = dated(("2018-03-26", "2018-03-26"))
    result = compare_episodes(found, record, window=(date(2018, 1, 1), date(2018, 12, 31)))
    assert (result.pairs.height, result.missed.height, result.extra.height) == (1, 0, 0)


def test_nothing_found_is_all_missed():
    record = dated(("2018-03-26", "2018-03-27"))
    assert compare_episodes(record.clear(), record).missed.height == 1
    assert compare_episodes(record, record.clear()).extra.height == 1
    assert compare_episodes(record.clear(), record.clear()).recall is None


def test_frames_without_dates_are_refused():
    with pytest.raises(EventError, match="record: no dates in last_day"):
        compare_episodes(dated(("2018-03-26", "2018-03-27")), dated(("2018-03-26", "2018-03-27")).drop("last_day"))
