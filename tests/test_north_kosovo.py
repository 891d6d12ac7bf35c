"""The built-in scenario: what it says has a source, and what it does agrees with the record and the literature."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.analyze import entanglement, episodes
from powderkeg.compare import choose, intervene
from powderkeg.engine.worlds import ForcedAct, world
from powderkeg.model import Model, branching_ratio, stability
from powderkeg.scenario import Quantity, Scenario, edit, paths
from powderkeg.score import record
from powderkeg.simulate import Runs, simulate

SEED = 11
CONVENTIONS = ("years", "standoffs.", "interventions.")
"""Paths whose values are definitions, not claims about the world."""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return pk.load("north-kosovo")


@pytest.fixture(scope="module")
def model(scenario: Scenario) -> Model:
    return pk.compile(scenario)


@pytest.fixture(scope="module")
def runs(model: Model) -> Runs:
    return simulate(model, years=10, replicates=1500, seed=SEED)


def channels(model: Model, who: str | None = None, does: Iterable[str] = (), to: str | None = None) -> np.ndarray:
    """Which channels are acts of this kind."""
    does = tuple(does)
    return np.array(
        [
            c.kind == "act"
            and (who is None or c.source == who)
            and (not does or c.act in does)
            and (to is None or c.target == to)
            for c in model.channels
        ]
    )


def count(runs: Runs, mask: np.ndarray, since: float = 0.0, until: float = np.inf) -> float:
    """Such acts per run between two days."""
    here = mask[runs.channel] & (runs.time >= since) & (runs.time < until)
    return float(here.sum()) / runs.replicates


def edited(scenario: Scenario, **changes: object) -> Model:
    return pk.compile(edit(scenario, {path.replace("__", "."): value for path, value in changes.items()}))


def forced(model: Model, *acts: tuple[float, str, str, str], seed: int = SEED, replicates: int = 3000) -> Runs:
    """Runs in which these acts (day, who, does, to) are made to happen."""
    index = {(c.source, c.act, c.target): i for i, c in enumerate(model.channels)}
    deeds = tuple(ForcedAct(day, index[who, does, to]) for day, who, does, to in acts)
    return simulate(model, days=400.0, replicates=replicates, seed=seed, world=world(model.system, acts=deeds))


# --- What the file says


def test_every_number_names_its_source_or_says_that_it_is_a_guess(scenario: Scenario) -> None:
    """Zero and one need none: an act that never comes unprovoked, an effect that always follows. Nor do even splits."""
    bare = [
        path
        for path, value in paths(scenario).items()
        if isinstance(value, Quantity)
        and value.value not in (0.0, 1.0)
        and value.source is None
        and not value.guess
        and not path.startswith(CONVENTIONS)
        and not (".then." in path and value.value == 0.5)
    ]
    assert bare == []


def test_every_guess_has_a_range_around_it(scenario: Scenario) -> None:
    guesses = {path: value for path, value in paths(scenario).items() if isinstance(value, Quantity) and value.guess}
    assert len(guesses) > 50
    outside = [
        path
        for path, value in guesses.items()
        if ".then." not in path
        and value.value not in (0.0, 1.0)
        and not (value.low is not None and value.high is not None and value.low <= value.value <= value.high)
        and value.low != value.high
    ]
    assert outside == []


def test_every_source_is_used_and_can_be_looked_up(scenario: Scenario) -> None:
    used = {value.source for value in paths(scenario).values() if isinstance(value, Quantity)}
    assert set(scenario.sources) - used == set()
    assert [name for name, source in scenario.sources.items() if source.url is None] == ["record"]


def test_every_intervention_of_the_design_is_there_with_a_title_and_a_question(scenario: Scenario) -> None:
    wanted = {"withdraw_kfor", "double_kfor", "clear_roads", "grant_serbia", "west_restrains", "serbia_restrains"}
    wanted |= {"recognition", "plates_deal_holds", "membership", "nothing"}
    assert wanted == set(scenario.interventions)
    assert all(item.title and item.question.endswith("?") for item in scenario.interventions.values())
    assert 8 <= len(scenario.outcomes) <= 12


# --- How near the brink


def test_the_branching_ratio_is_between_a_third_and_two_thirds_in_quiet_and_in_a_dispute(model: Model) -> None:
    """Literature: 37-50 % of violent events set off by others (Iraq), proposals 0.3 to 0.6."""
    levels = model.system.initial_level.copy()
    quiet = branching_ratio(model, levels)
    levels[model.facts.index("dispute")] = 1
    assert 0.3 < quiet < 0.62
    assert 0.3 < branching_ratio(model, levels) < 0.67


def test_no_reachable_state_explodes(model: Model) -> None:
    found = stability(model)
    assert found.worst < 0.95
    assert found.worst >= found.initial


def test_a_decade_has_a_few_hundred_acts(runs: Runs, model: Model) -> None:
    assert 150 < count(runs, channels(model)) < 500
    assert not runs.exploded.any()


# --- Against the record


def test_the_lines_of_the_record_agree(scenario: Scenario) -> None:
    found = record(scenario, replicates=600, seed=SEED)
    assert len(found.lines) >= 20
    assert found.agreeing >= len(found.lines) - 2, str(found)


def test_the_record_refuses_a_scenario_without_restraint(scenario: Scenario) -> None:
    """Planted error: if nobody steps back, holds back or mediates, too few standoffs end suspended."""
    changes = {
        f"mechanisms.{name}.answers": 0
        for name in ("steps_back", "mediation", "west_holds_kosovo_back", "serbia_holds_north_back", "place_left")
    }
    found = record(edit(scenario, changes), replicates=300, seed=SEED)
    lines = {line.name: line for line in found.lines}
    assert not lines["ended_suspended"].agrees
    assert not lines["ended_spent"].agrees


# --- Mechanisms have the signs that studies found


def test_restraint_shortens_standoffs(scenario: Scenario, runs: Runs) -> None:
    without = edited(
        scenario,
        mechanisms__west_holds_kosovo_back__answers=0,
        mechanisms__serbia_holds_north_back__answers=0,
        mechanisms__mediation__answers=0,
        gates__diplomats_come__factor=1,
    )
    longer = episodes(simulate(without, years=10, replicates=1500, seed=SEED))
    shorter = episodes(runs)
    days = [float(np.mean(table["calendar_days"].to_numpy())) for table in (longer, shorter)]
    assert days[0] > 1.15 * days[1]


def test_a_warning_softens_serbia_towards_kosovo(model: Model) -> None:
    """Goldstein & Pevehouse 1997: after NATO's punishment the adversary is softer to NATO's client."""
    step = (0.0, "kosovo", "install", "north_serbs")
    hostile = channels(model, "serbia", ("threaten", "alert"), "kosovo")
    left_alone = count(forced(model, step), hostile, 0.5, 30.0)
    warned = count(forced(model, step, (0.5, "nato", "warn", "serbia")), hostile, 0.5, 30.0)
    assert warned < 0.9 * left_alone


def test_serbian_hostility_to_kosovo_draws_nato_hostility_to_serbia(model: Model) -> None:
    """Goldstein & Pevehouse 1997: outside powers answer attacks on their client."""
    warnings = channels(model, "nato", ("warn",), "serbia")
    calm = count(forced(model), warnings, 0.0, 30.0)
    alarmed = count(forced(model, (0.0, "serbia", "alert", "kosovo")), warnings, 0.0, 30.0)
    assert alarmed > calm + 0.15


def test_entrapment_is_rarer_than_entanglement_by_obligation(runs: Runs) -> None:
    """Kim 2011."""
    nato = entanglement(runs).filter(pl.col("actor") == "nato")
    share = dict(nato.group_by("mechanism").agg(pl.col("share").sum()).iter_rows())
    assert 0.01 < share["entrapment"] < 0.5 * share["obligation"]
    assert nato.filter(pl.col("drawn_in"))["share"].sum() > 0.9


def test_kfor_withdrawal_costs_something_and_not_everything(scenario: Scenario, model: Model, runs: Runs) -> None:
    """Fortna 2004 and Hegre et al. 2019, for a presence between weak and strong: one to three times the violence."""
    gone = simulate(
        model,
        years=10,
        replicates=1500,
        seed=SEED,
        world=intervene(model, choose(scenario, ["withdraw_kfor"])[0], 3652.5),
    )
    hurt = np.array(model.hurts) > 0
    assert 1.0 < count(gone, hurt) / count(runs, hurt) < 3.0
    assert 1.0 < episodes(gone).height / episodes(runs).height < 3.0


def test_a_deal_brings_relief_first_and_recurrence_later(scenario: Scenario) -> None:
    """Beardsley 2008: measures come less often in the weeks after a suspension, more often in the months after.

    Other ways to a deal are off, so that the forced one is what differs.
    """
    ways = ("steps_back", "mediation", "west_holds_kosovo_back", "kfor_takes_over")
    model = edited(scenario, **{f"mechanisms__{way}__answers": 0 for way in ways}, gates__diplomats_come__factor=1)
    step = (0.0, "kosovo", "register", "north_serbs")
    measures = channels(model, "kosovo", ("bar", "register", "install"))
    unsettled = forced(model, step, replicates=6000)
    settled = forced(model, step, (1.0, "kosovo", "suspend", "north_serbs"), replicates=6000)
    assert count(settled, measures, 2.0, 60.0) < 0.75 * count(unsettled, measures, 2.0, 60.0)
    assert count(settled, measures, 200.0, 400.0) > 1.1 * count(unsettled, measures, 200.0, 400.0)


def test_each_answer_of_nato_happens_and_so_does_silence(model: Model, runs: Runs) -> None:
    """Grant, refuse, stall: a request that runs out is a stall."""
    silent = np.array([c.kind == "expire" and c.fact in ("clear_request", "deploy_request") for c in model.channels])
    asked = count(runs, channels(model, does=("ask",), to="nato"))
    assert 0.15 * asked < count(runs, silent) < 0.7 * asked
    assert count(runs, channels(model, "nato", ("refuse",), "kosovo")) > 0
    assert count(runs, channels(model, "nato", ("refuse",), "serbia")) > 0
    assert count(runs, channels(model, "nato", ("admit",), "serbia")) > 0


# --- Rare things are rare, and possible


def test_nato_hardly_ever_fights(model: Model, runs: Runs) -> None:
    """Beckley 2015: entangled fighting in some 3 % of disputes; here NATO and Serbian forces in far fewer standoffs."""
    fights = channels(model, "nato", ("fight",))
    assert count(runs, fights) / (episodes(runs).height / runs.replicates) < 0.03
    assert count(runs, channels(model, "serbia", ("deploy",))) < 0.03
    assert count(runs, channels(model, "nato", ("fight",), "russia")) == 0


def test_an_alliance_wide_clash_is_a_chain_of_rare_steps(scenario: Scenario) -> None:
    """One decade in some hundred thousand: found by making two steps common and dividing by how much."""
    raised = edited(scenario, mechanisms__serbia_goes_in__answers=0.3, mechanisms__russia_stands_by_serbia__answers=1.0)
    runs = simulate(raised, years=10, replicates=1500, seed=SEED)
    clash = channels(raised, "russia", ("fight",), "nato") | channels(raised, "nato", ("fight",), "russia")
    replicates = np.repeat(np.arange(runs.replicates), np.diff(runs.offsets))
    share = len(np.unique(replicates[clash[runs.channel]])) / runs.replicates
    chance = share / (0.3 / 0.003) / (1.0 / 0.02)
    assert 1e-6 < chance < 1e-4
