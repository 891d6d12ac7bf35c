"""Consoles and pipes that do not hold every letter, as Windows has them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from powderkeg.cli import main
from powderkeg.cli.letters import NAME, alike

SCENARIO = """
powderkeg: 1
name: rivals
title: Übergang in Kosovë – 中 ≥ 2
start: 2010-01-01
years: 2
actors: {north: {title: Çelik Ελ}, south: {}}
acts: {threaten: {tone: hostile}, strike: {tone: hostile}}
moves:
  threats:
    {who: [north, south], does: threaten, to: [north, south], rate: "4 [2, 6] per year", source: guess}
  strikes: {who: [north, south], does: strike, to: [north, south], rate: 1 per year}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.4, half_life: 5 days}
interventions:
  calm: {title: Половина, set: {mechanisms.retaliation.answers: 0.2}}
"""
FEW = ("--replicates", "5", "--years", "1")


def said(words: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, bytes, bytes]:
    """Exit code and what was written to standard output and standard error of that encoding, which refuse at first."""
    out, err = io.BytesIO(), io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding, errors="strict"))
        patched.setattr(sys, "stderr", io.TextIOWrapper(err, encoding=encoding, errors="strict"))
        with pytest.raises(SystemExit) as left:
            main(words)
        sys.stdout.flush()
        sys.stderr.flush()
        return int(left.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rivals.yaml").write_text(SCENARIO, encoding="utf-8", newline="\n")
    return tmp_path


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("ascii", "Ubergang in Kosove - \\u4e2d >= 2"),
        ("cp437", "Übergang in Kosovë - \\u4e2d ≥ 2"),
        ("cp1252", "Übergang in Kosovë – \\u4e2d >= 2"),
        ("utf-8", "Übergang in Kosovë – 中 ≥ 2"),
    ],
)
def test_a_description_says_the_same_in_other_letters(
    there: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, title: str
) -> None:
    """And no question mark comes in: it stands at a guess."""
    code, out, err = said(["describe", "rivals.yaml"], encoding, monkeypatch)
    text = out.decode(encoding)
    assert (code, err) == (0, b"")
    assert text.startswith(f"{title} (rivals)")
    assert text.count("?") == said(["describe", "rivals.yaml"], "utf-8", monkeypatch)[1].decode("utf-8").count("?") > 0


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp437", ["run", "rivals.yaml", *FEW]),
        ("ascii", ["compare", "rivals.yaml", "--no-ranges", *FEW]),
        ("cp1252", ["check", "rivals.yaml", "--set", "actors.nörth.title=x"]),
    ],
)
def test_every_word_can_be_printed(
    there: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, words: list[str]
) -> None:
    code, out, err = said(words, encoding, monkeypatch)
    assert code == (2 if words[0] == "check" else 0)
    assert out.decode(encoding) or err.decode(encoding)
    assert b"?" not in out + err


@pytest.mark.parametrize("words", [["resolve", "rivals.yaml"], ["describe", "rivals.yaml", "--json"]])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_loses_no_letter(there: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, words: list[str]) -> None:
    """What is sent on is read as UTF-8, whatever the console's encoding."""
    _, out, _ = said(words, encoding, monkeypatch)
    _, whole, _ = said(words, "utf-8", monkeypatch)
    assert "中".encode() in whole
    found = json.loads(out.decode("utf-8"))
    assert found == json.loads(whole.decode("utf-8"))


def test_a_power_of_ten_stays_one() -> None:
    assert "2.5 × 10⁻⁹, 10²⁰".encode("ascii", errors=NAME) == b"2.5 x 10^-9, 10^20"


def test_what_looks_alike() -> None:
    assert "".join(map(alike, "Šabac–Łódź │─┼ ½ ± \udcff")) == "Sabac-Lodz |-+ 1/2 +- \\udcff"
    assert "a\u200db".encode("cp1252", NAME) == b"a\\u200db"
