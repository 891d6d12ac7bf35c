"""The documentation: builds without a network, links lead somewhere, the house files are what they say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import powderkeg as pk

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_docs", CHECKOUT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_builds_and_no_link_is_broken(builder: ModuleType, tmp_path: Path) -> None:
    assert builder.build(tmp_path) == []
    index = (tmp_path / "index.html").read_text()
    assert "<script" not in index
    assert '<a href="command-line.html">' in index


def test_a_broken_link_is_found(builder: ModuleType) -> None:
    _, body = builder.render("# A page\n\n[x](nowhere.md) [y](#no-heading) [z](#a-page)\n\n![p](img/no.svg)")
    assert builder.broken_links("a.md", body, {"a.md": {"a-page"}}) == [
        "the link nowhere.md leads nowhere",
        "no heading for the link #no-heading",
        "the link img/no.svg leads nowhere",
    ]


def test_every_public_name_is_told_in_the_documentation() -> None:
    text = (CHECKOUT / "docs" / "python.md").read_text()
    told = set(re.findall(r"`(?:pk\.)?(\w+)`", text))
    types = {"EventTable", "Fault", "Model", "PowderkegWarning", "Runs", "Scenario", "__version__"}
    assert set(pk.__all__) - types - told == set()


def test_every_command_is_told_in_the_documentation() -> None:
    from typer.main import get_command

    from powderkeg.cli import app

    text = (CHECKOUT / "docs" / "command-line.md").read_text()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for words in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert f"| `{words} " in text, words


def test_the_versions_agree() -> None:
    citation = (CHECKOUT / "CITATION.cff").read_text()
    assert f"\nversion: {pk.__version__}\n" in citation


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
