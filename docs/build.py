"""Make the site: `python docs/build.py site`.

In: docs/*.md, docs/img/, and what docs/generated.py says of the program. Out: HTML that needs no network, with a search
that works from a disk. The groups and their order are those of docs/index.md: each heading there with a list of links
is a group. A page that is linked from no group, a link that leads nowhere and any other warning of Sphinx stop it.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from generated import pages  # noqa: E402

GENERATED = {
    "commands": "- [Every command, every option](commands.md): made from the program",
    "functions": "- [Every function](functions.md): signatures and docstrings",
    "code-books": "- [Code books](code-books.md): the vocabularies of event data",
    "changes": "- [Changes](changes.md): what is new, what moved numbers",
}
"""Made for the site alone, so docs/index.md, which is read in the repository too, has no link to them."""


def build(site: Path) -> list[str]:
    """Write the site; return what is wrong with the pages, one line each."""
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as made:
        source, out = Path(made) / "docs", Path(made) / "site"
        wrong = prepared(source)
        said = io.StringIO()
        before = sys.stderr
        sys.stderr = said
        try:
            code = build_main(["-q", "-n", "-b", "html", "-d", str(Path(made) / "trees"), str(source), str(out)])
        finally:
            sys.stderr = before
        lines = re.sub(r"\x1b\[[0-9;]*m", "", said.getvalue()).splitlines()
        wrong += [line.replace(f"{source}/", "") for line in lines if line.strip()]
        if code and not wrong:
            wrong = [f"Sphinx left with {code}"]
        for page in out.glob("*.html"):
            page.write_text(reachable(page.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        if out.is_dir():
            site.mkdir(parents=True, exist_ok=True)
            shutil.copytree(out, site, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".buildinfo*", "objects.inv"))
    return wrong


def prepared(source: Path) -> list[str]:
    """Put the pages into a folder for Sphinx, generated ones too; return pages that no group links to."""
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(DOCS / "conf.py", source / "conf.py")
    for name, text in pages().items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    index = (source / "index.md").read_text(encoding="utf-8")
    with_generated = with_pages(index)
    grouped = groups(with_generated)
    linked = {name for names in grouped.values() for name in names}
    (source / "index.md").write_text(with_generated + toctrees(grouped), encoding="utf-8")
    there = {file.stem for file in source.glob("*.md")} - {"index"}
    return [f"index.md: no group links to {name}.md" for name in sorted(there - linked)]


def with_pages(index: str) -> str:
    """The index with links to the generated pages at the end of the groups `Reference` and `About`."""
    parts = re.split(r"(?m)^(?=## )", index)
    for number, part in enumerate(parts):
        wanted = {"Reference": ("commands", "functions", "code-books"), "About": ("changes",)}
        names = wanted.get(part.partition("\n")[0].removeprefix("## ").strip(), ())
        parts[number] = part.rstrip() + "".join(f"\n{GENERATED[name]}" for name in names) + "\n\n"
    return "".join(parts)


def groups(index: str) -> dict[str, dict[str, str]]:
    """Heading to the pages that its list links to, with what they are called there; a page belongs to the first."""
    found: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for part in re.split(r"(?m)^## ", index)[1:]:
        title, _, body = part.partition("\n")
        links = re.findall(r"(?m)^- \[([^\]]*)\]\(([a-z0-9-]+)\.md\)", body)
        names = {name: called for called, name in links if name not in seen}
        seen.update(names)
        if names:
            found[title.strip()] = names
    return found


def toctrees(grouped: dict[str, dict[str, str]]) -> str:
    """What the side bar is made of."""
    return "".join(
        "\n```{toctree}\n:hidden:\n:caption: "
        + title
        + "\n\n"
        + "\n".join(f"{called} <{name}>" for name, called in names.items())
        + "\n```\n"
        for title, names in grouped.items()
    )


def reachable(page: str) -> str:
    """What scrolls can be reached by keyboard, and the captions of the side bar say of what level they are."""
    page = page.replace("<pre>", '<pre tabindex="0">')
    page = page.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')
    return page.replace('class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"')


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    faults = build(place)
    print("\n".join(faults) if faults else f"{place / 'index.html'}")
    sys.exit(1 if faults else 0)
