"""Inputs that nobody meant end in an answer or in a fault in words, never in an error of Python's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import fuzzing

SEED = int(os.environ.get("POWDERKEG_SEED", "1"))


@pytest.mark.parametrize("target", fuzzing.TARGETS)
def test_inputs_that_nobody_meant_are_answered_in_words(target: str, tmp_path: Path) -> None:
    times, wrong = fuzzing.fuzz(target, tmp_path, SEED, 10 if target == "event files" else 150)
    print(f"{target}: {times:,} inputs tried")
    assert wrong == []


@pytest.mark.nightly
@pytest.mark.parametrize("target", fuzzing.TARGETS)
def test_many_inputs_that_nobody_meant_are_answered_in_words(target: str, tmp_path: Path) -> None:
    times, wrong = fuzzing.fuzz(target, tmp_path, SEED, 2_000 if target == "event files" else 50_000)
    print(f"{target}: {times:,} inputs tried")
    assert wrong == []


def test_an_error_of_pythons_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted error."""
    monkeypatch.setitem(fuzzing.TARGETS, "--set", lambda folder, rng: int("x"))
    assert len(fuzzing.fuzz("--set", tmp_path, 1, 3)[1]) == 3
