"""`scenario`: golden files, what survives a round trip, edits, patterns, and all that can go wrong with a file."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import powderkeg.scenario
from powderkeg.errors import ScenarioError, UsageError
from powderkeg.reading import Quantity, tree
from powderkeg.scenario import (
    Answer,
    Condition,
    Effect,
    Forced,
    HalfLife,
    Pattern,
    Scenario,
    Standoffs,
    TiePattern,
    digest,
    dump,
    edit,
    expand_moves,
    load,
    loads,
    names,
    paths,
    resolve,
    schema,
    third_person,
)
from powderkeg.scenario import checks as checks_module
from powderkeg.scenario.files import written
from powderkeg.scenario.matching import Cast, GaveUp, matches
from powderkeg.scenario.shipped import SCHEMA_FILE, schema_text, with_fields
from powderkeg.scenario.written import yaml_text

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = CHECKOUT / "tests" / "scenarios"
GOOD = sorted((FILES / "good").glob("*.yaml"))
BAD = sorted((FILES / "bad").glob("*.yaml"))
HEAD = "powderkeg: 1\nname: test\nstart: 2020-01-01\n"
NORTH = load(FILES / "good" / "north.yaml")


def stem(path: Path) -> str:
    return path.stem


def faults_of(text: str | bytes) -> str:
    """What is wrong with a text, as the user sees it."""
    with pytest.raises(ScenarioError) as caught:
        loads(text, file="f.yaml")
    return str(caught.value)


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
        Answer(Pattern("y", "threaten", "x"), Quantity(0.5)),
        Answer(Pattern("x", "threaten", "y"), Quantity(0.5)),
    )
    assert sum(answer.share.value for answer in mechanism["three_thirds"].then) == pytest.approx(1.0, abs=1e-15)
    assert mechanism["several_triggers"].half_lives == (
        HalfLife(Quantity(1.0), Quantity(0.6)),
        HalfLife(Quantity(14.0), Quantity(0.4)),
    )
    assert mechanism["under_conditions"].needs == (Condition("roadblock"),)
    effects = load(FILES / "good" / "effects.yaml").moves
    assert effects["settles"].effects == (
        Effect("posture", "withdraw", Quantity(0.3)),
        Effect("measure", "off", Quantity(1.0)),
        Effect("roadblock", "off", Quantity(1.0)),
    )
    assert effects["returns"].effects == (Effect("backing", "holds", Quantity(1.0)),)
    assert effects["abandons"].effects == (Effect("backing", "absent", Quantity(0.5, 0.2, 0.8)),)
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
    ],
)  # fmt: skip
def test_verbs_take_their_third_person(verb: str, third: str):
    assert third_person(verb) == third


# --- properties


def quantity(unit: str, least: float = 0.01, most: float = 100.0) -> st.SearchStrategy[Any]:
    numbers = st.floats(least, most, allow_subnormal=False) | st.integers(1, 9).map(float)

    def spelled(parts: tuple[float, float | None, int]) -> Any:
        number, spread, form = min(max(parts[0], least), most), parts[1], parts[2]
        low, high = (None, None) if spread is None else (max(number * spread, least), number)
        text = f"{number!r} {unit}".strip()
        if form == 0 or low is None:
            return text
        if form == 1:
            return f"{number!r} [{low!r}, {high!r}] {unit}".strip()
        return {"value": text, "range": [f"{low!r} {unit}".strip(), text], "guess": form == 2}

    return st.tuples(numbers, st.none() | st.floats(0.1, 1.0), st.integers(0, 3)).map(spelled)


TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20).filter(
    lambda text: not re.search("[\ufffe\uffff]", text)
)


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario as plain data, in which everything fits together."""
    actors = [f"actor_{i}" for i in range(draw(st.integers(2, 5)))]
    acts = draw(st.lists(st.sampled_from(["threaten", "deny", "push", "ask_nato", "veto"]), min_size=1, unique=True))
    facts = {
        name: draw(
            st.fixed_dictionaries(
                {"levels": st.sampled_from([["off", "on"], ["low", "middle", "high"]])},
                optional={"lasts": quantity("days"), "title": TEXTS},
            )
        )
        for name in draw(st.lists(st.sampled_from(["roadblock", "deal", "tension"]), unique=True))
    }
    ties = {
        f"tie_{i}": {"kind": kind, "from": pair[0], "to": pair[1], "holds": draw(st.booleans())}
        for i, (kind, pair) in enumerate(
            draw(
                st.lists(
                    st.tuples(st.sampled_from(["patronage", "presence", "supplies"]), st.permutations(actors)),
                    max_size=3,
                    unique_by=lambda tie: (tie[0], *tie[1][:2]),
                )
            )
        )
    }
    conditions = [f"{name}.{level}" for name, fact in facts.items() for level in fact["levels"]] + [*facts, *ties]
    some = st.lists(st.sampled_from(conditions), max_size=2, unique=True) if conditions else st.just([])
    moves = {
        f"does_{act}": draw(
            st.fixed_dictionaries(
                {"who": st.just("any"), "does": st.just(act), "to": st.just("any")},
                optional={
                    "rate": quantity("per year"),
                    "needs": some,
                    "sets": st.dictionaries(st.sampled_from(conditions), quantity("", 0.01, 1.0), max_size=2)
                    if (conditions := [c for c in conditions if "." in c])
                    else st.just({}),
                },
            )
        )
        for act in acts
    }
    letters = st.permutations(["x", "y", *(["z"] if len(actors) > 2 else [])])
    pattern = st.builds(lambda act, ends: f"{ends[0]} {third_person(act)} {ends[1]}", st.sampled_from(acts), letters)
    mechanisms = {
        f"mechanism_{i}": draw(
            st.fixed_dictionaries(
                {
                    "when": pattern | st.lists(pattern, min_size=1, max_size=3, unique=True),
                    "then": pattern | st.lists(pattern, min_size=1, max_size=3, unique=True),
                    "answers": quantity(""),
                    "half_life": quantity("days"),
                },
                optional={"title": TEXTS},
            )
        )
        for i in range(draw(st.integers(0, 3)))
    }
    gates = (
        {"gate": {"while": draw(st.sampled_from(conditions)), "moves": [*moves], "factor": draw(quantity(""))}}
        if conditions
        else {}
    )
    return {
        "powderkeg": 1,
        "name": "drawn",
        "title": draw(TEXTS),
        "start": draw(st.dates()).isoformat(),
        "actors": {name: draw(st.just(None) | st.fixed_dictionaries({"title": TEXTS})) for name in actors},
        "ties": ties,
        "facts": facts,
        "acts": {act: {"tone": draw(st.sampled_from(["hostile", "cooperative", "neutral"]))} for act in acts},
        "moves": moves,
        "mechanisms": mechanisms,
        "gates": gates,
    }


@given(scenarios())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_dump_and_resolve_lose_nothing(plain: dict[str, Any]):
    """load(dump(s)) == s, resolve(resolve(s)) == resolve(s), for scenarios nobody wrote."""
    scenario = loads(yaml_text(plain))
    resolved = resolve(scenario)
    assert resolve(plain) == resolved
    assert resolve(resolved) == resolved
    for text in (dump(scenario), json.dumps(resolved), json.dumps(plain)):
        again = loads(text)
        assert again == scenario
        assert digest(again) == digest(scenario)
    VALIDATOR.validate(resolved)


@given(scenarios(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_edits_there_and_back_change_nothing(plain: dict[str, Any], chance: random.Random):
    scenario = loads(yaml_text(plain))
    values = paths(scenario)
    assert edit(scenario, {path: value for path, value in values.items() if value is not None}) == scenario
    numbers = [path for path, value in values.items() if isinstance(value, Quantity) and ".then." not in path]
    chosen = chance.sample(numbers, min(4, len(numbers)))
    new = {path: Quantity(values[path].value * 0.5 + 0.01) for path in chosen}
    changed = edit(scenario, new)
    assert {path: paths(changed)[path] for path in chosen} == new
    assert edit(changed, {path: values[path] for path in chosen}) == scenario
    assert loads(dump(changed)) == changed
    one_by_one = scenario
    for path, value in new.items():
        one_by_one = edit(one_by_one, {path: value})
    assert one_by_one == changed


# --- fuzz: any file gives a scenario or faults, at once


def loads_or_faults(text: str | bytes) -> None:
    """No other error than a ScenarioError whose faults make sense, within a second of CPU time."""
    start = time.process_time()
    try:
        scenario = loads(text, file="f.yaml")
    except ScenarioError as error:
        assert error.faults
        assert all(fault.found and fault.file == "f.yaml" for fault in error.faults)
        assert str(error).isprintable() or "\n" in str(error)
    else:
        assert loads(dump(scenario)) == scenario
    assert time.process_time() - start < 1.0


SNIPPETS = (
    "[", "]", "{", "}", ":", ": ", ",", "- ", "#", "&a ", "*a", "!x ", "|\n", ">\n", "? ", "'", '"', "\t", "\n", "\n  ",
    "%", "@", "\\", "~", "null", "true", "1e400", "9" * 5_000, "-1", "x", "y", "any", "guess", "\x00", "\x1b", "\u2028",
    "\ud800", "\ufeff", "é", "\U0001f9e8", "---", "...", "<<", "days", "per year", "powderkeg", "levels: [a]", "moves",
)  # fmt: skip


def mutated(text: str, chance: random.Random) -> str:
    """A text with a few words, lines or signs gone, doubled, swapped or put in."""
    for _ in range(chance.randint(1, 4)):
        parts = re.split(chance.choice([r"(\n)", r"(\s+)", r"(\b)", r"()"]), text)
        i, j = chance.randrange(len(parts)), chance.randrange(len(parts))
        match chance.randrange(5):
            case 0:
                del parts[i : i + chance.randint(1, 3)]
            case 1:
                parts.insert(i, parts[j])
            case 2:
                parts[i], parts[j] = parts[j], parts[i]
            case 3:
                parts.insert(i, chance.choice(SNIPPETS))
            case 4:
                parts[i] = chance.choice(SNIPPETS)
        text = "".join(part or "" for part in parts)
    return text


@given(st.sampled_from(GOOD), st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_a_mutated_good_file_gives_a_scenario_or_faults(path: Path, chance: random.Random):
    loads_or_faults(mutated(path.read_text(encoding="utf-8"), chance))


@given(st.sampled_from(GOOD), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_good_file_with_mutated_bytes_gives_a_scenario_or_faults(path: Path, chance: random.Random):
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    loads_or_faults(bytes(data))


@given(st.sampled_from(GOOD), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_good_file_with_mutated_values_gives_a_scenario_or_faults(path: Path, chance: random.Random):
    """Well-formed YAML whose pieces stand in the wrong places."""
    data = resolve(load(path)) if chance.random() < 0.3 else written(load(path))

    def nodes(here: Any) -> list[tuple[Any, Any]]:
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else []
        return [place for key in keys for place in [(here, key), *nodes(here[key])]]

    data = json.loads(json.dumps(data))
    for _ in range(chance.randint(1, 3)):
        places = nodes(data)
        (here, key), (there, other) = chance.choice(places), chance.choice(places)
        here[key] = chance.choice([json.loads(json.dumps(there[other])), None, [], {}, chance.choice(SNIPPETS[:16])])
    loads_or_faults(json.dumps(data))


@given(st.text() | st.binary())
@settings(max_examples=200, deadline=None)
def test_any_text_gives_faults(text: str | bytes):
    loads_or_faults(text)
    loads_or_faults(HEAD + text if isinstance(text, str) else HEAD.encode() + text)


def test_the_fuzz_check_sees_a_traceback(monkeypatch: pytest.MonkeyPatch):
    """The planted error: a reader that lets a KeyError through is caught."""

    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(powderkeg.scenario.files, "check", broken)
    with pytest.raises(KeyError):
        loads_or_faults(GOOD[0].read_bytes())


# --- edits


def test_edits_are_read_as_in_the_file_and_leave_the_original_alone():
    before = digest(NORTH)
    changed = edit(
        NORTH,
        {
            "mechanisms.retaliation.half_life": "1 week",
            "mechanisms.retaliation.answers": "0.5 [0.3, 0.6]",
            "gates.presence_deters.factor": "20 %",
            "ties.kfor_presence.holds": "false",
            "facts.kfor_posture.starts": "clear",
            "moves.imposes.rate": {"value": "2 per year", "source": "record"},
            "start": "2011-07-20",
            "years": "5",
            "standoffs.memory": "10 days",
        },
    )
    assert changed.mechanisms["retaliation"].half_lives == (HalfLife(Quantity(7.0), Quantity(1.0)),)
    assert changed.mechanisms["retaliation"].answers == Quantity(0.5, 0.3, 0.6)
    assert float(changed.gates["presence_deters"].factor) == 0.2
    assert changed.ties["kfor_presence"].holds is False
    assert changed.facts["kfor_posture"].starts == "clear"
    assert changed.moves["imposes"].rate == Quantity(2 / 365.25, source="record")
    assert changed.start.isoformat() == "2011-07-20"
    assert digest(NORTH) == before


def test_a_number_is_taken_in_the_unit_used_inside():
    changed = edit(NORTH, {"mechanisms.retaliation.half_life": 10.0, "moves.imposes.rate": 0.25})
    assert float(changed.mechanisms["retaliation"].half_lives[0].days) == 10.0
    assert float(changed.moves["imposes"].rate) == 0.25


def test_a_value_set_by_hand_has_no_source_and_is_no_guess():
    scenario = load(FILES / "good" / "sources.yaml")
    assert scenario.moves["often"].rate.guess
    changed = edit(scenario, {"moves.often.rate": "12 per year"})
    assert changed.moves["often"].rate == Quantity(12 / 365.25)
    assert loads(dump(changed)) == changed


def test_edits_that_only_fit_together_are_made_together():
    changed = edit(NORTH, {"standoffs.opens_at": 1.5, "standoffs.closes_at": 0.5})
    assert (float(changed.standoffs.opens_at), float(changed.standoffs.closes_at)) == (1.5, 0.5)
    with pytest.raises(ScenarioError) as caught:
        edit(NORTH, {"standoffs.opens_at": 1.5, "standoffs.memory": 3.0})
    assert str(caught.value).startswith("standoffs.opens_at: 2, not below opens_at")


def test_a_share_that_is_edited_leaves_the_rest_to_the_others():
    scenario = load(FILES / "good" / "mechanisms.yaml")
    changed = edit(scenario, {"mechanisms.two_with_shares.then.north blocks south": 0.9})
    assert [answer.share.value for answer in changed.mechanisms["two_with_shares"].then] == pytest.approx([0.9, 0.1])
    changed = edit(scenario, {"mechanisms.several_triggers.half_lives.2.share": 0.5})
    assert [half_life.share.value for half_life in changed.mechanisms["several_triggers"].half_lives] == [0.5, 0.5]
    changed = edit(scenario, {"mechanisms.several_triggers.half_lives.2": "30 days"})
    assert changed.mechanisms["several_triggers"].half_lives[1].days == Quantity(30.0)


def test_the_level_of_an_effect_may_be_left_out_of_its_path():
    changed = edit(NORTH, {"moves.blocks.sets.roadblock": "40 %"})
    assert changed.moves["blocks"].effects == (Effect("roadblock", "on", Quantity(0.4)),)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("mechanisms.retaliation.answer", "mechanisms.retaliation.answers"),
        ("mechanisms.retalation.answers", "mechanisms.retaliation.answers"),
        ("ties.kfor_presence", "ties.kfor_presence.holds"),
        ("retaliation", None),
        ("", None),
        ("moves.blocks.who", None),
    ],
)
def test_an_unknown_path_is_a_usage_error_with_the_nearest(path: str, nearest: str | None):
    with pytest.raises(UsageError) as caught:
        edit(NORTH, {path: "1"})
    fault = caught.value.faults[0]
    assert fault.found == "unknown key path"
    assert fault.expected
    if nearest is not None:
        assert fault.nearest == nearest


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("mechanisms.retaliation.half_life", "3", "3 without a unit"),
        ("mechanisms.retaliation.half_life", -3.0, "-3 days"),
        ("mechanisms.retaliation.half_life", float("nan"), "nan days: too large a number"),
        ("mechanisms.retaliation.half_life", None, "nothing"),
        ("mechanisms.retaliation.half_life", [1, 2], "a list"),
        ("mechanisms.retaliation.answers", "", "nothing"),
        ("mechanisms.retaliation.answers", "0.5 [0.6, 0.7]", "0.5 [0.6, 0.7], a value outside its range"),
        ("mechanisms.retaliation.answers", {"value": 0.5, "source": "nobody"}, "unknown source 'nobody'"),
        ("ties.kfor_presence.holds", "absent", "'absent'"),
        ("facts.kfor_posture.starts", "cleer", "unknown level 'cleer'"),
        ("start", "yesterday", "'yesterday'"),
    ],
)
def test_a_value_that_does_not_fit_is_a_scenario_error(path: str, value: Any, found: str):
    with pytest.raises(ScenarioError) as caught:
        edit(NORTH, {path: value})
    assert (caught.value.faults[0].path, caught.value.faults[0].found) == (path, found)


def test_interventions_hold_settings_that_edit_takes_as_they_are():
    scenario = load(FILES / "good" / "interventions.yaml")
    settings_of = scenario.interventions["many"].set
    assert settings_of["facts.roadblock.lasts"] == "10 [5, 20] days"
    changed = edit(scenario, settings_of)
    assert changed.facts["roadblock"].lasts == Quantity(10.0, 5.0, 20.0)
    assert changed.moves["clears"].effects[0].probability == Quantity(1.0)
    withdrawn = edit(scenario, scenario.interventions["withdraw"].set)
    assert withdrawn.ties["presence"].holds is False


# --- channels and matches


def test_moves_expand_to_channels_in_order():
    scenario = load(FILES / "good" / "ties.yaml")
    channels = expand_moves(scenario)
    assert channels[:2] == [("south", "threaten", "north", "rivals"), ("north", "threaten", "south", "rivals")]
    assert ("patron", "warn", "south", "warnings") in channels, "a tie that must not hold limits nothing by itself"
    assert len(channels) == len({channel[:3] for channel in channels}) == 2 + 8 + 1
    classes = expand_moves(load(FILES / "good" / "classes.yaml"))
    assert sum(channel.move == "states" for channel in classes) == 3 * 2
    assert sum(channel.move == "mixed" for channel in classes) == 1


def slow_matches(scenario: Scenario, when: Pattern, then: Pattern, ties: tuple[TiePattern, ...]) -> set[frozenset]:
    """Every assignment of letters to actors, tried one by one."""

    cast = Cast(scenario)
    channels = {channel[:3] for channel in expand_moves(scenario)}
    letters = sorted({end for p in (when, then, *ties) for end in (p[0], p[2]) if end in ("x", "y", "z", "w")})
    found = set()
    for chosen in itertools.permutations(scenario.actors, len(letters)):
        bound = dict(zip(letters, chosen, strict=True))

        def ends(end: str) -> list[str]:
            return [bound[end]] if end in bound else list(cast.members[end])  # noqa: B023

        acts = all(
            any((a, pattern.act, b) in channels for a in ends(pattern.subject) for b in ends(pattern.object))
            for pattern in (when, then)
        )
        tied = all(
            any((a, b) in cast.ties.get(tie.kind, {}) for a in ends(tie.subject) for b in ends(tie.object))
            for tie in ties
        )
        if acts and tied:
            found.add(frozenset(bound.items()))
    return found


@pytest.mark.parametrize("path", [p for p in GOOD if load(p).mechanisms], ids=stem)
def test_matches_are_those_found_by_trying_everything(path: Path):
    scenario = load(path)
    for mechanism in scenario.mechanisms.values():
        ties = tuple(tie for tie in mechanism.given if tie.holds)
        for when in mechanism.when:
            for answer in mechanism.then:
                found = {frozenset(m.items()) for m in matches(Cast(scenario), when, answer.pattern, ties)}
                assert found == slow_matches(scenario, when, answer.pattern, ties)


def test_matching_follows_ties_however_many_actors_there_are():
    """5,000 actors in a chain, everybody may threaten everybody: 25 million channels, 10,000 matches."""
    actors = "".join(f"  a{i}:\n" for i in range(5_000))
    ties = "".join(f"  t{i}: {{kind: patronage, from: a{i}, to: a{i + 1}}}\n" for i in range(4_999))
    text = (
        f"{HEAD}actors:\n{actors}ties:\n{ties}acts: {{threaten: {{tone: hostile}}}}\n"
        "moves:\n  all: {who: any, does: threaten, to: any}\n"
        "mechanisms:\n  chain: {when: x threatens y, given: [z backs y, y backs x], then: z threatens x, "
        "answers: 0.1, half_life: 1 day}\n"
    )
    scenario = loads(text)
    cast = Cast(scenario, most_steps=50_000)
    mechanism = scenario.mechanisms["chain"]
    assert sum(1 for _ in matches(cast, mechanism.when[0], mechanism.then[0].pattern, mechanism.given)) == 4_998


def test_a_search_without_end_is_given_up_and_says_nothing():
    scenario = load(FILES / "good" / "classes.yaml")
    with pytest.raises(GaveUp):
        list(matches(Cast(scenario, most_steps=3), Pattern("x", "threaten", "y"), Pattern("w", "threaten", "z")))


def test_a_file_too_large_to_check_is_loaded(monkeypatch: pytest.MonkeyPatch):
    """What cannot be checked in time is left to the model; the planted error shows that the check is what finds it."""
    text = (FILES / "bad" / "pattern_never_possible.yaml").read_text(encoding="utf-8")
    monkeypatch.setattr(checks_module, "MOST_STEPS", 0)
    assert loads(text).mechanisms
    monkeypatch.undo()
    assert "which no move makes possible" in faults_of(text)


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
