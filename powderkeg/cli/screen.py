"""What a command says: tables for people, plain text for pipes, JSON for machines.

In: rows, words, data. Out: standard output; progress, warnings and faults go to standard error. Strings from outside
are printed without control characters, so that no file can move a cursor or colour a terminal.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from powderkeg.cli.arguments import typed
from powderkeg.cli.letters import is_unicode

WIDEST = 110
"""Columns beyond which text is no longer read with ease."""

Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""
Stages = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and what is being done."""


UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Kinds of signs that act and are not seen: controls, marks that turn the direction of text, halves of letters."""
JOINERS = "\u200c\u200d"
"""Without these two, words of Persian and of Indian languages are misspelt."""


def printable(text: object) -> str:
    """The text with its line breaks; any other sign that would act on the terminal is shown by its number, not sent.

    So no name in a file can move the cursor, colour the screen, or turn what stands beside it around.
    """
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(_shown(char) for char in plain)


def _shown(char: str) -> str:
    if char in "\n\t" or char in JOINERS or unicodedata.category(char) not in UNSEEN:
        return char
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class Lasting:
    """Standard output that outlives its reader: when `head` or `less` has seen enough, what is said goes nowhere, and
    the command goes on to write its files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Text, if there is still a reader."""
        with self._without_reader():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """What waits goes to the reader, if there still is one."""
        with self._without_reader():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _without_reader(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Windows calls a pipe without a reader an invalid argument.
            if not (isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@dataclass(frozen=True)
class Screen:
    """Where a command speaks. With `as_json` only `data` speaks, with `quiet` nothing but `data`."""

    as_json: bool = False
    quiet: bool = False

    @property
    def is_silent(self) -> bool:
        return self.as_json or self.quiet

    def say(self, text: str = "") -> None:
        """A line of text, its arguments as they are typed."""
        if not self.is_silent:
            print(printable(typed(text)))

    def paragraph(self, text: str) -> None:
        """Text that is folded at the terminal's width, or in a pipe left as it is."""
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        self.say(textwrap.fill(text, min(width, WIDEST)) if width else text)

    def data(self, data: Mapping[str, Any]) -> None:
        """One JSON object. A number that is not one is a bug of ours, and raises."""
        if self.as_json:
            # Where the pipe has another encoding, as on Windows, ASCII alone is the same in all of them.
            is_ascii = not is_unicode(sys.stdout)
            print(json.dumps(_typed(data), ensure_ascii=is_ascii, allow_nan=False, indent=2, default=str))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
        """Rows under heads; a column of numbers stands right. On a terminal with rules, in a pipe plain."""
        if self.is_silent:
            return
        cells = [[printable("" if cell is None else cell).replace("\n", " ") for cell in row] for row in rows]
        right = [bool(cells) and all(_is_number(row[column]) for row in cells) for column in range(len(heads))]
        if sys.stdout.isatty():
            _rich_table(heads, cells, right, title)
        else:
            print(plain_table(heads, cells, right, title))

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress | None]:
        """A callback for progress with the time left, shown on a terminal only; None where nothing is to be shown."""
        with self.stages(what) as told:
            yield None if told is None else lambda share: told(share, "")

    @contextmanager
    def stages(self, what: str) -> Iterator[Stages | None]:
        """As `progress`, for work in steps that have names: the one at hand stands behind `what`."""
        if self.is_silent or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Bar(*parts, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(_plain_markup(what), total=1.0)

            def tell(share: float, step: str) -> None:
                bar.update(task, completed=share, description=_plain_markup(f"{what}: {step}" if step else what))

            yield tell

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[str, int], None] | None]:
        """A callback for rows read of a file, where how many there are cannot be told."""
        if self.is_silent or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console

        with Console(stderr=True).status(_plain_markup(what)) as status:

            def tell(name: str, rows: int) -> None:
                status.update(_plain_markup(f"{what}: {rows:,} rows so far, {Path(name).name}"))

            yield tell

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A word about what is going on, where how long it takes cannot be told."""
        if self.is_silent or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(_plain_markup(what)):
            yield


def say_error(text: str) -> None:
    """To standard error."""
    print(printable(text), file=sys.stderr)


def plain_table(heads: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], title: str = "") -> str:
    """Columns two spaces apart, no rules."""
    widths = [max(len(row[column]) for row in [heads, *cells]) for column in range(len(heads))]
    lines = [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [heads, *cells]
    ]
    return "\n".join([*([title] if title else []), *lines])


def _rich_table(heads: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=Text(title, style="bold") if title else None, title_justify="left")
    for head, is_right in zip(heads, right, strict=True):
        table.add_column(Text(head), justify="right" if is_right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _plain_markup(text: str) -> str:
    """Text that Rich shows as it is."""
    return printable(text).replace("[", r"\[")


def _is_number(text: str) -> bool:
    return not text or text[0].isdigit() or text == "–" or (text[0] in "-−<+.±" and text[1:2].isdigit())


def _typed(data: Any) -> Any:
    """The data with the arguments that its texts name as options."""
    if isinstance(data, Mapping):
        return {key: _typed(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_typed(one) for one in data]
    return typed(data) if isinstance(data, str) else data
