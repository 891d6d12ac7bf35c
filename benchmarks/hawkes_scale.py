"""How long does a plain Hawkes fit take as types, pairs and events grow, at exact times and by day?

    python benchmarks/hawkes_scale.py [--sizes 100,300,1000] [--stamps exact,day] [--decays known,one]

Histories are drawn by the package's simulator: as many thousand events as types, each type answering itself and five
others drawn at random (branching ratio 0.6, decay 1 a day), so pairs that are linked grow as types do. Fitted are those
pairs (`support`), with the decay known and with one that all share.
Seconds of processor time warm, memory, and how far the estimates are from the truth are printed and kept in
benchmarks/results/hawkes_scale.json. Each fit runs in a process of its own, no longer than `--limit` seconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

import powderkeg as pk

RESULTS = Path(__file__).parent / "results" / "hawkes_scale.json"
OTHERS = 5
OWN, OTHER = 0.2, 0.08
DECAY = 1.0
EVENTS_EACH = 1_000
DAYS = 4_000.0


def truth(n_types: int, seed: int) -> tuple[np.ndarray, sparse.csr_array]:
    """(rates, mean answers [source, target])."""
    draw = np.random.default_rng(seed)
    source = np.repeat(np.arange(n_types), OTHERS)
    target = (source + draw.integers(1, n_types, len(source))) % n_types
    answers = sparse.coo_array((np.full(len(source), OTHER), (source, target)), shape=(n_types, n_types)).tocsr()
    answers = answers + sparse.identity(n_types, format="csr") * OWN
    total = OWN + OTHERS * OTHER
    return np.full(n_types, EVENTS_EACH * (1.0 - total) / DAYS), sparse.csr_array(answers)


def drawn(n_types: int, stamp: str, seed: int) -> tuple[sparse.csr_array, list[np.ndarray]]:
    """(mean answers, times by type) of one history."""
    rates, answers = truth(n_types, seed)
    runs = pk.simulate(pk.from_arrays(rates, answers, DECAY), days=DAYS, replicates=1, seed=seed, limit=2**31 - 2)
    when = np.floor(runs.time) if stamp == "day" else np.asarray(runs.time)
    order = np.argsort(runs.channel, kind="stable")
    ends = np.cumsum(np.bincount(runs.channel, minlength=n_types))[:-1]
    return answers, np.split(when[order], ends)


def timed(n_types: int, stamp: str, decays: str, seed: int) -> dict[str, Any]:
    """One fit, warmed up on a small history."""
    warnings.simplefilter("ignore")
    given = {"decays": DECAY} if decays == "known" else {}
    answers, few = drawn(20, stamp, seed)
    pk.hawkes(few, days=DAYS, support=answers != 0, **given)
    answers, events = drawn(n_types, stamp, seed)
    begun, clock = time.process_time(), time.perf_counter()
    fit = pk.hawkes(events, days=DAYS, support=answers != 0, **given)
    spent = {"cpu_seconds": round(time.process_time() - begun, 2), "seconds": round(time.perf_counter() - clock, 2)}
    linked = answers.tocoo()
    found = np.asarray(fit.adjacency)[linked.row, linked.col]
    return {
        "events": sum(map(len, events)), "pairs": int(linked.nnz), **spent,
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "converged": fit.converged, "missing": float(fit.missing), "decay": float(np.ravel(fit.decay)[0]),
        "error_of_links": float(np.sqrt(np.mean((found - linked.data) ** 2))),
        "mean_of_links": float(found.mean()), "true_mean_of_links": float(linked.data.mean()),
    }  # fmt: skip


def ask(asked: tuple[int, str, str, int], limit: float) -> dict[str, Any]:
    """The same in a process of its own, or what became of it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(False)
    process = context.Process(target=_answer, args=(theirs, asked))
    process.start()
    theirs.close()
    try:
        found = ours.recv() if ours.poll(limit) else {"stopped": f"after {limit:g} s"}
    except EOFError:
        found = {"stopped": "ended without an answer"}
    process.kill()
    process.join()
    return found


def _answer(back: Any, asked: tuple[int, str, str, int]) -> None:
    try:
        back.send(timed(*asked))
    except (pk.PowderkegError, MemoryError) as error:
        back.send({"stopped": str(error).splitlines()[0]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,300,1000", help="types; each has a thousand events")
    parser.add_argument("--stamps", default="exact,day")
    parser.add_argument("--decays", default="known,one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds of a fit")
    parser.add_argument("--name", default="now", help="under which results are kept")
    wanted = parser.parse_args()
    for stamp in wanted.stamps.split(","):
        for decays in wanted.decays.split(","):
            for n_types in map(int, wanted.sizes.split(",")):
                found = ask((n_types, stamp, decays, wanted.seed), wanted.limit)
                told = "  ".join(f"{key} {value}" for key, value in found.items())
                print(f"{n_types:5d} types  {stamp:5s}  {decays:5s}  {told}", flush=True)
                keep(wanted.name, f"{n_types} types, {stamp}, decay {decays}", found)


def keep(name: str, job: str, found: dict[str, Any]) -> None:
    """Write what is known so far into the results."""
    every = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    every |= {"powderkeg": pk.__version__, "python": platform.python_version()}
    every.setdefault(name, {})[job] = found
    RESULTS.write_text(json.dumps(every, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
