"""Ctrl-C, as it is known from what it leads to, and its exit code. Nothing is imported: this stands before all else."""

from __future__ import annotations

CTRL_C = 130


def is_interruption(error: BaseException | None) -> bool:
    """True if an error is Ctrl-C or came of it: libraries turn it into errors of their own."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
