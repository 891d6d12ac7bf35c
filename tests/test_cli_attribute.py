"""`powderkeg attribute`: what is typed, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

import powderkeg as pk
from powderkeg.cli.app import _exit_code as run
from powderkeg.events import write_events

SCENARIO = """
powderkeg: 1
name: patrons
start: 2010-01-01
years: 4
actors: {north: {title: "<script>alert(1)</script>: the north"}, south: {}, patron: {}}
acts: {threaten: {tone: hostile, cameo: "138"}, clash: {tone: hostile, cameo: "190"}}
moves:
  threats: {who: [north, south], does: threaten, to: [north, south], rate: 0.08 per day}
  clashes: {who: [north, south], does: clash, to: [north, south], rate: 0.01 per day}
  backing: {who: patron, does: threaten, to: south, rate: 0.01 per day}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.3, half_life: 1 day}
  escalation: {when: x threatens y, then: y clashes x, answers: 0.2, half_life: 2 days}
  entrapment: {when: south threatens north, then: patron threatens south, answers: 0.4, half_life: 2 days}
"""
FEW = ["--forests", "20"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario, two simulated histories with a clock, and the first as a newspaper dates it."""
    path = tmp_path_factory.mktemp("attribute")
    (path / "patrons.yaml").write_text(SCENARIO)
    table = pk.simulate(pk.compile(pk.loads(SCENARIO)), replicates=2, seed=3).table()
    write_events(table, path / "two.parquet")
    first = table.frame.filter(pl.col("replicate") == 0).select("time", "source", "act", "target")
    dates = first.with_columns(date=pl.lit(table.start) + pl.duration(days=pl.col("time").floor().cast(pl.Int64)))
    dates.select("date", "source", "act", "target").write_csv(path / "days.csv")
    return path


def test_json_has_what_was_promised(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attribute", str(folder / "patrons.yaml"), str(folder / "days.csv"), "--json", "--links", "--least", "0.3"]
    assert run([*words, "--episode", "-1", *FEW]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"shares", "starts", "drawn_in", "entanglement", "entrapped", "matrix", "influential", "family"} <= set(told)
    assert {"actor", "mechanism", "share", "low", "high"} <= set(told["shares"][0])
    assert all(link["probability"] >= 0.3 for link in told["links"])
    assert {"event", "parent", "mechanism", "probability"} <= set(told["links"][0])
    assert told["parameters"] == "given"
    assert "days" in told["likelihood"]


def test_tables_and_the_tree_can_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attribute", str(folder / "patrons.yaml"), str(folder / "two.parquet"), "--replicate", "1"]
    assert run([*words, "--episode", "0", *FEW]) == 0
    said = capsys.readouterr().out
    for head in ("who starts", "who is drawn in", "entrapped", "what set acts off", "set off acts of", "influential"):
        assert head in said
    assert "patron" in said
    assert "under its likeliest cause" in said
    assert "taken as true" in said


def test_a_fit_comes_first_if_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attribute", str(folder / "patrons.yaml"), str(folder / "days.csv"), "--fit", "--fix", "moves", "--json"]
    assert run([*words, "--draws", "5", *FEW]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"] == "fitted"
    assert any(row["sd_parameters"] for row in told["shares"])


def test_a_fitted_scenario_brings_its_errors(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "fitted.yaml"
    words = [str(folder / "patrons.yaml"), str(folder / "days.csv")]
    assert run(["fit", *words, "--fix", "moves", "--no-checks", "--background", "scenario", "--out", str(made)]) == 0
    capsys.readouterr()
    assert run(["attribute", str(made), words[1], "--json", "--draws", "5", *FEW]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"] == "fitted"
    assert any(row["sd_parameters"] for row in told["shares"])


def test_the_folder_holds_tables_figures_and_a_page(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["attribute", str(folder / "patrons.yaml"), str(folder / "days.csv"), "--quiet", "--episode", "-1", *FEW]
    assert run([*words, "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {
        "acts.parquet", "links.parquet", "shares.csv", "starts.csv", "drawn_in.csv", "entanglement.csv", "matrix.csv",
        "influential.csv", "family.csv", "attribution.json", "attribution.html", "family.svg", "matrix.svg",
        "entanglement.svg", "drawn_in.svg", "powderkeg-manifest.json",
    }  # fmt: skip
    acts = pl.read_parquet(out / "acts.parquet")
    assert acts.height == pl.read_csv(folder / "days.csv").height
    text = (out / "attribution.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "NaN" not in text
    for figure in ("family.svg", "matrix.svg"):
        ElementTree.fromstring((out / figure).read_text())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["two.parquet"], 2, "--replicate 0"),
        (["two.parquet", "--replicate", "7"], 2, "no events of history 7"),
        (["days.csv", "--replicate", "0"], 2, "need no --replicate"),
        (["days.csv", "--entrapment", "entrapmnt"], 2, "nearest: 'entrapment'"),
        (["days.csv", "--episode", "2031-01-01"], 2, "no standoff on 2031-01-01"),
        (["days.csv", "--episode", "soon"], 2, "a day such as"),
        (["days.csv", "--least", "2"], 2, "above 0 and below 1"),
        (["days.csv", "--fix", "moves"], 2, "--fit as well"),
        (["days.csv", "--forests", "1"], 2, "10 to 100,000"),
        (["days.csv", "--likelihood", "exact"], 1, "--likelihood day"),
        (["none.csv"], 1, "none.csv"),
    ],
)
def test_a_slip_gets_one_plain_message(
    folder: Path, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(["attribute", str(folder / "patrons.yaml"), str(folder / words[0]), *words[1:]])
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert found == code


def test_one_event_has_its_cause_and_is_too_few_to_fit(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one.csv"
    one.write_text("date,source,act,target\n2010-03-01,north,threaten,south\n")
    assert run(["attribute", str(folder / "patrons.yaml"), str(one), *FEW]) == 0
    assert "100 %" in capsys.readouterr().out
    assert run(["attribute", str(folder / "patrons.yaml"), str(one), "--fit", *FEW]) == 1
    assert "1 event in the window" in capsys.readouterr().err
