"""What a notebook asks of us: names wherever a scenario is meant, short reprs, tables, other libraries' frames."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import polars as pl
import pytest

import powderkeg as pk
from powderkeg import showing
from powderkeg.analyze import Rules
from powderkeg.text.giving import Classified

TEXT = """
powderkeg: 1
name: small
title: "<script>alert(1)</script>"
start: 2020-01-01
years: 3
actors: {a: , b: {title: "<img src=x>"}}
acts: {hit: {tone: hostile, hurts: injury}}
moves: {hits: {who: [a, b], does: hit, to: [a, b], rate: "9 [5, 15] per year"}}
mechanisms: {back: {when: x hits y, then: y hits x, answers: "0.3 [0.1, 0.5]", half_life: "3 [1, 6] days"}}
outcomes: {hits: {title: "<b>hits</b>", count: {does: hit}}}
interventions: {half: {set: {moves.hits.rate: 4 per year}}}
"""


@pytest.fixture(scope="module")
def scenario() -> pk.Scenario:
    return pk.loads(TEXT)


@pytest.fixture(scope="module")
def record(scenario: pk.Scenario) -> pk.EventTable:
    return pk.simulate(scenario, replicates=1, seed=2).table()


TAKING: dict[str, Callable[[Any, pk.EventTable], object]] = {
    "describe": lambda given, _: pk.describe(given).text(),
    "stability": lambda given, _: pk.stability(given),
    "branching_ratio": lambda given, _: pk.branching_ratio(given),
    "simulate": lambda given, _: pk.simulate(given, replicates=3, seed=1).digest(),
    "compare": lambda given, _: pk.compare(given, replicates=4, ranges=False).as_dict(),
    "sweep": lambda given, _: pk.sweep(given, {"moves.hits.rate": "1 per year:9 per year:2"}, replicates=3).table,
    "paths": lambda given, _: list(pk.paths(given)),
    "digest": lambda given, _: pk.digest(given),
    "dump": lambda given, _: pk.dump(given),
    "edit": lambda given, _: pk.edit(given, {"years": 2}),
    "episodes": lambda given, record: pk.episodes(record, given),
    "fit": lambda given, record: pk.fit(given, record, background="constant").log_likelihood,
    "attribute": lambda given, record: pk.attribute(given, record, forests=10).starts(),
}


def same(one: object, other: object) -> bool:
    return one.equals(other) if isinstance(one, pl.DataFrame) else one == other


@pytest.mark.parametrize("name", TAKING)
def test_names_paths_scenarios_and_models_are_taken_alike(
    name: str, scenario: pk.Scenario, record: pk.EventTable, tmp_path: Path
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(TEXT, encoding="utf-8")
    told = TAKING[name](scenario, record)
    assert all(same(told, TAKING[name](given, record)) for given in (file, str(file), pk.compile(scenario)))


@pytest.mark.parametrize("name", ["describe", "simulate", "compare", "sweep", "paths", "digest", "dump", "edit"])
@pytest.mark.parametrize("slip", [3, "nokosovo", None])
def test_what_is_no_scenario_is_a_fault_of_ours(name: str, slip: object, record: pk.EventTable) -> None:
    with pytest.raises(pk.PowderkegError, match="expected"):
        TAKING[name](slip, record)


@pytest.mark.parametrize("axes", [5, ["moves.hits.rate"], "moves.hits.rate", None])
def test_what_is_no_axis_is_a_fault_of_ours(scenario: pk.Scenario, axes: Any) -> None:
    with pytest.raises(pk.UsageError, match="an axis such as"):
        pk.sweep(scenario, axes)


def test_results_show_themselves_in_a_line_and_as_a_table(scenario: pk.Scenario, record: pk.EventTable) -> None:
    model = pk.compile(scenario)
    fit = pk.fit(model, record, background="constant")
    shown = [
        scenario, model, record, fit, pk.simulate(model, replicates=2), pk.stability(model), pk.describe(scenario),
        pk.compare(model, replicates=4, ranges=False), pk.attribute(model, record, forests=10),
        pk.forecast(model, record, days=5, draws=20, background="scenario"), pk.record("north-kosovo", replicates=2),
    ]  # fmt: skip
    for one in shown:
        line, page = repr(one), one._repr_html_()
        assert line.startswith(type(one).__name__ + "(") and "\n" not in line and len(line) < 300, line
        assert "<script" not in page and "<img" not in page and "<b>hits" not in page
    tables = [one for one in shown if "<table" in one._repr_html_()]
    assert [type(one).__name__ for one in tables] == [
        "EventTable", "Fit", "Comparison", "Attribution", "Forecast", "Record",
    ]  # fmt: skip


def results_of(name: str) -> list[type]:
    """Classes of ours that a public function can give, by its annotation; names of classes are unique."""
    told = str(inspect.signature(getattr(pk, name)).return_annotation)
    ours = {
        one.__name__: one
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("powderkeg")
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__.startswith("powderkeg")
    }
    return [ours[word] for word in re.findall(r"\w+", told) if word in ours]


@pytest.mark.parametrize("name", [name for name in pk._HOME if not isinstance(getattr(pk, name), type)])
def test_what_a_public_function_gives_shows_itself(name: str) -> None:
    """A dataclass shows all it holds, frames and scenario with them: pages of it."""
    for kind in results_of(name):
        if not issubclass(kind, Classified | Rules):  # five short fields: all they hold is their line
            assert issubclass(kind, showing.ShowsItself), kind
            assert not hasattr(kind.__repr__, "__wrapped__"), f"{kind}: what a dataclass makes for itself"


def test_newer_results_show_themselves_in_a_line_and_as_a_table(scenario: pk.Scenario, record: pk.EventTable) -> None:
    fit = pk.fit(scenario, record, background="constant")
    shown = [
        fit.check(replicates=20), fit.posterior(draws=20), pk.hawkes(record),
        pk.sweep(scenario, {"moves.hits.rate": "1 per year:9 per year:2"}, replicates=3),
        pk.sensitivity(scenario, replicates=3, samples=2), pk.brink(scenario, years=1, replicates=5),
        pk.replay(scenario, record, without="mechanisms.back", replicates=4, ranges=False),
        pk.episode_statistics(pk.episodes(record, scenario), record.days),
        pk.rare(scenario, [{"does": "hit"}], years=1, starts=20, repetitions=20),
    ]  # fmt: skip
    for one in shown:
        line, page = repr(one), one._repr_html_()
        assert line.startswith(type(one).__name__ + "(") and "\n" not in line and len(line) < 200, line
        assert "<script" not in page and "<img" not in page and "<b>hits" not in page
    assert [type(one).__name__ for one in shown if "<table" not in one._repr_html_()] == ["Checks"]


def test_a_record_s_line_says_what_is_no_test() -> None:
    """Read alone, "22 of 22 agree" flatters."""
    line = repr(pk.record("north-kosovo", replicates=2, seed=1))
    assert line.endswith("of 22 lines agree; 9 tuned, 13 in view: no test of the scenario)")


def test_other_libraries_take_an_event_table(record: pk.EventTable) -> None:
    assert pl.DataFrame(record).equals(record.frame)
    frame = pd.DataFrame(record)
    assert list(frame.columns) == record.frame.columns and len(frame) == len(record)
    assert frame["time"].tolist() == record.frame["time"].to_list()


def test_the_facade_offers_what_is_meant_for_users() -> None:
    assert dir(pk) == sorted(pk.__all__)
    with pytest.raises(AttributeError, match="no attribute 'simulatte'"):
        pk.simulatte  # noqa: B018
    with pytest.raises(AttributeError):
        pk.plots.histroy  # noqa: B018


def test_results_draw_their_figures(scenario: pk.Scenario, record: pk.EventTable) -> None:
    model = pk.compile(scenario)
    runs = pk.simulate(model, replicates=3)
    attribution = pk.attribute(model, record, forests=10)
    with pytest.warns(pk.PowderkegWarning, match="no act of these events has a class"):
        assert record.plot().to_dict()["title"]["text"] == "Acts"
    of_a_book = pk.events(
        pl.DataFrame({"date": ["2020-01-01", "2020-01-03"], "source": ["a", "b"], "target": ["b", "a"],
                      "act": ["190", "036"]}),
        codebook="cameo",
    )  # fmt: skip
    shown: list[tuple[Any, str]] = [
        (runs, "One history"),
        (of_a_book, "Hostile acts"),
        (pk.fit(model, record, background="constant"), "What answers what"),
        (pk.compare(model, replicates=4, ranges=False), "half"),
        (pk.sweep(model, {"moves.hits.rate": "1 per year:9 per year:2"}, replicates=3), "What moves"),
        (pk.sensitivity(model, replicates=3, samples=2), "hits"),
        (attribution, "Who sets off whom"),
        (pk.forecast(model, record, days=5, draws=20, background="scenario"), "What may come"),
        (pk.record("north-kosovo", replicates=2), "The model against"),
        (pk.replay(model, record, without="mechanisms.back", replicates=4, ranges=False), "without back"),
    ]  # fmt: skip
    for one, title in shown:
        assert title in str(one.plot().to_dict()["title"]), type(one).__name__
        with pytest.raises(pk.UsageError, match="expected one of"):
            one.plot("nosuchfigure")
    assert runs.plot("ends").to_dict()["title"]["text"] == "How standoffs end"
    with pytest.raises(pk.UsageError, match="nearest: 'ends'"):
        runs.plot("end")


def test_every_result_with_figures_has_its_drawer() -> None:
    """A class that offers `plot` and is not known to who draws would answer with a bare KeyError."""
    from powderkeg.report.drawn import _FIGURES
    from powderkeg.showing import Plotted

    for home in ("forecast.backtest", "attribute.family", "compare", "analyze", "score.record", "fit.checks.report"):
        importlib.import_module(f"powderkeg.{home}")
    assert {one.__name__ for one in Plotted.__subclasses__()} == set(_FIGURES)


def test_a_chart_shows_itself_without_network(scenario: pk.Scenario) -> None:
    chart = pk.simulate(scenario, replicates=2, seed=1).plot()
    bundle = chart._repr_mimebundle_()
    picture = bundle["image/svg+xml"]
    assert picture.startswith("<svg") and "http" not in picture.replace("http://www.w3.org/", "")
    assert bundle["text/plain"] == "LayeredFigure(...)"
    again = chart.properties(width=300)
    assert "image/svg+xml" in again._repr_mimebundle_() and again._repr_mimebundle_() != bundle
    with alt.renderers.enable("mimetype"):
        assert "image/svg+xml" not in chart._repr_mimebundle_()


def test_a_job_in_a_notebook_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    now = iter([0.0, 0.5, 2.0, 2.1, 5.0, 6.0])
    bar = showing.NotebookBar("<b>fitting")
    monkeypatch.setattr(bar, "_show", said.append)
    bar._began = bar._told = 0.0
    bar._clock = lambda: next(now)
    for share in (0.0, 0.1, 0.25, 0.3, 0.5):
        bar(share, "climbing")
    assert [one.split("> ")[1] for one in said] == [
        "25 % &lt;b&gt;fitting: climbing, about 6 s left",
        "50 % &lt;b&gt;fitting: climbing, about 5 s left",
    ]
    assert showing.progress_shown(None, "fitting") is None  # no notebook here
    told = showing.progress_shown(said.append, "fitting")
    assert told == said.append
