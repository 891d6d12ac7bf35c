"""How is a long command carried out: in parts, with finished pieces kept, for so long, on which machines?

In: a command that wants a `JobOptions`. Out: the same command with these options, declared here once; a plan for its
job folder; and, where it stops before its end, one line that says what is kept and how to go on.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.interruption import is_interruption
from powderkeg.cli.options import spread_out
from powderkeg.cli.screen import Screen, say_error
from powderkeg.cli.signals import CTRL_C, OVER
from powderkeg.errors import Fault, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from powderkeg.scenario import Scenario
    from powderkeg.simulate.plans import JobPlan

PANEL = "Large jobs"
INSIDE = "job"
"""The folder in --out in which finished pieces are kept."""
TYPED: ContextVar[tuple[str, ...]] = ContextVar("TYPED", default=())
"""The words of the command at hand."""
GATHERS: ContextVar[bool] = ContextVar("GATHERS", default=False)
"""True while `powderkeg gather` runs the command whose parts it puts together."""
AUTO = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP")
NO_MATTER = ("--part", "--workers", "--memory", "--time-limit", "--cluster", "--print-slurm", "--out", "-o")
NO_MATTER_ALONE = ("--resume", "--json", "--quiet", "-q")
"""Options that change nothing in a result, with a value and without."""


def _option(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=PANEL, **settings)


@dataclass(frozen=True)
class WorkOptions:
    """Options of commands that work for long and keep nothing on the way: each field is one."""

    time_limit: Annotated[
        str | None,
        _option(
            "--time-limit", metavar="TIME", help="Stop after so long, such as 90s, 30min or 2h, with what is done."
        ),
    ] = None
    cluster: Annotated[
        str | None,
        _option("--cluster", metavar="ADDRESS", help="Work on a Dask cluster, such as tcp://10.0.0.1:8786."),
    ] = None

    @contextmanager
    def executor(self) -> Iterator[Executor | None]:
        """That of the cluster, None where work is done here."""
        if self.cluster is None:
            yield None
            return
        from powderkeg.simulate.clusters import connected

        with connected(self.cluster) as found:
            yield found

    @contextmanager
    def ended(self, account: Callable[[], str] = lambda: "Stopped. Nothing was kept.") -> Iterator[None]:
        """Work inside that is asked to stop, by Ctrl-C or its time limit, says what it waited for and what is kept."""
        try:
            with limited(seconds_of(self.time_limit)):
                yield
        except BaseException as stop:
            if not is_interruption(stop):
                raise
            for line in notes_of(stop):
                say_error(line)
            say_error(account())
            raise typer.Exit(CTRL_C) from None


@dataclass(frozen=True)
class JobOptions(WorkOptions):
    """Options of long commands whose pieces are kept: each field is one."""

    part: Annotated[
        str | None,
        _option(
            "--part",
            metavar="K/N",
            help="Make share K of N and keep it in --out, for `powderkeg gather`; auto: the task of a Slurm array.",
        ),
    ] = None
    resume: Annotated[
        bool, _option("--resume", help="Keep finished pieces in --out, and go on from those that are there.")
    ] = False
    print_slurm: Annotated[
        int | None,
        _option(
            "--print-slurm", metavar="N", min=1, max=100_000, help="Print a Slurm script that makes it in N parts."
        ),
    ] = None

    def stops_with_a_script(self) -> None:
        """Prints the job script and ends the command, if that was asked for."""
        if self.print_slurm is not None:
            print(slurm_script(typed_words(), self.print_slurm, _out_typed(TYPED.get())))
            raise typer.Exit

    def plan(self, out: Path | None, scenario: Scenario, inside: str = INSIDE, always: bool = False) -> JobPlan | None:
        """How the job is carried out, None where nothing of it is kept. Raises UsageError for what cannot be.

        always  it is kept whether that was asked for or not
        """
        from powderkeg.scenario import resolve
        from powderkeg.simulate.plans import JobPlan

        gathers = GATHERS.get()
        part, parts = (None, 1) if gathers else self._share()
        if not (gathers or self.resume or part is not None or inside == "" or always):
            return None
        if out is None:
            option = "--part" if part is not None else "--resume" if self.resume else "--stream"
            raise UsageError(Fault.at(option, "no folder", "--out FOLDER, in which pieces are kept"))
        about = {"command": typed_words(), "from": str(Path.cwd()), "scenario": resolve(scenario)}
        return JobPlan(out / inside, part, parts, gathers, about)

    def must_be_short(self, what: str) -> None:
        """Raises UsageError for options of large jobs where there is no such job."""
        asked = {"--part": self.part, "--resume": self.resume, "--cluster": self.cluster}
        given = [name for name, value in asked.items() if value]
        if given:
            raise UsageError(Fault.at(given[0], what, "a command whose work comes in pieces"))

    def _share(self) -> tuple[int | None, int]:
        if self.part is None:
            return None, 1
        if self.part == "auto":
            return _of_array(os.environ)
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", self.part.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            expected = "K/N with K from 1 to N, such as 3/100, or auto"
            raise UsageError(Fault.at("--part", repr(self.part), expected))
        return int(found[1]), int(found[2])

    @contextmanager
    def told(self, screen: Screen, out: Path | None, inside: str = INSIDE) -> Iterator[None]:
        """A job inside that ends before its end says what is kept, and how to go on."""
        from powderkeg.simulate.plans import PartDone

        with self.ended(lambda: _account(None if out is None else out / inside)):
            try:
                yield
            except PartDone as done:
                where = shlex.quote(str(out))
                how = f"; powderkeg gather {where} puts them together" if not done.missing else ""
                screen.say(f"{done.words()[0].upper()}{done.words()[1:]}{how}.")
                raise typer.Exit from None


def _account(place: Path | None) -> str:
    """What is kept of a job that was stopped, in words."""
    kept = [] if place is None else [*place.glob("[0-9]*.npy"), *place.glob("points/[0-9]*.json")]
    if not kept:
        return "Stopped. Nothing was kept; with --out and --resume finished pieces would be."
    many = len(kept) != 1
    noun = "point" if kept[0].suffix == ".json" else "piece"
    return (
        f"Stopped; {len(kept):,} finished {noun}{'s' * many} {'are' if many else 'is'} kept in {place}: "
        "the same command goes on from them."
    )


def runs_long(command: Callable[..., None]) -> Callable[..., None]:
    """The command, its parameter `job` replaced by the options of `JobOptions`."""
    return spread_out(JobOptions, "job", command)


def works_long(command: Callable[..., None]) -> Callable[..., None]:
    """The command, its parameter `work` replaced by the options of `WorkOptions`."""
    return spread_out(WorkOptions, "work", command)


def notes_of(error: BaseException | None) -> list[str]:
    """What was noted on an error and on what it came of, such as which pieces never came."""
    found: list[str] = []
    seen = set[int]()
    while error is not None and id(error) not in seen:
        found += getattr(error, "__notes__", [])
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return found


def _of_array(environ: Mapping[str, str]) -> tuple[int, int]:
    """Which task of a Slurm array this is. Raises UsageError outside of one."""
    words = [environ.get(name, "") for name in AUTO]
    if not all(word.isdigit() for word in words[:3]):
        missing = next(name for name, word in zip(AUTO, words, strict=True) if not word.isdigit())
        raise UsageError(
            Fault.at("--part", f"auto, but {missing} is not set", "a task of a Slurm array, or K/N such as 3/100")
        )
    number, count, first = (int(word) for word in words[:3])
    step = int(words[3]) if words[3].isdigit() and int(words[3]) else 1
    part = (number - first) // step + 1
    if not 1 <= part <= count:
        raise UsageError(Fault.at("--part", f"auto, task {number} from {first} on of {count}", "one of them"))
    return part, count


def typed_words() -> list[str]:
    """What was typed, without what changes nothing in a result."""
    kept, words = [], iter(TYPED.get())
    for word in words:
        name = word.partition("=")[0]
        if name in NO_MATTER:
            if "=" not in word:
                next(words, None)
        elif name not in NO_MATTER_ALONE:
            kept.append(word)
    return kept


def _out_typed(words: Sequence[str]) -> str:
    for place, word in enumerate(words):
        if word in ("--out", "-o"):
            return words[place + 1]
        if word.startswith("--out="):
            return word.removeprefix("--out=")
    raise UsageError(Fault.at("--print-slurm", "no folder", "--out FOLDER that all tasks can write to"))


def slurm_script(words: list[str], parts: int, out: str) -> str:
    """A job script of an array, and the job that puts its parts together when all went well."""
    command = shlex.join(["powderkeg", *words, "--out", out])
    return f"""#!/bin/bash
# sbatch this file. The parts of one array are made side by side; tasks that failed are made again by
#   sbatch --array=3,17 this-file
#SBATCH --job-name=powderkeg
#SBATCH --array=1-{parts}
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=01:00:00
#SBATCH --signal=B:TERM@60
# A minute before the end the task is asked to stop; what it has finished stays, and the same task goes on from it.
exec {command} --part "${{SLURM_ARRAY_TASK_ID}}/{parts}" --workers "${{SLURM_CPUS_PER_TASK:-1}}"
# When all are done:
#   powderkeg gather {shlex.quote(out)}"""


UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_of(text: str | None) -> float | None:
    """Seconds of a time as it is typed. Raises UsageError for what is none."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]+)?)\s*([a-z]*)\s*", text.lower())
    if not found or found[2] not in UNITS or not 0.0 < float(found[1]) * UNITS[found[2]] <= 366 * 86_400.0:
        raise UsageError(Fault.at("--time-limit", repr(text), "a time such as 90s, 30min or 2h, up to a year"))
    return float(found[1]) * UNITS[found[2]]


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """After so long this process is asked to stop, as by Ctrl-C: whatever is finished by then counts."""
    if seconds is None:
        yield
        return
    import _thread

    def over() -> None:
        OVER.set()
        say_error(f"The time limit of {seconds:,.0f} s is reached.")
        # A shell's background ignores Ctrl-C; there it is asked as by a scheduler, which `heeded` hears.
        _thread.interrupt_main(signal.SIGTERM if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else signal.SIGINT)

    timer = threading.Timer(seconds, over)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
