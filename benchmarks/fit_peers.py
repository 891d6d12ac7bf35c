"""powderkeg's plain Hawkes fit beside the Python libraries that fit Hawkes processes, on the same events.

In: nothing. Out: a table of seconds and of log-likelihoods for each job, and the same with versions in
benchmarks/results/fit_peers.json.

    python benchmarks/fit_peers.py [--peers FOLDER] [--repeats 3] [--limit 900] [--only tick ...] [--jobs known ...]

Jobs `known`, `unknown` and `days` are on 10 types that all excite each other (spectral radius 0.6, decay 1 a day): a
million events at exact times, the decay given or not; and the first fifth of them with every time floored to its day.
`sparse` is a million events of 1,000 types with 5 links each, which no peer takes. Libraries are not asked what
likelihood they reached: one plain NumPy function says it. Seconds are processor time in one thread, the median of the
repeats (one where a fit takes over 20 s), after a small fit that is not counted. Each peer lives in an environment of
its own, as in simulate_peers.py; one that cannot be installed, or fails, is reported and left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from simulate_peers import Peer, install, parameters, rate  # noqa: E402

RESULT = HERE / "results" / "fit_peers.json"
EVENTS = 1_000_000
JOBS = ("known", "unknown", "days", "sparse")
PEERS = {
    "hawkes-rs": Peer(("hawkes-rs==0.1.2",)),
    "intensify": Peer(("intensify==0.3.3",)),
    "hawkes-engine": Peer(("hawkes-engine==0.2.0",)),
    # Its learners need two packages that it does not declare.
    "tick": Peer(("tick==0.8.0.2", "numpydoc", "six")),
}


class Estimate(NamedTuple):
    """mu (D,), alpha (D, D) [target, source] expected children, beta (D, D) [target, source]."""

    mu: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


def estimate(mu: Any, alpha: Any, beta: Any) -> Estimate:
    alpha = np.asarray(alpha, float)
    return Estimate(np.asarray(mu, float), alpha, np.broadcast_to(np.asarray(beta, float), alpha.shape).copy())


Events = list[np.ndarray]
Fitter = Callable[[Events, float], Estimate]

# -- one function a way of fitting: (events by type, end of the window) -> Estimate ------------------------------------


def tick_adm4(events: Events, days: float) -> Estimate:
    from tick.hawkes import HawkesADM4

    learner = HawkesADM4(1.0, C=1e10, lasso_nuclear_ratio=1.0, n_threads=1)
    learner.fit(events)
    return estimate(learner.baseline, learner.adjacency, 1.0)


def tick_likelihood(events: Events, days: float) -> Estimate:
    from tick.hawkes import HawkesExpKern

    # From its own start the solver leaves the domain: "sum of the influence on someone cannot be negative".
    learner = HawkesExpKern(1.0, gofit="likelihood", penalty="none", solver="agd", tol=1e-8, max_iter=1000)
    size = len(events)
    learner.fit([events], start=np.full(size + size * size, 0.05))
    return estimate(learner.baseline, learner.adjacency, 1.0)


def intensify_known(events: Events, days: float) -> Estimate:
    return _intensify(events, days, False)


def intensify_pairs(events: Events, days: float) -> Estimate:
    return _intensify(events, days, True)


def _intensify(events: Events, days: float, fit_decay: bool) -> Estimate:
    import intensify as library

    size = len(events)
    # It stops early wherever it starts; of four starts tried this one came nearest.
    kernels = [[library.ExponentialKernel(0.02, 1.0) for _ in range(size)] for _ in range(size)]
    mu = np.ones(size)
    found = library.MultivariateHawkes(size, mu, kernels).fit(events, T=days, fit_decay=fit_decay).params
    matrix = found["kernel_matrix"]
    return estimate(found["mu"], [[k.alpha for k in row] for row in matrix], [[k.beta for k in row] for row in matrix])


def _engine(events: Events, days: float, beta: np.ndarray | None) -> Estimate:
    import hawkes_engine

    time = np.concatenate(events)
    kind = np.repeat(np.arange(len(events)), [len(e) for e in events])
    order = np.argsort(time, kind="stable")
    found = hawkes_engine.fit(
        time[order],
        kind[order],
        T=days,
        M=len(events),
        shared_decay=True,
        beta=beta,
        n_starts=1,
        seed=1,
        se_method=None,
    )
    decay = np.asarray(found.beta)
    decay = np.broadcast_to(decay, np.shape(found.alpha))
    return estimate(found.mu, np.asarray(found.alpha) / decay, decay)


def engine_known(events: Events, days: float) -> Estimate:
    return _engine(events, days, np.ones(len(events)))


def engine_source(events: Events, days: float) -> Estimate:
    return _engine(events, days, None)


def hawkes_rs(events: Events, days: float) -> Estimate:
    from hawkes import multivariate

    found = multivariate.fit([np.ascontiguousarray(e, np.float64) for e in events], days).parameters
    return estimate(found.baseline, found.excitation, found.decay)


def _powderkeg(events: Events, days: float, **options: Any) -> Estimate:
    import powderkeg as pk

    found = pk.hawkes(events, days=days, **options)
    decay = np.broadcast_to(found.decay.reshape(-1)[None, :], found.adjacency.shape)
    return estimate(found.baseline, found.adjacency.T, decay)


def powderkeg_known(events: Events, days: float) -> Estimate:
    return _powderkeg(events, days, decays=1.0)


def powderkeg_shared(events: Events, days: float) -> Estimate:
    return _powderkeg(events, days)


def powderkeg_source(events: Events, days: float) -> Estimate:
    return _powderkeg(events, days, per_source=True)


def _sparse(events: Events, days: float, **options: Any) -> Estimate:
    return _powderkeg(events, days, support=parameters("sparse").alpha.T > 0, **options)


def sparse_known(events: Events, days: float) -> Estimate:
    return _sparse(events, days, decays=1.0)


class Way(NamedTuple):
    """A way of fitting: library, decay, function, jobs."""

    library: str
    decay: str
    fit: Fitter
    jobs: tuple[str, ...]


WAYS = {
    "powderkeg": Way("powderkeg", "known", powderkeg_known, ("known", "days")),
    "powderkeg, shared": Way("powderkeg", "one shared", powderkeg_shared, ("unknown", "days")),
    "powderkeg, per source": Way("powderkeg", "one a source", powderkeg_source, ("unknown",)),
    "powderkeg, pairs given": Way("powderkeg", "known", sparse_known, ("sparse",)),
    "powderkeg, pairs given, shared": Way("powderkeg", "one shared", _sparse, ("sparse",)),
    "intensify": Way("intensify", "known", intensify_known, ("known", "days")),
    "tick ADM4": Way("tick", "known", tick_adm4, ("known", "days")),
    "tick likelihood": Way("tick", "known", tick_likelihood, ("known", "days")),
    "hawkes-engine": Way("hawkes-engine", "known", engine_known, ("known", "days")),
    "hawkes-engine, per source": Way("hawkes-engine", "one a source", engine_source, ("unknown", "days")),
    "hawkes-rs": Way("hawkes-rs", "one shared", hawkes_rs, ("unknown", "days")),
}

# -- the reference -----------------------------------------------------------------------------------------------------


def log_likelihood(events: Events, days: float, e: Estimate) -> float:
    """By NumPy alone, from sums over stretches of time short enough that exp(beta t) stays a number."""
    size = len(events)
    total = 0.0
    past: dict[tuple[int, float], list[np.ndarray]] = {}
    for i in range(size):
        for j in range(size):
            key = (j, float(e.beta[i, j]))
            if key not in past:
                past[key] = [_reach(events[j], target, key[1], days) for target in events]
    for i in range(size):
        intensity = np.full(len(events[i]), e.mu[i])
        expected = e.mu[i] * days
        for j in range(size):
            beta = float(e.beta[i, j])
            intensity += e.alpha[i, j] * beta * past[j, beta][i]
            expected += e.alpha[i, j] * -np.expm1(-beta * (days - events[j])).sum()
        if (intensity <= 0).any():
            return float("-inf")
        total += float(np.log(intensity).sum()) - expected
    return total


def _reach(source: np.ndarray, target: np.ndarray, beta: float, days: float) -> np.ndarray:
    """Sum of exp(-beta * age) over the source's earlier events, at every event of the target."""
    result = np.zeros(len(target))
    carry, begin, stretch = 0.0, 0.0, 300.0 / beta
    while begin <= days:
        end = begin + stretch
        mine = source[np.searchsorted(source, begin) : np.searchsorted(source, end)]
        here = slice(np.searchsorted(target, begin), np.searchsorted(target, end))
        grown = np.concatenate([[0.0], np.cumsum(np.exp(beta * (mine - begin)))])
        at = target[here]
        result[here] = np.exp(-beta * (at - begin)) * (carry + grown[np.searchsorted(mine, at, side="left")])
        carry = float(np.exp(-beta * stretch) * (carry + grown[-1]))
        begin = end
    return result


# -- a worker: one way, one job ----------------------------------------------------------------------------------------


def work(name: str, file: Path, repeats: int) -> dict[str, Any]:
    way = WAYS[name]
    data = np.load(file)
    time_, kind, days = data["time"], data["kind"], float(data["days"])
    events = [np.ascontiguousarray(time_[kind == i]) for i in range(int(kind.max()) + 1)]
    few = days / 200.0  # loading and compiling
    begin = time.process_time()
    way.fit([e[e < few] for e in events], float(np.ceil(few)))
    setup = time.process_time() - begin
    seconds, wall = [], []
    for _ in range(repeats):
        begin, clock = time.process_time(), time.perf_counter()
        found = way.fit([e.copy() for e in events], days)
        seconds.append(time.process_time() - begin)
        wall.append(time.perf_counter() - clock)
        if seconds[-1] > 20.0:
            break
    return {
        "library": way.library, "decay": way.decay, "version": importlib.metadata.version(way.library), "setup": setup,
        "seconds": seconds, "wall": wall, "mu": found.mu.tolist(), "alpha": found.alpha.tolist(),
        "beta": found.beta.tolist(),
    }  # fmt: skip


def ask(python: Path | str, name: str, file: Path, repeats: int, limit: float) -> dict[str, Any]:
    command = [str(python), str(Path(__file__)), "--work", name, str(file), "--repeats", str(repeats)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
               "RAYON_NUM_THREADS": "1"}  # fmt: skip
    environment = os.environ | threads
    if WAYS[name].library != "powderkeg":
        environment.pop("PYTHONPATH", None)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment, cwd="/")
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {limit:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


# -- the driver --------------------------------------------------------------------------------------------------------


def draw(folder: Path, job: str) -> Path:
    """The events of a job, drawn by powderkeg from the true parameters."""
    import powderkeg as pk

    p = parameters(job)
    days = float(np.ceil(EVENTS / rate(p)))
    runs = pk.simulate(pk.from_arrays(p.mu, p.alpha.T, p.beta), days=days, replicates=1, seed=1, limit=2**31 - 2)
    time_, kind = np.asarray(runs.time), runs.channel.astype(np.int64)
    file = folder / f"{job}.npz"
    if job == "days":
        days = float(np.ceil(days / 5))
        few = time_ < days
        time_, kind = np.floor(time_[few]), kind[few]
    np.savez(file, time=time_, kind=kind, days=days)
    return file


def judge(file: Path, rows: dict[str, dict[str, Any]], job: str) -> None:
    """Add to every row what it reached, by the reference, which is not for days, nor for 1,000 types."""
    exact = job in ("known", "unknown")
    data = np.load(file)
    events = [data["time"][data["kind"] == i] for i in range(int(data["kind"].max()) + 1)]
    p = parameters(job)
    truth = log_likelihood(events, float(data["days"]), estimate(p.mu, p.alpha, p.beta)) if exact else None
    for row in rows.values():
        if "failed" in row:
            continue
        found = estimate(row.pop("mu"), row.pop("alpha"), row["beta"])
        row["beta"] = [float(found.beta.min()), float(found.beta.max())]
        row["time"] = statistics.median(row["seconds"])
        row["spectral_radius"] = float(np.abs(np.linalg.eigvals(found.alpha)).max())
        row["largest_error"] = float(np.abs(found.alpha - p.alpha).max())
        if exact:
            row["gain_over_truth"] = log_likelihood(events, float(data["days"]), found) - truth
    if exact:
        best = max((r["gain_over_truth"] for r in rows.values() if "failed" not in r), default=0.0)
        for row in rows.values():
            if "failed" not in row:
                row["short_of_best"] = best - row["gain_over_truth"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--peers", type=Path, default=HERE / ".peers", help="folder of the peers' environments")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds by the clock for one way and job")
    parser.add_argument("--only", nargs="*", choices=sorted(PEERS), default=sorted(PEERS))
    parser.add_argument("--jobs", nargs="*", choices=JOBS, default=list(JOBS))
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(given.work[0], Path(given.work[1]), given.repeats)))
        return
    pythons: dict[str, Path | str] = {"powderkeg": sys.executable}
    missing = {}
    for name in given.only:
        print(f"installing {name} ...", file=sys.stderr)
        try:
            pythons[name] = install(name, PEERS[name], given.peers.resolve())
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
            message = getattr(error, "stderr", None) or str(error)
            missing[name] = str(message).strip().splitlines()[-1][:200]
    kept: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    results: dict[str, dict[str, Any]] = kept.get("jobs", {})
    with tempfile.TemporaryDirectory() as folder:
        for job in given.jobs:
            file = draw(Path(folder), job)
            rows: dict[str, dict[str, Any]] = {}
            ways = [n for n, w in WAYS.items() if job in w.jobs and w.library in pythons]
            ours = [n for n in ways if WAYS[n].library == "powderkeg"]
            # Ours before and after the peers: the slower counts, should the machine have become busier meanwhile.
            for name in [*ways, *(ours if job in ("known", "unknown") else [])]:
                print(f"{job}: {name} ...", file=sys.stderr)
                row = ask(pythons[WAYS[name].library], name, file, given.repeats, given.limit)
                row["load"] = os.getloadavg()[0]
                before = rows.get(name)
                if before is None or "failed" in before or (
                    "failed" not in row and statistics.median(row["seconds"]) > statistics.median(before["seconds"])
                ):  # fmt: skip
                    rows[name] = row
            judge(file, rows, job)
            results[job] = rows
            show(job, rows)
            keep(results, missing)


def show(job: str, rows: dict[str, dict[str, Any]]) -> None:
    heads = f"{'seconds':>8} {'gain':>9} {'short':>8} {'radius':>7} {'error':>6}"
    print(f"\n{job}\n  {'':26} {'version':9} {'decay':13} {heads}")
    for name, row in sorted(rows.items(), key=lambda item: item[1].get("time", 1e9)):
        if "failed" in row:
            print(f"  {name:26} failed: {row['failed']}")
            continue
        gain = f"{row['gain_over_truth']:9.2f} {row['short_of_best']:8.2f}" if "gain_over_truth" in row else " " * 18
        print(
            f"  {name:26} {row['version']:9} {row['decay']:13} {row['time']:8.2f} {gain} {row['spectral_radius']:7.3f} "
            f"{row['largest_error']:6.3f}"
        )


def ratios(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Ours against the fastest that reaches the optimum of its own kind (0.01), and against the fastest of all."""
    told: dict[str, Any] = {}
    for job, ours in (("known", "powderkeg"), ("unknown", "powderkeg, shared"), ("unknown", "powderkeg, per source")):
        rows = {n: r for n, r in results.get(job, {}).items() if "failed" not in r}
        if ours not in rows:
            continue
        mine = rows[ours]
        peers = {n: r for n, r in rows.items() if r["library"] != "powderkeg" and r["decay"] == mine["decay"]}
        others = {n: r for n, r in rows.items() if r["library"] != "powderkeg"}
        reached = {n: r for n, r in peers.items() if r["gain_over_truth"] > mine["gain_over_truth"] - 0.01}
        told[ours if job == "unknown" else "powderkeg, decay known"] = {
            "seconds": mine["time"],
            "short_of_best_peer": max((r["gain_over_truth"] for r in peers.values()), default=-np.inf)
            - mine["gain_over_truth"] if peers else None,
            "times_faster": {n: r["time"] / mine["time"] for n, r in others.items()},
            "reach_the_optimum": sorted(reached),
        }  # fmt: skip
    return told


def keep(results: dict[str, dict[str, Any]], missing: dict[str, str]) -> None:
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": os.getloadavg(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    told = about | {"ratios": ratios(results), "jobs": results, "missing": missing}
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
