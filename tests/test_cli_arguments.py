"""A message names an argument as it is typed: unmatched='drop' in Python, --drop-unmatched at the command line."""

from __future__ import annotations

import ast
import copy
import pickle
import re
from pathlib import Path

import pytest
from test_cli_reading import every_command, options_of

from powderkeg.cli.arguments import FLAGS, OPTIONS, SAME, option, typed, typed_error, typed_fault
from powderkeg.errors import ASKED, Argument, EventError, Fault, UsageError, Words, argument, joined

PACKAGE = Path(__file__).resolve().parent.parent / "powderkeg"


@pytest.mark.parametrize(
    ("name", "value", "python", "command"),
    [
        ("unmatched", "drop", "unmatched='drop'", "--drop-unmatched"),
        ("use_ranges", True, "use_ranges=True", "--use-ranges"),
        ("date_format", "day-first", "date_format='day-first'", "--date-format day-first"),
        ("spans", "leave out", "spans='leave out'", "--spans leave-out"),
        ("prior", None, "prior=None", "--prior none"),
        ("history_days", 30, "history_days=30", "--history-days 30"),
        ("directed", False, "directed=False", "--undirected"),
        ("fix", ASKED, "`fix`", "--fix"),
    ],
)
def test_each_face_writes_an_argument_in_its_own_way(name: str, value: object, python: str, command: str) -> None:
    text = "hold it with " + argument(name, value) + ", or not"
    assert text == f"hold it with {python}, or not" and isinstance(text, str)
    assert typed(text) == f"hold it with {command}, or not"
    assert typed(pickle.loads(pickle.dumps(text))) == typed(copy.deepcopy(text)) == typed(text)
    assert typed(joined(", ", ["a", text])) == f"a, {typed(text)}"


def test_a_fault_about_an_argument_stands_at_its_option() -> None:
    fault = Fault.at("date_format", "'x'", "or " + argument("codebook", "weis"))
    told = typed_fault(fault)
    assert (told.path, told.expected) == ("--date-format", "or --codebook weis")
    assert typed_fault(Fault("a.csv", 3, "code", "x")).path == "code"
    assert "--doubles: x" in str(typed_error(UsageError(Fault.at("doubles", "x"))))
    # The start of events is not the --start that was asked for.
    assert str(typed_error(EventError(Fault.at("start", "x")))).startswith("start: x")


def named() -> list[tuple[str, str, object]]:
    """Every argument that a message of the package names: file, name, value (ASKED where it is made while running)."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "argument":
                first, *rest = node.args
                assert isinstance(first, ast.Constant), f"{file}: the name of an argument is written out"
                value = rest[0].value if rest and isinstance(rest[0], ast.Constant) else ASKED
                found.append((file.name, str(first.value), value))
    return found


def test_every_argument_that_a_message_names_is_an_option_of_some_command() -> None:
    known = set().union(*map(options_of, every_command()))
    messages = named()
    assert len(messages) > 15
    for file, name, value in messages:
        written = option(Argument(name, value)).split()[0]
        assert written in known, f"{file}: {name} is told as {written}, which no command has"
    for flags in FLAGS.values():
        assert {flag.split()[0] for flag in flags.values()} <= known
    assert set(OPTIONS.values()) <= known


def test_no_message_spells_an_argument_out() -> None:
    """A text with "use_ranges=True" in it would be read at the command line, where nothing is typed so."""
    spelt = re.compile(rf"\b(?:{'|'.join((*SAME, *FLAGS))})=(?:'|True|False|None|\{{)")
    wrong = []
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            plain = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | notes
            if plain and spelt.search(node.value) and "hawkes" not in file.parts and "cli" not in file.parts:
                wrong.append(f"{file.relative_to(PACKAGE)}:{node.lineno}: {spelt.search(node.value).group()}")
    assert wrong == []


def test_words_are_told_once() -> None:
    assert Words("a", argument("fix"), "b").parts == ("a", Argument("fix"), "b")
