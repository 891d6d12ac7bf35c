"""Trials: real processes of the command line that are killed, asked to stop, or find their folder damaged.

In: a folder for the trials, a generator of random numbers. Out: a `Trial` each: what was done, and whether the end was
as it must be. Used by the tests beside this file and by `benchmarks/faults.py`, which prints the documentation's table.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

SCENARIO = """
powderkeg: 1
name: two_sides
start: 2000-01-01
years: 2
actors: {a: {}, b: {}}
acts: {hit: {tone: hostile, heat: 3}, talk: {tone: cooperative}}
moves:
  hits: {who: a, does: hit, to: b, rate: 20 per year}
  hits_back: {who: b, does: hit, to: a, rate: 1 per year}
  talks: {who: b, does: talk, to: a, rate: 10 per year}
mechanisms:
  answer: {when: a hits b, then: b hits a, answers: "0.5 [0.2, 0.8]", half_life: 3 days}
outcomes:
  hits: {title: Hits a year, count: {does: hit}}
interventions:
  half: {title: Half as many, set: {moves.hits.rate: 10 per year}}
"""
COMMANDS = {
    "sweep": ["sweep", "two.yaml", "--over", "mechanisms.answer.answers=0.1:0.6:12", "--replicates", "100"],
    "run": ["run", "two.yaml", "--replicates", "4000", "--resume"],
    "forecast --score": [
        "forecast", "two.yaml", "events.csv", "--score", "--origins", "8", "--horizons", "1,7", "--draws", "50",
        "--resume",
    ],
    "compare": ["compare", "two.yaml", "half", "--replicates", "3000", "--sets", "4", "--resume"],
}  # fmt: skip
KEPT = ("job.json", "about.json")
EARLIEST = 0.3
"""Seconds: before that Python itself is starting, and answers Ctrl-C in its own way."""
TRIES = 8
"""For each time that is wanted: a command may be through before its disk fails."""
FULL = ("no space left on the disk",)
READ_ONLY = ("the disk can only be read", "Read-only file system")
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


def events() -> str:
    """One history of the scenario as a file of events that somebody recorded."""
    rng, first = random.Random(3), date(2000, 1, 1)
    kinds = {"a,hit,b": 20.0, "b,hit,a": 11.0, "b,talk,a": 10.0}
    days = sorted((rng.randrange(730), kind) for kind, rate in kinds.items() for _ in range(int(2 * rate)))
    return "date,source,act,target\n" + "".join(f"{first + timedelta(day)},{kind}\n" for day, kind in days)


@dataclass
class Trial:
    """What was done, how often, and what came of it: `lost` and `different` must be 0."""

    fault: str
    command: str
    times: int = 0
    lost: int = 0
    different: int = 0
    tracebacks: int = 0
    told: str = ""

    @property
    def is_well(self) -> bool:
        return self.times > 0 and self.lost == self.different == self.tracebacks == 0


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The command line as a process of its own."""
    code = "from powderkeg.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder, text=True, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def done(folder: Path, *words: str) -> tuple[int, str]:
    """Its exit code and what it said on standard error."""
    process = start(folder, *words)
    said = process.communicate()[1]
    return process.returncode, said


def results(folder: Path) -> dict[str, bytes]:
    """The files of a command, by name."""
    return {p.name: p.read_bytes() for p in sorted(folder.glob("[!.]*")) if p.is_file() and p.name not in KEPT}


def pieces(folder: Path) -> list[Path]:
    """What is kept of a job."""
    return sorted([*folder.glob("points/[0-9]*"), *folder.glob("job/[0-9]*")])


def mounts() -> bool:
    """Can a small file system of its own be made here (Linux, and the right to mount)?"""
    if not sys.platform.startswith("linux") or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as place:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True).returncode:
            return False
        subprocess.run(["umount", place], check=True)
    return True


@contextlib.contextmanager
def small_disk(place: Path, options: str) -> Iterator[Path]:
    """A file system in memory, mounted at a folder while it is needed."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remounted(disk: Path, option: str) -> bool:
    """Whether the system took another option for a mounted file system: not "ro" while a file is being written."""
    return subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], capture_output=True).returncode == 0


@dataclass
class Bench:
    """A folder with a scenario, and what each command writes when nobody disturbs it."""

    folder: Path
    rng: random.Random

    def __post_init__(self) -> None:
        (self.folder / "two.yaml").write_text(SCENARIO, encoding="utf-8")
        (self.folder / "events.csv").write_text(events(), encoding="utf-8")
        self.whole: dict[str, dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}

    def undisturbed(self, command: str) -> dict[str, bytes]:
        """The files of a command; made once."""
        if command not in self.whole:
            out = f"whole-{command.split()[0]}"
            code, said = done(self.folder, *COMMANDS[command], "--quiet", "--out", out)
            assert code == 0, said
            began = time.monotonic()
            shutil.rmtree(self.folder / out)
            code, said = done(self.folder, *COMMANDS[command], "--quiet", "--out", out)
            self.seconds[command] = time.monotonic() - began
            self.whole[command] = results(self.folder / out)
        return self.whole[command]

    def stopped(self, command: str, number: signal.Signals, times: int) -> Trial:
        """The command is stopped at random moments until it has been so often; then it is left to end."""
        whole = self.undisturbed(command)
        trial = Trial(f"{number.name} at a random moment", command)
        while trial.times < times:
            out = self.folder / f"job-{command.split()[0]}"
            shutil.rmtree(out, ignore_errors=True)
            while trial.times < times:
                before = {p.name: p.read_bytes() for p in pieces(out)}
                process = start(self.folder, *COMMANDS[command], "--quiet", "--out", out.name)
                time.sleep(self.rng.uniform(EARLIEST, 1.05 * self.seconds[command]))
                process.send_signal(number)
                said = process.communicate()[1]
                if process.returncode == 0:
                    break  # it was through already: the next begins anew
                trial.times += 1
                trial.tracebacks += "Traceback" in said
                expected = CODES.get(number, -number)
                trial.lost += process.returncode not in (expected, -number)
                after = {p.name: p.read_bytes() for p in pieces(out)}
                trial.lost += sum(after.get(name) != content for name, content in before.items())
            code, said = done(self.folder, *COMMANDS[command], "--quiet", "--out", out.name)
            trial.lost += code != 0
            trial.tracebacks += "Traceback" in said
            trial.different += results(out) != whole
        return trial

    def damaged(self, command: str, fault: str, damage: Callable[[Path], None], times: int, said: str) -> Trial:
        """A finished job is damaged, and gone on with: `said` must be told, and the files must come out the same."""
        whole = self.undisturbed(command)
        trial = Trial(fault, command)
        for _ in range(times):
            out = self.folder / f"damaged-{command.split()[0]}"
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(self.folder / f"whole-{command.split()[0]}", out)
            damage(out)
            code, told = done(self.folder, *COMMANDS[command], "--quiet", "--out", out.name)
            trial.times += 1
            trial.tracebacks += "Traceback" in told
            trial.lost += said not in told
            if code == 0:
                trial.different += results(out) != whole
            trial.told = next((line for line in told.splitlines() if said in line), "")
        return trial

    def on_a_full_disk(self, command: str, times: int) -> Trial:
        """The results' file system is full at a random moment, and has room again when the command is gone on with."""
        self.undisturbed(command)
        kept = self.folder / f"whole-{command.split()[0]}"
        needed = sum(one.stat().st_size for one in kept.rglob("*") if one.is_file())
        trial = Trial("disk full", command)
        for _ in range(TRIES * times):
            if trial.times < times:
                kib = self.rng.randrange(16, max(needed // 1024, 32))
                with small_disk(self.folder / "disk", f"size={kib}k") as disk:
                    code, told = done(self.folder, *COMMANDS[command], "--quiet", "--out", str(disk / "job"))
                    self._gone_on_with(trial, disk, code, told, FULL, "size=64m")
        return trial

    def on_a_disk_that_became_read_only(self, command: str, times: int) -> Trial:
        """As file systems do after a fault of the disk: what was done can be read, the command says why it stops."""
        self.undisturbed(command)
        trial = Trial("disk turned read-only", command)
        for _ in range(TRIES * times):
            if trial.times < times:
                with small_disk(self.folder / "disk", "size=64m") as disk:
                    process = start(self.folder, *COMMANDS[command], "--quiet", "--out", str(disk / "job"))
                    time.sleep(self.rng.uniform(EARLIEST, self.seconds[command]))
                    while not remounted(disk, "ro") and process.poll() is None:
                        time.sleep(0.001)
                    told = process.communicate()[1]
                    self._gone_on_with(trial, disk, process.returncode, told, READ_ONLY, "rw")
        return trial

    def _gone_on_with(self, trial: Trial, disk: Path, code: int, told: str, words: Sequence[str], option: str) -> None:
        """A command that ended on a disk that failed, if it did not end before: told in words, and nothing is lost."""
        before = {one.name: one.read_bytes() for one in pieces(disk / "job")}
        trial.times += code != 0
        trial.lost += code != 0 and not any(one in told for one in words)
        assert remounted(disk, option)
        again, told_again = done(self.folder, *COMMANDS[trial.command], "--quiet", "--out", str(disk / "job"))
        trial.tracebacks += "Traceback" in told + told_again
        after = {one.name: one.read_bytes() for one in pieces(disk / "job")}
        trial.lost += again != 0 or any(after.get(name) != content for name, content in before.items())
        trial.different += results(disk / "job") != self.undisturbed(trial.command)

    def cut_off(self, out: Path) -> None:
        """One piece, anywhere."""
        one = self.rng.choice(pieces(out))
        one.write_bytes(one.read_bytes()[: self.rng.randrange(one.stat().st_size)])

    def changed(self, out: Path) -> None:
        """One byte of one piece."""
        one = self.rng.choice(pieces(out))
        content = bytearray(one.read_bytes())
        content[self.rng.randrange(len(content))] ^= 1 << self.rng.randrange(8)
        one.write_bytes(content)

    def swapped(self, out: Path) -> None:
        """One piece under the name of another."""
        one, other = self.rng.sample(pieces(out), 2)
        one.write_bytes(other.read_bytes())

    def manifest(self, out: Path) -> None:
        """What says whose job it is, cut off."""
        one = next(out.rglob("job.json"))
        one.write_bytes(one.read_bytes()[: self.rng.randrange(1, one.stat().st_size - 1)])

    def from_tomorrow(self, out: Path) -> None:
        """A lock of a dead process, last touched in a time that has not come: as after the clock went back."""
        lock = next(out.rglob("job.json")).with_name(".powderkeg-job-lock")
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        import json
        import platform

        about = {"token": "0" * 16, "pid": dead.pid, "host": platform.node(), "since": time.time() + 1e6}
        lock.write_text(json.dumps(about), encoding="utf-8")
        os.utime(lock, (time.time() + 1e6,) * 2)
        pieces(out)[0].unlink()
