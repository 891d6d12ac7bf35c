"""What is installed is what is here: every module and every data file goes into the wheel, and nothing else."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "powderkeg"
SETUP = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def left_out(package: Path) -> list[str]:
    """Files below the package that no rule of pyproject.toml takes along."""
    patterns = SETUP["package-data"]["powderkeg"]
    rest = []
    for file in sorted(package.rglob("*")):
        place = file.relative_to(package).as_posix()
        if file.is_dir() or "__pycache__" in file.parts:
            continue
        is_module = file.suffix == ".py" and (file.parent / "__init__.py").exists()
        if not is_module and not any(fnmatch(place, pattern) and place.count("/") == pattern.count("/")
                                     for pattern in patterns):  # fmt: skip
            rest.append(place)
    return rest


def test_every_file_goes_into_the_wheel() -> None:
    assert left_out(PACKAGE) == []


def test_every_rule_takes_something_along() -> None:
    assert [pattern for pattern in SETUP["package-data"]["powderkeg"] if not list(PACKAGE.glob(pattern))] == []


def test_only_the_package_is_installed() -> None:
    assert SETUP["packages"]["find"]["include"] == ["powderkeg*"]


@pytest.mark.parametrize("place", ["tables/new.csv", "orphan/module.py", "scenarios/deep/file.yaml"])
def test_a_file_that_would_be_left_out_is_found(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text("", encoding="utf-8")
    assert left_out(tmp_path) == [place]
