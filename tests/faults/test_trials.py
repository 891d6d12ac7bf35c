"""Kills, signals and damage, a few in the ordinary run, all in the nightly one: nothing lost, no byte different."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from trials import COMMANDS, Bench, Trial, mounts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that could be sent to another process"),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("trials"), random.Random(os.environ.get("POWDERKEG_SEED", "5")))


def check(trial: Trial) -> None:
    print(trial)
    assert trial.is_well, trial


@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGKILL, 2), pytest.param(signal.SIGTERM, 2, marks=pytest.mark.nightly)]
)
def test_a_sweep_that_is_stopped_at_random_moments_loses_nothing(
    bench: Bench, number: signal.Signals, times: int
) -> None:
    check(bench.stopped("sweep", number, times))


@pytest.mark.nightly
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_every_command_that_is_stopped_at_random_moments_loses_nothing(
    bench: Bench, command: str, number: signal.Signals
) -> None:
    check(bench.stopped(command, number, 20))


def test_a_damaged_piece_is_named_and_made_again(bench: Bench) -> None:
    for damage in (bench.cut_off, bench.changed, bench.swapped):
        check(bench.damaged("sweep", damage.__name__, damage, 1, "made again"))


def test_a_manifest_that_was_cut_off_is_told(bench: Bench) -> None:
    check(bench.damaged("sweep", "manifest cut off", bench.manifest, 1, "its job.json was cut off or changed"))


def test_a_clock_that_went_back_leaves_no_lock_for_ever(bench: Bench) -> None:
    check(bench.damaged("sweep", "clock back", bench.from_tomorrow, 1, ""))


@pytest.mark.skipif(not mounts(), reason="no small file system can be mounted here: Linux, with the right to mount")
@pytest.mark.parametrize(
    ("command", "times"),
    [("run", 1), *(pytest.param(command, 5, marks=pytest.mark.nightly) for command in COMMANDS)],
)
def test_a_disk_that_is_full_or_turns_read_only_is_told_and_gone_on_with(
    bench: Bench, command: str, times: int
) -> None:
    check(bench.on_a_full_disk(command, times))
    check(bench.on_a_disk_that_became_read_only(command, times))


def test_a_trial_that_lost_something_is_seen() -> None:
    """The planted error."""
    assert Trial("x", "run", 3).is_well
    for name in ("lost", "different", "tracebacks"):
        assert not Trial("x", "run", 3, **{name: 1}).is_well
    assert not Trial("x", "run", 0).is_well
