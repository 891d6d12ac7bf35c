"""Write the expected results of the golden files anew. Read the difference before you commit it: it is what users see.

In: good/*.yaml and bad/*.yaml. Out: good/*.resolved.json, and the message in the comment at the top of each bad file.
"""

from __future__ import annotations

import json
from pathlib import Path

from powderkeg.errors import ScenarioError
from powderkeg.scenario import load, loads, resolve

HERE = Path(__file__).resolve().parent


def message(data: bytes, file: str) -> list[str]:
    """The lines of the message about a file. Raises AssertionError if there is nothing wrong with it."""
    try:
        loads(data, file=file)
    except ScenarioError as error:
        return str(error).split("\n")
    raise AssertionError(f"{file} has no fault")


def with_message(data: bytes, file: str) -> bytes:
    """A bad file under its own message; the message moves the lines it speaks of, so it is made twice."""
    lines = data.split(b"\n")
    body = b"\n".join(lines[next(i for i, line in enumerate(lines) if not line.startswith(b"#")) :])
    told = message(body, file)
    told = message(b"#\n" * len(told) + body, file)
    return "".join(f"# {line}\n" for line in told).encode() + body


if __name__ == "__main__":
    for path in sorted(HERE.glob("good/*.yaml")):
        resolved = json.dumps(resolve(load(path)), indent=1, ensure_ascii=False)
        path.with_suffix(".resolved.json").write_text(resolved + "\n", encoding="utf-8")
    for path in sorted(HERE.glob("bad/*.yaml")):
        path.write_bytes(with_message(path.read_bytes(), path.name))
