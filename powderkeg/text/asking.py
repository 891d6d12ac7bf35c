"""Can a language model code sentences, and can it be relied on?

In: any callable that takes a prompt and gives a text; nothing here knows a model or opens a connection. Out: the acts
that it names between given actors, and probes: what happens to its answers when the labels come in another order, and
when two labels change their meaning. A model that reads the codebook follows the swap; one that goes by what it
remembers of the labels does not.
Source of the probes: Halterman & Keith (2025), "Codebook LLMs", behavioural tests of labels (order, swapped labels).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from powderkeg.errors import Fault, UsageError
from powderkeg.events.codes import entries

Model = Callable[[str], object]
"""A prompt in, an answer out."""

ROOTS = tuple(f"{root:02d}" for root in range(2, 21))
NO_ANSWER = "none"


@dataclass(frozen=True)
class ModelAnswer:
    """What a model answered about one sentence.

    label  the label it chose, or "none"; answer: what it said
    """

    sentence: str
    source: str
    target: str
    label: str
    answer: str


@dataclass(frozen=True)
class Probes:
    """Whether a model can be relied on.

    valid       share of answers that are a label of the codebook
    same_order  share of answers that stay when the labels come in another order
    follows     share of answers that follow when two labels change their meaning, of those that named one of the two;
                None where it named neither
    asked       sentences
    """

    asked: int
    valid: float
    same_order: float
    follows: float | None

    @property
    def said(self) -> list[str]:
        """In words."""
        lines = [f"{self.valid:.0%} of {self.asked} answers are a label of the codebook"]
        lines.append(f"{self.same_order:.0%} stay the same when the labels come in another order")
        if self.follows is None:
            lines.append("whether it reads the definitions is not known: it named neither of the swapped labels")
        else:
            lines.append(f"{self.follows:.0%} follow the definitions when two labels change places")
        return lines


def codebook_of_roots() -> dict[str, str]:
    """CAMEO's roots 02 to 20 with what they mean, as text for a prompt."""
    book = entries("cameo")
    parts = {
        root: [one.title for code, one in book.items() if code.startswith(root) and len(code) == 3] for root in ROOTS
    }
    return {root: f"{book[root].title}: " + "; ".join(parts[root]) for root in ROOTS}


def prompt(sentence: str, actors: Sequence[str], codebook: Mapping[str, str]) -> str:
    """The question put to a model: sentence, actors, and the codebook's entries as text."""
    labels = "\n".join(f"{label}: {meaning}" for label, meaning in codebook.items())
    who = f"What does {actors[0]} do" + (f" to {actors[1]}" if len(actors) > 1 and actors[1] else "")
    return (
        f"{who} in the sentence below? Answer with one label of this codebook and nothing else.\n\n"
        f"Codebook:\n{labels}\n\nSentence: {sentence}\nLabel:"
    )


def code_with_model(
    model: Model, rows: Iterable[tuple[str, str, str]], codebook: Mapping[str, str] | None = None
) -> list[ModelAnswer]:
    """What a model says that the source does to the target: (sentence, source, target) each.

    codebook  label -> meaning; by default CAMEO's roots

    Raises UsageError if the callable gives something else than a text.
    """
    book = codebook_of_roots() if codebook is None else dict(codebook)
    found = []
    for sentence, source, target in rows:
        answer = model(prompt(sentence, (source, target), book))
        if not isinstance(answer, str):
            kind = type(answer).__name__
            raise UsageError(Fault.at("model", f"an answer of the type {kind}", "a text"))
        found.append(ModelAnswer(sentence, source, target, label_in(answer, book), answer))
    return found


def label_in(answer: str, codebook: Mapping[str, str]) -> str:
    """The label that an answer names: alone, or as the only one in it; else "none"."""
    said = answer.strip().strip(".:\"'`* ").casefold()
    labels = {label.casefold(): label for label in codebook}
    if said in labels:
        return labels[said]
    named = {labels[one] for one in re.findall(r"[\w:-]+", answer.casefold()) if one in labels}
    return named.pop() if len(named) == 1 else NO_ANSWER


def probe(
    model: Model, rows: Sequence[tuple[str, str, str]], codebook: Mapping[str, str] | None = None,
    swapped: tuple[str, str] | None = None,
) -> Probes:  # fmt: skip
    """Ask a model three times: plainly, with the labels in reverse, with the meanings of two labels exchanged.

    swapped  the two labels; by default those that the model named most often
    """
    if not rows:
        raise UsageError(Fault.at("rows", "no sentences", "sentences with source and target"))
    book = codebook_of_roots() if codebook is None else dict(codebook)
    plain = [one.label for one in code_with_model(model, rows, book)]
    backwards = dict(reversed(list(book.items())))
    turned = [one.label for one in code_with_model(model, rows, backwards)]
    named = [one for one in plain if one != NO_ANSWER]
    often = sorted(set(named), key=lambda one: (-named.count(one), one))
    pair = swapped or ((often[0], often[1]) if len(often) > 1 else None)
    follows = None
    if pair is not None:
        exchange = {pair[0]: pair[1], pair[1]: pair[0]}
        other = {label: book[exchange.get(label, label)] for label in book}
        answers = [one.label for one in code_with_model(model, rows, other)]
        concerned = [(before, after) for before, after in zip(plain, answers, strict=True) if before in exchange]
        if concerned:
            follows = sum(after == exchange[before] for before, after in concerned) / len(concerned)
    same = sum(one == two for one, two in zip(plain, turned, strict=True)) / len(rows)
    return Probes(len(rows), len(named) / len(rows), same, follows)
