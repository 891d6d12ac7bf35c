"""Modules import one way: each only from those before it in the reading order.

The order is that of `docs/decisions.md`. The check reads the source, so an import inside a function or under
TYPE_CHECKING counts too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "powderkeg"
LAYERS = (
    "docstrings", "units", "version", "errors", "calls", "wording", "showing", "reading", "writing", "formats",
    "scenario", "events", "text", "draft", "engine", "model", "simulate", "analyze", "fit", "hawkes", "attribute",
    "compare", "score", "forecast", "ranking", "plots", "report", "web", "cli",
)  # fmt: skip
DOORS = ("__init__", "__main__")
"""The facade and `python -m powderkeg` stand outside the order: they may import any module, no module them."""

ENGINE_MAY_IMPORT = {"numpy", "numba"}


def layer_of(file: Path, package: Path) -> str:
    return file.relative_to(package).parts[0].removesuffix(".py")


def imported_names(source: str, inside: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import in a file of the package `inside`; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*inside[: len(inside) - node.level + 1], *filter(None, [node.module])))
            start = base if node.level else node.module or ""
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def wrong_imports(package: Path) -> list[str]:
    """One line for each import that runs against the order."""
    wrong = []
    for file in sorted(package.rglob("*.py")):
        layer = layer_of(file, package)
        if layer in DOORS:
            continue
        place = file.relative_to(package).as_posix()
        if layer not in LAYERS:
            wrong.append(f"{place}: '{layer}' is not one of the modules {', '.join(LAYERS)}")
            continue
        inside = ("powderkeg", *file.relative_to(package).parts[:-1])
        for line, name in imported_names(file.read_text(), inside):
            top, _, rest = name.partition(".")
            if top == "powderkeg":
                target = rest.partition(".")[0]
                if target not in LAYERS:
                    wrong.append(f"{place}:{line}: {layer} imports the facade")
                elif LAYERS.index(target) > LAYERS.index(layer):
                    wrong.append(f"{place}:{line}: {layer} imports {target}, which comes after it")
                elif layer == "engine" and target not in ("engine", "units"):
                    wrong.append(f"{place}:{line}: engine imports {target}, but takes arrays and knows no names")
            elif layer == "engine" and top not in ENGINE_MAY_IMPORT and top not in sys.stdlib_module_names:
                wrong.append(f"{place}:{line}: engine imports {top}, but only NumPy and Numba are allowed")
    return wrong


def test_modules_import_only_from_those_before_them() -> None:
    assert wrong_imports(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "source", "said"),
    [
        ("scenario.py", "from powderkeg.model import compile", "scenario imports model, which comes after it"),
        ("scenario.py", "def f():\n    import powderkeg.cli", "scenario imports cli, which comes after it"),
        ("model/build.py", "from ..simulate import simulate", "model imports simulate, which comes after it"),
        ("model/build.py", "from .. import report", "model imports report, which comes after it"),
        ("engine/loops.py", "from powderkeg.errors import Fault", "engine imports errors, but takes arrays"),
        ("engine/loops.py", "import polars as pl", "engine imports polars, but only NumPy and Numba"),
        ("plots.py", "from powderkeg import load", "plots imports the facade"),
        ("utils.py", "", "'utils' is not one of the modules"),
    ],
)
def test_a_planted_wrong_import_is_found(tmp_path: Path, file: str, source: str, said: str) -> None:
    planted = tmp_path / "powderkeg" / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source + "\n")
    (found,) = wrong_imports(tmp_path / "powderkeg")
    assert said in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("model/build.py", "from .labels import label\nfrom . import labels\nfrom powderkeg.scenario import load"),
        ("cli/__init__.py", "from powderkeg.version import __version__\nfrom powderkeg.report import write"),
        ("engine/loops.py", "import math\nimport numpy as np\nfrom powderkeg.engine.arrays import System"),
    ],
)
def test_an_import_along_the_order_is_taken(tmp_path: Path, file: str, source: str) -> None:
    planted = tmp_path / "powderkeg" / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source + "\n")
    assert wrong_imports(tmp_path / "powderkeg") == []
