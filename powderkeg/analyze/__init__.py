"""What happened, in a system's own terms: standoffs, outcomes, entanglement.

In: simulated runs or event tables. Out: Polars frames, one row for each thing told. Nothing here draws at random.
"""

from powderkeg.analyze.comparison import EpisodeComparison, compare_episodes
from powderkeg.analyze.entanglement import drawn_in, entanglement
from powderkeg.analyze.episodes import END_STATES, Rules, episodes
from powderkeg.analyze.intervals import LEVEL, Estimate
from powderkeg.analyze.outcomes import channel_mask, outcomes, per_run, time_to_first
from powderkeg.analyze.predictive import standoff_numbers
from powderkeg.analyze.statistics import EpisodeStatistics, episode_statistics, onset_gaps

__all__ = [
    "END_STATES",
    "LEVEL",
    "EpisodeComparison",
    "EpisodeStatistics",
    "Estimate",
    "Rules",
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
