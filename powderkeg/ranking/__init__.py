"""Who is next? Actors ranked as the other side of an act, each with the earlier event that speaks for it."""

from powderkeg.ranking.learning import Ranking, ranking
from powderkeg.ranking.scoring import RankScores

__all__ = ["RankScores", "Ranking", "ranking"]
