"""`import powderkeg as pk`: every name is there, says what it does, and costs nothing until it is used."""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import powderkeg as pk
from powderkeg.calls import answering
from powderkeg.fit.result import Fit
from powderkeg.hawkes.result import HawkesFit

SOURCE = Path(pk.__file__ or "").read_text(encoding="utf-8")


def run(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", [name for name in pk.__all__ if name != "__version__"])
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(pk, name)
    assert inspect.getdoc(value), f"pk.{name} has no docstring"
    if name not in pk._MODULES:
        assert not isinstance(value, ModuleType), f"pk.{name} is the module, not what is in it"


def test_type_checkers_see_the_same_names() -> None:
    block = next(
        node for node in ast.parse(SOURCE).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )  # fmt: skip
    seen = [
        ((node.module or "").split(".")[1], alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "powderkeg"
        for alias in node.names
    ]
    modules = [node.names[0].name for node in block.body if getattr(node, "module", "") == "powderkeg"]
    assert sorted(modules) == sorted(pk._MODULES)
    assert sorted(seen) == sorted((home, name) for name, home in pk._HOME.items())


def test_importing_powderkeg_loads_neither_numba_nor_polars() -> None:
    heavy = ("numba", "polars", "numpy", "scipy", "altair", "yaml", "typer", "rich")
    assert run(f"import sys, powderkeg; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_loading_a_scenario_loads_no_compiler() -> None:
    loaded = "[m for m in ('numba', 'altair') if m in sys.modules]"
    code = f"import sys, powderkeg as pk; pk.load('north-kosovo'); print({loaded})"
    assert run(code) == "[]"


def test_checking_a_scenario_without_interventions_loads_neither_compiler_nor_tables() -> None:
    """Whether an intervention can act is asked of `compare`, which takes both with it: two seconds."""
    file = Path(__file__).parent / "scenarios" / "good" / "gates.yaml"
    loaded = "[m for m in ('numba', 'altair', 'polars') if m in sys.modules]"
    code = (
        f"import sys; from powderkeg.cli import main; sys.argv[1:] = ['check', {str(file)!r}, '-q']\n"
        f"try: main()\nexcept SystemExit: print({loaded})"
    )
    assert run(code) == "[]"


def test_no_part_waits_for_the_import_of_scipy_stats() -> None:
    """It takes a second; scipy.special has the quantiles, and what else needs it asks for it when it does."""
    names = [f"powderkeg.{name}" for name in sorted({*pk._HOME.values()} | {"cli"})]
    code = f"import importlib, sys; [importlib.import_module(n) for n in {names}]; print('scipy.stats' in sys.modules)"
    assert run(code) == "False"


@pytest.mark.parametrize("name", ["simulate", "events"])
def test_a_function_keeps_its_place_when_its_module_is_imported(name: str) -> None:
    code = (
        f"import powderkeg as pk, importlib, inspect; importlib.import_module('powderkeg.{name}'); "
        f"from powderkeg.{name} import {name} as f; print(inspect.unwrap(pk.{name}) is f, callable(pk.{name}))"
    )
    assert run(code) == "True True"


def test_every_module_can_be_imported_by_its_dotted_name() -> None:
    """`import powderkeg.fit.checks.report as report` asks `powderkeg.fit`, which is a function, for `checks`."""
    code = (
        "import pkgutil, sys, powderkeg\n"
        "for module in pkgutil.walk_packages(powderkeg.__path__, 'powderkeg.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        found = {}\n"
        "        exec(f'import {module.name} as found', found)\n"
        "        public = [n for n in vars(sys.modules[module.name]) if not n.startswith('_')]\n"
        "        if '.' not in module.name.removeprefix('powderkeg.'):\n"
        "            assert all(hasattr(found['found'], n) for n in public), module.name\n"
        "print('all')"
    )
    assert run(code) == "all"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = pk.simulat


def test_names_can_be_listed() -> None:
    assert set(pk.__all__) <= set(dir(pk))


@pytest.mark.parametrize("wrong", ["us.csv", Path("us.csv"), None])
@pytest.mark.parametrize("name", ["fit", "attribute", "forecast", "replay", "episodes"])
def test_what_is_no_table_of_events_is_told(name: str, wrong: object) -> None:
    """One gives the file first: it was an AttributeError about `resolution`. None in these tests: a scenario."""
    scenario = pk.load("two-theatres")
    given = scenario if wrong is None else wrong
    asked = (given, scenario) if name == "episodes" else (scenario, given)
    if name == "episodes" and wrong is None:
        pytest.skip("what runs are is known by what they have")
    with pytest.raises(pk.UsageError, match="read_events"):
        getattr(pk, name)(*asked, *(["x"] if name == "replay" else []))


def test_a_scenario_in_the_place_of_the_format_is_told(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("date,source,target,act\n2020-01-01,a,b,raid\n", encoding="utf-8")
    with pytest.raises(pk.EventError, match="scenario=") as caught:
        pk.read_events(file, pk.load("two-theatres"))
    assert caught.value.faults[0].found == "the format is a Scenario"


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("pk.simulat", "simulate"), ("pk.plot", "plots"), ("pk.plots.histroy", "history"), ("pk.report.wrte", "write")],
)
def test_a_misspelt_name_is_told_the_nearest(asked: str, nearest: str) -> None:
    """In the message itself: notebooks do not show what Python adds to a traceback."""
    with pytest.raises(AttributeError, match=f"nearest: '{nearest}'"):
        eval(asked)


def test_a_name_like_none_is_refused_without_a_guess() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'zebra'$"):
        pk.zebra()


SMALL = """
powderkeg: 1
name: small
start: 2020-01-01
years: 1
actors: {a: {}, b: {}}
acts: {hit: {tone: hostile}}
moves: {hits: {who: a, does: hit, to: b, rate: 5 per year}}
outcomes: {hit: {any: {does: hit}}}
interventions: {more: {set: {moves.hits.rate: 9 per year}}}
"""


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda s: pk.simulate(s, years="ten", replicates=2), "years: 'ten'"),
        (lambda s: pk.simulate(s, years=True, replicates=2), "years: True"),
        (lambda s: pk.simulate(s, replicates=2, workers="two"), "workers: 'two'"),
        (lambda s: pk.compare(s, years=[], replicates=4), r"years: \[\]"),
        (lambda s: pk.compare(s, sets="many", replicates=4), "sets: many"),
        (lambda s: pk.compare(s, level="90", replicates=4), "level: 90"),
        (lambda s: pk.sweep(s, {"moves.hits.rate": "1 per year:2 per year:2"}, years="ten"), "years: 'ten'"),
        (lambda s: pk.rare(s, "hit", years="ten"), "years: 'ten'"),
        (lambda s: pk.load(3), "scenario: 3"),
        (lambda s: pk.rare(3, "hit"), "scenario: 3"),
    ],
)
def test_a_slip_in_a_number_is_told_with_its_name(asked: Callable[[pk.Scenario], object], told: str) -> None:
    """Python's own words name neither: `can't multiply sequence by non-int of type 'float'`."""
    with pytest.raises(pk.UsageError, match=told):
        asked(pk.loads(SMALL))


def test_a_rare_event_is_asked_of_whatever_means_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    asked = {"starts": 50, "repetitions": 20, "seed": 1}
    found = [pk.rare(one, "hit", **asked).probability for one in (file, pk.load(file), pk.compile(file))]
    assert found[0] is not None and found[0] == found[1] == found[2]


def ran(scenario: pk.Scenario) -> pk.Runs:
    return pk.simulate(scenario, replicates=2, seed=1)


def record_of(scenario: pk.Scenario) -> pk.EventTable:
    return pk.simulate(scenario, replicates=1, years=10, seed=1).table()


def fitted(scenario: pk.Scenario) -> Fit:
    """Its one number left open."""
    open_number = {"value": "5 per year", "range": ["1 per year", "9 per year"]}
    changed = pk.edit(scenario, {"moves.hits.rate": open_number})
    return pk.fit(changed, record_of(scenario), background="constant")


def rates(scenario: pk.Scenario) -> HawkesFit:
    return pk.hawkes(record_of(scenario))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda s: pk.simulate(s, replicate=3), r"simulate: unknown argument 'replicate'(.|\n)*nearest: 'replicates'"),
        (lambda s: pk.simulate(s, replicate=3, sead=1), r"'replicate'(.|\n)*'sead'(.|\n)*2 faults; nothing was run"),
        (lambda s: pk.paths(), r"paths: nothing for scenario\n +expected paths\(scenario\)"),
        (lambda s: pk.sweep(s), r"sweep: nothing for axes\n +expected sweep\(scenario, axes, \.\.\.\)"),
        (lambda s: pk.paths(s, 3), r"paths: 2 arguments without a name\n +expected at most 1 \(scenario\)"),
        (lambda s: pk.names(s), "names: 1 argument without a name\n +expected none"),
        (lambda s: pk.digest(s, scenario=s), "digest: 'scenario' is given twice"),
        (
            lambda s: pk.plots.ends(frame=3),
            r"plots.ends: unknown argument 'frame'(.|\n)*plots.ends: nothing for shares",
        ),
        (lambda s: pk.plots.save("a.svg"), r"plots.save: nothing for path\n +expected plots.save\(chart, path\)"),
        (lambda s: pk.report.write(pth="a"), r"report.write: unknown argument 'pth'(.|\n)*nearest: 'path'"),
        (lambda s: ran(s).plot(figur="ends"), r"Runs.plot: unknown argument 'figur'(.|\n)*nearest: 'figure'"),
        (lambda s: ran(s).plot("ends", 3), r"Runs.plot: 2 arguments without a name\n +expected at most 1 \(figure\)"),
        (
            lambda s: ran(s).table(act_only=True),
            r"Runs.table: unknown argument(.|\n)*expected acts_only\n +nearest: 'acts_only'",
        ),
        (lambda s: ran(s).part(), r"Runs.part: nothing for "),
        (lambda s: ran(s).table().between(frm=3), r"EventTable.between: unknown argument 'frm'"),
        (
            lambda s: fitted(s).check(replicate=20),
            r"Fit.check: unknown argument 'replicate'(.|\n)*nearest: 'replicates'",
        ),
        (lambda s: rates(s).simulate(year=2), r"HawkesFit.simulate: unknown argument 'year'(.|\n)*nearest: 'years'"),
        (lambda s: pk.stability(s).as_dict(1), r"Stability.as_dict: 1 argument without a name\n +expected none"),
    ],
)
def test_a_call_that_does_not_fit_is_told_with_the_nearest_name(
    asked: Callable[[pk.Scenario], object], told: str
) -> None:
    with pytest.raises(pk.UsageError, match=told):
        asked(pk.loads(SMALL))


def test_a_type_error_from_within_comes_through() -> None:
    """Only a call that does not fit is a slip: what breaks inside is a bug, and its traceback is needed."""

    def breaks(number: int) -> int:
        raise TypeError("from within")

    with pytest.raises(TypeError, match="from within"):
        answering(breaks, __name__, "breaks")(3)


@pytest.mark.parametrize("name", [name for name in pk._HOME if not isinstance(getattr(pk, name), type)])
def test_a_public_function_keeps_its_signature_and_can_be_pickled(name: str) -> None:
    offered = getattr(pk, name)
    own = getattr(import_module(f"powderkeg.{pk._HOME[name]}"), name)
    assert inspect.signature(offered) == inspect.signature(own)
    assert (offered.__doc__, offered.__name__) == (own.__doc__, name)
    assert inspect.getsource(offered) == inspect.getsource(own)
    assert pickle.loads(pickle.dumps(offered)) is offered


def test_a_warning_points_at_the_line_that_called(tmp_path: Path) -> None:
    """However many calls lie between: Python shows a warning of one line once, and a line of ours says nothing."""
    scenario = pk.loads(SMALL)
    with pytest.warns(pk.PowderkegWarning) as heard:
        pk.rare(scenario, "hit", starts=20, repetitions=5, seed=1)
        pk.simulate(scenario, replicates=2, seed=1, limit=3)
        pk.compare(scenario, replicates=4, sets=2, seed=1, limit=3)
    assert {one.filename for one in heard} == {__file__}
    assert len({one.lineno for one in heard}) == 3


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda s: pk.read_events(None), r"paths: None\n +expected the path"),
        (lambda s: pk.read_events(["a.csv", 3]), r"paths: 3\n +expected the path"),
        (lambda s: pk.entanglement(3), r"runs: 3\n +expected Runs"),
        (lambda s: pk.drawn_in(s), r"runs: a Scenario\n +expected Runs"),
        (lambda s: pk.outcomes(s, None), r"runs: None\n +expected Runs"),
        (lambda s: pk.episodes(None), r"events: None\n +expected an EventTable"),
        (lambda s: pk.episodes(s), r"events: a Scenario\n +expected an EventTable"),
        (lambda s: pk.relative_rules(3), r"events: 3\n +expected an EventTable"),
        (lambda s: pk.observe(3), r"acts: 3\n +expected Runs, or an EventTable"),
        (lambda s: pk.loads(None), r"text: None\n +expected the text"),
        (lambda s: pk.compare_episodes(3, 4), r"found: 3\n +expected a frame"),
        (lambda s: pk.ranking(3, 4), r"events: 3\n +expected an EventTable"),
        (lambda s: pk.code(3), r"texts: 3\n +expected a text"),
        (lambda s: pk.score_coding(3, []), r"coded: 3\n +expected a table"),
        (lambda s: pk.rare(s, 3), r"asked: 3\n +expected the name of an outcome"),
        (lambda s: pk.episodes("x" * 99), r"such as read_events\(\.\.\.\) gives"),  # no half of a name in brackets
        (lambda s: ran(s).table().between(5), r"first: 5\n +expected a date"),
        (lambda s: ran(s).part(-1, 1), r"part: replicates -1 to 1\n +expected some of 0 to 2"),  # 2 were told of
        (lambda s: ran(s).part(0, 9), r"part: replicates 0 to 9"),
    ],
)
def test_an_argument_of_a_wrong_kind_is_told_with_what_is_expected(
    asked: Callable[[pk.Scenario], object], told: str
) -> None:
    """Python's own words are of our insides: `'int' object has no attribute 'model'`."""
    with pytest.raises(pk.UsageError, match=told):
        asked(pk.loads(SMALL))


def test_whole_numbers_of_numpy_are_workers() -> None:
    scenario = pk.loads(SMALL)
    one, two = (pk.simulate(scenario, replicates=2, workers=number).digest() for number in (1, np.int64(2)))
    assert one == two
