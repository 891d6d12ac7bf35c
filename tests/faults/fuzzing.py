"""Inputs that nobody meant: valid ones with bytes changed, cut out, doubled or put in, at random.

In: a generator of random numbers, how many. Out: how many were tried, and those that ended in anything but an answer or
a fault of ours in words.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from trials import SCENARIO
from trials import events as events_text

import powderkeg as pk
from powderkeg.cli.options import read_scenario
from powderkeg.errors import PowderkegError, PowderkegWarning
from powderkeg.fit.joint_law import read_beside
from powderkeg.simulate import JobPlan
from powderkeg.simulate.checkpoints import JobFolder
from powderkeg.simulate.kept_pieces import plain_pieces

SPICE = (
    b"\x00", b"\xff", b"-", b"[", b"{", b"}", b'"', b":", b"\n", b"999999999999999999999", b"1e400", b"nan", b"null",
    b" %", b"&a", b"*a", b"<<: ", b"!!python/object:os.system", b"\xef\xbb\xbf", b"0" * 400, "é".encode(), b"\t", b"..",
)  # fmt: skip
KIND = plain_pieces("trial")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A few changes."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at, end = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 3, 20, 10_000)))
        part = rng.choice((b"", bytes(changed[at:end]) * 2, rng.choice(SPICE), bytes([rng.randrange(256)])))
        changed[at:end] = part
    return bytes(changed)


def scenarios(folder: Path, rng: random.Random) -> None:
    """A scenario file."""
    place = folder / "fuzzed.yaml"
    place.write_bytes(mutated(SCENARIO.encode(), rng))
    pk.load(place)


def sets(folder: Path, rng: random.Random) -> None:
    """What is typed after --set."""
    place = folder / "two.yaml"
    if not place.exists():
        place.write_text(SCENARIO, encoding="utf-8")
    word = rng.choice(("moves.hits.rate=4 per year", "mechanisms.answer.answers=0.4 [0.1, 0.8]", "years=3"))
    read_scenario(str(place), [mutated(word.encode(), rng).decode("utf-8", "replace")])


def event_files(folder: Path, rng: random.Random) -> None:
    """A file of events: its first rows, so that as many changes fall on the head as on rows."""
    place = folder / f"events.{rng.choice(('csv', 'tsv', 'jsonl'))}"
    lines = events_text().splitlines()[:12]
    if place.suffix == ".jsonl":
        heads = lines[0].split(",")
        lines = [json.dumps(dict(zip(heads, line.split(","), strict=True))) for line in lines[1:]]
    text = "\n".join(lines) + "\n"
    place.write_bytes(mutated(text.replace(",", "\t").encode() if place.suffix == ".tsv" else text.encode(), rng))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PowderkegWarning)
        pk.read_events(place)


def job_folders(folder: Path, rng: random.Random) -> None:
    """Any file of a job's folder: whatever comes back is what was kept, or nothing."""
    place = folder / "job"
    content = {"values": np.arange(4.0), "name": "x", "rows": [(1, None), (2, "y")]}
    plan = JobPlan(place, part=1, parts=2, about={"command": ["sweep"], "from": "/", "scenario": {"a": {"b": 1}}})
    for one in place.glob("*"):
        one.unlink()
    with JobFolder(plan, {"seed": 1}, KIND) as kept:
        kept.write(0, content)
    one = rng.choice(sorted(place.glob("*")))
    one.write_bytes(mutated(one.read_bytes(), rng))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with JobFolder(plan, {"seed": 1}, KIND) as kept:
            found = kept.read(0)
    assert found is None or repr(found) == repr(content), found


def covariances(folder: Path, rng: random.Random) -> None:
    """The law that a fit keeps beside its scenario."""
    place = folder / "law.json"
    number = {"path": "moves.hits.rate", "scale": "log", "estimate": 0.05, "slope": 0.0}
    law = {"powderkeg covariance": 3, "scenario": "", "seal": "", "numbers": [number], "covariance": [[0.04]]}
    place.write_bytes(mutated(json.dumps(law).encode(), rng))
    read_beside(pk.loads(SCENARIO), place)


TARGETS: dict[str, Callable[[Path, random.Random], None]] = {
    "scenario files": scenarios,
    "--set": sets,
    "event files": event_files,
    "job folders": job_folders,
    "covariance files": covariances,
}


def fuzz(target: str, folder: Path, seed: int, times: int) -> tuple[int, list[str]]:
    """How many were tried, and what went wrong: the seed of the input and the error."""
    wrong = []
    for k in range(times):
        try:
            TARGETS[target](folder, random.Random(f"{seed} {target} {k}"))
        except PowderkegError as error:
            str(error)
        except Exception as error:
            wrong.append(f"{seed} {target} {k}: {type(error).__name__}: {error}")
    return times, wrong
