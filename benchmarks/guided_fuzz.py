"""Inputs grown towards lines of ours that no input has reached yet, by libFuzzer through atheris (not on Windows).

    pip install atheris
    python benchmarks/guided_fuzz.py scenarios -max_total_time=600
    python benchmarks/guided_fuzz.py events -max_total_time=600
    python benchmarks/guided_fuzz.py sets -max_total_time=600

Words that begin with one dash are libFuzzer's. It stops at the first input that ends in anything but an answer or a
fault of ours in words, and writes it to crash-*; its last lines say how many were tried.
"""

from __future__ import annotations

import pkgutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "faults"), str(HERE.parent)]

with atheris.instrument_imports(include=["powderkeg"], enable_loader_override=False):
    import powderkeg as pk
    from powderkeg.cli.options import read_scenario
    from powderkeg.errors import PowderkegError

    # What is imported later is not followed.
    for room in ("reading", "formats", "scenario", "events"):
        for module in pkgutil.walk_packages(import_module(f"powderkeg.{room}").__path__, f"powderkeg.{room}."):
            import_module(module.name)

import trials  # noqa: E402

SUFFIXES = ("csv", "tsv", "tab", "json", "jsonl", "txt", "xlsx", "parquet")


def scenarios(content: bytes, _: Path) -> None:
    """A scenario as text."""
    pk.loads(content.decode("utf-8", "replace"))


def events(content: bytes, folder: Path) -> None:
    """A file of events: the first byte is its suffix."""
    place = folder / f"events.{SUFFIXES[(content or b'0')[0] % len(SUFFIXES)]}"
    place.write_bytes(content[1:])
    try:
        pk.read_events(place)
    finally:
        place.unlink()


def sets(content: bytes, folder: Path) -> None:
    """What is typed after --set."""
    place = folder / "two.yaml"
    if not place.exists():
        place.write_text(trials.SCENARIO, encoding="utf-8")
    read_scenario(str(place), [content.decode("utf-8", "replace")])


TARGETS: dict[str, Callable[[bytes, Path], None]] = {"scenarios": scenarios, "events": events, "sets": sets}


def seeds(target: str, folder: Path) -> None:
    """Valid inputs to begin with."""
    first = {
        "scenarios": [trials.SCENARIO],
        "sets": ["moves.hits.rate=4 per year", "mechanisms.answer.answers=0.4 [0.1, 0.8]", "years=3"],
        "events": ["\x00" + "\n".join(trials.events().splitlines()[:12]) + "\n"],
    }[target]
    for number, text in enumerate(first):
        (folder / f"seed-{number}").write_text(text, encoding="utf-8")


def main() -> None:
    """Grow inputs until the time is over or one of them breaks something."""
    target, *words = sys.argv[1:]
    made = Path(tempfile.mkdtemp())
    corpus, work = made / "corpus", made / "work"
    for folder in (corpus, work):
        folder.mkdir()
    seeds(target, corpus)
    warnings.simplefilter("ignore")

    def one(content: bytes) -> None:
        try:
            TARGETS[target](content, work)
        except PowderkegError as error:
            str(error)

    atheris.Setup([sys.argv[0], "-max_len=4000", "-timeout=60", "-print_final_stats=1", *words, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
