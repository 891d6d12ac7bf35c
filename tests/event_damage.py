"""Event files of every kind with random damage, and what must hold of each: for the tests of a few hundred, and of very
many at night.

A file is made of rows whose meaning is known, then damaged in a few places. Reading it must end in a table or in an
EventError, within a time; and every row that was not touched must be in the table as it was, or be accounted for.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from event_files import (
    acled,
    acled_row,
    gdelt,
    gdelt_row,
    icews,
    icews_row,
    keds,
    polecat,
    polecat_row,
    ucdp,
    ucdp_row,
)

from powderkeg.errors import PowderkegError
from powderkeg.events import EventTable, balance, read_events, summary

SLOWEST = 10.0
"""Seconds of the processor beyond which a file keeps its reader busy."""

Row = list[str]


def _acled(n: int) -> Row:
    return acled_row(n, day=f"{n % 28 + 1} May 2023", source=f"Rioters {n % 7}")


def _own_row(n: int) -> Row:
    return [f"2018-06-{n % 28 + 1:02}", f"Ana {n % 7}", f"Bor, {n % 5}", "042", str(n)]


def _own(rows: list[Row]) -> str:
    lines = [",".join(f'"{v}"' if "," in v else v for v in row) for row in [OWN, *rows]]
    return "\n".join(lines) + "\n"


OWN = ["date", "source", "target", "cameo", "event_id"]
KINDS: dict[str, tuple[Callable[[int], Row], Callable[[list[Row]], str], str]] = {
    "icews": (lambda n: icews_row(n, source=f"Ž{n % 7} (Åland)"), icews, "e.tab"),
    "gdelt": (lambda n: gdelt_row(n, day=f"201706{n % 28 + 1:02}"), gdelt, "e.CSV"),
    "gdelt1": (lambda n: gdelt_row(n, width=58), gdelt, "e.csv"),
    "polecat": (polecat_row, polecat, "e.txt"),
    "acled": (_acled, acled, "e.csv"),
    "ucdp": (ucdp_row, ucdp, "e.csv"),
    "keds": (lambda n: [f"9902{n % 28 + 1:02}", "NAT", "SER", "223"], keds, "e.txt"),
    "own": (_own_row, _own, "e.csv"),
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lambda data: lzma.compress(data, preset=0),
}  # fmt: skip
STRANGE = (
    b"\0", b'"', b"\t", b",", b";", b"\n", b"\r", b"\r\n", b"\xff", b"\xc3", b"\xe2\x80\xae", b"'", b"\\", b"{", b"[",
    b"=", b"#", b"<", b"sep=;\n", b"\xef\xbb\xbf", b"\xff\xfe", b"1e999", b"-99999999", b"NaN", b"null", b"9999-99-99",
)  # fmt: skip


@dataclass(frozen=True)
class Damaged:
    """A file to read.

    untouched  event ids of the rows that nothing happened to
    kind       of the table that the undamaged file makes: untouched rows must come out as they do there
    must_read  whether the file may not be refused
    """

    name: str
    data: bytes
    untouched: tuple[str, ...] = ()
    kind: str = ""
    must_read: bool = False


def damaged_text(rng: random.Random) -> Damaged:
    """A text file with a few bytes put in, taken out, changed, doubled or cut off."""
    kind = rng.choice(list(KINDS))
    make, write, name = KINDS[kind]
    rows = [make(n) for n in range(1, rng.choice((2, 5, 30, 60)))]
    data = bytearray(write(rows).encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"))))
    for _ in range(rng.choice((0, 1, 1, 2, 5, 40))):
        _damage(data, rng)
    packed = rng.choice((None, None, None, *PACKINGS))
    if packed is None:
        return Damaged(name, bytes(data))
    archive = bytearray(PACKINGS[packed](bytes(data)))
    if rng.random() < 0.5:
        _damage(archive, rng)
    return Damaged(name + packed, bytes(archive))


def _damage(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1) if data else 0
    end = min(len(data), at + rng.choice((1, 2, 10, 300)))
    what = rng.randrange(7)
    if what == 0:
        data[at:at] = rng.choice(STRANGE)
    elif what == 1:
        data[at:end] = rng.choice(STRANGE)
    elif what == 2:
        del data[at:end]
    elif what == 3:
        data[at:at] = data[at:end]
    elif what == 4:
        del data[at:]
    elif what == 5:
        data[at:end] = rng.randbytes(end - at)
    else:
        data[at:at] = rng.choice(STRANGE) * rng.choice((2, 50, 3000))


def one_row_spoilt(rng: random.Random) -> Damaged:
    """A file in which only one row was damaged, and no line or quote of it: all others must be in the table."""
    kind = rng.choice([one for one in KINDS if one != "keds"])
    make, write, name = KINDS[kind]
    rows = [make(n) for n in range(1, 40)]
    at = rng.randrange(5, 35)
    spoilt = list(rows[at])
    field = rng.randrange(len(spoilt))
    spoilt[field] = rng.choice(("", "x", "9999-99-99", "\u202e", "1e999", "-", "a\0b", "=1+1", "é" * 3, "'", "#"))
    if rng.random() < 0.3:
        spoilt = spoilt[:field] if rng.random() < 0.5 else [*spoilt, "more"]
    place = OWN.index("event_id") if kind == "own" else 0
    ids = tuple(row[place] for number, row in enumerate(rows) if number != at)
    return Damaged(name, write([*rows[:at], spoilt, *rows[at + 1 :]]).encode(), ids, kind, True)


SHOWN = ("time", "source", "target", "code")


@cache
def undamaged(kind: str) -> dict[str, tuple[Any, ...]]:
    """Day, sides and code of the rows of an undamaged file of this kind, by event id."""
    make, write, name = KINDS[kind]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / name
        path.write_bytes(write([make(n) for n in range(0 if kind == "own" else 1, 40)]).encode())
        return shown_rows(read_events(path, doubles=()))


def shown_rows(table: EventTable) -> dict[str, tuple[Any, ...]]:
    """What a row says, by event id; its day counted from 1970, whatever the first of the table is."""
    first = (table.start - date(1970, 1, 1)).days
    frame = table.frame.with_columns(pl.col("time") + first)
    names = [name for name in SHOWN if name in frame.columns]
    return {str(one): tuple(rest) for one, *rest in frame.select("event_id", *names).iter_rows()}


def damaged_json(rng: random.Random) -> Damaged:
    """Records with values of any kind, in any wrapping, with a few bytes changed."""
    records: list[Any] = [dict(zip(OWN, _own_row(n), strict=True)) for n in range(rng.choice((0, 1, 3, 30)))]
    whole = {str(one["event_id"]) for one in records}
    for _ in range(rng.choice((0, 1, 3))):
        if records and isinstance(one := rng.choice(records), dict):
            key = rng.choice((*OWN, "more"))
            whole.discard(str(one.get("event_id")))
            one[key] = _anything(rng)
            whole.discard(str(one.get("event_id")))  # it may bear another's id now
        records.insert(rng.randrange(len(records) + 1), _anything(rng))
    wrapped: Any = rng.choice(
        (records, {"data": records}, {"Result": records, "TotalPages": 3}, {"a": 1, "b": records})
    )
    lines = rng.random() < 0.4
    text = "\n".join(json.dumps(one) for one in records) if lines else json.dumps(wrapped)
    data = bytearray(text.encode())
    damages = rng.choice((0, 0, 1, 3))
    for _ in range(damages):
        _damage(data, rng)
    ids = () if damages else tuple(sorted(whole))
    return Damaged("e.jsonl" if lines else "e.json", bytes(data), ids, "own")


def _anything(rng: random.Random, level: int = 0) -> Any:
    plain: tuple[Any, ...] = (
        None,
        True,
        3,
        -1.5,
        10**30,
        float("nan"),
        "",
        "text",
        "2018-06-01",
        "\ud800",
        "\0",
        "a,b\n",
        "\u202e",
    )
    if level < 3 and rng.random() < 0.3:
        many = [_anything(rng, level + 1) for _ in range(rng.randrange(3))]
        return many if rng.random() < 0.5 else {str(n): one for n, one in enumerate(many)}
    return rng.choice(plain)


TYPES: tuple[Any, ...] = (
    pl.String, pl.Int8, pl.Int64, pl.UInt64, pl.Float32, pl.Float64, pl.Boolean, pl.Date, pl.Datetime("ms"),
    pl.Datetime("ns"), pl.Datetime("us", "UTC"), pl.Duration, pl.Time, pl.Binary, pl.Categorical, pl.Decimal(20, 2),
    pl.List(pl.String), pl.Null,
)  # fmt: skip


def damaged_parquet(rng: random.Random, folder: Path) -> Damaged:
    """A Parquet file whose columns have any type and any value, ours or not, with a few bytes changed."""
    rows = rng.choice((0, 1, 3, 20))
    frame = pl.DataFrame([_own_row(n) for n in range(rows)], schema=dict.fromkeys(OWN, pl.String), orient="row")
    for name in rng.sample([*OWN, "deaths", "time", "act"], rng.choice((0, 1, 2, 4))):
        column = _column(rng, rows)
        if column is not None:
            frame = frame.with_columns(column.alias(name))
    about = None
    if rng.random() < 0.5:
        frame = frame.with_columns(time=pl.int_range(rows).cast(pl.Float64), act=pl.lit("042"))
        fields = {
            "version": 1, "start": "2018-06-01", "days": 40.0, "resolution": "day", "account": {}, "coverage": None,
            "quarantine": None,
        }  # fmt: skip
        for name in rng.sample(list(fields), rng.choice((0, 0, 1, 2))):
            fields[name] = _anything(rng)
        about = {"powderkeg.events": rng.choice((json.dumps(fields), json.dumps(_anything(rng))))}
        column = _column(rng, rows)
        if column is not None and rng.random() < 0.5:
            frame = frame.with_columns(column.alias(rng.choice(("time", "source", "act", "span", "line"))))
    path = folder / "made.parquet"
    frame.write_parquet(path, metadata=about)
    data = bytearray(path.read_bytes())
    if rng.random() < 0.2:
        _damage(data, rng)
    return Damaged("e.parquet", bytes(data))


def _column(rng: random.Random, rows: int) -> pl.Series | None:
    """Values of any type: numbers of every size read as that type, a few of them missing."""
    dtype = rng.choice(TYPES)
    values = [rng.choice((None, 0, 1, -1, 20180601, 17_000, 2**31 - 1, 2**62, -(2**62))) for _ in range(rows)]
    try:
        if dtype in (pl.Float32, pl.Float64):
            wild = [rng.choice((None, 0.5, float("nan"), float("inf"), 1e300, -1e300)) for _ in range(rows)]
            return pl.Series("x", wild, dtype=dtype)
        if dtype == pl.Binary:
            return pl.Series("x", [rng.choice((None, b"a", b"\xff", b"042")) for _ in range(rows)], dtype=dtype)
        if dtype == pl.List(pl.String):
            return pl.Series("x", [rng.choice((None, [], ["a", "b"])) for _ in range(rows)], dtype=dtype)
        whole = pl.Series("x", values, dtype=pl.Int64)
        physical = pl.Int32 if dtype == pl.Date else pl.Int64
        return whole.cast(physical, strict=False).cast(dtype, strict=False)
    except pl.exceptions.PolarsError:
        return None


def faults_of_reading(one: Damaged, folder: Path, with_summary: bool) -> list[str]:
    """What went wrong in reading a file; nothing, if it was read or refused as it should be."""
    path = folder / one.name
    path.write_bytes(one.data)
    begun = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = read_events(path, doubles=())
            account = table.account
            if with_summary:
                summary(table)
    except PowderkegError as error:
        wrong = [] if str(error).strip() else ["a fault without words"]
        return wrong + [f"refused, with rows that were right: {error}"] * one.must_read + _slow(begun)
    except BaseException as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        path.unlink(missing_ok=True)
    found = _slow(begun)
    if "rows_read" in account and (balance(account) or account["rows_kept"] != len(table)):
        found.append(f"rows that are not accounted for: {account}")
    return found + (_changed(one, table) if one.untouched else [])


def _changed(one: Damaged, table: EventTable) -> list[str]:
    """Untouched rows that are not in the table, or not as they were."""
    if "event_id" not in table.frame.columns:
        return ["no event ids"]
    there, before = shown_rows(table), undamaged(one.kind)
    lost = [name for name in one.untouched if name not in there]
    other = [(name, before[name], there[name]) for name in one.untouched if name in there]
    other = [(name, was, now) for name, was, now in other if was != now]
    found = []
    if lost:
        found.append(f"rows that nothing happened to are lost: {lost[:5]} of {len(lost)}; {table.account}")
    if other:
        found.append(f"rows that nothing happened to are changed: {other[:3]} of {len(other)}; {table.account}")
    return found


def _slow(begun: float) -> list[str]:
    spent = time.process_time() - begun
    return [f"took {spent:.1f} s of the processor"] if spent > SLOWEST else []


def trial(seed: int, folder: Path) -> tuple[Damaged, list[str]]:
    """One file, made from a seed, and what went wrong with it."""
    rng = random.Random(seed)
    kind = rng.randrange(10)
    if kind < 4:
        one = damaged_text(rng)
    elif kind < 6:
        one = one_row_spoilt(rng)
    elif kind < 8:
        one = damaged_json(rng)
    else:
        one = damaged_parquet(rng, folder)
    # The summary costs half as much again as reading: one file in four has it.
    return one, faults_of_reading(one, folder, rng.randrange(4) == 0)
