"""What Linux grants a container or a batch job: the control groups that this process is in.

In: the name of a file of a controller. Out: what stands in it, for our group and every group above it. Elsewhere, and
where nothing can be read, there is nothing. Source: the Linux kernel's documentation of cgroup v1 and v2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def granted(controller: str, *names: str, root: Path = ROOT, own: Path = OWN) -> Iterator[list[str]]:
    """The words in the files `names` of each group that we are in, from the innermost out.

    controller  "" for version 2, where all are in one tree; of version 1 its name, such as "memory"
    """
    group = PurePosixPath("/")
    for line in _read(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            group = PurePosixPath(path or "/")
    # In a container the path may be that of the host, which is not to be seen here: its own is then the root.
    for place in (group, *group.parents):
        words = [_read(root / controller / str(place).lstrip("/") / name).split() for name in names]
        if all(words):
            yield [word for file in words for word in file]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
