"""Are our scores those of others' code, on the same draws? Against `views-evaluation` 2 and `scores` 2.

Those want NumPy below 2, so they live in an environment of their own:

    python benchmarks/score_peers.py ours DRAWS.npz          # here: draws, what came, our scores
    OTHER/python benchmarks/score_peers.py theirs DRAWS.npz  # where `scores` and `views-evaluation` are installed

Out: benchmarks/results/score_peers.json: each score by ours and by theirs, and the largest difference over units.
Draws are of three kinds: sparse counts, counts of dozens, counts with a heavy tail; 400 units of 1,000 draws each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "score_peers.json"
UNITS, DRAWS = 400, 1000


def ours(place: str) -> None:
    from powderkeg.forecast import scores

    rng = np.random.default_rng(1)
    shape, mean = rng.uniform(0.2, 3.0, UNITS), np.exp(rng.uniform(np.log(0.05), np.log(60.0), UNITS))
    draws = rng.poisson(mean * rng.standard_gamma(shape, (DRAWS, UNITS)) / shape)
    came = rng.poisson(mean * rng.standard_gamma(shape) / shape).astype(float)
    draws = np.minimum(draws, 1000)
    np.savez_compressed(
        place, draws=draws, came=came, crps=scores.crps(draws, came),
        crps_above=scores.threshold_crps(draws, came, np.full(UNITS, 5.0)),
        binned_ignorance=scores.binned_ignorance(draws, came), interval_score=scores.interval_score(draws, came),
        onset_brier=scores.brier((draws > 0).mean(axis=0), (came > 0).astype(float)),
    )  # fmt: skip


def theirs(place: str) -> None:
    import xarray as xr
    from scores.continuous import interval_score
    from scores.probability import brier_score_for_ensemble, crps_for_ensemble, tw_crps_for_ensemble
    from views_evaluation.evaluation import native_metric_calculators as views
    from views_evaluation.profiles.base import BASE_PROFILE

    told = np.load(place)
    draws, came = told["draws"].astype(float), told["came"]
    y = xr.DataArray(came, dims="unit")
    x = xr.DataArray(draws.T, dims=("unit", "member"))
    low, high = (
        xr.DataArray(np.quantile(draws, p, axis=0, method="inverted_cdf"), dims="unit") for p in (0.025, 0.975)
    )
    keep = {"preserve_dims": ["unit"]}
    found = {
        "scores: crps": ("crps", crps_for_ensemble(x, y, "member", method="ecdf", **keep).values),
        "scores: crps_above": ("crps_above", tw_crps_for_ensemble(
            x, y, "member", lambda z: np.maximum(z, 5.0), chaining_func_kwargs={}, method="ecdf", **keep).values),
        "scores: interval_score": ("interval_score", interval_score(low, high, y, 0.95, **keep)["total"].values),
        "scores: onset_brier": ("onset_brier", brier_score_for_ensemble(
            x, y, "member", 0.5, fair_correction=False, **keep).values.ravel()),
    }  # fmt: skip
    one = [(came[i : i + 1], draws.T[i : i + 1]) for i in range(UNITS)]
    calls = {
        "crps": lambda a, b: views.calculate_crps_native(a, b),
        "crps_above": lambda a, b: views.calculate_twcrps_native(a, b, threshold=5.0),
        "binned_ignorance": lambda a, b: views.calculate_ignorance_score_native(a, b, **BASE_PROFILE["Ignorance"]),
        "interval_score": lambda a, b: views.calculate_mean_interval_score_native(a, b, alpha=0.05),
        "onset_brier": lambda a, b: views.calculate_brier_rgs_sample_native(a, b, threshold=0.0),
    }
    found |= {f"views-evaluation: {n}": (n, np.array([call(a, b) for a, b in one])) for n, call in calls.items()}
    rows = {
        name: {"ours": round(float(told[key].mean()), 6), "theirs": round(float(np.mean(other)), 6),
               "largest_difference": float(np.abs(told[key] - other).max())}
        for name, (key, other) in found.items()
    }  # fmt: skip
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    {"ours": ours, "theirs": theirs}[sys.argv[1]](sys.argv[2])
