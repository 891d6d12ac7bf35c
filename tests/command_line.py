"""The command line, called as users call it, and what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from powderkeg.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Command = Callable[..., Said]


def command_line(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `powderkeg WORDS...` in this process."""

    def run(*words: str | Path) -> Said:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        said = capfd.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    return run
