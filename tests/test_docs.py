"""The documentation: builds without a network, links lead somewhere, the house files are what they say."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import powderkeg as pk

CHECKOUT = Path(__file__).resolve().parent.parent


def module(name: str) -> ModuleType:
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(CHECKOUT / "docs"))
    try:
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(str(CHECKOUT / "docs"))
    return found


def built(source: Path, site: Path) -> str:
    """Build the site in a process of its own, as `make docs` does; what was said of it."""
    pytest.importorskip("sphinx", reason="the site needs powderkeg[docs]")
    words = [sys.executable, str(source / "build.py"), str(site)]
    return subprocess.run(words, capture_output=True, text=True, encoding="utf-8").stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("docs") / "site"
    said = built(CHECKOUT / "docs", place)
    assert said.strip() == str(place / "index.html"), said
    return place


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_nothing_of_the_network(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) > 45
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css|woff2?)"', text) == [], page.name
    assert 'href="command-line.html"' in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_no_link_of_the_site_is_dead(site: Path) -> None:
    """Pages, headings and pictures; pages elsewhere are not asked."""
    ids = {
        page.name: set(re.findall(r' id="([^"]*)"', page.read_text(encoding="utf-8"))) for page in site.glob("*.html")
    }
    dead = []
    for page in site.glob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"]*)"', page.read_text(encoding="utf-8")):
            target, _, heading = link.partition("#")
            target = target.partition("?")[0] or page.name
            if re.match(r"[a-z]+:|//", link):
                continue
            known = target in ids and (not heading or heading in ids[target])
            if not known and not (target not in ids and (site / target).exists()):
                dead.append(f"{page.name}: {link}")
    assert dead == []


@pytest.mark.slow
def test_a_broken_link_and_a_page_in_no_group_are_found(tmp_path: Path) -> None:
    """Planted in a copy of few pages."""
    copy = tmp_path / "checkout" / "docs"
    copy.mkdir(parents=True)
    for name in ("build.py", "conf.py", "generated.py", "changelog.py"):
        (copy / name).write_bytes((CHECKOUT / "docs" / name).read_bytes())
    for folder in ("_static", "img"):
        (copy / folder).mkdir()
    (copy / "_static" / "powderkeg.css").write_text("", encoding="utf-8")
    for name in ("command-line", "python", "events"):
        (copy / f"{name}.md").write_text("# A page\n\n[x](nowhere.md) [y](#no-heading)\n", encoding="utf-8")
    (copy / "stray.md").write_text("# A stray page\n\n![p](img/no.svg)\n", encoding="utf-8")
    groups = "## Reference\n\n- [a](command-line.md)\n- [b](python.md)\n- [c](events.md)\n\n## About\n\n"
    (copy / "index.md").write_text(f"# Pages\n\n{groups}", encoding="utf-8")
    said = built(copy, tmp_path / "site")
    for fault in ("no group links to stray.md", "nowhere.md", "no-heading", "img/no.svg"):
        assert fault in said, said


@pytest.mark.slow
def test_search_works_from_a_disk(site: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto((site / "search.html").as_uri() + "?q=hotline")
    page.wait_for_selector("ul.search li")
    found = page.locator("ul.search li a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    page.close()
    assert any(str(link).startswith("line-of-control.html") for link in found), found


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_pages_of_the_site_can_be_used_by_everybody(site: Path, browser: Any, width: int, scheme: str) -> None:
    """axe-core finds nothing serious, and nothing sticks out at the side."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    for name in ("index", "fit", "commands", "first-scenario"):
        page.goto((site / f"{name}.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found = [
            (one["id"], one["nodes"][0]["html"][:200])
            for one in axe.run(page).response["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert (name, wide, found) == (name, 0, [])
    context.close()


def test_generated_pages_hold_every_command_and_every_public_name() -> None:
    from typer.main import get_command

    from powderkeg.cli import program

    generated = module("generated")
    commands, functions = generated.commands(), generated.functions()
    for name, command in get_command(program()).commands.items():  # type: ignore[attr-defined]
        for words in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert command.hidden or f"## powderkeg {words}\n" in commands
    assert "`--replicates`" in commands
    # Outside of code two hyphens become a dash, and nobody can type that.
    outside = re.sub(r"```.*?```|`[^`]*`", "", commands, flags=re.DOTALL)
    assert "console" in commands and not re.findall(r"(?<![\w-])--[a-z]+", outside)
    assert [name for name in pk.__all__ if name != "__version__" and f"\n## pk.{name}\n" not in functions] == []
    assert re.findall(r"at 0x[0-9a-f]+", functions) == []


def test_the_changelog_gathers_fragments_and_removes_them(tmp_path: Path) -> None:
    changelog = module("changelog")
    (tmp_path / "changes").mkdir()
    for name, text in {
        "a.added": "A is [new](docs/a.md).",
        "b.fixed": "B is\nmended.",
        "README": "no fragment",
    }.items():
        (tmp_path / "changes" / f"{name}.md").write_text(text, encoding="utf-8")
    for name in changelog.STATED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((CHECKOUT / name).read_bytes())
    assert "## Not released yet\n\n### Added\n\n- A is [new](a.md)." in changelog.gathered(tmp_path)
    changelog.release(tmp_path, "0.2.0", "2026-11-30")
    changelog.release(tmp_path, "0.2.1", "2026-12-01")
    assert '__version__ = "0.2.1"' in (tmp_path / "powderkeg" / "version.py").read_text(encoding="utf-8")
    assert "date-released: 2026-12-01\n" in (tmp_path / "CITATION.cff").read_text(encoding="utf-8")
    assert "  version = {0.2.1}" in (tmp_path / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected a version and a day"):
        changelog.release(tmp_path, "soon", "2026-12-01")
    text = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.index("## 0.2.1, 2026-12-01") < text.index("## 0.2.0, 2026-11-30") < text.index("- B is mended.")
    assert [file.name for file in (tmp_path / "changes").iterdir()] == ["README.md"]
    (tmp_path / "changes" / "c.wrong.md").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match=r"c\.wrong\.md: expected NAME\.KIND\.md"):
        changelog.gathered(tmp_path)


def test_every_public_name_is_told_in_the_documentation() -> None:
    text = (CHECKOUT / "docs" / "python.md").read_text()
    told = set(re.findall(r"`(?:pk\.)?(\w+)`", text))
    types = {"EventTable", "Fault", "Model", "PowderkegWarning", "Runs", "Scenario", "__version__"}
    assert set(pk.__all__) - types - told == set()


def test_every_command_is_told_in_the_documentation() -> None:
    from typer.main import get_command

    from powderkeg.cli import program

    text = (CHECKOUT / "docs" / "command-line.md").read_text()
    for name, command in get_command(program()).commands.items():  # type: ignore[attr-defined]
        for words in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert f"| `{words} " in text, words


def test_the_versions_agree() -> None:
    citation = (CHECKOUT / "CITATION.cff").read_text()
    assert f"\nversion: {pk.__version__}\n" in citation
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    bibtex = dict(re.findall(r"(?m)^  (\w+) += \{(.*)\},?$", readme))
    cff = dict(re.findall(r"(?m)^([\w-]+): \"?([^\"\n]+)\"?$", citation))
    assert bibtex["version"] == cff["version"]
    assert bibtex["title"] == cff["title"]
    assert bibtex["year"] == cff["date-released"][:4]
    assert bibtex["license"] == cff["license"]
    assert f"name: {bibtex['author'].strip('{}')}\n" in citation


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_pins_with_hashes_and_names_no_place(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    entries = re.findall(r"^[a-z0-9](?:[^\n]*\\\n)*[^\n]*", text, re.MULTILINE)
    assert len(entries) > 30
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_lock_files_hold_what_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    for name, wanted in {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": [*project["dependencies"], *project["optional-dependencies"]["dev"]],
    }.items():
        pinned = set(re.findall(r"^([a-z0-9-]+)==", (CHECKOUT / name).read_text(), re.MULTILINE))
        asked = {re.split(r"[\[<>=]", item)[0].lower().replace(".", "-").replace("_", "-") for item in wanted}
        assert asked - pinned == set(), name
