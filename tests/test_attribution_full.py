"""Attribution at full size, against histories of a Kosovo-like system from a simulator of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration import Score, Truth, drawn, model_of, score
from fit_systems import small

import powderkeg as pk
from powderkeg.attribute.result import Attribution
from powderkeg.model import Model

DAYS = 7_300.0


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(small())


def attributed(model: Model, truth_model: Model, n: int, seed: int, by_day: bool, fitted: bool = False) -> Score:
    found: list[Attribution] = []
    truths: list[Truth] = []
    for k in range(n):
        table, truth = drawn(small(), truth_model, DAYS, seed * 10_007 + k, by_day)
        if fitted:
            fit = pk.fit(model, table, background="scenario", test_mechanisms=False)
            found.append(pk.attribute(fit, forests=10, draws=1))
        else:
            found.append(pk.attribute(model, table, forests=10))
        truths.append(truth)
    return score(found, truths)


@pytest.mark.nightly
@pytest.mark.parametrize(("by_day", "n", "allowed"), [(False, 60, 0.016), (True, 30, 0.036)])
def test_full_size_calibration(model: Model, seed: int, by_day: bool, n: int, allowed: float) -> None:
    """60 records of twenty years (30 by day): Hosmer-Lemeshow p > 1e-4 (exact times), the worst bin of any mechanism
    p > 1e-4 (Bonferroni), mean error of the share drawn in below 0.016 (0.036 by day), the likeliest cause right as
    often as stated. False alarm below 1e-3 in all; the planted error below fails the same bounds."""
    s = attributed(model, model, n, seed, by_day)
    if not by_day:
        assert s.hosmer_lemeshow > 1e-4
    assert s.links_p > 1e-4
    assert abs(s.drawn_in.mean()) < allowed
    assert abs(s.root_error.mean()) < 4.5 * s.root_error.std(ddof=1) / np.sqrt(n)
    assert abs(s.likeliest - s.likeliest_stated) < 0.01


@pytest.mark.nightly
def test_full_size_with_fitted_parameters(model: Model, seed: int) -> None:
    """Twenty records, each attributed under what was fitted to it: mean error of the share drawn in below 0.03."""
    s = attributed(model, model, 20, seed + 1, False, fitted=True)
    assert abs(s.drawn_in.mean()) < 0.03
    assert abs(s.root_error.mean()) < 0.03


@pytest.mark.nightly
@pytest.mark.parametrize("by_day", [False, True])
def test_wrong_half_lives_are_noticed_at_full_size(model: Model, seed: int, by_day: bool) -> None:
    """The planted error: half-lives a fifth and five times as long as those that made the record."""
    factor = np.where(np.arange(len(model.system.kernel_decay)) % 2, 5.0, 0.2)
    off = replace(model, system=model.system._replace(kernel_decay=model.system.kernel_decay * factor))
    s = attributed(off, model, 20, seed, by_day)
    if not by_day:
        assert s.hosmer_lemeshow < 1e-4
    assert s.links_p < 1e-6
