"""How sure the coefficients are: from the observed information at the maximum.

In: a point of `exact` or `days`. Out: a `StandardErrors`: standard errors, intervals, and the variance of any sum of
coefficients. Errors of unknown decays are carried into those of the coefficients.

A coefficient off its bound has Wald's interval, cut at 0. One at 0 has none; its upper end is where a parabola with the
slope and the curvature that the log-likelihood has there has fallen by z^2 / 2, the others following: the profile
likelihood to second order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from powderkeg.engine.arrays import Floats
from powderkeg.hawkes.by_day import DayLikelihood, DayPoint
from powderkeg.hawkes.exact import ExactLikelihood, Point

LEAST_CURVATURE = 1e-12
"""Relative curvature below which the information says nothing of a direction."""
SURE = 1e-6
"""Reciprocal condition number from which every eigenvalue is clear of 0."""


@dataclass(frozen=True)
class StandardErrors:
    """se (P,) nan at the bound or where nothing is known; bound_curvature (P,) curvature of those at the bound, the
    others following, nan elsewhere; gradient (P,); decays (G, G) covariance of the log decays, nan where unknown;
    variance  of the sum of weights (P,) times coefficients."""

    a: Floats
    se: Floats
    bound_curvature: Floats
    gradient: Floats
    decays: Floats
    variance: Callable[[Floats], float]

    def ends(self, z: float) -> tuple[Floats, Floats]:
        """(low, high) of every coefficient; nan where nothing is known."""
        low, high = np.maximum(self.a - z * self.se, 0.0), self.a + z * self.se
        slope, curve = np.minimum(self.gradient, 0.0), self.bound_curvature
        bound = np.isfinite(curve)
        reach = np.zeros_like(self.a)
        reach[bound] = (slope[bound] + np.sqrt(slope[bound] ** 2 + curve[bound] * z * z)) / curve[bound]
        return np.where(bound, 0.0, low), np.where(bound, reach, high)


def exact_spread(rows: ExactLikelihood, point: Point, decays_free: NDArray[np.bool_]) -> StandardErrors:
    """From the blocks of the channels; decays that are not free are taken as known."""
    d = rows.layout
    p, g = d.n_coefficients, d.n_decays
    covariance = np.full((g, g), np.nan)
    free_decays = np.flatnonzero(decays_free & (np.abs(np.diag(point.curve)) > LEAST_CURVATURE))
    lean = np.zeros((p, 0))
    inner = np.zeros((0, 0))
    if len(free_decays):
        inner, kept = _inverse(-point.curve[np.ix_(free_decays, free_decays)])
        free_decays, inner = free_decays[kept], inner[np.ix_(kept, kept)]
        covariance[np.ix_(free_decays, free_decays)] = inner
        lean = point.lean[:, free_decays]
    se, bent = np.full(p, np.nan), np.full(p, np.nan)
    blocks: list[tuple[slice, NDArray[np.intp], Floats]] = []
    for i in range(d.n_types):
        here = d.of(i)
        hessian = rows.hessian_of(point, i)
        at = point.a[here]
        held = rows.held[here] != 0
        free = np.flatnonzero((at > 0) & ~held)
        block, kept_free = _inverse(hessian[np.ix_(free, free)])
        free, block = free[kept_free], block[np.ix_(kept_free, kept_free)]
        blocks.append((here, free, block))
        own = lean[here][free]
        se[here.start + free] = np.sqrt(np.diag(block) + np.einsum("ij,jk,ik->i", own, inner, own))
        bound = np.flatnonzero((at == 0) & ~held & (np.diag(hessian) > 0))
        across = hessian[np.ix_(bound, free)]
        bent[here.start + bound] = np.diag(hessian)[bound] - np.einsum("ij,jk,ik->i", across, block, across)
    bent[~(bent > 0)] = np.nan

    def variance(weights: Floats) -> float:
        total = sum(float(weights[here][free] @ block @ weights[here][free]) for here, free, block in blocks)
        pull = weights @ lean
        return float(total + pull @ inner @ pull)

    return StandardErrors(point.a, se, bent, point.gradient, covariance, variance)


def day_spread(rows: DayLikelihood, point: DayPoint, decays_free: NDArray[np.bool_]) -> StandardErrors:
    """From the whole Hessian over coefficients and free decays."""
    d = rows.layout
    p, g = d.n_coefficients, d.n_decays
    diagonal = -np.diag(point.hessian)
    at_bound = (point.a <= 1e-12) & ~rows.held
    free = np.flatnonzero(~at_bound & ~rows.held)
    if len(point.hessian) > p:
        moving = decays_free & (np.abs(diagonal[p:]) > LEAST_CURVATURE)
        free = np.concatenate([free, p + np.flatnonzero(moving)])
    # Thousands of coefficients: a matrix of all is some hundred megabytes, so each is written over.
    information = point.hessian[np.ix_(free, free)]
    inverse, kept = _inverse(np.negative(information, out=information))
    del information
    if len(kept) < len(free):
        free, inverse = free[kept], inverse[np.ix_(kept, kept)]
    se, bent, covariance = np.full(p, np.nan), np.full(p, np.nan), np.full((g, g), np.nan)
    coefficients = free < p
    se[free[coefficients]] = np.sqrt(np.diag(inverse)[coefficients])
    logs = np.flatnonzero(~coefficients)
    covariance[np.ix_(free[logs] - p, free[logs] - p)] = inverse[np.ix_(logs, logs)]
    bound = np.flatnonzero(at_bound & (diagonal[:p] > 0))
    across = point.hessian[np.ix_(bound, free)]
    bent[bound] = diagonal[bound] - ((across @ inverse) * across).sum(axis=1)
    bent[~(bent > 0)] = np.nan

    def variance(weights: Floats) -> float:
        w = np.where(coefficients, weights[np.where(coefficients, free, 0)], 0.0)
        return float(w @ inverse @ w)

    return StandardErrors(point.a, se, bent, point.gradient, covariance, variance)


def _inverse(information: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """(inverse, positions of which something is known); the rest has rows of nan. The information is written over."""
    n = len(information)
    diagonal = np.diag(information).copy()
    kept = np.flatnonzero(diagonal > LEAST_CURVATURE)
    if len(kept) == 0:
        return np.full((n, n), np.nan), kept
    scale = 1.0 / np.sqrt(diagonal[kept])
    scaled = information if len(kept) == n else information[np.ix_(kept, kept)]
    scaled *= scale[:, None]
    scaled *= scale[None, :]
    if (factor := definite(scaled)) is not None:
        whole, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
        for i in range(len(whole)):
            whole[i, i + 1 :] = whole[i + 1 :, i]
        whole *= scale[:, None]
        whole *= scale[None, :]
        if len(kept) == n:
            return whole, kept
        result = np.full((n, n), np.nan)
        result[np.ix_(kept, kept)] = whole
        return result, kept
    result = np.full((n, n), np.nan)
    values, vectors = np.linalg.eigh(scaled)
    flat = values < 1e-9
    # Whatever has a part in a direction without curvature is not known.
    blurred = (np.abs(vectors[:, flat]) > 1e-3).any(axis=1) if flat.any() else np.zeros(len(kept), bool)
    good = ~blurred
    sharp = np.where(flat, np.inf, values)
    inverse = (vectors / sharp) @ vectors.T * scale[:, None] * scale[None, :]
    kept = kept[good]
    result[np.ix_(kept, kept)] = inverse[np.ix_(good, good)]
    return result, kept


def definite(scaled: Floats) -> Floats | None:
    """Lower Cholesky factor of a matrix with 1 in its diagonal; None where some eigenvalue may be next to 0 or below.

    For thousands of coefficients eigenvalues take twenty times as long, and are asked for only where this is None.
    """
    try:
        factor = linalg.cholesky(scaled, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    most = float(linalg.lapack.dlange("1", scaled.T))  # its transpose, as LAPACK reads columns, is not copied
    share, _ = linalg.lapack.dpocon(factor, most, uplo="L")
    return np.asarray(factor) if share > SURE else None
