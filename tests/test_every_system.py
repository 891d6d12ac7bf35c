"""No call that only some systems have, but where there is a way around it."""

from __future__ import annotations

import re
from pathlib import Path

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
