"""Draw the pictures that README and docs show, from the default run: `python docs/img/make.py`.

In: nothing but docs/fit.md, whose first example is fitted. Out: history.svg, ends.svg, record.svg, family.svg,
fit-mechanism.svg and fit-predictive.svg beside this file.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import powderkeg as pk
from powderkeg.fit import standoff_numbers
from powderkeg.report import fitted

FOLDER = Path(__file__).parent
SEED, REPLICATES = 1, 10_000

if __name__ == "__main__":
    model = pk.compile(pk.load("north-kosovo"))
    runs = pk.simulate(model, replicates=REPLICATES, seed=SEED)
    record = [asdict(line) for line in pk.record(model, replicates=1_000, seed=SEED).lines]
    results = pk.report.gather(model, runs, record=record)
    charts = {
        "history": pk.plots.history(
            results.example_acts,
            results.example_standoffs,
            results.start,
            results.days,
            results.actors,
            title=f"{results.title}: one of {results.replicates:,} simulated histories",
        ),
        "ends": pk.plots.ends(results.shares("ends")),
        "record": pk.plots.against_record(record, title=f"{results.title}: the model against the dated record"),
    }
    one = pk.simulate(model, years=10, replicates=1, seed=7).table()  # the record of docs/attribution.md
    seen = pk.EventTable(one.frame.select("time", "source", "act", "target"), one.start, one.days)
    family = pk.attribute(model, seen).family(-1)
    charts["family"] = pk.plots.family_tree(family.acts, family.links, seen.start, results.titles)
    names: dict[str, Any] = {}
    exec(re.findall(r"^```python\n(.*?)^```$", (FOLDER.parent / "fit.md").read_text(), re.M | re.S)[0], names)
    checks = names["fit"].check(also=[standoff_numbers(names["scenario"])])
    drawn = fitted.figures(names["fit"], checks)
    charts |= {"fit-mechanism": drawn["mechanism-retaliation"], "fit-predictive": drawn["predictive"]}
    for name, chart in charts.items():
        print(pk.plots.save(chart, FOLDER / f"{name}.svg"))
