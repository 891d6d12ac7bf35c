"""Sharing out work to threads, on systems that count their cores differently."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from powderkeg.simulate import workers
from powderkeg.simulate.groups import granted


@pytest.mark.parametrize("has", ["process_cpu_count", "sched_getaffinity", "cpu_count"])
def test_cores_are_counted_by_what_the_system_has(monkeypatch: pytest.MonkeyPatch, has: str) -> None:
    """Python 3.13 has the first, Linux before it the second, macOS and Windows neither."""
    monkeypatch.setattr(workers, "_granted", lambda: 1 << 20)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    if has == "process_cpu_count":
        monkeypatch.setattr(os, has, lambda: 5, raising=False)
    elif has == "sched_getaffinity":
        monkeypatch.setattr(os, has, lambda pid: {1, 3, 4, 6}, raising=False)
    assert workers.cores() == {"process_cpu_count": 5, "sched_getaffinity": 4, "cpu_count": 3}[has]


def test_a_system_that_cannot_count_has_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert workers.cores() == 1
    assert workers.workers_for(8, None) == 1
    assert workers.workers_for(8, 16) == 8


def _group(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def test_a_group_is_held_by_every_group_above_it(tmp_path: Path) -> None:
    _group(tmp_path, {"own": "0::/a/b\n", "cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n", "a/b/x": ""})
    assert list(granted("", "cpu.max", root=tmp_path, own=tmp_path / "own")) == [
        ["150000", "100000"],
        ["max", "100000"],
    ]
    assert list(granted("", "cpu.max", root=tmp_path / "nowhere", own=tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"": [["150000", "100000"]]}, 2),
        ({"": [["max", "100000"]]}, 7),
        ({"cpu": [["50000", "100000"]]}, 1),
        ({"cpu": [["-1", "100000"]]}, 7),
        ({"": [["400000", "100000"], ["300000", "100000"]]}, 3),
    ],
)
def test_a_container_has_the_cores_it_is_granted(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, list[list[str]]], cores: int
) -> None:
    monkeypatch.setattr(workers, "granted", lambda controller, *names: iter(files.get(controller, [])))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 7, raising=False)
    assert workers.cores() == cores


def test_results_come_in_order_whichever_is_made_first() -> None:
    def work(number: int) -> int:
        time.sleep(0.01 * (number % 3 == 0))
        return number

    assert list(workers.in_order(work, 20, 3)) == list(range(20))


def test_little_is_made_ahead_of_a_slow_piece() -> None:
    """Or what waits for it would fill the memory."""
    go, made = threading.Event(), []

    def work(number: int) -> int:
        if number == 0:
            go.wait(10)
        made.append(number)
        return number

    found = workers.in_order(work, 1000, 2, tick=lambda: go.set() if len(made) >= 7 else None)
    assert next(found) == 0
    assert len(made) <= 2 * workers.AHEAD + 1
    assert list(found) == list(range(1, 1000))


def test_the_first_error_in_order_is_raised_and_the_rest_is_stopped() -> None:
    stopped, begun = [], []

    def work(number: int) -> int:
        begun.append(number)
        if number in (3, 5):
            time.sleep(0.05 if number == 3 else 0.0)
            raise ValueError(str(number))
        return number

    found = []
    with pytest.raises(ValueError, match="3"):
        for one in workers.in_order(work, 1000, 2, stop=lambda: stopped.append(True)):
            found.append(one)
    assert found == [0, 1, 2]
    assert stopped == [True]
    assert len(begun) < 100


def test_two_threads_never_hold_the_same_spare() -> None:
    spares = workers.Spares([[0], [0]])

    def work(number: int) -> int:
        with spares.one() as mine:
            mine[0] += 1
            time.sleep(0.001)
            held, mine[0] = mine[0], mine[0] - 1
        return held

    assert set(workers.in_order(work, 50, 4)) == {1}
