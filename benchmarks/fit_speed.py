"""How fast are the likelihoods of a fit? Time an event, at a size where it matters.

    python benchmarks/fit_speed.py [--channels 10000] [--events 130000]

A sparse random system: every channel answers itself and ten others by five mechanisms; its events are drawn here by
generations. Processor time, best of five: the pass over the events at exact times and by day; one evaluation of value,
gradient and Hessian, and of value and gradient alone. Floors that are aimed at: 5 microseconds an event for a pass, 1
for value and gradient by day. Kept in benchmarks/results/fit_speed.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import powderkeg as pk
from powderkeg.engine.arrays import System
from powderkeg.engine.likelihood.design import Sources, build
from powderkeg.fit.likelihood.objective import Data, prepare
from powderkeg.fit.likelihood.terms import Terms

RESULTS = Path(__file__).parent / "results" / "fit_speed.json"
ANSWERS = np.array([0.15, 0.15, 0.1, 0.05, 0.05])
DELAY = np.array([0.5, 1.0, 2.0, 4.0, 10.0])
OUT = 11
DAYS = 365.0


def sparse_system(n_channels: int, rate: float, rng: np.random.Generator) -> System:
    """`OUT` links from every channel, the first to itself."""
    n_edges = n_channels * OUT
    target = rng.integers(0, n_channels, (n_channels, OUT))
    target[:, 0] = np.arange(n_channels)
    mechanism = np.tile(np.arange(OUT) % len(ANSWERS), n_channels)
    per = np.bincount(np.arange(OUT) % len(ANSWERS))
    none, ints = np.zeros(0), np.zeros(0, np.int64)
    starts = np.zeros(n_channels + 1, np.int64)
    return System(
        initial_level=ints, level_start=np.zeros(1, np.int64), rate=np.full(n_channels, rate),
        profile=np.full(n_channels, -1), background_gate=np.zeros(n_channels, np.int64),
        channel_gate=np.zeros(n_channels, np.int64), profile_start=np.zeros(1, np.int64), step_time=none,
        step_value=none, profile_swing=none, profile_peak=none, edge_start=np.arange(n_channels + 1) * OUT,
        edge_target=target.ravel().astype(np.int64), edge_mechanism=mechanism.astype(np.int64),
        edge_mass=(ANSWERS / per)[mechanism], edge_gate=np.zeros(n_edges, np.int64),
        kernel_start=np.arange(len(ANSWERS) + 1), kernel_share=np.ones(len(ANSWERS)), kernel_decay=1.0 / DELAY,
        row_start=np.zeros(2, np.int64), entry_fact=ints, entry_offset=ints, level_factor=none, effect_start=starts,
        effect_fact=ints, effect_level=ints, effect_probability=none, timer_start=np.zeros(1, np.int64),
        timer_delay=none, timer_is_fixed=np.zeros(0, bool), timer_channel=ints, calm_decay=none,
        calm_add_start=starts, calm_add_index=ints, calm_add_amount=none, calm_low_start=starts, calm_low_index=ints,
        calm_low_strength=none,
    )  # fmt: skip


def history(system: System, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n = len(system.rate)
    born = rng.poisson(system.rate * DAYS)
    channel = np.repeat(np.arange(n), born)
    time_ = rng.uniform(0.0, DAYS, len(channel))
    times, channels = [time_], [channel]
    while len(time_):
        children = rng.poisson(system.edge_mass.reshape(n, OUT)[channel])
        parent, link = np.nonzero(children)
        many = children[parent, link]
        parent, link = np.repeat(parent, many), np.repeat(link, many)
        delay = rng.exponential(DELAY[link % len(DELAY)])
        channel, time_ = system.edge_target.reshape(n, OUT)[channel[parent], link], time_[parent] + delay
        channel, time_ = channel[time_ < DAYS], time_[time_ < DAYS]
        times.append(time_)
        channels.append(channel)
    time_, channel = np.concatenate(times), np.concatenate(channels)
    order = np.argsort(time_)
    return time_[order], channel[order].astype(np.int64)


def best(function: Callable[[], object]) -> float:
    function()  # compiles
    found = []
    for _ in range(5):
        begun = time.process_time()
        function()
        found.append(time.process_time() - begun)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=130_000)
    asked = parser.parse_args()
    rng = np.random.default_rng(1)
    system = sparse_system(asked.channels, asked.events * (1.0 - ANSWERS.sum()) / asked.channels / DAYS, rng)
    at, channel = history(system, rng)
    n = asked.channels
    sources = Sources(
        np.zeros(n, np.int64), np.ones(n), (system.edge_mass / ANSWERS[system.edge_mechanism]),
        np.zeros(0, np.int64), 1, 0,
    )  # fmt: skip
    design = build(system, sources, DAYS)
    terms = Terms(design, 1 + len(ANSWERS), 0)
    dead = np.zeros(1 + len(ANSWERS), bool)
    parameters = np.concatenate([system.rate[:1], ANSWERS])
    told: dict[str, object] = {
        "powderkeg": pk.__version__, "python": platform.python_version(), "channels": n, "events": len(at),
    }  # fmt: skip
    for stamp in ("exact", "day"):
        data = Data(np.floor(at) if stamp == "day" else at, channel, DAYS, stamp == "day")

        def run(data: Data = data, sloped: bool = False) -> object:
            return prepare(data, design, terms, system.kernel_decay, dead, sloped)

        objective = prepare(data, design, terms, system.kernel_decay, dead)
        micro = {
            "pass": best(run),
            "pass with slopes of half-lives": best(lambda run=run: run(sloped=True)),
            "value and gradient": best(lambda o=objective: o.evaluate(parameters, False)),
            "value, gradient and Hessian": best(lambda o=objective: o.evaluate(parameters, True)),
        }
        told[stamp] = {name: round(1e6 * seconds / len(at), 3) for name, seconds in micro.items()}
        for name, value in told[stamp].items():  # type: ignore[attr-defined]
            print(f"{stamp:6s} {name:32s} {value:7.3f} microseconds an event")
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
