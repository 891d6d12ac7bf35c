"""How does the function that makes pieces travel to somebody else's workers?

In: a function of a piece's number, with a model in it. Out: the same with a short name, pickled once for all pieces,
and unpickled once in each process: what it makes for itself there is kept from piece to piece. Dask would otherwise
print the whole model to name each piece, which took as long as to make it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

T = TypeVar("T")

KEPT = 2
"""Functions that a process keeps: that of the job at hand, and one before."""


class Sent(Generic[T]):
    """A function of a piece's number that can be called here and sent elsewhere."""

    __name__ = __qualname__ = "piece"

    def __init__(self, make: Callable[[int], T]) -> None:
        self.make = make
        self._content: bytes | None = None

    def __call__(self, number: int) -> T:
        """Piece `number`."""
        return self.make(number)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.make).__name__})"

    def __reduce__(self) -> tuple[Callable[..., Sent[T]], tuple[Any, ...]]:
        if self._content is None:
            try:
                self._content = pickle.dumps(self.make)
            except (pickle.PicklingError, AttributeError, TypeError):
                return Sent, (self.make,)  # a function of the user's own place: the executor may know a way
        return received, (self._content,)


@lru_cache(KEPT)
def received(content: bytes) -> Sent[Any]:
    """What was sent, the same object for every piece of a job."""
    return Sent(pickle.loads(content))
