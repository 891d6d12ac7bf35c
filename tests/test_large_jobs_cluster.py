"""Jobs on a real cluster of several processes on this machine, some of them killed in the middle."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import powderkeg as pk
from powderkeg.cli.app import _exit_code
from powderkeg.simulate import jobs, simulate
from tests import systems
from tests.test_compare import TWO_CORNERS
from tests.test_large_jobs import COMMANDS, results

dask = pytest.importorskip("dask", reason="Dask is not installed")
distributed = pytest.importorskip("distributed", reason="Dask is not installed")
pytestmark = [
    pytest.mark.slow,
    # What Dask does inside, and says while its workers are killed.
    pytest.mark.filterwarnings("ignore"),
]


kills = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that could be sent to another process")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as made:
            yield made


def test_a_sweep_on_a_cluster_writes_the_same_files(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two.yaml").write_text(TWO_CORNERS)
    monkeypatch.chdir(tmp_path)
    words = [*COMMANDS["sweep"], "--quiet", "--out"]
    assert _exit_code([*words, "here"]) == 0
    assert _exit_code([*words, "there", "--cluster", cluster.scheduler_address]) == 0
    assert results(tmp_path / "there") == results(tmp_path / "here")


@contextlib.contextmanager
def struck(pids: list[int], number: signal.Signals, folder: Path) -> Iterator[list[int]]:
    """Processes that get a signal as soon as some pieces are there; gives those that got it, once all is over."""
    done: list[int] = []

    def strike() -> None:
        while len(list(folder.glob("*.npy"))) < 15:
            time.sleep(0.05)
        for pid in pids:
            os.kill(pid, number)
            done.append(pid)

    thread = threading.Thread(target=strike)
    thread.start()
    yield done
    thread.join()


@kills
def test_workers_that_are_killed_in_the_middle_lose_nothing(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three die while they work; a nanny starts others, and Dask hands their pieces out again."""
    monkeypatch.setattr(jobs, "_FILE", 20_000)
    asked: dict[str, Any] = {"model": systems.small(), "days": 4000.0, "replicates": 600}
    here = simulate(**asked)
    with distributed.Client(cluster, set_as_default=False) as client:
        ids = [int(pid) for pid in client.run(os.getpid).values()]
        with struck(ids[:2], signal.SIGKILL, tmp_path) as killed:
            there = simulate(**asked, executor=client.get_executor(pure=False, retries=5), checkpoint=tmp_path)
    assert len(killed) == 2
    assert len(list(tmp_path.glob("*.npy"))) > 30
    assert there.digest() == here.digest()


@kills
@pytest.mark.nightly
def test_a_worker_that_hangs_is_given_up_and_its_pieces_made_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of three is stopped without a word; Dask gives up workers that have not been heard of for so long."""
    monkeypatch.setattr(jobs, "_FILE", 20_000)
    asked: dict[str, Any] = {"model": systems.small(), "days": 4000.0, "replicates": 300}
    here = simulate(**asked)
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "3s"}),
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        first = int(min(client.run(os.getpid).values()))

        with struck([first], signal.SIGSTOP, tmp_path) as hung:
            there = simulate(**asked, executor=client.get_executor(pure=False, retries=5), checkpoint=tmp_path)
        for pid in hung:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert hung
    assert there.digest() == here.digest()


def test_an_address_where_nobody_answers_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from powderkeg.simulate import clusters

    monkeypatch.setattr(clusters, "CONNECT", 1.0)
    (tmp_path / "two.yaml").write_text(TWO_CORNERS)
    monkeypatch.chdir(tmp_path)
    made = []
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda *given, **named: made.append(given) or client(*given, **named))
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "localhost", ""):
        assert _exit_code([*COMMANDS["sweep"], "--out", "job", "--cluster", address]) == 2
        assert "the address of a Dask scheduler" in capsys.readouterr().err
    # What is no address gets no client, which would complain half a minute later.
    assert made == [("tcp://127.0.0.1:9",)]
    assert not (tmp_path / "job" / "points").exists()
    assert pk.__version__ == clusters.version_here()
