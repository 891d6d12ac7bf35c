"""One branching ratio: the fit's, that of `stability`, and what simulated histories do; and what it rests on."""

from __future__ import annotations

from typing import Any

import pytest

import powderkeg as pk
from powderkeg.events.table import EventTable

SCENARIO = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 6
actors: {north: {}, south: {}}
acts:
  threaten: {tone: hostile, cameo: "138"}
  strike: {tone: hostile, cameo: "190"}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.15 per day}
  strikes: {who: any, does: strike, to: any, rate: 0.01 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 0.6 days}
  fury: {when: x strikes y, then: x strikes y, answers: 1.449, half_life: 0.6 days}
"""


@pytest.fixture(scope="module")
def events() -> EventTable:
    """Six years of threats without a strike."""
    quiet = pk.edit(pk.loads(SCENARIO), {"moves.strikes.rate": 0.0})
    table = pk.simulate(pk.compile(quiet), replicates=1, seed=4).table()
    return EventTable(table.frame.select("time", "source", "act", "target"), table.start, table.days)


def fitted(events: EventTable, text: str = SCENARIO, **options: Any) -> pk.fit.Fit:  # type: ignore[name-defined]
    return pk.fit(pk.compile(pk.loads(text)), events, background="scenario", **options)


def test_acts_that_cannot_happen_have_no_part_in_the_ratio_and_are_told(events: EventTable) -> None:
    """A move at rate 0 that strikes by itself would breed 1.449: it was printed, and simulations are calm."""
    fit = fitted(events, fix=["mechanisms.fury"])
    assert fit.parameters["moves.strikes.rate"].estimate == 0.0
    assert fit.branching_ratio == pytest.approx(pk.stability(fit.model).initial, rel=1e-6)
    assert 0.2 < fit.branching_ratio < 0.4
    assert fit.backgrounds["branching_ratio"][0] == pytest.approx(fit.branching_ratio, rel=1e-9)
    assert fit.ratio.all_acts == pytest.approx(1.449)
    told = [said for said in fit.warnings if "1.449" in said and "mechanisms.fury" in said]
    assert len(told) == 1 and "rates are 0" in told[0]
    assert fit.as_dict()["branching_ratio_all_acts"] == pytest.approx(1.449)


def test_a_ratio_that_rests_on_numbers_of_the_file_says_so(events: EventTable) -> None:
    fit = fitted(events, fix=["mechanisms.inertia.answers", "mechanisms.fury"])
    assert fit.ratio.held == pytest.approx(1.0)
    assert any("100 % of the branching ratio" in said and "held as asked" in said for said in fit.warnings)
    assert "100 % of it held at the file's values" in fit.summary()
    free = fitted(events, fix=["mechanisms.fury"])
    assert free.ratio.held == 0.0 and "of it held" not in free.summary()


def test_a_ratio_over_one_is_never_printed_without_a_word(events: EventTable) -> None:
    over = SCENARIO.replace("answers: 0.3", "answers: 1.05")
    fit = fitted(events, over, fix=["mechanisms"])
    assert fit.branching_ratio == pytest.approx(1.05)
    assert any("runs can explode" in said and "mechanisms.inertia" in said for said in fit.warnings)
