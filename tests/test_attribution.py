"""Who set off whom: against every possibility written out, against simulated truth, and against planted errors."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

import powderkeg as pk
from powderkeg.attribute.family import _number, best_tree
from powderkeg.attribute.result import Attribution
from powderkeg.engine.branching.parents import Kernels, feed_slots, lag_links
from powderkeg.engine.likelihood.day_steps import later_share, same_day
from powderkeg.errors import PowderkegError
from powderkeg.events.table import EventTable
from powderkeg.fit.parents import Causes

SCENARIO = """
powderkeg: 1
name: patrons
start: 2010-01-01
years: 8
actors: {north: {}, south: {}, patron: {}, west: {}}
acts: {threaten: {tone: hostile, cameo: "138"}, mediate: {tone: cooperative, cameo: "045"}}
moves:
  threats: {who: [north, south], does: threaten, to: [north, south], rate: 0.1 per day}
  spite: {who: south, does: threaten, to: patron, rate: 0 per day}
  backing: {who: patron, does: threaten, to: south, rate: 0.01 per day}
  good_offices: {who: west, does: mediate, to: [north, south], rate: 0.01 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 0.6 days}
  retaliation: {when: north threatens south, then: south threatens north, answers: 0.35, half_life: 0.4 days}
  answer: {when: south threatens north, then: north threatens south, answers: 0.3, half_life: 3 days}
  entrapment: {when: south threatens north, then: patron threatens south, answers: 0.3, half_life: 2 days}
  revenge: {when: patron threatens south, then: south threatens patron, answers: 0.2, half_life: 1 day}
  appeal: {when: x threatens y, then: west mediates y, answers: 0.2, half_life: 4 days}
"""
GATES = """
facts: {talks: {}}
gates:
  calm: {while: talks, moves: [threats], factor: 0.5}
  eager: {while: talks, background: [good_offices], factor: 4}
"""
WRONG = {"mechanisms.answer.half_life": 0.2, "mechanisms.retaliation.half_life": 12.0}
"""The planted error: half-lives fifteen and thirty times off."""


@pytest.fixture(scope="module")
def model() -> pk.Model:
    return pk.compile(pk.loads(SCENARIO))


@pytest.fixture(scope="module")
def gated() -> pk.Model:
    """The same with a fact that acts of one day switch on and off: talks halve threats and quadruple mediation."""
    text = SCENARIO.replace("rate: 0.1 per day}", "rate: 0.1 per day, clears: [talks]}")
    text = text.replace("rate: 0.01 per day}\nmechanisms", "rate: 0.01 per day, sets: [talks]}\nmechanisms")
    return pk.compile(pk.loads(text + GATES))


@pytest.fixture(scope="module")
def wrong(gated: pk.Model) -> pk.Model:
    return pk.compile(pk.edit(gated.scenario, WRONG))


@dataclass(frozen=True)
class History:
    """One simulated history as an observer has it, and what the simulation knows: the parent's row or -1, the name."""

    events: EventTable
    parent: np.ndarray
    mechanism: list[str]


def histories(model: pk.Model, count: int, seed: int, days: float | None = None) -> list[History]:
    table = pk.simulate(model, days=days, replicates=count, seed=seed).table()
    found = []
    for (_,), part in table.frame.group_by(["replicate"], maintain_order=True):
        events = EventTable(part.select("time", "source", "act", "target"), table.start, table.days)
        parent = part["parent"].fill_null(-1).to_numpy()
        mechanism = [name or "background" for name in part["mechanism"].cast(pl.String).to_list()]
        found.append(History(events, parent, mechanism))
    return found


def by_day(events: EventTable) -> EventTable:
    """The same events as a newspaper dates them."""
    return replace(events, frame=events.frame.with_columns(pl.col("time").floor()), resolution="day")


@pytest.fixture(scope="module")
def simulated(gated: pk.Model) -> list[History]:
    """Sixteen histories of eight years, some 1,200 acts each."""
    return histories(gated, 16, seed=11)


@pytest.fixture(scope="module")
def attributed(gated: pk.Model, simulated: list[History]) -> dict[str, list[Attribution]]:
    return {
        "exact": [pk.attribute(gated, one.events, forests=40) for one in simulated],
        "day": [pk.attribute(gated, by_day(one.events), forests=40) for one in simulated],
    }


# against every possibility written out


def tiny(model: pk.Model, rows: list[tuple[float, str, str, str]], stamp: str) -> EventTable:
    frame = pl.DataFrame(rows, schema=["time", "source", "act", "target"], orient="row")
    return EventTable(frame.with_columns(pl.col("time").cast(pl.Float64)), model.scenario.start, 30.0, stamp)


CLOCK = [
    (1.0, "north", "threaten", "south"),
    (1.4, "south", "threaten", "north"),
    (2.1, "south", "threaten", "north"),
    (2.2, "patron", "threaten", "south"),
    (6.0, "west", "mediate", "north"),
    (6.5, "north", "threaten", "south"),
    (7.0, "south", "threaten", "patron"),
]
DATES = [
    (1, "north", "threaten", "south"),
    (2, "south", "threaten", "north"),
    (2, "north", "threaten", "south"),
    (2, "south", "threaten", "north"),
    (2, "patron", "threaten", "south"),
    (4, "north", "threaten", "south"),
    (4, "south", "threaten", "north"),
]


class WrittenOut:
    """The model's rates from its formula alone, without the engine: background of each event, and of each link."""

    def __init__(self, model: pk.Model, events: EventTable, by_day: bool) -> None:
        s = model.system
        time = events.frame["time"].to_list()
        channel = [model.channel(*row) for row in events.frame.select("source", "act", "target").iter_rows()]
        n = len(time)
        self.n, self.time, self.channel = n, time, channel
        self.ground = np.array([s.rate[c] for c in channel])
        self.rate = np.zeros((n, n, s.n_mechanisms))  # [child, parent, mechanism]
        for i, j in itertools.product(range(n), repeat=2):
            for e in range(s.edge_start[channel[j]], s.edge_start[channel[j] + 1]):
                if s.edge_target[e] != channel[i]:
                    continue
                m = s.edge_mechanism[e]
                b = s.kernel_decay[s.kernel_start[m]]
                lag = time[i] - time[j]
                if by_day:
                    share = same_day(b) if lag == 0 else b * later_share(b) ** 2 * np.exp(-b * (lag - 1)) * (lag > 0)
                    share = share if i != j else 0.0
                else:
                    share = b * np.exp(-b * lag) if lag > 0 else 0.0
                self.rate[i, j, m] += s.edge_mass[e] * share

    def forests(self) -> Iterable[tuple[float, list[int]]]:
        """(weight, parents; -1 for a root) of every set of causes without a circle."""
        total = self.rate.sum(axis=2)
        choices = [[-1, *np.flatnonzero(total[i])] for i in range(self.n)]
        for parents in itertools.product(*choices):
            if all(self._ends(parents, i) for i in range(self.n)):
                weight = np.prod([self.ground[i] if j < 0 else total[i, j] for i, j in enumerate(parents)])
                yield float(weight), list(parents)

    def _ends(self, parents: tuple[int, ...], i: int) -> bool:
        for _ in range(self.n):
            if parents[i] < 0:
                return True
            i = parents[i]
        return False

    def answers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, n) probability of each parent, (n,) of none, (n, n) of each root."""
        link, root_of, none = np.zeros((self.n, self.n)), np.zeros((self.n, self.n)), np.zeros(self.n)
        whole = 0.0
        for weight, parents in self.forests():
            whole += weight
            for i, j in enumerate(parents):
                if j < 0:
                    none[i] += weight
                else:
                    link[i, j] += weight
                at = i
                while parents[at] >= 0:
                    at = parents[at]
                root_of[i, at] += weight
        return link / whole, none / whole, root_of / whole


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_tiny_records_agree_with_all_forests_written_out(model: pk.Model, stamp: str) -> None:
    """Links, roots and descent of seven acts to 1e-9, at exact times and with four acts on one day.

    The planted error: taking expected numbers of children for the chances of a walk, as if who answers whom within a
    day were settled act by act, moves a share by more than 1e-3.
    """
    events = tiny(model, CLOCK if stamp == "exact" else DATES, stamp)
    found = pk.attribute(model, events, forests=10)
    link, none, root_of = WrittenOut(model, events, stamp == "day").answers()
    told = np.zeros_like(link)
    for row in found.links(1e-9).to_dicts():
        told[row["event"], row["parent"]] += row["probability"]
    assert np.abs(told - link).max() < 1e-8
    assert np.abs(found.acts()["background"].to_numpy() - none).max() < 1e-8

    # roots by cell: alike acts share one
    c = found.causes
    cell = c.event_cell
    exact = np.zeros((len(c.time), len(c.time)))
    for i, j in itertools.product(range(len(cell)), repeat=2):
        exact[cell[i], cell[j]] += root_of[i, j]
    share = c.descent(np.arange(len(c.time)), len(c.time)) * c.acts[:, None]
    assert np.abs(share - exact).max() < 1e-9
    if stamp == "day":
        assert np.abs(naive_descent(c) * c.acts[:, None] - exact).max() > 1e-3

    # drawn forests come as often as they are likely
    counts: dict[tuple[int, ...], int] = {}
    for parent, _, _ in c.forests(20_000, 3):
        key = tuple(-1 if p < 0 else int(p) for p in parent)
        counts[key] = counts.get(key, 0) + 1
    order = np.argsort(found.act_of_event)  # act -> event
    expected: dict[tuple[int, ...], float] = {}
    for weight, parents in WrittenOut(model, events, stamp == "day").forests():
        key = tuple(-1 if parents[e] < 0 else int(found.act_of_event[parents[e]]) for e in order)
        expected[key] = expected.get(key, 0.0) + weight
    whole = sum(expected.values())
    assert set(counts) <= set(expected)
    assert chi_square(counts, {k: w / whole for k, w in expected.items()}, 20_000) > 1e-6
    flatter = {k: w**0.8 for k, w in expected.items()}
    assert chi_square(counts, {k: w / sum(flatter.values()) for k, w in flatter.items()}, 20_000) < 1e-12


def naive_descent(c: Causes) -> np.ndarray:
    """Shares from expected numbers of children, as if every act's parent were settled by itself."""
    child, parent, _, number = c.links(1e-12)
    n = len(c.time)
    links = np.zeros((n, n))
    np.add.at(links, (child, parent), number)
    return np.linalg.solve(np.diag(c.acts) - links, np.diag(c.roots))


def chi_square(counts: dict[tuple[int, ...], int], law: dict[tuple[int, ...], float], draws: int) -> float:
    """p that drawn counts are from a law; what is expected less than 8 times is put together."""
    rare = [k for k, p in law.items() if p * draws < 8]
    pairs = [(counts.get(k, 0), p * draws) for k, p in law.items() if p * draws >= 8]
    if rare:
        pairs.append((sum(counts.get(k, 0) for k in rare), sum(law[k] for k in rare) * draws))
    pairs = [pair for pair in pairs if pair[1] > 2]
    value = sum((o - e) ** 2 / e for o, e in pairs)
    return float(stats.chi2.sf(value, len(pairs) - 1))


# against simulated truth


def background_fit(found: list[Attribution], truth: list[History]) -> float:
    """p of Hosmer and Lemeshow: of the acts given a background probability of 0.7, 7 in 10 are roots."""
    p = np.concatenate([a.acts()["background"].to_numpy() for a in found])
    root = np.concatenate([h.parent < 0 for h in truth])
    edges = np.quantile(p, np.linspace(0, 1, 11)[1:-1])
    bin_of = np.searchsorted(edges, p)
    value = 0.0
    for k in range(10):
        own = bin_of == k
        spread = (p[own] * (1 - p[own])).sum()
        if spread > 1e-3:
            value += (root[own].sum() - p[own].sum()) ** 2 / spread
    return float(stats.chi2.sf(value, 10))


def link_scores(found: list[Attribution], truth: list[History]) -> dict[tuple[str, int], float]:
    """By mechanism and bin of stated probability: how far the true links are from the stated ones, in their spread
    between histories."""
    rows = []
    for number, (a, h) in enumerate(zip(found, truth, strict=True)):
        links = a.links(0.02).with_columns(history=pl.lit(number))
        true = pl.Series([h.parent[e] == p for e, p in links.select("event", "parent").iter_rows()])
        same = pl.Series([h.mechanism[e] == m for e, m in links.select("event", "mechanism").iter_rows()])
        rows.append(links.with_columns(off=(true & same).cast(pl.Float64) - pl.col("probability")))
    bins = pl.concat(rows).with_columns(bin=(pl.col("probability") * 5).floor().clip(0, 4).cast(pl.Int64))
    sums = bins.group_by("mechanism", "bin", "history").agg(pl.col("off").sum(), pl.len())
    scores = {}
    for (mechanism, number), part in sums.group_by("mechanism", "bin"):
        off = np.zeros(len(found))
        off[part["history"].to_numpy()] = part["off"].to_numpy()
        if part["len"].sum() >= 100:
            scores[str(mechanism), int(str(number))] = float(off.sum() / np.sqrt((off**2).sum()))
    return scores


def drawn_off(found: list[Attribution], truth: list[History]) -> float:
    """Mean error of the share of all acts that are drawn in."""
    offs = []
    for a, h in zip(found, truth, strict=True):
        source, target = (h.events.frame[x].cast(pl.String).to_list() for x in ("source", "target"))
        drawn = 0
        for i in range(len(source)):
            at = i
            while h.parent[at] >= 0:
                at = h.parent[at]
            drawn += source[i] not in (source[at], target[at])
        acts = a.drawn_in()
        offs.append((acts["share"] * acts["acts_per_run"]).sum() / len(source) - drawn / len(source))
    return float(np.mean(offs))


def test_stated_probabilities_come_true(
    attributed: dict[str, list[Attribution]], simulated: list[History], wrong: pk.Model
) -> None:
    """Background: Hosmer-Lemeshow p > 1e-4 at exact times (false alarm 1e-4; the planted error below is far beyond)."""
    assert background_fit(attributed["exact"], simulated) > 1e-4
    off = [pk.attribute(wrong, one.events, forests=10) for one in simulated[:6]]
    assert background_fit(off, simulated[:6]) < 1e-6


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_of_links_given_seven_tenths_seven_in_ten_are_true(
    attributed: dict[str, list[Attribution]], simulated: list[History], wrong: pk.Model, stamp: str
) -> None:
    """Every mechanism, five bins of probability, each within 4.9 of its spread between 16 histories (Student's t; about
    30 bins, false alarm 1e-2 in all were the seed drawn anew, and it is fixed). Planted errors, same test: half-lives
    far off, the names of two mechanisms exchanged, decay forgotten."""
    found = attributed[stamp]
    scores = link_scores(found, simulated)
    assert len(scores) > 12
    assert max(map(abs, scores.values())) < limit(len(simulated))
    shifted = [replace(h, mechanism=[{"inertia": "answer", "answer": "inertia"}.get(m, m) for m in h.mechanism])
               for h in simulated]  # fmt: skip
    assert max(map(abs, link_scores(found, shifted).values())) > limit(len(simulated))
    faded = [slower(a) for a in found]
    assert max(map(abs, link_scores(faded, simulated).values())) > limit(len(simulated))
    some = simulated if stamp == "exact" else simulated[:8]
    off = [pk.attribute(wrong, one.events if stamp == "exact" else by_day(one.events), forests=10) for one in some]
    assert max(map(abs, link_scores(off, some).values())) > 0.9 * np.sqrt(len(some))


def slower(a: Attribution) -> Attribution:
    """The planted error of decay that is forgotten on days with acts: old mass fades twenty times too slowly."""
    c = a.causes
    kernels = c.kernels._replace(decay=0.05 * c.kernels.decay)
    feeds = feed_slots(kernels, c.time, c.channel, c.acts)
    return replace(a, causes=replace(c, kernels=kernels, feeds=feeds), _cache={})


def test_links_are_more_than_there_was_room_for_at_first() -> None:
    """80 acts of one channel, each of which answers all before it: 3,160 links, against the formula."""
    n, decay, weight = 80, 0.01, 0.3
    one = np.zeros(1, np.int64)
    kernels = Kernels(
        np.array([0, 1]), one, np.array([0.5]), one, np.array([0, 1]), np.array([decay]), np.array([weight]), 0.0
    )
    time, acts, none = np.sort(np.random.default_rng(3).uniform(0.0, 90.0, n)), np.ones(n), np.zeros(n, np.int64)
    feeds = feed_slots(kernels, time, none, acts)
    assert feeds.start.tolist() == [0, n]
    assert feeds.cell.tolist() == list(range(n))
    left = np.exp(-decay * np.subtract.outer(time, time))
    np.testing.assert_allclose(feeds.level[:, 0], 0.5 * np.tril(left).sum(axis=1), rtol=1e-12)
    start, parent, share = lag_links(np.arange(n), none, acts, feeds, kernels, time, 0.0)
    assert np.diff(start).tolist() == list(range(n))
    for i in range(1, n):
        links = slice(start[i], start[i + 1])
        assert parent[links].tolist() == list(range(i - 1, -1, -1))
        np.testing.assert_allclose(share[links], left[i, i - 1 :: -1] / left[i, :i].sum(), rtol=1e-12)


def limit(n: int) -> float:
    """|sum| / sqrt(sum of squares) of n independent numbers of mean 0 that a t beyond 1e-4 / 2 corresponds to."""
    t = float(stats.t.isf(0.5e-4, n - 1))
    return float(np.sqrt(n * t**2 / (n - 1 + t**2)))


@pytest.mark.parametrize(("stamp", "allowed"), [("exact", 0.02), ("day", 0.03)])
def test_the_share_that_is_drawn_in_is_found(
    attributed: dict[str, list[Attribution]], simulated: list[History], wrong: pk.Model, stamp: str, allowed: float
) -> None:
    """Mean error over 16 histories; false alarm below 1e-4. The planted error is caught by the same bound."""
    assert abs(drawn_off(attributed[stamp], simulated)) < allowed
    blind = pk.compile(pk.edit(wrong.scenario, {"mechanisms.entrapment.answers": 0.02, "moves.backing.rate": 0.06}))
    off = [pk.attribute(blind, one.events if stamp == "exact" else by_day(one.events), forests=10)
           for one in simulated[:4]]  # fmt: skip
    assert abs(drawn_off(off, simulated[:4])) > allowed


# what must hold whatever the record


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_everything_sums_to_one(attributed: dict[str, list[Attribution]], stamp: str) -> None:
    a = attributed[stamp][0]
    acts = a.acts()
    kinds = acts.select("background", "unexplained", "history", *a.mechanisms).to_numpy().sum(axis=1)
    assert np.abs(kinds - 1.0).max() < 1e-12
    c = a.causes
    share = c.descent(a.people.source[c.channel], len(a.people.names))
    assert np.abs(share.sum(axis=1) - 1.0).max() < 1e-12
    for frame in (a.entanglement(), a.shares().filter(pl.col("actor").is_not_null()), a.matrix()):
        sums = frame.group_by("actor").agg(pl.col("share").sum())["share"].to_numpy()
        assert np.abs(sums - 1.0).max() < 1e-9
    assert a.starts()["share"].sum() == pytest.approx(1.0, abs=1e-12)
    assert a.starts()["descent_share"].sum() == pytest.approx(1.0, abs=1e-9)
    assert a.matrix()["acts"].sum() == pytest.approx(len(a.table), abs=1e-6)


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_forests_have_the_frequencies_of_the_probabilities(
    gated: pk.Model, simulated: list[History], stamp: str
) -> None:
    """2,000 forests of 400 acts: links above 0.05 within 5 binomial spreads (some 800: false alarm 5e-4)."""
    events = simulated[0].events.between(None, None)
    events = replace(events, frame=events.frame.head(400))
    c = pk.attribute(gated, events if stamp == "exact" else by_day(events), forests=10).causes
    n = 2_000
    m = c.n_mechanisms
    counts: dict[tuple[int, int, int], int] = {}
    alone = c.acts[c.act_cell] == 1
    cell = c.act_cell
    for parent, kind, _ in c.forests(n, 5):
        for act in np.flatnonzero((parent >= 0) & alone):
            key = (cell[act], cell[parent[act]], kind[act])
            counts[key] = counts.get(key, 0) + 1
    z = []
    for i, j, k, p in zip(*c.links(1e-6), strict=True):
        if c.acts[i] == 1 and 0.05 < p < 0.95:
            z.append((counts.get((i, j, k), 0) - n * p) / np.sqrt(n * p * (1 - p)))
    assert len(z) > 200
    assert np.abs(z).max() < 5.0
    assert 0.9 < np.std(z) < 1.1
    turned = [(counts.get((i, j, (k + 1) % m), 0) - n * p) / np.sqrt(n * p * (1 - p))
              for i, j, k, p in zip(*c.links(1e-6), strict=True) if c.acts[i] == 1 and 0.05 < p < 0.95]  # fmt: skip
    assert np.abs(turned).max() > 5.0


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_a_pair_of_acts_and_a_mechanism_stand_once(attributed: dict[str, list[Attribution]], stamp: str) -> None:
    """On a day whose gates change a link has two readings; told apart, each would be taken for all of it."""
    for a in attributed[stamp][:3]:
        links = a.links(1e-3)
        assert links.select("event", "parent", "mechanism").is_unique().all()
        whole = links.group_by("event").agg(pl.col("probability").sum())
        acts = a.acts().join(whole, on="event", how="left")
        assert (acts["background"] + acts["probability"].fill_null(0.0)).max() < 1.0 + 1e-9


def test_recursion_and_forests_tell_the_same(attributed: dict[str, list[Attribution]]) -> None:
    """Ways in by recursion lie within what 40 forests allow (5 spreads of the mean)."""
    for a in attributed["exact"][:3]:
        table = a.entanglement()
        way = np.unravel_index(a.forests.ways.key, a.forests.shape)
        for (actor, drawn, mechanism), rows in table.group_by("actor", "drawn_in", "mechanism"):
            kinds = a.mechanism_names(way[2] - 5).to_list()
            own = (way[0] == a.people.names.index(str(actor))) & (way[1] == drawn)
            own &= np.array([kind == mechanism for kind in kinds])
            seen = a.forests.ways.number[:, own].sum(axis=1)
            spread = max(seen.std(ddof=1), 0.5) / np.sqrt(len(seen))
            assert abs(seen.mean() - rows["acts_per_run"].sum()) < 5.0 * spread


def test_old_mass_fades_on_days_with_acts_too(model: pk.Model) -> None:
    """A threat every day by north: what south did on day 0 fades all the same. Forgotten, its share would be 2^(20/3)
    times as large."""
    rows = [(0.0, "south", "threaten", "north")] + [(float(d), "north", "threaten", "south") for d in range(21)]
    a = pk.attribute(model, tiny(model, rows, "day"), forests=10)
    late = a.acts().filter(pl.col("time") == 20.0)["answer"][0]
    rate = model.system.rate[model.channel("north", "threaten", "south")]
    b = np.log(2) / 3.0
    alone = 0.3 * b * later_share(b) ** 2 * np.exp(-b * 19)
    assert late < alone / rate
    assert late > 0.05 * alone / (rate + 0.3)


def test_family_trees_are_trees_of_the_standoff(attributed: dict[str, list[Attribution]]) -> None:
    for stamp in ("exact", "day"):
        one = attributed[stamp][0].family(-1)
        events = set(one.acts["event"].to_list())
        assert set(one.tree["event"].to_list()) == events
        above = dict(one.tree.select("event", "parent").iter_rows())
        for event in events:
            steps = 0
            while above[event] is not None:
                event, steps = above[event], steps + 1
                assert event in events
                assert steps <= len(events)
        drawn = one.trees(5)
        assert drawn.height == 5 * len(events)
        assert 0.2 < one.expected < 1.0


def test_the_best_tree_is_the_best(seed: int) -> None:
    """Against all sets of parents without a circle, 120 random cases of up to five acts."""
    rng = np.random.default_rng(seed)
    for _ in range(120):
        n = int(rng.integers(1, 6))
        weight = rng.random((n, n + 1))
        weight[rng.random((n, n + 1)) < 0.3] = -1.0
        weight[:, n] = 0.3 * rng.random(n)
        found = best_tree(weight)
        most = 0.0
        for parents in itertools.product(range(n + 1), repeat=n):
            ends = list(range(n))
            for _ in range(n + 1):
                ends = [n if e == n else parents[e] for e in ends]
            if all(e == n for e in ends) and all(weight[i, p] >= 0 and p != i for i, p in enumerate(parents)):
                most = max(most, sum(weight[i, p] for i, p in enumerate(parents)))
        assert sum(weight[i, p] for i, p in enumerate(found)) == pytest.approx(most)


def test_a_fit_carries_its_errors_along(gated: pk.Model, simulated: list[History]) -> None:
    """Errors of parameters are told apart from what a record cannot show, and both are in the interval."""
    fit = pk.fit(gated, simulated[0].events, free=["mechanisms", "moves.threats.rate"], background="scenario",
                 test_mechanisms=False)  # fmt: skip
    found = pk.attribute(fit, forests=100, draws=20)
    assert found.parameters == "fitted"
    whole = found.shares().filter(pl.col("actor").is_null())
    assert whole["sd_parameters"].null_count() == 0
    row = whole.filter(pl.col("mechanism") == "background").to_dicts()[0]
    assert row["sd_parameters"] > 0
    plain = pk.attribute(fit, simulated[0].events, forests=100, draws=20)
    assert plain.shares()["sd_parameters"].null_count() == 0
    given = pk.attribute(gated, simulated[0].events, forests=100)
    narrow = given.shares().filter(pl.col("actor").is_null(), pl.col("mechanism") == "background").to_dicts()[0]
    assert narrow["sd_parameters"] is None
    assert row["high"] - row["low"] > narrow["high"] - narrow["low"]


def test_the_same_seed_gives_the_same(gated: pk.Model, simulated: list[History]) -> None:
    one, two = (pk.attribute(gated, simulated[1].events, forests=20, seed=4) for _ in range(2))
    assert one.entanglement().equals(two.entanglement())
    other = pk.attribute(gated, simulated[1].events, forests=20, seed=5)
    assert not one.matrix().equals(other.matrix())


def test_an_act_that_no_rule_allows_is_a_root_and_is_said(model: pk.Model) -> None:
    """South never threatens the patron of itself: rate 0."""
    a = pk.attribute(
        model, tiny(model, [CLOCK[3], (2.0, "south", "threaten", "patron"), *CLOCK[4:]], "exact"), forests=10
    )
    told = dict(a.acts().select("event", "unexplained").iter_rows())
    assert told == {0: 0.0, 1: 1.0, 2: 0.0, 3: 0.0, 4: 0.0}
    assert "allowed by no rule" in a.warnings[0]
    assert "unexplained" in a.entanglement()["mechanism"].to_list()


def test_plain_data_have_no_number_that_is_none(attributed: dict[str, list[Attribution]]) -> None:
    told = attributed["day"][0].as_dict(links=True)
    json.dumps(told, allow_nan=False)
    assert {"shares", "starts", "drawn_in", "entanglement", "entrapped", "matrix", "links"} <= told.keys()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"forests": 3}, "10 to 100,000"),
        ({"level": 1.5}, "between 0 and 1"),
        ({"draws": 0}, "sets of parameters"),
        ({"likelihood": "daily"}, "'exact' or 'day'"),
    ],
)
def test_wrong_options_are_told(model: pk.Model, options: dict, said: str) -> None:
    with pytest.raises(PowderkegError, match=said):
        pk.attribute(model, tiny(model, CLOCK, "exact"), **options)


def test_unknown_entrapment_is_told_with_the_nearest(attributed: dict[str, list[Attribution]]) -> None:
    with pytest.raises(PowderkegError, match="'entrapment'"):
        attributed["exact"][0].entrapped(["entrapmnt"])


def test_an_episode_that_is_not_there_is_told(attributed: dict[str, list[Attribution]]) -> None:
    with pytest.raises(PowderkegError, match="0 to"):
        attributed["exact"][0].family(100_000)
    with pytest.raises(PowderkegError, match="such as 2018-03-26"):
        attributed["exact"][0].family("last spring")


def test_a_day_is_in_the_standoff_that_begins_on_it(attributed: dict[str, list[Attribution]]) -> None:
    """The one before may still be fading, or end as that day begins; it had been taken."""
    a = replace(attributed["day"][0])
    rows = {"start": [2.0, 9.0, 30.0, 33.0], "last": [4.0, 12.0, 33.0, 36.0], "end": [9.5, 20.0, 33.0, 40.0]}
    a.__dict__["standoffs"] = pl.DataFrame(rows | {"events": [3, 3, 3, 3]})
    day = lambda n: a.table.start + timedelta(days=n)  # noqa: E731
    assert [_number(a, day(n)) for n in (2, 4, 8, 9, 19, 32, 33, 39)] == [0, 0, 0, 1, 1, 2, 3, 3]
    for outside in (1, 20, 40):
        with pytest.raises(PowderkegError, match="no standoff on"):
            _number(a, day(outside))
