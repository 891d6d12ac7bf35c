"""Where compiled code is kept from one start to the next, and that nothing goes wrong where it cannot be.

In: a function and the options that Numba compiles it with. Out: what Numba makes of it, kept in the first folder of
Numba's that can be written to: NUMBA_CACHE_DIR, `__pycache__` beside the source, the user's folder of caches. Where
there is none, the code is compiled anew at each start; `told_once` says why. No folder that others might write to, such
as one of a known name under /tmp, is ever read: what is kept there is code.

It differs from Numba's own cache in three points. A file that is broken, half written or of another version is as good
as none, and a disk that takes no more is no error. There is no index: a file is named by what it holds, so that two
programs that start at once cannot each believe to have written the same one. And what is kept counts as old when any
module of the package that its own imports has changed, not only its own: inner functions and constants are compiled in,
and an upgrade of powderkeg leaves the kept files in their place.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import pickle
import re
from collections.abc import Callable
from functools import cache as once
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from powderkeg.engine.lookups import IS_CHECKED

_failures: list[str] = []  # reasons for which something was not kept
_told: list[str] = []  # those that somebody was told


def njit(*, cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit`, with `cache=True` as above."""

    def compiled(function: Callable[..., Any]) -> Any:
        made = numba.njit(**options)(function)
        if cache and hasattr(made, "enable_caching"):  # no dispatcher where NUMBA_DISABLE_JIT is set
            try:
                made._cache = Kept(function)
            except Exception as error:  # whatever stands in the way of keeping it, it can be compiled
                _fail(error)
        return made

    return compiled


def told_once() -> str | None:
    """Why compiled code is not kept, in a sentence for whoever asks first; None where it is, and to all others."""
    if _told or not _failures:
        return None
    _told.append(_failures[0])
    return (
        f"compiled code is not kept ({_failures[0]}), so every start takes some seconds longer: "
        "set NUMBA_CACHE_DIR to a folder that can be written to"
    )


PACKAGE = __name__.partition(".")[0]
IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({PACKAGE}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+({PACKAGE}\.[\w.]+))",
    re.MULTILINE,
)
"""How our files import each other. Read as text: parsed, they took 58 ms of every start, now 2."""
LISTED, COMMENT = re.compile(r"(?:^|,)\s*(\w+)"), re.compile(r"#[^\n]*")


class Kept(FunctionCache):
    """Numba's cache of one function, over files of our own, that never raises once it is made."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        source = Path(inspect.getfile(function))
        self._cache_file: Any = Files(Path(self.cache_path), self._impl.filename_base, stamp(source))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            if not IS_CHECKED:
                return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
            # Numba would import and register all that it can compile first, SciPy's algebra too: half a second for
            # code that is compiled already and asks for memory alone.
            rtsys.initialize(target_context)
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # a broken pickle can raise anything
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:  # a full disk, a folder that is gone
            _fail(error)


class Files:
    """The kept versions of one function: a file for each signature and processor, its digest before it."""

    def __init__(self, folder: Path, base: str, fresh: bytes) -> None:
        self.folder, self.base = folder, base
        self.fresh = hashlib.sha256(fresh).hexdigest()[:12]

    def place(self, key: Any) -> Path:
        """Where the version of a key is kept."""
        return self.folder / f"{self.base}.{self.fresh}.{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}.nbc"

    def load(self, key: Any) -> Any:
        """What is kept under a key; None if it is not there whole."""
        try:
            content = self.place(key).read_bytes()
        except OSError:
            return None
        digest, data = content[:32], content[32:]
        return pickle.loads(data) if hashlib.sha256(data).digest() == digest else None

    def save(self, key: Any, data: Any) -> None:
        """Keep it, and forget what is kept of the function's older sources."""
        content: bytes = dumps(data)  # type: ignore[no-untyped-call]
        place = self.place(key)
        passing = place.with_name(f"{place.name}.{os.urandom(8).hex()}")
        try:
            passing.write_bytes(hashlib.sha256(content).digest() + content)
            passing.replace(place)
        except PermissionError:
            if not place.exists():  # Windows: another program reads the same just now
                raise
        finally:
            passing.unlink(missing_ok=True)
        self._forget(lambda name: not name.startswith(f"{self.base}.{self.fresh}."))

    def flush(self) -> None:
        """Forget every version."""
        self._forget(lambda name: True)

    def _forget(self, is_old: Callable[[str], bool]) -> None:
        for file in self.folder.glob(f"{self.base}.*.nb[ci]"):
            if is_old(file.name):
                with contextlib.suppress(OSError):  # in use, or gone
                    file.unlink()


@once
def stamp(source: Path) -> bytes:
    """Digest of all that compiled code of a file hangs on: the file, those of ours it imports, the compiler."""
    sha = hashlib.sha256(repr((numba.__version__, np.__version__)).encode())
    for file in sorted(_sources(source)):
        sha.update(file.name.encode())
        sha.update(file.read_bytes())
    return sha.digest()


def _sources(source: Path) -> set[Path]:
    """A file of the package and all of the package that it imports, directly or not."""
    found, new = set(), {source.resolve()}
    while new:
        file = new.pop()
        found.add(file)
        new |= _imports(file) - found
    return found


@once
def _imports(file: Path) -> frozenset[Path]:
    above = Path(__file__).resolve().parents[__name__.count(".")]
    names = set()
    for origin, listed, plain in IMPORT.findall(file.read_text(encoding="utf-8")):
        words = LISTED.findall(COMMENT.sub("", listed).strip("() \n"))
        names |= {plain} if plain else {origin, *(f"{origin}.{word}" for word in words)}
    places = {above.joinpath(*name.split(".")) for name in names if name.startswith(f"{PACKAGE}.")}
    files = {place.with_suffix(".py") for place in places} | {place / "__init__.py" for place in places}
    return frozenset(file for file in files if file.is_file())


def _fail(error: Exception) -> None:
    """Remember the reason, in words."""
    if isinstance(error, RuntimeError):  # of Numba: none of its places will do
        _failures.append("no folder for it can be written to")
    else:
        _failures.append((error.strerror or "the system refuses").lower() if isinstance(error, OSError) else str(error))
