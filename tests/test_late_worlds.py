"""Answers that build up, in worlds beside the one that was: replays, hidden facts, levels before a rare event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from test_build_up import TEXT, R, record
from test_rare import FALSE_ALARM, named, split_against_plain
from test_replay import hidden_system, imputed, law, loss, worlds

import powderkeg as pk
from powderkeg.cli.app import _exit_code as run
from powderkeg.compare import Step
from powderkeg.engine.arrays import System
from powderkeg.engine.compiled import loop
from powderkeg.engine.replay.coupling import (
    BOUND,
    LEVEL,
    factual_intensity,
    happen,
    look,
    other_intensity,
    pair,
    ready,
)
from powderkeg.engine.replay.intensity import ledger
from powderkeg.engine.worlds import ForcedAct, Phase, world
from tests.systems import Builder, chance, small


def late(base: System) -> System:
    """The same links, whose answers build up where they had one half-life."""
    share: list[float] = []
    decay: list[float] = []
    start = [0]
    for m in range(base.n_mechanisms):
        rows = slice(*base.kernel_start[m : m + 2])
        shares, decays = base.kernel_share[rows].tolist(), base.kernel_decay[rows].tolist()
        if len(shares) == 1:
            shares, decays = [1.0 / (1.0 - R), -R / (1.0 - R)], [decays[0], decays[0] / R]
        share += shares
        decay += decays
        start.append(len(share))
    return base._replace(kernel_start=np.array(start), kernel_share=np.array(share), kernel_decay=np.array(decay))


@pytest.mark.parametrize("name", ["actor out", "mechanism off", "numbers, acts and policies"])
def test_replays_have_the_law_of_the_other_world(name: str) -> None:
    """43 channels, facts, calms that change, 250 histories. False alarm 3e-4 a world: KS p > 1e-4, largest of 43 z <
    4.6."""
    base = late(small(calmed=True))
    z, p = law(base, worlds(base)[name], 250, 11)
    assert z < 4.6 and p > 1e-4


def test_the_loss_without_an_event_is_its_expected_descendants() -> None:
    """4 histories of 600 replays. False alarm 4e-4 (|z| < 4.0)."""
    assert np.abs(loss(late(small(gated=False, scale=2.0)), 3, 4, 600)).max() < 4.0


@loop
def comes(ints, floats, w, x, time, channel, ours, cells):  # type: ignore[no-untyped-def]
    """Acts in the other world, and in the factual one where they are ours."""
    for i in range(len(time)):
        happen(ints, floats, w, x, channel[i], ours[i], True, 1, time[i], 0, np.uint64(1), 0.0, cells, cells, 0)


@loop
def follow(ints, floats, w, x, q, time, gap):  # type: ignore[no-untyped-def]
    """How far the other world's intensity is above the factual one; the ceiling as it was at the first time."""
    look(ints, floats, w, x, q, 1, time[0])
    for i in range(len(time)):
        ready(ints, floats, w, x, q, 1, time[i])
        gap[i] = other_intensity(ints, floats, w, x, q, 1, time[i]) - factual_intensity(ints, floats, w, x, q, time[i])
    return x[w[BOUND] + q]


def test_what_may_come_anew_stays_below_its_ceiling_while_answers_rise() -> None:
    """Every act in turn, in the other world alone or in both, with calms before it that fade more slowly there."""
    base = late(small(calmed=True))
    changed = base._replace(
        edge_mass=1.4 * base.edge_mass, calm_decay=0.5 * base.calm_decay, calm_low_strength=0.5 * base.calm_low_strength
    )
    b = ledger(world(base, (Phase(0.0, changed),)), 0.0)
    calming = int(np.flatnonzero(np.diff(base.calm_add_start))[0])
    days = np.linspace(2.0, 40.0, 96)
    rose = 0
    for act in range(base.n_channels):
        w, x = pair(b)
        w[w[LEVEL] : w[LEVEL] + 2 * base.n_facts] = np.tile(base.initial_level, 2)
        ours = np.array([True, True, act % 2 == 0])
        cells = np.zeros((1, int(base.level_start[-1])))
        comes(b.ints, b.floats, w, x, np.arange(3.0), np.array([act, calming, act]), ours, cells)
        for q in range(base.n_channels):
            gap = np.zeros(len(days))
            ceiling = follow(b.ints, b.floats, w.copy(), x.copy(), q, days, gap)
            assert gap.max() <= ceiling * (1.0 + 1e-9) + 1e-15
            rose += bool(gap.max() > gap[0] + 1e-9)
    assert rose > 20


@pytest.mark.parametrize("by_day", [False, True])
def test_what_nobody_reported_is_drawn_as_it_was(by_day: bool) -> None:
    """200 histories of acts alone. False alarm 3e-4 (three |z| < 4.0)."""
    assert np.abs(imputed(by_day, 200, 240 if by_day else 60, base=late(hidden_system()))).max() < 4.0


@pytest.mark.parametrize(("which", "changes"), [(3, False), (3, True), (5, True), (6, True)])
def test_splitting_agrees_with_plain_runs(which: int, changes: bool, seed: int) -> None:
    """What past acts have in store is drawn anew at every level."""
    assert abs(split_against_plain(late(chance(which)), changes, seed)) < FALSE_ALARM


def test_what_a_past_act_has_in_store_is_drawn_anew_as_its_waits_leave_it(seed: int) -> None:
    """An act at 0 with three answers on the average, of which four come within half of their half-life: as Poisson
    says. What is left is drawn anew at every answer; for answers that fade at once, or whose first wait is always over,
    or always not, it is another number. Standard error about 1.5 %."""
    b = Builder()
    b.kernel((1.0 / (1.0 - R), 0.2), (-R / (1.0 - R), 0.2 / R))
    b.channel(0.0)
    b.channel(0.0)
    b.edge(0, 1, 0, 3.0)
    system = b.build()
    days = 0.5 * np.log(2.0) / 0.2
    mean = 3.0 * (1.0 - (np.exp(-0.2 * days) - R * np.exp(-0.2 * days / R)) / (1.0 - R))
    expected = stats.poisson.sf(3, mean)
    ladder = [Step(f"{n} answers", np.arange(2) == 1, count=n) for n in range(1, 5)]
    into = world(system, acts=(ForcedAct(0.0, 0),))
    found = pk.rare(named(system), ladder, days=days, starts=2_000, repetitions=40, seed=seed, world=into)
    assert abs(found.probability - expected) < FALSE_ALARM * found.probability * found.relative_error


@pytest.mark.parametrize("stamp", ["exact", "day"])
def test_an_observed_history_is_replayed_without_late_answers(stamp: str) -> None:
    """Inertia alone answers then: 0.1 acts a day and side times 1.25 over eight years are some 365 acts a side."""
    found = pk.replay(pk.compile(pk.loads(TEXT)), record(1, stamp), "retaliation", replicates=100, imputations=10)
    stay = float(found.acts["stays"].sum()) + float(found.added["per_replay"].sum())
    assert found.impossible == 0
    assert 600 < stay < 860


def test_the_command_replays_late_answers_and_heads_no_table_without_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, events = tmp_path / "late.yaml", tmp_path / "one"
    file.write_text(TEXT, encoding="utf-8")
    assert run(["run", str(file), "--replicates", "1", "--years", "1", "--quiet", "--out", str(events)]) == 0
    capsys.readouterr()
    words = ["--without", "retaliation", "--replicates", "10", "--imputations", "2", "--no-ranges"]
    assert run(["replay", str(file), str(events / "events.parquet"), *words]) == 0
    told = capsys.readouterr().out
    assert "Acts, those that change most first" in told and "Outcomes from" not in told
