"""The command line: one function a command, one file a group of them, and nothing that is worth importing from Python.

In: words typed. Out: tables to read or one JSON object, files, and an exit code: 0 done, 1 an input at fault, 2 wrong
usage, 130 stopped by Ctrl-C. Heavy imports wait inside the commands, so that `--help` answers at once.
"""

from powderkeg.cli.app import app, main

__all__ = ["app", "main"]
