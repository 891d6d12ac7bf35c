"""What CONTRIBUTING says of where things go is so: the files are there, and a small example of each goes in."""

from __future__ import annotations

import re
from pathlib import Path

import altair as alt
import polars as pl
import typer
from typer.testing import CliRunner

import powderkeg as pk
from powderkeg import plots
from powderkeg.cli.options import AsJson, read_scenario
from powderkeg.cli.screen import Screen
from powderkeg.plots.theme import chart_of, figure

CHECKOUT = Path(__file__).resolve().parent.parent
TEXT = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"`((?:powderkeg|tests|docs)/[\w./-]*)`", TEXT)
    assert len(named) > 15
    assert [place for place in named if not (CHECKOUT / place).exists()] == []


def test_a_mechanism_needs_no_code() -> None:
    scenario = pk.loads(
        """powderkeg: 1
name: neighbours
start: 2025-01-01
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves: {threats: {who: any, does: threaten, to: any, rate: 4 per year}}
mechanisms:
  echo: {when: x threatens y, then: x threatens y, answers: 0.2, half_life: 2 days}
"""
    )
    assert pk.branching_ratio(pk.compile(scenario)) == 0.2


def test_a_command_is_a_function_with_declared_options() -> None:
    own = typer.Typer()

    @own.command()
    def actors(scenario: str, as_json: AsJson = False) -> None:
        """Name the actors."""
        Screen(as_json=as_json).data({"actors": list(read_scenario(scenario, []).actors)})

    told = CliRunner().invoke(own, ["north-kosovo", "--json"])
    assert told.exit_code == 0
    assert "north_serbs" in told.stdout


def test_a_figure_is_a_function_from_a_frame_to_a_chart(tmp_path: Path) -> None:
    def acts_by_actor(acts: pl.DataFrame) -> alt.LayerChart:
        bars = chart_of(acts.to_dicts()).mark_bar().encode(x="acts:Q", y="actor:N")
        return figure(bars, title="Who acts", subtitle=["Acts by actor."], height=60)

    plots.save(acts_by_actor(pl.DataFrame({"actor": ["north", "south"], "acts": [3, 5]})), tmp_path / "acts.svg")
    assert "Who acts" in (tmp_path / "acts.svg").read_text(encoding="utf-8")


def test_every_figure_has_its_row_in_the_documentation() -> None:
    text = (CHECKOUT / "docs" / "figures.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", text))
    assert set(plots.__all__) - told == set()
