"""The tutorials, lived through as a reader would: files are saved, commands and Python run, in order, in one folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pages import blocks

from powderkeg.cli import main

ROOT = Path(__file__).resolve().parent.parent
FITS = ("csv-to-fit", "early-warning-week")
"""Pages whose fits, with their checks, take a minute and more each: for the nightly run."""
PAGES = (
    *("start", "first-scenario", "policy-question", "teaching", "from-r"),
    *(pytest.param(page, marks=pytest.mark.nightly) for page in FITS),
)
FEWER = {"--replicates": "30", "--draws": "40"}
"""What is asked of a reader's machine is asked here with fewer runs: the words are tried, not the numbers."""


def fewer(words: list[str]) -> list[str]:
    """The command with fewer and shorter runs, and without other sets of numbers: tests must not take minutes."""
    for option, few in FEWER.items():
        if option in words:
            words[words.index(option) + 1] = few
    if words[0] in ("run", "compare", "sweep"):
        words += ["--years", "2"]
    return [*words, "--no-ranges"] if words[0] == "compare" else words


def merged(text: str, added: str) -> str:
    """The scenario with the lines of `# added` put under the keys that are there, as the page tells its reader to."""
    for key, body in re.findall(r"(?m)^(\w+):\n((?:  .*\n)+)", added):
        text = text.replace(f"\n{key}:\n", f"\n{key}:\n{body}", 1) if f"\n{key}:\n" in text else f"{text}{key}:\n{body}"
    return text


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    run = 0
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, f"docs/{page}.md", "exec"), names)
            run += 1
        elif language == "yaml" and text.startswith("powderkeg: 1"):
            (name,) = re.findall(r"(?m)^name: (\w+)$", text)
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
        elif language == "yaml" and text.startswith("# added"):
            file = Path("river.yaml")
            file.write_text(merged(file.read_text(encoding="utf-8"), text), encoding="utf-8")
        elif language == "console":
            for line in text.splitlines():
                words = fewer(shlex.split(line, comments=True)[1:])
                with pytest.raises(SystemExit) as left:
                    main(words)
                assert left.value.code == 0, (line, capsys.readouterr().err)
                run += 1
    assert run


def test_a_command_that_fails_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["check", "river.yaml"])
    assert left.value.code != 0
