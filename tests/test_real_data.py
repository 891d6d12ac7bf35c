"""The page on real data: it says what its results say, and the results come out again where the data are."""

from __future__ import annotations

import importlib.util
import json
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return script("real_data_page")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    results: dict[str, Any] = json.loads((BENCHMARKS / "results" / "real_data.json").read_text(encoding="utf-8"))
    return results


def test_the_tables_of_the_page_are_those_of_the_results(page: ModuleType, found: dict[str, Any]) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, found) == text
    for name in page.FIGURES:
        assert f"img/real-{name}.svg" in text and (page.IMAGES / f"real-{name}.svg").is_file()


def test_a_number_that_moved_is_seen_on_the_page(page: ModuleType, found: dict[str, Any]) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    moved = deepcopy(found)
    moved["backgrounds"]["after constant"]["branching_ratio"] += 0.02
    assert page.filled(text, moved) != text


def test_every_fit_of_the_page_settled(found: dict[str, Any]) -> None:
    fits = [
        *found["backgrounds"].items(),
        *found["today"].items(),
        *found["doubles"].items(),
        *found["stamps"].items(),
        *found["icews"].items(),
    ]
    assert [name for name, fit in fits if "auto" not in name and not fit["converged"]] == []


def test_the_same_fit_comes_out_of_the_data(found: dict[str, Any], shared_data: Path) -> None:
    """KEDS 2000-2003 with a constant background, to the digits that were measured."""
    real = script("real_data")
    scenario = real.load(real.NAME)
    table = real.keds(str(shared_data / "keds_balkans" / "events.csv.gz"), scenario, "after")
    fit = real.fitted(scenario, table, "constant", test_mechanisms=False)
    kept = found["backgrounds"]["after constant"]
    assert fit.events_used == kept["events"]
    assert fit.log_likelihood == pytest.approx(kept["log_likelihood"], abs=0.5)
    assert fit.branching_ratio == pytest.approx(kept["branching_ratio"], abs=0.005)
    assert real.set_off(fit) == pytest.approx(kept["set_off"], abs=0.005)
    for name, was in kept["mechanisms"].items():
        assert fit.parameters[f"mechanisms.{name}.answers"].estimate == pytest.approx(was["answers"][0], abs=0.03), name


def test_what_was_read_is_what_the_page_counts(found: dict[str, Any], shared_data: Path) -> None:
    real = script("real_data")
    scenario = real.load(real.NAME)
    assert (
        len(real.keds(str(shared_data / "keds_balkans" / "events.csv.gz"), scenario)) == found["data"]["keds"]["kept"]
    )
    modern = real.icews(str(shared_data / "icews18" / "events.parquet"), scenario)
    assert len(modern) == found["data"]["icews"]["local"]
