"""How does a finished piece of a long job become bytes, and bytes the piece again, or nothing if they are not its own?

In: arrays, or plain data with arrays in them. Out: bytes with a seal over what they hold, the piece's number and its
job. Nothing here can run what a file holds: no pickles.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from powderkeg.engine.simulation.chunks import Chunk
from powderkeg.reading.stored import RecordShape, StoredShape, TextShape, canonical, parsed
from powderkeg.simulate.gathering import COLUMNS

Buffer: TypeAlias = bytes | memoryview
Sealer: TypeAlias = Callable[..., str]
"""One or more buffers to the seal over all of them, one after the other."""
_MARK = b"\npowderkeg part "
_WHOLE = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32)
_ARRAY, _TUPLE, _PLACE = "array", "tuple", "{}"


@dataclass(frozen=True)
class PartKind:
    """How the parts of a job are kept.

    job     the word for what made the folder
    option  the name of the argument that gave it
    inside  the folder in it that the parts stand in, "" for itself
    name    of part 0
    seal    content and the seal's maker to bytes, in pieces to be written one after the other: they are large
    unseal  bytes and the seal's maker to content; None if the seal is not theirs
    heavy   a piece is large: an executor's worker had better keep it itself than send it
    """

    job: str
    option: str
    inside: str
    name: str
    seal: Callable[[Any, Sealer], list[Buffer]]
    unseal: Callable[[bytes, Sealer], Any]
    heavy: bool = False


def _joined(arrays: Iterable[NDArray[Any]], sealed: Sealer) -> list[Buffer]:
    """Arrays one behind the other, as `numpy.save` puts several into one file, and a seal over them; none is copied."""
    pieces: list[Buffer] = []
    for array in arrays:
        plain, head = np.asarray(array, order="C"), io.BytesIO()
        npy.write_array_header_1_0(head, npy.header_data_from_array_1_0(plain))
        pieces += [head.getvalue(), plain.reshape(-1).view(np.uint8).data]
    return [*pieces, _MARK, sealed(_checked(pieces)).encode()]


def _arrays(content: bytes, sealed: Sealer) -> list[NDArray[Any]] | None:
    at = max(content.rfind(_MARK), 0)
    body, seal = memoryview(content)[:at], content[at + len(_MARK) :]
    if seal != sealed(_checked([body])).encode():
        return None
    stream, found = io.BytesIO(body), []
    while stream.tell() < at:
        found.append(npy.read_array(stream, allow_pickle=False))
    return found


def _checked(pieces: Iterable[Buffer]) -> bytes:
    """Length and cyclic check of pieces: what the seal is made over. A SHA-256 of all acts takes as long as writing
    them, and four times that where the processor has no instruction for it."""
    length = check = 0
    for piece in pieces:
        length, check = length + len(piece), zlib.crc32(piece, check)
    return f"{length} {check}".encode()


def _narrowest(column: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in as few bytes as the largest and the smallest of them need."""
    if column.dtype.kind not in "iu" or not column.size:
        return column
    low, high = int(column.min()), int(column.max())
    fits = (kind for kind in _WHOLE if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return column.astype(next(fits, column.dtype))


def _seal_chunk(chunk: Chunk, sealed: Sealer) -> list[Buffer]:
    return _joined(map(_narrowest, chunk), sealed)


def _unseal_chunk(content: bytes, sealed: Sealer) -> Chunk | None:
    arrays = _arrays(content, sealed)
    if arrays is None:
        return None
    kinds = (COLUMNS[name] for name in Chunk._fields)
    return Chunk(*(array.astype(kind, copy=False) for kind, array in zip(kinds, arrays, strict=True)))


CHUNKS = PartKind("job", "checkpoint", "", "00000000.npy", _seal_chunk, _unseal_chunk, heavy=True)
"""Replicates as the engine makes them."""


def points_of(shape: StoredShape) -> PartKind:
    """Parts that are plain data of this shape, kept as JSON."""
    whole = RecordShape({"powderkeg point": TextShape(), "result": shape})

    def seal(result: Any, sealed: Sealer) -> list[Buffer]:
        return [json.dumps({"powderkeg point": sealed(canonical(result)), "result": result}, allow_nan=False).encode()]

    def unseal(content: bytes, sealed: Sealer) -> Any:
        found = parsed(content, whole, None, "a point of a sweep")
        return found["result"] if found["powderkeg point"] == sealed(canonical(found["result"])) else None

    return PartKind("sweep", "out", "points", "0000000.json", seal, unseal)


def plain_pieces(job: str, option: str = "folder") -> PartKind:
    """Parts that are plain data (mappings, lists, tuples, texts, numbers, None) with arrays anywhere in them.

    job  the word for what makes them
    """

    def seal(content: Any, sealed: Sealer) -> list[Buffer]:
        arrays: list[NDArray[Any]] = []
        tree = json.dumps(_taken_apart(content, arrays)).encode()
        return _joined([np.frombuffer(tree, np.uint8), *arrays], sealed)

    def unseal(content: bytes, sealed: Sealer) -> Any:
        arrays = _arrays(content, sealed)
        return None if arrays is None else _put_together(json.loads(arrays[0].tobytes()), arrays[1:])

    return PartKind(job, option, "", "0000000.npy", seal, unseal)


def _taken_apart(data: Any, arrays: list[NDArray[Any]]) -> Any:
    """Data as JSON holds it: an array leaves its number, a tuple says that it is one. NaN and infinity stay."""
    if isinstance(data, np.ndarray):
        arrays.append(data)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(data, np.generic):
        return data.item()
    if isinstance(data, Mapping):
        # In pairs: keys need not be texts, and none may be taken for one of ours.
        return {_PLACE: [[_taken_apart(key, arrays), _taken_apart(one, arrays)] for key, one in data.items()]}
    if isinstance(data, tuple):
        return {_TUPLE: [_taken_apart(one, arrays) for one in data]}
    if isinstance(data, list):
        return [_taken_apart(one, arrays) for one in data]
    return data


def _put_together(data: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    if isinstance(data, list):
        return [_put_together(one, arrays) for one in data]
    if not isinstance(data, dict):
        return data
    ((kind, held),) = data.items()
    if kind == _ARRAY:
        return arrays[held]
    if kind == _TUPLE:
        return tuple(_put_together(one, arrays) for one in held)
    return {_put_together(key, arrays): _put_together(one, arrays) for key, one in held}
