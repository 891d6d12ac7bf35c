"""How the simulation's functions are compiled.

`loop` for what Python calls (kept in Numba's cache), `inner` for what loops call. Both let go of the interpreter's
lock, divide as NumPy does, and allocate nothing: told so, Numba leaves out the reference counts that it would
otherwise keep on every array handed to a function, which cost more than the simulation itself.
"""

from __future__ import annotations

from typing import Any

from powderkeg.engine.caching import njit

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
try:
    njit(**_OPTIONS)(lambda: None)
except Exception:  # an unpublished option: a Numba without it runs the same loops, slower
    del _OPTIONS["_nrt"]

inner = njit(**_OPTIONS)
loop = njit(cache=True, **_OPTIONS)
