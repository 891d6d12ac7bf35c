"""What a fit left open, as one law of all its numbers together.

In: a `Fit`, or the file in which its law was kept. Out: a `Joint`: sets of values drawn from it. Estimates hang
together: where two mechanisms share out the same answers, one is high where the other is low, and their ranges, each by
itself, would let both be high at once.
The law is normal around the estimates, with the fit's covariance, on the scales of the fit: rates and answers as they
are, cut off at 0; factors and half-lives by their logarithms.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError
from powderkeg.fit.result import Fit

ROUNDS = 100
"""How often a draw with a rate or answers below 0 is drawn again, before what is below 0 is put at 0."""

SAME = 1e-9
"""Relative difference up to which a value is the estimate: files round."""


@dataclass(frozen=True)
class Joint:
    """A law of K numbers by key path.

    estimate    (K,) in the scenario's units: per day, days, or bare numbers
    is_log      (K,) whether the scale is that of the logarithm
    covariance  (K, K) on these scales
    """

    paths: tuple[str, ...]
    is_log: tuple[bool, ...]
    estimate: Floats
    covariance: Floats

    @staticmethod
    def of(fit: Fit) -> Joint:
        """What a fit left open; numbers at a bound, or that the events could not tell, are not in it."""
        kinds = [fit.parameters[path].kind for path in fit.covariance_paths]
        # The fit's own scale for a half-life is the logarithm of the decay, which falls where the half-life rises.
        turn = np.array([-1.0 if kind == "half_life" else 1.0 for kind in kinds])
        return Joint(
            tuple(fit.covariance_paths),
            tuple(kind in ("half_life", "factor") for kind in kinds),
            np.array([fit.parameters[path].estimate for path in fit.covariance_paths]),
            fit.covariance * turn[:, None] * turn[None, :],
        )

    def among(self, values: Mapping[str, float]) -> Joint:
        """The law of those numbers that stand at their estimates in `values`: what was changed since is left out."""
        kept = [
            k
            for k, path in enumerate(self.paths)
            if path in values and math.isclose(values[path], self.estimate[k], rel_tol=SAME, abs_tol=1e-12)
        ]
        return Joint(
            tuple(self.paths[k] for k in kept), tuple(self.is_log[k] for k in kept), self.estimate[kept],
            self.covariance[np.ix_(kept, kept)],
        )  # fmt: skip

    def draw(self, sets: int, seed: int) -> list[dict[str, float]]:
        """`sets` sets of values by key path."""
        if not self.paths:
            return [{} for _ in range(sets)]
        rng = np.random.default_rng([seed, sets, 0x6A6F696E])
        log = np.array(self.is_log)
        centre = self.estimate.copy()
        centre[log] = np.log(centre[log])
        spread, axes = np.linalg.eigh(0.5 * (self.covariance + self.covariance.T))
        root = axes * np.sqrt(np.maximum(spread, 0.0))
        found = centre + rng.standard_normal((sets, len(centre))) @ root.T
        for _ in range(ROUNDS):
            below = np.flatnonzero((found[:, ~log] < 0.0).any(axis=1))
            if not len(below):
                break
            found[below] = centre + rng.standard_normal((len(below), len(centre))) @ root.T
        found[:, ~log] = np.maximum(found[:, ~log], 0.0)
        found[:, log] = np.exp(found[:, log])
        return [dict(zip(self.paths, row, strict=True)) for row in found.tolist()]

    def text(self) -> str:
        """As a file keeps it: JSON that `read` reads to the same bits."""
        numbers = [
            {"path": path, "scale": "log" if log else "as it is", "estimate": value}
            for path, log, value in zip(self.paths, self.is_log, self.estimate.tolist(), strict=True)
        ]
        rows = ",\n  ".join(json.dumps(row) for row in self.covariance.tolist())
        listed = ",\n  ".join(json.dumps(number) for number in numbers)
        return f'{{"powderkeg covariance": 1,\n "numbers": [\n  {listed}],\n "covariance": [\n  {rows}]}}\n'


def place_beside(scenario: Path) -> Path:
    """Where the law of a fitted scenario is kept: `fitted.covariance.json` beside `fitted.yaml`."""
    return scenario.with_suffix(".covariance.json")


def read(path: Path) -> Joint:
    """The law that a file keeps. Raises UsageError, naming the file, for one that does not hold it."""

    def fault(
        found: str, expected: str = "the file that `powderkeg fit --out` wrote beside its scenario"
    ) -> UsageError:
        return UsageError(Fault(str(path), None, "", found, expected))

    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise fault(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise fault("not JSON") from error
    try:
        if data["powderkeg covariance"] != 1:
            raise fault(f"version {data['powderkeg covariance']}", "version 1")
        paths = tuple(str(number["path"]) for number in data["numbers"])
        scales = [number["scale"] for number in data["numbers"]]
        estimate = np.array([number["estimate"] for number in data["numbers"]], dtype=np.float64)
        covariance = np.array(data["covariance"], dtype=np.float64).reshape(len(paths), len(paths))
    except (KeyError, TypeError, ValueError) as error:
        raise fault("no numbers with their covariance") from error
    log = np.array([scale == "log" for scale in scales], bool)
    if set(scales) - {"log", "as it is"} or len(set(paths)) < len(paths):
        raise fault("no numbers with their covariance")
    if not (np.isfinite(estimate).all() and np.isfinite(covariance).all() and (estimate[log] > 0).all()):
        raise fault("numbers that no fit gives")
    least = float(np.linalg.eigvalsh(covariance).min(initial=0.0))
    if not np.allclose(covariance, covariance.T) or least < -1e-8 * float(np.abs(covariance).max(initial=1.0)):
        raise fault("a matrix that is no covariance")
    return Joint(paths, tuple(log.tolist()), estimate, covariance)
