"""How does a scenario come out of a file, and go back into one?

In: the name of a built-in scenario, a path, or text. Out: a `Scenario`, or a ScenarioError with every fault in file
order. And back: text that loads to an equal scenario, the resolved form in which nothing is implied, its digest.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

from powderkeg.errors import Fault, ScenarioError, UsageError, as_found, must_be, nearest_name
from powderkeg.reading import (
    BROKEN,
    Node,
    NotText,
    Reader,
    Refused,
    Scalar,
    Table,
    TooManyFaults,
    Writer,
    decode,
    parse,
    said,
    shown,
    tree_of,
)
from powderkeg.reading.tree import MOST_BYTES
from powderkeg.scenario.checks import check
from powderkeg.scenario.composing import BUILT_IN, INCLUDES, Origin, built_in_names, compose
from powderkeg.scenario.declared import SCENARIO, VERSION, Scenario
from powderkeg.scenario.language import TIE_LEVELS, prepare, third_person
from powderkeg.scenario.written import yaml_text

VERSION_KEY: Final = "powderkeg"
FIRST_LINE: Final = "a scenario; its first line is `powderkeg: 1`"


def names() -> list[str]:
    """Names of the scenarios that come with the package."""
    return built_in_names()


def load(name_or_path: str | Path) -> Scenario:
    """The scenario of a built-in name or of a file.

    Raises ScenarioError with every fault of the file, or with one line if there is no such file or no reading it.
    """
    if not isinstance(name_or_path, str | Path):
        raise _no_scenario(name_or_path, "the name of a built-in scenario, or the path of a file")
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text in names():
        data = (resources.files("powderkeg") / BUILT_IN / f"{text}.yaml").read_bytes()
        return _loaded(data, f"{text}.yaml", Origin.of_built_in(text))
    path = Path(name_or_path)
    return _loaded(_bytes_of(path, text), text, Origin.of_file(path))


def loads(text: str | bytes, file: str | None = None) -> Scenario:
    """The scenario of a text; `file` is how messages name it.

    Raises ScenarioError with every fault, in file order.
    """
    must_be("text", text, (str, bytes), "the text of a scenario")
    return _loaded(text, file, Origin())


def scenario_of(given: object) -> Scenario:
    """The scenario that is meant: one itself, that of a model or a fit, or the one of a name or a path.

    Raises UsageError for what is none of these, ScenarioError as `load` does.
    """
    own = getattr(given, "scenario", given)
    if isinstance(own, Scenario):
        return own
    if isinstance(given, str | Path):
        return load(given)
    raise _no_scenario(given, "a Scenario, a Model, the name of a built-in scenario, or the path of a file")


def _no_scenario(given: object, expected: str) -> UsageError:
    return UsageError(Fault.at("scenario", as_found(given), expected))


Given = str | Path | Scenario
"""What can be given where a scenario is meant: see `scenario_of`."""


def dump(scenario: Given) -> str:
    """YAML that loads to an equal scenario."""
    return yaml_text(written(scenario_of(scenario)))


def written(scenario: Scenario) -> dict[str, Any]:
    """Plain data as a person would write it: defaults left out, shorthand used."""
    return SCENARIO.write(scenario, _writer(scenario, full=False))


def resolve(scenario: Given | dict[str, Any]) -> dict[str, Any]:
    """Plain data with nothing implied; it is itself a scenario that loads to an equal one. Takes plain data too."""
    if isinstance(scenario, dict):
        scenario = _read(tree_of(scenario), None, [])
    scenario = scenario_of(scenario)
    return SCENARIO.write(scenario, _writer(scenario, full=True))


def digest(scenario: Given) -> str:
    """SHA-256 of the resolved form as JSON. Order counts: it decides which channel is which."""
    text = json.dumps(resolve(scenario), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _writer(scenario: Scenario, full: bool) -> Writer:
    levels = {name: fact.levels for name, fact in scenario.facts.items()}
    levels.update(dict.fromkeys(scenario.ties, TIE_LEVELS))
    verbs = {**{third_person(act): act for act in scenario.acts}, **{act: act for act in scenario.acts}}
    return Writer(full=full, data={"levels": levels, "verbs": verbs})


def _bytes_of(path: Path, shown: str) -> bytes:
    def refuse(found: str, expected: str = "", nearest: str | None = None) -> ScenarioError:
        return ScenarioError(Fault(shown, None, "", found, expected, nearest))

    try:
        if path.is_dir():
            raise refuse("a folder", "a scenario file")
        if not path.exists():
            known = names()
            looks_like_name = "/" not in shown and "\\" not in shown and "." not in shown
            built_in = f"the name of a built-in scenario ({', '.join(known)})" if known else "a built-in scenario"
            found = "no such scenario" if looks_like_name else "no such file"
            beside = [entry.name for entry in path.parent.iterdir()][:1000] if path.parent.is_dir() else []
            near = nearest_name(shown, known) or nearest_name(path.name, beside)
            raise refuse(found, f"{built_in} or a file", near)
        if not path.is_file():
            raise refuse("not a regular file", "a scenario file")
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise refuse(f"a file of {path.stat().st_size / 1e6:.1f} MB", f"at most {MOST_BYTES // 1_000_000} MB")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise refuse(f"cannot be read: {reason}", "a scenario file that may be read") from None
    return data


def _loaded(data: str | bytes, file: str | None, origin: Origin) -> Scenario:
    try:
        text = decode(data) if isinstance(data, bytes) else data
    except NotText as error:
        raise ScenarioError(Fault(file, error.line, "", error.found, error.expected)) from None
    faults: list[Fault] = []
    tree = parse(text, file, faults)
    if not faults:
        tree = compose(tree, file, origin, faults, _read)
    if faults and isinstance(tree, Table) and INCLUDES in tree.items:
        raise ScenarioError(faults)
    return _read(tree, file, faults)


def _read(tree: Node | None, file: str | None, faults: list[Fault]) -> Scenario:
    """A tree to a scenario. Raises ScenarioError with the faults given and those found, in file order."""
    reader = Reader(file)
    reader.faults = faults
    scenario: Any = BROKEN
    if isinstance(tree, Table) and _is_ours(tree, reader):
        prepare(reader, tree.items)
        with suppress(TooManyFaults):
            scenario = check(reader.read(SCENARIO, tree, ""), reader)
    elif tree is None or (isinstance(tree, Scalar) and tree.is_null):
        if not faults:
            reader.tell("", None, "an empty file", FIRST_LINE)
    elif not isinstance(tree, Table | Refused):
        reader.tell("", tree.line, f"{said(tree)}, not a scenario", FIRST_LINE)
    if faults:
        raise ScenarioError(sorted(faults, key=_place))
    made: Scenario = scenario
    made.lines.update(reader.lines)
    return made


def _place(fault: Fault) -> tuple[bool, int]:
    """File order; what belongs to no line comes last."""
    return fault.line is None, fault.line or 0


def _is_ours(tree: Table, reader: Reader) -> bool:
    """Whether the file says in which format it is, and that is one we read. If not, nothing more is said of it."""
    first = next(iter(tree.items), "")
    if VERSION_KEY not in tree.items:
        reader.tell("", tree.line_of(first), f"no {VERSION_KEY}", FIRST_LINE)
        return False
    if first != VERSION_KEY:
        reader.tell("", tree.line_of(first), f"{shown(first)} before {VERSION_KEY}", FIRST_LINE)
    return reader.read(VERSION, tree.items[VERSION_KEY], VERSION_KEY) is not BROKEN
