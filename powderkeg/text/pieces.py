"""Which parts of a text can be parsed, and which are set aside?

In: a text of any kind. Out: pieces of ordinary length with their offsets, and what was set aside and why: another
language than English (by its share of known small words), a sentence of hundreds of words, a line without end. Nothing
long ever reaches the parser, so no text takes minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SMALL = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
which one were all she there would their we him been has when who will more no if out so said what up its
about into than them can only other new some could time these two may then do first any my now such like our
over man me even most made after also did many before must through years where much your way well down
should because each just those people how too little state good very make world still own see men work long
get here between both life being under never day same another know while last might us great old year off
come since against go came right used take three says say told minister president government officials
police army troops war week monday tuesday wednesday thursday friday saturday sunday"""
SMALL_WORDS = frozenset(_SMALL.split())
OF_ENGLISH_ALONE = frozenset({"the", "of", "and", "to", "with", "by", "from", "said", "his", "its", "after"})
_OF_NEWS = """accord accuse agree aid air ally ambassador appeal area army arrest ask attack back ban base blame block
bomb border boycott call campaign capital chief claim clash close condemn court crackdown crisis cut deal demand deny
deploy discuss down eight envoy end expel face fire five fight force foreign four free freed gas goods grain gunmen halt
hear held hit hold host hostage jail join key kill launch lawmakers lead leader leave lift link meet meeting military
militant missile mission near nine north oil open order peace plan police power press prisoner probe protest push raid
raise rally rebel refuse reject release rescue return rule rival sanction school security seek sell send sent seven ship
shell shoot shot sign six south stage strike summit talk target ten test threat threaten tie trade treaty trial troop
truce urge vote vow warn weapon west win without word east"""
WORDS_OF_NEWS = frozenset(_OF_NEWS.split())
_ELSEWHERE = """de la en der das und den dem ein eine einen einem mit von auf ist nicht sich zu le les des du et une est
dans pour qui aux sur el los las del por con para una al se il di che gli della dei per non een het van voor niet naar
op su na za od da do sa koji em os um uma ve bir bu att och som av til og ikke que"""
WORDS_ELSEWHERE = frozenset(_ELSEWHERE.split())
"""Small words of other languages that are none of English."""
LEAST_OF_PLAIN, LEAST_IN_CAPITALS, FEW_PLAIN = 0.4, 0.25, 0.25
"""Share of words of English or of its news that a headline has among those that are no names; where all begin with
capitals, among all of them; and the share of words in small letters below which they do."""
ENDINGS = ("s", "es", "ed", "d", "ing")
LEAST_SHARE, LEAST_OF_FEW = 0.2, 0.08
LEAST_WORDS, FEW_WORDS = 12, 40
LONGEST_PIECE = 4_000
MOST_WORDS = 120
MOST_LETTERS = 1_500
_BREAK = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*•#>]|\d+[.)]\s))")
_LINE = re.compile(r"\n[ \t]*(?=[A-Z0-9\"'“‘(\[])")
NARROWEST, FEW_LINES = 60, 3
"""Letters that lines of wrapped text have at least, and lines that are not all begun with capitals by chance."""
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n")
_WORD = re.compile(r"[^\W\d_]+")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_DATELINE = re.compile(
    r"(?:[A-Z][A-Z.'’-]+(?: [A-Z][A-Z.'’-]+)*)(?:,[A-Za-z .]{1,30})?(?:,? (?:[A-Z][a-z]{2,8}\.? \d{1,2}))?"
    r"(?:,? \d{4})?(?: \([A-Za-z ,./-]{2,30}\))?:? [-–—]+ "
)
_MARKUP = re.compile(r"^[ \t]*(?:[#>*•-]+|\d+[.)])[ \t]+")


@dataclass(frozen=True)
class Piece:
    """Some sentences of a text: the letters from `start` on."""

    text: str
    start: int


@dataclass(frozen=True)
class SetAside:
    """A part of a text that was not coded, and why."""

    reason: str
    text: str
    start: int = 0


def english_share(text: str) -> tuple[float, int]:
    """The share of words that are small words of English, and how many words there are."""
    words = _WORD.findall(text[:20_000].lower())
    return (sum(word in SMALL_WORDS for word in words) / len(words) if words else 0.0), len(words)


def sounds_english(text: str) -> bool:
    """Whether those words of a short text that are no names are mostly English: "Putin, Erdogan discuss grain"."""
    words = [one for one in _WORD.findall(text) if len(one) > 1]
    plain = [one for one in words if one[0].islower()]
    least = LEAST_OF_PLAIN
    if len(plain) < FEW_PLAIN * len(words):
        plain, least = [one.lower() for one in words], LEAST_IN_CAPITALS
    known = sum(one in SMALL_WORDS or _of_news(one) for one in plain)
    others = sum(one.lower() in WORDS_ELSEWHERE for one in words)
    return bool(plain) and known >= least * len(plain) and known > 2 * others


def _of_news(word: str) -> bool:
    """Whether a word, or what is left without its ending, is one of news."""
    if word in WORDS_OF_NEWS:
        return True
    stems = (word.removesuffix(ending) for ending in ENDINGS if word.endswith(ending))
    return any(stem in WORDS_OF_NEWS or f"{stem}e" in WORDS_OF_NEWS for stem in stems)


def pieces(text: str) -> Iterator[Piece | SetAside]:
    """The pieces of a text, in order."""
    share, words = english_share(text)
    if words == 0:
        yield SetAside("no words", text[:200])
        return
    # A sentence or two may be mostly names; one word that only English has is enough then.
    sure = words < FEW_WORDS and bool(OF_ENGLISH_ALONE & set(_WORD.findall(text.lower())))
    least = LEAST_OF_FEW if sure else LEAST_SHARE
    if words >= LEAST_WORDS and share < least and not (words < FEW_WORDS and sounds_english(text)):
        wanted = f"at least {least:.0%} expected"
        yield SetAside(f"not English: {share:.0%} of its words are small words of English, {wanted}", text[:200])
        return
    for start, end in _paragraphs(text):
        yield from _of_paragraph(text, start, end, words >= LEAST_WORDS)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    last = 0
    for match in [*_BREAK.finditer(text), None]:
        until = match.start() if match else len(text)
        if text[last:until].strip():
            yield from _lines(text, last, until)
        last = match.end() if match else until


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A paragraph, cut where its lines end by intent, as headlines and entries of a log do; wrapped text stays whole.

    Lines are wrapped where the next word had no more room: all are nearly as wide as the widest.
    """
    lines = [one for one in text[start:end].splitlines() if one.strip()]
    breaks = list(_LINE.finditer(text, start, end)) if len(lines) > 1 else []
    if not breaks:
        yield start, end
        return
    width = max(map(len, lines))
    listed = width < NARROWEST or (len(breaks) == len(lines) - 1 and len(lines) >= FEW_LINES)
    last = start
    for match in breaks:
        line = match.start() - max(text.rfind("\n", start, match.start()) + 1, start)
        word = text[match.end() : min(end, match.end() + width)].split(maxsplit=1)[0]
        if listed or line + 1 + len(word) <= width:
            if text[last : match.start()].strip():
                yield last, match.start()
            last = match.end()
    if text[last:end].strip():
        yield last, end


def _of_paragraph(text: str, start: int, end: int, long_text: bool) -> Iterator[Piece | SetAside]:
    """A paragraph whole, or cut at ends of sentences where it is long."""
    start += len(text[start:end]) - len(text[start:end].lstrip())  # blanks in place of front matter
    own = text[start:end]
    mark = _MARKUP.match(own) or _DATELINE.match(own)
    if mark:
        start += mark.end()
        own = own[mark.end() :]
    share, words = english_share(own)
    if long_text and words >= 2 * LEAST_WORDS and share < LEAST_SHARE / 2 and not sounds_english(own):
        yield SetAside(f"not English: {share:.0%} of its words are small words of English", own[:200], start)
        return
    begun = last = 0
    for match in [*_SENTENCE_END.finditer(own), None]:
        until = match.end() if match else len(own)
        sentence = own[last:until]
        if len(sentence) > MOST_LETTERS or len(sentence.split()) > MOST_WORDS:
            if own[begun:last].strip():
                yield Piece(_clean(own[begun:last]), start + begun)
            count = len(sentence.split())
            reason = (
                f"a sentence of {count:,} words" if count > MOST_WORDS else f"a sentence of {len(sentence):,} letters"
            )
            yield SetAside(reason, sentence[:200], start + last)
            begun = until
        elif until - begun > LONGEST_PIECE:
            yield Piece(_clean(own[begun:until]), start + begun)
            begun = until
        last = until
    if own[begun:].strip():
        yield Piece(_clean(own[begun:]), start + begun)


def _clean(text: str) -> str:
    """Letter for letter, so that offsets stay: line breaks, unseen marks and quotation marks as parsers know them."""
    text = _INVISIBLE.sub(" ", text.replace("\n", " ").replace("\r", " ").replace("\t", " "))
    return text.replace("“", '"').replace("”", '"').replace("’", "'").replace("‘", "'").replace("\u00a0", " ")
