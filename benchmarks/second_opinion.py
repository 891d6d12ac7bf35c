"""Which words speak for which kind of act? Fits `powderkeg/text/words/opinion.csv`, the second opinion beside patterns.

In: sentences of ours in the manner of news (`tests/text/sentences.csv`, `benchmarks/sentences/*.csv`) with source,
target and kind of act; clauses and wordings of ours for what the codebooks define (`codebook_phrases.py`,
`wordings.py`); and the patterns themselves, each as a short text of its words. Textbook sentences are not learned from.
Out: weights of a multinomial logistic model over words
and their places (features in `powderkeg.text.opinion`), by ridge regression, small ones left out; and at the file's
head what it is worth: every set of sentences from which no pattern was written is coded by weights that were fitted on
all other sets, by patterns alone, by words alone and by both. So is the half of the textbook sentences that may be read
($POWDERKEG_DATA/text), if it is there.

    [POWDERKEG_DATA=...] python benchmarks/second_opinion.py [--check]     --check: writes nothing
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import codebook_phrases
import coded_sets
import numpy as np
import wordings
from scipy import sparse
from scipy.optimize import minimize, minimize_scalar

from powderkeg.events.codes import entries
from powderkeg.text.coding import NOT_READ, _tokens_in, options
from powderkeg.text.giving import _holds, _plain, place_of
from powderkeg.text.names import gazetteer
from powderkeg.text.opinion import CONSTANT, WordWeights, features
from powderkeg.text.parsing import parsed
from powderkeg.text.patterns import lexicon

OUT = Path(__file__).resolve().parent.parent / "powderkeg" / "text" / "words" / "opinion.csv"
ROOTS = tuple(f"{n:02d}" for n in range(2, 21))
RIDGE, LEAST_SEEN, LEAST_WEIGHT = 1.0, 2, 0.05
COUNTS = (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
"""What a second opinion may count beside a reading's fit; the least is chosen that is as good as the best but for"""
AS_GOOD = 0.01
TEXTBOOK, PATTERNS, PHRASES, WORDINGS = "textbook", "patterns", "phrases", "wordings"
ROOT_OF = {"AGREE": "03", "CONSULT": "04", "SUPPORT": "05", "COOPERATE": "06", "AID": "07", "CONCEDE": "08",
           "RETREAT": "08", "INVESTIGATE": "09", "DEMAND": "10", "DISAPPROVE": "11", "REJECT": "12", "THREATEN": "13",
           "PROTEST": "14", "MOBILIZE": "15", "SANCTION": "16", "COERCE": "17", "ASSAULT": "18",
           "FIGHT": "19"}  # fmt: skip


@dataclass
class Asked:
    """A sentence with two sides: its set, the kind of act, what its words are, and how well each kind of act fits."""

    of: str
    root: str
    features: dict[str, float]
    fits: dict[str, float]


def asked() -> Iterator[Asked]:
    """All sentences that may be learned from or held against."""
    rows = []
    for name, path in coded_sets.OWN.items():
        for text, golds in coded_sets.gold_of(path).items():
            rows += [(name, text, one.sources[0][0], one.targets[0][0] if one.targets else "", one.code)
                     for one in golds]  # fmt: skip
    if "POWDERKEG_DATA" in os.environ:
        for text, golds in coded_sets.gold_of_textbook("patterns").items():
            for one in golds:
                sides = [side[0] for side in (*one.sources, *one.targets)]
                source, target = sides[0], (sides[len(one.sources) :] or sides[1:] or [""])[0]
                rows.append((TEXTBOOK, text, source, target, ROOT_OF[one.code]))
    rows += [(PHRASES, *clause, root) for root, clause in codebook_phrases.clauses()]
    rows += [(WORDINGS, text, source, target, root) for root, source, target, text, _ in wordings.sentences()]
    words, names = lexicon(), gazetteer()
    for (name, text, *sides, root), sentences in zip(
        rows, parsed((_plain(row[1]) for row in rows), words), strict=True
    ):
        spans = [place_of(one, _plain(text), names) for one in sides]
        best = max(sentences, key=lambda one: (_holds(one, spans), len(one)))
        source, target = (_tokens_in(best, span) for span in spans)
        fits: dict[str, float] = {}
        for fit, code, _ in options(best, words, names, source, target, statements=False):
            fits[code[:2]] = max(fit, fits.get(code[:2], -np.inf))
        yield Asked(name, root, dict.fromkeys(features(best, source, target), 1.0), fits)


def patterns() -> Iterator[Asked]:
    """The patterns of acts as texts: the head at the joint, what must stand beside it right below."""
    for (kind, head), several in lexicon().acts.items():
        for one in several:
            if one.means[:2] not in ROOTS or one.weak:
                continue
            found = {CONSTANT: 1.0, head: 1.0} | ({f"joint {head}": 1.0} if kind == "verb" else {})
            for alternatives in one.words:
                for word in alternatives:
                    found[word] = found[f"below {word}"] = 1.0 / len(alternatives)
            yield Asked(PATTERNS, one.means[:2], found, {})


class Table:
    """Sentences as arrays: features, kinds of act, fits, sets."""

    def __init__(self, rows: Sequence[Asked]) -> None:
        counts = Counter(name for one in rows if one.of != TEXTBOOK and one.of != PATTERNS for name in one.features)
        known = {name for name, count in counts.items() if count >= LEAST_SEEN}
        self.names = sorted(known | {name for one in rows if one.of == PATTERNS for name in one.features})
        at = {name: n for n, name in enumerate(self.names)}
        held = [(n, at[name], one.features[name]) for n, one in enumerate(rows)
                for name in sorted(one.features) if name in at]  # fmt: skip
        line, column, value = zip(*held, strict=True)
        self.x = sparse.csr_matrix((value, (line, column)), shape=(len(rows), len(self.names)))
        self.y = np.array([ROOTS.index(one.root) for one in rows])
        self.fits = np.array([[one.fits.get(root, NOT_READ) for root in ROOTS] for one in rows])
        self.sets = np.array([one.of for one in rows])

    def fitted(self, rows: np.ndarray) -> np.ndarray:
        """Weights, features by kinds of act, of a softmax with a ridge; the constant is free."""
        x, y = self.x[rows], self.y[rows]
        ridge = np.full((len(self.names), 1), RIDGE)
        ridge[self.names.index(CONSTANT)] = 1e-3
        hit = np.eye(len(ROOTS))[y]

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            w = flat.reshape(len(self.names), len(ROOTS))
            said = log_shares(x @ w)
            return (
                float(-said[np.arange(len(y)), y].sum() + 0.5 * (ridge * w * w).sum()),
                (x.T @ (np.exp(said) - hit) + ridge * w).ravel(),
            )

        start = np.zeros(len(self.names) * len(ROOTS))
        return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x.reshape(-1, len(ROOTS))

    def weights_without(self, name: str) -> WordWeights:
        """The weights as the coder reads them, fitted on all sets but one."""
        fitted = self.fitted((self.sets != name) & (self.sets != TEXTBOOK))
        return WordWeights(ROOTS, {key: tuple(row) for key, row in zip(self.names, fitted.tolist(), strict=True)})


def log_shares(sums: np.ndarray) -> np.ndarray:
    """Logarithms of shares, row by row."""
    top = sums - sums.max(1, keepdims=True)
    return top - np.log(np.exp(top).sum(1, keepdims=True))


def mean_f1(wanted: np.ndarray, found: np.ndarray, label: dict[int, object] | None = None) -> float:
    """Mean F1 over what was wanted, by kinds of act or what `label` makes of them."""
    a = [one if label is None else label[one] for one in wanted.tolist()]
    b = [one if label is None else label[one] for one in found.tolist()]
    scores = []
    for one in sorted(set(a), key=str):
        both = sum(x == y == one for x, y in zip(a, b, strict=True))
        scores.append(2 * both / max(1, a.count(one) + b.count(one)))
    return float(np.mean(scores))


def main() -> None:
    """Cross-validate, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    table = Table([*asked(), *patterns()])
    fresh = [name for name in coded_sets.OWN if name not in coded_sets.PATTERNS_FROM]
    said = np.zeros_like(table.fits)
    for name in (*fresh, TEXTBOOK):
        rows = table.sets == name
        if rows.any():
            said[rows] = log_shares(table.x[rows] @ table.fitted((table.sets != name) & (table.sets != TEXTBOOK)))
    held = np.isin(table.sets, fresh)
    by_count = {one: counted(table, said, one, held) for one in COUNTS}
    count = min(one for one in COUNTS if by_count[one] > max(by_count.values()) - AS_GOOD)
    both = table.fits + count * said

    def unlikely(sharpness: float) -> float:
        return float(-log_shares(sharpness * both)[held, table.y[held]].mean())

    sharpness = float(minimize_scalar(unlikely, bounds=(0.05, 5.0), method="bounded").x)
    lines = [
        f"counted beside a reading's fit, mean F1: {', '.join(f'{one:g}: {f1:.3f}' for one, f1 in by_count.items())}",
        *(
            [
                f"the same on textbook sentences: "
                f"{', '.join(f'{one:g}: {counted(table, said, one, table.sets == TEXTBOOK):.3f}' for one in COUNTS)}"
            ]
            if (table.sets == TEXTBOOK).any()
            else []
        ),
        f"chosen: {count:g}; sharpness {sharpness:.2f}; "
        f"calibration error {calibration(table, both, held, sharpness):.3f}",
        *(line for name in (*fresh, TEXTBOOK) if (line := told(table, name, said, both))),
        told(table, "all fresh", said, both, held),
    ]
    print(*lines, sep="\n")
    if not check:
        write(table, table.fitted(table.sets != TEXTBOOK), lines)


def counted(table: Table, said: np.ndarray, count: float, rows: np.ndarray) -> float:
    """Mean F1 of roots if a second opinion counts so much."""
    return mean_f1(table.y[rows], (table.fits + count * said)[rows].argmax(1))


def calibration(table: Table, both: np.ndarray, rows: np.ndarray, sharpness: float) -> float:
    """Mean gap between how sure a kind of act is said to be and how often it is right, by tenths."""
    shares = np.exp(log_shares(sharpness * both[rows]))
    sure, right = shares.max(1), shares.argmax(1) == table.y[rows]
    tenth = np.minimum((sure * 10).astype(int), 9)
    return sum(abs(sure[tenth == n].mean() - right[tenth == n].mean()) * (tenth == n).mean()
               for n in range(10) if (tenth == n).any())  # fmt: skip


def told(table: Table, name: str, said: np.ndarray, both: np.ndarray, rows: np.ndarray | None = None) -> str:
    """One line on a set."""
    here = table.sets == name if rows is None else rows
    if not here.any():
        return ""
    tones = {n: next(entry.tone for code, entry in entries("cameo").items() if code.startswith(root))
             for n, root in enumerate(ROOTS)}  # fmt: skip
    ways = {"patterns": table.fits, "words": said, "both": both}
    by = []
    for way, of in ways.items():
        wanted, found = table.y[here], of[here].argmax(1)
        by.append(f"{way} {mean_f1(wanted, found):.3f}/{mean_f1(wanted, found, tones):.3f}")
    return f"{name:<10} {here.sum()} sentences, mean F1 of roots/classes: {', '.join(by)}"


def write(table: Table, weights: np.ndarray, lines: Sequence[str]) -> None:
    """The file that ships: a row for each feature that says something."""
    head = [
        "# Which words speak for which kind of act: weights of a softmax over features in powderkeg/text/opinion.py.",
        "# Fitted by benchmarks/second_opinion.py on own sentences; do not edit by hand. Each set below was coded by",
        "# weights that were fitted on all others:",
        *(f"#   {line}" for line in lines),
        ",".join(("feature", *ROOTS)),
    ]
    rows = []
    for name, row in zip(table.names, weights, strict=True):
        said = ["" if abs(one) < LEAST_WEIGHT else f"{one:.2f}" for one in row.tolist()]
        if any(said):
            quoted = '"' + name.replace('"', '""') + '"'
            rows.append(",".join((quoted, *said)))
    OUT.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
