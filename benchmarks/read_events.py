"""How fast are event files read, and how much memory does that take?

In: nothing; the files are made up here. Out: a table on screen, and the same with versions and load in
benchmarks/results/read_events.json.

Reading is held against Polars merely parsing the same bytes to the same columns: once as texts with the date parsed,
once with names as categories, which is how an event table holds them. Each job runs in a process of its own, in turns
with the one it is compared with; the best of several turns counts, in seconds on the clock and of the processor (on a
machine that does other things too, only the second is fair). Memory is the peak of the whole process.

    python benchmarks/read_events.py             # a million rows of each kind, ten million to match and count
    python benchmarks/read_events.py --rows 100000 --count 1000000 --turns 2
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "read_events.json"
ICEWS = (
    "Event ID", "Event Date", "Source Name", "Source Sectors", "Source Country", "Event Text", "CAMEO Code",
    "Intensity", "Target Name", "Target Sectors", "Target Country", "Story ID", "Sentence Number", "Publisher", "City",
    "District", "Province", "Country", "Latitude", "Longitude",
)  # fmt: skip
KEPT = {"icews": (0, 1, 2, 3, 4, 6, 8, 9, 10), "gdelt": (0, 1, 5, 6, 15, 16, 26, 59)}
NAMES = {"icews": (2, 3, 4, 6, 8, 9, 10), "gdelt": (5, 6, 15, 16, 26)}


def write_icews(path: Path, rows: int) -> None:
    """A file like a year of ICEWS: 20 columns, about 25,000 names, a day in 365 after the other."""
    import numpy as np

    from powderkeg.events import codebook

    rng = np.random.default_rng(1)
    codes = codebook("cameo")["code"].to_list()
    roles = ["Police", "Citizen", "Head of Government", "Protester", "Foreign Affairs", "Military Personnel", "Media"]
    countries = [f"Country number {n}" for n in range(200)]
    people = [f"Firstname Surname-{n}" for n in range(23_000)]
    sectors = ["Executive,Government", "Police,Government", "General Population / Civilian / Social,Social", "NA"]
    first = date(2015, 1, 1)
    with path.open("w", encoding="utf-8") as out:
        out.write("\t".join(ICEWS) + "\n")
        for start in range(0, rows, 50_000):
            number = min(50_000, rows - start)
            pick = rng.zipf(1.3, (number, 2)) % len(people)
            made = rng.random((number, 2)) < 0.6
            place = rng.integers(0, len(countries), (number, 2))
            role = rng.integers(0, len(roles), (number, 2))
            sector = rng.integers(0, len(sectors), (number, 2))
            code = rng.zipf(1.4, number) % len(codes)
            for i in range(number):
                who = [
                    f"{roles[role[i, s]]} ({countries[place[i, s]]})" if made[i, s] else people[pick[i, s]]
                    for s in (0, 1)
                ]
                day = first + timedelta(days=(start + i) * 365 // rows)
                out.write(
                    f"{30_000_000 + start + i}\t{day}\t{who[0]}\t{sectors[sector[i, 0]]}\t{countries[place[i, 0]]}"
                    f"\tSome words on what was done\t{codes[code[i]]}\t-5.0\t{who[1]}\t{sectors[sector[i, 1]]}"
                    f"\t{countries[place[i, 1]]}\t{47_000_000 + i}\t{i % 9}\tSome News Agency\tCapital\tNA"
                    f"\tSome Province\t{countries[place[i, 0]]}\t{21 + i % 50}.0245\t{105 - i % 90}.841\n"
                )


def write_gdelt(path: Path, rows: int) -> None:
    """A file of GDELT 2.0 columns; a row in ten has no first actor."""
    import numpy as np

    from powderkeg.events import codebook

    rng = np.random.default_rng(2)
    codes = codebook("cameo")["code"].to_list()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    countries = [a + b + c for a in letters[:9] for b in letters[:5] for c in letters[:5]]
    types = ["", "GOV", "MIL", "COP", "OPP", "CVL", "MED", "BUS"]
    first = date(2017, 1, 1)
    with path.open("w", encoding="utf-8") as out:
        for start in range(0, rows, 50_000):
            number = min(50_000, rows - start)
            place = rng.zipf(1.3, (number, 2)) % len(countries)
            kind = rng.integers(0, len(types), (number, 2))
            code = rng.zipf(1.4, number) % len(codes)
            absent = rng.random(number) < 0.1
            for i in range(number):
                row = [""] * 61
                day = (first + timedelta(days=(start + i) * 180 // rows)).strftime("%Y%m%d")
                row[0], row[1], row[2], row[3], row[4] = str(669_000_000 + start + i), day, day[:6], day[:4], "2017.5"
                for side, at in ((0, 5), (1, 15)):
                    if side or not absent[i]:
                        country, role = countries[place[i, side]], types[kind[i, side]]
                        row[at], row[at + 1], row[at + 2], row[at + 7] = (
                            country + role,
                            f"NAME OF {country}",
                            country,
                            role,
                        )
                row[25], row[26], row[27], row[28] = "1", codes[code[i]], codes[code[i]][:3], codes[code[i]][:2]
                row[29], row[30], row[31], row[32], row[33] = "1", "-5.0", str(i % 50), "1", "5"
                row[34] = f"-{i % 9}.2{i}"
                for at in (35, 43, 51):
                    row[at], row[at + 1], row[at + 2] = "4", "Some City, Some Province, Some Country", "XX"
                    row[at + 5], row[at + 6], row[at + 7] = "43.6667", "-79.4167", "-574890"
                row[59], row[60] = day + "121500", f"http://www.some-paper.example/{day}/a-headline-in-words-{i}.html"
                out.write("\t".join(row) + "\n")


# --- jobs, each in a process of its own ---


def job_texts(kind: str, path: str) -> int:
    """Polars: the same bytes to the same columns, names as texts."""
    return parse(kind, path, categories=False)


def job_categories(kind: str, path: str) -> int:
    """Polars: the same, names as categories."""
    return parse(kind, path, categories=True)


def parse(kind: str, path: str, categories: bool) -> int:
    import polars as pl

    names = list(ICEWS) if kind == "icews" else [f"c{n}" for n in range(61)]
    schema: dict[str, Any] = {
        name: pl.Categorical if categories and n in NAMES[kind] else pl.String for n, name in enumerate(names)
    }
    if kind == "icews":
        schema[names[1]] = pl.Date
    lazy = pl.scan_csv(path, separator="\t", quote_char=None, has_header=kind == "icews", schema=schema)
    return lazy.select(names[n] for n in KEPT[kind]).collect().height


def job_read(kind: str, path: str) -> int:
    """powderkeg: an event table, every row accounted for, sorted, events read twice dropped."""
    from powderkeg.events import read_events

    table = read_events(path)
    return int(table.account["rows_read"])  # type: ignore[call-overload]


def job_convert(kind: str, path: str) -> int:
    """powderkeg: the same into a Parquet file, without holding it in memory."""
    from powderkeg.events import convert

    return int(convert(path, Path(path).with_suffix(".parquet"))["rows_read"])


def job_count(kind: str, path: str) -> int:
    """Ten million day-stamped rows among 20,000 names: matched, doubles dropped, counted by dyad and day."""
    import polars as pl

    from powderkeg.events import EventTable, match
    from powderkeg.events.prepare import count_by_day
    from powderkeg.scenario import loads

    scenario = loads(Path(path).with_suffix(".yaml").read_text())
    table = EventTable(
        pl.read_parquet(path), date(2010, 1, 1), 3650.0, "day", {"format": "csv", "codebooks": ["cameo"]}
    )
    rows = len(table)
    matched, _ = match(scenario, table, source="icews", doubles=("same_day_matched",))
    counted = count_by_day(matched.frame.rename({"time": "day"}), ("source", "target"))
    print(f"    {len(matched):,} of {rows:,} rows between actors; {counted.height:,} days of dyads", file=sys.stderr)
    return rows


JOBS = {job.__name__.removeprefix("job_"): job for job in (job_texts, job_categories, job_read, job_convert, job_count)}


def write_count(path: Path, rows: int) -> None:
    """Rows like those of a table that was read, and a scenario of 40 actors with 100 names each."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(3)
    names = pl.Series([f"name {n}" for n in range(20_000)], dtype=pl.Categorical)
    codes = pl.Series(["138", "144", "173", "112", "190", "0831", "040", "057"], dtype=pl.Categorical)
    frame = pl.DataFrame(
        {
            "time": np.sort(rng.integers(0, 3650, rows)).astype(float),
            "source": names.gather(rng.zipf(1.1, rows) % 20_000),
            "target": names.gather(rng.zipf(1.1, rows) % 20_000),
            "code": codes.gather(rng.integers(0, len(codes), rows)),
        }
    )
    from powderkeg.events.prepare import map_codes

    frame = map_codes(frame, "cameo").with_columns(act=pl.col("code"))
    frame.write_parquet(path)
    actors = "".join(
        f"  actor_{a}: {{match: {{icews: {{names: [{', '.join(f'name {n}' for n in range(a, 20_000, 200))}]}}}}}}\n"
        for a in range(40)
    )
    acts = "".join(f'  act_{code}: {{tone: hostile, cameo: "{code}"}}\n' for code in codes.cast(pl.String))
    path.with_suffix(".yaml").write_text(
        f"powderkeg: 1\nname: s\ntitle: S\nstart: 2010-01-01\nactors:\n{actors}acts:\n{acts}"
        "moves:\n  m: {who: any, does: act_138, to: any, rate: 1 per year}\n"
    )


def run(job: str, kind: str, path: Path) -> dict[str, float]:
    """One job in a process of its own: seconds, processor seconds, peak megabytes, rows."""
    words = [sys.executable, __file__, "--job", job, "--kind", kind, "--path", str(path)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(job: str, kind: str, path: str) -> None:
    """What the process of a job does."""
    # Imports are not part of the job.
    import powderkeg.events  # noqa: F401
    import powderkeg.scenario  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    rows = JOBS[job](kind, path)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "processor": processor, "peak": after.ru_maxrss / 1024, "rows": rows}))


def best(turns: list[dict[str, float]]) -> dict[str, float]:
    """The fastest seconds, the least processor seconds, the highest peak."""
    return {
        "seconds": min(turn["seconds"] for turn in turns),
        "processor": min(turn["processor"] for turn in turns),
        "peak": max(turn["peak"] for turn in turns),
        "rows": turns[0]["rows"],
    }


def speed(folder: Path, rows: int, turns: int) -> list[dict[str, Any]]:
    """Reading against parsing, for each kind of file and packing."""
    found = []
    for kind, write, name in (
        ("icews", write_icews, "e.tab"),
        ("gdelt", write_gdelt, "g.CSV"),
        ("gdelt", None, "g.CSV.gz"),
    ):
        path = folder / name
        if write is not None:
            write(path, rows)
        else:
            with (folder / "g.CSV").open("rb") as plain, gzip.open(path, "wb", compresslevel=6) as packed:
                shutil.copyfileobj(plain, packed, 1 << 20)
        taken: dict[str, list[dict[str, float]]] = {"texts": [], "categories": [], "read": []}
        for _ in range(turns):
            for job, results in taken.items():
                results.append(run(job, kind, path))
        read = best(taken["read"])
        row: dict[str, Any] = {"file": name, "megabytes": path.stat().st_size / 1e6, "rows": rows, "read": read}
        for job in ("texts", "categories"):
            parsed = best(taken[job])
            row[job] = parsed
            row[f"ratio to {job}"] = parsed["seconds"] / read["seconds"]
            row[f"processor ratio to {job}"] = parsed["processor"] / read["processor"]
        found.append(row)
        print(
            f"{name:9} {row['megabytes']:5.0f} MB  {read['seconds']:6.2f} s, {rows / read['seconds']:11,.0f} rows/s; "
            f"of Polars' to texts {row['ratio to texts']:.2f} (by processor {row['processor ratio to texts']:.2f}), "
            f"to categories {row['ratio to categories']:.2f} ({row['processor ratio to categories']:.2f})",
            flush=True,
        )
    return found


def flatness(folder: Path, rows: int) -> list[dict[str, Any]]:
    """Peak memory of `convert` as the input doubles, and of `read_events`, which holds the table."""
    found = []
    for times in (1, 2, 4):
        path = folder / f"e{times}.tab"
        write_icews(path, rows * times)
        streamed, held = run("convert", "icews", path), run("read", "icews", path)
        found.append({"rows": rows * times, "convert peak MB": streamed["peak"], "read peak MB": held["peak"],
                      "convert seconds": streamed["seconds"]})  # fmt: skip
        print(
            f"{rows * times:12,} rows: convert {streamed['seconds']:6.2f} s, peak {streamed['peak']:5.0f} MB; "
            f"read_events peak {held['peak']:5.0f} MB",
            flush=True,
        )
        path.unlink()
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--count", type=int, default=10_000_000)
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--job", help=argparse.SUPPRESS)
    options.add_argument("--kind", help=argparse.SUPPRESS)
    options.add_argument("--path", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.job:
        child(given.job, given.kind, given.path)
        return
    import narwhals
    import polars

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {
            "machine": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load at the start": os.getloadavg()[0],
            "python": platform.python_version(),
            "polars": polars.__version__,
            "narwhals": narwhals.__version__,
        }
        print("reading, against Polars parsing the same bytes to the same columns (1 is as fast; 0.5 is the target)")
        result["speed"] = speed(folder, given.rows, given.turns)
        print("memory as the input doubles")
        result["memory"] = flatness(folder, given.rows)
        print(f"{given.count:,} day-stamped rows: matched, doubles dropped, counted by dyad and day")
        path = folder / "count.parquet"
        write_count(path, given.count)
        result["count"] = run("count", "count", path)
        result["load at the end"] = os.getloadavg()[0]
        print(
            f"    {result['count']['seconds']:.1f} s (target 60), peak {result['count']['peak']:.0f} MB (target 4,000)"
        )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
