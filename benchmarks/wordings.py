"""Sentences to learn from, made of wordings: each kind of act in many words, among what else a wire says.

In: `benchmarks/sentences/wordings.txt`, sentences of ours for every kind of CAMEO with choices and two sides. Out:
sentences with source, target and two digits of CAMEO, drawn from a fixed seed. What stands around them (who said it,
when, amid what) is drawn alike for all kinds, so that it speaks for none.

    python benchmarks/wordings.py     which wordings do patterns alone not read? A list to mend by kinds
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from powderkeg.text.giving import classified

WORDINGS = Path(__file__).resolve().parent / "sentences" / "wordings.txt"
SEED, DRAWS = 20261130, 6
COUNTRIES = """Iran|Iranian Egypt|Egyptian Chad|Chadian Peru|Peruvian Kenya|Kenyan Nepal|Nepalese Serbia|Serbian
Angola|Angolan Turkey|Turkish Greece|Greek India|Indian Pakistan|Pakistani Sudan|Sudanese Libya|Libyan France|French
Mexico|Mexican Cuba|Cuban Japan|Japanese China|Chinese Russia|Russian Georgia|Georgian Israel|Israeli Syria|Syrian
Jordan|Jordanian Zambia|Zambian Ghana|Ghanaian Poland|Polish Ukraine|Ukrainian Thailand|Thai Vietnam|Vietnamese"""
LEADERS = ("{adj} President {name}", "{adj} Prime Minister {name}", "{adj} Foreign Minister {name}",
           "{land}'s president", "the {adj} defence minister", "{adj} leader {name}")  # fmt: skip
SURNAMES = ("Marek", "Okoro", "Sanchez", "Tran", "Hadi", "Petrov", "Lima", "Osman", "Keller", "Rao")
SIDES = {
    "": ("{land}", "{land}", "{land}", "the {adj} government", "{adj} authorities", *LEADERS[:2], "the {adj} army"),
    "n": ("{land}",),
    "l": LEADERS,
    "c": ("{adj} students", "{adj} workers", "{adj} farmers", "thousands of people in {land}", "{adj} teachers",
          "{adj} opposition supporters", "demonstrators in {land}"),
    "r": ("rebels in {land}", "{adj} guerrillas", "{adj} militants", "gunmen in {land}", "{adj} separatists",
          "{adj} insurgents"),
    "o": ("the United Nations", "the European Union", "the Red Cross", "Amnesty International",
          "the International Criminal Court", "the African Union"),
    "g": ("the {adj} opposition", "the {adj} Workers' Party", "a {adj} religious group"),
}  # fmt: skip
BEFORE = ("", "", "", "", "On Monday, ", "Late on Tuesday ", "In a surprise move, ", "After weeks of fighting, ",
          "Amid talks on a ceasefire, ", "Despite an appeal for calm, ", "Earlier this year ",
          "Hours after an attack, ", "According to state radio, ", "Officials said on Friday that ",
          "A spokesman announced that ")  # fmt: skip
AFTER = ("", "", "", "", " on Wednesday", ", officials said", ", a newspaper reported",
         ", the state news agency said on Sunday", " in a dispute over oil", " after a coup",
         ", according to diplomats", " amid growing tension", " last week",
         ", days before peace talks were to open", ", witnesses said", ", ending months of silence")  # fmt: skip


def wordings() -> Iterator[tuple[str, str]]:
    """Two digits and a sentence with its choices, line by line."""
    for line in WORDINGS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            root, _, said = line.partition(" ")
            yield root, said


def sentences(draws: int = DRAWS) -> Iterator[tuple[str, str, str, str, str]]:
    """Root, source, target, sentence, the wording it was made of; `draws` of each wording."""
    chance = random.Random(SEED)
    countries = [tuple(one.split("|")) for one in COUNTRIES.split()]
    for root, said in wordings():
        for _ in range(draws):
            lands = dict(zip("AB", chance.sample(countries, 2), strict=True))
            yield (root, *_made(said, lands, chance), said)


def _made(said: str, lands: dict[str, tuple[str, str]], chance: random.Random) -> tuple[str, str, str]:
    """Source, target, sentence."""
    clause = re.sub(r"\{([^{}]*)\}", lambda found: chance.choice(found[1].split("|")), said)
    clause = clause[0].lower() + clause[1:]
    named: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        land, adjective = lands[found[1]]
        words = chance.choice(SIDES[found[2]]).format(land=land, adj=adjective, name=chance.choice(SURNAMES))
        return named.setdefault(found[1], words)

    clause = re.sub(r"@([AB])([nlcrog]?)\b", name, clause)
    whole = chance.choice(BEFORE) + clause + chance.choice(AFTER) + "."
    return named["A"], named.get("B", ""), whole[0].upper() + whole[1:]


def main() -> None:
    """Read each wording, and tell those that are read amiss more often than not."""
    rows = list(sentences())
    found = list(classified([(text, source, target) for _, source, target, text, _ in rows], opinion=False))
    right, seen = Counter[str](), Counter[str]()
    amiss: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (root, _, _, text, said), one in zip(rows, found, strict=True):
        seen[root] += 1
        right[root] += one.code[:2] == root
        if one.code[:2] != root:
            amiss[root, said].append(f"    {one.code} {text} {one.rules[0]}")
    for root in sorted(seen):
        print(f"{root} {right[root]} of {seen[root]}")
    for (root, said), several in amiss.items():
        print(root, said, *several, sep="\n" if several else "")


if __name__ == "__main__":
    main()
