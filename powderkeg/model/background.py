"""Background: how the unprovoked rates of a scenario vary in time, as arrays.

In: the profiles of a `Scenario`. Out: the profile fields of `engine.arrays.System`, in days since the start.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from powderkeg.scenario import Scenario


def profiles(scenario: Scenario) -> dict[str, Any]:
    """profile_start, step_time, step_value, profile_swing, profile_peak; the first step of each profile is at -inf."""
    counts, times, values, swings, peaks = [], [], [], [], []
    for profile in scenario.profiles.values():
        days = [float((day - scenario.start).days) for day, _ in profile.steps]
        counts.append(max(len(days), 1))
        times += [-np.inf, *days[1:]]
        values += [float(factor) for _, factor in profile.steps] or [1.0]
        swings.append(float(profile.season.swing) if profile.season else 0.0)
        peaks.append(float(_days_to(scenario.start, *profile.season.peak)) if profile.season else 0.0)
    return {
        "profile_start": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "step_time": np.array(times, dtype=np.float64),
        "step_value": np.array(values, dtype=np.float64),
        "profile_swing": np.array(swings, dtype=np.float64),
        "profile_peak": np.array(peaks, dtype=np.float64),
    }


def _days_to(start: date, month: int, day: int) -> int:
    """Days from the start to that day of its year; 29 February counts as the 28th."""
    return (date(start.year, month, 28 if (month, day) == (2, 29) else day) - start).days
