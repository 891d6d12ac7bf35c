"""powderkeg's simulation beside the Python libraries that simulate Hawkes processes, on identical parameters.

In: nothing. Out: a table of events a second and of ratios for four jobs, and the same with versions in
benchmarks/results/simulate_peers.json.

    python benchmarks/simulate_peers.py [--peers FOLDER] [--repeats 3] [--budget 60] [--only hawkes-rs ...]

Each peer lives in a virtual environment of its own under FOLDER, made here and installed as that peer needs it; one
that cannot be installed, or fails, is reported and left out. A peer is given as large a size as it can do `repeats`
times within the budget (seconds); its speed there is what counts. Every library must give the number of events that
theory expects of these parameters, or its row says so. Speeds are events per second of processor time, medians of the
repeats, after one small run that is not counted: what other jobs take from the machine counts little.

Jobs: `dense` 10 channels that all excite each other, up to a million events. `sparse` 1,000 channels with 5 links each.
`short` 1,000 histories of 2,000 events. `state` 2 kinds of event that move a state of 3 levels.
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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "simulate_peers.json"
JOBS = ("dense", "sparse", "short", "state")
TARGETS = {"dense": 2.0, "sparse": 100.0, "short": 2.0, "state": 20.0}
"""Times the fastest peer that we want to reach."""


class Peer(NamedTuple):
    """How a library is installed: packages, then (with build isolation off) packages without dependencies."""

    packages: tuple[str, ...]
    bare: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ("dense", "sparse", "short")


PEERS = {
    "hawkes-rs": Peer(("hawkes-rs==0.1.2",)),
    "intensify": Peer(("intensify==0.3.3",)),
    # Its learners need two packages that it does not declare.
    "tick": Peer(("tick==0.8.0.2", "numpydoc", "six")),
    "hawkesbook": Peer(("hawkesbook==0.1.0",)),
    # Source only; wants a swig program on the path, which the package of that name brings along.
    "sparklen": Peer(("swig", "sparklen==1.0.0")),
    # Declares a NumPy that no longer builds.
    "mpoints": Peer(
        (
            "setuptools<70",
            "wheel",
            "numpy==1.26.4",
            "Cython<3",
            "scipy",
            "pandas",
            "matplotlib",
            "seaborn",
            "statsmodels",
        ),
        ("mpoints==1.0.0",),
        JOBS,
    ),
}


# -- parameters: alpha[i, j] is the mean number of direct children of type i of one event of type j ------------------


class Parameters(NamedTuple):
    mu: np.ndarray
    alpha: np.ndarray
    beta: float
    shift: np.ndarray  # state job: chance that an event of type i moves the state to level 0, 1, 2


def parameters(job: str) -> Parameters:
    rng = np.random.default_rng(1)
    if job == "sparse":
        n = 1000
        alpha = np.zeros((n, n))
        for j in range(n):
            alpha[rng.choice(n, 5, replace=False), j] = 0.12
        return Parameters(np.full(n, 0.1), alpha, 1.0, np.zeros((n, 3)))
    n = 2 if job == "state" else 10
    alpha = rng.uniform(0.2, 1.0, (n, n))
    alpha *= 0.6 / np.abs(np.linalg.eigvals(alpha)).max()
    return Parameters(np.full(n, 0.5), alpha, 1.0, rng.dirichlet(np.ones(3), n))


def rate(p: Parameters) -> float:
    """Events a day that theory expects once the start is forgotten."""
    return float(np.linalg.solve(np.eye(len(p.mu)) - p.alpha, p.mu).sum())


def expected(p: Parameters, days: float) -> float:
    """Events that theory expects in `days` from an empty past: less what the start costs, up to exp(-days)."""
    rest = np.eye(len(p.mu)) - p.alpha
    steady = np.linalg.solve(rest, p.mu)
    return float((days * steady - np.linalg.solve(rest, steady - p.mu) / p.beta).sum())


# -- one function a library: (parameters, days, replicates, seed) -> number of events ----------------------------------

Simulator = Callable[[float, int, int], int]


def hawkes_rs(p: Parameters) -> Simulator:
    from hawkes import multivariate

    given = multivariate.Parameters(p.mu, p.alpha, p.beta)
    return lambda days, n, seed: sum(
        sum(len(x) for x in multivariate.simulate(given, days, seed + r)) for r in range(n)
    )


def intensify(p: Parameters) -> Simulator:
    import intensify as library

    # Refuses an alpha of 0.
    kernels = [[library.ExponentialKernel(max(float(a), 1e-12), p.beta) for a in row] for row in p.alpha]
    given = library.MultivariateHawkes(len(p.mu), p.mu, kernels)
    return lambda days, n, seed: sum(sum(len(x) for x in given.simulate(days, seed=seed + r)) for r in range(n))


def tick(p: Parameters) -> Simulator:
    from tick.hawkes import SimuHawkesExpKernels

    def run(days: float, n: int, seed: int) -> int:
        total = 0
        for r in range(n):
            given = SimuHawkesExpKernels(p.alpha, p.beta, baseline=p.mu, end_time=days, seed=seed + r, verbose=False)
            given.simulate()
            total += sum(len(x) for x in given.timestamps)
        return total

    return run


def hawkesbook(p: Parameters) -> Simulator:
    import hawkesbook as library

    jump, decay = np.ascontiguousarray((p.alpha * p.beta).T), np.full(len(p.mu), p.beta)

    def run(days: float, n: int, seed: int) -> int:
        library.numba_seed(seed)
        return sum(len(library.mutual_exp_simulate_by_thinning((p.mu.copy(), jump, decay), days)) for _ in range(n))

    return run


def sparklen(p: Parameters) -> Simulator:
    from sparklen.hawkes.simulation import SimuHawkesExp

    def run(days: float, n: int, seed: int) -> int:
        given = SimuHawkesExp(p.mu, p.alpha, p.beta, days, n, random_state=seed)
        given.simulate()
        return sum(len(x) for path in given.timestamps for x in path)

    return run


def mpoints(p: Parameters) -> Simulator:
    from mpoints.hybrid_hawkes_exp import HybridHawkesExp

    n_types, has_state = len(p.mu), p.shift.any() and len(p.mu) == 2
    states = 3 if has_state else 1
    given = HybridHawkesExp(n_types, states, [str(i) for i in range(n_types)], [str(i) for i in range(states)])
    shift = np.repeat(p.shift[None], 3, axis=0) if has_state else np.ones((1, n_types, 1))
    given.set_transition_probabilities(shift)
    jump = np.repeat((p.alpha.T * p.beta)[:, None, :], states, axis=1)
    given.set_hawkes_parameters(p.mu, jump, np.full_like(jump, p.beta))

    def run(days: float, n: int, seed: int) -> int:
        np.random.seed(seed)  # noqa: NPY002 (the generator that it uses)
        return sum(len(given.simulate(0.0, days, max_number_of_events=10**8)[0]) for _ in range(n))

    return run


def powderkeg(p: Parameters, workers: int = 1) -> Simulator:
    sys.path.insert(0, str(HERE.parent / "tests"))
    import systems

    from powderkeg.simulate import simulate

    b = systems.Builder()
    b.kernel((1.0, p.beta))
    gate, effects = 0, [()] * len(p.mu)
    if len(p.mu) == 2:
        # The last coin that comes up decides; a gate of 1 at every level is looked up for every candidate.
        state = b.fact(levels=3)
        gate = b.row((state, [1.0, 1.0, 1.0]))
        effects = [((state, 0, 1.0), (state, 1, q[1] / (q[0] + q[1])), (state, 2, q[2])) for q in p.shift]
    for i, mu in enumerate(p.mu):
        b.channel(float(mu), gate=gate, effects=effects[i])
    for source in range(len(p.mu)):
        for target in np.flatnonzero(p.alpha[:, source]):
            b.edge(source, int(target), 0, float(p.alpha[target, source]))
    system = b.build()
    return lambda days, n, seed: len(
        simulate(system, days=days, replicates=n, seed=seed, workers=workers, limit=2**31 - 2)
    )


SIMULATORS = {
    "hawkes-rs": hawkes_rs, "intensify": intensify, "tick": tick, "hawkesbook": hawkesbook, "sparklen": sparklen,
    "mpoints": mpoints, "powderkeg": powderkeg,
}  # fmt: skip


# -- a worker: one library, one job ------------------------------------------------------------------------------------


def work(name: str, job: str, repeats: int, budget: float) -> dict[str, Any]:
    """Grow the size until `repeats` of the next would not fit the budget, and time there."""
    p = parameters(job)
    per_day = rate(p)
    begin = time.process_time()
    run = SIMULATORS[name](p)
    length = 2000 if job == "short" else 0
    sizes = (2_000, 20_000, 200_000, 2_000_000) if job == "short" else (2_000, 10_000, 100_000, 1_000_000)
    done: dict[str, Any] = {"setup": 0.0}
    for size in sizes:
        replicates = size // length if length else 1
        days = (length or size) / per_day
        if size == sizes[0]:  # compiling, loading
            run(days, replicates, 7)
            done["setup"] = time.process_time() - begin
        begin = time.process_time()
        events = run(days, replicates, 8)
        seconds = [time.process_time() - begin]
        total = [events]
        if seconds[0] * repeats < budget:
            for k in range(1, repeats):
                begin = time.process_time()
                total.append(run(days, replicates, 8 + 1000 * k))
                seconds.append(time.process_time() - begin)
        speed = statistics.median(n / max(s, 1e-9) for n, s in zip(total, seconds, strict=True))
        done |= {
            "size": size, "events": total, "seconds": seconds, "speed": speed,
            "against_theory": sum(total) / len(total) / (expected(p, days) * replicates),
        }  # fmt: skip
        if seconds[0] * 10 * repeats > budget:
            break
    done["version"] = importlib.metadata.version(name)
    return done


def two_threads(repeats: int) -> dict[str, Any]:
    """powderkeg's short histories on two threads, by the clock."""
    p = parameters("short")
    speeds = {}
    for workers in (1, 2):
        run = powderkeg(p, workers)
        days = 2000 / rate(p)
        run(days, 10, 7)
        found = []
        for k in range(repeats):
            begin = time.perf_counter()
            n = run(days, 1000, 8 + 1000 * k)
            found.append(n / (time.perf_counter() - begin))
        speeds[workers] = max(found)
    return {"one": speeds[1], "two": speeds[2], "ratio": speeds[2] / speeds[1]}


# -- the driver -------------------------------------------------------------------------------------------------------


def install(name: str, peer: Peer, folder: Path) -> Path:
    """The Python of a peer's environment; made and filled if the library cannot be imported there."""
    home = folder / name
    python = home / "bin" / "python"
    check = f"import importlib.metadata as m; m.version({name!r})"
    if python.exists() and subprocess.run([python, "-c", check], capture_output=True).returncode == 0:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True, capture_output=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    for package in peer.packages:
        environment = dict(os.environ)
        for swig in home.glob("lib/python*/site-packages/swig/data"):
            # The program that this package puts on the path is a Python script and does not work inside a build.
            environment["PATH"] = f"{swig / 'bin'}:{environment['PATH']}"
            environment["SWIG_LIB"] = str(next(swig.glob("share/swig/*")))
        subprocess.run([*pip, package], check=True, capture_output=True, text=True, env=environment, timeout=1200)
    for package in peer.bare:
        subprocess.run(
            [*pip, "--no-deps", "--no-build-isolation", package],
            check=True,
            capture_output=True,
            text=True,
            timeout=1200,
        )
    return python


def ask(python: Path | str, name: str, job: str, repeats: int, budget: float) -> dict[str, Any]:
    """What a worker found, or {"failed": why}."""
    command = [
        str(python),
        str(Path(__file__)),
        "--work",
        name,
        job,
        "--repeats",
        str(repeats),
        "--budget",
        str(budget),
    ]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=6 * budget + 60, env=os.environ | threads, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return {"failed": "took too long"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", nargs=2, metavar=("LIBRARY", "JOB"), help=argparse.SUPPRESS)
    parser.add_argument("--peers", type=Path, default=HERE / ".peers", help="folder of the peers' environments")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--budget", type=float, default=60.0, help="processor seconds for the repeats of one size")
    parser.add_argument("--only", nargs="*", choices=sorted(PEERS), default=sorted(PEERS))
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(*given.work, given.repeats, given.budget)))
        return

    pythons: dict[str, Path | str] = {"powderkeg": sys.executable}
    results: dict[str, dict[str, Any]] = {job: {} for job in JOBS}
    missing = {}
    for name in given.only:
        print(f"installing {name} ...", file=sys.stderr)
        try:
            pythons[name] = install(name, PEERS[name], given.peers.resolve())
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
            message = getattr(error, "stderr", None) or str(error)
            missing[name] = str(message).strip().splitlines()[-1][:200]
    for job in JOBS:
        # Ours before and after the peers: the slower counts, should the machine have become busier meanwhile.
        before = ask(sys.executable, "powderkeg", job, given.repeats, given.budget)
        for name, python in pythons.items():
            if name != "powderkeg" and job in PEERS[name].jobs:
                print(f"{job}: {name} ...", file=sys.stderr)
                results[job][name] = ask(python, name, job, given.repeats, given.budget)
        after = ask(sys.executable, "powderkeg", job, given.repeats, given.budget)
        ours = min((x for x in (before, after) if "failed" not in x), key=lambda x: x["speed"], default=before)
        results[job]["powderkeg"] = ours

    ratios = {}
    for job, found in results.items():
        print(
            f"\n{job}\n  {'library':12} {'version':9} {'events/s':>12} {'ns/event':>10} {'at size':>10} {'theory':>7}"
        )
        for name, row in sorted(found.items(), key=lambda item: -item[1].get("speed", 0)):
            if "failed" in row:
                print(f"  {name:12} failed: {row['failed']}")
                continue
            speed = row["speed"]
            note = "" if 0.9 < row["against_theory"] < 1.1 else "  <- not these parameters"
            print(
                f"  {name:12} {row['version']:9} {speed:12,.0f} {1e9 / speed:10,.0f} {row['size']:10,} "
                f"{row['against_theory']:7.3f}{note}"
            )
        peers = {n: r["speed"] for n, r in found.items() if n != "powderkeg" and "speed" in r}
        if peers and "speed" in found["powderkeg"]:
            best = max(peers, key=lambda n: peers[n])
            ratios[job] = {"fastest": best, "ratio": found["powderkeg"]["speed"] / peers[best], "target": TARGETS[job]}
            print(f"  {ratios[job]['ratio']:.1f} times {best}; to reach: {TARGETS[job]:.0f}")
    for name, why in missing.items():
        print(f"\n{name} could not be installed: {why}")
    both = two_threads(given.repeats)
    print(f"\nshort histories, two threads over one, on the clock: {both['ratio']:.2f} times")
    load = os.getloadavg()
    print(f"load {load[0]:.1f} {load[1]:.1f} {load[2]:.1f} on {os.cpu_count()} cores")
    RESULT.parent.mkdir(exist_ok=True)
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": load,
    }
    RESULT.write_text(
        json.dumps(about | {"ratios": ratios, "threads": both, "jobs": results, "missing": missing}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
