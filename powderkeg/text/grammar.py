"""Where do the parts of a clause stand: who does, who suffers, what belongs to a word, what stands inside it?

In: a word of a parsed sentence. Out: words around it, by their place in the tree. Nothing here knows what words mean.
"""

from __future__ import annotations

from collections.abc import Iterator

from powderkeg.text.patterns import WordPattern
from powderkeg.text.sentences import Word

OBJECTS = ("dobj", "dative", "nsubjpass", "attr", "oprd")
UNREAL = frozenset({"if", "unless", "whether"})
OPEN = frozenset({"if", "whether"})
"""What opens a clause that nobody says is so: "whether B will agree is unclear"."""
BACKGROUND = frozenset({"after", "before", "since", "following", "when", "while", "until", "as", "amid", "because",
                        "once", "during", "although", "though", "despite"})  # fmt: skip
PREFERRED = ("against", "on", "with", "to", "at", "into", "from", "of", "upon", "toward", "towards", "over",
             "between", "among", "inside", "near", "in", "for", "behind", "about", "around", "through", "across",
             "outside", "along", "off", "by")  # fmt: skip
MOTION = frozenset({"go", "fly", "travel", "come", "return", "arrive", "send", "dispatch", "drive", "head", "rush"})
"""Who goes somewhere to do a deed does the deed."""
ASIDE = frozenset({"about", "over", "for", "in", "as", "with"})
"""Prepositions whose noun suffers only where the verb has no object of its own."""
SEES_THROUGH = frozenset({"report", "news", "statement", "announcement", "series", "wave", "campaign", "round",
                          "act", "spate", "part", "form", "kind", "number", "group", "result", "use",
                          "means", "way"})  # fmt: skip
ALSO_NOUNS = frozenset({"monitor", "guard", "escort", "patrol", "fire", "protest", "strike", "aid", "help", "supply",
                        "ship", "support", "force", "police", "man", "arm", "shell", "bomb"})  # fmt: skip
"""What a purpose ("to monitor") may say that patterns know as a noun: "sends monitors"."""
QUALIFIERS = ("compound", "amod", "nmod", "poss", "nummod")
ONLY_IF = "only if"
"""Doubt of what would happen on a condition."""
DEEPEST = 6
PROTESTING = frozenset({"protest", "demand", "denounce", "oppose", "press", "pressure", "condemn", "force", "urge"})
ANGER = frozenset({"protest", "anger", "fury", "outrage", "defiance", "rage", "opposition", "demonstration"})
AGAINST = frozenset({"against", "at", "over", "of", "to", "from", "with", "by"})
MEANS = frozenset({"use", "take", "seize", "choose", "employ"})
"""Verbs whose object is what the subject does something with: "used her speech to call on B"."""


class Beside:
    """The words that stand beside a word, and the phrases they form."""

    def __init__(self) -> None:
        self.words: dict[str, Word] = {}
        self.phrases: list[tuple[str, Word]] = []

    def put(self, token: Word) -> None:
        """One word, in its plain form and as it stands."""
        self.words.setdefault(token.lemma, token)
        self.words.setdefault(token.lower, token)

    def phrase(self, head: Word) -> None:
        """A noun with what stands before it."""
        before = [
            one for one in head.children
            if one.i < head.i and (one.dep in QUALIFIERS or (one.dep == "det" and one.lower == "no"))
        ]  # fmt: skip
        behind = [one for one in head.children if one.i > head.i and one.dep == "amod"]  # "held B responsible"
        for one in (*before, head, *behind):
            self.put(one)
        if before:
            for last in (head.lemma, head.lower):
                self.phrases.append((" ".join([*(one.lower for one in before), last]), head))

    def holding(self, pattern: WordPattern) -> tuple[Word, ...] | None:
        """The words that a pattern asks for, or None where one is missing."""
        found: list[Word] = []
        for alternatives in pattern.words:
            word = next((self.words[one] for one in alternatives if one in self.words), None)
            if word is None:
                word = next(
                    (head for text, head in self.phrases for one in alternatives if " " in one and text.endswith(one)),
                    None,
                )
            if word is None or (found and _of_another(word, found[-1])):
                return None
            found.append(word)
        return tuple(found)


def _of_another(noun: Word, before: Word) -> bool:
    """Whether a noun hangs on another preposition than the one that a pattern names before it."""
    if not is_preposition(before) or noun.dep != "pobj":
        return False
    return before.lower not in (noun.head.lower, noun.head.head.lower)


def neighbours(token: Word) -> Beside:
    """What stands beside a word: particles, adverbs, prepositions and their nouns, objects with what qualifies them."""
    found = Beside()
    if token.dep == "acl" and token.tag == "VBN":  # "rockets fired by"
        found.phrase(token.head)
    for child in token.children:
        if is_preposition(child):
            if child.lower not in BACKGROUND or child.lower in ("as", "until"):
                _behind_preposition(child, found)
        elif child.dep in OBJECTS:
            for one in (child, *conjuncts(child)):
                found.phrase(one)
                _of(one, found)
            for one in child.children:  # "sent a team to examine it", "has nothing to do with it"
                if one.dep in ("acl", "relcl") and _to(one) and one.lemma not in ALSO_NOUNS:
                    found.put(one)
        elif child.dep in ("prt", "advmod", "acomp", "neg", "npadvmod", "xcomp", "ccomp", "advcl"):
            _of_adverb_or_clause(child, is_verb(token), found)
        elif child.dep in ("compound", "amod", "nmod") and not is_verb(token):
            found.put(child)
            for one in child.children:
                if one.dep in ("compound", "amod"):
                    found.put(one)
        elif child.dep == "det" and child.lower == "no" and not is_verb(token):
            found.put(child)
    return found


def _behind_preposition(prep: Word, into: Beside) -> None:
    into.put(prep)
    for noun in prep.children:
        if noun.dep in ("pobj", "pcomp"):
            for one in (noun, *conjuncts(noun)):
                into.phrase(one)
                _of(one, into)
                if noun.dep == "pcomp":
                    for object_ in noun.children:
                        if object_.dep == "dobj":
                            into.phrase(object_)
        elif noun.dep == "prep":
            into.put(noun)
            for one in noun.children:
                if one.dep == "pobj":
                    into.phrase(one)


def _of_adverb_or_clause(child: Word, of_verb: bool, into: Beside) -> None:
    if child.dep == "advcl" and child.pos != "ADJ":  # "called for B to leave"; but "set them free"
        if of_verb and _to(child) and child.lemma not in ALSO_NOUNS:
            into.put(child)
        for one in child.children if of_verb else ():
            if one.dep == "mark" and one.lower == "for":
                into.put(one)
        return
    into.put(child)
    for one in child.children:
        if child.dep == "advmod" and one.dep == "prep":  # "sent back to"
            into.put(one)
            for noun in one.children:
                if noun.dep == "pobj":
                    into.phrase(noun)
        elif child.dep == "ccomp" and one.dep == "mark":  # "charged that", "asked whether"
            into.put(one)
        elif child.dep == "xcomp" and one.dep in ("dobj", "attr", "acomp"):
            into.phrase(one)


def is_preposition(token: Word) -> bool:
    """Whether a word joins a noun to what it hangs on, also where the parser calls it a dative: "sent to prison"."""
    return token.dep in ("prep", "agent") or (token.dep == "dative" and token.pos == "ADP")


def other_particle(verb: Word, words: tuple[Word, ...]) -> bool:
    """Whether a verb has a particle that a pattern does not know: who calls up reservists does not call for them."""
    return any(child.dep == "prt" and child not in words for child in verb.children)


def surroundings(token: Word) -> Beside:
    """The words below a word, two steps deep: those of "full of praise", "in favour"."""
    found = Beside()
    found.put(token)
    for child in token.children:
        found.put(child)
        for one in child.children:
            found.put(one)
    return found


def denied_after(verb: Word, complement: Word) -> bool:
    """Whether a "not" stands between a verb and the clause inside it: "vowed never to leave"."""
    return any((one.dep == "neg" or one.lower == "never") and verb.i < one.i < complement.i for one in verb.children)


def by_no_means(prep: Word) -> bool:
    """Whether a phrase denies the verb: "under no circumstances"."""
    nouns = [one for one in prep.children if one.dep == "pobj" and one.lemma in ("circumstance", "condition", "means")]
    return prep.dep == "prep" and any(child.lower == "no" for one in nouns for child in one.children)


def _of(noun: Word, into: Beside) -> None:
    for child in noun.children:
        if child.dep == "prep":
            into.put(child)
        if child.dep == "prep" and child.lower in ("of", "for", "on", "in", "with", "to"):
            for one in child.children:
                if one.dep == "pobj":
                    into.phrase(one)


def conjuncts(token: Word) -> Iterator[Word]:
    """Words joined to this one by "and"."""
    for child in token.children:
        if child.dep == "conj":
            yield child
            yield from conjuncts(child)


def forms(token: Word) -> tuple[str, ...]:
    """The forms under which a word may stand in the lexicon."""
    plain, lower = token.lemma, token.lower
    found = [plain]
    if lower != plain:
        found.append(lower)
    if lower.endswith("ed") and lower[:-1] != plain:
        found.append(lower[:-1])  # the lemmatizer takes "staged" for "stag"
        if lower == plain:  # or leaves "petitioned" as it is
            found.append(lower[:-2])
            if lower[-3:-2] == lower[-4:-3]:
                found.append(lower[:-3])  # "unbanned"
    elif lower.endswith("es") and lower[:-1] != plain:
        found.append(lower[:-1])  # and "hopes" for "hop"
    elif lower.endswith("ing") and len(lower) > 5 and lower[:-3] + "e" != plain:
        found.append(lower[:-3] + "e")
    if not is_verb(token) and plain.endswith("s") and token.pos == "PROPN":
        found.append(plain[:-1])
    return tuple(found)


def is_verb(token: Word) -> bool:
    """Whether a word is a verb, also where the tagger took it for a noun with a subject."""
    return token.pos in ("VERB", "AUX") and token.dep not in ("aux", "auxpass", "amod", "compound")


def passive(verb: Word) -> bool:
    """Whether the one who stands as subject is acted on."""
    if any(child.dep in ("nsubjpass", "auxpass", "agent", "csubjpass") for child in verb.children):
        return True
    return verb.dep == "acl" and verb.tag == "VBN" and not _whole_clause(verb)


def _whole_clause(verb: Word) -> bool:
    """Whether what hangs on a noun is the sentence's verb: "Doctors donated goods" has an object and no other verb."""
    return verb.head.head is verb.head and any(child.dep == "dobj" for child in verb.children)


def subjects_of(verb: Word, depth: int = 0) -> Iterator[Word]:
    """Whoever does what a verb says."""
    if passive(verb):
        yield from agents_of(verb)
        return
    own = [child for child in verb.children if child.dep in ("nsubj", "csubj", "expl")]
    if own:
        for child in own:
            if child.lower in ("who", "which", "that") and verb.dep == "relcl":
                yield verb.head
            else:
                yield child
        return
    if depth > DEEPEST:
        return
    head = verb.head
    if verb.dep == "conj" and is_verb(head):
        if passive(head):
            yield from (child for child in head.children if child.dep == "nsubjpass")
        else:
            yield from subjects_of(head, depth + 1)
    elif verb.dep == "conj" and head.head is head and head.pos in ("NOUN", "PROPN"):
        yield head  # the parser took the first of two verbs for a noun
    elif verb.dep == "xcomp" and is_verb(head):
        objects = [child for child in head.children if child.dep in ("dobj", "dative")]
        if objects and verb.i > objects[0].i and head.lemma not in MEANS:
            yield from objects
        elif passive(head):
            yield from (child for child in head.children if child.dep == "nsubjpass")
        else:
            yield from subjects_of(head, depth + 1)
    elif verb.dep in ("advcl", "ccomp") and is_verb(head) and verb.tag in ("VBG", "VB", "VBN"):
        if passive(head):
            yield from (child for child in head.children if child.dep == "nsubjpass")
        else:
            yield from subjects_of(head, depth + 1)
    elif verb.dep == "pcomp" and head.dep == "prep":
        objects = [child for child in head.head.children if child.dep == "dobj"]
        if is_verb(head.head):
            yield from (
                objects
                if objects and head.lower in ("of", "from", "for", "into")
                else subjects_of(head.head, depth + 1)
            )
        else:
            yield from owners_of(head.head)
    elif verb.dep == "acl":
        if verb.tag in ("VBG", "VBD") or _whole_clause(verb):
            yield head
        else:
            yield from owners_of(head)
            if is_verb(head.head) and head.dep in ("dobj", "nsubj"):
                yield from subjects_of(head.head, depth + 1)
    elif verb.dep == "relcl":
        yield head


def between(token: Word) -> Iterator[Word]:
    """Both sides of what happens between them."""
    for child in token.children:
        if child.dep == "prep" and child.lower in ("between", "among"):
            yield from (one for one in child.children if one.dep == "pobj")


def agents_of(verb: Word) -> Iterator[Word]:
    """Whoever stands behind "by"."""
    for child in verb.children:
        if child.dep == "agent" or (child.dep == "prep" and child.lower == "by"):
            yield from (one for one in child.children if one.dep == "pobj")


def owners_of(noun: Word) -> Iterator[Word]:
    """Whoever does what a noun says: B's attack, an attack by B, the Israeli attack."""
    for child in noun.children:
        if child.dep == "poss" or (child.dep in ("amod", "compound", "nmod") and child.i < noun.i):
            yield child
    for child in noun.children:
        if child.dep in ("prep", "agent") and child.lower in ("by", "from", "between", "among"):
            yield from (one for one in child.children if one.dep == "pobj")
    if noun.dep in ("nsubj", "nsubjpass") and is_verb(noun.head):  # "fighting broke out between A and B"
        yield from between(noun.head)


def objects_of(token: Word, words: tuple[Word, ...], said: set[int], people: bool = False) -> Iterator[Word]:
    """Whoever may be acted on, the likeliest first; words of the pattern come last, unless these are `people`."""
    later: list[Word] = []
    preferred = [word for word in words if is_preposition(word)]
    own = [one for one in token.children if one.dep in ("dobj", "nsubjpass") and (people or one.i not in said)]
    if is_verb(token) and own:  # "questioned a general about it", "sent a family back to Russia"
        preferred = [] if people else [word for word in preferred if word.lower not in ASIDE]
    for prep in preferred:
        for one in prep.children:
            if one.dep == "pobj" and one.i in said and not people:
                later.append(one)
            elif one.dep == "pobj":
                yield one
    verb = is_verb(token)
    if verb:
        for child in token.children:
            if child.dep in OBJECTS and not is_preposition(child):
                if child.i in said and not people:
                    later.append(child)
                else:
                    yield child
    if verb and not any(child.dep in OBJECTS for child in token.children):
        for other in conjuncts(token):  # "arrested and deported two men": the object of the last is that of all
            if is_verb(other) and other.i - token.i < 5:
                yield from (child for child in other.children if child.dep in ("dobj", "dative"))
                yield from (
                    one
                    for prep in other.children
                    if prep.dep in ("prep", "dative")
                    for one in prep.children
                    if one.dep == "pobj"
                )
    preps = [child for child in token.children if child.dep in ("prep", "dative") and child.lower in PREFERRED]
    for child in token.children:  # "launched an attack on B": what hangs on the object
        if child.i in said and child.dep in OBJECTS:
            preps += [one for one in child.children if one.dep == "prep" and one.lower in PREFERRED]
    preps.sort(key=lambda one: PREFERRED.index(one.lower))
    for prep in preps:
        if prep.lower == "by" and not verb:
            continue
        if prep in preferred:
            continue
        for one in prep.children:
            if one.dep == "pobj":
                if one.i in said:
                    later.append(one)
                else:
                    yield one
            elif one.dep == "prep":
                yield from (two for two in one.children if two.dep == "pobj")
            elif one.dep == "pcomp":
                yield from objects_of(one, (), said)
    for child in token.children:  # "offered to mediate between A and B": what hangs on a verb of the pattern
        if verb and child.i in said and child.dep == "xcomp" and is_verb(child):
            yield from objects_of(child, (), said)
    if verb:
        yield from _of_clauses(token)
    yield from later


def _of_clauses(verb: Word) -> Iterator[Word]:
    """The noun that a relative clause hangs on, and whoever stands in clauses inside the verb."""
    if verb.dep == "relcl" and any(
        one.dep == "dobj" and one.lower in ("which", "that", "whom") for one in verb.children
    ):
        yield verb.head
    if verb.dep == "acl" and verb.tag == "VBN":
        yield verb.head
    for child in verb.children:
        of_clause = child.dep in ("xcomp", "ccomp") or (child.dep == "advcl" and _to(child))
        if of_clause and child.tag in ("VB", "VBG", "VBN", "VBD", "VBP", "VBZ"):
            yield from (one for one in child.children if one.dep in ("nsubj", "dobj"))


def addressees(token: Word, complement: Word) -> Iterator[Word]:
    """Whoever is spoken to: "urged B to", "called on B to", "accused B of"."""
    for child in token.children:
        if (child.dep in ("dobj", "dative", "nsubjpass") and child != complement and not is_preposition(child)) or (
            child.dep == "dobj" and child == complement and child.pos == "PROPN"
        ):
            yield child
    for child in token.children:
        spoken = is_preposition(child) or child.dep == "prt"  # "called on B to leave": the parser may see a particle
        if spoken and child.lower in ("on", "upon", "to", "with", "against", "at", "from", "for"):
            yield from (one for one in child.children if one.dep == "pobj" and one != complement)
    if complement.dep in ("xcomp", "ccomp", "advcl"):
        yield from (child for child in complement.children if child.dep in ("nsubj", "nsubjpass"))


def complements(token: Word) -> Iterator[Word]:
    """What may stand inside a frame: clauses first, then objects, then the nouns of prepositions."""
    for child in token.children:
        if child.dep in ("xcomp", "ccomp", "acl", "relcl") and child.i > token.i - 30:
            if child.dep == "relcl" and is_verb(token):
                continue
            yield child
    if not is_verb(token) and token.dep in ("dobj", "nsubjpass") and is_verb(token.head):
        # "renewed its demand that B leave", "gave B permission to land": the parser hangs the clause on the verb
        yield from (
            one for one in token.head.children if one.i > token.i and one.dep in ("xcomp", "ccomp") and is_verb(one)
        )
    for child in token.children:
        bare = not any(one.dep == "dobj" for one in token.children)
        if child.dep in ("dobj", "nsubjpass", "attr", "oprd", "dative", "csubj") or (
            child.dep == "advcl" and _to(child) and bare
        ):
            yield child
            for prep in child.children if child.lemma in SEES_THROUGH else ():
                yield from (one for one in prep.children if one.dep == "pobj")
    for child in token.children:
        if child.dep in ("prep", "agent"):
            if child.lower in BACKGROUND and child.lower != "as":
                continue
            yield from (one for one in child.children if one.dep in ("pcomp", "pobj"))
            for one in child.children:
                if one.dep == "prep":
                    yield from (two for two in one.children if two.dep in ("pcomp", "pobj"))
        elif child.dep in ("acomp", "prt", "advmod") and is_verb(token):
            yield from (one for one in child.children if one.dep in ("xcomp", "ccomp", "advcl"))
            for prep in child.children:
                if prep.dep == "prep":
                    yield from (one for one in prep.children if one.dep in ("pcomp", "pobj"))
        elif child.dep in ("compound", "amod") and not is_verb(token):
            yield child
    if is_verb(token) and not any(child.dep in OBJECTS for child in token.children):
        yield from (child for child in token.children if child.dep == "nsubj" and child.pos == "NOUN")


def protested_at(verb: Word) -> Iterator[Word]:
    """Whom a crowd's deed is meant for, where a purpose beside it says so: "marched to demand that B resign", "camped
    outside the town in protest at B's laws"."""
    for one in _below(verb, 4):
        if is_verb(one) and one.lemma in PROTESTING:
            yield from (child for child in one.children if child.dep in ("dobj", "dative"))
            yield from _behind(one)
            for clause in one.children:
                if clause.dep in ("ccomp", "xcomp", "advcl"):
                    yield from (child for child in clause.children if child.dep in ("nsubj", "nsubjpass"))
        elif one.dep == "pobj" and one.lemma in ANGER:
            yield from _behind(one)


def _below(word: Word, depth: int) -> Iterator[Word]:
    """What hangs on a word behind it, the nearest first, but for clauses that say who somebody is."""
    near = [one for one in word.children if one.i > word.i and one.dep != "relcl"]
    yield from near
    if depth > 1:
        for one in near:
            yield from _below(one, depth - 1)


def _behind(word: Word) -> Iterator[Word]:
    for prep in word.children:
        if prep.dep == "prep" and prep.lower in AGAINST:
            yield from (one for one in prep.children if one.dep == "pobj")


def told_to(verb: Word) -> bool:
    """Whether a clause says what somebody is to do: "told Pakistan to leave"."""
    return verb.dep in ("xcomp", "ccomp", "advcl") and is_verb(verb) and _to(verb)


def _to(verb: Word) -> bool:
    return any(child.dep == "aux" and child.lower == "to" for child in verb.children)


def _supposes(clause: Word) -> bool:
    """Whether a clause says under which condition something would happen."""
    marks = {child.lower for child in clause.children if child.dep in ("mark", "advmod")}
    return clause.dep == "advcl" and bool(marks & {"if", "unless"})


def circumstances(token: Word) -> list[str]:
    """Reasons why an act that a word says may not be one that happened now."""
    found = []
    if any(_supposes(child) for child in token.children):
        found.append(ONLY_IF)
    if token.sentence.text.rstrip().rstrip("\"'”’)").endswith("?"):
        found.append("question")
    one = token
    for _ in range(12):
        marks = {child.lower for child in one.children if child.dep in ("mark", "advmod")}
        if one.dep == "advcl" and marks & UNREAL:
            found.append("condition")
        elif one.dep in ("csubj", "ccomp", "pcomp", "acl") and marks & OPEN:
            found.append("question")
        elif (
            (one.dep == "advcl" and (marks & BACKGROUND or (_to(one) and one.head.lemma not in MOTION)))
            or (one.dep == "pobj" and one.head.lower in BACKGROUND | {"if", "in", "of", "for"} and one is not token)
            or (one.dep == "pcomp" and one.head.lower in BACKGROUND)
        ):
            found.append("background")
        elif (one.dep == "advcl" and one.tag in ("VBG", "VBN")) or (
            one.dep == "pcomp" and one.head.lower in ("by", "in")
        ):
            found.append("aside")
        elif one.dep in ("relcl",) or (one.dep == "acl" and one.tag in ("VBN", "VB", "VBG")):
            found.append("relative clause")
        if one.head is one:
            break
        one = one.head
    if not is_verb(token):
        found.append("noun")
        if token.dep == "pobj":
            found.append("background")
    return found
