"""Python told to leave docstrings out: help texts and figures need theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from powderkeg.docstrings import Finder, Keeping

CODE = """
import contextlib, io, powderkeg as pk
from powderkeg.cli import main
for words in (["--help"], ["fit", "--help"], ["check", "two-theatres"]):
    with contextlib.suppress(SystemExit):
        main(words)
import powderkeg.plots
print(__doc__, pk.plots.__doc__.splitlines()[0])
assert False, "left out"
"""


@pytest.mark.slow
def test_help_and_figures_are_there_without_docstrings() -> None:
    words = [sys.executable, "-OO", "-W", "error", "-c", CODE]
    done = subprocess.run(words, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Read a scenario and tell every fault" in done.stdout
    assert "Estimate a scenario's numbers from events" in done.stdout
    assert "no fault." in done.stdout


def test_only_what_needs_its_docstrings_is_loaded_with_them() -> None:
    for name in ("powderkeg.wording", "altair.utils"):
        package = __import__(name.partition(".")[0])
        found = Finder().find_spec(name, list(package.__path__))
        assert found is not None and isinstance(found.loader, Keeping)
    assert Finder().find_spec("json", None) is None


def test_asserts_are_left_out_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text('"""Said."""\nassert False\n', encoding="utf-8", newline="\n")
    names: dict[str, object] = {}
    exec(Keeping("m", str(tmp_path / "m.py")).get_code("m"), names)
    assert names["__doc__"] == "Said."
