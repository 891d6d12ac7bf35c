"""How is an argument of a function typed on the command line?

In: messages and faults that know which arguments they name (`powderkeg.errors.Words`). Out: the same with options. What
is declared here is how an argument's option differs from its name; nothing looks for phrases in a text.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from powderkeg.errors import ASKED, Argument, EventError, Fault, PowderkegError, Words

FLAGS: dict[str, dict[object, str]] = {
    "unmatched": {"drop": "--drop-unmatched"},
    "use_ranges": {True: "--use-ranges"},
    "directed": {True: "--directed", False: "--undirected"},
    "bad_files": {"skip": "--skip-bad-files"},
    "resolution": {"day": "--likelihood day"},
    "interventions": {"PATH=VALUE": "--with PATH=VALUE", "without X": "--without X"},
}
"""Arguments whose values are options of their own."""
OPTIONS: dict[str, str] = {"mapping": "--map", "scenario": "--set"}
"""Arguments whose option has another name."""
SAME = (
    "free", "fix", "prior", "likelihood", "background", "exposure", "level", "history_days", "baselines", "spans",
    "reporting", "codebook", "date_format", "decimal", "separator", "encoding", "sheet", "max_lag", "doubles",
    "aliases", "format",
    "start", "end", "replicates", "imputations", "seed", "years", "by", "acts",
    "touching", "with", "without", "as_of", "origin", "memory", "days", "draws",
)  # fmt: skip
"""Arguments that are options of the same name."""


def option(one: Argument) -> str:
    """An argument as it is typed: --date-format day-first, --drop-unmatched."""
    if isinstance(one.value, Mapping):
        return " ".join(shlex.join([option(Argument(one.name)), f"{key}={value}"]) for key, value in one.value.items())
    flags = FLAGS.get(one.name, {})
    if one.value in flags:
        return flags[one.value]
    name = OPTIONS.get(one.name, f"--{one.name.replace('_', '-')}")
    if one.value is ASKED:
        return name
    value = "none" if one.value in (None, ()) else str(one.value)
    return f"{name} {value.replace(' ', '-')}"


def typed(text: object) -> str:
    """A message with its arguments as options."""
    return text.written(option) if isinstance(text, Words) else str(text)


def spoken(message: Warning | str) -> object:
    """What a warning was made with."""
    return message.args[0] if isinstance(message, Warning) and message.args else message


def typed_fault(fault: Fault, of_events: bool = False) -> Fault:
    """A fault with its arguments as options; one that is about an argument stands at that option.

    of_events  the fault is about events, whose start and end are not those that were asked for
    """
    asked = fault.file is None and fault.path in SAME and not (of_events and fault.path in ("start", "end"))
    path = option(Argument(fault.path)) if asked else fault.path
    return replace(fault, path=path, found=typed(fault.found), expected=typed(fault.expected))


def typed_error(error: PowderkegError) -> PowderkegError:
    """The error with its faults as they are told on the command line."""
    of_events = isinstance(error, EventError)
    return type(error)([typed_fault(fault, of_events) for fault in error.faults], error.aftermath)
