"""Compiled code that is kept, and all that can stand in its way."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import pickle
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from llvmlite import binding
from numba import types
from numba.core import config

import powderkeg as pk
from powderkeg import engine
from powderkeg.engine import caching, lookups
from powderkeg.engine.simulation import thinning

SOURCE = """
from powderkeg.engine.caching import njit

@njit(cache=True)
def double(x):
    return {factor} * x
"""
HITS = "cache_hits"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "_failures", [])
    monkeypatch.setattr(caching, "_told", [])
    monkeypatch.setattr(config, "CACHE_DIR", "")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Python takes its own kept bytecode for that of a source of the same second and length.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "planted_kernels.py"
    path.write_text(SOURCE.format(factor=2), encoding="utf-8")
    yield path
    sys.modules.pop(path.stem, None)


def load(source: Path) -> Any:
    """The module's function, as a new start of the program has it."""
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[source.stem] = module
    caching.stamp.cache_clear()
    caching._imports.cache_clear()
    spec.loader.exec_module(module)
    return module.double


def kept(source: Path) -> list[Path]:
    return sorted((source.parent / "__pycache__").glob("*.nbc"))


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def test_a_second_start_finds_what_the_first_compiled(source: Path) -> None:
    assert load(source)(21) == 42
    again = load(source)
    assert (again(21), hits(again), len(kept(source))) == (42, 1, 1)
    assert caching.told_once() is None


@pytest.mark.skipif(not lookups.IS_CHECKED, reason="this Numba is left as it is")
def test_what_is_kept_is_loaded_without_all_that_numba_can_compile() -> None:
    """Numba's algebra alone imports SciPy's: half a second of every start, for code that is compiled already."""
    code = (
        "import sys, powderkeg as pk\n"
        "runs = pk.simulate('north-kosovo', replicates=2, years=1, seed=1, workers=1)\n"
        "print(len(runs.time), 'numba.np.linalg' in sys.modules, 'scipy.linalg' in sys.modules)"
    )
    first, again = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert again[0] == first[0]
    assert again[1:] == ["False", "False"]


C_FUNCTIONS = frozenset({"exp", "exp2", "log", "log2", "log10", "pow", "sin", "cos"})
"""LLVM has names of its own for these and calls C's."""


def symbols_asked(file: Path) -> set[str]:
    """Names of functions that a kept file's code calls and that lie outside of it, as its bit code declares them.

    Machine code names them too, but in another form on each system.
    """
    (_, kind, (_, code)), *_ = pickle.loads(file.read_bytes()[32:])
    assert kind == "object"
    declared = [one.name for one in binding.parse_bitcode(code).functions if one.is_declaration]
    called = {name.split(".")[1] for name in declared if name.startswith("llvm.") and name.endswith(".f64")}
    return {name for name in declared if not name.startswith("llvm.")} | (called & C_FUNCTIONS)


def missing(asked: set[str]) -> list[str]:
    """Those of the symbols that a start which only loads what is kept does not have."""
    code = (
        "import sys, powderkeg.engine.caching as caching\n"
        "from llvmlite import binding\n"
        "from numba.core.registry import cpu_target\n"
        "caching.rtsys.initialize(cpu_target.target_context)\n"
        "print(*[name for name in sys.argv[1:] if binding.address_of_symbol(name) is None])"
    )
    call = [sys.executable, "-c", code, *sorted(asked)]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not lookups.IS_CHECKED, reason="this Numba is left as it is")
def test_no_kept_loop_asks_for_what_only_numba_s_registries_bring() -> None:
    """Of all loops that tests and commands compiled here before: one that asks ends each later process at its call."""
    pk.simulate("north-kosovo", replicates=2, years=1, seed=1, workers=1)
    asked: set[str] = set()
    for found in pkgutil.walk_packages(engine.__path__, "powderkeg.engine."):
        module = importlib.import_module(found.name)
        for function in vars(module).values():
            function = getattr(function, "loop", function)
            if isinstance(cache := getattr(function, "_cache", None), caching.Kept):
                files: caching.Files = cache._cache_file
                for file in files.folder.glob(f"{files.base}.{files.fresh}.*.nbc"):
                    asked |= symbols_asked(file)
    assert {"exp", "log"} <= asked
    assert missing(asked) == []


ASKING = """
from llvmlite import binding
from numba import types
from powderkeg.engine.caching import njit

binding.add_symbol("brought_along", binding.address_of_symbol("numba_gil_release"))
outside = types.ExternalFunction("brought_along", types.void())

@njit(cache=True)
def double(x):
    outside()
    return 2 * x
"""


@pytest.mark.skipif(not lookups.IS_CHECKED, reason="this Numba is left as it is")
def test_a_kept_loop_that_asks_for_what_is_not_there_is_seen(source: Path) -> None:
    """The error that the test above is there for, planted; called by another process, it ended that."""
    source.write_text(ASKING, encoding="utf-8")
    load(source).compile((types.int64,))
    (file,) = kept(source)
    assert missing(symbols_asked(file)) == ["brought_along"]


@pytest.mark.parametrize("spoil", ["emptied", "cut", "one bit", "no pickle", "a folder"])
def test_a_broken_file_is_as_good_as_none(source: Path, spoil: str) -> None:
    load(source)(21)
    (file,) = kept(source)
    whole = file.read_bytes()
    middle = len(whole) // 2
    if spoil == "a folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(
            {
                "emptied": b"",
                "cut": whole[:middle],
                "one bit": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
                "no pickle": caching.hashlib.sha256(b"no pickle").digest() + b"no pickle",
            }[spoil]
        )
    again = load(source)
    assert (again(21), hits(again)) == (42, 0)
    if spoil != "a folder":
        assert caching.told_once() is None
        mended = load(source)
        assert (mended(21), hits(mended)) == (42, 1)


def test_what_another_source_left_is_neither_read_nor_kept(source: Path) -> None:
    load(source)(21)
    source.write_text(SOURCE.format(factor=3), encoding="utf-8")
    again = load(source)
    assert (again(21), hits(again), len(kept(source))) == (63, 0, 1)


def test_code_is_old_when_a_module_that_it_imports_has_changed() -> None:
    """Constants and inner functions are compiled in; an upgrade leaves kept files in place."""
    names = {file.name for file in caching._sources(Path(thinning.__file__))}
    assert {"thinning.py", "queue.py", "alias.py", "draws.py", "compiled.py", "caching.py"} <= names
    assert "likelihood.py" not in names


IN_EVERY_WAY = """
from powderkeg import units
from powderkeg.engine import arrays as a, draws  # powderkeg.engine.queue
from powderkeg.engine.simulation import (
    alias,  # (one
    state as other,
)
import powderkeg.errors
import powderkegs.other
def later():
    from powderkeg.engine.compiled import inner
"""


def test_imports_are_seen_in_whatever_way_they_are_written(tmp_path: Path) -> None:
    """`from powderkeg import units` was passed over while sources were first read as text."""
    source = tmp_path / "planted.py"
    source.write_text(IN_EVERY_WAY, encoding="utf-8")
    found = {file.name for file in caching._imports(source)} - {"__init__.py"}
    assert found == {"units.py", "arrays.py", "draws.py", "alias.py", "state.py", "errors.py", "compiled.py"}


IMPORTED = """
import builtins, importlib, json, pkgutil, sys

arrows, real = {}, builtins.__import__

def watched(name, outside=None, inside=None, wanted=(), level=0):
    found = real(name, outside, inside, wanted, level)
    importer = (outside or {}).get("__name__", "")
    named = [name, *(f"{name}.{one}" for one in wanted or ())]
    arrows.setdefault(importer, set()).update(one for one in named if one in sys.modules)
    return found

builtins.__import__ = watched
import powderkeg.engine
for one in pkgutil.walk_packages(powderkeg.engine.__path__, "powderkeg.engine."):
    importlib.import_module(one.name)
files = {name: module.__file__ for name, module in sys.modules.items() if name.startswith("powderkeg.")}
print(json.dumps([files, {name: sorted(arrows.get(name, set()) & set(files)) for name in files}]))
"""
"""Prints the file of every module of the engine, and which modules each was seen to import."""


def test_a_change_in_any_file_that_a_kernel_rests_on_makes_it_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who imports whom is seen by importing, not read from the sources as the cache does."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    files, arrows = json.loads(done.stdout)
    rests: dict[str, set[str]] = {name: {name} for name in files}
    for _ in files:
        for name, others in arrows.items():
            rests[name] |= set().union(*(rests[other] for other in others))
    paths = {name: Path(file).resolve() for name, file in files.items()}
    for name, others in rests.items():
        assert {paths[other] for other in others} <= caching._sources(paths[name]), name
    assert "powderkeg.units" in rests["powderkeg.engine.likelihood.exact"]

    def stamps() -> dict[str, bytes]:
        caching.stamp.cache_clear()
        return {name: caching.stamp(path) for name, path in paths.items()}

    before, real = stamps(), Path.read_bytes
    try:
        for changed in ("powderkeg.units", "powderkeg.engine.draws"):
            with monkeypatch.context() as patch:
                patch.setattr(Path, "read_bytes", lambda path, x=paths[changed]: real(path) + b"#" * (path == x))
                after = stamps()
            assert {name for name in files if after[name] != before[name]} == {
                name for name, others in rests.items() if changed in others
            }
    finally:
        caching.stamp.cache_clear()


def test_a_constant_changed_in_another_file_is_in_the_next_start(tmp_path: Path) -> None:
    """Numba's own cache gave the old numbers for ever, since the kernel's own file was the same."""
    package = tmp_path / "powderkeg"
    shutil.copytree(Path(caching.__file__).parent.parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "engine" / "planted.py").write_text(
        "import numpy as np\nfrom powderkeg.engine.compiled import loop\nfrom powderkeg.engine.draws import draw\n\n\n"
        "@loop\ndef drawn(key):\n    return draw(key, np.uint64(1))\n",
        encoding="utf-8",
    )
    code = (
        "import numpy as np; from powderkeg.engine.planted import drawn; x = drawn(np.uint64(7)); "
        "print(repr(float(x)), sum(drawn.stats.cache_hits.values()))"
    )

    def start() -> list[str]:
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"}  # byte code goes by seconds: the change below comes too soon
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        )
        return done.stdout.split()

    first, again = start(), start()
    draws = package / "engine" / "draws.py"
    text = draws.read_text(encoding="utf-8")
    changed = text.replace("0xBF58476D1CE4E5B9", "0xBF58476D1CE4E5BB")
    assert changed != text
    draws.write_text(changed, encoding="utf-8")
    other = start()
    assert (first[0], first[1], again[1], other[1]) == (again[0], "0", "1", "0")
    assert other[0] != first[0]


def test_a_full_disk_is_no_error(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert load(source)(21) == 42
    told = caching.told_once()
    assert told is not None and "no space left" in told and "NUMBA_CACHE_DIR" in told
    assert caching.told_once() is None


@pytest.mark.parametrize("wanted", ["", "unmakeable"])
def test_no_place_at_all_is_no_error(source: Path, monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """A read-only installation without a home: a container with a user of its own, a module on a cluster."""
    (source.parent / "__pycache__").write_bytes(b"")
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(source / "nowhere"))
    monkeypatch.setattr(config, "CACHE_DIR", str(source / wanted) if wanted else "")
    assert load(source)(21) == 42
    told = caching.told_once()
    assert told is not None and "no folder for it can be written to" in told


def test_two_programs_that_start_at_once_do_not_mix_up_their_files(source: Path) -> None:
    """Numba's index let both name a file 1, and the last to write it decided what either found there."""
    one, other = load(source), load(source)
    one(2)
    other(2.0)
    again = load(source)
    assert (again(3), again(3.0), type(again(3)), hits(again)) == (6, 6.0, int, 2)
