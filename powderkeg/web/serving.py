"""The page over a socket of this machine, for whoever holds its address.

In: the text of a page, perhaps a folder of results. Out: a server on the loopback. The address holds a token that no
other program can guess; a request without it, for another name of this machine, or from a page of another origin, is
refused, so neither a web site that is open in the same browser nor one that points its own name here gets an answer.
"""

from __future__ import annotations

import errno
import secrets
import socket
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from powderkeg.errors import Fault, UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
PORT = 8765
TRIED = 50
"""Ports after the one asked for that are tried where it is taken."""

INSTALL = "pip install 'powderkeg[web]'"

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def must_be_installed() -> None:
    """Raises UsageError, with the command that installs them, where Starlette or Uvicorn is missing."""
    for name in ("starlette", "uvicorn"):
        if find_spec(name) is None:
            raise UsageError(Fault.at("serve", f"{name} is not installed", INSTALL))


@dataclass(frozen=True)
class Address:
    """Where the server listens. `asked` is the port that was asked for, another one where that was taken."""

    port: int
    asked: int
    token: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/{self.token}/"


def listening(port: int) -> tuple[socket.socket, Address]:
    """A socket of the loopback that listens, on this port or the next free one; 0 is any.

    Raises UsageError where none of `TRIED` ports is free.
    """
    for number in range(port, port + TRIED) if port else (0,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, number))
            listener.listen()
        except (OSError, OverflowError) as error:
            listener.close()
            if isinstance(error, OverflowError) or error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise UsageError(Fault.at("--port", str(number), "a port that can be listened on")) from error
            continue
        return listener, Address(listener.getsockname()[1], port, secrets.token_urlsafe(24))
    raise UsageError(Fault.at("--port", f"{port} to {port + TRIED - 1}: all taken", "a free one, or 0 for any"))


def application(text: str, address: Address, folder: Path | None = None) -> Starlette:
    """What answers: the page, and the files of a folder under `files/`, both below the token."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import HTMLResponse, PlainTextResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    async def page(request: Request) -> Response:
        return HTMLResponse(text)

    async def guarded(request: Request, answer: Any) -> Response:
        why = refusal(request, address)
        response: Response = await answer(request) if why is None else PlainTextResponse(f"{why}\n", status_code=403)
        response.headers.update(HEADERS)
        return response

    routes: list[Any] = [Route(f"/{address.token}/", page)]
    if folder is not None:
        routes.append(Mount(f"/{address.token}/files", StaticFiles(directory=folder, follow_symlink=False)))
    return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)])


def refusal(request: Request, address: Address) -> str | None:
    """Why a request gets no answer, None if it may have one."""
    hosts = {f"{name}:{address.port}" for name in (HOST, "localhost")}
    given = request.url.path.removeprefix("/").partition("/")[0]
    if request.headers.get("host") not in hosts:
        return "refused: not an address of this server"
    origin = request.headers.get("origin")
    if origin is not None and origin not in {f"http://{host}" for host in hosts}:
        return "refused: from a page of another origin"
    if not secrets.compare_digest(given.encode(), address.token.encode()):
        return "refused: the address lacks its token"
    if ".." in request.scope["path"].split("/") or b".." in request.scope.get("raw_path", b""):
        return "refused: a path upwards"
    return None


def serve(app: Starlette, listener: socket.socket) -> None:
    """Answer until somebody stops the program."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False, lifespan="off"))
    server.run(sockets=[listener])
