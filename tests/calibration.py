"""How well stated probabilities come true: on histories drawn by the plain simulator, which shares no code with the
engine's, or on any others whose parents are known.

`score` takes attributions and truths and tells background calibration, links by bin, and errors of the share drawn in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
from fit_systems import Builder, draw
from scipy import stats

from powderkeg.attribute.result import Attribution
from powderkeg.events.table import EventTable
from powderkeg.model import Channel, Model, from_arrays


@dataclass(frozen=True)
class Truth:
    """What the simulation knows of each act, in time order: its parent's row or -1, what bore it ("background")."""

    parent: np.ndarray
    mechanism: list[str]


@dataclass(frozen=True)
class Score:
    """hosmer_lemeshow  p over ten bins of background probability (at exact times)
    background        by bin: acts, mean stated, share true
    links             rows: mechanism ("all" too), bin, links, mean stated, share true, z (spread between histories)
    drawn_in          (histories,) stated minus true share of all acts that is drawn in;  drawn_in_true the true one
    root_error        (histories,) the same for the share of roots
    """

    hosmer_lemeshow: float
    background: pl.DataFrame
    links: pl.DataFrame
    drawn_in: np.ndarray
    drawn_in_true: np.ndarray
    root_error: np.ndarray
    likeliest: float
    likeliest_stated: float

    @property
    def links_p(self) -> float:
        """p of the worst bin of any mechanism with at least 500 links, times the number of bins (Student's t)."""
        n = len(self.drawn_in)
        z = self.links.filter(pl.col("links") >= 500)["z"].to_numpy()
        if len(z) == 0:
            return 1.0
        t = np.abs(z) * np.sqrt((n - 1) / np.maximum(n - z**2, 1e-9))
        return float(min(1.0, 2.0 * stats.t.sf(t.max(), n - 1) * len(z)))


def model_of(builder: Builder) -> Model:
    """A model around a builder's arrays. A channel "a act z" keeps its actors; its whole name stands for the act."""
    system = builder.system()
    size = len(builder.channels)
    plain = from_arrays(np.full(size, 0.1), [np.zeros((size, size))], np.ones(1))
    channels = []
    for c in builder.channels:
        words = c["name"].split()
        channels.append(Channel(words[0], c["name"], words[-1]) if len(words) == 3 else Channel(None, c["name"], None))
    return replace(
        plain,
        system=system,
        channels=tuple(channels),
        mechanisms=tuple(builder.mechanisms),
        facts=tuple(builder.facts),
        levels=tuple(tuple(str(k) for k in range(n)) for n in builder.facts.values()),
        n_own_facts=len(builder.facts),
        edge_parameter=np.full(len(system.edge_mass), -1),
        edge_weight=system.edge_mass.copy(),
        kernel_parameter=np.full(len(system.kernel_decay), -1),
        factor_parameter=np.full(len(system.level_factor), -1),
    )


def drawn(
    builder: Builder, model: Model, days: float, seed: int, by_day: bool = False, limit: int = 200_000
) -> tuple[EventTable, Truth]:
    """One history by the plain simulator, as an observer has it, and its truth."""
    time, channel, parent, mechanism = draw(model.system, days, seed, limit)
    names = [*builder.mechanisms, "background"]
    frame = pl.DataFrame(
        {
            "time": np.floor(time) if by_day else time,
            "source": [model.channels[c].source for c in channel],
            "act": [model.channels[c].act for c in channel],
            "target": [model.channels[c].target for c in channel],
        },
        schema_overrides={"source": pl.String, "target": pl.String},
    )
    table = EventTable(frame, date(2000, 1, 1), days, "day" if by_day else "exact")
    return table, Truth(parent, [names[m] for m in mechanism])


def score(found: Sequence[Attribution], truth: Sequence[Truth], least: float = 0.02, bins: int = 10) -> Score:
    """Hold stated probabilities against what is true."""
    p = np.concatenate([a.acts()["background"].to_numpy() for a in found])
    root = np.concatenate([t.parent < 0 for t in truth])
    edges = np.quantile(p, np.linspace(0, 1, 11)[1:-1])
    bin_of = np.searchsorted(edges, p)
    rows, value = [], 0.0
    for k in range(10):
        own = bin_of == k
        if own.any():
            rows.append(
                {"bin": k, "acts": int(own.sum()), "stated": float(p[own].mean()), "true": float(root[own].mean())}
            )
            spread = float((p[own] * (1 - p[own])).sum())
            value += float(root[own].sum() - p[own].sum()) ** 2 / spread if spread > 1e-3 else 0.0
    parts = []
    drawn_off, drawn_true, root_off, hits, stated = [], [], [], [], []
    for number, (a, t) in enumerate(zip(found, truth, strict=True)):
        links = a.links(least)
        event, parent = links["event"].to_numpy(), links["parent"].to_numpy()
        kinds = np.array(t.mechanism, dtype=object)
        true = (t.parent[event] == parent) & (kinds[event] == links["mechanism"].to_numpy())
        parts.append(links.select("mechanism", "probability").with_columns(
            history=pl.lit(number), true=pl.Series(true.astype(np.float64))))  # fmt: skip
        acts = a.acts()
        top = links.group_by("event", maintain_order=True).first()
        best = dict(top.select("event", "probability").iter_rows())
        where = {e: i for i, e in reversed(list(enumerate(event.tolist())))}
        background = acts["background"].to_numpy()
        for i in range(len(background)):
            link = best.get(i, 0.0)
            stated.append(max(link, background[i]))
            hits.append(bool(true[where[i]]) if link > background[i] else t.parent[i] < 0)
        ends = roots_of(t.parent)
        source, target = (acts[x].to_list() for x in ("source", "target"))
        is_drawn = [source[i] not in (source[r], target[r]) for i, r in enumerate(ends)]
        drawn_true.append(float(np.mean(is_drawn)))
        drawn_off.append(float(acts["drawn_in"].to_numpy().mean()) - drawn_true[-1])
        root_off.append(float(background.mean() - (t.parent < 0).mean()))
    return Score(
        float(stats.chi2.sf(value, 10)), pl.DataFrame(rows), _binned(pl.concat(parts), len(found), bins),
        np.array(drawn_off), np.array(drawn_true), np.array(root_off), float(np.mean(hits)), float(np.mean(stated)),
    )  # fmt: skip


def roots_of(parent: np.ndarray) -> np.ndarray:
    """Row of each act's root; parents stand before their children."""
    root = np.arange(len(parent))
    for i, j in enumerate(parent):
        if j >= 0:
            root[i] = root[j]
    return root


def _binned(links: pl.DataFrame, histories: int, bins: int) -> pl.DataFrame:
    both = pl.concat([links, links.with_columns(mechanism=pl.lit("all"))], how="vertical_relaxed")
    both = both.with_columns(
        bin=(pl.col("probability") * bins).floor().clip(0, bins - 1).cast(pl.Int64),
        off=pl.col("true") - pl.col("probability"),
    )
    sums = both.group_by("mechanism", "bin", "history").agg(
        pl.col("off").sum(), pl.len(), pl.col("probability").sum(), pl.col("true").sum()
    )
    rows = []
    for (mechanism, number), part in sums.group_by(["mechanism", "bin"]):
        off = np.zeros(histories)
        off[part["history"].to_numpy()] = part["off"].to_numpy()
        n = float(part["len"].sum())
        spread = float(np.sqrt((off**2).sum()))
        rows.append(
            {"mechanism": mechanism, "bin": number, "links": int(n), "stated": part["probability"].sum() / n,
             "true": part["true"].sum() / n, "z": float(off.sum()) / spread if spread > 0 else 0.0}
        )  # fmt: skip
    return pl.DataFrame(rows).sort("mechanism", "bin")
