"""The commands by name, and what happens when one fails.

In: the words typed. Out: an exit code. Faults of the user's go to standard error without a traceback; bugs of ours keep
theirs. With --json the faults are printed as JSON too.
"""

from __future__ import annotations

import errno
import logging
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, NoReturn, TextIO

import typer

from powderkeg.cli import jobs, letters
from powderkeg.cli.arguments import spoken, typed, typed_error
from powderkeg.cli.screen import Lasting, Screen, say_error
from powderkeg.cli.signals import CTRL_C, heeded, is_interruption
from powderkeg.errors import PowderkegError, PowderkegWarning, UsageError
from powderkeg.version import __version__

DONE, AT_FAULT, USAGE = 0, 1, 2

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What a disk says that takes no more; compiled code is kept on disk too, so it may say so before there are results."""

SCENARIO, OBSERVED = "A scenario", "Observed events"
COMMANDS = {
    "run": (SCENARIO, "run.run"),
    "new": (SCENARIO, "new.new"),
    "scenarios": (SCENARIO, "scenarios.built_in"),
    "check": (SCENARIO, "scenarios.check"),
    "describe": (SCENARIO, "scenarios.describe"),
    "resolve": (SCENARIO, "scenarios.resolve"),
    "schema": (SCENARIO, "scenarios.schema"),
    "record": (SCENARIO, "scenarios.record"),
    "compare": (SCENARIO, "compare.compare"),
    "rare": (SCENARIO, "rare.rare"),
    "sweep": (SCENARIO, "sweep.sweep"),
    "brink": (SCENARIO, "brink.brink"),
    "page": (SCENARIO, "page.page"),
    "serve": (SCENARIO, "serve.serve"),
    "gather": (SCENARIO, "gather.gather"),
    "events": (OBSERVED, "texts.events"),
    "episodes": (OBSERVED, "events.episodes"),
    "fit": (OBSERVED, "fit.fit"),
    "attribute": (OBSERVED, "attribute.attribute"),
    "replay": (OBSERVED, "replay.replay"),
    "forecast": (OBSERVED, "forecast.forecast"),
    "rank": (OBSERVED, "rank.rank"),
    "score": (OBSERVED, "score.score"),
    "desk": (OBSERVED, "desk.desk"),
}
"""Commands, as `--help` lists them -> the panel they stand in, their file and function (of `events`: its commands)."""
GIVES_OTHERS = "gather"
"""The command that gives another, the one that made the parts."""


def program(words: Sequence[str] = ()) -> typer.Typer:
    """The command line. Where words begin with a command that gives no other it has that one alone, so that the others
    are not imported."""
    app = typer.Typer(
        name="powderkeg",
        help="Conflict systems as executable models: simulate, fit, attribute, compare, forecast.",
        epilog="Begin with [bold]powderkeg run[/]. Every command has [bold]--help[/] with an example.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(powderkeg)
    alone = words[:1] if words and words[0] in COMMANDS and words[0] != GIVES_OTHERS else None
    for name in alone or COMMANDS:
        panel, place = COMMANDS[name]
        file, function = place.split(".")
        command = getattr(import_module(f"powderkeg.cli.{file}"), function)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(command)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        print(f"powderkeg {__version__}")
        raise typer.Exit


def powderkeg(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the program as a whole."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    try:
        code = _run(arguments)
    except BaseException as stop:  # before the command, or after it
        if not is_interruption(stop):
            raise
        code = _stopped()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A letter that the terminal or the pipe cannot hold is no reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=letters.NAME)
    with warnings.catch_warnings():
        warnings.simplefilter("always", PowderkegWarning)
        warnings.showwarning = _show_warning
        if sys.stderr.isatty() and not {"-q", "--quiet", "--json"} & set(words):
            _say_what_is_compiled()
        with heeded() as asked, redirect_stdout(Lasting(sys.stdout)) as out:
            code = asked.code(_exit_code(words))
            out.flush()
        _say_what_is_not_kept()
        return code


class _Said(logging.Handler):
    """What the engine logs, as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say_error(record.getMessage())


def _say_what_is_compiled() -> None:
    """A word where the first start has to wait for the compiler; the engine is not imported for that."""
    log = logging.getLogger("powderkeg.engine")
    log.setLevel(logging.INFO)
    log.addHandler(_Said())


def _say_what_is_not_kept() -> None:
    """A word if the engine was used and its compiled code has no place to stay."""
    engine = sys.modules.get("powderkeg.engine.caching")
    reason = None if engine is None else engine.told_once()
    if reason is not None:
        say_error(f"note: {reason}")


def _exit_code(words: list[str]) -> int:
    jobs.TYPED.set(tuple(words))
    try:
        program(words)(args=words, prog_name="powderkeg")
    except SystemExit as left:
        # Typer makes Ctrl-C an exit without a word; commands that have kept something say so themselves.
        if isinstance(getattr(left.__context__, "__cause__", None), KeyboardInterrupt):
            say_error("Stopped.")
            return CTRL_C
        return left.code if isinstance(left.code, int) else DONE
    except PowderkegError as fault:
        error = typed_error(fault)
        if is_interruption(fault):
            return _stopped(str(error))
        if "--json" in words:
            Screen(as_json=True).data({"faults": [fault.as_dict() for fault in error.faults]})
        say_error(str(error))
        return USAGE if isinstance(error, UsageError) else AT_FAULT
    except OSError as error:
        if is_interruption(error):
            return _stopped()
        if error.errno not in FULL:
            raise
        say_error(f"{error.filename or 'writing'}: {(error.strerror or '').lower()}")
        return AT_FAULT
    except BaseException as stop:
        if not is_interruption(stop):
            raise
        return _stopped()
    return DONE


def _stopped(account: str = "") -> int:
    say_error(f"Stopped. {account}".strip())
    return CTRL_C


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Ours as a sentence; others', which no user can act on, not at all."""
    if issubclass(category, PowderkegWarning):
        say_error(f"warning: {typed(spoken(message))}")
