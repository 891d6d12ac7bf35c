"""Plain multivariate fits: against a likelihood written out in NumPy, against `pk.fit`, and against known truth."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pages import examples_hold
from scipy import sparse

import powderkeg as pk
from powderkeg.errors import EventError, UsageError
from powderkeg.events.table import EventTable
from powderkeg.hawkes.exact import ExactLikelihood, lay_out
from powderkeg.hawkes.streams import TypeStreams

DATA = Path(os.environ.get("POWDERKEG_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
RATES = np.array([0.30, 0.20, 0.40])
ANSWERS = np.array([[0.30, 0.20, 0.0], [0.0, 0.30, 0.25], [0.10, 0.0, 0.20]])
DECAY = 1.2


def streams(days: float, seed: int, rates=RATES, answers=ANSWERS, decay: float = DECAY) -> list[np.ndarray]:
    runs = pk.simulate(pk.from_arrays(rates, answers, decay), days=days, replicates=1, seed=seed)
    return [runs.time[runs.channel == i] for i in range(len(rates))]


def written_out(times, days, rates, components, decays) -> float:
    """The log-likelihood as the formula has it: every event looks at every earlier one. components [k, source, target];
    decays (k, source)."""
    total = 0.0
    for i, mine in enumerate(times):
        intensity = np.full(len(mine), float(rates[i]))
        expected = rates[i] * days
        for k in range(len(components)):
            for j, other in enumerate(times):
                age = mine[:, None] - other[None, :]
                kernel = np.where(age > 0, decays[k, j] * np.exp(-decays[k, j] * np.maximum(age, 0.0)), 0.0)
                intensity += components[k, j, i] * kernel.sum(axis=1)
                expected += components[k, j, i] * (1.0 - np.exp(-decays[k, j] * (days - other))).sum()
        total += np.log(intensity).sum() - expected
    return float(total)


def spread_out(decay: np.ndarray, n_types: int) -> np.ndarray:
    return decay if decay.ndim == 2 else np.repeat(decay[:, None], n_types, axis=1)


WAYS = {
    "decay known": {"decays": 1.0},
    "decay unknown": {},
    "two known decays": {"decays": [0.5, 3.0]},
    "two unknown decays": {"components": 2},
    "a decay for each source": {"per_source": True},
    "pairs allowed": {"support": ANSWERS > 0},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_estimate_is_the_maximum_of_the_likelihood_written_out(way: str) -> None:
    """Value to 1e-6, and every derivative, by differences of the formula, flat inside and downward at a bound."""
    times = streams(500.0, 3)
    fit = pk.hawkes(times, days=500.0, **WAYS[way])
    rates, components, decays = fit.baseline, fit.components, spread_out(fit.decay, 3)

    def at(r=rates, c=components, d=decays) -> float:
        return written_out(times, 500.0, r, c, d)

    best = at()
    assert best == pytest.approx(fit.log_likelihood, abs=1e-6)
    allowed = np.broadcast_to(WAYS[way].get("support", np.ones((3, 3), bool)), components.shape)
    for place in np.ndindex(components.shape):
        step = np.zeros(components.shape)
        step[place] = 1e-5
        if not allowed[place]:
            assert components[place] == 0.0
        elif components[place] > 1e-4:
            slope = (at(c=components + step) - at(c=components - step)) / 2e-5
            assert abs(slope) < 1e-2 * np.sqrt(len(times[place[2]]))
        else:
            assert at(c=components + step) < best + 1e-7
    if "decays" not in WAYS[way]:
        for factor in (0.99, 1.01):
            assert at(d=decays * factor) < best
    assert fit.converged
    assert fit.gradient < 1e-2


def test_a_maximum_of_something_else_is_noticed() -> None:
    """The planted error: the matrix the other way round is not the maximum by far."""
    times = streams(500.0, 3)
    fit = pk.hawkes(times, days=500.0, decays=1.0)
    turned = written_out(times, 500.0, fit.baseline, fit.components.transpose(0, 2, 1), spread_out(fit.decay, 3))
    assert turned < fit.log_likelihood - 5.0


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_it_finds_the_maximum_that_the_general_fit_finds(stamp: str) -> None:
    """The same events, a mechanism for each link: log-likelihoods within 1e-4, estimates within 1e-3."""
    times = [np.floor(t) if stamp == "day" else t for t in streams(400.0, 5, RATES[:2], ANSWERS[:2, :2])]
    fit = pk.hawkes(times, days=400.0, decays=DECAY)
    one_by_one = [np.where(np.arange(4).reshape(2, 2) == k, 1.0, 0.0) for k in range(4)]
    model = pk.from_arrays(np.ones(2), one_by_one, np.full(4, DECAY), names=fit.names)
    general = pk.fit(
        model, fit.event_table, prior=None, background="constant", fix=["mechanisms.*.half_life"], test_mechanisms=False
    )
    assert general.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-4)
    found = [general.parameters[f"mechanisms.kernel_{k}.answers"].estimate for k in range(4)]
    assert np.array(found).reshape(2, 2) == pytest.approx(fit.adjacency, abs=1e-3)


def recovered(stamp: str, replicates: int, seed: int) -> tuple[float, np.ndarray]:
    """(share of 90 % intervals that hold the truth, mean adjacency)."""
    held, total, mean = 0, 0, np.zeros((3, 3))
    for r in range(replicates):
        times = [np.floor(t) if stamp == "day" else t for t in streams(1200.0, seed + r)]
        fit = pk.hawkes(times, days=1200.0, likelihood=stamp)
        mean += fit.adjacency / replicates
        truth = np.concatenate([ANSWERS.ravel(), RATES, [DECAY]])
        low, high = [], []
        for frame, order in ((fit.links().sort("source", "target"), 9), (fit.rates(), 3), (fit.decays(), 1)):
            assert frame.height == order
            low += frame["low"].to_list()
            high += frame["high"].to_list()
        held += int(sum(a <= t <= b for a, t, b in zip(low, truth, high, strict=True)))
        total += len(truth)
    return held / total, mean


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_truth_is_found_again_and_intervals_hold_it(stamp: str) -> None:
    """30 histories of some 1,900 events, 13 intervals each (correlated little): 90 % of 390 give or take 0.02.

    Wanted within 0.84 and 0.97 (links at 0 are held a little too often, which moves the centre to 0.92). A standard
    error 30 % too small would give 0.75. Every mean link is within 0.035 (4.5 standard errors of the mean at most).
    """
    share, mean = recovered(stamp, 30, seed=100)
    assert 0.84 < share < 0.97
    assert mean == pytest.approx(ANSWERS, abs=0.035)


def test_answers_of_one_day_are_lost_if_stamps_are_read_as_instants() -> None:
    """The planted error of the day likelihood, which `hawkes` refuses: events of one stamp that cannot answer each
    other, as other libraries have it, in a system that acts some five times a day."""
    rates = np.full(3, 0.7)
    times = [np.floor(t) for t in streams(2500.0, 100, rates)]
    order = np.argsort(np.concatenate(times), kind="stable")
    kind = np.repeat(np.arange(3), [len(t) for t in times])[order]
    read = TypeStreams(np.concatenate(times)[order], kind, ("a", "b", "c"), 2500.0, False, 1.0, date(1970, 1, 1), ())
    layout = lay_out(3, 1, False, np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3), np.array([0.0, np.inf]))
    naive = ExactLikelihood(read, layout).climb(np.array([DECAY]))
    found = np.abs(np.linalg.eigvals(naive.a[layout.link_places].reshape(3, 3))).max()
    truth = np.abs(np.linalg.eigvals(ANSWERS)).max()
    right = pk.hawkes(times, days=2500.0, decays=DECAY)
    assert abs(right.branching_ratio - truth) < 0.08
    assert found < 0.5 * truth
    with pytest.raises(EventError, match="cannot"):
        pk.hawkes(times, days=2500.0, decays=DECAY, likelihood="exact")


def test_day_stamps_are_noticed_and_said() -> None:
    fit = pk.hawkes([np.floor(t) for t in streams(300.0, 7)], days=300.0)
    assert "Borel-Tanner" in fit.likelihood
    assert any("read as days" in note for note in fit.notes)


def test_stamps_of_any_width_can_be_given() -> None:
    """Hours in days: the answer in days is that of the exact times, to within what an hour hides."""
    times = streams(800.0, 8)
    exact = pk.hawkes(times, days=800.0)
    hours = pk.hawkes([np.floor(t * 24.0) / 24.0 for t in times], days=800.0, stamp=1.0 / 24.0)
    assert hours.adjacency == pytest.approx(exact.adjacency, abs=0.01)
    assert hours.decay == pytest.approx(exact.decay, rel=0.03)
    assert hours.baseline == pytest.approx(exact.baseline, rel=0.03)


def test_every_form_of_events_gives_the_same_fit() -> None:
    times = streams(300.0, 9)
    one = np.concatenate(times)
    kind = np.repeat(["a", "b", "c"], [len(t) for t in times])
    shuffle = np.random.default_rng(0).permutation(len(one))
    frame = pl.DataFrame({"time": one[shuffle], "type": kind[shuffle]})
    nobody = pl.lit(None, dtype=pl.String)
    table = EventTable(
        frame.sort("time").with_columns(act=pl.col("type"), source=nobody, target=nobody), date(2020, 1, 1), 300.0
    )
    forms = [
        pk.hawkes(times, days=300.0),
        pk.hawkes(dict(zip("abc", times, strict=True)), days=300.0),
        pk.hawkes(one[shuffle], kind[shuffle], days=300.0),
        pk.hawkes(frame, days=300.0),
        pk.hawkes(frame.to_pandas(), days=300.0),
        pk.hawkes(table),
    ]
    for form in forms[1:]:
        assert form.log_likelihood == pytest.approx(forms[0].log_likelihood, abs=1e-9)
        assert form.names == ("a", "b", "c")


def test_dates_are_days_and_start_on_the_first() -> None:
    days = np.random.default_rng(2).integers(3, 300, 200)
    stamps = [date(2020, 1, 1) + timedelta(days=int(d)) for d in days]
    frame = pl.DataFrame({"time": stamps, "source": "a", "act": ["x", "y"] * 100, "target": "b"})
    fit = pk.hawkes(frame, decays=1.0)
    assert "Borel-Tanner" in fit.likelihood
    assert fit.event_table.start == min(stamps)
    assert fit.names == ("a x b", "a y b")
    same = pk.hawkes(frame.to_pandas().astype({"time": "datetime64[us]"}), decays=1.0, by="act")
    assert same.log_likelihood == fit.log_likelihood
    assert pk.hawkes(frame.lazy(), decays=1.0).log_likelihood == fit.log_likelihood


def test_doubles_of_events_are_asked_about() -> None:
    once = np.random.default_rng(3).uniform(0, 1000, 300)
    fit = pk.hawkes([np.concatenate([once, once + 1e-6])], days=1001.0)
    assert any("doubles of the same event" in warning for warning in fit.warnings)


def test_times_that_begin_late_in_a_window_that_was_given_are_asked_about() -> None:
    fit = pk.hawkes([600 + np.random.default_rng(3).uniform(0, 400, 300)], days=1000.0, decays=1.0)
    assert any("say where it begins" in note for note in fit.notes)


def test_the_page_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    examples_hold("hawkes", capsys)


def test_a_background_in_pieces_follows_a_change() -> None:
    """Twice the rate in the second half: found in pieces; taken for excitation if the background is constant."""
    rng = np.random.default_rng(4)
    times = np.sort(np.concatenate([rng.uniform(0, 500, 150), rng.uniform(500, 1000, 450)]))
    pieces = pk.hawkes([times], days=1000.0, decays=0.1, background=[500.0])
    constant = pk.hawkes([times], days=1000.0, decays=0.1)
    assert pieces.baseline[0] == pytest.approx([0.3, 0.9], abs=0.12)
    assert pieces.branching_ratio < 0.15
    assert constant.branching_ratio > pieces.branching_ratio + 0.2
    runs = pieces.simulate(replicates=40, seed=2)
    assert (runs.time < 500).mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_a_penalty_finds_which_links_are_there(stamp: str) -> None:
    """Four of six absent links gone at least, all five strong ones kept."""
    times = [np.floor(t) if stamp == "day" else t for t in streams(3000.0, 11)]
    fit = pk.hawkes(times, days=3000.0, penalty="bic")
    found = fit.adjacency > 0
    strong = ANSWERS >= 0.2
    assert found[strong].all()
    assert found[ANSWERS == 0].sum() <= 1
    full = pk.hawkes(times, days=3000.0)
    assert fit.log_likelihood <= full.log_likelihood + 1e-6
    assert fit.bic <= full.bic + 1e-6
    shrunk = pk.hawkes(times, days=3000.0, penalty=3.0)
    assert shrunk.adjacency.sum() < fit.adjacency.sum()
    assert shrunk.adjacency_se is None


@pytest.mark.nightly
@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_intervals_hold_the_truth_as_often_as_they_say(stamp: str) -> None:
    """200 histories, 2,600 intervals of 90 %: share between 0.89 and 0.945; links at 0 are held more often than 90 %.

    A link at 0 cannot come out below, so its mean lies 0.4 standard errors above; the others are within 0.013.
    """
    share, mean = recovered(stamp, 200, seed=int.from_bytes(os.urandom(3)))
    assert 0.89 < share < 0.945
    assert mean[ANSWERS > 0] == pytest.approx(ANSWERS[ANSWERS > 0], abs=0.013)
    assert (mean[ANSWERS == 0] < 0.025).all()


def test_a_sparse_system_of_many_types_is_fitted() -> None:
    """400 types, 3 links each, 20,000 events: the links that are there explain what they should."""
    rng = np.random.default_rng(6)
    answers = np.zeros((400, 400))
    for j in range(400):
        answers[j, rng.choice(400, 3, replace=False)] = 0.15
    times = streams(280.0, 12, np.full(400, 0.1), answers)
    fit = pk.hawkes(times, days=280.0, support=answers > 0)
    links = fit.links()["answers"].to_numpy()
    assert links.mean() == pytest.approx(0.15, abs=0.015)
    assert fit.decay[0] == pytest.approx(DECAY, rel=0.15)


def test_residuals_pass_a_right_model_and_fail_a_wrong_one() -> None:
    """Planted errors: no links at all; a decay thirty times too slow; by day, a background that moved."""
    times = streams(1500.0, 13)
    assert pk.hawkes(times, days=1500.0).residuals().failed == ()
    alone = pk.hawkes(times, days=1500.0, support=np.zeros((3, 3)))
    assert {"ground", "types"} <= set(alone.residuals().failed)
    assert "ground" in pk.hawkes(times, days=1500.0, decays=0.04).residuals().failed
    days = [np.floor(t) for t in times]
    assert pk.hawkes(days, days=1500.0).residuals().failed == ()
    moved = [np.concatenate([t[t < 750], t[t < 750] + 750, t[t < 750] + 750]) for t in days]
    assert pk.hawkes(moved, days=1500.0, decays=DECAY).residuals().failed == ("counts",)


def test_the_fit_is_a_model_like_any_other() -> None:
    times = streams(600.0, 14)
    fit = pk.hawkes(times, days=600.0)
    assert pk.branching_ratio(fit.model) == pytest.approx(fit.branching_ratio)
    runs = fit.simulate(replicates=60, seed=3)
    assert len(runs) / 60 == pytest.approx(fit.events_used, rel=0.1)
    again = pk.hawkes(times, days=600.0)
    assert again.log_likelihood == fit.log_likelihood
    assert (again.adjacency == fit.adjacency).all()


def test_what_is_told_is_plain_and_holds_no_number_that_is_none() -> None:
    fit = pk.hawkes(streams(300.0, 15), days=300.0)
    told = fit.as_dict()
    json.dumps(told, allow_nan=False)
    assert {"adjacency", "baseline", "decay", "branching_ratio", "log_likelihood", "gradient"} <= told.keys()
    assert "nan" not in fit.summary()
    assert "nan" not in pk.hawkes([[1.5, 2.5], [3.25]], days=9.0, decays=1.0).summary()
    poisson = pk.hawkes([np.random.default_rng(0).uniform(0, 100, 40)], days=100.0, support=np.zeros((1, 1)))
    json.dumps(poisson.as_dict(), allow_nan=False)
    assert poisson.baseline == pytest.approx([0.4])
    assert "(not told by the events)" in poisson.summary()


@pytest.mark.parametrize(
    ("events", "options", "said"),
    [
        ([[1.5, -2.0], [3.0]], {}, "before the start of the window"),
        ([[1.5, float("nan")]], {}, "not a number"),
        ([[1.5, 12.0]], {"days": 10.0}, "after the end of the window"),
        ([[1.5]], {}, "1 event in the window"),
        ([[], []], {}, "0 events"),
        ([], {}, "no types"),
        ([[2.5, 2.5, 2.5]], {}, "all 3 events at time 2.5"),
        ([[0.0, 1.0]], {}, "a window of 2 stamps"),
        ([["a", "b"]], {}, "not numbers"),
        (3.0, {}, "a list of arrays"),
        ([np.repeat(np.arange(20) + 0.5, 2)], {}, "the width of a stamp"),
        ([np.repeat(np.arange(20.0), 2)], {"likelihood": "exact"}, "cannot answer each other"),
        ([[1.5, 2.5]], {"decays": -1.0}, "numbers above 0"),
        ([[1.5, 2.5]], {"likelihood": "exakt"}, "nearest: 'exact'"),
        ([[1.5, 2.5]], {"penalty": "bci"}, "nearest: 'bic'"),
        ([[1.5, 2.5]], {"support": np.ones((2, 2))}, "(1, 1) [source, target]"),
        ([[1.5, 2.5]], {"background": [5.0, 3.0]}, "rising times"),
        ([[1.5, 2.5]], {"level": 90}, "a share between 0 and 1"),
        (np.arange(5.0), {"types": ["a", "b"]}, "2 types for 5 times"),
        (np.arange(2.0), {"types": ["a", None]}, "events without a type"),
        ([[1.5, 2.5]], {"days": "ten"}, "days: 'ten'"),
        ([[1.5, 2.5]], {"stamp": "day"}, "stamp: 'day'"),
        ([[1.5, 2.5]], {"level": "high"}, "level: 'high'"),
        ([[1.5, 2.5]], {"decays": "fast"}, "decays: 'fast'"),
        ([[1.5, 2.5]], {"components": 1.5}, "components: 1.5"),
        ([[1.5, 2.5]], {"penalty": [1.0]}, "penalty: [1.0]"),
        ([[1.5, 2.5]], {"background": "month"}, "background: 'month'"),
        ([[1.5, 2.5]], {"background": 2.5}, "background: 2.5"),
        ([[1.5, 2.5]], {"support": "all"}, "support: 'all'"),
        ([[1.5, 2.5]], {"support": [[float("nan")]]}, "entries that are not numbers"),
        ([[1e299, 1e301]], {}, "in a coarser unit"),
        ([[[1.5, 2.5], [3.5]], [[1.5]]], {}, "the same types in each history"),
        ([[[1.5, 2.5]], [[]]], {}, "history 2: no events and no end"),
        ([[[1.5, 2.5]], [[1.5]]], {"days": [3.0]}, "one for each of the 2 histories"),
        ([[[1.5, 2.5]], [[1.5]]], {"days": [3.0, 1.0]}, "history 2, type_0: 1 times after the end"),
        ([[[1, 2, 3]], [[1, 2]]], {}, "histories by day"),
        ([[[1.5, 2.5]], [[1.5]]], {"background": 2}, "a constant background"),
        ([["2020-01-01", "2020-02-01"]], {}, "pandas.to_datetime"),
        ([[date(2020, 1, 1), date(2020, 2, 1)], [3.0]], {}, "dates for some types"),
        ({"a": [1.5, 2.5]}, {"names": ["b"]}, "the keys of a dict"),
        (pl.DataFrame({"time": [1.5, 2.5], "type": ["a", None]}), {}, "1 rows without a type"),
        (pl.DataFrame({"when": [1.5, 2.5]}), {}, "no column 'time'"),
        (pl.DataFrame({"time": [1.5, 2.5], "kind": ["a", "b"]}), {}, "which of these make a type: kind"),
    ],
)  # fmt: skip
def test_a_slip_gets_one_plain_message(events, options, said: str) -> None:
    with pytest.raises((EventError, UsageError)) as caught:
        pk.hawkes(events, **options)
    assert said in str(caught.value)


def test_an_error_that_does_not_exist_is_masked_and_never_a_number() -> None:
    """A link at 0 has an upper end and no standard error."""
    fit = pk.hawkes([[1.5, 4.25, 6.5, 8.75, 9.5]], days=10.0, decays=1.0)
    assert fit.adjacency[0, 0] == 0.0
    assert fit.adjacency_se[0, 0] is np.ma.masked
    assert fit.decay_se.mask.all()
    assert fit.baseline_se[0] == pytest.approx(np.sqrt(5) / 10)
    assert fit.as_dict()["adjacency_se"] == [[None]]
    assert fit.links()["high"][0] > 0


def test_a_pair_that_is_allowed_twice_is_one_link() -> None:
    twice = sparse.coo_array(([1, 1, 1], ([0, 0, 0], [0, 0, 0])), shape=(1, 1))
    one, other = (pk.hawkes([[1.5, 1.75, 6.5, 6.75]], days=10.0, decays=1.0, support=s) for s in (twice, None))
    assert one.links().height == 1
    assert one.adjacency == pytest.approx(other.adjacency)


def test_a_type_without_events_is_said() -> None:
    fit = pk.hawkes([[1.5, 4.25, 6.5, 6.75], []], days=10.0, decays=1.0)
    assert fit.baseline[1] == 0.0
    assert any("no events of type_1" in note for note in fit.notes)


@pytest.mark.skipif(not (DATA / "hawkes_ref").exists(), reason="needs the data folder hawkes_ref (POWDERKEG_DATA)")
def test_published_estimates_are_reproduced() -> None:
    """Retweets, in minutes since the first, distinct times, up to the last: mu, alpha (the jump) and beta.

    Printed are 0.06328, 0.07597, 0.07911; an independent fit gave 0.063282, 0.075954, 0.079099. The maximum agrees with
    the latter to five digits; the printed alpha and beta stopped two units of their last digit short of it.
    """
    with gzip.open(DATA / "hawkes_ref" / "retweets_niwa.csv.gz", "rt") as file:
        stamps = pl.read_csv(file.read().encode(), try_parse_dates=True).to_series(0)
    elapsed = (stamps - stamps.min()).dt.total_microseconds()
    minutes = elapsed.unique().sort().to_numpy() / 60e6
    fit = pk.hawkes([minutes], likelihood="exact")
    mu, alpha, beta = fit.baseline[0], fit.adjacency[0, 0] * fit.decay[0], fit.decay[0]
    assert [mu, alpha, beta] == pytest.approx([0.063282, 0.075954, 0.079099], abs=3e-6)
    assert [mu, alpha, beta] == pytest.approx([0.06328, 0.07597, 0.07911], abs=2e-5)
    assert round(mu, 5) == 0.06328
    assert fit.log_likelihood == pytest.approx(-1114.3641, abs=1e-3)
    assert one_type(minutes, mu, alpha, beta) == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert one_type(minutes, 0.06328226, 0.07595386, 0.07909899) <= fit.log_likelihood
    assert one_type(minutes, 0.06328, 0.07597, 0.07911) <= fit.log_likelihood
    # The planted error: with its last tenth left out, the record gives another answer.
    other = pk.hawkes([minutes[: len(minutes) * 9 // 10]], likelihood="exact")
    assert abs(other.decay[0] - 0.07911) > 1e-4


def one_type(time: np.ndarray, mu: float, alpha: float, beta: float) -> float:
    """Log-likelihood by the recursion of Ozaki (1979)."""
    reach, total = 0.0, np.log(mu)
    for gap in np.diff(time):
        reach = np.exp(-beta * gap) * (1.0 + reach)
        total += np.log(mu + alpha * reach)
    return float(total - mu * time[-1] - alpha / beta * (1.0 - np.exp(-beta * (time[-1] - time))).sum())
