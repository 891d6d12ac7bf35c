"""What actors and acts are called on pages: by their titles, and two alike are both named."""

from __future__ import annotations

import re
from types import SimpleNamespace

import polars as pl
import pytest

import powderkeg as pk
from powderkeg.plots.forecast import _called
from powderkeg.plots.theme import LONGEST_LABEL
from powderkeg.report import attributed, forecasted

TITLED = """
powderkeg: 1
name: titled
start: 2024-01-01
years: 1
actors: {north_land: {title: "The North: a kingdom"}, south: {title: Southerners}}
acts: {threaten: {title: threatens war, tone: hostile, cameo: "138"}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.2 per day}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.5, half_life: 3 days}
"""


def test_a_forecast_calls_actors_and_acts_by_their_titles() -> None:
    model = pk.compile(pk.loads(TITLED))
    found = pk.forecast(model, pk.simulate(model, replicates=1, seed=1).table(), days=7, draws=40, seed=1)
    page = forecasted.page(found)
    text = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert "<td>The North → Southerners</td>" in text or ">The North → Southerners<" in text
    assert "The North → Southerners: threatens war" in text or "Southerners → The North: threatens war" in text
    assert "north land" not in text and "north_land" not in text


def test_a_fan_of_long_names_names_both_sides() -> None:
    """Cut as a whole, the name lost who it was done to."""
    long = "Ministry of the interior and its " + 3 * "very "
    assert _called("North → South") == "North → South"
    told = _called(f"{long}long arm → Ministry of war and its {long}")
    assert len(told) <= LONGEST_LABEL and told.startswith("Ministry of the interior") and "→ Ministry of war" in told


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.5, 0.3), "Most is started by the North: 50 % of all roots, and 60 % of all acts go back to them."),
        ((0.5, 0.4999), "Most is started by the North and Southerners: 50 % of all roots each."),
    ],
)
def test_two_who_start_as_much_are_both_named(shares: tuple[float, float], said: str) -> None:
    starts = pl.DataFrame({"actor": ["north_land", "south"], "share": shares, "descent_share": [0.6, 0.4]})
    nobody = pl.DataFrame(schema={"actor": pl.String, "share": pl.Float64, "acts_per_run": pl.Float64})
    model = SimpleNamespace(scenario=pk.loads(TITLED))
    found = SimpleNamespace(model=model, starts=lambda: starts, drawn_in=lambda: nobody)
    assert attributed._gist(found) == said  # type: ignore[arg-type]
