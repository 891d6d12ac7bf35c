"""A mechanism with several half-lives as one part for each, so that how many answers each takes can be told by itself.

In: a `Model`, names of mechanisms. Out: a `Model` with these apart: every link once for each half-life, a part a
mechanism of its own whose answers are `mechanisms.NAME.half_lives.K.answers`; and the way back: values of parts as
those of the scenario (their sum, and the share of each).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from powderkeg.engine.arrays import Floats
from powderkeg.model.parts import Model, Parameter
from powderkeg.scenario import Scenario

_PART = re.compile(r"mechanisms\.([^.]+)\.half_lives\.([0-9]+)\.(answers|share)")


def part_of(path: str) -> tuple[str, int, str] | None:
    """(mechanism, number of the half-life from 1 on, "answers" or "share") of the key path of a part, else None."""
    found = _PART.fullmatch(path)
    return None if found is None else (found[1], int(found[2]), found[3])


def part_path(mechanism: str, number: int, what: str = "answers") -> str:
    """Key path of the answers (or the share) of a half-life, from 1 on."""
    return f"mechanisms.{mechanism}.half_lives.{number}.{what}"


def several(model: Model) -> tuple[str, ...]:
    """Mechanisms of a scenario's model that have more than one half-life."""
    if model.scenario is None:
        return ()
    return tuple(name for name, one in model.scenario.mechanisms.items() if len(one.half_lives) > 1)


def parted(model: Model, names: Collection[str]) -> Model:
    """The model with the mechanisms `names` apart by half-life; those with a single one stay as they are."""
    system = model.system
    sizes = np.diff(system.kernel_start)
    apart = np.array([name in names for name in model.mechanisms], bool) & (sizes > 1)
    if not apart.any():
        return model
    count = np.where(apart, sizes, 1)
    first = np.concatenate([[0], np.cumsum(count)])
    owner = np.repeat(np.arange(len(sizes)), count)
    within = np.arange(len(owner)) - first[owner]
    share = np.where(apart[owner], system.kernel_share[system.kernel_start[owner] + within], 1.0)

    times = count[system.edge_mechanism]
    edge = np.repeat(np.arange(system.n_edges), times)
    part = first[system.edge_mechanism[edge]] + np.arange(len(edge)) - np.repeat(np.cumsum(times) - times, times)
    source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))[edge]
    order = np.lexsort((part, source))
    edge, part = edge[order], part[order]

    parameters, answers = list(model.parameters), model.edge_parameter[edge].copy()
    known = {p.path: p for p in model.parameters}
    for m in np.flatnonzero(apart[owner]):
        name, number = model.mechanisms[owner[m]], int(within[m]) + 1
        whole = known[f"mechanisms.{name}.answers"]
        low, high = (None if end is None else end * float(share[m]) for end in (whole.low, whole.high))
        answers[part == m] = len(parameters)
        parameters.append(Parameter(part_path(name, number), "answers", whole.value * float(share[m]), low, high))
    return replace(
        model,
        system=system._replace(
            edge_start=np.concatenate([[0], np.cumsum(times)])[system.edge_start].astype(np.int64),
            edge_target=system.edge_target[edge], edge_mechanism=part.astype(np.int64),
            edge_gate=system.edge_gate[edge], edge_mass=system.edge_mass[edge] * share[part],
            kernel_start=np.concatenate([[0], np.cumsum(np.where(apart[owner], 1, sizes[owner]))]).astype(np.int64),
            kernel_share=np.where(np.repeat(apart, sizes), 1.0, system.kernel_share),
        ),
        mechanisms=tuple(
            f"{model.mechanisms[m]}.half_lives.{k + 1}" if apart[m] else model.mechanisms[m]
            for m, k in zip(owner.tolist(), within.tolist(), strict=True)
        ),
        parameters=tuple(parameters), edge_parameter=answers, edge_weight=model.edge_weight[edge],
        part_of=owner.astype(np.int64),
    )  # fmt: skip


def together(parts: Model) -> Model:
    """The model with its parts as the mechanisms that they are of, numbers as they are: what `parted` took apart."""
    if parts.part_of is None:
        return parts
    system, owner = parts.system, parts.part_of
    n = int(owner.max()) + 1
    answers = _answers(parts)
    total = np.bincount(owner, weights=answers, minlength=n)
    apart = np.bincount(owner, minlength=n) > 1
    of_component = np.repeat(np.arange(len(owner)), np.diff(system.kernel_start))
    share = system.kernel_share.copy()
    for m in np.flatnonzero(apart):
        own = owner[of_component] == m
        share[own] = answers[of_component[own]] / total[m] if total[m] > 0 else 1.0 / own.sum()
    edge = np.flatnonzero(np.isin(system.edge_mechanism, np.unique(owner, return_index=True)[1]))
    source = np.repeat(np.arange(system.n_channels), np.diff(system.edge_start))[edge]
    mechanism = owner[system.edge_mechanism[edge]]
    names = tuple(dict.fromkeys(name.partition(".half_lives.")[0] for name in parts.mechanisms))
    number = {p.path: k for k, p in enumerate(parts.parameters)}
    parameter = parts.edge_parameter[edge].copy()
    for m in np.flatnonzero(apart):
        parameter[mechanism == m] = number[f"mechanisms.{names[m]}.answers"]
    return replace(
        parts,
        system=system._replace(
            edge_start=np.concatenate([[0], np.cumsum(np.bincount(source, minlength=system.n_channels))]),
            edge_target=system.edge_target[edge], edge_mechanism=mechanism, edge_gate=system.edge_gate[edge],
            edge_mass=parts.edge_weight[edge] * total[mechanism],
            kernel_start=np.concatenate([[0], np.cumsum(np.bincount(owner[of_component], minlength=n))]),
            kernel_share=share,
        ),
        mechanisms=names, edge_parameter=parameter, edge_weight=parts.edge_weight[edge],
        parameters=tuple(p for p in parts.parameters if part_of(p.path) is None), part_of=None,
    )  # fmt: skip


def _answers(model: Model) -> Floats:
    """(M,) answers by mechanism, 0 for one without any link."""
    found = np.zeros(len(model.mechanisms))
    has = model.edge_weight > 0
    found[model.system.edge_mechanism[has]] = model.system.edge_mass[has] / model.edge_weight[has]
    return found


def part_values(scenario: Scenario) -> dict[str, float]:
    """Key path -> answers of every half-life of mechanisms that have several."""
    return {
        part_path(name, k): float(one.answers) * float(half.share)
        for name, one in scenario.mechanisms.items()
        if len(one.half_lives) > 1
        for k, half in enumerate(one.half_lives, start=1)
    }


def values_of(model: Model) -> dict[str, float]:
    """Key path -> value of every parameter, and of the answers of every half-life where there are several."""
    values = {p.path: p.value for p in model.parameters}
    return values if model.scenario is None else values | part_values(model.scenario)


def joined(values: Mapping[str, float]) -> dict[str, float]:
    """Values in which those of all parts of a mechanism are its answers, and the share of each half-life."""
    result = {path: value for path, value in values.items() if part_of(path) is None}
    parts: dict[str, dict[int, float]] = {}
    for path, value in values.items():
        if (found := part_of(path)) is not None:
            parts.setdefault(found[0], {})[found[1]] = value
    for name, own in parts.items():
        total = sum(own.values())
        result[f"mechanisms.{name}.answers"] = total
        if total > 0.0:
            result |= {part_path(name, k, "share"): value / total for k, value in own.items()}
    return result
