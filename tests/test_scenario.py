"""`scenario`: golden files, what survives a round trip, edits, patterns, and all that can go wrong with a file."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from powderkeg.errors import ScenarioError
from powderkeg.reading import Quantity, tree
from powderkeg.scenario import (
    AnswerShare,
    Condition,
    FactEffect,
    Forced,
    HalfLife,
    Pattern,
    Standoffs,
    TiePattern,
    digest,
    dump,
    edit,
    load,
    loads,
    names,
    resolve,
    schema,
    third_person,
)
from powderkeg.scenario.files import written
from powderkeg.scenario.shipped import SCHEMA_FILE, schema_text, with_fields

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = CHECKOUT / "tests" / "scenarios"
GOOD = sorted((FILES / "good").glob("*.yaml"))
BAD = sorted((FILES / "bad").glob("*.yaml"))
HEAD = "powderkeg: 1\nname: test\nstart: 2020-01-01\n"
NORTH = load(FILES / "good" / "north.yaml")


def stem(path: Path) -> str:
    return path.stem


# --- golden files


@pytest.mark.parametrize("path", GOOD, ids=stem)
def test_a_good_file_resolves_to_the_form_beside_it(path: Path):
    golden = json.loads(path.with_suffix(".resolved.json").read_text(encoding="utf-8"))
    assert resolve(load(path)) == golden


@pytest.mark.parametrize("path", GOOD, ids=stem)
def test_every_form_of_a_good_file_loads_to_the_same_scenario(path: Path):
    """Dumped, resolved, resolved twice, as JSON; with the same digest, and valid under the schema."""
    scenario = load(path)
    resolved = resolve(scenario)
    assert loads(dump(scenario)) == scenario
    assert loads(json.dumps(resolved)) == scenario
    assert resolve(resolved) == resolved
    assert digest(loads(dump(scenario))) == digest(scenario)
    for form in (resolved, written(scenario), core_schema(path.read_text(encoding="utf-8"))):
        VALIDATOR.validate(form)


def expected_message(path: Path) -> str:
    """The comment at the top of a bad file."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(line[2:] for line in lines[:head])


@pytest.mark.parametrize("path", BAD, ids=stem)
def test_a_bad_file_gets_exactly_the_message_at_its_top(path: Path):
    with pytest.raises(ScenarioError) as caught:
        loads(path.read_bytes(), file=path.name)
    assert str(caught.value) == expected_message(path)


@pytest.mark.parametrize("path", BAD, ids=stem)
def test_messages_do_not_depend_on_the_parser_that_is_installed(path: Path, monkeypatch: pytest.MonkeyPatch):
    """PyYAML comes with a fast parser in C on most machines, and with one in Python on all."""
    monkeypatch.setattr(tree, "_LOADER", yaml.SafeLoader)
    with pytest.raises(ScenarioError) as caught:
        loads(path.read_bytes(), file=path.name)
    assert str(caught.value) == expected_message(path)


def test_there_are_golden_files_enough_and_they_cover_every_field():
    assert len(GOOD) >= 15
    assert len(BAD) >= 60
    used = set()
    for path in GOOD:
        used |= keys_of(core_schema(path.read_text(encoding="utf-8")))
    declared = {key for part in schema()["$defs"].values() for key in part.get("properties", ())}
    assert declared - used == set()


def keys_of(data: Any) -> set[str]:
    if isinstance(data, dict):
        return set(data).union(*map(keys_of, data.values()))
    return set().union(*map(keys_of, data)) if isinstance(data, list) else set()


def test_messages_are_written_for_the_person_with_the_file_open():
    """The form of every fault: place, path and what was found on one line; then expected; then nearest."""
    line = re.compile(
        r"^\w+\.yaml(:\d+)?: ([\w.' -]+: )?\S.*$|^    expected \S.*$|^    nearest: '.*'$|^\d+ faults?; .*\.$"
    )
    for path in BAD:
        for row in expected_message(path).splitlines():
            assert line.fullmatch(row), f"{path.name}: {row}"
            assert len(row) < 260
            assert not re.search(r"None|<|object at|Error|dict|str\b", row), f"{path.name}: {row}"


# --- built-in scenarios


@pytest.mark.parametrize("name", names())
def test_built_in_scenarios_survive_every_round_trip(name: str):
    scenario = load(name)
    assert loads(dump(scenario)) == scenario
    assert resolve(resolve(scenario)) == resolve(scenario)
    assert edit(scenario, {}) == scenario
    VALIDATOR.validate(resolve(scenario))
    VALIDATOR.validate(written(scenario))


def test_loading_a_built_in_scenario_takes_a_moment():
    """0.06 s on a free machine; CPU time, best of three, because the machine may be shared."""
    best = 10.0
    for _ in range(3):
        start = time.process_time()
        load("north-kosovo")
        best = min(best, time.process_time() - start)
    assert best < 0.3


# --- what a load can meet


def only_fault(name: str | Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(name)
    (fault,) = caught.value.faults
    assert caught.value.faults[0].file == str(name)
    return ": ".join(str(fault).splitlines()[0].split(": ")[1:])


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ScenarioError) as caught:
        load("north-kosov")
    assert caught.value.faults[0].found == "no such scenario"
    assert caught.value.faults[0].nearest == "north-kosovo"
    assert "north-kosovo" in caught.value.faults[0].expected


def test_a_missing_file_is_told_with_the_nearest_beside_it(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("")
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "mien.yaml")
    assert (caught.value.faults[0].found, caught.value.faults[0].nearest) == ("no such file", "mine.yaml")


def test_what_is_no_scenario_file_is_one_clear_line(tmp_path: Path):
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "comments.yaml").write_text("# nothing yet\n")
    (tmp_path / "binary.yaml").write_bytes(b"\x7fELF\x00\x01\x02")
    (tmp_path / "large.yaml").write_bytes(b"a" * 11_000_000)
    (tmp_path / "latin.yaml").write_bytes("name: Kosovës".encode("latin-1"))
    os.mkfifo(tmp_path / "pipe.yaml")
    assert only_fault(tmp_path) == "a folder"
    assert only_fault(tmp_path / "empty.yaml") == "an empty file"
    assert only_fault(tmp_path / "comments.yaml") == "an empty file"
    assert only_fault(tmp_path / "binary.yaml") == "a binary file"
    assert only_fault(tmp_path / "large.yaml") == "a file of 11.0 MB"
    assert only_fault(tmp_path / "latin.yaml") == "not UTF-8 text (byte 0xeb)"
    assert only_fault(tmp_path / "pipe.yaml") == "not a regular file"
    assert only_fault("no\0name") == "no such scenario"
    assert only_fault("x" * 5_000).startswith(("cannot be read", "no such"))


def test_a_file_that_may_not_be_read_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert only_fault(path) == "cannot be read: permission denied"


def test_positions_are_remembered_and_are_no_part_of_equality():
    assert NORTH.lines["mechanisms.retaliation.answers"] == 36
    assert NORTH.lines["facts.kfor_posture"] == 20
    assert replace(NORTH, lines={}) == NORTH


# --- what the written form means


def test_the_written_form_means_what_the_language_says():
    mechanism = load(FILES / "good" / "mechanisms.yaml").mechanisms
    assert mechanism["one_answer"].when == (Pattern("x", "threaten", "y"),)
    assert mechanism["two_alike"].then == (
        AnswerShare(Pattern("y", "threaten", "x"), Quantity(0.5)),
        AnswerShare(Pattern("x", "threaten", "y"), Quantity(0.5)),
    )
    assert sum(answer.share.value for answer in mechanism["three_thirds"].then) == pytest.approx(1.0, abs=1e-15)
    assert mechanism["several_triggers"].half_lives == (
        HalfLife(Quantity(1.0), Quantity(0.6)),
        HalfLife(Quantity(14.0), Quantity(0.4)),
    )
    assert mechanism["under_conditions"].needs == (Condition("roadblock"),)
    effects = load(FILES / "good" / "effects.yaml").moves
    assert effects["settles"].effects == (
        FactEffect("posture", "withdraw", Quantity(0.3)),
        FactEffect("measure", "off", Quantity(1.0)),
        FactEffect("roadblock", "off", Quantity(1.0)),
    )
    assert effects["returns"].effects == (FactEffect("backing", "holds", Quantity(1.0)),)
    assert effects["abandons"].effects == (FactEffect("backing", "absent", Quantity(0.5, 0.2, 0.8)),)
    ties = load(FILES / "good" / "ties.yaml")
    assert ties.mechanisms["suppliers"].given == (
        TiePattern("z", "supplies", "x"),
        TiePattern("z", "patronage", "y", holds=False),
    )
    policy = load(FILES / "good" / "interventions.yaml").interventions["policies"].whenever[0]
    assert policy.do == Forced("guard", "clear", "north")
    assert float(policy.stands) == 7.0


def test_defaults_are_those_the_documents_name():
    scenario = load(FILES / "good" / "minimal.yaml")
    assert float(scenario.years) == 10.0
    assert scenario.standoffs == Standoffs()
    found = scenario.standoffs
    assert [float(q) for q in (found.memory, found.opens_at, found.closes_at, found.chained_within)] == [7, 6, 2, 3]


@pytest.mark.parametrize(
    ("tone", "cameo", "heat"),
    [
        ("hostile", None, 1.0),
        ("hostile", "130", 1.0),
        ("hostile", "145", 2.0),
        ("hostile", "190", 3.0),
        ("hostile", "0233", 1.0),
        ("cooperative", "190", 0.0),
        ("neutral", None, 0.0),
    ],
)
def test_heat_follows_from_tone_and_code_unless_it_is_given(tone: str, cameo: str | None, heat: float):
    code = f', cameo: "{cameo}"' if cameo else ""
    text = HEAD + "actors: {a: , b: }\nmoves:\n  m: {who: a, does: act, to: b}\nacts: {act: {tone: %s%s%s}}\n"
    assert loads(text % (tone, code, "")).acts["act"].heat == heat
    assert loads(text % (tone, code, ", heat: 5")).acts["act"].heat == 5.0
    assert loads(text % (tone, code, "")).acts["act"].cameo == cameo, "a leading zero is kept"


@pytest.mark.parametrize(
    ("verb", "third"),
    [
        ("threaten", "threatens"), ("deny", "denies"), ("deploy", "deploys"), ("push", "pushes"), ("veto", "vetoes"),
        ("ask_nato", "asks_nato"), ("harass", "harasses"), ("mix", "mixes"), ("reach_out", "reaches_out"), ("y", "ys"),
        ("talks", "talks"), ("raids", "raids"), ("accuses", "accuses"), ("focus", "focuses"), ("bias", "biases"),
    ],
)  # fmt: skip
def test_verbs_take_their_third_person(verb: str, third: str):
    assert third_person(verb) == third


# --- schema and documents


VALIDATOR = jsonschema.Draft202012Validator(schema())


def core_schema(text: str) -> Any:
    """The text as an editor with a YAML 1.2 reader sees it: numbers, true, false, null and text."""

    def typed(node: Any) -> Any:
        if isinstance(node, tree.Table):
            return {key: typed(item) for key, item in node.items.items()}
        if isinstance(node, tree.Listing):
            return [typed(item) for item in node.items]
        if node.is_null:
            return None
        if not node.quoted and node.text in ("true", "false"):
            return node.text == "true"
        if not node.quoted and re.fullmatch(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", node.text):
            return float(node.text)
        return node.text

    return typed(tree.parse(text, None, []))


def test_the_schema_is_valid_and_shipped_as_it_is():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run docs/fields.py"


def test_the_schema_refuses_what_an_editor_should_underline():
    """Not all faults can be seen by a schema; those of keys, units and choices can."""
    seen = {
        "unknown_key", "unknown_section", "no_name", "no_moves", "tone", "no_unit", "unknown_unit", "name_with_hyphen",
        "section_as_list", "item_as_text", "range_of_three", "part_of_a_quantity", "url", "cameo", "date_in_words",
        "unit_where_none_belongs", "rate_instead_of_duration", "list_instead_of_text", "one_level", "no_trigger",
        "match_in_unknown_data", "negative_duration",
    }  # fmt: skip
    missed = {
        name
        for name in seen
        if VALIDATOR.is_valid(core_schema((FILES / "bad" / f"{name}.yaml").read_text(encoding="utf-8")))
    }
    assert missed == {"negative_duration"}, "a limit on a number inside a text is beyond a schema"


def test_the_field_reference_is_current():
    page = (CHECKOUT / "docs" / "scenario.md").read_text(encoding="utf-8")
    assert with_fields(page) == page, "run docs/fields.py"


def test_the_examples_of_the_page_are_one_file_that_loads():
    """Each example shows one section; together they are the scenario that the page builds up."""
    page = (CHECKOUT / "docs" / "scenario.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert len(examples) >= 10
    scenario = loads("\n".join(examples), file="docs/scenario.md")
    sections = [
        key for key in resolve(scenario) if key not in ("powderkeg", "name", "title", "about", "start", "years")
    ]
    assert not [key for key in sections if not getattr(scenario, key)]


def test_the_faults_of_the_page_are_the_faults_users_see():
    page = (CHECKOUT / "docs" / "scenario.md").read_text(encoding="utf-8")
    shown = re.findall(r"```text\n(.*?)```", page, re.S)
    assert shown
    known = "\n".join(expected_message(path) for path in BAD)
    known = re.sub(r"^\w+\.yaml:\d+: ", "", known, flags=re.M)
    for block in shown:
        for row in block.splitlines():
            assert re.sub(r"^\w+\.yaml:\d+: ", "", row) in known or row.endswith("nothing was run.")
