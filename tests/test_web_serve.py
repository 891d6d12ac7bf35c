"""The server answers whoever has its address, and nobody else."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from powderkeg.errors import UsageError
from powderkeg.web import serving

pytest.importorskip("starlette", reason="the extra [web] is not installed")


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that another program holds."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture(scope="module")
def served(taken: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address that `powderkeg serve` prints first, asked for a port that is taken."""
    folder = tmp_path_factory.mktemp("outside") / "results"
    folder.mkdir()
    (folder / "inside.txt").write_text("inside", encoding="utf-8")
    (folder.parent / "secret.txt").write_text("secret", encoding="utf-8")
    command = [sys.executable, "-m", "powderkeg", "serve", "north-kosovo", "--port", str(taken), "--no-open"]
    process = subprocess.Popen(
        [*command, "--folder", str(folder), "--replicates", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert process.stdout is not None
    yield process.stdout.readline().strip(), process
    process.terminate()
    process.communicate(timeout=30)


def status(url: str, path: str | None = None, **headers: str) -> tuple[int, str]:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
        path = parts.path if path is None else path
        connection.request("GET", path, headers={name.title(): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_first_line_is_the_address_and_the_next_port_is_taken(
    served: tuple[str, subprocess.Popen[str]], taken: int
) -> None:
    url, process = served
    parts = urlsplit(url)
    assert parts.scheme == "http" and parts.hostname == "127.0.0.1"
    assert parts.port is not None and parts.port > taken
    assert process.stderr is not None
    assert process.stderr.readline().strip() == f"Port {taken} is taken: this is {parts.port}."
    code, text = status(url)
    assert code == 200
    assert 'id="model"' in text


def test_without_the_token_nothing_is_answered(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = served
    for path in ("/", "/wrong/", urlsplit(url).path[:-3] + "/", "/favicon.ico"):
        assert status(url, path)[0] == 403, path


def test_other_origins_and_other_names_are_refused(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = served
    assert status(url, origin="https://example.org")[0] == 403
    assert status(url, origin="null")[0] == 403
    assert status(url, host="example.org")[0] == 403
    assert status(url, origin=f"http://127.0.0.1:{urlsplit(url).port}")[0] == 200


def test_files_of_the_folder_are_served_and_none_outside(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = served
    path = urlsplit(url).path
    assert status(url, f"{path}files/inside.txt") == (200, "inside")
    for way in ("files/../../secret.txt", "files/..%2f..%2fsecret.txt", "files/%2e%2e/secret.txt", "../secret.txt",
                "files/..%5c..%5csecret.txt", "files//etc/passwd"):  # fmt: skip
        code, text = status(url, path + way)
        assert code in (403, 404) and "secret" not in text, way


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError):
        serving.listening(70_000)


def test_tokens_differ() -> None:
    made = [serving.listening(0) for _ in range(2)]
    for listener, _ in made:
        listener.close()
    assert len({address.token for _, address in made}) == 2
    assert all(len(address.token) >= 32 for _, address in made)
