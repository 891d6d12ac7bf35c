"""The house stays as it is drawn: no circle of modules, rooms in order, names that mean one thing, nothing that grows.

Every figure below is read from the source. What may be longer than the rule stands in a list with its reason; a line
that is no longer needed fails too.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "powderkeg"

ASKED_BACK = {
    ("fit/result.py", "check"): "a fit is checked when it is asked to be: fit.check()",
    (
        "attribute/result.py",
        "family",
    ): "the family tree of a standoff is made when it is asked for: attribution.family()",
}
"""The two methods that import what stands after their module."""

ROOMS: dict[str, tuple[str, ...]] = {
    "engine": ("simulation", "splitting", "likelihood", "branching", "replay", "forecast", "ranking"),
    "fit": ("likelihood", "maximum", "background", "days", "checks"),
    "compare": ("rare", "replay", "sweep"),
}
"""Rooms of a package in order: none imports from one that stands after it."""

LONGEST_MODULE = 600
LONGEST_FUNCTION = {"engine": 150}
LONGEST_ELSEWHERE = 60
MOST_PARAMETERS = 25

LAYERS = "one figure, its layers in the order in which they are drawn: a list, no logic"
STEPS = "one thing after the other, each step a call: cut further it would only be harder to follow"

LONG_FUNCTIONS = {
    "engine.replay.intensity.ledger": "an offset for each of 88 arrays, line by line",
    "analyze.streams._lookup": STEPS,
    "attribute.attributing.attribute": STEPS,
    "compare.rare.rare.rare": STEPS,
    "fit.advice.advice": "one piece of advice after the other",
    "fit.checks.expected.expected_acts": "the formulas of the passes in NumPy, backgrounds and then answers",
    "fit.parents._rates": STEPS,
    "model.plain._model": "an empty array for every part of a system that plain processes do not have",
    "plots.causes.entanglement": LAYERS,
    "plots.fitted.estimates": LAYERS,
    "plots.fitted.predictive": LAYERS,
    "plots.record.against_record": LAYERS,
}
"""`module.function` longer than the rule: why."""

MANY_PARAMETERS = {
    "cli.fit.fit": "one option each",
    "cli.forecast.forecast": "one option each",
    "engine.forecast.days.means_ahead": "the arrays of a model and of a past, flat for speed",
    "engine.simulation.clusters.run_clusters": "the buffers of one chunk, flat for speed",
    "engine.replay.replay.replay": "the blocks of two worlds, flat for speed",
}
"""`module.function` with more parameters than the rule: why."""

LONG_MODULES: dict[str, str] = {}
"""Modules longer than the rule: why."""


def trees(package: Path) -> dict[str, ast.Module]:
    """Place of every module below the package -> its tree."""
    return {
        file.relative_to(package).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(package.rglob("*.py"))
    }


def imports(package: Path, asked_back: Mapping[tuple[str, str], str] = ASKED_BACK) -> dict[str, set[str]]:
    """Place -> the places it imports, at load time, at run time or for types; but in methods that ask back."""
    found = trees(package)
    by_name = {place.removesuffix(".py").removesuffix("/__init__").replace("/", "."): place for place in found}
    result: dict[str, set[str]] = {}
    for place, tree in found.items():
        later = {
            id(node)
            for top in ast.walk(tree)
            if isinstance(top, ast.FunctionDef) and (place, top.name) in asked_back
            for node in ast.walk(top)
        }
        named: set[str] = set()
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").startswith("powderkeg")
                and id(node) not in later
            ):
                base = (node.module or "").partition(".")[2]
                for alias in node.names:
                    full = f"{base}.{alias.name}".lstrip(".")
                    named.add(by_name.get(full) or by_name.get(base, ""))
        result[place] = named - {place, ""}
    for place in result:  # the hint of what a method gives back is no arrow: it is written for readers
        for back, _ in asked_back:
            if place == back:
                result[place] -= {other for other in result[place] if place in result[other]}
    return result


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Every set of modules that import each other, by Tarjan's algorithm (1972), SIAM J. Comput. 1(2), 146-160."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(place: str) -> None:
        number[place] = lowest[place] = len(number)
        stack.append(place)
        for other in sorted(arrows[place]):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[place] = min(lowest[place], lowest[other])
        if lowest[place] == number[place]:
            at = stack.index(place)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for place in arrows:
        if place not in number:
            visit(place)
    return found


def arrows_up(arrows: Mapping[str, set[str]], rooms: Mapping[str, tuple[str, ...]] = ROOMS) -> list[str]:
    """One line for each import from a room that stands later in its package."""
    wrong = []
    for place, others in arrows.items():
        package, _, rest = place.partition("/")
        order = rooms.get(package, ())
        room = rest.partition("/")[0]
        for other in sorted(others):
            there = other.removeprefix(f"{package}/").partition("/")[0]
            if other.startswith(f"{package}/") and {room, there} <= {*order} and order.index(there) > order.index(room):
                wrong.append(f"{place} imports {other}, in a room that comes after its own")
    return wrong


def functions(package: Path) -> Iterator[tuple[str, str, int, int]]:
    """(layer, module.function, lines without docstring, parameters) of every function and method."""
    for place, tree in trees(package).items():
        layer = place.partition("/")[0].removesuffix(".py")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body
                has_doc = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1
                first = body[1] if has_doc else body[0]
                asked = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
                name = f"{place.removesuffix('.py').replace('/', '.')}.{node.name}"
                yield layer, name, (node.end_lineno or 0) - first.lineno + 1, asked


def test_no_modules_import_each_other() -> None:
    assert circles(imports(PACKAGE)) == []


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    for name, source in {"a": "from powderkeg.b import x", "b": "def f():\n    from powderkeg.a import y"}.items():
        (tmp_path / f"{name}.py").write_text(source + "\n", encoding="utf-8")
    assert circles(imports(tmp_path)) == [["a.py", "b.py"]]


def test_rooms_import_only_from_those_before_them() -> None:
    assert arrows_up(imports(PACKAGE)) == []


def test_a_planted_arrow_up_is_found(tmp_path: Path) -> None:
    for place, source in {"fit/likelihood/a": "from powderkeg.fit.checks.b import x", "fit/checks/b": "x = 1"}.items():
        file = tmp_path / f"{place}.py"
        file.parent.mkdir(parents=True)
        file.write_text(source + "\n", encoding="utf-8")
    assert arrows_up(imports(tmp_path)) == [
        "fit/likelihood/a.py imports fit/checks/b.py, in a room that comes after its own"
    ]


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_every_room_has_its_place_in_the_order(package: str) -> None:
    rooms = {folder.name for folder in (PACKAGE / package).iterdir() if (folder / "__init__.py").exists()}
    assert rooms == set(ROOMS[package])


def test_a_class_has_a_name_of_its_own() -> None:
    homes = defaultdict(list)
    for place, tree in trees(PACKAGE).items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(place)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_modules_are_short_or_say_why_not() -> None:
    long = {
        file.relative_to(PACKAGE).as_posix(): lines
        for file in PACKAGE.rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > LONGEST_MODULE
    }
    assert set(long) == set(LONG_MODULES)


def test_functions_are_short_or_say_why_not() -> None:
    long = {
        name for layer, name, lines, _ in functions(PACKAGE) if lines > LONGEST_FUNCTION.get(layer, LONGEST_ELSEWHERE)
    }
    assert long == set(LONG_FUNCTIONS)


def test_parameter_lists_are_short_or_say_why_not() -> None:
    assert {name for _, name, _, asked in functions(PACKAGE) if asked > MOST_PARAMETERS} == set(MANY_PARAMETERS)
