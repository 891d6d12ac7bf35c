"""What is said in words of force, and is no deed: weather, illness, accidents, matches.

In: a word of a parsed sentence that a pattern of force was read in. Out: whether nature did it, whether it was sport.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from powderkeg.text.grammar import agents_of, is_verb, passive
from powderkeg.text.sentences import Word

_NATURE = """flood flooding storm heatwave earthquake quake tremor aftershock landslide mudslide avalanche
hurricane cyclone typhoon tornado drought wildfire bushfire blizzard rain rains rainfall monsoon
eruption volcano tsunami lightning disease virus cholera malaria ebola measles outbreak epidemic
pandemic famine accident crash collision derailment stampede weather snow snowstorm wave temperature
shark crocodile elephant coronavirus covid-19 hailstorm sandstorm capsizing shipwreck"""
NATURE = frozenset(_NATURE.split())
_SPORTING = """penalties sets cup championship championships semi-final semifinal quarter-final quarterfinal match
matches league goals tournament medal marathon innings wicket wickets tennis football soccer rugby
cricket playoff qualifier"""
SPORTING = frozenset(_SPORTING.split())
BEATEN = frozenset({"beat", "defeat", "thrash", "crush", "hammer", "upset", "edge"})
SCORE = re.compile(r"\b\d{1,2}-\d{1,2}\b")


def by_nature(verb: Word, doers: Iterable[Word]) -> bool:
    """Whether weather, illness or an accident did what a verb says."""
    causes = [*doers, *(agents_of(verb) if is_verb(verb) else ())]
    if is_verb(verb) and passive(verb) and not causes:
        preps = [prep for prep in verb.children if prep.dep == "prep" and prep.lower in ("in", "by", "after")]
        causes = [noun for prep in preps for noun in prep.children if noun.dep == "pobj"]
    return any(cause.lemma in NATURE for cause in causes)


def is_sport(word: Word) -> bool:
    """Whether a sentence tells of a match: by its words, or by a score beside who was beaten."""
    scored = word.lemma in BEATEN and SCORE.search(word.sentence.text)
    return bool(scored) or any(other.lower in SPORTING for other in word.sentence)


def in_vain(verb: Word) -> bool:
    """Whether what "fell" fell flat."""
    return any(child.lower in ("flat", "short", "through") for child in verb.children)
