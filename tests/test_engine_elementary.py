"""Logarithm, exponential and cosine are right to the last place but one, and the same bits without the compiler."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from powderkeg.engine.elementary import cosine_of_turns, exponential, logarithm

SOME = np.random.default_rng(1).random(20_000)
EDGES = np.array([2.0**-53, 0.5**0.5, np.nextafter(0.5**0.5, 1.0), 1.0 - 2.0**-53, 1.0, 1e-300, 2.3e-308, 1e300])


def places_off(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    return float(np.max(np.abs(found - true) / np.spacing(np.abs(true))))


def test_a_logarithm_is_within_one_unit_in_the_last_place() -> None:
    x = np.concatenate([SOME + 1e-16, EDGES, np.exp(700.0 * (2.0 * SOME - 1.0))])
    assert places_off(np.array([logarithm(v) for v in x]), np.array([math.log(v) for v in x])) <= 1.0


def test_an_exponential_is_within_one_unit_in_the_last_place() -> None:
    x = np.concatenate([-50.0 * SOME, 1450.0 * SOME - 744.0, [0.0, -0.0, 1.0, -745.0, 709.7]])
    assert places_off(np.array([exponential(v) for v in x]), np.array([math.exp(v) for v in x])) <= 1.0
    assert exponential(-746.0) == exponential(-math.inf) == 0.0
    assert exponential(710.0) == math.inf


def test_a_cosine_of_turns_is_exact_at_quarters_and_close_elsewhere() -> None:
    assert [cosine_of_turns(q / 4) for q in range(-5, 6)] == [0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0]
    assert max(abs(cosine_of_turns(v) - math.cos(2.0 * math.pi * v)) for v in SOME) < 1e-15
    assert cosine_of_turns(1e9 + 0.125) == cosine_of_turns(0.125)


@pytest.mark.parametrize("function", [logarithm, exponential, cosine_of_turns])
def test_the_bits_are_the_same_without_the_compiler(function: Callable[[float], float]) -> None:
    plain: Any = getattr(function, "py_func", function)
    for x in [*SOME[:2000].tolist(), *EDGES[:5].tolist()]:
        assert float(plain(np.float64(x))).hex() == float(function(x)).hex()
