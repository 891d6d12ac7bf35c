"""What a fit left open, as one law of all its numbers together.

In: a `Fit`, or the file in which its law was kept. Out: a `Joint`: sets of values drawn from it. Estimates hang
together: where two mechanisms share out the same answers, one is high where the other is low, and their ranges, each by
itself, would let both be high at once.
The law is normal around the estimates, with the fit's covariance, on the scales of the fit: rates and answers as they
are, cut off at 0; factors and half-lives by their logarithms. What is estimated as 0 has a slope too: how fast the
likelihood falls from there (`maximum.bounded`). A fit with `uncertainty="posterior"` has draws in place of that law,
from the likelihood itself: they are kept, and drawing takes from them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.fit.maximum.bounded import draw_bounded
from powderkeg.fit.result import Fit
from powderkeg.model.parting import joined, part_of, part_values
from powderkeg.reading.stored import (
    AnyShape,
    ListShape,
    MappingShape,
    NumberShape,
    RecordShape,
    TextShape,
    checked,
    read_stored,
    said,
    seal_of,
)
from powderkeg.scenario import Scenario, digest
from powderkeg.scenario import paths as paths_of

VERSION = 3
"""1 had neither seal nor scenario, 2 nothing of what is estimated as 0; both are still read."""
WITH_DRAWS = 4
"""Version of a file that holds draws; all others are written as the one before."""
KEPT = 1_000
"""Draws of a posterior that are kept."""
WRITTEN = "the file that `powderkeg fit --out` wrote beside its scenario"
_DIGEST = TextShape(pattern=r"([0-9a-f]{64})?", words="a SHA-256 digest")
_PARTS = {
    "numbers": ListShape(
        RecordShape({"path": TextShape(), "scale": TextShape(choices=("log", "as it is")), "estimate": NumberShape()})
    ),
    "covariance": ListShape(ListShape(NumberShape())),
}
_SHAPES = {
    1: RecordShape({"powderkeg covariance": AnyShape(), **_PARTS}),
    2: RecordShape({"powderkeg covariance": AnyShape(), "scenario": _DIGEST, "seal": _DIGEST, **_PARTS}),
    3: RecordShape(
        {
            "powderkeg covariance": AnyShape(), "scenario": _DIGEST, "seal": _DIGEST,
            "numbers": ListShape(
                RecordShape(
                    {"path": TextShape(), "scale": TextShape(choices=("log", "as it is")), "estimate": NumberShape(),
                     "slope": NumberShape()}
                )
            ),
            "covariance": _PARTS["covariance"],
        }
    ),
}  # fmt: skip
_SHAPES[WITH_DRAWS] = RecordShape({**_SHAPES[VERSION].fields, "draws": ListShape(ListShape(NumberShape()))})

SAME = 1e-9
"""Relative difference up to which a value is the estimate: files round."""


@dataclass(frozen=True)
class Joint:
    """A law of K numbers by key path.

    estimate    (K,) in the scenario's units: per day, days, or bare numbers
    is_log      (K,) whether the scale is that of the logarithm
    covariance  (K, K) on these scales
    scenario    digest of the fitted scenario, "" where it is not known
    slope       (K,) fall of the log likelihood per unit, of what is estimated as 0; 0 elsewhere
    draws       (D, K) even draws in the scenario's units, in place of the law; None where the law is drawn from
    """

    paths: tuple[str, ...]
    is_log: tuple[bool, ...]
    estimate: Floats
    covariance: Floats
    scenario: str = ""
    slope: Floats = field(default_factory=lambda: np.zeros(0))
    draws: Floats | None = None

    def __post_init__(self) -> None:
        if len(self.slope) != len(self.paths):
            object.__setattr__(self, "slope", np.zeros(len(self.paths)))

    @staticmethod
    def of(fit: Fit) -> Joint:
        """What a fit left open; numbers at a bound other than 0, or that the events could not tell, are not in it."""
        paths, matrix, slope = with_all_parts(fit, *fit.law_by_path())
        kinds = [fit.parameters[path].kind if path in fit.parameters else "factor" for path in paths]
        written = paths_of(fit.scenario)
        # The fit's own scale for a half-life is the logarithm of the decay, which falls where the half-life rises.
        turn = np.array([-1.0 if kind == "half_life" else 1.0 for kind in kinds])
        estimate = np.array([fit.parameters[p].estimate if p in fit.parameters else float(written[p]) for p in paths])
        return Joint(
            paths,
            tuple(kind in ("half_life", "factor") for kind in kinds),
            estimate,
            matrix * turn[:, None] * turn[None, :],
            digest(fit.scenario),
            slope,
            _draws_of(fit, paths, estimate),
        )

    def among(self, values: Mapping[str, float]) -> Joint:
        """The law of those numbers that stand at their estimates in `values`: what was changed since is left out.

        values  by key path, the answers of single half-lives included (`model.parting.part_values`); of a mechanism all
                of them stand or none
        """
        moved = {
            path
            for k, path in enumerate(self.paths)
            if not (path in values and math.isclose(values[path], self.estimate[k], rel_tol=SAME, abs_tol=1e-12))
        }
        broken = {part[0] for path in moved if (part := part_of(path)) is not None}
        kept = [
            k
            for k, path in enumerate(self.paths)
            if path not in moved and ((part := part_of(path)) is None or part[0] not in broken)
        ]
        return Joint(
            tuple(self.paths[k] for k in kept), tuple(self.is_log[k] for k in kept), self.estimate[kept],
            self.covariance[np.ix_(kept, kept)], self.scenario, self.slope[kept],
            None if self.draws is None else self.draws[:, kept],
        )  # fmt: skip

    @property
    def drawn(self) -> tuple[str, ...]:
        """Key paths of what `draw` gives: of a mechanism its answers and the shares of its half-lives."""
        return tuple(joined(dict.fromkeys(self.paths, 1.0)))

    def draw(self, sets: int, seed: int, apart: bool = False) -> list[dict[str, float]]:
        """`sets` sets of values by key path: those of a scenario; `apart`: with the answers of each half-life."""
        if not self.paths:
            return [{} for _ in range(sets)]
        rng = np.random.default_rng([seed, sets, 0x6A6F696E])
        if self.draws is not None:
            # each as often as any other, but for the last round
            at = np.concatenate([rng.permutation(len(self.draws)) for _ in range(-(-sets // len(self.draws)))])[:sets]
            return self._rows(self.draws[at], apart)
        log = np.array(self.is_log)
        centre = self.estimate.copy()
        centre[log] = np.log(centre[log])
        found = draw_bounded(centre, self.covariance, self.slope, ~log, sets, rng)
        found[:, log] = np.exp(found[:, log])
        return self._rows(found, apart)

    def _rows(self, found: Floats, apart: bool) -> list[dict[str, float]]:
        rows = [dict(zip(self.paths, row, strict=True)) for row in found.tolist()]
        return rows if apart else [joined(row) for row in rows]

    def text(self) -> str:
        """As a file keeps it: JSON that `read` reads to the same bits."""
        numbers = [
            {"path": path, "scale": "log" if log else "as it is", "estimate": value, "slope": slope}
            for path, log, value, slope in zip(
                self.paths, self.is_log, self.estimate.tolist(), self.slope.tolist(), strict=True
            )
        ]
        matrix = self.covariance.tolist()
        rows = ",\n  ".join(json.dumps(row) for row in matrix)
        listed = ",\n  ".join(json.dumps(number) for number in numbers)
        version = VERSION if self.draws is None else WITH_DRAWS
        about = f'"powderkeg covariance": {version},\n "scenario": "{self.scenario}"'
        sealed, more = [self.scenario, numbers, matrix], ""
        if self.draws is not None:
            sealed.append(self.draws.tolist())
            more = ',\n "draws": [\n  ' + ",\n  ".join(json.dumps(row) for row in self.draws.tolist()) + "]"
        seal = seal_of(sealed)
        return f'{{{about},\n "seal": "{seal}",\n "numbers": [\n  {listed}],\n "covariance": [\n  {rows}]{more}}}\n'


def with_all_parts(
    fit: Fit, paths: tuple[str, ...], matrix: Floats, slope: Floats
) -> tuple[tuple[str, ...], Floats, Floats]:
    """The law with every half-life's answers of the mechanisms in it: those that are known for sure have no spread."""
    names = {part[0] for path in paths if (part := part_of(path)) is not None}
    parts = [path for path in fit.parameters if (part := part_of(path)) is not None and part[2] == "answers"]
    more = [path for path in parts if path.split(".")[1] in names and path not in paths]
    n, k = len(paths), len(more)
    whole = np.zeros((n + k, n + k))
    whole[:n, :n] = matrix
    return (*paths, *more), whole, np.append(slope, np.zeros(k))


def _draws_of(fit: Fit, paths: tuple[str, ...], estimate: Floats) -> Floats | None:
    """(D, K) even draws of a fit that has them, what they do not vary at its estimate."""
    if fit.drawn is None:
        return None
    even = fit.drawn.values[fit.drawn.even(KEPT)]
    found = np.tile(estimate, (len(even), 1))
    for k, path in enumerate(paths):
        if path in fit.drawn.paths:
            found[:, k] = even[:, fit.drawn.paths.index(path)]
    return found


def place_beside(scenario: Path) -> Path:
    """Where the law of a fitted scenario is kept: `fitted.covariance.json` beside `fitted.yaml`."""
    return scenario.with_suffix(".covariance.json")


def read(path: Path) -> Joint:
    """The law that a file keeps.

    Raises UsageError, naming file, place, what is there and what is expected, for one that does not hold it.
    """
    data = _data(path)
    numbers, matrix = data["numbers"], data["covariance"]
    paths = tuple(number["path"] for number in numbers)
    log = np.array([number["scale"] == "log" for number in numbers], bool)
    estimate = np.array([number["estimate"] for number in numbers], np.float64)
    faults = [
        Fault(str(path), None, f"numbers[{k}].path", f"{name!r} a second time", "each number once")
        for k, name in enumerate(paths)
        if name in paths[:k]
    ]
    slope = np.array([number.get("slope", 0.0) for number in numbers], np.float64)
    faults += [
        Fault(str(path), None, f"numbers[{k}].slope", f"{value:g}", "0, or above it where the estimate is 0")
        for k, (value, at) in enumerate(zip(slope, estimate, strict=True))
        if value < 0 or (value > 0 and at > SAME)
    ]
    faults += [
        Fault(str(path), None, f"numbers[{k}].estimate", f"{value:g}", f"{'above' if is_log else 'not below'} 0")
        for k, (value, is_log) in enumerate(zip(estimate, log, strict=True))
        if value < 0 or (is_log and value == 0)
    ]
    ragged = [k for k, row in enumerate(matrix) if len(row) != len(paths)]
    if len(matrix) != len(paths):
        faults.append(Fault(str(path), None, "covariance", f"{len(matrix):,} rows", f"{len(paths):,}, one a number"))
    elif ragged:
        found = f"a row of {len(matrix[ragged[0]]):,}"
        faults.append(Fault(str(path), None, f"covariance[{ragged[0]}]", found, f"{len(paths):,}, one a number"))
    draws = _draws_in(path, data, len(paths), faults)
    if faults:
        raise UsageError(faults)
    covariance = np.array(matrix, np.float64).reshape(len(paths), len(paths))
    if not _is_covariance(covariance):
        raise UsageError(Fault(str(path), None, "covariance", "a matrix that is no covariance", WRITTEN))
    return Joint(paths, tuple(log.tolist()), estimate, covariance, data.get("scenario", ""), slope, draws)


def _draws_in(path: Path, data: Mapping[str, Any], count: int, faults: list[Fault]) -> Floats | None:
    """The draws that a file holds; faults are added."""
    rows = data.get("draws")
    if rows is None:
        return None
    ragged = [k for k, row in enumerate(rows) if len(row) != count or min(row, default=0.0) < 0.0]
    if not rows or ragged:
        where = f"draws[{ragged[0]}]" if ragged else "draws"
        faults.append(Fault(str(path), None, where, "no set of its numbers", f"{count:,} numbers, none below 0"))
        return None
    return np.array(rows, np.float64).reshape(len(rows), count)


def read_beside(scenario: Scenario, path: Path) -> Joint:
    """The law of a scenario as its file has it, from the file beside it.

    A scenario that was edited since the fit keeps the law of the numbers that were left alone (`among`); one that has
    none of them, or lacks one by name, is of another fit.

    Raises UsageError if the two files do not belong together, and as `read`.
    """
    found = read(path)
    if found.scenario == digest(scenario):
        return found
    known: dict[str, Any] = {**paths_of(scenario), **part_values(scenario)}
    strange = [(f"numbers[{k}].path", name) for k, name in enumerate(found.paths) if name not in known]
    faults = [
        Fault(str(path), None, at, f"{name!r}, which is not in the scenario", "its names", nearest_name(name, known))
        for at, name in strange
    ]
    values = {name: value for name in found.paths if (value := _number(known.get(name))) is not None}
    if not faults and found.paths and not found.among(values).paths:
        told = "none of its numbers stands at its estimate in the scenario beside it"
        faults.append(Fault(str(path), None, "", told, "the two files of one `powderkeg fit --out`"))
    if faults:
        raise UsageError(faults)
    return found


def _number(value: Any) -> float | None:
    """A value of a scenario as a float, None for what is no number."""
    value = getattr(value, "value", value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _data(path: Path) -> dict[str, Any]:
    """What the file says, in its declared shape."""
    try:
        data: dict[str, Any] = read_stored(path, MappingShape(AnyShape()), WRITTEN)
    except FileNotFoundError as error:
        raise UsageError(Fault(str(path), None, "", "no such file", WRITTEN)) from error
    version = data.get("powderkeg covariance")
    if not (isinstance(version, int) and not isinstance(version, bool) and version in _SHAPES):
        found = "no version" if version is None else f"version {said(version)}"
        raise UsageError(
            Fault(str(path), None, "powderkeg covariance", found, f"{WRITTEN}, of version 1 to {WITH_DRAWS}")
        )
    checked(data, _SHAPES[version], str(path), WRITTEN)
    sealed = [data[key] for key in ("scenario", "numbers", "covariance", "draws") if key in data]
    if "seal" in data and data["seal"] != seal_of(sealed):
        raise UsageError(Fault(str(path), None, "seal", "the file has been changed since it was written", WRITTEN))
    return data


def _is_covariance(matrix: Floats) -> bool:
    """Symmetric, and no combination of the numbers has a variance below 0, but for rounding."""
    size = float(np.abs(matrix).max(initial=0.0))
    if size == 0.0:
        return True
    # Numbers near the end of what a float holds would overflow in the decomposition.
    scaled = matrix / size
    try:
        least = float(np.linalg.eigvalsh(0.5 * (scaled + scaled.T)).min(initial=0.0))
    except np.linalg.LinAlgError:
        return False
    return bool(np.allclose(scaled, scaled.T, atol=1e-12)) and least >= -1e-8
