"""Run the tests on several Pythons: `python tests/pythons.py 3.11 3.12 3.13 3.14`, or `make test-pythons`.

In: versions. Out: one line for each, passed, failed, or skipped with the reason. Each has an environment of its own in
build/, installed from the lock file; a Python that is neither here nor to be had from uv is skipped and said.
Leaves with 1 if one failed, or if none could be tried.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
QUICK = ("tests/test_facade.py", "tests/test_engine.py", "tests/test_scenario.py", "tests/test_cli.py")
"""With --quick: what a new Python is most likely to break."""


def ran(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], cwd=CHECKOUT, capture_output=True, text=True, encoding="utf-8")


def last_line(found: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (found.stdout + found.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"left with {found.returncode}"


def tried(version: str, quick: bool) -> tuple[str, str]:
    """(passed, failed or skipped; what was said)."""
    uv = (sys.executable, "-m", "uv")
    place = CHECKOUT / "build" / f"python-{version}"
    made = ran(*uv, "venv", "--quiet", "--clear", "--seed", "--python", version, place)
    if made.returncode:
        return "skipped", f"no Python {version}: {last_line(made)}"
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    for words in (
        ("--require-hashes", "--no-deps", "-r", "requirements-dev.lock"),
        ("--no-build-isolation", "--no-deps", "--editable", "."),
    ):
        installed = ran(*pip, *words)
        if installed.returncode:
            return "skipped", f"its packages cannot be had: {last_line(installed)}"
    found = ran(python, "-m", "pytest", "-q", "--numprocesses", "auto", "--dist", "loadfile", *(QUICK if quick else ()))
    return ("failed" if found.returncode else "passed"), last_line(found)


def main(words: list[str]) -> int:
    quick = "--quick" in words
    results = []
    for version in [word for word in words if word != "--quick"]:
        result, said = tried(version, quick)
        print(f"{version}  {result}  {said}", flush=True)
        results.append(result)
    return int("failed" in results or "passed" not in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
