"""Jobs in parts, on executors, and gathered: the bytes of an undivided run, or what is wrong by name."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import pickle
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import powderkeg as pk
from powderkeg.cli.app import _exit_code
from powderkeg.compare.sweep.sweeps import axis
from powderkeg.errors import ModelError, UsageError
from powderkeg.events import write_events
from powderkeg.events.store import write_frames
from powderkeg.simulate import JobPlan, PartDone, WorkerError, jobs, pieces, runs, simulate
from powderkeg.simulate.checkpoints import JobFolder, Shelf
from powderkeg.simulate.kept_pieces import plain_pieces
from powderkeg.simulate.pieces import made_in_order
from powderkeg.simulate.plans import share_of
from powderkeg.simulate.sending import Sent
from tests import systems
from tests.test_compare import TWO_CORNERS

ANSWERS = "mechanisms.answer.answers"
SWEEP = ["--over", f"{ANSWERS}=0.1:0.6:5", "--replicates", "20"]
COMMANDS = {
    "sweep": ["sweep", "two.yaml", *SWEEP],
    "run": ["run", "two.yaml", "--replicates", "300"],
    "compare": ["compare", "two.yaml", "half", "short_fence", "--replicates", "1200", "--sets", "3"],
}


def call(*words: str) -> int:
    return _exit_code([*words])


def results(folder: Path) -> dict[str, bytes]:
    """The files of a command: not those by which its job is kept."""
    return {
        p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name not in ("job.json", "about.json")
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "two.yaml").write_text(TWO_CORNERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_parts_gathered_are_the_files_of_an_undivided_run(
    here: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = COMMANDS[command]
    assert call(*words, "--out", "whole", "--quiet") == 0
    for part in (3, 1, 2):
        assert call(*words, "--out", "job", "--part", f"{part}/3") == 0
    assert "all parts are there; powderkeg gather job puts them together." in capsys.readouterr().out
    assert call("gather", "job", "--quiet") == 0
    assert results(here / "job") == results(here / "whole")
    assert len(results(here / "job")) > 3


def test_runs_that_stream_say_the_same_as_runs_in_memory(here: Path) -> None:
    """Byte for byte, whole and in parts; a file of the data set that was changed is made again."""
    words = ["run", "two.yaml", "--replicates", "700", "--quiet"]
    assert call(*words, "--out", "whole") == call(*words, "--out", "stream", "--stream") == 0
    one, other = results(here / "whole"), results(here / "stream")
    for name in ("outcomes.csv", "scenario.resolved.json"):
        assert one[name] == other[name]
    told, streamed = json.loads(one["outcomes.json"]), json.loads(other["outcomes.json"])
    command = told["made"].pop("command")
    assert streamed["made"].pop("command") == f"{command} --stream" and told == streamed
    for name, inside in (("events.parquet", "events"), ("episodes.parquet", "standoffs")):
        spans = sorted((here / "stream" / inside).glob("*.parquet"))
        assert len(spans) > 5
        assert pl.concat([pl.read_parquet(span) for span in spans]).equals(pl.read_parquet(here / "whole" / name))
    for part in (2, 1):
        assert call(*words, "--out", "parts", "--stream", "--part", f"{part}/2") == 0
    span = sorted((here / "parts" / "events").glob("*.parquet"))[3]
    content = span.read_bytes()
    span.write_bytes(content[:-1] + b"x")
    assert call("gather", "parts", "--quiet") == 2
    with pytest.warns(pk.PowderkegWarning, match="made again"):
        assert call(*words, "--out", "parts", "--stream", "--part", "1/2") == 0
    assert call("gather", "parts", "--quiet") == 0
    every = {p.relative_to(here / "stream"): p.read_bytes() for p in (here / "stream").rglob("*") if p.is_file()}
    for place, bytes_there in every.items():
        if place.name != "about.json":
            assert (here / "parts" / place).read_bytes() == bytes_there, place


def test_events_written_part_by_part_are_the_bytes_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = simulate("north-kosovo", replicates=30, years=3)
    for part in (500, 10**6):
        monkeypatch.setattr(inspect.unwrap(runs.Runs.parts), "__defaults__", (part,))
        assert len([*found.parts()]) == 1 or part == 500
        write_events(found.table(), tmp_path / "whole.parquet")
        write_frames(found.frames(), tmp_path / "parts.parquet", found.about)
        assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "parts.parquet").read_bytes()


def test_what_does_not_belong_together_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of these wrote a table, or an older one over the newer, before parts were asked for."""
    words = [*COMMANDS["sweep"], "--out", "job", "--quiet"]
    for part in (1, 4):
        assert call(*words, "--part", f"{part}/4") == 0

    def told(*more: str) -> str:
        capsys.readouterr()
        assert call(*more) == 2
        return capsys.readouterr().err

    assert "job: part 2 of 4 is missing" in told("gather", "job")
    assert "begun in 4 parts, this is one of 5" in told(*words, "--part", "2/5")
    other = told(*words, "--part", "2/4", "--seed", "7", "--set", "moves.near.rate=9 per year")
    assert "another scenario, seed: moves.near.rate.value 0.0" in other
    assert "seed 1 there, 7 here" in other
    assert "'5/4'" in told(*words, "--part", "5/4")
    assert call(*words, "--part", "2/4") == call(*words, "--part", "3/4") == 0
    point = here / "job" / "points" / "0000001.json"
    point.with_name("0000001 (1).json").write_bytes(point.read_bytes())
    assert "holds 0000001 (1).json" in told("gather", "job")
    point.with_name("0000001 (1).json").unlink()
    point.write_bytes(point.read_bytes()[:-9])
    assert "points/0000001.json was cut off, changed" in told("gather", "job")
    assert not (here / "job" / "table.csv").exists()
    (here / "job" / "about.json").write_text("{")
    assert "about.json was cut off or changed" in told("gather", "job")
    assert "no such folder" in told("gather", "nowhere")


def test_two_processes_do_not_make_the_same_part(tmp_path: Path) -> None:
    one, other = (JobPlan(tmp_path, part=part, parts=2) for part in (1, 2))
    kind = plain_pieces("trial")
    with JobFolder(one, {}, kind):
        with pytest.raises(UsageError, match="another powderkeg works in this folder"), JobFolder(one, {}, kind):
            pass
        with JobFolder(other, {}, kind):
            pass
        with (
            pytest.raises(UsageError, match="another powderkeg works"),
            JobFolder(JobPlan(tmp_path, gathers=True), {}, kind),
        ):
            pass


def test_every_piece_is_in_one_share() -> None:
    for parts in (1, 2, 3, 7, 100):
        for n in (0, 1, 5, 99, 100, 1234):
            shares = [share_of(part, parts, n) for part in range(1, parts + 1)]
            assert [k for share in shares for k in share] == list(range(n))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_plain_data_with_arrays_comes_back_as_it_was(tmp_path: Path) -> None:
    data = {"a": [1, None, float("inf"), ("x", np.arange(3))], 2: {"{}": np.ones((2, 0)), "array": True}, "t": ()}
    with JobFolder(tmp_path, {}, plain_pieces("trial")) as kept:
        kept.write(3, data)
        back = kept.read(3)
    assert repr(back) == repr(data)
    assert [type(key) for key in back] == [str, int, str]


def test_the_task_of_a_slurm_array_is_its_part(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*COMMANDS["sweep"], "--out", "job"]
    assert call(*words, "--part", "auto") == 2
    assert "SLURM_ARRAY_TASK_ID is not set" in capsys.readouterr().err
    for name, value in {"ID": "14", "COUNT": "4", "MIN": "10", "STEP": "2"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert call(*words, "--part", "auto") == 0
    assert "Part 3 of 4" in capsys.readouterr().out


def test_the_script_for_slurm_makes_all_parts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*COMMANDS["sweep"], "--out", "a job", "--print-slurm", "7", "--workers", "9") == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/bin/bash\n")
    assert "#SBATCH --array=1-7\n" in script
    line = next(one for one in script.splitlines() if one.startswith("exec powderkeg sweep two.yaml --over"))
    assert line.endswith("""--out 'a job' --part "${SLURM_ARRAY_TASK_ID}/7" --workers "${SLURM_CPUS_PER_TASK:-1}\"""")
    assert "--workers 9" not in script
    words = line.partition(" --out")[0].removeprefix("exec powderkeg ").split()
    assert words == COMMANDS["sweep"]  # the number of parts was left in it
    assert not (here / "a job").exists()
    assert call(*COMMANDS["sweep"], "--print-slurm", "7") == 2


def test_a_time_limit_ends_with_what_is_done(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The process is asked as by Ctrl-C, so whatever a command does then it does here."""
    from powderkeg.cli.app import main

    words = [*COMMANDS["sweep"], "--replicates", "200000", "--out", "job", "--time-limit", "2s", "--memory", "900GB"]
    began = time.monotonic()
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 124
    assert time.monotonic() - began < 30
    told = capsys.readouterr().err
    assert "The time limit of 2 s is reached." in told
    assert "Stopped" in told
    assert call(*words[:-3], "soon") == 2


def test_what_cannot_fit_is_refused_before_it_is_run() -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"100,000,000 runs of some .* events take about .* would not fit into"):
        simulate(systems.dense(), days=100.0, replicates=100_000_000, memory="1 GB")
    assert time.monotonic() - began < 20
    # What fits by a little is not refused by a guess.
    need = len(simulate(systems.dense(), days=100.0, replicates=200)) * jobs.BYTES
    assert simulate(systems.dense(), days=100.0, replicates=200, memory=need).replicates == 200


# -- executors --------------------------------------------------------------------------------------------------------


def thread_pool() -> Executor:
    return ThreadPoolExecutor(3)


def process_pool() -> Executor:
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


@pytest.fixture(params=[thread_pool, pytest.param(process_pool, marks=pytest.mark.slow)], scope="module")
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    make: Callable[[], Executor] = request.param
    with make() as found:
        yield found


def test_an_executor_gives_the_same_runs(executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs, "_FILE", 5000)
    asked: dict[str, Any] = {"model": systems.small(), "days": 400.0, "replicates": 300, "keys": True}
    here = simulate(**asked)
    assert simulate(**asked, executor=executor).digest() == here.digest()
    assert simulate(**asked, executor=executor, checkpoint=tmp_path).digest() == here.digest()
    kept = sorted(tmp_path.glob("*.npy"))
    assert len(kept) > 6
    kept[2].unlink()
    assert simulate(**asked, executor=executor, checkpoint=tmp_path).digest() == here.digest()


def test_workers_that_see_the_folder_keep_large_pieces_themselves(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Acts that come back through a scheduler are copied several times; here none may be written by who asked."""
    monkeypatch.setattr(jobs, "_FILE", 5000)
    asked: dict[str, Any] = {"model": systems.small(), "days": 400.0, "replicates": 300}
    here, written, real = simulate(**asked), [], JobFolder.write

    def counted(self: JobFolder, number: int, content: object) -> None:
        written.append(number)
        real(self, number, content)

    monkeypatch.setattr(JobFolder, "write", counted)
    assert simulate(**asked, executor=executor, checkpoint=tmp_path).digest() == here.digest()
    # The first replicates are made here: whether they explode is known before anything is handed out.
    assert sorted(written) == [*range(jobs.TRIAL)]
    assert len([*tmp_path.glob("[0-9]*.npy")]) > len(written) + 6


@pytest.mark.parametrize("spoil", ["elsewhere", "damaged", "full"])
def test_a_worker_that_cannot_keep_a_piece_sends_it(
    spoil: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It sees a copy of the folder; what it writes is not what it made; it has no room. Nothing of it is lost."""
    monkeypatch.setattr(jobs, "_FILE", 5000)
    monkeypatch.setattr(pieces, "LOOKS", (0.0, 0.01))
    asked: dict[str, Any] = {"model": systems.small(), "days": 400.0, "replicates": 300}
    here, real, kept = simulate(**asked), Shelf.keep, []

    def keep(self: Shelf, number: int, content: Any) -> bool:
        kept.append(number)
        if spoil == "full":
            return False
        if spoil == "elsewhere":
            (tmp_path / "other").mkdir(exist_ok=True)
            shutil.copy(self.folder / "job.json", tmp_path / "other")
            return real(replace(self, folder=tmp_path / "other"), number, content)
        done = real(self, number, content)
        self.place(number).write_bytes(self.place(number).read_bytes()[:-100])
        return done

    monkeypatch.setattr(Shelf, "keep", keep)
    with thread_pool() as pool, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        there = simulate(**asked, executor=pool, checkpoint=tmp_path / "job")
    assert kept
    assert there.digest() == here.digest()
    assert any("cut off, changed" in str(one.message) for one in told) == (spoil == "damaged")
    monkeypatch.setattr(JobFolder, "write", None)  # all is there: nothing is made again
    assert simulate(**asked, checkpoint=tmp_path / "job").digest() == here.digest()


@pytest.mark.parametrize("comes", [True, False])
def test_a_piece_that_a_network_disk_shows_late_is_not_called_damaged(comes: bool, tmp_path: Path) -> None:
    """The first looks find half of it. Whether it comes or not, it is named once at the most."""
    with (
        warnings.catch_warnings(action="always", record=True) as told,
        JobFolder(tmp_path, {}, plain_pieces("t")) as kept,
    ):
        kept.write(3, [1, 2])
        place = tmp_path / "0000003.npy"
        whole = place.read_bytes()
        place.write_bytes(whole[:-20])

        def looks() -> Iterator[float]:
            yield from (0.0, 0.0)
            if comes:
                place.write_bytes(whole)
            yield 0.0

        assert kept.taken(3, looks()) == ([1, 2] if comes else None)
    said = [str(one.message) for one in told if "cut off, changed" in str(one.message)]
    assert [one.count("0000003.npy") for one in said] == ([] if comes else [1])


def test_a_worker_keeps_nothing_in_a_folder_of_another_job(tmp_path: Path) -> None:
    with JobFolder(tmp_path / "one", {"seed": 1}) as one, JobFolder(tmp_path / "two", {"seed": 2}) as two:
        assert not replace(one.shelf, folder=two.shelf.folder).keep(0, None)
        assert not replace(one.shelf, folder=tmp_path / "none").keep(0, None)
        assert not [*tmp_path.glob("*/*.npy")]


def test_an_executor_gives_the_same_sweep_and_comparison(executor: Executor) -> None:
    scenario = pk.loads(TWO_CORNERS, file="two.yaml")
    axes = [axis(scenario, ANSWERS, "0.1:0.6:3")]
    here = pk.sweep(scenario, axes, replicates=20)
    assert pk.sweep(scenario, axes, replicates=20, executor=executor).table.equals(here.table)
    asked: dict[str, Any] = {"interventions": ["half"], "replicates": 600, "sets": 2}
    one, other = pk.compare(scenario, **asked), pk.compare(scenario, **asked, executor=executor)
    assert one.as_dict() == other.as_dict()


class Hanging(Executor):
    """Three threads; the piece asked for first, and whatever is asked for again of `deaf`, never comes."""

    def __init__(self, deaf: set[int], times: int) -> None:
        self.pool, self.deaf, self.times = ThreadPoolExecutor(3), deaf, dict.fromkeys(deaf, times)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if args[0] in self.deaf and self.times[args[0]]:
            self.times[args[0]] -= 1
            return Future()
        return self.pool.submit(fn, *args, **kwargs)


def slow_square(number: int) -> int:
    time.sleep(0.01)
    return number * number


def test_a_worker_that_hangs_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "SILENCE", 0.3)
    found = list(made_in_order(slow_square, 40, executor=Hanging({0, 17, 39}, 2)))
    assert found == [k * k for k in range(40)]


class Late(Executor):
    """Pieces are made at once, and say so from the fourth time on that they are asked: the first between two looks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        class Answer(Future[Any]):
            asked = 0

            def done(self) -> bool:
                self.asked += 1
                return self.asked >= 4

        answer = Answer()
        answer.set_result(fn(*args, **kwargs))
        return answer


def test_a_piece_that_comes_while_others_are_looked_through_is_kept(tmp_path: Path) -> None:
    with JobFolder(tmp_path, {}, plain_pieces("trial")) as kept:
        assert list(made_in_order(slow_square, 3, executor=Late(), kept=kept)) == [0, 1, 4]
        assert sorted(kept.kept) == [0, 1, 2]


def test_an_executor_that_never_answers_again_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pieces, "SILENCE", 0.2)
    with (
        pytest.raises(WorkerError, match=r"(?s)no sign.*39 finished parts of the trial are kept"),
        JobFolder(tmp_path, {}, plain_pieces("trial")) as kept,
    ):
        list(made_in_order(slow_square, 40, executor=Hanging({20}, 99), kept=kept))


def die_at_seven(number: int) -> int:
    import os

    if number == 7:
        os._exit(1)
    return number


@pytest.mark.slow
def test_a_pool_that_lost_a_worker_says_what_is_kept_and_another_goes_on(tmp_path: Path) -> None:
    kind = plain_pieces("trial")
    with (
        process_pool() as pool,
        pytest.raises(WorkerError, match="lost its workers"),
        JobFolder(tmp_path, {}, kind) as kept,
    ):
        list(made_in_order(die_at_seven, 12, executor=pool, kept=kept))
    before = len(list(tmp_path.glob("*.npy")))
    with thread_pool() as pool, JobFolder(tmp_path, {}, kind) as kept:
        assert list(made_in_order(abs, 12, executor=pool, kept=kept)) == list(range(12))
        assert len(kept.made) == 12 - before


class FailedJobError(Exception):
    """Of the name by which submitit says that a job ended in an error."""


class SentJob:
    """What submitit gives back: no future of the standard library, cannot be waited for, done at the second look."""

    def __init__(self, function: Callable[[int], Any], number: int) -> None:
        self.looks, self.failure, self.is_cancelled = 0, "", False
        try:
            self.value = function(number)
        except ValueError as error:
            self.failure = (
                f"Job 1 failed, its log is at\n - log.out\nTraceback (most recent call last):\n  File x\n{error!r}"
            )

    def done(self) -> bool:
        self.looks += 1
        return self.looks > 1

    def exception(self) -> Exception | None:
        return FailedJobError(self.failure) if self.failure else None

    def result(self) -> Any:
        if self.failure:
            raise FailedJobError(self.failure)
        return self.value

    def cancel(self) -> None:
        self.is_cancelled = True


class SendsJobs:
    """An executor with `submit` and nothing else."""

    def __init__(self) -> None:
        self.jobs: list[SentJob] = []

    def submit(self, function: Callable[[int], Any], number: int) -> SentJob:
        self.jobs.append(SentJob(function, number))
        return self.jobs[-1]


def no_four(number: int) -> int:
    if number == 4:
        raise ValueError("no four")
    return number


def test_an_executor_whose_futures_are_its_own_makes_the_pieces(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pieces, "GLANCE", 0.001)
    sends: Any = SendsJobs()
    with JobFolder(tmp_path, {}, plain_pieces("trial")) as kept:
        assert list(made_in_order(abs, 40, executor=sends, kept=kept)) == list(range(40))
    assert not any(job.is_cancelled for job in sends.jobs)
    with pytest.raises(WorkerError, match=r"gave a piece up: ValueError\('no four'\)"):
        list(made_in_order(no_four, 40, executor=sends))


def test_a_share_from_python_ends_with_what_is_there(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"model": systems.small(), "days": 100.0, "replicates": 90}
    with pytest.raises(PartDone) as done:
        simulate(**asked, checkpoint=JobPlan(tmp_path, part=2, parts=2))
    assert done.value.missing > 0
    with pytest.raises(UsageError, match="part 1 of 2 is missing"):
        simulate(**asked, checkpoint=JobPlan(tmp_path, gathers=True))
    with pytest.raises(PartDone, match="all parts are there"):
        simulate(**asked, checkpoint=JobPlan(tmp_path, part=1, parts=2))
    assert simulate(**asked, checkpoint=JobPlan(tmp_path, gathers=True)).digest() == simulate(**asked).digest()


def test_an_executor_gives_the_same_chance_of_something_rare_and_repetitions_are_kept(
    executor: Executor, tmp_path: Path
) -> None:
    model = pk.compile(pk.loads(TWO_CORNERS, file="two.yaml"))
    asked: dict[str, Any] = {"model": model, "asked": "far_hit", "days": 20.0, "starts": 50, "repetitions": 20}

    def told(**more: Any) -> dict[str, Any]:
        return pk.rare(**asked, **more).as_dict() | {"seconds": 0}

    here = told()
    assert told(executor=executor) == here
    assert told(executor=executor, folder=tmp_path) == here
    sorted(tmp_path.glob("*.npy"))[4].unlink()
    assert told(folder=tmp_path) == here
    with pytest.raises(UsageError, match="another seed"):
        told(folder=tmp_path, seed=2)


def test_an_executor_gives_the_same_replay(executor: Executor) -> None:
    from tests.test_compare_replay import TEXT

    scenario = pk.loads(TEXT)
    table = pk.simulate(pk.compile(scenario), years=1, replicates=1, seed=3).table()
    frame = table.frame.select("time", *(pl.col(name).cast(pl.String) for name in ("source", "act", "target")))
    observed, without = pk.EventTable(frame.filter(pl.col("time") < 365.0), table.start, 365.0), "reply"
    asked: dict[str, Any] = {"replicates": 60, "imputations": 4, "sets": 2, "copies": 20}
    one = pk.replay(scenario, observed, without, **asked)
    assert pk.replay(scenario, observed, without, **asked, executor=executor).as_dict() == one.as_dict()


def test_an_executor_gives_the_same_backtest_and_origins_are_kept(executor: Executor, tmp_path: Path) -> None:
    import forecast_systems as quarrel

    from powderkeg.forecast.backtest import backtest

    record = quarrel.by_day(quarrel.simulated(420.0, 11))
    asked: dict[str, Any] = {"origins": 2, "horizons": (1, 7), "draws": 40, "seed": 3}
    here = backtest(quarrel.scenario(), record, **asked)
    there = backtest(quarrel.scenario(), record, **asked, executor=executor, folder=tmp_path)
    assert there.as_dict() == here.as_dict()
    with pytest.raises(PartDone):
        backtest(quarrel.scenario(), record, **asked, folder=JobPlan(tmp_path / "parts", part=2, parts=2))
    with pytest.raises(UsageError, match="part 1 of 2 is missing"):
        backtest(quarrel.scenario(), record, **asked, folder=JobPlan(tmp_path / "parts", gathers=True))
    with pytest.raises(PartDone):
        backtest(quarrel.scenario(), record, **asked, folder=JobPlan(tmp_path / "parts", part=1, parts=2))
    gathered = backtest(quarrel.scenario(), record, **asked, folder=JobPlan(tmp_path / "parts", gathers=True))
    assert gathered.as_dict() == here.as_dict()


def test_an_executor_gives_the_same_refits(executor: Executor) -> None:
    from powderkeg.fit.checks.recovery import recover
    from tests.test_fit_checks import RIVALS, one_history

    fit = pk.fit(pk.loads(RIVALS), one_history(RIVALS), background="constant", test_mechanisms=False)
    assert recover(fit, 2).as_dict() == recover(fit, 2, executor=executor).as_dict()


def on(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever address is typed, this executor is the cluster there."""
    from powderkeg.simulate import clusters

    monkeypatch.setattr(clusters, "connected", lambda address: nullcontext(executor))


class Counting(ThreadPoolExecutor):
    """Threads that count what they are given."""

    given = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given += 1
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("command", ["rare", pytest.param("replay", marks=pytest.mark.nightly)])
def test_chances_and_replays_from_the_command_line_are_made_on_a_cluster(
    here: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_compare_replay import TEXT

    if command == "rare":
        words = ["rare", "two.yaml", "far_hit", "--years", "0.05", "--starts", "50", "--repetitions", "20", "--json"]
    else:
        (here / "replayed.yaml").write_text(TEXT)
        run = pk.simulate(pk.compile(pk.loads(TEXT)), years=1, replicates=1, seed=3).table()
        write_events(run, here / "seen.parquet")
        words = ["replay", "replayed.yaml", "seen.parquet", "--without", "reply", "--replicates", "20", "--json"]
        words += ["--imputations", "2", "--no-ranges"]

    def told(*more: str) -> dict[str, Any]:
        assert call(*words, *more) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found | {"seconds": 0}

    alone = told()
    with Counting(2) as pool:
        on(pool, monkeypatch)
        assert told("--cluster", "tcp://here") == alone
        assert pool.given > 0


@pytest.mark.nightly
def test_refits_from_the_command_line_are_made_on_a_cluster(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_fit_checks import RIVALS, one_history

    (here / "rivals.yaml").write_text(RIVALS)
    write_events(one_history(RIVALS), here / "seen.parquet")
    words = ["fit", "rivals.yaml", "seen.parquet", "--background", "constant", "--cluster", "tcp://here"]
    assert call(*words) == 2
    assert "--refits N" in capsys.readouterr().err
    with Counting(2) as pool:
        on(pool, monkeypatch)
        assert call(*words, "--refits", "2", "--histories", "20", "--quiet") == 0
        assert pool.given == 2


def test_a_time_limit_tells_which_pieces_never_came(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers that hang say nothing: at the time limit the command does, and what is finished stays."""
    from powderkeg.cli.app import main

    def stopped(*words: str) -> str:
        on(Hanging({2}, 99), monkeypatch)
        with pytest.raises(SystemExit) as left:
            main([*words, "--cluster", "tcp://here", "--time-limit", "3s", "--quiet"])
        assert left.value.code == 124
        return capsys.readouterr().err

    told = stopped(*COMMANDS["sweep"], "--out", "job")
    assert "1 piece had not come back from the executor, the oldest after" in told
    assert "4 finished points are kept" in told
    told = stopped("rare", "two.yaml", "far_hit", "--years", "0.05", "--starts", "50", "--repetitions", "20")
    assert "1 piece had not come back" in told
    assert "Stopped. Nothing was kept." in told


class _Counting:
    """Counts how often it was sent, and what it made for itself where it came."""

    sent = 0

    def __call__(self, number: int) -> int:
        self.__dict__.setdefault("seen", []).append(number)
        return len(self.seen)

    def __getstate__(self) -> dict[str, Any]:
        type(self).sent += 1
        return {"seen": []}


def test_what_makes_pieces_is_pickled_once_and_kept_where_it_comes() -> None:
    _Counting.sent = 0
    sent = Sent(_Counting())
    copies = [pickle.loads(pickle.dumps(sent)) for _ in range(3)]
    assert _Counting.sent == 1
    assert [copy(number) for number, copy in enumerate(copies)] == [1, 2, 3]
    assert len(repr(sent)) < 40 and sent.__name__ == "piece"
    here = Sent(lambda number: number + 1)  # nothing to pickle: threads take it all the same
    assert here(2) == 3
    assert list(made_in_order(lambda number: number**2, 4, executor=ThreadPoolExecutor(2))) == [0, 1, 4, 9]
