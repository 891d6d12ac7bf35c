"""Which acts does a record hold, and what should a scenario call them?

In: events between the actors of a draft. Out: their acts. Codes of a known book are put together into eight forms of
act, as conflict research does (Schrodt's quad classes, words and deeds apart, threats and fights by themselves); a
record with few kinds of act of its own keeps them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from powderkeg.draft.naming import keys
from powderkeg.events.codes import CODEBOOKS, entries
from powderkeg.scenario.language import third_person
from powderkeg.text.patterns import lexicon

MOST_KINDS = 12
"""Kinds of act of a record without a code book that a draft takes over."""
FEW_KINDS = 8
"""A record with a book of its own (ACLED) keeps its kinds of event where there are no more than so many."""
RARE = 0.005
"""A form of act with a smaller share is left to the nearest form of its class."""


@dataclass(frozen=True)
class DraftedAct:
    """One act of a draft.

    verb   as it stands in patterns
    tone   hostile, cooperative or neutral; None where nobody but the user knows
    guessed  the tone is guessed from the name alone: no book of codes says it
    """

    name: str
    verb: str
    title: str
    tone: str | None
    cameo: str | None = None
    hurts: str = "none"
    guessed: bool = False


FORMS: Final = (
    (("01",), DraftedAct("state", "states", "states, comments", "neutral")),
    (("02",), DraftedAct("appeal", "appeals", "appeals: asks, proposes, urges", "cooperative", "02")),
    (("04", "03", "05"), DraftedAct("talk", "talks", "talks: meets, agrees, promises, praises", "cooperative", "04")),
    (("07", "06", "08", "09"), DraftedAct("give", "gives", "gives: helps, yields, frees", "cooperative", "07")),
    (("11", "10", "12"), DraftedAct("accuse", "accuses", "accuses, demands, rejects", "hostile", "11")),
    (("13",), DraftedAct("threaten", "threatens", "threatens", "hostile", "13")),
    (("17", "14", "15", "16"), DraftedAct("coerce", "coerces", "coerces: protests, sanctions, arrests, shows force",
                                    "hostile", "17")),
    (("19", "18", "20"), DraftedAct("fight", "fights", "fights: attacks, shells, shoots", "hostile", "19", "injury")),
)  # fmt: skip
_ALIKE: Final = {
    "appeal": "talk", "talk": "appeal", "accuse": "threaten", "threaten": "accuse", "coerce": "fight",
    "fight": "coerce",
}  # fmt: skip
"""The other form of act of the same class, to which events of a form that is left out go."""
TONES: Final = {
    "verbal cooperation": "cooperative", "material cooperation": "cooperative",
    "verbal conflict": "hostile", "material conflict": "hostile",
}  # fmt: skip


def deeds(inside: pl.DataFrame) -> tuple[DraftedAct, ...]:
    """The acts of a draft, from events between its actors."""
    cameo = inside["cameo"].cast(pl.String) if "cameo" in inside.columns else pl.Series([None], dtype=pl.String)
    kinds = Counter(dict(inside["act"].cast(pl.String).drop_nulls().value_counts().iter_rows()))
    if 2 * cameo.null_count() > len(cameo):
        return tuple(_own(kinds, inside))
    in_words = sum(number for kind, number in kinds.items() if any(letter.isalpha() for letter in kind))
    if len(kinds) <= FEW_KINDS and 2 * in_words > kinds.total():
        return tuple(_own(kinds, inside))
    roots = Counter(dict(cameo.drop_nulls().str.slice(0, 2).value_counts().iter_rows()))
    return tuple(_forms(roots))


def _forms(roots: Mapping[str, int]) -> Iterator[DraftedAct]:
    """The forms of act that occur; a rare one only where no other of its class does."""
    numbers = {deed.name: sum(roots.get(root, 0) for root in codes) for codes, deed in FORMS}
    least = max(RARE * sum(numbers.values()), 1)
    for _, deed in FORMS:
        number, alike = numbers[deed.name], numbers.get(_ALIKE.get(deed.name, ""), 0)
        if number >= least or (number and alike < least):
            yield deed


def _own(kinds: Counter[str], inside: pl.DataFrame) -> Iterator[DraftedAct]:
    """The record's own kinds of act."""
    known = _known(inside)
    most = [kind for kind, _ in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:MOST_KINDS]]
    for kind, name in keys(most, "act").items():
        in_book, code = known.get(kind, (None, None))
        tone = TONES[in_book] if in_book else _tone_of(kind)
        fights = code is not None and code[:2] in ("18", "19", "20")
        verb = third_person(name) if "_" not in name else name
        guessed = tone is not None and not in_book
        yield DraftedAct(name, verb, kind, tone, code, "injury" if fights else "none", guessed)


def _known(inside: pl.DataFrame) -> dict[str, tuple[str | None, str | None]]:
    """Kind of act -> (class, CAMEO code), where the record's book says so."""
    if not {"tone", "cameo"} <= set(inside.columns):
        return {}
    rows = inside.select(pl.col(one).cast(pl.String) for one in ("act", "tone", "cameo")).unique("act")
    return {act: (tone, cameo) for act, tone, cameo in rows.iter_rows() if act is not None}


def _tone_of(kind: str) -> str | None:
    """What the books say of a kind of act whose words they use too: attack is hostile; of words that they do not have,
    what these mean in reports: so is an ambush. None where they do not agree."""
    for known in (_vocabulary, _reported):
        said = [tone for word in _words(kind) for tone in known().get(word, ())]
        for tone in ("hostile", "cooperative"):
            if said and said.count(tone) >= 0.8 * len(said):
                return tone
        if said:
            return None
    return None


@cache
def _vocabulary() -> dict[str, list[str]]:
    """Word -> the tones of the books' entries that open with it or are coded by it."""
    found: dict[str, list[str]] = {}
    for one in (one for book in CODEBOOKS for one in entries(book).values() if one.tone):
        # Only what a title opens with: "rejects talks" is no talk.
        for word in {*_words(one.title.partition(" ")[0]), *_words(one.code)}:
            found.setdefault(word, []).append("neutral" if one.neutral else TONES[one.tone or ""])
    return found


@cache
def _reported() -> dict[str, list[str]]:
    """Word -> the tones of what it means by itself in a report, verb or noun; see `text.patterns`."""
    found: dict[str, list[str]] = {}
    book = entries("cameo")
    for (_, head), patterns in lexicon().acts.items():
        for code in {one.means for one in patterns if not one.words and one.means[:2] in book}:
            one = book[code if code in book else code[:2]]
            for word in _words(head) if one.tone else ():
                found.setdefault(word, []).append("neutral" if one.neutral else TONES[one.tone or ""])
    return found


def _words(text: str) -> Sequence[str]:
    """Words of a title, cut to their stems roughly: attacks, attacked and attack are one."""
    for mark in ",;:()/_-.":
        text = text.replace(mark, " ")
    words = [word for word in text.lower().split() if len(word) > 3 and word.isalpha()]
    return [re.sub(r"(ing|ed|es|e|s)$", "", word) for word in words]
