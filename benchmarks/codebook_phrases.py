"""Which clauses of the codebooks does no pattern know? A list to mend by types, not a score of what news would show.

In: `benchmarks/sentences/phrases.txt`, short clauses of ours for every type of CAMEO. Out: how many are read rightly by
patterns alone and with the other words, and each that patterns miss.

    python benchmarks/codebook_phrases.py
"""

from __future__ import annotations

import re
from pathlib import Path

from powderkeg.text.giving import classified

PHRASES = Path(__file__).resolve().parent / "sentences" / "phrases.txt"
SIDES = {"A": "Iran", "B": "Egypt"}


def main() -> None:
    """Read each clause, and tell."""
    lines = [line for line in PHRASES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    roots, rows = [], []
    for line in lines:
        root, clause = line.split(" ", 1)
        roots.append(root)
        rows.append((re.sub(r"\b[AB]\b", lambda side: SIDES[side[0]], clause) + ".", *SIDES.values()))
    for opinion in (True, False):
        found = list(classified(rows, opinion=opinion))
        right = sum(one.code[:2] == root for one, root in zip(found, roots, strict=True))
        print(f"{right} of {len(rows)} {'with the other words' if opinion else 'by patterns alone'}")
    for (clause, *_), one, root in zip(rows, found, roots, strict=True):
        if one.code[:2] != root:
            print(root, one.code, clause, one.rules[0])


if __name__ == "__main__":
    main()
