"""How are pictures drawn beside other work, and in memory that is given back?

In: Vega-Lite specifications. Out: the SVG that vl-convert draws of each. What draws is a browser's engine: it takes
half a second to start and 120 MB, so a process of its own starts it while histories are simulated. Where none can be
started, or it does not answer, pictures are drawn here.

To measure a text vl-convert opens a font's file anew for every letter, half of the time of a drawing. Liberation Sans,
which it brings along, lies in memory; so the process is told that the system has no fonts, by fontconfig's variable,
which does nothing where fontconfig is not used (Windows, macOS). That font is as wide as Arial, letter by letter; pairs
of letters stand closer in one version of it than in another, so a picture drawn here may differ by a pixel. A picture
with letters that Liberation Sans lacks is drawn by a process that has the system's fonts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
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
ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
GOODBYE = 5.0
"""Seconds for the process to end by itself."""
NO_FONTS = Path(__file__).with_name("no_fonts.xml")
LETTERS = frozenset(
    map(
        chr,
        chain(
            range(0x20, 0x7F), range(0xA0, 0x180), range(0x384, 0x3CF), range(0x400, 0x460), (0x490, 0x491),
            (0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x201E, 0x2020, 0x2022, 0x2026, 0x2030, 0x2032, 0x2033),
            (0x20AC, 0x2122, *range(0x2190, 0x2196), 0x2202, 0x2206, 0x220F, 0x2211, 0x2212, 0x221A, 0x221E),
            (0x2248, 0x2260, 0x2264, 0x2265, 0x25B2, 0x25BA, 0x25BC, 0x25C4, 0x25CA, 0x25CB, 0x25CF, 0xE000),
        ),
    )
)  # fmt: skip
"""Letters and signs of Liberation Sans that figures and names are likely to hold: Latin, Greek and Cyrillic. The last
parts lines (`plots.names.BREAK`) and is never drawn."""


class DrawerApart:
    """Draws in a process of its own, which starts at once and ends with the `with` block, or with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._has_fonts = False

    def __enter__(self) -> DrawerApart:
        self._start(os.environ | {"FONTCONFIG_FILE": str(NO_FONTS)})
        return self

    def _start(self, environment: Mapping[str, str]) -> None:
        # A program that was frozen into one file is no Python that could be told what to run. Isolated: a json.py in
        # the folder that we stand in would be run.
        if sys.executable and not getattr(sys, "frozen", False):
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                    env=environment,
                )  # fmt: skip
                self._tell(json.dumps([path for path in sys.path if isinstance(path, str)]))
            except OSError:
                self.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, spec: dict[str, Any]) -> str | None:
        """The picture; None if it has to be drawn here."""
        try:
            line = json.dumps(spec)
            if self._process is not None and not self._has_fonts and not _is_plain(line):
                self.close()
                self._start(os.environ)
                self._has_fonts = True
            if self._process is not None and self._process.stdout is not None:
                self._tell(line)
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

    def _tell(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def _is_plain(line: str) -> bool:
    """Whether Liberation Sans has all letters of JSON text; texts in it may be JSON themselves, as data are."""
    return LETTERS.issuperset(chr(int(code, 16)) for code in set(ESCAPED.findall(line)))
