"""The network of a scenario's actors: as networkx takes it, and as GraphML that other programs read."""

from __future__ import annotations

import sys
from pathlib import Path

import networkx
import pytest

import powderkeg as pk
from powderkeg.cli import main
from powderkeg.model import graphml

TEXT = """
powderkeg: 1
name: small
start: 2020-01-01
actors: {a: {title: "A & <b>"}, b: {is: [state]}, c: }
ties: {pact: {kind: alliance, from: a, to: b, holds: false}, hit: {kind: patronage, from: c, to: b}}
acts: {hit: {tone: hostile}, shout: {tone: hostile}}
moves:
  hits: {who: [a, c], does: hit, to: b, rate: 6 per year}
  shouts: {who: b, does: shout, to: c, rate: 2 per year}
"""


def test_ties_and_acts_are_edges_with_their_fields() -> None:
    graph = pk.network(pk.loads(TEXT))
    assert graph.nodes["a"]["title"] == "A & <b>" and graph.nodes["b"]["classes"] == "state"
    assert graph.edges["a", "b", "pact"]["holds"] is False and graph.edges["a", "b", "pact"]["verb"] == "allies"
    assert graph.edges["a", "b", "act hit"]["per_year"] == pytest.approx(6.0)
    assert {key for _, _, key in graph.edges(keys=True)} == {"pact", "hit", "act hit", "shout"}
    assert graph.edges["c", "b", "hit"]["what"] == "tie" and graph.edges["c", "b", "act hit"]["what"] == "act"


@pytest.mark.parametrize("name", ["north-kosovo", "jonglei"])
def test_graphml_says_what_the_graph_says(name: str, tmp_path: Path) -> None:
    file = tmp_path / "net.graphml"
    with pytest.raises(SystemExit) as left:
        main(["describe", name, "--graph", str(file), "--quiet"])
    assert left.value.code == 0
    read, made = networkx.read_graphml(file, force_multigraph=True), pk.network(name)
    assert dict(read.nodes(data=True)) == dict(made.nodes(data=True))
    told, meant = (
        sorted(sorted(map(str, one.items())) for *_, one in graph.edges(data=True)) for graph in (read, made)
    )
    assert [[field for field in edge if "'id'" not in field] for edge in told] == meant


def test_it_says_where_the_network_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.graphml"
    with pytest.raises(SystemExit) as left:
        main(["describe", "two-theatres", "--graph", str(file)])
    assert left.value.code == 0 and capsys.readouterr().out.rstrip().endswith(f"Written to {file}")


def test_strings_from_outside_stay_text() -> None:
    assert "A &amp; &lt;b&gt;" in graphml(pk.loads(TEXT))


def test_without_networkx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(pk.UsageError, match="pip install networkx"):
        pk.network(pk.loads(TEXT))


def test_another_format_is_refused_before_anything_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["describe", "north-kosovo", "--graph", str(tmp_path / "net.gexf")])
    assert left.value.code == 2 and ".graphml" in capsys.readouterr().err
