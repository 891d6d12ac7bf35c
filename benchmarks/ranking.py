"""How well is the next actor ranked? ICEWS14 and ICEWS18 with the published splits.

    POWDERKEG_DATA=FOLDER python benchmarks/ranking.py [icews14] [icews18] [--blind]

FOLDER holds icews14/events.parquet and icews18/events.parquet (columns date, source, target, relation, quad). Learnt is
from all before the published test part, validation included; each question knows all that came before its day. --blind
takes the names away, so that no country can be read from them. Results: benchmarks/results/ranking.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import polars as pl

import powderkeg as pk

RESULTS = Path(__file__).parent / "results" / "ranking.json"
TEST = {"icews14": 7_371, "icews18": 49_545}
"""Events of the published test parts (Gastinger et al. 2024, IJCAI)."""


def measured(name: str, blind: bool) -> dict[str, object]:
    frame = pl.read_parquet(Path(os.environ["POWDERKEG_DATA"]) / name / "events.parquet").sort("date")
    first = frame["date"][-TEST[name]]
    if blind:
        names = pl.concat([frame["source"].cast(pl.String), frame["target"].cast(pl.String)]).unique().sort()
        number = dict(zip(names, (f"a{i}" for i in range(len(names))), strict=True))
        frame = frame.with_columns(pl.col("source", "target").cast(pl.String).replace_strict(number))
    table = pk.events(
        frame.select("date", "source", "target", act="relation", tone="quad"), mapping={"code": "act"}, doubles=()
    )
    began = time.process_time()
    learnt = pk.ranking(table, first)
    learning = time.process_time() - began
    scores = learnt.score()
    return {
        "data": name, "names": "hidden" if blind else "seen", "learning_s": round(learning, 1),
        "scoring_s": round(time.process_time() - began - learning, 1), **scores.as_dict(),
    }  # fmt: skip


def main() -> None:
    asked = [name for name in sys.argv[1:] if name in TEST] or [*TEST]
    blind = "--blind" in sys.argv
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    for name in asked:
        found = measured(name, blind)
        print(json.dumps(found, indent=1))
        before = [one for one in before if (one["data"], one["names"]) != (found["data"], found["names"])] + [found]
        RESULTS.write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
