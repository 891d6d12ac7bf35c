"""Make a release of the fragments in changes/: `python docs/changelog.py 0.2.0 2026-11-30`.

In: changes/*.KIND.md and CHANGELOG.md. Out: CHANGELOG.md with a section for the release on top; the fragments are
removed, and the number and the day stand wherever they are told (STATED). Without arguments it prints what is not
released yet.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
HEAD = "# Changelog\n\nNewest first. **Results change** marks what moves numbers for a given seed.\n"
STATED = {
    "powderkeg/version.py": {r'(?m)^(__version__ = ")[^"]*': "version"},
    "CITATION.cff": {r"(?m)^(version: ).*": "version", r"(?m)^(date-released: ).*": "day"},
    "README.md": {r"(?m)^(  version = \{)[^}]*": "version", r"(?m)^(  year    = \{)[^}]*": "year"},
}
"""Where a release is told: file, what stands before it, what it is."""
KINDS = {"added": "Added", "changed": "Changed", "fixed": "Mended", "removed": "Removed"}


def fragments(checkout: Path) -> dict[str, list[Path]]:
    """Fragments by kind, in the order of their names. Raises ValueError for a file that is of no kind."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for file in sorted((checkout / "changes").glob("*.md")):
        if file.name == "README.md":
            continue
        kind = file.stem.rpartition(".")[2]
        if kind not in found:
            raise ValueError(f"changes/{file.name}: expected NAME.KIND.md, with KIND one of {', '.join(KINDS)}")
        found[kind].append(file)
    return found


def section(checkout: Path, title: str) -> str:
    """One section: what was added, changed, mended and removed. Links are those of a page in docs/."""
    lines = [f"## {title}", ""]
    for kind, files in fragments(checkout).items():
        if files:
            lines += [f"### {KINDS[kind]}", ""]
            lines += [f"- {' '.join(file.read_text(encoding='utf-8').split())}" for file in files]
            lines.append("")
    return "\n".join(lines)


def gathered(checkout: Path) -> str:
    """The whole changelog as a page of the site: released sections below what is not released yet."""
    file = checkout / "CHANGELOG.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else HEAD
    if any(fragments(checkout).values()):
        head, mark, released = text.partition("\n## ")
        text = f"{head.rstrip()}\n\n{section(checkout, 'Not released yet')}{mark}{released}"
    return re.sub(r"\]\(docs/", "](", text)


def release(checkout: Path, version: str, day: str) -> None:
    """Write the section of a release into CHANGELOG.md, remove the fragments, state the number and the day.

    Raises ValueError, before anything is written, for what is no version or day, or where a place of STATED is gone.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise ValueError(f"{version} {day}: expected a version and a day, such as 0.2.0 2026-11-30")
    told = {"version": version, "day": day, "year": day[:4]}
    stated = {}
    for name, places in STATED.items():
        text = (checkout / name).read_text(encoding="utf-8")
        for pattern, what in places.items():
            text, found = re.subn(pattern, rf"\g<1>{told[what]}", text)
            if found != 1:
                raise ValueError(f"{name}: expected one place for the {what}, found {found}")
        stated[name] = text
    for name, text in stated.items():
        (checkout / name).write_text(text, encoding="utf-8", newline="\n")
    file = checkout / "CHANGELOG.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else HEAD
    head, mark, older = text.partition("\n## ")
    new = re.sub(r"\]\((?!docs/|https?:|#)([a-z-]+\.md)", r"](docs/\1", section(checkout, f"{version}, {day}"))
    file.write_text(f"{head.rstrip()}\n\n{new.rstrip()}\n{mark}{older}", encoding="utf-8", newline="\n")
    for files in fragments(checkout).values():
        for one in files:
            one.unlink()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        release(CHECKOUT, *sys.argv[1:])
    else:
        print(section(CHECKOUT, "Not released yet"))
