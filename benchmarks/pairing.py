"""What is pairing worth? Variance of paired and unpaired differences, for every intervention of a scenario.

    python benchmarks/pairing.py [SCENARIO] [--replicates 2000] [--years 10]

Also for every mechanism switched off and every act made a tenth rarer, so that it can be seen what the figure hangs on:
what an intervention takes away or adds has no partner in the other world, so one that changes much gains less. Prints a
table and keeps it, with versions, in benchmarks/results/pairing.json.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

import powderkeg as pk
from powderkeg.compare import compare
from powderkeg.engine.worlds import Phase, world
from powderkeg.model import Model
from powderkeg.simulate import Runs, simulate

RESULTS = Path(__file__).parent / "results" / "pairing.json"
HORIZONS = (2.0, 8.0)


def hostile(model: Model, runs: Runs) -> np.ndarray:
    here = (model.heat > 0)[runs.channel]
    return np.bincount(runs.replicate[here], minlength=runs.replicates).astype(float)


def worth(model: Model, years: float, replicates: int, **changed: np.ndarray) -> tuple[float, float]:
    """Variance ratio for all hostile acts, and the share of them that the change takes away."""
    base = hostile(model, simulate(model, years=years, replicates=replicates, seed=1))
    made = world(model.system, (Phase(0.0, model.system._replace(**changed)),))
    other = hostile(model, simulate(model, years=years, replicates=replicates, seed=1, world=made))
    spread = (other - base).var()
    ratio = float((base.var() + other.var()) / spread) if spread > 0 else float("inf")
    return ratio, float(1.0 - other.mean() / base.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="?", default="north-kosovo")
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--years", type=float, default=10.0)
    asked = parser.parse_args()
    scenario = pk.load(asked.scenario)
    model = pk.compile(scenario)
    found: dict[str, Any] = {
        "scenario": asked.scenario, "replicates": asked.replicates, "years": asked.years,
        "powderkeg": pk.__version__, "python": platform.python_version(), "numpy": np.__version__,
        "digest": pk.digest(scenario),
    }  # fmt: skip
    compared = compare(model, years=asked.years, replicates=asked.replicates, ranges=False)
    table: dict[str, dict[str, float | None]] = {}
    for one in compared.interventions:
        effects = {e.name: e.unpaired_ratio for e in (*one.outcomes, *one.standoffs, *one.mechanisms)}
        table[one.name] = {**{e.name: e.unpaired_ratio for e in one.outcomes}, "standoffs": effects["standoffs"],
                           "hostile acts": effects["hostile acts"]}  # fmt: skip
    found["interventions"] = table
    print("Variance of the unpaired difference over that of the paired one\n")
    for name, ratios in table.items():
        known = sorted(r for r in ratios.values() if r is not None)
        told = f"median {np.median(known):6.1f}  least {known[0]:5.1f}  most {known[-1]:7.1f}" if known else "no change"
        print(f"{name:20s} {told}")
    found["mechanisms_off"], found["acts_damped"] = {}, {}
    for number, name in enumerate(model.mechanisms):
        mass = np.where(model.system.edge_mechanism == number, 0.0, model.system.edge_mass)
        found["mechanisms_off"][name] = [worth(model, y, asked.replicates // 2, edge_mass=mass) for y in HORIZONS]
    for act in sorted({c.act for c in model.channels[: model.n_acts] if c.kind == "act"}):
        ours = np.array([c.act == act for c in model.channels])
        if not (model.heat[ours] > 0).any():
            continue
        rate = np.where(ours, 0.9, 1.0) * model.system.rate
        mass = np.where(ours[model.system.edge_target], 0.9, 1.0) * model.system.edge_mass
        found["acts_damped"][act] = [
            worth(model, y, asked.replicates // 2, rate=rate, edge_mass=mass) for y in HORIZONS
        ]
    for kind, head in (("mechanisms_off", "mechanism switched off"), ("acts_damped", "act a tenth rarer")):
        print(f"\n{head:36s} {'2 years':>9s} {'8 years':>9s}   hostile acts it takes away")
        for name, (short, long) in sorted(found[kind].items(), key=lambda item: item[1][1][0]):
            print(f"{name:36s} {short[0]:9.1f} {long[0]:9.1f}   {100 * long[1]:5.1f} %")
    text = json.dumps(found, indent=1).replace("Infinity", "null")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
