"""A Dask cluster as an executor.

In: the address of its scheduler. Out: an executor of `concurrent.futures` for as long as it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from powderkeg.errors import Fault, UsageError
from powderkeg.version import __version__

CONNECT = 15.0
"""Seconds to wait for the scheduler."""


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """Raises UsageError if Dask is not installed, nobody answers there, or a worker has another powderkeg."""
    try:
        # By its name: Dask says nothing of the types of its functions.
        distributed: Any = import_module("distributed")
    except ImportError as error:
        expected = "pip install 'powderkeg[cluster]'"
        raise UsageError(Fault.at("--cluster", "Dask is not installed", expected)) from error
    try:
        # First: a client that was given what is no address waits half a minute for its end, and complains then.
        distributed.comm.get_address_host_port(address)
        client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        told = (str(error).splitlines() or [""])[0]
        expected = "the address of a Dask scheduler that runs, such as tcp://10.0.0.1:8786"
        raise UsageError(Fault.at("--cluster", f"{address}: {told}", expected)) from error
    try:
        found = client.run(version_here)
        if not found:
            raise UsageError(Fault.at("--cluster", f"{address}: no workers", "a cluster with workers"))
        others = sorted({str(one) for one in found.values() if one != __version__})
        if others:
            told = f"workers have powderkeg {', '.join(others)}"
            raise UsageError(Fault.at("--cluster", told, f"{__version__}, as here"))
        found_here: Executor = client.get_executor(pure=False)
        yield found_here
    finally:
        client.close()


def version_here() -> str:
    """The version that a worker has."""
    return __version__
