"""How does a finished piece of a long job become bytes, and bytes the piece again, or nothing if they are not its own?

In: arrays, or plain data with arrays in them. Out: bytes with a seal over what they hold, the piece's number and its
job. Nothing here can run what a file holds: no pickles.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from powderkeg.engine.simulation.chunks import Chunk
from powderkeg.reading.stored import RecordShape, StoredShape, TextShape, canonical, parsed

Buffer: TypeAlias = bytes | memoryview
Sealer: TypeAlias = Callable[..., str]
"""One or more buffers to the seal over all of them, one after the other."""
_MARK = b"\npowderkeg part "
_TREE = "tree"
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
    """

    job: str
    option: str
    inside: str
    name: str
    seal: Callable[[Any, Sealer], list[Buffer]]
    unseal: Callable[[bytes, Sealer], Any]


class _Gathered:
    """What is written, as it was handed over: the acts of a piece are not copied."""

    def __init__(self) -> None:
        self.pieces: list[Buffer] = []

    def write(self, piece: Buffer) -> int:
        self.pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""


def _archive(arrays: Mapping[str, NDArray[Any]], sealed: Sealer) -> list[Buffer]:
    gathered = _Gathered()
    # As numpy.savez writes it, without its two copies.
    with zipfile.ZipFile(gathered, "w") as archive:  # type: ignore[call-overload]
        for name, array in arrays.items():
            plain = np.asarray(array, order="C")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array_header_1_0(member, npy.header_data_from_array_1_0(plain))
                if plain.nbytes:
                    member.write(plain.reshape(-1).view(np.uint8).data)
    # After the archive, where readers of archives look over it.
    return [*gathered.pieces, _MARK, sealed(*gathered.pieces).encode()]


def _arrays(content: bytes, sealed: Sealer) -> dict[str, NDArray[Any]] | None:
    at = max(content.rfind(_MARK), 0)
    body, seal = memoryview(content)[:at], content[at + len(_MARK) :]
    if seal != sealed(body).encode():
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        return dict(arrays)


def _seal_chunk(chunk: Chunk, sealed: Sealer) -> list[Buffer]:
    return _archive(chunk._asdict(), sealed)


def _unseal_chunk(content: bytes, sealed: Sealer) -> Chunk | None:
    arrays = _arrays(content, sealed)
    return None if arrays is None else Chunk(*(arrays[name] for name in Chunk._fields))


CHUNKS = PartKind("job", "checkpoint", "", "00000000.npz", _seal_chunk, _unseal_chunk)
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
        named = {_TREE: np.frombuffer(tree, np.uint8)} | {str(k): one for k, one in enumerate(arrays)}
        return _archive(named, sealed)

    def unseal(content: bytes, sealed: Sealer) -> Any:
        arrays = _arrays(content, sealed)
        return None if arrays is None else _put_together(json.loads(arrays[_TREE].tobytes()), arrays)

    return PartKind(job, option, "", "0000000.npz", seal, unseal)


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


def _put_together(data: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(data, list):
        return [_put_together(one, arrays) for one in data]
    if not isinstance(data, dict):
        return data
    ((kind, held),) = data.items()
    if kind == _ARRAY:
        return arrays[str(held)]
    if kind == _TUPLE:
        return tuple(_put_together(one, arrays) for one in held)
    return {_put_together(key, arrays): _put_together(one, arrays) for key, one in held}
