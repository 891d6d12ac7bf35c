"""Who is tied to whom, and who does what to whom of their own accord?

In: a `Model`. Out: its actors as a network: a networkx graph for analysis, or GraphML, which Gephi, yEd, igraph, R and
Cytoscape read. GraphML is written with the standard library; networkx is not needed for it.
Source of the format: Brandes et al. (2002), GraphML progress report, Graph Drawing 2001, LNCS 2265, 501-512.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from powderkeg.errors import Fault, ModelError, UsageError
from powderkeg.model.parts import Model
from powderkeg.scenario import Scenario, tie_verb
from powderkeg.units import YEAR

if TYPE_CHECKING:
    import networkx

GRAPHML = "http://graphml.graphdrawing.org/xmlns"
TYPES = {str: "string", float: "double", bool: "boolean"}

Fields = Mapping[str, str | float | bool]


@dataclass(frozen=True)
class NetworkEdge:
    """A tie, or what one actor does to another. `key` tells edges between the same two actors apart."""

    source: str
    target: str
    key: str
    fields: Fields


@dataclass(frozen=True)
class ActorNetwork:
    """The actors of a scenario with their fields, and the edges between them."""

    name: str
    nodes: Mapping[str, Fields]
    edges: tuple[NetworkEdge, ...]


def network(model: Model) -> networkx.MultiDiGraph[str]:
    """The actors of a scenario as a networkx MultiDiGraph: G.nodes[actor], G.edges[source, target, key].

    nodes  title; classes (joined by blanks)
    edges  what "tie": kind, verb, title, holds (at the start); key the tie's name
           what "act": act, title, tone, per_year: how often of their own accord, every gate and profile at 1 (what
           answers other acts comes on top; 0 where all of it is answers); key the act's name

    Raises UsageError if networkx is not installed, ModelError for a model from bare arrays.
    """
    try:
        import networkx
    except ImportError as error:
        expected = "pip install networkx; `powderkeg describe --graph FILE.graphml` does without"
        raise UsageError(Fault.at("network", "networkx is not installed", expected)) from error
    found = actor_network(model)
    graph = networkx.MultiDiGraph(name=found.name)
    for name, fields in found.nodes.items():
        graph.add_node(name, **fields)
    for edge in found.edges:
        graph.add_edge(edge.source, edge.target, key=edge.key, **edge.fields)
    return graph


def graphml(model: Model) -> str:
    """The network as GraphML, with the fields that `network` describes. Raises ModelError as there."""
    found = actor_network(model)
    root = ElementTree.Element("graphml", xmlns=GRAPHML)
    keys: dict[tuple[str, str], str] = {}
    kinds: list[tuple[str, Fields]] = [("node", fields) for fields in found.nodes.values()]
    kinds += [("edge", edge.fields) for edge in found.edges]
    for kind, fields in kinds:
        for name, value in fields.items():
            if (kind, name) not in keys:
                keys[kind, name] = f"d{len(keys)}"
                declared = {"for": kind, "attr.name": name, "attr.type": TYPES[type(value)]}
                ElementTree.SubElement(root, "key", {"id": keys[kind, name], **declared})
    graph = ElementTree.SubElement(root, "graph", id=found.name, edgedefault="directed")
    for name, fields in found.nodes.items():
        _with_fields(ElementTree.SubElement(graph, "node", id=name), "node", fields, keys)
    for number, edge in enumerate(found.edges):
        at = {"id": f"e{number}", "source": edge.source, "target": edge.target}
        _with_fields(ElementTree.SubElement(graph, "edge", at), "edge", edge.fields, keys)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def _with_fields(element: ElementTree.Element, kind: str, fields: Fields, keys: Mapping[tuple[str, str], str]) -> None:
    for name, value in fields.items():
        data = ElementTree.SubElement(element, "data", key=keys[kind, name])
        data.text = str(value).lower() if isinstance(value, bool) else _plain(str(value))


def _plain(text: str) -> str:
    """Without the signs that XML 1.0 cannot hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def actor_network(model: Model) -> ActorNetwork:
    """The network as plain data. Raises ModelError for bare arrays, UsageError where one channel stands for many."""
    scenario = model.scenario
    if scenario is None:
        raise ModelError("bare arrays have no actors: give the model of a scenario")
    model.must_be_whole("drawn as a network")
    # An act of one actor towards another belongs to one move.
    rates = {
        (channel.source, channel.target, channel.act): YEAR * rate
        for channel, rate in zip(model.channels, model.system.rate.tolist(), strict=True)
        if channel.source is not None and channel.target is not None
    }
    nodes = {
        name: {"title": actor.title or name, "classes": " ".join(actor.classes)}
        for name, actor in scenario.actors.items()
    }
    return ActorNetwork(scenario.name, nodes, (*_ties(scenario), *_acts(scenario, rates)))


def _ties(scenario: Scenario) -> Iterator[NetworkEdge]:
    for name, tie in scenario.ties.items():
        told: dict[str, Any] = {"what": "tie", "name": name, "kind": tie.kind, "verb": tie_verb(tie.kind)}
        yield NetworkEdge(tie.from_, tie.to, name, told | {"title": tie.title or name, "holds": tie.holds})


def _acts(scenario: Scenario, rates: Mapping[tuple[str, str, str], float]) -> Iterator[NetworkEdge]:
    for (source, target, name), rate in rates.items():
        act = scenario.acts[name]
        told: dict[str, Any] = {"what": "act", "act": name, "title": act.title or name, "tone": act.tone}
        # An act may have a tie's name: keys of the same two actors must differ.
        key = f"act {name}" if name in scenario.ties else name
        yield NetworkEdge(source, target, key, told | {"per_year": float(rate)})
