"""How well are laws of deaths found again? Coverage of intervals, bias of the mean, size of the test of the law.

python benchmarks/deaths_recovery.py [histories] [seed]
"""

from __future__ import annotations

import sys

import numpy as np

from powderkeg.fit.deaths import death_paths, fit_numbers, law_fits
from powderkeg.model.deaths import DeathNumbers

CASES = [(0.4, 2.5, 3.0, 50), (0.4, 2.5, 3.0, 200), (0.4, 2.5, 3.0, 1000), (0.7, 0.6, 4.0, 100), (0.7, 0.6, 4.0, 400),
         (0.2, 20.0, 2.0, 60), (0.2, 20.0, 2.0, 400)]  # fmt: skip
START = DeathNumbers(0.5, 2.0, 2.0)
PATHS = death_paths("raid")


def one(case: tuple[float, float, float, int], histories: int, rng: np.random.Generator) -> str:
    """A row of the table."""
    *numbers, acts = case
    law = DeathNumbers(*numbers)
    held, rejected, tested = np.zeros(3), 0, 0
    found, means = [], []
    for _ in range(histories):
        dead = law.numbers(rng.random(acts))
        estimates, _ = fit_numbers("raid", START, dead, set(PATHS), 0.9)
        told = [estimates[path] for path in PATHS]
        if not all(e.free for e in told):
            continue
        held += [e.low <= truth <= e.high for e, truth in zip(told, numbers, strict=True)]
        found.append([e.estimate for e in told])
        means.append(DeathNumbers(*found[-1]).mean / law.mean)
        p = law_fits(dead[dead > 0], DeathNumbers(*found[-1]), 2)
        if p is not None:
            tested, rejected = tested + 1, rejected + (p < 0.05)
    cover = " | ".join(f"{100 * x / len(found):.1f} %" for x in held)
    size = f"{100 * rejected / tested:.1f} %" if tested > histories / 2 else "–"
    median = " / ".join(f"{x:.2f}" for x in np.median(found, axis=0))
    law_told = f"{numbers[0]:.0%} / {numbers[1]:g} / {numbers[2]:g}"
    low, high = np.quantile(means, [0.05, 0.95])
    return f"| {law_told} | {acts:,} | {median} | {cover} | {np.median(means):.2f} ({low:.2f} to {high:.2f}) | {size} |"


def main() -> None:
    """Prints the table."""
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    print("| none / median / spread | acts | median estimates | none held | median held | spread held | "
          "mean, of the truth (90 % of histories) | law refused at 5 % |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(seed)
    for case in CASES:
        print(one(case, histories, rng), flush=True)


if __name__ == "__main__":
    main()
