"""JSON files of ours that come back: cut off, saved by an editor, changed by hand, by a bad disk, by malice.

Whatever is done to one, the answer is the data as we wrote it or one of our faults: no foreign exception, and no other
data where a seal or a digest can tell.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from powderkeg.cli.folder import Folder as ResultFolder
from powderkeg.compare.sweep.sweeps import POINTS
from powderkeg.errors import PowderkegError, UsageError
from powderkeg.fit.joint_law import Joint, read
from powderkeg.reading.stored import (
    EitherShape,
    FlagShape,
    ListShape,
    MappingShape,
    NumberShape,
    RecordShape,
    TextShape,
    maybe,
    parsed,
    read_stored,
)
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.writing.manifest import MANIFEST, check_sets

SHAPE = RecordShape(
    {"name": TextShape(choices=("north", "south")), "days": NumberShape(above=0),
     "rows": ListShape(ListShape(NumberShape(), 2))},
    {"on": FlagShape(), "note": maybe(TextShape()), "by": MappingShape(NumberShape(least=0, most=9, whole=True)),
     "level": EitherShape((NumberShape(), TextShape()))},
)  # fmt: skip
GOOD = {"name": "north", "days": 3.5, "rows": [[1, 2.5]], "on": True, "note": None, "by": {"a": 1}, "level": "high"}


def test_what_has_the_shape_is_given_back() -> None:
    assert parsed(json.dumps(GOOD).encode(), SHAPE, "x.json", "a file of ours") == GOOD
    assert parsed(b"\xef\xbb\xbf" + json.dumps(GOOD, indent=7).encode(), SHAPE, None, "") == GOOD


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "nort"}, "x.json: name: 'nort'\n    expected one of 'north', 'south'"),
        ({"days": 0}, "days: 0\n    expected a finite number above 0"),
        ({"days": True}, "days: true\n    expected a finite number above 0"),
        ({"days": "3"}, "days: '3'"),
        ({"rows": [[1, 2], [1]]}, "rows[1]: a list of 1\n    expected a list of 2"),
        ({"rows": {}}, "rows: an empty mapping\n    expected a list"),
        ({"on": 1}, "on: 1\n    expected true or false"),
        ({"by": {"a": 1.0}}, "by.a: 1.0\n    expected a whole number from 0 on up to 9"),
        ({"level": []}, "level: a list of 0\n    expected a finite number or a text"),
        ({"note": "\ud800"}, "note: '\\ud800'"),
        (
            {"nmae": 1},
            "nmae: an unknown name\n    expected one of name, days, rows, on, note, by, level, nearest ",
        ),
    ],
)
def test_every_slip_is_told_with_its_place(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(json.dumps(GOOD | changed).encode(), SHAPE, "x.json", "a file of ours")
    assert told in str(caught.value)


def test_all_slips_are_told_at_once_up_to_a_number() -> None:
    with pytest.raises(UsageError) as caught:
        parsed(b'{"name": 1, "days": null}', SHAPE, "x.json", "")
    assert [fault.path for fault in caught.value.faults] == ["name", "days", "rows"]
    with pytest.raises(UsageError) as caught:
        parsed(json.dumps(GOOD | {"rows": [[]] * 1000}).encode(), SHAPE, "x.json", "a file of ours")
    assert len(caught.value.faults) == 21


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"{", "x.json:1: not JSON"),
        (b'{\n"a": }', "x.json:2: not JSON: expecting value"),
        (b"\xff", "not UTF-8 text"),
        ("{}".encode("utf-16"), "not UTF-8 text"),
        (b'{"days": NaN}', "NaN, which is no number in JSON"),
        (b'{"days": -Infinity}', "-Infinity, which is no number in JSON"),
        (b'{"days": 1e999}', "days: inf"),
        (b'{"days": 1' + b"0" * 350 + b"}", "days: a whole number of 351 digits"),
        (b'{"days": 1' + b"0" * 9000 + b"}", "a whole number of 9,001 digits"),
        (b'{"on": true, "on": false}', "'on' stands twice in one mapping"),
        (b"[" * 200_000, "lists within lists without end"),
        (b"[" * 100 + b"]" * 100, "lists within lists without end"),
        (b'{"a":' * 100_000, "lists within lists without end"),
    ],
)
def test_what_is_no_data_of_ours_is_one_sentence(content: bytes, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(content, SHAPE, "x.json", "a file of ours")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b" " * 1000)
    with pytest.raises(UsageError, match=r"1,000 bytes\n    expected a file of ours, of at most 100 bytes"):
        read_stored(tmp_path / "x.json", SHAPE, "a file of ours", most_bytes=100)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_stored(tmp_path / "folder", SHAPE, "a file of ours")


# Files of ours, changed in many ways


def law(folder: Path) -> tuple[Path, Callable[[], Any]]:
    place = folder / "x.covariance.json"
    estimate, covariance = np.array([0.5, 2.0]), np.array([[0.2, 0.05], [0.05, 0.1]])
    place.write_text(Joint(("moves.a.rate", "moves.b.rate"), (False, True), estimate, covariance).text())
    return place, lambda: read(place).text()


def point(folder: Path) -> tuple[Path, Callable[[], Any]]:
    numbers = ("value", "value_low", "value_high", "baseline", "difference", "low", "high")
    row: dict[str, Any] = dict.fromkeys(numbers, 0.25) | {"outcome": "o", "title": "O", "unit": "u", "better": None}

    def back() -> Any:
        with JobFolder(folder, {"seed": 1}, POINTS) as kept:
            found = kept.read(3)
            kept.spoiled.clear()
        if found is None:
            raise UsageError("named and made again")
        return found

    with JobFolder(folder, {"seed": 1}, POINTS) as kept:
        kept.write(3, [row | {"stopped": 0}, row | {"stopped": 7}])
    return folder / "points" / "0000003.json", back


def job(folder: Path) -> tuple[Path, Callable[[], Any]]:
    about = {"seed": 1, "days": 365.25, "axes": [["moves.a.rate", [0.1, 0.2], 0.1, None]], "flag": True}

    def back() -> Any:
        with JobFolder(folder, about, POINTS) as kept:
            return kept.identity

    back()
    return folder / "job.json", back


def manifest(folder: Path) -> tuple[Path, Callable[[], Any]]:
    out = ResultFolder(folder)
    with out.results("run", seed=3):
        for name in ("a.csv", "b.json"):
            out.write(name, lambda path: path.write_text("x"))

    return folder / MANIFEST, lambda: check_sets(folder)


STRANGE = [
    None, True, False, 0, -1, 1, 2**63, 10**30, 10**400, 1e308, -1e308, 5e-324, 0.1, "", "x", "³", "1", "../x", "/etc",
    "\x00", "\ud800", "log", [], [[]], [1, "x"], {}, {"x": {}}, {"": None}, float("nan"), float("inf"),
]  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*at, name))


def mutated(data: Any, text: str, draw: random.Random) -> bytes:
    """One change: of a value, a name, the order, or of bytes."""
    kind = draw.randrange(8)
    if kind == 0:
        cut = draw.randrange(len(text))
        return text[:cut].encode()
    if kind == 1:
        content = bytearray(text.encode())
        content[draw.randrange(len(content))] = draw.randrange(256)
        return bytes(content)
    if kind == 2:
        return text.encode(draw.choice(["utf-16", "utf-8-sig", "utf-32"]))
    data = copy.deepcopy(data)
    at = draw.choice([one for one in places(data) if one])
    inside = data
    for name in at[:-1]:
        inside = inside[name]
    if kind == 3:
        del inside[at[-1]]
    elif kind == 4 and isinstance(inside, dict):
        inside[draw.choice(["", "x", "³", "a" * 300, "\x1b[31m", at[-1].upper()])] = inside.pop(at[-1])
    elif kind == 5 and isinstance(inside, list):
        inside.extend(copy.deepcopy(inside) * draw.choice([1, 3]))
    else:
        inside[at[-1]] = draw.choice(STRANGE)
    return json.dumps(data).encode()


def hold(make: Callable[[Path], tuple[Path, Callable[[], Any]]], folder: Path, turns: int, seed: int) -> None:
    place, back = make(folder)
    text = place.read_text()
    whole, draw, refused = back(), random.Random(seed), 0
    for turn in range(turns):
        content = mutated(json.loads(text), text, draw)
        place.write_bytes(content)
        try:
            assert back() == whole, (turn, content[:2000])
        except PowderkegError as error:
            refused += 1
            assert len(str(error)) < 20_000
    assert refused > turns / 2
    place.write_text(text)
    assert back() == whole


@pytest.mark.parametrize("make", [law, point, job, manifest])
def test_a_changed_file_is_refused_in_words_or_changes_nothing(
    make: Callable[[Path], tuple[Path, Callable[[], Any]]], tmp_path: Path
) -> None:
    hold(make, tmp_path, 200, 1)


@pytest.mark.nightly
@pytest.mark.parametrize("make", [law, point, job, manifest])
def test_a_changed_file_is_refused_in_words_or_changes_nothing_at_length(
    make: Callable[[Path], tuple[Path, Callable[[], Any]]], tmp_path: Path
) -> None:
    hold(make, tmp_path, 5_000, random.SystemRandom().randrange(10**9))
