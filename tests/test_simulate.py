"""Jobs of many replicates: any number of workers, stopped and resumed, and the table that others read."""

from __future__ import annotations

import _thread
import importlib
import json
import signal
import threading
import time
from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import systems
from pages import blocks

import powderkeg as pk
from powderkeg.engine.draws import root_key
from powderkeg.engine.simulation.chunks import Workspace, simulate_chunk
from powderkeg.engine.simulation.tables import tables
from powderkeg.engine.worlds import ForcedAct, Past, Phase, world
from powderkeg.errors import ModelError, PowderkegWarning, UsageError
from powderkeg.simulate import Interrupted, gathering, past_of, simulate
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.gathering import Gathered
from powderkeg.writing.files import DiskError
from powderkeg.writing.lock import Lock

jobs = importlib.import_module("powderkeg.simulate.jobs")

SCENARIO = """
powderkeg: 1
name: brawl
title: Two quarrel and a third looks on
start: 2010-01-01
years: 2
actors: {north: {}, south: {}, friend: {}}
ties: {bond: {kind: patronage, from: friend, to: south}}
facts: {roadblock: {lasts: 20 days}, alarm: {comes: 3 per year, lasts: 30 days}}
acts:
  block: {tone: hostile}
  threaten: {tone: hostile}
  appeal: {tone: cooperative}
moves:
  blocks: {who: north, does: block, to: south, rate: 4 per year, sets: [roadblock]}
  threats: {who: [north, south], does: threaten, to: [north, south], rate: 2 per year}
  appeals: {who: south, does: appeal, to: friend, rate: 0 per year}
  warns: {who: friend, does: threaten, to: north, rate: 0 per year}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.4, half_life: 3 days}
  calls: {when: x blocks y, then: y appeals z, given: z backs y, answers: 0.5, half_life: 2 days}
  backing: {when: x threatens y, then: z threatens x, given: z backs y, answers: 0.2, half_life: 5 days}
gates:
  heat: {while: alarm, moves: [threats], factor: 2}
"""


@pytest.fixture(scope="module")
def model():
    return pk.compile(pk.loads(SCENARIO))


@pytest.fixture(scope="module")
def runs(model):
    return simulate(model, replicates=200, seed=4)


# -- the same bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [systems.small, systems.dense], ids=["gated", "stateless"])
def test_any_number_of_workers_gives_the_same_bytes(make):
    """T5. Each number twice: what depends on which thread is faster would show."""
    system = make()
    digests = {
        simulate(system, days=400.0, replicates=300, workers=workers, keys=True).digest()
        for workers in (1, 2, 3, 1, 2, 3, 8)
    }
    assert len(digests) == 1


def test_seeds_and_replicates_differ():
    system = systems.small()
    a, b = (simulate(system, days=300.0, replicates=2, seed=seed) for seed in (1, 2))
    assert a.digest() != b.digest()
    assert a.time[: a.offsets[1]].tolist() != a.time[a.offsets[1] :].tolist()


def test_fewer_replicates_are_the_first_of_more():
    system = systems.small()
    few, many = (simulate(system, days=300.0, replicates=n) for n in (7, 40))
    assert np.array_equal(few.time, many.time[: len(few)])
    assert np.array_equal(few.level_time, many.level_time[:7])


def test_digest_sees_every_event():
    a = simulate(systems.dense(), days=300.0, replicates=2)
    time_ = a.time.copy()
    time_[5] = np.nextafter(time_[5], 0)
    assert pk.Runs(**{**a.__dict__, "time": time_}).digest() != a.digest()


def test_events_are_in_time_order_with_parents_before_them(runs):
    for r in range(runs.replicates):
        at = slice(runs.offsets[r], runs.offsets[r + 1])
        assert (np.diff(runs.time[at]) >= 0).all()
        assert (runs.parent[at] < np.arange(runs.offsets[r + 1] - runs.offsets[r])).all()
    assert (runs.parent >= -1).all()
    assert ((runs.mechanism >= 0) <= (runs.parent >= 0)).all()


# -- stopping, limits, progress ---------------------------------------------------------------------------------------


def test_progress_rises_to_one():
    shares = []
    simulate(systems.small(), days=4000.0, replicates=60, workers=2, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_progress_never_falls_though_what_runs_is_a_sum_of_parts():
    """Summed in another order it is less by a last digit, and what has run counts for nothing until it is counted."""
    shares, control = [], np.zeros(jobs.DONE + 1)
    ticking = SimpleNamespace(
        progress=shares.append, told=0.0, n_done=0, job=SimpleNamespace(replicates=10),
        running=[SimpleNamespace(control=control)],
    )  # fmt: skip
    for control[jobs.DONE] in (7.0, 7.0 - 1e-15, 0.0, 8.0):
        jobs._Chunks._tick(ticking)
    assert shares == [0.7, 0.7, 0.7, 0.8]


def test_ctrl_c_while_a_chunk_is_put_behind_the_others_leaves_it_out_whole(monkeypatch):
    """Wherever it comes: once with some columns of the chunk in place, and once with none."""
    system = systems.small(scale=2.0)
    whole = simulate(system, days=300.0, replicates=40, workers=1)
    for stop in range(1, 40, 4):
        calls, resize = [], Gathered._resize

        def interrupted(self, name, n, calls=calls, resize=resize, stop=stop):
            calls.append(name)
            if len(calls) == stop:
                raise KeyboardInterrupt
            resize(self, name, n)

        monkeypatch.setattr(Gathered, "_resize", interrupted)
        monkeypatch.setattr(gathering, "AHEAD", 0.0)
        try:
            runs = simulate(system, days=300.0, replicates=40, workers=1)
        except Interrupted as caught:
            runs = caught.runs
        monkeypatch.undo()
        assert runs.level_time.shape == (runs.replicates, whole.level_time.shape[1])
        assert len(runs.time) == runs.offsets[-1] == whole.offsets[runs.replicates]
        assert np.array_equal(runs.time, whole.time[: runs.offsets[-1]])


@pytest.fixture
def heeds_ctrl_c():
    """Ctrl-C is ignored where tests are started in the background, and a run that nobody stops fills the memory."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_leaves_the_finished_replicates():
    """They are those of a job with fewer replicates. Stopped within a second, however long one chunk would take."""
    system = systems.small(scale=2.0)
    started, asked = threading.Event(), []

    def interrupt():
        started.wait(300)  # compiling comes first where no compiled code is kept; a try at 20 s fell into it
        time.sleep(0.5)
        asked.append(time.monotonic())
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted) as caught:
        simulate(
            system, days=3000.0, replicates=10**6, memory="900 TB", progress=lambda share: share > 0 and started.set()
        )
    stopped = time.monotonic()
    thread.join()
    done = caught.value.runs
    assert 0 < done.replicates < 10**6
    assert stopped - asked[0] < 5
    n = min(done.replicates, 5)
    again = simulate(system, days=3000.0, replicates=n)
    assert np.array_equal(again.time, done.time[: done.offsets[n]])


def test_a_run_that_explodes_is_flagged_and_warned_about():
    with pytest.warns(PowderkegWarning, match=r"10 of 10 replicates were stopped at 1,000 events"):
        runs = simulate(systems.dense(branching=1.4), days=500.0, replicates=10, limit=1000)
    assert runs.exploded.all()
    assert (runs.reached < 500.0).all()
    assert np.diff(runs.offsets).tolist() == [1000] * 10


def test_more_events_than_fit_are_refused():
    with pytest.raises(ModelError, match="more than 10,000 events would not fit"):
        simulate(systems.dense(), days=1000.0, replicates=100, memory=10_000 * jobs.BYTES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"days": -1.0}, "days: -1.0\n    expected more than 0"),
        ({"days": float("nan")}, "days: nan"),
        ({"years": 0}, "years: 0"),
        ({"years": 1, "days": 1}, "years: both years and days"),
        ({"days": 1.0, "replicates": 0}, "replicates: 0"),
        ({"days": 1.0, "replicates": 1.5}, r"replicates: 1\.5"),
        ({"days": 1.0, "seed": -1}, "seed: -1"),
        ({"days": 1.0, "limit": 0}, "limit: 0"),
        ({}, "days: nothing"),
        ({"days": -1.0, "replicates": 0, "seed": -3}, "3 faults"),
    ],
)
def test_arguments_that_cannot_be_met_are_named_all_at_once(arguments, message):
    with pytest.raises(UsageError, match=message):
        simulate(systems.dense(), **arguments)


def test_a_world_over_another_model_is_refused():
    with pytest.raises(ModelError, match="another model"):
        simulate(systems.dense(), days=1.0, world=world(systems.dense(rate=0.2)))


def test_a_model_runs_for_as_long_as_its_scenario_says(model, runs):
    assert runs.days == 730.5
    assert simulate(model, years=1, replicates=1).days == 365.25


# -- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_files(monkeypatch):
    monkeypatch.setattr(jobs, "_FILE", 5000)


def test_a_job_resumes_to_the_same_bytes(tmp_path, small_files):
    """Some parts missing, one cut short, one of garbage, as a kill at a bad moment or a bad disk would leave them."""
    system = systems.small()
    whole = simulate(system, days=400.0, replicates=300, keys=True)
    first = simulate(system, days=400.0, replicates=300, keys=True, checkpoint=tmp_path)
    parts = sorted(tmp_path.glob("*.npy"))
    assert len(parts) > 6
    parts[1].unlink()
    parts[3].write_bytes(parts[3].read_bytes()[:100])
    parts[4].write_bytes(b"garbage")
    kept = parts[0].stat().st_mtime_ns
    parts[5].write_bytes(parts[6].read_bytes())
    with pytest.warns(PowderkegWarning, match=r"3 kept parts .*made again: 00000003\.npy, 00000004\.npy"):
        again = simulate(system, days=400.0, replicates=300, keys=True, workers=3, checkpoint=tmp_path)
    assert whole.digest() == first.digest() == again.digest()
    assert np.array_equal(whole.key, again.key)
    assert np.array_equal(whole.level_time, again.level_time)
    assert parts[0].stat().st_mtime_ns == kept
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_job_goes_on_where_it_was(tmp_path, small_files):
    system = systems.small()
    calls = []

    def stop(share):
        calls.append(share)
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        simulate(system, days=2000.0, replicates=200, workers=1, progress=stop, checkpoint=tmp_path)
    written = len(list(tmp_path.glob("*.npy")))
    assert written
    resumed = simulate(system, days=2000.0, replicates=200, checkpoint=tmp_path)
    assert resumed.digest() == simulate(system, days=2000.0, replicates=200).digest()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 2}, "another seed"),
        ({"days": 50.0}, "another days"),
        ({"replicates": 31}, "another replicates"),
        ({"limit": 7000}, "another limit"),
        ({"model": systems.small(scale=1.1)}, "another scenario or world"),
        ({"world": world(systems.small(), acts=(ForcedAct(3.0, 1),))}, "another scenario or world"),
    ],
)
def test_a_folder_of_another_job_is_refused(tmp_path, changed, named):
    arguments = {"model": systems.small(), "days": 60.0, "replicates": 30, "seed": 1}
    simulate(**arguments, checkpoint=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=named):
        simulate(**{**arguments, **changed}, checkpoint=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_of_another_version_is_refused(tmp_path):
    simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path)
    job = json.loads((tmp_path / "job.json").read_text())
    (tmp_path / "job.json").write_text(json.dumps({**job, "version": "0.0.1"}))
    with pytest.raises(UsageError, match="another version"):
        simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path)
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(UsageError, match="another"):
        simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(UsageError, match="files of another kind"):
        simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]
    with pytest.raises(UsageError, match="cannot be used"):
        simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path / "thesis.docx")


def test_two_jobs_at_once_in_one_folder_are_told(tmp_path):
    with (
        Lock(tmp_path / ".powderkeg-job-lock"),
        pytest.raises(UsageError, match="another powderkeg works in this folder"),
    ):
        simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path)
    simulate(systems.small(), days=10.0, replicates=3, checkpoint=tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_said_and_keeps_what_was_finished(tmp_path, small_files, monkeypatch):
    system = systems.small()
    put, calls = JobFolder._put, []

    def full(self, name, *content):
        calls.append(name)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        put(self, name, *content)

    monkeypatch.setattr(JobFolder, "_put", full)
    with pytest.raises(DiskError, match=r"(?s)no space left on the disk.*3 finished parts of the job are kept in"):
        simulate(system, days=400.0, replicates=300, workers=1, checkpoint=tmp_path)
    monkeypatch.setattr(JobFolder, "_put", put)
    resumed = simulate(system, days=400.0, replicates=300, checkpoint=tmp_path)
    assert resumed.digest() == simulate(system, days=400.0, replicates=300).digest()


# -- the table --------------------------------------------------------------------------------------------------------


def test_the_table_names_what_the_arrays_number(model, runs):
    table = runs.table(acts_only=False)
    frame = table.frame
    assert len(frame) == len(runs)
    assert table.start == date(2010, 1, 1)
    assert table.days == 730.5
    assert frame["replicate"].to_list() == runs.replicate.tolist()
    for i in range(0, len(runs), 37):
        channel = model.channels[runs.channel[i]]
        row = frame.row(i, named=True)
        assert (row["source"], row["act"], row["target"]) == (channel.source, channel.act, channel.target)
        assert row["channel"] == runs.channel[i]
        assert row["parent"] == (runs.parent[i] if runs.parent[i] >= 0 else None)
        expected = model.mechanisms[runs.mechanism[i]] if runs.mechanism[i] >= 0 else None
        assert row["mechanism"] == ("(timer)" if runs.mechanism[i] == -3 else expected)


def test_the_table_of_acts_leaves_out_what_nobody_did(model, runs):
    frame = runs.table().frame
    assert len(frame) == (runs.channel < model.n_acts).sum() < len(runs)
    assert frame["source"].null_count() == 0
    numbered = frame.with_columns(row=pl.int_range(pl.len()).over("replicate"))
    parents = numbered.join(
        numbered.select("replicate", parent="row", born="time", by="source", to="target", did="act"),
        on=["replicate", "parent"],
        how="inner",
    )
    assert len(parents) == frame["parent"].is_not_null().sum() > 50
    assert (parents["born"] <= parents["time"]).all()
    answers = parents.filter(pl.col("mechanism") == "retaliation")
    assert len(answers) > 20
    assert (answers["by"].cast(str) == answers["target"].cast(str)).all()
    assert (answers["to"].cast(str) == answers["source"].cast(str)).all()
    assert set(parents.filter(pl.col("mechanism") == "calls")["did"].unique().to_list()) == {"block"}


def test_an_act_set_off_by_a_pseudo_event_descends_from_the_act_before_it(model):
    """A policy waits for the roadblock to end; what ends it is a timer set by the block."""
    from powderkeg.engine.worlds import StandingPolicy

    fact = model.facts.index("roadblock")
    mediate = next(i for i, c in enumerate(model.channels) if c.act == "appeal")
    system = model.system
    given = world(system, policies=(StandingPolicy(fact, (0,), 1.0, mediate, 5.0),))
    runs = simulate(model, replicates=50, world=given)
    frame = runs.table().frame.with_columns(row=pl.int_range(pl.len()).over("replicate"))
    forced = frame.filter(pl.col("mechanism") == "(timer)")
    assert len(forced) > 50
    at_start = forced["time"] == 5.0  # the roads were free from the beginning: nobody set that off
    assert at_start.sum() > 40
    assert forced["parent"].is_null().equals(at_start)
    origin = forced.join(frame.select("replicate", parent="row", did="act"), on=["replicate", "parent"])
    assert set(origin["did"].unique().to_list()) == {"block"}


def test_acts_put_in_by_hand_say_so(model):
    runs = simulate(model, replicates=3, world=world(model.system, acts=(ForcedAct(100.0, 0),)))
    given = runs.table().frame.filter(pl.col("mechanism") == "(scheduled)")
    assert given["time"].to_list() == [100.0] * 3
    assert given["parent"].null_count() == 3


def test_bare_arrays_have_no_table():
    with pytest.raises(ModelError, match="no names"):
        simulate(systems.dense(), days=1.0, replicates=1).table()


def test_six_million_events_fit_into_a_gigabyte(model):
    """What the arrays and the table of a default run take, from a smaller one."""
    runs = simulate(model, replicates=5000)
    arrays = sum(getattr(runs, name).nbytes for name in ("time", "channel", "parent", "mechanism"))
    assert arrays / len(runs) <= 18
    frame = runs.table().frame
    assert frame.estimated_size() / len(frame) < 40


# -- a past -----------------------------------------------------------------------------------------------------------


def test_a_table_becomes_a_past(model, runs):
    one = runs.table(acts_only=False)
    table = pk.EventTable(one.frame.filter(pl.col("replicate") == 0), one.start, one.days)
    past = past_of(model, table, begin=400.0)
    n = int((runs.time[: runs.offsets[1]] < 400.0).sum())
    assert past.time.tolist() == runs.time[:n].tolist()
    assert past.channel.tolist() == runs.channel[:n].tolist()
    acts = table.frame.drop("channel").filter(pl.col("source").is_not_null())
    by_name = past_of(model, pk.EventTable(acts, one.start, one.days), begin=400.0)
    assert by_name.channel.tolist() == [c for c in past.channel.tolist() if c < model.n_acts]
    threat = next(i for i in range(20, n) if model.channels[runs.channel[i]].act == "threaten")
    begin = float(runs.time[threat]) + 0.1
    forecast = simulate(model, days=30.0, replicates=200, history=past_of(model, table, begin))
    assert forecast.begin == begin
    assert (forecast.time >= begin).all()
    assert -2 - threat in forecast.parent
    assert forecast.table().frame["parent"].min() >= 0
    assert forecast.level_time.sum(axis=1) == pytest.approx(30.0 * len(model.facts))


def test_a_table_that_begins_earlier_is_shifted(model):
    frame = pl.DataFrame({"time": [0.0, 10.0], "source": ["north"] * 2, "act": ["block"] * 2, "target": ["south"] * 2})
    past = past_of(model, pk.EventTable(frame, date(2009, 12, 2), 60.0))
    assert past.time.tolist() == [-30.0, -20.0]
    assert past.begin == 30.0


def test_past_events_that_the_model_does_not_know_are_counted(model):
    frame = pl.DataFrame(
        {"time": [1.0, 2.0], "source": ["north"] * 2, "act": ["block", "sing"], "target": ["south"] * 2}
    )
    with pytest.warns(PowderkegWarning, match="1 of 2 past events"):
        past = past_of(model, pk.EventTable(frame, date(2010, 1, 1), 60.0))
    assert len(past.time) == 1


def test_a_past_of_many_histories_is_refused(model, runs):
    with pytest.raises(UsageError, match="200 histories"):
        past_of(model, runs.table())


def test_what_stood_in_a_complete_past_stands_when_the_window_begins():
    """A fixed timer of 10 days set on day 3 fires on day 13; one that should have fired in the past does not."""
    b = systems.Builder()
    fact = b.fact()
    on, off = b.channel(effects=((fact, 1, 1.0),)), b.channel(effects=((fact, 0, 1.0),))
    b.timer(fact, 1, 10.0, off, fixed=True)
    system = b.build()

    def off_times(*past, complete):
        history = Past(12.0, np.array([float(at) for at in past]), np.array([on] * len(past)), complete)
        return simulate(system, days=20.0, replicates=1, history=history).time.tolist()

    assert off_times(3, complete=True) == off_times(3, complete=False) == [13.0]
    assert off_times(1, complete=True) == []
    assert off_times(1, complete=False) == []  # it fired on day 11, unseen
    assert off_times(1, 11.5, complete=False) == [21.5]


def test_an_intervention_during_the_past_takes_hold_when_the_window_begins():
    b = systems.Builder()
    fact = b.fact()
    b.channel(1.0, gate=b.row((fact, [0.0, 1.0])))
    on = b.channel(effects=((fact, 1, 1.0),))
    system = b.build()
    past = Past(10.0, np.array([1.0]), np.array([on]))
    free = simulate(system, days=50.0, replicates=5, history=past)
    shut = simulate(
        system, days=50.0, replicates=5, history=past, world=world(system, (Phase(5.0, system, ((fact, 0),)),))
    )
    assert len(free) > 100
    assert len(shut) == 0


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_examples_of_the_page_run_and_print_what_it_says(capsys):
    names: dict[str, object] = {}
    for language, text in blocks("engine"):
        if language == "python":
            exec(compile(text, "docs/engine.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.count("True\n") == 2
    assert "False" not in printed


def test_what_could_come_at_the_highest_gates_costs_nothing_where_it_does_not(seed):
    """Ten million candidates expected, some ten that come: the queue fits these, and the events are the same."""
    made = tables(world(systems.small(gated=True)))
    at = (root_key(seed), 0, 20, 0.0, 10.0, 10_000)
    spaces = [Workspace(), Workspace()]
    chunks = [simulate_chunk(made, *at, space, expected) for space, expected in zip(spaces, (1e7, 100.0), strict=True)]
    assert all(np.array_equal(one, other) for one, other in zip(*chunks, strict=True))
    assert len(spaces[0].head) <= 1 << 16
    again = simulate_chunk(made, *at, spaces[0], 1e7)
    assert all(np.array_equal(one, other) for one, other in zip(chunks[0], again, strict=True))
    assert len(spaces[0].head) < 2_000


def test_tables_made_part_by_part_are_those_of_the_whole(monkeypatch):
    """Also where a part begins with a run that has no events, and where one run is longer than a part."""
    model = pk.compile(pk.load("north-kosovo"))
    runs = pk.simulate(model, years=1, replicates=40, seed=3)
    whole = runs.table().frame, pk.episodes(runs), pk.entanglement(runs)
    parts = pk.Runs.parts
    cut = [part for _, part in parts(runs, 90)]
    assert len(cut) > 10
    assert np.array_equal(np.concatenate([part.time for part in cut]), runs.time)
    assert [first for first, _ in parts(runs, 0)] == list(range(40))
    monkeypatch.setattr(pk.Runs, "parts", lambda self, events=90: parts(self, events))
    for one, other in zip((runs.table().frame, pk.episodes(runs), pk.entanglement(runs)), whole, strict=True):
        assert one.equals(other)
        assert one.schema == other.schema
