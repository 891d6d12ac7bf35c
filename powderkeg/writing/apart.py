"""How are pictures drawn beside other work, and in memory that is given back?

In: Vega-Lite specifications. Out: the SVG that vl-convert draws of each, to the last byte. What draws is a browser's
engine: it takes half a second to start and 120 MB, so a process of its own starts it while histories are simulated.
Where none can be started, or it does not answer, pictures are drawn here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Any

PROGRAM = """
import json, sys
lines = sys.stdin.buffer
sys.path[:] = json.loads(lines.readline())
import vl_convert
vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}})
for line in lines:
    picture = vl_convert.vegalite_to_svg(json.loads(line)).encode()
    sys.stdout.buffer.write(b"%d\\n" % len(picture) + picture)
    sys.stdout.buffer.flush()
"""
GOODBYE = 5.0
"""Seconds for the process to end by itself."""


class DrawerApart:
    """Draws in a process of its own, which starts at once and ends with the `with` block, or with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DrawerApart:
        # A program that was frozen into one file is no Python that could be told what to run. Isolated: a json.py in
        # the folder that we stand in would be run.
        if sys.executable and not getattr(sys, "frozen", False):
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )  # fmt: skip
                self._tell([path for path in sys.path if isinstance(path, str)])
            except OSError:
                self.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, spec: dict[str, Any]) -> str | None:
        """The picture; None if it has to be drawn here."""
        try:
            if self._process is not None and self._process.stdout is not None:
                self._tell(spec)
                length = int(self._process.stdout.readline())
                picture = self._process.stdout.read(length)
                if len(picture) == length:
                    return picture.decode()
        except (OSError, ValueError):
            pass  # it ended: whatever the reason, drawing here shows the same one
        self.close()
        return None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not yet sent has nobody to go to
                    stream.close()
        with suppress(subprocess.TimeoutExpired):  # the system will end it
            process.wait(GOODBYE)

    def _tell(self, data: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(data).encode() + b"\n")
        self._process.stdin.flush()
