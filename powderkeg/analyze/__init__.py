"""What happened, in a system's own terms: standoffs, outcomes, entanglement.

In: simulated runs or event tables. Out: Polars frames, one row for each thing told. Nothing here draws at random,
except ways in which an observed record may have come about.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from powderkeg.analyze.comparison import EpisodeComparison, compare_episodes
from powderkeg.analyze.entanglement import drawn_in, entanglement
from powderkeg.analyze.episodes import END_STATES, Rules, episodes
from powderkeg.analyze.hottest import HottestDay, hottest
from powderkeg.analyze.intervals import LEVEL, IntervalEstimate
from powderkeg.analyze.outcomes import channel_mask, outcomes, per_run, time_to_first
from powderkeg.analyze.statistics import EpisodeStatistics, episode_statistics, onset_gaps
from powderkeg.analyze.usual import relative_rules

_MOVED = {
    "Attribution": "powderkeg.attribute",
    "Family": "powderkeg.attribute",
    "attribute": "powderkeg.attribute",
    "standoff_numbers": "powderkeg.fit",
}
"""What stood here in 0.1.0 and is still found here in 0.2; the next version has it only in its new home."""

__all__ = [
    "END_STATES",
    "LEVEL",
    "EpisodeComparison",
    "EpisodeStatistics",
    "HottestDay",
    "IntervalEstimate",
    "Rules",
    "channel_mask",
    "compare_episodes",
    "drawn_in",
    "entanglement",
    "episode_statistics",
    "episodes",
    "hottest",
    "onset_gaps",
    "outcomes",
    "per_run",
    "relative_rules",
    "time_to_first",
]


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _MOVED[name]
    warnings.warn(f"{__name__}.{name} has moved to {home}.{name}", DeprecationWarning, stacklevel=2)
    return getattr(import_module(home), name)
