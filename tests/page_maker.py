"""Every page of ours from one small system, for tests that open them in a browser: hostile names and all.

Not a test. Each page is made once a session.
"""

from __future__ import annotations

from pathlib import Path

from powderkeg.cli.app import _exit_code as run

LONG = "A very long title that goes on and on, " * 5
SYSTEM = f"""
powderkeg: 1
name: pages
title: 'North & south: <b>a "quarrel"</b> over the مضيق 🌊'
about: "{LONG}"
start: 2020-01-01
years: 4
actors:
  north: {{title: "North <script>alert(1)</script>"}}
  south: {{title: "{LONG[:190]}"}}
  patron: {{title: "الراعي العظيم"}}
ties: {{backing: {{kind: patronage, from: patron, to: south}}}}
facts: {{siege: {{title: a siege, lasts: "20 [10, 40] days", source: guess}}}}
acts:
  strike: {{tone: hostile, hurts: death, title: 🔥 strikes, heat: 3}}
  block: {{tone: hostile, title: blocks the road}}
  talk: {{tone: cooperative, title: talks}}
moves:
  strikes: {{who: [north, south], does: strike, to: [north, south], rate: "6 [3, 12] per year", source: guess}}
  blocks: {{who: south, does: block, to: north, rate: 2 per year, sets: [siege]}}
  talks: {{who: [north, south, patron], does: talk, to: [north, south], rate: 2 per year}}
  helps: {{who: patron, does: strike, to: north}}
mechanisms:
  retaliation: {{title: "{"🔥 and the wrath of " * 9}", when: x strikes y, then: y strikes x, answers: "0.3 [0.1, 0.5]",
                half_life: "4 [2, 8] days", source: guess}}
  solidarity: {{when: x strikes y, then: z strikes x, given: z backs y, answers: 0.2, half_life: 6 days}}
outcomes:
  strikes: {{title: "Strikes & <i>blows</i> a year", count: {{does: strike}}, better: less}}
  siege: {{title: Share of time besieged, share_of_time: siege, better: less}}
  patron: {{title: Is the patron drawn in?, any: {{who: patron, does: strike}}}}
interventions:
  no_patron: {{title: "Without <u>the patron</u>", set: {{ties.backing.holds: false}}}}
  fewer: {{title: Half as many strikes, set: {{moves.strikes.rate: 3 per year}}}}
"""
FEW = ["--quiet", "--replicates"]
NAMES = ("report", "comparison", "fit", "attribution", "forecast", "replay", "sweep")


def make_pages(folder: Path) -> dict[str, Path]:
    """Name -> page, each made by its command from the same scenario and one simulated record."""
    # A name without a place to break it, as exports and paths of other systems have.
    file, record = folder / "pages.yaml", folder / "everything_that_was_exported_for_the_two_corners_2020_2022.csv"
    file.write_text(SYSTEM, encoding="utf-8")
    _write_record(file, record)
    mine = [str(file), str(record)]
    commands = {
        "report": ["run", str(file), *FEW, "60"],
        "comparison": ["compare", str(file), *FEW, "60", "--sets", "4"],
        "attribution": ["attribute", *mine, "--quiet", "--forests", "20", "--episode", "1"],
        "forecast": ["forecast", *mine, "--quiet", "--draws", "50", "--days", "14"],
        "replay": ["replay", *mine, "--without", "patron", *FEW, "20", "--imputations", "2", "--no-ranges"],
        "sweep": ["sweep", str(file), "--over", "mechanisms.retaliation.answers=0.1:0.5:3", *FEW, "20"],
    }
    for name, words in commands.items():
        assert run([*words, "--out", str(folder / name)]) == 0, name
    fitted = ["--quiet", "--no-checks", "--report", str(folder / "fit"), "--background", "constant"]
    assert run(["fit", *mine, *fitted]) == 0
    return {name: folder / name / f"{name}.html" for name in NAMES}


def _write_record(file: Path, record: Path) -> None:
    """One simulated history as a file of events by day."""
    import polars as pl

    import powderkeg as pk

    table = pk.simulate(pk.compile(pk.load(file)), replicates=1, seed=3).table()
    day = (pl.lit(table.start) + pl.duration(days=pl.col("time").floor())).dt.date()
    table.frame.filter(pl.col("act").is_not_null(), pl.col("target").is_not_null()).select(
        day.alias("date"), "source", "act", "target"
    ).write_csv(record)
