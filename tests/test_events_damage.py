"""No file makes reading fail with a traceback, hang, or lose a row in silence.

A few hundred files each time; from fresh seeds at night, where there are 200,000 (POWDERKEG_TRIALS) in shares that run
side by side. A seed that fails is told, and makes the same file again: `trial(seed, folder)`.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import event_damage
import pytest
from event_damage import damaged_json, faults_of_reading, one_row_spoilt, trial

SHARES = 40
NIGHTLY = int(os.environ.get("POWDERKEG_TRIALS", "200000"))


def failures(seeds: range, folder: Path) -> list[str]:
    return [f"seed {seed}, {one.name}: {wrong}" for seed in seeds for one, wrong in [trial(seed, folder)] if wrong]


@pytest.mark.parametrize("share", range(4))
def test_a_damaged_file_is_read_or_refused_and_loses_nothing(tmp_path: Path, share: int) -> None:
    assert failures(range(share * 75, share * 75 + 75), tmp_path) == []


@pytest.mark.nightly
@pytest.mark.parametrize("share", range(SHARES))
def test_very_many_damaged_files_are_read_or_refused(tmp_path: Path, share: int) -> None:
    first = int(os.environ.get("POWDERKEG_SEED", "1")) % 1_000_000 * 10_000_000 + share * NIGHTLY
    assert failures(range(first, first + NIGHTLY // SHARES), tmp_path)[:20] == []


def test_a_day_moved_in_a_row_that_nothing_happened_to_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a reader that moves every day by one, in text and in JSON."""
    one = next(made for made in map(one_row_spoilt, map(random.Random, range(99))) if made.name == "e.csv")
    other = next(made for made in map(damaged_json, map(random.Random, range(99))) if len(made.untouched) > 5)
    assert faults_of_reading(one, tmp_path, True) == faults_of_reading(other, tmp_path, True) == []
    read = event_damage.read_events
    monkeypatch.setattr(
        event_damage, "read_events", lambda *a, **k: replace(t := read(*a, **k), start=t.start + timedelta(days=1))
    )
    for made in (one, other):
        assert any("are changed" in wrong for wrong in faults_of_reading(made, tmp_path, True))
