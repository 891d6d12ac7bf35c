"""Many coefficients by day: the climb that looks at curvature type by type ends where the one of all of it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.hawkes import by_blocks, by_day

N, DAYS = 8, 400.0


def history(seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """(days by type, mean answers): circles of answers within a day, links not there, a type without events."""
    draw = np.random.default_rng(seed)
    answers = np.where(draw.random((N, N)) < 0.35, 0.2, 0.0)
    answers[-1] = answers[:, -1] = 0.0
    answers *= 0.6 / np.abs(np.linalg.eigvals(answers)).max()
    rates = np.full(N, 0.08)
    rates[-1] = 0.0
    runs = pk.simulate(pk.from_arrays(rates, answers, 1.5), days=DAYS, replicates=1, seed=seed)
    return [np.floor(np.sort(runs.time[runs.channel == i])) for i in range(N)], answers


WAYS: dict[str, dict[str, Any]] = {
    "decay known": {"decays": 1.5},
    "decay sought": {},
    "two half-lives": {"decays": [3.0, 0.3]},
    "pairs allowed": {"decays": 1.5, "support": history(4)[1] > 0},
    "a background in pieces": {"decays": 1.5, "background": 3},
    "links charged": {"decays": 1.5, "penalty": 1.0},
    "links chosen": {"decays": 1.5, "penalty": "bic"},
}
SHORT = ("two half-lives", "links charged")
"""Where the climb with all curvature stops some 1e-4 nats short."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::powderkeg.PowderkegWarning")
def test_blocks_lead_to_the_same_top(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere lower. Where the other climb stops some 1e-4 nats short of the top, estimates differ by as little."""
    times, _ = history(4)
    whole = pk.hawkes(times, days=DAYS, likelihood="day", **WAYS[way])
    climbs = []

    def counted(*given: Any) -> by_blocks.BlockTop:
        climbs.append(by_blocks.climb_by_blocks(*given))
        return climbs[-1]

    monkeypatch.setattr(by_day, "BY_BLOCKS", 0)
    monkeypatch.setattr(by_day, "climb_by_blocks", counted)
    blocks = pk.hawkes(times, days=DAYS, likelihood="day", **WAYS[way])
    assert climbs
    assert -1e-3 < whole.log_likelihood - blocks.log_likelihood < 2e-6
    near = 5e-3 if way in SHORT else 2e-4
    assert (blocks.converged, blocks.warnings) == (whole.converged, whole.warnings)
    np.testing.assert_allclose(blocks.components, whole.components, atol=near)
    np.testing.assert_allclose(blocks.baseline, whole.baseline, atol=near)
    np.testing.assert_allclose(np.asarray(blocks.decay), np.asarray(whole.decay), rtol=1e-3)
    if whole.adjacency_se is not None and blocks.adjacency_se is not None:
        one, other = (np.asarray(fit.adjacency_se, np.float64) for fit in (blocks, whole))
        np.testing.assert_allclose(one, other, rtol=10 * near, atol=near)


def test_what_blocks_do_not_see_is_learnt() -> None:
    """A quadratic whose types pull at each other, one of them against its bound: solved as by algebra."""
    draw = np.random.default_rng(1)
    root = draw.normal(size=(12, 12))
    bent = root @ root.T / 12.0 + 0.1 * np.eye(12)
    top = draw.uniform(0.5, 1.5, 12)
    top[3] = -0.8
    starts = np.arange(0, 13, 3)

    looks = []

    def slope(x: np.ndarray) -> tuple[float, np.ndarray]:
        looks.append(x)
        return -0.5 * float((x - top) @ bent @ (x - top)), -bent @ (x - top)

    def curve(x: np.ndarray) -> by_blocks.Blocks:
        return by_blocks.Blocks(starts, tuple(bent[i : i + 3, i : i + 3] for i in starts[:-1]))

    found = by_blocks.climb_by_blocks(slope, curve, np.ones(12), np.zeros(12, bool), by_day.RULE)
    inside = found.parameters > 0
    expected = np.zeros(12)
    held = bent[np.ix_(inside, ~inside)] @ top[~inside]
    expected[inside] = top[inside] + np.linalg.solve(bent[np.ix_(inside, inside)], held)
    assert not inside[3] and (found.gradient[~inside] <= 0).all()
    np.testing.assert_allclose(found.parameters, expected, atol=1e-4)
    assert found.decrement < 1e-9
    assert len(looks) < 20  # 197 with nothing learnt, 21 and 27 with a sign of the correction turned


def test_more_than_memory_holds_is_refused_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_day, "MOST_COEFFICIENTS", 50)
    times, _ = history(4)
    with pytest.raises(pk.UsageError, match="72 coefficients by day"):
        pk.hawkes(times, days=DAYS, likelihood="day", decays=1.5)
