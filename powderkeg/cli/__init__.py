"""The command line: one function a command, one file a group of them, and nothing that is worth importing from Python.

In: words typed. Out: tables to read or one JSON object, files, and an exit code: 0 done, 1 an input at fault, 2 wrong
usage, 130 stopped by Ctrl-C, 143 by SIGTERM. Heavy imports wait inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import sys

from powderkeg.cli.interruption import CTRL_C, is_interruption

# What a command makes lives until it ends: looking for circles among it after every 700 objects, and once more at the
# end, is a fifth of a check.
gc.set_threshold(50_000, 10, 10)
atexit.register(gc.freeze)
try:
    from powderkeg.cli.app import main, program
except BaseException as error:  # Ctrl-C while the program is still starting
    if not is_interruption(error):
        raise
    print("Stopped.", file=sys.stderr)
    sys.exit(CTRL_C)

__all__ = ["CTRL_C", "is_interruption", "main", "program"]
