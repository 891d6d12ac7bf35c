"""No call that only some systems have, but where there is a way around it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "powderkeg"
MISSING_SOMEWHERE = re.compile(
    r"\bos\.(sched_getaffinity|fork|getuid|geteuid|getpgid|setsid|mkfifo|statvfs|nice|uname|wait\w*)\b"
    r"|\bsignal\.(SIGHUP|SIGALRM|SIGPIPE|SIGUSR1|SIGKILL|alarm|setitimer)\b"
    r"|^\s*(import|from) (pwd|grp|termios|tty|pty|syslog)\b"
)


def posix_only(source: str) -> list[str]:
    return [line.strip() for line in source.splitlines() if MISSING_SOMEWHERE.search(line)]


def test_no_call_of_one_system_is_made_without_a_way_around_it() -> None:
    """Such calls go through `getattr`, which this does not see."""
    found = {
        file.relative_to(PACKAGE).as_posix(): lines
        for file in PACKAGE.rglob("*.py")
        if (lines := posix_only(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_planted_calls_are_found() -> None:
    planted = "n = len(os.sched_getaffinity(0))\nsignal.signal(signal.SIGPIPE, f)\nimport pwd\nos.replace(a, b)\n"
    assert len(posix_only(planted)) == 3


WRITES = re.compile(r"[wax]")


def texts_of_this_system(source: str) -> list[int]:
    """Lines that write text without saying how its letters and its line ends are written."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        said = {one.arg: one.value for one in node.keywords}
        if "force_zip64" in said:  # a member of an archive: bytes
            continue
        given = [*node.args, said.get("mode")]
        modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        is_text = any(len(mode) <= 3 and "b" not in mode and WRITES.search(mode) for mode in modes)
        writes = name == "write_text" or (name in ("open", "fdopen") and is_text)
        if writes and not {"encoding", "newline"} <= said.keys():
            found.append(node.lineno)
    return found


def test_texts_are_the_same_bytes_on_every_system() -> None:
    """Windows has letters and line ends of its own. Ruff asks for the encoding alone, and of what it knows a path."""
    found = {
        file.relative_to(PACKAGE).as_posix(): lines
        for file in PACKAGE.rglob("*.py")
        if (lines := texts_of_this_system(file.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("path.write_text(x, encoding='utf-8')", True),
        ("path.write_text(x, encoding='utf-8', newline='\\n')", False),
        ("with path.open('w', encoding='utf-8') as f: pass", True),
        ("with open(path, mode='a') as f: pass", True),
        ("with path.open('w', encoding='utf-8', newline='') as f: pass", False),
        ("os.fdopen(handle, 'w')", True),
        ("path.open('rb'); path.open('wb'); path.open()", False),
    ],
)
def test_planted_texts_are_found(source: str, is_found: bool) -> None:
    assert bool(texts_of_this_system(source)) == is_found
