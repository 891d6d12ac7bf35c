"""Which words mean which act? Files of patterns become a lexicon, and every slip in them is told at once.

In: `words/acts.txt` and `words/frames.txt` of this package, and a user's own files of the same form, whose patterns lie
over ours. Out: a `Lexicon`: patterns by the word they hang on, and frames (a word that holds an act inside it, such as
"threaten to"). How the files read is told at their heads.
Sources of the codes: Schrodt, CAMEO codebook 1.1b3 (2012); Open Event Data Alliance, PLOVER manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from powderkeg.errors import EventError, Fault, nearest_name
from powderkeg.events.codes import entries

ACTS, FRAMES = "acts.txt", "frames.txt"
KINDS = (
    "verb",
    "verb both",
    "verb turned",
    "verb said",
    "noun",
    "noun both",
    "be",
    "be said",
    "weak verb",
    "weak noun",
)
SETTINGS = ("alone", "target")
TARGETS = ("addressee", "sufferer")
NAMES = ("say", "begin", "intend", "agree", "threaten", "ask", "demand", "accuse", "condemn", "praise", "refuse",
         "deny", "stop", "allow", "prevent", "investigate", "force", "accept")  # fmt: skip
SAME, NOTHING, NONE, ANY = "same", "nothing", "none", "*"
PREPOSITIONS = frozenset({
    "on", "against", "with", "for", "to", "of", "between", "from", "by", "over", "at", "in", "about", "into", "behind",
    "through", "under", "toward", "towards", "upon",
})  # fmt: skip
PARTICLES = frozenset({"up", "down", "out", "off", "away", "back", "over", "in", "on"})
SMALL_WORDS = PREPOSITIONS | PARTICLES
SMALL = 0.4
"""What a preposition adds to the weight of a pattern, where a noun adds one."""
AFTERMATH = "nothing was coded"


@dataclass(frozen=True)
class WordPattern:
    """Words that mean an act or open a frame.

    head    the word it hangs on: a verb in its plain form, a noun in the singular, an adjective
    words   what must stand beside it, each with its alternatives, the first found of which counts
    means   a CAMEO code, or the name of a frame
    kind    verb, noun or be
    stands  what must stand as subject, with its alternatives; empty: anything
    roles   "", "both" (both sides act alike), "turned" (the subject suffers), "said" (the speaker judges)
    weak    used only where nothing better is found
    own     from a user's file: lies over ours
    place   file and line
    """

    head: str
    words: tuple[tuple[str, ...], ...]
    means: str
    kind: str
    roles: str
    weak: bool
    own: bool
    place: str
    text: str
    stands: tuple[str, ...] = ()

    @property
    def weight(self) -> float:
        """How particular: one for the head and for each further word, less for small words; a user's own first."""
        further = sum(SMALL if SMALL_WORDS.issuperset(one) else 1.0 for one in self.words)
        subject = 1.0 if self.stands else 0.0
        return (0.3 if self.weak else 1.0) + further + subject + (100.0 if self.own else 0.0)


@dataclass(frozen=True)
class Frame:
    """What becomes of an act inside another word.

    alone    the code where no act stands inside, or None
    target   "addressee": the one spoken to, else the doer inside; "sufferer": the target of the act inside
    becomes  beginning of the inner code -> code, "same" or "nothing"
    """

    name: str
    alone: str | None
    target: str
    becomes: tuple[tuple[str, str], ...]

    def code(self, inner: str) -> str | None:
        """The code of an act of code `inner` inside this frame; None: no act."""
        found = max((start for start, _ in self.becomes if inner.startswith(start)), key=len, default=None)
        if found is None:
            found = ANY if any(start == ANY for start, _ in self.becomes) else None
        if found is None:
            return self.alone
        code = dict(self.becomes)[found]
        return inner if code == SAME else None if code == NOTHING else code


@dataclass
class Lexicon:
    """Patterns by kind and head, and frames by name."""

    acts: dict[tuple[str, str], list[WordPattern]] = field(default_factory=dict)
    openers: dict[tuple[str, str], list[WordPattern]] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)

    def add(self, pattern: WordPattern, opens: bool) -> None:
        """Put a pattern under its head."""
        book = self.openers if opens else self.acts
        book.setdefault((pattern.kind, pattern.head), []).append(pattern)

    @property
    def hyphenated(self) -> set[str]:
        """Words with a hyphen, which a parser would cut apart."""
        found: set[str] = set()
        for book in (self.acts, self.openers):
            for patterns in book.values():
                for one in patterns:
                    words = {one.head, *(word for alternatives in one.words for word in alternatives)}
                    found.update(part for word in words for part in word.split() if "-" in part.strip("-"))
        return found


@cache
def lexicon(own: tuple[str, ...] = ()) -> Lexicon:
    """The words of this package with a user's own files laid over. Raises EventError naming every slip."""
    here = resources.files("powderkeg.text") / "words"
    result, faults = Lexicon(), list[Fault]()
    for name in (FRAMES, ACTS):
        _read((here / name).read_text(encoding="utf-8"), name, False, result, faults)
    for path in own:
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise EventError(
                Fault(
                    path, None, "", f"cannot be read: {getattr(error, 'strerror', None) or error}", "a text file, UTF-8"
                ),
                AFTERMATH,
            ) from None
        _read(text, path, True, result, faults)
    if faults:
        raise EventError(faults, AFTERMATH)
    return result


def _read(text: str, name: str, own: bool, into: Lexicon, faults: list[Fault]) -> None:
    """Add what one file says."""
    lists: dict[str, tuple[str, ...]] = {}
    frames: dict[str, dict[str, object]] = {}
    section = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        if line.startswith("["):
            section = _section(line, name, number, frames, faults)
        elif line.startswith("list "):
            key, _, words = line[5:].partition(":")
            lists[key.strip()] = tuple(_clean(word) for word in words.split(",") if word.strip())
        elif not section:
            faults.append(Fault(name, number, "", f"{line!r} above any code", "a line such as [112] above it"))
        else:
            _line(line, section, (name, number, own), lists, frames, into, faults)
    for key, said in frames.items():
        before = into.frames.get(key)
        becomes = {**(dict(before.becomes) if before else {}), **said.get("becomes", {})}  # type: ignore[dict-item]
        alone = said.get("alone", before.alone if before else None)
        target = said.get("target", before.target if before else TARGETS[0])
        into.frames[key] = Frame(key, alone, target, tuple(becomes.items()))  # type: ignore[arg-type]


def _section(line: str, name: str, number: int, frames: dict[str, dict[str, object]], faults: list[Fault]) -> str:
    """The code or frame that a line in brackets opens; "" where it is none."""
    section = line[1:].partition("]")[0].strip()
    if section in entries("cameo"):
        return section
    if section in NAMES:
        frames.setdefault(section, {"becomes": {}})
        return section
    expected = f"a code of CAMEO such as 112, or one of {', '.join(NAMES)}"
    nearest = nearest_name(section, [*entries("cameo"), *NAMES])
    faults.append(Fault(name, number, "", f"unknown code [{section}]", expected, nearest))
    return ""


def _line(
    line: str, section: str, place: tuple[str, int, bool], lists: dict[str, tuple[str, ...]],
    frames: dict[str, dict[str, object]], into: Lexicon, faults: list[Fault],
) -> None:  # fmt: skip
    """One line below a code or frame."""
    name, number, _ = place
    word, _, rest = line.partition(" ")
    if section in frames and ">" in line:
        inner, _, code = (part.strip() for part in line.partition(">"))
        known = code in entries("cameo") or code in (SAME, NOTHING)
        if not known or (inner != ANY and inner not in entries("cameo")):
            slip = inner if known else code
            nearest = nearest_name(slip, entries("cameo"))
            faults.append(Fault(name, number, section, f"unknown code {slip!r}", "codes of CAMEO: 04 > 026", nearest))
            return
        frames[section]["becomes"][inner] = code  # type: ignore[index]
    elif section in frames and word in SETTINGS:
        _setting(word, rest.strip(), section, place, frames, faults)
    else:
        kind = max((one for one in KINDS if line == one or line.startswith(one + " ")), key=len, default=None)
        if kind is None:
            expected = f"a line that begins with {', '.join(KINDS)}" + (" or 'A > B'" if section in frames else "")
            faults.append(Fault(name, number, section, f"{line[:60]!r}", expected, nearest_name(word, KINDS)))
            return
        for text in line[len(kind) :].split(","):
            if text.strip():
                for pattern in _patterns(text.strip(), kind, section, place, lists, faults):
                    into.add(pattern, section in frames)


def _setting(
    word: str, value: str, section: str, place: tuple[str, int, bool], frames: dict[str, dict[str, object]],
    faults: list[Fault],
) -> None:  # fmt: skip
    name, number, _ = place
    if word == "target":
        if value not in TARGETS:
            faults.append(Fault(name, number, section, f"target {value!r}", f"one of {', '.join(TARGETS)}",
                                nearest_name(value, TARGETS)))  # fmt: skip
        frames[section]["target"] = value
    elif value != NONE and value not in entries("cameo"):
        faults.append(Fault(name, number, section, f"unknown code {value!r}", "a code of CAMEO, or none",
                            nearest_name(value, entries("cameo"))))  # fmt: skip
    else:
        frames[section]["alone"] = None if value == NONE else value


def _patterns(
    text: str, kind: str, means: str, place: tuple[str, int, bool], lists: dict[str, tuple[str, ...]],
    faults: list[Fault],
) -> Iterator[WordPattern]:  # fmt: skip
    """A pattern for each head: of a verb the first word but for "not", of a noun the one before a preposition."""
    name, number, own = place
    weak = kind.startswith("weak")
    first, _, roles = kind.removeprefix("weak ").partition(" ")
    bracket = re.search(r"\(([^()]+)\)", text)
    stands = bracket[1] if bracket else ""
    words = text.replace(bracket[0], " ").split() if bracket else text.split()
    if stands.startswith("$") and stands[1:] in lists:
        subjects = lists[stands[1:]]
    else:
        subjects = tuple(_clean(one) for one in stands.split("|") if one)
    at = int(first == "verb" and len(words) > 1 and words[0] == "not")
    if first == "noun":
        at = next((n for n, word in enumerate(words) if n and word in PREPOSITIONS), len(words)) - 1
    sets = []
    for n, word in enumerate(words):
        if n == at:
            continue
        if word.startswith("$"):
            if word[1:] not in lists:
                faults.append(Fault(name, number, means, f"unknown list {word!r}", "a line 'list NAME: words' above",
                                    nearest_name(word[1:], lists)))  # fmt: skip
                return
            sets.append(lists[word[1:]])
        else:
            sets.append(tuple(_clean(one) for one in word.split("|")))
    for head in words[at].split("|"):
        if not re.fullmatch(r"[a-zà-ÿ'’.-]+", _clean(head)):
            expected = "a word, and further words beside it: open fire on"
            faults.append(Fault(name, number, means, f"{text!r}", expected))
            continue
        yield WordPattern(_clean(head), tuple(sets), means, first, roles, weak, own, f"{name}:{number}", text,
                          subjects)  # fmt: skip


def _clean(word: str) -> str:
    return " ".join(word.split()).casefold()
