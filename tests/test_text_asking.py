"""A language model as a plain callable: what it is asked, what its answers mean, and whether it can be relied on.

Nothing here asks a model: the answers are recorded, or made by a rule.
"""

from __future__ import annotations

import re

import pytest

from powderkeg.errors import UsageError
from powderkeg.text.asking import NO_ANSWER, code_with_model, codebook_of_roots, label_in, probe, prompt

ROWS = [
    ("Iran attacked Iraq.", "Iran", "Iraq"),
    ("Chad praised Mali.", "Chad", "Mali"),
    ("Peru attacked Chile.", "Peru", "Chile"),
]
BOOK = {"A": "attacks", "P": "praises", "T": "talks"}
RECORDED = {"Iran attacked Iraq.": "A", "Chad praised Mali.": "Label: P.", "Peru attacked Chile.": "A or T, I think"}


def recorded(question: str) -> str:
    """The answers of a model, kept."""
    return RECORDED[question.split("Sentence: ")[1].split("\n")[0]]


def reads_the_codebook(question: str) -> str:
    """Looks for the label whose meaning fits, whatever the label is called."""
    verb = "attack" if "attacked" in question.split("Sentence: ")[1] else "praise"
    found = re.search(rf"^(\w): {verb}s$", question, re.MULTILINE)
    assert found is not None
    return found[1]


def goes_by_the_label(question: str) -> str:
    return "A" if "attacked" in question.split("Sentence: ")[1] else "P"


def takes_the_first(question: str) -> str:
    found = re.search(r"Codebook:\n(\w):", question)
    assert found is not None
    return found[1]


def test_the_question_holds_sentence_actors_and_codebook() -> None:
    said = prompt("Iran attacked Iraq.", ("Iran", "Iraq"), codebook_of_roots())
    assert "What does Iran do to Iraq" in said and "19: fights" in said and "Iran attacked Iraq." in said


def test_an_answer_names_one_label_or_none() -> None:
    assert [one.label for one in code_with_model(recorded, ROWS, BOOK)] == ["A", "P", NO_ANSWER]
    assert label_in(" **19** ", codebook_of_roots()) == "19"
    assert label_in("I cannot say.", codebook_of_roots()) == NO_ANSWER


def test_a_model_that_reads_the_codebook_passes_all_probes() -> None:
    found = probe(reads_the_codebook, ROWS, BOOK)
    assert (found.valid, found.same_order, found.follows) == (1.0, 1.0, 1.0)


def test_a_model_that_goes_by_the_labels_does_not_follow_a_swap() -> None:
    found = probe(goes_by_the_label, ROWS, BOOK)
    assert (found.same_order, found.follows) == (1.0, 0.0)
    assert any("0% follow" in line for line in found.said)


def test_a_model_that_takes_the_first_label_shows_in_another_order() -> None:
    found = probe(takes_the_first, ROWS, BOOK)
    assert found.same_order == 0.0 and found.follows is None


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="an answer of the type int"):
        code_with_model(lambda _: 19, ROWS)
