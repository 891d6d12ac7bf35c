"""Which clauses of the codebooks does no pattern know? A list to mend by types, not a score of what news would show.

In: `benchmarks/sentences/phrases.txt`, short clauses of ours for every type of CAMEO. Out: how many are read rightly by
patterns alone and with the other words, and each that patterns miss.

    python benchmarks/codebook_phrases.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from powderkeg.text.giving import classified

PHRASES = Path(__file__).resolve().parent / "sentences" / "phrases.txt"
SIDES = {"A": "Iran", "B": "Egypt"}


def clauses() -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Two digits of CAMEO, and the clause with its two sides."""
    for line in PHRASES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            root, clause = line.split(" ", 1)
            yield root, (re.sub(r"\b[AB]\b", lambda side: SIDES[side[0]], clause) + ".", SIDES["A"], SIDES["B"])


def main() -> None:
    """Read each clause, and tell."""
    roots, rows = zip(*clauses(), strict=True)
    for opinion in (True, False):
        found = list(classified(rows, opinion=opinion))
        right = sum(one.code[:2] == root for one, root in zip(found, roots, strict=True))
        print(f"{right} of {len(rows)} {'with the other words' if opinion else 'by patterns alone'}")
    for (clause, *_), one, root in zip(rows, found, roots, strict=True):
        if one.code[:2] != root:
            print(root, one.code, clause, one.rules[0])


if __name__ == "__main__":
    main()
