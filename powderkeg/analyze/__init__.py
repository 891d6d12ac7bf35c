"""What happened, in a system's own terms: standoffs, outcomes, entanglement.

In: simulated runs or event tables. Out: Polars frames, one row for each thing told. Nothing here draws at random,
except ways in which an observed record may have come about.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from powderkeg.analyze.comparison import EpisodeComparison, compare_episodes
from powderkeg.analyze.entanglement import drawn_in, entanglement
from powderkeg.analyze.episodes import END_STATES, Rules, episodes
from powderkeg.analyze.intervals import LEVEL, Estimate
from powderkeg.analyze.outcomes import channel_mask, outcomes, per_run, time_to_first
from powderkeg.analyze.predictive import standoff_numbers
from powderkeg.analyze.statistics import EpisodeStatistics, episode_statistics, onset_gaps

if TYPE_CHECKING:
    from powderkeg.analyze.attribution import Attribution
    from powderkeg.analyze.family import Family
    from powderkeg.analyze.posing import attribute

_LATER = {"Attribution": "attribution", "attribute": "posing", "Family": "family"}
"""What rests on the fit, which takes a second to import: only when it is asked for."""

__all__ = [
    "END_STATES",
    "LEVEL",
    "Attribution",
    "EpisodeComparison",
    "EpisodeStatistics",
    "Estimate",
    "Family",
    "Rules",
    "attribute",
    "channel_mask",
    "compare_episodes",
    "drawn_in",
    "entanglement",
    "episode_statistics",
    "episodes",
    "onset_gaps",
    "outcomes",
    "per_run",
    "standoff_numbers",
    "time_to_first",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
