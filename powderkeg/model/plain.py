"""Models from bare arrays: a plain multivariate exponential process, without actors, facts or a scenario.

In: background rates, a matrix of mean direct offspring, decays. Out: a `Model`, so that simulation, fits and
attribution work on it as on any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from powderkeg.engine.arrays import Floats, Ints, System
from powderkeg.errors import ModelError
from powderkeg.model.parts import Channel, Model


def from_arrays(
    rate: ArrayLike,
    excitation: Any,
    decay: ArrayLike,
    *,
    share: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> Model:
    """A multivariate process with exponential kernels.

    rate        (C,) events/day with no past
    excitation  (C, C) mean direct offspring [source, target], dense or scipy.sparse; or a sequence of K such matrices
    decay       1/day: one number for all; (K,) one for each of K matrices; (K,) with `share`: a sum of exponentials for
                every pair; (C, C) one for each pair (one mechanism for each distinct value)
    share       (K,) share of each decay in every kernel, summing to 1
    names       (C,) names of the channels, by default channel_0, channel_1, ...

    Raises ModelError if shapes disagree or a number is negative or not finite.
    """
    from scipy import sparse  # a third of a second, and models of scenarios do without

    rates = np.array(rate, dtype=np.float64).reshape(-1)
    size = len(rates)
    if size == 0:
        raise ModelError("no channels: rate is empty; expected one rate for each channel")
    _must_be_finite("rate", rates)
    decays = np.array(decay, dtype=np.float64)
    _must_be_finite("decay", decays)
    if (decays <= 0).any():
        raise ModelError(f"decay {decays.min():g}; expected more than 0 per day")
    many = isinstance(excitation, (list, tuple)) and len(excitation) > 0 and np.ndim(excitation[0]) == 2
    many = many or (not sparse.issparse(excitation) and np.ndim(excitation) == 3)
    matrices = [_entries(matrix, size) for matrix in (excitation if many else [excitation])]

    shares: list[list[float]]
    kernels: list[list[float]]
    if share is not None:
        parts = np.array(share, dtype=np.float64).reshape(-1)
        if many or decays.shape != parts.shape or (parts < 0).any() or abs(parts.sum() - 1.0) > 1e-9:
            raise ModelError(
                f"share of shape {parts.shape} summing to {parts.sum():g}; expected one matrix, and for each decay a "
                "share of at least 0, summing to 1"
            )
        kernels, shares = [decays.tolist()], [parts.tolist()]
    elif decays.ndim == 2 and not many:
        if decays.shape != (size, size):
            raise ModelError(f"decay of shape {decays.shape}; expected ({size}, {size}), one for each pair of channels")
        (source, target, mass) = matrices[0]
        values, kind = np.unique(decays[source, target], return_inverse=True)
        matrices = [(source[kind == k], target[kind == k], mass[kind == k]) for k in range(len(values))]
        kernels, shares = [[value] for value in values.tolist()], [[1.0] for _ in values]
    else:
        if decays.size not in (1, len(matrices)) or decays.ndim > 1:
            raise ModelError(
                f"decay of shape {decays.shape} for {len(matrices)} matrices; expected one decay, or one for each"
            )
        kernels = [[value] for value in np.broadcast_to(decays.reshape(-1), len(matrices)).tolist()]
        shares = [[1.0] for _ in matrices]
    return _model(rates, matrices, kernels, shares, names)


def _entries(matrix: Any, size: int) -> tuple[Ints, Ints, Floats]:
    """Source, target and mass of every positive entry."""
    from scipy import sparse

    coo = sparse.coo_array(matrix if sparse.issparse(matrix) else np.array(matrix, dtype=np.float64, ndmin=2))
    if coo.shape != (size, size):
        raise ModelError(f"excitation of shape {coo.shape}; expected ({size}, {size}) for {size} rates")
    coo.sum_duplicates()
    mass = coo.data.astype(np.float64)
    _must_be_finite("excitation", mass)
    keep = mass > 0
    return coo.row[keep].astype(np.int64), coo.col[keep].astype(np.int64), mass[keep]


def _must_be_finite(name: str, values: Floats) -> None:
    """Raises ModelError at a number that is negative, infinite or no number."""
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        raise ModelError(f"{name} holds {values[wrong].flat[0]:g}; expected finite numbers of at least 0")


def _model(
    rates: Floats,
    matrices: list[tuple[Ints, Ints, Floats]],
    kernels: list[list[float]],
    shares: list[list[float]],
    names: Sequence[str] | None,
) -> Model:
    size, n_edges = len(rates), sum(len(mass) for _, _, mass in matrices)
    labels = tuple(names) if names is not None else tuple(f"channel_{index}" for index in range(size))
    if len(labels) != size or len(set(labels)) != size:
        raise ModelError(f"{len(labels)} names for {size} rates; expected a different name for each channel")
    source = np.concatenate([source for source, _, _ in matrices]) if matrices else np.zeros(0, dtype=np.int64)
    order = np.argsort(source, kind="stable")
    mechanism = np.repeat(np.arange(len(matrices)), [len(mass) for _, _, mass in matrices])
    nothing, no_index = np.zeros(size + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    no_number = np.zeros(0)
    system = System(
        initial_level=no_index,
        level_start=np.zeros(1, dtype=np.int64),
        rate=rates,
        profile=np.full(size, -1, dtype=np.int64),
        background_gate=np.zeros(size, dtype=np.int64),
        channel_gate=np.zeros(size, dtype=np.int64),
        profile_start=np.zeros(1, dtype=np.int64),
        step_time=no_number,
        step_value=no_number,
        profile_swing=no_number,
        profile_peak=no_number,
        edge_start=np.concatenate([[0], np.cumsum(np.bincount(source, minlength=size))]).astype(np.int64),
        edge_target=np.concatenate([target for _, target, _ in matrices])[order],
        edge_mechanism=mechanism[order].astype(np.int64),
        edge_mass=np.concatenate([mass for _, _, mass in matrices])[order],
        edge_gate=np.zeros(n_edges, dtype=np.int64),
        kernel_start=np.concatenate([[0], np.cumsum([len(kernel) for kernel in kernels])]).astype(np.int64),
        kernel_share=np.concatenate([*shares, []]),
        kernel_decay=np.concatenate([*kernels, []]),
        row_start=np.zeros(2, dtype=np.int64),
        entry_fact=no_index,
        entry_offset=no_index,
        level_factor=no_number,
        effect_start=nothing,
        effect_fact=no_index,
        effect_level=no_index,
        effect_probability=no_number,
        timer_start=np.zeros(1, dtype=np.int64),
        timer_delay=no_number,
        timer_is_fixed=np.zeros(0, dtype=np.bool_),
        timer_channel=no_index,
        calm_decay=no_number,
        calm_add_start=nothing,
        calm_add_index=no_index,
        calm_add_amount=no_number,
        calm_low_start=nothing,
        calm_low_index=no_index,
        calm_low_strength=no_number,
    )
    nobody = np.zeros(size, dtype=np.bool_)
    return Model(
        scenario=None,
        system=system,
        channels=tuple(Channel(None, label, None) for label in labels),
        n_acts=size,
        mechanisms=tuple(f"kernel_{index}" for index in range(len(kernels))),
        facts=(),
        levels=(),
        n_own_facts=0,
        parameters=(),
        rate_parameter=np.full(size, -1, dtype=np.int64),
        edge_parameter=np.full(n_edges, -1, dtype=np.int64),
        edge_weight=system.edge_mass.copy(),
        kernel_parameter=np.full(len(system.kernel_decay), -1, dtype=np.int64),
        factor_parameter=no_index,
        heat=np.zeros(size),
        hurts=np.zeros(size, dtype=np.int64),
        goldstein=np.full(size, np.nan),
        counted=nobody,
        opens=nobody,
        resolves=nobody,
        suspends=nobody,
    )
