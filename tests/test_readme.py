"""What README shows is run here, as a newcomer would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import powderkeg as pk
from powderkeg.cli import main

CHECKOUT = Path(__file__).resolve().parent.parent
TEXT = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "console" for line in block.splitlines()]


def block(kind: str) -> str:
    (found,) = (text for name, text in BLOCKS if name == kind)
    return found


def test_the_python_example_has_ten_lines_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = block("python")
    assert len(code.splitlines()) == 10
    namespace: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), namespace)
    said = capsys.readouterr().out
    assert said.count("shape: ") == 3
    assert float(said.splitlines()[-1]) > 0


def test_the_scenario_has_ten_lines_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = block("yaml")
    assert len(text.splitlines()) == 10
    Path("neighbours.yaml").write_text(text, encoding="utf-8")
    scenario = pk.load("neighbours.yaml")
    assert pk.stability(pk.compile(scenario)).worst == pytest.approx(0.6)
    ours = [line for line in COMMANDS if "neighbours.yaml" in line]
    assert len(ours) == 2
    for line in ours:
        more = ["--replicates", "50", "--quiet"] if " run " in line else []
        with pytest.raises(SystemExit) as left:
            main([*shlex.split(line)[1:], *more])
        assert left.value.code == 0
    assert (tmp_path / "powderkeg-report" / "report.html").is_file()


def planned(target: str) -> list[str]:
    """What `make target` would do; asked in an environment of its own, since these tests may run under make."""
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    words = ["make", "--dry-run", "--always-make", target]
    return subprocess.run(
        words, cwd=CHECKOUT, env=outside, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make` is asked what it would do, because installing takes minutes; what it runs is run, with fewer runs."""
    demo, test, again = COMMANDS[:3]
    assert (demo, test) == ("make demo", "make test")
    assert planned("demo")[-1] == ".venv/bin/powderkeg run"
    assert planned("test")[-1].startswith(".venv/bin/python -m pytest")
    monkeypatch.chdir(tmp_path)
    words = again.removeprefix(".venv/bin/powderkeg ")
    assert words != again
    with pytest.raises(SystemExit) as left:
        main([*shlex.split(words), "--replicates", "20", "--years", "2", "--quiet"])
    assert left.value.code == 0


def test_links_and_pictures_are_there() -> None:
    links = re.findall(r"\]\(([^)#]*)", TEXT)
    assert links
    assert [link for link in links if not (CHECKOUT / link).exists()] == []


def test_the_picture_has_a_line_for_each_of_the_record() -> None:
    """If not: `make figures` draws the pictures anew."""
    from powderkeg.score import load_record

    drawn = (CHECKOUT / "docs" / "img" / "record.svg").read_text(encoding="utf-8")
    record, _ = load_record("north-kosovo")
    assert f"of {len(record.lines)} lines agree" in drawn
