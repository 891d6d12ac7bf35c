"""How do docstrings that are used stay where Python is told to leave docstrings out (`-OO`, PYTHONOPTIMIZE=2)?

In: an import. Out: the module, with its docstrings and without its asserts, as under `-O`. Help texts of commands and
field descriptions of the schema are docstrings of ours, and Altair cannot be imported without its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

KEPT = ("powderkeg", "altair")


class Keeping(SourceFileLoader):
    """Compiles a module's source as `-O` would. Kept bytecode of `-OO` has no docstrings, so none is used."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = compile(self.get_data(path), path, "exec", dont_inherit=True, optimize=1)
        return code


class Finder(MetaPathFinder):
    """Finds as ever, and has packages whose docstrings are used loaded with them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in KEPT:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = spec and spec.loader
        if spec is not None and type(loader) is SourceFileLoader:
            spec.loader = Keeping(loader.name, loader.path)
        return spec


def keep() -> None:
    """From here on."""
    if not any(isinstance(one, Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, Finder())
