"""Compiled code that is kept, and all that can stand in its way."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numba.core import config

from powderkeg.engine import caching
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
def source(tmp_path: Path) -> Iterator[Path]:
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
