"""`scenario`: what holds for every scenario, and that no file at all brings anything but a scenario or faults."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import powderkeg.scenario
from powderkeg.errors import ScenarioError
from powderkeg.reading import Quantity
from powderkeg.scenario import (
    digest,
    dump,
    edit,
    load,
    loads,
    paths,
    resolve,
    schema,
    third_person,
)
from powderkeg.scenario.files import written
from powderkeg.scenario.written import yaml_text

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = CHECKOUT / "tests" / "scenarios"
GOOD = sorted((FILES / "good").glob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(schema())
HEAD = "powderkeg: 1\nname: test\nstart: 2020-01-01\n"


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


@pytest.mark.nightly
def test_many_mutations_with_a_fresh_seed(seed: int):
    chance = random.Random(seed)
    files = [path.read_text(encoding="utf-8") for path in GOOD]
    for _ in range(10_000):
        loads_or_faults(mutated(chance.choice(files), chance))


def test_the_fuzz_check_sees_a_traceback(monkeypatch: pytest.MonkeyPatch):
    """The planted error: a reader that lets a KeyError through is caught."""

    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(powderkeg.scenario.files, "check", broken)
    with pytest.raises(KeyError):
        loads_or_faults(GOOD[0].read_bytes())
