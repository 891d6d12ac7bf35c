"""The engine that pages carry is that of the sources: nobody changes a loop and forgets the browser."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from powderkeg.web import module

CHECKOUT = Path(__file__).resolve().parent.parent


def test_the_module_is_made_from_the_sources_as_they_are() -> None:
    assert module.signatures()["sources"] == module.source_digest(), "a loop has changed: make wasm"


def test_the_module_is_the_one_that_was_made() -> None:
    assert hashlib.sha256(module.MODULE.read_bytes()).hexdigest() == module.signatures()["module"]


def test_all_that_is_compiled_in_counts_as_source() -> None:
    names = {file.name for file in module.sources()}
    assert {"thinning.py", "queue.py", "draws.py", "elementary.py", "arrays.py", "compiled.py", "episodes.py"} <= names
    assert "likelihood" not in {file.parent.name for file in module.sources()}


def test_a_comment_is_no_change_but_a_number_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(text: str) -> str:
        (tmp_path / "loop.py").write_text(text, encoding="utf-8")
        return module.source_digest()

    monkeypatch.setattr(module, "sources", lambda: [tmp_path / "loop.py"])
    assert digest("def f():\n    'one'\n    return 1") == digest("def f():\n    'two'\n    return 1  # said")
    assert digest("def f():\n    return 1") != digest("def f():\n    return 2")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the linker (package ziglang) is not installed")
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Numba types what Python compiled: the module is 3.11's")
def test_the_same_sources_and_tools_give_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", str(CHECKOUT / "wasm" / "make.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
