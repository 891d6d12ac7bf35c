"""Which engine does the page carry, and is it still that of the sources?

In: engine.wasm and engine.json, which `make wasm` writes. Out: their bytes, and a digest of all source compiled in.
"""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import powderkeg.engine

MODULE = Path(__file__).resolve().parent / "engine.wasm"
SIGNATURES = MODULE.with_suffix(".json")

COMPILED_IN = (
    "elementary.py", "simulation/thinning.py", "simulation/alias.py", "simulation/candidates.py",
    "branching/genealogy.py", "episodes.py",
)  # fmt: skip
"""Modules of the engine whose loops the page runs; what they import from the engine is compiled in with them."""


def signatures() -> dict[str, Any]:
    """How the loops of the module are called, the digest of the module and that of its sources."""
    told: dict[str, Any] = json.loads(SIGNATURES.read_text(encoding="utf-8"))
    return told


def sources() -> list[Path]:
    """Every file of the engine that is compiled in, in order of their names."""
    root = Path(powderkeg.engine.__file__ or "").resolve().parent
    waiting, found = [root / name for name in COMPILED_IN], set[Path]()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("powderkeg.engine"):
                parts = (node.module or "").split(".")[2:]
                other = root.joinpath(*parts).with_suffix(".py") if parts else root / "__init__.py"
                waiting += [other] if other.is_file() else []
    return sorted(found)


def source_digest() -> str:
    """SHA-256 of the code of `sources`: comments, docstrings and the form of the text do not count."""
    sha = hashlib.sha256()
    for file in sources():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            head = body[0] if isinstance(body, list) and body else None
            if isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant):
                head.value.value = ""
        sha.update(f"{file.name}\n{ast.unparse(tree)}\n".encode())
    return sha.hexdigest()
