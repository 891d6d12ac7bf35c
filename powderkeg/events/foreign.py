"""What does a reader of others' making say when a file is not what it should be?

In: a block of code that reads one file. Out: nothing, or one FileFault with the reader's own words. Readers written in
Rust may also panic, which Python sees as a BaseException that no `except Exception` would hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from powderkeg.errors import PowderkegError
from powderkeg.events.files import FileFault

LONGEST = 200


@contextmanager
def read_by_others(file: str, what: str, expected: str = "") -> Iterator[None]:
    """Whatever a foreign reader raises becomes the fault that `file` is a broken `what`. Meant for the reader's call
    alone: a slip of ours must not pass for one of the file's."""
    try:
        yield
    except (FileFault, PowderkegError, MemoryError):
        raise
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        raise FileFault(file, f"a broken {what}: {first_line(error)}", expected) from error


def first_line(error: BaseException) -> str:
    """The first line of what an error says, not too long."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:LONGEST]
