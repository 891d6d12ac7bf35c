"""What Numba works out again for every operation of a kernel, kept: more than a third of its time went into that.

In: `turn`, told when a function of ours begins and ends to be compiled. Out: `CHECKED`; Numba looks things up sooner.

- What an operation means is looked up under the flags of the function at hand. All flags have one hash, because what it
  hashes are their names, and to compare two reads every flag of both. They get a hash of their values here, and are the
  same where they hold the same.
- Which of an operator's dozen meanings fits numbers and arrays of these types is tried out one by one, at every place
  where it stands. What was found is kept, unless it is a meaning that is compiled for each function anew.
- Which variables a statement names is asked of each some ten times, by way of checks that take long.
- How many bytes a type takes is found out by having LLVM read a program that names it.

None changes what is computed. All lean on Numba's inside, so a version that they were not tried with is left as it is:
it compiles longer. So are functions of other packages in this process: what meanings and sizes are kept serves while
one of ours is compiled, which Numba's lock lets only one thread do. The hash and the list of variables are for all.
"""

# mypy: disable-error-code="no-untyped-call,method-assign,assignment,arg-type"

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numba
from numba.core import ir, types
from numba.core.base import BaseContext
from numba.core.targetconfig import TargetConfig
from numba.core.types.functions import BaseFunction

CHECKED = (0, 62), (0, 68)
"""The first and the last version of Numba that this was tried with; any other is left as it is."""
IS_CHECKED = CHECKED[0] <= tuple(int(part) for part in numba.__version__.split(".")[:2]) <= CHECKED[1]

_PLAIN = (types.Number, types.Boolean, types.Array, types.BaseTuple, types.RangeType, types.NoneType)
_VARIABLE, _STATEMENT, _MANY, _NAMED, _NOTHING = range(5)


class _Turn:
    """Whose function is compiled: ours, or that of another package."""

    ours = False


turn = _Turn()

# Numba's own, before they were replaced below.
flags_are_equal = TargetConfig.__eq__
_type_of_call = BaseFunction.get_call_type
_bytes_of = BaseContext.get_abi_sizeof


def _hash_of(flags: Any) -> int:
    """Hash of those flags that are on or off, which tell nearly all apart."""
    held = flags._values
    return hash(tuple([held.get(name, default) for name, default in _switches(type(flags))]))


@cache
def _switches(kind: Any) -> list[tuple[str, bool]]:
    return [(name, option.default) for name, option in kind.options.items() if option.type is bool]


def _same(flags: Any, other: Any) -> Any:
    if type(other) is type(flags) and flags._values == other._values:
        return True
    return flags_are_equal(flags, other)


@cache
def _is_plain(kind: type) -> bool:
    return issubclass(kind, _PLAIN)


_meanings: dict[int, tuple[Any, dict[Any, Any]]] = {}
"""By the identity of a function, which is kept beside so that no other takes it: what was found for its arguments."""


def _call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
    """The signature under which a function of Numba's own is called with arguments of these types."""
    if not turn.ours or kws or type(function) is not types.Function or not all(_is_plain(type(kind)) for kind in args):
        return _type_of_call(function, context, args, kws)
    known: Any = function
    _, found = _meanings.setdefault(id(known), (known, {}))
    key = (context, *args)
    signature: Any = found.get(key)
    if signature is None:
        signature = _type_of_call(known, context, args, kws)
        # A meaning written in Python is compiled under the flags of its caller: that one must be looked for.
        if known._impl_keys[signature.args] is known.typing_key:
            found[key] = signature
    else:
        known._impl_keys[signature.args] = known.typing_key
    return signature


@cache
def _kind_of(kind: type) -> int:
    for number, of in (_VARIABLE, ir.Var), (_STATEMENT, ir.Inst), (_MANY, (list, tuple)), (_NAMED, dict):
        if issubclass(kind, of):
            return number
    return _NOTHING


def _variables_in(statement: Any, value: Any) -> list[Any]:
    """Variables that stand in a part of a statement, in their order."""
    kind = _kind_of(type(value))
    if kind == _VARIABLE:
        return [value]
    if kind == _STATEMENT:
        named: list[Any] = value.list_vars()
        return named
    found: list[Any] = []
    parts: Iterable[Any] = value.values() if kind == _NAMED else value if kind == _MANY else ()
    for part in parts:
        kind = _kind_of(type(part))
        if kind == _VARIABLE:
            found.append(part)
        elif kind != _NOTHING:
            found += _variables_in(statement, part)
    return found


_bytes: dict[tuple[int, str], int] = {}


def _size_of(context: Any, kind: Any) -> Any:
    """Bytes that a type of LLVM's takes."""
    if not turn.ours:
        return _bytes_of(context, kind)
    key = (id(type(context)), str(kind))
    if key not in _bytes:
        _bytes[key] = _bytes_of(context, kind)
    return _bytes[key]


if IS_CHECKED:
    TargetConfig.__hash__, TargetConfig.__eq__ = _hash_of, _same
    BaseFunction.get_call_type = _call_type
    ir.Inst._rec_list_vars = _variables_in
    BaseContext.get_abi_sizeof = _size_of
